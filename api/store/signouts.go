package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// signOut is the document of a session that was ended before its time. Its id
// is the hash of the session's, so that who reads the store cannot make a pass.
type signOut struct {
	// Until is when the session would have ended by itself, in Unix seconds: the
	// document is of no use from then on.
	Until int64 `json:"until"`
}

// sweepAtOnce bounds how many old documents one sign-out removes: each is a
// durable write, and a person waits for them. Each sign-out adds one.
const sweepAtOnce = 10

// SignOut ends a session, named by a hash of its id, on every server within two
// seconds. until is when it ends by itself. Ending it twice is no error. Any
// error means that servers may still take it.
func (s *Store) SignOut(ctx context.Context, hash string, until, now time.Time) error {
	body, err := json.Marshal(signOut{until.Unix()})
	if err != nil {
		return err
	}
	_, err = s.engine.Put(ctx, setSignOuts, Document{ID: hash, Body: body})
	if err != nil && !errors.Is(err, ErrStale) { // stale: it was ended already
		return fmt.Errorf("end a session: %w", err)
	}
	if err := s.Refresh(ctx); err != nil {
		return err
	}
	if err := s.sweepSignOuts(ctx, now); err != nil {
		s.log.Warn("old sign-outs could not be removed", "error", err)
	}
	return nil
}

// sweepAfter is how long a sign-out stays after its session's end.
const sweepAfter = time.Hour

// sweepSignOuts removes what is over. Another server may be doing the same.
func (s *Store) sweepSignOuts(ctx context.Context, now time.Time) error {
	s.loading.Lock()
	docs := s.documents[setSignOuts]
	s.loading.Unlock()
	swept := 0
	for _, doc := range docs {
		var out signOut
		if err := json.Unmarshal(doc.Body, &out); err != nil {
			return fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, setSignOuts, doc.ID, err)
		}
		// The clocks of servers differ by minutes; for one that is behind the session may not be over.
		if now.Before(time.Unix(out.Until, 0).Add(sweepAfter)) {
			continue
		}
		err := s.engine.Delete(ctx, setSignOuts, doc.ID, doc.Revision)
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrStale) {
			return err
		}
		if swept++; swept == sweepAtOnce {
			break
		}
	}
	return nil
}

// SignedOut reports whether a session, named by the hash given to
// [Store.SignOut], was ended before its time.
func (v *View) SignedOut(hash string) bool { return v.signedOut[hash] }
