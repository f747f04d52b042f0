package web

import (
	"maps"
	"net/url"
	"slices"

	"github.com/gofiber/fiber/v2"

	"sipas/api/analysis"
	"sipas/stats"
	"sipas/survey"
)

// reportView is what page/report.html shows.
type reportView struct {
	Round *survey.Round
	// Report is nil when the query was wrong.
	Report *stats.Report
	// Problems of the query.
	Problems []wireField
	// The choices above the report.
	Groupings, Units, Channels, Methods []formOption
	From, To                            string
	WithoutFlagged                      bool
	// Kept are other filters, carried along by the form of choices.
	Kept []keyValue
	// Filters words what narrows the report.
	Filters []keyValue
	// Counts by channel, door and flag, in a fixed order.
	ByChannel, ByDoor, ByFlag []count
	// Uncovered cells and those with more answers than transactions.
	Uncovered []stats.CellFigures
	UnitNames map[string]survey.Text
	// Levels are the labels of the instrument's scale.
	Levels []survey.Text
	// Ranked groups are shown under their rank group.
	RankGroups []rankGroup
	// Ranked says that some group has a rank range, which the page explains.
	Ranked bool
}

type keyValue struct{ Key, Value string }

type count struct {
	Code string
	N    int
}

// rankGroup is a run of groups that are ranked together.
type rankGroup struct {
	Name   string
	Groups []stats.Group
}

// reportPage shows a report to a person.
func (s *Server) reportPage(r *request) error {
	round, params, err := s.reportQuery(r)
	if err != nil {
		return err
	}
	v := &reportView{Round: round}
	catalogue := s.store.View().Catalogue
	q, err := analysis.ParseQuery(catalogue, round.ID, params)
	status := fiber.StatusOK
	if err != nil {
		f := failureOf(err)
		v.Problems = s.wireFields(r, f.fields)
		status = statuses[f.code]
	} else {
		report, err := s.reports.Report(r.context, q)
		if err != nil {
			return err
		}
		v.show(report)
	}
	v.choices(s, catalogue, round, params)
	p := s.newPage(r, s.texts.say(r.language(), "report.title")+" – "+round.Title.In(r.language()), v)
	p.Wide = true
	for name, value := range params {
		if value != "" {
			p.query.Set(name, value)
		}
	}
	v.describe(p, catalogue, params)
	return s.render(r, status, "report", p)
}

// show takes apart what the template lists.
func (v *reportView) show(report *stats.Report) {
	v.Report = report
	v.ByChannel = countsInOrder(report.Counts.ByChannel)
	v.ByDoor = countsInOrder(report.Counts.ByDoor)
	v.ByFlag = countsInOrder(report.Counts.ByFlag)
	for _, c := range report.Weighting.Cells {
		if c.Uncovered || c.Exceeds {
			v.Uncovered = append(v.Uncovered, c)
		}
	}
	for _, g := range report.Groups {
		if n := len(v.RankGroups); n == 0 || v.RankGroups[n-1].Name != g.RankGroup {
			v.RankGroups = append(v.RankGroups, rankGroup{Name: g.RankGroup})
		}
		last := &v.RankGroups[len(v.RankGroups)-1]
		last.Groups = append(last.Groups, g)
		v.Ranked = v.Ranked || g.RankRange != nil
	}
}

func countsInOrder(m map[string]int) []count {
	var out []count
	for _, code := range slices.Sorted(maps.Keys(m)) {
		out = append(out, count{code, m[code]})
	}
	return out
}

// CountLevels cuts the counts of an item to the levels that the scale has.
func (v *reportView) CountLevels(counts [5]int) []int { return counts[:len(v.Levels)] }

// choices fills the selectors, with what was chosen chosen.
func (v *reportView) choices(s *Server, c *survey.Catalogue, round *survey.Round, params map[string]string) {
	in := c.Measured(round)
	for _, by := range analysis.Groupings {
		v.Groupings = append(v.Groupings, formOption{Value: by, Text: s.both("grouping." + by)})
	}
	for _, q := range in.Profile {
		if !q.Off && !q.Sensitive {
			v.Groupings = append(v.Groupings, formOption{Value: q.ID, Text: q.Text})
		}
	}
	choose(v.Groupings, params["by"])
	v.Units = unitOptions(c, round)
	choose(v.Units, params["unit"])
	for _, channel := range survey.Channels {
		v.Channels = append(v.Channels, formOption{Value: string(channel), Text: s.both("channel." + string(channel))})
	}
	v.Channels = append(v.Channels, formOption{Value: "all", Text: s.both("channel.all")})
	choose(v.Channels, params["channel"])
	for _, m := range in.Methods {
		v.Methods = append(v.Methods, formOption{Value: m.Name, Text: s.bothOr("method."+m.Name, m.Name)})
	}
	choose(v.Methods, params["method"])
	v.Levels = in.Levels
	v.From, v.To, v.WithoutFlagged = params["from"], params["to"], params["flagged"] == "without"
	chosen := []string{"by", "unit", "channel", "method", "from", "to", "flagged"}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if params[name] != "" && !slices.Contains(chosen, name) && v.Problems == nil {
			v.Kept = append(v.Kept, keyValue{name, params[name]})
		}
	}
}

// describe words the filters for the reader, and names units.
func (v *reportView) describe(p *page, c *survey.Catalogue, params map[string]string) {
	v.UnitNames = map[string]survey.Text{}
	for _, cell := range v.Uncovered {
		if u := c.Units[cell.Unit]; u != nil {
			v.UnitNames[cell.Unit] = u.Name
		}
	}
	if v.Report != nil {
		v.Filters = p.filters(c, params)
	}
}

// filters words what narrows figures.
func (p *page) filters(c *survey.Catalogue, params map[string]string) (list []keyValue) {
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value := params[name]
		if value == "" || name == "by" {
			continue
		}
		switch {
		case name == "unit" && c.Units[value] != nil:
			value = p.In(c.Units[value].Name)
		case name == "desk" && c.Desks[value] != nil:
			value = p.In(c.Desks[value].Name)
		case name == "field" && c.Fields[value] != nil:
			value = p.In(c.Fields[value].Name)
		case name == "from", name == "to":
			value = p.Date(survey.Date(value))
		default:
			value = p.Name(name, value)
		}
		list = append(list, keyValue{p.Name("filter", name), value})
	}
	return list
}

// Narrow is the address of the same report for one group alone.
func (p *page) Narrow(name, value string) string {
	q := url.Values{}
	for k, v := range p.query {
		q[k] = v
	}
	q.Del("by")
	q.Set(name, value)
	return "?" + q.Encode()
}

// Behind is the address of what lies behind the same report.
func (p *page) Behind() string {
	q := url.Values{"lang": {p.Lang}}
	for k, v := range p.query {
		if k != "by" && k != "method" {
			q[k] = v
		}
	}
	return p.path + "/items?" + q.Encode()
}

// both is a text of the catalogue in every language.
func (s *Server) both(key string) survey.Text { return s.bothOr(key, key) }

func (s *Server) bothOr(key, otherwise string) survey.Text {
	t := survey.Text{}
	for _, lang := range s.texts.languages {
		t[lang] = otherwise
		if text, ok := s.texts.find(lang, key); ok {
			t[lang] = text
		}
	}
	return t
}
