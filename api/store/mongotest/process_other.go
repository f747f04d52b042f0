//go:build !linux

package mongotest

import "syscall"

// dieWithParent changes nothing here: only Linux ties a child to its parent.
func dieWithParent() *syscall.SysProcAttr { return nil }
