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
