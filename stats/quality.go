package stats

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"sipas/survey"
)

// The rule of survey.FlagBurst: more answers at one desk within one hour than
// burstFactor times the desk's usual hour, but never fewer than burstFloor and
// never more than burstCeiling are taken for possible.
const (
	// burstFloor is one answer every two minutes, for an hour on end and with
	// nobody who leaves without answering: a counter does not serve people so
	// fast.
	burstFloor = 30
	// burstFactor: the fullest hour of the week is easily twice the usual one, and
	// a day before a holiday twice a usual day.
	burstFactor = 5
	// burstCeiling is twenty counters that serve somebody every five minutes, all
	// of whom answer: an office that is stuffed day by day must not make any number
	// its usual hour.
	burstCeiling = 240
	// burstHours is how many hours with answers, about a working day, tell what
	// is usual. With fewer the floor is the limit.
	burstHours = 8
)

// The rule of survey.FlagDuplicatePattern: the same code for every item, at one
// desk on one day, at least duplicateTimes times and at least once in
// duplicateOneIn answers, where at least survey.PatternLevels items have a level
// and duplicateAway of them another than the commonest. Content people are much
// alike: "5 everywhere but in one or two items" comes again by chance.
const (
	duplicateTimes = 3
	duplicateOneIn = 50
	duplicateAway  = 3
)

// MarkPlace is what the rules about several answers know of a place.
type MarkPlace struct {
	// Stands: the answer is valid and not excluded. Others are neither counted
	// nor marked, so that what staff put aside throws no doubt on the rest.
	Stands bool
	// Timed: the hour is when the person answered. Paper that is keyed in has the
	// hour of nobody.
	Timed bool
	// Flags are the derived ones that the place carries.
	Flags survey.Flags
}

// Marker sets survey.DerivedFlags. They are a function of the set of answers:
// the order of arrival, and into how many blocks they are cut, are irrelevant.
type Marker struct {
	// Desks: strata are desks and PSUs their days, as in rounds of visitors. In
	// drawn rounds nobody queues, so there are no bursts, and copies are looked for
	// within a day of a drawn unit.
	Desks bool
	// Places are those of the blocks; an index beyond them does not stand.
	Places []MarkPlace
	// Replace gives the index of the place that is like another but for the flags
	// it carries.
	Replace func(place uint32, flags survey.Flags) uint32
}

// Mark returns the blocks with the flags that follow from all answers in them.
// changed are the keys, ascending, of the PSUs that gained, lost or changed
// answers since the blocks were marked last; every PSU the first time. A block
// without a change of flags is returned itself. The cost is one look at each
// answer of the desks concerned, and a sort of each changed PSU.
func (m *Marker) Mark(blocks []*Rows, changed []uint64) []*Rows {
	w := marking{Marker: m, blocks: blocks, columns: make([][]uint32, len(blocks))}
	for _, r := range blocks {
		if r.Len() > 0 && int(r.maxPlace) >= len(m.Places) {
			m.Places = append(m.Places, make([]MarkPlace, int(r.maxPlace)+1-len(m.Places))...)
		}
	}
	for len(changed) > 0 {
		first, last := changed[0], changed[0]
		if m.Desks {
			first, last = first&^math.MaxUint32, first|math.MaxUint32
		}
		n := 1
		for n < len(changed) && changed[n] <= last {
			n++
		}
		w.stretch(first, last, changed[:n])
		changed = changed[n:]
	}
	out := slices.Clone(blocks)
	for b, column := range w.columns {
		if column != nil {
			marked := *blocks[b]
			marked.place, marked.maxPlace = column, maxOf(column)
			out[b] = &marked
		}
	}
	return out
}

// marking is one call of Mark.
type marking struct {
	*Marker
	blocks  []*Rows
	columns [][]uint32 // places of a block, nil while none has changed
	// Buffers.
	days    []markDay
	copied  []bool
	hashes  []uint64
	answers []markAnswer
}

// markDay is what is kept of a PSU between finding the limit and marking.
type markDay struct {
	most  int  // answers in its fullest hour
	burst bool // some answer is marked
}

// stretch marks one desk, or one PSU of a drawn round.
func (w *marking) stretch(first, last uint64, changed []uint64) {
	limit := w.limit(first, last)
	day := 0
	walk(w.blocks, first, last, func(key uint64, runs []run) {
		for len(changed) > 0 && changed[0] < key {
			changed = changed[1:]
		}
		again := len(changed) > 0 && changed[0] == key
		if w.days[day].most > limit || w.days[day].burst || again {
			w.psu(runs, limit, again)
		}
		day++
	})
}

// limit is the number of answers above which an hour is a burst. It leaves in
// days what each PSU has.
func (w *marking) limit(first, last uint64) int {
	w.days = w.days[:0]
	var hours [burstCeiling + 1]int // hours by their number of answers
	n := 0
	walk(w.blocks, first, last, func(_ uint64, runs []run) {
		counts, burst := w.hours(runs)
		for _, c := range counts {
			if c > 0 {
				hours[min(c, burstCeiling)]++
				n++
			}
		}
		w.days = append(w.days, markDay{slices.Max(counts[:]), burst})
	})
	if n < burstHours {
		return burstFloor
	}
	median, below := 0, 0
	for below <= (n-1)/2 {
		median++
		below += hours[median]
	}
	return max(burstFloor, min(burstFactor*median, burstCeiling))
}

// hours counts the answers of a PSU by hour, and says whether some are marked as
// a burst.
func (w *marking) hours(runs []run) (counts [24]int, burst bool) {
	if !w.Desks {
		return counts, false
	}
	for _, r := range runs {
		for i := r.from; i < r.to; i++ {
			p := &w.Places[r.rows.place[i]]
			burst = burst || p.Flags&survey.FlagBurst != 0
			if p.Stands && p.Timed {
				counts[r.rows.hour[i]]++
			}
		}
	}
	return counts, burst
}

// psu marks the answers of a PSU; copies are looked for only when it changed.
func (w *marking) psu(runs []run, limit int, again bool) {
	hours, _ := w.hours(runs)
	if again {
		w.duplicates(runs)
	}
	at := 0
	for _, r := range runs {
		block := slices.Index(w.blocks, r.rows)
		for i := r.from; i < r.to; i++ {
			place := r.rows.place[i]
			p, flags := &w.Places[place], survey.Flags(0)
			if p.Stands {
				if p.Timed && hours[r.rows.hour[i]] > limit {
					flags |= survey.FlagBurst
				}
				if !again {
					flags |= p.Flags & survey.FlagDuplicatePattern
				} else if w.copied[at] {
					flags |= survey.FlagDuplicatePattern
				}
			}
			if flags != p.Flags {
				if w.columns[block] == nil {
					w.columns[block] = slices.Clone(r.rows.place)
				}
				w.columns[block][i] = w.Replace(place, flags)
			}
			at++
		}
	}
}

// markAnswer is an answer whose like is looked for.
type markAnswer struct {
	day   uint16
	hash  uint64
	codes []byte
	at    int // position in the PSU
}

func (a *markAnswer) compare(b *markAnswer) int {
	return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.hash, b.hash), bytes.Compare(a.codes, b.codes))
}

// duplicates finds which answers of a PSU are copies, in copied.
func (w *marking) duplicates(runs []run) {
	w.copied, w.hashes, w.answers = w.copied[:0], w.hashes[:0], w.answers[:0]
	for _, r := range runs {
		for i := r.from; i < r.to; i++ {
			if w.Places[r.rows.place[i]].Stands {
				codes := r.rows.codes[i*r.rows.stride : (i+1)*r.rows.stride]
				w.answers = append(w.answers, markAnswer{r.rows.day[i], hashCodes(codes), codes, len(w.copied)})
				w.hashes = append(w.hashes, w.answers[len(w.answers)-1].hash)
			}
			w.copied = append(w.copied, false)
		}
	}
	// Most days have no three equal answers: that is seen faster than which.
	slices.Sort(w.hashes)
	equal := false
	for i := duplicateTimes - 1; i < len(w.hashes) && !equal; i++ {
		equal = w.hashes[i] == w.hashes[i-duplicateTimes+1]
	}
	if !equal {
		return
	}
	slices.SortFunc(w.answers, func(a, b markAnswer) int { return a.compare(&b) })
	for rest := w.answers; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].day == rest[0].day {
			n++
		}
		w.copies(rest[:n])
		rest = rest[n:]
	}
}

// copies marks those among the sorted answers of one day.
func (w *marking) copies(day []markAnswer) {
	least := max(duplicateTimes, (len(day)+duplicateOneIn-1)/duplicateOneIn)
	for rest := day; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].compare(&rest[0]) == 0 {
			n++
		}
		if n >= least && uncommon(rest[0].codes) {
			for _, a := range rest[:n] {
				w.copied[a.at] = true
			}
		}
		rest = rest[n:]
	}
}

// uncommon reports whether answers are too odd to come again by chance.
func uncommon(codes []byte) bool {
	var counts [16]int
	for _, c := range codes {
		counts[c&15]++
		counts[c>>4]++
	}
	levels, commonest := 0, 0
	for _, nibble := range nibbles[:5] {
		levels += counts[nibble]
		commonest = max(commonest, counts[nibble])
	}
	return levels >= survey.PatternLevels && levels-commonest >= duplicateAway
}

// hashCodes tells most different answers apart (FNV-1a, 64 bits); equal hashes
// are compared.
func hashCodes(codes []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range codes {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}
