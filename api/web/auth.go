package web

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sipas/api/store"
	"sipas/kiosk"
)

// authorise finds out who calls and whether the route is for them.
func (s *Server) authorise(r *request) error {
	switch r.route.access {
	case public:
		return nil
	case session:
		id, token, ok := s.sessionToken(r.Cookies(s.cookieName()))
		if !ok {
			return fail(codeSignInRequired)
		}
		r.session, r.token = id, &token
	case tablet:
		device, key := s.bearerTablet(&r.Request().Header)
		if device == nil {
			token, err := s.bearerToken(&r.Request().Header)
			switch {
			case err != nil:
				return err
			case token == nil:
				return fail(codeTokenRequired)
			}
			return lacks(*token, r.route.rights)
		}
		r.tablet, r.tabletKey = device, key
		return s.limitTablet(device)
	case optional, bearer:
		token, err := s.bearerToken(&r.Request().Header)
		if err != nil {
			return err
		}
		if token == nil {
			if r.route.access == optional {
				return nil
			}
			return fail(codeTokenRequired)
		}
		r.token = token
	}
	if !allows(*r.token, r.route.rights) {
		return lacks(*r.token, r.route.rights)
	}
	return nil
}

// lacks refuses a token that has none of the rights of which one is needed.
func lacks(t store.Token, needed []store.Right) error {
	return &failure{code: codeRightMissing, needed: needed, held: t.Rights}
}

// bearerToken reads the Authorization header: nil without one, an error for one
// that is not known. The store looks a token up by its SHA-256, so the time that
// takes tells nothing about the token.
func (s *Server) bearerToken(h *fasthttp.RequestHeader) (*store.Token, error) {
	header := h.Peek(fiber.HeaderAuthorization)
	if len(header) == 0 {
		return nil, nil
	}
	scheme, text, _ := strings.Cut(string(header), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, fail(codeTokenUnknown)
	}
	token, ok := s.store.View().Token(strings.TrimSpace(text), s.cfg.Now())
	if !ok {
		return nil, fail(codeTokenUnknown)
	}
	return &token, nil
}

// bearerTablet finds the tablet whose key the Authorization header has, revoked or
// not, and the hash of that key; nil without one.
func (s *Server) bearerTablet(h *fasthttp.RequestHeader) (*kiosk.Device, []byte) {
	scheme, text, _ := strings.Cut(string(h.Peek(fiber.HeaderAuthorization)), " ")
	key, ok := kiosk.ReadKey(strings.TrimSpace(text))
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil, nil
	}
	return s.store.View().Tablet(key), key
}
