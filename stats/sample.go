package stats

import "math"

// Sample is a design with the weights that estimates use: those of the design, or calibrated ones. It
// is immutable; calibration returns a new Sample.
//
// Its methods take columns with one value a row of the design, finite or NaN where the answer is
// missing, and a domain, a mask of the rows to estimate for (nil = all rows). A column or mask of another length
// is a mistake of the caller and panics.
type Sample struct {
	design  *SamplingDesign
	weights []float64
	steps   []calibration
}

// NewSample returns the sample of a design with the design's own weights.
func NewSample(d *SamplingDesign) *Sample {
	return &Sample{design: d, weights: d.weights}
}

// Weights returns the weights in use, one a row. The caller must not change them.
func (s *Sample) Weights() []float64 { return s.weights }

// Statistic is an estimate with all that its variance needs: the linearised value (influence) of every
// row. Statistics of one Sample can be combined, and covary.
type Statistic struct {
	Value      float64 // NaN where the estimate is not defined: nobody answered, or a denominator of 0
	N          int     // rows that it is about
	SumWeights float64 // their weights
	PSUs       int     // primary sampling units that hold these rows
	DF         float64 // PSUs − strata that hold these rows; 0 allows no interval
	influence  []float64
	member     []bool
}

// newStatistic counts members; influence is left 0.
func (s *Sample) newStatistic(member []bool) Statistic {
	st := Statistic{member: member, influence: make([]float64, s.design.rows)}
	for i, in := range member {
		if in {
			st.N++
			st.SumWeights += s.weights[i]
		}
	}
	var strata int
	st.PSUs, strata = s.design.spread(member)
	st.DF = float64(st.PSUs - strata)
	return st
}

// answered returns the rows of the domain with an answer in every column.
func (s *Sample) answered(domain []bool, columns ...[]float64) []bool {
	s.checkLength(domain)
	member := make([]bool, s.design.rows)
	for i := range member {
		member[i] = domain == nil || domain[i]
	}
	for _, y := range columns {
		if len(y) != len(member) {
			panic("stats: column and design differ in length")
		}
		for i, v := range y {
			if math.IsNaN(v) {
				member[i] = false
			}
		}
	}
	return member
}

func (s *Sample) checkLength(domain []bool) {
	if domain != nil && len(domain) != s.design.rows {
		panic("stats: domain and design differ in length")
	}
}

// Covariance returns the covariance matrix of statistics of this sample. A statistic whose Value is NaN
// has NaN covariances. Errors wrap ErrLonelyPSU.
func (s *Sample) Covariance(statistics ...Statistic) ([][]float64, error) {
	z := make([][]float64, len(statistics))
	active := make([]bool, s.design.rows)
	for k, st := range statistics {
		z[k] = s.scores(st.influence)
		for i := range active {
			active[i] = active[i] || st.member[i] || z[k][i] != 0
		}
	}
	return s.design.covarianceOfTotals(z, active)
}

// StandardError returns the standard error of a statistic of this sample: 0 where all answers agree,
// NaN where its Value is NaN. Errors wrap ErrLonelyPSU.
func (s *Sample) StandardError(st Statistic) (float64, error) {
	cov, err := s.Covariance(st)
	if err != nil {
		return math.NaN(), err
	}
	return math.Sqrt(cov[0][0]), nil
}

// scores returns weight × linearised value of every row, with the calibration residuals in place of the
// linearised values where weights are calibrated.
func (s *Sample) scores(influence []float64) []float64 {
	z := append([]float64(nil), influence...)
	// The last step is undone first: its residuals make the estimator one of the weights before it.
	for k := len(s.steps) - 1; k >= 0; k-- {
		step := s.steps[k]
		step.residuals(z)
		if k > 0 {
			for i := range z {
				z[i] *= ratioOrZero(step.after[i], step.before[i])
			}
		}
	}
	last := s.weights
	if len(s.steps) > 0 {
		last = s.steps[0].after
	}
	for i := range z {
		z[i] *= last[i]
	}
	return z
}

// ratioOrZero is a/b, or 0 for b = 0: a row without weight before a calibration has none after it.
func ratioOrZero(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
