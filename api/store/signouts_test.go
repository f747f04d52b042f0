package store

import (
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"sipas/seeds"
)

// TestSignOutSweep: sign-outs go some time after the session would be over, since
// clocks differ, a few with each new one.
func TestSignOutSweep(t *testing.T) {
	st := openTestStore(t, t.TempDir(), Secret{1})
	now := time.Date(2026, 11, 24, 3, 20, 0, 0, time.UTC)
	name := func(i int) string { return fmt.Sprintf("%02d", i) }
	const over = sweepAtOnce + 2
	for i := range over {
		if err := st.SignOut(t.Context(), name(i), now.Add(time.Hour), now); err != nil {
			t.Fatal(err)
		}
	}
	end := now.Add(time.Hour + sweepAfter)
	if err := st.SignOut(t.Context(), "early", end.Add(time.Hour), end.Add(-time.Second)); err != nil || !st.View().SignedOut(name(0)) {
		t.Errorf("swept while a server with a slow clock could still know the session: %v", err)
	}
	for i, left := range []int{over - sweepAtOnce, 0} {
		if err := st.SignOut(t.Context(), "later "+name(i), end.Add(time.Hour), end); err != nil {
			t.Fatal(err)
		}
		if err := st.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		have := 0
		for i := range over {
			if st.View().SignedOut(name(i)) {
				have++
			}
		}
		if have != left || !st.View().SignedOut("later "+name(i)) {
			t.Errorf("after sign-out %d: %d old ones, want %d; this one known: %v", i, have, left, st.View().SignedOut("later "+name(i)))
		}
	}
}

// TestAccessAlone: who may come in is read again without making a catalogue, and
// also while the other documents do not hold together.
func TestAccessAlone(t *testing.T) {
	waits(t)
	file := openTest(t, t.TempDir())
	st, err := Open(t.Context(), file, Secret{1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	docs, err := seeds.StatsrefA()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.PutDocuments(t.Context(), docs); err != nil {
		t.Fatal(err)
	}
	now := docs.Rounds[0].First.Start()
	token, err := st.CreateToken(t.Context(), "leaver", []Right{RightFull}, now)
	if err != nil {
		t.Fatal(err)
	}
	before := st.View()
	if err := st.SignOut(t.Context(), "a", now.Add(time.Hour), now); err != nil {
		t.Fatal(err)
	}
	if after := st.View(); !after.SignedOut("a") || after.Catalogue != before.Catalogue || after.Revision != before.Revision {
		t.Errorf("after a sign-out: known %v, same catalogue %v, same revision %v", after.SignedOut("a"), after.Catalogue == before.Catalogue, after.Revision == before.Revision)
	}
	if _, err := file.Put(t.Context(), setDesks, Document{ID: "lost", Body: []byte(`{"id":"lost","unit":"none"}`)}); err != nil {
		t.Fatal(err)
	}
	if err := st.SignOut(t.Context(), "b", now.Add(time.Hour), now); err == nil {
		t.Fatal("documents that do not hold together were taken")
	}
	if err := st.RevokeToken(t.Context(), "leaver"); err == nil || errors.Is(err, ErrNotFound) {
		t.Fatalf("documents that do not hold together were taken: %v", err)
	}
	view := st.View()
	if _, known := view.Token(token, now); known || !view.SignedOut("b") {
		t.Errorf("token known %v, signed out %v", known, view.SignedOut("b"))
	}
	if view.Catalogue != before.Catalogue || view.Revision != before.Revision {
		t.Error("the catalogue changed")
	}
}
