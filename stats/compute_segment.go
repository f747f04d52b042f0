package stats

import "slices"

// segment is the rows of one class in one PSU. Its counts by item are gathered
// in bytes and moved to over before a byte can overflow.
type segment struct {
	class   int32
	rows    int
	pending int      // rows in the bytes
	over    []uint32 // by byte; nil up to byteRows rows
}

// byteRows is the number of rows that counts in bytes can hold.
const byteRows = 255

// segments is the rows of one PSU by class. A class keeps its segment for all
// PSUs of a stratum, since they mostly have the same classes; empty ones have no
// rows. The bytes of a segment are, for each sixteen items, four words: answered
// of the even and of the odd items, then satisfied of the even and of the odd.
type segments struct {
	items int
	masks []uint64
	size  int // groups of sixteen items
	list  []segment
	bytes [][4]uint64
	// of[c] is the segment of class c if that segment says so itself, which
	// spares clearing the table for every stratum.
	of []int32
	// order is the segments in order of class, as class << 32 | position in
	// list: sums of weights must not depend on the order of rows.
	order []int64
}

func newSegments(items, classes int) segments {
	masks := wordMasks(items)
	return segments{items: items, masks: masks, size: len(masks), of: make([]int32, classes)}
}

// reset forgets the segments of the last stratum.
func (s *segments) reset() { s.list, s.order = s.list[:0], s.order[:0] }

// empty takes the rows out of a segment.
func (s *segments) empty(i int) {
	seg := &s.list[i]
	seg.rows, seg.pending, seg.over = 0, 0, nil
	clear(s.bytes[i*s.size : (i+1)*s.size])
}

// gather counts the rows of a run by class; rows outside every domain are only
// counted.
func (s *segments) gather(r run, classes []int32, list []class) {
	const ones = 0x0101010101010101
	codes, stride, masks, size := r.rows.codes, r.rows.stride, s.masks, s.size
	at := (r.from - 1) * stride
	for _, c := range classes {
		at += stride
		if c < 0 {
			continue
		}
		i := int(s.of[c])
		if i >= len(s.list) || s.list[i].class != c {
			i = s.open(c)
		}
		seg := &s.list[i]
		seg.rows++
		if list[c].domain < 0 {
			continue
		}
		if seg.pending == byteRows {
			s.overflow(i)
		}
		seg.pending++
		bytes := s.bytes[i*size:][:len(masks)]
		for j, mask := range masks {
			w := word(codes, at, j) & mask
			b := &bytes[j]
			b[0] += w >> 3 & ones
			b[1] += w >> 7 & ones
			b[2] += w >> 2 & ones
			b[3] += w >> 6 & ones
		}
	}
}

// open gives a class its segment.
func (s *segments) open(c int32) int {
	i := len(s.list)
	s.of[c] = int32(i)
	s.list = append(s.list, segment{class: c})
	if need := (i + 1) * s.size; len(s.bytes) < need {
		s.bytes = append(s.bytes, make([][4]uint64, need)...)
	}
	key := int64(c)<<32 | int64(i)
	at, _ := slices.BinarySearch(s.order, key)
	s.order = slices.Insert(s.order, at, key)
	return i
}

// overflow moves the bytes of a segment out of the way.
func (s *segments) overflow(i int) {
	seg := &s.list[i]
	if seg.over == nil {
		seg.over = make([]uint32, 32*s.size)
	}
	for j := range seg.over {
		w := s.bytes[i*s.size+j/32][j/8%4]
		seg.over[j] += uint32(w >> (8 * (j % 8)) & 0xff)
	}
	seg.pending = 0
	clear(s.bytes[i*s.size : (i+1)*s.size])
}

// counts are sums over rows by item, with weights or without: rows with a level
// and rows with level 4 or 5. Slices by item have an even length, so that
// items are taken two at a time.
type counts struct {
	answered, satisfied []float64
	// The same summed over each factor, for pooled ratios.
	poolAnswered, poolSatisfied []float64
}

// evenItems is the length of a slice by item in counts.
func evenItems(items int) int { return items + items&1 }

func newCounts(l *layout) counts {
	n, factors := evenItems(l.items), len(l.plan.Factors)
	f := make([]float64, 2*n+2*factors)
	return counts{answered: f[:n:n], satisfied: f[n : 2*n : 2*n],
		poolAnswered: f[2*n : 2*n+factors : 2*n+factors], poolSatisfied: f[2*n+factors:]}
}

func (c *counts) clear() {
	clear(c.answered)
	clear(c.satisfied)
}

func (c *counts) add(u *counts) {
	for k, a := range u.answered {
		c.answered[k] += a
		c.satisfied[k] += u.satisfied[k]
	}
}

// pool sums over factors, if the layout has pooled ratios.
func (c *counts) pool(l *layout) {
	if l.pooled < 0 {
		return
	}
	for f := range l.spans {
		if l.expand == nil {
			c.poolAnswered[f], c.poolSatisfied[f] = l.spans[f].sum(c.answered), l.spans[f].sum(c.satisfied)
			continue
		}
		a, y := 0.0, 0.0
		for _, k := range l.spans[f].list {
			a += l.expand[k] * c.answered[k]
			y += l.expand[k] * c.satisfied[k]
		}
		c.poolAnswered[f], c.poolSatisfied[f] = a, y
	}
}

// psuSums is one domain's counts in one PSU.
type psuSums struct {
	rows int
	live bool // was cleared for the PSU in hand
	// shifted: weighted is not empty, for rows with weight or for an
	// expectation taken off.
	shifted   bool
	hasWeight bool // has rows with weight
	pooled    bool // the sums over factors are done
	plain     counts
	weighted  counts      // less what post-stratification expects
	bytes     [][4]uint64 // plain counts that wait to be added, as in segments
	pending   int         // rows in them
}

func newPSUSums(l *layout) psuSums {
	return psuSums{plain: newCounts(l), weighted: newCounts(l), bytes: make([][4]uint64, len(wordMasks(l.items)))}
}

// reset forgets the last PSU.
func (s *psuSums) reset() {
	s.rows, s.live, s.shifted, s.hasWeight, s.pooled = 0, false, false, false, false
}

// start clears what reset left for the first use.
func (s *psuSums) start() {
	if !s.live {
		s.live = true
		s.plain.clear()
		s.weighted.clear()
	}
}

// addSegment adds the rows of a segment. expected, if not nil, is taken off
// for each row.
func (s *psuSums) addSegment(all *segments, i int, weight float64, expected []float64) {
	s.start()
	seg := &all.list[i]
	s.rows += seg.rows
	if seg.over != nil {
		all.overflow(i)
		for b, n := range seg.over {
			if n > 0 {
				k, satisfied := itemOfByte(b)
				s.plain.of(satisfied)[k] += float64(n)
				s.weighted.of(satisfied)[k] += weight * float64(n)
			}
		}
	}
	bytes := all.bytes[i*all.size : (i+1)*all.size]
	if s.pending+seg.pending > byteRows {
		s.flush()
	}
	s.pending += seg.pending
	for j := range bytes {
		for b, w := range bytes[j] {
			s.bytes[j][b] += w
		}
	}
	if weight > 0 {
		s.hasWeight, s.shifted = true, true
		if expected != nil {
			addResidual(&s.weighted, bytes, weight, expected, float64(seg.rows))
		} else {
			addBytes(&s.weighted, bytes, weight)
		}
	}
}

// subtract takes off what post-stratification expects of so many rows.
func (s *psuSums) subtract(expected []float64, rows float64) {
	s.start()
	s.shifted, s.pooled = true, false
	n := len(s.weighted.answered)
	answered, satisfied := s.weighted.answered[:n], s.weighted.satisfied[:n]
	ea, ey := expected[:n], expected[n:2*n]
	for k := range answered {
		answered[k] -= rows * ea[k]
		satisfied[k] -= rows * ey[k]
	}
}

// flush adds the waiting plain counts.
func (s *psuSums) flush() {
	if s.pending > 0 {
		addBytes(&s.plain, s.bytes, 1)
		clear(s.bytes)
		s.pending = 0
	}
}

// add adds another domain's counts in the same PSU.
func (s *psuSums) add(u *psuSums) {
	s.start()
	s.rows += u.rows
	s.shifted, s.hasWeight = s.shifted || u.shifted, s.hasWeight || u.hasWeight
	s.plain.add(&u.plain)
	s.weighted.add(&u.weighted)
}

// pool sums over factors once.
func (s *psuSums) pool(l *layout) {
	if !s.pooled {
		s.pooled = true
		s.plain.pool(l)
		s.weighted.pool(l)
	}
}

// addBytes adds counts in bytes, as segments hold them, times weight.
func addBytes(to *counts, bytes [][4]uint64, weight float64) {
	for j := range bytes {
		a0, a1, y0, y1 := bytes[j][0], bytes[j][1], bytes[j][2], bytes[j][3]
		answered := to.answered[16*j : min(16*j+16, len(to.answered))]
		satisfied := to.satisfied[16*j:][:len(answered)]
		for k := 0; k < len(answered)-1; k += 2 {
			answered[k] += weight * float64(uint8(a0))
			answered[k+1] += weight * float64(uint8(a1))
			satisfied[k] += weight * float64(uint8(y0))
			satisfied[k+1] += weight * float64(uint8(y1))
			a0, a1, y0, y1 = a0>>8, a1>>8, y0>>8, y1>>8
		}
	}
}

// addResidual is addBytes, less what is expected of so many rows.
func addResidual(to *counts, bytes [][4]uint64, weight float64, expected []float64, rows float64) {
	n := len(to.answered)
	for j := range bytes {
		a0, a1, y0, y1 := bytes[j][0], bytes[j][1], bytes[j][2], bytes[j][3]
		answered := to.answered[16*j : min(16*j+16, n)]
		satisfied := to.satisfied[16*j:][:len(answered)]
		ea, ey := expected[16*j:][:len(answered)], expected[n+16*j:][:len(answered)]
		for k := 0; k < len(answered)-1; k += 2 {
			answered[k] += weight*float64(uint8(a0)) - rows*ea[k]
			answered[k+1] += weight*float64(uint8(a1)) - rows*ea[k+1]
			satisfied[k] += weight*float64(uint8(y0)) - rows*ey[k]
			satisfied[k+1] += weight*float64(uint8(y1)) - rows*ey[k+1]
			a0, a1, y0, y1 = a0>>8, a1>>8, y0>>8, y1>>8
		}
	}
}

// itemOfByte gives the item that a byte of a segment counts, and which count.
func itemOfByte(b int) (item int, satisfied bool) {
	word := b / 8
	return word/4*16 + b%8*2 + word%2, word%4 >= 2
}

// of is one of the two counts.
func (c *counts) of(satisfied bool) []float64 {
	if satisfied {
		return c.satisfied
	}
	return c.answered
}
