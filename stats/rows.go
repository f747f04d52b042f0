package stats

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
)

// MaxItems is the largest number of items an instrument may have: one bit of
// a machine word for each.
const MaxItems = 64

// Row is one answer on its way into columns.
type Row struct {
	// ID is the answer's identifier; unique within a round.
	ID [16]byte
	// PSU is the stratum's index in Plan.Strata << 32 | the number of the
	// primary sampling unit inside it. Visitors: stratum = desk, unit = day.
	// Drawn rounds: the drawn unit as the draw numbered it.
	PSU uint64
	// Place indexes Plan.Places: what the answer shares with many others
	// (unit, desk, field, filing channel, channel, door, flags, validity,
	// exclusion).
	Place uint32
	// Person indexes Plan.Persons: profile combination, helped-by, language.
	Person uint32
	// Day is the local date of the answer in days since 2000-01-01.
	Day uint16
	// Hour is the local hour of the answer, 0 to 23.
	Hour uint8
	// Weight is the design weight; kept in weighted blocks only (drawn
	// rounds). Finite and positive.
	Weight float64
	// Answers has one character for each item: '1'..'5' a level, '.' not
	// asked, '-' left blank, 'n' not applicable, 'x' broken off.
	Answers string
}

// Rows is an immutable block of answers held as columns, in order of PSU and,
// within a PSU, of ID: what is computed from it never depends on the order of
// arrival. It costs 27 bytes an answer, half a byte an item, 8 bytes where
// weighted, and 12 bytes a PSU. Methods that change something return a new
// block that shares the columns they leave alone, so a reader keeps a
// consistent block without locks.
//
// A nil *Rows is an empty block.
type Rows struct {
	items    int
	stride   int // bytes of one answer in codes
	weighted bool

	psuKey   []uint64 // keys that occur, ascending
	psuStart []uint32 // first row of each PSU; one more entry than psuKey

	id     [][16]byte
	place  []uint32
	person []uint32
	day    []uint16
	hour   []uint8
	weight []float64 // nil unless weighted
	codes  []byte    // stride bytes an answer, then codePad zero bytes

	maxPlace, maxPerson uint32 // largest index that occurs
}

// Len is the number of answers in the block.
func (r *Rows) Len() int {
	if r == nil {
		return 0
	}
	return len(r.id)
}

// Items is the number of items of each answer.
func (r *Rows) Items() int {
	if r == nil {
		return 0
	}
	return r.items
}

// PSUs is the number of primary sampling units with at least one answer in the
// block, counted or not.
func (r *Rows) PSUs() int {
	if r == nil {
		return 0
	}
	return len(r.psuKey)
}

// Bytes is the memory the block's columns hold, ids included. Blocks that
// share columns each count them.
func (r *Rows) Bytes() int64 {
	if r == nil {
		return 0
	}
	return int64(cap(r.psuKey))*8 + int64(cap(r.psuStart))*4 + int64(cap(r.id))*16 + int64(cap(r.place))*4 +
		int64(cap(r.person))*4 + int64(cap(r.day))*2 + int64(cap(r.hour)) + int64(cap(r.weight))*8 + int64(cap(r.codes))
}

// Find gives the place index and the PSU of the answer with this id, and
// whether the block has it. It scans the id column (about 1 ms a million
// answers).
func (r *Rows) Find(id [16]byte) (place uint32, psu uint64, ok bool) {
	if r == nil {
		return 0, 0, false
	}
	// The last eight bytes of an id are random: comparing them first leaves
	// few full comparisons.
	tail := binary.LittleEndian.Uint64(id[8:])
	for i := range r.id {
		if binary.LittleEndian.Uint64(r.id[i][8:]) == tail && r.id[i] == id {
			p, first := slices.BinarySearch(r.psuStart, uint32(i))
			if !first {
				p--
			}
			return r.place[i], r.psuKey[p], true
		}
	}
	return 0, 0, false
}

// Place is [Rows.Find] without the PSU.
func (r *Rows) Place(id [16]byte) (place uint32, ok bool) {
	place, _, ok = r.Find(id)
	return place, ok
}

// Keys are the keys of the block's PSUs, ascending. They must not be changed.
func (r *Rows) Keys() []uint64 {
	if r == nil {
		return nil
	}
	return r.psuKey
}

// Lost are the keys, ascending, of the PSUs of which left has fewer answers than
// r; left is r without some ([Rows.Without]).
func (r *Rows) Lost(left *Rows) []uint64 {
	var keys []uint64
	at := 0
	for p, key := range r.Keys() {
		for at < left.PSUs() && left.psuKey[at] < key {
			at++
		}
		if at == left.PSUs() || left.psuKey[at] != key || left.psuStart[at+1]-left.psuStart[at] < r.psuStart[p+1]-r.psuStart[p] {
			keys = append(keys, key)
		}
	}
	return keys
}

// All yields every answer of the block in its order, decoded. For checks and
// exports; reports read the columns.
func (r *Rows) All() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		if r == nil {
			return
		}
		for p, key := range r.psuKey {
			for i := int(r.psuStart[p]); i < int(r.psuStart[p+1]); i++ {
				row := Row{ID: r.id[i], PSU: key, Place: r.place[i], Person: r.person[i], Day: r.day[i], Hour: r.hour[i],
					Answers: unpackAnswers(r.codes[i*r.stride:(i+1)*r.stride], r.items)}
				if r.weighted {
					row.Weight = r.weight[i]
				}
				if !yield(row) {
					return
				}
			}
		}
	}
}

// Without is the block as if the answers with these ids had never been in it
// (a withdrawal). Ids that the block does not have are ignored; without any of
// them the block itself is returned.
func (r *Rows) Without(ids map[[16]byte]struct{}) *Rows {
	if r == nil || len(ids) == 0 {
		return r
	}
	filter := newIDFilter(len(ids))
	for id := range ids {
		filter.add(id)
	}
	gone := make([]bool, len(r.id))
	left := len(r.id)
	for i := range r.id {
		if !filter.mayHave(r.id[i]) {
			continue
		}
		if _, ok := ids[r.id[i]]; ok {
			gone[i] = true
			left--
		}
	}
	if left == len(r.id) {
		return r
	}
	out := newRows(r.items, r.weighted, left, len(r.psuKey))
	for p, key := range r.psuKey {
		for i := int(r.psuStart[p]); i < int(r.psuStart[p+1]); i++ {
			if !gone[i] {
				out.copyRow(key, r, i)
			}
		}
	}
	return out.seal()
}

// WithPlaces is the block with other places for some answers, by id: an
// exclusion or its lifting. Ids that the block does not have are ignored;
// without any of them the block itself is returned. Every other column is
// shared with r.
func (r *Rows) WithPlaces(places map[[16]byte]uint32) *Rows {
	if r == nil || len(places) == 0 {
		return r
	}
	filter := newIDFilter(len(places))
	for id := range places {
		filter.add(id)
	}
	var column []uint32
	for i := range r.id {
		if !filter.mayHave(r.id[i]) {
			continue
		}
		if place, ok := places[r.id[i]]; ok {
			if column == nil {
				column = slices.Clone(r.place)
			}
			column[i] = place
		}
	}
	if column == nil {
		return r
	}
	out := *r
	out.place, out.maxPlace = column, maxOf(column)
	return &out
}

// MapPlaces is the block with every place index p replaced by f(p): a change
// of many answers at once (flags switched in or out, a place split). f is
// called once for each index that occurs.
func (r *Rows) MapPlaces(f func(place uint32) uint32) *Rows {
	if r == nil {
		return r
	}
	seen := make([]bool, int(r.maxPlace)+1)
	table := make([]uint32, int(r.maxPlace)+1)
	column := make([]uint32, len(r.place))
	for i, p := range r.place {
		if !seen[p] {
			seen[p], table[p] = true, f(p)
		}
		column[i] = table[p]
	}
	out := *r
	out.place, out.maxPlace = column, maxOf(column)
	return &out
}

// Merge is one block with the answers of both, as if they had been built
// together. It panics if the blocks differ in the number of items or in having
// weights; an empty block goes with any other.
func Merge(a, b *Rows) *Rows {
	if a.Len() == 0 {
		return b
	}
	if b.Len() == 0 {
		return a
	}
	if a.items != b.items || a.weighted != b.weighted {
		panic(fmt.Sprintf("stats: merge of blocks with %d and %d items, weighted %t and %t", a.items, b.items, a.weighted, b.weighted))
	}
	out := newRows(a.items, a.weighted, len(a.id)+len(b.id), len(a.psuKey)+len(b.psuKey))
	walk([]*Rows{a, b}, 0, math.MaxUint64, func(key uint64, runs []run) {
		if len(runs) == 1 {
			for i := runs[0].from; i < runs[0].to; i++ {
				out.copyRow(key, runs[0].rows, i)
			}
			return
		}
		i, j := runs[0].from, runs[1].from
		for i < runs[0].to || j < runs[1].to {
			if j == runs[1].to || i < runs[0].to && compareIDs(&a.id[i], &b.id[j]) <= 0 {
				out.copyRow(key, a, i)
				i++
			} else {
				out.copyRow(key, b, j)
				j++
			}
		}
	})
	return out.seal()
}

// Builder collects answers in any order and builds a block.
type Builder struct {
	rows   *Rows // columns in order of arrival
	psu    []uint32
	ranks  map[uint64]uint32 // PSU key → number in order of first arrival
	keys   []uint64
	last   uint64
	lastOK bool
	lastID uint32
}

// NewBuilder starts a block of answers with this many items (1 to MaxItems),
// with or without a column of design weights. It panics outside that range.
func NewBuilder(items int, weighted bool) *Builder {
	if items < 1 || items > MaxItems {
		panic(fmt.Sprintf("stats: %d items, want 1 to %d", items, MaxItems))
	}
	return &Builder{rows: newRows(items, weighted, 0, 0), ranks: map[uint64]uint32{}}
}

// Grow makes room for n more answers, so that the columns are not moved while
// they are added.
func (b *Builder) Grow(n int) {
	r := b.rows
	b.psu = slices.Grow(b.psu, n)
	r.id = slices.Grow(r.id, n)
	r.place = slices.Grow(r.place, n)
	r.person = slices.Grow(r.person, n)
	r.day = slices.Grow(r.day, n)
	r.hour = slices.Grow(r.hour, n)
	r.codes = slices.Grow(r.codes, n*r.stride+codePad)
	if r.weighted {
		r.weight = slices.Grow(r.weight, n)
	}
}

// Len is the number of answers added so far.
func (b *Builder) Len() int { return len(b.psu) }

// Add takes one answer. It refuses, and leaves the builder as it was, an
// answer with another number of items, a character that is no code, an hour
// above 23, a weight that is not positive and finite, or one answer more than
// 2³²−1.
func (b *Builder) Add(row Row) error {
	r := b.rows
	switch {
	case len(row.Answers) != r.items:
		return fmt.Errorf("stats: %d answers for %d items", len(row.Answers), r.items)
	case r.weighted && !(row.Weight > 0 && row.Weight <= math.MaxFloat64):
		return fmt.Errorf("stats: weight %v", row.Weight)
	case row.Hour > 23:
		return fmt.Errorf("stats: hour %d", row.Hour)
	case len(b.psu) == math.MaxUint32:
		return fmt.Errorf("stats: more than %d answers in a block", uint32(math.MaxUint32))
	}
	codes, ok := packAnswers(r.codes, row.Answers)
	if !ok {
		return fmt.Errorf("stats: answers %q have a character that is no code", row.Answers)
	}
	if !b.lastOK || row.PSU != b.last {
		rank, ok := b.ranks[row.PSU]
		if !ok {
			rank = uint32(len(b.keys))
			b.ranks[row.PSU] = rank
			b.keys = append(b.keys, row.PSU)
		}
		b.last, b.lastID, b.lastOK = row.PSU, rank, true
	}
	r.codes = codes
	b.psu = append(b.psu, b.lastID)
	r.id = append(r.id, row.ID)
	r.place = append(r.place, row.Place)
	r.person = append(r.person, row.Person)
	r.day = append(r.day, row.Day)
	r.hour = append(r.hour, row.Hour)
	if r.weighted {
		r.weight = append(r.weight, row.Weight)
	}
	return nil
}

// Build gives the block of everything added so far; the builder may go on. A
// counting sort by PSU, then a comparison sort by id inside each PSU.
func (b *Builder) Build() *Rows {
	in := b.rows
	n := len(b.psu)
	order := make([]uint32, len(b.keys)) // ranks in order of key
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(x, y uint32) int {
		if b.keys[x] < b.keys[y] {
			return -1
		}
		return 1
	})
	next := make([]uint32, len(b.keys)) // by rank: where its next row goes
	for _, rank := range b.psu {
		next[rank]++
	}
	at := uint32(0)
	for _, rank := range order {
		size := next[rank]
		next[rank] = at
		at += size
	}
	rows := make([]uint32, n)
	for i, rank := range b.psu {
		rows[next[rank]] = uint32(i)
		next[rank]++
	}

	out := newRows(in.items, in.weighted, n, len(b.keys))
	from := uint32(0)
	for _, rank := range order {
		psu := rows[from:next[rank]]
		from = next[rank]
		slices.SortFunc(psu, func(x, y uint32) int { return compareIDs(&in.id[x], &in.id[y]) })
		for _, i := range psu {
			out.copyRow(b.keys[rank], in, int(i))
		}
	}
	return out.seal()
}

// newRows makes an empty block with room for n answers in psus PSUs; copyRow
// fills it in order and seal ends it.
func newRows(items int, weighted bool, n, psus int) *Rows {
	r := &Rows{items: items, stride: (items + 1) / 2, weighted: weighted,
		psuKey: make([]uint64, 0, psus), psuStart: make([]uint32, 0, psus+1),
		id: make([][16]byte, 0, n), place: make([]uint32, 0, n), person: make([]uint32, 0, n), day: make([]uint16, 0, n), hour: make([]uint8, 0, n)}
	r.codes = make([]byte, 0, n*r.stride+codePad)
	if weighted {
		r.weight = make([]float64, 0, n)
	}
	return r
}

// copyRow appends row i of from under the PSU key, which is not smaller than
// the last one.
func (r *Rows) copyRow(key uint64, from *Rows, i int) {
	if n := len(r.psuKey); n == 0 || r.psuKey[n-1] != key {
		r.psuKey = append(r.psuKey, key)
		r.psuStart = append(r.psuStart, uint32(len(r.id)))
	}
	r.id = append(r.id, from.id[i])
	r.place = append(r.place, from.place[i])
	r.person = append(r.person, from.person[i])
	r.day = append(r.day, from.day[i])
	r.hour = append(r.hour, from.hour[i])
	r.codes = append(r.codes, from.codes[i*r.stride:(i+1)*r.stride]...)
	if r.weighted {
		r.weight = append(r.weight, from.weight[i])
	}
	r.maxPlace = max(r.maxPlace, from.place[i])
	r.maxPerson = max(r.maxPerson, from.person[i])
}

// seal ends the filling of a block.
func (r *Rows) seal() *Rows {
	r.psuStart = append(r.psuStart, uint32(len(r.id)))
	if 2*cap(r.psuKey) > 3*len(r.psuKey) { // merged blocks had PSUs in common
		r.psuKey, r.psuStart = slices.Clone(r.psuKey), slices.Clone(r.psuStart)
	}
	r.codes = append(r.codes, make([]byte, codePad)...)
	return r
}

// compareIDs orders ids as their bytes.
func compareIDs(a, b *[16]byte) int { return bytes.Compare(a[:], b[:]) }

func maxOf(column []uint32) uint32 {
	m := uint32(0)
	for _, v := range column {
		m = max(m, v)
	}
	return m
}

// idFilter tells quickly that an id is not in a small set: a bit for each
// value of bits from the random end of the id. A scan of a million ids for a
// few withdrawals then hardly ever asks the map.
type idFilter struct {
	bits []uint64
	mask uint64
}

func newIDFilter(n int) idFilter {
	size := 1 << 10
	for size < 16*n && size < 1<<24 {
		size <<= 1
	}
	return idFilter{bits: make([]uint64, size/64), mask: uint64(size - 1)}
}

func (f idFilter) slot(id [16]byte) uint64 { return binary.BigEndian.Uint64(id[8:]) & f.mask }

func (f idFilter) add(id [16]byte) { s := f.slot(id); f.bits[s/64] |= 1 << (s % 64) }

func (f idFilter) mayHave(id [16]byte) bool { s := f.slot(id); return f.bits[s/64]>>(s%64)&1 == 1 }
