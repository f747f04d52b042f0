package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// studyWorld is a unit whose visitors are asked on some days: day effects, unequal weights, small samples.
type studyWorld struct {
	desks, days int
	people      float64 // a desk-day, on average
	share       float64 // satisfied
	within      float64 // correlation of two people of one desk-day
	unequal     bool    // weights of 1 and 3, in place of equal ones
}

func (w studyWorld) String() string {
	return fmt.Sprintf("desks=%d,days=%d,people=%v,share=%v,within=%v,unequal=%v", w.desks, w.days, w.people, w.share, w.within, w.unequal)
}

// draw asks the visitors of one round, 1 for satisfied.
func (w studyWorld) draw(rng *rand.Rand) (columns SamplingColumns, y []float64) {
	columns.Clusters = [][]int{nil}
	for desk := range w.desks {
		for day := range w.days {
			// The day's share has a beta distribution whose variance makes the correlation.
			share := w.share
			if w.within > 0 {
				size := 1/w.within - 1
				share = BetaQuantile(rng.Float64(), w.share*size, (1-w.share)*size)
			}
			for range 1 + poisson(rng, w.people-1) {
				weight := 1.0
				if w.unequal && rng.IntN(2) == 0 {
					weight = 3
				}
				columns.Strata = append(columns.Strata, desk)
				columns.Clusters[0] = append(columns.Clusters[0], desk*w.days+day)
				columns.Weights = append(columns.Weights, weight)
				y = append(y, oneIf(rng.Float64() < share))
			}
		}
	}
	return columns, y
}

func poisson(rng *rand.Rand, mean float64) int {
	n, product := 0, rng.Float64()
	for limit := math.Exp(-mean); product > limit; n++ {
		product *= rng.Float64()
	}
	return n
}

// coverage is how often the published interval of a share holds the truth in so many rounds.
func (w studyWorld) coverage(t *testing.T, rng *rand.Rand, rounds int) (covered, people float64) {
	for range rounds {
		columns, y := w.draw(rng)
		s := sampleOf(t, columns)
		st := s.Mean(y, nil)
		se, err := s.StandardError(st)
		if err != nil {
			t.Fatal(err)
		}
		iv, _, _, ok := ShareInterval(st.Value, se, st.N, st.DF, 0.95)
		if !ok {
			t.Fatalf("no interval of %d people on %v degrees of freedom", st.N, st.DF)
		}
		covered += oneIf(iv.Low <= w.share && w.share <= iv.High) / float64(rounds)
		people += float64(st.N) / float64(rounds)
	}
	return covered, people
}

// TestShareIntervalsCover is the short form of a coverage study: the 95% interval of a share holds the truth in at
// least 93% of rounds everywhere, and in at most 97% where there is enough to go by. So many rounds leave that
// open by two standard errors of their own (0.016 of 1000).
func TestShareIntervalsCover(t *testing.T) {
	rounds := ciOr(t, 1000, 200)
	for k, w := range []studyWorld{
		{desks: 1, days: 10, people: 3, share: 0.95},
		{desks: 1, days: 10, people: 3, share: 0.80, within: 0.05},
		{desks: 1, days: 30, people: 1, share: 0.95},
		{desks: 1, days: 12, people: 8, share: 0.90, within: 0.2},
		{desks: 1, days: 20, people: 10, share: 0.95, within: 0.05},
		{desks: 1, days: 20, people: 10, share: 0.80, within: 0.1},
		{desks: 2, days: 20, people: 10, share: 0.87, within: 0.05},
		{desks: 2, days: 60, people: 4, share: 0.95, within: 0.02, unequal: true},
		{desks: 4, days: 25, people: 4, share: 0.80, within: 0.05, unequal: true},
		{desks: 4, days: 25, people: 8, share: 0.50, within: 0.05},
	} {
		t.Run(w.String(), func(t *testing.T) {
			t.Parallel()
			covered, people := w.coverage(t, rand.New(rand.NewPCG(6, uint64(k))), rounds)
			slack := 2 * math.Sqrt(0.93*0.07/float64(rounds))
			if covered < 0.93-slack || covered > 0.97+slack && people*math.Min(w.share, 1-w.share) >= 20 {
				t.Errorf("the intervals of %.0f people hold the truth in %.3f of rounds", people, covered)
			}
		})
	}
}
