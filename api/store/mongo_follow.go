package store

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// How a follower misses nothing.
//
// Every entry, and every tombstone, carries its position: the writer that brought it and the number of its batch. A
// writer begins a batch only when all of the one before is confirmed by a majority. So whoever has seen batch n of a
// writer will find everything of its batches below n in any read that comes later, in the same session; only the newest
// batch may be incomplete. A follower keeps one position a writer, asks for each writer's newest batch (heads), reads
// from its position to there, and reads the newest batch again whenever something changed. Time plays no part: a writer
// that was stopped for ten minutes in the middle of a batch goes on with a position that nobody has passed.
//
// Positions are removed when the hour is over. That happens in rounds, which two counters describe (mongo_clean.go):
// what a round removes was seen before counter seen was raised to its number, and counter cleaned is raised to that
// number before it is removed. A follower that has read everything since it last looked at seen therefore missed nothing
// as long as cleaned has not passed that number; else it gives up with ErrCursorGone.
//
// A new follower takes the heads as its starting positions, delivers what is in those newest batches, then scans the
// collection by id, leaving out what lies behind its starting positions, then goes on from there.

// mongoHead is the newest batch of a writer among those with a position, and how much of it is there.
type mongoHead struct {
	writer, batch, count int64
}

// heads lists the writers that have entries with a position, by number.
func (l *mongoLog) heads(ctx context.Context) ([]mongoHead, error) {
	var heads []mongoHead
	last := int64(math.MinInt64)
	newest := options.FindOne().SetSort(bson.D{{Key: keyWriter, Value: 1}, {Key: keyBatch, Value: -1}}).
		SetProjection(bson.D{{Key: keyID, Value: 0}, {Key: keyWriter, Value: 1}, {Key: keyBatch, Value: 1}})
	for {
		var at struct {
			Writer int64 `bson:"writer"`
			Batch  int64 `bson:"batch"`
		}
		err := l.coll.FindOne(ctx, bson.D{{Key: keyWriter, Value: bson.D{{Key: "$gt", Value: last}}}}, newest).Decode(&at)
		if errors.Is(err, mongo.ErrNoDocuments) {
			return heads, nil
		}
		if err != nil {
			return nil, err
		}
		count, err := l.coll.CountDocuments(ctx, bson.D{{Key: keyWriter, Value: at.Writer}, {Key: keyBatch, Value: at.Batch}})
		if err != nil {
			return nil, err
		}
		heads = append(heads, mongoHead{at.Writer, at.Batch, count})
		last = at.Writer
	}
}

type followerState uint8

const (
	opening   followerState = iota // delivers the newest batches of the start
	scanning                       // delivers the collection by id
	following                      // delivers what is new
)

// mongoFollower implements Follower.
type mongoFollower struct {
	l       *mongoLog
	decoder *mongoDecoder

	mu        sync.Mutex // held by Next; the watch looks at what follows in between
	state     followerState
	positions map[int64]*mongoReading // by writer
	heads     []mongoHead             // of the last complete pass
	passes    int                     // how many were complete
	gone      bool
	// covered: everything of the rounds up to this number was read. next will be covered after the pass that is under
	// way or comes next.
	covered, next int64
	buffer        []Event

	start map[int64]int64 // the positions of the start, for the scan
	skip  map[ID]struct{} // what was delivered before the scan
	after ID

	progress    sync.Mutex // guards what follows
	done, total int64
	loaded      bool
	closed      bool
}

// mongoReading is how far one writer was read: all its batches below next, and of next what is in seen.
type mongoReading struct {
	next int64
	seen map[seenEntry]struct{}
}

// seenEntry tells an entry from its tombstone, which can be in the same batch.
type seenEntry struct {
	id     ID
	erased bool
}

// Follow implements Engine.
func (m *Mongo) Follow(ctx context.Context, log *Log) (Follower, error) {
	l, err := m.log(log)
	if err != nil {
		return nil, err
	}
	w := &mongoFollower{l: l, decoder: newMongoDecoder(log)}
	err = m.do(ctx, m.timing.attempt, func(ctx context.Context) error {
		rounds, err := l.rounds(ctx)
		if err != nil {
			return err
		}
		heads, err := l.heads(ctx)
		if err != nil {
			return err
		}
		w.covered, w.next = rounds.Seen, rounds.Seen
		w.positions, w.start, w.skip = map[int64]*mongoReading{}, map[int64]int64{}, map[ID]struct{}{}
		for _, h := range heads {
			w.positions[h.writer] = &mongoReading{next: h.batch, seen: map[seenEntry]struct{}{}}
			w.start[h.writer] = h.batch
		}
		w.total, err = l.coll.EstimatedDocumentCount(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.followers[w] = struct{}{}
	if !l.watching {
		l.watching = m.spawn(l.watch)
	}
	return w, nil
}

// Next implements Follower.
func (w *mongoFollower) Next(ctx context.Context) ([]Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch {
		case w.isClosed():
			return nil, ErrClosed
		case w.gone:
			return nil, ErrCursorGone
		}
		if err := w.l.m.check(ctx); err != nil {
			return nil, err
		}
		if len(w.buffer) > 0 {
			n := min(len(w.buffer), PageSize)
			events := w.buffer[:n:n]
			w.buffer = w.buffer[n:]
			return events, nil
		}
		if w.state == scanning {
			events, err := w.scan(ctx)
			if err != nil || len(events) > 0 {
				return events, err
			}
			continue
		}
		more, err := w.pass(ctx)
		if err != nil {
			return nil, err
		}
		if w.state == opening && !more {
			w.state = scanning
		} else if !more && len(w.buffer) == 0 {
			return nil, nil
		}
	}
}

// passLimit is how many entries of one writer are read at once.
const passLimit = 4 * PageSize

// pass reads what came since the last pass into the buffer; more says that not all of it was read.
func (w *mongoFollower) pass(ctx context.Context) (more bool, err error) {
	var heads []mongoHead
	var rounds mongoRounds
	err = w.l.m.do(ctx, w.l.m.timing.attempt, func(ctx context.Context) error {
		more = false
		if heads, err = w.l.heads(ctx); err != nil {
			return err
		}
		if w.state == opening || w.next != w.covered || !slices.Equal(heads, w.heads) {
			for _, h := range heads {
				left, err := w.read(ctx, h)
				if err != nil {
					return err
				}
				more = more || left
			}
		}
		rounds, err = w.l.rounds(ctx)
		return err
	})
	if err == nil && !w.observe(rounds, more) {
		err = ErrCursorGone
	}
	if err == nil && !more {
		w.heads = heads
	}
	return more, err
}

// observe takes note of the rounds after a pass, and reports false when something may have been missed.
func (w *mongoFollower) observe(r mongoRounds, more bool) bool {
	if r.Cleaned > w.covered {
		w.gone, w.buffer = true, nil
		return false
	}
	if !more {
		w.covered, w.next = w.next, r.Seen
		w.passes++
	}
	return true
}

// read delivers what is new of one writer up to its head; more says that there is more.
func (w *mongoFollower) read(ctx context.Context, h mongoHead) (more bool, err error) {
	at := w.positions[h.writer]
	if at == nil {
		at = &mongoReading{next: 1}
	}
	if h.batch < at.next {
		return false, nil // seen through a server that is behind
	}
	list, err := w.l.read(ctx, w.decoder.log, bson.D{{Key: keyWriter, Value: h.writer}, {Key: keyBatch, Value: bson.D{{Key: "$gte", Value: at.next}, {Key: "$lte", Value: h.batch}}}},
		options.Find().SetSort(bson.D{{Key: keyWriter, Value: 1}, {Key: keyBatch, Value: 1}}).SetLimit(passLimit).SetBatchSize(passLimit))
	if err != nil {
		return false, err
	}
	reached := &mongoReading{next: h.batch, seen: map[seenEntry]struct{}{}}
	if more = len(list) == passLimit; more {
		reached.next = list[len(list)-1].at.batch
	}
	if reached.next == at.next {
		reached.seen = at.seen
		if reached.seen == nil {
			reached.seen = map[seenEntry]struct{}{}
		}
	}
	for i := range list {
		e := &list[i]
		key := seenEntry{e.ID, e.erased}
		if _, twice := at.seen[key]; twice && e.at.batch == at.next {
			continue
		}
		w.buffer = append(w.buffer, e.event())
		if w.state == opening {
			w.skip[e.ID] = struct{}{}
			w.count(1)
		}
		if e.at.batch == reached.next {
			reached.seen[key] = struct{}{}
		}
	}
	w.positions[h.writer] = reached
	return more, nil
}

// scan delivers the next page of the collection, but for what was or will be delivered by position.
func (w *mongoFollower) scan(ctx context.Context) ([]Event, error) {
	filter, opts := pageQuery(w.after, PageSize, notErased)
	page, err := w.l.m.find(ctx, w.decoder.log, filter, opts)
	if err != nil {
		return nil, err
	}
	events := make([]Event, 0, len(page))
	for i := range page {
		e := &page[i]
		w.after = e.ID
		if e.at.writer != 0 {
			if first, known := w.start[e.at.writer]; !known || e.at.batch >= first {
				continue
			}
		}
		if _, done := w.skip[e.ID]; !done {
			events = append(events, e.event())
		}
	}
	if len(page) < PageSize {
		w.state, w.start, w.skip = following, nil, nil
		w.heads = nil
	}
	w.count(len(events))
	return events, nil
}

func (w *mongoFollower) count(n int) {
	w.progress.Lock()
	defer w.progress.Unlock()
	w.done += int64(n)
	w.loaded = w.state == following
}

func (w *mongoFollower) isClosed() bool {
	w.progress.Lock()
	defer w.progress.Unlock()
	return w.closed
}

// Progress implements Follower.
func (w *mongoFollower) Progress() (done, total int64) {
	w.progress.Lock()
	defer w.progress.Unlock()
	if w.loaded {
		return w.done, w.done
	}
	return w.done, max(w.total, w.done)
}

// Changed implements Follower.
func (w *mongoFollower) Changed() <-chan struct{} {
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	if w.isClosed() || w.l.m.closed() {
		c := make(chan struct{})
		close(c)
		return c
	}
	if w.l.changed == nil {
		w.l.changed = make(chan struct{})
	}
	return w.l.changed
}

// Close implements Follower.
func (w *mongoFollower) Close() {
	w.progress.Lock()
	w.closed = true
	w.progress.Unlock()
	w.l.mu.Lock()
	defer w.l.mu.Unlock()
	delete(w.l.followers, w)
}

// watch looks for what other servers wrote, as long as the log has followers, and wakes them.
func (l *mongoLog) watch() {
	tick := time.NewTicker(l.m.timing.watch)
	defer tick.Stop()
	for {
		select {
		case <-l.m.stop:
			l.announce()
			return
		case <-tick.C:
		}
		l.mu.Lock()
		passes := make(map[*mongoFollower]int, len(l.followers))
		for w := range l.followers {
			passes[w] = -1
		}
		if len(passes) == 0 {
			l.watching = false
			l.mu.Unlock()
			return
		}
		l.mu.Unlock()
		for w := range passes {
			// One that is in Next sees by itself what is new.
			if w.mu.TryLock() {
				if w.state == following {
					passes[w] = w.passes
				}
				w.mu.Unlock()
			}
		}
		var heads []mongoHead
		var rounds mongoRounds
		err := l.m.try(l.m.closing, l.m.timing.attempt, func(ctx context.Context) (err error) {
			if heads, err = l.heads(ctx); err != nil {
				return err
			}
			rounds, err = l.rounds(ctx)
			return err
		})
		if err != nil {
			continue // whoever reads or writes says so
		}
		news := false
		for w, before := range passes {
			if before >= 0 && w.mu.TryLock() {
				if w.passes == before {
					news = news || !w.unchanged(heads, rounds)
				}
				w.mu.Unlock()
			}
		}
		if news {
			l.announce()
		}
	}
}

// unchanged counts a look of the watch that found nothing new as a pass: a follower may sleep for days. After a new
// round it has to read all the same.
func (w *mongoFollower) unchanged(heads []mongoHead, r mongoRounds) bool {
	return w.next == w.covered && slices.Equal(heads, w.heads) && w.observe(r, false)
}
