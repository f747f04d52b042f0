package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sipas/kiosk"
	"sipas/survey"
)

// quarantined makes the n-th of a run of different answers in quarantine.
func quarantined(n int) Quarantined {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	sealed := fmt.Appendf(nil, "sealed\x00\xff %d", n)
	return Quarantined{ID: QuarantineID(sealed), Device: fmt.Sprint("T", n%3), Reason: "desk: desk_unknown", Answered: at, Unsure: n%2 == 1, Received: at.Add(time.Hour), Sealed: sealed, Receipt: receiptOf(n)}
}

// receiptOf is the hash of a receipt, of every third answer none.
func receiptOf(n int) []byte {
	if n%3 == 0 {
		return nil
	}
	sum := sha256.Sum256(fmt.Append(nil, "receipt", n))
	return sum[:]
}

// tabletAnswer is the n-th of a run of answers with ids as tablets draw them.
func tabletAnswer(n int) survey.Response {
	r := backupResponse(n)
	r.ID[8] = r.ID[8]&0x3f | 0x80
	r.Receipt = testReceipt(r.ID)
	return r
}

// sealedAnswer is that answer in quarantine.
func sealedAnswer(t testing.TB, s *Store, n int) Quarantined {
	t.Helper()
	id := tabletAnswer(n).ID
	text := must(json.Marshal(map[string]string{"id": id.String(), "receipt": strings.Repeat("ab", 32)}))(t)
	sealed := must(kiosk.Seal(must(s.SealKey())(t).Public(), text))(t)
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	return Quarantined{ID: QuarantineID(sealed), Device: "T1", Reason: "desk: desk_unknown", Answered: at, Received: at, Sealed: sealed, Receipt: testReceipt(id)}
}

// TestQuarantineDiscarded: what its giver withdrew or staff discarded is in no log any
// more and never comes back, after a restore either; others stay.
func TestQuarantineDiscarded(t *testing.T) {
	waits(t)
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := openStore(t, open(t))
			add := func(s *Store, want Outcome, n int) {
				t.Helper()
				if got := must(s.AddResponses(t.Context(), []survey.Response{tabletAnswer(n)}))(t); got[0] != want {
					t.Errorf("answer %d: %v, want %v", n, got, want)
				}
			}
			a, b, c := sealedAnswer(t, s, 1), sealedAnswer(t, s, 2), sealedAnswer(t, s, 3)
			foreign := quarantined(5)
			add(s, Stored, 3) // c is stored by now
			list := []Quarantined{a, b, c, foreign}
			if got := must(s.Quarantine(t.Context(), list))(t); !slices.Equal(got, slices.Repeat([]Outcome{Stored}, 4)) {
				t.Fatal(got)
			}
			if got := must(s.FindQuarantined(t.Context(), a.ID))(t); !reflect.DeepEqual(got, a) {
				t.Errorf("%+v, want %+v", got, a)
			}
			if err := s.Withdraw(t.Context(), testCode(tabletAnswer(1).ID)); err != nil {
				t.Error(err)
			}
			wantErr(t, "withdrawn twice", s.Withdraw(t.Context(), testCode(tabletAnswer(1).ID)), ErrNotFound)
			if err := s.DiscardQuarantined(t.Context(), []Quarantined{b, c, foreign}); err != nil {
				t.Error(err)
			}
			target := open(t)
			restore(t, target, backUp(t, s), RestoreOptions{})
			for what, s := range map[string]*Store{"here": s, "restored": openStore(t, target)} {
				if got := must(s.Quarantine(t.Context(), list))(t); !slices.Equal(got, slices.Repeat([]Outcome{Withdrawn}, 4)) || quarantineSize(t, s) != 0 {
					t.Errorf("%s: in quarantine again: %v", what, got)
				}
				add(s, Withdrawn, 1)
				add(s, Withdrawn, 2)
				add(s, Duplicate, 3)
				add(s, Stored, 4)
				for n, want := range map[int]bool{1: true, 2: true, 3: false, 5: false} {
					if got := must(s.WasWithdrawn(t.Context(), tabletAnswer(n).ID))(t); got != want {
						t.Errorf("%s: answer %d withdrawn: %v", what, n, got)
					}
				}
				_, err := s.FindQuarantined(t.Context(), a.ID)
				wantErr(t, what, err, ErrNotFound)
			}
		})
	}
}

// TestQuarantineStored: an answer that is stored and in quarantine too is withdrawn
// from both; what is stored leaves the quarantine, and what is not there is no error.
func TestQuarantineStored(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := openStore(t, open(t))
			a, b, c := sealedAnswer(t, s, 1), sealedAnswer(t, s, 2), sealedAnswer(t, s, 3)
			if err := s.LeaveQuarantine(t.Context(), a.ID); err != nil {
				t.Error(err)
			}
			if _, err := s.AddResponses(t.Context(), []survey.Response{tabletAnswer(1), tabletAnswer(2), tabletAnswer(3)}); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Quarantine(t.Context(), []Quarantined{a, b}); err != nil {
				t.Fatal(err)
			}
			if err := s.Withdraw(t.Context(), testCode(tabletAnswer(1).ID)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Response(t.Context(), tabletAnswer(1).ID); !errors.Is(err, ErrNotFound) || quarantineSize(t, s) != 1 {
				t.Errorf("%v, %d in quarantine", err, quarantineSize(t, s))
			}
			if err := s.LeaveQuarantine(t.Context(), b.ID, c.ID); err != nil || quarantineSize(t, s) != 0 {
				t.Errorf("%v, %d in quarantine", err, quarantineSize(t, s))
			}
			if live, erased, err := s.CountResponses(t.Context()); err != nil || live != 2 || erased != 1 {
				t.Errorf("%d stored, %d withdrawn, %v", live, erased, err)
			}
		})
	}
}

func quarantineSize(t testing.TB, s *Store) int64 {
	t.Helper()
	return must(s.QuarantineSize(t.Context()))(t)
}

func TestQuarantine(t *testing.T) {
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := openStore(t, open(t))
			put := func(what string, list []Quarantined, want ...Outcome) {
				t.Helper()
				if got, err := s.Quarantine(t.Context(), list); err != nil || !slices.Equal(got, want) {
					t.Errorf("%s: %v, %v, want %v", what, got, err, want)
				}
			}
			was := func(q Quarantined) bool { t.Helper(); return must(s.WasQuarantined(t.Context(), q.Sealed))(t) }
			if page, err := s.InQuarantine(t.Context(), ID{}); err != nil || len(page) != 0 || quarantineSize(t, s) != 0 {
				t.Errorf("empty: %v, %v", page, err)
			}
			a, b, c := quarantined(1), quarantined(2), quarantined(3)
			if was(a) {
				t.Error("one that never came was there")
			}
			put("new ones, one of them twice", []Quarantined{a, b, a}, Stored, Stored, Duplicate)
			// It is the same answer whatever is wrong with it now, and whenever it comes.
			again := a
			again.Reason, again.Received, again.Device = "round: round_unknown", a.Received.Add(time.Hour), "T9"
			put("again", []Quarantined{again, c}, Duplicate, Stored)
			page, err := s.InQuarantine(t.Context(), ID{})
			want := []Quarantined{a, b, c}
			slices.SortFunc(want, func(x, y Quarantined) int { return bytes.Compare(x.ID[:], y.ID[:]) })
			if err != nil || !reflect.DeepEqual(page, want) {
				t.Errorf("%+v, %v, want %+v", page, err, want)
			}
			for range 2 { // leaving twice is no error
				if err := s.LeaveQuarantine(t.Context(), a.ID); err != nil {
					t.Error(err)
				}
			}
			if err := s.LeaveQuarantine(t.Context(), quarantined(99).ID); err != nil {
				t.Errorf("one that never was there: %v", err)
			}
			if page := must(s.InQuarantine(t.Context(), ID{}))(t); len(page) != 2 || quarantineSize(t, s) != 2 || !was(a) || !was(b) || was(quarantined(99)) {
				t.Errorf("after one left: %+v", page)
			}
			put("one that left", []Quarantined{a}, Withdrawn)
			if n := quarantineSize(t, s); n != 2 {
				t.Errorf("%d in quarantine", n)
			}
		})
	}
}

// TestQuarantinePages: 500 at a time, by id, until none are left; those that leave
// meanwhile hold nobody up.
func TestQuarantinePages(t *testing.T) {
	waits(t)
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := openStore(t, open(t))
			const n = 1203
			list := make([]Quarantined, n)
			for i := range list {
				list[i] = quarantined(i)
			}
			if got, err := s.Quarantine(t.Context(), list); err != nil || len(got) != n {
				t.Fatal(len(got), err)
			}
			slices.SortFunc(list, func(x, y Quarantined) int { return bytes.Compare(x.ID[:], y.ID[:]) })
			for round := range 2 {
				var all []Quarantined
				var pages []int
				for after := (ID{}); ; {
					page := must(s.InQuarantine(t.Context(), after))(t)
					if len(page) == 0 {
						break
					}
					all, pages, after = append(all, page...), append(pages, len(page)), page[len(page)-1].ID
					if round == 1 { // they leave as they are read
						for _, q := range page {
							if err := s.LeaveQuarantine(t.Context(), q.ID); err != nil {
								t.Fatal(err)
							}
						}
					}
				}
				if !slices.Equal(pages, []int{500, 500, 203}) || !reflect.DeepEqual(all, list) {
					t.Errorf("pages %v", pages)
				}
			}
			if n := quarantineSize(t, s); n != 0 {
				t.Errorf("%d are left", n)
			}
		})
	}
}

// TestQuarantineCorrupt: what this program cannot have written is an error, not an
// answer.
func TestQuarantineCorrupt(t *testing.T) {
	for what, values := range map[string][]string{
		"hour":   {"T1", "r", "yesterday", "", "2026-11-24T03", "YQ=="},
		"hour 2": {"T1", "r", "2026-11-24T03", "", "", "YQ=="},
		"base64": {"T1", "r", "2026-11-24T03", "", "2026-11-24T03", "?"},
	} {
		s := openStore(t, engines(t)["file"](t))
		if _, err := s.engine.Append(t.Context(), quarantineLog, []Entry{{ID: ID{1}, Values: values}}); err != nil {
			t.Fatal(err)
		}
		_, err := s.InQuarantine(t.Context(), ID{})
		wantErr(t, what, err, ErrCorrupt)
	}
}

// leaving is an engine in which an answer leaves the quarantine before each read of a
// log, as package web does it: first it is stored, then it leaves.
type leaving struct {
	Engine
	s    *Store
	t    testing.TB
	next int
}

func (l *leaving) Scan(ctx context.Context, log *Log, after ID, limit int) ([]Entry, error) {
	l.next++
	if _, err := l.s.AddResponses(ctx, []survey.Response{backupResponse(l.next)}); err != nil {
		l.t.Error(err)
	}
	if err := l.s.LeaveQuarantine(ctx, quarantined(l.next).ID); err != nil {
		l.t.Error(err)
	}
	return l.Engine.Scan(ctx, log, after, limit)
}

// TestBackupWhileQuarantineIsTried: an answer that leaves the quarantine for the
// answers while a backup runs is in that backup, in one of them at least.
func TestBackupWhileQuarantineIsTried(t *testing.T) {
	waits(t)
	for kind, open := range engines(t) {
		t.Run(kind, func(t *testing.T) {
			s := openStore(t, open(t))
			const n = 100
			list := make([]Quarantined, n)
			for i := range list {
				list[i] = quarantined(i)
			}
			if _, err := s.Quarantine(t.Context(), list); err != nil {
				t.Fatal(err)
			}
			moving := &leaving{Engine: s.engine, s: s, t: t}
			_, answers, in := readCovers(t, backUp(t, &Store{engine: moving, secret: s.secret}))
			if moving.next < len(knownLogs()) || moving.next >= n {
				t.Fatalf("%d left meanwhile", moving.next)
			}
			for i := range list {
				if !answers[backupResponse(i).ID] && !in[list[i].ID] {
					t.Errorf("answer %d is not in the backup", i)
				}
			}
		})
	}
}

// TestQuarantineTombstones: an answer that was taken from the quarantine after a backup
// is in quarantine again when that backup comes back, whatever else holds for it; one
// that was discarded stays away.
func TestQuarantineTombstones(t *testing.T) {
	waits(t)
	open := engines(t)["file"]
	s := openStore(t, open(t))
	taken, discarded := sealedAnswer(t, s, 1), sealedAnswer(t, s, 2)
	if _, err := s.Quarantine(t.Context(), []Quarantined{taken, discarded}); err != nil {
		t.Fatal(err)
	}
	older := backUp(t, s)
	if _, err := s.AddResponses(t.Context(), []survey.Response{tabletAnswer(1)}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.LeaveQuarantine(t.Context(), taken.ID), s.DiscardQuarantined(t.Context(), []Quarantined{discarded})); err != nil {
		t.Fatal(err)
	}
	for what, stones := range map[string]Tombstones{
		"backup": must(BackupTombstones(bytes.NewReader(backUp(t, s)), backupSecret))(t), "store": must(StoreTombstones(t.Context(), s.engine, backupSecret))(t),
	} {
		target := open(t)
		restore(t, target, older, RestoreOptions{Tombstones: []Tombstones{stones}})
		back := openStore(t, target)
		if _, err := back.FindQuarantined(t.Context(), taken.ID); err != nil {
			t.Errorf("%s: the one that was taken: %v", what, err)
		}
		if got := must(back.AddResponses(t.Context(), []survey.Response{tabletAnswer(1), tabletAnswer(2)}))(t); !slices.Equal(got, []Outcome{Stored, Withdrawn}) {
			t.Errorf("%s: %v", what, got)
		}
	}
}
