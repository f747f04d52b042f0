package stats

// layout numbers the things that are estimated: items, then factors as means
// of items, then factors as pooled ratios (each kind only if a method asks for
// it), then one index a method.
type layout struct {
	plan     *Plan
	items    int
	means    int // first mean factor, -1 none
	pooled   int // first pooled factor, -1 none
	methods  int // first index
	size     int
	reported int // first of the factors that the report shows, -1 none
	spans    []span
	// expand is 1 over the probability that each item was asked, nil where all
	// were. A ratio of one item does not need it; a pooled one does.
	expand []float64
}

// span is a factor's items. Nearly every instrument lists them side by side,
// [from, to), which is summed without looking at list.
type span struct {
	from, to int // to is 0 where they are not side by side
	list     []int
	share    float64 // 1 over their number
}

func newSpan(items []int) span {
	s := span{from: items[0], to: items[0] + len(items), list: items, share: 1 / float64(len(items))}
	for i, k := range items {
		if k != s.from+i {
			s.to = 0
		}
	}
	return s
}

// sum is the sum of x over the factor's items.
func (s *span) sum(x []float64) float64 {
	sum := 0.0
	if s.to > 0 {
		for _, v := range x[s.from:s.to] {
			sum += v
		}
		return sum
	}
	for _, k := range s.list {
		sum += x[k]
	}
	return sum
}

func newLayout(plan *Plan) *layout {
	l := &layout{plan: plan, items: plan.Items, means: -1, pooled: -1, reported: -1, size: plan.Items}
	for _, combine := range []Combine{MeanOfItems, Pooled} {
		used := combine == MeanOfItems && len(plan.Methods) == 0
		for _, m := range plan.Methods {
			used = used || m.Combine == combine
		}
		if !used {
			continue
		}
		if combine == MeanOfItems {
			l.means = l.size
		} else {
			l.pooled = l.size
		}
		l.size += len(plan.Factors)
	}
	l.reported = l.means
	if len(plan.Methods) > 0 {
		l.reported = l.factors(plan.Methods[plan.Headline].Combine)
	}
	for _, items := range plan.Factors {
		l.spans = append(l.spans, newSpan(items))
	}
	for _, probability := range plan.Inclusion {
		l.expand = append(l.expand, 1/probability)
	}
	l.methods = l.size
	l.size += len(plan.Methods)
	return l
}

// factors is the first factor of a kind.
func (l *layout) factors(c Combine) int {
	if c == Pooled {
		return l.pooled
	}
	return l.means
}

// expansion is what an answer to item k counts for in a pooled ratio.
func (l *layout) expansion(k int) float64 {
	if l.expand == nil {
		return 1
	}
	return l.expand[k]
}

// linear holds the point estimates of one domain with one set of weights, and
// what linearises them: row j of the domain has, for item k,
// u = (y − R_k·a)/A_k with A the weighted number of answers with a level, and
// for composites the same combination of such values as of the shares.
type linear struct {
	layout *layout
	rows   int     // that bear weight
	n      []int   // by item: rows with a level that bear weight
	sum    float64 // weights of the domain

	answered  []float64 // A_k
	satisfied []float64
	value     []float64 // by layout: the estimate
	has       []bool    // by layout: it exists
	unanimous []bool    // by layout: all answers behind it alike

	perAnswer []float64 // by item 1/A_k, 0 without answers
	offset    []float64 // by item R_k/A_k
	poolPer   []float64 // by factor, the same of the pooled ratio
	poolOff   []float64
}

func newLinear(l *layout) *linear {
	f := make([]float64, 2*l.items+l.size+2*l.items+2*len(l.plan.Factors))
	cut := func(n int) []float64 {
		part := f[:n:n]
		f = f[n:]
		return part
	}
	return &linear{layout: l, n: make([]int, l.items), has: make([]bool, l.size), unanimous: make([]bool, l.size),
		answered: cut(l.items), satisfied: cut(l.items), value: cut(l.size), perAnswer: cut(l.items), offset: cut(l.items),
		poolPer: cut(len(l.plan.Factors)), poolOff: cut(len(l.plan.Factors))}
}

// solve computes the estimates from the sums.
func (e *linear) solve() {
	l := e.layout
	for k := range l.items {
		a, y := e.answered[k], e.satisfied[k]
		if e.n[k] == 0 {
			continue
		}
		e.has[k] = true
		e.value[k] = y / a
		e.unanimous[k] = y == 0 || y == a
		e.perAnswer[k], e.offset[k] = 1/a, y/a/a
	}
	for f, items := range l.plan.Factors {
		if l.means >= 0 {
			e.mean(l.means+f, items)
		}
		if l.pooled >= 0 {
			e.pool(l.pooled+f, f, items)
		}
	}
	for m := range l.plan.Methods {
		e.index(l.methods+m, &l.plan.Methods[m])
	}
}

func (e *linear) mean(at int, items []int) {
	sum := 0.0
	has := true
	for _, k := range items {
		sum += e.value[k]
		has = has && e.has[k]
	}
	if has {
		e.has[at], e.value[at] = true, sum/float64(len(items))
		e.unanimous[at] = e.alike(items)
	}
}

func (e *linear) pool(at, f int, items []int) {
	a, y, n := 0.0, 0.0, 0
	for _, k := range items {
		a += e.layout.expansion(k) * e.answered[k]
		y += e.layout.expansion(k) * e.satisfied[k]
		n += e.n[k]
	}
	if n > 0 {
		e.has[at], e.value[at] = true, y/a
		e.unanimous[at] = y == 0 || y == a
		e.poolPer[f], e.poolOff[f] = 1/a, y/a/a
	}
}

func (e *linear) index(at int, m *Method) {
	first := e.layout.factors(m.Combine)
	sum, shared := 0.0, -1.0
	alike := true
	for f, weight := range m.FactorWeights {
		if weight == 0 {
			continue
		}
		if !e.has[first+f] {
			return
		}
		v := e.value[first+f]
		sum += weight * v
		if shared < 0 {
			shared = v
		}
		alike = alike && e.unanimous[first+f] && v == shared
	}
	e.has[at], e.value[at] = true, sum
	if alike {
		// Weights sum to 1 only up to rounding; the share of a unanimous
		// domain is exact.
		e.unanimous[at], e.value[at] = true, shared
	}
}

// alike reports whether all answers to all the items are satisfied, or none.
func (e *linear) alike(items []int) bool {
	for _, k := range items {
		if !e.unanimous[k] || e.value[k] != e.value[items[0]] {
			return false
		}
	}
	return true
}

// totals writes to out, by layout, the sum of the linearised values of rows
// with these counts.
func (e *linear) totals(out []float64, c *counts) {
	l := e.layout
	items := out[:l.items]
	answered, satisfied := c.answered[:len(items)], c.satisfied[:len(items)]
	per, off := e.perAnswer[:len(items)], e.offset[:len(items)]
	for k := range items {
		items[k] = satisfied[k]*per[k] - answered[k]*off[k]
	}
	if l.means >= 0 {
		means := out[l.means : l.means+len(l.spans)]
		for f := range l.spans {
			means[f] = l.spans[f].sum(items) * l.spans[f].share
		}
	}
	if l.pooled >= 0 {
		pooled := out[l.pooled : l.pooled+len(l.spans)]
		for f := range pooled {
			pooled[f] = c.poolSatisfied[f]*e.poolPer[f] - c.poolAnswered[f]*e.poolOff[f]
		}
	}
	for m := range l.plan.Methods {
		method := &l.plan.Methods[m]
		factors := out[l.factors(method.Combine):][:len(method.FactorWeights)]
		sum := 0.0
		for f, weight := range method.FactorWeights {
			sum += weight * factors[f]
		}
		out[l.methods+m] = sum
	}
}

// coefficients writes to c the linear function of a row's bits (answered by
// item, then satisfied by item) that is the linearised value of composite at.
func (e *linear) coefficients(c []float64, at int) {
	clear(c)
	l := e.layout
	switch {
	case at >= l.methods:
		m := &l.plan.Methods[at-l.methods]
		for f, weight := range m.FactorWeights {
			e.addFactor(c, m.Combine, f, weight)
		}
	case l.pooled >= 0 && at >= l.pooled:
		e.addFactor(c, Pooled, at-l.pooled, 1)
	default:
		e.addFactor(c, MeanOfItems, at-l.means, 1)
	}
}

func (e *linear) addFactor(c []float64, combine Combine, f int, weight float64) {
	items := e.layout.plan.Factors[f]
	for _, k := range items {
		if combine == Pooled {
			c[k] -= weight * e.layout.expansion(k) * e.poolOff[f]
			c[e.layout.items+k] += weight * e.layout.expansion(k) * e.poolPer[f]
		} else {
			c[k] -= weight * e.offset[k] / float64(len(items))
			c[e.layout.items+k] += weight * e.perAnswer[k] / float64(len(items))
		}
	}
}
