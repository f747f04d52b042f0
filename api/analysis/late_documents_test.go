package analysis

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/survey"
)

// behindEngine can keep telling the revisions of a moment: a server that has not
// seen another one's documents yet.
type behindEngine struct {
	store.Engine
	held atomic.Pointer[map[string]int64]
}

// SetRevisions implements store.Engine.
func (e *behindEngine) SetRevisions(ctx context.Context) (map[string]int64, error) {
	if held := e.held.Load(); held != nil {
		return *held, nil
	}
	return e.Engine.SetRevisions(ctx)
}

// Another server publishes a new version of the instrument and takes an answer
// to it. A server that gets the answer before the version reads it in the end,
// whether it can look for the version at once or not.
func TestAnswerBeforeItsInstrument(t *testing.T) {
	waits(t)
	for _, blind := range []bool{false, true} {
		engine, err := store.OpenFile(t.TempDir(), store.FileOptions{Command: "test"})
		if err != nil {
			t.Fatal(err)
		}
		behind := &behindEngine{Engine: engine}
		var stores [2]*store.Store
		for i, e := range []store.Engine{engine, behind} {
			if stores[i], err = store.Open(t.Context(), e, store.Secret{1}, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			defer stores[i].Close()
		}
		_, rs := fill(t, stores[0], func(p *seeds.Params) { p.Answers = 500 })
		if err := stores[1].Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		a := loaded(t, stores[1])
		revisions, err := engine.SetRevisions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		behind.held.Store(&revisions)
		next := *stores[0].View().Instruments[survey.InstrumentKey(seeds.Sipas2640, rs[0].Version)]
		next.Version = 99
		if _, err := stores[0].PutDocuments(t.Context(), survey.Documents{Instruments: []survey.Instrument{next}}); err != nil {
			t.Fatal(err)
		}
		late := rs[0]
		late.ID[15] ^= 1
		late.Version = next.Version
		add(t, stores[0], []survey.Response{late})
		if !blind {
			behind.held.Store(nil)
		}
		if err := a.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if blind {
			if a.unknown[late.Round] != 1 {
				t.Fatalf("%d answers are unknown, want the one", a.unknown[late.Round])
			}
			behind.held.Store(nil)
			if err := stores[1].Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			q, err := ParseQuery(stores[1].View().Catalogue, seeds.DemoRound, nil)
			if err != nil {
				t.Fatal(err)
			}
			var loading *LoadingError
			if _, err := a.Report(t.Context(), q); !errors.As(err, &loading) {
				t.Fatalf("a report without the answer: %v", err)
			}
			if err := a.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if r := ask(t, a, nil); r.Counts.Received != len(rs)+1 {
			t.Errorf("blind %v: the report has %d answers, want %d", blind, r.Counts.Received, len(rs)+1)
		}
	}
}
