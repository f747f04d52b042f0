package web

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chromedp/cdproto/cdp"
	pagedomain "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"sipas/seeds"
	"sipas/survey"
)

// textSize is a way in which people have larger text.
type textSize struct {
	name string
	// fontSize is the browser's own setting, in pixels: rem, em and media queries follow it.
	fontSize int64
	// textOnly multiplies the size of every text and of nothing else, as Android's font size
	// does in the browsers of chat apps: the page is not told.
	textOnly float64
	// scrolls: the faces need not all be in view.
	scrolls bool
}

var textSizes = []textSize{
	{name: "100%"},
	{name: "130% by setting", fontSize: 21},
	{name: "130% text only", textOnly: 1.3},
	{name: "200% by setting", fontSize: 32, scrolls: true},
	{name: "200% text only", textOnly: 2, scrolls: true},
}

// fontSize sets the size of text that a person has chosen in the browser.
func fontSize(px int64) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, pagedomain.SetFontSizes, pagedomain.SetFontSizesParams{FontSizes: &pagedomain.FontSizes{Standard: px, Fixed: px}})
		return chromedp.Void{}, err
	}
}

// enlarge applies a size of text to the page that is shown.
func (w *tab) enlarge(size textSize) {
	w.t.Helper()
	if size.textOnly > 0 {
		w.eval(fmt.Sprintf(`[].map.call(document.querySelectorAll("body, body *"), function (e) { return [e, parseFloat(getComputedStyle(e).fontSize)] })
			.forEach(function (p) { p[0].style.fontSize = p[1] * %v + "px" }); window.dispatchEvent(new Event("resize")); ""`, size.textOnly))
	}
}

// looker finds what is wrong with the step that is shown: faces that are out of view, and
// controls at whose centre something else is.
const looker = `window.look = function (scrolls) {
	var bad = [], where = (document.querySelector("[data-step]:not([hidden])") || {}).id + ": ";
	window.scrollTo(0, 0);
	[].forEach.call(document.querySelectorAll("[data-step]:not([hidden]) .scale label"), function (face) {
		var b = face.getBoundingClientRect();
		if (b.height && !scrolls && (b.top < 0 || b.bottom > window.innerHeight)) bad.push(where + face.className + " is out of view by " + Math.round(b.bottom - window.innerHeight));
		if (b.height && (b.height < 44 || b.width < 44)) bad.push(where + face.className + " is " + b.width + " by " + b.height);
	});
	if (document.documentElement.scrollWidth > window.innerWidth) bad.push(where + "wider than the window");
	[].forEach.call(document.querySelectorAll("a[href], button, summary, select, textarea, input:not([type=hidden])"), function (e) {
		if (!e.getClientRects().length || e.closest(".trap, .skip") || e.tagName !== "SUMMARY" && e.closest("details:not([open])")) return;
		var send = e.closest(".send"), top = e.getClientRects()[0];
		if (send && !scrolls && top.bottom > window.innerHeight) bad.push(where + "sending is out of view");
		if (top.bottom > window.innerHeight || top.top < 0) e.scrollIntoView({ block: "center" });
		var b = e.getClientRects()[0], hit = document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2);
		if (!hit || !(e.contains(hit) || hit.contains(e) && hit.tagName === "LABEL"))
			bad.push(where + e.outerHTML.slice(0, 70) + " lies below " + (hit ? hit.outerHTML.slice(0, 70) : "nothing"));
	});
	window.scrollTo(0, 0);
	return bad;
};
window.walk = function (scrolls) {
	var bad = [];
	for (;;) {
		bad = bad.concat(look(scrolls));
		if (!document.querySelector(".send").hidden) break;
		document.querySelector("[data-do=next]").click();
	}
	document.getElementById("extra").open = true;
	return bad.concat(look(scrolls)).join("\n");
}; ""`

// longestFirst are the test's documents with an instrument of the seeds whose longest
// question is also asked first, at a desk with long names and many fields.
func longestFirst(t *testing.T, set string) survey.Documents {
	t.Helper()
	docs := testDocuments(t)
	own, err := seeds.Documents(set)
	if err != nil {
		t.Fatal(err)
	}
	docs.Instruments = own.Instruments
	in := &docs.Instruments[0]
	first := &in.Factors[0].Items[0].Text
	for _, lang := range []string{"vi", "en"} {
		for _, f := range in.Factors {
			for _, item := range f.Items {
				if utf8.RuneCountInString(item.Text[lang]) > utf8.RuneCountInString((*first)[lang]) {
					longer := survey.Text{"vi": (*first)["vi"], "en": (*first)["en"]}
					longer[lang] = item.Text[lang]
					*first = longer
				}
			}
		}
	}
	for i := range in.Profile {
		in.Profile[i].Off = false
	}
	for i := range docs.Rounds {
		docs.Rounds[i].Instrument = set
	}
	docs.Agency.Name = survey.Text{"vi": "Sở Nội vụ tỉnh Quảng Ngãi", "en": "Department of Home Affairs of Quảng Ngãi Province"}
	docs.Units[0].Name = survey.Text{"vi": "UBND phường Trương Quang Trọng", "en": "People's Committee of Trương Quang Trọng Ward"}
	docs.Desks[0].Name = survey.Text{"vi": "Quầy số 2 - Trung tâm Phục vụ hành chính công", "en": "Counter 2 - Public Administrative Service Centre"}
	for i := range 8 {
		id := fmt.Sprintf("f%d", i)
		docs.Fields = append(docs.Fields, survey.ServiceField{ID: id, Name: survey.Text{"vi": "Lao động, người có công", "en": "Certification of copies and signatures"}})
		docs.Desks[0].Fields = append(docs.Desks[0].Fields, id)
	}
	return docs
}

// TestFacesInView: at every step, size of window and of text, in both languages, the five
// faces are in view without scrolling and at the centre of every control is that control.
func TestFacesInView(t *testing.T) {
	waits(t)
	chromium(t)
	whole := func(s []string) []string { return s }
	sets := ciOr(t, whole([]string{seeds.Sipas2640, seeds.Sipas2022, seeds.Sipas1001}), []string{seeds.Sipas2022})
	sizes := ciOr(t, [][2]int64{{320, 568}, {320, 450}, {360, 640}, {390, 844}, {640, 360}, {1280, 800}}, [][2]int64{{320, 450}, {360, 640}})
	texts := ciOr(t, textSizes, textSizes[1:4])
	for _, set := range sets {
		docs := longestFirst(t, set)
		e := start(t, options{docs: &docs})
		for i, text := range texts {
			w := browse(t, e, early(`window.addEventListener("load", function () {
				var s = new CSSStyleSheet(); s.replaceSync("body { font-family: '`+[]string{"Noto Sans", "Roboto"}[i%2]+`' }"); document.adoptedStyleSheets = [s];
			})`))
			if text.fontSize > 0 {
				w.do(fontSize(text.fontSize))
			}
			for _, size := range sizes {
				for _, lang := range ciOr(t, []string{"vi", "en"}, []string{"vi"}) {
					w.do(chromedp.EmulateViewport(size[0], size[1]), chromedp.Navigate(e.url+"/s/"+testDesk+"?lang="+lang))
					w.is(`!document.getElementById("steps").hidden && document.adoptedStyleSheets.length === 1`)
					w.eval(`localStorage.clear(); window.dispatchEvent(new Event("resize")); ""`)
					w.enlarge(text)
					w.eval(looker)
					name := fmt.Sprintf("%s %dx%d %s %s", set, size[0], size[1], text.name, lang)
					// A landscape phone is not that tall.
					if bad := w.eval(fmt.Sprintf(`walk(%v)`, text.scrolls || size[1] < 450)); bad != "" {
						t.Errorf("%s:\n%s", name, bad)
						w.photograph("view-" + strings.ReplaceAll(name, " ", "-"))
					}
					w.eval(`localStorage.clear(); ""`)
				}
			}
		}
	}
}

// TestTaps: a form takes as many taps as it has questions, one for the field where that is
// asked, and one to send.
func TestTaps(t *testing.T) {
	waits(t)
	chromium(t)
	for _, form := range ciOr(t, []string{survey.FormFull, survey.FormSplit, survey.FormQuick}, []string{survey.FormQuick}) {
		docs := testDocuments(t)
		docs.Rounds[0].Form = form
		e := start(t, options{docs: &docs})
		for desk, asked := range map[string]int{testDesk: 1, "Q2": 0} {
			if form == survey.FormFull && desk == testDesk {
				continue // twenty more touches prove nothing else
			}
			w := browse(t, e, chromedp.EmulateViewport(360, 640))
			w.do(chromedp.Navigate(e.url + "/s/" + desk + "?lang=vi"))
			w.is(`!document.getElementById("steps").hidden`)
			items := int(mustRun[float64](w, `document.querySelectorAll("fieldset .scale").length`))
			taps := 0
			for w.eval(`String(document.querySelector(".send").hidden)`) == "true" {
				at := w.eval(`document.querySelector("fieldset[data-step]:not([hidden])").id`)
				w.click(`fieldset[data-step]:not([hidden]) label:nth-of-type(2) input`)
				w.is(`document.getElementById("` + at + `").hidden`)
				taps++
			}
			w.click(".send button")
			w.thanked()
			if taps++; taps != items+1+asked {
				t.Errorf("%s at %s: %d taps for %d questions", form, desk, taps, items)
			}
			stored := e.stored()
			if last := stored[len(stored)-1]; !strings.HasPrefix(strings.Trim(string(last.Answers), "."), "2") || last.Desk == testDesk && last.Field == "" {
				t.Errorf("stored %+v", last)
			}
		}
	}
}

func mustRun[T any](w *tab, expression string) T {
	w.t.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		w.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// TestFieldQuestion: at most six buttons, the others behind one of them; it can be left out.
func TestFieldQuestion(t *testing.T) {
	waits(t)
	chromium(t)
	docs := longestFirst(t, seeds.Sipas2640)
	e := start(t, options{docs: &docs})
	w := phone(t, e, e.url)
	toField := func() {
		t.Helper()
		w.eval(`localStorage.clear(); document.querySelector('input[name="a.c01"][value="4"]').checked = true;
			while (document.getElementById("field").hidden) document.querySelector("[data-do=next]").click(); ""`)
	}
	seen := func() int {
		return int(mustRun[float64](w, `[].filter.call(document.querySelectorAll("#field label, #field button"), function (e) { return e.offsetHeight > 0 }).length`))
	}
	toField()
	if n := seen(); n != 6 {
		t.Errorf("%d buttons", n)
	}
	w.press("fields")
	if n := seen(); n != len(docs.Desks[0].Fields) {
		t.Errorf("%d buttons after all were asked for, want %d", n, len(docs.Desks[0].Fields))
	}
	w.click(`#field input[value="f7"]`)
	w.is(`!document.querySelector(".send").hidden`)
	w.press("back")
	w.is(`!document.getElementById("field").hidden`)
	if n := seen(); n != len(docs.Desks[0].Fields) {
		t.Errorf("%d buttons with one of the others chosen", n)
	}
	w.press("next")
	w.click(".send button")
	w.thanked()
	w.do(chromedp.Navigate(e.url + "/s/" + testDesk + "?lang=vi"))
	w.is(`!document.getElementById("steps").hidden`)
	toField()
	w.press("next")
	w.click(".send button")
	w.thanked()
	var fields []string
	for _, r := range e.stored() {
		fields = append(fields, r.Field)
	}
	if slices.Sort(fields); !slices.Equal(fields, []string{"", "f7"}) {
		t.Errorf("stored fields %q", fields)
	}
	w.quiet()
}
