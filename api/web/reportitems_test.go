package web

import (
	"net/http"
	"strings"
	"testing"

	"sipas/stats"
	"sipas/survey"
)

// TestItemsPage: the page of the demonstration explains itself in both languages,
// keeps the filters, and breaks none of its policy.
func TestItemsPage(t *testing.T) {
	waits(t)
	e := demonstration(t, 2500)
	cookie := e.signedIn(e.tokens["full"])
	report := e.do(call{path: "/reports/demo?lang=vi&by=unit&field=dat-dai", cookie: cookie}).body
	if !strings.Contains(report, `href="/reports/demo/items?field=dat-dai&amp;lang=vi"`) {
		t.Error("the report does not lead to the page with its filters")
	}
	page := e.do(call{path: "/reports/demo/items?lang=vi&field=dat-dai", cookie: cookie})
	for _, want := range []string{"Cần cải thiện trước", "Lĩnh vực: Đất đai", `href="/reports/demo?field=dat-dai&amp;lang=vi"`, `class="ipa"`, `class="q-concentrate_here"`, `class="l5"`, "Cronbach", "không phải quan hệ nhân quả", "22. "} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if page.status != http.StatusOK || strings.Contains(page.body, " style=") || strings.Contains(page.body, "<script") || strings.Contains(page.body, "NaN") {
		t.Errorf("%d: the page breaks its policy", page.status)
	}
	if page := e.do(call{path: "/reports/demo/items?lang=en", cookie: cookie}); !strings.Contains(page.body, "To be improved first") {
		t.Error("the English page")
	}
	nobody := e.do(call{path: "/reports/demo/items?lang=en&from=2020-01-01&to=2020-01-02", cookie: cookie})
	if nobody.status != http.StatusOK || !strings.Contains(nobody.body, e.server.texts.say("en", "items.first_none")) || strings.Contains(nobody.body, `class="ipa"`) {
		t.Errorf("nobody answered: %d", nobody.status)
	}
	if wrong := e.do(call{path: "/reports/demo/items?lang=en&outcome=c99", cookie: cookie}); wrong.status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong outcome: %d", wrong.status)
	}
}

// TestItemsOrder: what is surely to be improved stands first, the poorest before
// others; the map spans its drawing.
func TestItemsOrder(t *testing.T) {
	n := func(v float64) *float64 { return &v }
	item := func(id string, share, importance float64, q stats.Quadrant, sure bool) stats.ItemInsight {
		return stats.ItemInsight{ID: id, Performance: stats.Measure{Value: n(share)}, Importance: stats.Measure{Value: n(importance)}, Quadrant: q, Sure: sure,
			Levels: [5]stats.Measure{{Value: n(10)}, {Value: n(0)}, {Value: n(20)}, {Value: n(30)}, {Value: n(40)}}}
	}
	v := &itemsView{Levels: make([]survey.Text, 5), Understanding: &stats.Understanding{PerformanceThreshold: n(80), ImportanceThreshold: n(0.6), Items: []stats.ItemInsight{
		item("unsure", 60, 0.7, stats.ConcentrateHere, false), item("poor", 70, 0.8, stats.ConcentrateHere, true), item("poorer", 65, 0.65, stats.ConcentrateHere, true),
		item("good", 100, 0.4, stats.PossibleOverkill, true), {ID: "nobody"},
	}}}
	v.place()
	var first []string
	for _, x := range v.First {
		first = append(first, x.ID)
	}
	if strings.Join(first, " ") != "poorer poor unsure" {
		t.Errorf("to be improved: %v", first)
	}
	good, unsure := v.All[3], v.All[0]
	if good.X != "306" || good.Y != "186" || unsure.X != "14" || v.All[4].X != "" || v.X != "160" || v.Y != "100" {
		t.Errorf("good at %s, %s, unsure at %s, thresholds at %s, %s", good.X, good.Y, unsure.X, v.X, v.Y)
	}
	if b := good.Bars; len(b) != 5 || b[4].X != "120" || b[4].Width != "80" || b[2].X != "20" {
		t.Errorf("bars %v", b)
	}
}
