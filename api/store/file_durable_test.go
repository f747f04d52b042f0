package store

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
)

// onSync puts something in front of every sync of the journals, before anything is appended.
func onSync(f *File, before func() error) {
	for _, j := range f.journals {
		j.sync = func(file *os.File) error {
			if err := before(); err != nil {
				return err
			}
			return syncData(file)
		}
	}
}

// TestFileAcknowledgesAfterSync: what a kill of the process cannot show, because the system keeps what was written. No
// caller is told of a change, and no reader sees it, before the sync of its frame has returned.
func TestFileAcknowledgesAfterSync(t *testing.T) {
	f := openTest(t, t.TempDir())
	entered, release := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	onSync(f, func() error {
		if held.Load() {
			entered <- struct{}{}
			<-release
		}
		return nil
	})
	mustAppend(t, f, testEntry(1))
	w := watch(t, f)
	w.read()
	for _, c := range []struct {
		name  string
		calls []func() error // whose acknowledgement must wait
		seen  func() bool    // that the change is there
	}{
		{"append, and the same again", []func() error{
			func() error { _, err := f.Append(t.Context(), testLog, []Entry{testEntry(2)}); return err },
			func() error { _, err := f.Append(t.Context(), testLog, []Entry{testEntry(2)}); return err },
		}, func() bool { _, err := f.Find(t.Context(), testLog, testEntry(2).ID); return err == nil }},
		{"erase", []func() error{func() error { return f.Erase(t.Context(), testLog, testEntry(1).ID) }},
			func() bool { _, err := f.Find(t.Context(), testLog, testEntry(1).ID); return err != nil }},
		{"bury", []func() error{func() error { return f.Bury(t.Context(), testLog, []ID{testEntry(3).ID}) }},
			func() bool { _, erased, err := f.Count(t.Context(), testLog); return err == nil && erased == 2 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			held.Store(true)
			defer held.Store(false)
			answered := make(chan error, len(c.calls))
			for i, call := range c.calls {
				go func() { answered <- call() }()
				if i == 0 {
					select {
					case <-entered:
					case err := <-answered:
						t.Fatalf("acknowledged without a sync: %v", err)
					}
				}
			}
			if c.seen() {
				t.Error("a reader sees the change before it is durable")
			}
			if len(answered) > 0 {
				t.Errorf("acknowledged before the sync returned: %v", <-answered)
			}
			held.Store(false)
			release <- struct{}{}
			for range c.calls {
				if err := <-answered; err != nil {
					t.Error(err)
				}
			}
			if !c.seen() {
				t.Error("the change is not there after it was acknowledged")
			}
		})
	}
	w.read()
	w.want(f)
}

// TestFileSyncFails: as long as the sync fails nothing is acknowledged and nothing is seen, and the store says that it
// cannot write; then the same entries are new, and they alone are there after a start.
func TestFileSyncFails(t *testing.T) {
	waits(t)
	folder := t.TempDir()
	f := openTest(t, folder)
	broken := errors.New("input/output error")
	var failing atomic.Bool
	onSync(f, func() error {
		if failing.Load() {
			return broken
		}
		return nil
	})
	mustAppend(t, f, testEntry(1))
	failing.Store(true)
	for n := 2; n <= 4; n++ {
		outcomes, err := f.Append(t.Context(), testLog, []Entry{testEntry(n), testEntry(1)})
		if !errors.Is(err, ErrUnavailable) || outcomes[0] != Failed || outcomes[1] != Failed {
			t.Errorf("append %d while the sync fails: %v, %v", n, outcomes, err)
		}
		if _, err := f.Find(t.Context(), testLog, testEntry(n).ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("what was not acknowledged is there: %v", err)
		}
	}
	if err := f.Erase(t.Context(), testLog, testEntry(1).ID); !errors.Is(err, ErrUnavailable) {
		t.Errorf("erase while the sync fails: %v", err)
	}
	if err := f.Ping(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("ping while the sync fails: %v", err)
	}
	wantFound(t, f, testEntry(1))
	failing.Store(false)
	mustAppend(t, f, testEntry(4), testEntry(3)) // not 2: nobody was told that it is stored
	// As a crash leaves it: what is in the journal counts, whole or not.
	crashed := t.TempDir()
	if err := os.CopyFS(crashed, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	again := openTest(t, crashed)
	wantCount(t, again, 3, 0)
	for _, n := range []int{1, 3, 4} {
		wantFound(t, again, testEntry(n))
	}
}
