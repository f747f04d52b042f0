package web

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"sipas/survey"
)

// TestKioskFirstTouch: a touch on the first screen answers the first question, and the time
// that an answer took begins with it.
func TestKioskFirstTouch(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.before(aheadOfTime)
	w.enrol("Máy 1", testDesk)
	w.eval(`window.ahead += 40e3, ""`) // somebody reads
	w.begin()
	if got := w.eval(`document.querySelector(".bar").innerText`); !strings.HasPrefix(got, "2/7") || !strings.Contains(got, "từ 4 câu") {
		t.Errorf("after the first touch the screen says %q", got)
	}
	w.eval(`document.querySelector("#back").click(), ""`)
	w.until("the answer", `document.querySelector('.level[data-value="5"]').getAttribute("aria-pressed") === "true"`)
	if w.eval(`String(Boolean(document.querySelector("#back")))`) == "true" {
		t.Error("before the first question there is one to go back to")
	}
	w.eval(`window.sealing = [], TextEncoder.prototype.encode = ((encode) => function (text) { if (/"reached"/.test(text)) sealing.push(text); return encode.call(this, text); })(TextEncoder.prototype.encode), ""`)
	w.skipToSend()
	w.eval(`document.querySelector("#send").click(), ""`)
	w.until("thanks", `document.querySelector("#receipt")`)
	var said struct {
		Seconds float64
		Answers map[string]any
	}
	if err := json.Unmarshal([]byte(w.eval(`sealing[0]`)), &said); err != nil {
		t.Fatal(err)
	}
	if said.Seconds <= 0 || said.Seconds > 30 || len(said.Answers) != 1 || said.Answers["c02"] != 5.0 {
		t.Errorf("sealed: %+v", said)
	}
}

// TestKioskLeft: who leaves is stored nowhere; who stops before the share of questions that
// the round asks for reads that it does not count, and says nothing of themselves.
func TestKioskLeft(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	docs.Rounds[0].MinAnswered = 0.7 // 5 of 7
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.begin()
	w.eval(`document.querySelector("#stop").click(), ""`)
	if got := w.text("#counts"); got != "Mới chọn mức hài lòng ở 1 trên 7 câu. Phiếu chỉ được tính vào kết quả khi có từ 5 câu." {
		t.Errorf("who stops reads %q", got)
	}
	if w.eval(`document.querySelector("main .big").id + Boolean(document.querySelector("#more"))`) != "onfalse" {
		t.Error("what leads on is not loud, or more is asked of who leaves")
	}
	w.eval(`document.querySelector("#leave").click(), ""`)
	w.ready()
	if n := w.queued(); n != 0 {
		t.Fatalf("%d answers wait of somebody who left", n)
	}
	// Who says more, goes back, takes levels back and stops leaves without it.
	w.begin()
	w.skipToSend()
	w.eval(`document.querySelector("#send").click(), ""`) // to its end, but too little
	w.until("thanks", `document.querySelector("#receipt")`)
	w.eval(`document.querySelector("#done").click(), ""`)
	w.begin()
	w.eval(`document.querySelector(".level").click(), document.querySelector("#stop").click(), ""`)
	w.eval(`document.querySelector("#send").click(), ""`)
	w.until("thanks", `document.querySelector("#receipt")`)
	w.eval(`document.querySelector("#done").click(), ""`)
	w.ready()
	w.drain()
	broken := 0
	for _, r := range h.responses() {
		if survey.Valid(r.Answers, docs.Rounds[0].ValidShare()) || len(r.Profile) > 0 || r.Comment != "" {
			t.Errorf("stored: %+v", r)
		}
		broken += strings.Count(string(r.Answers), "x")
	}
	if n := len(h.responses()); n != 2 || broken != 5 {
		t.Errorf("%d answers are stored, with %d questions broken off", n, broken)
	}
}

// TestKioskLanguage: the language, the size of the text and what is behind other screens can
// be changed at any time, and nothing that was answered is lost.
func TestKioskLanguage(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	device := w.enrol("Máy 1", testDesk)
	h.call("POST", "/api/v1/devices/"+device, `{"comments":true}`, nil)
	w.send()
	w.ready()
	w.begin()
	language := func() { w.eval(`document.querySelector(".language").click(), ""`) }
	language()
	if got := w.eval(`document.documentElement.lang + document.querySelector(".bar").innerText.slice(0, 3)`); got != "en2/7" {
		t.Errorf("in English the visit stands at %q", got)
	}
	w.eval(`document.querySelector("#back").click(), document.querySelector("#large").click(), ""`)
	w.until("the answer", `document.querySelector('.level[data-value="5"]').getAttribute("aria-pressed") === "true" && document.documentElement.className === "large"`)
	w.skipToSend()
	w.eval(`document.querySelector("#more").click(), document.querySelector("#more-comment").click(), ""`)
	w.do(chromedp.SendKeys(chromedp.CSS("#comment"), "Tốt"))
	w.eval(`document.querySelector("#close").click(), document.querySelector("#more-age").click(), document.querySelector("dialog .option").click(), ""`)
	language()
	language()
	if got := w.text("#more-comment b") + w.text("#more-age b"); got != "Tốt18-24" {
		t.Errorf("what was said reads %q", got)
	}
	w.eval(`document.querySelector("#send").click(), ""`)
	w.until("thanks", `document.querySelector("#receipt")`)
	code := w.text("#receipt")
	language()
	if got := w.text("#receipt"); got != code || w.eval(`document.documentElement.lang`) != "vi" {
		t.Errorf("the code %s is %s in another language", code, got)
	}
	language()
	w.eval(`document.querySelector("#done").click(), ""`)
	w.until("the next person's screen", `document.querySelector(".first") && document.documentElement.lang === "vi" && !document.documentElement.classList.contains("large")`)
	w.drain()
	if r := h.responses(); len(r) != 1 || r[0].Language != "en" || r[0].Comment != "Tốt" || r[0].Profile["age"] != "18-24" || r[0].Answers.Levels() != 1 {
		t.Errorf("stored: %+v", r)
	}
}

// TestKioskSpoken: as the focus comes to a question, its place and factor are spoken; the
// faces are a group with the question as its name; every control has a name.
func TestKioskSpoken(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.begin()
	spoken := func() (lines []string) {
		t.Helper()
		tree, err := chromedp.Run(w.ctx, chromedp.Action[accessibility.GetFullAXTreeResult](func(ctx context.Context, target *chromedp.Target) (accessibility.GetFullAXTreeResult, error) {
			return cdp.Call(ctx, target, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		}))
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range tree.Nodes {
			if n.Ignored || n.Role == nil {
				continue
			}
			var role, name string
			_ = json.Unmarshal([]byte(n.Role.Value), &role)
			if n.Name != nil {
				_ = json.Unmarshal([]byte(n.Name.Value), &name)
			}
			if lines = append(lines, role+": "+name); role == "button" && strings.TrimSpace(name) == "" {
				t.Error("a button without a name")
			}
		}
		return lines
	}
	question := w.text("#question")
	lines := spoken()
	for _, want := range []string{
		"group: " + question, "button: Rất không hài lòng", "button: Rất hài lòng",
		"button: A+: chữ to, tương phản mạnh", "button: EN English", "button: Thông tin của Ông/Bà được dùng thế nào?",
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("nothing is spoken as %q:\n%s", want, strings.Join(lines, "\n"))
		}
	}
	heading := slices.IndexFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "heading: Câu 2 trên 7. ") && strings.HasSuffix(l, ". "+question)
	})
	if heading < 0 || w.eval(`document.activeElement.localName`) != "h1" {
		t.Errorf("as the focus comes to %s, this is spoken:\n%s", w.eval(`document.activeElement.outerHTML`), strings.Join(lines, "\n"))
	}
	w.eval(`document.querySelector(".level").click(), ""`)
	if got := strings.Join(spoken(), "\n"); !strings.Contains(got, "heading: Câu 3 trên 7. ") {
		t.Errorf("on the next question this is spoken:\n%s", got)
	}
}

// TestKioskMenu: staff set how loud questions are, hear it, and read how long sending takes
// while it does; who has no PIN does not come to the page for pairing.
func TestKioskMenu(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.before(`window.played = []; AudioBufferSourceNode.prototype.start = function () {}; AudioBufferSourceNode.prototype.stop = () => {};
		const connect = AudioBufferSourceNode.prototype.connect; AudioBufferSourceNode.prototype.connect = function (to) { played.push(to.gain.value.toFixed(1)); return connect.apply(this, arguments); };`)
	w.enrol("Máy 1", testDesk)
	w.eval(`document.querySelector("#staff").click(), ""`)
	w.until("the PIN", `document.querySelector("#pin")`)
	if got := w.eval(`[...document.querySelectorAll("button")].map((b) => b.textContent).join()`); got != "Mở,Quay lại" {
		t.Errorf("without a PIN there is %q", got)
	}
	w.do(chromedp.SendKeys(chromedp.CSS("#pin"), "2468"))
	w.eval(`document.querySelector("#open").click(), ""`)
	w.until("the menu", `document.querySelector("#volume")`)
	w.eval(`document.querySelector("#volume").value = 30, document.querySelector("#volume").dispatchEvent(new Event("change")), ""`)
	w.until("the sound", `played.join() === "0.3"`)
	w.eval(`document.querySelector("#do-sound").click(), ""`)
	w.until("the sound again", `played.join() === "0.3,0.3"`)
	reached, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	h.set(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/api/v1/kiosk/sync" {
			once.Do(func() { close(reached) })
			<-release
		}
		return false
	})
	w.eval(`document.querySelector("#do-sync").click(), ""`)
	<-reached
	w.until("that it sends", `/^Đang gửi… đã đợi [1-9] giây. Mỗi lượt đợi nhiều nhất 60 giây.$/.test(document.querySelector("#said").textContent)`)
	h.set(nil)
	close(release)
	w.until("what came of it", `document.querySelector("#said").textContent.startsWith("Đã gửi xong lượt này. Còn 0 phiếu")`)
	w.navigate("/kiosk")
	w.ready()
	w.menu()
	if got := w.eval(`document.querySelector("#volume").value`); got != "30" {
		t.Errorf("after a start the volume is %s", got)
	}
	w.eval(`document.querySelector("#do-close").click(), ""`)
	// Whoever opens an address with a pairing code is not locked into the survey.
	w.ready()
	w.navigate("/kiosk#ABCD-EFGHJ")
	w.until("the page for pairing", `document.querySelector("#code") && document.querySelector("#code").value === "ABCD-EFGHJ"`)
	w.eval(`document.querySelector(".entry [type=button]").click(), ""`)
	w.ready()
}

// TestKioskReady: the first question comes as soon as it can be answered. A tablet that has
// its service worker never shows that it prepares.
func TestKioskReady(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.until("the service worker", `navigator.serviceWorker.controller`)
	w.before(`window.seen = []; new MutationObserver(() => { const p = document.querySelector("[data-problem]"); if (p) seen.push(p.dataset.problem); }).observe(document, { subtree: true, childList: true });
		const every = setInterval; window.setInterval = (f, ms) => every(f, ms === 1000 ? 1e9 : ms);`)
	w.navigate("/kiosk")
	w.ready() // though the program never looks
	if seen := w.eval(`seen.join()`); seen != "" {
		t.Errorf("before the first question the screen says: %s", seen)
	}
}

// TestKioskTouchHolds: nothing comes by itself under a finger that lies on the first question;
// and while the page goes, for the next program, no question is seen that takes no answer.
func TestKioskTouchHolds(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.before(`Math.random = () => 0;`) // contacts come at once
	device := w.enrol("Máy 1", testDesk)
	w.send()
	w.ready()
	var at input.TouchPoint
	where := `(() => { const r = document.querySelector('.first .level[data-value="4"]').getBoundingClientRect(); return JSON.stringify({ x: r.x + r.width / 2, y: r.y + r.height / 2 }); })()`
	if err := json.Unmarshal([]byte(w.eval(where)), &at); err != nil {
		t.Fatal(err)
	}
	h.call("POST", "/api/v1/devices/"+device, `{"message":"Sạc máy trước 17 giờ"}`, nil)
	time.Sleep(500 * time.Millisecond)                                                          // as a person who reads
	w.eval(`(() => { const still = performance.now(); performance.now = () => still; })(), ""`) // for as long as the message needs
	w.do(command(input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: []*input.TouchPoint{&at}}))
	w.eval(`window.dispatchEvent(new Event("online")), ""`)
	h.wait("the message", func() bool {
		return w.ask(inDatabase+`((db, wait) => wait(db.transaction("meta").objectStore("meta").get("message")))`) != ""
	})
	w.do(command(input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}}))
	w.until("the second question", `document.querySelector(".bar").innerText.startsWith("2/")`)
	w.eval(`delete performance.now, document.querySelector("#stop").click(), document.querySelector("#leave").click(), ""`)
	w.until("the message on the screen", `document.querySelector(".first") && document.querySelector(".message")`)

	h.kill()
	h.order.App = variant(t, func(files map[string][]byte) {
		replace(t, files, "sw.js", "// The service worker", "// The next service worker")
	})
	h.serve()
	w.menu()
	w.eval(`document.querySelector("#is-queue").dataset.old = 1, document.querySelector("#do-sync").click(), ""`)
	w.until("an answer of the server", `document.querySelector("#is-queue") && !document.querySelector("#is-queue").dataset.old`)
	w.eval(`navigator.storage.getDirectory = () => new Promise((r) => { window.go = r; }), document.querySelector("#do-close").click(), ""`)
	w.until("the change of the program", `window.go`)
	if got := w.eval(`String(document.querySelector("button") || document.querySelector("[data-problem]").dataset.problem)`); got != "preparing" {
		t.Errorf("while the page goes it shows %s: %s", got, w.eval(`document.body.innerText`))
	}
	first := w.version()
	w.eval(`window.go(), ""`)
	w.until("the next version", `document.querySelector("link[rel=manifest]").href.indexOf("`+first+`") < 0 && document.querySelector(".first .level")`)
}
