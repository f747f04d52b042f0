// Package store keeps what the service must not lose.
//
// Two layers live here. Store is the typed one that the rest of the service calls: it speaks of responses, rounds and
// units. Engine, in this file, is the small interface below it: documents and logs of plain text, with no knowledge of
// surveys. An engine is one way to keep them: a local file (OpenFile), or MongoDB. Adding an engine means satisfying
// Engine and passing the conformance suite of this package. MONGODB.md tells what stands in MongoDB.
//
// What must not live here: rules about what an answer may say (package survey), figures computed from answers (package
// stats and api/analysis), HTTP. The database libraries are imported by this package alone, and none of their types
// appears in an exported name.
package store

import (
	"context"
	"errors"
)

// PageSize is the most entries, events or tombstones that one call of Scan, Tombstones or Next returns. It bounds how
// long an engine holds a snapshot open: a long one stops the file engine from reusing pages and stalls its writers.
const PageSize = 5000

// Errors that every engine returns, possibly wrapped; test with errors.Is.
var (
	// ErrNotFound: no document or entry under that id or receipt. An erased entry is not found.
	ErrNotFound = errors.New("store: not found")
	// ErrStale: the document was changed, created or deleted since the revision that the caller read.
	ErrStale = errors.New("store: changed by someone else since it was read")
	// ErrCursorGone: the follower fell too far behind, and the engine keeps no order of arrival that old. Start again
	// with a new Follow.
	ErrCursorGone = errors.New("store: follower fell behind, start again")
	// ErrUnavailable: the store cannot take or give anything now (disk full, server away). Nothing was lost; try later.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrClosed: the engine or follower was closed.
	ErrClosed = errors.New("store: closed")
	// ErrNewerFormat: the data were written by a newer version of this program, and are left untouched.
	ErrNewerFormat = errors.New("store: data have a newer format than this program knows")
	// ErrCorrupt: stored bytes that this program cannot have written.
	ErrCorrupt = errors.New("store: corrupt data")
)

// ID names an entry. It should be a UUIDv7 whose timestamp is a whole hour: entries then stay together by hour, which
// is what makes appending fast, and tell no finer time. Engines accept any bytes; other ids are only slower.
type ID = [16]byte

// Kind says what the text of a field means, so that an engine can store it in its natural type. The text is canonical:
// an engine returns exactly the text it was given, also when that text does not parse as its Kind.
type Kind uint8

// The kinds of a field. The empty text is allowed in each and means "none".
const (
	Text  Kind = iota // any UTF-8
	Int               // decimal integer: "-12"
	Hour              // UTC hour: "2006-01-02T15"
	Pairs             // "key=value;key=value", sorted by key
	Real              // shortest decimal that reads back as the same float64
)

// Field is one column of a Log.
type Field struct {
	Name string
	Kind Kind
}

// Log names an append-only log and its fields, in the order of Entry.Values. Later versions of the program may append
// fields, never remove or reorder them; entries stored before then have "" in the new ones.
type Log struct {
	Name   string
	Fields []Field
}

// Entry is one line of a log.
type Entry struct {
	ID      ID
	Digest  []byte   // over what the sender said; equal digests mean the same entry. May be empty
	Receipt []byte   // second key for FindReceipt, a hash; nil or empty: none
	Values  []string // by Log.Fields; appending fewer leaves the rest "", more is an error. Read back with every field
}

// Outcome says what became of one appended entry.
type Outcome uint8

// The outcomes of Append. The zero value is Failed, so that an outcome nobody set is never taken for success.
const (
	Failed    Outcome = iota // not acknowledged: it may or may not be stored later; resend it to learn
	Stored                   // new, and durable
	Duplicate                // already stored with the same digest, durable
	Conflict                 // the id is stored with another digest; what is stored was not changed
	Withdrawn                // the id was erased before, and is never stored again
)

// String gives the outcome's stable name: "failed", "stored", "duplicate", "conflict" or "withdrawn".
func (o Outcome) String() string {
	names := [...]string{"failed", "stored", "duplicate", "conflict", "withdrawn"}
	if int(o) < len(names) {
		return names[o]
	}
	return "unknown"
}

// Event is what a follower sees: a new entry, or the erasure of one, in which case only ID is set.
type Event struct {
	Entry
	Erased bool
}

// Document is one item of a set that staff edit.
type Document struct {
	ID       string
	Revision int64  // grows with every Put; never used again in the set, even after a Delete
	Body     []byte // a JSON object; compared by meaning, an engine may change spaces and the order of keys
}

// Engine keeps documents and logs. All methods may be called from many goroutines. Sets and logs need no creation:
// an unknown one is empty. Every method returns the context's error when it ends first; a write may land all the same.
type Engine interface {
	// Get returns ErrNotFound when the set has no such document.
	Get(ctx context.Context, set, id string) (Document, error)
	// Put stores the bodies of documents, in their order, and returns the revision of the last. A document's Revision is
	// the one that was read, 0 for one that must not exist yet; ErrStale when it is not the stored one: those before it
	// stay, and it and those after it are not stored.
	Put(ctx context.Context, set string, docs ...Document) (int64, error)
	// Delete returns ErrNotFound when there is no such document, ErrStale when its revision is another.
	Delete(ctx context.Context, set, id string, revision int64) error
	// List returns every document of the set, sorted by ID (bytes), and the revision of the set they were read at.
	List(ctx context.Context, set string) (docs []Document, setRevision int64, err error)
	// SetRevisions returns a revision for each set that was ever written; it changes with every Put and Delete there.
	// One cheap call, made to be polled each second.
	SetRevisions(ctx context.Context) (map[string]int64, error)

	// Append stores entries and returns one outcome for each, in order, also when err is not nil: those not taken are
	// then Failed, and err says why (ErrUnavailable, ErrClosed, the context's error). What is Stored or Duplicate is
	// durable. Within one call an id may come twice: the second is compared with the first.
	Append(ctx context.Context, log *Log, entries []Entry) ([]Outcome, error)
	// Find returns ErrNotFound for an unknown and for an erased id. Whatever was acknowledged before the call is found.
	Find(ctx context.Context, log *Log, id ID) (Entry, error)
	// FindReceipt finds an entry with this receipt, of several any; ErrNotFound also for an empty receipt.
	FindReceipt(ctx context.Context, log *Log, receipt []byte) (Entry, error)
	// Erase removes an entry's values, digest and receipt for good; an id-only tombstone stays. Erasing twice is no
	// error; ErrNotFound when the id was never stored.
	Erase(ctx context.Context, log *Log, id ID) error
	// Bury erases ids whether they were stored or not: a restored or copied log keeps its tombstones.
	Bury(ctx context.Context, log *Log, ids []ID) error
	// Follow starts a follower at the very beginning of the log.
	Follow(ctx context.Context, log *Log) (Follower, error)
	// Scan returns the live entries with ids greater than after, in id order: at most limit, and at most PageSize (also
	// for limit 0). The zero ID starts; an empty page ends. Entries appended behind the scan are not seen.
	Scan(ctx context.Context, log *Log, after ID, limit int) ([]Entry, error)
	// Tombstones pages through erased ids as Scan does through entries.
	Tombstones(ctx context.Context, log *Log, after ID, limit int) ([]ID, error)
	// Count returns how many entries are live and how many ids are erased.
	Count(ctx context.Context, log *Log) (live, erased int64, err error)

	// Ping returns nil when the store can take writes now.
	Ping(ctx context.Context) error
	// Close waits for writes under way, then releases everything. Later calls return ErrClosed; a second Close nil.
	Close() error
}

// Follower delivers a log from its beginning and then as it grows: every live entry exactly once, the erasure of an
// entry after the entry. An entry erased before it was delivered may never come; the erasure of one that never came may
// (ignore it). It is for one goroutine.
type Follower interface {
	// Next returns the next events, at most PageSize; none, at once, when the follower has delivered everything that was
	// acknowledged before the call. ErrCursorGone: this follower is of no more use. Other errors: call again.
	Next(ctx context.Context) ([]Event, error)
	// Changed returns a channel that is closed when Next may have something new: call Changed, then Next until it
	// returns nothing, then wait on that channel. It is also closed when the engine closes.
	Changed() <-chan struct{}
	// Progress returns how many of the entries present at the start were delivered, for display: total is an estimate,
	// done == total when the first load is over.
	Progress() (done, total int64)
	// Close releases the follower; Next then returns ErrClosed.
	Close()
}
