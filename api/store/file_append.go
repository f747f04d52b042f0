package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"
)

// Bounds of a segment and of what shares one frame of the journal. Larger segments spare the database work (a page is
// rewritten once for all its new entries: 64 random ids in an hour of a million touch 64 pages, 60000 touch 40000),
// smaller ones spare memory and the time in which the journal shows an order.
const (
	sealCount  = 64 << 10
	sealBytes  = 24 << 20
	sealAge    = 5 * time.Second
	fullCount  = 2 * sealCount // then appends wait for the database
	fullBytes  = 2 * sealBytes
	frameCount = 2000
	frameBytes = 1 << 20
)

// request is one caller's operations on one log, on their way through appendLoop.
type request struct {
	log      *fileLog
	ops      []requestOp
	buf      []byte // the records, one behind the other
	bury     bool   // erase unknown ids too
	probe    bool   // write an empty frame, to learn whether writing works
	flush    bool   // seal as soon as possible
	through  uint64 // answer to flush: the journal generation that holds everything up to now
	outcomes []Outcome
	missing  bool // an id to erase was unknown
	err      error
	done     chan struct{} // receives one value when outcomes and err are set
}

type requestOp struct {
	id     ID
	erase  bool
	record []byte // part of buf
}

// Append implements Engine.
func (f *File) Append(ctx context.Context, log *Log, entries []Entry) ([]Outcome, error) {
	outcomes := make([]Outcome, len(entries))
	if err := f.check(ctx); err != nil {
		return outcomes, err
	}
	for i := range entries {
		if err := acceptable(log, &entries[i]); err != nil {
			return outcomes, err
		}
	}
	l, err := f.logOf(log)
	if err != nil {
		return outcomes, err
	}
	for done := 0; done < len(entries); {
		n := min(len(entries)-done, frameCount)
		r := &request{log: l, ops: make([]requestOp, n), done: make(chan struct{}, 1)}
		size := 0
		for i := range entries[done : done+n] {
			size += recordSize(&entries[done+i])
		}
		r.buf = make([]byte, 0, size)
		for i := range r.ops {
			at := len(r.buf)
			r.buf = appendRecord(r.buf, &entries[done+i])
			r.ops[i] = requestOp{id: entries[done+i].ID, record: r.buf[at:]}
		}
		if err := f.do(ctx, r); err != nil {
			return outcomes, err
		}
		copy(outcomes[done:], r.outcomes)
		done += n
	}
	return outcomes, nil
}

// Erase implements Engine. The content is out of reach at once, out of the journal in seconds, and out of the file after
// Scrub, which runs by itself.
func (f *File) Erase(ctx context.Context, log *Log, id ID) error {
	missing, err := f.erase(ctx, log, []ID{id}, false)
	if err == nil && missing {
		return ErrNotFound
	}
	return err
}

// Bury implements Engine.
func (f *File) Bury(ctx context.Context, log *Log, ids []ID) error {
	_, err := f.erase(ctx, log, ids, true)
	return err
}

func (f *File) erase(ctx context.Context, log *Log, ids []ID, bury bool) (missing bool, err error) {
	if err := f.check(ctx); err != nil {
		return false, err
	}
	l, err := f.logOf(log)
	if err != nil {
		return false, err
	}
	for len(ids) > 0 {
		n := min(len(ids), frameCount)
		r := &request{log: l, ops: make([]requestOp, n), bury: bury, done: make(chan struct{}, 1)}
		for i, id := range ids[:n] {
			r.ops[i] = requestOp{id: id, erase: true}
		}
		if err := f.do(ctx, r); err != nil {
			return missing, err
		}
		missing = missing || r.missing
		ids = ids[n:]
	}
	return missing, nil
}

// acceptable refuses what no resending would help: mistakes of the program, not of the store.
func acceptable(log *Log, e *Entry) error {
	switch size := recordSize(e); {
	case e.ID == ID{}:
		return errors.New("store: entry without id")
	case len(e.Values) > len(log.Fields):
		return fmt.Errorf("store: entry %x has %d values, log %s has %d fields", e.ID, len(e.Values), log.Name, len(log.Fields))
	case size > frameBytes:
		return fmt.Errorf("store: entry %x has %d bytes, at most %d can be stored", e.ID, size, frameBytes)
	}
	return nil
}

func (f *File) logOf(log *Log) (*fileLog, error) {
	if log.Name == "" || len(log.Name) > 255 {
		return nil, fmt.Errorf("store: bad name of a log: %q", log.Name)
	}
	f.mu.RLock()
	l := f.logs[log.Name]
	f.mu.RUnlock()
	if l == nil {
		f.mu.Lock()
		l = f.fileLog(log.Name)
		f.mu.Unlock()
	}
	return l, nil
}

// do hands r to appendLoop and waits for its end. When ctx ends first, r may be carried out all the same, and must not
// be used again.
func (f *File) do(ctx context.Context, r *request) error {
	select {
	case f.queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-f.stop:
		return ErrClosed
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	case <-f.appended:
		select {
		case <-r.done:
			return r.err
		default:
			return ErrClosed
		}
	}
}

// flush waits until everything acknowledged before is in the database and out of the journal.
func (f *File) flush(ctx context.Context) error {
	if err := f.check(ctx); err != nil {
		return err
	}
	r := &request{flush: true, done: make(chan struct{}, 1)}
	if err := f.do(ctx, r); err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		f.mu.RLock()
		done, fault := f.inDatabase >= r.through, f.applyFault
		f.mu.RUnlock()
		if done || fault != nil {
			return fault
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-f.applied:
			return ErrClosed
		}
	}
}

// appendLoop is the one writer of the journal: it commits whatever waits with one write and one sync.
func (f *File) appendLoop() {
	defer close(f.appended)
	w := &batchWriter{File: f, fresh: map[freshKey]state{}}
	tick := time.NewTicker(sealAge / 5)
	defer tick.Stop()
	for {
		select {
		case r := <-f.queue:
			w.commit(f.gather(r, w.requests[:0]))
		case <-tick.C:
		case <-f.settled:
		case <-f.stop:
			for {
				select {
				case r := <-f.queue:
					w.commit(f.gather(r, w.requests[:0]))
					continue
				default:
				}
				break
			}
			f.sealLast()
			return
		}
		if f.active.due(time.Now()) || f.active.count > 0 && f.active.journal.generation <= w.flushTo {
			f.seal()
		}
	}
}

// gather adds whatever else waits, up to a frame.
func (f *File) gather(r *request, to []*request) []*request {
	to = append(to, r)
	count, size := len(r.ops), len(r.buf)
	for count < frameCount && size < frameBytes {
		select {
		case r := <-f.queue:
			to = append(to, r)
			count, size = count+len(r.ops), size+len(r.buf)
			continue
		default:
		}
		break
	}
	return to
}

// seal hands the active segment to applyLoop and starts the next in the other journal, unless that one is still busy.
func (f *File) seal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sealed != nil || f.active.count == 0 {
		return
	}
	f.sealed = f.active
	other := f.journals[0]
	if other == f.sealed.journal {
		other = f.journals[1]
	}
	other.start(f.sealed.journal.generation+1, newSalt())
	f.active = newSegment(other)
	f.toApply <- f.sealed // never blocks: it has room for one, and there was none
}

// sealLast hands everything to applyLoop and tells it that there is no more.
func (f *File) sealLast() {
	defer close(f.toApply)
	for {
		f.mu.RLock()
		busy, left, fault := f.sealed != nil, f.active.count, f.applyFault
		f.mu.RUnlock()
		if !busy {
			f.seal()
		}
		if !busy && left == 0 || busy && fault != nil {
			return
		}
		<-f.settled
	}
}

// batchWriter carries requests out together. Its fields are kept from one batch to the next to spare allocations.
type batchWriter struct {
	*File
	requests []*request
	fresh    map[freshKey]state // what this batch changes, not durable yet
	changes  []change
	frame    []byte
	flushTo  uint64 // seal this generation as soon as possible
}

type freshKey struct {
	log *fileLog
	id  ID
}

type change struct {
	log *fileLog
	id  ID
	st  state
	new bool // an erasure of an id that was never stored
}

// commit decides the outcome of every request, writes what changes to the journal, and only then shows it to readers
// and answers the callers.
func (w *batchWriter) commit(requests []*request) {
	w.requests = requests
	err := w.room()
	if err == nil {
		err = w.decide()
	}
	probe := false
	for _, r := range requests {
		probe = probe || r.probe
	}
	if err == nil && (len(w.changes) > 0 || probe) {
		if probe {
			err = w.active.journal.reserve(w.active.journal.end + frameBytes) // an empty frame would fit anywhere
		}
		if err == nil {
			err = w.active.journal.write(w.frame)
		}
		if err != nil {
			err = unavailable(err)
		} else {
			w.publish()
		}
		w.setFault(&w.journalFault, err)
	}
	for i, r := range requests {
		if err != nil {
			r.outcomes, r.err = nil, err
		}
		if r.flush {
			w.flushTo = w.active.journal.generation
			if r.through = w.flushTo; w.active.count == 0 {
				r.through--
			}
		}
		r.done <- struct{}{}
		requests[i] = nil
	}
}

// room waits while the active segment is full and the database is behind.
func (w *batchWriter) room() error {
	for w.active.full() {
		w.seal()
		if !w.active.full() {
			break
		}
		w.mu.RLock()
		fault := w.applyFault
		w.mu.RUnlock()
		if fault != nil {
			return fault
		}
		<-w.settled
	}
	return nil
}

// decide fills outcomes, changes and frame.
func (w *batchWriter) decide() error {
	clear(w.fresh)
	w.changes = w.changes[:0]
	size := 0
	for _, r := range w.requests {
		size += len(r.buf) + len(r.ops)*(len(ID{})+32)
		if r.log != nil {
			size += len(r.ops) * len(r.log.name)
		}
	}
	w.frame = newFrame(size)
	w.mu.RLock()
	held := w.segments // before the read transaction: what leaves them meanwhile is in the database
	w.mu.RUnlock()
	return w.view(func(tx *bbolt.Tx) error {
		var name string // of the log whose buckets these are
		var buckets logBuckets
		var known bool
		for _, r := range w.requests {
			if r.log != nil && (r.log.name != name || name == "") {
				name = r.log.name
				buckets, known = findLog(tx, name)
			}
			r.outcomes = make([]Outcome, len(r.ops))
			for i := range r.ops {
				op := &r.ops[i]
				old, found := w.fresh[freshKey{r.log, op.id}]
				if !found {
					old, found = held.find(r.log, op.id)
				}
				if !found && known {
					if rec := buckets.entries.Get(op.id[:]); rec != nil {
						old, found = state{record: rec}, true
					} else if r.log.erased > 0 && buckets.tombstones.Get(op.id[:]) != nil {
						found = true
					}
				}
				var err error
				if op.erase {
					w.decideErase(r, op, old, found)
				} else {
					r.outcomes[i], err = w.decideStore(r, op, old, found)
				}
				if err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (w *batchWriter) decideStore(r *request, op *requestOp, old state, found bool) (Outcome, error) {
	if found {
		return compare(old, op.record)
	}
	_, receipt, err := recordKeys(op.record)
	if err != nil {
		return Failed, err
	}
	st := state{}
	if len(receipt) > 0 {
		st.hash = receiptHash(receipt)
	}
	w.add(r.log, op.id, st, op.record, false)
	return Stored, nil
}

// compare returns the outcome of appending rec where old is.
func compare(old state, rec []byte) (Outcome, error) {
	if old.record == nil {
		return Withdrawn, nil
	}
	stored, _, err := recordKeys(old.record)
	if err != nil {
		return Failed, err
	}
	if digest, _, err := recordKeys(rec); err != nil || !bytes.Equal(stored, digest) {
		return Conflict, err
	}
	return Duplicate, nil
}

func (w *batchWriter) decideErase(r *request, op *requestOp, old state, found bool) {
	switch {
	case found && old.record == nil:
	case found || r.bury:
		w.add(r.log, op.id, state{hash: old.hash}, nil, !found)
	default:
		r.missing = true
	}
}

// add takes a change into the frame; a record is then part of it, and the caller's copy no longer needed.
func (w *batchWriter) add(l *fileLog, id ID, st state, record []byte, isNew bool) {
	op := journalOp{kind: opErase, name: []byte(l.name), id: id, record: record}
	if record != nil {
		op.kind = opStore
	}
	var at int
	w.frame, at = appendOp(w.frame, op)
	if record != nil {
		st.record = w.frame[at:len(w.frame):len(w.frame)]
	}
	w.fresh[freshKey{l, id}] = st
	w.changes = append(w.changes, change{l, id, st, isNew})
}

// publish shows what became durable to readers and followers.
func (w *batchWriter) publish() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.active.count == 0 {
		w.active.since = time.Now()
	}
	for _, c := range w.changes {
		w.show(w.active, c)
	}
	w.active.bytes += int64(len(w.frame))
}
