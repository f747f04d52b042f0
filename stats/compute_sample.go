package stats

import "math"

// lanes is into how many stretches of PSUs a scan is cut. It is fixed, so that
// partial sums are the same whatever the number of processors.
const lanes = 16

// keyRange is a range of PSU keys, both ends included.
type keyRange struct{ first, last uint64 }

// cutLanes cuts the rows into at most lanes ranges of whole PSUs with about the
// same number of rows. It looks at the rows only, not at how they lie in
// blocks.
func cutLanes(blocks []*Rows) []keyRange {
	total := 0
	for _, r := range blocks {
		total += r.Len()
	}
	if total == 0 {
		return nil
	}
	out := make([]keyRange, 0, lanes)
	first, seen := uint64(0), 0
	walk(blocks, 0, math.MaxUint64, func(key uint64, runs []run) {
		if key > 0 && seen*lanes >= total*(len(out)+1) {
			out = append(out, keyRange{first, key - 1})
			first = key
		}
		for _, r := range runs {
			seen += r.to - r.from
		}
	})
	return append(out, keyRange{first, math.MaxUint64})
}

// roundSample is what the whole round's counted rows decide before any domain:
// weights and strata.
type roundSample struct {
	cellAnswers []int // counted rows by cell of the plan
	stratumPSUs []int // PSUs with a counted row by stratum of the plan
	minWeight   float64
	maxWeight   float64 // of counted rows; 0 without weights
}

// takeSample scans the place column (and the weights).
func takeSample(plan *Plan, blocks []*Rows, ranges []keyRange) roundSample {
	cells := make([]int32, len(plan.Places)) // −1 not counted; else the cell, or 0
	for i, pl := range plan.Places {
		switch {
		case !pl.Counted:
			cells[i] = -1
		case plan.Design == Visitors:
			cells[i] = pl.Cell
		}
	}
	newSample := func() roundSample {
		return roundSample{cellAnswers: make([]int, max(1, len(plan.Cells))), stratumPSUs: make([]int, len(plan.Strata)), minWeight: math.Inf(1)}
	}
	parts := make([]roundSample, len(ranges))
	parallel(len(ranges), func() struct{} { return struct{}{} }, func(_ struct{}, lane int) {
		s := newSample()
		walk(blocks, ranges[lane].first, ranges[lane].last, func(key uint64, runs []run) {
			counted := 0
			for _, r := range runs {
				for _, p := range r.rows.place[r.from:r.to] {
					if c := cells[p]; c >= 0 {
						s.cellAnswers[c]++
						counted++
					}
				}
				if r.rows.weighted {
					for i := r.from; i < r.to; i++ {
						if cells[r.rows.place[i]] >= 0 {
							s.minWeight = min(s.minWeight, r.rows.weight[i])
							s.maxWeight = max(s.maxWeight, r.rows.weight[i])
						}
					}
				}
			}
			if counted > 0 {
				s.stratumPSUs[key>>32]++
			}
		})
		parts[lane] = s
	})
	out := newSample()
	for _, s := range parts {
		for i, n := range s.cellAnswers {
			out.cellAnswers[i] += n
		}
		for i, n := range s.stratumPSUs {
			out.stratumPSUs[i] += n
		}
		out.minWeight, out.maxWeight = min(out.minWeight, s.minWeight), max(out.maxWeight, s.maxWeight)
	}
	return out
}

// stratum is a stratum as the variance takes it: one of the plan's, or several
// merged ones.
type stratum struct {
	parts  []int32 // strata of the plan
	psus   int     // n_h: PSUs with a counted row
	of     float64 // N_h, 0 with replacement
	lonely bool    // one PSU of several
	drawn  bool
}

// designStrata gives the strata that have counted rows. Visitors: desks with
// one desk-day are pooled inside their unit; a pool that still has one PSU
// joins the unit's desk with the fewest days (ties: the smaller number). Drawn
// strata stay as they were drawn.
func designStrata(plan *Plan, psus []int) []stratum {
	var out []stratum
	single := map[int32]*stratum{} // by unit: its pool of desks with one day
	var units []int32
	for h, n := range psus {
		unit := plan.Strata[h].Unit
		switch {
		case n == 0:
		case plan.Design == Visitors && n == 1:
			pool := single[unit]
			if pool == nil {
				pool = &stratum{}
				single[unit] = pool
				units = append(units, unit)
			}
			pool.parts = append(pool.parts, int32(h))
			pool.psus++
		default:
			s := stratum{parts: []int32{int32(h)}, psus: n, drawn: plan.Design == Drawn}
			if s.drawn {
				s.of = plan.Strata[h].PSUs
				s.lonely = n == 1 && s.of != 1
			}
			out = append(out, s)
		}
	}
	for _, unit := range units {
		pool := single[unit]
		if pool.psus == 1 {
			if host := smallestOfUnit(plan, out, unit); host != nil {
				host.parts = append(host.parts, pool.parts...)
				host.psus++
				continue
			}
			pool.lonely = true
		}
		out = append(out, *pool)
	}
	return out
}

// smallestOfUnit is the stratum of the unit with the fewest PSUs, or nil.
func smallestOfUnit(plan *Plan, strata []stratum, unit int32) *stratum {
	var best *stratum
	for i := range strata {
		s := &strata[i]
		if plan.Strata[s.parts[0]].Unit == unit && (best == nil || s.psus < best.psus) {
			best = s
		}
	}
	return best
}
