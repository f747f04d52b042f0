package stats

import "math"

// Factor is one factor of an index: its weight in the index and the columns of its items, NaN where an
// item was not answered. Columns of 0 and 1 make shares, columns of 1 to 5 mean scores.
type Factor struct {
	Weight float64
	Items  [][]float64
	// Inclusion is the probability with which each item is asked, nil where all
	// are. It divides what an answer counts for in a Pooled factor; in the ratio
	// of one item it cancels.
	Inclusion []float64
}

// IndexEstimate is an index with its factors and items. A factor or index that needs an item which
// nobody in the domain answered has the Value NaN.
type IndexEstimate struct {
	Index   Statistic
	Factors []Statistic
	Items   [][]Statistic // by factor; each about the rows that answered the item
}

// Index estimates Σ weight·factor over the domain. An item is the ratio of satisfied to answered; a
// factor is the mean of its items' ratios (MeanOfItems) or the ratio of their sums (Pooled), in which
// an item counts as often as it is answered. Index and factors are about all rows of the domain, and
// have its degrees of freedom: a row that answered nothing is a respondent too. The linearised values
// of the parts add up, so the variance has the full covariance of all items. Weights are used as given;
// they should sum to 1.
func (s *Sample) Index(factors []Factor, combine Combine, domain []bool) IndexEstimate {
	everyone := s.newStatistic(s.answered(domain))
	var e IndexEstimate
	weights := make([]float64, len(factors))
	for f, factor := range factors {
		weights[f] = factor.Weight
		items := make([]Statistic, len(factor.Items))
		for j, y := range factor.Items {
			items[j] = s.Mean(y, domain)
		}
		e.Items = append(e.Items, items)
		if combine == Pooled {
			e.Factors = append(e.Factors, s.pooled(&factor, domain, everyone))
		} else {
			e.Factors = append(e.Factors, about(everyone, s.Combine(equalShares(len(items)), items...)))
		}
	}
	e.Index = about(everyone, s.Combine(weights, e.Factors...))
	return e
}

// pooled is the ratio of all satisfied to all answered over several items.
func (s *Sample) pooled(f *Factor, domain []bool, everyone Statistic) Statistic {
	satisfied, answered := make([]float64, s.design.rows), make([]float64, s.design.rows)
	for j, y := range f.Items {
		expansion := 1.0
		if f.Inclusion != nil {
			expansion = 1 / f.Inclusion[j]
		}
		for i, v := range y {
			if !math.IsNaN(v) {
				satisfied[i] += expansion * v
				answered[i] += expansion
			}
		}
	}
	return about(everyone, s.Ratio(satisfied, answered, domain))
}

// about returns the estimate st as one about other rows than those that entered it.
func about(rows, st Statistic) Statistic {
	rows.Value, rows.influence = st.Value, st.influence
	return rows
}

func equalShares(n int) []float64 {
	shares := make([]float64, n)
	for i := range shares {
		shares[i] = 1 / float64(n)
	}
	return shares
}
