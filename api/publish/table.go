package publish

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"sipas/stats"
	"sipas/survey"
)

// Table writes the report for a terminal: what it speaks of, the counts, the
// verdict, index, factors and items, the answers to each item, the cells left
// out of the weights, and the groups. An estimate that cannot be given is "–"
// with the reason beside it.
func Table(w io.Writer, r *stats.Report, lang string) error {
	t := &table{out: bufio.NewWriter(w), lang: lang, report: r}
	t.head()
	t.counts()
	t.verdict(&r.Total)
	t.estimates(&r.Total)
	t.answers(r.Total.Items)
	t.cells()
	t.groups()
	return t.out.Flush()
}

// table writes through a buffer, which remembers the first error.
type table struct {
	out    *bufio.Writer
	lang   string
	report *stats.Report
}

// printf leaves the error to the buffer's Flush.
func (t *table) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

func (t *table) say(vi, en string) string {
	return survey.Text{survey.Vietnamese: vi, survey.English: en}.In(t.lang)
}

func (t *table) number(v *float64, decimals int) string { return Number(v, decimals, t.lang) }

func (t *table) head() {
	r := t.report
	t.printf("%s (%s)\n", plain(r.Round.Title.In(t.lang)), plain(r.Round.ID))
	t.printf("%s %s@%d; %s %s – %s", t.say("Bộ phiếu", "Instrument"), plain(r.Round.Instrument), r.Round.Version,
		t.say("từ", "from"), plain(string(r.Round.First)), plain(string(r.Round.Last)))
	if r.CutOff != nil {
		t.printf("; %s %s", t.say("số liệu đến", "data until"), r.CutOff.In(survey.VietnamTime()).Format("2006-01-02 15:04"))
	}
	t.printf("\n")
	if r.Round.LegalBasis != "" {
		t.fact(t.say("Căn cứ pháp lý", "Legal basis"), r.Round.LegalBasis)
	}
	t.fact(t.say("Cách thu phiếu", "Design"), word(designTexts, r.Round.Design, r.Round.Design, t.lang))
	t.fact(t.say("Phạm vi kết luận", "Basis"), word(basisTexts, r.Basis, r.Basis, t.lang))
	t.fact(t.say("Phương pháp tính", "Method"), t.method(r.Method))
	for _, m := range r.Methods {
		if m.Name != r.Method.Name {
			t.fact("  "+t.say("cạnh đó", "beside it"), t.method(m))
		}
	}
	t.weighting()
	t.fact(t.say("Độ tin cậy", "Confidence level"), t.number(&r.Level, -1)+"%")
	t.fact(t.say("Phần mềm", "Software"), r.Software)
	for _, f := range metaOf(r, t.lang) {
		if name, ok := strings.CutPrefix(f.id, "filter."); ok {
			t.fact(f.name, name+" = "+f.text)
		}
	}
	for _, n := range r.Notices {
		t.printf("! %s\n", plain(n.Text.In(t.lang)))
	}
}

func (t *table) fact(name, text string) { t.printf("%s: %s\n", name, plain(text)) }

func (t *table) method(m stats.MethodHeader) string {
	text := fmt.Sprintf("%s v%d (%s)", m.Name, m.Version, m.Combine)
	if len(m.FactorWeights) > 0 {
		weights := make([]string, len(m.FactorWeights))
		for i := range m.FactorWeights {
			weights[i] = t.number(&m.FactorWeights[i], 4)
		}
		text += "; " + t.say("trọng số các yếu tố", "weights of the factors") + " " + strings.Join(weights, " ")
	}
	return text
}

func (t *table) weighting() {
	g := &t.report.Weighting
	text := word(weightingTexts, g.Kind, g.Kind, t.lang)
	if g.Kind != "none" {
		text += fmt.Sprintf("; %s %d, %s %d, %s %d, %s %s",
			t.say("kết quả đã trả", "results returned"), g.Returned,
			t.say("được phủ", "covered"), g.Covered,
			t.say("không kênh nào tiếp cận được", "out of reach of every door"), g.Unreachable,
			t.say("quyền số lớn nhất/nhỏ nhất", "largest/smallest weight"), t.number(g.LargestRatio, 2))
	}
	t.fact(t.say("Gia quyền", "Weighting"), text)
}

// counts writes one line for the answers received, then one each by channel,
// door and flag.
func (t *table) counts() {
	lines := []struct{ title, prefix string }{
		{t.say("Số phiếu", "Answers"), ""},
		{t.say("Theo hình thức", "By channel"), "by_channel."},
		{t.say("Theo cửa vào", "By door"), "by_door."},
		{t.say("Theo dấu hiệu", "By flag"), "by_flag."},
	}
	all := countsOf(&t.report.Counts, t.lang)
	for _, line := range lines {
		var parts []string
		for _, c := range all {
			code, grouped := strings.CutPrefix(c.id, line.prefix)
			switch {
			case !grouped || line.prefix == "" && strings.Contains(c.id, "."):
				continue
			case line.prefix != "" && c.name != code:
				parts = append(parts, fmt.Sprintf("%s (%s) %d", c.name, code, c.n))
			default:
				parts = append(parts, fmt.Sprintf("%s %d", c.name, c.n))
			}
		}
		if len(parts) > 0 {
			t.fact(line.title, strings.Join(parts, ", "))
		}
	}
	t.printf("\n")
}

// verdict says the result in the two lines of the Ministry's form.
func (t *table) verdict(g *stats.Group) {
	index, weighting := headline(t.report, g.Weighted, g.Unweighted)
	title := t.say("Kết quả so với chỉ tiêu", "Result against the target")
	if weighting == "unweighted" {
		title += t.say(" (không gia quyền)", " (unweighted)")
	}
	target := t.number(&g.Verdict.Target, -1)
	if index.Value == nil {
		t.fact(title, fmt.Sprintf("– (%s); %s %s%%", ReasonText(index.Reason, t.lang), t.say("chỉ tiêu", "target"), target))
	} else {
		t.fact(title, fmt.Sprintf("%s%% %s %s%%", t.number(index.Value, 2), reaches(g.Verdict), target))
	}
	conclusion := VerdictText(g.Verdict, t.lang)
	if g.Verdict.Interim {
		conclusion += t.say(" (tạm thời)", " (interim)")
	}
	t.fact(t.say("Kết luận thống kê", "Statistical conclusion"), fmt.Sprintf("%s; %s; %s %s%%", conclusion,
		word(basisTexts, g.Verdict.Basis, g.Verdict.Basis, t.lang), t.say("độ tin cậy", "level"), t.number(&g.Verdict.Level, -1)))
	if g.ResponseRate != nil {
		t.fact(t.say("Tỷ lệ trả lời", "Response rate"), t.number(g.ResponseRate, 2)+"%")
	}
	if g.TippingPoint != nil {
		t.fact(t.say("Điểm lật (chỉ tiêu không đạt nếu người không trả lời hài lòng dưới mức này)", "Tipping point (the target is missed if those who did not answer are satisfied less than this)"), t.number(g.TippingPoint, 2)+"%")
	}
	t.printf("\n")
}

// estimates writes index, factors and items: the headline estimate with its
// interval, the unweighted one beside it.
func (t *table) estimates(g *stats.Group) {
	rows := [][]string{{t.say("Chỉ số", "Index"), "%", "± SE", t.say("từ", "from"), t.say("đến", "to"), "n", "df", "deff",
		t.say("không gia quyền %", "unweighted %"), t.say("ghi chú", "note")}}
	add := func(name string, weighted, unweighted stats.Figure) {
		f, _ := headline(t.report, weighted, unweighted)
		rows = append(rows, []string{name, t.number(f.Value, 2), t.number(f.SE, 2), t.number(f.Low, 2), t.number(f.High, 2),
			strconv.Itoa(f.N), strconv.Itoa(f.DF), t.number(f.Deff, 2), t.number(unweighted.Value, 2), t.note(f)})
	}
	for _, m := range g.Methods {
		add(m.Name, m.Weighted, m.Unweighted)
	}
	for _, f := range g.Factors {
		add(f.ID+" "+f.Title.In(t.lang), f.Weighted, f.Unweighted)
	}
	for _, it := range g.Items {
		add(it.ID+" "+it.Text.In(t.lang), it.Weighted, it.Unweighted)
	}
	t.align(rows, 9)
}

// note says what is missing in an estimate or weak about it.
func (t *table) note(f stats.Figure) string {
	var parts []string
	if f.Reason != "" {
		parts = append(parts, ReasonText(f.Reason, t.lang))
	}
	for _, m := range f.Marks {
		parts = append(parts, word(markTexts, m, m, t.lang))
	}
	return strings.Join(parts, "; ")
}

// answers writes how many gave each level, or none, to each item.
func (t *table) answers(items []stats.ItemFigures) {
	rows := [][]string{{t.say("Số phiếu theo mức", "Answers by level"), "1", "2", "3", "4", "5",
		t.say("không hỏi", "not asked"), t.say("bỏ trống", "blank"), t.say("không áp dụng", "n/a"), t.say("bỏ dở", "broken off")}}
	for _, it := range items {
		row := []string{it.ID}
		for _, n := range it.Levels {
			row = append(row, strconv.Itoa(n))
		}
		for _, n := range [...]int{it.NotAsked, it.Blank, it.NotApplicable, it.BrokenOff} {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	t.printf("\n")
	t.align(rows, len(rows[0]))
}

// cells writes the weight cells that a reader must know of: those left out, and
// those with more answers than results.
func (t *table) cells() {
	rows := [][]string{{t.say("Ô không phủ", "Cells not covered"), t.say("kết quả", "returned"), t.say("phiếu", "answers"), t.say("lý do", "reason")}}
	for i := range t.report.Weighting.Cells {
		c := &t.report.Weighting.Cells[i]
		var reasons []string
		switch {
		case c.Uncovered && c.Returned == 0:
			reasons = append(reasons, ReasonText(stats.ReasonNoPopulation, t.lang))
		case c.Uncovered:
			reasons = append(reasons, ReasonText(stats.ReasonUncovered, t.lang))
		}
		if c.Exceeds {
			reasons = append(reasons, ReasonText("answers_exceed_transactions", t.lang))
		}
		if len(reasons) > 0 {
			rows = append(rows, []string{c.Unit + " " + members(c), strconv.Itoa(c.Returned), strconv.Itoa(c.Answers), strings.Join(reasons, "; ")})
		}
	}
	if len(rows) > 1 {
		t.printf("\n")
		t.align(rows, 3)
	}
}

func (t *table) groups() {
	r := t.report
	if r.By == "" {
		return
	}
	rows := [][]string{{r.By, t.say("hạng", "rank"), t.say("khoảng hạng", "rank range"), "%", t.say("từ", "from"), t.say("đến", "to"), "n",
		t.say("không gia quyền %", "unweighted %"), t.say("trả lời %", "response %"), t.say("kết luận", "verdict")}}
	rankGroup := ""
	for i := range r.Groups {
		g := &r.Groups[i]
		if g.RankGroup != rankGroup {
			rankGroup = g.RankGroup
			rows = append(rows, []string{"[" + rankGroup + "]"})
		}
		rank, between := "–", "–"
		if g.Rank != nil {
			rank = strconv.Itoa(*g.Rank)
		}
		if g.RankRange != nil {
			between = fmt.Sprintf("%d–%d", g.RankRange.Low, g.RankRange.High)
		}
		f, _ := headline(r, g.Weighted, g.Unweighted)
		verdict := VerdictText(g.Verdict, t.lang)
		if f.Value == nil && f.Reason != g.Verdict.Reason {
			verdict += "; " + ReasonText(f.Reason, t.lang)
		}
		rows = append(rows, []string{g.Label.In(t.lang), rank, between, t.number(f.Value, 2), t.number(f.Low, 2), t.number(f.High, 2),
			strconv.Itoa(g.N), t.number(g.Unweighted.Value, 2), t.number(g.ResponseRate, 1), verdict})
	}
	t.printf("\n")
	t.align(rows, 9)
}

// align writes rows with the first column and those from the column words on
// to the left, the others to the right. Text is in composed characters, one
// column each.
func (t *table) align(rows [][]string, words int) {
	const longest = 60
	widths := map[int]int{}
	for _, row := range rows {
		row[0] = shorten(row[0], longest)
		for i, cell := range row {
			row[i] = plain(cell)
			if len(row) > 1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
			}
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell)))
			switch {
			case i == 0:
				line.WriteString(cell + pad)
			case i >= words:
				line.WriteString("  " + cell + pad)
			default:
				line.WriteString("  " + pad + cell)
			}
		}
		t.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
}

func reaches(d stats.Decision) string {
	switch {
	case d.ReachesTarget == nil:
		return "?"
	case *d.ReachesTarget:
		return "≥"
	}
	return "<"
}

// shorten cuts s to n characters.
func shorten(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// plain keeps tabs, line breaks and the terminal's control codes out of a text.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsControl(c) {
			return ' '
		}
		return c
	}, s)
}

var designTexts = map[string]survey.Text{
	survey.DesignVisitors:  {"vi": "người đến giao dịch tự trả lời", "en": "visitors who chose to answer"},
	survey.DesignDrawn:     {"vi": "chọn mẫu ngẫu nhiên có ghi lại", "en": "a recorded random draw"},
	survey.DesignHousehold: {"vi": "chọn mẫu ngẫu nhiên tại hộ gia đình", "en": "a random draw of households"},
}

var basisTexts = map[string]survey.Text{
	"respondents": {"vi": "chỉ phản ánh người đã trả lời", "en": "speaks only of those who answered"},
	"population":  {"vi": "đại diện cho toàn bộ người đã giao dịch", "en": "speaks of everybody who had a transaction"},
}

var weightingTexts = map[string]survey.Text{
	"post_stratified": {"vi": "theo số kết quả đã trả", "en": "to results returned"},
	"raked":           {"vi": "theo số kết quả đã trả của đơn vị, lĩnh vực và hình thức nộp", "en": "to results returned by unit, field and filing channel"},
	"design":          {"vi": "theo quyền số chọn mẫu", "en": "by the weights of the draw"},
	"none":            {"vi": "không gia quyền", "en": "none"},
}

var markTexts = map[string]survey.Text{
	"review": {"vi": "df dưới 8", "en": "df below 8"},
	"cv":     {"vi": "sai số tương đối trên 30%", "en": "relative error above 30%"},
	"wide":   {"vi": "khoảng rộng từ 30 điểm", "en": "interval of 30 points or more"},
}
