package stats

import "math"

// Verdict says what an estimate proves about a target.
type Verdict string

// The verdicts.
const (
	Met       Verdict = "met"       // the whole interval is at or above the target
	NotMet    Verdict = "not_met"   // the whole interval is below the target
	Undecided Verdict = "undecided" // the target lies inside the interval
	TooFew    Verdict = "too_few"   // there is no interval to judge by
)

// VerdictOf judges a target (in the unit of the interval) by a confidence interval: Met if the lower
// limit is at least the target ("từ 80% trở lên"), NotMet if the upper limit is below it, Undecided
// otherwise. An interval with a NaN limit does not exist and gives TooFew.
func VerdictOf(iv Interval, target float64) Verdict {
	switch {
	case math.IsNaN(iv.Low) || math.IsNaN(iv.High):
		return TooFew
	case iv.Low >= target:
		return Met
	case iv.High < target:
		return NotMet
	}
	return Undecided
}
