package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// certificateEvery is how often a handshake looks whether the files were renewed.
const certificateEvery = 10 * time.Second

// certificate is a certificate and its key in files that may be renewed while the
// service runs.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger
	now               func() time.Time

	mu     sync.Mutex
	pair   *tls.Certificate
	seen   [2]fileState // of pair, or of newer files that are no pair
	looked time.Time
}

// fileState changes with a file; the zero value is that of one that is not there.
type fileState struct {
	changed time.Time
	size    int64
}

// openCertificate reads both files.
func openCertificate(certFile, keyFile string, log *slog.Logger, now func() time.Time) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log, now: now, looked: now()}
	c.seen = c.state()
	return c, c.read()
}

// state is taken before the files are read: what changes meanwhile is read again.
func (c *certificate) state() (s [2]fileState) {
	for i, name := range [...]string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			s[i] = fileState{info.ModTime(), info.Size()}
		}
	}
	return s
}

func (c *certificate) read() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case errors.As(err, new(*fs.PathError)): // it names the file
		return fmt.Errorf("read the certificate: %w", err)
	case err != nil:
		return fmt.Errorf("certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	c.pair = &pair
	return nil
}

// get is the certificate for a handshake: the one in the files, or the one before
// while they are no pair.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.now(); at.Sub(c.looked) >= certificateEvery {
		c.looked = at
		if s := c.state(); s != c.seen {
			c.seen = s
			if err := c.read(); err != nil {
				c.log.Warn("the renewed certificate cannot be used; going on with the one before", "error", err, "until", c.pair.Leaf.NotAfter)
			} else {
				c.log.Info("took the renewed certificate", "until", c.pair.Leaf.NotAfter)
			}
		}
	}
	return c.pair, nil
}

// listener speaks TLS on ln.
func (c *certificate) listener(ln net.Listener) net.Listener {
	return tlsListener{tls.NewListener(ln, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get})}
}

// tlsListener tells those who speak plain HTTP to it what is wrong, as net/http does
// and fasthttp does not.
type tlsListener struct{ net.Listener }

func (l tlsListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tlsConn{conn.(*tls.Conn)}, nil
}

type tlsConn struct{ *tls.Conn }

func (c tlsConn) Handshake() error {
	err := c.Conn.Handshake()
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) && plain.Conn != nil {
		// Whoever cannot be told is gone.
		_, _ = io.WriteString(plain.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
	return err
}
