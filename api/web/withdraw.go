package web

import (
	"errors"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
)

// showWithdrawal asks for a receipt code.
func (s *Server) showWithdrawal(r *request) error {
	return s.renderWithdrawal(r, fiber.StatusOK, &withdrawal{})
}

// withdrawal is the data of page/withdraw.html.
type withdrawal struct {
	Code string
	// Unsure: the store did not say whether it erased the answer, and the code
	// should be sent again.
	Unsure bool
	// Problem says why the code was not looked at, "" when it was.
	Problem string
}

func (s *Server) renderWithdrawal(r *request, status int, w *withdrawal) error {
	p := s.newPage(r, s.texts.say(r.language(), "withdraw.title"), w)
	p.Script = "withdraw.js"
	return s.render(r, status, "withdraw", p)
}

// withdraw erases the answer with a receipt code. Whoever guesses codes learns
// nothing: one that is unknown, misspelt or used before gets the same answer.
func (s *Server) withdraw(r *request) error {
	receipt := strings.TrimSpace(string(r.Request().PostArgs().Peek("code")))
	err := s.store.Withdraw(r.context, receipt)
	switch {
	case err == nil:
		return s.render(r, fiber.StatusOK, "message", s.messagePage(r, "erased"))
	case errors.Is(err, store.ErrNotFound):
		return s.render(r, fiber.StatusOK, "message", s.messagePage(r, "not_arrived"))
	}
	if failureOf(err).code != codeUnavailable {
		return err
	}
	s.logFailure(r, err)
	r.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfter))
	return s.renderWithdrawal(r, fiber.StatusServiceUnavailable, &withdrawal{Code: receipt, Unsure: true})
}

// withdrawLater gives a code back that comes from where too many came from just now,
// to be sent again.
func (s *Server) withdrawLater(r *request) error {
	r.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfter))
	receipt := strings.TrimSpace(string(r.Request().PostArgs().Peek("code")))
	problem := s.message(r.language(), codeTooManyRequests)
	return s.renderWithdrawal(r, fiber.StatusTooManyRequests, &withdrawal{Code: receipt, Problem: problem})
}

// message is the data of page/message.html.
type message struct {
	// Kind chooses the texts <Kind>.title and <Kind>.text.
	Kind string
	// Again offers to type a receipt code once more.
	Again bool
}

func (s *Server) messagePage(r *request, kind string) *page {
	return s.newPage(r, s.texts.say(r.language(), kind+".title"), &message{Kind: kind, Again: kind == "not_arrived"})
}
