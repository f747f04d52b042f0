package store

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"sipas/survey"
)

// quarantined makes the n-th of a run of different answers in quarantine.
func quarantined(n int) Quarantined {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	sealed := fmt.Appendf(nil, "sealed\x00\xff %d", n)
	return Quarantined{ID: QuarantineID(sealed), Device: fmt.Sprint("T", n%3), Reason: "desk: desk_unknown", Answered: at, Unsure: n%2 == 1, Received: at.Add(time.Hour), Sealed: sealed}
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
