package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// asMain makes the test binary run as the program itself, so that a test can
// start it, signal it and kill it.
const asMain = "SIPAS_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	if err := sideBySide(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// sipas runs a command line in this process.
func sipas(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// mustSipas runs a command line that must succeed.
func mustSipas(t *testing.T, args ...string) string {
	t.Helper()
	code, stdout, stderr := sipas(t, args...)
	if code != 0 {
		t.Fatalf("sipas %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout, stderr)
	}
	return stdout
}

// child is the program in a process of its own.
type child struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdout *lines
	stderr *lines
}

// start starts the program; the test kills it at its end.
func start(t *testing.T, args ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return launch(t, exec.Command(exe, args...))
}

// launch starts a command that becomes the program.
func launch(t *testing.T, cmd *exec.Cmd) *child {
	t.Helper()
	c := &child{t: t, cmd: cmd}
	c.cmd.Env = append(os.Environ(), asMain+"=1")
	c.stdout, c.stderr = newLines(t, c.cmd.StdoutPipe), newLines(t, c.cmd.StderrPipe)
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if c.cmd.ProcessState == nil {
			_ = c.cmd.Process.Kill()
			_ = c.cmd.Wait()
		}
	})
	return c
}

// stop ends the program with a signal and returns its exit code.
func (c *child) stop(signal os.Signal) int {
	c.t.Helper()
	if err := c.cmd.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
	_ = c.cmd.Wait()
	return c.cmd.ProcessState.ExitCode()
}

// signal sends the program a signal that does not end it.
func (c *child) signal(signal os.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(signal); err != nil {
		c.t.Fatal(err)
	}
}

// lines reads a pipe line by line.
type lines struct {
	t  *testing.T
	ch chan string
}

func newLines(t *testing.T, pipe func() (io.ReadCloser, error)) *lines {
	t.Helper()
	r, err := pipe()
	if err != nil {
		t.Fatal(err)
	}
	l := &lines{t: t, ch: make(chan string, 10_000)}
	go func() {
		defer close(l.ch)
		for s := bufio.NewScanner(r); s.Scan(); {
			l.ch <- s.Text()
		}
	}()
	return l
}

// until returns the first line that find accepts.
func (l *lines) until(find func(string) bool) string {
	l.t.Helper()
	limit := time.After(60 * time.Second)
	var seen []string
	for {
		select {
		case line, ok := <-l.ch:
			if !ok {
				l.t.Fatalf("the program ended its output without the line; it said:\n%s", strings.Join(seen, "\n"))
			}
			if find(line) {
				return line
			}
			seen = append(seen, line)
		case <-limit:
			l.t.Fatalf("no such line within a minute; it said:\n%s", strings.Join(seen, "\n"))
		}
	}
}

// startServe starts `serve` on a free port and returns its address.
func startServe(t *testing.T, data string) (*child, string) {
	t.Helper()
	c := start(t, "serve", "--data", data, "--listen", "127.0.0.1:0")
	line := c.stderr.until(func(s string) bool { return strings.Contains(s, `"serving"`) })
	var entry struct{ Listen string }
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		t.Fatalf("not a line of JSON: %s", line)
	}
	return c, "http://" + entry.Listen
}

func TestCommandLine(t *testing.T) {
	waits(t)
	for name, test := range map[string]struct {
		args []string
		code int
		want string // in stdout or stderr
	}{
		"help":                     {[]string{"--help"}, 0, "Run the service"},
		"no command":               {nil, 2, "expected one of"},
		"unknown command":          {[]string{"fly"}, 2, "unexpected argument fly"},
		"unknown flag":             {[]string{"serve", "--fast"}, 2, "unknown flag --fast"},
		"version":                  {[]string{"version"}, 0, "sipas "},
		"report without a store":   {[]string{"report", "--round", "x", "--data", filepath.Join(t.TempDir(), "none")}, 1, "there is no store at"},
		"report without a round":   {[]string{"report"}, 2, "missing flags: --round"},
		"url without a token":      {[]string{"report", "--round", "x", "--url", "http://127.0.0.1:1"}, 1, "needs an access token"},
		"url that is none":         {[]string{"report", "--round", "x", "--url", "nonsense", "--token", "t"}, 1, "begins with https://"},
		"service that is not":      {[]string{"report", "--round", "x", "--url", "http://127.0.0.1:1", "--token", "t"}, 1, "reach the service"},
		"mongodb misspelt":         {[]string{"report", "--round", "x", "--data", t.TempDir(), "--mongodb-uri", "mongo://u:p4ss@h/sipas"}, 1, `"mongo://u:xxxxx@h/sipas" is no address of a MongoDB`},
		"mongodb in quotes":        {[]string{"serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--mongodb-uri", `"mongodb://u:p4ss@h/sipas"`}, 1, "without quotes or spaces"},
		"mongodb without scheme":   {[]string{"token", "list", "--data", t.TempDir(), "--mongodb-uri", "h:27017/sipas"}, 1, "begins with mongodb://"},
		"mongodb without a secret": {[]string{"token", "list", "--data", t.TempDir(), "--mongodb-uri", "mongodb://127.0.0.1:1/sipas"}, 1, "SIPAS_SECRET is not set"},
		"copy to a misspelt one":   {[]string{"copy", "--from", t.TempDir(), "--to", "mongo://u:p4ss@h/sipas"}, 1, "neither a folder nor the address"},
		"copy to user and host":    {[]string{"copy", "--from", t.TempDir(), "--to", "u:p4ss@h/sipas"}, 1, "neither a folder nor the address"},
		"secret too short":         {[]string{"seed", "--set", "province", "--data", t.TempDir(), "--secret", "abc"}, 1, "64 hexadecimal digits"},
		"nothing to seed":          {[]string{"seed", "--data", t.TempDir()}, 1, "nothing to load"},
		"token without rights":     {[]string{"token", "create", "--name", "x", "--data", t.TempDir()}, 2, "missing flags: --rights"},
		"token of no such right":   {[]string{"token", "create", "--name", "x", "--rights", "all", "--data", t.TempDir()}, 1, "there is no right"},
		"no header of proxies":     {[]string{"serve", "--proxy-header", "X-Real-IP", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, 1, "it is one of X-Forwarded-For, Forwarded"},
		"health of nothing":        {[]string{"health", "--listen", "127.0.0.1:1"}, 1, "not reachable"},
		"public address of none":   {[]string{"serve", "--public-url", "example.vn", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, 1, "begins with https://"},
		"public address in use":    {[]string{"serve", "--public-url", "https://example.vn/s", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, 1, "address of the service itself"},
		"public address to print":  {[]string{"desks", "--public-url", "https://example.vn/a/../b", "--data", t.TempDir()}, 1, "SIPAS_PUBLIC_URL) cannot work: its path has /.."},
		"public address of slips":  {[]string{"slips", "--round", "r", "--desk", "d", "--public-url", "https://u:p4ss@example.vn", "--data", t.TempDir()}, 1, "it has a user"},
		"address to list desks":    {[]string{"desks", "--url", "example.vn", "--token", "t"}, 1, "SIPAS_URL) cannot work: it begins with"},
		"address of a service":     {[]string{"report", "--round", "r", "--url", "https://example.vn/?a", "--token", "t"}, 1, "SIPAS_URL) cannot work: it has a query"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := sipas(t, test.args...)
			if code != test.code {
				t.Errorf("exit code %d, want %d\n%s%s", code, test.code, stdout, stderr)
			}
			if !strings.Contains(stdout+stderr, test.want) {
				t.Errorf("did not say %q:\n%s%s", test.want, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, "p4ss") {
				t.Error("a password was printed")
			}
		})
	}
}

func TestTokens(t *testing.T) {
	data := t.TempDir()
	token := strings.TrimSpace(mustSipas(t, "token", "create", "--data", data, "--name", "An, Sở Nội vụ", "--rights", "full,staff"))
	if !strings.HasPrefix(token, "sipas_") {
		t.Fatalf("token = %q", token)
	}
	list := mustSipas(t, "token", "list", "--data", data)
	if !strings.Contains(list, "An") || !strings.Contains(list, "full,staff") || strings.Contains(list, token) {
		t.Errorf("list:\n%s", list)
	}
	if code, _, stderr := sipas(t, "token", "create", "--data", data, "--name", "An, Sở Nội vụ", "--rights", "full"); code != 1 || !strings.Contains(stderr, "already") {
		t.Errorf("a second token of the same name: %d %s", code, stderr)
	}
	mustSipas(t, "token", "revoke", "--data", data, "--name", "An, Sở Nội vụ")
	if code, _, stderr := sipas(t, "token", "revoke", "--data", data, "--name", "An, Sở Nội vụ"); code != 1 || !strings.Contains(stderr, "no token named") {
		t.Errorf("revoked twice: %d %s", code, stderr)
	}
	err := filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(token)) {
			t.Errorf("%s contains the token itself", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestConfigHidesSecrets(t *testing.T) {
	t.Setenv("SIPAS_SECRET", strings.Repeat("ab", 32))
	t.Setenv("SIPAS_MONGODB_URI", "mongodb://root:pa55word@db:27017/sipas")
	out := mustSipas(t, "config", "--listen", "127.0.0.1:9999")
	for _, want := range []string{"SIPAS_DATA", "./sipas-data", "SIPAS_PUBLIC_URL", "root:xxxxx@db", "(hidden)"} {
		if !strings.Contains(out, want) {
			t.Errorf("config does not say %q:\n%s", want, out)
		}
	}
	for _, secret := range []string{"abab", "pa55word"} {
		if strings.Contains(out, secret) {
			t.Errorf("config prints a secret:\n%s", out)
		}
	}
	for variable, from := range map[string]string{"SIPAS_LISTEN": "flag", "SIPAS_SECRET": "environment", "SIPAS_DATA": "default"} {
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, variable) && !strings.HasSuffix(strings.TrimSpace(line), from) {
				t.Errorf("want %s from %s: %s", variable, from, line)
			}
		}
	}
}

// TestConfigOfProxies: proxies are addresses or networks, as many as there are, printed as
// they are written with where they come from; what is neither is refused with an example.
func TestConfigOfProxies(t *testing.T) {
	for name, c := range map[string]struct {
		environment string
		args        []string
		want        string
	}{
		"none":        {"", nil, `""`},
		"an address":  {"10.1.2.3", nil, "10.1.2.3/32 environment"},
		"both":        {"10.1.2.3, fd00::/8", nil, "10.1.2.3/32,fd00::/8 environment"},
		"flags":       {"10.1.2.3", []string{"--trusted-proxies", "::1,10.0.0.0/8", "--trusted-proxies", "10.1.2.4"}, "::1/128,10.0.0.0/8,10.1.2.4/32 flag"},
		"neither":     {"10.1.2", nil, `"10.1.2" is neither an address (10.1.2.3) nor a network (172.16.0.0/12)`},
		"a long mask": {"10.1.2.0/33", nil, `"10.1.2.0/33" is neither an address`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("SIPAS_TRUSTED_PROXIES", c.environment)
			_, stdout, stderr := sipas(t, append([]string{"config"}, c.args...)...)
			if got := strings.Join(strings.Fields(stdout+stderr), " "); !strings.Contains(got, c.want) {
				t.Errorf("lacks %q:\n%s%s", c.want, stdout, stderr)
			}
		})
	}
}

// A password that was not encoded as it should is hidden all the same, whatever
// signs it has, in the configuration and in what the program says of it.
func TestPasswordsOfAnyKindAreHidden(t *testing.T) {
	t.Setenv("SIPAS_SECRET", strings.Repeat("ab", 32))
	hidden := func(t *testing.T, said string) {
		t.Helper()
		if strings.Contains(said, "left") || strings.Contains(said, "right") {
			t.Errorf("a part of the password was printed:\n%s", said)
		}
	}
	t.Setenv("SIPAS_MONGODB_URI", "mongodb://127.0.0.1:1/sipas?tlsCertificateKeyFilePassword=left@right&tls=true")
	hidden(t, mustSipas(t, "config"))
	for _, password := range []string{"left?right", "left@right", "left/right", "left:right", "left@mid?right", "left?mid@right", "left/mid@right?", "left#right", "left&right=", "left%40right", "left%right"} {
		t.Run(password, func(t *testing.T) {
			t.Setenv("SIPAS_MONGODB_URI", "mongodb://sipas:"+password+"@127.0.0.1:1/sipas?authSource=admin")
			said := mustSipas(t, "config")
			if !strings.Contains(said, "mongodb://sipas:xxxxx@127.0.0.1:1/sipas?authSource=admin") {
				t.Errorf("config does not show the rest of the address:\n%s", said)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			var out, errs bytes.Buffer
			if code := run(ctx, []string{"token", "list"}, &out, &errs); code != 1 {
				t.Errorf("token list ended with %d", code)
			}
			said += out.String() + errs.String()
			hidden(t, said)
		})
	}
}
