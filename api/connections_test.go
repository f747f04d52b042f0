//go:build unix

package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// startWithin starts the program with a hard limit of files.
func startWithin(t *testing.T, files int, args ...string) *child {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shell := exec.Command("/bin/sh", append([]string{"-c", fmt.Sprintf(`ulimit -n %d && exec "$0" "$@"`, files), exe}, args...)...)
	return launch(t, shell)
}

// silence opens so many connections that say nothing, and again each that is closed, until
// the test ends. It returns when all have tried.
func silence(t *testing.T, address string, n int) {
	t.Helper()
	done := make(chan struct{})
	var tried, running sync.WaitGroup
	var opened atomic.Int64
	tried.Add(n)
	for range n {
		running.Go(func() {
			for first := true; ; first = false {
				conn, err := net.DialTimeout("tcp", address, 5*time.Second)
				if first {
					tried.Done()
				}
				if err == nil {
					opened.Add(1)
					stop := make(chan struct{})
					go func() {
						select {
						case <-done:
						case <-stop:
						}
						conn.Close()
					}()
					_, _ = conn.Read(make([]byte, 1))
					close(stop)
				}
				select {
				case <-done:
					return
				case <-time.After(time.Second):
				}
			}
		})
	}
	tried.Wait()
	t.Cleanup(func() {
		close(done)
		running.Wait()
		t.Logf("%d silent connections were opened", opened.Load())
	})
}

// TestSilentConnections: many connections that say nothing neither end the service nor
// keep citizens out, whether it speaks HTTP or HTTPS.
func TestSilentConnections(t *testing.T) {
	ca := newTestCA(t)
	ca.write(1)
	silent := 2000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if most := int(limit.Cur) - 200; most < silent {
		t.Logf("this process may open %d files: trying with %d connections", limit.Cur, most)
		silent = most
	}
	for door, flags := range map[string][]string{"http": nil, "https": {"--tls-cert", ca.certFile, "--tls-key", ca.keyFile}} {
		t.Run(door, func(t *testing.T) {
			data := t.TempDir()
			token, desk := seedOpenRound(t, data)
			service := startWithin(t, 1024, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, flags...)...)
			var entry struct{ Listen string }
			if err := json.Unmarshal([]byte(service.stderr.until(func(s string) bool { return strings.Contains(s, `"serving"`) })), &entry); err != nil {
				t.Fatal(err)
			}
			silence(t, entry.Listen, silent)
			url := door + "://" + entry.Listen
			// Each citizen comes anew.
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: ca.roots}}, Timeout: 30 * time.Second}
			for range 10 {
				if status, body, err := fetch(client, url+"/s/"+desk, ""); err != nil || status != http.StatusOK || !strings.Contains(body, "<form") {
					t.Fatalf("the form: %d, %v", status, err)
				}
				if _, status, err := submit(client, url, desk); err != nil || status != http.StatusCreated {
					t.Fatalf("an answer: %d, %v", status, err)
				}
			}
			status, body, err := fetch(client, url+"/readyz", token)
			var ready struct {
				Connections struct {
					Full        bool
					Open, Limit int
				}
			}
			if err := errors.Join(err, json.Unmarshal([]byte(body), &ready)); err != nil {
				t.Fatal(err, body)
			}
			if c := ready.Connections; status != http.StatusOK || !c.Full || c.Limit != 1024-filesKept || c.Open > c.Limit {
				t.Errorf("/readyz: %d %s", status, body)
			}
			if code := service.stop(syscall.SIGTERM); code != 0 {
				t.Errorf("the service ended with exit code %d", code)
			}
		})
	}
}

// fetch gets a page, with a token or without.
func fetch(client *http.Client, url, token string) (status int, body string, err error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// TestConnectionsWithin: a process keeps files for its store, however few it may open.
func TestConnectionsWithin(t *testing.T) {
	for files, want := range map[uint64]int{0: 0, 256: 128, 800: 400, 1024: 624, 4096: 3696, 1<<64 - 1: 1 << 20} {
		if got := connectionsWithin(files); got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
	}
}
