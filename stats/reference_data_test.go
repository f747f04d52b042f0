package stats

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
)

// refCase is one case of the reference; statsref/README.md explains the fields.
type refCase struct {
	ID, Estimator, Note, Source string
	Data                        string
	Design                      refDesign
	Domain                      []condition
	Variables                   []variable
	Options                     json.RawMessage
	Expected                    any

	table *table
}

type refDesign struct {
	Strata, Clusters, FPC []string
	Weights               string
	Nest                  bool
	LonelyPSU             LonelyPSU `json:"lonely_psu"`
	Calibration           []json.RawMessage
}

// options decodes the options of the case; one that into does not have is an error.
func (c *refCase) options(into any) error {
	if len(c.Options) == 0 {
		return nil
	}
	if err := decodeStrictly(c.Options, into); err != nil {
		return fmt.Errorf("options: %w", err)
	}
	return nil
}

// table is a data file; empty cells are missing.
type table struct {
	names []string
	cells map[string][]string
	rows  int
}

func readTable(path string) (*table, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	records, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(records) < 2 {
		return nil, fmt.Errorf("%s has no rows", path)
	}
	t := &table{names: records[0], cells: map[string][]string{}, rows: len(records) - 1}
	for j, name := range t.names {
		for _, record := range records[1:] {
			t.cells[name] = append(t.cells[name], record[j])
		}
	}
	return t, nil
}

func (t *table) text(name string) ([]string, error) {
	cells, ok := t.cells[name]
	if !ok {
		return nil, fmt.Errorf("no column %q", name)
	}
	return cells, nil
}

func (t *table) numbers(name string) ([]float64, error) {
	cells, err := t.text(name)
	if err != nil {
		return nil, err
	}
	y := make([]float64, len(cells))
	for i, cell := range cells {
		if y[i] = math.NaN(); cell == "" {
			continue
		}
		if y[i], err = strconv.ParseFloat(cell, 64); err != nil {
			return nil, fmt.Errorf("column %q: %w", name, err)
		}
	}
	return y, nil
}

// levels classifies all rows by some columns; with complete, a missing cell is an error.
func (t *table) levels(complete bool, names ...string) (class []int, labels []string, err error) {
	var columns [][]string
	for _, name := range names {
		cells, err := t.text(name)
		if err != nil {
			return nil, nil, err
		}
		columns = append(columns, cells)
	}
	class, labels = Levels(columns...)
	if i := slices.Index(class, -1); complete && i >= 0 {
		return nil, nil, fmt.Errorf("row %d misses one of %v", i+1, names)
	}
	return class, labels, nil
}

// condition compares a column with a value: a number, a text, or for "in" a list of them.
type condition struct {
	Col, Op string
	Value   any
}

// holds says of every row whether the condition holds and whether the cell is missing.
func (c condition) holds(t *table) (holds, missing []bool, err error) {
	cells, err := t.text(c.Col)
	if err != nil {
		return nil, nil, err
	}
	values, isList := c.Value.([]any)
	if isList != (c.Op == "in") {
		return nil, nil, fmt.Errorf("condition %s %s %v", c.Col, c.Op, c.Value)
	}
	if !isList {
		values = []any{c.Value}
	}
	holds, missing = make([]bool, len(cells)), make([]bool, len(cells))
	for i, cell := range cells {
		if missing[i] = cell == ""; missing[i] {
			holds[i] = c.Op == "ne"
			continue
		}
		for _, value := range values {
			order, err := compareCell(cell, value)
			if err != nil {
				return nil, nil, fmt.Errorf("condition on %s: %w", c.Col, err)
			}
			switch c.Op {
			case "eq", "in":
				holds[i] = holds[i] || order == 0
			case "ne":
				holds[i] = order != 0
			case "ge":
				holds[i] = order >= 0
			case "le":
				holds[i] = order <= 0
			default:
				return nil, nil, fmt.Errorf("unknown condition %q", c.Op)
			}
		}
	}
	return holds, missing, nil
}

func compareCell(cell string, value any) (int, error) {
	switch value := value.(type) {
	case string:
		return strings.Compare(cell, value), nil
	case float64:
		number, err := strconv.ParseFloat(cell, 64)
		switch {
		case err != nil:
			return 0, err
		case number < value:
			return -1, nil
		case number > value:
			return 1, nil
		}
		return 0, nil
	}
	return 0, fmt.Errorf("value %v of type %T", value, value)
}

// domain is the mask of rows where all conditions hold.
func (c *refCase) domain(more ...condition) ([]bool, error) {
	mask := make([]bool, c.table.rows)
	for i := range mask {
		mask[i] = true
	}
	for _, condition := range append(slices.Clone(c.Domain), more...) {
		holds, _, err := condition.holds(c.table)
		if err != nil {
			return nil, err
		}
		for i := range mask {
			mask[i] = mask[i] && holds[i]
		}
	}
	return mask, nil
}

// variable is a column of numbers, or with a condition the indicator of that.
type variable condition

func (v variable) name() string {
	if v.Op == "" {
		return v.Col
	}
	return fmt.Sprintf("%s_%s_%v", v.Col, v.Op, v.Value)
}

func (v variable) isShare() bool { return v.Op != "" }

func (v variable) column(t *table) ([]float64, error) {
	if v.Op == "" {
		return t.numbers(v.Col)
	}
	holds, missing, err := condition(v).holds(t)
	if err != nil {
		return nil, err
	}
	y := make([]float64, len(holds))
	for i := range y {
		switch {
		case missing[i]:
			y[i] = math.NaN()
		case holds[i]:
			y[i] = 1
		}
	}
	return y, nil
}

// sample builds the design of the case and calibrates its weights.
func (c *refCase) sample() (*Sample, error) {
	s, err := c.uncalibrated(c.Design.LonelyPSU)
	if err != nil {
		return nil, err
	}
	for _, raw := range c.Design.Calibration {
		var step struct{ Method string }
		if err := json.Unmarshal(raw, &step); err != nil {
			return nil, err
		}
		calibrate, ok := calibrationSteps[step.Method]
		if !ok {
			return nil, fmt.Errorf("unknown calibration %q", step.Method)
		}
		if s, err = calibrate(s, c.table, raw); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (c *refCase) uncalibrated(lonely LonelyPSU) (*Sample, error) {
	columns := SamplingColumns{Nest: c.Design.Nest, Lonely: lonely}
	var err error
	if len(c.Design.Strata) > 0 {
		if columns.Strata, _, err = c.table.levels(true, c.Design.Strata...); err != nil {
			return nil, err
		}
	}
	for _, name := range c.Design.Clusters {
		ids, _, err := c.table.levels(true, name)
		if err != nil {
			return nil, err
		}
		columns.Clusters = append(columns.Clusters, ids)
	}
	for _, name := range c.Design.FPC {
		sizes, err := c.table.numbers(name)
		if err != nil {
			return nil, err
		}
		columns.Populations = append(columns.Populations, sizes)
	}
	if columns.Weights, err = c.table.numbers(c.Design.Weights); err != nil {
		return nil, err
	}
	design, err := NewSamplingDesign(columns)
	if err != nil {
		return nil, err
	}
	return NewSample(design), nil
}

var calibrationSteps = map[string]func(*Sample, *table, json.RawMessage) (*Sample, error){
	"poststratify": refPostStratify,
	"rake":         refRake,
	"linear":       refLinear,
	"trim":         refTrim,
}

func refPostStratify(s *Sample, t *table, raw json.RawMessage) (*Sample, error) {
	var step struct {
		Method string
		Vars   []string
		Cells  []struct {
			Key map[string]any
			N   float64
		}
	}
	if err := decodeStrictly(raw, &step); err != nil {
		return nil, err
	}
	totals := map[string]float64{}
	for _, cell := range step.Cells {
		var key []string
		for _, name := range step.Vars {
			key = append(key, fmt.Sprint(cell.Key[name]))
		}
		totals[strings.Join(key, "|")] = cell.N
	}
	m, err := marginOf(t, totals, step.Vars...)
	if err != nil {
		return nil, err
	}
	return s.PostStratify(m.Class, m.Sizes)
}

// marginOf is the margin of the classes that some columns make, with their sizes by label.
func marginOf(t *table, totals map[string]float64, names ...string) (Margin, error) {
	class, labels, err := t.levels(true, names...)
	if err != nil {
		return Margin{}, err
	}
	m := Margin{Class: class}
	for _, label := range labels {
		size, ok := totals[label]
		if !ok {
			return Margin{}, fmt.Errorf("no total for %v = %s", names, label)
		}
		m.Sizes = append(m.Sizes, size)
	}
	if len(totals) != len(labels) {
		return Margin{}, fmt.Errorf("%d totals for %d classes of %v", len(totals), len(labels), names)
	}
	return m, nil
}

func refRake(s *Sample, t *table, raw json.RawMessage) (*Sample, error) {
	var step struct {
		Method  string
		Margins []struct {
			Var    string
			Totals map[string]float64
		}
	}
	if err := decodeStrictly(raw, &step); err != nil {
		return nil, err
	}
	var margins []Margin
	for _, margin := range step.Margins {
		m, err := marginOf(t, margin.Totals, margin.Var)
		if err != nil {
			return nil, err
		}
		margins = append(margins, m)
	}
	return s.Rake(margins...)
}

func refLinear(s *Sample, t *table, raw json.RawMessage) (*Sample, error) {
	var step struct {
		Method        string
		N             float64
		Factors       []string
		FactorTotals  map[string]map[string]float64 `json:"factor_totals"`
		Numeric       []string
		NumericTotals map[string]float64 `json:"numeric_totals"`
	}
	if err := decodeStrictly(raw, &step); err != nil {
		return nil, err
	}
	auxiliaries, totals := [][]float64{classIndicator(make([]int, t.rows), 0)}, []float64{step.N}
	for _, name := range step.Factors {
		m, err := marginOf(t, step.FactorTotals[name], name)
		if err != nil {
			return nil, err
		}
		for c := 1; c < len(m.Sizes); c++ {
			auxiliaries, totals = append(auxiliaries, classIndicator(m.Class, c)), append(totals, m.Sizes[c])
		}
	}
	for _, name := range step.Numeric {
		x, err := t.numbers(name)
		if err != nil {
			return nil, err
		}
		auxiliaries, totals = append(auxiliaries, x), append(totals, step.NumericTotals[name])
	}
	return s.CalibrateLinear(auxiliaries, totals)
}

func refTrim(s *Sample, _ *table, raw json.RawMessage) (*Sample, error) {
	var step struct {
		Method       string
		Upper, Lower *float64
		Strict       bool
	}
	if err := decodeStrictly(raw, &step); err != nil {
		return nil, err
	}
	lower, upper := math.Inf(-1), math.Inf(1)
	if step.Lower != nil {
		lower = *step.Lower
	}
	if step.Upper != nil {
		upper = *step.Upper
	}
	return s.Trim(lower, upper, step.Strict)
}
