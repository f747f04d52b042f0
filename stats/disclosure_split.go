package stats

import (
	"cmp"
	"slices"
)

// guardedSplit is one way to split a cell. Its parts are decided together and
// apart from all other splits: nothing that the tree shows links them but their
// whole, which readers know.
//
// Readers can add and subtract. What they find of a split is the growth of some
// parts, each from one of the pictures in which it was known to another, or from
// or to a picture in which only the sum of those not renewed is known. The rules
// of safe and lost keep each such group at enough people.
type guardedSplit struct {
	guard *guard
	whole *guardedCell
	name  string
	parts []*guardedCell
	sums  []*DisclosedSum
}

// choose decides which parts to renew: at first those that may be shown when
// looked at alone; then fewer until no group of too few follows.
func (s *guardedSplit) choose() {
	for _, c := range s.parts {
		c.known = s.guard.renewable(c)
	}
	for {
		open := s.open()
		if len(open) == len(s.parts) {
			return // readers learn the whole, and nothing of its parts
		}
		if !s.safe(open) {
			if c := s.complement(open); c != nil {
				c.known = false
			} else {
				for _, c := range s.parts {
					c.known = false
				}
			}
			continue
		}
		sum := s.lost()
		if sum == nil {
			return
		}
		cheapest := slices.MinFunc(sum.Cells, func(a, b string) int { return s.compare(s.guard.index[a], s.guard.index[b]) })
		s.guard.index[cheapest].known = false
	}
}

// open are the parts that are not renewed.
func (s *guardedSplit) open() []*guardedCell {
	var open []*guardedCell
	for _, c := range s.parts {
		if !c.known {
			open = append(open, c)
		}
	}
	return open
}

// step is by how much parts have grown together since their whole was known.
func (s *guardedSplit) step(parts []*guardedCell) heads {
	sum := make(heads, len(s.whole.counts))
	for _, c := range parts {
		sum = sum.plus(c.step())
	}
	return sum
}

// safe reports whether readers may know the sum of the open parts. They know it
// of earlier pictures as well, or those of its parts, so it must be enough people
// that came since the last; whatever else they subtract leaves those in. They may
// also know what follows from the whole alone, or what they knew.
func (s *guardedSplit) safe(open []*guardedCell) bool {
	if len(open) == 0 {
		return true
	}
	step, whole := s.step(open), s.whole.growth()
	return s.enough(step) || s.unchanged(step) || !whole.none() && step.less(whole).none()
}

// unchanged: nobody came to the open parts, which are those of the last time.
func (s *guardedSplit) unchanged(step heads) bool {
	return step.none() && !slices.ContainsFunc(s.parts, func(c *guardedCell) bool {
		return c.known != (c.before.Known == s.whole.before.Known)
	})
}

// enough people may be known to have come.
func (s *guardedSplit) enough(d heads) bool {
	return d.grew() && d.people() >= s.guard.rules.MinChange
}

// lost finds an earlier sum all of whose parts readers would know by now, while
// too few came to them from then until they were known; nil when there is none.
func (s *guardedSplit) lost() *DisclosedSum {
	for _, sum := range s.sums {
		since := slices.Clone(heads(sum.Since))
		all := true
		for i, id := range sum.Cells {
			c := s.guard.index[id]
			all = all && c.known
			since = since.plus(c.counts.less(sum.Then[i]))
		}
		if all && !since.none() && !s.enough(since) {
			return sum
		}
	}
	return nil
}

// complement is the renewed part to leave open, so that enough people are in the
// sum: of those that suffice the one that readers lose least with; where none
// does, that to which most came; nil where nobody came to any.
func (s *guardedSplit) complement(open []*guardedCell) *guardedCell {
	sum := s.step(open)
	var best *guardedCell
	var suffices bool
	for _, c := range s.parts {
		d := c.step()
		if !c.known || d.none() {
			continue
		}
		does := s.enough(sum.plus(d))
		switch {
		case best == nil, does && !suffices:
		case suffices && !does:
			continue
		case does && s.compare(c, best) > 0:
			continue
		case !does && cmp.Or(cmp.Compare(best.step().people(), d.people()), cmp.Compare(c.before.ID, best.before.ID)) > 0:
			continue
		}
		best, suffices = c, does
	}
	return best
}

// compare orders parts by what readers lose when they are not renewed: nothing
// with the rest, which is not shown; less with one that is shown as it was than
// with one that was never shown; less with few people.
func (s *guardedSplit) compare(a, b *guardedCell) int {
	price := func(c *guardedCell) int {
		switch {
		case c.rest:
			return 0
		case c.shown():
			return 1
		}
		return 2
	}
	return cmp.Or(cmp.Compare(price(a), price(b)), cmp.Compare(a.growth().people(), b.growth().people()), cmp.Compare(a.before.ID, b.before.ID))
}

// record notes what readers learn.
func (s *guardedSplit) record() {
	open := s.open()
	for _, sum := range s.sums {
		var cells []string
		var then [][]int
		for i, id := range sum.Cells {
			if c := s.guard.index[id]; c.known {
				sum.Since = heads(sum.Since).plus(c.counts.less(sum.Then[i]))
			} else {
				cells, then = append(cells, id), append(then, sum.Then[i])
			}
		}
		sum.Cells, sum.Then = cells, then
	}
	s.sums = slices.DeleteFunc(s.sums, func(sum *DisclosedSum) bool { return len(sum.Cells) == 0 })
	if len(open) > 0 && !s.unchanged(s.step(open)) {
		sum := &DisclosedSum{Whole: s.whole.before.ID, Split: s.name, Since: make([]int, len(s.whole.counts))}
		for _, c := range open {
			sum.Cells, sum.Then = append(sum.Cells, c.before.ID), append(sum.Then, c.counts)
		}
		s.sums = append(s.sums, sum)
	}
	for _, c := range s.parts {
		c.before.Latest = c.counts
	}
}
