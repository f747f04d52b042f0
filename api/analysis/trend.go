package analysis

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"sipas/stats"
	"sipas/survey"
)

// TrendQuery asks for the index over rounds.
type TrendQuery struct{ queries []Query }

// maxTrend is how many rounds a trend has at most: a year of months in ten
// years.
const maxTrend = 120

// ParseTrend reads the parameters: rounds, separated by commas (all but drafts
// without it), and those of [ParseQuery] but by, which narrow every round. The
// error is a [*survey.Error].
func ParseTrend(c *survey.Catalogue, params map[string]string) (TrendQuery, error) {
	var x TrendQuery
	common := maps.Clone(params)
	delete(common, "rounds")
	if common["by"] != "" {
		return x, refuse("by", survey.CodeInvalid, "unknown parameter")
	}
	var rounds []*survey.Round
	for _, r := range c.Rounds {
		if params["rounds"] == "" && r.Status != survey.StatusDraft {
			rounds = append(rounds, r)
		}
	}
	if params["rounds"] != "" {
		for id := range strings.SplitSeq(params["rounds"], ",") {
			r := c.Rounds[id]
			if r == nil {
				return x, refuse("rounds", survey.CodeRoundUnknown, "")
			}
			rounds = append(rounds, r)
		}
	}
	if len(rounds) > maxTrend {
		return x, refuse("rounds", survey.CodeTooLong, fmt.Sprintf("at most %d rounds", maxTrend))
	}
	slices.SortFunc(rounds, func(a, b *survey.Round) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.ID, b.ID)) })
	for i, r := range rounds {
		for _, earlier := range rounds[:i] {
			if earlier == r {
				return x, refuse("rounds", survey.CodeDuplicate, r.ID)
			}
			if r.First <= earlier.Last && shareUnits(c, r, earlier, common["unit"]) {
				return x, refuse("rounds", survey.CodeSamplesOverlap, earlier.ID+" and "+r.ID+" ran at the same desks on the same days; name the rounds")
			}
		}
		q, err := ParseQuery(c, r.ID, common)
		if err != nil {
			return x, err
		}
		x.queries = append(x.queries, q)
	}
	return x, nil
}

// Trend answers a question about rounds, like [Analysis.Report] a query.
func (a *Analysis) Trend(ctx context.Context, x TrendQuery) (*stats.Trend, error) {
	var rounds, keys []string
	for _, q := range x.queries {
		rounds, keys = append(rounds, q.Round), append(keys, q.key())
	}
	return answer(ctx, a, fmt.Sprintf("trend%q", keys), rounds, func(snaps []snapshot, today survey.Date) (*stats.Trend, error) {
		return a.trend(x, snaps, today)
	})
}

func (a *Analysis) trend(x TrendQuery, snaps []snapshot, today survey.Date) (*stats.Trend, error) {
	out := &stats.Trend{Filter: map[string]string{}, Level: level * 100, Software: a.version, Notices: []stats.Notice{},
		Points: []stats.TrendFigure{}, Runs: []stats.TrendStretch{}, Breaks: []stats.TrendBreak{}}
	basis, interim := "", false
	for i, q := range x.queries {
		r, err := a.compute(snaps[i], q, today)
		if err != nil {
			return nil, err
		}
		figure := r.Total.Weighted
		if r.Weighting.Kind == "none" {
			figure = r.Total.Unweighted
		}
		first, last := r.Round.First.Start(), r.Round.Last.Start()
		out.Points = append(out.Points, stats.TrendFigure{
			Round: r.Round, Interim: r.Interim, N: r.Total.N, Figure: figure, Time: yearOf(first.Add(last.Sub(first) / 2).Unix()),
			Method: stats.MethodKey{Instrument: r.Round.Instrument, Version: r.Round.Version, Form: snaps[i].round.Form, Design: r.Round.Design,
				Channel: r.Filter["channel"], Weighting: r.Weighting.Kind, Measure: fmt.Sprintf("%s v%d %s", r.Method.Name, r.Method.Version, r.Method.Combine)},
		})
		interim = interim || r.Interim
		if r.Basis == "respondents" {
			basis = r.Basis
		}
		// What is common to all rounds: their own channels stand in the method.
		out.Filter = maps.Clone(r.Filter)
		if q.Channel == "" {
			delete(out.Filter, "channel")
		}
	}
	named := slices.IndexFunc(out.Points, func(f stats.TrendFigure) bool { return f.Round.Index != nil })
	out.Notices = append(out.Notices, commonNotices(out.Points[max(named, 0)].Round, basis, interim)...)
	slices.SortStableFunc(out.Points, func(a, b stats.TrendFigure) int { return cmp.Compare(a.Time, b.Time) })
	return out, fitTrend(out)
}

// yearOf is a moment in years, of 365.2425 days.
func yearOf(seconds int64) float64 {
	return round10(1970 + float64(seconds)/(365.2425*86400))
}

// fitTrend fits a slope to every run of one method and says why runs end.
func fitTrend(t *stats.Trend) error {
	var points []stats.TrendPoint
	var of []*stats.TrendFigure
	for i := range t.Points {
		p := &t.Points[i]
		if p.Figure.Value == nil {
			continue
		}
		point := stats.TrendPoint{Time: p.Time, Estimate: *p.Figure.Value, SE: math.NaN(), DF: float64(p.Figure.DF), Method: trendMethod(p.Method)}
		if p.Figure.SE != nil {
			if point.SE = *p.Figure.SE; point.SE == 0 {
				point.SE = 100 * stats.UnanimousSE(p.Figure.N)
			}
		}
		points, of = append(points, point), append(of, p)
	}
	runs, err := stats.SplitTrend(points, nil, level)
	if err != nil {
		return fmt.Errorf("fit the trend: %w", err)
	}
	for i, run := range runs {
		stretch := stats.TrendStretch{Reason: run.Reason}
		for _, k := range run.Points {
			stretch.Rounds = append(stretch.Rounds, of[k].Round.ID)
		}
		if s := run.Slope; s != nil {
			p := s.P
			stretch.Slope = stats.Measure{Value: scaled(s.Slope, 1), SE: scaled(s.SE, 1), Low: scaled(s.Interval.Low, 1), High: scaled(s.Interval.High, 1)}
			stretch.DF, stretch.P = scaled(s.DF, 1), &p
		}
		if i > 0 {
			before := runs[i-1].Points
			t.Breaks = append(t.Breaks, breakBetween(of[before[len(before)-1]], of[run.Points[0]]))
		}
		t.Runs = append(t.Runs, stretch)
	}
	return nil
}

// trendMethod writes a method as package stats compares it; the channel is part
// of how people are reached.
func trendMethod(k stats.MethodKey) stats.TrendMethod {
	return stats.TrendMethod{Measure: k.Measure, Instrument: k.Instrument, Version: k.Version, Form: k.Form, Design: k.Design + " " + k.Channel, Weighting: k.Weighting}
}

// breakBetween names what changed between two rounds.
func breakBetween(a, b *stats.TrendFigure) stats.TrendBreak {
	x, y := a.Method, b.Method
	out := stats.TrendBreak{After: a.Round.ID, Before: b.Round.ID}
	var vi, en []string
	for _, part := range []struct {
		changed      bool
		name, vi, en string
	}{
		{x.Instrument != y.Instrument, "instrument", "bộ phiếu", "the instrument"},
		{x.Version != y.Version, "version", "phiên bản bộ phiếu", "the version of the instrument"},
		{x.Form != y.Form, "form", "dạng phiếu", "the form"},
		{x.Design != y.Design, "design", "cách chọn người trả lời", "how people were sampled"},
		{x.Channel != y.Channel, "channel", "hình thức trả lời", "the channel"},
		{x.Weighting != y.Weighting, "weighting", "cách gia quyền", "the weighting"},
		{x.Measure != y.Measure, "measure", "cách tính chỉ số", "how the index is computed"},
	} {
		if part.changed {
			out.Changed, vi, en = append(out.Changed, part.name), append(vi, part.vi), append(en, part.en)
		}
	}
	out.Text = survey.Text{
		"vi": fmt.Sprintf("Giữa hai đợt %s và %s có thay đổi: %s. Số liệu hai bên không so sánh được; không nối đường và không tính chênh lệch qua chỗ này.", a.Round.ID, b.Round.ID, strings.Join(vi, ", ")),
		"en": fmt.Sprintf("Between the rounds %s and %s something changed: %s. Figures of the two sides cannot be compared; no line and no difference crosses this place.", a.Round.ID, b.Round.ID, strings.Join(en, ", ")),
	}
	return out
}
