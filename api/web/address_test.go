package web

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"html"
	"image/png"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"sipas/api/store"
	"sipas/kiosk"
)

// A service below a path of a portal.
const (
	portal     = "https://portal.example.gov.vn"
	portalPath = "/so-noi-vu/khaosat"
)

func TestReadPublicURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://khaosat.example.gov.vn":              "",
		"https://khaosat.example.gov.vn/":             "https://khaosat.example.gov.vn",
		"https://portal.example.gov.vn/khaosat":       "",
		"https://portal.example.gov.vn/khaosat/":      "https://portal.example.gov.vn/khaosat",
		"https://portal.example.gov.vn/so/Khao_sat~1": "",
		"https://portal.example.gov.vn/v1.2/...":      "",
		"https://portal.example.gov.vn/portal/s":      "",
		"https://portal.example.gov.vn/staff":         "",
		"HTTPS://Portal.Example.gov.vn:443/A":         "https://portal.example.gov.vn/A",
		"http://127.0.0.1:8080":                       "",
		"http://10.0.0.1:80/k":                        "http://10.0.0.1/k",
		"https://localhost:8443/k":                    "",
		"https://[2001:db8::1]:8443/k":                "",
		"http://db_1.internal":                        "",
		"https://xn--khost-7ua45a.vn/k":               "",
	} {
		if want == "" {
			want = in
		}
		if got, err := ReadPublicURL(in); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", in, got, err, want)
		}
	}
	for in, why := range map[string]string{
		"":                                                              "begins with https://",
		"khaosat.example.vn":                                            "begins with https://",
		"khaosat.example.vn:8080/k":                                     "begins with https://",
		"//khaosat.example.vn/k":                                        "begins with https://",
		"/khaosat":                                                      "begins with https://",
		"ftp://khaosat.example.vn":                                      "begins with https://",
		"javascript://x":                                                "begins with https://",
		" https://khaosat.example.vn":                                   "begins with https://",
		"https://khaosat.example.vn ":                                   "space or a control",
		"https://khaosat.example.vn/khao sat":                           "space or a control",
		"https://khaosat.example.vn/k\r\nX: 1":                          "space or a control",
		"https://khaosat.example.vn/k\x00":                              "space or a control",
		"https://khaosat.example.vn/k\u200b":                            "has the letter",
		"https://khảosát.vn":                                            "xn--",
		"https://khaosat.example.vn/khảo-sát":                           "has the letter",
		"https://khaosat.example.vn?lang=vi":                            "query",
		"https://khaosat.example.vn/k?":                                 "query",
		"https://khaosat.example.vn/k#top":                              "fragment",
		"https://khaosat.example.vn#":                                   "fragment",
		"https://u:hunter2@khaosat.example.vn/k":                        "user",
		"https://u@khaosat.example.vn":                                  "user",
		"https://":                                                      "host is missing",
		"https:///khaosat":                                              "host is missing",
		"https://:8080/k":                                               "host is missing",
		"https://khaosat.example.vn:/k":                                 "port is missing",
		"https://khaosat.example.vn:0":                                  "port 0",
		"https://khaosat.example.vn:99999/k":                            "port 99999",
		"https://khaosat.example.vn:x/k":                                "no address",
		"https://[2001:db8::1/k":                                        "no address",
		"https://[nothing]/k":                                           "no address",
		"https://-khaosat.example.vn/k":                                 "no host name",
		"https://khaosat..example.vn/k":                                 "no host name",
		"https://khao(sat).vn/k":                                        "no host name",
		"https://khaosat.example.vn/a/../b":                             "/..",
		"https://khaosat.example.vn/..":                                 "/..",
		"https://khaosat.example.vn/./k":                                "/.",
		"https://khaosat.example.vn//k":                                 "//",
		"https://khaosat.example.vn/k//":                                "//",
		"https://khaosat.example.vn//":                                  "//",
		"https://khaosat.example.vn/%6b":                                "percent",
		"https://khaosat.example.vn/a%2Fb":                              "percent",
		`https://khaosat.example.vn/a\b`:                                `\`,
		"https://khaosat.example.vn/a;b":                                "only letters",
		"https://khaosat.example.vn/a,b":                                "only letters",
		"https://khaosat.example.vn/<k>":                                "only letters",
		"https://khaosat.example.vn/$k":                                 "only letters",
		"https://khaosat.example.vn/@k":                                 "only letters",
		"https://khaosat.example.vn/s":                                  "/s, which is an address of the service itself",
		"https://khaosat.example.vn/S/":                                 "address of the service itself",
		"https://khaosat.example.vn/api":                                "address of the service itself",
		"https://khaosat.example.vn/api/v2":                             "address of the service itself",
		"https://khaosat.example.vn/kiosk/a":                            "address of the service itself",
		"https://khaosat.example.vn/livez":                              "address of the service itself",
		"https://khaosat.example.vn/openapi.yaml/":                      "address of the service itself",
		"https://khaosat.example.vn/" + strings.Repeat("k", longestURL): "characters",
	} {
		got, err := ReadPublicURL(in)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q is %q, %v; want an error with %q", in, got, err, why)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error has the password: %v", in, err)
		}
	}
	// A command may reach the service through an address that it would not have itself.
	if got, err := ReadURL("https://intern.example.gov.vn/api/"); err != nil || got != "https://intern.example.gov.vn/api" {
		t.Errorf("for a command: %q, %v", got, err)
	}
}

func TestBelow(t *testing.T) {
	s := &Server{prefix: "/a/khaosat"}
	for in, want := range map[string]string{
		"/a/khaosat": "/", "/a/khaosat/": "/", "/a/khaosat/s/Q1": "/s/Q1", "/A/KhaoSat/s/Q1": "/s/Q1", "/s/Q1": "/s/Q1", "/": "/", "": "",
		"/a": "/a", "/a/khaosat2/s": "/a/khaosat2/s", "/a/khaosats": "/a/khaosats", "/b/a/khaosat": "/b/a/khaosat",
		// Once and no more: a path behind it that is the same is somebody's mistake.
		"/a/khaosat/a/khaosat/s": "/a/khaosat/s", "/a/khaosat//s": "/s", "//s/Q1": "/s/Q1", "//": "/", "*": "*",
	} {
		if got := s.below(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if root := new(Server); root.below("/s/Q1") != "/s/Q1" || root.below("") != "" {
		t.Error("without a path, something is stripped")
	}
}

// attributes finds what a page may lead to.
var attributes = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)

// portalEnv is a service below a path, with something on every page.
func portalEnv(t *testing.T) (e *env, token, device string) {
	e = start(t, options{config: func(c *Config) { c.PublicURL = portal + portalPath }})
	token, err := e.store.CreateToken(t.Context(), "all", store.Rights, testNow())
	if err != nil {
		t.Fatal(err)
	}
	d, err := e.store.AddDevice(t.Context(), "Máy 1", testDesk, testNow(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return e, token, d.ID
}

// TestPathPages asks for every page below a path, as it comes through a proxy that passes
// the path on and through one that strips it, and follows every address in it.
func TestPathPages(t *testing.T) {
	waits(t)
	e, token, device := portalEnv(t)
	cookie := e.signedIn(token)
	todo := []string{"/", "/s/" + testDesk, "/s/" + testDesk + "?shared=1", "/s/NOPE", "/qr/" + testDesk, "/kiosk", "/board/u1", "/board/u1?screen=1", "/signin?next=/fleet",
		"/reports", "/reports/" + testRound + "?by=unit", "/reports/" + testRound + "/compare?by=unit&a=u1&b=u2", "/pictures/" + testRound + "?unit=u1", "/trend", "/nowhere",
		"/fleet?state=never&q=m", "/fleet?refresh=off", "/fleet/" + device + "?ask=revoke", "/fleet/quarantine", "/fleet/upload", "/fleet/new", "/livez", "/readyz", "/openapi.yaml"}
	for i := range todo {
		todo[i] = portalPath + todo[i]
	}
	todo = append(todo, portalPath) // the address that people type
	seen := map[string]bool{}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		if seen[at] {
			continue
		}
		seen[at] = true
		whole := e.do(call{path: at, cookie: cookie, header: map[string]string{"Accept": "text/html"}})
		inner := strings.TrimPrefix(at, portalPath)
		if !strings.HasPrefix(inner, "/") {
			inner = "/" + inner
		}
		bare := e.do(call{path: inner, cookie: cookie, header: map[string]string{"Accept": "text/html"}})
		if whole.status != bare.status || minted(whole.body) != minted(bare.body) {
			t.Errorf("%s differs with the path and without: %d, %d", at, whole.status, bare.status)
		}
		if missing := whole.status == http.StatusNotFound; missing != (strings.Contains(at, "/NOPE") || strings.Contains(at, "/nowhere")) {
			t.Errorf("%s: status %d", at, whole.status)
		}
		if !strings.HasPrefix(whole.header.Get("Content-Type"), "text/html") {
			continue
		}
		for _, m := range attributes.FindAllStringSubmatch(whole.body, -1) {
			name, value := m[1], html.UnescapeString(m[2])
			if name == "content" {
				_, value, _ = strings.Cut(value, ";url=")
			}
			if !strings.HasPrefix(value, "/") || name == "value" {
				if value == testReplyURL { // of somebody else
					continue
				}
				if slices.Contains([]string{"href", "action", "src", "data-sound"}, name) && !strings.HasPrefix(value, "#") {
					t.Errorf("%s: %s=%q is no path", at, name, value)
				}
				continue
			}
			to, err := url.Parse(value)
			if err != nil || !strings.HasPrefix(to.Path+"/", portalPath+"/") || strings.HasPrefix(to.Path, portalPath+portalPath) {
				t.Errorf("%s: %s=%q leads out of %s", at, name, value, portalPath)
				continue
			}
			if name != "action" {
				todo = append(todo, to.RequestURI())
			}
		}
	}
	for _, rt := range e.server.routes {
		like := regexp.MustCompile("^" + regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(rt.pattern, "[^/?]+") + "(\\?|$)")
		asked := slices.ContainsFunc(slices.Collect(maps.Keys(seen)), func(at string) bool { return like.MatchString(e.server.below(at)) })
		if rt.method == http.MethodGet && !strings.HasPrefix(rt.path, "/api/") && rt.path != "/kiosk/sw.js" && !asked {
			t.Errorf("%s was not asked for", rt.pattern)
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d addresses", len(seen))
	}
}

// minted takes out of a page what is another each time.
func minted(page string) string {
	return regexp.MustCompile(`(name="(id|stamp|form|once)" value="|error_request |<code>)[^"<]*|request_id":"[^"]*`).ReplaceAllString(page, "$1")
}

// TestPathForms: what is sent below a path is taken, and leads below it; the session is that
// of the path alone.
func TestPathForms(t *testing.T) {
	waits(t)
	e, token, device := portalEnv(t)
	cookie := e.signedIn(token)
	form := e.formToken(cookie)
	for _, prefix := range []string{"", portalPath} {
		post := func(path string, v url.Values) answer {
			// The proxy puts its own name in place of the host.
			return e.do(call{method: "POST", path: prefix + path, body: v.Encode(), contentType: typeForm, cookie: cookie, host: "127.0.0.1:8080",
				header: map[string]string{"Origin": portal}})
		}
		thanks := post("/s/"+testDesk, formValues(e, testDesk))
		receipt := regexp.MustCompile(`<output>([^<]+)`).FindStringSubmatch(thanks.body)
		if receipt == nil {
			t.Fatalf("no receipt: %d %s", thanks.status, plain(thanks.body))
		}
		before := len(e.stored())
		if a := post("/r", url.Values{"code": {receipt[1]}}); a.status != http.StatusOK || len(e.stored()) != before-1 {
			t.Errorf("%q: withdrawing: %d %s", prefix, a.status, plain(a.body))
		}
		for what, c := range map[string]struct {
			a        answer
			status   int
			location string
		}{
			"a typed code":           {e.do(call{path: prefix + "/s?code=q1&lang=en"}), 303, "/s/" + testDesk + "?lang=en"},
			"a token":                {post("/signin", url.Values{"token": {token}, "next": {"/fleet?lang=en"}}), 303, "/fleet?lang=en"},
			"a token, back to there": {post("/signin", url.Values{"token": {token}, "next": {portalPath + "/trend"}}), 303, "/trend"},
			"a token, elsewhere":     {post("/signin", url.Values{"token": {token}, "next": {"//evil.example.org/"}}), 303, "/reports"},
			"a new tablet":           {post("/fleet/new", url.Values{formField: {form}, "name": {"Hai"}, "desk": {"Q2"}, "once": {prefix + "x"}}), 307, ""},
			"a tablet's name":        {post("/fleet/"+device, url.Values{formField: {form}, "do": {"change"}, "name": {"Ba"}}), 303, "/fleet/" + device + "?done=change&lang=vi"},
			"the quarantine":         {post("/fleet/quarantine", url.Values{formField: {form}}), 303, ""},
			"signing out":            {e.do(call{method: "POST", path: prefix + "/signout", cookie: e.signedIn(token)}), 303, "/signin?lang=vi"},
		} {
			location := c.a.header.Get("Location")
			if c.a.status != c.status || !strings.HasPrefix(location, portalPath+"/") || c.location != "" && location != portalPath+c.location {
				t.Errorf("%q, %s: %d, leads to %q; want %d, %s", prefix, what, c.a.status, location, c.status, c.location)
			}
			for _, set := range c.a.header.Values("Set-Cookie") {
				lower := strings.ToLower(set)
				if !strings.HasPrefix(set, "__Secure-sipas=") || !strings.Contains(lower, "; path="+portalPath+";") || !strings.Contains(lower, "; secure") || !strings.Contains(lower, "; httponly") {
					t.Errorf("%q, %s: cookie %q", prefix, what, set)
				}
			}
		}
		foreign := e.do(call{method: "POST", path: prefix + "/signin", body: url.Values{"token": {token}}.Encode(), contentType: typeForm,
			header: map[string]string{"Origin": "https://" + otherHost}})
		if foreign.status != http.StatusForbidden {
			t.Errorf("%q: a form that stood elsewhere: %d", prefix, foreign.status)
		}
		// Who is not signed in comes back to where they wanted to go.
		out := e.do(call{path: prefix + "/reports/" + testRound + "?by=unit"})
		if out.status != http.StatusUnauthorized || !strings.Contains(out.body, `name="next" value="/reports/`+testRound+`?by=unit"`) {
			t.Errorf("%q: signed out: %d %s", prefix, out.status, out.body)
		}
		// A body is too large before anything is routed.
		large := bytes.Repeat([]byte("x"), 2*smallBody)
		for cookie, want := range map[string]int{cookie: http.StatusForbidden, "": http.StatusUnauthorized} {
			body, contentType := multipartForm(t, "file", string(large))
			a := e.do(call{method: "POST", path: prefix + "/fleet/upload", body: body, contentType: contentType, cookie: cookie})
			if a.status != want || want == http.StatusUnauthorized && !strings.Contains(a.body, `name="next" value="/fleet/upload"`) {
				t.Errorf("%q: a large file: %d, want %d", prefix, a.status, want)
			}
		}
	}
	if twice := e.do(call{path: portalPath + portalPath + "/s/" + testDesk}); twice.status != http.StatusNotFound {
		t.Errorf("with the path twice: %d", twice.status)
	}
	for _, path := range []string{"/s/" + testDesk, "/api/v1/rounds", "/reports?by=unit"} {
		if slashes := e.do(call{path: "/" + path, token: token, cookie: cookie}); slashes.status != http.StatusOK {
			t.Errorf("%s through a proxy that strips a slash too few: %d", path, slashes.status)
		}
	}
	// The log knows routes, however a request came.
	if log := e.log.String(); strings.Contains(log, portalPath) || !strings.Contains(log, "route=/s/{desk}") {
		t.Error("the path stands in the log")
	}
}

// TestPathAPI: programs find everything with the path and without it, and what they are told
// has it.
func TestPathAPI(t *testing.T) {
	waits(t)
	e, token, _ := portalEnv(t)
	public := portal + portalPath
	for _, prefix := range []string{"", portalPath} {
		send := func(method, path, body string, into any) {
			t.Helper()
			a := e.do(call{method: method, path: prefix + path, body: body, contentType: typeJSON, token: token})
			if a.status >= 300 {
				t.Fatalf("%s %s: %d %s", method, prefix+path, a.status, a.body)
			}
			if err := json.Unmarshal([]byte(a.body), into); err != nil {
				t.Fatal(err)
			}
		}
		var made PairedDevice
		send("POST", "/api/v1/devices", `{"name":"Ba","desk":"Q1"}`, &made)
		if want := public + "/kiosk#" + made.Code; made.Address != want {
			t.Errorf("%q: a tablet is paired at %s, want %s", prefix, made.Address, want)
		}
		stored := e.do(call{method: "POST", path: prefix + "/api/v1/responses", body: submission(t, nil), contentType: typeJSON})
		if stored.status != http.StatusCreated && stored.status != http.StatusOK {
			t.Errorf("%q: an answer: %d %s", prefix, stored.status, stored.body)
		}
		many := "[" + strings.Repeat(submission(t, nil)+",", 250) + submission(t, nil) + "]"
		if a := e.do(call{method: "POST", path: prefix + "/api/v1/responses", body: many, contentType: typeJSON, token: e.tokens[store.RightImport]}); len(many) < smallBody || a.status != http.StatusOK {
			t.Errorf("%q: a batch of %d bytes: %d", prefix, len(many), a.status)
		}
		picture := e.do(call{path: prefix + "/qr/" + testDesk + ".png"})
		img, err := png.Decode(strings.NewReader(picture.body))
		if err != nil {
			t.Fatal(err)
		}
		if got := readQR(t, img); got != public+"/s/"+testDesk {
			t.Errorf("%q: the code leads to %s", prefix, got)
		}
		if a := e.do(call{path: prefix + "/openapi.yaml"}); !strings.Contains(a.body, "\nservers:\n  - url: "+portalPath+"/\n") {
			t.Errorf("%q: the API's description says that it lies elsewhere", prefix)
		}
		if a := e.do(call{path: prefix + "/kiosk/sw.js"}); a.header.Get("Service-Worker-Allowed") != "../kiosk" || a.body != string(kiosk.AppFiles()[kiosk.AppWorker]) {
			t.Errorf("%q: the service worker: %d %q", prefix, a.status, a.header.Get("Service-Worker-Allowed"))
		}
		// Files of a release are what was signed, wherever the service lies.
		if a := e.do(call{path: prefix + "/kiosk/" + e.server.kiosk.Version + "/" + kiosk.AppPage}); a.body != string(e.server.kiosk.Files[kiosk.AppPage]) {
			t.Errorf("%q: the page of a release: %d", prefix, a.status)
		}
	}
	if link := e.server.SignInURL(token, "/fleet", time.Minute); !strings.HasPrefix(link, public+"/signin?") {
		t.Errorf("a link that signs in: %s", link)
	}
	if list := ListSlips(public, testDesk, []string{"AAAA"}); !strings.HasPrefix(list.Slips[0].Address, public+"/s/"+testDesk) {
		t.Errorf("a slip: %s", list.Slips[0].Address)
	}
}

// TestNoLiteralAddress: an address from the root of the host stands nowhere but where the
// path is put before it.
func TestNoLiteralAddress(t *testing.T) {
	look := func(files fs.FS, pattern string, literal, meant *regexp.Regexp) {
		t.Helper()
		names, err := fs.Glob(files, pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v, %v", pattern, names, err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(text), "\n") {
				for _, found := range literal.FindAllString(line, -1) {
					if meant == nil || !meant.MatchString(found) {
						t.Errorf("%s:%d: %s is an address of the root", name, i+1, found)
					}
				}
			}
		}
	}
	look(pageFiles, "page/*.html", regexp.MustCompile(`[\w-]*\s*=\s*["']?/[^"']*|url=?\(?["']?/[^"')]*`), pageAddress)
	look(staticFiles, "static/*.js", regexp.MustCompile("[\"'`]/[^\"'`]*"), nil)
	look(staticFiles, "static/*.css", regexp.MustCompile(`url\(["']?/[^)]*`), nil)
	app := fstest.MapFS{}
	for name, b := range kiosk.AppFiles() {
		app[name] = &fstest.MapFile{Data: b}
		// Modules are given ask of browser.js to fetch with, which puts the path before.
		if strings.HasSuffix(name, ".js") && !slices.Contains([]string{"browser.js", "pairing.js", kiosk.AppWorker}, name) &&
			regexp.MustCompile(`(^|[^.\w#])fetch(\.bind)?\(`).Match(b) {
			t.Errorf("%s fetches without ask", name)
		}
	}
	look(app, "*.js", regexp.MustCompile("\\b(register|replace|assign|open|import|Audio|URL|Request|href:|src:|=== )[( ]*[\"'`]/[^\"'`]*"), nil)
	look(app, "*.css", regexp.MustCompile(`url\(["']?/[^)]*`), nil)
	look(app, "*.webmanifest", regexp.MustCompile(`"/[^"]*`), nil)
	look(app, "*.html", regexp.MustCompile(`\b(href|src|action)=["']?/[^"'>]*`), regexp.MustCompile(`="/kiosk/VERSION/`))
}
