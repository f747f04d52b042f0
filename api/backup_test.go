package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/survey"
)

// newFolder is a folder for a store that belongs to the same installation as
// another.
func newFolder(t *testing.T, like string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "secret.key"), []byte(readFile(t, like, "secret.key")), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

func demoReport(t *testing.T, data string) string {
	t.Helper()
	return mustSipas(t, "report", "--data", data, "--round", seeds.DemoRound, "--by", "unit", "--format", "json")
}

// TestBackupRestoreCommands: a restored store gives the identical report.
func TestBackupRestoreCommands(t *testing.T) {
	waits(t)
	from := t.TempDir()
	seedAnswers(t, from, 2000)
	mustSipas(t, "token", "create", "--data", from, "--name", "An, Sở Nội vụ", "--rights", "full")
	file := filepath.Join(t.TempDir(), "sipas.backup")
	out := mustSipas(t, "backup", "--data", from, "--out", file)
	if !strings.Contains(out, "1980 answers, 20 withdrawn") {
		t.Errorf("backup said %s", out)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the backup can be read by others: %v", info.Mode())
	}
	if code, _, stderr := sipas(t, "backup", "--data", from, "--out", file); code != 1 || !strings.Contains(stderr, "--force") {
		t.Errorf("over a file: %d %s", code, stderr)
	}
	said := mustSipas(t, "backup", "--data", from, "--out", file, "--force")
	piped := mustSipas(t, "backup", "--data", from, "--out", "-")
	if _, err := store.ReadBackup(strings.NewReader(piped), nil, nil); err != nil {
		t.Errorf("the one on standard output: %v", err)
	}
	if _, err := os.Stat(file + ".part"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a part was left: %v", err)
	}

	to := newFolder(t, from)
	out = mustSipas(t, "restore", "--data", to, "--file", file)
	_, made, _ := strings.Cut(said, " of ")
	made, _, _ = strings.Cut(made, ", ")
	for _, want := range []string{"answers: 1980 stored, 0 there before, 0 withdrawn, 0 in conflict", "An, Sở Nội vụ", "revoke",
		"answers withdrawn after " + made + " are back", "--merge --tombstones"} {
		if !strings.Contains(out, want) {
			t.Errorf("restore did not say %q:\n%s", want, out)
		}
	}
	if demoReport(t, from) != demoReport(t, to) {
		t.Error("the reports differ")
	}
	if code, _, stderr := sipas(t, "restore", "--data", to, "--file", file); code != 1 || !strings.Contains(stderr, "--merge") {
		t.Errorf("a second time: %d %s", code, stderr)
	}
	if out := mustSipas(t, "restore", "--data", to, "--file", file, "--merge"); !strings.Contains(out, "0 stored, 1980 there before") || strings.Contains(out, "are back") {
		t.Errorf("merged: %s", out)
	}
	// What was withdrawn since, by word of a newer backup and of the old store.
	var gone survey.ID
	withStore(t, from, func(st *store.Store) {
		records, err := st.ScanResponses(t.Context(), survey.ID{})
		if err != nil {
			t.Fatal(err)
		}
		gone = records[7].ID()
	})
	erase(t, from, gone)
	newer := filepath.Join(t.TempDir(), "newer")
	mustSipas(t, "backup", "--data", from, "--out", newer)
	for _, source := range []string{newer, from} {
		to := newFolder(t, from)
		out := mustSipas(t, "restore", "--data", to, "--file", file, "--tombstones", source)
		// Only the store knows of all.
		if !strings.Contains(out, "1979 stored, 0 there before, 1 withdrawn") || strings.Contains(out, "are back") != (source == newer) {
			t.Errorf("with the withdrawals of %s: %s", source, out)
		}
		withStore(t, to, func(st *store.Store) {
			if _, err := st.Response(t.Context(), gone); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("an answer that was withdrawn came back: %v", err)
			}
		})
	}
	// As the warning says.
	if out := mustSipas(t, "restore", "--data", to, "--file", file, "--merge", "--tombstones", newer); !strings.Contains(out, "0 stored, 1979 there before, 1 withdrawn") {
		t.Errorf("once more with the withdrawals: %s", out)
	}
	// A conflict: everything else is in place, and the exit code says so.
	conflicting := newFolder(t, from)
	withStore(t, conflicting, func(st *store.Store) {
		d, err := seeds.Documents(seeds.Sipas2640)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.PutDocuments(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if _, err := st.AddResponses(t.Context(), []survey.Response{{ID: gone, Round: "x", Instrument: "y", Version: 1, Answers: "5", Answered: now(), Received: now()}}); err != nil {
			t.Fatal(err)
		}
	})
	code, out, stderr := sipas(t, "restore", "--data", conflicting, "--file", file, "--merge")
	if code != 1 || !strings.Contains(out, "1979 stored, 0 there before, 0 withdrawn, 1 in conflict") || !strings.Contains(stderr, gone.String()) {
		t.Errorf("a conflict: %d %s %s", code, out, stderr)
	}
}

// TestRestoreRefused: what is not a backup of this installation changes nothing.
func TestRestoreRefused(t *testing.T) {
	waits(t)
	from := t.TempDir()
	seedAnswers(t, from, 200)
	file := filepath.Join(t.TempDir(), "b")
	mustSipas(t, "backup", "--data", from, "--out", file)
	cut := filepath.Join(t.TempDir(), "cut")
	if err := os.WriteFile(cut, []byte(readFile(t, file)[:1000]), 0o600); err != nil {
		t.Fatal(err)
	}
	text, empty := filepath.Join(t.TempDir(), "text"), filepath.Join(t.TempDir(), "empty")
	if err := errors.Join(os.WriteFile(text, []byte("no backup at all"), 0o600), os.WriteFile(empty, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	mustSipas(t, "seed", "--data", foreign, "--set", "province")
	same := newFolder(t, from)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no secret":            {[]string{"--data", filepath.Join(t.TempDir(), "new"), "--file", file}, "no root secret"},
		"foreign":              {[]string{"--data", foreign, "--file", file, "--merge"}, "sipas: backup of another installation: "},
		"cut":                  {[]string{"--data", same, "--file", cut}, "not a whole, unaltered backup: it was cut short\n"},
		"text":                 {[]string{"--data", same, "--file", text}, text + ": not a whole, unaltered backup: this is no SIPAS backup\n"},
		"empty":                {[]string{"--data", same, "--file", empty}, empty + ": not a whole, unaltered backup: this is no SIPAS backup\n"},
		"neither":              {[]string{"--data", filepath.Join(t.TempDir(), "new"), "--file", file + "x"}, "no such file"},
		"no file":              {[]string{"--data", same, "--file", file + "x"}, "no such file"},
		"cut tombstones":       {[]string{"--data", same, "--file", file, "--tombstones", cut}, "not a whole, unaltered backup"},
		"tombstones nowhere":   {[]string{"--data", same, "--file", file, "--tombstones", file + "x"}, "no such file"},
		"tombstones of no one": {[]string{"--data", same, "--file", file, "--tombstones", t.TempDir()}, "there is no store"},
		"foreign tombstones":   {[]string{"--data", same, "--file", file, "--tombstones", foreign}, "wrong root secret"},
	} {
		if code, _, stderr := sipas(t, append([]string{"restore"}, c.args...)...); code != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d %s", name, code, stderr)
		}
	}
	withStore(t, same, func(st *store.Store) {
		if live, erased, err := st.CountResponses(t.Context()); err != nil || live+erased != 0 || len(st.View().Desks) != 0 {
			t.Errorf("something was written: %d, %d, %d desks, %v", live, erased, len(st.View().Desks), err)
		}
	})
	if code, _, stderr := sipas(t, "backup", "--data", filepath.Join(t.TempDir(), "none"), "--out", filepath.Join(t.TempDir(), "x")); code != 1 || !strings.Contains(stderr, "there is no store") {
		t.Errorf("a backup of nothing: %d %s", code, stderr)
	}

	term := &terminal{ctx: t.Context(), stdout: &bytes.Buffer{}, stderr: &bytes.Buffer{}}
	secret, ok, err := store.FindSecret(from)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	for _, s := range []*store.Secret{nil, &secret} {
		if err := verifyBackupFile(term, file, s); err != nil {
			t.Error(err)
		}
		if err := verifyBackupFile(term, cut, s); !errors.Is(err, store.ErrBackup) {
			t.Errorf("verify a cut one: %v", err)
		}
	}
	if out := fmt.Sprint(term.stdout); !strings.Contains(out, "180 answers, 20 withdrawn") || !strings.Contains(out, "whole and unaltered") || !strings.Contains(out, "without the root secret") {
		t.Errorf("verify said\n%s", out)
	}
	if err := verifyBackupFile(term, file, &store.Secret{9}); !errors.Is(err, store.ErrForeignBackup) {
		t.Errorf("verify with another secret: %v", err)
	}
}

// TestRestoreStopped: a restore that was stopped leaves a store that no command
// opens, and the same command ends it.
func TestRestoreStopped(t *testing.T) {
	waits(t)
	from := t.TempDir()
	seedAnswers(t, from, 2000)
	file := filepath.Join(t.TempDir(), "b")
	mustSipas(t, "backup", "--data", from, "--out", file)
	to := newFolder(t, from)
	ctx, cancel := context.WithCancel(t.Context())
	watch := func() { // until the first document is written
		defer cancel()
		for {
			if entries, err := os.ReadDir(to); err != nil || len(entries) > 2 || ctx.Err() != nil {
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	go watch()
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"restore", "--data", to, "--file", file}, &out, &errs); code != 1 {
		t.Fatalf("it was not stopped: %s", out.String())
	}
	again := mustSipas(t, "restore", "--data", to, "--file", file)
	if !strings.Contains(again, "there before, 0 withdrawn, 0 in conflict") || demoReport(t, from) != demoReport(t, to) {
		t.Errorf("going on: %s", again)
	}
}

// TestBackupThroughTheService: the same through services that run, from one to
// another.
func TestBackupThroughTheService(t *testing.T) {
	waits(t)
	from := t.TempDir()
	seedAnswers(t, from, 2000)
	token := strings.TrimSpace(mustSipas(t, "token", "create", "--data", from, "--name", "keeper", "--rights", "backup,full"))
	service, url := startServe(t, from)
	folder := t.TempDir()
	older := filepath.Join(folder, "older")
	through := []string{"--url", url, "--token", token}
	if out := mustSipas(t, append([]string{"backup", "--out", older}, through...)...); !strings.Contains(out, "1980 answers, 20 withdrawn") {
		t.Errorf("backup through the service: %s", out)
	}
	if code, _, stderr := sipas(t, "backup", "--out", filepath.Join(folder, "x"), "--url", url, "--token", "sipas_wrong"); code != 1 || !strings.Contains(stderr, "token_unknown") {
		t.Errorf("a wrong token: %d %s", code, stderr)
	}
	if code := service.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	var gone []survey.ID
	withStore(t, from, func(st *store.Store) {
		records, err := st.ScanResponses(t.Context(), survey.ID{})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records[500:505] {
			gone = append(gone, r.ID())
		}
	})
	erase(t, from, gone...)
	newer := filepath.Join(folder, "newer")
	mustSipas(t, "backup", "--data", from, "--out", newer)

	to := newFolder(t, from)
	token = strings.TrimSpace(mustSipas(t, "token", "create", "--data", to, "--name", "restorer", "--rights", "restore,full"))
	service, url = startServe(t, to)
	through = []string{"--url", url, "--token", token}
	if code, _, stderr := sipas(t, append([]string{"restore", "--file", older, "--tombstones", from}, through...)...); code != 1 || !strings.Contains(stderr, "of a backup only") {
		t.Errorf("withdrawals of a store through a service: %d %s", code, stderr)
	}
	out := mustSipas(t, append([]string{"restore", "--file", older, "--tombstones", newer}, through...)...)
	for _, want := range []string{"1975 stored, 0 there before, 5 withdrawn, 0 in conflict", "keeper"} {
		if !strings.Contains(out, want) {
			t.Errorf("restore through the service did not say %q:\n%s", want, out)
		}
	}
	if code, _, stderr := sipas(t, append([]string{"restore", "--file", older}, through...)...); code != 1 || !strings.Contains(stderr, "--merge") {
		t.Errorf("a second time: %d %s", code, stderr)
	}
	if out := mustSipas(t, append([]string{"restore", "--file", older, "--merge"}, through...)...); !strings.Contains(out, "0 stored, 1975 there before, 5 withdrawn") {
		t.Errorf("merged: %s", out)
	}
	if code := service.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if demoReport(t, from) != demoReport(t, to) {
		t.Error("the reports differ")
	}
}

// TestBackupCutOnItsWay: of a service that dies in the middle nothing remains
// that looks like a backup.
func TestBackupCutOnItsWay(t *testing.T) {
	waits(t)
	from := t.TempDir()
	seedAnswers(t, from, 200)
	whole := mustSipas(t, "backup", "--data", from, "--out", "-")
	for name, handler := range map[string]http.HandlerFunc{
		"broken": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(whole[:len(whole)/2]))
			panic(http.ErrAbortHandler)
		},
		"ended early":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(whole[:len(whole)/2])) },
		"another page": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"empty":        func(http.ResponseWriter, *http.Request) {},
	} {
		server := httptest.NewServer(handler)
		folder := t.TempDir()
		code, _, stderr := sipas(t, "backup", "--out", filepath.Join(folder, "b"), "--url", server.URL, "--token", "t")
		if code != 1 || !strings.Contains(stderr, "not a whole, unaltered backup") {
			t.Errorf("%s: %d %s", name, code, stderr)
		}
		if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
			t.Errorf("%s: %v was left, %v", name, left, err)
		}
		server.Close()
	}
}
