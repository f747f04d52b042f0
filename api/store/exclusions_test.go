package store

import (
	"log/slog"
	"testing"
	"time"

	"sipas/survey"
)

func openTestStore(t *testing.T, folder string, secret Secret) *Store {
	t.Helper()
	s, err := Open(t.Context(), openTest(t, folder), secret, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestSupersedes(t *testing.T) {
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name          string
		first, second Exclusion
	}{
		{"later", Exclusion{ID: survey.ID{9}, At: at}, Exclusion{ID: survey.ID{1}, At: at.Add(1)}},
		{"same moment", Exclusion{ID: survey.ID{1}, At: at}, Exclusion{ID: survey.ID{9}, At: at}},
	} {
		if !c.second.Supersedes(c.first) || c.first.Supersedes(c.second) {
			t.Errorf("%s: second over first %v, first over second %v", c.name, c.second.Supersedes(c.first), c.first.Supersedes(c.second))
		}
	}
}

// TestExcludeLatestHolds: what was decided last holds, also in the same instant and after the clock was put back.
func TestExcludeLatestHolds(t *testing.T) {
	waits(t)
	s := openTestStore(t, t.TempDir(), Secret{1})
	e := testEntry(1)
	e.Values = nil
	if outcomes, err := s.engine.Append(t.Context(), responseLog, []Entry{e}); err != nil || outcomes[0] != Stored {
		t.Fatal(outcomes, err)
	}
	follower, err := s.FollowExclusions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	var holds Exclusion
	for n := range 40 {
		if n == 20 {
			at = at.Add(-time.Hour)
		}
		// The ids fall, so that their order says the opposite.
		x := Exclusion{ID: survey.ID{255 - byte(n)}, Response: e.ID, Excluded: n%2 == 0, Reason: "r", Author: "a", At: at}
		if outcome, err := s.Exclude(t.Context(), x); err != nil || outcome != Stored {
			t.Fatal(outcome, err)
		}
		if outcome, err := s.Exclude(t.Context(), x); err != nil || outcome != Duplicate {
			t.Fatal(outcome, err) // a retry
		}
		list, err := follower.Next(t.Context())
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		if got := list[0]; !got.Supersedes(holds) || holds.Supersedes(got) || got.Excluded != x.Excluded {
			t.Fatalf("decision %d (%v) does not hold over %v", n, got, holds)
		}
		holds = list[0]
	}
}
