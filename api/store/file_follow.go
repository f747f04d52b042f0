package store

import (
	"context"

	"go.etcd.io/bbolt"
)

// ringSize is how many of the latest events of a log are remembered, 17 bytes each: more than two full segments hold,
// since a new follower starts at the oldest entry that is not in the database yet.
const ringSize = 1 << 19

const ringChunk = 1 << 12

// ring remembers which ids were appended or erased since the process started, in order, up to ringSize. It lives in
// memory only: order is kept nowhere else. File.mu guards it.
type ring struct {
	chunks  [][]ringEvent
	first   int64         // position of the first event of chunks[0]
	changed chan struct{} // closed at the next event; nil: nobody waits
}

type ringEvent struct {
	id     ID
	erased bool
}

func (r *ring) end() int64 {
	if len(r.chunks) == 0 {
		return r.first
	}
	n := len(r.chunks) - 1
	return r.first + int64(n)*ringChunk + int64(len(r.chunks[n]))
}

func (r *ring) add(id ID, erased bool) {
	n := len(r.chunks) - 1
	if n < 0 || len(r.chunks[n]) == ringChunk {
		// Chunks start small: most logs see few events.
		r.chunks = append(r.chunks, nil)
		n++
		if n >= ringSize/ringChunk {
			r.chunks[0] = nil
			r.chunks = r.chunks[1:]
			r.first += ringChunk
			n--
		}
	}
	r.chunks[n] = append(r.chunks[n], ringEvent{id, erased})
	r.announce()
}

// announce wakes whoever waits for news.
func (r *ring) announce() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// from returns the events at pos and behind it, as far as they lie together; false when pos is forgotten.
func (r *ring) from(pos int64) ([]ringEvent, bool) {
	if pos < r.first {
		return nil, false
	}
	n := (pos - r.first) / ringChunk
	if n >= int64(len(r.chunks)) {
		return nil, true
	}
	return r.chunks[n][(pos-r.first)%ringChunk:], true
}

// fileFollower first scans the database, then reads the ring from where it stood at the start. start is chosen so that
// every event before it was in the database already; entries that the ring has from start on may also turn up in the
// scan, as they move into the database meanwhile, and are left out there.
type fileFollower struct {
	file   *File
	log    *Log
	l      *fileLog
	fields int
	pos    int64 // next event of the ring to deliver

	scanning bool
	after    ID
	skip     map[ID]struct{} // ids of the ring between pos and skipped
	skipped  int64

	done, total int64
	closed      bool
}

// Follow implements Engine.
func (f *File) Follow(ctx context.Context, log *Log) (Follower, error) {
	if err := f.check(ctx); err != nil {
		return nil, err
	}
	l, err := f.logOf(log)
	if err != nil {
		return nil, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	start := l.ring.end()
	for _, s := range [...]*segment{f.active, f.sealed} {
		if s != nil && s.logs[l] != nil {
			start = min(start, s.logs[l].start)
		}
	}
	return &fileFollower{file: f, log: log, l: l, fields: len(log.Fields), pos: start,
		scanning: true, skip: map[ID]struct{}{}, skipped: start, total: l.live}, nil
}

// Next implements Follower.
func (w *fileFollower) Next(ctx context.Context) ([]Event, error) {
	if w.closed {
		return nil, ErrClosed
	}
	if err := w.file.check(ctx); err != nil {
		return nil, err
	}
	for w.scanning {
		events, err := w.scan()
		if err != nil || len(events) > 0 {
			return events, err
		}
	}
	for {
		events, level, err := w.live()
		if err != nil || level || len(events) > 0 {
			return events, err
		}
	}
}

// scan delivers the next page of the database, but for what the ring will deliver.
func (w *fileFollower) scan() ([]Event, error) {
	var events []Event
	var rows int
	last := w.after
	err := w.file.view(func(tx *bbolt.Tx) error {
		// After the transaction started, not before: an entry is in the ring before it is in the database.
		if err := w.noteSkips(); err != nil {
			return err
		}
		b, ok := findLog(tx, w.log.Name)
		if !ok {
			return nil
		}
		events = make([]Event, 0, PageSize)
		var values []string
		c := b.entries.Cursor()
		for k, rec := seekAfter(c, w.after); k != nil && rows < PageSize; k, rec = c.Next() {
			rows++
			last = ID(k)
			if _, ok := w.skip[last]; ok {
				continue
			}
			if len(values) < w.fields {
				values = make([]string, 500*w.fields)
			}
			e, err := decodeRecord(last, rec, values[:w.fields:w.fields])
			if err != nil {
				return err
			}
			values = values[w.fields:]
			events = append(events, Event{Entry: e})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	w.after = last
	w.done += int64(len(events))
	if rows < PageSize {
		w.scanning, w.skip = false, nil
	}
	return events, nil
}

// noteSkips takes the ids that came into the ring into skip.
func (w *fileFollower) noteSkips() error {
	w.file.mu.RLock()
	defer w.file.mu.RUnlock()
	for {
		events, ok := w.l.ring.from(w.skipped)
		if !ok {
			return ErrCursorGone
		}
		if len(events) == 0 {
			return nil
		}
		for _, e := range events {
			w.skip[e.id] = struct{}{}
		}
		w.skipped += int64(len(events))
	}
}

// liveChunk is how many events are looked up in memory while writers wait.
const liveChunk = 1000

// live delivers the next events of the ring; level says that there were none.
func (w *fileFollower) live() (events []Event, level bool, err error) {
	type item struct {
		ringEvent
		st    state
		found bool
	}
	var items []item
	w.file.mu.RLock()
	news, ok := w.l.ring.from(w.pos)
	news = news[:min(len(news), liveChunk)]
	for _, e := range news {
		it := item{ringEvent: e}
		if !e.erased {
			it.st, it.found = w.file.segments.find(w.l, e.id)
		}
		items = append(items, it)
	}
	w.file.mu.RUnlock()
	if !ok {
		return nil, false, ErrCursorGone
	}
	if len(items) == 0 {
		return nil, true, nil
	}
	values := make([]string, len(items)*w.fields)
	events = make([]Event, 0, len(items))
	err = w.file.view(func(tx *bbolt.Tx) error {
		b, known := findLog(tx, w.log.Name)
		for _, it := range items {
			if it.erased {
				events = append(events, Event{Entry: Entry{ID: it.id}, Erased: true})
				continue
			}
			rec := it.st.record
			if !it.found && known {
				rec = b.entries.Get(it.id[:])
			}
			if rec == nil {
				continue // erased meanwhile
			}
			e, err := decodeRecord(it.id, rec, values[:w.fields:w.fields])
			if err != nil {
				return err
			}
			values = values[w.fields:]
			events = append(events, Event{Entry: e})
		}
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	w.pos += int64(len(items))
	return events, false, nil
}

// Changed implements Follower.
func (w *fileFollower) Changed() <-chan struct{} {
	w.file.mu.Lock()
	defer w.file.mu.Unlock()
	if w.closed || w.file.closed.Load() {
		c := make(chan struct{})
		close(c)
		return c
	}
	if w.l.ring.changed == nil {
		w.l.ring.changed = make(chan struct{})
	}
	return w.l.ring.changed
}

// Progress implements Follower.
func (w *fileFollower) Progress() (done, total int64) {
	if !w.scanning {
		return w.done, w.done
	}
	return w.done, max(w.total, w.done)
}

// Close implements Follower.
func (w *fileFollower) Close() {
	w.closed, w.skip = true, nil
}
