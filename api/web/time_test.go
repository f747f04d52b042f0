package web

import (
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"sipas/seeds"
	"sipas/survey"
)

// The model of the time that a person needs, as the README states it: what comes into view
// is read once, at a rate, but for the ways out (links, what is folded, to skip, to go back,
// to stop); a touch takes touchTime, the third of a second that the page waits included, and
// twice that of whoever reads half as fast; the page comes over a 3G network, after four
// round trips (name, connection, TLS, page), and the answers leave with one more.
const (
	fastReader, slowReader = 200., 100. // words a minute
	touchTime              = 1.5        // seconds, of the fast reader
	roundTrip              = 0.4        // seconds, of 3G as browsers' developer tools have it
	bytesPerSecond         = 400_000 / 8
)

// pace is what one form took.
type pace struct{ taps, words, bytes float64 }

func (v pace) seconds(rate float64) float64 {
	return 5*roundTrip + v.bytes/bytesPerSecond + 60*v.words/rate + v.taps*touchTime*fastReader/rate
}

// newWords counts the words to be read that are in view for the first time, no way out
// among them.
const newWords = `(function () {
	var seen = window.seenTexts = window.seenTexts || {}, words = 0;
	["header.top", "main"].forEach(function (part) {
		var texts = document.createTreeWalker(document.querySelector(part), NodeFilter.SHOW_TEXT), node;
		texts: while (node = texts.nextNode()) {
			var text = node.data.trim();
			if (!text || seen[text] || node.parentNode.getClientRects().length === 0) continue;
			for (var e = node.parentNode; e.nodeType === 1; e = e.parentNode) {
				if (e.matches("a,.plain,#aside,.trap,details") || getComputedStyle(e).clip !== "auto" && getComputedStyle(e).position === "absolute") continue texts;
			}
			seen[text] = true;
			words += text.split(/\s+/).length;
		}
	});
	return String(words);
})()`

// answerForm answers everything as the first screen comes, by touches, reading what comes
// into view.
func (w *tab) answerForm(items []string, field string) (v pace) {
	w.t.Helper()
	read := func() {
		n, err := strconv.Atoi(w.eval(newWords))
		if err != nil {
			w.t.Fatal(err)
		}
		v.words += float64(n)
	}
	for _, item := range items {
		w.shows(item)
		read()
		w.touch(item, "4")
		v.taps++
	}
	if field != "" {
		w.is(`!document.getElementById("field").hidden`)
		read()
		w.click(`input[name="field"][value="` + field + `"]`)
		v.taps++
	}
	w.is(`!document.querySelector(".send").hidden`)
	read()
	w.click(".send button")
	v.taps++
	w.thanked()
	return v
}

// TestTimeAPersonNeeds: taps are the items, one to send, and one where a desk serves several
// fields; and the README states the time that the model gives, to five seconds
// and ten words.
func TestTimeAPersonNeeds(t *testing.T) {
	waits(t)
	params := seeds.DefaultParams()
	params.Answers = 0
	docs, _, err := seeds.Demo(survey.DateOf(testNow()), params)
	if err != nil {
		t.Fatal(err)
	}
	var desks []string
	for _, d := range docs.Desks {
		if len(d.Fields) == 3 && (d.ValidTo == "" || d.ValidTo > docs.Rounds[0].Last) {
			desks = append(desks, d.ID)
		}
	}
	desk := slices.Min(desks)
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range ciOr(t, []string{survey.FormSplit, survey.FormQuick, survey.FormFull}, []string{survey.FormQuick}) {
		docs.Rounds[0].Form, docs.Rounds[0].Version = form, 2
		e := start(t, options{docs: &docs, config: func(c *Config) { c.PublicURL = "http://sipas.example.vn" }})
		round := e.store.View().Rounds[seeds.DemoRound]
		in := e.store.View().Instruments[survey.InstrumentKey(round.Instrument, round.Version)]
		path := "/s/" + desk + "?lang=vi"
		first, _ := onTheWire(t, e, path)
		visits := map[string]pace{} // by module
		want := map[bool]int{true: len(in.Modules), false: 1}[form == survey.FormSplit]
		for try := 0; len(visits) < want && try < 200; try++ {
			w := browse(t, e, chromedp.EmulateViewport(390, 844))
			w.do(chromedp.Navigate(e.url + path))
			w.is(`!document.getElementById("steps").hidden`)
			id, err := survey.ParseID(w.eval(`document.querySelector("input[name=id]").value`))
			if err != nil {
				t.Fatal(err)
			}
			module, _ := in.Asked(round, id)
			name := ""
			if module != nil {
				name = module.ID
			}
			if _, had := visits[name]; had {
				continue
			}
			var items []string
			for _, at := range in.Order(module) {
				items = append(items, in.Items()[at].ID)
			}
			v := w.answerForm(items, docs.Desks[slices.IndexFunc(docs.Desks, func(d survey.Desk) bool { return d.ID == desk })].Fields[0])
			if v.taps != float64(len(items)+2) {
				t.Errorf("%s %s: %v taps for %d items and a field", form, name, v.taps, len(items))
			}
			v.bytes = float64(first)
			visits[name] = v
		}
		var mean pace
		least, most := math.Inf(1), 0.
		for _, name := range slices.Sorted(maps.Keys(visits)) {
			v := visits[name]
			n := float64(len(visits))
			mean = pace{mean.taps + v.taps/n, mean.words + v.words/n, v.bytes}
			least, most = min(least, v.taps), max(most, v.taps)
			t.Logf("%s %s: %v taps, %v words, %.0f s, %.0f s", form, name, v.taps, v.words, v.seconds(fastReader), v.seconds(slowReader))
		}
		taps := fmt.Sprint(least)
		if most > least {
			taps = fmt.Sprintf("%v–%v", least, most)
		}
		row := fmt.Sprintf("| `%s` | %s | %.0f | %.0f s | %.0f s |", form, taps, 10*math.Round(mean.words/10), 5*math.Round(mean.seconds(fastReader)/5), 5*math.Round(mean.seconds(slowReader)/5))
		if !strings.Contains(string(readme), row) {
			t.Errorf("the README does not say\n%s", row)
		}
	}
}
