package stats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// FTest is the outcome of an F test.
type FTest struct {
	F        float64
	DF1, DF2 float64 // of the numerator and the denominator, both above 0
	P        float64
}

// ChiSquaredTest is the outcome of a chi-squared test.
type ChiSquaredTest struct{ ChiSquared, DF, P float64 }

func newFTest(f, df1, df2 float64) FTest { return FTest{f, df1, df2, FUpperTail(f, df1, df2)} }

// largestCondition is the condition number, on the scale of correlations, from which a covariance matrix
// counts as singular: fewer independent PSUs than contrasts, or contrasts that depend on each other.
const largestCondition = 1e12

// waldStatistic returns d'V⁻¹d; it reports false where V has no inverse.
func waldStatistic(d []float64, v [][]float64) (float64, bool) {
	// On the scale of correlations rare classes do not look like singular ones.
	scaled, correlation := mat.NewVecDense(len(d), nil), mat.NewSymDense(len(d), nil)
	for i := range d {
		if !(v[i][i] > 0) {
			return 0, false
		}
		scaled.SetVec(i, d[i]/math.Sqrt(v[i][i]))
		for j := range i + 1 {
			correlation.SetSym(i, j, v[i][j]/math.Sqrt(v[i][i]*v[j][j]))
		}
	}
	var cholesky mat.Cholesky
	var solved mat.VecDense
	if !cholesky.Factorize(correlation) || cholesky.Cond() > largestCondition || cholesky.SolveVecTo(&solved, scaled) != nil {
		return 0, false
	}
	return mat.Dot(scaled, &solved), true
}
