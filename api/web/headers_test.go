package web

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sipas/api/store"
)

// TestHeaders: every answer carries the security headers, errors included.
func TestHeaders(t *testing.T) {
	waits(t)
	e := start(t, options{})
	calls := []call{{path: "/nowhere"}, {method: "DELETE", path: "/s"}, {method: "POST", path: "/api/v1/responses", body: "{", contentType: typeJSON}, {path: "/s/NOPE"}, {method: "BREW", path: "/s/" + testDesk}, {method: "BREW", path: "/api/v1/responses"}, {method: "HEAD", path: "/s/" + testDesk},
		{method: "POST", path: "/api/v1/responses", body: strings.Repeat("x", smallBody+1), contentType: typeJSON}}
	for _, rt := range e.server.routes {
		calls = append(calls, call{method: rt.method, path: address(e.server, rt), contentType: rt.accepts})
	}
	ids := map[string]bool{}
	for _, c := range calls {
		a := e.do(c)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000",
		} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q", c.method, c.path, name, got)
			}
		}
		policy := a.header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s %s: the policy lacks %s", c.method, c.path, want)
			}
		}
		if strings.Contains(policy, "unsafe") || a.header.Get("Permissions-Policy") == "" || a.header.Get("Server") != "" {
			t.Errorf("%s %s: %v", c.method, c.path, a.header)
		}
		id := a.header.Get("X-Request-Id")
		if len(id) != 16 || ids[id] {
			t.Errorf("%s %s: request id %q", c.method, c.path, id)
		}
		ids[id] = true
		caching, cached := a.header.Get("Cache-Control"), a.status == http.StatusOK && (strings.HasPrefix(c.path, "/static/") || strings.HasPrefix(c.path, "/sound/") || strings.HasPrefix(c.path, "/kiosk/") || strings.Contains(c.path, ".png") || strings.Contains(c.path, ".svg"))
		if (caching == "no-store") == cached {
			t.Errorf("%s %s: caching %q", c.method, c.path, caching)
		}
	}
	plain := start(t, options{config: func(c *Config) { c.PublicURL = "http://127.0.0.1:8080/" }})
	if a := plain.do(call{path: "/"}); a.header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS without TLS")
	}
	if plain.server.FormURL("Q1") != "http://127.0.0.1:8080/s/Q1" {
		t.Error(plain.server.FormURL("Q1"))
	}
}

// TestNotFound: 404 and 405 as a page for people, as JSON for programs.
func TestNotFound(t *testing.T) {
	waits(t)
	e := start(t, options{})
	for _, c := range []struct {
		call
		status int
		json   bool
	}{
		{call{path: "/nowhere", header: map[string]string{"Accept": "text/html,*/*;q=0.8"}}, 404, false},
		{call{path: "/nowhere"}, 404, true},
		{call{path: "/api/v1/nowhere", header: map[string]string{"Accept": "text/html"}}, 404, true},
		{call{path: "/static/style.css"}, 404, true},
		{call{path: "/static/..%2f..%2fserver.go"}, 404, true},
		{call{path: "/s/" + strings.Repeat("x", headerLimit)}, 431, true},
		{call{path: "/s/" + testDesk + "?fbclid=" + strings.Repeat("x", headerLimit*3/4)}, 200, false},
		{call{method: "DELETE", path: "/s/" + testDesk, header: map[string]string{"Accept": "text/html"}}, 405, false},
		{call{method: "PATCH", path: "/api/v1/responses"}, 405, true},
		{call{method: "OPTIONS", path: "/api/v1/responses"}, 405, true},
		{call{method: "BREW", path: "/api/v1/responses"}, 400, true},
		{call{method: "BREW", path: "/s/" + testDesk, header: map[string]string{"Accept": "text/html"}}, 400, false},
	} {
		a := e.do(c.call)
		if a.status != c.status || strings.HasPrefix(a.header.Get("Content-Type"), "application/json") != c.json {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.header.Get("Content-Type"))
		}
		if c.status == 405 && a.header.Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.path)
		}
	}
}

// TestLog: one line a request with what an operator needs, and nothing that says
// who answered, what, or where.
func TestLog(t *testing.T) {
	e := start(t, options{})
	secret := "mot-cau-tra-loi-rieng"
	a := e.post(submission(t, func(m map[string]any) { m["comment"] = secret }), e.tokens[store.RightSubmit])
	o := a.outcome(t)
	open := e.post(submission(t, nil), "")
	v := formValues(e, testDesk)
	v.Set("comment", secret)
	page := e.do(call{method: "POST", path: "/s/" + testDesk + "?fbclid=" + secret, body: v.Encode(), contentType: typeForm, header: map[string]string{"User-Agent": secret, "X-Forwarded-For": "203.0.113.9"}})
	e.do(call{method: "POST", path: "/r", body: "code=" + url.QueryEscape(receiptOn(t, page)), contentType: typeForm})
	e.do(call{path: "/s?code=" + testDesk})
	e.do(call{path: "/nowhere/" + secret + "?q=" + secret})
	link, err := url.Parse(e.server.SignInURL(e.tokens[store.RightFull], "/reports", 1e9))
	if err != nil {
		t.Fatal(err)
	}
	e.do(call{path: link.RequestURI()})
	e.do(call{method: "BREW" + strings.ToUpper(secret), path: "/s"})
	log := e.log.String()
	if !regexp.MustCompile(`time=\S+:\d\d(\.000)?(Z|[+-]\d\d:\d\d) level=INFO msg=request method=POST route=/s/\{desk\} status=200 duration=(0s|\d+ms) request_id=` + page.header.Get("X-Request-Id")).MatchString(log) {
		t.Errorf("no line for the form: %s", log)
	}
	for _, id := range []string{a.header.Get("X-Request-Id"), open.header.Get("X-Request-Id")} {
		if !regexp.MustCompile(`time=\S+:\d\d(\.000)?(Z|[+-]\d\d:\d\d) level=INFO msg=request method=POST route=/api/v1/responses status=201 duration=(0s|\d+ms) request_id=` + id + "\n").MatchString(log) {
			t.Errorf("no line, or one that says too much, for an answer to the API: %s", log)
		}
	}
	for what, bad := range map[string]string{"an answer": secret, "a method": "BREW", "a token": e.tokens[store.RightSubmit], "an id": o.ID, "a receipt": receiptOn(t, page), "a form's id": v.Get("id"),
		"an address": "127.0.0.1", "a forwarded address": "203.0.113.9", "a ticket": link.Query().Get("t"), "a desk": testDesk + " ", "a query": "fbclid"} {
		if strings.Contains(log, bad) {
			t.Errorf("the log holds %s", what)
		}
	}
}

// TestStatic: files are kept for ever under addresses that change with them.
func TestStatic(t *testing.T) {
	waits(t)
	e := start(t, options{})
	for name, path := range e.server.assets.addresses {
		a := e.do(call{path: path})
		if a.status != http.StatusOK || !strings.Contains(a.header.Get("Cache-Control"), "immutable") || !strings.Contains(a.header.Get("Content-Type"), map[string]string{"report.css": "text/css", "mark.svg": "image/svg+xml"}[name]) {
			t.Errorf("%s: %d %v", path, a.status, a.header)
		}
	}
}
