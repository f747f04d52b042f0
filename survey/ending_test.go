package survey

import (
	"testing"
	"time"
)

// TestGrace: what was begun before the end of a round counts for half an hour after it,
// dated at its beginning. The end is midnight in Vietnam, whatever zone times come in.
func TestGrace(t *testing.T) {
	end := time.Date(2026, 11, 30, 17, 0, 0, 0, time.UTC) // midnight after r1's last day
	tokyo := time.FixedZone("", 9*60*60)
	closing := time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)
	closed := func(at time.Time) func(*Documents) {
		return func(d *Documents) { d.Rounds[0].Status, d.Rounds[0].ClosedAt = StatusClosed, &at }
	}
	ms := time.Millisecond
	for _, test := range []struct {
		name         string
		change       func(*Documents)
		begun, given time.Time
		// web and tablet are "" where the answer is taken, else fields and codes.
		web, tablet string
		// dated: at the beginning.
		dated bool
	}{
		{name: "begun and given in time", begun: end.Add(-time.Minute), given: end.Add(-ms)},
		{name: "25 s before, 4 s after", begun: end.Add(-25 * time.Second), given: end.Add(4 * time.Second), dated: true},
		{name: "at midnight", begun: end.Add(-ms), given: end, dated: true},
		{name: "29:59", begun: end.Add(-ms), given: end.Add(30*time.Minute - time.Second), dated: true},
		{name: "30:00", begun: end.Add(-ms), given: end.Add(30 * time.Minute), dated: true},
		{name: "30:01", begun: end.Add(-ms), given: end.Add(30*time.Minute + time.Second), web: "round round_closed", tablet: "answered answered_outside_round"},
		{name: "a millisecond too late", begun: end.Add(-ms), given: end.Add(30*time.Minute + ms), web: "round round_closed", tablet: "answered answered_outside_round"},
		{name: "begun at midnight", begun: end, given: end.Add(time.Minute), web: "round round_closed", tablet: "answered answered_outside_round"},
		{name: "nobody knows when it was begun", given: end.Add(time.Minute), web: "round round_closed", tablet: "answered answered_outside_round"},
		{name: "begun the day before", begun: end.Add(-30 * time.Hour), given: end.Add(time.Minute), dated: true},
		{name: "in other zones", begun: end.Add(-ms).In(tokyo), given: end.Add(time.Minute).In(time.FixedZone("", -8*60*60)), dated: true},
		{name: "begun before the round", begun: end.AddDate(0, 0, -30).Add(-ms), given: end.Add(time.Minute), web: "round round_closed", tablet: "answered answered_outside_round"},
		{name: "begun as the round began", begun: end.AddDate(0, 0, -30), given: end.Add(time.Minute), dated: true},
		{name: "of an hour that came first", begun: end.Add(2 * time.Minute), given: end.Add(time.Minute), web: "round round_closed", tablet: "answered answered_outside_round"},
		{name: "a draft", change: func(d *Documents) { d.Rounds[0].Status = StatusDraft }, begun: end.Add(-ms), given: end.Add(time.Minute), web: "round round_not_open", tablet: "round round_not_open"},
		// A tablet's time is proven, so it does not matter when staff closed the round.
		{name: "closed 4 s ago", change: closed(closing), begun: closing.Add(-25 * time.Second), given: closing.Add(4 * time.Second), dated: true},
		{name: "closed 30:00 ago", change: closed(closing), begun: closing.Add(-ms), given: closing.Add(30 * time.Minute), dated: true},
		{name: "closed 30:01 ago", change: closed(closing), begun: closing.Add(-ms), given: closing.Add(30*time.Minute + time.Second), web: "round round_closed"},
		{name: "closed before it was begun", change: closed(closing), begun: closing, given: closing.Add(time.Second), web: "round round_closed"},
		{name: "closed after its last day", change: closed(end.Add(time.Minute)), begun: end.Add(-ms), given: end.Add(2 * time.Minute), dated: true},
		{name: "closed, nobody kept when", change: func(d *Documents) { d.Rounds[0].Status = StatusClosed }, begun: end.Add(-ms), given: end.Add(time.Minute), web: "round round_closed", dated: true},
		// The desk or its office may end before.
		{name: "the desk's last day", change: func(d *Documents) { d.Desks[0].ValidTo = "2026-11-20" }, begun: end.AddDate(0, 0, -10).Add(-ms), given: end.AddDate(0, 0, -10), dated: true},
		{name: "the office's last day", change: func(d *Documents) { d.Units[0].ValidTo = "2026-11-20" }, begun: end.AddDate(0, 0, -10).Add(-ms), given: end.AddDate(0, 0, -10), dated: true},
		{name: "after the desk's last day", change: func(d *Documents) { d.Desks[0].ValidTo = "2026-11-20" }, begun: end.AddDate(0, 0, -10), given: end.AddDate(0, 0, -10).Add(ms), web: "desk desk_closed", tablet: "desk desk_closed"},
	} {
		d := testDocuments()
		if test.change != nil {
			test.change(&d)
		}
		c, err := NewCatalogue(d)
		if err != nil {
			t.Fatal(err)
		}
		check := func(door string, from Origin, now time.Time, want string, dated bool) {
			r, err := Accept(c, goodSubmission(t), from, now)
			if fields(err) != want {
				t.Errorf("%s, %s: %q, want %q", test.name, door, fields(err), want)
				return
			}
			hour := Hour(test.given)
			if dated {
				hour = Hour(test.begun)
			}
			if err == nil && (!r.Answered.Equal(hour) || !r.Received.Equal(Hour(now))) {
				t.Errorf("%s, %s: answered %v, received %v", test.name, door, r.Answered, r.Received)
			}
		}
		check("web", Origin{Channel: ChannelQR, Door: DoorOpen, Begun: test.begun}, test.given, test.web, test.dated)
		// What a tablet tells comes later; staff closing a round early does not reach it.
		early := c.Rounds["r1"].Status == StatusClosed && test.given.Before(end)
		check("tablet", Origin{Channel: ChannelKiosk, Door: DoorOpen, Begun: test.begun, Answered: test.given}, end.AddDate(0, 0, 9), test.tablet, test.dated && !early)
	}
}

// TestGraceOfTwoRounds: at midnight one round ends and the next begins; each answer goes to
// the round whose form was read.
func TestGraceOfTwoRounds(t *testing.T) {
	c := world(t, roundOf("r1", nil), roundOf("r2", func(r *Round) { r.First, r.Last = "2026-12-01", "2026-12-31" }))
	end := time.Date(2026, 11, 30, 17, 0, 0, 0, time.UTC)
	for round, want := range map[string]string{"r1": "2026-11-30", "r2": "2026-12-01"} {
		s := goodSubmission(t)
		s.Round = round
		r, err := Accept(c, s, Origin{Channel: ChannelQR, Door: DoorOpen, Begun: end.Add(-time.Minute)}, end.Add(time.Minute))
		if err != nil || r.Round != round || string(DateOf(r.Answered)) != want {
			t.Errorf("%s: on %s, %v", round, DateOf(r.Answered), err)
		}
	}
	if shown, _ := c.RoundAt(ChannelQR, "u1", DateOf(end)); shown.ID != "r2" {
		t.Errorf("a new form is of %s", shown.ID)
	}
}

// TestTabletInASlipRound: no door of a tablet reads slips, live or later; exports come back
// by the doors of then, and staff's files always come in.
func TestTabletInASlipRound(t *testing.T) {
	c := world(t, roundOf("r1", func(r *Round) { r.Doors = DoorsSlip }))
	at := noon.Add(-time.Hour)
	for name, test := range map[string]struct {
		from Origin
		want string
	}{
		"a tablet":           {Origin{Channel: ChannelKiosk, Door: DoorOpen, Answered: at}, "slip slip_required"},
		"a tablet now":       {Origin{Channel: ChannelKiosk, Door: DoorOpen}, "slip slip_required"},
		"a phone":            {Origin{Channel: ChannelQR, Door: DoorOpen}, "slip slip_required"},
		"a slip":             {Origin{Channel: ChannelQR, Door: DoorSlip}, ""},
		"paper":              {Origin{Channel: ChannelPaper, Door: DoorStaff, Answered: at}, ""},
		"an exported answer": {Origin{Channel: ChannelKiosk, Door: DoorOpen, Answered: at, Restored: true, Unit: "u1"}, ""},
	} {
		if _, err := Accept(c, goodSubmission(t), test.from, noon); fields(err) != test.want {
			t.Errorf("%s: %q, want %q", name, fields(err), test.want)
		}
	}
}
