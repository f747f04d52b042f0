package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/api/web"
)

// serveFlags configure the service.
type serveFlags struct {
	storeFlags
	Listen         string    `default:"127.0.0.1:8080" env:"SIPAS_LISTEN" help:"Address to listen on. Put a TLS proxy in front of it, or give --tls-cert and --tls-key."`
	TLSCert        string    `name:"tls-cert" env:"SIPAS_TLS_CERT" placeholder:"FILE" help:"Speak HTTPS with this certificate and its chain (PEM); a renewed one is taken within seconds, without a restart."`
	TLSKey         string    `name:"tls-key" env:"SIPAS_TLS_KEY" placeholder:"FILE" help:"Key of the certificate (PEM)."`
	PublicURL      string    `name:"public-url" env:"SIPAS_PUBLIC_URL" help:"Address that QR codes carry, as citizens reach it (https://…, perhaps with a path). Default: the listening address."`
	TrustedProxies []network `env:"SIPAS_TRUSTED_PROXIES" help:"Addresses or networks of proxies that say in X-Forwarded-For or Forwarded whose request they pass on, beside this machine: 10.1.2.3,172.16.0.0/12."`
	ProxyHeader    string    `env:"SIPAS_PROXY_HEADER" placeholder:"NAME" help:"Believe only this header of the proxies: X-Forwarded-For or Forwarded. Default: both, where they agree."`
	Sounds         string    `env:"SIPAS_SOUNDS" type:"existingdir" help:"Folder of recordings of questions, <instrument>@<version>.<item>.<language>.mp3, as sipas-2640@1.c01.hre.mp3."`
}

type serveCommand struct {
	serveFlags
}

// network of proxies, as people write one: an address alone is a network too.
type network struct{ netip.Prefix }

// UnmarshalText reads an address or a network.
func (n *network) UnmarshalText(text []byte) error {
	s := strings.TrimSpace(string(text))
	if a, err := netip.ParseAddr(s); err == nil {
		n.Prefix, err = a.WithZone("").Prefix(a.BitLen())
		return err
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return fmt.Errorf("%q is neither an address (10.1.2.3) nor a network (172.16.0.0/12)", s)
	}
	n.Prefix = p
	return nil
}

// shutdownLimit is how long requests under way may take to end.
const shutdownLimit = 15 * time.Second

// Run answers at once. Until the store is open, which a database that is away
// may delay for hours, requests are told to come again.
func (c *serveCommand) Run(t *terminal) error {
	log := newLogger(t.stderr)
	cert, err := c.certificate(log)
	if err != nil {
		return err
	}
	isHeader := func(name string) bool { return strings.EqualFold(name, c.ProxyHeader) }
	if c.ProxyHeader != "" && !slices.ContainsFunc(web.ProxyHeaders(), isHeader) {
		return fmt.Errorf("--proxy-header %q: it is one of %s", c.ProxyHeader, strings.Join(web.ProxyHeaders(), ", "))
	}
	ln, err := listen(t.ctx, c.Listen)
	if err != nil {
		return err
	}
	defer ln.Close()
	public, err := c.publicURL(ln)
	if err != nil {
		return err
	}
	local := "http://" + ln.Addr().String()
	if cert != nil {
		ln = cert.listener(ln)
		local = public // the name that the certificate has
	}
	config := webConfig(log, public)
	for _, n := range c.TrustedProxies {
		config.Proxies = append(config.Proxies, n.Prefix)
	}
	config.ProxyHeader = c.ProxyHeader
	if c.Sounds != "" {
		config.Sounds = os.DirFS(c.Sounds)
	}
	server := web.NewWaiting(config)
	f := answer(t.ctx, log, listening{server, ln})
	log.Info("opening the store", "store", store.RedactURI(c.location()), "listen", ln.Addr().String())
	st, err := c.openAt(f.ctx, "serve", local, log)
	if err != nil {
		return f.giveUp(err)
	}
	if len(st.View().Tokens()) == 0 {
		log.Warn("nobody can sign in yet: " + c.tokenHint())
	}
	if names := st.View().Unlimited(); len(names) > 0 {
		log.Warn("tokens from before tokens expired are taken for ever: make new ones in their place and revoke these (sipas token)", "tokens", names)
	}
	if c.PublicURL == "" {
		log.Warn("QR codes carry the listening address, which other machines cannot open: set SIPAS_PUBLIC_URL before printing any", "public", public)
	}
	s := newService(st, log, server)
	log.Info("serving", "listen", ln.Addr().String(), "public", public, "version", version())
	return s.serve(f)
}

// tokenHint says how to make the first token.
func (c *serveCommand) tokenHint() string {
	if isMongoDB(c.location()) {
		return "run `sipas token create` with the same SIPAS_MONGODB_URI and SIPAS_SECRET; the service need not be stopped"
	}
	return "stop the service, run `sipas token create` with the right tokens among others, start it again; from then on tokens are made through it"
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

// certificate is nil when the service speaks plain HTTP.
func (c *serveFlags) certificate(log *slog.Logger) (*certificate, error) {
	if c.TLSCert == "" && c.TLSKey == "" {
		return nil, nil
	}
	if c.TLSCert == "" || c.TLSKey == "" {
		return nil, errors.New("HTTPS needs both --tls-cert and --tls-key (SIPAS_TLS_CERT and SIPAS_TLS_KEY); leave both out when a proxy in front does it")
	}
	return openCertificate(c.TLSCert, c.TLSKey, log, now)
}

func (c *serveFlags) publicURL(ln net.Listener) (string, error) {
	scheme := "http://"
	if c.TLSCert != "" {
		scheme = "https://"
	}
	if c.PublicURL == "" {
		return scheme + ln.Addr().String(), nil
	}
	public, err := checkPublicURL(c.PublicURL)
	if err == nil && c.TLSCert != "" && !strings.HasPrefix(public, scheme) {
		err = errors.New("the public address (--public-url, SIPAS_PUBLIC_URL) cannot work: with --tls-cert it begins with https://")
	}
	return public, err
}

func webConfig(log *slog.Logger, public string) web.Config {
	return web.Config{PublicURL: public, Version: version(), Log: log, Now: now, Random: rand.Reader, Connections: connectionsWithin(openFiles())}
}

// listening is a server and where it listens.
type listening struct {
	server *web.Server
	ln     net.Listener
}

// front is servers that answer requests.
type front struct {
	servers []listening
	// ctx ends with the program, or when a server fails: its cause says which.
	ctx context.Context
	end context.CancelCauseFunc
	log *slog.Logger
}

// answer starts servers that end with ctx or with the first of them that fails.
func answer(ctx context.Context, log *slog.Logger, servers ...listening) *front {
	f := &front{servers: servers, log: log}
	f.ctx, f.end = context.WithCancelCause(ctx)
	for _, l := range servers {
		go func() {
			f.end(errors.Join(errServer, l.server.Serve(l.ln)))
		}()
	}
	return f
}

// errServer is in the error of a server that ended before it was told to.
var errServer = errors.New("the server stopped by itself")

// failure is the error of the server that failed, nil when none did.
func (f *front) failure() error {
	if err := context.Cause(f.ctx); errors.Is(err, errServer) {
		return err
	}
	return nil
}

// shutdown takes no new requests and waits for those under way.
func (f *front) shutdown() error {
	f.end(nil)
	limit, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	var errs []error
	for _, l := range f.servers {
		errs = append(errs, l.server.Shutdown(limit))
	}
	return errors.Join(errs...)
}

// giveUp ends servers for which no store could be opened, because of err. That
// is no failure when the program was told to stop meanwhile.
func (f *front) giveUp(err error) error {
	if f.ctx.Err() != nil {
		if err = f.failure(); err == nil {
			f.log.Info("stopped before the store was open")
		}
	}
	return errors.Join(err, f.shutdown())
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

// newService starts following the store, and gives it to a server that waits
// for one. It owns the store from here on.
func newService(st *store.Store, log *slog.Logger, server *web.Server) *service {
	following, stop := context.WithCancel(context.Background())
	s := &service{store: st, analysis: analysis.New(st, log, now, version()), web: server, log: log, stop: stop, followed: make(chan struct{})}
	server.Open(st, s.analysis)
	go func() {
		defer close(s.followed)
		s.analysis.Run(following)
	}()
	return s
}

// serve waits until the program is told to stop or a server fails, then shuts
// down in order: no new requests, those under way to their end, the columns, the
// store.
func (s *service) serve(f *front) error {
	<-f.ctx.Done()
	err := f.failure()
	if err == nil {
		s.log.Info("stopping: waiting for requests under way", "limit", shutdownLimit)
	}
	return errors.Join(err, f.shutdown(), s.close())
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
