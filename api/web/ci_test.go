package web

import (
	"flag"
	"os"
	"runtime/debug"
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

// waits lets a test that waits for browsers, pauses and networks more than it computes run
// beside others like it. Where CI=true it runs alone: the race detector leaves no time to
// share.
func waits(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Parallel()
	}
}

// sideBySide lets eight tests wait at once where CI is not true (see waits), and memory be
// collected less often.
func sideBySide() error {
	if os.Getenv("CI") == "true" {
		return nil
	}
	debug.SetGCPercent(400)
	return flag.Set("test.parallel", "8")
}
