package stats

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// rakeRound draws answers at the desks of some units in some fields and two
// filing channels; how often people answer differs by all three. The last unit
// has four answers, at a desk of the first on days of its own.
func rakeRound(seed uint64, units, fields int) (*Plan, []Row) {
	const filings = 2
	rng := rand.New(rand.NewPCG(seed, 9))
	plan := &Plan{Items: 5, Design: Visitors, Units: units, By: ByPlace, Groups: fields, Headline: 1,
		Factors: [][]int{{0, 1}, {2, 3, 4}},
		Methods: []Method{
			{Name: "means", Combine: MeanOfItems, FactorWeights: []float64{.4, .6}},
			{Name: "pooled", Combine: Pooled, FactorWeights: []float64{.5, .5}},
		},
		Inclusion: []float64{1, .25, .5, .3, .75},
		Persons:   []Person{{In: true, Group: 0}, {In: true, Group: 1}, {In: true, Group: 2}, {In: true, Group: -1}},
		Margins:   []CellMargin{{Totals: make([]float64, units)}, {Totals: make([]float64, fields)}, {Totals: make([]float64, filings)}},
	}
	var rows []Row
	for unit := range int32(units) - 1 {
		for range 2 {
			plan.Strata = append(plan.Strata, Stratum{Unit: unit})
		}
		for field := range int32(fields) {
			for filing := range int32(filings) {
				n := float64(100 + rng.IntN(400))
				cell := int32(len(plan.Cells))
				plan.Cells = append(plan.Cells, Cell{Unit: unit, Field: field, Filing: filing, N: n, Known: true})
				place := uint32(len(plan.Places))
				plan.Places = append(plan.Places, Place{Counted: true, In: true, Unit: unit, Cell: cell, Group: field})
				for m, class := range []int32{unit, field, filing} {
					plan.Margins[m].Class = append(plan.Margins[m].Class, class)
					plan.Margins[m].Totals[class] += n
				}
				if unit == 1 && field == 2 {
					continue // nobody answers
				}
				for range 2 + rng.IntN(8) + 3*int(field) {
					r := Row{PSU: uint64(2*unit+rng.Int32N(2))<<32 | uint64(rng.IntN(5)), Place: place, Person: rng.Uint32N(4), Day: uint16(rng.IntN(5))}
					binary.BigEndian.PutUint64(r.ID[:], rng.Uint64())
					answers := make([]byte, plan.Items)
					for k := range answers {
						level := 3 + 0.3*float64(unit%3) + 0.4*float64(field) - 0.5*float64(filing) + 0.2*float64(r.Day%3) + rng.NormFloat64()
						answers[k] = byte('0' + min(5, max(1, int(level+0.5))))
						if rng.IntN(12) == 0 {
							answers[k] = 'n'
						}
					}
					r.Answers = string(answers)
					rows = append(rows, r)
				}
			}
		}
	}
	stray := int32(units) - 1
	plan.Cells = append(plan.Cells, Cell{Unit: stray, N: 50, Known: true})
	plan.Places = append(plan.Places, Place{Counted: true, In: true, Unit: stray, Cell: int32(len(plan.Cells) - 1)})
	for m, class := range []int32{stray, 0, 0} {
		plan.Margins[m].Class = append(plan.Margins[m].Class, class)
		plan.Margins[m].Totals[class] += 50
	}
	for i := range byte(4) {
		rows = append(rows, Row{ID: [16]byte{255, i}, PSU: uint64(20 + i), Place: uint32(len(plan.Places) - 1), Day: 4, Answers: strings.Repeat("4", plan.Items)})
	}
	return plan, rows
}

// TestRakeReference compares with the slow path that case files of R's survey
// package check: Sample.Rake over rows, all methods, by field, person and day.
func TestRakeReference(t *testing.T) {
	for seed := range uint64(8) {
		units, fields := 7, 3
		if seed%2 == 1 { // more fields than units: few of them on any day
			units, fields = 3, 9
		}
		plan, rows := rakeRound(seed, units, fields)
		stray := len(plan.Cells) - 1
		columns := SamplingColumns{Clusters: [][]int{nil}}
		margins := make([]Margin, len(plan.Margins))
		for m := range margins {
			margins[m].Sizes = slices.Clone(plan.Margins[m].Totals)
			margins[m].Sizes[plan.Margins[m].Class[stray]] -= plan.Cells[stray].N
		}
		items := make([][]float64, plan.Items)
		for _, r := range rows {
			columns.Strata = append(columns.Strata, int(r.PSU>>32))
			columns.Clusters[0] = append(columns.Clusters[0], int(r.PSU>>32)*100+int(uint32(r.PSU)))
			columns.Weights = append(columns.Weights, oneIf(int(plan.Places[r.Place].Cell) != stray))
			for m := range margins {
				margins[m].Class = append(margins[m].Class, int(plan.Margins[m].Class[plan.Places[r.Place].Cell]))
			}
			for k := range items {
				y := math.NaN()
				if level := r.Answers[k]; level != 'n' {
					y = oneIf(level >= '4')
				}
				items[k] = append(items[k], y)
			}
		}
		design, err := NewSamplingDesign(columns)
		if err != nil {
			t.Fatal(err)
		}
		sample, err := NewSample(design).Rake(margins...)
		if err != nil {
			t.Fatal(err)
		}
		for name, by := range map[string]struct {
			by    Grouping
			group func(r *Row) int32
		}{
			"field":  {ByPlace, func(r *Row) int32 { return plan.Places[r.Place].Group }},
			"unit":   {ByPlace, func(r *Row) int32 { return plan.Places[r.Place].Unit }},
			"person": {ByPerson, func(r *Row) int32 { return plan.Persons[r.Person].Group }},
			"day":    {ByDay, func(r *Row) int32 { return int32(r.Day) % 3 }},
		} {
			p := *plan
			if p.By, p.DayGroup = by.by, []int32{0, 1, 2, 0, 1}; by.by != ByPlace {
				p.Groups = 3
			}
			if name == "unit" {
				p.Groups, p.Places = units-1, slices.Clone(plan.Places)
				for i := range p.Places {
					p.Places[i].Group = p.Places[i].Unit
				}
				p.Places[len(p.Places)-1].Group = -1
			}
			got := compute(t, &p, build(t, &p, rows))
			covariances, err := IndexCovariances(&p, true, build(t, &p, rows))
			if err != nil {
				t.Fatal(err)
			}
			var headlines []Statistic
			for g := -1; g < p.Groups; g++ {
				domain := make([]bool, len(rows))
				for i := range rows {
					domain[i] = columns.Weights[i] > 0 && (g < 0 || by.group(&rows[i]) == int32(g))
				}
				d := &got.Total
				if g >= 0 {
					d = &got.Groups[g]
				}
				where := fmt.Sprintf("seed %d by %s group %d", seed, name, g)
				for m, method := range p.Methods {
					var factors []Factor
					for f, list := range p.Factors {
						factors = append(factors, Factor{Weight: method.FactorWeights[f]})
						for _, k := range list {
							factors[f].Items = append(factors[f].Items, items[k])
							factors[f].Inclusion = append(factors[f].Inclusion, p.Inclusion[k])
						}
					}
					want := sample.Index(factors, method.Combine, domain)
					sameStatistic(t, where+" index "+method.Name, sample, want.Index, &d.Weighted.Index[m])
					if m == p.Headline {
						for f := range want.Factors {
							sameStatistic(t, fmt.Sprintf("%s factor %d", where, f), sample, want.Factors[f], &d.Weighted.Factors[f])
							for j, k := range p.Factors[f] {
								sameStatistic(t, fmt.Sprintf("%s item %d", where, k), sample, want.Items[f][j], &d.Weighted.Items[k])
							}
						}
						if g >= 0 {
							headlines = append(headlines, want.Index)
						}
					}
				}
			}
			want, err := sample.Covariance(headlines...)
			if err != nil {
				t.Fatal(err)
			}
			for g := range want {
				for h := range want {
					if c := covariances.At(g, h); math.Abs(c-want[g][h]) > 1e-9*math.Sqrt(want[g][g]*want[h][h]) {
						t.Errorf("seed %d by %s: groups %d and %d covary by %v, want %v", seed, name, g, h, c, want[g][h])
					}
				}
			}
		}
		rakedAnswerSample(t, plan, rows, fields)
	}
}

func sameStatistic(t *testing.T, where string, s *Sample, want Statistic, got *Estimate) {
	t.Helper()
	se, err := s.StandardError(want)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(got.P-want.Value) > 1e-9 || math.Abs(got.SE-se) > 1e-9*se || got.N != want.N || float64(got.DF) != want.DF {
		t.Errorf("%s: %v ± %v (n %d, df %d), want %v ± %v (n %d, df %v)", where, got.P, got.SE, got.N, got.DF, want.Value, se, want.N, want.DF)
	}
}

// rakedAnswerSample: the answers of one unit, or of one unit and field, have row
// by row the estimates and errors of Compute. Those of a unit need no other
// unit's rows.
func rakedAnswerSample(t *testing.T, plan *Plan, rows []Row, fields int) {
	p := *plan
	p.By, p.Groups = ByNone, 0
	p.Places = slices.Clone(plan.Places)
	own := 0
	for i := range p.Places {
		p.Places[i].In = p.Places[i].Unit == 1
		if fields > 3 {
			p.Places[i].In = p.Places[i].In && p.Places[i].Group == 4
		}
	}
	for _, r := range rows {
		own += int(oneIf(p.Places[r.Place].In))
	}
	want := compute(t, &p, build(t, &p, rows)).Total.Weighted
	limit := len(rows)
	if fields == 3 {
		limit = own
	}
	got, err := AnswerSampleOf(&p, true, limit, build(t, &p, rows))
	if err != nil {
		t.Fatal(err)
	}
	if extra := len(got.Domain) - own; fields == 3 && extra != 3 { // 3+2 classes beside the units', two of which follow from the others
		t.Errorf("%d rows stand for the rest, want 3", extra)
	}
	for k := range p.Items {
		y := make([]float64, len(got.Levels[k]))
		for i, level := range got.Levels[k] {
			y[i] = level
			if !math.IsNaN(level) {
				y[i] = oneIf(level >= 4)
			}
		}
		sameStatistic(t, fmt.Sprint("alone: item ", k), got.Sample, got.Mean(y, got.Domain), &want.Items[k])
	}
}

// TestRakeWeights: what happens to units, classes and answers that are out of
// the ordinary, by hand. Two units of two fields; twelve answers are enough.
func TestRakeWeights(t *testing.T) {
	const unknown = -1
	type cell struct {
		unit, field int32
		n           float64
		answers     int
	}
	for name, tt := range map[string]struct {
		cells  []cell
		merge  bool
		change func(*Plan)
		reason string
		// By cell; by field class: members, total, answers.
		weights []float64
		fields  []MarginClass
		units   []string // reasons
	}{
		// Independent: every cell has what it would have alone.
		"cells": {cells: []cell{{0, 0, 240, 12}, {0, 1, 120, 12}, {1, 0, 240, 12}, {1, 1, 120, 12}}, weights: []float64{20, 10, 20, 10},
			fields: []MarginClass{{[]int32{0}, 480, 24}, {[]int32{1}, 240, 24}}},
		"a cell without answers": {cells: []cell{{0, 0, 100, 20}, {0, 1, 20, 0}, {1, 0, 80, 10}, {1, 1, 40, 10}}, merge: true,
			// u0 has field 0 alone: 120/20. Of field 0 that leaves 60 for u1, 60 for field 1.
			weights: []float64{6, 0, 6, 6}, fields: []MarginClass{{[]int32{0}, 180, 30}, {[]int32{1}, 60, 10}}},
		"a unit with few answers": {cells: []cell{{0, 0, 100, 10}, {0, 1, 50, 10}, {1, 0, 300, 5}, {1, 1, 30, 4}}, weights: []float64{10, 5, 0, 0},
			fields: []MarginClass{{[]int32{0}, 100, 10}, {[]int32{1}, 50, 10}}, units: []string{"", ReasonUncovered}},
		"a small class merges": {cells: []cell{{0, 0, 100, 10}, {0, 1, 50, 2}, {1, 0, 100, 20}, {1, 1, 20, 1}}, merge: true,
			weights: []float64{12.5, 12.5, 120. / 21, 120. / 21}, fields: []MarginClass{{[]int32{0, 1}, 270, 33}}},
		// 4 of 16 answers of u0 do not say: 4/16·160 = 40 results of 280. The
		// fields share 240 as 210 : 70.
		"a field not said": {cells: []cell{{0, 0, 120, 8}, {0, 1, 40, 4}, {1, 0, 90, 8}, {1, 1, 30, 4}, {0, unknown, 0, 4}},
			weights: []float64{11.25, 7.5, 11.25, 7.5, 10},
			fields:  []MarginClass{{[]int32{0}, 180, 16}, {[]int32{1}, 60, 8}, {nil, 40, 4}}},
		"no field said": {cells: []cell{{0, 0, 120, 0}, {0, 1, 40, 0}, {0, unknown, 0, 16}}, weights: []float64{0, 0, 10},
			fields: []MarginClass{{[]int32{0}, 0, 0}, {[]int32{1}, 0, 0}, {nil, 160, 16}}},
		"an empty class":          {cells: []cell{{0, 0, 100, 12}, {0, 1, 50, 0}}, reason: ReasonMarginEmpty},
		"a class without results": {cells: []cell{{0, 0, 100, 12}, {0, 1, 0, 12}}, reason: ReasonMarginEmpty},
		"a class of no cell": {cells: []cell{{0, 0, 100, 12}}, reason: ReasonMarginEmpty,
			change: func(p *Plan) { p.Margins[1].Totals[1] = 5 }},
		"totals that disagree": {cells: []cell{{0, 0, 100, 12}, {0, 1, 50, 12}}, reason: ReasonMarginTotals,
			change: func(p *Plan) { p.Margins[1].Totals[1]++ }},
		"totals below what is taken off": {cells: []cell{{0, 0, 100, 12}, {1, 0, 50, 2}}, reason: ReasonMarginTotals,
			change: func(p *Plan) { p.Margins[1].Totals[0] = 40 }},
		// u0 has 100 results and field 0 150, but all answers of u0 are of field 0
		// and all of u1 of field 1.
		"classes apart": {cells: []cell{{0, 0, 100, 12}, {1, 0, 50, 0}, {1, 1, 50, 12}}, reason: ReasonNotConverged},
		"nobody": {cells: []cell{{0, 0, 100, 0}}, weights: []float64{0}, units: []string{ReasonUncovered},
			fields: nil},
		// 51·6/18 + 51·7/18 + 51·5/18 is not 51 to the last bit.
		"no field said in three cells": {cells: []cell{{0, 0, 30, 0}, {0, 1, 21, 0}, {0, unknown, 0, 6}, {0, unknown, 0, 7}, {0, unknown, 0, 5}},
			weights: []float64{0, 0, 51. / 18, 51. / 18, 51. / 18},
			fields:  []MarginClass{{[]int32{0}, 0, 0}, {[]int32{1}, 0, 0}, {nil, 51, 18}}},
	} {
		t.Run(name, func(t *testing.T) {
			plan := &Plan{Items: 1, Design: Visitors, Factors: [][]int{{0}}, Persons: []Person{{In: true}},
				Methods: []Method{{Combine: MeanOfItems, FactorWeights: []float64{1}}},
				Margins: []CellMargin{{Totals: make([]float64, 2)}, {Totals: make([]float64, 2), Merge: tt.merge}}}
			var rows []Row
			for i, c := range tt.cells {
				plan.Units = max(plan.Units, int(c.unit)+1)
				plan.Cells = append(plan.Cells, Cell{Unit: c.unit, Field: c.field, N: c.n, Known: c.field >= 0, AnyField: c.field < 0})
				plan.Places = append(plan.Places, Place{Counted: true, In: true, Unit: c.unit, Cell: int32(i), Group: -1})
				plan.Margins[0].Class = append(plan.Margins[0].Class, c.unit)
				plan.Margins[1].Class = append(plan.Margins[1].Class, c.field)
				plan.Margins[0].Totals[c.unit] += c.n
				if c.field >= 0 {
					plan.Margins[1].Totals[c.field] += c.n
				}
				for j := range c.answers {
					rows = append(rows, Row{ID: [16]byte{byte(i), byte(j)}, PSU: uint64(c.unit)<<32 | uint64(j%3), Place: uint32(i), Answers: string("45321"[j%5])})
				}
			}
			plan.Strata = []Stratum{{Unit: 0}, {Unit: int32(plan.Units - 1)}}
			if tt.change != nil {
				tt.change(plan)
			}
			got := compute(t, plan, build(t, plan, rows))
			if got.RakingReason != tt.reason {
				t.Fatalf("reason %q, want %q", got.RakingReason, tt.reason)
			}
			if tt.reason != "" {
				if got.Total.Weighted != nil || got.Total.WeightedReason != tt.reason || got.Total.Unweighted == nil || got.WeightRatio != 0 {
					t.Errorf("total %+v", got.Total)
				}
				if _, err := IndexCovariances(plan, true, build(t, plan, rows)); err != nil {
					t.Error(err)
				}
				return
			}
			byCell := make([]float64, len(plan.Cells))
			for _, c := range got.Cells {
				byCell[c.Members[0]] = c.Weight
			}
			if !slices.EqualFunc(byCell, tt.weights, func(a, b float64) bool { return math.Abs(a-b) < 1e-9*max(1, b) }) {
				t.Errorf("weights %v, want %v", byCell, tt.weights)
			}
			if !slices.EqualFunc(got.Margins[1], tt.fields, func(a, b MarginClass) bool {
				return slices.Equal(a.Members, b.Members) && math.Abs(a.Total-b.Total) < 1e-9 && a.Answers == b.Answers
			}) {
				t.Errorf("fields %+v, want %+v", got.Margins[1], tt.fields)
			}
			for unit, want := range tt.units {
				if got.Units[unit].Reason != want {
					t.Errorf("unit %d: %q, want %q", unit, got.Units[unit].Reason, want)
				}
			}
		})
	}
}

// TestRakeExceeds: more answers than results in a class, though in no cell.
func TestRakeExceeds(t *testing.T) {
	plan, rows := rakeRound(1, 7, 3)
	got := compute(t, plan, build(t, plan, rows))
	if got.Total.Exceeds {
		t.Fatal("nothing exceeds yet")
	}
	for i := range plan.Cells {
		if plan.Cells[i].Field == 1 {
			plan.Cells[i].Known = false // a record that nobody has
		}
	}
	plan.Margins[1].Totals[0] += plan.Margins[1].Totals[1] - 50
	plan.Margins[1].Totals[1] = 50
	got = compute(t, plan, build(t, plan, rows))
	if !got.Total.Exceeds || got.Groups[0].Exceeds || !got.Groups[1].Exceeds || got.Groups[2].Exceeds {
		t.Errorf("exceeds: total %t, fields %t %t %t", got.Total.Exceeds, got.Groups[0].Exceeds, got.Groups[1].Exceeds, got.Groups[2].Exceeds)
	}
}

// TestRakedSamplesInOnePlan: two samples that share desk-days but no class have
// the weights each has alone, with answers that do not say their class too.
func TestRakedSamplesInOnePlan(t *testing.T) {
	a, rows := rakeRound(2, 7, 3)
	a.By, a.Groups = ByNone, 0
	for i := range a.Cells {
		if i%7 == 3 { // as many as 10% have no field
			a.Margins[1].Totals[a.Margins[1].Class[i]] -= a.Cells[i].N
			a.Margins[0].Totals[a.Cells[i].Unit] -= a.Cells[i].N
			a.Margins[2].Totals[a.Margins[2].Class[i]] -= a.Cells[i].N
			a.Cells[i].Known, a.Cells[i].AnyField, a.Margins[1].Class[i] = false, true, -1
		}
	}
	want := compute(t, a, build(t, a, rows))
	if want.RakingReason != "" {
		t.Fatal(want.RakingReason)
	}
	joint := *a
	joint.Units *= 2
	for i, c := range a.Cells {
		c.Unit += int32(a.Units)
		if c.N *= 3; i%2 == 0 {
			c.N *= 2
		}
		joint.Cells = append(slices.Clip(joint.Cells), c)
		place := a.Places[i]
		place.Unit, place.Cell, place.In = c.Unit, place.Cell+int32(len(a.Cells)), false
		joint.Places = append(slices.Clip(joint.Places), place)
	}
	joint.Margins = nil
	for _, m := range a.Margins {
		classes := int32(len(m.Totals))
		both := CellMargin{Class: slices.Clone(m.Class), Totals: append(slices.Clone(m.Totals), make([]float64, classes)...)}
		for i, c := range m.Class {
			if c >= 0 {
				c += classes
				if other := joint.Cells[len(a.Cells)+i]; other.Known {
					both.Totals[c] += other.N
				}
			}
			both.Class = append(both.Class, c)
		}
		joint.Margins = append(joint.Margins, both)
	}
	all := slices.Clone(rows)
	for i, r := range rows {
		if i%3 > 0 {
			r.ID[15]++
			r.Place += uint32(len(a.Places))
			all = append(all, r)
		}
	}
	got := compute(t, &joint, build(t, &joint, all))
	if got.RakingReason != "" {
		t.Fatal(got.RakingReason)
	}
	for i := range want.Cells {
		if w, v := want.Cells[i], got.Cells[i]; !slices.Equal(w.Members, v.Members) || math.Abs(w.Weight-v.Weight) > 1e-9*w.Weight {
			t.Errorf("cell %v weighs %v beside another sample, %v alone", v.Members, v.Weight, w.Weight)
		}
	}
	if w, v := want.Total.Weighted.Index[0], got.Total.Weighted.Index[0]; math.Abs(w.P-v.P) > 1e-9 {
		t.Errorf("index %v beside another sample, %v alone", v.P, w.P)
	}
}

func TestRakeCheck(t *testing.T) {
	for name, change := range map[string]func(*Plan){
		"drawn":                 func(p *Plan) { p.Design = Drawn },
		"too few classes":       func(p *Plan) { p.Margins[1].Class = p.Margins[1].Class[1:] },
		"class out of range":    func(p *Plan) { p.Margins[1].Class[0] = 3 },
		"class below range":     func(p *Plan) { p.Margins[1].Class[0] = -2 },
		"first class not known": func(p *Plan) { p.Margins[0].Class[0] = -1 },
		"negative total":        func(p *Plan) { p.Margins[2].Totals[0] = -1 },
		"total without number":  func(p *Plan) { p.Margins[2].Totals[0] = math.NaN() },
		"infinite total":        func(p *Plan) { p.Margins[2].Totals[0] = math.Inf(1) },
	} {
		plan, _ := rakeRound(1, 7, 3)
		change(plan)
		if plan.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	plan, _ := rakeRound(1, 7, 3)
	if err := plan.Check(); err != nil {
		t.Error(err)
	}
}
