package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// At a terminal a command asks for the token, and what is typed is not shown.
func TestTokenIsAskedForAtATerminal(t *testing.T) {
	data := t.TempDir()
	token := strings.TrimSpace(mustSipas(t, "token", "create", "--data", data, "--name", "An", "--rights", "tokens"))
	_, url := startServe(t, data)
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	if err := unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	line, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(exe, "token", "list", "--url", url)
	command.Env = append(os.Environ(), asMain+"=1")
	command.Stdin, command.Stdout, command.Stderr = line, line, line
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	if err := line.Close(); err != nil {
		t.Fatal(err)
	}
	said, screen := "", bufio.NewReader(terminal)
	read := func() bool { // false when the command has ended
		b, err := screen.ReadByte()
		said += string(b)
		return err == nil
	}
	for !strings.Contains(said, "Access token") && read() {
	}
	for began := time.Now(); !echoOff(t, terminal); time.Sleep(time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("what is typed would be shown; the screen shows\n%s", said)
		}
	}
	if _, err := fmt.Fprintln(terminal, token); err != nil {
		t.Fatal(err)
	}
	for read() {
	}
	if err := command.Wait(); err != nil || !strings.Contains(said, "An") || !strings.Contains(said, "made by") || strings.Contains(said, token) {
		t.Errorf("%v; the screen shows\n%s", err, said)
	}
}

// echoOff reports whether a terminal shows what is typed no more.
func echoOff(t *testing.T, terminal *os.File) bool {
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO == 0
}
