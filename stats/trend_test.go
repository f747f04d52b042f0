package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSplitTrend(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	old, web := TrendMethod{Instrument: "sipas", Version: 1, Form: "full"}, TrendMethod{Instrument: "sipas", Version: 2, Form: "full"}
	at := func(year, estimate, se, df float64, m TrendMethod) TrendPoint {
		return TrendPoint{year, estimate, se, df, m}
	}
	tests := []struct {
		name       string
		points     []TrendPoint
		covariance [][]float64
		want       []TrendRun
	}{
		{name: "no point"},
		{
			name:   "one point",
			points: []TrendPoint{at(2024, 0.8, 0.01, 30, old)},
			want:   []TrendRun{{Method: old, Points: []int{0}, Reason: SlopeOnePoint}},
		},
		{
			// Given out of order. The jump of the new questionnaire is in no slope.
			name:   "a break",
			points: []TrendPoint{at(2024, 0.92, 0.01, inf, web), at(2021, 0.70, 0.01, inf, old), at(2023, 0.90, 0.01, inf, web), at(2022, 0.71, 0.01, inf, old)},
			want: []TrendRun{
				{Method: old, Points: []int{1, 3}, Slope: &TrendSlope{Slope: 0.01, SE: 0.01 * math.Sqrt2, DF: inf}},
				{Method: web, Points: []int{2, 0}, Slope: &TrendSlope{Slope: 0.02, SE: 0.01 * math.Sqrt2, DF: inf}},
			},
		},
		{
			name:   "a method that comes back",
			points: []TrendPoint{at(2021, 0.7, 0.01, 9, old), at(2022, 0.9, 0.01, 9, web), at(2023, 0.8, 0.01, 9, old)},
			want: []TrendRun{
				{Method: old, Points: []int{0}, Reason: SlopeOnePoint},
				{Method: web, Points: []int{1}, Reason: SlopeOnePoint},
				{Method: old, Points: []int{2}, Reason: SlopeOnePoint},
			},
		},
		{
			// (t−t̄)/Σ(t−t̄)² = −½, 0, ½: the middle year moves nothing. (½² + ½²)·0.0004, and on
			// 2·2·u²/(u²/4 + u²/12) = 12 degrees of freedom.
			name:   "three points",
			points: []TrendPoint{at(1, 0.70, 0.02, 4, old), at(2, 0.95, 0.30, 3, old), at(3, 0.80, 0.02, 12, old)},
			want:   []TrendRun{{Method: old, Points: []int{0, 1, 2}, Slope: &TrendSlope{Slope: 0.05, SE: 0.02 * math.Sqrt(0.5), DF: 12}}},
		},
		{
			name:       "the same desks every year",
			points:     []TrendPoint{at(1, 0.70, 0.02, 9, old), at(2, 0.75, 0.02, 7, old)},
			covariance: [][]float64{{0.0004, 0.0003}, {0.0003, 0.0004}},
			want:       []TrendRun{{Method: old, Points: []int{0, 1}, Slope: &TrendSlope{Slope: 0.05, SE: math.Sqrt(0.0002), DF: 7}}},
		},
		{
			name:   "no standard error",
			points: []TrendPoint{at(1, 0.70, 0.02, 9, old), at(2, 0.75, nan, 0, old)},
			want:   []TrendRun{{Method: old, Points: []int{0, 1}, Reason: SlopeNoError}},
		},
		{
			name:   "no degrees of freedom",
			points: []TrendPoint{at(1, 0.70, 0.02, 9, old), at(2, 0.75, 0.1, 0, old)},
			want:   []TrendRun{{Method: old, Points: []int{0, 1}, Reason: SlopeNoError}},
		},
		{
			name:   "certain points",
			points: []TrendPoint{at(1, 0.70, 0, 9, old), at(2, 0.70, 0, 9, old)},
			want:   []TrendRun{{Method: old, Points: []int{0, 1}, Slope: &TrendSlope{DF: 9}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := SplitTrend(tt.points, tt.covariance, 0.95)
			if err != nil || len(got) != len(tt.want) {
				t.Fatalf("%+v, %v, want %d runs", got, err, len(tt.want))
			}
			for r, want := range tt.want {
				run := got[r]
				if run.Method != want.Method || !slices.Equal(run.Points, want.Points) || run.Reason != want.Reason || (run.Slope == nil) != (want.Slope == nil) {
					t.Fatalf("run %d is %+v, want %+v", r, run, want)
				}
				if want.Slope == nil {
					continue
				}
				s := *run.Slope
				if !closeTo(s.Slope, want.Slope.Slope) || !closeTo(s.SE, want.Slope.SE) || s.DF != want.Slope.DF && !closeTo(s.DF, want.Slope.DF) {
					t.Errorf("run %d: slope %v ± %v on %v, want %+v", r, s.Slope, s.SE, s.DF, want.Slope)
				}
				margin := TQuantile(0.975, s.DF) * s.SE
				if !closeTo(s.Interval.Low, s.Slope-margin) || !closeTo(s.Interval.High, s.Slope+margin) || !closeTo(s.P, twoSidedP(s.Slope, s.SE, s.DF)) {
					t.Errorf("run %d: p %v, interval %v", r, s.P, s.Interval)
				}
			}
		})
	}
}

func TestSplitTrendErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	good := TrendPoint{Time: 1, Estimate: 0.8, SE: 0.1, DF: 5}
	for name, bad := range map[string]TrendPoint{
		"the same time":           good,
		"no time":                 {Time: nan, Estimate: 0.8, SE: 0.1, DF: 5},
		"endless time":            {Time: inf, Estimate: 0.8, SE: 0.1, DF: 5},
		"no estimate":             {Time: 2, Estimate: nan, SE: 0.1, DF: 5},
		"endless estimate":        {Time: 2, Estimate: inf, SE: 0.1, DF: 5},
		"negative standard error": {Time: 2, Estimate: 0.8, SE: -0.1, DF: 5},
		"endless standard error":  {Time: 2, Estimate: 0.8, SE: inf, DF: 5},
	} {
		if got, err := SplitTrend([]TrendPoint{good, bad}, nil, 0.95); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	two := []TrendPoint{good, {Time: 2, Estimate: 0.8, SE: 0.1, DF: 5}}
	for _, covariance := range [][][]float64{{{1}}, {{0, 0}, {0}}, {{0.01, 1}, {1, 0.01}}, {{0.01, nan}, {nan, 0.01}}} {
		if got, err := SplitTrend(two, covariance, 0.95); err == nil {
			t.Errorf("covariance %v: %+v", covariance, got)
		}
	}
	if got, err := SplitTrend(two, nil, 1); err == nil {
		t.Errorf("a level of 1: %+v", got)
	}
}

// TestSplitTrendProperties: every point is in one run, a run is of one method and its neighbours of others, and
// moving all points of a method up leaves every slope as it is.
func TestSplitTrendProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "points"), 9))
		points := make([]TrendPoint, rng.IntN(12))
		for i, year := range rng.Perm(len(points)) {
			points[i] = TrendPoint{float64(year), rng.Float64(), 0.01 + rng.Float64(), float64(1 + rng.IntN(50)), TrendMethod{Version: rng.IntN(3)}}
		}
		runs, err := SplitTrend(points, nil, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		moved := slices.Clone(points)
		for i := range moved {
			moved[i].Estimate += 10 * float64(moved[i].Method.Version)
		}
		again, err := SplitTrend(moved, nil, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		year := 0.0
		for r, run := range runs {
			if r > 0 && run.Method == runs[r-1].Method {
				t.Fatalf("runs %d and %d are of one method", r-1, r)
			}
			for _, i := range run.Points {
				if points[i].Time != year || points[i].Method != run.Method {
					t.Fatalf("point %+v in run %+v, want the year %v", points[i], run, year)
				}
				year++
			}
			if (run.Slope == nil) != (len(run.Points) < 2) || run.Slope != nil && !closeTo(run.Slope.Slope, again[r].Slope.Slope) {
				t.Fatalf("run %+v, and %+v where methods differ more", run, again[r])
			}
		}
		if int(year) != len(points) {
			t.Fatalf("%v of %d points are in a run", year, len(points))
		}
	})
}

func TestSlopeUndefined(t *testing.T) {
	s := simpleSample(t, 4)
	y := []float64{1, 2, 3, 4}
	mean, none := s.Mean(y, nil), s.Mean(y, make([]bool, 4))
	for name, tt := range map[string]struct {
		times     []float64
		estimates []Statistic
		undefined bool
	}{
		"nothing":       {nil, nil, true},
		"one point":     {[]float64{1}, []Statistic{mean}, true},
		"one time":      {slices.Repeat([]float64{0.1}, 6), slices.Repeat([]Statistic{mean}, 6), true},
		"no estimate":   {[]float64{1, 2}, []Statistic{mean, none}, true},
		"no time":       {[]float64{1, math.NaN()}, []Statistic{mean, mean}, false},
		"times missing": {[]float64{1}, []Statistic{mean, mean}, false},
	} {
		if got, err := s.Slope(tt.times, tt.estimates...); err == nil || errors.Is(err, ErrUndefined) != tt.undefined {
			t.Errorf("%s: %v, %v", name, got.Value, err)
		}
	}
}
