package analysis

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

func compare(t testing.TB, a *Analysis, params map[string]string) *stats.Comparison {
	t.Helper()
	x, err := ParseComparison(a.store.View().Catalogue, seeds.DemoRound, params)
	if err != nil {
		t.Fatalf("%v: %v", params, err)
	}
	c, err := a.Compare(t.Context(), x)
	if err != nil {
		t.Fatalf("%v: %v", params, err)
	}
	return c
}

// near fails where a number is missing or another one.
func near(t *testing.T, what string, got *float64, want float64) {
	t.Helper()
	if got == nil || !(math.Abs(*got-want) <= 1e-7*max(1, math.Abs(want))) {
		if got != nil {
			t.Errorf("%s is %v, want %v", what, *got, want)
		} else {
			t.Errorf("%s is missing, want %v", what, want)
		}
	}
}

// checkDifference compares with a difference that was computed otherwise.
func checkDifference(t *testing.T, what string, d stats.Difference, value, se, df, covariance float64) {
	t.Helper()
	near(t, what+": difference", d.Value, value)
	near(t, what+": standard error", d.SE, se)
	near(t, what+": degrees of freedom", d.DF, df)
	near(t, what+": p", d.P, 2*stats.TUpperTail(math.Abs(value)/se, df))
	near(t, what+": covariance", d.Covariance, covariance)
	margin := stats.TQuantile(0.975, df) * se
	near(t, what+": lower limit", d.Low, value-margin)
	near(t, what+": upper limit", d.High, value+margin)
	if d.Reason != "" {
		t.Errorf("%s: reason %s", what, d.Reason)
	}
}

// Units have desks and weight cells of their own: the difference is Welch's.
func TestCompareUnits(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	a := loaded(t, st)
	groups := ranked(ask(t, a, map[string]string{"by": "unit"}), "xa")
	seen := map[stats.Conclusion]int{}
	for _, pair := range [][2]int{{0, 1}, {0, len(groups) - 1}, {len(groups) - 1, 0}, {30, 31}} {
		ga, gb := groups[pair[0]], groups[pair[1]]
		c := compare(t, a, map[string]string{"by": "unit", "a": ga.ID, "b": gb.ID})
		if *c.A.Figure.Value != *ga.Weighted.Value || *c.B.Figure.SE != *gb.Weighted.SE || c.A.N != ga.N || c.B.Label.In("vi") != gb.Label.In("vi") {
			t.Errorf("the sides are %+v and %+v", c.A, c.B)
		}
		va, vb := *ga.Weighted.SE**ga.Weighted.SE, *gb.Weighted.SE**gb.Weighted.SE
		df := (va + vb) * (va + vb) / (va*va/float64(ga.Weighted.DF) + vb*vb/float64(gb.Weighted.DF))
		checkDifference(t, ga.ID+" and "+gb.ID, c.Difference, *gb.Weighted.Value-*ga.Weighted.Value, math.Sqrt(va+vb), df, 0)
		want := stats.NotDistinguishable
		switch {
		case *c.Difference.Low > 0:
			want = stats.Higher
		case *c.Difference.High < 0:
			want = stats.Lower
		}
		if c.Conclusion == nil || *c.Conclusion != want || c.Reason != "" {
			t.Errorf("conclusion %v (%s), want %s", c.Conclusion, c.Reason, want)
		}
		seen[want]++
		if _, own := c.Filter["unit"]; own || c.Filter["channel"] != "qr" {
			t.Errorf("filter %v", c.Filter)
		}
	}
	for _, conclusion := range []stats.Conclusion{stats.Higher, stats.Lower, stats.NotDistinguishable} {
		if seen[conclusion] == 0 {
			t.Errorf("no pair is %s: %v", conclusion, seen)
		}
	}
	if again, first := compare(t, a, map[string]string{"by": "unit", "a": groups[0].ID, "b": groups[1].ID}), compare(t, a, map[string]string{"by": "unit", "a": groups[0].ID, "b": groups[1].ID}); again != first {
		t.Error("the same question was computed twice")
	}
}

// Parts of one sample share desk-days, or strata and weight cells.
func TestComparePartsOfOneSample(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, nil)
	a := loaded(t, st)
	b := brute(t, a, all, countedBy(survey.ChannelQR), ask(t, a, nil))
	middle := survey.DateOf(clock()).AddDays(-28)
	first, second := string(middle.AddDays(-20))+".."+string(middle), string(middle.AddDays(1))+".."+string(middle.AddDays(15))
	day := func(x survey.Response) survey.Date { return survey.DateOf(x.Answered) }
	unit := ranked(ask(t, a, map[string]string{"by": "unit"}), "xa")[20].ID
	desks := map[string]map[string]bool{} // by unit
	for _, x := range b.rows {
		if desks[x.Unit] == nil {
			desks[x.Unit] = map[string]bool{}
		}
		desks[x.Unit][x.Desk] = true
	}
	var names []string // of the unit with the most
	for _, of := range desks {
		if list := slices.Sorted(maps.Keys(of)); len(list) > len(names) || len(list) == len(names) && list[0] < names[0] {
			names = list
		}
	}
	for _, test := range []struct {
		params map[string]string
		in     [2]func(survey.Response) bool
	}{
		{map[string]string{"by": "field", "a": "dat-dai", "b": "ho-tich"},
			[2]func(survey.Response) bool{func(x survey.Response) bool { return x.Field == "dat-dai" }, func(x survey.Response) bool { return x.Field == "ho-tich" }}},
		{map[string]string{"by": "gender", "a": "male", "b": "female", "field": "dat-dai"},
			[2]func(survey.Response) bool{func(x survey.Response) bool { return x.Profile["gender"] == "male" && x.Field == "dat-dai" }, func(x survey.Response) bool { return x.Profile["gender"] == "female" && x.Field == "dat-dai" }}},
		{map[string]string{"by": "period", "a": first, "b": second},
			[2]func(survey.Response) bool{func(x survey.Response) bool { return day(x) >= middle.AddDays(-20) && day(x) <= middle }, func(x survey.Response) bool { return day(x) > middle && day(x) <= middle.AddDays(15) }}},
		{map[string]string{"by": "period", "a": second, "b": first, "unit": unit},
			[2]func(survey.Response) bool{func(x survey.Response) bool { return x.Unit == unit && day(x) > middle && day(x) <= middle.AddDays(15) }, func(x survey.Response) bool {
				return x.Unit == unit && day(x) >= middle.AddDays(-20) && day(x) <= middle
			}}},
		{map[string]string{"by": "desk", "a": names[0], "b": names[1]},
			[2]func(survey.Response) bool{func(x survey.Response) bool { return x.Desk == names[0] }, func(x survey.Response) bool { return x.Desk == names[1] }}},
	} {
		what := fmt.Sprint(test.params)
		sa, sb := b.index(b.domain(test.in[0])), b.index(b.domain(test.in[1]))
		cov, err := b.Covariance(sa, sb)
		if err != nil {
			t.Fatal(err)
		}
		c := compare(t, a, test.params)
		near(t, what+": a", c.A.Figure.Value, 100*sa.Value)
		near(t, what+": b", c.B.Figure.Value, 100*sb.Value)
		near(t, what+": standard error of a", c.A.Figure.SE, 100*math.Sqrt(cov[0][0]))
		checkDifference(t, what, c.Difference, 100*(sb.Value-sa.Value), 100*math.Sqrt(cov[0][0]+cov[1][1]-2*cov[0][1]), min(sa.DF, sb.DF), 1e4*cov[0][1])
		if c.Difference.Covariance == nil || *c.Difference.Covariance == 0 {
			t.Errorf("%s: taken for independent", what)
		}
	}
}

// Channels are samples with weights of their own at the same desk-days.
func TestCompareChannels(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	_, all := fill(t, st, nil)
	a := loaded(t, st)
	qr, kiosk := ask(t, a, map[string]string{"channel": "qr"}), ask(t, a, map[string]string{"channel": "kiosk"})
	b := brute(t, a, all, countedBy(survey.ChannelQR, survey.ChannelKiosk), qr, kiosk)
	of := func(channel survey.Channel) stats.Statistic {
		return b.index(b.domain(func(x survey.Response) bool { return x.Channel == channel }))
	}
	sa, sb := of(survey.ChannelQR), of(survey.ChannelKiosk)
	cov, err := b.Covariance(sa, sb)
	if err != nil {
		t.Fatal(err)
	}
	c := compare(t, a, map[string]string{"by": "channel", "a": "qr", "b": "kiosk"})
	if *c.A.Figure.Value != *qr.Total.Weighted.Value || *c.A.Figure.SE != *qr.Total.Weighted.SE || *c.B.Figure.Value != *kiosk.Total.Weighted.Value {
		t.Errorf("the sides are not what the reports say: %+v, %+v", c.A, c.B)
	}
	near(t, "kiosk", c.B.Figure.Value, 100*sb.Value)
	checkDifference(t, "channels", c.Difference, 100*(sb.Value-sa.Value), 100*math.Sqrt(cov[0][0]+cov[1][1]-2*cov[0][1]), float64(min(qr.Total.Weighted.DF, kiosk.Total.Weighted.DF)), 1e4*cov[0][1])
	if !(cov[0][1] > 1e-3*math.Sqrt(cov[0][0]*cov[1][1])) {
		t.Errorf("covariance %v with variances %v and %v: the test shows nothing", cov[0][1], cov[0][0], cov[1][1])
	}
	for _, code := range []string{"modes", "self_selected", "interim", "one_pair"} {
		if !slices.ContainsFunc(c.Notices, func(n stats.Notice) bool { return n.Code == code }) {
			t.Errorf("no notice %s", code)
		}
	}
}

// secondRound stores a round like the demonstration's, a year earlier, with other
// people.
func secondRound(t *testing.T, st *store.Store, change func(*survey.Round)) {
	t.Helper()
	other := openStore(t, t.TempDir())
	_, all := fill(t, other, func(p *seeds.Params) { p.Seed, p.Answers = 77, 9000 })
	docs, err := other.Documents()
	if err != nil {
		t.Fatal(err)
	}
	round := docs.Rounds[0]
	round.ID, round.First, round.Last = "before", round.First.AddDays(-364), round.Last.AddDays(-364)
	change(&round)
	for i := range docs.Populations {
		docs.Populations[i].Round = round.ID
	}
	if _, err := st.PutDocuments(t.Context(), survey.Documents{Rounds: []survey.Round{round}, Populations: docs.Populations}); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		r := &all[i]
		r.Round, r.Answered, r.Received = round.ID, r.Answered.AddDate(0, 0, -364), r.Received.AddDate(0, 0, -364)
		r.ID, r.Digest, r.Receipt = survey.DerivedID([]byte("before"), r.Answered, fmt.Sprint(i)), nil, nil
	}
	add(t, st, all)
}

// Rounds are independent samples.
func TestCompareRounds(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	secondRound(t, st, func(*survey.Round) {})
	a := loaded(t, st)
	for _, filter := range []string{"", "dat-dai"} {
		now := ask(t, a, map[string]string{"field": filter}).Total.Weighted
		q, err := ParseQuery(st.View().Catalogue, "before", map[string]string{"field": filter})
		if err != nil {
			t.Fatal(err)
		}
		r, err := a.Report(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		before := r.Total.Weighted
		c := compare(t, a, map[string]string{"by": "round", "b": "before", "field": filter})
		va, vb := *now.SE**now.SE, *before.SE**before.SE
		checkDifference(t, "rounds", c.Difference, *before.Value-*now.Value, math.Sqrt(va+vb),
			(va+vb)*(va+vb)/(va*va/float64(now.DF)+vb*vb/float64(before.DF)), 0)
		if c.A.Round.ID != seeds.DemoRound || c.B.Round.ID != "before" || c.A.N == c.B.N || !c.A.Interim || c.B.Interim {
			t.Errorf("sides %+v and %+v", c.A, c.B)
		}
	}
}

func TestParseComparisonRefuses(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, func(p *seeds.Params) { p.Answers = 10 })
	round := *st.View().Rounds[seeds.DemoRound]
	docs := survey.Documents{Rounds: []survey.Round{round}}
	vary := func(id string, change func(*survey.Round)) {
		r := round
		r.ID, r.First, r.Last = id, r.First.AddDays(-364), r.Last.AddDays(-364)
		change(&r)
		docs.Rounds = append(docs.Rounds, r)
	}
	vary("drawn", func(r *survey.Round) { r.Design = survey.DesignDrawn })
	vary("paper", func(r *survey.Round) { r.PrimaryChannel = survey.ChannelPaper })
	vary("overlaps", func(r *survey.Round) {
		r.Status, r.First, r.Last = survey.StatusClosed, round.Last, round.Last.AddDays(10)
	})
	vary("other", func(r *survey.Round) {
		for _, key := range slices.Sorted(maps.Keys(st.View().Instruments)) {
			if in := st.View().Instruments[key]; in.ID != round.Instrument {
				r.Instrument, r.Version = in.ID, in.Version
			}
		}
	})
	if _, err := st.PutDocuments(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	c := st.View().Catalogue
	for name, test := range map[string]struct {
		params map[string]string
		field  string
		code   survey.Code
	}{
		"nothing":            {map[string]string{"a": "x", "b": "y"}, "by", survey.CodeRequired},
		"one side":           {map[string]string{"by": "field", "a": "dat-dai"}, "b", survey.CodeRequired},
		"the same":           {map[string]string{"by": "field", "a": "dat-dai", "b": "dat-dai"}, "b", survey.CodeSamplesOverlap},
		"by nothing known":   {map[string]string{"by": "colour", "a": "x", "b": "y"}, "by", survey.CodeInvalid},
		"days":               {map[string]string{"by": "day", "a": "x", "b": "y"}, "by", survey.CodeInvalid},
		"unknown unit":       {map[string]string{"by": "unit", "a": "51-none", "b": "51-21040"}, "a", survey.CodeReference},
		"unknown unit b":     {map[string]string{"by": "unit", "a": "51-21040", "b": "51-none"}, "b", survey.CodeReference},
		"a third value":      {map[string]string{"by": "field", "a": "dat-dai", "b": "ho-tich", "field": "y-te"}, "field", survey.CodeDuplicate},
		"all channels":       {map[string]string{"by": "channel", "a": "qr", "b": "all"}, "b", survey.CodeSamplesOverlap},
		"no period":          {map[string]string{"by": "period", "a": "2026-10-01", "b": "2026-11-01..2026-11-02"}, "a", survey.CodeInvalid},
		"no date":            {map[string]string{"by": "period", "a": "2026-10-01..x", "b": "2026-11-01..2026-11-02"}, "a", survey.CodeInvalid},
		"periods overlap":    {map[string]string{"by": "period", "a": "2026-10-01..2026-10-31", "b": "2026-10-31..2026-11-02"}, "b", survey.CodeSamplesOverlap},
		"a third period":     {map[string]string{"by": "period", "a": "2026-10-01..2026-10-30", "b": "2026-10-31..2026-11-02", "from": "2026-10-01"}, "from", survey.CodeDuplicate},
		"unknown round":      {map[string]string{"by": "round", "b": "none"}, "b", survey.CodeRoundUnknown},
		"another a":          {map[string]string{"by": "round", "a": "paper", "b": "drawn"}, "a", survey.CodeInvalid},
		"other instrument":   {map[string]string{"by": "round", "b": "other"}, "b", survey.CodeInstrumentDiffers},
		"other design":       {map[string]string{"by": "round", "b": "drawn"}, "b", survey.CodeDesignDiffers},
		"other channel":      {map[string]string{"by": "round", "b": "paper"}, "channel", survey.CodeChannelDiffers},
		"rounds overlap":     {map[string]string{"by": "round", "b": "overlaps"}, "b", survey.CodeSamplesOverlap},
		"misspelt":           {map[string]string{"by": "field", "a": "dat-dai", "b": "ho-tich", "form": "x"}, "form", survey.CodeInvalid},
		"sensitive, crossed": {map[string]string{"by": "ethnicity", "a": "kinh", "b": "hre", "field": "dat-dai"}, "a", survey.CodeInvalid},
	} {
		_, err := ParseComparison(c, seeds.DemoRound, test.params)
		var wrong *survey.Error
		if !errors.As(err, &wrong) || !slices.ContainsFunc(wrong.Fields, func(f survey.FieldError) bool { return f.Field == test.field && f.Code == test.code }) {
			t.Errorf("%s: %v, want %s of %s", name, err, test.code, test.field)
		}
	}
	if _, err := ParseComparison(c, "none", nil); !survey.Has(err, survey.CodeRoundUnknown) {
		t.Errorf("unknown round: %v", err)
	}
	if _, err := ParseComparison(c, seeds.DemoRound, map[string]string{"by": "round", "b": "paper", "channel": "paper"}); err != nil {
		t.Errorf("one channel of both: %v", err)
	}
}

// What forbids a verdict forbids a conclusion; a round without weights is not
// compared with one that has them.
func TestCompareConcludesNothing(t *testing.T) {
	waits(t)
	st := openStore(t, t.TempDir())
	fill(t, st, nil)
	a := loaded(t, st)
	groups := ask(t, a, map[string]string{"by": "unit"}).Groups
	small := slices.IndexFunc(groups, func(g stats.Group) bool {
		return g.Verdict.Verdict != nil && *g.Verdict.Verdict == stats.TooFew && g.N > 0
	})
	if small < 0 {
		t.Fatal("no unit has too few answers")
	}
	c := compare(t, a, map[string]string{"by": "unit", "a": groups[0].ID, "b": groups[small].ID})
	if c.Conclusion == nil || *c.Conclusion != stats.TooFewToCompare {
		t.Errorf("too few: %v, %s", c.Conclusion, c.Reason)
	}
	c = compare(t, a, map[string]string{"by": "period", "a": "2020-01-01..2020-01-31", "b": "2026-10-01..2026-11-20"})
	if c.Difference.Value != nil || c.Difference.Reason != stats.ReasonNoAnswers || c.A.N != 0 {
		t.Errorf("nobody on one side: %+v", c)
	}
	secondRound(t, st, func(*survey.Round) {})
	docs, err := st.Documents()
	if err != nil {
		t.Fatal(err)
	}
	var emptied []survey.Population
	for _, p := range docs.Populations {
		if p.Round == "before" {
			p.Cells = nil
			emptied = append(emptied, p)
		}
	}
	if _, err := st.PutDocuments(t.Context(), survey.Documents{Populations: emptied}); err != nil {
		t.Fatal(err)
	}
	x, err := ParseComparison(st.View().Catalogue, seeds.DemoRound, map[string]string{"by": "round", "b": "before"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Compare(t.Context(), x); !survey.Has(err, survey.CodeWeightingDiffers) {
		t.Errorf("without weights: %v", err)
	}
}
