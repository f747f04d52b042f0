package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// quarantineLog has answers of tablets in which something is wrong, sealed as they
// came. Its ids are made of the sealed text. One that was taken after all, or put
// there a second time, leaves a tombstone.
var quarantineLog = &Log{Name: "quarantine", Fields: []Field{
	qDevice:   {"device", Text},
	qReason:   {"reason", Text},
	qAnswered: {"answered", Hour},
	qUnsure:   {"unsure", Text},
	qReceived: {"received", Hour},
	qSealed:   {"sealed", Text},
}}

const (
	qDevice = iota
	qReason
	qAnswered
	qUnsure
	qReceived
	qSealed
	quarantineFields
)

// Quarantined is an answer of a tablet that could not be taken, and waits for staff.
type Quarantined struct {
	ID     ID
	Device string
	// Reason says what is wrong: codes of package survey with their fields, never what
	// somebody answered.
	Reason string
	// Answered is the hour when it was given, UTC, as far as that is known: Unsure.
	Answered time.Time
	Unsure   bool
	// Received is the hour when it came, UTC.
	Received time.Time
	// Sealed is the answer as the tablet sealed it.
	Sealed []byte
}

// QuarantineID names a sealed answer.
func QuarantineID(sealed []byte) ID {
	sum := sha256.Sum256(sealed)
	return ID(sum[:16])
}

// Quarantine keeps answers that could not be taken. The outcome is Stored, Duplicate,
// or Withdrawn for one that was there before and left.
func (s *Store) Quarantine(ctx context.Context, list []Quarantined) ([]Outcome, error) {
	entries := make([]Entry, len(list))
	for i, q := range list {
		v := make([]string, quarantineFields)
		v[qDevice], v[qReason] = q.Device, q.Reason
		v[qAnswered], v[qReceived] = q.Answered.UTC().Format(hourLayout), q.Received.UTC().Format(hourLayout)
		if q.Unsure {
			v[qUnsure] = "yes"
		}
		v[qSealed] = base64.StdEncoding.EncodeToString(q.Sealed)
		sum := sha256.Sum256(q.Sealed)
		entries[i] = Entry{ID: QuarantineID(q.Sealed), Digest: sum[:], Values: v}
	}
	return s.engine.Append(ctx, quarantineLog, entries)
}

// InQuarantine returns a page of the quarantine by id, those after the one given; an
// empty page ends.
func (s *Store) InQuarantine(ctx context.Context, after ID) ([]Quarantined, error) {
	page, err := s.engine.Scan(ctx, quarantineLog, after, 500)
	if err != nil {
		return nil, fmt.Errorf("read the quarantine: %w", err)
	}
	list := make([]Quarantined, len(page))
	for i, e := range page {
		if list[i], err = entryQuarantined(e); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// QuarantineSize counts the answers in quarantine.
func (s *Store) QuarantineSize(ctx context.Context) (int64, error) {
	live, _, err := s.engine.Count(ctx, quarantineLog)
	return live, err
}

// WasQuarantined reports whether a sealed answer is in quarantine, or was.
func (s *Store) WasQuarantined(ctx context.Context, sealed []byte) (bool, error) {
	id := QuarantineID(sealed)
	_, err := s.engine.Find(ctx, quarantineLog, id)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return err == nil, err
	}
	return s.erased(ctx, quarantineLog, id)
}

// LeaveQuarantine removes an answer that was taken after all.
func (s *Store) LeaveQuarantine(ctx context.Context, id ID) error {
	err := s.engine.Erase(ctx, quarantineLog, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func entryQuarantined(e Entry) (Quarantined, error) {
	v := e.Values
	q := Quarantined{ID: e.ID, Device: v[qDevice], Reason: v[qReason], Unsure: v[qUnsure] != ""}
	var errs [3]error
	q.Answered, errs[0] = ParseHour(v[qAnswered])
	q.Received, errs[1] = ParseHour(v[qReceived])
	q.Sealed, errs[2] = base64.StdEncoding.DecodeString(v[qSealed])
	if err := errors.Join(errs[:]...); err != nil {
		return q, fmt.Errorf("%w: quarantine %x: %w", ErrCorrupt, e.ID, err)
	}
	return q, nil
}
