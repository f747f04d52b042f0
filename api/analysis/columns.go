package analysis

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// columns holds the answers of one round. Rows are in two blocks, a large one
// and a small tail, so that a new answer does not move a million old ones.
// Places, persons and strata are dictionaries: a row carries numbers only.
//
// It is not safe for concurrent use; [columns.snapshot] is.
type columns struct {
	round *survey.Round
	// instrument is what the round measures.
	instrument *survey.Instrument
	// layouts maps an instrument version to the items that the round measures.
	layouts map[string][]int

	main, tail *stats.Rows
	fresh      *stats.Builder

	places       []place
	placeIndex   map[string]uint32 // by all that is in a place, in one key
	persons      []person
	personIndex  map[string]uint32
	strata       []string
	stratumIndex map[string]uint32
	psus         map[[2]string]uint32
	moments      map[string]moment // by UTC hour
	lastHour     string
	key          []byte // buffer of place and person
	// changed has the sampling units whose answers changed since they were marked.
	changed []uint64
	// changes counts what was applied; equal counts mean equal answers.
	changes uint64
	// frame is that of the last report.
	frame *frame
}

// place is what an answer shares with many others.
type place struct {
	unit, desk, field, filing, channel, door, flags string
	valid, excluded                                 bool
	// late: a tablet gave it while the round ran, and it came after its last day.
	late bool
	// derived flags follow from other answers; flags has the names of those that
	// are stored.
	derived survey.Flags
}

// moment is an hour in Vietnam.
type moment struct {
	day  uint16
	hour uint8
}

// person is what is known of who answered, and with whose help.
type person struct{ profile, helped string }

// tailLimit is how many answers the tail may have before it is merged: few
// enough to sort at each report, many enough to merge seldom.
const tailLimit = 20_000

// newColumns starts the columns of a round. Strata of visitors are desks. What
// the documents name is numbered in the order of its names, so that sums do not
// depend on who answered first.
func newColumns(c *survey.Catalogue, r *survey.Round) (*columns, error) {
	in := c.Measured(r)
	if in == nil {
		return nil, fmt.Errorf("round %s, instrument %s: %w", r.ID, survey.InstrumentKey(r.Instrument, r.Version), errDocuments)
	}
	col := &columns{
		round: r, instrument: in, layouts: map[string][]int{},
		placeIndex: map[string]uint32{}, personIndex: map[string]uint32{}, stratumIndex: map[string]uint32{},
		psus: map[[2]string]uint32{}, moments: map[string]moment{},
	}
	if r.Form != survey.FormQuick {
		col.layouts[strconv.Itoa(r.Version)] = nil // as they are
	}
	col.fresh = stats.NewBuilder(len(in.Items()), r.Drawn())
	if r.Drawn() {
		var draws [][2]string
		for _, p := range c.Populations {
			if p.Round != r.ID {
				continue
			}
			for _, s := range p.Stages {
				draws = append(draws, [2]string{s.Stratum, s.PSU})
			}
		}
		slices.SortFunc(draws, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
		for _, d := range draws {
			col.drawnPSU(d[0], d[1])
		}
	} else {
		var desks []string
		for id, d := range c.Desks {
			desks = append(desks, deskStratum(d.Unit, id))
		}
		slices.Sort(desks)
		for _, name := range desks {
			col.stratum(name)
		}
	}
	return col, nil
}

// add takes one stored response; excluded says that staff put it aside.
func (col *columns) add(c *survey.Catalogue, r store.Record, excluded bool) error {
	if r.Instrument() != col.round.Instrument {
		return fmt.Errorf("response %s answers another instrument than the round has: %s", r.ID(), r.Instrument())
	}
	answers, err := col.layout(c, r.Version(), r.Answers())
	if err != nil {
		return fmt.Errorf("response %s: %w", r.ID(), err)
	}
	at, err := col.moment(r.Answered())
	if err != nil {
		return fmt.Errorf("response %s: %w", r.ID(), err)
	}
	row := stats.Row{
		ID: r.ID(), Day: at.day, Hour: at.hour, Answers: answers,
		Place:  col.place(r, survey.Valid(survey.Answers(answers), col.round.ValidShare()), excluded),
		Person: col.person(r),
	}
	if !col.round.Drawn() {
		row.PSU = uint64(col.deskStratum(r.Unit(), r.Desk()))<<32 | uint64(at.day)
	} else {
		if row.Weight, err = strconv.ParseFloat(r.Weight(), 64); err != nil {
			return fmt.Errorf("response %s: weight: %w", r.ID(), err)
		}
		row.PSU = col.drawnPSU(r.Stratum(), r.PSU())
	}
	if err := col.fresh.Add(row); err != nil {
		return fmt.Errorf("response %s: %w", r.ID(), err)
	}
	if hour := r.Received(); hour > col.lastHour {
		col.lastHour = strings.Clone(hour)
	}
	col.changes++
	return nil
}

// remove drops answers; ids of other rounds are ignored.
func (col *columns) remove(ids map[survey.ID]struct{}) {
	col.settle()
	keys := make(map[[16]byte]struct{}, len(ids))
	for id := range ids {
		keys[id] = struct{}{}
	}
	for _, block := range []**stats.Rows{&col.main, &col.tail} {
		left := (*block).Without(keys)
		if lost := (*block).Lost(left); len(lost) > 0 {
			*block = left
			col.changed = append(col.changed, lost...)
			col.changes++
		}
	}
}

// settle moves fresh answers into the tail, and a long tail into the main
// block.
func (col *columns) settle() {
	if col.fresh.Len() > 0 {
		fresh := col.fresh.Build()
		col.changed = append(col.changed, fresh.Keys()...)
		col.tail = stats.Merge(col.tail, fresh)
		col.fresh = stats.NewBuilder(len(col.instrument.Items()), col.round.Drawn())
	}
	if col.tail.Len() > max(tailLimit, col.main.Len()/16) {
		col.main, col.tail = stats.Merge(col.main, col.tail), nil
	}
}

// snapshot is what a report reads while new answers come in. Dictionaries only
// grow, so the slices here stay as they are.
type snapshot struct {
	*frame
	blocks   []*stats.Rows
	lastHour string
	// unreadable answers of the round are in no figure.
	unreadable int
}

// snapshot returns the answers as they stand, framed by the documents of c.
func (col *columns) snapshot(c *survey.Catalogue) snapshot {
	col.mark()
	if f := col.frame; f == nil || f.catalogue != c || len(f.places) != len(col.places) || len(f.persons) != len(col.persons) ||
		len(f.strata) != len(col.strata) || len(f.psus) != len(col.psus) {
		col.frame = newFrame(c, col)
	}
	return snapshot{frame: col.frame, blocks: []*stats.Rows{col.main, col.tail}, lastHour: col.lastHour}
}

// layout returns answers in the item order of what the round measures.
// Items that the answered version does not have were not asked.
func (col *columns) layout(c *survey.Catalogue, version, answers string) (string, error) {
	order, known := col.layouts[version]
	if !known {
		v, err := strconv.Atoi(version)
		if err != nil {
			return "", fmt.Errorf("version: %w", err)
		}
		in := c.Instruments[survey.InstrumentKey(col.round.Instrument, v)]
		if in == nil {
			return "", fmt.Errorf("instrument %s: %w", survey.InstrumentKey(col.round.Instrument, v), errDocuments)
		}
		for _, item := range col.instrument.Items() {
			at, ok := in.ItemIndex(item.ID)
			if !ok {
				at = -1
			}
			order = append(order, at)
		}
		col.layouts[version] = order
	}
	if order == nil {
		return answers, nil
	}
	out := make([]byte, len(order))
	for i, at := range order {
		switch {
		case at < 0:
			out[i] = byte(survey.NotAsked)
		case at >= len(answers):
			return "", errors.New("fewer answers than its instrument has items")
		default:
			out[i] = answers[at]
		}
	}
	return string(out), nil
}

func (col *columns) moment(hour string) (moment, error) {
	if at, ok := col.moments[hour]; ok {
		return at, nil
	}
	t, err := store.ParseHour(hour)
	if err != nil {
		return moment{}, fmt.Errorf("answered: %w", err)
	}
	at := moment{survey.DayNumber(t), uint8(t.In(survey.VietnamTime()).Hour())}
	col.moments[strings.Clone(hour)] = at
	return at, nil
}

// drawnPSU is the key of a drawn sampling unit, which the plan finds again by
// its numbers.
func (col *columns) drawnPSU(stratum, psu string) uint64 {
	h := col.stratum(stratum)
	key := [2]string{stratum, strings.Clone(psu)}
	n, ok := col.psus[key]
	if !ok {
		n = uint32(len(col.psus))
		col.psus[key] = n
	}
	return uint64(h)<<32 | uint64(n)
}

// exclude puts one answer aside, or takes it back; one of another round is
// ignored.
func (col *columns) exclude(id survey.ID, excluded bool) {
	col.settle()
	for _, block := range []**stats.Rows{&col.main, &col.tail} {
		n, psu, ok := (*block).Find(id)
		if !ok || col.places[n].excluded == excluded {
			continue
		}
		p := col.places[n]
		p.excluded = excluded
		*block = (*block).WithPlaces(map[[16]byte]uint32{id: col.placeNumber(p.key(nil), func() place { return p })})
		col.changed = append(col.changed, psu)
		col.changes++
	}
}

// place numbers the place of a response. Millions of responses have few
// thousand places: the key is written into a buffer that is used again.
func (col *columns) place(r store.Record, valid, excluded bool) uint32 {
	p := place{r.Unit(), r.Desk(), r.Field(), r.Filing(), r.Channel(), r.Door(), r.Flags(), valid, excluded, col.late(r), 0}
	col.key = p.key(col.key[:0])
	return col.placeNumber(col.key, func() place {
		// The record's strings share memory with its whole page.
		for _, s := range []*string{&p.unit, &p.desk, &p.field, &p.filing, &p.channel, &p.door, &p.flags} {
			*s = strings.Clone(*s)
		}
		return p
	})
}

// late reports whether an answer came after the last day of the round, from a tablet
// that had no network.
func (col *columns) late(r store.Record) bool {
	if r.Channel() != string(survey.ChannelKiosk) {
		return false
	}
	at, err := col.moment(r.Received())
	return err == nil && at.day > survey.DayNumber(col.round.Last.Start())
}

// key appends a text that is different for every place.
func (p *place) key(to []byte) []byte {
	for _, s := range [...]string{p.unit, p.desk, p.field, p.filing, p.channel, p.door, p.flags} {
		to = append(append(to, s...), 0)
	}
	state := byte(0)
	if p.valid {
		state = 1
	}
	if p.excluded {
		state |= 2
	}
	if p.late {
		state |= 4
	}
	return append(to, state, byte(p.derived))
}

func (col *columns) placeNumber(key []byte, make func() place) uint32 {
	if n, ok := col.placeIndex[string(key)]; ok {
		return n
	}
	n := uint32(len(col.places))
	col.placeIndex[string(key)] = n
	col.places = append(col.places, make())
	return n
}

// person numbers what is known of who answered.
func (col *columns) person(r store.Record) uint32 {
	key := append(append(append(col.key[:0], r.Profile()...), 0), r.Helped()...)
	col.key = key
	if n, ok := col.personIndex[string(key)]; ok {
		return n
	}
	n := uint32(len(col.persons))
	col.personIndex[string(key)] = n
	col.persons = append(col.persons, person{strings.Clone(r.Profile()), strings.Clone(r.Helped())})
	return n
}

// deskStratum names the stratum of a desk. The unit is part of it: a desk that
// moves to another unit in the middle of a round begins a new stratum there.
func deskStratum(unit, desk string) string { return unit + "\x00" + desk }

// deskStratum numbers the stratum of a desk without building its name.
func (col *columns) deskStratum(unit, desk string) uint32 {
	key := append(append(append(col.key[:0], unit...), 0), desk...)
	col.key = key
	if n, ok := col.stratumIndex[string(key)]; ok {
		return n
	}
	return col.stratum(string(key))
}

// stratum numbers a stratum by its name.
func (col *columns) stratum(name string) uint32 {
	n, ok := col.stratumIndex[name]
	if !ok {
		n = uint32(len(col.strata))
		name = strings.Clone(name)
		col.stratumIndex[name] = n
		col.strata = append(col.strata, name)
	}
	return n
}

// renew takes up changes of the round's document. It reports false when what
// columns are made of has changed (instrument version, form, design, last day, the
// rule of validity): the answers must then be read again.
func (col *columns) renew(c *survey.Catalogue) bool {
	r, old := c.Rounds[col.round.ID], col.round
	if r == nil || r.Instrument != old.Instrument || r.Version != old.Version || r.Form != old.Form || r.Design != old.Design || r.Last != old.Last || r.ValidShare() != old.ValidShare() {
		return false
	}
	col.round = r
	col.instrument = c.Measured(r)
	return true
}
