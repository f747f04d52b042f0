package analysis

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// figureOf is a point by hand.
func figureOf(id string, year, value, se float64, df int, change func(*stats.MethodKey)) stats.TrendFigure {
	f := stats.TrendFigure{Round: stats.RoundHeader{ID: id}, Time: year, Figure: stats.Figure{N: 100, Value: &value, SE: &se, DF: df},
		Method: stats.MethodKey{Instrument: "sipas", Version: 1, Form: "full", Design: "visitors", Channel: "qr", Weighting: "post_stratified", Measure: "mean v1 mean_of_items"}}
	if change != nil {
		change(&f.Method)
	}
	return f
}

// A slope inside a run is the textbook's; every part of a method that changes
// ends the run and is named.
func TestTrendBreaks(t *testing.T) {
	trend := &stats.Trend{Points: []stats.TrendFigure{
		figureOf("a", 2023, 80, 1, 40, nil), figureOf("b", 2024, 83, 2, 50, nil), figureOf("c", 2025, 84, 1.5, 60, nil)}}
	if err := fitTrend(trend); err != nil {
		t.Fatal(err)
	}
	if len(trend.Runs) != 1 || len(trend.Breaks) != 0 || !slices.Equal(trend.Runs[0].Rounds, []string{"a", "b", "c"}) {
		t.Fatalf("%+v", trend)
	}
	// Least squares over -1, 0, 1: (84−80)/2, variance (1 + 1.5²)/4.
	run := trend.Runs[0]
	se := math.Sqrt((1 + 2.25) / 4)
	df := 3.25 * 3.25 / (1.0/40 + 2.25*2.25/60)
	near(t, "slope", run.Slope.Value, 2)
	near(t, "standard error", run.Slope.SE, se)
	near(t, "degrees of freedom", run.DF, df)
	near(t, "p", run.P, 2*stats.TUpperTail(2/se, df))
	near(t, "lower limit", run.Slope.Low, 2-stats.TQuantile(0.975, df)*se)
	for name, change := range map[string]func(*stats.MethodKey){
		"instrument": func(k *stats.MethodKey) { k.Instrument = "x" }, "version": func(k *stats.MethodKey) { k.Version = 2 },
		"form": func(k *stats.MethodKey) { k.Form = "split" }, "design": func(k *stats.MethodKey) { k.Design = "drawn" },
		"channel": func(k *stats.MethodKey) { k.Channel = "paper" }, "weighting": func(k *stats.MethodKey) { k.Weighting = "none" },
		"measure": func(k *stats.MethodKey) { k.Measure = "pooled" },
	} {
		trend := &stats.Trend{Points: []stats.TrendFigure{figureOf("a", 2023, 80, 1, 40, nil), figureOf("b", 2024, 83, 2, 50, nil), figureOf("c", 2025, 84, 1.5, 60, change)}}
		if err := fitTrend(trend); err != nil {
			t.Fatal(err)
		}
		if len(trend.Runs) != 2 || len(trend.Breaks) != 1 || trend.Runs[0].Slope.Value == nil || trend.Runs[1].Reason != stats.SlopeOnePoint || trend.Runs[1].Slope.Value != nil {
			t.Errorf("%s: %+v", name, trend)
			continue
		}
		if b := trend.Breaks[0]; b.After != "b" || b.Before != "c" || !slices.Equal(b.Changed, []string{name}) || !strings.Contains(b.Text.In("vi"), "b và c") {
			t.Errorf("%s: %+v", name, b)
		}
	}
	none := figureOf("d", 2026, 0, 0, 0, nil)
	none.Figure = stats.Figure{Reason: stats.ReasonNoAnswers}
	sure := figureOf("e", 2027, 100, 0, 9, nil)
	trend = &stats.Trend{Points: []stats.TrendFigure{figureOf("a", 2023, 80, 1, 40, nil), none, sure}}
	if err := fitTrend(trend); err != nil || len(trend.Runs) != 1 || len(trend.Runs[0].Rounds) != 2 || !(*trend.Runs[0].Slope.SE > 0.25) {
		t.Errorf("a round without answers, and a unanimous one: %v, %+v", err, trend.Runs)
	}
}

// Rounds of a store become points with the figures of their reports.
func TestTrendOfRounds(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	secondRound(t, st, func(*survey.Round) {})
	a := loaded(t, st)
	trendOf := func(params map[string]string) *stats.Trend {
		t.Helper()
		x, err := ParseTrend(st.View().Catalogue, params)
		if err != nil {
			t.Fatal(err)
		}
		out, err := a.Trend(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	unit := ranked(ask(t, a, map[string]string{"by": "unit"}), "xa")[3].ID
	for _, params := range []map[string]string{nil, {"unit": unit}, {"rounds": seeds.DemoRound + ",before", "unit": unit}} {
		got := trendOf(params)
		if len(got.Points) != 2 || got.Points[0].Round.ID != "before" || len(got.Runs) != 1 || len(got.Breaks) != 0 || got.Filter["unit"] != params["unit"] {
			t.Fatalf("%v: %+v", params, got)
		}
		now := ask(t, a, map[string]string{"unit": params["unit"]}).Total
		p, before := got.Points[1], got.Points[0]
		if *p.Figure.Value != *now.Weighted.Value || *p.Figure.SE != *now.Weighted.SE || p.N != now.N || p.Method.Channel != "qr" {
			t.Errorf("%v: point %+v, report %+v", params, p, now.Weighted)
		}
		years := p.Time - before.Time
		if math.Abs(years-364/365.2425) > 1e-6 || p.Time < 2026 || p.Time > 2027 {
			t.Errorf("points at %v and %v", before.Time, p.Time)
		}
		near(t, "slope", got.Runs[0].Slope.Value, (*p.Figure.Value-*before.Figure.Value)/years)
		near(t, "standard error", got.Runs[0].Slope.SE, math.Hypot(*p.Figure.SE, *before.Figure.SE)/years)
	}
	if all := trendOf(map[string]string{"channel": "all", "flagged": "without"}); all.Filter["flagged"] != "without" || all.Points[0].Method.Channel != "" || all.Points[0].N == trendOf(nil).Points[0].N {
		t.Errorf("filter %v, point %+v", all.Filter, all.Points[0])
	}
	if one := trendOf(map[string]string{"rounds": "before"}); len(one.Points) != 1 || one.Runs[0].Reason != stats.SlopeOnePoint {
		t.Errorf("one round: %+v", one)
	}
}

func TestParseTrendRefuses(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 10 })
	round := *st.View().Rounds[seeds.DemoRound]
	round.ID, round.Status, round.First, round.Last = "overlaps", survey.StatusClosed, round.Last, round.Last.AddDays(20)
	if _, err := st.PutDocuments(t.Context(), survey.Documents{Rounds: []survey.Round{round}}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		params map[string]string
		field  string
		code   survey.Code
	}{
		"overlap":      {nil, "rounds", survey.CodeSamplesOverlap},
		"twice":        {map[string]string{"rounds": "demo,demo"}, "rounds", survey.CodeDuplicate},
		"unknown":      {map[string]string{"rounds": "demo,none"}, "rounds", survey.CodeRoundUnknown},
		"by":           {map[string]string{"rounds": "demo", "by": "unit"}, "by", survey.CodeInvalid},
		"unknown unit": {map[string]string{"rounds": "demo", "unit": "none"}, "unit", survey.CodeReference},
	} {
		var wrong *survey.Error
		if _, err := ParseTrend(st.View().Catalogue, test.params); !errors.As(err, &wrong) || wrong.Fields[0].Field != test.field || wrong.Fields[0].Code != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}
