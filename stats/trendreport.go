package stats

import "sipas/survey"

// Trend is the index over several rounds. Estimates, errors and slopes are in percent, percentage points and points a year.
type Trend struct {
	Filter   map[string]string `json:"filter"`
	Level    float64           `json:"level"`
	Software string            `json:"software"`
	Notices  []Notice          `json:"notices"`
	// Points are in order of time.
	Points []TrendFigure `json:"points"`
	// Runs are the longest stretches of points by one method; lines are drawn inside them only.
	Runs []TrendStretch `json:"runs"`
	// Breaks say why there is no line between two runs.
	Breaks []TrendBreak `json:"breaks"`
}

// TrendFigure is the index of one round.
type TrendFigure struct {
	Round   RoundHeader `json:"round"`
	Interim bool        `json:"interim"`
	// Time is the middle of the round, in years.
	Time float64 `json:"time"`
	N    int     `json:"n"`
	// Figure has no value where the round has none; such a point is in no run.
	Figure Figure    `json:"figure"`
	Method MethodKey `json:"method"`
}

// MethodKey is all that must be equal for two figures to be compared.
type MethodKey struct {
	Instrument string `json:"instrument"`
	Version    int    `json:"version"`
	Form       string `json:"form"`
	Design     string `json:"design"`
	// Channel is the one that the figure is about, "" where all are pooled.
	Channel   string `json:"channel"`
	Weighting string `json:"weighting"`
	// Measure names the index, its version and how it combines.
	Measure string `json:"measure"`
}

// TrendStretch is a run of rounds by one method.
type TrendStretch struct {
	Rounds []string `json:"rounds"`
	// Slope is in points a year; its Reason says why there is none: one_point, no_standard_error.
	Slope  Measure  `json:"slope"`
	DF     *float64 `json:"df"`
	P      *float64 `json:"p"`
	Reason string   `json:"reason,omitempty"`
}

// TrendBreak is a change of method between two rounds.
type TrendBreak struct {
	After  string `json:"after"`
	Before string `json:"before"`
	// Changed are the names of MethodKey's fields that differ.
	Changed []string    `json:"changed"`
	Text    survey.Text `json:"text"`
}
