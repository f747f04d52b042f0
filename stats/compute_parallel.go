package stats

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// parallel runs do(scratch, i) for i in [0, n) on as many goroutines as there
// are processors, each with its own scratch memory. Which goroutine takes
// which i is left to chance: whatever do leaves behind must depend on i alone.
func parallel[S any](n int, scratch func() S, do func(s S, i int)) {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers <= 1 {
		if n > 0 {
			s := scratch()
			for i := range n {
				do(s, i)
			}
		}
		return
	}
	var next atomic.Int64
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			s := scratch()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(s, i)
			}
		})
	}
	done.Wait()
}
