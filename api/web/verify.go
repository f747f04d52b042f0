package web

import (
	"encoding/json"
	"errors"

	"github.com/gofiber/fiber/v2"

	"sipas/api/analysis"
)

// verify proves that the store holds together and that reports are computed from
// what it holds. It reads everything, so one runs at a time.
func (s *Server) verify(r *request) error {
	v, err := s.reports.Verify(r.context)
	if errors.Is(err, analysis.ErrVerifying) {
		return fail(codeVerifying)
	}
	if err != nil {
		return err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	r.sendJSON(fiber.StatusOK, body)
	return nil
}
