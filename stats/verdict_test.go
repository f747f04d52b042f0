package stats

import (
	"math"
	"testing"
)

func TestVerdictOf(t *testing.T) {
	for _, c := range []struct {
		name string
		iv   Interval
		want Verdict
	}{
		{"above", Interval{0.81, 0.9}, Met},
		{"lower limit on the target", Interval{0.8, 0.9}, Met},
		{"around", Interval{0.79, 0.9}, Undecided},
		{"upper limit on the target", Interval{0.7, 0.8}, Undecided},
		{"below", Interval{0.7, 0.79}, NotMet},
		{"a point on the target", Interval{0.8, 0.8}, Met},
		{"no interval", noInterval, TooFew},
		{"half an interval", Interval{0.9, math.NaN()}, TooFew},
	} {
		if got := VerdictOf(c.iv, 0.8); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
