package web

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// formToken is the token that forms of a session have.
func (e *env) formToken(cookie string) string {
	_, text, _ := strings.Cut(cookie, "=")
	p, ok := openPass(e.server.sessionKey, text, e.server.cfg.Now())
	if !ok {
		e.t.Fatalf("no session: %q", cookie)
	}
	return e.server.formToken(p.id)
}

// staff is somebody who is signed in to look after tablets.
type staff struct {
	*env
	cookie string
}

func (e *env) staff() staff { return staff{e, e.signedIn(e.tokens[store.RightStaff])} }

func (s staff) get(path string) answer { s.t.Helper(); return s.do(call{path: path, cookie: s.cookie}) }

// send posts a form of a page, fields by turns name and value.
func (s staff) send(path string, fields ...string) answer {
	s.t.Helper()
	v := url.Values{formField: {s.formToken(s.cookie)}}
	for i := 0; i < len(fields); i += 2 {
		v.Set(fields[i], fields[i+1])
	}
	return s.do(call{method: "POST", path: path, cookie: s.cookie, contentType: typeForm, body: v.Encode()})
}

// tablet makes a tablet that is paired and was in contact as edit says.
func (e *env) tablet(name, desk string, edit func(*kiosk.Device, *kiosk.Contact)) string {
	e.t.Helper()
	ctx := e.t.Context()
	d, err := e.store.AddDevice(ctx, name, desk, testNow().Add(-30*24*time.Hour), rand.Reader)
	if err != nil {
		e.t.Fatal(err)
	}
	battery := 0.85
	c := kiosk.Contact{App: e.server.kiosk.Version, Last: testNow().Add(-2 * time.Minute), Offset: 900,
		Epochs: []kiosk.Epoch{{ID: strings.Repeat("ab", 16), Turn: 40, Highest: 1200, Received: kiosk.Numbers{{1, 1200}}}},
		Status: kiosk.Status{Battery: &battery, Persisted: true, Used: 12_340_000, Quota: 1_200_000_000, Abandoned: 7}}
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		e.t.Fatal(err)
	}
	if d, err = e.store.ChangeDevice(ctx, d.ID, func(d *kiosk.Device) error {
		d.Key = hex.EncodeToString(key)
		edit(d, &c)
		return nil
	}); err != nil {
		e.t.Fatal(err)
	}
	if c.Bundle == "" {
		if c.Bundle, _, err = e.server.bundleOf(e.store.View().Device(d.ID), testNow()); err != nil {
			e.t.Fatal(err)
		}
	}
	if c.Last.IsZero() {
		return d.ID
	}
	if _, err := e.store.LearnContact(ctx, d.ID, func(to *kiosk.Contact) { *to = c }); err != nil {
		e.t.Fatal(err)
	}
	return d.ID
}

// fleet makes a tablet in every state.
func (e *env) fleet() map[string]string {
	e.t.Helper()
	now := testNow()
	low := 0.08
	return map[string]string{
		kiosk.StateFine: e.tablet("Tầng 1, cửa vào", "Q1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Queue = 3 }),
		kiosk.StateSilent: e.tablet("Bàn chờ", "Q2", func(_ *kiosk.Device, c *kiosk.Contact) {
			c.Last, c.Bundle, c.App = now.Add(-2*time.Hour-5*time.Minute), "old", "older"
		}),
		kiosk.StateQueue: e.tablet("Phòng họp", "C1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Queue, c.Before = 1250, 120 }),
		kiosk.StateClock: e.tablet("Hành lang", "N1", func(_ *kiosk.Device, c *kiosk.Contact) {
			c.Offset, c.Status.Battery, c.Status.Persisted = 12*60_000, &low, false
		}),
		kiosk.StateMissing: e.tablet("Quầy <b>tiếp nhận</b>", "Q1", func(_ *kiosk.Device, c *kiosk.Contact) {
			c.Epochs = []kiosk.Epoch{
				{ID: strings.Repeat("cd", 16), Highest: 30, Received: kiosk.Numbers{{1, 18}}},
				{ID: strings.Repeat("ab", 16), Turn: 3, Highest: 240, Received: kiosk.Numbers{{1, 119}, {135, 139}, {141, 199}, {201, 219}, {221, 240}}},
			}
			c.Status.Battery, c.Status.Quota = nil, 0
		}),
		kiosk.StateCloned:   e.tablet("Sảnh chính", "Q2", func(_ *kiosk.Device, c *kiosk.Contact) { c.Epochs[0].Clones = 2; c.Last = now.Add(-3 * time.Hour) }),
		kiosk.StateStopped:  e.tablet("Cạnh thang máy", "X1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Status.Problem = "full" }),
		kiosk.StateUnpaired: e.tablet("Máy mới", "Q1", func(d *kiosk.Device, c *kiosk.Contact) { d.Key = ""; c.Last = time.Time{} }),
		kiosk.StateRevoked: e.tablet("Máy hỏng", "Q1", func(d *kiosk.Device, c *kiosk.Contact) {
			d.Revoke(now.Add(-time.Hour))
			c.Last = now.Add(-9 * 24 * time.Hour)
		}),
		"closed": e.tablet("Kho", "X1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Status.Problem = "closed" }),
	}
}

var (
	tagPattern  = regexp.MustCompile(`<[^>]*>`)
	rowPattern  = regexp.MustCompile(`(?s)<tr role="row"><th scope="row".*?</tr>`)
	namePattern = regexp.MustCompile(`<th scope="row" role="rowheader"><a [^>]*>(.*?)</a>`)
	codePattern = regexp.MustCompile(`<output>([0-9A-Z]{4}-[0-9A-Z]{5})</output>`)
	oncePattern = regexp.MustCompile(`name="once" value="([0-9a-f]{32})"`)
)

// plain is what a page says, without its tags.
func plain(body string) string {
	return strings.Join(strings.Fields(html.UnescapeString(tagPattern.ReplaceAllString(body, " "))), " ")
}

// rows are the lines of the list by the tablet's name, and the names in order.
func rows(body string) (byName map[string]string, names []string) {
	byName = map[string]string{}
	for _, row := range rowPattern.FindAllString(body, -1) {
		name := html.UnescapeString(namePattern.FindStringSubmatch(row)[1])
		byName[name], names = plain(row), append(names, name)
	}
	return byName, names
}

// TestFleetList: every tablet with what is the matter, worst first.
func TestFleetList(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s, ids := e.staff(), e.fleet()
	a := s.get("/fleet")
	lines, names := rows(a.body)
	want := []string{"Sảnh chính", "Quầy <b>tiếp nhận</b>", "Cạnh thang máy", "Hành lang", "Phòng họp", "Bàn chờ", "Máy mới", "Máy hỏng", "Kho", "Tầng 1, cửa vào"}
	if a.status != http.StatusOK || !slices.Equal(names, want) {
		t.Fatalf("status %d, tablets %q, want %q", a.status, names, want)
	}
	if strings.Contains(a.body, "<b>tiếp nhận") {
		t.Error("a name is taken for HTML")
	}
	for name, says := range map[string][]string{
		"Sảnh chính":            {"Trùng máy", "Mất liên lạc", "Tìm máy thứ hai", "3 giờ trước", "Quầy 2 Q2 UBND xã Một"},
		"Quầy <b>tiếp nhận</b>": {"Thiếu phiếu", "120–134, 140, 200, và 1 khoảng nữa", "18 phiếu", "12 phiếu mất dấu"},
		"Cạnh thang máy":        {"Ngừng nhận phiếu", "Bộ nhớ đầy"},
		"Hành lang":             {"Sai giờ Sắp hết pin", "chậm 12 phút", "pin còn 8%", "trình duyệt có thể tự xóa"},
		"Phòng họp":             {"Phiếu chờ tăng", " 1.250 "},
		"Bàn chờ":               {"Mất liên lạc", "2 giờ trước", "08:15 24/11/2026", "phiếu khảo sát cũ chương trình cũ"},
		"Máy mới":               {"Chưa ghép", "chưa lần nào", ids[kiosk.StateUnpaired]},
		"Máy hỏng":              {"Đã thu hồi", "9 ngày trước"},
		"Kho":                   {"Bình thường", "Quầy không có đợt khảo sát"},
		"Tầng 1, cửa vào":       {"Bình thường", "2 phút trước", "10:18 24/11/2026", " 3 ", "không thiếu mới nhất pin", "pin còn 85% · đúng giờ 12,3 MB trong 1,2 GB đã dùng"},
	} {
		for _, text := range says {
			if !strings.Contains(lines[name], text) {
				t.Errorf("%s lacks %q: %s", name, text, lines[name])
			}
		}
	}
	if strings.Contains(lines["Tầng 1, cửa vào"], "tự xóa") || strings.Contains(lines["Máy hỏng"], "Mất liên lạc") {
		t.Error("a line says too much")
	}
	english := s.get("/fleet?lang=en")
	lines, _ = rows(english.body)
	for name, says := range map[string][]string{"Hành lang": {"Clock wrong", "clock 12 min slow"}, "Tầng 1, cửa vào": {"2 min ago", "24 Nov 2026", "12.3 MB of 1.2 GB used", "none"}, "Phòng họp": {" 1,250 "}} {
		for _, text := range says {
			if !strings.Contains(lines[name], text) {
				t.Errorf("%s lacks %q: %s", name, text, lines[name])
			}
		}
	}
	tiles := plain(a.body[strings.Index(a.body, `class="states"`):strings.Index(a.body, `class="bar-row`)])
	for _, tile := range []string{"10 Tất cả", "1 Trùng máy", "1 Thiếu phiếu", "1 Ngừng nhận phiếu", "1 Sai giờ", "1 Sắp hết pin", "1 Phiếu chờ tăng", "2 Mất liên lạc", "1 Chưa ghép", "1 Đã thu hồi", "2 Bình thường"} {
		if !strings.Contains(tiles, tile) {
			t.Errorf("the summary lacks %q: %s", tile, tiles)
		}
	}
}

// TestFleetFilter: by state, by text, by both; each link of the summary leads to as many
// tablets as it counts.
func TestFleetFilter(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s := e.staff()
	ids := e.fleet()
	for query, want := range map[string][]string{
		"state=silent":                   {"Sảnh chính", "Bàn chờ"},
		"state=fine":                     {"Kho", "Tầng 1, cửa vào"},
		"state=nonsense&q=tang+1":        {"Tầng 1, cửa vào"},
		"q=may":                          {"Cạnh thang máy", "Máy mới", "Máy hỏng"},
		"q=M%C3%81Y":                     {"Cạnh thang máy", "Máy mới", "Máy hỏng"},
		"q=Ma%CC%81y+m":                  {"Máy mới"},
		"q=xa+hai":                       {"Phòng họp"},
		"q=quay+2":                       {"Sảnh chính", "Bàn chờ"},
		"q=x1&state=stopped":             {"Cạnh thang máy"},
		"q=" + ids["closed"]:             {"Kho"},
		"q=nobody":                       nil,
		"state=clock&q=phong":            nil,
		"q=%FF":                          {"Sảnh chính", "Quầy <b>tiếp nhận</b>", "Cạnh thang máy", "Hành lang", "Phòng họp", "Bàn chờ", "Máy mới", "Máy hỏng", "Kho", "Tầng 1, cửa vào"},
		"q=" + strings.Repeat("x", 5000): nil,
	} {
		a := s.get("/fleet?" + query)
		if _, names := rows(a.body); a.status != http.StatusOK || !slices.Equal(names, want) {
			t.Errorf("%.60s: status %d, %q, want %q", query, a.status, names, want)
		}
		if want == nil && !strings.Contains(a.body, "Không có máy nào như vậy.") {
			t.Errorf("%.60s: nothing says that there is none", query)
		}
	}
	a := s.get("/fleet?q=qu%E1%BA%A7y")
	links := regexp.MustCompile(`<a href="(/fleet\?[^"]*)" class="s-[a-z]*"[^>]*><b>(\d+)</b>`).FindAllStringSubmatch(a.body, -1)
	if len(links) < 9 {
		t.Fatalf("%d links", len(links))
	}
	for _, link := range links {
		if _, names := rows(s.get(html.UnescapeString(link[1])).body); fmt.Sprint(len(names)) != link[2] {
			t.Errorf("%s: %d tablets, the link says %s", link[1], len(names), link[2])
		}
	}
}

// TestFleetRefresh: the list loads itself again with what narrows it, pages with forms
// never do, and it can be stopped.
func TestFleetRefresh(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s, id := e.staff(), e.tablet("Một", "Q1", func(*kiosk.Device, *kiosk.Contact) {})
	refresh := regexp.MustCompile(`<meta http-equiv="refresh" content="([^"]*)">`)
	m := refresh.FindStringSubmatch(s.get("/fleet?lang=en&state=fine&q=a%22%3Bb%26c&done=x").body)
	if len(m) < 2 || html.UnescapeString(m[1]) != "60;url=/fleet?lang=en&q=a%22%3Bb%26c&state=fine" {
		t.Errorf("refresh %q", m)
	}
	off := s.get("/fleet?refresh=off&state=fine")
	for what, body := range map[string]string{"stopped": off.body, "tablet": s.get("/fleet/" + id).body, "new": s.get("/fleet/new").body, "quarantine": s.get("/fleet/quarantine").body, "upload": s.get("/fleet/upload").body,
		"pairing": s.send("/fleet/"+id, "do", "pair").body} {
		if refresh.MatchString(body) || body == "" {
			t.Errorf("%s loads itself again", what)
		}
	}
	for _, want := range []string{`href="/fleet?lang=vi&amp;state=fine"`, `name="refresh" value="off"`, `href="/fleet?lang=vi&amp;refresh=off"`} {
		if !strings.Contains(off.body, want) {
			t.Errorf("the list that stands still lacks %s", want)
		}
	}
}

// TestFleetEmpty: without tablets the page says how to begin.
func TestFleetEmpty(t *testing.T) {
	waits(t)
	e := start(t, options{})
	a := e.staff().get("/fleet")
	if a.status != http.StatusOK || !strings.Contains(a.body, "Chưa có máy tính bảng nào") || strings.Contains(a.body, "<table") {
		t.Errorf("status %d %s", a.status, plain(a.body))
	}
}

// TestFleetAdd: a tablet is added, once for a form that is sent twice, and its pairing
// code stands in the answer alone.
func TestFleetAdd(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s := e.staff()
	form := s.get("/fleet/new")
	once := oncePattern.FindStringSubmatch(form.body)
	if form.status != http.StatusOK || once == nil {
		t.Fatalf("status %d, once %q", form.status, once)
	}
	for _, want := range []string{`<option value="Q1">UBND xã Một – Quầy 1</option>`, `<option value="C1">UBND xã Hai – Quầy 1</option>`} {
		if !strings.Contains(form.body, want) {
			t.Errorf("the desks to choose from lack %s", want)
		}
	}
	if strings.Contains(form.body, `value="Q9"`) {
		t.Error("a desk that is out of service can be chosen")
	}
	for _, c := range []struct{ name, desk, lang, field, message string }{
		{" ", "Q1", "vi", "name", "Thiếu thông tin bắt buộc."},
		{strings.Repeat("ư", 101), "Q1", "en", "name", "This value is too long."},
		{"a\xff", "Q1", "vi", "name", "Nội dung chứa ký tự không đọc được"},
		{"Một", "NOPE", "vi", "desk", "Không có quầy nào mang mã này."},
		{"Một", "", "en", "desk", "This value is required."},
		{"Một", `"><script>`, "en", "desk", "No desk has this code."},
	} {
		a := s.send("/fleet/new?lang="+c.lang, "name", c.name, "desk", c.desk, "once", once[1])
		if a.status != http.StatusUnprocessableEntity || !regexp.MustCompile(`aria-describedby="`+c.field+`-note `+c.field+`-error" aria-invalid="true"[^§]*<p class="error" id="`+c.field+`-error">`+c.message).MatchString(a.body) {
			t.Errorf("%q at %q: status %d, %s", c.name, c.desk, a.status, plain(a.body))
		}
		if !strings.Contains(a.body, once[1]) || c.name == "Một" && !strings.Contains(a.body, `value="Một"`) || strings.Contains(a.body, "<script>") {
			t.Errorf("%q at %q: the form lost what was in it", c.name, c.desk)
		}
	}
	if n := len(e.store.View().Devices()); n != 0 {
		t.Fatalf("%d tablets after forms that were refused", n)
	}
	fields := []string{"name", " Cửa vào ", "desk", " q2 ", "once", once[1], "do", "pair"}
	a := s.send("/fleet/new?lang=en", fields...)
	devices := e.store.View().Devices()
	if len(devices) != 1 || devices[0].Name != "Cửa vào" || devices[0].Desk() != "Q2" {
		t.Fatalf("tablets %+v", devices)
	}
	to := a.header.Get("Location")
	if a.status != http.StatusTemporaryRedirect || to != "/fleet/"+devices[0].ID+"?lang=en" {
		t.Fatalf("status %d, to %q", a.status, to)
	}
	code := e.pairingCode(s.send(to, fields...), publicURL+"/kiosk")
	again := s.send("/fleet/new?lang=en", fields...)
	if again.header.Get("Location") != to || len(e.store.View().Devices()) != 1 {
		t.Errorf("sent twice: to %q, %d tablets", again.header.Get("Location"), len(e.store.View().Devices()))
	}
	// With the same form, but for another tablet: by going back in the browser.
	other := s.send("/fleet/new", "name", "Cửa ra", "desk", "Q2", "once", once[1])
	if other.status != http.StatusTemporaryRedirect || len(e.store.View().Devices()) != 2 || strings.Contains(other.header.Get("Location"), devices[0].ID) {
		t.Errorf("another: status %d, to %q", other.status, other.header.Get("Location"))
	}
	enrol := func(code string) int {
		key := hex.EncodeToString([]byte(strings.Repeat("k", 32)))
		return e.do(call{method: "POST", path: "/api/v1/kiosk/enrol", contentType: typeJSON, body: `{"code":"` + code + `","key_sha256":"` + key + `"}`}).status
	}
	newer := e.pairingCode(s.send(to, "do", "pair"), publicURL+"/kiosk")
	if newer == code || enrol(code) != http.StatusNotFound || enrol(newer) != http.StatusOK {
		t.Errorf("the newest code alone must pair: %s %s", code, newer)
	}
	for _, bad := range []string{code, newer, strings.ReplaceAll(code, "-", ""), once[1], "Cửa vào"} {
		if strings.Contains(e.log.String(), bad) {
			t.Errorf("the log holds %s", bad)
		}
		if strings.Contains(s.get(to).body+s.get("/fleet").body, code) {
			t.Error("another page shows the pairing code")
		}
	}
}

// pairingCode reads the code from the page that answers to who asks for it.
func (e *env) pairingCode(a answer, address string) string {
	e.t.Helper()
	m := codePattern.FindStringSubmatch(a.body)
	if a.status != http.StatusOK || m == nil || a.header.Get("Cache-Control") != "no-store" {
		e.t.Fatalf("status %d, caching %q, %s", a.status, a.header.Get("Cache-Control"), plain(a.body))
	}
	if strings.Count(a.body, m[1]) != 1 {
		e.t.Error("the page has the code elsewhere too: in an address?")
	}
	svg := a.body[strings.Index(a.body, `<svg class="qr"`):]
	svg = svg[:strings.Index(svg, "</svg>")+len("</svg>")]
	bitmap, err := gozxing.NewBinaryBitmapFromImage(drawSVG(e.t, svg))
	if err != nil {
		e.t.Fatal(err)
	}
	// Looking for the code in a photograph, this reader fails with one code in sixty.
	picture, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil || picture.GetText() != address+"#"+m[1] {
		e.t.Errorf("the picture leads to %v, %v", picture, err)
	}
	if !strings.Contains(a.body, "10:30") {
		e.t.Error("the page does not say until when the code holds")
	}
	return m[1]
}

// TestFleetChange: what staff can do with a tablet, and what a form with a mistake says.
func TestFleetChange(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s := e.staff()
	id := e.tablet("Một", "Q1", func(d *kiosk.Device, c *kiosk.Contact) { c.Queue = 41 })
	device := func() *kiosk.Device { return e.store.View().Device(id) }
	done := func(a answer, what, notice string) {
		t.Helper()
		want := "/fleet/" + id + "?done=" + what + "&lang=en"
		if a.status != http.StatusSeeOther || a.header.Get("Location") != want {
			t.Fatalf("%s: status %d, to %q", what, a.status, a.header.Get("Location"))
		}
		if page := s.get(want); !strings.Contains(page.body, `role="status">`+notice) {
			t.Errorf("%s: no notice %q: %s", what, notice, plain(page.body))
		}
	}
	path := "/fleet/" + id + "?lang=en"
	done(s.send(path, "do", "change", "name", " Hai ", "message", "Gọi 0255 000 111\r\nkhi hết pin ", "comments", "yes"), "change", "Saved.")
	if d := device(); d.Name != "Hai" || d.Message != "Gọi 0255 000 111\nkhi hết pin" || !d.Comments {
		t.Errorf("changed to %+v", d)
	}
	if body := s.get(path).body; !strings.Contains(body, `value="yes" checked`) || !strings.Contains(body, "khi hết pin</textarea>") || !strings.Contains(body, `value="Hai"`) {
		t.Error("the form does not hold what is so")
	}
	done(s.send(path, "do", "change", "name", "Hai", "message", ""), "change", "Saved.")
	if d := device(); d.Message != "" || d.Comments {
		t.Errorf("changed back to %+v", d)
	}
	done(s.send(path, "do", "move", "desk", "q2"), "move", "Moved.")
	if d := device(); d.Desk() != "Q2" || len(d.Places) != 2 {
		t.Errorf("moved to %+v", d.Places)
	}
	page := plain(s.get(path).body)
	for _, want := range []string{"UBND xã Một (en) – Quầy 2 (en) Q2 since 10:20 24 Nov 2026", "Quầy 1 (en) Q1 since", "Hand in a tablet's file"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q: %s", want, page)
		}
	}
	for _, c := range []struct {
		fields         []string
		field, message string
	}{
		{[]string{"do", "change", "name", "", "message", "giữ lại"}, "name", "This value is required."},
		{[]string{"do", "change", "name", strings.Repeat("x", 101), "message", "giữ lại"}, "name", "This value is too long."},
		{[]string{"do", "change", "name", "giữ lại", "message", strings.Repeat("x", 301)}, "message", "This value is too long."},
		{[]string{"do", "move", "desk", "giữ lại"}, "desk", "No desk has this code."},
		{[]string{"do", "move"}, "desk", "This value is required."},
	} {
		before := *device()
		a := s.send(path, c.fields...)
		if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `<p class="error" id="`+c.field+`-error">`+c.message) || strings.Count(a.body, `class="error"`) != 1 {
			t.Errorf("%.60q: status %d, %s", c.fields, a.status, plain(a.body))
		}
		if len(c.fields) > 2 && !strings.Contains(a.body, "giữ lại") {
			t.Errorf("%.60q: the form lost what was in it", c.fields)
		}
		if c.field == "desk" && !strings.Contains(a.body, `value="Hai"`) {
			t.Error("the other form is empty")
		}
		if d := *device(); d.Name != before.Name || d.Message != before.Message || d.Desk() != before.Desk() {
			t.Errorf("%.60q changed the tablet: %+v", c.fields, d)
		}
	}
	for what, c := range map[string]struct {
		path   string
		fields []string
		status int
	}{
		"nothing":        {path, nil, http.StatusBadRequest},
		"something else": {path, []string{"do", "erase"}, http.StatusBadRequest},
		"no tablet":      {"/fleet/NONE", []string{"do", "revoke"}, http.StatusNotFound},
		"no code":        {"/fleet/NONE", []string{"do", "pair"}, http.StatusNotFound},
		"nothing gone":   {"/fleet/NONE", []string{"do", "writeoff"}, http.StatusNotFound},
		"a long id":      {"/fleet/" + strings.Repeat("x", 3000), []string{"do", "revoke"}, http.StatusNotFound},
		"an odd id":      {"/fleet/%00%ff..%2f", []string{"do", "revoke"}, http.StatusNotFound},
	} {
		if a := s.send(c.path, c.fields...); a.status != c.status {
			t.Errorf("%s: status %d, want %d", what, a.status, c.status)
		}
	}
	for _, path := range []string{"/fleet/NONE", "/fleet/%00%ff..%2f", "/fleet/" + strings.Repeat("x", 3000)} {
		if a := s.get(path); a.status != http.StatusNotFound {
			t.Errorf("%.40s: status %d", path, a.status)
		}
	}
	// Only what is asked again is revoked.
	ask := s.get(path + "&ask=revoke")
	if device().Revoked != nil || !strings.Contains(ask.body, `name="do" value="revoke"`) || !strings.Contains(plain(ask.body), "41 answers were waiting") {
		t.Errorf("asked: %+v %s", device().Revoked, plain(ask.body))
	}
	if strings.Contains(s.get(path).body, `value="revoke"`) {
		t.Error("one touch revokes")
	}
	done(s.send(path, "do", "revoke"), "revoke", "The tablet is revoked.")
	if device().Revoked == nil || strings.Contains(s.get(path).body, "ask=revoke") {
		t.Error("it is not revoked, or could be again")
	}
	e.pairingCode(s.send(path, "do", "pair"), publicURL+"/kiosk")
	if a := s.get(path + "&done=%3Cscript%3E"); strings.Contains(a.body, `role="status"`) {
		t.Error("any notice can be put on the page")
	}
}

// TestFleetWriteOff: what is written off is what the question told of.
func TestFleetWriteOff(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s := e.staff()
	lost := func(_ *kiosk.Device, c *kiosk.Contact) {
		c.Epochs = []kiosk.Epoch{
			{ID: strings.Repeat("cd", 16), Highest: 30, Received: kiosk.Numbers{{1, 18}}},
			{ID: strings.Repeat("ab", 16), Turn: 3, Highest: 1240, Received: kiosk.Numbers{{1, 40}}, Clones: 2},
		}
	}
	id := e.tablet("Một", "Q1", lost)
	path := "/fleet/" + id + "?lang=vi"
	has := func(path string, want ...string) {
		t.Helper()
		text := plain(s.get(path).body)
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s lacks %q: %s", path, w, text)
			}
		}
	}
	lacks := func(path string, texts ...string) {
		t.Helper()
		body := s.get(path).body
		for _, text := range texts {
			if strings.Contains(body, text) {
				t.Errorf("%s has %q: %s", path, text, plain(body))
			}
		}
	}
	sent := func(a answer, to string) {
		t.Helper()
		if a.status != http.StatusSeeOther || a.header.Get("Location") != to {
			t.Errorf("status %d, to %q, want %q", a.status, a.header.Get("Location"), to)
		}
	}
	lacks(path, `value="writeoff"`)
	if body := s.get(path).body; !strings.Contains(body, `href="/fleet/`+id+`?lang=vi&amp;ask=writeoff"`) {
		t.Error("nothing leads to the question")
	}
	ask := path + "&ask=writeoff"
	has(ask, "Ghi nhận đã xử lý ở máy “Một”?", "1.212 phiếu thiếu được ghi là mất.", "2 phiếu trùng số được ghi là đã xử lý.")
	if body := s.get(ask).body; !strings.Contains(body, `name="do" value="writeoff"><input type="hidden" name="lost" value="1212"><input type="hidden" name="clones" value="2">`) {
		t.Errorf("the form: %s", body)
	}
	// More is missing, or cloned, than was told.
	for _, told := range [][]string{{"lost", "1211", "clones", "2"}, {"lost", "1212", "clones", "1"}, {"lost", "many", "clones", "2"}, nil} {
		sent(s.send(path, append([]string{"do", "writeoff"}, told...)...), ask)
		has(path, "Trùng máy", "Thiếu phiếu")
	}
	done := "/fleet/" + id + "?done=writeoff&lang=vi"
	for range 2 { // the same form again does no harm
		sent(s.send(path, "do", "writeoff", "lost", "1212", "clones", "2"), done)
	}
	has(done, "Đã ghi nhận.", "Bình thường", "không thiếu thêm", "Đã ghi nhận mất 1.212 phiếu (lần gần nhất 10:20 24/11/2026)", "Đã ghi nhận trùng số 2 phiếu (lần gần nhất 10:20 24/11/2026)")
	lacks(done, "ask=writeoff", "s-missing", "s-cloned")
	lacks(ask, `value="writeoff"`, "s-missing")
	has("/fleet", "không thiếu thêm Đã ghi nhận mất: 1.212 phiếu")
	// Only clones, only answers.
	id = e.tablet("Hai", "Q1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Epochs[0].Clones = 1 })
	has("/fleet/"+id+"?ask=writeoff&lang=en", "1 answers with a number used twice are noted as dealt with.")
	lacks("/fleet/"+id+"?ask=writeoff&lang=en", "noted as lost")
	sent(s.send("/fleet/"+id+"?lang=en", "do", "writeoff", "lost", "0", "clones", "1"), "/fleet/"+id+"?done=writeoff&lang=en")
	has("/fleet/"+id+"?lang=en", "Missing numbers none", "Numbers used twice, dealt with 1 answers (last at 10:20 24 Nov 2026)")
	lacks("/fleet/"+id+"?lang=en", "Written off as lost")
	id = e.tablet("Ba", "Q1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Epochs[0].Highest++ })
	has("/fleet/"+id+"?ask=writeoff&lang=en", "1 missing answers are noted as lost.")
	lacks("/fleet/"+id+"?ask=writeoff&lang=en", "noted as dealt with")
}

// TestFleetTablet: the tablet's own page says what is the matter, what it means, and
// what to do.
func TestFleetTablet(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s, ids := e.staff(), e.fleet()
	for state, says := range map[string][]string{
		kiosk.StateMissing:  {"Thiếu phiếu Máy đã nhận những phiếu", "Việc cần làm: Hỏi quầy", "120–134, 140, 200, 220 (18 phiếu)", "12 phiếu mất dấu", "Số phiếu máy đã nhận 240"},
		kiosk.StateStopped:  {"Bộ nhớ đầy. Xóa bớt ảnh, tệp tải xuống"},
		kiosk.StateClock:    {"Sai giờ", "múi giờ Việt Nam (GMT+7)", "chậm 12 phút", "8%", "Cài trang khảo sát ra màn hình chính"},
		kiosk.StateCloned:   {"Trùng máy", "Phiếu trùng số 2", "Mất liên lạc"},
		kiosk.StateUnpaired: {"Chưa ghép", "Lấy mã ghép"},
		kiosk.StateRevoked:  {"Đã thu hồi", "lấy mã ghép mới"},
		kiosk.StateFine:     {"Bình thường", "2 phút trước (10:18 24/11/2026)", "Phiếu làm dở rồi bỏ 7", "trình duyệt cam kết không tự xóa", "mới nhất (" + e.server.kiosk.Version + ")"},
		"closed":            {"Bình thường", "Quầy không có đợt khảo sát. Máy vẫn tốt."},
	} {
		a := s.get("/fleet/" + ids[state])
		for _, text := range says {
			if a.status != http.StatusOK || !strings.Contains(plain(a.body), text) {
				t.Errorf("%s: status %d lacks %q: %s", state, a.status, text, plain(a.body))
			}
		}
	}
	other := e.tablet("Lạ", "Q1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Status.Problem = "<b>new" })
	if text := plain(s.get("/fleet/" + other).body); !strings.Contains(text, "<b>new. Khởi động lại máy") {
		t.Errorf("a problem that is not known here: %s", text)
	}
	many := e.tablet("Nhiều", "Q1", func(_ *kiosk.Device, c *kiosk.Contact) {
		c.Epochs[0].Received = nil
		for n := int64(2); n <= 1200; n += 2 {
			c.Epochs[0].Received = append(c.Epochs[0].Received, [2]int64{n, n})
		}
	})
	if text := plain(s.get("/fleet/" + many).body); !strings.Contains(text, "97, 99, và 550 khoảng nữa (600 phiếu)") {
		t.Errorf("the list of numbers has no end: %s", text)
	}
}

// TestFleetMachine: a tablet that soon goes off, or soon has no room, is none that does well.
func TestFleetMachine(t *testing.T) {
	e := start(t, options{})
	s, ids := e.staff(), map[string]string{}
	add := func(name string, battery float64, charging bool, room int64) {
		ids[name] = e.tablet(name, "Q1", func(_ *kiosk.Device, c *kiosk.Contact) {
			c.Status.Battery, c.Status.Charging, c.Status.Room = &battery, charging, &room
		})
	}
	add("6%", 0.06, false, kiosk.EnoughRoom)
	add("20%", 0.2, false, kiosk.EnoughRoom)
	add("6%, plugged in", 0.06, true, kiosk.EnoughRoom)
	add("nearly full", 1, true, kiosk.EnoughRoom-1)
	for name, says := range map[string][]string{"6%": {"Sắp hết pin", "Cắm sạc cho máy", "cắm sạc suốt giờ làm việc"}, "nearly full": {"Sắp đầy bộ nhớ", "Xóa bớt ảnh", "Không xóa dữ liệu trình duyệt"}, "20%": nil, "6%, plugged in": nil} {
		lines, _ := rows(s.get("/fleet").body)
		page := plain(s.get("/fleet/" + ids[name]).body)
		for i, text := range says {
			if i < 2 && !strings.Contains(lines[name], text) || i != 1 && !strings.Contains(page, text) {
				t.Errorf("%s lacks %q: %s; %s", name, text, lines[name], page)
			}
		}
		if fine := strings.Contains(lines[name], "Bình thường"); fine != (says == nil) {
			t.Errorf("%s does well: %t: %s", name, fine, lines[name])
		}
	}
	for state, want := range map[string]string{"battery": "6%", "storage": "nearly full"} {
		if _, names := rows(s.get("/fleet?state=" + state).body); !slices.Equal(names, []string{want}) {
			t.Errorf("%s: %q", state, names)
		}
	}
}

// TestFleetRounds: staff are told of a tablet for which its desk has no round, and of the
// round that only QR codes lead to.
func TestFleetRounds(t *testing.T) {
	waits(t)
	const qr, tablets = survey.ChannelQR, survey.ChannelKiosk
	type rounds = []survey.Round // the open one of u1, the closed one of u2, the one of u3 that comes in 38 days
	another := func(list rounds, id string, first survey.Date, channel survey.Channel) rounds {
		r := list[0]
		r.ID, r.First, r.Last, r.PrimaryChannel = id, first, "2026-12-31", channel
		return append(list, r)
	}
	today := survey.DateOf(testNow())
	for _, c := range []struct {
		name       string
		edit       func(rounds) rounds
		q1, c1, n1 string // "" without a warning, else "none" or the round of QR codes alone
	}{
		{"channels pooled", func(l rounds) rounds { return l }, "", "none", ""},
		{"of tablets", func(l rounds) rounds { l[0].PrimaryChannel, l[2].PrimaryChannel = tablets, tablets; return l }, "", "none", ""},
		{"of phones", func(l rounds) rounds { l[0].PrimaryChannel, l[2].PrimaryChannel = qr, qr; return l }, testRound, "none", "none"},
		{"of paper", func(l rounds) rounds { l[0].PrimaryChannel = survey.ChannelPaper; return l }, "none", "none", ""},
		{"tablets beside phones", func(l rounds) rounds { l[0].PrimaryChannel = qr; return another(l, "a", "2026-11-02", tablets) }, "", "none", ""},
		{"phones beside tablets", func(l rounds) rounds { l[0].PrimaryChannel = tablets; return another(l, "a", today, qr) }, "", "none", ""},
		{"phones next", func(l rounds) rounds { l[0].Last = today; return another(l, "a", today.AddDays(1), qr) }, "", "none", ""},
		{"phones now, tablets soon", func(l rounds) rounds { l[0].PrimaryChannel = qr; return another(l, "a", today.AddDays(3), tablets) }, "", "none", ""},
		{"in 60 days", func(l rounds) rounds { l[2].First = today.AddDays(60); return l }, "", "none", ""},
		{"in 61 days", func(l rounds) rounds { l[2].First = today.AddDays(61); return l }, "", "none", "none"},
		{"slips alone", func(l rounds) rounds { l[0].Doors = survey.DoorsSlip; return l }, testRound, "none", ""},
		{"slips beside tablets", func(l rounds) rounds {
			l = another(l, "a", today, tablets)
			l[0].Doors = survey.DoorsSlip
			return l
		}, "", "none", ""},
		{"a draft", func(l rounds) rounds { l[0].Status = survey.StatusDraft; return l }, "none", "none", ""},
	} {
		docs := testDocuments(t)
		docs.Rounds = c.edit(docs.Rounds)
		docs.Populations = nil
		e := start(t, options{docs: &docs})
		s, ids := e.staff(), map[string]string{}
		for _, desk := range []string{"Q1", "C1", "N1"} {
			ids[desk] = e.tablet(desk, desk, func(*kiosk.Device, *kiosk.Contact) {})
		}
		// Not of one that is out of use, or that says so itself; but before it is paired.
		ids["revoked"] = e.tablet("revoked", "C1", func(d *kiosk.Device, _ *kiosk.Contact) { d.Revoke(testNow()) })
		ids["closed"] = e.tablet("closed", "C1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Status.Problem = "closed" })
		ids["new"] = e.tablet("new", "C1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Last = time.Time{} })
		ids["cleared"] = e.tablet("cleared", "N1", func(_ *kiosk.Device, c *kiosk.Contact) { c.Status.Persisted = false })
		lines, _ := rows(s.get("/fleet").body)
		looked, _ := rows(s.get("/fleet?state=look").body)
		for tablet, look := range map[string]bool{"Q1": c.q1 != "", "C1": c.c1 != "", "N1": c.n1 != "", "cleared": true, "revoked": false, "closed": false, "new": false} {
			_, there := looked[tablet]
			page := plain(s.get("/fleet/" + ids[tablet]).body)
			if there != look || strings.Contains(lines[tablet], "Cần xem") != look || strings.Contains(page, "có điều cán bộ cần xem") != look {
				t.Errorf("%s: %s, to be looked at: %t, is %t: %s", c.name, tablet, look, there, lines[tablet])
			}
		}
		for tablet, want := range map[string]string{"Q1": c.q1, "C1": c.c1, "N1": c.n1, "revoked": "", "closed": "", "new": c.c1} {
			says, why := "", ""
			switch want {
			case "":
			case "none":
				says, why = "Quầy không có đợt khảo sát nào cho máy tính bảng trong 60 ngày tới", "Nhờ người quản trị kiểm tra"
			default:
				says, why = "Đợt “Đợt "+want+"” chỉ dành cho mã QR; quầy chưa có đợt cho máy tính bảng", "hai đợt có thể chạy cùng lúc"
			}
			page := plain(s.get("/fleet/" + ids[tablet]).body)
			if want == "" {
				for _, text := range []string{"trong 60 ngày tới", "chỉ dành cho mã QR"} {
					if strings.Contains(lines[tablet], text) || strings.Contains(page, text) {
						t.Errorf("%s: a warning at %s: %s", c.name, tablet, lines[tablet])
					}
				}
			} else if !strings.Contains(lines[tablet], says) || !strings.Contains(page, says+". ") || !strings.Contains(page, why) {
				t.Errorf("%s: no warning %q at %s: %s", c.name, says, tablet, lines[tablet])
			}
		}
	}
}

// TestFleetWords: every state and problem is worded, in both languages.
func TestFleetWords(t *testing.T) {
	texts := loadTexts()
	for lang, has := range texts.byLanguage {
		for _, state := range fleetStates {
			for _, key := range []string{"fleet.state.", "fleet.means.", "fleet.do.", "fleet.hint."} {
				without := map[string]bool{"fleet.do.fine": true, "fleet.do.stopped": true, "fleet.hint.fine": true, "fleet.hint.revoked": true}
				if has[key+state] == "" && !without[key+state] {
					t.Errorf("%s: no %s", lang, key+state)
				}
			}
		}
		for _, problem := range []string{"full", "clock", "stopped", "closed"} {
			if has["fleet.problem."+problem] == "" || has["fleet.fix."+problem] == "" {
				t.Errorf("%s: problem %s is not worded", lang, problem)
			}
		}
		for _, done := range fleetDone {
			if has["fleet.done."+done] == "" {
				t.Errorf("%s: nothing says that %s was done", lang, done)
			}
		}
	}
	p := &page{Lang: "vi", texts: texts}
	for d, want := range map[time.Duration]string{0: "vừa xong", 59 * time.Second: "vừa xong", time.Minute: "1 phút trước", 119 * time.Minute: "119 phút trước", 2 * time.Hour: "2 giờ trước", 47 * time.Hour: "47 giờ trước", 48 * time.Hour: "2 ngày trước", 36500 * 24 * time.Hour: "36.500 ngày trước", -time.Hour: "vừa xong"} {
		if got := p.ago(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 kB", 999_999: "999 kB", 1_000_000: "1,0 MB", 64_000_000_000: "64,0 GB"} {
		if got := p.size(n); got != want {
			t.Errorf("%d bytes: %q, want %q", n, got, want)
		}
	}
}

// quarantined puts an answer aside that can be taken, or one that cannot be read.
func (e *env) quarantined(device string, readable bool, reason string) {
	e.t.Helper()
	sealed := make([]byte, 200)
	if _, err := rand.Read(sealed); err != nil {
		e.t.Fatal(err)
	}
	if readable {
		var m map[string]any
		if err := json.Unmarshal([]byte(submission(e.t, nil)), &m); err != nil {
			e.t.Fatal(err)
		}
		m["receipt"] = hex.EncodeToString(sealed[:32])
		text, err := json.Marshal(m)
		if err != nil {
			e.t.Fatal(err)
		}
		if sealed, err = kiosk.Seal(e.server.sealKey.Public(), text); err != nil {
			e.t.Fatal(err)
		}
	}
	outcomes, err := e.store.Quarantine(e.t.Context(), []store.Quarantined{{Device: device, Reason: reason, Answered: survey.Hour(testNow()), Received: survey.Hour(testNow()), Sealed: sealed}})
	if err != nil || outcomes[0] != store.Stored {
		e.t.Fatal(outcomes, err)
	}
}

// TestFleetQuarantine: the list says how many there are, the page why, and the button
// tries them again.
func TestFleetQuarantine(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s := e.staff()
	if a := s.get("/fleet"); strings.Contains(a.body, "/fleet/quarantine") {
		t.Error("the list speaks of a quarantine without any")
	}
	if a := s.get("/fleet/quarantine"); a.status != http.StatusOK || !strings.Contains(a.body, "Không có phiếu nào bị giữ lại.") {
		t.Errorf("status %d %s", a.status, plain(a.body))
	}
	id := e.tablet("Một", "Q1", func(*kiosk.Device, *kiosk.Contact) {})
	for range 3 {
		e.quarantined(id, true, "desk: desk_unknown (the tablet never stood there); round: round_closed")
	}
	e.quarantined("GONE", false, "it cannot be opened <b>")
	if text := plain(s.get("/fleet").body); !strings.Contains(text, "4 phiếu bị giữ lại") {
		t.Errorf("the list: %s", text)
	}
	page := s.get("/fleet/quarantine")
	for _, want := range []string{"Một Không có quầy nào mang mã này. Đợt khảo sát đã kết thúc. desk: desk_unknown (the tablet never stood there); round: round_closed 3", "GONE it cannot be opened <b> 1"} {
		if !strings.Contains(plain(page.body), want) {
			t.Errorf("the page lacks %q: %s", want, plain(page.body))
		}
	}
	if strings.Contains(page.body, "opened <b>") {
		t.Error("a reason is taken for HTML")
	}
	a := s.send("/fleet/quarantine?lang=en")
	to := a.header.Get("Location")
	if a.status != http.StatusSeeOther || to != "/fleet/quarantine?lang=en&left=1&taken=3" || len(e.stored()) != 3 {
		t.Fatalf("status %d, to %q, %d answers", a.status, to, len(e.stored()))
	}
	if text := plain(s.get(to).body); !strings.Contains(text, "3 answers were taken; 1 still cannot be.") {
		t.Errorf("the page: %s", text)
	}
	for range reasonsOnPage + 5 {
		e.quarantined(id, false, "reason "+newID(t))
	}
	page = s.get("/fleet/quarantine")
	if n := strings.Count(page.body, `<th scope="row">`); n != reasonsOnPage || !strings.Contains(page.body, "Danh sách này chưa đủ") {
		t.Errorf("%d reasons listed", n)
	}
}

// TestFleetStoreAway: without the store nothing is said that is not so.
func TestFleetStoreAway(t *testing.T) {
	e := start(t, options{failing: true})
	s := e.staff()
	id := e.tablet("Một", "Q1", func(*kiosk.Device, *kiosk.Contact) {})
	e.engine.fail(store.ErrUnavailable)
	for _, a := range []answer{s.send("/fleet/new", "name", "Hai", "desk", "Q1", "once", "x"), s.send("/fleet/"+id, "do", "revoke"), s.send("/fleet/"+id, "do", "pair"), s.send("/fleet/"+id, "do", "writeoff"), s.get("/fleet")} {
		if a.status != http.StatusServiceUnavailable || codePattern.MatchString(a.body) || !strings.Contains(a.body, "Xin thử lại") {
			t.Errorf("status %d %s", a.status, plain(a.body))
		}
	}
	e.engine.fail(nil)
	if d := e.store.View().Device(id); d.Revoked != nil || d.Pairing != nil || len(e.store.View().Devices()) != 1 {
		t.Errorf("%+v", d)
	}
}

// TestFleetIsForStaff: those who may look after tablets are led there, others see no
// way to it.
func TestFleetIsForStaff(t *testing.T) {
	waits(t)
	e := start(t, options{})
	link := `href="/fleet?lang=vi"`
	for right, want := range map[store.Right]string{store.RightStaff: "/fleet", store.RightFull: "/reports", store.RightReport: "/reports", store.RightExport: "/reports"} {
		a := e.do(call{method: "POST", path: "/signin", contentType: typeForm, body: url.Values{"token": {e.tokens[right]}, "next": {"/reports"}}.Encode()})
		if got := a.header.Get("Location"); got != want {
			t.Errorf("%s is led to %q, want %q", right, got, want)
		}
		cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
		if page := e.do(call{path: want, cookie: cookie}); strings.Contains(page.body, link) != (right == store.RightStaff) {
			t.Errorf("%s: the link to tablets, status %d", right, page.status)
		}
	}
	id := e.tablet("Một", "Q1", func(*kiosk.Device, *kiosk.Contact) {})
	for right, token := range e.tokens {
		s := staff{e, e.signedIn(token)}
		for what, a := range map[string]answer{"list": s.get("/fleet"), "new": s.get("/fleet/new"), "tablet": s.get("/fleet/" + id), "quarantine": s.get("/fleet/quarantine"), "upload": s.get("/fleet/upload"), "hand in": s.upload("vi", "x.json", []byte("{}")),
			"add": s.send("/fleet/new", "name", "Hai", "desk", "Q1"), "pair": s.send("/fleet/"+id, "do", "pair"), "write off": s.send("/fleet/"+id, "do", "writeoff"), "retry": s.send("/fleet/quarantine")} {
			if (a.status == http.StatusForbidden) == (right == store.RightStaff) || right != store.RightStaff && !strings.Contains(a.body, "không có quyền đó") {
				t.Errorf("%s, %s: status %d", right, what, a.status)
			}
		}
	}
	if page := e.do(call{path: "/"}); strings.Contains(page.body, "/fleet") {
		t.Error("the landing page leads to the tablets")
	}
	for _, path := range []string{"/fleet", "/fleet/new", "/fleet/upload", "/fleet/quarantine", "/fleet/X"} {
		if a := e.do(call{path: path}); a.status != http.StatusUnauthorized || !strings.Contains(a.body, `name="next" value="`+path+`"`) {
			t.Errorf("%s: not signed in: %d", path, a.status)
		}
	}
}

// TestFleetMany: three hundred tablets are shown in a moment.
func TestFleetMany(t *testing.T) {
	e := start(t, options{})
	s := e.staff()
	for i := range 300 {
		e.tablet(fmt.Sprintf("Máy %03d", i), []string{"Q1", "Q2", "N1"}[i%3], func(_ *kiosk.Device, c *kiosk.Contact) {
			if i%25 == 0 {
				c.Last = testNow().Add(-26 * time.Hour)
			}
		})
	}
	var took time.Duration
	var a answer
	for range 2 { // at first every tablet's survey is made
		began := time.Now()
		a = s.do(call{path: "/fleet", cookie: s.cookie, header: map[string]string{"Accept-Encoding": "gzip"}})
		took = time.Since(began)
		t.Logf("300 tablets: %v, %d bytes on the wire", took, len(a.body))
	}
	if a.status != http.StatusOK || len(a.body) > 60<<10 || took > 2*time.Second {
		t.Errorf("status %d, %d bytes in %v", a.status, len(a.body), took)
	}
	if _, names := rows(s.get("/fleet").body); len(names) != 300 || names[12] != "Máy 001" || names[11] != "Máy 275" {
		t.Errorf("%d tablets, %q", len(names), names[:min(13, len(names))])
	}
}

// TestBrowserFleet looks after tablets as a person does, on a phone without script and
// at a desk.
func TestBrowserFleet(t *testing.T) {
	waits(t)
	chromium(t)
	for _, c := range []struct {
		name          string
		width, height int64
		lang          string
		settings      []chromedp.Action[chromedp.Void]
	}{
		{"fleet-desktop", 1280, 800, "vi", nil},
		{"fleet-phone", 390, 844, "vi", []chromedp.Action[chromedp.Void]{noScript()}},
		{"fleet-phone-dark", 390, 844, "en", []chromedp.Action[chromedp.Void]{dark()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := start(t, options{config: func(c *Config) { c.PublicURL = "http://sipas.example.vn" }})
			ids := e.fleet()
			e.quarantined(ids[kiosk.StateFine], true, "desk: desk_unknown (the tablet never stood there)")
			for i := range 20 {
				e.tablet(fmt.Sprintf("Máy số %d", i), "Q2", func(*kiosk.Device, *kiosk.Contact) {})
			}
			w := browse(t, e, append(c.settings, chromedp.EmulateViewport(c.width, c.height))...)
			source := ""
			if len(c.settings) == 0 || c.lang == "en" {
				source = axe(t)
			}
			picture, err := filepath.Abs("../../.docs/tablet.png")
			if err != nil {
				t.Fatal(err)
			}
			look := func(name string) {
				t.Helper()
				w.photograph(c.name + "-" + name)
				if source != "" {
					w.noSideways(float64(c.width))
					w.accessible(source, name)
				}
			}
			link, err := url.Parse(e.server.SignInURL(e.tokens["staff"], "/fleet?refresh=off&lang="+c.lang, time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			w.do(chromedp.Navigate(e.url + link.RequestURI()))
			look("list")
			w.submit(".s-silent")
			look("silent")
			w.do(chromedp.SendKeys(chromedp.CSS("#q"), "ban cho"))
			w.submit(".find button")
			if got := w.text("tbody th a"); got != "Bàn chờ" {
				t.Errorf("found %q", got)
			}
			w.do(chromedp.Navigate(e.url + "/fleet/new?lang=" + c.lang))
			look("new")
			w.do(chromedp.SendKeys(chromedp.CSS("#name"), "Máy ở sảnh"), chromedp.SendKeys(chromedp.CSS("#desk"), "NOPE"))
			w.submit("main form button")
			if got := w.text("#desk-error"); got == "" {
				t.Error("a wrong desk was taken")
			}
			look("new-wrong")
			w.do(chromedp.Clear(chromedp.CSS("#desk")), chromedp.SendKeys(chromedp.CSS("#desk"), "q1"))
			w.submit("main form button")
			code := w.text(".code output")
			look("pairing")
			if _, err := chromedp.RunResponse(w.ctx, chromedp.Reload()); err != nil {
				t.Fatal(err)
			}
			if got := w.text(".code output"); got == code || len(e.store.View().Devices()) != 31 {
				t.Errorf("loaded again: code %s, before %s, %d tablets", got, code, len(e.store.View().Devices()))
			}
			w.submit(".quiet")
			look("unpaired")
			w.do(chromedp.Navigate(e.url + "/fleet/" + ids[kiosk.StateMissing] + "?lang=" + c.lang))
			look("tablet")
			w.do(chromedp.SendKeys(chromedp.CSS("#message"), "Gọi Sở Nội vụ"))
			w.submit(".pair form:first-child button")
			if got := w.text("[role=status]"); got == "" || e.store.View().Device(ids[kiosk.StateMissing]).Message != "Gọi Sở Nội vụ" {
				t.Errorf("saved: %q", got)
			}
			w.submit("[href$=writeoff]")
			look("ask-writeoff")
			w.submit(".ask button")
			look("written-off")
			if c, err := e.store.Contact(t.Context(), ids[kiosk.StateMissing]); err != nil || c.Lost() != 0 {
				t.Errorf("%d are missing still, %v", c.Lost(), err)
			}
			w.submit(".danger")
			look("ask")
			w.submit(".ask button")
			look("revoked")
			w.do(chromedp.Navigate(e.url + "/fleet/" + ids["closed"] + "?lang=" + c.lang))
			look("no-round")
			w.do(chromedp.Navigate(e.url + "/fleet/upload?lang=" + c.lang))
			look("upload")
			w.do(chromedp.SetUploadFiles(chromedp.CSS("#file"), []string{picture}))
			w.submit("main form button")
			if got := w.text("#file-error"); got == "" {
				t.Error("any file was taken")
			}
			look("upload-wrong")
			w.do(chromedp.Navigate(e.url + "/fleet/quarantine?lang=" + c.lang))
			look("quarantine")
			w.submit("main form button")
			look("retried")
			if len(e.stored()) != 1 {
				t.Error("the answer in quarantine was not taken")
			}
			e.quarantined(ids[kiosk.StateFine], true, "answers: nothing_answered")
			w.do(chromedp.Navigate(e.url + "/fleet/quarantine?lang=" + c.lang))
			w.submit(".reasons td a")
			look("ask-discard")
			w.submit(".ask button")
			look("discarded")
			if n, err := e.store.QuarantineSize(t.Context()); n != 0 || err != nil {
				t.Errorf("%d are in quarantine still, %v", n, err)
			}
			w.quiet()
		})
	}
}
