package stats

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestAnswerSampleOfCompute: the same question answered row by row has the estimates and errors of Compute.
func TestAnswerSampleOfCompute(t *testing.T) {
	checked := 0
	rapid.Check(t, func(t *rapid.T) {
		plan, rows := drawRound(t)
		block := build(t, plan, rows)
		report := compute(t, plan, block)
		for _, weighted := range []bool{true, false} {
			want := report.Total.Weighted
			if !weighted {
				want = report.Total.Unweighted
			}
			got, err := AnswerSampleOf(plan, weighted, len(rows), block)
			method := plan.Methods[plan.Headline]
			switch {
			case want == nil:
				if !errors.Is(err, ErrUndefined) {
					t.Fatalf("weighted %v: nothing to estimate, error %v", weighted, err)
				}
				continue
			case errors.Is(err, ErrLonelyPSU) || errors.Is(err, ErrDrawCounts):
				if e := want.Index[plan.Headline]; e.HasSE {
					t.Fatalf("weighted %v: %v, but Compute has an error of %v", weighted, err, e.SE)
				}
				continue
			case err != nil:
				t.Fatal(err)
			}
			factors := make([]Factor, len(plan.Factors))
			for f, items := range plan.Factors {
				factors[f].Weight = method.FactorWeights[f]
				for _, k := range items {
					y := make([]float64, len(got.Levels[k]))
					for i, level := range got.Levels[k] {
						switch {
						case math.IsNaN(level):
							y[i] = level
						case level >= 4:
							y[i] = 1
						}
					}
					factors[f].Items = append(factors[f].Items, y)
					if plan.Inclusion != nil {
						factors[f].Inclusion = append(factors[f].Inclusion, plan.Inclusion[k])
					}
				}
			}
			used := factors[:0]
			for _, f := range factors {
				if f.Weight > 0 { // Index needs every factor, Compute those that weigh
					used = append(used, f)
				}
			}
			st := got.Index(used, method.Combine, got.Domain).Index
			e := want.Index[plan.Headline]
			if st.N != e.N || int(st.DF) != e.DF || math.IsNaN(st.Value) == e.HasP || e.HasP && math.Abs(st.Value-e.P) > 1e-9 {
				t.Fatalf("weighted %v: %d rows, df %v, index %v; Compute has %+v", weighted, st.N, st.DF, st.Value, e)
			}
			if e.HasSE {
				se, err := got.StandardError(st)
				if err != nil || math.Abs(se-e.SE) > 1e-9+1e-7*e.SE {
					t.Fatalf("weighted %v: error %v (%v), Compute has %v", weighted, se, err, e.SE)
				}
				checked++
			}
		}
	})
	if checked < 50 {
		t.Errorf("only %d errors were compared", checked)
	}
}

// TestAnswerSampleOfLimit: one row more than allowed is refused.
func TestAnswerSampleOfLimit(t *testing.T) {
	plan := &Plan{Items: 1, Factors: [][]int{{0}}, Methods: []Method{{Combine: Pooled, FactorWeights: []float64{1}}}, Design: Visitors, Units: 2,
		Places: []Place{{Counted: true, In: true, Unit: 0, Cell: 0}, {Counted: true, Unit: 1, Cell: 1}}, Persons: []Person{{In: true}},
		Strata: []Stratum{{Unit: 0}, {Unit: 1}}, Cells: []Cell{{Unit: 0}, {Unit: 1}}}
	b := NewBuilder(1, false)
	for i := range 6 {
		if err := b.Add(Row{ID: [16]byte{byte(i)}, PSU: uint64(i%2)<<32 | uint64(i), Place: uint32(i % 2), Answers: "4"}); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := AnswerSampleOf(plan, false, 3, b.Build()); err != nil || len(s.Domain) != 3 {
		t.Errorf("three rows of the unit: %v", err)
	}
	if _, err := AnswerSampleOf(plan, false, 2, b.Build()); !errors.Is(err, ErrTooManyRows) {
		t.Errorf("limit 2: %v", err)
	}
	if _, err := AnswerSampleOf(plan, true, 3, b.Build()); !errors.Is(err, ErrUndefined) {
		t.Errorf("without weights: %v", err)
	}
}
