package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"sipas/api/store"
)

// lent is an engine that another store closes.
type lent struct{ store.Engine }

func (lent) Close() error { return nil }

// TestSignOut: a session that was ended is refused by every server, also when
// its cookie was copied; the reader's other session goes on.
func TestSignOut(t *testing.T) {
	waits(t)
	e := start(t, options{failing: true})
	other := besides(t, e)
	ended, kept := e.signedIn(e.tokens[store.RightFull]), e.signedIn(e.tokens[store.RightFull])
	for _, cookie := range []string{ended, kept} {
		if a := e.do(call{path: "/reports", cookie: cookie}); a.status != http.StatusOK {
			t.Fatalf("signed in: status %d", a.status)
		}
		if got := other(cookie); got != http.StatusOK {
			t.Fatalf("signed in, at the other server: status %d", got)
		}
	}
	revision := e.store.View().Revision
	out := e.do(call{method: "POST", path: "/signout", cookie: ended})
	if out.status != http.StatusSeeOther || !strings.Contains(out.header.Get("Set-Cookie"), "__Host-sipas=;") {
		t.Errorf("signing out: %d %q", out.status, out.header.Get("Set-Cookie"))
	}
	if a := e.do(call{path: "/reports", cookie: ended}); a.status != http.StatusUnauthorized {
		t.Errorf("the copied cookie: status %d", a.status)
	}
	for deadline := time.Now().Add(2 * time.Second); other(ended) != http.StatusUnauthorized; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the other server still takes the cookie after two seconds")
		}
	}
	if a := e.do(call{path: "/reports", cookie: kept}); a.status != http.StatusOK {
		t.Errorf("the other session: status %d", a.status)
	}
	if got := other(kept); got != http.StatusOK {
		t.Errorf("the other session, at the other server: status %d", got)
	}
	if e.store.View().Revision != revision {
		t.Error("the documents count as changed")
	}
	// What is no session is forgotten without a trace, and twice is once.
	for what, cookie := range map[string]string{"twice": ended, "no cookie": "", "garbage": "__Host-sipas=x", "forged": ended[:len(ended)-2] + "AA"} {
		if a := e.do(call{method: "POST", path: "/signout", cookie: cookie}); a.status != http.StatusSeeOther {
			t.Errorf("%s: status %d", what, a.status)
		}
	}
	docs, _, err := e.engine.List(t.Context(), "signouts")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf(`{"until":%d}`, testNow().Add(sessionFor).Unix()); len(docs) != 1 || string(docs[0].Body) != want {
		t.Errorf("stored %v, want one %s", docs, want)
	}
}

// TestSignOutStoreAway: without the store the browser forgets the session, and the
// reader is told the rest.
func TestSignOutStoreAway(t *testing.T) {
	e := start(t, options{failing: true})
	cookie := e.signedIn(e.tokens[store.RightFull])
	e.engine.fail(store.ErrUnavailable)
	for lang, sentence := range map[string]string{"vi": "chưa kết thúc được phiên làm việc ở mọi nơi", "en": "your session could not be ended everywhere"} {
		a := e.do(call{method: "POST", path: "/signout?lang=" + lang, cookie: cookie})
		if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, sentence) {
			t.Errorf("%s: status %d %s", lang, a.status, a.body)
		}
		if !strings.Contains(a.header.Get("Set-Cookie"), "__Host-sipas=;") {
			t.Errorf("%s: the browser keeps the session: %q", lang, a.header.Get("Set-Cookie"))
		}
	}
	e.engine.fail(nil)
	if a := e.do(call{method: "POST", path: "/signout", cookie: cookie}); a.status != http.StatusSeeOther {
		t.Errorf("with the store back: status %d", a.status)
	}
}

// besides returns what a second server on the same engine answers to a reader of
// the reports.
func besides(t *testing.T, e *env) func(cookie string) int {
	t.Helper()
	var secret store.Secret
	copy(secret[:], "a root secret that tests may know")
	st, err := store.Open(context.Background(), lent{e.engine}, secret, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the second store: %v", err)
		}
	})
	server := New(Config{PublicURL: publicURL, Now: testNow}, st, &fakeReports{})
	return func(cookie string) int {
		req := httptest.NewRequest(http.MethodGet, "/reports", nil)
		req.Header.Set("Cookie", cookie)
		res, err := server.app.Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		return res.StatusCode
	}
}
