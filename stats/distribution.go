package stats

import (
	"math"
	"sync/atomic"

	"gonum.org/v1/gonum/mathext"
)

// NormalQuantile returns the standard normal quantile: the z with P(Z ≤ z) = p.
// It is -Inf at p = 0, +Inf at p = 1, and NaN for p outside [0, 1].
func NormalQuantile(p float64) float64 {
	if !(p >= 0 && p <= 1) {
		return math.NaN()
	}
	return mathext.NormalQuantile(p)
}

// NormalUpperTail returns P(Z > z) of the standard normal distribution, accurate far into the tail
// (1 − CDF is 0 from z = 9 on).
func NormalUpperTail(z float64) float64 {
	return 0.5 * math.Erfc(z/math.Sqrt2)
}

// TQuantile returns the quantile of Student's t distribution with df degrees of freedom: the t with
// P(T ≤ t) = p. It is NaN for df ≤ 0 and for p outside [0, 1], ±Inf at p = 0 and 1, and the normal
// quantile for infinite df. It is NaN for a few absurd tails (p = 1e-300 and df = 1, a quantile whose square
// overflows). Values are remembered, since a report asks for the same few over and over.
func TQuantile(p, df float64) float64 {
	switch {
	case !(df > 0) || !(p >= 0 && p <= 1):
		return math.NaN()
	case p == 0:
		return math.Inf(-1)
	case p == 1:
		return math.Inf(1)
	case p == 0.5:
		return 0
	case math.IsInf(df, 1):
		return NormalQuantile(p)
	}
	return tQuantiles.get(p, df)
}

// tQuantile inverts the t distribution for 0 < p < 1, p ≠ 0.5 and finite df > 0, by Newton's steps. The
// library's inverse is not enough: it loses digits near the median (4e-2 off at p = 0.5000001 and
// df = 69) and gives up in far tails (p = 1e-15, df = 10,000).
func tQuantile(p, df float64) float64 {
	tail := math.Min(p, 1-p)
	t := -NormalQuantile(tail)
	if df > 1e6 {
		// The tails of so many degrees of freedom are noisy; the expansion around the normal is not.
		t += t * (t*t + 1) / (4 * df)
		return math.Copysign(t, p-0.5)
	}
	for range 40 {
		before := t
		if density := tDensity(t, df); tail < 0.4 {
			// log tail against log t is concave, so the steps cannot miss; for a power law it is straight.
			upper := TUpperTail(t, df)
			t *= math.Exp(math.Log(upper/tail) * upper / (t * density))
		} else {
			t += (math.Abs(p-0.5) - tCentral(t, df)) / density
		}
		if math.Abs(t-before) <= 1e-9*t { // the steps are quadratic: the next one would be rounding noise
			return math.Copysign(t, p-0.5)
		}
	}
	return math.NaN()
}

// tCentral returns P(0 < T ≤ t) of Student's t distribution for t ≥ 0, with all digits for small t.
func tCentral(t, df float64) float64 {
	return 0.5 * mathext.RegIncBeta(0.5, df/2, t*t/(df+t*t))
}

// tDensity returns the density of Student's t distribution at t for df > 0.
func tDensity(t, df float64) float64 {
	a, _ := math.Lgamma((df + 1) / 2)
	b, _ := math.Lgamma(df / 2)
	return math.Exp(a-b-(df+1)/2*math.Log1p(t*t/df)) / math.Sqrt(df*math.Pi)
}

// TLowerTail returns P(T ≤ t) of Student's t distribution with df degrees of freedom.
// It is NaN for df ≤ 0; infinite df means the normal distribution.
func TLowerTail(t, df float64) float64 {
	return TUpperTail(-t, df)
}

// TUpperTail returns P(T > t) of Student's t distribution with df degrees of freedom, accurate far
// into the tail. It is NaN for df ≤ 0; infinite df means the normal distribution.
func TUpperTail(t, df float64) float64 {
	switch {
	case !(df > 0) || math.IsNaN(t):
		return math.NaN()
	case math.IsInf(df, 1):
		return NormalUpperTail(t)
	case math.IsInf(t, 1):
		return 0
	case math.IsInf(t, -1):
		return 1
	case t < 0:
		return 1 - TUpperTail(-t, df)
	case t < 0.5:
		// Here df/(df+t²) is so near 1 that it has lost the digits of t.
		return 0.5 - tCentral(t, df)
	}
	return 0.5 * mathext.RegIncBeta(df/2, 0.5, df/(df+t*t))
}

// BetaQuantile returns the quantile of the beta distribution with shapes a and b: the x with
// P(X ≤ x) = p. It is NaN unless both shapes are positive and finite and p lies in [0, 1].
func BetaQuantile(p, a, b float64) float64 {
	if !(a > 0 && b > 0 && p >= 0 && p <= 1) || math.IsInf(a, 1) || math.IsInf(b, 1) {
		return math.NaN()
	}
	return mathext.InvRegIncBeta(a, b, p)
}

// BetaLowerTail returns P(X ≤ x) of the beta distribution with shapes a and b.
// It is NaN unless both shapes are positive; x outside [0, 1] gives 0 or 1.
func BetaLowerTail(x, a, b float64) float64 {
	switch {
	case !(a > 0 && b > 0) || math.IsNaN(x):
		return math.NaN()
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	}
	return mathext.RegIncBeta(a, b, x)
}

// FUpperTail returns P(F > x) of the F distribution with df1 and df2 degrees of freedom, accurate far
// into the tail. It is NaN unless both are positive, and 1 for x ≤ 0; infinite df2 means the
// chi-squared distribution of df1·x.
func FUpperTail(x, df1, df2 float64) float64 {
	switch {
	case !(df1 > 0 && df2 > 0) || math.IsInf(df1, 1) || math.IsNaN(x):
		return math.NaN()
	case x <= 0:
		return 1
	case math.IsInf(df2, 1):
		return ChiSquaredUpperTail(df1*x, df1)
	}
	return mathext.RegIncBeta(df2/2, df1/2, df2/(df2+df1*x))
}

// ChiSquaredUpperTail returns P(X > x) of the chi-squared distribution with df degrees of freedom.
// It is NaN for df ≤ 0, and 1 for x ≤ 0.
func ChiSquaredUpperTail(x, df float64) float64 {
	switch {
	case !(df > 0) || math.IsNaN(x):
		return math.NaN()
	case x <= 0:
		return 1
	}
	return mathext.GammaIncRegComp(df/2, x/2)
}

// tQuantiles remembers t quantiles (23 µs each to compute). It holds pure function values only, so
// which of them happen to be present never changes a result.
var tQuantiles quantileCache

// quantileCache is a fixed number of slots; two keys of one slot replace each other, which bounds its
// memory whatever levels and degrees of freedom are asked for.
type quantileCache struct {
	slots [1024]atomic.Pointer[quantileEntry]
}

type quantileEntry struct{ p, df, t float64 }

func (c *quantileCache) get(p, df float64) float64 {
	hash := (math.Float64bits(p)*0x9e3779b97f4a7c15 ^ math.Float64bits(df)) * 0xbf58476d1ce4e5b9
	slot := &c.slots[hash>>54]
	if e := slot.Load(); e != nil && e.p == p && e.df == df {
		return e.t
	}
	e := &quantileEntry{p, df, tQuantile(p, df)}
	slot.Store(e)
	return e.t
}
