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
	// Of a raked round; raking is nil where it failed.
	margins [][]MarginClass
	raking  *raking
	reason  string
}

// newCellWeights gives the state of every unit, and the unit's cells by number
// in ascending order.
func newCellWeights(plan *Plan, answers []int) (out cellWeights, byUnit [][]int32) {
	out = cellWeights{of: make([]int32, len(plan.Cells)), units: make([]UnitState, plan.Units)}
	byUnit = make([][]int32, plan.Units)
	known := make([]bool, plan.Units)
	for i, c := range plan.Cells {
		byUnit[c.Unit] = append(byUnit[c.Unit], int32(i))
		u := &out.units[c.Unit]
		u.Answers += answers[i]
		if c.Known {
			known[c.Unit] = true
			u.Population += c.N
			if exceeds(&c, answers[i]) {
				out.exceeding = append(out.exceeding, int32(i))
			}
		}
	}
	for unit := range out.units {
		u := &out.units[unit]
		switch {
		case !known[unit]:
			u.Reason = ReasonNoPopulation
		case u.Answers < plan.minCell() || u.Population == 0:
			u.Reason = ReasonUncovered
		}
	}
	return out, byUnit
}

// add appends a weight cell.
func (w *cellWeights) add(cell WeightCell) {
	for _, i := range cell.Members {
		w.of[i] = int32(len(w.cells))
	}
	u := &w.units[cell.Unit]
	u.Exceeds = u.Exceeds || cell.Exceeds
	w.cells = append(w.cells, cell)
}

// setRatio sets the largest weight over the smallest, spread cells apart.
func (w *cellWeights) setRatio() {
	smallest, largest := 0.0, 0.0
	for _, cell := range w.cells {
		if cell.Weight > 0 && !cell.Spread {
			if smallest == 0 || cell.Weight < smallest {
				smallest = cell.Weight
			}
			largest = max(largest, cell.Weight)
		}
	}
	if smallest > 0 {
		w.ratio = largest / smallest
	}
}

// expected gives what is taken off a row of a weight cell as expected: the
// number of a mean, and how many times. The mean of a merged cell is one of
// weighted rows, that of a class of a raked margin one of rows.
func (w *cellWeights) expected(cell int32) (mean int32, times float64) {
	if len(w.margins) == 0 {
		return cell, 1
	}
	if w.raking == nil {
		return 0, 0
	}
	return w.raking.mean[cell], w.cells[cell].Weight
}

// means is the number of means.
func (w *cellWeights) means() int {
	switch {
	case len(w.margins) == 0:
		return len(w.cells)
	case w.raking == nil:
		return 0
	}
	return len(w.raking.rows)
}

// perRow is the part of a mean that one row with a weight has.
func (w *cellWeights) perRow(mean int) float64 {
	if w.raking != nil {
		return 1 / w.raking.rows[mean]
	}
	return w.cells[mean].Weight / float64(w.cells[mean].Answers)
}

// spreadPercent is the part of a unit's counted answers below which answers
// without a population record do not merge the cells that could hold them.
const spreadPercent = 5

// weighCells post-stratifies: the weight of an answer is the results returned
// in its cell over the counted answers there, ΣN/Σn after merging.
//
// Answers whose cell has no population record (Cell.Known false) could belong
// to any of the cells with results returned that couldHold names. Unless they
// are few, those cells and theirs become one weight cell, so that nobody's
// weight depends on where they belong. Few are the unit's smallest cells
// without a record as long as they have together less than spreadPercent of
// its counted answers. Those leave the other cells as they are and are spread
// over them: each is a weight cell of its own (WeightCell.Spread) that has no N
// and whose weight is the mean of the weight cells that could hold it, ΣN/Σn;
// then all weights of the unit are multiplied by the one factor that makes
// them sum to its population again, which is counted once.
//
// A cell needs plan.MinCell counted answers and a population. The smallest one
// that lacks either merges into the smallest other cell of the same unit and
// filing channel, again and again; what is left over merges into the smallest
// other of the unit (cells of several filing channels only then). Ties go to
// the smaller cell number, so the result is a function of the counts alone. A
// unit whose answers do not suffice for one cell, or that has no population, is
// one cell and bears no weight.
//
// More answers than a population record says, in a cell of the plan or in a
// merged one, exceed; spread answers do where they and the cells that could
// hold them have more answers than results.
//
// Source: cell collapsing as in Kalton & Flores-Cervantes 2003; the rule of
// this project is in METHOD.md.
func weighCells(plan *Plan, answers []int) cellWeights {
	out, byUnit := newCellWeights(plan, answers)
	for unit, members := range byUnit {
		for _, cell := range weighUnit(plan, &out.units[unit], members, answers) {
			out.add(cell)
		}
	}
	out.setRatio()
	return out
}

// weigh weights a round of visitors by cells or by margins.
func weigh(plan *Plan, answers []int) cellWeights {
	if len(plan.Margins) > 0 {
		return rakeCells(plan, answers)
	}
	return weighCells(plan, answers)
}

func exceeds(c *Cell, answers int) bool { return c.Known && float64(answers) > c.N }

// couldHold reports whether answers of cell x, which has no population record,
// could belong to cell k of the same unit: of the same field if the field is
// said, of the same filing channel if that is said. Where both are said, the
// record for just them is missing, and the filing channel decides.
func couldHold(k, x *Cell) bool {
	filing := x.AnyFiling || k.AnyFiling || x.Filing == k.Filing
	if !x.AnyField && !x.AnyFiling {
		return filing
	}
	return filing && (x.AnyField || k.AnyField || x.Field == k.Field)
}

// holders are the cells with results returned, among the unit's members, that
// could hold the answers of cell x; all of them if none could.
func holders(plan *Plan, members []int32, x int32) []int32 {
	var all, some []int32
	for _, i := range members {
		c := &plan.Cells[i]
		if !c.Known || c.N == 0 {
			continue
		}
		all = append(all, i)
		if couldHold(c, &plan.Cells[x]) {
			some = append(some, i)
		}
	}
	if len(some) > 0 {
		return some
	}
	return all
}

// weighUnit gives the weight cells of one unit, whose cells are given by number
// in ascending order, by smallest member.
func weighUnit(plan *Plan, u *UnitState, members []int32, answers []int) []WeightCell {
	if len(members) == 0 {
		return nil
	}
	var cells []WeightCell
	if u.Reason != "" {
		one := newWeightCell(plan, answers, members...)
		one.Reason = u.Reason
		cells = []WeightCell{one}
	} else {
		few := fewUnknown(plan, u, members, answers)
		cells = mergeCells(plan, members, few, answers)
		for i := range cells {
			cells[i].Weight = cells[i].N / float64(cells[i].Answers)
		}
		if len(few) > 0 {
			cells = spreadFew(plan, u, cells, members, few, answers)
		}
	}
	slices.SortFunc(cells, bySmallestMember)
	return cells
}

func bySmallestMember(a, b WeightCell) int { return cmp.Compare(a.Members[0], b.Members[0]) }

// newWeightCell makes one cell of cells of the plan, in ascending order.
func newWeightCell(plan *Plan, answers []int, members ...int32) WeightCell {
	cell := WeightCell{Members: slices.Clone(members), Unit: plan.Cells[members[0]].Unit}
	known := false
	for _, i := range members {
		c := &plan.Cells[i]
		cell.Answers += answers[i]
		if c.Known {
			known = true
			cell.N += c.N
		}
		cell.Exceeds = cell.Exceeds || exceeds(c, answers[i])
	}
	cell.Exceeds = cell.Exceeds || known && float64(cell.Answers) > cell.N
	return cell
}

// fewUnknown gives the cells without a population record whose answers are
// spread (see weighCells), and those without answers.
func fewUnknown(plan *Plan, u *UnitState, members []int32, answers []int) []int32 {
	var few []int32
	for _, i := range members {
		if !plan.Cells[i].Known {
			few = append(few, i)
		}
	}
	slices.SortStableFunc(few, func(a, b int32) int { return cmp.Compare(answers[a], answers[b]) })
	sum := 0
	for n, i := range few {
		if sum += answers[i]; sum > 0 && 100*sum >= spreadPercent*u.Answers {
			return few[:n]
		}
	}
	return few
}

// spreadFew adds to the weighted cells of a unit those whose answers are spread
// over them.
func spreadFew(plan *Plan, u *UnitState, cells []WeightCell, members, few []int32, answers []int) []WeightCell {
	of := map[int32]int{}
	for i := range cells {
		for _, m := range cells[i].Members {
			of[m] = i
		}
	}
	weighted := len(cells)
	sum := u.Population
	for _, x := range few {
		cell := newWeightCell(plan, answers, x)
		cell.Spread = true
		n, count := 0.0, 0
		seen := make([]bool, weighted)
		for _, k := range holders(plan, members, x) {
			if i := of[k]; !seen[i] {
				seen[i] = true
				n += cells[i].N
				count += cells[i].Answers
			}
		}
		cell.Weight = n / float64(count)
		if cell.Answers > 0 {
			cell.Exceeds = float64(count+cell.Answers) > n || float64(u.Answers) > u.Population
		}
		sum += cell.Weight * float64(cell.Answers)
		cells = append(cells, cell)
	}
	if sum > u.Population {
		for i := range cells {
			cells[i].Weight *= u.Population / sum
		}
	}
	return cells
}

// mergeCells merges the cells of one unit but for those that are left out.
func mergeCells(plan *Plan, members, leftOut []int32, answers []int) []WeightCell {
	// Cells of one set share a root: answers without a record and the cells
	// that could hold them.
	root := map[int32]int32{}
	for _, i := range members {
		if !slices.Contains(leftOut, i) {
			root[i] = i
		}
	}
	for _, x := range members {
		if _, in := root[x]; !in || plan.Cells[x].Known {
			continue
		}
		for _, k := range holders(plan, members, x) {
			if from, into := max(root[k], root[x]), min(root[k], root[x]); from != into {
				for i, r := range root {
					if r == from {
						root[i] = into
					}
				}
			}
		}
	}
	sets := map[int32][]int32{}
	for _, i := range members {
		if r, in := root[i]; in {
			sets[r] = append(sets[r], i)
		}
	}
	// Sets of one filing channel each, and, in all, those of several.
	byFiling := map[int32][]WeightCell{}
	var filings []int32
	var all []WeightCell
	for _, i := range members {
		set := sets[i] // of a root
		if set == nil {
			continue
		}
		cell := newWeightCell(plan, answers, set...)
		filing, one := filingOf(plan, set)
		if !one {
			all = append(all, cell)
			continue
		}
		if byFiling[filing] == nil {
			filings = append(filings, filing)
		}
		byFiling[filing] = append(byFiling[filing], cell)
	}
	for _, f := range filings {
		all = append(all, collapse(byFiling[f], plan.minCell())...)
	}
	all = collapse(all, plan.minCell())
	// Again, for Exceeds.
	for i := range all {
		all[i] = newWeightCell(plan, answers, all[i].Members...)
	}
	return all
}

// filingOf is the filing channel that all known cells of a set have.
func filingOf(plan *Plan, set []int32) (filing int32, one bool) {
	for _, i := range set {
		c := &plan.Cells[i]
		switch {
		case !c.Known:
		case c.AnyFiling || one && c.Filing != filing:
			return 0, false
		default:
			filing, one = c.Filing, true
		}
	}
	return filing, one
}

// collapse merges the smallest cell that lacks answers or a population into
// the smallest other, until none lacks either or one cell is left.
func collapse(cells []WeightCell, minimum int) []WeightCell {
	for len(cells) > 1 {
		slices.SortFunc(cells, func(a, b WeightCell) int {
			return cmp.Or(cmp.Compare(a.Answers, b.Answers), bySmallestMember(a, b))
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
