package stats

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"
)

// benchRound makes n simulated answers of a province as the issue states it:
// 200 units, 600 desks, 90 days (54,000 desk-days), 22 items, cells of 4
// fields x 2 filing channels a unit, 5 in 100 items without a level.
func benchRound(n int) (*Plan, *Rows) {
	const units, desksPerUnit, days, fields, filings = 200, 3, 90, 4, 2
	rng := rand.New(rand.NewPCG(7, 7))
	plan := &Plan{Items: 22, Design: Visitors, Units: units, By: ByPlace, Groups: units,
		Factors: [][]int{{0, 1, 2, 3}, {4, 5, 6, 7, 8}, {9, 10, 11, 12, 13, 14}, {15, 16, 17}, {18, 19, 20, 21}},
		Methods: []Method{
			{Name: "mean-of-criteria", Version: "1", Combine: MeanOfItems, FactorWeights: []float64{4. / 22, 5. / 22, 6. / 22, 3. / 22, 4. / 22}},
			{Name: "mean-of-factors", Version: "1", Combine: MeanOfItems, FactorWeights: []float64{.2, .2, .2, .2, .2}},
			{Name: "pooled", Version: "1", Combine: Pooled, FactorWeights: []float64{4. / 22, 5. / 22, 6. / 22, 3. / 22, 4. / 22}},
		}}
	for unit := range int32(units) {
		for field := range int32(fields) {
			for filing := range int32(filings) {
				plan.Cells = append(plan.Cells, Cell{Unit: unit, Field: field, Filing: filing, N: float64(n) / 300 * (1 + rng.Float64()), Known: true})
			}
		}
		for range desksPerUnit {
			plan.Strata = append(plan.Strata, Stratum{Unit: unit})
			for cell := range int32(fields * filings) {
				for channel := range 3 { // the third is not counted
					plan.Places = append(plan.Places, Place{Counted: channel < 2, In: true, Unit: unit, Group: unit,
						Cell: unit*fields*filings + cell})
				}
			}
		}
	}
	for i := range 300 {
		plan.Persons = append(plan.Persons, Person{In: true, Group: int32(i % 6)})
	}
	b := NewBuilder(22, false)
	b.Grow(n)
	answers := make([]byte, 22)
	for i := range n {
		var id [16]byte
		binary.BigEndian.PutUint64(id[:], rng.Uint64())
		binary.BigEndian.PutUint64(id[8:], rng.Uint64())
		desk, day := i%len(plan.Strata), rng.IntN(days)
		level := 3.6 + 0.8*rng.Float64() + 0.3*float64(desk%5)/5
		for k := range answers {
			switch r := rng.IntN(100); {
			case r < 2:
				answers[k] = '-'
			case r < 5:
				answers[k] = 'n'
			default:
				answers[k] = '0' + byte(min(5, max(1, int(level+rng.NormFloat64()+0.5))))
			}
		}
		place := desk * fields * filings * 3
		place += rng.IntN(fields*filings)*3 + []int{0, 0, 0, 0, 1, 1, 1, 1, 1, 2}[rng.IntN(10)]
		if err := b.Add(Row{ID: id, PSU: uint64(desk)<<32 | uint64(day), Place: uint32(place), Person: rng.Uint32N(300),
			Day: uint16(9000 + day), Answers: string(answers)}); err != nil {
			panic(err)
		}
	}
	return plan, b.Build()
}

// raked is the plan with three margins: unit, service field, filing channel.
func raked(plan *Plan) *Plan {
	p := *plan
	p.Margins = []CellMargin{{Totals: make([]float64, plan.Units)}, {Totals: make([]float64, 4)}, {Totals: make([]float64, 2)}}
	for _, c := range plan.Cells {
		for m, class := range []int32{c.Unit, c.Field, c.Filing} {
			p.Margins[m].Class = append(p.Margins[m].Class, class)
			p.Margins[m].Totals[class] += c.N
		}
	}
	return &p
}

func benchReport(b *testing.B, plan *Plan, rows ...*Rows) {
	b.ReportAllocs()
	answers, size := 0, int64(0)
	for _, r := range rows {
		answers += r.Len()
		size += r.Bytes()
	}
	for b.Loop() {
		result, err := Compute(plan, rows...)
		if err != nil {
			b.Fatal(err)
		}
		if result.Total.Weighted == nil {
			b.Fatalf("nothing was weighted: %s", result.Total.WeightedReason)
		}
	}
	b.ReportMetric(float64(size)/float64(answers), "B/answer")
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/op")
	// Equal at 1,000,000 and 10,000,000 answers: the time is linear.
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(answers), "ns/answer")
}

// BenchmarkReport1M is the report of issue 4: 1,000,000 answers x 22 items, 200
// groups, 600 strata, 54,000 PSUs, 3 methods, weighted and unweighted.
func BenchmarkReport1M(b *testing.B) {
	plan, rows := benchRound(1_000_000)
	b.Run("units", func(b *testing.B) { benchReport(b, plan, rows) })
	b.Run("units/raked", func(b *testing.B) { benchReport(b, raked(plan), rows) })
	b.Run("units/tail", func(b *testing.B) {
		main, tail := split(rows, 10_000)
		benchReport(b, plan, main, tail)
	})
	b.Run("total", func(b *testing.B) {
		p := *plan
		p.By, p.Groups = ByNone, 0
		benchReport(b, &p, rows)
	})
	b.Run("desks", func(b *testing.B) {
		p := *plan
		p.Groups = 600
		p.Places = append([]Place(nil), plan.Places...)
		for i := range p.Places {
			p.Places[i].Group = int32(i / 24)
		}
		benchReport(b, &p, rows)
	})
	persons := *plan
	persons.By, persons.Groups = ByPerson, 6
	b.Run("persons", func(b *testing.B) { benchReport(b, &persons, rows) })
	b.Run("persons/raked", func(b *testing.B) { benchReport(b, raked(&persons), rows) })
	b.Run("months", func(b *testing.B) {
		p := *plan
		p.By, p.Groups, p.DayBase = ByDay, 3, 9000
		for day := range 90 {
			p.DayGroup = append(p.DayGroup, int32(day/30))
		}
		benchReport(b, &p, rows)
	})
	b.Run("unit/month", func(b *testing.B) { // one unit, one month
		p := *plan
		p.By, p.Groups, p.Days = ByNone, 0, &DayRange{9000, 9029}
		p.Places = append([]Place(nil), plan.Places...)
		for i := range p.Places {
			p.Places[i].In = p.Places[i].Unit == 17
		}
		benchReport(b, &p, rows)
	})
}

// TestComputeAllocatesNothingPerAnswer: what a report allocates belongs to groups, desks and cells, which the
// benchmark's round has the same number of whatever the number of answers.
func TestComputeAllocatesNothingPerAnswer(t *testing.T) {
	allocations := func(answers int, margins bool) float64 {
		plan, rows := benchRound(answers)
		if margins {
			plan = raked(plan)
		}
		return testing.AllocsPerRun(3, func() {
			if _, err := Compute(plan, rows); err != nil {
				t.Fatal(err)
			}
		})
	}
	answers := ciOr(t, 100_000, 20_000)
	most := ciOr(t, 2000.0, 4000) // few answers are on fewer days than more
	for _, margins := range []bool{false, true} {
		few, many := allocations(answers, margins), allocations(3*answers, margins)
		t.Logf("raked %t: %v allocations for %d answers, %v for %d", margins, few, answers, many, 3*answers)
		if many-few > most {
			t.Errorf("raked %t: %d answers more take %v allocations more", margins, 2*answers, many-few)
		}
	}
}

// BenchmarkReport10M needs 1 GB and half a minute to prepare: set
// SIPAS_BENCH_10M.
func BenchmarkReport10M(b *testing.B) {
	if os.Getenv("SIPAS_BENCH_10M") == "" {
		b.Skip("set SIPAS_BENCH_10M=1 (needs 1 GB)")
	}
	plan, rows := benchRound(10_000_000)
	b.Run("units", func(b *testing.B) { benchReport(b, plan, rows) })
	b.Run("units/raked", func(b *testing.B) { benchReport(b, raked(plan), rows) })
}

// BenchmarkBuild1M sorts a million answers into columns.
func BenchmarkBuild1M(b *testing.B) {
	_, rows := benchRound(1_000_000)
	all := make([]Row, 0, rows.Len())
	for r := range rows.All() {
		all = append(all, r)
	}
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for b.Loop() {
		builder := NewBuilder(22, false)
		builder.Grow(len(all))
		for _, r := range all {
			if err := builder.Add(r); err != nil {
				b.Fatal(err)
			}
		}
		builder.Build()
	}
}

// BenchmarkWithout1M withdraws one answer of a million.
func BenchmarkWithout1M(b *testing.B) {
	_, rows := benchRound(1_000_000)
	ids := map[[16]byte]struct{}{rows.id[654321]: {}}
	for b.Loop() {
		if rows.Without(ids).Len() != rows.Len()-1 {
			b.Fatal("not withdrawn")
		}
	}
}

// BenchmarkMerge1M merges a tail of 10,000 into a million answers.
func BenchmarkMerge1M(b *testing.B) {
	_, rows := benchRound(1_000_000)
	main, tail := split(rows, 10_000)
	for b.Loop() {
		Merge(main, tail)
	}
}

// split divides a block into one of the rest and one of about n answers spread
// over it.
func split(rows *Rows, n int) (main, tail *Rows) {
	mb, tb := NewBuilder(rows.items, rows.weighted), NewBuilder(rows.items, rows.weighted)
	mb.Grow(rows.Len())
	i := 0
	for r := range rows.All() {
		b := mb
		if i++; n > 0 && i%(rows.Len()/n) == 0 {
			b = tb
		}
		if err := b.Add(r); err != nil {
			panic(err)
		}
	}
	return mb.Build(), tb.Build()
}
