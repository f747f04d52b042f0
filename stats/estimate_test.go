package stats

import (
	"math"
	"testing"
)

func TestUnanimousAnswersAreExact(t *testing.T) {
	// Σwy/Σw of these weights rounds to 0.9999999999999999 if summed apart in another order; the
	// estimate must not depend on that.
	s := newTestSample(t, func(c *SamplingColumns) {
		for i := range c.Weights {
			c.Weights[i] = 0.1 * float64(i+1) / 3
		}
	})
	for _, value := range []float64{0, 1, 4.7} {
		y := make([]float64, 8)
		for i := range y {
			y[i] = value
		}
		y[3] = math.NaN()
		mean := s.Mean(y, nil)
		se, err := s.StandardError(mean)
		if err != nil || mean.Value != value || se != 0 || mean.N != 7 {
			t.Errorf("mean of %v: %v ± %v (%v) of %d", value, mean.Value, se, err, mean.N)
		}
		if wor, wr := s.DesignEffects(y, nil, se); !math.IsNaN(wor) || !math.IsNaN(wr) {
			t.Errorf("design effects %v, %v", wor, wr)
		}
	}
}

func TestEstimatesOfNobody(t *testing.T) {
	s := newTestSample(t, nil)
	y := []float64{1, 0, 1, 1, 0, 0, 1, 0}
	nobody := make([]bool, 8)
	for name, st := range map[string]Statistic{
		"mean of nobody":                s.Mean(y, nobody),
		"ratio with a denominator of 0": s.Ratio(y, make([]float64, 8), nil),
	} {
		if se, err := s.StandardError(st); err != nil || !math.IsNaN(st.Value) || !math.IsNaN(se) {
			t.Errorf("%s: %v ± %v (%v)", name, st.Value, se, err)
		}
	}
	if mean := s.Mean(y, nobody); mean.N != 0 || mean.DF != 0 {
		t.Errorf("nobody: n = %d, df = %v", mean.N, mean.DF)
	}
	if total := s.Total(y, nobody); total.Value != 0 {
		t.Errorf("total of nobody: %v", total.Value)
	}
	if v := s.ElementVariance(y, nobody); !math.IsNaN(v) {
		t.Errorf("element variance of nobody: %v", v)
	}
	if k := s.WeightSummary(nobody); !math.IsNaN(k.DesignEffect()) || !math.IsNaN(k.EffectiveN()) {
		t.Errorf("weights of nobody: %v, %v", k.DesignEffect(), k.EffectiveN())
	}
}

func TestDegreesOfFreedom(t *testing.T) {
	s := newTestSample(t, nil)
	nan := math.NaN()
	for _, c := range []struct {
		name   string
		y      []float64
		domain []bool
		want   float64
	}{
		{"everybody", []float64{1, 0, 1, 1, 0, 0, 1, 0}, nil, 2},
		{"one stratum", []float64{1, 0, 1, 1, 0, 0, 1, 0}, []bool{true, true, true, true, false, false, false, false}, 1},
		{"a PSU without answers", []float64{nan, nan, 1, 1, 0, 0, 1, 0}, nil, 1},
		{"one row", []float64{1, 0, 1, 1, 0, 0, 1, 0}, []bool{true, false, false, false, false, false, false, false}, 0},
	} {
		if got := s.Mean(c.y, c.domain).DF; got != c.want {
			t.Errorf("%s: df = %v, want %v", c.name, got, c.want)
		}
	}
}

func TestCombine(t *testing.T) {
	s := newTestSample(t, nil)
	y := []float64{1, 0, 1, 1, 0, 0, 1, 0}
	first := []bool{true, true, true, true, false, false, false, false}
	a, b := s.Mean(y, first), s.Mean(y, nil)
	difference := s.Combine([]float64{1, -1}, a, b)
	cov, err := s.Covariance(a, b, difference)
	if err != nil {
		t.Fatal(err)
	}
	if want := cov[0][0] + cov[1][1] - 2*cov[0][1]; !near(cov[2][2], want, 1e-12) || cov[0][1] == 0 {
		t.Errorf("variance of the difference %v, want %v", cov[2][2], want)
	}
	if difference.Value != a.Value-b.Value || difference.N != 8 || difference.DF != 2 {
		t.Errorf("difference %v of %d rows with df %v", difference.Value, difference.N, difference.DF)
	}
	// Seven sevenths do not add up to 1.
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1}
	sevenths, parts := make([]float64, 7), make([]Statistic, 7)
	for i := range parts {
		sevenths[i], parts[i] = 1.0/7, s.Mean(ones, nil)
	}
	if st := s.Combine(sevenths, parts...); st.Value != 1 {
		t.Errorf("a mean of ones is %v", st.Value)
	}
}

func TestColumnsOfAnotherLengthPanic(t *testing.T) {
	s := newTestSample(t, nil)
	y := make([]float64, 8)
	for name, f := range map[string]func(){
		"column":       func() { s.Mean(y[:7], nil) },
		"domain":       func() { s.Mean(y, make([]bool, 7)) },
		"coefficients": func() { s.Combine([]float64{1}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
