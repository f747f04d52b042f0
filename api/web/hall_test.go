package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	stdlog "log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// hallHost is under which name tablets know the service: not localhost, for which
// browsers make exceptions.
const hallHost = "kiosk.sipas.test"

// asHall, in the environment, makes this test binary a server: see TestMain.
const asHall = "SIPAS_TEST_HALL"

// hallOrder says what the server serves.
type hallOrder struct {
	Folder, Public string
	// Sounds is a folder of recordings, App one of the program's files, "" for the one built in.
	Sounds, App string
}

// hall is a service in a process of its own, over TLS of a test authority, that can be
// killed and started again; and tablets that use it.
type hall struct {
	t       testing.TB
	order   hallOrder
	token   string // of staff
	backups string // token
	client  *http.Client
	process *exec.Cmd
	log     *logBuffer
	// front is the address that tablets know, a proxy before the process.
	front  string
	behind atomic.Value // address of the process
	mu     sync.Mutex
	// path is that of the public URL.
	path string
	// between answers in place of the service where it returns true.
	between func(http.ResponseWriter, *http.Request) bool
}

// set puts something between tablets and the service, nil nothing.
func (h *hall) set(between func(http.ResponseWriter, *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.between = between
}

// hallDocuments are the test documents around today; the round at Q1 is a quick one.
func hallDocuments(t testing.TB) survey.Documents {
	docs := testDocuments(t)
	today := survey.DateOf(time.Now())
	docs.Rounds[0].First, docs.Rounds[0].Last, docs.Rounds[0].Form = today.AddDays(-5), today.AddDays(20), survey.FormQuick
	return docs
}

// openHall prepares a service and its first start.
func openHall(t testing.TB, docs survey.Documents) *hall {
	t.Helper()
	h := &hall{t: t, log: &logBuffer{}}
	h.order.Folder = t.TempDir()
	st := h.openStore()
	ctx := context.Background()
	if _, err := st.PutDocuments(ctx, docs); err != nil {
		t.Fatal(err)
	}
	for token, right := range map[*string]store.Right{&h.token: store.RightStaff, &h.backups: store.RightBackup} {
		var err error
		if *token, err = st.CreateToken(ctx, string(right), []store.Right{right}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	h.closeStore(st)
	h.proxy()
	h.serve()
	t.Cleanup(h.kill)
	t.Cleanup(func() {
		if t.Failed() {
			text := h.log.String()
			t.Log(text[max(0, len(text)-4000):])
		}
	})
	return h
}

// proxy is what tablets reach: TLS, what is in between, and the service behind. Where that
// is down the connection breaks.
func (h *hall) proxy() {
	a, err := hallAuthority()
	if err != nil {
		h.t.Fatal(err)
	}
	h.client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: a.pool, ServerName: hallHost},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, h.front)
		},
	}}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", h.behind.Load().(string)
			r.Out.Host = r.In.Host
		},
		Transport:    &http.Transport{DisableKeepAlives: true},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:     stdlog.New(io.Discard, "", 0),
	}
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		between := h.between
		h.mu.Unlock()
		if between == nil || !between(w, r) {
			forward.ServeHTTP(w, r)
		}
	}))
	front.TLS = &tls.Config{Certificates: []tls.Certificate{a.certificate}}
	front.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	front.StartTLS()
	h.t.Cleanup(front.Close)
	h.front = front.Listener.Addr().String()
	h.order.Public = h.url("")
}

func hallSecret() (secret store.Secret) {
	copy(secret[:], "a root secret that tests may know")
	return secret
}

// openStore opens the store while the service is down.
func (h *hall) openStore() *store.Store {
	h.t.Helper()
	file, err := store.OpenFile(h.order.Folder, store.FileOptions{})
	if err != nil {
		h.t.Fatal(err)
	}
	st, err := store.Open(context.Background(), file, hallSecret(), slog.New(slog.DiscardHandler))
	if err != nil {
		h.t.Fatal(err)
	}
	return st
}

func (h *hall) closeStore(st *store.Store) {
	h.t.Helper()
	if err := st.Close(); err != nil {
		h.t.Fatal(err)
	}
}

// authority is a certificate authority, and by it a certificate for hallHost.
type authority struct {
	certificate tls.Certificate
	pool        *x509.CertPool
	// pin is the SHA-256 of the authority's public key.
	pin string
}

// hallAuthority is the same for all halls, so that one browser trusts them all.
var hallAuthority = sync.OnceValues(newAuthority)

func newAuthority() (*authority, error) {
	var wrong []error
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		wrong = append(wrong, err)
		return k
	}
	rootKey, leafKey := key(), key()
	sign := func(template, parent *x509.Certificate, key *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, rootKey)
		wrong = append(wrong, err)
		return der
	}
	from, to := time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	root := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "SIPAS test authority"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootDER := sign(root, root, rootKey)
	leafDER := sign(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: hallHost}, DNSNames: []string{hallHost}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, root, leafKey)
	parsed, err := x509.ParseCertificate(rootDER)
	if err := errors.Join(append(wrong, err)...); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	a := &authority{certificate: tls.Certificate{Certificate: [][]byte{leafDER, rootDER}, PrivateKey: leafKey}, pool: x509.NewCertPool(),
		pin: base64.StdEncoding.EncodeToString(sum[:])}
	a.pool.AddCert(parsed)
	return a, nil
}

// url is an address of the service as tablets know it.
func (h *hall) url(path string) string {
	_, port, _ := net.SplitHostPort(h.front)
	return "https://" + net.JoinHostPort(hallHost, port) + h.path + path
}

// serve starts the service and waits until it answers.
func (h *hall) serve() {
	h.t.Helper()
	text, err := json.Marshal(h.order)
	if err != nil {
		h.t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		h.t.Fatal(err)
	}
	c := exec.Command(self)
	c.Env = append(os.Environ(), asHall+"="+string(text))
	c.Stderr = h.log
	out, err := c.StdoutPipe()
	if err != nil {
		h.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.process = c
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		h.t.Fatalf("the service does not start: %v", err)
	}
	h.behind.Store(strings.TrimSpace(address))
	h.wait("the service answers", func() bool {
		res, err := h.client.Get(h.url("/readyz"))
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// kill ends the service as a power cut does.
func (h *hall) kill() { h.end(syscall.SIGKILL) }

// stop ends it in order.
func (h *hall) stop() { h.end(syscall.SIGTERM) }

func (h *hall) end(signal os.Signal) {
	if h.process == nil {
		return
	}
	_ = h.process.Process.Signal(signal)
	_ = h.process.Wait()
	h.process = nil
	h.client.CloseIdleConnections()
}

func (h *hall) wait(what string, holds func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("it never came: %s", what)
		}
	}
}

// call sends a request of staff.
func (h *hall) call(method, path, body string, into any) {
	h.t.Helper()
	h.callAs(h.token, method, path, body, into)
}

func (h *hall) callAs(token, method, path, body string, into any) {
	h.t.Helper()
	req, err := http.NewRequest(method, h.url(path), strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", typeJSON)
	res, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if res.StatusCode >= 300 {
		h.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, text)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			h.t.Fatalf("%s: %v", text, err)
		}
	}
}

// device is the only tablet, as staff see it.
func (h *hall) device() DeviceStatus {
	h.t.Helper()
	var list deviceList
	h.call("GET", "/api/v1/devices", "", &list)
	if len(list.Devices) != 1 {
		h.t.Fatalf("%d tablets", len(list.Devices))
	}
	return list.Devices[0]
}

// responses stops the service and reads what it stored.
func (h *hall) responses() []survey.Response {
	h.t.Helper()
	h.stop()
	st := h.openStore()
	e := &env{t: h.t, store: st}
	list := e.stored()
	h.closeStore(st)
	h.serve()
	return list
}

// runHall is the server's process: it serves until it is told to stop.
func runHall(text string) error {
	var o hallOrder
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	file, err := store.OpenFile(o.Folder, store.FileOptions{})
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, file, hallSecret(), log)
	if err != nil {
		return err
	}
	cfg := Config{PublicURL: o.Public, Version: "test", Log: log}
	if o.Sounds != "" {
		cfg.Sounds = os.DirFS(o.Sounds)
	}
	if o.App != "" {
		if cfg.KioskApp, err = readFolder(o.App); err != nil {
			return err
		}
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	running, end := context.WithCancel(context.Background())
	defer end()
	a := analysis.New(st, log, time.Now, "test")
	followed := make(chan struct{})
	go func() { defer close(followed); a.Run(running) }()
	server := New(cfg, st, a)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	<-ctx.Done()
	limit, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	err = server.Shutdown(limit)
	end()
	<-followed
	return errors.Join(err, <-served, st.Close())
}

func readFolder(folder string) (map[string][]byte, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(folder, e.Name())); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// acknowledged is an answer for which a tablet showed thanks.
type acknowledged struct {
	Receipt string
	Answers map[string]survey.Answer
	Filing  string
}

// tabletTab is a browser on a tablet.
type tabletTab struct {
	*tab
	hall *hall
	// profile is a folder, and process the browser, of one that can be killed.
	profile string
	process *exec.Cmd
	closed  func()
	mu2     sync.Mutex
	thanked []acknowledged
}

// newTablet opens a window with empty storage.
func (h *hall) newTablet(width, height int64) *tabletTab {
	h.t.Helper()
	w := &tabletTab{hall: h}
	ctx, closed := theBrowser.window(h.t.(*testing.T))
	w.watch(ctx, closed, width, height)
	h.t.Cleanup(closed)
	return w
}

// newMortalTablet opens a browser that keeps its storage when it is killed and opened again.
func (h *hall) newMortalTablet(width, height int64) *tabletTab {
	h.t.Helper()
	w := &tabletTab{hall: h, profile: h.t.TempDir()}
	w.open(width, height)
	h.t.Cleanup(func() { w.closed() })
	return w
}

// open starts the browser on the profile.
func (w *tabletTab) open(width, height int64) {
	t := w.hall.t.(*testing.T)
	t.Helper()
	ctx, end := newBrowser(t, chromedp.UserDataDir(w.profile), chromedp.ModifyCmdFunc(func(c *exec.Cmd) { w.process = c }))
	ctx, over := context.WithTimeout(ctx, 6*time.Minute)
	w.watch(ctx, func() { over(); end() }, width, height)
}

// watch notes what the window says.
func (w *tabletTab) watch(ctx context.Context, closed func(), width, height int64) {
	t := w.hall.t
	t.Helper()
	w.closed = closed
	w.tab = &tab{env: &env{t: t}, ctx: ctx}
	w.do(call0(runtime.Enable), command(network.Enable, network.EnableParams{}), chromedp.EmulateViewport(width, height))
	if err := chromedp.Listen(ctx, func(event any) {
		called, ok := event.(*runtime.EventConsoleAPICalled)
		if !ok {
			if thrown, ok := event.(*runtime.EventExceptionThrown); ok {
				w.complain(thrown.ExceptionDetails.Text + " " + thrown.ExceptionDetails.Exception.Description)
			}
			return
		}
		var texts []string
		for _, a := range called.Args {
			texts = append(texts, strings.Trim(string(a.Value), `"`))
		}
		if len(texts) == 2 && texts[0] == "thanked" {
			var text string
			var a acknowledged
			if err := errors.Join(json.Unmarshal([]byte(called.Args[1].Value), &text), json.Unmarshal([]byte(text), &a)); err != nil {
				w.complain(err.Error())
			}
			w.mu2.Lock()
			defer w.mu2.Unlock()
			w.thanked = append(w.thanked, a)
			return
		}
		w.complain(strings.Join(texts, " "))
	}); err != nil {
		t.Fatal(err)
	}
}

func (w *tabletTab) complain(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.complaints = append(w.complaints, text)
}

// kill ends the browser as a power cut does.
func (w *tabletTab) kill() {
	_ = w.process.Process.Kill()
	w.closed()
}

func (w *tabletTab) navigate(path string) {
	w.t.Helper()
	w.do(chromedp.Navigate(w.hall.url(path)))
}

// until waits for a condition in the page. Of a page that goes away meanwhile the browser
// may say nothing at all, so each question has a time of its own.
func (w *tabletTab) until(what, condition string) {
	w.t.Helper()
	var last string
	for deadline := time.Now().Add(100 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ctx, over := context.WithTimeout(w.ctx, 10*time.Second)
		s, err := chromedp.Run(ctx, chromedp.Evaluate[string]("String(Boolean("+condition+"))"))
		over()
		if s == "true" {
			return
		}
		if err != nil {
			last = err.Error()
		}
		if time.Now().After(deadline) {
			page, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string]("document.body.innerText"))
			w.t.Fatalf("it never came: %s (%s %s); the screen says:\n%s\nthe browser: %s", what, condition, last, page, strings.Join(w.complaints, "\n"))
		}
	}
}

// ready waits for the first question, which is there between two people.
func (w *tabletTab) ready() {
	w.t.Helper()
	w.until("the first question", `document.querySelector(".first .level")`)
}

// begin touches a face of the first question, and waits for the second.
func (w *tabletTab) begin() {
	w.t.Helper()
	w.ready()
	w.eval(`String(document.querySelector('.first .level[data-value="5"]').click())`)
	w.until("the second question", `document.querySelector(".step:not(.first) .level")`)
}

// skipToSend skips all that is asked before sending.
func (w *tabletTab) skipToSend() {
	w.t.Helper()
	for w.eval(`String(Boolean(document.querySelector("#consent")))`) == "false" {
		w.eval(`String(document.querySelector("#next").click())`)
	}
}

// enrol makes a tablet at a desk and pairs this browser with it.
func (w *tabletTab) enrol(name, desk string) string {
	w.t.Helper()
	var made PairedDevice
	w.hall.call("POST", "/api/v1/devices", fmt.Sprintf(`{"name":%q,"desk":%q}`, name, desk), &made)
	w.pair(made.Code)
	return made.Device.ID
}

func (w *tabletTab) pair(code string) {
	w.t.Helper()
	w.enter(code)
	w.ready()
}

// enter enters a pairing code and a PIN.
func (w *tabletTab) enter(code string) {
	w.t.Helper()
	w.navigate("/kiosk#" + code)
	w.until("the page for pairing", `document.querySelector("#code") && document.querySelector("#code").value`)
	w.do(chromedp.SendKeys(chromedp.CSS("#pin"), "2468"))
	w.do(chromedp.Click(chromedp.CSS("#enrol")))
}

// enterFromMenu enters a pairing code and a PIN on a tablet that is paired.
func (w *tabletTab) enterFromMenu(code, pin string) {
	w.t.Helper()
	w.menu()
	w.eval(`String(document.querySelector("#do-pair").click())`)
	w.until("the page for pairing", `document.querySelector("#code")`)
	w.do(chromedp.SendKeys(chromedp.CSS("#code"), code))
	w.do(chromedp.SendKeys(chromedp.CSS("#pin"), pin))
	w.do(chromedp.Click(chromedp.CSS("#enrol")))
}

// menu opens what is behind the PIN.
func (w *tabletTab) menu() {
	w.t.Helper()
	w.menuBehind("2468")
}

func (w *tabletTab) menuBehind(pin string) {
	w.t.Helper()
	w.until("the button for staff", `document.querySelector("#staff")`)
	w.eval(`String(document.querySelector("#staff").click())`)
	w.until("the PIN", `document.querySelector("#pin")`)
	w.do(chromedp.SendKeys(chromedp.CSS("#pin"), pin))
	w.eval(`String(document.querySelector("#open").click())`)
	w.until("the menu", `document.querySelector("#is-queue")`)
}

// send sends what is in the queue, tells what came of it, and closes the menu.
func (w *tabletTab) send() (result string, queued string) {
	w.t.Helper()
	w.menu()
	return w.sendFromMenu()
}

// sendFromMenu does it in the menu; while that is open, nothing else changes the page.
func (w *tabletTab) sendFromMenu() (result string, queued string) {
	w.t.Helper()
	w.eval(`String(document.querySelector("#is-queue").dataset.old = 1, document.querySelector("#do-sync").click())`)
	w.until("an answer of the server", `document.querySelector("#is-queue") && !document.querySelector("#is-queue").dataset.old`)
	result, queued = w.text("#is-result"), w.text("#is-queue")
	w.eval(`String(document.querySelector("#do-close").click())`)
	return result, queued
}

// answerer answers as people do, by touching what is on the screen, with levels drawn
// from a seed; for each thanks it tells the receipt and what was said.
const answerer = `(async function (count, seed) {
	const one = (s) => document.querySelector(s);
	const wait = async (f) => { for (let i = 0; i < 20000; i++) { if (f()) return; await new Promise((r) => setTimeout(r, 1)); } throw new Error("stuck at " + document.body.innerText); };
	const draw = (n) => { seed = (seed * 1103515245 + 12345) % 2147483648; return Math.floor(seed / 65536) % n; };
	for (let k = 0; k < count; k++) {
		await wait(() => one(".first .level"));
		const said = { Answers: {}, Filing: "" };
		for (let n = 0; !one("#send"); n++) {
			const before = one(".step"), level = draw(6);
			if (!one(".level")) one("#next").click();
			else if (level === 5) one(".na").click();
			else one('.level[data-value="' + (level + 1) + '"]').click();
			if (before.querySelector(".level")) said.Answers[n] = level === 5 ? "na" : level + 1;
			await wait(() => one(".step") !== before);
		}
		said.Filing = ["", "online", "post"][draw(3)];
		if (said.Filing) {
			one("#more").click();
			await wait(() => one("#more-filing"));
			one("#more-filing").click();
			one('dialog .option[data-value="' + said.Filing + '"]').click();
		}
		one("#send").click();
		await wait(() => one("#receipt"));
		said.Receipt = one("#receipt").textContent;
		console.log("thanked", JSON.stringify(said));
		one("#done").click();
	}
	return "done";
})`

// answer gives answers; it returns when all of them were thanked for.
func (w *tabletTab) answer(count, seed int) error {
	_, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](fmt.Sprintf("%s(%d,%d)", answerer, count, seed), chromedp.EvalAwaitPromise))
	return err
}

// compare checks that exactly the answers that tablets thanked for are stored, with what
// was said; extra of them may be there that nobody saw the thanks for.
func compareAnswers(t testing.TB, docs survey.Documents, thanked []acknowledged, stored []survey.Response, extra int) {
	t.Helper()
	catalogue, err := survey.NewCatalogue(docs)
	if err != nil {
		t.Fatal(err)
	}
	in := catalogue.Instruments[survey.InstrumentKey(docs.Rounds[0].Instrument, docs.Rounds[0].Version)]
	byReceipt := map[string]survey.Response{}
	for _, r := range stored {
		if _, twice := byReceipt[string(r.Receipt)]; twice {
			t.Error("an answer is stored twice")
		}
		byReceipt[string(r.Receipt)] = r
	}
	for _, a := range thanked {
		hash, err := survey.ReceiptHash(a.Receipt)
		if err != nil {
			t.Fatalf("receipt %q: %v", a.Receipt, err)
		}
		r, ok := byReceipt[string(hash)]
		if !ok {
			t.Errorf("the answer with receipt %s was lost", a.Receipt)
			continue
		}
		if r.Filing != a.Filing || r.Channel != survey.ChannelKiosk {
			t.Errorf("filing %q, said %q; channel %s", r.Filing, a.Filing, r.Channel)
		}
		quick := in.Quick.Items
		for n, said := range a.Answers {
			var at int
			fmt.Sscan(n, &at)
			// The quick list is asked in the order of the instrument.
			if got := answerTo(in, r, inOrder(in, quick)[at]); got != said {
				t.Errorf("question %s of %s: stored %v, said %v", n, a.Receipt, got, said)
			}
		}
	}
	if n := len(stored) - len(thanked); n < 0 || n > extra {
		t.Errorf("%d answers are stored, %d were thanked for", len(stored), len(thanked))
	}
}

func inOrder(in *survey.Instrument, items []string) []string {
	var out []string
	for _, it := range in.Items() {
		for _, id := range items {
			if it.ID == id {
				out = append(out, id)
			}
		}
	}
	return out
}

func answerTo(in *survey.Instrument, r survey.Response, item string) survey.Answer {
	for i, it := range in.Items() {
		if it.ID == item {
			return survey.Answer(r.Answers[i])
		}
	}
	return 0
}

// offline takes the network away from the page and from its service worker.
func (w *tabletTab) offline(yes bool) {
	w.t.Helper()
	var rules []*network.Conditions
	if yes {
		rules = []*network.Conditions{{DownloadThroughput: -1, UploadThroughput: -1, Offline: true}}
	}
	w.do(chromedp.Action[chromedp.Void](func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{EmulateOfflineServiceWorker: &yes, MatchedNetworkConditions: rules})
		return chromedp.Void{}, err
	}))
}

// ask evaluates what comes later.
func (w *tabletTab) ask(expression string) string {
	w.t.Helper()
	s, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("%s: %v", expression, err)
	}
	return s
}

func (w *tabletTab) answerAll(count, seed int) {
	w.t.Helper()
	if err := w.answer(count, seed); err != nil {
		w.t.Fatal(err)
	}
}

// acknowledged are the answers for which thanks were shown so far.
func (w *tabletTab) acknowledged() []acknowledged {
	w.mu2.Lock()
	defer w.mu2.Unlock()
	return slices.Clone(w.thanked)
}

const inDatabase = `(async (use) => {
	const wait = (q) => new Promise((r, e) => { q.onsuccess = () => r(q.result); q.onerror = () => e(q.error); });
	const db = await wait(indexedDB.open("sipas-kiosk"));
	try { return String(await use(db, wait)); } finally { db.close(); }
})`

// queued counts the answers that wait, in the database itself.
func (w *tabletTab) queued() int {
	w.t.Helper()
	n, err := strconv.Atoi(w.ask(inDatabase + `((db, wait) => wait(db.transaction("queue").objectStore("queue").count()))`))
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *tabletTab) kept() string {
	w.t.Helper()
	return w.ask(inDatabase + `((db, wait) => wait(db.transaction("kept").objectStore("kept").count()))`)
}

// drain sends until nothing waits.
func (w *tabletTab) drain() {
	w.t.Helper()
	for range 20 {
		if result, _ := w.send(); result == "tốt" && w.queued() == 0 {
			return
		}
	}
	w.t.Fatalf("%d answers still wait", w.queued())
}

// version is that of the program that runs.
func (w *tabletTab) version() string {
	w.t.Helper()
	return w.eval(`document.querySelector("link[rel=manifest]").getAttribute("href").split("/").at(-2)`)
}

// everything that the browser stores for the page, and that is of answers.
func (w *tabletTab) everything() string {
	w.t.Helper()
	return w.ask(inDatabase + `(async (db, wait) => {
		const out = { local: { ...localStorage }, session: { ...sessionStorage }, cookie: document.cookie, caches: await caches.keys(), databases: (await indexedDB.databases()).map((d) => d.name).sort() };
		for (const store of ["queue", "kept", "sessions", "meta"]) {
			const set = db.transaction(store).objectStore(store);
			const [keys, values] = await Promise.all([wait(set.getAllKeys()), wait(set.getAll())]);
			out[store] = Object.fromEntries(keys.map((k, i) => [k, values[i]]));
		}
		return JSON.stringify(out);
	})`)
}

// trimmed is everything without clocks, the last contact and the count of those who left.
func trimmed(text string) string {
	var all map[string]any
	if json.Unmarshal([]byte(text), &all) != nil {
		return text
	}
	delete(all, "sessions")
	if meta, ok := all["meta"].(map[string]any); ok {
		for _, key := range []string{"abandoned", "contact", "clock"} {
			delete(meta, key)
		}
	}
	b, _ := json.Marshal(all)
	return string(b)
}

// export takes the file that the menu offers.
func (w *tabletTab) export() string {
	w.t.Helper()
	w.menu()
	w.eval(`window.exportedFile = null, URL.createObjectURL = (b) => { b.text().then((t) => { window.exportedFile = t; }); return "#"; }, HTMLAnchorElement.prototype.click = () => {}, ""`)
	w.eval(`String(document.querySelector("#do-export").click())`)
	w.until("the file", `window.exportedFile && document.querySelector("#said").textContent`)
	file := w.eval(`window.exportedFile`)
	w.eval(`String(document.querySelector("#do-close").click())`)
	return file
}

// another opens a second tab of the same browser.
func (w *tabletTab) another(path string) *tabletTab {
	w.t.Helper()
	ctx, cancel := chromedp.NewContext(w.ctx)
	other := &tabletTab{tab: &tab{env: w.env, ctx: ctx}, hall: w.hall, closed: cancel}
	other.navigate(path)
	return other
}

// qrLeadsTo reads the code on the screen as a phone does.
func (w *tabletTab) qrLeadsTo(path string) {
	w.t.Helper()
	b, err := chromedp.Run(w.ctx, chromedp.Screenshot(chromedp.CSS(".qr")))
	if err != nil {
		w.t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		w.t.Fatal(err)
	}
	bitmap, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		w.t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if got := result.GetText(); got != w.hall.url(path) {
		w.t.Errorf("the code leads to %s, want %s", got, w.hall.url(path))
	}
}

// forward sends a request to the service and returns once it is on its way; what comes
// back is lost.
func (h *hall) forward(r *http.Request) (answered chan struct{}) {
	answered = make(chan struct{})
	body, err := io.ReadAll(r.Body)
	if err != nil {
		close(answered)
		return answered
	}
	sent := make(chan struct{})
	once := sync.OnceFunc(func() { close(sent) })
	ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { once() }})
	out, err := http.NewRequestWithContext(ctx, r.Method, "http://"+h.behind.Load().(string)+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		close(answered)
		return answered
	}
	out.Header = r.Header.Clone()
	go func() {
		defer close(answered)
		if res, err := http.DefaultClient.Do(out); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	}()
	select {
	case <-sent:
	case <-answered: // it could not be sent
	}
	return answered
}

// emptied takes the answers out of a batch, so that a tablet hears of everything else.
func (h *hall) emptied(_ http.ResponseWriter, r *http.Request) bool {
	body, err := io.ReadAll(r.Body)
	var batch map[string]any
	if errors.Join(err, json.Unmarshal(body, &batch)) != nil {
		return false
	}
	batch["items"] = []any{}
	body, _ = json.Marshal(batch)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return false
}

// contact is what the service knows of the only tablet.
func (h *hall) contact() (c kiosk.Contact) {
	h.t.Helper()
	device := h.device().ID
	h.stop()
	st := h.openStore()
	c, err := st.Contact(context.Background(), device)
	if err != nil {
		h.t.Fatal(err)
	}
	h.closeStore(st)
	h.serve()
	return c
}
