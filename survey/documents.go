package survey

import (
	"fmt"
	"maps"
	"slices"
)

// Documents is everything that staff set up, as JSON files carry it
// (`seed --file`). Any part may be missing.
type Documents struct {
	Instruments []Instrument   `json:"instruments,omitempty"`
	Fields      []ServiceField `json:"fields,omitempty"`
	Procedures  []Procedure    `json:"procedures,omitempty"`
	Units       []Unit         `json:"units,omitempty"`
	Desks       []Desk         `json:"desks,omitempty"`
	Rounds      []Round        `json:"rounds,omitempty"`
	Populations []Population   `json:"populations,omitempty"`
	Agency      *Agency        `json:"agency,omitempty"`
}

// Catalogue is an immutable, checked view of all documents at one moment,
// indexed by id. It is what a running service looks things up in.
type Catalogue struct {
	// Instruments are keyed by [InstrumentKey].
	Instruments map[string]*Instrument
	Fields      map[string]*ServiceField
	Procedures  map[string]*Procedure
	Units       map[string]*Unit
	Desks       map[string]*Desk
	Rounds      map[string]*Round
	// Populations are keyed by [Population.Key].
	Populations map[string]*Population
	// Agency is nil where nobody has said who asks.
	Agency *Agency

	// folded are the desks by what their codes look like; see desksLike.
	folded map[string][]*Desk
}

// NewCatalogue indexes and checks documents: each by itself, ids unique,
// references to something that exists. The error is an [*Error] with every
// problem.
func NewCatalogue(d Documents) (*Catalogue, error) {
	c := &Catalogue{
		Instruments: map[string]*Instrument{}, Fields: map[string]*ServiceField{}, Procedures: map[string]*Procedure{},
		Units: map[string]*Unit{}, Desks: map[string]*Desk{}, Rounds: map[string]*Round{}, Populations: map[string]*Population{},
	}
	var p problems
	for i := range d.Instruments {
		in := &d.Instruments[i]
		p.nest(fmt.Sprintf("instruments[%d]", i), in.Prepare())
		put(&p, c.Instruments, in.Key(), in, "instruments", i)
	}
	index(&p, c.Fields, d.Fields, "fields", func(x *ServiceField) string { return x.ID })
	index(&p, c.Procedures, d.Procedures, "procedures", func(x *Procedure) string { return x.ID })
	index(&p, c.Units, d.Units, "units", func(x *Unit) string { return x.ID })
	index(&p, c.Desks, d.Desks, "desks", func(x *Desk) string { return x.ID })
	index(&p, c.Rounds, d.Rounds, "rounds", func(x *Round) string { return x.ID })
	index(&p, c.Populations, d.Populations, "populations", (*Population).Key)
	if c.Agency = d.Agency; c.Agency != nil {
		p.nest("agency", c.Agency.check().err())
	}
	c.checkReferences(&p)
	c.foldDesks()
	return c, p.err()
}

func (c *Catalogue) checkReferences(p *problems) {
	for _, id := range slices.Sorted(maps.Keys(c.Procedures)) {
		refer(p, c.Fields, c.Procedures[id].Field, "procedures/"+id+".field")
	}
	for _, id := range slices.Sorted(maps.Keys(c.Units)) {
		u := c.Units[id]
		if u.Parent != "" {
			refer(p, c.Units, u.Parent, "units/"+id+".parent")
		}
		for _, s := range u.Successors {
			refer(p, c.Units, s, "units/"+id+".successors")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.Desks)) {
		d := c.Desks[id]
		refer(p, c.Units, d.Unit, "desks/"+id+".unit")
		for _, f := range d.Fields {
			refer(p, c.Fields, f, "desks/"+id+".fields")
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.Rounds)) {
		r := c.Rounds[id]
		in := c.Instruments[InstrumentKey(r.Instrument, r.Version)]
		switch {
		case in == nil:
			p.add("rounds/"+id+".instrument", CodeReference, InstrumentKey(r.Instrument, r.Version))
		case !in.Published && r.Status != StatusDraft:
			p.add("rounds/"+id+".instrument", CodeVersion, "not published")
		}
		if r.Form == FormSplit && in != nil && len(in.Modules) == 0 {
			p.add("rounds/"+id+".form", CodeInvalid, "the instrument has no modules to split")
		}
		if r.Form == FormQuick && in != nil && in.Quick == nil {
			p.add("rounds/"+id+".form", CodeInvalid, "the instrument has no quick form")
		}
		if r.Drawn() && r.Weights != "" {
			p.add("rounds/"+id+".weights", CodeInvalid, "a drawn round has the weights of its draw")
		}
		switch {
		case r.First > r.Last:
			p.add("rounds/"+id+".last", CodeInvalid, "before first")
		case r.First < "2000-01-02" || r.Last > "2170-12-31": // columns count days from 2000 in 16 bits
			p.add("rounds/"+id+".first", CodeInvalid, "a round lies between 2000 and 2170")
		case r.First.AddDays(maxRoundDays) < r.Last:
			p.add("rounds/"+id+".last", CodeInvalid, "more than ", maxRoundDays, " days after first")
		}
		for _, u := range r.Units {
			refer(p, c.Units, u, "rounds/"+id+".units")
		}
		for _, u := range slices.Sorted(maps.Keys(r.UnitTargets)) {
			refer(p, c.Units, u, "rounds/"+id+".unit_targets")
		}
	}
	draws := map[[2]string]*draw{} // round and stratum → what was drawn there
	for _, id := range slices.Sorted(maps.Keys(c.Populations)) {
		pop := c.Populations[id]
		refer(p, c.Rounds, pop.Round, "populations/"+id+".round")
		refer(p, c.Units, pop.Unit, "populations/"+id+".unit")
		checkStages(p, pop, id, draws)
		seen := map[PopulationCell]bool{}
		for i, cell := range pop.Cells {
			at := fmt.Sprintf("populations/%s.cells[%d]", id, i)
			if cell.Field != "" {
				refer(p, c.Fields, cell.Field, at+".field")
			}
			if cell.Desk != "" {
				refer(p, c.Desks, cell.Desk, at+".desk")
			}
			first := pop.Cells[0]
			if (cell.Field == "") != (first.Field == "") || (cell.Desk == "") != (first.Desk == "") || (cell.Filing == "") != (first.Filing == "") {
				p.add(at, CodeInvalid, "finer or coarser than the first cell: its results might be counted twice")
			}
			cell.Returned = 0
			if seen[cell] {
				p.add(at, CodeDuplicate)
			}
			seen[cell] = true
		}
	}
}

// draw is what a stratum of a round was drawn from.
type draw struct {
	psus int
	seen map[string]bool
}

// checkStages refuses draws that contradict each other: one sampling unit
// twice, two counts of one stratum, more units drawn than there are.
func checkStages(p *problems, pop *Population, id string, draws map[[2]string]*draw) {
	for i, s := range pop.Stages {
		at := fmt.Sprintf("populations/%s.stages[%d]", id, i)
		d := draws[[2]string{pop.Round, s.Stratum}]
		if d == nil {
			d = &draw{psus: s.StratumPSUs, seen: map[string]bool{}}
			draws[[2]string{pop.Round, s.Stratum}] = d
		}
		if d.psus != s.StratumPSUs {
			p.add(at+".stratum_psus", CodeDrawInvalid, "the stratum has ", d.psus, " elsewhere")
		}
		if d.seen[s.PSU] {
			p.add(at+".psu", CodeDuplicate, s.PSU)
		}
		d.seen[s.PSU] = true
		if s.StratumPSUs > 0 && len(d.seen) > s.StratumPSUs {
			p.add(at+".stratum_psus", CodeDrawInvalid, "more sampling units than the stratum has")
		}
	}
}

// maxRoundDays bounds a round, and with it the groups of a report by day.
const maxRoundDays = 3 * 366

func index[T any](p *problems, into map[string]*T, list []T, name string, key func(*T) string) {
	for i := range list {
		x := &list[i]
		p.nest(fmt.Sprintf("%s[%d]", name, i), checkTags(x).err())
		put(p, into, key(x), x, name, i)
	}
}

func put[T any](p *problems, into map[string]*T, key string, x *T, name string, i int) {
	if _, twice := into[key]; twice {
		p.add(fmt.Sprintf("%s[%d].id", name, i), CodeDuplicate, key)
	}
	into[key] = x
}

func refer[T any](p *problems, into map[string]*T, key, field string) {
	if into[key] == nil {
		p.add(field, CodeReference, key)
	}
}
