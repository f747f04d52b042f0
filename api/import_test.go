package main

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

const reference = "../stats/testdata/statsref/"

// importReference loads sipas_a.csv into a new store.
func importReference(t *testing.T) (data string) {
	t.Helper()
	data = t.TempDir()
	mustSipas(t, "seed", "--data", data, "--set", "statsref-a")
	out := mustSipas(t, "import", "--data", data, "--round", "statsref-a", "--map", "sipas_a", reference+"data/sipas_a.csv")
	if !strings.Contains(out, "stored 3012, duplicate 0, withdrawn 0, rejected 0") {
		t.Fatalf("import said %q", out)
	}
	return data
}

func readReport(t *testing.T, data string, args ...string) stats.Report {
	t.Helper()
	out := mustSipas(t, append([]string{"report", "--data", data, "--format", "json"}, args...)...)
	var r stats.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// The service's own report of the imported reference survey equals the numbers
// that R's survey package gives (DECISIONS: "sipas_a through the product").
func TestReferenceSurveyThroughTheProduct(t *testing.T) {
	waits(t)
	raw, err := os.ReadFile(reference + "cases/index.json")
	if err != nil {
		t.Fatal(err)
	}
	type share struct {
		Estimate float64
		SE       float64
		Logit    []float64 `json:"ci_logit"`
	}
	var cases struct {
		Cases []struct {
			ID       string
			Expected json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	data := importReference(t)
	close := func(t *testing.T, what string, got *float64, want float64) {
		t.Helper()
		if got == nil || math.Abs(*got/100-want) > 1e-9*math.Abs(want)+1e-12 {
			t.Errorf("%s = %v, want %v", what, got, want)
		}
	}
	for id, args := range map[string][]string{
		"index-equal-means-a":    {"--method", "mean-of-factors"},
		"index-equal-pooled-a":   {"--method", "pooled"},
		"index-weighted-means-a": {"--method", "weighted-means"},
		"index-unit-a":           {"--method", "weighted-means", "--unit", "U04"},
		"index-domain-a":         {"--method", "weighted-pooled", "--where", "sex=F"},
	} {
		t.Run(id, func(t *testing.T) {
			var want struct {
				N       int
				DF      int
				Index   share
				Factors []share
				Items   []share
			}
			for _, c := range cases.Cases {
				if c.ID == id {
					if err := json.Unmarshal(c.Expected, &want); err != nil {
						t.Fatal(err)
					}
				}
			}
			if want.N == 0 {
				t.Fatal("the case is missing")
			}
			g := readReport(t, data, append(args, "--round", "statsref-a")...).Total
			if g.N != want.N || g.Weighted.DF != want.DF {
				t.Errorf("n = %d, df = %d, want %d, %d", g.N, g.Weighted.DF, want.N, want.DF)
			}
			close(t, "index", g.Weighted.Value, want.Index.Estimate)
			close(t, "its standard error", g.Weighted.SE, want.Index.SE)
			close(t, "its lower limit", g.Weighted.Low, want.Index.Logit[0])
			close(t, "its upper limit", g.Weighted.High, want.Index.Logit[1])
			for i, f := range want.Factors {
				close(t, g.Factors[i].ID, g.Factors[i].Weighted.Value, f.Estimate)
				close(t, g.Factors[i].ID+" standard error", g.Factors[i].Weighted.SE, f.SE)
			}
			for i, it := range want.Items {
				close(t, g.Items[i].ID, g.Items[i].Weighted.Value, it.Estimate)
				close(t, g.Items[i].ID+" standard error", g.Items[i].Weighted.SE, it.SE)
			}
		})
	}
}

func TestImportTwiceStoresOnce(t *testing.T) {
	waits(t)
	data := importReference(t)
	out := mustSipas(t, "import", "--data", data, "--round", "statsref-a", "--map", "sipas_a", reference+"data/sipas_a.csv")
	if !strings.Contains(out, "stored 0, duplicate 3012") {
		t.Errorf("the second run said %q", out)
	}
}

func TestImportOfAnExportGivesAnIdenticalReport(t *testing.T) {
	waits(t)
	data, file := importReference(t), filepath.Join(t.TempDir(), "export.csv")
	excludeOne(t, data)
	if r := readReport(t, data, "--round", "statsref-a"); r.Counts.Excluded != 1 {
		t.Fatalf("%d answers are excluded", r.Counts.Excluded)
	}
	mustSipas(t, "export", "--data", data, "--round", "statsref-a", "--out", file)
	again := t.TempDir()
	if err := os.WriteFile(filepath.Join(again, "secret.key"), []byte(readFile(t, data, "secret.key")), 0o600); err != nil {
		t.Fatal(err)
	}
	mustSipas(t, "seed", "--data", again, "--set", "statsref-a")
	mustSipas(t, "import", "--data", again, "--round", "statsref-a", "--restore", file)
	for _, by := range []string{"unit", "desk", "field", "filing", "sex", "month"} {
		args := []string{"--round", "statsref-a", "--by", by, "--format", "json"}
		before := mustSipas(t, append([]string{"report", "--data", data}, args...)...)
		after := mustSipas(t, append([]string{"report", "--data", again}, args...)...)
		if before != after {
			t.Errorf("by %s the reports differ", by)
		}
	}
	second := mustSipas(t, "export", "--data", again, "--round", "statsref-a")
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if second != string(first) {
		t.Error("the export of the import differs from the export")
	}
}

// excludeOne puts the first stored answer aside.
func excludeOne(t *testing.T, data string) {
	t.Helper()
	st, err := (&storeFlags{Data: data}).open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	page, err := st.ScanResponses(t.Context(), survey.ID{})
	if err != nil {
		t.Fatal(err)
	}
	id, err := survey.NewID(time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Exclude(t.Context(), store.Exclusion{ID: id, Response: page[0].ID(), Excluded: true, Reason: "=thử, \"nghiệm\"", Author: "An", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

func TestImportReportsBadLines(t *testing.T) {
	data := t.TempDir()
	mustSipas(t, "seed", "--data", data, "--set", "statsref-a")
	raw, err := os.ReadFile(reference + "data/sipas_a.csv")
	if err != nil {
		t.Fatal(err)
	}
	rows := strings.Split(string(raw), "\n")[:9]
	change := func(row int, column string, to string) {
		cells := strings.Split(rows[row], ",")
		for i, name := range strings.Split(rows[0], ",") {
			if name == column {
				cells[i] = to
			}
		}
		rows[row] = strings.Join(cells, ",")
	}
	change(1, "c05", "7")
	change(2, "counter", "U99-X")
	change(3, "w", "-1")
	change(4, "sex", "X")
	rows[5] = `6,"unfinished`
	rows[6], rows[5] = rows[5], rows[6] // the quote swallows what follows it
	change(7, "id", "1")
	rows = append(rows[:6], "only,three,cells", rows[5], rows[8])
	change(8, "c01", "1") // the id of line 6 with another answer
	file := filepath.Join(t.TempDir(), "answers.csv")
	if err := os.WriteFile(file, []byte(strings.Join(rows, "\n")+"\n"+`9,"unfinished`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := sipas(t, "import", "--data", data, "--round", "statsref-a", "--map", "sipas_a", "--lang", "en", file)
	if code != 1 || !strings.Contains(stderr, "lines were not stored") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	f, err := os.Open(strings.TrimSuffix(file, ".csv") + ".rejects.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range got[1:] {
		lines = append(lines, fmt.Sprintf("%s %s %s", r[0], r[1], r[2]))
		if r[3] == "" || r[3] == r[2] {
			t.Errorf("no reason in words: %v", r)
		}
	}
	want := "2 c05 level_out_of_range\n3 counter desk_unknown\n4 w draw_invalid\n5 sex option_unknown\n7 line invalid\n10 line invalid\n"
	for _, w := range strings.Split(strings.TrimSpace(want), "\n") {
		found := false
		for _, l := range lines {
			found = found || l == w
		}
		if !found {
			t.Errorf("rejects lack %q:\n%s\n%s", w, strings.Join(lines, "\n"), stdout)
		}
	}
	if !strings.Contains(stdout, "stored 2,") {
		t.Errorf("good lines must be stored: %s\n%s", stdout, strings.Join(lines, "\n"))
	}
}

func TestImportRefusesAWholeFile(t *testing.T) {
	data, folder := t.TempDir(), t.TempDir()
	mustSipas(t, "seed", "--data", data, "--set", "statsref-a")
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"unknown round":    {[]string{"--round", "none", "--map", "sipas_a", reference + "data/sipas_a.csv"}, `no round "none"`},
		"missing columns":  {[]string{"--round", "statsref-a", "--map", "sipas_a", write("a.csv", "id,unit\n1,2\n")}, "required"},
		"empty file":       {[]string{"--round", "statsref-a", "--map", "sipas_a", write("b.csv", "")}, "no header row"},
		"no such file":     {[]string{"--round", "statsref-a", "--map", "sipas_a", "none.csv"}, "no such file"},
		"no such mapping":  {[]string{"--round", "statsref-a", "--map", "typo", reference + "data/sipas_a.csv"}, "no embedded mapping \"typo\"; there are sipas_a, google-forms"},
		"mapping misspelt": {[]string{"--round", "statsref-a", "--map", write("m.json", `{"source":"x","colums":{}}`), reference + "data/sipas_a.csv"}, "unknown field"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := sipas(t, append([]string{"import", "--data", data}, test.args...)...)
			if code != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, want %q:\n%s%s", code, test.want, stdout, stderr)
			}
		})
	}
}

// A household round has the strata, clusters and weights that its file names: the
// same figures as those of a drawn round, under its own name.
func TestHouseholdRound(t *testing.T) {
	waits(t)
	documents, err := seeds.Documents("statsref-a")
	if err != nil {
		t.Fatal(err)
	}
	documents.Rounds[0].Design = survey.DesignHousehold
	raw, err := json.Marshal(documents)
	if err != nil {
		t.Fatal(err)
	}
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "household.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	mustSipas(t, "seed", "--data", data, "--file", file)
	mustSipas(t, "import", "--data", data, "--round", "statsref-a", "--map", "sipas_a", reference+"data/sipas_a.csv")
	got, want := readReport(t, data, "--round", "statsref-a", "--by", "unit"), readReport(t, importReference(t), "--round", "statsref-a", "--by", "unit")
	if got.Round.Design != "household" || got.Basis != "population" || got.Weighting.Kind != "design" || want.Total.Weighted.SE == nil {
		t.Errorf("%s, %s, %s, %+v", got.Round.Design, got.Basis, got.Weighting.Kind, want.Total.Weighted)
	}
	if got.Round.Design = want.Round.Design; !reflect.DeepEqual(got, want) {
		t.Errorf("a household round differs from a drawn one: %+v, want %+v", got.Total.Weighted, want.Total.Weighted)
	}
	if out := mustSipas(t, "report", "--data", data, "--round", "statsref-a", "--lang", "en"); !strings.Contains(out, "a random draw of households") {
		t.Errorf("the table:\n%.600s", out)
	}
}

// TestDrawsOfTwoImports: who imports beside another, or while slips are issued, takes
// nothing out of the populations that came in meanwhile.
func TestDrawsOfTwoImports(t *testing.T) {
	waits(t)
	stage := func(psu string) survey.Stage {
		return survey.Stage{Stratum: "U01", PSU: psu, StratumPSUs: 500, Size: 10}
	}
	importing := func(sink importSink, psus ...string) *importer {
		im := &importer{command: &importCommand{Round: "statsref-a"}, sink: sink, stages: map[string][]survey.Stage{}}
		for _, psu := range psus {
			im.stages["U01"] = append(im.stages["U01"], stage(psu))
		}
		return im
	}
	data := t.TempDir()
	mustSipas(t, "seed", "--data", data, "--set", "statsref-a")
	check := func(t *testing.T, sink importSink, psu string) {
		t.Helper()
		first, second := importing(sink, "new", psu), importing(sink, "new", "other "+psu)
		other := overtaken{importSink: sink, by: func() {
			if err := second.storeStages(t.Context()); err != nil {
				t.Fatal(err)
			}
		}}
		first.sink = &other
		if err := first.storeStages(t.Context()); err != nil {
			t.Fatal(err)
		}
		catalogue, err := sink.catalogue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]int{}
		for _, s := range catalogue.Populations["statsref-a/U01"].Stages {
			found[s.PSU]++
		}
		if found["new"] != 1 || found[psu] != 1 || found["other "+psu] != 1 {
			t.Errorf("%v", found)
		}
	}
	token := strings.TrimSpace(mustSipas(t, "token", "create", "--data", data, "--name", "An", "--rights", "staff"))
	c, url := startServe(t, data)
	client, err := newClient(serviceFlags{URL: url, AccessToken: token}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	check(t, &serviceSink{client: client}, "through the service")
	c.stop(os.Interrupt)
	st, err := (&storeFlags{Data: data}).openExisting(t.Context(), "import", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	check(t, &storeSink{st: st}, "in the store")
}

// overtaken is a sink in which something happens once, between what an import reads and what
// it puts.
type overtaken struct {
	importSink
	by func()
}

func (o *overtaken) putPopulations(ctx context.Context, change func(*survey.Catalogue) []survey.Population) error {
	return o.importSink.putPopulations(ctx, func(c *survey.Catalogue) []survey.Population {
		if o.by != nil {
			by := o.by
			o.by = nil
			by()
		}
		return change(c)
	})
}
