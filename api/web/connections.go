package web

import (
	"cmp"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	// connectionsMost is how many connections there may be where the system would allow
	// more: silent ones hold some 20 KB each, with TLS twice that.
	connectionsMost = 4096
	// crowd is how many connections one address may have before its own are closed
	// earlier than those of others.
	crowd = 16
	// fullFor is how long /readyz says that places were all taken, or that somebody was
	// refused: every supervisor asks within it.
	fullFor = 10 * time.Second
	// acceptWaitLeast and acceptWaitMost bound the pause after an accept that failed.
	acceptWaitLeast, acceptWaitMost = 5 * time.Millisecond, time.Second
	// unread is how long a part of an answer may wait for its reader before it counts as
	// waiting like any silent one. Answers to citizens fit into the buffers of the system.
	unread = 100 * time.Millisecond
	// drainSlow is how long a part of a request or of an answer may take when the program ends.
	drainSlow = 3 * time.Second
	// lingerTime and lingerMost bound how long, and how many bytes of it, the rest of a
	// request is read that was refused: closing before would lose the answer on its way.
	lingerTime, lingerMost = 500 * time.Millisecond, 256 << 10
)

// connections bounds how many connections there are, below what the system gives a process:
// beyond that it could open no file either. When all places are taken, the connections
// go that have waited longest for a request, for the rest of one or for somebody to read the
// answer, never one whose request is being answered, or who may send or get much. So whoever
// opens many and says nothing takes the places of nobody else for long.
type connections struct {
	// most there may be, and share of one address. A proxy that is trusted is many people:
	// it may have all.
	most, share int
	trusted     func(netip.Addr) bool
	log         *slog.Logger
	began       time.Time

	mu   sync.Mutex
	open map[*conn]struct{}
	// from counts connections by address.
	from map[netip.Addr]int
	// When places were all taken last, when somebody was refused last, and when the log was
	// told last, by the clock; 0 for never.
	filled, refused, warned time.Duration
}

func newConnections(most int, trusted func(netip.Addr) bool, log *slog.Logger) *connections {
	if most <= 0 || most > connectionsMost {
		most = connectionsMost
	}
	return &connections{most: most, share: max(most/4, min(crowd, most)), trusted: trusted, log: log, began: time.Now(),
		open: map[*conn]struct{}{}, from: map[netip.Addr]int{}}
}

// clock is a time that nobody sets back.
func (l *connections) clock() time.Duration { return time.Since(l.began) }

// phase tells which connections may be closed for others, and which are in use.
type phase = uint32

const (
	// waiting: nothing of a request has come, as in a handshake.
	waiting phase = iota
	// reading: a part of one has.
	reading
	// receiving: a part of one whose body only those may send who have a right to it.
	receiving
	// answering: a request is there and its answer is not all gone.
	answering
	// sending: a part of the answer is on its way to somebody who may never read it.
	sending
	// streaming: an answer that only those get who have a right to it, and may take long.
	streaming
	// closing: the connection makes room for another.
	closing
)

// conn is a connection of which nothing ambiguous is read, see [framing].
type conn struct {
	net.Conn
	all *connections
	// from is zero for a proxy that is trusted.
	from  netip.Addr
	phase atomic.Uint32
	// since is when the phase began, by the clock of all.
	since atomic.Int64

	// What follows belongs to the goroutine that serves the connection.
	framing  framing
	answered uint64
	broken   error
}

// Read hands on what is beyond doubt, and fails at the first byte that is not.
func (c *conn) Read(b []byte) (int, error) {
	if c.broken != nil {
		return 0, c.broken
	}
	n, err := c.Conn.Read(b)
	if n == 0 {
		return n, err
	}
	n, c.broken = c.framing.feed(b[:n])
	if !c.settle() {
		return 0, net.ErrClosed
	}
	if c.broken == nil {
		return n, err
	}
	if c.framing.part == partStart {
		// Where nothing but empty lines has come, fasthttp would close without an answer.
		b[n] = '?'
		n++
	}
	if n == 0 {
		return 0, c.broken
	}
	return n, nil
}

// settle notes what the connection does now; false when it has to make room.
func (c *conn) settle() bool {
	next := waiting
	switch {
	case c.broken != nil:
		next = reading
	case c.framing.requests > c.answered:
		next = answering
	case c.framing.body > smallBody && c.framing.part != partField: // by then fasthttp knows the right
		next = receiving
	case !c.framing.between():
		next = reading
	}
	was := c.phase.Load()
	if was == next {
		return true
	}
	if was == closing {
		return false
	}
	c.since.Store(int64(c.all.clock()))
	return c.phase.CompareAndSwap(was, next)
}

// Write notes how long somebody takes to read the answer.
func (c *conn) Write(b []byte) (int, error) {
	if c.phase.Load() == answering {
		c.since.Store(int64(c.all.clock()))
		if c.phase.CompareAndSwap(answering, sending) {
			defer c.phase.CompareAndSwap(sending, answering)
		}
	}
	return c.Conn.Write(b)
}

// stream notes that the answer may take as long as it takes.
func (c *conn) stream() { c.phase.CompareAndSwap(answering, streaming) }

// Close closes the connection and gives its place back.
func (c *conn) Close() error {
	c.phase.CompareAndSwap(receiving, reading)
	if c.phase.Load() == reading {
		c.linger()
	}
	c.all.leave(c)
	return c.Conn.Close()
}

// linger reads the rest of a request that was refused, so that the answer arrives.
func (c *conn) linger() {
	half, ok := c.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	raw := c.raw()
	if raw.SetReadDeadline(time.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, raw, lingerMost)
	}
}

// raw is the connection below TLS.
func (c *conn) raw() net.Conn {
	if secured, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		return secured.NetConn()
	}
	return c.Conn
}

// speaksTLS is how fasthttp knows a connection with TLS.
type speaksTLS interface {
	Handshake() error
	ConnectionState() tls.ConnectionState
}

// securedConn is a conn over TLS.
type securedConn struct {
	*conn
	speaksTLS
}

// connOf finds the conn in a connection that Accept made; nil for any other.
func connOf(nc net.Conn) *conn {
	switch c := nc.(type) {
	case *conn:
		return c
	case *securedConn:
		return c.conn
	}
	return nil
}

// connState counts answers.
func connState(nc net.Conn, state fasthttp.ConnState) {
	if c := connOf(nc); c != nil && state == fasthttp.StateIdle {
		c.answered++
		c.settle()
	}
}

// admit gives a connection a place, if need be that of another one. It returns nil when all
// are answering, or all of its address's share.
func (l *connections) admit(nc net.Conn) net.Conn {
	from := l.address(nc)
	l.mu.Lock()
	open, mine := len(l.open), l.from[from]
	if open >= l.most {
		l.filled = l.clock()
	}
	l.mu.Unlock()
	if from.IsValid() && mine >= l.share && l.makeRoom(1+l.share/64, func(c *conn) bool { return c.from == from }) == 0 ||
		open >= l.most && l.makeRoom(1+l.most/64, func(*conn) bool { return true }) == 0 {
		l.refuse(nc, open)
		return nil
	}
	c := &conn{Conn: nc, all: l, from: from}
	c.since.Store(int64(l.clock()))
	l.mu.Lock()
	l.open[c] = struct{}{}
	l.from[from]++
	l.mu.Unlock()
	if secured, ok := nc.(speaksTLS); ok {
		return &securedConn{c, secured}
	}
	return c
}

// address is where a connection comes from, a network of IPv6 as one; zero for a proxy
// that is trusted.
func (l *connections) address(nc net.Conn) netip.Addr {
	peer, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	from := bare(peer.AddrPort().Addr())
	if l.trusted(from) {
		return netip.Addr{}
	}
	return networkOf(from)
}

// makeRoom closes n connections, fewer where fewer wait, and says how many: of those
// asked for the ones that have waited longest, first those of addresses that have many.
// Several go at once because finding them looks at all.
func (l *connections) makeRoom(n int, of func(*conn) bool) int {
	type candidate struct {
		*conn
		phase   phase
		crowded bool
		since   int64
	}
	var all []candidate
	stuck := int64(l.clock() - unread)
	l.mu.Lock()
	for c := range l.open {
		p, since := c.phase.Load(), c.since.Load()
		if (p <= reading || p == sending && since < stuck) && of(c) {
			all = append(all, candidate{c, p, c.from.IsValid() && l.from[c.from] > crowd, since})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		if a.crowded != b.crowded {
			if a.crowded {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.since, b.since)
	})
	var chosen []*conn
	for _, c := range all {
		if len(chosen) < n && c.conn.phase.CompareAndSwap(c.phase, closing) {
			chosen = append(chosen, c.conn)
			l.remove(c.conn)
		}
	}
	l.mu.Unlock()
	for _, c := range chosen {
		// Below TLS, which would say good-bye first. It returns when the file is free.
		_ = c.raw().Close()
	}
	return len(chosen)
}

// leave gives a place back.
func (l *connections) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(c)
}

func (l *connections) remove(c *conn) {
	if _, there := l.open[c]; !there {
		return
	}
	delete(l.open, c)
	if l.from[c.from]--; l.from[c.from] == 0 {
		delete(l.from, c.from)
	}
}

// refuse closes a connection for which there is no place.
func (l *connections) refuse(nc net.Conn, open int) {
	l.mu.Lock()
	l.refused = l.clock()
	l.mu.Unlock()
	l.warn("no place for another connection: requests of all are being answered", slog.Int("open", open), slog.Int("limit", l.most))
	if _, secured := nc.(speaksTLS); !secured && nc.SetWriteDeadline(time.Now().Add(time.Second)) == nil {
		// Whoever cannot be told is gone.
		_, _ = io.WriteString(nc, "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	}
	_ = nc.Close()
}

// warn tells the log at most once a minute.
func (l *connections) warn(text string, attrs ...any) {
	l.mu.Lock()
	now := l.clock()
	quiet := l.warned > 0 && now-l.warned < time.Minute
	if !quiet {
		l.warned = now
	}
	l.mu.Unlock()
	if !quiet {
		l.log.Warn(text, attrs...)
	}
}

// connectionReadiness is the part of /readyz about connections.
type connectionReadiness struct {
	// Full says that places were all taken just now: the next connection takes the place of
	// the one that has waited longest.
	Full  bool `json:"full"`
	Limit int  `json:"limit"`
	// Open is how many there are, for staff alone: asked again and again it tells when
	// somebody comes.
	Open int `json:"open,omitempty"`
}

// readiness also says whether somebody had to be refused just now.
func (l *connections) readiness() (state connectionReadiness, refusing bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lately := func(at time.Duration) bool { return at > 0 && l.clock()-at < fullFor }
	return connectionReadiness{Full: lately(l.filled), Limit: l.most, Open: len(l.open)}, lately(l.refused)
}

// drain closes connections that have said nothing for a second, and those that have taken
// drainSlow to send a request or to read a part of an answer, until done: fasthttp would wait
// for them longer than the program has.
func (l *connections) drain(done <-chan struct{}) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		silent, slow := int64(l.clock()-time.Second), int64(l.clock()-drainSlow)
		l.makeRoom(math.MaxInt, func(c *conn) bool {
			since := c.since.Load()
			return since < slow || c.phase.Load() == waiting && since < silent
		})
		select {
		case <-done:
			return
		case <-tick.C:
		}
	}
}

// boundedListener accepts connections as long as it is open, whatever fails.
type boundedListener struct {
	net.Listener
	all    *connections
	once   sync.Once
	closed chan struct{}
}

// Accept waits a moment when the system has no file or memory left for a connection,
// and closes others, which frees some.
func (l *boundedListener) Accept() (net.Conn, error) {
	wait := acceptWaitLeast
	for {
		nc, err := l.Listener.Accept()
		if err == nil {
			wait = acceptWaitLeast
			if c := l.all.admit(nc); c != nil {
				return c, nil
			}
			continue
		}
		if deaf(err) {
			return nil, err
		}
		l.all.warn("a connection could not be accepted; going on", slog.Any("error", err))
		l.all.makeRoom(1+l.all.most/64, func(*conn) bool { return true })
		select {
		case <-l.closed:
			return nil, net.ErrClosed
		case <-time.After(wait):
			wait = min(2*wait, acceptWaitMost)
		}
	}
}

// Close ends Accept.
func (l *boundedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// deaf reports whether a listener can never accept again. What else fails passes: no
// files, no memory, a peer that is gone, a firewall; systems have many names for it.
func deaf(err error) bool {
	for _, permanent := range []error{net.ErrClosed, syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK} {
		if errors.Is(err, permanent) {
			return true
		}
	}
	return false
}
