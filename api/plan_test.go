package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlanCommand(t *testing.T) {
	waits(t)
	data := t.TempDir()
	mustSipas(t, "seed", "--data", data, "--set", "province")
	file := filepath.Join(t.TempDir(), "round.json")
	raw := `{"rounds":[{"id":"q","title":{"vi":"Quý","en":"Quarter"},"instrument":"sipas-2640","version":1,"design":"visitors","form":"full","status":"open","first":"2026-10-01","last":"2026-12-31","target":80}],
		"populations":[{"round":"q","unit":"51-21040","cells":[{"filing":"counter","returned":9000},{"filing":"online","returned":1000}]},{"round":"q","unit":"51-23326","cells":[{"returned":500}]}]}`
	if err := os.WriteFile(file, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	mustSipas(t, "seed", "--data", data, "--file", file)
	args := []string{"plan", "--data", data, "--round", "q", "--response", "0.5", "--total", "105"}
	var plan struct {
		Units []struct {
			Unit                                                    string
			Returned, Answers, Invite, Yamane, Proportional, Neyman int
		}
	}
	if err := json.Unmarshal([]byte(mustSipas(t, append(args, "--format", "json")...)), &plan); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(plan.Units); got != "[{51-21040 10000 370 740 385 100 100} {51-23326 500 218 435 223 5 5}]" {
		t.Errorf("planned %s", got)
	}
	if out := mustSipas(t, args...); !strings.Contains(out, "± 5%") || !strings.Contains(out, "phiếu cần (Cochran)") || !strings.Contains(out, "Tổng") || !strings.Contains(out, "1175") {
		t.Errorf("the table:\n%s", out)
	}
	if lines, err := csv.NewReader(strings.NewReader(mustSipas(t, append(args, "--format", "csv")...))).ReadAll(); err != nil || len(lines) != 3 || lines[2][3] != "218" {
		t.Errorf("%v, %v", lines, err)
	}
	for _, wrong := range [][]string{{"--round", "none"}, {"--margin", "0"}, {"--share", "1"}, {"--total", "99999"}, {"--like", "none"}, {"--response", "2"}} {
		if code, _, stderr := sipas(t, append(args, wrong...)...); code != 1 || stderr == "" {
			t.Errorf("%v: exit code %d, %s", wrong, code, stderr)
		}
	}
}

// What was drawn can be drawn again from the same frame in another order, and says
// with which weight.
func TestDrawCommand(t *testing.T) {
	folder := t.TempDir()
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf("HS-%03d,%s", i, []string{"land", "civil", "civil", "civil"}[i%4]))
	}
	write := func(name string, lines []string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte("\ufeffcode,field\r\n"+strings.Join(lines, "\r\n")+"\r\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	frame := write("frame.csv", lines)
	args := []string{"--id", "code", "--stratum", "field", "--seed", "lot 7"}
	first := mustSipas(t, append([]string{"draw", frame, "--n", "20"}, args...)...)
	records, err := csv.NewReader(strings.NewReader(first)).ReadAll()
	if err != nil || len(records) != 21 || records[1][0] != "civil" || records[1][3] != "75" || records[1][4] != "15" || records[1][5] != "5" || records[20][0] != "land" || records[20][4] != "5" {
		t.Fatalf("%v, %v", records, err)
	}
	for i, j := 0, len(lines)-1; i < j; i, j = i+1, j-1 {
		lines[i], lines[j] = lines[j], lines[i]
	}
	out := filepath.Join(folder, "drawn.csv")
	mustSipas(t, append([]string{"draw", write("turned.csv", lines), "--size", "land=5;civil=15", "--out", out}, args...)...)
	if again, err := os.ReadFile(out); err != nil || string(again) != first {
		t.Errorf("drawn again: %s, %v", again, err)
	}
	for name, c := range map[string]struct {
		file string
		args []string
		want string
	}{
		"neither":        {frame, nil, "either"},
		"both":           {frame, []string{"--n", "3", "--size", "land=1"}, "either"},
		"too many":       {frame, []string{"--n", "101"}, "101"},
		"no stratum":     {frame, []string{"--size", "sea=1"}, "sea"},
		"a column":       {frame, []string{"--n", "3", "--id", "none"}, "code, field"},
		"an id twice":    {write("twice.csv", []string{"a,x", "a,x"}), []string{"--n", "1"}, "twice"},
		"no id":          {write("empty.csv", []string{"a,x", ",x"}), []string{"--n", "1"}, "line 3"},
		"no line":        {write("none.csv", nil), []string{"--n", "1"}, "no lines"},
		"ragged":         {write("ragged.csv", []string{"a"}), []string{"--n", "1"}, "wrong number of fields"},
		"more than size": {frame, []string{"--size", "land=26"}, "26 of 25"},
	} {
		if code, _, stderr := sipas(t, append(append([]string{"draw", c.file}, args...), c.args...)...); code != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d, %q, want %q", name, code, stderr, c.want)
		}
	}
}
