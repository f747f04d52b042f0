package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/survey"
)

// TestDocuments: staff documents come out and go in, checked as a whole.
func TestDocuments(t *testing.T) {
	e := start(t, options{})
	token := e.tokens[store.RightStaff]
	put := func(body string) answer {
		return e.do(call{method: "PUT", path: "/api/v1/documents", body: body, contentType: typeJSON, token: token})
	}
	all := e.do(call{path: "/api/v1/documents", token: token})
	var docs survey.Documents
	if err := json.Unmarshal([]byte(all.body), &docs); err != nil || len(docs.Desks) == 0 {
		t.Fatal(err, all.body)
	}
	if strings.Contains(all.body, "holder of") {
		t.Error("tokens are among the documents")
	}
	n := len(docs.Instruments) + len(docs.Fields) + len(docs.Units) + len(docs.Desks) + len(docs.Rounds) + len(docs.Populations) + 1 // the agency
	if a := put(all.body); a.body != fmt.Sprintf(`{"added":0,"changed":0,"unchanged":%d}`, n) {
		t.Errorf("%d %s", a.status, a.body)
	}
	desk := `{"desks":[{"id":"NEW","unit":"u1","name":{"vi":"Quầy mới","en":"New"}}]}`
	if a := put(desk); a.status != http.StatusOK || a.body != `{"added":1,"changed":0,"unchanged":0}` {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := e.do(call{path: "/s/NEW"}); a.status != http.StatusOK {
		t.Errorf("the new desk's form: %d", a.status)
	}
	published := docs
	published.Instruments[0].Factors[0].Items[0].Text["vi"] = "khác"
	changed, err := json.Marshal(survey.Documents{Instruments: published.Instruments[:1]})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		body   string
		status int
		code   survey.Code
		field  survey.Code
	}{
		"published":       {string(changed), 422, codeInvalid, survey.CodePublished},
		"dangling":        {`{"desks":[{"id":"BAD","unit":"nowhere","name":{"vi":"a","en":"b"}}]}`, 422, codeInvalid, survey.CodeReference},
		"misspelt":        {`{"desk":[]}`, 422, codeInvalid, survey.CodeInvalid},
		"malformed":       {`{"desks":`, 400, codeMalformedJSON, ""},
		"trailing":        {`{} {}`, 400, codeTrailing, ""},
		"empty":           {``, 400, codeEmptyBody, ""},
		"not UTF-8":       {"{\"\xff\":1}", 400, codeBodyUTF8, ""},
		"half a language": {`{"units":[{"id":"z","type":"xa","name":{"vi":"a"}}]}`, 422, codeInvalid, survey.CodeInvalid},
	} {
		a := put(c.body)
		f := a.errorOf(t)
		if a.status != c.status || f.Code != c.code || c.field != "" && (len(f.Fields) == 0 || f.Fields[0].Code != c.field) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	big := `{"units":[` + strings.Repeat(" ", smallBody) + `]}`
	if a := put(big); a.status != http.StatusOK {
		t.Errorf("a large body from staff: %d", a.status)
	}
	if status := e.announce("PUT", "/api/v1/documents", token, documentsBody+1); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body above the limit: %d", status)
	}
	if status := e.announce("PUT", "/api/v1/documents", "", smallBody+1); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body from nobody: %d", status)
	}
	for _, rt := range e.server.routes {
		if rt.method == "PUT" && rt.timeout != 2*time.Minute {
			t.Errorf("%s has %v", rt.path, rt.timeout)
		}
	}
}

// TestExport pages through everything in the order of ids, and nothing else is
// in it than was stored.
func TestExport(t *testing.T) {
	waits(t)
	e := start(t, options{})
	body := submission(t, func(m map[string]any) {
		m["comment"], m["profile"], m["helped"] = "Tốt", map[string]string{"gender": "male"}, "alone"
		m["answers"].(map[string]any)["c02"] = "na"
	})
	for _, b := range []string{body, submission(t, nil), submission(t, nil)} {
		if a := e.post(b, ""); a.status != http.StatusCreated {
			t.Fatal(a.body)
		}
	}
	token := e.tokens[store.RightExport]
	read := func(after string) (p ResponsePage) {
		a := e.do(call{path: "/api/v1/responses" + after, token: token})
		if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != http.StatusOK {
			t.Fatal(err, a.status, a.body)
		}
		return p
	}
	all := read("")
	if len(all.Responses) != 3 || all.Next != all.Responses[2].ID || all.Responses[0].ID >= all.Responses[1].ID {
		t.Fatalf("%+v", all)
	}
	rest := read("?after=" + all.Responses[1].ID)
	if len(rest.Responses) != 1 || rest.Responses[0].ID != all.Responses[2].ID {
		t.Errorf("%+v", rest)
	}
	if last := read("?after=" + all.Responses[2].ID); len(last.Responses) != 0 || last.Responses == nil || last.Next != "" {
		t.Errorf("%+v", last)
	}
	for _, r := range all.Responses {
		if !strings.Contains(body, r.ID) {
			continue
		}
		if r.Answers["c01"] != '4' || r.Answers["c02"] != survey.NotApplicable || r.Comment != "Tốt" || r.Profile["gender"] != "male" ||
			r.Helped != "alone" || r.Channel != survey.ChannelQR || r.Answered != "2026-11-24T03" || r.Unit != "u1" {
			t.Errorf("%+v", r)
		}
	}
}

// TestExportPages: more than a page leads to the next one, nothing twice.
func TestExportPages(t *testing.T) {
	waits(t)
	e := demonstration(t, store.PageSize+700)
	seen := map[string]bool{}
	next, pages := "", 0
	for {
		path := "/api/v1/responses"
		if next != "" {
			path += "?after=" + next
		}
		var p ResponsePage
		if err := json.Unmarshal([]byte(e.do(call{path: path, token: e.tokens[store.RightExport]}).body), &p); err != nil {
			t.Fatal(err)
		}
		for _, r := range p.Responses {
			seen[r.ID] = true
		}
		pages++
		if next = p.Next; next == "" {
			break
		}
	}
	if len(seen) != store.PageSize+700 || pages != 3 {
		t.Errorf("%d answers on %d pages", len(seen), pages)
	}
}

// TestExportShortPage: a page that withdrawals made short is not the end, nor is
// one that holds nothing of the round that was asked for.
func TestExportShortPage(t *testing.T) {
	waits(t)
	docs := testDocuments(t)
	second := docs.Rounds[0]
	second.ID, second.Units = "r-second", []string{"u4"}
	docs.Rounds = append(docs.Rounds, second)
	e := start(t, options{failing: true, docs: &docs})
	for i := range 7 {
		body := submission(t, func(m map[string]any) {
			if i%2 == 1 {
				m["round"], m["desk"] = second.ID, "X1"
			}
		})
		if a := e.post(body, ""); a.status != http.StatusCreated {
			t.Fatal(a.body)
		}
	}
	e.engine.page.Store(1)
	for round, want := range map[string]int{"": 7, testRound: 4, second.ID: 3, "r-closed": 0} {
		seen, next := map[string]bool{}, ""
		for {
			a := e.do(call{path: "/api/v1/responses?round=" + round + "&after=" + next, token: e.tokens[store.RightExport]})
			var p ResponsePage
			if err := json.Unmarshal([]byte(a.body), &p); err != nil || a.status != http.StatusOK {
				t.Fatal(err, a.status, a.body)
			}
			for _, r := range p.Responses {
				seen[r.ID] = true
				if round != "" && r.Round != round {
					t.Errorf("an answer of %s among those of %s", r.Round, round)
				}
			}
			if next = p.Next; next == "" {
				break
			}
		}
		if len(seen) != want {
			t.Errorf("round %q: %d answers, want %d", round, len(seen), want)
		}
	}
	if a := e.do(call{path: "/api/v1/responses?round=none", token: e.tokens[store.RightExport]}); a.status != http.StatusNotFound || a.errorOf(t).Code != survey.CodeRoundUnknown {
		t.Errorf("an unknown round: %d %s", a.status, a.body)
	}
}

// Two people read the documents and change them: the second is told.
func TestPutDocumentsIfMatch(t *testing.T) {
	waits(t)
	e := start(t, options{})
	token := e.tokens[store.RightStaff]
	etag := e.do(call{path: "/api/v1/documents", token: token}).header.Get("ETag")
	if etag == "" {
		t.Fatal("the documents have no ETag")
	}
	put := func(name string) answer {
		return e.do(call{method: "PUT", path: "/api/v1/documents", contentType: typeJSON, token: token, header: map[string]string{"If-Match": etag},
			body: `{"desks":[{"id":"NEW","unit":"u1","name":{"vi":"` + name + `","en":"New"}}]}`})
	}
	if a := put("một"); a.status != http.StatusOK {
		t.Errorf("the first writer: %d %s", a.status, a.body)
	}
	if a := put("hai"); a.status != http.StatusConflict || a.errorOf(t).Code != codeStale {
		t.Errorf("the second writer: %d %s", a.status, a.body)
	}
}
