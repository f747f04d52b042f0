package stats

import "math"

// Mean estimates the population mean of y over the rows of the domain that answered: Σwy/Σw. For a
// column of 0 and 1 it is a share. Where all answers agree it is exactly their value with standard
// error 0, whatever rounding does to the sums.
func (s *Sample) Mean(y []float64, domain []bool) Statistic {
	ones := make([]float64, len(y))
	for i := range ones {
		ones[i] = 1
	}
	return s.Ratio(y, ones, domain)
}

// Ratio estimates the ratio of two population totals, Σwa/Σwb, over the rows of the domain that have
// both. Its linearised value is (a−Rb)/Σwb. Where a is the same multiple of b in every row, R is
// exactly that multiple. The Value is NaN where no row has both or Σwb = 0.
// Source: Särndal, Swensson & Wretman 1992, 5.6.
func (s *Sample) Ratio(a, b []float64, domain []bool) Statistic {
	st := s.newStatistic(s.answered(domain, a, b))
	s.setRatio(&st, a, b)
	return st
}

// setRatio computes the ratio over the members of st, all of whom have both values.
func (s *Sample) setRatio(st *Statistic, a, b []float64) {
	var sumA, sumB float64
	constant, proportional := math.NaN(), true
	for i, in := range st.member {
		if !in {
			continue
		}
		sumA += s.weights[i] * a[i]
		sumB += s.weights[i] * b[i]
		if math.IsNaN(constant) && b[i] != 0 {
			constant = a[i] / b[i]
		}
	}
	for i, in := range st.member {
		if in && a[i] != b[i]*constant && !(a[i] == 0 && b[i] == 0) {
			proportional = false
			break
		}
	}
	if sumB == 0 {
		s.undefine(st)
		return
	}
	if st.Value = sumA / sumB; proportional {
		st.Value = constant
		return
	}
	for i, in := range st.member {
		if in {
			st.influence[i] = (a[i] - st.Value*b[i]) / sumB
		}
	}
}

// undefine makes a statistic and all its covariances NaN.
func (s *Sample) undefine(st *Statistic) {
	st.Value = math.NaN()
	for i := range st.influence {
		st.influence[i] = math.NaN()
	}
}

// Total estimates the population total of y, Σwy, over the rows of the domain that answered. Without
// any such row it is 0.
func (s *Sample) Total(y []float64, domain []bool) Statistic {
	st := s.newStatistic(s.answered(domain, y))
	for i, in := range st.member {
		if in {
			st.Value += s.weights[i] * y[i]
			st.influence[i] = y[i]
		}
	}
	return st
}

// Combine returns the linear combination Σ coefficient·statistic of statistics of this sample, with
// their covariance kept: a difference with coefficients 1 and −1, a composite over groups with fixed
// shares. It is about the rows of any of its parts, and its degrees of freedom are theirs. A part with
// coefficient 0 counts among the rows only. Where the coefficients sum to 1 and the parts agree, the
// value is exactly theirs: everybody unanimous makes a composite of exactly 0 or 1.
func (s *Sample) Combine(coefficients []float64, parts ...Statistic) Statistic {
	if len(coefficients) != len(parts) {
		panic("stats: coefficients and statistics differ in number")
	}
	member := make([]bool, s.design.rows)
	for _, part := range parts {
		for i, in := range part.member {
			member[i] = member[i] || in
		}
	}
	st := s.newStatistic(member)
	sum, common, agree := 0.0, math.NaN(), true
	for k, part := range parts {
		if coefficients[k] == 0 {
			continue
		}
		if sum == 0 {
			common = part.Value
		}
		agree = agree && part.Value == common
		sum += coefficients[k]
		st.Value += coefficients[k] * part.Value
		for i, u := range part.influence {
			st.influence[i] += coefficients[k] * u
		}
	}
	if agree && math.Abs(sum-1) < 1e-12 {
		st.Value = common
	}
	return st
}

// ElementVariance estimates the variance of y among the people of the domain, from the rows that
// answered: S² = n/(n−1)·Σw(y−ȳ)²/Σw. The weights are sampling weights: n is the number of rows, not
// Σw. NaN for fewer than 2 answers.
func (s *Sample) ElementVariance(y []float64, domain []bool) float64 {
	mean := s.Mean(y, domain)
	if mean.N < 2 {
		return math.NaN()
	}
	sum := 0.0
	for i, in := range mean.member {
		if in {
			sum += s.weights[i] * (y[i] - mean.Value) * (y[i] - mean.Value)
		}
	}
	n := float64(mean.N)
	return n / (n - 1) * sum / mean.SumWeights
}

// DesignEffects returns how many times the variance of the mean of y, se², is that of a simple random
// sample of as many people: wor against one without replacement, S²/n·(1−n/N̂) with N̂ = Σw, wr against
// one with replacement, S²/n. Both are NaN where all answers agree or fewer than 2 people answered.
func (s *Sample) DesignEffects(y []float64, domain []bool, se float64) (wor, wr float64) {
	st := s.newStatistic(s.answered(domain, y))
	n, simple := float64(st.N), s.ElementVariance(y, domain)/float64(st.N)
	if !(simple > 0) {
		return math.NaN(), math.NaN()
	}
	return se * se / (simple * (1 - n/st.SumWeights)), se * se / simple
}

// CoefficientOfVariation returns se/|value|, as a proportion; NaN for a value of 0.
func CoefficientOfVariation(value, se float64) float64 {
	if value == 0 {
		return math.NaN()
	}
	return se / math.Abs(value)
}

// WeightSummary says how unequal the weights of some rows are.
type WeightSummary struct {
	N          int
	Sum        float64
	SumSquares float64
}

// WeightSummary returns the summary of the weights in use in the domain.
func (s *Sample) WeightSummary(domain []bool) WeightSummary {
	var k WeightSummary
	for i, in := range s.answered(domain) {
		if in {
			k.N++
			k.Sum += s.weights[i]
			k.SumSquares += s.weights[i] * s.weights[i]
		}
	}
	return k
}

// DesignEffect returns Kish's design effect of unequal weights, n·Σw²/(Σw)²; NaN for no weights.
// Source: Kish 1965, 11.7.
func (k WeightSummary) DesignEffect() float64 {
	return float64(k.N) * k.SumSquares / (k.Sum * k.Sum)
}

// EffectiveN returns Kish's effective sample size, (Σw)²/Σw²; NaN for no weights.
func (k WeightSummary) EffectiveN() float64 { return k.Sum * k.Sum / k.SumSquares }

// CV returns the coefficient of variation of the weights, with n in the denominator of their variance:
// √(DesignEffect − 1). Equal weights give 0.
func (k WeightSummary) CV() float64 { return math.Sqrt(math.Max(0, k.DesignEffect()-1)) }
