package store

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"sipas/kiosk"
	"sipas/survey"
)

// quarantineLog has answers of tablets in which something is wrong, sealed as they
// came. Its ids are made of the sealed text. One that left it leaves a tombstone: it
// was taken after all, and is among the responses or a tombstone there, or it was
// discarded and is never taken.
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
	// Receipt is the hash under which its giver withdraws it, nil where it cannot be read.
	Receipt []byte
}

// QuarantineID names a sealed answer.
func QuarantineID(sealed []byte) ID {
	sum := sha256.Sum256(sealed)
	return ID(sum[:16])
}

// Quarantine keeps answers that could not be taken. The outcome is Stored, Duplicate,
// or Withdrawn for one that was there before and left. Whether one is among the
// responses, or was withdrawn from them, is to be asked first: see [Store.WasWithdrawn].
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
		entries[i] = Entry{ID: QuarantineID(q.Sealed), Digest: sum[:], Receipt: q.Receipt, Values: v}
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

// LeaveQuarantine removes answers that are stored or withdrawn, as far as they are
// there.
func (s *Store) LeaveQuarantine(ctx context.Context, ids ...ID) error {
	if len(ids) == 0 {
		return nil
	}
	// Nearly always it is empty, and this is asked of every answer that is stored.
	if page, err := s.engine.Scan(ctx, quarantineLog, ID{}, 1); err != nil || len(page) == 0 {
		return err
	}
	var leave []ID
	for _, id := range ids {
		switch _, err := s.engine.Find(ctx, quarantineLog, id); {
		case err == nil:
			leave = append(leave, id)
		case !errors.Is(err, ErrNotFound):
			return err
		}
	}
	return s.bury(ctx, quarantineLog, leave)
}

// FindQuarantined finds an answer in quarantine; ErrNotFound also for one that left.
func (s *Store) FindQuarantined(ctx context.Context, id ID) (Quarantined, error) {
	e, err := s.engine.Find(ctx, quarantineLog, id)
	if err != nil {
		return Quarantined{}, err
	}
	return entryQuarantined(e)
}

// DiscardQuarantined erases answers in quarantine for good: they are never stored,
// whenever and under whatever seal they come again. One that is stored by now stays.
func (s *Store) DiscardQuarantined(ctx context.Context, list []Quarantined) error {
	key, err := s.SealKey()
	if err != nil {
		return err
	}
	var answers, ids []ID
	for _, q := range list {
		ids = append(ids, q.ID)
		id, err := survey.ParseID(kiosk.Reopen(key, q.Sealed).Item.ID)
		if err != nil {
			continue
		}
		// Another answer may have the id, which is then what is wrong with this one.
		switch _, err := s.engine.Find(ctx, responseLog, id); {
		case errors.Is(err, ErrNotFound):
			answers = append(answers, id)
		case err != nil:
			return err
		}
	}
	if err := s.bury(ctx, responseLog, answers); err != nil {
		return err
	}
	return s.bury(ctx, quarantineLog, ids)
}

func (s *Store) bury(ctx context.Context, log *Log, ids []ID) error {
	if len(ids) == 0 {
		return nil
	}
	return s.engine.Bury(ctx, log, ids)
}

// withdrawQuarantined erases what has a receipt in quarantine, and reports whether
// there was something.
func (s *Store) withdrawQuarantined(ctx context.Context, receipt []byte) (bool, error) {
	e, err := s.engine.FindReceipt(ctx, quarantineLog, receipt)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	q, err := entryQuarantined(e)
	if err != nil {
		return false, err
	}
	return true, s.DiscardQuarantined(ctx, []Quarantined{q})
}

func entryQuarantined(e Entry) (Quarantined, error) {
	v := e.Values
	q := Quarantined{ID: e.ID, Device: v[qDevice], Reason: v[qReason], Unsure: v[qUnsure] != "", Receipt: e.Receipt}
	var errs [3]error
	q.Answered, errs[0] = ParseHour(v[qAnswered])
	q.Received, errs[1] = ParseHour(v[qReceived])
	q.Sealed, errs[2] = base64.StdEncoding.DecodeString(v[qSealed])
	if err := errors.Join(errs[:]...); err != nil {
		return q, fmt.Errorf("%w: quarantine %x: %w", ErrCorrupt, e.ID, err)
	}
	return q, nil
}
