package kiosk

import (
	"fmt"
	"math"
	"slices"
	"time"

	"sipas/survey"
)

// Contact is what the server knows of a tablet by what it said. It has numbers of
// answers, and never an id beside one.
type Contact struct {
	// Epochs, oldest first; the last is the one of now.
	Epochs []Epoch `json:"epochs"`
	// Forgotten counts answers that were unaccounted for in epochs so old that they are
	// not listed any more, ForgottenOff those of them that were written off.
	Forgotten    int64 `json:"forgotten,omitempty"`
	ForgottenOff int64 `json:"forgotten_off,omitempty"`
	// WroteOff is when staff last wrote something off, to the minute, UTC.
	WroteOff time.Time `json:"wrote_off,omitzero"`
	// Last is the last contact, to the minute, UTC.
	Last time.Time `json:"last"`
	App  string    `json:"app"`
	// Bundle is the version of the survey that the tablet shows.
	Bundle string `json:"bundle"`
	// Offset is the true time minus the tablet's wall clock, in milliseconds.
	Offset int64  `json:"offset"`
	Status Status `json:"status"`
	// Queue is how many answers waited after the last contact; Before is how many did at
	// least an hour earlier, 0 where that is not known. Since is what Before becomes an
	// hour after At.
	Queue  int64     `json:"queue"`
	Before int64     `json:"before"`
	Since  int64     `json:"since"`
	At     time.Time `json:"at"`
}

// Epoch is the life of a tablet's database, and of the numbers that it gave out.
type Epoch struct {
	ID    string    `json:"id"`
	Began time.Time `json:"began"`
	// Turn is that of the newest batch.
	Turn    int64 `json:"turn"`
	Highest int64 `json:"highest"`
	// Received answers are stored, withdrawn, in quarantine or discarded from it.
	Received Numbers `json:"received"`
	// Unsent answers wait on the tablet.
	Unsent Numbers `json:"unsent"`
	// Covered answers are in a backup that was verified and kept: the tablet may forget
	// them.
	Covered Numbers `json:"covered"`
	// Clones counts answers that came under a number of another one.
	Clones int64 `json:"clones,omitempty"`
	// WrittenOff answers are gone and staff know; of ClonesOff of the clones they do too.
	WrittenOff Numbers `json:"written_off,omitempty"`
	ClonesOff  int64   `json:"clones_off,omitempty"`
}

// maxEpochs bounds how many epochs are listed.
const maxEpochs = 20

// Epoch finds an epoch, an empty one where there is none.
func (c *Contact) Epoch(id string) Epoch {
	for _, e := range c.Epochs {
		if e.ID == id {
			return e
		}
	}
	return Epoch{ID: id}
}

// Room refuses a batch whose numbers are so scattered that what is known of the tablet
// would grow without end: ErrBatch. A tablet sends its lowest numbers first.
func (c *Contact) Room(b *Batch) error {
	numbers := make([]int64, len(b.Items))
	for i, it := range b.Items {
		numbers[i] = it.N
	}
	before := c.Epoch(b.Epoch).Received
	if n := len(before.With(numbersOf(numbers))); n > maxRanges && n > len(before) {
		return fmt.Errorf("%w: its numbers are scattered", ErrBatch)
	}
	return nil
}

// Learn takes up what a batch said: received are the numbers of its answers that have
// a receipt now, clones how many of them were a second one under their number. A batch
// from a file has turn -1: it says nothing of now, not even that its epoch is the one of
// now where that was in contact.
func (c *Contact) Learn(b *Batch, received []int64, clones int64, now time.Time) {
	c.Epochs = slices.Clone(c.Epochs)
	at := slices.IndexFunc(c.Epochs, func(e Epoch) bool { return e.ID == b.Epoch })
	switch {
	case at < 0:
		if at = len(c.Epochs); b.Turn < 0 {
			at = max(at-1, 0)
		}
		c.Epochs = slices.Insert(c.Epochs, at, Epoch{ID: b.Epoch, Began: now.UTC().Truncate(time.Minute), Turn: -1})
	case c.Epochs[at].Turn < 0 && b.Turn >= 0: // only a file told of it so far
		e := c.Epochs[at]
		c.Epochs = append(slices.Delete(c.Epochs, at, at+1), e)
		at = len(c.Epochs) - 1
	}
	e := &c.Epochs[at]
	e.Received = e.Received.With(numbersOf(received))
	e.Highest = max(e.Highest, b.Highest)
	e.Clones += clones
	newest := b.Turn > e.Turn && at == len(c.Epochs)-1
	if newest {
		// What it sent before and is not here (a backup was restored) comes again.
		e.Turn, e.Unsent = b.Turn, b.Unsent.With(b.Kept).Without(e.Received)
		c.App, c.Bundle, c.Offset, c.Status = b.App, b.Bundle, now.UnixMilli()-b.Wall, b.Status
		c.Last = now.UTC().Truncate(time.Minute)
		c.Queue = e.Unsent.Len()
		if c.At.IsZero() || now.Sub(c.At) >= time.Hour {
			c.Before, c.Since, c.At = c.Since, c.Queue, c.Last
		}
	} else {
		e.Unsent = e.Unsent.Without(e.Received)
	}
	e.WrittenOff = e.WrittenOff.And(c.gone(at)) // what turned up and is lost again is news
	if n := len(c.Epochs) - maxEpochs; n > 0 {
		for i := range c.Epochs[:n] {
			c.Forgotten += c.missing(i).Len()
			c.ForgottenOff += c.Epochs[i].WrittenOff.Len()
		}
		c.Epochs = c.Epochs[n:]
	}
}

// Cover notes that answers are in a backup that was verified and is kept. It reports
// whether that is news.
func (c *Contact) Cover(epoch string, received Numbers) bool {
	at := slices.IndexFunc(c.Epochs, func(e Epoch) bool { return e.ID == epoch })
	if at < 0 || len(received.And(c.Epochs[at].Received).Without(c.Epochs[at].Covered)) == 0 {
		return false
	}
	c.Epochs = slices.Clone(c.Epochs)
	e := &c.Epochs[at]
	e.Covered = e.Covered.With(received.And(e.Received))
	return true
}

// WriteOff notes that staff know of everything that is missing now, and of all clones:
// it is no matter any more, and what arrives after all is received as always.
func (c *Contact) WriteOff(now time.Time) {
	if c.Lost() == 0 && c.Clones() == 0 {
		return
	}
	c.Epochs = slices.Clone(c.Epochs)
	for i := range c.Epochs {
		e := &c.Epochs[i]
		e.WrittenOff, e.ClonesOff = c.gone(i), e.Clones
	}
	c.Forgotten, c.ForgottenOff = 0, c.ForgottenOff+c.Forgotten
	c.WroteOff = now.UTC().Truncate(time.Minute)
}

// WrittenOff counts answers that were written off and did not arrive since, and clones
// that were.
func (c *Contact) WrittenOff() (answers, clones int64) {
	answers = c.ForgottenOff
	for _, e := range c.Epochs {
		answers += e.WrittenOff.Len()
		clones += e.ClonesOff
	}
	return answers, clones
}

// gone are the numbers of an epoch that were given out and are neither received nor,
// in the epoch of now, waiting on the tablet.
func (c *Contact) gone(at int) Numbers {
	e := &c.Epochs[at]
	out := upTo(e.Highest).Without(e.Received)
	if at == len(c.Epochs)-1 {
		out = out.Without(e.Unsent)
	}
	return out
}

// missing are the numbers that are gone and nobody wrote off.
func (c *Contact) missing(at int) Numbers { return c.gone(at).Without(c.Epochs[at].WrittenOff) }

// Missing are the numbers of the present epoch that the tablet gave out, and has no
// more, and that never arrived, without those written off.
func (c *Contact) Missing() Numbers {
	if len(c.Epochs) == 0 {
		return nil
	}
	return c.missing(len(c.Epochs) - 1)
}

// Unaccounted counts the numbers of earlier epochs that never arrived: what was on the
// tablet when its storage was wiped. What it gave out after its last contact is not
// known, and not in it; what was written off is not either.
func (c *Contact) Unaccounted() int64 {
	n := c.Forgotten
	for i := range max(len(c.Epochs)-1, 0) {
		n += c.missing(i).Len()
	}
	return n
}

// Lost counts what is missing in all epochs.
func (c *Contact) Lost() int64 { return c.Missing().Len() + c.Unaccounted() }

// Clones counts answers that came under a number of another one, without those written
// off: two tablets have the same database.
func (c *Contact) Clones() int64 {
	var n int64
	for _, e := range c.Epochs {
		n += e.Clones - e.ClonesOff
	}
	return n
}

// The states of a tablet.
const (
	StateCloned   = "cloned"
	StateMissing  = "missing"
	StateStopped  = "stopped"
	StateClock    = "clock"
	StateBattery  = "battery"
	StateStorage  = "storage"
	StateQueue    = "queue"
	StateSilent   = "silent"
	StateUnpaired = "unpaired"
	StateRevoked  = "revoked"
	StateFine     = "fine"
)

// States lists them, worst first. Nothing is to be done about a revoked tablet but about
// answers that are lost with it.
var States = []string{StateCloned, StateMissing, StateStopped, StateClock, StateBattery, StateStorage, StateQueue, StateSilent, StateUnpaired, StateRevoked, StateFine}

const (
	// silentAfter is for how much of the opening hours a tablet may say nothing.
	silentAfter = time.Hour
	// queueLong is how many answers may wait without anybody being told.
	queueLong = 100
	// ClockLimit is by how much a wall clock may be wrong.
	ClockLimit = 5 * time.Minute
	// batteryLow is the charge in percent below which a tablet that is not plugged in soon goes off.
	batteryLow = 20
	// EnoughRoom is the room in bytes that a tablet's storage should have.
	EnoughRoom = 8 << 20
	// storageHigh is how much of its quota in percent a tablet may use.
	storageHigh = 90
)

// harmless problems are none: no round is open, or the tablet was paired just now.
var harmless = []string{"", "closed", "preparing"}

// Percent is the charge as it is shown, nil where it is not told.
func (s *Status) Percent() *int {
	if s.Battery == nil {
		return nil
	}
	percent := int(math.Round(*s.Battery * 100))
	return &percent
}

// BatteryLow: it is not plugged in, and below a fifth of its charge.
func (s *Status) BatteryLow() bool {
	percent := s.Percent()
	return percent != nil && *percent < batteryLow && !s.Charging
}

// StorageLow: its last probe found less room than a tablet should have, or it uses nearly all
// that its browser gives it. Browsers name a quota for which the disk has no room, so the probe
// goes before.
func (s *Status) StorageLow() bool {
	return s.Room != nil && *s.Room < EnoughRoom || s.Quota > 0 && float64(s.Used)/float64(s.Quota) > storageHigh/100.0
}

// Standing says how a tablet does: all of States that apply, or StateFine.
func (c *Contact) Standing(d *Device, now time.Time) []string {
	paired, revoked := d.Key != "" && !c.Last.IsZero(), d.Revoked != nil
	works := paired && !revoked
	applies := map[string]bool{
		StateCloned:   c.Clones() > 0,
		StateMissing:  c.Lost() > 0,
		StateStopped:  works && !slices.Contains(harmless, c.Status.Problem),
		StateClock:    works && (c.Offset > ClockLimit.Milliseconds() || c.Offset < -ClockLimit.Milliseconds()),
		StateBattery:  works && c.Status.BatteryLow(),
		StateStorage:  works && c.Status.Problem != "full" && c.Status.StorageLow(),
		StateQueue:    !revoked && c.Queue >= queueLong && c.Queue > c.Before,
		StateSilent:   works && openBetween(c.Last, now) > silentAfter,
		StateUnpaired: !paired && !revoked,
		StateRevoked:  revoked,
	}
	var list []string
	for _, state := range States {
		if applies[state] {
			list = append(list, state)
		}
	}
	if list == nil {
		list = []string{StateFine}
	}
	return list
}

// Opening hours, local time, Monday to Friday. Days off are not known: a tablet is
// called silent on them.
const (
	opens  = 7*time.Hour + 30*time.Minute
	closes = 17 * time.Hour
)

// openBetween is how much of the opening hours lies between two moments, counted up to
// a week.
func openBetween(from, to time.Time) time.Duration {
	if to.Sub(from) > 7*24*time.Hour {
		from = to.Add(-7 * 24 * time.Hour)
	}
	var sum time.Duration
	for day := survey.DateOf(from); day <= survey.DateOf(to); day = day.AddDays(1) {
		start := day.Start()
		if w := start.In(survey.VietnamTime()).Weekday(); w == time.Saturday || w == time.Sunday {
			continue
		}
		begin, end := start.Add(opens), start.Add(closes)
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		if end.After(begin) {
			sum += end.Sub(begin)
		}
	}
	return sum
}
