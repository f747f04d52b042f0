package stats

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawRound draws a small round: a few units, desks, days and cells, with
// uncounted places, filters, unknown and empty cells, single days, unanimous
// and unanswered items, one to three blocks' worth of rows.
func drawRound(t *rapid.T) (*Plan, []Row) {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	flip := func(p float64) bool { return rng.Float64() < p }
	plan := &Plan{Items: rapid.SampledFrom([]int{1, 2, 3, 7, 8, 17, 22}).Draw(t, "items"),
		Design: rapid.SampledFrom([]Design{Visitors, Drawn}).Draw(t, "design"),
		By:     rapid.SampledFrom([]Grouping{ByNone, ByPlace, ByPerson, ByDay}).Draw(t, "by"),
		Units:  1 + rng.IntN(4)}
	if plan.By != ByNone {
		plan.Groups = 1 + rng.IntN(4)
	}
	group := func() int32 { return int32(rng.IntN(plan.Groups+1)) - 1 }

	for k := 0; k < plan.Items; {
		var items []int
		for n := 1 + rng.IntN(5); n > 0 && k < plan.Items; n-- {
			items = append(items, k)
			k++
		}
		plan.Factors = append(plan.Factors, items)
	}
	for i := range 1 + rng.IntN(3) {
		m := Method{Name: fmt.Sprint(i), Combine: []Combine{MeanOfItems, Pooled}[rng.IntN(2)], FactorWeights: make([]float64, len(plan.Factors))}
		sum := 0.0
		for f := range m.FactorWeights {
			m.FactorWeights[f] = rng.Float64()
			if f > 0 && flip(0.1) {
				m.FactorWeights[f] = 0
			}
			sum += m.FactorWeights[f]
		}
		for f := range m.FactorWeights {
			m.FactorWeights[f] /= sum
		}
		plan.Methods = append(plan.Methods, m)
	}
	plan.Headline = rng.IntN(len(plan.Methods))
	if flip(0.3) {
		for range plan.Items {
			plan.Inclusion = append(plan.Inclusion, 0.05+0.95*rng.Float64())
		}
	}

	var psus []uint64
	var placesOf [][]uint32 // by unit
	for unit := range int32(plan.Units) {
		var places []uint32
		known := flip(0.85)
		for field := range int32(1 + rng.IntN(3)) {
			for filing := range int32(1 + rng.IntN(2)) {
				cell := int32(len(plan.Cells))
				n := float64(rng.IntN(200))
				if flip(0.1) {
					n = 0
				}
				plan.Cells = append(plan.Cells, Cell{Unit: unit, Field: field, Filing: filing, N: n, Known: known && flip(0.85), AnyFiling: flip(0.05), AnyField: flip(0.05)})
				if c := &plan.Cells[cell]; c.Known {
					c.AnyField, c.AnyFiling = false, false
				} else if flip(0.4) {
					c.AnyField, c.AnyFiling = flip(0.5), flip(0.5)
				}
				g := int32(-1)
				if plan.By == ByPlace {
					g = group()
				}
				for range 1 + rng.IntN(2) {
					if flip(0.1) {
						continue // a cell without answers
					}
					places = append(places, uint32(len(plan.Places)))
					plan.Places = append(plan.Places, Place{Counted: flip(0.85), In: flip(0.85), Cell: cell, Unit: unit, Group: g})
				}
			}
		}
		if len(places) == 0 {
			places = append(places, uint32(len(plan.Places)))
			plan.Places = append(plan.Places, Place{Counted: true, In: true, Cell: int32(len(plan.Cells) - 1), Unit: unit, Group: -1})
		}
		placesOf = append(placesOf, places)
		for range 1 + rng.IntN(3) {
			h := uint64(len(plan.Strata))
			n := 1 + rng.IntN(5)
			population := 0.0
			if flip(0.6) {
				population = float64(n + rng.IntN(3)*rng.IntN(4))
				if flip(0.05) {
					population-- // an error of the draw's counts
				}
			}
			plan.Strata = append(plan.Strata, Stratum{Unit: unit, PSUs: population})
			for day := range n {
				psus = append(psus, h<<32|uint64(day*7))
			}
		}
	}
	if plan.Design == Visitors && flip(0.5) {
		plan.Margins = drawMargins(plan, flip)
	}
	for range 1 + rng.IntN(6) {
		p := Person{In: flip(0.85), Group: -1}
		if plan.By == ByPerson {
			p.Group = group()
		}
		plan.Persons = append(plan.Persons, p)
	}
	if flip(0.3) {
		plan.Days = &DayRange{uint16(100 + rng.IntN(2)), uint16(99 + rng.IntN(5))}
	}
	if plan.By == ByDay {
		plan.DayBase = 101
		for range 4 {
			plan.DayGroup = append(plan.DayGroup, group())
		}
	}

	var rows []Row
	alike := flip(0.15)
	silent := rng.IntN(4 * plan.Items) // an item that nobody answers, if there is one of that number
	for range rng.IntN(200) {
		psu := psus[rng.IntN(len(psus))]
		places := placesOf[plan.Strata[psu>>32].Unit]
		r := Row{PSU: psu, Place: places[rng.IntN(len(places))], Person: uint32(rng.IntN(len(plan.Persons))), Day: uint16(100 + rng.IntN(6))}
		if plan.Design == Drawn {
			r.Weight = 1 + 10*rng.Float64()
		}
		binary.BigEndian.PutUint64(r.ID[:], rng.Uint64())
		answers := make([]byte, plan.Items)
		for k := range answers {
			answers[k] = codeChars[rng.IntN(Codes)]
			if flip(0.5) {
				answers[k] = '4'
			}
			switch {
			case k == silent:
				answers[k] = codeChars[CodeNotAsked+rng.IntN(4)]
			case alike || k == plan.Items/2:
				answers[k] = '5'
			}
		}
		r.Answers = string(answers)
		rows = append(rows, r)
	}
	if plan.Design == Drawn {
		plan.PSUSize = map[uint64]float64{}
		for _, key := range psus {
			if flip(0.7) {
				n := 0
				for _, r := range rows {
					if r.PSU == key && plan.Places[r.Place].Counted {
						n++
					}
				}
				plan.PSUSize[key] = float64(n + rng.IntN(30))
			}
		}
	}
	return plan, rows
}

// drawMargins draws margins by unit and by one or both of field and filing
// channel. Some totals disagree.
func drawMargins(plan *Plan, flip func(float64) bool) []CellMargin {
	margin := func(classOf func(c *Cell) (class int32, any bool)) CellMargin {
		m := CellMargin{Totals: make([]float64, max(3, plan.Units)), Merge: flip(0.7)}
		for i := range plan.Cells {
			c := &plan.Cells[i]
			class, any := classOf(c)
			if any && !c.Known {
				class = -1
			}
			m.Class = append(m.Class, class)
			if c.Known {
				m.Totals[class] += c.N
			}
		}
		return m
	}
	out := []CellMargin{margin(func(c *Cell) (int32, bool) { return c.Unit, false })}
	if flip(0.9) {
		out = append(out, margin(func(c *Cell) (int32, bool) { return c.Field, c.AnyField }))
	}
	if flip(0.9) {
		out = append(out, margin(func(c *Cell) (int32, bool) { return c.Filing, c.AnyFiling }))
	}
	if flip(0.05) {
		out[len(out)-1].Totals[0]++
	}
	return out
}

func build(t interface{ Fatal(...any) }, plan *Plan, rows []Row) *Rows {
	b := NewBuilder(plan.Items, plan.Design == Drawn)
	for _, r := range rows {
		if err := b.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	return b.Build()
}

func compute(t interface{ Fatal(...any) }, plan *Plan, blocks ...*Rows) *Result {
	r, err := Compute(plan, blocks...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestComputeBruteForce compares every estimate of random rounds with the slow
// report.
func TestComputeBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, rows := drawRound(t)
		got := compute(t, plan, build(t, plan, rows))
		brute := newBrute(plan, rows)
		for g := -1; g < plan.Groups; g++ {
			d := &got.Total
			if g >= 0 {
				d = &got.Groups[g]
			}
			checkDomain(t, plan, brute, g, d)
		}
		checkPlaceRows(t, plan, rows, got.PlaceRows)
	})
}

func checkDomain(t *rapid.T, plan *Plan, brute *bruteReport, group int, d *Domain) {
	n := 0
	counts := make([][Codes]int, plan.Items)
	for _, r := range brute.rows {
		if r.in && (group < 0 || r.group == group) {
			n++
			for k, c := range []byte(r.Answers) {
				counts[k][slices.Index([]byte(codeChars), c)]++
			}
		}
	}
	if d.N != n || !slices.Equal(d.Counts, counts) {
		t.Fatalf("group %d: n %d counts %v, want %d %v", group, d.N, d.Counts, n, counts)
	}
	for _, weighted := range []bool{false, true} {
		got, reason := d.Unweighted, d.UnweightedReason
		if weighted {
			got, reason = d.Weighted, d.WeightedReason
		}
		want := brute.estimates(group, weighted)
		where := fmt.Sprintf("group %d weighted %t", group, weighted)
		if (got == nil) != (want == nil) || (got == nil) != (reason != "") {
			t.Fatalf("%s: got %v (%s), want %v", where, got, reason, want)
		}
		if got == nil {
			continue
		}
		all := slices.Concat(got.Items, got.Factors, got.Index)
		if len(all) != len(want) {
			t.Fatalf("%s: %d estimates, want %d", where, len(all), len(want))
		}
		for j, e := range all {
			checkEstimate(t, fmt.Sprintf("%s estimate %d", where, j), j < plan.Items, &e, &want[j])
		}
	}
}

func checkEstimate(t *rapid.T, where string, item bool, got *Estimate, want *bruteEstimate) {
	same := func(what string, has bool, got, want, tolerance float64) {
		if math.IsNaN(want) || math.IsInf(want, 0) {
			if has {
				t.Fatalf("%s: %s = %v, want none", where, what, got)
			}
			return
		}
		if !has || !(math.Abs(got-want) <= tolerance) {
			t.Fatalf("%s: %s = %.15g (%t), want %.15g", where, what, got, has, want)
		}
	}
	if got.N != want.n || float64(got.DF) != want.df {
		t.Fatalf("%s: n %d df %d, want %d %v", where, got.N, got.DF, want.n, want.df)
	}
	same("p", got.HasP, got.P, want.p, 1e-12)
	same("se", got.HasSE, got.SE, want.se, 1e-9*math.Max(want.se, 1e-5))
	if got.HasSE && got.SE > 1e-7 && want.n > 1 {
		same("deff", got.HasDeff, got.Deff, want.deff, 1e-8*math.Abs(want.deff))
		if item {
			same("n_eff", got.HasNEff, got.NEff, want.ef, 1e-8*math.Abs(want.ef))
		}
	}
	if !item && got.HasNEff {
		t.Fatalf("%s: n_eff of a composite", where)
	}
	complete := got.HasP && got.HasSE && got.HasCI
	if complete == (got.Reason != "") {
		t.Fatalf("%s: reason %q of %+v", where, got.Reason, got)
	}
	if got.HasCI && !(got.CI.Low <= got.P && got.P <= got.CI.High && got.CIMethod != "") {
		t.Fatalf("%s: interval %v %s around %v", where, got.CI, got.CIMethod, got.P)
	}
	v := reflect.ValueOf(*got)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Float64 && (math.IsNaN(f.Float()) || math.IsInf(f.Float(), 0)) {
			t.Fatalf("%s: %+v", where, got)
		}
	}
}

func checkPlaceRows(t *rapid.T, plan *Plan, rows []Row, got []int) {
	want := make([]int, len(plan.Places))
	for _, r := range rows {
		if plan.Persons[r.Person].In && (plan.Days == nil || r.Day >= plan.Days.From && r.Day <= plan.Days.To) {
			want[r.Place]++
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("rows by place %v, want %v", got, want)
	}
}

// TestComputeOrder: the order of arrival and the division into blocks change
// nothing, to the last bit; nor does merging.
func TestComputeOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, rows := drawRound(t)
		want := compute(t, plan, build(t, plan, rows))
		shuffled := slices.Clone(rows)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffle"), 2))
		rng.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if got := compute(t, plan, build(t, plan, shuffled)); !reflect.DeepEqual(got, want) {
			t.Fatalf("shuffled rows give\n%+v\nwant\n%+v", got, want)
		}
		a := rapid.IntRange(0, len(rows)).Draw(t, "cut")
		b := rapid.IntRange(a, len(rows)).Draw(t, "cut")
		blocks := []*Rows{build(t, plan, shuffled[a:b]), build(t, plan, shuffled[:a]), build(t, plan, shuffled[b:])}
		if got := compute(t, plan, blocks...); !reflect.DeepEqual(got, want) {
			t.Fatalf("blocks of %d, %d and %d rows give\n%+v\nwant\n%+v", blocks[0].Len(), blocks[1].Len(), blocks[2].Len(), got, want)
		}
		merged := Merge(blocks[2], Merge(blocks[0], blocks[1]))
		if got := compute(t, plan, merged); !reflect.DeepEqual(got, want) {
			t.Fatalf("merged blocks give\n%+v\nwant\n%+v", got, want)
		}
	})
}

// TestComputeWithout: a withdrawn answer leaves no trace, an excluded one only
// its place.
func TestComputeWithout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, rows := drawRound(t)
		out := rapid.SliceOfN(rapid.IntRange(0, 200), 0, 5).Draw(t, "out")
		ids := map[[16]byte]struct{}{{1, 2, 3}: {}}
		var left []Row
		for i, r := range rows {
			if slices.Contains(out, i) {
				ids[r.ID] = struct{}{}
			} else {
				left = append(left, r)
			}
		}
		all := build(t, plan, rows)
		if got, want := compute(t, plan, all.Without(ids)), compute(t, plan, build(t, plan, left)); !reflect.DeepEqual(got, want) {
			t.Fatalf("without %v\n%+v\nwant\n%+v", out, got, want)
		}

		excluded := uint32(len(plan.Places))
		plan.Places = append(plan.Places, Place{Cell: -1, Group: -1})
		places := map[[16]byte]uint32{}
		for id := range ids {
			places[id] = excluded
		}
		moved := all.WithPlaces(places)
		got := compute(t, plan, moved)
		want := compute(t, plan, build(t, plan, left))
		// The rows that are still there may move where partial sums are cut.
		for g := -1; g < plan.Groups; g++ {
			a, b := &got.Total, &want.Total
			if g >= 0 {
				a, b = &got.Groups[g], &want.Groups[g]
			}
			if !slices.Equal(a.Counts, b.Counts) || a.N != b.N || !alike(a.Weighted, b.Weighted) || !alike(a.Unweighted, b.Unweighted) {
				t.Fatalf("with %v excluded, group %d is\n%+v\nwant\n%+v", out, g, a, b)
			}
		}
		for _, r := range rows {
			_, gone := ids[r.ID]
			place, ok := moved.Place(r.ID)
			if was, _ := all.Place(r.ID); !ok || was != r.Place || (place == excluded) != gone {
				t.Fatalf("place %d (%t) of %x, was %d", place, ok, r.ID, was)
			}
		}
	})
}

// alike compares estimates up to rounding.
func alike(a, b *Estimates) bool {
	if a == nil || b == nil {
		return a == b
	}
	near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*math.Max(math.Abs(x), 1e-3) }
	x, y := slices.Concat(a.Items, a.Factors, a.Index), slices.Concat(b.Items, b.Factors, b.Index)
	return a.N == b.N && a.PSUs == b.PSUs && a.Strata == b.Strata && near(a.SumWeights, b.SumWeights) &&
		slices.EqualFunc(x, y, func(x, y Estimate) bool {
			return x.N == y.N && x.DF == y.DF && x.Reason == y.Reason && near(x.P, y.P) && near(x.SE, y.SE) &&
				near(x.CI.Low, y.CI.Low) && near(x.CI.High, y.CI.High)
		})
}

// TestComputeScale: a factor common to all weights changes nothing but the sum
// of weights and the correction of a sample drawn with known counts.
func TestComputeScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan, rows := drawRound(t)
		want := compute(t, plan, build(t, plan, rows))
		for i := range plan.Cells {
			plan.Cells[i].N *= 4
		}
		for m := range plan.Margins {
			for c := range plan.Margins[m].Totals {
				plan.Margins[m].Totals[c] *= 4
			}
		}
		for i := range rows {
			rows[i].Weight *= 4
		}
		got := compute(t, plan, build(t, plan, rows))
		if got.Total.Weighted == nil {
			return
		}
		for k, e := range slices.Concat(got.Total.Weighted.Items, got.Total.Weighted.Factors, got.Total.Weighted.Index) {
			w := slices.Concat(want.Total.Weighted.Items, want.Total.Weighted.Factors, want.Total.Weighted.Index)[k]
			e.Deff, w.Deff, e.HasDeff, w.HasDeff = 0, 0, false, false
			if e != w {
				t.Fatalf("estimate %d is %+v, want %+v", k, e, w)
			}
		}
		if s := got.Total.Weighted.SumWeights; s != 4*want.Total.Weighted.SumWeights {
			t.Fatalf("sum of weights %v, want 4 x %v", s, want.Total.Weighted.SumWeights)
		}
	})
}
