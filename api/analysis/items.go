package analysis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"

	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// ItemsQuery asks what lies behind the index.
type ItemsQuery struct {
	// Outcome is the item whose satisfaction is to be explained; "" is the mean
	// of a person's answers.
	Outcome string
	query   Query
}

// ParseItems reads the parameters: outcome, and those of [ParseQuery] but by and
// method. The error is a [*survey.Error].
func ParseItems(c *survey.Catalogue, round string, params map[string]string) (ItemsQuery, error) {
	x := ItemsQuery{Outcome: params["outcome"]}
	rest := maps.Clone(params)
	delete(rest, "outcome")
	for _, name := range []string{"by", "method"} {
		if rest[name] != "" {
			return x, refuse(name, survey.CodeInvalid, "unknown parameter")
		}
	}
	var err error
	if x.query, err = ParseQuery(c, round, rest); err != nil {
		return x, err
	}
	r := c.Rounds[round]
	if _, ok := c.Measured(r).ItemIndex(x.Outcome); !ok && x.Outcome != "" {
		return x, refuse("outcome", survey.CodeItemUnknown, "")
	}
	return x, nil
}

// maxItemRows bounds the answers that are looked at one by one: about 2 KB each
// while it lasts, one question at a time.
const maxItemRows = 100_000

// Items answers a question about items, like [Analysis.Report] a query. More
// than 100,000 answers in the units concerned are refused with the code
// too_many_answers.
func (a *Analysis) Items(ctx context.Context, x ItemsQuery) (*stats.Understanding, error) {
	key := fmt.Sprintf("items%q", []string{x.Outcome, x.query.key()})
	return answer(ctx, a, key, []string{x.query.Round}, func(snaps []snapshot, today survey.Date) (*stats.Understanding, error) {
		a.oneByOne.Lock()
		defer a.oneByOne.Unlock()
		return a.understand(snaps[0], x, today)
	})
}

func (a *Analysis) understand(snap snapshot, x ItemsQuery, today survey.Date) (*stats.Understanding, error) {
	y := newQuestion(snap, x.query)
	result, err := stats.Compute(&y.plan, snap.blocks...)
	if err != nil {
		return nil, fmt.Errorf("compute the weights: %w", err)
	}
	w := &writer{question: y, result: result, interim: snap.round.Interim(today.Start())}
	u := &stats.Understanding{
		Round: w.header(), Filter: w.filter(), Basis: w.basis(), Interim: w.interim, Weighting: w.weighting().Kind, Level: level * 100,
		Software: a.version, Outcome: x.Outcome, Notices: commonNotices(w.header(), w.basis(), w.interim),
	}
	if t, err := store.ParseHour(w.lastHour); err == nil {
		u.CutOff = &t
	}
	b := &itemwise{writer: w, out: u}
	b.AnswerSample, err = stats.AnswerSampleOf(&y.plan, !w.unweighted(), maxItemRows, snap.blocks...)
	switch {
	case errors.Is(err, stats.ErrTooManyRows):
		return nil, refuse("unit", survey.CodeTooManyAnswers, fmt.Sprintf("at most %d", maxItemRows))
	case err != nil && reasonOf(err) == "":
		return nil, fmt.Errorf("read the answers: %w", err)
	case err != nil:
		b.nothing(reasonOf(err))
		return u, nil
	}
	for _, in := range b.Domain {
		if in {
			u.N++
		}
	}
	if err := b.fill(x.Outcome); err != nil {
		return nil, err
	}
	b.notices(x.Outcome)
	return u, nil
}

// reasonOf is why a figure cannot be given; "" where the error is a fault.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, stats.ErrUndefined):
		return "not_defined"
	case errors.Is(err, stats.ErrLonelyPSU):
		return stats.ReasonLonelyPSU
	case errors.Is(err, stats.ErrDrawCounts):
		return stats.ReasonDrawCounts
	}
	return ""
}

// itemwise computes what needs the answers one by one.
type itemwise struct {
	*writer
	*stats.AnswerSample
	out       *stats.Understanding
	satisfied [][]float64
}

// nothing fills in what has no figures, with the reason.
func (b *itemwise) nothing(reason string) {
	b.out.Scale.Reason, b.out.Drivers.Reason = reason, reason
	b.out.Drivers.Factors = []stats.DriverFigure{}
	b.out.Items, b.out.Factors = []stats.ItemInsight{}, []stats.FactorInsight{}
}

func (b *itemwise) fill(outcome string) error {
	for _, levels := range b.Levels {
		y := make([]float64, len(levels))
		for i, level := range levels {
			switch {
			case math.IsNaN(level):
				y[i] = level
			case level >= 4:
				y[i] = 1
			}
		}
		b.satisfied = append(b.satisfied, y)
	}
	var err error
	if b.out.Scale, _, err = b.scale(b.Levels); err != nil {
		return err
	}
	item := 0
	for f, factor := range b.instrument.Factors {
		items := b.plan.Factors[f]
		var columns [][]float64
		for _, k := range items {
			columns = append(columns, b.Levels[k])
		}
		figures, each, err := b.scale(columns)
		if err != nil {
			return err
		}
		b.out.Factors = append(b.out.Factors, stats.FactorInsight{ID: factor.ID, Title: factor.Title, Scale: figures})
		for i, it := range factor.Items {
			x, err := b.item(item)
			if err != nil {
				return err
			}
			x.ID, x.Text, x.Factor = it.ID, it.Text, factor.ID
			if each != nil {
				x.RestCorrelation, x.AlphaIfDeleted = rounded(each[i].RestCorrelation), rounded(each[i].AlphaIfDeleted)
			}
			b.out.Items = append(b.out.Items, x)
			item++
		}
	}
	target := stats.MeanOfAnswered(b.Levels)
	if k, ok := b.instrument.ItemIndex(outcome); ok {
		target = b.Levels[k]
	}
	if err := b.importance(target, outcome); err != nil {
		return err
	}
	return b.drivers(target, outcome)
}

// scale is Cronbach's α of some columns, with each item's part; a reason in its
// place is no error.
func (b *itemwise) scale(columns [][]float64) (stats.ScaleFigures, []stats.ItemStats, error) {
	if len(columns) < 2 {
		return stats.ScaleFigures{Reason: "one_item"}, nil, nil
	}
	s, err := b.Reliability(columns, b.Domain)
	if err != nil {
		if reason := reasonOf(err); reason != "" {
			return stats.ScaleFigures{Reason: reason}, nil, nil
		}
		return stats.ScaleFigures{}, nil, fmt.Errorf("reliability: %w", err)
	}
	alpha, err := b.measure(s.Alpha, s.Alpha.DF, 1)
	return stats.ScaleFigures{N: s.N, Alpha: alpha, Standardised: rounded(s.StdAlpha)}, s.ItemStats, err
}

// item is the distribution and the mean of one item.
func (b *itemwise) item(k int) (x stats.ItemInsight, err error) {
	mean := b.Mean(b.Levels[k], b.Domain)
	x.N = mean.N
	if x.Mean, err = b.measure(mean, mean.DF, 1); err != nil {
		return x, err
	}
	for l := range x.Levels {
		y := make([]float64, len(b.Levels[k]))
		for i, level := range b.Levels[k] {
			switch {
			case math.IsNaN(level):
				y[i] = level
			case level == float64(l+1):
				y[i] = 1
			}
		}
		if x.Levels[l], err = b.share(b.Mean(y, b.Domain)); err != nil {
			return x, err
		}
	}
	return x, nil
}

// measure writes a statistic with its interval, times scale.
func (b *itemwise) measure(s stats.Statistic, df, scale float64) (m stats.Measure, err error) {
	if math.IsNaN(s.Value) {
		return m, nil
	}
	m.Value = scaled(s.Value, scale)
	se, err := b.StandardError(s)
	switch {
	case err != nil && reasonOf(err) == "":
		return m, fmt.Errorf("standard error: %w", err)
	case err != nil || !(df > 0) || math.IsNaN(se):
		return m, nil
	}
	interval := stats.TInterval(s.Value, se, df, level)
	m.SE, m.Low, m.High = scaled(se, scale), scaled(interval.Low, scale), scaled(interval.High, scale)
	return m, nil
}

// share is a measure in percent, with the interval of shares.
func (b *itemwise) share(s stats.Statistic) (stats.Measure, error) {
	m, err := b.measure(s, s.DF, 100)
	if err != nil || m.SE == nil {
		return m, err
	}
	m.Low, m.High = nil, nil
	if interval, _, _, ok := stats.ShareInterval(s.Value, *m.SE/100, s.N, s.DF, level); ok {
		m.Low, m.High = scaled(interval.Low, 100), scaled(interval.High, 100)
	}
	return m, nil
}

func scaled(v, scale float64) *float64 {
	r := round10(v * scale)
	return &r
}

func rounded(v *float64) *float64 {
	if v == nil {
		return nil
	}
	return scaled(*v, 1)
}

// importance sets items by what they achieve and how they go along with the
// outcome. The outcome itself is on no map of its own.
func (b *itemwise) importance(target []float64, outcome string) error {
	var rated []stats.RatedItem
	var of []*stats.ItemInsight
	for k := range b.Levels {
		if b.out.Items[k].ID != outcome {
			rated = append(rated, stats.RatedItem{Levels: b.Levels[k], Satisfied: b.satisfied[k]})
			of = append(of, &b.out.Items[k])
		}
	}
	m := b.ImportancePerformance(target, rated, nil, nil, b.Domain)
	if !math.IsNaN(m.ImportanceThreshold) {
		b.out.PerformanceThreshold, b.out.ImportanceThreshold = scaled(m.PerformanceThreshold, 100), scaled(m.ImportanceThreshold, 1)
	}
	for i, x := range m.Items {
		var err error
		if of[i].Performance, err = b.share(x.Performance); err != nil {
			return err
		}
		if of[i].Importance, err = b.measure(x.Importance, x.Importance.DF, 1); err != nil {
			return err
		}
		if x.N < minVerdict {
			continue // too few to sort by
		}
		of[i].Quadrant, of[i].Sure = x.Quadrant, x.Quadrant != stats.NoQuadrant
		for _, gap := range []stats.Statistic{x.PerformanceGap, x.ImportanceGap} {
			d, err := b.measure(gap, gap.DF, 1)
			if err != nil {
				return err
			}
			of[i].Sure = of[i].Sure && d.SE != nil && (*d.Low > 0 || *d.High < 0)
		}
	}
	return nil
}

// drivers divides what explains the outcome among the factors. A factor that is
// nothing but the outcome explains itself and is left out.
func (b *itemwise) drivers(target []float64, outcome string) error {
	out := &b.out.Drivers
	out.Factors = []stats.DriverFigure{}
	var predictors [][]float64
	for f, factor := range b.instrument.Factors {
		var columns [][]float64
		for i, k := range b.plan.Factors[f] {
			if factor.Items[i].ID != outcome {
				columns = append(columns, b.Levels[k])
			}
		}
		if len(columns) > 0 {
			predictors = append(predictors, stats.MeanOfAnswered(columns))
			out.Factors = append(out.Factors, stats.DriverFigure{ID: factor.ID, Title: factor.Title})
		}
	}
	if len(predictors) == 0 || len(predictors) > maxDrivers {
		out.Reason = "not_defined"
		return nil
	}
	d, err := b.KeyDrivers(target, predictors, b.Domain)
	if err != nil {
		out.Reason = reasonOf(err)
		if out.Reason == "" {
			return fmt.Errorf("key drivers: %w", err)
		}
		return nil
	}
	out.N, out.DF = d.N, scaled(d.DF, 1)
	df := d.RSquared.DF
	if out.RSquared, err = b.measure(d.RSquared, df, 1); err != nil {
		return err
	}
	for j := range out.Factors {
		f := &out.Factors[j]
		f.Correlation = scaled(d.OutcomeCorrelations[j], 1)
		for _, part := range []struct {
			to *stats.Measure
			of stats.Statistic
			df float64
		}{{&f.Importance, d.Importance[j], df}, {&f.RelativeWeight, d.RelativeWeights[j], df}, {&f.Coefficient, d.Coefficients[j+1], d.DF}} {
			if *part.to, err = b.measure(part.of, part.df, 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxDrivers is how many predictors key drivers can have.
const maxDrivers = 15

// notices says what importance is not.
func (b *itemwise) notices(outcome string) {
	add := func(code, vi, en string) {
		b.out.Notices = append(b.out.Notices, stats.Notice{Code: code, Text: survey.Text{"vi": vi, "en": en}})
	}
	add("not_causal",
		"Mức độ quan trọng đo sự đi cùng nhau của các câu trả lời trong cùng một phiếu, không phải quan hệ nhân quả: cải thiện tiêu chí đó chưa chắc làm chỉ số tăng tương ứng.",
		"Importance says how answers of one form go together; it is no effect: improving the criterion need not move the index as much.")
	if outcome == "" {
		add("part_of_whole",
			"Điểm chung là trung bình mọi câu trả lời của một người, nên mỗi tiêu chí là một phần của nó và các yếu tố giải thích gần hết; hãy đọc thứ tự và tỷ lệ, không đọc độ lớn của R².",
			"The outcome is the mean of all of a person's answers, so that every criterion is a part of it and the factors explain nearly all: read the order and the shares, not the size of R².")
	}
	if 2*b.out.Scale.N < b.out.N {
		add("few_complete",
			"Chưa đến một nửa số phiếu trả lời đủ mọi tiêu chí: hệ số alpha chung chỉ nói về những phiếu đó.",
			"Fewer than half of the forms answer every criterion: the overall alpha speaks of those alone.")
	}
}
