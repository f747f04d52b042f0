package stats

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// unitsTable makes units and their whole of numbers satisfied and others.
func unitsTable(units ...ItemSplit) Table {
	all := TableCell{ID: "all", Items: make([]ItemSplit, 1)}
	var t Table
	for i, s := range units {
		t.Cells = append(t.Cells, TableCell{ID: string(rune('a' + i)), Whole: "all", Split: "unit", N: s.Satisfied + s.Other, Items: []ItemSplit{s}})
		all.N += s.Satisfied + s.Other
		all.Items[0].Satisfied += s.Satisfied
		all.Items[0].Other += s.Other
	}
	t.Cells = append(t.Cells, all)
	return t
}

// outcome writes what is shown of each cell: the picture's number, or p or c.
func outcome(cells []Protection) string {
	var words []string
	for _, c := range cells {
		word := fmt.Sprint(c.Picture)
		if c.Hidden != Shown {
			word = c.Hidden.String()[:1]
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestProtect(t *testing.T) {
	for _, c := range []struct {
		name     string
		pictures []Table
		want     string // a, b, c, all
	}{
		{"large cells", []Table{unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}, ItemSplit{30, 5})}, "0 0 0 0"},
		{"a small cell and the smallest other", []Table{unitsTable(ItemSplit{3, 1}, ItemSplit{20, 9}, ItemSplit{15, 5})}, "p 0 c 0"},
		{"five who differ", []Table{unitsTable(ItemSplit{4, 1}, ItemSplit{20, 9}, ItemSplit{15, 5})}, "0 0 0 0"},
		{"nine who agree", []Table{unitsTable(ItemSplit{9, 0}, ItemSplit{20, 9}, ItemSplit{15, 5})}, "p 0 c 0"},
		{"nine of whom none is satisfied", []Table{unitsTable(ItemSplit{0, 9}, ItemSplit{20, 9}, ItemSplit{15, 5})}, "p 0 c 0"},
		{"ten who agree", []Table{unitsTable(ItemSplit{10, 0}, ItemSplit{20, 9}, ItemSplit{15, 5})}, "0 0 0 0"},
		{"two small cells that are few together", []Table{unitsTable(ItemSplit{1, 2}, ItemSplit{3, 1}, ItemSplit{15, 5})}, "p p c 0"},
		{"two small cells of enough together", []Table{unitsTable(ItemSplit{2, 2}, ItemSplit{6, 0}, ItemSplit{15, 5})}, "p p 0 0"},
		{"nobody", []Table{unitsTable(ItemSplit{}, ItemSplit{20, 9}, ItemSplit{15, 5})}, "0 0 0 0"},
		{"too few in all", []Table{unitsTable(ItemSplit{1, 1}, ItemSplit{1, 0}, ItemSplit{})}, "p p p p"},
		{"nine more of one, and the fewest others", []Table{unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}, ItemSplit{30, 5}),
			unitsTable(ItemSplit{13, 8}, ItemSplit{40, 19}, ItemSplit{60, 15})}, "0 0 1 1"},
		{"ten more", []Table{unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}, ItemSplit{30, 5}),
			unitsTable(ItemSplit{14, 8}, ItemSplit{40, 19}, ItemSplit{60, 15})}, "1 1 1 1"},
		{"nobody more", []Table{unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}, ItemSplit{30, 5}),
			unitsTable(ItemSplit{8, 4}, ItemSplit{40, 19}, ItemSplit{60, 15})}, "1 1 1 1"},
		{"one withdrew and many came", []Table{unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}, ItemSplit{30, 5}),
			unitsTable(ItemSplit{28, 3}, ItemSplit{40, 19}, ItemSplit{60, 15})}, "0 0 1 1"},
		{"too few more in all", []Table{unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}, ItemSplit{30, 5}),
			unitsTable(ItemSplit{9, 4}, ItemSplit{21, 9}, ItemSplit{36, 5})}, "0 0 0 0"},
		{"a unit that is new", []Table{unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}),
			unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}, ItemSplit{12, 5})}, "1 1 1 1"},
		{"a unit that is gone", []Table{unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}, ItemSplit{12, 5}),
			unitsTable(ItemSplit{18, 14}, ItemSplit{40, 9})}, "0 0 1"},
		// Enough came to a and to b since the first picture. But to both together
		// only five since the second: b waits, and c, so that b's two do not show.
		{"a sum that would be lost", []Table{unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}, ItemSplit{30, 5}),
			unitsTable(ItemSplit{12, 8}, ItemSplit{24, 13}, ItemSplit{40, 15}), unitsTable(ItemSplit{14, 9}, ItemSplit{25, 14}, ItemSplit{50, 25})}, "2 0 1 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before Disclosed
			var cells []Protection
			for _, now := range c.pictures {
				var err error
				if before, cells, err = Protect(before, now, DefaultDisclosure()); err != nil {
					t.Fatal(err)
				}
			}
			if got := outcome(cells); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestProtectRefuses(t *testing.T) {
	first, _, err := Protect(Disclosed{}, unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9}), DefaultDisclosure())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		rules  DisclosureRules
		change func(t *Table)
		want   string
	}{
		{"rules", DisclosureRules{MinN: 5, MinUnanimous: 4, MinChange: 1}, func(*Table) {}, "rules"},
		{"a cell twice", DefaultDisclosure(), func(t *Table) { t.Cells = append(t.Cells, t.Cells[0]) }, "twice"},
		{"other items", DefaultDisclosure(), func(t *Table) { t.Cells[1].Items = nil }, "items"},
		{"other items than before", DefaultDisclosure(), func(t *Table) {
			for i := range t.Cells {
				t.Cells[i].Items = nil
			}
		}, "had 1"},
		{"more answers than people", DefaultDisclosure(), func(t *Table) { t.Cells[0].Items = []ItemSplit{{9, 9}} }, "more answers"},
		{"fewer than none", DefaultDisclosure(), func(t *Table) { t.Cells[0].Items = []ItemSplit{{-1, 4}} }, "fewer than none"},
		{"an unknown whole", DefaultDisclosure(), func(t *Table) { t.Cells = append(t.Cells, TableCell{ID: "y", Whole: "z", Items: make([]ItemSplit, 1)}) }, `part of "z"`},
		{"another whole", DefaultDisclosure(), func(t *Table) { t.Cells[0].Whole = "b" }, `was a part of "all"`},
		{"another split", DefaultDisclosure(), func(t *Table) { t.Cells[0].Split = "desk" }, `was a part of "all"`},
		{"two roots", DefaultDisclosure(), func(t *Table) { t.Cells = append(t.Cells, TableCell{ID: "y", Items: make([]ItemSplit, 1)}) }, "parts of nothing"},
		{"a circle", DefaultDisclosure(), func(t *Table) {
			t.Cells = append(t.Cells, TableCell{ID: "y", Whole: "z", Items: make([]ItemSplit, 1)}, TableCell{ID: "z", Whole: "y", Items: make([]ItemSplit, 1)})
		}, "parts of themselves"},
		{"more in the parts", DefaultDisclosure(), func(t *Table) { t.Cells[0].N, t.Cells[0].Items[0].Satisfied = 13, 9 }, "have more people"},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := unitsTable(ItemSplit{8, 4}, ItemSplit{20, 9})
			c.change(&now)
			if _, _, err := Protect(first, now, c.rules); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
	if _, _, err := Protect(Disclosed{}, Table{}, DefaultDisclosure()); err == nil {
		t.Error("a table without cells is taken")
	}
}

// The order of cells decides nothing, nor that what is known was stored between
// two pictures.
func TestProtectOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 1))
		w, rules := scenarios[6].draw(seed)
		var straight, mixed Disclosed
		for at := range w.pictures {
			now := w.table(at, rules)
			other := Table{Cells: slices.Clone(now.Cells)}
			rng.Shuffle(len(other.Cells), func(i, j int) { other.Cells[i], other.Cells[j] = other.Cells[j], other.Cells[i] })
			stored, err := json.Marshal(straight)
			if err != nil {
				t.Fatal(err)
			}
			straight = Disclosed{}
			if err := json.Unmarshal(stored, &straight); err != nil {
				t.Fatal(err)
			}
			var a, b []Protection
			if straight, a, err = Protect(straight, now, DefaultDisclosure()); err != nil {
				t.Fatal(err)
			}
			if mixed, b, err = Protect(mixed, other, DefaultDisclosure()); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(straight, mixed) {
				t.Fatalf("picture %d: known %+v in order, %+v mixed", at, straight, mixed)
			}
			for i, c := range now.Cells {
				j := slices.IndexFunc(other.Cells, func(o TableCell) bool { return o.ID == c.ID })
				if a[i] != b[j] {
					t.Fatalf("picture %d, %s: %v in order, %v mixed", at, c.ID, a[i], b[j])
				}
			}
		}
	})
}

// Every number of people by unit and field that agrees with what is shown, counted
// out.
func TestEnumerationFindsNothing(t *testing.T) {
	const units, fields = 3, 2
	rapid.Check(t, func(t *rapid.T) {
		w := crowd{units: units, fields: fields + 1, desks: 1, pictures: 1}
		counts := rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 2, 3, 5, 7}), units*fields, units*fields).Draw(t, "counts")
		for i, n := range counts {
			for range n {
				w.citizens = append(w.citizens, citizen{unit: i / fields, field: i % fields, leaves: 1})
			}
		}
		rules := unitsAndFields(&w)
		table := w.table(0, rules)
		_, p, err := Protect(Disclosed{}, table, DefaultDisclosure())
		if err != nil {
			t.Fatal(err)
		}
		// What each cell is made of, one bit a unit and field.
		masks := make([]uint, len(rules))
		for i := range rules {
			for j := range counts {
				if rules[i].in(&citizen{unit: j / fields, field: j % fields}) {
					masks[i] |= 1 << j
				}
			}
		}
		low, high := make([]int, len(rules)), make([]int, len(rules))
		for i := range low {
			low[i] = 1 << 30
		}
		// Nobody can be more than a shown cell around him; where there is none
		// anything goes, and MinN and more is enough.
		most := make([]int, len(counts))
		for j := range most {
			most[j] = 1 << 30
			for i := range rules {
				if p[i].Hidden == Shown && masks[i]>>j&1 == 1 {
					most[j] = min(most[j], table.Cells[i].N)
				}
			}
			if most[j] == 1<<30 {
				most[j] = 6
			}
		}
		values := make([]int, len(counts))
		in := func(i, upTo int) int {
			n := 0
			for j := range upTo {
				if masks[i]>>j&1 == 1 {
					n += values[j]
				}
			}
			return n
		}
		var try func(j int)
		try = func(j int) {
			for i := range rules {
				if n := in(i, j); p[i].Hidden == Shown && (n > table.Cells[i].N || masks[i]>>j == 0 && n < table.Cells[i].N) {
					return
				}
			}
			if j == len(values) {
				for i := range rules {
					low[i], high[i] = min(low[i], in(i, j)), max(high[i], in(i, j))
				}
				return
			}
			for values[j] = 0; values[j] <= most[j]; values[j]++ {
				try(j + 1)
			}
			values[j] = 0
		}
		try(0)
		for i, c := range p {
			n := table.Cells[i].N
			if c.Hidden == Shown {
				continue
			}
			if n < 5 && high[i]-low[i] < 4 {
				t.Errorf("%s has %d, found %d to %d", rules[i].id, n, low[i], high[i])
			}
		}
	})
}
