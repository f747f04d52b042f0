package web

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/survey"
)

// quarantineLooked is how many answers in quarantine are looked at, reasonsOnPage how
// many lines say what is wrong with them.
const quarantineLooked, reasonsOnPage = 2000, 50

// quarantineView is what page/quarantine.html shows.
type quarantineView struct {
	Total   int64
	Reasons []quarantineLine
	// Part: not all answers were looked at, or not all reasons are listed.
	Part bool
	// Tried says what became of all answers just now.
	Tried       bool
	Taken, Left int
	// Ask whether these shall be discarded. Discarded says how many were just now.
	Ask       *quarantineLine
	Discarded int
}

// quarantineLine says of how many answers of a tablet the same is wrong.
type quarantineLine struct {
	// Group names them.
	Group        string
	Device, Name string
	// Texts say what is wrong, Code says it to programmers.
	Texts []string
	Code  string
	N     int
}

// quarantinePage says what is wrong with answers in quarantine, never what they say.
func (s *Server) quarantinePage(r *request) error {
	v := &quarantineView{Tried: r.Query("taken") != ""}
	v.Taken, _ = strconv.Atoi(r.Query("taken"))
	v.Left, _ = strconv.Atoi(r.Query("left"))
	v.Discarded, _ = strconv.Atoi(r.Query("discarded"))
	var err error
	if v.Total, err = s.store.QuarantineSize(r.context); err != nil {
		return err
	}
	type key struct{ device, reason string }
	counts, looked := map[key]int{}, 0
	for after := (store.ID{}); looked < quarantineLooked; {
		page, err := s.store.InQuarantine(r.context, after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, q := range page {
			after = q.ID
			counts[key{q.Device, q.Reason}]++
		}
		looked += len(page)
	}
	for k, n := range counts {
		line := quarantineLine{Group: quarantineGroup(k.device, k.reason), Device: k.device, Name: k.device, Code: k.reason, N: n, Texts: s.reasons(r.language(), k.reason)}
		if d := s.store.View().Device(k.device); d != nil {
			line.Name = d.Name
		}
		v.Reasons = append(v.Reasons, line)
	}
	slices.SortFunc(v.Reasons, func(a, b quarantineLine) int {
		return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Name, b.Name), strings.Compare(a.Code, b.Code))
	})
	v.Part = int64(looked) < v.Total || len(v.Reasons) > reasonsOnPage
	v.Reasons = v.Reasons[:min(len(v.Reasons), reasonsOnPage)]
	if i := slices.IndexFunc(v.Reasons, func(l quarantineLine) bool { return l.Group == r.Query("ask") }); i >= 0 {
		v.Ask = &v.Reasons[i]
	}
	p := s.newPage(r, s.texts.say(r.language(), "quarantine.title"), v)
	p.Wide = true
	return s.render(r, fiber.StatusOK, "quarantine", p)
}

// reasons words why an answer could not be taken: it stands there as the text of a
// [*survey.Error], "field: code (detail); field: code".
func (s *Server) reasons(lang, reason string) []string {
	said := map[string]bool{}
	for part := range strings.SplitSeq(reason, "; ") {
		_, code, _ := strings.Cut(part, ": ")
		code, _, _ = strings.Cut(code, " ")
		if text := s.message(lang, survey.Code(code)); text != code {
			said[text] = true
		}
	}
	return slices.Sorted(maps.Keys(said))
}

// quarantineGroup names the answers of a tablet in which the same is wrong.
func quarantineGroup(device, reason string) string {
	sum := sha256.Sum256([]byte(device + "\x00" + reason))
	return hex.EncodeToString(sum[:8])
}

// changeQuarantine tries the answers in quarantine again, or discards some of them, and
// says what became of them.
func (s *Server) changeQuarantine(r *request) error {
	q := url.Values{"lang": {r.language()}}
	if r.field("do") == "discard" {
		n, err := s.discardGroup(r)
		if err != nil {
			return err
		}
		q.Set("discarded", strconv.Itoa(n))
	} else {
		result, err := s.tryQuarantine(r.context)
		if err != nil {
			return err
		}
		q.Set("taken", strconv.Itoa(result.Taken))
		q.Set("left", strconv.Itoa(result.Left))
	}
	s.seeOther(r, "/fleet/quarantine?"+q.Encode())
	return nil
}

// discardGroup discards as many answers of a group as the question told of.
func (s *Server) discardGroup(r *request) (int, error) {
	n, _ := strconv.Atoi(r.field("n"))
	n = min(n, quarantineLooked)
	var list []store.Quarantined
	for after := (store.ID{}); len(list) < n; {
		page, err := s.store.InQuarantine(r.context, after)
		if err != nil {
			return 0, err
		}
		if len(page) == 0 {
			break
		}
		for _, q := range page {
			if after = q.ID; len(list) < n && quarantineGroup(q.Device, q.Reason) == r.field("group") {
				list = append(list, q)
			}
		}
	}
	if len(list) == 0 {
		return 0, nil
	}
	return len(list), s.discard(r, list)
}
