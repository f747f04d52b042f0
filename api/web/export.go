package web

import (
	"context"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"sipas/survey"
)

// ExportedResponse is a stored answer as GET /api/v1/responses gives it. Times
// are UTC hours, "2006-01-02T15".
type ExportedResponse struct {
	ID         string                   `json:"id"`
	Round      string                   `json:"round"`
	Instrument string                   `json:"instrument"`
	Version    int                      `json:"version"`
	Desk       string                   `json:"desk"`
	Unit       string                   `json:"unit"`
	Field      string                   `json:"field,omitempty"`
	Filing     string                   `json:"filing,omitempty"`
	Answers    map[string]survey.Answer `json:"answers"`
	Module     string                   `json:"module,omitempty"`
	Profile    map[string]string        `json:"profile,omitempty"`
	Helped     string                   `json:"helped,omitempty"`
	Comment    string                   `json:"comment,omitempty"`
	Language   string                   `json:"language,omitempty"`
	Channel    survey.Channel           `json:"channel"`
	Door       survey.Door              `json:"door"`
	Answered   string                   `json:"answered"`
	Received   string                   `json:"received"`
	Flags      []string                 `json:"flags"`
	Draw       *survey.Draw             `json:"draw,omitempty"`
}

// ResponsePage is a page of the export, in the order of ids. Next is the value
// of after for the page that follows, "" at the end. A page may be short, or
// empty when only one round was asked for, and still have a next one.
type ResponsePage struct {
	Responses []ExportedResponse `json:"responses"`
	Next      string             `json:"next"`
}

const hourLayout = "2006-01-02T15"

// ExportResponse writes a stored response out. The instrument version that was
// answered names the items; without it the answers cannot be told apart and
// stay empty.
func ExportResponse(c *survey.Catalogue, r survey.Response) ExportedResponse {
	out := ExportedResponse{
		ID: r.ID.String(), Round: r.Round, Instrument: r.Instrument, Version: r.Version, Desk: r.Desk, Unit: r.Unit,
		Field: r.Field, Filing: r.Filing, Answers: map[string]survey.Answer{}, Module: r.Module, Profile: r.Profile,
		Helped: r.Helped, Comment: r.Comment, Language: r.Language, Channel: r.Channel, Door: r.Door,
		Answered: r.Answered.UTC().Format(hourLayout), Received: r.Received.UTC().Format(hourLayout),
		Flags: r.Flags.Names(), Draw: r.Draw,
	}
	if out.Flags == nil {
		out.Flags = []string{}
	}
	if in := c.Instruments[survey.InstrumentKey(r.Instrument, r.Version)]; in != nil {
		for i, item := range in.Items() {
			if i < len(r.Answers) {
				out.Answers[item.ID] = survey.Answer(r.Answers[i])
			}
		}
	}
	return out
}

// exportResponses gives a page of the stored answers after an id; of one round
// when the query names it.
func (s *Server) exportResponses(r *request) error {
	var after survey.ID
	if text := r.Query("after"); text != "" {
		id, err := survey.ParseID(text)
		if err != nil {
			return &survey.Error{Fields: []survey.FieldError{{Field: "after", Code: survey.CodeIDInvalid}}}
		}
		after = id
	}
	catalogue := s.store.View().Catalogue
	round := r.Query("round")
	if round != "" && catalogue.Rounds[round] == nil {
		return fail(survey.CodeRoundUnknown)
	}
	records, err := s.store.ScanResponses(r.context, after)
	if err != nil {
		return err
	}
	page := ResponsePage{Responses: make([]ExportedResponse, 0, len(records))}
	for _, record := range records {
		response, err := record.Response()
		if err != nil {
			return err
		}
		if round != "" && response.Round != round {
			continue
		}
		page.Responses = append(page.Responses, ExportResponse(catalogue, response))
	}
	// Only an empty page is the end: withdrawals make pages short.
	if len(records) > 0 {
		page.Next = records[len(records)-1].ID().String()
	}
	return r.sendLarge(page)
}

// exportsAtOnce is how many exports one server streams at a time. Each reads the
// whole store.
const exportsAtOnce = 4

// exportCSV streams the answers of a round as rows that prove what they say.
func (s *Server) exportCSV(r *request) error {
	round := r.Params("round")
	if s.store.View().Catalogue.Rounds[round] == nil {
		return fail(survey.CodeRoundUnknown)
	}
	r.Response().Header.SetContentType("text/csv; charset=utf-8")
	return s.stream(r, s.exports, func(ctx context.Context, w io.Writer) error {
		_, err := s.store.Export(ctx, w, round)
		return err
	})
}

// RestoredRows is the body of POST /api/v1/restore/responses: the header of an
// export and some of its rows, as they stand in it.
type RestoredRows struct {
	Round   string     `json:"round"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// restoredRow tells the outcome of a row, and of one that is invalid the fields.
type restoredRow struct {
	Outcome string      `json:"outcome"`
	Fields  []wireField `json:"fields,omitempty"`
}

// postRestoredRows stores rows of an export of this installation as they were.
func (s *Server) postRestoredRows(r *request) error {
	body := r.Request().Body()
	if !utf8.Valid(body) {
		return fail(codeBodyUTF8)
	}
	var given RestoredRows
	if err := decode(body, &given); err != nil {
		return err
	}
	switch {
	case len(given.Rows) > maxBatch:
		return fail(codeTooMany)
	case s.store.View().Catalogue.Rounds[given.Round] == nil:
		return fail(survey.CodeRoundUnknown)
	}
	outcomes, err := s.store.RestoreRows(r.context, given.Round, given.Columns, given.Rows)
	if outcomes == nil && err != nil {
		return err
	}
	list := make([]restoredRow, len(outcomes))
	status := fiber.StatusOK
	for i, o := range outcomes {
		switch {
		case o.Refused != nil:
			list[i] = restoredRow{"invalid", s.wireFields(r, o.Refused)}
		default:
			list[i] = restoredRow{o.Outcome.String(), nil}
		}
	}
	if err != nil {
		status = fiber.StatusServiceUnavailable
		r.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfter))
		s.logFailure(r, err)
	}
	return r.send(status, map[string]any{"outcomes": list})
}
