package web

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"sipas/kiosk"
	"sipas/survey"
)

// Bounds of what the pages of tablets show.
const (
	// fleetEvery is after how many seconds the list loads itself again.
	fleetEvery = 60
	// maxSearch bounds what is searched for, in characters.
	maxSearch = 100
	// rangesInLine is how many ranges of missing numbers a line shows.
	rangesInLine = 3
)

// stateLook is shown in place of fine where the tablet does well and staff should look at
// something even so: it takes no answers where it stands, or its browser may clear them.
const stateLook = "look"

// fleetStates are the states on the pages of tablets, worst first.
var fleetStates = slices.Insert(slices.Clone(kiosk.States), slices.Index(kiosk.States, kiosk.StateFine), stateLook)

// fleetView is what page/fleet.html shows.
type fleetView struct {
	Tiles []fleetTile
	// State and Search narrow the list, "" for neither.
	State, Search string
	Tablets       []tabletLine
	// None: there is no tablet at all.
	None        bool
	Quarantined int64
	// Made is when the list was.
	Made string
	// Watching: the page loads itself again. Other is the address of the same list
	// where that is the other way.
	Watching bool
	Other    string
}

// fleetTile counts the tablets in a state, "" for all, and leads to them.
type fleetTile struct {
	State   string
	N       int
	Address string
	Chosen  bool
}

// tabletLine is a tablet, worded in the reader's language.
type tabletLine struct {
	DeviceStatus
	// State is the worst.
	State          string
	DeskName, Unit string
	// Last is the last contact, in Vietnam, and Ago how long ago that is; both ""
	// before the first.
	Last, Ago string
	// Lost are the missing numbers, "" without any.
	Lost string
	// Clock says how the tablet's clock goes, Battery and Storage are "" where the
	// tablet does not tell.
	Clock, Battery, Storage string
	ClockWrong              bool
	// Round warns that the desk has no round for the tablet, now or soon; "" where it has
	// one: "none", or "codes" where its QR codes lead to the round RoundTitle, which is for
	// them alone.
	Round, RoundTitle string
	// AppCurrent: it runs the program that the service has now.
	AppCurrent bool
}

// fleetPage lists the tablets, worst first. A tablet in two states is found by either.
func (s *Server) fleetPage(r *request) error {
	contacts, err := s.store.Contacts(r.context)
	if err != nil {
		return err
	}
	v := &fleetView{Search: searched(r.Query("q")), Watching: r.Query("refresh") != "off"}
	if state := r.Query("state"); slices.Contains(fleetStates, state) {
		v.State = state
	}
	if v.Quarantined, err = s.store.QuarantineSize(r.context); err != nil {
		return err
	}
	p := s.newPage(r, s.texts.say(r.language(), "fleet.title"), v)
	p.Wide = true
	counts, all, now, wanted := map[string]int{}, 0, s.cfg.Now(), folded(v.Search)
	devices := s.store.View().Devices()
	v.None = len(devices) == 0
	for _, d := range devices {
		c := contacts[d.ID]
		status, err := s.deviceStatus(d, &c)
		if err != nil {
			return err
		}
		line := s.tabletLine(p, status, now)
		if wanted != "" && !strings.Contains(folded(strings.Join([]string{d.Name, d.ID, d.Desk(), line.DeskName, line.Unit}, "\n")), wanted) {
			continue
		}
		all++
		for _, state := range line.States {
			counts[state]++
		}
		if v.State == "" || slices.Contains(line.States, v.State) {
			v.Tablets = append(v.Tablets, line)
		}
	}
	slices.SortStableFunc(v.Tablets, func(a, b tabletLine) int {
		return cmp.Compare(slices.Index(fleetStates, a.State), slices.Index(fleetStates, b.State))
	})
	v.Made = now.In(survey.VietnamTime()).Format("15:04")
	v.link(p, s.href("/fleet"), counts, all)
	return s.render(r, fiber.StatusOK, "fleet", p)
}

// link fills in the addresses of other lists; this is the one without any choice.
func (v *fleetView) link(p *page, this string, counts map[string]int, all int) {
	address := func(state string, watching bool) string {
		q := url.Values{"lang": {p.Lang}}
		for name, value := range map[string]string{"state": state, "q": v.Search} {
			if value != "" {
				q.Set(name, value)
			}
		}
		if !watching {
			q.Set("refresh", "off")
		}
		return this + "?" + q.Encode()
	}
	v.Tiles = []fleetTile{{"", all, address("", v.Watching), v.State == ""}}
	for _, state := range fleetStates {
		if n := counts[state]; n > 0 || state == v.State {
			v.Tiles = append(v.Tiles, fleetTile{state, n, address(state, v.Watching), state == v.State})
		}
	}
	v.Other = address(v.State, !v.Watching)
	for name, value := range map[string]string{"state": v.State, "q": v.Search} {
		if value != "" {
			p.query.Set(name, value)
		}
	}
	if v.Watching {
		p.Refresh, p.RefreshTo = fleetEvery, address(v.State, true)
	} else {
		p.query.Set("refresh", "off")
	}
}

// searched cuts what somebody searches for to what can be found.
func searched(text string) string {
	text = strings.TrimSpace(strings.ToValidUTF8(text, ""))
	if utf8.RuneCountInString(text) > maxSearch {
		text = string([]rune(text)[:maxSearch])
	}
	return text
}

// folded is a text as people search for it: without case and Vietnamese marks.
func folded(text string) string {
	letters := [...]struct {
		plain  rune
		marked string
	}{{'a', "àáảãạăằắẳẵặâầấẩẫậ"}, {'e', "èéẻẽẹêềếểễệ"}, {'i', "ìíỉĩị"}, {'o', "òóỏõọôồốổỗộơờớởỡợ"}, {'u', "ùúủũụưừứửữự"}, {'y', "ỳýỷỹỵ"}, {'d', "đ"}}
	return strings.Map(func(r rune) rune {
		r = unicode.ToLower(r)
		if r <= unicode.MaxASCII {
			return r
		}
		if unicode.Is(unicode.Mn, r) { // a mark that stands by itself
			return -1
		}
		for _, l := range letters {
			if strings.ContainsRune(l.marked, r) {
				return l.plain
			}
		}
		return r
	}, text)
}

func (s *Server) tabletLine(p *page, d DeviceStatus, now time.Time) tabletLine {
	t := tabletLine{DeviceStatus: d, State: d.States[0], DeskName: d.Desk}
	view := s.store.View()
	if desk := view.Desks[d.Desk]; desk != nil {
		t.DeskName, t.Unit = p.In(desk.Name), p.In(s.unitName(desk.Unit))
	}
	t.Lost = p.ranges(d.Missing, rangesInLine)
	if d.Revoked == nil && len(kiosk.NewBundle(view.Catalogue, &kiosk.Device{Places: d.Places}, now).Rounds) == 0 {
		switch round := roundOfCodes(view.Catalogue, d.Desk, survey.DateOf(now)); {
		case round != nil:
			t.Round, t.RoundTitle = "codes", p.In(round.Title)
		case d.Status.Problem != "closed": // by which the tablet says it itself
			t.Round = "none"
		}
	}
	if d.LastContact == nil {
		return t
	}
	t.AppCurrent = d.App == s.kiosk.Version
	t.Last, t.Ago = p.Hour(d.LastContact), p.ago(now.Sub(*d.LastContact))
	offset := time.Duration(d.ClockOffset * float64(time.Second))
	t.ClockWrong = offset.Abs() > kiosk.ClockLimit
	switch {
	case offset.Abs() < time.Minute:
		t.Clock = p.T("fleet.clock_right")
	case offset > 0:
		t.Clock = p.T("fleet.clock_slow", p.span(offset))
	default:
		t.Clock = p.T("fleet.clock_fast", p.span(-offset))
	}
	if percent := d.Status.Percent(); percent != nil {
		t.Battery = p.Num(*percent) + "%"
	}
	if d.Status.Quota > 0 {
		t.Storage = p.T("fleet.storage_of", p.size(d.Status.Used), p.size(d.Status.Quota))
	}
	if t.State == kiosk.StateFine && (t.Round != "" || !d.Status.Persisted) {
		t.State, t.States = stateLook, []string{stateLook}
	}
	return t
}

// roundOfCodes is the round to which the QR codes of a desk lead on a day, nil without one.
func roundOfCodes(c *survey.Catalogue, id string, day survey.Date) *survey.Round {
	desk := c.Desks[id]
	if desk == nil || !c.Serves(desk, day) {
		return nil
	}
	round, _ := c.RoundAt(survey.ChannelQR, desk.Unit, day)
	return round
}
