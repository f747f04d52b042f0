package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/survey"
)

// outcome reads the answer to one submission.
func (a answer) outcome(t testing.TB) (o struct{ Outcome, ID string }) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &o); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return o
}

// TestOutcomes: stored, sent again, sent with other answers, withdrawn.
func TestOutcomes(t *testing.T) {
	e := start(t, options{})
	code, hash := ownCode(t)
	body := submission(t, func(m map[string]any) { m["comment"], m["receipt_sha256"] = "Tốt", hash })
	other := strings.Replace(body, `"c01":4`, `"c01":1`, 1)
	first := e.post(body, "")
	o := first.outcome(t)
	if first.status != http.StatusCreated || o.Outcome != "stored" || !strings.Contains(body, o.ID) {
		t.Fatalf("%d %+v", first.status, o)
	}
	again := e.post(body, "")
	if again.status != http.StatusOK || again.outcome(t).Outcome != "duplicate" || strings.Contains(first.body+again.body, "receipt") {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	conflict := e.post(other, "")
	if conflict.status != http.StatusConflict || conflict.outcome(t).Outcome != "conflict" || strings.Contains(conflict.body, "receipt") {
		t.Errorf("other content: %d %s", conflict.status, conflict.body)
	}
	if err := e.store.Withdraw(context.Background(), code); err != nil {
		t.Fatal(err)
	}
	for _, b := range []string{body, other} {
		gone := e.post(b, "")
		if gone.status != http.StatusGone || gone.outcome(t).Outcome != "withdrawn" || strings.Contains(gone.body, "receipt") {
			t.Errorf("withdrawn: %d %s", gone.status, gone.body)
		}
	}
	if n := len(e.stored()); n != 0 {
		t.Errorf("%d answers stored", n)
	}
}

// TestContentEncoding: a packed body is refused unread.
func TestContentEncoding(t *testing.T) {
	e := start(t, options{})
	for _, encoding := range []string{"gzip", "br", "identity"} {
		a := e.do(call{method: "POST", path: "/api/v1/responses", body: submission(t, nil), contentType: typeJSON, header: map[string]string{"Content-Encoding": encoding}})
		if a.status != http.StatusUnsupportedMediaType || a.errorOf(t).Code != codeContentType {
			t.Errorf("%s: %d %s", encoding, a.status, a.body)
		}
	}
	if n := len(e.stored()); n != 0 {
		t.Errorf("%d answers stored", n)
	}
}

// TestForgedFields: whatever a body says about its origin changes nothing.
func TestForgedFields(t *testing.T) {
	waits(t)
	e := start(t, options{})
	forged := func(m map[string]any) {
		m["channel"], m["door"], m["flags"], m["received"] = "kiosk", "slip", []string{"straight_line"}, "2020-01-01T00"
		m["answered"], m["unit"], m["draw"] = "2020-01-01", "u2", map[string]any{"stratum": "a", "psu": "b", "weight": 9}
		m["source"], m["row"], m["digest"], m["receipt"] = "a", "1", "x", "y"
		m["answers"].(map[string]any)["c01"] = 5 // not one level throughout, which is flagged
	}
	inCapitals := func(m map[string]any) {
		m["Channel"], m["DOOR"], m["FLAGS"], m["Received"], m["ANSWERED"], m["Unit"] = "paper", "staff", []string{"straight_line"}, "2020-01-01T00", "2020-01-01", "u2"
		m["answers"].(map[string]any)["c01"] = 5
	}
	for token, forged := range map[string]func(map[string]any){"": forged, e.tokens[store.RightSubmit]: inCapitals} {
		if a := e.post(submission(t, forged), token); a.status != http.StatusCreated {
			t.Fatal(a.status, a.body)
		}
	}
	v := formValues(e, testDesk)
	v.Set("a.c01", "5")
	for _, name := range []string{"channel", "door", "flags", "received", "answered", "unit", "draw", "desk"} {
		v.Set(name, "kiosk")
	}
	if a := e.do(call{method: "POST", path: "/s/" + testDesk, contentType: typeForm, body: v.Encode()}); a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	hour := testNow().Truncate(time.Hour)
	list := e.stored()
	if len(list) != 3 {
		t.Fatalf("%d answers stored", len(list))
	}
	unstamped := 0
	for _, r := range list {
		if r.Flags == survey.FlagUnstamped { // a program without a token
			r.Flags = 0
			unstamped++
		}
		if r.Channel != survey.ChannelQR || r.Door != survey.DoorOpen || r.Flags != 0 || r.Unit != "u1" || r.Draw != nil || r.Module != "" ||
			r.Desk != testDesk || !r.Answered.Equal(hour) || !r.Received.Equal(hour) {
			t.Errorf("%+v", r)
		}
	}
	if unstamped != 1 {
		t.Errorf("%d are unstamped, one was sent without form or token", unstamped)
	}
}

// TestImport: a token that may import says when and by which channel.
func TestImport(t *testing.T) {
	waits(t)
	e := start(t, options{})
	token := e.tokens[store.RightImport]
	item := func(answered, channel string) string {
		return submission(t, func(m map[string]any) {
			m["answered"], m["channel"], m["door"], m["flags"], m["received"] = answered, channel, "slip", []string{"outside_hours"}, "2020-01-01T00"
		})
	}
	items := []string{item("2026-11-10", ""), item("2026-11-11T03", "interviewer"), item("2026-11-12T10:30:00+07:00", "phone"), item("", "invite")}
	a := e.post("["+strings.Join(items, ",")+"]", token)
	if a.status != http.StatusOK {
		t.Fatal(a.status, a.body)
	}
	want := []struct {
		channel survey.Channel
		hour    string
	}{{"paper", "2026-11-09T17"}, {"interviewer", "2026-11-11T03"}, {"phone", "2026-11-12T03"}, {"invite", "2026-11-24T03"}}
	for i, o := range outcomesOf(t, a) {
		if o.Outcome != "stored" {
			t.Fatalf("%+v", o)
		}
		id, err := survey.ParseID(o.ID)
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.store.Response(context.Background(), id)
		if err != nil {
			t.Fatal(err)
		}
		if r.Channel != want[i].channel || r.Answered.Format(hourLayout) != want[i].hour || r.Door != survey.DoorStaff || !r.Received.Equal(testNow().Truncate(time.Hour)) {
			t.Errorf("item %d: %s %s %s %s", i, r.Channel, r.Answered, r.Door, r.Received)
		}
	}
	// A single object of an importer is an import too, with the statuses of one.
	if a := e.post(item("2026-11-10", "paper"), token); a.status != http.StatusCreated {
		t.Error(a.status, a.body)
	}
	if a := e.post("[]", token); a.status != http.StatusOK || a.body != `{"outcomes":[]}` {
		t.Error(a.status, a.body)
	}
	// A named row has the same id each time.
	row := submission(t, func(m map[string]any) {
		delete(m, "id")
		m["source"], m["row"], m["answered"] = "limesurvey", "17", "2026-11-10"
	})
	first, second := e.post(row, token), e.post(row, token)
	if first.status != http.StatusCreated || second.status != http.StatusOK || first.outcome(t).ID != second.outcome(t).ID {
		t.Error(first.body, second.body)
	}
}

// TestEachTheirOwn: 64 clients at once, through both doors. Every stored answer
// and comment is its sender's: nothing points into a buffer that Fiber used
// again.
func TestEachTheirOwn(t *testing.T) {
	waits(t)
	e := start(t, options{})
	const clients, each = 64, 6
	type sent struct{ comment, field, filing, answers string }
	var mu sync.Mutex
	want := map[string]sent{}
	blank := formValues(e, testDesk)
	in := e.store.View().Instruments[survey.InstrumentKey(blank.Get("instrument"), 1)]
	var wait sync.WaitGroup
	for client := range clients {
		wait.Go(func() {
			for n := range each {
				id := newID(t)
				fields, filings := []string{"land", "civil"}, survey.Filings
				s := sent{comment: fmt.Sprintf("ý kiến của %s, lần %d %s", id, n, strings.Repeat("ạ", client)), field: fields[client%2], filing: filings[(client+n)%3]}
				levels := map[string]any{}
				form := []string{"id=" + id, "round=" + testRound, "instrument=" + in.ID, "version=1", "field=" + s.field, "filing=" + s.filing}
				for i, item := range in.Items() {
					level := (client*7+n*3+i*i)%5 + 1
					levels[item.ID] = level
					form = append(form, fmt.Sprintf("a.%s=%d", item.ID, level))
					s.answers += fmt.Sprint(level)
				}
				mu.Lock()
				want[id] = s
				mu.Unlock()
				req, typ := "/api/v1/responses", typeJSON
				body, err := json.Marshal(map[string]any{"id": id, "round": testRound, "desk": testDesk, "instrument": in.ID, "version": 1,
					"answers": levels, "field": s.field, "filing": s.filing, "comment": s.comment, "language": "vi"})
				if err != nil {
					t.Error(err)
					return
				}
				if n%2 == 1 {
					req, typ = "/s/"+testDesk, typeForm
					body = []byte(strings.Join(form, "&") + "&comment=" + strings.ReplaceAll(s.comment, " ", "+"))
				}
				res, err := e.client.Post(e.url+req, typ, bytes.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if res.StatusCode >= 300 {
					t.Errorf("status %d", res.StatusCode)
				}
			}
		})
	}
	wait.Wait()
	list := e.stored()
	if len(list) != clients*each {
		t.Fatalf("%d answers stored, want %d", len(list), clients*each)
	}
	for _, r := range list {
		w := want[r.ID.String()]
		if r.Comment != survey.MaskComment(w.comment) || r.Field != w.field || r.Filing != w.filing || string(r.Answers) != w.answers || r.Desk != testDesk || r.Round != testRound {
			t.Errorf("%s: stored %q %s %s %s, sent %+v", r.ID, r.Comment, r.Field, r.Filing, r.Answers, w)
		}
	}
}

// TestStoreAway: a store that cannot take answers acknowledges none, says when
// to come back, and the service lives on.
func TestStoreAway(t *testing.T) {
	waits(t)
	e := start(t, options{failing: true})
	body, form := submission(t, nil), formValues(e, testDesk)
	form.Set("comment", "vẫn còn đây")
	e.engine.fail(fmt.Errorf("%w: disk full", store.ErrUnavailable))
	for name, c := range map[string]call{
		"answer":   {method: "POST", path: "/api/v1/responses", body: body, contentType: typeJSON},
		"form":     {method: "POST", path: "/s/" + testDesk, body: form.Encode(), contentType: typeForm},
		"withdraw": {method: "POST", path: "/r", body: "code=" + e.store.Receipt(survey.ID{1}, nil), contentType: typeForm},
		"ready":    {path: "/readyz"},
		"export":   {path: "/api/v1/responses", token: e.tokens[store.RightExport]},
		"status":   {path: "/api/v1/status", token: e.tokens[store.RightFull]},
	} {
		a := e.do(c)
		if a.status != http.StatusServiceUnavailable || name != "ready" && a.header.Get("Retry-After") == "" || strings.Contains(a.body, "disk full") {
			t.Errorf("%s: %d %q %.200s", name, a.status, a.header.Get("Retry-After"), a.body)
		}
		if name == "form" && (!strings.Contains(a.body, "vẫn còn đây") || !strings.Contains(a.body, form.Get("id"))) {
			t.Error("the form lost what was typed, or its id")
		}
		if name == "withdraw" && (!strings.Contains(a.body, "Chưa rõ phiếu đã rút được chưa") || !strings.Contains(a.body, `value="`+e.store.Receipt(survey.ID{1}, nil)+`"`)) {
			t.Errorf("a withdrawal that may have happened or not, and its code: %s", a.body)
		}
	}
	if !strings.Contains(e.log.String(), "disk full") {
		t.Error("the log does not say why")
	}
	// Of an array each item has its outcome; this engine takes every second one.
	items := []string{submission(t, nil), submission(t, nil), `{}`, submission(t, nil), submission(t, nil)}
	batch := "[" + strings.Join(items, ",") + "]"
	a := e.post(batch, e.tokens[store.RightImport])
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("array: %d %s", a.status, a.body)
	}
	for i, want := range []string{"failed", "stored", "invalid", "failed", "stored"} {
		if o := outcomesOf(t, a)[i]; o.Outcome != want {
			t.Errorf("item %d: %+v, want %s", i, o, want)
		}
	}
	e.engine.fail(nil)
	a = e.post(batch, e.tokens[store.RightImport])
	for i, want := range []string{"stored", "duplicate", "invalid", "stored", "duplicate"} {
		if o := outcomesOf(t, a)[i]; o.Outcome != want {
			t.Errorf("item %d sent again: %+v, want %s", i, o, want)
		}
	}
	if a := e.post(body, ""); a.status != http.StatusCreated {
		t.Errorf("afterwards: %d %s", a.status, a.body)
	}
	if a := e.do(call{method: "POST", path: "/s/" + testDesk, body: form.Encode(), contentType: typeForm}); a.status != http.StatusOK {
		t.Errorf("the form afterwards: %d", a.status)
	}
	if n := len(e.stored()); n != 6 {
		t.Errorf("%d answers stored, want 6", n)
	}
}

// TestUnknownError: what nobody foresaw is internal outside and whole in the log.
func TestUnknownError(t *testing.T) {
	waits(t)
	e := start(t, options{failing: true})
	e.engine.fail(fmt.Errorf("secret detail of the engine"))
	a := e.post(submission(t, nil), "")
	f := a.errorOf(t)
	if a.status != http.StatusInternalServerError || f.Code != codeInternal || strings.Contains(a.body, "secret") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if log := e.log.String(); !strings.Contains(log, "secret detail") || !strings.Contains(log, f.RequestID) {
		t.Errorf("the log lacks the cause or the request id: %s", log)
	}
}

// TestPanic: a handler that panics costs one request, not the service.
func TestPanic(t *testing.T) {
	waits(t)
	e := start(t, options{reports: panicking{}})
	a := e.do(call{path: "/api/v1/rounds/" + testRound + "/report", token: e.tokens[store.RightFull]})
	if a.status != http.StatusInternalServerError || a.errorOf(t).Code != codeInternal || strings.Contains(a.body, "boom") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if !strings.Contains(e.log.String(), "boom") {
		t.Error("the log does not say what happened")
	}
	if a := e.do(call{path: "/livez"}); a.status != http.StatusOK {
		t.Errorf("afterwards: %d", a.status)
	}
}

// TestShutdownWaits: a request that runs is answered before Shutdown returns.
func TestShutdownWaits(t *testing.T) {
	e := start(t, options{failing: true})
	gate := make(chan struct{})
	e.engine.hold(gate)
	answered := make(chan int, 1)
	go func() {
		res, err := e.client.Post(e.url+"/api/v1/responses", typeJSON, strings.NewReader(submission(t, nil)))
		if err != nil {
			answered <- 0
			return
		}
		res.Body.Close()
		answered <- res.StatusCode
	}()
	e.wait(func() bool { return e.engine.waiting.Load() == 1 })
	stopped := make(chan error, 1)
	go func() { stopped <- e.server.Shutdown(context.Background()) }()
	e.wait(func() bool {
		_, err := (&http.Client{}).Get(e.url + "/livez")
		return err != nil
	})
	select {
	case <-stopped:
		t.Fatal("Shutdown did not wait")
	default:
	}
	close(gate)
	if status := <-answered; status != http.StatusCreated {
		t.Errorf("the request was answered %d", status)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

// TestTimeout: a store that does not answer in time is a store that is away.
func TestTimeout(t *testing.T) {
	e := start(t, options{failing: true})
	gate := make(chan struct{})
	defer close(gate)
	e.engine.hold(gate)
	for i := range e.server.routes {
		if rt := &e.server.routes[i]; rt.path == "/api/v1/responses" && rt.method == http.MethodPost {
			rt.timeout = 20 * time.Millisecond
		}
	}
	a := e.post(submission(t, nil), "")
	if a.status != http.StatusServiceUnavailable || a.errorOf(t).Code != codeUnavailable {
		t.Errorf("%d %s", a.status, a.body)
	}
}
