package stats

import "errors"

// GroupCovariances are the covariances between the headline indices of a plan's groups.
type GroupCovariances struct {
	of map[[2]int32]float64
	// Of a raked round, by group: the fit on the axes of the margins, and its covariance with what the group's totals are
	// without it, less half of the fit's own variance. nil otherwise.
	fit, with [][]float64
}

// At is the covariance of the groups i and j (the variance where they are one), in squared proportions. It is exactly 0 for
// groups that have nothing in common: no stratum, no weight cell and no margin.
func (c *GroupCovariances) At(i, j int) float64 {
	i, j = min(i, j), max(i, j)
	v := c.of[[2]int32{int32(i), int32(j)}]
	if c.fit != nil {
		for k := range c.fit[i] {
			v -= c.fit[i][k]*c.with[j][k] + c.fit[j][k]*c.with[i][k]
		}
	}
	return v
}

// IndexCovariances gives the covariances of the groups' headline indices, with the weights of the design or with weight 1:
// Compute's variance formula with the totals of two groups in place of the square of one. Groups of one
// sample share desk-days, strata and weight cells, so they are seldom independent. What has no standard error in
// Compute has no meaning here either. It scans the answers three times; the memory is that of the pairs that occur in one stratum
// (raked: what all groups share is kept once for each).
// Errors are those of Compute, and a plan without methods.
func IndexCovariances(plan *Plan, weighted bool, blocks ...*Rows) (*GroupCovariances, error) {
	if err := plan.Check(); err != nil {
		return nil, err
	}
	if len(plan.Methods) == 0 {
		return nil, errors.New("stats: covariances of an index for a plan without methods")
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
	}
	cl := newClasser(plan, weights)
	t := takeTally(plan, blocks, ranges, cl)
	t.includeGroups(plan)
	l := newLayout(plan)
	s := newCovarianceScan(plan, cl, weights, weighted)
	domains := solveDomains(plan, l, cl, weights, t)
	for d := 1; d < len(domains); d++ {
		e := domains[d].plain
		if weighted {
			e = domains[d].weighted
		}
		if at := l.methods + plan.Headline; e != nil && e.has[at] {
			s.coefficients[d] = make([]float64, 2*plan.Items)
			e.coefficients(s.coefficients[d], at)
		}
	}
	s.expect(t)
	for _, h := range designStrata(plan, sample.stratumPSUs) {
		s.stratum(blocks, &h)
	}
	out := &GroupCovariances{of: s.out}
	if s.rank > 0 {
		s.addFits(out)
	}
	return out, nil
}

// addFits takes the axes, which were scanned as groups behind the others, out of the covariances.
func (s *covarianceScan) addFits(c *GroupCovariances) {
	groups := s.plan.Groups
	c.fit, c.with = make([][]float64, groups), make([][]float64, groups)
	for i := range groups {
		c.fit[i], c.with[i] = make([]float64, s.rank), make([]float64, s.rank)
		copy(c.fit[i], s.fit[1+i]) // nil without an index
		for k := range s.rank {
			with := c.of[[2]int32{int32(i), int32(groups + k)}]
			for m, b := range c.fit[i] {
				with -= b * c.of[[2]int32{int32(groups + min(k, m)), int32(groups + max(k, m))}] / 2
			}
			c.with[i][k] = with
		}
	}
}

// covarianceScan is the memory of IndexCovariances.
type covarianceScan struct {
	plan     *Plan
	classer  *classer
	weights  *cellWeights
	weighted bool
	rank     int // axes of a raked round, else 0
	out      map[[2]int32]float64
	// coefficients has by domain those of its index (linear.coefficients), nil without one.
	coefficients [][]float64
	// expected has by class.mean what is taken off groups' totals, class.times for every counted row.
	expected [][]expectedIndex
	fit      [][]float64 // by domain: its index on the axes
	classes  []int32

	// Of the stratum in hand: the groups met in it, where each stands in that list (-1 not there), and the sums over PSUs of their
	// totals and of the products of totals. second is the covariance of the second stage.
	active        []int32
	at            []int
	sums          []float64
	cross, second map[[2]int]float64
	psus          []psuIndex // of the groups met, by place in active
	inPSU         []int      // places that the PSU in hand concerns
	cells         []cellRows // of the PSU in hand
}

type expectedIndex struct {
	domain int32
	value  float64
}

// psuIndex is one group's linearised total in the PSU in hand.
type psuIndex struct {
	met            bool
	total, squares float64
}

func newCovarianceScan(plan *Plan, cl *classer, weights *cellWeights, weighted bool) *covarianceScan {
	s := &covarianceScan{plan: plan, classer: cl, weights: weights, weighted: weighted, out: map[[2]int32]float64{},
		coefficients: make([][]float64, 1+plan.Groups)}
	if weighted && weights.raking != nil {
		s.rank = weights.raking.rank
	}
	s.at, s.fit = make([]int, 1+plan.Groups+s.rank), make([][]float64, 1+plan.Groups)
	for i := range s.at {
		s.at[i] = -1
	}
	return s
}

// expect gives every weight cell the mean of its groups' weighted linearised values over all counted rows, and in a raked round
// every class the mean of the linearised values, and every group its fit on the axes.
func (s *covarianceScan) expect(t *tally) {
	s.expected = make([][]expectedIndex, s.weights.means())
	if !s.weighted {
		return
	}
	for c, sum := range t.classes {
		class := s.classer.list[c]
		if sum == nil || class.domain <= 0 || !(class.weight > 0) || s.plan.Design != Visitors {
			continue
		}
		of := s.coefficients[class.domain]
		if of == nil {
			continue
		}
		value := 0.0
		for k := range sum.answered {
			value += of[k]*float64(sum.answered[k]) + of[s.plan.Items+k]*float64(sum.satisfied[k])
		}
		s.expected[class.mean] = append(s.expected[class.mean], expectedIndex{class.domain, value * s.weights.perRow(int(class.mean))})
		if s.rank == 0 {
			continue
		}
		if s.fit[class.domain] == nil {
			s.fit[class.domain] = make([]float64, s.rank)
		}
		for k, x := range s.weights.raking.of(class.cell) {
			s.fit[class.domain][k] += x * value
		}
	}
}

// stratum adds what one stratum contributes.
func (s *covarianceScan) stratum(blocks []*Rows, h *stratum) {
	s.active, s.sums, s.psus = s.active[:0], s.sums[:0], s.psus[:0]
	s.cross, s.second = map[[2]int]float64{}, map[[2]int]float64{}
	for _, part := range h.parts {
		first := uint64(part) << 32
		walk(blocks, first, first|(1<<32-1), func(key uint64, runs []run) { s.psu(key, runs, h) })
	}
	factor, n := 0.0, float64(h.psus)
	switch {
	case h.psus > 1:
		factor = n / (n - 1)
		if h.of > 0 {
			factor *= max(0, 1-n/h.of)
		}
	case h.lonely && !h.drawn:
		factor = 1
	}
	// Groups that share no PSU covary too: where one has much, the other has nothing.
	for a := range s.active {
		for b := range a + 1 {
			pair := [2]int{b, a}
			products := s.cross[pair]
			if h.psus > 1 {
				products -= s.sums[a] * s.sums[b] / n
			}
			i, j := s.active[a]-1, s.active[b]-1
			s.out[[2]int32{min(i, j), max(i, j)}] += factor*products + s.second[pair]
		}
	}
	for _, d := range s.active {
		s.at[d] = -1
	}
}

// psu adds one PSU to the stratum in hand.
func (s *covarianceScan) psu(key uint64, runs []run, h *stratum) {
	s.inPSU, s.cells = s.inPSU[:0], s.cells[:0]
	size := s.rows(runs)
	for _, c := range s.cells {
		mean, times := s.weights.expected(c.cell)
		for _, e := range s.expected[mean] {
			s.meet(e.domain).total -= c.rows * times * e.value
		}
		if s.rank > 0 {
			for k, x := range s.weights.raking.of(c.cell) {
				s.meet(int32(1 + s.plan.Groups + k)).total += c.rows * s.weights.cells[c.cell].Weight * x
			}
		}
	}
	population, m := s.plan.PSUSize[key], float64(size)
	second := 0.0
	if h.drawn && h.of > 0 && population > m {
		second = min(1, float64(h.psus)/h.of) * (1 - m/population)
	}
	for k, a := range s.inPSU {
		of := &s.psus[a]
		s.sums[a] += of.total
		for _, b := range s.inPSU[:k+1] {
			pair := [2]int{min(a, b), max(a, b)}
			s.cross[pair] += of.total * s.psus[b].total
			if second == 0 {
				continue
			}
			// A row is in one group, so that products of two groups are 0 in every row.
			within := 0.0
			if a == b {
				within = of.squares
			}
			if size > 1 {
				within = m / (m - 1) * (within - of.total*s.psus[b].total/m)
			}
			s.second[pair] += second * within
		}
	}
	for _, a := range s.inPSU {
		s.psus[a] = psuIndex{}
	}
}

// rows adds the rows of a PSU to its groups and returns how many are counted.
func (s *covarianceScan) rows(runs []run) (counted int) {
	for _, r := range runs {
		s.classes = s.classer.classify(s.classes, r, nil)
		for i, c := range s.classes {
			if c < 0 {
				continue
			}
			counted++
			class := &s.classer.list[c]
			weight := 1.0
			switch {
			case s.weighted && r.rows.weighted:
				weight = r.rows.weight[r.from+i]
			case s.weighted:
				weight = class.weight
			}
			if s.weighted && s.plan.Design == Visitors && weight > 0 {
				s.addCell(class.cell)
			}
			if class.domain <= 0 || weight == 0 || s.coefficients[class.domain] == nil {
				continue
			}
			z := weight * s.value(r.rows, r.from+i, s.coefficients[class.domain])
			of := s.meet(class.domain)
			of.total += z
			of.squares += z * z
		}
	}
	return counted
}

// value is the linearised value of one row.
func (s *covarianceScan) value(rows *Rows, i int, c []float64) float64 {
	codes := rows.codes[i*rows.stride : (i+1)*rows.stride]
	u := 0.0
	for k := range s.plan.Items {
		bits := codes[k/2] >> (4 * (k % 2)) & 15
		u += c[k]*float64(bits>>3) + c[s.plan.Items+k]*float64(bits>>2&1)
	}
	return u
}

func (s *covarianceScan) addCell(cell int32) {
	for i := range s.cells {
		if s.cells[i].cell == cell {
			s.cells[i].rows++
			return
		}
	}
	s.cells = append(s.cells, cellRows{cell, 1})
}

// meet gives the place of a group that the PSU in hand concerns. It is valid until the next call.
func (s *covarianceScan) meet(d int32) *psuIndex {
	a := s.at[d]
	if a < 0 {
		a = len(s.active)
		s.at[d] = a
		s.active, s.sums, s.psus = append(s.active, d), append(s.sums, 0), append(s.psus, psuIndex{})
	}
	of := &s.psus[a]
	if !of.met {
		of.met = true
		s.inPSU = append(s.inPSU, a)
	}
	return of
}
