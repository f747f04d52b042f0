package stats

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"sipas/survey"
)

// markWorld numbers places by what they are, and grows as Marker asks.
type markWorld struct {
	places []MarkPlace
	index  map[MarkPlace]uint32
}

func (w *markWorld) number(p MarkPlace) uint32 {
	n, ok := w.index[p]
	if !ok {
		n = uint32(len(w.places))
		w.index[p] = n
		w.places = append(w.places, p)
	}
	return n
}

func (w *markWorld) mark(desks bool, blocks []*Rows, changed []uint64) []*Rows {
	m := &Marker{Desks: desks, Places: slices.Clone(w.places), Replace: func(place uint32, flags survey.Flags) uint32 {
		p := w.places[place]
		p.Flags = flags
		return w.number(p)
	}}
	return m.Mark(blocks, changed)
}

// flags are those of every answer.
func (w *markWorld) flags(blocks []*Rows) map[[16]byte]survey.Flags {
	out := map[[16]byte]survey.Flags{}
	for _, b := range blocks {
		for r := range b.All() {
			out[r.ID] = w.places[r.Place].Flags
		}
	}
	return out
}

// bruteFlags are the rules as METHOD.md says them, by counting in maps.
func (w *markWorld) bruteFlags(desks bool, rows map[[16]byte]Row) map[[16]byte]survey.Flags {
	type hour struct {
		psu  uint64
		hour uint8
	}
	type pattern struct {
		psu     uint64
		day     uint16
		answers string
	}
	hours, patterns, days := map[hour]int{}, map[pattern]int{}, map[pattern]int{}
	for _, r := range rows {
		if p := w.places[r.Place]; p.Stands {
			patterns[pattern{r.PSU, r.Day, r.Answers}]++
			days[pattern{r.PSU, r.Day, ""}]++
			if p.Timed {
				hours[hour{r.PSU, r.Hour}]++
			}
		}
	}
	usual := map[uint64][]int{}
	for h, n := range hours {
		usual[h.psu>>32] = append(usual[h.psu>>32], n)
	}
	out := map[[16]byte]survey.Flags{}
	for id, r := range rows {
		p, f := w.places[r.Place], survey.Flags(0)
		list := usual[r.PSU>>32]
		slices.Sort(list)
		limit := 30
		if len(list) >= 8 {
			limit = max(30, min(240, 5*list[(len(list)-1)/2]))
		}
		if desks && p.Stands && p.Timed && hours[hour{r.PSU, r.Hour}] > limit {
			f |= survey.FlagBurst
		}
		levels := map[rune]int{}
		for _, c := range r.Answers {
			if c >= '1' && c <= '5' {
				levels[c]++
			}
		}
		n := 0
		for _, c := range levels {
			n += c
		}
		same, of := patterns[pattern{r.PSU, r.Day, r.Answers}], days[pattern{r.PSU, r.Day, ""}]
		if p.Stands && n >= 10 && n-slices.Max(append(slices.Collect(maps.Values(levels)), 0)) >= 3 && same >= 3 && 50*same >= of {
			f |= survey.FlagDuplicatePattern
		}
		out[id] = f
	}
	return out
}

// TestMark: whatever comes, goes and is put aside in whatever order, the flags
// are those of the answers that are there, and the rest of every row stays.
func TestMark(t *testing.T) {
	patterns := []string{"555555555555", "555555555554", "5555555554442", "444555544333", "44-555544333", "1.2345n2345x", "44455..nnx--", "1234512345xx"}
	seen := map[survey.Flags]int{}
	cleared := 0
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 5))
		desks := rng.IntN(4) > 0
		w := &markWorld{index: map[MarkPlace]uint32{}}
		rows := map[[16]byte]Row{}
		var main, tail *Rows
		busy := rng.IntN(5)
		for range 1 + rng.IntN(6) {
			var changed []uint64
			switch {
			case len(rows) == 0 || rng.IntN(3) > 0: // answers come
				b := NewBuilder(12, false)
				desk, crowd := rng.Uint64N(3), rng.IntN(8) == 0
				for range rng.IntN(60 << busy) {
					if rng.IntN(40) == 0 {
						desk = rng.Uint64N(3)
					}
					day := rng.Uint64N(2)
					r := Row{PSU: desk<<32 | day, Day: uint16(day), Hour: uint8(8 + rng.IntN(4)),
						Place:   w.number(MarkPlace{Stands: rng.IntN(9) > 0, Timed: rng.IntN(5) > 0}),
						Answers: patterns[min(rng.IntN(2*len(patterns)), len(patterns)-1)][:12]}
					if crowd {
						r.Hour = 9
					}
					if !desks {
						r.Day = uint16(rng.IntN(2))
					}
					if rng.IntN(busy+1) > 0 {
						a := []byte(r.Answers)
						rng.Shuffle(12, func(i, j int) { a[i], a[j] = a[j], a[i] })
						r.Answers = string(a)
					}
					binary.LittleEndian.PutUint64(r.ID[:], rng.Uint64())
					rows[r.ID] = r
					if err := b.Add(r); err != nil {
						t.Fatal(err)
					}
				}
				fresh := b.Build()
				changed = slices.Clone(fresh.Keys())
				tail = Merge(tail, fresh)
			case rng.IntN(2) == 0: // some are withdrawn
				gone := map[[16]byte]struct{}{}
				share := rng.IntN(6)
				for id := range rows {
					if rng.IntN(6) < share {
						gone[id] = struct{}{}
						delete(rows, id)
					}
				}
				for _, block := range []**Rows{&main, &tail} {
					left := (*block).Without(gone)
					changed = append(changed, (*block).Lost(left)...)
					*block = left
				}
			default: // some are put aside, or taken back
				places := map[[16]byte]uint32{}
				for id, r := range rows {
					if rng.IntN(3) == 0 {
						n, psu, ok := main.Find(id)
						if !ok {
							n, psu, ok = tail.Find(id)
						}
						if !ok || psu != r.PSU {
							t.Fatalf("%x of PSU %x is not there, or in %x", id, r.PSU, psu)
						}
						p := w.places[n]
						p.Stands = !p.Stands
						places[id] = w.number(p)
						changed = append(changed, psu)
					}
				}
				main, tail = main.WithPlaces(places), tail.WithPlaces(places)
				for id, n := range places {
					r := rows[id]
					p := w.places[n]
					p.Flags = 0
					r.Place = w.number(p)
					rows[id] = r
				}
			}
			if rng.IntN(3) == 0 {
				main, tail = Merge(main, tail), nil
			}
			slices.Sort(changed)
			before := w.flags([]*Rows{main, tail})
			blocks := w.mark(desks, []*Rows{main, tail}, slices.Compact(changed))
			main, tail = blocks[0], blocks[1]
			got, want := w.flags(blocks), w.bruteFlags(desks, rows)
			if !maps.Equal(got, want) {
				for id, f := range want {
					if got[id] != f {
						t.Fatalf("%v has %v, want %v", rows[id], got[id].Names(), f.Names())
					}
				}
				t.Fatalf("%d answers, want %d", len(got), len(want))
			}
			for id, f := range got {
				seen[f]++
				if before[id]&^f != 0 {
					cleared++
				}
			}
			for _, block := range blocks {
				for r := range block.All() {
					p := w.places[r.Place]
					p.Flags = 0
					r.Place = w.number(p)
					if r != rows[r.ID] {
						t.Fatalf("marking made %v of %v", r, rows[r.ID])
					}
				}
			}
			all := mergedKeys(blocks)
			if again := w.mark(desks, blocks, all); again[0] != blocks[0] || again[1] != blocks[1] {
				t.Fatal("marked from the beginning, something changes")
			}
		}
	})
	t.Logf("%v, cleared %d", seen, cleared)
	if len(seen) < 4 || cleared == 0 {
		t.Errorf("flags that occurred: %v; cleared %d", seen, cleared)
	}
}

func mergedKeys(blocks []*Rows) []uint64 {
	var keys []uint64
	for _, b := range blocks {
		keys = append(keys, b.Keys()...)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// TestMarkLimits: the numbers of the rules, each on both sides of its limit.
func TestMarkLimits(t *testing.T) {
	const odd = "545455555555" // two off the commonest
	for name, c := range map[string]struct {
		hours  []int // answers by hour of one day; from 8 hours on the next day
		paper  bool
		drawn  bool
		copies int // of answers
		others int // different ones
		answer string
		want   [2]int // bursts, copies
	}{
		"as many as can be served":              {hours: []int{30}},
		"one more":                              {hours: []int{31}, want: [2]int{31, 0}},
		"paper keyed in at once":                {hours: []int{500}, paper: true},
		"a drawn unit":                          {hours: []int{500}, drawn: true},
		"seven hours do not tell what is usual": {hours: []int{40, 40, 40, 40, 40, 40, 40}, want: [2]int{280, 0}},
		"eight do":                              {hours: []int{40, 40, 40, 40, 40, 40, 40, 40}},
		"five times the usual":                  {hours: []int{9, 10, 10, 10, 10, 10, 12, 50}},
		"more":                                  {hours: []int{9, 10, 10, 10, 10, 10, 12, 51}, want: [2]int{51, 0}},
		"the lower of two middles":              {hours: []int{10, 10, 10, 10, 20, 20, 20, 51}, want: [2]int{51, 0}},
		"a stuffed hour a day is not usual":     {hours: []int{2, 2, 2, 2, 2, 2, 2, 100, 2, 2, 2, 2, 2, 2, 2, 90}, want: [2]int{190, 0}},
		"a busy office":                         {hours: []int{100, 100, 100, 100, 240, 240, 240, 240}},
		"stuffed every hour":                    {hours: []int{250, 250, 250, 250, 250, 250, 250, 241, 240}, want: [2]int{1991, 0}},
		"quiet hours do not lower the floor":    {hours: []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 30}},
		"copies":                                {copies: 3, answer: "54455455555n", want: [2]int{0, 3}},
		"two alike":                             {copies: 2, answer: "54455455555n"},
		"all one level":                         {copies: 9, answer: "555555555555"},
		"two off the commonest":                 {copies: 9, answer: odd},
		"ten levels":                            {copies: 3, answer: "4445555555nn", want: [2]int{0, 3}},
		"nine levels":                           {copies: 9, answer: "444555555nnn"},
		"one in fifty":                          {copies: 4, others: 196, answer: "54455455555n", want: [2]int{0, 4}},
		"fewer":                                 {copies: 4, others: 197, answer: "54455455555n"},
		"copies on paper":                       {copies: 3, answer: "54455455555n", paper: true, want: [2]int{0, 3}},
		"copies in a drawn unit":                {copies: 3, answer: "54455455555n", paper: true, drawn: true, want: [2]int{0, 3}},
	} {
		w := &markWorld{index: map[MarkPlace]uint32{}}
		place := w.number(MarkPlace{Stands: true, Timed: !c.paper})
		b, n := NewBuilder(12, false), uint64(0)
		put := func(day, hour int, answers string) {
			n++
			r := Row{PSU: 7<<32 | uint64(day), Day: uint16(day), Hour: uint8(hour), Place: place, Answers: answers}
			binary.BigEndian.PutUint64(r.ID[:], n)
			if err := b.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		for i, k := range c.hours {
			for range k {
				put(i/8, 8+i%8, "555555555555")
			}
		}
		for i := range c.copies {
			put(0, 8+i%9, c.answer)
		}
		for i := range c.others {
			put(0, 8+i%9, strings.NewReplacer("0", "4", "1", "3").Replace(fmt.Sprintf("%08b", i))+"5555")
		}
		blocks := []*Rows{b.Build(), nil}
		got := [2]int{}
		for _, f := range w.flags(w.mark(!c.drawn, blocks, blocks[0].Keys())) {
			if f&survey.FlagBurst != 0 {
				got[0]++
			}
			if f&survey.FlagDuplicatePattern != 0 {
				got[1]++
			}
		}
		if got != c.want {
			t.Errorf("%s: %v marked, want %v", name, got, c.want)
		}
	}
}

// TestMarkOtherDays: an answer on one day changes what is usual at the desk, and
// so the flags of other days; copies there stay what they are.
func TestMarkOtherDays(t *testing.T) {
	w := &markWorld{index: map[MarkPlace]uint32{}}
	place := w.number(MarkPlace{Stands: true, Timed: true})
	block := func(day int, hours int, each int, answers string) *Rows {
		b := NewBuilder(12, false)
		for i := range hours * each {
			r := Row{PSU: 7<<32 | uint64(day), Day: uint16(day), Hour: uint8(8 + i%hours), Place: place, Answers: answers}
			binary.BigEndian.PutUint64(r.ID[:], uint64(day*1000+i))
			if err := b.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		return b.Build()
	}
	count := func(blocks []*Rows) (bursts, copies int) {
		for _, f := range w.flags(blocks) {
			bursts += int(f & survey.FlagBurst / survey.FlagBurst)
			copies += int(f & survey.FlagDuplicatePattern / survey.FlagDuplicatePattern)
		}
		return bursts, copies
	}
	first, second := block(0, 7, 40, "54455455555n"), block(1, 1, 40, "555555555555")
	blocks := w.mark(true, []*Rows{first, nil}, first.Keys())
	if bursts, copies := count(blocks); bursts != 280 || copies != 280 {
		t.Fatalf("seven hours: %d, %d", bursts, copies)
	}
	blocks = w.mark(true, []*Rows{blocks[0], second}, second.Keys())
	if bursts, copies := count(blocks); bursts != 0 || copies != 280 {
		t.Errorf("an eighth: %d, %d", bursts, copies)
	}
	blocks = w.mark(true, []*Rows{blocks[0], nil}, blocks[1].Lost(nil))
	if bursts, copies := count(blocks); bursts != 280 || copies != 280 {
		t.Errorf("without it: %d, %d", bursts, copies)
	}
}

// TestHonestHours: people who come at random, three times as often at nine as at
// five and on some days half as many again, are hardly ever taken for a burst,
// however many an hour are usual.
func TestHonestHours(t *testing.T) {
	rush := []float64{0.8, 1.8, 1.5, 1, 0.8, 1.2, 0.9, 0.6}
	for seed := range uint64(3) {
		for _, usual := range []float64{0.5, 3, 8, 15, 30, 60} {
			rng := rand.New(rand.NewPCG(seed, uint64(usual*10)))
			w := &markWorld{index: map[MarkPlace]uint32{}}
			place := w.number(MarkPlace{Stands: true, Timed: true})
			b := NewBuilder(12, false)
			for desk := range 5 {
				for day := range 40 {
					crowd := usual * math.Exp(0.3*rng.NormFloat64())
					for i, share := range rush {
						for range int(distuv.Poisson{Lambda: crowd * share, Src: rng}.Rand()) {
							r := Row{PSU: uint64(desk)<<32 | uint64(day), Day: uint16(day), Hour: uint8(8 + i), Place: place, Answers: "555555555555"}
							binary.BigEndian.PutUint64(r.ID[:], uint64(b.Len()))
							if err := b.Add(r); err != nil {
								t.Fatal(err)
							}
						}
					}
				}
			}
			rows, marked := b.Build(), 0
			for _, f := range w.flags(w.mark(true, []*Rows{rows}, rows.Keys())) {
				if f != 0 {
					marked++
				}
			}
			share := float64(marked) / float64(rows.Len())
			t.Logf("%v an hour: %.3f%% of %d", usual, 100*share, rows.Len())
			if share > 0.005 {
				t.Errorf("%v an hour, seed %d: %.2f%% marked", usual, seed, 100*share)
			}
		}
	}
}

// BenchmarkMark marks a million answers in 54,000 desk-days: all of them, as at
// the start, and again after one more at each of 600 desks.
func BenchmarkMark(b *testing.B) {
	plan, rows := benchRound(1_000_000)
	for i := range rows.hour {
		rows.hour[i] = 7 + uint8(i%9)
	}
	m := &Marker{Desks: true, Places: make([]MarkPlace, len(plan.Places)), Replace: func(place uint32, _ survey.Flags) uint32 { return place }}
	for i := range m.Places {
		m.Places[i] = MarkPlace{Stands: true, Timed: true}
	}
	var few []uint64
	for i, key := range rows.Keys() {
		if i == 0 || key>>32 != rows.Keys()[i-1]>>32 {
			few = append(few, key)
		}
	}
	for name, changed := range map[string][]uint64{"all": rows.Keys(), fmt.Sprintf("%d desk-days", len(few)): few} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				m.Mark([]*Rows{rows}, changed)
			}
		})
	}
}
