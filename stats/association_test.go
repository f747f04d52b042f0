package stats

import (
	"errors"
	"math"
	"testing"
)

// expand makes rows of a table of counts.
func expand(counts [][]int) (row, column []int) {
	for r := range counts {
		for c, n := range counts[r] {
			for range n {
				row, column = append(row, r), append(column, c)
			}
		}
	}
	return row, column
}

// TestAssociateSimple: in a simple random sample all design effects are n/(n−1), and Pearson's statistic is
// the textbook's: for the table 10 20 / 30 20, 80·(10·20 − 20·30)²/(30·50·40·40).
func TestAssociateSimple(t *testing.T) {
	row, column := expand([][]int{{10, 20}, {30, 20}})
	a, err := simpleSample(t, 80).Associate(row, column, nil)
	if err != nil {
		t.Fatal(err)
	}
	pearson := 80.0 * 400 * 400 / (30 * 50 * 40 * 40)
	if a.N != 80 || !closeTo(a.PearsonX2, pearson) || !closeTo(a.MeanDesignEffect(), 80.0/79) || !closeTo(a.Proportions[1][0], 30.0/80) {
		t.Errorf("n %d, X² %v, design effect %v, want 80, %v, 80/79", a.N, a.PearsonX2, a.MeanDesignEffect(), pearson)
	}
	if a.RaoScott.DF1 != 1 || a.RaoScott.DF2 != 79 || !closeTo(a.RaoScott.F, pearson*79/80) || !closeTo(a.FirstOrder.ChiSquared, a.RaoScott.F) {
		t.Errorf("Rao-Scott %+v, first order %+v", a.RaoScott, a.FirstOrder)
	}
	if a.Wald == nil || a.AdjustedWald == nil || a.Wald.P != a.AdjustedWald.P {
		t.Errorf("Wald %+v and %+v, want the same test for one contrast", a.Wald, a.AdjustedWald)
	}
}

// TestAssociateClusters: when whole groups of four answer alike, the design effect is 4 and more.
func TestAssociateClusters(t *testing.T) {
	row, column := expand([][]int{{8, 16}, {20, 12}})
	clusters := make([]int, len(row))
	weights := make([]float64, len(row))
	for i := range clusters {
		clusters[i], weights[i] = i/4, 1
	}
	a, err := sampleOf(t, SamplingColumns{Clusters: [][]int{clusters}, Weights: weights}).Associate(row, column, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := 4 * 14.0 / 13; !closeTo(a.MeanDesignEffect(), want) || a.RaoScott.DF2 != 13 {
		t.Errorf("design effect %v, want %v; %v degrees of freedom", a.MeanDesignEffect(), want, a.RaoScott.DF2)
	}
}

// TestAssociateEmptyCell: an empty cell counts as 0 in Δ. For n people of a simple random sample of N, V is
// N/(N−1)·(V₀ − ee'/n), e = (−1, 0) being the sums of the signs that are left, so that
// trΔ = N/(N−1)·(2 − 1/n·(V₀⁻¹)₁₁).
func TestAssociateEmptyCell(t *testing.T) {
	row, column := expand([][]int{{10, 5, 5}, {12, 0, 9}})
	domain := make([]bool, 82)
	for i := range row {
		domain[i] = true
	}
	a, err := simpleSample(t, 82).Associate(append(row, row...), append(column, column...), domain)
	if err != nil {
		t.Fatal(err)
	}
	v11, v12, v22 := 1.0/10+1.0/5+1.0/12, 1.0/10+1.0/12, 1.0/10+1.0/5+1.0/12+1.0/9
	inverse := v22 / (v11*v22 - v12*v12)
	if want := 82.0 / 81 * (2 - inverse/41); !closeTo(a.DeltaTrace, want) {
		t.Errorf("trΔ = %v, want %v", a.DeltaTrace, want)
	}
}

// TestAssociateDropsCodes: a code that occurs only where the other classification is missing, or without
// weight, is none.
func TestAssociateDropsCodes(t *testing.T) {
	row, column := expand([][]int{{10, 20}, {30, 20}})
	want, err := simpleSample(t, 80).Associate(row, column, nil)
	if err != nil {
		t.Fatal(err)
	}
	row, column = append(row, 5, 5, 6), append(column, -1, -1, 0)
	weights := make([]float64, len(row))
	for i := range weights[:82] {
		weights[i] = 1
	}
	got, err := sampleOf(t, SamplingColumns{Weights: weights}).Associate(row, column, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Rows) != 2 || got.N != 80 || !closeTo(got.PearsonX2, want.PearsonX2) {
		t.Errorf("rows %v of %d people, X² %v, want two of 80 and %v", got.Rows, got.N, got.PearsonX2, want.PearsonX2)
	}
}

func TestAssociateUndefined(t *testing.T) {
	row, column := expand([][]int{{10, 20}, {30, 20}})
	one := make([]int, 80)
	missing := make([]int, 80)
	for i := range missing {
		missing[i] = -1
	}
	diagonalRow, diagonalColumn := expand([][]int{{10, 0, 0}, {0, 10, 0}, {0, 0, 10}})
	many := make([]int, 30*30)
	more := make([]int, 30*30)
	for i := range many {
		many[i], more[i] = i/30, i%30
	}
	for name, tt := range map[string]struct{ row, column []int }{
		"one row":                  {one, column},
		"one column":               {row, one},
		"nobody has both":          {row, missing},
		"empty but for a diagonal": {diagonalRow, diagonalColumn},
		"too large":                {many, more},
	} {
		if a, err := simpleSample(t, len(tt.row)).Associate(tt.row, tt.column, nil); !errors.Is(err, ErrUndefined) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
	}
	// All people were asked: no sampling error is left.
	all := make([]float64, 80)
	for i := range all {
		all[i] = 80
	}
	s := sampleOf(t, SamplingColumns{Populations: [][]float64{all}, Weights: all})
	if a, err := s.Associate(row, column, nil); !errors.Is(err, ErrUndefined) {
		t.Errorf("a census: %+v, %v", a, err)
	}
	if a, err := simpleSample(t, 80).Associate(row, column, make([]bool, 80)); !errors.Is(err, ErrUndefined) {
		t.Errorf("an empty domain: %+v, %v", a, err)
	}
}

// TestAssociateFewPSUs: with fewer degrees of freedom than contrasts there is Rao and Scott's test but no Wald test.
func TestAssociateFewPSUs(t *testing.T) {
	row, column := expand([][]int{{5, 9, 4, 6}, {7, 3, 8, 6}, {6, 6, 5, 7}, {4, 8, 9, 3}})
	clusters, weights := make([]int, len(row)), make([]float64, len(row))
	for i := range clusters {
		clusters[i], weights[i] = i*7%4, 1
	}
	a, err := sampleOf(t, SamplingColumns{Clusters: [][]int{clusters}, Weights: weights}).Associate(row, column, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Wald != nil || a.AdjustedWald != nil {
		t.Errorf("Wald %+v and %+v on 3 degrees of freedom for 9 contrasts", a.Wald, a.AdjustedWald)
	}
	if p := a.RaoScott.P; !(p > 0 && p < 1) || math.IsInf(a.RaoScott.DF2, 0) {
		t.Errorf("Rao-Scott %+v", a.RaoScott)
	}
}

func TestWaldStatistic(t *testing.T) {
	// (1, 2) by the inverse of {{2, 1}, {1, 3}}, which is {{3, −1}, {−1, 2}}/5.
	if got, ok := waldStatistic([]float64{1, 2}, [][]float64{{2, 1}, {1, 3}}); !ok || !closeTo(got, 7.0/5) {
		t.Errorf("%v, %v, want 7/5", got, ok)
	}
	for _, v := range [][][]float64{
		{{1, 1}, {1, 1}},
		{{1, 1}, {1, 1 + 1e-14}}, // singular but for rounding
		{{1, 2}, {2, 1}},
		{{0, 0}, {0, 1}},
		{{math.NaN(), 0}, {0, 1}},
	} {
		if got, ok := waldStatistic([]float64{1, 2}, v); ok {
			t.Errorf("%v has the inverse to give %v", v, got)
		}
	}
}
