package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"go.etcd.io/bbolt"
)

// Find implements Engine.
func (f *File) Find(ctx context.Context, log *Log, id ID) (Entry, error) {
	if err := f.check(ctx); err != nil {
		return Entry{}, err
	}
	l, err := f.logOf(log)
	if err != nil {
		return Entry{}, err
	}
	f.mu.RLock()
	st, found := f.segments.find(l, id)
	f.mu.RUnlock()
	values := make([]string, len(log.Fields))
	if found {
		if st.record == nil {
			return Entry{}, ErrNotFound
		}
		return decodeRecord(id, st.record, values)
	}
	var e Entry
	err = f.view(func(tx *bbolt.Tx) error {
		b, ok := findLog(tx, log.Name)
		if !ok {
			return ErrNotFound
		}
		rec := b.entries.Get(id[:])
		if rec == nil {
			return ErrNotFound
		}
		e, err = decodeRecord(id, rec, values)
		return err
	})
	return e, err
}

// FindReceipt implements Engine. The index is sorted by the hour of the id, then by the receipt's hash: a look-up jumps
// through the hours that have entries, some thousands in a year, a microsecond each.
func (f *File) FindReceipt(ctx context.Context, log *Log, receipt []byte) (Entry, error) {
	if err := f.check(ctx); err != nil {
		return Entry{}, err
	}
	if len(receipt) == 0 {
		return Entry{}, ErrNotFound
	}
	l, err := f.logOf(log)
	if err != nil {
		return Entry{}, err
	}
	hash := receiptHash(receipt)
	var candidates []ID
	f.mu.RLock()
	for _, s := range [...]*segment{f.active, f.sealed} {
		if s != nil && s.logs[l] != nil {
			if id, ok := s.logs[l].receipts[hash]; ok {
				candidates = append(append(candidates, id), s.logs[l].shared[hash]...)
			}
		}
	}
	f.mu.RUnlock()
	err = f.view(func(tx *bbolt.Tx) error {
		b, ok := findLog(tx, log.Name)
		if !ok {
			return nil
		}
		var want [indexPrefix + 8]byte
		binary.BigEndian.PutUint64(want[indexPrefix:], hash)
		c := b.receipts.Cursor()
		for k, _ := c.First(); k != nil; {
			if bytes.Compare(k[:indexPrefix], want[:indexPrefix]) > 0 || bytes.Compare(k[:len(want)], want[:]) < 0 {
				copy(want[:], k[:indexPrefix])
				k, _ = c.Seek(want[:])
				continue
			}
			if bytes.HasPrefix(k, want[:]) {
				candidates = append(candidates, indexed(k))
				k, _ = c.Next()
				continue
			}
			// Past the hash in this hour: on to the next.
			next := append(bytes.Clone(k[:indexPrefix]), bytes.Repeat([]byte{0xff}, len(indexKey{})-indexPrefix)...)
			k, _ = c.Seek(next)
		}
		return nil
	})
	if err != nil {
		return Entry{}, err
	}
	for _, id := range candidates {
		e, err := f.Find(ctx, log, id)
		if err == nil && bytes.Equal(e.Receipt, receipt) {
			return e, nil
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Entry{}, err
		}
	}
	return Entry{}, ErrNotFound
}

// Scan implements Engine.
func (f *File) Scan(ctx context.Context, log *Log, after ID, limit int) ([]Entry, error) {
	page, err := f.page(ctx, log, after, limit, false)
	if err != nil {
		return nil, err
	}
	fields := len(log.Fields)
	values := make([]string, len(page)*fields)
	entries := make([]Entry, len(page))
	for i, p := range page {
		if entries[i], err = decodeRecord(p.id, p.record, values[i*fields:(i+1)*fields:(i+1)*fields]); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// Tombstones implements Engine.
func (f *File) Tombstones(ctx context.Context, log *Log, after ID, limit int) ([]ID, error) {
	page, err := f.page(ctx, log, after, limit, true)
	ids := make([]ID, len(page))
	for i := range page {
		ids[i] = page[i].id
	}
	return ids, err
}

// Count implements Engine, from memory.
func (f *File) Count(ctx context.Context, log *Log) (live, erased int64, err error) {
	if err := f.check(ctx); err != nil {
		return 0, 0, err
	}
	l, err := f.logOf(log)
	if err != nil {
		return 0, 0, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	return l.live, l.erased, nil
}

// row is one key of a page, with its record where there is one.
type row struct {
	id     ID
	record []byte
}

// page returns the next live (or erased) ids of a log with their records, from the database and the segments together.
func (f *File) page(ctx context.Context, log *Log, after ID, limit int, erased bool) ([]row, error) {
	if err := f.check(ctx); err != nil {
		return nil, err
	}
	l, err := f.logOf(log)
	if err != nil {
		return nil, err
	}
	if limit <= 0 || limit > PageSize {
		limit = PageSize
	}
	// The segments are taken before the transaction starts: what leaves them meanwhile is in it.
	f.mu.RLock()
	held := f.segments
	f.mu.RUnlock()
	stored, err := f.storedPage(log.Name, after, limit, erased)
	if err != nil {
		return nil, err
	}
	more := len(stored) == limit // in the database, behind last
	var last ID
	if more {
		last = stored[limit-1].id
	}
	f.mu.RLock()
	rows := mergePending(stored, held, l, erased, func(id ID) bool {
		return bytes.Compare(id[:], after[:]) > 0 && (!more || bytes.Compare(id[:], last[:]) <= 0)
	})
	f.mu.RUnlock()
	if len(rows) == 0 && more {
		// Everything in the page is erased since, or not erased: look behind it.
		return f.page(ctx, log, last, limit, erased)
	}
	return rows[:min(limit, len(rows))], nil
}

// storedPage reads a page of the database; records are copied out of the mapped file.
func (f *File) storedPage(name string, after ID, limit int, erased bool) ([]row, error) {
	var rows []row
	err := f.view(func(tx *bbolt.Tx) error {
		b, ok := findLog(tx, name)
		if !ok {
			return nil
		}
		bucket := b.entries
		if erased {
			bucket = b.tombstones
		}
		var arena []byte
		c := bucket.Cursor()
		for k, v := seekAfter(c, after); k != nil && len(rows) < limit; k, v = c.Next() {
			if len(v) > cap(arena)-len(arena) {
				arena = make([]byte, 0, max(64<<10, len(v)))
			}
			at := len(arena)
			arena = append(arena, v...)
			rows = append(rows, row{ID(k), arena[at:]})
		}
		return nil
	})
	return rows, err
}

// mergePending brings rows up to date with what the segments have within the page's range.
func mergePending(rows []row, held segments, l *fileLog, erased bool, within func(ID) bool) []row {
	var more []row
	for _, s := range [...]*segment{held.active, held.sealed} {
		if s == nil || s.logs[l] == nil {
			continue
		}
		for id, st := range s.logs[l].states {
			if (st.record == nil) == erased && within(id) {
				more = append(more, row{id, st.record})
			}
		}
	}
	rows = append(rows, more...)
	slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.id[:], b.id[:]) })
	rows = slices.CompactFunc(rows, func(a, b row) bool { return a.id == b.id })
	return slices.DeleteFunc(rows, func(r row) bool {
		st, found := held.find(l, r.id)
		return found && (st.record == nil) != erased
	})
}
