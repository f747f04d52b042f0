package web

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	logdomain "github.com/chromedp/cdproto/log"
	"github.com/chromedp/chromedp"

	"sipas/seeds"
	"sipas/survey"
)

// chromium finds the browser of the tests.
func chromium(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SIPAS_TEST_CHROMIUM")
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" && os.Getenv("CI") == "true" {
		t.Fatal("no browser: CI must install chromium or set SIPAS_TEST_CHROMIUM")
	}
	if path == "" {
		t.Skip("no browser: put chromium on PATH or set SIPAS_TEST_CHROMIUM to it")
	}
	return path
}

// tab is a browser window on a running service.
type tab struct {
	*env
	ctx context.Context
	mu  sync.Mutex
	// complaints are errors and policy violations from the browser's own log.
	complaints []string
}

// newBrowser prepares a browser that tests drive; it starts with its first window.
func newBrowser(t *testing.T, more ...chromedp.ExecAllocatorOption) (ctx context.Context, end func()) {
	t.Helper()
	a, err := hallAuthority()
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(chromium(t)), chromedp.Headless, chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", "MAP "+hallHost+" 127.0.0.1"), chromedp.Flag("ignore-certificate-errors-spki-list", a.pin),
		chromedp.Flag("autoplay-policy", "no-user-gesture-required"))
	for _, flag := range []string{"disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync", "mute-audio"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	ctx, cancel := chromedp.NewContext(allocator)
	return ctx, func() { cancel(); stop() }
}

// sharedBrowser is one process for all tests but those that end it, because a start takes
// seconds. It ends with the tests.
type sharedBrowser struct {
	once sync.Once
	ctx  context.Context
	err  error
	end  func()
}

var theBrowser sharedBrowser

// window opens a window with storage and cookies of its own.
func (b *sharedBrowser) window(t *testing.T) (ctx context.Context, closed func()) {
	t.Helper()
	chromium(t)
	b.once.Do(func() {
		b.ctx, b.end = newBrowser(t)
		b.err = chromedp.Do(b.ctx)
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	of, end := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	ctx, over := context.WithTimeout(of, 6*time.Minute)
	return ctx, func() { over(); end() }
}

func (b *sharedBrowser) close() {
	if b.end != nil {
		b.end()
	}
}

// browse opens a window; settings are applied before the first page.
func browse(t *testing.T, e *env, settings ...chromedp.Action[chromedp.Void]) *tab {
	t.Helper()
	ctx, closed := theBrowser.window(t)
	t.Cleanup(closed)
	w := &tab{env: e, ctx: ctx}
	w.do(call0(logdomain.Enable))
	if err := chromedp.Listen(ctx, func(event any) {
		if added, ok := event.(*logdomain.EventEntryAdded); ok && added.Entry.Level != logdomain.EntryLevelInfo {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.complaints = append(w.complaints, added.Entry.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	w.do(settings...)
	return w
}

func call0(c cdp.Command[cdp.Empty, cdp.Empty]) chromedp.Action[chromedp.Void] {
	return command(c, cdp.Empty{})
}

func command[P any](c cdp.Command[P, cdp.Empty], p P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, c, p)
		return chromedp.Void{}, err
	}
}

func noScript() chromedp.Action[chromedp.Void] {
	return command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
}

func dark() chromedp.Action[chromedp.Void] {
	return command(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}})
}

func (w *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, steps...); err != nil {
		w.t.Fatal(err)
	}
}

// submit clicks and waits for the page that comes.
func (w *tab) submit(selector string) {
	w.t.Helper()
	if _, err := chromedp.RunResponse(w.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		w.t.Fatal(err)
	}
}

func (w *tab) text(selector string) string {
	w.t.Helper()
	s, err := chromedp.Run(w.ctx, chromedp.TextContent(chromedp.CSS(selector)))
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(s)
}

// photograph keeps a picture of the whole page where SIPAS_TEST_ARTIFACTS says.
func (w *tab) photograph(name string) {
	w.t.Helper()
	folder := os.Getenv("SIPAS_TEST_ARTIFACTS")
	if folder == "" {
		return
	}
	b, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), b, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// quiet fails when the browser complained: a policy violation, an error.
func (w *tab) quiet() {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.complaints {
		// A page with an error status is what some steps ask for.
		if !strings.Contains(c, "the server responded with a status of") {
			w.t.Errorf("the browser complained: %s", c)
		}
	}
}

// noSideways fails when the page is wider than the window. It needs script, so
// it looks at the page's layout from outside.
func (w *tab) noSideways(width float64) {
	w.t.Helper()
	wide, err := chromedp.Run(w.ctx, chromedp.Evaluate[float64]("document.documentElement.scrollWidth"))
	if err != nil {
		w.t.Fatal(err)
	}
	if wide > width {
		w.t.Errorf("the page is %v pixels wide in a window of %v", wide, width)
	}
}

// demonstration is the seeds' round with a few thousand answers.
func demonstration(t *testing.T, answers int) *env {
	t.Helper()
	params := seeds.DefaultParams()
	params.Answers = answers
	docs, sim, err := seeds.Demo(survey.DateOf(testNow()), params)
	if err != nil {
		t.Fatal(err)
	}
	// A browser keeps the cookie of a service behind TLS only over TLS.
	e := start(t, options{docs: &docs, config: func(c *Config) { c.PublicURL = "http://sipas.example.vn" }})
	var batch []survey.Response
	for v := range sim.Visits(survey.DateOf(testNow()).AddDays(-1)) {
		batch = append(batch, v.Response())
	}
	if _, err := e.store.AddResponses(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
	return e
}

func someDesk(e *env) string {
	for id := range e.store.View().Desks {
		return id
	}
	return ""
}

// TestBrowserForm answers as a person does: a small phone, no script.
func TestBrowserForm(t *testing.T) {
	waits(t)
	chromium(t)
	e := start(t, options{})
	for _, c := range []struct {
		name          string
		width, height int64
		lang          string
		settings      []chromedp.Action[chromedp.Void]
	}{
		{"narrow", 320, 640, "vi", nil},
		{"phone", 390, 844, "vi", nil},
		{"phone-dark", 390, 844, "en", []chromedp.Action[chromedp.Void]{dark()}},
		{"desktop", 1280, 900, "en", nil},
		{"desktop-dark", 1280, 900, "vi", []chromedp.Action[chromedp.Void]{dark()}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(e.stored())
			e := *e
			e.t = t
			w := browse(t, &e, append(c.settings, noScript(), chromedp.EmulateViewport(c.width, c.height))...)
			w.do(chromedp.Navigate(e.url + "/?lang=" + c.lang))
			w.photograph(c.name + "-landing")
			w.do(chromedp.Navigate(e.url + "/s/" + testDesk + "?lang=" + c.lang + "&fbclid=x&zarsrc=1"))
			w.noSideways(float64(c.width))
			w.photograph(c.name + "-form")
			w.submit(".send button")
			if got := w.text(".box.bad"); got == "" {
				t.Error("an empty form was not refused")
			}
			w.photograph(c.name + "-empty")
			for _, item := range []string{"c01", "c02", "c03"} {
				w.do(chromedp.Click(chromedp.CSS(`input[name="a.` + item + `"][value="4"]`)))
			}
			w.do(chromedp.Click(chromedp.CSS(`input[name="a.c04"][value="na"]`)))
			w.click("#extra summary")
			w.do(chromedp.SendKeys(chromedp.CSS("#comment"), "Cảm ơn các anh chị! 0905 123 456"))
			w.photograph(c.name + "-filled")
			w.submit(".send button")
			receipt := w.text(".receipt output")
			if _, err := survey.ReceiptHash(receipt); err != nil {
				t.Errorf("receipt %q: %v", receipt, err)
			}
			w.photograph(c.name + "-thanks")
			w.do(chromedp.Navigate(e.url + "/s/ZZZZ?lang=" + c.lang))
			w.photograph(c.name + "-unknown")
			w.do(chromedp.Navigate(e.url + "/r?lang=" + c.lang))
			w.do(chromedp.SendKeys(chromedp.CSS("#code"), receipt))
			if len(e.stored()) != before+1 {
				t.Errorf("%d answers stored, want one more than %d", len(e.stored()), before)
			}
			w.submit(".entry button")
			w.photograph(c.name + "-erased")
			if len(e.stored()) != before {
				t.Error("the withdrawn answer is still there")
			}
			w.quiet()
		})
	}
}

// TestBrowserReport signs in by link and reads the report.
func TestBrowserReport(t *testing.T) {
	waits(t)
	chromium(t)
	e := demonstration(t, 6000)
	for _, c := range []struct {
		name          string
		width, height int64
		lang          string
		settings      []chromedp.Action[chromedp.Void]
	}{
		{"desktop", 1280, 900, "vi", nil},
		{"desktop-dark", 1280, 900, "en", []chromedp.Action[chromedp.Void]{dark()}},
		{"phone", 390, 844, "vi", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := *e
			e.t = t
			w := browse(t, &e, append(c.settings, chromedp.EmulateViewport(c.width, c.height))...)
			link, err := url.Parse(e.server.SignInURL(e.tokens["full"], "/reports/"+seeds.DemoRound+"?by=unit&lang="+c.lang, time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			w.do(chromedp.Navigate(e.url + link.RequestURI()))
			w.noSideways(float64(c.width))
			if got := w.text(".big .value"); !strings.HasSuffix(got, "%") {
				t.Errorf("the index reads %q", got)
			}
			w.photograph(c.name + "-report")
			w.do(chromedp.Navigate(e.url + "/reports?lang=" + c.lang))
			w.photograph(c.name + "-reports")
			w.submit(`form[action^="/signout"] button`)
			w.photograph(c.name + "-signin")
			w.do(chromedp.Navigate(e.url + "/qr/" + someDesk(&e)))
			w.photograph(c.name + "-qr")
			w.quiet()
		})
	}
}
