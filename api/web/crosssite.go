package web

import (
	"crypto/hmac"
	"encoding/base64"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// formField is the name under which forms carry their token. It is looked at before
// anything else of a form with a file.
const formField = "form"

// formToken proves that a form stood on a page of this session. The cookie alone does
// not: browsers send it along from other hosts of the same domain, old ones from
// anywhere.
func (s *Server) formToken(id sessionID) string {
	return base64.RawURLEncoding.EncodeToString(passMAC(s.sessionKey, append([]byte("form "), id[:]...)))
}

// refuseForeign refuses what a page of somebody else sends in a reader's name: answers
// and withdrawals from a citizen's phone, changes in a session. What changes something
// in a session needs the token of its form too, because not every browser tells where a
// form stood. Programs that show a token of their own are nobody's reader: no page can
// make a browser send one.
func (s *Server) refuseForeign(r *request) error {
	if r.route.method == fiber.MethodGet || r.route.access != session && r.token != nil || r.tablet != nil {
		return nil
	}
	code := codeCrossSite
	if r.route.page && !r.route.citizen {
		code = codeForeignForm
	}
	if s.foreign(r) {
		return fail(code)
	}
	if r.route.access == session && !hmac.Equal(r.postedToken(), []byte(s.formToken(r.session))) {
		return fail(codeForeignForm)
	}
	return nil
}

// postedToken is the token of a posted form, nil without one.
func (r *request) postedToken() []byte {
	if r.route.accepts != typeMultipart {
		return r.Request().PostArgs().Peek(formField)
	}
	token, _ := r.part(formField)
	return token
}

// foreign reports whether the browser says that the form stood elsewhere. Pages here have
// the policy same-origin, under which browsers tell where their forms stood; "null" is a
// page that hides it. One that says nothing is an old browser, or no browser.
func (s *Server) foreign(r *request) bool {
	h := &r.Request().Header
	told := false
	for _, site := range h.PeekAll("Sec-Fetch-Site") {
		switch strings.ToLower(string(site)) {
		case "":
		case "same-origin", "none": // "none" is the reader, who loads a page again
			told = true
		default:
			return true
		}
	}
	if told { // no page can make a browser say so; one that was open since an earlier version hides its origin
		return false
	}
	for _, origin := range h.PeekAll(fiber.HeaderOrigin) {
		if !s.own(strings.ToLower(string(origin)), strings.ToLower(string(h.Host()))) {
			s.tellForeign(r, string(origin))
			return true
		}
	}
	return false
}

// own reports whether an origin is that of this service: of its public URL, which alone
// decides where a proxy gives requests another host; or of the host that the request
// came to, for whoever reaches it by another name or address. Under the public host only
// the public scheme is: whoever can change what comes without TLS must not send to TLS.
func (s *Server) own(origin, host string) bool {
	if origin == s.site {
		return true
	}
	scheme, from, ok := strings.Cut(origin, "://")
	if !ok || scheme != "http" && scheme != "https" {
		return false
	}
	if port := defaultPorts[scheme]; from != strings.TrimSuffix(host, port) && from != host {
		return false
	}
	_, public, _ := strings.Cut(s.site, "://")
	return !s.secure() || scheme == "https" || from != public
}

// defaultPorts are those that browsers leave out of an origin, and a few clients do not
// leave out of a host.
var defaultPorts = map[string]string{"http": ":80", "https": ":443"}

// tellForeign says in the log, at most once a minute, that forms are refused by their
// origin. When the public URL is wrong, or a proxy's host, those are all the forms of old
// browsers.
func (s *Server) tellForeign(r *request, origin string) {
	now := s.cfg.Now().Unix()
	if last := s.toldForeign.Load(); now-last < 60 || !s.toldForeign.CompareAndSwap(last, now) {
		return
	}
	s.cfg.Log.Warn("a form was refused because it stood on a page of another site; if it is one of this service, set the public URL to what browsers show",
		"route", r.route.pattern, "origin", origin[:min(len(origin), 200)], "own", s.site)
}
