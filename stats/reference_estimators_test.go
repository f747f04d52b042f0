package stats

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// refOptions are the options that estimators of one variable have.
type refOptions struct {
	Level, Target float64
}

// refSetup is what nearly every estimator starts with.
func (c *refCase) setup(options any) (*Sample, []bool, error) {
	if err := c.options(options); err != nil {
		return nil, nil, err
	}
	s, err := c.sample()
	if err != nil {
		return nil, nil, err
	}
	domain, err := c.domain()
	return s, domain, err
}

// eachVariable computes an object of objects by the name of the variable.
func (c *refCase) eachVariable(compute func(v variable, y []float64) (object, error)) (any, error) {
	result := object{}
	for _, v := range c.Variables {
		y, err := v.column(c.table)
		if err != nil {
			return nil, err
		}
		if result[v.name()], err = compute(v, y); err != nil {
			return nil, fmt.Errorf("%s: %w", v.name(), err)
		}
	}
	return result, nil
}

// described is what estimates have in common.
func described(st Statistic, se float64) object {
	return object{"n": st.N, "sum_w": st.SumWeights, "estimate": st.Value, "se": se, "df": st.DF}
}

func (o object) addTInterval(st Statistic, se, level float64) {
	iv := TInterval(st.Value, se, st.DF, level)
	o["ci_low"], o["ci_high"] = iv.Low, iv.High
}

func refProportion(c *refCase) (any, error) {
	opt := refOptions{Level: 0.95, Target: 0.8}
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	return c.eachVariable(func(v variable, y []float64) (object, error) {
		st := s.Mean(y, domain)
		se, err := s.StandardError(st)
		if err != nil {
			return nil, err
		}
		nEff := EffectiveN(st.Value, se, st.N)
		o := described(st, se)
		o["cv"] = CoefficientOfVariation(st.Value, se)
		o["cv_complement"] = CoefficientOfVariation(1-st.Value, se)
		o["deff_wor"], o["deff_wr"] = s.DesignEffects(y, domain, se)
		o["n_eff"] = nEff
		var intervals []object
		for _, level := range c.levels(v.name()) {
			intervals = append(intervals, refIntervals(st, se, nEff, level))
		}
		o["ci"] = intervals
		test := object{
			"target":               opt.Target,
			"verdict_two_sided_95": refVerdicts(refIntervals(st, se, nEff, 0.95), opt.Target),
			"verdict_one_sided_95": refVerdicts(refIntervals(st, se, nEff, 0.90), opt.Target),
		}
		if r, ok := TargetTestOf(st.Value, se, st.DF, nEff, opt.Target); ok {
			test["t"], test["df"] = r.T, r.DF
			test["p_greater"], test["p_less"], test["p_two_sided"] = r.PGreater, r.PLess, r.PTwoSided
			test["z_score_test"], test["p_greater_score"], test["p_less_score"] = r.ScoreZ, r.ScorePGreater, r.ScorePLess
		}
		o["target_test"] = test
		return o, nil
	})
}

// levels are the levels of the intervals that the case lists for a variable.
func (c *refCase) levels(name string) []float64 {
	var levels []float64
	expected, _ := c.Expected.(map[string]any)
	ofVariable, _ := expected[name].(map[string]any)
	intervals, _ := ofVariable["ci"].([]any)
	for _, iv := range intervals {
		listed, _ := iv.(map[string]any)
		level, _ := listed["level"].(float64)
		levels = append(levels, level)
	}
	return levels
}

func refIntervals(st Statistic, se, nEff, level float64) object {
	nEffDF := EffectiveNDF(nEff, st.N, st.DF, level)
	truncated := math.Min(float64(st.N), nEffDF)
	logit, _ := LogitInterval(st.Value, se, st.DF, level)
	asin, _ := AsinInterval(st.Value, se, st.DF, level)
	return object{
		"level": level, "n_eff": nEff, "n_eff_df": nEffDF, "n_eff_df_trunc": truncated,
		"t_quantile": TQuantile(1-(1-level)/2, st.DF), "z_quantile": NormalQuantile(1 - (1-level)/2),
		"t": TInterval(st.Value, se, st.DF, level), "logit": logit, "asin": asin,
		"beta": BetaInterval(st.Value, nEffDF, level), "beta_trunc": BetaInterval(st.Value, truncated, level),
		"wilson": WilsonInterval(st.Value, nEffDF, level), "wilson_unadj": WilsonInterval(st.Value, nEff, level),
		"agresti_coull": AgrestiCoullInterval(st.Value, nEffDF, level),
	}
}

// refVerdicts judges a target by four of the intervals, with the reference's rule for a limit on the
// target (the service's is another: VerdictOf). A unanimous group has no t verdict there.
func refVerdicts(intervals object, target float64) object {
	o := object{}
	for _, method := range []string{"t", "logit", "wilson", "beta"} {
		iv := intervals[method].(Interval)
		verdict := VerdictOf(iv, target)
		switch {
		case verdict == TooFew || method == "t" && iv.Width() == 0:
			continue
		case verdict == Met && iv.Low == target:
			verdict = Undecided
		}
		o[method] = string(verdict)
	}
	return o
}

func refMean(c *refCase) (any, error) {
	opt := refOptions{Level: 0.95}
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	return c.eachVariable(func(_ variable, y []float64) (object, error) {
		st := s.Mean(y, domain)
		se, err := s.StandardError(st)
		if err != nil {
			return nil, err
		}
		o := described(st, se)
		o.addTInterval(st, se, opt.Level)
		o["cv"] = CoefficientOfVariation(st.Value, se)
		o["variance_element"] = s.ElementVariance(y, domain)
		o["deff_wor"], o["deff_wr"] = s.DesignEffects(y, domain, se)
		return o, nil
	})
}

func refTotal(c *refCase) (any, error) {
	opt := refOptions{Level: 0.95}
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	return c.eachVariable(func(_ variable, y []float64) (object, error) {
		st := s.Total(y, domain)
		se, err := s.StandardError(st)
		if err != nil {
			return nil, err
		}
		o := described(st, se)
		o.addTInterval(st, se, opt.Level)
		return o, nil
	})
}

func refRatio(c *refCase) (any, error) {
	var opt struct {
		Level                  float64
		Numerator, Denominator variable
	}
	opt.Level = 0.95
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	a, err := opt.Numerator.column(c.table)
	if err != nil {
		return nil, err
	}
	b, err := opt.Denominator.column(c.table)
	if err != nil {
		return nil, err
	}
	st := s.Ratio(a, b, domain)
	se, err := s.StandardError(st)
	if err != nil {
		return nil, err
	}
	o := object{"n": st.N, "estimate": st.Value, "se": se, "df": st.DF}
	o.addTInterval(st, se, opt.Level)
	return o, nil
}

func refKish(c *refCase) (any, error) {
	s, domain, err := c.setup(&struct{}{})
	if err != nil {
		return nil, err
	}
	k := s.WeightSummary(domain)
	return object{
		"n": k.N, "sum_w": k.Sum, "sum_w2": k.SumSquares,
		"deff_kish": k.DesignEffect(), "n_eff_kish": k.EffectiveN(), "cv_w": k.CV(),
	}, nil
}

func refIndex(c *refCase) (any, error) {
	var opt struct {
		Level   float64
		Factors []struct {
			Name   string
			Weight float64
			Items  []string
		}
		Combine Combine
		Score   *struct {
			Type  string
			Value float64
		}
	}
	opt.Level = 0.95
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	if opt.Combine != MeanOfItems && opt.Combine != Pooled {
		return nil, fmt.Errorf("unknown combine %q", opt.Combine)
	}
	score := variable{Op: "ge", Value: 4.0}
	switch {
	case opt.Score == nil:
	case opt.Score.Type == "mean":
		score = variable{}
	case (opt.Score.Type == "top2" || opt.Score.Type == "ge") && opt.Score.Value != 0:
		score.Value = opt.Score.Value
	case opt.Score.Type == "top2":
	default:
		return nil, fmt.Errorf("unknown score %q", opt.Score.Type)
	}
	factors := make([]Factor, len(opt.Factors))
	for f, factor := range opt.Factors {
		factors[f].Weight = factor.Weight
		for _, item := range factor.Items {
			y, err := variable{Col: item, Op: score.Op, Value: score.Value}.column(c.table)
			if err != nil {
				return nil, err
			}
			factors[f].Items = append(factors[f].Items, y)
		}
	}
	e := s.Index(factors, opt.Combine, domain)
	var items, byFactor []object
	for f, factor := range opt.Factors {
		for j, item := range factor.Items {
			se, err := s.StandardError(e.Items[f][j])
			if err != nil {
				return nil, err
			}
			items = append(items, object{"item": item, "n": e.Items[f][j].N, "estimate": e.Items[f][j].Value, "se": se})
		}
		o, err := refComposed(s, e.Factors[f], opt.Level)
		if err != nil {
			return nil, err
		}
		o["name"] = factor.Name
		byFactor = append(byFactor, o)
	}
	cov, err := s.Covariance(e.Factors...)
	if err != nil {
		return nil, err
	}
	index, err := refComposed(s, e.Index, opt.Level)
	if err != nil {
		return nil, err
	}
	index["ci_logit"] = noInterval
	if score.Op != "" {
		iv, ok := LogitInterval(e.Index.Value, index["se"].(float64), e.Index.DF, opt.Level)
		if !ok { // unanimous
			iv, _, _ = CompositeInterval(e.Index.Value, index["se"].(float64), e.Index.N, e.Index.DF, opt.Level)
		}
		index["ci_logit"] = iv
	}
	return object{
		"n": e.Index.N, "df": e.Index.DF, "items": items, "factors": byFactor,
		"factor_covariance": rowsOf(cov), "index": index,
	}, nil
}

func refComposed(s *Sample, st Statistic, level float64) (object, error) {
	se, err := s.StandardError(st)
	o := object{"estimate": st.Value, "se": se}
	o.addTInterval(st, se, level)
	return o, err
}

// rowsOf is a matrix as JSON has it; a matrix of one number is that number.
func rowsOf(m [][]float64) any {
	if len(m) == 1 {
		return m[0][0]
	}
	return m
}

func refComposite(c *refCase) (any, error) {
	var opt struct {
		Level  float64
		By     string
		Shares map[string]float64
	}
	opt.Level = 0.95
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	y, err := c.onlyVariable()
	if err != nil {
		return nil, err
	}
	var shares []float64
	var means []Statistic
	for label, share := range opt.Shares {
		group, err := c.domainOf(domain, opt.By, label)
		if err != nil {
			return nil, err
		}
		shares, means = append(shares, share), append(means, s.Mean(y, group))
	}
	st := s.Combine(shares, means...)
	o, err := refComposed(s, st, opt.Level)
	if err != nil {
		return nil, err
	}
	o["n"], o["df"] = st.N, st.DF
	return o, nil
}

func (c *refCase) onlyVariable() ([]float64, error) {
	if len(c.Variables) != 1 {
		return nil, fmt.Errorf("%d variables, want 1", len(c.Variables))
	}
	return c.Variables[0].column(c.table)
}

// domainOf is the part of a domain with a label in a column.
func (c *refCase) domainOf(domain []bool, column, label string) ([]bool, error) {
	class, labels, err := c.table.levels(false, column)
	if err != nil {
		return nil, err
	}
	k := slices.Index(labels, label)
	if k < 0 {
		return nil, fmt.Errorf("nobody has %s = %q", column, label)
	}
	return partOf(domain, class, k), nil
}

func partOf(domain []bool, class []int, k int) []bool {
	part := make([]bool, len(domain))
	for i := range part {
		part[i] = domain[i] && class[i] == k
	}
	return part
}

func refDomainTable(c *refCase) (any, error) {
	var opt struct {
		Level float64
		By    []string
		Score bool
	}
	opt.Level = 0.95
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	y, err := c.onlyVariable()
	if err != nil {
		return nil, err
	}
	class, labels, err := c.table.levels(false, opt.By...)
	if err != nil {
		return nil, err
	}
	var rows []object
	var order []string
	var means []Statistic
	for k, label := range labels {
		st := s.Mean(y, partOf(domain, class, k))
		if st.N == 0 {
			continue
		}
		se, err := s.StandardError(st)
		if err != nil {
			return nil, err
		}
		logit := noInterval
		if !opt.Score {
			logit, _ = LogitInterval(st.Value, se, st.DF, opt.Level)
		}
		rows = append(rows, object{
			"group": label, "n": st.N, "estimate": st.Value, "se": se, "df": st.DF,
			"ci_t": TInterval(st.Value, se, st.DF, opt.Level), "ci_logit": logit,
		})
		order, means = append(order, label), append(means, st)
	}
	cov, err := s.Covariance(means...)
	if err != nil {
		return nil, err
	}
	return object{"rows": rows, "covariance": rowsOf(cov), "order": order}, nil
}

func refCompareDomains(c *refCase) (any, error) {
	var opt struct {
		Level float64
		By    string
		A, B  any
	}
	opt.Level = 0.95
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	y, err := c.onlyVariable()
	if err != nil {
		return nil, err
	}
	var means []Statistic
	for _, label := range []any{opt.A, opt.B} {
		group, err := c.domainOf(domain, opt.By, fmt.Sprint(label))
		if err != nil {
			return nil, err
		}
		means = append(means, s.Mean(y, group))
	}
	difference := s.Combine([]float64{-1, 1}, means...)
	cov, err := s.Covariance(append(means, difference)...)
	if err != nil {
		return nil, err
	}
	se := math.Sqrt(cov[2][2])
	t := difference.Value / se
	o := object{
		"estimate_a": means[0].Value, "estimate_b": means[1].Value,
		"se_a": math.Sqrt(cov[0][0]), "se_b": math.Sqrt(cov[1][1]), "covariance": cov[0][1],
		"difference": difference.Value, "se": se, "t": t, "df": difference.DF,
		"p_two_sided": 2 * TUpperTail(math.Abs(t), difference.DF), "p_b_greater": TUpperTail(t, difference.DF),
		"r_svyttest":    object{"df": difference.DF - 1, "p_two_sided": 2 * TUpperTail(math.Abs(t), difference.DF-1)},
		"z_p_two_sided": 2 * NormalUpperTail(math.Abs(t)),
	}
	o.addTInterval(difference, se, opt.Level)
	return o, nil
}

func refLonely(c *refCase) (any, error) {
	if err := c.options(&struct{}{}); err != nil {
		return nil, err
	}
	domain, err := c.domain()
	if err != nil {
		return nil, err
	}
	result := object{}
	for _, rule := range []LonelyPSU{LonelyCertainty, LonelyRemove, LonelyAdjust, LonelyAverage, LonelyFail} {
		s, err := c.uncalibrated(rule)
		if err != nil {
			return nil, err
		}
		byVariable, err := c.eachVariable(func(_ variable, y []float64) (object, error) {
			st := s.Mean(y, domain)
			se, err := s.StandardError(st)
			return object{"estimate": st.Value, "se": se, "df": st.DF}, err
		})
		switch {
		case rule == LonelyFail && errors.Is(err, ErrLonelyPSU):
			result["fail"] = "error"
		case err != nil:
			return nil, err
		default:
			result[string(rule)] = byVariable
		}
	}
	return result, nil
}

func refCalibrated(c *refCase) (any, error) {
	opt := refOptions{Level: 0.95}
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	k, w := s.WeightSummary(nil), s.Weights()
	result := object{"weights": object{
		"sum": k.Sum, "min": slices.Min(w), "max": slices.Max(w), "sum_squares": k.SumSquares, "kish_deff": k.DesignEffect(),
		"first_rows": w[:min(5, len(w))], "last_rows": w[max(0, len(w)-3):],
	}}
	totals := object{}
	if result["estimates"], err = c.eachVariable(func(v variable, y []float64) (object, error) {
		mean, total := s.Mean(y, domain), s.Total(y, domain)
		cov, err := s.Covariance(mean, total)
		if err != nil {
			return nil, err
		}
		se := math.Sqrt(cov[0][0])
		totals[v.name()] = object{"estimate": total.Value, "se": math.Sqrt(cov[1][1])}
		o := described(mean, se)
		o.addTInterval(mean, se, opt.Level)
		o["cv"] = CoefficientOfVariation(mean.Value, se)
		if v.isShare() {
			o["ci_logit"], _ = LogitInterval(mean.Value, se, mean.DF, opt.Level)
		}
		return o, nil
	}); err != nil {
		return nil, err
	}
	result["totals"] = totals
	return result, nil
}

func refSampleSize(c *refCase) (any, error) {
	var opt struct {
		Grid []struct {
			N                 *float64
			E, P, Level, Deff float64
			ResponseRate      float64 `json:"response_rate"`
		}
	}
	if err := c.options(&opt); err != nil {
		return nil, err
	}
	var sizes []object
	for _, g := range opt.Grid {
		population := math.Inf(1)
		if g.N != nil {
			population = *g.N
		}
		plan := SamplePlan{population, g.E, g.P, g.Level, g.Deff, g.ResponseRate}
		size, err := plan.Size()
		if err != nil {
			return nil, err
		}
		slovin := SlovinSize(population, g.E)
		sizes = append(sizes, object{
			"z": size.Z, "n0": size.Infinite, "n_cochran_fpc": size.Finite, "n_cochran_fpc_simple": size.FiniteSimple,
			"n_with_deff": size.Answers, "n_to_invite": size.Invite,
			"slovin": slovin, "slovin_ceiling": math.Ceil(slovin),
			"margin_with_that_slovin_n": plan.MarginWith(slovin),
		})
	}
	return sizes, nil
}

func refAllocation(c *refCase) (any, error) {
	var opt struct {
		N          float64
		Sizes      []float64 `json:"N_h"`
		Deviations []float64 `json:"S_h"`
	}
	if err := c.options(&opt); err != nil {
		return nil, err
	}
	proportional := AllocateProportionally(opt.N, opt.Sizes)
	neyman := AllocateNeyman(opt.N, opt.Sizes, opt.Deviations)
	return object{
		"proportional": proportional, "proportional_rounded": RoundAllocation(proportional),
		"neyman": neyman, "neyman_rounded": RoundAllocation(neyman),
	}, nil
}

func refReliability(c *refCase) (any, error) {
	opt := struct {
		By      []string
		K       int
		MinN    float64 `json:"min_n"`
		CVLimit float64 `json:"cv_limit"`
	}{K: 5, MinN: 30, CVLimit: 0.3}
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	y, err := c.onlyVariable()
	if err != nil {
		return nil, err
	}
	class, labels, err := c.table.levels(false, opt.By...)
	if err != nil {
		return nil, err
	}
	var rows []object
	for k, label := range labels {
		st := s.Mean(y, partOf(domain, class, k))
		if st.N == 0 {
			continue
		}
		se, err := s.StandardError(st)
		if err != nil {
			return nil, err
		}
		r := ReliabilityOf(st.Value, se, st.N, st.DF, opt.MinN)
		cv := CoefficientOfVariation(st.Value, se)
		var cvFlag any // not defined without a coefficient of variation
		if !math.IsNaN(cv) {
			cvFlag = cv > opt.CVLimit
		}
		rows = append(rows, object{
			"group": label, "n": st.N, "psus": st.PSUs, "estimate": st.Value, "se": se, "df": st.DF,
			"cv": cv, "cv_complement": CoefficientOfVariation(1-st.Value, se),
			"n_eff_df_trunc": r.EffectiveN, "kg_ci": r.Interval, "kg_width": r.Interval.Width(), "kg_relative_width": r.RelativeWidth,
			"cv_flag": cvFlag, "k_anonymous": st.N >= opt.K, "nchs": string(r.Presentation), "nchs_review": r.Review,
		})
	}
	return rows, nil
}
