package seeds

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"sipas/survey"
)

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

// returned counts the results of one field and filing channel of a unit.
type returned struct {
	unit          int
	field, filing string
	count         int
}

// filings are the filing channels: their share of transactions, their effect
// and how willing people are to answer.
var filings = []struct {
	name                   string
	share, effect, willing float64
}{{"counter", 0.62, 0, 1}, {"online", 0.33, -0.25, 0.45}, {"post", 0.05, 0.1, 0.35}}

// smallestCell keeps every cell well above the number of answers that chance
// can give it: more answers than transactions are an error of the data.
const smallestCell = 12

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
				c := cell{
					unit: u, desk: d, field: f, filing: g.name,
					effect: m.effect + deskEffect[d] + fields[f].effect + g.effect,
					size:   n / float64(len(serving[f])), willing: m.willing * fields[f].willing * g.willing,
				}
				if s.params.EvenResponse {
					c.willing = 1
				}
				s.cells = append(s.cells, c)
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
