package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/survey"
)

// TestBadInput: every wrong submission has a code of its own, in both
// languages, and leaves nothing in the store.
func TestBadInput(t *testing.T) {
	waits(t)
	e := start(t, options{})
	with := func(edit func(map[string]any)) string { return submission(t, edit) }
	set := func(key string, value any) string { return with(func(m map[string]any) { m[key] = value }) }
	answers := func(values map[string]any) string { return set("answers", values) }
	good := submission(t, nil)
	imports := e.tokens[store.RightImport]
	for _, c := range []struct {
		name, body, contentType, token string
		status                         int
		code                           survey.Code
		// field and its code, where the error is about one.
		field     string
		fieldCode survey.Code
	}{
		{name: "unknown desk", body: set("desk", "NOPE"), status: 422, code: codeInvalid, field: "desk", fieldCode: survey.CodeDeskUnknown},
		{name: "desk out of service", body: set("desk", "Q9"), status: 422, code: codeInvalid, field: "desk", fieldCode: survey.CodeDeskClosed},
		{name: "desk of a unit outside the round", body: set("desk", "C1"), status: 422, code: codeInvalid, field: "desk", fieldCode: survey.CodeRoundUnit},
		{name: "unknown round", body: set("round", "none"), status: 422, code: codeInvalid, field: "round", fieldCode: survey.CodeRoundUnknown},
		{name: "closed round", body: with(func(m map[string]any) { m["round"], m["desk"] = "r-closed", "C1" }), status: 422, code: codeInvalid, field: "round", fieldCode: survey.CodeRoundClosed},
		{name: "coming round", body: with(func(m map[string]any) { m["round"], m["desk"] = "r-coming", "N1" }), status: 422, code: codeInvalid, field: "round", fieldCode: survey.CodeRoundNotOpen},
		{name: "wrong instrument", body: set("instrument", "other"), status: 422, code: codeInvalid, field: "instrument", fieldCode: survey.CodeInstrument},
		{name: "wrong version", body: set("version", 99), status: 422, code: codeInvalid, field: "version", fieldCode: survey.CodeVersion},
		{name: "version as text", body: set("version", "1"), status: 422, code: codeInvalid, field: "version", fieldCode: survey.CodeInvalid},
		{name: "unknown item", body: answers(map[string]any{"c01": 4, "zzz": 4}), status: 422, code: codeInvalid, field: "answers.zzz", fieldCode: survey.CodeItemUnknown},
		{name: "level too high", body: answers(map[string]any{"c01": 6}), status: 422, code: codeInvalid, field: "answers.c01", fieldCode: survey.CodeLevelRange},
		{name: "level zero", body: answers(map[string]any{"c01": 0}), status: 422, code: codeInvalid, field: "answers.c01", fieldCode: survey.CodeLevelRange},
		{name: "level with a fraction", body: answers(map[string]any{"c01": 4.5}), status: 422, code: codeInvalid, field: "answers.c01", fieldCode: survey.CodeLevelRange},
		{name: "level as an object", body: answers(map[string]any{"c01": map[string]any{"a": 1}}), status: 422, code: codeInvalid, field: "answers.c01", fieldCode: survey.CodeLevelRange},
		{name: "not asked", body: answers(map[string]any{"c01": 4, "c02": "not_asked"}), status: 422, code: codeInvalid, field: "answers.c02", fieldCode: survey.CodeNotAsked},
		{name: "nothing answered", body: answers(map[string]any{"c01": "na"}), status: 422, code: codeInvalid, field: "answers", fieldCode: survey.CodeNothingAnswered},
		{name: "no answers", body: with(func(m map[string]any) { delete(m, "answers") }), status: 422, code: codeInvalid, field: "answers", fieldCode: survey.CodeRequired},
		{name: "id not a UUID", body: set("id", "not-a-uuid"), status: 422, code: codeInvalid, field: "id", fieldCode: survey.CodeIDInvalid},
		{name: "id of version 4", body: set("id", "b0c9ba0f-5a3e-4d93-9d29-7b9ab44a4b37"), status: 422, code: codeInvalid, field: "id", fieldCode: survey.CodeIDInvalid},
		{name: "id with minutes", body: set("id", "01a20b7e-f781-766a-a69f-2be03f4ec6b5"), status: 422, code: codeInvalid, field: "id", fieldCode: survey.CodeIDHour},
		{name: "id missing", body: with(func(m map[string]any) { delete(m, "id") }), status: 422, code: codeInvalid, field: "id", fieldCode: survey.CodeRequired},
		{name: "comment too long", body: set("comment", strings.Repeat("ạ", 1001)), status: 422, code: codeInvalid, field: "comment", fieldCode: survey.CodeTooLong},
		{name: "unknown field", body: set("field", "zoo"), status: 422, code: codeInvalid, field: "field", fieldCode: survey.CodeFieldUnknown},
		{name: "unknown filing", body: set("filing", "pigeon"), status: 422, code: codeInvalid, field: "filing", fieldCode: survey.CodeFilingUnknown},
		{name: "unknown helper", body: set("helped", "ghost"), status: 422, code: codeInvalid, field: "helped", fieldCode: survey.CodeHelpedUnknown},
		{name: "unknown question", body: set("profile", map[string]string{"shoe": "43"}), status: 422, code: codeInvalid, field: "profile.shoe", fieldCode: survey.CodeProfileUnknown},
		{name: "unknown language", body: set("language", "xx"), status: 422, code: codeInvalid, field: "language", fieldCode: survey.CodeLanguageUnknown},

		{name: "empty body", body: "", status: 400, code: codeEmptyBody},
		{name: "only spaces", body: " \n ", status: 400, code: codeEmptyBody},
		{name: "malformed JSON", body: good[:len(good)-1], status: 400, code: codeMalformedJSON},
		{name: "not an object", body: `"text"`, status: 400, code: codeMalformedJSON},
		{name: "a number", body: `5`, status: 400, code: codeMalformedJSON},
		{name: "null", body: `null`, status: 422, code: codeInvalid, field: "id", fieldCode: survey.CodeRequired},
		{name: "trailing garbage", body: good + "x", status: 400, code: codeTrailing},
		{name: "two objects", body: good + good, status: 400, code: codeTrailing},
		{name: "a key twice", body: strings.Replace(good, `"c01":4`, `"c01":4,"c01":5`, 1), status: 400, code: codeRepeatedKey, field: "c01", fieldCode: survey.CodeDuplicate},
		{name: "a key twice, in capitals", body: strings.Replace(good, `"answers"`, `"ANSWERS":{"c01":1},"answers"`, 1), status: 400, code: codeRepeatedKey, field: "answers", fieldCode: survey.CodeDuplicate},
		{name: "a key twice, escaped", body: strings.Replace(good, `"answers"`, `"answer\u0073":{"c01":1},"answers"`, 1), status: 400, code: codeRepeatedKey, field: "answers", fieldCode: survey.CodeDuplicate},
		{name: "an empty key twice", body: strings.Replace(good, `"answers"`, `"":1,"":2,"answers"`, 1), status: 400, code: codeRepeatedKey},
		{name: "id as a number", body: set("id", 5), status: 422, code: codeInvalid, field: "id", fieldCode: survey.CodeInvalid},
		{name: "id as a number, imported", body: set("id", 5), token: imports, status: 422, code: codeInvalid, field: "id", fieldCode: survey.CodeInvalid},
		{name: "invalid UTF-8", body: strings.Replace(good, `"desk"`, `"comment":"`+"\xff\xfe"+`","desk"`, 1), status: 400, code: codeBodyUTF8},
		{name: "UTF-16", body: "\xff\xfe{\x00}\x00", status: 400, code: codeBodyUTF8},
		{name: "no content type", body: good, contentType: "-", status: 415, code: codeContentType},
		{name: "text", body: good, contentType: "text/plain", status: 415, code: codeContentType},
		{name: "form", body: good, contentType: typeForm, status: 415, code: codeContentType},
		{name: "other charset", body: good, contentType: "application/json; charset=utf-16", status: 415, code: codeContentType},
		{name: "too large", body: set("comment", strings.Repeat("x", smallBody)), status: 413, code: codeTooLarge},
		{name: "too large without right", body: "[" + strings.Repeat(" ", smallBody) + "]", token: e.tokens[store.RightFull], status: 413, code: codeTooLarge},
		{name: "deep nesting", body: strings.Repeat("[", 20000) + strings.Repeat("]", 20000), token: imports, status: 400, code: codeMalformedJSON},

		{name: "array without a token", body: "[" + good + "]", status: 401, code: codeTokenRequired},
		{name: "array with submit", body: "[" + good + "]", token: e.tokens[store.RightSubmit], status: 403, code: codeRightMissing},
		{name: "wrong token", body: good, token: "sipas_nobody", status: 401, code: codeTokenUnknown},
		{name: "right to something else", body: good, token: e.tokens[store.RightFull], status: 403, code: codeRightMissing},
		{name: "501 items", body: "[" + strings.Repeat("0,", 500) + "0]", token: imports, status: 413, code: codeTooMany},
		{name: "array cut off", body: "[" + good, token: imports, status: 400, code: codeMalformedJSON},
		{name: "import from the future", body: set("answered", "2026-11-25"), token: imports, status: 422, code: codeInvalid, field: "answered", fieldCode: survey.CodeFutureAnswer},
		{name: "import outside the round", body: set("answered", "2026-10-25"), token: imports, status: 422, code: codeInvalid, field: "answered", fieldCode: survey.CodeOutsideRound},
		{name: "import with no date", body: set("answered", "yesterday"), token: imports, status: 422, code: codeInvalid, field: "answered", fieldCode: survey.CodeInvalid},
		{name: "import by pigeon", body: set("channel", "pigeon"), token: imports, status: 422, code: codeInvalid, field: "channel", fieldCode: survey.CodeInvalid},
		{name: "draw in a round without", body: set("draw", map[string]any{"stratum": "a", "psu": "b", "weight": 1}), token: imports, status: 422, code: codeInvalid, field: "draw", fieldCode: survey.CodeDrawInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.contentType == "" {
				c.contentType = typeJSON
			}
			messages := map[string]string{}
			for _, lang := range e.server.texts.languages {
				req := call{method: "POST", path: "/api/v1/responses", body: c.body, contentType: strings.TrimPrefix(c.contentType, "-"), token: c.token, header: map[string]string{"Accept-Language": lang}}
				a := e.do(req)
				if a.status != c.status {
					t.Fatalf("status %d, want %d: %s", a.status, c.status, a.body)
				}
				f := a.errorOf(t)
				if f.Code != c.code || f.Message == "" || f.Message == string(c.code) || f.RequestID != a.header.Get("X-Request-Id") {
					t.Errorf("%+v, want code %s", f, c.code)
				}
				messages[lang] = f.Message
				if c.field == "" {
					continue
				}
				found := false
				for _, w := range f.Fields {
					found = found || w.Field == c.field && w.Code == c.fieldCode
					if w.Message == "" || w.Message == string(w.Code) {
						t.Errorf("%s: code %s has no message in %s", w.Field, w.Code, lang)
					}
				}
				if !found {
					t.Errorf("%+v, want %s: %s", f.Fields, c.field, c.fieldCode)
				}
			}
			if messages["vi"] == messages["en"] {
				t.Errorf("one message for both languages: %q", messages["vi"])
			}
		})
	}
	if n := len(e.stored()); n != 0 {
		t.Errorf("%d answers were stored", n)
	}
}

// TestBatchInvalid: one wrong item of an array keeps the others out of nothing.
func TestBatchInvalid(t *testing.T) {
	waits(t)
	e := start(t, options{})
	good := submission(t, nil)
	items := []string{good, `{"id":5}`, `null`, submission(t, func(m map[string]any) { m["desk"] = "NOPE" }), good, submission(t, func(m map[string]any) { m["version"] = "x" })}
	a := e.post("["+strings.Join(items, ",")+"]", e.tokens[store.RightImport])
	if a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	for i, want := range []string{"stored", "invalid", "invalid", "invalid", "duplicate", "invalid"} {
		if got := outcomesOf(t, a)[i].Outcome; got != want {
			t.Errorf("item %d: %s, want %s", i, got, want)
		}
	}
	if strings.Contains(a.body, "Submission") || !strings.Contains(a.body, `"field":"id"`) {
		t.Errorf("the field is not named: %s", a.body)
	}
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d answers stored, want 1", n)
	}
}

// TestBadForm: what a person gets wrong is said at its place, with everything
// typed still there, and nothing is stored.
func TestBadForm(t *testing.T) {
	waits(t)
	e := start(t, options{})
	for _, c := range []struct {
		name     string
		change   func(url.Values)
		body     string
		typ      string
		desk     string
		status   int
		contains []string
	}{
		{name: "nothing ticked", change: func(v url.Values) { clear(v) }, status: 422, contains: []string{survey.Message(survey.CodeRequired, "vi")}},
		{name: "level out of range", change: func(v url.Values) { v.Set("a.c01", "9") }, status: 422, contains: []string{`id="a.c01-e"`, survey.Message(survey.CodeLevelRange, "vi"), `href="#a.c01"`}},
		{name: "comment too long", change: func(v url.Values) { v.Set("comment", strings.Repeat("ặ", 1001)) }, status: 422, contains: []string{`id="comment-e"`, strings.Repeat("ặ", 1001)}},
		{name: "broken UTF-8", change: func(v url.Values) { v.Set("comment", "a\xff\xfeb") }, status: 422, contains: []string{"a\uFFFDb"}},
		{name: "unknown option", change: func(v url.Values) { v.Set("p.gender", "cat") }, status: 422, contains: []string{survey.Message(survey.CodeOptionUnknown, "vi")}},
		{name: "forged id", change: func(v url.Values) { v.Set("id", "1") }, status: 422, contains: []string{survey.Message(survey.CodeIDInvalid, "vi")}},
		{name: "another round", change: func(v url.Values) { v.Set("round", "r-closed") }, status: 422},
		{name: "unknown desk", desk: "NOPE", status: 404, contains: []string{survey.Message(survey.CodeDeskUnknown, "vi"), `name="code"`}},
		{name: "wrong content type", typ: "multipart/form-data; boundary=x", status: 415},
		{name: "JSON", typ: typeJSON, body: "{}", status: 415},
		{name: "too large", body: "comment=" + strings.Repeat("a", smallBody), status: 413},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := formValues(e, testDesk)
			v.Set("comment", "giữ nguyên <b>điều này</b>")
			if c.change != nil {
				c.change(v)
			}
			body := c.body
			if body == "" {
				body = v.Encode()
			}
			if c.typ == "" {
				c.typ = typeForm
			}
			if c.desk == "" {
				c.desk = testDesk
			}
			a := e.do(call{method: "POST", path: "/s/" + c.desk, body: body, contentType: c.typ, header: map[string]string{"Accept": "text/html"}})
			if a.status != c.status {
				t.Fatalf("status %d, want %d: %.300s", a.status, c.status, a.body)
			}
			for _, want := range c.contains {
				if !strings.Contains(a.body, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			if c.status == 422 && c.change != nil && len(v) > 5 {
				if !strings.Contains(a.body, `name="a.c02" value="4" checked`) {
					t.Error("what was ticked is gone")
				}
			}
		})
	}
	if n := len(e.stored()); n != 0 {
		t.Errorf("%d answers were stored", n)
	}
}

// formValues opens the form of a desk and ticks level 4 everywhere.
func formValues(e *env, desk string) url.Values {
	e.t.Helper()
	page := e.do(call{path: "/s/" + desk}).body
	v := url.Values{}
	for _, name := range []string{"id", "stamp", "round", "instrument", "version"} {
		_, rest, ok := strings.Cut(page, fmt.Sprintf(`name="%s" value="`, name))
		if !ok {
			e.t.Fatalf("the form has no %s: %.300s", name, page)
		}
		v.Set(name, rest[:strings.IndexByte(rest, '"')])
	}
	in := e.store.View().Instruments[survey.InstrumentKey(seeds.Sipas2640, 1)]
	for _, item := range in.Items() {
		v.Set(itemPrefix+item.ID, "4")
	}
	return v
}
