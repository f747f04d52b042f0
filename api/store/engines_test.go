package store

import "testing"

// engines lists a way to open each kind of engine, by name. Each call opens a
// fresh, empty one, which the test closes; without a MongoDB the test that asks
// for one is skipped.
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
		"mongodb": func(t *testing.T) Engine {
			t.Helper()
			return openTestMongo(t)
		},
	}
}
