package survey

import (
	"fmt"
	"math"
	"slices"
)

// Instrument is one version of a questionnaire. A published version never
// changes; a change is a new version, and answers name the version they were
// given to.
type Instrument struct {
	// ID is the same for all versions of one questionnaire.
	ID      string `json:"id" validate:"required,code"`
	Version int    `json:"version" validate:"gte=1,lte=100000"`
	// Published versions are immutable and take answers; drafts do neither.
	Published  bool   `json:"published"`
	Title      Text   `json:"title" validate:"text"`
	LegalBasis string `json:"legal_basis,omitempty" validate:"max=500"`
	// Languages in which every question is complete, the default first.
	Languages []string `json:"languages" validate:"min=1,max=20,dive,required,max=20"`
	// Levels are the labels of the five-level scale, level 1 (worst) first; 4 and
	// 5 are satisfied. Answers are stored as level codes, never as positions on
	// a page.
	Levels  []Text   `json:"levels" validate:"len=5,dive,text"`
	Factors []Factor `json:"factors" validate:"min=1,max=32,dive"`
	// Methods are the named ways to combine items into the index; the first is
	// the headline, the others stand beside it in the annex.
	Methods []Method   `json:"methods" validate:"min=1,max=10,dive"`
	Profile []Question `json:"profile,omitempty" validate:"max=20,dive"`
	// Modules are the parts that a split form asks; only rounds with
	// [FormSplit] use them.
	Modules []Module `json:"modules,omitempty" validate:"max=64,dive"`
	// Quick is the short list that a quick form asks; only rounds with [FormQuick]
	// use it.
	Quick *Quick `json:"quick,omitempty"`

	items   []Item
	factors [][]int
	index   map[string]int
	profile map[string]map[string]bool // question → its options
	off     map[string]bool            // questions that are not asked
	quick   *Instrument                // what a quick round measures
	short   *Module                    // what a quick form asks
}

// Factor is a group of items (yếu tố).
type Factor struct {
	ID    string `json:"id" validate:"required,code"`
	Title Text   `json:"title" validate:"text"`
	Items []Item `json:"items" validate:"min=1,max=64,dive"`
}

// Item is one question on the instrument's scale (tiêu chí).
type Item struct {
	ID   string `json:"id" validate:"required,code"`
	Text Text   `json:"text" validate:"text"`
	// Note stands beside the question on the form.
	Note Text `json:"note,omitempty" validate:"omitempty,text"`
	// Verified says that the wording was compared with its source.
	Verified bool `json:"verified"`
}

// Method is a named, versioned rule that makes an index out of items.
type Method struct {
	Name    string `json:"name" validate:"required,code"`
	Version int    `json:"version" validate:"gte=1"`
	// Combine says what a factor is: the mean of its items' shares
	// ("mean_of_items") or satisfied answers over all its answers ("pooled").
	Combine string `json:"combine" validate:"oneof=mean_of_items pooled"`
	// FactorWeights, one a factor, sum to 1: the index is the weighted sum of
	// the factors. Empty means: every item weighs the same.
	FactorWeights []float64 `json:"factor_weights,omitempty"`
}

// Question asks about the person, never about who the person is: all optional,
// all coarse.
type Question struct {
	ID      string   `json:"id" validate:"required,code"`
	Text    Text     `json:"text" validate:"text"`
	Options []Option `json:"options" validate:"min=2,max=30,dive"`
	// Sensitive questions (NĐ 13/2023) are off by default and never crossed
	// with another one.
	Sensitive bool `json:"sensitive,omitempty"`
	// Off questions are not shown.
	Off bool `json:"off,omitempty"`
}

// Option is one choice of a [Question].
type Option struct {
	ID   string `json:"id" validate:"required,option"`
	Text Text   `json:"text" validate:"text"`
}

// maxItems bounds an instrument: columns and answers are sized by it.
const maxItems = 64

// Key is the name of this version, "id@version".
func (in *Instrument) Key() string { return InstrumentKey(in.ID, in.Version) }

// InstrumentKey names a version of an instrument, "id@version".
func InstrumentKey(id string, version int) string { return fmt.Sprintf("%s@%d", id, version) }

// Prepare checks the instrument and builds its indexes. Call it once after
// loading; every other method needs it.
func (in *Instrument) Prepare() error {
	p := checkTags(in)
	in.items, in.factors = nil, nil
	in.index = map[string]int{}
	for fi, f := range in.Factors {
		var members []int
		for ii, it := range f.Items {
			if _, twice := in.index[it.ID]; twice {
				p.add(fmt.Sprintf("factors[%d].items[%d].id", fi, ii), CodeDuplicate, it.ID)
			}
			in.index[it.ID] = len(in.items)
			members = append(members, len(in.items))
			in.items = append(in.items, it)
		}
		in.factors = append(in.factors, members)
	}
	if len(in.items) > maxItems {
		p.add("factors", CodeTooLong, "more than ", maxItems, " items")
	}
	in.profile, in.off = map[string]map[string]bool{}, map[string]bool{}
	for qi, q := range in.Profile {
		if in.profile[q.ID] != nil || slices.Contains(reservedProfileIDs, q.ID) {
			p.add(fmt.Sprintf("profile[%d].id", qi), CodeDuplicate, q.ID)
		}
		in.profile[q.ID] = map[string]bool{}
		in.off[q.ID] = q.Off
		for oi, o := range q.Options {
			if in.profile[q.ID][o.ID] {
				p.add(fmt.Sprintf("profile[%d].options[%d].id", qi, oi), CodeDuplicate, o.ID)
			}
			in.profile[q.ID][o.ID] = true
		}
	}
	in.prepareModules(p)
	names := map[string]bool{}
	for mi, m := range in.Methods {
		field := fmt.Sprintf("methods[%d]", mi)
		if names[m.Name] {
			p.add(field+".name", CodeDuplicate, m.Name)
		}
		names[m.Name] = true
		if len(m.FactorWeights) == 0 {
			continue
		}
		sum := 0.0
		for _, w := range m.FactorWeights {
			if !(w >= 0) {
				p.add(field+".factor_weights", CodeInvalid, "a weight is negative")
			}
			sum += w
		}
		if len(m.FactorWeights) != len(in.Factors) || math.Abs(sum-1) > 1e-9 {
			p.add(field+".factor_weights", CodeInvalid, "one weight a factor, summing to 1")
		}
	}
	in.prepareQuick(p)
	return p.err()
}

// reservedProfileIDs are query parameters of a report, which a profile filter
// (age=60+) must not shadow.
var reservedProfileIDs = []string{"by", "unit", "field", "filing", "channel", "desk", "door", "from", "to", "method", "flagged", "format", "lang", "helped", "round", "group", "month", "day"}

// Items returns all items in the order in which answers are stored.
func (in *Instrument) Items() []Item { return in.items }

// FactorItems returns, for each factor, the positions of its items in
// [Instrument.Items].
func (in *Instrument) FactorItems() [][]int { return in.factors }

// FactorOf returns the position of the factor that has the item at a position of
// [Instrument.Items].
func (in *Instrument) FactorOf(item int) int {
	return slices.IndexFunc(in.factors, func(members []int) bool { return slices.Contains(members, item) })
}

// ItemIndex returns the position of an item.
func (in *Instrument) ItemIndex(id string) (int, bool) {
	i, ok := in.index[id]
	return i, ok
}

// Weights returns the factor weights of a method, filled in where "every item
// weighs the same" leaves them out.
func (in *Instrument) Weights(m Method) []float64 {
	if len(m.FactorWeights) > 0 {
		return m.FactorWeights
	}
	w := make([]float64, len(in.factors))
	for i, f := range in.factors {
		w[i] = float64(len(f)) / float64(len(in.items))
	}
	return w
}
