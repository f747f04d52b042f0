package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipas/seeds"
	"sipas/survey"
)

var backupSecret = Secret{1, 2, 3}

// backupOptions gives every backup the same id, so that a test can be run again.
func backupOptions() BackupOptions {
	return BackupOptions{Program: "test", Made: time.Date(2026, 11, 24, 3, 20, 5, 7, time.UTC), Random: rand.NewChaCha8([32]byte{7})}
}

// backupResponse makes the n-th of a run of different responses in five hours.
func backupResponse(n int) survey.Response {
	e := testEntry(n)
	r := survey.Response{ID: e.ID, Round: "a", Instrument: seeds.Sipas2640, Version: 1, Desk: "d", Unit: "u", Answers: survey.Answers(e.Values[0]),
		Profile: survey.Profile{"sex": "F"}, Comment: fmt.Sprintf("ý kiến <%d> \"&\u2028", n), Channel: survey.ChannelQR, Door: survey.DoorOpen,
		Answered: time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC), Received: time.Date(2026, 11, 24, 4, 0, 0, 0, time.UTC)}
	r.Answers = survey.Answers(fmt.Sprintf("%022d", n))
	if n%3 == 0 {
		r.Draw = &survey.Draw{Stratum: "s", PSU: "p", Weight: 1.0 / float64(n+1)}
	}
	r.Receipt = testReceipt(r.ID)
	return r
}

// testCode is the code that withdraws an answer of these tests, testReceipt its hash.
func testCode(id ID) string { return survey.Receipt([]byte("test"), id, nil) }

func testReceipt(id ID) []byte {
	hash, err := survey.ReceiptHash(testCode(id))
	if err != nil {
		panic(err)
	}
	return hash
}

func openStore(t testing.TB, engine Engine) *Store {
	t.Helper()
	s, err := Open(t.Context(), engine, backupSecret, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func addResponses(t testing.TB, s *Store, from, n int) {
	t.Helper()
	list := make([]survey.Response, n)
	for i := range list {
		list[i] = backupResponse(from + i)
	}
	outcomes, err := s.AddResponses(t.Context(), list)
	if err != nil || slices.ContainsFunc(outcomes, func(o Outcome) bool { return o != Stored }) {
		t.Fatal(outcomes, err)
	}
}

func withdraw(t testing.TB, s *Store, n int) {
	t.Helper()
	if err := s.Withdraw(t.Context(), testCode(backupResponse(n).ID)); err != nil {
		t.Fatal(err)
	}
}

// filledStore has a bit of everything: 1,200 answers, of which 40 are withdrawn,
// exclusions, staff documents, a set that this program does not know, and a key
// that must be destroyable.
func filledStore(t *testing.T, engine Engine) *Store {
	t.Helper()
	s := openStore(t, engine)
	docs, err := seeds.Documents(seeds.Sipas2640)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.PutDocuments(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	for set, id := range map[string]string{"editions": "e1", "signouts": "s1", setKeys: "round-key"} {
		if _, err := engine.Put(t.Context(), set, Document{ID: id, Body: []byte(`{"b":2,"a":"<secret of ` + set + `>"}`)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.CreateToken(t.Context(), "An", []Right{RightFull}, backupOptions().Made); err != nil {
		t.Fatal(err)
	}
	addResponses(t, s, 0, 1200)
	for n := range 40 {
		withdraw(t, s, n*7)
	}
	for n := range 3 {
		e := Exclusion{ID: testEntry(5000 + n).ID, Response: backupResponse(100 + n).ID, Excluded: true, Reason: "lý do", Author: "An", At: backupOptions().Made}
		if o, err := s.Exclude(t.Context(), e); err != nil || o != Stored {
			t.Fatal(o, err)
		}
	}
	return s
}

func backUp(t testing.TB, s *Store) []byte {
	t.Helper()
	var file bytes.Buffer
	if _, err := s.Backup(t.Context(), &file, backupOptions()); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func opened(file []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil }
}

func restore(t testing.TB, engine Engine, file []byte, o RestoreOptions) RestoreSummary {
	t.Helper()
	summary, err := Restore(t.Context(), engine, backupSecret, opened(file), o)
	if err != nil {
		t.Fatal(err)
	}
	return summary
}

// contents lists everything that a backup must hold, a line each.
func contents(t testing.TB, engine Engine) []string {
	t.Helper()
	var lines []string
	for _, log := range knownLogs() {
		for after := (ID{}); ; {
			page, err := engine.Scan(t.Context(), log, after, 0)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				lines = append(lines, fmt.Sprintf("%s %x %x %x %q", log.Name, e.ID, e.Digest, e.Receipt, e.Values))
				after = e.ID
			}
		}
		for _, id := range tombstones(t, engine, log) {
			lines = append(lines, fmt.Sprintf("%s %x erased", log.Name, id))
		}
	}
	revisions, err := engine.SetRevisions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range slices.Sorted(maps.Keys(revisions)) {
		if set == setInstallation || set == setKeys {
			continue
		}
		docs, _, err := engine.List(t.Context(), set)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range docs {
			var body any
			if err := json.Unmarshal(d.Body, &body); err != nil {
				t.Fatal(err)
			}
			canonical, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%s/%s %s", set, d.ID, canonical))
		}
	}
	return lines
}

func tombstones(t testing.TB, engine Engine, log *Log) []ID {
	t.Helper()
	var ids []ID
	for after := (ID{}); ; {
		page, err := engine.Tombstones(t.Context(), log, after, 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return ids
		}
		ids = append(ids, page...)
		after = page[len(page)-1]
	}
}

func wantSame(t *testing.T, what string, got, want []string) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	t.Errorf("%s: %d lines, want %d", what, len(got), len(want))
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("the first that differs:\n%.300s\nwant\n%.300s", got[i], want[i])
		}
	}
}

// frameLines unpacks a backup into its lines.
func frameLines(t testing.TB, file []byte) [][]byte {
	t.Helper()
	gz, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(bytes.SplitAfter(text, []byte("\n")), func(l []byte) bool { return len(l) == 0 })
}

func packed(t testing.TB, lines ...[]byte) []byte {
	t.Helper()
	var file bytes.Buffer
	gz, err := gzip.NewWriterLevel(&file, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gz.Write(bytes.Join(lines, nil)); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestBackupRestores: each engine's backup gives the same store on every engine,
// all but the keys, and giving it twice changes nothing.
func TestBackupRestores(t *testing.T) {
	waits(t)
	all := engines(t)
	for from, openFrom := range all {
		for to, openTo := range all {
			t.Run(from+" to "+to, func(t *testing.T) { testBackupRestores(t, openFrom(t), openTo(t)) })
		}
	}
}

func testBackupRestores(t *testing.T, from, to Engine) {
	source := filledStore(t, from)
	want := contents(t, from)
	file := backUp(t, source)
	if plain := bytes.Join(frameLines(t, file), nil); bytes.Contains(plain, []byte("secret of keys")) || !bytes.Contains(plain, []byte("secret of editions")) {
		t.Error("the backup holds a key, or not a set that this program does not know")
	}
	for _, secret := range []*Secret{nil, &backupSecret} {
		s, err := ReadBackup(bytes.NewReader(file), secret, nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.Responses() != (LogCount{1160, 40}) || s.Logs["exclusions"] != (LogCount{3, 0}) || s.Program != "test" ||
			!s.Made.Equal(backupOptions().Made.Truncate(time.Second)) || !slices.Equal(s.Tokens, []string{"An"}) {
			t.Errorf("summary %+v", s)
		}
	}
	s := restore(t, to, file, RestoreOptions{})
	if r := s.Responses(); r != (RestoredLog{Stored: 1160}) || !slices.Equal(s.Tokens, []string{"An"}) {
		t.Errorf("summary %+v", s)
	}
	wantSame(t, "restored", contents(t, to), want)
	if _, err := Restore(t.Context(), to, backupSecret, opened(file), RestoreOptions{}); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("a second time: %v", err)
	}
	s = restore(t, to, file, RestoreOptions{Merge: true})
	if r := s.Responses(); r != (RestoredLog{Duplicate: 1160}) || s.Added != 0 || s.Differing != 0 || s.Present == 0 {
		t.Errorf("merged a second time: %+v", s)
	}
	wantSame(t, "restored twice", contents(t, to), want)
	openStore(t, to)
}

// TestBackupWhileWritten: what was acknowledged before a backup began is in it,
// or was withdrawn; nothing that was withdrawn before it ended comes back.
func TestBackupWhileWritten(t *testing.T) {
	waits(t)
	for name, open := range engines(t) {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, open(t))
			const before = 6000 // more than a page
			for from := 0; from < before; from += 1000 {
				addResponses(t, s, from, 1000)
			}
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var added, withdrawn atomic.Int64
			for w := range 2 {
				wg.Go(func() {
					for n := before + w*1_000_000; ctx.Err() == nil; n++ {
						if _, err := s.AddResponses(t.Context(), []survey.Response{backupResponse(n)}); err != nil {
							t.Error(err)
							return
						}
						added.Add(1)
					}
				})
			}
			gone := make([]ID, before)
			wg.Go(func() {
				for n := 0; n < before && ctx.Err() == nil; n++ {
					id := backupResponse(n).ID
					if err := s.Withdraw(t.Context(), testCode(id)); err != nil {
						t.Error(err)
						return
					}
					gone[n] = id
					withdrawn.Store(int64(n + 1))
				}
			})
			for added.Load() < 20 || withdrawn.Load() < 20 {
				time.Sleep(time.Millisecond)
			}
			first := withdrawn.Load()
			file := backUp(t, s)
			last := withdrawn.Load()
			stop()
			wg.Wait()
			if added.Load() == 20 || last == first {
				t.Log("nothing was written meanwhile")
			}
			inFile := map[ID]bool{}
			_, err := ReadBackup(bytes.NewReader(file), &backupSecret, func(f BackupFrame) error {
				for _, e := range f.Entries {
					inFile[ID(e.ID)] = true
				}
				for _, id := range f.Erased {
					inFile[ID(id)] = true
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			engine := open(t)
			restore(t, engine, file, RestoreOptions{})
			for n := range before {
				id := backupResponse(n).ID
				if !inFile[id] {
					t.Fatalf("answer %d is not in the backup", n)
				}
				_, err := engine.Find(t.Context(), responseLog, id)
				if int64(n) < first && !errors.Is(err, ErrNotFound) {
					t.Fatalf("answer %d was withdrawn and came back: %v", n, err)
				}
				if int64(n) > last && err != nil {
					t.Fatalf("answer %d is lost: %v", n, err)
				}
			}
			if err := engine.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestBackupOfChangingDocuments: documents that somebody changes meanwhile are
// taken when they hold together.
func TestBackupOfChangingDocuments(t *testing.T) {
	waits(t)
	s := filledStore(t, engines(t)["file"](t))
	moving := &movingEngine{Engine: s.engine}
	b := &backupWriter{ctx: t.Context(), engine: moving}
	sets, err := b.readSets()
	if err != nil || len(sets[setInstruments]) == 0 || moving.n != settleTries+1 {
		t.Fatalf("%d sets after %d looks, %v", len(sets), moving.n, err)
	}
	moving.n, moving.settled = 0, 3
	if _, err = b.readSets(); err != nil || moving.n != moving.settled+1 {
		t.Fatalf("%d looks, %v", moving.n, err)
	}
}

// movingEngine is one whose sets change until they have been looked at settled
// times; 0 is never.
type movingEngine struct {
	Engine
	n, settled int
}

func (m *movingEngine) SetRevisions(ctx context.Context) (map[string]int64, error) {
	revisions, err := m.Engine.SetRevisions(ctx)
	if m.n++; m.settled == 0 || m.n <= m.settled {
		revisions[setUnits] += int64(m.n)
	} else {
		revisions[setUnits] += int64(m.settled)
	}
	return revisions, err
}

// wantRefused: neither the reader nor a restore takes the file, and the store
// stays as it was.
func wantRefused(t *testing.T, what string, file []byte, secret *Secret, want error) {
	t.Helper()
	if _, err := ReadBackup(bytes.NewReader(file), secret, nil); !errors.Is(err, want) {
		t.Errorf("%s, secret %v: %v, want %v", what, secret != nil, err, want)
	}
}

// TestBackupDamaged: whatever is done to a backup, it is no backup any more.
func TestBackupDamaged(t *testing.T) {
	waits(t)
	s := filledStore(t, engines(t)["file"](t))
	file := backUp(t, s)
	lines := frameLines(t, file)
	other := filledStore(t, engines(t)["file"](t))
	otherOptions := backupOptions()
	otherOptions.Random = rand.NewChaCha8([32]byte{8})
	var otherFile bytes.Buffer
	if _, err := other.Backup(t.Context(), &otherFile, otherOptions); err != nil {
		t.Fatal(err)
	}
	otherLines := frameLines(t, otherFile.Bytes())
	if len(lines) < 10 {
		t.Fatalf("only %d frames", len(lines))
	}
	swap := func(i, j int) [][]byte {
		c := slices.Clone(lines)
		c[i], c[j] = c[j], c[i]
		return c
	}
	flip := func(line []byte, at int) []byte {
		c := bytes.Clone(line)
		c[at] ^= 1
		return c
	}
	rnd, changes := rand.New(rand.NewPCG(1, 2)), ciOr(t, 5, 1)
	for _, secret := range []*Secret{nil, &backupSecret} {
		if _, err := ReadBackup(bytes.NewReader(packed(t, lines...)), secret, nil); err != nil {
			t.Fatal(err)
		}
		for i := range lines {
			wantRefused(t, fmt.Sprintf("cut before frame %d", i), packed(t, lines[:i]...), secret, ErrBackup)
			wantRefused(t, fmt.Sprintf("frame %d cut in the middle", i), packed(t, append(slices.Clone(lines[:i]), lines[i][:len(lines[i])/2])...), secret, ErrBackup)
			wantRefused(t, fmt.Sprintf("without frame %d", i), packed(t, slices.Delete(slices.Clone(lines), i, i+1)...), secret, ErrBackup)
			wantRefused(t, fmt.Sprintf("frame %d twice", i), packed(t, slices.Insert(slices.Clone(lines), i, lines[i])...), secret, ErrBackup)
			if i > 0 && i+1 < len(lines) { // told at once, not only at the end
				wantRefused(t, fmt.Sprintf("frames %d and %d swapped", i, i+1), packed(t, swap(i, i+1)...), secret, errOrder)
			}
			if i > 0 && i < len(otherLines) {
				mixed := slices.Clone(lines)
				mixed[i] = otherLines[i]
				if !bytes.Equal(mixed[i], lines[i]) {
					wantRefused(t, fmt.Sprintf("frame %d of another backup", i), packed(t, mixed...), secret, ErrBackup)
				}
			}
			for range changes {
				changed := slices.Clone(lines)
				// A letter of the MAC is proven with the secret alone; of base64 the last
				// one before the = has bits that say nothing.
				at := macText + 1 + rnd.IntN(len(lines[i])-macText-2)
				if secret != nil && rnd.IntN(4) == 0 {
					at = rnd.IntN(macText - 2)
				}
				changed[i] = flip(lines[i], at)
				_, err := ReadBackup(bytes.NewReader(packed(t, changed...)), secret, nil)
				// The footer's own numbers are its hash; a header may now tell of a newer format, or another secret.
				if err == nil || !errors.Is(err, ErrBackup) && i > 0 && !errors.Is(err, ErrNewerFormat) {
					if err == nil && secret == nil && i == len(lines)-1 && lines[i][at] >= 'A' {
						continue // the case of a letter in a name of the footer's JSON
					}
					t.Errorf("frame %d, byte %d flipped, secret %v: %v\n%.200s", i, at, secret != nil, err, changed[i])
				}
			}
		}
		for range 50 {
			cut := rnd.IntN(len(file))
			wantRefused(t, fmt.Sprintf("cut after %d bytes", cut), file[:cut], secret, ErrBackup)
		}
		wantRefused(t, "empty", nil, secret, ErrBackup)
		wantRefused(t, "something behind the end", append(bytes.Clone(file), "more"...), secret, ErrBackup)
		wantRefused(t, "another backup behind the end", append(bytes.Clone(file), otherFile.Bytes()...), secret, ErrBackup)
	}
	// Bytes of the packed file: gzip's own check finds most, the header says nothing.
	for range 100 {
		at := 10 + rnd.IntN(len(file)-10)
		if _, err := ReadBackup(bytes.NewReader(flip(file, at)), &backupSecret, nil); err == nil {
			t.Errorf("byte %d of the file flipped: nobody noticed", at)
		}
	}
	foreign := Secret{9}
	wantRefused(t, "foreign secret", file, &foreign, ErrForeignBackup)
	engine := engines(t)["file"](t)
	defer engine.Close()
	for what, bad := range map[string][]byte{"cut": packed(t, lines[:len(lines)-1]...), "changed": packed(t, swap(3, 4)...)} {
		if _, err := Restore(t.Context(), engine, backupSecret, opened(bad), RestoreOptions{}); !errors.Is(err, ErrBackup) {
			t.Errorf("restore of a backup that was %s: %v", what, err)
		}
	}
	if revisions, err := engine.SetRevisions(t.Context()); err != nil || len(revisions) != 0 {
		t.Errorf("a bad backup wrote %v, %v", revisions, err)
	}
}

// forge writes a backup with the right key and any frames between header and
// footer.
func forge(t testing.TB, format int, frames ...frame) []byte {
	t.Helper()
	var file bytes.Buffer
	gz := gzip.NewWriter(&file)
	b := &backupWriter{ctx: t.Context(), out: gz, mac: newFrameMAC(backupSecret, ID{5}), sum: sha256.New(), summary: BackupSummary{Logs: map[string]LogCount{}, Sets: map[string]int64{}}}
	frames = append([]frame{{Header: &backupHeader{Format: format, ID: "05" + strings.Repeat("00", 15), Program: "later", Fingerprint: backupSecret.fingerprint()}}}, frames...)
	for _, f := range frames {
		if err := b.frame(f); err != nil {
			t.Fatal(err)
		}
		count := b.summary.Logs[f.Log]
		count.Entries += int64(len(f.Entries))
		count.Erased += int64(len(f.Erased))
		if f.Log != "" {
			b.summary.Logs[f.Log] = count
		}
		if f.Set != "" {
			b.summary.Sets[f.Set] += int64(len(f.Documents))
		}
	}
	if err := b.end(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

// TestBackupForged: frames with the right MAC that no program writes, and what a
// later one may write.
func TestBackupForged(t *testing.T) {
	fields := func(log *Log, more ...backupField) frame {
		f := frame{Log: log.Name}
		for _, field := range log.Fields {
			f.Fields = append(f.Fields, backupField(field))
		}
		f.Fields = append(f.Fields, more...)
		return f
	}
	docs := []backupDocument{{ID: "a", Body: []byte(`{}`)}}
	entry := func(n byte) backupEntry { return backupEntry{ID: backupID{n}, Values: []string{}} }
	reason := fields(exclusionLog)
	reason.Fields[2].Name = "cause"
	for name, c := range map[string]struct {
		format int
		frames []frame
		want   error
	}{
		"nothing":                     {backupFormat, nil, nil},
		"earlier version, less known": {backupFormat, []frame{{Log: "exclusions", Fields: fields(exclusionLog).Fields[:3]}}, nil},
		"later format":                {backupFormat + 1, nil, ErrNewerFormat},
		"no format":                   {0, nil, ErrBackup},
		"unknown log":                 {backupFormat, []frame{{Log: "audit", Fields: []backupField{{Name: "x"}}}}, ErrNewerFormat},
		"more fields":                 {backupFormat, []frame{fields(responseLog, backupField{Name: "x"})}, ErrNewerFormat},
		"other fields":                {backupFormat, []frame{reason}, ErrBackup},
		"keys":                        {backupFormat, []frame{{Set: setKeys, Documents: docs}}, ErrBackup},
		"installation":                {backupFormat, []frame{{Set: setInstallation, Documents: docs}}, ErrBackup},
		"two headers":                 {backupFormat, []frame{{Header: &backupHeader{Format: backupFormat}}}, ErrBackup},
		"log twice":                   {backupFormat, []frame{fields(exclusionLog), fields(exclusionLog)}, ErrBackup},
		"entries before their log":    {backupFormat, []frame{{Log: "exclusions", Entries: []backupEntry{entry(1)}}}, ErrBackup},
		"entries after erased":        {backupFormat, []frame{fields(exclusionLog), {Log: "exclusions", Erased: []backupID{{1}}}, {Log: "exclusions", Entries: []backupEntry{entry(2)}}}, ErrBackup},
		"entries out of order":        {backupFormat, []frame{fields(exclusionLog), {Log: "exclusions", Entries: []backupEntry{entry(2), entry(1)}}}, ErrBackup},
		"erased out of order":         {backupFormat, []frame{fields(exclusionLog), {Log: "exclusions", Erased: []backupID{{2}, {2}}}}, ErrBackup},
		"entry without id":            {backupFormat, []frame{fields(exclusionLog), {Log: "exclusions", Entries: []backupEntry{entry(0)}}}, ErrBackup},
		"entry with too much":         {backupFormat, []frame{fields(exclusionLog), {Log: "exclusions", Entries: []backupEntry{{ID: backupID{1}, Values: make([]string, exclusionFields+1)}}}}, ErrBackup},
		"log after documents":         {backupFormat, []frame{{Set: "editions", Documents: docs}, fields(exclusionLog)}, ErrBackup},
		"sets out of order":           {backupFormat, []frame{{Set: "units", Documents: docs}, {Set: "desks", Documents: docs}}, ErrBackup},
		"document twice":              {backupFormat, []frame{{Set: "editions", Documents: append(docs, docs...)}}, ErrBackup},
		"two parts in one":            {backupFormat, []frame{{Set: "editions", Documents: docs, Erased: []backupID{{1}}, Log: "exclusions"}}, ErrBackup},
		"no part":                     {backupFormat, []frame{{}}, ErrBackup},
		"not what its digest says":    {backupFormat, []frame{fields(responseLog), {Log: "responses", Entries: []backupEntry{forgedResponse(t)}}}, ErrCorrupt},
		"no answer at all":            {backupFormat, []frame{fields(responseLog), {Log: "responses", Entries: []backupEntry{entry(1)}}}, ErrCorrupt},
	} {
		if _, err := ReadBackup(bytes.NewReader(forge(t, c.format, c.frames...)), &backupSecret, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// forgedResponse is an answer that was changed after it was sealed.
func forgedResponse(t testing.TB) backupEntry {
	t.Helper()
	r := backupResponse(1)
	survey.Seal(&r, backupSecret.digestKey())
	r.Answers = "5" + r.Answers[1:]
	e := responseEntry(&r)
	return backupEntry{ID: backupID(e.ID), Digest: e.Digest, Receipt: e.Receipt, Values: e.Values}
}

// TestBackupErrors: a backup that cannot be written or read to its end says so
// and has no footer.
func TestBackupErrors(t *testing.T) {
	waits(t)
	s := filledStore(t, engines(t)["file"](t))
	full := len(backUp(t, s))
	broken := errors.New("disk full")
	for _, room := range []int{0, 1000, full / 2, full - 1} {
		if _, err := s.Backup(t.Context(), &limitedWriter{room: room, err: broken}, backupOptions()); !errors.Is(err, broken) {
			t.Errorf("room for %d bytes of %d: %v", room, full, err)
		}
	}
	if _, err := s.Backup(t.Context(), io.Discard, BackupOptions{Random: strings.NewReader("short")}); err == nil {
		t.Error("a backup without a random id")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var file bytes.Buffer
	if _, err := s.Backup(ctx, &file, backupOptions()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	wantRefused(t, "cancelled", file.Bytes(), nil, ErrBackup)
	if err := markUnfinished(t.Context(), s.engine, "copy of x"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup(t.Context(), io.Discard, backupOptions()); !errors.Is(err, ErrUnfinished) {
		t.Errorf("backup of a store that is being filled: %v", err)
	}
}

type limitedWriter struct {
	room int
	err  error
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	n := min(len(p), w.room)
	w.room -= n
	if n < len(p) {
		return n, w.err
	}
	return n, nil
}

func TestSplit(t *testing.T) {
	size := func(n int) int { return n }
	for _, c := range []struct {
		list []int
		want []int
	}{
		{nil, nil},
		{[]int{1}, []int{1}},
		{[]int{backupBytes * 2, 1, 1}, []int{1, 2}},
		{[]int{1, backupBytes, 1}, []int{1, 1, 1}},
		{slices.Repeat([]int{1}, 2*backupPage+1), []int{backupPage, backupPage, 1}},
	} {
		var got []int
		for _, part := range split(c.list, size) {
			got = append(got, len(part))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("split of %d: %v, want %v", len(c.list), got, c.want)
		}
	}
}

// FuzzReadBackup: no file makes the reader panic, and none but a real one is
// taken.
func FuzzReadBackup(f *testing.F) {
	file := forge(f, backupFormat, frame{Log: "exclusions", Fields: []backupField{{Name: "response"}}},
		frame{Log: "exclusions", Entries: []backupEntry{{ID: backupID{1}, Values: []string{"a"}}}}, frame{Log: "exclusions", Erased: []backupID{{2}}},
		frame{Set: "editions", Documents: []backupDocument{{ID: "a", Body: []byte(`{}`)}}})
	plain := bytes.Join(frameLines(f, file), nil)
	f.Add(plain)
	f.Add(plain[:len(plain)/2])
	f.Add([]byte(strings.Repeat("A", macText) + " {}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		whole := packed(t, text)
		_, err := ReadBackup(bytes.NewReader(whole), &backupSecret, nil)
		if err == nil && !bytes.Equal(text, plain) {
			t.Errorf("taken: %q", text)
		}
		if _, err := ReadBackup(bytes.NewReader(whole), nil, nil); err == nil && len(text) < macText {
			t.Error("taken without a frame")
		}
		if _, err := ReadBackup(bytes.NewReader(text), nil, nil); err == nil && len(text) == 0 {
			t.Error("nothing was taken for a backup")
		}
	})
}

// BenchmarkBackup1M writes a backup of a million answers, reads it, and restores
// it into an empty store: one run is enough, -benchtime 1x.
func BenchmarkBackup1M(b *testing.B) {
	const answers = 1_000_000
	open := func() Engine {
		engine, err := OpenFile(b.TempDir(), FileOptions{})
		if err != nil {
			b.Fatal(err)
		}
		return engine
	}
	s := openStore(b, open())
	rnd := rand.New(rand.NewPCG(3, 4))
	for done := 0; done < answers; done += PageSize {
		list := make([]survey.Response, PageSize)
		for i := range list {
			r := backupResponse(done + i)
			binary.BigEndian.PutUint64(r.ID[8:], rnd.Uint64()|1<<63)
			r.Comment = ""
			list[i] = r
		}
		if _, err := s.AddResponses(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		var file bytes.Buffer
		started := time.Now()
		if _, err := s.Backup(b.Context(), &file, backupOptions()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(started).Seconds(), "s-backup")
		b.ReportMetric(float64(file.Len())/1e6, "MB")
		started = time.Now()
		if _, err := ReadBackup(bytes.NewReader(file.Bytes()), &backupSecret, nil); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(started).Seconds(), "s-verify")
		engine := open()
		started = time.Now()
		summary := restore(b, engine, file.Bytes(), RestoreOptions{})
		b.ReportMetric(time.Since(started).Seconds(), "s-restore")
		if n := summary.Responses().Stored; n != answers {
			b.Fatalf("%d answers restored", n)
		}
		if err := engine.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
