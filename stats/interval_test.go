package stats

import (
	"math"
	"testing"
)

func TestShareInterval(t *testing.T) {
	for _, c := range []struct {
		name   string
		p, se  float64
		n      int
		df     float64
		method string
		nStar  float64
		want   Interval
	}{
		// Expected limits are those of the reference cases named, or closed forms.
		{"large: prop-sipas-two", 0.86487754857652, 0.0107365897341929, 3012, 69,
			MethodLogit, 979.338424302597, Interval{0.841992213363719, 0.884901350418524}},
		{"everybody satisfied", 1, 0, 40, 39, MethodBeta, 40, Interval{math.Pow(0.025, 1.0/40), 1}},
		{"nobody satisfied", 0, 0, 40, 39, MethodBeta, 40, Interval{0, 1 - math.Pow(0.025, 1.0/40)}},
		{"every PSU has the same share", 0.5, 0, 400, 39, MethodBeta, 400, BetaInterval(0.5, 400, 0.95)},
		{"effective size is cut at n", 0.5, 0.001, 400, 39, MethodLogit, 400, Interval{}},
		// 100 effective people and 10 on the rarer side are enough, 99 and 9.9 are not.
		{"100 effective people", 0.5, 0.001, 100, 39, MethodLogit, 100, Interval{}},
		{"99 effective people", 0.5, 0.001, 99, 39, MethodBeta, 99, Interval{}},
		{"10 on the rarer side", 0.1, 0.001, 100, 39, MethodLogit, 100, Interval{}},
		{"9.9 on the rarer side", 0.099, 0.001, 100, 39, MethodBeta, 100, Interval{}},
		{"two people", 1, 0, 2, 1, MethodBeta, 2, Interval{math.Sqrt(0.025), 1}},
		{"few effective people", 0.5, 0.06, 200, 1000, MethodBeta, math.NaN(), Interval{}},
		{"few on the rarer side", 0.97, 0.01, 400, 1000, MethodBeta, math.NaN(), Interval{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			iv, method, nStar, ok := ShareInterval(c.p, c.se, c.n, c.df, 0.95)
			if !ok || method != c.method {
				t.Fatalf("method = %q, ok = %v, want %q", method, ok, c.method)
			}
			if !math.IsNaN(c.nStar) && !near(nStar, c.nStar, 1e-9) {
				t.Errorf("n* = %v, want %v", nStar, c.nStar)
			}
			if c.want != (Interval{}) && !(near(iv.Low, c.want.Low, 1e-9) && near(iv.High, c.want.High, 1e-9)) {
				t.Errorf("interval = %v, want %v", iv, c.want)
			}
			if !(iv.Low <= c.p && c.p <= iv.High) || iv.Low < 0 || iv.High > 1 {
				t.Errorf("interval %v does not hold %v within [0, 1]", iv, c.p)
			}
		})
	}
}

func TestIntervalsThatDoNotExist(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name  string
		p, se float64
		n     int
		df    float64
		level float64
	}{
		{name: "no degrees of freedom", p: 0.5, se: 0.1, n: 50, df: 0, level: 0.95},
		{name: "negative degrees of freedom", p: 0.5, se: 0.1, n: 50, df: -1, level: 0.95},
		{name: "no answers", p: nan, se: nan, n: 0, df: 5, level: 0.95},
		{name: "no standard error", p: 0.5, se: nan, n: 50, df: 5, level: 0.95},
		{name: "level 1", p: 0.5, se: 0.1, n: 50, df: 5, level: 1},
		{name: "level 0", p: 0.5, se: 0.1, n: 50, df: 5, level: 0},
		{name: "p outside [0, 1]", p: 1.2, se: 0.1, n: 50, df: 5, level: 0.95},
	} {
		t.Run(c.name, func(t *testing.T) {
			if iv, _, _, ok := ShareInterval(c.p, c.se, c.n, c.df, c.level); ok || !math.IsNaN(iv.Low) {
				t.Errorf("ShareInterval = %v, %v", iv, ok)
			}
			if iv, _, ok := CompositeInterval(c.p, c.se, c.n, c.df, c.level); ok || !math.IsNaN(iv.High) {
				t.Errorf("CompositeInterval = %v, %v", iv, ok)
			}
			if iv, ok := LogitInterval(c.p, c.se, c.df, c.level); ok || !math.IsNaN(iv.Low) {
				t.Errorf("LogitInterval = %v, %v", iv, ok)
			}
			if iv, ok := AsinInterval(c.p, c.se, c.df, c.level); ok || !math.IsNaN(iv.Low) {
				t.Errorf("AsinInterval = %v, %v", iv, ok)
			}
			if v := VerdictOf(noInterval, 0.8); v != TooFew {
				t.Errorf("verdict = %s", v)
			}
		})
	}
	for _, nEff := range []float64{0, -1, nan} {
		for name, f := range map[string]func(p, nEff, level float64) Interval{
			"beta": BetaInterval, "wilson": WilsonInterval, "agresti_coull": AgrestiCoullInterval,
		} {
			if iv := f(0.5, nEff, 0.95); !math.IsNaN(iv.Low) || !math.IsNaN(iv.High) {
				t.Errorf("%s with n_eff = %v gives %v", name, nEff, iv)
			}
		}
	}
	if iv, _, _, ok := ShareInterval(1, 0, 1, 3, 0.95); ok {
		t.Errorf("one answer gives %v", iv)
	}
	if iv := BetaInterval(0.3, math.Inf(1), 0.95); iv != (Interval{0.3, 0.3}) {
		t.Errorf("beta with infinite n_eff = %v", iv)
	}
}

func TestCompositeInterval(t *testing.T) {
	// Case index-unit-a.
	iv, method, ok := CompositeInterval(0.737627004533362, 0.0150684945215753, 359, 9, 0.95)
	if !ok || method != MethodLogit || !near(iv.Low, 0.702146387988081, 1e-9) {
		t.Errorf("unit: %v %s %v", iv, method, ok)
	}
	// Everybody satisfied with everything: Wilson's lower limit is n/(n+z²).
	z := NormalQuantile(0.975)
	iv, method, ok = CompositeInterval(1, 0, 30, 9, 0.95)
	if !ok || method != MethodWilson || !near(iv.Low, 30/(30+z*z), 1e-12) || iv.High != 1 {
		t.Errorf("unanimous: %v %s %v", iv, method, ok)
	}
	if iv, _, ok = CompositeInterval(1, 0, 1, 1, 0.95); !ok || !near(iv.Low, 1/(1+z*z), 1e-12) {
		t.Errorf("one person: %v %v", iv, ok)
	}
	if iv, _, ok = CompositeInterval(0, 0, 30, 9, 0.95); !ok || iv.Low != 0 || !near(iv.High, z*z/(30+z*z), 1e-12) {
		t.Errorf("nobody: %v %v", iv, ok)
	}
}

// With few answers on the rarer side the interval of a composite is wider than the logit interval.
func TestCompositeIntervalOfFew(t *testing.T) {
	for _, c := range []struct {
		p    float64
		n    int
		df   float64
		want float64 // degrees of freedom, by hand from the formula
	}{
		{0.95, 400, 40, 40}, // 20 on the rarer side
		{0.05, 400, 40, 40},
		{0.05, 399, 40, 1 / (1/40. + 0.6910005911/41.0969213837)}, // p 21.95/403
		{0.90, 100, 20, 1 / (1/20. + 0.3875739645/20.4142011834)}, // p 92/104
		{0.05, 60, 39, 1 / (1/39. + 0.5678710938/8.642578125)},    // p 5/64
		{0.70, 40, 20, 20}, // 6·p·q > 1
	} {
		iv, method, ok := CompositeInterval(c.p, 0.02, c.n, c.df, 0.95)
		want, _ := LogitInterval(c.p, 0.02, c.want, 0.95)
		if !ok || method != MethodLogit || !near(iv.Low, want.Low, 1e-6) || !near(iv.High, want.High, 1e-6) {
			t.Errorf("p %v, n %d, df %v: %v %s, want %v", c.p, c.n, c.df, iv, method, want)
		}
	}
	// The more are satisfied, the closer to the interval of all, not further away.
	all, _, _ := CompositeInterval(1, 0, 30, 20, 0.95)
	nearly, _, _ := CompositeInterval(0.983, 0.012, 30, 20, 0.95)
	if nearly.Low < all.Low-0.02 {
		t.Errorf("nearly unanimous %v, unanimous %v", nearly, all)
	}
}
