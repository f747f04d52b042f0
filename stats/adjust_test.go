package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var adjustments = []Adjustment{Bonferroni, Holm, Hochberg, BenjaminiHochberg, BenjaminiYekutieli}

func TestAdjustPLimits(t *testing.T) {
	for _, by := range adjustments {
		if got, err := AdjustP(by, nil); err != nil || len(got) != 0 {
			t.Errorf("%s of nothing: %v, %v", by, got, err)
		}
		got, err := AdjustP(by, []float64{math.NaN(), 0.03, math.NaN()})
		if err != nil || got[1] != 0.03 || !math.IsNaN(got[0]) || !math.IsNaN(got[2]) {
			t.Errorf("%s of one test among tests that could not be made: %v, %v", by, got, err)
		}
		for _, p := range []float64{-0.1, 1.1, math.Inf(1)} {
			if _, err := AdjustP(by, []float64{p}); err == nil {
				t.Errorf("%s takes a p-value of %v", by, p)
			}
		}
	}
	if _, err := AdjustP("none", []float64{0.5}); err == nil {
		t.Error("an unknown adjustment is taken")
	}
}

// TestAdjustPProperties: adjusted values keep the order of p, lie between p and Bonferroni's (but for
// Yekutieli's, which may exceed it), do not depend on the order of the tests, and Hochberg's are never
// above Holm's.
func TestAdjustPProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 30).Draw(t, "p")
		order := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 1)).Perm(len(p))
		shuffled := make([]float64, len(p))
		for i, k := range order {
			shuffled[i] = p[k]
		}
		adjusted := map[Adjustment][]float64{}
		for _, by := range adjustments {
			got, err := AdjustP(by, p)
			if err != nil {
				t.Fatal(err)
			}
			again, err := AdjustP(by, shuffled)
			if err != nil {
				t.Fatal(err)
			}
			adjusted[by] = got
			for i, k := range order {
				if again[i] != got[k] {
					t.Fatalf("%s depends on the order: %v and %v", by, again[i], got[k])
				}
			}
			for i := range p {
				if !(got[i] >= p[i] && got[i] <= 1) || by != BenjaminiYekutieli && got[i] > adjusted[Bonferroni][i] {
					t.Fatalf("%s: %v of p %v, Bonferroni %v", by, got[i], p[i], adjusted[Bonferroni][i])
				}
				for j := range p {
					if p[i] < p[j] && got[i] > got[j] {
						t.Fatalf("%s turns %v < %v into %v > %v", by, p[i], p[j], got[i], got[j])
					}
				}
			}
		}
		if slices.ContainsFunc(order, func(i int) bool { return adjusted[Hochberg][i] > adjusted[Holm][i] }) {
			t.Fatalf("Hochberg %v above Holm %v", adjusted[Hochberg], adjusted[Holm])
		}
	})
}
