package web

import (
	"image/png"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"sipas/api/store"
	"sipas/survey"
)

// openPortal is a hall below a path: a proxy passes on what lies there, with the path or
// without, and answers everything else itself, which the test must not ask for.
func openPortal(t *testing.T, h *hall, path string, strips bool) (office string) {
	t.Helper()
	h.stop()
	st := h.openStore()
	office, err := st.CreateToken(t.Context(), "office", []store.Right{store.RightFull, store.RightStaff}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	h.closeStore(st)
	h.path = path
	h.order.Public = h.url("")
	var mu sync.Mutex
	strays := map[string]bool{}
	h.set(func(w http.ResponseWriter, r *http.Request) bool {
		inner, ok := strings.CutPrefix(r.URL.Path, path)
		if !ok || inner != "" && inner[0] != '/' {
			mu.Lock()
			defer mu.Unlock()
			strays[r.Method+" "+r.URL.Path] = true
			http.Error(w, "the portal has no such page", http.StatusNotFound)
			return true
		}
		if strips {
			if r.URL.Path = inner; inner == "" {
				r.URL.Path = "/"
			}
		}
		return false
	})
	h.serve()
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		for stray := range strays {
			if stray != "GET /favicon.ico" { // by the browser itself
				t.Errorf("%s leads out of %s", stray, path)
			}
		}
	})
	return office
}

// TestPathBrowser does below a path what people do: they answer and withdraw, read reports,
// and a tablet is paired, works without network and takes up the next program.
func TestPathBrowser(t *testing.T) {
	waits(t)
	chromium(t)
	proxies := map[string]bool{"a proxy that strips the path": true, "a proxy that passes it on": false}
	if ciOr(t, 2, 1) == 1 {
		delete(proxies, "a proxy that passes it on")
	}
	for name, strips := range proxies {
		t.Run(name, func(t *testing.T) {
			docs := hallDocuments(t)
			h := openHall(t, docs)
			office := openPortal(t, h, "/so-noi-vu/khaosat", strips)
			w := h.newTablet(800, 1280)
			h.answerAsCitizen(t, w)
			h.readAsOffice(t, w, office)
			h.liveAsTablet(t, w)
			compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
		})
	}
}

// answerAsCitizen scans the code, answers with and without script, and withdraws.
func (h *hall) answerAsCitizen(t *testing.T, w *tabletTab) {
	t.Helper()
	res, err := h.client.Get(h.url("/qr/" + testDesk + ".png"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	img, err := png.Decode(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	scanned := readQR(t, img)
	if scanned != h.url("/s/"+testDesk) {
		t.Fatalf("the code leads to %s", scanned)
	}
	withdraw := func(receipt string) {
		t.Helper()
		if _, err := survey.ReceiptHash(receipt); err != nil {
			t.Fatalf("receipt %q: %v", receipt, err)
		}
		w.do(chromedp.Navigate("about:blank"))
		w.navigate("/r#" + receipt)
		w.until("the code of the receipt", `document.querySelector("#code").value`)
		w.submit(".entry button")
		if here := w.eval(`location.pathname + " " + document.querySelector("h1").textContent`); !strings.HasPrefix(here, h.path+"/r ") {
			t.Errorf("withdrawing ends at %s", here)
		}
	}
	w.do(chromedp.Navigate(scanned))
	w.until("the form's script", `document.querySelector("#answers.stepwise")`)
	w.eval(`String(document.querySelectorAll("#answers input[value='4']").forEach((e) => { e.checked = true; }), document.querySelector("#answers").requestSubmit())`)
	w.until("the receipt", `document.querySelector(".receipt output")`)
	withdraw(w.text(".receipt output"))
	w.do(noScript(), chromedp.Navigate(scanned+"?lang=en"))
	w.submit(".langs a") // back to Vietnamese
	w.do(chromedp.Click(chromedp.CSS(`input[name^="a."][value="5"]`)))
	w.submit(".send button")
	receipt := w.text(".receipt output")
	w.do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false}))
	withdraw(receipt)
	w.navigate("/s")
	w.do(chromedp.SendKeys(chromedp.CSS("#code"), "q1"))
	w.submit(".entry button")
	w.until("the form of a typed code", `location.pathname === `+"`"+h.path+"/s/"+testDesk+"`")
}

// readAsOffice signs in and follows the links of a person who reads reports and looks after
// tablets.
func (h *hall) readAsOffice(t *testing.T, w *tabletTab, token string) {
	t.Helper()
	at := func(path string) {
		t.Helper()
		w.until("the page "+path, `location.pathname === "`+h.path+path+`" && document.querySelector("main h1")`)
		if plainStyle := w.eval(`String(getComputedStyle(document.querySelector(".top")).backgroundColor === "rgba(0, 0, 0, 0)")`); plainStyle == "true" {
			t.Errorf("%s has no style", path)
		}
	}
	follow := func(selector, path string) {
		t.Helper()
		w.submit(selector)
		at(path)
	}
	w.navigate("/reports")
	w.do(chromedp.SendKeys(chromedp.CSS("#token"), token))
	follow(".entry button", "/reports")
	report := "/reports/" + testRound
	follow(`h2 a[href*="`+testRound+`"]`, report)
	follow(`main a[href*="/items"]`, report+"/items")
	follow(`main a[href*="`+report+`"]`, report)
	follow(`main a[href*="/compare"]`, report+"/compare")
	follow(`main a[href*="`+report+`"]`, report)
	follow(`main a[href*="/trend"]`, "/trend")
	follow(`.langs a`, "/trend")
	follow(`.foot a[href*="/fleet"]`, "/fleet")
	follow(`main a[href*="/fleet/new"]`, "/fleet/new")
	w.do(chromedp.SendKeys(chromedp.CSS("#name"), "Máy 0"))
	w.do(chromedp.SendKeys(chromedp.CSS("#desk"), testDesk))
	w.submit(`main form button`)
	w.until("the code of a new tablet", `document.querySelector(".pairing output") && location.pathname.indexOf("`+h.path+`/fleet/") === 0`)
	follow(`main a.quiet[href*="/fleet/"]`, strings.TrimPrefix(w.eval(`document.querySelector("main a.quiet[href*='/fleet/']").pathname`), h.path))
	w.submit(`.foot form button`)
	at("/signin")
	w.navigate("/fleet")
	if w.text("h1") == "" || w.eval(`String(document.querySelector("#token") !== null)`) != "true" {
		t.Error("signing out did not end the session")
	}
}

// liveAsTablet pairs the browser, loses the network, and takes up the next program.
func (h *hall) liveAsTablet(t *testing.T, w *tabletTab) {
	t.Helper()
	w.enrol("Máy 1", testDesk)
	if scopes := w.ask(`navigator.serviceWorker.getRegistrations().then((list) => list.map((r) => r.scope).join())`); scopes != h.url("/kiosk") {
		t.Errorf("service workers serve %s", scopes)
	}
	manifest := w.ask(`fetch(document.querySelector("link[rel=manifest]").href).then(async (r) => {
		const m = await r.json();
		return [m.start_url, m.scope, m.icons[1].src].map((a) => new URL(a, r.url).href).join(" ");
	})`)
	if want := h.url("/kiosk") + " " + h.url("/kiosk") + " " + h.url("/kiosk/"+w.version()+"/icon-192.png"); manifest != want {
		t.Errorf("the manifest has %s, want %s", manifest, want)
	}
	if result, _ := w.send(); result != "tốt" {
		t.Fatal(result)
	}
	first := w.version()
	w.offline(true)
	w.answerAll(2, 1)
	w.do(chromedp.Reload())
	w.ready()
	w.answerAll(1, 2)
	w.offline(false)
	w.drain()
	h.stop()
	h.order.App = variant(t, func(files map[string][]byte) {
		replace(t, files, "sw.js", "// The service worker", "// The next service worker")
		replace(t, files, "main.js", "// The program", "// The next program")
	})
	w.menu()
	h.serve()
	w.sendFromMenu()
	w.until("the next program", `document.querySelector("link[rel=manifest]").href.indexOf("`+first+`") < 0 && document.querySelector(".first .level")`)
	w.offline(true)
	w.do(chromedp.Reload())
	w.ready()
	w.answerAll(1, 3)
	w.offline(false)
	w.drain()
}

// TestPathMoved: a tablet that was set up at the root of the host, by a program that knew
// nothing else, goes on below the path to which the service moved, with its answers.
func TestPathMoved(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	h.stop()
	h.order.App = variant(t, func(files map[string][]byte) {
		replace(t, files, "index.html", " data-movable", "")
		replace(t, files, "browser.js", "new URL('../..', import.meta.url).pathname.slice(0, -1)", "''")
	})
	h.serve()
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	if result, _ := w.send(); result != "tốt" {
		t.Fatal(result)
	}
	w.offline(true)
	w.answerAll(2, 1)
	w.do(chromedp.Navigate("about:blank"))
	w.offline(false)
	h.order.App = ""
	openPortal(t, h, "/khaosat", true)
	w.navigate("/kiosk")
	w.ready()
	w.until("the service worker", `navigator.serviceWorker.controller`)
	w.do(chromedp.Reload()) // before a contact, the service worker still finds the old release
	w.ready()
	if base := w.ask(`import(document.querySelector("script").src.replace("main.js", "browser.js")).then((m) => m.base)`); base != "/khaosat" {
		t.Errorf("the program looks for the service below %q", base)
	}
	w.drain()
	w.offline(true)
	w.do(chromedp.Reload())
	w.ready()
	w.answerAll(1, 2)
	w.offline(false)
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
	if d := h.device(); d.Unaccounted != 0 || len(d.Missing) != 0 {
		t.Errorf("the tablet: %+v", d)
	}
}
