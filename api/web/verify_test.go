package web

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/survey"
)

func TestVerifyRoute(t *testing.T) {
	waits(t)
	e := demonstration(t, 400)
	a := e.do(call{path: "/api/v1/verify", token: e.tokens[store.RightStaff]})
	if a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	var v analysis.Verification
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatal(err)
	}
	if v.Responses < 300 || v.Columns != v.Responses || v.Faults == nil || len(v.Faults) > 0 {
		t.Errorf("%s", a.body)
	}
}

// verifyReports is an analysis whose Verify does what a test needs.
type verifyReports struct {
	fakeReports
	verify func(ctx context.Context) (analysis.Verification, error)
}

func (f *verifyReports) Verify(ctx context.Context) (analysis.Verification, error) {
	return f.verify(ctx)
}

func TestVerifyErrors(t *testing.T) {
	waits(t)
	for name, test := range map[string]struct {
		err    error
		status int
		code   survey.Code
	}{
		"another is running": {analysis.ErrVerifying, http.StatusConflict, codeVerifying},
		"still loading":      {&analysis.LoadingError{Done: 1, Total: 2}, http.StatusServiceUnavailable, codeLoading},
		"store away":         {store.ErrUnavailable, http.StatusServiceUnavailable, codeUnavailable},
		"out of time":        {context.DeadlineExceeded, http.StatusServiceUnavailable, codeUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t, options{reports: &verifyReports{verify: func(context.Context) (analysis.Verification, error) {
				return analysis.Verification{}, test.err
			}}})
			a := e.do(call{path: "/api/v1/verify", token: e.tokens[store.RightStaff]})
			if a.status != test.status || a.errorOf(t).Code != test.code {
				t.Errorf("status %d, %s", a.status, a.body)
			}
		})
	}
}

// A disagreement is an answer like another, with status 200: the service did
// what it was asked.
func TestVerifyFaults(t *testing.T) {
	waits(t)
	doc := document(t)
	v := analysis.Verification{Verification: store.Verification{Faults: store.Faults{{Kind: analysis.FaultMissing, Count: 2, Examples: []string{"a", "b"}}}}}
	e := start(t, options{reports: &verifyReports{verify: func(context.Context) (analysis.Verification, error) { return v, nil }}})
	a := e.do(call{path: "/api/v1/verify", token: e.tokens[store.RightStaff]})
	var body map[string]any
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatal(err)
	}
	if err := doc.Paths.Find("/api/v1/verify").Get.Responses.Status(200).Value.Content.Get("application/json").Schema.Value.VisitJSON(body); err != nil {
		t.Errorf("%s: %v", a.body, err)
	}
	kinds := []string{store.FaultUnreadable, store.FaultDigest, store.FaultReceipt, store.FaultTwice, store.FaultExclusion, store.FaultDocuments,
		analysis.FaultMissing, analysis.FaultSurplus, analysis.FaultDiffers}
	if i := slices.IndexFunc(kinds, func(kind string) bool { return !bytes.Contains(openAPIFile, []byte(kind)) }); i >= 0 {
		t.Errorf("the document does not name %s", kinds[i])
	}
}
