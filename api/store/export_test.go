package store

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync"
	"testing"
	"time"

	"sipas/seeds"
	"sipas/survey"
)

// drawnStore has a drawn round with 120 answers of 40 sampling units, one put aside.
func drawnStore(t *testing.T) (*Store, survey.Documents) {
	t.Helper()
	documents, err := seeds.Documents("statsref-a")
	if err != nil {
		t.Fatal(err)
	}
	s := openTestStore(t, t.TempDir(), Secret{1})
	round, in := documents.Rounds[0], documents.Instruments[0]
	at := round.First.Start().Add(30 * time.Hour)
	populations := map[string]*survey.Population{}
	var responses []survey.Response
	if _, err := s.PutDocuments(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		desk := documents.Desks[i%len(documents.Desks)]
		draw := survey.Draw{Stratum: desk.Unit, PSU: fmt.Sprint(i % 40), Weight: 2.5}
		sub := survey.Submission{ID: survey.DerivedID([]byte("k"), at, fmt.Sprint(i)).String(), Round: round.ID, Instrument: in.ID, Version: in.Version, Desk: desk.ID,
			Answers: map[string]survey.Answer{in.Factors[0].Items[0].ID: '4'}, Comment: fmt.Sprintf("=%d, \"ý kiến\"\n", i)}
		r, err := survey.Accept(s.View().Catalogue, sub, survey.Origin{Channel: survey.ChannelPaper, Door: survey.DoorStaff, Answered: at, Draw: &draw}, at)
		if err != nil {
			t.Fatal(err)
		}
		responses = append(responses, r)
		if p := populations[desk.Unit]; p == nil {
			populations[desk.Unit] = &survey.Population{Round: round.ID, Unit: desk.Unit}
		}
		p := populations[desk.Unit]
		known := false
		for _, stage := range p.Stages {
			known = known || stage.PSU == draw.PSU
		}
		if !known {
			p.Stages = append(p.Stages, survey.Stage{Stratum: desk.Unit, StratumPSUs: 500, PSU: draw.PSU, Size: 10 + i})
		}
	}
	if _, err := s.AddResponses(t.Context(), responses); err != nil {
		t.Fatal(err)
	}
	var list []survey.Population
	for _, p := range populations {
		list = append(list, *p)
	}
	if _, err := s.PutDocuments(t.Context(), survey.Documents{Populations: list}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Exclude(t.Context(), Exclusion{ID: survey.ID{7}, Response: responses[3].ID, Excluded: true, Reason: "+thử", Author: "An", At: at}); err != nil {
		t.Fatal(err)
	}
	return s, documents
}

func exportOf(t *testing.T, s *Store, round string) (rows [][]string, text string) {
	t.Helper()
	var out bytes.Buffer
	n, err := s.Export(t.Context(), &out, round)
	if err != nil {
		t.Fatal(err)
	}
	text = out.String()
	rows, err = csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != n+1 {
		t.Fatal(n, len(rows), err)
	}
	return rows, text
}

// TestRestoreRows: several who restore at once, in parts of any size and order, give the
// same export: answers, exclusions, and the draws that the populations lack.
func TestRestoreRows(t *testing.T) {
	waits(t)
	from, documents := drawnStore(t)
	round := documents.Rounds[0].ID
	rows, text := exportOf(t, from, round)
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), open(t), Secret{1}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			if _, err := s.PutDocuments(t.Context(), documents); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for k := range 4 {
				wg.Go(func() {
					size := 7 + 30*k
					for at := 1; at < len(rows); at += size {
						outcomes, err := s.RestoreRows(t.Context(), round, rows[0], rows[at:min(at+size, len(rows))])
						if err != nil {
							t.Error(err)
						}
						for _, o := range outcomes {
							if o.Outcome != Stored && o.Outcome != Duplicate {
								t.Errorf("%+v", o)
							}
						}
					}
				})
			}
			wg.Wait()
			if _, got := exportOf(t, s, round); got != text {
				t.Errorf("the export is another:\n%.2000s\nwant\n%.2000s", got, text)
			}
			for key, p := range from.View().Populations {
				got := s.View().Populations[key]
				if len(p.Stages) > 0 && (got == nil || len(got.Stages) != len(p.Stages)) {
					t.Errorf("population %s: %+v, want %+v", key, got, p)
				}
			}
		})
	}
}

// TestRestoreRowsKeepsDocuments: what staff changed in the draws since stays.
func TestRestoreRowsKeepsDocuments(t *testing.T) {
	waits(t)
	from, documents := drawnStore(t)
	round := documents.Rounds[0].ID
	rows, _ := exportOf(t, from, round)
	s := openTestStore(t, t.TempDir(), Secret{1})
	unit := documents.Desks[0].Unit
	changed := survey.Population{Round: round, Unit: unit, Stages: []survey.Stage{{Stratum: unit, StratumPSUs: 600, PSU: "0", Size: 1}}}
	kept := documents
	kept.Populations = append(kept.Populations[:len(kept.Populations):len(kept.Populations)], changed)
	for i, p := range documents.Populations {
		if p.Key() == changed.Key() {
			kept.Populations = append(kept.Populations[:i:i], kept.Populations[i+1:]...)
		}
	}
	if _, err := s.PutDocuments(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := s.RestoreRows(t.Context(), round, rows[0], rows[1:]); err != nil {
			t.Fatal(err)
		}
		if got := s.View().Populations[changed.Key()]; !reflect.DeepEqual(got.Stages, changed.Stages) {
			t.Errorf("%+v, want %+v", got.Stages, changed.Stages)
		}
	}
	if live, _, err := s.CountResponses(t.Context()); err != nil || live != int64(len(rows)-1) {
		t.Errorf("%d answers, %v", live, err)
	}
}

// failingEngine takes no document and no exclusion while it fails.
type failingEngine struct {
	Engine
	fails bool
}

func (e *failingEngine) Put(ctx context.Context, set string, docs ...Document) (int64, error) {
	if e.fails && set == setPopulations {
		return 0, ErrUnavailable
	}
	return e.Engine.Put(ctx, set, docs...)
}

func (e *failingEngine) Append(ctx context.Context, log *Log, entries []Entry) ([]Outcome, error) {
	if e.fails && log == exclusionLog {
		return make([]Outcome, len(entries)), ErrUnavailable
	}
	return e.Engine.Append(ctx, log, entries)
}

// TestRestoreRowsAgain: a restore that failed after the answers were stored is an error,
// and gives the same as one that did not, when it is run again.
func TestRestoreRowsAgain(t *testing.T) {
	waits(t)
	from, documents := drawnStore(t)
	round := documents.Rounds[0].ID
	rows, text := exportOf(t, from, round)
	engine := &failingEngine{Engine: openTest(t, t.TempDir())}
	s, err := Open(t.Context(), engine, Secret{1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if _, err := s.PutDocuments(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	engine.fails = true
	if _, err := s.RestoreRows(t.Context(), round, rows[0], rows[1:]); !errors.Is(err, ErrUnavailable) {
		t.Errorf("exclusions and draws are missing: %v", err)
	}
	engine.fails = false
	if _, err := s.RestoreRows(t.Context(), round, rows[0], rows[1:]); err != nil {
		t.Fatal(err)
	}
	if _, got := exportOf(t, s, round); got != text {
		t.Error("the export is another")
	}
}
