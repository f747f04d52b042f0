package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"sipas/api/store"
	"sipas/survey"
)

// withoutTombstones is a page size of failing at which erased ids cannot be
// read: a backup then breaks behind the answers.
const withoutTombstones = -1

func (f *failing) Tombstones(ctx context.Context, log *store.Log, after store.ID, limit int) ([]store.ID, error) {
	if f.page.Load() == withoutTombstones && log.Name == "responses" {
		return nil, store.ErrUnavailable
	}
	return f.Engine.Tombstones(ctx, log, after, limit)
}

// fill hands in answers of which each is different.
func (e *env) fill(n int) {
	e.t.Helper()
	for i := range n {
		if a := e.post(submission(e.t, func(m map[string]any) { m["comment"] = fmt.Sprintf("ý kiến %d", i) }), ""); a.status != http.StatusCreated {
			e.t.Fatal(a.status, a.body)
		}
	}
}

func (e *env) backup() answer {
	e.t.Helper()
	return e.do(call{path: "/api/v1/backup", token: e.tokens[store.RightBackup]})
}

func (e *env) restore(lines, query string) answer {
	e.t.Helper()
	return e.do(call{method: "POST", path: "/api/v1/restore" + query, token: e.tokens[store.RightRestore], contentType: typeText, body: lines})
}

func testSecret() *store.Secret {
	var secret store.Secret
	copy(secret[:], "a root secret that tests may know")
	return &secret
}

// unpack returns the lines of a backup.
func unpack(t testing.TB, file string) []string {
	t.Helper()
	gz, err := gzip.NewReader(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Collect(strings.Lines(string(text)))
}

// TestBackupAndRestore: what the service streams is a whole backup, and another
// server takes it.
func TestBackupAndRestore(t *testing.T) {
	waits(t)
	e := start(t, options{})
	e.fill(20)
	a := e.backup()
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/gzip" || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("status %d, header %v", a.status, a.header)
	}
	summary, err := store.ReadBackup(strings.NewReader(a.body), testSecret(), nil)
	if err != nil || summary.Responses().Entries != 20 || summary.Program != "test" || !summary.Made.Equal(testNow()) {
		t.Fatalf("%+v, %v", summary, err)
	}
	if h := e.do(call{method: "HEAD", path: "/api/v1/backup", token: e.tokens[store.RightBackup]}); h.status != http.StatusOK || h.body != "" {
		t.Errorf("HEAD: %d with %d bytes", h.status, len(h.body))
	}
	if len(e.server.backups) != 0 {
		t.Errorf("%d backups are said to be under way", len(e.server.backups))
	}

	doc := document(t)
	lines := unpack(t, a.body)
	other := start(t, options{})
	all := strings.Join(lines, "")
	foreign := strings.Replace(lines[0], `"fingerprint":"`, `"fingerprint":"00`, 1) + lines[1]
	newer := strings.Replace(lines[0], `"format":1`, `"format":9`, 1) + lines[1]
	answers := lines[slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, `"entries"`) })]
	altered := lines[0] + strings.Replace(answers, "ý kiến 1", "ý kiến 9", 1)
	if altered == lines[0]+answers {
		t.Fatal("nothing was altered")
	}
	for name, c := range map[string]struct {
		lines, query string
		status       int
		code         survey.Code
	}{
		"not empty":        {all, "", http.StatusConflict, codeNotEmpty},
		"nothing":          {"", "?merge=1", http.StatusBadRequest, codeEmptyBody},
		"only a header":    {lines[0], "?merge=1", http.StatusUnprocessableEntity, codeBackupInvalid},
		"altered":          {altered, "?merge=1", http.StatusUnprocessableEntity, codeBackupInvalid},
		"foreign":          {foreign, "?merge=1", http.StatusUnprocessableEntity, codeBackupForeign},
		"newer":            {newer, "?merge=1", http.StatusUnprocessableEntity, codeBackupNewer},
		"merge misspelled": {all, "?merge=yes", http.StatusUnprocessableEntity, codeInvalid},
	} {
		a := other.restore(c.lines, c.query)
		if a.status != c.status || a.errorOf(t).Code != c.code {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		checkAgainst(t, doc, call{method: "POST", path: "/api/v1/restore" + c.query, contentType: typeText, body: c.lines, token: "x"}, a, c.lines == "" || c.query == "?merge=yes")
	}
	if n := len(other.stored()); n != 0 {
		t.Fatalf("%d answers were stored by what was refused", n)
	}
	for i, want := range []store.RestoredLog{{Stored: 20}, {Duplicate: 20}} {
		a := other.restore(all, "?merge=1")
		var got store.RestoreSummary
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != http.StatusOK {
			t.Fatalf("%d: %d %s", i, a.status, a.body)
		}
		if got.Responses() != want || got.Added != 0 {
			t.Errorf("%d: %s", i, a.body)
		}
		checkAgainst(t, doc, call{method: "POST", path: "/api/v1/restore?merge=1", contentType: typeText, body: all, token: "x"}, a, false)
	}
	// The figures follow.
	other.wait(func() bool {
		a := other.do(call{path: "/api/v1/rounds/" + testRound + "/report", token: other.tokens[store.RightFull]})
		return strings.Contains(a.body, `"received":20`)
	})
}

// TestRestoreMarks: a service on an empty store takes a backup without merge,
// sees the documents at once, and ends with the footer.
func TestRestoreMarks(t *testing.T) {
	waits(t)
	e := start(t, options{})
	e.fill(5)
	lines := unpack(t, e.backup().body)
	empty := start(t, options{docs: &survey.Documents{}})
	staff, answers := lines[0], lines[0]
	for _, line := range lines[1 : len(lines)-1] {
		if strings.Contains(line, `"entries"`) {
			answers += line
		} else {
			staff += line
		}
	}
	footer := lines[0] + lines[len(lines)-1]
	if a := empty.restore(staff, ""); a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	if a := empty.do(call{path: "/s/" + testDesk}); a.status != http.StatusOK {
		t.Errorf("the form after the documents came: %d", a.status)
	}
	if a := empty.restore(footer, ""); a.status != http.StatusConflict || a.errorOf(t).Code != codeUnfinished {
		t.Errorf("the footer before the answers: %d %s", a.status, a.body)
	}
	if a := empty.backup(); a.status != http.StatusConflict || a.errorOf(t).Code != codeUnfinished {
		t.Errorf("a backup of half a restore: %d %.100s", a.status, a.body)
	}
	for _, part := range []string{answers, footer} {
		if a := empty.restore(part, ""); a.status != http.StatusOK {
			t.Fatal(a.status, a.body)
		}
	}
	if n := len(empty.stored()); n != 5 {
		t.Errorf("%d answers", n)
	}
	if a := empty.backup(); a.status != http.StatusOK {
		t.Errorf("a backup afterwards: %d", a.status)
	}
}

// TestBackupBreaks: a store that fails in the middle breaks the connection; one
// that fails before anything was sent is an error.
func TestBackupBreaks(t *testing.T) {
	waits(t)
	e := start(t, options{failing: true})
	e.fill(3)
	e.engine.page.Store(withoutTombstones)
	if a := e.backup(); a.status != http.StatusServiceUnavailable || a.errorOf(t).Code != codeUnavailable || a.header.Get("Content-Type") == "application/gzip" {
		t.Errorf("a store that cannot be read: %d %v %.100q", a.status, a.header, a.body)
	}
	e.fill(600)
	a, err := e.send(call{path: "/api/v1/backup", token: e.tokens[store.RightBackup]})
	if err == nil {
		t.Fatalf("the client noticed nothing: %d, %d bytes", a.status, len(a.body))
	}
	e.wait(func() bool { return strings.Contains(e.log.String(), "a stream was cut") })
	e.engine.page.Store(0)
	if _, err := store.ReadBackup(strings.NewReader(e.backup().body), nil, nil); err != nil {
		t.Errorf("the next backup: %v", err)
	}
	// Somebody who goes away ends it.
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url+"/api/v1/backup", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+e.tokens[store.RightBackup])
	res, err := e.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	res.Body.Close()
	e.wait(func() bool { return len(e.server.backups) == 0 })
	for range backupsAtOnce {
		e.server.backups <- struct{}{}
	}
	if a := e.backup(); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", a.status)
	}
}

// TestRestoreBody: only a caller with the right may send a large body.
func TestRestoreBody(t *testing.T) {
	waits(t)
	e := start(t, options{})
	large := string(bytes.Repeat([]byte("x"), smallBody+1))
	c := call{method: "POST", path: "/api/v1/restore", contentType: typeText, body: large, token: e.tokens[store.RightStaff]}
	if a := e.do(c); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("without the right: %d", a.status)
	}
	c.token = e.tokens[store.RightRestore]
	if a := e.do(c); a.status != http.StatusUnprocessableEntity {
		t.Errorf("with the right: %d", a.status)
	}
}
