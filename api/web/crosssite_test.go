package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sipas/api/store"
	"sipas/kiosk"
)

// TestCrossSite: what a page of somebody else sends with the reader's cookie is
// refused on every route that changes something in a session.
func TestCrossSite(t *testing.T) {
	waits(t)
	e := start(t, options{})
	s := e.staff()
	id := e.tablet("Một", "Q1", func(*kiosk.Device, *kiosk.Contact) {})
	own, other := e.formToken(s.cookie), e.formToken(e.signedIn(e.tokens[store.RightStaff]))
	fields := func(token string) string {
		return url.Values{formField: {token}, "do": {"revoke"}, "name": {"Hai"}, "desk": {"Q1"}}.Encode()
	}
	tried := 0
	for _, rt := range e.server.routes {
		if rt.access != session || rt.method == http.MethodGet {
			continue
		}
		tried++
		if rt.accepts != typeForm && rt.accepts != typeMultipart || !rt.page {
			t.Errorf("%s %s takes something other than a form of a page", rt.method, rt.pattern)
		}
		path := strings.Replace(rt.pattern, "{device}", id, 1)
		for name, c := range map[string]struct {
			body, contentType string
			header            map[string]string
			refused           bool
		}{
			"own form":                       {fields(own), typeForm, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": publicURL}, false},
			"loaded again":                   {fields(own), typeForm, map[string]string{"Sec-Fetch-Site": "none", "Origin": "null"}, false},
			"a browser that tells nothing":   {fields(own), typeForm, nil, false},
			"a browser that tells no site":   {fields(own), typeForm, map[string]string{"Origin": "null"}, true},
			"an old browser":                 {fields(own), typeForm, map[string]string{"Origin": publicURL}, false},
			"a proxy that renames the host":  {fields(own), typeForm, map[string]string{"Origin": publicURL}, false},
			"no token":                       {fields(""), typeForm, map[string]string{"Sec-Fetch-Site": "same-origin"}, true},
			"an empty form":                  {"", typeForm, nil, true},
			"the token of another session":   {fields(other), typeForm, nil, true},
			"the cookie as token":            {fields(strings.TrimPrefix(s.cookie, "__Host-sipas=")), typeForm, nil, true},
			"a token in the address only":    {"", typeForm, nil, true},
			"another site":                   {fields(own), typeForm, map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
			"another host of the domain":     {fields(own), typeForm, map[string]string{"Sec-Fetch-Site": "same-site"}, true},
			"another site, no token":         {fields(""), typeForm, map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://" + otherHost}, true},
			"another site, an old browser":   {fields(own), typeForm, map[string]string{"Origin": "https://" + otherHost}, true},
			"without TLS":                    {fields(own), typeForm, map[string]string{"Origin": "http://sipas.example.vn"}, true},
			"a form of the other kind":       {fields(own), typeForm, nil, true},
			"a form that is text":            {formField + "=" + own, typeText, nil, true},
			"a form that is JSON":            {`{"form":"` + own + `"}`, typeJSON, nil, true},
			"a site that says nobody's name": {fields(own), typeForm, map[string]string{"Sec-Fetch-Site": "x"}, true},
		} {
			to, host := path, "sipas.example.vn"
			if strings.HasPrefix(name, "a proxy") {
				host = "10.0.0.1:8080"
			}
			if name == "a token in the address only" {
				to += "?" + formField + "=" + own
			}
			if c.contentType == typeForm && (rt.accepts == typeMultipart) != (name == "a form of the other kind") {
				values, err := url.ParseQuery(c.body)
				if err != nil {
					t.Fatal(err)
				}
				var parts []string
				for name := range values {
					parts = append(parts, name, values.Get(name))
				}
				c.body, c.contentType = multipartForm(t, parts...)
			}
			before := len(e.store.View().Devices())
			a := e.do(call{method: rt.method, path: to, body: c.body, contentType: c.contentType, header: c.header, cookie: s.cookie, host: host})
			if got := a.status == http.StatusForbidden; got != c.refused {
				t.Errorf("%s %s: %s: status %d %s", rt.method, rt.pattern, name, a.status, plain(a.body))
			}
			if !c.refused {
				if _, err := e.store.ChangeDevice(t.Context(), id, func(d *kiosk.Device) error { d.Revoked = nil; return nil }); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if !strings.Contains(a.body, "Chưa có gì thay đổi.") {
				t.Errorf("%s %s: %s: the page does not say what happened: %s", rt.method, rt.pattern, name, plain(a.body))
			}
			if e.store.View().Device(id).Revoked != nil || len(e.store.View().Devices()) != before {
				t.Errorf("%s %s: %s: it was done all the same", rt.method, rt.pattern, name)
			}
		}
	}
	if tried < 3 {
		t.Errorf("%d routes", tried)
	}
}

// TestCrossSiteSignIn: nobody else's page signs a reader in, as themselves, or out.
func TestCrossSiteSignIn(t *testing.T) {
	waits(t)
	e := start(t, options{})
	token := e.tokens[store.RightFull]
	for site, refused := range map[string]bool{"cross-site": true, "same-site": true, "same-origin": false, "none": false, "": true} {
		header := map[string]string{"Origin": "null", "Sec-Fetch-Site": site}
		cookie := e.signedIn(token)
		for _, c := range []call{{path: "/signin", body: url.Values{"token": {token}}.Encode(), contentType: typeForm}, {path: "/signout", cookie: cookie}} {
			c.method, c.header = http.MethodPost, header
			a := e.do(c)
			if got := a.status == http.StatusForbidden; got != refused || refused == (a.header.Get("Set-Cookie") != "") {
				t.Errorf("%s, %q: status %d, cookie %q", c.path, site, a.status, a.header.Get("Set-Cookie"))
			}
		}
		if a := e.do(call{path: "/reports", cookie: cookie}); (a.status == http.StatusOK) != refused {
			t.Errorf("%q: the session afterwards: %d", site, a.status)
		}
	}
}

// TestCrossSiteAnswers: what a page of somebody else sends is refused wherever answers,
// withdrawals and codes of tablets are taken, form or JSON; programs with a token are
// taken, and whoever says nothing.
func TestCrossSiteAnswers(t *testing.T) {
	waits(t)
	e := start(t, options{})
	portal := start(t, options{config: func(c *Config) { c.PublicURL = "https://portal.example.vn:8443/khaosat" }})
	plainHTTP := start(t, options{config: func(c *Config) { c.PublicURL = "http://192.0.2.7:8080" }})
	const own, host = publicURL, "sipas.example.vn"
	local := strings.TrimPrefix(e.url, "http://")
	for _, c := range []struct {
		name               string
		e                  *env
		site, origin, host string
		refused            bool
	}{
		{"own form", e, "same-origin", own, host, false},
		{"own form of an old browser", e, "", own, host, false},
		{"neither header", e, "", "", host, false},
		{"loaded again", e, "none", "null", host, false},
		{"open since an earlier version", e, "same-origin", "null", host, false},
		{"behind a proxy with another host", e, "", own, "10.0.0.1:8080", false},
		{"by another name", e, "", "https://other.example.vn", "other.example.vn", false},
		{"at the machine itself", e, "", "http://" + local, local, false},
		{"in another case", e, "", "https://SIPAS.example.vn", "Sipas.Example.VN", false},
		{"a port that browsers leave out", e, "", "https://other.example.vn", "other.example.vn:443", false},
		{"with a port and a path", portal, "", "https://portal.example.vn:8443", "10.0.0.1", false},
		{"in a local network", plainHTTP, "", "http://192.0.2.7:8080", "192.0.2.7:8080", false},
		{"in a local network, by name", plainHTTP, "", "http://sipas.local:8080", "sipas.local:8080", false},
		{"at an IPv6 address", plainHTTP, "", "http://[2001:db8::7]:8080", "[2001:db8::7]:8080", false},

		{"another site", e, "cross-site", "https://" + otherHost, host, true},
		{"another site that hides", e, "cross-site", "null", host, true},
		{"another site that hides all it can", e, "cross-site", "", host, true},
		{"another host of the domain", e, "same-site", "https://a.example.vn", host, true},
		{"another site, an old browser", e, "", "https://" + otherHost, host, true},
		{"another host, an old browser", e, "", "https://a.example.vn", host, true},
		{"a subdomain", e, "", "https://x." + host, host, true},
		{"a name that begins so", e, "", own + ".evil.example", host, true},
		{"another port", e, "", own + ":8443", host, true},
		{"an origin that is hidden", e, "", "null", host, true},
		{"without TLS", e, "", "http://" + host, host, true},
		{"a file", e, "", "file://", host, true},
		{"an extension", e, "", "chrome-extension://abc", host, true},
		{"nonsense", e, "", "x", host, true},
		{"with a path", e, "", own + "/", host, true},
		{"a site that says nobody's name", e, "x", own, host, true},
		{"the default port, where there is another", portal, "", "https://portal.example.vn", "10.0.0.1", true},
		{"the path of the portal", portal, "", "https://portal.example.vn:8443/khaosat", "10.0.0.1", true},
		{"another machine of the network", plainHTTP, "", "http://192.0.2.8:8080", "192.0.2.7:8080", true},
		{"another port of the machine", plainHTTP, "", "http://192.0.2.7:80", "192.0.2.7:8080", true},
	} {
		form := formValues(c.e, testDesk)
		form.Set("comment", "typed by the page")
		for _, to := range []call{
			{path: "/s/" + testDesk, contentType: typeForm, body: form.Encode()},
			{path: "/S/" + testDesk + ".", contentType: typeForm, body: formValues(c.e, testDesk).Encode()},
			{path: "/r", contentType: typeForm, body: "code=0123-4567-89AB-CDEF"},
			{path: "/api/v1/responses", contentType: typeJSON, body: submission(t, nil)},
			{path: "/api/v1/responses", contentType: typeText, body: submission(t, nil)},
			{path: "/api/v1/kiosk/enrol", contentType: typeJSON, body: "{}"},
			{path: "/signin", contentType: typeForm, body: "token=x"},
		} {
			to.method, to.host, to.header = http.MethodPost, c.host, map[string]string{}
			for name, value := range map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin} {
				if value != "" {
					to.header[name] = value
				}
			}
			before := len(c.e.stored())
			a := c.e.do(to)
			if got := a.status == http.StatusForbidden; got != c.refused || a.status >= 500 {
				t.Errorf("%s: POST %s: status %d %s", c.name, to.path, a.status, plain(a.body))
			}
			if c.refused && (strings.Contains(a.body, "typed by the page") || strings.Contains(a.body, form.Get("id")) || len(c.e.stored()) != before) {
				t.Errorf("%s: POST %s: what was refused comes back, or is stored", c.name, to.path)
			}
			if strings.HasPrefix(to.path, "/s/") && c.refused && !strings.Contains(a.body, `href="`+c.e.server.href("/s/"+testDesk)+`?lang=vi"`) {
				t.Errorf("%s: no way to the form: %s", c.name, plain(a.body))
			}
		}
		// No page can make a browser send a token along.
		if a := c.e.do(call{method: "POST", path: "/api/v1/responses", contentType: typeJSON, body: submission(t, nil), token: c.e.tokens[store.RightSubmit], host: c.host,
			header: map[string]string{"Origin": c.origin}}); a.status != http.StatusCreated {
			t.Errorf("%s: a program with a token: %d", c.name, a.status)
		}
	}
	for _, lang := range e.server.texts.languages {
		a := e.do(call{method: "POST", path: "/s/" + testDesk + "?shared=1&lang=" + lang, contentType: typeForm, body: formValues(e, testDesk).Encode(), header: map[string]string{"Origin": "null"}})
		for _, key := range []string{"error.cross_site", "help.cross_site", "error.cross_site.open"} {
			if !strings.Contains(plain(a.body), e.server.texts.say(lang, key)) {
				t.Errorf("in %s the page lacks %s: %s", lang, key, plain(a.body))
			}
		}
	}
	// No other site may ask a browser whether it may send JSON.
	a := e.do(call{method: "OPTIONS", path: "/api/v1/responses", header: map[string]string{"Origin": "https://" + otherHost, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}})
	if a.status != http.StatusMethodNotAllowed || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("a preflight: %d %v", a.status, a.header)
	}
	if n := strings.Count(e.log.String(), "stood on a page of another site"); n != 1 {
		t.Errorf("the log says %d times that forms are refused", n)
	}
}
