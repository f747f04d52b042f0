package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"sipas/stats"
)

// The command prints what the store keeps: asked again, the same.
func TestPictureCommand(t *testing.T) {
	waits(t)
	data := importReference(t)
	report := readReport(t, data, "--round", "statsref-a", "--by", "unit")
	args := []string{"picture", "--data", data, "--round", "statsref-a"}
	read := func(more ...string) (p stats.Picture) {
		t.Helper()
		if err := json.Unmarshal([]byte(mustSipas(t, append(append(args, more...), "--format", "json")...)), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	p := read()
	if n := *p.Cells[0].N; n != report.Total.N {
		t.Errorf("%d answers, the report has %d", n, report.Total.N)
	}
	if again := read(); !reflect.DeepEqual(again, p) {
		t.Error("asked again it is another picture")
	}
	unit := report.Groups[0]
	narrowed := read("--unit", unit.ID)
	if len(narrowed.Cells) < 2 || len(narrowed.Cells) >= len(p.Cells) || narrowed.Cells[1].ID != unit.ID || *narrowed.Cells[1].N != unit.N {
		t.Errorf("a unit: %+v", narrowed.Cells)
	}
	if out := mustSipas(t, append(args, "--lang", "en")...); !strings.Contains(out, "Published figures: ") || !strings.Contains(out, unit.Label.In("en")) {
		t.Errorf("the table:\n%s", out)
	}
	if out := mustSipas(t, append(args, "--format", "csv")...); !strings.HasPrefix(out, "by,unit,group,") {
		t.Errorf("the file:\n%.200s", out)
	}
	for _, wrong := range [][]string{{"--unit", "nowhere"}, {"--round", "none"}} {
		if code, _, stderr := sipas(t, append(args, wrong...)...); code != 1 || !strings.Contains(stderr, wrong[0][2:]) {
			t.Errorf("%v: %d, %s", wrong, code, stderr)
		}
	}
}
