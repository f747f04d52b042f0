package stats

import (
	"errors"
	"fmt"
	"math"
)

// ErrCalibration means that the weights cannot be made to meet the totals; it comes wrapped with the
// reason.
var ErrCalibration = errors.New("calibration failed")

// calibration is one step from the weights before to the weights after. residuals replaces linearised
// values by their residuals from the regression on the step's auxiliary variables over all rows,
// weighted with the weights before: the part of an estimate that the totals determine has no sampling
// error. Source: Deville & Särndal 1992.
type calibration struct {
	before, after []float64
	residuals     func(u []float64)
}

func (s *Sample) calibrated(after []float64, residuals func(u []float64)) *Sample {
	steps := append(s.steps[:len(s.steps):len(s.steps)], calibration{s.weights, after, residuals})
	return &Sample{design: s.design, weights: after, steps: steps}
}

// PostStratify returns the sample with weights w·N_c/N̂_c, so that every cell c of the population has
// its known size N_c. cell holds the cell of every row, an index of sizes. The variance is that of the
// residuals from the cell means. Errors wrap ErrCalibration: a row outside all cells, a size that is
// negative or not a number, a cell with people but without weight in the sample.
func (s *Sample) PostStratify(cell []int, sizes []float64) (*Sample, error) {
	sums, err := s.cellSums(Margin{cell, sizes}, s.weights)
	if err != nil {
		return nil, err
	}
	before, after := s.weights, make([]float64, len(s.weights))
	for i, c := range cell {
		after[i] = before[i] * ratioOrZero(sizes[c], sums[c])
	}
	residuals := func(u []float64) {
		means := make([]float64, len(sizes))
		for i, c := range cell {
			means[c] += before[i] * u[i]
		}
		for c := range means {
			means[c] = ratioOrZero(means[c], sums[c])
		}
		for i, c := range cell {
			u[i] -= means[c]
		}
	}
	return s.calibrated(after, residuals), nil
}

// Margin is one classification of all rows with the known size of each class.
type Margin struct {
	Class []int     // class of every row, an index of Sizes
	Sizes []float64 // people of the population by class
}

// cellSums validates a margin and returns the weight in each class.
func (s *Sample) cellSums(m Margin, weights []float64) ([]float64, error) {
	if len(m.Class) != s.design.rows {
		return nil, fmt.Errorf("%w: %d classes for %d rows", ErrCalibration, len(m.Class), s.design.rows)
	}
	sums := make([]float64, len(m.Sizes))
	for i, c := range m.Class {
		if c < 0 || c >= len(sums) {
			return nil, fmt.Errorf("%w: row %d lies in no class", ErrCalibration, i+1)
		}
		sums[c] += weights[i]
	}
	for c, size := range m.Sizes {
		switch {
		case !(size >= 0) || math.IsInf(size, 1):
			return nil, fmt.Errorf("%w: class %d has size %v", ErrCalibration, c, size)
		case size > 0 && !(sums[c] > 0):
			return nil, fmt.Errorf("%w: class %d has %v people and no weight in the sample", ErrCalibration, c, size)
		}
	}
	return sums, nil
}

// Raking stops when the largest relative margin error is below rakeTolerance; rakeRounds is far more
// than any solvable set of margins takes.
const (
	rakeTolerance = 1e-12
	rakeRounds    = 10000
)

// Rake returns the sample with weights that meet several margins at once, by iterative proportional
// fitting until the largest relative error of a margin is below 1e-12. The variance is that of the
// residuals from the regression on all margins. Errors wrap ErrCalibration: those of PostStratify,
// margins that do not add up to the same population, no convergence.
func (s *Sample) Rake(margins ...Margin) (*Sample, error) {
	after := append([]float64(nil), s.weights...)
	population := math.NaN()
	for _, m := range margins {
		total := 0.0
		for _, size := range m.Sizes {
			total += size
		}
		if math.IsNaN(population) {
			population = total
		}
		// Totals of different margins often differ in the last digits; more than that can never converge.
		if math.Abs(total-population) > rakeTolerance*population {
			return nil, fmt.Errorf("%w: margins of %v and %v people", ErrCalibration, population, total)
		}
	}
	for range rakeRounds {
		worst := 0.0
		for _, m := range margins {
			sums, err := s.cellSums(m, after)
			if err != nil {
				return nil, err
			}
			for c, size := range m.Sizes {
				if size > 0 {
					worst = math.Max(worst, math.Abs(sums[c]/size-1))
				}
			}
			for i, c := range m.Class {
				after[i] *= ratioOrZero(m.Sizes[c], sums[c])
			}
		}
		if worst < rakeTolerance {
			basis := newWeightedBasis(s.weights)
			for _, m := range margins {
				for c := range m.Sizes {
					basis.add(classIndicator(m.Class, c))
				}
			}
			return s.calibrated(after, basis.residuals), nil
		}
	}
	return nil, fmt.Errorf("%w: raking did not converge", ErrCalibration)
}

func classIndicator(class []int, c int) []float64 {
	x := make([]float64, len(class))
	for i := range class {
		if class[i] == c {
			x[i] = 1
		}
	}
	return x
}

// CalibrateLinear returns the sample with the weights nearest to the present ones (in chi-squared
// distance; they may turn negative) that give every auxiliary variable its known population total: the
// generalised regression estimator. A column of ones with the size of the population is the intercept.
// The variance is that of the residuals from the regression on the auxiliaries. Auxiliaries must not
// miss values. Errors wrap ErrCalibration: missing values, columns and totals that differ in number,
// and a total that contradicts those of variables it depends on.
func (s *Sample) CalibrateLinear(auxiliaries [][]float64, totals []float64) (*Sample, error) {
	if len(auxiliaries) != len(totals) {
		return nil, fmt.Errorf("%w: %d auxiliaries with %d totals", ErrCalibration, len(auxiliaries), len(totals))
	}
	basis := newWeightedBasis(s.weights)
	after := append([]float64(nil), s.weights...)
	var missed []float64 // by basis vector: its population total less its total in the sample
	for j, x := range auxiliaries {
		if len(x) != s.design.rows {
			return nil, fmt.Errorf("%w: auxiliary %d has %d values for %d rows", ErrCalibration, j, len(x), s.design.rows)
		}
		gap, size := totals[j], math.Abs(totals[j])
		for i, v := range x {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%w: auxiliary %d misses a value in row %d", ErrCalibration, j, i+1)
			}
			gap -= s.weights[i] * v
			size += s.weights[i] * math.Abs(v)
		}
		coefficients, length, independent := basis.add(x)
		for k, b := range coefficients {
			gap -= b * missed[k]
		}
		if independent {
			missed = append(missed, gap/length)
		} else if math.Abs(gap) > dependent*size {
			return nil, fmt.Errorf("%w: the total of auxiliary %d contradicts the others", ErrCalibration, j)
		}
	}
	for k, q := range basis.vectors {
		for i := range after {
			after[i] += s.weights[i] * q[i] * missed[k]
		}
	}
	return s.calibrated(after, basis.residuals), nil
}

// Trim returns the sample with weights cut to [lower, upper] (-Inf and +Inf for no bound): weights
// outside go to the bound, and what they lose or gain is shared equally among the rows that were
// inside, so that Σw stays. strict repeats until nothing is outside. The trimmed weights count as
// fixed: the variance forgets earlier calibrations. Errors wrap ErrCalibration: bounds that no weights
// with this sum can meet.
func (s *Sample) Trim(lower, upper float64, strict bool) (*Sample, error) {
	weights := append([]float64(nil), s.weights...)
	fixed := make([]bool, len(weights))
	for {
		excess, inside, outside := 0.0, 0, 0
		for i, w := range weights {
			cut := math.Min(math.Max(w, lower), upper)
			if cut != w {
				outside++
				fixed[i] = true
				excess += w - cut
				weights[i] = cut
			}
			if !fixed[i] {
				inside++
			}
		}
		if outside == 0 {
			break
		}
		if inside == 0 {
			return nil, fmt.Errorf("%w: no weights with this sum lie within [%v, %v]", ErrCalibration, lower, upper)
		}
		for i := range weights {
			if !fixed[i] {
				weights[i] += excess / float64(inside)
			}
		}
		if !strict {
			break
		}
	}
	return &Sample{design: s.design, weights: weights}, nil
}
