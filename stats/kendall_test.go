package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestMannKendallByHand: 2, 4, 3, 5 rises in five pairs of six. Two of all 24 orders have S = 6 or −6 and 6 have ±4,
// so that 8/24 are as far from 0. The slopes are 2, −1, 2, ½, ½, 1.
func TestMannKendallByHand(t *testing.T) {
	m, err := MannKendall([]float64{2, 1, 4, 3, 9}, []float64{4, 2, 5, 3, math.NaN()})
	if err != nil {
		t.Fatal(err)
	}
	variance := 4 * 3 * 13.0 / 18
	if m.N != 4 || m.S != 4 || !closeTo(m.VarianceS, variance) || !closeTo(m.Z, 3/math.Sqrt(variance)) || !closeTo(m.TauB, 4.0/6) || m.Ties {
		t.Errorf("%+v", m)
	}
	if m.PExact == nil || !closeTo(*m.PExact, 8.0/24) {
		t.Errorf("exact p %v, want 8/24", m.PExact)
	}
	if !closeTo(m.Slope, 0.75) || !closeTo(m.Intercept, 3.5-0.75*2.5) {
		t.Errorf("slope %v from %v", m.Slope, m.Intercept)
	}
}

func TestMannKendallLimits(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, tt := range map[string]struct {
		times, series []float64
		undefined     bool
	}{
		"nothing":            {nil, nil, true},
		"two points":         {[]float64{1, 2, 3}, []float64{4, nan, 5}, true},
		"all equal":          {[]float64{1, 2, 3}, []float64{4, 4, 4}, true},
		"two at one time":    {[]float64{1, 2, 2}, []float64{4, 5, 6}, false},
		"no time":            {[]float64{1, nan, 3}, []float64{4, 5, 6}, false},
		"endless time":       {[]float64{1, 2, inf}, []float64{4, 5, 6}, false},
		"time before time":   {[]float64{-inf, 2, 3}, []float64{4, 5, 6}, false},
		"endless value":      {[]float64{1, 2, 3}, []float64{4, inf, 6}, false},
		"times without":      {[]float64{1, 2, 3}, []float64{4, 5}, false},
		"more than it takes": {make([]float64, maxKendall+1), make([]float64, maxKendall+1), false},
	} {
		if m, err := MannKendall(tt.times, tt.series); err == nil || errors.Is(err, ErrUndefined) != tt.undefined {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	// No pair rises on balance: nothing speaks for a trend.
	m, err := MannKendall([]float64{1, 2, 3, 4}, []float64{2, 4, 1, 3})
	if err != nil || m.S != 0 || m.Z != 0 || m.P != 1 || *m.PExact != 1 {
		t.Errorf("S = 0: %+v, %v", m, err)
	}
}

// TestMannKendallProperties: the exact probability is that of all orders; turning the series round turns the
// trend; stretching time stretches the slope; the order in which points are given is irrelevant.
func TestMannKendallProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "series"), 9))
		n := 3 + rng.IntN(5)
		times, series, turned, later := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
		for i, rank := range rng.Perm(n) {
			times[i], series[i] = float64(i)+rng.Float64()/2, float64(rank)
			turned[i], later[i] = -series[i], 2000+10*times[i]
		}
		m, err := MannKendall(times, series)
		if err != nil {
			t.Fatal(err)
		}
		far, all := 0, 0
		permutations(make([]float64, 0, n), make([]bool, n), func(order []float64) {
			other := 0
			for j := range order {
				for i := range j {
					other += int(math.Copysign(1, order[j]-order[i]))
				}
			}
			all++
			if max(other, -other) >= max(m.S, -m.S) {
				far++
			}
		})
		if want := float64(far) / float64(all); !closeTo(*m.PExact, want) {
			t.Fatalf("S = %d of %d points: exact p %v, want %v", m.S, n, *m.PExact, want)
		}
		down, err := MannKendall(times, turned)
		if err != nil || down.S != -m.S || !closeTo(down.Slope, -m.Slope) || down.P != m.P {
			t.Fatalf("%+v turned is %+v (%v)", m, down, err)
		}
		order := rng.Perm(n)
		slow, err := MannKendall(pick(later, order), pick(series, order))
		if err != nil || slow.S != m.S || !closeTo(10*slow.Slope, m.Slope) {
			t.Fatalf("%+v stretched is %+v (%v)", m, slow, err)
		}
	})
}

func permutations(order []float64, used []bool, visit func([]float64)) {
	if len(order) == len(used) {
		visit(order)
		return
	}
	for v := range used {
		if !used[v] {
			used[v] = true
			permutations(append(order, float64(v)), used, visit)
			used[v] = false
		}
	}
}

// TestShareTrendOfTwo: with two scores it is Pearson's test, whatever the scores.
func TestShareTrendOfTwo(t *testing.T) {
	got, err := ShareTrend([]float64{10, 30}, []float64{30, 50}, []float64{2020, 2024})
	if err != nil {
		t.Fatal(err)
	}
	if want := 80.0 * 400 * 400 / (30 * 50 * 40 * 40); !closeTo(got.ChiSquared, want) || got.DF != 1 {
		t.Errorf("χ² %v on %v, want %v on 1", got.ChiSquared, got.DF, want)
	}
}

func TestShareTrendLimits(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for name, tt := range map[string]struct {
		satisfied, people, scores []float64
		undefined                 bool
	}{
		"nobody":         {nil, nil, nil, true},
		"nobody asked":   {[]float64{0, 0}, []float64{0, 0}, []float64{1, 2}, true},
		"all satisfied":  {[]float64{5, 7}, []float64{5, 7}, []float64{1, 2}, true},
		"none satisfied": {[]float64{0, 0}, []float64{5, 7}, []float64{1, 2}, true},
		"one score":      {[]float64{1, 2}, []float64{5, 7}, []float64{1, 1}, true},
		"more than all":  {[]float64{6, 2}, []float64{5, 7}, []float64{1, 2}, false},
		"less than none": {[]float64{-1, 2}, []float64{5, 7}, []float64{1, 2}, false},
		"no count":       {[]float64{1, nan}, []float64{5, 7}, []float64{1, 2}, false},
		"endless":        {[]float64{1, 2}, []float64{5, inf}, []float64{1, 2}, false},
		"no score":       {[]float64{1, 2}, []float64{5, 7}, []float64{1, nan}, false},
		"scores missing": {[]float64{1, 2}, []float64{5, 7}, []float64{1}, false},
	} {
		if got, err := ShareTrend(tt.satisfied, tt.people, tt.scores); err == nil || errors.Is(err, ErrUndefined) != tt.undefined {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}
