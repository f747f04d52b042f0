package stats

import (
	"errors"
	"math"
	"testing"
)

func TestPostStratifiedTotalIsKnown(t *testing.T) {
	s := newTestSample(t, nil)
	cell := []int{0, 1, 0, 1, 0, 1, 0, 1}
	calibrated, err := s.PostStratify(cell, []float64{30, 50})
	if err != nil {
		t.Fatal(err)
	}
	inCell := classIndicator(cell, 1)
	total := calibrated.Total(inCell, nil)
	se, err := calibrated.StandardError(total)
	if err != nil || !near(total.Value, 50, 1e-12) || se > 1e-12 {
		t.Errorf("size of a cell: %v ± %v (%v), want 50 ± 0", total.Value, se, err)
	}
	if s.Weights()[0] != 1 {
		t.Error("calibration changed the sample it started from")
	}
}

// After two steps the totals of the last are known without error, and those of the first are not any
// more; with the same step twice nothing changes.
func TestCalibrationInSteps(t *testing.T) {
	s := newTestSample(t, nil)
	a, b := []int{0, 1, 0, 1, 0, 1, 0, 1}, []int{0, 0, 1, 1, 0, 1, 1, 0}
	y := []float64{1, 0, 1, 1, 0, 0, 1, 0}
	once, err := s.PostStratify(a, []float64{30, 50})
	if err != nil {
		t.Fatal(err)
	}
	again, err := once.PostStratify(a, []float64{30, 50})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := once.StandardError(once.Mean(y, nil))
	if got, err := again.StandardError(again.Mean(y, nil)); err != nil || !near(got, want, 1e-12) {
		t.Errorf("the same step twice: se %v (%v), want %v", got, err, want)
	}
	twice, err := once.Rake(Margin{b, []float64{20, 60}})
	if err != nil {
		t.Fatal(err)
	}
	if se, err := twice.StandardError(twice.Total(classIndicator(b, 1), nil)); err != nil || se > 1e-12 {
		t.Errorf("total of the last step: se %v (%v), want 0", se, err)
	}
	if se, err := twice.StandardError(twice.Total(classIndicator(a, 1), nil)); err != nil || se < 0.1 {
		t.Errorf("total of the first step: se %v (%v), want an error", se, err)
	}
}

func TestRakeAgreesWithLinearOnOneMargin(t *testing.T) {
	s := newTestSample(t, nil)
	class, sizes := []int{0, 1, 0, 1, 0, 1, 0, 1}, []float64{30, 50}
	y := []float64{1, 0, 1, 1, 0, 0, 1, 0}
	post, err := s.PostStratify(class, sizes)
	if err != nil {
		t.Fatal(err)
	}
	raked, err := s.Rake(Margin{class, sizes})
	if err != nil {
		t.Fatal(err)
	}
	// The intercept, both classes and their totals: one column too many, but no contradiction.
	columns := [][]float64{{1, 1, 1, 1, 1, 1, 1, 1}, classIndicator(class, 0), classIndicator(class, 1)}
	linear, err := s.CalibrateLinear(columns, []float64{80, 30, 50})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := post.StandardError(post.Mean(y, nil))
	for name, other := range map[string]*Sample{"raked": raked, "linear": linear} {
		se, err := other.StandardError(other.Mean(y, nil))
		if err != nil || !near(se, want, 1e-12) || !near(other.Mean(y, nil).Value, post.Mean(y, nil).Value, 1e-12) {
			t.Errorf("%s: se %v (%v), want %v", name, se, err, want)
		}
	}
}

func TestTrim(t *testing.T) {
	s := newTestSample(t, func(c *SamplingColumns) { c.Weights = []float64{1, 1, 1, 1, 2, 2, 2, 10} })
	trimmed, err := s.Trim(math.Inf(-1), 4, true)
	if err != nil {
		t.Fatal(err)
	}
	// The 6 above the bound go to the other seven rows.
	if w := trimmed.Weights(); !near(w[0], 1+6.0/7, 1e-12) || w[7] != 4 {
		t.Errorf("weights %v", w)
	}
	if sum := trimmed.WeightSummary(nil).Sum; !near(sum, 20, 1e-12) {
		t.Errorf("sum %v, want 20", sum)
	}
}

func TestCalibrationRefuses(t *testing.T) {
	s := newTestSample(t, nil)
	class, nan := []int{0, 1, 0, 1, 0, 1, 0, 1}, math.NaN()
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1}
	for name, calibrate := range map[string]func() (*Sample, error){
		"a row without cell":  func() (*Sample, error) { return s.PostStratify([]int{0, 1, 0, 1, 0, 1, 0, -1}, []float64{30, 50}) },
		"a cell without size": func() (*Sample, error) { return s.PostStratify(class, []float64{30}) },
		"a cell without rows": func() (*Sample, error) { return s.PostStratify(class, []float64{30, 50, 10}) },
		"a negative size":     func() (*Sample, error) { return s.PostStratify(class, []float64{30, -50}) },
		"a missing size":      func() (*Sample, error) { return s.PostStratify(class, []float64{30, nan}) },
		"too few cells":       func() (*Sample, error) { return s.PostStratify(class[:3], []float64{30, 50}) },
		"margins of two totals": func() (*Sample, error) {
			return s.Rake(Margin{class, []float64{30, 50}}, Margin{class, []float64{30, 60}})
		},
		"margins that contradict": func() (*Sample, error) {
			return s.Rake(Margin{class, []float64{30, 50}}, Margin{class, []float64{50, 30}})
		},
		"auxiliaries without totals": func() (*Sample, error) { return s.CalibrateLinear([][]float64{ones}, nil) },
		"a missing auxiliary": func() (*Sample, error) {
			return s.CalibrateLinear([][]float64{{1, 1, 1, 1, 1, 1, 1, nan}}, []float64{8})
		},
		"a short auxiliary":      func() (*Sample, error) { return s.CalibrateLinear([][]float64{{1, 1}}, []float64{8}) },
		"totals that contradict": func() (*Sample, error) { return s.CalibrateLinear([][]float64{ones, ones}, []float64{80, 90}) },
		"bounds nobody can meet": func() (*Sample, error) { return s.Trim(math.Inf(-1), 0.5, true) },
	} {
		if _, err := calibrate(); !errors.Is(err, ErrCalibration) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
