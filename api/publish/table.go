package publish

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sipas/stats"
	"sipas/survey"
)

// Table writes the report for a terminal.
func Table(w io.Writer, r *stats.Report, lang string) error {
	t := &table{out: bufio.NewWriter(w), lang: lang}
	t.head(r)
	t.verdict(&r.Total)
	rows := [][]string{{t.say("Chỉ số", "Index"), "%", "± SE", t.say("từ", "from"), t.say("đến", "to"), "n", "deff", t.say("không gia quyền %", "unweighted %")}}
	for _, m := range r.Total.Methods {
		rows = append(rows, t.figures(m.Name, m.Weighted, m.Unweighted))
	}
	for _, f := range r.Total.Factors {
		rows = append(rows, t.figures(f.ID+" "+f.Title.In(lang), f.Weighted, f.Unweighted))
	}
	for _, it := range r.Total.Items {
		rows = append(rows, t.figures(it.ID+" "+it.Text.In(lang), it.Weighted, it.Unweighted))
	}
	t.align(rows)
	if r.By != "" {
		t.printf("\n")
		t.align(t.groups(r))
	}
	return t.out.Flush()
}

// table writes through a buffer, which remembers the first error.
type table struct {
	out  *bufio.Writer
	lang string
}

// printf leaves the error to the buffer's Flush.
func (t *table) printf(format string, args ...any) { fmt.Fprintf(t.out, format, args...) }

func (t *table) say(vi, en string) string {
	return survey.Text{survey.Vietnamese: vi, survey.English: en}.In(t.lang)
}

func (t *table) number(v *float64, decimals int) string { return Number(v, decimals, t.lang) }

func (t *table) head(r *stats.Report) {
	t.printf("%s (%s)\n", r.Round.Title.In(t.lang), r.Round.ID)
	t.printf("%s %s@%d, %s: %s v%d\n", t.say("Bộ phiếu", "Instrument"), r.Round.Instrument, r.Round.Version, t.say("phương pháp", "method"), r.Method.Name, r.Method.Version)
	t.printf("%s %s – %s", t.say("Từ", "From"), r.Round.First, r.Round.Last)
	if r.CutOff != nil {
		t.printf(", %s %s", t.say("số liệu đến", "data until"), r.CutOff.In(survey.VietnamTime()).Format("2006-01-02 15:04"))
	}
	t.printf("\n")
	for _, name := range slices.Sorted(maps.Keys(r.Filter)) {
		t.printf("  %s = %s\n", name, r.Filter[name])
	}
	for _, n := range r.Notices {
		t.printf("! %s\n", n.Text.In(t.lang))
	}
	t.printf("%s %d, %s %d, %s %d", t.say("Nhận", "Received"), r.Counts.Received, t.say("hợp lệ và được tính", "counted"), r.Counts.Counted, t.say("không hợp lệ", "invalid"), r.Counts.Invalid)
	for _, c := range survey.Channels {
		if n := r.Counts.ByChannel[string(c)]; n > 0 {
			t.printf(", %s %d", c, n)
		}
	}
	t.printf("\n\n")
}

// verdict says the result in the two lines of the Ministry's form.
func (t *table) verdict(g *stats.Group) {
	t.printf("%s: %s%% %s %s%%\n", t.say("Kết quả so với chỉ tiêu", "Result against the target"),
		t.number(t.headline(g).Value, 2), reaches(g.Verdict), t.number(&g.Verdict.Target, 0))
	t.printf("%s: %s\n", t.say("Kết luận thống kê", "Statistical conclusion"), VerdictText(g.Verdict, t.lang))
	if g.ResponseRate != nil {
		t.printf("%s: %s%%\n", t.say("Tỷ lệ trả lời", "Response rate"), t.number(g.ResponseRate, 2))
	}
	if g.TippingPoint != nil {
		t.printf("%s: %s%%\n", t.say("Điểm lật (chỉ tiêu không đạt nếu người không trả lời hài lòng dưới mức này)", "Tipping point (the target is missed if those who did not answer are satisfied less than this)"), t.number(g.TippingPoint, 2))
	}
	t.printf("\n")
}

// figures is one row: weighted estimate with interval, unweighted beside it.
func (t *table) figures(name string, weighted, unweighted stats.Figure) []string {
	n := weighted.N
	if weighted.Value == nil {
		n = unweighted.N
	}
	return []string{name, t.number(weighted.Value, 2), t.number(weighted.SE, 2), t.number(weighted.Low, 2), t.number(weighted.High, 2),
		strconv.Itoa(n), t.number(weighted.Deff, 2), t.number(unweighted.Value, 2)}
}

func (t *table) groups(r *stats.Report) [][]string {
	rows := [][]string{{r.By, t.say("hạng", "rank"), "%", t.say("từ", "from"), t.say("đến", "to"), "n", t.say("không gia quyền %", "unweighted %"), t.say("trả lời %", "response %"), t.say("kết luận", "verdict")}}
	rankGroup := ""
	for i := range r.Groups {
		g := &r.Groups[i]
		if g.RankGroup != rankGroup {
			rankGroup = g.RankGroup
			rows = append(rows, []string{"[" + rankGroup + "]"})
		}
		rank := "–"
		if g.Rank != nil {
			rank = strconv.Itoa(*g.Rank)
		}
		rows = append(rows, []string{g.Label.In(t.lang), rank, t.number(g.Weighted.Value, 2), t.number(g.Weighted.Low, 2), t.number(g.Weighted.High, 2),
			strconv.Itoa(g.N), t.number(g.Unweighted.Value, 2), t.number(g.ResponseRate, 1), VerdictText(g.Verdict, t.lang)})
	}
	return rows
}

// align writes rows with the first column to the left and the others to the
// right. Text is in composed characters, one column each.
func (t *table) align(rows [][]string) {
	const longest = 60
	widths := map[int]int{}
	for _, row := range rows {
		row[0] = shorten(row[0], longest)
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			switch {
			case i == 0 && len(row) == 1:
				t.printf("%s", cell)
			case i == 0:
				t.printf("%s%s", cell, pad)
			default:
				t.printf("  %s%s", pad, cell)
			}
		}
		t.printf("\n")
	}
}

func (t *table) headline(g *stats.Group) stats.Figure {
	if g.Weighted.Value == nil {
		return g.Unweighted
	}
	return g.Weighted
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
	s = strings.ReplaceAll(s, "\t", " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
