package stats

import (
	"math"
	"testing"
)

func TestIndexOfUnanimousAnswers(t *testing.T) {
	s := newTestSample(t, nil)
	ones := []float64{1, 1, 1, 1, 1, 1, 1, 1}
	items := [][]float64{ones, ones, ones, ones, ones, ones}
	factors := []Factor{{Weight: 0.15, Items: items}, {Weight: 0.25, Items: items}, {Weight: 0.25, Items: items}, {Weight: 0.25, Items: items}, {Weight: 0.1, Items: items}}
	for _, combine := range []Combine{MeanOfItems, Pooled} {
		e := s.Index(factors, combine, nil)
		se, err := s.StandardError(e.Index)
		if err != nil || e.Index.Value != 1 || se != 0 {
			t.Errorf("%s: %v ± %v (%v)", combine, e.Index.Value, se, err)
		}
	}
}

func TestIndexWithUnansweredItem(t *testing.T) {
	s := newTestSample(t, nil)
	nan := math.NaN()
	answered := []float64{1, 0, 1, 1, 0, 0, 1, nan}
	unanswered := []float64{nan, nan, nan, nan, nan, nan, nan, nan}
	factors := []Factor{{Weight: 0.5, Items: [][]float64{answered}}, {Weight: 0.5, Items: [][]float64{answered, unanswered}}}

	e := s.Index(factors, MeanOfItems, nil)
	if !math.IsNaN(e.Index.Value) || !math.IsNaN(e.Factors[1].Value) || math.IsNaN(e.Factors[0].Value) {
		t.Errorf("mean of items: %v of factors %v and %v", e.Index.Value, e.Factors[0].Value, e.Factors[1].Value)
	}
	// A respondent who answered nothing is a respondent: 8 rows, not 7.
	if e.Index.N != 8 || e.Factors[0].N != 8 || e.Items[0][0].N != 7 {
		t.Errorf("n: index %d, factor %d, item %d", e.Index.N, e.Factors[0].N, e.Items[0][0].N)
	}
	// Pooled, an item that nobody answered weighs nothing.
	e = s.Index(factors, Pooled, nil)
	if want := s.Mean(answered, nil).Value; !near(e.Index.Value, want, 1e-12) {
		t.Errorf("pooled: %v, want %v", e.Index.Value, want)
	}
}
