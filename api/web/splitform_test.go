package web

import (
	"net/http"
	"regexp"
	"slices"
	"testing"

	"sipas/seeds"
	"sipas/survey"
)

// TestSplitForm: a page asks the items of one module, the stored answer says which,
// and a page that is shown again asks the same.
func TestSplitForm(t *testing.T) {
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
