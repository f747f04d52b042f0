package stats

// run is a stretch of rows of one PSU inside one block.
type run struct {
	rows     *Rows
	from, to int
}

// walk visits every PSU whose key is in [first, last], in order of key, with
// its rows in each block that has some (blocks in the order given). The slice
// of runs is used again for the next PSU.
func walk(blocks []*Rows, first, last uint64, visit func(key uint64, runs []run)) {
	at := make([]int, len(blocks))
	for b, r := range blocks {
		at[b] = r.seek(first)
	}
	runs := make([]run, 0, len(blocks))
	for {
		key, found := uint64(0), false
		for b, r := range blocks {
			if at[b] < r.PSUs() && (!found || r.psuKey[at[b]] < key) {
				key, found = r.psuKey[at[b]], true
			}
		}
		if !found || key > last {
			return
		}
		runs = runs[:0]
		for b, r := range blocks {
			if at[b] < r.PSUs() && r.psuKey[at[b]] == key {
				runs = append(runs, run{r, int(r.psuStart[at[b]]), int(r.psuStart[at[b]+1])})
				at[b]++
			}
		}
		visit(key, runs)
	}
}

// seek is the position of the first PSU whose key is not below key.
func (r *Rows) seek(key uint64) int {
	lo, hi := 0, r.PSUs()
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if r.psuKey[mid] < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
