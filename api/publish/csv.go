package publish

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"sipas/stats"
)

// csvHeader names the columns of [CSV].
var csvHeader = []string{
	"by", "group", "label", "rank_group", "rank", "rank_low", "rank_high", "ranked", "not_distinguishable", "measure", "id", "name", "weighting",
	"n", "value", "se", "low", "high", "interval", "df", "deff", "n_eff", "marks", "reason",
	"level_1", "level_2", "level_3", "level_4", "level_5", "not_asked", "blank", "na", "broken_off",
	"target", "verdict", "verdict_reason", "reaches_target", "basis", "interim", "level",
	"strata", "psus", "returned", "response_rate", "tipping_point",
	"unit", "members", "field", "filing", "answers", "weight", "uncovered", "exceeds", "text",
}

// CSV writes the whole report as one long table, so that the file reads into R
// or a pivot table as it is: choose the lines by measure, then the columns that
// this measure fills. Numbers are in percent or percentage points with a
// decimal point whatever the language; an empty cell is a number that cannot be
// given, or a column that the measure does not have. Truth is true or false.
//
// The measures:
//
//	meta     a fact about the report: id is its path in the JSON, text its value
//	notice   a sentence to read before the figures: id is its code
//	count    a count of answers: id is its path below counts in the JSON
//	cell     a weight cell, numbered by id
//	member   a field and filing channel merged into the cell of the same id
//	verdict  the decision about the whole or a group, with what describes it;
//	         id and weighting name the index that was compared
//	index    the index by one method
//	factor   one factor
//	item     one item
//
// The columns:
//
//	by, group, label   name of the grouping, id and name of the group; by is
//	                   empty for the whole
//	rank_group, rank   set of groups ranked together, and the rank in it
//	rank_low, rank_high
//	                   best and worst rank that the answers leave open
//	ranked             how many groups are ranked together
//	not_distinguishable
//	                   how many of the others cannot be told from this one
//	measure, id, name  what the line is about, name in the language lang
//	weighting          weighted or unweighted
//	n                  answers behind the line
//	value              estimate
//	se, low, high      standard error and confidence limits
//	interval           kind of interval: logit, beta or wilson
//	df, deff, n_eff    degrees of freedom, design effect, effective n
//	marks              marks on the quality, separated by spaces
//	reason             why a number of the estimate is missing
//	level_1 … level_5  answers at each level
//	not_asked, blank, na, broken_off
//	                   answers without a level, by code; these and the levels
//	                   stand on unweighted item lines only, so that a sum does
//	                   not count them twice
//	target             what the index is compared with
//	verdict            met, not_met, undecided or too_few
//	verdict_reason     why there is no verdict
//	reaches_target     the point value alone is at the target or above
//	basis              respondents or population
//	interim            the round still runs
//	level              confidence level of the interval of the verdict
//	strata, psus       strata and sampling units that contain the answers
//	returned           results returned: of the group, cell or member
//	response_rate, tipping_point
//	                   of the group
//	unit               unit of the cell
//	members            field/filing of each member, separated by spaces
//	field, filing      of the member
//	answers            counted answers of the cell or member
//	weight             results per answer of the cell
//	uncovered          the cell has too few answers and is left out of the weights
//	exceeds            the cell has more answers than results returned
//	text               value of a meta line, sentence of a notice
func CSV(w io.Writer, r *stats.Report, lang string) error {
	s := &sheet{out: csv.NewWriter(w), columns: csvHeader, lang: lang, cells: map[string]string{}}
	s.write(csvHeader)
	s.meta(r)
	for _, n := range r.Notices {
		s.start("notice", n.Code, "")
		s.text("text", n.Text.In(lang))
		s.end()
	}
	s.counts(&r.Counts)
	for i := range r.Weighting.Cells {
		s.cell(strconv.Itoa(i+1), &r.Weighting.Cells[i])
	}
	s.group(r, "", &r.Total)
	for i := range r.Groups {
		s.group(r, r.By, &r.Groups[i])
	}
	s.out.Flush()
	return s.out.Error()
}

// sheet collects the cells of one line by column. Every text passes through
// safe, whoever wrote it.
type sheet struct {
	out     *csv.Writer
	columns []string
	lang    string
	cells   map[string]string
	line    []string
}

// write leaves the error to Flush: the csv.Writer remembers the first.
func (s *sheet) write(line []string) { _ = s.out.Write(line) }

func (s *sheet) start(measure, id, name string) {
	clear(s.cells)
	s.text("measure", measure)
	s.text("id", id)
	s.text("name", name)
}

func (s *sheet) end() {
	s.line = s.line[:0]
	for _, column := range s.columns {
		s.line = append(s.line, s.cells[column])
	}
	s.write(s.line)
}

func (s *sheet) text(column, v string)       { s.cells[column] = safe(v) }
func (s *sheet) count(column string, n int)  { s.cells[column] = strconv.Itoa(n) }
func (s *sheet) truth(column string, v bool) { s.cells[column] = strconv.FormatBool(v) }

func (s *sheet) number(column string, v *float64) {
	if v != nil {
		s.cells[column] = formatFloat(*v)
	}
}

func (s *sheet) optionalCount(column string, n *int) {
	if n != nil {
		s.count(column, *n)
	}
}

func (s *sheet) meta(r *stats.Report) {
	for _, m := range metaOf(r, s.lang) {
		s.start("meta", m.id, m.name)
		s.text("text", m.text)
		s.end()
	}
}

func (s *sheet) counts(c *stats.Counts) {
	for _, n := range countsOf(c, s.lang) {
		s.start("count", n.id, n.name)
		s.count("n", n.n)
		s.end()
	}
}

func (s *sheet) cell(id string, c *stats.CellFigures) {
	s.start("cell", id, "")
	s.text("unit", c.Unit)
	s.text("members", members(c))
	s.count("returned", c.Returned)
	s.count("answers", c.Answers)
	s.number("weight", c.Weight)
	s.truth("uncovered", c.Uncovered)
	s.truth("exceeds", c.Exceeds)
	s.end()
	for _, m := range c.Members {
		s.start("member", id, "")
		s.text("unit", c.Unit)
		s.text("field", m.Field)
		s.text("filing", m.Filing)
		s.count("returned", m.Returned)
		s.count("answers", m.Answers)
		s.end()
	}
}

func (s *sheet) group(r *stats.Report, by string, g *stats.Group) {
	start := func(measure, id, name, weighting string) {
		s.start(measure, id, name)
		s.text("by", by)
		s.text("group", g.ID)
		s.text("label", g.Label.In(s.lang))
		s.text("rank_group", g.RankGroup)
		s.optionalCount("rank", g.Rank)
		if x := g.RankRange; x != nil {
			s.count("rank_low", x.Low)
			s.count("rank_high", x.High)
			s.count("ranked", x.Of)
			s.count("not_distinguishable", x.NotDistinguishable)
		}
		s.text("weighting", weighting)
	}
	_, compared := headline(r, g.Weighted, g.Unweighted)
	start("verdict", r.Method.Name, "", compared)
	s.decision(&g.Verdict)
	s.count("n", g.N)
	s.count("strata", g.Strata)
	s.count("psus", g.PSUs)
	s.optionalCount("returned", g.Returned)
	s.number("response_rate", g.ResponseRate)
	s.number("tipping_point", g.TippingPoint)
	s.end()

	both := func(measure, id, name string, weighted, unweighted stats.Figure, item *stats.ItemFigures) {
		start(measure, id, name, "weighted")
		s.figure(&weighted)
		s.end()
		start(measure, id, name, "unweighted")
		s.figure(&unweighted)
		if item != nil {
			s.answers(item)
		}
		s.end()
	}
	for _, m := range g.Methods {
		both("index", m.Name, m.Name, m.Weighted, m.Unweighted, nil)
	}
	for _, f := range g.Factors {
		both("factor", f.ID, f.Title.In(s.lang), f.Weighted, f.Unweighted, nil)
	}
	for i := range g.Items {
		it := &g.Items[i]
		both("item", it.ID, it.Text.In(s.lang), it.Weighted, it.Unweighted, it)
	}
}

func (s *sheet) decision(d *stats.Decision) {
	s.number("target", &d.Target)
	if d.Verdict != nil {
		s.text("verdict", string(*d.Verdict))
	}
	s.text("verdict_reason", d.Reason)
	if d.ReachesTarget != nil {
		s.truth("reaches_target", *d.ReachesTarget)
	}
	s.text("basis", d.Basis)
	s.truth("interim", d.Interim)
	s.number("level", &d.Level)
}

func (s *sheet) figure(f *stats.Figure) {
	s.count("n", f.N)
	s.number("value", f.Value)
	s.number("se", f.SE)
	s.number("low", f.Low)
	s.number("high", f.High)
	s.text("interval", f.Interval)
	s.count("df", f.DF)
	s.number("deff", f.Deff)
	s.number("n_eff", f.NEff)
	s.text("marks", strings.Join(f.Marks, " "))
	s.text("reason", f.Reason)
}

func (s *sheet) answers(it *stats.ItemFigures) {
	for i, n := range it.Levels {
		s.count("level_"+strconv.Itoa(i+1), n)
	}
	s.count("not_asked", it.NotAsked)
	s.count("blank", it.Blank)
	s.count("na", it.NotApplicable)
	s.count("broken_off", it.BrokenOff)
}

// safe keeps a spreadsheet from taking a text for a formula.
func safe(s string) string {
	if first, _ := utf8.DecodeRuneInString(s); s != "" && strings.ContainsRune("=+-@\t\r\n＝＋－＠", first) {
		return "'" + s
	}
	return s
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func formatTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.Format(time.RFC3339Nano)
}
