package web

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// TestReportIncludesAcknowledged: a report asked for after an answer was
// acknowledged has it, and the page shows the same numbers.
func TestReportIncludesAcknowledged(t *testing.T) {
	waits(t)
	e := start(t, options{})
	cookie := e.signedIn(e.tokens["full"])
	for n := 1; n <= 3; n++ {
		if a := e.post(submission(t, func(m map[string]any) { m["answers"].(map[string]any)["c01"] = 1 }), ""); a.status != http.StatusCreated {
			t.Fatal(a.body)
		}
		a := e.do(call{path: "/api/v1/rounds/" + testRound + "/report?by=unit", token: e.tokens["full"]})
		var r stats.Report
		if err := json.Unmarshal([]byte(a.body), &r); err != nil {
			t.Fatal(err)
		}
		if r.Counts.Received != n || len(r.Groups) != 1 || r.Groups[0].ID != "u1" {
			t.Fatalf("after %d answers: %d received, groups %v", n, r.Counts.Received, r.Groups)
		}
	}
	page := e.do(call{path: "/reports/" + testRound + "?by=unit&lang=vi", cookie: cookie})
	// One item of 22 has no satisfied answer: 21/22.
	for _, want := range []string{"95,45%", "Kết quả so với chỉ tiêu", "Kết luận thống kê", "Quá ít phiếu", "mean-of-criteria", "từ 80% trở lên", `class="goal" x="160"`} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page := e.do(call{path: "/reports/" + testRound + "?by=unit&lang=en", cookie: cookie}); !strings.Contains(page.body, "95.45%") {
		t.Error("the English page has no decimal point")
	}
	if strings.Contains(page.body, " style=") || strings.Contains(page.body, "<script") {
		t.Error("the page breaks its own policy")
	}
}

// TestReportFlags: report and page count by flag, have and leave out
// flagged answers, and the export has the flags that are stored.
func TestReportFlags(t *testing.T) {
	waits(t)
	e := start(t, options{})
	cookie := e.signedIn(e.tokens["full"])
	fast := 0
	for i := range 34 { // more than an hour at a desk has, three of them the same
		body := submission(t, func(m map[string]any) {
			answers := m["answers"].(map[string]any)
			for k, item := range []string{"c01", "c02", "c03", "c04", "c05"} {
				answers[item] = 1 + i>>k&1
			}
			if i >= 31 {
				answers["c01"], answers["c02"], answers["c03"] = 3, 3, 3
				for _, item := range []string{"c04", "c05"} {
					answers[item] = 4
				}
			}
			if i%5 == 0 {
				m["seconds"] = 20
				fast++
			}
		})
		if a := e.post(body, e.tokens[store.RightSubmit]); a.status != http.StatusCreated {
			t.Fatal(a.body)
		}
	}
	for query, counted := range map[string]int{"": 34, "flagged=with": 34, "flagged=without": 0} {
		a := e.do(call{path: "/api/v1/rounds/" + testRound + "/report?" + query, token: e.tokens["full"]})
		var r stats.Report
		if err := json.Unmarshal([]byte(a.body), &r); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"burst": 34, "duplicate_pattern": 3, "speeding": fast}
		if r.Counts.Counted != counted || r.Counts.Flagged != 34 || !maps.Equal(r.Counts.ByFlag, want) {
			t.Errorf("%s: %+v, want %d counted and %v", query, r.Counts, counted, want)
		}
		for flag, n := range want {
			for _, lang := range e.server.texts.languages {
				page := e.do(call{path: "/reports/" + testRound + "?lang=" + lang + "&" + query, cookie: cookie})
				if !strings.Contains(page.body, e.server.texts.say(lang, "flag."+flag)+"</th><td>"+strconv.Itoa(n)+"</td>") {
					t.Errorf("%s in %s: the page has no %s of %d", query, lang, flag, n)
				}
			}
		}
	}
	exported := e.do(call{path: "/api/v1/responses", token: e.tokens[store.RightExport]}).body
	if strings.Count(exported, `"flags":["speeding"]`) != fast || strings.Count(exported, `"flags":[]`) != 34-fast || strings.Contains(exported, "seconds") {
		t.Errorf("exported: %.400s", exported)
	}
}

// TestReportQuery: what is wrong with a query is said, on the page as well.
func TestReportQuery(t *testing.T) {
	e := start(t, options{})
	cookie := e.signedIn(e.tokens["full"])
	for query, field := range map[string]string{
		"by=nothing": "by", "from=yesterday": "from", "unit=none": "unit", "colour=red": "colour", "by=unit&by=desk": "by", "from=2026-11-20&to=2026-11-10": "to", "method=guess": "method", "channel=pigeon": "channel", "flagged=maybe": "flagged",
	} {
		a := e.do(call{path: "/api/v1/rounds/" + testRound + "/report?" + query, token: e.tokens["full"]})
		if a.status != http.StatusUnprocessableEntity || len(a.errorOf(t).Fields) == 0 || a.errorOf(t).Fields[0].Field != field {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
		if p := e.do(call{path: "/reports/" + testRound + "?" + query, cookie: cookie}); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "<code>"+field+"</code>") {
			t.Errorf("page with %s: %d", query, p.status)
		}
	}
	if a := e.do(call{path: "/api/v1/rounds/none/report", token: e.tokens["full"]}); a.status != http.StatusNotFound || a.errorOf(t).Code != survey.CodeRoundUnknown {
		t.Errorf("unknown round: %d %s", a.status, a.body)
	}
}

// TestLoading: while answers load, reports say how far, and forms work.
func TestLoading(t *testing.T) {
	e := start(t, options{reports: &fakeReports{err: &analysis.LoadingError{Done: 1234, Total: 5000}}})
	a := e.do(call{path: "/api/v1/rounds/" + testRound + "/report", token: e.tokens["full"]})
	f := a.errorOf(t)
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || f.Code != codeLoading || f.Progress == nil || f.Progress.Done != 1234 || f.Progress.Total != 5000 {
		t.Errorf("%d %s", a.status, a.body)
	}
	page := e.do(call{path: "/reports/" + testRound + "?lang=vi", cookie: e.signedIn(e.tokens["full"])})
	if page.status != http.StatusServiceUnavailable || !strings.Contains(page.body, "1.234") || !strings.Contains(page.body, `http-equiv="refresh"`) {
		t.Errorf("page: %d", page.status)
	}
	if a := e.post(submission(t, nil), ""); a.status != http.StatusCreated {
		t.Errorf("an answer meanwhile: %d", a.status)
	}
	if a := e.do(call{path: "/readyz"}); a.status != http.StatusOK || !strings.Contains(a.body, `"ready":false,"done":1,"total":2`) {
		t.Errorf("ready: %d %s", a.status, a.body)
	}
}

// TestFigures writes numbers as each language does.
func TestFigures(t *testing.T) {
	n := func(v float64) *float64 { return &v }
	vi, en := &page{Lang: "vi"}, &page{Lang: "en"}
	for _, c := range []struct{ got, want string }{
		{vi.Pct(n(82.987)), "82,99%"}, {en.Pct(n(82.987)), "82.99%"}, {vi.Pct(nil), "–"}, {vi.Pct(n(-3.5)), "-3,50%"}, {vi.Pct(n(100)), "100,00%"},
		{vi.Num(0), "0"}, {vi.Num(999), "999"}, {vi.Num(1000), "1.000"}, {en.Num(1234567), "1,234,567"}, {vi.Num(-1234), "-1.234"}, {vi.Num(-123), "-123"}, {vi.Num((*int)(nil)), "–"},
		{vi.Target(80), "80%"}, {vi.Target(82.5), "82,5%"}, {en.Target(82.5), "82.5%"},
		{vi.Interval(stats.Figure{Low: n(79.1), High: n(81.25)}), "79,10 – 81,25"}, {vi.Interval(stats.Figure{Low: n(1)}), "–"},
		{vi.Date("2026-11-24"), "24/11/2026"}, {en.Date("2026-11-24"), "24 Nov 2026"}, {vi.Date(""), "–"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// TestHeadline: the unweighted value stands for the report only where it has no
// weights at all; one that the weights leave out has no value, and says why.
func TestHeadline(t *testing.T) {
	waits(t)
	n := func(v float64) *float64 { return &v }
	report := &stats.Report{Level: 95, Total: stats.Group{Unweighted: stats.Figure{Value: n(77.77), Low: n(70), High: n(80)}}}
	e := start(t, options{reports: &fakeReports{report: report}})
	cookie := e.signedIn(e.tokens["full"])
	for _, c := range []struct {
		kind     string
		weighted stats.Figure
		want     string
	}{
		{"post_stratified", stats.Figure{Reason: stats.ReasonUncovered}, "–"}, {"post_stratified", stats.Figure{Value: n(66.66)}, "66.66%"},
		{"design", stats.Figure{Reason: stats.ReasonUncovered}, "–"}, {"none", stats.Figure{Reason: stats.ReasonUncovered}, "77.77%"},
	} {
		report.Weighting.Kind, report.Total.Weighted = c.kind, c.weighted
		page := e.do(call{path: "/reports/" + testRound + "?lang=en", cookie: cookie}).body
		_, page, _ = strings.Cut(page, `<div class="big">`)
		headline, rest, _ := strings.Cut(page, `</div>`)
		_, chart, _ := strings.Cut(rest, `<div class="chart">`)
		chart, _, _ = strings.Cut(chart, `</div>`)
		if !strings.Contains(headline, `<p class="value">`+c.want+`</p>`) {
			t.Errorf("%s, %+v: %s", c.kind, c.weighted, headline)
		}
		left := c.want == "–"
		if strings.Contains(headline, e.server.texts.say("en", "reason.uncovered")) != left || strings.Contains(headline, "77.77") == (c.kind != "none") || strings.Contains(chart, `class="fill"`) == left {
			t.Errorf("%s, %+v: %s %s", c.kind, c.weighted, headline, chart)
		}
	}
}

// TestCellsOnThePage: the page lists a cell with more answers than results though it is weighted, and one that is not.
func TestCellsOnThePage(t *testing.T) {
	waits(t)
	weight := 0.5
	report := &stats.Report{Level: 95, Weighting: stats.Weighting{Kind: "post_stratified", Cells: []stats.CellFigures{
		{Unit: "u1", Returned: 7001, Answers: 41, Weight: &weight},
		{Unit: "u1", Returned: 7002, Answers: 8002, Weight: &weight, Exceeds: true},
		{Unit: "u2", Returned: 7003, Answers: 3, Uncovered: true},
	}}}
	e := start(t, options{reports: &fakeReports{report: report}})
	page := e.do(call{path: "/reports/" + testRound + "?lang=en", cookie: e.signedIn(e.tokens["full"])}).body
	for number, listed := range map[string]bool{"7,001": false, "7,002": true, "8,002": true, "7,003": true} {
		if strings.Contains(page, ">"+number+"<") != listed {
			t.Errorf("%s is listed: %t", number, !listed)
		}
	}
}

// TestBar draws on a scale of two units a point, and never outside.
func TestBar(t *testing.T) {
	n := func(v float64) *float64 { return &v }
	met := stats.Met
	p := &page{Lang: "en", texts: loadTexts()}
	g := stats.Group{Verdict: stats.Decision{Verdict: &met, Target: 80}, Weighted: stats.Figure{Value: n(82.5), Low: n(79), High: n(104)}}
	b := p.Bar("design", g)
	if b.Value != "165" || b.Low != "158" || b.High != "200" || b.Target != "160" || b.Span != "42" || b.Class != "v-met" || !strings.Contains(b.Label, "82.50%") {
		t.Errorf("%+v", b)
	}
	if b := p.Bar("design", stats.Group{}); b.Has || b.HasInterval || b.Class != "v-none" {
		t.Errorf("nothing: %+v", b)
	}
	left := stats.Group{Unweighted: stats.Figure{Value: n(50)}}
	if b := p.Bar("none", left); b.Value != "100" || b.HasInterval {
		t.Errorf("unweighted: %+v", b)
	}
	if b := p.Bar("post_stratified", left); b.Has {
		t.Errorf("left out of the weights: %+v", b)
	}
}

// TestRankRangeOnThePage: a rank never stands without its range, nor without the
// sentence that says what it is; without ranks there is neither.
func TestRankRangeOnThePage(t *testing.T) {
	waits(t)
	rank := 3
	with := stats.Group{ID: "u1", Rank: &rank, RankRange: &stats.RankRange{Low: 1, High: 1207, Of: 1300, NotDistinguishable: 1206}}
	report := &stats.Report{Level: 95, By: "unit", Groups: []stats.Group{with, {ID: "u2"}}}
	e := start(t, options{reports: &fakeReports{report: report}})
	cookie := e.signedIn(e.tokens["full"])
	show := func() string {
		return e.do(call{path: "/reports/" + testRound + "?lang=vi&by=unit", cookie: cookie}).body
	}
	note, _, _ := strings.Cut(e.server.texts.say("vi", "report.rank_note"), "%s")
	page := show()
	for _, want := range []string{`<td class="rank">3</td><td class="rank">1 – 1.207</td><td class="n">1.206</td>`, `<td class="rank">–</td><td class="rank">–</td><td class="n">–</td>`, note} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	report.Groups[0].RankRange = &stats.RankRange{Low: 4, High: 4, Of: 9}
	if page := show(); !strings.Contains(page, `<td class="rank">4</td><td class="n">0</td>`) {
		t.Error("a certain rank is not one number")
	}
	report.Groups = report.Groups[1:]
	if strings.Contains(show(), note) {
		t.Error("the page explains ranges that nobody has")
	}
}
