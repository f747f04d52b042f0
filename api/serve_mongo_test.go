package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"sipas/api/store/mongotest"
)

// startWaiting starts `serve` on a MongoDB and returns it as soon as it listens,
// with its address and what it logged until then.
func startWaiting(t *testing.T, uri string) (c *child, url, logged string) {
	t.Helper()
	c = start(t, "serve", "--mongodb-uri", uri, "--secret", strings.Repeat("5e", 32), "--listen", "127.0.0.1:0")
	logged = c.stderr.until(func(s string) bool { return strings.Contains(s, "opening the store") })
	var entry struct{ Listen string }
	if err := json.Unmarshal([]byte(logged), &entry); err != nil {
		t.Fatal(err)
	}
	return c, "http://" + entry.Listen, logged
}

// With the database away at the start the service answers all the same, and
// serves by itself when the database is there.
func TestServeBeforeTheDatabase(t *testing.T) {
	set := mongotest.Start(t, mongotest.Options{Nodes: 1, Auth: true})
	uri := set.URI()
	set.Kill(t, 0)
	client := &http.Client{Timeout: 10 * time.Second}
	get := func(url string) (status int, retry, body string) {
		t.Helper()
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Retry-After"), string(b)
	}

	stopped, _, _ := startWaiting(t, uri)
	if code := stopped.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("told to stop while it waited, the service ended with exit code %d", code)
	}

	service, url, logged := startWaiting(t, uri)
	logged += service.stderr.until(func(s string) bool { return strings.Contains(s, "cannot be used yet") })
	if !strings.Contains(logged, set.Address(0)) || strings.Contains(logged, mongotest.Password) {
		t.Errorf("it must say which database it waits for, without the password:\n%s", logged)
	}
	if status, _, body := get(url + "/livez"); status != http.StatusOK {
		t.Errorf("/livez without a database: %d %s", status, body)
	}
	for path, want := range map[string]string{"/readyz": "unready", "/s/any": "Xin thử lại", "/s/any?lang=en": "Please try again", "/api/v1/rounds": `"unavailable"`} {
		if status, retry, body := get(url + path); status != http.StatusServiceUnavailable || retry == "" || !strings.Contains(body, want) {
			t.Errorf("%s without a database: %d, Retry-After %q, %.300s", path, status, retry, body)
		}
	}
	if code, _, stderr := sipas(t, "health", "--listen", strings.TrimPrefix(url, "http://")); code != 1 || !strings.Contains(stderr, "not ready") {
		t.Errorf("health without a database: %d %s", code, stderr)
	}

	set.Restart(t, 0)
	hint := service.stderr.until(func(s string) bool { return strings.Contains(s, "nobody can sign in yet") })
	if !strings.Contains(hint, "need not be stopped") {
		t.Errorf("the hint about tokens: %s", hint)
	}
	service.stderr.until(func(s string) bool { return strings.Contains(s, `"serving"`) })
	if status, _, body := get(url + "/readyz"); status != http.StatusOK {
		t.Errorf("/readyz with the database: %d %s", status, body)
	}
	// A token that is made beside the service holds there within two seconds.
	token := strings.TrimSpace(mustSipas(t, "token", "create", "--mongodb-uri", uri, "--secret", strings.Repeat("5e", 32), "--name", "An", "--rights", "full"))
	made := time.Now()
	for status := 0; status != http.StatusOK; {
		req, err := http.NewRequest(http.MethodGet, url+"/api/v1/rounds", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if status = resp.StatusCode; time.Since(made) > time.Minute {
			t.Fatalf("the new token: status %d", status)
		}
	}
	t.Logf("the token held %v after it was made", time.Since(made).Round(time.Millisecond))
	if code := service.stop(syscall.SIGTERM); code != 0 {
		t.Errorf("the service ended with exit code %d", code)
	}
}
