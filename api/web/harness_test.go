package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/seeds"
	"sipas/stats"
	"sipas/survey"
)

// Names in the documents of every test.
const (
	testRound  = "r-open"
	testDesk   = "Q1"
	publicURL  = "https://sipas.example.vn"
	otherHost  = "evil.example.org"
	testAnswer = 4
	testSound  = "sipas-2640@1.c01.vi.mp3"
	// testReplyURL is where people get an answer.
	testReplyURL = "https://cong.example.vn/gui?a=1&b=2"
)

// testNow is a working day at ten in the morning in Vietnam.
func testNow() time.Time { return time.Date(2026, 11, 24, 3, 20, 0, 0, time.UTC) }

// testDocuments: an open round at unit u1 with two desks, a closed one at u2, a
// coming one at u3, none at u4; desk Q9 of u1 is out of service.
func testDocuments(t testing.TB) survey.Documents {
	t.Helper()
	d, err := seeds.Documents(seeds.Sipas2640)
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) survey.Text { return survey.Text{"vi": s, "en": s + " (en)"} }
	d.Fields = []survey.ServiceField{{ID: "land", Name: text("Đất đai")}, {ID: "civil", Name: text("Hộ tịch")}}
	d.Units = []survey.Unit{
		{ID: "u1", Type: "xa", Name: text("UBND xã Một"), Hotline: "0255 000 111", Leader: "Ông Nguyễn Văn A, Chủ tịch", Board: true, Changes: text("Thêm ghế ngồi chờ")},
		{ID: "u2", Type: "xa", Name: text("UBND xã Hai")}, {ID: "u3", Type: "xa", Name: text("UBND xã Ba")}, {ID: "u4", Type: "xa", Name: text("UBND xã Bốn")},
	}
	d.Desks = []survey.Desk{
		{ID: testDesk, Unit: "u1", Name: text("Quầy 1"), Fields: []string{"land", "civil"}},
		{ID: "Q2", Unit: "u1", Name: text("Quầy 2"), Fields: []string{"land"}},
		{ID: "Q9", Unit: "u1", Name: text("Quầy cũ"), ValidTo: "2026-01-01"},
		{ID: "C1", Unit: "u2", Name: text("Quầy 1")}, {ID: "N1", Unit: "u3", Name: text("Quầy 1")}, {ID: "X1", Unit: "u4", Name: text("Quầy 1")},
	}
	round := func(id string, first, last survey.Date, status string, units ...string) survey.Round {
		return survey.Round{ID: id, Title: text("Đợt " + id), Instrument: seeds.Sipas2640, Version: 1, Design: survey.DesignVisitors,
			Form: "full", Status: status, First: first, Last: last, Target: 80, Units: units}
	}
	d.Rounds = []survey.Round{
		round(testRound, "2026-11-01", "2026-11-30", survey.StatusOpen, "u1"),
		round("r-closed", "2026-01-01", "2026-03-31", survey.StatusClosed, "u2"),
		round("r-coming", "2027-01-01", "2027-03-31", survey.StatusOpen, "u3"),
	}
	d.Populations = []survey.Population{{Round: testRound, Unit: "u1", Cells: []survey.PopulationCell{{Field: "land", Returned: 900}, {Field: "civil", Returned: 600}}}}
	d.Agency = &survey.Agency{Name: text("Sở Nội vụ tỉnh Thử"), Short: text("Sở Thử"), Address: text("1 đường Thử"), Phone: "0255 000 222",
		Email: "so@example.vn", DataProtection: text("bà Trần Thị B"), Operator: text("Công ty C"), Retention: text("24 tháng"),
		Replies: []survey.Reply{{Name: text("Cổng D"), URL: testReplyURL}, {Name: text("Đường dây nóng"), Phone: "0255 000 333"}}}
	return d
}

// env is a running service.
type env struct {
	t      testing.TB
	store  *store.Store
	server *Server
	// url is where it listens.
	url    string
	client *http.Client
	log    *logBuffer
	// engine is nil unless options.failing.
	engine *failing
	// tokens holds one for every right, with that right alone.
	tokens map[store.Right]string
}

// options change what start makes.
type options struct {
	// failing puts an engine in between that fails on demand: env.engine.
	failing bool
	reports Reports
	config  func(*Config)
	docs    *survey.Documents
}

// start runs the service on a file store of its own, with the real analysis.
func start(t testing.TB, o options) *env {
	t.Helper()
	folder := t.TempDir()
	file, err := store.OpenFile(folder, store.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e := &env{t: t, tokens: map[store.Right]string{}}
	var engine store.Engine = file
	if o.failing {
		e.engine = &failing{Engine: file}
		engine = e.engine
	}
	var secret store.Secret
	copy(secret[:], "a root secret that tests may know")
	logs := &logBuffer{}
	log := slog.New(slog.NewTextHandler(logs, nil))
	cfg := Config{PublicURL: publicURL, Version: "test", Log: log, Now: testNow, Random: rand.Reader,
		Sounds: fstest.MapFS{testSound: {Data: []byte("ID3 a question")}}}
	if o.config != nil {
		o.config(&cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	st, err := store.OpenAt(ctx, engine, secret, log, cfg.Now)
	if err != nil {
		t.Fatal(err)
	}
	docs := testDocuments(t)
	if o.docs != nil {
		docs = *o.docs
	}
	if _, err := st.PutDocuments(ctx, docs); err != nil {
		t.Fatal(err)
	}
	e.store, e.log = st, logs
	for _, right := range store.Rights {
		if e.tokens[right], err = st.CreateToken(ctx, "holder of "+string(right), []store.Right{right}, testNow()); err != nil {
			t.Fatal(err)
		}
	}
	reports, running := o.reports, make(chan struct{})
	if reports == nil {
		a := analysis.New(st, log, testNow, "test")
		go func() { defer close(running); a.Run(ctx) }()
		reports = a
	} else {
		close(running)
	}
	e.server = New(cfg, st, reports)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.url = "http://" + ln.Addr().String()
	served := make(chan error, 1)
	go func() { served <- e.server.Serve(ln) }()
	e.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{MaxIdleConnsPerHost: 128}}
	e.wait(func() bool {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err == nil {
			c.Close()
		}
		_, _, ready := reports.Progress()
		return err == nil && (ready || o.reports != nil)
	})
	t.Cleanup(func() {
		e.client.CloseIdleConnections()
		stop, done := context.WithTimeout(context.Background(), 10*time.Second)
		defer done()
		if err := e.server.Shutdown(stop); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		cancel()
		<-running
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return e
}

// wait returns when the condition holds.
func (e *env) wait(holds func() bool) {
	e.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			e.t.Fatal("the condition never held")
		}
	}
}

// call is one request of a test; the zero value of a field leaves it out.
type call struct {
	method, path, body, contentType, token, host, cookie string
	header                                               map[string]string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request. The server answers a body that is too large without
// reading it to its end; when the rest of it arrives after the connection is
// closed, the answer is lost on the way, and the request is sent again.
func (e *env) do(c call) answer {
	e.t.Helper()
	for try := 1; ; try++ {
		a, err := e.send(c)
		if err == nil {
			return a
		}
		if lost := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE); !lost || try == 20 {
			e.t.Fatal(err)
		}
	}
}

// announce sends the head of a request with a JSON body of so many bytes, and none
// of the body: a server that refuses by the head closes while a client still
// writes, which may then see the answer or not.
func (e *env) announce(method, path, token string, length int) (status int) {
	e.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close()
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", method, path, length)
	if token != "" {
		head += "Authorization: Bearer " + token + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		e.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close()
	return res.StatusCode
}

func (e *env) send(c call) (answer, error) {
	if c.method == "" {
		c.method = "GET"
	}
	req, err := http.NewRequest(c.method, e.url+c.path, strings.NewReader(c.body))
	if err != nil {
		return answer{}, err
	}
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if c.cookie != "" {
		req.Header.Set("Cookie", c.cookie)
	}
	if c.host != "" {
		req.Host = c.host
	}
	for k, v := range c.header {
		req.Header.Set(k, v)
	}
	res, err := e.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	return answer{res.StatusCode, res.Header, string(b)}, nil
}

// post sends a submission, or anything else, as JSON.
func (e *env) post(body string, token string) answer {
	e.t.Helper()
	return e.do(call{method: "POST", path: "/api/v1/responses", body: body, contentType: typeJSON, token: token})
}

// errorOf reads an answer as an error.
func (a answer) errorOf(t testing.TB) wireFailure {
	t.Helper()
	var w wireError
	if err := json.Unmarshal([]byte(a.body), &w); err != nil {
		t.Fatalf("not an error: %d %s", a.status, a.body)
	}
	return w.Error
}

// newID mints an id for a test's answer.
func newID(t testing.TB) string {
	t.Helper()
	id, err := survey.NewID(testNow(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

// submission is a whole answer as JSON, changed by edit.
func submission(t testing.TB, edit func(map[string]any)) string {
	t.Helper()
	answers := map[string]any{}
	docs, err := seeds.Documents(seeds.Sipas2640)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range docs.Instruments[0].Factors {
		for _, item := range f.Items {
			answers[item.ID] = testAnswer
		}
	}
	m := map[string]any{"id": newID(t), "round": testRound, "desk": testDesk, "instrument": seeds.Sipas2640, "version": 1, "answers": answers}
	if edit != nil {
		edit(m)
	}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ownCode makes a receipt code as a program does that sends answers, and its hash in
// hexadecimal digits.
func ownCode(t testing.TB) (code, hash string) {
	t.Helper()
	code, err := survey.NewCode(15, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := survey.ReceiptHash(code)
	if err != nil {
		t.Fatal(err)
	}
	return code, hex.EncodeToString(sum)
}

// stored lists everything in the store.
func (e *env) stored() []survey.Response {
	e.t.Helper()
	var out []survey.Response
	var after survey.ID
	for {
		page, err := e.store.ScanResponses(context.Background(), after)
		if err != nil {
			e.t.Fatal(err)
		}
		if len(page) == 0 {
			return out
		}
		for _, record := range page {
			r, err := record.Response()
			if err != nil {
				e.t.Fatal(err)
			}
			out = append(out, r)
			after = record.ID()
		}
	}
}

// signedIn returns the cookie of a reader with a token.
func (e *env) signedIn(token string) string {
	e.t.Helper()
	u, err := url.Parse(e.server.SignInURL(token, "/reports", time.Minute))
	if err != nil {
		e.t.Fatal(err)
	}
	a := e.do(call{path: u.RequestURI()})
	if a.status != http.StatusSeeOther {
		e.t.Fatalf("signing in gave %d %s", a.status, a.body)
	}
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return cookie
}

// fakeReports stands for an analysis that does what a test needs.
type fakeReports struct {
	report *stats.Report
	err    error
}

func (f *fakeReports) Report(context.Context, analysis.Query) (*stats.Report, error) {
	return f.report, f.err
}

func (f *fakeReports) Compare(context.Context, analysis.Comparison) (*stats.Comparison, error) {
	return nil, f.err
}

func (f *fakeReports) Items(context.Context, analysis.ItemsQuery) (*stats.Understanding, error) {
	return nil, f.err
}

func (f *fakeReports) Trend(context.Context, analysis.TrendQuery) (*stats.Trend, error) {
	return nil, f.err
}

func (f *fakeReports) Picture(context.Context, string) (*stats.Picture, error) {
	return &stats.Picture{}, f.err
}

func (f *fakeReports) Verify(context.Context) (analysis.Verification, error) {
	return analysis.Verification{}, f.err
}

func (f *fakeReports) Progress() (done, total int64, ready bool) { return 1, 2, f.err == nil }

// logBuffer keeps the log for tests that look into it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// loadingReports turns a fake into one whose answers are still being loaded.
func loadingReports(f *fakeReports) *fakeReports {
	f.err = &analysis.LoadingError{Done: 1, Total: 2}
	return f
}

// failing is an engine that fails on demand, and can be told to wait.
type failing struct {
	store.Engine
	mu   sync.Mutex
	err  error
	gate chan struct{}
	// page bounds what a scan gives, as withdrawals do; 0 does not.
	page atomic.Int32
	// waiting counts appends that stand at the gate.
	waiting atomic.Int32
}

// fail makes everything return err, nil nothing.
func (f *failing) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// hold makes appends wait until the channel closes.
func (f *failing) hold(gate chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gate = gate
}

func (f *failing) state() (gate chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gate, f.err
}

// Append takes every second entry of a batch when it fails, as a full disk may.
func (f *failing) Append(ctx context.Context, log *store.Log, entries []store.Entry) ([]store.Outcome, error) {
	gate, err := f.state()
	if gate != nil {
		f.waiting.Add(1)
		select {
		case <-gate:
		case <-ctx.Done():
			return make([]store.Outcome, len(entries)), ctx.Err()
		}
	}
	if err != nil {
		outcomes := make([]store.Outcome, len(entries))
		for i := 1; i < len(entries); i += 2 {
			taken, failed := f.Engine.Append(ctx, log, entries[i:i+1])
			if failed != nil {
				return outcomes, failed
			}
			outcomes[i] = taken[0]
		}
		return outcomes, err
	}
	return f.Engine.Append(ctx, log, entries)
}

func (f *failing) Put(ctx context.Context, set string, docs ...store.Document) (int64, error) {
	if _, err := f.state(); err != nil {
		return 0, err
	}
	return f.Engine.Put(ctx, set, docs...)
}

func (f *failing) Ping(ctx context.Context) error {
	if _, err := f.state(); err != nil {
		return err
	}
	return f.Engine.Ping(ctx)
}

func (f *failing) FindReceipt(ctx context.Context, log *store.Log, receipt []byte) (store.Entry, error) {
	if _, err := f.state(); err != nil {
		return store.Entry{}, err
	}
	return f.Engine.FindReceipt(ctx, log, receipt)
}

func (f *failing) Scan(ctx context.Context, log *store.Log, after store.ID, limit int) ([]store.Entry, error) {
	if _, err := f.state(); err != nil {
		return nil, err
	}
	if page := int(f.page.Load()); page > 0 {
		limit = page
	}
	return f.Engine.Scan(ctx, log, after, limit)
}

func (f *failing) Count(ctx context.Context, log *store.Log) (live, erased int64, err error) {
	if _, err := f.state(); err != nil {
		return 0, 0, err
	}
	return f.Engine.Count(ctx, log)
}

// outcomesOf reads the answer to an array.
func outcomesOf(t testing.TB, a answer) []struct{ Outcome, ID string } {
	t.Helper()
	var list struct {
		Outcomes []struct{ Outcome, ID string }
	}
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return list.Outcomes
}

// panicking is an analysis with a fault.
type panicking struct{}

func (panicking) Report(context.Context, analysis.Query) (*stats.Report, error) { panic("boom") }

func (panicking) Compare(context.Context, analysis.Comparison) (*stats.Comparison, error) {
	panic("boom")
}

func (panicking) Items(context.Context, analysis.ItemsQuery) (*stats.Understanding, error) {
	panic("boom")
}

func (panicking) Trend(context.Context, analysis.TrendQuery) (*stats.Trend, error) { panic("boom") }

func (panicking) Picture(context.Context, string) (*stats.Picture, error) { panic("boom") }

func (panicking) Verify(context.Context) (analysis.Verification, error) { panic("boom") }

func (panicking) Progress() (done, total int64, ready bool) { return 0, 0, true }
