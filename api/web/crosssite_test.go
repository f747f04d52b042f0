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
			"a browser that tells no site":   {fields(own), typeForm, map[string]string{"Origin": "null"}, false},
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
	e := start(t, options{})
	token := e.tokens[store.RightFull]
	for site, refused := range map[string]bool{"cross-site": true, "same-site": true, "same-origin": false, "none": false, "": false} {
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
	// A citizen's form is in nobody's session: chat applications open it in odd ways.
	v := formValues(e, testDesk)
	if a := e.do(call{method: "POST", path: "/s/" + testDesk, body: v.Encode(), contentType: typeForm, header: map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://" + otherHost}}); a.status != http.StatusOK {
		t.Errorf("an answer: %d", a.status)
	}
}
