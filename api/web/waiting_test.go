package web

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A server without a store says so on every route, to people and programs,
// never hangs, and serves as soon as it has one.
func TestWaiting(t *testing.T) {
	waits(t)
	e := start(t, options{})
	cfg := e.server.cfg
	cfg.Log = nil
	s := NewWaiting(cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		e.client.CloseIdleConnections()
		stop, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		if err := s.Shutdown(stop); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	e.url = "http://" + ln.Addr().String()
	token := e.tokens["full"]
	for _, rt := range s.routes {
		a := e.do(call{method: rt.method, path: address(s, rt), contentType: rt.accepts, token: token})
		switch {
		case rt.pattern == "/readyz":
			if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, `"unready"`) {
				t.Errorf("/readyz: %d %s", a.status, a.body)
			}
		case rt.early:
			if a.status != http.StatusOK {
				t.Errorf("%s %s: %d %.200s", rt.method, rt.pattern, a.status, a.body)
			}
			continue
		case a.status != http.StatusServiceUnavailable:
			t.Errorf("%s %s: %d %.200s", rt.method, rt.pattern, a.status, a.body)
		case rt.page && (!strings.Contains(a.body, "Xin thử lại") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html")):
			t.Errorf("%s %s is no friendly page: %.300s", rt.method, rt.pattern, a.body)
		case !rt.page && a.errorOf(t).Code != codeUnavailable:
			t.Errorf("%s %s: %s", rt.method, rt.pattern, a.body)
		}
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s %s does not say when to come again", rt.method, rt.pattern)
		}
	}
	// A large body is refused as one without a right to it, whatever the token.
	if a := e.do(call{method: "PUT", path: "/api/v1/documents", contentType: typeJSON, body: strings.Repeat(" ", 2*smallBody), token: e.tokens["staff"]}); a.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body before there is a store: %d", a.status)
	}
	if a := e.do(call{path: "/s/" + testDesk, header: map[string]string{"Accept-Language": "en"}}); !strings.Contains(a.body, "Please try again") {
		t.Errorf("the page in English: %.300s", a.body)
	}
	s.Open(e.store, e.server.reports)
	for path, want := range map[string]string{"/readyz": `"ready"`, "/s/" + testDesk: "<form", "/livez": `"live"`} {
		if a := e.do(call{path: path}); a.status != http.StatusOK || !strings.Contains(a.body, want) {
			t.Errorf("%s with a store: %d %.200s", path, a.status, a.body)
		}
	}
	if a := e.do(call{path: "/api/v1/rounds", token: token}); a.status != http.StatusOK {
		t.Errorf("a token with a store: %d %s", a.status, a.body)
	}
}
