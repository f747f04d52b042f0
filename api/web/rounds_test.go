package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// lastDay is the end of the round of the tests: midnight in Vietnam after its last day.
func lastDay() time.Time { return survey.Date("2026-12-01").Start() }

// put hands documents in through the service.
func (e *tabletEnv) put(edit func(*survey.Documents)) answer {
	e.t.Helper()
	d, err := e.store.Documents()
	if err != nil {
		e.t.Fatal(err)
	}
	edit(&d)
	return e.staff("PUT", "/api/v1/documents", store.RightStaff, d, nil)
}

// refusedFor tells whether documents were refused for one field by a code.
func refusedFor(t testing.TB, a answer, field string, code survey.Code) bool {
	t.Helper()
	return a.status == http.StatusUnprocessableEntity && slices.ContainsFunc(a.errorOf(t).Fields, func(f wireField) bool { return f.Field == field && f.Code == code })
}

// onlyRound makes the documents have one round, changed.
func onlyRound(t testing.TB, change func(*survey.Round)) *survey.Documents {
	docs := testDocuments(t)
	docs.Rounds, docs.Populations = docs.Rounds[:1], nil
	if change != nil {
		change(&docs.Rounds[0])
	}
	return &docs
}

// TestTabletsInASlipRound: answers of a tablet to a round that takes slips alone are put
// aside with the reason, whichever way they come, and stay there while the round is so.
func TestTabletsInASlipRound(t *testing.T) {
	waits(t)
	docs := testDocuments(t)
	slip := docs.Rounds[0]
	slip.ID, slip.Doors, slip.PrimaryChannel = "r-slip", survey.DoorsSlip, survey.ChannelQR
	docs.Rounds[0].PrimaryChannel = survey.ChannelKiosk
	docs.Rounds = append(docs.Rounds, slip)
	e := startTablets(t, options{docs: &docs})
	f := e.paired(testDesk)
	into := func(m map[string]any) { m["round"] = "r-slip" }
	for range 3 {
		f.give(into)
	}
	f.give(nil)
	f.send(f.batch())
	if list := e.quarantine(); len(list) != 3 || list[0].Reason != "slip: slip_required" || len(e.stored()) != 1 {
		t.Fatalf("%d stored, aside %+v", len(e.stored()), list)
	}
	if r := e.retry(); r.Taken != 0 || r.Left != 3 {
		t.Errorf("tried again: %+v", r)
	}
	f.give(into)
	var out exported
	e.env.t.Helper()
	a := e.do(call{method: "POST", path: "/api/v1/kiosk/exports", token: e.tokens[store.RightStaff], contentType: typeJSON, body: string(f.export())})
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || out.Quarantined != 1 || out.Stored != 0 {
		t.Errorf("a file: %d %s", a.status, a.body)
	}
	var b kiosk.Bundle
	if err := json.Unmarshal([]byte(f.get("/api/v1/kiosk/bundle").body), &b); err != nil || len(b.Rounds) != 1 || b.Rounds[0].ID != testRound {
		t.Errorf("a tablet shows %+v, %v", b.Rounds, err)
	}
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d are stored", n)
	}
}

// TestTabletRoundOfBefore: a tablet still sends to a round of QR codes what it was asked
// before that was so.
func TestTabletRoundOfBefore(t *testing.T) {
	e := startTablets(t, options{docs: onlyRound(t, func(r *survey.Round) { r.PrimaryChannel = survey.ChannelQR })})
	f := e.paired(testDesk)
	f.give(nil)
	if a := f.send(f.batch()); len(a.Receipts) != 1 || a.Receipts[0].Outcome != kiosk.Stored {
		t.Errorf("%+v", a.Receipts)
	}
}

// TestOpenedRound: what decides who may answer, and what counts, is fixed once a round has
// opened; the service names round and field, and no way around leads there.
func TestOpenedRound(t *testing.T) {
	waits(t)
	docs := testDocuments(t)
	docs.Populations = nil
	e := startTablets(t, options{docs: &docs})
	is := func(change func(*survey.Round)) func(*survey.Documents) {
		return func(d *survey.Documents) { change(openRound(d)) }
	}
	changes := map[string]func(*survey.Round){
		"doors":           func(r *survey.Round) { r.Doors = survey.DoorsSlip },
		"min_answered":    func(r *survey.Round) { r.MinAnswered = 0.8 },
		"looks":           func(r *survey.Round) { r.Looks = 4 },
		"primary_channel": func(r *survey.Round) { r.PrimaryChannel = survey.ChannelKiosk },
		"status":          func(r *survey.Round) { r.Status = survey.StatusDraft },
		"first":           func(r *survey.Round) { r.First = "2026-11-25" },
		"form":            func(r *survey.Round) { r.Form = survey.FormQuick },
	}
	for field, change := range changes {
		for name, also := range map[string]func(*survey.Round){
			"alone": nil, "as it closes": func(r *survey.Round) { r.Status = survey.StatusClosed }, "with its last day": func(r *survey.Round) { r.Last = "2026-12-31" },
		} {
			if field == "status" && name == "as it closes" {
				continue
			}
			a := e.put(is(func(r *survey.Round) {
				change(r)
				if also != nil {
					also(r)
				}
			}))
			if !refusedFor(t, a, "rounds/"+testRound+"."+field, survey.CodeRoundStarted) {
				t.Errorf("%s, %s: %d %s", field, name, a.status, a.body)
			}
		}
	}
	// The same round twice in a put: the second would follow the first and not what is stored.
	a := e.put(func(d *survey.Documents) {
		r := *openRound(d)
		openRound(d).Target = 70
		d.Rounds = append(d.Rounds, r)
	})
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, string(survey.CodeDuplicate)) {
		t.Errorf("a round twice: %d %s", a.status, a.body)
	}
	if a := e.put(is(func(r *survey.Round) { r.Status = survey.StatusClosed })); a.status != http.StatusOK {
		t.Fatalf("closing: %d %s", a.status, a.body)
	}
	for field, change := range changes {
		if field != "form" {
			if a := e.put(is(change)); !refusedFor(t, a, "rounds/"+testRound+"."+field, survey.CodeRoundStarted) {
				t.Errorf("%s of a closed round: %d %s", field, a.status, a.body)
			}
		}
	}
	// What may change, and a round that has not begun.
	if a := e.put(is(func(r *survey.Round) {
		r.Status, r.Last, r.Target, r.Doors, r.Looks, r.MinAnswered = survey.StatusOpen, "2026-12-15", 75, survey.DoorsOpen, 1, 0.5
	})); a.status != http.StatusOK {
		t.Errorf("opening again: %d %s", a.status, a.body)
	}
	for _, status := range []string{survey.StatusDraft, survey.StatusOpen} {
		if a := e.put(func(d *survey.Documents) {
			r := &d.Rounds[slices.IndexFunc(d.Rounds, func(r survey.Round) bool { return r.ID == "r-coming" })]
			r.Doors, r.Looks, r.PrimaryChannel, r.Status = survey.DoorsBoth, 4, survey.ChannelQR, status
		}); a.status != http.StatusOK {
			t.Errorf("a round that comes: %d %s", a.status, a.body)
		}
	}
}

// TestRoundsSideBySide: a round of tablets runs beside one of QR codes, as the README makes
// it, and each door shows its own.
func TestRoundsSideBySide(t *testing.T) {
	waits(t)
	e := startTablets(t, options{docs: onlyRound(t, func(r *survey.Round) { r.PrimaryChannel, r.Units = survey.ChannelQR, nil })})
	if a := e.put(func(d *survey.Documents) {
		r := d.Rounds[0]
		r.ID, r.Title, r.PrimaryChannel, r.Form, r.First = "tablets", survey.Text{"vi": "Máy", "en": "Tablets"}, survey.ChannelKiosk, survey.FormQuick, "2026-11-20"
		d.Rounds = append(d.Rounds, r)
	}); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if v := formValues(e.env, testDesk); v.Get("round") != testRound {
		t.Errorf("the QR code leads to %s", v.Get("round"))
	}
	var b kiosk.Bundle
	if err := json.Unmarshal([]byte(e.paired(testDesk).get("/api/v1/kiosk/bundle").body), &b); err != nil || len(b.Rounds) != 1 || b.Rounds[0].ID != "tablets" {
		t.Errorf("a tablet shows %+v, %v", b.Rounds, err)
	}
	if page := plain(e.env.staff().get("/fleet").body); strings.Contains(page, "Cần xem") && strings.Contains(page, "chỉ dành cho mã QR") {
		t.Errorf("the fleet warns: %s", page)
	}
}

// TestOverlappingRounds: documents in which a door would have two rounds are refused, both
// named. For a store that has such a pair: TestOverlapsOfAnOldStore in package store.
func TestOverlappingRounds(t *testing.T) {
	waits(t)
	e := startTablets(t, options{docs: onlyRound(t, nil)})
	second := func(change func(*survey.Round)) func(*survey.Documents) {
		return func(d *survey.Documents) {
			r := *openRound(d)
			r.ID, r.ClosedAt = "r-second", nil
			if change != nil {
				change(&r)
			}
			d.Rounds = append(slices.DeleteFunc(d.Rounds, func(r survey.Round) bool { return r.ID == "r-second" }), r)
		}
	}
	for name, change := range map[string]func(*survey.Round){
		"the same":          nil,
		"all units":         func(r *survey.Round) { r.Units = nil },
		"on one day":        func(r *survey.Round) { r.First, r.Last = "2026-11-30", "2026-12-31" },
		"of slips":          func(r *survey.Round) { r.Doors = survey.DoorsSlip },
		"of QR codes":       func(r *survey.Round) { r.PrimaryChannel = survey.ChannelQR },
		"of tablets":        func(r *survey.Round) { r.PrimaryChannel = survey.ChannelKiosk },
		"of the day before": func(r *survey.Round) { r.First, r.Last = "2026-10-01", "2026-11-01" },
	} {
		a := e.put(second(change))
		if !refusedFor(t, a, "rounds/r-second", survey.CodeRoundsOverlap) && !refusedFor(t, a, "rounds/"+testRound, survey.CodeRoundsOverlap) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		} else if !strings.Contains(a.body, testRound) || !strings.Contains(a.body, "r-second") {
			t.Errorf("%s: %s does not name both", name, a.body)
		}
	}
	for id, change := range map[string]func(*survey.Round){
		"a-draft":       func(r *survey.Round) { r.Status = survey.StatusDraft },
		"after-it":      func(r *survey.Round) { r.First, r.Last = "2026-12-01", "2026-12-31" },
		"another-unit":  func(r *survey.Round) { r.Units = []string{"u2"} },
		"of-interviews": func(r *survey.Round) { r.PrimaryChannel = survey.ChannelInterviewer },
		"drawn":         func(r *survey.Round) { r.Design = survey.DesignDrawn },
	} {
		if a := e.put(func(d *survey.Documents) {
			r := *openRound(d)
			r.ID = id
			change(&r)
			d.Rounds = append(d.Rounds, r)
		}); a.status != http.StatusOK {
			t.Errorf("%s: %d %s", id, a.status, a.body)
		}
	}
	// A draft that opens, and a round that becomes longer, are put too.
	if a := e.put(func(d *survey.Documents) {
		for i := range d.Rounds {
			if d.Rounds[i].ID == "a-draft" {
				d.Rounds[i].Status = survey.StatusOpen
			}
		}
	}); !refusedFor(t, a, "rounds/a-draft", survey.CodeRoundsOverlap) {
		t.Errorf("a draft that opens: %d %s", a.status, a.body)
	}
	if a := e.put(func(d *survey.Documents) { openRound(d).Last = "2026-12-01" }); !refusedFor(t, a, "rounds/after-it", survey.CodeRoundsOverlap) {
		t.Errorf("a longer round: %d %s", a.status, a.body)
	}
}

// TestSlipsOfTheShownRound: slips are issued where the desk shows their round, today or on
// its first day; else the service says what it shows.
func TestSlipsOfTheShownRound(t *testing.T) {
	waits(t)
	docs := testDocuments(t)
	docs.Populations = nil
	docs.Rounds[0].PrimaryChannel = survey.ChannelKiosk
	docs.Units[3].ValidTo = "2026-12-31"
	add := func(id string, change func(*survey.Round)) {
		r := docs.Rounds[0]
		r.ID, r.Doors, r.PrimaryChannel = id, survey.DoorsSlip, ""
		change(&r)
		docs.Rounds = append(docs.Rounds, r)
	}
	add("now", func(r *survey.Round) { r.PrimaryChannel = survey.ChannelQR })
	add("next", func(r *survey.Round) { r.First, r.Last = "2026-12-01", "2026-12-31" })
	add("tablets", func(r *survey.Round) {
		r.PrimaryChannel, r.First, r.Last = survey.ChannelKiosk, "2027-01-01", "2027-01-31"
	})
	add("draft", func(r *survey.Round) { r.Status = survey.StatusDraft })
	add("closed", func(r *survey.Round) { r.Status = survey.StatusClosed })
	add("over", func(r *survey.Round) { r.First, r.Last = "2026-10-01", "2026-10-31" })
	add("u4", func(r *survey.Round) { r.Units, r.First, r.Last = []string{"u4"}, "2027-01-01", "2027-01-31" })
	e := startTablets(t, options{docs: &docs})
	for _, c := range []struct {
		round, desk, field string
		code               survey.Code
		says               string
	}{
		{"now", testDesk, "", "", ""},
		{"next", testDesk, "", "", ""},
		{testRound, testDesk, "round", survey.CodeSlipInvalid, ""},
		{"tablets", testDesk, "round", survey.CodeRoundNotShown, "on 2027-01-01 the desk shows no round"},
		{"draft", testDesk, "round", survey.CodeRoundNotOpen, ""},
		{"closed", testDesk, "round", survey.CodeRoundClosed, ""},
		{"over", testDesk, "round", survey.CodeRoundClosed, ""},
		{"now", "Q9", "desk", survey.CodeDeskClosed, ""},
		{"u4", "X1", "desk", survey.CodeDeskClosed, ""},
		{"now", "X1", "desk", survey.CodeRoundUnit, ""},
	} {
		a := e.staff("POST", "/api/v1/rounds/"+c.round+"/slips", store.RightStaff, map[string]any{"desk": c.desk, "count": 1}, nil)
		switch {
		case c.field == "" && a.status != http.StatusCreated:
			t.Errorf("%s at %s: %d %s", c.round, c.desk, a.status, a.body)
		case c.field != "" && (!refusedFor(t, a, c.field, c.code) || !strings.Contains(a.body, c.says)):
			t.Errorf("%s at %s: %d %s", c.round, c.desk, a.status, a.body)
		}
	}
}

// TestFormAtMidnight: a form opened before the end of its round is taken for half an hour
// after it, dated at its beginning, also by whom the page was shown again; a new form is
// that of the next round.
func TestFormAtMidnight(t *testing.T) {
	waits(t)
	docs := onlyRound(t, nil)
	next := docs.Rounds[0]
	next.ID, next.First, next.Last = "r-next", "2026-12-01", "2026-12-31"
	docs.Rounds = append(docs.Rounds, next)
	e := startTablets(t, options{docs: docs})
	at := func(moment time.Time) { e.clock.after.Store(int64(moment.Sub(testNow()))) }
	answeredOf := func(v url.Values) (round, day string) {
		for _, r := range e.stored() {
			if r.ID.String() == v.Get("id") {
				return r.Round, string(survey.DateOf(r.Answered))
			}
		}
		return "", ""
	}
	at(lastDay().Add(-25 * time.Second))
	forms := make([]url.Values, 6)
	for i := range forms {
		forms[i] = formValues(e.env, testDesk)
	}
	at(lastDay().Add(4 * time.Second))
	if v := formValues(e.env, testDesk); v.Get("round") != "r-next" {
		t.Errorf("a new form is of %s", v.Get("round"))
	}
	if a := e.postForm(forms[0], ""); a.status != http.StatusOK {
		t.Errorf("4 s after the end: %d %s", a.status, plain(a.body))
	}
	if round, day := answeredOf(forms[0]); round != testRound || day != "2026-11-30" {
		t.Errorf("stored in %q on %q", round, day)
	}
	// Something is wrong with it: the same round's form comes back with everything in it.
	wrong := forms[1]
	wrong.Set("a.c01", "9")
	wrong.Set("comment", "Cảm ơn các anh chị")
	at(lastDay().Add(10 * time.Minute))
	again := e.postForm(wrong, "")
	if again.status != http.StatusUnprocessableEntity || !strings.Contains(again.body, `name="round" value="`+testRound+`"`) || !strings.Contains(again.body, "Cảm ơn các anh chị") ||
		!strings.Contains(again.body, `name="a.c02" value="4" checked`) || stampOn(t, again.body) != wrong.Get("stamp") || strings.Contains(again.body, survey.Message(survey.CodeRoundClosed, "vi")) {
		t.Errorf("the form again: %d %s", again.status, plain(again.body))
	}
	wrong.Set("a.c01", "5")
	at(lastDay().Add(30 * time.Minute))
	if a := e.postForm(wrong, ""); a.status != http.StatusOK {
		t.Errorf("30:00: %d", a.status)
	}
	if round, day := answeredOf(wrong); round != testRound || day != "2026-11-30" {
		t.Errorf("30:00: stored in %q on %q", round, day)
	}
	// Whose stamp is not that of the form proves nothing.
	for name, change := range map[string]func(url.Values){
		"no stamp":  func(v url.Values) { v.Del("stamp") },
		"another's": func(v url.Values) { v.Set("stamp", forms[3].Get("stamp")) },
		"no round yet": func(v url.Values) {
			v.Set("stamp", stamped(t, e.env, v.Get("id"), survey.Date("2026-11-01").Start().Add(-1)))
		},
	} {
		v := url.Values{}
		for k, x := range forms[2] {
			v[k] = slices.Clone(x)
		}
		change(v)
		if a := e.postForm(v, ""); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, survey.Message(survey.CodeRoundClosed, "vi")) {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	// A program has no stamp.
	if a := e.post(submission(t, nil), ""); a.status != http.StatusUnprocessableEntity || a.errorOf(t).Fields[0].Code != survey.CodeRoundClosed {
		t.Errorf("a program: %d %s", a.status, a.body)
	}
	at(lastDay().Add(30*time.Minute + time.Second))
	late := e.postForm(forms[4], "")
	if late.status != http.StatusUnprocessableEntity || !strings.Contains(late.body, `name="round" value="r-next"`) || !strings.Contains(late.body, survey.Message(survey.CodeRoundClosed, "vi")) {
		t.Errorf("30:01: %d %s", late.status, plain(late.body))
	}
}

// TestFormOfAClosedRound: staff close a round while people answer; who began before is
// taken for half an hour, whoever comes then gets no form.
func TestFormOfAClosedRound(t *testing.T) {
	waits(t)
	e := startTablets(t, options{docs: onlyRound(t, nil)})
	forms := []url.Values{formValues(e.env, testDesk), formValues(e.env, testDesk), formValues(e.env, testDesk)}
	e.clock.pass(10 * time.Minute)
	if a := e.put(func(d *survey.Documents) { openRound(d).Status = survey.StatusClosed }); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := e.do(call{path: "/s/" + testDesk}); a.status != http.StatusGone {
		t.Errorf("a form of a closed round: %d", a.status)
	}
	e.clock.pass(29*time.Minute + 59*time.Second)
	// Putting it again does not close it again; nor does a client say when it was.
	other := testNow()
	if a := e.put(func(d *survey.Documents) { openRound(d).ClosedAt, openRound(d).Target = &other, 70 }); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	forms[0].Set("a.c01", "9")
	if a := e.postForm(forms[0], ""); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `name="round" value="`+testRound+`"`) {
		t.Errorf("shown again: %d %s", a.status, plain(a.body))
	}
	if a := e.postForm(forms[1], ""); a.status != http.StatusOK || len(e.stored()) != 1 || !e.stored()[0].Answered.Equal(survey.Hour(testNow())) {
		t.Errorf("29:59: %d, %+v", a.status, e.stored())
	}
	e.clock.pass(2 * time.Second)
	if a := e.postForm(forms[2], ""); a.status != http.StatusGone || len(e.stored()) != 1 {
		t.Errorf("30:01: %d", a.status)
	}
}

// TestSlipAtMidnight: a slip lets one answer in after the end, too, and none a second time.
func TestSlipAtMidnight(t *testing.T) {
	waits(t)
	e := startTablets(t, options{docs: onlyRound(t, func(r *survey.Round) { r.Doors = survey.DoorsSlip })})
	slips := e.issue(testDesk, 1)
	e.clock.after.Store(int64(lastDay().Add(-time.Minute).Sub(testNow())))
	first, second := formValues(e.env, testDesk), formValues(e.env, testDesk)
	first.Set("slip", slips[0].Code)
	second.Set("slip", slips[0].Code)
	e.clock.pass(2 * time.Minute)
	if err := e.store.SweepSlips(t.Context(), e.clock.now()); err != nil {
		t.Fatal(err)
	}
	receiptOn(t, e.postForm(first, ""))
	e.clock.pass(20 * time.Minute)
	if err := e.store.SweepSlips(t.Context(), e.clock.now()); err != nil {
		t.Fatal(err)
	}
	if a := e.postForm(second, ""); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, survey.Message(survey.CodeSlipSpent, "vi")) {
		t.Errorf("the slip again: %d", a.status)
	}
}

// TestTabletAtMidnight: a visit that was begun before the end of a round counts, by the
// tablet's time less the seconds that it took, after its clock was repaired.
func TestTabletAtMidnight(t *testing.T) {
	waits(t)
	e := startTablets(t, options{docs: onlyRound(t, nil)})
	f := e.paired(testDesk)
	f.slow = 5 * time.Hour
	f.restart()
	at := func(moment time.Time) { e.clock.after.Store(int64(moment.Sub(testNow()))) }
	took := func(d time.Duration) func(map[string]any) {
		return func(m map[string]any) { m["seconds"] = d.Seconds() }
	}
	at(lastDay().Add(4 * time.Second))
	f.give(took(29 * time.Second))
	f.give(took(3 * time.Second))
	broken := f.give(func(m map[string]any) { m["seconds"], m["filing"] = 29, "nowhere" })
	at(lastDay().Add(30 * time.Minute))
	f.give(took(30*time.Minute + time.Second))
	at(lastDay().Add(30*time.Minute + time.Second))
	f.give(took(time.Hour))
	at(lastDay().Add(9 * time.Hour))
	a := f.send(f.batch())
	for i, want := range []kiosk.Outcome{kiosk.Stored, kiosk.Quarantined, kiosk.Quarantined, kiosk.Stored, kiosk.Quarantined} {
		if f.outcomes[int64(i+1)] != want {
			t.Errorf("answer %d: %s, want %s: %+v", i+1, f.outcomes[int64(i+1)], want, a.Receipts)
		}
	}
	for _, r := range e.stored() {
		if survey.DateOf(r.Answered) != "2026-11-30" || r.Answered.Hour() != 16 {
			t.Errorf("answered %v", r.Answered)
		}
	}
	reasons := map[string]int{}
	for _, q := range e.quarantine() {
		reasons[q.Reason+" "+q.Answered]++
	}
	if len(reasons) != 2 || reasons["answered: answered_outside_round 2026-11-30T17"] != 2 || reasons["filing: filing_unknown 2026-11-30T16"] != 1 {
		t.Errorf("aside: %v", reasons)
	}
	// What comes too late stays so, though the quarantine knows but the hour.
	if r := e.retry(); r.Taken != 0 || r.Left != 3 || f.outcomes[broken] != kiosk.Quarantined {
		t.Errorf("tried again: %+v", r)
	}
}
