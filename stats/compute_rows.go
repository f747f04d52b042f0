package stats

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Errors of AnswerSampleOf.
var (
	// ErrTooManyRows: the sample would hold more rows than asked for.
	ErrTooManyRows = errors.New("too many answers")
	// ErrDrawCounts: the domain has rows where more was drawn than there is (ReasonDrawCounts).
	ErrDrawCounts = errors.New("contradictory counts of a draw")
)

// AnswerSample is the rows of a question one by one, for what Compute does not compute.
type AnswerSample struct {
	// Sample has the weights, strata and PSUs of Compute: equal estimates have equal standard errors.
	*Sample
	// Domain marks the rows that the question is about and that bear weight.
	Domain []bool
	// Levels has a column for each item: 1 to 5, NaN where there is no level.
	Levels [][]float64
}

// AnswerSampleOf reads the rows of a question's domain, with the weights of the design or with weight 1, and the other rows that its
// errors need: those of the same units (Visitors) or strata (Drawn, raked), at most limit. What a raked round needs of all others are a few rows
// that stand for them. Groups of the plan play no part. A row takes some 8 bytes an item
// and 50 more. Errors: those of Compute, ErrTooManyRows, ErrDrawCounts, ErrLonelyPSU, and ErrUndefined where no row bears weight.
func AnswerSampleOf(plan *Plan, weighted bool, limit int, blocks ...*Rows) (*AnswerSample, error) {
	if err := plan.Check(); err != nil {
		return nil, err
	}
	blocks, err := usable(plan, blocks)
	if err != nil {
		return nil, err
	}
	r := newRowReader(plan, weighted, blocks)
	size, err := r.needed(blocks)
	switch {
	case err != nil:
		return nil, err
	case size > limit:
		return nil, fmt.Errorf("%w: %d, at most %d", ErrTooManyRows, size, limit)
	case size == 0:
		return nil, undefined("no answer bears weight")
	}
	return r.read(blocks, size)
}

// rowReader finds the rows of a sample and what they belong to.
type rowReader struct {
	plan     *Plan
	weighted bool
	weights  cellWeights
	classer  *classer
	strata   []stratum
	of       []int  // stratum of the plan → index of strata
	part     []bool // units (Visitors) or strata (Drawn, raked) that the sample needs
	raking   *raking
	classes  []int32
}

func newRowReader(plan *Plan, weighted bool, blocks []*Rows) *rowReader {
	sample := takeSample(plan, blocks, cutLanes(blocks))
	r := &rowReader{plan: plan, weighted: weighted, strata: designStrata(plan, sample.stratumPSUs), of: make([]int, len(plan.Strata)),
		part: make([]bool, max(plan.Units, len(plan.Strata)))}
	if plan.Design == Visitors {
		r.weights = weigh(plan, sample.cellAnswers)
	}
	r.classer = newClasser(plan, &r.weights)
	if weighted {
		r.raking = r.weights.raking
	}
	for i, h := range r.strata {
		for _, part := range h.parts {
			r.of[part] = i
		}
	}
	return r
}

// counted visits every counted row.
func (r *rowReader) counted(blocks []*Rows, visit func(key uint64, rows *Rows, i int, c *class)) {
	walk(blocks, 0, math.MaxUint64, func(key uint64, runs []run) {
		for _, x := range runs {
			r.classes = r.classer.classify(r.classes, x, nil)
			for i, c := range r.classes {
				if c >= 0 {
					visit(key, x.rows, x.from+i, &r.classer.list[c])
				}
			}
		}
	})
}

// partOf is what decides whether a row outside the domain is needed.
func (r *rowReader) partOf(key uint64, rows *Rows, i int) int {
	switch {
	case r.raking != nil:
		return r.of[key>>32]
	case r.plan.Design == Visitors:
		return int(r.plan.Places[rows.place[i]].Unit)
	}
	return int(key >> 32)
}

// in reports whether a row is in the domain and bears weight.
func (r *rowReader) in(c *class) bool { return c.domain >= 0 && (!r.weighted || c.weight > 0) }

// needed counts the rows of the sample.
func (r *rowReader) needed(blocks []*Rows) (int, error) {
	byPart, perPSU := make([]int, len(r.part)), map[uint64]int{}
	// Raked: rows of a class with rows of the domain have a part of its mean.
	concerned := r.in
	if r.raking != nil {
		means := make([]bool, r.weights.means())
		r.counted(blocks, func(_ uint64, _ *Rows, _ int, c *class) {
			if r.in(c) {
				means[c.mean] = true
			}
		})
		concerned = func(c *class) bool { return c.weight > 0 && means[c.mean] }
	}
	r.counted(blocks, func(key uint64, rows *Rows, i int, c *class) {
		part := r.partOf(key, rows, i)
		byPart[part]++
		r.part[part] = r.part[part] || concerned(c)
		if r.plan.Design == Drawn {
			perPSU[key]++
		}
	})
	size := 0
	for part, needed := range r.part {
		if needed {
			size += byPart[part]
		}
	}
	for key, n := range perPSU {
		if h := r.strata[r.of[key>>32]]; r.part[key>>32] {
			population := r.plan.PSUSize[key]
			switch {
			case h.of > 0 && (float64(h.psus) > h.of || population > 0 && float64(n) > population):
				return 0, ErrDrawCounts
			case h.lonely:
				return 0, fmt.Errorf("%w: stratum %d", ErrLonelyPSU, key>>32)
			}
		}
	}
	return size, nil
}

// read fills the columns.
func (r *rowReader) read(blocks []*Rows, size int) (*AnswerSample, error) {
	out := &AnswerSample{Domain: make([]bool, 0, size), Levels: make([][]float64, r.plan.Items)}
	for k := range out.Levels {
		out.Levels[k] = make([]float64, 0, size)
	}
	columns := SamplingColumns{Clusters: [][]int{nil}, Lonely: LonelyAdjust}
	var cells []int
	psus := map[uint64]int{}
	inPSU := map[int]float64{} // rows by PSU
	var populations []float64  // of the PSU of every row, 0 unknown
	elsewhere := newElsewhere(r)
	r.counted(blocks, func(key uint64, rows *Rows, i int, c *class) {
		if part := r.partOf(key, rows, i); !r.part[part] {
			if r.raking != nil {
				elsewhere.add(key, part, c)
			}
			return
		}
		psu, ok := psus[key]
		if !ok {
			psu = len(psus)
			psus[key] = psu
		}
		inPSU[psu]++
		weight := 1.0
		if r.weighted && rows.weighted {
			weight = rows.weight[i]
		}
		columns.Weights = append(columns.Weights, weight)
		columns.Strata = append(columns.Strata, r.of[key>>32])
		columns.Clusters[0] = append(columns.Clusters[0], psu)
		cells = append(cells, int(c.cell))
		populations = append(populations, r.plan.PSUSize[key])
		out.Domain = append(out.Domain, r.in(c))
		codes := rows.codes[i*rows.stride : (i+1)*rows.stride]
		for k := range out.Levels {
			out.Levels[k] = append(out.Levels[k], levelOf[codes[k/2]>>(4*(k%2))&15])
		}
	})
	if r.plan.Design == Drawn {
		r.addStages(&columns, populations, inPSU)
	}
	var axes [][]float64
	if r.raking != nil {
		var err error
		if axes, err = elsewhere.rows(); err != nil {
			return nil, err
		}
		for i := range axes {
			columns.Weights = append(columns.Weights, 1)
			columns.Strata = append(columns.Strata, len(r.strata)+i)
			columns.Clusters[0] = append(columns.Clusters[0], len(psus)+i)
			out.Domain = append(out.Domain, false)
			for k := range out.Levels {
				out.Levels[k] = append(out.Levels[k], math.NaN())
			}
		}
	}
	design, err := NewSamplingDesign(columns)
	if err != nil {
		return nil, err
	}
	out.Sample = NewSample(design)
	switch {
	case r.raking != nil:
		out.Sample = r.rake(out.Sample, cells, axes)
	case r.weighted && r.plan.Design == Visitors:
		sizes := make([]float64, len(r.weights.cells))
		for i, c := range r.weights.cells {
			if r.part[c.Unit] {
				sizes[i] = c.Weight * float64(c.Answers)
			}
		}
		if out.Sample, err = out.PostStratify(cells, sizes); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// rake gives a sample the weights of a raked round. Its first rows lie in the weight cells given, the others have these axes
// and weight 1.
func (r *rowReader) rake(s *Sample, cells []int, axes [][]float64) *Sample {
	after := append([]float64(nil), s.weights...)
	for i, c := range cells {
		after[i] = r.weights.cells[c].Weight
	}
	return s.calibrated(after, func(u []float64) {
		means, fit := make([]float64, len(r.raking.rows)), make([]float64, r.raking.rank)
		for i, c := range cells {
			if after[i] > 0 { // others have no class
				means[r.raking.mean[c]] += u[i]
				for k, x := range r.raking.of(int32(c)) {
					fit[k] += x * u[i]
				}
			}
		}
		for i := range u {
			var of []float64
			if i < len(cells) {
				mean := r.raking.mean[cells[i]]
				u[i] -= means[mean] / r.raking.rows[mean]
				of = r.raking.of(int32(cells[i]))
			} else {
				of = axes[i-len(cells)]
			}
			for k, x := range of {
				u[i] -= x * fit[k]
			}
		}
	})
}

// elsewhere gathers the strata of a raked round that have no part in the domain but through the axes of the margins.
type elsewhere struct {
	*rowReader
	shifts [][]float64 // by stratum: see varianceScan
	psu    []uint64    // by stratum: the last PSU
}

func newElsewhere(r *rowReader) *elsewhere {
	return &elsewhere{rowReader: r, shifts: make([][]float64, len(r.strata)), psu: make([]uint64, len(r.strata))}
}

// add adds a row, in the order of PSUs.
func (e *elsewhere) add(key uint64, stratum int, c *class) {
	if !(c.weight > 0) {
		return
	}
	rank := e.raking.rank
	if len(e.shifts[stratum]) == 0 || e.psu[stratum] != key {
		e.psu[stratum] = key
		e.shifts[stratum] = append(e.shifts[stratum], make([]float64, rank)...)
	}
	last := e.shifts[stratum][len(e.shifts[stratum])-rank:]
	for k, x := range e.raking.of(c.cell) {
		last[k] += c.weight * x
	}
}

// rows gives rows that have together the variance of all that was added, each in a stratum of its own that is centred at 0:
// the columns of a root of their matrix.
func (e *elsewhere) rows() ([][]float64, error) {
	rank := e.raking.rank
	if rank == 0 {
		return nil, nil
	}
	sum := mat.NewSymDense(rank, nil)
	for h := range e.shifts {
		sum.AddSym(sum, mat.NewSymDense(rank, squareOfShifts(e.shifts[h], rank, &e.strata[h])))
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(sum, true) {
		return nil, undefined("the margins have no eigenvalues")
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	out := make([][]float64, rank)
	for i, value := range eigen.Values(nil) {
		out[i] = make([]float64, rank)
		for k := range out[i] {
			out[i][k] = math.Sqrt(max(0, value)) * vectors.At(k, i)
		}
	}
	return out, nil
}

// addStages adds what a draw says of its populations: strata without a count are drawn with replacement, and PSUs without one
// add nothing at the second stage, as in Compute.
func (r *rowReader) addStages(columns *SamplingColumns, populations []float64, inPSU map[int]float64) {
	rows := len(columns.Weights)
	first, second, ids := make([]float64, rows), make([]float64, rows), make([]int, rows)
	for i := range rows {
		ids[i] = i
		if first[i] = r.strata[columns.Strata[i]].of; first[i] == 0 {
			first[i] = math.Inf(1)
		}
		second[i] = max(populations[i], inPSU[columns.Clusters[0][i]])
	}
	columns.Clusters = append(columns.Clusters, ids)
	columns.Populations = [][]float64{first, second}
}

// levelOf gives the level of a nibble, NaN for the codes without one.
var levelOf = func() (table [16]float64) {
	for i := range table {
		table[i] = math.NaN()
	}
	for i, b := range nibbles[:5] {
		table[b] = float64(i + 1)
	}
	return table
}()
