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

// StratumPlan is the part of a plan that one stratum, an office for instance, has.
type StratumPlan struct {
	// Size is for the wanted margin in this stratum alone, Slovin the same by
	// Yamane's formula, unrounded.
	Size   SampleSize
	Slovin float64
	// Proportional and Neyman divide a total over all strata, in answers.
	Proportional, Neyman int
}

// PlanStrata plans each stratum of the given sizes for the margin of p, whose
// Population is not read, and divides a total over them. Deviations are of one
// person's answer, √(p(1−p)) for a share. Errors wrap ErrPlanning: more in all than
// there are people, or a stratum of which nothing can be planned.
func PlanStrata(p SamplePlan, sizes, deviations []float64, total int) ([]StratumPlan, error) {
	people := 0.0
	out := make([]StratumPlan, len(sizes))
	for h, size := range sizes {
		own := p
		own.Population = size
		var err error
		if out[h].Size, err = own.Size(); err != nil {
			return nil, fmt.Errorf("stratum %d: %w", h+1, err)
		}
		if !(deviations[h] >= 0) || math.IsInf(size, 1) {
			return nil, fmt.Errorf("%w: stratum %d of %v people with a deviation of %v", ErrPlanning, h+1, size, deviations[h])
		}
		out[h].Slovin = SlovinSize(size, p.Margin)
		people += size
	}
	if total < 0 || float64(total) > people {
		return nil, fmt.Errorf("%w: %d of %v people", ErrPlanning, total, people)
	}
	if total == 0 {
		return out, nil
	}
	proportional := RoundAllocation(AllocateProportionally(float64(total), sizes))
	neyman := RoundAllocation(neymanWithin(float64(total), sizes, deviations))
	for h := range out {
		out[h].Proportional, out[h].Neyman = proportional[h], neyman[h]
	}
	return out, nil
}

// neymanWithin is AllocateNeyman with no stratum above its size: one that would be
// is taken whole, and the rest is divided over the others. Strata without
// deviation get answers only when all others are taken whole.
func neymanWithin(n float64, sizes, deviations []float64) []float64 {
	parts := make([]float64, len(sizes))
	whole := make([]bool, len(sizes))
	for {
		left, open := n, false
		rest, spread := make([]float64, len(sizes)), make([]float64, len(sizes))
		for h, size := range sizes {
			if whole[h] {
				left -= size
				parts[h] = size
				continue
			}
			rest[h], spread[h] = size, deviations[h]
			open = open || size*deviations[h] > 0
		}
		share := AllocateNeyman(left, rest, spread)
		if !open {
			share = AllocateProportionally(left, rest)
		}
		again := false
		for h, size := range sizes {
			if whole[h] {
				continue
			}
			if parts[h] = share[h]; share[h] > size {
				whole[h], again = true, true
			}
		}
		if !again {
			return parts
		}
	}
}
