package store

import (
	"bytes"
	"slices"
	"time"

	"go.etcd.io/bbolt"
)

// applyChunk is how many entries one transaction moves into the database. Sorted by id, chunks touch no page twice, so
// small ones cost little more than one large one, and the journal's sync never waits behind much.
const applyChunk = 1000

// applyRetry is the pause after a failed attempt, most likely on a full disk.
const applyRetry = time.Second

// applyLoop moves sealed segments into the database, and scrubs it. It is, but for documents, the database's one writer.
func (f *File) applyLoop() {
	defer close(f.applied)
	due := time.Now() // a mark in the file says whether the last process left something to scrub
	late := time.NewTimer(0)
	defer late.Stop()
	for {
		select {
		case s, ok := <-f.toApply:
			if !ok {
				f.scrubMarked()
				return
			}
			if !f.applyUntilDone(s) {
				continue
			}
			if at := scrubDue(time.Now(), s.erasures()); due.IsZero() || at.Before(due) {
				due = at
				late.Reset(time.Until(due))
			}
		case <-late.C:
			due = time.Time{}
			f.scrubMarked()
		case answer := <-f.scrubs:
			answer <- f.scrub()
		}
	}
}

// applyUntilDone repeats apply until it worked, or the store closes.
func (f *File) applyUntilDone(s *segment) bool {
	for {
		err := f.apply(s)
		f.setFault(&f.applyFault, unavailable(err))
		if err == nil {
			f.mu.Lock()
			f.sealed, f.inDatabase = nil, s.journal.generation
			f.mu.Unlock()
		}
		select {
		case f.settled <- struct{}{}:
		default:
		}
		if err == nil {
			return true
		}
		s.tried = true
		select {
		case <-time.After(applyRetry):
		case <-f.stop:
			return false
		}
	}
}

// apply moves a segment into the database and empties its journal. Done again after a crash or an error in the middle,
// it changes nothing twice. Receipts go before their entries: replay passes over an entry that is in the database, and
// would not come back for its receipt.
func (f *File) apply(s *segment) error {
	for l, sl := range s.logs {
		var erased, stored []ID
		keys := make([]indexKey, 0, len(sl.states))
		for id, st := range sl.states {
			if st.record == nil {
				erased = append(erased, id)
				continue
			}
			stored = append(stored, id)
			if st.hash != 0 {
				keys = append(keys, newIndexKey(id, st.hash))
			}
		}
		byBytes := func(a, b ID) int { return bytes.Compare(a[:], b[:]) }
		slices.SortFunc(erased, byBytes)
		slices.SortFunc(stored, byBytes)
		slices.SortFunc(keys, func(a, b indexKey) int { return bytes.Compare(a[:], b[:]) })
		for chunk := range slices.Chunk(erased, applyChunk) {
			if err := f.applyErased(l, sl, chunk); err != nil {
				return err
			}
		}
		for chunk := range slices.Chunk(keys, applyChunk) {
			if err := f.applyReceipts(l, chunk); err != nil {
				return err
			}
		}
		for chunk := range slices.Chunk(stored, applyChunk) {
			if err := f.applyStored(l, sl, chunk, s.tried); err != nil {
				return err
			}
		}
	}
	// A power cut in the middle of clear may leave any part of the journal: from here on, none of it counts.
	err := f.db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyApplied, s.journal.salt[:]) })
	if err != nil {
		return err
	}
	return s.journal.clear()
}

func (f *File) applyErased(l *fileLog, sl *segmentLog, ids []ID) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		b, err := openLog(tx, []byte(l.name))
		if err != nil {
			return err
		}
		live, erased := readCounts(b.root)
		for _, id := range ids {
			hash := sl.states[id].hash
			if rec := b.entries.Get(id[:]); rec != nil {
				_, receipt, err := recordKeys(rec)
				if err != nil {
					return err
				}
				if len(receipt) > 0 {
					hash = receiptHash(receipt)
				}
				if err := b.entries.Delete(id[:]); err != nil {
					return err
				}
				live--
			}
			if hash != 0 {
				key := newIndexKey(id, hash)
				if err := b.receipts.Delete(key[:]); err != nil {
					return err
				}
			}
			if b.tombstones.Get(id[:]) == nil {
				if err := b.tombstones.Put(id[:], nil); err != nil {
					return err
				}
				erased++
			}
		}
		if err := markScrub(tx); err != nil {
			return err
		}
		return writeCounts(b.root, live, erased)
	})
}

func (f *File) applyReceipts(l *fileLog, keys []indexKey) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		b, err := openLog(tx, []byte(l.name))
		if err != nil {
			return err
		}
		for i := range keys {
			if err := b.receipts.Put(keys[i][:], nil); err != nil {
				return err
			}
		}
		return markScrub(tx)
	})
}

// applyStored puts entries. They are new, unless tried says that an earlier attempt may have put some.
func (f *File) applyStored(l *fileLog, sl *segmentLog, ids []ID, tried bool) error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		b, err := openLog(tx, []byte(l.name))
		if err != nil {
			return err
		}
		live, erased := readCounts(b.root)
		for i := range ids {
			if !tried || b.entries.Get(ids[i][:]) == nil {
				live++
			}
			if err := b.entries.Put(ids[i][:], sl.states[ids[i]].record); err != nil {
				return err
			}
		}
		if err := markScrub(tx); err != nil {
			return err
		}
		return writeCounts(b.root, live, erased)
	})
}

// erasures tells whether the segment removed anything.
func (s *segment) erasures() bool {
	for _, sl := range s.logs {
		for _, st := range sl.states {
			if st.record == nil {
				return true
			}
		}
	}
	return false
}
