package web

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/kiosk"
)

// request is one request on its way through a handler.
type request struct {
	*fiber.Ctx
	s     *Server
	route *route
	// context ends with the route's timeout.
	context context.Context
	// token of the caller, nil without one.
	token *store.Token
	// session is that of a signed-in reader, on its routes.
	session sessionID
	// tablet is the caller on its routes, tabletKey the hash of its key.
	tablet    *kiosk.Device
	tabletKey []byte
	id        string
	lang      string
}

// serve is the way of every request to its handler and back: id, headers,
// credential, content type, timeout, handler, error, log line.
func (s *Server) serve(rt *route) fiber.Handler {
	return func(c *fiber.Ctx) error {
		started := time.Now()
		r := &request{Ctx: c, s: s, route: rt, id: s.newRequestID()}
		s.setHeaders(r)
		if err := s.run(r); err != nil {
			s.writeError(r, err)
		}
		s.logAccess(r, started)
		return nil
	}
}

// run calls the handler, behind the checks that the route table asks for.
func (s *Server) run(r *request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if !r.route.early && !s.open.Load() {
		return &failure{code: codeUnavailable, cause: errWaiting}
	}
	if err := s.authorise(r); err != nil {
		return err
	}
	if err := s.refuseForeign(r); err != nil {
		return err
	}
	if r.route.accepts != "" {
		if err := checkContentType(r); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), r.route.timeout)
	defer cancel()
	r.context = ctx
	if r.route.citizen && r.route.page && r.route.limited == unlimited {
		s.caller(r) // for its warning: a form that is opened tells what is wrong with a proxy
	}
	if r.route.limited != unlimited && r.token == nil {
		if from, known := s.caller(r); known {
			switch v := s.limiters[r.route.limited].take(from, s.cfg.Now()); {
			case v == friendly && r.route.over != nil:
				return r.route.over(r)
			case v != allowed:
				return fail(codeTooManyRequests)
			}
		}
	}
	return r.route.handler(r)
}

// errWaiting is why a request fails while there is no store yet.
var errWaiting = errors.New("the store is not open yet")

// unrouted answers what no route of the table took: unknown paths, wrong
// methods, and requests that could not be read.
func (s *Server) unrouted(c *fiber.Ctx, err error) error {
	started := time.Now()
	r := &request{Ctx: c, s: s, id: s.newRequestID(), route: &route{method: c.Method(), pattern: "(none)"}}
	if !slices.Contains(fiber.DefaultMethods, r.route.method) {
		r.route.method = "(unknown)"
	}
	path := string(c.Request().URI().Path())
	if rt := s.limits.large[r.route.method+" "+path]; rt != nil && rt.access == session && errors.Is(err, fiber.ErrRequestEntityTooLarge) {
		// Its body was found too large, perhaps because nobody is signed in any more.
		if _, _, ok := s.sessionToken(r.Cookies(s.cookieName())); !ok {
			r.route, err = &route{method: rt.method, pattern: rt.pattern, path: path, page: true}, fail(codeSignInRequired)
		}
	}
	r.route.page = r.route.page || !strings.HasPrefix(path, "/api/") && strings.Contains(c.Get(fiber.HeaderAccept), "text/html")
	s.setHeaders(r)
	if desk := s.strayDesk(r, path, err); desk != nil {
		s.seeOther(r, s.formPath(r, desk.ID, path))
	} else {
		s.writeError(r, err)
	}
	s.logAccess(r, started)
	return nil
}

// newRequestID names a request in the log and in the answer.
func (s *Server) newRequestID() string {
	var b [8]byte
	// An id that is not random still names a line in the log.
	_, _ = s.cfg.Random.Read(b[:])
	return hex.EncodeToString(b[:])
}

// logAccess writes one line a request. No address, no path with a code in it,
// no query and no body: nothing that says who answered or what. On citizens'
// routes the size is left out, which would tell the desk, and the time is no
// finer than the second; and where programs hand in what citizens said.
func (s *Server) logAccess(r *request, started time.Time) {
	if !s.cfg.Log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	now := time.Now()
	took := now.Sub(started).Round(time.Millisecond)
	coarse := r.route.citizen || r.route.access == optional || r.route.access == tablet
	if coarse {
		now = now.Truncate(time.Second)
	}
	line := slog.NewRecord(now, slog.LevelInfo, "request", 0)
	line.AddAttrs(slog.String("method", r.route.method), slog.String("route", r.route.pattern),
		slog.Int("status", r.Response().StatusCode()), slog.Duration("duration", took))
	if !coarse && !r.Response().IsBodyStream() { // a stream has not begun, and may not be read here
		line.AddAttrs(slog.Int("bytes", len(r.Response().Body())))
	}
	line.AddAttrs(slog.String("request_id", r.id))
	// Whoever answers cannot do anything about a log that is full.
	_ = s.cfg.Log.Handler().Handle(context.Background(), line)
}

// checkContentType refuses a body of another type than the route takes, and an
// encoded one: unpacking is a way to make a small request large.
func checkContentType(r *request) error {
	h := &r.Request().Header
	given := string(h.ContentType())
	mediaType, parameters, _ := strings.Cut(given, ";")
	if !strings.EqualFold(strings.TrimSpace(mediaType), r.route.accepts) {
		return fail(codeContentType)
	}
	if _, charset, ok := strings.Cut(strings.ToLower(parameters), "charset="); ok && strings.Trim(charset, ` "`) != "utf-8" {
		return fail(codeContentType)
	}
	if len(h.Peek(fiber.HeaderContentEncoding)) > 0 {
		return fail(codeContentType)
	}
	return nil
}

// send answers with a value as JSON.
func (r *request) send(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	r.sendJSON(status, body)
	return nil
}

// sendJSON answers with a JSON body.
func (r *request) sendJSON(status int, body []byte) {
	r.Status(status)
	r.Response().Header.SetContentType("application/json; charset=utf-8")
	r.Response().SetBodyRaw(body)
}
