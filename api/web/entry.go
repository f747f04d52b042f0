package web

import (
	"github.com/gofiber/fiber/v2"

	"sipas/survey"
)

// codeEntry is the data of page/code.html.
type codeEntry struct {
	Code, Problem string
	// Unknown is why, for a sentence that helps.
	Unknown survey.Code
}

// askCode asks for a short code, or takes one that stands in the address, as pages of
// older versions wrote it.
func (s *Server) askCode(r *request) error { return s.enterCode(r, r.Query("code")) }

// postCode takes a short code that was typed instead of scanned. What was pasted may have
// the code of a slip, which has no place in an address that logs keep.
func (s *Server) postCode(r *request) error {
	return s.enterCode(r, string(r.Request().PostArgs().Peek("code")))
}

func (s *Server) enterCode(r *request, typed string) error {
	if unit := s.store.View().FindUnit(typed); unit != nil {
		s.seeOther(r, s.formPath(r, unit.ID, typed))
		return nil
	}
	if desk := s.store.View().FindDesk(typed); desk != nil {
		s.seeOther(r, s.formPath(r, desk.ID, typed))
		return nil
	}
	d := codeEntry{Code: shownCode(typed)}
	status := fiber.StatusOK
	if typed != "" {
		d.Problem, d.Unknown = survey.Message(survey.CodeDeskUnknown, r.language()), survey.CodeDeskUnknown
		status = statuses[survey.CodeDeskUnknown]
	}
	return s.render(r, status, "code", s.newPage(r, s.texts.say(r.language(), "code.title"), &d))
}

// landing says what this is.
func (s *Server) landing(r *request) error {
	return s.render(r, fiber.StatusOK, "landing", s.newPage(r, s.texts.say(r.language(), "site.title"), nil))
}
