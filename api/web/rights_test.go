package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sipas/api/store"
)

// address fills in the parameters of a route.
func address(s *Server, rt route) string {
	switch rt.pattern {
	case "/sound/{file}":
		return "/sound/" + testSound
	case "/kiosk/{version}/{file}":
		return "/kiosk/" + s.kiosk.Version + "/main.js"
	}
	path := strings.NewReplacer("{desk}", testDesk, "{unit}", "u1", "{round}", testRound, "{device}", "NONE", "{id}", strings.Repeat("0", 32), "{file}", strings.TrimPrefix(s.assets.addresses["report.css"], "/static/")).Replace(rt.pattern)
	if strings.Contains(path, "{") {
		panic(path)
	}
	return path
}

// TestRights calls every route of the table without a token, with a wrong one
// and with one of each right.
func TestRights(t *testing.T) {
	waits(t)
	e := start(t, options{})
	wrong := "sipas_" + strings.Repeat("a", 32)
	for _, rt := range e.server.routes {
		ask := func(token, cookie string) answer {
			c := call{method: rt.method, path: address(e.server, rt), contentType: rt.accepts, token: token, cookie: cookie}
			if rt.access == session && rt.body > 0 && token == "" && !strings.Contains(cookie, wrong) && cookie != "" {
				if c.body = formField + "=" + e.formToken(cookie); rt.accepts == typeMultipart {
					c.body, c.contentType = multipartForm(t, formField, e.formToken(cookie))
				}
			}
			return e.do(c)
		}
		cookies := map[store.Right]string{} // new ones: a route signs out
		for right, token := range e.tokens {
			cookies[right] = e.signedIn(token)
		}
		t.Run(rt.method+" "+rt.pattern, func(t *testing.T) {
			refused := func(a answer) bool {
				return a.status == http.StatusUnauthorized && rt.pattern != "/signin" || a.status == http.StatusForbidden
			}
			check := func(who string, a answer, allowed bool, code string) {
				t.Helper()
				if refused(a) == allowed {
					t.Errorf("%s: status %d %.200s", who, a.status, a.body)
				}
				if !allowed && !rt.page && string(a.errorOf(t).Code) != code {
					t.Errorf("%s: code %s, want %s", who, a.errorOf(t).Code, code)
				}
			}
			open := rt.access == public
			check("nobody", ask("", ""), open || rt.access == optional, string(codeTokenRequired))
			check("wrong token", ask(wrong, ""), open, string(codeTokenUnknown))
			check("wrong cookie", ask("", "__Host-sipas="+wrong), open || rt.access == optional, string(codeTokenRequired))
			for _, right := range store.Rights {
				has := slices.Contains(rt.rights, right)
				if rt.access == session {
					check("signed in, "+string(right), ask("", cookies[right]), has, string(codeRightMissing))
					check("bearer "+string(right), ask(e.tokens[right], ""), false, string(codeSignInRequired))
					continue
				}
				check("bearer "+string(right), ask(e.tokens[right], ""), open || has, string(codeRightMissing))
				// A cookie opens no route of the API.
				check("cookie "+string(right), ask("", cookies[right]), open || rt.access == optional, string(codeTokenRequired))
			}
		})
	}
}

// TestRightMissing: who is refused reads which right is needed, and which there is.
func TestRightMissing(t *testing.T) {
	waits(t)
	e := start(t, options{})
	for _, c := range []struct {
		method, path string
		right        store.Right
		vi, en       string
	}{
		{"GET", "/api/v1/responses", store.RightStaff, "Cần một trong các quyền sau: export. Mã truy cập này có: staff.", "It needs one of these rights: export. This token has: staff."},
		{"GET", "/api/v1/rounds", store.RightBackup, "Cần một trong các quyền sau: full, report. Mã truy cập này có: backup.", "It needs one of these rights: full, report. This token has: backup."},
		{"GET", "/api/v1/kiosk/bundle", store.RightFull, "Cần một trong các quyền sau: tablet. Mã truy cập này có: full.", "It needs one of these rights: tablet. This token has: full."},
	} {
		for lang, want := range map[string]string{"vi": c.vi, "en": c.en} {
			a := e.do(call{method: c.method, path: c.path + "?lang=" + lang, token: e.tokens[c.right]})
			if f := a.errorOf(t); f.Code != codeRightMissing || f.Detail != want {
				t.Errorf("%s: %s, want %s", c.path, a.body, want)
			}
		}
	}
	const submit = "It needs one of these rights: import. This token has: submit."
	if a := e.do(call{method: "POST", path: "/api/v1/responses?lang=en", contentType: typeJSON, token: e.tokens[store.RightSubmit], body: "[]"}); a.errorOf(t).Detail != submit {
		t.Errorf("answers of others: %s", a.body)
	}
	const page = "Mã truy cập này có: backup."
	if a := e.do(call{path: "/fleet", cookie: e.signedIn(e.tokens[store.RightBackup])}); a.status != http.StatusForbidden || !strings.Contains(a.body, page) {
		t.Errorf("a page: %s", a.body)
	}
	if a := e.do(call{path: "/api/v1/responses"}); a.errorOf(t).Detail != "" {
		t.Errorf("without a token: %s", a.body)
	}
}

// TestTable checks what every route must have.
func TestTable(t *testing.T) {
	s := &Server{}
	seen := map[string]bool{}
	for _, rt := range s.table() {
		name := rt.method + " " + rt.pattern
		if seen[name] {
			t.Errorf("%s stands twice", name)
		}
		seen[name] = true
		if rt.timeout <= 0 || rt.handler == nil {
			t.Errorf("%s has no timeout or no handler", name)
		}
		if (len(rt.rights) > 0) != (rt.access != public) {
			t.Errorf("%s: rights %v with access %d", name, rt.rights, rt.access)
		}
		if rt.method == http.MethodGet && rt.body > 0 {
			t.Errorf("%s takes a body", name)
		}
		if rt.body > smallBody && strings.Contains(rt.path, ":") {
			t.Errorf("%s: a large body needs a fixed path", name)
		}
	}
}

// TestFormOnly: with the form alone nothing else is there.
func TestFormOnly(t *testing.T) {
	waits(t)
	e := start(t, options{config: func(c *Config) { c.FormOnly = true }})
	all := (&Server{}).table()
	for i := range all {
		rt := all[i]
		a := e.do(call{method: rt.method, path: address(e.server, rt), contentType: rt.accepts, token: e.tokens[store.RightFull]})
		if gone := a.status == http.StatusNotFound; gone == rt.citizen {
			t.Errorf("%s %s: status %d, citizen %v", rt.method, rt.pattern, a.status, rt.citizen)
		}
	}
	page := e.do(call{path: "/s/" + testDesk}).body
	for _, link := range []string{`href="/reports`, `href="/?`, "/signin"} {
		if strings.Contains(page, link) {
			t.Errorf("the form links to %s, which is not there", link)
		}
	}
}

// TestRevoked: a revoked token is refused, and so is who signed in with it.
func TestRevoked(t *testing.T) {
	e := start(t, options{})
	ctx := context.Background()
	token, err := e.store.CreateToken(ctx, "leaver", []store.Right{store.RightFull}, testNow())
	if err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(e.server.SignInURL(token, "/reports", time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	cookie := e.signedIn(token)
	if err := e.store.RevokeToken(ctx, "leaver"); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]call{
		"token": {path: "/api/v1/rounds", token: token}, "session": {path: "/reports", cookie: cookie}, "link": {path: link.RequestURI()},
	} {
		if a := e.do(c); a.status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", what, a.status)
		}
	}
}

// TestSignIn: the ways in, the ways round them, and the way out.
func TestSignIn(t *testing.T) {
	waits(t)
	e := start(t, options{})
	token := e.tokens[store.RightFull]
	if u := e.server.SignInURL("sipas_unknown", "/reports", time.Hour); u != "" {
		t.Errorf("an unknown token has a link: %s", u)
	}
	u := e.server.SignInURL(token, "/reports/"+testRound+"?by=unit", time.Hour)
	if !strings.HasPrefix(u, publicURL+"/signin?") || strings.Contains(u, token) {
		t.Fatalf("link %s", u)
	}
	link, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	a := e.do(call{path: link.RequestURI(), host: otherHost})
	if a.status != http.StatusSeeOther || a.header.Get("Location") != "/reports/"+testRound+"?by=unit" {
		t.Errorf("status %d, to %q", a.status, a.header.Get("Location"))
	}
	cookie := a.header.Get("Set-Cookie")
	for _, want := range []string{"__Host-sipas=", "HttpOnly", "SameSite=Lax", "secure", "path=/"} {
		if !strings.Contains(strings.ToLower(cookie), strings.ToLower(want)) {
			t.Errorf("cookie %q lacks %s", cookie, want)
		}
	}
	if strings.Contains(cookie, token) {
		t.Error("the cookie holds the token")
	}
	// A ticket is no session, a session no ticket, and neither lives for ever.
	ticket := link.Query().Get("t")
	session := strings.TrimPrefix(strings.SplitN(cookie, ";", 2)[0], "__Host-sipas=")
	known, _ := e.store.View().Token(token, testNow())
	changed := []byte(ticket)
	changed[10] ^= 1
	for name, c := range map[string]call{
		"ticket as cookie": {path: "/reports", cookie: "__Host-sipas=" + ticket},
		"cookie as ticket": {path: "/signin?t=" + session},
		"changed ticket":   {path: "/signin?t=" + string(changed)},
		"expired ticket":   {path: "/signin?t=" + pass{token: known.Hash, until: testNow()}.seal(e.server.ticketKey)},
		"expired session":  {path: "/reports", cookie: "__Host-sipas=" + pass{token: known.Hash, until: testNow()}.seal(e.server.sessionKey)},
		"token of no one":  {path: "/signin?t=" + pass{token: strings.Repeat("00", 32), until: testNow().Add(time.Hour)}.seal(e.server.ticketKey)},
		"token as cookie":  {path: "/reports", cookie: "__Host-sipas=" + token},
		"garbage":          {path: "/signin?t=%00%ff"},
	} {
		a := e.do(c)
		if a.status != http.StatusUnauthorized || a.header.Get("Set-Cookie") != "" || !strings.Contains(a.body, `name="token"`) {
			t.Errorf("%s: status %d, cookie %q", name, a.status, a.header.Get("Set-Cookie"))
		}
	}
	// A pasted token signs in too, and leads nowhere else.
	for next, want := range map[string]string{
		"/reports/x?by=unit": "/reports/x?by=unit", "": "/reports", "//evil.example.org/": "/reports", "https://evil.example.org/": "/reports",
		`/\evil.example.org`: "/reports", "javascript:alert(1)": "/reports", "/reports/\r\nSet-Cookie: a=b": "/reports", "reports": "/reports", "/%2F/evil.example.org": "/%2F/evil.example.org",
	} {
		a := e.do(call{method: "POST", path: "/signin", contentType: typeForm, body: url.Values{"token": {" " + token + "\n"}, "next": {next}}.Encode()})
		if got := a.header.Get("Location"); a.status != http.StatusSeeOther || got != want && !(got == "/reports" && strings.Contains(next, "%2F")) {
			t.Errorf("next %q: status %d, to %q, want %q", next, a.status, got, want)
		}
	}
	if a := e.do(call{method: "POST", path: "/signin", contentType: typeForm, body: "token=sipas_guess&next=/reports"}); a.status != http.StatusUnauthorized || strings.Contains(a.body, "sipas_guess") {
		t.Errorf("a wrong token: %d", a.status)
	}
}
