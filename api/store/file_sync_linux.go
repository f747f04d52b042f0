package store

import (
	"os"
	"syscall"
)

// syncData makes what was written to f durable. The journal is written in place within its size, so the metadata that
// fdatasync leaves out (times) is of no account; when the size did change, fdatasync includes it.
func syncData(f *os.File) error {
	for {
		err := syscall.Fdatasync(int(f.Fd()))
		if err != syscall.EINTR {
			return err
		}
	}
}

// syncFolder makes the names of new files durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
