package mongotest

import "syscall"

// dieWithParent ends the nodes when the test process is killed or panics, too.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
