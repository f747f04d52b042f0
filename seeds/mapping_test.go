package seeds

import (
	"encoding/csv"
	"io"
	"math"
	"os"
	"testing"
	"time"

	"sipas/survey"
)

// load reads a file through a mapping and the door, as the import does.
func load(t *testing.T, d survey.Documents, round string, m survey.Mapping, path string) ([]survey.Response, []survey.Line) {
	t.Helper()
	c, err := survey.NewCatalogue(d)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = m.Comma()
	header, err := r.Read()
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.Bind(header, c, c.Rounds[round])
	if err != nil {
		t.Fatal(err)
	}
	var responses []survey.Response
	var lines []survey.Line
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return responses, lines
		}
		if err != nil {
			t.Fatal(err)
		}
		l, err := b.Record(cells)
		if err != nil {
			t.Fatalf("line %d: %v", len(lines)+2, err)
		}
		l.Submission.ID = survey.DerivedID([]byte("key"), l.Origin.Answered, m.Source, l.RowID).String()
		got, err := survey.Accept(c, l.Submission, l.Origin, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatalf("line %d: %v", len(lines)+2, err)
		}
		responses, lines = append(responses, got), append(lines, l)
	}
}

// The reference data set, read through its mapping: its rows, its draw, and
// two of its published numbers (statsref README: case index-equal-means-a, and
// DOMAIN.md section 6: 80.26 by criteria).
func TestStatsrefA(t *testing.T) {
	d, err := StatsrefA()
	if err != nil {
		t.Fatal(err)
	}
	m, err := StatsrefAMapping()
	if err != nil {
		t.Fatal(err)
	}
	responses, lines := load(t, d, "statsref-a", m, "../stats/testdata/statsref/data/sipas_a.csv")
	if len(responses) != 3012 {
		t.Fatalf("%d responses, want 3012", len(responses))
	}
	if len(d.Desks) != 105 || len(d.Units) != 12 || len(d.Fields) != 3 || d.Rounds[0].Design != survey.DesignDrawn {
		t.Errorf("%d desks, %d units, %d fields, design %s", len(d.Desks), len(d.Units), len(d.Fields), d.Rounds[0].Design)
	}
	yes, of := [22]float64{}, [22]float64{}
	psus := map[survey.Stage]bool{}
	for i, r := range responses {
		psus[*lines[i].Stage] = true
		for j := range 22 {
			switch a := survey.Answer(r.Answers[j]); {
			case a == survey.NotApplicable:
			case a.Level() == 0:
				t.Fatalf("row %d: item %d is %q", i+1, j+1, a)
			default:
				of[j] += r.Draw.Weight
				if a.Level() >= 4 {
					yes[j] += r.Draw.Weight
				}
			}
		}
	}
	if len(psus) != 105 {
		t.Errorf("%d sampling units, want 105: a unit's counts differ between rows", len(psus))
	}
	criteria, factors := 0.0, 0.0
	in := d.Instruments[0]
	if err := in.Prepare(); err != nil {
		t.Fatal(err)
	}
	for _, f := range in.FactorItems() {
		for _, j := range f {
			criteria += yes[j] / of[j] / 22
			factors += yes[j] / of[j] / float64(len(f)) / 5
		}
	}
	if math.Abs(100*criteria-80.26) > 0.005 || math.Abs(100*factors-80.74) > 0.005 {
		t.Errorf("index %.4f by criteria and %.4f by factors, want 80.26 and 80.74", 100*criteria, 100*factors)
	}
	first := responses[0]
	if first.Unit != "U01" || first.Desk != "U01-LAND-C03" || first.Field != "LAND" || first.Filing != "counter" ||
		first.Channel != survey.ChannelPaper || first.Door != survey.DoorStaff || survey.DateOf(first.Answered) != "2025-06-15" {
		t.Errorf("row 1 is %+v", first)
	}
	if got := string(first.Answers); got != "4554555554n44544554n4n" {
		t.Errorf("row 1 answers %s", got)
	}
	if got := *first.Draw; got != (survey.Draw{Stratum: "U01-LAND", PSU: "U01-LAND-C03", Weight: 92.36764705882352}) {
		t.Errorf("row 1 was drawn as %+v", got)
	}
	if got := *lines[0].Stage; got != (survey.Stage{Stratum: "U01-LAND", StratumPSUs: 11, PSU: "U01-LAND-C03", Size: 571}) {
		t.Errorf("row 1 comes from %+v", got)
	}
	if got := first.Profile.String(); got != "age_group=45-59;edu=basic;sex=M" {
		t.Errorf("row 1 has the profile %s", got)
	}
}

// Each fixture holds the same two people, as three systems export them.
func TestSampleMappings(t *testing.T) {
	d, err := Province()
	if err != nil {
		t.Fatal(err)
	}
	d.Rounds = []survey.Round{{
		ID: "nov", Title: survey.Text{"vi": "Tháng 11", "en": "November"}, Instrument: Sipas2640, Version: 1,
		Design: survey.DesignVisitors, Form: "full", Status: survey.StatusOpen, First: "2026-11-01", Last: "2026-11-30", Target: 80,
	}}
	const answers1, answers2 = "543215432154321543nnnn", "4-44444444444444444444"
	type person struct {
		row, field, filing, profile, helped, comment, language string
		channel                                                survey.Channel
		answers                                                survey.Answers
	}
	for name, want := range map[string][2]person{
		"google-forms": {
			{"", "ho-tich", "counter", "age=60+;gender=female", "relative", `Cán bộ nhiệt tình, "rất tốt"`, "vi", "invite", answers1},
			{"", "chung-thuc", "online", "", "", "", "vi", "invite", answers2},
		},
		"limesurvey": {
			{"17", "ho-tich", "", "age=60+;gender=female", "", "", "vi", "invite", answers1},
			{"18", "chung-thuc", "", "", "", "", "en", "invite", "4-4444444444444" + "......."},
		},
		"kobotoolbox": {
			{"8f6f2f0e-6d9c-4f39-9e0a-0c6f3f1f2a01", "ho-tich", "", "age=60+;gender=female", "official", "Chờ hơi lâu", "vi", "interviewer", answers1},
			{"8f6f2f0e-6d9c-4f39-9e0a-0c6f3f1f2a02", "chung-thuc", "", "", "", "", "vi", "interviewer", answers2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Mapping(name)
			if err != nil {
				t.Fatal(err)
			}
			responses, lines := load(t, d, "nov", m, "testdata/"+name+".csv")
			if len(responses) != 2 {
				t.Fatalf("%d responses", len(responses))
			}
			for i, r := range responses {
				got := person{lines[i].RowID, r.Field, r.Filing, r.Profile.String(), r.Helped, r.Comment, r.Language, r.Channel, r.Answers}
				if got != want[i] {
					t.Errorf("person %d\n got %+v\nwant %+v", i+1, got, want[i])
				}
				if r.Unit != "51-21025" || r.Door != survey.DoorStaff || r.Draw != nil {
					t.Errorf("person %d came to %s by door %s, drawn %v", i+1, r.Unit, r.Door, r.Draw)
				}
				// 14:03 on the 24th and 9:41 on the 4th of November in Vietnam
				at := [2]time.Time{time.Date(2026, 11, 24, 7, 0, 0, 0, time.UTC), time.Date(2026, 11, 4, 2, 0, 0, 0, time.UTC)}[i]
				if !r.Answered.Equal(at) {
					t.Errorf("person %d answered at %v, want %v", i+1, r.Answered, at)
				}
			}
		})
	}
}
