package web

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sipas/survey"
)

func stampOn(t testing.TB, body string) string {
	t.Helper()
	_, rest, ok := strings.Cut(body, `name="stamp" value="`)
	if !ok {
		return ""
	}
	stamp, _, _ := strings.Cut(rest, `"`)
	return stamp
}

// TestFormFlags: only a stamp of this very form says how fast it was filled in, one
// that is none marks the answer, and so does the field that people do not see.
// Nothing of it keeps an answer out.
func TestFormFlags(t *testing.T) {
	waits(t)
	var late atomic.Int64
	e := start(t, options{config: func(c *Config) { c.Now = func() time.Time { return testNow().Add(time.Duration(late.Load())) } }})
	foreign := formValues(e, testDesk)
	for name, c := range map[string]struct {
		took   time.Duration
		change func(url.Values)
		flags  survey.Flags
	}{
		"too fast":                  {took: 21 * time.Second, flags: survey.FlagSpeeding},
		"too fast and trapped":      {took: time.Second, flags: survey.FlagSpeeding | survey.FlagTrap, change: func(v url.Values) { v.Set("website", "http://x") }},
		"trapped":                   {took: time.Minute, flags: survey.FlagTrap, change: func(v url.Values) { v.Set("website", " ") }},
		"nearly a day":              {took: 24*time.Hour - time.Second},
		"fast enough to read":       {took: 22 * time.Second},
		"a day":                     {took: 24 * time.Hour},
		"over a day":                {took: 24*time.Hour + time.Millisecond, flags: survey.FlagUnstamped},
		"overnight":                 {took: 25 * time.Hour, flags: survey.FlagUnstamped},
		"before it was made":        {took: -time.Second},
		"by a clock an hour behind": {took: -time.Hour},
		"from the future":           {took: -time.Hour - time.Millisecond, flags: survey.FlagUnstamped},
		"no stamp":                  {took: time.Second, flags: survey.FlagUnstamped, change: func(v url.Values) { v.Del("stamp") }},
		"another form's":            {took: time.Second, flags: survey.FlagUnstamped, change: func(v url.Values) { v.Set("stamp", foreign.Get("stamp")) }},
		"made up":                   {took: time.Second, flags: survey.FlagUnstamped, change: func(v url.Values) { v.Set("stamp", strings.Repeat("A", len(v.Get("stamp")))) }},
		"no text of ours":           {took: time.Second, flags: survey.FlagUnstamped, change: func(v url.Values) { v.Set("stamp", "<b>") }},
		"tampered time": {took: time.Second, flags: survey.FlagUnstamped, change: func(v url.Values) {
			v.Set("stamp", v.Get("stamp")[:7]+"__"+v.Get("stamp")[9:])
		}},
	} {
		v := formValues(e, testDesk) // a level for each of the 22 items
		late.Store(int64(c.took))
		if c.change != nil {
			c.change(v)
		}
		a := e.postForm(v, "")
		if receiptOn(t, a); a.status != http.StatusOK {
			t.Errorf("%s: %d", name, a.status)
		}
		if got := flagsOf(t, e, v.Get("id")) &^ (survey.FlagStraightLine | survey.FlagOutsideHours); got != c.flags {
			t.Errorf("%s: flags %v, want %v", name, got.Names(), c.flags.Names())
		}
		late.Store(0)
	}
}

// TestFormSpeedingAgain: a form that is shown again keeps the time of the first,
// under another id too; and a resend is the same answer whatever it took.
func TestFormSpeedingAgain(t *testing.T) {
	waits(t)
	var late atomic.Int64
	e := start(t, options{config: func(c *Config) { c.Now = func() time.Time { return testNow().Add(time.Duration(late.Load())) } }})
	v := formValues(e, testDesk)
	stamp := v.Get("stamp")
	late.Store(int64(60 * time.Second))
	v.Set("a.c01", "9")
	refused := e.postForm(v, "")
	if refused.status != http.StatusUnprocessableEntity || stampOn(t, refused.body) != stamp || idOn(t, refused) != v.Get("id") {
		t.Fatalf("refused: %d, stamp %q", refused.status, stampOn(t, refused.body))
	}
	late.Add(int64(time.Second))
	v.Set("a.c01", "4")
	receiptOn(t, e.postForm(v, ""))
	if markedFast(t, e, v.Get("id")) {
		t.Error("a corrected form was marked: its time began with the correction")
	}
	v.Set("stamp", stamped(t, e, v.Get("id"), e.server.cfg.Now().Add(-time.Second)))
	if again := e.postForm(v, ""); again.status != http.StatusOK || strings.Contains(again.body, "<output>") || markedFast(t, e, v.Get("id")) {
		t.Error("a resend with another time is another answer")
	}
	// The same id with other answers: the page offers another id.
	v.Set("stamp", stamp)
	v.Set("a.c01", "5")
	conflict := e.postForm(v, "")
	if conflict.status != http.StatusConflict {
		t.Fatal(conflict.status)
	}
	v.Set("id", idOn(t, conflict))
	v.Set("stamp", stampOn(t, conflict.body))
	late.Add(int64(time.Second))
	receiptOn(t, e.postForm(v, ""))
	if made, ok := e.server.formMade(v.Get("id"), v.Get("stamp")); !ok || !made.Equal(testNow()) || markedFast(t, e, v.Get("id")) {
		t.Errorf("under a new id the form was made at %v, %v", made, ok)
	}
	// What never had a stamp does not get one.
	v.Set("stamp", "")
	v.Set("a.c01", "3")
	if again := e.postForm(v, ""); stampOn(t, again.body) != "" || again.status != http.StatusConflict {
		t.Errorf("without a stamp: %d, %q", again.status, stampOn(t, again.body))
	}
}

// TestSeconds: the API takes the time from whoever measured it, within bounds.
func TestSeconds(t *testing.T) {
	e := start(t, options{})
	for _, c := range []struct {
		seconds any
		status  int
		fast    bool
	}{{21.9, 201, true}, {22, 201, false}, {0, 201, false}, {nil, 201, false}, {-1, 422, false}, {86401, 422, false}, {"3", 422, false}} {
		var id string
		body := submission(t, func(m map[string]any) {
			id, m["seconds"] = m["id"].(string), c.seconds
		})
		a := e.post(body, "")
		if a.status != c.status {
			t.Errorf("%v s: %d %s", c.seconds, a.status, a.body)
		} else if a.status == 201 && markedFast(t, e, id) != c.fast {
			t.Errorf("%v s: not the mark it should have", c.seconds)
		}
	}
}

// markedFast reports whether a stored answer is marked as too fast.
func markedFast(t testing.TB, e *env, id string) bool {
	t.Helper()
	return flagsOf(t, e, id)&survey.FlagSpeeding != 0
}

// flagsOf are the flags of a stored answer.
func flagsOf(t testing.TB, e *env, id string) survey.Flags {
	t.Helper()
	for _, r := range e.stored() {
		if r.ID.String() == id {
			return r.Flags
		}
	}
	t.Fatalf("answer %s is not stored", id)
	return 0
}

// stamped is the stamp of a form with an id that was made at a time.
func stamped(t testing.TB, e *env, id string, made time.Time) string {
	t.Helper()
	stamp, err := e.server.stampForm(id, made)
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}
