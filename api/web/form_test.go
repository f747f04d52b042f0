package web

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"sipas/survey"
)

// postForm sends a form of the test desk.
func (e *env) postForm(v url.Values, query string) answer {
	e.t.Helper()
	return e.do(call{method: "POST", path: "/s/" + testDesk + query, body: v.Encode(), contentType: typeForm})
}

// withoutOwnScript drops the one script that a page may load.
func withoutOwnScript(body string) string {
	return strings.Replace(body, `<script src="/static/form.`, "", 1)
}

var receiptPattern = regexp.MustCompile(`<output>([0-9A-Z]{4}(?:-[0-9A-Z]{4}){3})</output>`)

func receiptOn(t testing.TB, a answer) string {
	t.Helper()
	m := receiptPattern.FindStringSubmatch(a.body)
	if m == nil {
		t.Fatalf("no receipt on the page: %d %.500s", a.status, a.body)
	}
	return m[1]
}

// TestFormPage: what must be on the form, and what must not.
func TestFormPage(t *testing.T) {
	waits(t)
	e := start(t, options{})
	vi, en := e.do(call{path: "/s/" + testDesk}), e.do(call{path: "/s/q1", header: map[string]string{"Accept-Language": "en-GB,en;q=0.9,vi;q=0.8"}})
	if vi.status != http.StatusOK || en.status != http.StatusOK {
		t.Fatal(vi.status, en.status)
	}
	for _, c := range []struct {
		page answer
		lang string
	}{{vi, "vi"}, {en, "en"}, {e.do(call{path: "/s/" + testDesk + "?lang=vi&utm_source=zalo", header: map[string]string{"Accept-Language": "en"}}), "vi"}} {
		say := func(key string, args ...any) string { return e.server.texts.say(c.lang, key, args...) }
		for _, want := range []string{`<html lang="` + c.lang + `">`, say("form.invite", e.server.agencyName(c.lang)),
			say("full.title"), say("form.consent", say("form.send"), e.store.View().Agency.ShortName().In(c.lang)), say("form.comment_note"), say("form.more"), say("filing.online"), say("helped.watched"), `name="field"`, "UBND xã Một", "Quầy 1"} {
			if !strings.Contains(c.page.body, want) {
				t.Errorf("%s: the page lacks %q", c.lang, want)
			}
		}
		for _, not := range []string{" checked", "<script", " style=", "http://", "//cdn"} {
			if strings.Contains(withoutOwnScript(strings.ReplaceAll(c.page.body, "http://www.w3.org", "")), not) {
				t.Errorf("%s: the page has %q", c.lang, not)
			}
		}
		if c.page.header.Get("Set-Cookie") != "" || c.page.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: cookie %q, caching %q", c.lang, c.page.header.Get("Set-Cookie"), c.page.header.Get("Cache-Control"))
		}
	}
	if notice, question := strings.Index(vi.body, `class="notice"`), strings.Index(vi.body, "<fieldset"); notice < 0 || notice > question {
		t.Error("the notice does not come first")
	}
	if strings.Contains(e.do(call{path: "/s/Q2"}).body, `name="field"`) {
		t.Error("a desk with one field asks for it")
	}
	a, b := formValues(e, testDesk), formValues(e, testDesk)
	if a.Get("id") == b.Get("id") {
		t.Error("two forms share an id")
	}
}

// TestFormStored: the form stores what was ticked, once, and gives a receipt
// that withdraws it.
func TestFormStored(t *testing.T) {
	waits(t)
	e := start(t, options{})
	v := formValues(e, testDesk)
	v.Set("a.c02", "na")
	v.Del("a.c03")
	for _, item := range []string{"c19", "c20", "c21", "c22"} {
		v.Del("a." + item)
	}
	v.Set("field", "civil")
	v.Set("filing", "online")
	v.Set("helped", "watched")
	v.Set("p.gender", "")
	v.Set("comment", "Dòng một\r\nDòng hai, gọi 0905 123 456 hay a.b@example.com")
	a := e.postForm(v, "?lang=vi")
	receipt := receiptOn(t, a)
	for _, want := range []string{"UBND xã Một", "0255 000 111", "Ông Nguyễn Văn A, Chủ tịch"} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	// A double tap, or a reload, shows the same page and stores nothing more.
	if again := e.postForm(v, "?lang=vi"); receiptOn(t, again) != receipt || again.status != http.StatusOK {
		t.Error("sent again, the page is another")
	}
	list := e.stored()
	if len(list) != 1 {
		t.Fatalf("%d answers stored", len(list))
	}
	r := list[0]
	if r.Answers != "4n-444444444444444xxxx" || r.Field != "civil" || r.Filing != "online" || r.Helped != "watched" || len(r.Profile) != 0 ||
		r.Comment != "Dòng một\nDòng hai, gọi […] hay […]" || r.Language != "vi" || r.Channel != survey.ChannelQR || r.Door != survey.DoorOpen {
		t.Errorf("%+v", r)
	}
	// The same id with other answers offers another visit, everything kept.
	v.Set("a.c01", "1")
	conflict := e.postForm(v, "")
	id := idOn(t, conflict)
	if conflict.status != http.StatusConflict || id == v.Get("id") || !strings.Contains(conflict.body, `name="a.c01" value="1" checked`) || !strings.Contains(conflict.body, "Dòng hai, gọi 0905 123 456") {
		t.Errorf("conflict: %d, id %s", conflict.status, id)
	}
	first := v.Get("id")
	v.Set("id", id)
	if other := receiptOn(t, e.postForm(v, "")); other == receipt {
		t.Error("another visit has the same receipt")
	}
	// Withdrawal by the code as people type it; then the form is gone for good.
	typed := strings.ToLower(strings.ReplaceAll(receipt, "-", " "))
	gone := e.do(call{method: "POST", path: "/r?lang=vi", body: "code=" + url.QueryEscape(typed), contentType: typeForm})
	if gone.status != http.StatusOK || !strings.Contains(gone.body, e.server.texts.say("vi", "erased.title")) {
		t.Fatalf("withdrawal: %d %s", gone.status, gone.body)
	}
	v.Set("id", first)
	if a := e.postForm(v, ""); a.status != http.StatusGone || !strings.Contains(a.body, e.server.texts.say("vi", "withdrawn.title")) {
		t.Errorf("withdrawn: %d", a.status)
	}
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d answers stored", n)
	}
}

// TestFormLanguage: whoever reads the page in a language that the instrument
// does not have can send the form all the same.
func TestFormLanguage(t *testing.T) {
	waits(t)
	docs := testDocuments(t)
	docs.Instruments[0].Languages = []string{"vi"}
	e := start(t, options{docs: &docs})
	for _, lang := range []string{"vi", "en"} {
		if a := e.postForm(formValues(e, testDesk), "?lang="+lang); a.status != http.StatusOK || !strings.Contains(a.body, e.server.texts.say(lang, "thanks.title")) {
			t.Errorf("%s: %d %.300s", lang, a.status, a.body)
		}
	}
	for _, r := range e.stored() {
		if r.Language != "vi" {
			t.Errorf("stored as %q", r.Language)
		}
	}
	v := formValues(e, testDesk)
	v.Set("version", "99")
	if a := e.postForm(v, "?lang=en"); a.status != http.StatusUnprocessableEntity {
		t.Errorf("another version: %d", a.status)
	}
}

func idOn(t testing.TB, a answer) string {
	t.Helper()
	_, rest, ok := strings.Cut(a.body, `name="id" value="`)
	if !ok {
		t.Fatalf("no form: %d %.300s", a.status, a.body)
	}
	return rest[:36]
}

// TestWithdrawTellsNothing: whoever guesses codes gets one and the same answer.
func TestWithdrawTellsNothing(t *testing.T) {
	waits(t)
	e := start(t, options{})
	receipt := receiptOn(t, e.postForm(formValues(e, testDesk), ""))
	if err := e.store.Withdraw(context.Background(), receipt); err != nil {
		t.Fatal(err)
	}
	requestID := regexp.MustCompile(`[0-9a-f]{16}`)
	var first answer
	for i, code := range []string{e.store.Receipt(survey.ID{9}, nil), receipt, "", "x", "AAAA-AAAA-AAAA-AAAA", "' OR 1=1", strings.Repeat("A", 500), "<script>alert(1)</script>"} {
		a := e.do(call{method: "POST", path: "/r?lang=vi", body: url.Values{"code": {code}}.Encode(), contentType: typeForm})
		if i == 0 {
			first = a
			if a.status != http.StatusOK || !strings.Contains(a.body, e.server.texts.say("vi", "not_arrived.text")) {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		if a.status != first.status || requestID.ReplaceAllString(a.body, "") != requestID.ReplaceAllString(first.body, "") {
			t.Errorf("code %q is told apart", code)
		}
	}
}

// TestNoForm: pages that stand where a form would.
func TestNoForm(t *testing.T) {
	waits(t)
	e := start(t, options{})
	for desk, c := range map[string]struct {
		status int
		code   survey.Code
	}{
		"C1": {410, survey.CodeRoundClosed}, "N1": {403, survey.CodeRoundNotOpen}, "X1": {404, survey.CodeRoundUnknown},
		"Q9": {410, survey.CodeDeskClosed}, "NOPE": {404, survey.CodeDeskUnknown}, "%00": {404, survey.CodeDeskUnknown},
	} {
		for _, lang := range e.server.texts.languages {
			a := e.do(call{path: "/s/" + desk + "?lang=" + lang})
			if a.status != c.status || !strings.Contains(a.body, survey.Message(c.code, lang)) || !strings.Contains(a.body, `name="code"`) {
				t.Errorf("%s in %s: %d, want %d with a message and a place for another code", desk, lang, a.status, c.status)
			}
		}
	}
}

// TestCodeEntry: a code is found however it is typed.
func TestCodeEntry(t *testing.T) {
	waits(t)
	generated := survey.DeskCode("test")
	docs := testDocuments(t)
	const chosen = "SNV-001" // reads like a generated code
	docs.Desks = append(docs.Desks, survey.Desk{ID: generated, Unit: "u1", Name: docs.Desks[0].Name}, survey.Desk{ID: chosen, Unit: "u1", Name: docs.Desks[0].Name})
	e := start(t, options{docs: &docs})
	spoken := strings.ToLower(generated[:3] + " " + generated[3:])
	for typed, want := range map[string]string{testDesk: "/s/Q1", " q1 ": "/s/Q1", spoken: "/s/" + generated, chosen: "/s/" + chosen, " snv-001": "/s/" + chosen} {
		a := e.do(call{path: "/s?code=" + url.QueryEscape(typed)})
		if a.status != http.StatusSeeOther || a.header.Get("Location") != want {
			t.Errorf("%q: %d %q", typed, a.status, a.header.Get("Location"))
		}
	}
	for _, path := range []string{"/s/" + chosen, "/s/snv-001", "/qr/" + chosen, "/qr/snv-001.svg"} {
		if a := e.do(call{path: path}); a.status != http.StatusOK {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	if a := e.do(call{path: "/s?code=q1&lang=en"}); a.header.Get("Location") != "/s/Q1?lang=en" {
		t.Errorf("with a language: %q", a.header.Get("Location"))
	}
	if a := e.do(call{path: "/s?code=NOPE&lang=en"}); a.status != http.StatusNotFound || !strings.Contains(a.body, `value="NOPE"`) {
		t.Errorf("unknown: %d", a.status)
	}
}

// TestScriptInjection tries to get script into a page through everything that a
// page repeats.
func TestScriptInjection(t *testing.T) {
	waits(t)
	docs := testDocuments(t)
	evil := `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	text := survey.Text{"vi": evil, "en": evil}
	docs.Units[0].Name, docs.Units[0].Hotline, docs.Units[0].Leader, docs.Desks[0].Name, docs.Fields[0].Name = text, evil, evil, text, text
	docs.Rounds[0].Title = text
	e := start(t, options{docs: &docs})
	cookie := e.signedIn(e.tokens["full"])
	e.post(submission(t, func(m map[string]any) { m["comment"] = evil }), "")
	q := url.QueryEscape(evil)
	v := formValues(e, testDesk)
	for name := range v {
		if name != "id" {
			v.Set(name, evil)
		}
	}
	for _, name := range []string{"comment", "reached", "website", "field", "filing", "helped"} {
		v.Set(name, evil)
	}
	v.Set("p."+evil, evil)
	v.Set("a."+evil, evil)
	for name, c := range map[string]call{
		"form":              {path: "/s/" + testDesk},
		"form with a query": {path: "/s/" + testDesk + "?lang=" + q + "&" + q + "=" + q},
		"desk code":         {path: "/s/" + url.PathEscape(evil), header: map[string]string{"Accept": "text/html"}},
		"typed code":        {path: "/s?code=" + q + "&lang=" + q},
		"posted form":       {method: "POST", path: "/s/" + testDesk + "?lang=" + q, body: v.Encode(), contentType: typeForm},
		"thanks":            {method: "POST", path: "/s/" + testDesk, body: formValues(e, testDesk).Encode(), contentType: typeForm},
		"withdrawal":        {method: "POST", path: "/r?code=" + q, body: "code=" + q, contentType: typeForm},
		"sign-in":           {path: "/signin?next=" + q + "&lang=" + q},
		"pasted token":      {method: "POST", path: "/signin", body: "token=" + q + "&next=" + q, contentType: typeForm},
		"unknown path":      {path: "/" + url.PathEscape(evil) + "?" + q, header: map[string]string{"Accept": "text/html"}},
		"report":            {path: "/reports/" + testRound + "?by=unit", cookie: cookie},
		"report parameters": {path: "/reports/" + testRound + "?by=" + q + "&unit=" + q + "&from=" + q + "&to=" + q + "&channel=" + q + "&method=" + q + "&flagged=" + q + "&gender=" + q + "&" + q + "=" + q, cookie: cookie},
		"report filter":     {path: "/reports/" + testRound + "?gender=" + q + "&field=" + q + "&door=" + q, cookie: cookie},
		"unknown round":     {path: "/reports/" + url.PathEscape(evil), cookie: cookie},
		"reports":           {path: "/reports", cookie: cookie},
		"sheet":             {path: "/qr/" + testDesk},
	} {
		a := e.do(c)
		if a.status >= 500 || !strings.Contains(a.body, "<html") {
			t.Errorf("%s: %d %.200s", name, a.status, a.body)
		}
		for _, bad := range []string{"<script", "<img"} {
			if strings.Contains(withoutOwnScript(a.body), bad) {
				t.Errorf("%s: the page holds %q", name, bad)
			}
		}
	}
}
