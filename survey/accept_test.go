package survey

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// testDocuments is a small world: one instrument of two factors, one unit, two
// desks, one round in November 2026.
func testDocuments() Documents {
	t := func(s string) Text { return Text{"vi": s, "en": s} }
	item := func(id string) Item { return Item{ID: id, Text: t(id)} }
	return Documents{
		Instruments: []Instrument{{
			ID: "small", Version: 1, Published: true, Title: t("small"), Languages: []string{"vi", "en"},
			Levels:  []Text{t("1"), t("2"), t("3"), t("4"), t("5")},
			Factors: []Factor{{ID: "F1", Title: t("F1"), Items: []Item{item("c01"), item("c02")}}, {ID: "F2", Title: t("F2"), Items: []Item{item("c03"), item("c04")}}},
			Methods: []Method{{Name: "mean-of-criteria", Version: 1, Combine: "mean_of_items"}},
			Profile: []Question{
				{ID: "gender", Text: t("gender"), Options: []Option{{ID: "male", Text: t("m")}, {ID: "female", Text: t("f")}}},
				{ID: "ethnicity", Text: t("ethnicity"), Options: []Option{{ID: "kinh", Text: t("k")}, {ID: "other", Text: t("o")}}, Sensitive: true, Off: true},
			},
		}},
		Fields: []ServiceField{{ID: "land", Name: t("land")}, {ID: "civil", Name: t("civil")}},
		Units:  []Unit{{ID: "u1", Name: t("u1"), Type: "xa"}, {ID: "u2", Name: t("u2"), Type: "xa"}, {ID: "u3", Name: t("u3"), Type: "huyen", ValidTo: "2025-06-30"}},
		Desks: []Desk{
			{ID: "AAAAA0", Unit: "u1", Name: t("d1"), Fields: []string{"land"}},
			{ID: "BBBBB0", Unit: "u1", Name: t("d2"), Fields: []string{"land", "civil"}},
			{ID: "CCCCC0", Unit: "u2", Name: t("d3")},
			{ID: "EEEEE0", Unit: "u3", Name: t("d5")},
			{ID: "DDDDD0", Unit: "u1", Name: t("d4"), ValidTo: "2026-01-01"},
		},
		Rounds: []Round{{
			ID: "r1", Title: t("r1"), Instrument: "small", Version: 1, Design: DesignVisitors, Form: "full", Status: StatusOpen,
			First: "2026-11-01", Last: "2026-11-30", Target: 80, Units: []string{"u1"},
		}, {
			ID: "drawn", Title: t("drawn"), Instrument: "small", Version: 1, Design: DesignDrawn, Form: "full", Status: StatusClosed,
			First: "2026-10-01", Last: "2026-10-31", Target: 80,
		}},
	}
}

func testCatalogue(t *testing.T) *Catalogue {
	t.Helper()
	c, err := NewCatalogue(testDocuments())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// noon is an hour at which the office is open, in the middle of round r1.
var noon = time.Date(2026, 11, 15, 4, 25, 37, 0, time.UTC)

const goodID = "019a8592-ea00-7b3c-8d4e-5f60718293a4"

func goodSubmission(t *testing.T) Submission {
	t.Helper()
	id, err := NewID(noon, bytes.NewReader(bytes.Repeat([]byte{7}, 16)))
	if err != nil {
		t.Fatal(err)
	}
	return Submission{
		ID: id.String(), Round: "r1", Desk: "AAAAA0", Instrument: "small", Version: 1,
		Answers: map[string]Answer{"c01": '5', "c02": '4', "c03": NotApplicable, "c04": '1'},
	}
}

func TestAcceptKeepsWhatWasSaid(t *testing.T) {
	s := goodSubmission(t)
	s.Profile = map[string]string{"gender": "female"}
	s.Helped, s.Filing, s.Language = "relative", "online", "en"
	s.Comment = "  Cảm ơn, gọi 0912 345 678 hoặc a.b@example.com  "
	r, err := Accept(testCatalogue(t), s, Origin{Channel: ChannelQR, Door: DoorOpen}, noon)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.ID.String(); got != s.ID {
		t.Errorf("id = %s, want %s", got, s.ID)
	}
	if r.Answers != "54n1" {
		t.Errorf("answers = %q, want 54n1", r.Answers)
	}
	if r.Unit != "u1" || r.Field != "land" || r.Channel != ChannelQR || r.Door != DoorOpen {
		t.Errorf("place = %s %s %s %s: unit comes from the desk, the only field of a desk is implied", r.Unit, r.Field, r.Channel, r.Door)
	}
	if want := "Cảm ơn, gọi […] hoặc […]"; r.Comment != want {
		t.Errorf("comment = %q, want %q", r.Comment, want)
	}
	if hour := time.Date(2026, 11, 15, 4, 0, 0, 0, time.UTC); !r.Answered.Equal(hour) || !r.Received.Equal(hour) {
		t.Errorf("times = %v %v, want the hour %v", r.Answered, r.Received, hour)
	}
	if r.Profile.String() != "gender=female" || r.Helped != "relative" || r.Filing != "online" || r.Language != "en" {
		t.Errorf("profile and help = %q %q %q %q", r.Profile, r.Helped, r.Filing, r.Language)
	}
}

func TestAcceptRefuses(t *testing.T) {
	open := Origin{Channel: ChannelQR, Door: DoorOpen}
	staff := func(at time.Time) Origin { return Origin{Channel: ChannelPaper, Door: DoorStaff, Answered: at} }
	for name, test := range map[string]struct {
		change func(*Submission)
		from   Origin
		now    time.Time
		want   string // field: code, separated by commas
	}{
		"no id":                {func(s *Submission) { s.ID = "" }, open, noon, "id: required"},
		"id is no UUID":        {func(s *Submission) { s.ID = "hello" }, open, noon, "id: id_invalid"},
		"id of version 4":      {func(s *Submission) { s.ID = "0f8fad5b-d9cb-469f-a165-70867728950e" }, open, noon, "id: id_invalid"},
		"id finer than hour":   {func(s *Submission) { s.ID = goodID }, open, noon, "id: id_hour"},
		"id in braces":         {func(s *Submission) { s.ID = "{" + s.ID[1:] }, open, noon, "id: id_invalid"},
		"unknown round":        {func(s *Submission) { s.Round = "r9" }, open, noon, "round: round_unknown"},
		"round not open yet":   {nil, open, noon.AddDate(0, -1, 0), "round: round_not_open"},
		"round over":           {nil, open, noon.AddDate(0, 1, 0), "round: round_closed"},
		"unknown desk":         {func(s *Submission) { s.Desk = "ZZZZZ0" }, open, noon, "desk: desk_unknown"},
		"desk of another unit": {func(s *Submission) { s.Desk = "CCCCC0" }, open, noon, "desk: round_without_unit"},
		"desk out of service":  {func(s *Submission) { s.Desk = "DDDDD0"; s.Field = "" }, open, noon, "desk: desk_closed"},
		"other instrument":     {func(s *Submission) { s.Instrument = "big" }, open, noon, "instrument: instrument_unknown"},
		"unknown version":      {func(s *Submission) { s.Version = 2 }, open, noon, "version: version_unknown"},
		"unknown item":         {func(s *Submission) { s.Answers["c99"] = '5' }, open, noon, "answers.c99: item_unknown"},
		"level out of range":   {func(s *Submission) { s.Answers["c01"] = badAnswer }, open, noon, "answers.c01: level_out_of_range"},
		"two wrong answers":    {func(s *Submission) { s.Answers["c01"], s.Answers["x"] = badAnswer, '1' }, open, noon, "answers.c01: level_out_of_range, answers.x: item_unknown"},
		"not asked on web":     {func(s *Submission) { s.Answers["c01"] = NotAsked }, open, noon, "answers.c01: not_asked_refused"},
		"nothing answered":     {func(s *Submission) { s.Answers = map[string]Answer{"c01": Blank} }, open, noon, "answers: nothing_answered"},
		"reached unknown":      {func(s *Submission) { s.Reached = "c99" }, open, noon, "reached: item_unknown"},
		"field not of desk":    {func(s *Submission) { s.Field = "civil" }, open, noon, "field: field_unknown"},
		"unknown filing":       {func(s *Submission) { s.Filing = "pigeon" }, open, noon, "filing: filing_unknown"},
		"unknown help":         {func(s *Submission) { s.Helped = "dog" }, open, noon, "helped: helped_unknown"},
		"unknown question":     {func(s *Submission) { s.Profile = map[string]string{"name": "An"} }, open, noon, "profile.name: profile_unknown"},
		"question not asked":   {func(s *Submission) { s.Profile = map[string]string{"ethnicity": "kinh"} }, open, noon, "profile.ethnicity: profile_unknown"},
		"unknown option":       {func(s *Submission) { s.Profile = map[string]string{"gender": "x"} }, open, noon, "profile.gender: option_unknown"},
		"unknown language":     {func(s *Submission) { s.Language = "fr" }, open, noon, "language: language_unknown"},
		"long comment":         {func(s *Submission) { s.Comment = strings.Repeat("ă", 1001) }, open, noon, "comment: too_long"},
		"comment not UTF-8":    {func(s *Submission) { s.Comment = "a\xff" }, open, noon, "comment: utf8_invalid"},
		"import from future":   {nil, staff(noon.Add(time.Hour)), noon, "answered: answered_in_future"},
		"import before round":  {nil, staff(noon.AddDate(0, -2, 0)), noon, "answered: answered_outside_round"},
		"draw without design":  {nil, Origin{Channel: ChannelPaper, Door: DoorStaff, Answered: noon, Draw: &Draw{"s", "p", 1}}, noon, "draw: draw_invalid"},
		"drawn without draw":   {func(s *Submission) { s.Round = "drawn" }, staff(noon.AddDate(0, -1, 0)), noon, "draw: draw_required"},
		"drawn with 1e300":     {func(s *Submission) { s.Round = "drawn" }, Origin{Channel: ChannelPaper, Door: DoorStaff, Answered: noon.AddDate(0, -1, 0), Draw: &Draw{"s", "p", 1e300}}, noon, "draw.weight: draw_invalid"},
		"unit of another day":  {func(s *Submission) { s.Desk = "EEEEE0" }, open, noon, "desk: round_without_unit, desk: desk_closed"},
		"drawn without weight": {func(s *Submission) { s.Round = "drawn" }, Origin{Channel: ChannelPaper, Door: DoorStaff, Answered: noon.AddDate(0, -1, 0), Draw: &Draw{"s", "p", 0}}, noon, "draw.weight: draw_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			s := goodSubmission(t)
			if test.change != nil {
				test.change(&s)
			}
			r, err := Accept(testCatalogue(t), s, test.from, test.now)
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("err = %v, want %s", err, test.want)
			}
			var got []string
			for _, f := range wrong.Fields {
				got = append(got, f.Field+": "+string(f.Code))
				if _, ok := messages[f.Code]; !ok {
					t.Errorf("code %s has no message", f.Code)
				}
			}
			if s := strings.Join(got, ", "); s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
			if r.ID != (ID{}) {
				t.Error("a refused submission gave a response")
			}
		})
	}
}

// A closed round takes answers that are dated inside it, as paper forms typed
// in later are.
func TestAcceptLateImport(t *testing.T) {
	s := goodSubmission(t)
	s.Round = "drawn"
	from := Origin{Channel: ChannelPaper, Door: DoorStaff, Answered: noon.AddDate(0, -1, 0), Draw: &Draw{"s", "p", 2.5}}
	r, err := Accept(testCatalogue(t), s, from, noon)
	if err != nil {
		t.Fatal(err)
	}
	if r.Draw == nil || r.Draw.Weight != 2.5 || DateOf(r.Answered) != "2026-10-15" || DateOf(r.Received) != "2026-11-15" {
		t.Errorf("got draw %v, answered %v, received %v", r.Draw, r.Answered, r.Received)
	}
}

func TestAcceptMissingAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answers map[string]Answer
		reached string
		want    Answers
	}{
		"gap is blank":                        {map[string]Answer{"c01": '5', "c04": '4'}, "", "5--4"},
		"a whole factor at the end broke off": {map[string]Answer{"c01": '5', "c02": '4'}, "", "54xx"},
		"and what is missing before it":       {map[string]Answer{"c01": '5'}, "", "5xxx"},
		"less than a factor is blank":         {map[string]Answer{"c01": '5', "c03": '4'}, "", "5-4-"},
		"reached the end":                     {map[string]Answer{"c01": '5'}, "c04", "5---"},
		"reached the third":                   {map[string]Answer{"c01": '5'}, "c03", "5--x"},
		"reached less than answered":          {map[string]Answer{"c01": '5', "c03": '2'}, "c01", "5-2x"},
		"said to be blank stays blank":        {map[string]Answer{"c01": '5', "c02": Blank, "c03": Blank, "c04": Blank}, "", "5---"},
	} {
		t.Run(name, func(t *testing.T) {
			s := goodSubmission(t)
			s.Answers, s.Reached = test.answers, test.reached
			r, err := Accept(testCatalogue(t), s, Origin{Channel: ChannelQR, Door: DoorOpen}, noon)
			if err != nil {
				t.Fatal(err)
			}
			if r.Answers != test.want {
				t.Errorf("answers = %q, want %q", r.Answers, test.want)
			}
		})
	}
}

func TestQualityFlags(t *testing.T) {
	evening := time.Date(2026, 11, 15, 14, 0, 0, 0, time.UTC) // 21:00 in Vietnam
	for name, test := range map[string]struct {
		r    Response
		want []string
	}{
		"ten equal levels":         {Response{Answers: "5555555555nn", Answered: noon, Door: DoorOpen}, []string{"straight_line"}},
		"nine equal levels":        {Response{Answers: "555555555nnn", Answered: noon, Door: DoorOpen}, nil},
		"one differs":              {Response{Answers: "55555555554", Answered: noon, Door: DoorOpen}, nil},
		"in the evening":           {Response{Answers: "54", Answered: evening, Door: DoorOpen}, []string{"outside_hours"}},
		"paper has no time of day": {Response{Answers: "54", Answered: evening, Door: DoorStaff}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := QualityFlags(&test.r).Names(); !slices.Equal(got, test.want) {
				t.Errorf("flags = %v, want %v", got, test.want)
			}
		})
	}
}

// TestSpeeding: the time that an answer took marks it and leaves no other trace,
// so that a resend with another time is the same answer.
func TestSpeeding(t *testing.T) {
	seal := func(seconds float64, door Door) Response {
		s := goodSubmission(t)
		s.Answers, s.Reached, s.Seconds = map[string]Answer{"c01": '5', "c02": '4', "c03": NotApplicable, "c04": '5'}, "c04", seconds
		channel := map[Door]Channel{DoorOpen: ChannelQR, DoorSlip: ChannelQR, DoorStaff: ChannelPaper}[door]
		r, err := Accept(testCatalogue(t), s, Origin{Channel: channel, Door: door}, noon)
		if err != nil {
			t.Fatal(err)
		}
		Seal(&r, []byte("d"))
		return r
	}
	plain := seal(0, DoorOpen)
	for _, test := range []struct {
		seconds float64
		fast    bool
	}{{0, false}, {0.001, true}, {2.999, true}, {3, false}, {4, false}, {86400, false}} {
		for _, door := range []Door{DoorOpen, DoorStaff} {
			r := seal(test.seconds, door)
			if got := r.Flags == FlagSpeeding; got != test.fast || !got && r.Flags != 0 {
				t.Errorf("3 levels in %v s: flags %v, want speeding %v", test.seconds, r.Flags.Names(), test.fast)
			}
			if r.Flags, r.Channel, r.Door = 0, ChannelQR, DoorOpen; !reflect.DeepEqual(r, plain) {
				t.Errorf("%v s changed more than the flag: %+v", test.seconds, r)
			}
		}
	}
	for _, seconds := range []float64{-1, 86401, math.NaN(), math.Inf(1)} {
		s := goodSubmission(t)
		s.Seconds = seconds
		if _, err := Accept(testCatalogue(t), s, Origin{Channel: ChannelQR, Door: DoorOpen}, noon); fields(err) != "seconds invalid" {
			t.Errorf("%v s: %v", seconds, err)
		}
	}
}

// TestFlagNames: what is stored reads back; what follows from other answers is
// never stored.
func TestFlagNames(t *testing.T) {
	for f := Flags(1); f&(f-1) == 0 && len(f.Names()) == 1; f <<= 1 {
		got, err := ParseFlags(f.Names())
		if derived := f&DerivedFlags != 0; derived != (err != nil) || !derived && got != f {
			t.Errorf("%v: read back as %v, %v", f.Names(), got.Names(), err)
		}
	}
	if names := (^Flags(0)).Names(); len(names) != 8 {
		t.Errorf("flags: %v", names)
	}
}

func TestSeal(t *testing.T) {
	seal := func(change func(*Response)) string {
		r, err := Accept(testCatalogue(t), goodSubmission(t), Origin{Channel: ChannelQR, Door: DoorOpen}, noon)
		if err != nil {
			t.Fatal(err)
		}
		change(&r)
		Seal(&r, []byte("d"))
		return string(r.Digest)
	}
	first := seal(func(*Response) {})
	for name, change := range map[string]func(*Response){
		"receive time": func(r *Response) { r.Received = r.Received.Add(48 * time.Hour) },
		"answer time":  func(r *Response) { r.Answered = r.Answered.Add(-time.Hour) },
		"flags":        func(r *Response) { r.Flags = FlagStraightLine },
		"channel":      func(r *Response) { r.Channel = ChannelKiosk },
	} {
		if seal(change) != first {
			t.Errorf("%s changed the digest: a resend would be a conflict", name)
		}
	}
	for name, change := range map[string]func(*Response){
		"answers":       func(r *Response) { r.Answers = "54n2" },
		"desk":          func(r *Response) { r.Desk = "BBBBB0" },
		"comment":       func(r *Response) { r.Comment = "x" },
		"profile":       func(r *Response) { r.Profile = Profile{"gender": "male"} },
		"draw":          func(r *Response) { r.Draw = &Draw{"s", "p", 1} },
		"receipt":       func(r *Response) { r.Receipt = []byte("another slip's") },
		"shifted parts": func(r *Response) { r.Field, r.Filing = "lan", "d" },
	} {
		if seal(change) == first {
			t.Errorf("%s did not change the digest: other content would be a duplicate", name)
		}
	}
}

func TestCounts(t *testing.T) {
	for _, test := range []struct {
		s           Standing
		withFlagged bool
		want        bool
	}{
		{Standing{Valid: true}, true, true},
		{Standing{Valid: false}, true, false},
		{Standing{Valid: true, Excluded: true}, true, false},
		{Standing{Valid: true, Flags: FlagStraightLine}, true, true},
		{Standing{Valid: true, Flags: FlagStraightLine}, false, false},
	} {
		if got := Counts(test.s, test.withFlagged); got != test.want {
			t.Errorf("Counts(%+v, %v) = %v", test.s, test.withFlagged, got)
		}
	}
	for _, test := range []struct {
		a    Answers
		want bool
	}{{"5544", true}, {"55--", true}, {"5---", false}, {"5n..", true}, {"....", false}, {"", false}} {
		if got := Valid(test.a, 0.5); got != test.want {
			t.Errorf("Valid(%q) = %v", test.a, got)
		}
	}
}

func FuzzAccept(f *testing.F) {
	f.Add([]byte(`{"id":"` + goodID + `","round":"r1","desk":"AAAAA0","instrument":"small","version":1,"answers":{"c01":5,"c02":"na"}}`))
	f.Add([]byte(`{"id":"","round":"drawn","answers":{"c01":9,"":"x"},"profile":{"gender":"male"},"comment":"0912345678"}`))
	c, err := NewCatalogue(testDocuments())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var s Submission
		if json.Unmarshal(body, &s) != nil {
			return
		}
		r, err := Accept(c, s, Origin{Channel: ChannelQR, Door: DoorOpen}, noon)
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || len(wrong.Fields) == 0 {
				t.Fatalf("error without fields: %v", err)
			}
			return
		}
		if len(r.Answers) != 4 || r.Answers.Levels() == 0 || len([]rune(r.Comment)) > 1000 || strings.Trim(string(r.Answers), AnswerCodes) != "" {
			t.Fatalf("accepted %+v", r)
		}
	})
}
