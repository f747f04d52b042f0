package stats

import (
	"cmp"
	"math"
	"slices"
)

// circuit is a change of hidden cells that leaves every sum true and every known
// cell as it is: so many people more in some, fewer in others.
type circuit []step

type step struct{ cell, by int }

// prime is the modulus of the elimination. A vector that solves the equations
// modulo it, with entries small enough, solves them.
const prime = 1<<31 - 1

// entry is a coefficient of an equation; at is the rank of its cell.
type entry struct {
	at int
	of uint64
}

// findCircuits solves the picture's sums for its hidden cells. Large cells are
// solved for first, so that every small cell that can be free is: its circuit
// then has larger ones only, which have room for its people.
func (p *picture) findCircuits() {
	var hidden []int
	for c := range p.counts {
		if !p.known[c] && p.counts[c] != nil {
			hidden = append(hidden, c)
		}
	}
	slices.SortStableFunc(hidden, func(a, b int) int { return cmp.Compare(size(p.counts[b]), size(p.counts[a])) })
	rank := make([]int, len(p.counts))
	for i, c := range hidden {
		rank[c] = i
	}
	solved := make([][]entry, len(hidden)) // by rank of the cell solved for
	for _, sum := range p.sums {
		var row []entry
		for i, c := range sum {
			if !p.known[c] {
				of := uint64(1)
				if i > 0 {
					of = prime - 1
				}
				row = append(row, entry{rank[c], of})
			}
		}
		slices.SortFunc(row, func(a, b entry) int { return cmp.Compare(a.at, b.at) })
		for len(row) > 0 && solved[row[0].at] != nil {
			row = minus(row, solved[row[0].at], row[0].of)
		}
		if len(row) > 0 {
			by := inverse(row[0].of)
			for i := range row {
				row[i].of = row[i].of * by % prime
			}
			solved[row[0].at] = row
		}
	}
	for at := len(hidden) - 1; at >= 0; at-- {
		for i := 1; i < len(solved[at]); {
			e := solved[at][i]
			if solved[e.at] == nil {
				i++
				continue
			}
			solved[at] = minus(solved[at], solved[e.at], e.of) // later ones only change
		}
	}
	p.keep(hidden, solved)
}

// keep makes a circuit of each cell that the sums leave free.
func (p *picture) keep(hidden []int, solved [][]entry) {
	free := make([]circuit, len(hidden))
	largest := make([]int, len(hidden))
	for at, c := range hidden {
		if solved[at] == nil {
			free[at] = append(free[at], step{c, 1})
			largest[at] = max(largest[at], 1)
			continue
		}
		for _, e := range solved[at][1:] {
			by := -int(e.of)
			if e.of > prime/2 {
				by = int(prime - e.of)
			}
			free[e.at] = append(free[e.at], step{c, by})
			largest[e.at] = max(largest[e.at], by, -by)
		}
	}
	p.circuits, p.through = nil, make([][]int, len(p.counts))
	for at, v := range free {
		if v == nil || largest[at]*len(v) >= prime {
			continue
		}
		for _, s := range v {
			p.through[s.cell] = append(p.through[s.cell], len(p.circuits))
		}
		p.circuits = append(p.circuits, v)
	}
}

// minus is a − by·b, both sorted by rank.
func minus(a, b []entry, by uint64) []entry {
	out := make([]entry, 0, len(a)+len(b))
	by = prime - by
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].at < b[0].at:
			out = append(out, a[0])
			a = a[1:]
		case len(a) == 0 || b[0].at < a[0].at:
			out = append(out, entry{b[0].at, b[0].of * by % prime})
			b = b[1:]
		default:
			if of := (a[0].of + b[0].of*by) % prime; of != 0 {
				out = append(out, entry{a[0].at, of})
			}
			a, b = a[1:], b[1:]
		}
	}
	return out
}

// inverse is x^(prime-2), by Fermat.
func inverse(x uint64) uint64 {
	out := uint64(1)
	for e := prime - 2; e > 0; e >>= 1 {
		if e&1 == 1 {
			out = out * x % prime
		}
		x = x * x % prime
	}
	return out
}

// detour looks for the cheapest circuit on which a cell gains (sense 1) or loses
// (-1). It goes from sum to sum: what a cell upsets in one the next cell puts
// right, which upsets its other sum. The toll says what it costs that a cell
// gains or loses, and whether it may; with the same toll for all the first
// circuit found is good enough. It passes no cell of three sums and more, so it
// can miss circuits: nil is no proof that there is none.
func (p *picture) detour(c, sense int, same bool, toll func(cell, by int) (int, bool)) circuit {
	if n := len(p.of[c]); n == 0 || n > 2 {
		return nil
	}
	sign := func(cell, sum int) int {
		if p.sums[sum][0] == cell {
			return -1
		}
		return 1
	}
	// A place is a sum and which way it is upset; outside of all sums, place 0,
	// nothing is.
	place := func(sum, by int) int { return 2*sum + 2 + (by+1)/2 }
	origin, goal := place(p.of[c][0], sense*sign(c, p.of[c][0])), 0
	if len(p.of[c]) == 2 {
		goal = place(p.of[c][1], -sense*sign(c, p.of[c][1]))
	}
	const unreached = math.MaxInt
	type arrival struct {
		from, cost int
		by         step
	}
	reached := make([]arrival, 2*len(p.sums)+2)
	for i := range reached {
		reached[i].cost = unreached
	}
	reached[origin].cost = 0
search:
	for queue := []int{origin}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		sum, upset := at/2-1, at%2*2-1
		for _, d := range p.sums[sum] {
			if d == c || len(p.of[d]) > 2 {
				continue
			}
			by := -upset * sign(d, sum)
			cost, ok := toll(d, by)
			if cost += reached[at].cost; !ok || cost >= reached[goal].cost {
				continue
			}
			to := 0
			for _, s := range p.of[d] {
				if s != sum {
					to = place(s, by*sign(d, s))
				}
			}
			if to == origin || reached[to].cost <= cost {
				continue
			}
			reached[to] = arrival{at, cost, step{d, by}}
			if to == goal && same {
				break search
			}
			if to != 0 && to != goal {
				queue = append(queue, to)
			}
		}
	}
	if reached[goal].cost == unreached {
		return nil
	}
	v := circuit{{c, sense}}
	for at := goal; at != origin; at = reached[at].from {
		v = append(v, reached[at].by)
	}
	if !p.closed(v) {
		return nil
	}
	return v
}

// closed reports whether the circuit passes no cell twice and leaves every sum
// true.
func (p *picture) closed(v circuit) bool {
	change, seen := map[int]int{}, map[int]bool{}
	for _, s := range v {
		if seen[s.cell] {
			return false
		}
		seen[s.cell] = true
		for _, at := range p.of[s.cell] {
			if p.sums[at][0] == s.cell {
				change[at] -= s.by
			} else {
				change[at] += s.by
			}
		}
	}
	for _, n := range change {
		if n != 0 {
			return false
		}
	}
	return true
}
