package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
)

func TestUnfinished(t *testing.T) {
	ctx := context.Background()
	folder := t.TempDir()
	open := func() Engine {
		t.Helper()
		engine, err := OpenFile(folder, FileOptions{Command: "test"})
		if err != nil {
			t.Fatal(err)
		}
		return engine
	}
	engine := open()
	for range 2 {
		if err := markUnfinished(ctx, engine, "copy of a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := markUnfinished(ctx, engine, "copy of b"); !errors.Is(err, ErrUnfinished) || !strings.Contains(err.Error(), "copy of a") {
		t.Errorf("other work: %v", err)
	}
	// Open closes an engine that it refuses.
	if _, err := Open(ctx, engine, Secret{1}, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrUnfinished) || !strings.Contains(err.Error(), "copy of a") {
		t.Errorf("open an unfinished store: %v", err)
	}
	engine = open()
	for range 2 {
		if err := clearUnfinished(ctx, engine); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(ctx, engine, Secret{1}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
