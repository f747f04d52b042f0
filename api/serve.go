package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/api/web"
)

// serveFlags configure the service.
type serveFlags struct {
	storeFlags
	Listen    string `default:"127.0.0.1:8080" env:"SIPAS_LISTEN" help:"Address to listen on. Put a TLS proxy in front of it."`
	PublicURL string `name:"public-url" env:"SIPAS_PUBLIC_URL" help:"Address that QR codes carry, as citizens reach it (https://…). Default: the listening address."`
}

type serveCommand struct {
	serveFlags
}

// shutdownLimit is how long requests under way may take to end.
const shutdownLimit = 15 * time.Second

func (c *serveCommand) Run(t *terminal) error {
	log := newLogger(t.stderr)
	ln, err := listen(t.ctx, c.Listen)
	if err != nil {
		return err
	}
	defer ln.Close()
	public, err := publicURL(c.PublicURL, ln)
	if err != nil {
		return err
	}
	st, err := c.openAt(t.ctx, "serve", "http://"+ln.Addr().String(), log)
	if err != nil {
		return err
	}
	if len(st.View().Tokens()) == 0 {
		log.Warn("nobody can sign in yet: stop the service, run `sipas token create`, start it again")
	}
	if c.PublicURL == "" {
		log.Warn("QR codes carry the listening address, which other machines cannot open: set SIPAS_PUBLIC_URL before printing any", "public", public)
	}
	log.Info("serving", "listen", ln.Addr().String(), "public", public, "version", version())
	s := newService(st, log, public)
	return s.serve(t.ctx, listening{s.web, ln})
}

// listen takes the address before anything else is started, so that a taken
// port is said at once.
func listen(ctx context.Context, address string) (net.Listener, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w (another address: --listen 127.0.0.1:8081)", address, err)
	}
	return ln, nil
}

func publicURL(configured string, ln net.Listener) (string, error) {
	if configured == "" {
		return "http://" + ln.Addr().String(), nil
	}
	return checkPublicURL(configured)
}

// service is a running store with its analysis and web server.
type service struct {
	store    *store.Store
	analysis *analysis.Analysis
	web      *web.Server
	log      *slog.Logger
	stop     context.CancelFunc
	followed chan struct{}
}

// newService starts following the store; serve then answers requests. It owns
// the store from here on.
func newService(st *store.Store, log *slog.Logger, public string) *service {
	following, stop := context.WithCancel(context.Background())
	s := &service{store: st, analysis: analysis.New(st, log, now, version()), log: log, stop: stop, followed: make(chan struct{})}
	s.web = web.New(web.Config{PublicURL: public, Version: version(), Log: log, Now: now, Random: rand.Reader}, st, s.analysis)
	go func() {
		defer close(s.followed)
		s.analysis.Run(following)
	}()
	return s
}

// listening is a server and where it listens.
type listening struct {
	server *web.Server
	ln     net.Listener
}

// serve answers requests on all listeners until ctx ends or one of them fails,
// then shuts down in order: no new requests, those under way to their end, the
// columns, the store.
func (s *service) serve(ctx context.Context, servers ...listening) error {
	failed := make(chan error, len(servers))
	for _, l := range servers {
		go func() { failed <- l.server.Serve(l.ln) }()
	}
	var errs []error
	select {
	case err := <-failed:
		if err == nil {
			err = errors.New("the server stopped by itself")
		}
		errs = append(errs, err)
	case <-ctx.Done():
		s.log.Info("stopping: waiting for requests under way", "limit", shutdownLimit)
	}
	limit, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	for _, l := range servers {
		errs = append(errs, l.server.Shutdown(limit))
	}
	return errors.Join(append(errs, s.close())...)
}

// close ends everything but the web server.
func (s *service) close() error {
	s.stop()
	<-s.followed
	err := s.store.Close()
	if err == nil {
		s.log.Info("stopped")
	}
	return err
}

// removeAll removes a temporary folder and reports what it could not.
func removeAll(folder string, err *error) {
	*err = errors.Join(*err, os.RemoveAll(folder))
}
