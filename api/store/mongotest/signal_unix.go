//go:build unix

package mongotest

import (
	"os"
	"syscall"
)

// terminate asks a process to end cleanly.
func terminate(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

// setFrozen stops a process or lets it go on.
func setFrozen(p *os.Process, frozen bool) error {
	if frozen {
		return p.Signal(syscall.SIGSTOP)
	}
	return p.Signal(syscall.SIGCONT)
}
