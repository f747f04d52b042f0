package web

import (
	"strings"

	"github.com/gofiber/fiber/v2"
)

// contentPolicy allows what the pages use and nothing else: no frame, no other
// host, no script inside a page; the style sheet there by its hash.
func contentPolicy(a *assets) string {
	return "default-src 'none'; style-src 'self' '" + a.styleHash + "'; img-src 'self'; script-src 'self'; connect-src 'self'; media-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// setHeaders sets what every answer carries.
func (s *Server) setHeaders(r *request) {
	h := &r.Response().Header
	h.Set("X-Request-Id", r.id)
	h.Set("Content-Security-Policy", s.policy)
	// Others learn nothing, and browsers say of our own forms where they stood: with
	// no-referrer they hide it, as a page of somebody else does.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Frame-Options", "DENY")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if s.secure() {
		h.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// secure reports whether people reach the service over TLS.
func (s *Server) secure() bool { return strings.HasPrefix(s.cfg.PublicURL, "https://") }
