package web

import (
	"fmt"
	"time"

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

// ImportResponse reads back what [ExportResponse] wrote, with the instrument
// version that was answered; digest and receipt are not exported.
func ImportResponse(in *survey.Instrument, e ExportedResponse) (survey.Response, error) {
	fail := func(err error) (survey.Response, error) {
		return survey.Response{}, fmt.Errorf("exported response %.40q: %w", e.ID, err)
	}
	id, err := survey.ParseID(e.ID)
	if err != nil {
		return fail(err)
	}
	answered, err := time.Parse(hourLayout, e.Answered)
	if err != nil {
		return fail(err)
	}
	received, err := time.Parse(hourLayout, e.Received)
	if err != nil {
		return fail(err)
	}
	flags, err := survey.ParseFlags(e.Flags)
	if err != nil {
		return fail(err)
	}
	answers := make([]byte, len(in.Items()))
	for i, item := range in.Items() {
		a, ok := e.Answers[item.ID]
		if !ok {
			return fail(fmt.Errorf("item %s is missing", item.ID))
		}
		answers[i] = byte(a)
	}
	return survey.Response{
		ID: id, Round: e.Round, Instrument: e.Instrument, Version: e.Version, Desk: e.Desk, Unit: e.Unit, Field: e.Field, Filing: e.Filing,
		Answers: survey.Answers(answers), Module: e.Module, Profile: e.Profile, Helped: e.Helped, Comment: e.Comment, Language: e.Language,
		Channel: e.Channel, Door: e.Door, Answered: answered, Received: received, Flags: flags, Draw: e.Draw,
	}, nil
}
