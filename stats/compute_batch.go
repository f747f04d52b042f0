package stats

import "math/bits"

// batch collects up to 64 answers of one class and turns them on their side:
// one word for each bit of each item, with a bit for each answer. Counts of
// codes, and of every pair of items, are then counts of bits.
type batch struct {
	words [][64]uint64 // by word of an answer, then answer
	n     int
}

func newBatch(words int) *batch { return &batch{words: make([][64]uint64, words)} }

// turn transposes the collected answers in place: afterwards words[j][4i+b] has
// bit b of item 16j+i of every answer. Answers that were not filled in must be
// zero; turned batches are cleared with reset.
func (b *batch) turn(items int) {
	for j := range b.words {
		if items-16*j <= 8 {
			transpose32(&b.words[j])
		} else {
			transpose64(&b.words[j])
		}
	}
}

func (b *batch) reset() {
	clear(b.words)
	b.n = 0
}

// transpose64 transposes a 64 x 64 matrix of bits in place: bit c of word r
// goes to bit r of word c. Source: Warren, Hacker's Delight, section 7-3.
func transpose64(m *[64]uint64) {
	for k := range 32 {
		lo, hi := m[k], m[k+32]
		m[k] = lo&0xffffffff | hi<<32
		m[k+32] = lo>>32 | hi&^0xffffffff
	}
	transposeBlocks(m, 64)
}

// transpose32 is transpose64 for words whose upper halves are zero. Words 32
// to 63 of the result are left as they were.
func transpose32(m *[64]uint64) {
	for k := range 32 {
		m[k] |= m[k+32] << 32
	}
	transposeBlocks(m, 32)
}

// transposeBlocks does what is left of a transposition inside blocks of 32. The
// steps are written out because shifts by constants are twice as fast.
func transposeBlocks(m *[64]uint64, n int) {
	for ; n > 0; n -= 32 {
		b := (*[32]uint64)(m[n-32 : n])
		for k := range 16 {
			t := (b[k]>>16 ^ b[k+16]) & 0x0000ffff0000ffff
			b[k] ^= t << 16
			b[k+16] ^= t
		}
		for i := 0; i < 32; i += 16 {
			q := (*[16]uint64)(b[i : i+16])
			for k := range 8 {
				t := (q[k]>>8 ^ q[k+8]) & 0x00ff00ff00ff00ff
				q[k] ^= t << 8
				q[k+8] ^= t
			}
		}
		for i := 0; i < 32; i += 8 {
			q := (*[8]uint64)(b[i : i+8])
			for k := range 4 {
				t := (q[k]>>4 ^ q[k+4]) & 0x0f0f0f0f0f0f0f0f
				q[k] ^= t << 4
				q[k+4] ^= t
			}
			for k := 0; k < 8; k += 4 {
				q := (*[4]uint64)(q[k : k+4])
				a, b, c, d := q[0], q[1], q[2], q[3]
				t := (a>>2 ^ c) & 0x3333333333333333
				a, c = a^t<<2, c^t
				t = (b>>2 ^ d) & 0x3333333333333333
				b, d = b^t<<2, d^t
				t = (a>>1 ^ b) & 0x5555555555555555
				a, b = a^t<<1, b^t
				t = (c>>1 ^ d) & 0x5555555555555555
				c, d = c^t<<1, d^t
				q[0], q[1], q[2], q[3] = a, b, c, d
			}
		}
	}
}

// countCodes adds the codes of a turned batch to counts and to the answered
// and satisfied counts of its class.
func (b *batch) countCodes(counts [][Codes]int, answered, satisfied []uint32) {
	for k := range counts {
		c := b.words[k/16][4*(k%16) : 4*(k%16)+4 : 4*(k%16)+4]
		low, high, yes, level := c[0], c[1], c[2], c[3]
		a, y := bits.OnesCount64(level), bits.OnesCount64(yes)
		five := bits.OnesCount64(yes & low)
		two := bits.OnesCount64(level &^ yes & low)
		three := bits.OnesCount64(level & high)
		none := ^level
		brokenOff := bits.OnesCount64(none & low & high)
		blank := bits.OnesCount64(none & low &^ high)
		notApplicable := bits.OnesCount64(none & high &^ low)
		n := &counts[k]
		n[0] += a - y - two - three
		n[1] += two
		n[2] += three
		n[3] += y - five
		n[4] += five
		n[CodeNotAsked] += b.n - a - brokenOff - blank - notApplicable
		n[CodeBlank] += blank
		n[CodeNotApplicable] += notApplicable
		n[CodeBrokenOff] += brokenOff
		answered[k] += uint32(a)
		satisfied[k] += uint32(y)
	}
}

// pairCount is the number of entries of a table of pairs: the upper triangle,
// row by row, of a square table over the answered bit of each item, then the
// satisfied bit of each.
func pairCount(items int) int { return items * (2*items + 1) }

// countPairs adds, for every pair of bits, how many answers of a turned batch
// have both. columns is memory for 2 x items words.
func (b *batch) countPairs(pairs []uint32, columns []uint64) {
	items := len(columns) / 2
	for k := range items {
		columns[k] = b.words[k/16][4*(k%16)+3]
		columns[items+k] = b.words[k/16][4*(k%16)+2]
	}
	for i, c := range columns {
		rest := columns[i:]
		row := pairs[:len(rest)]
		pairs = pairs[len(rest):]
		if c == 0 {
			continue
		}
		for j, d := range rest {
			row[j] += uint32(bits.OnesCount64(c & d))
		}
	}
}

// crossTable is a table of pairs with weights, and with weight 1.
type crossTable struct{ weighted, plain []float64 }

func newCrossTable(items int) *crossTable {
	n := pairCount(items)
	return &crossTable{weighted: make([]float64, n), plain: make([]float64, n)}
}

// fold adds pairs of answers of one weight.
func (t *crossTable) fold(pairs []uint32, weight float64) {
	weighted, plain := t.weighted[:len(pairs)], t.plain[:len(pairs)]
	for i, n := range pairs {
		plain[i] += float64(n)
		weighted[i] += weight * float64(n)
	}
}

func (t *crossTable) add(u *crossTable) {
	for i, v := range u.weighted {
		t.weighted[i] += v
		t.plain[i] += u.plain[i]
	}
}

// quadratic is c'Tc for the full symmetric table: with c the coefficients of a
// linear function of the bits, the sum of its squares over the answers.
func quadratic(table, c []float64) float64 {
	sum, at := 0.0, 0
	for i, ci := range c {
		row := table[at : at+len(c)-i]
		at += len(row)
		if ci == 0 {
			continue
		}
		inner := ci * row[0] / 2
		for j := 1; j < len(row); j++ {
			inner += c[i+j] * row[j]
		}
		sum += 2 * ci * inner
	}
	return sum
}
