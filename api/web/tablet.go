package web

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
)

// enrolment is what a tablet says that staff gave a pairing code.
type enrolment struct {
	Code string `json:"code"`
	// KeySHA256 is the hash of the key that the tablet made for itself, in hexadecimal
	// digits; the key comes with its requests and is kept nowhere.
	KeySHA256 string `json:"key_sha256"`
}

// enrolled tells a tablet who it is.
type enrolled struct {
	Device string `json:"device"`
	Name   string `json:"name"`
	Desk   string `json:"desk"`
}

// enrol pairs a tablet. One that asks again because the answer was lost gets it again.
func (s *Server) enrol(r *request) error {
	var e enrolment
	if err := decode(r.Request().Body(), &e); err != nil {
		return err
	}
	hash, ok := kiosk.ReadKeyHash(e.KeySHA256)
	if !ok {
		return &survey.Error{Fields: []survey.FieldError{{Field: "key_sha256", Code: survey.CodeInvalid}}}
	}
	code, ok := kiosk.ReadPairingCode(e.Code)
	if !ok {
		return fail(codePairing)
	}
	d, err := s.store.PairDevice(r.context, code, hex.EncodeToString(hash), s.cfg.Now())
	if err != nil {
		return err
	}
	return r.send(fiber.StatusOK, enrolled{d.ID, d.Name, d.Desk()})
}

// syncAnswer is what a tablet is told. It acts on none of it without the signature
// that stands beside it: signedAnswer.
type syncAnswer struct {
	Nonce string `json:"nonce"`
	// Time is the true time in Unix milliseconds.
	Time    int64  `json:"time"`
	Revoked bool   `json:"revoked"`
	Name    string `json:"name"`
	Desk    string `json:"desk"`
	Message string `json:"message"`
	// Receipts of the answers of the batch; one without failed, and is to be sent again.
	Receipts []syncReceipt `json:"receipts"`
	// Received are the numbers of the epoch that the server has: whatever else the tablet
	// keeps is to be sent again. Covered ones may be forgotten.
	Received kiosk.Numbers `json:"received"`
	Covered  kiosk.Numbers `json:"covered"`
	// Bundle names the survey that the tablet should show, App the program that it should
	// run.
	Bundle string  `json:"bundle"`
	App    *appNow `json:"app,omitempty"`
}

// appNow is the program that this server has.
type appNow struct {
	Version string          `json:"version"`
	Files   []kiosk.AppFile `json:"files"`
}

type syncReceipt struct {
	N       int64         `json:"n"`
	Outcome kiosk.Outcome `json:"outcome"`
	Receipt string        `json:"receipt"`
}

type signedAnswer struct {
	// Answer is the text of a syncAnswer, MAC its signature: kiosk.SignAnswer.
	Answer string `json:"answer"`
	MAC    string `json:"mac"`
}

// sync takes a batch of a tablet: its answers, each with a receipt once it is durable,
// and what it tells of itself. The same batch may come any number of times.
func (s *Server) sync(r *request) error {
	batch, err := kiosk.ReadBatch(r.Request().Body(), kiosk.MaxItems)
	if err != nil {
		return err
	}
	now, d := s.cfg.Now(), r.tablet
	answer := syncAnswer{Nonce: batch.Nonce, Time: now.UnixMilli(), Name: d.Name, Desk: d.Desk(), Message: d.Message}
	if d.Revoked != nil {
		answer.Revoked = true
		return r.sendSigned(answer)
	}
	batch.Arrives(now)
	receipts, contact, err := s.receive(r, d, batch, now)
	if err != nil {
		return err
	}
	for _, it := range receipts {
		answer.Receipts = append(answer.Receipts, syncReceipt{it.n, it.outcome, kiosk.Receipt(r.tabletKey, it.digest, it.outcome)})
	}
	epoch := contact.Epoch(batch.Epoch)
	answer.Received, answer.Covered = epoch.Received, epoch.Covered
	if answer.Bundle, _, err = s.bundleOf(d, now); err != nil {
		return err
	}
	answer.App = &appNow{s.kiosk.Version, s.kiosk.List}
	return r.sendSigned(answer)
}

func (r *request) sendSigned(a syncAnswer) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return r.send(fiber.StatusOK, signedAnswer{string(text), kiosk.SignAnswer(r.tabletKey, a.Nonce, text)})
}

// errClock is why a batch is not taken.
var errClock = errors.New("the clock of this server is more than a day behind the last contact of a tablet, and behind the tablet")

// received is an answer that is durable.
type received struct {
	n       int64
	digest  string
	outcome kiosk.Outcome
	// fresh: it was not there before.
	fresh  bool
	sealed []byte
}

// receive stores the answers of a batch, those in which something is wrong in the
// quarantine, and only then notes their numbers. What the store could not take is
// left out, and logged.
func (s *Server) receive(r *request, d *kiosk.Device, batch *kiosk.Batch, now time.Time) ([]received, kiosk.Contact, error) {
	before, err := s.store.Contact(r.context, d.ID) // before anything of the batch is there
	if err != nil {
		return nil, before, err
	}
	if err := before.Room(batch); err != nil {
		return nil, before, err
	}
	// Where this clock is behind the last contact, the tablet's says which of the two was
	// wrong. By a clock that is behind answers would get times that nothing mends later.
	if ahead := before.Last.Sub(now); ahead > 24*time.Hour && batch.Wall > now.Add(ahead/2).UnixMilli() {
		return nil, before, &failure{code: codeUnavailable, cause: errClock}
	}
	list, failed, err := s.take(r, d, batch.Open(s.sealKey, d.Created, now), now)
	if err != nil {
		return nil, before, err
	}
	if failed != nil {
		s.logFailure(r, failed)
	}
	numbers, clones := make([]int64, len(list)), int64(0)
	seen, had := map[int64]string{}, before.Epoch(batch.Epoch).Received
	for i, it := range list {
		numbers[i] = it.n
		// A number that was used for an answer which is not this one.
		if it.fresh && (had.Has(it.n) || seen[it.n] != "" && seen[it.n] != it.digest) {
			mended, err := s.mended(r, &it)
			if err != nil {
				return nil, before, err
			}
			if !mended {
				clones++
			}
		}
		seen[it.n] = it.digest
	}
	contact, err := s.store.LearnContact(r.context, d.ID, func(c *kiosk.Contact) { c.Learn(batch, numbers, clones, now) })
	return list, contact, err
}

// mended reports whether an answer that was stored now had been in quarantine, until
// staff mended what was wrong.
func (s *Server) mended(r *request, it *received) (bool, error) {
	if it.outcome != kiosk.Stored {
		return false, nil
	}
	return s.store.WasQuarantined(r.context, it.sealed)
}

// known says what became of an answer that came before, "" where it is neither stored
// nor withdrawn. It is the same answer if it has the id, and the receipt, which no
// other answer has.
func (s *Server) known(ctx context.Context, a *kiosk.Arrival) (kiosk.Outcome, error) {
	id, err := survey.ParseID(a.Item.ID)
	if err != nil {
		return "", nil
	}
	stored, err := s.store.Response(ctx, id)
	switch {
	case err == nil && a.Err == nil && bytes.Equal(stored.Receipt, a.Receipt):
		return kiosk.Stored, nil
	case !errors.Is(err, store.ErrNotFound):
		return "", err
	}
	if gone, err := s.store.WasWithdrawn(ctx, id); err != nil || !gone {
		return "", err
	}
	return kiosk.Withdrawn, nil
}

// take brings answers through the domain's door into the store, or into the
// quarantine. failed says why some of them are in neither.
func (s *Server) take(r *request, d *kiosk.Device, arrivals []kiosk.Arrival, now time.Time) (list []received, failed, err error) {
	catalogue := s.store.View().Catalogue
	var responses []survey.Response
	var good []int // arrivals of responses
	var wrong []store.Quarantined
	var bad []int // arrivals of wrong
	aside := func(i int, reason string) {
		a := &arrivals[i]
		// A reason may name what stands in an answer, and is shown in terminals.
		reason = strings.Map(func(r rune) rune {
			if kiosk.Unprintable(r) {
				return '?'
			}
			return r
		}, reason)
		q := store.Quarantined{
			Device: d.ID, Reason: reason, Answered: a.CountedAt(catalogue), Unsure: a.Unsure,
			Received: survey.Hour(now), Sealed: a.Sealed,
		}
		if a.Err == nil {
			q.Receipt = a.Receipt
		}
		wrong, bad = append(wrong, q), append(bad, i)
	}
	add := func(i int, outcome kiosk.Outcome, fresh bool) {
		list = append(list, received{arrivals[i].N, arrivals[i].Digest, outcome, fresh, arrivals[i].Sealed})
	}
	// Documents change: what was taken once would perhaps not be taken any more.
	refuse := func(i int, reason string) error {
		known, err := s.known(r.context, &arrivals[i])
		switch {
		case err != nil:
			return err
		case known != "":
			add(i, known, false)
		default:
			aside(i, reason)
		}
		return nil
	}
	for i := range arrivals {
		response, err := arrivals[i].Accept(catalogue, d, now)
		if err != nil {
			if err := refuse(i, err.Error()); err != nil {
				return nil, nil, err
			}
			continue
		}
		responses, good = append(responses, response), append(good, i)
	}
	var failures []error
	if len(responses) > 0 {
		outcomes, err := s.store.AddResponses(r.context, responses)
		if len(outcomes) != len(responses) {
			return nil, nil, errors.Join(errors.New("the store gave another number of outcomes"), err)
		}
		failures = append(failures, err)
		for k, outcome := range outcomes {
			switch outcome {
			case store.Stored, store.Duplicate:
				add(good[k], kiosk.Stored, outcome == store.Stored)
			case store.Withdrawn:
				add(good[k], kiosk.Withdrawn, false)
			case store.Conflict: // no tablet draws an id that is there
				if err := refuse(good[k], "id: conflict"); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	if len(wrong) > 0 {
		room, err := s.aside.room(r.context, s.store, d.ID, len(wrong), now)
		if err != nil {
			return nil, nil, err
		}
		if over := len(wrong) - room; over > 0 {
			failures = append(failures, fmt.Errorf("tablet %s has %d answers in quarantine: %d more got no receipt", d.ID, mostAside, over))
			wrong, bad = wrong[:room], bad[:room]
		}
		outcomes, err := s.store.Quarantine(r.context, wrong)
		if len(outcomes) != len(wrong) {
			return nil, nil, errors.Join(errors.New("the quarantine gave another number of outcomes"), err)
		}
		failures = append(failures, err)
		for k, outcome := range outcomes {
			switch outcome {
			case store.Stored, store.Duplicate, store.Conflict:
				add(bad[k], kiosk.Quarantined, outcome == store.Stored)
			case store.Withdrawn: // discarded: one that was taken is known
				add(bad[k], kiosk.Withdrawn, false)
			}
		}
	}
	var left []store.ID // what a file brought may have been in quarantine
	for _, it := range list {
		if it.outcome != kiosk.Quarantined {
			left = append(left, store.QuarantineID(it.sealed))
		}
	}
	failures = append(failures, s.store.LeaveQuarantine(r.context, left...))
	return list, errors.Join(failures...), nil
}
