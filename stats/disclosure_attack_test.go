package stats

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
)

// The attack: an adversary who has every picture as shown, knows how groups are
// made of each other and when nobody withdrew, and solves for what is hidden.
// He works with people by all their attributes, not with the tree that Protect
// works with, and by linear programming.

// citizen is one respondent, or as many as agree in everything.
type citizen struct {
	unit, field, desk int
	arrives, leaves   int // pictures; in those from arrives to before leaves
	kinds             [2]int
}

// crowd is a simulated round.
type crowd struct {
	units, fields, desks, pictures, items int
	withdrawals                           bool
	citizens                              []citizen
}

// cellRule says whether somebody is in a cell.
type cellRule struct {
	id, whole, split string
	in               func(c *citizen) bool
}

// scenario is what a round's reports look like.
type scenario struct {
	name        string
	shape       func(rng *rand.Rand) crowd
	cells       func(w *crowd) []cellRule
	withdrawals bool
}

// perUnit is how many people of a unit come by each picture: many units have a
// few only.
func perUnit(rng *rand.Rand) int { return []int{0, 1, 2, 3, 5, 8, 12, 20, 35}[rng.IntN(9)] }

func (w *crowd) fill(rng *rand.Rand, withdrawals bool) {
	w.withdrawals = withdrawals
	for u := range w.units {
		for t := range w.pictures {
			for range perUnit(rng) {
				c := citizen{unit: u, arrives: t, leaves: w.pictures,
					field: min(rng.IntN(w.fields), rng.IntN(w.fields)), desk: min(rng.IntN(w.desks), rng.IntN(w.desks))}
				for i := range c.kinds {
					c.kinds[i] = []int{0, 0, 0, 0, 1, 1, 2}[rng.IntN(7)]
				}
				if withdrawals && rng.IntN(25) == 0 {
					c.leaves = t + 1 + rng.IntN(w.pictures-t)
				}
				w.citizens = append(w.citizens, c)
			}
		}
	}
}

func (w *crowd) table(t int, rules []cellRule) Table {
	var table Table
	for _, r := range rules {
		c := TableCell{ID: r.id, Whole: r.whole, Split: r.split, Items: make([]ItemSplit, w.items)}
		for i := range w.citizens {
			z := &w.citizens[i]
			if z.arrives > t || z.leaves <= t || !r.in(z) {
				continue
			}
			c.N++
			for k := range c.Items {
				switch z.kinds[k] {
				case 0:
					c.Items[k].Satisfied++
				case 1:
					c.Items[k].Other++
				}
			}
		}
		table.Cells = append(table.Cells, c)
	}
	return table
}

func units(w *crowd) []cellRule {
	rules := []cellRule{{id: "all", in: func(*citizen) bool { return true }}}
	for u := range w.units {
		rules = append(rules, cellRule{fmt.Sprintf("unit%d", u), "all", "unit", func(c *citizen) bool { return c.unit == u }})
	}
	return rules
}

// unitsAndFields are two ways to split all. The last field has no cell: like a
// question that some left out.
func unitsAndFields(w *crowd) []cellRule {
	rules := units(w)
	for f := range w.fields - 1 {
		rules = append(rules, cellRule{fmt.Sprintf("field%d", f), "all", "field", func(c *citizen) bool { return c.field == f }})
	}
	return rules
}

func desksToo(w *crowd) []cellRule {
	rules := unitsAndFields(w)
	for u := range w.units {
		for d := range w.desks {
			rules = append(rules, cellRule{fmt.Sprintf("unit%d,desk%d", u, d), fmt.Sprintf("unit%d", u), "desk",
				func(c *citizen) bool { return c.unit == u && c.desk == d }})
		}
	}
	return rules
}

var scenarios = []scenario{
	{name: "units", cells: units, shape: func(rng *rand.Rand) crowd {
		return crowd{units: 3 + rng.IntN(4), fields: 1, desks: 1, pictures: 1, items: 1 + rng.IntN(2)}
	}},
	{name: "units and fields", cells: unitsAndFields, shape: func(rng *rand.Rand) crowd {
		return crowd{units: 3 + rng.IntN(3), fields: 2 + rng.IntN(2), desks: 1, pictures: 1, items: 1 + rng.IntN(2)}
	}},
	{name: "fields, units and desks", cells: desksToo, shape: func(rng *rand.Rand) crowd {
		return crowd{units: 3 + rng.IntN(2), fields: 2, desks: 2 + rng.IntN(2), pictures: 1, items: 1}
	}},
	{name: "two dates", cells: units, shape: func(rng *rand.Rand) crowd {
		return crowd{units: 3 + rng.IntN(3), fields: 1, desks: 1, pictures: 2, items: 1 + rng.IntN(2)}
	}},
	{name: "five dates", cells: units, shape: func(rng *rand.Rand) crowd {
		return crowd{units: 2 + rng.IntN(4), fields: 1, desks: 1, pictures: 5, items: 1}
	}},
	{name: "units and fields on three dates", cells: unitsAndFields, shape: func(rng *rand.Rand) crowd {
		return crowd{units: 3, fields: 2 + rng.IntN(2), desks: 1, pictures: 3, items: 1}
	}},
	{name: "desks on four dates", cells: desksToo, shape: func(rng *rand.Rand) crowd {
		return crowd{units: 2, fields: 2, desks: 2, pictures: 4, items: 1}
	}},
	{name: "withdrawals", cells: units, withdrawals: true, shape: func(rng *rand.Rand) crowd {
		return crowd{units: 3 + rng.IntN(2), fields: 1, desks: 1, pictures: 3, items: 1}
	}},
	{name: "withdrawals from units and fields", cells: unitsAndFields, withdrawals: true, shape: func(rng *rand.Rand) crowd {
		return crowd{units: 3, fields: 2, desks: 1, pictures: 2, items: 1}
	}},
}

// adversary holds his equations over people by attributes, times and kinds of
// answers.
type adversary struct {
	atoms []citizen // all the people there could be
	rows  [][]float64
	right []float64
}

func newAdversary(w *crowd) *adversary {
	a := &adversary{}
	kinds := [][2]int{{0}, {1}, {2}}
	if w.items == 2 {
		kinds = nil
		for i := range 9 {
			kinds = append(kinds, [2]int{i / 3, i % 3})
		}
	}
	for u := range w.units {
		for f := range w.fields {
			for d := range w.desks {
				for t := range w.pictures {
					for l := t + 1; l <= w.pictures; l++ {
						if l < w.pictures && !w.withdrawals {
							continue
						}
						for _, k := range kinds {
							a.atoms = append(a.atoms, citizen{unit: u, field: f, desk: d, arrives: t, leaves: l, kinds: k})
						}
					}
				}
			}
		}
	}
	return a
}

// vector picks who is in a cell at picture t; item and kind narrow it, kind -1
// is everybody.
func (a *adversary) vector(r *cellRule, t, item, kind int) []float64 {
	v := make([]float64, len(a.atoms))
	for i := range a.atoms {
		z := &a.atoms[i]
		if z.arrives <= t && t < z.leaves && r.in(z) && (kind < 0 || z.kinds[item] == kind) {
			v[i] = 1
		}
	}
	return v
}

// learn adds what a shown cell says.
func (a *adversary) learn(r *cellRule, t int, c *TableCell) {
	add := func(v []float64, n int) { a.rows, a.right = append(a.rows, v), append(a.right, float64(n)) }
	add(a.vector(r, t, 0, -1), c.N)
	for k, s := range c.Items {
		add(a.vector(r, t, k, 0), s.Satisfied)
		add(a.vector(r, t, k, 1), s.Other)
	}
}

// reduce leaves independent equations, of which linear programming wants none
// else.
func (a *adversary) reduce() {
	var rows [][]float64
	var right []float64
	var leads []int
	for i, row := range a.rows {
		row, b := slices.Clone(row), a.right[i]
		for j, lead := range leads {
			if f := row[lead]; f != 0 {
				for k := range row {
					row[k] -= f * rows[j][k]
				}
				b -= f * right[j]
			}
		}
		lead := slices.IndexFunc(row, func(x float64) bool { return math.Abs(x) > 1e-9 })
		if lead < 0 {
			continue
		}
		f := row[lead]
		for k := range row {
			row[k] /= f
		}
		b /= f
		for j := range rows {
			if f := rows[j][lead]; f != 0 {
				for k := range row {
					rows[j][k] -= f * row[k]
				}
				right[j] -= f * b
			}
		}
		rows, right, leads = append(rows, row), append(right, b), append(leads, lead)
	}
	a.rows, a.right = rows, right
}

// least is the smallest value of v over all worlds that agree with what was
// shown; -Inf when there is none.
func (a *adversary) least(v []float64) (float64, error) {
	if len(a.rows) == 0 {
		if slices.Min(v) < 0 {
			return math.Inf(-1), nil
		}
		return 0, nil
	}
	m := mat.NewDense(len(a.rows), len(a.atoms), nil)
	right := slices.Clone(a.right)
	var cost []float64
	cost = append(cost, v...)
	for i, row := range a.rows {
		m.SetRow(i, row)
	}
	// gonum takes no empty columns: such people are in nothing that was shown.
	var keep []int
	for j := range a.atoms {
		if mat.Norm(m.ColView(j), 1) > 0 {
			keep = append(keep, j)
		} else if cost[j] < 0 {
			return math.Inf(-1), nil
		}
	}
	if len(keep) < len(a.rows) {
		return 0, errors.New("more equations than unknowns")
	}
	small := mat.NewDense(len(a.rows), len(keep), nil)
	c := make([]float64, len(keep))
	for i, j := range keep {
		c[i] = cost[j]
		for r := range a.rows {
			small.Set(r, i, m.At(r, j))
		}
	}
	if len(keep) == len(a.rows) {
		// Nothing is open any more: the rows are the solution.
		sum := 0.0
		for i := range a.rows {
			j := slices.IndexFunc(a.rows[i], func(x float64) bool { return math.Abs(x) > 1e-9 })
			sum += v[j] * a.right[i]
		}
		return sum, nil
	}
	value, _, err := lp.Simplex(c, small, right, 1e-9, nil)
	if errors.Is(err, lp.ErrUnbounded) {
		return math.Inf(-1), nil
	}
	return value, err
}

// bounds is what follows from everything shown about v.
func (a *adversary) bounds(v []float64) (low, high float64, err error) {
	low, err = a.least(v)
	if err != nil {
		return 0, 0, err
	}
	minus := make([]float64, len(v))
	for i := range v {
		minus[i] = -v[i]
	}
	high, err = a.least(minus)
	return low, -high, err
}

// protector is Protect, or a worse one to be attacked.
type protector func(before Disclosed, now Table, rules DisclosureRules) (Disclosed, []Protection, error)

// published is a picture and what readers know of it.
type published struct {
	table Table
	cells []Protection
	// known cells have this picture's counts; parts of a known whole that are
	// not are open.
	known []bool
}

func publish(w *crowd, rules []cellRule, protect protector) ([]published, error) {
	var before Disclosed
	var out []published
	for t := range w.pictures {
		p := published{table: w.table(t, rules)}
		var err error
		if before, p.cells, err = protect(before, p.table, DefaultDisclosure()); err != nil {
			return nil, err
		}
		for i := range rules {
			at, _ := slices.BinarySearchFunc(before.Cells, rules[i].id, func(c DisclosedCell, id string) int { return strings.Compare(c.ID, id) })
			// Whoever sees a picture's number knows it, whatever the protector thinks.
			p.known = append(p.known, before.Cells[at].Known == t || p.cells[i].Picture == t)
		}
		out = append(out, p)
	}
	return out, nil
}

// attack publishes the crowd's pictures and returns what an adversary finds
// who uses all numbers at once.
func attack(w *crowd, rules []cellRule, protect protector) (leaks []string, err error) {
	promise := DefaultDisclosure()
	pictures, err := publish(w, rules, protect)
	if err != nil {
		return nil, err
	}
	a := newAdversary(w)
	for t, p := range pictures {
		for i := range rules {
			if p.known[i] {
				a.learn(&rules[i], t, &p.table.Cells[i])
			}
		}
	}
	a.reduce()
	for t, p := range pictures {
		for i := range rules {
			r, base := &rules[i], lastKnown(pictures[:t], i)
			d := growth(pictures, i, base, t)
			leak := func(format string, args ...any) {
				leaks = append(leaks, fmt.Sprintf("picture %d, %s (%v since picture %d): ", t, r.id, d, base)+fmt.Sprintf(format, args...))
			}
			small := d[0] < promise.MinN || d[0] < promise.MinUnanimous && d.unanimous()
			if p.known[i] {
				first := base < 0 || pictures[base].table.Cells[i].N == 0
				if !d.none() && (small || !first && d[0] < promise.MinChange) {
					leak("shown")
				}
				continue
			}
			solve := func(item, kind int) (low, high float64) {
				v := a.vector(r, t, item, kind)
				if base >= 0 {
					for j, x := range a.vector(r, base, item, kind) {
						v[j] -= x
					}
				}
				low, high, bad := a.bounds(v)
				err = errors.Join(err, bad)
				return low, high
			}
			const close = 1e-6
			if d[0] <= 0 || d[0] >= promise.MinUnanimous || !d.grew() {
				continue
			}
			low, high := solve(0, -1)
			if d[0] < promise.MinN && high-low < 2-close { // three numbers or more are possible
				leak("found: %g to %g", low, high)
			}
			for k := range w.items {
				satisfied, other := d[1+2*k], d[2+2*k]
				if (satisfied == 0) == (other == 0) || low < 1-close {
					continue
				}
				kind := 1
				if satisfied == 0 {
					kind = 0
				}
				if _, high := solve(k, kind); high < 1-close && !shared(pictures, rules, i, base, t, 1+2*k+kind) {
					leak("item %d found unanimous", k)
				}
			}
		}
	}
	// What came to open parts from one picture until they were known.
	for t := range pictures {
		sums := map[string][]float64{}
		n := map[string]heads{}
		for i := range rules {
			r := &rules[i]
			if pictures[t].known[i] || r.whole == "" {
				continue
			}
			later := slices.IndexFunc(pictures[t:], func(p published) bool { return p.known[i] })
			if later < 0 {
				continue
			}
			by := r.whole + r.split
			if sums[by] == nil {
				sums[by] = make([]float64, len(a.atoms))
			}
			was := a.vector(r, t, 0, -1)
			for j, x := range a.vector(r, t+later, 0, -1) {
				sums[by][j] += x - was[j]
			}
			n[by] = n[by].plus(growth(pictures, i, t, t+later))
		}
		for by, v := range sums {
			if people := n[by].people(); people <= 0 || people >= promise.MinChange {
				continue
			}
			low, high, bad := a.bounds(v)
			err = errors.Join(err, bad)
			if high-low < 1e-6 {
				leaks = append(leaks, fmt.Sprintf("picture %d, parts of %s that were not renewed: %v came until they were", t, by, n[by]))
			}
		}
	}
	return leaks, err
}

// lastKnown is the last of some pictures of which readers know the cell, -1 none.
func lastKnown(pictures []published, i int) int {
	for t := len(pictures) - 1; t >= 0; t-- {
		if pictures[t].known[i] {
			return t
		}
	}
	return -1
}

// at are the counts of a cell in a picture; picture -1 has nobody.
func at(pictures []published, i, t int) heads {
	c := &pictures[max(t, 0)].table.Cells[i]
	n := heads{c.N}
	for _, s := range c.Items {
		n = append(n, s.Satisfied, s.Other)
	}
	if t < 0 {
		return make(heads, len(n))
	}
	return n
}

func growth(pictures []published, i, from, to int) heads {
	return at(pictures, i, to).less(at(pictures, i, from))
}

// shared: everybody who came to the cell between two pictures is in a group of
// ten or more that readers may know, of whom nobody gave that kind of answer.
func shared(pictures []published, rules []cellRule, i, from, to, kind int) bool {
	for t := from + 1; t <= to; t++ {
		if at(pictures, i, t)[0] > at(pictures, i, t-1)[0] && !sharedStep(pictures, rules, i, t, kind) {
			return false
		}
	}
	return true
}

// sharedStep looks at those who came from picture t-1 to t.
func sharedStep(pictures []published, rules []cellRule, i, t, kind int) bool {
	whole := slices.IndexFunc(rules, func(r cellRule) bool { return r.id == rules[i].whole })
	// The cell's own growth from one known picture to another.
	from := lastKnown(pictures[:t], i)
	for e := t; e < len(pictures); e++ {
		if pictures[e].known[i] {
			d := growth(pictures, i, from, e)
			if d[kind] == 0 {
				return true
			}
			break
		}
	}
	if whole < 0 {
		return false
	}
	// Sums of open parts: at picture b, less what was known before or at another.
	step := func(part, from, to int) int { return growth(pictures, part, from, to)[kind] }
	var parts []int
	for j := range rules {
		if rules[j].whole == rules[whole].id && rules[j].split == rules[i].split {
			parts = append(parts, j)
		}
	}
	rest := func(from, to int) int { // whom no cell has
		n := growth(pictures, whole, from, to)[kind]
		for _, j := range parts {
			n -= step(j, from, to)
		}
		return n
	}
	for b := t; b < len(pictures); b++ {
		if !pictures[b].known[whole] || pictures[b].known[i] {
			continue
		}
		for a := -1; a < t; a++ { // a -1: since each was known
			if a >= 0 && (!pictures[a].known[whole] || lastKnown(pictures[:t], i) > a) {
				continue
			}
			n := max(0, rest(a, b))
			for _, j := range parts {
				if !pictures[b].known[j] {
					n += step(j, max(a, lastKnown(pictures[:b], j)), b)
				} else if a >= 0 && !pictures[a].known[j] {
					e := a + 1
					for !pictures[e].known[j] {
						e++
					}
					n += step(j, a, e)
				}
			}
			if n == 0 {
				return true
			}
		}
	}
	// Sums of an earlier picture, less what was known of all its parts later.
	for a := 0; a < t; a++ {
		if !pictures[a].known[whole] || pictures[a].known[i] {
			continue
		}
		n, all := 0, true
		for _, j := range parts {
			if pictures[a].known[j] {
				continue
			}
			e := a + 1
			for e < len(pictures) && !pictures[e].known[j] {
				e++
			}
			if e == len(pictures) {
				all = false
				break
			}
			n += step(j, a, e)
		}
		if all && n == 0 {
			return true
		}
	}
	return sharedStep(pictures, rules, whole, t, kind)
}

func (s *scenario) draw(seed uint64) (*crowd, []cellRule) {
	rng := rand.New(rand.NewPCG(seed, seed))
	w := s.shape(rng)
	w.fill(rng, s.withdrawals)
	return &w, s.cells(&w)
}

// TestAttackFindsNothing draws the same worlds every time; SIPAS_ATTACK_DRAWS
// asks for more of each scenario.
func TestAttackFindsNothing(t *testing.T) {
	draws := ciOr(t, 60, 8)
	if text := os.Getenv("SIPAS_ATTACK_DRAWS"); text != "" {
		var err error
		if draws, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for seed := range draws {
				w, rules := s.draw(uint64(seed))
				leaks, err := attack(w, rules, Protect)
				if err != nil {
					t.Fatal(err)
				}
				if len(leaks) > 0 {
					t.Errorf("seed %d: %d leaks:\n%s", seed, len(leaks), strings.Join(leaks, "\n"))
				}
			}
		})
	}
}

// Worse protectors must be found out, or the attack proves nothing.
func TestAttackFindsLeaks(t *testing.T) {
	// redo lets a protector's choice be worse.
	redo := func(worse func(d *Disclosed, p []Protection)) protector {
		return func(before Disclosed, now Table, rules DisclosureRules) (Disclosed, []Protection, error) {
			d, p, err := Protect(before, now, rules)
			if err == nil {
				worse(&d, p)
			}
			return d, p, err
		}
	}
	for _, c := range []struct {
		name      string
		scenarios []string
		protect   protector
	}{
		{"small cells hidden only", []string{"units", "units and fields", "fields, units and desks", "desks on four dates"},
			redo(func(d *Disclosed, p []Protection) {
				for i := range p {
					if p[i].Hidden == Complementary {
						p[i] = Protection{Picture: d.Pictures - 1}
					}
				}
			})},
		{"no history", []string{"two dates", "five dates", "units and fields on three dates", "withdrawals"},
			func(before Disclosed, now Table, rules DisclosureRules) (Disclosed, []Protection, error) {
				d, p, err := Protect(Disclosed{}, now, rules)
				for i := range p {
					if p[i].Picture == 0 {
						p[i].Picture = before.Pictures
					}
				}
				for i := range d.Cells {
					if d.Cells[i].Known == 0 {
						d.Cells[i].Known = before.Pictures
					}
				}
				d.Pictures = before.Pictures + 1
				return d, p, err
			}},
		{"renewal after one answer", []string{"two dates", "five dates", "withdrawals"},
			redo(func(d *Disclosed, p []Protection) {
				for i := range p {
					if p[i].Hidden == Shown {
						p[i].Picture = d.Pictures - 1
					}
				}
			})},
		{"every cell renewed by itself", ciOr(t, []string{"five dates", "desks on four dates"}, []string{"five dates"}),
			func(before Disclosed, now Table, rules DisclosureRules) (Disclosed, []Protection, error) {
				d, p, err := Protect(before, now, rules)
				for i := range p {
					at, was := slices.BinarySearchFunc(before.Cells, now.Cells[i].ID, func(c DisclosedCell, id string) int { return strings.Compare(c.ID, id) })
					if was && before.Cells[at].Shown[0] > 0 && now.Cells[i].N-before.Cells[at].Shown[0] >= rules.MinChange {
						p[i].Picture = before.Pictures
					}
				}
				return d, p, err
			}},
		{"sums of earlier pictures forgotten", []string{"five dates"},
			redo(func(d *Disclosed, _ []Protection) { d.Sums = nil })},
	} {
		for _, s := range scenarios {
			if !slices.Contains(c.scenarios, s.name) {
				continue
			}
			t.Run(c.name+"/"+s.name, func(t *testing.T) {
				t.Parallel()
				for seed := range uint64(400) {
					w, rules := s.draw(seed)
					leaks, err := attack(w, rules, c.protect)
					if err != nil {
						t.Fatal(err)
					}
					if len(leaks) > 0 {
						return
					}
				}
				t.Error("the attack finds nothing")
			})
		}
	}
}
