package stats

import (
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// smallPlan is a visitors' round of two units with two desks and one cell
// each; unit 0 has 100 results returned, unit 1 has 50.
func smallPlan(items int) *Plan {
	all := make([]int, items)
	for k := range all {
		all[k] = k
	}
	return &Plan{Items: items, Design: Visitors, Units: 2, By: ByPlace, Groups: 3,
		Factors: [][]int{all}, Methods: []Method{{Name: "mean-of-criteria", Version: "1", Combine: MeanOfItems, FactorWeights: []float64{1}}},
		Places: []Place{
			{Counted: true, In: true, Cell: 0, Unit: 0, Group: 0},
			{Counted: true, In: true, Cell: 1, Unit: 1, Group: 1},
			{Counted: false, In: true, Cell: 0, Unit: 0, Group: 0}},
		Persons: []Person{{In: true, Group: -1}},
		Strata:  []Stratum{{Unit: 0}, {Unit: 0}, {Unit: 1}, {Unit: 1}},
		Cells:   []Cell{{Unit: 0, N: 100, Known: true}, {Unit: 1, N: 50, Known: true}}}
}

// smallRows has n answers for each unit, alternating over two desks and three
// days; answer gives the answers of row i of a unit.
func smallRows(n int, answer func(unit, i int) string) []Row {
	var rows []Row
	for unit := range 2 {
		for i := range n {
			r := Row{PSU: uint64(2*unit+i%2)<<32 | uint64(i/2%3), Place: uint32(unit), Answers: answer(unit, i)}
			binary.BigEndian.PutUint64(r.ID[:], uint64(unit*n+i))
			rows = append(rows, r)
		}
	}
	return rows
}

func TestComputeEmpty(t *testing.T) {
	plan := smallPlan(3)
	for _, blocks := range [][]*Rows{nil, {nil}, {NewBuilder(3, false).Build()}} {
		r := compute(t, plan, blocks...)
		if r.Total.N != 0 || r.Total.Weighted != nil || r.Total.WeightedReason != ReasonNoAnswers || r.Total.UnweightedReason != ReasonNoAnswers {
			t.Errorf("total of an empty round: %+v", r.Total)
		}
		if len(r.Groups) != 3 || len(r.Total.Counts) != 3 || !r.Total.Incomplete {
			t.Errorf("empty round: %+v", r)
		}
		if r.Total.Population != 150 || !r.Total.PopulationKnown || r.Groups[1].Population != 50 {
			t.Errorf("population of an empty round: %+v, %+v", r.Total, r.Groups[1])
		}
		if r.Units[0].Reason != ReasonUncovered {
			t.Errorf("unit without answers: %+v", r.Units[0])
		}
	}
}

func TestComputeOneAnswer(t *testing.T) {
	plan := smallPlan(2)
	r := compute(t, plan, build(t, plan, smallRows(1, func(unit, i int) string { return "4n" })[:1]))
	e := r.Total.Unweighted
	if r.Total.WeightedReason != ReasonUncovered || e.N != 1 {
		t.Fatalf("total %+v", r.Total)
	}
	if it := e.Items[0]; !it.HasP || it.P != 1 || it.HasSE || it.Reason != ReasonTooFewPSUs {
		t.Errorf("item 0: %+v", it)
	}
	if it := e.Items[1]; it.HasP || it.Reason != ReasonNoAnswers || it.N != 0 {
		t.Errorf("item 1: %+v", it)
	}
	if ix := e.Index[0]; ix.HasP || ix.Reason != ReasonIncomplete {
		t.Errorf("index: %+v", ix)
	}
	if g := r.Groups[2]; g.N != 0 || g.Unweighted != nil || g.UnweightedReason != ReasonNoAnswers {
		t.Errorf("group without rows: %+v", g)
	}
}

func TestComputeUnanimous(t *testing.T) {
	plan := smallPlan(3)
	r := compute(t, plan, build(t, plan, smallRows(30, func(unit, i int) string { return "455" })))
	for _, e := range []*Estimates{r.Total.Weighted, r.Total.Unweighted, r.Groups[0].Weighted} {
		it, ix := e.Items[1], e.Index[0]
		if it.P != 1 || !it.HasSE || it.SE != 0 || it.NEff != float64(e.N) || it.HasDeff || it.CIMethod != MethodBeta || it.CI.High != 1 {
			t.Errorf("item: %+v", it)
		}
		if ix.P != 1 || ix.SE != 0 || ix.HasNEff || ix.CIMethod != MethodWilson || ix.CI.High != 1 || ix.CI.Low >= 1 {
			t.Errorf("index: %+v", ix)
		}
	}
	if w := r.Total.Weighted; math.Abs(w.SumWeights-150) > 1e-12 || w.N != 60 || w.PSUs != 12 || w.Strata != 4 {
		t.Errorf("weighted: %+v", w)
	}
	// Half of the days unanimous one way, half the other, at desks of their
	// own: no variation inside a stratum.
	r = compute(t, plan, build(t, plan, smallRows(30, func(unit, i int) string { return strings.Repeat(string("25"[i%2]), 3) })))
	if ix := r.Groups[0].Unweighted.Index[0]; ix.P != 0.5 || ix.SE != 0 || ix.HasCI || ix.Reason != ReasonNoVariation {
		t.Errorf("index without variation: %+v", ix)
	}
}

// TestComputeSingleDays: desks with one day pool inside their unit; a unit with
// one desk-day has no standard error but adds to the total's.
func TestComputeSingleDays(t *testing.T) {
	plan := smallPlan(1)
	rows := smallRows(30, func(unit, i int) string { return string("25"[(i/3+unit)%2]) })
	for i := range rows {
		unit, desk := rows[i].PSU>>33, rows[i].PSU>>32
		if unit == 0 {
			rows[i].PSU = desk << 32 // both desks one day
		} else {
			rows[i].PSU = 2 << 32 // one desk-day in all
		}
	}
	r := compute(t, plan, build(t, plan, rows))
	if e := r.Groups[0].Weighted; e.Strata != 1 || e.PSUs != 2 || !e.Items[0].HasSE || e.Items[0].DF != 1 {
		t.Errorf("unit of two single days: %+v", e)
	}
	if e := r.Groups[1].Weighted; e.Items[0].HasSE || e.Items[0].Reason != ReasonTooFewPSUs || !e.Items[0].HasP {
		t.Errorf("unit of one desk-day: %+v", e)
	}
	if e := r.Total.Unweighted; !e.Items[0].HasSE || e.Items[0].DF != 1 || r.LonelyPSUs != 1 {
		t.Errorf("total: %+v, %d lonely", e, r.LonelyPSUs)
	}
	// Weights of 100/30 and 50/30: z of the one desk-day is 0 after
	// post-stratification, so the total's variance is unit 0's share of it.
	total, unit := r.Total.Weighted.Items[0].SE, r.Groups[0].Weighted.Items[0].SE*100/150
	if math.Abs(total-unit) > 1e-12 {
		t.Errorf("total se %v, want %v", total, unit)
	}
}

// TestComputeDaysOutside: a filter by day is a domain, never a new weighting,
// and the desk-days outside stay in the design.
func TestComputeDaysOutside(t *testing.T) {
	plan := smallPlan(1)
	rows := smallRows(60, func(unit, i int) string { return string("2544"[(i/2+i/7)%4]) })
	for i := range rows {
		rows[i].Day = uint16(100 + rows[i].PSU&0xff)
	}
	plan.Days = &DayRange{101, 101}
	r := compute(t, plan, build(t, plan, rows))
	w := r.Total.Weighted
	if w.PSUs != 4 || w.Strata != 4 || w.Items[0].Reason != ReasonTooFewPSUs {
		t.Errorf("one day of three: %+v", w)
	}
	if math.Abs(w.SumWeights-50) > 1e-9 {
		t.Errorf("sum of weights %v, want a third of 150", w.SumWeights)
	}
	if r.Cells[0].Answers != 60 || r.PlaceRows[0] != 20 {
		t.Errorf("cell %+v, rows by place %v", r.Cells[0], r.PlaceRows)
	}
}

// TestComputeManyRows fills desk-days beyond what a byte can count, inside one
// weight cell and over the two of one group, with the largest number of items
// and one that ends inside a word.
func TestComputeManyRows(t *testing.T) {
	for _, items := range []int{33, 64} {
		rng := rand.New(rand.NewPCG(1, uint64(items)))
		plan := smallPlan(items)
		plan.Methods = append(plan.Methods, Method{Name: "pooled", Combine: Pooled, FactorWeights: []float64{1}})
		plan.Cells = append(plan.Cells, Cell{Unit: 1, Field: 1, N: 900, Known: true})
		plan.Places = append(plan.Places, Place{Counted: true, In: true, Cell: 2, Unit: 1, Group: 1})
		rows := smallRows(500, func(unit, i int) string {
			b := make([]byte, items)
			for k := range b {
				b[k] = '5'
				switch {
				case k == 1: // everybody has a level: its byte fills first
					b[k] = "15"[rng.IntN(2)]
				case rng.IntN(8) == 0:
					b[k] = codeChars[rng.IntN(Codes)]
				}
			}
			return string(b)
		})
		for i := range rows {
			// One desk a unit, nearly everybody on the first of two days.
			rows[i].PSU = rows[i].PSU >> 33 << 33
			if i%9 == 0 {
				rows[i].PSU |= 1
			}
			if rows[i].Place == 1 && i%2 == 0 {
				rows[i].Place = 3
			}
		}
		result := compute(t, plan, build(t, plan, rows))
		brute := newBrute(plan, rows)
		for g := -1; g < plan.Groups; g++ {
			for _, weighted := range []bool{true, false} {
				d := &result.Total
				if g >= 0 {
					d = &result.Groups[g]
				}
				got := d.Unweighted
				if weighted {
					got = d.Weighted
				}
				want := brute.estimates(g, weighted)
				if want == nil {
					continue
				}
				for j, e := range append(append(append([]Estimate(nil), got.Items...), got.Factors...), got.Index...) {
					if want[j].se < zeroSE {
						continue // both days alike by chance
					}
					if math.Abs(e.P-want[j].p) > 1e-12 || math.Abs(e.SE-want[j].se) > 1e-9*want[j].se || math.Abs(e.Deff-want[j].deff) > 1e-8*want[j].deff {
						t.Fatalf("%d items, group %d, weighted %t, estimate %d: %+v, want %+v", items, g, weighted, j, e, want[j])
					}
				}
			}
		}
	}
}

// TestComputePopulation: a domain's population is known where it is made of
// whole cells.
func TestComputePopulation(t *testing.T) {
	plan := smallPlan(1)
	plan.Cells = append(plan.Cells, Cell{Unit: 0, Field: 1, N: 7, Known: true}, Cell{Unit: 1, Field: 1})
	check := func(what string, d *Domain, results float64, known bool) {
		t.Helper()
		if d.Population != results || d.PopulationKnown != known {
			t.Errorf("%s: population %v (%t), want %v (%t)", what, d.Population, d.PopulationKnown, results, known)
		}
	}
	r := compute(t, plan)
	check("all", &r.Total, 157, true)
	check("unit 0 with the cell that no place has", &r.Groups[0], 107, true)
	check("unit 1", &r.Groups[1], 50, true)
	check("group without places", &r.Groups[2], 0, false)

	plan.Places[1].In = false
	r = compute(t, plan)
	check("filter by unit", &r.Total, 107, true)
	check("unit outside", &r.Groups[1], 0, false)

	plan.Places[2].In, plan.Places[2].Group = false, -1 // shares cell 0 with place 0
	r = compute(t, plan)
	check("a part of a cell", &r.Total, 0, false)
	check("a part of a cell as a group", &r.Groups[0], 0, false)

	plan.Places = append(plan.Places, Place{Counted: true, In: true, Cell: 2, Unit: 0, Group: 2})
	r = compute(t, plan)
	check("a whole cell and a part of one", &r.Total, 0, false)
	check("a whole cell", &r.Groups[2], 7, true)
}

func TestComputeRefuses(t *testing.T) {
	good := func() *Plan { return smallPlan(3) }
	rows := build(t, good(), smallRows(2, func(unit, i int) string { return "345" }))
	for name, change := range map[string]func(*Plan){
		"items of the block":     func(p *Plan) { p.Items = 4 },
		"no design":              func(p *Plan) { p.Design = "" },
		"level":                  func(p *Plan) { p.Level = 1 },
		"factor's item":          func(p *Plan) { p.Factors[0][0] = 3 },
		"empty factor":           func(p *Plan) { p.Factors[0] = nil },
		"weights not 1":          func(p *Plan) { p.Methods[0].FactorWeights[0] = 0.9 },
		"weight NaN":             func(p *Plan) { p.Methods[0].FactorWeights[0] = math.NaN() },
		"headline":               func(p *Plan) { p.Headline = 1 },
		"combine":                func(p *Plan) { p.Methods[0].Combine = "" },
		"place of rows":          func(p *Plan) { p.Places = p.Places[:1] },
		"person of rows":         func(p *Plan) { p.Persons = nil },
		"stratum of rows":        func(p *Plan) { p.Strata = p.Strata[:2] },
		"group":                  func(p *Plan) { p.Places[0].Group = 3 },
		"cell of a place":        func(p *Plan) { p.Places[0].Cell = -1 },
		"cell of another unit":   func(p *Plan) { p.Places[0].Cell = 1 },
		"unit of a stratum":      func(p *Plan) { p.Strata[0].Unit = 2 },
		"population of a cell":   func(p *Plan) { p.Cells[0].N = math.Inf(1) },
		"unit of a cell":         func(p *Plan) { p.Cells[0].Unit = -1 },
		"population of a strata": func(p *Plan) { p.Strata[0].PSUs = -1 },
		"probabilities":          func(p *Plan) { p.Inclusion = []float64{1, 1} },
		"probability of nothing": func(p *Plan) { p.Inclusion = []float64{1, 0, 1} },
		"probability above 1":    func(p *Plan) { p.Inclusion = []float64{1, 1, 1.1} },
	} {
		plan := good()
		change(plan)
		if _, err := Compute(plan, rows); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Compute(good(), rows); err != nil {
		t.Errorf("good plan: %v", err)
	}
}

func TestTranspose(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, width := range []int{64, 32} {
		var m [64]uint64
		for i := range m {
			m[i] = rng.Uint64() >> (64 - width)
		}
		was := m
		if width == 64 {
			transpose64(&m)
		} else {
			transpose32(&m)
		}
		for r := range was {
			for c := range width {
				if was[r]>>c&1 != m[c]>>r&1 {
					t.Fatalf("width %d: bit %d of word %d went elsewhere", width, c, r)
				}
			}
		}
	}
}

// TestQuadratic: the table of pairs gives the sum of squares of a linear
// function of the bits.
func TestQuadratic(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	const items = 3
	b := newBatch(1)
	var want float64
	c := []float64{0.3, -1, 2, 0, 5, -0.7}
	for range 50 {
		codes := rng.Uint64() & (1<<(4*items) - 1)
		b.words[0][b.n] = codes
		b.n++
		u := 0.0
		for k := range items {
			u += c[k]*float64(codes>>(4*k+3)&1) + c[items+k]*float64(codes>>(4*k+2)&1)
		}
		want += u * u
	}
	b.turn(items)
	pairs := make([]uint32, pairCount(items))
	b.countPairs(pairs, make([]uint64, 2*items))
	table := newCrossTable(items)
	table.fold(pairs, 2)
	if got := quadratic(table.plain, c); math.Abs(got-want) > 1e-9 {
		t.Errorf("sum of squares %v, want %v", got, want)
	}
	if got := quadratic(table.weighted, c); math.Abs(got-2*want) > 1e-9 {
		t.Errorf("weighted sum of squares %v, want %v", got, 2*want)
	}
	if bits.OnesCount64(b.words[0][3]) == 0 {
		t.Error("no answered bit in the batch")
	}
}

// TestComputeProcessors: the same bits come out on one processor and on many.
func TestComputeProcessors(t *testing.T) {
	plan, rows := benchRound(20_000)
	want := compute(t, plan, rows)
	for _, n := range []int{1, 3, 8} {
		t.Run("", func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			for range 3 {
				if got := compute(t, plan, rows); !reflect.DeepEqual(got, want) {
					t.Errorf("another result on %d processors", n)
				}
			}
		})
	}
}

// TestComputeExceedsDomains: one bad cell takes the total's verdict, and that
// of the groups that touch it only.
func TestComputeExceedsDomains(t *testing.T) {
	plan := smallPlan(1)
	plan.Cells[1].N = 0 // a record of 0
	r := compute(t, plan, build(t, plan, smallRows(20, func(unit, i int) string { return "4" })))
	if !r.Total.Exceeds || r.Groups[0].Exceeds || !r.Groups[1].Exceeds || r.Groups[2].Exceeds || !r.Units[1].Exceeds {
		t.Errorf("exceeds: total %t, groups %t %t %t", r.Total.Exceeds, r.Groups[0].Exceeds, r.Groups[1].Exceeds, r.Groups[2].Exceeds)
	}
	if r.Groups[1].WeightedReason != ReasonUncovered {
		t.Errorf("reason %q", r.Groups[1].WeightedReason)
	}
}

// TestComputeIncompleteWeighted: levels of uncovered units do not complete an
// item.
func TestComputeIncompleteWeighted(t *testing.T) {
	plan := smallPlan(1)
	rows := smallRows(12, func(unit, i int) string {
		if unit == 0 && i >= 3 {
			return "-"
		}
		return "4"
	})[:12+9]
	r := compute(t, plan, build(t, plan, rows))
	if r.Total.Incomplete || !r.Total.Weighted.Incomplete || r.Total.Unweighted.Incomplete || r.Total.Weighted.N != 12 {
		t.Errorf("incomplete: %t, weighted %t", r.Total.Incomplete, r.Total.Weighted.Incomplete)
	}
}

// TestComputeDayZero: a range that ends on day 0 holds that day only.
func TestComputeDayZero(t *testing.T) {
	plan := smallPlan(1)
	rows := smallRows(4, func(unit, i int) string { return "4" })
	rows[0].Day = 3
	plan.Days = &DayRange{}
	if n := compute(t, plan, build(t, plan, rows)).Total.N; n != 7 {
		t.Errorf("%d rows on day 0, want 7", n)
	}
}

// drawnPlan is smallPlan as a draw.
func drawnPlan() (*Plan, []Row) {
	plan := smallPlan(2)
	plan.Design = Drawn
	rows := smallRows(30, func(unit, i int) string { return string("25"[i/2%2]) + string("45"[i%2]) })
	for i := range rows {
		rows[i].Weight = 1
	}
	return plan, rows
}

// TestComputeDrawCounts: more drawn than there is gives no standard error, in
// the domains that it touches.
func TestComputeDrawCounts(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"PSUs": func(p *Plan) { p.Strata[0].PSUs = 2 },
		"rows": func(p *Plan) { p.Strata[0].PSUs, p.PSUSize = 9, map[uint64]float64{1: 4} },
	} {
		plan, rows := drawnPlan()
		change(plan)
		r := compute(t, plan, build(t, plan, rows))
		for _, d := range []*Domain{&r.Total, &r.Groups[0]} {
			if e := d.Weighted.Index[0]; e.HasSE || e.HasCI || !e.HasP || e.Reason != ReasonDrawCounts {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if e := r.Groups[1].Weighted.Index[0]; !e.HasSE || e.Reason == ReasonDrawCounts {
			t.Errorf("%s: untouched group %+v", name, e)
		}
	}
}

// TestComputeNotFinite: absurd weights give no numbers, never NaN.
func TestComputeNotFinite(t *testing.T) {
	for _, weights := range [][2]float64{{1e300, 1e-300}, {1e308, 1e308}, {5e-324, 5e-324}, {1e-300, 1e-300}} {
		plan, rows := drawnPlan()
		for i := range rows {
			rows[i].Weight = weights[i/3%2]
		}
		r := compute(t, plan, build(t, plan, rows))
		w := r.Total.Weighted
		for _, e := range append(append(append([]Estimate(nil), w.Items...), w.Factors...), w.Index...) {
			for _, x := range []float64{e.P, e.SE, e.Deff, e.NEff, e.NStar, e.CI.Low, e.CI.High} {
				if !finite(x) {
					t.Errorf("weights %v: %+v", weights, e)
				}
			}
			if extreme := weights[0] == 1e308 || weights[0] == 5e-324; extreme && e.P != 1 && e.Reason != ReasonNotFinite { // all alike: no sums of squares
				t.Errorf("weights %v: %+v", weights, e)
			}
		}
		if !finite(w.SumWeights) || !finite(r.WeightRatio) {
			t.Errorf("weights %v: sum %v, ratio %v", weights, w.SumWeights, r.WeightRatio)
		}
	}
}
