package web

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/api/analysis"
	"sipas/api/publish"
	"sipas/stats"
	"sipas/survey"
)

// compareView is what page/compare.html shows.
type compareView struct {
	Round *survey.Round
	// Comparison is nil until both sides are chosen, and when they cannot be
	// compared: Problems then say why.
	Comparison *stats.Comparison
	Problems   []wireField
	// By is what the sides differ in, "" until chosen; Title words it.
	By    string
	Title survey.Text
	// The choices: what may differ, and the values of each side. Periods have
	// dates in their place.
	Kinds, A, B      []formOption
	FromA, ToA       string
	FromB, ToB       string
	Units, Methods   []formOption
	Kept             []keyValue
	Back, Conclusion string
	Filters          []keyValue
}

// Parameters of the page in place of a and b, for periods.
var periodNames = []string{"a_from", "a_to", "b_from", "b_to"}

// comparePage shows the difference of two sides to a person, and lets them choose.
func (s *Server) comparePage(r *request) error {
	round, params, err := s.reportQuery(r)
	if err != nil {
		return err
	}
	asked := maps.Clone(params)
	if params["by"] == "period" {
		for _, side := range []string{"a", "b"} {
			if from, to := params[side+"_from"], params[side+"_to"]; from != "" && to != "" {
				asked[side] = from + ".." + to
			}
		}
	}
	for _, name := range periodNames {
		delete(asked, name)
	}
	v := &compareView{Round: round, By: params["by"]}
	c := s.store.View().Catalogue
	status := fiber.StatusOK
	if v.By == "round" {
		asked["a"] = round.ID
	}
	if asked["a"] != "" && asked["b"] != "" {
		x, err := analysis.ParseComparison(c, round.ID, asked)
		if err == nil {
			v.Comparison, err = s.reports.Compare(r.context, x)
		}
		if err != nil {
			f := failureOf(err)
			if f.fields == nil {
				return err
			}
			v.Problems, status = s.wireFields(r, f.fields), statuses[f.code]
		}
	}
	v.choices(s, c, asked, params)
	p := s.newPage(r, s.texts.say(r.language(), "compare.title")+" – "+round.Title.In(r.language()), v)
	p.Wide = true
	for name, value := range params {
		if value != "" {
			p.query.Set(name, value)
		}
	}
	if v.Comparison != nil {
		v.Conclusion = publish.ConclusionText(v.Comparison, p.Lang)
		v.Filters = p.filters(c, v.Comparison.Filter)
	}
	v.Back = s.href("/reports/"+url.PathEscape(round.ID)) + "?lang=" + p.Lang
	return s.render(r, status, "compare", p)
}

// choices fills the selectors.
func (v *compareView) choices(s *Server, c *survey.Catalogue, asked, params map[string]string) {
	in := c.Measured(v.Round)
	kinds := []string{"unit", "period", "channel", "field", "desk", "filing", "door", "helped", "group", "round"}
	for _, by := range kinds {
		v.Kinds = append(v.Kinds, formOption{Value: by, Text: s.both("grouping." + by)})
	}
	for _, q := range in.Profile {
		if !q.Off {
			v.Kinds = append(v.Kinds, formOption{Value: q.ID, Text: q.Text})
		}
	}
	choose(v.Kinds, v.By)
	v.Title = s.groupingTitle(v.Round, v.By)
	v.A, v.B = v.values(s, c, in), v.values(s, c, in)
	choose(v.A, asked["a"])
	choose(v.B, asked["b"])
	v.FromA, v.ToA, v.FromB, v.ToB = params["a_from"], params["a_to"], params["b_from"], params["b_to"]
	if v.By != "unit" && v.By != "desk" {
		v.Units = unitOptions(c, v.Round)
		choose(v.Units, params["unit"])
	}
	for _, m := range in.Methods {
		v.Methods = append(v.Methods, formOption{Value: m.Name, Text: s.bothOr("method."+m.Name, m.Name)})
	}
	choose(v.Methods, params["method"])
	own := append([]string{"by", "a", "b", "unit", "method"}, periodNames...)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if params[name] != "" && !slices.Contains(own, name) && v.Problems == nil {
			v.Kept = append(v.Kept, keyValue{name, params[name]})
		}
	}
}

// values are what a side can be.
func (v *compareView) values(s *Server, c *survey.Catalogue, in *survey.Instrument) (list []formOption) {
	coded := func(prefix string, codes []string) []formOption { return s.options(prefix, codes) }
	switch v.By {
	case "":
	case "unit":
		return unitOptions(c, v.Round)
	case "desk":
		part := map[string]bool{}
		for _, u := range unitOptions(c, v.Round) {
			part[u.Value] = true
		}
		for id, d := range c.Desks {
			if u := c.Units[d.Unit]; part[d.Unit] {
				list = append(list, formOption{Value: id, Text: survey.Text{"vi": u.Name.In("vi") + " – " + d.Name.In("vi"), "en": u.Name.In("en") + " – " + d.Name.In("en")}})
			}
		}
		sortOptions(list)
	case "field":
		for _, id := range slices.Sorted(maps.Keys(c.Fields)) {
			list = append(list, formOption{Value: id, Text: c.Fields[id].Name})
		}
	case "channel":
		for _, channel := range survey.Channels {
			list = append(list, formOption{Value: string(channel), Text: s.both("channel." + string(channel))})
		}
	case "filing":
		return coded("filing.", survey.Filings)
	case "helped":
		return coded("helped.", survey.Helps)
	case "door":
		return coded("door.", []string{string(survey.DoorOpen), string(survey.DoorSlip), string(survey.DoorStaff)})
	case "group":
		types := map[string]bool{}
		for _, u := range c.Units {
			types[u.Type] = true
		}
		return coded("type.", slices.Sorted(maps.Keys(types)))
	case "round":
		for _, r := range s.sortedRounds() {
			if r.ID != v.Round.ID && r.Status != survey.StatusDraft {
				list = append(list, formOption{Value: r.ID, Text: r.Title})
			}
		}
	default:
		for _, q := range in.Profile {
			if q.ID == v.By {
				for _, o := range q.Options {
					list = append(list, formOption{Value: o.ID, Text: o.Text})
				}
			}
		}
	}
	return list
}

// unitOptions are the units of a round by name.
func unitOptions(c *survey.Catalogue, round *survey.Round) []formOption {
	ids := round.Units
	if len(ids) == 0 {
		ids = slices.Collect(maps.Keys(c.Units))
	}
	var list []formOption
	for _, id := range ids {
		list = append(list, formOption{Value: id, Text: c.Units[id].Name})
	}
	sortOptions(list)
	return list
}

// sortOptions sorts by name.
func sortOptions(list []formOption) {
	slices.SortFunc(list, func(a, b formOption) int {
		return cmp.Or(strings.Compare(a.Text.In(survey.Vietnamese), b.Text.In(survey.Vietnamese)), strings.Compare(a.Value, b.Value))
	})
}

// P writes a p-value: nobody needs more than four decimals of one.
func (p *page) P(v *float64) string {
	switch {
	case v == nil:
		return noFigure
	case *v < 0.0001:
		return "< " + p.decimal(0.0001, 4)
	}
	return p.decimal(*v, 4)
}

// SideBar draws one side of a comparison against its round's target.
func (p *page) SideBar(side stats.Side) bar {
	return p.Bar("", stats.Group{Weighted: side.Figure, Verdict: stats.Decision{Target: side.Round.Target}})
}

// Limits writes the limits of a difference.
func (p *page) Limits(d stats.Difference) string {
	return p.Interval(stats.Figure{Low: d.Low, High: d.High})
}
