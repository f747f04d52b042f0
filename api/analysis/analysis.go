// Package analysis keeps the answers of every round in memory as columns,
// follows the store, and answers report queries from the columns.
//
// The store is the truth: columns can be thrown away and built again at any
// time. What a number means is decided in package stats; what counts, in
// package survey. HTTP and rendering live elsewhere.
package analysis

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// Analysis answers report queries. Its methods may be called from many
// goroutines.
type Analysis struct {
	store   *store.Store
	log     *slog.Logger
	now     func() time.Time
	version string

	mu       gate // guards what follows, held while events are read and applied
	follower *store.ResponseFollower
	excluder *store.ExclusionFollower
	// excluded has the exclusion that holds of every response that has any.
	excluded map[survey.ID]store.Exclusion
	rounds   map[string]*columns
	unknown  map[string]int // answers that could not be read, by round
	// missing has the documents without which answers of a round could not be
	// read: under others all are read again.
	missing map[string]*survey.Catalogue

	again       chan struct{} // wakes Run to read everything again
	ready       atomic.Bool
	done, total atomic.Int64

	verifying sync.Mutex // held by the one Verify

	oneByOne sync.Mutex // held while answers are looked at one by one, which takes memory

	flights singleflight.Group
	cached  sync.Map // question → cachedAnswer

	pictures sync.Map // round → *store.Picture, the newest that was asked for
}

// gate is a lock that can be waited for within a limit: a store that is away may
// keep the one who holds it for longer than others can wait.
type gate chan struct{}

func (g gate) lock(ctx context.Context) error {
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g gate) unlock() { <-g }

// LoadingError says that the answers are still being read from the store.
type LoadingError struct {
	// Done of Total answers are read.
	Done, Total int64
}

// Error tells the progress.
func (e *LoadingError) Error() string {
	return fmt.Sprintf("answers are being loaded: %d of %d", e.Done, e.Total)
}

// New makes an Analysis of a store; it is empty until [Analysis.Run] has read
// the answers. version is printed on reports.
func New(st *store.Store, log *slog.Logger, now func() time.Time, version string) *Analysis {
	return &Analysis{mu: make(gate, 1), store: st, log: log, now: now, version: version, rounds: map[string]*columns{}, excluded: map[survey.ID]store.Exclusion{}, unknown: map[string]int{}, missing: map[string]*survey.Catalogue{}, again: make(chan struct{}, 1)}
}

// Run reads all answers and then follows new ones until ctx ends. A store that
// is away is asked again.
func (a *Analysis) Run(ctx context.Context) {
	for ctx.Err() == nil {
		changed, err := a.follow(ctx)
		switch {
		case err == nil:
			if !a.ready.Swap(true) {
				a.log.Info("reports are exact", "answers", a.done.Load())
			}
			select {
			case <-ctx.Done():
			case <-a.again:
			case <-changed.answers:
				// Let answers gather: a report asks for itself.
				wait(ctx, settleEvery)
			case <-changed.exclusions:
			}
		case ctx.Err() != nil || errors.Is(err, store.ErrClosed):
			return
		case errors.Is(err, store.ErrCursorGone):
			a.log.Info("answers are read again from the beginning")
			if err := a.reset(ctx); err != nil {
				return
			}
		default:
			a.log.Warn("answers could not be read", "error", err)
			wait(ctx, time.Second)
		}
	}
}

// Load reads all answers once, for a command that reports and ends.
func (a *Analysis) Load(ctx context.Context) error {
	_, err := a.follow(ctx)
	a.ready.Store(err == nil)
	return err
}

// settleEvery is how long new answers gather before the columns take them, when
// nobody asks for a report.
const settleEvery = 100 * time.Millisecond

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Progress returns how many of how many answers are read, and whether reports
// can be had.
func (a *Analysis) Progress() (done, total int64, ready bool) {
	return a.done.Load(), a.total.Load(), a.ready.Load()
}

// news has channels that close when there is more to follow.
type news struct{ answers, exclusions <-chan struct{} }

// follow applies everything acknowledged before the call, and tells how to wait
// for more.
func (a *Analysis) follow(ctx context.Context) (news, error) {
	if err := a.mu.lock(ctx); err != nil {
		return news{}, err
	}
	defer a.mu.unlock()
	var changed news
	if a.follower == nil {
		f, err := a.store.FollowResponses(ctx)
		if err != nil {
			return changed, err
		}
		a.follower = f
	}
	if a.excluder == nil {
		f, err := a.store.FollowExclusions(ctx)
		if err != nil {
			return changed, err
		}
		a.excluder = f
	}
	changed = news{a.follower.Changed(), a.excluder.Changed()}
	// One page is read while the one before is applied.
	pages := make(chan page, 1)
	go read(ctx, a.follower, pages)
	for p := range pages {
		if p.err != nil {
			return changed, p.err
		}
		a.apply(ctx, p.records)
		a.done.Store(p.done)
		a.total.Store(p.total)
	}
	if err := a.exclude(ctx); err != nil {
		return changed, err
	}
	if !a.ready.Load() {
		// Sorting a first million answers is part of loading them, not of the
		// first report.
		for _, col := range a.rounds {
			col.mark()
		}
	}
	return changed, nil
}

// exclude applies new exclusions.
func (a *Analysis) exclude(ctx context.Context) error {
	for {
		list, err := a.excluder.Next(ctx)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			if held, ok := a.excluded[e.Response]; ok && !e.Supersedes(held) {
				continue
			}
			a.excluded[e.Response] = e
			for _, col := range a.rounds {
				col.exclude(e.Response, e.Excluded)
			}
		}
	}
}

// page is what one call of the follower gave.
type page struct {
	records     []store.Record
	done, total int64
	err         error
}

// read hands out pages until there is nothing new.
func read(ctx context.Context, f *store.ResponseFollower, pages chan<- page) {
	defer close(pages)
	for {
		records, err := f.Next(ctx)
		done, total := f.Progress()
		pages <- page{records, done, total, err}
		if err != nil || len(records) == 0 {
			return
		}
	}
}

// apply adds and removes answers. One that cannot be read, or whose documents
// are missing, is logged and left out: it must not stop all others.
func (a *Analysis) apply(ctx context.Context, records []store.Record) {
	catalogue := a.store.View().Catalogue
	var known [2]string // the instrument and version that were looked up last
	for _, r := range records {
		if r.Erased || r.Instrument() == known[0] && r.Version() == known[1] && catalogue.Rounds[r.Round()] != nil {
			continue
		}
		known = [2]string{r.Instrument(), r.Version()}
		if catalogue.Rounds[r.Round()] == nil || !hasInstrument(catalogue, known) {
			// Another server may have made the round or the version within the last second.
			if err := a.store.Refresh(ctx); err != nil {
				a.log.Warn("staff documents could not be read again", "error", err)
			}
			catalogue = a.store.View().Catalogue
			break
		}
	}
	erased := map[survey.ID]struct{}{}
	for _, r := range records {
		if r.Erased {
			erased[r.ID()] = struct{}{}
			continue
		}
		col, err := a.columns(catalogue, r.Round())
		if err == nil {
			err = col.add(catalogue, r, a.excluded[r.ID()].Excluded)
		}
		if errors.Is(err, errDocuments) {
			a.missing[strings.Clone(r.Round())] = catalogue
		}
		if err != nil {
			if a.unknown[r.Round()]++; a.unknown[r.Round()] == 1 {
				a.log.Error("an answer is left out of reports", "round", r.Round(), "error", err)
			}
		}
	}
	if len(erased) > 0 {
		for _, col := range a.rounds {
			col.remove(erased)
		}
	}
}

// errDocuments says that an answer came before the documents it needs.
var errDocuments = errors.New("its documents are missing")

func hasInstrument(c *survey.Catalogue, key [2]string) bool {
	version, err := strconv.Atoi(key[1])
	return err == nil && c.Instruments[survey.InstrumentKey(key[0], version)] != nil
}

// columns returns the columns of a round, which begin with its first answer.
func (a *Analysis) columns(c *survey.Catalogue, round string) (*columns, error) {
	if col := a.rounds[round]; col != nil {
		return col, nil
	}
	r := c.Rounds[round]
	if r == nil {
		return nil, fmt.Errorf("round %q: %w", round, errDocuments)
	}
	col, err := newColumns(c, r)
	if err != nil {
		return nil, err
	}
	a.rounds[round] = col
	return col, nil
}

// reset forgets all columns; Run then reads everything again.
func (a *Analysis) reset(ctx context.Context) error {
	if err := a.mu.lock(ctx); err != nil {
		return err
	}
	defer a.mu.unlock()
	a.ready.Store(false)
	if a.follower != nil {
		a.follower.Close()
		a.follower = nil
	}
	if a.excluder != nil {
		a.excluder.Close()
		a.excluder = nil
	}
	clear(a.rounds)
	clear(a.excluded)
	clear(a.unknown)
	clear(a.missing)
	a.cached.Clear()
	select {
	case a.again <- struct{}{}:
	default:
	}
	return nil
}

// startAgain resets and says that answers are loading.
func (a *Analysis) startAgain(ctx context.Context) error {
	if err := a.reset(ctx); err != nil {
		return err
	}
	return &LoadingError{Total: a.total.Load()}
}

type cachedAnswer struct {
	view    *store.View
	changes string
	day     survey.Date
	answer  any
}

// Report answers a query with everything in it that this server has
// acknowledged. Equal questions at the same moment are computed once; the
// report is shared and must not be changed. While answers are still loading,
// the error is a [*LoadingError].
func (a *Analysis) Report(ctx context.Context, q Query) (*stats.Report, error) {
	return answer(ctx, a, "report"+q.key(), []string{q.Round}, func(snaps []snapshot, today survey.Date) (*stats.Report, error) {
		return a.compute(snaps[0], q, today)
	})
}

// freshLimit is how long a question waits for the newest answers.
const freshLimit = 8 * time.Second

// answer answers a question about some rounds, as of one moment. key is equal
// for equal questions.
func answer[T any](ctx context.Context, a *Analysis, key string, rounds []string, compute func([]snapshot, survey.Date) (T, error)) (T, error) {
	var none T
	if !a.ready.Load() {
		return none, &LoadingError{Done: a.done.Load(), Total: a.total.Load()}
	}
	// Whoever asks can wait for the computing, not for a store that is away.
	reading, cancel := context.WithTimeout(ctx, freshLimit)
	defer cancel()
	switch _, err := a.follow(reading); {
	case errors.Is(err, store.ErrCursorGone):
		return none, a.startAgain(ctx)
	case err != nil:
		return none, fmt.Errorf("read new answers: %w", err)
	}
	view := a.store.View()
	today := survey.DateOf(a.now())
	snaps, changes, err := a.snapshots(ctx, view.Catalogue, rounds)
	if err != nil {
		return none, err
	}
	if c, ok := a.cached.Load(key); ok {
		if c := c.(cachedAnswer); c.view == view && c.changes == changes && c.day == today {
			return c.answer.(T), nil
		}
	}
	flight := fmt.Sprintf("%s\x00%p\x00%s\x00%s", key, view, changes, today)
	computed, err, _ := a.flights.Do(flight, func() (any, error) {
		r, err := compute(snaps, today)
		if err == nil {
			a.remember(key, cachedAnswer{view, changes, today, r})
		}
		return r, err
	})
	if err != nil {
		return none, err
	}
	return computed.(T), nil
}

// snapshots are those of some rounds at one moment; equal changes mean equal
// answers.
func (a *Analysis) snapshots(ctx context.Context, c *survey.Catalogue, rounds []string) (snaps []snapshot, changes string, err error) {
	if err := a.mu.lock(ctx); err != nil {
		return nil, "", err
	}
	stale := false
	for _, round := range rounds {
		if at := a.missing[round]; at != nil && at != c {
			stale = true
			break
		}
		col, err := a.columns(c, round)
		if err != nil {
			a.mu.unlock()
			return nil, "", &survey.Error{Fields: []survey.FieldError{{Field: "round", Code: survey.CodeRoundUnknown}}}
		}
		if stale = !col.renew(c); stale {
			break
		}
		snap := col.snapshot(c)
		snap.unreadable = a.unknown[round]
		snaps = append(snaps, snap)
		changes += fmt.Sprintf("%d ", col.changes)
	}
	a.mu.unlock()
	if stale {
		return nil, "", a.startAgain(ctx)
	}
	return snaps, changes, nil
}

// cacheLimit bounds the number of remembered answers to questions.
const cacheLimit = 64

func (a *Analysis) remember(key string, c cachedAnswer) {
	n := 0
	a.cached.Range(func(k, _ any) bool {
		if n++; n >= cacheLimit {
			a.cached.Delete(k)
		}
		return true
	})
	a.cached.Store(key, c)
}
