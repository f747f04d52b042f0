package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sipas/api/store"
	"sipas/api/store/mongotest"
	"sipas/seeds"
	"sipas/survey"
)

// seedAnswers fills a folder with the demonstration's province and answers, of
// which some are withdrawn and some put aside.
func seedAnswers(t *testing.T, folder string, answers int) {
	t.Helper()
	var gone []survey.ID
	withStore(t, folder, func(st *store.Store) {
		term := &terminal{ctx: t.Context(), stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
		if _, err := seedDemo(term, st, answers); err != nil {
			t.Fatal(err)
		}
		records, err := st.ScanResponses(t.Context(), survey.ID{})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range records[:60] {
			switch {
			case i%3 == 0:
				gone = append(gone, r.ID())
			case i%3 == 1:
				e := store.Exclusion{ID: r.ID(), Response: r.ID(), Excluded: true, Reason: "a test", Author: "An", At: now()}
				if _, err := st.Exclude(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	erase(t, folder, gone...)
}

// erase withdraws answers that were simulated, so that nobody has a receipt of them.
func erase(t *testing.T, folder string, ids ...survey.ID) {
	t.Helper()
	engine, err := store.OpenFile(folder, store.FileOptions{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := engine.Erase(t.Context(), &store.Log{Name: "responses"}, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
}

// withStore runs fn on the store in a folder.
func withStore(t *testing.T, folder string, fn func(st *store.Store)) {
	t.Helper()
	st, err := (&storeFlags{Data: folder}).open(t.Context(), "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	fn(st)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCopyCommand(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "new")
	seedAnswers(t, from, 2000)
	out := mustSipas(t, "copy", "--from", from, "--to", to)
	for _, want := range []string{"responses", "responses, withdrawn", "exclusions", "set units", "report " + seeds.DemoRound, "wrote 2000 answers and exclusions, 20 withdrawals"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.Contains(out, "NO") {
		t.Errorf("it is not equal, and the exit code is 0:\n%s", out)
	}
	secret := readFile(t, from, "secret.key")
	if readFile(t, to, "secret.key") != secret {
		t.Error("the copied folder has another root secret")
	}
	if info, err := os.Stat(filepath.Join(to, "secret.key")); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the root secret can be read by others: %v %v", info.Mode(), err)
	}
	report := func(data string) string {
		return mustSipas(t, "report", "--data", data, "--round", seeds.DemoRound, "--by", "unit", "--format", "json")
	}
	if report(from) != report(to) {
		t.Error("the reports differ")
	}
	if out := mustSipas(t, "copy", "--from", from, "--to", to); !strings.Contains(out, "wrote 0 answers and exclusions, 0 withdrawals, 0 documents") {
		t.Errorf("the second copy:\n%s", out)
	}
	// The secret may come from the environment alone, as with a MongoDB.
	if err := os.Remove(filepath.Join(from, "secret.key")); err != nil {
		t.Fatal(err)
	}
	third := filepath.Join(t.TempDir(), "third")
	if code, _, stderr := sipas(t, "copy", "--from", from, "--to", third); code != 1 || !strings.Contains(stderr, "set SIPAS_SECRET") {
		t.Errorf("without a secret: %d %s", code, stderr)
	}
	t.Setenv("SIPAS_SECRET", strings.TrimSpace(secret))
	mustSipas(t, "copy", "--from", from, "--to", third)
	if readFile(t, third, "secret.key") != secret {
		t.Error("the folder is not complete by itself")
	}
}

// Into a MongoDB and back: the service shows the same, and so does the folder
// that comes out.
func TestCopyCommandThroughMongoDB(t *testing.T) {
	uri := mongotest.Start(t, mongotest.Options{Nodes: 1}).URI()
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "new")
	seedAnswers(t, from, 1000)
	secret := strings.TrimSpace(readFile(t, from, "secret.key"))
	for _, locations := range [][2]string{{from, uri}, {uri, to}} {
		out := mustSipas(t, "copy", "--from", locations[0], "--to", locations[1], "--secret", secret)
		if !strings.Contains(out, "report "+seeds.DemoRound) || !strings.Contains(out, "wrote 1000 answers and exclusions, 20 withdrawals") || strings.Contains(out, "NO") {
			t.Errorf("copied to %s:\n%s", locationName(locations[1]), out)
		}
	}
	var reports []string
	for _, where := range [][]string{{"--data", from}, {"--mongodb-uri", uri, "--secret", secret}, {"--data", to}} {
		reports = append(reports, mustSipas(t, append([]string{"report", "--round", seeds.DemoRound, "--by", "unit", "--format", "json"}, where...)...))
	}
	if reports[0] != reports[1] || reports[0] != reports[2] {
		t.Error("the reports differ")
	}
	if out := mustSipas(t, "verify", "--mongodb-uri", uri, "--secret", secret); !strings.Contains(out, "everything agrees") {
		t.Errorf("verify:\n%s", out)
	}
}

func TestCopyCommandRefusals(t *testing.T) {
	waits(t)
	from, used, empty, foreign := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	seedAnswers(t, from, 300)
	mustSipas(t, "copy", "--from", from, "--to", used)
	mustSipas(t, "token", "create", "--data", used, "--name", "its own", "--rights", "full")
	withStore(t, foreign, func(*store.Store) {})
	none := filepath.Join(t.TempDir(), "none")
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(from, link); err != nil {
		t.Skip(err)
	}
	target := filepath.Join(t.TempDir(), "target")
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"no such source":       {[]string{"--from", none, "--to", target}, "there is no store at"},
		"a source without one": {[]string{"--from", empty, "--to", target}, "there is no store at"},
		"the same twice":       {[]string{"--from", from, "--to", filepath.Join(from, ".", "")}, "the same place"},
		"the same by a link":   {[]string{"--from", from, "--to", link}, "the same place"},
		"the same MongoDB":     {[]string{"--from", "mongodb://u:p@h/x", "--to", "mongodb://v:q@h/x?w=1"}, "the same place"},
		"of another secret":    {[]string{"--from", from, "--to", foreign}, "is not that of"},
		"given another secret": {[]string{"--from", from, "--to", target, "--secret", strings.Repeat("ab", 32)}, "wrong root secret"},
		"no secret":            {[]string{"--from", from, "--to", target, "--secret", "ab"}, "64 hexadecimal digits"},
		"used by itself":       {[]string{"--from", from, "--to", used}, "1 staff documents that the source lacks"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := sipas(t, append([]string{"copy"}, test.args...)...)
			if code != 1 || !strings.Contains(stderr, test.want) {
				t.Errorf("exit code %d, did not say %q:\n%s%s", code, test.want, stdout, stderr)
			}
			if strings.Contains(stdout+stderr, ":p@") {
				t.Error("a password was printed")
			}
		})
	}
	for _, folder := range []string{none, target} {
		if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s was made: %v", folder, err)
		}
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("something was written to the empty source: %v %v", left, err)
	}
}

// A folder that a service uses is refused at once, and the answer says who does.
func TestCopyBesideTheService(t *testing.T) {
	waits(t)
	data := t.TempDir()
	seedOpenRound(t, data)
	service, url := startServe(t, data)
	if code, _, stderr := sipas(t, "copy", "--from", data, "--to", filepath.Join(t.TempDir(), "x")); code != 1 || !strings.Contains(stderr, url) || !strings.Contains(stderr, "(serve)") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	service.stop(syscall.SIGTERM)
}

// A copy that did not end is not served as if it were whole; the same command
// ends it.
func TestCopyCommandGoesOn(t *testing.T) {
	waits(t)
	from, to := t.TempDir(), t.TempDir()
	seedAnswers(t, from, 300)
	secret, err := store.ParseSecret(readFile(t, from, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	markCopy(t, to, "copy from "+locationName(from))
	if err := os.WriteFile(filepath.Join(to, "secret.key"), []byte(hex.EncodeToString(secret[:])), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := sipas(t, "report", "--data", to, "--round", seeds.DemoRound); code != 1 || !strings.Contains(stderr, "run the same command again") {
		t.Errorf("a report of half a copy: %d %s", code, stderr)
	}
	mustSipas(t, "copy", "--from", from, "--to", to)
	mustSipas(t, "report", "--data", to, "--round", seeds.DemoRound)
}

// markCopy makes a store that a copy began to fill.
func markCopy(t *testing.T, folder, what string) {
	t.Helper()
	engine, err := store.OpenFile(folder, store.FileOptions{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"what": what})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Put(t.Context(), "installation", store.Document{ID: "unfinished", Body: body}); err != nil {
		t.Fatal(err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestLocationName(t *testing.T) {
	for location, want := range map[string]string{
		"mongodb://an:p%40ss@a:1,b:2,c/db?replicaSet=rs&w=1": "mongodb://a:1,b:2,c/db",
		"mongodb://an:p@ss@a/":                               "mongodb://a",
		"mongodb+srv://cluster.example.vn/sipas":             "mongodb+srv://cluster.example.vn/sipas",
		"/var/lib/sipas/":                                    "/var/lib/sipas",
	} {
		if got := locationName(location); got != want {
			t.Errorf("%s is called %s, want %s", location, got, want)
		}
	}
}
