package publish

import (
	"bufio"
	"fmt"
	"io"
	"strconv"

	"sipas/stats"
	"sipas/survey"
)

// WriteItems renders what lies behind an index as "table" or "json", in the
// language lang.
func WriteItems(w io.Writer, u *stats.Understanding, format, lang string) error {
	switch format {
	case "table":
		return itemsTable(w, u, lang)
	case "json":
		return indented(w, u)
	}
	return fmt.Errorf("there is no format %q; the formats are table, json", format)
}

func itemsTable(w io.Writer, u *stats.Understanding, lang string) error {
	t := &table{out: bufio.NewWriter(w), lang: lang}
	t.printf("%s (%s)\n", plain(u.Round.Title.In(lang)), plain(u.Round.ID))
	t.filters(u.Filter)
	t.fact(t.say("Số phiếu", "Answers"), strconv.Itoa(u.N))
	t.fact(t.say("Gia quyền", "Weighting"), word(weightingTexts, u.Weighting, u.Weighting, lang))
	t.fact(t.say("Phạm vi kết luận", "Basis"), word(basisTexts, u.Basis, u.Basis, lang))
	t.fact(t.say("Độ tin cậy", "Confidence level"), t.number(&u.Level, -1)+"%")
	t.fact(t.say("Phần mềm", "Software"), u.Software)
	for _, n := range u.Notices {
		t.printf("! %s\n", plain(n.Text.In(lang)))
	}
	rows := [][]string{{t.say("Tiêu chí", "Criterion"), t.say("hài lòng %", "satisfied %"), t.say("quan trọng", "importance"), t.say("từ", "from"), t.say("đến", "to"), "n",
		t.say("trung bình", "mean"), t.say("α nếu bỏ", "α without"), t.say("nhận định", "reading")}}
	for i := range u.Items {
		it := &u.Items[i]
		reading := word(quadrantTexts, string(it.Quadrant), string(it.Quadrant), lang)
		if it.Quadrant != stats.NoQuadrant && !it.Sure {
			reading += t.say(" (có thể do ngẫu nhiên)", " (may be chance)")
		}
		rows = append(rows, []string{it.ID + " " + it.Text.In(lang), t.number(it.Performance.Value, 2), t.number(it.Importance.Value, 3), t.number(it.Importance.Low, 3), t.number(it.Importance.High, 3),
			strconv.Itoa(it.N), t.number(it.Mean.Value, 2), t.number(it.AlphaIfDeleted, 3), reading})
	}
	t.printf("\n")
	t.align(rows, 8)
	rows = [][]string{{t.say("Yếu tố", "Factor"), t.say("phần của R²", "part of R²"), t.say("từ", "from"), t.say("đến", "to"), "α", "n", t.say("ghi chú", "note")}}
	scale := func(name string, part stats.Measure, s stats.ScaleFigures) {
		note := ""
		if s.Reason != "" {
			note = ReasonText(s.Reason, lang)
		}
		rows = append(rows, []string{name, t.number(part.Value, 3), t.number(part.Low, 3), t.number(part.High, 3), t.number(s.Alpha.Value, 3), strconv.Itoa(s.N), note})
	}
	for i := range u.Factors {
		var part stats.Measure
		for _, d := range u.Drivers.Factors {
			if d.ID == u.Factors[i].ID {
				part = d.Importance
			}
		}
		scale(u.Factors[i].ID+" "+u.Factors[i].Title.In(lang), part, u.Factors[i].Scale)
	}
	scale(t.say("Tất cả", "All"), u.Drivers.RSquared, u.Scale)
	t.printf("\n")
	t.align(rows, 6)
	if u.Drivers.Reason != "" {
		t.fact(t.say("Hồi quy", "Regression"), ReasonText(u.Drivers.Reason, lang))
	}
	return t.out.Flush()
}

var quadrantTexts = map[string]survey.Text{
	"":                  {"vi": "–", "en": "–"},
	"concentrate_here":  {"vi": "cần cải thiện trước", "en": "improve first"},
	"keep_up":           {"vi": "giữ vững", "en": "keep up"},
	"low_priority":      {"vi": "chưa cấp bách", "en": "low priority"},
	"possible_overkill": {"vi": "có thể làm quá mức", "en": "possible overkill"},
}
