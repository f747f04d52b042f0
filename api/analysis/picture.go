package analysis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// Picture returns the newest picture of a round, for those who may not see
// answers. It is made when it is first asked for in a period of the round's, and
// then the same for everybody until the next. The picture is shared and must not
// be changed.
func (a *Analysis) Picture(ctx context.Context, round string) (*stats.Picture, error) {
	r := a.store.View().Rounds[round]
	if r == nil {
		return nil, &survey.Error{Fields: []survey.FieldError{{Field: "round", Code: survey.CodeRoundUnknown}}}
	}
	if r.Status == survey.StatusDraft {
		return nil, &survey.Error{Fields: []survey.FieldError{{Field: "round", Code: survey.CodeRoundNotOpen}}}
	}
	period, next := r.PicturePeriod(survey.DateOf(a.now()))
	if kept, ok := a.pictures.Load(round); ok && kept.(*store.Picture).Period >= period {
		return &kept.(*store.Picture).Picture, nil
	}
	for {
		old, err := a.store.Picture(ctx, round)
		if err != nil {
			return nil, err
		}
		if old.Period >= period {
			a.pictures.Store(round, &old)
			return &old.Picture, nil
		}
		d, err := answer(ctx, a, fmt.Sprintf("picture%q", round), []string{round}, a.draft)
		if err != nil {
			return nil, err
		}
		renewed, err := d.develop(old)
		if err != nil {
			return nil, fmt.Errorf("picture of %s: %w", round, err)
		}
		renewed.Period, renewed.Next = period, next
		// The next turn reads what is stored, whoever made it.
		if err := a.store.PutPicture(ctx, round, old, renewed); err != nil && !errors.Is(err, store.ErrStale) {
			return nil, err
		}
	}
}

// draft is a picture with all numbers in it, and the groups' exact counts.
type draft struct {
	stats.Picture
	table     stats.Table // of the same cells
	weighting string      // of all figures
}

// draft computes every group of a round.
func (a *Analysis) draft(snaps []snapshot, today survey.Date) (*draft, error) {
	snap := snaps[0]
	d := &draft{}
	groupings := []string{"unit", "desk", "field", "filing"}
	for _, q := range snap.instrument.Profile {
		groupings = append(groupings, q.ID)
	}
	for _, by := range groupings {
		x := newQuestion(snap, Query{Round: snap.round.ID, By: by})
		if by == "desk" {
			// One that moved to another unit is a desk of each.
			x.number(len(x.places), func(i int) string { return x.places[i].unit + "\x00" + x.places[i].desk }, func(i int, g int32) { x.plan.Places[i].Group = g })
		}
		result, err := stats.Compute(&x.plan, snap.blocks...)
		if err != nil {
			return nil, fmt.Errorf("compute a picture: %w", err)
		}
		w := &writer{question: x, result: result, interim: snap.round.Interim(today.Start())}
		if len(d.Cells) == 0 {
			d.Picture = w.picture()
			d.Made, d.Software = today, a.version
			d.weighting = w.weighting().Kind
			d.add(w, "", &result.Total)
		}
		for g := range result.Groups {
			d.add(w, x.groups[g], &result.Groups[g])
		}
	}
	for i := range d.Cells {
		d.Cells[i].AsOf = &d.Made
	}
	return d, nil
}

// picture begins a picture of the report's round.
func (w *writer) picture() stats.Picture {
	p := stats.Picture{Round: w.header(), Basis: w.basis(), Interim: w.interim, Method: w.method(w.plan.Headline), Level: level * 100}
	p.Notices = append(commonNotices(p.Round, p.Basis, p.Interim), stats.Notice{Code: "picture", Text: survey.Text{
		"vi": "Số liệu chốt theo kỳ và làm tròn. Nhóm có quá ít phiếu được ẩn, cùng những nhóm mà từ đó có thể suy ra; nhóm có quá ít phiếu mới giữ số liệu của kỳ trước.",
		"en": "Figures are fixed for a period and rounded. Groups of too few answers are hidden, as are those from which they would follow; a group with too few new answers keeps its earlier figures."}})
	for _, f := range w.instrument.Factors {
		p.Factors = append(p.Factors, stats.PictureMeasure{ID: f.ID, Text: f.Title})
	}
	for _, it := range w.instrument.Items() {
		p.Items = append(p.Items, stats.PictureMeasure{ID: it.ID, Text: it.Text})
	}
	return p
}

// add adds the whole ("") or a group, unless nobody was or could be in it. Those
// of a unit at no desk are no group of their own.
func (d *draft) add(w *writer, id string, domain *stats.Domain) {
	c := stats.PictureCell{By: w.query.By, ID: id}
	target := w.round.Target
	switch {
	case len(d.Cells) == 0:
		c.By, c.Label = "", w.round.Title
	case domain.N == 0 && domain.Population == 0:
		return
	case c.By == "desk":
		c.Unit, c.ID, _ = strings.Cut(id, "\x00")
		if c.ID == "" {
			return
		}
		target = w.round.UnitTarget(c.Unit)
		c.Label = survey.Text{"vi": c.ID, "en": c.ID}
		if desk := w.catalogue.Desks[c.ID]; desk != nil {
			c.Label = desk.Name
		}
	default:
		c.Label, target = w.label(c.By, id), w.groupTarget(id)
	}
	d.fill(&c, w, domain, target)
	d.Cells = append(d.Cells, c)
	t := tableCell(&c)
	t.N = domain.N
	for _, n := range domain.Counts {
		t.Items = append(t.Items, stats.ItemSplit{Satisfied: n[3] + n[4], Other: n[0] + n[1] + n[2]})
	}
	d.table.Cells = append(d.table.Cells, t)
}

// fill writes the figures of a cell.
func (d *draft) fill(c *stats.PictureCell, w *writer, domain *stats.Domain, target float64) {
	g := w.group("", nil, domain, target)
	c.N, c.Returned, c.Verdict = &g.N, g.Returned, &g.Verdict
	c.ResponseRate, c.TippingPoint = round1(g.ResponseRate), round1(g.TippingPoint)
	c.Weighting = d.weighting
	figure := func(weighted, unweighted stats.Figure) stats.PictureFigure {
		f := weighted
		if w.unweighted() {
			f = unweighted
		}
		return stats.PictureFigure{Value: round1(f.Value), Low: round1(f.Low), High: round1(f.High), Reason: f.Reason}
	}
	index := figure(g.Weighted, g.Unweighted)
	c.Index = &index
	for i := range g.Factors {
		c.Factors = append(c.Factors, figure(g.Factors[i].Weighted, g.Factors[i].Unweighted))
	}
	for i := range g.Items {
		c.Items = append(c.Items, figure(g.Items[i].Weighted, g.Items[i].Unweighted))
	}
}

// round1 keeps one decimal: what a reader needs, and little to solve for.
func round1(v *float64) *float64 {
	if v == nil {
		return nil
	}
	r := math.Round(*v*10) / 10
	return &r
}

// tableCell places a cell in the tree of groups.
func tableCell(c *stats.PictureCell) stats.TableCell {
	const whole = "all"
	switch c.By {
	case "":
		return stats.TableCell{ID: whole}
	case "desk":
		return stats.TableCell{ID: "desk=" + c.Unit + "/" + c.ID, Whole: "unit=" + c.Unit, Split: "desk"}
	}
	return stats.TableCell{ID: c.By + "=" + c.ID, Whole: whole, Split: c.By}
}

// develop makes the picture that follows old.
func (d *draft) develop(old store.Picture) (store.Picture, error) {
	old = relaid(old, &d.Picture)
	p := store.Picture{Picture: d.Picture}
	cells, table := slices.Clone(d.Cells), stats.Table{Cells: slices.Clone(d.table.Cells)}
	index := map[string]int{}
	for i, t := range table.Cells {
		index[t.ID] = i
	}
	earlier := map[string]*stats.PictureCell{}
	for i := range old.Cells {
		c := &old.Cells[i]
		t := tableCell(c)
		earlier[t.ID] = c
		if _, still := index[t.ID]; !still { // nobody is left in it
			nobody := 0
			t.Items = make([]stats.ItemSplit, len(p.Items))
			index[t.ID], table.Cells = len(cells), append(table.Cells, t)
			cells = append(cells, stats.PictureCell{By: c.By, ID: c.ID, Unit: c.Unit, Label: c.Label, AsOf: &p.Made, N: &nobody})
		}
	}
	known, protections, err := stats.Protect(old.Known, table, stats.DefaultDisclosure())
	if err != nil {
		return p, err
	}
	p.Known = known
	renewed := func(id string) bool { return protections[index[id]].Picture == old.Known.Pictures }
	p.Cells = nil
	for i := range cells {
		c, t := &cells[i], &table.Cells[i]
		before, was := earlier[t.ID]
		switch of := protections[i]; {
		case t.Whole != "" && !renewed(t.Whole) && was:
			c = before // what is known of the whole tells no more of it
		case of.Hidden != stats.Shown:
			c = &stats.PictureCell{By: c.By, ID: c.ID, Unit: c.Unit, Label: c.Label, Hidden: of.Hidden.String()}
		case renewed(t.ID):
		case was:
			c = before
		default:
			continue // as far as readers know, nobody was ever in it
		}
		p.Cells = append(p.Cells, *c)
	}
	slices.SortFunc(p.Cells, func(a, b stats.PictureCell) int {
		return cmp.Or(cmp.Compare(groupingOrder(a.By), groupingOrder(b.By)), cmp.Compare(a.By, b.By), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.ID, b.ID))
	})
	return p, nil
}

// groupingOrder: the whole, units, their desks, then what else there is.
func groupingOrder(by string) int {
	if n := slices.Index([]string{"", "unit", "desk", "field", "filing"}, by); n >= 0 {
		return n
	}
	return math.MaxInt
}

// relaid is an earlier picture in the order of the items and factors that the round
// has now: another version of its instrument may have others. Nobody had answered
// an item that is new, and of one that is gone nothing is shown any more.
func relaid(old store.Picture, now *stats.Picture) store.Picture {
	items, same := places(old.Items, now.Items)
	factors, alike := places(old.Factors, now.Factors)
	if old.Period == "" || same && alike {
		return old
	}
	figures := func(list []stats.PictureFigure, from []int) []stats.PictureFigure {
		if list == nil {
			return nil
		}
		out := make([]stats.PictureFigure, len(from))
		for i, at := range from {
			if out[i].Reason = stats.ReasonNoAnswers; at >= 0 {
				out[i] = list[at]
			}
		}
		return out
	}
	counts := func(list []int) []int {
		out := make([]int, 1+2*len(items))
		out[0] = list[0]
		for i, at := range items {
			if at >= 0 {
				out[1+2*i], out[2+2*i] = list[1+2*at], list[2+2*at]
			}
		}
		return out
	}
	old.Cells = slices.Clone(old.Cells)
	for i := range old.Cells {
		c := &old.Cells[i]
		c.Items, c.Factors = figures(c.Items, items), figures(c.Factors, factors)
	}
	old.Known.Cells = slices.Clone(old.Known.Cells)
	for i := range old.Known.Cells {
		c := &old.Known.Cells[i]
		c.Shown, c.Latest = counts(c.Shown), counts(c.Latest)
	}
	old.Known.Sums = slices.Clone(old.Known.Sums)
	for i := range old.Known.Sums {
		s := &old.Known.Sums[i]
		s.Since, s.Then = counts(s.Since), slices.Clone(s.Then)
		for k := range s.Then {
			s.Then[k] = counts(s.Then[k])
		}
	}
	return old
}

// places says where in a list each element of another stands, -1 where it does not;
// same is whether the lists are alike.
func places(in, of []stats.PictureMeasure) (at []int, same bool) {
	same = len(in) == len(of)
	for i, x := range of {
		k := slices.IndexFunc(in, func(y stats.PictureMeasure) bool { return y.ID == x.ID })
		at, same = append(at, k), same && k == i
	}
	return at, same
}
