package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/survey"
)

// postResponses takes one submission as a JSON object, or, from a caller that
// may import, an array of them.
func (s *Server) postResponses(r *request) error {
	// The decoder copies every string, so nothing kept points into this buffer.
	body := bytes.TrimLeft(r.Request().Body(), " \t\r\n")
	switch {
	case len(body) == 0:
		return fail(codeEmptyBody)
	case !utf8.Valid(body):
		return fail(codeBodyUTF8)
	case body[0] == '[':
		return s.postBatch(r, body)
	case r.token != nil && r.token.Allows(store.RightImport):
		return s.postImported(r, body)
	}
	var sub survey.Submission
	if err := decode(body, &sub); err != nil {
		return err
	}
	from := survey.Origin{Channel: survey.ChannelQR, Door: survey.DoorOpen}
	if r.token == nil {
		from.Flags = survey.FlagUnstamped
	}
	return s.storeOne(r, sub, from)
}

// storeOne accepts and stores a submission and tells its outcome.
func (s *Server) storeOne(r *request, sub survey.Submission, from survey.Origin) error {
	response, outcome, err := s.accept(r, sub, from)
	if err != nil {
		return err
	}
	out := appendOutcome(make([]byte, 0, 128), response.ID, outcome)
	r.sendJSON(outcomeStatus[outcome], out)
	return nil
}

// accept is the way of a single answer, from the form and from the API: the
// domain's door, then the store. No error means that the outcome is final. The
// receipt of a duplicate is the stored one.
func (s *Server) accept(r *request, sub survey.Submission, from survey.Origin) (survey.Response, store.Outcome, error) {
	catalogue, now := s.store.View().Catalogue, s.cfg.Now()
	slip := ""
	if round := catalogue.Rounds[sub.Round]; sub.Slip != "" && from.Door == survey.DoorOpen && round != nil && round.Takes(survey.DoorSlip) {
		var ok bool
		if slip, ok = survey.ReadSlip(s.slipKey, sub.Round, sub.Desk, sub.Slip); !ok {
			return survey.Response{}, store.Failed, wrongSlip(survey.CodeSlipInvalid)
		}
		from.Door = survey.DoorSlip
	}
	response, err := survey.Accept(catalogue, sub, from, now)
	if err != nil {
		return response, store.Failed, err
	}
	if slip != "" {
		outcome, err := s.store.AddWithSlip(r.context, &response, slip, now)
		if errors.Is(err, store.ErrSlipSpent) {
			err = wrongSlip(survey.CodeSlipSpent)
		}
		return response, outcome, err
	}
	one := []survey.Response{response}
	outcomes, err := s.store.AddResponses(r.context, one)
	if len(outcomes) == 1 && outcomes[0] != store.Failed {
		return one[0], outcomes[0], nil
	}
	if err == nil {
		err = store.ErrUnavailable
	}
	return response, store.Failed, err
}

func wrongSlip(code survey.Code) error {
	return &survey.Error{Fields: []survey.FieldError{{Field: "slip", Code: code}}}
}

// outcomeStatus is the HTTP status of a single submission's outcome.
var outcomeStatus = map[store.Outcome]int{
	store.Stored:    fiber.StatusCreated,
	store.Duplicate: fiber.StatusOK,
	store.Conflict:  fiber.StatusConflict,
	store.Withdrawn: fiber.StatusGone,
}

// appendOutcome writes what became of one submission. No receipt is in it: the code
// is its sender's, who made it, or was shown by the form; nobody else may have it.
func appendOutcome(b []byte, id survey.ID, outcome store.Outcome) []byte {
	b = append(b, `{"outcome":"`...)
	b = append(b, outcome.String()...)
	b = append(b, `","id":"`...)
	b = append(b, id.String()...)
	return append(b, `"}`...)
}

// decode reads one JSON value that fills the whole body.
func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return decodeFailure(body, err)
	}
	if key, twice := repeatedKey(body); twice {
		return &failure{code: codeRepeatedKey, fields: []survey.FieldError{{Field: key, Code: survey.CodeDuplicate}}}
	}
	return nil
}

// decodeFailure tells apart what is wrong with a JSON body.
func decodeFailure(body []byte, err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		if kind.Field == "" {
			return &failure{code: codeMalformedJSON, cause: err}
		}
		// The embedded struct of an import is no member of the JSON.
		field := strings.TrimPrefix(kind.Field, "Submission.")
		return &survey.Error{Fields: []survey.FieldError{{Field: field, Code: survey.CodeInvalid, Detail: "not a " + kind.Type.String()}}}
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return &survey.Error{Fields: []survey.FieldError{{Field: strings.Trim(name, `"`), Code: survey.CodeInvalid, Detail: "unknown"}}}
	}
	var first json.RawMessage
	if json.NewDecoder(bytes.NewReader(body)).Decode(&first) == nil {
		return &failure{code: codeTrailing, cause: err}
	}
	return &failure{code: codeMalformedJSON, cause: err}
}
