package stats

import "sipas/survey"

// Picture is a round as those see it who may not see answers: units, boards and
// the public. It is stored, the same on every server, and stays as it is until the
// next one; [Protect] decides what it shows. Live figures are in a [Report].
//
// Every share, limit, target and rate is in percent, to one decimal.
type Picture struct {
	Round RoundHeader `json:"round"`
	// Made is the day, in Vietnam, whose answers are the newest in it; Next the
	// first day of the next picture.
	Made survey.Date `json:"made"`
	Next survey.Date `json:"next"`
	// Basis, Interim, Method, Level and Software as in a Report.
	Basis    string       `json:"basis"`
	Interim  bool         `json:"interim"`
	Method   MethodHeader `json:"method"`
	Level    float64      `json:"level"`
	Software string       `json:"software"`
	Notices  []Notice     `json:"notices"`
	// Factors and Items name what cells have figures of, in this order.
	Factors []PictureMeasure `json:"factors"`
	Items   []PictureMeasure `json:"items"`
	// Cells are the groups: the whole first, then by grouping and id.
	Cells []PictureCell `json:"cells"`
}

// OfUnit narrows a picture to the whole, one unit and its desks. It is no filter of
// answers: what is narrowed is what everybody sees.
func (p *Picture) OfUnit(unit string) *Picture {
	q := *p
	q.Cells = nil
	for i := range p.Cells {
		if c := &p.Cells[i]; c.By == "" || c.By == "unit" && c.ID == unit || c.By == "desk" && c.Unit == unit {
			q.Cells = append(q.Cells, *c)
		}
	}
	return &q
}

// PictureMeasure names a factor or an item.
type PictureMeasure struct {
	ID   string      `json:"id"`
	Text survey.Text `json:"text"`
}

// PictureCell is the whole of a picture or a group. Of a hidden cell every number
// is null.
type PictureCell struct {
	// By is "" for the whole, or unit, desk, field, filing or a profile question.
	By string `json:"by"`
	ID string `json:"id"`
	// Unit is that of a desk.
	Unit  string      `json:"unit,omitempty"`
	Label survey.Text `json:"label"`
	// Hidden is "primary" (too few people, or few and unanimous) or
	// "complementary" (a hidden group would follow from it), "" where the cell is
	// shown.
	Hidden string `json:"hidden,omitempty"`
	// AsOf is the day as of which the numbers hold: before Picture.Made where too
	// few came since.
	AsOf *survey.Date `json:"as_of"`
	// N to TippingPoint as in a Group.
	N            *int      `json:"n"`
	Returned     *int      `json:"returned"`
	ResponseRate *float64  `json:"response_rate"`
	TippingPoint *float64  `json:"tipping_point"`
	Verdict      *Decision `json:"verdict"`
	// Weighting is that of its figures: "none", "post_stratified", "raked" or
	// "design". There is one figure of each, so that no two can be compared.
	Weighting string          `json:"weighting,omitempty"`
	Index     *PictureFigure  `json:"index"`
	Factors   []PictureFigure `json:"factors"`
	Items     []PictureFigure `json:"items"`
}

// PictureFigure is one estimate; null where it cannot be given, with the reason.
type PictureFigure struct {
	Value  *float64 `json:"value"`
	Low    *float64 `json:"low"`
	High   *float64 `json:"high"`
	Reason string   `json:"reason,omitempty"`
}
