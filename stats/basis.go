package stats

import "math"

// dependent is how little of a column, relative to its length, may be left beside the earlier columns
// for it to count as a combination of them.
const dependent = 1e-9

// weightedBasis is an orthonormal basis, in the inner product Σ w·a·b, of columns added one by one
// (Gram-Schmidt, each projection done twice to keep all digits). It regresses without normal equations,
// whose condition is squared, and drops columns that depend on earlier ones: classes of two margins
// always do.
type weightedBasis struct {
	weights []float64
	vectors [][]float64
}

func newWeightedBasis(weights []float64) *weightedBasis {
	return &weightedBasis{weights: weights}
}

// add adds x, which is coefficients·(earlier vectors) + length·(new vector), unless it is a combination
// of the earlier ones already.
func (b *weightedBasis) add(x []float64) (coefficients []float64, length float64, independent bool) {
	q := append([]float64(nil), x...)
	whole := math.Sqrt(b.dot(x, x))
	coefficients = b.project(q)
	length = math.Sqrt(b.dot(q, q))
	if !(length > dependent*whole) {
		return coefficients, 0, false
	}
	for i := range q {
		q[i] /= length
	}
	b.vectors = append(b.vectors, q)
	return coefficients, length, true
}

// residuals replaces u by its residuals from the regression on the columns.
func (b *weightedBasis) residuals(u []float64) { b.project(u) }

// project subtracts from u its projection, and returns the coefficients of that.
func (b *weightedBasis) project(u []float64) []float64 {
	coefficients := make([]float64, len(b.vectors))
	for range 2 {
		for k, q := range b.vectors {
			c := b.dot(q, u)
			coefficients[k] += c
			for i := range u {
				u[i] -= c * q[i]
			}
		}
	}
	return coefficients
}

func (b *weightedBasis) dot(x, y []float64) float64 {
	sum := 0.0
	for i, w := range b.weights {
		sum += w * x[i] * y[i]
	}
	return sum
}
