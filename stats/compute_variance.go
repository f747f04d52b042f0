package stats

import "slices"

// spread is a domain's variance with one set of weights, by layout, and the
// PSUs and strata that contain it.
type spread struct {
	variance   []float64
	squares    []float64 // Drawn: Σ w·u² over rows, by layout
	psus       []int32   // by item: PSUs with a row that has a level
	strata     []int32
	domainPSUs int32 // with a row
	domainIn   int32 // strata with a row
	lonely     bool  // has rows in a stratum whose variance is not known
	miscounted bool  // Drawn: has rows where more was drawn than there is
}

func newSpread(l *layout) *spread {
	return &spread{variance: make([]float64, l.size), squares: make([]float64, l.size),
		psus: make([]int32, l.items), strata: make([]int32, l.items)}
}

func (s *spread) add(u *spread) {
	for j := range s.variance {
		s.variance[j] += u.variance[j]
		s.squares[j] += u.squares[j]
	}
	for k := range s.psus {
		s.psus[k] += u.psus[k]
		s.strata[k] += u.strata[k]
	}
	s.domainPSUs += u.domainPSUs
	s.domainIn += u.domainIn
	s.lonely = s.lonely || u.lonely
	s.miscounted = s.miscounted || u.miscounted
}

// spreads are one domain's, nil where nothing of it was seen.
type spreads struct{ weighted, plain *spread }

// stratumSums gathers one domain's PSU totals in one stratum. Totals are taken
// less those of the first PSU (the pivot), which keeps the digits of a
// variance that is small beside the mean, and gives exactly 0 for equal totals.
type stratumSums struct {
	pivot, sum, squares []float64
	seen                int32   // PSUs whose total was added; the others' is 0
	psus                []int32 // of those, by item: with a row that has a level
	domainPSUs          int32
}

func newStratumSums(l *layout) *stratumSums {
	return &stratumSums{pivot: make([]float64, l.size), sum: make([]float64, l.size), squares: make([]float64, l.size),
		psus: make([]int32, l.items)}
}

// reset forgets the last stratum.
func (s *stratumSums) reset() {
	s.seen, s.domainPSUs = 0, 0
	clear(s.psus)
}

// add takes the total of one PSU and the answered counts behind it (nil: no
// row of the domain).
func (s *stratumSums) add(total, answered []float64) {
	s.seen++
	if answered != nil {
		s.domainPSUs++
		psus := s.psus[:len(answered)]
		for k, a := range answered {
			if a > 0 {
				psus[k]++
			}
		}
	}
	if s.seen == 1 {
		copy(s.pivot, total)
		clear(s.sum)
		clear(s.squares)
		return
	}
	pivot, sum, squares := s.pivot[:len(total)], s.sum[:len(total)], s.squares[:len(total)]
	for j, t := range total {
		d := t - pivot[j]
		sum[j] += d
		squares[j] += d * d
	}
}

// close adds the stratum's first-stage variance to out.
func (s *stratumSums) close(h *stratum, out *spread) {
	for k, n := range s.psus {
		out.psus[k] += n
		if n > 0 {
			out.strata[k]++
		}
	}
	out.domainPSUs += s.domainPSUs
	if s.domainPSUs > 0 {
		out.domainIn++
		out.lonely = out.lonely || h.lonely && h.drawn
		out.miscounted = out.miscounted || h.drawn && h.of > 0 && float64(h.psus) > h.of
	}
	n := float64(h.psus)
	if h.psus == 1 {
		if h.lonely {
			for j, t := range s.pivot {
				out.variance[j] += t * t // around 0, the mean of all linearised values
			}
		}
		return
	}
	factor := n / (n - 1)
	if h.of > 0 {
		factor *= max(0, 1-n/h.of)
	}
	zeros := n - float64(s.seen)
	for j, pivot := range s.pivot {
		sum := s.sum[j] - zeros*pivot
		squares := s.squares[j] + zeros*pivot*pivot
		out.variance[j] += factor * max(0, squares-sum*sum/n)
	}
}

// chunks is into how many stretches of strata the second scan is cut; fixed
// like lanes.
const chunks = 32

// scanVariance makes the second scan: PSU totals of linearised values, and
// their variance between the PSUs of each stratum.
func scanVariance(plan *Plan, blocks []*Rows, l *layout, cl *classer, strata []stratum, domains []domain, expected []expectations, fits *marginFits) []spreads {
	cuts := cutStrata(strata, chunks)
	var elsewhere []marginStratum
	if fits != nil {
		elsewhere = make([]marginStratum, len(strata))
	}
	parts := make([]map[int32]*spreads, len(cuts)-1)
	parallel(len(parts), func() *varianceScan {
		return newVarianceScan(plan, l, cl, domains, expected, fits)
	}, func(v *varianceScan, i int) {
		v.out = map[int32]*spreads{}
		for h := cuts[i]; h < cuts[i+1]; h++ {
			v.stratum(blocks, &strata[h])
			if fits != nil {
				elsewhere[h] = marginStratum{slices.Clone(v.active), squareOfShifts(v.shifts, fits.rank, &strata[h])}
			}
		}
		parts[i] = v.out
	})
	out := make([]spreads, len(domains))
	for d := range out {
		for _, part := range parts {
			p := part[int32(d)]
			if p == nil {
				continue
			}
			addSpread(&out[d].weighted, p.weighted)
			addSpread(&out[d].plain, p.plain)
		}
	}
	if fits != nil {
		fits.addElsewhere(out, elsewhere)
	}
	return out
}

func addSpread(dst **spread, src *spread) {
	switch {
	case src == nil:
	case *dst == nil:
		*dst = src
	default:
		(*dst).add(src)
	}
}

// cutStrata cuts the strata into at most n stretches with about the same number
// of PSUs and gives the ends.
func cutStrata(strata []stratum, n int) []int {
	total := 0
	for _, h := range strata {
		total += h.psus
	}
	cuts, seen := []int{0}, 0
	for i, h := range strata {
		seen += h.psus
		if seen*n >= total*len(cuts) {
			cuts = append(cuts, i+1)
		}
	}
	return cuts
}
