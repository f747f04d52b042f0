package survey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"
)

// ID identifies a response: a UUID of version 7 (RFC 9562) whose timestamp is
// rounded down to the hour, which section 6.1 allows. It tells no more than
// the hour that is stored anyway, and neighbours in time stay neighbours in an
// index.
type ID = uuid.UUID

// ErrIDHour says that the time inside an id is finer than an hour.
var ErrIDHour = errors.New("the time inside the id is not a whole hour")

// NewID mints an id for the hour in which now falls, with 74 random bits read
// from random.
func NewID(now time.Time, random io.Reader) (ID, error) {
	var id ID
	if _, err := io.ReadFull(random, id[6:]); err != nil {
		return ID{}, fmt.Errorf("mint an id: %w", err)
	}
	stampID(&id, now)
	return id, nil
}

// DerivedID is the id of an answer that has none of its own: the hour, then
// HMAC-SHA-256 of the parts under key. The same parts give the same id, so a
// file that is imported twice is stored once; without the key nobody can tell
// from the id what was in the line.
func DerivedID(key []byte, at time.Time, parts ...string) ID {
	mac := hmac.New(sha256.New, key)
	mac.Write(appendParts(nil, parts...))
	var id ID
	copy(id[6:], mac.Sum(nil))
	stampID(&id, at)
	return id
}

func stampID(id *ID, t time.Time) {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(Hour(t).UnixMilli()))
	copy(id[:6], ms[2:])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
}

// ParseID reads the canonical text form of an id (36 characters). It returns
// [ErrIDHour] when the time inside is not a whole hour.
func ParseID(s string) (ID, error) {
	if len(s) != 36 {
		return ID{}, fmt.Errorf("an id has 36 characters, not %d", len(s))
	}
	id, err := uuid.Parse(s)
	if err != nil {
		return ID{}, err
	}
	if id.Version() != 7 || id.Variant() != uuid.RFC4122 {
		return ID{}, errors.New("not a UUID of version 7")
	}
	if IDHour(id).UnixMilli()%time.Hour.Milliseconds() != 0 {
		return ID{}, ErrIDHour
	}
	return id, nil
}

// IDHour returns the time inside an id, in UTC. A tablet may have minted it
// with a wrong clock: never take it for the time of the answer.
func IDHour(id ID) time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC()
}

// appendParts appends parts so that no two lists of parts look alike.
func appendParts(to []byte, parts ...string) []byte {
	for _, p := range parts {
		to = append(binary.AppendUvarint(to, uint64(len(p))), p...)
	}
	return to
}
