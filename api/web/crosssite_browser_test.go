package web

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// posts is a proxy in front of a service that notes what browsers say of each POST, and
// what it was answered.
type posts struct {
	*httptest.Server
	mu   sync.Mutex
	said []string
}

func watchPosts(e *env) *posts {
	to, err := url.Parse(e.url)
	if err != nil {
		e.t.Fatal(err)
	}
	p, forward := &posts{}, httputil.NewSingleHostReverseProxy(to)
	forward.ModifyResponse = func(r *http.Response) error {
		if h := r.Request.Header; r.Request.Method == http.MethodPost {
			p.mu.Lock()
			p.said = append(p.said, fmt.Sprintf("%d site %q origin %q", r.StatusCode, h.Get("Sec-Fetch-Site"), h.Get("Origin")))
			p.mu.Unlock()
		}
		return nil
	}
	p.Server = httptest.NewServer(forward)
	e.t.Cleanup(p.Close)
	return p
}

// take waits for one POST and returns what was noted.
func (p *posts) take(e *env) (said string) {
	e.t.Helper()
	e.wait(func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.said) > 0 {
			said, p.said = p.said[0], p.said[1:]
		}
		return said != ""
	})
	return said
}

// evil is a page of somebody else that sends a whole answer as soon as it is opened; with
// ?policy it tells nobody where it stands. /frame has the form in a frame, /ask asks by
// script.
func evil(e *env, to string) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if policy := r.URL.Query().Get("policy"); policy != "" {
			w.Header().Set("Referrer-Policy", policy)
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!DOCTYPE html><title>evil</title>")
		switch r.URL.Path {
		case "/frame":
			fmt.Fprintf(w, `<iframe src="%s/s/%s"></iframe>`, to, testDesk)
		case "/ask":
			fmt.Fprintf(w, `<script>var done = [];
				["text/plain", "application/json"].forEach(function (type) {
					fetch("%s/api/v1/responses", { method: "POST", headers: { "Content-Type": type }, body: %q, mode: type === "text/plain" ? "no-cors" : "cors" })
						.then(function () { done.push(type + " sent") }, function () { done.push(type + " refused") });
				});</script>`, to, submission(e.t, nil))
		default:
			fmt.Fprintf(w, `<form method="post" action="%s/s/%s?lang=vi">`, to, testDesk)
			for name, values := range formValues(e, testDesk) {
				fmt.Fprintf(w, `<input type="hidden" name="%s" value="%s">`, name, html.EscapeString(values[0]))
			}
			fmt.Fprint(w, `</form><script>document.forms[0].submit()</script>`)
		}
	}))
	e.t.Cleanup(s.Close)
	return s
}

// anotherSite is the same server under another name: 127.0.0.1 and localhost are
// different sites, two ports of one are different origins of the same site.
func anotherSite(address string) string {
	return strings.Replace(address, "127.0.0.1", "localhost", 1)
}

// TestCrossSiteInTheBrowser: pages of somebody else store nothing, however they hide; the
// own form is taken with script and without; no other site has it in a frame.
func TestCrossSiteInTheBrowser(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	p := watchPosts(e)
	other := evil(e, p.URL)
	w := phone(t, e, p.URL)
	for _, address := range []string{other.URL + "/", anotherSite(other.URL) + "/", anotherSite(other.URL) + "/?policy=no-referrer", anotherSite(other.URL) + "/?policy=unsafe-url", other.URL + "/?policy=no-referrer"} {
		w.do(chromedp.Navigate(address))
		said := p.take(e)
		t.Logf("%s: %s", strings.TrimPrefix(address, "http://"), said)
		w.is(`!!document.querySelector("main[data-sipas] a[href^='/s/` + testDesk + `']")`)
		if !strings.HasPrefix(said, "403 ") || len(e.stored()) != 0 {
			t.Errorf("%s: %s, %d answers are stored", address, said, len(e.stored()))
		}
	}
	// What it leads to is empty.
	w.click(`main a[href^="/s/` + testDesk + `"]`)
	w.is(`!!document.querySelector("form.stepwise") && !document.querySelector("input:checked") && document.getElementById("comment").value === "" && document.getElementById("draft").hidden`)

	w.do(chromedp.Navigate(anotherSite(other.URL) + "/ask"))
	w.is(`done.length === 2`)
	if done := w.eval(`done.sort().join()`); done != "application/json refused,text/plain sent" || len(e.stored()) != 0 {
		t.Errorf("%s, %d answers are stored", done, len(e.stored()))
	}
	t.Logf("by script: %s", p.take(e))
	w.do(chromedp.Navigate(anotherSite(other.URL) + "/frame"))
	w.is(`document.querySelector("iframe").contentDocument === null`)
	w.mu.Lock()
	if all := strings.Join(w.complaints, "\n"); !strings.Contains(all, "frame-ancestors") && !strings.Contains(all, "X-Frame-Options") {
		t.Errorf("the form is in a frame: %s", all)
	}
	w.complaints = nil
	w.mu.Unlock()

	// The own form, by script and as the browser sends it.
	w.do(chromedp.Navigate(p.URL + "/s/" + testDesk + "?lang=vi"))
	w.is(`!!document.querySelector("form.stepwise")`)
	w.sendThree()
	w.thanked()
	byScript := p.take(e)
	w.do(chromedp.Navigate(p.URL + "/s/" + testDesk + "?lang=vi"))
	w.is(`!!document.querySelector("form.stepwise")`)
	w.eval(`["c01", "c02", "c03"].forEach(function (item) { document.querySelector('input[name="a.' + item + '"]').checked = true }); document.getElementById("answers").submit(); ""`)
	w.thanked()
	byForm := p.take(e)
	t.Logf("own form, by script: %s; without: %s", byScript, byForm)
	if len(e.stored()) != 2 || !strings.HasPrefix(byScript, "200 ") || !strings.HasPrefix(byForm, "200 ") {
		t.Errorf("%d answers are stored", len(e.stored()))
	}
}

// TestFalseAlarm: where the service takes its own form for somebody else's, the phone
// keeps what was filled in.
func TestFalseAlarm(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	to, err := url.Parse(e.url)
	if err != nil {
		t.Fatal(err)
	}
	forward, wrong := httputil.NewSingleHostReverseProxy(to), true
	var mu sync.Mutex
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Header.Del("Sec-Fetch-Site"); wrong {
			r.Host = "10.0.0.1" // and the public URL is another
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	w := phone(t, e, proxy.URL)
	w.answerTwo()
	w.click("#extra summary")
	w.do(chromedp.SendKeys(chromedp.CSS("#comment"), "typed words"))
	w.click(".send button")
	w.is(`!!document.querySelector("main a[href^='/s/` + testDesk + `']")`)
	mu.Lock()
	wrong = false
	mu.Unlock()
	w.click(`main a[href^="/s/` + testDesk + `"]`)
	w.is(`!!document.querySelector("form.stepwise") && !document.getElementById("draft").hidden`)
	w.press("resume")
	w.is(`document.getElementById("comment").value === "typed words"`)
	w.eval(`document.querySelector(".send button").click(); ""`)
	w.thanked()
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d answers are stored", n)
	}
}

// TestCrossSiteInAnOldBrowser: the same in Chrome 69, which tells no more than an origin.
func TestCrossSiteInAnOldBrowser(t *testing.T) {
	oldChromium(t)
	e := start(t, options{})
	p := watchPosts(e)
	other := evil(e, p.URL)
	const native = `(function () {
		var form = document.getElementById("answers");
		["c01", "c02", "c03"].forEach(function (item) { document.querySelector('input[name="a.' + item + '"]').checked = true });
		HTMLFormElement.prototype.submit.call(form);
	})();`
	// The line puts the script into the own page; the pages of somebody else have theirs.
	own := lineTo(&env{t: t, url: p.URL}, func(l *line) { l.inject = native })
	for address, status := range map[string]string{
		other.URL + "/": "403 ", anotherSite(other.URL) + "/?policy=no-referrer": "403 ", anotherSite(other.URL) + "/?policy=unsafe-url": "403 ", own.URL + "/s/" + testDesk + "?lang=vi": "200 ",
	} {
		stop := runOld(t, address)
		said := p.take(e)
		stop()
		t.Logf("%s: %s", strings.TrimPrefix(address, "http://"), said)
		if !strings.HasPrefix(said, status) {
			t.Errorf("%s: %s, want %s", address, said, status)
		}
	}
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d answers are stored", n)
	}
}
