package analysis

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strings"

	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// The kinds of disagreement between columns and store, beside those of package
// store.
const (
	// FaultMissing: an answer of the store is in no report.
	FaultMissing = "missing_in_columns"
	// FaultSurplus: reports count an answer that is not stored, or count it twice.
	FaultSurplus = "surplus_in_columns"
	// FaultDiffers: reports have an answer otherwise than it is stored.
	FaultDiffers = "differs_in_columns"
)

// Verification says whether the store holds together and the columns agree with
// it. Without Faults they do.
type Verification struct {
	store.Verification
	// Columns is how many answers the columns have.
	Columns int64 `json:"columns"`
	// LeftOut answers are rightly in no report: their round's documents are missing,
	// or they do not fit them.
	LeftOut int64 `json:"left_out"`
}

// ErrVerifying: one Verify is running already. Two would hold twice the memory
// and tell the same.
var ErrVerifying = errors.New("store and columns are being compared already")

// verifyTries is how often an answer that looks wrong is looked at again. Others
// withdraw, exclude and add answers meanwhile.
const verifyTries = 3

// Verify proves that the columns are what the store holds, and that the store
// holds together ([store.Store.Verify]). Every answer is read from the store and
// compared with what reports are computed from, by a hash of all that columns
// keep of it. Nothing stops writers; 24 bytes an answer are held until it ends.
// While answers are still loading, the error is a [*LoadingError]; while another
// Verify runs, it is ErrVerifying.
func (a *Analysis) Verify(ctx context.Context) (Verification, error) {
	var v Verification
	if !a.ready.Load() {
		return v, &LoadingError{Done: a.done.Load(), Total: a.total.Load()}
	}
	if !a.verifying.TryLock() {
		return v, ErrVerifying
	}
	defer a.verifying.Unlock()
	check, err := a.newVerifier(ctx)
	if err != nil {
		return v, err
	}
	live, _, err := a.store.CountResponses(ctx)
	if err != nil {
		return v, err
	}
	check.stored = make([]storedAnswer, 0, live+live/64)
	v.Verification, err = a.store.Verify(ctx, func(r *survey.Response) error {
		hash := check.expected(a.store.View().Catalogue, r)
		if hash == notInColumns {
			v.LeftOut++
		}
		check.stored = append(check.stored, storedAnswer{r.ID, hash})
		return nil
	})
	if err != nil {
		return v, err
	}
	suspects, err := check.compare(ctx, &v)
	if err != nil {
		return v, err
	}
	check.stored = nil
	for range verifyTries {
		if len(suspects) == 0 {
			break
		}
		if suspects, err = check.lookAgain(ctx, suspects); err != nil {
			return v, err
		}
	}
	for _, s := range suspects {
		v.Faults.Add(s.kind, s.id.String())
	}
	return v, nil
}

// verifier compares the store with the columns.
type verifier struct {
	a    *Analysis
	seed maphash.Seed
	buf  []byte
	// excluded has the exclusion that holds of every response that has any.
	excluded map[survey.ID]store.Exclusion
	// stored answers in the order of ids.
	stored []storedAnswer
	// orders has the items of an answered version in the order of the round's, for
	// the documents of catalogue.
	catalogue *survey.Catalogue
	orders    map[versions][]int
}

type versions struct{ round, answered, form string }

type storedAnswer struct {
	id   survey.ID
	hash uint64
}

type suspect struct {
	id   survey.ID
	kind string
}

// notInColumns stands for the hash of an answer that the columns must not have.
const notInColumns = 0

func (a *Analysis) newVerifier(ctx context.Context) (*verifier, error) {
	excluded, err := a.store.Exclusions(ctx)
	return &verifier{a: a, seed: maphash.MakeSeed(), excluded: excluded}, err
}

// compare goes through the columns and returns what is not as it was read from
// the store.
func (c *verifier) compare(ctx context.Context, v *Verification) ([]suspect, error) {
	rounds, err := c.a.columnRows(ctx)
	if err != nil {
		return nil, err
	}
	var suspects []suspect
	seen := make([]uint64, len(c.stored)/64+1)
	for _, rows := range rounds {
		for row := range rows.all() {
			v.Columns++
			at, ok := slices.BinarySearchFunc(c.stored, row.ID, func(s storedAnswer, id [16]byte) int { return bytes.Compare(s.id[:], id[:]) })
			switch {
			case !ok || c.stored[at].hash == notInColumns || seen[at/64]>>(at%64)&1 == 1:
				suspects = append(suspects, suspect{row.ID, FaultSurplus})
				continue
			case c.stored[at].hash != c.hash(rows.content(c.buf[:0], row)):
				suspects = append(suspects, suspect{row.ID, FaultDiffers})
			}
			seen[at/64] |= 1 << (at % 64)
		}
		// What follows from other answers is in no stored one: looked at again it
		// would seem right.
		for _, id := range rows.mismarked() {
			v.Faults.Add(FaultDiffers, id.String())
		}
	}
	for at, s := range c.stored {
		if s.hash != notInColumns && seen[at/64]>>(at%64)&1 == 0 {
			suspects = append(suspects, suspect{s.id, FaultMissing})
		}
	}
	return suspects, nil
}

// lookAgain reads suspects one by one from the store, then the columns, and
// returns those that still differ.
func (c *verifier) lookAgain(ctx context.Context, suspects []suspect) ([]suspect, error) {
	var err error
	if c.excluded, err = c.a.store.Exclusions(ctx); err != nil {
		return nil, err
	}
	type standing struct {
		stored uint64
		found  int
		equal  bool
	}
	ids := make(map[survey.ID]*standing, len(suspects))
	for _, s := range suspects {
		r, err := c.a.store.Response(ctx, s.id)
		hash := uint64(notInColumns)
		switch {
		case err == nil:
			hash = c.expected(c.a.store.View().Catalogue, &r)
		case !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrCorrupt):
			return nil, err
		}
		ids[s.id] = &standing{stored: hash}
	}
	rounds, err := c.a.columnRows(ctx)
	if err != nil {
		return nil, err
	}
	for _, rows := range rounds {
		for row := range rows.all() {
			if s := ids[row.ID]; s != nil {
				s.found++
				s.equal = s.stored == c.hash(rows.content(c.buf[:0], row))
			}
		}
	}
	var left []suspect
	for _, s := range suspects {
		is := ids[s.id]
		switch {
		case is == nil: // named twice
			continue
		case is.stored == notInColumns && is.found > 0, is.found > 1:
			left = append(left, suspect{s.id, FaultSurplus})
		case is.stored != notInColumns && is.found == 0:
			left = append(left, suspect{s.id, FaultMissing})
		case is.found == 1 && !is.equal:
			left = append(left, suspect{s.id, FaultDiffers})
		}
		delete(ids, s.id)
	}
	return left, nil
}

// hash is that of a row's content, never notInColumns.
func (c *verifier) hash(content []byte) uint64 {
	c.buf = content
	return max(maphash.Bytes(c.seed, content), notInColumns+1)
}

// content is all that columns keep of an answer.
type content struct {
	round, answers string
	place
	person
	moment
	stratum, psu string
	deskDay      uint32 // the sampling unit of a visitors round
	weight       float64
}

// append writes the content so that no two look alike.
func (x *content) append(to []byte) []byte {
	for _, s := range [...]string{x.round, x.answers, x.unit, x.desk, x.field, x.filing, x.channel, x.door, x.flags, x.profile, x.helped, x.stratum, x.psu} {
		to = append(binary.AppendUvarint(to, uint64(len(s))), s...)
	}
	for _, b := range [...]bool{x.valid, x.excluded} {
		if b {
			to = append(to, 1)
		} else {
			to = append(to, 0)
		}
	}
	to = append(binary.LittleEndian.AppendUint16(to, x.day), x.hour)
	to = binary.LittleEndian.AppendUint32(to, x.deskDay)
	return binary.LittleEndian.AppendUint64(to, math.Float64bits(x.weight))
}

// expected is the hash of what the columns must have of a stored answer,
// notInColumns when they must not have it. It is computed from the answer and
// the documents alone, by no code that fills the columns.
func (c *verifier) expected(catalogue *survey.Catalogue, r *survey.Response) uint64 {
	round := catalogue.Rounds[r.Round]
	if round == nil || r.Instrument != round.Instrument {
		return notInColumns
	}
	answers, ok := c.answers(catalogue, round, r)
	if !ok {
		return notInColumns
	}
	x := content{
		round: r.Round, answers: answers, moment: moment{survey.DayNumber(r.Answered), uint8(r.Answered.In(survey.VietnamTime()).Hour())}, person: person{r.Profile.String(), r.Helped},
		place: place{unit: r.Unit, desk: r.Desk, field: r.Field, filing: r.Filing, channel: string(r.Channel), door: string(r.Door),
			flags: strings.Join(r.Flags.Names(), ","), valid: survey.Valid(survey.Answers(answers), round.ValidShare()), excluded: c.excluded[r.ID].Excluded},
	}
	if round.Drawn() {
		if r.Draw == nil || !(r.Draw.Weight > 0) || math.IsInf(r.Draw.Weight, 0) {
			return notInColumns
		}
		x.stratum, x.psu, x.weight = r.Draw.Stratum, r.Draw.PSU, r.Draw.Weight
	} else {
		x.stratum, x.deskDay = deskStratum(r.Unit, r.Desk), uint32(x.day)
	}
	return c.hash(x.append(c.buf[:0]))
}

// answers returns an answer in the order of the items of the round's version;
// items that the answered version does not have were not asked.
func (c *verifier) answers(catalogue *survey.Catalogue, round *survey.Round, r *survey.Response) (string, bool) {
	if c.catalogue != catalogue {
		c.catalogue, c.orders = catalogue, map[versions][]int{}
	}
	in := catalogue.Instruments[survey.InstrumentKey(r.Instrument, r.Version)]
	key := versions{survey.InstrumentKey(round.Instrument, round.Version), survey.InstrumentKey(r.Instrument, r.Version), round.Form}
	order, ok := c.orders[key]
	if !ok {
		order = itemOrder(catalogue.Measured(round), in)
		c.orders[key] = order
	}
	if order == nil || key.round == key.answered && len(r.Answers) != len(in.Items()) {
		return "", false
	}
	out := make([]byte, len(order))
	for i, at := range order {
		switch {
		case at < 0:
			out[i] = byte(survey.NotAsked)
		case at < len(r.Answers) && strings.IndexByte(survey.AnswerCodes, r.Answers[at]) >= 0:
			out[i] = r.Answers[at]
		default:
			return "", false
		}
	}
	return string(out), true
}

// itemOrder returns for each item of one instrument where the other has it, -1
// where it does not; nil when either is missing.
func itemOrder(of, in *survey.Instrument) []int {
	if of == nil || in == nil {
		return nil
	}
	order := []int{}
	for _, item := range of.Items() {
		order = append(order, slices.IndexFunc(in.Items(), func(other survey.Item) bool { return other.ID == item.ID }))
	}
	return order
}

// roundRows is what the columns of a round hold at one moment. Dictionaries only
// grow, so they are read without a lock.
type roundRows struct {
	round   string
	drawn   bool
	blocks  []*stats.Rows
	places  []place
	persons []person
	strata  []string
	psus    [][2]string // of a drawn round, by number
}

// columnRows returns the rows of every round, with everything acknowledged
// before the call in them.
func (a *Analysis) columnRows(ctx context.Context) ([]roundRows, error) {
	switch _, err := a.follow(ctx); {
	case errors.Is(err, store.ErrCursorGone):
		return nil, a.startAgain(ctx)
	case err != nil:
		return nil, fmt.Errorf("read new answers: %w", err)
	}
	rounds, current, err := a.takeRows(ctx)
	if err == nil && !current {
		err = a.startAgain(ctx)
	}
	return rounds, err
}

// takeRows reports false when the documents of a round changed so that its
// answers must be read again.
func (a *Analysis) takeRows(ctx context.Context) (rounds []roundRows, current bool, err error) {
	catalogue := a.store.View().Catalogue
	if err := a.mu.lock(ctx); err != nil {
		return nil, false, err
	}
	defer a.mu.unlock()
	for id, col := range a.rounds {
		if !col.renew(catalogue) {
			return nil, false, nil
		}
		col.mark()
		r := roundRows{round: id, drawn: col.round.Drawn(), blocks: []*stats.Rows{col.main, col.tail},
			places: col.places, persons: col.persons, strata: col.strata, psus: make([][2]string, len(col.psus))}
		for names, number := range col.psus {
			r.psus[number] = names
		}
		rounds = append(rounds, r)
	}
	return rounds, true, nil
}

// all yields every row.
func (r *roundRows) all() func(yield func(stats.Row) bool) {
	return func(yield func(stats.Row) bool) {
		for _, block := range r.blocks {
			for row := range block.All() {
				if !yield(row) {
					return
				}
			}
		}
	}
}

// content appends what the columns say of an answer, read back through their
// dictionaries; nothing where a number is in none.
func (r *roundRows) content(to []byte, row stats.Row) []byte {
	stratum, psu := row.PSU>>32, uint32(row.PSU)
	if int(row.Place) >= len(r.places) || int(row.Person) >= len(r.persons) || stratum >= uint64(len(r.strata)) || r.drawn && int(psu) >= len(r.psus) {
		return to
	}
	x := content{round: r.round, answers: row.Answers, place: r.places[row.Place], person: r.persons[row.Person],
		moment: moment{row.Day, row.Hour}, stratum: r.strata[stratum], weight: row.Weight}
	if !r.drawn {
		x.deskDay = psu
	} else if names := r.psus[psu]; names[0] == x.stratum {
		x.psu = names[1]
	}
	return x.append(to)
}
