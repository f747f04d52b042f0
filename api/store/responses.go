package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sipas/survey"
)

// The fields of a stored response, as positions in Entry.Values.
const (
	fRound = iota
	fInstrument
	fVersion
	fDesk
	fUnit
	fField
	fFiling
	fAnswers
	fModule
	fProfile
	fHelped
	fComment
	fLanguage
	fChannel
	fDoor
	fAnswered
	fReceived
	fFlags
	fStratum
	fPSU
	fWeight
	responseFields
)

// responseLog is the schema of the log of responses. New fields go at the end.
var responseLog = &Log{Name: "responses", Fields: []Field{
	fRound:      {"round", Text},
	fInstrument: {"instrument", Text},
	fVersion:    {"version", Int},
	fDesk:       {"desk", Text},
	fUnit:       {"unit", Text},
	fField:      {"field", Text},
	fFiling:     {"filing", Text},
	fAnswers:    {"answers", Text},
	fModule:     {"module", Text},
	fProfile:    {"profile", Pairs},
	fHelped:     {"helped", Text},
	fComment:    {"comment", Text},
	fLanguage:   {"language", Text},
	fChannel:    {"channel", Text},
	fDoor:       {"door", Text},
	fAnswered:   {"answered", Hour},
	fReceived:   {"received", Hour},
	fFlags:      {"flags", Text},
	fStratum:    {"stratum", Text},
	fPSU:        {"psu", Text},
	fWeight:     {"weight", Real},
}}

// hourLayout is the canonical text of an Hour field.
const hourLayout = "2006-01-02T15"

// AddResponses seals and stores responses and returns one outcome for each.
// With an error, some outcomes are Failed: those may be sent again. Everything
// Stored or Duplicate is durable. A Duplicate may have come with another receipt
// than the one that is stored, and stays: Receipt is then the stored one.
func (s *Store) AddResponses(ctx context.Context, rs []survey.Response) ([]Outcome, error) {
	entries := make([]Entry, len(rs))
	for i := range rs {
		survey.Seal(&rs[i], s.digestKey)
		entries[i] = responseEntry(&rs[i])
	}
	outcomes, err := s.engine.Append(ctx, responseLog, entries)
	for i, outcome := range outcomes {
		if outcome != Conflict {
			continue
		}
		var failed error
		if outcomes[i], failed = sameButReceipt(ctx, s.engine, s.digestKey, &entries[i]); failed != nil {
			err = errors.Join(err, failed)
		}
		rs[i].Digest, rs[i].Receipt = entries[i].Digest, entries[i].Receipt
	}
	return outcomes, err
}

// sameButReceipt looks at a response that is stored under another digest. One that
// says the same and differs in its receipt alone is a Duplicate and takes over the
// stored receipt: the answer of a form that was opened before forms had a nonce, or
// a line of a file that earlier versions gave a receipt. Nothing that is stored
// changes, or whoever has read an answer could make its receipt.
func sameButReceipt(ctx context.Context, engine Engine, key []byte, e *Entry) (Outcome, error) {
	stored, err := engine.Find(ctx, responseLog, e.ID)
	if errors.Is(err, ErrNotFound) {
		return Withdrawn, nil // in this moment
	}
	if err != nil {
		return Failed, err
	}
	r, err := entryResponse(*e)
	if err != nil {
		return Failed, err
	}
	r.Receipt = stored.Receipt
	if survey.Seal(&r, key); !bytes.Equal(r.Digest, stored.Digest) {
		return Conflict, nil
	}
	e.Digest, e.Receipt = stored.Digest, stored.Receipt
	return Duplicate, nil
}

// Response finds a response by id; ErrNotFound also when it was withdrawn.
func (s *Store) Response(ctx context.Context, id survey.ID) (survey.Response, error) {
	e, err := s.engine.Find(ctx, responseLog, id)
	if err != nil {
		return survey.Response{}, err
	}
	return entryResponse(e)
}

// WasWithdrawn reports whether the response with this id was withdrawn, or discarded.
func (s *Store) WasWithdrawn(ctx context.Context, id survey.ID) (bool, error) {
	return s.erased(ctx, responseLog, id)
}

// Withdraw erases every response with this receipt, content and digest, and what is
// in quarantine under it; id-only tombstones stay, so that a resend is answered
// Withdrawn. ErrNotFound when no response has the receipt. A second one has it where
// somebody handed in a hash that was read: it must not stand before the first.
func (s *Store) Withdraw(ctx context.Context, receipt string) error {
	hash, err := survey.ReceiptHash(receipt)
	if err != nil {
		return ErrNotFound
	}
	// The quarantine first: what is taken from it meanwhile is then found below.
	found := false
	for {
		aside, err := s.withdrawQuarantined(ctx, hash)
		if err != nil {
			return err
		}
		if !aside {
			break
		}
		found = true
	}
	for {
		e, err := s.engine.FindReceipt(ctx, responseLog, hash)
		if found && errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := s.engine.Erase(ctx, responseLog, e.ID); err != nil {
			return err
		}
		found = true
	}
}

// CountResponses returns how many responses are stored and how many were
// withdrawn.
func (s *Store) CountResponses(ctx context.Context) (live, withdrawn int64, err error) {
	return s.engine.Count(ctx, responseLog)
}

// ScanResponses returns a page of the stored responses in id order, those after
// the id given (the zero id starts); an empty page ends.
func (s *Store) ScanResponses(ctx context.Context, after survey.ID) ([]Record, error) {
	page, err := s.engine.Scan(ctx, responseLog, after, PageSize)
	if err != nil {
		return nil, err
	}
	records := make([]Record, len(page))
	for i, e := range page {
		records[i] = Record{entry: e}
	}
	return records, nil
}

// FollowResponses starts a follower at the beginning of the log of responses.
func (s *Store) FollowResponses(ctx context.Context) (*ResponseFollower, error) {
	f, err := s.engine.Follow(ctx, responseLog)
	if err != nil {
		return nil, err
	}
	return &ResponseFollower{f}, nil
}

// ResponseFollower is a Follower whose events are responses.
type ResponseFollower struct{ Follower }

// Next is Follower.Next.
func (f *ResponseFollower) Next(ctx context.Context) ([]Record, error) {
	events, err := f.Follower.Next(ctx)
	if err != nil {
		return nil, err
	}
	records := make([]Record, len(events))
	for i, e := range events {
		records[i] = Record{entry: e.Entry, Erased: e.Erased}
	}
	return records, nil
}

// Record is a stored response that is decoded field by field, as asked for:
// columns need a few fields of millions of them.
type Record struct {
	entry Entry
	// Erased: the response was withdrawn; only ID is known.
	Erased bool
}

// RecordOf is the record of a response that is not stored, as it would be read
// back.
func RecordOf(r *survey.Response) Record { return Record{entry: responseEntry(r)} }

// ID returns the response's id.
func (r Record) ID() survey.ID { return r.entry.ID }

// Round returns the round's id.
func (r Record) Round() string { return r.entry.Values[fRound] }

// Instrument returns the instrument's id.
func (r Record) Instrument() string { return r.entry.Values[fInstrument] }

// Version returns the instrument's version in decimal digits.
func (r Record) Version() string { return r.entry.Values[fVersion] }

// Desk returns the desk's code.
func (r Record) Desk() string { return r.entry.Values[fDesk] }

// Unit returns the unit's id.
func (r Record) Unit() string { return r.entry.Values[fUnit] }

// Field returns the service field's id, "" when not said.
func (r Record) Field() string { return r.entry.Values[fField] }

// Filing returns the filing channel, "" when not said.
func (r Record) Filing() string { return r.entry.Values[fFiling] }

// Answers returns one code an item.
func (r Record) Answers() string { return r.entry.Values[fAnswers] }

// Profile returns the canonical line of [survey.Profile.String].
func (r Record) Profile() string { return r.entry.Values[fProfile] }

// Helped returns who helped, "" when not said.
func (r Record) Helped() string { return r.entry.Values[fHelped] }

// Channel returns the channel.
func (r Record) Channel() string { return r.entry.Values[fChannel] }

// Door returns the door.
func (r Record) Door() string { return r.entry.Values[fDoor] }

// Answered returns the UTC hour of the answer as "2006-01-02T15".
func (r Record) Answered() string { return r.entry.Values[fAnswered] }

// Received returns the UTC hour of receipt as "2006-01-02T15".
func (r Record) Received() string { return r.entry.Values[fReceived] }

// Flags returns the names of the flags, separated by commas.
func (r Record) Flags() string { return r.entry.Values[fFlags] }

// Stratum, PSU and Weight describe the draw, "" where there was none.
func (r Record) Stratum() string { return r.entry.Values[fStratum] }

// PSU returns the primary sampling unit, "" without a draw.
func (r Record) PSU() string { return r.entry.Values[fPSU] }

// Weight returns the design weight in decimal, "" without a draw.
func (r Record) Weight() string { return r.entry.Values[fWeight] }

// Response decodes everything.
func (r Record) Response() (survey.Response, error) { return entryResponse(r.entry) }

// ParseHour reads what [Record.Answered] returns.
func ParseHour(s string) (time.Time, error) { return time.Parse(hourLayout, s) }

func responseEntry(r *survey.Response) Entry {
	v := make([]string, responseFields)
	v[fRound], v[fInstrument], v[fVersion] = r.Round, r.Instrument, strconv.Itoa(r.Version)
	v[fDesk], v[fUnit], v[fField], v[fFiling] = r.Desk, r.Unit, r.Field, r.Filing
	v[fAnswers], v[fModule], v[fProfile] = string(r.Answers), r.Module, r.Profile.String()
	v[fHelped], v[fComment], v[fLanguage] = r.Helped, r.Comment, r.Language
	v[fChannel], v[fDoor] = string(r.Channel), string(r.Door)
	v[fAnswered], v[fReceived] = r.Answered.UTC().Format(hourLayout), r.Received.UTC().Format(hourLayout)
	v[fFlags] = strings.Join(r.Flags.Names(), ",")
	if d := r.Draw; d != nil {
		v[fStratum], v[fPSU], v[fWeight] = d.Stratum, d.PSU, strconv.FormatFloat(d.Weight, 'g', -1, 64)
	}
	return Entry{ID: r.ID, Digest: r.Digest, Receipt: r.Receipt, Values: v}
}

func entryResponse(e Entry) (survey.Response, error) {
	v := e.Values
	fail := func(field int, err error) (survey.Response, error) {
		return survey.Response{}, fmt.Errorf("%w: response %s, field %s: %w", ErrCorrupt, survey.ID(e.ID), responseLog.Fields[field].Name, err)
	}
	version, err := strconv.Atoi(v[fVersion])
	if err != nil {
		return fail(fVersion, err)
	}
	answered, err := time.Parse(hourLayout, v[fAnswered])
	if err != nil {
		return fail(fAnswered, err)
	}
	received, err := time.Parse(hourLayout, v[fReceived])
	if err != nil {
		return fail(fReceived, err)
	}
	var flags survey.Flags
	if v[fFlags] != "" {
		if flags, err = survey.ParseFlags(strings.Split(v[fFlags], ",")); err != nil {
			return fail(fFlags, err)
		}
	}
	r := survey.Response{
		ID: e.ID, Round: v[fRound], Instrument: v[fInstrument], Version: version,
		Desk: v[fDesk], Unit: v[fUnit], Field: v[fField], Filing: v[fFiling],
		Answers: survey.Answers(v[fAnswers]), Module: v[fModule], Profile: survey.ParseProfile(v[fProfile]),
		Helped: v[fHelped], Comment: v[fComment], Language: v[fLanguage],
		Channel: survey.Channel(v[fChannel]), Door: survey.Door(v[fDoor]),
		Answered: answered, Received: received, Flags: flags, Digest: e.Digest, Receipt: e.Receipt,
	}
	if v[fWeight] != "" {
		weight, err := strconv.ParseFloat(v[fWeight], 64)
		if err != nil {
			return fail(fWeight, err)
		}
		r.Draw = &survey.Draw{Stratum: v[fStratum], PSU: v[fPSU], Weight: weight}
	}
	return r, nil
}
