package publish

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sipas/stats"
	"sipas/survey"
)

func ptr[T any](v T) *T { return &v }

// small is a report by hand: 82.5% weighted against 80%, one factor, one item,
// one cell left out, and one group that the weights do not cover.
func small() *stats.Report {
	weighted := stats.Figure{N: 40, Value: ptr(82.5), SE: ptr(1.25), Low: ptr(79.75), High: ptr(84.5), Interval: "logit", DF: 31, Deff: ptr(1.5), Marks: []string{"cv", "wide"}}
	unweighted := stats.Figure{N: 44, Value: ptr(71.5), SE: ptr(1.75), Low: ptr(68.25), High: ptr(75.5), Interval: "logit", DF: 33, Deff: ptr(1.125)}
	missing := stats.Figure{Reason: "uncovered"}
	group := func(id string, weighted stats.Figure, d stats.Decision) stats.Group {
		return stats.Group{ID: id, Label: survey.Text{"vi": "Xã " + id, "en": "Commune " + id}, N: 44, Verdict: d, Weighted: weighted, Unweighted: unweighted,
			Methods: []stats.MethodFigures{{Name: "mean-of-criteria", Weighted: weighted, Unweighted: unweighted}},
			Factors: []stats.FactorFigures{{ID: "f1", Title: survey.Text{"vi": "Tiếp cận", "en": "Access"}, Weighted: missing, Unweighted: unweighted}},
			Items: []stats.ItemFigures{{ID: "c07", Text: survey.Text{"vi": "Nơi ngồi chờ", "en": "Waiting room"}, Levels: [5]int{101, 102, 103, 104, 105},
				NotAsked: 106, Blank: 107, NotApplicable: 108, BrokenOff: 109, Weighted: weighted, Unweighted: unweighted}},
		}
	}
	method := stats.MethodHeader{Name: "mean-of-criteria", Version: 3, Combine: "mean_of_items", FactorWeights: []float64{1}}
	return &stats.Report{
		Round: stats.RoundHeader{ID: "r1", Title: survey.Text{"vi": "Đợt một", "en": "Round one"}, Instrument: "small", Version: 2,
			Design: survey.DesignVisitors, First: "2026-01-01", Last: "2026-06-30", Target: 80},
		Filter: map[string]string{"sex": "female"}, Basis: "respondents", Interim: true,
		Method: method, Methods: []stats.MethodHeader{method, {Name: "pooled", Version: 4, Combine: "pooled"}},
		Weighting: stats.Weighting{Kind: "post_stratified", Returned: 500, Covered: 470, LargestRatio: ptr(3.5), Cells: []stats.CellFigures{
			{Unit: "u1", Members: []stats.CellMember{{Field: "land", Filing: "online", Returned: 470, Answers: 40}}, Returned: 470, Answers: 40, Weight: ptr(11.75)},
			{Unit: "u2", Members: []stats.CellMember{{Field: "land", Filing: "post", Returned: 30, Answers: 4}}, Returned: 30, Answers: 4, Uncovered: true},
		}},
		Level: 95, Software: "v1",
		Notices: []stats.Notice{{Code: "interim", Text: survey.Text{"vi": "Chưa kết thúc", "en": "Still running"}}},
		Counts: stats.Counts{Received: 50, Counted: 44, ByChannel: map[string]int{"paper": 9, "qr": 41}, ByDoor: map[string]int{"open": 41, "staff": 9},
			ByFlag: map[string]int{"straight_line": 6, "burst": 40, "duplicate_pattern": 3}},
		Total: group("", weighted, stats.Decision{Verdict: ptr(stats.Undecided), Target: 80, ReachesTarget: ptr(true), Basis: "respondents", Interim: true, Level: 97.5}),
		By:    "unit",
		Groups: []stats.Group{
			group("u2", missing, stats.Decision{Reason: "answers_exceed_transactions", Target: 75, Basis: "respondents", Level: 97.5}),
		},
	}
}

// render fails the test where the report cannot be written.
func render(t *testing.T, r *stats.Report, format, lang string) string {
	t.Helper()
	var out bytes.Buffer
	if err := Write(&out, r, format, lang); err != nil {
		t.Fatalf("Write(%s): %v", format, err)
	}
	return out.String()
}

// fields are those after start on the first line that begins with it.
func fields(t *testing.T, out, start string) []string {
	t.Helper()
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, start); ok {
			return strings.Fields(rest)
		}
	}
	t.Fatalf("no line begins with %q in\n%s", start, out)
	return nil
}

func TestNumber(t *testing.T) {
	for _, test := range []struct {
		v        *float64
		decimals int
		lang     string
		want     string
	}{
		{ptr(82.986), 2, "vi", "82,99"},
		{ptr(82.986), 2, "en", "82.99"},
		{ptr(80.0), -1, "vi", "80"},
		{ptr(79.94), 1, "en", "79.9"},
		{ptr(79.95), 1, "vi", "80,0"},
		{ptr(79.96), 1, "vi", "80,0"},
		{ptr(79.994), 2, "vi", "79,99"},
		{ptr(79.996), 2, "en", "80.00"},
		{ptr(100.0), 2, "vi", "100,00"},
		{ptr(0.0), 1, "en", "0.0"},
		{ptr(-5.25), 1, "vi", "-5,2"},
		{nil, 2, "vi", "–"},
		{nil, 2, "en", "–"},
	} {
		if got := Number(test.v, test.decimals, test.lang); got != test.want {
			t.Errorf("Number(%v, %d, %s) = %q, want %q", test.v, test.decimals, test.lang, got, test.want)
		}
	}
}

// TestCellsToKnowOf: a table lists the cells that the weights leave out and those with more answers than results, whether
// these are weighted or not, and no other.
func TestCellsToKnowOf(t *testing.T) {
	r := small()
	member := []stats.CellMember{{Field: "land", Filing: "post"}}
	r.Weighting.Cells = []stats.CellFigures{
		{Unit: "fine", Members: member, Returned: 7001, Answers: 41, Weight: ptr(170.8)},
		{Unit: "exceeding", Members: member, Returned: 42, Answers: 8002, Weight: ptr(0.01), Exceeds: true},
		{Unit: "left-out", Members: member, Returned: 7003, Answers: 3, Uncovered: true},
		{Unit: "both", Members: member, Returned: 0, Answers: 8004, Uncovered: true, Exceeds: true},
	}
	out := render(t, r, "table", "en")
	_, cells, found := strings.Cut(out, "Cells not covered")
	for unit, want := range map[string]string{"exceeding": "8002", "left-out": "7003", "both": "8004"} {
		if !strings.Contains(cells, unit) || !strings.Contains(cells, want) {
			t.Errorf("%s with %s is not listed:\n%s", unit, want, cells)
		}
	}
	if !found || strings.Contains(cells, "fine") || strings.Contains(cells, "7001") {
		t.Errorf("a cell without fault is listed:\n%s", cells)
	}
	exceed := ReasonText("answers_exceed_transactions", "en")
	for line := range strings.Lines(cells) {
		if name, _, _ := strings.Cut(strings.TrimSpace(line), " "); (name == "exceeding" || name == "both") != strings.Contains(line, exceed) && name != "" && name != "returned" {
			t.Errorf("%q", line)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, reason := range []string{"answers_exceed_transactions", "suppressed", "draw_counts", "not_finite", stats.ReasonNoAnswers, stats.ReasonNoPopulation,
		stats.ReasonUncovered, stats.ReasonIncomplete, stats.ReasonTooFewPSUs, stats.ReasonLonelyPSU, stats.ReasonNoVariation,
		stats.ReasonMarginTotals, stats.ReasonMarginEmpty, stats.ReasonNotConverged} {
		vi, en := ReasonText(reason, "vi"), ReasonText(reason, "en")
		if vi == reason || en == reason || vi == en || vi == "" || en == "" {
			t.Errorf("reason %s reads %q and %q", reason, vi, en)
		}
	}
	for _, test := range []struct {
		d    stats.Decision
		lang string
		want string
	}{
		{stats.Decision{Verdict: ptr(stats.Met)}, "vi", "Đạt mục tiêu"},
		{stats.Decision{Verdict: ptr(stats.NotMet)}, "en", "Target not met"},
		{stats.Decision{Verdict: ptr(stats.Undecided)}, "en", "Undecided"},
		{stats.Decision{Verdict: ptr(stats.TooFew)}, "en", "Too few answers"},
		{stats.Decision{Reason: "draw_counts"}, "vi", "Không kết luận: số liệu chọn mẫu mâu thuẫn"},
		{stats.Decision{Reason: "not_finite"}, "en", "No verdict: weights outside what can be computed"},
		{stats.Decision{Reason: "from_a_newer_server"}, "en", "No verdict: from_a_newer_server"},
		{stats.Decision{}, "vi", "Không kết luận"},
	} {
		if got := VerdictText(test.d, test.lang); got != test.want {
			t.Errorf("VerdictText(%+v, %s) = %q, want %q", test.d, test.lang, got, test.want)
		}
	}
}

func TestTable(t *testing.T) {
	vi, en := render(t, small(), "table", "vi"), render(t, small(), "table", "en")
	// Name, then estimate, error, limits, n, df, deff, unweighted.
	if got, want := fields(t, vi, "c07 Nơi ngồi chờ")[:8], strings.Fields("82,50 1,25 79,75 84,50 40 31 1,50 71,50"); !slices.Equal(got, want) {
		t.Errorf("item in Vietnamese: %q, want %q", got, want)
	}
	if got, want := fields(t, en, "c07 Waiting room")[:8], strings.Fields("82.50 1.25 79.75 84.50 40 31 1.50 71.50"); !slices.Equal(got, want) {
		t.Errorf("item in English: %q, want %q", got, want)
	}
	if got, want := fields(t, en, "f1 Access"), strings.Fields("– – – – 0 0 – 71.50 Not covered by the weights"); !slices.Equal(got, want) {
		t.Errorf("factor that the weights do not cover: %q, want %q", got, want)
	}
	levels := en[strings.Index(en, "Answers by level"):]
	if got, want := fields(t, levels, "c07"), strings.Fields("101 102 103 104 105 106 107 108 109"); !slices.Equal(got, want) {
		t.Errorf("levels and codes of the item: %q, want %q", got, want)
	}
	for _, want := range []string{
		"small@2", "mean-of-criteria v3 (mean_of_items); weights of the factors 1.0000\n", "pooled v4 (pooled)\n", "sex = female", "! Still running",
		"speaks only of those who answered", "visitors who chose to answer", "results returned 500, covered 470",
		"QR code (qr) 41, Paper (paper) 9", "Open code of a desk (open) 41", "All at one level (straight_line) 6",
		"82.50% ≥ 80%", "Undecided (interim); speaks only of those who answered; level 97.5%",
		"relative error above 30%; interval of 30 points or more",
	} {
		if !strings.Contains(en, want) {
			t.Errorf("%q is missing in\n%s", want, en)
		}
	}
	if got, want := fields(t, en, "u2 land/post"), strings.Fields("30 4 Not covered by the weights"); !slices.Equal(got, want) {
		t.Errorf("uncovered cell: %q, want %q", got, want)
	}
	if strings.Contains(en, "u1 land/online") {
		t.Error("a covered cell stands among those that are not")
	}
	ranked := small()
	ranked.Groups[0].Rank, ranked.Groups[0].RankRange = ptr(3), &stats.RankRange{Low: 1, High: 7, Of: 9, NotDistinguishable: 6}
	if got := fields(t, render(t, ranked, "table", "en"), "Commune u2")[:2]; !slices.Equal(got, []string{"3", "1–7"}) {
		t.Errorf("rank and range: %q", got)
	}
	if got, want := fields(t, en, "Commune u2"), strings.Fields("– – – – – 44 71.50 – No verdict: more answers than results returned; Not covered by the weights"); !slices.Equal(got, want) {
		t.Errorf("group: %q, want %q", got, want)
	}
}

func TestTableHeadline(t *testing.T) {
	const line = "Result against the target"
	for _, test := range []struct {
		name   string
		change func(r *stats.Report)
		want   string
	}{
		{"at the target", func(r *stats.Report) {}, line + ": 82.50% ≥ 80%\n"},
		{"below", func(r *stats.Report) { r.Total.Verdict.ReachesTarget = ptr(false) }, line + ": 82.50% < 80%\n"},
		{"target with a fraction", func(r *stats.Report) { r.Total.Verdict.Target = 82.25 }, line + ": 82.50% ≥ 82.25%\n"},
		{"uncovered", func(r *stats.Report) { r.Total.Weighted = stats.Figure{Reason: "uncovered"} }, line + ": – (Not covered by the weights); target 80%\n"},
		{"without population", func(r *stats.Report) {
			r.Weighting.Kind, r.Total.Weighted = "none", stats.Figure{Reason: "no_population"}
			r.Total.Verdict.ReachesTarget = ptr(false)
		}, line + " (unweighted): 71.50% < 80%\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := small()
			test.change(r)
			if out := render(t, r, "table", "en"); !strings.Contains(out, test.want) {
				t.Errorf("%q is missing in\n%s", test.want, out)
			}
		})
	}
}

// parse reads the CSV: encoding/csv refuses lines of another length.
func parse(t *testing.T, out string) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	lines := make([]map[string]string, 0, len(records))
	for _, record := range records[1:] {
		line := map[string]string{}
		for i, cell := range record {
			line[records[0][i]] = cell
		}
		if len(line) != len(record) {
			t.Fatalf("a column name occurs twice in %q", records[0])
		}
		lines = append(lines, line)
	}
	return lines
}

func TestCSVColumns(t *testing.T) {
	lines := parse(t, render(t, small(), "csv", "vi"))
	for _, test := range []struct{ find, want map[string]string }{
		{map[string]string{"measure": "index", "group": "", "weighting": "weighted"},
			map[string]string{"by": "", "id": "mean-of-criteria", "n": "40", "value": "82.5", "se": "1.25", "low": "79.75", "high": "84.5", "df": "31", "deff": "1.5",
				"n_eff": "", "marks": "cv wide", "reason": "", "interval": "logit", "level_1": "", "verdict": "", "target": ""}},
		{map[string]string{"measure": "index", "group": "u2", "weighting": "weighted"},
			map[string]string{"by": "unit", "label": "Xã u2", "n": "0", "value": "", "se": "", "low": "", "high": "", "reason": "uncovered"}},
		{map[string]string{"measure": "item", "group": "", "weighting": "unweighted"},
			map[string]string{"id": "c07", "name": "Nơi ngồi chờ", "value": "71.5", "level_1": "101", "level_5": "105", "not_asked": "106", "blank": "107", "na": "108", "broken_off": "109"}},
		{map[string]string{"measure": "item", "group": "", "weighting": "weighted"},
			map[string]string{"level_1": "", "level_5": "", "not_asked": "", "broken_off": ""}},
		{map[string]string{"measure": "verdict", "group": ""},
			map[string]string{"weighting": "weighted", "verdict": "undecided", "verdict_reason": "", "target": "80", "reaches_target": "true", "basis": "respondents", "interim": "true", "level": "97.5", "n": "44"}},
		{map[string]string{"measure": "verdict", "group": "u2"},
			map[string]string{"verdict": "", "verdict_reason": "answers_exceed_transactions", "reason": "", "target": "75", "reaches_target": "", "interim": "false"}},
		{map[string]string{"measure": "cell", "unit": "u1"},
			map[string]string{"id": "1", "members": "land/online", "returned": "470", "answers": "40", "weight": "11.75", "uncovered": "false", "exceeds": "false"}},
		{map[string]string{"measure": "cell", "unit": "u2"},
			map[string]string{"id": "2", "weight": "", "uncovered": "true"}},
		{map[string]string{"measure": "member", "unit": "u2"},
			map[string]string{"id": "2", "field": "land", "filing": "post", "returned": "30", "answers": "4"}},
		{map[string]string{"measure": "count", "id": "by_channel.qr"}, map[string]string{"n": "41", "name": "Mã QR"}},
		{map[string]string{"measure": "meta", "id": "filter.sex"}, map[string]string{"text": "female"}},
		{map[string]string{"measure": "meta", "id": "weighting.kind"}, map[string]string{"text": "post_stratified", "name": "Gia quyền"}},
		{map[string]string{"measure": "meta", "id": "cut_off"}, map[string]string{"text": ""}},
		{map[string]string{"measure": "notice", "id": "interim"}, map[string]string{"text": "Chưa kết thúc"}},
	} {
		var found []map[string]string
		for _, line := range lines {
			if holds(line, test.find) {
				found = append(found, line)
			}
		}
		if len(found) != 1 {
			t.Errorf("%d lines with %v, want 1", len(found), test.find)
			continue
		}
		for column, want := range test.want {
			if got, ok := found[0][column]; got != want || !ok {
				t.Errorf("%v: %s is %q, want %q", test.find, column, got, want)
			}
		}
	}
	for _, line := range lines {
		if line["measure"] == "meta" && line["name"] == "" {
			t.Errorf("%s has no name in words", line["id"])
		}
	}
}

func holds(line, want map[string]string) bool {
	for column, v := range want {
		if line[column] != v {
			return false
		}
	}
	return true
}

// full is a report in which every field has a value that occurs nowhere else;
// texts begin with prefix. A field added to stats.Report is in it, so that one
// forgotten here fails.
func full(prefix string) *stats.Report {
	r := new(stats.Report)
	next := 1000
	fill(reflect.ValueOf(r).Elem(), prefix, &next)
	// What the report says twice.
	r.Methods[0] = r.Method
	for _, g := range []*stats.Group{&r.Total, &r.Groups[0], &r.Groups[1]} {
		for i := range g.Methods {
			g.Methods[i].Name = r.Methods[i].Name
		}
		g.Weighted, g.Unweighted = g.Methods[0].Weighted, g.Methods[0].Unweighted
	}
	r.Total.ID = ""
	return r
}

func fill(v reflect.Value, prefix string, next *int) {
	*next++
	text := prefix + "s" + strconv.Itoa(*next)
	switch {
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Date(2026, 2, 3, 4, 0, 0, 0, time.UTC)))
	case v.Type() == reflect.TypeFor[survey.Text]():
		v.Set(reflect.ValueOf(survey.Text{"vi": text}))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Int:
		v.SetInt(int64(*next))
	case v.Kind() == reflect.Float64:
		v.SetFloat(float64(*next) + 0.0625)
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), prefix, next)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), prefix, next)
		}
	case v.Kind() == reflect.Slice, v.Kind() == reflect.Array:
		if v.Kind() == reflect.Slice {
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		}
		for i := range v.Len() {
			fill(v.Index(i), prefix, next)
		}
	case v.Kind() == reflect.Map:
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, prefix, next)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf(text), value)
	default:
		panic("the report has a " + v.Type().String())
	}
}

// TestCSVHoldsTheReport walks the JSON of a report and looks every number, text
// and key of a map up in the CSV.
func TestCSVHoldsTheReport(t *testing.T) {
	r := full("")
	in := map[string]bool{}
	for _, line := range parse(t, render(t, r, "csv", "vi")) {
		for _, cell := range line {
			for _, part := range strings.FieldsFunc(cell, func(c rune) bool { return c == ' ' || c == '/' }) {
				in[part] = true
			}
		}
	}
	d := json.NewDecoder(strings.NewReader(render(t, r, "json", "vi")))
	d.UseNumber()
	var report any
	if err := d.Decode(&report); err != nil {
		t.Fatal(err)
	}
	values := 0
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, value := range v {
				walk(path+"."+key, value)
			}
		case []any:
			for i, value := range v {
				walk(path+"["+strconv.Itoa(i)+"]", value)
			}
		case json.Number:
			values++
			if !in[v.String()] {
				t.Errorf("%s = %s is not in the CSV", path, v)
			}
		case string:
			values++
			if !in[v] && path != ".total.id" {
				t.Errorf("%s = %q is not in the CSV", path, v)
			}
		}
	}
	walk("", report)
	// More than one group's worth, or the walk has missed something.
	if values < 500 {
		t.Errorf("the walk met %d values only", values)
	}
	for _, counts := range []map[string]int{r.Counts.ByChannel, r.Counts.ByDoor, r.Counts.ByFlag} {
		for key := range counts {
			if !in["by_channel."+key] && !in["by_door."+key] && !in["by_flag."+key] {
				t.Errorf("the key %s of the counts is not in the CSV", key)
			}
		}
	}
}

// TestEveryFlagHasAName: a code that is not known would stand for itself.
func TestEveryFlagHasAName(t *testing.T) {
	for _, name := range (^survey.Flags(0)).Names() {
		for _, lang := range []string{survey.Vietnamese, survey.English} {
			list := talliesOf("by_flag.", map[string]int{name: 1}, lang)
			if list[0].name == name || list[0].name == "" {
				t.Errorf("%s has no name in %s", name, lang)
			}
		}
	}
}

// TestCSVFormulas gives every text of a report each beginning that a
// spreadsheet takes for a formula.
func TestCSVFormulas(t *testing.T) {
	for _, prefix := range []string{"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"} {
		guarded := 0
		for _, line := range parse(t, render(t, full(prefix), "csv", "vi")) {
			for column, cell := range line {
				if strings.HasPrefix(cell, prefix) {
					t.Errorf("%s of a %s line is %q", column, line["measure"], cell)
				}
				if strings.HasPrefix(cell, "'"+prefix) {
					guarded++
				}
			}
		}
		if guarded < 300 {
			t.Errorf("%q: only %d cells are guarded", prefix, guarded)
		}
	}
	r := small()
	r.Total.TippingPoint = ptr(-5.25)
	for _, line := range parse(t, render(t, r, "csv", "vi")) {
		if line["measure"] == "verdict" && line["by"] == "" && line["tipping_point"] != "-5.25" {
			t.Errorf("a negative number became %q", line["tipping_point"])
		}
	}
}

// TestTableControlCodes: no text of a report reaches the terminal's controls.
func TestTableControlCodes(t *testing.T) {
	if out := render(t, full("\x1b[2J\t"), "table", "vi"); strings.ContainsAny(out, "\x1b\t") {
		t.Errorf("a control code is in %q", out)
	}
}

func TestWriteUnknownFormat(t *testing.T) {
	var out bytes.Buffer
	err := Write(&out, small(), "xlsx", "vi")
	if err == nil || !strings.Contains(err.Error(), `"xlsx"`) || !strings.Contains(err.Error(), "table, json, csv") || out.Len() > 0 {
		t.Errorf("error %v, written %q", err, out.String())
	}
}

// failing takes so many bytes, then fails.
type failing int

var errFull = errors.New("disk full")

func (f *failing) Write(p []byte) (int, error) {
	if *f -= failing(len(p)); *f < 0 {
		return 0, errFull
	}
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	for _, format := range Formats {
		whole := len(render(t, full(""), format, "vi"))
		for _, room := range []int{0, whole / 2, whole - 1} {
			if err := Write(ptr(failing(room)), full(""), format, "vi"); !errors.Is(err, errFull) {
				t.Errorf("%s with room for %d of %d bytes: error %v", format, room, whole, err)
			}
		}
		if err := Write(ptr(failing(whole)), full(""), format, "vi"); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}
