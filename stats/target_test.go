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
		{"nobody", math.NaN(), 0.1, 5, 40, 0.8},
		{"a target of 0", 0.9, 0.1, 5, 40, 0},
		{"a target in percent", 0.9, 0.1, 5, 40, 80},
	} {
		if r, ok := TargetTestOf(c.p, c.se, c.df, c.nEff, c.target); ok {
			t.Errorf("%s: %+v", c.name, r)
		}
	}
}

func TestTargetTestWithoutDegreesOfFreedom(t *testing.T) {
	r, ok := TargetTestOf(0.9, 0.1, 0, 40, 0.8)
	if !ok || !near(r.T, 1, 1e-12) || !math.IsNaN(r.PGreater) || !math.IsNaN(r.PTwoSided) {
		t.Errorf("t test: %+v, %v", r, ok)
	}
	if want := 0.1 / math.Sqrt(0.8*0.2/40); !near(r.ScoreZ, want, 1e-12) || !near(r.ScorePGreater, NormalUpperTail(want), 1e-12) {
		t.Errorf("score test: %+v", r)
	}
}
