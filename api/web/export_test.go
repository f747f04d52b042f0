package web

import (
	"encoding/csv"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"sipas/api/store"
)

// exportedRows is the body of a restore: rows of an export, the last one altered.
func exportedRows(t *testing.T, e *env, round string, n int) string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(e.do(call{path: "/api/v1/rounds/" + round + "/responses.csv", token: e.tokens[store.RightExport]}).body)).ReadAll()
	if err != nil || len(rows) <= n {
		t.Fatal(len(rows), err)
	}
	rows[n][4] += "x"
	raw, err := json.Marshal(RestoredRows{Round: round, Columns: rows[0], Rows: rows[1 : n+1]})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestExportCSV: the rows of a round as a stream; one that breaks looks like one.
func TestExportCSV(t *testing.T) {
	waits(t)
	e := start(t, options{failing: true})
	e.fill(3)
	path, token := "/api/v1/rounds/"+testRound+"/responses.csv", e.tokens[store.RightExport]
	a := e.do(call{path: path, token: token})
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "text/csv; charset=utf-8" || a.header.Get("Cache-Control") != "no-store" || strings.Count(a.body, "\n") < 4 {
		t.Errorf("%d %v %.300s", a.status, a.header, a.body)
	}
	if head := e.do(call{method: http.MethodHead, path: path, token: token}); head.status != http.StatusOK || head.body != "" {
		t.Errorf("HEAD: %d %q", head.status, head.body)
	}
	if a := e.do(call{path: "/api/v1/rounds/none/responses.csv", token: token}); a.status != http.StatusNotFound {
		t.Errorf("no such round: %d", a.status)
	}
	var answer struct {
		Outcomes []restoredRow `json:"outcomes"`
	}
	again := e.do(call{method: http.MethodPost, path: "/api/v1/restore/responses?lang=en", contentType: typeJSON, body: exportedRows(t, e, testRound, 3), token: e.tokens[store.RightRestore]})
	if err := json.Unmarshal([]byte(again.body), &answer); err != nil || len(answer.Outcomes) != 3 || answer.Outcomes[0].Outcome != "duplicate" || answer.Outcomes[2].Outcome != "invalid" ||
		answer.Outcomes[2].Fields[0].Field != "proof" || answer.Outcomes[2].Fields[0].Code != "proof_wrong" {
		t.Errorf("restored again: %s", again.body)
	}
	for range exportsAtOnce {
		e.server.exports <- struct{}{}
	}
	if a := e.do(call{path: path, token: token}); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("one too many: %d", a.status)
	}
	for range exportsAtOnce {
		<-e.server.exports
	}
	e.engine.fail(store.ErrUnavailable)
	if a := e.do(call{path: path, token: token}); a.status != http.StatusServiceUnavailable || a.header.Get("Content-Type") == "text/csv; charset=utf-8" {
		t.Errorf("a store that is away: %d %v", a.status, a.header)
	}
	if n := len(e.server.exports); n != 0 {
		t.Errorf("%d exports are said to be under way", n)
	}
}
