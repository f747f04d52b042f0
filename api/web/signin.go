package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/survey"
)

// sessionFor is how long a reader stays signed in.
const sessionFor = 12 * time.Hour

// A pass names a token by its hash, until a moment, and proves with an HMAC that
// this service made it. Tickets (in a link) and sessions (in a cookie) are
// passes under different keys, so that one is never taken for the other; neither
// holds the token itself.
const passSize = sha256.Size + 8 + sha256.Size

func makePass(key []byte, tokenHash string, until time.Time) string {
	hash, err := hex.DecodeString(tokenHash)
	if err != nil || len(hash) != sha256.Size {
		return ""
	}
	b := binary.BigEndian.AppendUint64(hash, uint64(until.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(b, passMAC(key, b)...))
}

func passMAC(key, b []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(b)
	return mac.Sum(nil)
}

// openPass returns the hash of the token that a pass names.
func openPass(key []byte, pass string, now time.Time) (string, bool) {
	b, err := base64.RawURLEncoding.DecodeString(pass)
	if err != nil || len(b) != passSize {
		return "", false
	}
	said, mac := b[:passSize-sha256.Size], b[passSize-sha256.Size:]
	until := int64(binary.BigEndian.Uint64(said[sha256.Size:]))
	if !hmac.Equal(mac, passMAC(key, said)) || now.Unix() >= until {
		return "", false
	}
	return hex.EncodeToString(said[:sha256.Size]), true
}

// SignInURL makes a link that signs its reader in with the rights of a token
// and leads to a path of this service, until ttl is over. The link does not
// contain the token. It is "" for a token that the store does not know.
func (s *Server) SignInURL(token, path string, ttl time.Duration) string {
	known, ok := s.store.View().Token(token)
	if !ok {
		return ""
	}
	q := url.Values{"t": {makePass(s.ticketKey, known.Hash, s.cfg.Now().Add(ttl))}, "next": {path}}
	return s.cfg.PublicURL + "/signin?" + q.Encode()
}

// cookieName: a __Host- cookie can be set only over TLS and for this host alone.
func (s *Server) cookieName() string {
	if s.secure() {
		return "__Host-sipas"
	}
	return "sipas"
}

// sessionToken finds the token that the reader signed in with. One that was
// revoked since is not found.
func (s *Server) sessionToken(r *request) (store.Token, bool) {
	hash, ok := openPass(s.sessionKey, r.Cookies(s.cookieName()), s.cfg.Now())
	if !ok {
		return store.Token{}, false
	}
	return s.store.View().TokenByHash(hash)
}

// startSession signs the reader in and leads to a clean address.
func (s *Server) startSession(r *request, token store.Token, next string) {
	r.Cookie(&fiber.Cookie{
		Name: s.cookieName(), Value: makePass(s.sessionKey, token.Hash, s.cfg.Now().Add(sessionFor)), Path: "/",
		MaxAge: int(sessionFor.Seconds()), HTTPOnly: true, Secure: s.secure(), SameSite: fiber.CookieSameSiteLaxMode,
	})
	s.seeOther(r, localPath(next))
}

// seeOther leads to a path of this service. Fiber's own redirect would complete
// the address with the request's Host header.
func (s *Server) seeOther(r *request, path string) {
	r.Status(fiber.StatusSeeOther)
	r.Response().Header.Set(fiber.HeaderLocation, path)
}

// localPath returns next when it is a path of this service, else the list of
// reports: a link must not lead elsewhere.
func localPath(next string) string {
	const home = "/reports"
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return home
	}
	if !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return home
	}
	return (&url.URL{Path: u.Path, RawQuery: u.RawQuery}).String()
}

// signInForm is the data of page/signin.html.
type signInForm struct {
	Next    string
	Problem string
}

// showSignIn signs in by ticket, or shows the form for a token.
func (s *Server) showSignIn(r *request) error {
	ticket := r.Query("t")
	if ticket == "" {
		return s.signInPage(r, fiber.StatusOK, "")
	}
	hash, ok := openPass(s.ticketKey, ticket, s.cfg.Now())
	if !ok {
		return fail(codeTicketInvalid)
	}
	token, ok := s.store.View().TokenByHash(hash)
	if !ok {
		return fail(codeTicketInvalid)
	}
	s.startSession(r, token, r.Query("next"))
	return nil
}

// signIn takes a pasted token.
func (s *Server) signIn(r *request) error {
	form := r.Request().PostArgs()
	token, ok := s.store.View().Token(strings.TrimSpace(string(form.Peek("token"))))
	if !ok {
		return s.signInPage(r, statuses[codeTokenUnknown], codeTokenUnknown)
	}
	s.startSession(r, token, string(form.Peek("next")))
	return nil
}

// signOut forgets the reader.
func (s *Server) signOut(r *request) error {
	r.Cookie(&fiber.Cookie{Name: s.cookieName(), Path: "/", MaxAge: -1, Expires: time.Unix(0, 0), HTTPOnly: true, Secure: s.secure(), SameSite: fiber.CookieSameSiteLaxMode})
	s.seeOther(r, "/signin?lang="+r.language())
	return nil
}

// signInPage asks for a token, saying why when it was asked for something else.
func (s *Server) signInPage(r *request, status int, why survey.Code) error {
	d := signInForm{}
	switch {
	case r.route.path == "/signin" && r.Method() == fiber.MethodPost:
		d.Next = localPath(string(r.Request().PostArgs().Peek("next")))
	case r.route.path == "/signin":
		d.Next = localPath(r.Query("next"))
	default:
		d.Next = localPath(string(r.Request().URI().RequestURI()))
	}
	if why != "" {
		d.Problem = s.message(r.language(), why)
	}
	return s.render(r, status, "signin", s.newPage(r, s.texts.say(r.language(), "signin.title"), &d))
}
