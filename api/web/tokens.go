package web

import (
	"errors"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
)

// ListedToken is a token as those see it who may make and revoke them: all but what
// would open the service.
type ListedToken struct {
	Name    string        `json:"name"`
	Rights  []store.Right `json:"rights"`
	Created time.Time     `json:"created"`
	// Expires is nil for a token from before tokens expired.
	Expires *time.Time `json:"expires"`
	Expired bool       `json:"expired"`
	// By is the name of the token that made it, "" where it was made without the service.
	By string `json:"by,omitempty"`
}

// TokenList is every token, by name.
type TokenList struct {
	Tokens []ListedToken `json:"tokens"`
}

// IssuedToken is a token with its text, which nobody can read again.
type IssuedToken struct {
	ListedToken
	Token string `json:"token"`
}

// ListToken leaves out of a token what would open the service; now decides whether it has expired.
func ListToken(t store.Token, now time.Time) ListedToken {
	return ListedToken{Name: t.Name, Rights: t.Rights, Created: t.Created, Expires: t.Expires, Expired: t.Expired(now), By: t.By}
}

func (s *Server) listTokens(r *request) error {
	list := TokenList{Tokens: []ListedToken{}}
	for _, t := range s.store.View().Tokens() {
		list.Tokens = append(list.Tokens, ListToken(t, s.cfg.Now()))
	}
	return r.send(fiber.StatusOK, list)
}

// postToken makes a token that has no right which the caller's lacks.
func (s *Server) postToken(r *request) error {
	var order store.TokenOrder
	if err := decode(r.Request().Body(), &order); err != nil {
		return err
	}
	if beyond := r.token.Beyond(order.Rights); len(beyond) > 0 {
		return &failure{code: codeRightsExceeded, needed: beyond, held: r.token.Rights}
	}
	order.By = r.token.Name
	text, t, err := s.store.IssueToken(r.context, order, s.cfg.Now())
	switch {
	case errors.Is(err, store.ErrStale):
		return &failure{code: codeTokenExists, cause: err}
	case err != nil:
		return err
	}
	s.cfg.Log.Info("a token was made", "token", t.Name, "rights", listed(t.Rights), "expires", t.Expires, "by", t.By, "request_id", r.id)
	return r.send(fiber.StatusCreated, IssuedToken{ListToken(t, s.cfg.Now()), text})
}

// revokeToken ends a token, also one with rights that the caller's lacks: whoever sees
// that one has leaked must not look for somebody with more rights.
func (s *Server) revokeToken(r *request) error {
	var order struct {
		Name string `json:"name"`
	}
	if err := decode(r.Request().Body(), &order); err != nil {
		return err
	}
	if err := s.store.RevokeToken(r.context, order.Name); err != nil {
		return err
	}
	s.cfg.Log.Info("a token was revoked", "token", order.Name, "by", r.token.Name, "request_id", r.id)
	return r.send(fiber.StatusOK, struct{}{})
}
