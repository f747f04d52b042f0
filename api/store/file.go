package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// databaseFile is the bbolt database in a data folder.
const databaseFile = "sipas.db"

// FileOptions says who opens a file store. The zero value is usable.
type FileOptions struct {
	Command string           // what holds the file, told to others who want it: "serve"
	URL     string           // where the holder answers requests, told to them too; "" when it does not
	Logger  *slog.Logger     // nil: silent
	Now     func() time.Time // nil: time.Now
}

// File is the engine on one local file: sipas.db, a bbolt database, with two journal files and a note of who holds it
// in the same folder. One process holds it at a time.
//
// An append goes to the journal, which makes it durable at once (file_append.go), is kept in memory, and moves into the
// database in large sorted transactions some seconds later (file_apply.go). A read looks in memory first, then in the
// database. The database has these buckets:
//
//	meta        format: version as text; scrub: present while free pages may hold erased content or an order of arrival;
//	            applied: salt of the journal generation that was moved here last
//	sets        name of a set → its revision
//	documents   one bucket a set: id → revision[8], body
//	logs        one bucket a log: counts → live[8], erased[8]
//	            entries: id → record; tombstones: id → nothing; receipts: indexKey → nothing
//
// The key of an entry is its id: the hour, then random bits. Nothing keeps the order of arrival within an hour, except
// the journal for the seconds an entry is in it, and free pages until the hour is over (file_scrub.go).
type File struct {
	folder string
	logger *slog.Logger
	now    func() time.Time
	db     *bbolt.DB
	holder holder

	setsMu sync.Mutex // held over a document's transaction, so that sets never runs ahead of or behind the file
	sets   map[string]int64

	// mu guards what follows, and everything reachable from it. It is never held over a read or write of a file.
	mu   sync.RWMutex
	logs map[string]*fileLog
	segments
	inDatabase               uint64 // the newest journal generation that was moved there
	journalFault, applyFault error  // why the last write failed; nil after the next that did not

	// readers is held shared by every read transaction, and exclusively for the moment in which scrub needs there to be
	// none.
	readers sync.RWMutex

	journals [2]*journal // one belongs to active, the other to sealed or to nobody
	queue    chan *request
	stop     chan struct{} // closed first by Close
	stopOnce sync.Once
	appended chan struct{} // closed when appendLoop has ended
	toApply  chan *segment
	settled  chan struct{} // told by applyLoop after each attempt
	applied  chan struct{} // closed when applyLoop has ended
	scrubs   chan chan error
	closed   atomic.Bool
}

// fileLog is what is known of one log without reading.
type fileLog struct {
	name         string
	live, erased int64
	ring         ring
}

// OpenFile opens the store in a folder, which is made when missing. When another process holds it, the error is a
// *HeldError, at once; data from a newer program give ErrNewerFormat, a damaged journal ErrCorrupt, and both stay
// untouched; an older format is upgraded.
func OpenFile(folder string, opt FileOptions) (*File, error) {
	f := &File{
		folder: folder, logger: opt.Logger, now: opt.Now,
		logs:     map[string]*fileLog{},
		queue:    make(chan *request, 256),
		stop:     make(chan struct{}),
		appended: make(chan struct{}),
		toApply:  make(chan *segment, 1),
		settled:  make(chan struct{}, 1),
		applied:  make(chan struct{}),
		scrubs:   make(chan chan error),
	}
	if f.logger == nil {
		f.logger = slog.New(slog.DiscardHandler)
	}
	if f.now == nil {
		f.now = time.Now
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	db, err := bbolt.Open(filepath.Join(folder, databaseFile), 0o600, &bbolt.Options{
		Timeout: time.Nanosecond, // one try; zero would wait for ever
		// The list of free pages is not written with every transaction, but at Close; after a crash it is looked for.
		NoFreelistSync: true,
		FreelistType:   bbolt.FreelistMapType,
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil, readHolder(folder)
	}
	if err != nil {
		return nil, fmt.Errorf("store: open %s: %w", filepath.Join(folder, databaseFile), err)
	}
	f.db = db
	if err := f.load(opt); err != nil {
		return nil, errors.Join(err, f.closeFiles())
	}
	go f.appendLoop()
	go f.applyLoop()
	return f, nil
}

// load brings the file to the present format, and what the last process left in the journals into memory.
func (f *File) load(opt FileOptions) error {
	if err := f.upgrade(); err != nil {
		return err
	}
	f.holder = holder{path: filepath.Join(f.folder, holderName), HeldError: HeldError{
		Folder: f.folder, PID: os.Getpid(), Command: opt.Command, URL: opt.URL, Since: f.now().UTC().Truncate(time.Second)}}
	if err := f.holder.write(); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if err := f.loadCounts(); err != nil {
		return err
	}
	if err := f.replay(); err != nil {
		return err
	}
	return syncFolder(f.folder)
}

// loadCounts reads what is kept in memory for each set and log.
func (f *File) loadCounts() error {
	f.sets = map[string]int64{}
	return f.db.View(func(tx *bbolt.Tx) error {
		err := tx.Bucket(bucketSets).ForEach(func(name, rev []byte) error {
			f.sets[string(name)] = readInt(rev)
			return nil
		})
		if err != nil {
			return err
		}
		return tx.Bucket(bucketLogs).ForEachBucket(func(name []byte) error {
			l := f.fileLog(string(name))
			l.live, l.erased = readCounts(tx.Bucket(bucketLogs).Bucket(name))
			return nil
		})
	})
}

// fileLog returns the log of that name; mu must be held, or nobody else be there yet.
func (f *File) fileLog(name string) *fileLog {
	l := f.logs[name]
	if l == nil {
		l = &fileLog{name: name}
		f.logs[name] = l
	}
	return l
}

// Ping implements Engine. After a failed write it tries one, so that it turns good again by itself.
func (f *File) Ping(ctx context.Context) error {
	if err := f.check(ctx); err != nil {
		return err
	}
	f.mu.RLock()
	journalFault, applyFault := f.journalFault, f.applyFault
	f.mu.RUnlock()
	if journalFault == nil {
		return applyFault
	}
	r := &request{done: make(chan struct{}, 1), probe: true}
	if err := f.do(ctx, r); err != nil {
		return err
	}
	return applyFault
}

// check is at the start of every method.
func (f *File) check(ctx context.Context) error {
	if f.closed.Load() {
		return ErrClosed
	}
	return ctx.Err()
}

// view runs fn in a read transaction. fn reads one page at most: see PageSize.
func (f *File) view(fn func(*bbolt.Tx) error) error {
	f.readers.RLock()
	defer f.readers.RUnlock()
	return closedError(f.db.View(fn))
}

// setFault remembers in one of the two faults why a write failed, or that it did not, and logs when that changes. Only
// one goroutine calls it for each.
func (f *File) setFault(fault *error, err error) {
	changed := (err == nil) != (*fault == nil)
	if err == nil && !changed {
		return
	}
	f.mu.Lock()
	*fault = err
	f.mu.Unlock()
	switch {
	case changed && err != nil:
		f.logger.Error("store cannot write", "error", err)
	case changed:
		f.logger.Info("store can write again")
	}
}

// Close implements Engine: it waits until the journal is moved into the database, and erased content and the order of
// arrival have left it, so that the file is whole by itself. When that fails (disk full) the error says so; nothing is
// lost, the next OpenFile goes on from the journal.
func (f *File) Close() error {
	var closeErr error
	f.stopOnce.Do(func() {
		f.closed.Store(true)
		close(f.stop)
		<-f.appended
		<-f.applied
		f.mu.Lock()
		for _, l := range f.logs {
			l.ring.announce()
		}
		err := f.applyFault
		f.mu.Unlock()
		f.setsMu.Lock()
		defer f.setsMu.Unlock()
		closeErr = errors.Join(err, f.saveFreelist(), f.closeFiles())
	})
	return closeErr
}

// saveFreelist has the list of free pages written once, at the end, so that the next process need not look for them: a
// walk over every page, half a second for a million entries.
func (f *File) saveFreelist() error {
	f.db.NoFreelistSync = false
	return unavailable(f.db.Update(func(*bbolt.Tx) error { return nil }))
}

func (f *File) closeFiles() error {
	var errs []error
	for _, j := range f.journals {
		if j != nil {
			errs = append(errs, j.file.Close())
		}
	}
	return errors.Join(append(errs, f.holder.remove(), f.db.Close())...)
}

// newSalt returns random bytes for a journal generation. crypto/rand never fails.
func newSalt() (salt [8]byte) {
	rand.Read(salt[:])
	return salt
}

// unavailable marks an error of the disk as one that may pass.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// closedError translates bbolt's word for a closed database.
func closedError(err error) error {
	if errors.Is(err, bbolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}
