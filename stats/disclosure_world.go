package stats

import (
	"math"
	"slices"
)

// A world is other answers that would have been published just the same. What a
// reader cannot tell from the truth is what worlds agree with, so a cell is
// safe when worlds are found that differ enough in it. They are made of the
// truth by moving people along one circuit. In every picture counts stay at or
// above 0, and no count shrinks from one picture to the next that did not
// shrink in truth: readers may know that nobody withdrew.

// lack is what is missing for a hidden cell to be safe: that it can gain (sense
// 1) or lose (-1) an amount of people with a kind of answer. The zero value is
// none.
type lack struct{ kind, sense, amount int }

// Where a kind of answer is asked for, anybody stands for people whatever they
// answered, and somebody for a person that can be had from any cells that have
// one: satisfied with every item.
const (
	anybody  = -1
	somebody = -2
)

// safe tells whether what is known up to picture last leaves a hidden cell of
// picture t open:
//   - its number of respondents can be another, with answers to every item;
//   - that of a small one, by numbers of respondents alone, can be lower, and
//     MinN-1 or more;
//   - where nobody of a small one gave an answer, somebody can have, unless
//     nobody did in a group of MinUnanimous or more around it.
//
// For a cell that was known before, this is about its growth since.
func (g *guard) safe(t, last, c int) lack {
	news := g.pictures[t].news[c]
	if !g.open(t, last, c) {
		return lack{somebody, 1, 1}
	}
	if !g.small(news) {
		return lack{}
	}
	n := size(news)
	var needs []lack
	if n > 0 && n < g.rules.MinN {
		needs = append(needs, lack{anybody, -1, 1})
	}
	if n < g.rules.MinN-1 {
		needs = append(needs, lack{anybody, 1, g.rules.MinN - 1 - n})
	}
	if slices.Min(news) >= 0 {
		for _, kind := range g.absent(news) {
			if kind >= 0 && !g.sharesUnanimity(t, c, kind) {
				needs = append(needs, lack{kind, 1, 1})
			}
		}
	}
	for _, l := range needs {
		if !g.moves(t, last, c, l) {
			return l
		}
	}
	return lack{}
}

// open reports whether at least one person, with answers to every item, can come
// or go.
func (g *guard) open(t, last, c int) bool {
	try := func(v circuit) bool {
		d := g.newDetour(t, last, v, c)
		return d.carries(1) || d.carries(-1)
	}
	p := g.pictures[t]
	if slices.ContainsFunc(p.through[c], func(i int) bool { return try(p.circuits[i]) }) {
		return true
	}
	for _, sense := range [...]int{1, -1} {
		if v := g.way(t, c, lack{somebody, sense, 1}, nil, nil); v != nil && try(v) {
			p.remember(v)
			return true
		}
	}
	return false
}

// moves reports whether the cell can gain or lose what it needs to.
func (g *guard) moves(t, last, c int, l lack) bool { return g.find(t, last, c, l) != nil }

// find gives a circuit by which the cell gains or loses what it lacks in picture
// t, and keeps it as long as it is hidden; nil when none is found.
func (g *guard) find(t, last, c int, l lack) circuit {
	p := g.pictures[t]
	var tried []circuit
	for _, i := range p.through[c] {
		tried = append(tried, p.circuits[i])
		d := g.newDetour(t, last, p.circuits[i], c)
		if d.room(l.kind, l.sense)*d.weight >= l.amount {
			return d.circuit
		}
	}
	if v := g.way(t, c, l, nil, nil); v != nil {
		tried = append(tried, v)
		if d := g.newDetour(t, last, v, c); d.room(l.kind, l.sense)*d.weight >= l.amount {
			p.remember(v)
			return v
		}
	}
	// The cell itself may have gained or lost them before, by another way.
	before := g.findBefore(t-1, c, l)
	if before == nil {
		return nil
	}
	if v := g.way(t, c, l, before, nil); v != nil {
		tried = append(tried, v)
	}
	for _, v := range tried {
		d := g.newDetour(t, last, v, c)
		if d.weight == 1 && g.relieves(t, c, l, v, before) && d.returns(l.kind, l.sense*d.forward) >= l.amount {
			return v
		}
	}
	return nil
}

// way is a detour through cells that have what the cell lacks. What took another
// way until the picture before can be had from the same cells again. With prices
// it may pass known cells.
func (g *guard) way(t, c int, l lack, before circuit, price func(int) int) circuit {
	p := g.pictures[t]
	var had map[int]int
	if before != nil {
		had = map[int]int{}
	}
	for _, s := range before {
		had[s.cell] = s.by
	}
	if had[c] == -l.sense {
		for d := range had {
			had[d] = -had[d]
		}
	}
	return p.detour(c, l.sense, before == nil && price == nil, func(d, by int) (int, bool) {
		again := by*had[d] > 0
		switch {
		case p.known[d] && price == nil, by < 0 && !again && came(p.more[d], l.kind) < l.amount:
			return 0, false
		case p.known[d]:
			return price(d), true
		case again:
			return 0, true
		}
		return 1, true
	})
}

// question is one that find was asked about an earlier picture.
type question struct {
	t, c int
	l    lack
}

// findBefore is find as of picture t itself, which later ones do not change;
// nil too where the cell is not hidden.
func (g *guard) findBefore(t, c int, l lack) circuit {
	if t < 0 || g.pictures[t].counts[c] == nil || g.pictures[t].known[c] {
		return nil
	}
	q := question{t, c, l}
	v, known := g.found[q]
	if !known {
		if v = g.find(t, t, c, l); v != nil && g.newDetour(t, t, v, c).weight != 1 {
			v = nil
		}
		g.found[q] = v
	}
	return v
}

// relieves reports whether in picture t the way by which the cell had its change
// can be left for another: the change of the cell stays, those of the others go
// back and new ones come.
func (g *guard) relieves(t, c int, l lack, v, before circuit) bool {
	change := map[int]int{}
	add := func(v circuit, sense int) {
		for _, s := range v {
			if s.cell == c && s.by < 0 {
				sense = -sense
			}
		}
		for _, s := range v {
			change[s.cell] += sense * s.by * l.sense * l.amount
		}
	}
	add(v, 1)
	add(before, -1)
	for cell, by := range change {
		if more := g.pictures[t].more[cell]; by < 0 && (more == nil || came(more, l.kind) < -by) {
			return false
		}
	}
	return true
}

// sharesUnanimity reports whether nobody gave this kind of answer in all that is
// hidden of a sum, of enough people that this may be known.
func (g *guard) sharesUnanimity(t, c, kind int) bool {
	p := g.pictures[t]
	for _, s := range p.of[c] {
		whole, parts := p.sums[s][0], p.sums[s][1:]
		if !p.known[whole] {
			continue // what is hidden of the sum is not known as one then
		}
		n, gave := 0, 0
		for _, d := range parts {
			if !p.known[d] {
				news := p.news[d]
				n += size(news)
				gave += max(0, news[kind])
			}
		}
		if gave == 0 && n >= g.rules.MinUnanimous {
			return true
		}
	}
	return false
}

// detour is a circuit seen from one of its cells.
type detour struct {
	g       *guard
	circuit circuit
	forward int // the direction in which the cell gains
	weight  int // how much the cell gains by one move
	// Moves are made in the pictures first to t, last as long as all cells of
	// the circuit are hidden, and are taken back by picture back; -1 never.
	first, t, back int
}

func (g *guard) newDetour(t, last int, v circuit, c int) detour {
	d := detour{g: g, circuit: v, first: t, t: t, back: -1}
	for _, s := range v {
		if s.cell == c {
			d.forward, d.weight = 1, s.by
			if s.by < 0 {
				d.forward, d.weight = -1, -s.by
			}
		}
	}
	for d.first > 0 && g.pictures[d.first].same && g.hides(d.first-1, v) {
		d.first--
	}
	for after := t + 1; after <= last; after++ {
		if !g.pictures[after].same || !g.hides(after, v) {
			d.back = after
			break
		}
	}
	return d
}

// hides reports whether every cell of the circuit is hidden in picture t.
func (g *guard) hides(t int, v circuit) bool {
	p := g.pictures[t]
	return !slices.ContainsFunc(v, func(s step) bool { return p.known[s.cell] || p.counts[s.cell] == nil })
}

// plenty stands for no limit; a sum of many does not overflow.
const plenty = math.MaxInt32

// limit is how many moves in a direction the people who came in picture t, with
// this kind of answer, are enough for.
func (d *detour) limit(t, kind, direction int) int {
	n := plenty
	for _, s := range d.circuit {
		if by := s.by * direction; by < 0 {
			n = min(n, came(d.g.pictures[t].more[s.cell], kind)/-by)
		}
	}
	return n
}

// returns is how many moves with this kind of answer can be taken back, by those
// who came after t.
func (d *detour) returns(kind, direction int) int {
	if d.back < 0 {
		return plenty
	}
	n := 0
	for t := d.t + 1; t <= d.back; t++ {
		n += d.limit(t, kind, -direction)
	}
	return n
}

func came(counts []int, kind int) int {
	switch kind {
	case anybody:
		return size(counts)
	case somebody:
		n := size(counts)
		for item := 0; item < len(counts) && len(counts) > kindsPerItem; item += kindsPerItem {
			n = min(n, counts[item])
		}
		return n
	}
	return counts[kind]
}

// room is how many moves there can be of one kind of answer.
func (d *detour) room(kind, sense int) int {
	n := 0
	for t := d.first; t <= d.t; t++ {
		n += d.limit(t, kind, sense*d.forward)
	}
	return min(n, d.returns(kind, sense*d.forward))
}

// carries reports whether one person can move, and come back, with answers to
// every item that the others on the way gave too.
func (d *detour) carries(sense int) bool {
	direction := sense * d.forward
	with := func(kind, t, back int) bool {
		return d.limit(t, kind, direction) > 0 && (back < 0 || d.limit(back, kind, -direction) > 0)
	}
	whole := func(t, back int) bool {
		for item := range d.g.groups {
			kind := item * kindsPerItem
			if !with(kind, t, back) && !with(kind+1, t, back) && !with(kind+2, t, back) {
				return false
			}
		}
		return true
	}
	for t := d.first; t <= d.t; t++ {
		if d.back < 0 && whole(t, -1) {
			return true
		}
		for back := d.t + 1; back <= d.back; back++ {
			if whole(t, back) {
				return true
			}
		}
	}
	return false
}
