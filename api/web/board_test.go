package web

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// withBoard turns on the board of the unit with the most answers.
func withBoard(t *testing.T, e *env) string {
	t.Helper()
	p, err := e.server.reports.Picture(context.Background(), seeds.DemoRound)
	if err != nil {
		t.Fatal(err)
	}
	best, most := "", 0
	for _, c := range p.Cells {
		if c.By == "unit" && c.N != nil && *c.N > most {
			best, most = c.ID, *c.N
		}
	}
	u := *e.store.View().Units[best]
	u.Board, u.Changes = true, survey.Text{"vi": "Đã thêm ghế chờ.\nMở cửa sớm hơn nửa giờ.", "en": "More seats.\nWe open half an hour earlier."}
	if _, err := e.store.PutDocuments(context.Background(), survey.Documents{Units: []survey.Unit{u}}); err != nil {
		t.Fatal(err)
	}
	return best
}

// TestBoard: what is published of a unit, for everybody where it is turned on and for
// nobody elsewhere.
func TestBoard(t *testing.T) {
	waits(t)
	e := demonstration(t, 6000)
	unit := withBoard(t, e)
	p, err := e.server.reports.Picture(context.Background(), seeds.DemoRound)
	if err != nil {
		t.Fatal(err)
	}
	var cell stats.PictureCell
	for _, c := range p.Cells {
		if c.By == "unit" && c.ID == unit {
			cell = c
		}
	}
	for _, lang := range []string{"vi", "en"} {
		a := e.do(call{path: "/board/" + unit + "?lang=" + lang})
		page := &page{Lang: lang, texts: e.server.texts}
		for _, want := range []string{page.Tenth(cell.Index.Value), page.Between(cell.Index), page.Verdict(*cell.Verdict), page.T("board.n", page.Num(cell.N)), page.T("board.basis"),
			map[string]string{"vi": "Mở cửa sớm hơn", "en": "half an hour earlier"}[lang]} {
			if a.status != http.StatusOK || !strings.Contains(a.body, want) {
				t.Errorf("%s: %d, the board lacks %q", lang, a.status, want)
			}
		}
	}
	for id := range e.store.View().Units {
		if id == unit {
			continue
		}
		if a := e.do(call{path: "/board/" + id, header: map[string]string{"Accept": "text/html"}}); a.status != http.StatusNotFound {
			t.Errorf("%s has a board: %d", id, a.status)
		}
		break
	}
	few := start(t, options{}) // u1 has a board and no answers
	if a := few.do(call{path: "/board/u1?lang=vi"}); a.status != http.StatusOK || !strings.Contains(a.body, few.server.texts.say("vi", "board.none")) || strings.Contains(a.body, "%</p>") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// countingReports counts how often somebody asks for a picture.
type countingReports struct {
	Reports
	asked atomic.Int64
}

func (c *countingReports) Picture(context.Context, string) (*stats.Picture, error) {
	c.asked.Add(1)
	time.Sleep(20 * time.Millisecond)
	return &stats.Picture{}, nil
}
func (c *countingReports) Progress() (done, total int64, ready bool) { return 0, 0, true }

// TestBoardIsRemembered: a hall of screens costs one look, and a change of the
// documents shows at once.
func TestBoardIsRemembered(t *testing.T) {
	waits(t)
	counting := &countingReports{}
	e := start(t, options{reports: counting})
	look := func() {
		var looking sync.WaitGroup
		for range 32 {
			looking.Go(func() {
				if a := e.do(call{path: "/board/u1"}); a.status != http.StatusOK {
					t.Errorf("%d", a.status)
				}
			})
		}
		looking.Wait()
	}
	look()
	if n := counting.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	u := *e.store.View().Units["u1"]
	u.Changes = survey.Text{"vi": "Mới", "en": "New"}
	if _, err := e.store.PutDocuments(context.Background(), survey.Documents{Units: []survey.Unit{u}}); err != nil {
		t.Fatal(err)
	}
	look()
	if n := counting.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// TestBrowserBoard reads a board from across a hall.
func TestBrowserBoard(t *testing.T) {
	waits(t)
	chromium(t)
	e := demonstration(t, 6000)
	unit := withBoard(t, e)
	for name, size := range map[string][2]int64{"hall": {1920, 1080}, "phone": {390, 844}} {
		w := browse(t, e, chromedp.EmulateViewport(size[0], size[1]))
		w.do(chromedp.Navigate(e.url + "/board/" + unit + "?lang=vi"))
		w.noSideways(float64(size[0]))
		w.photograph(name + "-board")
		if got := w.text(".value"); !strings.HasSuffix(got, "%") {
			t.Errorf("it reads %q", got)
		}
		w.quiet()
	}
}
