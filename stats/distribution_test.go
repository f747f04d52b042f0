package stats

import (
	"math"
	"testing"
)

func TestTQuantileEdges(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct{ p, df, want float64 }{
		{0.975, 0, nan},
		{0.975, -3, nan},
		{0.975, nan, nan},
		{nan, 5, nan},
		{-0.1, 5, nan},
		{1.1, 5, nan},
		{0, 5, -inf},
		{1, 5, inf},
		{0.5, 5, 0},
		{0.975, inf, 1.959963984540054},                 // the normal quantile
		{0.75, 1, 1},                                    // Cauchy: tan(π/4)
		{0.5001, 1, math.Tan(math.Pi * 0.0001)},         // Cauchy, next to the median
		{0.9, 2, 0.8 / math.Sqrt(2*0.9*0.1) * 1},        // closed form for df = 2: (2p−1)/√(2p(1−p))
		{0.1, 2, -0.8 / math.Sqrt(2*0.9*0.1) * 1},       // symmetric
		{0.5 + 0x1p-27, 2, 2 * math.Sqrt2 * 0x1p-27},    // next to the median, ε/f(0)
		{0.5 - 0x1p-27, 69, -0x1p-27 / tDensity(0, 69)}, // the same, below
		{0.975, 1e15, NormalQuantile(0.975)},
		{0.61, 2, 0.22 / math.Sqrt(2*0.61*0.39)}, // the two ways of starting, on both sides of 0.6
		{0.59, 2, 0.18 / math.Sqrt(2*0.59*0.41)},
		{1e-300, 1, nan},              // its square overflows
		{0.975, 69, 1.99494541510724}, // case prop-sipas-two
	} {
		for range 2 { // the second answer comes from the cache
			got := TQuantile(c.p, c.df)
			if !(math.IsNaN(got) && math.IsNaN(c.want)) && !near(got, c.want, 1e-12) {
				t.Errorf("TQuantile(%v, %v) = %v, want %v", c.p, c.df, got, c.want)
			}
		}
	}
}

func TestTailEdges(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"NormalQuantile(0)", NormalQuantile(0), -inf},
		{"NormalQuantile(1)", NormalQuantile(1), inf},
		{"NormalQuantile(2)", NormalQuantile(2), nan},
		{"TUpperTail(1, 0)", TUpperTail(1, 0), nan},
		{"TUpperTail(1, Inf)", TUpperTail(1, inf), NormalUpperTail(1)},
		{"TUpperTail(Inf, 3)", TUpperTail(inf, 3), 0},
		{"TUpperTail(-Inf, 3)", TUpperTail(-inf, 3), 1},
		{"TLowerTail(1, 1)", TLowerTail(1, 1), 0.75},
		{"BetaQuantile(0.5, 0, 1)", BetaQuantile(0.5, 0, 1), nan},
		{"BetaQuantile(0.5, Inf, 1)", BetaQuantile(0.5, inf, 1), nan},
		{"BetaLowerTail(-1, 2, 2)", BetaLowerTail(-1, 2, 2), 0},
		{"BetaLowerTail(2, 2, 2)", BetaLowerTail(2, 2, 2), 1},
		{"BetaLowerTail(0.5, 0, 2)", BetaLowerTail(0.5, 0, 2), nan},
		{"FUpperTail(-1, 2, 3)", FUpperTail(-1, 2, 3), 1},
		{"FUpperTail(1, 2, 0)", FUpperTail(1, 2, 0), nan},
		{"FUpperTail(3, 2, Inf)", FUpperTail(3, 2, inf), math.Exp(-3)},
		{"ChiSquaredUpperTail(4, 2)", ChiSquaredUpperTail(4, 2), math.Exp(-2)},
		{"ChiSquaredUpperTail(-1, 2)", ChiSquaredUpperTail(-1, 2), 1},
		{"ChiSquaredUpperTail(1, 0)", ChiSquaredUpperTail(1, 0), nan},
	} {
		if !(math.IsNaN(c.got) && math.IsNaN(c.want)) && !near(c.got, c.want, 1e-12) {
			t.Errorf("%s = %v, want %v", c.name, c.got, c.want)
		}
	}
}

func TestTQuantileIsCached(t *testing.T) {
	TQuantile(0.975, 41)
	if allocs := testing.AllocsPerRun(100, func() { TQuantile(0.975, 41) }); allocs != 0 {
		t.Errorf("a known quantile allocates %v times; it was computed again", allocs)
	}
}

// near says whether a and b agree to the given relative tolerance, or to 1e-12 next to 0.
func near(a, b, tolerance float64) bool {
	if a == b {
		return true
	}
	return math.Abs(a-b) <= math.Max(tolerance*math.Max(math.Abs(a), math.Abs(b)), 1e-12)
}

func TestTQuantileInvertsTheTail(t *testing.T) {
	for _, df := range []float64{1, 2, 7.5, 69, 1000, 10000} {
		for _, p := range []float64{1e-100, 1e-30, 1e-10, 1e-4, 0.025, 0.39, 0.41, 0.499} {
			if got := TLowerTail(TQuantile(p, df), df); !(math.Abs(got-p) <= 1e-11*p) {
				t.Errorf("tail of TQuantile(%v, %v) is %v", p, df, got)
			}
		}
	}
}
