package survey

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// The forms of a round: which items a person is asked.
const (
	// FormFull asks everybody all items.
	FormFull = "full"
	// FormSplit asks everybody the items of one module, drawn by chance.
	FormSplit = "split"
	// FormQuick asks everybody the short list of the instrument, which has an
	// index of its own: see [Quick].
	FormQuick = "quick"
)

// Quick is a fixed short list of an instrument's items. They are not drawn by
// chance, so they say nothing of the others: a quick round measures an index with
// a name of its own, the mean of the shares of these items, and is never compared
// or joined with a full one.
type Quick struct {
	// Index is the name of that index.
	Index Text     `json:"index" validate:"text"`
	Items []string `json:"items" validate:"min=1,max=7,unique,dive,required"`
}

// prepareQuick makes what a quick round measures: an instrument of the items of
// the short list, in the order of the whole.
func (in *Instrument) prepareQuick(p *problems) {
	in.quick, in.short = nil, nil
	if in.Quick == nil {
		return
	}
	in.short = &Module{Items: in.Quick.Items, has: make([]bool, len(in.items))}
	for i, id := range in.Quick.Items {
		at, ok := in.index[id]
		if !ok {
			p.add(fmt.Sprintf("quick.items[%d]", i), CodeItemUnknown, clip(id))
			continue
		}
		in.short.has[at] = true
	}
	if len(p.list) > 0 {
		return
	}
	part := *in
	part.Quick, part.Modules, part.Factors = nil, nil, nil
	part.Methods = []Method{{Name: "quick", Version: 1, Combine: "mean_of_items"}}
	for _, f := range in.Factors {
		f.Items = slices.DeleteFunc(slices.Clone(f.Items), func(it Item) bool { return !slices.Contains(in.Quick.Items, it.ID) })
		if len(f.Items) > 0 {
			part.Factors = append(part.Factors, f)
		}
	}
	p.nest("quick", part.Prepare())
	in.quick = &part
}

// Asked finds what a round asks the person who gives the response id: nil is
// every item. An instrument without the form of the round asks nothing: then ok
// is false.
func (in *Instrument) Asked(r *Round, id ID) (m *Module, ok bool) {
	switch r.Form {
	case FormQuick:
		return in.short, in.short != nil
	case FormSplit:
		m = in.DrawModule(r.ID, id)
		return m, m != nil
	}
	return nil, true
}

// Measured returns what the index of a round is made of: its instrument, or in a
// quick round the short list of that. Nil where there is none.
func (c *Catalogue) Measured(r *Round) *Instrument {
	in := c.Instruments[InstrumentKey(r.Instrument, r.Version)]
	if in != nil && r.Form == FormQuick {
		return in.quick
	}
	return in
}

// Module is the part of an instrument's items that a split form asks one person.
// Modules may share items; together they have all.
type Module struct {
	ID    string   `json:"id" validate:"required,code"`
	Items []string `json:"items" validate:"min=1,max=64,dive,required"`
	// Probability is that with which a person gets this module; those of an
	// instrument sum to 1.
	Probability float64 `json:"probability" validate:"gt=0,lte=1"`
	// First is the item that a form asks first; the others follow in the order of the
	// instrument, and so do all where it is empty.
	First string `json:"first,omitempty" validate:"max=64"`

	has   []bool // by item
	first int    // position of First and 1 more, 0 without
}

// Asks reports whether the module has the item at a position of
// [Instrument.Items].
func (m *Module) Asks(item int) bool { return m.has[item] }

// place orders the items of a form: the lower is asked earlier. m may be nil.
func (m *Module) place(item int) int {
	if m != nil && m.first == item+1 {
		return -1
	}
	return item
}

// Order lists the positions of what a module asks in the order in which a form shows them;
// nil is a form of all items.
func (in *Instrument) Order(m *Module) []int {
	var order []int
	for i := range in.items {
		if m == nil || m.Asks(i) {
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(m.place(a), m.place(b)) })
	return order
}

// prepareModules checks the modules: an item that no module has could never be
// estimated.
func (in *Instrument) prepareModules(p *problems) {
	if len(in.Modules) == 0 {
		return
	}
	reached := make([]bool, len(in.items))
	sum := 0.0
	for mi := range in.Modules {
		m := &in.Modules[mi]
		field := fmt.Sprintf("modules[%d]", mi)
		sum += m.Probability
		if slices.ContainsFunc(in.Modules[:mi], func(o Module) bool { return o.ID == m.ID }) {
			p.add(field+".id", CodeDuplicate, m.ID)
		}
		m.has = make([]bool, len(in.items))
		for ii, id := range m.Items {
			i, ok := in.index[id]
			switch {
			case !ok:
				p.add(fmt.Sprintf("%s.items[%d]", field, ii), CodeItemUnknown, clip(id))
				continue
			case m.has[i]:
				p.add(fmt.Sprintf("%s.items[%d]", field, ii), CodeDuplicate, id)
			}
			m.has[i], reached[i] = true, true
		}
		if m.first = 0; m.First != "" {
			if i, ok := in.index[m.First]; ok && m.has[i] {
				m.first = i + 1
			} else {
				p.add(field+".first", CodeItemUnknown, clip(m.First))
			}
		}
	}
	if !(math.Abs(sum-1) <= 1e-9) {
		p.add("modules", CodeInvalid, "the probabilities sum to ", sum, ", not to 1")
	}
	for i, ok := range reached {
		if !ok {
			p.add("modules", CodeInvalid, "no module has item "+in.items[i].ID)
		}
	}
}

// Inclusion is the probability with which a split form asks each item, in the
// order of [Instrument.Items]; nil without modules.
func (in *Instrument) Inclusion() []float64 {
	if len(in.Modules) == 0 {
		return nil
	}
	out := make([]float64, len(in.items))
	for i := range out {
		for m := range in.Modules {
			if in.Modules[m].Asks(i) {
				out[i] += in.Modules[m].Probability
			}
		}
		out[i] = min(out[i], 1) // sums are rounded
	}
	return out
}

// Module finds a module by its id, nil where there is none.
func (in *Instrument) Module(id string) *Module {
	for i := range in.Modules {
		if in.Modules[i].ID == id {
			return &in.Modules[i]
		}
	}
	return nil
}

// DrawModule draws the module of one response: by SHA-256 of the round and the
// response's id, so that page, tablet and server draw the same without asking one
// another. The first 48 bits are the number that decides, which a browser can
// compute exactly. Nil without modules.
func (in *Instrument) DrawModule(round string, id ID) *Module {
	sum := sha256.Sum256([]byte("module\x00" + round + "\x00" + id.String()))
	at := float64(binary.BigEndian.Uint64(sum[:8])>>16) / (1 << 48)
	for i := range in.Modules {
		if at -= in.Modules[i].Probability; at < 0 {
			return &in.Modules[i]
		}
	}
	if n := len(in.Modules); n > 0 {
		return &in.Modules[n-1] // probabilities sum to 1 only up to rounding
	}
	return nil
}
