package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sipas/seeds"
)

// FuzzJSONDoor sends anything as JSON: the service never fails, and tells what
// it stored.
func FuzzJSONDoor(f *testing.F) {
	e := start(f, options{})
	good := submission(f, nil)
	for _, seed := range []string{good, "[" + good + "]", "{", `{"id":1}`, `{"answers":{"c01":"x"}}`, strings.Repeat("[", 50), "\xff", `{"a":"\u0000","a":2}`, good + "x", "null", `{"answers":null,"profile":{"":""}}`} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, body []byte, imports bool) {
		e := *e
		e.t = t
		token := ""
		if imports {
			token = e.tokens["import"]
		}
		a := e.do(call{method: "POST", path: "/api/v1/responses", body: string(body), contentType: typeJSON, token: token})
		if a.status >= 500 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if a.status >= 400 && a.status != 409 && a.status != 410 && a.errorOf(t).Code == "" {
			t.Fatalf("%d without a code: %s", a.status, a.body)
		}
	})
}

// FuzzFormDoor sends anything as a form: the page that comes is whole and holds
// no script.
func FuzzFormDoor(f *testing.F) {
	e := start(f, options{})
	v := formValues(e, testDesk)
	f.Add(testDesk, v.Encode())
	f.Add("<script>", "comment=<script>alert(1)</script>&id="+v.Get("id"))
	f.Add(testDesk, "id="+v.Get("id")+"&round="+testRound+"&instrument="+seeds.Sipas2640+"&version=1&a.c01=4&comment=%ff%fe%00")
	f.Add(testDesk, "&&&=;=%zz&a.=1&p.=2&a.c01=&version=99999999999999999999")
	f.Fuzz(func(t *testing.T, desk, body string) {
		e := *e
		e.t = t
		a := e.do(call{method: "POST", path: "/s/" + url.PathEscape(desk), body: body, contentType: typeForm, header: map[string]string{"Accept": "text/html"}})
		if a.status == http.StatusRequestHeaderFieldsTooLarge {
			return // refused before anybody knew that a page was wanted
		}
		if a.status >= 500 || !strings.HasSuffix(strings.TrimSpace(a.body), "</html>") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if strings.Contains(withoutOwnScript(a.body), "<script") {
			t.Fatalf("script on the page: %s", a.body)
		}
	})
}
