package stats

import "math"

// Compute answers one question about the answers of one round, which lie in
// one or more blocks. It scans columns twice and allocates nothing per answer.
//
// The result is a function of the set of answers alone, to the last bit: not
// of their order, of how they are divided into blocks, or of the number of
// processors. (Architectures that fuse multiplication and addition round
// otherwise.)
//
// Estimates. An item's share is the ratio Σw·y/Σw·a over the domain's rows,
// a = has a level, y = level 4 or 5. Factors and indices combine shares as
// Method says.
//
// Weights of Visitors are ΣN/Σn by weight cell (WeightCell), from the counted
// rows of the whole round; filters never change them. Answers without a
// population record (field or filing not said, say) merge the cells that could
// hold them into one or, if they are few, get the mean weight of those. Rows of
// units without a population or with too few answers have weight 0.
//
// Raking. With Plan.Margins the weights meet several classifications at once
// (WeightCell, MarginClass), each class as well as its neighbour, for which no
// cell needs to have many answers. ReasonMarginTotals, ReasonMarginEmpty and
// ReasonNotConverged say why there are none.
//
// Variance is Taylor-linearised: every row of the domain has
// u = Σ_k c_k·(y_k − R_k·a_k)/Â_k, rows outside it 0, and z = w·u, so that the
// covariance between items is in every composite. Visitors:
// z = w·(u − ū_c), ū_c the mean of u over all counted rows of the weight cell
// (the residual of post-stratification), or for a raked round z = w·(u − x'B), B
// the regression of u over all counted rows, all alike, on the indicators x of
// the classes of all margins, and
//
//	V = Σ_h n_h/(n_h−1)·Σ_i (t_hi − t̄_h)²
//
// over PSU totals t of desk-days i in desks h; n_h is every desk-day with
// counted rows, whether in the domain or not. Desks with one desk-day pool
// inside their unit; a unit with one desk-day in all contributes t², its
// square around 0, which is not less than its variance, and has itself no
// standard error (ReasonTooFewPSUs). Drawn adds the finite population
// corrections and the second stage where their counts are known:
//
//	V = Σ_h (1−n_h/N_h)·n_h/(n_h−1)·Σ_i (t_hi − t̄_h)²
//	  + Σ_h n_h/N_h·Σ_i (1−m_hi/M_hi)·m_hi/(m_hi−1)·Σ_j (z_hij − z̄_hi)²
//
// A fully drawn stratum adds nothing at the first stage; a domain with rows in
// a stratum with one PSU of several has no standard error (ReasonLonelyPSU),
// nor has one with rows where more was drawn than there is (ReasonDrawCounts).
//
// Unweighted estimates have w = 1, the same strata, PSUs and corrections, and
// no post-stratification.
//
// An error means that the plan or the blocks are wrong, never that there are
// too few answers: those give reasons in the result.
//
// Sources: Särndal, Swensson & Wretman 1992, sections 4.3, 5.5 and 7.6; Cochran
// 1977, section 11.8; Deville & Särndal 1992 for the residuals; Deville, Särndal
// & Sautory 1993 for raking.
func Compute(plan *Plan, blocks ...*Rows) (*Result, error) {
	if err := plan.Check(); err != nil {
		return nil, err
	}
	blocks, err := usable(plan, blocks)
	if err != nil {
		return nil, err
	}
	ranges := cutLanes(blocks)
	sample := takeSample(plan, blocks, ranges)
	weights := &cellWeights{}
	if plan.Design == Visitors {
		*weights = weigh(plan, sample.cellAnswers)
	} else if sample.maxWeight > 0 {
		weights.ratio = min(sample.maxWeight/sample.minWeight, math.MaxFloat64)
	}
	strata := designStrata(plan, sample.stratumPSUs)
	cl := newClasser(plan, weights)
	t := takeTally(plan, blocks, ranges, cl)
	t.includeGroups(plan)

	l := newLayout(plan)
	domains := solveDomains(plan, l, cl, weights, t)
	expected := cellExpectations(l, cl, weights, t)
	fits := newMarginFits(l, cl, weights, t, domains)
	spread := scanVariance(plan, blocks, l, cl, strata, domains, expected, fits)

	out := &Result{CellAnswers: sample.cellAnswers[:len(plan.Cells)], Cells: weights.cells, Units: weights.units, ExceedingCells: weights.exceeding, WeightRatio: weights.ratio,
		Margins: weights.margins, RakingReason: weights.reason,
		Groups: make([]Domain, plan.Groups), PlaceRows: make([]int, len(plan.Places))}
	for p, n := range t.placeRows {
		out.PlaceRows[p] = int(n)
	}
	for _, h := range strata {
		if h.lonely {
			out.LonelyPSUs++
		}
	}
	exceeds := exceedingDomains(plan, cl, weights, t)
	population := populations(plan)
	parallel(1+plan.Groups, func() []float64 { return make([]float64, 2*plan.Items) }, func(c []float64, d int) {
		to := &out.Total
		if d > 0 {
			to = &out.Groups[d-1]
		}
		fillDomain(to, plan, &domains[d], spread[d], t, d, c)
		to.Exceeds = exceeds[d]
		to.Population, to.PopulationKnown = population[d].results, population[d].known
	})
	return out, nil
}

// usable checks the blocks and drops the empty ones. Rows of a draw have
// weights of their own, whose sums depend on the order: its blocks are merged.
func usable(plan *Plan, blocks []*Rows) ([]*Rows, error) {
	if err := plan.checkBlocks(blocks); err != nil {
		return nil, err
	}
	var out []*Rows
	for _, r := range blocks {
		switch {
		case r.Len() == 0:
		case plan.Design == Drawn && len(out) == 1:
			out[0] = Merge(out[0], r)
		default:
			out = append(out, r)
		}
	}
	return out, nil
}

// fillDomain makes the numbers of the total (d = 0) or of group d-1. c is
// memory for twice the number of items.
func fillDomain(to *Domain, plan *Plan, dom *domain, s spreads, t *tally, d int, c []float64) {
	to.N = t.rows[d]
	to.Counts = t.codes[d]
	to.Incomplete = incomplete(plan, func(k int) int {
		n := to.Counts[k]
		return n[0] + n[1] + n[2] + n[3] + n[4]
	})
	to.WeightedReason = dom.reason
	if dom.plain == nil {
		to.UnweightedReason = ReasonNoAnswers
		return
	}
	squares := func(lin *linear, table func(*crossTable) []float64, s *spread) func(int) float64 {
		return func(at int) float64 {
			if plan.Design == Drawn {
				return s.squares[at]
			}
			lin.coefficients(c, at)
			return quadratic(table(t.cross[d]), c)
		}
	}
	to.PSUs, to.Strata = int(s.plain.domainPSUs), int(s.plain.domainIn)
	to.Unweighted = dom.plain.estimates(plan, s.plain, false,
		squares(dom.plain, func(x *crossTable) []float64 { return x.plain }, s.plain))
	if dom.weighted != nil {
		to.Weighted = dom.weighted.estimates(plan, s.weighted, true,
			squares(dom.weighted, func(x *crossTable) []float64 { return x.weighted }, s.weighted))
	}
}

// incomplete reports whether an item that the headline method gives weight has
// fewer than minLevels levels. Without methods, every item counts.
func incomplete(plan *Plan, levels func(item int) int) bool {
	if len(plan.Methods) == 0 {
		for k := range plan.Items {
			if levels(k) < minLevels {
				return true
			}
		}
		return false
	}
	for f, weight := range plan.Methods[plan.Headline].FactorWeights {
		if weight == 0 {
			continue
		}
		for _, k := range plan.Factors[f] {
			if levels(k) < minLevels {
				return true
			}
		}
	}
	return false
}

// minLevels is the number of levels an item needs for a complete index
// (DOMAIN, section 2).
const minLevels = 5

// exceedingDomains tells, by domain, whether it has rows in a weight cell with
// more answers than results returned.
func exceedingDomains(plan *Plan, cl *classer, weights *cellWeights, t *tally) []bool {
	out := make([]bool, 1+plan.Groups)
	if plan.Design != Visitors {
		return out
	}
	for c, s := range t.classes {
		if s != nil && weights.cells[cl.list[c].cell].Exceeds {
			for _, d := range domainsOf(cl.list[c].domain) {
				out[d] = true
			}
		}
	}
	return out
}

// population is the results returned in a domain.
type population struct {
	results float64
	known   bool
}

// populations sums, by domain, the cells that lie wholly inside it. A unit all
// of whose places are in one domain brings all its cells, those without a
// place too; otherwise a cell belongs where all its places are. A domain that
// has only a part of some cell has no known population, nor has a group of
// persons or days.
func populations(plan *Plan) []population {
	out := make([]population, 1+plan.Groups)
	if plan.Design != Visitors {
		return out
	}
	everywhere := true
	for i := range plan.Places {
		everywhere = everywhere && plan.Places[i].In
	}
	if everywhere { // units without a place too
		for _, c := range plan.Cells {
			if c.Known {
				out[0] = population{out[0].results + c.N, true}
			}
		}
	} else {
		sumPopulation(plan, func(p *Place) int32 {
			if p.In {
				return 0
			}
			return outside
		}, out)
	}
	if plan.By == ByPlace {
		sumPopulation(plan, func(p *Place) int32 {
			if p.In && p.Group >= 0 {
				return p.Group + 1
			}
			return outside
		}, out)
	}
	return out
}

// Marks of sumPopulation beside the numbers of domains.
const (
	unseen  = -3 // no place yet
	mixed   = -2 // places of several domains
	outside = -1
)

// sumPopulation adds each cell to the domain that domainOf gives all its
// places.
func sumPopulation(plan *Plan, domainOf func(*Place) int32, out []population) {
	units, cells := make([]int32, plan.Units), make([]int32, len(plan.Cells))
	for i := range units {
		units[i] = unseen
	}
	for i := range cells {
		cells[i] = unseen
	}
	mark := func(m *int32, d int32) {
		switch *m {
		case unseen:
			*m = d
		case d:
		default:
			*m = mixed
		}
	}
	for i := range plan.Places {
		p := &plan.Places[i]
		d := domainOf(p)
		mark(&units[p.Unit], d)
		if p.Cell >= 0 && int(p.Cell) < len(cells) {
			mark(&cells[p.Cell], d)
		}
	}
	partial := make([]bool, len(out))
	for i := range plan.Places {
		p := &plan.Places[i]
		if d := domainOf(p); d >= 0 && p.Cell >= 0 && int(p.Cell) < len(cells) && cells[p.Cell] == mixed {
			partial[d] = true
		}
	}
	for i, c := range plan.Cells {
		d := cells[i]
		if units[c.Unit] != mixed {
			d = units[c.Unit]
		}
		if d >= 0 && c.Known {
			out[d].results += c.N
			out[d].known = true
		}
	}
	for d := range out {
		if partial[d] {
			out[d] = population{}
		}
	}
}
