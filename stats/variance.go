package stats

import "fmt"

// covarianceOfTotals returns the covariance matrix of the totals of the columns z (each weight ×
// linearised value, 0 outside the domain), by the usual formula for stratified multistage samples: in
// every stratum (1−n/N)·n/(n−1)·Σ(z_i−z̄)² over its PSUs, plus n/N times the same of every PSU over its
// units, and so on down (Särndal, Swensson & Wretman 1992, 4.3). active marks the rows that can
// contribute; a lonely stratum without any is not missed.
func (d *SamplingDesign) covarianceOfTotals(z [][]float64, active []bool) ([][]float64, error) {
	v := totalsVariance{z: z, active: active, lonely: d.lonely}
	first, later := v.matrix(), v.matrix()
	strata, lonely := 0, 0
	for _, st := range d.strata {
		if !v.isActive(st) {
			continue
		}
		strata++
		if st.isLonely() {
			lonely++
		}
		if err := v.add(first, st, 1); err != nil {
			return nil, err
		}
		if err := v.addWithin(later, st, 1); err != nil {
			return nil, err
		}
	}
	scale := 1.0
	if d.lonely == LonelyAverage && lonely > 0 {
		if lonely == strata {
			return nil, fmt.Errorf("%w: every stratum has one", ErrLonelyPSU)
		}
		scale = float64(strata) / float64(strata-lonely)
	}
	for a := range first {
		for b := range first {
			first[a][b] = scale*first[a][b] + later[a][b]
		}
	}
	return first, nil
}

// isLonely says whether one unit of several was sampled.
func (st *samplingStage) isLonely() bool { return len(st.units) == 1 && st.population > 1 }

// totalsVariance is one computation of a covariance matrix.
type totalsVariance struct {
	z      [][]float64
	active []bool
	lonely LonelyPSU
}

func (v *totalsVariance) matrix() [][]float64 {
	m := make([][]float64, len(v.z))
	for i := range m {
		m[i] = make([]float64, len(v.z))
	}
	return m
}

func (v *totalsVariance) isActive(st *samplingStage) bool {
	for _, u := range st.units {
		for _, i := range u.rows {
			if v.active[i] {
				return true
			}
		}
	}
	return false
}

// add adds the contribution of the units of one stage to cov, times factor.
func (v *totalsVariance) add(cov [][]float64, st *samplingStage, factor float64) error {
	n := float64(len(st.units))
	switch {
	case n == st.population:
		return nil
	case st.isLonely() && v.lonely == LonelyFail:
		return fmt.Errorf("%w: %s", ErrLonelyPSU, st.name)
	case st.isLonely() && v.lonely != LonelyAdjust:
		return nil
	}
	totals := make([][]float64, len(v.z))
	for a, z := range v.z {
		totals[a] = make([]float64, len(st.units))
		sum := 0.0
		for k, u := range st.units {
			for _, i := range u.rows {
				totals[a][k] += z[i]
			}
			sum += totals[a][k]
		}
		if !st.isLonely() { // a lonely one is centred at 0
			for k := range totals[a] {
				totals[a][k] -= sum / n
			}
		}
	}
	factor *= 1 - n/st.population
	if !st.isLonely() {
		factor *= n / (n - 1)
	}
	for a := range cov {
		for b := range a + 1 {
			sum := 0.0
			for k := range st.units {
				sum += totals[a][k] * totals[b][k]
			}
			cov[a][b] += factor * sum
			if a != b {
				cov[b][a] += factor * sum
			}
		}
	}
	return nil
}

// addWithin adds what the stages below the units of st contribute.
func (v *totalsVariance) addWithin(cov [][]float64, st *samplingStage, factor float64) error {
	factor *= float64(len(st.units)) / st.population
	for _, u := range st.units {
		if u.within == nil || !v.isActive(u.within) {
			continue
		}
		if err := v.add(cov, u.within, factor); err != nil {
			return err
		}
		if err := v.addWithin(cov, u.within, factor); err != nil {
			return err
		}
	}
	return nil
}
