package store

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipas/seeds"
	"sipas/survey"
)

// slipDay is a time in the round of slipStore: today, since stores sweep by the real
// clock.
func slipDay() time.Time { return survey.DateOf(time.Now()).Start().Add(12*time.Hour + 20*time.Minute) }

// brokenAppends is an engine that fails to append to the log of answers, or to erase
// a mark, when told to.
type brokenAppends struct {
	Engine
	append, erase atomic.Bool
	// held, when not nil, is waited for before answers are appended.
	held chan struct{}
}

func (b *brokenAppends) Append(ctx context.Context, log *Log, entries []Entry) ([]Outcome, error) {
	if log == responseLog && b.append.Load() {
		return make([]Outcome, len(entries)), ErrUnavailable
	}
	if log == responseLog && b.held != nil {
		<-b.held
	}
	return b.Engine.Append(ctx, log, entries)
}

func (b *brokenAppends) Erase(ctx context.Context, log *Log, id ID) error {
	if log == slipLog && b.erase.Load() {
		return ErrUnavailable
	}
	return b.Engine.Erase(ctx, log, id)
}

// slipStore is a store whose round "a" takes slips.
func slipStore(t *testing.T, engine Engine) *Store {
	t.Helper()
	s := openStore(t, engine)
	d, err := seeds.Documents(seeds.Sipas2640)
	if err != nil {
		t.Fatal(err)
	}
	d.Rounds = []survey.Round{{ID: "a", Title: survey.Text{"vi": "a", "en": "a"}, Instrument: seeds.Sipas2640, Version: 1, Design: survey.DesignVisitors, Form: survey.FormFull,
		Doors: survey.DoorsSlip, Status: survey.StatusOpen, First: survey.DateOf(slipDay()).AddDays(-10), Last: survey.DateOf(slipDay()).AddDays(30), Target: 80}}
	if _, err := s.PutDocuments(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	return s
}

func slipResponse(n int) survey.Response {
	id := survey.DerivedID([]byte("slips"), slipDay(), strconv.Itoa(n))
	return survey.Response{ID: id, Receipt: testReceipt(id), Round: "a", Instrument: seeds.Sipas2640, Version: 1, Desk: "d", Unit: "u",
		Answers: "4444444444444444444444", Channel: survey.ChannelQR, Door: survey.DoorSlip, Answered: slipDay().Truncate(time.Hour), Received: slipDay().Truncate(time.Hour)}
}

// use spends a slip and compares the outcome; Failed stands for ErrSlipSpent.
func use(t *testing.T, s *Store, what string, r survey.Response, slip string, want Outcome) {
	t.Helper()
	outcome, err := s.AddWithSlip(t.Context(), &r, slip, slipDay())
	if outcome != want || (want == Failed) != errors.Is(err, ErrSlipSpent) || want != Failed && err != nil {
		t.Errorf("%s: %s, %v, want %s", what, outcome, err, want)
	}
}

// marks counts the pending and spent marks.
func marks(t *testing.T, s *Store) (pending, spent int64) {
	t.Helper()
	pending, spent, err := s.engine.Count(t.Context(), slipLog)
	if err != nil {
		t.Fatal(err)
	}
	return pending, spent
}

func TestSlips(t *testing.T) {
	waits(t)
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			t.Run("once", func(t *testing.T) {
				s := slipStore(t, open(t))
				use(t, s, "a slip", slipResponse(1), "S1", Stored)
				use(t, s, "the same answer again", slipResponse(1), "S1", Duplicate)
				use(t, s, "the same answer with another slip", slipResponse(1), "S2", Duplicate)
				use(t, s, "another answer", slipResponse(2), "S1", Failed)
				use(t, s, "the other slip, which is as new", slipResponse(2), "S2", Stored)
				other := slipResponse(1)
				other.Comment = "other"
				use(t, s, "another content", other, "S1", Conflict)
				if err := s.Withdraw(t.Context(), testCode(slipResponse(1).ID)); err != nil {
					t.Fatal(err)
				}
				use(t, s, "a withdrawn answer again", slipResponse(1), "S1", Withdrawn)
				use(t, s, "the slip of a withdrawn answer", slipResponse(3), "S1", Failed)
				if pending, spent := marks(t, s); pending != 0 || spent != 2 {
					t.Errorf("%d pending and %d spent marks", pending, spent)
				}
			})
			t.Run("at once", func(t *testing.T) {
				s := slipStore(t, open(t))
				var taken, refused atomic.Int64
				var using sync.WaitGroup
				for n := range 24 {
					using.Go(func() {
						outcome, err := s.AddWithSlip(t.Context(), new(slipResponse(n%12)), "S1", slipDay())
						switch {
						case outcome == Stored:
							taken.Add(1)
						case outcome == Duplicate:
						case errors.Is(err, ErrSlipSpent):
							refused.Add(1)
						default:
							t.Errorf("%s, %v", outcome, err)
						}
					})
				}
				using.Wait()
				if n, _, err := s.CountResponses(t.Context()); err != nil || n != 1 || taken.Load() != 1 || refused.Load() < 22 {
					t.Errorf("%d stored, %d told so, %d refused, %v", n, taken.Load(), refused.Load(), err)
				}
			})
			t.Run("broken off", func(t *testing.T) {
				engine := &brokenAppends{Engine: open(t)}
				s := slipStore(t, engine)
				engine.append.Store(true)
				if outcome, err := s.AddWithSlip(t.Context(), new(slipResponse(1)), "S1", slipDay()); outcome != Failed || !errors.Is(err, ErrUnavailable) {
					t.Fatalf("%s, %v", outcome, err)
				}
				engine.append.Store(false)
				use(t, s, "another answer meanwhile", slipResponse(2), "S1", Failed)
				engine.erase.Store(true)
				use(t, s, "the same answer", slipResponse(1), "S1", Stored)
				engine.erase.Store(false)
				if pending, spent := marks(t, s); pending != 1 || spent != 0 {
					t.Errorf("%d pending and %d spent marks", pending, spent)
				}
				sweep := func(after time.Duration) {
					t.Helper()
					if err := s.sweepSlips(t.Context(), slipDay().Truncate(time.Hour).Add(after), time.Millisecond); err != nil {
						t.Fatal(err)
					}
				}
				sweep(25*time.Hour - time.Second)
				if pending, _ := marks(t, s); pending != 1 {
					t.Error("swept before the day was over")
				}
				sweep(25 * time.Hour)
				use(t, s, "after the sweep, another answer", slipResponse(2), "S1", Failed)
				if pending, spent := marks(t, s); pending != 0 || spent != 1 {
					t.Errorf("%d pending and %d spent marks", pending, spent)
				}
			})
			t.Run("given up", func(t *testing.T) {
				engine := &brokenAppends{Engine: open(t)}
				s := slipStore(t, engine)
				for round := range 3 { // a slip may be freed more than once
					engine.append.Store(true)
					if outcome, err := s.AddWithSlip(t.Context(), new(slipResponse(round)), "S1", slipDay()); outcome != Failed || !errors.Is(err, ErrUnavailable) {
						t.Fatalf("%s, %v", outcome, err)
					}
					engine.append.Store(false)
					swept := make(chan error)
					go func() { swept <- s.sweepSlips(t.Context(), slipDay().Add(26*time.Hour), 300*time.Millisecond) }()
					wait(t, "the mark to be taken away", func() bool { pending, _ := marks(t, s); return pending == 0 })
					use(t, s, "the first answer while its slip is being freed", slipResponse(round), "S1", Failed)
					if err := <-swept; err != nil {
						t.Fatal(err)
					}
				}
				use(t, s, "another answer with the freed slip", slipResponse(9), "S1", Stored)
				use(t, s, "one more", slipResponse(10), "S1", Failed)
				if err := s.sweepSlips(t.Context(), slipDay().Add(100*time.Hour), time.Millisecond); err != nil {
					t.Fatal(err)
				}
				use(t, s, "one more after the sweep", slipResponse(10), "S1", Failed)
			})
			t.Run("under way while it is freed", func(t *testing.T) {
				engine := &brokenAppends{Engine: open(t), held: make(chan struct{})}
				s := slipStore(t, engine)
				done := make(chan struct{})
				go func() {
					defer close(done)
					use(t, s, "an answer that takes long", slipResponse(1), "S1", Stored)
				}()
				wait(t, "its mark", func() bool { pending, _ := marks(t, s); return pending == 1 })
				swept := make(chan error)
				go func() { swept <- s.sweepSlips(t.Context(), slipDay().Add(26*time.Hour), time.Second) }()
				wait(t, "the mark to be taken away", func() bool { pending, _ := marks(t, s); return pending == 0 })
				close(engine.held)
				<-done
				if err := <-swept; err != nil {
					t.Fatal(err)
				}
				use(t, s, "another answer", slipResponse(2), "S1", Failed)
			})
			t.Run("withdrawn meanwhile", func(t *testing.T) {
				engine := &brokenAppends{Engine: open(t)}
				s := slipStore(t, engine)
				engine.erase.Store(true)
				use(t, s, "a slip", slipResponse(1), "S1", Stored)
				engine.erase.Store(false)
				if err := s.Withdraw(t.Context(), testCode(slipResponse(1).ID)); err != nil {
					t.Fatal(err)
				}
				if err := s.sweepSlips(t.Context(), slipDay().Add(26*time.Hour), time.Millisecond); err != nil {
					t.Fatal(err)
				}
				use(t, s, "the slip of an answer that was withdrawn", slipResponse(2), "S1", Failed)
			})
			t.Run("the round is over", func(t *testing.T) {
				engine := &brokenAppends{Engine: open(t)}
				s := slipStore(t, engine)
				use(t, s, "a slip", slipResponse(1), "S1", Stored)
				engine.append.Store(true)
				_, _ = s.AddWithSlip(t.Context(), new(slipResponse(2)), "S2", slipDay()) // leaves a pending mark
				engine.append.Store(false)
				if docs, _, err := engine.List(t.Context(), setKeys); err != nil || len(docs) != 1 {
					t.Fatalf("%d keys, %v", len(docs), err)
				}
				d, err := s.Documents()
				if err != nil {
					t.Fatal(err)
				}
				d.Rounds[0].Status = survey.StatusClosed
				if _, err := s.PutDocuments(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				// Who began before can still answer, and nobody by a slip that was used.
				if err := s.SweepSlips(t.Context(), time.Now().Add(survey.Grace)); err != nil {
					t.Fatal(err)
				}
				use(t, s, "the slip again, in a round that was just closed", slipResponse(3), "S1", Failed)
				// The store does it by itself, when it sees that the round is over.
				d.Rounds[0].Last = survey.DateOf(time.Now()).AddDays(-2)
				d.Rounds[0].First = d.Rounds[0].Last
				if _, err := s.PutDocuments(t.Context(), d); err != nil {
					t.Fatal(err)
				}
				wait(t, "the key to be destroyed", func() bool {
					docs, _, err := engine.List(t.Context(), setKeys)
					pending, spent := marks(t, s)
					return err == nil && len(docs) == 0 && pending == 0 && spent == 2
				})
				if _, kept := s.slipKeys.Load("a"); kept {
					t.Error("the key is still in memory")
				}
			})
		})
	}
}
