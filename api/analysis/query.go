package analysis

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sipas/survey"
)

// Query says which report is wanted. The zero value of a field means: not
// narrowed.
type Query struct {
	Round string
	// By groups the report: one of [Groupings], or a profile question of the
	// instrument.
	By string
	// Method names the headline method; "" is the instrument's own.
	Method string
	// Channel chooses the mode the report is about; "" is the round's primary
	// channel, "all" pools every channel.
	Channel string
	// WithoutFlagged leaves answers with a quality flag out.
	WithoutFlagged bool
	// From and To are the first and last day of answers, in Vietnam.
	From, To survey.Date
	// Filters narrow the report to one value each: unit, desk, field, filing,
	// door, helped, group (the type of unit), or a profile question.
	Filters map[string]string
}

// Groupings are the values of Query.By that every round has.
var Groupings = []string{"unit", "desk", "field", "filing", "channel", "door", "helped", "group", "month", "day"}

// placeFilters are the filters that every round has.
var placeFilters = []string{"unit", "desk", "field", "filing", "door", "helped", "group"}

// ParseQuery reads the parameters of a report address or command. The error is
// a [*survey.Error] that names every wrong parameter; a filter whose value
// occurs nowhere is no error but an empty report, except for units and desks,
// which are known.
func ParseQuery(c *survey.Catalogue, round string, params map[string]string) (Query, error) {
	q := Query{Round: round, Filters: map[string]string{}}
	var wrong []survey.FieldError
	bad := func(field string, code survey.Code, detail string) {
		wrong = append(wrong, survey.FieldError{Field: field, Code: code, Detail: detail})
	}
	r := c.Rounds[round]
	if r == nil {
		return q, &survey.Error{Fields: []survey.FieldError{{Field: "round", Code: survey.CodeRoundUnknown}}}
	}
	in := c.Measured(r)
	question := func(id string) bool {
		return slices.ContainsFunc(in.Profile, func(q survey.Question) bool { return q.ID == id })
	}
	date := func(field, s string) survey.Date {
		d, err := survey.ParseDate(s)
		if err != nil {
			bad(field, survey.CodeInvalid, "a date is written 2006-01-02")
		}
		return d
	}
	for name, value := range params {
		if value == "" {
			continue
		}
		switch {
		case name == "by":
			q.By = value
			if !slices.Contains(Groupings, value) && !question(value) {
				bad("by", survey.CodeInvalid, "one of "+strings.Join(Groupings, ", ")+" or a profile question")
			}
		case name == "method":
			q.Method = value
			if !slices.ContainsFunc(in.Methods, func(m survey.Method) bool { return m.Name == value }) {
				bad("method", survey.CodeInvalid, "the instrument has no such method")
			}
		case name == "channel":
			q.Channel = value
			if value != allChannels && !slices.Contains(survey.Channels, survey.Channel(value)) {
				bad("channel", survey.CodeInvalid, "a channel or all")
			}
		case name == "flagged":
			switch value {
			case "with":
			case "without":
				q.WithoutFlagged = true
			default:
				bad("flagged", survey.CodeInvalid, "with or without")
			}
		case name == "from":
			q.From = date(name, value)
		case name == "to":
			q.To = date(name, value)
		case slices.Contains(placeFilters, name), question(name):
			q.Filters[name] = value
			if question(name) && !hasOption(in, name, value) {
				bad(name, survey.CodeOptionUnknown, "")
			}
			if name == "unit" && c.Units[value] == nil || name == "desk" && c.Desks[value] == nil {
				bad(name, survey.CodeReference, "")
			}
		default:
			bad(name, survey.CodeInvalid, "unknown parameter")
		}
	}
	if sensitive := sensitiveAttribute(in, q); sensitive != "" {
		bad(sensitive, survey.CodeInvalid, "sensitive: never together with another attribute")
	}
	if q.From != "" && q.To != "" && q.From > q.To {
		bad("to", survey.CodeInvalid, "before from")
	}
	if wrong != nil {
		slices.SortFunc(wrong, func(a, b survey.FieldError) int { return strings.Compare(a.Field, b.Field) })
		return q, &survey.Error{Fields: wrong}
	}
	return q, nil
}

// allChannels is the Query.Channel that pools every channel on purpose.
const allChannels = "all"

// key is equal for equal questions.
func (q Query) key() string {
	parts := []string{q.Round, q.By, q.Method, q.Channel, string(q.From), string(q.To)}
	if q.WithoutFlagged {
		parts = append(parts, "without flagged")
	}
	for _, name := range slices.Sorted(maps.Keys(q.Filters)) {
		parts = append(parts, name, q.Filters[name])
	}
	return fmt.Sprintf("%q", parts)
}

func hasOption(in *survey.Instrument, question, option string) bool {
	for _, q := range in.Profile {
		if q.ID == question {
			return slices.ContainsFunc(q.Options, func(o survey.Option) bool { return o.ID == option })
		}
	}
	return false
}

// sensitiveAttribute returns the sensitive profile question that a query crosses
// with another attribute, "" when there is none (DOMAIN, section 5: never).
func sensitiveAttribute(in *survey.Instrument, q Query) string {
	used := slices.Collect(maps.Keys(q.Filters))
	if q.By != "" {
		used = append(used, q.By)
	}
	for _, question := range in.Profile {
		if question.Sensitive && len(used) > 1 && slices.Contains(used, question.ID) {
			return question.ID
		}
	}
	return ""
}
