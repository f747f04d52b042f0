package kiosk

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"
)

// MaxNumber is the highest number that a tablet gives out in one epoch, more than
// it could in a thousand years.
const MaxNumber = 1 << 40

// Numbers is a set of a tablet's numbers as ascending ranges that neither touch nor
// overlap: [[1,119],[135,500]]. The zero value is empty. Its methods return new sets.
type Numbers [][2]int64

// errNumbers says that a list of ranges is none.
var errNumbers = errors.New("numbers are ranges [from, to] with 1 ≤ from ≤ to")

// UnmarshalJSON reads ranges in any order and puts them together. How many there may
// be is not its matter: what is known of a tablet has to be read again.
func (s *Numbers) UnmarshalJSON(text []byte) error {
	var list [][2]int64
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for _, r := range list {
		if r[0] < 1 || r[1] < r[0] || r[1] > MaxNumber {
			return errNumbers
		}
	}
	*s = join(list)
	return nil
}

// MarshalJSON writes an empty set as [].
func (s Numbers) MarshalJSON() ([]byte, error) { return json.Marshal(append([][2]int64{}, s...)) }

func join(list [][2]int64) Numbers {
	slices.SortFunc(list, func(a, b [2]int64) int {
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		return cmp.Compare(a[1], b[1])
	})
	var out Numbers
	for _, r := range list {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
		} else {
			out = append(out, r)
		}
	}
	return out
}

// With returns the union of both sets.
func (s Numbers) With(other Numbers) Numbers { return join(slices.Concat(s, other)) }

// Without returns what is in s and not in other.
func (s Numbers) Without(other Numbers) Numbers {
	var out Numbers
	at := 0
	for _, r := range s {
		from := r[0]
		for at < len(other) && other[at][1] < from {
			at++
		}
		for k := at; k < len(other) && other[k][0] <= r[1]; k++ {
			if other[k][0] > from {
				out = append(out, [2]int64{from, other[k][0] - 1})
			}
			from = other[k][1] + 1
		}
		if from <= r[1] {
			out = append(out, [2]int64{from, r[1]})
		}
	}
	return out
}

// And returns what is in both sets.
func (s Numbers) And(other Numbers) Numbers { return s.Without(s.Without(other)) }

// Has reports whether n is in the set.
func (s Numbers) Has(n int64) bool {
	_, found := slices.BinarySearchFunc(s, n, func(r [2]int64, n int64) int {
		switch {
		case r[1] < n:
			return -1
		case r[0] > n:
			return 1
		}
		return 0
	})
	return found
}

// Len returns how many numbers are in the set.
func (s Numbers) Len() int64 {
	var n int64
	for _, r := range s {
		n += r[1] - r[0] + 1
	}
	return n
}

// upTo is every number from 1 to n.
func upTo(n int64) Numbers {
	if n < 1 {
		return nil
	}
	return Numbers{{1, n}}
}

// numbersOf is the set of some numbers.
func numbersOf(list []int64) Numbers {
	ranges := make([][2]int64, len(list))
	for i, n := range list {
		ranges[i] = [2]int64{n, n}
	}
	return join(ranges)
}
