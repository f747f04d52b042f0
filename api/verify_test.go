package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"sipas/api/store"
	"sipas/seeds"
)

func TestVerifyCommand(t *testing.T) {
	waits(t)
	data := t.TempDir()
	seedAnswers(t, data, 1200)
	out := mustSipas(t, "verify", "--data", data)
	for _, want := range []string{"store: 1180 answers, 20 withdrawn, 20 exclusions; 0 receipts looked up, as a sample", "reports: 1180 answers, and 0 left out", "everything agrees"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	// An exclusion that came behind the service's back.
	engine, err := store.OpenFile(data, store.FileOptions{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Append(t.Context(), &store.Log{Name: "exclusions", Fields: make([]store.Field, 5)}, []store.Entry{{ID: store.ID{1},
		Values: []string{"01a17aa8-1c00-7ffd-843c-6edd1d5a79aa", "excluded", "why", "An", "2026-11-24T03:00:00Z"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := sipas(t, "verify", "--data", data)
	if code != 1 || !strings.Contains(stdout, "WRONG: 1 exclusions of answers that never were: 01000000-") || !strings.Contains(stdout, "do not agree") || stderr != "" {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

func TestVerifyThroughTheService(t *testing.T) {
	waits(t)
	data := t.TempDir()
	token, desk := seedOpenRound(t, data)
	service, url := startServe(t, data)
	if _, status, err := submit(http.DefaultClient, url, desk); err != nil || status != http.StatusCreated {
		t.Fatal(status, err)
	}
	if out := mustSipas(t, "verify", "--url", url, "--token", token); !strings.Contains(out, "store: 1 answer, 0 withdrawn, 0 exclusions; 1 receipt looked up, as a sample\nreports: 1 answer, ") || !strings.Contains(out, "everything agrees") {
		t.Errorf("verify through the service:\n%s", out)
	}
	if code, _, stderr := sipas(t, "verify", "--data", data); code != 1 || !strings.Contains(stderr, "(serve)") {
		t.Errorf("beside the service: %d %s", code, stderr)
	}
	service.stop(syscall.SIGTERM)
	// What a later version finds is told, and fails.
	asked := 0
	later := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable) // it is still loading
			return
		}
		w.Write([]byte(`{"responses":3,"faults":[{"kind":"of_a_later_version","count":2,"examples":["a","b"]}]}`))
	}))
	defer later.Close()
	if code, stdout, _ := sipas(t, "verify", "--url", later.URL, "--token", token); code != 1 || !strings.Contains(stdout, "WRONG: 2 of_a_later_version: a, b") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

func TestVerifyBackup(t *testing.T) {
	waits(t)
	data, folder := t.TempDir(), t.TempDir()
	seedAnswers(t, data, 300)
	file := filepath.Join(folder, "backup")
	mustSipas(t, "backup", "--data", data, "--out", file)
	if out := mustSipas(t, "verify", "--data", data, "--backup", file); !strings.Contains(out, "whole and unaltered") {
		t.Errorf("with the secret:\n%s", out)
	}
	if out := mustSipas(t, "verify", "--data", folder, "--backup", file); !strings.Contains(out, "without the root secret") {
		t.Errorf("without:\n%s", out)
	}
	if _, err := os.Stat(filepath.Join(folder, "secret.key")); err == nil {
		t.Error("a root secret was made")
	}
	if code, _, stderr := sipas(t, "verify", "--backup", file, "--secret", strings.Repeat("ab", 32)); code != 1 || stderr == "" {
		t.Errorf("with another secret: %d %s", code, stderr)
	}
	whole := readFile(t, file)
	if err := os.WriteFile(file, []byte(whole[:len(whole)/2]), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := sipas(t, "verify", "--data", data, "--backup", file); code != 1 || stderr == "" {
		t.Errorf("half of it: %d %s", code, stderr)
	}
	mustSipas(t, "report", "--data", data, "--round", seeds.DemoRound)
}

// TestVerifyKept: tablets may forget what is in a backup that was proven, and nothing
// else.
func TestVerifyKept(t *testing.T) {
	waits(t)
	data := t.TempDir()
	token, desk := seedOpenRound(t, data)
	keeper := strings.TrimSpace(mustSipas(t, "token", "create", "--name", "keeper", "--rights", "backup", "--data", data))
	service, url := startServe(t, data)
	_, code, _ := pairing(t, mustSipas(t, "device", "create", "Sảnh", "--desk", desk, "--url", url, "--token", token))
	tablet := pairTablet(t, url, code)
	folder := t.TempDir()
	backup := func(name string) string {
		t.Helper()
		file := filepath.Join(folder, name)
		mustSipas(t, "backup", "--out", file, "--url", url, "--token", keeper)
		return file
	}
	through := []string{"--kept", "--url", url, "--token", keeper}
	if out := mustSipas(t, append([]string{"verify", "--backup", backup("empty"), "--data", data}, through...)...); !strings.Contains(out, "covers 0 answers") {
		t.Errorf("before any answer: %s", out)
	}
	tablet.answers(desk, 3)
	tablet.sync()
	file := backup("three")
	tablet.answers(desk, 2)
	covered := func(what, want string) {
		t.Helper()
		text, err := json.Marshal(tablet.sync().Covered)
		if err != nil || string(text) != want {
			t.Errorf("%s: %s is covered, want %s; %v", what, text, want, err)
		}
	}
	covered("backed up alone", "[]")
	whole := readFile(t, file)
	damaged := filepath.Join(folder, "damaged")
	flipped := []byte(whole)
	flipped[len(flipped)/2] ^= 1
	for what, test := range map[string]struct {
		text string
		args []string
	}{
		"cut":                      {whole[:len(whole)-20], nil},
		"altered":                  {string(flipped), []string{"--data", data}},
		"altered, without secret":  {string(flipped), nil},
		"of another installation":  {whole, []string{"--secret", strings.Repeat("ab", 32)}},
		"with a token of no right": {whole, []string{"--token", token}},
		"with an unknown token":    {whole, []string{"--token", "x"}},
	} {
		if err := os.WriteFile(damaged, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		args := append([]string{"verify", "--backup", damaged, "--data", folder}, through...)
		code, out, stderr := sipas(t, append(args, test.args...)...)
		if code != 1 || stderr == "" || strings.Contains(out, "covers") {
			t.Errorf("%s: %d %s%s", what, code, out, stderr)
		}
		covered(what, "[]")
	}
	mustSipas(t, "verify", "--backup", file, "--data", folder, "--url", url, "--token", keeper)
	covered("verified, but not kept", "[]")
	if out := mustSipas(t, append([]string{"verify", "--backup", file, "--data", folder}, through...)...); !strings.Contains(out, file+": covers 3 answers of tablets") {
		t.Errorf("kept: %s", out)
	}
	covered("kept", "[[1,3]]")
	if code, _, stderr := sipas(t, append([]string{"verify"}, through...)...); code != 1 || !strings.Contains(stderr, "--backup FILE") {
		t.Errorf("kept without a file: %d %s", code, stderr)
	}
	// The same on the store.
	five := backup("five")
	if code, _, stderr := sipas(t, "verify", "--backup", five, "--kept", "--data", data); code != 1 || !strings.Contains(stderr, "(serve)") {
		t.Errorf("beside the service: %d %s", code, stderr)
	}
	service.stop(syscall.SIGTERM)
	if out := mustSipas(t, "verify", "--backup", five, "--kept", "--data", data); !strings.Contains(out, "covers 5 answers of tablets") {
		t.Errorf("kept, on the store: %s", out)
	}
	withStore(t, data, func(st *store.Store) {
		c, err := st.Contact(t.Context(), tablet.id)
		if err != nil || c.Epoch(tablet.batch.Epoch).Covered.Len() != 5 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}
