package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Scale says how well items that should measure one thing go together. Figures that are not defined are nil.
type Scale struct {
	N         int         // rows that answered every item
	Alpha     Statistic   // Cronbach's α
	StdAlpha  *float64    // of standardised items; nil where an item is unanimous
	ItemStats []ItemStats // in the order of the items
}

// ItemStats is one item of a scale.
type ItemStats struct {
	Mean, SD float64
	// RestCorrelation is that with the sum of the other items; low or negative: the item measures something
	// else, or is turned round. Nil where the item or that sum is unanimous.
	RestCorrelation *float64
	// AlphaIfDeleted is α of the other items; above α: the item weakens the scale. Nil where fewer than two are left,
	// or their sum is unanimous.
	AlphaIfDeleted *float64
}

// Reliability computes Cronbach's α = k/(k−1)·(1 − ΣS_jj/ΣΣS_jl) of k items over the rows of the domain that answered
// all of them, S being the weighted covariance. The linearised value of a row is k/(k−1)·(T·t²/V² − Σd²/V), with d its
// deviations, t their sum, T = ΣS_jj and V = ΣΣS_jl. α is a lower bound of reliability; many items make it high whether or not they
// measure one thing, and with "not applicable" answers the complete rows may be few and special: look at
// N. Errors: fewer than two items; ErrUndefined where fewer than two rows are complete or the sum of the
// items is the same in all of them. Sources: Cronbach 1951; Nunnally & Bernstein 1994.
func (s *Sample) Reliability(items [][]float64, domain []bool) (Scale, error) {
	k := len(items)
	if k < 2 {
		return Scale{}, fmt.Errorf("a scale of %d items, want 2 and more", k)
	}
	m, err := s.moments(items, domain)
	if err != nil {
		return Scale{}, err
	}
	all := make([]int, k)
	for j := range all {
		all[j] = j
	}
	alpha, trace, variance, ok := alphaOf(m.cov, all)
	if !ok {
		return Scale{}, undefined("the sum of the items is the same in all %d complete rows", m.about.N)
	}
	gradient := mat.NewSymDense(k, nil)
	share := float64(k) / float64(k-1)
	for a := range k {
		for b := range a + 1 {
			gradient.SetSym(a, b, share*(trace/(variance*variance)-oneIf(a == b)/variance))
		}
	}
	result := Scale{N: m.about.N, Alpha: m.statistic(ofCovariances{alpha, gradient}), StdAlpha: standardisedAlpha(m.cov)}
	for j := range k {
		stats := ItemStats{Mean: m.means[j], SD: math.Sqrt(m.elementScale() * m.cov.At(j, j))}
		rest := append(append([]int(nil), all[:j]...), all[j+1:]...)
		withRest := 0.0
		for _, l := range rest {
			withRest += m.cov.At(j, l)
		}
		restAlpha, _, restVariance, ok := alphaOf(m.cov, rest)
		if ok && k > 2 {
			stats.AlphaIfDeleted = &restAlpha
		}
		if ok && m.cov.At(j, j) > 0 {
			r := withRest / math.Sqrt(m.cov.At(j, j)*restVariance)
			stats.RestCorrelation = &r
		}
		result.ItemStats = append(result.ItemStats, stats)
	}
	return result, nil
}

// alphaOf returns α of some items with the sum of their variances and the variance of their sum; false where
// that sum is constant.
func alphaOf(cov *mat.SymDense, items []int) (alpha, trace, variance float64, ok bool) {
	for _, a := range items {
		trace += cov.At(a, a)
		for _, b := range items {
			variance += cov.At(a, b)
		}
	}
	// Items that cancel leave rounding noise.
	if !(variance > 1e-12*trace) {
		return 0, trace, variance, false
	}
	k := float64(len(items))
	return k / (k - 1) * (1 - trace/variance), trace, variance, true
}

// standardisedAlpha is k·r̄/(1 + (k−1)·r̄), r̄ being the mean correlation of two items.
func standardisedAlpha(cov *mat.SymDense) *float64 {
	k, sum := cov.SymmetricDim(), 0.0
	for a := range k {
		if !(cov.At(a, a) > 0) {
			return nil
		}
		for b := range a {
			sum += cov.At(a, b) / math.Sqrt(cov.At(a, a)*cov.At(b, b))
		}
	}
	mean := sum / float64(k*(k-1)/2)
	denominator := 1 + float64(k-1)*mean
	if !(denominator > 1e-12) {
		return nil
	}
	alpha := float64(k) * mean / denominator
	return &alpha
}
