package stats

import "sipas/survey"

// Comparison is the difference between the indices of two samples, or of two parts of one. Shares, limits, standard errors and
// differences are in percent or percentage points, as in Report.
type Comparison struct {
	// By is what the two sides differ in, and in nothing else: a grouping of reports, "period" or "round".
	By string `json:"by"`
	// Filter narrows both sides.
	Filter map[string]string `json:"filter"`
	Basis  string            `json:"basis"`
	// Weighting is that of Report, the same on both sides.
	Weighting string       `json:"weighting"`
	Method    MethodHeader `json:"method"`
	// Level is the confidence level of all intervals, in percent.
	Level      float64    `json:"level"`
	Software   string     `json:"software"`
	Notices    []Notice   `json:"notices"`
	A          Side       `json:"a"`
	B          Side       `json:"b"`
	Difference Difference `json:"difference"`
	// Conclusion is null where none may be drawn; Reason then says why.
	Conclusion *Conclusion `json:"conclusion"`
	Reason     string      `json:"reason,omitempty"`
}

// Conclusion says how B stands to A.
type Conclusion string

// The conclusions. Not distinguishable does not say equal: the interval tells how far apart they may be.
const (
	Higher             Conclusion = "higher"
	Lower              Conclusion = "lower"
	NotDistinguishable Conclusion = "not_distinguishable"
	TooFewToCompare    Conclusion = "too_few"
)

// Side is one side of a comparison.
type Side struct {
	ID    string      `json:"id"`
	Label survey.Text `json:"label"`
	Round RoundHeader `json:"round"`
	// Interim: its round still runs.
	Interim bool `json:"interim"`
	// N is the number of counted respondents.
	N int `json:"n"`
	// Figure is the index, as the report shows it.
	Figure Figure `json:"figure"`
}

// Difference is B less A. Numbers are null where there is no difference or no error of it.
type Difference struct {
	Value *float64 `json:"value"`
	SE    *float64 `json:"se"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
	// DF is Welch and Satterthwaite's for independent sides, else the smaller of the two.
	DF *float64 `json:"df"`
	// P is two-sided, of no difference. It is of this pair alone: whoever looks at many pairs finds some below 5% by chance.
	P *float64 `json:"p"`
	// Covariance of the two indices, in squared points: 0 for independent sides.
	Covariance *float64 `json:"covariance"`
	Reason     string   `json:"reason,omitempty"`
}
