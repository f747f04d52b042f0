package stats

import (
	"math"
	"testing"
)

func TestTargetTestThatDoesNotExist(t *testing.T) {
	for _, c := range []struct {
		name                    string
		p, se, df, nEff, target float64
	}{
		{"unanimous", 1, 0, 5, 40, 0.8},
		{"no standard error", 0.9, math.NaN(), 5, 40, 0.8},
		{"no degrees of freedom", 0.9, 0.1, 0, 40, 0.8},
		{"nobody", math.NaN(), 0.1, 5, 40, 0.8},
		{"a target of 0", 0.9, 0.1, 5, 40, 0},
		{"a target in percent", 0.9, 0.1, 5, 40, 80},
	} {
		if r, ok := TargetTestOf(c.p, c.se, c.df, c.nEff, c.target); ok {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}
