package analysis

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"sipas/stats"
	"sipas/survey"
)

// frame is what all questions about a round have in common, made once for a
// state of documents and dictionaries: units, weight cells and strata. It is
// immutable.
type frame struct {
	catalogue  *survey.Catalogue
	round      *survey.Round
	instrument *survey.Instrument
	places     []place
	persons    []person
	strata     []string
	psus       map[[2]string]uint32

	units []string  // plan unit → unit id, sorted
	cells []cellKey // plan cell → what it is
	// plan has what no question changes.
	plan stats.Plan
	// unreachable results of the round's populations.
	unreachable int
}

// cellKey names a weight cell.
type cellKey struct{ unit, field, filing string }

func newFrame(c *survey.Catalogue, col *columns) *frame {
	f := &frame{catalogue: c, round: col.round, instrument: col.instrument, places: col.places, persons: col.persons, strata: col.strata}
	f.plan = stats.Plan{
		Items: len(f.instrument.Items()), Factors: f.instrument.FactorItems(), Design: stats.Visitors, Level: level,
		Places: make([]stats.Place, len(f.places)),
	}
	if f.round.Form == survey.FormSplit {
		f.plan.Inclusion = f.instrument.Inclusion()
	}
	for _, m := range f.instrument.Methods {
		f.plan.Methods = append(f.plan.Methods, stats.Method{
			Name: m.Name, Version: strconv.Itoa(m.Version), Combine: stats.Combine(m.Combine), FactorWeights: f.instrument.Weights(m),
		})
	}
	if f.round.Drawn() {
		f.plan.Design = stats.Drawn
		f.psus = maps.Clone(col.psus)
	}
	f.placeUnits()
	if f.plan.Design == stats.Drawn {
		f.placeDraw()
	} else {
		f.placeCells()
		if f.round.Weighting() == survey.WeightsRaked {
			f.placeMargins()
		}
		f.placeDesks()
	}
	return f
}

// placeUnits numbers the units of the round: those with answers and those with
// a population.
func (f *frame) placeUnits() {
	seen := map[string]bool{}
	for i := range f.places {
		seen[f.places[i].unit] = true
	}
	for _, p := range f.catalogue.Populations {
		if p.Round == f.round.ID {
			seen[p.Unit] = true
		}
	}
	f.units = slices.Sorted(maps.Keys(seen))
	f.plan.Units = len(f.units)
	number := map[string]int32{}
	for i, unit := range f.units {
		number[unit] = int32(i)
	}
	for i := range f.places {
		f.plan.Places[i] = stats.Place{Unit: number[f.places[i].unit], Cell: -1, Group: -1}
	}
}

// placeCells makes the weight cells of a visitors round: unit x service field x
// filing channel, as fine as the population figures are.
func (f *frame) placeCells() {
	returned := map[cellKey]int{}
	for _, unit := range f.units {
		p := f.catalogue.Populations[f.round.ID+"/"+unit]
		if p == nil {
			continue
		}
		f.unreachable += p.Unreachable
		for _, c := range p.Cells {
			returned[cellKey{unit, c.Field, c.Filing}] += c.Returned
		}
	}
	// An answer belongs to the finest cell that has a figure.
	cellOf := map[cellKey]cellKey{}
	for i := range f.places {
		p := &f.places[i]
		own := cellKey{p.unit, p.field, p.filing}
		if _, known := cellOf[own]; known {
			continue
		}
		cellOf[own] = own
		for _, k := range [...]cellKey{own, {p.unit, p.field, ""}, {p.unit, "", p.filing}, {p.unit, "", ""}} {
			if _, ok := returned[k]; ok {
				cellOf[own] = k
				break
			}
		}
	}
	all := map[cellKey]bool{}
	for k := range returned {
		all[k] = true
	}
	for _, k := range cellOf {
		all[k] = true
	}
	f.cells = slices.SortedFunc(maps.Keys(all), func(a, b cellKey) int {
		return cmp.Or(strings.Compare(a.unit, b.unit), strings.Compare(a.field, b.field), strings.Compare(a.filing, b.filing))
	})
	number := map[cellKey]int32{}
	fields, filings := map[string]int32{}, map[string]int32{}
	for i, k := range f.cells {
		number[k] = int32(i)
		n, known := returned[k]
		unit, _ := slices.BinarySearch(f.units, k.unit)
		f.plan.Cells = append(f.plan.Cells, stats.Cell{
			Unit: int32(unit), Field: numberIn(fields, k.field), Filing: numberIn(filings, k.filing), N: float64(n), Known: known,
			AnyField: k.field == "", AnyFiling: k.filing == "",
		})
	}
	for i := range f.places {
		p := &f.places[i]
		f.plan.Places[i].Cell = number[cellOf[cellKey{p.unit, p.field, p.filing}]]
	}
}

// placeMargins makes the margins of a raked round of its cells: unit, service
// field and filing channel. Units whose population figures do not tell fields
// (or filing channels) apart are one class of that margin. A field that nobody
// has a figure of is not known, like one that was not said.
func (f *frame) placeMargins() {
	units := stats.CellMargin{Totals: make([]float64, len(f.units))}
	for _, c := range f.plan.Cells {
		units.Class = append(units.Class, c.Unit)
		if c.Known {
			units.Totals[c.Unit] += c.N
		}
	}
	f.plan.Margins = []stats.CellMargin{units}
	for _, of := range []func(cellKey) string{func(k cellKey) string { return k.field }, func(k cellKey) string { return k.filing }} {
		told, number := make([]bool, len(f.units)), map[string]int32{}
		for i, k := range f.cells {
			if c := f.plan.Cells[i]; c.Known {
				told[c.Unit] = told[c.Unit] || of(k) != ""
				numberIn(number, of(k))
			}
		}
		m := stats.CellMargin{Totals: make([]float64, len(number)), Merge: true}
		for i, k := range f.cells {
			value := of(k)
			if !told[f.plan.Cells[i].Unit] {
				value = ""
			}
			class, known := number[value]
			if !known || value == "" && told[f.plan.Cells[i].Unit] {
				class = -1
			}
			m.Class = append(m.Class, class)
			if c := f.plan.Cells[i]; c.Known {
				m.Totals[class] += c.N
			}
		}
		f.plan.Margins = append(f.plan.Margins, m)
	}
}

func numberIn(index map[string]int32, name string) int32 {
	n, ok := index[name]
	if !ok {
		n = int32(len(index))
		index[name] = n
	}
	return n
}

// placeDesks fills the table of strata of a visitors round: desks.
func (f *frame) placeDesks() {
	f.plan.Strata = make([]stats.Stratum, len(f.strata))
	for i, name := range f.strata {
		unit, _, _ := strings.Cut(name, "\x00")
		if n, ok := slices.BinarySearch(f.units, unit); ok {
			f.plan.Strata[i].Unit = int32(n)
		}
	}
}

// placeDraw fills the table of strata of a drawn round, with the counts of the
// draw.
func (f *frame) placeDraw() {
	f.plan.Strata = make([]stats.Stratum, len(f.strata))
	f.plan.PSUSize = map[uint64]float64{}
	number := map[string]int{}
	for i, s := range f.strata {
		number[s] = i
	}
	for n, unit := range f.units {
		p := f.catalogue.Populations[f.round.ID+"/"+unit]
		if p == nil {
			continue
		}
		for _, s := range p.Stages {
			i, ok := number[s.Stratum]
			if !ok {
				continue
			}
			f.plan.Strata[i] = stats.Stratum{Unit: int32(n), PSUs: float64(s.StratumPSUs)}
			if psu, ok := f.psus[[2]string{s.Stratum, s.PSU}]; ok && s.Size > 0 {
				f.plan.PSUSize[uint64(i)<<32|uint64(psu)] = float64(s.Size)
			}
		}
	}
}

// question is a query made ready for package stats: the plan, and what its
// numbers stand for.
type question struct {
	snapshot
	plan    stats.Plan
	query   Query
	channel survey.Channel // "" is all of them
	groups  []string       // plan group → id
}

// newQuestion makes the plan of a query.
func newQuestion(snap snapshot, q Query) *question {
	x := &question{snapshot: snap, plan: snap.frame.plan, query: q, channel: survey.Channel(q.Channel)}
	switch {
	case q.Channel == "":
		x.channel = x.round.PrimaryChannel
	case q.Channel == allChannels:
		x.channel = ""
	}
	for i, m := range x.instrument.Methods {
		if m.Name == q.Method {
			x.plan.Headline = i
		}
	}
	if q.From != "" || q.To != "" {
		x.plan.Days = &stats.DayRange{To: math.MaxUint16}
	}
	if q.From != "" {
		x.plan.Days.From = survey.DayNumber(q.From.Start())
	}
	if q.To != "" {
		x.plan.Days.To = survey.DayNumber(q.To.Start())
	}
	x.plan.Places = slices.Clone(x.plan.Places)
	for i := range x.places {
		p, to := &x.places[i], &x.plan.Places[i]
		standing := survey.Standing{Valid: p.valid, Excluded: p.excluded, Flags: flagsOf(p.flags) | p.derived}
		to.Counted = survey.Counts(standing, !q.WithoutFlagged) && (x.channel == "" || p.channel == string(x.channel))
		to.In = x.matchesPlace(p)
	}
	x.plan.Persons = make([]stats.Person, len(x.persons))
	personal := slices.ContainsFunc(slices.Collect(maps.Keys(q.Filters)), func(name string) bool { return !isPlaceAttribute(name) })
	for i := range x.persons {
		x.plan.Persons[i] = stats.Person{In: !personal || x.matchesPerson(&x.persons[i]), Group: -1}
	}
	x.group()
	return x
}

func flagsOf(names string) survey.Flags {
	if names == "" {
		return 0
	}
	return ^survey.Flags(0)
}

func (x *question) matchesPlace(p *place) bool {
	for name, want := range x.query.Filters {
		if isPlaceAttribute(name) && x.attribute(p, name) != want {
			return false
		}
	}
	return true
}

// isPlaceAttribute reports whether a filter or grouping is a matter of places,
// not of persons.
func isPlaceAttribute(name string) bool {
	return name != "helped" && slices.Contains(placeFilters, name)
}

// attribute is a place's value under a filter or grouping.
func (x *question) attribute(p *place, name string) string {
	switch name {
	case "unit":
		return p.unit
	case "desk":
		return p.desk
	case "field":
		return p.field
	case "filing":
		return p.filing
	case "door":
		return p.door
	}
	if u := x.catalogue.Units[p.unit]; u != nil { // group
		return u.Type
	}
	return ""
}

func (x *question) matchesPerson(p *person) bool {
	for name, want := range x.query.Filters {
		if !isPlaceAttribute(name) && personAttribute(p, name) != want {
			return false
		}
	}
	return true
}

// personAttribute is a person's value under a filter or grouping: a profile
// question's option, "" when not answered.
func personAttribute(p *person, name string) string {
	if name == "helped" {
		return p.helped
	}
	for pair := range strings.SplitSeq(p.profile, ";") {
		if question, option, _ := strings.Cut(pair, "="); question == name {
			return option
		}
	}
	return ""
}

// group numbers the groups of the query, sorted by id, and gives every place,
// person or day its group.
func (x *question) group() {
	switch by := x.query.By; {
	case by == "" || by == "channel": // channels are samples of their own, not groups of one
	case by == "month" || by == "day":
		x.groupDays(by)
	case by == "unit":
		x.plan.By, x.groups, x.plan.Groups = stats.ByPlace, x.units, len(x.units)
		for i := range x.plan.Places {
			x.plan.Places[i].Group = x.plan.Places[i].Unit
		}
	case isPlaceAttribute(by):
		x.plan.By = stats.ByPlace
		x.number(len(x.places), func(i int) string { return x.attribute(&x.places[i], by) }, func(i int, g int32) { x.plan.Places[i].Group = g })
	default:
		x.plan.By = stats.ByPerson
		x.number(len(x.persons), func(i int) string { return personAttribute(&x.persons[i], by) }, func(i int, g int32) { x.plan.Persons[i].Group = g })
	}
}

// number makes a group of every value that occurs.
func (x *question) number(n int, value func(i int) string, set func(i int, g int32)) {
	index := map[string]int32{}
	for i := range n {
		index[value(i)] = 0
	}
	x.groups = slices.Sorted(maps.Keys(index))
	x.plan.Groups = len(x.groups)
	for g, id := range x.groups {
		index[id] = int32(g)
	}
	for i := range n {
		set(i, index[value(i)])
	}
}

// groupDays groups by calendar day or month, in Vietnam, over the days of the
// round.
func (x *question) groupDays(by string) {
	x.plan.By = stats.ByDay
	first, last := survey.DayNumber(x.round.First.Start()), survey.DayNumber(x.round.Last.Start())
	x.plan.DayBase = first
	for d := int(first); d <= int(last); d++ {
		id := string(survey.DayOf(uint16(d)))
		if by == "month" {
			id = id[:len("2006-01")]
		}
		if n := len(x.groups); n == 0 || x.groups[n-1] != id {
			x.groups = append(x.groups, id)
		}
		x.plan.DayGroup = append(x.plan.DayGroup, int32(len(x.groups)-1))
	}
	x.plan.Groups = len(x.groups)
}
