package seeds

import (
	"bytes"
	"encoding/binary"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"sipas/survey"
)

// Visit is one answer of the simulation, kept small so that a million can be
// streamed; [Visit.Submission] and [Visit.Response] unfold it.
type Visit struct {
	sim  *Simulation
	cell int
	at   time.Time
	id   [10]byte
	// answers and options hold one code an item and one option a question, the
	// latter plus one, 0 for a question left out
	answers [64]byte
	options [20]uint8
	// reached is the number of items that were shown
	reached int
	channel survey.Channel
	helped  string
	comment string
	english bool
}

// The hours, in Vietnam, at which offices serve people, and the hour of the
// answers given from home.
var officeHours = [...]int{7, 8, 9, 10, 13, 14, 15, 16}

const eveningHour = 20

// Visits yields all answers in the order of their hours, over the Params.Days
// working days (Monday to Friday) that end on or before last. Whatever last
// is, the same people give the same answers; only dates change.
func (s *Simulation) Visits(last survey.Date) iter.Seq[Visit] {
	return func(yield func(Visit) bool) {
		rng := rand.New(rand.NewPCG(s.params.Seed, streamVisits))
		days, n := s.workdays(last), s.params.Answers
		for d, day := range days {
			today := n*(d+1)/len(days) - n*d/len(days)
			evening := int(float64(today)*s.params.Evening + rng.Float64())
			midnight := day.Start()
			for i := range today {
				v := Visit{sim: s}
				hour, channel := eveningHour, survey.ChannelQR
				if office := today - evening; i < office {
					hour, channel = officeHours[i*len(officeHours)/office], s.drawChannel(rng)
				}
				v.channel = channel
				v.at = midnight.Add(time.Duration(hour) * time.Hour).UTC()
				s.draw(rng, &v, d)
				if !yield(v) {
					return
				}
			}
		}
	}
}

// workdays are the last Params.Days days from Monday to Friday, in order.
func (s *Simulation) workdays(last survey.Date) []survey.Date {
	var days []survey.Date
	for d := last; len(days) < s.params.Days; d = d.AddDays(-1) {
		if w := d.Start().Weekday(); w != time.Saturday && w != time.Sunday {
			days = append(days, d)
		}
	}
	slices.Reverse(days)
	return days
}

func (s *Simulation) drawChannel(rng *rand.Rand) survey.Channel {
	switch u := rng.Float64(); {
	case u < s.params.Kiosk:
		return survey.ChannelKiosk
	case u < s.params.Kiosk+s.params.Paper:
		return survey.ChannelPaper
	}
	return survey.ChannelQR
}

// draw fills in a person, and what that person answers on day d.
func (s *Simulation) draw(rng *rand.Rand, v *Visit, d int) {
	p := s.params
	u := rng.Float64() * s.heaped[len(s.heaped)-1]
	v.cell, _ = slices.BinarySearch(s.heaped, u)
	c := &s.cells[v.cell]
	mood := 0.0
	for {
		mood = p.PersonSD * rng.NormFloat64()
		for q := range s.questions {
			k := pick(rng, s.questions[q].groups)
			mood += s.questions[q].groups[k].effect
			v.options[q] = uint8(k + 1)
		}
		if p.ResponseSlope == 0 || rng.Float64() < 1/(1+math.Exp(-p.ResponseSlope*mood/p.PersonSD)) {
			break
		}
	}
	mood += c.effect + s.day[c.desk*p.Days+d]
	s.answer(rng, v, mood)
	for q := range s.questions {
		if rng.Float64() >= p.Stated {
			v.options[q] = 0
		}
	}
	if rng.Float64() < p.Stated {
		v.helped = survey.Helps[pick(rng, helpShares)]
	}
	if rng.Float64() < p.Comments {
		list := badComments
		if mood > 0 {
			list = goodComments
		}
		v.comment = list[rng.IntN(len(list))]
	}
	v.english = rng.Float64() < 0.01
	binary.LittleEndian.PutUint64(v.id[:8], rng.Uint64())
	binary.LittleEndian.PutUint16(v.id[8:], uint16(rng.Uint32()))
}

// answer draws the answers of a person with that latent satisfaction.
func (s *Simulation) answer(rng *rand.Rand, v *Visit, mood float64) {
	p, n := s.params, len(s.items)
	same := byte(0)
	if rng.Float64() < p.StraightLine {
		same = level(mood + rng.NormFloat64())
	}
	silent := rng.Float64() < p.NAFeedback
	v.reached = n
	if n > 1 && rng.Float64() < p.BrokenOff {
		v.reached = 1 + rng.IntN(n-1)
	}
	levels := 0
	for i, item := range s.items {
		if i >= v.reached {
			v.answers[i] = byte(survey.BrokenOff)
			continue
		}
		na := p.NAOther
		if i >= s.feedbackFrom {
			na = 0
			if silent {
				na = 1
			}
		}
		switch u := rng.Float64(); {
		case u < na:
			v.answers[i] = byte(survey.NotApplicable)
			continue
		case u < na+(1-na)*p.Blank:
			v.answers[i] = byte(survey.Blank)
			continue
		case same != 0:
			v.answers[i] = same
		default:
			v.answers[i] = level(mood + item + rng.NormFloat64())
		}
		levels++
	}
	if levels == 0 {
		// an empty form is not an answer: this person did fill in the first item
		v.answers[0] = level(mood + s.items[0] + rng.NormFloat64())
	}
}

// level is the code of a latent satisfaction.
func level(y float64) byte {
	code := byte('1')
	for _, t := range thresholds {
		if y > t {
			code++
		}
	}
	return code
}

// helpShares are how people were helped, in the order of [survey.Helps].
var helpShares = []group{{share: 0.84}, {share: 0.09}, {share: 0.06}, {share: 0.01}}

// pick draws a group by its share.
func pick(rng *rand.Rand, gs []group) int {
	u := rng.Float64()
	for i, g := range gs {
		if u -= g.share; u < 0 {
			return i
		}
	}
	return len(gs) - 1
}

// ID is a UUIDv7 for the visit's hour; its random bits come from the seed.
func (v *Visit) ID() survey.ID {
	id, err := survey.NewID(v.at, &bits{v.id})
	if err != nil {
		panic(err) // bits never ends early
	}
	return id
}

// bits hands out the ten random bytes of an id.
type bits struct{ b [10]byte }

func (r *bits) Read(p []byte) (int, error) { return copy(p, r.b[:]), nil }

// Answered is the hour of the visit, in UTC.
func (v *Visit) Answered() time.Time { return v.at }

// Unit is the id of the unit that was visited.
func (v *Visit) Unit() string { return v.sim.units[v.sim.cells[v.cell].unit] }

// Submission returns the visit as a client sends it and as its door sees it,
// for [survey.Accept] with now = received. Paper forms carry their date and
// are entered at the end of the hour's day; all others arrive at once.
func (v *Visit) Submission() (s survey.Submission, from survey.Origin, received time.Time) {
	in, c := v.sim.in, &v.sim.cells[v.cell]
	answers, module, reached := v.asked()
	s = survey.Submission{
		ID: v.ID().String(), Round: v.sim.round.ID, Desk: v.sim.desks[c.desk].ID, Instrument: in.ID, Version: in.Version,
		Answers: make(map[string]survey.Answer, v.reached), Reached: in.Items()[reached].ID, Module: module,
		Field: c.field, Filing: c.filing, Profile: v.profile(), Helped: v.helped, Comment: v.comment, Language: v.language(),
	}
	for i, it := range in.Items() {
		if a := survey.Answer(answers[i]); a.Level() > 0 || a == survey.NotApplicable {
			s.Answers[it.ID] = a
		}
	}
	from, received = survey.Origin{Channel: v.channel, Door: v.door()}, v.received()
	if from.Door == survey.DoorStaff {
		from.Answered = v.at
	}
	return s, from, received
}

// Response returns what [survey.Accept] makes of the visit, without the cost of
// checking it: for filling a store or columns with very many. It is not sealed.
func (v *Visit) Response() survey.Response {
	in, c := v.sim.in, &v.sim.cells[v.cell]
	answers, module, _ := v.asked()
	r := survey.Response{
		ID: v.ID(), Round: v.sim.round.ID, Instrument: in.ID, Version: in.Version,
		Desk: v.sim.desks[c.desk].ID, Unit: v.sim.units[c.unit], Field: c.field, Filing: c.filing,
		Answers: answers, Module: module, Profile: v.profile(), Helped: v.helped, Comment: v.comment,
		Language: v.language(), Channel: v.channel, Door: v.door(), Answered: v.at, Received: v.received(),
	}
	r.Flags = survey.QualityFlags(&r)
	return r
}

// asked is what the form of the round makes of the answers of somebody who was asked
// everything: the answers, the module of a split form, and the last item that was shown.
// Whoever has no level in the module gives its first item the level of another.
func (v *Visit) asked() (answers survey.Answers, module string, reached int) {
	in, all := v.sim.in, v.answers[:len(v.sim.items)]
	if v.sim.round.Form != survey.FormSplit {
		return survey.Answers(all), "", v.reached - 1
	}
	m := in.DrawModule(v.sim.round.ID, v.ID())
	order := in.Order(m)
	codes := bytes.Repeat([]byte{byte(survey.NotAsked)}, len(all))
	shown, levels := 1, 0
	for k, i := range order {
		if codes[i] = all[i]; all[i] != byte(survey.BrokenOff) {
			shown = k + 1
		}
		if survey.Answer(all[i]).Level() > 0 {
			levels++
		}
	}
	for _, i := range order[:shown] {
		if codes[i] == byte(survey.BrokenOff) {
			codes[i] = byte(survey.Blank)
		}
	}
	if levels == 0 {
		codes[order[0]] = all[slices.IndexFunc(all, func(a byte) bool { return survey.Answer(a).Level() > 0 })]
	}
	return survey.Answers(codes), m.ID, order[shown-1]
}

func (v *Visit) door() survey.Door {
	if v.channel == survey.ChannelPaper {
		return survey.DoorStaff
	}
	return survey.DoorOpen
}

// received is when the answer reached the server: paper forms are entered at
// 18:00 in Vietnam.
func (v *Visit) received() time.Time {
	if v.channel == survey.ChannelPaper {
		return survey.DateOf(v.at).Start().Add(18 * time.Hour).UTC()
	}
	return v.at
}

func (v *Visit) language() string {
	if v.english {
		return survey.English
	}
	return survey.Vietnamese
}

// profile is nil when the person answered no question about themselves.
func (v *Visit) profile() survey.Profile {
	var p survey.Profile
	for q, k := range v.options[:len(v.sim.questions)] {
		if k == 0 {
			continue
		}
		if p == nil {
			p = make(survey.Profile, len(v.sim.questions))
		}
		p[v.sim.questions[q].id] = v.sim.questions[q].options[k-1]
	}
	return p
}
