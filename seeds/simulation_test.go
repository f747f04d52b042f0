package seeds

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"sipas/survey"
)

const today survey.Date = "2026-11-25"

// demo makes the demonstration, changed by the options.
func demo(t testing.TB, change ...func(*Params)) (survey.Documents, *Simulation) {
	t.Helper()
	p := DefaultParams()
	for _, c := range change {
		c(&p)
	}
	d, sim, err := Demo(today, p)
	if err != nil {
		t.Fatal(err)
	}
	return d, sim
}

// Every visit must pass the door, and the short way must give what the door
// gives.
func TestVisitsPassTheDoor(t *testing.T) {
	for name, split := range map[string]bool{"full": false, "split": true} {
		t.Run(name, func(t *testing.T) { passTheDoor(t, split) })
	}
}

func passTheDoor(t *testing.T, split bool) {
	d, sim := demo(t, func(p *Params) { p.Split = split })
	c, err := survey.NewCatalogue(d)
	if err != nil {
		t.Fatal(err)
	}
	n, ids := 0, map[survey.ID]bool{}
	for v := range sim.Visits(today.AddDays(-1)) {
		s, from, received := v.Submission()
		got, err := survey.Accept(c, s, from, received)
		if err != nil {
			t.Fatalf("visit %d is refused: %v", n, err)
		}
		if want := v.Response(); !reflect.DeepEqual(got, want) {
			t.Fatalf("visit %d:\n accepted %+v\n response %+v", n, got, want)
		}
		if received.After(today.Start()) {
			t.Fatalf("visit %d arrives at %v, after yesterday", n, received)
		}
		if asked := got.Answers.Asked(); split != (asked < 7) {
			t.Fatalf("visit %d was asked %d items", n, asked)
		}
		ids[got.ID] = true
		n++
	}
	if n != 24_000 || len(ids) != n || sim.Answers() != n {
		t.Errorf("%d visits with %d ids, want 24000 each", n, len(ids))
	}
}

func TestVisitsComeInOrderOfTheirHours(t *testing.T) {
	_, sim := demo(t)
	var before survey.Response
	for v := range sim.Visits(today) {
		r := v.Response()
		if r.Answered.Before(before.Answered) {
			t.Fatalf("%v comes after %v", r.Answered, before.Answered)
		}
		before = r
	}
}

// The same seed gives the same people on any day, other seeds others.
func TestAnswersAreFixedBySeed(t *testing.T) {
	collect := func(last survey.Date, seed uint64) []survey.Response {
		_, sim := demo(t, func(p *Params) { p.Seed, p.Answers = seed, 500 })
		var all []survey.Response
		for v := range sim.Visits(last) {
			r := v.Response()
			// dates, and what holds the date, may differ
			clear(r.ID[:6])
			r.Answered, r.Received = r.Answered.AddDate(-r.Answered.Year(), 0, 0), r.Answered
			all = append(all, r)
		}
		return all
	}
	base, other, reseeded := collect("2026-11-24", 1), collect("2027-02-08", 1), collect("2026-11-24", 2)
	same := 0
	for i := range base {
		a, b := base[i], other[i]
		a.Answered, a.Received, b.Answered, b.Received = today.Start(), today.Start(), today.Start(), today.Start()
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("visit %d depends on the day:\n%+v\n%+v", i, a, b)
		}
		if a.Answers == reseeded[i].Answers {
			same++
		}
	}
	if same > len(base)/10 {
		t.Errorf("%d of %d people answer the same under another seed", same, len(base))
	}
}

func TestMoreAnswersLeaveTheTruthAlone(t *testing.T) {
	_, few := demo(t, func(p *Params) { p.Answers, p.Transactions = 100, 300_000 })
	_, many := demo(t, func(p *Params) { p.Answers, p.Transactions = 9000, 300_000 })
	if a, b := few.TrueItems(""), many.TrueItems(""); !slices.Equal(a, b) {
		t.Errorf("true items %v with few answers, %v with many", a, b)
	}
}

// Rates must be as stated: within four standard deviations of a binomial.
func TestRates(t *testing.T) {
	_, sim := demo(t, func(p *Params) { p.Answers = 60_000 })
	p, items := DefaultParams(), len(sim.items)
	feedback := sim.in.FactorItems()[4]
	var count [9]float64
	var n, feedbackAsked, otherAsked, filled float64
	for v := range sim.Visits(today) {
		n++
		a := survey.Answers(v.answers[:items])
		if a[items-1] == byte(survey.BrokenOff) {
			count[0]++
		}
		for i := range a {
			switch code := survey.Answer(a[i]); {
			case code == survey.BrokenOff:
				continue
			case i >= feedback[0]:
				feedbackAsked++
				if code == survey.NotApplicable {
					count[1]++
					continue
				}
			default:
				otherAsked++
				if code == survey.NotApplicable {
					count[2]++
					continue
				}
			}
			filled++
			if a[i] == byte(survey.Blank) {
				count[3]++
			}
		}
		switch v.channel {
		case survey.ChannelKiosk:
			count[4]++
		case survey.ChannelPaper:
			count[5]++
		}
		if v.at.In(survey.VietnamTime()).Hour() == eveningHour {
			count[6]++
		}
		if v.options[0] != 0 {
			count[7]++
		}
		if v.comment != "" {
			count[8]++
		}
	}
	for i, c := range []struct {
		name    string
		rate, n float64
		// whole factors are not applicable at once
		cluster float64
	}{
		{"broken off", p.BrokenOff, n, 1}, {"feedback not applicable", p.NAFeedback, feedbackAsked, 4},
		{"other not applicable", p.NAOther, otherAsked, 1}, {"blank", p.Blank, filled, 1},
		{"kiosk", p.Kiosk, n, 1}, {"paper", p.Paper, n, 1}, {"evening", p.Evening, n, 1},
		{"gender stated", p.Stated, n, 1}, {"comments", p.Comments, n, 1},
	} {
		got := count[i] / c.n
		if tolerance := 4 * math.Sqrt(c.cluster*c.rate*(1-c.rate)/c.n); math.Abs(got-c.rate) > tolerance {
			t.Errorf("%s: rate %.5f, stated %.5f ± %.5f", c.name, got, c.rate, tolerance)
		}
	}
}

// Straight-lining is told apart from people who honestly give one level by
// what the rate adds.
func TestStraightLiningAsStated(t *testing.T) {
	flagged := func(rate float64) float64 {
		_, sim := demo(t, func(p *Params) { p.StraightLine, p.Answers = rate, 40_000 })
		n := 0.0
		for v := range sim.Visits(today) {
			if r := v.Response(); r.Flags&survey.FlagStraightLine != 0 {
				n++
			}
		}
		return n / 40_000
	}
	honest, all := flagged(0), flagged(0.2)
	// nearly all who straight-line have ten levels to be seen by
	if got, want := all, honest+0.2*(1-honest); math.Abs(got-want) > 0.012 {
		t.Errorf("flagged %.4f with 20%% straight-lining and %.4f without, want about %.4f", got, honest, want)
	}
}

func TestPopulationsHoldTheAnswers(t *testing.T) {
	for seed := range uint64(3) {
		_, sim := demo(t, func(p *Params) { p.Seed = seed })
		left := map[[3]string]int{}
		for _, p := range sim.Populations() {
			for _, c := range p.Cells {
				left[[3]string{p.Unit, c.Field, c.Filing}] = c.Returned
			}
		}
		for v := range sim.Visits(today) {
			r := v.Response()
			k := [3]string{r.Unit, r.Field, r.Filing}
			if left[k]--; left[k] < 0 {
				t.Fatalf("seed %d: more answers than results in %v", seed, k)
			}
		}
	}
}

func TestSimulateRefuses(t *testing.T) {
	d, err := Synthetic(2, 1, today)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		round  string
		change func(*Params)
	}{
		"unknown round": {"other", func(*Params) {}},
		"no days":       {SyntheticRound, func(p *Params) { p.Days = 0 }},
		"negative":      {SyntheticRound, func(p *Params) { p.Answers = -1 }},
	} {
		p := DefaultParams()
		c.change(&p)
		if _, err := Simulate(d, c.round, p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	d.Desks = nil
	if _, err := Simulate(d, SyntheticRound, DefaultParams()); err == nil {
		t.Error("a round without desks: no error")
	}
}

func BenchmarkVisits(b *testing.B) {
	d, err := Synthetic(200, 3, today)
	if err != nil {
		b.Fatal(err)
	}
	p := DefaultParams()
	p.Answers, p.Days = 1_000_000, 90
	sim, err := Simulate(d, SyntheticRound, p)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("million", func(b *testing.B) {
		for b.Loop() {
			for v := range sim.Visits(today) {
				_ = v
			}
		}
	})
	b.Run("million-responses", func(b *testing.B) {
		for b.Loop() {
			for v := range sim.Visits(today) {
				_ = v.Response()
			}
		}
	})
}
