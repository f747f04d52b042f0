package store

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"go.etcd.io/bbolt"
)

// scrubDelay is how long erased content may stay in the file's free pages; erasures within it share one scrub.
const scrubDelay = 10 * time.Minute

// scrubGrace is how long after an hour's end its answers are scrubbed: the last of them are then in the database.
const scrubGrace = time.Minute

// scrubDue returns when what moved into the database now must have left the free pages: erased content soon, the order
// within an hour when the hour is over.
func scrubDue(now time.Time, erasures bool) time.Time {
	due := now.Truncate(time.Hour).Add(time.Hour + scrubGrace)
	if soon := now.Add(scrubDelay); erasures && soon.Before(due) {
		due = soon
	}
	return due
}

// scrubPages is about how many pages one transaction of a scrub overwrites. Always the same number: the free pages then
// settle at a multiple of it. As many as are free would each time end a few pages behind the last, and the file grow.
const scrubPages = 500

var bucketScrub = []byte("scrubbing")

// Scrub makes sure that erased content has left the file, and with it the order in which answers came. bbolt never
// writes over a page in use: after a change the old copy of the page becomes free and stays, content and all, until
// something else needs the place. It keeps what was deleted; and beside the page of today, with answers 0 to 5, it
// shows which of them were there when it was written, say 0 to 4. So scrub needs the place: it fills a bucket with
// nothing until every page that was free has been written over, then drops the bucket. That is done with ordinary
// transactions, so a crash in the middle leaves a good file; and it needs no second file, no swap and no long
// transaction, as copying the database to a new file would. It costs what the free pages cost, not the whole file.
//
// It runs by itself within ten minutes of an erasure, when an hour in which answers came is over, at Close, and at
// OpenFile after a crash.
func (f *File) Scrub(ctx context.Context) error {
	if err := f.flush(ctx); err != nil {
		return err
	}
	answer := make(chan error, 1)
	select {
	case f.scrubs <- answer:
	case <-ctx.Done():
		return ctx.Err()
	case <-f.applied:
		return ErrClosed
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// markScrub notes in the file that free pages will hold what a scrub must remove.
func markScrub(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta.Get(keyScrub) != nil {
		return nil
	}
	return meta.Put(keyScrub, nil)
}

// scrubMarked scrubs when free pages may hold what they must not, and logs a failure: the mark stays, the next time tries again.
func (f *File) scrubMarked() {
	var due bool
	err := f.view(func(tx *bbolt.Tx) error {
		due = tx.Bucket(bucketMeta).Get(keyScrub) != nil
		return nil
	})
	if err == nil && due {
		err = f.scrub()
	}
	if err != nil {
		f.logger.Error("store could not scrub its free pages", "error", err)
	}
}

func (f *File) scrub() error {
	// Drop what an interrupted scrub left, and start a transaction while nobody reads: that is when bbolt sets free all
	// pages that earlier ones gave up.
	err := f.alone(func(tx *bbolt.Tx) error { return dropScrub(tx) })
	if err == nil {
		err = f.alone(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket(bucketScrub)
			return err
		})
	}
	nothing := make([]byte, f.db.Info().PageSize/4) // three of it, with their keys, fill a page
	next := uint64(0)
	for err == nil && f.db.Stats().FreePageN > 0 {
		err = f.db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketScrub)
			b.FillPercent = 1
			for range 3 * scrubPages {
				next++
				if err := b.Put(binary.BigEndian.AppendUint64(nil, next), nothing); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err == nil {
		err = f.db.Update(func(tx *bbolt.Tx) error {
			return errors.Join(dropScrub(tx), tx.Bucket(bucketMeta).Delete(keyScrub))
		})
	}
	return unavailable(err)
}

// alone runs fn in a write transaction that starts while no read transaction is open.
func (f *File) alone(fn func(*bbolt.Tx) error) error {
	f.readers.Lock()
	tx, err := f.db.Begin(true)
	f.readers.Unlock()
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func dropScrub(tx *bbolt.Tx) error {
	if tx.Bucket(bucketScrub) == nil {
		return nil
	}
	return tx.DeleteBucket(bucketScrub)
}
