package web

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sipas/seeds"
	"sipas/survey"
)

// TestSplitFormBeginsWithTheFirst: a page asks the first item of a module before the others,
// numbered and under the heading of its factor.
func TestSplitFormBeginsWithTheFirst(t *testing.T) {
	docs := testDocuments(t)
	docs.Instruments[0].Modules = []survey.Module{{ID: "a", Probability: 1, First: "c16"}}
	for _, f := range docs.Instruments[0].Factors {
		for _, it := range f.Items {
			docs.Instruments[0].Modules[0].Items = append(docs.Instruments[0].Modules[0].Items, it.ID)
		}
	}
	docs.Rounds[0].Form = survey.FormSplit
	e := start(t, options{docs: &docs})
	body := e.do(call{path: "/s/" + testDesk}).body
	var order []string
	for _, m := range regexp.MustCompile(`name="a\.([^"]+)" value="4"`).FindAllStringSubmatch(body, -1) {
		order = append(order, m[1])
	}
	if len(order) != 22 || !slices.Equal(order[:3], []string{"c16", "c01", "c02"}) || !slices.Equal(order[14:17], []string{"c14", "c15", "c17"}) {
		t.Errorf("asked in the order %v", order)
	}
	// Who leaves after the first has seen no other.
	v := formValues(e, testDesk)
	v.Set("id", idOn(t, answer{body: body}))
	for _, item := range order[1:] {
		v.Del("a." + item)
	}
	v.Set("a.c16", "5")
	v.Set("reached", "c16")
	if a := e.postForm(v, ""); a.status != http.StatusOK {
		t.Fatalf("%d %.500s", a.status, a.body)
	}
	if got := e.stored()[0].Answers; got != "xxxxxxxxxxxxxxx5xxxxxx" {
		t.Errorf("stored as %s", got)
	}
}

// TestSplitForm: a page asks the items of one module, the stored answer says which,
// and a page that is shown again asks the same.
func TestSplitForm(t *testing.T) {
	waits(t)
	docs := testDocuments(t)
	in := &docs.Instruments[0]
	var items []string
	for _, f := range in.Factors {
		for _, it := range f.Items {
			items = append(items, it.ID)
		}
	}
	in.Modules = []survey.Module{{ID: "first", Items: items[:8], Probability: 0.4}, {ID: "rest", Items: items[6:], Probability: 0.6}}
	docs.Rounds[0].Form = survey.FormSplit
	e := start(t, options{docs: &docs})
	levels := regexp.MustCompile(`name="a\.([^"]+)" value="4"`)
	asked := func(body string) (list []string) {
		for _, m := range levels.FindAllStringSubmatch(body, -1) {
			list = append(list, m[1])
		}
		return list
	}
	seen := map[string]bool{}
	for range 20 {
		page := e.do(call{path: "/s/" + testDesk})
		v := formValues(e, testDesk)
		v.Set("id", idOn(t, page))
		for name := range v {
			if len(name) > 2 && name[:2] == "a." {
				v.Del(name)
			}
		}
		module := "first"
		if got := asked(page.body); !slices.Equal(got, items[:8]) {
			module = "rest"
			if !slices.Equal(got, items[6:]) {
				t.Fatalf("a page asks %v", got)
			}
		}
		for _, item := range asked(page.body) {
			v.Set("a."+item, "4")
		}
		other := items[0]
		if module == "first" {
			other = items[20]
		}
		v.Set("a."+other, "5")
		again := e.postForm(v, "")
		if again.status != http.StatusUnprocessableEntity || !slices.Equal(asked(again.body), asked(page.body)) || idOn(t, again) != v.Get("id") {
			t.Fatalf("with an item of another module: %d, asks %v", again.status, asked(again.body))
		}
		v.Del("a." + other)
		if a := e.postForm(v, ""); a.status != http.StatusOK {
			t.Fatalf("%d %.500s", a.status, a.body)
		}
		stored := e.stored()
		at := slices.IndexFunc(stored, func(r survey.Response) bool { return r.ID.String() == v.Get("id") })
		if at < 0 || stored[at].Module != module {
			t.Fatalf("stored %+v, want the module %s", stored, module)
		}
		for i, a := range stored[at].Answers {
			if inModule := slices.Contains(asked(page.body), items[i]); inModule != (a == '4') || !inModule && a != rune(survey.NotAsked) {
				t.Fatalf("item %s is stored as %c", items[i], a)
			}
		}
		seen[module] = true
	}
	if len(seen) != 2 || in.ID != seeds.Sipas2640 {
		t.Errorf("only %v were drawn", seen)
	}
}

// TestDraftOfASplitForm: whoever reads the notice, changes the language, or loads the page
// again while an answer waits to be sent, finds the questions that were begun.
func TestDraftOfASplitForm(t *testing.T) {
	waits(t)
	chromium(t)
	docs := testDocuments(t)
	in := &docs.Instruments[0]
	in.Modules = nil
	for i, f := range in.Factors {
		m := survey.Module{ID: "m" + strconv.Itoa(i), Probability: 1 / float64(len(in.Factors))}
		for _, it := range f.Items {
			m.Items = append(m.Items, it.ID)
		}
		in.Modules = append(in.Modules, m)
	}
	docs.Rounds[0].Form = survey.FormSplit
	e := start(t, options{docs: &docs})
	for range ciOr(t, 5, 2) { // by chance the same module comes
		before := len(e.stored())
		w := phone(t, e, e.url)
		id := w.eval(`document.getElementById("answers").elements.id.value`)
		first := w.eval(`document.querySelector("fieldset[data-step]").id`)[2:]
		here := `!!document.getElementById("a.` + first + `") && document.querySelector('input[name="a.` + first + `"][value="4"]').checked`
		w.touch(first, "4")
		w.click(`.foot a[href*="/notice"]`)
		w.is(`location.pathname === "/notice"`)
		w.click(`a[href*="/s/` + testDesk + `"]`)
		w.is(here)
		w.click(`a[hreflang="en"]`)
		w.is(`document.documentElement.lang === "en" && ` + here)
		w.eval(`var k = Object.keys(localStorage).filter(function (k) { return k.indexOf("sipas ") === 0 })[0], d = JSON.parse(localStorage.getItem(k));
			delete d.auto; d.sent = true; localStorage.setItem(k, JSON.stringify(d)); ""`)
		w.do(chromedp.Reload())
		w.is(`!!document.getElementById("draft") && !document.getElementById("draft").hidden`)
		if search := w.eval(`location.search`); search != "?lang=en" {
			t.Errorf("the address goes on as %q", search)
		}
		w.press("resume")
		w.is(here)
		w.skipOn()
		w.click(".send button")
		w.thanked()
		stored := e.stored()
		if len(stored) != before+1 || !slices.ContainsFunc(stored, func(r survey.Response) bool { return r.ID.String() == id && r.Answers.Levels() == 1 }) {
			t.Errorf("%d answers are stored, none under %s", len(stored)-before, id)
		}
	}
	// Items that no module has, and too many of them, are no matter.
	for _, asks := range []string{"c99", "c01.c22", strings.Repeat("c01.", 500)} {
		if a := e.do(call{path: "/s/" + testDesk + "?asks=" + asks}); a.status != http.StatusOK {
			t.Errorf("%.20s: %d", asks, a.status)
		}
	}
}
