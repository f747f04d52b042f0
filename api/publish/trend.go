package publish

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"sipas/stats"
)

// WriteTrend renders a trend as "table" or "json", in the language lang.
func WriteTrend(w io.Writer, t *stats.Trend, format, lang string) error {
	switch format {
	case "table":
		return trendTable(w, t, lang)
	case "json":
		return indented(w, t)
	}
	return fmt.Errorf("there is no format %q; the formats are table, json", format)
}

func trendTable(w io.Writer, trend *stats.Trend, lang string) error {
	t := &table{out: bufio.NewWriter(w), lang: lang}
	t.filters(trend.Filter)
	t.fact(t.say("Độ tin cậy", "Confidence level"), t.number(&trend.Level, -1)+"%")
	t.fact(t.say("Phần mềm", "Software"), trend.Software)
	for _, n := range trend.Notices {
		t.printf("! %s\n", plain(n.Text.In(lang)))
	}
	t.printf("\n")
	rows := [][]string{{t.say("Đợt", "Round"), "%", "± SE", t.say("từ", "from"), t.say("đến", "to"), "n", t.say("chỉ tiêu", "target"), t.say("ghi chú", "note")}}
	for i := range trend.Points {
		p := &trend.Points[i]
		rows = append(rows, []string{p.Round.ID + " " + p.Round.Title.In(lang), t.number(p.Figure.Value, 2), t.number(p.Figure.SE, 2), t.number(p.Figure.Low, 2), t.number(p.Figure.High, 2),
			strconv.Itoa(p.N), t.number(&p.Round.Target, -1), t.note(p.Figure)})
	}
	t.align(rows, 7)
	rows = [][]string{{t.say("Xu hướng", "Slope"), t.say("điểm mỗi năm", "points a year"), t.say("từ", "from"), t.say("đến", "to"), "p", t.say("ghi chú", "note")}}
	for i := range trend.Runs {
		run := &trend.Runs[i]
		p, note := "–", ""
		if run.P != nil {
			p = t.p(*run.P)
		}
		if run.Reason != "" {
			note = ReasonText(run.Reason, lang)
		}
		rows = append(rows, []string{strings.Join(run.Rounds, ", "), t.number(run.Slope.Value, 2), t.number(run.Slope.Low, 2), t.number(run.Slope.High, 2), p, note})
	}
	t.printf("\n")
	t.align(rows, 5)
	for _, b := range trend.Breaks {
		t.printf("! %s\n", plain(b.Text.In(lang)))
	}
	return t.out.Flush()
}

// filters writes what narrows figures.
func (t *table) filters(filter map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		t.fact(factTexts["filter"].In(t.lang), name+" = "+filter[name])
	}
}
