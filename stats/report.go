package stats

import (
	"time"

	"sipas/survey"
)

// Report is the satisfaction index of one round: the whole, factors, items and
// groups. Page, JSON, CSV and terminal all render this one value.
//
// Every share, limit, standard error, target and rate in it is in percent or
// percentage points. A number that cannot be given is null, and the reason
// stands beside it.
type Report struct {
	Round RoundHeader `json:"round"`
	// Filter holds the query that narrowed the report, "" values left out.
	Filter map[string]string `json:"filter"`
	// Basis is what the figures speak of: "respondents" (whoever chose to
	// answer) or "population" (a recorded random draw).
	Basis string `json:"basis"`
	// Interim: the round still runs, so no verdict is final.
	Interim bool         `json:"interim"`
	Method  MethodHeader `json:"method"`
	// Methods names the other ways to combine, in the order of Group.Methods.
	Methods   []MethodHeader `json:"methods"`
	Weighting Weighting      `json:"weighting"`
	// Level is the confidence level of every interval, in percent.
	Level float64 `json:"level"`
	// CutOff is the UTC hour of the latest answer received.
	CutOff *time.Time `json:"cut_off"`
	// Software is the version of this program.
	Software string   `json:"software"`
	Notices  []Notice `json:"notices"`
	Counts   Counts   `json:"counts"`
	Total    Group    `json:"total"`
	// By names the grouping, "" when there is none.
	By string `json:"by"`
	// Groups are ranked: by rank group, then by index, best first; those
	// without a rank come last.
	Groups []Group `json:"groups"`
}

// RoundHeader repeats what the report is about.
type RoundHeader struct {
	ID         string      `json:"id"`
	Title      survey.Text `json:"title"`
	Instrument string      `json:"instrument"`
	Version    int         `json:"version"`
	LegalBasis string      `json:"legal_basis"`
	Design     string      `json:"design"`
	First      survey.Date `json:"first"`
	Last       survey.Date `json:"last"`
	// Target in percent.
	Target float64 `json:"target"`
	// Index is the name of the index of a quick round; nil is that of the
	// instrument.
	Index survey.Text `json:"index,omitempty"`
}

// MethodHeader names a way to combine items into the index.
type MethodHeader struct {
	Name          string    `json:"name"`
	Version       int       `json:"version"`
	Combine       string    `json:"combine"`
	FactorWeights []float64 `json:"factor_weights"`
}

// Notice is a sentence that a reader must see before the figures.
type Notice struct {
	Code string      `json:"code"`
	Text survey.Text `json:"text"`
}

// Counts says what came in, before and after the rule of what counts. All
// within the filter but for channels that the report leaves out, which are
// counted too.
type Counts struct {
	Received int `json:"received"`
	// Counted enter the figures.
	Counted int `json:"counted"`
	// Invalid have a level on too few items.
	Invalid int `json:"invalid"`
	// Excluded were put aside by staff.
	Excluded int `json:"excluded"`
	Flagged  int `json:"flagged"`
	// OtherChannels are valid but came by a channel that the report is not
	// about.
	OtherChannels int `json:"other_channels"`
	// Late answers of tablets were given while the round ran and came after its last
	// day.
	Late int `json:"late"`
	// Unreadable answers of the round are stored but in no figure: they do not
	// fit the round's documents. The log says why.
	Unreadable int            `json:"unreadable"`
	ByChannel  map[string]int `json:"by_channel"`
	ByDoor     map[string]int `json:"by_door"`
	ByFlag     map[string]int `json:"by_flag"`
	// SlipsIssued and SlipsReturned count slips where the round takes them and the
	// report is of the whole or one unit: those that offices handed out, and answers
	// that came with one. Nil elsewhere.
	SlipsIssued   *int `json:"slips_issued,omitempty"`
	SlipsReturned *int `json:"slips_returned,omitempty"`
}

// Weighting says how answers were weighted.
type Weighting struct {
	// Kind is "post_stratified" (to results returned), "raked" (to those of
	// units, service fields and filing channels at once), "design" (weights of a
	// draw) or "none" (no population figures: weighted figures are null).
	Kind string `json:"kind"`
	// Returned is the number of results returned in all cells.
	Returned int `json:"returned"`
	// Covered is how many of them are in cells that enter the weights.
	Covered int `json:"covered"`
	// Unreachable results could be rated through no door of the round.
	Unreachable int `json:"unreachable"`
	// LargestRatio is the largest weight over the smallest.
	LargestRatio *float64      `json:"largest_ratio"`
	Cells        []CellFigures `json:"cells"`
}

// CellFigures is one weight cell after merging.
type CellFigures struct {
	Unit string `json:"unit"`
	// Members are the cells merged into it.
	Members  []CellMember `json:"members"`
	Returned int          `json:"returned"`
	Answers  int          `json:"answers"`
	// Weight is results per answer, null when the cell is uncovered or, raked,
	// has no answers.
	Weight *float64 `json:"weight"`
	// Uncovered: too few answers even after merging; left out of the weights.
	Uncovered bool `json:"uncovered"`
	// Exceeds: more answers than results returned, a fault of the data or
	// stuffing.
	Exceeds bool `json:"exceeds"`
}

// CellMember is one field and filing channel of a unit.
type CellMember struct {
	Field    string `json:"field"`
	Filing   string `json:"filing"`
	Returned int    `json:"returned"`
	Answers  int    `json:"answers"`
}

// Group is the whole of a report, or one group of it.
type Group struct {
	ID    string      `json:"id"`
	Label survey.Text `json:"label"`
	// RankGroup is the set of units that are ranked together.
	RankGroup string `json:"rank_group,omitempty"`
	// Rank is null for groups that cannot be ranked.
	Rank *int `json:"rank"`
	// RankRange says how far the rank is certain; null without a rank, and where more than 1,000 groups are
	// ranked together.
	RankRange *RankRange `json:"rank_range"`
	// N is the number of counted respondents.
	N int `json:"n"`
	// Strata and PSUs contain the N respondents.
	Strata int `json:"strata"`
	PSUs   int `json:"psus"`
	// Returned is the number of results returned, null where unknown.
	Returned     *int     `json:"returned"`
	ResponseRate *float64 `json:"response_rate"`
	// TippingPoint: if those who did not answer are satisfied less than this,
	// the target is missed. Below 0 and above 100 it cannot be reached.
	TippingPoint *float64 `json:"tipping_point"`
	Verdict      Decision `json:"verdict"`
	// Weighted and Unweighted are the index by the headline method.
	Weighted   Figure `json:"weighted"`
	Unweighted Figure `json:"unweighted"`
	// Methods are the index by every method, in the order of Report.Methods.
	Methods []MethodFigures `json:"methods"`
	Factors []FactorFigures `json:"factors"`
	Items   []ItemFigures   `json:"items"`
}

// RankRange is where a group stands among those ranked with it. The ranges of all of them hold at once with the
// confidence level of the report: every pair is compared, and the comparisons are adjusted by Holm.
type RankRange struct {
	// Low is the best rank that the answers leave open, High the worst: 1 is the highest index.
	Low  int `json:"low"`
	High int `json:"high"`
	// Of is the number of groups ranked together.
	Of int `json:"of"`
	// NotDistinguishable is how many of the others cannot be told from this group. They are not a class: two
	// of them may well differ from each other.
	NotDistinguishable int `json:"not_distinguishable"`
}

// Decision compares an interval with the target.
type Decision struct {
	// Verdict is null when none may be made; Reason then says why.
	Verdict *Verdict `json:"verdict"`
	Reason  string   `json:"reason,omitempty"`
	Target  float64  `json:"target"`
	// ReachesTarget compares the point value alone, as the Ministry does.
	ReachesTarget *bool  `json:"reaches_target"`
	Basis         string `json:"basis"`
	Interim       bool   `json:"interim"`
	// Level of the interval used, in percent; above Report.Level where several
	// looks are planned.
	Level float64 `json:"level"`
}

// Figure is one estimate, in percent.
type Figure struct {
	N int `json:"n"`
	// Value is null where nothing can be estimated; SE and the limits can be
	// null beside a value. Reason says why.
	Value *float64 `json:"value"`
	// SE is the standard error in percentage points.
	SE   *float64 `json:"se"`
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
	// Interval is the kind of interval: logit, beta or wilson.
	Interval string `json:"interval,omitempty"`
	DF       int    `json:"df"`
	// Deff is the design effect; NEff the effective number of answers (items
	// only).
	Deff *float64 `json:"deff"`
	NEff *float64 `json:"n_eff,omitempty"`
	// Marks on the quality: "review" (df below 8), "cv" (relative error above
	// 30%), "wide" (interval of 30 points or more).
	Marks  []string `json:"marks,omitempty"`
	Reason string   `json:"reason,omitempty"`
}

// MethodFigures is the index by one method.
type MethodFigures struct {
	Name       string `json:"name"`
	Weighted   Figure `json:"weighted"`
	Unweighted Figure `json:"unweighted"`
}

// FactorFigures is one factor.
type FactorFigures struct {
	ID         string      `json:"id"`
	Title      survey.Text `json:"title"`
	Weighted   Figure      `json:"weighted"`
	Unweighted Figure      `json:"unweighted"`
}

// ItemFigures is one item: its share of satisfied answers (levels 4 and 5), and
// what was answered.
type ItemFigures struct {
	ID   string      `json:"id"`
	Text survey.Text `json:"text"`
	// Levels counts levels 1 to 5.
	Levels        [5]int `json:"levels"`
	NotAsked      int    `json:"not_asked"`
	Blank         int    `json:"blank"`
	NotApplicable int    `json:"na"`
	BrokenOff     int    `json:"broken_off"`
	Weighted      Figure `json:"weighted"`
	Unweighted    Figure `json:"unweighted"`
}
