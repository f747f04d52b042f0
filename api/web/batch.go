package web

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/survey"
)

// maxBatch is the most submissions of one request.
const maxBatch = 500

// ImportItem is a submission from a caller that may import. Only such a caller
// can say when, by which channel and by which draw an answer was given; the
// fields are not in [survey.Submission], so that nobody else can.
type ImportItem struct {
	survey.Submission
	// Source and Row name the answer in the system it comes from, in place of an
	// id: the server derives one, the same each time.
	Source string `json:"source,omitempty"`
	Row    string `json:"row,omitempty"`
	// Answered is a day in Vietnam ("2006-01-02"), an hour in UTC
	// ("2006-01-02T15") or a moment (RFC 3339); "" is now.
	Answered string         `json:"answered,omitempty"`
	Channel  survey.Channel `json:"channel,omitempty"`
	Draw     *survey.Draw   `json:"draw,omitempty"`
}

// origin reads where an imported answer came from, and gives it its id when it
// names a row instead. Without a channel it is a paper form; which ones it may
// claim [survey.Accept] says.
func (s *Server) origin(it *ImportItem) (survey.Origin, error) {
	from := survey.Origin{Channel: it.Channel, Door: survey.DoorStaff, Draw: it.Draw}
	var wrong []survey.FieldError
	if from.Channel == "" {
		from.Channel = survey.ChannelPaper
	} else if !slices.Contains(survey.Channels, from.Channel) {
		wrong = append(wrong, survey.FieldError{Field: "channel", Code: survey.CodeInvalid})
	}
	if it.Answered != "" {
		at, ok := parseMoment(it.Answered)
		if !ok {
			wrong = append(wrong, survey.FieldError{Field: "answered", Code: survey.CodeInvalid, Detail: "2006-01-02, 2006-01-02T15 (UTC) or RFC 3339"})
		}
		from.Answered = at
	}
	if it.ID == "" && it.Source != "" && it.Row != "" {
		// The id holds the hour of the answer: without one, the same row would
		// have another id tomorrow.
		if it.Answered == "" {
			wrong = append(wrong, survey.FieldError{Field: "answered", Code: survey.CodeRequired})
		}
		it.ID = survey.DerivedID(s.importKey, from.Answered, it.Source, it.Row).String()
	}
	if wrong != nil {
		return from, &survey.Error{Fields: wrong}
	}
	return from, nil
}

func parseMoment(s string) (time.Time, bool) {
	if d, err := survey.ParseDate(s); err == nil {
		return d.Start(), true
	}
	if t, err := store.ParseHour(s); err == nil {
		return t, true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// postImported takes a single submission of a caller that may import.
func (s *Server) postImported(r *request, body []byte) error {
	var it ImportItem
	if err := decode(body, &it); err != nil {
		return err
	}
	from, err := s.origin(&it)
	if err != nil {
		return err
	}
	return s.storeOne(r, it.Submission, from)
}

// postBatch takes an array. Each item has an outcome of its own; one that is
// wrong does not keep the others out.
func (s *Server) postBatch(r *request, body []byte) error {
	if r.token == nil {
		return fail(codeTokenRequired)
	}
	if !r.token.Allows(store.RightImport) {
		return lacks(*r.token, []store.Right{store.RightImport})
	}
	var raw []json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return decodeFailure(body, err)
	}
	if len(raw) > maxBatch {
		return fail(codeTooMany)
	}
	catalogue, now := s.store.View().Catalogue, s.cfg.Now()
	refused := make([]*failure, len(raw))
	ids := make([]string, len(raw))
	responses := make([]survey.Response, 0, len(raw))
	for i, item := range raw {
		var it ImportItem
		response, err := func() (survey.Response, error) {
			if err := decode(item, &it); err != nil {
				return survey.Response{}, err
			}
			from, err := s.origin(&it)
			if err != nil {
				return survey.Response{}, err
			}
			return survey.Accept(catalogue, it.Submission, from, now)
		}()
		ids[i] = it.ID
		if err != nil {
			refused[i] = failureOf(err)
			continue
		}
		responses = append(responses, response)
	}
	var outcomes []store.Outcome
	var err error
	if len(responses) > 0 {
		if outcomes, err = s.store.AddResponses(r.context, responses); len(outcomes) != len(responses) {
			return errors.Join(errors.New("the store gave another number of outcomes"), err)
		}
	}
	return s.writeBatch(r, refused, ids, responses, outcomes, err)
}

// writeBatch lists the outcomes in the order of the items: 503 when the store
// could not take some, which then may be sent again.
func (s *Server) writeBatch(r *request, refused []*failure, ids []string, responses []survey.Response, outcomes []store.Outcome, cause error) error {
	status := fiber.StatusOK
	out := []byte(`{"outcomes":[`)
	next := 0
	for i, f := range refused {
		if i > 0 {
			out = append(out, ',')
		}
		if f != nil {
			b, err := json.Marshal(invalidOutcome{Outcome: "invalid", ID: clipID(ids[i]), Code: f.code, Fields: s.wireFields(r, f.fields)})
			if err != nil {
				return err
			}
			out = append(out, b...)
			continue
		}
		if outcomes[next] == store.Failed {
			status = fiber.StatusServiceUnavailable
		}
		out = appendOutcome(out, responses[next].ID, outcomes[next])
		next++
	}
	if status == fiber.StatusServiceUnavailable {
		r.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfter))
		s.logFailure(r, cause)
	}
	r.sendJSON(status, append(out, "]}"...))
	return nil
}

// invalidOutcome is an item of a batch that was not taken.
type invalidOutcome struct {
	Outcome string      `json:"outcome"`
	ID      string      `json:"id,omitempty"`
	Code    survey.Code `json:"code"`
	Fields  []wireField `json:"fields"`
}

// clipID repeats an id only when it looks like one.
func clipID(id string) string {
	if _, err := survey.ParseID(id); err != nil {
		return ""
	}
	return id
}
