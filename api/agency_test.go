package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSetUpAsTheReadmeSays: the documents that the README shows, the round and who asks,
// load as they stand but for what is left to fill in, and come through a backup.
func TestSetUpAsTheReadmeSays(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	data, folder := t.TempDir(), t.TempDir()
	mustSipas(t, "seed", "--data", data, "--set", "province")
	var files []string
	for i, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		file := filepath.Join(folder, fmt.Sprintf("%d.json", i))
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(block[1], "…", "xxx")), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	if got := mustSipas(t, "seed", "--data", data, "--file", files[0]); !strings.HasPrefix(got, "added 2, changed 0") {
		t.Errorf("the round: %s", got)
	}
	if got := mustSipas(t, "seed", "--data", data, "--file", files[1]); !strings.HasPrefix(got, "added 1, changed 0") {
		t.Errorf("who asks: %s", got)
	}
	if code, _, stderr := sipas(t, "seed", "--data", data, "--file", files[1], "--file", files[1]); code != 1 || !strings.Contains(stderr, "another file says who asks") {
		t.Errorf("who asks, twice: %d %s", code, stderr)
	}
	if len(files) != 2 {
		t.Errorf("the README shows %d documents", len(files))
	}
	backup, to := filepath.Join(folder, "a.backup"), newFolder(t, data)
	mustSipas(t, "backup", "--data", data, "--out", backup)
	mustSipas(t, "restore", "--data", to, "--file", backup)
	if got := mustSipas(t, "seed", "--data", to, "--file", files[1]); got != "added 0, changed 0, unchanged 1\n" {
		t.Errorf("who asks, from a backup: %s", got)
	}
}
