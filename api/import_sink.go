package main

import (
	"context"
	"errors"
	"time"

	"sipas/api/store"
	"sipas/api/web"
	"sipas/survey"
)

// importSink is where imported lines go: a store, or a running service.
type importSink interface {
	catalogue(ctx context.Context) (*survey.Catalogue, error)
	// add returns one outcome for each line. The error means that nothing is
	// known of them; sending them again is safe.
	add(ctx context.Context, lines []importLine) ([]lineOutcome, error)
	// restore proves rows of an export and stores them as they were.
	restore(ctx context.Context, rows web.RestoredRows) ([]lineOutcome, error)
	// putPopulations puts what change makes of the documents as they stand. The error is
	// one of isStale where somebody else changed a document meanwhile.
	putPopulations(ctx context.Context, change func(*survey.Catalogue) []survey.Population) error
	close() error
}

// storeSink imports into a store that this process holds.
type storeSink struct {
	st  *store.Store
	key []byte
}

func (s *storeSink) catalogue(context.Context) (*survey.Catalogue, error) {
	return s.st.View().Catalogue, nil
}

func (s *storeSink) add(ctx context.Context, lines []importLine) ([]lineOutcome, error) {
	outcomes := make([]lineOutcome, len(lines))
	var responses []survey.Response
	var at []int
	catalogue := s.st.View().Catalogue
	for i := range lines {
		l := &lines[i]
		if l.Submission.ID == "" {
			l.Submission.ID = survey.DerivedID(s.key, l.Origin.Answered, l.source, l.row).String()
		}
		r, err := survey.Accept(catalogue, l.Submission, l.Origin, now())
		var wrong *survey.Error
		switch {
		case errors.As(err, &wrong):
			outcomes[i] = lineOutcome{outcome: "invalid", fields: wrong.Fields}
		case err != nil:
			return nil, err
		default:
			responses = append(responses, r)
			at = append(at, i)
		}
	}
	stored, err := s.st.AddResponses(ctx, responses)
	if err != nil {
		return nil, err
	}
	for i, o := range stored {
		outcomes[at[i]].outcome = o.String()
	}
	return outcomes, nil
}

func (s *storeSink) restore(ctx context.Context, rows web.RestoredRows) ([]lineOutcome, error) {
	restored, err := s.st.RestoreRows(ctx, rows.Round, rows.Columns, rows.Rows)
	if err != nil {
		return nil, err
	}
	outcomes := make([]lineOutcome, len(restored))
	for i, o := range restored {
		outcomes[i] = lineOutcome{outcome: o.Outcome.String()}
		if o.Refused != nil {
			outcomes[i] = lineOutcome{outcome: "invalid", fields: o.Refused}
		}
	}
	return outcomes, nil
}

func (s *storeSink) putPopulations(ctx context.Context, change func(*survey.Catalogue) []survey.Population) error {
	if err := s.st.Refresh(ctx); err != nil {
		return err
	}
	view := s.st.View()
	_, err := s.st.PutDocumentsAt(ctx, survey.Documents{Populations: change(view.Catalogue)}, view.Revision, now())
	return err
}

func (s *storeSink) close() error { return s.st.Close() }

// serviceSink imports through a running service, whose token must have the rights
// import and staff, or restore where it restores.
type serviceSink struct {
	client *client
}

func (s *serviceSink) catalogue(ctx context.Context) (*survey.Catalogue, error) {
	return s.client.catalogue(ctx)
}

func (s *serviceSink) add(ctx context.Context, lines []importLine) ([]lineOutcome, error) {
	items := make([]web.ImportItem, len(lines))
	for i, l := range lines {
		items[i] = web.ImportItem{
			Submission: l.Submission, Source: l.source, Row: l.row,
			Answered: l.Origin.Answered.UTC().Format(time.RFC3339), Channel: l.Origin.Channel, Draw: l.Origin.Draw,
		}
	}
	got, err := s.client.addResponses(ctx, items)
	if err != nil {
		return nil, err
	}
	return lineOutcomes(got), nil
}

func lineOutcomes(got []batchOutcome) []lineOutcome {
	outcomes := make([]lineOutcome, len(got))
	for i, o := range got {
		outcomes[i] = lineOutcome{outcome: o.Outcome, fields: o.Fields}
	}
	return outcomes
}

func (s *serviceSink) restore(ctx context.Context, rows web.RestoredRows) ([]lineOutcome, error) {
	got, err := s.client.restoreRows(ctx, rows)
	var refused *serviceError
	if errors.As(err, &refused) && len(refused.Fields) > 0 { // to be said in the command's language
		fields := make([]survey.FieldError, len(refused.Fields))
		for i, f := range refused.Fields {
			fields[i] = survey.FieldError{Field: f.Field, Code: survey.Code(f.Code), Detail: f.Detail}
		}
		err = &survey.Error{Fields: fields}
	}
	return lineOutcomes(got), err
}

func (s *serviceSink) putPopulations(ctx context.Context, change func(*survey.Catalogue) []survey.Population) error {
	catalogue, revision, err := s.client.catalogueAt(ctx)
	if err != nil {
		return err
	}
	_, err = s.client.putDocuments(ctx, survey.Documents{Populations: change(catalogue)}, revision)
	return err
}

// isStale says whether documents were not put because others changed meanwhile.
func isStale(err error) bool { return errors.Is(err, store.ErrStale) || refusedWith(err, "stale") }

func (s *serviceSink) close() error { return nil }
