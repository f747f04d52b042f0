package web

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"sipas/api/store"
	"sipas/survey"
)

//go:embed page/*.html
var pageFiles embed.FS

// pages are the parsed templates: each page is the layout with its own body.
type pages struct {
	assets *assets
	byName map[string]*template.Template
}

// pageAddress is how templates write an address of this service: href="/s".
var pageAddress = regexp.MustCompile(`\b(href|action|src)="/`)

// loadPages parses the embedded templates and puts prefix before the addresses in them; a
// broken one is a fault of the build. What handlers hand to templates went through href.
func loadPages(a *assets, prefix string) *pages {
	p := &pages{assets: a, byName: map[string]*template.Template{}}
	parse := func(t *template.Template, file string) *template.Template {
		text, err := pageFiles.ReadFile(file)
		if err != nil {
			panic(err)
		}
		return template.Must(t.Parse(pageAddress.ReplaceAllString(string(text), `$1="`+prefix+`/`)))
	}
	layout := parse(template.New("layout.html"), "page/layout.html")
	names, err := fs.Glob(pageFiles, "page/*.html")
	if err != nil {
		panic(err)
	}
	for _, file := range names {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "page/"), ".html")
		if name == "layout" {
			continue
		}
		p.byName[name] = parse(template.Must(layout.Clone()).New(name+".html"), file)
	}
	return p
}

// page is what a template sees: the texts and the page's own data.
type page struct {
	Lang  string
	Title string
	// Wide pages hold tables.
	Wide bool
	// Refresh reloads the page after so many seconds, 0 never.
	Refresh int
	// RefreshTo is the address of the page that comes then, "" for this one: see Server.href.
	RefreshTo string
	// Board pages are read from across a hall.
	Board bool
	// Script is the script of the page, "" for none.
	Script string
	// FormOnly hides what this server does not have.
	FormOnly bool
	// Staff may look after tablets.
	Staff bool
	// FormToken stands in every form that changes something in a session.
	FormToken string
	// SignedIn is the name of the reader's token.
	SignedIn string
	Version  string
	// Agency is who asks, as sentences name it; AgencyShort is shorter where there is a shorter name.
	Agency, AgencyShort string
	Data                any

	// path is the address of the page, without a query.
	path   string
	query  url.Values
	texts  *texts
	assets *assets
}

// newPage prepares a page in the reader's language.
func (s *Server) newPage(r *request, title string, data any) *page {
	p := &page{
		Lang: r.language(), FormOnly: s.cfg.FormOnly, Version: s.cfg.Version, Data: data,
		path: s.href(string(r.Request().URI().Path())), query: url.Values{}, texts: s.texts, assets: s.assets,
	}
	p.Title, p.Agency = title, s.agencyName(p.Lang)
	p.AgencyShort = p.Agency
	if a := s.agency(); a != nil {
		p.AgencyShort = a.ShortName().In(p.Lang)
	}
	if r.token != nil {
		p.SignedIn, p.Staff = r.token.Name, r.token.Allows(store.RightStaff)
	}
	if r.route.access == session && r.token != nil {
		p.FormToken = s.formToken(r.session)
	}
	return p
}

// T says a text of the catalogue.
func (p *page) T(key string, args ...any) string { return p.texts.say(p.Lang, key, args...) }

// In gives a text of the documents in the reader's language.
func (p *page) In(t survey.Text) string { return t.In(p.Lang) }

// Reload is what a browser needs to know of Refresh and RefreshTo.
func (p *page) Reload() string {
	if p.RefreshTo == "" {
		return strconv.Itoa(p.Refresh)
	}
	return strconv.Itoa(p.Refresh) + ";url=" + p.RefreshTo
}

// Style is the sheet inside the page.
func (p *page) Style() template.CSS { return template.CSS(p.assets.style) }

// Asset is the address of an embedded file.
func (p *page) Asset(name string) string { return p.assets.addresses[name] }

// Languages are the other languages of the page, each with its address; none for a page
// without one.
func (p *page) Languages() []link {
	var links []link
	if p.path == "" {
		return nil
	}
	for _, lang := range p.texts.languages {
		if lang == p.Lang {
			continue
		}
		q := url.Values{}
		for k, v := range p.query {
			q[k] = v
		}
		q.Set("lang", lang)
		links = append(links, link{Lang: lang, Text: p.texts.say(lang, "language.name"), Address: (&url.URL{Path: p.path, RawQuery: q.Encode()}).String()})
	}
	return links
}

type link struct{ Lang, Text, Address string }

// render answers with a page.
func (s *Server) render(r *request, status int, name string, p *page) error {
	t := s.pages.byName[name]
	if t == nil {
		return fmt.Errorf("there is no page %q", name)
	}
	var b bytes.Buffer
	b.Grow(64 << 10)
	if err := t.ExecuteTemplate(&b, "layout.html", p); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	r.Set(fiber.HeaderContentLanguage, p.Lang)
	r.sendCompressed(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

// compressFrom is the size from which compressing pays.
const compressFrom = 1 << 10

// sendLarge answers with a value as JSON, compressed when it is worth it.
func (r *request) sendLarge(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	r.sendCompressed(fiber.StatusOK, "application/json; charset=utf-8", body)
	return nil
}

// sendCompressed answers with a body, compressed when it is worth it and the
// client reads gzip.
func (r *request) sendCompressed(status int, contentType string, body []byte) {
	r.Status(status)
	h := &r.Response().Header
	h.SetContentType(contentType)
	h.Set(fiber.HeaderVary, "Accept-Encoding, Accept-Language")
	if len(body) >= compressFrom && r.Request().Header.HasAcceptEncoding("gzip") {
		h.Set(fiber.HeaderContentEncoding, "gzip")
		body = fasthttp.AppendGzipBytesLevel(nil, body, fasthttp.CompressDefaultCompression)
	}
	r.Response().SetBodyRaw(body)
}

// errorPage is the data of page/error.html.
type errorPage struct {
	Code    survey.Code
	Message string
	// Detail says what exactly is wrong, "" where Message does.
	Detail string
	Fields []wireField
	// Entry offers to type a desk code; Typed is what came for one.
	Entry bool
	Typed string
	// Form leads to where what was refused can be done, "" where that is not known.
	Form string
	// Done of Total answers are loaded.
	Loading     bool
	Done, Total int64
	RequestID   string
}

// writeErrorPage tells a person what went wrong. The error says that not even
// that page could be made.
func (s *Server) writeErrorPage(r *request, status int, f *failure) error {
	if f.code == codeSignInRequired || f.code == codeTicketInvalid {
		return s.signInPage(r, status, f.code)
	}
	d := errorPage{Code: f.code, Message: s.message(r.language(), f.code), Detail: s.detail(r.language(), f), Fields: s.wireFields(r, f.fields), RequestID: r.id,
		Entry: status == fiber.StatusNotFound || strings.HasPrefix(r.route.path, "/s")}
	p := s.newPage(r, s.texts.say(r.language(), "error.title"), &d)
	if f.code == codeLoading {
		d.Loading, d.Done, d.Total = true, f.done, f.total
		p.Title = s.texts.say(r.language(), "loading.title")
		p.Refresh = 2
	}
	if status >= 500 {
		d.Entry = false
	}
	if f.code == codeCrossSite {
		d.Entry, d.Form = false, s.ownForm(r)
	}
	if f.code == survey.CodeDeskUnknown {
		d.Typed = shownCode(r.typedDesk())
	}
	return s.render(r, status, "error", p)
}

// ownForm is the address of the form that a page of somebody else sent in a citizen's
// name, empty: what that page had filled in must not be one touch away from an answer.
// The form's script has kept what a citizen filled in.
func (s *Server) ownForm(r *request) string {
	if r.route.path == "/r" {
		return s.href("/r") + "?lang=" + r.language()
	}
	desk, err := s.pathDesk(r)
	if err != nil {
		return ""
	}
	address := s.href("/s/"+desk.ID) + "?lang=" + r.language()
	if shared(r) {
		address += "&shared=1"
	}
	return address
}
