package store

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestLoadSecret(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	path := filepath.Join(folder, secretFile)
	secrets := make([]Secret, 8)
	var all sync.WaitGroup
	for i := range secrets {
		all.Go(func() {
			var err error
			if secrets[i], err = LoadSecret(folder); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if secrets[0] == (Secret{}) || slices.ContainsFunc(secrets, func(s Secret) bool { return s != secrets[0] }) {
		t.Fatalf("several processes on a new folder got different secrets")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the secret's file: %v, %v", info.Mode(), err)
	}
	if names, err := os.ReadDir(folder); err != nil || len(names) != 1 {
		t.Errorf("in the folder: %v, %v", names, err)
	}
	if err := openTest(t, folder).Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := LoadSecret(folder); err != nil || again != secrets[0] {
		t.Fatalf("the secret beside a store: %v", err)
	}
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecret(folder); !errors.Is(err, ErrSecret) || !strings.Contains(err.Error(), "put that file back") {
		t.Fatalf("a store without its secret: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("a new secret was made for an old store")
	}
	if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSecret(folder); err == nil {
		t.Fatal("half a secret was taken")
	}
}

// TestSecretOfStore: a store opens only with the secret it was first opened with.
func TestSecretOfStore(t *testing.T) {
	folder := t.TempDir()
	old := openTest(t, folder) // as if from before fingerprints, with an answer
	mustAppend(t, old, testEntry(1))
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	if err := openTestStore(t, folder, Secret{1}).Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, err := Open(t.Context(), openTest(t, folder), Secret{2}, slog.New(slog.DiscardHandler))
		if !errors.Is(err, ErrSecret) || s != nil || !strings.Contains(err.Error(), "put back its secret.key") {
			t.Fatalf("Open with another secret: %v", err)
		}
	}
	s := openTestStore(t, folder, Secret{1})
	doc, err := s.engine.Get(t.Context(), setInstallation, secretID)
	if err != nil || doc.Revision != 1 {
		t.Fatalf("the fingerprint: %+v, %v", doc, err)
	}
	if live, _, err := s.CountResponses(t.Context()); err != nil || live != 1 {
		t.Fatalf("%d answers, %v", live, err)
	}
}
