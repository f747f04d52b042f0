package stats

import (
	"errors"
	"math"
	"testing"
)

// TestReliabilityByHand: 1 2 3 4 and 2 1 4 3 have variances of 1.25, a covariance of 0.75 and so α = 2·(1 − 2.5/4).
func TestReliabilityByHand(t *testing.T) {
	got, err := simpleSample(t, 5).Reliability([][]float64{{1, 2, 3, 4, 5}, {2, 1, 4, 3, math.NaN()}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.N != 4 || !closeTo(got.Alpha.Value, 0.75) || !closeTo(*got.StdAlpha, 0.75) {
		t.Errorf("n %d, α %v and %v, want 4, 0.75 twice", got.N, got.Alpha.Value, *got.StdAlpha)
	}
	item := got.ItemStats[0]
	if item.Mean != 2.5 || !closeTo(item.SD*item.SD, 5.0/3) || !closeTo(*item.RestCorrelation, 0.6) || item.AlphaIfDeleted != nil {
		t.Errorf("item %+v, want mean 2.5, variance 5/3, correlation 0.6 and no α of one item", item)
	}
}

func TestReliabilityEdges(t *testing.T) {
	up, down, same := []float64{1, 2, 3, 4}, []float64{4, 3, 2, 1}, []float64{3, 3, 3, 3}
	nan := math.NaN()
	s := simpleSample(t, 4)
	for name, items := range map[string][][]float64{
		"items that cancel":   {up, down},
		"unanimous items":     {same, same},
		"one complete row":    {{1, nan, nan, nan}, up},
		"no complete row":     {{1, nan, 3, nan}, {nan, 2, nan, 4}},
		"thirds that cancel":  {{0.1, 0.2, 0.3, 0.4}, {0.2, 0.4, 0.6, 0.8}, {-0.3, -0.6, -0.9, -1.2}},
		"nobody in the scale": {{nan, nan, nan, nan}, up},
	} {
		if got, err := s.Reliability(items, nil); !errors.Is(err, ErrUndefined) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := s.Reliability([][]float64{up}, nil); err == nil {
		t.Error("a scale of one item is taken")
	}
	got, err := s.Reliability([][]float64{up, same, down, up}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.StdAlpha != nil || got.ItemStats[1].RestCorrelation != nil || got.ItemStats[0].AlphaIfDeleted != nil {
		t.Errorf("a unanimous item has a correlation, or a rest that cancels an α: %+v", got)
	}
	if got.ItemStats[1].AlphaIfDeleted == nil || got.ItemStats[2].RestCorrelation == nil {
		t.Errorf("figures that exist are missing: %+v", got)
	}
}
