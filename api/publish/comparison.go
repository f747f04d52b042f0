package publish

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"sipas/stats"
	"sipas/survey"
)

// WriteComparison renders a comparison as "table" or "json", in the language
// lang.
func WriteComparison(w io.Writer, c *stats.Comparison, format, lang string) error {
	switch format {
	case "table":
		return comparisonTable(w, c, lang)
	case "json":
		return indented(w, c)
	}
	return fmt.Errorf("there is no format %q; the formats are table, json", format)
}

func comparisonTable(w io.Writer, c *stats.Comparison, lang string) error {
	t := &table{out: bufio.NewWriter(w), lang: lang}
	t.fact(t.say("So sánh theo", "Compared by"), c.By)
	t.filters(c.Filter)
	t.fact(t.say("Phương pháp tính", "Method"), t.method(c.Method))
	t.fact(t.say("Gia quyền", "Weighting"), word(weightingTexts, c.Weighting, c.Weighting, lang))
	t.fact(t.say("Phạm vi kết luận", "Basis"), word(basisTexts, c.Basis, c.Basis, lang))
	t.fact(t.say("Độ tin cậy", "Confidence level"), t.number(&c.Level, -1)+"%")
	t.fact(t.say("Phần mềm", "Software"), c.Software)
	for _, n := range c.Notices {
		t.printf("! %s\n", plain(n.Text.In(lang)))
	}
	t.printf("\n")
	rows := [][]string{{"", "%", "± SE", t.say("từ", "from"), t.say("đến", "to"), "n", "df", t.say("ghi chú", "note")}}
	for _, side := range []struct {
		name string
		of   *stats.Side
	}{{"A", &c.A}, {"B", &c.B}} {
		f := side.of.Figure
		rows = append(rows, []string{side.name + " " + side.of.Label.In(lang), t.number(f.Value, 2), t.number(f.SE, 2), t.number(f.Low, 2), t.number(f.High, 2),
			strconv.Itoa(f.N), strconv.Itoa(f.DF), t.note(f)})
	}
	d := c.Difference
	note := ""
	if d.Reason != "" {
		note = ReasonText(d.Reason, lang)
	}
	rows = append(rows, []string{t.say("B trừ A (điểm)", "B less A (points)"), t.number(d.Value, 2), t.number(d.SE, 2), t.number(d.Low, 2), t.number(d.High, 2), "", t.number(d.DF, 1), note})
	t.align(rows, 7)
	t.printf("\n")
	if d.P != nil {
		t.fact("p", t.p(*d.P))
	}
	t.fact(t.say("Kết luận", "Conclusion"), ConclusionText(c, lang))
	return t.out.Flush()
}

// p writes a p-value; nobody needs more than four decimals of one.
func (t *table) p(p float64) string {
	least := 0.0001
	if p < least {
		return "< " + t.number(&least, 4)
	}
	return t.number(&p, 4)
}

// ConclusionText says in words how B stands to A, or why nothing is said.
func ConclusionText(c *stats.Comparison, lang string) string {
	if c.Conclusion != nil {
		return word(conclusionTexts, string(*c.Conclusion), string(*c.Conclusion), lang)
	}
	return VerdictText(stats.Decision{Reason: c.Reason}, lang)
}

var conclusionTexts = map[string]survey.Text{
	string(stats.Higher):             {"vi": "B cao hơn A", "en": "B is higher than A"},
	string(stats.Lower):              {"vi": "B thấp hơn A", "en": "B is lower than A"},
	string(stats.NotDistinguishable): {"vi": "Chưa phân biệt được B với A (không có nghĩa là bằng nhau)", "en": "B cannot be told from A (which does not say that they are equal)"},
	string(stats.TooFewToCompare):    {"vi": "Quá ít phiếu để so sánh", "en": "Too few answers to compare"},
}
