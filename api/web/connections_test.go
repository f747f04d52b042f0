package web

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sipas/api/store"
)

// trickyListener makes accepting fail at first, and tells connections where they come from.
type trickyListener struct {
	net.Listener
	mu    sync.Mutex
	fails []error
	from  string // an address without a port; "" for the true one
}

func (l *trickyListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	if len(l.fails) > 0 {
		err := l.fails[0]
		l.fails = l.fails[1:]
		l.mu.Unlock()
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: err}
	}
	l.mu.Unlock()
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from == "" {
		return conn, nil
	}
	return fromElsewhere{conn, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(l.from), 40000))}, nil
}

func (l *trickyListener) comeFrom(address string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.from = address
}

type fromElsewhere struct {
	net.Conn
	addr net.Addr
}

func (c fromElsewhere) RemoteAddr() net.Addr { return c.addr }

// bounded is a service with few places.
type bounded struct {
	*env
	ln *trickyListener
}

func startBounded(t *testing.T, places int, fails ...error) *bounded {
	t.Helper()
	e := start(t, options{failing: true, config: func(c *Config) { c.Connections = places }})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bounded{e, &trickyListener{Listener: ln, fails: fails}}
	go e.server.Serve(b.ln) // it ends with the other
	b.wait(func() bool { return e.server.conns.places() == 0 })
	return b
}

// dial opens a connection and waits until it has its place.
func (b *bounded) dial(first string) net.Conn {
	b.t.Helper()
	there, busy := b.places()
	c, err := net.Dial("tcp", b.ln.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	if _, err := io.WriteString(c, first); err != nil {
		b.t.Fatal(err)
	}
	b.wait(func() bool {
		now, working := b.places()
		return now != there && (first == "" || working != busy)
	})
	return c
}

// places names who has a place and counts those that have sent something.
func (b *bounded) places() (there string, busy int) {
	l := b.server.conns
	l.mu.Lock()
	defer l.mu.Unlock()
	newest := int64(0)
	for c := range l.open {
		newest = max(newest, c.since.Load())
		if c.phase.Load() != waiting {
			busy++
		}
	}
	return fmt.Sprint(len(l.open), newest, l.refused), busy
}

// closed reports whether a connection ends now, without an answer.
func closed(t *testing.T, c net.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	n, err := c.Read(make([]byte, 1))
	if n > 0 {
		t.Fatal("it was answered")
	}
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// get asks on a connection that stays open.
func get(t *testing.T, c net.Conn, path string) (status int, body string) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// TestAcceptFails: a system that has no file or memory left for a moment ends nothing.
func TestAcceptFails(t *testing.T) {
	waits(t)
	b := startBounded(t, 8, syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPERM,
		os.NewSyscallError("accept4", syscall.EMFILE), errors.New("something new"))
	if status, _ := get(t, b.dial(""), "/livez"); status != http.StatusOK {
		t.Errorf("after accepting failed: %d", status)
	}
	if n := strings.Count(b.log.String(), "could not be accepted"); n != 1 {
		t.Errorf("the log tells of it %d times, want once a minute", n)
	}
}

// TestPlaces: when all places are taken, the connection goes that has waited longest,
// whatever for, and none whose request is being answered.
func TestPlaces(t *testing.T) {
	b := startBounded(t, 4)
	silent, idle := b.dial(""), b.dial("")
	dribbling := b.dial("GET /livez HT")
	if status, _ := get(t, idle, "/livez"); status != http.StatusOK {
		t.Fatal(status)
	}
	// It waits for its answer, which waits for the store.
	gate := make(chan struct{})
	b.engine.hold(gate)
	body := submission(t, nil)
	asking := b.dial(fmt.Sprintf("POST /api/v1/responses HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	b.wait(func() bool { return b.engine.waiting.Load() == 1 })

	var later []net.Conn
	for i, first := range []net.Conn{silent, dribbling, idle} {
		later = append(later, b.dial(""))
		if !closed(t, first) {
			t.Errorf("connection %d has waited longest and stays", i)
		}
	}
	status, ready := get(t, later[2], "/readyz")
	if status != http.StatusOK || !strings.Contains(ready, `"connections":{"full":true,"limit":4}`) {
		t.Errorf("/readyz: %d %s", status, ready)
	}
	close(gate)
	if res, err := http.ReadResponse(bufio.NewReader(asking), nil); err != nil || res.StatusCode != http.StatusCreated {
		t.Errorf("the request under way: %v, %v", res, err)
	}
	var staff struct{ Connections connectionReadiness }
	a := b.do(call{path: "/readyz", token: b.tokens[store.RightStaff]})
	if err := json.Unmarshal([]byte(a.body), &staff); err != nil || staff.Connections.Open < 1 || staff.Connections.Open > 4 {
		t.Errorf("/readyz for staff: %v %s", err, a.body)
	}
}

// TestPlacesAllAnswering: who finds every place at work is told to come again, and /readyz
// says so to whoever shares out requests.
func TestPlacesAllAnswering(t *testing.T) {
	b := startBounded(t, 2)
	gate := make(chan struct{})
	b.engine.hold(gate)
	for range 2 {
		body := submission(t, nil)
		b.dial(fmt.Sprintf("POST /api/v1/responses HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	}
	b.wait(func() bool { return b.engine.waiting.Load() == 2 })
	refused := b.dial("")
	if res, err := http.ReadResponse(bufio.NewReader(refused), nil); err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("who finds no place: %v, %v", res, err)
	}
	close(gate)
	b.wait(func() bool { return len(b.stored()) == 2 })
	a := b.do(call{path: "/readyz"})
	if a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, `"status":"full"`) || a.header.Get("Retry-After") == "" {
		t.Errorf("/readyz: %d %s", a.status, a.body)
	}
}

// TestPlacesUnread: whoever never reads the answers, or announces a large body before anybody
// can know whether it is allowed, keeps no place from others.
func TestPlacesUnread(t *testing.T) {
	b := startBounded(t, 3)
	unread := []net.Conn{
		b.dial(strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n", 200)),
		b.dial("POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 999999\r\n"),
		b.dial("POST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"),
	}
	b.wait(func() bool { return b.server.conns.stuck() == 1 })
	for i := range unread {
		if status, _ := get(t, b.dial(""), "/livez"); status != http.StatusOK {
			t.Errorf("connection %d keeps others out: %d", i, status)
		}
	}
	if n := b.server.conns.count(func(c *conn) bool { p := c.phase.Load(); return p == reading || p == receiving }) + b.server.conns.stuck(); n > 0 {
		t.Errorf("%d of them are still there", n)
	}
}

// stuck counts connections that do not read what they asked for.
func (l *connections) stuck() int {
	return l.count(func(c *conn) bool {
		return c.phase.Load() == sending && l.clock()-time.Duration(c.since.Load()) > unread
	})
}

func (l *connections) count(of func(*conn) bool) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		if of(c) {
			n++
		}
	}
	return n
}

// TestPlacesStream: a download that only those get who have a right to it keeps its place,
// however slowly it is read.
func TestPlacesStream(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	l := newConnections(1, func(netip.Addr) bool { return true }, slog.New(slog.DiscardHandler))
	c := connOf(l.admit(here))
	c.phase.Store(answering)
	c.stream()
	go c.Write([]byte("ab")) // it ends with the pipe
	if _, err := there.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if p := c.phase.Load(); p != streaming {
		t.Errorf("while it is sent it is in phase %d", p)
	}
	if n := l.makeRoom(1, func(*conn) bool { return true }); n != 0 {
		t.Error("it was closed")
	}
}

// TestPlacesOfOneAddress: one address takes places from itself, a trusted proxy speaks for
// many.
func TestPlacesOfOneAddress(t *testing.T) {
	b := startBounded(t, 80) // a share is 20
	others := map[string]net.Conn{}
	for _, from := range []string{"198.51.100.7", "2001:db8:1::1"} {
		b.ln.comeFrom(from)
		others[from] = b.dial("")
	}
	for i, from := range []string{"203.0.113.9", "2001:db8:2::1"} {
		for n := range 40 {
			if i == 1 { // a network of IPv6 is one
				from = fmt.Sprintf("2001:db8:2::%x", n+1)
			}
			b.ln.comeFrom(from)
			b.dial("")
		}
	}
	if open := b.server.conns.places(); open > 2+2*20 {
		t.Errorf("two addresses have %d places", open)
	}
	b.ln.comeFrom("") // this machine, as a proxy would
	for range 40 {
		b.dial("")
	}
	if open := b.server.conns.places(); open < 70 {
		t.Errorf("a proxy is held to the share of one address: %d places are taken", open)
	}
	for from, c := range others {
		if closed(t, c) {
			t.Errorf("%s has lost its only place to those who had many", from)
		}
	}
}

// places is how many are taken.
func (l *connections) places() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}

// TestDribble: whoever sends byte by byte has as long for all of a request as others, in
// the header, in the body, in chunks and in the handshake.
func TestDribble(t *testing.T) {
	e := start(t, options{})
	s := NewWaiting(e.server.cfg)
	const limit = 300 * time.Millisecond
	s.app.Server().ReadTimeout = limit
	var addresses [2]string
	served := make(chan error, 2)
	for i := range addresses {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses[i] = ln.Addr().String()
		if i == 1 {
			ln = tls.NewListener(ln, selfSigned(t))
		}
		go func() { served <- s.Serve(ln) }()
	}
	var slow sync.WaitGroup
	for _, c := range []struct {
		name, address, first, again string
	}{
		{"nothing", addresses[0], "", ""},
		{"header", addresses[0], "GET /livez HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n"},
		{"body", addresses[0], "POST /r HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n", "a"},
		{"chunks", addresses[0], chunks, "1\r\na\r\n"},
		{"trailers", addresses[0], chunks + "0\r\n", "X: y\r\n"},
		{"no handshake", addresses[1], "", ""},
		{"handshake", addresses[1], "\x16\x03\x01\x40\x00", "\x01"},
	} {
		slow.Go(func() {
			conn, err := net.Dial("tcp", c.address)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			began := time.Now()
			_, err = io.WriteString(conn, c.first)
			for ; err == nil && time.Since(began) < 15*time.Second; time.Sleep(20 * time.Millisecond) {
				if _, err = io.WriteString(conn, c.again); c.again == "" {
					_, err = conn.Read(make([]byte, 1024))
				}
			}
			if took := time.Since(began); err == nil || took < limit {
				t.Errorf("%s: after %v %v", c.name, took, err)
			}
		})
	}
	slow.Wait()
	stop, done := context.WithTimeout(t.Context(), 10*time.Second)
	defer done()
	if err := s.Shutdown(stop); err != nil {
		t.Error(err)
	}
	for range addresses {
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}

// TestShutdownSilent: connections that are silent, in a handshake too, that never end their
// request or never read their answers do not hold up the end.
func TestShutdownSilent(t *testing.T) {
	waits(t)
	e := start(t, options{})
	for _, dial := range doors(t, e) {
		c, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	silent, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, first := range []string{"GET /livez HTTP/1.1\r\nHost: x\r\n", strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n", 200)} {
		c, err := net.Dial("tcp", strings.TrimPrefix(e.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, first); err != nil {
			t.Fatal(err)
		}
	}
	e.wait(func() bool { return e.server.conns.stuck() == 1 })
	began := time.Now()
	stop, done := context.WithTimeout(t.Context(), 10*time.Second)
	defer done()
	if err := e.server.Shutdown(stop); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 7*time.Second {
		t.Errorf("the end took %v", took)
	}
}
