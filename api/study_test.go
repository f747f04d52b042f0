package main

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"testing"
)

// TestStudy is the short form of `sipas study`: the intervals that the service
// recommends hold the truth as often as they say, within the Monte-Carlo error
// of so few rounds. A round has some 2,800 intervals; chance leaves about 2 points.
func TestStudy(t *testing.T) {
	for i := range studyScenarios {
		s := &studyScenarios[i]
		t.Run(s.name, func(t *testing.T) {
			lines, err := s.run(&terminal{ctx: t.Context()}, 8, 6)
			if err != nil {
				t.Fatal(err)
			}
			claimed, missed := 0, 0
			for _, l := range lines {
				if s.claims(l.class) {
					claimed += l.total.intervals
				}
				if fault := l.fault(s.claims(l.class)); fault != "" {
					t.Errorf("%+v: %.3f ± %.3f of %d intervals hold the truth: %s", l.class, l.coverage, l.covError, l.total.intervals, fault)
				}
				if l.class.unit && l.class.what == "item" && l.class.size == sizeAmple && l.fault(true) != "" {
					missed++
				}
			}
			if s.selfSelected && (claimed > 0 || missed == 0) {
				t.Errorf("self-selection goes unnoticed: %d intervals claimed", claimed)
			}
			if !s.selfSelected && claimed < 10_000 {
				t.Errorf("only %d intervals claim to hold", claimed)
			}
		})
	}
}

// The same seed gives the same table, however many rounds are simulated at once.
func TestStudyIsRepeatable(t *testing.T) {
	var tables []string
	for _, procs := range []int{1, 3} {
		before := runtime.GOMAXPROCS(procs)
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"study", "--rounds=3", "--seed=7", "--scenario=few"}, &out, &errs)
		runtime.GOMAXPROCS(before)
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
		tables = append(tables, out.String())
	}
	if tables[0] != tables[1] || !strings.Contains(tables[0], "few: about 30 answers a unit (3 rounds)") {
		t.Errorf("tables differ:\n%s\n%s", tables[0], tables[1])
	}
}

func TestStudyRefuses(t *testing.T) {
	for _, args := range [][]string{{"study", "--rounds=1"}, {"study", "--scenario=none"}} {
		if code, _, stderr := sipas(t, args...); code != 1 || stderr == "" {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if code := run(ended, []string{"study"}, &bytes.Buffer{}, &bytes.Buffer{}); code != 1 {
		t.Errorf("exit code %d after the end", code)
	}
}
