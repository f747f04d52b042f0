package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/survey"
)

// withEarlierRounds adds two rounds before the demonstration's, the first of which
// was weighted in another way.
func withEarlierRounds(t *testing.T, answers int) *env {
	t.Helper()
	e := demonstration(t, answers)
	ctx := context.Background()
	documents, err := e.store.Documents()
	if err != nil {
		t.Fatal(err)
	}
	var add survey.Documents
	var all []survey.Response
	for k, id := range []string{"demo-1", "demo-2"} {
		back := -200 * (2 - k)
		for _, r := range documents.Rounds {
			if r.ID == seeds.DemoRound {
				r.ID, r.Title = id, survey.Text{"vi": "Đợt " + id, "en": "Round " + id}
				r.First, r.Last, r.Status = r.First.AddDays(back), r.Last.AddDays(back), survey.StatusClosed
				if k == 0 {
					r.Weights = survey.WeightsRaked
				}
				add.Rounds = append(add.Rounds, r)
			}
		}
		for _, p := range documents.Populations {
			p.Round = id
			add.Populations = append(add.Populations, p)
		}
		for _, r := range e.stored() {
			if r.Round == seeds.DemoRound {
				r.Round, r.Answered, r.Received = id, r.Answered.AddDate(0, 0, back), r.Received.AddDate(0, 0, back)
				r.ID = survey.DerivedID([]byte(id), r.Answered, r.ID.String())
				r.Receipt, r.Digest = nil, nil
				all = append(all, r)
			}
		}
	}
	if _, err := e.store.PutDocuments(ctx, add); err != nil {
		t.Fatal(err)
	}
	if _, err := e.store.AddResponses(ctx, all); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestComparePage: what can be chosen, what comes out, and what is said when two
// sides cannot be compared.
func TestComparePage(t *testing.T) {
	waits(t)
	e := withEarlierRounds(t, 3000)
	cookie := e.signedIn(e.tokens[store.RightFull])
	page := func(query string) answer {
		t.Helper()
		return e.do(call{path: "/reports/demo/compare?lang=vi" + query, cookie: cookie})
	}
	for name, c := range map[string]struct {
		query  string
		status int
		want   []string
		not    string
	}{
		"nothing":     {"", 200, []string{`<select id="by"`, `value="age"`}, "<table"},
		"units":       {"&by=unit", 200, []string{`<select id="a"`, `value="51-21040"`}, "<table"},
		"two units":   {"&by=unit&a=51-21040&b=51-23326", 200, []string{"A: Xã Bình Sơn", "Chênh lệch (B trừ A)", "<svg"}, `role="alert"`},
		"two fields":  {"&by=field&a=dat-dai&b=ho-tich", 200, []string{"điểm phần trăm", "Giá trị p"}, `role="alert"`},
		"itself":      {"&by=unit&a=51-21040&b=51-21040", 422, []string{`role="alert"`, `<select id="a"`}, "<table"},
		"periods":     {"&by=period&a_from=2026-10-01&a_to=2026-10-31&b_from=2026-11-01&b_to=2026-11-20", 200, []string{"A: 2026-10-01", `value="2026-11-20"`}, `role="alert"`},
		"one period":  {"&by=period&a_from=2026-10-01&a_to=2026-10-31", 200, []string{`type="date"`}, "<table"},
		"overlapping": {"&by=period&a_from=2026-10-01&a_to=2026-10-31&b_from=2026-10-30&b_to=2026-11-20", 422, []string{`role="alert"`}, "<table"},
		"channels":    {"&by=channel&a=qr&b=kiosk", 200, []string{"A: Mã QR"}, `role="alert"`},
		"rounds":      {"&by=round&b=demo-2", 200, []string{"B: Đợt demo-2"}, `role="alert"`},
		"no round":    {"&by=round&b=none", 422, []string{`role="alert"`}, "<table"},
		"weights":     {"&by=round&b=demo-1", 422, []string{survey.Message(survey.CodeWeightingDiffers, "vi")}, "<table"},
		"by age":      {"&by=age&a=60%2B&b=25-34", 200, []string{"<table"}, `role="alert"`},
		"unknown":     {"&by=unit&a=51-21040&b=51-23326&zz=1", 422, []string{`role="alert"`}, "<table"},
		"script":      {"&by=%3Cscript%3E&a=%3Cscript%3E&b=x", 422, []string{`role="alert"`}, "<script"},
	} {
		a := page(c.query)
		if a.status != c.status || strings.Contains(a.body, c.not) {
			t.Errorf("%s: status %d, or it has %s", name, a.status, c.not)
		}
		for _, want := range c.want {
			if !strings.Contains(a.body, want) {
				t.Errorf("%s: no %q on the page", name, want)
			}
		}
	}
	if a := e.do(call{path: "/reports/none/compare", cookie: cookie}); a.status != http.StatusNotFound {
		t.Errorf("an unknown round: %d", a.status)
	}
}

// TestTrendPage: the drawing has a point a round, lines within a run only, and the
// table the same numbers.
func TestTrendPage(t *testing.T) {
	waits(t)
	e := withEarlierRounds(t, 3000)
	cookie := e.signedIn(e.tokens[store.RightFull])
	page := func(query string) answer {
		t.Helper()
		return e.do(call{path: "/trend?lang=vi" + query, cookie: cookie})
	}
	count := func(body, what string) int { return strings.Count(body, what) }
	for name, c := range map[string]struct {
		query                         string
		status                        int
		points, lines, breaks, ticked int
	}{
		"all":       {"", 200, 3, 1, 1, 3},
		"two":       {"&round=demo-2&round=demo", 200, 2, 1, 0, 2},
		"one":       {"&round=demo", 200, 1, 0, 0, 1},
		"a field":   {"&field=dat-dai", 200, 3, 1, 1, 3},
		"unknown":   {"&round=none", 422, 0, 0, 0, 0},
		"twice":     {"&round=demo&round=demo", 422, 0, 0, 0, 1},
		"no unit":   {"&unit=none", 422, 0, 0, 0, 0},
		"parameter": {"&by=unit", 422, 0, 0, 0, 0},
	} {
		a := page(c.query)
		if a.status != c.status || count(a.body, "<circle class") != 0 || count(a.body, "<circle cx=\"") != c.points+count(a.body, "<circle cx=\"16\"") ||
			count(a.body, `class="line"`) != c.lines || count(a.body, `class="break"`) != c.breaks || count(a.body, " checked>") != c.ticked {
			t.Errorf("%s: status %d, %d points, %d lines, %d breaks, %d ticked", name, a.status, count(a.body, "<circle")-1, count(a.body, `class="line"`), count(a.body, `class="break"`), count(a.body, " checked>"))
		}
		if bad := count(a.body, `role="alert"`) > 0; bad != (c.status != 200) {
			t.Errorf("%s: says what is wrong: %t", name, bad)
		}
	}
	// Every value of the drawing stands in the table.
	body := page("").body
	for _, m := range regexp.MustCompile(`<title>[^<]*: ([\d,]+%)`).FindAllStringSubmatch(body, -1) {
		if !strings.Contains(body, "<b>"+m[1]+"</b>") {
			t.Errorf("%s is drawn and not in the table", m[1])
		}
	}
	if !strings.Contains(body, "cách gia quyền") {
		t.Error("the break is not explained")
	}
}

func TestBrowserCompareAndTrend(t *testing.T) {
	waits(t)
	chromium(t)
	e := withEarlierRounds(t, 3000)
	for _, c := range []struct {
		name          string
		width, height int64
		settings      []chromedp.Action[chromedp.Void]
	}{
		{"desktop", 1280, 900, nil},
		{"phone-dark", 360, 800, []chromedp.Action[chromedp.Void]{dark()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := *e
			e.t = t
			w := browse(t, &e, append(c.settings, chromedp.EmulateViewport(c.width, c.height))...)
			link, err := url.Parse(e.server.SignInURL(e.tokens[store.RightFull], "/reports/demo/compare?lang=vi&by=unit", time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			w.do(chromedp.Navigate(e.url + link.RequestURI()))
			w.noSideways(float64(c.width))
			for id, value := range map[string]string{"a": "51-21040", "b": "51-23326"} {
				w.do(chromedp.SetValue(chromedp.CSS("#"+id), value))
			}
			w.submit(".choices button")
			w.noSideways(float64(c.width))
			if got := w.text(".said"); got == "" {
				t.Error("no conclusion")
			}
			w.photograph(c.name + "-compare")
			w.do(chromedp.Navigate(fmt.Sprint(e.url, "/trend?lang=vi")))
			w.noSideways(float64(c.width))
			w.photograph(c.name + "-trend")
			w.quiet()
		})
	}
}
