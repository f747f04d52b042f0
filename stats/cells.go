package stats

import (
	"cmp"
	"slices"
)

// cellWeights is the outcome of weighting a round of visitors.
type cellWeights struct {
	cells     []WeightCell
	of        []int32 // cell of the plan → index in cells
	units     []UnitState
	exceeding []int32 // cells of the plan with more answers than results returned
	ratio     float64 // largest weight over the smallest
}

// weighCells post-stratifies: the weight of an answer is the results returned
// in its cell over the counted answers there, ΣN/Σn after merging.
//
// A cell needs plan.MinCell counted answers and a population. The smallest one
// that lacks either merges into the smallest other cell of the same unit and
// filing channel, again and again; what is left over merges into the smallest
// other of the unit. Ties go to the smaller cell number, so the result is a
// function of the counts alone. A unit whose answers do not suffice for one
// cell, or that has no population, bears no weight.
//
// Source: cell collapsing as in Kalton & Flores-Cervantes 2003; the rule of
// this project is in METHOD.md.
func weighCells(plan *Plan, answers []int) cellWeights {
	out := cellWeights{of: make([]int32, len(plan.Cells)), units: make([]UnitState, plan.Units)}
	byUnit := make([][]int32, plan.Units)
	for i, c := range plan.Cells {
		byUnit[c.Unit] = append(byUnit[c.Unit], int32(i))
		u := &out.units[c.Unit]
		u.Answers += answers[i]
		if c.Known {
			u.Population += c.N
			if c.N > 0 && float64(answers[i]) > c.N {
				out.exceeding = append(out.exceeding, int32(i))
				u.Exceeds = true
			}
		}
	}
	smallest, largest := 0.0, 0.0
	for unit, members := range byUnit {
		u := &out.units[unit]
		switch {
		case u.Population == 0:
			u.Reason = ReasonNoPopulation
		case u.Answers < plan.minCell():
			u.Reason = ReasonUncovered
		}
		for _, cell := range mergeCells(plan, members, answers) {
			cell.Reason = u.Reason
			if u.Reason == "" {
				cell.Weight = cell.N / float64(cell.Answers)
				if smallest == 0 || cell.Weight < smallest {
					smallest = cell.Weight
				}
				largest = max(largest, cell.Weight)
			}
			if cell.N > 0 && float64(cell.Answers) > cell.N {
				cell.Exceeds = true
			}
			for _, i := range cell.Members {
				out.of[i] = int32(len(out.cells))
				if c := plan.Cells[i]; c.Known && c.N > 0 && float64(answers[i]) > c.N {
					cell.Exceeds = true
				}
			}
			u.Exceeds = u.Exceeds || cell.Exceeds
			out.cells = append(out.cells, cell)
		}
	}
	if smallest > 0 {
		out.ratio = largest / smallest
	}
	return out
}

// mergeCells merges the cells of one unit, given by number in ascending order,
// and returns them by smallest member. What it could not bring up to the
// minimum, or to a population, is one cell then.
func mergeCells(plan *Plan, members []int32, answers []int) []WeightCell {
	byFiling := map[int32][]WeightCell{}
	var filings []int32
	for _, i := range members {
		c := plan.Cells[i]
		cell := WeightCell{Members: []int32{i}, Unit: c.Unit, Answers: answers[i]}
		if c.Known {
			cell.N = c.N
		}
		if byFiling[c.Filing] == nil {
			filings = append(filings, c.Filing)
		}
		byFiling[c.Filing] = append(byFiling[c.Filing], cell)
	}
	var all []WeightCell
	for _, f := range filings {
		all = append(all, collapse(byFiling[f], plan.minCell())...)
	}
	all = collapse(all, plan.minCell())
	slices.SortFunc(all, func(a, b WeightCell) int { return cmp.Compare(a.Members[0], b.Members[0]) })
	return all
}

// collapse merges the smallest cell that lacks answers or a population into
// the smallest other, until none lacks either or one cell is left.
func collapse(cells []WeightCell, minimum int) []WeightCell {
	for len(cells) > 1 {
		slices.SortFunc(cells, func(a, b WeightCell) int {
			if c := cmp.Compare(a.Answers, b.Answers); c != 0 {
				return c
			}
			return cmp.Compare(a.Members[0], b.Members[0])
		})
		from := slices.IndexFunc(cells, func(c WeightCell) bool { return c.Answers < minimum || c.N == 0 })
		if from < 0 {
			break
		}
		into := 0
		if from == 0 {
			into = 1
		}
		small := cells[from]
		cells[into].Members = append(cells[into].Members, small.Members...)
		slices.Sort(cells[into].Members)
		cells[into].Answers += small.Answers
		cells[into].N += small.N
		cells = slices.Delete(cells, from, from+1)
	}
	return cells
}
