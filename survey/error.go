package survey

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Code names what is wrong with a value. Codes are stable: programs may match
// on them. [Message] turns one into a sentence.
type Code string

// Codes of [Accept] and of the documents' own checks.
const (
	CodeRequired        Code = "required"
	CodeTooLong         Code = "too_long"
	CodeInvalid         Code = "invalid"
	CodeUTF8            Code = "utf8_invalid"
	CodeIDInvalid       Code = "id_invalid"
	CodeIDHour          Code = "id_hour"
	CodeDeskUnknown     Code = "desk_unknown"
	CodeDeskClosed      Code = "desk_closed"
	CodeRoundUnknown    Code = "round_unknown"
	CodeRoundNotOpen    Code = "round_not_open"
	CodeRoundClosed     Code = "round_closed"
	CodeRoundUnit       Code = "round_without_unit"
	CodeInstrument      Code = "instrument_unknown"
	CodeVersion         Code = "version_unknown"
	CodeItemUnknown     Code = "item_unknown"
	CodeLevelRange      Code = "level_out_of_range"
	CodeNotAsked        Code = "not_asked_refused"
	CodeNotInModule     Code = "item_not_in_module"
	CodeModuleUnknown   Code = "module_unknown"
	CodeSlipRequired    Code = "slip_required"
	CodeSlipInvalid     Code = "slip_invalid"
	CodeSlipSpent       Code = "slip_spent"
	CodeNothingAnswered Code = "nothing_answered"
	CodeFieldUnknown    Code = "field_unknown"
	CodeFilingUnknown   Code = "filing_unknown"
	CodeProfileUnknown  Code = "profile_unknown"
	CodeOptionUnknown   Code = "option_unknown"
	CodeHelpedUnknown   Code = "helped_unknown"
	CodeLanguageUnknown Code = "language_unknown"
	CodeFutureAnswer    Code = "answered_in_future"
	CodeOutsideRound    Code = "answered_outside_round"
	CodeDrawRequired    Code = "draw_required"
	CodeDrawInvalid     Code = "draw_invalid"
	CodeDuplicate       Code = "duplicate"
	// What an import may not say, and rows of an export that prove nothing.
	CodeChannelReserved Code = "channel_reserved"
	CodeRestoreOnly     Code = "restore_only"
	CodeProofMissing    Code = "proof_missing"
	CodeProofWrong      Code = "proof_wrong"
	// Why two samples cannot be compared.
	CodeInstrumentDiffers Code = "instrument_differs"
	CodeFormDiffers       Code = "form_differs"
	CodeDesignDiffers     Code = "design_differs"
	CodeMethodDiffers     Code = "method_differs"
	CodeChannelDiffers    Code = "channel_differs"
	CodeWeightingDiffers  Code = "weighting_differs"
	CodeSamplesOverlap    Code = "samples_overlap"
	// More answers than can be looked at one by one.
	CodeTooManyAnswers Code = "too_many_answers"
	CodeReference      Code = "reference_unknown"
	CodeRoundStarted   Code = "round_started"
	CodeRoundsOverlap  Code = "rounds_overlap"
	CodeRoundNotShown  Code = "round_not_shown"
	CodePublished      Code = "published_changed"
)

// FieldError is one thing wrong with one field. Field is the JSON path of the
// value ("answers.c07", "rounds[2].target").
type FieldError struct {
	Field string `json:"field"`
	Code  Code   `json:"code"`
	// Detail is a short technical addition for developers, never an answer.
	Detail string `json:"detail,omitempty"`
}

// Error says why a value was not taken: every wrong field with its code.
type Error struct {
	Fields []FieldError
}

// Error lists the fields and codes.
func (e *Error) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Field + ": " + string(f.Code)
		if f.Detail != "" {
			parts[i] += " (" + f.Detail + ")"
		}
	}
	return strings.Join(parts, "; ")
}

// Has reports whether err is, or wraps, an [*Error] with a field of that code.
func Has(err error, code Code) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, f := range e.Fields {
		if f.Code == code {
			return true
		}
	}
	return false
}

// problems gathers field errors; its zero value is ready to use.
type problems struct{ list []FieldError }

func (p *problems) add(field string, code Code, detail ...any) {
	p.list = append(p.list, FieldError{Field: field, Code: code, Detail: fmt.Sprint(detail...)})
}

// err returns the gathered problems as an error, nil when there are none, by
// field, since some were found in the order of a map.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b FieldError) int { return strings.Compare(a.Field, b.Field) })
	return &Error{Fields: p.list}
}
