package stats

import (
	"cmp"
	"math"
	"slices"
)

// class is what a counted row's place, person and day come to: its weight cell
// and its domain. Rows of one class are alike but for their answers.
type class struct {
	cell   int32 // merged weight cell (Visitors), else 0
	domain int32 // 1+group; 0 in the total only; -1 outside every domain
	weight float64
	// What is taken off its rows as expected (expectations): the mean with this
	// number, so many times.
	mean  int32
	times float64
}

// classer gives rows their class. A class is a base that the place decides
// plus a part that person and day decide.
type classer struct {
	list  []class
	place []int32 // place → base, -1 not counted
	// person → part, nil where persons do not matter.
	person []int32
	// Days outside [from, to] are outside the domain; dayPart[d-dayBase] is
	// the part of the others under ByDay.
	days     bool
	from, to uint16
	byDay    bool
	dayBase  uint16
	dayPart  []int32
	out      int32 // part of rows outside the limits of person and day
}

func newClasser(plan *Plan, weights *cellWeights) *classer {
	c := &classer{place: make([]int32, len(plan.Places)), to: math.MaxUint16}
	if plan.Days != nil {
		c.from, c.to = plan.Days.From, plan.Days.To
	}
	groups := 0
	if plan.By == ByPerson || plan.By == ByDay {
		groups = plan.Groups
	}
	c.out = int32(1 + groups)
	parts := c.out + 1

	c.setPersons(plan)
	c.byDay = plan.By == ByDay
	c.days = c.byDay || plan.Days != nil
	if c.byDay {
		c.dayBase = plan.DayBase
		c.dayPart = make([]int32, len(plan.DayGroup))
		for i, g := range plan.DayGroup {
			c.dayPart[i] = g + 1
		}
	}

	type base struct {
		cell, group int32
		in          bool
	}
	bases := make([]base, 0, len(plan.Places)) // of counted places
	baseOf := make([]base, len(plan.Places))
	for i, pl := range plan.Places {
		if !pl.Counted {
			continue
		}
		b := base{group: -1, in: pl.In}
		if plan.Design == Visitors {
			b.cell = weights.of[pl.Cell]
		}
		if plan.By == ByPlace && pl.In {
			b.group = pl.Group
		}
		bases, baseOf[i] = append(bases, b), b
	}
	// In the order of what they are, not of the numbers of places, which tell who
	// answered first: sums of weights are taken in the order of classes.
	slices.SortFunc(bases, func(a, b base) int {
		in := 0
		if a.in != b.in {
			in = 1
			if b.in {
				in = -1
			}
		}
		return cmp.Or(cmp.Compare(a.cell, b.cell), cmp.Compare(a.group, b.group), in)
	})
	seen := map[base]int32{}
	for _, b := range slices.Compact(bases) {
		seen[b] = int32(len(c.list))
		for part := range parts {
			cl := class{cell: b.cell, domain: -1, weight: 1}
			if plan.Design == Visitors {
				cl.weight = weights.cells[b.cell].Weight
				cl.mean, cl.times = weights.expected(b.cell)
			}
			switch {
			case !b.in || part == c.out:
			case plan.By == ByPlace:
				cl.domain = b.group + 1
			default:
				cl.domain = part
			}
			c.list = append(c.list, cl)
		}
	}
	for i, pl := range plan.Places {
		c.place[i] = -1
		if pl.Counted {
			c.place[i] = seen[baseOf[i]]
		}
	}
	return c
}

// setPersons fills the table of persons where they decide anything.
func (c *classer) setPersons(plan *Plan) {
	matter := plan.By == ByPerson
	for _, p := range plan.Persons {
		matter = matter || !p.In
	}
	if !matter {
		return
	}
	c.person = make([]int32, len(plan.Persons))
	for i, p := range plan.Persons {
		switch {
		case !p.In:
			c.person[i] = c.out
		case plan.By == ByPerson:
			c.person[i] = p.Group + 1
		}
	}
}

// classify gives the class of each row of a run, -1 where it is not counted.
// Where placeRows is not nil, it counts there, by place, the rows inside the
// limits of person and day. dst is used again if it is large enough.
func (c *classer) classify(dst []int32, r run, placeRows []uint32) []int32 {
	n := r.to - r.from
	if cap(dst) < n {
		dst = make([]int32, n+n/2)
	}
	dst = dst[:n]
	places := r.rows.place[r.from:r.to]
	if c.person == nil && !c.days {
		for i, p := range places {
			dst[i] = c.place[p]
		}
		if placeRows != nil {
			for _, p := range places {
				placeRows[p]++
			}
		}
		return dst
	}
	persons, days := r.rows.person[r.from:r.to], r.rows.day[r.from:r.to]
	for i, p := range places {
		part := int32(0)
		if c.person != nil {
			part = c.person[persons[i]]
		}
		if c.days && part != c.out {
			switch d := days[i]; {
			case d < c.from || d > c.to:
				part = c.out
			case c.byDay:
				if j := int(d) - int(c.dayBase); j >= 0 && j < len(c.dayPart) {
					part = c.dayPart[j]
				}
			}
		}
		if placeRows != nil && part != c.out {
			placeRows[p]++
		}
		if dst[i] = c.place[p]; dst[i] >= 0 {
			dst[i] += part
		}
	}
	return dst
}
