package analysis

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// changeRound stores a changed copy of the demonstration's round, as could be done before
// it opened.
func changeRound(t *testing.T, a *Analysis, change func(*survey.Round)) {
	t.Helper()
	round := *a.store.View().Rounds[seeds.DemoRound]
	change(&round)
	if _, err := a.store.PutDocumentsAt(t.Context(), survey.Documents{Rounds: []survey.Round{round}}, "", round.First.AddDays(-1).Start()); err != nil {
		t.Fatal(err)
	}
}

func find(t *testing.T, r *stats.Report, id string) *stats.Group {
	t.Helper()
	for i := range r.Groups {
		if r.Groups[i].ID == id {
			return &r.Groups[i]
		}
	}
	t.Fatalf("no group %s", id)
	return nil
}

func TestTargetsOfUnits(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	a := loaded(t, st)
	unit := ask(t, a, map[string]string{"by": "unit"}).Groups[0].ID
	changeRound(t, a, func(r *survey.Round) { r.UnitTargets = map[string]float64{unit: 99} })
	if g := find(t, ask(t, a, map[string]string{"by": "unit"}), unit); g.Verdict.Target != 99 || *g.Verdict.Verdict == stats.Met || *g.Verdict.ReachesTarget {
		t.Errorf("by unit: %+v", g.Verdict)
	}
	alone := ask(t, a, map[string]string{"unit": unit, "by": "channel"})
	if alone.Total.Verdict.Target != 99 {
		t.Errorf("alone: target %v", alone.Total.Verdict.Target)
	}
	for _, g := range alone.Groups {
		if g.Verdict.Target != 99 {
			t.Errorf("channel %s: target %v", g.ID, g.Verdict.Target)
		}
	}
	desks := 0
	for _, g := range ask(t, a, map[string]string{"by": "desk"}).Groups {
		own := st.View().Desks[g.ID].Unit == unit
		if own {
			desks++
		}
		if own != (g.Verdict.Target == 99) {
			t.Errorf("desk %s: target %v", g.ID, g.Verdict.Target)
		}
		if g.RankGroup != st.View().Units[st.View().Desks[g.ID].Unit].Type {
			t.Errorf("desk %s is ranked in %q", g.ID, g.RankGroup)
		}
	}
	if desks == 0 {
		t.Error("the unit has no desk in the report")
	}
}

func TestPlannedLooksShareTheError(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	a := loaded(t, st)
	params := map[string]string{"by": "unit"}
	met := func() (n int) {
		for _, g := range ask(t, a, params).Groups {
			if v := g.Verdict.Verdict; v != nil && *v != stats.Undecided && *v != stats.TooFew {
				n++
			}
		}
		return n
	}
	once := met()
	changeRound(t, a, func(r *survey.Round) { r.Looks = 10 })
	if level := ask(t, a, params).Total.Verdict.Level; level != 99.5 {
		t.Errorf("ten looks: level %v, want 99.5", level)
	}
	if ten := met(); ten >= once {
		t.Errorf("ten looks decide %d units, one look %d", ten, once)
	}
}

func TestTippingPoint(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	checked := 0
	for _, g := range ask(t, loaded(t, st), map[string]string{"by": "unit"}).Groups {
		if g.TippingPoint == nil || g.Weighted.Value == nil {
			continue
		}
		checked++
		// With everybody who did not answer at the tipping point, the whole is
		// exactly at the target.
		rate := *g.ResponseRate / 100
		if whole := rate**g.Weighted.Value + (1-rate)**g.TippingPoint; math.Abs(whole-80) > 1e-6 {
			t.Errorf("unit %s: the whole is %v", g.ID, whole)
		}
		if math.Abs(rate-float64(g.N)/float64(*g.Returned)) > 1e-9 {
			t.Errorf("unit %s: response rate %v of %d / %d", g.ID, rate, g.N, *g.Returned)
		}
	}
	if checked < 50 {
		t.Errorf("only %d units were checked", checked)
	}
}

// More answers than results returned: no verdict for the unit and the total, and
// the other units keep theirs.
func TestAnswersExceedTransactions(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	a := loaded(t, st)
	before := ask(t, a, map[string]string{"by": "unit"})
	i := slices.IndexFunc(before.Groups, func(g stats.Group) bool { return g.N > 100 })
	unit, other := before.Groups[i].ID, before.Groups[i+1].ID
	p := *st.View().Populations[seeds.DemoRound+"/"+unit]
	p.Cells = slices.Clone(p.Cells)
	for i := range p.Cells {
		p.Cells[i].Returned = min(p.Cells[i].Returned, 1)
	}
	if _, err := st.PutDocuments(t.Context(), survey.Documents{Populations: []survey.Population{p}}); err != nil {
		t.Fatal(err)
	}
	after := ask(t, a, map[string]string{"by": "unit"})
	for name, v := range map[string]stats.Decision{"unit": find(t, after, unit).Verdict, "total": after.Total.Verdict} {
		if v.Verdict != nil || v.Reason != "answers_exceed_transactions" {
			t.Errorf("%s: %+v", name, v)
		}
	}
	if v := find(t, after, other).Verdict; v.Verdict == nil {
		t.Errorf("another unit lost its verdict: %+v", v)
	}
	if find(t, after, unit).Rank != nil {
		t.Error("the unit is ranked")
	}
	if !slices.ContainsFunc(after.Notices, func(n stats.Notice) bool { return n.Code == "answers_exceed_transactions" }) {
		t.Error("no notice says so")
	}
}

// 29 answers are too few, 30 are not.
func TestSmallestVerdict(t *testing.T) {
	waits(t)
	source := openStore(t, t.TempDir())
	_, all := fill(t, source, nil)
	counts := map[string]int{}
	usable := func(r survey.Response) bool {
		return r.Channel == survey.ChannelQR && survey.Valid(r.Answers, 0.5)
	}
	for _, r := range all {
		if usable(r) {
			counts[r.Unit]++
		}
	}
	unit := ""
	for u, n := range counts {
		if n > counts[unit] || n == counts[unit] && u < unit {
			unit = u
		}
	}
	var chosen []survey.Response
	for _, r := range all {
		if usable(r) && r.Unit == unit {
			r.Digest, r.Receipt = nil, nil
			chosen = append(chosen, r)
		}
	}
	docs, err := source.Documents()
	if err != nil {
		t.Fatal(err)
	}
	st := openStore(t, t.TempDir())
	if _, err := st.PutDocuments(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	add(t, st, chosen[:29])
	a := loaded(t, st)
	params := map[string]string{"unit": unit}
	if v := ask(t, a, params).Total.Verdict; v.Verdict == nil || *v.Verdict != stats.TooFew {
		t.Errorf("29 answers: %+v", v)
	}
	add(t, st, chosen[29:30])
	if r := ask(t, a, params); r.Total.N != 30 || r.Total.Verdict.Verdict != nil && *r.Total.Verdict.Verdict == stats.TooFew {
		t.Errorf("%d answers: %+v", r.Total.N, r.Total.Verdict)
	}
}

// Two questions that look alike are two questions.
func TestCacheKeepsQuestionsApart(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 2000 })
	a := loaded(t, st)
	for _, pair := range [][2]map[string]string{
		{{"field": "dat-dai;filing=post"}, {"field": "dat-dai", "filing": "post"}},
		{{"method": "pooled"}, {"method": "mean-of-factors"}},
		{{"by": "unit"}, {"by": "desk"}},
		{{"from": "2026-11-01"}, {"to": "2026-11-01"}},
	} {
		if ask(t, a, pair[0]) == ask(t, a, pair[1]) {
			t.Errorf("%v and %v got one report", pair[0], pair[1])
		}
	}
}

func TestSensitiveQuestionsAreNeverCrossed(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 10 })
	c := st.View().Catalogue
	for name, test := range map[string]struct {
		params map[string]string
		ok     bool
	}{
		"alone":           {map[string]string{"by": "ethnicity"}, true},
		"in a period":     {map[string]string{"by": "ethnicity", "from": "2026-11-01"}, true},
		"by age":          {map[string]string{"by": "age", "ethnicity": "kinh"}, false},
		"with a filter":   {map[string]string{"by": "ethnicity", "gender": "male"}, false},
		"of one desk":     {map[string]string{"by": "ethnicity", "desk": anyDesk(c)}, false},
		"no such option":  {map[string]string{"gender": "male;age=18-24"}, false},
		"others together": {map[string]string{"by": "age", "gender": "male"}, true},
	} {
		if _, err := ParseQuery(c, seeds.DemoRound, test.params); (err == nil) != test.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func anyDesk(c *survey.Catalogue) string {
	for id := range c.Desks {
		return id
	}
	return ""
}

// A desk that moves to another unit takes none of its old answers along.
func TestDeskThatMoves(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	before := ask(t, loaded(t, st), map[string]string{"by": "unit"})
	docs, err := st.Documents()
	if err != nil {
		t.Fatal(err)
	}
	desk := docs.Desks[0]
	for _, d := range docs.Desks {
		if d.Unit != desk.Unit {
			desk.Unit = d.Unit
			break
		}
	}
	if _, err := st.PutDocuments(t.Context(), survey.Documents{Desks: []survey.Desk{desk}}); err != nil {
		t.Fatal(err)
	}
	after := ask(t, loaded(t, st), map[string]string{"by": "unit"})
	for _, g := range before.Groups {
		now := find(t, after, g.ID)
		if now.N != g.N || (g.Weighted.SE != nil) != (now.Weighted.SE != nil) || g.Weighted.SE != nil && math.Abs(*now.Weighted.SE-*g.Weighted.SE) > 1e-9 {
			t.Errorf("unit %s: n %d → %d, se %v → %v", g.ID, g.N, now.N, g.Weighted.SE, now.Weighted.SE)
		}
	}
}

// People who do not say their field or filing channel do not spoil the weights of
// those who do.
func TestUnsaidFieldAndFiling(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 6000 })
	before := ask(t, loaded(t, st), map[string]string{"channel": "all"})
	silent := openStore(t, t.TempDir())
	docs, err := st.Documents()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := silent.PutDocuments(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		all[i].Digest, all[i].Receipt = nil, nil
		if i%10 == 0 {
			all[i].Filing = ""
		}
		if i%15 == 0 {
			all[i].Field = ""
		}
	}
	add(t, silent, all)
	after := ask(t, loaded(t, silent), map[string]string{"channel": "all"})
	if math.Abs(*after.Total.Weighted.Value-*before.Total.Weighted.Value) > 0.5 {
		t.Errorf("the index was %v and is %v", *before.Total.Weighted.Value, *after.Total.Weighted.Value)
	}
	if after.Total.Verdict.Verdict == nil {
		t.Errorf("the verdict is lost: %s", after.Total.Verdict.Reason)
	}
	for _, c := range after.Weighting.Cells {
		if c.Exceeds {
			t.Errorf("unit %s: a cell with %d answers of %d results is said to exceed", c.Unit, c.Answers, c.Returned)
		}
	}
}

// TestFieldNotSaid: the report says what share of its answers lacks the field that the
// weights need, of all of them and of a unit.
func TestFieldNotSaid(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, func(p *seeds.Params) { p.Answers = 900 })
	unit := all[0].Unit
	var silent []survey.Response
	for _, r := range all {
		if r.Unit == unit && r.Field != "" {
			r.ID[15] ^= 1
			r.Field = ""
			silent = append(silent, r)
		}
	}
	add(t, st, silent)
	a := loaded(t, st)
	byField := map[string]bool{}
	for _, p := range a.store.View().Populations {
		for _, c := range p.Cells {
			if p.Round == seeds.DemoRound && c.Field != "" {
				byField[p.Unit] = true
			}
		}
	}
	for _, params := range []map[string]string{{}, {"unit": unit}, {"field": all[0].Field}} {
		r := ask(t, a, params)
		counted, without := 0, 0
		for _, x := range slices.Concat(all, silent) {
			if params["unit"] != "" && x.Unit != unit || params["field"] != "" && x.Field != params["field"] || !survey.Valid(x.Answers, 0.5) || x.Channel != a.store.View().Rounds[seeds.DemoRound].PrimaryChannel {
				continue
			}
			counted++
			if x.Field == "" && byField[x.Unit] {
				without++
			}
		}
		got, want := "", ""
		for _, n := range r.Notices {
			if n.Code == "field_not_said" {
				got, _, _ = strings.Cut(n.Text["vi"], "%")
			}
		}
		if without > 0 {
			want = strings.Replace(fmt.Sprintf("%.1f", 100*float64(without)/float64(counted)), ".", ",", 1)
		}
		if got != want || r.Counts.Counted != counted || (without == 0) != (params["field"] != "") {
			t.Errorf("%v: %q of %d, want %q of %d", params, got, r.Counts.Counted, want, counted)
		}
	}
}
