package survey

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"
)

// mappingCatalogue has a visitors round and a drawn round of an instrument
// with two versions; the second has one item more.
func mappingCatalogue(t testing.TB) *Catalogue {
	t.Helper()
	text := func(s string) Text { return Text{"vi": s, "en": s} }
	instrument := func(version int, items ...string) Instrument {
		in := Instrument{
			ID: "i", Version: version, Published: true, Title: text("i"), Languages: []string{"vi", "en"},
			Levels:  []Text{text("1"), text("2"), text("3"), text("4"), text("5")},
			Methods: []Method{{Name: "m", Version: 1, Combine: "mean_of_items"}},
			Profile: []Question{{ID: "age", Text: text("age"), Options: []Option{{ID: "60+", Text: text("60+")}, {ID: "18-24", Text: text("18-24")}}}},
		}
		for _, id := range items {
			in.Factors = append(in.Factors, Factor{ID: "f" + id, Title: text(id), Items: []Item{{ID: id, Text: text(id)}}})
		}
		return in
	}
	round := func(id, design string) Round {
		return Round{
			ID: id, Title: text(id), Instrument: "i", Version: 2, Design: design, Form: "full", Status: StatusClosed,
			First: "2026-01-01", Last: "2026-12-31", Target: 80,
		}
	}
	c, err := NewCatalogue(Documents{
		Instruments: []Instrument{instrument(1, "c1", "c2"), instrument(2, "c1", "c2", "c3")},
		Fields:      []ServiceField{{ID: "land", Name: text("land")}, {ID: "civil", Name: text("civil")}},
		Units:       []Unit{{ID: "u", Name: text("u"), Type: "xa"}},
		Desks:       []Desk{{ID: "U-1", Unit: "u", Name: text("d"), Fields: []string{"land", "civil"}}, {ID: DeskCode("x"), Unit: "u", Name: text("d")}},
		Rounds:      []Round{round("r", DesignVisitors), round("drawn", DesignDrawn)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fields writes the problems of an error as "field code", in order.
func fields(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return ""
	}
	var parts []string
	for _, f := range e.Fields {
		parts = append(parts, f.Field+" "+string(f.Code))
	}
	return strings.Join(parts, ", ")
}

func TestParseMapping(t *testing.T) {
	for name, c := range map[string]struct{ json, want string }{
		"complete":           {`{"source":"s","columns":{"desk":"D"},"constants":{"answered":"2026-05-01","channel":"phone"}}`, ""},
		"nothing":            {`{}`, "columns.answered required, columns.desk required, source required"},
		"unknown target":     {`{"source":"s","columns":{"desk":"D","answered":"A","filed":"F"}}`, "columns.filed invalid"},
		"empty column":       {`{"source":"s","columns":{"desk":"D","answered":"A","comment":""}}`, "columns.comment required"},
		"unknown constant":   {`{"source":"s","columns":{"desk":"D","answered":"A"},"constants":{"x":"F"}}`, "constants.x invalid"},
		"both":               {`{"source":"s","columns":{"desk":"D","answered":"A"},"constants":{"desk":"F"}}`, "constants.desk duplicate"},
		"bad date":           {`{"source":"s","columns":{"desk":"D"},"constants":{"answered":"1 May"}}`, "constants.answered invalid"},
		"bad channel":        {`{"source":"s","columns":{"desk":"D","answered":"A"},"constants":{"channel":"pigeon"}}`, "constants.channel invalid"},
		"channel of people":  {`{"source":"s","columns":{"desk":"D","answered":"A"},"constants":{"channel":"qr"}}`, "constants.channel channel_reserved"},
		"channel of tablets": {`{"source":"s","columns":{"desk":"D","answered":"A"},"constants":{"channel":"kiosk"}}`, "constants.channel channel_reserved"},
		"proof":              {`{"source":"s","columns":{"desk":"D","answered":"A","proof":"P"}}`, "columns.proof invalid"},
		"receipt":            {`{"source":"s","columns":{"desk":"D","answered":"A"},"constants":{"receipt_sha256":"P"}}`, "constants.receipt_sha256 invalid"},
		"channel column":     {`{"source":"s","columns":{"desk":"D","answered":"A","channel":"C"}}`, "columns.channel invalid"},
		"door":               {`{"source":"s","columns":{"desk":"D","answered":"A","door":"C"}}`, "columns.door invalid"},
		"flags":              {`{"source":"s","columns":{"desk":"D","answered":"A"},"constants":{"flags":"straight_line"}}`, "constants.flags invalid"},
		"received":           {`{"source":"s","columns":{"desk":"D","answered":"A","received":"R"}}`, "columns.received invalid"},
		"profile of nothing": {`{"source":"s","columns":{"desk":"D","answered":"A","profile.":"C"}}`, "columns.profile. invalid"},
		"values for none":    {`{"source":"s","columns":{"desk":"D","answered":"A"},"values":{"filing":{"a":"b"}}}`, "values.filing invalid"},
		"long delimiter":     {`{"source":"s","delimiter":";;","columns":{"desk":"D","answered":"A"}}`, "delimiter invalid"},
		"quote delimiter":    {`{"source":"s","delimiter":"\"","columns":{"desk":"D","answered":"A"}}`, "delimiter invalid"},
		"zone":               {`{"source":"s","zone":"local","columns":{"desk":"D","answered":"A"}}`, "zone invalid"},
		"skip":               {`{"source":"s","skip_rows":-1,"columns":{"desk":"D","answered":"A"}}`, "skip_rows invalid"},
	} {
		if _, err := ParseMapping([]byte(c.json)); fields(err) != c.want || (err == nil) != (c.want == "") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for _, bad := range []string{`{"source":"s","restore":true}`, `{"source":"s","export":true}`, `{"source":"s","proofKey":"eA=="}`, `{"colums":{}}`, `[`} {
		if _, err := ParseMapping([]byte(bad)); err == nil || fields(err) != "" {
			t.Errorf("%s: %v, want an error of reading", bad, err)
		}
	}
}

func TestComma(t *testing.T) {
	for delimiter, want := range map[string]rune{"": ',', ";": ';', "\t": '\t', "¦": '¦'} {
		if got := (&Mapping{Delimiter: delimiter}).Comma(); got != want {
			t.Errorf("delimiter %q gives %q", delimiter, got)
		}
	}
}

func TestBind(t *testing.T) {
	c := mappingCatalogue(t)
	base := func(change func(*Mapping)) Mapping {
		m := Mapping{Source: "s", Columns: map[string]string{"desk": "D", "answered": "A"}}
		change(&m)
		return m
	}
	for name, tc := range map[string]struct {
		header string
		m      Mapping
		want   string
	}{
		"all there":           {"D,A,c1,c2,c3,other", base(func(*Mapping) {}), ""},
		"mark and spaces":     {"\ufeffD, A ,c1,c2,c3", base(func(*Mapping) {}), ""},
		"missing columns":     {"D,c1,c3", base(func(*Mapping) {}), "columns.answered required, items.c2 required"},
		"twice":               {"D,A,A,c1,c2,c3,c3", base(func(*Mapping) {}), "columns.answered duplicate, items.c3 duplicate"},
		"unused twice":        {"D,A,c1,c2,c3,x,x", base(func(*Mapping) {}), ""},
		"not on the form":     {"D,A,c1,c2", base(func(m *Mapping) { m.Items = map[string]string{"c3": ""} }), ""},
		"renamed":             {"D,A,G[1],c2,c3", base(func(m *Mapping) { m.Items = map[string]string{"c1": "G[1]"} }), ""},
		"unknown item":        {"D,A,c1,c2,c3", base(func(m *Mapping) { m.Items = map[string]string{"c9": "c1"} }), "items.c9 item_unknown"},
		"unknown question":    {"D,A,c1,c2,c3", base(func(m *Mapping) { m.Columns["profile.sex"] = "D" }), "columns.profile.sex profile_unknown"},
		"values of what":      {"D,A,c1,c2,c3", base(func(m *Mapping) { m.Values = map[string]map[string]string{"c4": {"": "na"}} }), "values.c4 item_unknown"},
		"values of one item":  {"D,A,c1,c2,c3", base(func(m *Mapping) { m.Values = map[string]map[string]string{"c1": {"": "na"}} }), ""},
		"values of all items": {"D,A,c1,c2,c3", base(func(m *Mapping) { m.Values = map[string]map[string]string{"items": {"": "na"}} }), ""},
	} {
		if _, err := tc.m.Bind(strings.Split(tc.header, ","), c, c.Rounds["r"]); fields(err) != tc.want || (err == nil) != (tc.want == "") {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	m, other := base(func(*Mapping) {}), *c.Rounds["r"]
	other.Instrument = "none"
	if _, err := m.Bind([]string{"D", "A"}, c, &other); !Has(err, CodeReference) {
		t.Errorf("a round of an unknown instrument: %v", err)
	}
}

// record reads one line and returns it, or its problems under the file's own
// headers.
func record(t *testing.T, m Mapping, round, header, cells string) (Line, string) {
	t.Helper()
	c := mappingCatalogue(t)
	b, err := m.Bind(strings.Split(header, ","), c, c.Rounds[round])
	if err != nil {
		t.Fatal(err)
	}
	l, err := b.Record(strings.Split(cells, ","))
	if err == nil {
		l.Submission.ID = DerivedID(nil, l.Origin.Answered, "x").String()
		_, err = Accept(c, l.Submission, l.Origin, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	var e *Error
	errors.As(err, &e)
	var parts []string
	if e != nil {
		for _, f := range e.Fields {
			parts = append(parts, b.Column(f.Field)+" "+string(f.Code))
		}
	}
	return l, strings.Join(parts, ", ")
}

func TestRecordReadsEveryTarget(t *testing.T) {
	m := Mapping{
		Source: "s",
		Columns: map[string]string{
			"id": "No", "desk": "Counter", "unit": "Office", "field": "What", "filing": "How", "answered": "When", "language": "L", "helped": "H",
			"comment": "Say", "profile.age": "Age", "stratum": "S", "psu": "P", "weight": "W", "stratum_psus": "N", "psu_size": "M", "seconds": "T",
		},
		Items: map[string]string{"c1": "Q1", "c3": ""},
		Values: map[string]map[string]string{
			"items":  {"Rất hài lòng": "5", "": "na", "-": "blank"},
			"c2":     {"": "broken_off"},
			"desk":   {"Window 1": "U-1"},
			"filing": {"in person": "counter"},
		},
		Constants: map[string]string{"channel": "interviewer"},
		Layouts:   []string{"2.1.2006", "1/2/2006 15:04:05"},
	}
	header := "No,Counter,Office,What,How,When,L,H,Say,Age,S,P,W,N,M,T,Q1,c2"
	got, problems := record(t, m, "drawn", header, "7,Window 1,ignored,land,in person,11/24/2026 14:03:05,en,alone, as it is ,60+,S1,P1,2.5,11,571,12.5,Rất hài lòng,")
	if problems != "" {
		t.Fatal(problems)
	}
	at := time.Date(2026, 11, 24, 7, 3, 5, 0, time.UTC)
	if !got.Origin.Answered.Equal(at) {
		t.Errorf("answered %v, want %v", got.Origin.Answered, at)
	}
	got.Origin.Answered, got.Submission.ID = time.Time{}, ""
	want := Line{
		RowID: "7",
		Submission: Submission{
			Round: "drawn", Desk: "U-1", Instrument: "i", Version: 2, Field: "land", Filing: "counter", Helped: "alone", Comment: " as it is ",
			Language: "en", Profile: map[string]string{"age": "60+"}, Answers: map[string]Answer{"c1": '5', "c2": BrokenOff, "c3": NotAsked}, Seconds: 12.5,
		},
		Origin: Origin{Channel: ChannelInterviewer, Door: DoorStaff, Draw: &Draw{Stratum: "S1", PSU: "P1", Weight: 2.5}},
		Stage:  &Stage{Stratum: "S1", StratumPSUs: 11, PSU: "P1", Size: 571},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestRecordDefaults(t *testing.T) {
	m := Mapping{Source: "s", Constants: map[string]string{"desk": strings.ToLower(DeskCode("x")), "answered": "2026-06-15", "profile.age": "60+"}}
	got, problems := record(t, m, "r", "c1,c2,c3", " 4 ,,na")
	if problems != "" {
		t.Fatal(problems)
	}
	want := map[string]Answer{"c1": '4', "c2": Blank, "c3": NotApplicable}
	if !maps.Equal(got.Submission.Answers, want) || got.Submission.Desk != DeskCode("x") || got.Origin.Channel != ChannelPaper ||
		got.Submission.Profile["age"] != "60+" || DateOf(got.Origin.Answered) != "2026-06-15" || got.Stage != nil || got.Origin.Draw != nil {
		t.Errorf("%+v", got)
	}
}

func TestRecordZones(t *testing.T) {
	for name, c := range map[string]struct {
		zone, cell string
		want       time.Time
	}{
		"vietnam":  {"", "2026-11-24 14:03:05", time.Date(2026, 11, 24, 7, 3, 5, 0, time.UTC)},
		"utc":      {"utc", "2026-11-24 14:03:05", time.Date(2026, 11, 24, 14, 3, 5, 0, time.UTC)},
		"its own":  {"utc", "2026-11-24T14:03:05+07:00", time.Date(2026, 11, 24, 7, 3, 5, 0, time.UTC)},
		"fraction": {"", "2026-11-24T14:03:05.25Z", time.Date(2026, 11, 24, 14, 3, 5, 25e7, time.UTC)},
		"day":      {"", "2026-11-24", time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC)},
	} {
		m := Mapping{Source: "s", Zone: c.zone, Columns: map[string]string{"desk": "D", "answered": "A"}}
		got, problems := record(t, m, "r", "D,A,c1,c2,c3", "U-1,"+c.cell+",4,4,4")
		if problems != "" || !got.Origin.Answered.Equal(c.want) {
			t.Errorf("%s: %v %s, want %v", name, got.Origin.Answered, problems, c.want)
		}
	}
}

// Problems carry the header of their column, be they found here or at the door.
func TestRecordNamesTheColumn(t *testing.T) {
	m := Mapping{
		Source: "s",
		Columns: map[string]string{
			"desk": "Counter", "answered": "When", "field": "What", "filing": "How", "helped": "H", "profile.age": "Age",
			"stratum": "S", "psu": "P", "weight": "W", "stratum_psus": "N", "psu_size": "M",
		},
		Items: map[string]string{"c1": "Q1"},
	}
	const header = "Counter,When,What,How,H,Age,S,P,W,N,M,Q1,c2,c3"
	for name, c := range map[string]struct{ cells, want string }{
		"good":             {"U-1,2026-05-01,land,counter,alone,60+,S,P,1.5,2,3,5,4,3", ""},
		"counts left out":  {"U-1,2026-05-01,land,counter,alone,60+,S,P,1.5,,,5,4,3", ""},
		"too few cells":    {"U-1,2026-05-01", "line invalid"},
		"level":            {"U-1,2026-05-01,land,counter,alone,60+,S,P,1.5,2,3,6,4,hm", "Q1 level_out_of_range, c3 level_out_of_range"},
		"time":             {"U-1,1 May,land,counter,alone,60+,S,P,1.5,2,3,5,4,3", "When invalid"},
		"no time":          {"U-1,,land,counter,alone,60+,S,P,1.5,2,3,5,4,3", "When invalid"},
		"outside":          {"U-1,2025-05-01,land,counter,alone,60+,S,P,1.5,2,3,5,4,3", "When answered_outside_round"},
		"desk":             {"U-2,2026-05-01,land,counter,alone,60+,S,P,1.5,2,3,5,4,3", "Counter desk_unknown"},
		"no desk":          {",2026-05-01,land,counter,alone,60+,S,P,1.5,2,3,5,4,3", "Counter required"},
		"field and filing": {"U-1,2026-05-01,sea,mail,alone,60+,S,P,1.5,2,3,5,4,3", "What field_unknown, How filing_unknown"},
		"help and age":     {"U-1,2026-05-01,land,counter,dog,old,S,P,1.5,2,3,5,4,3", "H helped_unknown, Age option_unknown"},
		"weight":           {"U-1,2026-05-01,land,counter,alone,60+,S,P,-1,2,3,5,4,3", "W draw_invalid"},
		"infinite weight":  {"U-1,2026-05-01,land,counter,alone,60+,S,P,Inf,2,3,5,4,3", "W draw_invalid"},
		"no weight":        {"U-1,2026-05-01,land,counter,alone,60+,S,P,,2,3,5,4,3", "W draw_invalid"},
		"counts":           {"U-1,2026-05-01,land,counter,alone,60+,S,P,1,2.5,-3,5,4,3", "M draw_invalid, N draw_invalid"},
		"no draw":          {"U-1,2026-05-01,land,counter,alone,60+,,,,,,5,4,3", "S draw_required"},
		"no stratum":       {"U-1,2026-05-01,land,counter,alone,60+,,P,1,2,3,5,4,3", "S draw_required"},
		"nothing answered": {"U-1,2026-05-01,land,counter,alone,60+,S,P,1,2,3,,,", "answers nothing_answered"},
	} {
		if _, got := record(t, m, "drawn", header, c.cells); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if _, got := record(t, m, "r", header, "U-1,2026-05-01,land,counter,alone,60+,S,P,1.5,2,3,5,4,3"); got != "S draw_invalid" {
		t.Errorf("a draw in a round without one: %q", got)
	}
}
