package stats

// domain is the total or a group on its way to a Domain.
type domain struct {
	weighted *linear // nil with a reason
	reason   string
	plain    *linear // nil without rows
}

// shift is what a domain's post-stratification takes off: of every counted row
// of a cell, the mean linearised value of the cell's counted rows times the
// weight, by layout.
type shift struct {
	domain int32
	mean   []float64
}

// solveDomains gives the point estimates and linearisations of the total
// (first) and of every group.
func solveDomains(plan *Plan, l *layout, cl *classer, weights *cellWeights, t *tally) []domain {
	out := make([]domain, 1+plan.Groups)
	if plan.Design == Visitors {
		solveVisitors(out, l, cl, t)
	} else {
		solveDrawn(out, l, t)
	}
	for d := range out {
		e := &out[d]
		switch {
		case e.plain == nil:
			e.reason = ReasonNoAnswers
		case e.weighted == nil:
			e.reason = uncoveredReason(plan, cl, weights, t, int32(d))
		}
		for _, lin := range []*linear{e.weighted, e.plain} {
			if lin != nil {
				lin.solve()
			}
		}
	}
	return out
}

// solveVisitors sums the classes of each domain.
func solveVisitors(out []domain, l *layout, cl *classer, t *tally) {
	for c, s := range t.classes {
		if s == nil {
			continue
		}
		class := cl.list[c]
		addTo := func(e *linear, weight float64) {
			e.rows += s.rows
			e.sum += weight * float64(s.rows)
			for k := range s.answered {
				e.n[k] += int(s.answered[k])
				e.answered[k] += weight * float64(s.answered[k])
				e.satisfied[k] += weight * float64(s.satisfied[k])
			}
		}
		for _, d := range domainsOf(class.domain) {
			e := &out[d]
			if e.plain == nil {
				e.plain = newLinear(l)
			}
			addTo(e.plain, 1)
			if class.weight > 0 {
				if e.weighted == nil {
					e.weighted = newLinear(l)
				}
				addTo(e.weighted, class.weight)
			}
		}
	}
}

// domainsOf gives the total and, for a row of a group, its group.
func domainsOf(domain int32) []int32 {
	if domain == 0 {
		return []int32{0}
	}
	return []int32{0, domain}
}

// solveDrawn takes the sums over weighted rows.
func solveDrawn(out []domain, l *layout, t *tally) {
	for d := range out {
		if t.rows[d] == 0 {
			continue
		}
		weighted, plain := newLinear(l), newLinear(l)
		weighted.rows, plain.rows = t.rows[d], t.rows[d]
		weighted.sum, plain.sum = t.drawn[d].weights, float64(t.rows[d])
		copy(weighted.answered, t.drawn[d].answered)
		copy(weighted.satisfied, t.drawn[d].satisfied)
		for k, n := range t.codes[d] {
			yes := n[3] + n[4]
			level := n[0] + n[1] + n[2] + yes
			weighted.n[k], plain.n[k] = level, level
			plain.answered[k], plain.satisfied[k] = float64(level), float64(yes)
			// Sums over other rows in another order would differ in the last
			// digit where all answers are alike.
			if yes == level {
				weighted.satisfied[k] = weighted.answered[k]
			}
		}
		out[d] = domain{weighted: weighted, plain: plain}
	}
}

// uncoveredReason says why a domain with rows has no weights: ReasonNoPopulation
// if that holds for all its units, else ReasonUncovered.
func uncoveredReason(plan *Plan, cl *classer, weights *cellWeights, t *tally, d int32) string {
	for c, s := range t.classes {
		if s == nil || d != 0 && cl.list[c].domain != d {
			continue
		}
		if weights.cells[cl.list[c].cell].Reason != ReasonNoPopulation {
			return ReasonUncovered
		}
	}
	return ReasonNoPopulation
}

// cellShifts gives, by weight cell, the shifts of the domains that have rows
// there.
func cellShifts(domains []domain, l *layout, cl *classer, weights *cellWeights, t *tally) [][]shift {
	if len(weights.cells) == 0 {
		return nil // drawn
	}
	byCell := make([][]int, len(weights.cells))
	for c, s := range t.classes {
		if s != nil && cl.list[c].weight > 0 {
			cell := cl.list[c].cell
			byCell[cell] = append(byCell[cell], c)
		}
	}
	type sums struct{ answered, satisfied []float64 }
	out := make([][]shift, len(byCell))
	for cell, classes := range byCell {
		found := map[int32]*sums{}
		var order []int32
		for _, c := range classes {
			for _, d := range domainsOf(cl.list[c].domain) {
				s := found[d]
				if s == nil {
					s = &sums{make([]float64, l.items), make([]float64, l.items)}
					found[d] = s
					order = append(order, d)
				}
				for k, n := range t.classes[c].answered {
					s.answered[k] += float64(n)
					s.satisfied[k] += float64(t.classes[c].satisfied[k])
				}
			}
		}
		for _, d := range order {
			mean := make([]float64, l.size)
			domains[d].weighted.totals(mean, found[d].answered, found[d].satisfied)
			for j := range mean {
				mean[j] *= weights.cells[cell].Weight / float64(weights.cells[cell].Answers)
			}
			out[cell] = append(out[cell], shift{d, mean})
		}
	}
	return out
}
