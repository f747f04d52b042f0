//go:build !linux

package store

import "os"

// syncData makes what was written to f durable.
func syncData(f *os.File) error { return f.Sync() }

// syncFolder would make the names of new files durable; Windows cannot, and elsewhere a failure is of no account, as
// the files are made once in the life of a store.
func syncFolder(path string) error {
	if d, err := os.Open(path); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}
