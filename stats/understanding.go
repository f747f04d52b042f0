package stats

import (
	"time"

	"sipas/survey"
)

// Understanding says what lies behind the index of a round: how people answered each item, whether the items measure
// one thing, and what goes along with satisfaction. Shares, and their standard errors and limits, are in percent; means of levels, correlations, α
// and parts of R² are on their own scales.
type Understanding struct {
	Round     RoundHeader       `json:"round"`
	Filter    map[string]string `json:"filter"`
	Basis     string            `json:"basis"`
	Interim   bool              `json:"interim"`
	Weighting string            `json:"weighting"`
	Level     float64           `json:"level"`
	CutOff    *time.Time        `json:"cut_off"`
	Software  string            `json:"software"`
	Notices   []Notice          `json:"notices"`
	// N is the number of respondents behind the figures.
	N int `json:"n"`
	// Outcome is what importance is importance for: the id of an item, or "" for the mean of a person's answers.
	Outcome string `json:"outcome"`
	// Scale is of all items, over the people who gave every one a level.
	Scale   ScaleFigures    `json:"scale"`
	Factors []FactorInsight `json:"factors"`
	Items   []ItemInsight   `json:"items"`
	Drivers DriverFigures   `json:"drivers"`
	// Thresholds divide the items: the mean share satisfied, in percent, and the mean importance. Null without items to divide.
	PerformanceThreshold *float64 `json:"performance_threshold"`
	ImportanceThreshold  *float64 `json:"importance_threshold"`
}

// Measure is an estimate on a scale of its own, with its interval.
type Measure struct {
	Value *float64 `json:"value"`
	SE    *float64 `json:"se"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

// ScaleFigures is Cronbach's α of some items.
type ScaleFigures struct {
	N            int      `json:"n"`
	Alpha        Measure  `json:"alpha"`
	Standardised *float64 `json:"standardised"`
	Reason       string   `json:"reason,omitempty"`
}

// FactorInsight is one factor as a scale.
type FactorInsight struct {
	ID    string       `json:"id"`
	Title survey.Text  `json:"title"`
	Scale ScaleFigures `json:"scale"`
}

// ItemInsight is one item.
type ItemInsight struct {
	ID     string      `json:"id"`
	Text   survey.Text `json:"text"`
	Factor string      `json:"factor"`
	// N gave it a level.
	N int `json:"n"`
	// Levels are the shares of the levels, 1 first, in percent of N.
	Levels [5]Measure `json:"levels"`
	// Mean of the levels, 1 to 5.
	Mean Measure `json:"mean"`
	// RestCorrelation is that with the sum of the factor's other items, and AlphaIfDeleted the factor's α without it; over the
	// people who answered the whole factor.
	RestCorrelation *float64 `json:"rest_correlation"`
	AlphaIfDeleted  *float64 `json:"alpha_if_deleted"`
	// Performance is the share satisfied among those with the item and the outcome, in percent; Importance the correlation of the
	// levels with the outcome.
	Performance Measure  `json:"performance"`
	Importance  Measure  `json:"importance"`
	Quadrant    Quadrant `json:"quadrant"`
	// Sure: both gaps to the thresholds are beyond their errors. Otherwise the quadrant may be chance.
	Sure bool `json:"sure"`
}

// DriverFigures is the regression of the outcome on the factors.
type DriverFigures struct {
	// N have the outcome and an answer to every factor.
	N        int            `json:"n"`
	DF       *float64       `json:"df"`
	RSquared Measure        `json:"r_squared"`
	Factors  []DriverFigure `json:"factors"`
	Reason   string         `json:"reason,omitempty"`
}

// DriverFigure is one factor's part.
type DriverFigure struct {
	ID    string      `json:"id"`
	Title survey.Text `json:"title"`
	// Importance is the part of R² (LMG), RelativeWeight Johnson's approximation of it.
	Importance     Measure `json:"importance"`
	RelativeWeight Measure `json:"relative_weight"`
	// Coefficient: levels of the outcome per level of the factor, the others equal.
	Coefficient Measure  `json:"coefficient"`
	Correlation *float64 `json:"correlation"`
}
