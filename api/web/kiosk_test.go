package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	pagedomain "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// manyAnswers are as many as the long tests give.
func manyAnswers(t *testing.T) int { return ciOr(t, 500, 60) }

// TestKioskOffline: a tablet without network takes answers, through reloads and through a
// browser that is killed; all of them arrive once.
func TestKioskOffline(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	many := manyAnswers(t)
	h := openHall(t, docs)
	w := h.newMortalTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	if result, _ := w.send(); result != "tốt" {
		t.Fatal(result)
	}
	w.offline(true)
	first := many / 5
	w.answerAll(first, 1)
	w.do(chromedp.Reload())
	w.ready()
	if result, queued := w.send(); result != "không có mạng" || queued != fmt.Sprint(first) {
		t.Errorf("offline: %s, %s wait", result, queued)
	}
	// The power fails while somebody answers.
	failed := make(chan error, 1)
	go func() { failed <- w.answer(many, 2) }()
	h.wait("answers", func() bool { return len(w.acknowledged()) >= many/2 })
	w.kill()
	if err := <-failed; err == nil {
		t.Error("all answers were given before the browser was killed")
	}
	h.kill() // and with it the network
	w.open(800, 1280)
	w.navigate("/kiosk")
	w.ready()
	left := many - w.queued()
	w.answerAll(left, 3)
	if n := w.queued(); n != many {
		t.Errorf("%d answers wait, want %d", n, many)
	}
	h.serve()
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 1)
	if n := len(h.responses()); n != many {
		t.Errorf("%d answers are stored, want %d", n, many)
	}
	d := h.device()
	if d.Queue != 0 || len(d.Missing) != 0 || d.Given != int64(many) || d.Unaccounted != 0 || d.Clones != 0 {
		t.Errorf("the tablet: %+v", d)
	}
}

// TestKioskServerKilled: the server dies in the middle of taking answers, twice.
func TestKioskServerKilled(t *testing.T) {
	waits(t)
	chromium(t)
	many := manyAnswers(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	w := h.newTablet(1280, 800)
	w.enrol("Máy 1", testDesk)
	w.send()
	w.offline(true)
	w.answerAll(many, 7)
	w.offline(false)
	// The first batch arrives and its answer is lost; the second dies on its way.
	for i, whole := range []bool{true, false} {
		var batches atomic.Int32
		h.set(func(rw http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/api/v1/kiosk/sync" || batches.Add(1) > 1 {
				return false
			}
			answered := h.forward(r)
			if whole {
				<-answered
			} else {
				time.Sleep(3 * time.Millisecond)
			}
			_ = h.process.Process.Kill()
			panic(http.ErrAbortHandler)
		})
		if i > 0 {
			h.serve() // not before: the tablet may be in contact at any moment
		}
		if result, queued := w.send(); result != "không có mạng" || queued != fmt.Sprint(many) {
			t.Errorf("the server died: %s, %s wait", result, queued)
		}
		h.kill()
	}
	h.set(nil)
	h.serve()
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
	if d := h.device(); d.Queue != 0 || len(d.Missing) != 0 || d.Clones != 0 {
		t.Errorf("the tablet: %+v", d)
	}
}

// watchStorage is in the page before anything else: it notes the order of writes and
// thanks.
const watchStorage = `
	window.story = [];
	const begin = IDBDatabase.prototype.transaction;
	IDBDatabase.prototype.transaction = function (stores, mode, options) {
		const t = begin.call(this, stores, mode, options), queue = [].concat(stores).includes("queue");
		if (mode === "readwrite" && this.name === "sipas-kiosk") {
			story.push("write " + (options && options.durability) + " " + t.durability);
			if (queue && window.breakNext) { const name = window.breakNext; window.breakNext = ""; setTimeout(() => t.abort()); t.commit = () => {}; }
			t.addEventListener("complete", () => { if (queue) story.push("complete"); });
			t.addEventListener("abort", () => { if (queue) story.push("abort"); });
		}
		return t;
	};
	new MutationObserver(() => { if (document.querySelector("#stored") && story[story.length - 1] !== "thanks") story.push("thanks"); }).observe(document, { subtree: true, childList: true });
`

func (w *tabletTab) before(script string) {
	w.t.Helper()
	w.do(chromedp.Action[chromedp.Void](func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, pagedomain.AddScriptToEvaluateOnNewDocument, pagedomain.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return chromedp.Void{}, err
	}))
}

// TestKioskDurability: every write is strict, and thanks come after it is complete; a
// write that fails is tried again, and where it keeps failing nobody is thanked.
func TestKioskDurability(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.before(watchStorage)
	w.enrol("Máy 1", testDesk)
	w.eval(`String(window.story = [])`)
	w.answerAll(2, 1)
	var story []string
	if err := json.Unmarshal([]byte(w.eval(`JSON.stringify(story)`)), &story); err != nil {
		t.Fatal(err)
	}
	thanks, completes := 0, 0
	for _, event := range story {
		switch {
		case strings.HasPrefix(event, "write") && event != "write strict strict":
			t.Errorf("a write is %q", event)
		case event == "complete":
			completes++
		case event == "thanks":
			if thanks++; completes < thanks {
				t.Errorf("thanks before the write was complete: %v", story)
			}
		}
	}
	if thanks != 2 || completes < 2 {
		t.Errorf("what happened: %v", story)
	}
	before := w.queued()
	w.eval(`window.breakNext = "AbortError"`)
	w.answerAll(1, 2) // the second try succeeds
	if n := w.queued(); n != before+1 {
		t.Errorf("%d wait, want one more than %d", n, before)
	}
	w.eval(`String(Object.defineProperty(window, "breakNext", { get: () => "AbortError", set() {} }))`)
	go func() { _ = w.answer(1, 3) }()
	w.until("the tablet stops", `document.querySelector('[data-problem="stopped"]')`)
	w.photograph("kiosk-stopped")
	if strings.Contains(w.eval(`JSON.stringify(story)`), `"abort","thanks"`) {
		t.Error("thanks were shown for an answer that was not stored")
	}
	if n := w.queued(); n != before+1 {
		t.Errorf("%d wait, want %d", n, before+1)
	}
}

// TestKioskFails: who loses an answer reads so, whatever was at fault, and for long enough;
// a tablet that is full still hands its answers over, after a start too.
func TestKioskFails(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.before(aheadOfTime + `window.full = false;
		const every = setInterval; window.setInterval = (f, ms) => { if (ms === 60e3) window.look = f; return every(f, ms); };
		const put = IDBObjectStore.prototype.put;
		IDBObjectStore.prototype.put = function (...a) {
			if (full && this.transaction.db.name === "sipas-kiosk") throw new DOMException("no room", "QuotaExceededError");
			return put.apply(this, a);
		};`)
	w.enrol("Máy 1", testDesk)
	w.answerAll(2, 1)
	w.eval(`window.digest = crypto.subtle.digest, crypto.subtle.digest = () => Promise.reject(new Error("no digest")), ""`)
	go func() { _ = w.answer(1, 2) }()
	w.until("that the answer was not stored", `document.querySelector('[data-problem="stopped"]')`)
	w.eval(`delete crypto.subtle.digest, look(), ""`)
	time.Sleep(1500 * time.Millisecond) // the program looks every second
	if w.eval(`String(Boolean(document.querySelector('[data-problem="stopped"]')))`) != "true" {
		t.Error("nobody can read that the answer was not stored")
	}
	w.eval(`window.ahead += 21e3, look(), ""`)
	w.ready()
	w.before(`window.full = true;`)
	w.navigate("/kiosk")
	w.until("that it is full", `document.querySelector('[data-problem="full"]')`)
	var out exported
	h.call("POST", "/api/v1/kiosk/exports", w.export(), &out)
	if out.Answers != 2 || out.Stored != 2 {
		t.Errorf("the export: %+v", out)
	}
}

// variant is the built-in program with some files changed.
func variant(t *testing.T, change func(map[string][]byte)) string {
	t.Helper()
	folder, files := t.TempDir(), kiosk.AppFiles()
	change(files)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func replace(t *testing.T, files map[string][]byte, name, old, now string) {
	t.Helper()
	if !bytes.Contains(files[name], []byte(old)) {
		t.Fatalf("%s does not say %s", name, old)
	}
	files[name] = bytes.ReplaceAll(files[name], []byte(old), []byte(now))
}

// TestKioskUpdate: the next version, with another database, takes over hundreds of answers
// that wait; a download that is cut changes nothing; a version that does not come to life goes
// back to the one before by itself; and the server may go back as well.
func TestKioskUpdate(t *testing.T) {
	waits(t)
	chromium(t)
	many := manyAnswers(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.send()
	first := w.version()
	w.offline(true)
	w.answerAll(many, 5)
	w.offline(false)
	next := variant(t, func(files map[string][]byte) {
		replace(t, files, "storage.js", "const version = 1;", "const version = 2;")
		replace(t, files, "storage.js", "['meta', 'queue', 'kept', 'sessions']) {", "['meta', 'queue', 'kept', 'sessions', 'more']) {")
		replace(t, files, "sw.js", "// The service worker", "// The next service worker")
	})
	h.kill()
	h.order.App = next
	// Nothing is sent yet, so that the answers must survive the change.
	h.set(func(rw http.ResponseWriter, r *http.Request) bool {
		switch {
		case strings.HasSuffix(r.URL.Path, "/queue.js"): // cut in the middle
			rw.Header().Set("Content-Length", "100000")
			_, _ = rw.Write([]byte("// The answers on a tablet"))
			panic(http.ErrAbortHandler)
		case r.URL.Path == "/api/v1/kiosk/sync":
			return h.emptied(rw, r)
		}
		return false
	})
	h.serve()
	w.send()
	if v := w.version(); v != first || w.queued() != many {
		t.Errorf("after a cut download: version %s, %d wait", v, w.queued())
	}
	// A network that puts something of its own into pages.
	h.set(func(rw http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/sync.js") {
			rw.Header().Set("Content-Type", "text/javascript")
			_, _ = rw.Write([]byte("export class Sync {}"))
			return true
		}
		return r.URL.Path == "/api/v1/kiosk/sync" && h.emptied(rw, r)
	})
	w.send()
	if v := w.version(); v != first || w.queued() != many {
		t.Errorf("after an altered download: version %s, %d wait", v, w.queued())
	}
	w.menu()
	h.set(func(rw http.ResponseWriter, r *http.Request) bool {
		return r.URL.Path == "/api/v1/kiosk/sync" && h.emptied(rw, r)
	})
	w.sendFromMenu()
	w.until("the next version", `document.querySelector("link[rel=manifest]").href.indexOf("`+first+`") < 0 && document.querySelector(".first .level")`)
	second := w.version()
	if w.queued() != many {
		t.Errorf("%d answers wait after the update, want %d", w.queued(), many)
	}
	if v := w.ask(`new Promise((r) => { const q = indexedDB.open("sipas-kiosk"); q.onsuccess = () => { r(String(q.result.version)); q.result.close(); }; })`); v != "2" {
		t.Errorf("the database has version %s", v)
	}
	// One that never comes to life.
	h.kill()
	h.order.App = variant(t, func(files map[string][]byte) {
		replace(t, files, "main.js", "async function main() {", "async function main() { throw new Error('a fault');")
		replace(t, files, "main.js", "setTimeout(() => location.reload(), 60e3);", "")
	})
	w.menu()
	h.serve()
	w.sendFromMenu()
	w.until("the broken version", `document.querySelector('[data-problem="stopped"]')`)
	for range 3 {
		w.navigate("/kiosk")
	}
	w.ready()
	if v := w.version(); v != second {
		t.Errorf("after a broken version: %s, want %s", v, second)
	}
	w.send() // offers the broken one again
	if v := w.version(); v != second || w.queued() != many {
		t.Errorf("the broken version came back: %s, %d wait", v, w.queued())
	}
	// Back to the first: the older program works on the newer database.
	h.kill()
	h.order.App = ""
	w.menu()
	h.serve()
	w.sendFromMenu()
	w.until("the first version", `document.querySelector("link[rel=manifest]").href.indexOf("`+first+`") > 0 && document.querySelector(".first .level")`)
	w.answerAll(2, 6)
	h.set(nil)
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
}

// TestKioskMonth: a tablet that was without network for 35 days, with the service worker
// of then, opens, asks the round of today and is up to date after a contact.
func TestKioskMonth(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	today := survey.DateOf(time.Now())
	later := docs.Rounds[0]
	later.ID, later.First, later.Last = "r-later", today.AddDays(30), today.AddDays(50)
	docs.Rounds = append(docs.Rounds, later)
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.send()
	h.kill()
	w.before(`const real = Date.now; Date.now = () => real() + 35 * 86400e3;`)
	w.navigate("/kiosk")
	w.ready()
	w.answerAll(3, 1)
	if w.queued() != 3 {
		t.Errorf("%d answers wait", w.queued())
	}
	h.order.App = variant(t, func(files map[string][]byte) {
		replace(t, files, "sw.js", "// The service worker", "// A newer service worker")
	})
	before := w.version()
	w.menu()
	h.serve()
	w.sendFromMenu()
	w.until("the newer version", `document.querySelector("link[rel=manifest]").href.indexOf("`+before+`") < 0`)
	// The round of then has not begun by the server's clock: it asks staff, and loses nothing.
	if d := h.device(); d.Queue != 0 || len(d.Missing) != 0 {
		t.Errorf("the tablet: %+v", d)
	}
	var aside quarantineList
	h.call("GET", "/api/v1/quarantine", "", &aside)
	if len(aside.Answers)+len(h.responses()) != 3 {
		t.Errorf("%d in quarantine", len(aside.Answers))
	}
}

// TestKioskCaptivePortal: a network that answers everything itself deletes nothing.
func TestKioskCaptivePortal(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.send()
	w.answerAll(5, 1)
	h.set(func(rw http.ResponseWriter, r *http.Request) bool {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write([]byte("<html><h1>Đăng nhập Wi-Fi</h1></html>"))
		return true
	})
	if result, queued := w.send(); !strings.HasPrefix(result, "mạng trả lời thay") || queued != "5" {
		t.Errorf("a captive portal: %s, %s wait", result, queued)
	}
	w.navigate("/kiosk")
	w.ready()
	if got := w.ask(`navigator.serviceWorker.ready.then((r) => r.update()).then(() => "taken", () => "refused")`); got != "refused" {
		t.Errorf("the service worker of a captive portal was %s", got)
	}
	w.navigate("/kiosk")
	w.ready()
	if n, controlled := w.queued(), w.eval(`String(Boolean(navigator.serviceWorker.controller))`); n != 5 || controlled != "true" {
		t.Errorf("after a captive portal: %d wait, under a service worker: %s", n, controlled)
	}
	h.set(nil)
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
}

// TestKioskRestore: the server is restored from a backup of before the last contact;
// tablets send again what it lacks, and forget what a verified backup covers.
func TestKioskRestore(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.answerAll(4, 1)
	w.drain()
	h.stop()
	st := h.openStore()
	var backup bytes.Buffer
	if _, err := st.Backup(t.Context(), &backup, store.BackupOptions{Made: time.Now(), Random: rand.Reader}); err != nil {
		t.Fatal(err)
	}
	h.closeStore(st)
	h.serve()
	w.answerAll(6, 2)
	w.drain()
	if n := len(h.responses()); n != 10 {
		t.Fatalf("%d answers", n)
	}
	h.kill()
	h.order.Folder = t.TempDir()
	engine, err := store.OpenFile(h.order.Folder, store.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(t.Context(), engine, hallSecret(), func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(backup.Bytes())), nil }, store.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := engine.Close(); err != nil {
		t.Fatal(err)
	}
	h.serve()
	w.send() // says what is there; the tablet asks its answers back into the queue
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
	if kept := w.kept(); kept != "10" {
		t.Errorf("%s answers are kept before any backup", kept)
	}
	// A backup that was verified and is kept covers them.
	contact := h.contact()
	h.callAs(h.backups, "POST", "/api/v1/kiosk/covered", mustJSON(t, coveredBackup{Covers: []store.Cover{{Device: h.device().ID, Epoch: contact.Epochs[0].ID, Received: contact.Epochs[0].Received}}}), nil)
	w.send()
	if kept := w.kept(); kept != "0" {
		t.Errorf("%s answers are kept after a backup covers them", kept)
	}
}

// TestKioskLeavesNothing: who walks away leaves nothing in storage, history and page.
func TestKioskLeavesNothing(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	// The monotonic clock can be put ahead, and be held, so that a slow machine changes nothing.
	w.before(`window.ahead = 0; window.held = null; const now = performance.now.bind(performance); performance.now = () => (held ?? now()) + ahead;
		window.hold = () => { held = now(); }; window.release = () => { ahead += held - now(); held = null; }; window.slept = 0; const wall = Date.now.bind(Date); Date.now = () => wall() + slept;`)
	device := w.enrol("Máy 1", testDesk)
	h.call("POST", "/api/v1/devices/"+device, `{"comments":true}`, nil)
	w.send()
	w.ready()
	// From now on all that comes is known.
	h.kill()
	before, history := w.everything(), w.eval(`String(history.length)`)
	screen := w.eval(`document.documentElement.outerHTML`)
	w.begin()
	w.skipToSend()
	w.eval(`document.querySelector("#more").click(), document.querySelector("#more-comment").click(), ""`)
	w.eval(`window.hold(), ""`)
	w.do(chromedp.SendKeys(chromedp.CSS("#comment"), "Nguyễn Thị Bí Mật"))
	if w.eval(`String(document.querySelector("#app").innerText.length > 0)`) != "true" {
		t.Fatal("no screen")
	}
	idle := func(seconds int) { w.eval(fmt.Sprintf("window.ahead += %d, ''", seconds*1000)) }
	idle(59)
	time.Sleep(1500 * time.Millisecond) // the program looks every second
	if w.eval(`String(Boolean(document.querySelector("dialog.idle[open]")))`) != "false" {
		t.Error("the warning comes before 60 seconds")
	}
	idle(1)
	w.until("the warning", `document.querySelector("dialog.idle[open]")`)
	w.photograph("kiosk-idle")
	w.eval(`String(document.querySelector("#stay").click())`)
	if w.eval(`String(document.querySelector("#comment").value)`) != "Nguyễn Thị Bí Mật" {
		t.Error("who stays loses what was written")
	}
	idle(61)
	w.until("the warning again", `document.querySelector("dialog.idle[open]")`)
	idle(18)
	time.Sleep(1500 * time.Millisecond)
	if w.eval(`String(Boolean(document.querySelector("dialog.idle[open]")))`) != "true" {
		t.Error("the answer is given up before 20 seconds of warning")
	}
	idle(1)
	w.ready()
	w.eval(`window.release(), ""`)
	var after string
	h.wait("the count of those who left", func() bool { after = w.everything(); return strings.Contains(after, `"abandoned":1`) })
	for _, secret := range []string{"Bí Mật", "Nguyễn"} {
		if strings.Contains(after+w.eval(`document.documentElement.outerHTML`), secret) {
			t.Errorf("%q is still there", secret)
		}
	}
	// But for the count of those who left, and clocks.
	if trimmed(before) != trimmed(after) {
		t.Errorf("storage before and after:\n%s\n%s", before, after)
	}
	if n := w.eval(`String(history.length)`); n != history {
		t.Errorf("history has %s entries, had %s", n, history)
	}
	if now := w.eval(`document.documentElement.outerHTML`); now != screen {
		t.Errorf("the start is another page than before:\n%s\n%s", screen, now)
	}
	// A tablet that sleeps in the middle, which hides the page, wakes up at the start: its
	// monotonic clock may have stood still.
	w.begin()
	w.eval(`document.dispatchEvent(new Event("visibilitychange")), window.slept += 3 * 3600e3, document.dispatchEvent(new Event("visibilitychange")), ''`)
	w.ready()
	// So go the thanks of somebody who left them, and a language that somebody chose.
	w.begin()
	w.skipToSend()
	w.eval(`String(document.querySelector("#send").click())`)
	w.until("thanks", `document.querySelector("#receipt")`)
	// Who looks for a telephone has a minute and a half, and as much again after a touch.
	idle(85)
	w.until("the last seconds", `document.querySelector("#closes").textContent.includes(" 5 ")`)
	w.do(chromedp.MouseClickXY(5, 5))
	w.until("more seconds", `document.querySelector("#closes").textContent.includes(" 90 ")`)
	idle(91)
	w.ready()
	w.eval(`document.querySelector(".language").click(), document.querySelector("#large").click(), ""`)
	if lang := w.eval(`document.documentElement.lang + document.documentElement.className`); lang != "enlarge" {
		t.Errorf("the language and the size are %s", lang)
	}
	idle(61)
	w.until("Vietnamese of the usual size again", `document.documentElement.lang === "vi" && document.documentElement.className === ""`)
	// Who has answered something is asked before it goes, also on the screens after the
	// questions, where sending is one touch away.
	w.begin()
	w.eval(`String(document.querySelector("#stop").click())`)
	w.until("that it is asked", `document.querySelector("#send")`)
	w.eval(`String(document.querySelector("#on").click())`)
	for w.eval(`String(Boolean(document.querySelector(".level")))`) == "true" {
		w.eval(`String(document.querySelector("#next").click())`)
	}
	w.eval(`String(document.querySelector("#stop").click())`)
	w.until("that it is asked", `document.querySelector("#send")`)
	w.eval(`String(document.querySelector("#leave").click())`)
	w.ready()
	if n := w.queued(); n != 1 {
		t.Errorf("%d answers wait, want that of before", n)
	}
	// Nor is anything left of the tablet itself once staff unpaired it, which a double touch
	// does not.
	h.serve()
	w.drain()
	w.menu()
	unpair := func() { w.eval(`String(document.querySelector("#do-unpair").click())`) }
	w.eval(`window.hold(), ""`)
	unpair()
	unpair()
	w.until("that it is asked", `document.querySelector("#said").textContent.includes("Chạm lần nữa")`)
	idle(1)
	unpair()
	w.until("that it is asked", `document.querySelector("#said").textContent.includes("Chạm lần nữa")`)
	idle(2)
	unpair()
	w.until("the page for pairing", `document.querySelector("#code") && !document.querySelector("#said")`)
	if left := w.everything(); strings.Contains(left, device) || strings.Contains(left, testDesk) {
		t.Errorf("after it was unpaired: %s", left)
	}
}

// TestKioskTouches: the second half of a double touch, on a face, on sending or on the end of
// thanks, does nothing.
func TestKioskTouches(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	var at struct{ X, Y float64 }
	where := func(selector string) {
		t.Helper()
		text := w.eval(`(() => { const r = document.querySelector('` + selector + `').getBoundingClientRect(); return JSON.stringify({ X: r.x + r.width / 2, Y: r.y + r.height / 2 }); })()`)
		if err := json.Unmarshal([]byte(text), &at); err != nil {
			t.Fatal(err)
		}
	}
	// twice touches again as soon as the next screen is there, and says whether that was
	// within the time in which it must not count: a busy machine may be slower.
	twice := func(what, selector string) bool {
		t.Helper()
		started := time.Now()
		w.do(chromedp.MouseClickXY(at.X, at.Y))
		w.until(what, `document.querySelector("`+selector+`")`)
		w.do(chromedp.MouseClickXY(at.X, at.Y))
		return time.Since(started) < 350*time.Millisecond
	}
	for range 10 {
		time.Sleep(500 * time.Millisecond) // as a person who reads
		where(`.first .level[data-value="4"]`)
		quick := twice("the second question", ".step:not(.first)")
		if got := w.eval(`document.querySelector(".bar").innerText`); quick && !strings.HasPrefix(got, "2/7") {
			t.Errorf("two touches on a face lead to %q", got)
		}
		w.skipToSend()
		time.Sleep(500 * time.Millisecond)
		// What comes lies where the touches were: thanks must stay, and nothing be answered.
		w.eval(`document.querySelector("#send").style.position = "fixed", document.querySelector("#send").style.inset = "0", ""`)
		where("#send")
		quick = twice("thanks", "#receipt") && quick
		if got := w.eval(`String(Boolean(document.querySelector("#receipt")))`); quick && got != "true" {
			t.Error("two touches on sending end the thanks")
		}
		time.Sleep(500 * time.Millisecond)
		w.eval(`document.querySelector("#done").style.position = "fixed", document.querySelector("#done").style.inset = "0", ""`)
		where("#done")
		quick = twice("the first question", ".first .level") && quick
		if got := w.eval(`String(Boolean(document.querySelector(".first .level")))`); quick && got != "true" {
			t.Error("two touches on the end of thanks begin a visit")
		}
		if quick {
			return
		}
		w.eval(`document.querySelector("#stop") && document.querySelector("#stop").click(), document.querySelector("#leave") && document.querySelector("#leave").click(), ""`)
		w.ready()
	}
	t.Skip("this machine is too busy to touch twice in 350 ms")
}

// aheadOfTime lets a test move the monotonic clock of a page.
const aheadOfTime = `window.ahead = 0; const now = performance.now.bind(performance); performance.now = () => now() + ahead;`

// TestKioskIdleTouch: a touch that says that somebody is still there, by a finger or a
// mouse, says nothing else: no question below the warning is answered by it.
func TestKioskIdleTouch(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.before(aheadOfTime)
	w.enrol("Máy 1", testDesk)
	w.begin()
	w.do(command(emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true}))
	for _, by := range []string{"finger", "mouse"} {
		for _, on := range []string{"#stay", `.level[data-value="1"]`, `.level[data-value="3"]`, "#next", "#stop"} {
			w.eval(`window.ahead += 61e3, ""`)
			w.until("the warning", `document.querySelector("dialog.idle[open]")`)
			// What is touched covers what could be touched wrongly.
			w.eval(`(() => { const r = (s) => document.querySelector(s).getBoundingClientRect(); document.querySelector("dialog").style.translate = "0 " + (r(".level").y - r("#stay").y) + "px"; })(), ""`)
			var at input.TouchPoint
			if err := json.Unmarshal([]byte(w.eval(`(() => { const r = document.querySelector('`+on+`').getBoundingClientRect(); return JSON.stringify({ x: r.x + r.width / 2, y: r.y + r.height / 2 }); })()`)), &at); err != nil {
				t.Fatal(err)
			}
			if by == "finger" {
				w.do(command(input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchStart, TouchPoints: []*input.TouchPoint{&at}}),
					command(input.DispatchTouchEvent, input.DispatchTouchEventParams{Type: input.DispatchTouchEventTypeTouchEnd, TouchPoints: []*input.TouchPoint{}}))
			} else {
				w.do(chromedp.MouseClickXY(at.X, at.Y))
			}
			w.until("an end of the warning", `!document.querySelector("dialog.idle")`)
			time.Sleep(300 * time.Millisecond) // whatever else comes of it has come
			if got := w.eval(`document.querySelector(".bar") ? document.querySelector(".bar").innerText : document.body.innerText`); !strings.HasPrefix(got, "2/7") {
				t.Fatalf("a %s on the warning, at %s, leads to %q", by, on, got)
			}
		}
	}
}

// TestKioskSound: who listens is not idle; but a recording that never ends, as on a tablet
// whose sound is taken away by the system, keeps no visit open.
func TestKioskSound(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	docs.Rounds[0].Form = survey.FormFull
	h := openHall(t, docs)
	h.kill()
	h.order.Sounds = t.TempDir()
	if err := os.WriteFile(filepath.Join(h.order.Sounds, testSound), tone(), 0o600); err != nil {
		t.Fatal(err)
	}
	h.serve()
	w := h.newTablet(800, 1280)
	w.before(aheadOfTime + `window.played = 0;
		AudioBufferSourceNode.prototype.start = () => { played++; };
		AudioBufferSourceNode.prototype.stop = () => {};
		Object.defineProperty(AudioBuffer.prototype, "duration", { get: () => 90 });`)
	w.enrol("Máy 1", testDesk)
	// Who comes back to the first question is in a visit.
	w.until("a recording", `document.querySelector("#hear")`)
	w.begin()
	w.eval(`String(document.querySelector("#back").click())`)
	w.eval(`String(document.querySelector("#hear").click())`)
	w.until("the sound", `played === 1`)
	w.eval(`window.ahead += 85e3, ""`)
	time.Sleep(1500 * time.Millisecond) // the program looks every second
	if w.eval(`String(Boolean(document.querySelector("dialog.idle[open]")))`) != "false" {
		t.Error("who listens for 85 of 90 seconds is taken for gone")
	}
	w.eval(`window.ahead += 67e3, ""`)
	w.until("the warning", `document.querySelector("dialog.idle[open]")`)
	w.eval(`window.ahead += 20e3, ""`)
	w.ready()
}

// TestKioskStaffFirst: a first question that takes a moment to come does not come over what
// staff do meanwhile.
func TestKioskStaffFirst(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	docs.Rounds[0].Form = survey.FormSplit // the part is drawn first
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.menu()
	w.eval(`(() => { const digest = crypto.subtle.digest; crypto.subtle.digest = async (...a) => { await new Promise((r) => { window.go = r; }); return digest.apply(crypto.subtle, a); }; })(), ""`)
	w.eval(`String(document.querySelector("#do-close").click())`)
	w.until("a draw", `window.go`)
	w.eval(`String(document.querySelector("#do-pair").click())`)
	w.until("the page for pairing", `document.querySelector("#code")`)
	w.eval(`delete crypto.subtle.digest, go(), ""`)
	time.Sleep(300 * time.Millisecond)
	if w.eval(`String(Boolean(document.querySelector("#code")))`) != "true" {
		t.Errorf("the page for pairing is gone: %s", w.eval(`document.body.innerText`))
	}
	w.do(chromedp.Click(chromedp.CSS(`.entry button[type="button"]`)))
	w.ready()
	w.answerAll(1, 1)
}

// TestKioskDesk: a tablet that was moved names its new desk and leaves answers where they
// were given; one that was revoked says so, keeps its answers and hands them over.
func TestKioskDesk(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	w := h.newTablet(1280, 800)
	device := w.enrol("Máy 1", testDesk)
	w.send()
	w.offline(true)
	w.answerAll(3, 1)
	w.offline(false)
	h.call("POST", "/api/v1/devices/"+device, `{"desk":"Q2","message":"Sạc máy trước 17 giờ"}`, nil)
	w.drain()
	w.until("the new desk", `document.querySelector(".top").innerText.includes("Quầy 2") && document.querySelector(".message").innerText.includes("Sạc máy")`)
	w.photograph("kiosk-moved")
	w.answerAll(2, 2)
	w.drain()
	desks := map[string]int{}
	for _, r := range h.responses() {
		desks[r.Desk]++
	}
	if desks[testDesk] != 3 || desks["Q2"] != 2 {
		t.Errorf("answers by desk: %v", desks)
	}
	w.answerAll(2, 3)
	h.call("POST", "/api/v1/devices/"+device+"/revoke", "", nil)
	w.send()
	w.until("that it was revoked", `document.querySelector('[data-problem="revoked"]')`)
	w.photograph("kiosk-revoked")
	if w.queued() != 2 {
		t.Errorf("%d answers wait on a revoked tablet", w.queued())
	}
	w.navigate("/kiosk")
	w.until("that it was revoked", `document.querySelector('[data-problem="revoked"]')`)
	file := w.export()
	var out exported
	h.call("POST", "/api/v1/kiosk/exports", file, &out)
	if out.Answers != 2 || out.Stored != 2 {
		t.Errorf("the export: %+v", out)
	}
	// What the server said of the file empties the queue; something else does not.
	w.menu()
	for _, text := range []string{`{"receipts":"none"}`, strings.ReplaceAll(mustJSON(t, out), `"stored"`, `"withdrawn"`), mustJSON(t, out)} {
		w.eval(fmt.Sprintf(`{ const files = new DataTransfer(); files.items.add(new File([%q], "receipts.json")); const input = document.querySelector("#receipts"); input.files = files.files; document.querySelector("#said").textContent = ""; input.dispatchEvent(new Event("change")); }; ""`, text))
		w.until("an answer", `document.querySelector("#said").textContent`)
		if want := map[bool]int{true: 0, false: 2}[text == mustJSON(t, out)]; w.queued() != want {
			t.Errorf("after %.60s %d answers wait, want %d", text, w.queued(), want)
		}
	}
	w.eval(`String(document.querySelector("#do-close").click())`)
	w.until("that it was revoked", `document.querySelector('[data-problem="revoked"]')`)
	// Paired again, it goes on.
	var again PairedDevice
	h.call("POST", "/api/v1/devices/"+device+"/pairing", "", &again)
	w.enterFromMenu(again.Code, "2468")
	w.ready()
	w.answerAll(1, 4)
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
}

// TestKioskSplit: a tablet draws the part that somebody is asked as the server does, which
// takes no answer to a question of another part.
func TestKioskSplit(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	docs.Rounds[0].Form = survey.FormSplit
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.answerAll(12, 1)
	w.drain()
	parts := map[string]bool{}
	for _, r := range h.responses() {
		parts[r.Module] = true
		if n := r.Answers.Asked(); n == len(r.Answers) {
			t.Error("everything was asked")
		}
	}
	if n := len(h.responses()); n != 12 || len(parts) < 2 {
		t.Errorf("%d answers stored, of the parts %v", n, parts)
	}
}

// TestKioskScreens looks at every screen, in both positions, and reads them with axe.
func TestKioskScreens(t *testing.T) {
	chromium(t)
	rules := axe(t)
	docs := hallDocuments(t)
	docs.Rounds[0].Form = survey.FormFull
	sounds := t.TempDir()
	if err := os.WriteFile(filepath.Join(sounds, testSound), tone(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, size := range []struct{ width, height int64 }{{800, 1280}, {1280, 800}} {
		name := fmt.Sprintf("kiosk-%dx%d-", size.width, size.height)
		t.Run(name, func(t *testing.T) {
			h := openHall(t, docs)
			h.kill()
			h.order.Sounds = sounds
			h.serve()
			w := h.newTablet(size.width, size.height)
			look := func(screen string) {
				t.Helper()
				w.photograph(name + screen)
				w.accessible(rules, screen)
				w.noSideways(float64(size.width))
			}
			w.navigate("/kiosk")
			w.until("the page for pairing", `document.querySelector("#code")`)
			look("enrol")
			device := w.enrol("Máy tiếp dân 1", testDesk)
			h.call("POST", "/api/v1/devices/"+device, `{"comments":true,"message":"Lau màn hình trước giờ làm việc"}`, nil)
			w.send()
			w.until("the message", `document.querySelector(".message")`)
			look("first")
			w.eval(`String(document.querySelector(".language").click())`)
			look("first-en")
			w.eval(`String(document.querySelector(".language").click())`)
			w.eval(`String(document.querySelector("#about").click())`)
			look("about")
			if got := w.text("dialog ol"); !strings.Contains(got, "Phiếu đang làm chỉ nằm trên máy này") {
				t.Errorf("the notice says: %.200s", got)
			}
			w.eval(`document.querySelector("#close").click(), document.querySelector("#large").click(), ""`)
			look("large")
			w.eval(`String(document.querySelector("#large").click())`)
			h.kill() // the recording is on the tablet
			w.eval(`window.played = 0, AudioBufferSourceNode.prototype.start = ((start) => function () { played++; return start.call(this); })(AudioBufferSourceNode.prototype.start), ""`)
			w.eval(`String(document.querySelector("#hear").click())`)
			w.until("the recording", `window.played === 1`)
			w.begin()
			look("question")
			// On these screens, an iPad's too, everything can be touched without scrolling.
			for _, at := range [][2]int64{{768, 1024}, {810, 1080}, {1024, 768}, {962, 601}, {size.width, size.height}} {
				w.do(chromedp.EmulateViewport(at[0], at[1]))
				w.photograph(fmt.Sprintf("%squestion-%dx%d", name, at[0], at[1]))
				if w.eval(`String(document.documentElement.scrollHeight - innerHeight)`) != "0" {
					t.Errorf("at %dx%d a question is %s px too high", at[0], at[1], w.eval(`String(document.documentElement.scrollHeight - innerHeight)`))
				}
			}
			w.eval(`String(document.querySelector("#stop").click())`)
			look("left")
			w.eval(`document.querySelector("#on").click(), document.querySelector("#back").click(), ""`)
			w.until("the answer of before", `document.querySelector('.level[data-value="5"]').getAttribute("aria-pressed") === "true"`)
			look("question-answered")
			for w.eval(`String(Boolean(document.querySelector(".option")))`) == "false" {
				w.eval(`String(document.querySelector("#next").click())`)
			}
			look("field")
			w.skipToSend()
			look("send")
			w.eval(`String(document.querySelector("#more").click())`)
			look("more")
			for _, id := range []string{"gender", "comment"} {
				w.eval(`String(document.querySelector("#more-` + id + `").click())`)
				look("more-" + id)
				w.eval(`String(document.querySelector("dialog .option, dialog #close").click())`)
			}
			if got := w.text("#more-gender b"); got != "Nam" {
				t.Errorf("the choice reads %q", got)
			}
			w.eval(`String(document.querySelector("#send").click())`)
			w.until("thanks", `document.querySelector("#receipt")`)
			look("thanks")
			w.qrLeadsTo(`/r#` + w.text("#receipt"))
			w.eval(`String(document.querySelector("#done").click())`)
			w.ready()
			w.eval(`String(document.querySelector("#staff").click())`)
			w.until("the PIN", `document.querySelector("#pin")`)
			look("pin")
			w.do(chromedp.SendKeys(chromedp.CSS("#pin"), "1111"))
			w.eval(`String(document.querySelector("#open").click())`)
			w.until("that the PIN is wrong", `document.querySelector(".wrong").textContent`)
			w.do(chromedp.SendKeys(chromedp.CSS("#pin"), "2468"))
			w.eval(`String(document.querySelector("#open").click())`)
			w.until("the menu", `document.querySelector("#is-queue")`)
			look("menu")
			if w.text("#is-queue") != "1" {
				t.Errorf("%s answers wait", w.text("#is-queue"))
			}
			w.eval(`String(document.querySelector("#do-unpair").click())`)
			w.until("that answers wait", `document.querySelector("#said").textContent.includes("Còn 1 phiếu")`)
			// A test stores nothing.
			w.eval(`String(document.querySelector("#do-test").click())`)
			w.until("a question", `document.querySelector(".message") && document.querySelector(".step:not(.first) .level")`)
			for w.eval(`String(Boolean(document.querySelector("#next")))`) == "true" {
				w.eval(`String(document.querySelector("#next").click())`)
			}
			if w.eval(`String(Boolean(document.querySelector("#send")))`) != "false" {
				t.Error("an answer without any level can be sent")
			}
			look("nothing")
			for w.eval(`String(Boolean(document.querySelector(".level")))`) != "true" {
				w.eval(`String(document.querySelector("#back").click())`)
			}
			w.eval(`String(document.querySelector(".level").click())`)
			w.skipToSend()
			w.eval(`String(document.querySelector("#send").click())`)
			w.until("that it was a test", `document.querySelector("#stored").textContent.includes("thử")`)
			look("test")
			w.eval(`String(document.querySelector("#done").click())`)
			if w.queued() != 1 {
				t.Errorf("after a test %d answers wait", w.queued())
			}
			second := w.another("/kiosk")
			second.until("that another tab has it", `document.querySelector('[data-problem="second"]')`)
			second.photograph(name + "second")
			second.closed()
			w.before(`window.roomy = FileSystemFileHandle.prototype.createWritable; FileSystemFileHandle.prototype.createWritable = async () => { throw new DOMException("no room", "QuotaExceededError"); };`)
			w.navigate("/kiosk")
			w.until("that the storage is full", `document.querySelector('[data-problem="full"]')`)
			look("full")
			w.before(`Date.now = () => 1000;`)
			w.before(`FileSystemFileHandle.prototype.createWritable = roomy;`)
			w.navigate("/kiosk")
			w.until("that the clock is wrong", `document.querySelector('[data-problem="clock"]')`)
			look("clock")
		})
	}
}

// TestKioskMenuCloses: an answer of the server that comes late opens nothing that staff
// have closed.
func TestKioskMenuCloses(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.send()
	reached, release := make(chan struct{}), make(chan struct{})
	h.set(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/api/v1/kiosk/sync" {
			close(reached)
			<-release
		}
		return false
	})
	w.menu()
	w.eval(`String(document.querySelector("#do-sync").click())`)
	<-reached
	w.eval(`String(document.querySelector("#do-close").click())`)
	w.begin()
	before := w.ask(inDatabase + `((db, wait) => wait(db.transaction("meta").objectStore("meta").get("contact")).then((c) => c.at))`)
	h.set(nil)
	close(release)
	h.wait("the contact", func() bool {
		return w.ask(inDatabase+`((db, wait) => wait(db.transaction("meta").objectStore("meta").get("contact")).then((c) => c.at))`) != before
	})
	if w.eval(`String(Boolean(document.querySelector(".level")))`) != "true" {
		t.Errorf("the question is gone: %s", w.eval(`document.body.innerText`))
	}
	// Behind the screen that asks for the PIN neither.
	w.eval(`document.querySelector("#stop").click(), document.querySelector("#leave").click(), ""`)
	w.ready()
	w.eval(`String(document.querySelector("#staff").click())`)
	w.until("the PIN", `document.querySelector("#pin")`)
	// After five wrong ones the right one opens nothing for a minute.
	try := func(pin, says string) {
		t.Helper()
		w.eval(`document.querySelector(".wrong").textContent = "", document.querySelector("#pin").value = "` + pin + `", document.querySelector("#open").click(), ""`)
		w.until(says, `document.querySelector(".wrong").textContent.startsWith("`+says+`")`)
	}
	for range 5 {
		try("0000", "Sai mã PIN")
	}
	try("2468", "Sai nhiều lần")
}

// TestKioskFirstContact: while clocks are set during every contact nothing says when an
// answer is given, so none is taken; then one contact is enough.
func TestKioskFirstContact(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	w.before(`window.ahead = 0; window.setting = true;
		const wall = Date.now.bind(Date); Date.now = () => wall() + ahead;
		const real = fetch; window.fetch = async (...a) => { const r = await real(...a); if (setting && a[0] === "/api/v1/kiosk/sync") ahead += 3600e3; return r; };`)
	var made PairedDevice
	h.call("POST", "/api/v1/devices", fmt.Sprintf(`{"name":"Máy 1","desk":%q}`, testDesk), &made)
	w.enter(made.Code)
	w.until("the survey", `document.querySelector('[data-problem="preparing"]') && ahead > 0`)
	if result, queued := w.send(); !strings.HasPrefix(result, "đồng hồ vừa được chỉnh") || queued != "0" {
		t.Errorf("a clock that was set: %s, %s wait", result, queued)
	}
	w.until("that it still prepares", `document.querySelector('[data-problem="preparing"]')`)
	w.eval(`String(window.setting = false)`)
	if result, _ := w.send(); result != "tốt" {
		t.Errorf("the next contact: %s", result)
	}
	w.ready()
	w.answerAll(2, 1)
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
}

// TestKioskOtherDevice: a tablet that is paired anew as another device asks nothing before
// it has the survey of its new desk.
func TestKioskOtherDevice(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.enrol("Máy 1", testDesk)
	w.send()
	w.answerAll(2, 9)
	w.drain()
	epoch := func() string {
		t.Helper()
		return w.ask(inDatabase + `((db, wait) => wait(db.transaction("meta").objectStore("meta").get("epoch")))`)
	}
	before := epoch()
	var other PairedDevice
	h.call("POST", "/api/v1/devices", `{"name":"Máy 2","desk":"Q2"}`, &other)
	h.set(func(rw http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/api/v1/kiosk/sync" {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	w.enterFromMenu(other.Code, "1357")
	w.until("that it waits for its survey", `document.querySelector('[data-problem="preparing"]')`)
	if epoch() == before || w.kept() != "0" {
		t.Errorf("another device goes on in the epoch %s, with %s answers of the first", before, w.kept())
	}
	w.photograph("kiosk-preparing")
	h.set(nil)
	w.menuBehind("1357")
	w.eval(`String(document.querySelector("#do-sync").click())`)
	w.until("an answer", `document.querySelector("#is-result") && document.querySelector("#is-result").textContent === "tốt"`)
	w.eval(`String(document.querySelector("#do-close").click())`)
	w.until("the new desk", `document.querySelector(".first .level") && document.querySelector(".top").innerText.includes("Quầy 2")`)
	w.answerAll(1, 1)
	w.menuBehind("1357")
	w.eval(`String(document.querySelector("#do-sync").click())`)
	w.until("an empty queue", `document.querySelector("#is-queue").textContent === "0"`)
	desks := map[string]int{}
	for _, r := range h.responses() {
		desks[r.Desk]++
	}
	if desks[testDesk] != 2 || desks["Q2"] != 1 || len(desks) != 2 {
		t.Errorf("stored by desk: %v", desks)
	}
	var list deviceList
	h.call("GET", "/api/v1/devices", "", &list)
	for _, d := range list.Devices {
		if len(d.Missing) > 0 || d.Clones > 0 || d.Unaccounted > 0 {
			t.Errorf("%+v", d)
		}
	}
}

// TestKioskClosed: a tablet at a desk without a round says so.
func TestKioskClosed(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	var made PairedDevice
	h.call("POST", "/api/v1/devices", `{"name":"Máy 4","desk":"X1"}`, &made)
	w.navigate("/kiosk#" + made.Code)
	w.until("the page for pairing", `document.querySelector("#code") && document.querySelector("#code").value`)
	w.do(chromedp.SendKeys(chromedp.CSS("#pin"), "2468"))
	w.do(chromedp.Click(chromedp.CSS("#enrol")))
	w.until("that no round is open", `document.querySelector('[data-problem="closed"]')`)
	w.photograph("kiosk-closed")
	if hash := w.eval(`location.hash`); hash != "" {
		t.Errorf("the pairing code is still in the address: %s", hash)
	}
}

// TestKioskPlain: over plain HTTP the page says why it cannot work.
func TestKioskPlain(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	h := &hall{t: t}
	w := h.newTablet(800, 1280)
	w.do(chromedp.Navigate("http://" + hallHost + e.url[strings.LastIndex(e.url, ":"):] + "/kiosk"))
	w.until("why it cannot work", `document.querySelector('[data-problem="insecure"]')`)
	w.photograph("kiosk-insecure")
}

// tone is a recording of 200 ms, as WAV: browsers look at the content.
func tone() []byte {
	const rate, n = 8000, 1600
	var b bytes.Buffer
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+2*n))
	b.WriteString("WAVEfmt ")
	for _, v := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2), uint16(16)} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(2*n))
	for i := range n {
		_ = binary.Write(&b, binary.LittleEndian, int16(8000*math.Sin(float64(i)/3)))
	}
	return b.Bytes()
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestKioskWithdrawal: the code on the screen leads to the page for withdrawal, which no
// server hears of before its button is pressed.
func TestKioskWithdrawal(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(390, 844)
	w.enrol("Máy 1", testDesk)
	w.answerAll(2, 1)
	w.drain()
	receipt := w.acknowledged()[0].Receipt
	w.navigate("/r#" + receipt)
	w.until("the code in the form", `document.querySelector("#code").value === "`+receipt+`"`)
	if hash := w.eval(`location.hash`); hash != "" {
		t.Errorf("the code stays in the address: %s", hash)
	}
	w.submit(".entry button")
	if n := len(h.responses()); n != 1 {
		t.Errorf("%d answers are stored after one of two was withdrawn", n)
	}
	if strings.Contains(h.log.String(), receipt) {
		t.Error("the code is in the log")
	}
}
