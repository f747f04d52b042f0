package stats

import (
	"math"
	"slices"
)

// rakeCells rakes: the weights of all answers of a cell are one, the product of
// a factor for each of its classes, so that the answers of every class have its
// total (iterative proportional fitting from weights of 1).
//
// Units without a population, or with fewer than plan.MinCell answers, are left
// out, and what their cells say comes off the totals. Small classes merge where
// the margin says so. Answers whose class is not known have together what the
// classes of the first margin give them, total / answers each; the known classes
// share the rest in proportion. Merging and sharing stay inside cells that hang
// together by their classes, so that two samples in one plan do not mix.
//
// Source: Deville, Särndal & Sautory 1993.
func rakeCells(plan *Plan, answers []int) cellWeights {
	out, byUnit := newCellWeights(plan, answers)
	r := &rake{plan: plan, answers: answers}
	for unit, members := range byUnit {
		if out.units[unit].Reason == "" {
			r.cells = append(r.cells, members...)
		} else {
			r.left = append(r.left, members...)
		}
	}
	out.reason = r.prepare()
	var weights []float64
	if out.reason == "" {
		if weights = r.fit(); weights == nil {
			out.reason = ReasonNotConverged
		}
	}
	for m := range r.margins {
		out.margins = append(out.margins, r.margins[m].list)
	}
	for unit, members := range byUnit {
		u := &out.units[unit]
		if u.Reason != "" { // left out as a whole
			if len(members) > 0 {
				cell := newWeightCell(plan, answers, members...)
				cell.Reason = u.Reason
				out.add(cell)
			}
			continue
		}
		u.Reason = out.reason
		for _, i := range members {
			cell := newWeightCell(plan, answers, i)
			cell.Reason = u.Reason
			if cell.Reason == "" && cell.Answers > 0 {
				cell.Weight = weights[i]
			}
			for m := range r.margins {
				cell.Exceeds = cell.Exceeds || cell.Answers > 0 && r.margins[m].exceeds[i]
			}
			out.add(cell)
		}
	}
	if out.reason == "" {
		out.setRatio()
		out.raking = r.regression(&out)
	}
	return out
}

// rake is the work of raking one round.
type rake struct {
	plan    *Plan
	answers []int
	cells   []int32 // of the plan: those that take part, by unit
	left    []int32 // the others
	part    []int32 // by cell: which cells hang together
	margins []rakedMargin
}

// rakedMargin is a margin over the cells that take part.
type rakedMargin struct {
	class   []int32 // by cell of the plan: index of list, -1 takes no part
	list    []MarginClass
	parts   []int32 // by class of list: which cells hang together
	exceeds []bool  // by cell of the plan: in a class with more answers than results
}

// prepare makes the margins; it gives the reason why no weights can meet them.
func (r *rake) prepare() string {
	r.setParts()
	for m := range r.plan.Margins {
		margin, reason := r.margin(m)
		if reason != "" {
			return reason
		}
		r.margins = append(r.margins, margin)
	}
	if !r.agree() {
		return ReasonMarginTotals
	}
	for m := range r.margins {
		if m > 0 {
			r.addUnknown(m)
		}
		for _, c := range r.margins[m].list {
			if (c.Answers == 0) != (c.Total == 0) {
				return ReasonMarginEmpty
			}
		}
	}
	return ""
}

// setParts finds the cells that hang together: two of one class do.
func (r *rake) setParts() {
	r.part = make([]int32, len(r.plan.Cells))
	for i := range r.part {
		r.part[i] = int32(i)
	}
	root := func(i int32) int32 {
		for r.part[i] != i {
			r.part[i] = r.part[r.part[i]]
			i = r.part[i]
		}
		return i
	}
	for m := range r.plan.Margins {
		first := map[int32]int32{}
		for _, i := range r.cells {
			c := r.plan.Margins[m].Class[i]
			if c < 0 {
				continue
			}
			if _, ok := first[c]; !ok {
				first[c] = i
			}
			a, b := root(first[c]), root(i)
			r.part[max(a, b)] = min(a, b)
		}
	}
	for _, i := range r.cells {
		r.part[i] = root(i)
	}
}

// margin makes the classes of one margin, without those not known.
func (r *rake) margin(m int) (out rakedMargin, reason string) {
	plan := &r.plan.Margins[m]
	classes := make([]WeightCell, len(plan.Totals)) // to be merged like cells
	parts := make([]int32, len(plan.Totals))
	for c, total := range plan.Totals {
		classes[c] = WeightCell{Members: []int32{int32(c)}, N: total}
		parts[c] = -1
	}
	for _, i := range r.left {
		if c := plan.Class[i]; c >= 0 && r.plan.Cells[i].Known {
			classes[c].N -= r.plan.Cells[i].N
		}
	}
	for _, i := range r.cells {
		if c := plan.Class[i]; c >= 0 {
			classes[c].Answers += r.answers[i]
			parts[c] = r.part[i]
		}
	}
	out = rakedMargin{class: make([]int32, len(r.plan.Cells)), exceeds: make([]bool, len(r.plan.Cells))}
	together := map[int32][]WeightCell{}
	var order []int32
	for c := range classes {
		switch of := &classes[c]; {
		case of.N < 0:
			return out, ReasonMarginTotals
		case parts[c] < 0 && of.N == 0:
			continue // of units that are left out
		case parts[c] < 0:
			return out, ReasonMarginEmpty // in no cell at all
		}
		if together[parts[c]] == nil {
			order = append(order, parts[c])
		}
		together[parts[c]] = append(together[parts[c]], classes[c])
	}
	at := make([]int32, len(plan.Totals))
	for _, part := range order {
		list := together[part]
		if plan.Merge {
			list = collapse(list, r.plan.minCell())
		}
		slices.SortFunc(list, bySmallestMember)
		for _, c := range list {
			for _, k := range c.Members {
				at[k] = int32(len(out.list))
			}
			out.list = append(out.list, MarginClass{Members: c.Members, Total: c.N, Answers: c.Answers})
			out.parts = append(out.parts, part)
		}
	}
	for i := range out.class {
		out.class[i] = -1
	}
	for _, i := range r.cells {
		if c := plan.Class[i]; c >= 0 {
			out.class[i] = at[c]
			out.exceeds[i] = float64(classes[c].Answers) > classes[c].N
		}
	}
	return out, ""
}

// agree reports whether all margins have the same total, in all cells that hang
// together. A margin that knows no class there says nothing.
func (r *rake) agree() bool {
	first := r.totals(0)
	for m := 1; m < len(r.margins); m++ {
		for part, total := range r.totals(m) {
			if math.Abs(total-first[part]) > rakeTolerance*first[part] {
				return false
			}
		}
	}
	return true
}

// totals sums a margin over the cells that hang together.
func (r *rake) totals(m int) map[int32]float64 {
	out := map[int32]float64{}
	for c, of := range r.margins[m].list {
		out[r.margins[m].parts[c]] += of.Total
	}
	return out
}

// addUnknown adds the classes of answers whose class is not known.
func (r *rake) addUnknown(m int) {
	first, margin := &r.margins[0], &r.margins[m]
	unknown := map[int32]int32{} // by part: its class
	said := len(margin.list)
	for _, i := range r.cells {
		if margin.class[i] >= 0 || r.answers[i] == 0 {
			continue
		}
		c, ok := unknown[r.part[i]]
		if !ok {
			c = int32(len(margin.list))
			unknown[r.part[i]] = c
			margin.list = append(margin.list, MarginClass{})
			margin.parts = append(margin.parts, r.part[i])
		}
		margin.class[i] = c
		of, to := first.list[first.class[i]], &margin.list[c]
		to.Answers += r.answers[i]
		to.Total += of.Total * float64(r.answers[i]) / float64(of.Answers)
	}
	totals, saying := r.totals(0), map[int32]int{} // answers by part
	for c := range said {
		saying[margin.parts[c]] += margin.list[c].Answers
	}
	for c := range said {
		part := margin.parts[c]
		switch of, ok := unknown[part]; {
		case ok && saying[part] == 0:
			margin.list[c].Total = 0
		case ok:
			margin.list[c].Total *= 1 - margin.list[of].Total/totals[part]
		}
	}
}

// fit gives the weights by cell of the plan, nil where none meet the margins.
func (r *rake) fit() []float64 {
	weights := make([]float64, len(r.plan.Cells))
	var cells []int32 // with answers
	for _, i := range r.cells {
		if r.answers[i] > 0 {
			weights[i] = 1
			cells = append(cells, i)
		}
	}
	sums := make([][]float64, len(r.margins))
	for m := range sums {
		sums[m] = make([]float64, len(r.margins[m].list))
	}
	for range rakeRounds {
		worst := 0.0
		for m := range r.margins {
			margin, sum := &r.margins[m], sums[m]
			clear(sum)
			for _, i := range cells {
				sum[margin.class[i]] += weights[i] * float64(r.answers[i])
			}
			for c, of := range margin.list {
				if of.Total > 0 {
					worst = max(worst, math.Abs(sum[c]/of.Total-1))
					sum[c] = of.Total / sum[c]
				}
			}
			for _, i := range cells {
				weights[i] *= sum[margin.class[i]]
			}
		}
		if worst < rakeTolerance {
			return weights
		}
	}
	return nil
}

// raking regresses linearised values on the classes of all margins, over the
// counted rows that take part, all alike. The margin with the most classes is
// taken as means; what the others add is a few orthonormal axes over cells
// (columns that depend on earlier ones are dropped), so that the fit of row j in
// cell c is the mean of its class and axes_c·Σ_j axes_c(j)·u_j.
type raking struct {
	mean []int32   // by weight cell: class of the first kind, 0 where it takes no part
	rows []float64 // by such class: its rows
	rank int
	axes []float64 // by weight cell x rank; 0 where it takes no part
}

func (r *rake) regression(weights *cellWeights) *raking {
	widest := 0
	for m := range r.margins {
		if len(r.margins[m].list) > len(r.margins[widest].list) {
			widest = m
		}
	}
	means := &r.margins[widest]
	out := &raking{mean: make([]int32, len(weights.cells)), rows: make([]float64, len(means.list))}
	var cells []int32 // with answers
	var counts []float64
	for _, i := range r.cells {
		if n := float64(r.answers[i]); n > 0 {
			cells, counts = append(cells, i), append(counts, n)
			out.mean[weights.of[i]] = means.class[i]
			out.rows[means.class[i]] += n
		}
	}
	basis := newWeightedBasis(counts)
	column, share := make([]float64, len(cells)), make([]float64, len(means.list))
	for m := range r.margins {
		if m == widest {
			continue
		}
		for c := range r.margins[m].list {
			clear(share)
			for j, i := range cells {
				if int(r.margins[m].class[i]) == c {
					share[means.class[i]] += counts[j]
				}
			}
			for j, i := range cells {
				column[j] = -share[means.class[i]] / out.rows[means.class[i]]
				if int(r.margins[m].class[i]) == c {
					column[j]++
				}
			}
			basis.add(column)
		}
	}
	out.rank = len(basis.vectors)
	out.axes = make([]float64, len(weights.cells)*out.rank)
	for k, vector := range basis.vectors {
		for j, i := range cells {
			out.axes[int(weights.of[i])*out.rank+k] = vector[j]
		}
	}
	return out
}

// of is the axes of a weight cell.
func (r *raking) of(cell int32) []float64 { return r.axes[int(cell)*r.rank:][:r.rank] }

// marginFits is what the axes take off the totals of every domain, in any cell.
type marginFits struct {
	*raking
	size int         // of the layout
	of   [][]float64 // by domain: rank x layout; nil without weights
}

// newMarginFits regresses the domains; nil where means say all.
func newMarginFits(l *layout, cl *classer, weights *cellWeights, t *tally, domains []domain) *marginFits {
	if weights.raking == nil || weights.raking.rank == 0 {
		return nil
	}
	f := &marginFits{raking: weights.raking, size: l.size, of: make([][]float64, len(domains))}
	sums := make([][]counts, len(domains))
	for c, s := range t.classes {
		class := &cl.list[c]
		if s == nil || !(class.weight > 0) {
			continue
		}
		for _, d := range domainsOf(class.domain) {
			if sums[d] == nil {
				sums[d] = make([]counts, f.rank)
				for j := range sums[d] {
					sums[d][j] = newCounts(l)
				}
			}
			for j, x := range f.raking.of(class.cell) {
				to := &sums[d][j]
				for k := range s.answered {
					to.answered[k] += x * float64(s.answered[k])
					to.satisfied[k] += x * float64(s.satisfied[k])
				}
			}
		}
	}
	for d := range domains {
		if sums[d] == nil || domains[d].weighted == nil {
			continue
		}
		f.of[d] = make([]float64, f.rank*l.size)
		for j := range sums[d] {
			sums[d][j].pool(l)
			domains[d].weighted.totals(f.of[d][j*l.size:(j+1)*l.size], &sums[d][j])
		}
	}
	return f
}

// takeOff takes the fit of a domain off a total, for rows whose weighted axes
// sum to shift.
func (f *marginFits) takeOff(total []float64, d int32, shift []float64) {
	for j, s := range shift {
		for k, x := range f.of[d][j*f.size:][:len(total)] {
			total[k] -= s * x
		}
	}
}

// marginStratum is the part of a stratum in the variance of domains that have no
// rows in it: what they expect there is 0 but for the axes.
type marginStratum struct {
	domains []int32 // that have rows
	square  []float64
}

// squareOfShifts gives the matrix M, rank x rank, with which a fit b contributes
// b'Mb to the variance: that of the stratum's shifts, rank a PSU.
func squareOfShifts(shifts []float64, rank int, h *stratum) []float64 {
	square := make([]float64, rank*rank)
	if len(shifts) == 0 || h.psus == 1 && !h.lonely {
		return square
	}
	centre, d, n, factor := make([]float64, rank), make([]float64, rank), float64(h.psus), 1.0
	if h.psus > 1 {
		factor = n / (n - 1)
		for i, s := range shifts {
			centre[i%rank] += s / n
		}
	}
	add := func(times float64) {
		for i, x := range d {
			for j, y := range d {
				square[i*rank+j] += times * x * y
			}
		}
	}
	for at := 0; at < len(shifts); at += rank {
		for j := range d {
			d[j] = shifts[at+j] - centre[j]
		}
		add(factor)
	}
	if zeros := h.psus - len(shifts)/rank; zeros > 0 {
		for j := range d {
			d[j] = -centre[j]
		}
		add(factor * float64(zeros))
	}
	return square
}

// addElsewhere adds to the variance of every domain what the strata without its
// rows contribute.
func (f *marginFits) addElsewhere(out []spreads, strata []marginStratum) {
	in := make([][]int32, len(out)) // by domain: its strata, ascending
	for h := range strata {
		for _, d := range strata[h].domains {
			in[d] = append(in[d], int32(h))
		}
	}
	parallel(len(out), func() []float64 { return make([]float64, f.rank*f.rank) }, func(sum []float64, d int) {
		fit := f.of[d]
		if fit == nil || out[d].weighted == nil {
			return
		}
		clear(sum)
		next := 0
		for h := range strata {
			if next < len(in[d]) && in[d][next] == int32(h) {
				next++
				continue
			}
			for i, x := range strata[h].square {
				sum[i] += x
			}
		}
		for i := range f.rank {
			for j := range f.rank {
				m := sum[i*f.rank+j]
				a, b := fit[i*f.size:(i+1)*f.size], fit[j*f.size:(j+1)*f.size]
				for k := range out[d].weighted.variance {
					out[d].weighted.variance[k] += m * a[k] * b[k]
				}
			}
		}
	})
}
