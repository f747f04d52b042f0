package stats

import (
	"fmt"
	"math"
)

// slopeCoefficients are those that make of values their least-squares slope: (t−t̄)/Σ(t−t̄)². Errors: times that are
// not numbers; ErrUndefined for fewer than two different times.
func slopeCoefficients(times []float64) ([]float64, error) {
	mean, squares := 0.0, 0.0
	for _, t := range times {
		mean += t / float64(len(times))
	}
	if math.IsNaN(mean) || math.IsInf(mean, 0) {
		return nil, fmt.Errorf("times %v", times)
	}
	coefficients := make([]float64, len(times))
	different := false
	for k, t := range times {
		different = different || t != times[0]
		coefficients[k] = t - mean
		squares += (t - mean) * (t - mean)
	}
	if !different || !(squares > 0) {
		return nil, undefined("a slope over %d points of one time", len(times))
	}
	for k := range coefficients {
		coefficients[k] /= squares
	}
	return coefficients, nil
}

// Slope returns the least-squares slope of estimates over time, in units of the estimates per unit of time. Its error
// keeps their covariance: waves at the same desks share PSUs, and taking them for independent can double it or
// halve it. Every time counts alike, however large its sample. The estimates must be made by one method (SplitTrend). Errors: times of
// another number or not numbers; ErrUndefined for fewer than two different times or an estimate that is NaN.
func (s *Sample) Slope(times []float64, estimates ...Statistic) (Statistic, error) {
	if len(times) != len(estimates) {
		return Statistic{}, fmt.Errorf("%d times for %d estimates", len(times), len(estimates))
	}
	coefficients, err := slopeCoefficients(times)
	if err != nil {
		return Statistic{}, err
	}
	for k, st := range estimates {
		if math.IsNaN(st.Value) {
			return Statistic{}, undefined("no estimate at the time %v", times[k])
		}
	}
	return s.Combine(coefficients, estimates...), nil
}

// TrendMethod is how a figure was made. Figures of different methods have no common trend, whatever their names:
// another questionnaire, form, way of reaching people or weighting moves a figure by more than a year does.
type TrendMethod struct {
	Measure    string // what is estimated: the index by which way of combining, a factor, an item
	Instrument string
	Version    int
	Form       string
	Design     string
	Weighting  string
}

// TrendPoint is one figure of a series. Estimate is finite, in any unit; SE is NaN where there is no standard error; DF
// is that of SE, +Inf for normal intervals.
type TrendPoint struct {
	Time, Estimate, SE, DF float64
	Method                 TrendMethod
}

// TrendSlope is the least-squares slope of a run, in units of the estimates per unit of time.
type TrendSlope struct {
	Slope, SE, DF float64
	P             float64  // two-sided, of no change; with SE = 0 it is 1 for a slope of 0 and 0 for others
	Interval      Interval // slope ± t·SE
}

// Why a run has no slope.
const (
	SlopeOnePoint = "one_point"         // nothing to compare it with
	SlopeNoError  = "no_standard_error" // a point has none, or no degrees of freedom
)

// TrendRun is a longest part of a series by one method. No line may be drawn, and no difference taken, between runs.
type TrendRun struct {
	Method TrendMethod
	Points []int       // positions in the series as given, by time
	Slope  *TrendSlope // nil: Reason says why
	Reason string
}

// SplitTrend cuts a series wherever the method changes and fits a slope to each run. A method that comes back after
// another starts a new run: nobody knows what the break did. covariance is that of the estimates, in the order of the points; nil means
// independent samples. The degrees of freedom of a slope Σcy are Satterthwaite's, (Σc²v)²/Σ((c²v)²/df), for
// independent samples, else the least of the run. The error is that of sampling only: two points have no
// deviation from their line, and a slope is no forecast. Errors: a point that is not a number or has a negative
// SE, a time that occurs twice, covariances of another size or impossible, a level outside (0, 1).
func SplitTrend(points []TrendPoint, covariance [][]float64, level float64) ([]TrendRun, error) {
	if math.IsNaN(twoSided(level)) {
		return nil, fmt.Errorf("level %v", level)
	}
	times := make([]float64, len(points))
	for i, p := range points {
		if times[i] = p.Time; math.IsNaN(p.Time-p.Estimate) || math.IsInf(p.Time, 0) || math.IsInf(p.Estimate, 0) || p.SE < 0 || math.IsInf(p.SE, 1) {
			return nil, fmt.Errorf("point %d: estimate %v with standard error %v at the time %v", i, p.Estimate, p.SE, p.Time)
		}
		if covariance != nil && (len(covariance) != len(points) || len(covariance[i]) != len(points)) {
			return nil, fmt.Errorf("a matrix of covariances of another size than %d points", len(points))
		}
	}
	var runs []TrendRun
	order := inOrderOf(times)
	for k, i := range order {
		if k > 0 && times[i] == times[order[k-1]] {
			return nil, fmt.Errorf("two points at the time %v", times[i])
		}
		if k == 0 || points[i].Method != points[order[k-1]].Method {
			runs = append(runs, TrendRun{Method: points[i].Method})
		}
		last := &runs[len(runs)-1]
		last.Points = append(last.Points, i)
	}
	for r := range runs {
		if err := runs[r].fit(points, covariance, level); err != nil {
			return nil, err
		}
	}
	return runs, nil
}

func (r *TrendRun) fit(points []TrendPoint, covariance [][]float64, level float64) error {
	if len(r.Points) < 2 {
		r.Reason = SlopeOnePoint
		return nil
	}
	times := make([]float64, len(r.Points))
	for k, i := range r.Points {
		times[k] = points[i].Time
		if math.IsNaN(points[i].SE) || !(points[i].DF > 0) {
			r.Reason = SlopeNoError
			return nil
		}
	}
	coefficients, err := slopeCoefficients(times)
	if err != nil {
		return err
	}
	slope := TrendSlope{DF: math.Inf(1)}
	var own, shared, perDF float64
	for a, i := range r.Points {
		c := coefficients[a]
		v := c * c * points[i].SE * points[i].SE
		slope.Slope += c * points[i].Estimate
		own += v
		perDF += v * v / points[i].DF
		slope.DF = math.Min(slope.DF, points[i].DF)
		for b, j := range r.Points[:a] {
			if covariance != nil {
				shared += 2 * c * coefficients[b] * covariance[i][j]
			}
		}
	}
	variance := own + shared
	if math.IsNaN(variance) || variance < -1e-9*own {
		return fmt.Errorf("covariances of the points %v make a variance of %v", r.Points, variance)
	}
	if shared == 0 && own > 0 {
		slope.DF = own * own / perDF
	}
	slope.SE = math.Sqrt(math.Max(0, variance))
	slope.P = twoSidedP(slope.Slope, slope.SE, slope.DF)
	slope.Interval = TInterval(slope.Slope, slope.SE, slope.DF, level)
	r.Slope = &slope
	return nil
}
