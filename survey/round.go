package survey

import "time"

// The designs of a round: how its respondents came to answer. STATS: "What a
// one-stop round is". The design decides how an interval is computed and what
// a verdict may say.
const (
	// DesignVisitors: whoever came and chose to answer.
	DesignVisitors = "visitors"
	// DesignDrawn: a recorded random draw; strata, sampling units, their
	// population counts and weights come with the answers.
	DesignDrawn = "drawn"
	// DesignHousehold: people drawn at their homes. Strata, clusters and weights
	// come with the answers, as in a drawn round; another way to reach people, so
	// another sample: the two are not compared.
	DesignHousehold = "household"
)

// How a visitors round is weighted to the results returned. METHOD: "Weights of
// visitors" says which to use when.
const (
	// WeightsCells: in every unit by service field and filing channel
	// (post-stratification); small cells merge.
	WeightsCells = "cells"
	// WeightsRaked: to three margins at once, unit, service field and filing
	// channel, for rounds with few answers in a cell.
	WeightsRaked = "raked"
)

// The states of a round.
const (
	StatusDraft  = "draft"
	StatusOpen   = "open"
	StatusClosed = "closed"
)

// Round is a period in which one instrument is used, with its target (đợt
// khảo sát).
type Round struct {
	ID    string `json:"id" validate:"required,code"`
	Title Text   `json:"title" validate:"text"`
	// Instrument and Version are what forms of the round show. Answers to any
	// published version of the same instrument are taken, since a tablet may be
	// stale.
	Instrument string `json:"instrument" validate:"required,code"`
	Version    int    `json:"version" validate:"gte=1"`
	Design     string `json:"design" validate:"oneof=visitors drawn household"`
	// Weights is WeightsCells or WeightsRaked; empty means WeightsCells. A drawn
	// round has the weights of its draw.
	Weights string `json:"weights,omitempty" validate:"omitempty,oneof=cells raked"`
	// Doors is what lets people answer: DoorsOpen, DoorsSlip or DoorsBoth; empty means
	// DoorsOpen.
	Doors string `json:"doors,omitempty" validate:"omitempty,oneof=open slip both"`
	// Form is which items a person is asked: FormFull, FormQuick or FormSplit.
	Form   string `json:"form" validate:"oneof=full quick split"`
	Status string `json:"status" validate:"oneof=draft open closed"`
	// ClosedAt is when staff closed it, which the store notes; nil for a round that is not
	// closed, or was before that was noted.
	ClosedAt *time.Time `json:"closed_at,omitempty"`
	// First and Last are the first and last day, in Vietnam.
	First Date `json:"first" validate:"required,datetime=2006-01-02"`
	Last  Date `json:"last" validate:"required,datetime=2006-01-02"`
	// Target is the share of satisfied people aimed at, in percent.
	Target float64 `json:"target" validate:"gt=0,lte=100"`
	// UnitTargets replaces Target for single units, in percent.
	UnitTargets map[string]float64 `json:"unit_targets,omitempty" validate:"dive,gt=0,lte=100"`
	// PrimaryChannel makes the headline; the others stand beside it. Empty
	// means that all channels are pooled, which the report then says.
	PrimaryChannel Channel `json:"primary_channel,omitempty" validate:"omitempty,oneof=qr kiosk paper interviewer phone invite"`
	// MinAnswered is the share of asked items that must carry a level for a
	// response to be valid; 0 means one half.
	MinAnswered float64 `json:"min_answered,omitempty" validate:"gte=0,lte=1"`
	// Looks is how many times a verdict is planned while the round runs; the
	// error is shared among them (Bonferroni). 0 means one, at the end.
	Looks int `json:"looks,omitempty" validate:"gte=0,lte=100"`
	// Pictures is how often those who may not see answers get new figures:
	// PicturesDaily, PicturesWeekly or PicturesMonthly; empty means weekly.
	Pictures string `json:"pictures,omitempty" validate:"omitempty,oneof=day week month"`
	// Units that take part; empty means all.
	Units []string `json:"units,omitempty" validate:"max=10000,dive,required"`
}

// Drawn reports whether people were drawn by chance, so that answers come with
// the draw and speak of the population.
func (r *Round) Drawn() bool { return r.Design == DesignDrawn || r.Design == DesignHousehold }

// ValidShare is MinAnswered with its default of one half.
func (r *Round) ValidShare() float64 {
	if r.MinAnswered == 0 {
		return 0.5
	}
	return r.MinAnswered
}

// Weighting is Weights with its default.
func (r *Round) Weighting() string {
	if r.Weights == "" {
		return WeightsCells
	}
	return r.Weights
}

// UnitTarget is the target of one unit, in percent.
func (r *Round) UnitTarget(unit string) float64 {
	if t, ok := r.UnitTargets[unit]; ok {
		return t
	}
	return r.Target
}

// Includes reports whether a unit takes part.
func (r *Round) Includes(unit string) bool {
	for _, u := range r.Units {
		if u == unit {
			return true
		}
	}
	return len(r.Units) == 0
}

// OpenAt says whether the round takes answers given at t: "" when it does, or
// the code of why not.
func (r *Round) OpenAt(t time.Time) Code {
	day := DateOf(t)
	switch {
	case r.Status == StatusDraft, r.Status == StatusOpen && day < r.First:
		return CodeRoundNotOpen
	case r.Status == StatusClosed, day > r.Last:
		return CodeRoundClosed
	}
	return ""
}

// Opened reports whether people may have answered by now: it has left its draft, and its
// first day has come.
func (r *Round) Opened(now time.Time) bool { return r.Status != StatusDraft && r.First <= DateOf(now) }

// CheckChange refuses what must not change when a stored round, was, becomes r: in a round
// that has left its draft what its answers mean, and in one that has opened what they count
// for and by which doors they come. That one cannot go back to a draft, or to before its
// first day, either. opened is true where was.Opened or has answers.
func (r *Round) CheckChange(was *Round, opened bool, now time.Time) error {
	var p problems
	fixed := func(field string, changed bool) {
		if changed {
			p.add("rounds/"+r.ID+"."+field, CodeRoundStarted)
		}
	}
	if was.Status != StatusDraft || opened {
		fixed("instrument", was.Instrument != r.Instrument)
		fixed("design", was.Design != r.Design)
		fixed("weights", was.Weighting() != r.Weighting())
		fixed("form", was.Form != r.Form)
		fixed("version", was.Form != FormFull && was.Version != r.Version) // it may ask other items
	}
	if opened {
		fixed("doors", was.Takes(DoorOpen) != r.Takes(DoorOpen) || was.Takes(DoorSlip) != r.Takes(DoorSlip))
		fixed("min_answered", was.ValidShare() != r.ValidShare())
		fixed("looks", max(1, was.Looks) != max(1, r.Looks))
		fixed("primary_channel", was.PrimaryChannel != r.PrimaryChannel)
		fixed("status", was.Status != StatusDraft && r.Status == StatusDraft)
		fixed("first", r.First > was.First && r.First > DateOf(now))
	}
	return p.err()
}

// NoteClosing sets ClosedAt of a round that replaces was, nil where there is none.
func (r *Round) NoteClosing(was *Round, now time.Time) {
	r.ClosedAt = nil
	switch {
	case r.Status != StatusClosed || was == nil:
	case was.Status == StatusClosed:
		r.ClosedAt = was.ClosedAt
	case was.Status == StatusOpen:
		at := now.UTC().Truncate(time.Millisecond)
		r.ClosedAt = &at
	}
}

// Interim reports whether t is before the end of the round, so that a verdict
// is not final.
func (r *Round) Interim(t time.Time) bool {
	return r.Status != StatusClosed && DateOf(t) <= r.Last
}
