package stats

import (
	"math"
	"reflect"
	"testing"
)

// TestWeighCells states the rule of merging by examples. Units are 0 unless
// the case says otherwise.
func TestWeighCells(t *testing.T) {
	type outcome struct {
		members []int32
		n       float64
		answers int
		reason  string
		exceeds bool
	}
	cell := func(filing int32, n float64) Cell { return Cell{Filing: filing, N: n, Known: true} }
	unknown := func(filing int32) Cell { return Cell{Filing: filing} }
	for _, c := range []struct {
		name      string
		cells     []Cell
		answers   []int
		want      []outcome
		exceeding []int32
	}{
		{"enough everywhere", []Cell{cell(0, 100), cell(0, 300)}, []int{10, 20},
			[]outcome{{[]int32{0}, 100, 10, "", false}, {[]int32{1}, 300, 20, "", false}}, nil},
		{"the smallest into the next smallest of its filing channel",
			[]Cell{cell(0, 100), cell(1, 50), cell(0, 300), cell(0, 80)}, []int{9, 10, 30, 20},
			[]outcome{{[]int32{0, 3}, 180, 29, "", false}, {[]int32{1}, 50, 10, "", false}, {[]int32{2}, 300, 30, "", false}}, nil},
		{"ten are enough, in the unit too", []Cell{cell(0, 100)}, []int{10},
			[]outcome{{[]int32{0}, 100, 10, "", false}}, nil},
		{"as many answers as results", []Cell{cell(0, 12), cell(0, 12), cell(0, 8)}, []int{12, 4, 8},
			[]outcome{{[]int32{0}, 12, 12, "", false}, {[]int32{1, 2}, 20, 12, "", false}}, nil},
		{"again until ten", []Cell{cell(0, 10), cell(0, 20), cell(0, 30), cell(0, 400)}, []int{2, 3, 4, 50},
			[]outcome{{[]int32{0, 1, 2, 3}, 460, 59, "", false}}, nil},
		{"ties by number", []Cell{cell(0, 10), cell(0, 20), cell(0, 30), cell(0, 40)}, []int{5, 5, 10, 10},
			[]outcome{{[]int32{0, 1}, 30, 10, "", false}, {[]int32{2}, 30, 10, "", false}, {[]int32{3}, 40, 10, "", false}}, nil},
		{"ties by number, of three", []Cell{cell(0, 30), cell(0, 20), cell(0, 10)}, []int{6, 6, 6},
			[]outcome{{[]int32{0, 1, 2}, 60, 18, "", false}}, nil},
		{"ties by number, of those to merge into", []Cell{cell(0, 100), cell(0, 10), cell(0, 200), cell(0, 300)}, []int{12, 3, 12, 12},
			[]outcome{{[]int32{0, 1}, 110, 15, "", false}, {[]int32{2}, 200, 12, "", false}, {[]int32{3}, 300, 12, "", false}}, nil},
		{"ties by number, of those that lack answers", []Cell{cell(0, 100), cell(0, 10), cell(0, 200), cell(0, 20)}, []int{30, 9, 12, 9},
			[]outcome{{[]int32{0}, 100, 30, "", false}, {[]int32{1, 3}, 30, 18, "", false}, {[]int32{2}, 200, 12, "", false}}, nil},
		{"ties by number, of the first member when merged", []Cell{cell(0, 5), cell(0, 100), cell(0, 7), cell(0, 70)}, []int{5, 10, 5, 9},
			[]outcome{{[]int32{0, 2, 3}, 82, 19, "", false}, {[]int32{1}, 100, 10, "", false}}, nil},
		{"then of the unit", []Cell{cell(0, 10), cell(1, 200), cell(2, 300)}, []int{4, 40, 30},
			[]outcome{{[]int32{0, 2}, 310, 34, "", false}, {[]int32{1}, 200, 40, "", false}}, nil},
		{"transactions without answers", []Cell{cell(0, 70), cell(0, 100)}, []int{0, 25},
			[]outcome{{[]int32{0, 1}, 170, 25, "", false}}, nil},
		{"answers without a population record", []Cell{unknown(0), cell(0, 100), cell(0, 200)}, []int{40, 30, 20},
			[]outcome{{[]int32{0, 1, 2}, 300, 90, "", false}}, nil},
		{"a filing not said: all cells, not the smallest", []Cell{{AnyFiling: true}, cell(0, 5000), cell(1, 40)}, []int{60, 100, 12},
			[]outcome{{[]int32{0, 1, 2}, 5040, 172, "", false}}, nil},
		{"a field not said: the cells of its filing", []Cell{{AnyField: true}, cell(0, 500), cell(0, 400), cell(1, 300)}, []int{60, 100, 50, 30},
			[]outcome{{[]int32{0, 1, 2}, 900, 210, "", false}, {[]int32{3}, 300, 30, "", false}}, nil},
		{"no results returned", []Cell{cell(0, 0), cell(1, 100)}, []int{15, 30},
			[]outcome{{[]int32{0, 1}, 100, 45, "", true}}, []int32{0}},
		{"no results returned in the unit", []Cell{cell(0, 0), cell(1, 0)}, []int{15, 30},
			[]outcome{{[]int32{0, 1}, 0, 45, ReasonUncovered, true}}, []int32{0, 1}},
		{"too few in the unit", []Cell{cell(0, 40), cell(1, 60)}, []int{5, 4},
			[]outcome{{[]int32{0, 1}, 100, 9, ReasonUncovered, false}}, nil},
		{"no population in the unit", []Cell{unknown(0), unknown(1)}, []int{50, 4},
			[]outcome{{[]int32{0, 1}, 0, 54, ReasonNoPopulation, false}}, nil},
		{"more answers than results returned", []Cell{cell(0, 12), cell(0, 300)}, []int{13, 20},
			[]outcome{{[]int32{0}, 12, 13, "", true}, {[]int32{1}, 300, 20, "", false}}, []int32{0}},
		{"more in a member", []Cell{cell(0, 3), cell(0, 300)}, []int{5, 20},
			[]outcome{{[]int32{0, 1}, 303, 25, "", true}}, []int32{0}},
		{"more after merging only", []Cell{unknown(0), cell(0, 25)}, []int{9, 20},
			[]outcome{{[]int32{0, 1}, 25, 29, "", true}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := weighCells(&Plan{Cells: c.cells, Units: 1}, c.answers)
			var got []outcome
			for i, x := range w.cells {
				got = append(got, outcome{x.Members, x.N, x.Answers, x.Reason, x.Exceeds})
				want := 0.0
				if x.Reason == "" {
					want = x.N / float64(x.Answers)
				}
				if x.Weight != want {
					t.Errorf("weight of %v is %v, want %v", x.Members, x.Weight, want)
				}
				for _, m := range x.Members {
					if w.of[m] != int32(i) {
						t.Errorf("cell %d is in %d, want %d", m, w.of[m], i)
					}
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %v\nwant %v", got, c.want)
			}
			if !reflect.DeepEqual(w.exceeding, c.exceeding) || w.units[0].Exceeds != (c.want[0].exceeds) {
				t.Errorf("exceeding %v, unit %t; want %v", w.exceeding, w.units[0].Exceeds, c.exceeding)
			}
		})
	}
}

func TestWeighCellsUnits(t *testing.T) {
	plan := &Plan{Units: 3, Cells: []Cell{{Unit: 0, N: 100, Known: true}, {Unit: 2, N: 30, Known: true}, {Unit: 1, N: 900, Known: true}}}
	w := weighCells(plan, []int{10, 3, 30})
	want := []UnitState{{Answers: 10, Population: 100}, {Answers: 30, Population: 900}, {Answers: 3, Population: 30, Reason: ReasonUncovered}}
	if !reflect.DeepEqual(w.units, want) {
		t.Errorf("units %+v, want %+v", w.units, want)
	}
	if w.ratio != 3 {
		t.Errorf("ratio %v, want 30/10", w.ratio)
	}
	if !reflect.DeepEqual(w.of, []int32{0, 2, 1}) {
		t.Errorf("cells in the order of units: %v", w.of)
	}
}

// TestWeighCellsSpread: a few answers without a record leave the detail of the
// unit, and the population is counted once.
func TestWeighCellsSpread(t *testing.T) {
	plan := &Plan{Units: 1, Cells: []Cell{{N: 1000, Known: true}, {Filing: 1, N: 600, Known: true}, {AnyField: true, AnyFiling: true}}}
	answers := []int{100, 300, 8}
	w := weighCells(plan, answers)
	if len(w.cells) != 3 || !w.cells[2].Spread || w.cells[2].N != 0 || w.units[0].Population != 1600 || w.units[0].Exceeds {
		t.Fatalf("%+v", w)
	}
	factor := 1600 / (1600 + 8*4.0)
	sum := 0.0
	for i, want := range []float64{10, 2, 4} {
		if math.Abs(w.cells[i].Weight-want*factor) > 1e-12 {
			t.Errorf("weight %d is %v, want %v", i, w.cells[i].Weight, want*factor)
		}
		sum += w.cells[i].Weight * float64(answers[i])
	}
	if math.Abs(sum-1600) > 1e-9 || math.Abs(w.ratio-5) > 1e-12 {
		t.Errorf("weights sum to %v, ratio %v", sum, w.ratio)
	}
	// Of one answer in twenty and more nobody says where it belongs: then everything is one cell.
	for _, c := range []struct {
		answers []int
		spread  bool
	}{{[]int{57, 38, 5}, false}, {[]int{58, 38, 5}, true}, {[]int{57, 38, 4}, true}, {[]int{57, 38, 6}, false}} {
		if w := weighCells(plan, c.answers); c.spread != (len(w.cells) == 3) || c.spread && !w.cells[2].Spread {
			t.Errorf("%v: %+v", c.answers, w.cells)
		}
	}
	// As many answers as results do not exceed.
	if w := weighCells(plan, []int{1000, 592, 8}); w.cells[2].Exceeds || w.units[0].Exceeds {
		t.Errorf("as many answers as results: %+v", w)
	}
	if w := weighCells(plan, []int{1000, 597, 8}); !w.cells[2].Exceeds || w.cells[0].Exceeds || !w.units[0].Exceeds {
		t.Errorf("more answers than results with the spread ones: %+v", w)
	}
}
