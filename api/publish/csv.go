package publish

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"sipas/stats"
)

// csvHeader names the columns of [CSV]: one line an estimate, so that the file
// reads into R or a pivot table as it is.
var csvHeader = []string{
	"by", "group", "label", "rank", "measure", "id", "name", "weighting",
	"n", "value", "se", "low", "high", "interval", "df", "deff", "n_eff", "reason",
	"level_1", "level_2", "level_3", "level_4", "level_5", "not_asked", "blank", "na", "broken_off",
	"target", "verdict", "returned", "response_rate", "tipping_point",
}

// CSV writes the report with one line for each estimate: index by every method,
// factors and items, weighted and unweighted, of the whole (by empty) and of each
// group. Numbers are in percent with a decimal point whatever the
// language; an empty cell is a number that cannot be given.
func CSV(w io.Writer, r *stats.Report, lang string) error {
	out := csv.NewWriter(w)
	if err := out.Write(csvHeader); err != nil {
		return err
	}
	for i, g := range append([]stats.Group{r.Total}, r.Groups...) {
		by := r.By
		if i == 0 {
			by = ""
		}
		line := func(measure, id, name, weighting string, f stats.Figure, item *stats.ItemFigures) error {
			cells := []string{by, g.ID, safe(g.Label.In(lang)), optionalInt(g.Rank), measure, id, safe(name), weighting,
				strconv.Itoa(f.N), optional(f.Value), optional(f.SE), optional(f.Low), optional(f.High), f.Interval,
				strconv.Itoa(f.DF), optional(f.Deff), optional(f.NEff), f.Reason}
			if item != nil && weighting == "unweighted" {
				for _, n := range item.Levels {
					cells = append(cells, strconv.Itoa(n))
				}
				cells = append(cells, strconv.Itoa(item.NotAsked), strconv.Itoa(item.Blank), strconv.Itoa(item.NotApplicable), strconv.Itoa(item.BrokenOff))
			} else {
				cells = append(cells, make([]string, 9)...)
			}
			if measure == "index" && id == r.Method.Name {
				verdict := g.Verdict.Reason
				if g.Verdict.Verdict != nil {
					verdict = string(*g.Verdict.Verdict)
				}
				cells = append(cells, formatFloat(g.Verdict.Target), verdict, optionalInt(g.Returned), optional(g.ResponseRate), optional(g.TippingPoint))
			} else {
				cells = append(cells, make([]string, 5)...)
			}
			return out.Write(cells)
		}
		both := func(measure, id, name string, weighted, unweighted stats.Figure, item *stats.ItemFigures) error {
			if err := line(measure, id, name, "weighted", weighted, item); err != nil {
				return err
			}
			return line(measure, id, name, "unweighted", unweighted, item)
		}
		for _, m := range g.Methods {
			if err := both("index", m.Name, m.Name, m.Weighted, m.Unweighted, nil); err != nil {
				return err
			}
		}
		for _, f := range g.Factors {
			if err := both("factor", f.ID, f.Title.In(lang), f.Weighted, f.Unweighted, nil); err != nil {
				return err
			}
		}
		for i := range g.Items {
			it := &g.Items[i]
			if err := both("item", it.ID, it.Text.In(lang), it.Weighted, it.Unweighted, it); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// safe keeps a spreadsheet from taking a name for a formula.
func safe(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return formatFloat(*v)
}

func optionalInt(v *int) string {
	if v == nil {
		return ""
	}
	return strconv.Itoa(*v)
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
