package web

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sipas/api/store"
	"sipas/survey"
)

// Names of the form's fields. Those of items and profile questions begin with a
// letter and a dot, so that no id of an instrument can collide with the others.
const (
	itemPrefix    = "a."
	profilePrefix = "p."
)

// fieldButtons is how many buttons ask a phone for the service field, one of them for others
// where there are more fields.
const fieldButtons = 6

// form is what page/form.html shows: the questions, and what was typed.
type form struct {
	Desk  *survey.Desk
	Round *survey.Round
	Unit  survey.Text
	// ID is the id of the answer, minted with the page.
	ID string
	// Shared: the page stands on a screen that others use next.
	Shared bool
	// AsksSlip: the code of a slip can be typed; NeedsSlip: it must be. Slip is what
	// was typed, or came with the address.
	AsksSlip, NeedsSlip bool
	Slip, SlipProblem   string
	// SlipLinked: the code came with the address, as a printed ?slip= has it, and may
	// stand in that of the page in another language. One that was typed, or stood behind
	// the #, may not.
	SlipLinked bool
	// Stamp says when the page was made, and is what its receipt is made of; see
	// stampForm. "" where that is not known.
	Stamp      string
	Instrument *survey.Instrument
	Factors    []formFactor
	// Blank is what the template makes of Factors when nothing is ticked, made
	// before; "" has it made now.
	Blank template.HTML
	// Fields are the first service fields of a desk that has several, MoreFields those that
	// the phone shows when it is asked for others.
	Fields, MoreFields []formOption
	Filings            []formOption
	Profile            []formQuestion
	Helped             []formOption
	Comment            string
	// CommentProblem, like the Problem of an item or question, says what is wrong with it.
	CommentProblem string
	// Problems lists everything wrong, with a link to where.
	Problems []formProblem
	// module is that of a split form, "" elsewhere.
	module string
	// Conflict: this id was sent before with other answers; the page has a new
	// one for another visit.
	Conflict bool
	// Unavailable: the answer could not be stored now and should be sent again.
	Unavailable bool
}

type formFactor struct {
	Title survey.Text
	Items []formItem
}

type formItem struct {
	Number     int
	Name       string
	Text, Note survey.Text
	// Sound is the address of a recording of the question, "" without one.
	Sound   string
	Problem string
	Levels  []formOption
	NA      bool
}

type formQuestion struct {
	Name    string
	Text    survey.Text
	Options []formOption
	// Sensitive: the answer needs a consent of its own.
	Sensitive bool
	Problem   string
}

type formOption struct {
	Value  string
	Text   survey.Text
	Chosen bool
}

type formProblem struct{ Anchor, Text string }

// typed is a posted form: what a submission needs, as text.
type typed struct {
	id, stamp, round, instrument, version, field, filing, helped, comment, reached, trap, slip, linked string
	// answers and profile by item and question, "" where nothing was chosen.
	answers, profile map[string]string
	// broken names the fields that are not UTF-8.
	broken []string
}

// showForm is where a QR code leads: the form of the desk's round.
func (s *Server) showForm(r *request) error {
	if unit := s.pathUnit(r); unit != nil {
		return s.unitPage(r, unit)
	}
	desk, err := s.pathDesk(r)
	if err != nil {
		return err
	}
	if s.leadToForm(r, desk) {
		return nil
	}
	desk, round, in, err := s.formOf(r)
	if err != nil {
		return err
	}
	now := s.cfg.Now()
	id, err := s.formID(round, in, r.Query("asks"), now)
	if err != nil {
		return err
	}
	f := s.blankForm(r, desk, round, in, id)
	if f.Stamp, err = s.stampForm(f.ID, now); err != nil {
		return err
	}
	if slip, ok := survey.ReadSlip(s.slipKey, round.ID, desk.ID, r.Query("slip")); f.AsksSlip && ok {
		f.Slip, f.SlipLinked = slip, true
	}
	p := s.formPage(r, f)
	if f.Blank, err = s.blankItems(p, f); err != nil {
		return err
	}
	return s.render(r, fiber.StatusOK, "form", p)
}

// drawsOfID bounds how often an id is drawn for a module that somebody has begun.
const drawsOfID = 1000

// formID draws the id of a new form, and with it the module that a split round asks. asks
// names items, with points between them, that a draft on the phone answers: the form is one
// that has them all, where there is such a module.
func (s *Server) formID(round *survey.Round, in *survey.Instrument, asks string, now time.Time) (survey.ID, error) {
	items := strings.Split(asks, ".")
	has := func(m survey.Module) bool {
		return !slices.ContainsFunc(items, func(item string) bool { return !slices.Contains(m.Items, item) })
	}
	begun := asks != "" && round.Form == survey.FormSplit && len(items) <= len(in.Items()) && slices.ContainsFunc(in.Modules, has)
	for draw := 1; ; draw++ {
		id, err := survey.NewID(now, s.cfg.Random)
		if err != nil || !begun || draw == drawsOfID || has(*in.DrawModule(round.ID, id)) {
			return id, err
		}
	}
}

// blankItems are the questions as everybody sees them first. They are the larger
// part of the page, and made once for each language, module and state of the
// documents.
func (s *Server) blankItems(p *page, f *form) (template.HTML, error) {
	c := &s.blanks
	c.mu.Lock()
	defer c.mu.Unlock()
	if catalogue := s.store.View().Catalogue; c.made == nil || c.of != catalogue {
		c.of, c.made = catalogue, map[blankKey]template.HTML{}
	}
	key := blankKey{f.Instrument, f.Round.ID, f.module, p.Lang}
	if made, ok := c.made[key]; ok {
		return made, nil
	}
	var b strings.Builder
	if err := s.pages.byName["form"].ExecuteTemplate(&b, "items", p); err != nil {
		return "", fmt.Errorf("render the questions of a form: %w", err)
	}
	c.made[key] = template.HTML(b.String())
	return c.made[key], nil
}

// blankForms remembers what blankItems made of a state of the documents.
type blankForms struct {
	mu   sync.Mutex
	of   *survey.Catalogue
	made map[blankKey]template.HTML
}

type blankKey struct {
	instrument   *survey.Instrument
	round        string
	module, lang string
}

// formOf finds what a form of the desk in the path asks: the desk, its round
// and the round's instrument.
func (s *Server) formOf(r *request) (*survey.Desk, *survey.Round, *survey.Instrument, error) {
	desk, err := s.pathDesk(r)
	if err != nil {
		return nil, nil, nil, err
	}
	now := s.cfg.Now()
	catalogue := s.store.View().Catalogue
	if !catalogue.Serves(desk, survey.DateOf(now)) {
		return nil, nil, nil, fail(survey.CodeDeskClosed)
	}
	round, why := catalogue.RoundAt(survey.ChannelQR, desk.Unit, survey.DateOf(now))
	if round == nil {
		return nil, nil, nil, fail(why)
	}
	return roundForm(catalogue, desk, round)
}

// formAgainOf is formOf for a form that comes back: of its own round, as long as that takes
// it.
func (s *Server) formAgainOf(r *request, t *typed) (*survey.Desk, *survey.Round, *survey.Instrument, error) {
	desk, err := s.pathDesk(r)
	if err != nil {
		return nil, nil, nil, err
	}
	catalogue := s.store.View().Catalogue
	made, _ := s.formMade(t.id, t.stamp)
	if round := catalogue.Rounds[t.round]; round != nil && catalogue.Takes(round, desk, made, s.cfg.Now()) {
		return roundForm(catalogue, desk, round)
	}
	return s.formOf(r)
}

func roundForm(catalogue *survey.Catalogue, desk *survey.Desk, round *survey.Round) (*survey.Desk, *survey.Round, *survey.Instrument, error) {
	in := catalogue.Instruments[survey.InstrumentKey(round.Instrument, round.Version)]
	if in == nil {
		return nil, nil, nil, fail(survey.CodeVersion)
	}
	return desk, round, in, nil
}

// blankForm lists the questions that are asked under an id, nothing ticked.
func (s *Server) blankForm(r *request, desk *survey.Desk, round *survey.Round, in *survey.Instrument, id survey.ID) *form {
	f := &form{
		Desk: desk, Round: round, Unit: s.unitName(desk.Unit), ID: id.String(), Shared: shared(r), Instrument: in,
		AsksSlip: round.Takes(survey.DoorSlip), NeedsSlip: !round.Takes(survey.DoorOpen),
	}
	module, _ := in.Asked(round, id) // documents without the form are refused
	if module != nil {
		f.module = module.ID
	}
	last := -1
	for n, at := range in.Order(module) {
		item, factor := in.Items()[at], in.FactorOf(at)
		if factor != last {
			f.Factors = append(f.Factors, formFactor{Title: in.Factors[factor].Title})
		}
		last = factor
		fi := formItem{Number: n + 1, Name: itemPrefix + item.ID, Text: item.Text, Note: item.Note, Sound: s.href(s.sounds.of(in, item.ID, r.language()))}
		for i, label := range in.Levels {
			fi.Levels = append(fi.Levels, formOption{Value: strconv.Itoa(i + 1), Text: label})
		}
		ff := &f.Factors[len(f.Factors)-1]
		ff.Items = append(ff.Items, fi)
	}
	fields := s.store.View().Fields
	if len(desk.Fields) > 1 {
		for _, id := range desk.Fields {
			f.Fields = append(f.Fields, formOption{Value: id, Text: fields[id].Name})
		}
		if len(f.Fields) > fieldButtons {
			f.Fields, f.MoreFields = f.Fields[:fieldButtons-1], f.Fields[fieldButtons-1:]
		}
	}
	f.Filings = s.options("filing.", survey.Filings)
	f.Helped = s.options("helped.", survey.Helps)
	for _, q := range in.Profile {
		if q.Off {
			continue
		}
		fq := formQuestion{Name: profilePrefix + q.ID, Text: q.Text, Sensitive: q.Sensitive}
		for _, o := range q.Options {
			fq.Options = append(fq.Options, formOption{Value: o.ID, Text: o.Text})
		}
		f.Profile = append(f.Profile, fq)
	}
	return f
}

// options are the fixed choices that the domain names and the catalogue words.
func (s *Server) options(prefix string, values []string) []formOption {
	var out []formOption
	for _, v := range values {
		text := survey.Text{}
		for _, lang := range s.texts.languages {
			text[lang] = s.texts.say(lang, prefix+v)
		}
		out = append(out, formOption{Value: v, Text: text})
	}
	return out
}

// postForm takes a filled-in form through the same door as the API.
func (s *Server) postForm(r *request) error {
	desk, err := s.pathDesk(r)
	if err != nil {
		return err
	}
	t := readForm(r.Request().PostArgs())
	sub := t.submission(desk.ID, s.formLanguage(r, t))
	from := survey.Origin{Channel: survey.ChannelQR, Door: survey.DoorOpen}
	made, genuine := s.formMade(t.id, t.stamp)
	if genuine {
		from.Begun = made
	}
	var lately bool
	if sub.Seconds, lately = s.formOpen(t); !lately {
		from.Flags |= survey.FlagUnstamped
	}
	if t.trap != "" {
		from.Flags |= survey.FlagTrap
	}
	id, _ := survey.ParseID(t.id) // accept refuses one that is none
	code, before, err := s.formReceipt(id, t.stamp)
	if err != nil {
		return err
	}
	hash, err := survey.ReceiptHash(code)
	if err != nil {
		return err
	}
	sub.ReceiptSHA256 = hex.EncodeToString(hash)
	response, outcome, err := s.acceptForm(r, t, sub, from)
	switch outcome {
	case store.Stored, store.Duplicate:
		return s.thanks(r, desk, receiptOf(&response, code, before))
	case store.Withdrawn:
		return s.render(r, fiber.StatusGone, "message", s.messagePage(r, "withdrawn"))
	case store.Conflict:
		return s.formAgain(r, t, nil, fiber.StatusConflict)
	}
	var invalid *survey.Error
	if errors.As(err, &invalid) {
		return s.formAgain(r, t, invalid.Fields, statuses[codeInvalid])
	}
	if failureOf(err).code != codeUnavailable {
		return err
	}
	s.logFailure(r, err)
	r.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfter))
	return s.formAgain(r, t, nil, fiber.StatusServiceUnavailable)
}

// receiptOf is the one of some codes that withdraws a stored answer, "" where none does.
func receiptOf(r *survey.Response, codes ...string) string {
	for _, code := range codes {
		if hash, err := survey.ReceiptHash(code); err == nil && bytes.Equal(hash, r.Receipt) {
			return code
		}
	}
	return ""
}

// formLater gives an answer back that comes from where too much came from just
// now, to be sent again.
func (s *Server) formLater(r *request) error {
	if _, err := s.pathDesk(r); err != nil {
		return err
	}
	r.Set(fiber.HeaderRetryAfter, strconv.Itoa(retryAfter))
	return s.formAgain(r, readForm(r.Request().PostArgs()), nil, fiber.StatusTooManyRequests)
}

func (s *Server) acceptForm(r *request, t *typed, sub survey.Submission, from survey.Origin) (survey.Response, store.Outcome, error) {
	if len(t.broken) > 0 {
		var wrong []survey.FieldError
		for _, field := range t.broken {
			wrong = append(wrong, survey.FieldError{Field: field, Code: survey.CodeUTF8})
		}
		return survey.Response{}, store.Failed, &survey.Error{Fields: wrong}
	}
	return s.accept(r, sub, from)
}

// readForm copies a posted form out of the request.
func readForm(args *fasthttp.Args) *typed {
	t := &typed{answers: map[string]string{}, profile: map[string]string{}}
	fixed := map[string]*string{"id": &t.id, "stamp": &t.stamp, "round": &t.round, "instrument": &t.instrument, "version": &t.version,
		"field": &t.field, "filing": &t.filing, "helped": &t.helped, "comment": &t.comment, "reached": &t.reached, "website": &t.trap, "slip": &t.slip, "linked": &t.linked}
	seen := map[string]bool{}
	for k, v := range args.All() {
		name, value := string(k), string(v)
		if seen[name] {
			continue
		}
		seen[name] = true
		if !utf8.ValidString(name) || !utf8.ValidString(value) {
			t.broken = append(t.broken, strings.ToValidUTF8(name, "?"))
			value = strings.ToValidUTF8(value, "\uFFFD")
		}
		if to := fixed[name]; to != nil {
			*to = value
		} else if id, ok := strings.CutPrefix(name, itemPrefix); ok {
			t.answers[id] = value
		} else if id, ok := strings.CutPrefix(name, profilePrefix); ok {
			t.profile[id] = value
		}
	}
	// A text area sends each line end as two characters, which its own limit
	// counts as one.
	t.comment = strings.ReplaceAll(t.comment, "\r\n", "\n")
	return t
}

// formLanguage is the language in which a posted form was read: that of the page,
// or the instrument's first where it does not have that one.
func (s *Server) formLanguage(r *request, t *typed) string {
	version, _ := strconv.Atoi(t.version)
	in := s.store.View().Instruments[survey.InstrumentKey(t.instrument, version)]
	if in == nil || slices.Contains(in.Languages, r.language()) {
		return r.language()
	}
	return in.Languages[0]
}

// submission is the form as every door's submission. The desk comes from the
// path.
func (t *typed) submission(desk, lang string) survey.Submission {
	sub := survey.Submission{ID: t.id, Round: t.round, Desk: desk, Instrument: t.instrument, Answers: map[string]survey.Answer{},
		Field: t.field, Filing: t.filing, Profile: t.profile, Helped: t.helped, Comment: t.comment, Language: lang, Reached: t.reached, Slip: t.slip}
	// What is no number stays 0, which the domain's door refuses.
	sub.Version, _ = strconv.Atoi(t.version)
	for id, value := range t.answers {
		if value != "" {
			var a survey.Answer
			_ = a.UnmarshalJSON([]byte(value)) // a wrong value becomes a wrong answer, never an error
			sub.Answers[id] = a
		}
	}
	return sub
}

// formAgain shows the form once more with everything that was typed. It keeps its
// id, but for another answer that was stored under that, and an id that is none.
func (s *Server) formAgain(r *request, t *typed, wrong []survey.FieldError, status int) error {
	desk, round, in, err := s.formAgainOf(r, t)
	if err != nil {
		return err
	}
	conflict := status == fiber.StatusConflict
	id, err := survey.ParseID(t.id)
	if err != nil || conflict || concerns(wrong, "id") {
		if id, err = survey.NewID(s.cfg.Now(), s.cfg.Random); err != nil {
			return err
		}
	}
	f := s.blankForm(r, desk, round, in, id)
	f.Conflict, f.Unavailable = conflict, status == fiber.StatusServiceUnavailable || status == fiber.StatusTooManyRequests
	// The questions were read on the first page, so its time counts.
	switch made, ok := s.formMade(t.id, t.stamp); {
	case ok && f.ID == t.id:
		f.Stamp = t.stamp // and with it the receipt
	case ok:
		if f.Stamp, err = s.stampForm(f.ID, made); err != nil {
			return err
		}
	}
	s.fill(r, f, t, wrong)
	return s.renderForm(r, status, f)
}

func concerns(wrong []survey.FieldError, field string) bool {
	return slices.ContainsFunc(wrong, func(w survey.FieldError) bool { return w.Field == field })
}

// fill puts what was typed, and what is wrong with it, into a form.
func (s *Server) fill(r *request, f *form, t *typed, wrong []survey.FieldError) {
	problems := map[string]string{}
	for _, w := range wrong {
		problems[w.Field] = survey.Message(w.Code, r.language())
	}
	place := func(field, anchor, what string) string {
		text, ok := problems[field]
		if !ok {
			return ""
		}
		delete(problems, field)
		f.Problems = append(f.Problems, formProblem{Anchor: anchor, Text: what + text})
		return text
	}
	for i := range f.Factors {
		for j := range f.Factors[i].Items {
			item := &f.Factors[i].Items[j]
			id := strings.TrimPrefix(item.Name, itemPrefix)
			item.Problem = place("answers."+id, item.Name, strconv.Itoa(item.Number)+". ")
			choose(item.Levels, t.answers[id])
			item.NA = t.answers[id] == survey.NotApplicable.Word()
		}
	}
	if f.AsksSlip {
		f.Slip, f.SlipLinked = t.slip, t.linked != ""
		f.SlipProblem = place("slip", "slip", s.texts.say(r.language(), "form.slip")+": ")
	}
	choose(f.Fields, t.field)
	choose(f.MoreFields, t.field)
	choose(f.Filings, t.filing)
	choose(f.Helped, t.helped)
	for i := range f.Profile {
		q := &f.Profile[i]
		id := strings.TrimPrefix(q.Name, profilePrefix)
		q.Problem = place("profile."+id, q.Name, q.Text.In(r.language())+": ")
		choose(q.Options, t.profile[id])
	}
	f.Comment = t.comment
	f.CommentProblem = place("comment", "comment", s.texts.say(r.language(), "form.comment")+": ")
	// What has no place on the page is said above it.
	for _, w := range wrong {
		if text, ok := problems[w.Field]; ok {
			delete(problems, w.Field)
			f.Problems = append(f.Problems, formProblem{Text: text})
		}
	}
}

func choose(options []formOption, value string) {
	for i := range options {
		options[i].Chosen = value != "" && options[i].Value == value
	}
}

func (s *Server) renderForm(r *request, status int, f *form) error {
	return s.render(r, status, "form", s.formPage(r, f))
}

func (s *Server) formPage(r *request, f *form) *page {
	p := s.newPage(r, f.Round.Title.In(r.language()), f)
	p.Script = "form.js"
	p.path = s.href("/s/" + f.Desk.ID)
	if f.Shared {
		p.query.Set("shared", "1")
	}
	if f.SlipLinked && f.SlipProblem == "" {
		p.query.Set("slip", f.Slip) // for the page in another language
	}
	return p
}

// shared reports whether a form stands on a screen that others use next, as a
// link with ?shared=1 says: nothing may stay there.
func shared(r *request) bool { return r.Query("shared") == "1" }
