package web

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sipas/seeds"
)

// axe reads axe-core, which finds what keeps people with disabilities out.
func axe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SIPAS_TEST_AXE")
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no axe-core: CI must set SIPAS_TEST_AXE to axe.min.js")
		}
		t.Skip("no axe-core: set SIPAS_TEST_AXE to the axe.min.js of its npm package")
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// accessible fails for everything that axe-core finds on the page, and for what it
// does not look at: targets below 48 pixels that are not words in a sentence.
func (w *tab) accessible(axe, name string) {
	w.t.Helper()
	w.do(chromedp.Action[chromedp.Void](func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := chromedp.Evaluate[bool](axe+"; true")(ctx, t)
		return chromedp.Void{}, err
	}))
	found, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](`axe.run(document, { resultTypes: ["violations"] }).then(function (r) {
		return JSON.stringify(r.violations.map(function (v) { return v.id + ": " + v.help + " " + v.nodes.map(function (n) { return n.target + " " + n.failureSummary }).join(" | ") }));
	})`, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatal(err)
	}
	var violations []string
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		w.t.Fatal(err)
	}
	for _, v := range violations {
		w.t.Errorf("%s: %s", name, v)
	}
	small := w.eval(`[].filter.call(document.querySelectorAll("button,select,textarea,input:not([type=hidden]),summary,a"), function (e) {
		var b = (e.closest("label") || e).getBoundingClientRect(), inText = getComputedStyle(e).display === "inline";
		return b.width > 0 && b.right > 0 && b.bottom > 0 && !inText && (b.height < 47.9 || b.width < 47.9);
	}).map(function (e) { return e.outerHTML.slice(0, 100) + " " + JSON.stringify(e.getBoundingClientRect()) }).join("\n")`)
	if small != "" {
		w.t.Errorf("%s: targets below 48 pixels:\n%s", name, small)
	}
}

// TestPagesAreAccessible: no violation on any page, light and dark, in both languages.
func TestPagesAreAccessible(t *testing.T) {
	chromium(t)
	source := axe(t)
	e := demonstration(t, 3000)
	desk, unit := someDesk(e), withBoard(t, e)
	for id, d := range e.store.View().Desks {
		if len(d.Fields) > 1 {
			desk = id
		}
	}
	for _, c := range []struct {
		name, lang string
		settings   []chromedp.Action[chromedp.Void]
	}{{"light", "vi", nil}, {"dark", "en", []chromedp.Action[chromedp.Void]{dark()}}} {
		t.Run(c.name, func(t *testing.T) {
			own := *e
			own.t = t
			w := browse(t, &own, append(c.settings, chromedp.EmulateViewport(390, 844))...)
			at := func(path string) {
				t.Helper()
				separator := "?"
				if strings.Contains(path, "?") {
					separator = "&"
				}
				w.do(chromedp.Navigate(e.url + path + separator + "lang=" + c.lang))
				w.accessible(source, path)
			}
			for _, path := range []string{"/", "/s", "/s/ZZZZ", "/r", "/signin", "/qr/" + desk, "/board/" + unit, "/nothing", "/notice?desk=" + desk, "/s/51-so-tai-chinh", "/qr/51-so-tai-chinh"} {
				at(path)
			}
			w.do(chromedp.Navigate(e.url + "/s/" + desk + "?lang=" + c.lang))
			w.is(`!document.getElementById("steps").hidden`)
			w.accessible(source, "the first question")
			w.touch("c01", "4")
			w.shows("c02")
			w.accessible(source, "a question")
			w.do(chromedp.Navigate(e.url + "/s/" + desk + "?lang=" + c.lang))
			w.is(`!document.getElementById("draft").hidden`)
			w.accessible(source, "a draft")
			w.press("resume")
			w.press("erase")
			w.accessible(source, "whether to erase")
			w.press("keep")
			for w.eval(`String(document.getElementById("field").hidden)`) == "true" {
				w.press("next")
			}
			w.accessible(source, "the service field")
			w.press("next")
			w.accessible(source, "sending")
			w.click("#extra summary")
			w.accessible(source, "the comment")
			w.click(".send button")
			receipt := w.thanked()
			w.accessible(source, "the thanks")
			w.do(chromedp.Navigate(e.url+"/r?lang="+c.lang), chromedp.SendKeys(chromedp.CSS("#code"), receipt))
			w.submit(".entry button")
			w.accessible(source, "a withdrawal")
			link, err := url.Parse(e.server.SignInURL(e.tokens["full"], "/reports?lang="+c.lang, time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			w.do(chromedp.Navigate(e.url + link.RequestURI()))
			w.accessible(source, "/reports")
			for _, path := range []string{"/reports/" + seeds.DemoRound + "?by=unit", "/reports/" + seeds.DemoRound + "/items", "/reports/" + seeds.DemoRound + "/compare?by=channel",
				"/trend", "/pictures/" + seeds.DemoRound} {
				at(path)
			}
		})
	}
}
