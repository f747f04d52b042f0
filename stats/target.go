package stats

import "math"

// TargetTest tests a share against a target. The t test uses the standard error of the estimate on the
// degrees of freedom of the design; the score test uses the variance that the share would have at the
// target, target·(1−target)/nEff, and the normal distribution.
type TargetTest struct {
	T, DF         float64
	PGreater      float64 // of the null hypothesis P ≤ target
	PLess         float64 // of the null hypothesis P ≥ target
	PTwoSided     float64
	ScoreZ        float64
	ScorePGreater float64
	ScorePLess    float64
}

// TargetTestOf tests an estimated share p with standard error se, df degrees of freedom and
// effective sample size nEff (EffectiveN) against a target, all proportions. Without degrees of freedom
// (df ≤ 0) the probabilities of the t test are NaN. It reports false where there is no test at all: a
// se that is 0 (unanimous answers) or not a number, or a target not strictly between 0 and 1.
func TargetTestOf(p, se, df, nEff, target float64) (TargetTest, bool) {
	if !(se > 0) || !(target > 0 && target < 1) || math.IsNaN(p) {
		return TargetTest{}, false
	}
	t := (p - target) / se
	z := (p - target) / math.Sqrt(target*(1-target)/nEff)
	return TargetTest{
		T: t, DF: df,
		PGreater: TUpperTail(t, df), PLess: TLowerTail(t, df), PTwoSided: 2 * TUpperTail(math.Abs(t), df),
		ScoreZ: z, ScorePGreater: NormalUpperTail(z), ScorePLess: NormalUpperTail(-z),
	}, true
}
