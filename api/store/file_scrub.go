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

// scrubPages is about how many pages one transaction of a scrub overwrites.
const scrubPages = 500

var bucketScrub = []byte("scrubbing")

// Scrub makes sure that erased content has left the file. bbolt never writes over a page in use: after a deletion the
// old copy of the page, content and all, becomes free and stays until something else needs the place. So scrub needs
// it: it fills a bucket with nothing until every page that was free has been written over, then drops the bucket. That
// is done with ordinary transactions, so a crash in the middle leaves a good file; and it needs no second file, no swap
// and no long transaction, as copying the database to a new file would.
//
// It runs by itself within ten minutes of an erasure, and at Close.
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

// scrubMarked scrubs when erased content may be left, and logs a failure: the mark stays, the next time tries again.
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
		f.logger.Error("store could not scrub erased answers", "error", err)
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
