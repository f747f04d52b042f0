package seeds

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
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

// cell is where a person was served: a field at a desk, filed in one way.
type cell struct {
	unit, desk    int
	field, filing string
	// effect is everything but day, person, groups, item and noise
	effect float64
	// size is the number of transactions
	size float64
	// willing is proportional to how often a person answers
	willing float64
}

type returned struct {
	unit          int
	field, filing string
	count         int
}

// thresholds of the latent scale between the levels 1 | 2 | 3 | 4 | 5.
var thresholds = [4]float64{-1.9, -1.0, 0, 1.5}

// filings are the filing channels: their share of transactions, their effect
// and how willing people are to answer.
var filings = []struct {
	name                   string
	share, effect, willing float64
}{{"counter", 0.62, 0, 1}, {"online", 0.33, -0.25, 0.45}, {"post", 0.05, 0.1, 0.35}}

// Streams of random numbers, one a purpose, so that more answers or another
// parameter do not change the effects.
const (
	streamEffects = iota + 1
	streamDays
	streamVisits
)

// smallestCell keeps every cell well above the number of answers that chance
// can give it: more answers than transactions are an error of the data.
const smallestCell = 12

// Simulate draws a population for the round of that id, over the units of the
// documents that take part in it and have desks on its last day. The documents
// must hold the round, its instrument, the units, desks and fields; they are
// not changed. Populations are the caller's to add, see
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

// drawEffects draws everything that stays fixed: effects, sizes, willingness.
func (s *Simulation) drawEffects() {
	p, rng := s.params, rand.New(rand.NewPCG(s.params.Seed, streamEffects))
	spread := func(sd float64) float64 { return math.Exp(sd * rng.NormFloat64()) }

	s.drawItems(rng)
	fields := map[string]fieldModel{}
	unitSize, size := make([]float64, len(s.units)), 0.0
	byUnit := make([][]int, len(s.units))
	for d, desk := range s.desks {
		u := slices.Index(s.units, desk.Unit)
		byUnit[u] = append(byUnit[u], d)
		for _, f := range fieldsOf(desk) {
			if _, ok := fields[f]; !ok {
				fields[f] = fieldModel{p.FieldSD * rng.NormFloat64(), spread(0.4), spread(0.15)}
			}
		}
	}
	for u := range unitSize {
		unitSize[u] = spread(0.35) * float64(len(byUnit[u]))
		if u >= len(s.units)-p.TinyUnits {
			unitSize[u] = 0
		}
		size += unitSize[u]
	}
	if size == 0 {
		size = 1 // every unit is tiny
	}
	transactions := float64(cmp.Or(p.Transactions, 12*p.Answers))
	rank := rng.Perm(len(s.units))
	for u := range s.units {
		z := quantile((float64(rank[u]) + 0.5) / float64(len(s.units)))
		s.drawUnit(rng, u, byUnit[u], fields, unitModel{
			effect: p.Base + p.UnitSD*z,
			// better units get more answers, or unweighted figures would be
			// right by chance
			willing:      spread(0.2) * math.Exp(0.2*z),
			transactions: transactions * unitSize[u] / size,
		})
	}
	sum := 0.0
	for _, c := range s.cells {
		sum += c.size * c.willing
		s.heaped = append(s.heaped, sum)
	}
	rng = rand.New(rand.NewPCG(p.Seed, streamDays))
	s.day = make([]float64, len(s.desks)*p.Days)
	for i := range s.day {
		s.day[i] = p.DaySD * rng.NormFloat64()
	}
}

// drawItems draws the factors and items, centred so that Base is the average.
func (s *Simulation) drawItems(rng *rand.Rand) {
	p := s.params
	s.items = make([]float64, len(s.in.Items()))
	mean := 0.0
	for _, members := range s.in.FactorItems() {
		factor := p.FactorSD * rng.NormFloat64()
		if members[0] >= s.feedbackFrom {
			// how feedback is handled is judged worst everywhere
			factor = -2 * p.FactorSD
		}
		for _, i := range members {
			s.items[i] = factor + p.ItemSD*rng.NormFloat64()
			mean += s.items[i] / float64(len(s.items))
		}
	}
	for i := range s.items {
		s.items[i] -= mean
	}
}

// fieldModel is a service field in all units: its effect, how common it is
// and how willing its people are to answer.
type fieldModel struct{ effect, size, willing float64 }

// unitModel is a unit before its cells are drawn.
type unitModel struct{ effect, willing, transactions float64 }

// drawUnit makes the cells of unit u: its transactions by field and filing
// channel, each shared equally by the desks that serve the field.
func (s *Simulation) drawUnit(rng *rand.Rand, u int, desks []int, fields map[string]fieldModel, m unitModel) {
	deskEffect := map[int]float64{}
	var served []string
	serving := map[string][]int{}
	common := 0.0
	for _, d := range desks {
		deskEffect[d] = s.params.DeskSD * rng.NormFloat64()
		for _, f := range fieldsOf(s.desks[d]) {
			if serving[f] == nil {
				served = append(served, f)
				common += fields[f].size
			}
			serving[f] = append(serving[f], d)
		}
	}
	for _, f := range served {
		for _, g := range filings {
			n := math.Round(m.transactions * fields[f].size / common * g.share * math.Exp(0.1*rng.NormFloat64()))
			n = max(n, smallestCell)
			s.returned = append(s.returned, returned{u, f, g.name, int(n)})
			for _, d := range serving[f] {
				s.cells = append(s.cells, cell{
					unit: u, desk: d, field: f, filing: g.name,
					effect: m.effect + deskEffect[d] + fields[f].effect + g.effect,
					size:   n / float64(len(serving[f])), willing: m.willing * fields[f].willing * g.willing,
				})
			}
		}
	}
}

// fieldsOf are a desk's fields; one without any serves one that is not named.
func fieldsOf(d survey.Desk) []string {
	if len(d.Fields) == 0 {
		return []string{""}
	}
	return d.Fields
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
