package seeds

import (
	"fmt"
	"slices"

	"sipas/survey"
)

// Simulation is a population of transactions with known satisfaction, from
// which visitors answer. The model is ordinal probit with normal effects: a
// person's latent satisfaction with an item is
//
//	base + unit + desk + field + filing + day + groups + person + item + noise
//
// and the level is where it falls between fixed thresholds; above 0 the person
// is satisfied. Unit, desk, field, filing and item effects are drawn once;
// days, people and noise differ from answer to answer. All of these are
// normal, so the true index is known exactly, see [Simulation.TrueIndex].
//
// How often somebody answers differs between units, fields and filing
// channels, so that unweighted figures are wrong, and within such a cell
// depends on nothing (but see Params.ResponseSlope), so that figures weighted
// by results returned are right.
type Simulation struct {
	params Params
	round  survey.Round
	in     *survey.Instrument

	units     []string
	desks     []survey.Desk
	cells     []cell
	questions []question
	// feedbackFrom is the first item of the last of several factors
	feedbackFrom int
	// returned counts results by unit × field × filing: what offices report
	returned []returned
	// items holds the item effects, day one effect for each desk and day
	items []float64
	day   []float64
	// heaped is the running sum of the cells' chances to be the next answer
	heaped []float64
	// satisfied is the true share by unit and item
	satisfied [][]float64
	// handled is the number of results by unit
	handled []float64
}

// thresholds of the latent scale between the levels 1 | 2 | 3 | 4 | 5.
var thresholds = [4]float64{-1.9, -1.0, 0, 1.5}

// Streams of random numbers, one a purpose, so that more answers or another
// parameter do not change the effects.
const (
	streamEffects = iota + 1
	streamDays
	streamVisits
)

// Simulate draws a population for the round of that id, over the units of the
// documents that take part in it and have a desk in service throughout. The
// documents must hold the round, its instrument, the units, desks and fields;
// they are not changed. Populations are the caller's to add, see
// [Simulation.Populations].
func Simulate(d survey.Documents, round string, p Params) (*Simulation, error) {
	c, err := survey.NewCatalogue(survey.Documents{Instruments: slices.Clone(d.Instruments), Fields: d.Fields, Units: d.Units, Desks: d.Desks, Rounds: d.Rounds})
	if err != nil {
		return nil, fmt.Errorf("simulate a population: %w", err)
	}
	r := c.Rounds[round]
	if r == nil {
		return nil, fmt.Errorf("simulate a population: there is no round %q", round)
	}
	if p.Days < 1 || p.Answers < 0 {
		return nil, fmt.Errorf("simulate a population: %d answers over %d days", p.Answers, p.Days)
	}
	s := &Simulation{params: p, round: *r, in: c.Instruments[survey.InstrumentKey(r.Instrument, r.Version)]}
	s.questions = questions(s.in)
	s.feedbackFrom = len(s.in.Items())
	if f := s.in.FactorItems(); len(f) > 1 {
		s.feedbackFrom = f[len(f)-1][0]
	}
	served := map[string]bool{}
	for _, desk := range d.Desks {
		if r.Includes(desk.Unit) && (desk.ValidTo == "" || desk.ValidTo >= r.Last) && desk.ValidFrom <= r.First {
			s.desks = append(s.desks, desk)
			served[desk.Unit] = true
		}
	}
	for _, u := range d.Units {
		if served[u.ID] {
			s.units = append(s.units, u.ID)
		}
	}
	if len(s.units) == 0 {
		return nil, fmt.Errorf("simulate a population: no unit of round %q has a desk", round)
	}
	s.drawEffects()
	s.computeTruth()
	return s, nil
}

// Populations are the results returned by unit, field and filing channel, as
// the offices would report them for the round.
func (s *Simulation) Populations() []survey.Population {
	list := make([]survey.Population, len(s.units))
	for u, id := range s.units {
		list[u] = survey.Population{Round: s.round.ID, Unit: id}
	}
	for _, r := range s.returned {
		list[r.unit].Cells = append(list[r.unit].Cells, survey.PopulationCell{Field: r.field, Filing: r.filing, Returned: r.count})
	}
	return list
}

// Units are the ids of the units that are simulated, in the order of the
// documents.
func (s *Simulation) Units() []string { return slices.Clone(s.units) }

// Answers is how many visits [Simulation.Visits] yields.
func (s *Simulation) Answers() int { return s.params.Answers }
