package stats

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestIndexCovariancesBruteForce compares with the slow report by polarisation: V(a+b) − V(a) − V(b) is twice the covariance,
// with one linearised value a row and no sums shared between groups. The variances are also those of Compute.
func TestIndexCovariancesBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, rows := drawRound(t)
		block := build(t, plan, rows)
		report := compute(t, plan, block)
		brute := newBrute(plan, rows)
		for _, weighted := range []bool{true, false} {
			got, err := IndexCovariances(plan, weighted, block)
			if err != nil {
				t.Fatal(err)
			}
			weight := func(r *bruteRow) float64 {
				if weighted {
					return r.weight
				}
				return 1
			}
			member := func(g int) func(*bruteRow) bool {
				return func(r *bruteRow) bool { return r.in && r.group == g && weight(r) > 0 }
			}
			index := make([][]float64, plan.Groups) // nil where there is none
			for g := range index {
				u, value := brute.linearised(member(g), weight)
				at := plan.Items + len(plan.Factors) + plan.Headline
				if !math.IsNaN(value[at]) {
					index[g] = u[at]
				}
			}
			variance := func(u []float64, g, h int) float64 {
				v, _ := brute.variance(u, func(r *bruteRow) bool { return member(g)(r) || member(h)(r) }, weight, weighted)
				return v
			}
			for g := range index {
				for h := range g + 1 {
					if index[g] == nil || index[h] == nil {
						if c := got.At(g, h); c != 0 {
							t.Fatalf("weighted %v: groups %d and %d covary by %v without an index", weighted, g, h, c)
						}
						continue
					}
					sum := make([]float64, len(brute.rows))
					for i := range sum {
						sum[i] = index[g][i] + index[h][i]
					}
					vg, vh := variance(index[g], g, g), variance(index[h], h, h)
					want := (variance(sum, g, h) - vg - vh) / 2
					if c := got.At(h, g); !(math.Abs(c-want) <= 1e-12+1e-9*math.Sqrt(vg*vh)) || c != got.At(g, h) {
						t.Fatalf("weighted %v: groups %d and %d covary by %v, want %v", weighted, g, h, c, want)
					}
				}
				estimates := report.Groups[g].Weighted
				if !weighted {
					estimates = report.Groups[g].Unweighted
				}
				if estimates == nil {
					continue
				}
				if e := estimates.Index[plan.Headline]; e.HasSE && math.Abs(e.SE*e.SE-got.At(g, g)) > 1e-12+1e-9*e.SE*e.SE {
					t.Fatalf("weighted %v: group %d has the variance %v, in Compute %v", weighted, g, got.At(g, g), e.SE*e.SE)
				}
			}
		}
	})
}

// TestIndexCovariancesErrors: without an index there is nothing that covaries.
func TestIndexCovariancesErrors(t *testing.T) {
	if _, err := IndexCovariances(&Plan{Items: 1, Design: Visitors}, true); err == nil {
		t.Error("a plan without methods is taken")
	}
	if _, err := IndexCovariances(&Plan{Design: Visitors}, true); err == nil {
		t.Error("a plan without items is taken")
	}
}
