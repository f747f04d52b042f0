package stats

import (
	"errors"
	"math"
	"slices"
	"testing"
)

func TestSamplePlanRefuses(t *testing.T) {
	good := SamplePlan{Population: 1000, Margin: 0.05, Share: 0.5, Level: 0.95, DesignEffect: 1, ResponseRate: 1}
	if _, err := good.Size(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*SamplePlan){
		"population":    func(p *SamplePlan) { p.Population = 0 },
		"margin":        func(p *SamplePlan) { p.Margin = 0 },
		"share":         func(p *SamplePlan) { p.Share = 1 },
		"level":         func(p *SamplePlan) { p.Level = 95 },
		"design effect": func(p *SamplePlan) { p.DesignEffect = math.NaN() },
		"response rate": func(p *SamplePlan) { p.ResponseRate = 1.1 },
	} {
		plan := good
		spoil(&plan)
		if _, err := plan.Size(); !errors.Is(err, ErrPlanning) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestMarginWith(t *testing.T) {
	plan := SamplePlan{Population: 1000, Margin: 0.05, Share: 0.5, Level: 0.95, DesignEffect: 1, ResponseRate: 1}
	if got := plan.MarginWith(1000); got != 0 {
		t.Errorf("everybody asked: margin %v", got)
	}
	for _, n := range []float64{0, 1001, math.NaN()} {
		if got := plan.MarginWith(n); !math.IsNaN(got) {
			t.Errorf("n = %v: margin %v", n, got)
		}
	}
}

func TestRoundAllocation(t *testing.T) {
	for _, c := range []struct {
		parts []float64
		want  []int
	}{
		{[]float64{1.2, 2.7, 3.1}, []int{1, 3, 3}},
		{[]float64{1.5, 1.5, 1}, []int{2, 1, 1}},     // ties: the first stratum
		{[]float64{0.25, 0.25, 0.5}, []int{0, 0, 1}}, // the largest remainder
		{[]float64{1.0 / 3, 1.0 / 3, 1.0 / 3}, []int{1, 0, 0}},
		{nil, []int{}},
	} {
		if got := RoundAllocation(c.parts); !slices.Equal(got, c.want) {
			t.Errorf("%v rounds to %v, want %v", c.parts, got, c.want)
		}
	}
}

func TestPlanStrata(t *testing.T) {
	p := SamplePlan{Margin: 0.05, Share: 0.5, Level: 0.95, DesignEffect: 1, ResponseRate: 0.5}
	got, err := PlanStrata(p, []float64{10_000, 500}, []float64{0.5, 0.3}, 105)
	if err != nil {
		t.Fatal(err)
	}
	// Cochran's 370 and 217.5 for these sizes; half of those who are asked answer.
	for h, want := range []struct {
		answers, slovin              float64
		invite, proportional, neyman int
	}{{369.98, 384.62, 740, 100, 102}, {217.49, 222.22, 435, 5, 3}} {
		if g := got[h]; math.Abs(g.Size.Answers-want.answers) > 0.01 || math.Abs(g.Slovin-want.slovin) > 0.01 || g.Size.Invite != want.invite || g.Proportional != want.proportional || g.Neyman != want.neyman {
			t.Errorf("stratum %d: %+v, want %+v", h, g, want)
		}
	}
	// A small stratum that differs much is taken whole, never more.
	got, err = PlanStrata(p, []float64{10, 1000}, []float64{0.5, 0.01}, 100)
	if err != nil || got[0].Neyman != 10 || got[1].Neyman != 90 {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = PlanStrata(p, []float64{10, 30}, []float64{0, 0}, 20); err != nil || got[0].Neyman != 5 || got[1].Neyman != 15 {
		t.Errorf("without deviations: %+v, %v", got, err)
	}
	if got, err = PlanStrata(p, []float64{10, 30}, []float64{0.5, 0}, 20); err != nil || got[0].Neyman != 10 || got[1].Neyman != 10 {
		t.Errorf("one without deviation: %+v, %v", got, err)
	}
	for name, c := range map[string]struct {
		sizes, deviations []float64
		total             int
	}{
		"nobody in a stratum": {[]float64{0, 5}, []float64{0.5, 0.5}, 1}, "more than there are": {[]float64{4, 5}, []float64{0.5, 0.5}, 10},
		"fewer than none": {[]float64{4, 5}, []float64{0.5, 0.5}, -1}, "no deviation": {[]float64{4}, []float64{math.NaN()}, 1}, "no end": {[]float64{math.Inf(1)}, []float64{0.5}, 1},
	} {
		if _, err := PlanStrata(p, c.sizes, c.deviations, c.total); !errors.Is(err, ErrPlanning) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
