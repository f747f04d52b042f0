package stats

import (
	"math"
	"strconv"
)

// series are columns of the rows of the case's domain.
func (c *refCase) series(names ...string) ([][]float64, error) {
	if err := c.options(&struct{}{}); err != nil {
		return nil, err
	}
	domain, err := c.domain()
	if err != nil {
		return nil, err
	}
	columns, err := c.columns(names)
	if err != nil {
		return nil, err
	}
	inside := make([][]float64, len(columns))
	for j, y := range columns {
		for i, v := range y {
			if domain[i] {
				inside[j] = append(inside[j], v)
			}
		}
	}
	return inside, nil
}

func refMannKendall(c *refCase) (any, error) {
	columns, err := c.series("year", "index")
	if err != nil {
		return nil, err
	}
	m, err := MannKendall(columns[0], columns[1])
	if err != nil {
		return nil, err
	}
	return object{
		"n": m.N, "s": m.S, "var_s": m.VarianceS, "z": m.Z, "p_two_sided": m.P, "tau_b": m.TauB, "ties": m.Ties,
		"p_exact": orNil(m.PExact), "sen_slope": m.Slope, "sen_intercept_conover": m.Intercept,
	}, nil
}

func refShareTrend(c *refCase) (any, error) {
	columns, err := c.series("satisfied", "n", "year")
	if err != nil {
		return nil, err
	}
	test, err := ShareTrend(columns[0], columns[1], columns[2])
	if err != nil {
		return nil, err
	}
	return object{"chisq": test.ChiSquared, "df": test.DF, "p_value": test.P}, nil
}

func refTrendContrast(c *refCase) (any, error) {
	opt := struct{ Level float64 }{0.95}
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	y, err := c.onlyVariable()
	if err != nil {
		return nil, err
	}
	class, labels, err := c.table.levels(false, "year")
	if err != nil {
		return nil, err
	}
	var years []float64
	var means []Statistic
	for k, label := range labels {
		st := s.Mean(y, partOf(domain, class, k))
		if st.N == 0 {
			continue
		}
		year, err := strconv.ParseFloat(label, 64)
		if err != nil {
			return nil, err
		}
		years, means = append(years, year), append(means, st)
	}
	slope, err := s.Slope(years, means...)
	if err != nil {
		return nil, err
	}
	cov, err := s.Covariance(append(means, slope)...)
	if err != nil {
		return nil, err
	}
	se := math.Sqrt(cov[len(means)][len(means)])
	covariance := make([][]float64, len(means))
	for k := range covariance {
		covariance[k] = cov[k][:len(means)]
	}
	o := object{
		"years": years, "estimates": values(means), "covariance": rowsOf(covariance), "slope_per_year": slope.Value, "se": se,
		"t": slope.Value / se, "df": slope.DF, "p_two_sided": 2 * TUpperTail(math.Abs(slope.Value)/se, slope.DF),
	}
	o.addTInterval(slope, se, opt.Level)
	return o, nil
}
