package stats

import "math"

// Interval is a confidence interval, in the unit of its estimate (for a share: a proportion, 0 to 1).
// Both limits are NaN where no interval exists.
type Interval struct{ Low, High float64 }

// Width returns High − Low.
func (iv Interval) Width() float64 { return iv.High - iv.Low }

// noInterval is what a function returns that cannot give one.
var noInterval = Interval{math.NaN(), math.NaN()}

// Methods of ShareInterval and CompositeInterval.
const (
	MethodBeta   = "beta"   // Korn-Graubard with the truncated, df-adjusted effective sample size
	MethodLogit  = "logit"  // logit transformation with the t quantile
	MethodWilson = "wilson" // Wilson's score interval
)

// Below these the logit interval of a share no longer covers as it says, and the service uses the
// Korn-Graubard interval: effective people, and effective people on the rarer side.
const (
	logitMinEffective = 100
	logitMinRarer     = 10
)

// compositeMinRarer is from how many respondents on the rarer side on a composite keeps its degrees of
// freedom.
const compositeMinRarer = 20

// zeroSE is the standard error of a share below which it is rounding noise around 0.
const zeroSE = 1e-9

// twoSided returns the probability whose quantile bounds a two-sided interval of the given level, or
// NaN for a level outside (0, 1).
func twoSided(level float64) float64 {
	if !(level > 0 && level < 1) {
		return math.NaN()
	}
	return 1 - (1-level)/2
}

// TInterval returns p ± t·se with df degrees of freedom. It serves any estimate, not only shares, and
// is not cut to [0, 1]. Without degrees of freedom (df ≤ 0) both limits are NaN.
func TInterval(p, se, df, level float64) Interval {
	margin := TQuantile(twoSided(level), df) * se
	return Interval{p - margin, p + margin}
}

// LogitInterval returns the interval that is symmetric on the logit scale: expit(logit p ± t·se/(p(1−p))).
// It reports false where it is undefined: p not strictly between 0 and 1, df ≤ 0, or a se that is not
// a number.
func LogitInterval(p, se, df, level float64) (Interval, bool) {
	t := TQuantile(twoSided(level), df)
	if !(p > 0 && p < 1) || !(se >= 0) || math.IsNaN(t) {
		return noInterval, false
	}
	centre, margin := math.Log(p/(1-p)), t*se/(p*(1-p))
	return Interval{expit(centre - margin), expit(centre + margin)}, true
}

func expit(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// AsinInterval returns the interval on the arcsine scale: sin²(asin√p ± t·se/(2√(p(1−p)))), the angle
// kept within [0, π/2]. It reports false where LogitInterval does.
func AsinInterval(p, se, df, level float64) (Interval, bool) {
	t := TQuantile(twoSided(level), df)
	if !(p > 0 && p < 1) || !(se >= 0) || math.IsNaN(t) {
		return noInterval, false
	}
	centre, margin := math.Asin(math.Sqrt(p)), t*se/(2*math.Sqrt(p*(1-p)))
	low, high := math.Max(centre-margin, 0), math.Min(centre+margin, math.Pi/2)
	return Interval{math.Pow(math.Sin(low), 2), math.Pow(math.Sin(high), 2)}, true
}

// EffectiveN returns the effective sample size of a share: how many people of a simple random sample
// would give the same variance, p(1−p)/se². A unanimous share (p exactly 0 or 1) has se = 0, and its
// effective size is the number of answers n. It is +Inf where se = 0 although answers differ (nothing
// was sampled, or every PSU has the same share by chance). It is meaningful for one share only, never
// for a mean of several.
func EffectiveN(p, se float64, n int) float64 {
	if p == 0 || p == 1 {
		return float64(n)
	}
	return p * (1 - p) / (se * se)
}

// EffectiveNDF returns the effective sample size reduced for the degrees of freedom of the design:
// nEff·(t_{n−1}/t_df)², both quantiles at the two-sided level. NaN for df ≤ 0 or n ≤ 1.
// Source: Korn & Graubard 1998.
func EffectiveNDF(nEff float64, n int, df, level float64) float64 {
	p := twoSided(level)
	ratio := TQuantile(p, float64(n-1)) / TQuantile(p, df)
	return nEff * ratio * ratio
}

// BetaInterval returns the Korn-Graubard interval of a share: the Clopper-Pearson interval with p·nEff
// successes in nEff trials. At p = 0 the lower limit is 0, at p = 1 the upper is 1. Pass the
// df-adjusted effective size, truncated at the number of answers. nEff ≤ 0 or NaN gives NaN limits;
// infinite nEff gives p itself. Source: Korn & Graubard 1998.
func BetaInterval(p, nEff, level float64) Interval {
	upper := twoSided(level)
	switch {
	case !(p >= 0 && p <= 1) || !(nEff > 0) || math.IsNaN(upper):
		return noInterval
	case math.IsInf(nEff, 1):
		return Interval{p, p}
	}
	x := p * nEff
	iv := Interval{0, 1}
	if p > 0 {
		iv.Low = BetaQuantile(1-upper, x, nEff-x+1)
	}
	if p < 1 {
		iv.High = BetaQuantile(upper, x+1, nEff-x)
	}
	return iv
}

// WilsonInterval returns Wilson's score interval of a share with nEff trials and the normal quantile.
// It exists at p = 0 and 1 too. nEff ≤ 0 or NaN gives NaN limits. Source: Wilson 1927.
func WilsonInterval(p, nEff, level float64) Interval {
	z := NormalQuantile(twoSided(level))
	if !(p >= 0 && p <= 1) || !(nEff > 0) || math.IsNaN(z) {
		return noInterval
	}
	z2n := z * z / nEff
	centre := (p + z2n/2) / (1 + z2n)
	margin := math.Sqrt(z2n*(p*(1-p)+z2n/4)) / (1 + z2n)
	iv := Interval{centre - margin, centre + margin}
	// The limits at the ends are exactly 0 and 1; rounding must not leave them a digit outside.
	if p == 0 {
		iv.Low = 0
	}
	if p == 1 {
		iv.High = 1
	}
	return iv
}

// AgrestiCoullInterval returns the interval of Agresti & Coull 1998 with nEff trials and the normal
// quantile: z²/2 successes and z²/2 failures are added. It is not cut to [0, 1]. nEff ≤ 0 or NaN gives
// NaN limits.
func AgrestiCoullInterval(p, nEff, level float64) Interval {
	z := NormalQuantile(twoSided(level))
	if !(p >= 0 && p <= 1) || !(nEff > 0) || math.IsNaN(z) {
		return noInterval
	}
	n := nEff + z*z
	centre := (p*nEff + z*z/2) / n
	margin := z * math.Sqrt(centre*(1-centre)/n)
	return Interval{centre - margin, centre + margin}
}

// ShareInterval returns the interval that the service publishes for the share of one item, with the
// method it used and n*, the effective sample size adjusted for degrees of freedom and truncated at
// the number of answers n.
//
// Unanimous answers (p exactly 0 or 1), n* < 100 or n*·min(p, 1−p) < 10 take the Korn-Graubard
// interval, all others the logit interval. So does a standard error of 0 although answers differ: when
// every PSU has the same share by chance, the logit interval would be a single point.
//
// It reports false, with NaN limits, where the design gives no error: df ≤ 0, fewer than 2 answers, or
// a p or se that is not a number.
func ShareInterval(p, se float64, n int, df, level float64) (iv Interval, method string, nStar float64, ok bool) {
	if !(p >= 0 && p <= 1) || !(se >= 0) || !(df > 0) || n < 2 {
		return noInterval, "", math.NaN(), false
	}
	nStar = math.Min(float64(n), EffectiveNDF(EffectiveN(p, se, n), n, df, level))
	if nStar >= logitMinEffective && nStar*math.Min(p, 1-p) >= logitMinRarer && se > zeroSE {
		iv, ok = LogitInterval(p, se, df, level)
		return iv, MethodLogit, nStar, ok
	}
	iv = BetaInterval(p, nStar, level)
	return iv, MethodBeta, nStar, !math.IsNaN(iv.Low)
}

// CompositeInterval returns the interval that the service publishes for a mean of many shares (a
// factor, the index), with its method: logit with the t quantile. If everybody is unanimous in
// everything (p exactly 0 or 1) it is Wilson's on the n respondents. There is no effective sample size
// here: p(1−p)/se² counts neither people nor answers of a mean of many shares.
//
// With fewer than 20 respondents' worth of answers on the rarer side, t has the degrees of freedom of
// compositeDF.
//
// It reports false, with NaN limits, where the design gives no error: df ≤ 0, n ≤ 0, or a p or se that
// is not a number; and for p outside [0, 1].
func CompositeInterval(p, se float64, n int, df, level float64) (iv Interval, method string, ok bool) {
	switch {
	case !(p >= 0 && p <= 1) || !(se >= 0) || !(df > 0) || n <= 0:
		return noInterval, "", false
	case p == 0 || p == 1:
		iv = WilsonInterval(p, float64(n), level)
		return iv, MethodWilson, !math.IsNaN(iv.Low)
	}
	iv, ok = LogitInterval(p, se, compositeDF(p, n, df), level)
	return iv, MethodLogit, ok
}

// compositeDF returns the degrees of freedom df of a composite, reduced where its variance hangs on
// few answers: an estimated variance has the relative variance 2/df where PSU totals are normal, and
// k/n more where single respondents have the excess kurtosis k. That of one share is
// (1 − 6pq)/pq, q = 1−p; a mean of items that one person answers alike has no more. So
//
//	1/df* = 1/df + max(0, 1 − 6pq)/(2·n·pq)
//
// with p from two satisfied and two other respondents more, as the rare answers that are missing by
// chance would tell most. From compositeMinRarer rare answers on it is df itself: the part is small.
//
// Without it 95% intervals of indices near 0.95 held the truth in 92% of simulated rounds (`sipas
// study`, scenario high), and hold it in 94% to 97% with it.
//
// Sources: Satterthwaite 1946 for degrees of freedom by the variance of a variance; Cramér 1946, 27.4,
// for the latter; Agresti & Coull 1998 for the two and two.
func compositeDF(p float64, n int, df float64) float64 {
	people := float64(n)
	if people*math.Min(p, 1-p) >= compositeMinRarer {
		return df
	}
	p = (people*p + 2) / (people + 4)
	pq := p * (1 - p)
	return 1 / (1/df + math.Max(0, 1-6*pq)/(2*people*pq))
}
