package analysis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"sipas/stats"
	"sipas/survey"
)

// Values of Comparison.By that are no groupings of reports.
const (
	byPeriod = "period"
	byRound  = "round"
)

// Comparison says which two sides are wanted. They differ in one thing: what
// differs in two says nothing about either.
type Comparison struct {
	// By is what they differ in: a grouping of reports but month and day, a
	// profile question, "period" or "round".
	By string
	// A and B are the values of By: ids, periods, rounds.
	A, B string
	// a and b are the reports about each side.
	a, b Query
}

// ParseComparison reads the parameters of a comparison. by says what differs, a
// and b are its two values; all others narrow both sides like those of
// [ParseQuery]. A period is written 2026-10-01..2026-10-31; for rounds, a is
// round itself. The error is a [*survey.Error]; its codes say what cannot be
// compared.
func ParseComparison(c *survey.Catalogue, round string, params map[string]string) (Comparison, error) {
	x := Comparison{By: params["by"], A: params["a"], B: params["b"]}
	if c.Rounds[round] == nil {
		return x, refuse("round", survey.CodeRoundUnknown, "")
	}
	common := maps.Clone(params)
	for _, name := range []string{"by", "a", "b"} {
		delete(common, name)
	}
	if x.By == byRound && x.A == "" {
		x.A = round
	}
	for name, value := range map[string]string{"by": x.By, "a": x.A, "b": x.B} {
		if value == "" {
			return x, refuse(name, survey.CodeRequired, "")
		}
	}
	if x.A == x.B || x.By == "channel" && (x.A == allChannels || x.B == allChannels) {
		return x, refuse("b", survey.CodeSamplesOverlap, "")
	}
	var err error
	switch x.By {
	case "month", "day":
		return x, refuse("by", survey.CodeInvalid, "compare periods")
	case byRound:
		return x, x.parseRounds(c, round, common)
	case byPeriod:
		return x, x.parsePeriods(c, round, common)
	}
	if _, err := ParseQuery(c, round, map[string]string{"by": x.By}); err != nil {
		return x, err
	}
	if common[x.By] != "" {
		return x, refuse(x.By, survey.CodeDuplicate, "both sides have one already")
	}
	if x.a, err = parseSide(c, round, common, "a", map[string]string{x.By: x.A}); err != nil {
		return x, err
	}
	x.b, err = parseSide(c, round, common, "b", map[string]string{x.By: x.B})
	return x, err
}

// parseSide reads one side. What is wrong with a value of its own is said of
// the parameter that holds it.
func parseSide(c *survey.Catalogue, round string, common map[string]string, side string, own map[string]string) (Query, error) {
	params := maps.Clone(common)
	maps.Copy(params, own)
	q, err := ParseQuery(c, round, params)
	var wrong *survey.Error
	if errors.As(err, &wrong) {
		for i, f := range wrong.Fields {
			if _, ok := own[f.Field]; ok {
				wrong.Fields[i].Field = side
			}
		}
	}
	return q, err
}

func refuse(field string, code survey.Code, detail string) error {
	return &survey.Error{Fields: []survey.FieldError{{Field: field, Code: code, Detail: detail}}}
}

// parsePeriods reads two periods of one round.
func (x *Comparison) parsePeriods(c *survey.Catalogue, round string, common map[string]string) error {
	for _, name := range []string{"from", "to"} {
		if common[name] != "" {
			return refuse(name, survey.CodeDuplicate, "each side has a period already")
		}
	}
	read := func(side, value string) (Query, error) {
		from, to, ok := strings.Cut(value, "..")
		if !ok || from == "" || to == "" {
			return Query{}, refuse(side, survey.CodeInvalid, "a period is written 2026-10-01..2026-10-31")
		}
		return parseSide(c, round, common, side, map[string]string{"from": from, "to": to})
	}
	var err error
	if x.a, err = read("a", x.A); err != nil {
		return err
	}
	if x.b, err = read("b", x.B); err != nil {
		return err
	}
	if x.a.From <= x.b.To && x.b.From <= x.a.To {
		return refuse("b", survey.CodeSamplesOverlap, "")
	}
	return nil
}

// parseRounds reads two rounds, and refuses those that measure different things
// or share desk-days.
func (x *Comparison) parseRounds(c *survey.Catalogue, round string, common map[string]string) error {
	if x.A != round {
		return refuse("a", survey.CodeInvalid, "the round of the address")
	}
	ra, rb := c.Rounds[x.A], c.Rounds[x.B]
	switch {
	case rb == nil:
		return refuse("b", survey.CodeRoundUnknown, "")
	case ra.Instrument != rb.Instrument || ra.Version != rb.Version:
		return refuse("b", survey.CodeInstrumentDiffers, "")
	case ra.Form != rb.Form:
		return refuse("b", survey.CodeFormDiffers, "")
	case ra.Design != rb.Design:
		return refuse("b", survey.CodeDesignDiffers, "")
	case common["channel"] == "" && ra.PrimaryChannel != rb.PrimaryChannel:
		return refuse("channel", survey.CodeChannelDiffers, "")
	case ra.First <= rb.Last && rb.First <= ra.Last && shareUnits(c, ra, rb, common["unit"]):
		return refuse("b", survey.CodeSamplesOverlap, "the rounds ran at the same desks on the same days")
	}
	var err error
	if x.a, err = ParseQuery(c, x.A, common); err != nil {
		return err
	}
	x.b, err = ParseQuery(c, x.B, common)
	return err
}

// shareUnits reports whether some unit, or this one, takes part in both rounds.
func shareUnits(c *survey.Catalogue, a, b *survey.Round, unit string) bool {
	if unit != "" {
		return a.Includes(unit) && b.Includes(unit)
	}
	for id := range c.Units {
		if a.Includes(id) && b.Includes(id) {
			return true
		}
	}
	return false
}

// Compare answers a comparison, like [Analysis.Report] a query.
func (a *Analysis) Compare(ctx context.Context, x Comparison) (*stats.Comparison, error) {
	rounds := []string{x.a.Round}
	if x.By == byRound {
		rounds = append(rounds, x.b.Round)
	}
	key := fmt.Sprintf("compare%q", []string{x.By, x.A, x.B, x.a.key(), x.b.key()})
	return answer(ctx, a, key, rounds, func(snaps []snapshot, today survey.Date) (*stats.Comparison, error) {
		return a.compare(x, snaps, today)
	})
}

// side is one side on its way into a comparison: the report about it, as far as
// it is needed.
type side struct {
	*writer
	group stats.Group
}

func (a *Analysis) side(snap snapshot, q Query, today survey.Date) (*side, error) {
	y := newQuestion(snap, q)
	result, err := stats.Compute(&y.plan, snap.blocks...)
	if err != nil {
		return nil, fmt.Errorf("compute a side: %w", err)
	}
	s := &side{writer: &writer{question: y, result: result, interim: snap.round.Interim(today.Start())}}
	s.group = s.writer.group("", nil, &result.Total, s.totalTarget())
	return s, nil
}

func (a *Analysis) compare(x Comparison, snaps []snapshot, today survey.Date) (*stats.Comparison, error) {
	sa, err := a.side(snaps[0], x.a, today)
	if err != nil {
		return nil, err
	}
	sb, err := a.side(snaps[len(snaps)-1], x.b, today)
	if err != nil {
		return nil, err
	}
	if (sa.unweighted() != sb.unweighted() || sa.round.Weighting() != sb.round.Weighting()) && sa.result.Total.N > 0 && sb.result.Total.N > 0 {
		return nil, refuse("b", survey.CodeWeightingDiffers, "")
	}
	c := &stats.Comparison{
		By: x.By, Filter: x.common(sa), Basis: sa.basis(), Weighting: sa.weighting().Kind, Level: level * 100, Software: a.version,
		Method: sa.method(sa.plan.Headline), A: x.show(sa, x.A), B: x.show(sb, x.B),
	}
	if c.Difference, err = x.difference(sa, sb); err != nil {
		return nil, err
	}
	conclude(c, sa.group.Verdict, sb.group.Verdict)
	c.Notices = x.notices(c, sa, sb)
	return c, nil
}

// common is what narrows both sides.
func (x *Comparison) common(s *side) map[string]string {
	f := s.filter()
	own := []string{x.By}
	if x.By == byPeriod {
		own = []string{"from", "to"}
	}
	for _, name := range own {
		delete(f, name)
	}
	return f
}

// show is what the comparison says of one side.
func (x *Comparison) show(s *side, id string) stats.Side {
	out := stats.Side{ID: id, Round: s.header(), Interim: s.interim, N: s.result.Total.N, Figure: s.headline(&s.group)}
	switch x.By {
	case byRound:
		out.Label = s.round.Title
	case byPeriod:
		out.Label = survey.Text{"vi": string(s.query.From) + " – " + string(s.query.To), "en": string(s.query.From) + " – " + string(s.query.To)}
	default:
		out.Label = s.label(x.By, id)
	}
	return out
}

// difference is B less A, with its error where both sides have one.
func (x *Comparison) difference(sa, sb *side) (d stats.Difference, err error) {
	var groups [2]stats.RankedGroup
	var unanimous [2]bool
	for i, s := range []*side{sa, sb} {
		estimates := s.estimates(&s.result.Total)
		if estimates == nil {
			return stats.Difference{Reason: s.headline(&s.group).Reason}, nil
		}
		e := &estimates.Index[s.plan.Headline]
		if !e.HasP {
			return stats.Difference{Reason: e.Reason}, nil
		}
		groups[i], unanimous[i] = rankable(e), e.SE == 0
		if !e.HasCI {
			d.Reason = e.Reason
		}
	}
	d.Value = percent(groups[1].Estimate - groups[0].Estimate)
	if d.Reason != "" {
		return d, nil
	}
	covariance := [][]float64{{0, 0}, {0, 0}}
	if x.By != byRound {
		plan := x.joint(sa, sb)
		c, err := stats.IndexCovariances(&plan, !sa.unweighted(), sa.blocks...)
		if err != nil {
			return d, fmt.Errorf("covariance of the sides: %w", err)
		}
		covariance[0][1], covariance[1][0] = c.At(0, 1), c.At(0, 1)
		for i := range groups {
			// The sides of one round are parts of one design, whose desk-days are those of both: in a channel alone,
			// days on which only the other was used do not occur.
			if !unanimous[i] {
				groups[i].SE = math.Sqrt(c.At(i, i))
			}
		}
	}
	pairs, err := stats.ComparePairs(groups[:], covariance)
	if err != nil {
		return d, fmt.Errorf("compare the sides: %w", err)
	}
	p := pairs[0]
	interval := stats.TInterval(p.Difference, p.SE, p.DF, level)
	d.SE, d.Low, d.High = percent(p.SE), percent(interval.Low), percent(interval.High)
	df, pValue, shared := round10(p.DF), p.P, round10(covariance[0][1]*1e4)
	d.DF, d.P, d.Covariance = &df, &pValue, &shared
	return d, nil
}

// joint is the plan of one sample with the sides as its two groups.
func (x *Comparison) joint(sa, sb *side) stats.Plan {
	p := sa.plan
	p.Groups, p.By = 2, stats.ByPlace
	p.Places, p.Persons = slices.Clone(sa.plan.Places), slices.Clone(sa.plan.Persons)
	groupOf := func(a, b bool) int32 {
		switch {
		case a:
			return 0
		case b:
			return 1
		}
		return -1
	}
	switch {
	case x.By == byPeriod:
		p.By, p.Days = stats.ByDay, nil
		a, b := sa.plan.Days, sb.plan.Days
		p.DayBase = min(a.From, b.From)
		for day := int(p.DayBase); day <= int(max(a.To, b.To)); day++ {
			in := func(r *stats.DayRange) bool { return day >= int(r.From) && day <= int(r.To) }
			p.DayGroup = append(p.DayGroup, groupOf(in(a), in(b)))
		}
	case x.By == "channel":
		x.joinChannels(&p, sb)
	case isPlaceAttribute(x.By):
		for i := range p.Places {
			a, b := p.Places[i].In, sb.plan.Places[i].In
			p.Places[i].In, p.Places[i].Group = a || b, groupOf(a, b)
		}
	default:
		p.By = stats.ByPerson
		for i := range p.Persons {
			a, b := p.Persons[i].In, sb.plan.Persons[i].In
			p.Persons[i].In, p.Persons[i].Group = a || b, groupOf(a, b)
		}
	}
	return p
}

// joinChannels puts two samples at the same desk-days into one plan. Each keeps
// its own weights: the second one's units, weight cells and classes are others
// to the plan.
func (x *Comparison) joinChannels(p *stats.Plan, sb *side) {
	units, cells := int32(p.Units), int32(len(p.Cells))
	p.Units *= 2
	p.Cells = slices.Clone(p.Cells)
	for _, c := range sb.plan.Cells {
		c.Unit += units
		p.Cells = append(p.Cells, c)
	}
	p.Margins = slices.Clone(p.Margins)
	for i, m := range sb.plan.Margins {
		both, classes := &p.Margins[i], int32(len(m.Totals))
		both.Class, both.Totals = slices.Clone(both.Class), slices.Concat(both.Totals, m.Totals)
		for _, class := range m.Class {
			if class >= 0 {
				class += classes
			}
			both.Class = append(both.Class, class)
		}
	}
	for i := range p.Places {
		to := &p.Places[i]
		to.Group = 0
		if from := sb.plan.Places[i]; from.Counted {
			*to = from
			to.Unit += units
			to.Group = 1
			if to.Cell >= 0 {
				to.Cell += cells
			}
		}
	}
}

// conclude says how B stands to A. What forbids a verdict about a
// side forbids a conclusion too.
func conclude(c *stats.Comparison, a, b stats.Decision) {
	say := func(conclusion stats.Conclusion) { c.Conclusion = &conclusion }
	for _, side := range []stats.Decision{a, b} {
		switch {
		case side.Verdict == nil:
			c.Reason = side.Reason
			return
		case *side.Verdict == stats.TooFew:
			say(stats.TooFewToCompare)
			return
		}
	}
	switch d := c.Difference; {
	case d.P == nil:
		c.Reason = d.Reason
	case *d.P > 1-level:
		say(stats.NotDistinguishable)
	case *d.Value > 0:
		say(stats.Higher)
	default:
		say(stats.Lower)
	}
}

// notices says what a reader must know of a comparison.
func (x *Comparison) notices(c *stats.Comparison, sa, sb *side) []stats.Notice {
	list := commonNotices(sa.header(), c.Basis, sa.interim || sb.interim)
	add := func(when bool, code, vi, en string) {
		if when {
			list = append(list, stats.Notice{Code: code, Text: survey.Text{"vi": vi, "en": en}})
		}
	}
	add(x.By == "channel", "modes",
		"Người trả lời bằng mỗi hình thức là những người khác nhau, và cùng một người có thể trả lời khác đi khi có người đứng xem hay được hỏi trực tiếp: chênh lệch này không chỉ do chất lượng phục vụ.",
		"Different people answer by each channel, and people answer otherwise when somebody watches or asks: the difference is not due to the service alone.")
	add(x.By != "channel" && sa.channel == "" && (len(sa.counts().ByChannel) > 1 || len(sb.counts().ByChannel) > 1), "channels_pooled",
		"Mỗi bên gộp nhiều hình thức trả lời; tỷ lệ giữa các hình thức có thể khác nhau ở hai bên.",
		"Each side pools several channels, and the mix may differ between the sides.")
	add(x.By == byRound && sa.sharesPSUs(sb), "shared_psus",
		"Hai đợt chọn chung một số đơn vị mẫu nhưng sai số được tính như hai mẫu độc lập, nên có thể lớn hơn thực tế.",
		"The rounds drew some of the same sampling units; the error is that of independent samples and may be too large.")
	add(c.Difference.P != nil, "one_pair",
		"Giá trị p và kết luận là của riêng cặp này. Ai xem nhiều cặp sẽ thấy vài cặp khác nhau chỉ do ngẫu nhiên; khi đó hãy dùng khoảng hạng của báo cáo.",
		"The p-value and the conclusion are of this pair alone. Whoever looks at many pairs finds some that differ by chance; use the rank ranges of the report then.")
	return list
}

// sharesPSUs reports whether two draws have a sampling unit in common.
func (s *side) sharesPSUs(other *side) bool {
	for psu := range s.psus {
		if _, ok := other.psus[psu]; ok {
			return true
		}
	}
	return false
}
