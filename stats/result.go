package stats

// Why a number is not given: values of the Reason fields. "" means given.
const (
	// ReasonNoAnswers: no row of the domain has a level there.
	ReasonNoAnswers = "no_answers"
	// ReasonNoPopulation: every row is of units without any population
	// record, so nothing can be weighted. (A record of 0 is one.)
	ReasonNoPopulation = "no_population"
	// ReasonUncovered: every row is of units with too few counted answers to
	// be weighted, or whose records say that no result was returned.
	ReasonUncovered = "uncovered"
	// ReasonMarginTotals: margins of a raked round speak of different numbers of
	// results, so that no weights meet them all; ReasonMarginEmpty: a class has
	// results but no answers, or answers but no results; ReasonNotConverged: no weights meet the margins,
	// since combinations of classes have no answers. Nothing is weighted.
	ReasonMarginTotals = "margin_totals"
	ReasonMarginEmpty  = "margin_empty"
	ReasonNotConverged = "raking_not_converged"
	// ReasonIncomplete: a composite needs an item that nobody in the domain
	// answered. Weights are never renormalised.
	ReasonIncomplete = "incomplete_criteria"
	// ReasonTooFewPSUs: no degrees of freedom, the domain has one PSU in
	// each of its strata; no standard error.
	ReasonTooFewPSUs = "too_few_psus"
	// ReasonLonelyPSU: a stratum of the draw has one PSU of several, so its
	// variance is not known; no standard error.
	ReasonLonelyPSU = "lonely_psu"
	// ReasonNoVariation: the standard error is 0 though the answers are not
	// unanimous (every PSU of a stratum alike); no interval.
	ReasonNoVariation = "no_variation"
	// ReasonDrawCounts: the domain has rows in a stratum of the draw with
	// more PSUs than its population of them, or in a PSU with more rows than
	// its population; no standard error.
	ReasonDrawCounts = "draw_counts"
	// ReasonNotFinite: the numbers left the range of floating point, which
	// only absurd design weights do.
	ReasonNotFinite = "not_finite"
)

// Estimate is one share of satisfied answers, or a mean of such shares.
// Everything is in proportion (0 to 1). No field is ever NaN or infinite; the
// Has fields say which values exist, the others are 0.
type Estimate struct {
	// N is the number of rows behind it: with a level of the item, or, for
	// factors and indices, all rows of the domain. Rows of weight 0 are not
	// among them in weighted estimates.
	N int
	// P is the estimate.
	P float64
	// SE is its Taylor-linearised standard error.
	SE float64
	// DF is PSUs less strata that contain the domain.
	DF int
	// Deff is the variance over that of a simple random sample of N rows
	// (Drawn: without replacement from the estimated population). For
	// factors and indices the simple random variance is that of the same
	// linearised values.
	Deff float64
	// NEff is P(1−P)/SE², for items only (of a mean of shares it is no
	// sample size); N for a unanimous item.
	NEff float64
	// NStar is NEff corrected for the degrees of freedom, as ShareInterval
	// gives it; items only.
	NStar float64
	// CI is the confidence interval at Plan.Level, CIMethod its name
	// (ShareInterval for items, CompositeInterval for factors and indices).
	CI       Interval
	CIMethod string

	HasP, HasSE, HasDeff, HasNEff, HasCI bool
	// Reason is the first cause of something missing, "" if all is there.
	Reason string
}

// Estimates are the estimates of one domain with one set of weights.
type Estimates struct {
	N          int     // rows that bear weight
	PSUs       int     // with at least one of those rows
	Strata     int     // with at least one, after merging (Visitors)
	SumWeights float64 // estimated population of the domain, N̂; 0 where it is not finite
	Items      []Estimate
	Factors    []Estimate // combined as the headline method does
	Index      []Estimate // one for each method
	// Incomplete: an item that the headline method gives weight has fewer
	// than five levels among the rows that bear weight (Items[k].N; "thiếu
	// tiêu chí"): no rank, no verdict. N and this are what a verdict on these
	// estimates goes by.
	Incomplete bool
}

// Domain is the total or a group.
type Domain struct {
	// N is the number of counted rows in the domain.
	N int
	// PSUs and Strata have at least one of them.
	PSUs, Strata int
	// Counts is the number of rows for each item and code, in the order of
	// the levels 1 to 5, then not asked, blank, not applicable, broken off.
	Counts [][Codes]int
	// Incomplete: an item that the headline method gives weight has fewer
	// than five levels in Counts, among all counted rows. Whether estimates
	// may be judged is Estimates.Incomplete, since rows of uncovered units
	// bear no weight.
	Incomplete bool
	// Population is the number of results returned in the cells of this
	// domain in the whole round, whatever the filters by day and person say.
	// PopulationKnown is false where the domain is not made of whole cells,
	// or none of them has a figure.
	Population      float64
	PopulationKnown bool
	// Exceeds: a weight cell of rows in this domain has more counted answers
	// than results returned (answers_exceed_transactions): no verdict. One
	// such cell anywhere marks the total; groups without rows in it are not
	// marked.
	Exceeds bool

	// Weighted has the design's weights, Unweighted weight 1 with the same
	// strata and PSUs. Nil with a reason where there are none.
	Weighted         *Estimates
	WeightedReason   string
	Unweighted       *Estimates
	UnweightedReason string
}

// WeightCell is a cell of the visitors design as it was weighted, after
// merging. Raked cells are not merged, but for units that are left out.
type WeightCell struct {
	Members []int32 // indices of Plan.Cells, ascending
	Unit    int32
	N       float64 // results returned, ΣN of the members
	Answers int     // counted answers of the whole round
	// Weight is N / Answers, in units with Spread cells times the factor that
	// makes the unit's weights sum to its population; 0 where not covered. Raked:
	// what meets the margins; 0 also without answers.
	Weight float64
	// Spread: answers without a population record, too few to merge the cells
	// that could hold them. They have the mean weight of those; N is 0.
	Spread bool
	Reason string // left out of the weights: ReasonUncovered, ReasonNoPopulation, or why raking failed
	// Exceeds: more answers than results returned, here, in a member, Spread
	// with the cells that could hold them, or raked in a class.
	Exceeds bool
}

// MarginClass is a class of a margin as it was raked to, after merging.
type MarginClass struct {
	Members []int32 // classes of the plan's margin, ascending; nil: those not known
	// Total is the results returned that the weights of the class sum to. Answers
	// of a class not known have what their classes of the first margin give them,
	// and the others share the rest.
	Total   float64
	Answers int
}

// UnitState is a unit's part in the weights.
type UnitState struct {
	Answers    int     // counted answers of the whole round
	Population float64 // results returned, all cells with a record
	Reason     string  // why it is left out, as in WeightCell
	Exceeds    bool    // more answers than results returned in one of its cells
}

// Result is a report's numbers.
type Result struct {
	Total  Domain
	Groups []Domain // by group number

	// PlaceRows is, for each place, the number of rows inside the limits of
	// day and person, counted or not, whatever Place.In says: what channels,
	// doors and flags are counted from.
	PlaceRows []int

	// CellAnswers is the number of counted answers of the whole round in each
	// cell of the plan.
	CellAnswers []int

	Cells []WeightCell // Visitors: by unit, then smallest member
	Units []UnitState  // Visitors: by unit
	// Margins are the classes by margin of a raked round; RakingReason is why it
	// could not be raked, "" if it was. Every weighted figure then has that reason.
	Margins      [][]MarginClass
	RakingReason string
	// ExceedingCells are the cells of the plan with a population record (0
	// too) and more counted answers than that.
	ExceedingCells []int32
	// WeightRatio is the largest cell weight over the smallest, 0 without
	// cells (Visitors, Spread ones apart), or of the counted rows' weights
	// (Drawn), at most math.MaxFloat64.
	WeightRatio float64
	// LonelyPSUs is the number of strata with one PSU after merging
	// (Visitors: units with one desk-day in all; Drawn: not fully sampled).
	LonelyPSUs int
}
