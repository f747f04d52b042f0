package survey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The columns of an export before and after the profile questions.
var (
	exportHead = []string{
		TargetID, targetRound, targetInstrument, targetVersion, TargetDesk, TargetUnit, TargetField, TargetFiling,
		TargetAnswered, targetReceived, TargetChannel, targetDoor, targetFlags, TargetModule, TargetLanguage, TargetHelped, TargetComment,
	}
	flagSeparator = ";"
)

// exportTail are the last columns of an export: exclusion and receipt, which are not part
// of what was answered, and the proof of the whole row.
var exportTail = []string{targetExcludedReason, targetExcludedBy, targetExcludedAt, targetReceipt, targetProof}

// ExportedExclusion is what an export says of an answer that staff put aside.
type ExportedExclusion struct {
	Reason, Author string
	At             time.Time
}

// ExportColumns returns the columns of an export that answers to an instrument
// version fill: who, where and when, profile.<q> for every profile question, the
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
	var draw [5]string
	if d := r.Draw; d != nil {
		draw[0], draw[1], draw[2] = d.Stratum, d.PSU, strconv.FormatFloat(d.Weight, 'g', -1, 64)
	}
	if stage != nil {
		draw[3], draw[4] = strconv.Itoa(stage.StratumPSUs), strconv.Itoa(stage.Size)
	}
	dst = append(dst, draw[:]...)
	for i := range in.Items() {
		dst = append(dst, Answer(r.Answers[i]).Word())
	}
	return dst
}

// ExportTable writes the answers of a round as rows under one header: the columns
// of the round's instrument version, those that only other versions have, and at
// the end what staff put aside, the SHA-256 of the withdrawal code, and the proof
// of the row. It is for one goroutine.
type ExportTable struct {
	catalogue *Catalogue
	key       []byte
	columns   []string
	at        map[int][]int // instrument version → positions of its ExportColumns
	stages    map[[2]string]*Stage
	record    []string
	cells     []string
}

// NewExportTable makes the header for a round. key proves the rows, see
// [RestoreMapping].
func NewExportTable(c *Catalogue, round *Round, key []byte) *ExportTable {
	t := &ExportTable{catalogue: c, key: key, at: map[int][]int{}, stages: map[[2]string]*Stage{}}
	known := map[string]int{}
	add := func(version int) {
		in := c.Instruments[InstrumentKey(round.Instrument, version)]
		if in == nil || t.at[version] != nil {
			return
		}
		for _, column := range ExportColumns(in) {
			if _, ok := known[column]; !ok {
				known[column] = len(t.columns)
				t.columns = append(t.columns, column)
			}
			t.at[version] = append(t.at[version], known[column])
		}
	}
	add(round.Version)
	latest := round.Version
	for _, in := range c.Instruments {
		if in.ID == round.Instrument {
			latest = max(latest, in.Version)
		}
	}
	for version := 1; version <= latest; version++ {
		add(version)
	}
	t.columns = append(t.columns, exportTail...)
	for _, p := range c.Populations {
		if p.Round != round.ID {
			continue
		}
		for i := range p.Stages {
			t.stages[[2]string{p.Stages[i].Stratum, p.Stages[i].PSU}] = &p.Stages[i]
		}
	}
	return t
}

// Columns returns the header.
func (t *ExportTable) Columns() []string { return t.columns }

// Row returns the cells of a response of the round, with the exclusion that holds
// of it, nil where none does. They hold until the next call.
func (t *ExportTable) Row(r *Response, excluded *ExportedExclusion) ([]string, error) {
	in, at := t.catalogue.Instruments[InstrumentKey(r.Instrument, r.Version)], t.at[r.Version]
	if in == nil || at == nil || len(r.Answers) != len(in.Items()) {
		return nil, fmt.Errorf("response %s does not fit its instrument %s", r.ID, InstrumentKey(r.Instrument, r.Version))
	}
	var stage *Stage
	if r.Draw != nil {
		stage = t.stages[[2]string{r.Draw.Stratum, r.Draw.PSU}]
	}
	t.record = ExportRecord(t.record[:0], in, r, stage)
	t.cells = append(t.cells[:0], make([]string, len(t.columns))...)
	for i, position := range at {
		t.cells[position] = t.record[i]
	}
	tail := t.cells[len(t.cells)-len(exportTail):]
	if excluded != nil {
		tail[0], tail[1], tail[2] = guard(excluded.Reason), excluded.Author, excluded.At.UTC().Format(time.RFC3339Nano)
	}
	tail[3] = hex.EncodeToString(r.Receipt)
	tail[4] = exportProof(t.key, t.columns, t.cells)
	return t.cells, nil
}

// exportProof is an HMAC-SHA-256 over the names and cells of all columns but its
// own, in their order and each with its length before it: no cell can be changed
// or moved and no column added or taken away without another proof. A line that ends
// in a cell ends with one character: whoever reads CSV makes one of two.
func exportProof(key []byte, columns, cells []string) string {
	said := appendParts(make([]byte, 0, 4096), "1")
	for i, column := range columns {
		if column != targetProof {
			said = appendParts(said, column, strings.ReplaceAll(cells[i], "\r\n", "\n"))
		}
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(said)
	return hex.EncodeToString(mac.Sum(nil))
}

// ExportMapping returns the mapping by which an import reads an export as it
// reads the file of any other system: the answers, their ids, dates, receipts and
// channels as far as an import may claim them. A line that says more (another door, flags
// of which the answers show nothing, an exclusion) is refused with
// [CodeRestoreOnly]. Items and profile questions are found by their columns' names.
func ExportMapping() Mapping {
	m := Mapping{Source: "export", Columns: map[string]string{}, export: true}
	for _, t := range slices.Concat(exportHead, drawTargets) {
		m.Columns[t] = t
	}
	return m
}

// RestoreMapping returns the mapping that reads an export back exactly, with
// channel, door, flags, receive time and exclusion. Every row must carry
// the proof that [ExportTable] made with the same key.
func RestoreMapping(key []byte) Mapping {
	m := ExportMapping()
	m.proofKey = key
	for _, t := range exportTail {
		m.Columns[t] = t
	}
	return m
}

// prove checks the proof of a row.
func (b *Binding) prove(cells []string) error {
	var p problems
	switch proof := cells[b.cells[targetProof]]; {
	case proof == "":
		p.add(targetProof, CodeProofMissing)
	case !hmac.Equal([]byte(proof), []byte(exportProof(b.mapping.proofKey, b.header, cells))):
		p.add(targetProof, CodeProofWrong)
	}
	return p.err()
}

// exportLine reads what only an export says.
func (b *Binding) exportLine(l *Line, get func(string) string, p *problems) {
	l.Submission.ID, l.RowID = l.RowID, ""
	l.Submission.Comment, l.Submission.ReceiptSHA256 = unguard(l.Submission.Comment), get(targetReceipt)
	if r := get(targetRound); r != b.round.ID {
		p.add("round", CodeRoundUnknown, "the line belongs to another round")
	}
	if get(targetInstrument) != b.round.Instrument {
		p.add("instrument", CodeInstrument)
	}
	// what is no number is version 0, which no instrument has
	l.Submission.Version, _ = strconv.Atoi(get(targetVersion))
	if l.Origin.Channel = Channel(get(TargetChannel)); !slices.Contains(Channels, l.Origin.Channel) {
		p.add("channel", CodeInvalid)
	}
	l.Origin.Door = Door(get(targetDoor))
	if !slices.Contains([]Door{DoorOpen, DoorSlip, DoorStaff}, l.Origin.Door) {
		p.add("door", CodeInvalid)
	}
	var flags Flags
	if names := get(targetFlags); names != "" {
		var err error
		if flags, err = ParseFlags(strings.Split(names, flagSeparator)); err != nil {
			p.add("flags", CodeInvalid, err)
		}
	}
	switch {
	case len(p.list) > 0:
	case b.mapping.proofKey == nil:
		b.claimedLine(l, flags, get, p)
	default:
		b.provenLine(l, flags, get, p)
	}
}

// claimedLine refuses what an import may not say.
func (b *Binding) claimedLine(l *Line, flags Flags, get func(string) string, p *problems) {
	if !Importable(l.Origin.Channel) { // its door follows from the channel
		p.add("channel", CodeChannelReserved)
		return
	}
	if l.Origin.Door != DoorStaff {
		p.add("door", CodeRestoreOnly)
	}
	if desk := b.catalogue.Desks[l.Submission.Desk]; desk != nil && get(TargetUnit) != "" && get(TargetUnit) != desk.Unit {
		p.add("unit", CodeRestoreOnly, "the desk belongs to another unit now")
	}
	if flags&^foundInAnswers != 0 {
		p.add("flags", CodeRestoreOnly)
	}
	if get(targetExcludedReason) != "" || get(targetExcludedBy) != "" || get(targetExcludedAt) != "" {
		p.add(targetExcludedReason, CodeRestoreOnly)
	}
}

// provenLine reads what only a row with a proof may say.
func (b *Binding) provenLine(l *Line, flags Flags, get func(string) string, p *problems) {
	l.Origin.Restored, l.Origin.Unit, l.Origin.Flags = true, get(TargetUnit), flags
	var err error
	if l.Received, err = b.mapping.time(get(targetReceived)); err != nil {
		p.add("received", CodeInvalid, err)
	}
	if get(targetExcludedAt) == "" {
		return
	}
	l.Excluded = &ExportedExclusion{Reason: unguard(get(targetExcludedReason)), Author: get(targetExcludedBy)}
	if l.Excluded.At, err = time.Parse(time.RFC3339Nano, get(targetExcludedAt)); err != nil {
		p.add(targetExcludedAt, CodeInvalid, err)
	}
}

// guard puts an apostrophe before a text that a spreadsheet would run as a
// formula, and before one that begins with an apostrophe, so that unguard always
// finds what was written.
func guard(s string) string {
	if s != "" && strings.IndexByte("=+-@\t\r'", s[0]) >= 0 {
		return "'" + s
	}
	return s
}

func unguard(s string) string { return strings.TrimPrefix(s, "'") }
