package survey

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Line is what one record of a file says.
type Line struct {
	// RowID identifies the row in its source, "" when the file has no ids: then
	// the importer counts equal lines. A line of an export has Submission.ID
	// instead.
	RowID string
	// Submission is ready for [Accept] but for its ID, which the importer
	// derives from source and row.
	Submission Submission
	// Origin carries channel, door, answer time and draw; the door is
	// [DoorStaff] unless the line is restored.
	Origin Origin
	// Received is zero unless the line is restored: then it is the now of
	// [Accept].
	Received time.Time
	// Excluded is the exclusion of a restored answer, nil where none holds.
	Excluded *ExportedExclusion
	// Stage is what the line says about the draw of its sampling unit, nil
	// where the file has no such columns.
	Stage *Stage
}

// Binding is a [Mapping] fitted to the header of one file and to one round. It
// is safe for concurrent use.
type Binding struct {
	mapping   *Mapping
	catalogue *Catalogue
	round     *Round
	header    []string
	cells     map[string]int // target → position
	versions  map[int]boundItems
	profile   []boundCell
	// answered is the constant answer time, zero when a column has it
	answered time.Time
}

// boundCell is one target and where it stands.
type boundCell struct {
	target string
	at     int
}

// boundItems are the items of one instrument version; at −1 the item was not
// on the form.
type boundItems struct {
	in    *Instrument
	items []boundCell
}

// Bind finds the mapping's columns in the header row of a file of answers to a
// round. Spaces around a header and the mark that some systems write before
// the first one do not matter. The error is an [*Error] that lists every
// column that is missing or occurs twice.
func (m *Mapping) Bind(header []string, c *Catalogue, round *Round) (*Binding, error) {
	var p problems
	b := &Binding{mapping: m, catalogue: c, round: round, cells: map[string]int{}, versions: map[int]boundItems{}}
	positions := map[string]int{}
	twice := map[string]bool{}
	for i, h := range header {
		h = strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))
		b.header = append(b.header, h)
		if _, seen := positions[h]; seen {
			twice[h] = true
		}
		positions[h] = i
	}
	if _, proven := positions[targetProof]; m.proofKey != nil && !proven {
		p.add("columns."+targetProof, CodeProofMissing)
		return nil, p.err()
	}
	find := func(field, column string) int {
		i, ok := positions[strings.TrimSpace(column)]
		switch {
		case !ok:
			p.add(field, CodeRequired, fmt.Sprintf("the file has no column %q", column))
		case twice[strings.TrimSpace(column)]:
			p.add(field, CodeDuplicate, fmt.Sprintf("the file has more than one column %q", column))
		}
		return i
	}
	for _, t := range slices.Sorted(maps.Keys(m.Columns)) {
		b.cells[t] = find("columns."+t, m.Columns[t])
	}
	for _, t := range exportTail {
		if i, there := positions[t]; there && m.export { // exports of earlier versions lack some
			b.cells[t] = i
		}
	}
	bindVersions(b, c, &p, find, positions)
	if s, ok := m.Constants[TargetAnswered]; ok {
		var err error
		if b.answered, err = m.time(s); err != nil {
			p.add("constants.answered", CodeInvalid, err)
		}
	}
	return b, p.err()
}

// bindVersions finds the item and profile columns of the round's version; of
// the instrument's other versions where the file is an export, which may hold
// answers to any.
func bindVersions(b *Binding, c *Catalogue, p *problems, find func(field, column string) int, positions map[string]int) {
	m, known := b.mapping, map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(c.Instruments)) {
		in := c.Instruments[key]
		current := in.Version == b.round.Version
		if in.ID != b.round.Instrument || !(current || m.export) {
			continue
		}
		bound := boundItems{in: in}
		for _, it := range in.Items() {
			known[it.ID] = true
			column, listed := m.Items[it.ID]
			cell := boundCell{target: it.ID, at: -1}
			switch i, there := positions[cmp.Or(column, it.ID)]; {
			case listed && column == "":
			case m.export && !there && (!current || m.proofKey != nil): // the round may have another version since
			case m.export && there:
				cell.at = i
			default:
				cell.at = find("items."+it.ID, cmp.Or(column, it.ID))
			}
			bound.items = append(bound.items, cell)
		}
		b.versions[in.Version] = bound
		for _, q := range in.Profile {
			known[targetProfile+q.ID] = true
			if i, ok := positions[targetProfile+q.ID]; ok && m.export {
				b.cells[targetProfile+q.ID] = i
			}
		}
	}
	if len(b.versions) == 0 {
		p.add("round.instrument", CodeReference, b.round.Instrument)
		return
	}
	for _, id := range slices.Sorted(maps.Keys(m.Items)) {
		if !known[id] {
			p.add("items."+clip(id), CodeItemUnknown)
		}
	}
	for _, t := range slices.Concat(slices.Sorted(maps.Keys(m.Columns)), slices.Sorted(maps.Keys(m.Constants))) {
		if strings.HasPrefix(t, targetProfile) && !known[t] {
			p.add("columns."+clip(t), CodeProfileUnknown)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(m.Values)) {
		if t != valuesItems && !m.known(t) && !known[t] {
			p.add("values."+clip(t), CodeItemUnknown)
		}
	}
	for _, t := range slices.Sorted(maps.Keys(b.cells)) {
		if strings.HasPrefix(t, targetProfile) {
			b.profile = append(b.profile, boundCell{t, b.cells[t]})
		}
	}
}

// Column returns the header of the column that a field of an [*Error] came
// from, be it from [Binding.Record] or from [Accept]; the field itself where
// it is no column's.
func (b *Binding) Column(field string) string {
	switch field {
	case "draw":
		field = TargetStratum
	case "draw.weight":
		field = TargetWeight
	}
	if item, ok := strings.CutPrefix(field, "answers."); ok {
		for _, bound := range b.versions {
			for _, c := range bound.items {
				if c.target == item && c.at >= 0 {
					return b.header[c.at]
				}
			}
		}
	}
	if i, ok := b.cells[field]; ok {
		return b.header[i]
	}
	return field
}

// Record reads one record. The error is an [*Error] that lists every cell that
// could not be read, under the same field names as [Accept] uses;
// [Binding.Column] turns them into headers.
func (b *Binding) Record(cells []string) (Line, error) {
	var p problems
	if len(cells) != len(b.header) {
		p.add("line", CodeInvalid, fmt.Sprintf("%d cells under %d headers", len(cells), len(b.header)))
		return Line{}, p.err()
	}
	if b.mapping.proofKey != nil {
		if err := b.prove(cells); err != nil {
			return Line{}, err
		}
	}
	get := func(target string) string { return b.value(cells, target) }
	l := Line{
		RowID: get(TargetID),
		Submission: Submission{
			Round: b.round.ID, Instrument: b.round.Instrument, Version: b.round.Version,
			Desk: b.desk(get(TargetDesk)), Field: get(TargetField), Filing: get(TargetFiling),
			Module: get(TargetModule), Helped: get(TargetHelped), Comment: get(TargetComment), Language: get(TargetLanguage),
		},
		Origin: Origin{Channel: cmp.Or(Channel(get(TargetChannel)), ChannelPaper), Door: DoorStaff, Answered: b.answered},
	}
	if i, ok := b.cells[TargetAnswered]; ok {
		t, err := b.mapping.time(b.translate(TargetAnswered, cells[i]))
		if err != nil {
			p.add("answered", CodeInvalid, err)
		}
		l.Origin.Answered = t
	}
	if cell := get(TargetSeconds); cell != "" {
		var err error
		if l.Submission.Seconds, err = strconv.ParseFloat(cell, 64); err != nil {
			p.add(TargetSeconds, CodeInvalid, "not a number")
		}
	}
	if b.mapping.export {
		b.exportLine(&l, get, &p)
	}
	b.readDraw(&l, get, &p)
	bound, ok := b.versions[l.Submission.Version]
	if !ok {
		p.add("version", CodeVersion)
		return Line{}, p.err()
	}
	l.Submission.Answers = make(map[string]Answer, len(bound.items))
	for _, c := range bound.items {
		l.Submission.Answers[c.target] = b.answer(cells, c, &p)
	}
	for _, c := range b.profile {
		if v := get(c.target); v != "" {
			if l.Submission.Profile == nil {
				l.Submission.Profile = map[string]string{}
			}
			l.Submission.Profile[strings.TrimPrefix(c.target, targetProfile)] = v
		}
	}
	for t, v := range b.mapping.Constants {
		if q, ok := strings.CutPrefix(t, targetProfile); ok {
			if l.Submission.Profile == nil {
				l.Submission.Profile = map[string]string{}
			}
			l.Submission.Profile[q] = v
		}
	}
	if err := p.err(); err != nil {
		return Line{}, err
	}
	return l, nil
}

// value returns what a line says about a target: its translated cell, else the
// constant, else "".
func (b *Binding) value(cells []string, target string) string {
	if i, ok := b.cells[target]; ok {
		return b.translate(target, cells[i])
	}
	return b.mapping.Constants[target]
}

func (b *Binding) translate(target, cell string) string {
	if target != TargetComment && b.mapping.proofKey == nil {
		cell = strings.TrimSpace(cell)
	}
	if v, ok := b.mapping.Values[target][cell]; ok {
		return v
	}
	return cell
}

// answer reads one item: its own translation, then the one of all items.
func (b *Binding) answer(cells []string, c boundCell, p *problems) Answer {
	if c.at < 0 {
		return NotAsked
	}
	cell := strings.TrimSpace(cells[c.at])
	word, ok := b.mapping.Values[c.target][cell]
	if !ok {
		word, ok = b.mapping.Values[valuesItems][cell]
	}
	switch {
	case !ok && cell == "":
		return Blank
	case !ok:
		word = cell
	}
	a, err := ParseAnswer(word)
	if err != nil {
		p.add("answers."+c.target, CodeLevelRange, "neither a level nor a known word")
	}
	return a
}

// readDraw reads the columns of the draw. A line without any of them has none;
// one with some must have all that its round needs, which [Accept] sees.
func (b *Binding) readDraw(l *Line, get func(string) string, p *problems) {
	text := [5]string{}
	for i, t := range drawTargets {
		text[i] = get(t)
	}
	if text == [5]string{} {
		return
	}
	draw := Draw{Stratum: text[0], PSU: text[1]}
	if w, err := strconv.ParseFloat(text[2], 64); err == nil && w > 0 && !math.IsInf(w, 0) {
		draw.Weight = w
	} else {
		p.add("draw.weight", CodeDrawInvalid, "not a number above 0")
	}
	l.Origin.Draw = &draw
	if text[3] == "" && text[4] == "" {
		return
	}
	stage := Stage{Stratum: draw.Stratum, PSU: draw.PSU}
	for i, into := range []*int{&stage.StratumPSUs, &stage.Size} {
		s := text[3+i]
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			p.add(drawTargets[3+i], CodeDrawInvalid, "not a count")
		}
		*into = n
	}
	l.Stage = &stage
}

// desk reads a desk code as it stands, else as [NormaliseDeskCode] does. Nothing is
// guessed: a line of a file has a list of what is wrong to be mended by.
func (b *Binding) desk(code string) string {
	if d := b.catalogue.Desks[strings.ToUpper(strings.TrimSpace(code))]; d != nil {
		return d.ID
	}
	return NormaliseDeskCode(code)
}

// time reads a moment in one of the mapping's layouts.
func (m *Mapping) time(s string) (time.Time, error) {
	zone, layouts := VietnamTime(), m.Layouts
	if m.Zone == "utc" {
		zone = time.UTC
	}
	if len(layouts) == 0 {
		layouts = defaultLayouts
	}
	for _, layout := range layouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("the time is not in a layout of the mapping")
}
