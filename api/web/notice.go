package web

import (
	"maps"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/kiosk"
	"sipas/survey"
)

// noticeData is the data of page/notice.html.
type noticeData struct {
	Parts []noticePart
	// Form leads back to where the reader came from, "" where that is not known.
	Form string
}

// noticePart is one paragraph of the full notice, with what it leads to.
type noticePart struct {
	Title, Text string
	Links       []noticeLink
}

type noticeLink struct{ Text, Address string }

// agency is who asks, nil where no document says so, or there is no store yet.
func (s *Server) agency() *survey.Agency {
	if !s.open.Load() {
		return nil
	}
	return s.store.View().Agency
}

// noticePage says in full what becomes of answers. ?desk= leads back to that desk's form.
func (s *Server) noticePage(r *request) error {
	var d noticeData
	catalogue := s.store.View().Catalogue
	p := s.newPage(r, s.texts.say(r.language(), "full.title"), &d)
	if desk := catalogue.FindDesk(r.Query("desk")); desk != nil {
		d.Form = s.href("/s/"+desk.ID) + "?lang=" + p.Lang
		p.query.Set("desk", desk.ID)
		if shared(r) {
			d.Form += "&shared=1"
			p.query.Set("shared", "1")
		}
	}
	asked := map[string]*survey.Instrument{}
	for _, round := range catalogue.Rounds {
		if in := catalogue.Instruments[survey.InstrumentKey(round.Instrument, round.Version)]; in != nil && round.OpenAt(s.cfg.Now()) == "" {
			asked[in.Key()] = in
		}
	}
	d.Parts = s.noticeParts(p.Lang, asked, false)
	return s.render(r, fiber.StatusOK, "notice", p)
}

// noticeParts words the notice about some instruments, for phones or for tablets. What the
// agency does not say is left out, or said to be missing where people must know it.
func (s *Server) noticeParts(lang string, asked map[string]*survey.Instrument, onTablet bool) []noticePart {
	say := func(key string, args ...any) string { return s.texts.say(lang, "full."+key, args...) }
	a := s.agency()
	name := s.agencyName(lang)
	if a == nil {
		a = &survey.Agency{}
	}
	parts := []noticePart{{Title: say("who.title"), Text: s.whoAsks(lang, name, a)}}
	add := func(key string, args ...any) {
		parts = append(parts, noticePart{Title: say(key + ".title"), Text: say(key, args...)})
	}
	add("why")
	add("kept")
	add("not_kept")
	add("free")
	if questions := sensitive(lang, asked); len(questions) > 0 {
		add("sensitive", strings.Join(questions, ", "))
	}
	if kept := a.Retention.In(lang); kept != "" {
		add("retention", kept)
	} else {
		parts = append(parts, noticePart{Title: say("retention.title"), Text: say("retention.unsaid")})
	}
	parts = append(parts, noticePart{Title: say("rights.title"), Text: say("rights", name, s.cfg.PublicURL+"/r"),
		Links: []noticeLink{{s.texts.say(lang, "nav.withdraw"), s.href("/r") + "?lang=" + lang}}})
	reply := noticePart{Title: say("reply.title"), Text: say("reply")}
	var places []string
	for _, to := range a.Replies {
		places = append(places, strings.TrimSpace(to.Name.In(lang)+" "+to.Phone))
		if to.URL != "" {
			reply.Links = append(reply.Links, noticeLink{to.Name.In(lang), to.URL})
		}
	}
	if len(places) > 0 {
		reply.Text += " " + say("reply.places", strings.Join(places, "; "))
	}
	parts = append(parts, reply)
	if onTablet {
		add("tablet")
	} else {
		add("phone")
	}
	return parts
}

// whoAsks is the first paragraph: the agency, how to reach it, who runs the server.
func (s *Server) whoAsks(lang, name string, a *survey.Agency) string {
	sentences := []string{s.texts.say(lang, "full.who.name", name)}
	add := func(key, value string) {
		if value != "" {
			sentences = append(sentences, s.texts.say(lang, "full.who."+key, value))
		}
	}
	add("address", a.Address.In(lang))
	add("phone", a.Phone)
	add("email", a.Email)
	add("data_protection", a.DataProtection.In(lang))
	if len(sentences) == 1 {
		sentences = append(sentences, s.texts.say(lang, "full.who.ask"))
	}
	switch operator := a.Operator.In(lang); operator {
	case "":
	case name, a.ShortName().In(lang):
		add("own_server", name)
	default:
		sentences = append(sentences, s.texts.say(lang, "full.who.operator", operator, name))
	}
	return strings.Join(sentences, " ")
}

// sensitive lists the questions of some instruments about what the law calls sensitive.
func sensitive(lang string, asked map[string]*survey.Instrument) []string {
	var questions []string
	for _, key := range slices.Sorted(maps.Keys(asked)) {
		for _, q := range asked[key].Profile {
			if text := q.Text.In(lang); q.Sensitive && !q.Off && !slices.Contains(questions, text) {
				questions = append(questions, text)
			}
		}
	}
	return questions
}

// agencyName is who asks, as sentences name it.
func (s *Server) agencyName(lang string) string {
	if a := s.agency(); a != nil {
		return a.Name.In(lang)
	}
	return s.texts.say(lang, "agency.name")
}

// bundleNotice puts into the survey of a tablet who asks and the full notice, in every
// language, so that it can show them without network.
func (s *Server) bundleNotice(b *kiosk.Bundle) {
	for _, lang := range s.texts.languages {
		b.Agency[lang] = s.agencyName(lang)
		for _, part := range s.noticeParts(lang, b.Instruments, true) {
			for _, link := range part.Links {
				if strings.Contains(link.Address, "://") {
					part.Text += " " + link.Text + ": " + link.Address
				}
			}
			b.Notice[lang] = append(b.Notice[lang], kiosk.NoticePart{Title: part.Title, Text: part.Text})
		}
	}
}
