package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"sipas/seeds"
)

// TestStudy is the short form of `sipas study`: the intervals that the service
// recommends hold the truth as often as they say, within the Monte-Carlo error
// of so few rounds. A round has some 2,800 intervals; chance leaves about 2 points.
func TestStudy(t *testing.T) {
	rounds := ciOr(t, 8, 3)
	for i := range studyScenarios {
		s := &studyScenarios[i]
		t.Run(s.name, func(t *testing.T) {
			lines, err := s.run(&terminal{ctx: t.Context()}, rounds, 6)
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
			if !s.selfSelected && claimed < 1250*rounds {
				t.Errorf("only %d intervals claim to hold", claimed)
			}
		})
	}
}

// The index of a split form, by means and pooled, is that of the full form but for
// chance, though items are asked with different probabilities; where those are
// forgotten the pooled one is not.
func TestStudySplitFormIsUnbiased(t *testing.T) {
	waits(t)
	whole := func(s studyScenario, seed uint64) (error, width float64) {
		lines, err := s.run(&terminal{ctx: t.Context()}, 1, seed)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if !l.class.unit && l.class.what == "index" && l.class.weighted {
				return l.bias, l.width
			}
		}
		t.Fatal("no index of the whole")
		return 0, 0
	}
	// Of a chi-squared with so many degrees of freedom the second leaves one in a thousand;
	// a bias is above the third.
	limits := ciOr(t, [3]float64{6, 23, 100}, [3]float64{2, 14, 33})
	fulls := map[string][2]float64{}
	for _, c := range []struct {
		scenario, method string
		forget, biased   bool
	}{{"split", "", false, false}, {"split-unequal", "", false, false}, {"split-unequal", "pooled", false, false}, {"split-unequal", "pooled", true, true}} {
		split := studyScenarios[slices.IndexFunc(studyScenarios, func(s studyScenario) bool { return s.name == c.scenario })]
		split.params = func(p *seeds.Params) { p.ItemSD, p.Answers = 0.8, 5000 }
		split.method, split.forget = c.method, c.forget
		full := split
		full.modules = nil
		// Who is asked what is drawn anew for the same people, so that the
		// difference has the error that the split form adds.
		sum, rounds := 0.0, int(limits[0])
		for seed := range uint64(rounds) {
			is, width := whole(split, seed)
			key := fmt.Sprint(c.method, seed)
			if _, done := fulls[key]; !done {
				was, narrow := whole(full, seed)
				fulls[key] = [2]float64{was, narrow}
			}
			was, narrow := fulls[key][0], fulls[key][1]
			se := math.Sqrt(width*width-narrow*narrow) / 2 / 1.96
			sum += (is - was) * (is - was) / se / se
		}
		if biased := sum > limits[1]; biased != c.biased || c.biased && sum < limits[2] {
			t.Errorf("%+v: squared differences sum to %.1f variances in %d rounds", c, sum, rounds)
		}
		t.Logf("%+v: %.1f", c, sum)
	}
}

// The same seed gives the same table, however many rounds are simulated at once.
func TestStudyIsRepeatable(t *testing.T) {
	waits(t)
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
