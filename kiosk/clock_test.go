package kiosk

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"sipas/survey"
)

// at reads a time in Vietnam: "2026-11-16 08:00:00".
func at(text string) time.Time {
	t, err := time.ParseInLocation(time.DateTime, text, survey.VietnamTime())
	if err != nil {
		panic(err)
	}
	return t
}

// stretch is what truly happened: a session, and what the wall clock showed as it
// began. One with contact heard the time at its end.
type stretch struct {
	from, to, wall string
	contact        bool
}

func (s stretch) length() time.Duration { return at(s.to).Sub(at(s.from)) }

// told is what the tablet knows of stretches. The monotonic clock begins anew, from
// anywhere, in each session.
func told(history []stretch) []Session {
	out := make([]Session, len(history))
	for i, s := range history {
		from := int64(i)*1_000_003%7_000_000 - 2_000_000
		out[i] = Session{N: int64(i) + 3, From: from, To: from + s.length().Milliseconds(), Wall: at(s.wall).UnixMilli()}
		if s.contact {
			out[i].Anchor = &Anchor{Mono: out[i].To, Time: at(s.to).UnixMilli()}
		}
	}
	return out
}

// TestRepair: 2026-11-16 is a Monday. Every moment lands between the contacts around
// it and after the moment before; exact and sure in a session with contact; elsewhere
// unsure, and no further than off from the truth, in that day.
func TestRepair(t *testing.T) {
	born, now := at("2026-11-02 09:00:00"), at("2026-11-20 18:00:00")
	const anywhere = -1 // nothing but the order is known
	for name, test := range map[string]struct {
		history []stretch
		off     time.Duration
	}{
		"a right clock": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-16 08:00:00", true},
			{"2026-11-17 07:50:00", "2026-11-17 17:00:00", "2026-11-17 07:50:00", false},
			{"2026-11-19 09:10:00", "2026-11-19 16:00:00", "2026-11-19 09:10:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-20 08:00:00", true},
		}, 0},
		"1970 at each start": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "1970-01-01 07:01:00", true},
			{"2026-11-17 08:00:00", "2026-11-17 17:00:00", "1970-01-01 07:01:00", false},
			{"2026-11-18 08:00:00", "2026-11-18 17:00:00", "1970-01-01 07:01:00", false},
			{"2026-11-19 08:00:00", "2026-11-19 17:00:00", "1970-01-01 07:01:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "1970-01-01 07:01:00", true},
		}, 0},
		// It sleeps at noon, and first hears the time on Friday afternoon.
		"1970 at each start, and two sessions a day": {[]stretch{
			{"2026-11-16 13:00:00", "2026-11-16 17:00:00", "1970-01-01 12:01:00", true},
			{"2026-11-17 08:00:00", "2026-11-17 11:30:00", "1970-01-01 07:01:00", false},
			{"2026-11-17 13:00:00", "2026-11-17 17:00:00", "1970-01-01 12:01:00", false},
			{"2026-11-18 08:00:00", "2026-11-18 11:30:00", "1970-01-01 07:01:00", false},
			{"2026-11-18 13:00:00", "2026-11-18 17:00:00", "1970-01-01 12:01:00", false},
			{"2026-11-19 08:00:00", "2026-11-19 11:30:00", "1970-01-01 07:01:00", false},
			{"2026-11-19 13:00:00", "2026-11-19 17:00:00", "1970-01-01 12:01:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 11:30:00", "1970-01-01 07:01:00", false},
			{"2026-11-20 13:00:00", "2026-11-20 17:00:00", "1970-01-01 12:01:00", true},
		}, 6 * time.Hour},
		"2040": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2040-02-29 23:00:00", true},
			{"2026-11-17 08:00:00", "2026-11-17 17:00:00", "2040-03-01 23:00:00", false},
			{"2026-11-18 08:00:00", "2026-11-18 12:00:00", "2040-03-02 23:00:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2040-03-04 23:00:00", true},
		}, 0},
		"two days behind": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-14 08:00:00", true},
			{"2026-11-17 08:00:00", "2026-11-17 17:00:00", "2026-11-15 08:00:00", false},
			{"2026-11-19 08:00:00", "2026-11-19 17:00:00", "2026-11-17 08:00:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-18 08:00:00", true},
		}, 0},
		"two days ahead, and no contact since": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-18 08:00:00", true},
			{"2026-11-17 08:00:00", "2026-11-17 17:00:00", "2026-11-19 08:00:00", false},
			{"2026-11-18 08:00:00", "2026-11-18 17:00:00", "2026-11-20 08:00:00", false},
		}, 0},
		"two days behind, and no contact before": {[]stretch{
			{"2026-11-17 08:00:00", "2026-11-17 17:00:00", "2026-11-15 08:00:00", false},
			{"2026-11-19 08:00:00", "2026-11-19 17:00:00", "2026-11-17 08:00:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-18 08:00:00", true},
		}, 0},
		// Tuesday's wall clock would also make a Wednesday.
		"set back by a day in the middle": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-17 08:00:00", true},
			{"2026-11-17 08:00:00", "2026-11-17 10:00:00", "2026-11-18 08:00:00", false},
			{"2026-11-17 10:00:00", "2026-11-17 17:00:00", "2026-11-17 10:00:00", false},
			{"2026-11-19 08:00:00", "2026-11-19 17:00:00", "2026-11-19 08:00:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-20 08:00:00", true},
		}, 0},
		"set forward by three days in the middle": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-13 08:00:00", true},
			{"2026-11-17 08:00:00", "2026-11-17 10:00:00", "2026-11-14 08:00:00", false},
			{"2026-11-17 10:00:00", "2026-11-17 17:00:00", "2026-11-17 10:00:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-20 08:00:00", true},
		}, 0},
		// Somebody sets it while people answer; between contacts there is one place for it.
		"three hours ahead for two hours": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 10:00:00", "2026-11-16 08:00:00", true},
			{"2026-11-16 10:00:00", "2026-11-16 12:00:00", "2026-11-16 13:00:00", false},
			{"2026-11-16 12:00:00", "2026-11-16 17:00:00", "2026-11-16 12:00:00", true},
		}, 0},
		"three hours back for two hours": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 10:00:00", "2026-11-16 08:00:00", true},
			{"2026-11-16 10:00:00", "2026-11-16 12:00:00", "2026-11-16 07:00:00", false},
			{"2026-11-16 12:00:00", "2026-11-16 17:00:00", "2026-11-16 12:00:00", true},
		}, 0},
		"ten years ahead for two hours": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 10:00:00", "2026-11-16 08:00:00", true},
			{"2026-11-16 10:00:00", "2026-11-16 12:00:00", "2036-11-16 10:00:00", false},
			{"2026-11-16 12:00:00", "2026-11-16 17:00:00", "2026-11-16 12:00:00", true},
		}, 0},
		// Nothing says that it is wrong, but unsure it is.
		"three hours ahead, and no contact since": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 10:00:00", "2026-11-16 08:00:00", true},
			{"2026-11-16 10:00:00", "2026-11-16 12:00:00", "2026-11-16 13:00:00", false},
		}, 3 * time.Hour},
		// The battery was empty on Tuesday.
		"1970 once, then right": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-16 08:00:00", true},
			{"2026-11-17 08:00:00", "2026-11-17 17:00:00", "1970-01-01 07:00:20", false},
			{"2026-11-18 08:00:00", "2026-11-18 17:00:00", "2026-11-18 08:00:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-20 08:00:00", true},
		}, 0},
		"2040 once, then right": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-16 08:00:00", true},
			{"2026-11-17 08:00:00", "2026-11-17 17:00:00", "2026-11-17 08:00:00", false},
			{"2026-11-18 08:00:00", "2026-11-18 17:00:00", "2040-01-01 00:00:00", false},
			{"2026-11-19 08:00:00", "2026-11-19 17:00:00", "2026-11-19 08:00:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-20 08:00:00", true},
		}, 0},
		// The offset of Monday would make a Tuesday of Thursday.
		"1970 again after the contact": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "1970-01-01 07:01:00", true},
			{"2026-11-17 23:00:00", "2026-11-18 02:00:00", "1970-01-01 07:01:00", false},
			{"2026-11-19 08:00:00", "2026-11-19 12:00:00", "1970-01-02 16:01:00", false},
		}, 0},
		// Woke at once after a session in which the clocks went apart by a second. Spread
		// over the gap it would land in the night.
		"a second lost before": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-16 08:00:00", true},
			{"2026-11-16 17:00:00", "2026-11-16 17:30:00", "2026-11-16 16:59:59", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-20 08:00:00", true},
		}, time.Second},
		"a second too many after": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-16 08:00:00", true},
			{"2026-11-20 07:00:00", "2026-11-20 08:00:00", "2026-11-20 07:00:01", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-20 08:00:00", true},
		}, time.Second},
		// An hour behind on Monday, half a minute less on Friday.
		"drifted": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-16 07:00:00", true},
			{"2026-11-16 17:00:01", "2026-11-16 18:00:00", "2026-11-16 16:00:01", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-20 07:00:30", true},
		}, 30 * time.Second},
		"a right clock and no contact": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2026-11-16 08:00:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2026-11-20 08:00:00", false},
		}, 0},
		"1970 and no contact": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "1970-01-01 07:01:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "1970-01-01 07:01:00", false},
		}, anywhere},
		"2040 and no contact": {[]stretch{
			{"2026-11-16 08:00:00", "2026-11-16 17:00:00", "2040-03-01 07:01:00", false},
			{"2026-11-20 08:00:00", "2026-11-20 17:00:00", "2040-03-05 07:01:00", false},
		}, anywhere},
	} {
		t.Run(name, func(t *testing.T) {
			sessions := told(test.history)
			clock := Repair(sessions, born, now)
			last := born
			for i, h := range test.history {
				next := now // the next contact
				for _, later := range test.history[i+1:] {
					if later.contact {
						next = at(later.from)
						break
					}
				}
				for _, into := range []time.Duration{0, h.length() / 3, h.length()} {
					s := sessions[i]
					got, unsure := clock.When(s.N, s.From+into.Milliseconds(), s.Wall+into.Milliseconds())
					truth := at(h.from).Add(into)
					if unsure == h.contact {
						t.Errorf("%v: unsure %v", truth, unsure)
					}
					if got.Location() != time.UTC || got.Before(last) || got.After(next) {
						t.Errorf("%v: found %v, which is not in UTC between %v and %v", truth, got, last, next)
					}
					last = got
					off := got.Sub(truth).Abs()
					switch {
					case h.contact && off != 0:
						t.Errorf("%v: found %v though there was contact", truth, got)
					case test.off != anywhere && (off > test.off || survey.DateOf(got) != survey.DateOf(truth)):
						t.Errorf("%v: found %v", truth, got)
					}
				}
			}
		})
	}
}

// Sessions for which nothing but the gap is known are spread evenly over it.
func TestRepairSpreads(t *testing.T) {
	hour := time.Hour.Milliseconds()
	born, now := time.UnixMilli(1000*hour), time.UnixMilli(1010*hour)
	lost := []Session{{N: 1, To: hour, Wall: 1}, {N: 2, From: 5, To: 5, Wall: 1}, {N: 3, From: 7, To: hour + 7, Wall: 1}}
	contact := func(n, at int64) Session { return Session{N: n, Wall: at * hour, Anchor: &Anchor{0, at * hour}} }
	for name, test := range map[string]struct {
		sessions []Session
		want     [3]int64
	}{
		"no contact":                 {nil, [3]int64{1002, 1005, 1007}},
		"contact before":             {[]Session{contact(0, 1004)}, [3]int64{1005, 1007, 1008}},
		"contact after":              {[]Session{contact(4, 1006)}, [3]int64{1001, 1003, 1004}},
		"contact before it was born": {[]Session{contact(0, 900)}, [3]int64{1002, 1005, 1007}},
		"contact to come":            {[]Session{contact(4, 1100)}, [3]int64{1002, 1005, 1007}},
		"no room":                    {[]Session{contact(0, 1005), contact(4, 1005)}, [3]int64{1005, 1005, 1005}},
		"contacts that contradict":   {[]Session{contact(0, 1008), contact(4, 1003)}, [3]int64{1003, 1003, 1003}},
	} {
		clock := Repair(append(test.sessions, lost...), born, now)
		for i, s := range lost {
			if got, unsure := clock.When(s.N, s.From, 0); got.UnixMilli() != test.want[i]*hour || !unsure {
				t.Errorf("%s: session %d began at %v hours, unsure %v, want %d", name, s.N, float64(got.UnixMilli())/float64(hour), unsure, test.want[i])
			}
		}
	}
}

// What is told twice of a session, in any order, is put together.
func TestRepairTwice(t *testing.T) {
	born, now := time.UnixMilli(1_000_000), time.UnixMilli(9_000_000)
	for name, test := range map[string]struct {
		sessions []Session
		mono     int64
		want     int64
		unsure   bool
	}{
		"by the contact of now":       {[]Session{{N: 1, From: 0, To: 50, Wall: 7}, {N: 1, From: 90, To: 90, Wall: 97, Anchor: &Anchor{90, 5_000_090}}}, 10, 5_000_010, false},
		"the other way round":         {[]Session{{N: 1, From: 90, To: 90, Wall: 97, Anchor: &Anchor{90, 5_000_090}}, {N: 1, From: 0, To: 50, Wall: 7}}, 10, 5_000_010, false},
		"the later anchor holds":      {[]Session{{N: 1, To: 9, Anchor: &Anchor{0, 5_000_000}}, {N: 1, To: 9, Anchor: &Anchor{0, 6_000_000}}}, 3, 6_000_003, false},
		"the wall clock at the first": {[]Session{{N: 1, From: 500, To: 500, Wall: 2_000_000}, {N: 1, From: 0, To: 10, Wall: 3_000_000}}, 0, 3_000_000, true},
		"after the later end":         {[]Session{{N: 0, To: 10, Wall: 2_000_000}, {N: 0, To: 6_000_000, Wall: 2_000_000}, {N: 1, Wall: 2_500_000}}, 0, 8_500_000, true},
		"another session":             {[]Session{{N: 2, To: 9, Anchor: &Anchor{0, 5_000_000}}, {N: 1, To: 9, Wall: 2_000_000}}, 0, 2_000_000, true},
		"an end before its beginning": {[]Session{{N: 0, From: 500_000, To: 0, Wall: 2_000_000}, {N: 1, Wall: 1_700_000}}, 0, 5_500_000, true},
		"told of nowhere":             {nil, 0, 4_000_000, true}, // by the wall clock of the answer
		"with a wild clock":           {[]Session{{N: 1, Wall: maxClock + 1}}, 0, 4_000_000, true},
		"with a negative number":      {[]Session{{N: -1, Wall: 2_000_000}}, 0, 4_000_000, true},
		"with a wild anchor":          {[]Session{{N: 1, Wall: 2_000_000, Anchor: &Anchor{0, math.MaxInt64}}}, 0, 4_000_000, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, unsure := Repair(test.sessions, born, now).When(1, test.mono, 4_000_000)
			if got.UnixMilli() != test.want || unsure != test.unsure {
				t.Errorf("got %d, unsure %v, want %d, unsure %v", got.UnixMilli(), unsure, test.want, test.unsure)
			}
		})
	}
}

// Nothing was before the tablet existed, or is after now. An anchor says more than
// that only by as much as a contact takes.
func TestWhenBounds(t *testing.T) {
	born, now := at("2026-11-16 08:00:00"), at("2026-11-16 17:00:00")
	for name, test := range map[string]struct {
		anchored, want time.Time
		unsure         bool
	}{
		"now":               {now, now, false},
		"a minute to come":  {now.Add(time.Minute), now, false},
		"two minutes":       {now.Add(2 * time.Minute), now, false},
		"more than that":    {now.Add(2*time.Minute + 1e6), now, true},
		"a year to come":    {now.AddDate(1, 0, 0), now, true},
		"a minute too old":  {born.Add(-time.Minute), born, false},
		"an hour too old":   {born.Add(-time.Hour), born, true},
		"in 1970":           {time.UnixMilli(0), born, true},
		"between":           {born.Add(time.Second), born.Add(time.Second), false},
		"the year 9999":     {time.UnixMilli(maxClock), now, true},
		"before the common": {time.UnixMilli(-maxClock), born, true},
	} {
		t.Run(name, func(t *testing.T) {
			clock := Repair([]Session{{N: 1, Anchor: &Anchor{0, test.anchored.UnixMilli()}}}, born, now)
			if got, unsure := clock.When(1, 0, 0); !got.Equal(test.want) || unsure != test.unsure {
				t.Errorf("got %v, unsure %v, want %v, unsure %v", got, unsure, test.want, test.unsure)
			}
		})
	}
	clock := Repair([]Session{{N: 1, Anchor: &Anchor{0, born.UnixMilli()}}}, born, now)
	for mono, want := range map[int64]time.Time{math.MaxInt64: now, math.MinInt64: born} {
		if got, unsure := clock.When(1, mono, 0); !got.Equal(want) || !unsure {
			t.Errorf("at %d: %v, unsure %v, want %v", mono, got, unsure, want)
		}
	}
	// A tablet that will exist.
	if got, unsure := Repair(nil, now.AddDate(1, 0, 0), now).When(0, 0, 0); !got.Equal(now) || !unsure {
		t.Errorf("born in a year: %v, unsure %v, want now", got, unsure)
	}
}

// Numbers that no clock shows.
func TestRepairWild(t *testing.T) {
	born, now := at("2026-11-16 08:00:00"), at("2026-11-16 17:00:00")
	wild := []int64{math.MinInt64, -maxClock - 1, -maxClock, -1, 0, 1, now.UnixMilli(), maxClock, maxClock + 1, math.MaxInt64}
	for _, a := range wild {
		for _, b := range wild {
			sessions := []Session{
				{N: 0, From: a, To: b, Wall: a}, {N: 1, From: b, To: a, Wall: b, Anchor: &Anchor{a, b}},
				{N: 2, From: a, To: b, Wall: b}, {N: 3, From: a, To: a, Wall: b, Anchor: &Anchor{b, b}},
				{N: 4, From: b, To: a, Wall: a}, {N: a, Wall: b}, {N: math.MaxInt64, From: a, To: b, Wall: a},
			}
			clock := Repair(sessions, born, now)
			for _, n := range []int64{math.MinInt64, -1, 0, 1, 2, 3, 4, 5, math.MaxInt64} {
				for _, mono := range wild {
					if got, _ := clock.When(n, mono, a); got.Before(born) || got.After(now) {
						t.Fatalf("%d and %d, session %d at %d: %v", a, b, n, mono, got)
					}
				}
			}
		}
	}
}

// FuzzRepair: whatever a tablet tells, every moment is between born and now; and
// sessions keep their order: those without contact begin in the order of their
// numbers between two contacts, and all of them do, each between the contacts around
// it, where the contacts themselves follow each other.
func FuzzRepair(f *testing.F) {
	f.Add([]byte{1, 1, 0, 0, 9, 0, 5, 0, 9, 0, 99, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 9, 0, 50, 0, 0, 0, 200, 0}, int64(3), int64(300))
	f.Add([]byte{1, 0x0e, 0, 0, 9, 0x7f, 5, 0x80, 9, 0, 99, 0, 1, 0x0f, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, int64(math.MinInt64), int64(math.MaxInt64))
	f.Fuzz(func(t *testing.T, data []byte, from, to int64) {
		born, now := time.UnixMilli(from%maxClock), time.UnixMilli(to%maxClock)
		var sessions []Session
		for ; len(data) >= 12 && len(sessions) < 200; data = data[12:] {
			// How large the numbers are is drawn too: up to the ends of 64 bits.
			number := func(i int) int64 {
				return int64(int16(binary.LittleEndian.Uint16(data[2+2*i:]))) << (data[1] >> 1 & 7 * 8)
			}
			s := Session{N: int64(data[0]), From: number(0), To: number(1), Wall: number(2)}
			if data[1]&1 != 0 {
				s.Anchor = &Anchor{number(3), number(4)}
			}
			sessions = append(sessions, s)
		}
		clock := Repair(sessions, born, now)
		if now.Before(born) {
			born = now
		}
		when := func(n, mono, wall int64) time.Time {
			got, _ := clock.When(n, mono, wall)
			if got.Before(born) || got.After(now) {
				t.Fatalf("session %d at %d: %v is not between %v and %v", n, mono, got, born, now)
			}
			return got
		}
		first, end, contact := map[int64]int64{}, map[int64]int64{}, map[int64]*Anchor{}
		for _, s := range sessions {
			when(s.N, s.To, s.Wall)
			when(s.N, math.MaxInt64, math.MinInt64)
			when(s.N, math.MinInt64, math.MaxInt64)
			if !sane(s) {
				continue
			}
			if v, ok := first[s.N]; !ok || s.From < v {
				first[s.N] = s.From
			}
			if v, ok := end[s.N]; !ok || max(s.To, s.From) > v {
				end[s.N] = max(s.To, s.From)
			}
			if s.Anchor != nil {
				contact[s.N] = s.Anchor
			}
		}
		follow, lastEnd := true, int64(math.MinInt64)
		for n := range int64(256) {
			if a := contact[n]; a != nil {
				follow = follow && a.Time-a.Mono+first[n] >= lastEnd
				lastEnd = a.Time - a.Mono + end[n]
			}
		}
		var began, ended time.Time // of the session before, the last contact
		gap := false
		for n := range int64(256) {
			if _, ok := first[n]; !ok {
				continue
			}
			start := when(n, first[n], 0)
			if (follow || gap && contact[n] == nil) && (start.Before(began) || start.Before(ended)) {
				t.Fatalf("session %d began at %v, the one before at %v, the last contact was over at %v", n, start, began, ended)
			}
			if began, gap = start, contact[n] == nil; !gap && follow {
				ended = when(n, end[n], 0)
			}
			if _, unsure := clock.When(n, first[n], 0); gap && !unsure {
				t.Fatalf("session %d is sure without contact", n)
			}
		}
	})
}
