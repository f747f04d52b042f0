package stats

import (
	"errors"
	"math"
	"testing"
)

// simpleSample has equal weights and every row as its own PSU.
func simpleSample(t *testing.T, rows int) *Sample {
	t.Helper()
	weights := make([]float64, rows)
	for i := range weights {
		weights[i] = 3
	}
	return sampleOf(t, SamplingColumns{Weights: weights})
}

func sampleOf(t *testing.T, columns SamplingColumns) *Sample {
	t.Helper()
	design, err := NewSamplingDesign(columns)
	if err != nil {
		t.Fatal(err)
	}
	return NewSample(design)
}

func closeTo(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }

// TestCompareMeansByHand: groups {1, 2, 3} and {4, 6} have means 2 and 5. Deviations from them have squares of
// 1+0+1 and 1+1, so the variances of the means are 5/4·2/9 and 5/4·2/4 in one sample of five.
func TestCompareMeansByHand(t *testing.T) {
	y := []float64{1, 4, 2, 6, 3, math.NaN(), 9}
	group := []int{7, 9, 7, 9, 7, 9, -1}
	s := simpleSample(t, len(y))
	got, err := s.CompareMeans(y, group, []bool{true, true, true, true, true, true, true})
	if err != nil {
		t.Fatal(err)
	}
	// The rows without an answer or a group stay in the design: 7 of 7 PSUs, with 0.
	variance := 7.0 / 6 * (2.0/9 + 2.0/4)
	if !closeTo(got.Wald, 9/variance) || got.Test.DF1 != 1 || got.Test.DF2 != 3 || !closeTo(got.Test.F, got.Wald) {
		t.Errorf("Wald %v and test %+v, want %v on 1 and 3", got.Wald, got.Test, 9/variance)
	}
	if len(got.Groups) != 2 || got.Groups[0] != 7 || got.Groups[1] != 9 || got.Means[0].Value != 2 || got.Means[1].Value != 5 {
		t.Errorf("groups %v with means %v", got.Groups, values(got.Means))
	}
}

// TestCompareRanksByHand: of the answers 1, 2, 2 | 2, 3 the scores are 0.1, 0.5, 0.5 | 0.5, 0.9.
func TestCompareRanksByHand(t *testing.T) {
	y := []float64{2, 1, 3, 2, 2}
	group := []int{0, 0, 1, 1, 0}
	got, err := simpleSample(t, 5).CompareRanks(y, group, nil)
	if err != nil {
		t.Fatal(err)
	}
	first, second := 1.1/3, 0.7
	if !closeTo(got.Means[0].Value, first) || !closeTo(got.Means[1].Value, second) || !closeTo(got.Difference, second-first) {
		t.Errorf("scores %v, difference %v", values(got.Means), got.Difference)
	}
	if !closeTo(got.T*got.T, got.Test.F) || !closeTo(got.T*got.SE, got.Difference) {
		t.Errorf("t %v with F %v and se %v", got.T, got.Test.F, got.SE)
	}
}

func TestGroupsUndefined(t *testing.T) {
	y := []float64{1, 2, 1, 2, 5, 5}
	for name, tt := range map[string]struct {
		y      []float64
		group  []int
		domain []bool
	}{
		"one group":                 {y, []int{0, 0, 0, 0, 0, 0}, nil},
		"no group":                  {y, []int{-1, -1, -1, -1, -1, -1}, nil},
		"nobody":                    {y, []int{0, 1, 0, 1, 0, 1}, make([]bool, 6)},
		"as many groups as PSUs":    {y, []int{0, 1, 2, 3, 4, 5}, nil},
		"two unanimous groups":      {[]float64{1, 1, 1, 5, 5, 5}, []int{0, 0, 0, 1, 1, 1}, nil},
		"unanimous groups, a third": {[]float64{1, 1, 5, 5, 2, 3}, []int{0, 0, 1, 1, 2, 2}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := simpleSample(t, 6)
			got, err := s.CompareMeans(tt.y, tt.group, tt.domain)
			if !errors.Is(err, ErrUndefined) {
				t.Errorf("means: %+v, %v", got.Test, err)
			}
			if got, err := s.CompareRanks(tt.y, tt.group, tt.domain); !errors.Is(err, ErrUndefined) {
				t.Errorf("ranks: %+v, %v", got.Test, err)
			}
		})
	}
}
