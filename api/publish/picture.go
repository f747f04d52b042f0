package publish

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"sipas/stats"
	"sipas/survey"
)

// WritePicture renders a picture in one of [Formats], in the language lang.
func WritePicture(w io.Writer, p *stats.Picture, format, lang string) error {
	switch format {
	case "table":
		return pictureTable(w, p, lang)
	case "json":
		return indented(w, p)
	case "csv":
		return PictureCSV(w, p, lang)
	}
	return fmt.Errorf("there is no format %q", format)
}

func pictureTable(w io.Writer, p *stats.Picture, lang string) error {
	t := &table{out: bufio.NewWriter(w), lang: lang}
	t.printf("%s (%s)\n", plain(p.Round.Title.In(lang)), plain(p.Round.ID))
	t.fact(t.say("Số liệu công bố", "Published figures"), fmt.Sprintf("%s; %s %s", p.Made, t.say("kỳ sau từ", "next from"), p.Next))
	t.fact(t.say("Phạm vi kết luận", "Basis"), word(basisTexts, p.Basis, p.Basis, lang))
	t.fact(t.say("Phương pháp tính", "Method"), t.method(p.Method))
	t.fact(t.say("Độ tin cậy", "Confidence level"), t.number(&p.Level, -1)+"%")
	t.fact(t.say("Phần mềm", "Software"), p.Software)
	for _, n := range p.Notices {
		t.printf("! %s\n", plain(n.Text.In(lang)))
	}
	var rows [][]string
	for i := range p.Cells {
		c := &p.Cells[i]
		if i == 0 || c.By != p.Cells[i-1].By || c.Unit != p.Cells[i-1].Unit {
			by := c.By
			if c.Unit != "" {
				by += " (" + c.Unit + ")"
			}
			rows = append(rows, []string{by, "%", t.say("từ", "from"), t.say("đến", "to"), "n", t.say("trả lời %", "response %"), t.say("số liệu đến", "as of"), t.say("kết luận", "verdict")})
		}
		rows = append(rows, t.pictureRow(c))
	}
	t.printf("\n")
	t.align(rows, 6)
	return t.out.Flush()
}

func (t *table) pictureRow(c *stats.PictureCell) []string {
	row := []string{c.Label.In(t.lang), "–", "–", "–", "–", "–", "–", ""}
	if c.Hidden != "" {
		row[7] = HiddenText(c.Hidden, t.lang)
		return row
	}
	row[4], row[5], row[6] = strconv.Itoa(*c.N), t.number(c.ResponseRate, 1), string(*c.AsOf)
	if c.Index != nil {
		row[1], row[2], row[3] = t.number(c.Index.Value, 1), t.number(c.Index.Low, 1), t.number(c.Index.High, 1)
	}
	if c.Verdict != nil {
		row[7] = VerdictText(*c.Verdict, t.lang)
	}
	return row
}

// HiddenText says why the numbers of a cell are withheld.
func HiddenText(hidden, lang string) string { return word(hiddenTexts, hidden, hidden, lang) }

var hiddenTexts = map[string]survey.Text{
	stats.Primary.String():       {"vi": "Ẩn: quá ít phiếu", "en": "Hidden: too few answers"},
	stats.Complementary.String(): {"vi": "Ẩn: để không suy ra được nhóm khác", "en": "Hidden: another group would follow from it"},
}

// pictureHeader names the columns of [PictureCSV].
var pictureHeader = []string{
	"by", "unit", "group", "label", "hidden", "as_of", "measure", "id", "name", "weighting", "n", "value", "low", "high", "reason",
	"target", "verdict", "verdict_reason", "reaches_target", "basis", "interim", "level", "returned", "response_rate", "tipping_point", "text",
}

// PictureCSV writes a picture as one long table, as [CSV] does a report, with the
// same words. The measures are meta, notice, verdict, index, factor and item, and
// hidden: the one line of a group whose numbers are withheld; its column hidden
// says why. as_of is the day as of which the numbers of a group hold.
func PictureCSV(w io.Writer, p *stats.Picture, lang string) error {
	s := &sheet{out: csv.NewWriter(w), columns: pictureHeader, lang: lang, cells: map[string]string{}}
	s.write(pictureHeader)
	for _, f := range [][2]string{
		{"round.id", p.Round.ID}, {"round.title", p.Round.Title.In(lang)}, {"round.index", p.Round.Index.In(lang)}, {"round.instrument", p.Round.Instrument}, {"round.version", strconv.Itoa(p.Round.Version)},
		{"round.design", p.Round.Design}, {"round.first", string(p.Round.First)}, {"round.last", string(p.Round.Last)},
		{"made", string(p.Made)}, {"next", string(p.Next)}, {"basis", p.Basis}, {"method.name", p.Method.Name}, {"level", formatFloat(p.Level)}, {"software", p.Software},
	} {
		s.start("meta", f[0], "")
		s.text("text", f[1])
		s.end()
	}
	for _, n := range p.Notices {
		s.start("notice", n.Code, "")
		s.text("text", n.Text.In(lang))
		s.end()
	}
	for i := range p.Cells {
		s.pictureCell(p, &p.Cells[i])
	}
	s.out.Flush()
	return s.out.Error()
}

func (s *sheet) pictureCell(p *stats.Picture, c *stats.PictureCell) {
	start := func(measure, id, name string) {
		s.start(measure, id, name)
		s.text("by", c.By)
		s.text("unit", c.Unit)
		s.text("group", c.ID)
		s.text("label", c.Label.In(s.lang))
		s.text("hidden", c.Hidden)
		if c.AsOf != nil {
			s.text("as_of", string(*c.AsOf))
		}
		s.text("weighting", c.Weighting)
	}
	if c.Hidden != "" {
		start("hidden", "", "")
		s.end()
		return
	}
	start("verdict", p.Method.Name, "")
	if c.Verdict != nil {
		s.decision(c.Verdict)
	}
	s.optionalCount("n", c.N)
	s.optionalCount("returned", c.Returned)
	s.number("response_rate", c.ResponseRate)
	s.number("tipping_point", c.TippingPoint)
	s.end()
	figure := func(measure, id, name string, f *stats.PictureFigure) {
		start(measure, id, name)
		s.number("value", f.Value)
		s.number("low", f.Low)
		s.number("high", f.High)
		s.text("reason", f.Reason)
		s.end()
	}
	if c.Index != nil {
		figure("index", p.Method.Name, p.Method.Name, c.Index)
	}
	for i := range c.Factors {
		figure("factor", p.Factors[i].ID, p.Factors[i].Text.In(s.lang), &c.Factors[i])
	}
	for i := range c.Items {
		figure("item", p.Items[i].ID, p.Items[i].Text.In(s.lang), &c.Items[i])
	}
}
