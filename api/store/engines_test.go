package store

import "testing"

// engines lists a way to open each kind of engine that this machine has, by
// name. Each call opens a fresh, empty one; the test closes it.
func engines(t *testing.T) map[string]func(t *testing.T) Engine {
	t.Helper()
	return map[string]func(t *testing.T) Engine{
		"file": func(t *testing.T) Engine {
			t.Helper()
			engine, err := OpenFile(t.TempDir(), FileOptions{Command: "test"})
			if err != nil {
				t.Fatal(err)
			}
			return engine
		},
	}
}
