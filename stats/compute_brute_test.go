package stats

import (
	"fmt"
	"math"
	"slices"
)

// A slow report, straight from the formulas: one number a row and estimate, no
// sums shared between them. It is what the property tests compare Compute with.

type bruteRow struct {
	Row
	in      bool
	group   int
	weight  float64
	cell    int // index of bruteReport.cells
	stratum int // after merging
}

// bruteEstimate has NaN for what does not exist.
type bruteEstimate struct {
	n                   int
	p, se, df, deff, ef float64
}

type bruteReport struct {
	plan  *Plan
	rows  []*bruteRow
	basis *weightedBasis // raked: the indicators of all classes
}

// newBrute joins the rows with the plan's tables, weights them and merges the
// strata.
func newBrute(plan *Plan, rows []Row) *bruteReport {
	b := &bruteReport{plan: plan}
	for _, row := range rows {
		pl, pe := plan.Places[row.Place], plan.Persons[row.Person]
		if !pl.Counted {
			continue
		}
		r := &bruteRow{Row: row, in: pl.In && pe.In && (plan.Days == nil || row.Day >= plan.Days.From && row.Day <= plan.Days.To), group: -1,
			weight: row.Weight}
		switch plan.By {
		case ByPlace:
			r.group = int(pl.Group)
		case ByPerson:
			r.group = int(pe.Group)
		case ByDay:
			if i := int(row.Day) - int(plan.DayBase); i >= 0 && i < len(plan.DayGroup) {
				r.group = int(plan.DayGroup[i])
			}
		}
		b.rows = append(b.rows, r)
	}
	switch {
	case len(plan.Margins) > 0:
		b.rake()
	case plan.Design == Visitors:
		b.weigh()
	}
	b.mergeStrata()
	return b
}

// weigh merges cells as the words of the rule say, with lists of rows.
func (b *bruteReport) weigh() {
	type cell struct {
		members []int
		rows    []*bruteRow
		n       float64
		filing  int32
		weight  float64
	}
	next := 0
	for unit := range int32(b.plan.Units) {
		var cells []*cell
		answers, population := 0, 0.0
		for i, c := range b.plan.Cells {
			if c.Unit != unit {
				continue
			}
			x := &cell{members: []int{i}, filing: c.Filing}
			if c.Known {
				x.n = c.N
			}
			for _, r := range b.rows {
				if int(b.plan.Places[r.Place].Cell) == i {
					x.rows = append(x.rows, r)
				}
			}
			answers += len(x.rows)
			population += x.n
			cells = append(cells, x)
		}
		smaller := func(x, y *cell) bool {
			if len(x.rows) != len(y.rows) {
				return len(x.rows) < len(y.rows)
			}
			return slices.Min(x.members) < slices.Min(y.members)
		}
		merge := func(same func(x, y *cell) bool) {
			for {
				var from, into *cell
				for _, x := range cells {
					partner := slices.ContainsFunc(cells, func(y *cell) bool { return x != y && same(x, y) })
					if partner && (len(x.rows) < 10 || x.n == 0) && (from == nil || smaller(x, from)) {
						from = x
					}
				}
				if from == nil {
					return
				}
				for _, y := range cells {
					if y != from && same(from, y) && (into == nil || smaller(y, into)) {
						into = y
					}
				}
				into.members = append(into.members, from.members...)
				into.rows = append(into.rows, from.rows...)
				into.n += from.n
				cells = slices.DeleteFunc(cells, func(y *cell) bool { return y == from })
			}
		}
		// Answers without a record: with those that could hold them, or,
		// the smallest with less than 5% of the unit's, apart.
		could := func(x, k *cell) bool {
			a, b := b.plan.Cells[x.members[0]], b.plan.Cells[k.members[0]]
			switch {
			case !a.AnyField && !a.AnyFiling:
				return a.Filing == b.Filing
			case a.AnyField && a.AnyFiling:
				return true
			case a.AnyField:
				return a.Filing == b.Filing
			}
			return a.Field == b.Field
		}
		original := slices.Clone(cells)
		holders := map[*cell][]int{}
		var unknown []*cell
		for _, x := range original {
			if b.plan.Cells[x.members[0]].Known {
				continue
			}
			unknown = append(unknown, x)
			var some, all []int
			for _, k := range original {
				if k.n > 0 {
					all = append(all, k.members[0])
					if could(x, k) {
						some = append(some, k.members[0])
					}
				}
			}
			if len(some) == 0 {
				some = all
			}
			holders[x] = some
		}
		var apart []*cell
		if answers >= 10 && population > 0 {
			sum := 0
			for len(unknown) > 0 {
				least := unknown[0]
				for _, x := range unknown {
					if smaller(x, least) {
						least = x
					}
				}
				sum += len(least.rows)
				if float64(sum) >= 0.05*float64(answers) && sum > 0 {
					break
				}
				apart = append(apart, least)
				unknown = slices.DeleteFunc(unknown, func(x *cell) bool { return x == least })
				cells = slices.DeleteFunc(cells, func(x *cell) bool { return x == least })
			}
			for _, x := range unknown {
				set := append([]int{x.members[0]}, holders[x]...)
				one := &cell{filing: -1}
				filings := map[int32]bool{}
				var rest []*cell
				for _, y := range cells {
					if !slices.ContainsFunc(y.members, func(m int) bool { return slices.Contains(set, m) }) {
						rest = append(rest, y)
						continue
					}
					one.members = append(one.members, y.members...)
					one.rows = append(one.rows, y.rows...)
					one.n += y.n
				}
				for _, m := range one.members {
					if b.plan.Cells[m].Known {
						filings[b.plan.Cells[m].Filing] = true
						one.filing = b.plan.Cells[m].Filing
					}
				}
				if len(filings) > 1 {
					one.filing = -1
				}
				cells = append(rest, one)
			}
		}
		merge(func(x, y *cell) bool { return x.filing == y.filing && x.filing >= 0 })
		merge(func(x, y *cell) bool { return true })
		sum := 0.0
		for _, x := range cells {
			x.weight = x.n / float64(len(x.rows))
			sum += x.n
		}
		known := cells
		for _, x := range apart {
			n, count := 0.0, 0.0
			for _, y := range known {
				if slices.ContainsFunc(y.members, func(m int) bool { return slices.Contains(holders[x], m) }) {
					n += y.n
					count += float64(len(y.rows))
				}
			}
			x.weight = n / count
			sum += x.weight * float64(len(x.rows))
			cells = append(cells[:len(cells):len(cells)], x)
		}
		for _, x := range cells {
			x.weight *= population / sum
		}
		for _, x := range cells {
			for _, r := range x.rows {
				r.cell = next
				r.weight = 0
				if answers >= 10 && population > 0 {
					r.weight = x.weight
				}
			}
			next++
		}
	}
}

// mergeStrata numbers the strata after merging those with one PSU.
func (b *bruteReport) mergeStrata() {
	psus := map[int]map[uint64]bool{}
	for _, r := range b.rows {
		r.stratum = int(r.PSU >> 32)
		if psus[r.stratum] == nil {
			psus[r.stratum] = map[uint64]bool{}
		}
		psus[r.stratum][r.PSU] = true
	}
	if b.plan.Design != Visitors {
		return
	}
	for unit := range int32(b.plan.Units) {
		var singles []int
		smallest, fewest := -1, 0
		for h := range b.plan.Strata {
			switch n := len(psus[h]); {
			case b.plan.Strata[h].Unit != unit || n == 0:
			case n == 1:
				singles = append(singles, h)
			case smallest < 0 || n < fewest:
				smallest, fewest = h, n
			}
		}
		if len(singles) == 0 {
			continue
		}
		into := singles[0]
		if len(singles) == 1 && smallest >= 0 {
			into = smallest
		}
		for _, r := range b.rows {
			if slices.Contains(singles, r.stratum) {
				r.stratum = into
			}
		}
	}
}

// linearised gives, for every row, the linearised value of each estimate, and
// the estimates: items, reported factors, indices. weight is a row's weight in
// this set; rows outside the domain have zeros.
func (b *bruteReport) linearised(in func(*bruteRow) bool, weight func(*bruteRow) float64) (u [][]float64, value []float64) {
	p := b.plan
	bit := func(r *bruteRow, k int) (a, y float64) {
		each := 1.0
		if p.Inclusion != nil {
			each /= p.Inclusion[k]
		}
		c := r.Answers[k]
		if c >= '1' && c <= '5' {
			a = each
		}
		if c == '4' || c == '5' {
			y = each
		}
		return
	}
	ratio := func(items []int) (u []float64, value float64) {
		num, den := 0.0, 0.0
		for _, r := range b.rows {
			for _, k := range items {
				if a, y := bit(r, k); in(r) {
					num += weight(r) * y
					den += weight(r) * a
				}
			}
		}
		u = make([]float64, len(b.rows))
		for i, r := range b.rows {
			for _, k := range items {
				if a, y := bit(r, k); in(r) {
					u[i] += (y - num/den*a) / den
				}
			}
		}
		return u, num / den
	}
	combine := func(parts [][]float64, values, weights []float64) (u []float64, value float64) {
		u = make([]float64, len(b.rows))
		for j, w := range weights {
			if w == 0 {
				continue
			}
			value += w * values[j]
			for i := range u {
				u[i] += w * parts[j][i]
			}
		}
		return
	}
	factors := func(c Combine) (us [][]float64, values []float64) {
		for _, items := range p.Factors {
			var u []float64
			var v float64
			if c == Pooled {
				u, v = ratio(items)
			} else {
				var parts [][]float64
				var vs, ws []float64
				for _, k := range items {
					pu, pv := ratio([]int{k})
					parts, vs, ws = append(parts, pu), append(vs, pv), append(ws, 1/float64(len(items)))
				}
				u, v = combine(parts, vs, ws)
			}
			us, values = append(us, u), append(values, v)
		}
		return
	}
	for k := range p.Items {
		iu, v := ratio([]int{k})
		u, value = append(u, iu), append(value, v)
	}
	fu, fv := factors(p.Methods[p.Headline].Combine)
	u, value = append(u, fu...), append(value, fv...)
	for _, m := range p.Methods {
		fu, fv := factors(m.Combine)
		mu, mv := combine(fu, fv, m.FactorWeights)
		u, value = append(u, mu), append(value, mv)
	}
	return u, value
}

// estimates gives items, reported factors and indices of a domain (-1 the
// total), or nil without rows.
func (b *bruteReport) estimates(group int, weighted bool) []bruteEstimate {
	p := b.plan
	weight := func(r *bruteRow) float64 {
		if weighted {
			return r.weight
		}
		return 1
	}
	in := func(r *bruteRow) bool { return r.in && (group < 0 || r.group == group) && weight(r) > 0 }
	if !slices.ContainsFunc(b.rows, in) {
		return nil
	}
	u, value := b.linearised(in, weight)
	out := make([]bruteEstimate, len(u))
	for j := range u {
		member := in
		if j < p.Items {
			member = func(r *bruteRow) bool { return in(r) && r.Answers[j] >= '1' && r.Answers[j] <= '5' }
		}
		e := bruteEstimate{p: value[j], se: math.NaN(), deff: math.NaN(), ef: math.NaN()}
		psus, strata := map[uint64]bool{}, map[int]bool{}
		sum := 0.0
		for _, r := range b.rows {
			if member(r) {
				e.n++
				sum += weight(r)
				psus[r.PSU], strata[r.stratum] = true, true
			}
		}
		e.df = float64(len(psus) - len(strata))
		if e.df > 0 && !math.IsNaN(value[j]) {
			v, lonely := b.variance(u[j], in, weight, weighted)
			if !lonely {
				e.se = math.Sqrt(v)
			}
			// S²/n of the linearised values as a sample of n from N̂.
			mean, s2 := 0.0, 0.0
			for i, r := range b.rows {
				if member(r) {
					mean += weight(r) * u[j][i] * sum / sum
				}
			}
			for i, r := range b.rows {
				if member(r) {
					d := u[j][i]*sum - mean
					s2 += weight(r) * d * d / sum
				}
			}
			srs := s2 / float64(e.n-1)
			if weighted && p.Design == Drawn {
				srs *= 1 - float64(e.n)/sum
			}
			e.deff = v / srs
			e.ef = value[j] * (1 - value[j]) / v
		}
		out[j] = e
	}
	return out
}

// variance is the formula of Compute's comment, from the z of every row.
func (b *bruteReport) variance(u []float64, in func(*bruteRow) bool, weight func(*bruteRow) float64, weighted bool) (v float64, lonely bool) {
	p := b.plan
	z := make([]float64, len(b.rows))
	if b.basis != nil && weighted {
		u = slices.Clone(u)
		b.basis.residuals(u)
	}
	for i, r := range b.rows {
		residual := u[i]
		if weighted && p.Design == Visitors && len(p.Margins) == 0 {
			sum, n := 0.0, 0.0
			for j, s := range b.rows {
				if s.cell == r.cell {
					sum += u[j]
					n++
				}
			}
			residual -= sum / n
		}
		z[i] = weight(r) * residual
	}
	strata := map[int]map[uint64][]int{}
	for i, r := range b.rows {
		if strata[r.stratum] == nil {
			strata[r.stratum] = map[uint64][]int{}
		}
		strata[r.stratum][r.PSU] = append(strata[r.stratum][r.PSU], i)
	}
	for h, psus := range strata {
		n, population := float64(len(psus)), 0.0
		if p.Design == Drawn {
			population = p.Strata[h].PSUs
		}
		var totals []float64
		touched := false
		for key, rows := range psus {
			t := 0.0
			for _, i := range rows {
				t += z[i]
				touched = touched || in(b.rows[i])
				size := p.PSUSize[key]
				lonely = lonely || p.Design == Drawn && in(b.rows[i]) && population > 0 &&
					(n > population || size > 0 && float64(len(rows)) > size)
			}
			totals = append(totals, t)
			if size := p.PSUSize[key]; population > 0 && size > float64(len(rows)) && p.Design == Drawn {
				m := float64(len(rows))
				s2 := 0.0
				for _, i := range rows {
					d := z[i]
					if m > 1 {
						d -= t / m
					}
					s2 += d * d
				}
				if m > 1 {
					s2 *= m / (m - 1)
				}
				v += math.Min(1, n/population) * (1 - m/size) * s2
			}
		}
		fpc := 1.0
		if population > 0 {
			fpc = math.Max(0, 1-n/population)
		}
		if n == 1 {
			if p.Design == Drawn {
				lonely = lonely || touched && population != 1
			} else {
				v += totals[0] * totals[0]
			}
			continue
		}
		mean := 0.0
		for _, t := range totals {
			mean += t / n
		}
		for _, t := range totals {
			v += fpc * n / (n - 1) * (t - mean) * (t - mean)
		}
	}
	return v, lonely
}

// rake rakes as the words of the rule say, with lists of rows. Where it fails
// all weights stay 0.
func (b *bruteReport) rake() {
	p := b.plan
	cellOf := func(r *bruteRow) int { return int(p.Places[r.Place].Cell) }
	answers, population := make([]int, p.Units), make([]float64, p.Units)
	for _, r := range b.rows {
		r.weight = 0
		answers[p.Cells[cellOf(r)].Unit]++
	}
	for _, c := range p.Cells {
		if c.Known {
			population[c.Unit] += c.N
		}
	}
	covered := func(cell int) bool { unit := p.Cells[cell].Unit; return answers[unit] >= 10 && population[unit] > 0 }

	// Cells that can be reached from each other over a class.
	reach := make([]int, len(p.Cells))
	for i := range reach {
		reach[i] = i
	}
	for changed := true; changed; {
		changed = false
		for i := range p.Cells {
			for j := range p.Cells {
				for _, m := range p.Margins {
					if covered(i) && covered(j) && m.Class[i] == m.Class[j] && m.Class[i] >= 0 && reach[i] < reach[j] {
						reach[j], changed = reach[i], true
					}
				}
			}
		}
	}

	type class struct {
		members []int
		total   float64
		answers int
		part    int
	}
	margins := make([]map[string]*class, len(p.Margins))
	labels := make([][]string, len(p.Margins)) // by margin, cell
	for m, margin := range p.Margins {
		var list []*class
		for c, total := range margin.Totals {
			x := &class{members: []int{c}, total: total, part: -1}
			for i := range p.Cells {
				switch {
				case int(margin.Class[i]) != c:
				case covered(i):
					x.part = reach[i]
				case p.Cells[i].Known:
					x.total -= p.Cells[i].N
				}
			}
			for _, r := range b.rows {
				if covered(cellOf(r)) && int(margin.Class[cellOf(r)]) == c {
					x.answers++
				}
			}
			if x.total < 0 || x.part < 0 && x.total > 0 {
				return
			}
			if x.part >= 0 {
				list = append(list, x)
			}
		}
		smaller := func(x, y *class) bool {
			return x.answers < y.answers || x.answers == y.answers && slices.Min(x.members) < slices.Min(y.members)
		}
		for margin.Merge {
			var from, into *class
			for _, x := range list {
				alone := !slices.ContainsFunc(list, func(y *class) bool { return y != x && y.part == x.part })
				if !alone && (x.answers < 10 || x.total == 0) && (from == nil || smaller(x, from)) {
					from = x
				}
			}
			if from == nil {
				break
			}
			for _, y := range list {
				if y != from && y.part == from.part && (into == nil || smaller(y, into)) {
					into = y
				}
			}
			into.members = append(into.members, from.members...)
			into.total += from.total
			into.answers += from.answers
			list = slices.DeleteFunc(list, func(x *class) bool { return x == from })
		}
		margins[m], labels[m] = map[string]*class{}, make([]string, len(p.Cells))
		for n, x := range list {
			name := string(rune('a' + n))
			margins[m][name] = x
			for i := range p.Cells {
				if covered(i) && slices.Contains(x.members, int(margin.Class[i])) {
					labels[m][i] = name
				}
			}
		}
	}
	partTotal := func(m, part int) (sum float64) {
		for _, x := range margins[m] {
			if x.part == part {
				sum += x.total
			}
		}
		return sum
	}
	for m := 1; m < len(margins); m++ {
		unknown := map[int]*class{}
		for _, x := range margins[m] {
			if math.Abs(partTotal(m, x.part)-partTotal(0, x.part)) > 1e-9 {
				return
			}
		}
		for _, r := range b.rows {
			i := cellOf(r)
			if !covered(i) || p.Margins[m].Class[i] >= 0 {
				continue
			}
			if unknown[reach[i]] == nil {
				unknown[reach[i]] = &class{part: reach[i]}
			}
			first := margins[0][labels[0][i]]
			unknown[reach[i]].answers++
			unknown[reach[i]].total += first.total / float64(first.answers)
			labels[m][i] = fmt.Sprint("?", reach[i])
		}
		said := map[int]int{}
		for _, x := range margins[m] {
			said[x.part] += x.answers
		}
		for _, x := range margins[m] {
			switch u := unknown[x.part]; {
			case u != nil && said[x.part] == 0:
				x.total = 0
			case u != nil:
				x.total *= 1 - u.total/partTotal(0, x.part)
			}
		}
		for part, x := range unknown {
			margins[m][fmt.Sprint("?", part)] = x
		}
	}

	for _, margin := range margins {
		for _, x := range margin {
			if (x.answers == 0) != (x.total == 0) {
				return
			}
		}
	}
	weights := make([]float64, len(b.rows))
	inRaking := make([]float64, len(b.rows))
	for i, r := range b.rows {
		if covered(cellOf(r)) {
			weights[i], inRaking[i] = 1, 1
		}
	}
	for range rakeRounds {
		worst := 0.0
		for m := range margins {
			sums := map[string]float64{}
			for i, r := range b.rows {
				sums[labels[m][cellOf(r)]] += weights[i]
			}
			for name, x := range margins[m] {
				if x.total > 0 {
					worst = math.Max(worst, math.Abs(sums[name]/x.total-1))
				}
			}
			for i, r := range b.rows {
				if name := labels[m][cellOf(r)]; weights[i] > 0 {
					weights[i] *= margins[m][name].total / sums[name]
				}
			}
		}
		if worst < rakeTolerance {
			b.basis = newWeightedBasis(inRaking)
			for m := range margins {
				for name := range margins[m] {
					x := make([]float64, len(b.rows))
					for i, r := range b.rows {
						if inRaking[i] > 0 && labels[m][cellOf(r)] == name {
							x[i] = 1
						}
					}
					b.basis.add(x)
				}
			}
			for i, r := range b.rows {
				r.weight = weights[i]
			}
			return
		}
	}
}
