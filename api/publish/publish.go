// Package publish renders reports, pictures, comparisons, trends and plans for
// people and programs: as a table for the terminal, as JSON and as CSV. All of
// them show the same value; no number is computed here.
package publish

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

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
func JSON(w io.Writer, r *stats.Report) error { return indented(w, r) }

func indented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
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

// headline is the figure that speaks for the report: the weighted one, or the
// unweighted one where the round has no population figures at all. A weighted
// figure that is missing for another reason is not replaced: the unweighted one
// would speak of other people.
func headline(r *stats.Report, weighted, unweighted stats.Figure) (f stats.Figure, weighting string) {
	if r.Weighting.Kind == "none" {
		return unweighted, "unweighted"
	}
	return weighted, "weighted"
}

// VerdictText says a decision in words, with the reason where there is none.
func VerdictText(d stats.Decision, lang string) string {
	if d.Verdict != nil {
		return word(verdictTexts, string(*d.Verdict), string(*d.Verdict), lang)
	}
	none := survey.Text{"vi": "Không kết luận", "en": "No verdict"}.In(lang)
	if d.Reason == "" {
		return none
	}
	first, size := utf8.DecodeRuneInString(ReasonText(d.Reason, lang))
	return none + ": " + string(unicode.ToLower(first)) + ReasonText(d.Reason, lang)[size:]
}

// ReasonText says in words why a number is missing; a reason that is not known
// stands for itself.
func ReasonText(reason, lang string) string { return word(reasonTexts, reason, reason, lang) }

var verdictTexts = map[string]survey.Text{
	string(stats.Met):       {"vi": "Đạt mục tiêu", "en": "Target met"},
	string(stats.NotMet):    {"vi": "Không đạt mục tiêu", "en": "Target not met"},
	string(stats.Undecided): {"vi": "Chưa đủ căn cứ kết luận", "en": "Undecided"},
	string(stats.TooFew):    {"vi": "Quá ít phiếu để kết luận", "en": "Too few answers"},
}

var reasonTexts = map[string]survey.Text{
	"answers_exceed_transactions": {"vi": "Số phiếu nhiều hơn số kết quả đã trả", "en": "More answers than results returned"},
	"suppressed":                  {"vi": "Khoảng tin cậy quá rộng", "en": "The interval is too wide"},
	"draw_counts":                 {"vi": "Số liệu chọn mẫu mâu thuẫn", "en": "Contradictory counts of the draw"},
	"not_finite":                  {"vi": "Quyền số ngoài phạm vi tính được", "en": "Weights outside what can be computed"},
	stats.ReasonIncomplete:        {"vi": "Thiếu tiêu chí", "en": "Incomplete criteria"},
	stats.ReasonNoAnswers:         {"vi": "Không có câu trả lời", "en": "No answers"},
	stats.ReasonNoPopulation:      {"vi": "Chưa có số kết quả đã trả", "en": "No figures of results returned"},
	stats.ReasonUncovered:         {"vi": "Không được phủ bởi quyền số", "en": "Not covered by the weights"},
	stats.ReasonMarginTotals:      {"vi": "Số kết quả đã trả theo các cách phân loại không khớp nhau", "en": "Results returned differ between classifications"},
	stats.ReasonMarginEmpty:       {"vi": "Có nhóm có kết quả đã trả nhưng không có phiếu, hoặc ngược lại", "en": "A class has results but no answers, or the reverse"},
	stats.ReasonNotConverged:      {"vi": "Không có quyền số nào khớp với số kết quả đã trả", "en": "No weights meet the results returned"},
	stats.SlopeOnePoint:           {"vi": "Chỉ có một đợt cùng cách tính", "en": "Only one round was computed in this way"},
	stats.SlopeNoError:            {"vi": "Có đợt không tính được sai số", "en": "A round has no standard error"},
	stats.ReasonTooFewPSUs:        {"vi": "Không đủ số ngày trả lời để tính sai số", "en": "Too few days of answers for a standard error"},
	stats.ReasonLonelyPSU:         {"vi": "Có tầng chỉ gồm một đơn vị chọn mẫu", "en": "A stratum has a single sampling unit"},
	stats.ReasonNoVariation:       {"vi": "Không có biến thiên giữa các ngày", "en": "No variation between days"},
}
