package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"

	"sipas/survey"
)

// The kinds of a [Fault], stable names.
const (
	// FaultUnreadable: an entry that this program cannot have written.
	FaultUnreadable = "unreadable"
	// FaultDigest: the content of an answer is not what its digest was made of.
	FaultDigest = "digest"
	// FaultReceipt: an answer that has a receipt is not found by it, so that its giver
	// could not withdraw it.
	FaultReceipt = "receipt"
	// FaultTwice: an answer is there and withdrawn at once.
	FaultTwice = "live_and_withdrawn"
	// FaultExclusion: an exclusion of an answer that never was.
	FaultExclusion = "exclusion_without_response"
	// FaultDocuments: the staff documents do not hold together.
	FaultDocuments = "documents"
)

// Fault is one kind of disagreement, how often it was found, and the ids of the
// first few entries it is about.
type Fault struct {
	Kind     string   `json:"kind"`
	Count    int64    `json:"count"`
	Examples []string `json:"examples"`
}

// faultExamples is how many examples a Fault has at most.
const faultExamples = 5

// Faults gathers faults by kind, in the order in which kinds were first found.
type Faults []Fault

// Add counts one more of a kind.
func (f *Faults) Add(kind, example string) {
	at := 0
	for at < len(*f) && (*f)[at].Kind != kind {
		at++
	}
	if at == len(*f) {
		*f = append(*f, Fault{Kind: kind})
	}
	fault := &(*f)[at]
	if fault.Count++; len(fault.Examples) < faultExamples {
		fault.Examples = append(fault.Examples, example)
	}
}

// Verification is what [Store.Verify] went through.
type Verification struct {
	Responses  int64  `json:"responses"`
	Withdrawn  int64  `json:"withdrawn"`
	Exclusions int64  `json:"exclusions"`
	Receipts   int64  `json:"receipts"` // looked up
	Faults     Faults `json:"faults"`

	withReceipt int64 // answers that have one
}

// receiptEvery is of how many answers with a receipt one is looked up by it: each is a
// search of its own.
const receiptEvery = 1000

// Verify proves that what is stored holds together: every answer is what its
// digest was made of, a sample is found by receipt, none is there and withdrawn
// at once, every exclusion is of an answer, and the staff documents can be
// loaded. each, where it is not nil, is called with every answer that could be
// read, in the order of ids.
//
// Others may write meanwhile, and nothing stops them: what looks wrong is looked
// at again. Answers that come behind the scan are not seen.
func (s *Store) Verify(ctx context.Context, each func(r *survey.Response) error) (Verification, error) {
	v := Verification{Faults: Faults{}}
	if err := s.verifyDocuments(ctx, &v); err != nil {
		return v, err
	}
	excluded, err := s.verifyExclusions(ctx, &v)
	if err != nil {
		return v, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for all := newStandings(ctx, s.engine, responseLog); ; all.skip() {
		e, err := all.peek()
		if err != nil {
			return v, fmt.Errorf("read answers: %w", err)
		}
		if e == nil {
			break
		}
		delete(excluded, e.ID)
		if e.Erased {
			err = s.verifyErased(ctx, &v, e)
		} else {
			err = s.verifyResponse(ctx, &v, e, each)
		}
		if err != nil {
			return v, err
		}
	}
	// What is left was not there, or came behind the scan.
	for response, exclusion := range excluded {
		known, err := s.knows(ctx, response)
		if err != nil {
			return v, err
		}
		if !known {
			v.Faults.Add(FaultExclusion, survey.ID(exclusion).String())
		}
	}
	return v, nil
}

// documentTries bounds how often documents are read again that changed while
// they were read.
const documentTries = 5

// verifyDocuments loads the staff documents anew, whatever the view holds.
func (s *Store) verifyDocuments(ctx context.Context, v *Verification) error {
	var wrong error
	for range documentTries {
		before, err := s.engine.SetRevisions(ctx)
		if err != nil {
			return fmt.Errorf("read set revisions: %w", err)
		}
		documents := documentSets{}
		for set := range knownSets() {
			if documents[set], _, err = s.engine.List(ctx, set); err != nil {
				return fmt.Errorf("read set %s: %w", set, err)
			}
		}
		if _, wrong = documents.view(); wrong == nil {
			return s.verifyPictures(ctx, v)
		}
		after, err := s.engine.SetRevisions(ctx)
		if err != nil {
			return fmt.Errorf("read set revisions: %w", err)
		}
		if maps.Equal(before, after) {
			break
		}
	}
	v.Faults.Add(FaultDocuments, wrong.Error())
	return nil
}

// verifyPictures reads all pictures.
func (s *Store) verifyPictures(ctx context.Context, v *Verification) error {
	docs, _, err := s.engine.List(ctx, setPictures)
	if err != nil {
		return fmt.Errorf("read set %s: %w", setPictures, err)
	}
	for _, doc := range docs {
		if _, err := decodePicture(doc); err != nil {
			v.Faults.Add(FaultDocuments, fmt.Sprintf("%s/%s: %s", setPictures, doc.ID, err))
		}
	}
	return nil
}

// verifyExclusions reads all exclusions and returns one for each answer that has
// any.
func (s *Store) verifyExclusions(ctx context.Context, v *Verification) (map[ID]ID, error) {
	excluded := map[ID]ID{}
	for after := (ID{}); ; {
		page, err := s.engine.Scan(ctx, exclusionLog, after, PageSize)
		if err != nil {
			return nil, fmt.Errorf("read exclusions: %w", err)
		}
		if len(page) == 0 {
			return excluded, nil
		}
		for _, entry := range page {
			v.Exclusions++
			e, err := entryExclusion(entry)
			if err != nil {
				v.Faults.Add(FaultUnreadable, survey.ID(entry.ID).String())
				continue
			}
			excluded[e.Response] = e.ID
		}
		after = page[len(page)-1].ID
	}
}

func (s *Store) verifyErased(ctx context.Context, v *Verification, e *standing) error {
	v.Withdrawn++
	if !e.Twice {
		return nil
	}
	// Most likely it was withdrawn in this moment.
	_, err := s.engine.Find(ctx, responseLog, e.ID)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	v.Faults.Add(FaultTwice, survey.ID(e.ID).String())
	return nil
}

func (s *Store) verifyResponse(ctx context.Context, v *Verification, e *standing, each func(*survey.Response) error) error {
	v.Responses++
	r, err := entryResponse(e.Entry)
	if err != nil {
		v.Faults.Add(FaultUnreadable, survey.ID(e.ID).String())
		return nil
	}
	sealed := r
	if survey.Seal(&sealed, s.digestKey); !bytes.Equal(sealed.Digest, e.Digest) {
		v.Faults.Add(FaultDigest, r.ID.String())
	}
	if len(e.Receipt) > 0 {
		if v.withReceipt++; v.withReceipt%receiptEvery == 1 {
			if err := s.verifyReceipt(ctx, v, e); err != nil {
				return err
			}
		}
	}
	if each == nil {
		return nil
	}
	return each(&r)
}

func (s *Store) verifyReceipt(ctx context.Context, v *Verification, e *standing) error {
	v.Receipts++
	found, err := s.engine.FindReceipt(ctx, responseLog, e.Receipt)
	if err == nil && found.ID == e.ID {
		return nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("find a receipt: %w", err)
	}
	switch _, err := s.engine.Find(ctx, responseLog, e.ID); {
	case errors.Is(err, ErrNotFound): // withdrawn meanwhile
		return nil
	case err != nil:
		return err
	}
	v.Faults.Add(FaultReceipt, survey.ID(e.ID).String())
	return nil
}

// knows reports whether an answer is stored, or was withdrawn.
func (s *Store) knows(ctx context.Context, id ID) (bool, error) {
	_, err := s.engine.Find(ctx, responseLog, id)
	if err == nil || !errors.Is(err, ErrNotFound) {
		return err == nil, err
	}
	return s.erased(ctx, responseLog, id)
}

// before returns the id before another one, in the order of ids.
func before(id ID) ID {
	for i := len(id) - 1; i >= 0; i-- {
		id[i]--
		if id[i] != 0xff {
			break
		}
	}
	return id
}
