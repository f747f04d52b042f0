package kiosk

import (
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"sipas/survey"
)

// Bounds of a batch.
const (
	// MaxItems is the most answers in a batch.
	MaxItems = 200
	// MaxExport is the most answers in an exported file.
	MaxExport = 20_000
	// maxSessions of a month in which a tablet sleeps after everybody.
	maxSessions = 20_000
	// maxRanges of numbers; a real tablet has a handful.
	maxRanges = 2000
	// maxSealed fits an answer with a comment of 1,000 characters many times over.
	maxSealed = 16 << 10
	maxText   = 80
	// maxSeconds is how long an answer may take: survey.Submission.
	maxSeconds = 86400
)

// Batch is what a tablet says when it is in contact, with answers or without.
type Batch struct {
	// Turn grows with every batch of an epoch: one that was held up on the way says
	// nothing new of the tablet, though its answers count.
	Turn int64 `json:"turn"`
	// Nonce is random; the signature of the answer covers it.
	Nonce string `json:"nonce"`
	// Epoch is random and made with the tablet's database: 32 hexadecimal digits. A
	// tablet whose storage was wiped begins a new one, and numbers from 1 again.
	Epoch string `json:"epoch"`
	// Highest is the highest number given out in the epoch.
	Highest int64 `json:"highest"`
	// Unsent answers are in the queue, Kept ones were sent and are still there.
	Unsent Numbers `json:"unsent"`
	Kept   Numbers `json:"kept"`
	// App and Bundle are the versions of the program and of the survey that run.
	App    string `json:"app"`
	Bundle string `json:"bundle"`
	// Session, Mono and Wall are the tablet's clocks as it sends.
	Session int64 `json:"session"`
	Mono    int64 `json:"mono"`
	Wall    int64 `json:"wall"`
	// Sessions are those of the answers here, of those that wait, and the ones before
	// and after that were in contact.
	Sessions []Session `json:"sessions"`
	Status   Status    `json:"status"`
	Items    []Sealed  `json:"items"`
}

// Status is what a tablet tells of itself, as far as its browser does.
type Status struct {
	// Battery is the charge, 0 to 1; nil where it is not told.
	Battery  *float64 `json:"battery"`
	Charging bool     `json:"charging"`
	// Persisted: the browser promised not to clear the storage by itself.
	Persisted bool `json:"persisted"`
	// Used and Quota of the storage in bytes, 0 where it is not told.
	Used  int64 `json:"used"`
	Quota int64 `json:"quota"`
	// Room is for how many bytes its last probe of the storage found room, up to
	// EnoughRoom; nil where it did not probe.
	Room *int64 `json:"room,omitempty"`
	// Abandoned counts those of the epoch that began and did not finish; what they
	// said was discarded.
	Abandoned int64 `json:"abandoned"`
	// Problem is a code of why it takes no answers now, "" when it does: full, clock,
	// closed (no round), preparing (no survey yet, or no contact has said the time),
	// stopped (its storage fails), revoked.
	Problem string `json:"problem"`
}

// Sealed is an answer as it lies on a tablet.
type Sealed struct {
	N      int64  `json:"n"`
	Sealed []byte `json:"sealed"` // base64 in JSON
}

// Item is what is sealed: what any client says of an answer, and what only a tablet
// does.
type Item struct {
	survey.Submission
	// Receipt is the SHA-256, in hexadecimal digits, of the withdrawal code that the
	// tablet made and showed.
	Receipt string `json:"receipt"`
	// Session, Mono and Wall are the tablet's clocks when it was finished.
	Session int64 `json:"session"`
	Mono    int64 `json:"mono"`
	Wall    int64 `json:"wall"`
}

// ErrBatch says that a batch is none: it was not made by a program that keeps to
// Batch, and nothing in it was looked at.
var ErrBatch = errors.New("not a batch of a tablet")

// ReadBatch reads a batch of at most most answers and checks its bounds: ErrBatch.
func ReadBatch(text []byte, most int) (*Batch, error) {
	b := &Batch{}
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBatch, err)
	}
	refuse := func(what string) (*Batch, error) { return nil, fmt.Errorf("%w: %s", ErrBatch, what) }
	switch epoch, err := hex.DecodeString(b.Epoch); {
	case err != nil || len(epoch) != 16:
		return refuse("epoch")
	case b.Turn < 0 || b.Turn > MaxNumber:
		return refuse("turn")
	case len(b.Nonce) < 16 || len(b.Nonce) > maxText:
		return refuse("nonce")
	case b.Highest < 0 || b.Highest > MaxNumber:
		return refuse("highest")
	case len(b.App) > maxText || len(b.Bundle) > maxText || len(b.Status.Problem) > maxText:
		return refuse("a text is too long")
	case b.Status.Battery != nil && !(*b.Status.Battery >= 0 && *b.Status.Battery <= 1):
		return refuse("battery")
	case b.Status.Used < 0 || b.Status.Quota < 0 || b.Status.Abandoned < 0 || b.Status.Room != nil && *b.Status.Room < 0:
		return refuse("status")
	case len(b.Items) > most:
		return refuse("too many answers")
	case len(b.Sessions) > maxSessions:
		return refuse("too many sessions")
	case len(b.Unsent) > maxRanges || len(b.Kept) > maxRanges:
		return refuse("too many ranges of numbers")
	case !utf8.Valid(text):
		return refuse("not UTF-8")
	}
	for i, it := range b.Items {
		if it.N < 1 || it.N > MaxNumber || len(it.Sealed) == 0 || len(it.Sealed) > maxSealed {
			return refuse(fmt.Sprintf("the number or size of answer %d of %d", i+1, len(b.Items)))
		}
		b.Highest = max(b.Highest, it.N)
	}
	return b, nil
}

// Arrival is an answer of a batch, opened.
type Arrival struct {
	N      int64
	Digest string
	Sealed []byte
	Item   Item
	// Receipt is the hash under which its giver withdraws it.
	Receipt []byte
	// At is when it was given, UTC; Unsure says that no contact proves that.
	At     time.Time
	Unsure bool
	// Begun is when the person began: At less the time that it took. It is the zero time
	// for an answer from the quarantine, of which only the hour is known.
	Begun time.Time
	// Err says why it cannot be read: it was not sealed to this key, or is no answer.
	Err error
}

// Arrives says that the batch comes from its tablet at this moment, which makes the
// session exact in which it was sent. One that was written into a file does not.
func (b *Batch) Arrives(now time.Time) {
	b.Sessions = append(b.Sessions, Session{N: b.Session, From: b.Mono, To: b.Mono, Wall: b.Wall, Anchor: &Anchor{Mono: b.Mono, Time: now.UnixMilli()}})
}

// Open opens the answers of a batch of a tablet that existed since born, and finds out
// when each was given.
func (b *Batch) Open(key *SealKey, born, now time.Time) []Arrival {
	clock := Repair(b.Sessions, born, now)
	out := make([]Arrival, len(b.Items))
	for i, it := range b.Items {
		out[i] = open(key, it.Sealed)
		out[i].N = it.N
		if out[i].Err != nil { // nothing says of which session it is
			out[i].At, out[i].Unsure = time.UnixMilli(now.UnixMilli()).UTC(), true
			continue
		}
		a := &out[i]
		a.At, a.Unsure = clock.When(a.Item.Session, a.Item.Mono, a.Item.Wall)
		if took := a.Item.Seconds; took >= 0 && took <= maxSeconds {
			a.Begun = a.At.Add(-time.Duration(took * float64(time.Second)))
		}
	}
	return out
}

func open(key *SealKey, sealed []byte) Arrival {
	a := Arrival{Digest: Digest(sealed), Sealed: sealed}
	text, err := key.open(sealAnswer, sealed)
	if err != nil {
		a.Err = err
		return a
	}
	if err := json.Unmarshal(text, &a.Item); err != nil {
		a.Err = fmt.Errorf("it is no answer: %w", err)
		return a
	}
	if a.Receipt, err = hex.DecodeString(a.Item.Receipt); err != nil || len(a.Receipt) != 32 {
		a.Err = errors.New("its receipt is no hash")
	}
	return a
}

// Reopen opens an answer from the quarantine. When it was given was found out when
// it arrived.
func Reopen(key *SealKey, sealed []byte) Arrival { return open(key, sealed) }

// Accept takes an answer of a device through the door of the domain. The error is a
// [*survey.Error], or says why the answer cannot be read.
func (a *Arrival) Accept(c *survey.Catalogue, d *Device, now time.Time) (survey.Response, error) {
	if a.Err != nil {
		return survey.Response{}, a.Err
	}
	if !d.StoodAt(a.Item.Desk) {
		return survey.Response{}, &survey.Error{Fields: []survey.FieldError{{Field: "desk", Code: survey.CodeDeskUnknown, Detail: "the tablet never stood there"}}}
	}
	from := survey.Origin{Channel: survey.ChannelKiosk, Door: survey.DoorOpen, Answered: a.At, Begun: a.Begun}
	if a.Unsure {
		from.Flags |= survey.FlagClock
	}
	r, err := survey.Accept(c, a.Item.Submission, from, now)
	if err == nil {
		r.Receipt = a.Receipt
	}
	return r, err
}

// CountedAt is when an answer counts as given, in the documents of now: At, or Begun where
// its round ended in between and takes it ([survey.Catalogue.InGrace]). The quarantine
// keeps the hour of it, since that of At would be outside the round for good.
func (a *Arrival) CountedAt(c *survey.Catalogue) time.Time {
	round, desk := c.Rounds[a.Item.Round], c.Desks[a.Item.Desk]
	if round != nil && desk != nil && c.InGrace(round, desk, a.Begun, a.At, true) {
		return a.Begun
	}
	return a.At
}

// Export is a file in which a tablet hands over what it could not send. Device names
// the tablet; Sealed is an exportText, sealed to the server.
type Export struct {
	Format int    `json:"sipas_kiosk_export"`
	Device string `json:"device"`
	Sealed []byte `json:"sealed"`
}

// exportText is the text of a batch, and the proof that the tablet with the key wrote
// it: anybody can seal to the server.
type exportText struct {
	Batch string `json:"batch"`
	MAC   string `json:"mac"`
}

// ErrExport says that a file is no export of this installation's tablets, or was
// altered.
var ErrExport = errors.New("not a whole, unaltered export of a tablet of this installation")

// ReadExport reads a file that a tablet exported; device finds the tablet. Any key that
// the tablet ever had may have signed it: signed is the hash of the one that did, under
// which the receipts are for who wrote the file. ErrExport or ErrBatch.
func ReadExport(text []byte, key *SealKey, device func(id string) (Device, bool)) (d Device, signed []byte, b *Batch, err error) {
	var file Export
	if err := json.Unmarshal(text, &file); err != nil || file.Format != 1 {
		return Device{}, nil, nil, fmt.Errorf("%w: it is no such file", ErrExport)
	}
	d, ok := device(file.Device)
	if !ok {
		return d, nil, nil, fmt.Errorf("%w: there is no such tablet", ErrExport)
	}
	opened, err := key.open(sealExport, file.Sealed)
	if err != nil {
		return d, nil, nil, fmt.Errorf("%w: %w", ErrExport, err)
	}
	var inner exportText
	if err := json.Unmarshal(opened, &inner); err != nil {
		return d, nil, nil, fmt.Errorf("%w: %w", ErrExport, err)
	}
	for _, text := range append([]string{d.Key}, d.OldKeys...) {
		hash, ok := ReadKeyHash(text)
		if ok && hmac.Equal([]byte(signExport(hash, inner.Batch)), []byte(inner.MAC)) {
			b, err = ReadBatch([]byte(inner.Batch), MaxExport)
			return d, hash, b, err
		}
	}
	return d, nil, nil, fmt.Errorf("%w: no key of the tablet signed it", ErrExport)
}
