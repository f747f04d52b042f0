package seeds

import (
	"math"
	"slices"

	"sipas/survey"
)

// computeTruth integrates the model over days, people and noise. Their sum is
// normal with variance day² + person² + 1, so the share of satisfied people in
// a cell with effect m is, over the groups g of shares π,
//
//	Σ_g π_g Φ((m + effect_g + item) / √(day² + person² + 1))
//
// for people who think about each item; those who give one level to all are
// satisfied with the same probability without the item's effect. A unit's true
// share is the mean over its cells, each weighing its results returned.
func (s *Simulation) computeTruth() {
	p := s.params
	sd := math.Sqrt(p.DaySD*p.DaySD + p.PersonSD*p.PersonSD + 1)
	mix := mixture(s.questions)
	share := func(m float64) float64 {
		sum := 0.0
		for _, g := range mix {
			sum += g.share * normal((m+g.effect)/sd)
		}
		return sum
	}
	s.handled = make([]float64, len(s.units))
	s.satisfied = make([][]float64, len(s.units))
	for u := range s.satisfied {
		s.satisfied[u] = make([]float64, len(s.items))
	}
	for _, c := range s.cells {
		same := p.StraightLine * share(c.effect)
		s.handled[c.unit] += c.size
		for i, item := range s.items {
			s.satisfied[c.unit][i] += c.size * (same + (1-p.StraightLine)*share(c.effect+item))
		}
	}
	for u := range s.satisfied {
		for i := range s.satisfied[u] {
			s.satisfied[u][i] /= s.handled[u]
		}
	}
}

// TrueItems returns the true share of satisfied people by item, 0 … 1, of one
// unit, or of all results returned when unit is "". It is nil for a unit that
// is not simulated.
//
// True is what a complete count of very many transactions would give with these
// units, desks and items: the mean over days, people and noise. Every answer
// counts, straight-lined ones too: a report without flagged answers estimates
// something else, since content people give one level to all items more often.
func (s *Simulation) TrueItems(unit string) []float64 {
	if unit != "" {
		u := slices.Index(s.units, unit)
		if u < 0 {
			return nil
		}
		return slices.Clone(s.satisfied[u])
	}
	mean, total := make([]float64, len(s.items)), 0.0
	for u := range s.units {
		total += s.handled[u]
		for i, p := range s.satisfied[u] {
			mean[i] += s.handled[u] * p
		}
	}
	for i := range mean {
		mean[i] /= total
	}
	return mean
}

// TrueIndex returns the true index, 0 … 1, of one unit, or of all when unit is
// "", by a method of the round's instrument; see [Simulation.TrueItems] for
// what true means. In a pooled factor an item weighs as much as answers to it
// are expected. It is NaN for an unknown method or unit.
func (s *Simulation) TrueIndex(method, unit string) float64 {
	items := s.TrueItems(unit)
	k := slices.IndexFunc(s.in.Methods, func(m survey.Method) bool { return m.Name == method })
	if items == nil || k < 0 {
		return math.NaN()
	}
	m := s.in.Methods[k]
	weights, index := s.in.Weights(m), 0.0
	for f, members := range s.in.FactorItems() {
		sum, of := 0.0, 0.0
		for _, i := range members {
			w := 1.0
			if m.Combine == "pooled" {
				w = s.answerRate(i)
			}
			sum += w * items[i]
			of += w
		}
		index += weights[f] * sum / of
	}
	return index
}

// answerRate is the expected share of valid responses in which item i carries
// a level.
func (s *Simulation) answerRate(i int) float64 {
	p, n := s.params, len(s.items)
	rate := 1 - p.Blank
	if i >= s.feedbackFrom {
		rate *= 1 - p.NAFeedback
	} else {
		rate *= 1 - p.NAOther
	}
	if n < 2 {
		return rate
	}
	// a person who leaves after b items is valid when b is half of them or
	// more, and has answered item i when b > i
	valid, reached := 0, 0
	for b := 1; b < n; b++ {
		if 2*b >= n {
			valid++
			if b > i {
				reached++
			}
		}
	}
	left := p.BrokenOff / float64(n-1)
	return rate * (1 - p.BrokenOff + left*float64(reached)) / (1 - p.BrokenOff + left*float64(valid))
}

// normal is the distribution function of the standard normal.
func normal(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// quantile is the inverse of normal, for 0 < p < 1.
func quantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
