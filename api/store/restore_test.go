package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"sipas/seeds"
	"sipas/survey"
)

// TestRestoreOlder: what was withdrawn after a backup stays withdrawn, whether
// the store knows of it or another source does.
func TestRestoreOlder(t *testing.T) {
	waits(t)
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			s := filledStore(t, open(t))
			older := backUp(t, s)
			for n := 1001; n < 1020; n++ {
				withdraw(t, s, n)
			}
			addResponses(t, s, 1200, 10)
			want := contents(t, s.engine)
			newer := backUp(t, s)
			if r := restore(t, s.engine, older, RestoreOptions{Merge: true}).Responses(); r != (RestoredLog{Duplicate: 1141, Withdrawn: 19}) {
				t.Errorf("an older backup over the store: %+v, of 1160 answers 19 were withdrawn since", r)
			}
			wantSame(t, "an older backup over the store", contents(t, s.engine), want)

			fromBackup, err := BackupTombstones(bytes.NewReader(newer), backupSecret)
			if err != nil {
				t.Fatal(err)
			}
			fromStore, err := StoreTombstones(t.Context(), s.engine, backupSecret)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := StoreTombstones(t.Context(), s.engine, Secret{4}); !errors.Is(err, ErrSecret) {
				t.Errorf("tombstones of another installation: %v", err)
			}
			wanted := tombstones(t, s.engine, responseLog)
			for source, stones := range map[string]Tombstones{"backup": fromBackup, "store": fromStore} {
				if !slices.Equal(stones[responseLog.Name], wanted) {
					t.Errorf("from a %s: %d tombstones, want %d", source, len(stones[responseLog.Name]), len(wanted))
				}
				engine := open(t)
				restore(t, engine, older, RestoreOptions{Tombstones: []Tombstones{stones}})
				if got := tombstones(t, engine, responseLog); !slices.Equal(got, wanted) {
					t.Errorf("an older backup with the tombstones of a %s: %d erased, want %d", source, len(got), len(wanted))
				}
				for n := 1001; n < 1020; n++ {
					if _, err := engine.Find(t.Context(), responseLog, backupResponse(n).ID); !errors.Is(err, ErrNotFound) {
						t.Fatalf("answer %d came back: %v", n, err)
					}
				}
				if err := engine.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestRestoreMerge: what is there stays, what is missing comes, what differs is
// told.
func TestRestoreMerge(t *testing.T) {
	waits(t)
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			file := backUp(t, filledStore(t, open(t)))
			target := openStore(t, open(t))
			docs, err := seeds.Documents(seeds.Sipas2640)
			if err != nil {
				t.Fatal(err)
			}
			docs.Instruments[0].Title = survey.Text{"vi": "khác", "en": "other"}
			if _, err := target.PutDocuments(t.Context(), docs); err != nil {
				t.Fatal(err)
			}
			mine := backupResponse(500)
			mine.Comment = "something else"
			if _, err := target.AddResponses(t.Context(), []survey.Response{mine, backupResponse(501), backupResponse(9000)}); err != nil {
				t.Fatal(err)
			}
			if _, err := Restore(t.Context(), target.engine, backupSecret, opened(file), RestoreOptions{}); !errors.Is(err, ErrNotEmpty) {
				t.Fatalf("into a store that is not empty: %v", err)
			}
			s := restore(t, target.engine, file, RestoreOptions{Merge: true})
			if r := s.Responses(); r != (RestoredLog{Stored: 1158, Duplicate: 1, Conflict: 1}) || s.Conflicting() != 1 || !slices.Equal(s.Conflicts, []survey.ID{mine.ID}) {
				t.Errorf("merged: %+v", s)
			}
			if s.Differing != 1 || s.Present != 1 || s.Added != 3 {
				t.Errorf("documents: %+v", s)
			}
			if r, err := target.Response(t.Context(), mine.ID); err != nil || r.Comment != mine.Comment {
				t.Errorf("a conflict overwrote %q, %v", r.Comment, err)
			}
			if err := target.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if in := target.View().Instruments[docs.Instruments[0].Key()]; in == nil || in.Title["en"] != "other" {
				t.Error("a document that was there was overwritten")
			}
			if live, erased, err := target.CountResponses(t.Context()); err != nil || live != 1161 || erased != 40 {
				t.Errorf("%d live, %d erased, %v", live, erased, err)
			}
		})
	}
}

// TestRestoreIncoherent: documents that do not hold together with those there
// would make a store that nobody can open.
func TestRestoreIncoherent(t *testing.T) {
	engine := engines(t)["file"](t)
	defer engine.Close()
	file := forge(t, backupFormat, frame{Set: setDesks, Documents: []backupDocument{{ID: "d", Body: []byte(`{"id":"d","unit":"none","name":{"vi":"a"}}`)}}})
	_, err := Restore(t.Context(), engine, backupSecret, opened(file), RestoreOptions{})
	if !survey.Has(err, survey.CodeReference) {
		t.Errorf("a desk of no unit: %v", err)
	}
	if docs, _, err := engine.List(t.Context(), setDesks); err != nil || len(docs) != 0 {
		t.Errorf("it was written: %v, %v", docs, err)
	}
}

// TestRestoreDiffering: a document that differs in the last digit of a large
// number differs.
func TestRestoreDiffering(t *testing.T) {
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			target := openStore(t, open(t))
			mustPut(t, target.engine, "editions", "large", `{"n":9007199254740992}`)
			mustPut(t, target.engine, "editions", "same", `{"a":1,"n":9007199254740993}`)
			file := forge(t, backupFormat, frame{Set: "editions", Documents: []backupDocument{
				{ID: "large", Body: []byte(`{"n":9007199254740993}`)}, {ID: "same", Body: []byte(`{"n":9007199254740993, "a":1}`)},
			}})
			if s := restore(t, target.engine, file, RestoreOptions{Merge: true}); s.Present != 2 || s.Differing != 1 {
				t.Errorf("%d of %d documents differ, want 1 of 2", s.Differing, s.Present)
			}
		})
	}
}

// cancelling ends a context after some writes.
type cancelling struct {
	Engine
	left   int
	cancel context.CancelFunc
}

func (c *cancelling) write() {
	if c.left--; c.left < 0 {
		c.cancel()
	}
}

func (c *cancelling) Put(ctx context.Context, set string, docs ...Document) (int64, error) {
	c.write()
	return c.Engine.Put(ctx, set, docs...)
}

func (c *cancelling) Append(ctx context.Context, log *Log, entries []Entry) ([]Outcome, error) {
	c.write()
	return c.Engine.Append(ctx, log, entries)
}

func (c *cancelling) Bury(ctx context.Context, log *Log, ids []ID) error {
	c.write()
	return c.Engine.Bury(ctx, log, ids)
}

func (c *cancelling) Delete(ctx context.Context, set, id string, revision int64) error {
	c.write()
	return c.Engine.Delete(ctx, set, id, revision)
}

// TestRestoreInterrupted: wherever a restore stops, the store is not opened, and
// the same command ends it.
func TestRestoreInterrupted(t *testing.T) {
	waits(t)
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			source := filledStore(t, open(t))
			want := contents(t, source.engine)
			file := backUp(t, source)
			var other bytes.Buffer
			o := backupOptions()
			o.Random = rand.NewChaCha8([32]byte{9})
			if _, err := source.Backup(t.Context(), &other, o); err != nil {
				t.Fatal(err)
			}
			stops := 0
			for writes := 2; ; writes += 2 { // the first two are the fingerprint and the mark
				engine := open(t)
				ctx, cancel := context.WithCancel(t.Context())
				_, err := Restore(ctx, &cancelling{engine, writes, cancel}, backupSecret, opened(file), RestoreOptions{})
				cancel()
				if err == nil {
					if err := engine.Close(); err != nil {
						t.Error(err)
					}
					break
				}
				stops++
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("after %d writes: %v", writes, err)
				}
				if err := checkUnfinished(t.Context(), engine); !errors.Is(err, ErrUnfinished) {
					t.Fatalf("after %d writes the store may be opened: %v", writes, err)
				}
				for _, merge := range []bool{false, true} {
					if _, err := Restore(t.Context(), engine, backupSecret, opened(other.Bytes()), RestoreOptions{Merge: merge}); !errors.Is(err, ErrUnfinished) {
						t.Fatalf("another backup may go on, merge %v: %v", merge, err)
					}
				}
				restore(t, engine, file, RestoreOptions{})
				wantSame(t, "after going on", contents(t, engine), want)
				openStore(t, engine)
			}
			if stops < 5 {
				t.Errorf("it was stopped only %d times", stops)
			}
		})
	}
}

// TestRestoreReadsTwice: a file that is replaced or cut between the two passes
// does not end in a store that opens.
func TestRestoreReadsTwice(t *testing.T) {
	waits(t)
	source := filledStore(t, engines(t)["file"](t))
	file := backUp(t, source)
	o := backupOptions()
	o.Random = rand.NewChaCha8([32]byte{9})
	var other bytes.Buffer
	if _, err := source.Backup(t.Context(), &other, o); err != nil {
		t.Fatal(err)
	}
	for name, second := range map[string][]byte{"replaced": other.Bytes(), "cut": file[:len(file)/2], "gone": nil} {
		engine := engines(t)["file"](t)
		passes := 0
		open := func() (io.ReadCloser, error) {
			if passes++; passes == 1 {
				return io.NopCloser(bytes.NewReader(file)), nil
			}
			return io.NopCloser(bytes.NewReader(second)), nil
		}
		if _, err := Restore(t.Context(), engine, backupSecret, open, RestoreOptions{}); !errors.Is(err, ErrBackup) {
			t.Errorf("%s: %v", name, err)
		}
		if err := checkUnfinished(t.Context(), engine); !errors.Is(err, ErrUnfinished) {
			t.Errorf("%s: %v", name, err)
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
	engine := engines(t)["file"](t)
	defer engine.Close()
	if _, err := Restore(t.Context(), engine, Secret{4}, opened(file), RestoreOptions{}); !errors.Is(err, ErrForeignBackup) {
		t.Errorf("a backup of another installation: %v", err)
	}
	broken := errors.New("no such file")
	if _, err := Restore(t.Context(), engine, backupSecret, func() (io.ReadCloser, error) { return nil, broken }, RestoreOptions{}); !errors.Is(err, broken) {
		t.Errorf("a file that cannot be opened: %v", err)
	}
}

// TestRestoreFrames: a backup goes in by parts, in the order of the caller, some
// of them twice, through a store that is open.
func TestRestoreFrames(t *testing.T) {
	waits(t)
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			source := filledStore(t, open(t))
			want := contents(t, source.engine)
			lines := frameLines(t, backUp(t, source))
			for n := 1001; n < 1010; n++ {
				withdraw(t, source, n)
			}
			o := backupOptions()
			o.Random = rand.NewChaCha8([32]byte{9})
			var newerFile bytes.Buffer
			if _, err := source.Backup(t.Context(), &newerFile, o); err != nil {
				t.Fatal(err)
			}
			newer := frameLines(t, newerFile.Bytes())
			parts := map[BackupKind][][]byte{}
			for i, line := range lines {
				kind := BackupHeader
				if i > 0 {
					f, err := parseFrame(line, nil)
					if err != nil {
						t.Fatal(err)
					}
					kind = f.Kind
				}
				parts[kind] = append(parts[kind], line)
			}
			header := parts[BackupHeader][0]
			target := openStore(t, open(t))
			send := func(merge bool, lines ...[]byte) (RestoreSummary, error) {
				return target.RestoreFrames(t.Context(), bytes.NewReader(bytes.Join(append([][]byte{header}, lines...), nil)), merge)
			}
			must := func(merge bool, lines ...[]byte) RestoreSummary {
				t.Helper()
				s, err := send(merge, lines...)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			var total RestoreSummary
			total.Add(must(false, append(slices.Clone(parts[BackupLog]), parts[BackupDocuments]...)...))
			if target.View().Instruments[survey.InstrumentKey(seeds.Sipas2640, 1)] == nil {
				t.Error("the documents are not in the view")
			}
			if _, err := send(false, parts[BackupFooter]...); !errors.Is(err, ErrUnfinished) {
				t.Errorf("the footer before the answers: %v", err)
			}
			total.Add(must(false, parts[BackupErased]...))
			if _, err := send(false, parts[BackupFooter]...); !errors.Is(err, ErrUnfinished) {
				t.Errorf("the footer before the answers, after the withdrawals: %v", err)
			}
			for range 2 {
				for _, line := range parts[BackupEntries] {
					total.Add(must(false, line))
				}
			}
			if err := checkUnfinished(t.Context(), target.engine); !errors.Is(err, ErrUnfinished) {
				t.Errorf("before the footer: %v", err)
			}
			total.Add(must(false, parts[BackupFooter]...))
			if r := total.Responses(); r != (RestoredLog{Stored: 1160, Duplicate: 1160}) || !slices.Equal(total.Tokens, []string{"An"}) {
				t.Errorf("in all: %+v", total)
			}
			wantSame(t, "restored by parts", contents(t, target.engine), want)
			if err := checkUnfinished(t.Context(), target.engine); err != nil {
				t.Error(err)
			}
			if _, err := send(false, parts[BackupEntries]...); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("into a store that is not empty: %v", err)
			}
			must(true, parts[BackupEntries]...)
			// The withdrawals of a newer backup.
			erased := slices.DeleteFunc(slices.Clone(newer), func(l []byte) bool { return !bytes.Contains(l, []byte(`"erased":[`)) })
			header = newer[0]
			if _, err := send(false, erased...); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("withdrawals without leave to merge: %v", err)
			}
			must(true, erased...)
			wantSame(t, "with newer withdrawals", contents(t, target.engine), contents(t, source.engine))
			// The same while the older backup goes into an empty store.
			target = openStore(t, open(t))
			header = lines[0]
			must(false, parts[BackupDocuments]...)
			header = newer[0]
			if _, err := send(false, newer[2]); !errors.Is(err, ErrUnfinished) {
				t.Errorf("answers of another backup: %v", err)
			}
			must(false, erased...)
			header = lines[0]
			must(false, slices.Concat(parts[BackupEntries], parts[BackupFooter])...)
			wantSame(t, "with newer withdrawals first", contents(t, target.engine), contents(t, source.engine))

			many := slices.Repeat([][]byte{parts[BackupEntries][0]}, MaxFrames+1)
			foreign := forgedHeader(t)
			for what, c := range map[string]struct {
				lines [][]byte
				want  error
			}{
				"nothing but a header": {nil, ErrFrames},
				"too many":             {many, ErrFrames},
				"two headers":          {[][]byte{header, parts[BackupEntries][0]}, ErrFrames},
				"cut":                  {[][]byte{parts[BackupEntries][0][:100]}, ErrFrames},
				"altered":              {[][]byte{bytes.Replace(parts[BackupEntries][0], []byte("nh"), []byte("hn"), 1), []byte("x\n")}, ErrBackup},
				"of another backup":    {[][]byte{foreign[1]}, ErrBackup},
			} {
				if _, err := send(true, c.lines...); !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v", what, err, c.want)
				}
			}
			header = bytes.Replace(header, []byte(backupSecret.fingerprint()), []byte(Secret{4}.fingerprint()), 1)
			if _, err := send(true, parts[BackupEntries][0]); !errors.Is(err, ErrForeignBackup) {
				t.Errorf("of another installation: %v", err)
			}
			if _, err := target.RestoreFrames(t.Context(), strings.NewReader(""), true); !errors.Is(err, ErrFrames) {
				t.Errorf("nothing at all: %v", err)
			}
		})
	}
}

// forgedHeader returns the lines of a backup with another id.
func forgedHeader(t *testing.T) [][]byte {
	t.Helper()
	return frameLines(t, forge(t, backupFormat, frame{Set: "editions", Documents: []backupDocument{{ID: "a", Body: []byte(`{}`)}}}))
}
