package stats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// moments are the weighted covariances Σw·(x−x̄)(y−ȳ)/Σw of some columns over the rows that have all of them. What is
// made of covariances, such as a correlation or an explained share, becomes a Statistic by its gradient: the means need
// no linearising, since covariances do not move with them to the first order.
type moments struct {
	about   Statistic
	means   []float64
	centred [][]float64 // by column; 0 in rows that are not members
	cov     *mat.SymDense
}

// moments returns the covariances of the columns in the domain. Errors wrap ErrUndefined: fewer than two
// rows have all columns, or they have no weight.
func (s *Sample) moments(columns [][]float64, domain []bool) (*moments, error) {
	m := &moments{about: s.newStatistic(s.answered(domain, columns...)), cov: mat.NewSymDense(len(columns), nil)}
	if m.about.N < 2 || !(m.about.SumWeights > 0) {
		return nil, undefined("%d rows have all answers", m.about.N)
	}
	for a, y := range columns {
		mean := s.Mean(y, m.about.member).Value // exact where all agree
		centred := make([]float64, len(y))
		for i, in := range m.about.member {
			if in {
				centred[i] = y[i] - mean
			}
		}
		m.means, m.centred = append(m.means, mean), append(m.centred, centred)
		for b := range a + 1 {
			sum := 0.0
			for i, d := range m.centred[b] {
				sum += s.weights[i] * d * centred[i]
			}
			m.cov.SetSym(a, b, sum/m.about.SumWeights)
		}
	}
	return m, nil
}

// elementScale turns a variance over Σw into one of people: n/(n−1).
func (m *moments) elementScale() float64 { return float64(m.about.N) / float64(m.about.N-1) }

// standardise divides every column by its standard deviation, after which the covariances are correlations. It
// reports false where a column is constant.
func (m *moments) standardise() bool {
	k := len(m.centred)
	sd := make([]float64, k)
	for a := range k {
		if sd[a] = math.Sqrt(m.cov.At(a, a)); !(sd[a] > 0) {
			return false
		}
		for i := range m.centred[a] {
			m.centred[a][i] /= sd[a]
		}
	}
	for a := range k {
		for b := range a + 1 {
			m.cov.SetSym(a, b, m.cov.At(a, b)/(sd[a]*sd[b]))
		}
		m.cov.SetSym(a, a, 1)
	}
	return true
}

// statistic returns the statistic of a function of the covariances with the given value and gradient G, where a change
// dS of the covariances changes it by Σ G·dS over all cells. A row's linearised value is d'Gd/Σw, d being its centred
// values. The function must not change when all covariances are multiplied by a number: then ΣG·S = 0, and
// d'Gd needs no centring.
func (m *moments) statistic(f ofCovariances) Statistic {
	k := len(m.centred)
	st := m.about
	st.Value, st.influence = f.value, make([]float64, len(st.member))
	for i, in := range st.member {
		if !in {
			continue
		}
		sum := 0.0
		for a := range k {
			row := f.gradient.At(a, a) * m.centred[a][i]
			for b := range a {
				row += 2 * f.gradient.At(a, b) * m.centred[b][i]
			}
			sum += row * m.centred[a][i]
		}
		st.influence[i] = sum / st.SumWeights
	}
	return st
}

// ofCovariances is a function of a covariance matrix, at one point.
type ofCovariances struct {
	value    float64
	gradient *mat.SymDense
}
