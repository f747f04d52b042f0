package survey

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Submission is what a client says. Channel, door, flags and receive time are
// not in it: they come from the door and the server.
type Submission struct {
	// ID is minted with the form, so that a double tap or a retry is the same
	// response; see [NewID].
	ID         string `json:"id" validate:"required,max=36"`
	Round      string `json:"round" validate:"required,max=64"`
	Desk       string `json:"desk" validate:"required,max=40"`
	Instrument string `json:"instrument" validate:"required,max=64"`
	Version    int    `json:"version" validate:"required"`
	// Answers: item id → level 1-5 or not_asked, blank, na, broken_off.
	Answers map[string]Answer `json:"answers" validate:"required,max=64"`
	// Reached is the id of the last item that was shown; items after it are
	// broken off, items before it without an answer are blank. Without it,
	// missing answers at the end that cover a whole factor are broken off.
	Reached string `json:"reached,omitempty" validate:"max=64"`
	// Module says which items a split form asked. Only files and paper say it:
	// for a person at a door it follows from the id.
	Module  string            `json:"module,omitempty" validate:"max=64"`
	Field   string            `json:"field,omitempty" validate:"max=64"`
	Filing  string            `json:"filing,omitempty" validate:"max=20"`
	Profile map[string]string `json:"profile,omitempty" validate:"max=20"`
	Helped  string            `json:"helped,omitempty" validate:"max=20"`
	Comment string            `json:"comment,omitempty" validate:"max=1000"`
	// Slip is the code of a one-time slip. Whoever calls [Accept] has read it and
	// says so by the door; it is never stored.
	Slip     string `json:"slip,omitempty" validate:"max=64"`
	Language string `json:"language,omitempty" validate:"max=20"`
	// Seconds is how long the person took, 0 when not known. It decides on
	// [FlagSpeeding] and is then forgotten.
	Seconds float64 `json:"seconds,omitempty" validate:"gte=0,lte=86400"`
	// ReceiptSHA256 is the [ReceiptHash], in 64 hexadecimal digits, of a code that the
	// client made and keeps, and by which the answer can be withdrawn. Without it
	// nobody can withdraw the answer.
	ReceiptSHA256 string `json:"receipt_sha256,omitempty" validate:"max=64"`
}

// Origin is what the server knows about how a submission came.
type Origin struct {
	Channel Channel
	Door    Door
	// Answered is when the answer was given, where that is not now: the date
	// in an imported file, the repaired time of a tablet. Zero means now.
	Answered time.Time
	// Begun is when the person began, as a stamp of this service or a tablet's clock
	// proves it; zero where that is not known. See [Catalogue.InGrace].
	Begun time.Time
	// Flags found before the domain sees the answer.
	Flags Flags
	// Draw comes with the lines of a drawn round.
	Draw *Draw
	// Restored: a proven row of an export is read back. Channel, door and Flags are
	// as they were stored, Unit replaces the desk's present one: it may have moved
	// since.
	Restored bool
	Unit     string
}

// Accept turns a submission into a response, or says what is wrong with it:
// the error is an [*Error] with a stable code for every wrong field. It is the
// only way in for answers of every channel, and pure: the same arguments give
// the same result.
//
// On the web doors the server's clock decides when an answer was given. An
// import may date its answers; one from the future or outside the round is
// refused, and so is one that claims a channel not among [ImportChannels]. What a
// person began before the end of the round is taken for [Grace] after it and dated at
// its beginning.
func Accept(c *Catalogue, s Submission, from Origin, now time.Time) (Response, error) {
	p := checkTags(s)
	for _, text := range [...]struct{ field, value string }{{"comment", s.Comment}, {"field", s.Field}, {"desk", s.Desk}, {"round", s.Round}} {
		if !utf8.ValidString(text.value) {
			p.add(text.field, CodeUTF8)
		}
	}
	if len(p.list) > 0 {
		return Response{}, p.err()
	}
	answered := from.Answered
	if answered.IsZero() {
		answered = now
	}
	round, desk := c.Rounds[s.Round], c.Desks[s.Desk]
	late := round != nil && desk != nil && c.InGrace(round, desk, from.Begun, answered, !from.Answered.IsZero())
	if late {
		answered = from.Begun
	}
	r := Response{
		Round: s.Round, Instrument: s.Instrument, Version: s.Version, Desk: s.Desk,
		Field: s.Field, Filing: s.Filing, Helped: s.Helped, Comment: MaskComment(s.Comment), Language: s.Language,
		Channel: from.Channel, Door: from.Door, Flags: from.Flags, Draw: from.Draw,
		Answered: Hour(answered), Received: Hour(now),
	}
	id, err := ParseID(s.ID)
	switch {
	case errors.Is(err, ErrIDHour):
		p.add("id", CodeIDHour)
	case err != nil:
		p.add("id", CodeIDInvalid)
	}
	r.ID = id
	if s.ReceiptSHA256 != "" {
		if r.Receipt, err = hex.DecodeString(s.ReceiptSHA256); err != nil || len(r.Receipt) != sha256.Size {
			p.add("receipt_sha256", CodeInvalid, "64 hexadecimal digits")
		}
	}
	if from.Door == DoorStaff && !from.Restored && !Importable(from.Channel) {
		p.add("channel", CodeChannelReserved)
	}
	acceptPlace(p, c, &r, round, from, answered, now, late)
	if in := acceptInstrument(p, c, &r, round); in != nil {
		module := acceptModule(p, &r, in, round, s.Module, from.Door == DoorStaff)
		acceptAnswers(p, &r, in, s, module, from.Door == DoorStaff)
		acceptProfile(p, &r, in, s.Profile)
	}
	acceptDraw(p, round, from.Draw)
	if err := p.err(); err != nil {
		return Response{}, err
	}
	if from.Restored {
		return r, nil
	}
	r.Flags |= QualityFlags(&r)
	if tooFast(r.Answers, s.Seconds) {
		r.Flags |= FlagSpeeding
	}
	return r, nil
}

// acceptPlace checks round, desk, field and time, and fills in the unit. late: the round
// ended since the answer was begun, and takes it.
func acceptPlace(p *problems, c *Catalogue, r *Response, round *Round, from Origin, answered, now time.Time, late bool) {
	if round == nil {
		p.add("round", CodeRoundUnknown)
	} else if why := round.OpenAt(answered); why != "" && !late {
		switch {
		case from.Answered.IsZero():
			p.add("round", why)
		case round.Status == StatusDraft:
			p.add("round", CodeRoundNotOpen)
		case DateOf(answered) < round.First || DateOf(answered) > round.Last:
			p.add("answered", CodeOutsideRound)
		}
	}
	if round != nil && !from.Restored && !round.Takes(from.Door) { // what was exported came by a door of then
		p.add("slip", CodeSlipRequired)
	}
	if !from.Answered.IsZero() && answered.After(now) {
		p.add("answered", CodeFutureAnswer)
	}
	desk := c.Desks[r.Desk]
	switch {
	case desk == nil:
		p.add("desk", CodeDeskUnknown)
		return
	case !desk.ExistsAt(answered):
		p.add("desk", CodeDeskClosed)
	case round != nil && !round.Includes(desk.Unit):
		p.add("desk", CodeRoundUnit)
	}
	r.Unit = desk.Unit
	if from.Restored {
		r.Unit = from.Unit
	}
	if u := c.Units[r.Unit]; u == nil {
		p.add("unit", CodeReference)
	} else if !u.ExistsOn(DateOf(answered)) {
		p.add("desk", CodeDeskClosed, "its unit does not exist on that day")
	}
	switch {
	case r.Field == "" && len(desk.Fields) == 1:
		r.Field = desk.Fields[0]
	case r.Field != "" && !slices.Contains(desk.Fields, r.Field):
		p.add("field", CodeFieldUnknown)
	}
	if r.Filing != "" && !slices.Contains(Filings, r.Filing) {
		p.add("filing", CodeFilingUnknown)
	}
	if r.Helped != "" && !slices.Contains(Helps, r.Helped) {
		p.add("helped", CodeHelpedUnknown)
	}
}

// acceptInstrument finds the instrument version that was answered.
func acceptInstrument(p *problems, c *Catalogue, r *Response, round *Round) *Instrument {
	if round == nil {
		return nil
	}
	if r.Instrument != round.Instrument {
		p.add("instrument", CodeInstrument)
		return nil
	}
	in := c.Instruments[InstrumentKey(r.Instrument, r.Version)]
	if in == nil || !in.Published {
		p.add("version", CodeVersion)
		return nil
	}
	if r.Language != "" && !slices.Contains(in.Languages, r.Language) {
		p.add("language", CodeLanguageUnknown)
	}
	return in
}

// acceptModule finds out which items were asked; nil are all.
func acceptModule(p *problems, r *Response, in *Instrument, round *Round, said string, staff bool) *Module {
	if round.Form != FormSplit && said != "" {
		p.add("module", CodeModuleUnknown, "the round has no split form")
		return nil
	}
	if round.Form != FormFull && in.Version != round.Version { // it may ask other items, or with other probabilities
		p.add("version", CodeVersion, "not that of the round, whose form is "+round.Form)
		return nil
	}
	module, ok := in.Asked(round, r.ID)
	if round.Form != FormSplit {
		return module
	}
	if staff {
		module = in.Module(said)
		ok = module != nil
	}
	if !ok || said != "" && module.ID != said {
		p.add("module", CodeModuleUnknown)
		return nil
	}
	r.Module = module.ID
	return module
}

// acceptAnswers writes the answers in item order and decides what the missing
// ones are. Items outside the module (nil: none) were not asked.
func acceptAnswers(p *problems, r *Response, in *Instrument, s Submission, module *Module, staff bool) {
	codes := make([]byte, len(in.items))
	if module != nil {
		for i := range codes {
			if !module.Asks(i) {
				codes[i] = byte(NotAsked)
			}
		}
	}
	last, levels := -1, 0
	for id, a := range s.Answers {
		i, ok := in.index[id]
		if !ok {
			p.add("answers."+clip(id), CodeItemUnknown)
			continue
		}
		switch level := a.Level(); {
		case level > len(in.Levels), a == badAnswer:
			p.add("answers."+id, CodeLevelRange)
		case module != nil && !module.Asks(i):
			if a != NotAsked {
				p.add("answers."+id, CodeNotInModule)
			}
		case a == NotAsked && !staff:
			p.add("answers."+id, CodeNotAsked)
		case level > 0:
			levels++
			fallthrough
		default:
			codes[i] = byte(a)
			last = max(last, module.place(i))
		}
	}
	if len(p.list) == 0 && levels == 0 {
		p.add("answers", CodeNothingAnswered)
	}
	brokenFrom := len(codes)
	if s.Reached != "" {
		i, ok := in.index[s.Reached]
		if !ok {
			p.add("reached", CodeItemUnknown)
		}
		brokenFrom = max(module.place(i), last) + 1
	} else {
		for _, f := range in.factors {
			if f[0] > last {
				brokenFrom = last + 1
				break
			}
		}
	}
	for i, c := range codes {
		switch {
		case c != 0:
		case module.place(i) >= brokenFrom:
			codes[i] = byte(BrokenOff)
		default:
			codes[i] = byte(Blank)
		}
	}
	r.Answers = Answers(codes)
}

func acceptProfile(p *problems, r *Response, in *Instrument, profile map[string]string) {
	for id, option := range profile {
		switch options := in.profile[id]; {
		case options == nil || in.off[id]:
			p.add("profile."+clip(id), CodeProfileUnknown)
		case option == "":
			// an unanswered optional question of a form
		case !options[option]:
			p.add("profile."+id, CodeOptionUnknown)
		default:
			if r.Profile == nil {
				r.Profile = Profile{}
			}
			r.Profile[id] = option
		}
	}
}

// Bounds of a design weight: beyond them sums of squares leave the numbers a
// computer has, and no survey does.
const (
	minWeight = 1e-6
	maxWeight = 1e9
)

func acceptDraw(p *problems, round *Round, d *Draw) {
	switch drawn := round != nil && round.Drawn(); {
	case drawn && d == nil:
		p.add("draw", CodeDrawRequired)
	case d == nil:
	case !drawn:
		p.add("draw", CodeDrawInvalid, "the round has no drawn sample")
	case d.Stratum == "" || d.PSU == "" || len(d.Stratum) > 100 || len(d.PSU) > 100:
		p.add("draw", CodeDrawRequired)
	case !(d.Weight >= minWeight && d.Weight <= maxWeight):
		p.add("draw.weight", CodeDrawInvalid, "between ", minWeight, " and ", maxWeight)
	}
}

// clip bounds what an error repeats of a client's text.
func clip(s string) string {
	if len(s) > 40 {
		return strings.ToValidUTF8(s[:40], "")
	}
	return s
}
