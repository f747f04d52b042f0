package stats

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// unitsTable makes units and their whole of numbers satisfied and others.
func unitsTable(units ...Split) Table {
	all := TableCell{ID: "all", Items: make([]Split, 1)}
	t := Table{Sums: []TableSum{{Whole: "all"}}}
	for i, s := range units {
		id := string(rune('a' + i))
		t.Cells = append(t.Cells, TableCell{ID: id, N: s.Satisfied + s.Other, Items: []Split{s}})
		t.Sums[0].Parts = append(t.Sums[0].Parts, id)
		all.N += s.Satisfied + s.Other
		all.Items[0].Satisfied += s.Satisfied
		all.Items[0].Other += s.Other
	}
	t.Cells = append(t.Cells, all)
	return t
}

// outcome writes what is shown of each cell: the picture's number, or p or c.
func outcome(p Protected) string {
	var words []string
	for _, c := range p.Cells {
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
		{"large cells", []Table{unitsTable(Split{8, 4}, Split{20, 9}, Split{30, 5})}, "0 0 0 0"},
		{"a small cell and the smallest other", []Table{unitsTable(Split{3, 1}, Split{20, 9}, Split{15, 5})}, "p 0 c 0"},
		{"five who differ", []Table{unitsTable(Split{4, 1}, Split{20, 9}, Split{15, 5})}, "0 0 0 0"},
		{"nine who agree", []Table{unitsTable(Split{9, 0}, Split{20, 9}, Split{15, 5})}, "p 0 c 0"},
		{"nine of whom none is satisfied", []Table{unitsTable(Split{0, 9}, Split{20, 9}, Split{15, 5})}, "p 0 c 0"},
		{"ten who agree", []Table{unitsTable(Split{10, 0}, Split{20, 9}, Split{15, 5})}, "0 0 0 0"},
		{"two small cells that are few together", []Table{unitsTable(Split{1, 0}, Split{1, 1}, Split{15, 5})}, "p p c 0"},
		{"two small cells of enough together", []Table{unitsTable(Split{2, 2}, Split{2, 2}, Split{15, 5})}, "p p 0 0"},
		{"nobody", []Table{unitsTable(Split{}, Split{20, 9}, Split{15, 5})}, "p 0 c 0"},
		{"nine more", []Table{unitsTable(Split{8, 4}, Split{20, 9}, Split{30, 5}),
			unitsTable(Split{13, 8}, Split{40, 19}, Split{60, 15})}, "0 0 1 1"},
		{"ten more", []Table{unitsTable(Split{8, 4}, Split{20, 9}, Split{30, 5}),
			unitsTable(Split{14, 8}, Split{40, 19}, Split{60, 15})}, "1 1 1 1"},
		{"nobody more", []Table{unitsTable(Split{8, 4}, Split{20, 9}, Split{30, 5}),
			unitsTable(Split{8, 4}, Split{40, 19}, Split{60, 15})}, "1 1 1 1"},
		{"one withdrew and many came", []Table{unitsTable(Split{8, 4}, Split{20, 9}, Split{30, 5}),
			unitsTable(Split{28, 3}, Split{40, 19}, Split{60, 15})}, "0 0 1 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var history []Protected
			for _, now := range c.pictures {
				p, err := Protect(history, now, DefaultDisclosure())
				if err != nil {
					t.Fatal(err)
				}
				history = append(history, p)
			}
			if got := outcome(history[len(history)-1]); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestProtectRefuses(t *testing.T) {
	good := unitsTable(Split{8, 4}, Split{20, 9})
	first, err := Protect(nil, good, DefaultDisclosure())
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
		{"a missing cell", DefaultDisclosure(), func(t *Table) { *t = unitsTable(Split{8, 4}) }, "missing"},
		{"other items", DefaultDisclosure(), func(t *Table) { t.Cells[0].Items = nil }, "items"},
		{"more answers than people", DefaultDisclosure(), func(t *Table) { t.Cells[0].Items = []Split{{9, 9}} }, "9 satisfied"},
		{"an unknown part", DefaultDisclosure(), func(t *Table) { t.Sums[0].Parts = []string{"a", "z"} }, `no cell "z"`},
		{"a part twice", DefaultDisclosure(), func(t *Table) { t.Sums[0].Parts = []string{"a", "a"} }, "in it twice"},
		{"no parts", DefaultDisclosure(), func(t *Table) { t.Sums[0].Parts = nil }, "no parts"},
		{"a wrong sum", DefaultDisclosure(), func(t *Table) { t.Cells[0].N++ }, "not the sum"},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := unitsTable(Split{8, 4}, Split{20, 9})
			c.change(&now)
			if _, err := Protect([]Protected{first}, now, c.rules); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in it", err, c.want)
			}
		})
	}
	if _, err := Protect([]Protected{{Table: good}}, good, DefaultDisclosure()); err == nil {
		t.Error("a history without protection is taken")
	}
}

// The order of cells, sums and parts decides nothing.
func TestProtectOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		rng := rand.New(rand.NewPCG(seed, 1))
		w, rules, sums := scenarios[5].draw(seed)
		var straight, mixed []Protected
		for at := range w.pictures {
			now := w.table(at, rules, sums)
			other := Table{Cells: slices.Clone(now.Cells)}
			for _, s := range now.Sums {
				s.Parts = slices.Clone(s.Parts)
				rng.Shuffle(len(s.Parts), func(i, j int) { s.Parts[i], s.Parts[j] = s.Parts[j], s.Parts[i] })
				other.Sums = append(other.Sums, s)
			}
			rng.Shuffle(len(other.Sums), func(i, j int) { other.Sums[i], other.Sums[j] = other.Sums[j], other.Sums[i] })
			rng.Shuffle(len(other.Cells), func(i, j int) { other.Cells[i], other.Cells[j] = other.Cells[j], other.Cells[i] })
			a, err := Protect(straight, now, DefaultDisclosure())
			if err != nil {
				t.Fatal(err)
			}
			b, err := Protect(mixed, other, DefaultDisclosure())
			if err != nil {
				t.Fatal(err)
			}
			straight, mixed = append(straight, a), append(mixed, b)
			for i, c := range now.Cells {
				j := slices.IndexFunc(other.Cells, func(o TableCell) bool { return o.ID == c.ID })
				if a.Cells[i] != b.Cells[j] {
					t.Fatalf("picture %d, %s: %v in order, %v mixed", at, c.ID, a.Cells[i], b.Cells[j])
				}
			}
		}
	})
}

// Every table of whole numbers that agrees with what is shown, counted out.
func TestEnumerationFindsNothing(t *testing.T) {
	const units, fields = 3, 2
	rapid.Check(t, func(t *rapid.T) {
		w := crowd{units: units, fields: fields, channels: 1, pictures: 1}
		counts := rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 2, 3, 5, 7}), units*fields, units*fields).Draw(t, "counts")
		for i, n := range counts {
			for range n {
				w.citizens = append(w.citizens, citizen{unit: i / fields, field: i % fields, leaves: 1})
			}
		}
		rules, sums := crossTables(&w)
		p, err := Protect(nil, w.table(0, rules, sums), DefaultDisclosure())
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
				if p.Cells[i].Hidden == Shown && masks[i]>>j&1 == 1 {
					most[j] = min(most[j], p.Table.Cells[i].N)
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
				if n := in(i, j); p.Cells[i].Hidden == Shown && (n > p.Table.Cells[i].N || masks[i]>>j == 0 && n < p.Table.Cells[i].N) {
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
		for i, c := range p.Cells {
			n := p.Table.Cells[i].N
			if c.Hidden == Shown {
				continue
			}
			if low[i] == high[i] || n < 5 && (low[i] > max(0, n-1) || high[i] < 4) {
				t.Errorf("%s has %d, found %d to %d", rules[i].id, n, low[i], high[i])
			}
		}
	})
}
