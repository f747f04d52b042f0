package survey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Mapping says how to read answers from a delimited file that another system
// wrote: which column is which, and what its values mean. It is what
// `import --map` loads.
//
// What a line can give is called a target: the names of [ExportColumns]
// without the items, and seconds. Desk and answer time must be said, the latter because an
// id derived from a line holds its hour: with the hour of the import a second
// run would store everything twice. All others are optional.
//
//	id             the row's own identifier in its source, so that a second
//	               import of the file stores nothing twice
//	desk           desk code
//	unit           read by no one when there is a desk; kept for people
//	field filing   service field and filing channel
//	answered       when the answer was given; see Layouts and Zone
//	language helped comment
//	profile.<q>    the option id of profile question q
//	seconds        how long the person took; decides on [FlagSpeeding], is not kept
//	channel        one of [ImportChannels], as a constant; "" means paper
//	stratum psu weight stratum_psus psu_size
//	               the draw, in rounds of design "drawn"; the last two are
//	               counts of the population, see [Stage]
type Mapping struct {
	// Source names where the file comes from. Row ids count within a source,
	// so two sources may both have a row 1.
	Source string `json:"source" validate:"required,code"`
	// Delimiter is the one character between cells, "" for a comma.
	Delimiter string `json:"delimiter,omitempty"`
	// SkipRows is how many rows stand before the header row.
	SkipRows int `json:"skip_rows,omitempty" validate:"gte=0,lte=1000"`
	// SkipAfterHeader is how many rows between header and answers are not
	// answers: some systems write a second header with the question texts.
	SkipAfterHeader int `json:"skip_after_header,omitempty" validate:"gte=0,lte=1000"`
	// Columns: target → header of the column that holds it.
	Columns map[string]string `json:"columns,omitempty" validate:"max=100"`
	// Items: item id → header of its column. An item that is not listed is in
	// the column of its own name; one listed with "" was not on the form (not
	// asked).
	Items map[string]string `json:"items,omitempty" validate:"max=64"`
	// Values: target or item id → cell → value. "items" holds what applies to
	// every item. A cell that is not listed stands for itself, and an empty
	// cell of an item is blank unless it is listed.
	Values map[string]map[string]string `json:"values,omitempty" validate:"max=200"`
	// Constants: target → value, for what the file does not say.
	Constants map[string]string `json:"constants,omitempty" validate:"max=100"`
	// Layouts are the forms in which times are written, tried in order, in the
	// notation of package time (the 2nd of January 2006, 15:04:05). Without any:
	// RFC 3339, "2006-01-02 15:04:05" and "2006-01-02".
	Layouts []string `json:"layouts,omitempty" validate:"max=10,dive,required"`
	// Zone of times that name none: "" for Vietnam, "utc".
	Zone string `json:"zone,omitempty" validate:"omitempty,oneof=utc"`

	// export reads what `export` wrote. With a proofKey each row must prove that it
	// is unaltered, and says also what no other file may: qr and kiosk, door, flags,
	// receive time. A mapping file cannot set them.
	export   bool
	proofKey []byte
}

// Targets of a [Mapping], but profile.<q>.
const (
	TargetID          = "id"
	TargetDesk        = "desk"
	TargetUnit        = "unit"
	TargetField       = "field"
	TargetFiling      = "filing"
	TargetAnswered    = "answered"
	TargetLanguage    = "language"
	TargetHelped      = "helped"
	TargetComment     = "comment"
	TargetSeconds     = "seconds"
	TargetChannel     = "channel"
	TargetModule      = "module"
	TargetStratum     = "stratum"
	TargetPSU         = "psu"
	TargetWeight      = "weight"
	TargetStratumPSUs = "stratum_psus"
	TargetPSUSize     = "psu_size"

	targetProfile = "profile."
	valuesItems   = "items"
)

// Targets of exports alone.
const (
	targetRound          = "round"
	targetInstrument     = "instrument"
	targetVersion        = "version"
	targetReceived       = "received"
	targetDoor           = "door"
	targetFlags          = "flags"
	targetExcludedReason = "excluded_reason"
	targetExcludedBy     = "excluded_by"
	targetExcludedAt     = "excluded_at"
	targetReceipt        = "receipt_sha256"
	targetProof          = "proof"
)

var (
	openTargets = []string{
		TargetID, TargetDesk, TargetUnit, TargetField, TargetFiling, TargetAnswered, TargetLanguage, TargetHelped,
		TargetComment, TargetSeconds, TargetChannel, TargetModule, TargetStratum, TargetPSU, TargetWeight, TargetStratumPSUs, TargetPSUSize,
	}
	drawTargets = []string{TargetStratum, TargetPSU, TargetWeight, TargetStratumPSUs, TargetPSUSize}
)

// defaultLayouts read what most systems write. The first also reads fractions
// of a second.
var defaultLayouts = []string{"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02"}

// ParseMapping reads a mapping file and checks it. Unknown names are errors:
// a misspelt target would otherwise drop a column in silence.
func ParseMapping(raw []byte) (Mapping, error) {
	var m Mapping
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("read a mapping: %w", err)
	}
	return m, m.Check()
}

// Check reports every problem of the mapping by itself, as an [*Error]; see
// [Mapping.Bind] for what only a file can show.
func (m *Mapping) Check() error {
	p := checkTags(m)
	if m.Delimiter != "" {
		switch r, size := utf8.DecodeRuneInString(m.Delimiter); {
		case size != len(m.Delimiter), r == utf8.RuneError, r == '"', r == '\r', r == '\n':
			p.add("delimiter", CodeInvalid, "one character, no quote or line end")
		}
	}
	for _, t := range slices.Sorted(maps.Keys(m.Columns)) {
		switch {
		case !m.known(t):
			p.add("columns."+clip(t), CodeInvalid, "no such target")
		case t == TargetChannel && !m.export:
			p.add("columns.channel", CodeInvalid, "the channel is one for the whole file: a constant")
		case m.Columns[t] == "":
			p.add("columns."+t, CodeRequired)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(m.Constants)) {
		_, column := m.Columns[t]
		switch {
		case !m.known(t):
			p.add("constants."+clip(t), CodeInvalid, "no such target")
		case column:
			p.add("constants."+t, CodeDuplicate, "also a column")
		case t == TargetChannel && !slices.Contains(Channels, Channel(m.Constants[t])):
			p.add("constants.channel", CodeInvalid, "no such channel")
		case t == TargetChannel && !Importable(Channel(m.Constants[t])):
			p.add("constants.channel", CodeChannelReserved)
		case t == TargetAnswered:
			if _, err := m.time(m.Constants[t]); err != nil {
				p.add("constants.answered", CodeInvalid, err)
			}
		}
	}
	for _, t := range [...]string{TargetDesk, TargetAnswered} {
		if m.Columns[t] == "" && m.Constants[t] == "" {
			p.add("columns."+t, CodeRequired)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(m.Values)) {
		// an item's own translations are checked by Bind, which knows the items
		if m.known(t) && m.Columns[t] == "" {
			p.add("values."+t, CodeInvalid, "has no column")
		}
	}
	return p.err()
}

// Comma is the delimiter as a rune, ',' by default.
func (m *Mapping) Comma() rune {
	if m.Delimiter == "" {
		return ','
	}
	r, _ := utf8.DecodeRuneInString(m.Delimiter)
	return r
}

func (m *Mapping) known(target string) bool {
	q, isProfile := strings.CutPrefix(target, targetProfile)
	switch {
	case isProfile:
		return q != ""
	case slices.Contains(openTargets, target):
		return true
	}
	return m.export && (slices.Contains(exportHead, target) || slices.Contains(exportTail, target))
}
