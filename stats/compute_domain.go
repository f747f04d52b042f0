package stats

// domain is the total or a group on its way to a Domain.
type domain struct {
	weighted *linear // nil with a reason
	reason   string
	plain    *linear // nil without rows
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
			e.reason = uncoveredReason(cl, weights, t, int32(d))
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
// if that holds for all its units, why raking failed if it did for one, else
// ReasonUncovered.
func uncoveredReason(cl *classer, weights *cellWeights, t *tally, d int32) string {
	reason := ReasonNoPopulation
	for c, s := range t.classes {
		if s == nil || d != 0 && cl.list[c].domain != d {
			continue
		}
		switch why := weights.cells[cl.list[c].cell].Reason; why {
		case ReasonNoPopulation:
		case ReasonUncovered, "":
			reason = ReasonUncovered
		default:
			return why
		}
	}
	return reason
}

// expectation is what post-stratification takes off the weighted counts of a
// domain for every counted row of a weight cell, by item: the mean of the
// domain's weighted answered, and then satisfied, over the cell's counted
// rows. Linearising what is left gives w·(u − ū_c). In a raked round it is the
// mean of those without weights over a class of a margin, and taken off as often
// as a row weighs (class.times).
type expectation struct {
	domain int32
	mean   []float64
}

// expectations are those of one weight cell or class. Where all counted rows of the
// cell are of one class, one expectation serves that class's group and the
// total alike; otherwise each domain with rows in the cell has its own.
type expectations struct {
	whole  []float64
	shared []expectation
}

// cellExpectations gives the expectations by class.mean; those of cells
// without weight are empty.
func cellExpectations(l *layout, cl *classer, weights *cellWeights, t *tally) []expectations {
	if len(weights.cells) == 0 {
		return nil // drawn
	}
	byCell := make([][]int, weights.means())
	for c, s := range t.classes {
		if s != nil && cl.list[c].weight > 0 {
			cell := cl.list[c].mean
			byCell[cell] = append(byCell[cell], c)
		}
	}
	out := make([]expectations, len(byCell))
	for cell, classes := range byCell {
		perRow := weights.perRow(cell)
		if weights.raking == nil && len(classes) == 1 && t.classes[classes[0]].rows == weights.cells[cell].Answers {
			out[cell].whole = make([]float64, 2*evenItems(l.items))
			t.classes[classes[0]].addTo(out[cell].whole, perRow)
			continue
		}
		found := map[int32][]float64{}
		for _, c := range classes {
			for _, d := range domainsOf(cl.list[c].domain) {
				mean := found[d]
				if mean == nil {
					mean = make([]float64, 2*evenItems(l.items))
					found[d] = mean
					out[cell].shared = append(out[cell].shared, expectation{d, mean})
				}
				t.classes[c].addTo(mean, perRow)
			}
		}
	}
	return out
}

// addTo adds the counts times factor, answered and then satisfied.
func (s *classSum) addTo(sums []float64, factor float64) {
	for k, n := range s.answered {
		sums[k] += factor * float64(n)
		sums[len(sums)/2+k] += factor * float64(s.satisfied[k])
	}
}
