package publish

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"sipas/stats"
	"sipas/survey"
)

// Plan is how many answers each unit of a round needs.
type Plan struct {
	Round string
	Title survey.Text
	// SamplePlan has what was asked for; its Population is not used.
	stats.SamplePlan
	// Total is divided over the units, 0 nothing; Like is the round whose indices
	// say how much answers vary, "" none.
	Total int
	Like  string
	Units []PlannedUnit
}

// PlannedUnit is the plan of one unit.
type PlannedUnit struct {
	ID       string
	Name     survey.Text
	Returned int
	stats.StratumPlan
}

// planHeader names the columns of a plan as CSV and the members as JSON: answers by
// Cochran with the finite population correction and the design effect, people to
// ask for that at the expected response rate, answers by Yamane, and the total in
// proportion and by Neyman.
var planHeader = []string{"unit", "name", "returned", "answers", "invite", "yamane", "proportional", "neyman"}

// WritePlan renders a plan in one of [Formats], in the language lang.
func WritePlan(w io.Writer, p *Plan, format, lang string) error {
	switch format {
	case "table":
		return planTable(w, p, lang)
	case "csv":
		out := csv.NewWriter(w)
		rows := [][]string{planHeader}
		for i := range p.Units {
			rows = append(rows, p.Units[i].row(lang, safe))
		}
		return out.WriteAll(rows) // and flushes
	case "json":
		list := []map[string]any{}
		for i := range p.Units {
			u := &p.Units[i]
			list = append(list, map[string]any{"unit": u.ID, "name": u.Name, "returned": u.Returned, "answers": up(u.Size.Answers), "invite": u.Size.Invite,
				"yamane": up(u.Slovin), "proportional": u.Proportional, "neyman": u.Neyman})
		}
		return indented(w, map[string]any{"round": p.Round, "margin": p.Margin, "share": p.Share, "level": p.Level, "deff": p.DesignEffect,
			"response_rate": p.ResponseRate, "total": p.Total, "like": p.Like, "units": list})
	}
	return fmt.Errorf("there is no format %q", format)
}

// up rounds a number of answers up.
func up(n float64) int { return int(math.Ceil(n - 1e-9)) }

func (u *PlannedUnit) row(lang string, text func(string) string) []string {
	row := []string{text(u.ID), text(u.Name.In(lang))}
	for _, n := range []int{u.Returned, up(u.Size.Answers), u.Size.Invite, up(u.Slovin), u.Proportional, u.Neyman} {
		row = append(row, strconv.Itoa(n))
	}
	return row
}

func planTable(w io.Writer, p *Plan, lang string) error {
	t := &table{out: bufio.NewWriter(w), lang: lang}
	t.printf("%s (%s)\n", plain(p.Title.In(lang)), plain(p.Round))
	percent := func(v float64) string { v *= 100; return t.number(&v, -1) + "%" }
	t.fact(t.say("Sai số mong muốn của mỗi đơn vị", "Wanted margin of each unit"), "± "+percent(p.Margin))
	t.fact(t.say("Tỷ lệ dự kiến", "Expected share"), percent(p.Share))
	t.fact(t.say("Độ tin cậy", "Confidence level"), percent(p.Level))
	t.fact(t.say("Hiệu ứng thiết kế", "Design effect"), t.number(&p.DesignEffect, -1))
	t.fact(t.say("Tỷ lệ trả lời dự kiến", "Expected response rate"), percent(p.ResponseRate))
	if p.Like != "" {
		t.fact(t.say("Độ phân tán lấy theo đợt", "Variation as in the round"), p.Like)
	}
	rows := [][]string{{t.say("Đơn vị", "Unit"), t.say("kết quả đã trả", "returned"), t.say("phiếu cần (Cochran)", "answers (Cochran)"), t.say("cần mời", "to ask"), t.say("Yamane", "Yamane"),
		t.say("chia theo tỷ lệ", "in proportion"), t.say("chia Neyman", "Neyman")}}
	sums := make([]int, 6)
	for i := range p.Units {
		row := p.Units[i].row(lang, plain)
		for k, cell := range row[2:] {
			n, _ := strconv.Atoi(cell) // row wrote it
			sums[k] += n
		}
		rows = append(rows, append([]string{row[1]}, row[2:]...))
	}
	last := []string{t.say("Tổng", "Sum")}
	for _, n := range sums {
		last = append(last, strconv.Itoa(n))
	}
	t.printf("\n")
	t.align(append(rows, last), len(last))
	return t.out.Flush()
}
