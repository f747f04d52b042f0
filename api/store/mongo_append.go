package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// Bounds of one batch.
const (
	batchCount = 1000
	batchBytes = 4 << 20
)

// mongoLog is what one process knows of a log.
type mongoLog struct {
	m    *Mongo
	name string
	coll *mongo.Collection

	ensuring sync.Mutex
	ensured  bool

	appending sync.Once
	queue     chan *mongoRequest
	appended  chan struct{} // closed when the appender has ended

	cleaning sync.Once

	mu        sync.Mutex // guards what follows
	changed   chan struct{}
	followers map[*mongoFollower]struct{}
	watching  bool
}

func newMongoLog(m *Mongo, name string) *mongoLog {
	return &mongoLog{m: m, name: name, coll: m.db.Collection(name), queue: make(chan *mongoRequest, 256),
		appended: make(chan struct{}), followers: map[*mongoFollower]struct{}{}}
}

// mongoRequest is one caller's entries, or ids to erase, on their way through the appender.
type mongoRequest struct {
	ctx      context.Context
	log      *Log
	entries  []Entry
	size     int
	erase    []ID
	bury     bool // erase unknown ids too
	outcomes []Outcome
	missing  bool // an id to erase was unknown
	err      error
	done     chan struct{} // receives one value when outcomes and err are set
}

// Append implements Engine. Calls that come together share one write.
func (m *Mongo) Append(ctx context.Context, log *Log, entries []Entry) ([]Outcome, error) {
	outcomes := make([]Outcome, len(entries))
	if err := m.check(ctx); err != nil {
		return outcomes, err
	}
	for i := range entries {
		if err := acceptable(log, &entries[i]); err != nil {
			return outcomes, err
		}
	}
	l, err := m.log(log)
	if err != nil {
		return outcomes, err
	}
	for done := 0; done < len(entries); {
		r := &mongoRequest{ctx: ctx, log: log, done: make(chan struct{}, 1)}
		n := done
		for n < len(entries) && n-done < batchCount && r.size < batchBytes {
			r.size += recordSize(&entries[n])
			n++
		}
		r.entries = entries[done:n]
		if err := l.hand(r); err != nil {
			return outcomes, err
		}
		copy(outcomes[done:], r.outcomes)
		if r.err != nil {
			return outcomes, r.err
		}
		done = n
	}
	return outcomes, nil
}

// Erase implements Engine. One write puts the tombstone in the place of the entry.
func (m *Mongo) Erase(ctx context.Context, log *Log, id ID) error {
	missing, err := m.erase(ctx, log, []ID{id}, false)
	if err == nil && missing {
		return ErrNotFound
	}
	return err
}

// Bury implements Engine.
func (m *Mongo) Bury(ctx context.Context, log *Log, ids []ID) error {
	_, err := m.erase(ctx, log, ids, true)
	return err
}

func (m *Mongo) erase(ctx context.Context, log *Log, ids []ID, bury bool) (missing bool, err error) {
	if err := m.check(ctx); err != nil {
		return false, err
	}
	l, err := m.log(log)
	if err != nil {
		return false, err
	}
	for len(ids) > 0 {
		n := min(len(ids), batchCount)
		r := &mongoRequest{ctx: ctx, log: log, erase: ids[:n], bury: bury, done: make(chan struct{}, 1)}
		if err := l.hand(r); err != nil {
			return missing, err
		}
		if r.err != nil {
			return missing, r.err
		}
		missing = missing || r.missing
		ids = ids[n:]
	}
	return missing, nil
}

// hand gives a request to the appender and waits for its end. When ctx ends first, the request may be carried out all
// the same, and must not be looked at again.
func (l *mongoLog) hand(r *mongoRequest) error {
	l.appending.Do(func() {
		started := l.m.spawn(func() {
			defer close(l.appended)
			newMongoAppender(l).run()
		})
		if !started {
			close(l.appended)
		}
	})
	select {
	case l.queue <- r:
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-l.m.stop:
		return ErrClosed
	}
	select {
	case <-r.done:
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-l.appended:
		select {
		case <-r.done:
			return nil
		default:
			return ErrClosed
		}
	}
}

// mongoAppender is the one writer of a process to a log. It numbers its batches, and starts the next only when the
// outcome of every entry of the last is known: whoever sees a batch knows that all before it are complete. A batch whose
// outcome nobody waits for any more is given up, and the writer with it: under another number the next one begins anew,
// and what is left of the old one may still arrive and be seen.
type mongoAppender struct {
	*mongoLog
	at     mongoPosition
	buf    []byte
	failed time.Time // since when nothing succeeds; zero: the last batch did
}

func newMongoAppender(l *mongoLog) *mongoAppender {
	a := &mongoAppender{mongoLog: l}
	a.renew()
	return a
}

// renew takes another number for this writer: random, so that it tells nothing.
func (a *mongoAppender) renew() { a.at = mongoPosition{writer: 1 + rand.Int64N(1<<62)} }

func (a *mongoAppender) run() {
	for {
		select {
		case r := <-a.queue:
			a.commit(a.gather(r))
		case <-a.m.stop:
			for {
				select {
				case r := <-a.queue:
					a.commit(a.gather(r))
					continue
				default:
				}
				return
			}
		}
	}
}

// gather takes whatever else waits, up to a batch.
func (a *mongoAppender) gather(r *mongoRequest) []*mongoRequest {
	requests := []*mongoRequest{r}
	count, size := len(r.entries)+len(r.erase), r.size
	for count < batchCount && size < batchBytes {
		select {
		case r := <-a.queue:
			requests = append(requests, r)
			count, size = count+len(r.entries)+len(r.erase), size+r.size
			continue
		default:
		}
		break
	}
	return requests
}

// commit carries requests out and answers each.
func (a *mongoAppender) commit(requests []*mongoRequest) {
	b := newMongoBatch(requests)
	var err error
	if len(b.first) > 0 {
		err = a.settle(b.waiting, b.refused, func(ctx context.Context) error { return a.store(ctx, b) })
	}
	b.answer(err)
	for _, r := range requests {
		if len(r.erase) > 0 {
			waiting := func() bool { return r.ctx.Err() == nil }
			missing := func() bool { return r.missing }
			r.err = a.settle(waiting, missing, func(ctx context.Context) error { return a.eraseAll(ctx, r) })
		}
	}
	a.announce()
	for _, r := range requests {
		r.done <- struct{}{}
	}
}

// settle numbers a batch and tries its writes until their outcome is known, as long as somebody waits for it and
// patience lasts. undone says that the outcome leaves something unwritten: when the batch was sent more than once, an
// earlier copy may still write it, behind followers that have read on. Then too the writer is given up.
func (a *mongoAppender) settle(waiting, undone func() bool, write func(context.Context) error) error {
	a.at.batch++
	began := time.Now()
	resent := false
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, 500*time.Millisecond) {
		err := a.m.try(a.m.closing, a.m.timing.attempt, func(ctx context.Context) error {
			if err := a.ensure(ctx); err != nil {
				return err
			}
			return write(ctx)
		})
		if err == nil {
			if !a.failed.IsZero() {
				a.m.logger.Info("the MongoDB takes writes again", "log", a.name, "after", time.Since(a.failed).Round(time.Millisecond))
				a.failed = time.Time{}
			}
			if resent && undone() {
				a.renew()
			}
			return nil
		}
		resent = true
		if a.failed.IsZero() {
			a.failed = began
			a.m.logger.Warn("a write to the MongoDB has no outcome yet; it is sent again", "log", a.name, "error", err)
		}
		if !transient(err) || !waiting() || time.Since(began) > a.m.timing.patience || a.m.closing.Err() != nil {
			a.renew()
			return a.m.translate(a.m.closing, err)
		}
		select {
		case <-a.m.closing.Done():
		case <-time.After(pause):
		}
	}
}

// mongoBatch is the entries of some requests. Of several with one id only the first is written; the others are compared
// with what came of it.
type mongoBatch struct {
	requests []*mongoRequest
	first    map[ID]*mongoItem
	order    []*mongoItem
}

// mongoItem is an entry to write and what came of it.
type mongoItem struct {
	log     *Log
	entry   *Entry
	outcome Outcome
	stored  []byte // the stored digest, where another entry is
	err     error  // the server's reason against this entry
}

func newMongoBatch(requests []*mongoRequest) *mongoBatch {
	b := &mongoBatch{requests: requests, first: map[ID]*mongoItem{}}
	for _, r := range requests {
		for i := range r.entries {
			e := &r.entries[i]
			if b.first[e.ID] == nil {
				item := &mongoItem{log: r.log, entry: e}
				b.first[e.ID] = item
				b.order = append(b.order, item)
			}
		}
	}
	return b
}

// waiting reports whether anybody still waits for an outcome.
func (b *mongoBatch) waiting() bool {
	for _, r := range b.requests {
		if len(r.entries) > 0 && r.ctx.Err() == nil {
			return true
		}
	}
	return false
}

// refused reports whether the server has a reason against one of the entries.
func (b *mongoBatch) refused() bool {
	return slices.ContainsFunc(b.order, func(it *mongoItem) bool { return it.err != nil })
}

// answer fills the outcomes of the requests.
func (b *mongoBatch) answer(err error) {
	for _, r := range b.requests {
		if len(r.entries) == 0 {
			continue
		}
		r.outcomes = make([]Outcome, len(r.entries))
		for i := range r.entries {
			e := &r.entries[i]
			item := b.first[e.ID]
			r.outcomes[i] = item.outcomeOf(e)
			if r.outcomes[i] == Failed && r.err == nil {
				if r.err = err; item.err != nil {
					r.err = item.err
				}
			}
		}
	}
}

// outcomeOf compares an entry with what is stored under its id.
func (it *mongoItem) outcomeOf(e *Entry) Outcome {
	stored := it.stored
	switch {
	case it.outcome == Failed || it.outcome == Withdrawn || e == it.entry:
		return it.outcome
	case it.outcome == Stored:
		stored = it.entry.Digest
	}
	if bytes.Equal(e.Digest, stored) {
		return Duplicate
	}
	return Conflict
}

// store writes what has no outcome yet. Nil means that every entry has one.
func (a *mongoAppender) store(ctx context.Context, b *mongoBatch) error {
	var items []*mongoItem
	var docs []bson.Raw
	a.buf = a.buf[:0]
	for _, it := range b.order {
		if it.outcome != Failed || it.err != nil {
			continue
		}
		from := len(a.buf)
		buf, err := appendMongoEntry(a.buf, it.log, it.entry, a.at)
		if err != nil {
			return fmt.Errorf("encode entry %x: %w", it.entry.ID, err)
		}
		a.buf = buf
		items = append(items, it)
		docs = append(docs, bson.Raw(a.buf[from:len(a.buf):len(a.buf)]))
	}
	if len(items) == 0 {
		return nil
	}
	_, err := a.coll.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
	var said mongo.BulkWriteException
	if err != nil && (!errors.As(err, &said) || said.WriteConcernError != nil) {
		return err // all of it is unknown
	}
	refused := map[int]error{}
	for _, w := range said.WriteErrors {
		refused[w.Index] = w
	}
	var there []*mongoItem
	for i, it := range items {
		switch why := refused[i]; {
		case why == nil:
			it.outcome = Stored
		case mongo.IsDuplicateKeyError(why):
			there = append(there, it)
		case transient(why):
			return why
		default:
			it.err = fmt.Errorf("%w: MongoDB at %s: %w", ErrUnavailable, a.m.address, why)
		}
	}
	return a.compare(ctx, there)
}

// errNotYet says that an entry is there, but not confirmed by a majority: it may still be undone.
var errNotYet = errors.New("another write of the same entry is not confirmed by a majority yet")

// compare finds out what stands where entries could not be inserted.
func (a *mongoAppender) compare(ctx context.Context, items []*mongoItem) error {
	if len(items) == 0 {
		return nil
	}
	ids := make(bson.A, len(items))
	byID := map[ID]*mongoItem{}
	for i, it := range items {
		ids[i] = mongoID(it.entry.ID)
		byID[it.entry.ID] = it
	}
	found, err := a.read(ctx, &Log{Name: a.name}, bson.D{{Key: keyID, Value: bson.D{{Key: "$in", Value: ids}}}},
		options.Find().SetProjection(bson.D{{Key: keyDigest, Value: 1}, {Key: keyErased, Value: 1}, {Key: keyWriter, Value: 1}, {Key: keyBatch, Value: 1}}))
	if err != nil {
		return err
	}
	for _, e := range found {
		it := byID[e.ID]
		if it == nil {
			continue
		}
		delete(byID, e.ID)
		switch it.stored = e.Digest; {
		case e.erased:
			it.outcome = Withdrawn
		case !bytes.Equal(e.Digest, it.entry.Digest):
			it.outcome = Conflict
		case e.at == a.at: // this very batch, sent before
			it.outcome = Stored
		default:
			it.outcome = Duplicate
		}
	}
	if len(byID) > 0 {
		return errNotYet
	}
	return nil
}

// eraseAll puts tombstones in the places of entries. Trying again after some of it was done changes nothing.
func (a *mongoAppender) eraseAll(ctx context.Context, r *mongoRequest) error {
	r.missing = false
	live := func(id ID) bson.D {
		return bson.D{{Key: keyID, Value: mongoID(id)}, {Key: keyErased, Value: bson.D{{Key: "$exists", Value: false}}}}
	}
	if r.bury {
		writes := make([]mongo.WriteModel, len(r.erase))
		for i, id := range r.erase {
			writes[i] = mongo.NewReplaceOneModel().SetFilter(live(id)).SetReplacement(mongoTombstone(id, a.at)).SetUpsert(true)
		}
		_, err := a.coll.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
		var said mongo.BulkWriteException
		if err != nil && (!errors.As(err, &said) || said.WriteConcernError != nil) {
			return err
		}
		var there []ID
		for _, w := range said.WriteErrors {
			if !mongo.IsDuplicateKeyError(w) {
				return w
			}
			there = append(there, r.erase[w.Index])
		}
		erased, err := a.erased(ctx, there)
		for _, id := range there {
			if err == nil && !erased[id] {
				err = errNotYet
			}
		}
		return err
	}
	for _, id := range r.erase {
		res, err := a.coll.ReplaceOne(ctx, live(id), mongoTombstone(id, a.at))
		if err != nil {
			return err
		}
		if res.MatchedCount > 0 {
			continue
		}
		erased, err := a.erased(ctx, []ID{id})
		if err != nil {
			return err
		}
		r.missing = r.missing || len(erased) == 0
	}
	return nil
}

// erased returns which of the ids have a tombstone.
func (l *mongoLog) erased(ctx context.Context, ids []ID) (map[ID]bool, error) {
	erased := map[ID]bool{}
	if len(ids) == 0 {
		return erased, nil
	}
	in := make(bson.A, len(ids))
	for i, id := range ids {
		in[i] = mongoID(id)
	}
	found, err := l.read(ctx, &Log{Name: l.name}, bson.D{{Key: keyID, Value: bson.D{{Key: "$in", Value: in}}}, {Key: keyErased, Value: true}}, options.Find())
	for _, e := range found {
		erased[e.ID] = true
	}
	return erased, err
}

// announce wakes whoever waits for news of the log.
func (l *mongoLog) announce() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}
