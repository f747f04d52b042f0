package stats

import (
	"fmt"
	"math"
)

// Design is how the answers of a round came about, which decides their
// weights and their variance.
type Design string

const (
	// Visitors: people at desks, observed and not drawn. Weights
	// post-stratify to the results returned in each cell (Plan.Cells); the
	// strata are desks, the primary sampling units desk-days, taken with
	// replacement.
	Visitors Design = "visitors"
	// Drawn: a recorded draw. Weights are the rows' design weights, with a
	// finite population correction at each stage whose counts are known.
	Drawn Design = "drawn"
)

// Combine is how a factor is made of its items.
type Combine string

const (
	// MeanOfItems: the plain mean of the items' shares.
	MeanOfItems Combine = "mean_of_items"
	// Pooled: all satisfied answers to the factor's items over all answers
	// with a level, one ratio.
	Pooled Combine = "pooled"
)

// Method is a named, versioned rule that makes an index of factors: the sum of
// FactorWeights[f] x factor f. Mean-of-criteria is MeanOfItems with weights
// proportional to the factors' numbers of items.
type Method struct {
	Name, Version string
	Combine       Combine
	FactorWeights []float64 // one a factor, not negative, sum 1
}

// Place is what an answer shares with many others, seen by one question.
type Place struct {
	// Counted: the answer belongs to the sample (valid, not excluded, the
	// mode the question is about). Rows that are not counted are in
	// Result.PlaceRows only.
	Counted bool
	// In: inside the question's domain. A counted row outside keeps its
	// place in the design and its part in the weights.
	In bool
	// Cell indexes Plan.Cells, -1 none (drawn rounds). A counted place of a
	// Visitors plan must have one; a place whose cell has no population
	// record (a field or filing not said too) needs a Cell with Known false.
	Cell int32
	// Unit is the number of the office the answer rates, below Plan.Units.
	Unit int32
	// Group is the group under ByPlace, below Plan.Groups; -1 none (then in
	// the total only).
	Group int32
}

// Person is a profile combination, seen by one question.
type Person struct {
	In    bool  // inside the question's domain
	Group int32 // group under ByPerson, -1 none
}

// DayRange is a range of days (Row.Day), both ends included. It is empty where
// To is before From.
type DayRange struct{ From, To uint16 }

// Grouping is the column that decides a row's group.
type Grouping uint8

const (
	ByNone   Grouping = iota // the total only
	ByPlace                  // Place.Group
	ByPerson                 // Person.Group
	ByDay                    // Plan.DayGroup
)

// Stratum is a stratum of the first stage: the desk (Visitors), or the
// stratum of the draw (Drawn).
type Stratum struct {
	// Unit is the office the stratum belongs to; strata of Visitors with one
	// PSU merge inside it only.
	Unit int32
	// PSUs is the number of primary sampling units in the population, N_h; 0
	// where they are taken with replacement or were not drawn. Visitors
	// ignore it.
	PSUs float64
}

// Cell is a weight cell of the visitors design: service field x filing
// channel of one unit.
type Cell struct {
	Unit          int32
	Field, Filing int32
	// AnyField, AnyFiling: the field, the filing channel of these answers is
	// not known (not said), or the population record does not tell them
	// apart; Field, Filing is then not compared with that of other cells.
	AnyField, AnyFiling bool
	N                   float64 // results returned in the round's period
	// Known: has a population record. A record of 0 is a record: answers
	// there are more than the results returned. Where it is false N is not
	// read and the answers are spread over the cells that could hold them
	// (Compute, "Weights of Visitors").
	Known bool
}

// CellMargin is one classification of the weight cells, by unit or by service
// field for instance, with what is known of each class.
type CellMargin struct {
	// Class is the class of each of Plan.Cells, an index of Totals; -1 where it
	// is not known (a field not said), but not in the first margin.
	Class []int32
	// Totals are the results returned in each class, with those of units that
	// will turn out to have too few answers: what their cells say is taken off.
	Totals []float64
	// Merge: a class with fewer answers than Plan.MinCell, or without results,
	// merges, the smallest into the next smallest, until none is left that
	// small. What is left with results but without answers, or the other way
	// round, is ReasonMarginEmpty for the whole round.
	Merge bool
}

// Plan is one question about one round's answers. Every index refers to the
// plan's own tables; strings are labels. The zero values of optional fields
// ask for everything: no groups, no limit of days.
type Plan struct {
	Items    int     // number of items of each answer, 1 to MaxItems
	Factors  [][]int // items of each factor, from 0; an item may be in several or none
	Methods  []Method
	Headline int     // the method whose Combine the reported factors follow
	Level    float64 // confidence level of the intervals; 0 means 0.95
	Design   Design

	Places  []Place
	Persons []Person
	Days    *DayRange // domain; nil means all days

	By     Grouping
	Groups int
	// DayGroup gives the group of day DayBase+i (-1 none) under ByDay; days
	// outside the table have none.
	DayGroup []int32
	DayBase  uint16

	Units   int       // number of offices
	Strata  []Stratum // by PSU key >> 32
	Cells   []Cell    // Visitors
	MinCell int       // counted answers a weight cell needs; 0 means 10
	// Margins, if there are any, take the place of Cells as what visitors are
	// weighted to: Compute, "Raking". Cells still say where more answers than
	// results are.
	Margins []CellMargin
	// Inclusion is the probability, above 0 and at most 1, with which each item
	// is asked of a person, where the form draws items by chance; nil where
	// everybody is asked all. It divides the weight of an answer; in the ratio of
	// one item it cancels.
	Inclusion []float64

	// PSUSize gives the population of a primary sampling unit by its key,
	// M_hi; absent: no second stage in the variance of that unit. Drawn only.
	PSUSize map[uint64]float64
}

// DefaultMinCell is the number of counted answers a weight cell needs when
// Plan.MinCell is 0.
const DefaultMinCell = 10

// maxPopulation is the largest population of a cell: whole numbers are exact so
// far, and no sum of them overflows.
const maxPopulation = 1 << 53

func (p *Plan) level() float64 {
	if p.Level == 0 {
		return 0.95
	}
	return p.Level
}

func (p *Plan) minCell() int {
	if p.MinCell == 0 {
		return DefaultMinCell
	}
	return p.MinCell
}

// Check says what is wrong with a plan: an index outside its table, weights
// that do not sum to 1, an unknown design or combination.
func (p *Plan) Check() error {
	if p.Items < 1 || p.Items > MaxItems {
		return fmt.Errorf("stats: plan with %d items, want 1 to %d", p.Items, MaxItems)
	}
	if l := p.level(); !(l > 0 && l < 1) {
		return fmt.Errorf("stats: level %v", p.Level)
	}
	if p.Design != Visitors && p.Design != Drawn {
		return fmt.Errorf("stats: design %q", p.Design)
	}
	if p.MinCell < 0 || p.Units < 0 || p.Groups < 0 || p.By > ByDay {
		return fmt.Errorf("stats: MinCell %d, Units %d, Groups %d, By %d", p.MinCell, p.Units, p.Groups, p.By)
	}
	if p.Inclusion != nil && len(p.Inclusion) != p.Items {
		return fmt.Errorf("stats: %d probabilities for %d items", len(p.Inclusion), p.Items)
	}
	for k, probability := range p.Inclusion {
		if !(probability > 0 && probability <= 1) {
			return fmt.Errorf("stats: item %d is asked with probability %v", k, probability)
		}
	}
	for f, items := range p.Factors {
		if len(items) == 0 {
			return fmt.Errorf("stats: factor %d has no items", f)
		}
		for _, k := range items {
			if k < 0 || k >= p.Items {
				return fmt.Errorf("stats: factor %d has item %d of %d", f, k, p.Items)
			}
		}
	}
	if len(p.Methods) > 0 && (p.Headline < 0 || p.Headline >= len(p.Methods)) {
		return fmt.Errorf("stats: headline method %d of %d", p.Headline, len(p.Methods))
	}
	for _, m := range p.Methods {
		if err := m.check(len(p.Factors)); err != nil {
			return err
		}
	}
	return p.checkTables()
}

func (m *Method) check(factors int) error {
	if m.Combine != MeanOfItems && m.Combine != Pooled {
		return fmt.Errorf("stats: method %s combines by %q", m.Name, m.Combine)
	}
	if len(m.FactorWeights) != factors {
		return fmt.Errorf("stats: method %s has %d weights for %d factors", m.Name, len(m.FactorWeights), factors)
	}
	sum := 0.0
	for _, w := range m.FactorWeights {
		if !(w >= 0) {
			return fmt.Errorf("stats: method %s has factor weight %v", m.Name, w)
		}
		sum += w
	}
	if !(math.Abs(sum-1) < 1e-9) {
		return fmt.Errorf("stats: method %s has factor weights that sum to %v", m.Name, sum)
	}
	return nil
}

// checkTables checks the indices between the plan's tables.
func (p *Plan) checkTables() error {
	inside := func(i int32, n int) bool { return i >= 0 && int(i) < n }
	optional := func(i int32, n int) bool { return i == -1 || inside(i, n) }
	for i, pl := range p.Places {
		switch {
		case !inside(pl.Unit, p.Units):
			return fmt.Errorf("stats: place %d has unit %d of %d", i, pl.Unit, p.Units)
		case p.By == ByPlace && !optional(pl.Group, p.Groups):
			return fmt.Errorf("stats: place %d has group %d of %d", i, pl.Group, p.Groups)
		case p.Design == Visitors && pl.Counted && !inside(pl.Cell, len(p.Cells)):
			return fmt.Errorf("stats: counted place %d has cell %d of %d", i, pl.Cell, len(p.Cells))
		case p.Design == Visitors && pl.Counted && p.Cells[pl.Cell].Unit != pl.Unit:
			return fmt.Errorf("stats: place %d of unit %d has a cell of unit %d", i, pl.Unit, p.Cells[pl.Cell].Unit)
		}
	}
	if p.By == ByPerson {
		for i, pe := range p.Persons {
			if !optional(pe.Group, p.Groups) {
				return fmt.Errorf("stats: person %d has group %d of %d", i, pe.Group, p.Groups)
			}
		}
	}
	if p.By == ByDay {
		for i, g := range p.DayGroup {
			if !optional(g, p.Groups) {
				return fmt.Errorf("stats: day %d has group %d of %d", int(p.DayBase)+i, g, p.Groups)
			}
		}
	}
	for i, s := range p.Strata {
		// Without units there are no rows, and what a stratum belongs to plays no part.
		if p.Units > 0 && !inside(s.Unit, p.Units) {
			return fmt.Errorf("stats: stratum %d has unit %d of %d", i, s.Unit, p.Units)
		}
		if !(s.PSUs >= 0) {
			return fmt.Errorf("stats: stratum %d has %v units in the population", i, s.PSUs)
		}
	}
	if len(p.Margins) > 0 && p.Design != Visitors {
		return fmt.Errorf("stats: margins for the design %q", p.Design)
	}
	for m := range p.Margins {
		if err := p.Margins[m].check(m == 0, len(p.Cells)); err != nil {
			return fmt.Errorf("stats: margin %d: %w", m, err)
		}
	}
	for i, c := range p.Cells {
		if !inside(c.Unit, p.Units) {
			return fmt.Errorf("stats: cell %d has unit %d of %d", i, c.Unit, p.Units)
		}
		if c.Known && !(c.N >= 0 && c.N <= maxPopulation) {
			return fmt.Errorf("stats: cell %d has a population of %v", i, c.N)
		}
	}
	return nil
}

// check checks a margin of so many cells.
func (m *CellMargin) check(first bool, cells int) error {
	if len(m.Class) != cells {
		return fmt.Errorf("%d classes for %d cells", len(m.Class), cells)
	}
	for i, c := range m.Class {
		if c < -1 || c == -1 && first || int(c) >= len(m.Totals) {
			return fmt.Errorf("cell %d has class %d of %d", i, c, len(m.Totals))
		}
	}
	for c, total := range m.Totals {
		if !(total >= 0 && total <= maxPopulation) {
			return fmt.Errorf("class %d has a population of %v", c, total)
		}
	}
	return nil
}

// checkBlocks says what in the blocks does not fit the plan.
func (p *Plan) checkBlocks(blocks []*Rows) error {
	for _, r := range blocks {
		if r.Len() == 0 {
			continue
		}
		switch {
		case r.items != p.Items:
			return fmt.Errorf("stats: block with %d items, plan with %d", r.items, p.Items)
		case int(r.maxPlace) >= len(p.Places):
			return fmt.Errorf("stats: row with place %d of %d", r.maxPlace, len(p.Places))
		case int(r.maxPerson) >= len(p.Persons):
			return fmt.Errorf("stats: row with person %d of %d", r.maxPerson, len(p.Persons))
		case r.psuKey[len(r.psuKey)-1]>>32 >= uint64(len(p.Strata)):
			return fmt.Errorf("stats: row with stratum %d of %d", r.psuKey[len(r.psuKey)-1]>>32, len(p.Strata))
		}
	}
	return nil
}
