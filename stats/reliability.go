package stats

import "math"

// Presentation says whether a share is reliable enough to be shown.
type Presentation string

// The presentations, in the order in which they are decided.
const (
	SuppressSmallN        Presentation = "suppress_small_n"        // too few answers, or effective answers
	SuppressWide          Presentation = "suppress_wide"           // the interval says next to nothing
	SuppressRelativeWidth Presentation = "suppress_relative_width" // wide for so small a share
	Present               Presentation = "present"
)

// Limits of the presentation standards, in proportions.
const (
	widestInterval        = 0.30 // from here on suppressed
	narrowInterval        = 0.05 // up to here shown, however small the share
	widestRelative        = 1.30 // above suppressed
	fewestUnreviewedUnits = 8    // degrees of freedom below this ask for review
)

// Reliability is the judgement of one share.
type Reliability struct {
	Presentation  Presentation
	Review        bool     // presented, but somebody should look: few degrees of freedom, or unanimous answers
	EffectiveN    float64  // adjusted for degrees of freedom and truncated at n; NaN for df ≤ 0 or one answer
	Interval      Interval // 95% Korn-Graubard; NaN limits where EffectiveN is NaN
	RelativeWidth float64  // of the interval: width/p; NaN for p = 0
}

// ReliabilityOf judges a share p with standard error se from n answers and df degrees of freedom;
// minN is the fewest answers, and effective answers, to show (30 is usual). A share without a standard
// error or interval is SuppressSmallN. Source: Parker et al. 2017, National Center for Health
// Statistics data presentation standards for proportions.
func ReliabilityOf(p, se float64, n int, df, minN float64) Reliability {
	const level = 0.95
	size := EffectiveNDF(EffectiveN(p, se, n), n, df, level)
	r := Reliability{EffectiveN: math.Min(float64(n), size)}
	r.Interval = BetaInterval(p, r.EffectiveN, level)
	r.RelativeWidth = r.Interval.Width() / p
	if p == 0 {
		r.RelativeWidth = math.NaN()
	}
	width := r.Interval.Width()
	switch {
	case float64(n) < minN || !(r.EffectiveN >= minN) || math.IsNaN(width):
		r.Presentation = SuppressSmallN
	case width >= widestInterval:
		r.Presentation = SuppressWide
	case width > narrowInterval && !(r.RelativeWidth <= widestRelative):
		r.Presentation = SuppressRelativeWidth
	default:
		r.Presentation = Present
		r.Review = df < fewestUnreviewedUnits || p == 0 || p == 1
	}
	return r
}
