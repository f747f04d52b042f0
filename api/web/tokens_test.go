package web

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sipas/api/store"
)

// tokensAt starts a service with a clock, and a token that may make tokens and give
// the right report.
func tokensAt(t *testing.T) (e *env, clock *testClock, maker string) {
	clock = &testClock{}
	e = start(t, options{config: func(c *Config) { c.Now = clock.now }})
	maker, err := e.store.CreateToken(t.Context(), "maker", []store.Right{store.RightReport, store.RightTokens}, clock.now())
	if err != nil {
		t.Fatal(err)
	}
	return e, clock, maker
}

// order asks for a token.
func (e *env) order(by string, order map[string]any) answer {
	e.t.Helper()
	body, err := json.Marshal(order)
	if err != nil {
		e.t.Fatal(err)
	}
	return e.do(call{method: http.MethodPost, path: "/api/v1/tokens?lang=en", contentType: typeJSON, body: string(body), token: by})
}

// issued reads an answer as a token.
func (a answer) issued(t *testing.T) IssuedToken {
	t.Helper()
	var out IssuedToken
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != http.StatusCreated || out.Token == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return out
}

// While it serves, tokens are made, listed and revoked through the service; the text is
// shown once and is in no list and no log.
func TestTokensWhileServing(t *testing.T) {
	waits(t)
	e, clock, maker := tokensAt(t)
	doc := document(t)
	body := `{"name":"UBND xã Bình Sơn","rights":["report","report"],"expires":"90d"}`
	c := call{method: http.MethodPost, path: "/api/v1/tokens", contentType: typeJSON, body: body, token: maker}
	made := e.do(c)
	checkAgainst(t, doc, c, made, false)
	token := made.issued(t)
	if want := clock.now().UTC().Truncate(time.Second).AddDate(0, 0, 90); token.Expires == nil || !token.Expires.Equal(want) || token.By != "maker" || !slices.Equal(token.Rights, []store.Right{store.RightReport}) {
		t.Errorf("made %s", made.body)
	}
	for path, status := range map[string]int{"/api/v1/rounds": http.StatusOK, "/api/v1/tokens": http.StatusForbidden, "/api/v1/responses": http.StatusForbidden} {
		if a := e.do(call{path: path, token: token.Token}); a.status != status {
			t.Errorf("%s with the new token: %d %s", path, a.status, a.body)
		}
	}
	if a := e.do(c); a.status != http.StatusConflict || a.errorOf(t).Code != codeTokenExists {
		t.Errorf("the same name again: %d %s", a.status, a.body)
	}
	list := call{path: "/api/v1/tokens", token: maker}
	listed := e.do(list)
	checkAgainst(t, doc, list, listed, false)
	if !strings.Contains(listed.body, "UBND xã Bình Sơn") || strings.Contains(listed.body, token.Token) || strings.Contains(listed.body, "hash") {
		t.Errorf("the list is %s", listed.body)
	}
	cookie := e.signedIn(token.Token)
	revoke := call{method: http.MethodPost, path: "/api/v1/tokens/revoke", contentType: typeJSON, body: `{"name":"UBND xã Bình Sơn"}`, token: maker}
	revoked := e.do(revoke)
	checkAgainst(t, doc, revoke, revoked, false)
	if revoked.status != http.StatusOK {
		t.Fatalf("%d %s", revoked.status, revoked.body)
	}
	for what, c := range map[string]call{"token": {path: "/api/v1/rounds", token: token.Token}, "session": {path: "/reports", cookie: cookie}} {
		if a := e.do(c); a.status != http.StatusUnauthorized {
			t.Errorf("%s after it was revoked: %d", what, a.status)
		}
	}
	if a := e.do(revoke); a.status != http.StatusNotFound {
		t.Errorf("revoked twice: %d %s", a.status, a.body)
	}
	// Revoking protects, so it needs no more than the right to revoke.
	revoke.body = `{"name":"holder of full"}`
	if a := e.do(revoke); a.status != http.StatusOK || e.do(call{path: "/api/v1/rounds", token: e.tokens[store.RightFull]}).status != http.StatusUnauthorized {
		t.Errorf("one with other rights: %d %s", a.status, a.body)
	}
	if log := e.log.String(); !strings.Contains(log, "a token was made") || !strings.Contains(log, "a token was revoked") || strings.Contains(log, "sipas_") {
		t.Errorf("the log says\n%s", log)
	}
}

// Nobody gives what he does not have, alone or among what he has, and whoever may not
// make tokens makes none.
func TestTokensOfOthersRights(t *testing.T) {
	waits(t)
	e, _, maker := tokensAt(t)
	for i, right := range store.Rights {
		for _, rights := range [][]store.Right{{right}, {store.RightReport, right}, {right, store.RightTokens}} {
			a := e.order(maker, map[string]any{"name": fmt.Sprintf("n%d %d", i, len(rights)), "rights": rights})
			allowed := right == store.RightReport || right == store.RightTokens
			if allowed {
				if a.status != http.StatusCreated && a.status != http.StatusConflict {
					t.Errorf("%v: %d %s", rights, a.status, a.body)
				}
				continue
			}
			if f := a.errorOf(t); a.status != http.StatusForbidden || f.Code != codeRightsExceeded || !strings.Contains(f.Detail, "It lacks: "+string(right)+".") {
				t.Errorf("%v: %d %s", rights, a.status, a.body)
			}
		}
		if right == store.RightTokens {
			continue
		}
		if a := e.order(e.tokens[right], map[string]any{"name": "own", "rights": []store.Right{right}}); a.status != http.StatusForbidden || a.errorOf(t).Code != codeRightMissing {
			t.Errorf("%s makes tokens: %d %s", right, a.status, a.body)
		}
	}
	for _, c := range []struct {
		field string
		order map[string]any
	}{
		{"name", map[string]any{"rights": []string{"report"}}},
		{"name", map[string]any{"name": "a\nb", "rights": []string{"report"}}},
		{"name", map[string]any{"name": "a\u202eb", "rights": []string{"report"}}},
		{"name", map[string]any{"name": " a", "rights": []string{"report"}}},
		{"name", map[string]any{"name": strings.Repeat("a", 101), "rights": []string{"report"}}},
		{"rights", map[string]any{"name": "a"}},
		{"rights", map[string]any{"name": "a", "rights": []string{"tablet"}}},
		{"rights", map[string]any{"name": "a", "rights": []string{""}}},
		{"rights", map[string]any{"name": "a", "rights": []string{"Report"}}},
		{"expires", map[string]any{"name": "a", "rights": []string{"report"}, "expires": "0d"}},
		{"expires", map[string]any{"name": "a", "rights": []string{"report"}, "expires": "-1d"}},
		{"expires", map[string]any{"name": "a", "rights": []string{"report"}, "expires": "366d"}},
		{"expires", map[string]any{"name": "a", "rights": []string{"report"}, "expires": "2020-01-01"}},
		{"expires", map[string]any{"name": "a", "rights": []string{"report"}, "expires": "never"}},
	} {
		a := e.order(maker, c.order)
		if f := a.errorOf(t); a.status != http.StatusUnprocessableEntity || len(f.Fields) != 1 || f.Fields[0].Field != c.field {
			t.Errorf("%v: %d %s", c.order, a.status, a.body)
		}
	}
	before := len(e.store.View().Tokens())
	for n := range store.MaxTokens - before {
		if _, err := e.store.CreateToken(t.Context(), fmt.Sprintf("many %d", n), []store.Right{store.RightReport}, testNow()); err != nil {
			t.Fatal(err)
		}
	}
	if a := e.order(maker, map[string]any{"name": "one more", "rights": []string{"report"}}); a.status != http.StatusUnprocessableEntity || !strings.Contains(a.body, `"tokens"`) {
		t.Errorf("%d tokens and one more: %d %s", store.MaxTokens, a.status, a.body)
	}
}

// A token is taken until the second it expires and not in it, everywhere: by the API,
// to sign in, in a session, in a link, and for a large body.
func TestExpiredToken(t *testing.T) {
	waits(t)
	e, clock, _ := tokensAt(t)
	rights := []store.Right{store.RightFull, store.RightImport, store.RightStaff}
	token, _, err := e.store.IssueToken(t.Context(), store.TokenOrder{Name: "short", Rights: rights, Expires: "1d"}, clock.now())
	if err != nil {
		t.Fatal(err)
	}
	clock.pass(20 * time.Hour)
	cookie := e.signedIn(token)
	link, err := url.Parse(e.server.SignInURL(token, "/reports", 12*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	uses := map[string]call{
		"api": {path: "/api/v1/rounds", token: token}, "optional": {method: http.MethodPost, path: "/api/v1/responses", contentType: typeJSON, body: "[]", token: token},
		"session": {path: "/reports", cookie: cookie}, "link": {path: link.RequestURI()},
		"sign in": {method: http.MethodPost, path: "/signin", contentType: typeForm, body: url.Values{"token": {token}}.Encode()},
	}
	expires := clock.now().Add(4 * time.Hour).Truncate(time.Second)
	clock.pass(expires.Add(-time.Nanosecond).Sub(clock.now()))
	for name, c := range uses {
		if a := e.do(c); a.status != http.StatusOK && a.status != http.StatusSeeOther {
			t.Errorf("%s a moment before: %d %s", name, a.status, a.body)
		}
	}
	clock.pass(time.Nanosecond)
	for name, c := range uses {
		if a := e.do(c); a.status != http.StatusUnauthorized {
			t.Errorf("%s at its end: %d", name, a.status)
		}
	}
	if status := e.announce(http.MethodPut, "/api/v1/documents", token, smallBody+1); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body at its end: %d", status)
	}
	if e.server.SignInURL(token, "/reports", time.Hour) != "" {
		t.Error("a link is made for it")
	}
}

// A token from before tokens expired goes on, and staff are told.
func TestTokenWithoutExpiry(t *testing.T) {
	waits(t)
	e := start(t, options{failing: true})
	warned := func() bool {
		a := e.do(call{path: "/readyz", token: e.tokens[store.RightStaff]})
		return strings.Contains(a.body, "tokens_without_expiry")
	}
	if warned() {
		t.Error("warned of nothing")
	}
	const text = "sipas_abcdefghijklmnopqrstuvwxyz234567"
	old := fmt.Sprintf(`{"name":"cũ","hash":"%x","rights":["full"],"created":"2024-01-01T00:00:00Z"}`, sha256.Sum256([]byte(text)))
	if _, err := e.engine.Put(t.Context(), "tokens", store.Document{ID: "cũ", Body: []byte(old)}); err != nil {
		t.Fatal(err)
	}
	if err := e.store.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !warned() {
		t.Error("staff are not told")
	}
	if a := e.do(call{path: "/api/v1/rounds", token: text}); a.status != http.StatusOK {
		t.Errorf("it is refused: %d", a.status)
	}
	if a := e.do(call{path: "/api/v1/tokens", token: e.tokens[store.RightTokens]}); !strings.Contains(a.body, `"created":"2024-01-01T00:00:00Z","expires":null,"expired":false`) {
		t.Errorf("%d %s", a.status, a.body)
	}
}
