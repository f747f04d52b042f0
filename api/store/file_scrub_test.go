package store

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// TestFileKeepsNoOrder: after Close no copy of a page from before is left, which would show which answers came first.
func TestFileKeepsNoOrder(t *testing.T) {
	waits(t)
	for name, size := range map[string]int{"six": 6, "many": 300} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			copies := func() (least, most int) {
				data, err := os.ReadFile(filepath.Join(folder, databaseFile))
				if err != nil {
					t.Fatal(err)
				}
				least = 1 << 30
				for n := range size {
					// A key of the receipts ends in the same bytes as the id.
					id := testEntry(n * 5).ID
					count := bytes.Count(data, id[indexPrefix:])
					least, most = min(least, count), max(most, count)
				}
				return least, most
			}
			f := openTest(t, folder)
			for n := range size { // all of one hour
				e := testEntry(n * 5)
				e.Values[5] = strings.Repeat("ý", 200) // so that six do not stand in their bucket's own page
				mustAppend(t, f, e)
				if n%(size/6) == 0 {
					mustFlush(t, f)
				}
			}
			mustFlush(t, f)
			if _, most := copies(); most <= 2 {
				t.Fatal("no page from before is left without a scrub: this test proves nothing")
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			// Once in the entries and once in the receipts; a first key of a page stands above that page too.
			allowed := 2
			if name == "many" {
				allowed = 4
			}
			if least, most := copies(); least != 2 || most > allowed {
				t.Fatalf("ids are in the file %d to %d times", least, most)
			}
		})
	}
}

// TestFileScrubGrowth: scrubs again and again, with little to do, do not make the file larger and larger.
func TestFileScrubGrowth(t *testing.T) {
	waits(t)
	f := openTest(t, t.TempDir())
	mustAppend(t, f, testEntries(0, 2000)...)
	size := func() (used int64) {
		// The file itself grows in steps, far ahead of what is used.
		if err := f.view(func(tx *bbolt.Tx) error { used = tx.Size(); return nil }); err != nil {
			t.Fatal(err)
		}
		return used
	}
	var first int64
	for n := range 40 {
		mustAppend(t, f, testEntry(2000+n))
		if err := f.Scrub(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n == 5 {
			first = size()
		}
	}
	if last := size(); last > first+10*4096 {
		t.Errorf("the file grew from %d to %d bytes", first, last)
	}
}

func TestScrubDue(t *testing.T) {
	at := func(clock string) time.Time {
		parsed, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, c := range []struct {
		now      string
		erasures bool
		want     string
	}{
		{"10:05", false, "11:01"}, {"10:59", false, "11:01"}, {"11:00", false, "12:01"},
		{"10:05", true, "10:15"}, {"10:55", true, "11:01"},
	} {
		if got := scrubDue(at(c.now), c.erasures); !got.Equal(at(c.want)) {
			t.Errorf("scrubDue(%s, %v) = %s, want %s", c.now, c.erasures, got.Format("15:04"), c.want)
		}
	}
}

func BenchmarkFileClose(b *testing.B) {
	for range b.N {
		b.StopTimer()
		f := openTest(b, b.TempDir())
		for n := range 24 {
			mustAppend(b, f, testEntries(n*1000, 1000)...)
			if n%4 == 0 {
				mustFlush(b, f)
			}
		}
		mustFlush(b, f)
		b.StartTimer()
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
