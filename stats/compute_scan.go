package stats

// varianceScan is the memory of one goroutine of the second scan.
type varianceScan struct {
	plan     *Plan
	layout   *layout
	classer  *classer
	domains  []domain
	expected []expectations     // by class.mean
	fits     *marginFits        // nil where nothing was raked
	out      map[int32]*spreads // of the stretch of strata in hand

	classes  []int32 // of the rows of a run
	segments segments

	state  []*domainState // by domain, nil until it is met
	active []int32        // domains met in the stratum in hand, then in the last
	shifts []float64      // of the stratum: by PSU with weighted rows, the sums of their weighted axes
	inPSU  []int32        // domains met in the PSU in hand
	psu    int32          // number of the PSU in hand, from 1
	loose  psuSums        // rows of the PSU that are in no group
	cells  []cellRows     // of the PSU in hand: means that several classes share

	total []float64 // by layout
	drawnRow
}

// cellRows is the counted rows of one PSU in one weight cell, or how often they
// take off one mean.
type cellRows struct {
	cell int32
	rows float64
}

// domainState is what the scan keeps of one domain.
type domainState struct {
	inStratum       bool
	psu             int32 // last PSU that it was met in
	own             psuSums
	sums            *psuSums // own, or another domain's that has the same rows
	weighted, plain *stratumSums
	// shifts is how many of the stratum's shifts weighted has.
	shifts int
	drawn  *drawnState
}

func newVarianceScan(plan *Plan, l *layout, cl *classer, domains []domain, expected []expectations, fits *marginFits) *varianceScan {
	return &varianceScan{plan: plan, layout: l, classer: cl, domains: domains, expected: expected, fits: fits,
		segments: newSegments(plan.Items, len(cl.list)), state: make([]*domainState, len(domains)),
		loose: newPSUSums(l), total: make([]float64, l.size), drawnRow: newDrawnRow(l)}
}

// stratum scans the PSUs of one stratum and adds their variance to v.out.
func (v *varianceScan) stratum(blocks []*Rows, h *stratum) {
	v.segments.reset()
	v.active, v.shifts = v.active[:0], v.shifts[:0]
	for _, part := range h.parts {
		first := uint64(part) << 32
		walk(blocks, first, first|(1<<32-1), func(key uint64, runs []run) {
			v.psu++
			v.inPSU = v.inPSU[:0]
			if h.drawn {
				v.drawnPSU(key, runs, h)
			} else {
				v.visitorsPSU(runs)
			}
		})
	}
	for _, d := range v.active {
		st := v.state[d]
		st.inStratum = false
		if v.fits != nil {
			v.catchUp(st, d, len(v.shifts))
		}
		out := v.out[d]
		if out == nil {
			out = &spreads{}
			v.out[d] = out
		}
		closeInto(&out.weighted, st.weighted, h, v.layout)
		closeInto(&out.plain, st.plain, h, v.layout)
		if st.drawn != nil {
			st.drawn.closeInto(out)
		}
	}
}

func closeInto(dst **spread, s *stratumSums, h *stratum, l *layout) {
	if s.seen == 0 {
		return
	}
	if *dst == nil {
		*dst = newSpread(l)
	}
	s.close(h, *dst)
}

// meet gives the state of a domain that the PSU in hand concerns.
func (v *varianceScan) meet(d int32) *domainState {
	st := v.state[d]
	if st == nil {
		st = &domainState{own: newPSUSums(v.layout), weighted: newStratumSums(v.layout), plain: newStratumSums(v.layout)}
		if v.plan.Design == Drawn {
			st.drawn = newDrawnState(v.layout)
		}
		v.state[d] = st
	}
	if !st.inStratum {
		st.inStratum = true
		st.weighted.reset()
		st.plain.reset()
		st.shifts = 0
		v.active = append(v.active, d)
	}
	if st.psu != v.psu {
		st.psu = v.psu
		st.own.reset()
		st.sums = &st.own
		v.inPSU = append(v.inPSU, d)
	}
	return st
}

// visitorsPSU takes one desk-day.
func (v *varianceScan) visitorsPSU(runs []run) {
	for _, r := range runs {
		v.classes = v.classer.classify(v.classes, r, nil)
		v.segments.gather(r, v.classes, v.classer.list)
	}
	v.loose.reset()
	v.cells = v.cells[:0]
	var shift []float64
	for _, key := range v.segments.order {
		i := int(uint32(key))
		s := &v.segments.list[i]
		if s.rows == 0 {
			continue
		}
		class := &v.classer.list[s.class]
		var whole []float64
		if class.weight > 0 {
			if whole = v.expected[class.mean].whole; whole == nil {
				v.addCell(class.mean, class.times*float64(s.rows))
			}
			if v.fits != nil {
				shift = v.addShift(shift, class, s.rows)
			}
		}
		switch {
		case class.domain > 0:
			v.meet(class.domain).sums.addSegment(&v.segments, i, class.weight, whole)
		case class.domain == 0:
			v.loose.addSegment(&v.segments, i, class.weight, whole)
		}
		v.segments.empty(i)
	}
	v.sumTotal()
	for _, c := range v.cells {
		for _, e := range v.expected[c.cell].shared {
			v.meet(e.domain).sums.subtract(e.mean, c.rows)
		}
	}
	for _, d := range v.inPSU {
		v.closePSU(d, shift)
	}
}

// addShift adds the weighted axes of rows of a class to the shift of the PSU in
// hand, which the first such rows begin.
func (v *varianceScan) addShift(shift []float64, class *class, rows int) []float64 {
	if shift == nil {
		at := len(v.shifts)
		for range v.fits.rank {
			v.shifts = append(v.shifts, 0)
		}
		shift = v.shifts[at:]
	}
	w := class.weight * float64(rows)
	for j, x := range v.fits.raking.of(class.cell) {
		shift[j] += w * x
	}
	return shift
}

// catchUp gives a domain of the stratum in hand its totals in the PSUs before
// the end of shifts in which it was not met: the fit alone.
func (v *varianceScan) catchUp(st *domainState, d int32, end int) {
	if v.fits.of[d] == nil {
		return
	}
	for rank := v.fits.rank; st.shifts < end; st.shifts += rank {
		clear(v.total)
		v.fits.takeOff(v.total, d, v.shifts[st.shifts:st.shifts+rank])
		st.weighted.add(v.total, nil)
	}
}

// closePSU adds a domain's total in the PSU in hand to its stratum.
func (v *varianceScan) closePSU(d int32, shift []float64) {
	st, dom := v.state[d], &v.domains[d]
	s := st.sums
	s.pool(v.layout)
	if dom.weighted != nil && s.shifted {
		if shift != nil {
			v.catchUp(st, d, len(v.shifts)-len(shift))
		}
		dom.weighted.totals(v.total, &s.weighted)
		if shift != nil {
			v.fits.takeOff(v.total, d, shift)
			st.shifts = len(v.shifts)
		}
		answered := s.plain.answered[:v.layout.items]
		if !s.hasWeight {
			answered = nil
		}
		st.weighted.add(v.total, answered)
	}
	if s.rows > 0 {
		dom.plain.totals(v.total, &s.plain)
		st.plain.add(v.total, s.plain.answered[:v.layout.items])
	}
}

// addCell counts rows of a weight cell.
func (v *varianceScan) addCell(cell int32, rows float64) {
	for i := range v.cells {
		if v.cells[i].cell == cell {
			v.cells[i].rows += rows
			return
		}
	}
	v.cells = append(v.cells, cellRows{cell, rows})
}

// sumTotal ends the sums of the groups and gives the total the rows of every
// group and of none. It shares the sums of the only group that has rows, as
// long as nothing more is taken off either.
func (v *varianceScan) sumTotal() {
	groups := v.inPSU
	for _, d := range groups {
		v.state[d].own.flush()
	}
	v.loose.flush()
	if v.loose.rows == 0 && len(groups) == 0 {
		return
	}
	total := v.meet(0)
	switch {
	case len(v.cells) > 0 || len(groups) > 1 || len(groups) == 1 && v.loose.rows > 0:
		for _, d := range groups {
			total.own.add(&v.state[d].own)
		}
		if v.loose.rows > 0 {
			total.own.add(&v.loose)
		}
	case len(groups) == 1:
		total.sums = &v.state[groups[0]].own
	default:
		total.sums = &v.loose
	}
}
