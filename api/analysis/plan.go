package analysis

import (
	"maps"
	"slices"
	"strconv"

	"sipas/stats"
	"sipas/survey"
)

// question is a query made ready for package stats: the plan, and what its
// numbers stand for.
type question struct {
	plan      stats.Plan
	catalogue *survey.Catalogue
	snap      snapshot
	query     Query
	channel   survey.Channel // "" is all of them

	units  []string // plan unit → unit id
	groups []string // plan group → id
	cells  []cellKey
	// unreachable results of the round's populations.
	unreachable int
}

// cellKey names a weight cell.
type cellKey struct{ unit, field, filing string }

// newQuestion makes the plan of a query.
func newQuestion(c *survey.Catalogue, snap snapshot, q Query) *question {
	x := &question{catalogue: c, snap: snap, query: q, channel: survey.Channel(q.Channel)}
	switch {
	case q.Channel == "":
		x.channel = snap.round.PrimaryChannel
	case q.Channel == allChannels:
		x.channel = ""
	}
	in := snap.instrument
	x.plan = stats.Plan{
		Items: len(in.Items()), Factors: in.FactorItems(), Design: stats.Visitors,
		Places: make([]stats.Place, len(snap.places)), Persons: make([]stats.Person, len(snap.persons)),
	}
	for i, m := range in.Methods {
		if m.Name == q.Method {
			x.plan.Headline = i
		}
		x.plan.Methods = append(x.plan.Methods, stats.Method{
			Name: m.Name, Version: strconv.Itoa(m.Version), Combine: stats.Combine(m.Combine), FactorWeights: in.Weights(m),
		})
	}
	if q.From != "" {
		x.plan.FromDay = survey.DayNumber(q.From.Start())
	}
	if q.To != "" {
		x.plan.ToDay = survey.DayNumber(q.To.Start())
	}
	x.placeUnits()
	x.placePopulation()
	x.placeStrata()
	for i, p := range snap.places {
		standing := survey.Standing{Valid: p.valid, Excluded: p.excluded, Flags: flagsOf(p.flags)}
		x.plan.Places[i].Counted = survey.Counts(standing, !q.WithoutFlagged) && (x.channel == "" || p.channel == string(x.channel))
		x.plan.Places[i].In = x.matchesPlace(p)
		x.plan.Places[i].Group = -1
	}
	for i, p := range snap.persons {
		x.plan.Persons[i] = stats.Person{In: x.matchesPerson(p), Group: -1}
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

// placeUnits numbers the units of the round: those with answers and those with
// a population.
func (x *question) placeUnits() {
	seen := map[string]bool{}
	for _, p := range x.snap.places {
		seen[p.unit] = true
	}
	for _, p := range x.catalogue.Populations {
		if p.Round == x.snap.round.ID {
			seen[p.Unit] = true
		}
	}
	x.units = slices.Sorted(maps.Keys(seen))
	x.plan.Units = len(x.units)
	for i, p := range x.snap.places {
		n, _ := slices.BinarySearch(x.units, p.unit)
		x.plan.Places[i].Unit = int32(n)
		x.plan.Places[i].Cell = -1
	}
}

// placePopulation makes the weight cells of a visitors round: unit x service
// field x filing channel, as fine as the population figures are.
func (x *question) placePopulation() {
	if x.snap.round.Design == survey.DesignDrawn {
		return
	}
	returned := map[cellKey]int{}
	for _, unit := range x.units {
		p := x.catalogue.Populations[x.snap.round.ID+"/"+unit]
		if p == nil {
			continue
		}
		x.unreachable += p.Unreachable
		for _, c := range p.Cells {
			returned[cellKey{unit, c.Field, c.Filing}] += c.Returned
		}
	}
	// An answer belongs to the finest cell that has a figure.
	cellOf := func(p place) cellKey {
		for _, k := range [...]cellKey{{p.unit, p.field, p.filing}, {p.unit, p.field, ""}, {p.unit, "", p.filing}, {p.unit, "", ""}} {
			if _, ok := returned[k]; ok {
				return k
			}
		}
		return cellKey{p.unit, p.field, p.filing}
	}
	all := map[cellKey]bool{}
	for k := range returned {
		all[k] = true
	}
	for _, p := range x.snap.places {
		all[cellOf(p)] = true
	}
	x.cells = slices.SortedFunc(maps.Keys(all), compareCells)
	number := map[cellKey]int32{}
	fields, filings := map[string]int32{}, map[string]int32{}
	for i, k := range x.cells {
		number[k] = int32(i)
		n, known := returned[k]
		unit, _ := slices.BinarySearch(x.units, k.unit)
		x.plan.Cells = append(x.plan.Cells, stats.Cell{
			Unit: int32(unit), Field: numberIn(fields, k.field), Filing: numberIn(filings, k.filing), N: float64(n), Known: known,
		})
	}
	for i, p := range x.snap.places {
		x.plan.Places[i].Cell = number[cellOf(p)]
	}
}

func compareCells(a, b cellKey) int {
	return slices.Compare([]string{a.unit, a.field, a.filing}, []string{b.unit, b.field, b.filing})
}

func numberIn(index map[string]int32, name string) int32 {
	n, ok := index[name]
	if !ok {
		n = int32(len(index))
		index[name] = n
	}
	return n
}

// placeStrata fills the table of strata: desks, or the strata of the draw with
// their counts.
func (x *question) placeStrata() {
	x.plan.Strata = make([]stats.Stratum, len(x.snap.strata))
	if x.snap.round.Design != survey.DesignDrawn {
		for i, desk := range x.snap.strata {
			if d := x.catalogue.Desks[desk]; d != nil {
				n, ok := slices.BinarySearch(x.units, d.Unit)
				if ok {
					x.plan.Strata[i].Unit = int32(n)
				}
			}
		}
		return
	}
	x.plan.Design = stats.Drawn
	x.plan.PSUSize = map[uint64]float64{}
	number := map[string]int{}
	for i, s := range x.snap.strata {
		number[s] = i
	}
	for n, unit := range x.units {
		p := x.catalogue.Populations[x.snap.round.ID+"/"+unit]
		if p == nil {
			continue
		}
		for _, s := range p.Stages {
			i, ok := number[s.Stratum]
			if !ok {
				continue
			}
			x.plan.Strata[i] = stats.Stratum{Unit: int32(n), PSUs: float64(s.StratumPSUs)}
			if psu, ok := x.snap.psus[[2]string{s.Stratum, s.PSU}]; ok && s.Size > 0 {
				x.plan.PSUSize[uint64(i)<<32|uint64(psu)] = float64(s.Size)
			}
		}
	}
}

func (x *question) matchesPlace(p place) bool {
	for name, want := range x.query.Filters {
		if got, ok := x.attribute(p, name); ok && got != want {
			return false
		}
	}
	return true
}

// attribute is a place's value under a filter or grouping; false when it is not
// a matter of places.
func (x *question) attribute(p place, name string) (string, bool) {
	switch name {
	case "unit":
		return p.unit, true
	case "desk":
		return p.desk, true
	case "field":
		return p.field, true
	case "filing":
		return p.filing, true
	case "door":
		return p.door, true
	case "group":
		if u := x.catalogue.Units[p.unit]; u != nil {
			return u.Type, true
		}
		return "", true
	}
	return "", false
}

func (x *question) matchesPerson(p person) bool {
	for name, want := range x.query.Filters {
		if _, isPlace := x.attribute(place{}, name); !isPlace && personAttribute(p, name) != want {
			return false
		}
	}
	return true
}

func personAttribute(p person, name string) string {
	if name == "helped" {
		return p.helped
	}
	return survey.ParseProfile(p.profile)[name]
}

// group numbers the groups of the query, sorted by id, and gives every place,
// person or day its group.
func (x *question) group() {
	by := x.query.By
	switch by {
	case "", "channel": // channels are samples of their own, not groups of one
		return
	case "month", "day":
		x.groupDays(by)
		return
	}
	if _, isPlace := x.attribute(place{}, by); isPlace {
		x.plan.By = stats.ByPlace
		ids := make([]string, len(x.snap.places))
		for i, p := range x.snap.places {
			ids[i], _ = x.attribute(p, by)
		}
		var more []string
		if by == "unit" {
			more = x.units
		}
		x.number(ids, more, func(i int, g int32) { x.plan.Places[i].Group = g })
		return
	}
	x.plan.By = stats.ByPerson
	ids := make([]string, len(x.snap.persons))
	for i, p := range x.snap.persons {
		ids[i] = personAttribute(p, by)
	}
	x.number(ids, nil, func(i int, g int32) { x.plan.Persons[i].Group = g })
}

// number makes the groups of ids and of more.
func (x *question) number(ids, more []string, set func(i int, g int32)) {
	x.groups = slices.Clone(ids)
	x.groups = append(x.groups, more...)
	slices.Sort(x.groups)
	x.groups = slices.Compact(x.groups)
	x.plan.Groups = len(x.groups)
	for i, id := range ids {
		g, _ := slices.BinarySearch(x.groups, id)
		set(i, int32(g))
	}
}

// groupDays groups by calendar day or month, in Vietnam, over the days of the
// round.
func (x *question) groupDays(by string) {
	x.plan.By = stats.ByDay
	first, last := survey.DayNumber(x.snap.round.First.Start()), survey.DayNumber(x.snap.round.Last.Start())
	x.plan.DayBase = first
	for d := first; d <= last; d++ {
		id := string(survey.DayOf(d))
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
