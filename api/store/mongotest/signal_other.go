//go:build !unix

package mongotest

import (
	"errors"
	"os"
)

// terminate ends a process at once: a clean end cannot be asked for here.
func terminate(p *os.Process) error { return p.Kill() }

func setFrozen(*os.Process, bool) error { return errors.ErrUnsupported }
