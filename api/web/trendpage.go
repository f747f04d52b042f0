package web

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/api/analysis"
	"sipas/stats"
	"sipas/survey"
)

// trendView is what page/trend.html shows.
type trendView struct {
	// Trend is nil when the question was wrong; Problems then say why.
	Trend    *stats.Trend
	Problems []wireField
	// The choices: rounds, and the unit.
	Rounds, Units []formOption
	Kept          []keyValue
	Filters       []keyValue
	Chart         trendChart
}

// trendChart is the drawing of a trend, in units of it.
type trendChart struct {
	Width, Height string
	Left, Right   string
	Grid          []gridLine
	Points        []chartPoint
	// Lines connect the points of a run, Target the targets of all rounds.
	Lines  []string
	Target string
	// Breaks are where the method changes, between two points.
	Breaks []string
}

type gridLine struct{ Y, Label string }

// chartPoint is a round; one without a figure has no Y.
type chartPoint struct {
	Number          int
	X, Y, Low, High string
	Title, Base     string
}

// trendPage shows the index over rounds to a person. Rounds are checked boxes, so
// the parameter round may be there often.
func (s *Server) trendPage(r *request) error {
	var rounds []string
	args := r.Request().URI().QueryArgs()
	for _, id := range args.PeekMulti("round") {
		rounds = append(rounds, strings.ToValidUTF8(string(id), "?"))
	}
	args.Del("round")
	params, err := queryOf(r)
	if err != nil {
		return err
	}
	if len(rounds) > 0 {
		params["rounds"] = strings.Join(rounds, ",")
	}
	v := &trendView{}
	c := s.store.View().Catalogue
	status := fiber.StatusOK
	x, err := analysis.ParseTrend(c, params)
	if err == nil {
		v.Trend, err = s.reports.Trend(r.context, x)
	}
	if err != nil {
		f := failureOf(err)
		if f.fields == nil {
			return err
		}
		v.Problems, status = s.wireFields(r, f.fields), statuses[f.code]
	}
	for _, round := range s.sortedRounds() {
		if round.Status != survey.StatusDraft {
			chosen := slices.Contains(rounds, round.ID) || len(rounds) == 0 && v.Trend != nil && slices.ContainsFunc(v.Trend.Points, func(p stats.TrendFigure) bool { return p.Round.ID == round.ID })
			v.Rounds = append(v.Rounds, formOption{Value: round.ID, Text: round.Title, Chosen: chosen})
		}
	}
	v.Units = unitOptions(c, &survey.Round{}) // of a round for all
	choose(v.Units, params["unit"])
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if params[name] != "" && name != "rounds" && name != "unit" && v.Problems == nil {
			v.Kept = append(v.Kept, keyValue{name, params[name]})
		}
	}
	p := s.newPage(r, s.texts.say(r.language(), "trend.title"), v)
	p.Wide = true
	for name, value := range params {
		if value != "" && name != "rounds" {
			p.query.Set(name, value)
		}
	}
	p.query["round"] = rounds
	if v.Trend != nil {
		v.Filters = p.filters(c, v.Trend.Filter)
		v.Chart = p.trendChart(v.Trend)
	}
	return s.render(r, status, "trend", p)
}

// Sizes of the drawing of a trend, and the edges around what is drawn.
const (
	trendWidth, trendHeight             = 640, 300
	trendLeft, trendEdge, trendBelow    = 44, 20, 28
	trendGrid, trendFloor, trendCeiling = 10, 0, 100 // percent
)

// trendChart draws a trend. The scale goes from the ten below the lowest limit or
// target to 100%.
func (p *page) trendChart(t *stats.Trend) trendChart {
	floor := float64(trendCeiling - trendGrid)
	first, last := math.Inf(1), math.Inf(-1)
	for i := range t.Points {
		point := &t.Points[i]
		first, last, floor = min(first, point.Time), max(last, point.Time), min(floor, point.Round.Target-1)
		for _, v := range []*float64{point.Figure.Value, point.Figure.Low} {
			if v != nil {
				floor = min(floor, *v)
			}
		}
	}
	floor = max(trendFloor, math.Floor(floor/trendGrid)*trendGrid)
	x := func(time float64) float64 {
		share := 0.5
		if last > first {
			share = (time - first) / (last - first)
		}
		return trendLeft + trendEdge + share*(trendWidth-trendLeft-2*trendEdge)
	}
	y := func(percent float64) float64 {
		share := (min(percent, trendCeiling) - floor) / (trendCeiling - floor)
		return trendHeight - trendBelow - share*(trendHeight-trendBelow-trendEdge)
	}
	c := trendChart{Width: drawn(trendWidth), Height: drawn(trendHeight), Left: drawn(trendLeft), Right: drawn(trendWidth)}
	for v := floor; v <= trendCeiling; v += trendGrid {
		c.Grid = append(c.Grid, gridLine{drawn(y(v)), strconv.Itoa(int(v)) + "%"})
	}
	at, places := map[string]string{}, map[string]float64{}
	var targets []string
	for i := range t.Points {
		point := &t.Points[i]
		out := chartPoint{Number: i + 1, X: drawn(x(point.Time)), Title: p.In(point.Round.Title) + ": " + p.Pct(point.Figure.Value), Base: drawn(trendHeight - 8)}
		if f := point.Figure; f.Value != nil {
			out.Y = drawn(y(*f.Value))
			at[point.Round.ID] = out.X + "," + out.Y
			if f.Low != nil && f.High != nil {
				out.Low, out.High = drawn(y(*f.Low)), drawn(y(*f.High))
				out.Title += " (" + p.Interval(f) + ")"
			}
		}
		places[point.Round.ID] = x(point.Time)
		targets = append(targets, out.X+","+drawn(y(point.Round.Target)))
		c.Points = append(c.Points, out)
	}
	if len(targets) > 1 {
		c.Target = strings.Join(targets, " ")
	}
	for _, run := range t.Runs {
		var line []string
		for _, id := range run.Rounds {
			line = append(line, at[id])
		}
		if len(line) > 1 {
			c.Lines = append(c.Lines, strings.Join(line, " "))
		}
	}
	for _, b := range t.Breaks {
		c.Breaks = append(c.Breaks, drawn((places[b.After]+places[b.Before])/2))
	}
	return c
}

// Numbers names rounds of a trend by their numbers in it.
func (v *trendView) Numbers(ids []string) string {
	var numbers []string
	for i := range v.Trend.Points {
		if slices.Contains(ids, v.Trend.Points[i].Round.ID) {
			numbers = append(numbers, strconv.Itoa(i+1))
		}
	}
	return strings.Join(numbers, ", ")
}
