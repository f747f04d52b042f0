package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestRankGroups(t *testing.T) {
	inf := math.Inf(1)
	tests := []struct {
		name       string
		groups     []RankedGroup
		covariance [][]float64
		places     []RankInterval
		alike      [][]int
	}{
		{name: "nobody"},
		{name: "alone", groups: []RankedGroup{{0.8, 0.1, 5}}, places: []RankInterval{{1, 1, 1}}, alike: [][]int{nil}},
		{
			name:   "clear",
			groups: []RankedGroup{{0.5, 0.01, inf}, {0.9, 0.01, inf}, {0.7, 0.01, inf}},
			places: []RankInterval{{3, 3, 3}, {1, 1, 1}, {2, 2, 2}},
			alike:  [][]int{nil, nil, nil},
		},
		{
			name:   "not transitive",
			groups: []RankedGroup{{0.80, 0.02, inf}, {0.75, 0.02, inf}, {0.70, 0.02, inf}},
			places: []RankInterval{{1, 1, 2}, {2, 1, 3}, {3, 2, 3}},
			alike:  [][]int{{1}, {0, 2}, {1}},
		},
		{
			name:   "equals share a rank",
			groups: []RankedGroup{{0.8, 0, inf}, {0.8, 0, inf}, {0.9, 0, inf}},
			places: []RankInterval{{2, 2, 3}, {2, 2, 3}, {1, 1, 1}},
			alike:  [][]int{{1}, {0}, nil},
		},
		{
			name:       "a difference known better than its parts",
			groups:     []RankedGroup{{0.80, 0.05, inf}, {0.85, 0.05, inf}},
			covariance: [][]float64{{0.0025, 0.0024}, {0.0024, 0.0025}},
			places:     []RankInterval{{2, 2, 2}, {1, 1, 1}},
			alike:      [][]int{nil, nil},
		},
		{
			// 0.10 / (0.03·√2) = 2.36: p = 0.018 on the normal, 0.056 on 2+2 degrees of freedom with t.
			name:   "few days",
			groups: []RankedGroup{{0.80, 0.03, 2}, {0.90, 0.03, 2}},
			places: []RankInterval{{2, 1, 2}, {1, 1, 2}},
			alike:  [][]int{{1}, {0}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := RankGroups(tt.groups, tt.covariance, 0.05)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Places, tt.places) {
				t.Errorf("places %v, want %v", r.Places, tt.places)
			}
			for i, want := range tt.alike {
				if got := r.NotDistinguishable(i); !slices.Equal(got, want) {
					t.Errorf("group %d cannot be told from %v, want %v", i, got, want)
				}
			}
		})
	}
}

// TestPairDegreesOfFreedom: Welch and Satterthwaite's for independent groups, the smaller else.
func TestPairDegreesOfFreedom(t *testing.T) {
	groups := []RankedGroup{{0.8, 0.03, 4}, {0.9, 0.04, 10}}
	// (0.0009+0.0016)² / (0.0009²/4 + 0.0016²/10) = 6.25e-6 / 4.585e-7
	for _, tt := range []struct{ covariance, df float64 }{{0, 6.25e-6 / 4.585e-7}, {0.0001, 4}} {
		pairs, err := ComparePairs(groups, [][]float64{{0.0009, tt.covariance}, {tt.covariance, 0.0016}})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(pairs[0].DF-tt.df) > 1e-9 {
			t.Errorf("covariance %v: %v degrees of freedom, want %v", tt.covariance, pairs[0].DF, tt.df)
		}
	}
}

func TestRankingErrors(t *testing.T) {
	good := RankedGroup{0.8, 0.1, 5}
	nan := math.NaN()
	for name, groups := range map[string][]RankedGroup{
		"no estimate":              {good, {nan, 0.1, 5}},
		"infinite estimate":        {good, {math.Inf(1), 0.1, 5}},
		"no standard error":        {good, {0.8, nan, 5}},
		"negative standard error":  {good, {0.8, -0.1, 5}},
		"no degrees of freedom":    {good, {0.8, 0.1, 0}},
		"too many for every pair":  slices.Repeat([]RankedGroup{good}, maxRanked+1),
		"infinite standard errors": {good, {0.8, math.Inf(1), 5}},
	} {
		if _, err := RankGroups(groups, nil, 0.05); err == nil {
			t.Errorf("%s: pairs are ranked", name)
		}
		if _, err := SimultaneousIntervals(groups, SidakIntervals, 0.05); err == nil {
			t.Errorf("%s: intervals are given", name)
		}
		if _, err := RankByIntervals(groups, make([]Interval, len(groups))); err == nil {
			t.Errorf("%s: intervals are ranked", name)
		}
	}
	two := []RankedGroup{good, good}
	for _, covariance := range [][][]float64{{{1}}, {{1, 0}, {0}}, {{0, 1}, {1, 0}}, {{0, nan}, {nan, 0}}} {
		if _, err := RankGroups(two, covariance, 0.05); err == nil {
			t.Errorf("covariance %v is taken", covariance)
		}
	}
	for _, alpha := range []float64{0, 1, nan} {
		if _, err := RankGroups(two, nil, alpha); err == nil {
			t.Errorf("alpha %v is taken for pairs", alpha)
		}
		if _, err := SimultaneousIntervals(two, BonferroniIntervals, alpha); err == nil {
			t.Errorf("alpha %v is taken for intervals", alpha)
		}
	}
	if _, err := SimultaneousIntervals(two, "scheffe", 0.05); err == nil {
		t.Error("an unknown kind of interval is given")
	}
	for _, intervals := range [][]Interval{{{0.7, 0.9}}, {{0.7, 0.9}, {0.9, 1}}, {{0.7, 0.9}, noInterval}} {
		if _, err := RankByIntervals(two, intervals); err == nil {
			t.Errorf("intervals %v are ranked", intervals)
		}
	}
}

// TestRankingProperties: a rank lies in its interval, whatever the method; groups that can be told apart are
// in the right order; shuffling the groups shuffles the places; Šidák's intervals lie inside Bonferroni's.
func TestRankingProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "groups"), 1))
		groups := make([]RankedGroup, 1+rng.IntN(12))
		for i := range groups {
			groups[i] = RankedGroup{math.Round(rng.Float64()*20) / 20, rng.Float64() / 20, float64(1 + rng.IntN(50))}
		}
		order := rng.Perm(len(groups))
		shuffled := make([]RankedGroup, len(groups))
		for i, k := range order {
			shuffled[i] = groups[k]
		}
		ways := map[string]func([]RankedGroup) (Ranking, error){
			"pairs": func(groups []RankedGroup) (Ranking, error) { return RankGroups(groups, nil, 0.05) },
			"intervals": func(groups []RankedGroup) (Ranking, error) {
				intervals, err := SimultaneousIntervals(groups, SidakIntervals, 0.05)
				if err != nil {
					return Ranking{}, err
				}
				return RankByIntervals(groups, intervals)
			},
		}
		for name, rank := range ways {
			r, err := rank(groups)
			if err != nil {
				t.Fatal(err)
			}
			again, err := rank(shuffled)
			if err != nil {
				t.Fatal(err)
			}
			for i, k := range order {
				if again.Places[i] != r.Places[k] {
					t.Fatalf("%s: place %v, and %v in another order", name, r.Places[k], again.Places[i])
				}
			}
			for i, place := range r.Places {
				if !(1 <= place.Low && place.Low <= place.Rank && place.Rank <= place.High && place.High <= len(groups)) {
					t.Fatalf("%s: place %+v of %d", name, place, len(groups))
				}
				alike := r.NotDistinguishable(i)
				if len(alike)+1 != place.High-place.Low+1 {
					t.Fatalf("%s: %+v cannot be told from %d others", name, place, len(alike))
				}
				for j := range groups {
					if j != i && slices.Contains(alike, j) != slices.Contains(r.NotDistinguishable(j), i) {
						t.Fatalf("%s: %d and %d are not alike both ways", name, i, j)
					}
				}
			}
		}
		wide, err := SimultaneousIntervals(groups, BonferroniIntervals, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		narrow, err := SimultaneousIntervals(groups, SidakIntervals, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		for i := range wide {
			if narrow[i].Width() > wide[i].Width()*(1+1e-9) {
				t.Fatalf("Šidák %v wider than Bonferroni %v", narrow[i], wide[i])
			}
		}
	})
}

// TestRankIntervalsHold: over many samples of groups whose order is known, the intervals of all groups hold the
// true ranks in at least 95% (less what chance allows); a table of plain ranks is right in next to none.
func TestRankIntervalsHold(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const rounds, m = 400, 20
	held, plain := 0, 0
	for range rounds {
		groups := make([]RankedGroup, m)
		for i := range groups {
			truth := 0.70 + 0.01*float64(i) // rank m − i
			groups[i] = RankedGroup{truth + 0.02*rng.NormFloat64(), 0.02, math.Inf(1)}
		}
		r, err := RankGroups(groups, nil, 0.05)
		if err != nil {
			t.Fatal(err)
		}
		all, exact := true, true
		for i, place := range r.Places {
			all = all && place.Low <= m-i && m-i <= place.High
			exact = exact && place.Rank == m-i
		}
		if all {
			held++
		}
		if exact {
			plain++
		}
	}
	if held < rounds*92/100 || plain > rounds/20 {
		t.Errorf("the intervals held in %d of %d rounds, the plain ranks in %d", held, rounds, plain)
	}
}

// TestUnanimousSE: Wilson's interval at 0 of n people ends at z²/(n+z²), which is 2·p̃.
func TestUnanimousSE(t *testing.T) {
	for _, n := range []int{1, 10, 300} {
		p := WilsonInterval(0, float64(n), 0.95).High / 2
		z := NormalQuantile(0.975)
		if want := math.Sqrt(p * (1 - p) / (float64(n) + z*z)); math.Abs(UnanimousSE(n)-want) > 1e-12 {
			t.Errorf("%d people: %v, want %v", n, UnanimousSE(n), want)
		}
	}
}

// BenchmarkRankGroups ranks the communes of a large province.
func BenchmarkRankGroups(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	groups := make([]RankedGroup, 400)
	for i := range groups {
		groups[i] = RankedGroup{0.8 + 0.05*rng.NormFloat64(), 0.02, 60}
	}
	for b.Loop() {
		if _, err := RankGroups(groups, nil, 0.05); err != nil {
			b.Fatal(err)
		}
	}
}
