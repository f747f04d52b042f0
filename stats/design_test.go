package stats

import (
	"errors"
	"math"
	"testing"
)

func TestSamplingDesignRefuses(t *testing.T) {
	nan := math.NaN()
	ones := []float64{1, 1, 1, 1}
	for _, c := range []struct {
		name    string
		columns SamplingColumns
	}{
		{"no rows", SamplingColumns{}},
		{"a negative weight", SamplingColumns{Weights: []float64{1, -1}}},
		{"a missing weight", SamplingColumns{Weights: []float64{1, nan}}},
		{"an infinite weight", SamplingColumns{Weights: []float64{1, math.Inf(1)}}},
		{"an unknown lonely rule", SamplingColumns{Weights: ones, Lonely: "ignore"}},
		{"too few strata", SamplingColumns{Weights: ones, Strata: []int{1, 1}}},
		{"too few clusters", SamplingColumns{Weights: ones, Clusters: [][]int{{1, 1}}}},
		{"too few populations", SamplingColumns{Weights: ones, Populations: [][]float64{{9, 9}}}},
		{"more populations than stages", SamplingColumns{Weights: ones, Populations: [][]float64{ones, ones}}},
		{"a PSU in two strata", SamplingColumns{Weights: ones, Strata: []int{1, 1, 2, 2}, Clusters: [][]int{{1, 2, 2, 3}}}},
		{"a population below the sample", SamplingColumns{Weights: ones, Populations: [][]float64{{3, 3, 3, 3}}}},
		{"two populations of a stratum", SamplingColumns{Weights: ones, Populations: [][]float64{{9, 9, 9, 8}}}},
		{"a missing population", SamplingColumns{Weights: ones, Populations: [][]float64{{nan, nan, nan, nan}}}},
		{"two populations of a PSU", SamplingColumns{Weights: ones, Clusters: [][]int{{1, 1, 2, 2}, {1, 2, 3, 4}},
			Populations: [][]float64{{5, 5, 5, 5}, {9, 8, 9, 9}}}},
	} {
		if _, err := NewSamplingDesign(c.columns); !errors.Is(err, ErrDesign) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}

// newTestSample is a sample of 8 rows: 2 strata with PSUs {1, 2} and {3, 4} of two rows each.
func newTestSample(t *testing.T, change func(*SamplingColumns)) *Sample {
	t.Helper()
	c := SamplingColumns{
		Strata:   []int{1, 1, 1, 1, 2, 2, 2, 2},
		Clusters: [][]int{{1, 1, 2, 2, 3, 3, 4, 4}},
		Weights:  []float64{1, 1, 1, 1, 2, 2, 2, 2},
	}
	if change != nil {
		change(&c)
	}
	d, err := NewSamplingDesign(c)
	if err != nil {
		t.Fatal(err)
	}
	return NewSample(d)
}

func TestVarianceByHand(t *testing.T) {
	y := []float64{1, 0, 1, 1, 0, 0, 1, 0}
	for _, c := range []struct {
		name   string
		change func(*SamplingColumns)
		want   float64 // variance of the total of y
	}{
		// PSU totals: 1 and 2, then 0 and 2. Squares around the means: 0.5 and 2, times n/(n−1) = 2.
		{"with replacement", nil, 5},
		{"first-stage populations 4 and 8", func(c *SamplingColumns) {
			c.Populations = [][]float64{{4, 4, 4, 4, 8, 8, 8, 8}}
		}, 0.5*1 + 0.75*4},
		{"a fully sampled stratum", func(c *SamplingColumns) {
			c.Populations = [][]float64{{2, 2, 2, 2, 8, 8, 8, 8}}
		}, 0.75 * 4},
		// Within PSUs: rows (1,0) and (2,0) differ, 0.5 and 2 around their means, times 2.
		{"two stages", func(c *SamplingColumns) {
			c.Clusters = append(c.Clusters, []int{1, 2, 1, 2, 1, 2, 1, 2})
			c.Populations = [][]float64{{4, 4, 4, 4, 8, 8, 8, 8}, {10, 10, 10, 10, 10, 10, 10, 10}}
		}, 0.5*1 + 0.75*4 + 2.0/4*(1-0.2)*1 + 2.0/8*(1-0.2)*4},
		{"a third stage, fully sampled, adds nothing", func(c *SamplingColumns) {
			c.Clusters = append(c.Clusters, []int{1, 2, 1, 2, 1, 2, 1, 2}, []int{1, 1, 1, 1, 1, 1, 1, 1})
			c.Populations = [][]float64{{4, 4, 4, 4, 8, 8, 8, 8}, {10, 10, 10, 10, 10, 10, 10, 10}, {1, 1, 1, 1, 1, 1, 1, 1}}
		}, 0.5*1 + 0.75*4 + 2.0/4*(1-0.2)*1 + 2.0/8*(1-0.2)*4},
		{"deeper clusters with replacement count for nothing", func(c *SamplingColumns) {
			c.Clusters = append(c.Clusters, []int{1, 2, 1, 2, 1, 2, 1, 2})
		}, 5},
		{"PSU codes repeat across strata", func(c *SamplingColumns) {
			c.Clusters, c.Nest = [][]int{{1, 1, 2, 2, 1, 1, 2, 2}}, true
		}, 5},
		// Rows as PSUs: Σ(z−z̄)² is 0.75 and 3, times 4/3.
		{"rows as PSUs", func(c *SamplingColumns) { c.Clusters = nil }, 1 + 4},
	} {
		s := newTestSample(t, c.change)
		se, err := s.StandardError(s.Total(y, nil))
		if err != nil || !near(se*se, c.want, 1e-12) {
			t.Errorf("%s: variance %v (%v), want %v", c.name, se*se, err, c.want)
		}
	}
}

func TestLonelyPSUs(t *testing.T) {
	// PSU 4 joins PSU 3: stratum 2 has one PSU with the total 2, stratum 1 the variance 1.
	y := []float64{1, 0, 1, 1, 0, 0, 1, 0}
	lonely := func(rule LonelyPSU, population float64) *Sample {
		return newTestSample(t, func(c *SamplingColumns) {
			c.Clusters, c.Lonely = [][]int{{1, 1, 2, 2, 3, 3, 3, 3}}, rule
			if population > 0 {
				c.Populations = [][]float64{{1e9, 1e9, 1e9, 1e9, population, population, population, population}}
			}
		})
	}
	for rule, want := range map[LonelyPSU]float64{
		LonelyCertainty: 1, LonelyRemove: 1, LonelyAdjust: 1 + 4, LonelyAverage: 2,
	} {
		s := lonely(rule, 0)
		if se, err := s.StandardError(s.Total(y, nil)); err != nil || !near(se*se, want, 1e-12) {
			t.Errorf("%s: variance %v (%v), want %v", rule, se*se, err, want)
		}
	}
	for _, rule := range []LonelyPSU{"", LonelyFail} {
		s := lonely(rule, 0)
		if _, err := s.StandardError(s.Total(y, nil)); !errors.Is(err, ErrLonelyPSU) {
			t.Errorf("rule %q: error %v", rule, err)
		}
		first := []bool{true, true, true, true, false, false, false, false}
		if se, err := s.StandardError(s.Total(y, first)); err != nil || !near(se, 1, 1e-12) {
			t.Errorf("rule %q, lonely stratum outside the domain: %v, %v", rule, se, err)
		}
		s = lonely(rule, 1) // its only PSU: not lonely
		if se, err := s.StandardError(s.Total(y, nil)); err != nil || !near(se, 1, 1e-6) {
			t.Errorf("rule %q, fully sampled stratum: %v, %v", rule, se, err)
		}
	}
	s := lonely(LonelyAverage, 0)
	second := []bool{false, false, false, false, true, true, true, true}
	if _, err := s.StandardError(s.Total(y, second)); !errors.Is(err, ErrLonelyPSU) {
		t.Errorf("nothing to average over: error %v", err)
	}
}
