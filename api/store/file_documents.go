package store

import (
	"bytes"
	"context"
	"fmt"
	"maps"

	"go.etcd.io/bbolt"
)

// Get implements Engine.
func (f *File) Get(ctx context.Context, set, id string) (Document, error) {
	if err := f.check(ctx); err != nil {
		return Document{}, err
	}
	var d Document
	err := f.view(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucketDocuments).Bucket([]byte(set))
		if b == nil {
			return ErrNotFound
		}
		v := b.Get([]byte(id))
		if v == nil {
			return ErrNotFound
		}
		d = readDocument([]byte(id), v)
		return nil
	})
	return d, err
}

// List implements Engine. A set is small enough for one transaction.
func (f *File) List(ctx context.Context, set string) (docs []Document, setRevision int64, err error) {
	if err := f.check(ctx); err != nil {
		return nil, 0, err
	}
	err = f.view(func(tx *bbolt.Tx) error {
		setRevision = readInt(tx.Bucket(bucketSets).Get([]byte(set)))
		b := tx.Bucket(bucketDocuments).Bucket([]byte(set))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			docs = append(docs, readDocument(k, v))
			return nil
		})
	})
	return docs, setRevision, err
}

// Put implements Engine.
func (f *File) Put(ctx context.Context, set string, d Document) (int64, error) {
	return f.change(ctx, set, d.ID, func(b *bbolt.Bucket, stored, next int64) error {
		if stored != d.Revision {
			return fmt.Errorf("%w: %s %q is at revision %d, not %d", ErrStale, set, d.ID, stored, d.Revision)
		}
		return b.Put([]byte(d.ID), append(putInt(next), d.Body...))
	})
}

// Delete implements Engine.
func (f *File) Delete(ctx context.Context, set, id string, revision int64) error {
	_, err := f.change(ctx, set, id, func(b *bbolt.Bucket, stored, _ int64) error {
		if stored == 0 {
			return ErrNotFound
		}
		if stored != revision {
			return fmt.Errorf("%w: %s %q is at revision %d, not %d", ErrStale, set, id, stored, revision)
		}
		return b.Delete([]byte(id))
	})
	return err
}

// change runs fn in a write transaction with the stored revision of the document (0: none) and the next of its set. A
// document takes the revision of its set, so that none comes back when a document is deleted and made again.
func (f *File) change(ctx context.Context, set, id string, fn func(b *bbolt.Bucket, stored, next int64) error) (int64, error) {
	if err := f.check(ctx); err != nil {
		return 0, err
	}
	if set == "" || id == "" {
		return 0, fmt.Errorf("store: a document needs a set and an id")
	}
	f.setsMu.Lock()
	defer f.setsMu.Unlock()
	var next int64
	var refused error
	err := f.db.Update(func(tx *bbolt.Tx) error {
		next = readInt(tx.Bucket(bucketSets).Get([]byte(set))) + 1
		b, err := tx.Bucket(bucketDocuments).CreateBucketIfNotExists([]byte(set))
		if err != nil {
			return err
		}
		if refused = fn(b, readInt(b.Get([]byte(id))), next); refused != nil {
			return refused
		}
		return tx.Bucket(bucketSets).Put([]byte(set), putInt(next))
	})
	if err := closedError(err); err != nil {
		if refused != nil || err == ErrClosed {
			return 0, err
		}
		return 0, unavailable(err)
	}
	f.sets[set] = next
	return next, nil
}

// SetRevisions implements Engine, from memory.
func (f *File) SetRevisions(ctx context.Context) (map[string]int64, error) {
	if err := f.check(ctx); err != nil {
		return nil, err
	}
	f.setsMu.Lock()
	defer f.setsMu.Unlock()
	return maps.Clone(f.sets), nil
}

func readDocument(id, v []byte) Document {
	return Document{ID: string(id), Revision: readInt(v), Body: bytes.Clone(v[8:])}
}
