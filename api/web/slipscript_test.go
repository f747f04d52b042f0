package web

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"sipas/survey"
)

// proxyLog is a proxy that logs whatever such a log may have: addresses, where the
// reader came from, cookies.
type proxyLog struct {
	*httptest.Server
	mu    sync.Mutex
	lines []string
}

func logged(e *env) *proxyLog {
	to, err := url.Parse(e.url)
	if err != nil {
		e.t.Fatal(err)
	}
	l, forward := &proxyLog{}, httputil.NewSingleHostReverseProxy(to)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		l.lines = append(l.lines, r.Method+" "+r.RequestURI)
		for name, values := range r.Header {
			l.lines = append(l.lines, name+": "+strings.Join(values, ", "))
		}
		l.mu.Unlock()
		forward.ServeHTTP(w, r)
	}))
	e.t.Cleanup(l.Close)
	return l
}

// has reports whether a code is anywhere in the log, with hyphens or without.
func (l *proxyLog) has(code string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := strings.ToUpper(strings.ReplaceAll(strings.Join(l.lines, "\n"), "-", ""))
	return strings.Contains(all, strings.ReplaceAll(code, "-", ""))
}

// openSlip opens an address of a slip and waits for the first step.
func (w *tab) openSlip(address string) {
	w.t.Helper()
	w.do(chromedp.Navigate("about:blank"))
	w.do(chromedp.Navigate(address))
	w.is(`!!document.querySelector("form.stepwise") && !document.getElementById("steps").hidden`)
}

// slipIs checks the code in the form, that no step asks for it, and that it is in no
// address.
func (w *tab) slipIs(code, search string) {
	w.t.Helper()
	if got := w.eval(`document.getElementById("answers").elements.slip.value + " " + document.getElementById("answers").elements.slip.type`); got != code+" hidden" {
		w.t.Errorf("the form has the code %q, want %q", got, code)
	}
	if at := w.eval("location.search + location.hash"); at != search {
		w.t.Errorf("the address bar has %q, want %q", at, search)
	}
}

// sendThree answers three questions without going through the steps, and sends.
func (w *tab) sendThree() {
	w.t.Helper()
	w.eval(`["c01", "c02", "c03"].forEach(function (item) { document.querySelector('input[name="a.' + item + '"][value="4"]').checked = true; });
		document.querySelector(".send button").click(); ""`)
}

// TestSlipInTheBrowser: the address on a slip fills its code in and is gone from the
// address bar; language, reload and draft keep it; no log of a proxy has it. A spent one
// is refused at the place where another can be typed. Printed links of the version before
// work.
func TestSlipInTheBrowser(t *testing.T) {
	waits(t)
	chromium(t)
	e := slipEnv(t, survey.DoorsSlip)
	slips := e.issue(testDesk, 5)
	l := logged(e)
	w := phone(t, e, l.URL)
	w.photograph("slip-none")
	form := l.URL + "/s/" + testDesk
	to := func(n int) string { return form + "?zarsrc=410&lang=vi#" + slips[n].Code }

	w.openSlip(to(0))
	w.slipIs(slips[0].Code, "?zarsrc=410&lang=vi")
	w.click(`a[hreflang="en"]`)
	w.is(`document.documentElement.lang === "en" && !!document.querySelector("form.stepwise")`)
	w.slipIs(slips[0].Code, "?lang=en")
	w.do(chromedp.Navigate(form + "?lang=vi"))
	w.is(`document.documentElement.lang === "vi" && !!document.querySelector("form.stepwise")`)
	w.slipIs(slips[0].Code, "?lang=vi")
	w.answerTwo() // as people do; the others below are quicker
	if l.has(slips[0].Code) {
		t.Error("the proxy's log has the code before the answer was sent")
	}
	w.click(".send button")
	w.thanked()
	if kept := w.eval(`String(sessionStorage.length) + location.hash + [].map.call(document.links, function (a) { return a.hash }).join("")`); kept != "0#main" {
		t.Errorf("the code stays: %s", kept)
	}

	// A spent one; another is typed, and goes along to the other language.
	w.openSlip(to(0))
	w.sendThree()
	w.is(`!!document.querySelector(".box.bad") && !document.getElementById("slip").closest("section").hidden`)
	if got := w.text("#slip-e"); got != survey.Message(survey.CodeSlipSpent, "vi") {
		t.Errorf("it says %q", got)
	}
	if kept := w.eval(`String(sessionStorage.length) + document.querySelector("a[hreflang]").hash`); kept != "0" {
		t.Errorf("the spent code goes along: %s", kept)
	}
	w.photograph("slip-spent")
	w.eval(`document.getElementById("slip").value = ""; ""`)
	w.do(chromedp.SendKeys(chromedp.CSS("#slip"), strings.ToLower(slips[1].Code)+"."))
	w.click(`a[hreflang="en"]`)
	w.is(`document.documentElement.lang === "en" && !!document.querySelector("form.stepwise")`)
	w.slipIs(slips[1].Code, "?lang=en")
	w.sendThree()
	w.thanked()

	// Another slip in the same tab, over a form that was begun with one.
	w.openSlip(to(2))
	w.do(chromedp.Evaluate[chromedp.Void](`location.hash = "slip=` + slips[3].Code + `."`))
	w.is(`!!document.querySelector("form.stepwise") && document.getElementById("answers").elements.slip.value === "` + slips[3].Code + `"`)
	w.slipIs(slips[3].Code, "?zarsrc=410&lang=vi")
	w.sendThree()
	w.thanked()
	for _, s := range slips {
		if l.has(s.Code) {
			t.Errorf("the proxy's log has %s", s.Code)
		}
	}

	// As the version before printed it.
	w.openSlip(form + "?zarsrc=410&slip=" + slips[2].Code + "&lang=vi")
	w.slipIs(strings.ReplaceAll(slips[2].Code, "-", ""), "?zarsrc=410&lang=vi")
	w.click(`a[hreflang="en"]`)
	w.is(`document.documentElement.lang === "en" && !!document.querySelector("form.stepwise")`)
	w.slipIs(strings.ReplaceAll(slips[2].Code, "-", ""), "?lang=en")
	w.click(`a[hreflang="vi"]`)
	w.is(`document.documentElement.lang === "vi" && !!document.querySelector("form.stepwise")`)
	w.sendThree()
	w.thanked()

	// A code that cannot be one is not hidden from whoever can put it right.
	w.openSlip(form + "?lang=vi#0000-0000-0000-0000-0001")
	w.is(`document.getElementById("slip").type !== "hidden" && document.getElementById("slip").value === "0000-0000-0000-0000-0001"`)
	if n := len(e.stored()); n != 4 {
		t.Errorf("%d answers are stored", n)
	}
	w.quiet()

	// Without script the code beside the picture is typed.
	own := *e
	own.t = t
	plain := browse(t, &own, noScript(), chromedp.EmulateViewport(390, 844))
	plain.do(chromedp.Navigate(to(4)))
	for _, item := range []string{"c01", "c02", "c03"} {
		plain.click(`input[name="a.` + item + `"][value="4"]`)
	}
	plain.do(chromedp.SendKeys(chromedp.CSS("#slip"), slips[4].Code))
	plain.submit(".send button")
	if _, err := survey.ReceiptHash(plain.text(".receipt output")); err != nil || l.has(slips[4].Code) {
		t.Errorf("without script: %v", err)
	}
}

// TestSlipOnASharedScreen: nothing of the code stays behind.
func TestSlipOnASharedScreen(t *testing.T) {
	waits(t)
	chromium(t)
	e := slipEnv(t, survey.DoorsSlip)
	code := e.issue(testDesk, 1)[0].Code
	w := phone(t, e, e.url)
	w.openSlip(e.url + "/s/" + testDesk + "?lang=vi&shared=1#" + code)
	w.click(`a[hreflang="en"]`)
	w.is(`document.documentElement.lang === "en" && !!document.querySelector("form.stepwise")`)
	w.slipIs(code, "?lang=en&shared=1")
	if kept := w.eval(`String(sessionStorage.length + localStorage.length)`); kept != "0" {
		t.Errorf("%s things stay", kept)
	}
	w.do(chromedp.Navigate(e.url + "/s/" + testDesk + "?lang=vi&shared=1"))
	w.is(`!!document.querySelector("form.stepwise") && document.getElementById("slip").value === ""`)
}

// TestSlipInAnOldBrowser: Chrome 69 fills the code in as well, and takes it out of the
// address.
func TestSlipInAnOldBrowser(t *testing.T) {
	oldChromium(t)
	e := slipEnv(t, survey.DoorsSlip)
	code := e.issue(testDesk, 1)[0].Code
	const driver = `(function () {
		var problems = [];
		window.onerror = function (message) { problems.push(message) };
		var form = document.getElementById("answers"), sent = false;
		setInterval(function () {
			if (!sent && form.className.indexOf("stepwise") === 0) {
				sent = true;
				problems.push(form.elements.slip.type, form.elements.slip.value, location.search + location.hash, document.querySelector("a[hreflang]").hash);
				["a.c01", "a.c02", "a.c03"].forEach(function (name) { document.querySelector('input[name="' + name + '"]').checked = true; });
				document.querySelector(".send button").click();
			}
			if (document.querySelector(".receipt output, .box.bad")) fetch("/driven", { method: "POST", body: problems.join(" ") + (document.querySelector(".box.bad") ? document.querySelector(".box.bad").textContent : "") });
		}, 30);
	})();`
	l := lineTo(e, func(l *line) { l.inject = driver })
	want := "hidden " + code + " ?lang=vi #" + code
	if told := oldBrowser(t, l, l.URL+"/s/"+testDesk+"?lang=vi#"+code); told != want {
		t.Errorf("it told %q, want %q", told, want)
	}
	if n := len(e.stored()); n != 1 {
		t.Errorf("%d answers are stored", n)
	}
}
