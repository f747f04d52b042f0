package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testJournal makes a journal file of the payloads and returns its bytes up to the end of the last frame.
func testJournal(t testing.TB, path string, payloads ...[]byte) []byte {
	t.Helper()
	j, old, err := openJournal(path, nil)
	if err != nil || len(old) != 0 {
		t.Fatalf("%d payloads, %v", len(old), err)
	}
	j.start(7, [8]byte{1, 2, 3})
	for _, p := range payloads {
		if err := j.write(append(newFrame(len(p)), p...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.file.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data[:j.end]
}

// reopen returns the payloads of a journal file with this content.
func reopen(t testing.TB, data []byte) ([][]byte, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	j, payloads, err := openJournal(path, nil)
	if err == nil {
		err = j.file.Close()
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
		t.Fatalf("opening changed the journal (%v)", err)
	}
	return payloads, err
}

// TestJournalTorn cuts and spoils a journal at every byte: the frames in front of the end are there, nothing else; what
// stands in front of a whole frame is never dropped but refused.
func TestJournalTorn(t *testing.T) {
	waits(t)
	var payloads [][]byte
	for _, op := range []journalOp{
		{kind: opStore, name: []byte("log"), id: ID{1}, record: []byte{1, 'd', 0, 5, 'f', 'i', 'r', 's', 't'}},
		{kind: opErase, name: []byte("log")}, // it ends in zeros
		{kind: opStore, name: []byte("log"), id: ID{3}, record: []byte{0, 0, 5, 't', 'h', 'i', 'r', 'd'}},
	} {
		payload, _ := appendOp(nil, op)
		payloads = append(payloads, payload)
	}
	data := testJournal(t, filepath.Join(t.TempDir(), "journal"), payloads...)
	whole := func(until int) (n int) {
		at := headerSize
		for _, p := range payloads {
			if at += frameHeader + len(p); at > until {
				break
			}
			n++
		}
		return n
	}
	for cut := range data {
		for how, torn := range map[string][]byte{
			"cut off":  data[:cut],
			"zeros":    append(slices.Clone(data[:cut]), make([]byte, 100)...),
			"garbage":  append(slices.Clone(data[:cut]), bytes.Repeat([]byte{0xa5}, 100)...),
			"bit flip": slices.Concat(data[:cut], []byte{data[cut] ^ 4}, data[cut+1:]),
		} {
			want := payloads[:whole(cut)]
			got, err := reopen(t, torn)
			if how == "bit flip" && cut >= headerSize-4 && cut < headerSize {
				continue // the header's last four bytes mean nothing
			}
			if how == "bit flip" && (cut < headerSize || len(want) < len(payloads)-1) {
				if !errors.Is(err, ErrCorrupt) || len(got) != 0 {
					t.Fatalf("%s at %d, in front of a whole frame: %q, %v", how, cut, got, err)
				}
				continue
			}
			// Zeros may complete a frame that ends in zeros; then it is whole, and right.
			if how == "zeros" && len(got) > len(want) {
				want = payloads[:len(got)]
			}
			if err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("%s at %d: %q, %v, want %q", how, cut, got, err, want)
			}
		}
	}
}

func TestJournalNewerFormat(t *testing.T) {
	folder := t.TempDir()
	f := openTest(t, folder)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "journal-0")
	data := testJournal(t, path, []byte("x"))
	data[len(journalMagic)] = journalVersion + 1
	binary.LittleEndian.PutUint32(data[24:], crc32.Checksum(data[:24], castagnoli))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(folder, FileOptions{}); !errors.Is(err, ErrNewerFormat) {
		t.Fatalf("OpenFile with a newer journal: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, data) {
		t.Fatalf("the refused journal was changed (%v)", err)
	}
}

// TestJournalFailedFrame: a frame whose sync failed is replaced by the next, also by a shorter one.
func TestJournalFailedFrame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, _, err := openJournal(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	j.start(1, [8]byte{9})
	for i, p := range []string{"acknowledged", "not acknowledged, and rather long", "acknowledged too"} {
		end := j.end
		if err := j.write(append(newFrame(0), p...)); err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			j.end = end // as write leaves it after an error
		}
	}
	if err := j.file.Close(); err != nil {
		t.Fatal(err)
	}
	end := j.end
	if j.file, err = os.Open(path); err != nil { // for reading only
		t.Fatal(err)
	}
	if err := j.write(append(newFrame(0), "cannot be written"...)); err == nil || j.end != end {
		t.Fatalf("write that cannot: %v, end moved from %d to %d", err, end, j.end)
	}
	if err := j.file.Close(); err != nil {
		t.Fatal(err)
	}
	_, payloads, err := openJournal(path, nil)
	if err != nil || !slices.EqualFunc(payloads, []string{"acknowledged", "acknowledged too"}, func(a []byte, b string) bool { return string(a) == b }) {
		t.Fatalf("%q, %v", payloads, err)
	}
}

// TestJournalClears: what a journal held, whole or torn, is zero afterwards, and old frames never count again.
func TestJournalClears(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	data := testJournal(t, path, []byte("one"), []byte("two"))
	data[3] ^= 1 // no header any more
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	j, payloads, err := openJournal(path, nil)
	if err != nil || len(payloads) != 0 || !j.stale || j.torn != int64(len(data)) {
		t.Fatalf("%q, %v, %+v", payloads, err, j)
	}
	if err := j.clear(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadFile(path)
	if err != nil || len(bytes.Trim(left, "\x00")) != 0 {
		t.Fatalf("a journal without header keeps its content (%v)", err)
	}
	j.start(1, [8]byte{1})
	for _, p := range []string{"a", "b"} {
		if err := j.write(append(newFrame(0), p...)); err != nil {
			t.Fatal(err)
		}
	}
	j.start(2, [8]byte{2}) // as if clear had been lost
	if err := j.write(append(newFrame(0), "c"...)); err != nil {
		t.Fatal(err)
	}
	left, err = os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := reopen(t, left); err != nil || len(got) != 1 || string(got[0]) != "c" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := errors.Join(j.clear(), j.file.Close()); err != nil {
		t.Fatal(err)
	}
	if left, err = os.ReadFile(path); err != nil || len(bytes.Trim(left, "\x00")) != 0 {
		t.Fatalf("clear left something (%v)", err)
	}
}

// TestJournalProbe: what stands behind the empty frame of a probe counts.
func TestJournalProbe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	data := testJournal(t, path, []byte("one"), nil, []byte("two"), nil)
	if got, err := reopen(t, data); err != nil || len(got) != 4 || string(got[2]) != "two" {
		t.Fatalf("%q, %v", got, err)
	}
}

// crashedFolder returns a folder whose journals hold what a killed process leaves: entries 0 to 9 in frames of their
// own. The database has entry 100.
func crashedFolder(t *testing.T) string {
	t.Helper()
	folder, copied := t.TempDir(), t.TempDir()
	f := openTest(t, folder)
	mustAppend(t, f, testEntry(100))
	mustFlush(t, f)
	for n := range 10 {
		mustAppend(t, f, testEntry(n))
	}
	for _, name := range []string{databaseFile, "journal-0", "journal-1"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return copied
}

// usedJournal returns the path and content of the journal that holds something.
func usedJournal(t *testing.T, folder string) (string, []byte) {
	t.Helper()
	for _, name := range []string{"journal-0", "journal-1"} {
		path := filepath.Join(folder, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(bytes.TrimRight(data, "\x00")) > 0 {
			return path, data
		}
	}
	t.Fatal("both journals are empty")
	return "", nil
}

// TestFileJournalDamaged: a damaged journal is refused, and no file changes.
func TestFileJournalDamaged(t *testing.T) {
	waits(t)
	folder := crashedFolder(t)
	path, data := usedJournal(t, folder)
	end := len(bytes.TrimRight(data, "\x00"))
	for _, at := range []int{0, 9, 17, 25, headerSize + 1, headerSize + 5, headerSize + 30, end / 2} {
		spoiled := bytes.Clone(data)
		spoiled[at] ^= 0x10
		if err := os.WriteFile(path, spoiled, 0o600); err != nil {
			t.Fatal(err)
		}
		database, err := os.ReadFile(filepath.Join(folder, databaseFile))
		if err != nil {
			t.Fatal(err)
		}
		_, err = OpenFile(folder, FileOptions{})
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "Nothing was changed") {
			t.Fatalf("spoiled at %d: %v", at, err)
		}
		for name, want := range map[string][]byte{path: spoiled, filepath.Join(folder, databaseFile): database} {
			if after, err := os.ReadFile(name); err != nil || !bytes.Equal(after, want) {
				t.Fatalf("spoiled at %d: %s was changed (%v)", at, name, err)
			}
		}
	}
	spoiled := bytes.Clone(data)
	spoiled[end-1] ^= 0x10 // in the last frame: torn, as after a power cut
	if err := os.WriteFile(path, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	f, err := OpenFile(folder, FileOptions{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	wantCount(t, f, 10, 0)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "bytes=") {
		t.Errorf("the torn frame is not in the log: %s", &log)
	}
}

// TestFileClearInterrupted: a power cut while a journal that was moved into the database is overwritten leaves any part
// of it. That is no damage.
func TestFileClearInterrupted(t *testing.T) {
	waits(t)
	folder := crashedFolder(t)
	path, data := usedJournal(t, folder)
	f := openTest(t, folder)
	mustFlush(t, f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(data, "\x00"))
	for _, gap := range [][2]int{{headerSize, headerSize}, {headerSize, end / 2}, {end / 3, end / 2}, {end / 2, end}} {
		left := bytes.Clone(data)
		clear(left[gap[0]:gap[1]])
		if err := os.WriteFile(path, left, 0o600); err != nil {
			t.Fatal(err)
		}
		f := openTest(t, folder)
		wantCount(t, f, 11, 0)
		if now, err := os.ReadFile(path); err != nil || len(bytes.TrimRight(now, "\x00")) != 0 {
			t.Fatalf("gap %v: the journal keeps what was moved (%v)", gap, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzJournal(f *testing.F) {
	e := testEntry(1)
	payload, _ := appendOp(nil, journalOp{kind: opStore, name: []byte("responses"), id: e.ID, record: appendRecord(nil, &e)})
	payload, _ = appendOp(payload, journalOp{kind: opErase, name: []byte("responses"), id: e.ID})
	f.Add(testJournal(f, filepath.Join(f.TempDir(), "journal"), payload, payload))
	f.Fuzz(func(t *testing.T, data []byte) {
		j := journal{dirty: int64(len(data))}
		payloads, err := j.parse(data, nil)
		if err != nil && !errors.Is(err, ErrNewerFormat) && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err)
		}
		for _, p := range append(payloads, data) { // the raw data too: few mutations have a right checksum
			for len(p) > 0 {
				op, rest, err := cutOp(p)
				if err != nil {
					break
				}
				// What was understood is written back as it was, but for lengths that were not in their shortest form.
				again, _ := appendOp(nil, op)
				if op2, rest2, err := cutOp(again); err != nil || len(rest2) != 0 || op2.id != op.id || !bytes.Equal(op2.record, op.record) {
					t.Fatalf("%v, %v", op2, err)
				}
				p = rest
			}
		}
	})
}

func FuzzRecord(f *testing.F) {
	e := testEntry(1)
	f.Add(appendRecord(nil, &e))
	f.Add([]byte{0, 0})
	f.Add([]byte{1, 'd', 1, 'r', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, rec []byte) {
		e, err := decodeRecord(ID{1}, rec, make([]string, 6))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if digest, receipt, err := recordKeys(rec); err != nil || !bytes.Equal(digest, e.Digest) || !bytes.Equal(receipt, e.Receipt) {
			t.Fatalf("recordKeys: %x, %x, %v", digest, receipt, err)
		}
		again, err := decodeRecord(ID{1}, appendRecord(nil, &e), make([]string, 6))
		if err != nil || !sameEntry(e, again) {
			t.Fatalf("%v, %v, want %v", again, err, e)
		}
		if size := recordSize(&e); size < len(appendRecord(nil, &e)) {
			t.Fatalf("recordSize %d is too small", size)
		}
	})
}
