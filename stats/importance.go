package stats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// Quadrant says where an item stands by its performance and its importance.
type Quadrant string

// The quadrants; an item on a threshold counts as high. NoQuadrant is for items without an importance.
const (
	NoQuadrant       Quadrant = ""
	KeepUp           Quadrant = "keep_up"           // both high
	ConcentrateHere  Quadrant = "concentrate_here"  // important, performs low
	PossibleOverkill Quadrant = "possible_overkill" // unimportant, performs high
	LowPriority      Quadrant = "low_priority"      // both low
)

// RatedItem is an item in two columns, NaN in both where it was not answered: its levels, and 1 for
// satisfied, else 0.
type RatedItem struct{ Levels, Satisfied []float64 }

// ItemImportance is the place of one item in an importance-performance map.
type ItemImportance struct {
	N           int       // rows with the item and the outcome, which both figures are about
	Performance Statistic // share satisfied
	Importance  Statistic // correlation of its levels with the outcome; Value NaN where either is the same in all rows
	Quadrant    Quadrant
	// The gaps are Performance and Importance less their thresholds, with the error of thresholds that are
	// means: a gap within its interval around 0 makes the quadrant a matter of chance. Value NaN without a
	// quadrant.
	PerformanceGap, ImportanceGap Statistic
}

// ImportanceMap sets the performance of items against their importance.
type ImportanceMap struct {
	// Thresholds are those used; NaN where no item has a quadrant and none was given.
	PerformanceThreshold, ImportanceThreshold float64
	Items                                     []ItemImportance
}

// ImportancePerformance maps items by the share of satisfied people and by the correlation of their levels with an outcome, each
// over the rows of the domain that have the item and the outcome. A nil threshold is the plain mean over the items that
// have an importance, so that about half of the items lie on each side by construction: the map sorts items, it judges
// none of them. Correlations of single items overlap; KeyDrivers divides what they explain together. The
// correlation has the linearised value (xy − r·(x²+y²)/2)/Σw of standardised deviations.
// Source: Martilla & James 1977.
func (s *Sample) ImportancePerformance(outcome []float64, items []RatedItem, performance, importance *float64, domain []bool) ImportanceMap {
	result := ImportanceMap{Items: make([]ItemImportance, len(items))}
	var performances, importances []Statistic
	var mapped []*ItemImportance
	for j, item := range items {
		r := &result.Items[j]
		*r = s.importanceOf(outcome, item, domain)
		if !math.IsNaN(r.Importance.Value) {
			mapped = append(mapped, r)
			performances, importances = append(performances, r.Performance), append(importances, r.Importance)
		}
	}
	result.PerformanceThreshold, result.ImportanceThreshold = threshold(performance, performances), threshold(importance, importances)
	for k, r := range mapped {
		r.PerformanceGap = s.gap(k, performances, performance)
		r.ImportanceGap = s.gap(k, importances, importance)
		high, important := r.Performance.Value >= result.PerformanceThreshold, r.Importance.Value >= result.ImportanceThreshold
		switch {
		case high && important:
			r.Quadrant = KeepUp
		case important:
			r.Quadrant = ConcentrateHere
		case high:
			r.Quadrant = PossibleOverkill
		default:
			r.Quadrant = LowPriority
		}
	}
	return result
}

// importanceOf leaves the gaps undefined.
func (s *Sample) importanceOf(outcome []float64, item RatedItem, domain []bool) ItemImportance {
	both := s.answered(domain, outcome, item.Levels, item.Satisfied)
	r := ItemImportance{Performance: s.Mean(item.Satisfied, both), Importance: s.newStatistic(both)}
	r.N = r.Performance.N
	s.undefine(&r.Importance)
	r.PerformanceGap, r.ImportanceGap = r.Importance, r.Importance
	m, err := s.moments([][]float64{item.Levels, outcome}, both)
	if err == nil && m.standardise() {
		correlation := m.cov.At(0, 1)
		r.Importance = m.statistic(ofCovariances{correlation, mat.NewSymDense(2, []float64{-correlation / 2, 0.5, 0.5, -correlation / 2})})
	}
	return r
}

// threshold is the given one or the mean.
func threshold(given *float64, of []Statistic) float64 {
	if given != nil {
		return *given
	}
	sum := 0.0
	for _, st := range of {
		sum += st.Value
	}
	return sum / float64(len(of))
}

// gap is the k-th statistic less the given threshold, or less the mean of all.
func (s *Sample) gap(k int, of []Statistic, given *float64) Statistic {
	if given != nil {
		st := of[k]
		st.Value -= *given
		return st
	}
	coefficients := make([]float64, len(of))
	for l := range coefficients {
		coefficients[l] = -1 / float64(len(of))
	}
	coefficients[k]++
	return s.Combine(coefficients, of...)
}
