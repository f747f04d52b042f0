package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"sipas/stats"
	"sipas/survey"
)

// noFigure stands where there is no number.
const noFigure = "–"

// IndexName is what the index of a round is called: quick rounds have one of their own.
func (p *page) IndexName(r stats.RoundHeader) string {
	if r.Index != nil {
		return p.In(r.Index)
	}
	return p.T("report.index")
}

// Pct writes a percentage with two decimals: "82,99 %" is written 82,99% in
// Vietnamese, 82.99% in English.
func (p *page) Pct(v *float64) string {
	if v == nil {
		return noFigure
	}
	return p.decimal(*v, 2) + "%"
}

// Points writes a number of percentage points, or any other with two decimals.
func (p *page) Points(v *float64) string {
	if v == nil {
		return noFigure
	}
	return p.decimal(*v, 2)
}

// Target writes a target without needless decimals: 80%, 82,5%.
func (p *page) Target(v float64) string {
	s := strconv.FormatFloat(v, 'f', -1, 64)
	return p.comma(s) + "%"
}

// Interval writes the limits of a figure.
func (p *page) Interval(f stats.Figure) string {
	if f.Low == nil || f.High == nil {
		return noFigure
	}
	return p.decimal(*f.Low, 2) + " – " + p.decimal(*f.High, 2)
}

// RankRange writes the ranks that the answers leave open.
func (p *page) RankRange(x *stats.RankRange) string {
	switch {
	case x == nil:
		return noFigure
	case x.Low == x.High:
		return p.Num(x.Low)
	}
	return p.Num(x.Low) + " – " + p.Num(x.High)
}

// Num writes a whole number with its thousands apart.
func (p *page) Num(v any) string {
	var n int64
	switch v := v.(type) {
	case int:
		n = int64(v)
	case int64:
		n = v
	case *int:
		if v == nil {
			return noFigure
		}
		n = int64(*v)
	}
	digits := strconv.FormatInt(n, 10)
	separator := ","
	if p.Lang == survey.Vietnamese {
		separator = "."
	}
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(digits) - 3; i > start; i -= 3 {
		digits = digits[:i] + separator + digits[i:]
	}
	return digits
}

// Date writes a day: 24/11/2026, or 24 Nov 2026.
func (p *page) Date(d survey.Date) string {
	t := d.Start()
	if t.IsZero() {
		return noFigure
	}
	return p.day(t)
}

// Hour writes an hour in Vietnam.
func (p *page) Hour(t *time.Time) string {
	if t == nil {
		return noFigure
	}
	in := t.In(survey.VietnamTime())
	return in.Format("15:04") + " " + p.day(in)
}

func (p *page) day(t time.Time) string {
	if p.Lang == survey.Vietnamese {
		return t.Format("02/01/2006")
	}
	return t.Format("2 Jan 2006")
}

func (p *page) decimal(v float64, places int) string {
	return p.comma(strconv.FormatFloat(v, 'f', places, 64))
}

// comma puts the decimal sign of the page's language into a number.
func (p *page) comma(s string) string {
	if p.Lang == survey.Vietnamese {
		return strings.Replace(s, ".", ",", 1)
	}
	return s
}

// bar is a drawn figure: its value, interval and target on a scale from 0 to
// 100, in units of the drawing.
type bar struct {
	Value, Low, High, Target string
	// Span is the width of the interval.
	Span string
	// Class colours by verdict.
	Class string
	Label string
	// Has says that there is a value, HasInterval that there are limits.
	Has, HasInterval bool
}

// barWidth is the width of a drawing: two units a percentage point.
const barWidth = 200

// unweighted is the kind of weighting of a report without weights.
const unweighted = "none"

// Headline is the figure of a group that the report stands for: the weighted
// one, the unweighted one only where the report has no weights at all. A group
// that the weights leave out has no figure, and never the other one instead.
func (p *page) Headline(weighting string, g stats.Group) stats.Figure {
	if weighting == unweighted {
		return g.Unweighted
	}
	return g.Weighted
}

// Bar prepares the drawing of a group's headline.
func (p *page) Bar(weighting string, g stats.Group) bar {
	f := p.Headline(weighting, g)
	onScale := func(v float64) float64 { return min(max(v, 0), 100) }
	at := func(v float64) string {
		return strconv.FormatFloat(math.Round(onScale(v)*barWidth)/100, 'f', -1, 64)
	}
	b := bar{Target: at(g.Verdict.Target), Class: "v-none"}
	if v := g.Verdict.Verdict; v != nil {
		b.Class = "v-" + string(*v)
	}
	if f.Value == nil {
		b.Label = p.T("report.no_value")
		return b
	}
	b.Has, b.Value = true, at(*f.Value)
	b.Label = fmt.Sprintf("%s; %s %s", p.Pct(f.Value), p.T("report.target"), p.Target(g.Verdict.Target))
	if f.Low != nil && f.High != nil {
		b.HasInterval, b.Low, b.High = true, at(*f.Low), at(*f.High)
		b.Span = at(onScale(*f.High) - onScale(*f.Low))
		b.Label = fmt.Sprintf("%s (%s); %s %s", p.Pct(f.Value), p.Interval(f), p.T("report.target"), p.Target(g.Verdict.Target))
	}
	return b
}

// Verdict words the statistical conclusion.
func (p *page) Verdict(d stats.Decision) string {
	if d.Verdict == nil {
		if d.Reason != "" {
			return p.T("verdict.none") + ": " + p.Reason(d.Reason)
		}
		return p.T("verdict.none")
	}
	return p.T("verdict." + string(*d.Verdict))
}

// VerdictClass colours a verdict; the words beside it say the same.
func (p *page) VerdictClass(d stats.Decision) string {
	if d.Verdict == nil {
		return "v-none"
	}
	return "v-" + string(*d.Verdict)
}

// Reached words the comparison of the point value with the target.
func (p *page) Reached(d stats.Decision) string {
	switch {
	case d.ReachesTarget == nil:
		return p.T("reached.none")
	case *d.ReachesTarget:
		return p.T("reached.yes")
	}
	return p.T("reached.no")
}

// Reason words why a number is missing.
func (p *page) Reason(code string) string {
	if text, ok := p.texts.find(p.Lang, "reason."+code); ok {
		return text
	}
	return code
}

// Name words a code of a fixed list: a channel, a door, a flag, a grouping.
func (p *page) Name(list, code string) string {
	if text, ok := p.texts.find(p.Lang, list+"."+code); ok {
		return text
	}
	return code
}

// Grouping words what the groups of a report are.
func (p *page) Grouping(by string) string { return p.Name("grouping", by) }

// Say says a text in a given language, for pages that show two at once.
func (p *page) Say(lang, key string) string { return p.texts.say(lang, key) }

// Help says what to do about an error, "" where there is nothing to add.
func (p *page) Help(code survey.Code) string {
	text, _ := p.texts.find(p.Lang, "help."+string(code))
	return text
}

// Number is the number of the i-th item, counting from 1.
func (p *page) Number(i int) int { return i + 1 }

// pair is a weighted figure and the unweighted one beside it.
type pair struct {
	Page *page
	W, U stats.Figure
}

// Pair hands two figures to a template.
func (p *page) Pair(weighted, unweighted stats.Figure) pair { return pair{p, weighted, unweighted} }
