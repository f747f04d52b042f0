package web

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/survey"
)

// TestFormReceipt: a form gives the same receipt however often and whenever it is sent,
// and through every page that gives it back; another one never gives it.
func TestFormReceipt(t *testing.T) {
	var late atomic.Int64
	e := start(t, options{failing: true, config: func(c *Config) { c.Now = func() time.Time { return testNow().Add(time.Duration(late.Load())) } }})
	v := formValues(e, testDesk)
	first := v.Get("stamp")
	// Pages that give the form back: too much from there, no store, something wrong.
	later := e.limited(v)
	e.engine.fail(store.ErrUnavailable)
	away := e.postForm(v, "")
	e.engine.fail(nil)
	v.Set("a.c01", "9")
	wrong := e.postForm(v, "")
	v.Set("a.c01", "4")
	for _, page := range []answer{later, away, wrong} {
		if stampOn(t, page.body) != first || idOn(t, page) != v.Get("id") {
			t.Errorf("a page of %d lost what the receipt is made of", page.status)
		}
	}
	receipt := receiptOn(t, e.postForm(v, ""))
	for _, after := range []time.Duration{0, 4 * time.Hour, 72 * time.Hour, -time.Hour} {
		late.Store(int64(after))
		if again := receiptOn(t, e.postForm(v, "?lang=en")); again != receipt {
			t.Errorf("after %v the receipt is %s, was %s", after, again, receipt)
		}
	}
	late.Store(0)
	// The page that a conflict gives back is another form.
	v.Set("a.c01", "1")
	conflict := e.postForm(v, "")
	if conflict.status != http.StatusConflict {
		t.Fatal(conflict.status)
	}
	other := url.Values{}
	for k := range v {
		other.Set(k, v.Get(k))
	}
	other.Set("id", idOn(t, conflict))
	other.Set("stamp", stampOn(t, conflict.body))
	if second := receiptOn(t, e.postForm(other, "")); second == receipt || second != receiptOn(t, e.postForm(other, "")) {
		t.Error("the form that a conflict gave back has no receipt of its own")
	}
	for _, code := range []string{receipt, receiptOn(t, e.postForm(other, ""))} {
		if err := e.store.Withdraw(context.Background(), code); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	v.Set("a.c01", "4")
	if gone := e.postForm(v, ""); gone.status != http.StatusGone || strings.Contains(gone.body, "<output>") {
		t.Errorf("withdrawn: %d %.300s", gone.status, gone.body)
	}
}

// limited posts a form from where too much came from.
func (e *env) limited(v url.Values) answer {
	e.t.Helper()
	from := netip.MustParseAddr("203.0.113.7")
	for e.server.limiters[answers].take(from, e.server.cfg.Now()) == allowed {
	}
	a := e.do(call{method: "POST", path: "/s/" + testDesk, body: v.Encode(), contentType: typeForm, header: map[string]string{"X-Forwarded-For": from.String()}})
	if a.status != http.StatusTooManyRequests {
		e.t.Fatal(a.status)
	}
	return a
}

// TestFormReceiptWithoutStamp: a form that lost its stamp, or has that of another, gets a
// receipt that is shown once: anybody could send the same again.
func TestFormReceiptWithoutStamp(t *testing.T) {
	waits(t)
	e := start(t, options{})
	for name, stamp := range map[string]string{"none": "", "none of ours": strings.Repeat("A", 75), "another form's": formValues(e, testDesk).Get("stamp")} {
		v := formValues(e, testDesk)
		v.Set("stamp", stamp)
		receipt := receiptOn(t, e.postForm(v, ""))
		again := e.postForm(v, "?lang=vi")
		if again.status != http.StatusOK || strings.Contains(again.body, "<output>") || !strings.Contains(again.body, e.server.texts.say("vi", "thanks.receipt_before")) {
			t.Errorf("%s, sent again: %d %.300s", name, again.status, again.body)
		}
		if err := e.store.Withdraw(context.Background(), receipt); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestFormTwiceAtOnce: two taps that race show the same receipt, and one answer is stored.
func TestFormTwiceAtOnce(t *testing.T) {
	waits(t)
	e := start(t, options{failing: true})
	v := formValues(e, testDesk)
	gate := make(chan struct{})
	e.engine.hold(gate)
	const taps = 4
	pages := make([]answer, taps)
	var posts sync.WaitGroup
	for i := range pages {
		posts.Go(func() { pages[i] = e.postForm(v, "") })
	}
	e.wait(func() bool { return e.engine.waiting.Load() == taps })
	close(gate)
	posts.Wait()
	for _, page := range pages {
		if receiptOn(t, page) != receiptOn(t, pages[0]) {
			t.Error("taps that raced show several receipts")
		}
	}
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d answers stored", n)
	}
}

// TestOwnReceipt: a program hands in the hash of its own code. The first that was stored
// with an answer stays, and none is told to anybody.
func TestOwnReceipt(t *testing.T) {
	waits(t)
	e := start(t, options{})
	code, hash := ownCode(t)
	theirs, other := ownCode(t)
	with := func(id, hash string) string {
		return submission(t, func(m map[string]any) {
			if m["id"] = id; hash != "" {
				m["receipt_sha256"] = hash
			}
		})
	}
	for name, c := range map[string]struct{ token, open, end string }{
		"without a token": {}, "submit": {token: e.tokens[store.RightSubmit]}, "import": {token: e.tokens[store.RightImport]},
		"an array": {token: e.tokens[store.RightImport], open: "[", end: "]"},
	} {
		id := newID(t)
		send := func(hash, want string) {
			t.Helper()
			if a := e.post(c.open+with(id, hash)+c.end, c.token); !strings.Contains(a.body, `"outcome":"`+want+`"`) || strings.Contains(a.body, "receipt") {
				t.Errorf("%s: want %s, got %d %s", name, want, a.status, a.body)
			}
		}
		send(strings.ToUpper(hash), "stored")
		for _, again := range []string{hash, other, ""} {
			send(again, "duplicate")
		}
		for _, none := range []string{theirs, e.store.Receipt(survey.ID{}, nil)} {
			if err := e.store.Withdraw(context.Background(), none); err == nil {
				t.Errorf("%s: a code that came later withdraws", name)
			}
		}
		if err := e.store.Withdraw(context.Background(), code); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, again := range []string{hash, other, ""} {
			send(again, "withdrawn")
		}
		// One that has no receipt gets none later.
		id = newID(t)
		send("", "stored")
		send(other, "duplicate")
		if err := e.store.Withdraw(context.Background(), theirs); err == nil {
			t.Errorf("%s: a code for an answer without one", name)
		}
	}
	for _, bad := range []string{"x", hash[:62], hash + "00", strings.Repeat("g", 64)} {
		a := e.post(with(newID(t), bad), "")
		if a.status != http.StatusUnprocessableEntity || a.errorOf(t).Fields[0].Field != "receipt_sha256" {
			t.Errorf("hash %q: %d %s", bad, a.status, a.body)
		}
	}
	// Twice in one array, with another hash.
	id := newID(t)
	a := e.post("["+with(id, hash)+","+with(id, other)+","+with(id, "")+"]", e.tokens[store.RightImport])
	for i, want := range []string{"stored", "duplicate", "duplicate"} {
		if o := outcomesOf(t, a)[i]; o.Outcome != want {
			t.Errorf("item %d: %s, want %s", i, o.Outcome, want)
		}
	}
	// Whoever read a hash cannot hide the answer behind another with the same one.
	for range 3 {
		if a := e.post(with(newID(t), hash), ""); a.status != http.StatusCreated {
			t.Fatal(a.status, a.body)
		}
	}
	if err := e.store.Withdraw(context.Background(), code); err != nil {
		t.Fatal(err)
	}
	if a := e.post(with(id, hash), ""); a.status != http.StatusGone {
		t.Errorf("the answer whose hash others took: %d %s", a.status, a.body)
	}
}
