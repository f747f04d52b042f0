package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrPlanning means that a sample cannot be planned from the numbers given; it comes wrapped with the
// reason.
var ErrPlanning = errors.New("invalid sample plan")

// SamplePlan is what a sample of a share is planned from.
type SamplePlan struct {
	Population   float64 // people; +Inf for a population without bound
	Margin       float64 // wanted half-width of the interval, a proportion
	Share        float64 // expected share; 0.5 is the worst case
	Level        float64 // of confidence
	DesignEffect float64 // expected of the design; 1 for a simple random sample
	ResponseRate float64 // expected, 0 < rate ≤ 1
}

// SampleSize is the answer to a SamplePlan. Only Invite is rounded.
type SampleSize struct {
	Z        float64 // normal quantile of the level
	Infinite float64 // n0 = z²p(1−p)/e²: simple random, infinite population
	Finite   float64 // n0/(1+(n0−1)/N): simple random
	// FiniteSimple is n0/(1+n0/N), the simplification found in guidance.
	FiniteSimple float64
	Answers      float64 // as Finite, with n0 multiplied by the design effect
	Invite       int     // Answers divided by the response rate, rounded up
}

// Size returns the sample size that gives the wanted margin. Errors wrap ErrPlanning.
// Source: Cochran 1977, (4.1)-(4.3).
func (p SamplePlan) Size() (SampleSize, error) {
	switch {
	case !(p.Population > 0):
		return SampleSize{}, fmt.Errorf("%w: population %v", ErrPlanning, p.Population)
	case !(p.Margin > 0 && p.Margin < 1):
		return SampleSize{}, fmt.Errorf("%w: margin %v", ErrPlanning, p.Margin)
	case !(p.Share > 0 && p.Share < 1):
		return SampleSize{}, fmt.Errorf("%w: share %v", ErrPlanning, p.Share)
	case !(p.Level > 0 && p.Level < 1):
		return SampleSize{}, fmt.Errorf("%w: level %v", ErrPlanning, p.Level)
	case !(p.DesignEffect > 0) || math.IsInf(p.DesignEffect, 1):
		return SampleSize{}, fmt.Errorf("%w: design effect %v", ErrPlanning, p.DesignEffect)
	case !(p.ResponseRate > 0 && p.ResponseRate <= 1):
		return SampleSize{}, fmt.Errorf("%w: response rate %v", ErrPlanning, p.ResponseRate)
	}
	z := NormalQuantile(twoSided(p.Level))
	n0 := z * z * p.Share * (1 - p.Share) / (p.Margin * p.Margin)
	finite := func(n float64) float64 { return n / (1 + (n-1)/p.Population) }
	size := SampleSize{Z: z, Infinite: n0, Finite: finite(n0), FiniteSimple: n0 / (1 + n0/p.Population), Answers: finite(n0 * p.DesignEffect)}
	size.Invite = roundUp(size.Answers / p.ResponseRate)
	return size, nil
}

// roundUp rounds up, but not because of the last digits of a whole number.
func roundUp(n float64) int { return int(math.Ceil(n * (1 - 1e-12))) }

// SlovinSize returns Yamane's (Slovin's) sample size N/(1+N·e²), which Vietnamese guidance uses. It is
// the size at 95% (z taken as 2), a share of one half and a simple random sample, so it understates
// what a clustered sample needs. NaN for an infinite population. Source: Yamane 1967.
func SlovinSize(population, margin float64) float64 {
	if math.IsInf(population, 1) {
		return math.NaN()
	}
	return population / (1 + population*margin*margin)
}

// MarginWith returns the half-width of the interval that n answers of the planned design would give,
// z·√(deff·p(1−p)/n·(N−n)/(N−1)); NaN unless 0 < n ≤ N.
func (p SamplePlan) MarginWith(n float64) float64 {
	if !(n > 0 && n <= p.Population) {
		return math.NaN()
	}
	correction := 1.0
	if p.Population > 1 && !math.IsInf(p.Population, 1) {
		correction = (p.Population - n) / (p.Population - 1)
	}
	return NormalQuantile(twoSided(p.Level)) * math.Sqrt(p.DesignEffect*p.Share*(1-p.Share)/n*correction)
}

// AllocateProportionally returns how a sample of n divides over strata of the given sizes in
// proportion to them, unrounded.
func AllocateProportionally(n float64, sizes []float64) []float64 {
	return allocate(n, func(h int) float64 { return sizes[h] }, len(sizes))
}

// AllocateNeyman returns how a sample of n divides over strata in proportion to size × standard
// deviation, which gives the smallest variance of a mean; unrounded, and not cut at the size of a
// stratum. Source: Cochran 1977, 5.5.
func AllocateNeyman(n float64, sizes, deviations []float64) []float64 {
	return allocate(n, func(h int) float64 { return sizes[h] * deviations[h] }, len(sizes))
}

func allocate(n float64, share func(h int) float64, strata int) []float64 {
	sum := 0.0
	for h := range strata {
		sum += share(h)
	}
	parts := make([]float64, strata)
	for h := range parts {
		parts[h] = n * share(h) / sum
	}
	return parts
}

// RoundAllocation rounds an allocation to whole people with the same sum, by largest remainder; of
// equal remainders the first stratum's comes first.
func RoundAllocation(parts []float64) []int {
	rounded, order := make([]int, len(parts)), make([]int, len(parts))
	left := 0.0
	for h, part := range parts {
		rounded[h], order[h] = int(math.Floor(part)), h
		left += part - math.Floor(part)
	}
	remainder := func(h int) float64 { return parts[h] - math.Floor(parts[h]) }
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case remainder(a) > remainder(b):
			return -1
		case remainder(a) < remainder(b):
			return 1
		}
		return 0
	})
	for _, h := range order[:int(math.Round(left))] {
		rounded[h]++
	}
	return rounded
}
