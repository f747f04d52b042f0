package stats

import (
	"cmp"
	"fmt"
	"slices"
)

// Table is one picture of a round: groups of respondents and how they add up.
// Of whom a cell consists is not asked; what adds up to what is all that a
// reader can use, so every way to come from some cells to others must be in
// Sums. A group that no report shows but that follows from two shown ones (the
// answers of a filter's other side, days between two dates, flagged answers) is
// a cell too, Unlisted.
type Table struct {
	Cells []TableCell
	Sums  []TableSum
}

// TableCell is a group of respondents.
type TableCell struct {
	// ID is the same in every picture of the round.
	ID string
	// N is the number of respondents; 0 is a group like others.
	N int
	// Items has what they answered, one an item, as many in every cell.
	Items []Split
	// Unlisted cells are never shown; they are here because readers could
	// compute them.
	Unlisted bool
}

// Split is how many respondents of a cell are satisfied with an item, and how
// many gave it another level. The others of its N gave none.
type Split struct{ Satisfied, Other int }

// TableSum says that every respondent of Whole is in exactly one of Parts.
type TableSum struct {
	Whole string
	Parts []string
}

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

// Protection is what a reader gets of one cell.
type Protection struct {
	Hidden Hidden
	// Picture is the picture whose numbers are shown, counted from 0 over all
	// of the round; -1 when the cell is hidden. A picture before the newest:
	// the cell is not renewed yet. Of an unlisted cell it is the newest
	// picture in which readers may compute it.
	Picture int
}

// Protected is a picture and what is shown of it. Table keeps the exact numbers,
// hidden ones too: the next picture needs them, no reader may get them.
type Protected struct {
	Table Table
	// Cells are in the order of Table.Cells.
	Cells []Protection
}

// Protect decides what of now may be shown after the pictures in history, oldest
// first, each as Protect returned it. METHOD.md ("Protection") has the rules and
// what they guarantee. The order of cells, sums and parts does not matter.
//
// It is an error when a table does not add up, names a cell twice or one that
// it does not have, has another number of items, or lacks a cell that an earlier
// picture has.
func Protect(history []Protected, now Table, rules DisclosureRules) (Protected, error) {
	if rules.MinN < 1 || rules.MinUnanimous < rules.MinN || rules.MinChange < 1 {
		return Protected{}, fmt.Errorf("stats: disclosure rules %+v: need 1 <= MinN <= MinUnanimous and 1 <= MinChange", rules)
	}
	g, err := newGuard(history, now, rules)
	if err != nil {
		return Protected{}, err
	}
	g.begin()
	for g.mend() {
	}
	return g.result(now), nil
}

// guard has all pictures of a round, the newest last. Cells are numbered in the
// order of their ids.
type guard struct {
	rules    DisclosureRules
	groups   int // items, or 1 where there are none
	ids      []string
	unlisted []bool
	pictures []*picture
	primary  []bool
	// settled cells of a picture are safe. They stay so when more is hidden:
	// the ways for their people are still there.
	settled [][]bool
	// tries counts how often a cell has had others hidden for it.
	tries []int
	// found remembers the answers of findBefore.
	found map[question]circuit
}

// picture is one table by numbers. Counts have three kinds an item: satisfied,
// another level, none; without items all are "none".
type picture struct {
	// counts of a cell, nil where the picture does not have it.
	counts [][]int
	// more are those who came since the picture before, kind by kind, less
	// those who may have withdrawn by now.
	more [][]int
	// known cells are shown as of this picture; of the others readers have
	// this picture's sums only.
	known []bool
	// base is the last earlier picture in which the cell is known, -1 none.
	base []int
	// news is what readers do not know of a cell: its growth since it was last
	// known, all of it where it never was.
	news [][]int
	sums [][]int // cells; the first is the sum of the others
	of   [][]int // cell → its sums
	// same: the sums are those of the picture before.
	same bool
	// circuits are the ways to change hidden cells that change no known one.
	circuits []circuit
	through  [][]int   // cell → circuits that change it
	ways     []circuit // those of them that detour found
	// reached is what search number search reached, kept for the next one.
	reached []arrival
	search  int
}

const kindsPerItem = 3

func newGuard(history []Protected, now Table, rules DisclosureRules) (*guard, error) {
	g := &guard{rules: rules, found: map[question]circuit{}}
	number := map[string]int{}
	for i := range now.Cells {
		g.ids = append(g.ids, now.Cells[i].ID)
	}
	slices.Sort(g.ids)
	g.unlisted = make([]bool, len(g.ids))
	for i, id := range g.ids {
		number[id] = i
	}
	if len(now.Cells) > 0 {
		g.groups = max(1, len(now.Cells[0].Items))
	}
	for i := range now.Cells {
		g.unlisted[number[now.Cells[i].ID]] = now.Cells[i].Unlisted
	}
	for t := range len(history) + 1 {
		table := &now
		if t < len(history) {
			table = &history[t].Table
		}
		p, err := g.newPicture(table, number)
		if err != nil {
			return nil, fmt.Errorf("stats: picture %d: %w", t, err)
		}
		if t < len(history) {
			if len(history[t].Cells) != len(table.Cells) {
				return nil, fmt.Errorf("stats: picture %d has %d cells and protects %d", t, len(table.Cells), len(history[t].Cells))
			}
			for i := range table.Cells {
				p.known[number[table.Cells[i].ID]] = history[t].Cells[i].Picture == t
			}
		}
		g.follow(p)
		g.pictures = append(g.pictures, p)
	}
	g.stay()
	return g, nil
}

// newPicture checks and numbers a table.
func (g *guard) newPicture(table *Table, number map[string]int) (*picture, error) {
	p := &picture{
		counts: make([][]int, len(g.ids)), news: make([][]int, len(g.ids)), more: make([][]int, len(g.ids)), known: make([]bool, len(g.ids)),
		base: make([]int, len(g.ids)), of: make([][]int, len(g.ids)),
	}
	for i := range table.Cells {
		c := &table.Cells[i]
		at, ok := number[c.ID]
		switch {
		case !ok:
			return nil, fmt.Errorf("cell %q is missing in the newest picture", c.ID)
		case p.counts[at] != nil:
			return nil, fmt.Errorf("cell %q is there twice", c.ID)
		case c.N < 0 || max(1, len(c.Items)) != g.groups || len(c.Items) != len(table.Cells[0].Items):
			return nil, fmt.Errorf("cell %q: %d respondents, %d items", c.ID, c.N, len(c.Items))
		}
		counts := make([]int, g.groups*kindsPerItem)
		counts[kindsPerItem-1] = c.N
		for k, s := range c.Items {
			none := c.N - s.Satisfied - s.Other
			if s.Satisfied < 0 || s.Other < 0 || none < 0 {
				return nil, fmt.Errorf("cell %q, item %d: %d satisfied and %d others of %d", c.ID, k, s.Satisfied, s.Other, c.N)
			}
			copy(counts[k*kindsPerItem:], []int{s.Satisfied, s.Other, none})
		}
		p.counts[at] = counts
	}
	for _, s := range table.Sums {
		if len(s.Parts) == 0 {
			return nil, fmt.Errorf("sum of %q has no parts", s.Whole)
		}
		sum := make([]int, 0, len(s.Parts)+1)
		rest := make([]int, g.groups*kindsPerItem)
		for i, id := range append([]string{s.Whole}, s.Parts...) {
			at, ok := number[id]
			if !ok || p.counts[at] == nil {
				return nil, fmt.Errorf("sum of %q: no cell %q", s.Whole, id)
			}
			if slices.Contains(sum, at) {
				return nil, fmt.Errorf("sum of %q: cell %q is in it twice", s.Whole, id)
			}
			sum = append(sum, at)
			for k, n := range p.counts[at] {
				if i > 0 {
					n = -n
				}
				rest[k] += n
			}
		}
		if slices.ContainsFunc(rest, func(n int) bool { return n != 0 }) {
			return nil, fmt.Errorf("cell %q is not the sum of its parts", s.Whole)
		}
		slices.Sort(sum[1:])
		p.sums = append(p.sums, sum)
	}
	slices.SortFunc(p.sums, slices.Compare)
	for s, sum := range p.sums {
		for _, c := range sum {
			p.of[c] = append(p.of[c], s)
		}
	}
	return p, nil
}

// follow puts a picture after those that are there.
func (g *guard) follow(p *picture) {
	var last *picture
	if n := len(g.pictures); n > 0 {
		last = g.pictures[n-1]
		p.same = slices.EqualFunc(p.sums, last.sums, slices.Equal)
	}
	for c := range p.counts {
		p.base[c] = -1
		if last != nil {
			p.base[c] = last.base[c]
			if last.known[c] {
				p.base[c] = len(g.pictures) - 1
			}
		}
		p.news[c] = p.counts[c]
		if b := p.base[c]; b >= 0 && p.counts[c] != nil {
			p.news[c] = slices.Clone(p.counts[c])
			for k, n := range g.pictures[b].counts[c] {
				p.news[c][k] -= n
			}
		}
	}
}

// stay fills picture.more. Whoever is in a count at its lowest from a picture on
// has stayed.
func (g *guard) stay() {
	for c := range g.ids {
		lowest := slices.Clone(g.now().counts[c])
		for t := len(g.pictures) - 1; t >= 0 && g.pictures[t].counts[c] != nil; t-- {
			more := slices.Clone(lowest)
			if t > 0 && g.pictures[t-1].counts[c] != nil {
				for k, n := range g.pictures[t-1].counts[c] {
					lowest[k] = min(lowest[k], n)
					more[k] -= lowest[k]
				}
			}
			g.pictures[t].more[c] = more
		}
	}
}

// now is the newest picture.
func (g *guard) now() *picture { return g.pictures[len(g.pictures)-1] }

// size is the number of people that counts are about.
func size(counts []int) int { return counts[0] + counts[1] + counts[2] }

// small reports whether counts tell too much about too few.
func (g *guard) small(counts []int) bool {
	n := size(counts)
	return n < g.rules.MinN || n < g.rules.MinUnanimous && slices.ContainsFunc(g.absent(counts), func(kind int) bool { return kind >= 0 })
}

// absent gives for each item the kind of level, satisfied or another, that
// nobody gave though somebody gave a level; -1 for the others.
func (g *guard) absent(counts []int) []int {
	kinds := make([]int, g.groups)
	for i := range kinds {
		kinds[i] = -1
		at := i * kindsPerItem
		switch yes, no := counts[at], counts[at+1]; {
		case yes > 0 && no == 0:
			kinds[i] = at + 1
		case no > 0 && yes == 0:
			kinds[i] = at
		}
	}
	return kinds
}

// begin makes known what the newest picture may show for itself: cells that are
// not small, and earlier ones that nothing or enough was added to. A count that
// shrank would tell what somebody answered who withdrew.
func (g *guard) begin() {
	p := g.now()
	g.primary, g.tries = make([]bool, len(g.ids)), make([]int, len(g.ids))
	for range g.pictures {
		g.settled = append(g.settled, make([]bool, len(g.ids)))
	}
	for c := range g.ids {
		d := p.news[c]
		if p.base[c] >= 0 {
			same := !slices.ContainsFunc(d, func(n int) bool { return n != 0 })
			grown := slices.Min(d) >= 0 && size(d) >= g.rules.MinChange && !g.small(d)
			p.known[c] = same || grown
			continue
		}
		g.primary[c] = g.small(d)
		p.known[c] = !g.primary[c] || g.unlisted[c] && size(d) == 0
	}
	for i := range g.pictures {
		g.pictures[i].findCircuits()
	}
}

func (g *guard) result(now Table) Protected {
	out := Protected{Table: now, Cells: make([]Protection, len(now.Cells))}
	p := g.now()
	for i := range now.Cells {
		c, _ := slices.BinarySearch(g.ids, now.Cells[i].ID)
		switch {
		case p.known[c]:
			out.Cells[i].Picture = len(g.pictures) - 1
		case p.base[c] >= 0:
			out.Cells[i].Picture = p.base[c]
		case g.primary[c]:
			out.Cells[i] = Protection{Hidden: Primary, Picture: -1}
		default:
			out.Cells[i] = Protection{Hidden: Complementary, Picture: -1}
		}
	}
	return out
}

// mend hides more where a hidden cell is not safe yet, and reports whether it
// did. It ends: at the latest when nothing that bears on an unsafe cell is known.

func (g *guard) mend() bool {
	p, t := g.now(), len(g.pictures)-1
	hide := map[int]bool{}
	bounded := p.bounded()
	for c := range g.ids {
		// One cell a sum in a round: what it mends need not be mended twice.
		if p.known[c] || !bounded[c] || g.settled[t][c] || p.touches(c, hide) {
			continue
		}
		l := g.safe(t, t, c)
		if l == (lack{}) {
			g.settled[t][c] = true
			continue
		}
		for _, choice := range g.complements(c, l) {
			hide[choice] = true
		}
	}
	if len(hide) == 0 {
		g.mendEarlier(hide)
	}
	for c := range hide {
		p.known[c] = false
	}
	if len(hide) > 0 {
		p.findCircuits()
	}
	return len(hide) > 0
}

// mendEarlier hides what of the newest picture would betray a hidden cell of an
// earlier one.
func (g *guard) mendEarlier(hide map[int]bool) {
	p, last := g.now(), len(g.pictures)-1
	for t, earlier := range g.pictures[:last] {
		bounded := earlier.bounded()
		for c := range g.ids {
			if earlier.known[c] || earlier.counts[c] == nil || g.settled[t][c] || p.touches(c, hide) {
				continue
			}
			l := g.safe(t, last, c)
			if l == (lack{}) || bounded[c] && g.safe(t, last-1, c) != (lack{}) {
				g.settled[t][c] = true // safe, or the newest picture makes no difference
				continue
			}
			// What was a way for its people until now is one again when all of
			// it stays hidden.
			var choices []int
			for _, s := range g.find(t, last-1, c, l) {
				if p.known[s.cell] {
					choices = append(choices, s.cell)
				}
			}
			if choices == nil {
				choices = g.cheapest(append(g.near(c), slices.DeleteFunc([]int{c}, func(c int) bool { return !p.known[c] })...), l, g.again(c))
			}
			for _, choice := range choices {
				hide[choice] = true
			}
		}
	}
}

// touches reports whether a sum of the cell has one of the others.
func (p *picture) touches(c int, others map[int]bool) bool {
	if len(others) == 0 {
		return false
	}
	return slices.ContainsFunc(p.of[c], func(s int) bool {
		return slices.ContainsFunc(p.sums[s], func(d int) bool { return others[d] })
	})
}

// bounded tells which hidden cells the picture says anything about: those that
// sums link to a known cell.
func (p *picture) bounded() []bool {
	out := make([]bool, len(p.counts))
	var queue []int
	reach := func(sum []int) {
		for _, c := range sum {
			if !p.known[c] && !out[c] {
				out[c] = true
				queue = append(queue, c)
			}
		}
	}
	for _, sum := range p.sums {
		if slices.ContainsFunc(sum, func(c int) bool { return p.known[c] }) {
			reach(sum)
		}
	}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		for _, s := range p.of[c] {
			reach(p.sums[s])
		}
	}
	return out
}

// complements chooses the cells to hide for the sake of a hidden one that is
// not safe: what the cheapest way for its people would need hidden. Where there
// is none, each sum in which it alone is hidden loses its cheapest cell, or the
// nearest sum that can.
func (g *guard) complements(c int, l lack) []int {
	p, t := g.now(), len(g.pictures)-1
	var chosen []int
	for _, s := range g.way(t, c, l, g.findBefore(t-1, c, l), g.price) {
		if p.known[s.cell] {
			chosen = append(chosen, s.cell)
		}
	}
	if chosen != nil {
		return chosen
	}
	for _, s := range p.of[c] {
		if p.hiddenIn(s) == 1 {
			chosen = append(chosen, g.cheapest(slices.DeleteFunc(slices.Clone(p.sums[s]), func(d int) bool { return d == c }), l, 1)...)
		}
	}
	if chosen == nil {
		if near := g.near(c); near != nil {
			chosen = g.cheapest(near, l, g.again(c))
		}
	}
	return chosen
}

func (p *picture) hiddenIn(s int) int {
	n := 0
	for _, c := range p.sums[s] {
		if !p.known[c] {
			n++
		}
	}
	return n
}

// near gives the known cells of the newest picture that share a sum with the
// cell; where there are none, with a hidden cell that does; and so on.
func (g *guard) near(c int) []int {
	p := g.now()
	seen := map[int]bool{c: true}
	for ring := []int{c}; len(ring) > 0; {
		var known, next []int
		for _, d := range ring {
			for _, s := range p.of[d] {
				for _, e := range p.sums[s] {
					if seen[e] {
						continue
					}
					seen[e] = true
					if p.known[e] {
						known = append(known, e)
					} else {
						next = append(next, e)
					}
				}
			}
		}
		if known != nil {
			return known
		}
		ring = next
	}
	return nil
}

// price is what readers lose with a known cell: little where they do not see it
// anyway, or did not see it last time, else its respondents in each of its sums,
// all of which need another hidden cell then.
func (g *guard) price(c int) int {
	const unlisted, unseen, seen = 0, 1, 4
	p, t := g.now(), len(g.pictures)-1
	worth := seen
	switch {
	case g.unlisted[c]:
		worth = unlisted
	case t > 0 && !g.pictures[t-1].known[c]:
		worth = unseen
	}
	return 1 + worth*size(p.counts[c])*len(p.of[c])
}

// again is how many cells to hide for a cell by guess: twice as many each time.
func (g *guard) again(c int) int {
	g.tries[c]++
	return 1 << min(g.tries[c]-1, 20)
}

// cheapest are so many cells of the lowest price, those first that have what is
// lacking. A cell that is the first hidden one of a sum will cost that sum
// another.
func (g *guard) cheapest(cells []int, l lack, n int) []int {
	p := g.now()
	type offer struct{ lacks, cost, cell int }
	var offers []offer
	for _, c := range cells {
		at := offer{cost: g.price(c), cell: c}
		if came(p.news[c], l.kind) < l.amount {
			at.lacks = 1
		}
		for _, s := range p.of[c] {
			if p.hiddenIn(s) == 0 {
				at.cost += g.price(c)
			}
		}
		offers = append(offers, at)
	}
	slices.SortFunc(offers, func(a, b offer) int {
		return cmp.Or(cmp.Compare(a.lacks, b.lacks), cmp.Compare(a.cost, b.cost), cmp.Compare(a.cell, b.cell))
	})
	var chosen []int
	offers = slices.Compact(offers)
	for _, o := range offers[:min(n, len(offers))] {
		chosen = append(chosen, o.cell)
	}
	return chosen
}
