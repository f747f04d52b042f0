package stats

import "slices"

// classSum is what the answers of one class come to, by item.
type classSum struct {
	rows                int
	answered, satisfied []uint32
	pairs               []uint32 // see countPairs; inside one range only, folded into the domain's table
}

// drawnSum is the weighted answers of one domain of a drawn round.
type drawnSum struct {
	weights             float64
	answered, satisfied []float64
}

// tally is the outcome of the first scan: everything that is a sum over rows,
// by domain or class. Entries that no row belongs to are nil.
type tally struct {
	rows      []int          // counted rows by domain; 0 those in no group
	codes     [][][Codes]int // by domain (0: no group), item
	cross     []*crossTable  // by domain (0: no group); Visitors
	drawn     []*drawnSum    // by domain (0: no group); Drawn
	classes   []*classSum    // by class inside a domain
	placeRows []uint32
}

func newTally(plan *Plan, classes int) *tally {
	domains := 1 + plan.Groups
	return &tally{rows: make([]int, domains), codes: make([][][Codes]int, domains), cross: make([]*crossTable, domains),
		drawn: make([]*drawnSum, domains), classes: make([]*classSum, classes), placeRows: make([]uint32, len(plan.Places))}
}

// tallier is the memory of one goroutine of the first scan.
type tallier struct {
	plan    *Plan
	classer *classer
	masks   []uint64
	classes []int32  // of the rows of a run
	batches []*batch // by class
	opened  []int32  // classes that have a batch
	spare   []*batch // empty ones of earlier ranges
	columns []uint64
}

// takeTally makes the first scan. Partial sums are added in the order of the
// ranges, so the same bits come out however many goroutines share the work.
func takeTally(plan *Plan, blocks []*Rows, ranges []keyRange, cl *classer) *tally {
	parts := make([]*tally, len(ranges))
	parallel(len(ranges), func() *tallier {
		return &tallier{plan: plan, classer: cl, masks: wordMasks(plan.Items), batches: make([]*batch, len(cl.list)),
			columns: make([]uint64, 2*plan.Items)}
	}, func(t *tallier, lane int) {
		out := newTally(plan, len(cl.list))
		walk(blocks, ranges[lane].first, ranges[lane].last, func(_ uint64, runs []run) {
			for _, r := range runs {
				t.scan(out, r)
			}
		})
		t.finish(out)
		parts[lane] = out
	})
	out := newTally(plan, len(cl.list))
	for _, p := range parts {
		out.add(p)
	}
	return out
}

// scan puts the rows of a run into the batches of their classes.
func (t *tallier) scan(out *tally, r run) {
	t.classes = t.classer.classify(t.classes, r, out.placeRows)
	drawn := t.plan.Design == Drawn
	codes, stride, masks, list := r.rows.codes, r.rows.stride, t.masks, t.classer.list
	at := (r.from - 1) * stride
	for i, c := range t.classes {
		at += stride
		if c < 0 || list[c].domain < 0 {
			continue
		}
		b := t.batches[c]
		if b == nil {
			b = t.open(c)
		}
		words := b.words[:len(masks)]
		for j, mask := range masks {
			words[j][b.n&63] = word(codes, at, j) & mask
		}
		if drawn {
			t.addDrawn(out, list[c].domain, r.rows, r.from+i)
		}
		if b.n++; b.n == 64 {
			t.flush(out, c)
		}
	}
}

// open gives a class its batch.
func (t *tallier) open(c int32) *batch {
	var b *batch
	if n := len(t.spare); n > 0 {
		b, t.spare = t.spare[n-1], t.spare[:n-1]
	} else {
		b = newBatch(len(t.masks))
	}
	t.batches[c] = b
	t.opened = append(t.opened, c)
	return b
}

// flush counts what a class's batch holds and empties it.
func (t *tallier) flush(out *tally, c int32) {
	b := t.batches[c]
	if b.n == 0 {
		return
	}
	items := t.plan.Items
	domain := t.classer.list[c].domain
	if out.codes[domain] == nil {
		out.codes[domain] = make([][Codes]int, items)
	}
	sum := out.classes[c]
	if sum == nil {
		sum = &classSum{answered: make([]uint32, items), satisfied: make([]uint32, items)}
		out.classes[c] = sum
	}
	out.rows[domain] += b.n
	sum.rows += b.n
	b.turn(items)
	b.countCodes(out.codes[domain], sum.answered, sum.satisfied)
	if t.plan.Design == Visitors {
		if sum.pairs == nil {
			sum.pairs = make([]uint32, pairCount(items))
		}
		b.countPairs(sum.pairs, t.columns)
	}
	b.reset()
}

// finish empties every batch and weights the pairs, in order of class: sums of
// weights then do not depend on the order of rows.
func (t *tallier) finish(out *tally) {
	slices.Sort(t.opened)
	for _, c := range t.opened {
		t.flush(out, c)
		t.spare = append(t.spare, t.batches[c])
		t.batches[c] = nil
		sum := out.classes[c]
		if sum.pairs == nil {
			continue
		}
		class := &t.classer.list[c]
		if out.cross[class.domain] == nil {
			out.cross[class.domain] = newCrossTable(t.plan.Items)
		}
		out.cross[class.domain].fold(sum.pairs, class.weight)
		sum.pairs = nil
	}
	t.opened = t.opened[:0]
}

// addDrawn adds one row with its own weight.
func (t *tallier) addDrawn(out *tally, domain int32, rows *Rows, i int) {
	s := out.drawn[domain]
	if s == nil {
		s = &drawnSum{answered: make([]float64, t.plan.Items), satisfied: make([]float64, t.plan.Items)}
		out.drawn[domain] = s
	}
	weight := 1.0
	if rows.weighted {
		weight = rows.weight[i]
	}
	s.weights += weight
	codes := rows.codes[i*rows.stride : (i+1)*rows.stride]
	for k := range s.answered {
		bits := codes[k/2] >> (4 * (k % 2)) & 15
		s.answered[k] += weight * float64(bits>>3)
		s.satisfied[k] += weight * float64(bits>>2&1)
	}
}

func (t *tally) add(u *tally) {
	for d, rows := range u.rows {
		t.rows[d] += rows
		if u.codes[d] != nil {
			if t.codes[d] == nil {
				t.codes[d] = make([][Codes]int, len(u.codes[d]))
			}
			addCodes(t.codes[d], u.codes[d])
		}
		if u.cross[d] != nil {
			if t.cross[d] == nil {
				t.cross[d] = u.cross[d]
			} else {
				t.cross[d].add(u.cross[d])
			}
		}
		if u.drawn[d] != nil {
			if t.drawn[d] == nil {
				t.drawn[d] = u.drawn[d]
			} else {
				t.drawn[d].add(u.drawn[d])
			}
		}
	}
	for c, s := range u.classes {
		switch {
		case s == nil:
		case t.classes[c] == nil:
			t.classes[c] = s
		default:
			t.classes[c].rows += s.rows
			for k := range s.answered {
				t.classes[c].answered[k] += s.answered[k]
				t.classes[c].satisfied[k] += s.satisfied[k]
			}
		}
	}
	for p, n := range u.placeRows {
		t.placeRows[p] += n
	}
}

func addCodes(dst, src [][Codes]int) {
	for k := range src {
		for c, n := range src[k] {
			dst[k][c] += n
		}
	}
}

func (s *drawnSum) add(u *drawnSum) {
	s.weights += u.weights
	for k := range u.answered {
		s.answered[k] += u.answered[k]
		s.satisfied[k] += u.satisfied[k]
	}
}

// includeGroups turns the entries "in no group" into the total's.
func (t *tally) includeGroups(plan *Plan) {
	if t.codes[0] == nil {
		t.codes[0] = make([][Codes]int, plan.Items)
	}
	for d := 1; d < len(t.rows); d++ {
		t.rows[0] += t.rows[d]
		if t.codes[d] == nil {
			t.codes[d] = make([][Codes]int, plan.Items)
		}
		addCodes(t.codes[0], t.codes[d])
		if t.cross[d] != nil {
			if t.cross[0] == nil {
				t.cross[0] = newCrossTable(plan.Items)
			}
			t.cross[0].add(t.cross[d])
		}
		if t.drawn[d] != nil {
			if t.drawn[0] == nil {
				t.drawn[0] = &drawnSum{answered: make([]float64, plan.Items), satisfied: make([]float64, plan.Items)}
			}
			t.drawn[0].add(t.drawn[d])
		}
	}
}
