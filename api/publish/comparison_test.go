package publish

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sipas/stats"
	"sipas/survey"
)

func comparison() *stats.Comparison {
	return &stats.Comparison{
		By: "unit", Filter: map[string]string{"field": "land"}, Basis: "respondents", Weighting: "post_stratified", Level: 95,
		Method:     stats.MethodHeader{Name: "pooled", Version: 4, Combine: "pooled"},
		Notices:    []stats.Notice{{Code: "one_pair", Text: survey.Text{"vi": "Một cặp", "en": "One pair"}}},
		A:          stats.Side{Label: survey.Text{"vi": "Xã A", "en": "Commune A"}, N: 40, Figure: stats.Figure{N: 40, Value: ptr(82.5), SE: ptr(1.25), Low: ptr(79.75), High: ptr(84.5), DF: 31}},
		B:          stats.Side{Label: survey.Text{"vi": "Xã B", "en": "Commune B"}, N: 50, Figure: stats.Figure{N: 50, Value: ptr(80.25), SE: ptr(1.5), Low: ptr(77.25), High: ptr(83.25), DF: 29, Marks: []string{"wide"}}},
		Difference: stats.Difference{Value: ptr(-2.25), SE: ptr(1.75), Low: ptr(-5.75), High: ptr(1.25), DF: ptr(58.5), P: ptr(0.20625), Covariance: ptr(0.0)},
		Conclusion: ptr(stats.NotDistinguishable),
	}
}

func TestComparisonTable(t *testing.T) {
	show := func(c *stats.Comparison, lang string) string {
		var out bytes.Buffer
		if err := WriteComparison(&out, c, "table", lang); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	vi := show(comparison(), "vi")
	for start, want := range map[string]string{
		"A Xã A":           "82,50 1,25 79,75 84,50 40 31",
		"B Xã B":           "80,25 1,50 77,25 83,25 50 29 khoảng rộng từ 30 điểm",
		"B trừ A (điểm)":   "-2,25 1,75 -5,75 1,25 58,5",
		"p:":               "0,2062",
		"! Một":            "cặp",
		"Bộ lọc: field":    "= land",
		"Phương pháp tính": ": pooled v4 (pooled)",
	} {
		if got := fields(t, vi, start); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, want %q", start, got, want)
		}
	}
	if !strings.Contains(vi, "Chưa phân biệt được") {
		t.Errorf("the conclusion is missing in\n%s", vi)
	}
	for _, test := range []struct {
		change func(*stats.Comparison)
		want   string
	}{
		{func(c *stats.Comparison) { c.Conclusion = ptr(stats.Higher) }, "Conclusion: B is higher than A"},
		{func(c *stats.Comparison) { c.Conclusion = ptr(stats.Lower) }, "Conclusion: B is lower than A"},
		{func(c *stats.Comparison) { c.Conclusion = ptr(stats.TooFewToCompare) }, "Conclusion: Too few answers to compare"},
		{func(c *stats.Comparison) { c.Conclusion, c.Reason = nil, stats.ReasonIncomplete }, "Conclusion: No verdict: incomplete criteria"},
		{func(c *stats.Comparison) { c.Difference.P = ptr(1e-9) }, "p: < 0.0001"},
		{func(c *stats.Comparison) { c.Difference = stats.Difference{Reason: stats.ReasonNoAnswers} }, "B less A (points)      –     –      –      –       –  No answers"},
		{func(c *stats.Comparison) { c.A.Label = survey.Text{"en": "a\x1b[2Jb"} }, "a [2Jb"},
	} {
		c := comparison()
		test.change(c)
		if out := show(c, "en"); !strings.Contains(out, test.want) {
			t.Errorf("%q is missing in\n%s", test.want, out)
		}
	}
}

func TestComparisonJSON(t *testing.T) {
	var out bytes.Buffer
	if err := WriteComparison(&out, comparison(), "json", "vi"); err != nil {
		t.Fatal(err)
	}
	var back stats.Comparison
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || !reflect.DeepEqual(&back, comparison()) {
		t.Errorf("%v: %+v", err, back)
	}
	if err := WriteComparison(&out, comparison(), "csv", "vi"); err == nil {
		t.Error("an unknown format is written")
	}
	for _, format := range []string{"table", "json"} {
		if err := WriteComparison(ptr(failing(10)), comparison(), format, "vi"); err == nil {
			t.Errorf("%s: a full disk is no error", format)
		}
	}
}
