package stats

import (
	"slices"
	"testing"
)

func TestLevels(t *testing.T) {
	for _, c := range []struct {
		name    string
		columns [][]string
		class   []int
		labels  []string
	}{
		{"text", [][]string{{"b", "a", "", "b"}}, []int{1, 0, -1, 1}, []string{"a", "b"}},
		{"numbers by size", [][]string{{"10", "9", "10"}}, []int{1, 0, 1}, []string{"9", "10"}},
		{"numbers and text by bytes", [][]string{{"10", "9", "x"}}, []int{0, 1, 2}, []string{"10", "9", "x"}},
		{"combinations that occur", [][]string{{"b", "a", "a", "b"}, {"2", "10", "2", ""}}, []int{2, 1, 0, -1}, []string{"a|2", "a|10", "b|2"}},
		{"nothing", nil, nil, nil},
	} {
		class, labels := Levels(c.columns...)
		if !slices.Equal(class, c.class) || !slices.Equal(labels, c.labels) {
			t.Errorf("%s: %v of %q", c.name, class, labels)
		}
	}
}
