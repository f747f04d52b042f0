package store

import (
	"os"
	"testing"
)

// ciOr gives the size of a long test: whole where CI=true, and small elsewhere, which the
// test's log says.
func ciOr[T any](t testing.TB, whole, small T) T {
	t.Helper()
	if os.Getenv("CI") == "true" {
		return whole
	}
	t.Logf("small: %v, where CI=true %v", small, whole)
	return small
}
