package web

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/storage"
)

// smallDisk is a disk of a few megabytes. Whether a browser's storage fails on a full one as
// on any other is what tests want to know, so nothing stands for it: where the machine does not
// let them mount one they are skipped, and TestKioskQuota remains.
type smallDisk struct {
	t      *testing.T
	folder string
}

func newSmallDisk(t *testing.T) *smallDisk {
	t.Helper()
	d := &smallDisk{t, filepath.Join(t.TempDir(), "disk")}
	if err := os.Mkdir(d.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", d.folder, "tmpfs", 0, "size=160m"); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(d.folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return d
}

func (d *smallDisk) ballast() string { return filepath.Join(d.folder, "pictures") }

// fill leaves not one byte.
func (d *smallDisk) fill() {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		d.t.Error(err)
		return
	}
	defer f.Close()
	for b := make([]byte, 1<<20); len(b) > 0; {
		if _, err := f.Write(b); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				d.t.Error(err)
				return
			}
			b = b[:len(b)/2]
		}
	}
}

// keepFull fills it again as often as anything becomes free, until stop.
func (d *smallDisk) keepFull() (stop func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			d.fill()
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() { close(over); <-ended }
}

// free deletes what filled it.
func (d *smallDisk) free() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.t.Fatal(err)
	}
}

// byHand lets a test run what the program does each minute.
const byHand = `(() => { const every = setInterval; window.setInterval = (f, ms) => { if (ms === 60e3) window.look = f; return every(f, ms); }; })();`

const saysFull = `document.querySelector('[data-problem="full"]')`

// tablet opens a browser on the disk, which has promised not to clear what the service stores,
// as it does where the page is installed: else it clears all of it when the disk is full.
func (d *smallDisk) tablet(h *hall) *tabletTab {
	d.t.Helper()
	folder := filepath.Join(d.folder, "Default")
	settings := fmt.Sprintf(`{"profile":{"content_settings":{"exceptions":{"durable_storage":{"%s,*":{"setting":1}}}}}}`, h.url(""))
	if err := errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "Preferences"), []byte(settings), 0o600)); err != nil {
		d.t.Fatal(err)
	}
	w := &tabletTab{hall: h, profile: d.folder}
	w.open(800, 1280)
	d.t.Cleanup(func() { w.closed() })
	w.before(byHand + aheadOfTime)
	w.enrol("Máy 1", testDesk)
	w.until("the promise", `navigator.storage.persisted().then((yes) => { window.kept = yes; }) && window.kept`)
	return w
}

// TestKioskFullDisk: on a disk without a single byte left a tablet says so, after a reload and
// after a start, without network too; its answers can be exported; and it goes on by itself, in
// the same page, once there is room.
func TestKioskFullDisk(t *testing.T) {
	waits(t)
	chromium(t)
	disk, docs := newSmallDisk(t), hallDocuments(t)
	h := openHall(t, docs)
	w := disk.tablet(h)
	w.answerAll(3, 1)
	exported := func(when string) {
		t.Helper()
		var out exported
		file := w.export()
		w.until(when+": that it is full", saysFull)
		h.serve()
		h.call("POST", "/api/v1/kiosk/exports", file, &out)
		h.kill()
		if out.Answers != 3 || out.Stored != 3 {
			t.Errorf("%s: the export: %+v", when, out)
		}
	}
	h.kill()
	disk.fill()
	w.navigate("/kiosk")
	w.until("that it is full after a reload", saysFull)
	exported("after a reload")
	w.kill()
	disk.fill()
	w.open(800, 1280)
	w.before(byHand + aheadOfTime)
	w.navigate("/kiosk")
	w.until("that it is full after a start", saysFull)
	exported("after a start")
	disk.free()
	w.eval(`window.samePage = 1, window.ahead += 60e3, look(), ""`)
	w.ready()
	if w.eval(`String(window.samePage)`) != "1" {
		t.Error("the page was loaded again")
	}
	w.answerAll(2, 3)
	h.serve()
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
	if d := h.device(); d.Queue != 0 || len(d.Missing) != 0 || d.Clones != 0 || d.Unaccounted != 0 {
		t.Errorf("the tablet: %+v", d)
	}
}

// overrun writes as the program never does, until the log of the database fails: from then on
// the browser can read nothing.
const overrun = inDatabase + `(async (db) => {
	try {
		for (let i = 0; i < 1000; i++) await new Promise((resolve, reject) => {
			const t = db.transaction("meta", "readwrite");
			t.objectStore("meta").put(crypto.getRandomValues(new Uint8Array(9999)), "overrun");
			t.oncomplete = resolve;
			t.onabort = () => reject(t.error);
		});
	} catch (e) { return e.message; }
	return "";
})`

// TestKioskDeadDisk: where the browser cannot even read its storage any more a reload without
// network still finds a page, which goes on by itself once there is room; and what a disk has cut
// in the middle of a record is no reason for the browser to erase all answers later.
func TestKioskDeadDisk(t *testing.T) {
	waits(t)
	chromium(t)
	disk, docs := newSmallDisk(t), hallDocuments(t)
	h := openHall(t, docs)
	w := disk.tablet(h)
	w.answerAll(3, 1)
	h.kill()
	stop := disk.keepFull()
	if said := w.ask(overrun); !strings.Contains(said, "NO_SPACE") {
		t.Fatalf("the log did not fail: %q", said)
	}
	go func() { _ = w.answer(1, 2) }()
	w.until("that it is full", saysFull)
	w.navigate("/kiosk")
	w.until("a page that is held", `document.querySelector('[data-problem="waiting"]')`)
	w.photograph("kiosk-waiting")
	stop()
	disk.free()
	w.ready() // by itself
	w.answerAll(2, 3)
	for range 2 {
		w.kill()
		w.open(800, 1280)
		w.navigate("/kiosk")
		w.ready()
		if n := w.queued(); n != 5 {
			t.Fatalf("%d answers wait, want 5", n)
		}
	}
	h.serve()
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
}

// TestKioskQuota: a release for which the browser's share of the disk has no room changes
// nothing, leaves nothing behind, and is there once there is room.
func TestKioskQuota(t *testing.T) {
	waits(t)
	chromium(t)
	docs := hallDocuments(t)
	h := openHall(t, docs)
	w := h.newTablet(800, 1280)
	w.before(byHand + aheadOfTime)
	w.enrol("Máy 1", testDesk)
	w.answerAll(2, 1)
	first := w.version()
	h.kill()
	h.order.App = variant(t, func(files map[string][]byte) {
		files["answer.js"] = append(files["answer.js"], "// "+strings.Repeat("x", 12<<20)...)
	})
	h.serve()
	quota := func(bytes float64) {
		t.Helper()
		p := storage.OverrideQuotaForOriginParams{Origin: h.url("")}
		if bytes > 0 {
			p.QuotaSize = &bytes
		}
		w.do(command(storage.OverrideQuotaForOrigin, p))
	}
	files := func() string {
		t.Helper()
		return w.ask(strings.Replace(inDatabase, "sipas-kiosk", "sipas-shell", 1) + `((db, wait) => wait(db.transaction("files").objectStore("files").getAllKeys()))`)
	}
	before := files()
	quota(12 << 20)
	if result, queued := w.send(); result != "tốt" || queued != "0" {
		t.Errorf("with little room: %s, %s wait", result, queued)
	}
	h.wait("what there was no room for goes", func() bool { return files() == before })
	h.kill()
	w.navigate("/kiosk")
	w.ready()
	if v := w.version(); v != first {
		t.Errorf("the version is %s, want %s", v, first)
	}
	// No room for anything: answers, too, are told so.
	quota(1)
	go func() { _ = w.answer(1, 2) }()
	w.until("that it is full", saysFull)
	w.navigate("/kiosk")
	w.until("that it is full after a reload", saysFull)
	quota(0)
	w.until("that it looks each minute", `window.look`)
	w.eval(`window.ahead += 60e3, look(), ""`)
	w.ready()
	w.answerAll(1, 3)
	w.menu()
	h.serve()
	w.sendFromMenu()
	w.until("the next version", `document.querySelector("link[rel=manifest]").href.indexOf("`+first+`") < 0 && document.querySelector(".first .level")`)
	w.drain()
	compareAnswers(t, docs, w.acknowledged(), h.responses(), 0)
}
