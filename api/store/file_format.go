package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"
)

// fileFormat is the version of the layout described at File. Each step of upgrade leads one version further.
//
//	1  no receipt index
//	2  receipts
const fileFormat = 2

var (
	bucketMeta       = []byte("meta")
	bucketSets       = []byte("sets")
	bucketDocuments  = []byte("documents")
	bucketLogs       = []byte("logs")
	bucketEntries    = []byte("entries")
	bucketTombstones = []byte("tombstones")
	bucketReceipts   = []byte("receipts")
	keyFormat        = []byte("format")
	keyScrub         = []byte("scrub")
	keyApplied       = []byte("applied")
	keyCounts        = []byte("counts")
)

// upgrade brings an older or empty file to fileFormat. It can be interrupted anywhere and started again.
func (f *File) upgrade() error {
	var format int
	err := f.db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			if name, _ := tx.Cursor().First(); name != nil {
				return fmt.Errorf("%w: %s is not a store of this program", ErrCorrupt, f.db.Path())
			}
			return nil
		}
		var err error
		if format, err = strconv.Atoi(string(meta.Get(keyFormat))); err != nil || format < 1 {
			return fmt.Errorf("%w: %s has no format version", ErrCorrupt, f.db.Path())
		}
		return nil
	})
	if err != nil {
		return err
	}
	if format > fileFormat {
		return fmt.Errorf("%w: %s has format %d, this program knows up to %d; use the program that wrote it, or a newer one",
			ErrNewerFormat, f.db.Path(), format, fileFormat)
	}
	steps := [fileFormat]func() error{0: f.create, 1: f.indexReceipts}
	fresh := format == 0
	for ; format < fileFormat; format++ {
		if !fresh {
			f.logger.Info("store is being upgraded", "from", format, "to", format+1)
		}
		if err := steps[format](); err != nil {
			return fmt.Errorf("store: upgrade from format %d: %w", format, err)
		}
		err := f.db.Update(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucketMeta).Put(keyFormat, []byte(strconv.Itoa(format+1)))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// create makes the buckets of an empty file.
func (f *File) create() error {
	return f.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketSets, bucketDocuments, bucketLogs} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keyFormat, []byte("1"))
	})
}

// indexReceipts builds the receipt index of a file of format 1, a page a transaction.
func (f *File) indexReceipts() error {
	var names [][]byte
	err := f.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketLogs).ForEachBucket(func(name []byte) error {
			names = append(names, bytes.Clone(name))
			return nil
		})
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		for after, more := (ID{}), true; more; {
			err := f.db.Update(func(tx *bbolt.Tx) error {
				buckets, err := openLog(tx, name)
				if err != nil {
					return err
				}
				n := 0
				c := buckets.entries.Cursor()
				for k, rec := seekAfter(c, after); k != nil && n < PageSize; k, rec = c.Next() {
					after = ID(k)
					n++
					_, receipt, err := recordKeys(rec)
					if err != nil {
						return err
					}
					if len(receipt) == 0 {
						continue
					}
					key := newIndexKey(after, receiptHash(receipt))
					if err := buckets.receipts.Put(key[:], nil); err != nil {
						return err
					}
				}
				more = n == PageSize
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// logBuckets are the buckets of one log in one transaction.
type logBuckets struct{ root, entries, tombstones, receipts *bbolt.Bucket }

// openLog returns the buckets of a log, made when missing; tx must be writable.
func openLog(tx *bbolt.Tx, name []byte) (b logBuckets, err error) {
	if b.root, err = tx.Bucket(bucketLogs).CreateBucketIfNotExists(name); err != nil {
		return b, err
	}
	if b.entries, err = b.root.CreateBucketIfNotExists(bucketEntries); err != nil {
		return b, err
	}
	if b.tombstones, err = b.root.CreateBucketIfNotExists(bucketTombstones); err != nil {
		return b, err
	}
	b.receipts, err = b.root.CreateBucketIfNotExists(bucketReceipts)
	return b, err
}

// findLog returns the buckets of a log; ok is false when nothing of it is in the database yet.
func findLog(tx *bbolt.Tx, name string) (b logBuckets, ok bool) {
	if b.root = tx.Bucket(bucketLogs).Bucket([]byte(name)); b.root == nil {
		return b, false
	}
	b.entries, b.tombstones, b.receipts = b.root.Bucket(bucketEntries), b.root.Bucket(bucketTombstones), b.root.Bucket(bucketReceipts)
	return b, true
}

// seekAfter moves to the first key greater than the id; the zero id is in front of all but itself.
func seekAfter(c *bbolt.Cursor, after ID) (k, v []byte) {
	k, v = c.Seek(after[:])
	if k != nil && ID(k) == after {
		return c.Next()
	}
	return k, v
}

func readInt(b []byte) int64 {
	if len(b) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(b))
}

func putInt(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }

// readCounts returns the numbers of live and erased entries in the database.
func readCounts(root *bbolt.Bucket) (live, erased int64) {
	b := root.Get(keyCounts)
	if len(b) != 16 {
		return 0, 0
	}
	return readInt(b), readInt(b[8:])
}

func writeCounts(root *bbolt.Bucket, live, erased int64) error {
	return root.Put(keyCounts, append(putInt(live), putInt(erased)...))
}
