package stats

import (
	"math"
	"testing"
)

func TestReliabilityOf(t *testing.T) {
	for _, c := range []struct {
		name   string
		p, se  float64
		n      int
		df     float64
		want   Presentation
		review bool
	}{
		{"reliable", 0.8, 0.02, 400, 20, Present, false},
		{"few degrees of freedom", 0.8, 0.02, 400, 7, Present, true},
		{"unanimous", 1, 0, 400, 20, Present, true},
		{"few answers", 0.8, 0.02, 29, 20, SuppressSmallN, false},
		{"few effective answers", 0.8, 0.08, 400, 20, SuppressSmallN, false},
		{"a wide interval", 0.5, 0.08, 400, 20, SuppressWide, false},
		{"wide for so small a share", 0.05, 0.02, 400, 20, SuppressRelativeWidth, false},
		{"a rare answer with a narrow interval", 0.005, 0.003, 3000, 20, Present, false},
		{"nobody, narrow", 0, 0, 400, 20, Present, true},
		{"nobody, wide", 0, 0, 40, 20, SuppressRelativeWidth, false},
		{"no degrees of freedom", 0.8, 0.02, 400, 0, SuppressSmallN, false},
		{"no answers", math.NaN(), math.NaN(), 0, 0, SuppressSmallN, false},
	} {
		r := ReliabilityOf(c.p, c.se, c.n, c.df, 30)
		if r.Presentation != c.want || r.Review != c.review {
			t.Errorf("%s: %+v, want %s, review %v", c.name, r, c.want, c.review)
		}
	}
}
