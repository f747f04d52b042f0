package kiosk

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"sipas/survey"
)

// bundleDays is for how many days a tablet knows the rounds beforehand.
const bundleDays = 60

// Bundle is the survey as a tablet needs it to work without network.
type Bundle struct {
	Format int          `json:"format"`
	Device BundleDevice `json:"device"`
	Desk   BundleDesk   `json:"desk"`
	// Rounds that tablets show at the desk from today on, by id. Should there be two of a
	// day, the one that began last is shown, of two that began on a day the first.
	Rounds []BundleRound `json:"rounds"`
	// Instruments of those rounds, by key.
	Instruments map[string]*survey.Instrument `json:"instruments"`
	Filings     []string                      `json:"filings"`
	Helps       []string                      `json:"helps"`
	// Sounds: "instrument@version.item.language" → address of a recording, another one
	// when the recording is.
	Sounds map[string]string `json:"sounds"`
	// Agency is who asks, by language, and Notice says in full what becomes of answers.
	Agency survey.Text             `json:"agency"`
	Notice map[string][]NoticePart `json:"notice"`
	// Seal is the key to seal answers to.
	Seal []byte `json:"seal"`
	// PublicURL is the address of the service, for the code that leads to withdrawal.
	PublicURL string `json:"public_url"`
	// Day is the day on which it was made, in Vietnam: no clock may be before.
	Day survey.Date `json:"day"`
}

// NoticePart is a numbered paragraph of the notice to people.
type NoticePart struct {
	Title string `json:"title"`
	Text  string `json:"text"`
}

// BundleDevice is the tablet itself.
type BundleDevice struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Comments bool   `json:"comments"`
}

// BundleDesk is where the tablet stands.
type BundleDesk struct {
	ID      string       `json:"id"`
	Name    survey.Text  `json:"name"`
	Unit    survey.Text  `json:"unit"`
	Hotline string       `json:"hotline"`
	Leader  string       `json:"leader"`
	Fields  []NamedField `json:"fields"`
}

// NamedField is a service field of the desk.
type NamedField struct {
	ID   string      `json:"id"`
	Name survey.Text `json:"name"`
}

// BundleRound is a round as far as a tablet needs it.
type BundleRound struct {
	ID    string      `json:"id"`
	Title survey.Text `json:"title"`
	First survey.Date `json:"first"`
	// Last is the last day of the round, or before it that of the desk or its unit.
	Last       survey.Date `json:"last"`
	Form       string      `json:"form"`
	Instrument string      `json:"instrument"` // its key, id@version
	// MinAnswered is the share of the items asked that must carry a level for an answer to
	// count, for people to be told.
	MinAnswered float64 `json:"min_answered"`
}

// NewBundle gathers what a tablet needs at its desk. It is the same all day as long as
// the documents are. A desk that is not in service, or whose unit is no more, has no
// rounds: no answer would be taken.
func NewBundle(c *survey.Catalogue, d *Device, now time.Time) *Bundle {
	today := survey.DateOf(now)
	b := &Bundle{
		Format: 1, Device: BundleDevice{d.ID, d.Name, d.Comments}, Desk: BundleDesk{ID: d.Desk(), Fields: []NamedField{}},
		Rounds: []BundleRound{}, Instruments: map[string]*survey.Instrument{}, Filings: survey.Filings, Helps: survey.Helps,
		Sounds: map[string]string{}, Agency: survey.Text{}, Notice: map[string][]NoticePart{}, Day: today,
	}
	desk := c.Desks[d.Desk()]
	if desk == nil {
		return b
	}
	b.Desk.Name = desk.Name
	u := c.Units[desk.Unit]
	if u != nil {
		b.Desk.Unit, b.Desk.Hotline, b.Desk.Leader = u.Name, u.Hotline, u.Leader
	}
	for _, id := range desk.Fields {
		if f := c.Fields[id]; f != nil {
			b.Desk.Fields = append(b.Desk.Fields, NamedField{id, f.Name})
		}
	}
	if !c.Serves(desk, today) {
		return b
	}
	for _, r := range c.Rounds {
		key := survey.InstrumentKey(r.Instrument, r.Version)
		in := c.Instruments[key]
		if in == nil || !r.ShownBy(survey.ChannelKiosk) || !r.Includes(desk.Unit) || r.Last < today || r.First > today.AddDays(bundleDays) {
			continue
		}
		b.Instruments[key] = in
		b.Rounds = append(b.Rounds, BundleRound{r.ID, r.Title, r.First, c.LastDay(r, desk), r.Form, key, r.ValidShare()})
	}
	slices.SortFunc(b.Rounds, func(x, y BundleRound) int { return cmp.Compare(x.ID, y.ID) })
	return b
}

// SoundKeys lists the recordings that the bundle could have: see [Bundle.Sounds].
func (b *Bundle) SoundKeys(each func(in *survey.Instrument, item, language, key string)) {
	for _, name := range slices.Sorted(maps.Keys(b.Instruments)) {
		in := b.Instruments[name]
		for _, item := range in.Items() {
			for _, lang := range in.Languages {
				each(in, item.ID, lang, name+"."+item.ID+"."+lang)
			}
		}
	}
}
