package stats

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// maxDrivers bounds the predictors: importance looks at every subset of them.
const maxDrivers = 15

// Drivers says how an outcome goes along with predictors, and how much of it each explains.
type Drivers struct {
	N int // rows with the outcome and all predictors
	// DF is that of the coefficients: PSUs − strata + 1 − coefficients. 0 or less allows no test of them.
	DF           float64
	Coefficients []Statistic // intercept first, then one a predictor; in units of the outcome
	Standardised []float64   // by predictor: coefficient × its standard deviation over that of the outcome
	RSquared     Statistic   // share of the outcome's variance that all predictors explain
	// OutcomeCorrelations and PredictorCorrelations are weighted.
	OutcomeCorrelations   []float64
	PredictorCorrelations [][]float64
	// Importance is each predictor's part of RSquared (LMG, the Shapley value of R²). The parts sum to it.
	Importance []Statistic
	// RelativeWeights are Johnson's approximation of the same; they sum to RSquared too.
	RelativeWeights []Statistic
}

// MeanOfAnswered returns for every row the mean of the columns that it answered, NaN where it answered none: a factor as a
// predictor. Columns of different lengths panic.
func MeanOfAnswered(columns [][]float64) []float64 {
	var means []float64
	for _, y := range columns {
		if means == nil {
			means = make([]float64, len(y))
		}
		if len(y) != len(means) {
			panic("stats: columns differ in length")
		}
	}
	for i := range means {
		sum, n := 0.0, 0
		for _, y := range columns {
			if !math.IsNaN(y[i]) {
				sum += y[i]
				n++
			}
		}
		means[i] = sum / float64(n)
	}
	return means
}

// KeyDrivers regresses the outcome on the predictors by weighted least squares, over the rows of the domain that have
// all of them, and divides the explained variance R² among the predictors.
//
// Coefficients: b = (X'WX)⁻¹X'Wy with the linearised value (X'WX)⁻¹x(y − x'b). Importance: LMG_j is the mean increase of R² that j
// brings, over all orders in which the predictors can enter; Johnson's weight is ε_j = Σ_k Λ²_jk β_k², with Λ the symmetric
// square root of the predictors' correlations and β = Λ⁻¹r. All of them are smooth functions of the covariances, so their
// standard errors, and those of differences between predictors (Combine), are linearised like all others: R²(S) of a subset has the
// linearised value ((1−R²)·y² − e²)/(V_y·Σw), y being the deviation of the outcome and e the residual.
//
// Importance is not effect: a factor that goes along with the outcome need not move it. A predictor that everybody
// scores alike explains nothing, however much it matters. Errors: no predictors, or more than 15;
// ErrUndefined where the rows are too few, the outcome or a predictor is the same in all of them, or
// predictors depend on each other. Sources: Fuller 1975 and Lumley 2010 (coefficients); Lindeman, Merenda & Gold 1980 and
// Grömping 2007 (LMG); Johnson 2000.
func (s *Sample) KeyDrivers(outcome []float64, predictors [][]float64, domain []bool) (Drivers, error) {
	p := len(predictors)
	if p < 1 || p > maxDrivers {
		return Drivers{}, fmt.Errorf("%d predictors, want 1 to %d", p, maxDrivers)
	}
	m, err := s.moments(append(append([][]float64(nil), predictors...), outcome), domain)
	if err != nil {
		return Drivers{}, err
	}
	if m.about.N <= p+1 {
		return Drivers{}, undefined("%d rows for %d coefficients", m.about.N, p+1)
	}
	d := Drivers{N: m.about.N, DF: m.about.DF - float64(p)}
	if d.Coefficients, err = s.regress(outcome, predictors, m.about); err != nil {
		return Drivers{}, err
	}
	for j := range p {
		d.Standardised = append(d.Standardised, d.Coefficients[j+1].Value*math.Sqrt(m.cov.At(j, j)/m.cov.At(p, p)))
	}
	if !m.standardise() { // constant predictors are out already
		return Drivers{}, undefined("the outcome is the same in all %d rows", m.about.N)
	}
	for j := range p {
		row := make([]float64, p)
		for l := range p {
			row[l] = m.cov.At(j, l)
		}
		d.PredictorCorrelations = append(d.PredictorCorrelations, row)
		d.OutcomeCorrelations = append(d.OutcomeCorrelations, m.cov.At(j, p))
	}
	weights, err := relativeWeights(m.cov) // first: it refuses predictors that nearly depend on each other
	if err != nil {
		return Drivers{}, err
	}
	parts, err := lmg(m.cov)
	if err != nil {
		return Drivers{}, err
	}
	d.RSquared = m.statistic(parts.whole)
	for j := range p {
		d.Importance = append(d.Importance, m.statistic(parts.each[j]))
		d.RelativeWeights = append(d.RelativeWeights, m.statistic(weights[j]))
	}
	return d, nil
}

// regress returns the coefficients of the weighted regression over the rows that about is about, intercept first.
func (s *Sample) regress(outcome []float64, predictors [][]float64, about Statistic) ([]Statistic, error) {
	weights, ones := make([]float64, len(outcome)), make([]float64, len(outcome))
	for i, in := range about.member {
		if in {
			weights[i], ones[i] = s.weights[i], 1
		}
	}
	inside := func(y []float64) []float64 { // NaN outside would spread
		z := make([]float64, len(y))
		for i, in := range about.member {
			if in {
				z[i] = y[i]
			}
		}
		return z
	}
	basis := newWeightedBasis(weights)
	k := len(predictors) + 1
	upper := mat.NewTriDense(k, mat.Upper, nil)
	for a := range k {
		x := ones
		if a > 0 {
			x = inside(predictors[a-1])
		}
		above, length, independent := basis.add(x)
		if !independent {
			return nil, undefined("predictor %d is constant or depends on the earlier ones", a)
		}
		for b, r := range above {
			upper.SetTri(b, a, r)
		}
		upper.SetTri(a, a, length)
	}
	residuals := inside(outcome)
	projection := basis.project(residuals)
	var inverse mat.TriDense
	if err := inverse.InverseTri(upper); err != nil {
		return nil, undefined("the predictors nearly depend on each other")
	}
	coefficients := make([]Statistic, k)
	for a := range coefficients {
		st := about
		st.Value, st.influence = 0, make([]float64, len(outcome))
		for b := a; b < k; b++ {
			r := inverse.At(a, b)
			st.Value += r * projection[b]
			for i, q := range basis.vectors[b] {
				st.influence[i] += r * q * residuals[i] * ones[i]
			}
		}
		coefficients[a] = st
	}
	return coefficients, nil
}

type explained struct {
	whole ofCovariances   // R² of all predictors
	each  []ofCovariances // the part of each
}

// lmg divides R² among the predictors by Shapley's rule. r is the correlation matrix, the outcome last.
func lmg(r *mat.SymDense) (explained, error) {
	p := r.SymmetricDim() - 1
	var e explained
	for range p {
		e.each = append(e.each, ofCovariances{gradient: mat.NewSymDense(p+1, nil)})
	}
	// share[n] is the part of all orders in which given n predictors come first, then a given one: n!(p−n−1)!/p!.
	share := make([]float64, p)
	share[0] = 1 / float64(p)
	for n := 1; n < p; n++ {
		share[n] = share[n-1] * float64(n) / float64(p-n)
	}
	for set := range 1 << p {
		var in []int
		for j := range p {
			if set>>j&1 == 1 {
				in = append(in, j)
			}
		}
		subset, err := rSquaredOf(r, in)
		if err != nil {
			return explained{}, err
		}
		if len(in) == p {
			e.whole = subset
		}
		for j := range p {
			var factor float64
			if set>>j&1 == 1 {
				factor = share[len(in)-1]
			} else {
				factor = -share[len(in)]
			}
			e.each[j].value += factor * subset.value
			for a := range p + 1 {
				for b := range a + 1 {
					e.each[j].gradient.SetSym(a, b, e.each[j].gradient.At(a, b)+factor*subset.gradient.At(a, b))
				}
			}
		}
	}
	return e, nil
}

// rSquaredOf is R² of the regression of the last variable on those in the set. With u = (−b, 1) its gradient is
// (1−R²) for the outcome's variance, less uu'.
func rSquaredOf(r *mat.SymDense, in []int) (ofCovariances, error) {
	p, k := r.SymmetricDim()-1, len(in)
	u := make([]float64, p+1)
	u[p] = 1
	f := ofCovariances{gradient: mat.NewSymDense(p+1, nil)}
	if k > 0 {
		x, xy := mat.NewSymDense(k, nil), mat.NewVecDense(k, nil)
		for a, j := range in {
			xy.SetVec(a, r.At(j, p))
			for b := range a + 1 {
				x.SetSym(a, b, r.At(j, in[b]))
			}
		}
		var cholesky mat.Cholesky
		var b mat.VecDense
		if !cholesky.Factorize(x) || cholesky.SolveVecTo(&b, xy) != nil {
			return f, undefined("predictors depend on each other")
		}
		f.value = mat.Dot(&b, xy)
		for a, j := range in {
			u[j] = -b.AtVec(a)
		}
	}
	for a := range p + 1 {
		for b := range a + 1 {
			f.gradient.SetSym(a, b, -u[a]*u[b])
		}
	}
	f.gradient.SetSym(p, p, -f.value)
	return f, nil
}

// relativeWeights divides R² among the predictors by Johnson's rule. r is the correlation matrix, the outcome
// last. The gradient goes through the scaling to correlations and the derivative of the root,
// Q·(Q'dR·Q / (√λ_k+√λ_l))·Q'.
func relativeWeights(r *mat.SymDense) ([]ofCovariances, error) {
	p := r.SymmetricDim() - 1
	xy := make([]float64, p)
	for j := range p {
		xy[j] = r.At(j, p)
	}
	x := mat.NewSymDense(p, nil)
	x.CopySym(r)
	var eigen mat.EigenSym
	if !eigen.Factorize(x, true) {
		return nil, undefined("the predictors' correlations have no square root")
	}
	lambda := eigen.Values(nil) // ascending
	if !(lambda[0] > lambda[p-1]/largestCondition) {
		return nil, undefined("the predictors nearly depend on each other")
	}
	var q mat.Dense
	eigen.VectorsTo(&q)
	for k := range lambda {
		lambda[k] = math.Sqrt(lambda[k])
	}
	withDiagonal := func(d func(k int) float64) *mat.Dense { // Q·diag(d)·Q'
		scaled := mat.DenseCopyOf(&q)
		scaled.Apply(func(_, k int, v float64) float64 { return v * d(k) }, scaled)
		var product mat.Dense
		product.Mul(scaled, q.T())
		return &product
	}
	root := withDiagonal(func(k int) float64 { return lambda[k] })
	inverse := withDiagonal(func(k int) float64 { return 1 / lambda[k] })
	var beta mat.VecDense
	beta.MulVec(inverse, mat.NewVecDense(p, xy))

	weights := make([]ofCovariances, p)
	for j := range weights {
		weights[j].gradient = mat.NewSymDense(p+1, nil)
		for k := range p {
			weights[j].value += root.At(j, k) * root.At(j, k) * beta.AtVec(k) * beta.AtVec(k)
		}
	}
	for a := range p + 1 {
		for b := range a + 1 {
			dx, dxy := mat.NewDense(p, p, nil), mat.NewVecDense(p, nil)
			for i := range p + 1 {
				for j := range i + 1 {
					change := oneIf(i == a && j == b) - r.At(i, j)*(oneIf(a == b && i == a)+oneIf(a == b && j == a))/2
					switch {
					case i < p:
						dx.Set(i, j, change)
						dx.Set(j, i, change)
					case j < p:
						dxy.SetVec(j, change)
					}
				}
			}
			var half, rotated, back, dRoot mat.Dense
			half.Mul(q.T(), dx)
			rotated.Mul(&half, &q)
			rotated.Apply(func(k, l int, v float64) float64 { return v / (lambda[k] + lambda[l]) }, &rotated)
			back.Mul(&q, &rotated)
			dRoot.Mul(&back, q.T())
			var moved, dBeta mat.VecDense
			moved.MulVec(&dRoot, &beta)
			dxy.SubVec(dxy, &moved)
			dBeta.MulVec(inverse, dxy)
			for j := range weights {
				change := 0.0
				for k := range p {
					l, v := root.At(j, k), beta.AtVec(k)
					change += 2 * l * v * (dRoot.At(j, k)*v + l*dBeta.AtVec(k))
				}
				if a != b {
					change /= 2 // the cell and its mirror image moved
				}
				weights[j].gradient.SetSym(a, b, change)
			}
		}
	}
	return weights, nil
}
