package analysis

import (
	"errors"
	"math"
	"slices"
	"testing"

	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

func understand(t testing.TB, a *Analysis, params map[string]string) *stats.Understanding {
	t.Helper()
	x, err := ParseItems(a.store.View().Catalogue, seeds.DemoRound, params)
	if err != nil {
		t.Fatalf("%v: %v", params, err)
	}
	u, err := a.Items(t.Context(), x)
	if err != nil {
		t.Fatalf("%v: %v", params, err)
	}
	return u
}

// checkMeasure compares with a statistic of the sample that the test made.
func (b *bruteSample) checkMeasure(t *testing.T, what string, m stats.Measure, s stats.Statistic, scale float64) {
	t.Helper()
	se, err := b.StandardError(s)
	if err != nil {
		t.Fatal(err)
	}
	near(t, what, m.Value, scale*s.Value)
	near(t, what+": standard error", m.SE, scale*se)
	if m.Low == nil || m.High == nil || se > 0 && !(*m.Low < *m.Value && *m.Value < *m.High) {
		t.Errorf("%s: limits around %v", what, *m.Value)
	}
}

// moments are weighted means and covariances over rows that have both columns,
// straight from their definition.
func (b *bruteSample) covarianceOf(x, y []float64, mask []bool) float64 {
	w, sx, sy := 0.0, 0.0, 0.0
	for i := range x {
		if mask[i] {
			w += b.Weights()[i]
			sx += b.Weights()[i] * x[i]
			sy += b.Weights()[i] * y[i]
		}
	}
	sum := 0.0
	for i := range x {
		if mask[i] {
			sum += b.Weights()[i] * (x[i] - sx/w) * (y[i] - sy/w)
		}
	}
	return sum / w
}

func both(mask []bool, columns ...[]float64) []bool {
	out := slices.Clone(mask)
	for _, y := range columns {
		for i := range y {
			out[i] = out[i] && !math.IsNaN(y[i])
		}
	}
	return out
}

// Everything is computed again from the raw answers with the design written out:
// point values from their definitions, errors from that sample.
func TestItemsFromRawAnswers(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 8000 })
	a := loaded(t, st)
	b := brute(t, a, all, countedBy(survey.ChannelQR), ask(t, a, nil))
	levels := make([][]float64, len(b.in.Items()))
	for k := range levels {
		levels[k] = b.column(k, func(level float64) float64 { return level })
	}
	for _, test := range []struct {
		params map[string]string
		in     func(survey.Response) bool
	}{
		{nil, func(survey.Response) bool { return true }},
		{map[string]string{"field": "dat-dai", "outcome": "c22"}, func(x survey.Response) bool { return x.Field == "dat-dai" }},
	} {
		u := understand(t, a, test.params)
		mask := b.domain(test.in)
		outcome := stats.MeanOfAnswered(levels)
		if u.Outcome != "" {
			outcome = levels[21]
		}
		n := 0
		for _, in := range mask {
			if in {
				n++
			}
		}
		if u.N != n || len(u.Items) != 22 || len(u.Factors) != 5 {
			t.Fatalf("%d answers of %d, %d items, %d factors", u.N, n, len(u.Items), len(u.Factors))
		}
		at, sum := 0, 0.0
		for f, factor := range b.in.Factors {
			items := levels[at : at+len(factor.Items)]
			complete := both(mask, items...)
			trace, total := 0.0, 0.0
			for i := range items {
				for j := range items {
					c := b.covarianceOf(items[i], items[j], complete)
					total += c
					if i == j {
						trace += c
					}
				}
			}
			k := float64(len(items))
			near(t, factor.ID+": alpha", u.Factors[f].Scale.Alpha.Value, k/(k-1)*(1-trace/total))
			scale, err := b.Reliability(items, mask)
			if err != nil {
				t.Fatal(err)
			}
			b.checkMeasure(t, factor.ID+": alpha", u.Factors[f].Scale.Alpha, scale.Alpha, 1)
			for i := range items {
				x := &u.Items[at+i]
				near(t, x.ID+": correlation with the rest", x.RestCorrelation, *scale.ItemStats[i].RestCorrelation)
				b.checkMeasure(t, x.ID+": mean", x.Mean, b.Mean(items[i], mask), 1)
				shares := 0.0
				for l := range x.Levels {
					b.checkMeasure(t, x.ID+": level", x.Levels[l], b.Mean(b.column(at+i, func(level float64) float64 {
						if level == float64(l+1) {
							return 1
						}
						return 0
					}), mask), 100)
					shares += *x.Levels[l].Value
				}
				near(t, x.ID+": all levels", &shares, 100)
				if x.ID == u.Outcome {
					if x.Quadrant != stats.NoQuadrant || x.Importance.Value != nil {
						t.Errorf("the outcome explains itself: %+v", x)
					}
					continue
				}
				with := both(mask, items[i], outcome)
				r := b.covarianceOf(items[i], outcome, with) / math.Sqrt(b.covarianceOf(items[i], items[i], with)*b.covarianceOf(outcome, outcome, with))
				near(t, x.ID+": importance", x.Importance.Value, r)
			}
			at += len(items)
			sum += *u.Drivers.Factors[f].Importance.Value
		}
		near(t, "parts of R²", u.Drivers.RSquared.Value, sum)
		var predictors [][]float64
		first := 0
		for _, factor := range b.in.Factors {
			items := levels[first : first+len(factor.Items)]
			first += len(items)
			if u.Outcome != "" && first == len(levels) {
				items = items[:len(items)-1] // c22 is the last item
			}
			predictors = append(predictors, stats.MeanOfAnswered(items))
		}
		d, err := b.KeyDrivers(outcome, predictors, mask)
		if err != nil {
			t.Fatal(err)
		}
		for j, f := range u.Drivers.Factors {
			b.checkMeasure(t, f.ID+": part of R²", f.Importance, d.Importance[j], 1)
			b.checkMeasure(t, f.ID+": coefficient", f.Coefficient, d.Coefficients[j+1], 1)
		}
		if u.Outcome == "" && *u.Drivers.RSquared.Value < 0.9 || u.Outcome != "" && *u.Drivers.RSquared.Value > 0.9 {
			t.Errorf("R² %v for the outcome %q", *u.Drivers.RSquared.Value, u.Outcome)
		}
		quadrants := map[stats.Quadrant]int{}
		for _, x := range u.Items {
			if x.Quadrant == stats.NoQuadrant {
				continue
			}
			quadrants[x.Quadrant]++
			high, important := *x.Performance.Value >= *u.PerformanceThreshold, *x.Importance.Value >= *u.ImportanceThreshold
			if (x.Quadrant == stats.ConcentrateHere) != (important && !high) {
				t.Errorf("%s is %s with %v and %v", x.ID, x.Quadrant, *x.Performance.Value, *x.Importance.Value)
			}
		}
		if quadrants[stats.ConcentrateHere] == 0 || quadrants[stats.KeepUp] == 0 {
			t.Errorf("quadrants %v", quadrants)
		}
	}
}

func TestItemsOfNobody(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 500 })
	u := understand(t, loaded(t, st), map[string]string{"from": "2020-01-01", "to": "2020-01-31"})
	if u.N != 0 || u.Scale.Reason != "not_defined" || u.Drivers.Reason != "not_defined" || u.Items == nil {
		t.Errorf("%+v", u)
	}
}

// An item of few people is in no quadrant.
func TestItemsOfFew(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 3000 })
	a := loaded(t, st)
	for _, g := range ask(t, a, map[string]string{"by": "unit"}).Groups {
		if g.Weighted.N < 3 || g.Weighted.N >= minVerdict {
			continue
		}
		for _, x := range understand(t, a, map[string]string{"unit": g.ID}).Items {
			if x.Quadrant != stats.NoQuadrant || x.Sure {
				t.Fatalf("unit %s, %d answers: %s is %s", g.ID, g.N, x.ID, x.Quadrant)
			}
		}
		return
	}
	t.Fatal("no unit has few answers")
}

func TestParseItemsRefuses(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 10 })
	c := st.View().Catalogue
	for name, params := range map[string]map[string]string{
		"outcome": {"outcome": "c99"}, "by": {"by": "unit"}, "method": {"method": "pooled"}, "unit": {"unit": "none"}, "form": {"form": "x"},
	} {
		var wrong *survey.Error
		if _, err := ParseItems(c, seeds.DemoRound, params); !errors.As(err, &wrong) || wrong.Fields[0].Field != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseItems(c, "none", nil); !survey.Has(err, survey.CodeRoundUnknown) {
		t.Errorf("unknown round: %v", err)
	}
}
