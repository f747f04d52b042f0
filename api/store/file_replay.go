package store

import (
	"bytes"
	"cmp"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
)

// replay reads the journals into memory, as if they were appended again: an operation that the database shows to be
// done already is passed over.
func (f *File) replay() error {
	var applied []byte
	err := f.db.View(func(tx *bbolt.Tx) error {
		applied = bytes.Clone(tx.Bucket(bucketMeta).Get(keyApplied))
		return nil
	})
	if err != nil {
		return err
	}
	var payloads [2][][]byte
	for i := range f.journals {
		j, p, err := openJournal(filepath.Join(f.folder, fmt.Sprintf("journal-%d", i)), applied)
		if err != nil {
			return fmt.Errorf("store: %w", err)
		}
		f.journals[i], payloads[i] = j, p
	}
	for _, j := range f.journals { // both could be read: now they may be changed
		if j.torn > 0 {
			f.logger.Warn("the end of a journal was torn by a crash before it was acknowledged, and is dropped", "file", j.file.Name(), "bytes", j.torn)
		}
		if j.stale {
			if err := j.clear(); err != nil {
				return fmt.Errorf("store: %w", unavailable(err))
			}
		}
	}
	order := []int{0, 1}
	if cmp.Less(f.journals[1].generation, f.journals[0].generation) {
		order = []int{1, 0}
	}
	for _, i := range order {
		j := f.journals[i]
		s := newSegment(j)
		s.since, s.bytes = time.Now(), j.end
		if f.active != nil && f.active.journal.end > 0 {
			// Both journals are in use: the older one goes into the database now, the newer one stays.
			f.sealed = f.active
			if err := f.apply(f.sealed); err != nil {
				return fmt.Errorf("store: apply the journal: %w", unavailable(err))
			}
			f.sealed = nil
		}
		f.active = s
		for _, p := range payloads[i] {
			if err := f.replayFrame(s, p); err != nil {
				return fmt.Errorf("store: %s: %w", j.file.Name(), err)
			}
		}
	}
	if f.active.journal.end == 0 {
		var last uint64
		for _, j := range f.journals {
			last = max(last, j.generation)
		}
		f.active.journal.start(last+1, newSalt())
	}
	f.inDatabase = f.active.journal.generation - 1
	return nil
}

// replayFrame applies one payload to a segment.
func (f *File) replayFrame(s *segment, payload []byte) error {
	return f.db.View(func(tx *bbolt.Tx) error {
		for len(payload) > 0 {
			op, rest, err := cutOp(payload)
			if err != nil {
				return err
			}
			payload = rest
			l := f.fileLog(string(op.name))
			c := change{log: l, id: op.id}
			old, found := f.segments.find(l, op.id)
			if b, ok := findLog(tx, l.name); ok && !found {
				if rec := b.entries.Get(op.id[:]); rec != nil {
					old, found = state{record: rec}, true
				} else if b.tombstones.Get(op.id[:]) != nil {
					found = true
				}
			}
			if op.kind == opErase {
				if found && old.record == nil {
					continue
				}
				c.st.hash, c.new = old.hash, !found
			} else if found {
				continue
			} else {
				_, receipt, err := recordKeys(op.record)
				if err != nil {
					return err
				}
				c.st.record = op.record
				if len(receipt) > 0 {
					c.st.hash = receiptHash(receipt)
				}
			}
			f.show(s, c)
		}
		return nil
	})
}
