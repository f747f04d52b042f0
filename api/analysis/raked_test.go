package analysis

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"testing"

	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

func rakedRound(r *survey.Round) { r.Weights = survey.WeightsRaked }

// rakeable is a raked round of the largest units and fields, with so many answers
// that no class merges, and of units with too few.
func rakeable(t *testing.T) (*Analysis, []survey.Response) {
	t.Helper()
	params := seeds.DefaultParams()
	documents, simulation, err := seeds.Demo(survey.DateOf(clock()), params)
	if err != nil {
		t.Fatal(err)
	}
	var all []survey.Response
	units, fields := map[string]int{}, map[string]int{}
	for visit := range simulation.Visits(survey.DateOf(clock()).AddDays(-1)) {
		r := visit.Response()
		all = append(all, r)
		units[r.Unit]++
		fields[r.Field]++
	}
	largest := func(counts map[string]int, n int) map[string]bool {
		keep := map[string]bool{}
		for _, id := range slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(counts[b]-counts[a], cmp.Compare(a, b)) })[:n] {
			keep[id] = true
		}
		return keep
	}
	unit, field := largest(units, 30), largest(fields, 5)
	for id := range largest(units, len(units)) {
		if units[id] < 10 {
			unit[id] = true // it will be left out
		}
	}
	rakedRound(&documents.Rounds[0])
	documents.Populations = slices.DeleteFunc(documents.Populations, func(p survey.Population) bool { return !unit[p.Unit] })
	for i := range documents.Populations {
		p := &documents.Populations[i]
		p.Cells = slices.DeleteFunc(p.Cells, func(c survey.PopulationCell) bool { return !field[c.Field] })
	}
	all = slices.DeleteFunc(all, func(r survey.Response) bool { return !unit[r.Unit] || !field[r.Field] })
	st := openStore(t, t.TempDir())
	if _, err := st.PutDocuments(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	add(t, st, all)
	return loaded(t, st), all
}

// TestRakedReport: the weights meet the figures of staff by unit, field and
// filing channel, and figures and errors are those of raking row by row.
func TestRakedReport(t *testing.T) {
	waits(t)
	a, all := rakeable(t)
	r := ask(t, a, map[string]string{"by": "unit"})
	if w := r.Weighting; w.Kind != "raked" || w.Covered >= w.Returned || w.Covered < w.Returned*9/10 || w.LargestRatio == nil {
		t.Fatalf("weighting %s, %d of %d covered, ratio %v", w.Kind, w.Covered, w.Returned, w.LargestRatio)
	}
	left := map[string]bool{}
	for _, c := range r.Weighting.Cells {
		left[c.Unit] = c.Uncovered
	}
	want, got := map[string]float64{}, map[string]float64{}
	for _, p := range a.store.View().Populations {
		for _, c := range p.Cells {
			for _, class := range []string{p.Unit, c.Field, c.Filing} {
				if !left[p.Unit] {
					want[class] += float64(c.Returned)
				}
			}
		}
	}
	for _, c := range r.Weighting.Cells {
		if c.Weight != nil {
			for _, class := range []string{c.Unit, c.Members[0].Field, c.Members[0].Filing} {
				got[class] += *c.Weight * float64(c.Answers)
			}
		}
	}
	for _, class := range slices.Sorted(maps.Keys(want)) {
		if math.Abs(got[class]-want[class]) > 1e-9*want[class] {
			t.Errorf("%s: weights sum to %v, want %v", class, got[class], want[class])
		}
	}
	b := brute(t, a, all, countedBy(survey.ChannelQR), r)
	check := func(what string, f stats.Figure, in func(survey.Response) bool) {
		s := b.index(b.domain(in))
		se, err := b.StandardError(s)
		if err != nil {
			t.Fatal(err)
		}
		near(t, what, f.Value, 100*s.Value)
		near(t, what+" error", f.SE, 100*se)
	}
	check("total", r.Total.Weighted, func(survey.Response) bool { return true })
	for _, g := range r.Groups[:5] {
		check(g.ID, g.Weighted, func(x survey.Response) bool { return x.Unit == g.ID })
	}
	for _, g := range ask(t, a, map[string]string{"by": "field"}).Groups {
		check(g.ID, g.Weighted, func(x survey.Response) bool { return x.Field == g.ID })
	}
	if !slices.ContainsFunc(r.Groups, func(g stats.Group) bool { return g.RankRange != nil && g.RankRange.Of >= 20 }) {
		t.Error("nothing is ranked")
	}
}

// TestRakedComparison: what two units share by the margins, and two channels by
// desk-days, is in the error of their difference.
func TestRakedComparison(t *testing.T) {
	waits(t)
	a, all := rakeable(t)
	r := ask(t, a, nil)
	b := brute(t, a, all, countedBy(survey.ChannelQR), r)
	units := slices.Sorted(maps.Keys(a.store.View().Units))
	units = slices.DeleteFunc(units, func(id string) bool { return a.store.View().Populations[seeds.DemoRound+"/"+id] == nil })
	of := func(in func(survey.Response) bool) stats.Statistic { return b.index(b.domain(in)) }
	sa, sb := of(func(x survey.Response) bool { return x.Unit == units[0] }), of(func(x survey.Response) bool { return x.Unit == units[1] })
	cov, err := b.Covariance(sa, sb)
	if err != nil {
		t.Fatal(err)
	}
	c := compare(t, a, map[string]string{"by": "unit", "a": units[0], "b": units[1]})
	if c.Weighting != "raked" || c.Difference.Covariance == nil || *c.Difference.Covariance == 0 {
		t.Errorf("two units: %s, %+v", c.Weighting, c.Difference)
	}
	near(t, "error of two units", c.Difference.SE, 100*math.Sqrt(cov[0][0]+cov[1][1]-2*cov[0][1]))

	kiosk := ask(t, a, map[string]string{"channel": "kiosk"})
	b = brute(t, a, all, countedBy(survey.ChannelQR, survey.ChannelKiosk), r, kiosk)
	sa, sb = of(func(x survey.Response) bool { return x.Channel == survey.ChannelQR }), of(func(x survey.Response) bool { return x.Channel == survey.ChannelKiosk })
	if cov, err = b.Covariance(sa, sb); err != nil {
		t.Fatal(err)
	}
	c = compare(t, a, map[string]string{"by": "channel", "a": "qr", "b": "kiosk"})
	near(t, "error of two channels", c.Difference.SE, 100*math.Sqrt(cov[0][0]+cov[1][1]-2*cov[0][1]))
}

// TestRakedInVain: where no weights meet the figures there is no verdict, and
// unweighted figures do not take the place of weighted ones.
func TestRakedInVain(t *testing.T) {
	waits(t)
	documents, simulation, err := seeds.Demo(survey.DateOf(clock()), seeds.DefaultParams())
	if err != nil {
		t.Fatal(err)
	}
	for i := range documents.Rounds {
		rakedRound(&documents.Rounds[i])
	}
	// All results filed online are of one unit, whose online filers do not answer.
	only := documents.Populations[0].Unit
	for i := range documents.Populations {
		p := &documents.Populations[i]
		filing, returned := "counter", 4000
		if p.Unit == only {
			filing, returned = "online", 1_000_000
		}
		p.Cells = []survey.PopulationCell{{Filing: filing, Returned: returned}}
	}
	c, err := survey.NewCatalogue(documents)
	if err != nil {
		t.Fatal(err)
	}
	q, err := ParseQuery(c, seeds.DemoRound, map[string]string{"by": "unit"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ReportOf(c, q, survey.DateOf(clock()), func(yield func(survey.Response) bool) {
		for visit := range simulation.Visits(survey.DateOf(clock()).AddDays(-1)) {
			if x := visit.Response(); (x.Unit != only || x.Filing != "online") && !yield(x) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Weighting.Kind != "raked" || r.Weighting.Covered != 0 || !slices.ContainsFunc(r.Notices, func(n stats.Notice) bool { return n.Code == "not_raked" }) {
		t.Errorf("weighting %s, %d covered, notices %v", r.Weighting.Kind, r.Weighting.Covered, r.Notices)
	}
	if g := r.Total; g.Weighted.Value != nil || g.Weighted.Reason != stats.ReasonNotConverged || g.Unweighted.Value == nil ||
		g.Verdict.Verdict != nil || g.Verdict.Reason != stats.ReasonNotConverged {
		t.Errorf("weighted %+v, verdict %+v", g.Weighted, g.Verdict)
	}
	for _, g := range r.Groups {
		if g.Rank != nil {
			t.Errorf("%s has a rank without a figure", g.ID)
		}
	}
}

// TestRakedUnitsCovary: ranks of a raked round take the covariances of units in.
func TestRakedUnitsCovary(t *testing.T) {
	for _, raked := range []bool{false, true} {
		p := stats.Plan{Items: 1, Factors: [][]int{{0}}, Methods: []stats.Method{{Combine: stats.Pooled, FactorWeights: []float64{1}}}, Design: stats.Visitors}
		if raked {
			p.Margins = make([]stats.CellMargin, 1)
		}
		w := &writer{question: &question{plan: p, query: Query{By: "unit"}}, result: &stats.Result{}}
		c, err := w.covariances()
		if err != nil || (c != nil) != raked {
			t.Errorf("raked %t: %v, %v", raked, c, err)
		}
	}
}

// TestMarginsOfFigures: what class a cell has, by what staff have figures of.
func TestMarginsOfFigures(t *testing.T) {
	f := &frame{units: []string{"both", "filings", "none", "total"}}
	var want [3][]int32
	add := func(unit int32, field, filing string, n float64, known bool, classes ...int32) {
		f.cells = append(f.cells, cellKey{f.units[unit], field, filing})
		f.plan.Cells = append(f.plan.Cells, stats.Cell{Unit: unit, N: n, Known: known})
		for m, c := range append([]int32{unit}, classes...) {
			want[m] = append(want[m], c)
		}
	}
	add(0, "land", "online", 10, true, 0, 0)
	add(0, "tax", "counter", 20, true, 1, 1)
	add(0, "", "online", 0, false, -1, 0)      // the field was not said
	add(0, "births", "post", 0, false, -1, -1) // nobody has figures of either
	add(0, "tax", "online", 0, false, 1, 0)
	add(1, "", "counter", 40, true, 2, 1) // fields are not told apart here
	add(1, "tax", "", 0, false, 2, -1)
	add(2, "tax", "counter", 0, false, 2, 2) // no figures at all
	add(3, "", "", 80, true, 2, 2)
	f.placeMargins()
	totals := [][]float64{{30, 40, 0, 80}, {10, 20, 120}, {10, 60, 80}}
	if len(f.plan.Margins) != 3 {
		t.Fatalf("%d margins", len(f.plan.Margins))
	}
	for m, got := range f.plan.Margins {
		if !slices.Equal(got.Class, want[m]) || !slices.Equal(got.Totals, totals[m]) || got.Merge != (m > 0) {
			t.Errorf("margin %d: %+v, want %v of %v", m, got, want[m], totals[m])
		}
	}
}
