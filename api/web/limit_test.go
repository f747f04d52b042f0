package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipas/api/store"
)

func TestLimiter(t *testing.T) {
	l, now := &limiter[netip.Addr]{burst: limitBurst, rate: limitRate}, testNow()
	one, other := netip.MustParseAddr("203.0.113.5"), netip.MustParseAddr("203.0.113.6")
	for n := range limitBurst {
		if l.take(one, now) != allowed {
			t.Fatalf("refused after %d", n)
		}
	}
	if l.take(one, now) != friendly || l.take(other, now) != allowed {
		t.Error("the limit is not of one address")
	}
	if l.take(one, now.Add(-time.Hour)) != friendly {
		t.Error("a clock set back gives more")
	}
	for n := range limitFriendly - 2 {
		if l.take(one, now) != friendly {
			t.Fatalf("not friendly after %d", n)
		}
	}
	if l.take(one, now) != curt {
		t.Error("a flood gets pages without end")
	}
	now = now.Add(time.Second)
	for n := range limitRate {
		if l.take(one, now) != friendly {
			t.Fatalf("not friendly after %d in a second", n)
		}
	}
	if l.take(one, now) != curt {
		t.Error("more than the rate")
	}
	now = now.Add(limitFriendly/limitRate*time.Second + time.Second)
	for n := range limitRate {
		if l.take(one, now) != allowed {
			t.Fatalf("refused after %d when it was quiet", n)
		}
	}
	// As many addresses as are counted: new ones may, and quiet ones go.
	for i := range maxBuckets {
		l.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), now)
	}
	if n := len(l.buckets); n > maxBuckets {
		t.Errorf("%d addresses are kept", n)
	}
	now = now.Add(time.Hour)
	if l.take(netip.MustParseAddr("192.0.2.1"), now) != allowed || len(l.buckets) > 2 {
		t.Errorf("%d addresses are kept after an hour", len(l.buckets))
	}
}

// TestTabletLimit: a tablet that sends more than tablets do is told to wait, the others
// at its address are not.
func TestTabletLimit(t *testing.T) {
	e := startTablets(t, options{})
	f, other, stranger := e.paired(testDesk), e.paired("Q2"), e.newTablet()
	asks := func(f *fakeTablet, status int) {
		t.Helper()
		switch a := f.get("/api/v1/kiosk/bundle"); {
		case a.status != status:
			t.Fatalf("status %d, want %d: %.200s", a.status, status, a.body)
		case status == http.StatusTooManyRequests && (a.header.Get("Retry-After") == "" || a.errorOf(t).Code != codeTooManyRequests):
			t.Errorf("%v %s", a.header, a.body)
		}
	}
	for range tabletBurst - 2 { // one was asked as it was paired
		asks(f, http.StatusOK)
	}
	f.give(nil)
	b := f.batch()
	f.send(b)
	f.give(nil)
	if a := f.post(f.batch()); a.status != http.StatusTooManyRequests || len(e.stored()) != 1 {
		t.Errorf("%d %s, %d answers are stored", a.status, a.body, len(e.stored()))
	}
	asks(f, http.StatusTooManyRequests)
	if status := e.announce("POST", "/api/v1/kiosk/sync", f.bearer, smallBody+1); status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body of a key that has sent too much: status %d", status)
	}
	asks(other, http.StatusOK)
	if log := e.log.String(); strings.Count(log, "tablet="+f.device) != 2 || strings.Contains(log, "tablet="+other.device) {
		t.Error("the log does not say which tablet it is")
	}
	e.clock.pass(2 * time.Second)
	asks(f, http.StatusTooManyRequests) // the two that were refused count
	e.clock.pass(6 * time.Second)
	f.send(f.batch())
	if len(e.stored()) != 2 {
		t.Errorf("%d answers are stored", len(e.stored()))
	}
	// Whoever has the key has nothing once the tablet was paired anew.
	for range tabletBurst {
		f.get("/api/v1/kiosk/bundle")
	}
	if n := strings.Count(e.log.String(), "tablet="+f.device); n > limitFriendly+5 {
		t.Errorf("the log says so %d times", n)
	}
	var code PairedDevice
	e.staff("POST", "/api/v1/devices/"+f.device+"/pairing", store.RightStaff, nil, &code)
	anew := e.newTablet()
	anew.pair(code.Code)
	asks(f, http.StatusUnauthorized)
	asks(anew, http.StatusOK)
	for range tabletBurst + 1 { // costs no more than to refuse it in another way
		asks(stranger, http.StatusUnauthorized)
	}
	if n := len(e.server.tablets.buckets); n != 3 {
		t.Errorf("%d tablets are counted", n)
	}
}

// TestCaller: proxies that are trusted, and nobody else, say whose request it is.
func TestCaller(t *testing.T) {
	e := start(t, options{config: func(c *Config) { c.Proxies = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12")} }})
	post := func(chain string) int {
		return e.do(call{method: http.MethodPost, path: "/r", contentType: typeForm, body: "code=x", header: map[string]string{"X-Forwarded-For": chain}}).status
	}
	counted := func() int {
		l := &e.server.limiters[withdrawals]
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.buckets)
	}
	for _, c := range []struct {
		chain     string
		addresses int
	}{
		{"", 0}, {"no address", 0}, {"172.16.3.4", 0}, // nobody says whose it is
		{"203.0.113.5", 1}, {"198.51.100.7, 203.0.113.5", 1}, {"198.51.100.8,203.0.113.5, 172.16.3.4", 1}, {"::ffff:203.0.113.5", 1},
		{"203.0.113.6", 2}, {"2001:db8:1:2::1", 3}, {"2001:db8:1:2:ffff::9", 3}, {"2001:db8:1:3::1", 4},
	} {
		if status := post(c.chain); status != http.StatusOK {
			t.Errorf("%q: %d", c.chain, status)
		}
		if n := counted(); n != c.addresses {
			t.Errorf("after %q there are %d addresses, want %d", c.chain, n, c.addresses)
		}
	}
}

// TestFlood: ten thousand posts from one address are told to wait, with everything
// that was typed, while a citizen at another is answered at once; no address reaches
// the log.
func TestFlood(t *testing.T) {
	e := start(t, options{})
	body := formValues(e, testDesk)
	body.Set("comment", "typed words")
	flood := func(header map[string]string) answer {
		return e.do(call{method: http.MethodPost, path: "/s/" + testDesk, contentType: typeForm, body: body.Encode(), header: header})
	}
	const posts, clients = 10_000, 16
	var later, kept, worst atomic.Int64
	var sending sync.WaitGroup
	for client := range clients {
		sending.Go(func() {
			for n := client; n < posts; n += clients {
				a := flood(map[string]string{"X-Forwarded-For": "203.0.113.5"})
				switch a.status {
				case http.StatusOK:
				case http.StatusTooManyRequests:
					later.Add(1)
					if a.header.Get("Retry-After") == "" {
						t.Error("it does not say when to come again")
					}
					if strings.Contains(a.body, e.server.texts.say("vi", "unavailable.title")) {
						kept.Add(1)
						if strings.Contains(a.body, "typed words") {
							continue
						}
					} else if strings.Contains(a.body, e.server.texts.say("vi", "error.too_many_requests")) {
						continue
					}
					if !t.Failed() {
						t.Errorf("the page is not friendly: %.300s", a.body)
					}
				default:
					t.Errorf("%d %.200s", a.status, a.body)
				}
			}
		})
	}
	flooded := make(chan struct{})
	go func() { sending.Wait(); close(flooded) }()
	citizens := 0
	for done := false; !done; citizens++ {
		select {
		case <-flooded:
			done = true
		default:
		}
		began := time.Now()
		v := formValues(e, testDesk)
		a := e.do(call{method: http.MethodPost, path: "/s/" + testDesk, contentType: typeForm, body: v.Encode(), header: map[string]string{"X-Forwarded-For": fmt.Sprintf("198.51.100.%d", citizens%200)}})
		if a.status != http.StatusOK {
			t.Fatalf("a citizen at another address is told %d", a.status)
		}
		worst.Store(max(worst.Load(), time.Since(began).Milliseconds()))
	}
	t.Logf("%d of %d told to wait; %d citizens meanwhile, the slowest after %d ms", later.Load(), posts, citizens, worst.Load())
	if n := later.Load(); n < posts-limitBurst-limitRate*120 || n > posts-limitBurst {
		t.Errorf("%d of %d were told to wait", n, posts)
	}
	if n := kept.Load(); n < limitFriendly || n > limitFriendly+limitRate*120 {
		t.Errorf("%d got their form back", n)
	}
	if worst.Load() > 3000 {
		t.Errorf("a citizen waited for %d ms", worst.Load())
	}
	if log := e.log.String(); strings.Contains(log, "203.0.113") || strings.Contains(log, "198.51.100") {
		t.Error("an address is in the log")
	}
	// Programs with a token are no citizens.
	if a := e.post(submission(t, nil), e.tokens["submit"]); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestLimitsApart: what floods one door shuts that door alone, for that address alone:
// withdrawals, answers of forms and of programs, codes of tablets, sign-ins.
func TestLimitsApart(t *testing.T) {
	e := start(t, options{})
	const burst = 12 // TestLimiter counts up to the service's own, at which a flood here takes seconds
	for i := range e.server.limiters {
		l := &e.server.limiters[i]
		l.mu.Lock()
		if i != int(unlimited) && l.burst != limitBurst {
			t.Errorf("kind %d begins with %v", i, l.burst)
		}
		l.burst = burst
		l.mu.Unlock()
	}
	from := func(host byte) map[string]string {
		return map[string]string{"X-Forwarded-For": fmt.Sprintf("203.0.113.%d", host)}
	}
	token := url.Values{"token": {e.tokens[store.RightFull]}}.Encode()
	doors := []struct {
		name string
		call func() call
		ok   int
	}{
		{"form", func() call {
			return call{path: "/s/" + testDesk, contentType: typeForm, body: formValues(e, testDesk).Encode()}
		}, http.StatusOK},
		{"API", func() call { return call{path: "/api/v1/responses", contentType: typeJSON, body: submission(t, nil)} }, http.StatusCreated},
		{"withdrawal", func() call { return call{path: "/r", contentType: typeForm, body: "code=0123-4567-89AB-CDEF"} }, http.StatusOK},
		{"pairing", func() call { return call{path: "/api/v1/kiosk/enrol", contentType: typeJSON, body: `{}`} }, 0},
		{"sign-in", func() call { return call{path: "/signin", contentType: typeForm, body: token} }, http.StatusSeeOther},
	}
	send := func(c call, host byte) answer {
		c.method, c.header = http.MethodPost, from(host)
		return e.do(c)
	}
	// One call as it is sent to fill a bucket: what it says does not matter.
	floods := map[string]call{
		"API":        {path: "/api/v1/responses", contentType: typeJSON, body: "["},
		"withdrawal": {path: "/r", contentType: typeForm, body: "code=wrong"},
		"pairing":    {path: "/api/v1/kiosk/enrol", contentType: typeJSON, body: "["},
		"sign-in":    {path: "/signin", contentType: typeForm, body: "token=wrong"},
	}
	host := byte(0)
	for flooded, c := range floods {
		host++
		for range burst + 3 {
			send(c, host)
		}
		if a := send(c, host); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d wrong ones, and then status %d", flooded, burst+3, a.status)
		}
		for _, door := range doors {
			want := door.name == flooded || door.name == "form" && flooded == "API"
			a := send(door.call(), host)
			if got := a.status == http.StatusTooManyRequests; got != want || !want && door.ok != 0 && a.status != door.ok {
				t.Errorf("after a flood of %s: %s has status %d", flooded, door.name, a.status)
			}
			if a := send(door.call(), host+100); a.status == http.StatusTooManyRequests {
				t.Errorf("after a flood of %s: %s at another address is refused", flooded, door.name)
			}
		}
	}
	// The code that has to wait is given back.
	for range burst {
		send(floods["withdrawal"], 99)
	}
	a := send(call{path: "/r", contentType: typeForm, body: "code=ABCD-EFGH-JKMN-PQRS"}, 99)
	if a.status != http.StatusTooManyRequests || !strings.Contains(a.body, `value="ABCD-EFGH-JKMN-PQRS"`) || !strings.Contains(a.body, e.server.texts.say("vi", "error.too_many_requests")) {
		t.Errorf("%d %s", a.status, plain(a.body))
	}
	if strings.Contains(e.log.String(), "203.0.113") {
		t.Error("an address is in the log")
	}
}
