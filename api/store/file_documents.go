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

// Put implements Engine. All documents are written in one transaction.
func (f *File) Put(ctx context.Context, set string, docs ...Document) (int64, error) {
	changes := make([]fileChange, len(docs))
	for i, d := range docs {
		changes[i] = fileChange{d.ID, func(b *bbolt.Bucket, stored, next int64) error {
			if stored != d.Revision {
				return fmt.Errorf("%w: %s %q is at revision %d, not %d", ErrStale, set, d.ID, stored, d.Revision)
			}
			return b.Put([]byte(d.ID), append(putInt(next), d.Body...))
		}}
	}
	return f.change(ctx, set, changes...)
}

// Delete implements Engine.
func (f *File) Delete(ctx context.Context, set, id string, revision int64) error {
	_, err := f.change(ctx, set, fileChange{id, func(b *bbolt.Bucket, stored, _ int64) error {
		if stored == 0 {
			return ErrNotFound
		}
		if stored != revision {
			return fmt.Errorf("%w: %s %q is at revision %d, not %d", ErrStale, set, id, stored, revision)
		}
		return b.Delete([]byte(id))
	}})
	return err
}

// fileChange changes one document, or refuses to; make knows its stored revision (0: none) and the next of its set.
type fileChange struct {
	id   string
	make func(b *bbolt.Bucket, stored, next int64) error
}

// change makes changes in one write transaction, up to the first that refuses. A
// document takes the revision of its set, so that none comes back when a document is deleted and made again.
func (f *File) change(ctx context.Context, set string, changes ...fileChange) (int64, error) {
	if err := f.check(ctx); err != nil {
		return 0, err
	}
	for _, c := range changes {
		if set == "" || c.id == "" {
			return 0, fmt.Errorf("store: a document needs a set and an id")
		}
	}
	f.setsMu.Lock()
	defer f.setsMu.Unlock()
	var last int64
	var refused error
	err := f.db.Update(func(tx *bbolt.Tx) error {
		last = readInt(tx.Bucket(bucketSets).Get([]byte(set)))
		b, err := tx.Bucket(bucketDocuments).CreateBucketIfNotExists([]byte(set))
		if err != nil {
			return err
		}
		made := 0
		for _, c := range changes {
			if refused = c.make(b, readInt(b.Get([]byte(c.id))), last+1); refused != nil {
				break
			}
			made, last = made+1, last+1
		}
		if made == 0 {
			return refused
		}
		return tx.Bucket(bucketSets).Put([]byte(set), putInt(last))
	})
	if err = closedError(err); err != nil && err != refused {
		if err == ErrClosed {
			return 0, err
		}
		return 0, unavailable(err)
	}
	if err == nil {
		f.sets[set] = last
	}
	if refused != nil {
		return 0, refused
	}
	return last, nil
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
