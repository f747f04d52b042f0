package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/survey"
)

// sessionFor is how long a reader stays signed in.
const sessionFor = 12 * time.Hour

// pass names a token by its hash, until a moment, and as text proves with an
// HMAC that this service made it. Tickets (in a link) and sessions (in a cookie)
// are passes under different keys, so that one is never taken for the other;
// neither holds the token itself.
type pass struct {
	token string // hash
	id    sessionID
	until time.Time
}

// sessionID tells one session of a token from another, so that one can be ended.
// It is random; a ticket's is zero, since nothing ends a ticket before its time.
type sessionID [16]byte

// hash names the session in the store, from which nobody can make a pass.
func (id sessionID) hash() string {
	sum := sha256.Sum256(id[:])
	return hex.EncodeToString(sum[:])
}

const passSize = sha256.Size + len(sessionID{}) + 8 + sha256.Size

// seal writes the pass as text, "" when its token is no hash.
func (p pass) seal(key []byte) string {
	b, err := hex.DecodeString(p.token)
	if err != nil || len(b) != sha256.Size {
		return ""
	}
	b = append(b, p.id[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(p.until.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, passMAC(key, b)...))
}

func passMAC(key, b []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(b)
	return mac.Sum(nil)
}

// openPass reads a pass that this service made and whose time is not over.
func openPass(key []byte, text string, now time.Time) (pass, bool) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != passSize {
		return pass{}, false
	}
	said, mac := b[:passSize-sha256.Size], b[passSize-sha256.Size:]
	if !hmac.Equal(mac, passMAC(key, said)) {
		return pass{}, false
	}
	p := pass{token: hex.EncodeToString(said[:sha256.Size])}
	rest := said[sha256.Size:]
	rest = rest[copy(p.id[:], rest):]
	p.until = time.Unix(int64(binary.BigEndian.Uint64(rest)), 0)
	return p, now.Before(p.until)
}

// SignInURL makes a link that signs its reader in with the rights of a token
// and leads to a path of this service, until ttl is over. The link does not
// contain the token. It is "" for a token that the store does not know.
func (s *Server) SignInURL(token, path string, ttl time.Duration) string {
	known, ok := s.store.View().Token(token, s.cfg.Now())
	if !ok {
		return ""
	}
	q := url.Values{"t": {pass{token: known.Hash, until: s.cfg.Now().Add(ttl)}.seal(s.ticketKey)}, "next": {path}}
	return s.cfg.PublicURL + "/signin?" + q.Encode()
}

// cookieName: a __Host- cookie can be set only over TLS and for this host alone, whole; a
// __Secure- one only over TLS.
func (s *Server) cookieName() string {
	switch {
	case !s.secure():
		return "sipas"
	case s.prefix != "":
		return "__Secure-sipas"
	}
	return "__Host-sipas"
}

// setCookie gives the browser a session, which it sends to this service and to nothing else
// on the host. maxAge is in seconds; a negative one makes the browser forget it.
func (s *Server) setCookie(r *request, value string, maxAge int) {
	c := &fiber.Cookie{Name: s.cookieName(), Value: value, Path: s.prefix, MaxAge: maxAge, HTTPOnly: true, Secure: s.secure(),
		SameSite: fiber.CookieSameSiteLaxMode}
	if c.Path == "" {
		c.Path = "/"
	}
	if maxAge < 0 {
		c.Expires = time.Unix(0, 0)
	}
	r.Cookie(c)
}

// sessionToken finds the session of a cookie and the token that the reader signed in
// with. One that was revoked since is not found, nor is that of a session that was ended.
func (s *Server) sessionToken(cookie string) (sessionID, store.Token, bool) {
	p, ok := openPass(s.sessionKey, cookie, s.cfg.Now())
	view := s.store.View()
	if !ok || view.SignedOut(p.id.hash()) {
		return sessionID{}, store.Token{}, false
	}
	token, ok := view.TokenByHash(p.token, s.cfg.Now())
	return p.id, token, ok
}

// startSession signs the reader in and leads to a clean address.
func (s *Server) startSession(r *request, token store.Token, next string) error {
	p := pass{token: token.Hash, until: s.cfg.Now().Add(sessionFor)}
	if _, err := io.ReadFull(s.cfg.Random, p.id[:]); err != nil {
		return fmt.Errorf("make a session: %w", err)
	}
	s.setCookie(r, p.seal(s.sessionKey), int(sessionFor.Seconds()))
	path := s.localPath(next)
	if path == home && !token.Allows(store.RightFull) && !token.Allows(store.RightReport) && token.Allows(store.RightStaff) {
		path = fleetHome
	}
	s.seeOther(r, path)
	return nil
}

// seeOther leads to a path of this service by GET.
func (s *Server) seeOther(r *request, path string) {
	s.redirect(r, fiber.StatusSeeOther, path)
}

// redirect leads to a path of this service. Fiber's own redirect would complete
// the address with the request's Host header.
func (s *Server) redirect(r *request, status int, path string) {
	r.Status(status)
	r.Response().Header.Set(fiber.HeaderLocation, s.href(path))
}

// Where readers begin, and those who may see no report but look after tablets.
const (
	home      = "/reports"
	fleetHome = "/fleet"
)

// localPath returns next when it is a path of this service, else the list of
// reports: a link must not lead elsewhere. It may come with the service's prefix, and is
// returned without.
func (s *Server) localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return home
	}
	if !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return home
	}
	return (&url.URL{Path: s.below(u.Path), RawQuery: u.RawQuery}).String()
}

// signInForm is the data of page/signin.html.
type signInForm struct {
	Next    string
	Problem string
	// Unsent: what a form posted was not taken.
	Unsent bool
}

// showSignIn signs in by ticket, or shows the form for a token.
func (s *Server) showSignIn(r *request) error {
	ticket := r.Query("t")
	if ticket == "" {
		return s.signInPage(r, fiber.StatusOK, "")
	}
	p, ok := openPass(s.ticketKey, ticket, s.cfg.Now())
	if !ok {
		return fail(codeTicketInvalid)
	}
	token, ok := s.store.View().TokenByHash(p.token, s.cfg.Now())
	if !ok {
		return fail(codeTicketInvalid)
	}
	return s.startSession(r, token, r.Query("next"))
}

// signIn takes a pasted token.
func (s *Server) signIn(r *request) error {
	form := r.Request().PostArgs()
	token, ok := s.store.View().Token(strings.TrimSpace(string(form.Peek("token"))), s.cfg.Now())
	if !ok {
		return s.signInPage(r, statuses[codeTokenUnknown], codeTokenUnknown)
	}
	return s.startSession(r, token, string(form.Peek("next")))
}

// signOut makes the reader's browser forget the session, and every server refuse
// it. The browser forgets it also while the store is away, but the reader is
// told that a copy of the cookie would still open the service.
func (s *Server) signOut(r *request) error {
	s.setCookie(r, "", -1)
	now := s.cfg.Now()
	if p, ok := openPass(s.sessionKey, r.Cookies(s.cookieName()), now); ok {
		if err := s.store.SignOut(r.context, p.id.hash(), p.until, now); err != nil {
			return &failure{code: codeSignedOutHere, cause: err}
		}
	}
	s.seeOther(r, "/signin?lang="+r.language())
	return nil
}

// signInPage asks for a token, saying why when it was asked for something else.
func (s *Server) signInPage(r *request, status int, why survey.Code) error {
	d := signInForm{}
	switch {
	case r.route.path == "/signin" && r.Method() == fiber.MethodPost:
		d.Next = s.localPath(string(r.Request().PostArgs().Peek("next")))
	case r.route.path == "/signin":
		d.Next = s.localPath(r.Query("next"))
	default:
		d.Next = s.localPath(string(r.Request().URI().RequestURI()))
		d.Unsent = r.Method() == fiber.MethodPost
	}
	if why != "" {
		d.Problem = s.message(r.language(), why)
	}
	return s.render(r, status, "signin", s.newPage(r, s.texts.say(r.language(), "signin.title"), &d))
}
