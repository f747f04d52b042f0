package main

import (
	"context"
	"fmt"

	"sipas/api/store"
	"sipas/api/web"
	"sipas/survey"
)

// exportSource is where exported answers come from: a store, or a running
// service.
type exportSource interface {
	catalogue(ctx context.Context) (*survey.Catalogue, error)
	// page returns the next answers of a round after an id, in the order of
	// ids, and the id after which to go on; the zero id ends. A page may be
	// empty in the middle.
	page(ctx context.Context, round string, after survey.ID) (page []survey.Response, next survey.ID, err error)
	// exclusions returns the exclusion that holds of every answer that has any.
	exclusions(ctx context.Context) (map[survey.ID]store.Exclusion, error)
	close() error
}

// storeSource exports from a store that this process holds.
type storeSource struct{ st *store.Store }

func (s *storeSource) catalogue(context.Context) (*survey.Catalogue, error) {
	return s.st.View().Catalogue, nil
}

func (s *storeSource) page(ctx context.Context, round string, after survey.ID) ([]survey.Response, survey.ID, error) {
	records, err := s.st.ScanResponses(ctx, after)
	if err != nil || len(records) == 0 {
		return nil, survey.ID{}, err
	}
	var page []survey.Response
	for _, record := range records {
		if record.Round() != round {
			continue
		}
		r, err := record.Response()
		if err != nil {
			return nil, survey.ID{}, err
		}
		page = append(page, r)
	}
	return page, records[len(records)-1].ID(), nil
}

func (s *storeSource) exclusions(ctx context.Context) (map[survey.ID]store.Exclusion, error) {
	return s.st.Exclusions(ctx)
}

func (s *storeSource) close() error { return s.st.Close() }

// serviceSource exports from a running service, whose token must have the
// rights export and staff.
type serviceSource struct {
	client *client
	docs   *survey.Catalogue
}

func (s *serviceSource) catalogue(ctx context.Context) (*survey.Catalogue, error) {
	d, err := s.client.documents(ctx)
	if err != nil {
		return nil, err
	}
	s.docs, err = survey.NewCatalogue(d)
	return s.docs, err
}

func (s *serviceSource) page(ctx context.Context, round string, after survey.ID) ([]survey.Response, survey.ID, error) {
	start := ""
	if after != (survey.ID{}) {
		start = after.String()
	}
	got, err := s.client.responses(ctx, round, start)
	if err != nil {
		return nil, survey.ID{}, err
	}
	page := make([]survey.Response, len(got.Responses))
	for i, e := range got.Responses {
		in := s.docs.Instruments[survey.InstrumentKey(e.Instrument, e.Version)]
		if in == nil {
			return nil, survey.ID{}, fmt.Errorf("the service has no instrument %s", survey.InstrumentKey(e.Instrument, e.Version))
		}
		if page[i], err = web.ImportResponse(in, e); err != nil {
			return nil, survey.ID{}, err
		}
	}
	if got.Next == "" {
		return page, survey.ID{}, nil
	}
	next, err := survey.ParseID(got.Next)
	return page, next, err
}

func (s *serviceSource) exclusions(ctx context.Context) (map[survey.ID]store.Exclusion, error) {
	list, err := s.client.exclusions(ctx)
	if err != nil {
		return nil, err
	}
	holds := make(map[survey.ID]store.Exclusion, len(list))
	for _, e := range list {
		holds[e.Response] = store.Exclusion{Response: e.Response, Excluded: e.Excluded, Reason: e.Reason, Author: e.Author, At: e.At}
	}
	return holds, nil
}

func (s *serviceSource) close() error { return nil }
