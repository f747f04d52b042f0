package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"sipas/stats"
)

// The command prints what the report says of each side, their difference with
// its error, and why something cannot be compared.
func TestCompareCommand(t *testing.T) {
	waits(t)
	data := importReference(t)
	report := readReport(t, data, "--round", "statsref-a", "--by", "unit")
	if len(report.Groups) < 2 {
		t.Fatalf("%d units", len(report.Groups))
	}
	a, b := report.Groups[0], report.Groups[1]
	args := []string{"compare", "--data", data, "--round", "statsref-a", "--by", "unit", "--a", a.ID, "--b", b.ID}
	var c stats.Comparison
	if err := json.Unmarshal([]byte(mustSipas(t, append(args, "--format", "json")...)), &c); err != nil {
		t.Fatal(err)
	}
	if c.A.ID != a.ID || *c.A.Figure.SE != *a.Weighted.SE || *c.B.Figure.Value != *b.Weighted.Value || math.Abs(*c.Difference.Value-(*b.Weighted.Value-*a.Weighted.Value)) > 1e-9 {
		t.Errorf("%+v and %+v, in the report %+v and %+v", c.A, c.B, a.Weighted, b.Weighted)
	}
	if v := *a.Weighted.SE**a.Weighted.SE + *b.Weighted.SE**b.Weighted.SE - 2**c.Difference.Covariance; math.Abs(*c.Difference.SE-math.Sqrt(v)) > 1e-9 {
		t.Errorf("standard error %v of %v and %v with the covariance %v", *c.Difference.SE, *a.Weighted.SE, *b.Weighted.SE, *c.Difference.Covariance)
	}
	if out := mustSipas(t, append(args, "--lang", "en")...); !strings.Contains(out, "B less A (points)") || !strings.Contains(out, "Conclusion: B ") {
		t.Errorf("the table:\n%s", out)
	}
	if code, _, stderr := sipas(t, append(args, "--unit", a.ID, "--lang", "en")...); code != 1 || !strings.Contains(stderr, "duplicate") {
		t.Errorf("a third unit: %d, %s", code, stderr)
	}
}
