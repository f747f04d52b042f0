package stats

import "gonum.org/v1/gonum/mat"

// Association tests whether two classifications are independent.
type Association struct {
	N             int   // rows with both
	Rows, Columns []int // the codes that have answers with weight, in order
	// Proportions are the estimated shares of the cells, by row and column; they sum to 1.
	Proportions [][]float64
	// PearsonX2 is n·Σ(p−p_r·p_c)²/(p_r·p_c). It is no test of such a sample: people of one day and desk answer alike.
	PearsonX2 float64
	// DeltaTrace is the sum of the generalised design effects, the eigenvalues of Δ.
	DeltaTrace float64
	// RaoScott is the test to use: second order, F = X²/trΔ on d₀ = (trΔ)²/tr(Δ²) and d₀·df.
	RaoScott FTest
	// FirstOrder compares X² divided by the mean design effect, trΔ/k, with χ² on k = (rows−1)·(columns−1): right only where the design effects are alike.
	FirstOrder ChiSquaredTest
	// Wald tests the k cell residuals N̂·(p−p_r·p_c) by their covariance: F = W/k on k and df. It is erratic with few PSUs;
	// AdjustedWald, W·(df−k+1)/(df·k) on k and df−k+1, is less so. Nil where the covariance has no
	// inverse, or there are too few degrees of freedom.
	Wald, AdjustedWald *FTest
}

// MeanDesignEffect returns the mean of the generalised design effects: how many times too large Pearson's
// statistic is.
func (a Association) MeanDesignEffect() float64 {
	return a.DeltaTrace / float64((len(a.Rows)-1)*(len(a.Columns)-1))
}

// Associate tests whether two classifications are independent in the domain. row and column hold a code for
// every row of the sample, below 0 where it is missing.
//
// Δ = V₀⁻¹·V, where V is the design's covariance of the log odds ratios of the table against its first
// row and column, and V₀ that of a simple random sample; an empty cell counts as 0 in both. df = PSUs − strata of the answered rows.
// Errors: ErrUndefined (fewer than two codes on a side, more than 500 residuals, no degrees of freedom, so
// many empty cells that an odds ratio is lost, no sampling error) and ErrLonelyPSU.
// Sources: Rao & Scott 1981, 1984; Thomas & Rao 1987; Korn & Graubard 1990 (adjusted Wald).
func (s *Sample) Associate(row, column []int, domain []bool) (Association, error) {
	member, _, err := s.classified(row, s.answered(domain))
	if err != nil {
		return Association{}, err
	}
	var a Association
	if member, a.Columns, err = s.classified(column, member); err != nil {
		return Association{}, err
	}
	if member, a.Rows, err = s.classified(row, member); err != nil { // codes may be gone with the rows without a column
		return Association{}, err
	}
	k := (len(a.Rows) - 1) * (len(a.Columns) - 1)
	if k > maxContrasts {
		return Association{}, undefined("a table of %d by %d is too large to test", len(a.Rows), len(a.Columns))
	}
	about := s.newStatistic(member)
	if a.N = about.N; !(about.DF > 0) {
		return Association{}, undefined("no degrees of freedom to test %d rows", a.N)
	}
	t := newContingency(s, about, a.Rows, a.Columns, row, column)
	a.Proportions, a.PearsonX2 = t.p, t.pearson()
	if err := a.raoScott(t); err != nil {
		return Association{}, err
	}
	return a, a.wald(t)
}

// contingency is a table of estimated shares, from which statistics of rows by their cell are made.
type contingency struct {
	sample       *Sample
	about        Statistic
	p            [][]float64
	rowP, colP   []float64
	cellR, cellC []int // of every member
}

func newContingency(s *Sample, about Statistic, rows, columns, row, column []int) *contingency {
	t := &contingency{sample: s, about: about, rowP: make([]float64, len(rows)), colP: make([]float64, len(columns))}
	t.cellR, t.cellC = positions(rows, row, about.member), positions(columns, column, about.member)
	for range rows {
		t.p = append(t.p, make([]float64, len(columns)))
	}
	for i, in := range about.member {
		if in {
			t.p[t.cellR[i]][t.cellC[i]] += s.weights[i] / about.SumWeights
		}
	}
	for r := range t.p {
		for c, p := range t.p[r] {
			t.rowP[r] += p
			t.colP[c] += p
		}
	}
	return t
}

// positions returns the place of every member's code in a list of all codes.
func positions(codes, of []int, member []bool) []int {
	at := make(map[int]int, len(codes))
	for k, code := range codes {
		at[code] = k
	}
	places := make([]int, len(of))
	for i, in := range member {
		if in {
			places[i] = at[of[i]]
		}
	}
	return places
}

func (t *contingency) pearson() float64 {
	sum := 0.0
	for r := range t.p {
		for c, p := range t.p[r] {
			expected := t.rowP[r] * t.colP[c]
			sum += (p - expected) * (p - expected) / expected
		}
	}
	return float64(t.about.N) * sum
}

// statistic is one whose linearised value of a row depends on the row's cell only.
func (t *contingency) statistic(influence func(r, c int) float64) Statistic {
	st := t.about
	st.influence = make([]float64, len(st.member))
	for i, in := range st.member {
		if in {
			st.influence[i] = influence(t.cellR[i], t.cellC[i])
		}
	}
	return st
}

// overShare is 1/p of a cell, 0 where it is empty.
func (t *contingency) overShare(r, c int) float64 { return ratioOrZero(1, t.p[r][c]) }

// oddsSign is the coefficient of the logarithm of cell (r, c) in the log odds ratio of (i, j) against the
// first row and column.
func oddsSign(i, j, r, c int) float64 {
	switch {
	case (r == i || r == 0) && (c == j || c == 0):
		if (r == 0) != (c == 0) {
			return -1
		}
		return 1
	}
	return 0
}

func (a *Association) raoScott(t *contingency) error {
	type contrast struct{ i, j int }
	var contrasts []contrast
	var ratios []Statistic
	for i := 1; i < len(a.Rows); i++ {
		for j := 1; j < len(a.Columns); j++ {
			contrasts = append(contrasts, contrast{i, j})
			constant := 0.0 // Σ sign·p/p over the cells that are not empty
			for r := range t.p {
				for c, p := range t.p[r] {
					constant += oddsSign(i, j, r, c) * p * t.overShare(r, c)
				}
			}
			ratios = append(ratios, t.statistic(func(r, c int) float64 {
				return (oddsSign(i, j, r, c)*t.overShare(r, c) - constant) / t.about.SumWeights
			}))
		}
	}
	cov, err := t.sample.Covariance(ratios...)
	if err != nil {
		return err
	}
	k := len(contrasts)
	v, simple := mat.NewDense(k, k, nil), mat.NewSymDense(k, nil)
	for x, from := range contrasts {
		for y, to := range contrasts {
			v.Set(x, y, cov[x][y])
			if y > x {
				continue
			}
			sum := 0.0
			for _, r := range [...]int{0, from.i} {
				for _, c := range [...]int{0, from.j} {
					sum += oddsSign(from.i, from.j, r, c) * oddsSign(to.i, to.j, r, c) * t.overShare(r, c)
				}
			}
			simple.SetSym(x, y, sum/float64(a.N))
		}
	}
	var cholesky mat.Cholesky
	var delta, squared mat.Dense
	if !cholesky.Factorize(simple) || cholesky.Cond() > largestCondition || cholesky.SolveTo(&delta, v) != nil {
		return undefined("too many of the %d by %d cells are empty", len(a.Rows), len(a.Columns))
	}
	squared.Mul(&delta, &delta)
	if a.DeltaTrace = delta.Trace(); !(a.DeltaTrace > 0) {
		return undefined("the table has no sampling error")
	}
	d0 := a.DeltaTrace * a.DeltaTrace / squared.Trace()
	a.RaoScott = newFTest(a.PearsonX2/a.DeltaTrace, d0, d0*t.about.DF)
	first := ChiSquaredTest{ChiSquared: a.PearsonX2 / (a.DeltaTrace / float64(k)), DF: float64(k)}
	first.P = ChiSquaredUpperTail(first.ChiSquared, first.DF)
	a.FirstOrder = first
	return nil
}

func (a *Association) wald(t *contingency) error {
	var residuals []Statistic
	var values []float64
	for i := 1; i < len(a.Rows); i++ {
		for j := 1; j < len(a.Columns); j++ {
			pr, pc := t.rowP[i], t.colP[j]
			values = append(values, t.about.SumWeights*(t.p[i][j]-pr*pc))
			residuals = append(residuals, t.statistic(func(r, c int) float64 {
				return (oneIf(r == i) - pr) * (oneIf(c == j) - pc)
			}))
		}
	}
	cov, err := t.sample.Covariance(residuals...)
	if err != nil {
		return err
	}
	w, ok := waldStatistic(values, cov)
	if !ok {
		return nil
	}
	k, df := float64(len(values)), t.about.DF
	plain := newFTest(w/k, k, df)
	a.Wald = &plain
	if df-k+1 > 0 {
		adjusted := newFTest(w*(df-k+1)/(df*k), k, df-k+1)
		a.AdjustedWald = &adjusted
	}
	return nil
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
