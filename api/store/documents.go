package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"sipas/kiosk"
	"sipas/survey"
)

// The sets of staff documents.
const (
	setInstruments = "instruments"
	setFields      = "fields"
	setProcedures  = "procedures"
	setUnits       = "units"
	setDesks       = "desks"
	setRounds      = "rounds"
	setPopulations = "populations"
	setAgency      = "agency"
	setTokens      = "tokens"
	setSignOuts    = "signouts"
	setDevices     = "devices"
)

// theAgency is the id of the one document of its set.
const theAgency = "agency"

func knownSets() iter.Seq[string] {
	return slices.Values([]string{setInstruments, setFields, setProcedures, setUnits, setDesks, setRounds, setPopulations, setAgency, setTokens, setSignOuts, setDevices})
}

// isAccess tells the sets that say who may come in from those that describe the
// survey.
func isAccess(set string) bool { return set == setTokens || set == setSignOuts || set == setDevices }

// knownLogs lists the logs of a store: whatever goes through all of it, a copy
// or a backup, goes through these and the sets of [Engine.SetRevisions]. The quarantine
// is first: an answer that leaves it meanwhile is then found among the responses.
func knownLogs() []*Log { return []*Log{quarantineLog, responseLog, exclusionLog, slipLog} }

// documentSets holds the stored documents by set.
type documentSets map[string][]Document

// view decodes and checks the documents.
func (d documentSets) view() (*View, error) {
	catalogue, err := d.catalogue()
	if err != nil {
		return nil, err
	}
	access, err := d.access()
	if err != nil {
		return nil, err
	}
	return &View{Catalogue: catalogue, access: access}, nil
}

func (d documentSets) catalogue() (*survey.Catalogue, error) {
	docs, err := d.decode()
	if err != nil {
		return nil, err
	}
	catalogue, err := survey.NewCatalogue(docs)
	if err != nil {
		return nil, fmt.Errorf("stored staff documents: %w", err)
	}
	return catalogue, nil
}

func (d documentSets) access() (access, error) {
	tokens, err := decodeSet[Token](d, setTokens)
	if err != nil {
		return access{}, err
	}
	devices, err := decodeSet[kiosk.Device](d, setDevices)
	if err != nil {
		return access{}, err
	}
	a := access{tokens: map[string]Token{}, signedOut: map[string]bool{}, devices: map[string]*kiosk.Device{}, tablets: map[string]*kiosk.Device{}}
	for i := range devices {
		a.devices[devices[i].ID] = &devices[i]
		if key := devices[i].Key; key != "" {
			a.tablets[key] = &devices[i]
		}
	}
	for _, t := range tokens {
		a.tokens[t.Hash] = t
	}
	for _, doc := range d[setSignOuts] {
		a.signedOut[doc.ID] = true
	}
	return a, nil
}

func (d documentSets) decode() (survey.Documents, error) {
	var docs survey.Documents
	var errs [8]error
	docs.Instruments, errs[0] = decodeSet[survey.Instrument](d, setInstruments)
	docs.Fields, errs[1] = decodeSet[survey.ServiceField](d, setFields)
	docs.Procedures, errs[2] = decodeSet[survey.Procedure](d, setProcedures)
	docs.Units, errs[3] = decodeSet[survey.Unit](d, setUnits)
	docs.Desks, errs[4] = decodeSet[survey.Desk](d, setDesks)
	docs.Rounds, errs[5] = decodeSet[survey.Round](d, setRounds)
	docs.Populations, errs[6] = decodeSet[survey.Population](d, setPopulations)
	var agencies []survey.Agency
	if agencies, errs[7] = decodeSet[survey.Agency](d, setAgency); len(agencies) > 0 {
		docs.Agency = &agencies[0]
	}
	return docs, errors.Join(errs[:]...)
}

func decodeSet[T any](d documentSets, set string) ([]T, error) {
	list := make([]T, len(d[set]))
	for i, doc := range d[set] {
		if err := json.Unmarshal(doc.Body, &list[i]); err != nil {
			return nil, fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, set, doc.ID, err)
		}
	}
	return list, nil
}

// documentRevision names the state of the documents, those of access left
// aside.
func documentRevision(revisions map[string]int64) string {
	var text strings.Builder
	for set := range knownSets() {
		if !isAccess(set) {
			fmt.Fprintf(&text, "%s=%d;", set, revisions[set])
		}
	}
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:12])
}

// Documents returns all staff documents but the tokens.
func (s *Store) Documents() (survey.Documents, error) {
	d, _, err := s.DocumentsAt()
	return d, err
}

// DocumentsAt returns all staff documents but the tokens, and their revision,
// for [Store.PutDocumentsAt].
func (s *Store) DocumentsAt() (survey.Documents, string, error) {
	s.loading.Lock()
	defer s.loading.Unlock()
	d, err := s.documents.decode()
	return d, s.view.Load().Revision, err
}

// PutResult counts what [Store.PutDocuments] did.
type PutResult struct {
	Added, Changed, Unchanged int
}

// PutDocuments adds documents and replaces those of the same id. Nothing is
// written unless old and new documents together hold; a published instrument
// cannot change (survey.CodePublished), nor can what [survey.Round.CheckChange]
// names, and no two rounds come to be for one door (survey.CodeRoundsOverlap).
// ErrStale when somebody else changed a document meanwhile: what was written by
// then stays, and calling again is safe.
func (s *Store) PutDocuments(ctx context.Context, d survey.Documents) (PutResult, error) {
	return s.PutDocumentsAt(ctx, d, "", s.now())
}

// PutDocumentsAt is PutDocuments for whoever read the documents at a revision
// and changed what was read: ErrStale when anybody changed any document since.
// "" is no revision. now decides which rounds have opened.
func (s *Store) PutDocumentsAt(ctx context.Context, d survey.Documents, revision string, now time.Time) (PutResult, error) {
	return s.changeDocuments(ctx, now, func(v *View) (survey.Documents, error) {
		if revision != "" && revision != v.Revision {
			return d, ErrStale
		}
		return d, nil
	})
}

// changeDocuments puts what change makes of the documents as they stand. Others in this
// process wait; ErrStale when another process was faster.
func (s *Store) changeDocuments(ctx context.Context, now time.Time, change func(*View) (survey.Documents, error)) (PutResult, error) {
	var result PutResult
	// What two put at once is checked with what the other put.
	select {
	case s.putting <- struct{}{}:
		defer func() { <-s.putting }()
	case <-ctx.Done():
		return result, ctx.Err()
	}
	if err := s.Refresh(ctx); err != nil {
		return result, err
	}
	s.loading.Lock()
	var changes map[string][]documentChange
	var rounds []roundChange
	d, err := change(s.view.Load())
	if err == nil {
		rounds, err = s.documents.rounds(&d, now)
	}
	if err == nil {
		changes, err = s.documents.changes(d, s.view.Load().Catalogue)
	}
	s.loading.Unlock()
	if err := errors.Join(s.checkRounds(ctx, rounds, now), err); err != nil {
		return result, err
	}
	for set := range knownSets() {
		var docs []Document
		for _, c := range changes[set] {
			switch {
			case c.unchanged:
				result.Unchanged++
				continue
			case c.doc.Revision == 0:
				result.Added++
			default:
				result.Changed++
			}
			docs = append(docs, c.doc)
		}
		if len(docs) == 0 {
			continue
		}
		if _, err := s.engine.Put(ctx, set, docs...); err != nil {
			return PutResult{}, fmt.Errorf("put %s: %w", set, err)
		}
	}
	return result, s.Refresh(ctx)
}

// documentChange is a document that PutDocuments was given, with the revision of the
// stored one it replaces.
type documentChange struct {
	doc       Document
	unchanged bool
}

// roundChange is a stored round and what it would become.
type roundChange struct{ was, is *survey.Round }

// rounds finds the stored rounds that documents would replace, and notes in the documents
// which of them are closed now.
func (d documentSets) rounds(docs *survey.Documents, now time.Time) ([]roundChange, error) {
	stored, err := decodeSet[survey.Round](d, setRounds)
	if err != nil {
		return nil, err
	}
	byID := map[string]*survey.Round{}
	for i := range stored {
		byID[stored[i].ID] = &stored[i]
	}
	docs.Rounds = slices.Clone(docs.Rounds)
	var list []roundChange
	for i := range docs.Rounds {
		r := &docs.Rounds[i]
		was := byID[r.ID]
		if r.NoteClosing(was, now); was != nil {
			list = append(list, roundChange{was, r})
		}
	}
	return list, nil
}

// checkRounds refuses changes of rounds that have opened.
func (s *Store) checkRounds(ctx context.Context, list []roundChange, now time.Time) error {
	var errs []error
	for _, c := range list {
		opened := c.was.Opened(now)
		// Older versions let a round that has answers become a draft again.
		if !opened && c.was.First <= survey.DateOf(now) && c.is.CheckChange(c.was, true, now) != nil {
			var err error
			if opened, err = s.hasAnswers(ctx, c.was.ID); err != nil {
				return err
			}
		}
		errs = append(errs, c.is.CheckChange(c.was, opened, now))
	}
	return errors.Join(errs...)
}

// hasAnswers looks through all answers until there is one of a round.
func (s *Store) hasAnswers(ctx context.Context, round string) (bool, error) {
	for after := (survey.ID{}); ; {
		page, err := s.ScanResponses(ctx, after)
		if err != nil || len(page) == 0 {
			return false, err
		}
		for _, r := range page {
			if r.Round() == round {
				return true, nil
			}
		}
		after = page[len(page)-1].ID()
	}
}

// place makes the places of fields those in what came, where whoever handed it in finds
// them; what else is stored goes by its id.
func (d documentSets) place(err error, came map[string]map[int]int) {
	var e *survey.Error
	if !errors.As(err, &e) {
		return
	}
	for i := range e.Fields {
		f := &e.Fields[i]
		set, rest, _ := strings.Cut(f.Field, "[")
		number, rest, _ := strings.Cut(rest, "]")
		at, err := strconv.Atoi(number)
		if err != nil || at >= len(d[set]) {
			continue
		}
		if n, ok := came[set][at]; ok {
			f.Field = fmt.Sprintf("%s[%d]%s", set, n, rest)
		} else {
			f.Field = set + "/" + d[set][at].ID + rest
		}
	}
}

// changes compares new documents with the stored ones, of which before is the catalogue,
// and checks both together.
func (d documentSets) changes(docs survey.Documents, before *survey.Catalogue) (map[string][]documentChange, error) {
	merged := maps.Clone(d)
	changes := map[string][]documentChange{}
	came := map[string]map[int]int{} // set → place among all → place among those that came
	var errs []error
	gather := func(set string, n int, item func(i int) (id string, value any)) {
		stored, seen := map[string]int{}, map[string]bool{}
		merged[set], came[set] = slices.Clone(d[set]), map[int]int{}
		for i, doc := range merged[set] {
			stored[doc.ID] = i
		}
		for i := range n {
			id, value := item(i)
			if seen[id] { // the second would be compared with the first, not with what is stored
				errs = append(errs, &survey.Error{Fields: []survey.FieldError{{Field: fmt.Sprintf("%s[%d].id", set, i), Code: survey.CodeDuplicate, Detail: id}}})
				continue
			}
			seen[id] = true
			body, err := json.Marshal(value)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s/%s: %w", set, id, err))
				continue
			}
			c := documentChange{doc: Document{ID: id, Body: body}}
			if at, ok := stored[id]; ok {
				c.doc.Revision = merged[set][at].Revision
				c.unchanged = sameJSON(merged[set][at].Body, body)
				if set == setInstruments && !c.unchanged && published(merged[set][at].Body) {
					errs = append(errs, &survey.Error{Fields: []survey.FieldError{{Field: "instruments/" + id, Code: survey.CodePublished}}})
				}
				merged[set][at].Body = body
				came[set][at] = i
			} else {
				came[set][len(merged[set])] = i
				merged[set] = append(merged[set], c.doc)
			}
			changes[set] = append(changes[set], c)
		}
	}
	gather(setInstruments, len(docs.Instruments), func(i int) (string, any) { return docs.Instruments[i].Key(), docs.Instruments[i] })
	gather(setFields, len(docs.Fields), func(i int) (string, any) { return docs.Fields[i].ID, docs.Fields[i] })
	gather(setProcedures, len(docs.Procedures), func(i int) (string, any) { return docs.Procedures[i].ID, docs.Procedures[i] })
	gather(setUnits, len(docs.Units), func(i int) (string, any) { return docs.Units[i].ID, docs.Units[i] })
	gather(setDesks, len(docs.Desks), func(i int) (string, any) { return docs.Desks[i].ID, docs.Desks[i] })
	gather(setRounds, len(docs.Rounds), func(i int) (string, any) { return docs.Rounds[i].ID, docs.Rounds[i] })
	gather(setPopulations, len(docs.Populations), func(i int) (string, any) { return docs.Populations[i].Key(), docs.Populations[i] })
	if docs.Agency != nil {
		gather(setAgency, 1, func(int) (string, any) { return theAgency, docs.Agency })
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	all, err := merged.decode()
	if err != nil {
		return nil, err
	}
	after, err := survey.NewCatalogue(all)
	if err != nil {
		merged.place(err, came)
		return nil, err
	}
	return changes, after.CheckDoors(before)
}

func published(body []byte) bool {
	var in survey.Instrument
	return json.Unmarshal(body, &in) == nil && in.Published
}
