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
		p.add(v)
	}
	for _, v := range p.ways {
		p.add(v)
	}
}

func (p *picture) add(v circuit) {
	for _, s := range v {
		p.through[s.cell] = append(p.through[s.cell], len(p.circuits))
	}
	p.circuits = append(p.circuits, v)
}

// remember keeps a detour for the other cells on it, and for other kinds of
// answers. Hiding more does not spoil it.
func (p *picture) remember(v circuit) {
	p.ways = append(p.ways, v)
	p.add(v)
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

// detour looks for a cheap circuit on which a cell gains (sense 1) or loses (-1).
// Whatever is upset in a sum is carried on, by cells that share sums, to where it
// puts another right, or outside of all sums. The toll says what it costs that a
// cell gains or loses, and whether it may; with the same toll for all, the first
// way found is good enough. Each way is the cheapest, all together need not be,
// and nil is no proof that there is no circuit.
func (p *picture) detour(c, sense int, same bool, toll func(cell, by int) (int, bool)) circuit {
	const longest = 100 // steps; far more than a unit's breakdowns take
	v := circuit{{c, sense}}
	upset := map[int]int{} // sum → by how much
	p.upset(upset, v[0])
	for len(upset) > 0 {
		way := p.carry(v, upset, same, toll)
		if way == nil || len(v)+len(way) > longest {
			return nil
		}
		for _, s := range way {
			p.upset(upset, s)
		}
		v = append(v, way...)
	}
	if !p.closed(v) {
		return nil
	}
	return v
}

func (p *picture) sign(cell, sum int) int {
	if p.sums[sum][0] == cell {
		return -1
	}
	return 1
}

// upset adds what a step does to its cell's sums.
func (p *picture) upset(upset map[int]int, s step) {
	for _, sum := range p.of[s.cell] {
		if upset[sum] += s.by * p.sign(s.cell, sum); upset[sum] == 0 {
			delete(upset, sum)
		}
	}
}

// arrival is how a search came to a place.
type arrival struct {
	search, from, cost int
	by                 step
}

// carry gives the cheapest steps from the first upset sum to where they put
// another right.
func (p *picture) carry(v circuit, upset map[int]int, same bool, toll func(cell, by int) (int, bool)) circuit {
	// A place is a sum and which way it is upset; outside of all sums, place 0,
	// nothing is.
	place := func(sum, by int) int { return 2*sum + 2 + (by+1)/2 }
	const unreached = math.MaxInt
	if p.reached == nil {
		p.reached = make([]arrival, 2*len(p.sums)+2)
	}
	p.search++
	reached := func(place int) *arrival {
		a := &p.reached[place]
		if a.search != p.search {
			*a = arrival{search: p.search, cost: unreached}
		}
		return a
	}
	first := len(p.sums)
	goals := map[int]bool{0: true}
	for sum, by := range upset {
		if by != 1 && by != -1 {
			return nil
		}
		first = min(first, sum)
		goals[place(sum, -by)] = true
	}
	origin := place(first, upset[first])
	delete(goals, place(first, -upset[first]))
	reached(origin).cost = 0
	goal, least := -1, unreached
search:
	for queue := []int{origin}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		sum, by := at/2-1, at%2*2-1
		for _, d := range p.sums[sum] {
			next := step{d, -by * p.sign(d, sum)}
			cost, ok := toll(d, next.by)
			if cost += reached(at).cost; !ok || cost >= least || slices.ContainsFunc(v, func(s step) bool { return s.cell == d }) {
				continue
			}
			arrive := func(to int) {
				if to == origin || reached(to).cost <= cost {
					return
				}
				*reached(to) = arrival{p.search, at, cost, next}
				if goals[to] {
					if cost < least {
						goal, least = to, cost
					}
					return
				}
				queue = append(queue, to)
			}
			if len(p.of[d]) == 1 {
				arrive(0)
			}
			for _, s := range p.of[d] {
				if s != sum {
					arrive(place(s, next.by*p.sign(d, s)))
				}
			}
			if goal >= 0 && same {
				break search
			}
		}
	}
	if goal < 0 {
		return nil
	}
	var way circuit
	for at := goal; at != origin; at = reached(at).from {
		way = append(way, reached(at).by)
	}
	return way
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
