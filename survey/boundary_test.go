package survey

import (
	"testing"
	"time"
)

// at reads a moment in Vietnam.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	m, err := time.ParseInLocation("2006-01-02 15:04:05.999999999", text, VietnamTime())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestDaysOfARound: a round takes answers from the first moment of its first day to the last of its last, in Vietnam,
// and a verdict is interim for as long; dated answers of the same days are taken, of the days beside them not.
func TestDaysOfARound(t *testing.T) {
	c := testCatalogue(t)
	r := c.Rounds["r1"] // of 1 to 30 November
	for _, x := range []struct {
		moment  string
		open    Code
		interim bool
		dated   string
	}{
		{"2026-10-31 23:59:59.999999999", CodeRoundNotOpen, true, "answered answered_outside_round"},
		{"2026-11-01 00:00:00", "", true, ""},
		{"2026-11-30 00:00:00", "", true, ""},
		{"2026-11-30 23:59:59.999999999", "", true, ""},
		{"2026-12-01 00:00:00", CodeRoundClosed, false, "answered answered_outside_round"},
	} {
		moment := at(t, x.moment)
		if got := r.OpenAt(moment.UTC()); got != x.open {
			t.Errorf("%s: %q, want %q", x.moment, got, x.open)
		}
		if got := r.Interim(moment.UTC()); got != x.interim {
			t.Errorf("%s: interim is %t", x.moment, got)
		}
		_, err := Accept(c, goodSubmission(t), Origin{Channel: ChannelPaper, Door: DoorStaff, Answered: moment}, at(t, "2026-12-20 10:00:00"))
		if got := fields(err); got != x.dated {
			t.Errorf("%s, dated: %q, want %q", x.moment, got, x.dated)
		}
	}
	closed := *r
	closed.Status = StatusClosed
	if closed.OpenAt(at(t, "2026-11-15 12:00:00")) != CodeRoundClosed || closed.Interim(at(t, "2026-11-15 12:00:00")) {
		t.Error("a round that staff have closed takes answers, or may still change")
	}
}

// TestDaysOfPlaces: desks and units exist from their first day to their last, both included.
func TestDaysOfPlaces(t *testing.T) {
	unit, desk := Unit{ValidFrom: "2026-11-10", ValidTo: "2026-11-12"}, Desk{ValidFrom: "2026-11-10", ValidTo: "2026-11-12"}
	for moment, want := range map[string]bool{
		"2026-11-09 23:59:59.999999999": false, "2026-11-10 00:00:00": true, "2026-11-11 12:00:00": true,
		"2026-11-12 23:59:59.999999999": true, "2026-11-13 00:00:00": false,
	} {
		m := at(t, moment)
		if desk.ExistsAt(m.UTC()) != want || unit.ExistsOn(DateOf(m)) != want {
			t.Errorf("%s: desk %t, unit %t, want %t", moment, desk.ExistsAt(m), unit.ExistsOn(DateOf(m)), want)
		}
	}
	from, to := Desk{ValidFrom: "2026-11-10"}, Desk{ValidTo: "2026-11-12"}
	if from.ExistsAt(at(t, "2026-11-09 12:00:00")) || !from.ExistsAt(at(t, "2099-01-01 12:00:00")) || to.ExistsAt(at(t, "2026-11-13 12:00:00")) ||
		!to.ExistsAt(at(t, "1990-01-01 12:00:00")) {
		t.Error("a place without a last or a first day")
	}
}

// TestHours: what is kept of a time is the hour that has begun.
func TestHours(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-24 10:00:00": "2026-11-24T03", "2026-11-24 10:59:59.999999999": "2026-11-24T03", "2026-11-24 11:00:00": "2026-11-24T04",
		"2026-11-24 06:59:59": "2026-11-23T23", "2026-11-24 07:00:00": "2026-11-24T00",
	} {
		hour := Hour(at(t, text))
		if got := hour.Format("2006-01-02T15"); got != want || hour.Minute() != 0 || hour.Nanosecond() != 0 || hour.Location() != time.UTC {
			t.Errorf("%s: %v, want %s", text, hour, want)
		}
	}
}

// TestAnswersOfTheFuture: of dated answers the present moment is the last that is taken.
func TestAnswersOfTheFuture(t *testing.T) {
	now := at(t, "2026-11-24 10:00:00")
	for later, want := range map[time.Duration]string{-time.Nanosecond: "", 0: "", 1: "answered answered_in_future", time.Hour: "answered answered_in_future"} {
		_, err := Accept(testCatalogue(t), goodSubmission(t), Origin{Channel: ChannelPaper, Door: DoorStaff, Answered: now.Add(later)}, now)
		if got := fields(err); got != want {
			t.Errorf("%v after now: %q, want %q", later, got, want)
		}
	}
}

// TestVersionOfAShortForm: a full form may be an earlier version of its instrument; a quick or split one may not, which
// would ask other items.
func TestVersionOfAShortForm(t *testing.T) {
	for form, want := range map[string]string{FormFull: "", FormQuick: "version version_unknown", FormSplit: "version version_unknown"} {
		d := quickDocuments()
		d.Instruments[0].Modules = []Module{{ID: "a", Items: []string{"c01", "c02", "c03", "c04"}, Probability: 1}}
		later := d.Instruments[0]
		later.Version = 2
		d.Instruments = append(d.Instruments, later)
		d.Rounds[0].Form, d.Rounds[0].Version = form, 2
		c, err := NewCatalogue(d)
		if err != nil {
			t.Fatal(err)
		}
		for version, want := range map[int]string{1: want, 2: ""} {
			s := goodSubmission(t)
			s.Version, s.Reached, s.Answers = version, "", map[string]Answer{"c02": '4', "c04": '5'}
			_, err := Accept(c, s, Origin{Channel: ChannelQR, Door: DoorOpen}, noon)
			if got := fields(err); got != want {
				t.Errorf("%s form, version %d: %q, want %q", form, version, got, want)
			}
		}
	}
}

// TestOutsideHours: from six in the morning to eight in the evening an answer at a door is within hours.
func TestOutsideHours(t *testing.T) {
	for clock, outside := range map[string]bool{"00": true, "05": true, "06": false, "12": false, "19": false, "20": true, "21": true, "23": true} {
		r := Response{Answers: "54", Door: DoorOpen, Answered: Hour(at(t, "2026-11-24 "+clock+":59:59"))}
		if got := QualityFlags(&r)&FlagOutsideHours != 0; got != outside {
			t.Errorf("at %s:59: outside hours is %t", clock, got)
		}
		if r.Door = DoorStaff; QualityFlags(&r)&FlagOutsideHours != 0 {
			t.Errorf("at %s:59, of a file: outside hours", clock)
		}
	}
}
