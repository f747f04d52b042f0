package analysis

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// Rules of what may be said (STATS: "Publishing").
const (
	level          = 0.95
	minVerdict     = 30   // respondents
	maxWidth       = 0.30 // of an interval, in proportion
	reviewDF       = 8
	maxCV          = 0.30
	maxWeightRatio = 5
)

// compute makes the report of a query from a snapshot.
func (a *Analysis) compute(snap snapshot, q Query, today survey.Date) (*stats.Report, error) {
	x := newQuestion(snap, q)
	result, err := stats.Compute(&x.plan, snap.blocks...)
	if err != nil {
		return nil, fmt.Errorf("compute the report: %w", err)
	}
	w := &writer{question: x, result: result, interim: snap.round.Interim(today.Start())}
	report := w.report()
	report.Software = a.version
	if q.By == "channel" {
		if report.Groups, err = x.byChannel(w.interim); err != nil {
			return nil, err
		}
	}
	if err := w.rank(report); err != nil {
		return nil, err
	}
	return report, nil
}

// byChannel computes one report a channel: a mode is a sample of its own, with
// its own weights, and modes are never pooled silently.
func (x *question) byChannel(interim bool) ([]stats.Group, error) {
	var groups []stats.Group
	for _, channel := range survey.Channels {
		if !slices.ContainsFunc(x.places, func(p place) bool { return p.channel == string(channel) }) {
			continue
		}
		q := x.query
		q.By, q.Channel = "", string(channel)
		y := newQuestion(x.snapshot, q)
		result, err := stats.Compute(&y.plan, x.blocks...)
		if err != nil {
			return nil, fmt.Errorf("compute channel %s: %w", channel, err)
		}
		w := &writer{question: y, result: result, interim: interim}
		groups = append(groups, w.group(string(channel), channelNames[channel], &result.Total, w.totalTarget()))
	}
	return groups, nil
}

// writer turns a result of package stats into the report's terms and percents.
type writer struct {
	*question
	result  *stats.Result
	interim bool
}

func (w *writer) report() *stats.Report {
	round, in := w.round, w.instrument
	r := &stats.Report{
		Round:  w.header(),
		Filter: w.filter(), Basis: w.basis(), Interim: w.interim, Level: level * 100, By: w.query.By,
		Weighting: w.weighting(), Counts: w.counts(), Groups: []stats.Group{},
	}
	for i := range in.Methods {
		h := w.method(i)
		r.Methods = append(r.Methods, h)
		if i == w.plan.Headline {
			r.Method = h
		}
	}
	if t, err := store.ParseHour(w.lastHour); err == nil {
		r.CutOff = &t
	}
	r.Total = w.group("", round.Title, &w.result.Total, w.totalTarget())
	for i := range w.result.Groups {
		d := &w.result.Groups[i]
		if d.N == 0 && d.Population == 0 {
			continue
		}
		id := w.groups[i]
		r.Groups = append(r.Groups, w.group(id, w.label(w.query.By, id), d, w.groupTarget(id)))
	}
	r.Notices = w.notices(r)
	return r
}

// header says which round the report is about.
func (w *writer) header() stats.RoundHeader {
	r := w.round
	h := stats.RoundHeader{
		ID: r.ID, Title: r.Title, Instrument: r.Instrument, Version: r.Version, LegalBasis: w.instrument.LegalBasis,
		Design: r.Design, First: r.First, Last: r.Last, Target: r.Target,
	}
	if r.Form == survey.FormQuick {
		h.Index = w.catalogue.Instruments[survey.InstrumentKey(r.Instrument, r.Version)].Quick.Index
	}
	return h
}

// method describes a method of the instrument.
func (w *writer) method(i int) stats.MethodHeader {
	m := w.instrument.Methods[i]
	return stats.MethodHeader{Name: m.Name, Version: m.Version, Combine: m.Combine, FactorWeights: w.instrument.Weights(m)}
}

// groupTarget is the target of a group: that of its unit where it has one.
func (w *writer) groupTarget(id string) float64 {
	switch w.query.By {
	case "unit":
		return w.round.UnitTarget(id)
	case "desk":
		if d := w.catalogue.Desks[id]; d != nil {
			return w.round.UnitTarget(d.Unit)
		}
	}
	return w.totalTarget()
}

// totalTarget is the target of the whole: that of the unit where the report is
// about one.
func (w *writer) totalTarget() float64 {
	if unit := w.query.Filters["unit"]; unit != "" {
		return w.round.UnitTarget(unit)
	}
	return w.round.Target
}

func (w *writer) basis() string {
	if w.round.Drawn() {
		return "population"
	}
	return "respondents"
}

func (w *writer) filter() map[string]string {
	f := maps.Clone(w.query.Filters)
	for name, value := range map[string]string{"channel": string(w.channel), "from": string(w.query.From), "to": string(w.query.To)} {
		if value != "" {
			f[name] = value
		}
	}
	if w.query.WithoutFlagged {
		f["flagged"] = "without"
	}
	return f
}

func (w *writer) counts() stats.Counts {
	c := stats.Counts{Unreadable: w.unreadable, ByChannel: map[string]int{}, ByDoor: map[string]int{}, ByFlag: map[string]int{}}
	for i, p := range w.places {
		n := w.result.PlaceRows[i]
		if n == 0 || !w.plan.Places[i].In {
			continue
		}
		c.Received += n
		c.ByChannel[p.channel] += n
		c.ByDoor[p.door] += n
		if p.late {
			c.Late += n
		}
		if names := p.flagNames(); len(names) > 0 {
			c.Flagged += n
			for _, name := range names {
				c.ByFlag[name] += n
			}
		}
		switch {
		case w.plan.Places[i].Counted:
			c.Counted += n
		case !p.valid:
			c.Invalid += n
		case p.excluded:
			c.Excluded += n
		case w.channel != "" && p.channel != string(w.channel):
			c.OtherChannels += n
		}
	}
	w.countSlips(&c)
	return c
}

// countSlips compares slips that were issued with those that came back, where the
// numbers are about the same people.
func (w *writer) countSlips(c *stats.Counts) {
	if !w.round.Takes(survey.DoorSlip) || w.query.From != "" || w.query.To != "" {
		return
	}
	for name := range w.query.Filters {
		if name != "unit" {
			return
		}
	}
	issued, returned := 0, c.ByDoor[string(survey.DoorSlip)]
	for _, p := range w.catalogue.Populations {
		if unit := w.query.Filters["unit"]; p.Round == w.round.ID && (unit == "" || unit == p.Unit) {
			issued += p.Slips
		}
	}
	c.SlipsIssued, c.SlipsReturned = &issued, &returned
}

func (w *writer) weighting() stats.Weighting {
	g := stats.Weighting{Kind: "none", Unreachable: w.unreachable, Cells: []stats.CellFigures{}}
	if w.plan.Design == stats.Drawn {
		g.Kind = "design"
	}
	if w.result.WeightRatio > 0 {
		ratio := w.result.WeightRatio
		g.LargestRatio = &ratio
	}
	if w.result.RakingReason != "" {
		g.Kind = "raked"
	}
	for _, c := range w.result.Cells {
		f := stats.CellFigures{Unit: w.units[c.Unit], Returned: int(c.N), Answers: c.Answers, Exceeds: c.Exceeds,
			Uncovered: c.Reason == stats.ReasonUncovered || c.Reason == stats.ReasonNoPopulation}
		g.Returned += f.Returned
		if c.Reason == "" {
			g.Kind = "post_stratified"
			if len(w.plan.Margins) > 0 {
				g.Kind = "raked"
			}
			g.Covered += f.Returned
			if c.Answers > 0 {
				f.Weight = &c.Weight
			}
		}
		for _, m := range c.Members {
			key := w.cells[m]
			f.Members = append(f.Members, stats.CellMember{Field: key.field, Filing: key.filing, Returned: int(w.plan.Cells[m].N), Answers: w.result.CellAnswers[m]})
		}
		g.Cells = append(g.Cells, f)
	}
	return g
}

// group writes the total or one group. target is in percent.
func (w *writer) group(id string, label survey.Text, d *stats.Domain, target float64) stats.Group {
	g := stats.Group{ID: id, Label: label, N: d.N, Strata: d.Strata, PSUs: d.PSUs}
	g.RankGroup = w.rankGroup(id)
	head := w.plan.Headline
	for m, method := range w.plan.Methods {
		f := stats.MethodFigures{
			Name:     method.Name,
			Weighted: indexFigure(d.Weighted, d.WeightedReason, m), Unweighted: indexFigure(d.Unweighted, d.UnweightedReason, m),
		}
		g.Methods = append(g.Methods, f)
		if m == head {
			g.Weighted, g.Unweighted = f.Weighted, f.Unweighted
		}
	}
	for i, f := range w.instrument.Factors {
		pick := func(e *stats.Estimates) *stats.Estimate { return &e.Factors[i] }
		g.Factors = append(g.Factors, stats.FactorFigures{ID: f.ID, Title: f.Title,
			Weighted: figure(d.Weighted, d.WeightedReason, pick), Unweighted: figure(d.Unweighted, d.UnweightedReason, pick)})
	}
	for i, it := range w.instrument.Items() {
		pick := func(e *stats.Estimates) *stats.Estimate { return &e.Items[i] }
		n := &d.Counts[i]
		g.Items = append(g.Items, stats.ItemFigures{ID: it.ID, Text: it.Text, Levels: [5]int(n[:5]),
			NotAsked: n[5], Blank: n[6], NotApplicable: n[7], BrokenOff: n[8],
			Weighted: figure(d.Weighted, d.WeightedReason, pick), Unweighted: figure(d.Unweighted, d.UnweightedReason, pick)})
	}
	w.response(&g, d, target)
	g.Verdict = w.decide(&g, d, target)
	return g
}

// rankGroup is the type of unit within which units, and desks, are ranked.
func (w *writer) rankGroup(id string) string {
	unit := ""
	switch w.query.By {
	case "unit":
		unit = id
	case "desk":
		if d := w.catalogue.Desks[id]; d != nil {
			unit = d.Unit
		}
	}
	if u := w.catalogue.Units[unit]; u != nil {
		return u.Type
	}
	return ""
}

// response fills in response rate and tipping point, where the population of
// exactly these respondents is known.
func (w *writer) response(g *stats.Group, d *stats.Domain, target float64) {
	if !d.PopulationKnown || d.Population <= 0 || w.plan.Design == stats.Drawn {
		return
	}
	returned := int(d.Population)
	g.Returned = &returned
	if w.query.From != "" || w.query.To != "" || !w.wholePersons() || d.Weighted == nil {
		return // the figure counts the whole period, everybody, and units that answered
	}
	rate := float64(d.N) / d.Population
	g.ResponseRate = percent(rate)
	if headline := w.headline(g); headline.Value != nil && rate < 1 {
		g.TippingPoint = percent((target/100 - rate**headline.Value/100) / (1 - rate))
	}
}

func (w *writer) wholePersons() bool {
	for _, p := range w.plan.Persons {
		if !p.In {
			return false
		}
	}
	return w.plan.By != stats.ByPerson && w.plan.By != stats.ByDay
}

// unweighted reports whether nothing in the round can be weighted: then, and
// only then, unweighted figures are compared with the target and ranked.
func (w *writer) unweighted() bool {
	return w.plan.Design == stats.Visitors && w.result.WeightRatio == 0 && w.result.RakingReason == ""
}

// headline is the figure that is compared with the target.
func (w *writer) headline(g *stats.Group) stats.Figure {
	if w.unweighted() {
		return g.Unweighted
	}
	return g.Weighted
}

// decide compares the index with the target (DECISIONS: "Verdict").
func (w *writer) decide(g *stats.Group, d *stats.Domain, target float64) stats.Decision {
	looks := max(1, w.round.Looks)
	alpha := (1 - level) / float64(looks)
	v := stats.Decision{Target: target, Basis: w.basis(), Interim: w.interim, Level: round10(100 * (1 - alpha))}
	headline := w.headline(g)
	if headline.Value != nil {
		reaches := *headline.Value >= target
		v.ReachesTarget = &reaches
	}
	say := func(verdict stats.Verdict) stats.Decision {
		v.Verdict = &verdict
		return v
	}
	estimates := w.estimates(d)
	switch {
	case d.Exceeds:
		v.Reason = "answers_exceed_transactions"
		return v
	case d.N < minVerdict, estimates != nil && estimates.N < minVerdict:
		return say(stats.TooFew)
	case d.Incomplete, estimates != nil && estimates.Incomplete:
		v.Reason = stats.ReasonIncomplete
		return v
	case estimates == nil && (d.WeightedReason == stats.ReasonNoPopulation || d.WeightedReason == w.result.RakingReason):
		v.Reason = d.WeightedReason
		return v
	case estimates == nil || !estimates.Index[w.plan.Headline].HasCI:
		return say(stats.TooFew)
	}
	e := estimates.Index[w.plan.Headline]
	interval, _, ok := stats.CompositeInterval(e.P, e.SE, e.N, float64(e.DF), 1-alpha)
	switch {
	case !ok:
		return say(stats.TooFew)
	case interval.High-interval.Low >= maxWidth:
		v.Reason = "suppressed"
		return v
	}
	return say(stats.VerdictOf(interval, target/100))
}

// estimates are those that are compared with the target and with others, nil
// where there are none.
func (w *writer) estimates(d *stats.Domain) *stats.Estimates {
	if w.unweighted() {
		return d.Unweighted
	}
	return d.Weighted
}

func indexFigure(e *stats.Estimates, reason string, method int) stats.Figure {
	return figure(e, reason, func(e *stats.Estimates) *stats.Estimate { return &e.Index[method] })
}

// figure writes one estimate in percent.
func figure(estimates *stats.Estimates, reason string, pick func(*stats.Estimates) *stats.Estimate) stats.Figure {
	if estimates == nil {
		return stats.Figure{Reason: reason}
	}
	e := pick(estimates)
	f := stats.Figure{N: e.N, DF: e.DF, Reason: e.Reason}
	if e.HasP {
		f.Value = percent(e.P)
	}
	if e.HasSE {
		f.SE = percent(e.SE)
		if e.P > 0 && e.SE/e.P > maxCV {
			f.Marks = append(f.Marks, "cv")
		}
		if e.DF < reviewDF {
			f.Marks = append(f.Marks, "review")
		}
	}
	if e.HasCI {
		f.Low, f.High, f.Interval = percent(e.CI.Low), percent(e.CI.High), e.CIMethod
		if e.CI.High-e.CI.Low >= maxWidth {
			f.Marks = append(f.Marks, "wide")
		}
	}
	if e.HasDeff {
		deff := round10(e.Deff)
		f.Deff = &deff
	}
	if e.HasNEff {
		n := round10(e.NEff)
		f.NEff = &n
	}
	return f
}

func percent(p float64) *float64 {
	v := round10(p * 100)
	return &v
}

// round10 keeps ten decimals: far more than anybody reads, and few enough that
// two ways of adding up the same answers agree.
func round10(v float64) float64 { return math.Round(v*1e10) / 1e10 }
