package web

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"sipas/api/analysis"
	"sipas/stats"
	"sipas/survey"
)

// itemsJSON says what lies behind the index of a round.
func (s *Server) itemsJSON(r *request) error {
	u, err := s.understand(r)
	if err != nil {
		return err
	}
	return r.sendLarge(u)
}

func (s *Server) understand(r *request) (*stats.Understanding, error) {
	round, params, err := s.reportQuery(r)
	if err != nil {
		return nil, err
	}
	x, err := analysis.ParseItems(s.store.View().Catalogue, round.ID, params)
	if err != nil {
		return nil, err
	}
	return s.reports.Items(r.context, x)
}

// itemsView is what page/reportitems.html shows.
type itemsView struct {
	*stats.Understanding
	// First are the items to improve first: important, and served poorly.
	First []numberedItem
	All   []numberedItem
	// Levels are the labels of the instrument's scale.
	Levels []survey.Text
	// X and Y of the thresholds on the map, "" without a map.
	X, Y string
	// Narrowed words the filters.
	Narrowed []keyValue
	// Back is the address of the report with the same filters.
	Back string
}

// numberedItem is an item with its number on the form and its place on the map.
type numberedItem struct {
	*stats.ItemInsight
	Number int
	X, Y   string
	Bars   []levelBar
}

// levelBar is one level's part of a bar of 200 units.
type levelBar struct {
	Level    int
	X, Width string
}

// itemsPage explains the index to a person.
func (s *Server) itemsPage(r *request) error {
	u, err := s.understand(r)
	if err != nil {
		return err
	}
	c := s.store.View().Catalogue
	v := &itemsView{Understanding: u, Levels: c.Instruments[survey.InstrumentKey(u.Round.Instrument, u.Round.Version)].Levels}
	v.place()
	p := s.newPage(r, s.texts.say(r.language(), "items.title")+" – "+u.Round.Title.In(r.language()), v)
	p.Wide = true
	v.Narrowed = p.filters(c, u.Filter)
	for k, value := range r.Request().URI().QueryArgs().All() {
		if name := string(k); name != "lang" && len(value) > 0 {
			p.query.Set(name, string(value))
		}
	}
	back := map[string][]string{"lang": {p.Lang}}
	for k, list := range p.query {
		if k != "outcome" {
			back[k] = list
		}
	}
	v.Back = (&url.URL{Path: s.href("/reports/" + u.Round.ID), RawQuery: url.Values(back).Encode()}).String()
	return s.render(r, fiber.StatusOK, "reportitems", p)
}

// Sizes of the map of items, in units of the drawing.
const mapWidth, mapHeight, mapEdge = 320, 200, 14

// place numbers the items, draws them, and finds those to improve first: those
// that are surely in their quadrant stand before others, the poorest before the
// better.
func (v *itemsView) place() {
	x, y := scaleOf(v.Items, func(i *stats.ItemInsight) *float64 { return i.Performance.Value }), scaleOf(v.Items, func(i *stats.ItemInsight) *float64 { return i.Importance.Value })
	for i := range v.Items {
		n := numberedItem{ItemInsight: &v.Items[i], Number: i + 1}
		if n.Quadrant != stats.NoQuadrant {
			n.X, n.Y = position(x(*n.Performance.Value), mapWidth), position(1-y(*n.Importance.Value), mapHeight)
		}
		at := 0.0
		for l, share := range n.Levels[:len(v.Levels)] {
			if share.Value != nil {
				n.Bars = append(n.Bars, levelBar{Level: l + 1, X: drawn(at * 2), Width: drawn(*share.Value * 2)})
				at += *share.Value
			}
		}
		v.All = append(v.All, n)
		if n.Quadrant == stats.ConcentrateHere {
			v.First = append(v.First, n)
		}
	}
	slices.SortStableFunc(v.First, func(a, b numberedItem) int {
		if a.Sure != b.Sure {
			if a.Sure {
				return -1
			}
			return 1
		}
		return cmp.Compare(*a.Performance.Value, *b.Performance.Value)
	})
	if v.PerformanceThreshold != nil {
		v.X, v.Y = position(x(*v.PerformanceThreshold), mapWidth), position(1-y(*v.ImportanceThreshold), mapHeight)
	}
}

// scaleOf maps the values of the items on 0 to 1.
func scaleOf(items []stats.ItemInsight, value func(*stats.ItemInsight) *float64) func(float64) float64 {
	low, high := math.Inf(1), math.Inf(-1)
	for i := range items {
		if v := value(&items[i]); v != nil {
			low, high = min(low, *v), max(high, *v)
		}
	}
	return func(v float64) float64 {
		if !(high > low) {
			return 0.5
		}
		return (v - low) / (high - low)
	}
}

func position(share float64, size int) string {
	return drawn(mapEdge + share*float64(size-2*mapEdge))
}

// drawn writes a coordinate with two decimals.
func drawn(v float64) string { return strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) }

// Range writes the limits of a measure.
func (p *page) Range(m stats.Measure) string {
	if m.Low == nil || m.High == nil {
		return noFigure
	}
	return p.decimal(*m.Low, 2) + " – " + p.decimal(*m.High, 2)
}
