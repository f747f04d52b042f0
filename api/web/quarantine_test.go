package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// withdraw sends a receipt code as its giver does; it reports whether the page says
// that the answer is erased.
func (e *env) withdraw(code string) bool {
	e.t.Helper()
	a := e.do(call{method: "POST", path: "/r?lang=vi", contentType: typeForm, body: url.Values{"code": {code}}.Encode()})
	if a.status != http.StatusOK {
		e.t.Fatal(a.status, a.body)
	}
	return strings.Contains(a.body, e.server.texts.say("vi", "erased.title"))
}

// at checks what became of a tablet's answer 1, and where it is now.
func (f *fakeTablet) at(what string, outcome kiosk.Outcome, stored, aside int) {
	f.e.t.Helper()
	s := f.e.status(f.device)
	if f.outcomes[1] != outcome || len(f.e.stored()) != stored || len(f.e.quarantine()) != aside || s.Clones != 0 || len(s.Missing) > 0 {
		f.e.t.Errorf("%s: %v, %d stored, %d in quarantine, want %s, %d, %d; %+v", what, f.outcomes, len(f.e.stored()), len(f.e.quarantine()), outcome, stored, aside, s)
	}
}

// TestQuarantineNotOfWithdrawn: an answer that was withdrawn stays so when its tablet
// sends it again and the documents would not take it any more.
func TestQuarantineNotOfWithdrawn(t *testing.T) {
	e := startTablets(t, options{})
	e.mend(newDesk)
	e.mend(withNewDesk)
	f := e.paired("NEW")
	f.give(nil)
	b := f.batch()
	f.send(b)
	if !e.withdraw(f.codes[1]) {
		t.Fatal("not withdrawn")
	}
	f.send(b)
	f.at("sent again", kiosk.Withdrawn, 0, 0)
	e.mend(func(d *survey.Documents) { openRound(d).Units = []string{"u1"} })
	f.send(b)
	f.at("sent again when it would not be taken", kiosk.Withdrawn, 0, 0)
}

// TestQuarantineWithdrawn: its giver withdraws an answer in quarantine as any other,
// and it never comes back.
func TestQuarantineWithdrawn(t *testing.T) {
	waits(t)
	for what, edit := range map[string]func(map[string]any){
		"of a round without the unit": func(map[string]any) {},
		"without an id":               func(m map[string]any) { m["id"] = "x" },
	} {
		t.Run(what, func(t *testing.T) {
			e := startTablets(t, options{})
			e.mend(newDesk)
			f := e.paired("NEW")
			f.give(edit)
			b := f.batch()
			f.send(b)
			f.at("sent", kiosk.Quarantined, 0, 1)
			if !e.withdraw(f.codes[1]) || e.withdraw(f.codes[1]) {
				t.Error("not withdrawn, or twice")
			}
			f.send(b)
			f.at("sent again", kiosk.Withdrawn, 0, 0)
			e.mend(withNewDesk)
			if r := e.retry(); r != (retried{}) {
				t.Errorf("%+v", r)
			}
			f.send(b)
			f.at("sent again when it would be taken", kiosk.Withdrawn, 0, 0)
		})
	}
}

// TestQuarantineWithdrawnID: who withdraws an answer under the id of another one does
// not touch that one.
func TestQuarantineWithdrawnID(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	f.sync()
	id := e.stored()[0].ID.String()
	n := f.give(func(m map[string]any) { m["id"], m["answers"] = id, map[string]any{"c01": 1} })
	b := f.batch()
	f.send(b)
	f.at("sent", kiosk.Stored, 1, 1)
	if !e.withdraw(f.codes[n]) {
		t.Error("not withdrawn")
	}
	f.send(b)
	if f.at("withdrawn", kiosk.Stored, 1, 0); f.outcomes[n] != kiosk.Withdrawn {
		t.Errorf("sent again: %v", f.outcomes)
	}
}

// TestQuarantineKeepsUnsure: an answer whose time nobody proves says so in quarantine, and after it was taken from there.
func TestQuarantineKeepsUnsure(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	e.mend(newDesk)
	f := e.paired("NEW")
	f.give(nil)
	e.clock.pass(time.Hour)
	e.export(f.export()) // of a tablet that was never in contact
	if list := e.quarantine(); len(list) != 1 || !list[0].Unsure {
		t.Fatalf("in quarantine: %+v", list)
	}
	e.mend(withNewDesk)
	if r := e.retry(); r != (retried{Taken: 1}) {
		t.Fatalf("%+v", r)
	}
	if stored := e.stored(); len(stored) != 1 || stored[0].Flags&survey.FlagClock == 0 || !stored[0].Answered.Equal(survey.Hour(testNow())) {
		t.Errorf("stored: %+v", stored)
	}
}

// TestQuarantineTakenStays: an answer that was taken from the quarantine is stored when
// it comes again, whatever the documents say by then.
func TestQuarantineTakenStays(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	e.mend(newDesk)
	f := e.paired("NEW")
	f.give(nil)
	b := f.batch()
	f.send(b)
	e.mend(withNewDesk)
	if r := e.retry(); r != (retried{Taken: 1}) {
		t.Errorf("%+v", r)
	}
	e.mend(func(d *survey.Documents) { openRound(d).Units = []string{"u1"} })
	f.send(b)
	f.at("sent again", kiosk.Stored, 1, 0)
	if !e.withdraw(f.codes[1]) {
		t.Error("not withdrawn")
	}
	f.send(b)
	f.at("withdrawn", kiosk.Withdrawn, 0, 0)
}

// TestQuarantineLeft: an answer that came into quarantine by a file, since nothing
// proves its time, leaves it when it comes over the network, which does.
func TestQuarantineLeft(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.slow = -30 * 24 * time.Hour // it thinks that the round is over
	f.restart()
	text := f.item(nil)
	code := f.codes[0]
	sealed := func() []byte {
		out, err := kiosk.Seal(f.seal, text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	f.put(sealed())
	e.clock.pass(40 * 24 * time.Hour)
	file, b := f.export(), f.batch()
	if out := e.export(file); out.Quarantined != 1 || len(e.quarantine()) != 1 {
		t.Fatalf("%+v", out)
	}
	f.send(b)
	f.at("over the network", kiosk.Stored, 1, 0)
	if out := e.export(file); out.Stored != 1 {
		t.Errorf("%+v", out)
	}
	f.at("the file again", kiosk.Stored, 1, 0)
	// One that stayed behind leaves when they are tried again, stored or withdrawn.
	aside := func() {
		t.Helper()
		q := store.Quarantined{Device: "GONE", Reason: "answered: answered_outside_round", Answered: e.clock.now(), Received: e.clock.now(), Sealed: sealed()}
		if out, err := e.store.Quarantine(t.Context(), []store.Quarantined{q}); err != nil || out[0] != store.Stored {
			t.Fatal(out, err)
		}
	}
	aside()
	if r := e.retry(); r != (retried{Taken: 1}) {
		t.Errorf("stored: %+v", r)
	}
	f.at("tried again", kiosk.Stored, 1, 0)
	aside()
	if !e.withdraw(code) {
		t.Error("not withdrawn")
	}
	if r := e.retry(); r.Left != 0 {
		t.Errorf("withdrawn: %+v", r)
	}
	f.send(b)
	f.at("withdrawn", kiosk.Withdrawn, 0, 0)
}

// TestQuarantineDiscard: what staff discard is gone for good, though it was received; the
// log says who did it, and nobody else can.
func TestQuarantineDiscard(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	e.mend(newDesk)
	f := e.paired("NEW")
	const comment = "một điều rất riêng"
	f.give(func(m map[string]any) { m["comment"] = comment })
	f.give(func(m map[string]any) { m["answers"] = map[string]any{} })
	b := f.batch()
	f.send(b)
	for _, q := range e.quarantine() {
		path := "/api/v1/quarantine/" + q.ID + "/discard"
		if a := e.do(call{method: "POST", path: path, token: e.tokens[store.RightFull]}); a.status != http.StatusForbidden {
			t.Errorf("without the right: %d", a.status)
		}
		c := call{method: "POST", path: path, token: e.tokens[store.RightStaff]}
		a := e.do(c)
		checkAgainst(t, document(t), c, a, false)
		if a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
		if a := e.staff("POST", path, store.RightStaff, nil, nil); a.status != http.StatusNotFound {
			t.Errorf("a second time: %d %s", a.status, a.body)
		}
		if log := e.log.String(); !strings.Contains(log, q.Reason) || strings.Contains(log, comment) || !strings.Contains(log, "holder of staff") {
			t.Errorf("the log: %s", log)
		}
	}
	for _, id := range []string{"x", strings.Repeat("0", 32), strings.Repeat("g", 32), strings.Repeat("0", 64)} {
		if a := e.staff("POST", "/api/v1/quarantine/"+id+"/discard", store.RightStaff, nil, nil); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", id, a.status, a.body)
		}
	}
	f.at("discarded", kiosk.Quarantined, 0, 0)
	e.mend(withNewDesk)
	f.send(b)
	f.at("sent again when it would be taken", kiosk.Withdrawn, 0, 0)
	if e.withdraw(f.codes[1]) || f.outcomes[2] != kiosk.Withdrawn {
		t.Errorf("withdrawn after it was discarded, or %v", f.outcomes)
	}
}

// TestFleetDiscard: the page asks first, and discards what it asked for and no more.
func TestFleetDiscard(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s := e.staff()
	id := e.tablet("Một", "Q1", func(*kiosk.Device, *kiosk.Contact) {})
	for range 3 {
		e.quarantined(id, true, "answers: nothing_answered")
		e.quarantined(id, true, "desk: desk_unknown")
	}
	group := quarantineGroup(id, "answers: nothing_answered")
	if text := plain(s.get("/fleet/quarantine").body); strings.Contains(text, "Hủy hẳn") || strings.Count(text, "Hủy…") != 2 {
		t.Errorf("without a question: %s", text)
	}
	page := s.get("/fleet/quarantine?ask=" + group)
	if text := plain(page.body); !strings.Contains(text, "Hủy hẳn 3 phiếu của máy Một? ") || !strings.Contains(page.body, `name="n" value="3"`) {
		t.Errorf("the question: %s", text)
	}
	if text := plain(s.get("/fleet/quarantine?ask=x").body); strings.Contains(text, "Hủy hẳn") {
		t.Errorf("a question about nothing: %s", text)
	}
	e.quarantined(id, true, "answers: nothing_answered") // meanwhile
	for _, c := range []struct {
		group, n string
		done     string
		left     int64
	}{{group, "", "0", 7}, {group, "-1", "0", 7}, {"x", "9", "0", 7}, {group, "3", "3", 4}, {group, "99999", "1", 3}, {group, "3", "0", 3}} {
		a := s.send("/fleet/quarantine?lang=en", "do", "discard", "group", c.group, "n", c.n)
		to := a.header.Get("Location")
		if n, err := e.store.QuarantineSize(t.Context()); a.status != http.StatusSeeOther || to != "/fleet/quarantine?discarded="+c.done+"&lang=en" || n != c.left || err != nil {
			t.Errorf("%+v: status %d, to %q, %d left, %v", c, a.status, to, n, err)
		}
		if text := plain(s.get(to).body); strings.Contains(text, c.done+" answers were discarded.") != (c.done != "0") {
			t.Errorf("%+v: %s", c, text)
		}
	}
	if a := e.do(call{method: "POST", path: "/fleet/quarantine", cookie: s.cookie, contentType: typeForm, body: "do=discard&group=" + group + "&n=3"}); a.status != http.StatusForbidden {
		t.Errorf("a foreign form: %d", a.status)
	}
}

// TestQuarantineBound: a tablet does not fill the quarantine without end, its good
// answers are taken all the same, and others are not kept out.
func TestQuarantineBound(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f, other := e.paired(testDesk), e.paired("Q2")
	wrong := func(f *fakeTablet) int64 { return f.give(func(m map[string]any) { m["desk"] = "NOPE" }) }
	list := make([]store.Quarantined, mostAside-1)
	for i := range list {
		list[i] = store.Quarantined{Device: f.device, Reason: "desk: desk_unknown", Answered: testNow(), Received: testNow(), Sealed: fmt.Append(nil, "sealed", i)}
	}
	if _, err := e.store.Quarantine(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	good := f.give(nil)
	wrong(f)
	wrong(f)
	f.sync()
	if f.outcomes[good] != kiosk.Stored || len(f.outcomes) != 2 || len(f.queue) != 1 || !strings.Contains(e.log.String(), "tablet "+f.device+" has 20000 answers in quarantine: 1 more got no receipt") {
		t.Errorf("%v, %d in the queue", f.outcomes, len(f.queue))
	}
	f.sync()
	wrong(other)
	other.sync()
	if len(f.queue) != 1 || other.outcomes[1] != kiosk.Quarantined {
		t.Errorf("%d in the queue, another tablet: %v", len(f.queue), other.outcomes)
	}
	if err := e.store.DiscardQuarantined(t.Context(), []store.Quarantined{{ID: store.QuarantineID(list[0].Sealed)}}); err != nil {
		t.Fatal(err)
	}
	e.clock.pass(time.Minute)
	if f.sync(); len(f.queue) != 0 {
		t.Errorf("%d in the queue", len(f.queue))
	}
}

// TestTabletScattered: numbers that no tablet scatters so are refused before anything of
// their batch is stored.
func TestTabletScattered(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	f.give(nil)
	f.sync()
	if _, err := e.store.LearnContact(t.Context(), f.device, func(c *kiosk.Contact) {
		for n := int64(10); n <= 4006; n += 2 {
			c.Epochs[0].Received = append(c.Epochs[0].Received, [2]int64{n, n})
		}
	}); err != nil {
		t.Fatal(err)
	}
	f.give(nil)
	f.sync() // beside the first
	f.highest = 5000
	f.give(nil)
	if a := f.post(f.batch()); a.status != http.StatusUnprocessableEntity || a.errorOf(t).Code != codeBatch || len(e.stored()) != 2 {
		t.Errorf("%d %s, %d stored", a.status, a.body, len(e.stored()))
	}
}

// TestBundleKept: a survey is made again when it changes, and not whenever somebody signs
// in or out.
func TestBundleKept(t *testing.T) {
	waits(t)
	e := startTablets(t, options{})
	f := e.paired(testDesk)
	made := func() *byte {
		_, body, err := e.server.bundleOf(e.store.View().Device(f.device), e.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		return &body[0]
	}
	first, device := made(), e.store.View().Device(f.device)
	if _, err := e.store.CreateToken(t.Context(), "new", []store.Right{store.RightFull}, e.clock.now()); err != nil {
		t.Fatal(err)
	}
	e.paired("Q2")
	e.change(f.device, map[string]any{"message": "Xin chào"})
	if e.store.View().Device(f.device) == device {
		t.Fatal("the test changes nothing")
	}
	if made() != first {
		t.Error("it was made again")
	}
	if e.change(f.device, map[string]any{"name": "Lầu 2"}); made() == first {
		t.Error("it has the old name")
	}
}
