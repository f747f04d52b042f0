package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"sipas/api/store/mongotest"
	"sipas/seeds"
	"sipas/survey"
)

// mongoFlags name a MongoDB as startWaiting does.
func mongoFlags(uri string) []string {
	return []string{"--mongodb-uri", uri, "--secret", strings.Repeat("5e", 32)}
}

// mongoServer is `serve` on a MongoDB, perhaps started more than once.
type mongoServer struct {
	uri   string
	child *child
	url   atomic.Value // of string
}

func startMongoServer(t *testing.T, uri string) *mongoServer {
	t.Helper()
	s := &mongoServer{uri: uri}
	s.start(t)
	return s
}

func (s *mongoServer) start(t *testing.T) {
	t.Helper()
	c, address, _ := startWaiting(t, s.uri)
	c.stderr.until(func(line string) bool { return strings.Contains(line, `"serving"`) })
	go func() {
		for range c.stderr.ch { // else the service would wait for somebody to read its log
		}
	}()
	s.child = c
	s.url.Store(address)
}

func (s *mongoServer) address() string { return s.url.Load().(string) }

// reply is what a service answered; status 0: nothing.
type reply struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

func ask(client *http.Client, method, address, token, contentType, body string) reply {
	began := time.Now()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return reply{body: err.Error()}
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{body: err.Error(), took: time.Since(began)}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{body: err.Error(), took: time.Since(began)}
	}
	return reply{resp.StatusCode, resp.Header, string(text), time.Since(began)}
}

// pollUntil asks until cond holds and returns when it asked for the last time.
func pollUntil(t *testing.T, what string, cond func() bool) time.Time {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		asked := time.Now()
		if cond() {
			return asked
		}
		if asked.After(deadline) {
			t.Fatalf("waited too long: %s", what)
		}
	}
}

// citizens send answers to several servers, each again and to the next server
// until it is acknowledged.
type citizens struct {
	t       *testing.T
	servers []*mongoServer
	desk    string
	client  *http.Client
	stop    chan struct{}
	ending  sync.Once
	sending sync.WaitGroup

	acks, again atomic.Int64
	mu          sync.Mutex
	ids         map[string]bool
}

func (c *citizens) start(n int) {
	for first := range n {
		c.sending.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				default:
					c.send(first)
				}
			}
		})
	}
}

func (c *citizens) end() {
	c.ending.Do(func() { close(c.stop) })
	c.sending.Wait()
}

func (c *citizens) send(first int) {
	id, body, err := newAnswer(c.desk)
	if err != nil {
		c.t.Error(err)
		return
	}
	for try := first; !c.t.Failed(); try++ {
		server := c.servers[try%len(c.servers)]
		a := ask(c.client, http.MethodPost, server.address()+"/api/v1/responses", "", "application/json", string(body))
		switch a.status {
		case http.StatusCreated, http.StatusOK:
			c.mu.Lock()
			c.ids[id] = true
			c.mu.Unlock()
			c.acks.Add(1)
			return
		case 0:
		case http.StatusServiceUnavailable:
			if a.header.Get("Retry-After") == "" {
				c.t.Errorf("no Retry-After: %s", a.body)
			}
			if a.took > 6*time.Second {
				c.t.Errorf("it took %v to say so", a.took)
			}
		default:
			c.t.Errorf("answer %s: %d %s", id, a.status, a.body)
			return
		}
		c.again.Add(1)
	}
}

func (c *citizens) more(n int64) {
	c.t.Helper()
	from := c.acks.Load()
	pollUntil(c.t, "answers to be acknowledged", func() bool { return c.acks.Load() >= from+n })
}

// stopped is longer than the driver, the engine and every route wait.
const stopped = 50 * time.Second

// TestServersThroughFailovers: two servers take answers while the primary is
// killed or frozen ten times, one of them is killed, and the other stands still
// for longer than anybody waits. What was acknowledged counts once, everywhere.
func TestServersThroughFailovers(t *testing.T) {
	t.Parallel()
	set := mongotest.Start(t, mongotest.Options{})
	uri := set.URI()
	token, desk := seedOpenRoundAt(t, mongoFlags(uri)...)
	a, b := startMongoServer(t, uri), startMongoServer(t, uri)
	c := &citizens{t: t, servers: []*mongoServer{a, b}, desk: desk, stop: make(chan struct{}), ids: map[string]bool{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 8 * time.Second}}
	c.start(16)
	defer c.end() // also when the test ends early, or its goroutines would fail after it and hide why
	var stood time.Time
	for round := range 10 {
		c.more(100)
		set.Settle(t)
		old := set.Primary(t)
		harm, mend := set.Kill, set.Restart
		if round%2 == 1 {
			harm, mend = set.Freeze, set.Thaw
		}
		began := time.Now()
		harm(t, old)
		switch round {
		case 2:
			a.child.stop(syscall.SIGKILL)
			a.start(t)
		case 3:
			stood = time.Now()
			b.child.signal(syscall.SIGSTOP)
		}
		if now := set.Primary(t); now == old {
			t.Fatalf("node %d is still primary", old)
		}
		c.more(100)
		t.Logf("round %d: others went on after %v", round, time.Since(began).Round(100*time.Millisecond))
		mend(t, old)
		if !stood.IsZero() && time.Since(stood) > stopped {
			b.child.signal(syscall.SIGCONT)
			t.Logf("a server stood still for %v", time.Since(stood))
			stood = time.Time{}
		}
	}
	if !stood.IsZero() {
		pollUntil(t, "a server to stand still for long enough", func() bool { return time.Since(stood) > stopped })
		b.child.signal(syscall.SIGCONT)
	}
	c.more(100)
	c.end()
	t.Logf("%d answers acknowledged, %d requests were sent again", len(c.ids), c.again.Load())

	direct := report(t, mongoFlags(uri)...)
	for i, s := range c.servers {
		if through := report(t, "--url", s.address(), "--token", token); through != direct {
			t.Errorf("the report of server %d is another than that of the store:\n%s\n%s", i, through, direct)
		}
	}
	if n := received(t, direct); n != len(c.ids) {
		t.Errorf("%d answers are reported, %d were acknowledged", n, len(c.ids))
	}
	seen := map[string]int{}
	for line := range strings.Lines(mustSipas(t, "export", "--round", "now", "--url", b.address(), "--token", token)) {
		id, _, _ := strings.Cut(line, ",")
		seen[id]++
	}
	for id := range c.ids {
		if seen[id] != 1 {
			t.Errorf("acknowledged answer %s is stored %d times", id, seen[id])
		}
	}
}

// report is the report of the round as JSON.
func report(t *testing.T, from ...string) string {
	t.Helper()
	return mustSipas(t, append([]string{"report", "--round", "now", "--format", "json"}, from...)...)
}

func received(t *testing.T, report string) int {
	t.Helper()
	var r struct{ Counts struct{ Received int } }
	if err := json.Unmarshal([]byte(report), &r); err != nil {
		t.Fatalf("%v: %s", err, report)
	}
	return r.Counts.Received
}

// TestServersAgree: what happens through one server shows in the other one soon.
func TestServersAgree(t *testing.T) {
	t.Parallel()
	uri := mongotest.Start(t, mongotest.Options{}).URI()
	token, desk := seedOpenRoundAt(t, mongoFlags(uri)...)
	a, b := startMongoServer(t, uri), startMongoServer(t, uri)
	client := &http.Client{Timeout: time.Minute}
	soon := func(limit time.Duration, what string, cond func() bool) {
		t.Helper()
		began := time.Now()
		took := pollUntil(t, what, cond).Sub(began)
		t.Logf("%s: after %v", what, took.Round(time.Millisecond))
		if took > limit {
			t.Errorf("%s: it took %v", what, took)
		}
	}
	reported := func(s *mongoServer) int {
		t.Helper()
		r := ask(client, http.MethodGet, s.address()+"/api/v1/rounds/now/report", token, "", "")
		if r.status == http.StatusServiceUnavailable {
			return -1 // it begins to load
		}
		if r.status != http.StatusOK {
			t.Fatalf("report: %d %s", r.status, r.body)
		}
		return received(t, r.body)
	}
	if _, status, err := submit(client, a.address(), desk); err != nil || status != http.StatusCreated {
		t.Fatalf("submit: %d, %v", status, err)
	}
	for _, s := range []*mongoServer{a, b} {
		pollUntil(t, "reports", func() bool { return reported(s) == 1 })
	}

	var last string
	for n, pair := range [][2]*mongoServer{{a, b}, {b, a}} {
		id, body, err := newAnswer(desk)
		if err != nil {
			t.Fatal(err)
		}
		if r := ask(client, http.MethodPost, pair[0].address()+"/api/v1/responses", "", "application/json", string(body)); r.status != http.StatusCreated {
			t.Fatalf("%d %s", r.status, r.body)
		}
		last = id
		soon(time.Second, "an answer in the other server's report", func() bool { return reported(pair[1]) == n+2 })
	}

	r := ask(client, http.MethodPost, a.address()+"/r", "", "application/x-www-form-urlencoded", url.Values{"code": {answerCode(last)}}.Encode())
	if r.status != http.StatusOK {
		t.Fatalf("withdrawal: %d %s", r.status, r.body)
	}
	soon(2*time.Second, "a withdrawal in both reports", func() bool { return reported(a) == 2 && reported(b) == 2 })

	mustSipas(t, append([]string{"token", "revoke", "--name", "test"}, mongoFlags(uri)...)...)
	soon(2*time.Second, "a revoked token refused by both", func() bool {
		for _, s := range []*mongoServer{a, b} {
			if ask(client, http.MethodGet, s.address()+"/api/v1/rounds", token, "", "").status != http.StatusUnauthorized {
				return false
			}
		}
		return true
	})
}

// TestStoreAway: while the database stands still, the form works, nobody waits
// for longer than a route's limit, and everybody is told what to do. When it
// goes on, so does the service.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	set := mongotest.Start(t, mongotest.Options{Nodes: 1})
	uri := set.URI()
	token, desk := seedOpenRoundAt(t, mongoFlags(uri)...)
	s := startMongoServer(t, uri)
	// Longer than the longest limit: what hangs is found, and says how long it did.
	client := &http.Client{Timeout: 3 * time.Minute}
	get := func(path string) reply { return ask(client, http.MethodGet, s.address()+path, token, "", "") }
	post := func(path, contentType, body string) reply {
		return ask(client, http.MethodPost, s.address()+path, "", contentType, body)
	}
	if _, status, err := submit(client, s.address(), desk); err != nil || status != http.StatusCreated {
		t.Fatalf("submit: %d, %v", status, err)
	}
	const reportPath = "/api/v1/rounds/now/report"
	pollUntil(t, "reports", func() bool { return get(reportPath).status == http.StatusOK })

	set.Freeze(t, 0)
	away := time.Now()
	// Unready within a second of the store's answer being old.
	red := pollUntil(t, "/readyz to be red", func() bool { return get("/readyz").status == http.StatusServiceUnavailable })
	if took := red.Sub(away); took > 5*time.Second {
		t.Errorf("/readyz was green for %v", took)
	}
	var asking sync.WaitGroup
	within := func(what string, limit time.Duration, do func() reply) {
		asking.Go(func() {
			r := do()
			if r.status != http.StatusServiceUnavailable || r.header.Get("Retry-After") == "" {
				t.Errorf("%s: %d, Retry-After %q, %.300s", what, r.status, r.header.Get("Retry-After"), r.body)
			}
			if r.took > limit+time.Second {
				t.Errorf("%s: it took %v", what, r.took)
			}
		})
	}
	const quick, slow = 5 * time.Second, 45 * time.Second
	for range 4 { // none of which may wait for the others
		within("a report", slow, func() reply { return get(reportPath) })
		within("a page of responses", slow, func() reply { return get("/api/v1/responses?round=now") })
	}
	within("status", quick, func() reply { return get("/api/v1/status") })
	within("withdrawal", quick, func() reply {
		return post("/r", "application/x-www-form-urlencoded", url.Values{"code": {survey.Receipt([]byte("key"), survey.ID{1}, nil)}}.Encode())
	})
	_, body, err := newAnswer(desk)
	if err != nil {
		t.Fatal(err)
	}
	within("an answer by the API", quick, func() reply { return post("/api/v1/responses", "application/json", string(body)) })
	if r := get("/livez"); r.status != http.StatusOK || r.took > time.Second {
		t.Errorf("/livez: %d after %v", r.status, r.took)
	}
	form := get("/s/" + desk)
	if form.status != http.StatusOK || !strings.Contains(form.body, "<form") || form.took > time.Second {
		t.Errorf("the form: %d after %v, %.300s", form.status, form.took, form.body)
	}
	filled := filledForm(t, form.body)
	for lang, want := range map[string]string{"vi": "Chưa lưu được phiếu", "en": "The answer was not stored"} {
		within("an answer by the form", quick, func() reply {
			r := post("/s/"+desk+"?lang="+lang, "application/x-www-form-urlencoded", filled.Encode())
			for _, part := range []string{want, filled.Get("comment"), filled.Get("id"), `name="a.c01" value="4" checked`} {
				if !strings.Contains(r.body, part) {
					t.Errorf("the page does not say %q:\n%.1500s", part, r.body)
				}
			}
			return r
		})
	}
	asking.Wait()
	t.Logf("away for %v", time.Since(away).Round(time.Second))

	set.Thaw(t, 0)
	pollUntil(t, "/readyz to be green", func() bool { return get("/readyz").status == http.StatusOK })
	// Both were taken by nobody, or by the database without anybody knowing it: sent again, they count once.
	if r := post("/s/"+desk, "application/x-www-form-urlencoded", filled.Encode()); r.status != http.StatusOK {
		t.Errorf("the form sent again: %d %.300s", r.status, r.body)
	}
	if r := post("/api/v1/responses", "application/json", string(body)); r.status != http.StatusCreated && r.status != http.StatusOK {
		t.Errorf("the answer sent again: %d %s", r.status, r.body)
	}
	pollUntil(t, "the report", func() bool { r := get(reportPath); return r.status == http.StatusOK && received(t, r.body) == 3 })
}

// filledForm fills in what the form of a page asks.
func filledForm(t *testing.T, page string) url.Values {
	t.Helper()
	values := url.Values{"round": {"now"}, "instrument": {seeds.Sipas2640}, "version": {"1"}, "comment": {"đã chờ lâu"}}
	_, id, _ := strings.Cut(page, `name="id" value="`)
	id, _, found := strings.Cut(id, `"`)
	if !found {
		t.Fatal("the form has no id")
	}
	values.Set("id", id)
	for i := range 22 {
		values.Set(fmt.Sprintf("a.c%02d", i+1), "4")
	}
	return values
}
