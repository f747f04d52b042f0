package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

func TestFileConformance(t *testing.T) {
	conformance(t, func(t *testing.T) Engine { return openTest(t, t.TempDir()) })
}

func openTest(t testing.TB, folder string) *File {
	t.Helper()
	f, err := OpenFile(folder, FileOptions{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func mustFlush(t testing.TB, f *File) {
	t.Helper()
	if err := f.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustErase(t testing.TB, f *File, id ID) {
	t.Helper()
	if err := f.Erase(t.Context(), testLog, id); err != nil {
		t.Fatal(err)
	}
}

func TestFileHeld(t *testing.T) {
	folder := t.TempDir()
	// A note that a dead process left is of no account.
	if err := os.WriteFile(filepath.Join(folder, holderName), []byte(`{"pid":1,"command":"old"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	f, err := OpenFile(folder, FileOptions{Command: "serve", URL: "http://127.0.0.1:8080", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	want := HeldError{Folder: folder, PID: os.Getpid(), Command: "serve", URL: "http://127.0.0.1:8080", Since: now}
	held := func() HeldError {
		t.Helper()
		_, err := OpenFile(folder, FileOptions{})
		var h *HeldError
		if !errors.As(err, &h) {
			t.Fatalf("OpenFile of a held folder: %v", err)
		}
		return *h
	}
	got := held()
	if got != want {
		t.Errorf("held by %+v, want %+v", got, want)
	}
	for _, part := range []string{folder, strconv.Itoa(want.PID), "serve", "2026-11-24T03:00:00Z", want.URL} {
		if !strings.Contains(got.Error(), part) {
			t.Errorf("message %q lacks %q", got.Error(), part)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, holderName), []byte(`{"pi`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := held(); got != (HeldError{Folder: folder}) {
		t.Errorf("with an unreadable note: %+v", got)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, holderName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note is left after Close: %v", err)
	}
	openTest(t, folder)
}

// oldEntry is a line of testdata/format1.json: what testdata/format1.db holds.
type oldEntry struct {
	ID, Digest, Receipt []byte
	Values              []string
}

// TestFileUpgrade opens a file that format 1 left, of which format1.json says what is in it.
func TestFileUpgrade(t *testing.T) {
	if os.Getenv("SIPAS_TEST_WRITE_FORMAT1") != "" {
		writeFormat1(t)
	}
	folder := t.TempDir()
	db, err := os.ReadFile(filepath.Join("testdata", "format1.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "sipas.db"), db, 0o600); err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile(filepath.Join("testdata", "format1.json"))
	if err != nil {
		t.Fatal(err)
	}
	var old []oldEntry
	if err := json.Unmarshal(golden, &old); err != nil || len(old) == 0 {
		t.Fatalf("%d entries, %v", len(old), err)
	}
	f := openTest(t, folder)
	for range 2 {
		for _, o := range old {
			want := Entry{ID: ID(o.ID), Digest: o.Digest, Receipt: o.Receipt, Values: o.Values}
			wantFound(t, f, want)
			if got, err := f.FindReceipt(t.Context(), testLog, want.Receipt); err != nil || !sameEntry(got, want) {
				t.Fatalf("FindReceipt: %v, %v", got, err)
			}
			wantOutcomes(t, f, []Entry{want}, Duplicate)
		}
		wantCount(t, f, int64(len(old)), 1)
		if d, err := f.Get(t.Context(), "units", "u1"); err != nil || d.Revision != 3 || string(d.Body) != `{"name":"A"}` {
			t.Fatalf("document: %+v, %v", d, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		f = openTest(t, folder) // now of the present format
	}
}

// writeFormat1 made testdata; it is kept to show how.
func writeFormat1(t *testing.T) {
	path := filepath.Join("testdata", "format1.db")
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o644, nil)
	if err != nil {
		t.Fatal(err)
	}
	var old []oldEntry
	err = db.Update(func(tx *bbolt.Tx) error {
		put := func(b *bbolt.Bucket, k, v []byte) {
			if err := b.Put(k, v); err != nil {
				t.Fatal(err)
			}
		}
		bucket := func(in interface {
			CreateBucket([]byte) (*bbolt.Bucket, error)
		}, name string) *bbolt.Bucket {
			b, err := in.CreateBucket([]byte(name))
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		put(bucket(tx, "meta"), []byte("format"), []byte("1"))
		put(bucket(tx, "sets"), []byte("units"), putInt(3))
		put(bucket(bucket(tx, "documents"), "units"), []byte("u1"), append(putInt(3), `{"name":"A"}`...))
		log := bucket(bucket(tx, "logs"), testLog.Name)
		entries, stones := bucket(log, "entries"), bucket(log, "tombstones")
		for n := range 20 {
			e := testEntry(n)
			put(entries, e.ID[:], appendRecord(nil, &e))
			old = append(old, oldEntry{e.ID[:], e.Digest, e.Receipt, e.Values})
		}
		gone := testEntry(20).ID
		put(stones, gone[:], nil)
		return writeCounts(log, 20, 1)
	})
	golden, jerr := json.MarshalIndent(old, "", " ")
	if err := errors.Join(err, jerr, db.Close(), os.WriteFile(filepath.Join("testdata", "format1.json"), append(golden, '\n'), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestFileNewerFormat(t *testing.T) {
	folder := t.TempDir()
	f := openTest(t, folder)
	mustAppend(t, f, testEntry(1))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "sipas.db")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(bucketMeta).Put(keyFormat, []byte("3")) })
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = OpenFile(folder, FileOptions{})
	if !errors.Is(err, ErrNewerFormat) || !strings.Contains(err.Error(), "format 3, this program knows up to 2") {
		t.Fatalf("OpenFile of a newer format: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
		t.Fatalf("a refused file was changed (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(folder, holderName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused file has a holder's note: %v", err)
	}
}

func TestFileForeign(t *testing.T) {
	folder := t.TempDir()
	db, err := bbolt.Open(filepath.Join(folder, "sipas.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte("something else"))
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(folder, FileOptions{}); !errors.Is(err, ErrCorrupt) {
		t.Fatalf("OpenFile of another program's database: %v", err)
	}
}

// TestFileReadersHoldNothing: between two pages of a scan or follower no read transaction is open, so that the database
// can grow and reuse its pages; writers are done while the reader waits in the middle.
func TestFileReadersHoldNothing(t *testing.T) {
	waits(t)
	f := openTest(t, t.TempDir())
	for n := range 6 {
		mustAppend(t, f, testEntries(n*PageSize, PageSize)...)
	}
	mustFlush(t, f)
	w := watch(t, f)
	events, err := w.f.Next(t.Context())
	if err != nil || len(events) != PageSize {
		t.Fatalf("Next: %d events, %v", len(events), err)
	}
	if _, err := f.Scan(t.Context(), testLog, ID{}, 0); err != nil {
		t.Fatal(err)
	}
	if n := f.db.Stats().OpenTxN; n != 0 {
		t.Fatalf("%d read transactions are open between pages", n)
	}
	before := f.db.Info().Data
	for n := 6; f.db.Info().Data == before; n++ { // until the file was mapped anew, which waits for every reader
		mustAppend(t, f, testEntries(n*PageSize, PageSize)...)
		mustFlush(t, f)
		if n > 100 {
			t.Fatal("the file was never mapped anew")
		}
	}
	for _, ev := range events {
		w.live[ev.ID] = ev.Entry
	}
	w.read()
	w.want(f)
}

// filesWith returns which files of the folder contain the bytes.
func filesWith(t *testing.T, folder string, what []byte) []string {
	t.Helper()
	names, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, n := range names {
		data, err := os.ReadFile(filepath.Join(folder, n.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(data, what) {
			found = append(found, n.Name())
		}
	}
	return found
}

// TestFileScrub looks into the raw files for what was erased.
func TestFileScrub(t *testing.T) {
	waits(t)
	const secret = "tôi không muốn ai đọc câu này"
	var doomed []Entry
	fill := func(f *File) {
		for n := range 4 {
			entries := testEntries(n*PageSize, PageSize)
			for i := range entries {
				if i%997 == 0 {
					entries[i].Values[5] = secret
					doomed = append(doomed, entries[i])
				}
			}
			mustAppend(t, f, entries...)
			mustFlush(t, f)
		}
	}
	clean := func(folder string) {
		t.Helper()
		what := [][]byte{[]byte(secret)}
		for _, e := range doomed {
			hash := newIndexKey(ID{}, receiptHash(e.Receipt))
			what = append(what, e.Digest, e.Receipt, hash[indexPrefix:indexPrefix+8])
		}
		for i, w := range what {
			if found := filesWith(t, folder, w); found != nil {
				t.Fatalf("erased content (%d) is still in %v", i, found)
			}
		}
	}
	t.Run("asked for, with readers", func(t *testing.T) {
		doomed = nil
		folder := t.TempDir()
		f := openTest(t, folder)
		fill(f)
		if found := filesWith(t, folder, []byte(secret)); !slices.Equal(found, []string{"sipas.db"}) {
			t.Fatalf("before the erasure the comment is in %v, not in the database alone", found)
		}
		for _, e := range doomed {
			mustErase(t, f, e.ID)
		}
		mustFlush(t, f)
		if filesWith(t, folder, []byte(secret)) == nil {
			t.Fatal("the comment left the file without a scrub: this test proves nothing")
		}
		var readers sync.WaitGroup
		stop := make(chan struct{})
		for range 2 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						scanAll(t, f, 0)
					}
				}
			})
		}
		err := f.Scrub(t.Context())
		close(stop)
		readers.Wait()
		if err != nil {
			t.Fatal(err)
		}
		clean(folder)
		wantCount(t, f, int64(4*PageSize-len(doomed)), int64(len(doomed)))
	})
	t.Run("at Close", func(t *testing.T) {
		doomed = nil
		folder := t.TempDir()
		f := openTest(t, folder)
		fill(f)
		for _, e := range doomed {
			mustErase(t, f, e.ID)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		clean(folder)
	})
	t.Run("at OpenFile, after a crash in the middle", func(t *testing.T) {
		doomed = nil
		folder := t.TempDir()
		f := openTest(t, folder)
		fill(f)
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		// What a crash leaves: entries gone, the mark set, a bucket half full of nothing.
		db, err := bbolt.Open(filepath.Join(folder, "sipas.db"), 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = db.Update(func(tx *bbolt.Tx) error {
			b, err := openLog(tx, []byte(testLog.Name))
			for _, e := range doomed {
				key := newIndexKey(e.ID, receiptHash(e.Receipt))
				err = errors.Join(err, b.entries.Delete(e.ID[:]), b.receipts.Delete(key[:]), b.tombstones.Put(e.ID[:], nil))
			}
			scrubbing, err2 := tx.CreateBucket(bucketScrub)
			return errors.Join(err, err2, scrubbing.Put([]byte("k"), make([]byte, 9000)), tx.Bucket(bucketMeta).Put(keyScrub, nil))
		})
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		f = openTest(t, folder)
		wait(t, "the scrub after opening", func() bool {
			marked := true
			err := f.view(func(tx *bbolt.Tx) error {
				marked = tx.Bucket(bucketMeta).Get(keyScrub) != nil || tx.Bucket(bucketScrub) != nil
				return nil
			})
			return err == nil && !marked
		})
		clean(folder)
	})
}

// TestFileJournalEmpties: the journal shows an order of arrival, so what was in it is overwritten once it is in the
// database; and until then a reopened store has it.
func TestFileJournalEmpties(t *testing.T) {
	waits(t)
	folder := t.TempDir()
	f := openTest(t, folder)
	entries := testEntries(0, 3000)
	mustAppend(t, f, entries...)
	if filesWith(t, folder, entries[0].Digest) == nil {
		t.Fatal("what was acknowledged is in no file")
	}
	mustFlush(t, f)
	for _, name := range []string{"journal-0", "journal-1"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.Trim(data, "\x00")) != 0 {
			t.Errorf("%s is not empty", name)
		}
	}
}

// TestFileSealsByItself: nobody needs to ask for the move into the database.
func TestFileSealsByItself(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	f := openTest(t, folder)
	mustAppend(t, f, testEntry(1))
	if filesWith(t, folder, testEntry(1).Digest) == nil {
		t.Fatal("what was acknowledged is in no file")
	}
	wait(t, "the entry to be in the database alone", func() bool {
		return slices.Equal(filesWith(t, folder, testEntry(1).Digest), []string{"sipas.db"})
	})
	wantFound(t, f, testEntry(1))
}

// TestFileRing: a follower that falls behind what memory keeps is told so, and never misses an entry silently.
func TestFileRing(t *testing.T) {
	waits(t)
	f := openTest(t, t.TempDir())
	w := watch(t, f)
	w.read()
	f.mu.Lock()
	l := f.fileLog(testLog.Name)
	for n := range ringSize + ringChunk {
		l.ring.add(ID{1, byte(n >> 16), byte(n >> 8), byte(n)}, true)
	}
	kept := l.ring.end() - l.ring.first
	f.mu.Unlock()
	if kept > ringSize || kept < ringSize-ringChunk {
		t.Errorf("the ring keeps %d events, want about %d", kept, ringSize)
	}
	if _, err := w.f.Next(t.Context()); !errors.Is(err, ErrCursorGone) {
		t.Fatalf("Next behind the ring: %v", err)
	}
	if _, err := w.f.Next(t.Context()); !errors.Is(err, ErrCursorGone) {
		t.Fatalf("Next again: %v", err)
	}
	mustAppend(t, f, testEntry(1))
	again := watch(t, f)
	again.read()
	again.want(f)
}
