package stats

import (
	"errors"
	"fmt"
	"math"
)

// LonelyPSU says what the variance does with a stratum that has one sampled PSU of several: one PSU
// shows no variation. The same rule holds at later stages for a unit with one subunit of several. A
// fully sampled stratum is never lonely.
type LonelyPSU string

// The rules for lonely PSUs.
const (
	LonelyFail      LonelyPSU = "fail"      // an error wrapping ErrLonelyPSU
	LonelyCertainty LonelyPSU = "certainty" // contributes 0, as if drawn with certainty
	LonelyRemove    LonelyPSU = "remove"    // contributes 0, as if the stratum were not there
	LonelyAdjust    LonelyPSU = "adjust"    // its total is centred at 0, the mean over all strata
	// LonelyAverage gives a lonely stratum the mean first-stage variance of the strata that have one.
	// At later stages it contributes 0: there is no set of units to take a mean over.
	LonelyAverage LonelyPSU = "average"
)

// Errors of designs and variances; they come wrapped with the place.
var (
	// ErrDesign means that the columns describe no possible sample.
	ErrDesign = errors.New("invalid design")
	// ErrLonelyPSU means that a variance needs a stratum with one PSU of several, under LonelyFail; or,
	// under LonelyAverage, that no stratum has a variance to take the mean of.
	ErrLonelyPSU = errors.New("stratum with one PSU")
)

// SamplingColumns describes how rows were sampled. Every column has one value a row.
type SamplingColumns struct {
	// Strata holds stratum codes; nil means one stratum. Only the first stage is stratified.
	Strata []int
	// Clusters holds unit codes by stage, first-stage units (PSUs) first; none means that every row is
	// its own PSU. Codes of later stages need to differ only within their unit.
	Clusters [][]int
	// Populations holds by stage how many units there are to sample from: PSUs in the stratum, then
	// units in the unit above. None means sampling with replacement: only the PSUs enter the variance.
	Populations [][]float64
	// Weights holds sampling weights: how many people a row stands for, finite and not negative.
	Weights []float64
	// Nest says that PSU codes repeat across strata: a PSU is then (stratum, code).
	Nest bool
	// Lonely is the rule for lonely PSUs; empty means LonelyFail.
	Lonely LonelyPSU
}

// SamplingDesign is a validated sampling design. It is immutable.
type SamplingDesign struct {
	rows    int
	weights []float64
	lonely  LonelyPSU
	strata  []*samplingStage
	stratum []int // of each row, an index of strata
	psu     []int // of each row, numbered over the whole design
	psus    int
}

// samplingStage is the units sampled from one population: the PSUs of a stratum, or the units within a unit.
type samplingStage struct {
	name       string
	population float64 // +Inf: sampled with replacement
	units      []sampledUnit
}

type sampledUnit struct {
	rows   []int
	within *samplingStage // nil at the last stage
}

// NewSamplingDesign validates the columns. Every error wraps ErrDesign: columns of different lengths, weights
// or populations that are negative or not numbers, an unknown lonely rule, a PSU in two strata without
// Nest, a population that differs within its stratum or unit or is smaller than its sample.
func NewSamplingDesign(c SamplingColumns) (*SamplingDesign, error) {
	d := &SamplingDesign{rows: len(c.Weights), weights: c.Weights, lonely: c.Lonely}
	if d.lonely == "" {
		d.lonely = LonelyFail
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	all := make([]int, d.rows)
	for i := range all {
		all[i] = i
	}
	byStratum := [][]int{all}
	if c.Strata != nil {
		byStratum = splitByCode(all, c.Strata)
	}
	d.stratum, d.psu = make([]int, d.rows), make([]int, d.rows)
	seen := map[int]bool{}
	for h, rows := range byStratum {
		st, err := c.stage(1, rows)
		if err != nil {
			return nil, err
		}
		d.strata = append(d.strata, st)
		for _, u := range st.units {
			if len(c.Clusters) > 0 && !c.Nest {
				code := c.Clusters[0][u.rows[0]]
				if seen[code] {
					return nil, fmt.Errorf("%w: a PSU lies in two strata (row %d)", ErrDesign, u.rows[0]+1)
				}
				seen[code] = true
			}
			for _, i := range u.rows {
				d.stratum[i], d.psu[i] = h, d.psus
			}
			d.psus++
		}
	}
	return d, nil
}

func (c SamplingColumns) validate() error {
	rows := len(c.Weights)
	if rows == 0 {
		return fmt.Errorf("%w: no rows", ErrDesign)
	}
	switch c.Lonely {
	case "", LonelyFail, LonelyCertainty, LonelyRemove, LonelyAdjust, LonelyAverage:
	default:
		return fmt.Errorf("%w: unknown rule %q for lonely PSUs", ErrDesign, c.Lonely)
	}
	if c.Strata != nil && len(c.Strata) != rows {
		return fmt.Errorf("%w: %d strata for %d rows", ErrDesign, len(c.Strata), rows)
	}
	for i, ids := range c.Clusters {
		if len(ids) != rows {
			return fmt.Errorf("%w: %d cluster codes of stage %d for %d rows", ErrDesign, len(ids), i+1, rows)
		}
	}
	if len(c.Populations) > max(1, len(c.Clusters)) {
		return fmt.Errorf("%w: populations of %d stages for clusters of %d", ErrDesign, len(c.Populations), len(c.Clusters))
	}
	for i, sizes := range c.Populations {
		if len(sizes) != rows {
			return fmt.Errorf("%w: %d populations of stage %d for %d rows", ErrDesign, len(sizes), i+1, rows)
		}
	}
	for i, w := range c.Weights {
		if !(w >= 0) || math.IsInf(w, 1) {
			return fmt.Errorf("%w: weight %v in row %d", ErrDesign, w, i+1)
		}
	}
	return nil
}

// stage builds the given stage (1 is the first) from the rows of one stratum or unit.
func (c SamplingColumns) stage(number int, rows []int) (*samplingStage, error) {
	st := &samplingStage{name: fmt.Sprintf("stage %d, around row %d", number, rows[0]+1), population: math.Inf(1)}
	units := make([][]int, 0, len(rows))
	if len(c.Clusters) == 0 {
		for i := range rows {
			units = append(units, rows[i:i+1])
		}
	} else {
		units = splitByCode(rows, c.Clusters[number-1])
	}
	if number <= len(c.Populations) {
		sizes := c.Populations[number-1]
		st.population = sizes[rows[0]]
		for _, i := range rows {
			if sizes[i] != st.population { // also where either is NaN
				return nil, fmt.Errorf("%w: populations %v and %v in one place (%s)", ErrDesign, st.population, sizes[i], st.name)
			}
		}
		if st.population < float64(len(units)) {
			return nil, fmt.Errorf("%w: %d units sampled of %v (%s)", ErrDesign, len(units), st.population, st.name)
		}
	}
	// With replacement at the first stage the PSUs alone give the variance (ultimate clusters).
	deeper := len(c.Populations) > 0 && number < len(c.Clusters)
	for _, r := range units {
		u := sampledUnit{rows: r}
		if deeper {
			var err error
			if u.within, err = c.stage(number+1, r); err != nil {
				return nil, err
			}
		}
		st.units = append(st.units, u)
	}
	return st, nil
}

// splitByCode groups rows by code, in order of first appearance.
func splitByCode(rows, codes []int) [][]int {
	var groups [][]int
	at := map[int]int{}
	for _, i := range rows {
		g, ok := at[codes[i]]
		if !ok {
			g = len(groups)
			at[codes[i]] = g
			groups = append(groups, nil)
		}
		groups[g] = append(groups[g], i)
	}
	return groups
}

// spread counts the PSUs and the strata that have a member.
func (d *SamplingDesign) spread(member []bool) (psus, strata int) {
	stratumSeen, psuSeen := make([]bool, len(d.strata)), make([]bool, d.psus)
	for i, in := range member {
		if !in {
			continue
		}
		if !psuSeen[d.psu[i]] {
			psuSeen[d.psu[i]] = true
			psus++
		}
		if !stratumSeen[d.stratum[i]] {
			stratumSeen[d.stratum[i]] = true
			strata++
		}
	}
	return psus, strata
}
