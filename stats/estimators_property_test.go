package stats

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// drawnSurvey is a small sample with a common cause in all answers, some of which are missing.
type drawnSurvey struct {
	columns SamplingColumns
	items   [][]float64 // levels 1 to 5
	outcome []float64
	group   []int
	domain  []bool
}

// drawSurvey draws 3 strata of 5 to 8 PSUs of 3 to 6 people.
func drawSurvey(t *rapid.T) drawnSurvey {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "survey"), 5))
	var s drawnSurvey
	s.items = make([][]float64, 3)
	s.columns.Clusters = [][]int{nil}
	psu := 0
	for stratum := range 3 {
		for range 5 + rng.IntN(4) {
			psu++
			day := rng.NormFloat64() / 2
			for range 3 + rng.IntN(4) {
				mood := day + rng.NormFloat64()
				level := func() float64 {
					return math.Max(1, math.Min(5, math.Round(3.5+mood+rng.NormFloat64())))
				}
				for j := range s.items {
					v := level()
					if rng.IntN(12) == 0 {
						v = math.NaN()
					}
					s.items[j] = append(s.items[j], v)
				}
				s.outcome = append(s.outcome, level())
				s.group = append(s.group, rng.IntN(4)-rng.IntN(2)) // some −1
				s.domain = append(s.domain, rng.IntN(8) > 0)
				s.columns.Strata = append(s.columns.Strata, stratum)
				s.columns.Clusters[0] = append(s.columns.Clusters[0], psu)
				s.columns.Weights = append(s.columns.Weights, 1+3*rng.Float64())
			}
		}
	}
	return s
}

func (v drawnSurvey) sample(t interface{ Fatal(...any) }) *Sample {
	design, err := NewSamplingDesign(v.columns)
	if err != nil {
		t.Fatal(err)
	}
	return NewSample(design)
}

// in returns the survey with its rows in another order.
func (v drawnSurvey) in(order []int) drawnSurvey {
	moved := drawnSurvey{
		columns: SamplingColumns{Strata: pick(v.columns.Strata, order), Clusters: [][]int{pick(v.columns.Clusters[0], order)}, Weights: pick(v.columns.Weights, order)},
		outcome: pick(v.outcome, order), group: pick(v.group, order), domain: pick(v.domain, order),
	}
	for _, y := range v.items {
		moved.items = append(moved.items, pick(y, order))
	}
	return moved
}

func pick[T any](list []T, order []int) []T {
	picked := make([]T, len(order))
	for i, k := range order {
		picked[i] = list[k]
	}
	return picked
}

// statistics are those that a survey gives: all are functions of covariances or of a regression.
func (v drawnSurvey) statistics(t interface{ Fatal(...any) }, s *Sample) []Statistic {
	drivers, err := s.KeyDrivers(v.outcome, v.items, v.domain)
	if err != nil {
		t.Fatal(err)
	}
	scale, err := s.Reliability(v.items, v.domain)
	if err != nil {
		t.Fatal(err)
	}
	all := append([]Statistic{drivers.RSquared, scale.Alpha}, drivers.Coefficients...)
	all = append(append(all, drivers.Importance...), drivers.RelativeWeights...)
	for _, item := range s.ImportancePerformance(v.outcome, v.rated(), nil, nil, v.domain).Items {
		all = append(all, item.Importance, item.Performance, item.ImportanceGap, item.PerformanceGap)
	}
	return all
}

func (v drawnSurvey) rated() []RatedItem {
	var items []RatedItem
	for _, y := range v.items {
		satisfied := make([]float64, len(y))
		for i, level := range y {
			satisfied[i] = oneIf(level >= 4)
			if math.IsNaN(level) {
				satisfied[i] = level
			}
		}
		items = append(items, RatedItem{y, satisfied})
	}
	return items
}

// numbers are all that a survey gives, with standard errors.
func (v drawnSurvey) numbers(t interface{ Fatal(...any) }) []float64 {
	s := v.sample(t)
	var numbers []float64
	for _, st := range v.statistics(t, s) {
		se, err := s.StandardError(st)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, st.Value, se, st.DF)
	}
	means, err := s.CompareMeans(v.outcome, v.group, v.domain)
	if err != nil {
		t.Fatal(err)
	}
	ranks, err := s.CompareRanks(v.outcome, v.group, v.domain)
	if err != nil {
		t.Fatal(err)
	}
	satisfied := make([]int, len(v.outcome))
	for i, level := range v.outcome {
		satisfied[i] = int(oneIf(level >= 4))
	}
	table, err := s.Associate(v.group, satisfied, v.domain)
	if err != nil {
		t.Fatal(err)
	}
	return append(numbers, means.Test.F, means.Test.P, ranks.Test.F, ranks.Test.P, table.PearsonX2, table.DeltaTrace, table.RaoScott.P, table.FirstOrder.P)
}

// TestEstimatorsIgnoreOrderAndScale: rows in another order and weights times a constant change nothing, and
// every number is finite.
func TestEstimatorsIgnoreOrderAndScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawSurvey(t)
		want := v.numbers(t)
		moved := v.in(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "order"), 5)).Perm(len(v.outcome)))
		for i := range moved.columns.Weights {
			moved.columns.Weights[i] *= 37
		}
		for k, got := range moved.numbers(t) {
			if !(math.Abs(got-want[k]) <= 1e-8*math.Max(1, math.Abs(want[k]))) || math.IsInf(got, 0) {
				t.Fatalf("number %d is %v, and %v in another order with other weights", k, want[k], got)
			}
		}
	})
}

// TestLinearisedValuesAreDerivatives: the linearised value of a row is how fast the statistic moves with its
// weight. All standard errors rest on that.
func TestLinearisedValuesAreDerivatives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawSurvey(t)
		now := v.statistics(t, v.sample(t))
		row := rapid.IntRange(0, len(v.outcome)-1).Draw(t, "row")
		const step = 1e-4
		moved := func(by float64) []Statistic {
			other := v
			other.columns.Weights = append([]float64(nil), v.columns.Weights...)
			other.columns.Weights[row] += by
			return other.statistics(t, other.sample(t))
		}
		up, down := moved(step), moved(-step)
		for k, st := range now {
			slope := (up[k].Value - down[k].Value) / (2 * step)
			if math.Abs(slope-st.influence[row]) > 1e-7 {
				t.Fatalf("statistic %d of row %d: linearised value %v, slope %v", k, row, st.influence[row], slope)
			}
		}
	})
}

// TestImportanceSums: both divisions of R² sum to it in value and in every linearised value, and no part of LMG
// is negative.
func TestImportanceSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawSurvey(t)
		s := v.sample(t)
		d, err := s.KeyDrivers(v.outcome, v.items, v.domain)
		if err != nil {
			t.Fatal(err)
		}
		for name, parts := range map[string][]Statistic{"LMG": d.Importance, "Johnson": d.RelativeWeights} {
			sum := s.Combine([]float64{1, 1, 1}, parts...)
			if !closeTo(sum.Value, d.RSquared.Value) {
				t.Fatalf("%s sums to %v, R² is %v", name, sum.Value, d.RSquared.Value)
			}
			for i := range sum.influence {
				if math.Abs(sum.influence[i]-d.RSquared.influence[i]) > 1e-12 {
					t.Fatalf("%s: row %d moves the sum by %v and R² by %v", name, i, sum.influence[i], d.RSquared.influence[i])
				}
			}
			for j, part := range parts {
				if part.Value < 0 || part.Value > d.RSquared.Value+1e-12 {
					t.Fatalf("%s: part %d is %v of %v", name, j, part.Value, d.RSquared.Value)
				}
			}
		}
	})
}
