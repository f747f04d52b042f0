package stats

// drawnRow is the memory for one row of a drawn round.
type drawnRow struct {
	bits  counts
	value []float64 // by layout
}

func newDrawnRow(l *layout) drawnRow {
	return drawnRow{bits: newCounts(l), value: make([]float64, l.size)}
}

// drawnState is what the scan keeps of one domain of a drawn round beside its
// PSU totals. Index 0 is weighted, 1 is with weight 1.
type drawnState struct{ sets [2]drawnSet }

type drawnSet struct {
	total []float64 // of the PSU in hand, by layout
	// Of the PSU in hand: the first row's z, and Σ (z−pivot) and its squares
	// over the rows of the domain (see stratumSums).
	pivot, sum, squares []float64

	second []float64 // second-stage variance of the stratum in hand
	sq     []float64 // Σ w·u² of the stratum in hand
	seen   bool      // a row in the stratum in hand
	// miscounted: a PSU of the stratum in hand has more rows than its
	// population.
	miscounted bool
}

func newDrawnState(l *layout) *drawnState {
	s := &drawnState{}
	for i := range s.sets {
		s.sets[i] = drawnSet{total: make([]float64, l.size), pivot: make([]float64, l.size), sum: make([]float64, l.size),
			squares: make([]float64, l.size), second: make([]float64, l.size), sq: make([]float64, l.size)}
	}
	return s
}

// drawnPSU takes one primary sampling unit of a draw, row by row: weights
// differ by row, and the second stage needs the variance between rows.
func (v *varianceScan) drawnPSU(key uint64, runs []run, h *stratum) {
	size := 0 // m_hi: counted rows, whether in a domain or not
	for _, r := range runs {
		v.classes = v.classer.classify(v.classes, r, nil)
		for i, c := range v.classes {
			if c < 0 {
				continue
			}
			size++
			if d := v.classer.list[c].domain; d >= 0 {
				weight := 1.0
				if r.rows.weighted {
					weight = r.rows.weight[r.from+i]
				}
				v.readRow(r.rows, r.from+i)
				for _, d := range domainsOf(d) {
					v.addDrawnRow(v.meet(d), &v.domains[d], weight)
				}
			}
		}
	}
	for _, d := range v.inPSU {
		st := v.state[d]
		for i, sums := range []*stratumSums{st.weighted, st.plain} {
			set := &st.drawn.sets[i]
			sums.add(set.total, st.own.plain.answered[:v.plan.Items])
			v.secondStage(set, key, st.own.rows, size, h)
		}
	}
}

// readRow spreads the bits of a row.
func (v *varianceScan) readRow(rows *Rows, i int) {
	codes := rows.codes[i*rows.stride : (i+1)*rows.stride]
	for k := range v.plan.Items {
		bits := codes[k/2] >> (4 * (k % 2)) & 15
		v.bits.answered[k] = float64(bits >> 3)
		v.bits.satisfied[k] = float64(bits >> 2 & 1)
	}
	v.bits.pool(v.layout)
}

// addDrawnRow adds the row in hand to a domain.
func (v *varianceScan) addDrawnRow(st *domainState, dom *domain, weight float64) {
	if st.own.rows == 0 {
		clear(st.own.plain.answered)
		for i := range st.drawn.sets {
			clear(st.drawn.sets[i].total)
			clear(st.drawn.sets[i].sum)
			clear(st.drawn.sets[i].squares)
		}
	}
	st.own.rows++
	for k, a := range v.bits.answered {
		st.own.plain.answered[k] += a
	}
	for i, lin := range []*linear{dom.weighted, dom.plain} {
		w := weight
		if i == 1 {
			w = 1
		}
		set := &st.drawn.sets[i]
		if !set.seen {
			set.seen, set.miscounted = true, false
			clear(set.second)
			clear(set.sq)
		}
		lin.totals(v.value, &v.bits)
		for j, u := range v.value {
			z := w * u
			if st.own.rows == 1 {
				set.pivot[j] = z
			}
			d := z - set.pivot[j]
			set.total[j] += z
			set.sum[j] += d
			set.squares[j] += d * d
			set.sq[j] += z * u
		}
	}
}

// secondStage adds (n_h/N_h)·(1−m/M)·m/(m−1)·Σ(z−z̄)² of the PSU in hand, where
// both populations are known: rows of its size counted rows are in the domain,
// the others have z = 0. A PSU with one row of several counts its square
// around 0, which is not less than it should be.
func (v *varianceScan) secondStage(set *drawnSet, key uint64, rows, size int, h *stratum) {
	population := v.plan.PSUSize[key]
	m := float64(size)
	if h.of == 0 || population == 0 || m >= population {
		set.miscounted = set.miscounted || h.of > 0 && population > 0 && m > population
		return
	}
	factor := min(1, float64(h.psus)/h.of) * (1 - m/population)
	zeros := float64(size - rows)
	for j, pivot := range set.pivot {
		if size == 1 {
			set.second[j] += factor * pivot * pivot
			continue
		}
		sum := set.sum[j] - zeros*pivot
		squares := set.squares[j] + zeros*pivot*pivot
		set.second[j] += factor * m / (m - 1) * max(0, squares-sum*sum/m)
	}
}

// closeInto ends a stratum.
func (s *drawnState) closeInto(out *spreads) {
	for i, dst := range []*spread{out.weighted, out.plain} {
		set := &s.sets[i]
		if !set.seen {
			continue
		}
		set.seen = false
		dst.miscounted = dst.miscounted || set.miscounted
		for j := range set.second {
			dst.variance[j] += set.second[j]
			dst.squares[j] += set.sq[j]
		}
	}
}
