//go:build linux || darwin

package store

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"
)

// TestFileFull runs out of space in a child process whose files may not grow beyond a limit. What could not be written
// is Failed with ErrUnavailable; what was acknowledged stays; when there is room again, the engine goes on by itself.
func TestFileFull(t *testing.T) {
	if folder := os.Getenv("SIPAS_TEST_FULL_FOLDER"); folder != "" {
		fullChild(t, folder)
		return
	}
	for _, limit := range []string{"database", "journal"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFileFull$", "-test.count=1", "-test.v")
			cmd.Env = append(os.Environ(), "SIPAS_TEST_FULL_FOLDER="+t.TempDir(), "SIPAS_TEST_FULL_OF="+limit)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "went on after the disk was full") {
				t.Fatalf("child: %v\n%s", err, out)
			}
		})
	}
}

// limitFiles sets the size that no file may exceed; -1 for none.
func limitFiles(t *testing.T, size int64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur = limit.Max; size >= 0 {
		limit.Cur = uint64(size)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}

func fullChild(t *testing.T, folder string) {
	signal.Ignore(syscall.SIGXFSZ)
	f, err := OpenFile(folder, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var acked []Entry
	for range 3 {
		entries := testEntries(len(acked), 1000)
		mustAppend(t, f, entries...)
		acked = append(acked, entries...)
	}
	mustFlush(t, f)
	ofDatabase := os.Getenv("SIPAS_TEST_FULL_OF") == "database"
	if ofDatabase {
		// The journal has room, the database not: appends go on until no more can wait in the journal.
		f.db.MaxSize = 1 << 20
	} else {
		limitFiles(t, 1<<20) // no file has room
	}

	var failed []Entry
	for n := len(acked); len(failed) == 0; n += 500 {
		entries := testEntries(n, 500)
		outcomes, err := f.Append(t.Context(), testLog, entries)
		for i, o := range outcomes {
			switch o {
			case Stored:
				acked = append(acked, entries[i])
			case Failed:
				failed = append(failed, entries[i])
			default:
				t.Fatalf("outcome %v", o)
			}
		}
		if (err == nil) != (len(failed) == 0) || err != nil && !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%d failed, error %v", len(failed), err)
		}
		if n > 10_000_000 {
			t.Fatal("the disk never got full")
		}
	}
	if err := f.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Ping with a full disk: %v", err)
	}
	for _, e := range acked {
		wantFound(t, f, e)
	}
	if _, err := f.Find(t.Context(), testLog, failed[0].ID); !errors.Is(err, ErrNotFound) {
		t.Fatalf("Find of what failed: %v", err)
	}
	_, err = f.Put(t.Context(), "units", Document{ID: "u", Body: make([]byte, 8<<20)})
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Put with a full disk: %v", err)
	}
	w := watch(t, f)
	w.read()
	w.want(f)

	if ofDatabase {
		// In a write transaction, so that applyLoop is not reading it.
		if err := f.db.Update(func(*bbolt.Tx) error { f.db.MaxSize = 0; return nil }); err != nil {
			t.Fatal(err)
		}
	} else {
		limitFiles(t, -1)
	}
	wait(t, "Ping to be good again", func() bool { return f.Ping(t.Context()) == nil })
	mustAppend(t, f, failed...)
	acked = append(acked, failed...)
	w.read()
	w.want(f)
	mustFlush(t, f)
	if _, err = f.Put(t.Context(), "units", Document{ID: "u", Body: make([]byte, 8<<20)}); err != nil {
		t.Fatal(err)
	}
	for again := range 2 {
		wantCount(t, f, int64(len(acked)), 0)
		for _, e := range acked {
			wantFound(t, f, e)
		}
		err := f.view(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				t.Errorf("database: %v", err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if again == 0 {
			f = openTest(t, folder)
		}
	}
	t.Logf("%d entries: went on after the disk was full", len(acked))
}
