package stats

import (
	"encoding/json"
	"math"
	"strconv"
)

// classes are a classification of rows: the name of a column, or a condition with the labels 0 and 1.
type classes struct{ variable }

func (c *classes) UnmarshalJSON(content []byte) error {
	if content[0] == '"' {
		return json.Unmarshal(content, &c.Col)
	}
	return decodeStrictly(content, &c.variable)
}

func (c classes) of(t *table) (class []int, labels []string, err error) {
	if c.Op == "" {
		return t.levels(false, c.Col)
	}
	y, err := c.column(t)
	if err != nil {
		return nil, nil, err
	}
	cells := make([]string, len(y))
	for i, v := range y {
		if !math.IsNaN(v) {
			cells[i] = strconv.Itoa(int(v))
		}
	}
	class, labels = Levels(cells)
	return class, labels, nil
}

func labelsOf(codes []int, labels []string) []string {
	named := make([]string, len(codes))
	for k, code := range codes {
		named[k] = labels[code]
	}
	return named
}

func refChiSquared(c *refCase) (any, error) {
	var opt struct{ Rows, Cols classes }
	s, domain, err := c.setup(&opt)
	if err != nil {
		return nil, err
	}
	row, rowLabels, err := opt.Rows.of(c.table)
	if err != nil {
		return nil, err
	}
	column, columnLabels, err := opt.Cols.of(c.table)
	if err != nil {
		return nil, err
	}
	a, err := s.Associate(row, column, domain)
	if err != nil {
		return nil, err
	}
	return object{
		"n": a.N, "row_levels": labelsOf(a.Rows, rowLabels), "col_levels": labelsOf(a.Columns, columnLabels), "proportions": a.Proportions,
		"pearson_x2": a.PearsonX2, "delta_trace": a.DeltaTrace, "mean_generalised_deff": a.MeanDesignEffect(),
		"rao_scott_f":           refFTest(&a.RaoScott),
		"rao_scott_first_order": object{"statistic": a.FirstOrder.ChiSquared, "df": a.FirstOrder.DF, "p_value": a.FirstOrder.P},
		"wald":                  refFTest(a.Wald), "adjusted_wald": refFTest(a.AdjustedWald),
	}, nil
}

func refFTest(t *FTest) any {
	if t == nil {
		return nil
	}
	return object{"statistic": t.F, "ndf": t.DF1, "ddf": t.DF2, "p_value": t.P}
}

// byOption is the grouping and the only variable of a case.
func (c *refCase) byOption() (s *Sample, y []float64, group []int, labels []string, domain []bool, err error) {
	var opt struct{ By string }
	if s, domain, err = c.setup(&opt); err != nil {
		return
	}
	if y, err = c.onlyVariable(); err != nil {
		return
	}
	group, labels, err = c.table.levels(false, opt.By)
	return
}

func values(statistics []Statistic) []float64 {
	list := make([]float64, len(statistics))
	for k, st := range statistics {
		list[k] = st.Value
	}
	return list
}

func refMeansWald(c *refCase) (any, error) {
	s, y, group, labels, domain, err := c.byOption()
	if err != nil {
		return nil, err
	}
	t, err := s.CompareMeans(y, group, domain)
	if err != nil {
		return nil, err
	}
	return object{
		"groups": labelsOf(t.Groups, labels), "estimates": values(t.Means),
		"wald_chisq": t.Wald, "f": t.Test.F, "ndf": t.Test.DF1, "ddf": t.Test.DF2, "p_value": t.Test.P,
	}, nil
}

func refRankTest(c *refCase) (any, error) {
	s, y, group, labels, domain, err := c.byOption()
	if err != nil {
		return nil, err
	}
	t, err := s.CompareRanks(y, group, domain)
	if err != nil {
		return nil, err
	}
	o := object{"groups": labelsOf(t.Groups, labels), "mean_rank_score": values(t.Means), "p_value": t.Test.P}
	if len(t.Groups) == 2 {
		o["difference_mean_rank_score"], o["se"], o["t"], o["df"] = t.Difference, t.SE, t.T, t.Test.DF2
	} else {
		o["chisq"], o["f"], o["ndf"], o["ddf"] = t.Wald, t.Test.F, t.Test.DF1, t.Test.DF2
	}
	return o, nil
}
