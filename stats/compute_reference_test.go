package stats

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// indexCase is a case of testdata/statsref/cases/index.json; its README
// defines the fields.
type indexCase struct {
	ID     string
	Data   string
	Domain []struct{ Col, Op, Value string }
	Design struct{ FPC []string }

	Options struct {
		Combine Combine
		Factors []struct {
			Name   string
			Weight float64
			Items  []string
		}
	}
	Expected struct {
		N, DF int
		Items []struct {
			Item         string
			N            int
			Estimate, SE float64
		}
		Factors []struct{ Estimate, SE float64 }
		Index   struct {
			Estimate, SE float64
			CILogit      []float64 `json:"ci_logit"`
		}
	}
}

// sipasA reads sipas_a.csv into a block and the tables of a plan: a place a
// unit, a person a sex.
func sipasA(t testing.TB, where []struct{ Col, Op, Value string }) (*Plan, *Rows) {
	f, err := os.Open("testdata/statsref/data/sipas_a.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	col := map[string]int{}
	for i, name := range lines[0] {
		col[name] = i
	}
	number := func(s string) float64 {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	plan := &Plan{Items: 22, Design: Drawn, PSUSize: map[uint64]float64{}}
	units, sexes, strata, psus := map[string]uint32{}, map[string]uint32{}, map[string]uint64{}, map[string]uint64{}
	b := NewBuilder(22, true)
	for _, line := range lines[1:] {
		get := func(name string) string { return line[col[name]] }
		matches := func(name string) bool {
			for _, w := range where {
				if w.Col == name && get(name) != w.Value {
					return false
				}
			}
			return true
		}
		if _, ok := units[get("unit")]; !ok {
			units[get("unit")] = uint32(len(units))
			plan.Places = append(plan.Places, Place{Counted: true, In: matches("unit"), Cell: -1, Unit: int32(plan.Units), Group: -1})
			plan.Units++
		}
		if _, ok := sexes[get("sex")]; !ok {
			sexes[get("sex")] = uint32(len(sexes))
			plan.Persons = append(plan.Persons, Person{In: matches("sex"), Group: -1})
		}
		if _, ok := strata[get("stratum")]; !ok {
			strata[get("stratum")] = uint64(len(strata))
			plan.Strata = append(plan.Strata, Stratum{Unit: int32(units[get("unit")]), PSUs: number(get("m_pop"))})
		}
		if _, ok := psus[get("counter")]; !ok {
			key := strata[get("stratum")]<<32 | uint64(len(psus))
			psus[get("counter")] = key
			plan.PSUSize[key] = number(get("n_pop"))
		}
		var answers strings.Builder
		for k := 1; k <= 22; k++ {
			answer := get(fmt.Sprintf("c%02d", k))
			if answer == "" {
				answer = "n"
			}
			answers.WriteString(answer)
		}
		var id [16]byte
		copy(id[:], fmt.Sprintf("%16s", get("id")))
		err := b.Add(Row{ID: id, PSU: psus[get("counter")], Place: units[get("unit")], Person: sexes[get("sex")],
			Weight: number(get("w")), Answers: answers.String()})
		if err != nil {
			t.Fatal(err)
		}
	}
	return plan, b.Build()
}

// TestComputeReference compares whole reports of the imported sipas_a.csv with
// R's survey package: two-stage design, finite population corrections, domain
// by unit (whole strata) and by sex (across PSUs), both ways to combine.
func TestComputeReference(t *testing.T) {
	raw, err := os.ReadFile("testdata/statsref/cases/index.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []json.RawMessage }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"index-equal-means-a": true, "index-equal-pooled-a": true, "index-weighted-means-a": true,
		"index-unit-a": true, "index-domain-a": true}
	for _, raw := range file.Cases {
		var head struct{ ID string }
		if err := json.Unmarshal(raw, &head); err != nil {
			t.Fatal(err)
		}
		if !want[head.ID] {
			continue
		}
		delete(want, head.ID)
		t.Run(head.ID, func(t *testing.T) {
			var c indexCase
			if err := json.Unmarshal(raw, &c); err != nil {
				t.Fatal(err)
			}
			checkIndexCase(t, &c)
		})
	}
	for id := range want {
		t.Errorf("case %s is missing", id)
	}
}

func checkIndexCase(t *testing.T, c *indexCase) {
	plan, rows := sipasA(t, c.Domain)
	method := Method{Name: c.ID, Version: "1", Combine: c.Options.Combine}
	for _, f := range c.Options.Factors {
		var items []int
		for _, name := range f.Items {
			k, err := strconv.Atoi(name[1:])
			if err != nil {
				t.Fatal(err)
			}
			items = append(items, k-1)
		}
		plan.Factors = append(plan.Factors, items)
		method.FactorWeights = append(method.FactorWeights, f.Weight)
	}
	plan.Methods = []Method{method}
	result, err := Compute(plan, rows)
	if err != nil {
		t.Fatal(err)
	}
	got := result.Total.Weighted
	same := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-9*math.Abs(want)) {
			t.Errorf("%s = %.15g, want %.15g", what, got, want)
		}
	}
	e := c.Expected
	same("n", float64(got.N), float64(e.N))
	same("df", float64(got.Index[0].DF), float64(e.DF))
	for k, want := range e.Items {
		same(want.Item+" n", float64(got.Items[k].N), float64(want.N))
		same(want.Item, got.Items[k].P, want.Estimate)
		same(want.Item+" se", got.Items[k].SE, want.SE)
	}
	for f, want := range e.Factors {
		same(fmt.Sprint("factor ", f), got.Factors[f].P, want.Estimate)
		same(fmt.Sprint("factor se ", f), got.Factors[f].SE, want.SE)
	}
	same("index", got.Index[0].P, e.Index.Estimate)
	same("index se", got.Index[0].SE, e.Index.SE)
	same("index low", got.Index[0].CI.Low, e.Index.CILogit[0])
	same("index high", got.Index[0].CI.High, e.Index.CILogit[1])
}
