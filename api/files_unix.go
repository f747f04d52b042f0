//go:build unix

package main

import "syscall"

// openFiles is how many files this process may open: Go's runtime raises the limit as far as
// the system lets it before anything else runs. 0 where nobody says.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return uint64(limit.Cur)
}
