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

// refuseForeign refuses what a page of somebody else sends in a reader's name. What
// changes something in a session needs the token of its form, because not every
// browser tells where a form stood; where one does, that holds for signing in and out
// too.
func (s *Server) refuseForeign(r *request) error {
	if r.route.method == fiber.MethodGet || !r.route.page || r.route.citizen {
		return nil
	}
	if s.foreign(r) {
		return fail(codeForeignForm)
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

// foreign reports whether the browser says that the form stood elsewhere. Pages here
// tell no address to where they lead, so that Origin is often "null": it says nothing.
func (s *Server) foreign(r *request) bool {
	switch r.Get("Sec-Fetch-Site") {
	case "same-origin", "none": // "none" is the reader, who loads a page again
		return false
	case "":
	default:
		return true
	}
	origin := r.Get(fiber.HeaderOrigin)
	scheme, host, _ := strings.Cut(origin, "://")
	switch {
	case origin == "" || origin == "null" || origin == s.site:
		return false
	case s.secure() && scheme != "https":
		return true
	}
	return host != string(r.Request().Host())
}
