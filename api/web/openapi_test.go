package web

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// document loads openapi.yaml and checks it against the OpenAPI 3.1 rules.
func document(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openAPIFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestOpenAPIRoutes compares the route table with the document, both ways. Pages
// and static files are for people and not in it.
func TestOpenAPIRoutes(t *testing.T) {
	doc := document(t)
	s := &Server{}
	documented, served := []string{}, []string{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			documented = append(documented, method+" "+path)
			if operation.OperationID == "" || operation.Summary == "" {
				t.Errorf("%s %s has no operationId or summary", method, path)
			}
		}
	}
	for _, rt := range s.table() {
		if rt.page || rt.pattern == "/static/{file}" || rt.pattern == "/sound/{file}" || strings.HasPrefix(rt.pattern, "/kiosk/") {
			continue
		}
		served = append(served, rt.method+" "+rt.pattern)
		item := doc.Paths.Find(rt.pattern)
		if item == nil || item.GetOperation(rt.method) == nil {
			continue
		}
		o := item.GetOperation(rt.method)
		if secured := o.Security != nil; secured != (rt.access != public) {
			t.Errorf("%s %s: the document says secured %v", rt.method, rt.pattern, secured)
		}
		for _, right := range rt.rights {
			if !strings.Contains(o.Description, "`"+string(right)+"`") {
				t.Errorf("%s %s: the description does not name the right %s", rt.method, rt.pattern, right)
			}
		}
		if (o.RequestBody != nil) != (rt.body > 0) {
			t.Errorf("%s %s: body in the document %v, in the table %v", rt.method, rt.pattern, o.RequestBody != nil, rt.body > 0)
		}
	}
	slices.Sort(documented)
	slices.Sort(served)
	if !slices.Equal(documented, served) {
		t.Errorf("documented %q\nserved     %q", documented, served)
	}
}

// TestOpenAPIReport: the schemas of the report have the fields of the types that
// are written, neither more nor less, and leave its reasons open.
func TestOpenAPIReport(t *testing.T) {
	schemas := document(t).Components.Schemas
	for _, v := range []any{stats.Report{}, stats.RoundHeader{}, stats.MethodHeader{}, stats.Notice{}, stats.Counts{}, stats.Weighting{}, stats.CellFigures{},
		stats.CellMember{}, stats.Group{}, stats.RankRange{}, stats.Comparison{}, stats.Trend{}, stats.TrendFigure{}, stats.MethodKey{}, stats.TrendStretch{}, stats.TrendBreak{}, stats.Understanding{}, stats.Measure{}, stats.ScaleFigures{}, stats.FactorInsight{}, stats.ItemInsight{}, stats.DriverFigures{}, stats.DriverFigure{}, stats.Side{}, stats.Difference{}, stats.Decision{}, stats.Figure{}, stats.MethodFigures{}, stats.FactorFigures{}, stats.ItemFigures{}} {
		typ := reflect.TypeOf(v)
		schema := schemas[typ.Name()].Value
		var written, required []string
		for field := range typ.Fields() {
			name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
			written = append(written, name)
			if option == "" {
				required = append(required, name)
			}
		}
		slices.Sort(written)
		slices.Sort(required)
		if documented := slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(documented, written) {
			t.Errorf("%s: documented %q, written %q", typ.Name(), documented, written)
		}
		if documented := slices.Sorted(slices.Values(schema.Required)); !slices.Equal(documented, required) {
			t.Errorf("%s: documented as always there %q, written %q", typ.Name(), documented, required)
		}
		if reason := schema.Properties["reason"]; reason != nil && reason.Value.Enum != nil {
			t.Errorf("%s: no reason may be added", typ.Name())
		}
	}
}

// TestOpenAPICodes: every code of the table of statuses that the API can answer
// is in the document.
func TestOpenAPICodes(t *testing.T) {
	enum := document(t).Components.Schemas["ErrorCode"].Value.Enum
	pages := []survey.Code{codeTicketInvalid, codeSignInRequired, codeSignedOutHere, codeForeignForm, survey.CodeDeskClosed, survey.CodeRoundClosed, survey.CodeRoundNotOpen}
	for code := range statuses {
		if slices.Contains(enum, any(string(code))) == slices.Contains(pages, code) {
			t.Errorf("code %s: in the document %v", code, !slices.Contains(pages, code))
		}
	}
}

// TestOpenAPIResponses validates real requests and answers.
func TestOpenAPIResponses(t *testing.T) {
	waits(t)
	doc := document(t)
	e := demonstration(t, 400)
	full, imports, staff := e.tokens[store.RightFull], e.tokens[store.RightImport], e.tokens[store.RightStaff]
	for right, token := range e.tokens {
		if a := e.do(call{path: "/api/v1/rounds/demo/report", token: token}); right != store.RightFull && a.status != http.StatusForbidden {
			t.Fatal(right, a.status)
		}
	}
	desk := someDesk(e)
	one := func(edit func(map[string]any)) string {
		return submission(t, func(m map[string]any) {
			m["round"], m["desk"] = "demo", desk
			if edit != nil {
				edit(m)
			}
		})
	}
	first := one(nil)
	documents := e.do(call{path: "/api/v1/documents", token: staff}).body
	fake := &fakeReports{}
	loading := start(t, options{reports: loadingReports(fake)})
	broken := start(t, options{failing: true})
	broken.engine.fail(store.ErrUnavailable)
	const json = "application/json"
	for _, c := range []struct {
		name string
		env  *env
		call
		status int
		// wrong says that the request breaks the document on purpose.
		wrong bool
	}{
		{"stored", e, call{method: "POST", path: "/api/v1/responses", body: first, contentType: json}, 201, false},
		{"duplicate", e, call{method: "POST", path: "/api/v1/responses", body: first, contentType: json}, 200, false},
		{"conflict", e, call{method: "POST", path: "/api/v1/responses", body: strings.Replace(first, `"c01":4`, `"c01":1`, 1), contentType: json}, 409, false},
		{"invalid", e, call{method: "POST", path: "/api/v1/responses", body: one(func(m map[string]any) { m["desk"] = "NOPE" }), contentType: json}, 422, false},
		{"malformed", e, call{method: "POST", path: "/api/v1/responses", body: "{", contentType: json}, 400, true},
		{"content type", e, call{method: "POST", path: "/api/v1/responses", body: first, contentType: "text/plain"}, 415, true},
		{"wrong token", e, call{method: "POST", path: "/api/v1/responses", body: first, contentType: json, token: "no"}, 401, false},
		{"batch", e, call{method: "POST", path: "/api/v1/responses", body: "[" + first + "," + one(nil) + `,{"id":"x","answers":{"c01":9}}]`, contentType: json, token: imports}, 200, true},
		{"store away", broken, call{method: "POST", path: "/api/v1/responses", body: submission(t, nil), contentType: json}, 503, false},
		{"batch, store away", broken, call{method: "POST", path: "/api/v1/responses", body: "[" + submission(t, nil) + "]", contentType: json, token: broken.tokens[store.RightImport]}, 503, false},
		{"imported by itself", e, call{method: "POST", path: "/api/v1/responses", body: one(func(m map[string]any) {
			delete(m, "id")
			m["source"], m["row"], m["answered"], m["channel"] = "paper.csv", "7", "2026-11-10", "paper"
		}), contentType: json, token: imports}, 201, false},
		{"export", e, call{path: "/api/v1/responses", token: e.tokens[store.RightExport]}, 200, false},
		{"export of a round", e, call{path: "/api/v1/responses?round=demo", token: e.tokens[store.RightExport]}, 200, false},
		{"export of no round", e, call{path: "/api/v1/responses?round=none", token: e.tokens[store.RightExport]}, 404, false},
		{"export from a wrong id", e, call{path: "/api/v1/responses?after=x", token: e.tokens[store.RightExport]}, 422, true},
		{"export as CSV", e, call{path: "/api/v1/rounds/demo/responses.csv", token: e.tokens[store.RightExport]}, 200, false},
		{"export as CSV of no round", e, call{path: "/api/v1/rounds/none/responses.csv", token: e.tokens[store.RightExport]}, 404, false},
		{"rows without proof", e, call{method: "POST", path: "/api/v1/restore/responses", body: `{"round":"demo","columns":["id"],"rows":[["x"]]}`, contentType: json, token: e.tokens[store.RightRestore]}, 422, false},
		{"rows restored", e, call{method: "POST", path: "/api/v1/restore/responses", body: exportedRows(t, e, "demo", 3), contentType: json, token: e.tokens[store.RightRestore]}, 200, false},
		{"imported by a channel of people", e, call{method: "POST", path: "/api/v1/responses", body: one(func(m map[string]any) { m["channel"] = "kiosk" }), contentType: json, token: imports}, 422, false},
		{"rounds", e, call{path: "/api/v1/rounds", token: full}, 200, false},
		{"report", e, call{path: "/api/v1/rounds/demo/report", token: full}, 200, false},
		{"report by unit", e, call{path: "/api/v1/rounds/demo/report?by=unit&flagged=without&from=2026-10-01", token: full}, 200, false},
		{"report by channel", e, call{path: "/api/v1/rounds/demo/report?by=channel&channel=all", token: full}, 200, false},
		{"report of nothing", e, call{path: "/api/v1/rounds/demo/report?by=field&from=2026-12-20", token: full}, 200, false},
		{"comparison", e, call{path: "/api/v1/rounds/demo/compare?by=field&a=dat-dai&b=ho-tich", token: full}, 200, false},
		{"comparison of channels", e, call{path: "/api/v1/rounds/demo/compare?by=channel&a=qr&b=paper&lang=en", token: full}, 200, false},
		{"comparison with nobody", e, call{path: "/api/v1/rounds/demo/compare?by=period&a=2020-01-01..2020-02-01&b=2021-01-01..2021-02-01", token: full}, 200, false},
		{"comparison of nothing", e, call{path: "/api/v1/rounds/demo/compare", token: full}, 422, true},
		{"comparison with itself", e, call{path: "/api/v1/rounds/demo/compare?by=unit&a=51-21040&b=51-21040", token: full}, 422, false},
		{"comparison while loading", loading, call{path: "/api/v1/rounds/" + testRound + "/compare?by=door&a=open&b=slip", token: loading.tokens[store.RightFull]}, 503, false},
		{"items", e, call{path: "/api/v1/rounds/demo/items", token: full}, 200, false},
		{"items of a field", e, call{path: "/api/v1/rounds/demo/items?field=dat-dai&outcome=c22", token: full}, 200, false},
		{"items of nobody", e, call{path: "/api/v1/rounds/demo/items?from=2020-01-01&to=2020-01-02", token: full}, 200, false},
		{"items by unit", e, call{path: "/api/v1/rounds/demo/items?by=unit", token: full}, 422, false},
		{"picture", e, call{path: "/api/v1/rounds/demo/picture", token: e.tokens[store.RightReport]}, 200, false},
		{"picture of a unit", e, call{path: "/api/v1/rounds/demo/picture?unit=51-21040", token: full}, 200, false},
		{"picture of no unit", e, call{path: "/api/v1/rounds/demo/picture?unit=none", token: full}, 422, false},
		{"picture of a filter", e, call{path: "/api/v1/rounds/demo/picture?field=dat-dai", token: full}, 422, false},
		{"picture while loading", loading, call{path: "/api/v1/rounds/" + testRound + "/picture", token: loading.tokens[store.RightReport]}, 503, false},
		{"trend", e, call{path: "/api/v1/trend?field=dat-dai", token: full}, 200, false},
		{"trend of no round", e, call{path: "/api/v1/trend?rounds=none", token: full}, 422, false},
		{"trend while loading", loading, call{path: "/api/v1/trend?rounds=" + testRound, token: loading.tokens[store.RightFull]}, 503, false},
		{"unknown parameter", e, call{path: "/api/v1/rounds/demo/report?bye=unit", token: full}, 422, false},
		{"unknown round", e, call{path: "/api/v1/rounds/none/report", token: full}, 404, false},
		{"report while loading", loading, call{path: "/api/v1/rounds/" + testRound + "/report", token: loading.tokens[store.RightFull]}, 503, false},
		{"documents", e, call{path: "/api/v1/documents", token: staff}, 200, false},
		{"documents unchanged", e, call{method: "PUT", path: "/api/v1/documents", body: documents, contentType: json, token: staff}, 200, false},
		{"documents refused", e, call{method: "PUT", path: "/api/v1/documents", body: `{"desks":[{"id":"ZZ","unit":"nowhere","name":{"vi":"a","en":"b"}}]}`, contentType: json, token: staff}, 422, false},
		{"status", e, call{path: "/api/v1/status", token: staff}, 200, false},
		{"no token", e, call{path: "/api/v1/status"}, 401, true},
		{"live", e, call{path: "/livez"}, 200, false},
		{"ready", e, call{path: "/readyz"}, 200, false},
		{"unready", broken, call{path: "/readyz"}, 503, false},
		{"png", e, call{path: "/qr/" + desk + ".png?size=300"}, 200, false},
		{"svg", e, call{path: "/qr/" + desk + ".svg"}, 200, false},
		{"no such desk", e, call{path: "/qr/NOPE.png"}, 404, false},
		{"the document", e, call{path: "/openapi.yaml"}, 200, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.env.t = t
			a := c.env.do(c.call)
			if a.status != c.status {
				t.Fatalf("status %d, want %d: %s", a.status, c.status, a.body)
			}
			checkAgainst(t, doc, c.call, a, c.wrong)
		})
	}
}

// checkAgainst validates a request and its answer.
func checkAgainst(t *testing.T, doc *openapi3.T, c call, a answer, wrong bool) {
	t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	req, err := http.NewRequest(c.method, "http://localhost"+c.path, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	route, params := findRoute(t, doc, c.method, req.URL.Path)
	options := &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: func(_ context.Context, in *openapi3filter.AuthenticationInput) error {
		if in.RequestValidationInput.Request.Header.Get("Authorization") == "" {
			return io.EOF
		}
		return nil
	}}
	in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route, Options: options}
	err = openapi3filter.ValidateRequest(context.Background(), in)
	if (err != nil) != wrong {
		t.Errorf("the request: %v", err)
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: a.status, Header: a.header, Options: options}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		out.Body = io.NopCloser(bytes.NewReader([]byte(a.body)))
	} else {
		options.ExcludeResponseBody = true
	}
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		t.Errorf("the answer: %v", err)
	}
}

// findRoute matches a path with the document.
func findRoute(t *testing.T, doc *openapi3.T, method, path string) (*routers.Route, map[string]string) {
	t.Helper()
	for pattern, item := range doc.Paths.Map() {
		want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
		params, ok := map[string]string{}, len(want) == len(got)
		for i := 0; ok && i < len(want); i++ {
			open, closing := strings.Index(want[i], "{"), strings.Index(want[i], "}")
			if open < 0 {
				ok = want[i] == got[i]
				continue
			}
			suffix := want[i][closing+1:]
			ok = strings.HasSuffix(got[i], suffix)
			params[want[i][open+1:closing]] = strings.TrimSuffix(got[i], suffix)
		}
		if ok && item.GetOperation(method) != nil {
			return &routers.Route{Spec: doc, Path: pattern, PathItem: item, Method: method, Operation: item.GetOperation(method)}, params
		}
	}
	t.Fatalf("the document has no %s %s", method, path)
	return nil, nil
}
