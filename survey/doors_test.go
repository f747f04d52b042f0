package survey

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// world is the test's documents with other rounds.
func world(t testing.TB, rounds ...Round) *Catalogue {
	t.Helper()
	d := testDocuments()
	d.Rounds = rounds
	c, err := NewCatalogue(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// roundOf is round r1 under another id, changed.
func roundOf(id string, change func(*Round)) Round {
	r := testDocuments().Rounds[0]
	r.ID = id
	if change != nil {
		change(&r)
	}
	return r
}

func primary(ch Channel) func(*Round) { return func(r *Round) { r.PrimaryChannel = ch } }

// TestShownBy: which rounds the doors of each kind show.
func TestShownBy(t *testing.T) {
	for _, test := range []struct {
		name       string
		change     func(*Round)
		qr, tablet bool
	}{
		{"no primary channel", nil, true, true},
		{"of QR codes", primary(ChannelQR), true, false},
		{"of tablets", primary(ChannelKiosk), false, true},
		{"of paper", primary(ChannelPaper), false, false},
		{"of invitations", primary(ChannelInvite), false, false},
		{"of slips", func(r *Round) { r.Doors = DoorsSlip }, true, false},
		{"of both doors", func(r *Round) { r.Doors = DoorsBoth }, true, true},
		{"of tablets, by slips", func(r *Round) { r.Doors, r.PrimaryChannel = DoorsSlip, ChannelKiosk }, false, false},
		{"drawn", func(r *Round) { r.Design = DesignDrawn }, false, false},
		{"a draft", func(r *Round) { r.Status = StatusDraft }, false, false},
		{"closed", func(r *Round) { r.Status = StatusClosed }, false, false},
	} {
		r := roundOf("r1", test.change)
		if qr, tablet := r.ShownBy(ChannelQR), r.ShownBy(ChannelKiosk); qr != test.qr || tablet != test.tablet {
			t.Errorf("%s: QR codes %t, tablets %t", test.name, qr, tablet)
		}
		c := world(t, r)
		for door, want := range map[Channel]bool{ChannelQR: test.qr, ChannelKiosk: test.tablet} {
			if shown, code := c.RoundAt(door, "u1", "2026-11-15"); (shown != nil) != want || want != (code == "") {
				t.Errorf("%s: %s shows %v, %s", test.name, door, shown, code)
			}
		}
	}
}

// TestCheckDoors: two rounds for one door at one unit on one day are refused.
func TestCheckDoors(t *testing.T) {
	from := func(first, last Date) func(*Round) { return func(r *Round) { r.First, r.Last = first, last } }
	units := func(u ...string) func(*Round) { return func(r *Round) { r.Units = u } }
	both := func(changes ...func(*Round)) func(*Round) {
		return func(r *Round) {
			for _, c := range changes {
				c(r)
			}
		}
	}
	for _, test := range []struct {
		name string
		a, b func(*Round)
		want bool
	}{
		{"the same", nil, nil, true},
		{"a QR round and one of tablets", primary(ChannelQR), primary(ChannelKiosk), false},
		{"a QR round and one without", primary(ChannelQR), nil, true},
		{"a round without and one of tablets", nil, primary(ChannelKiosk), true},
		{"slips beside an open round", func(r *Round) { r.Doors = DoorsSlip }, primary(ChannelQR), true},
		{"slips beside tablets", func(r *Round) { r.Doors = DoorsSlip }, primary(ChannelKiosk), false},
		{"the last day is the first", nil, from("2026-11-30", "2026-12-31"), true},
		{"one after the other", nil, from("2026-12-01", "2026-12-31"), false},
		{"one within the other", nil, from("2026-11-10", "2026-11-10"), true},
		{"two offices", units("u1"), units("u2"), false},
		{"an office of two", units("u1", "u2"), units("u2", "u3"), true},
		{"all and one", units(), units("u2"), true},
		{"all and all", units(), units(), true},
		{"an office that ended", units("u3"), units("u3", "u2"), false},
		{"all and an office that ended", units(), units("u3"), false},
		{"an office that ends meanwhile", both(units("u3"), from("2025-06-30", "2025-07-30")), both(units("u3"), from("2025-01-01", "2026-01-01")), true},
		{"paper beside all", primary(ChannelPaper), nil, false},
		{"a draft", func(r *Round) { r.Status = StatusDraft }, nil, false},
		{"a closed one", func(r *Round) { r.Status = StatusClosed }, nil, false},
		{"a drawn one", func(r *Round) { r.Design = DesignDrawn }, nil, false},
	} {
		a, b := roundOf("a", test.a), roundOf("b", test.b)
		for range 2 {
			err := world(t, a, b).CheckDoors(world(t))
			var wrong *Error
			if test.want != errors.As(err, &wrong) {
				t.Errorf("%s: %v", test.name, err)
			}
			if test.want && (!Has(err, CodeRoundsOverlap) || !strings.Contains(err.Error(), "a and b ") && !strings.Contains(err.Error(), "b and a ")) {
				t.Errorf("%s: %v does not name both", test.name, err)
			}
			a, b = b, a
		}
	}
}

// TestCheckDoorsOfAnOldStore: a pair that is there may stay, may be mended, and must not
// become worse; the door shows one of them whatever the order.
func TestCheckDoorsOfAnOldStore(t *testing.T) {
	old := func(changeA, changeB func(*Round)) *Catalogue {
		return world(t, roundOf("a", func(r *Round) {
			r.Units, r.Last = []string{"u1"}, "2026-11-20"
			if changeA != nil {
				changeA(r)
			}
		}), roundOf("b", func(r *Round) {
			r.Units, r.First = nil, "2026-11-10"
			if changeB != nil {
				changeB(r)
			}
		}))
	}
	before := old(nil, nil)
	list := before.Overlaps()
	if len(list) != 2 || list[0].Door != ChannelQR || list[0].Shown.ID != "b" || list[0].Hidden.ID != "a" ||
		list[0].String() != "a and b are both for doors of qr at unit u1 from 2026-11-10 to 2026-11-20" {
		t.Fatalf("overlaps: %v", list)
	}
	for name, test := range map[string]struct {
		a, b func(*Round)
		ok   bool
	}{
		"as it is":         {ok: true},
		"another title":    {a: func(r *Round) { r.Target = 70 }, ok: true},
		"fewer days":       {a: func(r *Round) { r.Last = "2026-11-19" }, ok: true},
		"mended":           {a: func(r *Round) { r.Status = StatusClosed }, ok: true},
		"for tablets":      {a: primary(ChannelKiosk), b: primary(ChannelQR), ok: true},
		"named units":      {b: func(r *Round) { r.Units = []string{"u1", "u2"} }, ok: true},
		"more days":        {a: func(r *Round) { r.Last = "2026-11-21" }},
		"days before":      {b: func(r *Round) { r.First = "2026-11-09" }},
		"more units":       {a: func(r *Round) { r.Units = []string{"u1", "u2"} }},
		"all units":        {a: func(r *Round) { r.Units = nil }},
		"another in place": {a: func(r *Round) { r.ID = "c" }},
	} {
		if err := old(test.a, test.b).CheckDoors(before); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	same := world(t, roundOf("y", nil), roundOf("x", nil))
	for range 20 {
		if r, _ := same.RoundAt(ChannelQR, "u1", "2026-11-15"); r.ID != "x" || same.Overlaps()[0].Shown.ID != "x" {
			t.Fatalf("of two that began on a day %s is shown, %v said", r.ID, same.Overlaps())
		}
	}
}

// TestCheckDoorsOfManyRounds: a province with a round for each office and quarter is
// checked at once.
func TestCheckDoorsOfManyRounds(t *testing.T) {
	d := testDocuments()
	d.Rounds = nil
	for u := range 250 {
		unit := d.Units[0]
		unit.ID = fmt.Sprintf("v%03d", u)
		d.Units = append(d.Units, unit)
	}
	for q := range 48 {
		first := Date("2020-01-01").AddDays(q * 60)
		whole := roundOf(fmt.Sprintf("all%d", q), func(r *Round) {
			r.First, r.Last, r.Units, r.PrimaryChannel = first, first.AddDays(59), nil, ChannelQR
			for _, u := range d.Units[3:] {
				r.Units = append(r.Units, u.ID)
			}
		})
		d.Rounds = append(d.Rounds, whole)
		for u := 3; u < 250; u += 5 {
			d.Rounds = append(d.Rounds, roundOf(fmt.Sprintf("t%d-%d", q, u), func(r *Round) {
				r.First, r.Last, r.Units, r.PrimaryChannel = first, first.AddDays(59), []string{d.Units[u].ID}, ChannelKiosk
			}))
		}
	}
	c, err := NewCatalogue(d)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := c.CheckDoors(c); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("%d rounds took %v", len(d.Rounds), took)
	}
}

// TestCheckChange: what of a round is fixed, and from when.
func TestCheckChange(t *testing.T) {
	before, after := time.Date(2026, 10, 31, 16, 59, 59, 0, time.UTC), time.Date(2026, 10, 31, 17, 0, 0, 0, time.UTC) // midnight in Vietnam
	draft := func(r *Round) { r.Status = StatusDraft }
	for _, test := range []struct {
		name    string
		was, is func(*Round)
		field   string // "" where it may change
		early   bool   // fixed before the first day, too
	}{
		{name: "doors", is: func(r *Round) { r.Doors = DoorsSlip }, field: "doors"},
		{name: "both doors", is: func(r *Round) { r.Doors = DoorsBoth }, field: "doors"},
		{name: "doors written out", is: func(r *Round) { r.Doors = DoorsOpen }},
		{name: "valid share", is: func(r *Round) { r.MinAnswered = 0.6 }, field: "min_answered"},
		{name: "valid share written out", is: func(r *Round) { r.MinAnswered = 0.5 }},
		{name: "looks", is: func(r *Round) { r.Looks = 3 }, field: "looks"},
		{name: "looks written out", is: func(r *Round) { r.Looks = 1 }},
		{name: "primary channel", is: primary(ChannelQR), field: "primary_channel"},
		{name: "primary channel taken away", was: primary(ChannelQR), field: "primary_channel"},
		{name: "back to a draft", is: draft, field: "status"},
		{name: "to before it opens", is: func(r *Round) { r.First, r.Last = "2026-11-02", "2026-11-30" }, field: "first"},
		{name: "form", is: func(r *Round) { r.Form = FormSplit }, field: "form", early: true},
		{name: "instrument", is: func(r *Round) { r.Instrument = "other" }, field: "instrument", early: true},
		{name: "last day", is: func(r *Round) { r.Last = "2026-12-15" }},
		{name: "target, title, units", is: func(r *Round) { r.Target, r.Title, r.Units = 70, Text{"vi": "x", "en": "x"}, nil }},
		{name: "closing", is: func(r *Round) { r.Status = StatusClosed }},
		{name: "a closed one", was: func(r *Round) { r.Status = StatusClosed }, is: func(r *Round) { r.Status, r.Doors = StatusClosed, DoorsSlip }, field: "doors"},
		{name: "a closed one to a draft", was: func(r *Round) { r.Status = StatusClosed }, is: draft, field: "status"},
		{name: "a draft", was: draft, is: func(r *Round) { r.Doors = DoorsSlip }, field: "doors"},
		{name: "a draft that opens otherwise", was: draft, is: func(r *Round) { r.PrimaryChannel = ChannelKiosk }, field: "primary_channel"},
		{name: "a draft that stays", was: draft, is: draft},
	} {
		was, is := roundOf("r1", test.was), roundOf("r1", test.is)
		for _, now := range []time.Time{before, after} {
			for _, answers := range []bool{false, true} {
				opened := was.Opened(now) || answers
				err := is.CheckChange(&was, opened, now)
				want := test.field != "" && (test.early || opened)
				if want != (err != nil) || want && !strings.Contains(err.Error(), "rounds/r1."+test.field+": round_started") {
					t.Errorf("%s at %v, with answers %t: %v", test.name, now, answers, err)
				}
			}
		}
		if was.Opened(before) || was.Opened(after) == (was.Status == StatusDraft) {
			t.Errorf("%s: opened too early or too late", test.name)
		}
	}
}

// TestNoteClosing: the moment of closing stays until the round opens again.
func TestNoteClosing(t *testing.T) {
	at := time.Date(2026, 11, 24, 7, 5, 1, 2345678, time.UTC)
	made, closed := roundOf("r", nil), roundOf("r", func(r *Round) { r.Status = StatusClosed; r.ClosedAt = &time.Time{} })
	closed.NoteClosing(&made, at)
	if closed.ClosedAt == nil || !closed.ClosedAt.Equal(at.Truncate(time.Millisecond)) {
		t.Fatalf("closed at %v", closed.ClosedAt)
	}
	again := roundOf("r", func(r *Round) { r.Status = StatusClosed })
	if again.NoteClosing(&closed, at.Add(time.Hour)); again.ClosedAt == nil || !again.ClosedAt.Equal(*closed.ClosedAt) {
		t.Errorf("put again: closed at %v", again.ClosedAt)
	}
	open := roundOf("r", func(r *Round) { r.ClosedAt = closed.ClosedAt })
	if open.NoteClosing(&closed, at); open.ClosedAt != nil {
		t.Error("an open round was closed")
	}
	for name, was := range map[string]*Round{"new": nil, "a draft": {Status: StatusDraft}, "closed long ago": {Status: StatusClosed}} {
		if closed.NoteClosing(was, at); closed.ClosedAt != nil {
			t.Errorf("%s: closed at %v", name, closed.ClosedAt)
		}
	}
}
