package kiosk

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// modelSize is how many numbers the sets of a model are drawn from.
const modelSize = 40

// model is a set of numbers from 1 to modelSize in the simplest form.
type model [modelSize + 2]bool

// drawn makes a model and the ranges of it, in any order, that overlap and touch.
func drawn(r *rand.Rand) (model, [][2]int64) {
	var m model
	var ranges [][2]int64
	for range r.IntN(8) {
		from := 1 + r.Int64N(modelSize)
		to := min(from+r.Int64N(7), modelSize)
		ranges = append(ranges, [2]int64{from, to})
		for n := from; n <= to; n++ {
			m[n] = true
		}
	}
	return m, ranges
}

// checkNumbers compares a set with its model, and its form with what Numbers says.
func checkNumbers(t *testing.T, what string, got Numbers, want func(n int) bool) {
	t.Helper()
	var size int64
	for n := range modelSize + 2 {
		if want(n) {
			size++
		}
		if got.Has(int64(n)) != want(n) {
			t.Fatalf("%s: %v: has %d: %v", what, got, n, got.Has(int64(n)))
		}
	}
	if got.Len() != size {
		t.Fatalf("%s: %v has length %d, want %d", what, got, got.Len(), size)
	}
	checkForm(t, got)
}

// checkForm checks that ranges ascend and neither touch nor overlap.
func checkForm(t *testing.T, s Numbers) {
	t.Helper()
	for i, r := range s {
		if r[1] < r[0] || i > 0 && r[0] <= s[i-1][1]+1 {
			t.Fatalf("%v: range %d", s, i)
		}
	}
}

func TestNumbersLikeASet(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 5000 {
		a, aRanges := drawn(r)
		b, bRanges := drawn(r)
		text, err := json.Marshal(aRanges)
		if err != nil {
			t.Fatal(err)
		}
		var x Numbers
		if err := json.Unmarshal(text, &x); err != nil {
			t.Fatal(err)
		}
		var list []int64
		for n := range b {
			if b[n] {
				list = append(list, int64(n))
			}
		}
		r.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
		y := numbersOf(append(list, list[:len(list)/2]...))
		checkNumbers(t, "read", x, func(n int) bool { return a[n] })
		checkNumbers(t, "numbersOf", y, func(n int) bool { return b[n] })
		keptX, keptY := slices.Clone(x), slices.Clone(y)
		what := fmt.Sprint(aRanges, bRanges)
		checkNumbers(t, "with "+what, x.With(y), func(n int) bool { return a[n] || b[n] })
		checkNumbers(t, "without "+what, x.Without(y), func(n int) bool { return a[n] && !b[n] })
		checkNumbers(t, "and "+what, x.And(y), func(n int) bool { return a[n] && b[n] })
		if !slices.Equal(x, keptX) || !slices.Equal(y, keptY) {
			t.Fatalf("%v and %v became %v and %v", keptX, keptY, x, y)
		}
	}
}

func TestUpTo(t *testing.T) {
	for n, want := range map[int64]int64{-1: 0, 0: 0, 1: 1, 7: 7, MaxNumber: MaxNumber} {
		if got := upTo(n); got.Len() != want || got.Has(0) || got.Has(n+1) || want > 0 && !got.Has(n) {
			t.Errorf("upTo(%d) = %v", n, got)
		}
	}
}

func TestNumbersJSON(t *testing.T) {
	for text, want := range map[string]string{ // "" where it is refused
		`[]`:                          `[]`,
		`null`:                        `[]`,
		`[[1,1]]`:                     `[[1,1]]`,
		`[[5,9],[1,3],[4,4]]`:         `[[1,9]]`,
		`[[1,119],[135,500]]`:         `[[1,119],[135,500]]`,
		`[[1,9],[2,3],[2,12],[2,12]]`: `[[1,12]]`,
		`[[1,1099511627776]]`:         `[[1,1099511627776]]`,
		`[[1,1099511627777]]`:         ``,
		`[[0,3]]`:                     ``,
		`[[-3,3]]`:                    ``,
		`[[3,2]]`:                     ``,
		`[[3]]`:                       ``,
		`[[]]`:                        ``,
		`[3]`:                         ``,
		`[[1.5,3]]`:                   ``,
		`[["1",3]]`:                   ``,
		`{"1":3}`:                     ``,
		`[[1,9223372036854775808]]`:   ``,
		`[[1,2],[0,0]]`:               ``,
		`7`:                           ``,
	} {
		s := Numbers{{50, 60}}
		err := json.Unmarshal([]byte(text), &s)
		if (err != nil) != (want == "") {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if err != nil {
			continue
		}
		if got, err := json.Marshal(s); err != nil || string(got) != want {
			t.Errorf("%s was read as %s, %v, want %s", text, got, err, want)
		}
	}
	// What the server knows of a tablet has to be read again, however it looks; only a
	// batch is bounded.
	var many Numbers
	for n := range int64(3 * maxRanges) {
		many = append(many, [2]int64{2*n + 1, 2*n + 1})
	}
	text, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	var again Numbers
	if err := json.Unmarshal(text, &again); err != nil || !slices.Equal(again, many) {
		t.Errorf("%d ranges were read as %d: %v", len(many), len(again), err)
	}
}

func FuzzNumbers(f *testing.F) {
	f.Add([]byte(`[[1,119],[135,500]]`), []byte(`[[100,140],[1,1]]`), int64(120))
	f.Add([]byte(`[[1,1099511627776]]`), []byte(`[[1099511627776,1099511627776]]`), int64(MaxNumber))
	f.Fuzz(func(t *testing.T, a, b []byte, n int64) {
		var x, y Numbers
		if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
			return
		}
		both, either, rest := x.And(y), x.With(y), x.Without(y)
		for _, s := range []Numbers{x, y, both, either, rest} {
			checkForm(t, s)
			text, err := json.Marshal(s)
			if err != nil || strings.Contains(string(text), "null") {
				t.Fatalf("%v is written as %s: %v", s, text, err)
			}
			var again Numbers
			if err := json.Unmarshal(text, &again); err != nil || !slices.Equal(s, again) {
				t.Fatalf("%s was read as %v: %v", text, again, err)
			}
		}
		if x.Len()+y.Len() != either.Len()+both.Len() || x.Len() != both.Len()+rest.Len() {
			t.Fatalf("%v and %v: lengths of %v, %v, %v", x, y, both, either, rest)
		}
		probe := []int64{n}
		for _, r := range slices.Concat(x, y) {
			probe = append(probe, r[0]-1, r[0], r[1], r[1]+1)
		}
		for _, n := range probe {
			if both.Has(n) != (x.Has(n) && y.Has(n)) || either.Has(n) != (x.Has(n) || y.Has(n)) || rest.Has(n) != (x.Has(n) && !y.Has(n)) {
				t.Fatalf("%v and %v at %d: %v, %v, %v", x, y, n, both, either, rest)
			}
		}
	})
}
