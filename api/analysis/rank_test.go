package analysis

import (
	"math"
	"slices"
	"testing"

	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// holmRanges ranks by hand: every pair's t test, p-values in order, each times
// the number of those that are left, until one is above 5%.
func holmRanges(values, errors, df []float64, covariance func(i, j int) float64) []stats.RankRange {
	type pair struct {
		i, j int
		p    float64
	}
	var pairs []pair
	for i := range values {
		for j := range i {
			va, vb, c := errors[i]*errors[i], errors[j]*errors[j], covariance(i, j)
			freedom := min(df[i], df[j])
			if c == 0 {
				freedom = (va + vb) * (va + vb) / (va*va/df[i] + vb*vb/df[j])
			}
			upper, lower := i, j
			if values[i] < values[j] {
				upper, lower = j, i
			}
			pairs = append(pairs, pair{upper, lower, 2 * stats.TUpperTail((values[upper]-values[lower])/math.Sqrt(va+vb-2*c), freedom)})
		}
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		if a.p < b.p {
			return -1
		}
		return 1
	})
	ranges := make([]stats.RankRange, len(values))
	for i := range ranges {
		ranges[i] = stats.RankRange{Low: 1, High: len(values), Of: len(values), NotDistinguishable: len(values) - 1}
	}
	for k, p := range pairs {
		if p.p*float64(len(pairs)-k) > 0.05 {
			break
		}
		ranges[p.i].High--
		ranges[p.j].Low++
		ranges[p.i].NotDistinguishable--
		ranges[p.j].NotDistinguishable--
	}
	return ranges
}

// ranked are the groups of a rank group that have a rank.
func ranked(r *stats.Report, of string) (out []stats.Group) {
	for _, g := range r.Groups {
		if g.RankGroup == of && g.Rank != nil {
			out = append(out, g)
		}
	}
	return out
}

// Ranks of units come with ranges that hold at once, within each type of unit;
// units without a verdict have none, and the report says how many they are.
func TestRankRangesOfUnits(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	r := ask(t, loaded(t, st), map[string]string{"by": "unit"})
	left := len(r.Groups)
	for _, kind := range []string{"xa", "so"} {
		groups := ranked(r, kind)
		var values, errors, df []float64
		for _, g := range groups {
			values, errors, df = append(values, *g.Weighted.Value), append(errors, *g.Weighted.SE), append(df, float64(g.Weighted.DF))
		}
		want := holmRanges(values, errors, df, func(int, int) float64 { return 0 })
		apart := 0
		for i, g := range groups {
			if g.RankRange == nil || *g.RankRange != want[i] {
				t.Errorf("%s: rank %d in %+v, want %+v", g.ID, *g.Rank, g.RankRange, want[i])
				continue
			}
			if *g.Rank < g.RankRange.Low || *g.Rank > g.RankRange.High {
				t.Errorf("%s: rank %d outside %+v", g.ID, *g.Rank, *g.RankRange)
			}
			apart += len(groups) - 1 - g.RankRange.NotDistinguishable
		}
		if len(groups) < 5 || kind == "xa" && apart == 0 {
			t.Errorf("%s: %d ranked, %d pairs told apart: the test shows nothing", kind, len(groups), apart/2)
		}
	}
	for _, g := range r.Groups {
		if g.Rank != nil {
			left--
		} else if g.RankRange != nil {
			t.Errorf("%s has no rank, and a range", g.ID)
		}
	}
	i := slices.IndexFunc(r.Notices, func(n stats.Notice) bool { return n.Code == "unranked" })
	if left == 0 || i < 0 {
		t.Errorf("%d groups without a rank, notice %d", left, i)
	}
}

// Groups that share desk-days and weight cells covary; the ranges take that in.
func TestRankRangesOfFields(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, nil)
	a := loaded(t, st)
	for _, by := range []string{"field", "gender"} {
		r := ask(t, a, map[string]string{"by": by})
		groups := ranked(r, "")
		b := brute(t, a, all, countedBy(survey.ChannelQR), r)
		var statistics []stats.Statistic
		var values, df []float64
		for _, g := range groups {
			s := b.index(b.domain(func(x survey.Response) bool {
				if by == "field" {
					return x.Field == g.ID
				}
				return x.Profile[by] == g.ID
			}))
			if s.N != g.Weighted.N || int(s.DF) != g.Weighted.DF || math.Abs(100*s.Value-*g.Weighted.Value) > 1e-8 {
				t.Fatalf("%s %s: %d answers, df %v, %v; the report has %+v", by, g.ID, s.N, s.DF, 100*s.Value, g.Weighted)
			}
			statistics, values, df = append(statistics, s), append(values, s.Value), append(df, s.DF)
		}
		cov, err := b.Covariance(statistics...)
		if err != nil {
			t.Fatal(err)
		}
		var errors []float64
		shared := 0
		x := newQuestion(a.rounds[seeds.DemoRound].snapshot(st.View().Catalogue), Query{Round: seeds.DemoRound, By: by})
		result, err := stats.Compute(&x.plan, x.blocks...)
		if err != nil {
			t.Fatal(err)
		}
		used, err := (&writer{question: x, result: result}).covariances()
		if err != nil || used == nil {
			t.Fatalf("%s: groups are taken for independent: %v", by, err)
		}
		for i := range cov {
			for j := range cov {
				if got := used.At(slices.Index(x.groups, groups[i].ID), slices.Index(x.groups, groups[j].ID)); math.Abs(got-cov[i][j]) > 1e-9*math.Sqrt(cov[i][i]*cov[j][j]) {
					t.Errorf("%s: %s and %s covary by %v, want %v", by, groups[i].ID, groups[j].ID, got, cov[i][j])
				}
			}
			errors = append(errors, math.Sqrt(cov[i][i]))
			if math.Abs(100*errors[i]-*groups[i].Weighted.SE) > 1e-8 {
				t.Errorf("%s %s: standard error %v, in the report %v", by, groups[i].ID, 100*errors[i], *groups[i].Weighted.SE)
			}
			for j := range i {
				if math.Abs(cov[i][j]) > 0.01*errors[i]*errors[j] {
					shared++
				}
			}
		}
		want := holmRanges(values, errors, df, func(i, j int) float64 { return cov[i][j] })
		for i, g := range groups {
			if g.RankRange == nil || *g.RankRange != want[i] {
				t.Errorf("%s %s: %+v, want %+v", by, g.ID, g.RankRange, want[i])
			}
		}
		if shared == 0 || len(groups) < 2 {
			t.Errorf("%s: %d groups, none of them covary: the test shows nothing", by, len(groups))
		}
	}
}

// Nothing in time, and no mode, has a rank or a range.
func TestNoRankRangeOfDaysAndModes(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 3000 })
	a := loaded(t, st)
	for _, by := range []string{"month", "day", "channel", "door"} {
		r := ask(t, a, map[string]string{"by": by})
		for _, g := range r.Groups {
			if g.Rank != nil || g.RankRange != nil {
				t.Errorf("%s %s: rank %v in %v", by, g.ID, g.Rank, g.RankRange)
			}
		}
		if slices.ContainsFunc(r.Notices, func(n stats.Notice) bool { return n.Code == "unranked" }) {
			t.Errorf("%s: the report says that they have no rank", by)
		}
	}
}

// A unanimous group of few people is not known exactly.
func TestRankableUnanimous(t *testing.T) {
	few, many := rankable(&stats.Estimate{P: 1, N: 30, DF: 5}), rankable(&stats.Estimate{P: 1, N: 3000, DF: 5})
	if !(few.SE > many.SE && many.SE > 0) {
		t.Errorf("standard errors %v of 30 and %v of 3,000", few.SE, many.SE)
	}
	if g := rankable(&stats.Estimate{P: 0.8, SE: 0.01, N: 30, DF: 5}); g != (stats.RankedGroup{Estimate: 0.8, SE: 0.01, DF: 5}) {
		t.Errorf("%+v", g)
	}
}
