package stats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The reference is computed with R's survey package; testdata/statsref/README.md states conventions,
// tolerances and origin. SIPAS_STATSREF names another folder of the same layout, with its own cases and
// data, to run in its place.

// referenceGroups are the case files that the folder of the repository must have.
var referenceGroups = []string{
	"calibration", "compare", "distributions", "domain", "drivers", "groups", "index", "kish", "lonely", "mean",
	"multiple", "planning", "proportion", "ratio", "reliability", "scale", "total", "trend",
}

// estimators compute the expected object of a case, by the case's estimator.
var estimators = map[string]func(*refCase) (any, error){
	"allocation":           refAllocation,
	"alpha":                refAlpha,
	"calibrated":           refCalibrated,
	"chisq":                refChiSquared,
	"compare_domains":      refCompareDomains,
	"composite_of_domains": refComposite,
	"domain_table":         refDomainTable,
	"group_means_wald":     refMeansWald,
	"index":                refIndex,
	"ipa":                  refImportancePerformance,
	"key_drivers":          refKeyDrivers,
	"kish":                 refKish,
	"lonely_psu":           refLonely,
	"mann_kendall":         refMannKendall,
	"mean":                 refMean,
	"multiplicity":         refMultiplicity,
	"p_adjust":             refAdjustP,
	"prop_trend":           refShareTrend,
	"proportion":           refProportion,
	"rank_test":            refRankTest,
	"ratio":                refRatio,
	"reliability_flags":    refReliability,
	"sample_size":          refSampleSize,
	"total":                refTotal,
	"trend_contrast":       refTrendContrast,
}

func referenceFolder(t *testing.T) (folder string, own bool) {
	t.Helper()
	if folder := os.Getenv("SIPAS_STATSREF"); folder != "" {
		return folder, false
	}
	return filepath.Join("testdata", "statsref"), true
}

func TestReference(t *testing.T) {
	folder, own := referenceFolder(t)
	files, err := filepath.Glob(filepath.Join(folder, "cases", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files in %s (%v)", filepath.Join(folder, "cases"), err)
	}
	var groups []string
	for _, file := range files {
		groups = append(groups, strings.TrimSuffix(filepath.Base(file), ".json"))
	}
	if own && !slices.Equal(groups, referenceGroups) {
		t.Errorf("case files %v, want %v", groups, referenceGroups)
	}
	for i, group := range groups {
		t.Run(group, func(t *testing.T) {
			if group == "distributions" {
				checkDistributions(t, files[i])
				return
			}
			cases := readCases(t, files[i])
			for _, c := range cases {
				t.Run(c.ID, func(t *testing.T) {
					for _, problem := range c.run(folder) {
						t.Error(problem)
					}
				})
			}
		})
	}
}

func readCases(t *testing.T, file string) []*refCase {
	t.Helper()
	var content struct {
		Schema int
		Cases  []json.RawMessage
	}
	readJSON(t, file, &content)
	if content.Schema != 1 || len(content.Cases) == 0 {
		t.Fatalf("%s: schema %d with %d cases, want schema 1 with some", file, content.Schema, len(content.Cases))
	}
	cases := make([]*refCase, len(content.Cases))
	for i, raw := range content.Cases {
		cases[i] = &refCase{}
		if err := decodeStrictly(raw, cases[i]); err != nil {
			t.Fatalf("%s, case %d: %v", file, i+1, err)
		}
	}
	return cases
}

// run computes a case and returns what differs from the reference.
func (c *refCase) run(folder string) []string {
	estimator, ok := estimators[c.Estimator]
	if !ok {
		return []string{"unknown estimator " + c.Estimator}
	}
	if c.Data != "" {
		var err error
		if c.table, err = readTable(filepath.Join(folder, filepath.FromSlash(c.Data))); err != nil {
			return []string{err.Error()}
		}
	}
	got, err := estimator(c)
	if err != nil {
		return []string{err.Error()}
	}
	var d differences
	d.compare("", c.Expected, plain(got))
	return d
}

// object is a computed JSON object. Values that are not defined are NaN or nil.
type object map[string]any

// plain turns computed values into what encoding/json reads: map[string]any, []any, float64, string,
// with nil for NaN and for an interval that does not exist.
func plain(v any) any {
	switch v := v.(type) {
	case object:
		m := map[string]any{}
		for key, value := range v {
			m[key] = plain(value)
		}
		return m
	case []object:
		return plainList(v)
	case []any:
		return plainList(v)
	case []string:
		return plainList(v)
	case []float64:
		return plainList(v)
	case []int:
		return plainList(v)
	case [][]float64:
		return plainList(v)
	case Interval:
		if math.IsNaN(v.Low) || math.IsNaN(v.High) {
			return nil
		}
		return []any{v.Low, v.High}
	case int:
		return float64(v)
	case float64:
		if math.IsNaN(v) {
			return nil
		}
		return v
	case string, bool, nil:
		return v
	}
	panic(fmt.Sprintf("no plain form of %T", v))
}

func plainList[T any](list []T) []any {
	plainList := make([]any, len(list))
	for i, v := range list {
		plainList[i] = plain(v)
	}
	return plainList
}

// differences are what a comparison found.
type differences []string

func (d *differences) add(path, format string, args ...any) {
	*d = append(*d, strings.TrimPrefix(path, ".")+": "+fmt.Sprintf(format, args...))
}

// compare compares a value with the expected one: the same keys, except that null, absent and not
// computed mean the same; numbers within the tolerance of their key; all else exactly. R writes a list
// of one as its only element.
func (d *differences) compare(path string, want, got any) {
	if list, ok := got.([]any); ok && len(list) == 1 {
		if _, isList := want.([]any); !isList {
			d.compare(path, want, list[0])
			return
		}
	}
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		if !ok {
			d.add(path, "computed %v, want an object", got)
			return
		}
		d.compareObjects(path, want, got)
	case []any:
		if got == nil && !slices.ContainsFunc(want, func(v any) bool { return v != nil }) {
			return // an interval without limits
		}
		got, ok := got.([]any)
		if !ok || len(got) != len(want) {
			d.add(path, "computed %v, want a list of %d", got, len(want))
			return
		}
		for i := range want {
			d.compare(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])
		}
	case float64:
		if got, ok := got.(float64); !ok || !within(path, got, want) {
			d.add(path, "computed %v, want %v", got, want)
		}
	default:
		if got != want {
			d.add(path, "computed %v, want %v", got, want)
		}
	}
}

func (d *differences) compareObjects(path string, want, got map[string]any) {
	for key, value := range want {
		switch key {
		case "information": // answers of other routines
		case "traps":
			d.checkTraps(path, value, want, got)
		default:
			if _, computed := got[key]; !computed && value != nil {
				d.add(path+"."+key, "is not computed")
				continue
			}
			d.compare(path+"."+key, value, got[key])
		}
	}
	for key, value := range got {
		if _, ok := want[key]; !ok && value != nil {
			d.add(path+"."+key, "computed %v where the reference has nothing", value)
		}
	}
}

// checkTraps sees that no estimate or standard error is that of a known mistake.
func (d *differences) checkTraps(path string, traps any, want, got map[string]any) {
	if index, ok := want["index"].(map[string]any); ok {
		want = index
		got, _ = got["index"].(map[string]any)
	}
	named, _ := traps.(map[string]any)
	for name, value := range named {
		key := "estimate"
		if strings.HasPrefix(name, "se_") || strings.HasSuffix(name, "_se") {
			key = "se"
		}
		trap, isNumber := value.(float64)
		right, expected := want[key].(float64)
		computed, ok := got[key].(float64)
		if isNumber && expected && ok && !within(path+"."+key, trap, right) && within(path+"."+key, computed, trap) {
			d.add(path, "%s = %v is the mistake %s", key, computed, name)
		}
	}
}

// within says whether got is want, to the tolerance of the last key of path.
func within(path string, got, want float64) bool {
	key := path[strings.LastIndexByte(path, '.')+1:]
	if strings.HasPrefix(key, "p_") || strings.Contains(key, "_p_") {
		return math.Abs(got-want) <= 1e-6*math.Abs(want)
	}
	if math.Abs(want) < 1e-10 {
		return math.Abs(got-want) <= 1e-12
	}
	return math.Abs(got-want) <= 1e-9*math.Abs(want)
}

// checkDistributions compares the distribution functions with a table of values.
func checkDistributions(t *testing.T, file string) {
	var table struct {
		Values []struct {
			Fn    string
			Args  []float64
			Value float64
		}
	}
	readJSON(t, file, &table)
	if len(table.Values) == 0 {
		t.Fatal("no values")
	}
	one := func(f func(float64) float64) func([]float64) float64 {
		return func(a []float64) float64 { return f(a[0]) }
	}
	two := func(f func(x, y float64) float64) func([]float64) float64 {
		return func(a []float64) float64 { return f(a[0], a[1]) }
	}
	three := func(f func(x, y, z float64) float64) func([]float64) float64 {
		return func(a []float64) float64 { return f(a[0], a[1], a[2]) }
	}
	functions := map[string]func([]float64) float64{
		"qnorm": one(NormalQuantile), "pnorm_upper": one(NormalUpperTail),
		"qt": two(TQuantile), "pt_lower": two(TLowerTail), "pt_upper": two(TUpperTail),
		"qbeta": three(BetaQuantile), "pbeta_lower": three(BetaLowerTail),
		"pf_upper": three(FUpperTail), "pchisq_upper": two(ChiSquaredUpperTail),
	}
	for _, v := range table.Values {
		f, ok := functions[v.Fn]
		if !ok {
			t.Errorf("unknown function %s", v.Fn)
			continue
		}
		if got := f(v.Args); !(math.Abs(got-v.Value) <= 1e-9*math.Abs(v.Value)) {
			t.Errorf("%s%v = %v, want %v", v.Fn, v.Args, got, v.Value)
		}
	}
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// decodeStrictly refuses fields that into does not have: an option nobody reads would be computed
// without.
func decodeStrictly(content []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}
