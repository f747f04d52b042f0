package web

import (
	"bytes"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"sipas/api/store"
	"sipas/survey"
)

// exclusionOrder is the body of POST /api/v1/exclusions.
type exclusionOrder struct {
	// ID may be minted by the caller, so that a retry is the same exclusion.
	ID       string `json:"id"`
	Response string `json:"response"`
	Excluded *bool  `json:"excluded"`
	Reason   string `json:"reason"`
}

// postExclusion puts a response aside, or takes it back in. Who did it is the
// token that was used.
func (s *Server) postExclusion(r *request) error {
	body := bytes.TrimSpace(r.Request().Body())
	switch {
	case len(body) == 0:
		return fail(codeEmptyBody)
	case !utf8.Valid(body):
		return fail(codeBodyUTF8)
	}
	var order exclusionOrder
	if err := decode(body, &order); err != nil {
		return err
	}
	var wrong []survey.FieldError
	now := s.cfg.Now()
	e := store.Exclusion{Reason: order.Reason, Author: r.token.Name, At: now}
	var err error
	if order.ID == "" {
		e.ID, err = survey.NewID(now, s.cfg.Random)
		if err != nil {
			return err
		}
	} else if e.ID, err = survey.ParseID(order.ID); err != nil {
		wrong = append(wrong, survey.FieldError{Field: "id", Code: survey.CodeIDInvalid})
	}
	if e.Response, err = survey.ParseID(order.Response); err != nil {
		wrong = append(wrong, survey.FieldError{Field: "response", Code: survey.CodeIDInvalid})
	}
	if order.Excluded == nil {
		wrong = append(wrong, survey.FieldError{Field: "excluded", Code: survey.CodeRequired})
	} else {
		e.Excluded = *order.Excluded
	}
	if wrong != nil {
		return &survey.Error{Fields: wrong}
	}
	outcome, err := s.store.Exclude(r.context, e)
	switch {
	case errors.Is(err, store.ErrReason):
		return &survey.Error{Fields: []survey.FieldError{{Field: "reason", Code: survey.CodeRequired, Detail: "1 to 500 characters"}}}
	case err != nil:
		return err
	}
	out := append(append([]byte(`{"outcome":"`), outcome.String()...), `","id":"`...)
	r.sendJSON(outcomeStatus[outcome], append(append(out, e.ID.String()...), `"}`...))
	return nil
}

// ListedExclusion is the exclusion that holds of one response.
type ListedExclusion struct {
	Response survey.ID `json:"response"`
	Excluded bool      `json:"excluded"`
	Reason   string    `json:"reason"`
	Author   string    `json:"author"`
	At       time.Time `json:"at"`
}

// getExclusions lists the exclusions that hold, in the order of the responses'
// ids.
func (s *Server) getExclusions(r *request) error {
	holds, err := s.store.Exclusions(r.context)
	if err != nil {
		return err
	}
	list := make([]ListedExclusion, 0, len(holds))
	for _, e := range holds {
		list = append(list, ListedExclusion{e.Response, e.Excluded, e.Reason, e.Author, e.At})
	}
	slices.SortFunc(list, func(a, b ListedExclusion) int { return bytes.Compare(a.Response[:], b.Response[:]) })
	return r.sendLarge(map[string]any{"exclusions": list})
}
