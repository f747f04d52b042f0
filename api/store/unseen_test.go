package store

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// muteEngine keeps telling the revisions of a moment.
type muteEngine struct {
	Engine
	revisions map[string]int64
}

// SetRevisions implements Engine.
func (m *muteEngine) SetRevisions(ctx context.Context) (map[string]int64, error) {
	if m.revisions != nil {
		return m.revisions, nil
	}
	return m.Engine.SetRevisions(ctx)
}

// A revocation that no revision shows, because who made it died in the middle, holds all the same after a while; and
// reading without finding anything leaves the view as it is.
func TestRevocationUnseen(t *testing.T) {
	engine, err := OpenFile(t.TempDir(), FileOptions{Command: "test"})
	if err != nil {
		t.Fatal(err)
	}
	mute := &muteEngine{Engine: engine}
	s, err := Open(t.Context(), mute, Secret{1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	token, err := s.CreateToken(t.Context(), "An", []Right{RightStaff}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	reread := func() {
		t.Helper()
		s.refreshing <- struct{}{}
		s.accessRead = time.Now().Add(-2 * accessEvery)
		<-s.refreshing
		if err := s.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := s.View()
	reread()
	if s.View() != before {
		t.Error("the view was made anew, though nothing changed")
	}
	s.refreshing <- struct{}{}
	mute.revisions, err = engine.SetRevisions(t.Context())
	<-s.refreshing
	if err != nil {
		t.Fatal(err)
	}
	doc, err := engine.Get(t.Context(), setTokens, "An")
	if err == nil {
		err = engine.Delete(t.Context(), setTokens, "An", doc.Revision)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.View().Token(token, time.Now()); !ok {
		t.Fatal("the test revokes nothing")
	}
	reread()
	if _, ok := s.View().Token(token, time.Now()); ok {
		t.Error("a revoked token is still taken")
	}
}
