package survey

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestNewCatalogueRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Documents)
		field  string
		code   Code
	}{
		"desk of no unit":           {func(d *Documents) { d.Desks[0].Unit = "none" }, "desks/AAAAA0.unit", CodeReference},
		"desk of no field":          {func(d *Documents) { d.Desks[0].Fields = []string{"none"} }, "desks/AAAAA0.fields", CodeReference},
		"two desks of one code":     {func(d *Documents) { d.Desks[1].ID = "AAAAA0" }, "desks[1].id", CodeDuplicate},
		"desk code in small":        {func(d *Documents) { d.Desks[0].ID = "aaaaa0" }, "desks[0].id", CodeInvalid},
		"round without questions":   {func(d *Documents) { d.Rounds[0].Version = 2 }, "rounds/r1.instrument", CodeReference},
		"open round of a draft":     {func(d *Documents) { d.Instruments[0].Published = false }, "rounds/r1.instrument", CodeVersion},
		"round that ends first":     {func(d *Documents) { d.Rounds[0].Last = "2026-10-01" }, "rounds/r1.last", CodeInvalid},
		"target above 100":          {func(d *Documents) { d.Rounds[0].Target = 180 }, "rounds[0].target", CodeInvalid},
		"no such design":            {func(d *Documents) { d.Rounds[0].Design = "guess" }, "rounds[0].design", CodeInvalid},
		"no such weights":           {func(d *Documents) { d.Rounds[0].Weights = "guess" }, "rounds[0].weights", CodeInvalid},
		"raked draw":                {func(d *Documents) { d.Rounds[1].Weights = WeightsRaked }, "rounds/drawn.weights", CodeInvalid},
		"item twice":                {func(d *Documents) { d.Instruments[0].Factors[1].Items[0].ID = "c01" }, "instruments[0].factors[1].items[0].id", CodeDuplicate},
		"text without English":      {func(d *Documents) { d.Instruments[0].Title = Text{"vi": "a"} }, "instruments[0].title", CodeInvalid},
		"weights off 1":             {func(d *Documents) { d.Instruments[0].Methods[0].FactorWeights = []float64{0.5, 0.6} }, "instruments[0].methods[0].factor_weights", CodeInvalid},
		"profile named as filter":   {func(d *Documents) { d.Instruments[0].Profile[0].ID = "unit" }, "instruments[0].profile[0].id", CodeDuplicate},
		"population of no round":    {func(d *Documents) { d.Populations = []Population{{Round: "x", Unit: "u1"}} }, "populations/x/u1.round", CodeReference},
		"four levels":               {func(d *Documents) { d.Instruments[0].Levels = d.Instruments[0].Levels[:4] }, "instruments[0].levels", CodeInvalid},
		"round of many years":       {func(d *Documents) { d.Rounds[0].Last = "2036-01-01" }, "rounds/r1.last", CodeInvalid},
		"round beyond the calendar": {func(d *Documents) { d.Rounds[0].Last = "9999-12-31" }, "rounds/r1.first", CodeInvalid},
		"impossible population": {func(d *Documents) {
			d.Populations = []Population{{Round: "r1", Unit: "u1", Cells: []PopulationCell{{Returned: 1 << 40}}}}
		}, "populations[0].cells[0].returned", CodeInvalid},
		"cells of two finenesses": {func(d *Documents) {
			d.Populations = []Population{{Round: "r1", Unit: "u1", Cells: []PopulationCell{{Field: "land", Returned: 1}, {Field: "land", Filing: "online", Returned: 2}}}}
		}, "populations/r1/u1.cells[1]", CodeInvalid},
		"two counts of one stratum": {func(d *Documents) {
			d.Populations = []Population{{Round: "drawn", Unit: "u1", Stages: []Stage{{"s", 9, "a", 0}, {"s", 8, "b", 0}}}}
		}, "populations/drawn/u1.stages[1].stratum_psus", CodeDrawInvalid},
		"one draw in two units": {func(d *Documents) {
			d.Populations = []Population{{Round: "drawn", Unit: "u1", Stages: []Stage{{"s", 9, "a", 0}}}, {Round: "drawn", Unit: "u2", Stages: []Stage{{"s", 9, "a", 0}}}}
		}, "populations/drawn/u2.stages[0].psu", CodeDuplicate},
		"more drawn than there are": {func(d *Documents) {
			d.Populations = []Population{{Round: "drawn", Unit: "u1", Stages: []Stage{{"s", 1, "a", 0}, {"s", 1, "b", 0}}}}
		}, "populations/drawn/u1.stages[1].stratum_psus", CodeDrawInvalid},
		"agency without a name": {func(d *Documents) { d.Agency = &Agency{Phone: "1"} }, "agency.name", CodeInvalid},
		"agency of a long name": {func(d *Documents) { d.Agency = &Agency{Name: Text{"vi": strings.Repeat("ở", 81), "en": "a"}} }, "agency.name", CodeTooLong},
		"reply that is no page": {func(d *Documents) {
			d.Agency = testAgency(Reply{Name: Text{"vi": "a", "en": "a"}, URL: "javascript:a"})
		}, "agency.replies[0].url", CodeInvalid},
		"reply without a name":     {func(d *Documents) { d.Agency = testAgency(Reply{URL: "https://a.vn"}) }, "agency.replies[0].name", CodeInvalid},
		"agency without an e-mail": {func(d *Documents) { d.Agency = testAgency(); d.Agency.Email = "a" }, "agency.email", CodeInvalid},
		"one cell twice": {func(d *Documents) {
			d.Populations = []Population{{Round: "r1", Unit: "u1", Cells: []PopulationCell{{Field: "land", Returned: 1}, {Field: "land", Returned: 2}}}}
		}, "populations/r1/u1.cells[1]", CodeDuplicate},
	} {
		t.Run(name, func(t *testing.T) {
			d := testDocuments()
			test.change(&d)
			_, err := NewCatalogue(d)
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("err = %v", err)
			}
			if !slices.ContainsFunc(wrong.Fields, func(f FieldError) bool { return f.Field == test.field && f.Code == test.code }) {
				t.Errorf("got %v, want %s: %s", err, test.field, test.code)
			}
		})
	}
}

func TestRoundAt(t *testing.T) {
	d := testDocuments()
	later := d.Rounds[0]
	later.ID, later.First = "r2", "2026-11-10"
	d.Rounds = append(d.Rounds, later)
	c, err := NewCatalogue(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		unit string
		day  Date
		id   string
		code Code
	}{
		{"u1", "2026-11-09", "r1", ""},
		{"u1", "2026-11-10", "r2", ""}, // the one that began last
		{"u1", "2026-11-30", "r2", ""},
		{"u1", "2026-12-01", "", CodeRoundClosed},
		{"u1", "2026-10-31", "", CodeRoundNotOpen},
		{"u2", "2026-11-15", "", CodeRoundUnknown},
	} {
		r, code := c.RoundAt(ChannelQR, test.unit, test.day)
		id := ""
		if r != nil {
			id = r.ID
		}
		if id != test.id || code != test.code {
			t.Errorf("RoundAt(%s, %s) = %q, %q; want %q, %q", test.unit, test.day, id, code, test.id, test.code)
		}
	}
}

func TestAnswerJSON(t *testing.T) {
	var got map[string]Answer
	if err := json.Unmarshal([]byte(`{"a":1,"b":"na","c":"5","d":6,"e":null,"f":{"x":1},"g":"blank","h":"broken_off","i":"not_asked","j":1.5,"k":"1 "}`), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]Answer{"a": '1', "b": NotApplicable, "c": '5', "d": badAnswer, "e": badAnswer, "f": badAnswer, "g": Blank, "h": BrokenOff, "i": NotAsked, "j": badAnswer, "k": badAnswer}
	for k, a := range want {
		if got[k] != a {
			t.Errorf("%s = %q, want %q", k, got[k], a)
		}
	}
	out, err := json.Marshal([]Answer{'3', NotApplicable, Blank, BrokenOff, NotAsked})
	if err != nil || string(out) != `[3,"na","blank","broken_off","not_asked"]` {
		t.Errorf("marshalled %s, %v", out, err)
	}
}

func TestMessagesAreComplete(t *testing.T) {
	for code, text := range messages {
		if text[Vietnamese] == "" || text[English] == "" {
			t.Errorf("code %s lacks a language: %v", code, text)
		}
	}
}

func FuzzMaskComment(f *testing.F) {
	for _, s := range []string{"gọi 0912.345.678", "a@b.vn", "CCCD 051 0990 12345", "15/11/2026 lúc 9 giờ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if again := MaskComment(MaskComment(s)); again != MaskComment(s) {
			t.Fatalf("masking twice differs: %q", s)
		}
	})
}

func TestMaskComment(t *testing.T) {
	for in, want := range map[string]string{
		"Số 0912345678":               "Số […]",
		"+84 912-345-678 nhé":         "[…] nhé",
		"CCCD 051099012345":           "CCCD […]",
		"thư: nguyen.van@tinh.gov.vn": "thư: […]",
		"chờ 30 phút, phí 50.000 đ":   "chờ 30 phút, phí 50.000 đ",
		"ngày 15/11/2026":             "ngày 15/11/2026",
		"a\x00b\nc":                   "ab\nc",
	} {
		if got := MaskComment(in); got != want {
			t.Errorf("MaskComment(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestExportGuardsSpreadsheets(t *testing.T) {
	for written, cell := range map[string]string{
		"=HYPERLINK(\"http://x\")": "'=HYPERLINK(\"http://x\")",
		"+1":                       "'+1", "-1": "'-1", "@a": "'@a", "'quoted": "''quoted",
		"Cảm ơn": "Cảm ơn", "": "",
	} {
		if got := guard(written); got != cell || unguard(got) != written {
			t.Errorf("guard(%q) = %q, back %q", written, got, unguard(got))
		}
	}
}
