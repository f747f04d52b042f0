package seeds

// Params are the parameters of a simulated population. Effects are on the
// latent scale of the model (see [Simulation]), where what is peculiar to one
// person's answer to one item has a standard deviation of 1; rates are shares
// of 1. [DefaultParams] are those of the demonstration.
type Params struct {
	// Seed fixes everything: effects, people and answers.
	Seed uint64
	// Answers is how many people answer.
	Answers int
	// Transactions is about how many results were returned; 0 means twelve times
	// as many as Answers.
	Transactions int
	// Days is the number of working days over which the answers are spread.
	Days int

	// Base is the latent satisfaction of an average transaction.
	Base float64
	// UnitSD spreads the units, at evenly spaced quantiles, so that good and bad
	// ones occur whatever the seed.
	UnitSD float64
	// DeskSD, FieldSD, FactorSD and ItemSD spread desks, service fields, the
	// instrument's factors and their items.
	DeskSD, FieldSD, FactorSD, ItemSD float64
	// DaySD is what the people of one desk on one day share.
	DaySD float64
	// PersonSD is what one person's answers share.
	PersonSD float64

	// StraightLine is the share of people who give every item one level.
	StraightLine float64
	// NAFeedback is the share of people to whom the last factor, the handling
	// of feedback, does not apply: they gave none.
	NAFeedback float64
	// NAOther and Blank are the shares of single answers that are "not
	// applicable" and empty.
	NAOther, Blank float64
	// BrokenOff is the share of people who leave before the last item; where
	// they leave is uniform over the items.
	BrokenOff float64
	// ResponseSlope makes satisfied people answer more often: someone t standard
	// deviations more content than others of the same office answers
	// proportionally to 1/(1+exp(−ResponseSlope·t)). With 0 whoever answers is
	// like whoever does not, and the truth can be recovered; no weighting
	// recovers it otherwise.
	ResponseSlope float64
	// EvenResponse makes people answer equally often whatever the unit, field and
	// filing channel: unweighted figures are then right too.
	EvenResponse bool

	// Kiosk and Paper are the shares of these channels; the rest is qr.
	Kiosk, Paper float64
	// Evening is the share of answers given by qr after office hours.
	Evening float64
	// Stated is the share of people who answer a profile question, and who say
	// whether they were helped.
	Stated float64
	// Comments is the share of people who write something.
	Comments float64
	// Split asks everybody one module, of version 2 of the instrument, in place of all items.
	Split bool
	// TinyUnits is how many units, the last of the documents, have next to no
	// visitors.
	TinyUnits int
}

// DefaultParams are the parameters of the demonstration: 24,000 answers, a true
// index near 83%, single units from about 60% to 95%.
func DefaultParams() Params {
	return Params{
		Seed: 2640, Answers: 24_000, Days: 40,
		Base: 1.50, UnitSD: 0.40, DeskSD: 0.12, FieldSD: 0.08, FactorSD: 0.15, ItemSD: 0.15, DaySD: 0.15, PersonSD: 0.9,
		StraightLine: 0.02, NAFeedback: 0.35, NAOther: 0.01, Blank: 0.01, BrokenOff: 0.04,
		Kiosk: 0.17, Paper: 0.08, Evening: 0.005, Stated: 0.8, Comments: 0.02, TinyUnits: 1,
	}
}
