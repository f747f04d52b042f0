// Package publish renders a stats.Report for people and programs: as a table
// for the terminal, as JSON and as CSV. All of them show the same value; no
// number is computed here.
package publish

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"sipas/stats"
	"sipas/survey"
)

// Formats are the values of a format parameter.
var Formats = []string{"table", "json", "csv"}

// Write renders the report in one of [Formats], in the language lang.
func Write(w io.Writer, r *stats.Report, format, lang string) error {
	switch format {
	case "table":
		return Table(w, r, lang)
	case "json":
		return JSON(w, r)
	case "csv":
		return CSV(w, r, lang)
	}
	return fmt.Errorf("there is no format %q; the formats are %s", format, strings.Join(Formats, ", "))
}

// JSON writes the report as indented JSON.
func JSON(w io.Writer, r *stats.Report) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// Number writes v with so many decimals, with a decimal comma in Vietnamese and
// a point elsewhere; "–" where there is no number.
func Number(v *float64, decimals int, lang string) string {
	if v == nil {
		return "–"
	}
	s := strconv.FormatFloat(*v, 'f', decimals, 64)
	if lang == survey.Vietnamese {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// VerdictText says a decision in words.
func VerdictText(d stats.Decision, lang string) string {
	if d.Verdict == nil {
		if t, ok := reasonTexts[d.Reason]; ok {
			return t.In(lang)
		}
		return survey.Text{"vi": "Không kết luận", "en": "No verdict"}.In(lang)
	}
	return verdictTexts[*d.Verdict].In(lang)
}

// ReasonText says in words why a number is missing.
func ReasonText(reason, lang string) string {
	if t, ok := reasonTexts[reason]; ok {
		return t.In(lang)
	}
	return reason
}

var verdictTexts = map[stats.Verdict]survey.Text{
	stats.Met:       {"vi": "Đạt mục tiêu", "en": "Target met"},
	stats.NotMet:    {"vi": "Không đạt mục tiêu", "en": "Target not met"},
	stats.Undecided: {"vi": "Chưa đủ căn cứ kết luận", "en": "Undecided"},
	stats.TooFew:    {"vi": "Quá ít phiếu để kết luận", "en": "Too few answers"},
}

var reasonTexts = map[string]survey.Text{
	"answers_exceed_transactions": {"vi": "Không kết luận: số phiếu nhiều hơn số kết quả đã trả", "en": "No verdict: more answers than results returned"},
	"suppressed":                  {"vi": "Không kết luận: khoảng tin cậy quá rộng", "en": "No verdict: the interval is too wide"},
	stats.ReasonIncomplete:        {"vi": "Thiếu tiêu chí", "en": "Incomplete criteria"},
	stats.ReasonNoAnswers:         {"vi": "Không có câu trả lời", "en": "No answers"},
	stats.ReasonNoPopulation:      {"vi": "Chưa có số kết quả đã trả", "en": "No figures of results returned"},
	stats.ReasonUncovered:         {"vi": "Không được phủ bởi quyền số", "en": "Not covered by the weights"},
	stats.ReasonTooFewPSUs:        {"vi": "Không đủ số ngày trả lời để tính sai số", "en": "Too few days of answers for a standard error"},
	stats.ReasonLonelyPSU:         {"vi": "Có tầng chỉ gồm một đơn vị chọn mẫu", "en": "A stratum has a single sampling unit"},
	stats.ReasonNoVariation:       {"vi": "Không có biến thiên giữa các ngày", "en": "No variation between days"},
}
