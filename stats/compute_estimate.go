package stats

import "math"

// estimates makes the numbers of one domain with one set of weights. squares
// gives, for a composite, Σ w·u² over the domain's rows.
func (e *linear) estimates(plan *Plan, s *spread, weighted bool, squares func(at int) float64) *Estimates {
	l := e.layout
	out := &Estimates{N: e.rows, PSUs: int(s.domainPSUs), Strata: int(s.domainIn), SumWeights: e.sum,
		Items: make([]Estimate, l.items), Factors: make([]Estimate, len(plan.Factors)), Index: make([]Estimate, len(plan.Methods))}
	out.Incomplete = incomplete(plan, func(k int) int { return e.n[k] })
	if !finite(out.SumWeights) {
		out.SumWeights = 0
	}
	drawn := weighted && plan.Design == Drawn
	for k := range out.Items {
		it := &out.Items[k]
		it.N = e.n[k]
		it.DF = int(s.psus[k] - s.strata[k])
		if !e.point(it, k, ReasonNoAnswers) {
			continue
		}
		if e.standardError(it, s, k) {
			e.itemEffect(it, k, drawn)
		}
		e.shareInterval(it, k, plan.level())
	}
	composite := func(c *Estimate, at int) {
		c.N = e.rows
		c.DF = int(s.domainPSUs - s.domainIn)
		if !e.point(c, at, ReasonIncomplete) {
			return
		}
		if e.standardError(c, s, at) {
			// Σwû²/Σw·n/(n−1)/n with û = N̂·u.
			if srs := e.sum * squares(at) / float64(c.N-1) * correction(c.N, e.sum, drawn); c.SE > 0 && srs > 0 && c.N > 1 {
				c.Deff, c.HasDeff = c.SE*c.SE/srs, true
			}
		}
		e.compositeInterval(c, at, plan.level())
	}
	for f := range out.Factors {
		composite(&out.Factors[f], l.reported+f)
	}
	for m := range out.Index {
		composite(&out.Index[m], l.methods+m)
	}
	for _, list := range [][]Estimate{out.Items, out.Factors, out.Index} {
		for i := range list {
			list[i].keepFinite()
		}
	}
	return out
}

func finite(x float64) bool { return math.Abs(x) <= math.MaxFloat64 }

// keepFinite takes away what is not a finite number, and what was made of it,
// with ReasonNotFinite.
func (e *Estimate) keepFinite() {
	kept := *e
	if !finite(kept.P) {
		kept = Estimate{N: kept.N, DF: kept.DF}
	}
	if !finite(kept.SE) {
		kept = Estimate{N: kept.N, DF: kept.DF, P: kept.P, HasP: kept.HasP}
	}
	if !finite(kept.CI.Low) || !finite(kept.CI.High) || !finite(kept.NStar) {
		kept.CI, kept.CIMethod, kept.NStar, kept.HasCI = Interval{}, "", 0, false
	}
	if !finite(kept.Deff) {
		kept.Deff, kept.HasDeff = 0, false
	}
	if !finite(kept.NEff) {
		kept.NEff, kept.HasNEff = 0, false
	}
	if kept != *e { // NaN differs from itself
		kept.Reason = ReasonNotFinite
		*e = kept
	}
}

// correction is the finite population correction of a simple random sample of
// n from a population of N̂, for drawn weights.
func correction(n int, population float64, drawn bool) float64 {
	if !drawn {
		return 1
	}
	return 1 - float64(n)/population
}

// point sets the estimate, or the reason why there is none.
func (e *linear) point(est *Estimate, at int, missing string) bool {
	if !e.has[at] {
		est.Reason = missing
		return false
	}
	est.P, est.HasP = e.value[at], true
	return true
}

// standardError sets the standard error, or the reason why there is none.
func (e *linear) standardError(est *Estimate, s *spread, at int) bool {
	switch {
	case s.miscounted:
		est.Reason = ReasonDrawCounts
		return false
	case s.lonely:
		est.Reason = ReasonLonelyPSU
		return false
	case est.DF <= 0:
		est.Reason = ReasonTooFewPSUs
		return false
	}
	est.HasSE = true
	if se := math.Sqrt(s.variance[at]); !(se < zeroSE) && !e.unanimous[at] { // NaN too: see keepFinite
		est.SE = se
	}
	return true
}

// itemEffect sets the design effect and the effective number of answers. The
// variance S²/n of a simple random sample is p(1−p)/(n−1) with the weights'
// own p.
func (e *linear) itemEffect(it *Estimate, k int, drawn bool) {
	n, p := it.N, it.P
	switch {
	case e.unanimous[k]:
		it.NEff, it.HasNEff = float64(n), true
	case it.SE > 0:
		it.NEff, it.HasNEff = p*(1-p)/(it.SE*it.SE), true
	}
	srs := p * (1 - p) / float64(n-1) * correction(n, e.answered[k], drawn)
	if n > 1 && it.SE > 0 && srs > 0 {
		it.Deff, it.HasDeff = it.SE*it.SE/srs, true
	}
}

func (e *linear) shareInterval(it *Estimate, k int, level float64) {
	if !it.HasSE {
		return
	}
	iv, method, nStar, ok := ShareInterval(it.P, it.SE, it.N, float64(it.DF), level)
	if !ok {
		it.Reason = ReasonTooFewPSUs
		return
	}
	it.CI, it.CIMethod, it.NStar, it.HasCI = iv, method, nStar, true
}

func (e *linear) compositeInterval(c *Estimate, at int, level float64) {
	if !c.HasSE {
		return
	}
	if c.SE == 0 && !e.unanimous[at] {
		c.Reason = ReasonNoVariation
		return
	}
	p := c.P
	if iv, method, ok := CompositeInterval(p, c.SE, c.N, float64(c.DF), level); ok {
		c.CI, c.CIMethod, c.HasCI = iv, method, true
	} else {
		c.Reason = ReasonNoVariation
	}
}
