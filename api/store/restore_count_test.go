package store

import (
	"errors"
	"testing"
)

// TestRestoreCounts: a restore ends only where every entry of the backup has a place in the store, and as many ids are
// erased there as in the backup at least.
func TestRestoreCounts(t *testing.T) {
	s := openStore(t, engines(t)["file"](t))
	addResponses(t, s, 0, 3)
	withdraw(t, s, 0) // 2 live, 1 erased
	for _, c := range []struct {
		entries, erased int64
		ends            bool
	}{{3, 1, true}, {2, 0, true}, {0, 0, true}, {4, 1, false}, {3, 2, false}, {2, 2, false}} {
		footer := backupFooter{Logs: map[string]LogCount{responseLog.Name: {Entries: c.entries, Erased: c.erased}}}
		err := (&restorer{ctx: t.Context(), engine: s.engine}).finish(footer)
		if (err == nil) != c.ends || err != nil && !errors.Is(err, ErrUnfinished) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
