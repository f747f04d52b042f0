package web

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"sipas/survey"
)

// TestSendingPage: sending comes first and stays in view, says what it means, and takes what
// is folded below it along; a question of sensitive data has its own consent.
func TestSendingPage(t *testing.T) {
	waits(t)
	chromium(t)
	docs := longestFirst(t, "sipas-2640")
	e := start(t, options{docs: &docs})
	w := phone(t, e, e.url)
	w.do(chromedp.EmulateViewport(320, 568))
	w.answerTwo()
	inView := func() bool {
		return mustRun[bool](w, `(function () {
			var b = document.querySelector(".send button").getBoundingClientRect(), hit = document.elementFromPoint(b.left + b.width / 2, b.top + b.height / 2);
			return b.top >= 0 && b.bottom <= window.innerHeight && hit === document.querySelector(".send button");
		})()`)
	}
	if !inView() || mustRun[bool](w, `document.getElementById("extra").open`) {
		t.Error("sending is not in view, or what is optional not folded")
	}
	if said := w.text("#consent"); !strings.Contains(said, "Bấm “Gửi phiếu” là Ông/Bà đồng ý để Sở Thử dùng câu trả lời") {
		t.Errorf("beside the button it says %q", said)
	}
	w.click("#extra summary")
	w.do(chromedp.SendKeys(chromedp.CSS("#comment"), "Tốt"))
	w.eval(`document.getElementById("helped").value = "alone"; document.getElementById("p.ethnicity").value = "other";
		document.getElementById("p.ethnicity").scrollIntoView({ block: "end" }); ""`)
	if !inView() {
		t.Error("sending goes out of view")
	}
	if said := w.text(`[id="p.ethnicity-n"]`); said != "Dân tộc là dữ liệu nhạy cảm; chỉ chọn nếu Ông/Bà đồng ý." {
		t.Errorf("at a question of sensitive data it says %q", said)
	}
	w.photograph("send-open")
	w.click(".send button")
	w.thanked()
	if r := e.stored()[0]; r.Comment != "Tốt" || r.Helped != "alone" || r.Profile["ethnicity"] != "other" || r.Answers != survey.Answers("45"+strings.Repeat("-", 20)) {
		t.Errorf("stored %+v", r)
	}
	w.quiet()
}

// TestStopWithoutSlip: whoever stops in a round that needs a slip is asked for its code.
func TestStopWithoutSlip(t *testing.T) {
	waits(t)
	chromium(t)
	e := slipEnv(t, survey.DoorsSlip)
	code := e.issue(testDesk, 1)[0].Code
	w := phone(t, e, e.url)
	if mustRun[bool](w, `document.getElementById("slip").offsetHeight > 0`) {
		t.Error("the first screen asks for the code")
	}
	w.touch("c01", "4")
	w.eval(`while (document.getElementById("aside").hidden) document.querySelector("[data-do=next]").click(); ""`)
	w.press("stop")
	w.is(`document.getElementById("slip").offsetHeight > 0 && !document.querySelector(".send").hidden`)
	w.photograph("slip-asked")
	w.do(chromedp.SendKeys(chromedp.CSS("#slip"), code), chromedp.KeyEvent(kb.Enter))
	if mustRun[bool](w, `document.querySelector("#answers").hidden`) {
		t.Error("Enter after the code sends")
	}
	w.click(".send button")
	w.thanked()
	if r := e.stored()[0]; r.Door != survey.DoorSlip || r.Answers != survey.Answers("4---"+strings.Repeat("x", 18)) {
		t.Errorf("stored %s by %s", r.Answers, r.Door)
	}
}

// TestDraftOfBefore: what the version before kept on a phone is resumed and sent as it was.
func TestDraftOfBefore(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	for _, c := range []struct {
		name string
		step int
		sent bool
		on   string
	}{
		{"at the third question", 3, false, "a.c03"},
		{"at the third question, after a slip", 4, false, "a.c03"},
		{"at the comment", 25, false, "last"},
		{"being sent", 25, true, "last"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(e.stored())
			page := e.do(call{path: "/s/" + testDesk + "?lang=vi"}).body
			hidden := func(name string) string {
				_, rest, _ := strings.Cut(page, `name="`+name+`" value="`)
				value, _, _ := strings.Cut(rest, `"`)
				return value
			}
			values := [][2]string{}
			for _, name := range []string{"id", "stamp", "round", "instrument", "version"} {
				values = append(values, [2]string{name, hidden(name)})
			}
			values = append(values, [][2]string{{"a.c01", "4"}, {"a.c02", "na"}, {"field", "civil"}, {"filing", "online"}, {"helped", ""}, {"p.gender", "female"},
				{"comment", "Cũ"}, {"website", ""}, {"reached", "c03"}}...)
			draft := map[string]any{"at": time.Now().UnixMilli(), "step": c.step, "far": 2, "values": values}
			if c.sent {
				draft["sent"] = true
			}
			kept, err := json.Marshal(draft)
			if err != nil {
				t.Fatal(err)
			}
			own := *e
			own.t = t
			w := phone(t, &own, e.url)
			w.eval(fmt.Sprintf(`localStorage.setItem("sipas " + location.pathname + " %s %s", %q); ""`, testRound, hidden("id"), kept))
			w.do(chromedp.Reload())
			w.is(`!document.getElementById("steps").hidden && !document.getElementById("draft").hidden`)
			w.press("resume")
			w.is(`!document.getElementById("` + c.on + `").hidden`)
			w.skipOn()
			w.click(".send button")
			w.thanked()
			stored := e.stored()
			if len(stored) != before+1 {
				t.Fatalf("%d answers are stored, before %d", len(stored), before)
			}
			for _, r := range stored {
				want := "4n-" + strings.Repeat("x", 19)
				if c.on != "last" {
					want = "4n" + strings.Repeat("-", 20) // who came back has seen them all
				}
				if r.ID.String() == hidden("id") && (string(r.Answers) != want || r.Field != "civil" || r.Filing != "online" || r.Profile["gender"] != "female" || r.Comment != "Cũ") {
					t.Errorf("stored %+v, want the answers %s", r, want)
				}
			}
		})
	}
}

// TestDoubleTapOnAFace: the second half of a double tap answers no question that came in
// between, and Enter on a face goes on without sending.
func TestDoubleTapOnAFace(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	w := phone(t, e, e.url)
	tap := func(x, y float64, count int64) {
		t.Helper()
		for _, kind := range []input.DispatchMouseEventType{"mousePressed", "mouseReleased"} {
			w.do(command(input.DispatchMouseEvent, input.DispatchMouseEventParams{Type: kind, X: x, Y: y, Button: input.MouseButtonLeft, ClickCount: count}))
		}
	}
	w.touch("c01", "5")
	w.shows("c02")
	at := mustRun[[]float64](w, `(function () {
		var b = document.querySelector('[id="a.c02"] .l2').getBoundingClientRect();
		return [b.left + b.width / 2, b.top + b.height / 2];
	})()`)
	// The clock stands, so that the slowest machine is within the time of a double tap.
	w.eval(`Date.now = (function (t) { return function () { return t } })(Date.now()); ""`)
	tap(at[0], at[1], 1)
	w.shows("c03")
	tap(at[0], at[1], 2)
	if mustRun[bool](w, `document.querySelector('[id="a.c03"] input:checked') !== null`) {
		t.Error("the second tap answered the next question")
	}
	tap(at[0], at[1], 1)
	w.shows("c04")
	w.do(chromedp.Focus(chromedp.CSS(`input[name="a.c04"][value="3"]`)), chromedp.KeyEvent(" "), chromedp.KeyEvent(kb.Enter))
	w.shows("c05")
	if n := len(e.stored()); n != 0 {
		t.Errorf("%d answers are stored before anybody sent", n)
	}
}

// TestTouchBeforeTheScript: the first screen stays where it is when the script comes, on a
// slow network and processor too, and a face that was touched before is answered.
func TestTouchBeforeTheScript(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	for _, size := range ciOr(t, [][2]int64{{320, 450}, {320, 568}, {360, 640}, {390, 844}, {1280, 800}}, [][2]int64{{320, 450}, {390, 844}}) {
		for _, lang := range []string{"vi", "en"} {
			l := lineTo(e, func(l *line) { l.held = make(chan struct{}) })
			own := *e
			own.t = t
			w := browse(t, &own, chromedp.EmulateViewport(size[0], size[1]), early(`window.moved = [];
				new PerformanceObserver(function (list) { list.getEntries().forEach(function (s) {
					if (!s.hadRecentInput) moved.push(s.value + " " + s.sources.map(function (m) { return JSON.stringify([(m.node || {}).nodeName, (m.node || {}).textContent, m.previousRect, m.currentRect]) }).join());
				}) }).observe({ type: "layout-shift", buffered: true });`))
			arrived := make(chan error, 1)
			go func() { arrived <- chromedp.Do(w.ctx, chromedp.Navigate(l.URL+"/s/"+testDesk+"?lang="+lang)) }()
			w.is(`location.pathname.indexOf("/s/") === 0 && !!document.querySelector("footer") && document.getElementById("steps").hidden`)
			face := `JSON.stringify(document.querySelector('[id="a.c01"] .l4').getBoundingClientRect())`
			before := w.eval(face)
			close(l.held)
			w.is(`!document.getElementById("steps").hidden`)
			if err := <-arrived; err != nil {
				t.Fatal(err)
			}
			if after := w.eval(face); after != before {
				t.Errorf("%v %s: the face moves from %s to %s", size, lang, before, after)
			}
			// The browser tells of shifts after it has painted.
			w.eval(`requestAnimationFrame(function () { requestAnimationFrame(function () { window.painted = true }) }); ""`)
			w.is(`window.painted === true`)
			if moved := w.eval(`moved.join("; ")`); moved != "" {
				t.Errorf("%v %s: the layout shifts: %s", size, lang, moved)
			}
		}
	}
	l := lineTo(e, func(l *line) { l.held = make(chan struct{}) })
	w := browse(t, e, chromedp.EmulateViewport(390, 844))
	arrived := make(chan error, 1)
	go func() { arrived <- chromedp.Do(w.ctx, chromedp.Navigate(l.URL+"/s/"+testDesk+"?lang=en")) }()
	w.is(`location.pathname.indexOf("/s/") === 0 && !!document.querySelector("footer")`)
	w.click(`input[name="a.c01"][value="2"]`)
	if !mustRun[bool](w, `document.getElementById("steps").hidden && document.querySelector('input[name="a.c01"][value="2"]').checked`) {
		t.Fatal("the touch went astray")
	}
	close(l.held)
	w.shows("c02")
	if err := <-arrived; err != nil {
		t.Fatal(err)
	}
	w.press("back")
	w.shows("c01")
	if got := w.eval(`document.querySelector('input[name="a.c01"]:checked').value`); got != "2" {
		t.Errorf("the answer is %q", got)
	}
}

// slow3G is a network of 400 kbit/s that answers after 400 ms.
func slow3G() chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Latency: 400, DownloadThroughput: 50_000, UploadThroughput: 50_000}}})
		return chromedp.Void{}, err
	}
}

// TestFirstPaint: on a slow 3G network and a processor six times
// slower the first screen is painted within a second and a half.
func TestFirstPaint(t *testing.T) {
	chromium(t)
	e := start(t, options{})
	best := 1e9
	for range 3 { // others use this machine, too
		w := browse(t, e, chromedp.EmulateViewport(360, 640))
		w.do(slow3G(), command(emulation.SetCPUThrottlingRate, emulation.SetCPUThrottlingRateParams{Rate: 6}))
		w.do(chromedp.Navigate(e.url + "/s/" + testDesk + "?lang=vi"))
		w.is(`performance.getEntriesByName("first-contentful-paint").length > 0`)
		best = min(best, mustRun[float64](w, `performance.getEntriesByName("first-contentful-paint")[0].startTime`))
	}
	t.Logf("first paint after %.0f ms", best)
	if best > 1500 {
		t.Errorf("first paint after %.0f ms", best)
	}
}
