package kiosk

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sipas/survey"
)

// testDocuments is a small world: two instruments, three units, desks, and the round
// r1 of unit u1 in November 2026.
func testDocuments() survey.Documents {
	t := func(s string) survey.Text { return survey.Text{"vi": s, "en": s} }
	item := func(id string) survey.Item { return survey.Item{ID: id, Text: t(id)} }
	instrument := func(id string, published bool) survey.Instrument {
		return survey.Instrument{
			ID: id, Version: 1, Published: published, Title: t(id), Languages: []string{"vi", "en"},
			Levels:  []survey.Text{t("1"), t("2"), t("3"), t("4"), t("5")},
			Factors: []survey.Factor{{ID: "F1", Title: t("F1"), Items: []survey.Item{item("c01"), item("c02")}}, {ID: "F2", Title: t("F2"), Items: []survey.Item{item("c03")}}},
			Methods: []survey.Method{{Name: "mean-of-criteria", Version: 1, Combine: "mean_of_items"}},
		}
	}
	return survey.Documents{
		Instruments: []survey.Instrument{instrument("small", true), instrument("other", true), instrument("draft", false)},
		Fields:      []survey.ServiceField{{ID: "land", Name: t("Land")}, {ID: "civil", Name: t("Civil")}},
		Units: []survey.Unit{
			{ID: "u1", Name: t("Unit 1"), Type: "xa", Hotline: "1900", Leader: "An"}, {ID: "u2", Name: t("Unit 2"), Type: "xa"},
			{ID: "u3", Name: t("Unit 3"), Type: "huyen", ValidTo: "2026-11-15"},
		},
		Desks: []survey.Desk{
			{ID: "AAAAA0", Unit: "u1", Name: t("Desk A"), Fields: []string{"land"}},
			{ID: "BBBBB0", Unit: "u1", Name: t("Desk B"), Fields: []string{"land", "civil"}},
			{ID: "CCCCC0", Unit: "u2", Name: t("Desk C")},
			{ID: "DDDDD0", Unit: "u1", Name: t("Desk D"), ValidTo: "2026-11-15"},
			{ID: "EEEEE0", Unit: "u1", Name: t("Desk E"), ValidFrom: "2026-11-17"},
			{ID: "FFFFF0", Unit: "u1", Name: t("Desk F"), ValidFrom: "2026-11-16", ValidTo: "2026-11-16"},
			{ID: "GGGGG0", Unit: "u3", Name: t("Desk G")},
		},
		Rounds: []survey.Round{testRound(func(*survey.Round) {})},
	}
}

// testRound is the round r1 with a change.
func testRound(change func(*survey.Round)) survey.Round {
	r := survey.Round{
		ID: "r1", Title: survey.Text{"vi": "Đợt 1", "en": "Round 1"}, Instrument: "small", Version: 1, Design: survey.DesignVisitors, Form: "full",
		Status: survey.StatusOpen, First: "2026-11-01", Last: "2026-11-30", Target: 80, Units: []string{"u1", "u3"},
	}
	change(&r)
	return r
}

func testCatalogue(t testing.TB, d survey.Documents) *survey.Catalogue {
	t.Helper()
	c, err := survey.NewCatalogue(d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// standingAt is a tablet at a desk.
func standingAt(t *testing.T, desk string) *Device {
	t.Helper()
	d := testDevice(t)
	d.Move(desk, noon)
	return &d
}

// TestBundleRounds: noon is on 2026-11-16, and 60 days later it is 2027-01-15.
func TestBundleRounds(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*survey.Round)
		want   bool
		share  float64 // 0: one half
	}{
		"running":             {change: func(*survey.Round) {}, want: true},
		"with a share":        {func(r *survey.Round) { r.MinAnswered = 0.8 }, true, 0.8},
		"of all units":        {func(r *survey.Round) { r.Units = nil }, true, 0},
		"of another unit":     {func(r *survey.Round) { r.Units = []string{"u2"} }, false, 0},
		"ends today":          {func(r *survey.Round) { r.Last = "2026-11-16" }, true, 0},
		"ended yesterday":     {func(r *survey.Round) { r.Last = "2026-11-15" }, false, 0},
		"begins in 60 days":   {func(r *survey.Round) { r.First, r.Last = "2027-01-15", "2027-02-28" }, true, 0},
		"begins in 61 days":   {func(r *survey.Round) { r.First, r.Last = "2027-01-16", "2027-02-28" }, false, 0},
		"one day in between":  {func(r *survey.Round) { r.First, r.Last = "2026-12-24", "2026-12-24" }, true, 0},
		"draft":               {func(r *survey.Round) { r.Status = survey.StatusDraft }, false, 0},
		"closed":              {func(r *survey.Round) { r.Status = survey.StatusClosed }, false, 0},
		"drawn":               {func(r *survey.Round) { r.Design = survey.DesignDrawn }, false, 0},
		"at homes":            {func(r *survey.Round) { r.Design = survey.DesignHousehold }, false, 0},
		"by the open door":    {func(r *survey.Round) { r.Doors = "open" }, true, 0},
		"by slip only":        {func(r *survey.Round) { r.Doors = survey.DoorsSlip }, false, 0},
		"by both doors":       {func(r *survey.Round) { r.Doors = survey.DoorsBoth }, true, 0},
		"of tablets":          {func(r *survey.Round) { r.PrimaryChannel = survey.ChannelKiosk }, true, 0},
		"of QR codes":         {func(r *survey.Round) { r.PrimaryChannel = survey.ChannelQR }, false, 0},
		"of paper":            {func(r *survey.Round) { r.PrimaryChannel = survey.ChannelPaper }, false, 0},
		"of tablets, by slip": {func(r *survey.Round) { r.PrimaryChannel, r.Doors = survey.ChannelKiosk, survey.DoorsSlip }, false, 0},
		"of another question": {func(r *survey.Round) { r.Instrument = "other" }, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			docs := testDocuments()
			docs.Rounds = []survey.Round{testRound(test.change)}
			c := testCatalogue(t, docs)
			b := NewBundle(c, standingAt(t, "AAAAA0"), noon)
			if !test.want {
				if len(b.Rounds) != 0 || b.Rounds == nil || len(b.Instruments) != 0 {
					t.Errorf("rounds %v, instruments %v", b.Rounds, b.Instruments)
				}
				return
			}
			if test.share == 0 {
				test.share = 0.5
			}
			r := docs.Rounds[0]
			key := r.Instrument + "@1"
			want := []BundleRound{{r.ID, r.Title, r.First, r.Last, r.Form, key, test.share}}
			if !reflect.DeepEqual(b.Rounds, want) || len(b.Instruments) != 1 || b.Instruments[key] != c.Instruments[key] {
				t.Errorf("rounds %v, instruments %v, want %v", b.Rounds, b.Instruments, want)
			}
		})
	}
}

func TestBundleDesk(t *testing.T) {
	c := testCatalogue(t, testDocuments())
	land, civil := NamedField{"land", survey.Text{"vi": "Land", "en": "Land"}}, NamedField{"civil", survey.Text{"vi": "Civil", "en": "Civil"}}
	for desk, test := range map[string]struct {
		name, unit string
		fields     []NamedField
		rounds     int
	}{
		"AAAAA0": {"Desk A", "Unit 1", []NamedField{land}, 1},
		"BBBBB0": {"Desk B", "Unit 1", []NamedField{land, civil}, 1},
		"CCCCC0": {"Desk C", "Unit 2", []NamedField{}, 0}, // of a unit that takes no part
		"DDDDD0": {"Desk D", "Unit 1", []NamedField{}, 0}, // out of service since today
		"EEEEE0": {"Desk E", "Unit 1", []NamedField{}, 0}, // not yet in service
		"FFFFF0": {"Desk F", "Unit 1", []NamedField{}, 1}, // today only
		"GGGGG0": {"Desk G", "Unit 3", []NamedField{}, 0}, // its unit is no more: Accept takes none
		"ZZZZZ0": {"", "", []NamedField{}, 0},             // unknown
	} {
		t.Run(desk, func(t *testing.T) {
			d := standingAt(t, desk)
			d.Comments = desk == "BBBBB0"
			b := NewBundle(c, d, noon)
			if b.Desk.ID != desk || b.Desk.Name["en"] != test.name || b.Desk.Unit["en"] != test.unit || !reflect.DeepEqual(b.Desk.Fields, test.fields) || len(b.Rounds) != test.rounds {
				t.Errorf("desk %+v, %d rounds", b.Desk, len(b.Rounds))
			}
			if u1 := test.unit == "Unit 1"; u1 != (b.Desk.Hotline == "1900") || u1 != (b.Desk.Leader == "An") {
				t.Errorf("hotline %s, leader %s", b.Desk.Hotline, b.Desk.Leader)
			}
			if want := (BundleDevice{d.ID, "Hall", d.Comments}); b.Device != want || b.Format != 1 || b.Day != "2026-11-16" {
				t.Errorf("device %+v, format %d, day %s", b.Device, b.Format, b.Day)
			}
			if !slices.Equal(b.Filings, survey.Filings) || !slices.Equal(b.Helps, survey.Helps) {
				t.Errorf("filings %v, helps %v", b.Filings, b.Helps)
			}
			text, err := json.Marshal(b)
			if err != nil || strings.Contains(strings.NewReplacer(`"seal":null`, "", `"name":null,"unit":null`, "").Replace(string(text)), "null") {
				t.Errorf("%s: %v: a program would have to look for null", text, err)
			}
		})
	}
}

// The name of a bundle is its hash: it may change at midnight in Vietnam, and with
// nothing else but the documents.
func TestBundleSameAllDay(t *testing.T) {
	docs := testDocuments()
	for i := range 9 {
		docs.Rounds = append(docs.Rounds, testRound(func(r *survey.Round) { r.ID = fmt.Sprint("s", 9-i) }))
	}
	d := standingAt(t, "AAAAA0")
	text := func(now time.Time) string {
		b, err := json.Marshal(NewBundle(testCatalogue(t, docs), d, now))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := text(at("2026-11-16 00:00:00"))
	for _, now := range []time.Time{noon, at("2026-11-16 06:59:59").UTC(), at("2026-11-16 23:59:59")} {
		if got := text(now); got != first {
			t.Errorf("at %v: %s, want %s", now, got, first)
		}
	}
	for _, now := range []time.Time{at("2026-11-15 23:59:59"), at("2026-11-17 00:00:00")} {
		if text(now) == first {
			t.Errorf("at %v it is that of 2026-11-16", now)
		}
	}
	rounds := NewBundle(testCatalogue(t, docs), d, noon).Rounds
	if !slices.IsSortedFunc(rounds, func(a, b BundleRound) int { return strings.Compare(a.ID, b.ID) }) || len(rounds) != 10 {
		t.Errorf("rounds %v", rounds)
	}
}

func TestSoundKeys(t *testing.T) {
	docs := testDocuments()
	docs.Rounds = append(docs.Rounds, testRound(func(r *survey.Round) { r.ID, r.Instrument = "r2", "other" }), testRound(func(r *survey.Round) { r.ID = "r3" }))
	c := testCatalogue(t, docs)
	b := NewBundle(c, standingAt(t, "AAAAA0"), noon)
	want := strings.Fields("other@1.c01.vi other@1.c01.en other@1.c02.vi other@1.c02.en other@1.c03.vi other@1.c03.en small@1.c01.vi small@1.c01.en small@1.c02.vi small@1.c02.en small@1.c03.vi small@1.c03.en")
	var got []string
	take := func(in *survey.Instrument, item, language, key string) {
		if want := in.Key() + "." + item + "." + language; key != want || c.Instruments[in.Key()] != in {
			t.Errorf("key %s, want %s", key, want)
		}
		got = append(got, key)
	}
	for range 20 { // always in the same order
		got = nil
		if b.SoundKeys(take); !slices.Equal(got, want) {
			t.Fatalf("got %v of %v", got, slices.Sorted(maps.Keys(b.Instruments)))
		}
	}
}

// TestBundleLast: a tablet that stays without network stops when its desk or unit does.
func TestBundleLast(t *testing.T) {
	for name, test := range map[string]struct {
		desk, unit, want survey.Date
	}{
		"neither ends":    {"", "", "2026-11-30"},
		"the desk ends":   {"2026-11-20", "", "2026-11-20"},
		"the unit ends":   {"", "2026-11-18", "2026-11-18"},
		"the unit first":  {"2026-11-20", "2026-11-18", "2026-11-18"},
		"after the round": {"2026-12-20", "2026-12-31", "2026-11-30"},
	} {
		d := testDocuments()
		d.Desks[0].ValidTo, d.Units[0].ValidTo = test.desk, test.unit
		b := NewBundle(testCatalogue(t, d), standingAt(t, "AAAAA0"), noon)
		if len(b.Rounds) != 1 || b.Rounds[0].Last != test.want {
			t.Errorf("%s: rounds %+v, want the last day %s", name, b.Rounds, test.want)
		}
	}
}
