package mongotest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// errPortTaken says that a mongod ended because somebody else listens on its port.
var errPortTaken = errors.New("the port is taken")

// exitPortTaken is the exit code of a mongod that could not listen.
const exitPortTaken = 48

// process is a running mongod.
type process struct {
	os   *os.Process
	log  string        // the file of its output
	done chan struct{} // closed when it has ended, for whatever reason
	code int           // its exit code, after done
}

// startProcess starts a program whose output is added to the file log.
func startProcess(binary string, args []string, log string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = dieWithParent()
	p := &process{log: log, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// Linux ends the child with the thread that started it, so that thread waits here for the child's end.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := errors.Join(cmd.Start(), out.Close())
		p.os = cmd.Process
		started <- err
		if p.os != nil {
			_ = cmd.Wait() // the exit code says as much
			p.code = cmd.ProcessState.ExitCode()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start mongod: %w", err)
	}
	return p, nil
}

// end ends the process and returns when it is gone; one that has ended already is fine.
func (p *process) end(how func(*os.Process) error) error {
	if err := how(p.os); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("it still runs after %v", patience)
	}
}

// failure says why a process ended that should run.
func (p *process) failure() error {
	if p.code == exitPortTaken {
		return errPortTaken
	}
	return fmt.Errorf("mongod ended with exit code %d:\n%s", p.code, p.logTail())
}

func (p *process) logTail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(bytes.Join(lines[max(0, len(lines)-20):], []byte("\n")))
}
