package analysis

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"sipas/stats"
	"sipas/survey"
)

// bruteSample is the counted answers of a visitors round, one by one, with the
// design and the weights written out: what reports are compared with.
type bruteSample struct {
	*stats.Sample
	rows []survey.Response
	in   *survey.Instrument
}

// brute takes the answers that count in one report, -1 none, with the weights of
// that report's cells. Several reports are samples at the same desk-days.
func brute(t testing.TB, a *Analysis, all []survey.Response, report func(survey.Response) int, reports ...*stats.Report) *bruteSample {
	t.Helper()
	c := a.store.View().Catalogue
	b := &bruteSample{in: c.Instruments[survey.InstrumentKey(reports[0].Round.Instrument, reports[0].Round.Version)]}
	for _, x := range all {
		if report(x) >= 0 {
			b.rows = append(b.rows, x)
		}
	}
	days := map[string]map[survey.Date]bool{} // by desk
	unitOf := map[string]string{}
	for _, x := range b.rows {
		if days[x.Desk] == nil {
			days[x.Desk] = map[survey.Date]bool{}
		}
		days[x.Desk][survey.DateOf(x.Answered)] = true
		unitOf[x.Desk] = x.Unit
	}
	desksOf := map[string][]string{}
	for desk, unit := range unitOf {
		desksOf[unit] = append(desksOf[unit], desk)
	}
	stratum := map[string]string{} // of desks
	for _, desks := range desksOf {
		slices.SortFunc(desks, func(x, y string) int { return cmp.Or(cmp.Compare(len(days[x]), len(days[y])), cmp.Compare(x, y)) })
		single := 0
		for single < len(desks) && len(days[desks[single]]) == 1 {
			single++
		}
		for i, d := range desks {
			stratum[d] = d
			if i < single {
				stratum[d] = desks[0]
			}
		}
		if single == 1 && len(desks) > 1 {
			stratum[desks[0]] = desks[1]
		}
	}
	type key struct {
		report              int
		unit, field, filing string
	}
	cellOf, weight := map[key]int{}, []float64{}
	left := make([]map[string]bool, len(reports)) // units out of the weights
	for n, r := range reports {
		left[n] = map[string]bool{}
		for _, cell := range r.Weighting.Cells {
			left[n][cell.Unit] = left[n][cell.Unit] || cell.Uncovered
			for _, m := range cell.Members {
				cellOf[key{n, cell.Unit, m.Field, m.Filing}] = len(weight)
			}
			w := 0.0
			if cell.Weight != nil {
				w = *cell.Weight
			}
			weight = append(weight, w)
		}
	}
	codes := map[string]int{}
	code := func(s string) int {
		if _, ok := codes[s]; !ok {
			codes[s] = len(codes)
		}
		return codes[s]
	}
	columns := stats.SamplingColumns{Clusters: [][]int{nil}, Lonely: stats.LonelyAdjust}
	sizes, cells := make([]float64, len(weight)), make([]int, len(b.rows))
	for i, x := range b.rows {
		columns.Strata = append(columns.Strata, code(stratum[x.Desk]))
		columns.Clusters[0] = append(columns.Clusters[0], code(x.Desk+" "+string(survey.DateOf(x.Answered))))
		if columns.Weights = append(columns.Weights, 1); left[report(x)][x.Unit] {
			columns.Weights[i] = 0
		}
		n, ok := cellOf[key{report(x), x.Unit, x.Field, x.Filing}]
		if !ok {
			t.Fatalf("no weight cell holds %s, %s, %s", x.Unit, x.Field, x.Filing)
		}
		cells[i] = n
		sizes[n] += weight[n]
	}
	design, err := stats.NewSamplingDesign(columns)
	if err != nil {
		t.Fatal(err)
	}
	b.Sample = stats.NewSample(design)
	if reports[0].Weighting.Kind == "raked" {
		b.rake(t, a, report, left)
	} else if b.Sample, err = b.PostStratify(cells, sizes); err != nil {
		t.Fatal(err)
	}
	return b
}

// rake meets the results returned by unit, field and filing channel in each
// report, from the figures that staff gave, but for units that are left out. Every
// answer must say its field and filing channel.
func (b *bruteSample) rake(t testing.TB, a *Analysis, report func(survey.Response) int, left []map[string]bool) {
	t.Helper()
	margins := make([]stats.Margin, 3)
	codes := make([]map[string]int, 3)
	for m := range margins {
		codes[m] = map[string]int{}
	}
	for n := range left {
		for _, p := range a.store.View().Populations {
			for _, cell := range p.Cells {
				if left[n][p.Unit] {
					cell.Returned = 0
				}
				for m, class := range []string{p.Unit, cell.Field, cell.Filing} {
					key := fmt.Sprint(n, class)
					if _, ok := codes[m][key]; !ok {
						codes[m][key] = len(margins[m].Sizes)
						margins[m].Sizes = append(margins[m].Sizes, 0)
					}
					margins[m].Sizes[codes[m][key]] += float64(cell.Returned)
				}
			}
		}
	}
	for _, x := range b.rows {
		for m, class := range []string{x.Unit, x.Field, x.Filing} {
			code, ok := codes[m][fmt.Sprint(report(x), class)]
			if !ok {
				t.Fatalf("no class holds %s", class)
			}
			margins[m].Class = append(margins[m].Class, code)
		}
	}
	var err error
	if b.Sample, err = b.Rake(margins...); err != nil {
		t.Fatal(err)
	}
}

// domain marks the rows that bear weight and belong to a group.
func (b *bruteSample) domain(in func(survey.Response) bool) []bool {
	mask := make([]bool, len(b.rows))
	for i, x := range b.rows {
		mask[i] = b.Weights()[i] > 0 && in(x)
	}
	return mask
}

// index is the mean of all items' shares.
func (b *bruteSample) index(mask []bool) stats.Statistic {
	n := len(b.in.Items())
	f := stats.Factor{Weight: 1}
	for k := range n {
		f.Items = append(f.Items, b.column(k, func(level float64) float64 {
			if level >= 4 {
				return 1
			}
			return 0
		}))
	}
	return b.Index([]stats.Factor{f}, stats.MeanOfItems, mask).Index
}

// column holds an item's levels, changed by of, and NaN where it has none.
func (b *bruteSample) column(item int, of func(level float64) float64) []float64 {
	y := make([]float64, len(b.rows))
	for i, x := range b.rows {
		y[i] = math.NaN()
		if c := x.Answers[item]; c >= '1' && c <= '5' {
			y[i] = of(float64(c - '0'))
		}
	}
	return y
}

// countedBy says in which report an answer of the demonstration counts, of those
// about these channels.
func countedBy(channels ...survey.Channel) func(survey.Response) int {
	return func(x survey.Response) int {
		if !survey.Valid(x.Answers, 0.5) {
			return -1
		}
		return slices.Index(channels, x.Channel)
	}
}
