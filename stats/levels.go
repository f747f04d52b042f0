package stats

import (
	"slices"
	"strconv"
	"strings"
)

// Levels classifies rows by one or more columns of text: class holds an index of labels for every row,
// or −1 where a cell is empty (missing). Labels are the values of a row joined with "|", of the
// combinations that occur, in the order of the first column, then the second, and so on: by size where
// all values of a column are numbers, else by bytes. Columns of different lengths panic.
func Levels(columns ...[]string) (class []int, labels []string) {
	for c, column := range columns {
		if c == 0 {
			class, labels = levelsOf(column)
			continue
		}
		more, moreLabels := levelsOf(column)
		class, labels = crossLevels(class, labels, more, moreLabels)
	}
	return class, labels
}

func levelsOf(column []string) (class []int, labels []string) {
	labels = slices.Clone(column)
	slices.Sort(labels)
	labels = slices.Compact(labels)
	if len(labels) > 0 && labels[0] == "" {
		labels = labels[1:]
	}
	slices.SortStableFunc(labels, orderOf(labels))
	at := make(map[string]int, len(labels))
	for k, label := range labels {
		at[label] = k
	}
	class = make([]int, len(column))
	for i, value := range column {
		class[i] = -1
		if k, ok := at[value]; ok {
			class[i] = k
		}
	}
	return class, labels
}

// orderOf returns the comparison for labels: numeric if all of them are numbers.
func orderOf(labels []string) func(a, b string) int {
	number := make(map[string]float64, len(labels))
	for _, label := range labels {
		v, err := strconv.ParseFloat(label, 64)
		if err != nil {
			return strings.Compare
		}
		number[label] = v
	}
	return func(a, b string) int {
		switch {
		case number[a] < number[b]:
			return -1
		case number[a] > number[b]:
			return 1
		}
		return 0
	}
}

func crossLevels(a []int, aLabels []string, b []int, bLabels []string) (class []int, labels []string) {
	if len(a) != len(b) {
		panic("stats: columns differ in length")
	}
	class = make([]int, len(a))
	var codes []int
	for i := range a {
		class[i] = -1
		if a[i] >= 0 && b[i] >= 0 {
			class[i] = a[i]*len(bLabels) + b[i]
			codes = append(codes, class[i])
		}
	}
	slices.Sort(codes)
	codes = slices.Compact(codes)
	for _, code := range codes {
		labels = append(labels, aLabels[code/len(bLabels)]+"|"+bLabels[code%len(bLabels)])
	}
	for i, code := range class {
		if code >= 0 {
			class[i], _ = slices.BinarySearch(codes, code)
		}
	}
	return class, labels
}
