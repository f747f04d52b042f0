package stats

import (
	"cmp"
	"fmt"
	"slices"
)

// Table is one picture of a round: the groups of respondents that it shows. They
// make a tree, the round at its root: a cell is split into parts in one or more
// ways (a round into units, and into service fields; a unit into desks). A report
// that crosses two ways is not in the tree, so two filters never overlap.
type Table struct{ Cells []TableCell }

// TableCell is a group of respondents.
type TableCell struct {
	// ID is the same in every picture of the round.
	ID string
	// Whole is the cell that this one is a part of, "" for the root. Split names
	// the way it is split: parts of one split exclude each other. They may leave
	// out respondents, whom readers then know as the rest.
	Whole, Split string
	// N is the number of respondents.
	N int
	// Items has what they answered, one an item, as many in every cell.
	Items []ItemSplit
}

// ItemSplit is how many respondents of a cell are satisfied with an item, and how
// many gave it another level. The others of its N gave none.
type ItemSplit struct{ Satisfied, Other int }

// DisclosureRules are the thresholds of Protect.
type DisclosureRules struct {
	// MinN respondents make a cell that may be shown.
	MinN int
	// MinUnanimous respondents make one of whom all, or none, are satisfied
	// with some item.
	MinUnanimous int
	// MinChange new answers renew a cell.
	MinChange int
}

// DefaultDisclosure has the rules of a round that names no others.
func DefaultDisclosure() DisclosureRules {
	return DisclosureRules{MinN: 5, MinUnanimous: 10, MinChange: 10}
}

// Hidden is whether a cell's numbers are withheld, and why.
type Hidden uint8

const (
	Shown Hidden = iota
	// Primary: too few respondents, or few and unanimous.
	Primary
	// Complementary: another hidden cell would follow from it.
	Complementary
)

// String is the word that reports carry, "" for a cell that is shown.
func (h Hidden) String() string { return [...]string{"", "primary", "complementary"}[h] }

// Protection is what readers get of one cell.
type Protection struct {
	Hidden Hidden
	// Picture is the last one, counted from 0 over all of the round, as of which
	// the numbers hold that are shown; -1 when the cell is hidden. One before the
	// newest: the cell is not renewed yet.
	Picture int
}

// Disclosed is what readers of a round's pictures know, and what the next picture
// must not add to it. The zero value is before the first. It has exact numbers,
// hidden ones too: it is kept beside the pictures, and no reader may get it.
type Disclosed struct {
	Pictures int `json:"pictures"`
	// Cells are sorted by id; the rest of a split is among them.
	Cells []DisclosedCell `json:"cells"`
	// Sums are those that have cells not known since.
	Sums []DisclosedSum `json:"sums"`
}

// DisclosedCell is what is known of one cell. Counts are the number of
// respondents, and for each item the satisfied and those of other levels.
type DisclosedCell struct {
	ID    string `json:"id"`
	Whole string `json:"whole"`
	Split string `json:"split"`
	// Known is the last picture as of which the counts are known, -1 before the
	// first.
	Known int `json:"known"`
	// Shown are the counts as of Known.
	Shown []int `json:"shown"`
	// Latest are those in the last picture in which the whole was known.
	Latest []int `json:"latest"`
}

// DisclosedSum is what readers know together of parts that one picture did not
// renew: their whole less the parts it renewed.
type DisclosedSum struct {
	Whole string `json:"whole"`
	Split string `json:"split"`
	// Cells are those that no picture since has made known, with their counts
	// then.
	Cells []string `json:"cells"`
	Then  [][]int  `json:"then"`
	// Since is by how much the others had grown when they became known.
	Since []int `json:"since"`
}

// Protect decides what of a picture may be shown after those that made before, and
// returns what is known then, and one Protection for each cell of now. METHOD.md
// ("Protection") has the rules and what they guarantee. The order of cells does
// not matter. A cell of an earlier picture that now lacks has nobody left.
//
// It is an error when now is no tree with one root, names a cell twice, has parts
// with more people than their whole, or gives a cell other items or another place
// in the tree than an earlier picture did.
func Protect(before Disclosed, now Table, rules DisclosureRules) (Disclosed, []Protection, error) {
	if rules.MinN < 1 || rules.MinUnanimous < rules.MinN || rules.MinChange < rules.MinUnanimous {
		return Disclosed{}, nil, fmt.Errorf("stats: disclosure rules %+v: need 1 <= MinN <= MinUnanimous <= MinChange", rules)
	}
	g, err := newGuard(before, now, rules)
	if err != nil {
		return Disclosed{}, nil, err
	}
	g.protect()
	after := Disclosed{Pictures: g.picture + 1}
	for _, c := range g.cells {
		after.Cells = append(after.Cells, c.before)
	}
	for _, s := range g.splits {
		for _, sum := range s.sums {
			after.Sums = append(after.Sums, *sum)
		}
	}
	out := make([]Protection, len(now.Cells))
	for i := range now.Cells {
		out[i] = g.protection(g.index[now.Cells[i].ID])
	}
	return after, out, nil
}

// guard protects one picture.
type guard struct {
	rules   DisclosureRules
	picture int
	cells   []*guardedCell // by id
	index   map[string]*guardedCell
	splits  []*guardedSplit // those of a cell before those of its parts
	root    *guardedCell
}

// guardedCell is a cell of the new picture.
type guardedCell struct {
	// before is what readers knew, and knows what is new once it is decided.
	before DisclosedCell
	counts heads
	rest   bool
	// known: readers get the counts of this picture, or counts that are the same.
	known  bool
	splits []*guardedSplit
}

// shown: the cell has numbers of some people, of this picture or an earlier one.
func (c *guardedCell) shown() bool { return heads(c.before.Shown).people() > 0 }

// growth is what readers do not know of a cell.
func (c *guardedCell) growth() heads { return c.counts.less(c.before.Shown) }

// step is by how much a cell grew since its whole was known.
func (c *guardedCell) step() heads { return c.counts.less(c.before.Latest) }

// heads are numbers of respondents: all, and for each item the satisfied and
// those of other levels. Nil is nobody.
type heads []int

func (a heads) less(b heads) heads {
	if a == nil {
		a = make(heads, len(b))
	}
	out := slices.Clone(a)
	for i, n := range b {
		out[i] -= n
	}
	return out
}

func (a heads) plus(b heads) heads { return a.less(heads(nil).less(b)) }

func (a heads) people() int {
	if len(a) == 0 {
		return 0
	}
	return a[0]
}

func (a heads) none() bool { return !slices.ContainsFunc(a, func(n int) bool { return n != 0 }) }

// grew: no kind of answer, to no item, has become less. Fewer would tell what
// somebody answered who withdrew.
func (a heads) grew() bool {
	for i := 1; i < len(a); i += 2 {
		if a[i] < 0 || a[i+1] < 0 || a[i]+a[i+1] > a[0] {
			return false
		}
	}
	return a.people() >= 0
}

// unanimous: everybody who gave some item a level is satisfied with it, or nobody.
func (a heads) unanimous() bool {
	for i := 1; i < len(a); i += 2 {
		if (a[i] == 0) != (a[i+1] == 0) {
			return true
		}
	}
	return false
}

// newGuard checks the table, builds the tree and adds the rests.
func newGuard(before Disclosed, now Table, rules DisclosureRules) (*guard, error) {
	g := &guard{rules: rules, picture: before.Pictures, index: map[string]*guardedCell{}}
	width := 1
	if len(now.Cells) > 0 {
		width += 2 * len(now.Cells[0].Items)
	}
	earlier := map[string]DisclosedCell{}
	for _, d := range before.Cells {
		if len(d.Shown) != width || len(d.Latest) != width {
			return nil, fmt.Errorf("stats: the cells have %d items, %q had %d", width/2, d.ID, len(d.Shown)/2)
		}
		earlier[d.ID] = d
	}
	add := func(id, whole, split string, n heads, rest bool) error {
		if g.index[id] != nil {
			return fmt.Errorf("stats: cell %q is there twice", id)
		}
		c := &guardedCell{counts: n, rest: rest}
		var was bool
		if c.before, was = earlier[id]; !was {
			c.before = DisclosedCell{ID: id, Whole: whole, Split: split, Known: unheard, Shown: make([]int, width), Latest: make([]int, width)}
		} else if c.before.Whole != whole || c.before.Split != split {
			return fmt.Errorf("stats: cell %q was a part of %q by %q, and is of %q by %q", id, c.before.Whole, c.before.Split, whole, split)
		}
		g.index[id] = c
		g.cells = append(g.cells, c)
		return nil
	}
	for i := range now.Cells {
		t := &now.Cells[i]
		if len(t.Items) != width/2 {
			return nil, fmt.Errorf("stats: cell %q has %d items, others %d", t.ID, len(t.Items), width/2)
		}
		n := make(heads, 1, width)
		n[0] = t.N
		for _, s := range t.Items {
			n = append(n, s.Satisfied, s.Other)
		}
		if !n.grew() {
			return nil, fmt.Errorf("stats: cell %q: more answers to an item than its %d respondents, or fewer than none", t.ID, t.N)
		}
		if err := add(t.ID, t.Whole, t.Split, n, false); err != nil {
			return nil, err
		}
	}
	for _, d := range before.Cells {
		if g.index[d.ID] == nil && d.ID != restOf(d.Whole, d.Split) {
			if err := add(d.ID, d.Whole, d.Split, make(heads, width), false); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(g.cells, func(a, b *guardedCell) int { return cmp.Compare(a.before.ID, b.before.ID) })
	if err := g.grow(add); err != nil {
		return nil, err
	}
	for _, sum := range before.Sums {
		s := g.split(g.index[sum.Whole], sum.Split)
		s.sums = append(s.sums, &sum)
	}
	return g, nil
}

// unheard is the DisclosedCell.Known of a cell that no picture had.
const unheard = -2

// restOf is the id of those whom a split leaves out.
func restOf(whole, split string) string { return whole + "\x1f" + split }

// split finds a split of a cell, or makes it.
func (g *guard) split(whole *guardedCell, name string) *guardedSplit {
	for _, s := range whole.splits {
		if s.name == name {
			return s
		}
	}
	s := &guardedSplit{guard: g, whole: whole, name: name}
	whole.splits = append(whole.splits, s)
	return s
}

// grow links the cells to a tree.
func (g *guard) grow(add func(id, whole, split string, n heads, rest bool) error) error {
	for _, c := range g.cells {
		if c.before.Whole == "" {
			if g.root != nil {
				return fmt.Errorf("stats: cells %q and %q are parts of nothing", g.root.before.ID, c.before.ID)
			}
			g.root = c
			continue
		}
		whole := g.index[c.before.Whole]
		if whole == nil {
			return fmt.Errorf("stats: cell %q is a part of %q, which is not there", c.before.ID, c.before.Whole)
		}
		s := g.split(whole, c.before.Split)
		s.parts = append(s.parts, c)
	}
	if g.root == nil {
		return fmt.Errorf("stats: no cell is the whole")
	}
	reached := 0
	for queue := []*guardedCell{g.root}; len(queue) > 0; queue = queue[1:] {
		reached++
		c := queue[0]
		if c.before.Known == unheard {
			// Nobody was in it, as readers may know, when its whole was known.
			c.before.Known = -1
			if whole := g.index[c.before.Whole]; whole != nil {
				c.before.Known = whole.before.Known
			}
		}
		slices.SortFunc(c.splits, func(a, b *guardedSplit) int { return cmp.Compare(a.name, b.name) })
		for _, s := range c.splits {
			rest := c.counts
			for _, p := range s.parts {
				rest = rest.less(p.counts)
			}
			if !rest.grew() {
				return fmt.Errorf("stats: the parts of cell %q by %q have more people than it", c.before.ID, s.name)
			}
			id := restOf(c.before.ID, s.name)
			if err := add(id, c.before.ID, s.name, rest, true); err != nil {
				return err
			}
			s.parts = append(s.parts, g.index[id])
			queue = append(queue, s.parts...)
			g.splits = append(g.splits, s)
		}
	}
	if reached != len(g.cells) {
		return fmt.Errorf("stats: some cells are parts of themselves")
	}
	slices.SortFunc(g.cells, func(a, b *guardedCell) int { return cmp.Compare(a.before.ID, b.before.ID) })
	return nil
}

// small reports whether counts tell too much about too few.
func (g *guard) small(n heads) bool {
	return n.people() < g.rules.MinN || n.people() < g.rules.MinUnanimous && n.unanimous()
}

// renewable reports whether a cell, looked at alone, may be shown as it is now.
func (g *guard) renewable(c *guardedCell) bool {
	switch d := c.growth(); {
	case d.none():
		return true
	case !c.shown():
		return !g.small(d)
	default:
		return d.grew() && d.people() >= g.rules.MinChange && !g.small(d)
	}
}

// protect decides from the root down. Parts are renewed only with their whole.
func (g *guard) protect() {
	g.root.known = g.renewable(g.root)
	for _, s := range g.splits {
		if s.whole.known {
			s.choose()
			s.record()
		}
	}
	g.record(g.root)
	for _, s := range g.splits {
		for _, c := range s.parts {
			g.record(c)
		}
	}
}

// record notes what readers know of a cell now.
func (g *guard) record(c *guardedCell) {
	if !c.known {
		return
	}
	c.before.Known, c.before.Shown = g.picture, c.counts
	if c == g.root {
		c.before.Latest = c.counts
	}
}

func (g *guard) protection(c *guardedCell) Protection {
	whole := g.index[c.before.Whole]
	switch {
	case c.known, c.shown():
		return Protection{Picture: c.before.Known}
	case whole != nil && !whole.known && c.before.Known >= 0:
		return Protection{Picture: c.before.Known} // nobody, as of the whole's numbers
	case g.small(c.counts):
		return Protection{Hidden: Primary, Picture: -1}
	default:
		return Protection{Hidden: Complementary, Picture: -1}
	}
}
