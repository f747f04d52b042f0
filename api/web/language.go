package web

import (
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/survey"
)

// language is the language of the answer: what ?lang= says, else the best of
// Accept-Language, else Vietnamese.
func (r *request) language() string {
	if r.lang == "" {
		r.lang = r.s.texts.negotiate(string(r.Request().URI().QueryArgs().Peek("lang")), string(r.Request().Header.Peek(fiber.HeaderAcceptLanguage)))
	}
	return r.lang
}

// negotiate chooses among the languages that the service speaks.
func (t *texts) negotiate(asked, accepted string) string {
	if t.speaks(asked) {
		return asked
	}
	best, bestQ := survey.Vietnamese, 0.0
	for part := range strings.SplitSeq(accepted, ",") {
		tag, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		lang, _, _ := strings.Cut(strings.ToLower(tag), "-")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.TrimSpace(parameters), "q="); ok {
			parsed, err := strconv.ParseFloat(v, 64)
			if err != nil {
				continue
			}
			q = parsed
		}
		if q > bestQ && t.speaks(lang) {
			best, bestQ = lang, q
		}
	}
	return best
}
