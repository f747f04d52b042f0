package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

// TestKeyDriversUncorrelated: where predictors do not go together, each explains the square of its
// correlation, and y = 1 + 2a + b exactly leaves nothing unexplained.
func TestKeyDriversUncorrelated(t *testing.T) {
	a, b := []float64{1, 1, 2, 2, 1, 1, 2, 2}, []float64{1, 2, 1, 2, 1, 2, 1, 2}
	y := make([]float64, len(a))
	for i := range y {
		y[i] = 1 + 2*a[i] + b[i]
	}
	s := simpleSample(t, len(y))
	d, err := s.KeyDrivers(y, [][]float64{a, b}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range []float64{1, 2, 1} {
		if se, err := s.StandardError(d.Coefficients[k]); !closeTo(d.Coefficients[k].Value, want) || err != nil || se > 1e-12 {
			t.Errorf("coefficient %d is %v ± %v (%v), want %v ± 0", k, d.Coefficients[k].Value, se, err, want)
		}
	}
	for j, want := range []float64{0.8, 0.2} {
		if !closeTo(d.Importance[j].Value, want) || !closeTo(d.RelativeWeights[j].Value, want) || !closeTo(d.OutcomeCorrelations[j], math.Sqrt(want)) {
			t.Errorf("predictor %d: LMG %v, Johnson %v, correlation %v, want %v", j, d.Importance[j].Value, d.RelativeWeights[j].Value, d.OutcomeCorrelations[j], want)
		}
	}
	if !closeTo(d.RSquared.Value, 1) || d.N != 8 || d.DF != 5 {
		t.Errorf("R² %v of %d rows with %v degrees of freedom", d.RSquared.Value, d.N, d.DF)
	}
}

// TestImportanceAgainstJackknife: the linearised standard errors agree with those of leaving out one PSU at a
// time, which know nothing of gradients.
func TestImportanceAgainstJackknife(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const psus, each = 150, 6
	const rows = psus * each
	var outcome []float64
	predictors, clusters, weights := make([][]float64, 3), make([]int, rows), make([]float64, rows)
	for i := range rows {
		mood := rng.NormFloat64()
		sum := 0.0
		for j := range predictors {
			v := mood + rng.NormFloat64()
			predictors[j] = append(predictors[j], v)
			sum += float64(j+1) * v
		}
		outcome = append(outcome, sum+3*rng.NormFloat64())
		clusters[i], weights[i] = i/each, 1+rng.Float64()
	}
	s := sampleOf(t, SamplingColumns{Clusters: [][]int{clusters}, Weights: weights})
	d, err := s.KeyDrivers(outcome, predictors, nil)
	if err != nil {
		t.Fatal(err)
	}
	parts := func(d Drivers) []Statistic {
		return append(append([]Statistic{}, d.Importance...), d.RelativeWeights...)
	}
	squares := make([]float64, 6)
	for left := range psus {
		without := append([]float64(nil), weights...)
		for i := range without {
			if clusters[i] == left {
				without[i] = 0
			}
		}
		again, err := sampleOf(t, SamplingColumns{Clusters: [][]int{clusters}, Weights: without}).KeyDrivers(outcome, predictors, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, st := range parts(again) {
			difference := st.Value - parts(d)[k].Value
			squares[k] += difference * difference
		}
	}
	for k, st := range parts(d) {
		se, err := s.StandardError(st)
		if err != nil {
			t.Fatal(err)
		}
		jackknife := math.Sqrt(squares[k] * (psus - 1) / psus)
		if ratio := se / jackknife; ratio < 0.95 || ratio > 1.05 {
			t.Errorf("part %d: linearised %v, jackknife %v", k, se, jackknife)
		}
	}
}

func TestKeyDriversUndefined(t *testing.T) {
	y := []float64{1, 3, 2, 5, 4, 4}
	a := []float64{1, 2, 2, 4, 5, 3}
	double := []float64{2, 4, 4, 8, 10, 6}
	same := []float64{3, 3, 3, 3, 3, 3}
	missing := []float64{math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN(), math.NaN()}
	s := simpleSample(t, 6)
	for name, tt := range map[string]struct {
		outcome    []float64
		predictors [][]float64
		domain     []bool
	}{
		"constant outcome":       {same, [][]float64{a}, nil},
		"constant predictor":     {y, [][]float64{same}, nil},
		"the same twice":         {y, [][]float64{a, double}, nil},
		"nearly the same twice":  {y, [][]float64{a, {1, 2, 2 + 1e-7, 4, 5, 3}}, nil},
		"nobody":                 {y, [][]float64{missing}, nil},
		"as many rows as needed": {y, [][]float64{a}, []bool{true, true, false, false, false, false}},
		"an empty domain":        {y, [][]float64{a}, make([]bool, 6)},
	} {
		if d, err := s.KeyDrivers(tt.outcome, tt.predictors, tt.domain); !errors.Is(err, ErrUndefined) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	for _, p := range []int{0, maxDrivers + 1} {
		predictors := make([][]float64, p)
		for j := range predictors {
			predictors[j] = a
		}
		if _, err := s.KeyDrivers(y, predictors, nil); err == nil {
			t.Errorf("%d predictors are taken", p)
		}
	}
}

func TestMeanOfAnswered(t *testing.T) {
	nan := math.NaN()
	got := MeanOfAnswered([][]float64{{1, nan, nan}, {4, 3, nan}})
	if got[0] != 2.5 || got[1] != 3 || !math.IsNaN(got[2]) {
		t.Errorf("means %v", got)
	}
}

func TestImportancePerformanceEdges(t *testing.T) {
	outcome := []float64{1, 2, 3, 4, 5, 5}
	rated := func(levels ...float64) RatedItem {
		return drawnSurvey{items: [][]float64{levels}}.rated()[0]
	}
	nan := math.NaN()
	same, none, some := rated(4, 4, 4, 4, 4, 4), rated(nan, nan, nan, nan, nan, nan), rated(1, 3, 2, 4, 5, 4)
	s := simpleSample(t, 6)

	m := s.ImportancePerformance(outcome, []RatedItem{same, none, some}, nil, nil, nil)
	for j, n := range []int{6, 0} {
		if item := m.Items[j]; item.Quadrant != NoQuadrant || !math.IsNaN(item.Importance.Value) || !math.IsNaN(item.ImportanceGap.Value) || item.N != n {
			t.Errorf("item %d without variation: %q, importance %v, n %d", j, item.Quadrant, item.Importance.Value, item.N)
		}
	}
	// Alone, it is the mean, and on both thresholds.
	item := m.Items[2]
	if item.Quadrant != KeepUp || item.PerformanceGap.Value != 0 || item.ImportanceGap.Value != 0 || m.PerformanceThreshold != 0.5 {
		t.Errorf("the only item: %q, gaps %v and %v", item.Quadrant, item.PerformanceGap.Value, item.ImportanceGap.Value)
	}
	// Both figures are about the rows that have the outcome too.
	item = s.ImportancePerformance([]float64{1, 2, 3, 4, nan, 5}, []RatedItem{some}, nil, nil, nil).Items[0]
	if item.N != 5 || !closeTo(item.Performance.Value, 0.4) {
		t.Errorf("performance %v of %d rows, want 0.4 of 5", item.Performance.Value, item.N)
	}
	high, low := 0.9, 0.1
	for _, tt := range []struct {
		performance, importance *float64
		want                    Quadrant
	}{
		{&low, &low, KeepUp}, {&high, &low, ConcentrateHere}, {&low, &high, PossibleOverkill}, {&high, &high, LowPriority},
	} {
		item := s.ImportancePerformance(outcome, []RatedItem{rated(1, 3, 2, 4, 2, 4)}, tt.performance, tt.importance, nil).Items[0]
		if item.Quadrant != tt.want || !closeTo(item.PerformanceGap.Value, 2.0/6-*tt.performance) {
			t.Errorf("thresholds %v and %v: %q, want %q", *tt.performance, *tt.importance, item.Quadrant, tt.want)
		}
	}
	if m := s.ImportancePerformance(outcome, []RatedItem{none}, nil, nil, nil); !math.IsNaN(m.PerformanceThreshold) {
		t.Errorf("the mean of no item is %v", m.PerformanceThreshold)
	}
}
