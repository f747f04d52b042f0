package survey

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// restoreTargets are what only an export says.
var restoreTargets = []string{targetRound, targetInstrument, targetVersion, targetReceived, targetDoor, targetFlags}

// The columns of an export before and after the profile questions.
var (
	exportHead = []string{
		TargetID, targetRound, targetInstrument, targetVersion, TargetDesk, TargetUnit, TargetField, TargetFiling,
		TargetAnswered, targetReceived, TargetChannel, targetDoor, targetFlags, TargetModule, TargetLanguage, TargetHelped, TargetComment,
	}
	flagSeparator = ";"
)

// ExportColumns returns the header of an export of answers to an instrument
// version: who, where and when, profile.<q> for every profile question, the
// draw, then one column an item, named by its id.
func ExportColumns(in *Instrument) []string {
	header := slices.Clone(exportHead)
	for _, q := range in.Profile {
		header = append(header, targetProfile+q.ID)
	}
	header = append(header, drawTargets...)
	for _, it := range in.Items() {
		header = append(header, it.ID)
	}
	return header
}

// ExportRecord appends the cells of one response to dst, in the order of
// [ExportColumns] of the version that was answered. stage is the record of
// the response's sampling unit, nil where the round has none. Times are whole
// hours in RFC 3339, answers levels or words. A comment that a spreadsheet would
// take for a formula has an apostrophe in front, which [ExportMapping] takes off.
func ExportRecord(dst []string, in *Instrument, r *Response, stage *Stage) []string {
	dst = append(dst,
		r.ID.String(), r.Round, r.Instrument, strconv.Itoa(r.Version), r.Desk, r.Unit, r.Field, r.Filing,
		r.Answered.UTC().Format(time.RFC3339), r.Received.UTC().Format(time.RFC3339),
		string(r.Channel), string(r.Door), strings.Join(r.Flags.Names(), flagSeparator), r.Module, r.Language, r.Helped, guard(r.Comment))
	for _, q := range in.Profile {
		dst = append(dst, r.Profile[q.ID])
	}
	draw := make([]string, len(drawTargets))
	if d := r.Draw; d != nil {
		draw[0], draw[1], draw[2] = d.Stratum, d.PSU, strconv.FormatFloat(d.Weight, 'g', -1, 64)
	}
	if stage != nil {
		draw[3], draw[4] = strconv.Itoa(stage.StratumPSUs), strconv.Itoa(stage.Size)
	}
	dst = append(dst, draw...)
	for i := range in.Items() {
		dst = append(dst, Answer(r.Answers[i]).Word())
	}
	return dst
}

// ExportMapping returns the mapping that reads an export back exactly, with
// ids, channel, door, flags and receive time. Items and profile questions are
// found by their columns' names.
func ExportMapping() Mapping {
	m := Mapping{Source: "export", Columns: map[string]string{}, restore: true}
	for _, t := range slices.Concat(exportHead, drawTargets) {
		m.Columns[t] = t
	}
	return m
}

// guard puts an apostrophe before a citizen's text that a spreadsheet would run
// as a formula, and before one that begins with an apostrophe, so that unguard
// always finds what was written.
func guard(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r'", s[0]) >= 0 {
		return "'" + s
	}
	return s
}

func unguard(s string) string { return strings.TrimPrefix(s, "'") }
