package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/skip2/go-qrcode"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// Bounds of what the pages of tablets show.
const (
	// fleetEvery is after how many seconds the list loads itself again.
	fleetEvery = 60
	// maxSearch bounds what is searched for, in characters.
	maxSearch = 100
	// Ranges of missing numbers, in a line of the list and on the tablet's own page.
	rangesInLine, rangesOnPage = 3, 50
	placesOnPage               = 10
	// desksOffered bounds the desks to choose from; the code of any other can be typed.
	desksOffered = 2000
	// quarantineLooked is how many answers in quarantine are looked at, reasonsOnPage
	// how many lines say what is wrong with them.
	quarantineLooked, reasonsOnPage = 2000, 50
)

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
	ClockWrong, BatteryLow  bool
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
	if state := r.Query("state"); slices.Contains(kiosk.States, state) {
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
		for _, state := range status.States {
			counts[state]++
		}
		if v.State == "" || slices.Contains(status.States, v.State) {
			v.Tablets = append(v.Tablets, line)
		}
	}
	slices.SortStableFunc(v.Tablets, func(a, b tabletLine) int {
		return cmp.Compare(slices.Index(kiosk.States, a.State), slices.Index(kiosk.States, b.State))
	})
	v.Made = now.In(survey.VietnamTime()).Format("15:04")
	v.link(p, counts, all)
	return s.render(r, fiber.StatusOK, "fleet", p)
}

// link fills in the addresses of other lists.
func (v *fleetView) link(p *page, counts map[string]int, all int) {
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
		return "/fleet?" + q.Encode()
	}
	v.Tiles = []fleetTile{{"", all, address("", v.Watching), v.State == ""}}
	for _, state := range kiosk.States {
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
	if b := d.Status.Battery; b != nil {
		t.Battery, t.BatteryLow = p.Num(int(math.Round(*b*100)))+"%", *b < 0.2 && !d.Status.Charging
	}
	if d.Status.Quota > 0 {
		t.Storage = p.T("fleet.storage_of", p.size(d.Status.Used), p.size(d.Status.Quota))
	}
	return t
}

// span words a length of time of at least a minute, in one unit that is fine enough.
func (p *page) span(d time.Duration) string {
	switch {
	case d < 2*time.Hour:
		return p.T("span.minutes", p.Num(int(d.Minutes())))
	case d < 48*time.Hour:
		return p.T("span.hours", p.Num(int(d.Hours())))
	}
	return p.T("span.days", p.Num(int(d.Hours()/24)))
}

func (p *page) ago(d time.Duration) string {
	if d < time.Minute {
		return p.T("span.now")
	}
	return p.T("span.ago", p.span(d))
}

// size words a number of bytes.
func (p *page) size(n int64) string {
	switch {
	case n < 1e6:
		return p.Num(int(n/1000)) + " kB"
	case n < 1e9:
		return p.decimal(float64(n)/1e6, 1) + " MB"
	}
	return p.decimal(float64(n)/1e9, 1) + " GB"
}

// ranges writes numbers as "120–134, 140", and how many ranges more there are.
func (p *page) ranges(numbers kiosk.Numbers, most int) string {
	var parts []string
	for _, r := range numbers[:min(len(numbers), most)] {
		text := p.Num(r[0])
		if r[1] > r[0] {
			text += "–" + p.Num(r[1])
		}
		parts = append(parts, text)
	}
	if more := len(numbers) - most; more > 0 {
		parts = append(parts, p.T("fleet.more_ranges", p.Num(more)))
	}
	return strings.Join(parts, ", ")
}

// tabletView is what page/device.html shows.
type tabletView struct {
	// Tablet is empty for one that is yet to be made: New.
	Tablet tabletLine
	New    bool
	// Once tells a form that was sent twice from two of them.
	Once string
	// What the forms hold.
	Name, Message, Desk string
	Comments            bool
	// Errors of fields, by name.
	Errors map[string]string
	// Desks to choose from.
	Desks []deskChoice
	// Lost has more of the missing numbers than a line of the list.
	Lost   string
	Places []placeLine
	// Missing counts what is missing in all epochs.
	Missing int64
	// Ask whether the tablet shall be revoked, "revoke", or what is missing be written
	// off, "writeoff".
	Ask string
	// Done is what was done just now: fleet.done.<Done>.
	Done string
	// Pairing is there only in the answer to who asked for it.
	Pairing *pairingView
	// Command hands in an exported file.
	Command string
}

type deskChoice struct{ Code, Name string }

type placeLine struct{ Code, Name, From string }

// pairingView is a pairing code. Its picture holds the address with the code behind
// "#", which no browser sends to anybody.
type pairingView struct {
	Code, Until, Address string
	Path                 string
	Size                 int
}

// fleetDone are the things that can have been done to a tablet.
var fleetDone = []string{"change", "move", "revoke", "writeoff"}

// newTabletPage asks for name and desk of a tablet that is to be added.
func (s *Server) newTabletPage(r *request) error {
	var once [16]byte
	if _, err := io.ReadFull(s.cfg.Random, once[:]); err != nil {
		return fmt.Errorf("make a form: %w", err)
	}
	return s.showNewTablet(r, fiber.StatusOK, &tabletView{Once: hex.EncodeToString(once[:])})
}

func (s *Server) showNewTablet(r *request, status int, v *tabletView) error {
	v.New, v.Desks = true, s.deskChoices(r.language())
	p := s.newPage(r, s.texts.say(r.language(), "fleet.new"), v)
	p.Wide = true
	return s.render(r, status, "device", p)
}

// addTablet makes a tablet and sends the browser on to ask for its pairing code, with
// the same form: who loads that page again gets another code and no other tablet.
func (s *Server) addTablet(r *request) error {
	v := &tabletView{Name: r.field("name"), Desk: r.field("desk"), Once: r.field("once")}
	id, err := s.addOnce(r, v.Name, s.deskCode(v.Desk), v.Once)
	if v.Errors = s.fieldErrors(r, err); v.Errors != nil {
		return s.showNewTablet(r, statuses[codeInvalid], v)
	}
	if err != nil {
		return err
	}
	r.Status(fiber.StatusTemporaryRedirect)
	r.Response().Header.Set(fiber.HeaderLocation, tabletAddress(id, r.language(), ""))
	return nil
}

// addOnce makes a tablet; for a form that comes again, the one that it made before.
func (s *Server) addOnce(r *request, name, desk, once string) (id string, err error) {
	now := s.cfg.Now()
	sum := sha256.Sum256([]byte("sipas tablet\n" + once))
	seed := sum[:4] // as much as an id takes, so that there is no second try
	d, err := s.store.AddDevice(r.context, name, desk, now, bytes.NewReader(seed))
	if err == nil || !errors.Is(err, io.EOF) {
		return d.ID, err
	}
	if err := s.store.Refresh(r.context); err != nil {
		return "", err
	}
	if first, err := kiosk.NewDevice(name, desk, now, bytes.NewReader(seed)); err == nil {
		if made := s.store.View().Device(first.ID); made != nil && made.Name == first.Name && made.Desk() == desk {
			return made.ID, nil
		}
	}
	d, err = s.store.AddDevice(r.context, name, desk, now, s.cfg.Random)
	return d.ID, err
}

// tabletPage shows one tablet, what is the matter with it, and what can be done.
func (s *Server) tabletPage(r *request) error {
	v := &tabletView{Ask: r.Query("ask")}
	if done := r.Query("done"); slices.Contains(fleetDone, done) {
		v.Done = done
	}
	d, err := s.pathTablet(r, v.Done != "")
	if err != nil {
		return err
	}
	v.Name, v.Message, v.Comments = d.Name, d.Message, d.Comments
	return s.showTablet(r, fiber.StatusOK, d, v)
}

// pathTablet finds the tablet that the path names. It may have been changed at another
// server just now.
func (s *Server) pathTablet(r *request, changed bool) (*kiosk.Device, error) {
	d := s.store.View().Device(r.Params("device"))
	if d == nil || changed {
		if err := s.store.Refresh(r.context); err != nil {
			return nil, err
		}
		d = s.store.View().Device(r.Params("device"))
	}
	if d == nil {
		return nil, fail(codeNotFound)
	}
	return d, nil
}

func (s *Server) showTablet(r *request, status int, d *kiosk.Device, v *tabletView) error {
	known, err := s.currentStatus(r, *d)
	if err != nil {
		return err
	}
	p := s.newPage(r, d.Name+" – "+s.texts.say(r.language(), "fleet.title"), v)
	p.Wide = true
	v.Tablet, v.Desks = s.tabletLine(p, known, s.cfg.Now()), s.deskChoices(p.Lang)
	v.Lost, v.Missing = p.ranges(known.Missing, rangesOnPage), known.Missing.Len()+known.Unaccounted
	for i := len(d.Places) - 1; i >= max(0, len(d.Places)-placesOnPage); i-- {
		place := placeLine{Code: d.Places[i].Desk, From: p.Hour(&d.Places[i].From)}
		if desk := s.store.View().Desks[place.Code]; desk != nil {
			place.Name = p.In(s.unitName(desk.Unit)) + " – " + p.In(desk.Name)
		}
		v.Places = append(v.Places, place)
	}
	v.Command = "sipas device upload " + p.T("fleet.file") + " --url " + s.cfg.PublicURL + " --token …"
	return s.render(r, status, "device", p)
}

// changeTablet does what a form of the tablet's page asks for.
func (s *Server) changeTablet(r *request) error {
	do, now := r.field("do"), s.cfg.Now()
	v := &tabletView{}
	var change func(*kiosk.Device)
	switch do {
	case "pair":
		return s.showPairing(r)
	case "writeoff":
		return s.writeOffTablet(r)
	case "change":
		v.Name, v.Message, v.Comments = r.field("name"), strings.ReplaceAll(r.field("message"), "\r\n", "\n"), r.field("comments") != ""
		change = func(d *kiosk.Device) {
			d.Name, d.Message, d.Comments = strings.TrimSpace(v.Name), strings.TrimSpace(v.Message), v.Comments
		}
	case "move":
		v.Desk = r.field("desk")
		change = func(d *kiosk.Device) { d.Move(s.deskCode(v.Desk), now) }
	case "revoke":
		change = func(d *kiosk.Device) { d.Revoke(now) }
	default:
		return fail(codeBadRequest)
	}
	d, err := s.store.ChangeDevice(r.context, r.Params("device"), func(d *kiosk.Device) error { change(d); return nil })
	if v.Errors = s.fieldErrors(r, err); v.Errors != nil {
		known, err := s.pathTablet(r, false)
		if err != nil {
			return err
		}
		if do != "change" {
			v.Name, v.Message, v.Comments = known.Name, known.Message, known.Comments
		}
		return s.showTablet(r, statuses[codeInvalid], known, v)
	}
	if err != nil {
		return err
	}
	s.seeOther(r, tabletAddress(d.ID, r.language(), do))
	return nil
}

// writeOffTablet writes off as much as the question told of; where it is more by now,
// it is asked again.
func (s *Server) writeOffTablet(r *request) error {
	lost, _ := strconv.ParseInt(r.field("lost"), 10, 64)
	clones, _ := strconv.ParseInt(r.field("clones"), 10, 64)
	told := false
	d, err := s.writeOff(r, func(c *kiosk.Contact) bool {
		told = c.Lost() <= lost && c.Clones() <= clones
		return told
	})
	if err != nil {
		return err
	}
	if told {
		s.seeOther(r, tabletAddress(d.ID, r.language(), "writeoff"))
	} else {
		s.seeOther(r, tabletAddress(d.ID, r.language(), "")+"&ask=writeoff")
	}
	return nil
}

// showPairing makes a pairing code and shows it, once.
func (s *Server) showPairing(r *request) error {
	paired, err := s.newPairing(r, r.Params("device"))
	if err != nil {
		return err
	}
	code, err := qrcode.New(paired.Address, qrcode.High)
	if err != nil {
		return err
	}
	bitmap := code.Bitmap()
	address, _, _ := strings.Cut(paired.Address, "#")
	v := &tabletView{Pairing: &pairingView{Code: paired.Code, Until: paired.Until.In(survey.VietnamTime()).Format("15:04"), Address: address, Path: qrPath(bitmap), Size: len(bitmap)}}
	p := s.newPage(r, s.texts.say(r.language(), "fleet.pairing"), v)
	p.Wide = true
	v.Tablet = s.tabletLine(p, paired.Device, s.cfg.Now())
	return s.render(r, fiber.StatusOK, "device", p)
}

// field is what a posted form says under a name.
func (r *request) field(name string) string { return string(r.Request().PostArgs().Peek(name)) }

// fieldErrors words what is wrong with the fields of a form, nil when err is nothing
// of that kind.
func (s *Server) fieldErrors(r *request, err error) map[string]string {
	var invalid *survey.Error
	if !errors.As(err, &invalid) {
		return nil
	}
	wrong := map[string]string{}
	for _, f := range invalid.Fields {
		wrong[f.Field] = survey.Message(f.Code, r.language())
	}
	return wrong
}

// deskCode is the code of the desk that a person typed or chose; what is none stays.
func (s *Server) deskCode(typed string) string {
	if desk := s.store.View().FindDesk(typed); desk != nil {
		return desk.ID
	}
	return strings.TrimSpace(typed)
}

// deskChoices are the desks in service, by unit and name.
func (s *Server) deskChoices(lang string) (list []deskChoice) {
	now := s.cfg.Now()
	for id, desk := range s.store.View().Desks {
		if desk.ExistsAt(now) {
			list = append(list, deskChoice{id, s.unitName(desk.Unit).In(lang) + " – " + desk.Name.In(lang)})
		}
	}
	slices.SortFunc(list, func(a, b deskChoice) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Code, b.Code))
	})
	return list[:min(len(list), desksOffered)]
}

func tabletAddress(id, lang, done string) string {
	q := url.Values{"lang": {lang}}
	if done != "" {
		q.Set("done", done)
	}
	return (&url.URL{Path: "/fleet/" + id, RawQuery: q.Encode()}).String()
}

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

// Fix words what to do about a tablet that says that it takes no answers.
func (p *page) Fix(problem string) string {
	if text, ok := p.texts.find(p.Lang, "fleet.fix."+problem); ok {
		return text
	}
	return p.T("fleet.fix.stopped")
}
