package web

import (
	"net/url"
	"strings"
	"unicode"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sipas/survey"
)

// mangled marks a request whose address was read as another one.
const mangled = "mangled"

// longestAddress is up to how many bytes of a path are looked at for what they mean.
const longestAddress = 2000

// asMeant leads addresses of citizens' pages to their routes however they were mangled
// on the way: /S/zqx6pw, //s//ZQX6PW., /s%2FZQX6PW. What stands behind the first part
// stays together as one, for pathDesk to read.
func (s *Server) asMeant(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		path := string(ctx.URI().PathOriginal())
		if asked := string(ctx.Request.Header.RequestURI()); strings.HasPrefix(asked, "//") { // fasthttp takes what follows for a host
			asked, _, _ = strings.Cut(asked, "?")
			path = "/" + s.below("/"+strings.TrimLeft(asked, "/"))
		}
		if meant, ok := meantPath(path); ok {
			if _, query, asked := strings.Cut(string(ctx.Request.Header.RequestURI()), "?"); asked {
				meant += "?" + query
			}
			ctx.Request.SetRequestURI(meant)
			ctx.SetUserValue(mangled, true)
		}
		next(ctx)
	}
}

// meantPath reads a path that was mangled; false for one that is not, or means no page of
// citizens.
func meantPath(path string) (string, bool) {
	if len(path) > longestAddress || wellFormed(path) {
		return "", false
	}
	var parts []string
	for part := range strings.SplitSeq(strings.ReplaceAll(survey.Clean(path), `\`, "/"), "/") {
		if len(parts) > 0 || strings.ContainsFunc(part, inCode) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "", false
	}
	// A space or a parameter where a slash was.
	first := strings.TrimLeftFunc(parts[0], notInCode)
	if end := strings.IndexFunc(first, notInCode); end >= 0 {
		parts[0] = first[end:]
		first = first[:end]
	} else {
		parts = parts[1:]
	}
	rest := strings.Trim(strings.Join(parts, "/"), "/ ")
	if _, behind, _ := strings.Cut(strings.TrimLeft(path, "/"), "/"); rest == "" && strings.Trim(behind, "/.") != "" {
		rest = "-" // something stood there
	}
	switch first {
	case "S":
		if rest == "" {
			return "/s", true
		}
		return "/s/" + url.PathEscape(rest), true
	case "R":
		return "/r", true
	case "QR":
		if rest == "" {
			return "", false
		}
		for _, picture := range []string{".PNG", ".SVG"} {
			if code, ok := strings.CutSuffix(strings.TrimRightFunc(rest, notInCode), picture); ok {
				return "/qr/" + url.PathEscape(code) + strings.ToLower(picture), true
			}
		}
		return "/qr/" + url.PathEscape(rest), true
	}
	return "", false
}

// wellFormed tells at one look the paths that nobody mangled: those of other pages, and
// /s/ZQX6PW.
func wellFormed(path string) bool {
	first, rest, more := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if first == "" || !strings.HasPrefix(path, "/") {
		return path == "/"
	}
	for _, c := range []byte(first) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' {
			return false
		}
	}
	switch strings.TrimRight(first, ".") {
	case "s", "r", "qr":
		if !more {
			return !strings.HasSuffix(first, ".")
		}
	default:
		return true
	}
	for _, c := range []byte(rest) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return rest != ""
}

func inCode(r rune) bool    { return unicode.IsLetter(r) || unicode.IsDigit(r) }
func notInCode(r rune) bool { return !inCode(r) }

// typedDesk reads the code of a desk in the path, as it was typed.
func (r *request) typedDesk() string {
	code, err := url.PathUnescape(r.Params("desk"))
	if err != nil {
		return r.Params("desk")
	}
	return code
}

// pathDesk finds the desk that the path names, however its code was typed or mangled.
func (s *Server) pathDesk(r *request) (*survey.Desk, error) {
	desk := s.store.View().FindDesk(r.typedDesk())
	if desk == nil {
		return nil, fail(survey.CodeDeskUnknown)
	}
	return desk, nil
}

// leadToForm sends the reader from an address that was mangled to that of the desk's
// form; false for an address that is right but for small letters.
func (s *Server) leadToForm(r *request, desk *survey.Desk) bool {
	typed := r.typedDesk()
	if r.Context().UserValue(mangled) == nil && strings.EqualFold(typed, desk.ID) {
		return false
	}
	s.seeOther(r, s.formPath(r, desk.ID, typed))
	return true
}

// formPath is the path of the form of a desk, or of the page that asks for one of a unit, with what matters of the query, and of the
// parameters that stand in a text that was taken for an address: language, a shared
// screen, the code of a slip.
func (s *Server) formPath(r *request, id, typed string) string {
	keep, fragment := url.Values{}, ""
	take := func(key, value string) {
		switch key = strings.ToLower(key); {
		case keep.Has(key):
		case key == "lang" && s.texts.speaks(strings.ToLower(value)):
			keep.Set(key, strings.ToLower(value))
		case key == "slip" && r.Method() == fiber.MethodPost:
			if code, ok := survey.SlipIn(value); ok {
				fragment = code // it was kept out of logs so far
			}
		case key == "shared" && value == "1", key == "slip" && len(value) <= maxSlip:
			keep.Set(key, value)
		}
	}
	for _, key := range []string{"lang", "shared", "slip"} {
		if value := r.Query(key); value != "" {
			take(key, value)
		}
	}
	address, behind, _ := strings.Cut(survey.Clean(typed), "#")
	for _, part := range strings.FieldsFunc(address, func(r rune) bool { return strings.ContainsRune("?&; ", r) }) {
		if key, value, ok := strings.Cut(part, "="); ok {
			take(key, value)
		}
	}
	if code, ok := survey.SlipIn(behind); ok {
		fragment = code
	}
	u := url.URL{Path: "/s/" + id, RawQuery: keep.Encode(), Fragment: fragment}
	return u.String()
}

// maxSlip is how long, in bytes, the code of a slip may be as it is typed.
const maxSlip = 60

// strayDesk finds the desk whose code alone stands in a path that leads nowhere, as who
// forgets the /s/ types it; nil for other paths, and for codes that offices chose, which
// may be any word.
func (s *Server) strayDesk(r *request, path string, err error) *survey.Desk {
	if r.route.method != fiber.MethodGet || !s.open.Load() || failureOf(err).code != codeNotFound {
		return nil
	}
	typed := strings.Trim(path, "/")
	code, ok := survey.DeskCodeIn(typed)
	if !ok || strings.Contains(typed, "/") {
		return nil
	}
	return s.store.View().Desks[code]
}

// shownCode makes a wrong code of a desk fit for a field in which it can be put right.
func shownCode(typed string) string {
	s := survey.Clean(typed)
	if end := strings.IndexAny(s, "?&#"); end > 0 {
		s = s[:end]
	}
	runes := []rune(strings.TrimSpace(s))
	return string(runes[:min(len(runes), 60)])
}
