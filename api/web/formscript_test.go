package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	pagedomain "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sipas/survey"
)

// line is what lies between a phone and the service: it may refuse, swallow the
// answer on its way back, ask for a sign-in, or be slow.
type line struct {
	*httptest.Server
	mu    sync.Mutex
	moods []string // of the next posts, in order; after them all is well
	posts int
	// held keeps scripts back until it is closed, nil does not.
	held chan struct{}
	// inject is a script that stands in every page, for browsers that cannot be
	// driven; it tells driven how it went.
	inject string
	driven chan string
}

// lineTo makes a line to a service; set says how it is, before anybody uses it.
func lineTo(e *env, set func(*line)) *line {
	to, err := url.Parse(e.url)
	if err != nil {
		e.t.Fatal(err)
	}
	l := &line{driven: make(chan string, 1)}
	set(l)
	forward := httputil.NewSingleHostReverseProxy(to)
	forward.ModifyResponse = func(r *http.Response) error {
		if l.inject == "" || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") || r.Request.Method != http.MethodGet {
			return nil
		}
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		b = []byte(strings.Replace(string(b), "</body>", `<script src="/inject.js"></script></body>`, 1))
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(string(b))), int64(len(b))
		r.Header.Set("Content-Length", fmt.Sprint(len(b)))
		return nil
	}
	cut := func(w http.ResponseWriter) {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
	}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/inject.js" {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, l.inject)
			return
		}
		if r.URL.Path == "/driven" {
			b, _ := io.ReadAll(r.Body)
			l.driven <- string(b)
			return
		}
		if l.inject != "" {
			r.Header.Del("Accept-Encoding")
		}
		if strings.HasSuffix(r.URL.Path, ".js") && l.held != nil {
			select {
			case <-l.held:
			case <-r.Context().Done():
			}
		}
		mood := ""
		if r.Method == http.MethodPost {
			l.mu.Lock()
			l.posts++
			if len(l.moods) > 0 {
				mood, l.moods = l.moods[0], l.moods[1:]
			}
			l.mu.Unlock()
		}
		switch mood {
		case "refuse":
			cut(w)
		case "swallow":
			forward.ServeHTTP(httptest.NewRecorder(), r)
			cut(w)
		case "portal":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<!DOCTYPE html><title>Wi-Fi</title><main id=main><h1>Sign in to the hotel's Wi-Fi</h1></main>")
		case "busy":
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			forward.ServeHTTP(w, r)
		}
	}))
	e.t.Cleanup(l.Close)
	return l
}

func (l *line) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.posts
}

// is waits until a script expression is true.
func (w *tab) is(expression string) {
	w.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		yes, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](expression))
		if err == nil && yes {
			return
		}
		if time.Now().After(deadline) {
			body, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string]("document.querySelector('main').innerText"))
			w.t.Fatalf("waited for %s, error %v, on the page:\n%s", expression, err, body)
		}
	}
}

func (w *tab) eval(expression string) string {
	w.t.Helper()
	s, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		w.t.Fatalf("%s: %v", expression, err)
	}
	return s
}

func (w *tab) click(selector string) {
	w.t.Helper()
	w.do(chromedp.Click(chromedp.CSS(selector)))
}

// touch answers an item and waits until another question is shown.
func (w *tab) touch(item, value string) {
	w.t.Helper()
	w.shows(item)
	w.click(`input[name="a.` + item + `"][value="` + value + `"]`)
	w.is(`document.getElementById("a.` + item + `").hidden`)
}

// shows waits until an item is the one that is shown.
func (w *tab) shows(item string) {
	w.t.Helper()
	w.is(`!document.getElementById("a.` + item + `").hidden`)
}

func (w *tab) press(what string) {
	w.t.Helper()
	w.click(`:is(#steps, #aside, #draft, #sure, #state, #field, .foot):not([hidden]) [data-do="` + what + `"]:not([hidden])`)
}

// phone opens the form of the test's desk with script, past its first view.
func phone(t *testing.T, e *env, address string, settings ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	own := *e
	own.t = t
	w := browse(t, &own, append(settings, chromedp.EmulateViewport(390, 844))...)
	w.do(chromedp.Navigate(address + "/s/" + testDesk + "?lang=vi"))
	w.is(`!document.getElementById("steps").hidden`)
	return w
}

// thanked waits for the receipt.
func (w *tab) thanked() string {
	w.t.Helper()
	w.is(`!!document.querySelector(".receipt output")`)
	receipt := w.text(".receipt output")
	if _, err := survey.ReceiptHash(receipt); err != nil {
		w.t.Errorf("receipt %q: %v", receipt, err)
	}
	return receipt
}

// TestStepsForm: one question at a time, by touch; what is skipped is blank, what
// comes after stopping is broken off.
func TestStepsForm(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	w.photograph("steps-start")
	w.touch("c01", "5")
	w.shows("c02")
	if got := w.text("#where"); got != "2/22" {
		t.Errorf("it says %q", got)
	}
	w.photograph("steps-item")
	if w.eval(`String(document.getElementById("aside").hidden)`) != "true" {
		t.Error("one may stop before the first factor is over")
	}
	w.press("next") // skips
	w.touch("c03", "na")
	w.touch("c04", "4")
	w.shows("c05")
	w.do(chromedp.NavigateBack())
	w.shows("c04")
	w.press("back")
	w.shows("c03")
	w.press("next")
	w.touch("c04", "2")
	w.touch("c05", "4")
	w.touch("c06", "4")
	w.touch("c07", "3")
	w.touch("c08", "4")
	w.touch("c09", "4")
	w.shows("c10")
	w.photograph("steps-stop")
	w.press("stop") // sends
	w.thanked()
	w.photograph("steps-thanks")
	stored := e.stored()
	if len(stored) != 1 {
		t.Fatalf("%d answers are stored", len(stored))
	}
	if got, want := string(stored[0].Answers), "5-n244344"+strings.Repeat("x", 13); got != want {
		t.Errorf("stored %q, want %q", got, want)
	}
	if stored[0].Flags&(survey.FlagUnstamped|survey.FlagTrap) != 0 {
		t.Errorf("stored %+v", stored[0])
	}
	if left := w.eval("JSON.stringify(localStorage)"); left != "{}" {
		t.Errorf("left on the phone: %s", left)
	}
	w.quiet()
}

// TestStepsKeyboard: with the keyboard alone; arrows only move among the faces.
func TestStepsKeyboard(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	key := func(keys ...string) {
		t.Helper()
		for _, k := range keys {
			w.do(chromedp.KeyEvent(k))
		}
	}
	focus := func(want string) {
		t.Helper()
		w.is(`(document.activeElement.dataset.do || document.activeElement.name || document.activeElement.tagName) === "` + want + `"`)
	}
	w.do(chromedp.Focus(chromedp.CSS("[data-do=next]")))
	key(kb.Enter)
	w.shows("c02")
	focus("LEGEND")
	key(kb.Tab)
	focus("a.c02")
	key(" ", kb.ArrowRight, kb.ArrowRight, kb.ArrowRight)
	w.is(`document.querySelector('input[name="a.c02"]:checked').value === "4"`)
	// After a touch the next question would be there by now.
	if _, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](`new Promise(function (done) { setTimeout(function () { done(true) }, 600) })`, chromedp.EvalAwaitPromise)); err != nil {
		t.Fatal(err)
	}
	w.shows("c02")
	key(kb.Tab)
	focus("back")
	key(kb.Tab)
	focus("next")
	if ring := w.eval(`getComputedStyle(document.activeElement).outlineStyle`); ring != "solid" {
		t.Errorf("the focus is drawn as %q", ring)
	}
	key(kb.Enter)
	w.shows("c03")
	if got := w.eval(`document.querySelector('input[name="a.c02"]:checked').value`); got != "4" {
		t.Errorf("answered %q", got)
	}
}

// answerTwo goes to the end of the form with two answers.
func (w *tab) answerTwo() {
	w.t.Helper()
	w.touch("c01", "4")
	w.touch("c02", "5")
	w.skipOn()
}

// skipOn leaves out what is still asked.
func (w *tab) skipOn() {
	w.t.Helper()
	w.eval(`while (document.querySelector(".send").hidden) document.querySelector("[data-do=next]").click(); ""`)
}

// TestSendingThroughABadLine: an answer is sent until the service has surely taken
// it, also when it was taken before and nobody heard, and counts once.
func TestSendingThroughABadLine(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	l := lineTo(e, func(l *line) { l.moods = []string{"refuse", "swallow", "portal", "busy"} })
	w := phone(t, e, l.URL)
	w.answerTwo()
	w.click(".send button")
	w.is(`!document.querySelector("[data-state=waiting]").hidden`)
	w.photograph("steps-waiting")
	if w.eval(`String(Object.keys(localStorage).length)`) != "1" {
		t.Error("the phone keeps nothing while it waits")
	}
	for n := 2; n <= 4; n++ {
		w.is(`!document.querySelector("[data-state=waiting]").hidden`)
		w.press("retry")
		for deadline := time.Now().Add(20 * time.Second); l.count() < n && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		}
	}
	w.thanked() // it goes on by itself
	if n := len(e.stored()); n != 1 || l.count() != 5 {
		t.Errorf("%d answers are stored after %d posts", n, l.count())
	}
}

// TestDoubleTap: two taps on the button are one answer, with script and without.
func TestDoubleTap(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	w.answerTwo()
	w.eval(`var b = document.querySelector(".send button"); b.click(); b.click(); ""`)
	w.thanked()
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d answers are stored", n)
	}
}

// TestDraft: an unfinished form is offered again and nothing of it shown before;
// it goes when erased and after a day, and is its tab's own.
func TestDraft(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	address := e.url + "/s/" + testDesk + "?lang=vi"
	reopen := func() {
		t.Helper()
		w.do(chromedp.Navigate(address))
		w.is(`!document.getElementById("steps").hidden`)
	}
	offered := func() bool { return w.eval(`String(document.getElementById("draft").hidden)`) == "false" }
	checked := func() string {
		return w.eval(`[].map.call(document.querySelectorAll("input:checked"), function (e) { return e.name + e.value }).join()`)
	}
	if offered() {
		t.Error("a draft is offered to the first visitor")
	}
	w.touch("c01", "2")
	w.shows("c02")
	id := w.eval(`document.querySelector("[name=id]").value`)
	reopen()
	if !offered() || checked() != "" {
		t.Errorf("offered %v, filled in before anybody asked: %q", offered(), checked())
	}
	w.photograph("steps-draft")
	w.press("resume")
	w.shows("c02")
	if got := w.eval(`document.querySelector("[name=id]").value`); checked() != "a.c012" || got != id {
		t.Errorf("resumed with %q, id %s, want that of before %s", checked(), got, id)
	}
	// The language changes, and the answers stay.
	w.submit(".langs a")
	w.shows("c02")
	if checked() != "a.c012" || w.eval("document.documentElement.lang") != "en" {
		t.Errorf("after the language was changed: %q", checked())
	}
	w.press("erase")
	w.press("keep")
	w.shows("c02")
	w.press("erase")
	w.press("wipe")
	if checked() != "" || w.eval("JSON.stringify(localStorage)") != "{}" {
		t.Errorf("after erasing: %q, %s", checked(), w.eval("JSON.stringify(localStorage)"))
	}
	w.touch("c01", "3")
	w.eval(`for (var k in localStorage) if (k.indexOf("sipas") === 0) { var d = JSON.parse(localStorage[k]); d.at -= 24 * 3600 * 1000; localStorage[k] = JSON.stringify(d) } ""`)
	reopen()
	if offered() || w.eval("JSON.stringify(localStorage)") != "{}" {
		t.Error("a draft of yesterday is kept")
	}
	w.quiet()
}

// TestSharedScreen: nothing stays on a screen that others use next.
func TestSharedScreen(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	w.do(chromedp.Navigate(e.url + "/s/" + testDesk + "?lang=vi&shared=1"))
	w.is(`!document.getElementById("steps").hidden`)
	w.answerTwo()
	if left := w.eval("JSON.stringify(localStorage)"); left != "{}" {
		t.Errorf("a shared screen keeps %s", left)
	}
	w.eval(`window.setTimeout = (function (real) { return function (f, ms) { return real(f, ms === 30000 ? 1500 : ms) } })(window.setTimeout); ""`)
	w.click(".send button")
	w.thanked()
	w.is(`!!document.getElementById("answers")`) // and away it goes
	if w.eval("location.search") != "?lang=vi&shared=1" {
		t.Errorf("it went to %s", w.eval("location.href"))
	}
}

// TestSharedScreenLater: an answer that waited for the network is thanked for, but its code
// is not shown to who stands at the screen by then.
func TestSharedScreenLater(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	l := lineTo(e, func(l *line) { l.moods = []string{"swallow"} })
	w := phone(t, e, l.URL)
	w.do(chromedp.Navigate(l.URL + "/s/" + testDesk + "?lang=vi&shared=1"))
	w.is(`!document.getElementById("steps").hidden`)
	w.answerTwo()
	w.eval(`window.setTimeout = (function (real) { return function (f, ms) { return real(f, ms > 1000 && ms < 20000 ? 1e6 : ms) } })(window.setTimeout); ""`)
	w.click(".send button")
	w.is(`!document.querySelector("[data-do=retry]").hidden`)
	w.eval(`Date.now = (function (real) { return function () { return real() + 91000 } })(Date.now); ""`)
	w.press("retry")
	w.is(`!!document.querySelector("main .ok")`)
	if shown := w.text("main"); w.eval(`String(!!document.querySelector(".receipt"))`) != "false" || len(e.stored()) != 1 {
		t.Errorf("%d answers are stored; the screen shows\n%s", len(e.stored()), shown)
	}
}

// early runs a script before those of each page.
func early(source string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, pagedomain.AddScriptToEvaluateOnNewDocument, pagedomain.AddScriptToEvaluateOnNewDocumentParams{Source: source})
		return chromedp.Void{}, err
	}
}

// forbidden makes storage throw, as browsers do when cookies are blocked.
func forbidden() chromedp.Action[chromedp.Void] {
	source := `
		["localStorage", "sessionStorage", "indexedDB"].forEach(function (name) {
			Object.defineProperty(window, name, { get: function () { throw new DOMException("forbidden", "SecurityError") } });
		});
		Object.defineProperty(document, "cookie", { get: function () { throw new DOMException("forbidden", "SecurityError") } });`
	return early(source)
}

// TestFormWithoutStorage: cookies and storage forbidden.
func TestFormWithoutStorage(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url, forbidden())
	if w.eval(`(function () { try { return String(localStorage) } catch (e) { return e.name } })()`) != "SecurityError" {
		t.Fatal("the storage is there")
	}
	w.answerTwo()
	w.click(".send button")
	w.thanked()
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d answers are stored", n)
	}
	w.quiet()
}

// TestTwoTabs: two forms that are open at once are two visits, and neither takes the
// other's draft with it.
func TestTwoTabs(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	other, _ := chromedp.NewContext(w.ctx)
	second := &tab{env: w.env, ctx: other}
	second.do(chromedp.EmulateViewport(390, 844), chromedp.Navigate(e.url+"/s/"+testDesk+"?lang=vi"))
	second.is(`!document.getElementById("steps").hidden`)
	w.answerTwo()
	second.answerTwo()
	w.click(".send button")
	first := w.thanked()
	if n := second.eval(`String(Object.keys(localStorage).length)`); n != "1" {
		t.Errorf("the other tab's draft is gone: %s", n)
	}
	second.click(".send button")
	if second.thanked() == first {
		t.Error("both have the same receipt")
	}
	if n := len(e.stored()); n != 2 {
		t.Errorf("%d answers are stored", n)
	}
}

// TestAnotherVisit: what was sent before stays, and other answers can be sent as
// those of another visit, without typing them again.
func TestAnotherVisit(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	w.answerTwo()
	v := formValues(e, testDesk)
	v.Set("id", w.eval(`document.querySelector("[name=id]").value`))
	if r := e.postForm(v, ""); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	w.click("#extra summary")
	w.do(chromedp.SendKeys(chromedp.CSS("#comment"), "Lần hai"))
	w.click(".send button")
	w.is(`!!document.querySelector(".box.warn[role=alert]")`)
	w.photograph("steps-conflict")
	if w.eval(`document.querySelector("#comment").value`) != "Lần hai" || w.eval(`document.querySelector('input[name="a.c02"]:checked').value`) != "5" {
		t.Error("what was typed is gone")
	}
	if kept := w.eval(`Object.keys(localStorage).map(function (k) { return k.split(" ").pop() }).join()`); kept != w.eval(`document.querySelector("[name=id]").value`) {
		t.Errorf("the phone keeps drafts of %s", kept)
	}
	w.click(".send button")
	w.thanked()
	if n := len(e.stored()); n != 2 {
		t.Errorf("%d answers are stored", n)
	}
	w.quiet()
}

// TestRefusedForm: what the service refuses is shown at its question.
func TestRefusedForm(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	w.answerTwo()
	w.eval(`document.querySelector('input[name="a.c02"]:checked').value = "9"; ""`)
	w.click(".send button")
	w.is(`!!document.querySelector(".box.bad")`)
	w.shows("c02")
	w.photograph("steps-refused")
	w.touch("c02", "3")
	w.shows("c03")
	w.skipOn()
	w.click(".send button")
	w.thanked()
	if got := string(e.stored()[0].Answers); got != "43"+strings.Repeat("-", 20) {
		t.Errorf("stored %q", got)
	}
}

// TestLargeText: text of twice the size in a window of 320 pixels.
func TestLargeText(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	w.do(chromedp.EmulateViewport(320, 640))
	for _, path := range []string{"/s/" + testDesk, "/", "/s", "/r", "/s/ZZZZ", "/signin"} {
		w.do(chromedp.Navigate(e.url + path + "?lang=vi"))
		w.eval(`document.documentElement.style.fontSize = "200%"; ""`)
		w.noSideways(320)
		w.photograph("large-" + strings.Trim(strings.ReplaceAll(path, "/", "-"), "-"))
	}
	w.do(chromedp.Navigate(e.url + "/s/" + testDesk + "?lang=vi"))
	w.eval(`document.documentElement.style.fontSize = "200%"; ""`)
	w.shows("c01")
	w.noSideways(320)
	w.press("next")
	w.shows("c02")
	w.noSideways(320)
	w.photograph("large-item")
}

// oldChromium finds Chrome 69.
func oldChromium(t *testing.T) string {
	t.Helper()
	program := os.Getenv("SIPAS_TEST_OLD_CHROMIUM")
	if program == "" && os.Getenv("CI") == "true" {
		t.Fatal("no old browser: CI must set SIPAS_TEST_OLD_CHROMIUM")
	}
	if program == "" {
		t.Skip("no old browser: set SIPAS_TEST_OLD_CHROMIUM to a Chrome 69")
	}
	return program
}

// runOld opens an address with Chrome 69, until stop; stop returns what it printed.
func runOld(t *testing.T, address string) (stop func() string) {
	t.Helper()
	var output bytes.Buffer
	c := exec.CommandContext(t.Context(), oldChromium(t), "--headless", "--no-sandbox", "--disable-gpu", "--single-process", "--no-zygote", "--remote-debugging-port=0",
		"--user-data-dir="+t.TempDir(), address)
	c.Stdout, c.Stderr, c.WaitDelay = &output, &output, 5*time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceValue(func() string {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
		return output.String()
	})
	t.Cleanup(func() { stop() })
	return stop
}

// oldBrowser opens an address with Chrome 69 and returns what the script that the line
// puts into its pages tells.
func oldBrowser(t *testing.T, l *line, address string) string {
	t.Helper()
	stop := runOld(t, address)
	select {
	case told := <-l.driven:
		stop()
		return told
	case <-time.After(time.Minute):
		t.Fatalf("it did not come to an end:\n%s", stop())
	}
	return ""
}

// TestOldBrowser: Chrome 69, as old phones and their chat apps have. It is not
// driven from outside but by a script in the page.
func TestOldBrowser(t *testing.T) {
	oldChromium(t)
	e := start(t, options{})
	const driver = `(function () {
		var problems = [navigator.userAgent.replace(/.*Chrome.([0-9]+).*/, "Chrome $1")];
		window.onerror = function (message) { problems.push(message) };
		function button(name) { return document.querySelector("[data-do=" + name + "]") }
		function shown(id) { var e = document.getElementById(id); return e && !e.hidden && !document.getElementById("steps").hidden }
		function touch(item, value) { return function () {
			var input = document.querySelector('input[name="a.' + item + '"][value="' + value + '"]');
			input.checked = true;
			input.dispatchEvent(new Event("change", { bubbles: true }));
			input.dispatchEvent(new MouseEvent("click", { bubbles: true, detail: 1 }));
		} }
		var todo = [
			[function () { return shown("a.c01") }, touch("c01", 2)],
			[function () { return shown("a.c02") }, touch("c02", 5)],
			[function () { return shown("a.c03") }, function () { button("next").click() }],
			[function () { return shown("a.c04") }, function () { button("next").click() }],
			[function () { return shown("a.c05") }, function () {
				problems.push("kept " + Object.keys(localStorage).length);
				button("stop").click();
			}],
			[function () { return !document.querySelector("[data-state=waiting]").hidden }, function () { button("retry").click() }],
			[function () { return document.querySelector(".receipt output") }, function () {
				fetch("/driven", { method: "POST", body: problems.join("; ") + "; " + document.querySelector(".receipt output").textContent });
			}]
		];
		setInterval(function () { if (todo.length && todo[0][0]()) todo.shift()[1]() }, 30);
	})();`
	l := lineTo(e, func(l *line) { l.moods, l.inject = []string{"swallow"}, driver })
	if told := oldBrowser(t, l, l.URL+"/s/"+testDesk+"?lang=vi"); !strings.HasPrefix(told, "Chrome 69; kept 1; ") {
		t.Errorf("it told: %s", told)
	}
	stored := e.stored()
	if len(stored) != 1 || string(stored[0].Answers) != "25--"+strings.Repeat("x", 18) {
		t.Errorf("stored %v", stored)
	}
}

// TestSlowScript: the page is whole before its script comes, and what was answered by
// then stays.
func TestSlowScript(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	l := lineTo(e, func(l *line) { l.held = make(chan struct{}) })
	own := *e
	own.t = t
	w := browse(t, &own, chromedp.EmulateViewport(390, 844))
	arrived := make(chan error, 1)
	go func() { arrived <- chromedp.Do(w.ctx, chromedp.Navigate(l.URL+"/s/"+testDesk+"?lang=vi")) }()
	w.is(`location.pathname.indexOf("/s/") === 0 && !!document.querySelector('input[name="a.c22"]')`)
	if w.eval(`String(document.getElementById("steps").hidden)`) != "true" {
		t.Fatal("the script is there already")
	}
	w.eval(`document.querySelector('input[name="a.c01"][value="2"]').click(); ""`)
	close(l.held)
	w.is(`!document.getElementById("steps").hidden`)
	if err := <-arrived; err != nil {
		t.Fatal(err)
	}
	if got := w.eval(`document.querySelector('input[name="a.c01"]:checked').value`); got != "2" {
		t.Errorf("the answer is %q", got)
	}
}

// TestAccessibilityTree: what a screen reader is told of a question.
func TestAccessibilityTree(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	w.touch("c01", "4")
	w.shows("c02")
	var told []string
	w.do(call0(accessibility.Enable))
	w.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		tree, err := cdp.Call(ctx, t, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		for _, node := range tree.Nodes {
			if node.Ignored || node.Role == nil || node.Name == nil {
				continue
			}
			var role, name string
			if err := errors.Join(json.Unmarshal(node.Role.Value, &role), json.Unmarshal(node.Name.Value, &name)); err != nil {
				return chromedp.Void{}, err
			}
			switch role {
			case "group", "radio", "progressbar", "button", "heading", "main", "contentinfo", "banner", "navigation":
				told = append(told, role+": "+name)
			}
		}
		return chromedp.Void{}, err
	})
	for _, want := range []string{"heading: Ông/Bà hài lòng đến mức nào?", "progressbar: Tiến độ trả lời", "heading: Tiếp cận dịch vụ hành chính công",
		"group: 2. Trang thiết bị phục vụ người dân, tổ chức tại Cơ quan/Bộ phận Tiếp nhận và Trả kết quả đầy đủ", "radio: Rất không hài lòng", "radio: Không hài lòng", "radio: Bình thường",
		"radio: Hài lòng", "radio: Rất hài lòng", "radio: Không áp dụng với tôi", "button: Quay lại", "button: Bỏ qua", "button: Xóa câu trả lời khỏi máy này"} {
		if !slices.Contains(told, want) {
			t.Errorf("a screen reader is not told %q", want)
		}
	}
	radios := 0
	for _, one := range told {
		if strings.HasPrefix(one, "radio") {
			radios++
		}
		if strings.Contains(one, "Gửi phiếu") || strings.Contains(one, "Dừng ở đây") || strings.Contains(one, "Để trống ô này") {
			t.Errorf("a screen reader is told %q, which is not to be seen", one)
		}
	}
	if radios != 6 {
		t.Errorf("a screen reader is told of %d radio buttons in all that it is told: %q", radios, told)
	}
}

// TestListening: a recording plays where there is one, else a voice of the phone that
// sends nothing away; another question ends it, and without either there is no button.
func TestListening(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{}) // the first question has a recording in Vietnamese
	for _, c := range []struct{ voices, lang, first, second string }{
		{"", "vi", "played /sound/" + testSound, ""},
		{`{ lang: "vi-VN", localService: false, name: "far" }`, "vi", "played /sound/" + testSound, ""},
		{`{ lang: "vi-VN", localService: false, name: "far" }, { lang: "vi_VN", localService: true, name: "near" }`, "vi", "played /sound/" + testSound, "near said 2. Trang"},
		{`{ lang: "vi-VN", localService: true, name: "near" }`, "en", "", ""},
		{`{ lang: "en-US", localService: true, name: "near" }`, "en", "near said 1. The waiting", "near said 2. The office"},
	} {
		w := phone(t, e, e.url, early(`window.told = [];
			Object.defineProperty(window, "speechSynthesis", { value: {
				getVoices: function () { return [`+c.voices+`] }, addEventListener: function () {},
				speak: function (u) { told.push(u.voice.name + " said " + u.text) }, cancel: function () {} } });
			window.SpeechSynthesisUtterance = function (text) { this.text = text };
			window.Audio = function (address) { this.play = function () { told.push("played " + address) }; this.pause = function () { told.push("paused") } };`))
		w.do(chromedp.Navigate(e.url + "/s/" + testDesk + "?lang=" + c.lang))
		w.is(`!document.getElementById("steps").hidden`)
		for _, item := range []struct{ id, want string }{{"c01", c.first}, {"c02", c.second}} {
			w.shows(item.id)
			if offered := w.eval(`String(!document.querySelector("[data-do=say]").hidden)`); offered != fmt.Sprint(item.want != "") {
				t.Errorf("voices [%s] in %s, %s: offered %s", c.voices, c.lang, item.id, offered)
			}
			if item.want != "" {
				w.click("[data-do=say]")
				if got := w.eval(`told[told.length - 1]`); !strings.HasPrefix(got, item.want) {
					t.Errorf("voices [%s] in %s, %s: %s, want %s", c.voices, c.lang, item.id, got, item.want)
				}
			}
			w.press("next")
		}
		if strings.HasPrefix(c.first, "played") && w.eval(`String(told.indexOf("paused") > 0)`) != "true" {
			t.Error("the recording goes on at the next question")
		}
	}
}
