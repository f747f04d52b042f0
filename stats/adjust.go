package stats

import (
	"fmt"
	"math"
	"slices"
)

// Adjustment is a way to adjust the p-values of several tests made at once.
type Adjustment string

// The adjustments. Holm and Bonferroni bound the chance of any false finding, whatever the dependence of the
// tests; Hochberg does so for independent or positively dependent tests. BenjaminiHochberg bounds
// the expected share of false findings among the findings, for independent or positively dependent
// tests; BenjaminiYekutieli for any.
const (
	Bonferroni         Adjustment = "bonferroni"
	Holm               Adjustment = "holm"
	Hochberg           Adjustment = "hochberg"
	BenjaminiHochberg  Adjustment = "bh"
	BenjaminiYekutieli Adjustment = "by"
)

// AdjustP returns the adjusted p-values in the order of p: a test is significant at level α if its
// adjusted value is at most α. With p_(1) ≤ … ≤ p_(m):
//
//   - bonferroni: m·p
//   - holm: the largest of (m−i+1)·p_(i) up to a test's place
//   - hochberg: the smallest of (m−i+1)·p_(i) from its place on
//   - bh: the smallest of m/i·p_(i) from its place on; by: that times Σ1/i
//
// none above 1. A p that is NaN, of a test that could not be made, stays NaN and does not count in m. A p
// outside [0, 1] or an unknown adjustment is an error.
// Sources: Holm 1979; Hochberg 1988; Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001.
func AdjustP(by Adjustment, p []float64) ([]float64, error) {
	adjusted := make([]float64, len(p))
	var order []int
	for i, v := range p {
		switch {
		case math.IsNaN(v):
			adjusted[i] = v
		case v < 0 || v > 1:
			return nil, fmt.Errorf("p-value %v", v)
		default:
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	m := float64(len(order))
	var factor func(place float64) float64 // place 1 is the smallest p
	stepUp := true                         // a later, larger test bounds the earlier ones
	switch by {
	case Bonferroni:
		factor = func(float64) float64 { return m }
	case Holm:
		factor, stepUp = func(place float64) float64 { return m - place + 1 }, false
	case Hochberg:
		factor = func(place float64) float64 { return m - place + 1 }
	case BenjaminiHochberg:
		factor = func(place float64) float64 { return m / place }
	case BenjaminiYekutieli:
		harmonic := 0.0
		for i := range order {
			harmonic += 1 / float64(i+1)
		}
		factor = func(place float64) float64 { return harmonic * m / place }
	default:
		return nil, fmt.Errorf("unknown adjustment %q", by)
	}
	if stepUp {
		least := 1.0
		for k := len(order) - 1; k >= 0; k-- {
			least = math.Min(least, factor(float64(k+1))*p[order[k]])
			adjusted[order[k]] = least
		}
		return adjusted, nil
	}
	most := 0.0
	for k, i := range order {
		most = math.Max(most, factor(float64(k+1))*p[i])
		adjusted[i] = math.Min(1, most)
	}
	return adjusted, nil
}
