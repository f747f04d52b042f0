package stats

import (
	"fmt"
	"math"
	"slices"
)

// maxRanked bounds the groups ranked at once: every pair of them is tested.
const maxRanked = 1000

// RankedGroup is one group to rank, best first by Estimate (a share as a proportion, or any other scale).
// SE is not negative; a unanimous group has 0, which says that there is no doubt about it: give it
// UnanimousSE instead where the groups are small. DF is that of SE, above 0; +Inf means normal tests.
type RankedGroup struct{ Estimate, SE, DF float64 }

// UnanimousSE returns a standard error for a share of exactly 0 or 1 among n people: √(p̃(1−p̃)/(n+z²)) with
// p̃ = (z²/2)/(n+z²) and z = 1.96, which is what Wilson's and Agresti & Coull's intervals see there.
// The linearised one is 0, and a group of ten would rank as if it were known exactly. n is at least 1.
func UnanimousSE(n int) float64 {
	z := NormalQuantile(twoSided(0.95))
	size := float64(n) + z*z
	p := z * z / 2 / size
	return math.Sqrt(p * (1 - p) / size)
}

// GroupPair is the test of one pair of groups.
type GroupPair struct {
	I, J       int     // positions in the list of groups, I < J
	Difference float64 // estimate of J − estimate of I
	SE         float64
	DF         float64 // +Inf: normal
	// P is two-sided, of no difference. Where SE is 0 it is 1 for equal estimates and 0 for others.
	P     float64
	PHolm float64 // adjusted over all pairs
	PBH   float64 // adjusted over all pairs
}

// ComparePairs tests every pair of groups, in the order (0,1), (0,2), …, (1,2), …. covariance is the matrix
// of the estimates, of which only what lies off the diagonal is read; nil means independent groups. The
// degrees of freedom of a difference are Welch and Satterthwaite's, (v₁+v₂)²/(v₁²/df₁+v₂²/df₂), for
// independent groups, else the smaller of the two. Errors: more than 1,000 groups, a group or
// covariance that is not a number or impossible.
func ComparePairs(groups []RankedGroup, covariance [][]float64) ([]GroupPair, error) {
	if err := checkRanked(groups, covariance); err != nil {
		return nil, err
	}
	pairs := make([]GroupPair, 0, len(groups)*(len(groups)-1)/2)
	p := make([]float64, 0, cap(pairs))
	for i, a := range groups {
		for j := i + 1; j < len(groups); j++ {
			b, c := groups[j], 0.0
			if covariance != nil {
				c = covariance[i][j]
			}
			va, vb := a.SE*a.SE, b.SE*b.SE
			v := va + vb - 2*c
			if math.IsNaN(v) || v < -1e-9*(va+vb) {
				return nil, fmt.Errorf("groups %d and %d: covariance %v with variances %v and %v", i, j, c, va, vb)
			}
			pair := GroupPair{I: i, J: j, Difference: b.Estimate - a.Estimate, SE: math.Sqrt(math.Max(v, 0)), DF: math.Min(a.DF, b.DF)}
			if c == 0 && v > 0 {
				pair.DF = (va + vb) * (va + vb) / (va*va/a.DF + vb*vb/b.DF)
			}
			pair.P = twoSidedP(pair.Difference, pair.SE, pair.DF)
			pairs, p = append(pairs, pair), append(p, pair.P)
		}
	}
	holm, err := AdjustP(Holm, p)
	if err != nil {
		return nil, err
	}
	bh, err := AdjustP(BenjaminiHochberg, p)
	if err != nil {
		return nil, err
	}
	for k := range pairs {
		pairs[k].PHolm, pairs[k].PBH = holm[k], bh[k]
	}
	return pairs, nil
}

// twoSidedP is the probability of a difference as far from 0 or further, if there is none. Where nothing is in
// doubt (se = 0) it is 1 for a difference of 0 and 0 for others.
func twoSidedP(difference, se, df float64) float64 {
	switch {
	case se > 0:
		return 2 * TUpperTail(math.Abs(difference)/se, df)
	case difference == 0:
		return 1
	}
	return 0
}

func checkRanked(groups []RankedGroup, covariance [][]float64) error {
	if len(groups) > maxRanked {
		return fmt.Errorf("%d groups to rank, at most %d", len(groups), maxRanked)
	}
	if covariance != nil && len(covariance) != len(groups) {
		return fmt.Errorf("%d rows of covariances for %d groups", len(covariance), len(groups))
	}
	for i, g := range groups {
		if math.IsNaN(g.Estimate) || math.IsInf(g.Estimate, 0) || !(g.SE >= 0) || math.IsInf(g.SE, 1) || !(g.DF > 0) {
			return fmt.Errorf("group %d cannot be ranked: estimate %v, standard error %v, %v degrees of freedom", i, g.Estimate, g.SE, g.DF)
		}
		if covariance != nil && len(covariance[i]) != len(groups) {
			return fmt.Errorf("%d covariances for %d groups", len(covariance[i]), len(groups))
		}
	}
	return nil
}

// RankInterval is the place of a group among m: 1 is the highest. Rank is that of the estimate (1 + how many
// are higher, so equals share one); the rank in the population lies in Low to High.
type RankInterval struct{ Rank, Low, High int }

// Ranking is the places of groups, with intervals that hold for all groups at once with the chance
// 1 − alpha, and which groups differ at all.
type Ranking struct {
	Places []RankInterval
	// distinct says of every pair, in the order of ComparePairs, whether its groups can be told apart.
	distinct []bool
}

// RankGroups ranks groups by all pairwise tests, adjusted by Holm at the level alpha: Low is 1 + how many
// are significantly above, High is m − how many are significantly below. A league table without these
// intervals lies: neighbours mostly swap places by chance. covariance and errors are those of ComparePairs;
// an alpha outside (0, 1) is one too. It costs m²·log m for m groups.
// Source: Mogstad, Romano, Shaikh & Wilhelm 2024, and Holm 1979.
func RankGroups(groups []RankedGroup, covariance [][]float64, alpha float64) (Ranking, error) {
	if !(alpha > 0 && alpha < 1) {
		return Ranking{}, fmt.Errorf("alpha %v", alpha)
	}
	pairs, err := ComparePairs(groups, covariance)
	if err != nil {
		return Ranking{}, err
	}
	r := Ranking{Places: plainRanks(groups), distinct: make([]bool, len(pairs))}
	for k, pair := range pairs {
		if pair.PHolm > alpha || pair.Difference == 0 {
			continue
		}
		r.distinct[k] = true
		upper, lower := pair.J, pair.I
		if pair.Difference < 0 {
			upper, lower = lower, upper
		}
		r.Places[upper].High--
		r.Places[lower].Low++
	}
	return r, nil
}

// plainRanks ranks by the estimates and lets every place be possible.
func plainRanks(groups []RankedGroup) []RankInterval {
	estimates := make([]float64, len(groups))
	for i, g := range groups {
		estimates[i] = g.Estimate
	}
	slices.Sort(estimates)
	places := make([]RankInterval, len(groups))
	for i, g := range groups {
		higher := len(groups) - countUpTo(estimates, g.Estimate)
		places[i] = RankInterval{Rank: 1 + higher, Low: 1, High: len(groups)}
	}
	return places
}

// countUpTo counts the values of a sorted list that are not above limit.
func countUpTo(sorted []float64, limit float64) int {
	k, _ := slices.BinarySearchFunc(sorted, limit, func(v, limit float64) int {
		if v <= limit {
			return -1
		}
		return 1
	})
	return k
}

// NotDistinguishable returns the other groups that cannot be told from group i, in their order. It is not
// transitive: A may be like B and B like C although A and C differ, so groups do not fall into classes.
func (r Ranking) NotDistinguishable(i int) []int {
	var others []int
	for j := range r.Places {
		if j != i && !r.distinct[pairIndex(min(i, j), max(i, j), len(r.Places))] {
			others = append(others, j)
		}
	}
	return others
}

// pairIndex is the place of the pair i < j in the order of ComparePairs.
func pairIndex(i, j, m int) int { return i*m - i*(i+1)/2 + j - i - 1 }

// Simultaneous is a way to make intervals of several groups hold at once.
type Simultaneous string

// The ways. Bonferroni's holds whatever the covariance of the groups; Šidák's is a little narrower and holds for
// independent groups, and for estimates that are jointly normal.
const (
	BonferroniIntervals Simultaneous = "bonferroni"
	SidakIntervals      Simultaneous = "sidak"
)

// SimultaneousIntervals returns for every group an interval estimate ± t·se on its degrees of freedom that
// hold all at once with the chance 1 − alpha: each at alpha/m (BonferroniIntervals) or 1 − (1−alpha)^(1/m)
// (SidakIntervals). They are not cut to [0, 1]. Errors are those of RankGroups and an unknown way.
func SimultaneousIntervals(groups []RankedGroup, way Simultaneous, alpha float64) ([]Interval, error) {
	if err := checkRanked(groups, nil); err != nil {
		return nil, err
	}
	if !(alpha > 0 && alpha < 1) {
		return nil, fmt.Errorf("alpha %v", alpha)
	}
	m := float64(len(groups))
	each := alpha / m
	switch way {
	case BonferroniIntervals:
	case SidakIntervals:
		each = -math.Expm1(math.Log1p(-alpha) / m)
	default:
		return nil, fmt.Errorf("unknown kind of simultaneous intervals %q", way)
	}
	intervals := make([]Interval, len(groups))
	for i, g := range groups {
		intervals[i] = TInterval(g.Estimate, g.SE, g.DF, 1-each)
	}
	return intervals, nil
}

// RankByIntervals ranks groups by simultaneous intervals, one a group: Low is 1 + how many intervals lie
// wholly above, High is m − how many lie wholly below, and groups whose intervals overlap cannot be told
// apart. It suits any kind of interval and can be checked by eye, but finds fewer differences than
// RankGroups, and knows no covariance. An interval of another number, or with limits that are not
// numbers or in the wrong order, is an error. Source: Klein, Wright & Wieczorek 2020.
func RankByIntervals(groups []RankedGroup, intervals []Interval) (Ranking, error) {
	if err := checkRanked(groups, nil); err != nil {
		return Ranking{}, err
	}
	if len(intervals) != len(groups) {
		return Ranking{}, fmt.Errorf("%d intervals for %d groups", len(intervals), len(groups))
	}
	for i, iv := range intervals {
		if !(iv.Low <= groups[i].Estimate && groups[i].Estimate <= iv.High) {
			return Ranking{}, fmt.Errorf("interval %v to %v of group %d around %v", iv.Low, iv.High, i, groups[i].Estimate)
		}
	}
	r := Ranking{Places: plainRanks(groups)}
	for i, a := range intervals {
		for j := i + 1; j < len(intervals); j++ {
			b := intervals[j]
			switch {
			case a.High < b.Low:
				r.Places[i].Low++
				r.Places[j].High--
			case b.High < a.Low:
				r.Places[j].Low++
				r.Places[i].High--
			}
			r.distinct = append(r.distinct, a.High < b.Low || b.High < a.Low)
		}
	}
	return r, nil
}
