package web

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/skip2/go-qrcode"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// slipEnv is a service whose open round has other doors.
func slipEnv(t *testing.T, doors string) *env {
	t.Helper()
	docs := testDocuments(t)
	docs.Rounds[0].Doors = doors
	// The store destroys the keys of rounds that are over, by the real clock.
	docs.Rounds[0].First, docs.Rounds[0].Last = "2026-11-01", "2028-11-01"
	return start(t, options{docs: &docs})
}

func (e *env) issue(desk string, n int) []IssuedSlip {
	e.t.Helper()
	body, err := json.Marshal(map[string]any{"desk": desk, "count": n})
	if err != nil {
		e.t.Fatal(err)
	}
	a := e.do(call{method: http.MethodPost, path: "/api/v1/rounds/" + testRound + "/slips", token: e.tokens[store.RightStaff], contentType: typeJSON, body: string(body)})
	var list SlipList
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != http.StatusCreated || len(list.Slips) != n {
		e.t.Fatalf("%d %s", a.status, a.body)
	}
	return list.Slips
}

// TestSlipForm: the address on a slip opens a form with its code, which lets one
// answer in; the answer has its door, and the code is in no log.
func TestSlipForm(t *testing.T) {
	waits(t)
	e := slipEnv(t, survey.DoorsSlip)
	slips := e.issue(testDesk, 3)
	if slips[0].Address != publicURL+"/s/"+testDesk+"#"+slips[0].Code {
		t.Fatalf("the address is %s", slips[0].Address)
	}
	canonical := strings.ReplaceAll(slips[0].Code, "-", "")
	// As slips of the version before have it printed.
	page := e.do(call{path: "/s/" + testDesk + "?slip=" + slips[0].Code})
	if !strings.Contains(page.body, `type="hidden" name="slip" value="`+canonical+`"`) || strings.Contains(page.body, `id="slip"`) {
		t.Error("the form has not the code of the slip")
	}
	if other := e.do(call{path: "/s/Q2?slip=" + slips[0].Code}); strings.Contains(other.body, canonical) || !strings.Contains(other.body, `id="slip"`) {
		t.Error("the form of another desk takes the code")
	}
	// Such a code may stand in the address of the page in another language, also when the
	// form came back; one that was typed may not.
	printed := e.postForm(url.Values{"id": {formValues(e, testDesk).Get("id")}, "round": {testRound}, "instrument": {seeds.Sipas2640}, "version": {"1"}, "slip": {canonical}, "linked": {"1"}}, "")
	typed := e.postForm(url.Values{"id": {formValues(e, testDesk).Get("id")}, "round": {testRound}, "instrument": {seeds.Sipas2640}, "version": {"1"}, "slip": {slips[0].Code}}, "")
	for name, c := range map[string]struct {
		page   answer
		status int
		linked bool
	}{"printed": {page, http.StatusOK, true}, "came back": {printed, http.StatusUnprocessableEntity, true}, "typed": {typed, http.StatusUnprocessableEntity, false}} {
		if c.page.status != c.status || strings.Contains(c.page.body, "lang=en&amp;slip="+canonical) != c.linked || strings.Contains(c.page.body, "slip="+slips[0].Code) {
			t.Errorf("%s: %d, %s", name, c.page.status, c.page.body)
		}
	}
	v := formValues(e, testDesk)
	without := e.postForm(v, "")
	if without.status != http.StatusUnprocessableEntity || !strings.Contains(without.body, survey.Message(survey.CodeSlipRequired, "vi")) {
		t.Errorf("an answer without a slip: %d", without.status)
	}
	v.Set("slip", "0000-0000-0000-0000-0000")
	if a := e.postForm(v, ""); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, survey.Message(survey.CodeSlipInvalid, "vi")) || !strings.Contains(a.body, `id="slip-e"`) {
		t.Errorf("a made-up slip: %d", a.status)
	}
	v.Set("slip", strings.ToLower(slips[0].Code))
	receipt := receiptOn(t, e.postForm(v, ""))
	if again := receiptOn(t, e.postForm(v, "")); again != receipt {
		t.Error("the same form again has another receipt")
	}
	second := formValues(e, testDesk)
	second.Set("slip", slips[0].Code)
	if a := e.postForm(second, ""); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, survey.Message(survey.CodeSlipSpent, "vi")) {
		t.Errorf("a spent slip: %d", a.status)
	}
	second.Set("slip", slips[1].Code)
	receiptOn(t, e.postForm(second, ""))
	for _, r := range e.stored() {
		if r.Door != survey.DoorSlip {
			t.Errorf("stored by door %q", r.Door)
		}
	}
	// A program hands in by the same door, and cannot name another one.
	a := e.post(submission(t, func(m map[string]any) { m["slip"], m["door"] = slips[2].Code, "staff" }), "")
	if a.status != http.StatusCreated || len(e.stored()) != 3 {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, s := range slips {
		for _, form := range []string{s.Code, strings.ReplaceAll(s.Code, "-", "")} {
			if strings.Contains(strings.ToUpper(e.log.String()), form) {
				t.Errorf("the log has %s", form)
			}
		}
	}
}

// TestSlipsBesideTheOpenDoor: with both doors, answers are marked with theirs; what
// was issued and came back is counted; an open round takes no notice of codes.
func TestSlipsBesideTheOpenDoor(t *testing.T) {
	waits(t)
	e := slipEnv(t, survey.DoorsBoth)
	slips := e.issue(testDesk, 4)
	e.issue("Q2", 3)
	open, withSlip := formValues(e, testDesk), formValues(e, testDesk)
	withSlip.Set("slip", slips[0].Code)
	receiptOn(t, e.postForm(open, ""))
	receiptOn(t, e.postForm(withSlip, ""))
	doors := map[survey.Door]int{}
	for _, r := range e.stored() {
		doors[r.Door]++
	}
	if doors[survey.DoorOpen] != 1 || doors[survey.DoorSlip] != 1 {
		t.Errorf("stored by doors %v", doors)
	}
	for query, counted := range map[string]bool{"": true, "unit=u1": true, "door=slip": false} {
		var r stats.Report
		a := e.do(call{path: "/api/v1/rounds/" + testRound + "/report?" + query, token: e.tokens["full"]})
		if err := json.Unmarshal([]byte(a.body), &r); err != nil {
			t.Fatal(err)
		}
		if got := r.Counts.SlipsIssued != nil; got != counted || got && (*r.Counts.SlipsIssued != 7 || *r.Counts.SlipsReturned != 1) {
			t.Errorf("%q: %+v", query, r.Counts)
		}
	}
	page := e.do(call{path: "/reports/" + testRound + "?by=door&lang=vi", cookie: e.signedIn(e.tokens["full"])})
	for _, want := range []string{"<b>7</b>phiếu hẹn đã phát mã", "<b>1</b>trả lời kèm mã phiếu hẹn"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}

	plain := start(t, options{})
	v := formValues(plain, testDesk)
	v.Set("slip", "nonsense")
	receiptOn(t, plain.postForm(v, ""))
	if a := plain.do(call{method: http.MethodPost, path: "/api/v1/rounds/" + testRound + "/slips", token: plain.tokens[store.RightStaff], contentType: typeJSON, body: `{"desk":"Q1","count":2}`}); a.status != http.StatusUnprocessableEntity {
		t.Errorf("slips for an open round: %d %s", a.status, a.body)
	}
}

func TestIssueRefused(t *testing.T) {
	waits(t)
	e := slipEnv(t, survey.DoorsSlip)
	for body, want := range map[string]string{
		`{"desk":"Q1","count":0}`: "count", `{"desk":"Q1","count":1001}`: "count", `{"desk":"NO","count":1}`: "desk", `{"desk":"C1","count":1}`: "desk",
		`{"count":1}`: "desk", `[]`: "", `{"desk":1}`: "desk",
	} {
		a := e.do(call{method: http.MethodPost, path: "/api/v1/rounds/" + testRound + "/slips", token: e.tokens[store.RightStaff], contentType: typeJSON, body: body})
		if a.status < 400 || a.status >= 500 || !strings.Contains(a.body, `"`+want) {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if n := e.store.View().Populations[testRound+"/u1"].Slips; n != 0 {
		t.Errorf("%d slips are counted", n)
	}
}

// TestSlipSheet: every slip is on the sheet with its own code, drawn and written.
func TestSlipSheet(t *testing.T) {
	waits(t)
	e := slipEnv(t, survey.DoorsBoth)
	list := SlipList{Desk: testDesk, Slips: e.issue(testDesk, 5)}
	var b bytes.Buffer
	if err := WriteSlipSheet(&b, list); err != nil {
		t.Fatal(err)
	}
	drawn := map[string]bool{}
	for _, s := range list.Slips {
		code, err := qrcode.New(s.Address, qrcode.Medium)
		if err != nil {
			t.Fatal(err)
		}
		path := qrPath(code.Bitmap())
		if !strings.Contains(b.String(), s.Code) || !strings.Contains(b.String(), path) || drawn[path] {
			t.Errorf("%s is not on the sheet", s.Code)
		}
		drawn[path] = true
	}
}
