package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sipas/survey"
)

// wallSet lets a test set the wall clock of a page, which survives reloads.
const wallSet = `{ const wall = Date.now.bind(Date); Date.now = () => wall() + Number(localStorage.set || 0); }`

func (w *tabletTab) setClock(by time.Duration) {
	w.t.Helper()
	w.eval(fmt.Sprintf(`localStorage.set = %d, ""`, by.Milliseconds()))
}

// ticks waits until the program has looked at its clocks twice, as it does each second.
func ticks() { time.Sleep(2500 * time.Millisecond) }

// TestKioskClockSet: who answers while the tablet's clock is set goes on answering; what is
// stored has the right hour, or says that it is unsure. A page that was hidden meanwhile has slept.
func TestKioskClockSet(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.before(wallSet)
	w.enrol("Máy 1", testDesk)
	w.send()
	h.kill()
	began := time.Now()
	jumps := []time.Duration{2 * time.Minute, -2 * time.Minute, 3 * time.Hour, -3 * time.Hour}
	for _, jump := range jumps {
		w.begin()
		w.setClock(jump)
		ticks()
		if w.eval(`String(Boolean(document.querySelector(".step:not(.first) .level")))`) != "true" {
			t.Fatalf("set by %v: the answer is gone: %s", jump, w.eval(`document.body.innerText`))
		}
		w.skipToSend()
		w.eval(`document.querySelector("#send").click(), ""`)
		w.until("thanks", `document.querySelector("#receipt")`)
		w.eval(`document.querySelector("#done").click(), ""`)
		w.ready()
		w.setClock(0)
		ticks()
	}
	w.begin()
	w.eval(`document.dispatchEvent(new Event("visibilitychange")), ""`)
	w.setClock(3 * time.Hour)
	w.eval(`document.dispatchEvent(new Event("visibilitychange")), ""`) // seen again
	woke := time.Now()
	w.ready()
	if after := time.Since(woke); after > 40*time.Second {
		t.Errorf("the answer went after %v, as one that nobody touches", after)
	}
	if n := w.queued(); n != len(jumps) {
		t.Errorf("%d answers wait, want %d", n, len(jumps))
	}
	w.setClock(0)
	h.serve()
	w.drain()
	stored := h.responses()
	for _, r := range stored {
		right := !r.Answered.Before(began.Add(-time.Minute).Truncate(time.Hour)) && !r.Answered.After(time.Now())
		if !right && r.Flags&survey.FlagClock == 0 {
			t.Errorf("answered at %v, without a flag: %v", r.Answered, r.Flags)
		}
	}
	if len(stored) != len(jumps) {
		t.Errorf("%d answers are stored, want %d", len(stored), len(jumps))
	}
}

// TestKioskClockWrong: a tablet whose clock was right and no longer is calls it that, running and
// after a start, and never says that there is no survey; set right, it goes on.
func TestKioskClockWrong(t *testing.T) {
	waits(t)
	chromium(t)
	h := openHall(t, hallDocuments(t))
	w := h.newTablet(800, 1280)
	w.before(wallSet + `new MutationObserver(() => { if (document.querySelector('[data-problem="closed"]')) console.log("closed"); }).observe(document, { subtree: true, childList: true });`)
	w.enrol("Máy 1", testDesk)
	w.send()
	h.kill()
	const saysClock = `document.querySelector('[data-problem="clock"]')`
	for _, jump := range []time.Duration{10 * 8766 * time.Hour, 40 * 24 * time.Hour, -40 * 24 * time.Hour, -57 * 8766 * time.Hour} {
		w.setClock(jump)
		w.until(fmt.Sprintf("that the clock is wrong by %v", jump), saysClock)
		for range 2 {
			w.navigate("/kiosk")
			w.until(fmt.Sprintf("after a start, that the clock is wrong by %v", jump), saysClock)
		}
		w.photograph("kiosk-clock")
		w.setClock(0)
		w.ready()
		w.navigate("/kiosk")
		w.ready()
	}
	// By less than that it is another day at most, and the monotonic clock tells the time.
	w.setClock(20 * time.Hour)
	ticks()
	w.ready()
	for _, c := range w.complaints {
		if strings.Contains(c, "closed") {
			t.Error("the tablet said that there is no survey")
		}
	}
	// A contact says what time it is, whatever the clock shows.
	w.setClock(10 * 8766 * time.Hour)
	w.until("that the clock is wrong", saysClock)
	w.menu()
	h.serve()
	w.sendFromMenu()
	w.ready()
}
