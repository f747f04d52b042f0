package survey

import (
	"encoding/csv"
	"encoding/hex"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// exported is an answer of a round with everything that an export can say.
func exported(round string, version int, answers Answers, change func(*Response)) Response {
	at := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	r := Response{
		ID: DerivedID(nil, at, round, string(answers)), Round: round, Instrument: "i", Version: version, Desk: "U-1", Unit: "u",
		Answers: answers, Channel: ChannelQR, Door: DoorOpen, Answered: at, Received: at,
	}
	change(&r)
	return r
}

var exportedAnswers = map[string]Response{
	"bare": exported("r", 2, "444", func(*Response) {}),
	"everything": exported("r", 2, "5-n", func(r *Response) {
		r.Field, r.Filing, r.Helped, r.Language = "land", "post", "watched", "en"
		r.Comment, r.Profile = "=1+1, \"hai\"\nba", Profile{"age": "60+"}
		r.Channel, r.Received, r.Flags = ChannelKiosk, r.Answered.Add(72*time.Hour), FlagSpeeding|FlagUnstamped|FlagTrap|FlagClock
		r.Receipt = []byte(strings.Repeat("\xa7", 32))
	}),
	"staff door":  exported("r", 2, "1.x", func(r *Response) { r.Door, r.Channel, r.Received = DoorStaff, ChannelPhone, r.Answered.Add(time.Hour) }),
	"once by qr":  exported("r", 2, "11x", func(r *Response) { r.Door = DoorStaff }), // what an import could claim once
	"slip":        exported("r", 2, "32x", func(r *Response) { r.Door = DoorSlip }),
	"old version": exported("r", 1, "45", func(*Response) {}),
	"other unit":  exported("r", 2, "455", func(r *Response) { r.Unit = "v" }),
	"drawn": exported("drawn", 2, "455", func(r *Response) {
		r.Door, r.Channel = DoorStaff, ChannelPaper
		r.Draw = &Draw{Stratum: " S;1", PSU: "P", Weight: 92.36764705882352}
	}),
}

// exportCatalogue also has a unit to which the desk belonged, and the draw of a
// sampling unit.
func exportCatalogue(t testing.TB) *Catalogue {
	t.Helper()
	c := mappingCatalogue(t)
	c.Units["v"] = &Unit{ID: "v", Name: c.Units["u"].Name, Type: "xa"}
	c.Populations["drawn/u"] = &Population{Round: "drawn", Unit: "u", Stages: []Stage{{Stratum: " S;1", StratumPSUs: 11, PSU: "P", Size: 571}}}
	return c
}

// row exports one answer.
func row(t *testing.T, c *Catalogue, key string, r Response, x *ExportedExclusion) (columns, cells []string) {
	t.Helper()
	table := NewExportTable(c, c.Rounds[r.Round], []byte(key))
	cells, err := table.Row(&r, x)
	if err != nil {
		t.Fatal(err)
	}
	return table.Columns(), slices.Clone(cells)
}

// A reason of two lines, as staff on Windows write it, is proven after a file too: there
// the ends of its lines have one character.
func TestProofOfLineEnds(t *testing.T) {
	c, r := exportCatalogue(t), exportedAnswers["bare"]
	columns, cells := row(t, c, "k", r, &ExportedExclusion{Reason: "thử\r\nmáy", Author: "An", At: r.Answered})
	var file strings.Builder
	if err := csv.NewWriter(&file).WriteAll([][]string{columns, cells}); err != nil {
		t.Fatal(err)
	}
	read, err := csv.NewReader(strings.NewReader(file.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	m := RestoreMapping([]byte("k"))
	b, err := m.Bind(read[0], c, c.Rounds[r.Round])
	if err != nil {
		t.Fatal(err)
	}
	for name, cells := range map[string][]string{"as exported": cells, "from a file": read[1]} {
		l, err := b.Record(cells)
		if err != nil || l.Excluded == nil || strings.ReplaceAll(l.Excluded.Reason, "\r", "") != "thử\nmáy" {
			t.Errorf("%s: %+v %v", name, l.Excluded, err)
		}
	}
}

// What was exported comes back as it was, once its proof is seen.
func TestRestoreMappingReadsBack(t *testing.T) {
	c := exportCatalogue(t)
	m := RestoreMapping([]byte("k"))
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	excluded := &ExportedExclusion{Reason: "=thử", Author: "An", At: time.Date(2026, 4, 1, 2, 3, 4, 5, time.UTC)}
	for name, want := range exportedAnswers {
		for _, x := range []*ExportedExclusion{nil, excluded} {
			columns, cells := row(t, c, "k", want, x)
			if n := len(columns); columns[n-2] != "receipt_sha256" || columns[n-1] != "proof" {
				t.Fatalf("the last columns are %v", columns[n-2:])
			}
			b, err := m.Bind(columns, c, c.Rounds[want.Round])
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			l, err := b.Record(cells)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			got, err := Accept(c, l.Submission, l.Origin, l.Received)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got, want)
			}
			if !reflect.DeepEqual(l.Excluded, x) || (l.Stage != nil) != (want.Draw != nil) || l.RowID != "" {
				t.Errorf("%s: exclusion %+v, stage %+v, row %q", name, l.Excluded, l.Stage, l.RowID)
			}
		}
	}
}

// No cell can be changed or moved, no column added, renamed or taken away.
func TestProof(t *testing.T) {
	c := exportCatalogue(t)
	for name, r := range exportedAnswers {
		columns, cells := row(t, c, "k", r, nil)
		bound := map[string]*Binding{}
		prove := func(key string, columns, cells []string) string {
			name := key + strings.Join(columns, ",")
			if bound[name] == nil {
				m := RestoreMapping([]byte(key))
				b, err := m.Bind(columns, c, c.Rounds[r.Round])
				if err != nil {
					return fields(err)
				}
				bound[name] = b
			}
			_, err := bound[name].Record(cells)
			return fields(err)
		}
		refused := func(what, got string) {
			t.Helper()
			if !strings.HasSuffix(got, "proof_wrong") && !strings.HasSuffix(got, "proof_missing") && !strings.HasPrefix(got, "columns.") {
				t.Errorf("%s, %s: %q", name, what, got)
			}
		}
		if got := prove("k", columns, cells); got != "" {
			t.Fatalf("%s: %s", name, got)
		}
		refused("another installation", prove("other", columns, cells))
		for i, column := range columns {
			changed := slices.Clone(cells)
			for _, to := range []string{"", "1", cells[i] + " ", " " + cells[i], cells[i] + "\x00", strings.ToUpper(cells[i]), "5", "blank"} {
				if changed[i] = to; to != cells[i] {
					refused(column+" = "+to, prove("k", columns, changed))
				}
			}
			for j := i + 1; j < len(columns); j++ {
				moved := slices.Clone(cells)
				if moved[i], moved[j] = cells[j], cells[i]; cells[i] != cells[j] {
					refused(column+" and "+columns[j]+" exchanged", prove("k", columns, moved))
				}
			}
			refused(column+" renamed", prove("k", slices.Concat(columns[:i], []string{column + "x"}, columns[i+1:]), cells))
			refused("without "+column, prove("k", slices.Delete(slices.Clone(columns), i, i+1), slices.Delete(slices.Clone(cells), i, i+1)))
			refused("a column before "+column, prove("k", slices.Insert(slices.Clone(columns), i, "new"), slices.Insert(slices.Clone(cells), i, "")))
			// what ends one cell begins the next
			if i > 0 && cells[i] != "" {
				shifted := slices.Clone(cells)
				shifted[i-1], shifted[i] = cells[i-1]+cells[i][:1], cells[i][1:]
				refused(column+" shifted", prove("k", columns, shifted))
			}
		}
	}
}

// A plain import reads of an export what an import may claim, and refuses the rest
// with a code that names the remedy.
func TestExportMappingClaims(t *testing.T) {
	c := exportCatalogue(t)
	paper := exported("r", 2, "555", func(r *Response) { r.Channel, r.Door = ChannelPaper, DoorStaff })
	excluded := &ExportedExclusion{Reason: "why", Author: "An", At: paper.Answered}
	with := func(change func(*Response)) Response { r := paper; change(&r); return r }
	for name, test := range map[string]struct {
		r    Response
		x    *ExportedExclusion
		want string
	}{
		"paper":          {paper, nil, ""},
		"interviewer":    {with(func(r *Response) { r.Channel = ChannelInterviewer }), nil, ""},
		"phone":          {with(func(r *Response) { r.Channel = ChannelPhone }), nil, ""},
		"invite":         {with(func(r *Response) { r.Channel = ChannelInvite }), nil, ""},
		"with a receipt": {with(func(r *Response) { r.Receipt = []byte(strings.Repeat("\xa7", 32)) }), nil, ""},
		"found again":    {with(func(r *Response) { r.Flags = FlagStraightLine }), nil, ""},
		"qr":             {with(func(r *Response) { r.Channel, r.Door = ChannelQR, DoorOpen }), nil, "channel channel_reserved"},
		"kiosk":          {with(func(r *Response) { r.Channel, r.Door = ChannelKiosk, DoorOpen }), nil, "channel channel_reserved"},
		"qr of staff":    {with(func(r *Response) { r.Channel = ChannelQR }), nil, "channel channel_reserved"},
		"open door":      {with(func(r *Response) { r.Door = DoorOpen }), nil, "door restore_only"},
		"slip":           {with(func(r *Response) { r.Door = DoorSlip }), nil, "door restore_only"},
		"speeding":       {with(func(r *Response) { r.Flags = FlagSpeeding }), nil, "flags restore_only"},
		"another unit":   {with(func(r *Response) { r.Unit = "v" }), nil, "unit restore_only"},
		"put aside":      {paper, excluded, "excluded_reason restore_only"},
		"long received":  {with(func(r *Response) { r.Received = r.Received.AddDate(0, 6, 0) }), nil, ""},
	} {
		columns, cells := row(t, c, "k", test.r, test.x)
		// an export of before the proof, and one of now
		for _, n := range []int{len(columns), len(columns) - 2} {
			m := ExportMapping()
			b, err := m.Bind(columns[:n], c, c.Rounds["r"])
			if err != nil {
				t.Fatal(err)
			}
			l, err := b.Record(cells[:n])
			if fields(err) != test.want {
				t.Errorf("%s: %v, want %q", name, err, test.want)
			}
			if err == nil && (l.Origin.Restored || l.Origin.Flags != 0 || !l.Received.IsZero() || l.Excluded != nil ||
				l.Origin.Door != DoorStaff || n == len(columns) && l.Submission.ReceiptSHA256 != hex.EncodeToString(test.r.Receipt) || l.Submission.ID != test.r.ID.String()) {
				t.Errorf("%s: %+v", name, l)
			}
		}
	}
	for name, test := range map[string]struct {
		from Origin
		want string
	}{
		"import by qr":    {Origin{Channel: ChannelQR, Door: DoorStaff}, "channel channel_reserved"},
		"import by kiosk": {Origin{Channel: ChannelKiosk, Door: DoorStaff, Answered: paper.Answered}, "channel channel_reserved"},
		"restored":        {Origin{Channel: ChannelQR, Door: DoorStaff, Answered: paper.Answered, Restored: true, Unit: "u"}, ""},
	} {
		s := Submission{ID: paper.ID.String(), Round: "r", Desk: "U-1", Instrument: "i", Version: 2, Answers: map[string]Answer{"c1": '5'}}
		if _, err := Accept(c, s, test.from, paper.Answered); !strings.Contains(fields(err), test.want) || test.want == "" && err != nil {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestExportMappingRefuses(t *testing.T) {
	c := mappingCatalogue(t)
	in := c.Instruments["i@2"]
	at := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	r := Response{
		ID: DerivedID(nil, at), Round: "r", Instrument: "i", Version: 2, Desk: "U-1", Answers: "444",
		Channel: ChannelPaper, Door: DoorStaff, Answered: at, Received: at,
	}
	m, header := ExportMapping(), ExportColumns(in)
	b, err := m.Bind(header, c, c.Rounds["r"])
	if err != nil {
		t.Fatal(err)
	}
	for column, bad := range map[string][2]string{
		"round":      {"drawn", "round round_unknown"},
		"instrument": {"j", "instrument instrument_unknown"},
		"version":    {"9", "version version_unknown"},
		"answered":   {"", "answered invalid"},
		"channel":    {"", "channel invalid"},
		"door":       {"window", "door invalid"},
		"flags":      {"odd", "flags invalid"},
		"derived":    {"burst", "flags invalid"},
		"c2":         {"7", "answers.c2 level_out_of_range"},
	} {
		cells := ExportRecord(nil, in, &r, nil)
		if column == "derived" {
			column = "flags"
		}
		cells[slices.Index(header, column)] = bad[0]
		if _, err := b.Record(cells); fields(err) != bad[1] {
			t.Errorf("%s = %q: %v, want %s", column, bad[0], err, bad[1])
		}
	}
}

// FuzzExport: whatever stands in a row, it proves nothing unless it is the one that was
// written, and without a proof it claims only what an import may.
func FuzzExport(f *testing.F) {
	catalogue := exportCatalogue(f)
	table := NewExportTable(catalogue, catalogue.Rounds["r"], []byte("k"))
	written := map[string]bool{}
	for _, r := range exportedAnswers {
		if r.Round == "r" {
			cells, err := table.Row(&r, nil)
			if err != nil {
				f.Fatal(err)
			}
			row := strings.Join(cells, "\x1f")
			written[row] = true
			f.Add(row)
			f.Add(strings.Replace(row, "qr\x1fopen", "paper\x1fstaff", 1))
		}
	}
	restore, plain := RestoreMapping([]byte("k")), ExportMapping()
	proving, err := restore.Bind(table.Columns(), catalogue, catalogue.Rounds["r"])
	if err != nil {
		f.Fatal(err)
	}
	claiming, err := plain.Bind(table.Columns(), catalogue, catalogue.Rounds["r"])
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, row string) {
		cells := strings.Split(row, "\x1f")
		if _, err := proving.Record(cells); (err == nil) != written[row] {
			t.Errorf("proven: %v", err)
		}
		mayClaim(t, catalogue, claiming, cells)
	})
}

// mayClaim fails when a record is accepted that claims what an import may not.
func mayClaim(t *testing.T, c *Catalogue, b *Binding, cells []string) {
	t.Helper()
	l, err := b.Record(cells)
	if err != nil {
		return
	}
	if l.Submission.ID == "" {
		l.Submission.ID = DerivedID(nil, l.Origin.Answered, l.RowID).String()
	}
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	r, err := Accept(c, l.Submission, l.Origin, now)
	if err == nil && (!Importable(r.Channel) || r.Door != DoorStaff || !r.Received.Equal(now) || l.Excluded != nil ||
		r.Unit != c.Desks[r.Desk].Unit || r.Flags&^(FlagStraightLine|FlagSpeeding) != 0) {
		t.Errorf("accepted: %+v of %q", r, cells)
	}
}

// FuzzMapping: no mapping file leads to more than an import may claim.
func FuzzMapping(f *testing.F) {
	catalogue := exportCatalogue(f)
	f.Add([]byte(`{"source":"s","columns":{"desk":"D","answered":"A"},"constants":{"channel":"phone"}}`), "D,A,c1,c2,c3", "U-1,2026-05-01,5,4,3")
	f.Add([]byte(`{"source":"s","columns":{"desk":"D","answered":"A","channel":"C"},"values":{"channel":{"x":"qr"}}}`), "D,A,C,c1,c2,c3", "U-1,2026-05-01,x,5,4,3")
	f.Add([]byte(`{"source":"s","columns":{"desk":"D","answered":"A"},"constants":{"channel":"kiosk","door":"open","flags":""}}`), "D,A,c1,c2,c3", "U-1,2026-05-01,5,4,3")
	f.Fuzz(func(t *testing.T, mapping []byte, header, row string) {
		m, err := ParseMapping(mapping)
		if err != nil {
			return
		}
		for _, round := range catalogue.Rounds {
			if b, err := m.Bind(strings.Split(header, ","), catalogue, round); err == nil {
				mayClaim(t, catalogue, b, strings.Split(row, ","))
			}
		}
	})
}
