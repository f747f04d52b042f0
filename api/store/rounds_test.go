package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipas/seeds"
	"sipas/survey"
)

// roundsDay is in the middle of the rounds of these tests, which are of one unit.
var roundsDay = survey.Date("2026-11-15")

func roundsDocuments(t *testing.T) survey.Documents {
	t.Helper()
	d, err := seeds.Documents(seeds.Sipas2640)
	if err != nil {
		t.Fatal(err)
	}
	d.Units = []survey.Unit{{ID: "u1", Type: "xa", Name: survey.Text{"vi": "Một", "en": "One"}}}
	d.Rounds = []survey.Round{{ID: "a", Title: survey.Text{"vi": "a", "en": "a"}, Instrument: seeds.Sipas2640, Version: 1, Design: survey.DesignVisitors, Form: survey.FormFull,
		Status: survey.StatusOpen, First: "2026-11-01", Last: "2026-11-30", Target: 80}}
	return d
}

// putRaw writes a round as an older version did, which refused less.
func putRaw(t *testing.T, engine Engine, r survey.Round) {
	t.Helper()
	body, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := engine.Get(t.Context(), setRounds, r.ID)
	if err != nil {
		doc = Document{ID: r.ID}
	}
	doc.Body = body
	if _, err := engine.Put(t.Context(), setRounds, doc); err != nil {
		t.Fatal(err)
	}
}

// warnings is a log that can be read while it is written.
type warnings struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *warnings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

// overlaps counts the warnings of rounds that are for one door.
func (w *warnings) overlaps() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(w.text.String(), "shown=b hidden=a")
}

// TestOverlapsOfAnOldStore: a store in which two rounds are for one door opens and warns,
// once; what does not make it worse may be put, and what mends it.
func TestOverlapsOfAnOldStore(t *testing.T) {
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			engine := &reopened{Engine: open(t)}
			d := roundsDocuments(t)
			first := openStore(t, engine)
			if _, err := first.PutDocuments(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			b := d.Rounds[0]
			b.ID, b.First = "b", "2026-11-10"
			putRaw(t, engine, b)
			log := &warnings{}
			s, err := Open(t.Context(), engine, backupSecret, slog.New(slog.NewTextHandler(log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				engine.closes = true
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}()
			if n := log.overlaps(); n != 2 { // QR codes and tablets
				t.Errorf("%d warnings", n)
			}
			put := func(change func(*survey.Documents)) error {
				d, err := s.Documents()
				if err != nil {
					t.Fatal(err)
				}
				change(&d)
				_, err = s.PutDocumentsAt(t.Context(), d, "", roundsDay.Start())
				return err
			}
			if err := put(func(d *survey.Documents) { d.Rounds[0].Target = 70 }); err != nil {
				t.Errorf("another target: %v", err)
			}
			if err := put(func(d *survey.Documents) { d.Rounds[1].Last = "2027-01-01" }); err != nil {
				t.Errorf("days of one of them: %v", err)
			}
			if err := put(func(d *survey.Documents) { d.Rounds[0].Last = "2026-12-01" }); !survey.Has(err, survey.CodeRoundsOverlap) || !strings.Contains(err.Error(), "a and b ") {
				t.Errorf("more days of both: %v", err)
			}
			if r, _ := s.View().RoundAt(survey.ChannelQR, "u1", roundsDay); r == nil || r.ID != "b" {
				t.Errorf("%v is shown", r)
			}
			if n := log.overlaps(); n != 2 {
				t.Errorf("%d warnings of what was said before", n)
			}
			if err := put(func(d *survey.Documents) { d.Rounds[0].Last = "2026-11-09" }); err != nil || len(s.View().Overlaps()) != 0 {
				t.Errorf("mended: %v, %v", err, s.View().Overlaps())
			}
			if err := put(func(d *survey.Documents) { d.Rounds[0].Last = "2026-11-30" }); !survey.Has(err, survey.CodeRoundsOverlap) {
				t.Errorf("and back: %v", err)
			}
		})
	}
}

// reopened is an engine that a store closes only at the end.
type reopened struct {
	Engine
	closes bool
}

func (k *reopened) Close() error {
	if !k.closes {
		return nil
	}
	return k.Engine.Close()
}

// TestOpenedRounds: what is fixed in a round that has opened is so on both engines, also
// in a draft with answers, as older versions made them; when a round is closed is noted.
func TestOpenedRounds(t *testing.T) {
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			engine := open(t)
			s := openStore(t, engine)
			if _, err := s.PutDocuments(t.Context(), roundsDocuments(t)); err != nil {
				t.Fatal(err)
			}
			put := func(now time.Time, change func(*survey.Round)) error {
				d, err := s.Documents()
				if err != nil {
					t.Fatal(err)
				}
				change(&d.Rounds[0])
				_, err = s.PutDocumentsAt(t.Context(), survey.Documents{Rounds: d.Rounds[:1]}, "", now)
				return err
			}
			now, before := roundsDay.Start(), survey.Date("2026-11-01").Start().Add(-1)
			slips := func(r *survey.Round) { r.Doors = survey.DoorsSlip }
			opens := func(r *survey.Round) { r.Doors = "" }
			if err := put(before, slips); err != nil {
				t.Errorf("before the first day: %v", err)
			}
			if err := put(now, opens); !survey.Has(err, survey.CodeRoundStarted) || !strings.Contains(err.Error(), "rounds/a.doors") {
				t.Errorf("on a day of the round: %v", err)
			}
			if err := put(now, func(r *survey.Round) { r.Status = survey.StatusDraft }); !survey.Has(err, survey.CodeRoundStarted) {
				t.Errorf("back to a draft: %v", err)
			}
			if err := put(now, func(r *survey.Round) { r.Status = survey.StatusClosed }); err != nil {
				t.Fatal(err)
			}
			if at := s.View().Rounds["a"].ClosedAt; at == nil || !at.Equal(now) {
				t.Errorf("closed at %v", at)
			}
			if err := put(now.Add(time.Hour), func(r *survey.Round) { r.ClosedAt = nil }); err != nil || !s.View().Rounds["a"].ClosedAt.Equal(now) {
				t.Errorf("put again: %v, closed at %v", err, s.View().Rounds["a"].ClosedAt)
			}
			// A draft without answers is free, and one with answers not.
			draft := *s.View().Rounds["a"]
			draft.Status, draft.ClosedAt = survey.StatusDraft, nil
			putRaw(t, engine, draft)
			if err := put(now, opens); err != nil {
				t.Errorf("a draft without answers: %v", err)
			}
			if _, err := s.AddResponses(t.Context(), []survey.Response{slipResponse(1)}); err != nil {
				t.Fatal(err)
			}
			for what, change := range map[string]func(*survey.Round){"doors": slips, "and opens": func(r *survey.Round) { r.Doors, r.Status = survey.DoorsSlip, survey.StatusOpen }, "first": func(r *survey.Round) { r.First = "2026-11-20" }} {
				if err := put(now, change); !survey.Has(err, survey.CodeRoundStarted) {
					t.Errorf("a draft with answers, %s: %v", what, err)
				}
			}
			if err := put(now, func(r *survey.Round) { r.Status = survey.StatusOpen }); err != nil {
				t.Errorf("it opens as it was: %v", err)
			}
		})
	}
}

// TestOverlapsAtOnce: of rounds for one door that are put at the same moment one is taken.
func TestOverlapsAtOnce(t *testing.T) {
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, open(t))
			d := roundsDocuments(t)
			if _, err := s.PutDocuments(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			var running sync.WaitGroup
			var taken atomic.Int32
			for i := range 8 {
				running.Go(func() {
					r := d.Rounds[0]
					r.ID, r.First, r.Last = "n"+strconv.Itoa(i), "2027-01-01", "2027-01-31"
					_, err := s.PutDocuments(t.Context(), survey.Documents{Rounds: []survey.Round{r}})
					var refused *survey.Error
					switch {
					case err == nil:
						taken.Add(1)
					case !errors.As(err, &refused) || refused.Fields[0].Code != survey.CodeRoundsOverlap:
						t.Error(err)
					}
				})
			}
			running.Wait()
			if n := taken.Load(); n != 1 || len(s.View().Overlaps()) != 0 {
				t.Errorf("%d of 8 were taken, %d overlaps", n, len(s.View().Overlaps()))
			}
		})
	}
}
