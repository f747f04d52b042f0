package stats

import (
	"fmt"
	"math"
	"slices"
)

const (
	// maxKendall bounds the points of MannKendall, which looks at every pair of them.
	maxKendall = 1000
	// maxExactKendall bounds the points of its exact probability, which takes their number to the third power.
	maxExactKendall = 100
)

// MonotoneTrend says whether a series tends to rise or fall, and how fast.
type MonotoneTrend struct {
	N         int     // points
	S         int     // pairs that rise − pairs that fall
	VarianceS float64 // if there is no trend, corrected for equal values
	Z, P      float64 // normal, with continuity correction; P is two-sided
	TauB      float64 // S over the pairs that differ, in the manner of Kendall's τ_b: −1 to 1
	Ties      bool    // some values are equal
	// PExact is the two-sided probability from all orders of the points; nil with ties and for more than 100 points.
	PExact *float64
	// Slope is Sen's: the median of the slopes of all pairs, in values per unit of time. Intercept is Conover's, the
	// median value − Slope × the median time.
	Slope, Intercept float64
}

// MannKendall tests a series for a monotone trend. NaN values are left out; the order of the points does not matter. It
// takes the values as they are: it knows neither their sampling errors nor their correlation over time, which makes it
// find trends too easily, and it must not cross a change of method (SplitTrend). Errors: slices of different lengths,
// times that are not numbers or occur twice, more than 1,000 points; ErrUndefined for fewer than 3 points or
// values that are all equal. Sources: Mann 1945; Kendall 1975; Sen 1968; Conover 1999.
func MannKendall(times, series []float64) (MonotoneTrend, error) {
	if len(times) != len(series) {
		return MonotoneTrend{}, fmt.Errorf("%d times for %d values", len(times), len(series))
	}
	var t, y []float64
	for _, i := range inOrderOf(times) {
		if !math.IsNaN(series[i]) {
			t, y = append(t, times[i]), append(y, series[i])
		}
	}
	n := len(t)
	switch {
	case n > maxKendall:
		return MonotoneTrend{}, fmt.Errorf("%d points, at most %d", n, maxKendall)
	case n < 3:
		return MonotoneTrend{}, undefined("a trend of %d points", n)
	}
	for i := range t {
		if math.IsNaN(t[i]) || math.IsInf(t[i], 0) || math.IsInf(y[i], 0) || i > 0 && t[i] == t[i-1] {
			return MonotoneTrend{}, fmt.Errorf("point %v at the time %v, or two at that time", y[i], t[i])
		}
	}
	m := MonotoneTrend{N: n}
	slopes := make([]float64, 0, n*(n-1)/2)
	for j := range n {
		for i := range j {
			switch {
			case y[j] > y[i]:
				m.S++
			case y[j] < y[i]:
				m.S--
			}
			slopes = append(slopes, (y[j]-y[i])/(t[j]-t[i]))
		}
	}
	m.Slope = median(slopes)
	m.Intercept = median(y) - m.Slope*median(t)
	tiedPairs := m.setVariance(y)
	if !(m.VarianceS > 0) {
		return MonotoneTrend{}, undefined("all %d values are equal", n)
	}
	pairs := float64(n*(n-1)) / 2
	m.Ties = tiedPairs > 0
	m.TauB = float64(m.S) / math.Sqrt(pairs*(pairs-tiedPairs))
	if m.S != 0 {
		m.Z = math.Copysign(math.Abs(float64(m.S))-1, float64(m.S)) / math.Sqrt(m.VarianceS)
	}
	m.P = math.Min(1, 2*NormalUpperTail(math.Abs(m.Z)))
	if !m.Ties && n <= maxExactKendall {
		p := exactKendall(n, m.S)
		m.PExact = &p
	}
	return m, nil
}

// setVariance sets the variance of S, [n(n−1)(2n+5) − Σu(u−1)(2u+5)]/18 over sets of u equal values, and returns how
// many pairs are equal.
func (m *MonotoneTrend) setVariance(y []float64) (tiedPairs float64) {
	sorted := slices.Sorted(slices.Values(y))
	term := func(u float64) float64 { return u * (u - 1) * (2*u + 5) }
	sum := term(float64(len(y)))
	for from := 0; from < len(sorted); {
		to := from
		for to < len(sorted) && sorted[to] == sorted[from] {
			to++
		}
		u := float64(to - from)
		sum -= term(u)
		tiedPairs += u * (u - 1) / 2
		from = to
	}
	m.VarianceS = sum / 18
	return tiedPairs
}

// exactKendall is the two-sided probability of an S as far from 0 or further, if all orders of n values are equally
// likely. Adding the i-th value makes 0 to i−1 new falling pairs, each with the chance 1/i.
func exactKendall(n, s int) float64 {
	chance := []float64{1} // by number of falling pairs
	for i := 2; i <= n; i++ {
		next := make([]float64, len(chance)+i-1)
		window := 0.0
		for k := range next {
			if k < len(chance) {
				window += chance[k]
			}
			if k >= i {
				window -= chance[k-i]
			}
			next[k] = window / float64(i)
		}
		chance = next
	}
	falling := (n*(n-1)/2 - max(s, -s)) / 2 // the chances are symmetric
	tail := 0.0
	for _, p := range chance[:falling+1] {
		tail += p
	}
	return math.Min(1, 2*tail)
}

// inOrderOf returns the positions of a list in ascending order of its values.
func inOrderOf(list []float64) []int {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case list[a] < list[b]:
			return -1
		case list[a] > list[b]:
			return 1
		}
		return 0
	})
	return order
}

// median is the middle value, or the mean of the two; the list is not empty.
func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// ShareTrend tests whether shares rise or fall with a score (a year): Cochran and Armitage's test, χ² on 1 degree of
// freedom, [Σ n(p−p̄)(t−t̄)]²/(p̄(1−p̄)·Σ n(t−t̄)²), with p̄ and t̄ over all people. It is for counts of simple random samples;
// elsewhere use Sample.Slope. Errors: slices of different lengths, counts that are impossible, scores
// that are not numbers; ErrUndefined where all or none are satisfied, or all people have one score.
// Sources: Cochran 1954; Armitage 1955.
func ShareTrend(satisfied, people, scores []float64) (ChiSquaredTest, error) {
	if len(satisfied) != len(people) || len(people) != len(scores) {
		return ChiSquaredTest{}, fmt.Errorf("%d counts of %d with %d scores", len(satisfied), len(people), len(scores))
	}
	var x, n, t float64
	for i := range people {
		if !(satisfied[i] >= 0 && satisfied[i] <= people[i]) || math.IsInf(people[i], 1) || math.IsNaN(scores[i]) || math.IsInf(scores[i], 0) {
			return ChiSquaredTest{}, fmt.Errorf("%v of %v satisfied at the score %v", satisfied[i], people[i], scores[i])
		}
		x, n, t = x+satisfied[i], n+people[i], t+people[i]*scores[i]
	}
	p, mean := x/n, t/n
	var with, of float64
	for i := range people {
		d := scores[i] - mean
		with += (satisfied[i] - people[i]*p) * d
		of += people[i] * d * d
	}
	variance := p * (1 - p) * of
	if !(variance > 0) {
		return ChiSquaredTest{}, undefined("no trend in %v of %v satisfied", x, n)
	}
	test := ChiSquaredTest{ChiSquared: with * with / variance, DF: 1}
	test.P = ChiSquaredUpperTail(test.ChiSquared, 1)
	return test, nil
}
