package analysis

import (
	"cmp"
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
	for n, r := range reports {
		for _, cell := range r.Weighting.Cells {
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
		columns.Weights = append(columns.Weights, 1)
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
	if b.Sample, err = stats.NewSample(design).PostStratify(cells, sizes); err != nil {
		t.Fatal(err)
	}
	return b
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
