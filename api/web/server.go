package web

import (
	"context"
	"crypto/rand"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sipas/api/analysis"
	"sipas/api/store"
	"sipas/kiosk"
	"sipas/stats"
)

// Reports answers report queries; package analysis does.
type Reports interface {
	// Report computes the report that q asks for.
	Report(ctx context.Context, q analysis.Query) (*stats.Report, error)
	// Compare computes the difference that x asks for.
	Compare(ctx context.Context, x analysis.Comparison) (*stats.Comparison, error)
	// Items computes what lies behind the index, as x asks.
	Items(ctx context.Context, x analysis.ItemsQuery) (*stats.Understanding, error)
	// Trend computes the index over rounds, as x asks.
	Trend(ctx context.Context, x analysis.TrendQuery) (*stats.Trend, error)
	// Picture returns the newest published figures of a round.
	Picture(ctx context.Context, round string) (*stats.Picture, error)
	// Progress says how many stored answers have been loaded. Until ready,
	// reports are refused.
	Progress() (done, total int64, ready bool)
	// Verify compares everything that reports are computed from with the store.
	Verify(ctx context.Context) (analysis.Verification, error)
}

// Config is what a Server needs to know. Zero values of Log, Now and Random
// stand for no log, the system's clock and crypto/rand.
type Config struct {
	// PublicURL is the address under which people reach the service, as ReadPublicURL
	// gives it: perhaps with a path, which every address then begins with. QR codes carry
	// it; a request's Host header is never believed.
	PublicURL string
	// Version of the program, shown in status and pages.
	Version string
	Log     *slog.Logger
	Now     func() time.Time
	// Random feeds response ids and request ids. It is read by many goroutines
	// at once.
	Random io.Reader
	// FormOnly leaves nothing but the citizen's routes: the form, withdrawal,
	// QR codes, static files and /livez.
	FormOnly bool
	// Sounds holds recordings of questions; nil for none. See sounds.
	Sounds fs.FS
	// KioskApp are the files of the program of tablets; nil for those built in.
	KioskApp map[string][]byte
	// Proxies are believed when they say in X-Forwarded-For or Forwarded whose request
	// they pass on; so is whoever runs on this machine.
	Proxies []netip.Prefix
	// ProxyHeader is the one of [ProxyHeaders] that is believed; "" for both, where they
	// agree.
	ProxyHeader string
	// Direct says that no proxy is in front: whoever runs on this machine is a caller.
	Direct bool
	// Connections is the most connections at once, 0 or more than connectionsMost stand for
	// that. Leave files for the store below what the system gives the process.
	Connections int
}

// Server answers HTTP requests.
type Server struct {
	cfg Config
	// site and prefix are the two parts of cfg.PublicURL: its origin, and its path, "" for none.
	site, prefix string
	// toldForeign is when the log last said that a form was refused by its origin, Unix seconds.
	toldForeign atomic.Int64
	// open says that what Open sets may be read.
	open     atomic.Bool
	store    *store.Store
	reports  Reports
	app      *fiber.App
	conns    *connections
	routes   []route
	limits   *limits
	texts    *texts
	pages    *pages
	assets   *assets
	policy   string
	sounds   sounds
	limiters [kinds]limiter[netip.Addr]
	tablets  limiter[string] // by the hash of the key: who is paired anew begins anew
	// Requests whose proxy names nobody, or two callers.
	unnamed, disagreed lastSeen

	boards  boards
	blanks  blankForms
	bundles bundles
	codes   *codes
	aside   asideCounts
	// backups holds a token for each backup that is being streamed.
	backups chan struct{}
	// exports is the same for exports.
	exports chan struct{}

	ticketKey, sessionKey, importKey, stampKey, slipKey []byte
	sealKey                                             *kiosk.SealKey
	kiosk                                               *kiosk.App
}

// How long a connection may take. Handlers have their own timeouts in the
// route table; these guard against clients that trickle.
const (
	readTimeout  = 20 * time.Second
	writeTimeout = 60 * time.Second
	idleTimeout  = 75 * time.Second
)

// headerLimit is the most bytes of a request's header. Chat applications hang
// long parameters on the addresses that they open.
const headerLimit = 8 << 10

// New builds a Server on a store. reports may be nil when cfg.FormOnly is set.
func New(cfg Config, st *store.Store, reports Reports) *Server {
	s := NewWaiting(cfg)
	s.Open(st, reports)
	return s
}

// NewWaiting builds a Server that has no store yet. It says that it lives, is not ready, and asks everybody to come again
// in a few seconds, until Open gives it one.
func NewWaiting(cfg Config) *Server {
	cfg.PublicURL = strings.TrimRight(cfg.PublicURL, "/")
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = rand.Reader
	}
	s := &Server{cfg: cfg, texts: loadTexts(), backups: make(chan struct{}, backupsAtOnce), exports: make(chan struct{}, exportsAtOnce)}
	s.site, s.prefix = splitURL(cfg.PublicURL)
	s.assets = loadAssets(s.prefix)
	for i := range s.limiters {
		s.limiters[i].burst, s.limiters[i].rate = limitBurst, limitRate
	}
	s.tablets.burst, s.tablets.rate = tabletBurst, tabletRate
	s.pages = loadPages(s.assets, s.prefix)
	s.policy = contentPolicy(s.assets)
	if cfg.KioskApp == nil {
		cfg.KioskApp = kiosk.AppFiles()
	}
	s.kiosk = kiosk.NewApp(cfg.KioskApp)
	s.sounds = findSounds(cfg.Sounds, cfg.Log)
	s.routes = s.table()
	s.limits = newLimits(s.routes)
	s.app = fiber.New(fiber.Config{
		// Without it Fiber hands out strings that the next request overwrites.
		Immutable:                    true,
		CaseSensitive:                true,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true,
		// No proxy's header is ever believed.
		EnableTrustedProxyCheck: true,
		BodyLimit:               smallBody,
		ReadBufferSize:          headerLimit,
		ReadTimeout:             readTimeout,
		WriteTimeout:            writeTimeout,
		IdleTimeout:             idleTimeout,
		ErrorHandler:            s.unrouted,
	})
	s.codes = newCodes()
	s.conns = newConnections(cfg.Connections, s.trusted, cfg.Log)
	server := s.app.Server()
	server.HeaderReceived = s.requestConfig
	server.Handler = s.stripped(s.knownMethods(s.asMeant(server.Handler)))
	server.ErrorHandler = s.unreadable(server.ErrorHandler)
	server.ConnState = connState
	for i := range s.routes {
		rt := &s.routes[i]
		s.app.Add(rt.method, rt.path, s.serve(rt))
		if rt.method == fiber.MethodGet {
			s.app.Add(fiber.MethodHead, rt.path, s.serve(rt))
		}
	}
	return s
}

// Open gives a waiting Server its store, once. reports may be nil when FormOnly is set.
func (s *Server) Open(st *store.Store, reports Reports) {
	s.store, s.reports = st, reports
	s.ticketKey, s.sessionKey, s.importKey, s.stampKey = st.Key("sign-in ticket"), st.Key("session"), st.Key("import"), st.Key("form stamp")
	s.slipKey = st.Key("slip")
	sealKey, err := st.SealKey()
	if err != nil {
		panic(err) // in one of 2^256 installations
	}
	s.sealKey = sealKey
	s.open.Store(true)
}

// knownMethods refuses a method that Fiber does not know; by itself Fiber would
// answer without our headers.
func (s *Server) knownMethods(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if slices.Contains(fiber.DefaultMethods, string(ctx.Method())) {
			next(ctx)
			return
		}
		c := s.app.AcquireCtx(ctx)
		defer s.app.ReleaseCtx(c)
		// It never fails: it is what answers failures.
		_ = s.unrouted(c, fiber.ErrBadRequest)
	}
}

// unreadable says which rule of framing a request broke; next answers all else that
// could not be read.
func (s *Server) unreadable(next func(*fasthttp.RequestCtx, error)) func(*fasthttp.RequestCtx, error) {
	return func(ctx *fasthttp.RequestCtx, err error) {
		s.strip(ctx)
		broken := connOf(ctx.Conn())
		if broken == nil || broken.broken == nil {
			next(ctx, err)
			return
		}
		c := s.app.AcquireCtx(ctx)
		defer s.app.ReleaseCtx(c)
		// It never fails: it is what answers failures.
		_ = s.unrouted(c, &failure{code: codeBadRequest, detail: broken.broken.Error()})
	}
}

// Serve answers requests on ln, which may speak TLS, until Shutdown; it closes ln.
func (s *Server) Serve(ln net.Listener) error {
	return s.app.Listener(&boundedListener{Listener: ln, all: s.conns, closed: make(chan struct{})})
}

// Shutdown stops taking connections and waits until running requests are
// answered, at most until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	done := make(chan struct{})
	defer close(done)
	go s.conns.drain(done)
	return s.app.ShutdownWithContext(ctx)
}
