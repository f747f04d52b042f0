package analysis

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/seeds"
)

// stuckEngine follows responses until stuck: then whoever asks for news waits as long as he may.
type stuckEngine struct {
	store.Engine
	stuck   chan struct{} // closed when the store goes away
	waiting chan struct{} // receives a value for each call that waits
}

func (e *stuckEngine) Follow(ctx context.Context, log *store.Log) (store.Follower, error) {
	f, err := e.Engine.Follow(ctx, log)
	return &stuckFollower{f, e}, err
}

type stuckFollower struct {
	store.Follower
	e *stuckEngine
}

func (f *stuckFollower) Next(ctx context.Context) ([]store.Event, error) {
	select {
	case <-f.e.stuck:
		f.e.waiting <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	default:
		return f.Follower.Next(ctx)
	}
}

// TestReportsDoNotWaitForEachOther: while the store is away, the time of one
// who waits for it is not added to that of the next.
func TestReportsDoNotWaitForEachOther(t *testing.T) {
	waits(t)
	file, err := store.OpenFile(t.TempDir(), store.FileOptions{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	engine := &stuckEngine{Engine: file, stuck: make(chan struct{}), waiting: make(chan struct{}, 1)}
	st, err := store.Open(t.Context(), engine, store.Secret{1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	fill(t, st, func(p *seeds.Params) { p.Answers = 100 })
	a := New(st, slog.New(slog.DiscardHandler), clock, "test")
	if err := a.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := Query{Round: seeds.DemoRound}
	close(engine.stuck)
	patient, give := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() {
		_, err := a.Report(patient, q)
		first <- err
	}()
	<-engine.waiting
	hasty, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	second := make(chan error, 1)
	go func() {
		_, err := a.Report(hasty, q)
		second <- err
	}()
	select {
	case err := <-second:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the hasty one was told %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the hasty one waits for the patient one")
	}
	give()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the patient one was told %v", err)
	}
}
