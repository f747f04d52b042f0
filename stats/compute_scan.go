package stats

// varianceScan is the memory of one goroutine of the second scan.
type varianceScan struct {
	plan    *Plan
	layout  *layout
	classer *classer
	domains []domain
	shifts  [][]shift // by weight cell; nil for drawn rounds
	masks   []uint64
	out     map[int32]*spreads // of the stretch of strata in hand

	classes []int32 // of the rows of a run
	// Rows of the PSU in hand by class. segmentOf[c] is the segment of class
	// c if that segment says so itself, which spares clearing the table.
	segments  []segment
	segmentOf []int32
	order     []int32  // segments in order of class
	bytes     []uint64 // of every segment: counts in bytes, see add
	counts    []uint32 // of one segment by item: answered, then satisfied

	state  []*domainState // by domain, nil until it is met
	active []int32        // domains met in the stratum in hand
	inPSU  []int32        // domains met in the PSU in hand
	psu    int32          // number of the PSU in hand, from 1
	loose  psuSums        // rows of the PSU that are in no group

	cells []cellRows // of the PSU in hand, in order of class
	total []float64  // by layout
	drawnRow
}

// segment is the rows of one class in one PSU. Its counts by item are gathered
// in bytes and moved to over before a byte can overflow.
type segment struct {
	class   int32
	rows    int
	pending int      // rows in the bytes
	over    []uint32 // by item: answered, then satisfied; nil up to 255 rows
}

// cellRows is the counted rows of one PSU in one weight cell.
type cellRows struct {
	cell int32
	rows float64
}

// psuSums is one domain's counts in one PSU by item.
type psuSums struct {
	rows, weightedRows  int
	answered, satisfied []float64
	// The same with weights.
	wAnswered, wSatisfied []float64
}

func newPSUSums(items int) psuSums {
	f := make([]float64, 4*items)
	return psuSums{answered: f[:items:items], satisfied: f[items : 2*items : 2*items],
		wAnswered: f[2*items : 3*items : 3*items], wSatisfied: f[3*items:]}
}

// reset forgets the last PSU.
func (s *psuSums) reset() {
	s.rows, s.weightedRows = 0, 0
}

// addRows adds rows of one weight whose counts by item are these: answered,
// then satisfied.
func (s *psuSums) addRows(rows int, counts []uint32, weight float64) {
	items := len(s.answered)
	if s.rows == 0 {
		clear(s.answered)
		clear(s.satisfied)
		clear(s.wAnswered)
		clear(s.wSatisfied)
	}
	s.rows += rows
	if weight > 0 {
		s.weightedRows += rows
	}
	answered, satisfied := counts[:items], counts[items:2*items]
	sa, sy, wa, wy := s.answered[:items], s.satisfied[:items], s.wAnswered[:items], s.wSatisfied[:items]
	for k := range answered {
		a, y := float64(answered[k]), float64(satisfied[k])
		sa[k] += a
		sy[k] += y
		wa[k] += weight * a
		wy[k] += weight * y
	}
}

// add adds the counts of another domain in the same PSU.
func (s *psuSums) add(u *psuSums) {
	if s.rows == 0 {
		clear(s.answered)
		clear(s.satisfied)
		clear(s.wAnswered)
		clear(s.wSatisfied)
	}
	s.rows += u.rows
	s.weightedRows += u.weightedRows
	for k := range s.answered {
		s.answered[k] += u.answered[k]
		s.satisfied[k] += u.satisfied[k]
		s.wAnswered[k] += u.wAnswered[k]
		s.wSatisfied[k] += u.wSatisfied[k]
	}
}

// domainState is what the scan keeps of one domain.
type domainState struct {
	inStratum       bool
	psu             int32 // last PSU that it was met in
	own             psuSums
	sums            *psuSums  // own, or another domain's that has the same rows
	shift           []float64 // by layout, of the PSU in hand
	shifted         bool
	weighted, plain *stratumSums
	drawn           *drawnState
}

func newVarianceScan(plan *Plan, l *layout, cl *classer, domains []domain, shifts [][]shift) *varianceScan {
	v := &varianceScan{plan: plan, layout: l, classer: cl, domains: domains, shifts: shifts, masks: wordMasks(plan.Items),
		segmentOf: make([]int32, len(cl.list)), state: make([]*domainState, len(domains)), total: make([]float64, l.size),
		loose: newPSUSums(plan.Items), counts: make([]uint32, 2*plan.Items)}
	v.drawnRow = newDrawnRow(l)
	return v
}

// stratum scans the PSUs of one stratum and adds their variance to v.out.
func (v *varianceScan) stratum(blocks []*Rows, h *stratum) {
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
	v.active = v.active[:0]
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
		st = &domainState{own: newPSUSums(v.plan.Items), shift: make([]float64, v.layout.size),
			weighted: newStratumSums(v.layout), plain: newStratumSums(v.layout)}
		if v.plan.Design == Drawn {
			st.drawn = newDrawnState(v.layout)
		}
		v.state[d] = st
	}
	if !st.inStratum {
		st.inStratum = true
		st.weighted.reset()
		st.plain.reset()
		v.active = append(v.active, d)
	}
	if st.psu != v.psu {
		st.psu = v.psu
		st.own.reset()
		st.sums = &st.own
		st.shifted = false
		v.inPSU = append(v.inPSU, d)
	}
	return st
}

// visitorsPSU takes one desk-day.
func (v *varianceScan) visitorsPSU(runs []run) {
	v.segments = v.segments[:0]
	for _, r := range runs {
		v.gather(r)
	}
	if len(v.segments) == 0 {
		return
	}
	v.sortSegments()
	v.loose.reset()
	v.cells = v.cells[:0]
	for _, i := range v.order {
		s := &v.segments[i]
		class := &v.classer.list[s.class]
		v.addCell(class.cell, s.rows)
		if class.domain < 0 {
			continue
		}
		v.read(int(i))
		sums := &v.loose
		if class.domain > 0 {
			sums = v.meet(class.domain).sums
		}
		sums.addRows(s.rows, v.counts, class.weight)
	}
	v.sumTotal()
	v.addShifts()
	for _, d := range v.inPSU {
		v.closePSU(v.state[d], &v.domains[d])
	}
}

// closePSU adds a domain's total in the PSU in hand to its stratum.
func (v *varianceScan) closePSU(st *domainState, dom *domain) {
	if dom.weighted != nil && (st.sums.weightedRows > 0 || st.shifted) {
		var answered []float64
		if st.sums.weightedRows > 0 {
			answered = st.sums.wAnswered
			dom.weighted.totals(v.total, answered, st.sums.wSatisfied)
		} else {
			clear(v.total)
		}
		if st.shifted {
			for j, s := range st.shift {
				v.total[j] -= s
			}
		}
		st.weighted.add(v.total, answered)
	}
	if st.sums.rows > 0 {
		dom.plain.totals(v.total, st.sums.answered, st.sums.satisfied)
		st.plain.add(v.total, st.sums.answered)
	}
}

// gather counts the rows of a run by class. The bytes of a segment are, for
// each sixteen items, four words: answered of the even and of the odd items,
// satisfied of the even and of the odd.
func (v *varianceScan) gather(r run) {
	const ones = 0x0101010101010101
	v.classes = v.classer.classify(v.classes, r, nil)
	size := 4 * len(v.masks)
	stride := r.rows.stride
	at := (r.from - 1) * stride
	for _, c := range v.classes {
		at += stride
		if c < 0 {
			continue
		}
		i := int(v.segmentOf[c])
		if i >= len(v.segments) || v.segments[i].class != c {
			i = v.open(c)
		}
		s := &v.segments[i]
		s.rows++
		if v.classer.list[c].domain < 0 {
			continue
		}
		if s.pending == 255 {
			v.overflow(i)
		}
		s.pending++
		for j, mask := range v.masks {
			w := word(r.rows.codes, at, j) & mask
			sums := (*[4]uint64)(v.bytes[i*size+4*j:])
			sums[0] += w >> 3 & ones
			sums[1] += w >> 7 & ones
			sums[2] += w >> 2 & ones
			sums[3] += w >> 6 & ones
		}
	}
}

// open starts the segment of a class.
func (v *varianceScan) open(c int32) int {
	i, size := len(v.segments), 4*len(v.masks)
	v.segmentOf[c] = int32(i)
	v.segments = append(v.segments, segment{class: c})
	if need := (i + 1) * size; len(v.bytes) < need {
		v.bytes = append(v.bytes, make([]uint64, need)...)
	}
	clear(v.bytes[i*size : (i+1)*size])
	return i
}

// read sets v.counts to the counts of a segment.
func (v *varianceScan) read(i int) {
	items, size := v.plan.Items, 4*len(v.masks)
	answered, satisfied := v.counts[:items], v.counts[items:]
	for j := range v.masks {
		sums := (*[4]uint64)(v.bytes[i*size+4*j:])
		for k := 16 * j; k < min(items, 16*j+16); k++ {
			shift := 8 * (k % 16 / 2) & 63
			answered[k] = uint32(sums[k&1] >> shift & 0xff)
			satisfied[k] = uint32(sums[2+k&1] >> shift & 0xff)
		}
	}
	for k, n := range v.segments[i].over {
		v.counts[k] += n
	}
}

// overflow moves the bytes of a segment out of the way.
func (v *varianceScan) overflow(i int) {
	s, size := &v.segments[i], 4*len(v.masks)
	v.read(i)
	if s.over == nil {
		s.over = make([]uint32, len(v.counts))
	}
	copy(s.over, v.counts)
	s.pending = 0
	clear(v.bytes[i*size : (i+1)*size])
}

// sortSegments puts the segments in order of class, so that sums of weights do
// not depend on the order of rows. There are few: insertion.
func (v *varianceScan) sortSegments() {
	v.order = v.order[:0]
	for i := range v.segments {
		v.order = append(v.order, int32(i))
		for j := i; j > 0 && v.segments[v.order[j]].class < v.segments[v.order[j-1]].class; j-- {
			v.order[j], v.order[j-1] = v.order[j-1], v.order[j]
		}
	}
}

// addCell counts rows of a weight cell.
func (v *varianceScan) addCell(cell int32, rows int) {
	for i := range v.cells {
		if v.cells[i].cell == cell {
			v.cells[i].rows += float64(rows)
			return
		}
	}
	v.cells = append(v.cells, cellRows{cell, float64(rows)})
}

// sumTotal gives the total the rows of every group and of none.
func (v *varianceScan) sumTotal() {
	var only *psuSums
	parts := 0
	if v.loose.rows > 0 {
		only = &v.loose
		parts++
	}
	for _, d := range v.inPSU {
		only = v.state[d].sums
		parts++
	}
	if parts == 0 {
		return
	}
	groups := v.inPSU
	total := v.meet(0)
	if parts == 1 {
		total.sums = only
		return
	}
	if v.loose.rows > 0 {
		total.own.add(&v.loose)
	}
	for _, d := range groups {
		total.own.add(v.state[d].sums)
	}
}

// addShifts takes the post-stratification off: every counted row of a cell,
// whether in the domain or not, loses the cell's mean.
func (v *varianceScan) addShifts() {
	for _, c := range v.cells {
		for _, s := range v.shifts[c.cell] {
			st := v.meet(s.domain)
			if !st.shifted {
				st.shifted = true
				clear(st.shift)
			}
			for j, mean := range s.mean {
				st.shift[j] += c.rows * mean
			}
		}
	}
}
