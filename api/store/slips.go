package store

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sipas/survey"
)

// slipLog has the marks of slips. A live entry is a pending mark: its slip was
// shown, and its answer may be on the way. A tombstone is a spent one, which has
// nothing but its id, HMAC(round key, slip). What survey.NewSlip promises rests on
// that: no time, no answer, no order stays with a mark.
var slipLog = &Log{Name: "slips", Fields: []Field{
	{"round", Text},
	{"hour", Hour},
}}

const (
	sRound = iota
	sHour
)

// slipFree is how long a mark that an answer left behind keeps its slip from being
// used with another one.
const slipFree = 24 * time.Hour

// sweepEvery is how often a server looks for such marks, and for rounds that are
// over.
const sweepEvery = time.Hour

// slipKeyLife is for how long after its end a round keeps the key of its slips: longer than
// it takes answers, by what clocks of servers may differ. Without the key a spent slip
// could be used again.
const slipKeyLife = 2 * survey.Grace

// slipGrace is longer than any request takes: whoever began before is done.
const slipGrace = 10 * time.Second

// ErrSlipSpent: the slip was used by another answer, or is being used.
var ErrSlipSpent = errors.New("store: the slip was used")

// AddWithSlip stores a response that a slip lets in, once: slip is as
// survey.ReadSlip returns it; r becomes what AddResponses makes of it. An answer that
// is stored, or was withdrawn, has its outcome whatever the slip; ErrSlipSpent when
// the slip let another one in.
//
// The mark is written before the answer and tied to its id, so that two answers
// cannot share a slip, and whoever breaks off in between can go on with the same
// answer. When the answer is stored, the tie goes.
func (s *Store) AddWithSlip(ctx context.Context, r *survey.Response, slip string, now time.Time) (Outcome, error) {
	known, err := s.knows(ctx, r.ID)
	if err != nil {
		return Failed, err
	}
	if known {
		return s.addOne(ctx, r)
	}
	key, err := s.slipKey(ctx, r.Round)
	if err != nil {
		return Failed, err
	}
	mark, err := s.slipMark(ctx, key, slip)
	if err != nil {
		return Failed, err
	}
	outcomes, err := s.engine.Append(ctx, slipLog, []Entry{{ID: mark, Digest: slipTie(key, r.ID), Values: []string{sRound: r.Round, sHour: now.UTC().Format(hourLayout)}}})
	switch outcomes[0] {
	case Stored, Duplicate:
	case Conflict, Withdrawn:
		// The same answer may have come through meanwhile.
		if known, err := s.knows(ctx, r.ID); err != nil || !known {
			return Failed, errors.Join(ErrSlipSpent, err)
		}
		return s.addOne(ctx, r)
	default:
		return Failed, err
	}
	outcome, err := s.addOne(ctx, r)
	if outcome != Failed {
		// What fails here is done by SweepSlips.
		_ = s.engine.Erase(ctx, slipLog, mark)
	}
	return outcome, err
}

func (s *Store) addOne(ctx context.Context, r *survey.Response) (Outcome, error) {
	rs := []survey.Response{*r}
	outcomes, err := s.AddResponses(ctx, rs)
	*r = rs[0]
	return outcomes[0], err
}

// slipMark is the id of the mark that a slip makes now: the first of its marks
// that was not freed.
func (s *Store) slipMark(ctx context.Context, key []byte, slip string) (ID, error) {
	for n := 0; ; n++ {
		mark := slipHMAC(key, fmt.Sprintf("mark %d ", n), []byte(slip))
		freed, err := s.erased(ctx, slipLog, freedMark(key, mark))
		if err != nil || !freed {
			return mark, err
		}
	}
}

// freedMark is the id whose tombstone says that a mark was freed.
func freedMark(key []byte, mark ID) ID { return slipHMAC(key, "freed ", mark[:]) }

// slipTie ties a pending mark to its answer.
func slipTie(key []byte, id survey.ID) []byte {
	tie := slipHMAC(key, "answer ", id[:])
	return tie[:]
}

func slipHMAC(key []byte, purpose string, of []byte) ID {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(purpose))
	mac.Write(of)
	return ID(mac.Sum(nil)[:16])
}

// erased reports whether an id is a tombstone.
func (s *Store) erased(ctx context.Context, log *Log, id ID) (bool, error) {
	page, err := s.engine.Tombstones(ctx, log, before(id), 1)
	return len(page) > 0 && page[0] == id, err
}

// roundKey is how the key of a round's slips is stored, in setKeys.
type roundKey struct {
	Round string `json:"round"`
	Key   []byte `json:"key"`
}

const roundKeyPrefix = "slips "

// slipKey returns the key of a round's slips and makes it the first time.
func (s *Store) slipKey(ctx context.Context, round string) ([]byte, error) {
	if key, ok := s.slipKeys.Load(round); ok {
		return key.([]byte), nil
	}
	for {
		doc, err := s.engine.Get(ctx, setKeys, roundKeyPrefix+round)
		if errors.Is(err, ErrNotFound) {
			k := roundKey{Round: round, Key: make([]byte, 32)}
			if _, err := rand.Read(k.Key); err != nil {
				return nil, err
			}
			body, err := json.Marshal(k)
			if err != nil {
				return nil, err
			}
			if _, err := s.engine.Put(ctx, setKeys, Document{ID: roundKeyPrefix + round, Body: body}); err != nil && !errors.Is(err, ErrStale) {
				return nil, fmt.Errorf("make the key of the slips: %w", err)
			}
			continue // another server may have been first
		}
		if err != nil {
			return nil, fmt.Errorf("read the key of the slips: %w", err)
		}
		k, err := decodeRoundKey(doc)
		if err != nil {
			return nil, err
		}
		s.slipKeys.Store(round, k.Key)
		return k.Key, nil
	}
}

func decodeRoundKey(doc Document) (roundKey, error) {
	var k roundKey
	if err := json.Unmarshal(doc.Body, &k); err != nil || len(k.Key) != 32 {
		return k, fmt.Errorf("%w: %s/%s", ErrCorrupt, setKeys, doc.ID)
	}
	return k, nil
}

// sweep sweeps at once, each hour, and when documents have changed.
func (s *Store) sweep(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var swept time.Time
	var seen *survey.Catalogue
	for {
		if c := s.View().Catalogue; c != seen || time.Since(swept) > sweepEvery {
			if err := s.SweepSlips(ctx, s.now()); err != nil && ctx.Err() == nil {
				s.log.Warn("the marks of slips could not be tidied up; it is tried again in an hour", "error", err)
			}
			seen, swept = c, time.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// SweepSlips tidies up, a day later, after answers by slip that broke off: it takes
// the tie from marks whose answer is stored, and frees slips whose answer is not.
// The keys of rounds that are over are destroyed, and with them what could tell
// which slips were spent. Any number of servers may do it at once.
func (s *Store) SweepSlips(ctx context.Context, now time.Time) error {
	return s.sweepSlips(ctx, now, slipGrace)
}

func (s *Store) sweepSlips(ctx context.Context, now time.Time, grace time.Duration) error {
	docs, _, err := s.engine.List(ctx, setKeys)
	if err != nil {
		return fmt.Errorf("list the keys of slips: %w", err)
	}
	var errs []error
	keys := map[string][]byte{}
	for _, doc := range docs {
		if !strings.HasPrefix(doc.ID, roundKeyPrefix) {
			continue
		}
		k, err := decodeRoundKey(doc)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		round := s.View().Rounds[k.Round]
		if round != nil && !now.After(round.End().Add(slipKeyLife)) {
			keys[k.Round] = k.Key
			continue
		}
		s.slipKeys.Delete(k.Round)
		if err := s.engine.Delete(ctx, setKeys, doc.ID, doc.Revision); err != nil && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrStale) {
			errs = append(errs, fmt.Errorf("destroy the key of the slips of %s: %w", k.Round, err))
		}
	}
	return errors.Join(append(errs, s.sweepMarks(ctx, keys, now, grace))...)
}

// pendingMark is one that waits for its answer.
type pendingMark struct {
	id  ID
	key []byte
	tie string
}

func (s *Store) sweepMarks(ctx context.Context, keys map[string][]byte, now time.Time, grace time.Duration) error {
	var waiting []pendingMark
	for after := (ID{}); ; {
		page, err := s.engine.Scan(ctx, slipLog, after, PageSize)
		if err != nil {
			return fmt.Errorf("read the marks of slips: %w", err)
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].ID
		for _, e := range page {
			hour, err := ParseHour(e.Values[sHour])
			key := keys[e.Values[sRound]]
			if err != nil || key == nil { // its round is over: nothing can be told of it any more
				if err := s.engine.Erase(ctx, slipLog, e.ID); err != nil {
					return fmt.Errorf("tidy up the mark of a slip: %w", err)
				}
				continue
			}
			if now.Sub(hour) >= slipFree+time.Hour { // it began some time in that hour
				waiting = append(waiting, pendingMark{e.ID, key, string(e.Digest)})
			}
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	stored, err := s.tiesStored(ctx, waiting)
	if err != nil {
		return err
	}
	var freeing []pendingMark
	for _, m := range waiting {
		if !stored[m.tie] {
			freeing = append(freeing, m)
		}
		// From here on nobody can go on with the answer of a mark that will be freed.
		if err := s.engine.Erase(ctx, slipLog, m.id); err != nil {
			return fmt.Errorf("tidy up the mark of a slip: %w", err)
		}
	}
	if len(freeing) == 0 {
		return nil
	}
	select { // until those who were under way are done
	case <-time.After(grace):
	case <-ctx.Done():
		return ctx.Err()
	}
	if stored, err = s.tiesStored(ctx, freeing); err != nil {
		return err
	}
	var freed []ID
	for _, m := range freeing {
		if !stored[m.tie] {
			freed = append(freed, freedMark(m.key, m.id))
		}
	}
	return s.engine.Bury(ctx, slipLog, freed)
}

// tiesStored finds out which marks have an answer that is stored or was withdrawn:
// it ties every answer there is, since an id may have any hour. Marks that wait for
// so long are left by a crash and few, so this is seldom done.
func (s *Store) tiesStored(ctx context.Context, marks []pendingMark) (map[string]bool, error) {
	keys := map[string][]byte{}
	for _, m := range marks {
		keys[string(m.key)] = m.key
	}
	ties := map[string]bool{}
	tie := func(id ID) {
		for _, key := range keys {
			ties[string(slipTie(key, id))] = true
		}
	}
	for after := (ID{}); ; {
		page, err := s.engine.Scan(ctx, responseLog, after, PageSize)
		if err != nil {
			return nil, fmt.Errorf("look for the answers of slips: %w", err)
		}
		if len(page) == 0 {
			break
		}
		for i := range page {
			tie(page[i].ID)
		}
		after = page[len(page)-1].ID
	}
	for after := (ID{}); ; {
		page, err := s.engine.Tombstones(ctx, responseLog, after, PageSize)
		if err != nil {
			return nil, fmt.Errorf("look for the withdrawn answers of slips: %w", err)
		}
		if len(page) == 0 {
			return ties, nil
		}
		for _, id := range page {
			tie(id)
		}
		after = page[len(page)-1]
	}
}

// maxSlips is the most slips that are issued at once.
const maxSlips = 1000

// IssueSlips makes slips for a desk in a round and adds them to what was issued at
// its unit. They are kept nowhere: whoever asked hands them out. The error is a
// *survey.Error for a round or desk that cannot have any, also where the desk shows another
// round today, or on the first day of one that is still to come.
func (s *Store) IssueSlips(ctx context.Context, round, desk string, n int, now time.Time, random io.Reader) ([]string, error) {
	if err := s.mayIssue(round, desk, n, now); err != nil {
		return nil, err
	}
	slips := make([]string, n)
	for i := range slips {
		var err error
		if slips[i], err = survey.NewSlip(s.Key("slip"), round, desk, random); err != nil {
			return nil, err
		}
	}
	for tries := 0; ; tries++ {
		_, err := s.changeDocuments(ctx, now, func(v *View) (survey.Documents, error) {
			p := survey.Population{Round: round, Unit: v.Desks[desk].Unit}
			if known := v.Populations[p.Key()]; known != nil {
				p = *known
			}
			p.Slips += n
			return survey.Documents{Populations: []survey.Population{p}}, nil
		})
		if !errors.Is(err, ErrStale) || tries == 10 {
			return slips, err
		}
	}
}

func (s *Store) mayIssue(round, desk string, n int, now time.Time) error {
	view := s.View()
	r, d := view.Rounds[round], view.Desks[desk]
	var wrong []survey.FieldError
	add := func(field string, code survey.Code, detail string) {
		wrong = append(wrong, survey.FieldError{Field: field, Code: code, Detail: detail})
	}
	day := survey.DateOf(now)
	switch {
	case r == nil:
		add("round", survey.CodeRoundUnknown, "")
	case r.Status == survey.StatusClosed, day > r.Last:
		add("round", survey.CodeRoundClosed, "")
	case r.Status == survey.StatusDraft:
		add("round", survey.CodeRoundNotOpen, "a draft")
	case !r.Takes(survey.DoorSlip):
		add("round", survey.CodeSlipInvalid, "its doors are open alone: slips are for rounds with the doors slip or both")
	}
	switch {
	case d == nil:
		add("desk", survey.CodeDeskUnknown, "")
	case r == nil:
	case !r.Includes(d.Unit):
		add("desk", survey.CodeRoundUnit, "")
	case !view.Serves(d, max(day, r.First)):
		add("desk", survey.CodeDeskClosed, "")
	case wrong != nil:
	default:
		day = max(day, r.First) // slips are printed before the round begins
		if shown, _ := view.RoundAt(survey.ChannelQR, d.Unit, day); shown == nil {
			add("round", survey.CodeRoundNotShown, "on "+string(day)+" the desk shows no round")
		} else if shown.ID != round {
			add("round", survey.CodeRoundNotShown, "on "+string(day)+" the desk shows "+shown.ID)
		}
	}
	if n < 1 || n > maxSlips {
		add("count", survey.CodeInvalid, fmt.Sprintf("1 to %d", maxSlips))
	}
	if wrong != nil {
		return &survey.Error{Fields: wrong}
	}
	return nil
}
