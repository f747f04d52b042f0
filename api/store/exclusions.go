package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"sipas/survey"
)

// Exclusion puts a response aside, or takes it back in, with who decided that
// and why. The response itself is not touched: of several exclusions of one
// response the latest holds, and all of them stay to be read.
type Exclusion struct {
	// ID is minted by the caller, so that a retry is the same exclusion.
	ID       survey.ID
	Response survey.ID
	// Excluded is false when the response counts again.
	Excluded bool
	Reason   string
	// Author is the name of the token that was used.
	Author string
	// At is when it was decided, UTC: it is staff's time, not a citizen's. Exclude
	// moves it on where two decisions would have the same.
	At time.Time
}

// Supersedes reports whether e holds where other does too.
func (e Exclusion) Supersedes(other Exclusion) bool {
	if e.At.Equal(other.At) {
		return string(e.ID[:]) > string(other.ID[:])
	}
	return e.At.After(other.At)
}

const (
	xResponse = iota
	xState
	xReason
	xAuthor
	xAt
	exclusionFields
)

var exclusionLog = &Log{Name: "exclusions", Fields: []Field{
	xResponse: {"response", Text},
	xState:    {"state", Text},
	xReason:   {"reason", Text},
	xAuthor:   {"author", Text},
	xAt:       {"at", Text},
}}

const (
	stateExcluded = "excluded"
	stateIncluded = "included"
)

// ErrReason says that an exclusion has no reason of 1 to 500 characters.
var ErrReason = errors.New("store: an exclusion needs a reason of 1 to 500 characters")

// Exclude records an exclusion. ErrNotFound when there is no such response. Of
// two calls one after the other the second is the later decision, also within
// one tick of the clock and after the clock was put back.
func (s *Store) Exclude(ctx context.Context, e Exclusion) (Outcome, error) {
	e.At = s.decisions.next(e.At)
	return s.RestoreExclusion(ctx, e)
}

// RestoreExclusion records an exclusion that was decided before, with its time
// as it stands: an import of an export.
func (s *Store) RestoreExclusion(ctx context.Context, e Exclusion) (Outcome, error) {
	e.Reason = strings.TrimSpace(e.Reason)
	if n := utf8.RuneCountInString(e.Reason); n < 1 || n > 500 || !utf8.ValidString(e.Reason) {
		return Failed, ErrReason
	}
	if _, err := s.engine.Find(ctx, responseLog, e.Response); err != nil {
		return Failed, err
	}
	v := make([]string, exclusionFields)
	v[xResponse], v[xState], v[xReason], v[xAuthor] = e.Response.String(), stateIncluded, e.Reason, e.Author
	if e.Excluded {
		v[xState] = stateExcluded
	}
	digest := sha256.Sum256([]byte(strings.Join(v, "\x00")))
	v[xAt] = e.At.UTC().Format(time.RFC3339Nano)
	outcomes, err := s.engine.Append(ctx, exclusionLog, []Entry{{ID: e.ID, Digest: digest[:], Values: v}})
	if len(outcomes) != 1 {
		return Failed, err
	}
	return outcomes[0], err
}

// decisionClock gives decisions times that only grow.
type decisionClock struct {
	mu   sync.Mutex
	last time.Time
}

// next returns now, or the moment after the last one it returned.
func (c *decisionClock) next(now time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now = now.UTC().Round(0); !now.After(c.last) {
		now = c.last.Add(time.Nanosecond)
	}
	c.last = now
	return now
}

// FollowExclusions starts a follower at the beginning of the log of exclusions.
func (s *Store) FollowExclusions(ctx context.Context) (*ExclusionFollower, error) {
	f, err := s.engine.Follow(ctx, exclusionLog)
	if err != nil {
		return nil, err
	}
	return &ExclusionFollower{f}, nil
}

// ExclusionFollower is a Follower whose events are exclusions.
type ExclusionFollower struct{ Follower }

// Next is Follower.Next.
func (f *ExclusionFollower) Next(ctx context.Context) ([]Exclusion, error) {
	events, err := f.Follower.Next(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Exclusion, 0, len(events))
	for _, event := range events {
		if event.Erased {
			continue // nothing erases exclusions
		}
		e, err := entryExclusion(event.Entry)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

func entryExclusion(entry Entry) (Exclusion, error) {
	v := entry.Values
	e := Exclusion{ID: entry.ID, Excluded: v[xState] == stateExcluded, Reason: v[xReason], Author: v[xAuthor]}
	var err error
	if e.Response, err = survey.ParseID(v[xResponse]); err != nil {
		return e, fmt.Errorf("%w: exclusion %s: %w", ErrCorrupt, e.ID, err)
	}
	if e.At, err = time.Parse(time.RFC3339, v[xAt]); err != nil {
		return e, fmt.Errorf("%w: exclusion %s: %w", ErrCorrupt, e.ID, err)
	}
	return e, nil
}

// Exclusions returns the exclusion that holds of every response that has any.
func (s *Store) Exclusions(ctx context.Context) (map[survey.ID]Exclusion, error) {
	f, err := s.FollowExclusions(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	holds := map[survey.ID]Exclusion{}
	for {
		list, err := f.Next(ctx)
		if err != nil || len(list) == 0 {
			return holds, err
		}
		for _, e := range list {
			if held, ok := holds[e.Response]; !ok || e.Supersedes(held) {
				holds[e.Response] = e
			}
		}
	}
}
