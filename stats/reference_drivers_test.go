package stats

import "math"

func (c *refCase) columns(names []string) ([][]float64, error) {
	var columns [][]float64
	for _, name := range names {
		y, err := c.table.numbers(name)
		if err != nil {
			return nil, err
		}
		columns = append(columns, y)
	}
	return columns, nil
}

func refAlpha(c *refCase) (any, error) {
	var opt struct{ Items []string }
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	items, err := c.columns(opt.Items)
	if err != nil {
		return nil, err
	}
	ones := make([]float64, c.table.rows)
	for i := range ones {
		ones[i] = 1
	}
	o := object{"k": len(items)}
	for key, s := range map[string]*Sample{"weighted": s, "unweighted": {design: s.design, weights: ones}} {
		scale, err := s.Reliability(items, domain)
		if err != nil {
			return nil, err
		}
		o["n_complete"], o[key] = scale.N, refScale(scale)
	}
	return o, nil
}

func refScale(scale Scale) object {
	var means, sds []float64
	var rest, deleted []any
	for _, item := range scale.ItemStats {
		means, sds = append(means, item.Mean), append(sds, item.SD)
		rest = append(rest, orNil(item.RestCorrelation))
		deleted = append(deleted, orNil(item.AlphaIfDeleted))
	}
	o := object{
		"alpha": scale.Alpha.Value, "standardised_alpha": orNil(scale.StdAlpha),
		"item_mean": means, "item_sd": sds, "item_rest_correlation": rest, "alpha_if_deleted": deleted,
	}
	if len(scale.ItemStats) == 2 {
		o["alpha_if_deleted"] = nil
	}
	return o
}

func orNil(v *float64) any {
	if v == nil {
		return nil
	}
	return *v
}

func refKeyDrivers(c *refCase) (any, error) {
	var opt struct {
		Outcome    string
		Predictors []struct {
			Name  string
			Items []string
		}
	}
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	outcome, err := c.table.numbers(opt.Outcome)
	if err != nil {
		return nil, err
	}
	names := []string{"intercept"}
	var predictors [][]float64
	for _, predictor := range opt.Predictors {
		items, err := c.columns(predictor.Items)
		if err != nil {
			return nil, err
		}
		names, predictors = append(names, predictor.Name), append(predictors, MeanOfAnswered(items))
	}
	d, err := s.KeyDrivers(outcome, predictors, domain)
	if err != nil {
		return nil, err
	}
	var coefficients []object
	for k, st := range d.Coefficients {
		se, err := s.StandardError(st)
		if err != nil {
			return nil, err
		}
		t := st.Value / se
		coefficients = append(coefficients, object{
			"name": names[k], "estimate": st.Value, "se": se, "t": t, "p_value": 2 * TUpperTail(math.Abs(t), d.DF),
		})
	}
	return object{
		"n": d.N, "df": d.DF, "r_squared": d.RSquared.Value, "coefficients": coefficients, "standardised": d.Standardised,
		"correlation_with_outcome": d.OutcomeCorrelations, "predictor_correlation": d.PredictorCorrelations,
		"shapley_lmg": values(d.Importance), "johnson_relative_weights": values(d.RelativeWeights),
	}, nil
}

func refImportancePerformance(c *refCase) (any, error) {
	var opt struct {
		Outcome              string
		Items                []string
		PerformanceThreshold *float64 `json:"performance_threshold"`
		ImportanceThreshold  *float64 `json:"importance_threshold"`
	}
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	outcome, err := c.table.numbers(opt.Outcome)
	if err != nil {
		return nil, err
	}
	var items []RatedItem
	for _, name := range opt.Items {
		levels, err := c.table.numbers(name)
		if err != nil {
			return nil, err
		}
		satisfied, err := variable{Col: name, Op: "ge", Value: 4.0}.column(c.table)
		if err != nil {
			return nil, err
		}
		items = append(items, RatedItem{levels, satisfied})
	}
	m := s.ImportancePerformance(outcome, items, opt.PerformanceThreshold, opt.ImportanceThreshold, domain)
	var rows []object
	for j, item := range m.Items {
		rows = append(rows, object{
			"item": opt.Items[j], "n": item.N, "performance": item.Performance.Value, "importance": item.Importance.Value,
			"quadrant": string(item.Quadrant),
		})
	}
	return object{"performance_threshold": m.PerformanceThreshold, "importance_threshold": m.ImportanceThreshold, "rows": rows}, nil
}
