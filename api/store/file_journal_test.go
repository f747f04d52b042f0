package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// testJournal makes a journal file of the payloads and returns its bytes up to the end of the last frame.
func testJournal(t testing.TB, path string, payloads ...[]byte) []byte {
	t.Helper()
	j, old, err := openJournal(path)
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
	j, payloads, err := openJournal(path)
	if err == nil {
		err = j.file.Close()
	}
	return payloads, err
}

// TestJournalTorn cuts and spoils a journal at every byte: the frames in front of the damage are there, nothing else.
func TestJournalTorn(t *testing.T) {
	payloads := [][]byte{[]byte("first"), bytes.Repeat([]byte{0}, 40), []byte("the third")}
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
			if how == "bit flip" && cut < headerSize-4 {
				if len(got) != 0 && cut != len(journalMagic) {
					t.Fatalf("%s at %d in the header: %d frames, %v", how, cut, len(got), err)
				}
				continue
			}
			if how == "bit flip" && cut < headerSize {
				continue // the header's last four bytes mean nothing
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
	j, _, err := openJournal(path)
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
	_, payloads, err := openJournal(path)
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
	j, payloads, err := openJournal(path)
	if err != nil || len(payloads) != 0 {
		t.Fatalf("%q, %v", payloads, err)
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

func FuzzJournal(f *testing.F) {
	e := testEntry(1)
	payload, _ := appendOp(nil, journalOp{kind: opStore, name: []byte("responses"), id: e.ID, record: appendRecord(nil, &e)})
	payload, _ = appendOp(payload, journalOp{kind: opErase, name: []byte("responses"), id: e.ID})
	f.Add(testJournal(f, filepath.Join(f.TempDir(), "journal"), payload, payload))
	f.Fuzz(func(t *testing.T, data []byte) {
		var j journal
		payloads, err := j.parse(data)
		if err != nil && !errors.Is(err, ErrNewerFormat) {
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
