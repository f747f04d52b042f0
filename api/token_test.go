package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"sipas/api/store"
)

// While the service has the file store open, tokens are made, listed and revoked
// through it, with a token in a variable or in a file.
func TestTokensThroughTheService(t *testing.T) {
	data := t.TempDir()
	first := strings.TrimSpace(mustSipas(t, "token", "create", "--data", data, "--name", "An, Sở Nội vụ", "--rights", "report,tokens"))
	service, url := startServe(t, data)
	if code, _, stderr := sipas(t, "token", "list", "--data", data); code != 1 || !strings.Contains(stderr, "token") || !strings.Contains(stderr, url) {
		t.Errorf("without --url: %d %s", code, stderr)
	}
	t.Setenv("SIPAS_URL", url)
	t.Setenv("SIPAS_TOKEN", first)
	code, stdout, stderr := sipas(t, "token", "create", "--name", "UBND xã Bình Sơn", "--rights", "report", "--expires", "30d")
	made := strings.TrimSpace(stdout)
	if code != 0 || !strings.HasPrefix(made, "sipas_") || strings.Contains(stderr, "sipas_") || strings.Contains(stderr, "warning") {
		t.Fatalf("%d %s%s", code, stdout, stderr)
	}
	status := func() int {
		req, err := http.NewRequest(http.MethodGet, url+"/api/v1/rounds", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+made)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if s := status(); s != http.StatusOK {
		t.Errorf("the new token: %d", s)
	}
	for _, c := range []struct{ args, want string }{
		{"create --name x --rights report,staff", "rights_exceeded"},
		{"create --name x --rights all", "rights: "},
		{"create --name x --rights report --expires 2y", "expires: "},
		{"create --name Bình --rights report --expires 400d", "within a year"},
		{"revoke --name nobody", `no token named "nobody"`},
	} {
		if code, _, stderr := sipas(t, append([]string{"token"}, strings.Fields(c.args)...)...); code != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d %s", c.args, code, stderr)
		}
	}
	if code, _, stderr := sipas(t, "token", "create", "--name", "UBND xã Bình Sơn", "--rights", "report"); code != 1 || !strings.Contains(stderr, "already") {
		t.Errorf("a second one of that name: %d %s", code, stderr)
	}
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(first+"\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SIPAS_TOKEN", "")
	t.Setenv("SIPAS_TOKEN_FILE", file)
	if list := mustSipas(t, "token", "list"); strings.Count(list, "\n") != 3 || !strings.Contains(list, "UBND xã Bình Sơn") || strings.Contains(list, made) {
		t.Errorf("the list is\n%s", list)
	}
	mustSipas(t, "token", "revoke", "--name", "UBND xã Bình Sơn")
	if s := status(); s != http.StatusUnauthorized {
		t.Errorf("the revoked token: %d", s)
	}
	if code := service.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the service ended with %d", code)
	}
}

func TestTokenFile(t *testing.T) {
	folder := t.TempDir()
	file := func(content string, mode os.FileMode) string {
		path := filepath.Join(folder, fmt.Sprintf("%d-%o", len(content), mode))
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const token = "sipas_abcdefghijklmnopqrstuvwxyz234567"
	for name, c := range map[string]struct{ path, want string }{
		"right":                  {file(token+"\n", 0o600), ""},
		"read only":              {file(token, 0o400), ""},
		"readable by the group":  {file(token, 0o640), "others can read"},
		"readable by others":     {file(token, 0o604), "others can read"},
		"writable by others":     {file(token, 0o602), "others can read"},
		"empty":                  {file("\n\n", 0o600), "no access token"},
		"two lines":              {file(token+"\nmore", 0o600), "no access token"},
		"too long":               {file(strings.Repeat("a", 300), 0o600), "no access token"},
		"missing":                {filepath.Join(folder, "none"), "no such file"},
		"a folder":               {folder, "read the access token"},
		"beside one in the flag": {"", "two access tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(c.want, "others") && runtime.GOOS == "windows" {
				t.Skip("rights of files are of another kind on Windows")
			}
			flags := serviceFlags{TokenFile: c.path}
			if c.path == "" {
				flags = serviceFlags{TokenFile: folder, AccessToken: token}
			}
			got, err := flags.token(nil)
			if c.want == "" && (err != nil || got != token) {
				t.Errorf("%q, %v", got, err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), token)) {
				t.Errorf("%q, %v, want %s", got, err, c.want)
			}
		})
	}
}

// A secret on the command line is told of, one in a variable is not.
func TestSecretsOnTheCommandLine(t *testing.T) {
	secret := strings.Repeat("ab", 32)
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"token":            {args: []string{"--token", "t"}, want: "SIPAS_TOKEN"},
		"token, one word":  {args: []string{"--token=t"}, want: "SIPAS_TOKEN_FILE"},
		"secret":           {args: []string{"--secret", secret}, want: "SIPAS_SECRET"},
		"password":         {args: []string{"--mongodb-uri", "mongodb://u:p4ss@127.0.0.1:1/s"}, want: "SIPAS_MONGODB_URI"},
		"no password":      {args: []string{"--mongodb-uri", "mongodb://127.0.0.1:1/s"}},
		"other flags":      {args: []string{"--url", "http://127.0.0.1:1", "--data", "x"}},
		"token variable":   {env: map[string]string{"SIPAS_TOKEN": "t"}},
		"secret variables": {env: map[string]string{"SIPAS_SECRET": secret, "SIPAS_MONGODB_URI": "mongodb://u:p4ss@127.0.0.1:1/s"}},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			_, stdout, stderr := sipas(t, append([]string{"config"}, c.args...)...)
			if warned := strings.Contains(stderr, "list of processes"); warned != (c.want != "") || !strings.Contains(stderr, c.want) || strings.Contains(stdout+stderr, "p4ss") {
				t.Errorf("it says\n%s%s", stdout, stderr)
			}
		})
	}
}

// A backup and a copy keep when tokens expire; one from before goes on, is marked, and
// the service says so as it starts.
func TestTokensMoveWithTheirEnd(t *testing.T) {
	waits(t)
	data, copied, restored := t.TempDir(), filepath.Join(t.TempDir(), "copy"), t.TempDir()
	mustSipas(t, "token", "create", "--data", data, "--name", "short", "--rights", "report", "--expires", "5d")
	mustSipas(t, "token", "create", "--data", data, "--name", "long", "--rights", "report")
	engine, err := store.OpenFile(data, store.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	old := store.Document{ID: "old", Body: []byte(`{"name":"old","hash":"` + strings.Repeat("0", 64) + `","rights":["report"],"created":"2024-01-01T00:00:00Z"}`)}
	if _, err := engine.Put(context.Background(), "tokens", old); err != nil {
		t.Fatal(err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	code, want, stderr := sipas(t, "token", "list", "--data", data)
	if code != 0 || strings.Count(want, "never") != 1 || strings.Count(want, "\n") != 4 || !strings.Contains(stderr, "1 token from before") {
		t.Fatalf("%d\n%s%s", code, want, stderr)
	}
	mustSipas(t, "copy", "--from", data, "--to", copied)
	backup := filepath.Join(t.TempDir(), "b.backup")
	mustSipas(t, "backup", "--data", data, "--out", backup)
	key, err := os.ReadFile(filepath.Join(data, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(restored, "secret.key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	mustSipas(t, "restore", "--data", restored, "--file", backup)
	for _, folder := range []string{copied, restored} {
		if got := mustSipas(t, "token", "list", "--data", folder); got != want {
			t.Errorf("in %s\n%s\nwant\n%s", folder, got, want)
		}
	}
	service := start(t, "serve", "--data", restored, "--listen", "127.0.0.1:0")
	service.stderr.until(func(line string) bool {
		return strings.Contains(line, "taken for ever") && strings.Contains(line, "old")
	})
	service.stop(syscall.SIGTERM)
}

// What people copy from the manuals has no secret in it: it would stand in the list of
// processes, and in the shell's history.
func TestManualsShowNoSecretOnACommandLine(t *testing.T) {
	for _, name := range []string{"../README.md", "../kiosk/SETUP.md", "../kiosk/PROTOCOL.md", "../docker-compose.yml", "store/MONGODB.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for _, flag := range []string{"--token ", "--token=", "--secret ", "--secret=", "--mongodb-uri ", "--mongodb-uri=mongodb"} {
				if at := strings.Index(line, flag); at >= 0 && strings.Contains(line, "sipas ") {
					t.Errorf("%s shows %s: %s", name, flag, line)
				}
			}
		}
	}
}
