package web

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/api/publish"
	"sipas/api/store"
	"sipas/stats"
	"sipas/survey"
)

// picture finds the picture that the request asks for, narrowed to a unit where
// it names one.
func (s *Server) picture(r *request) (*survey.Round, *stats.Picture, error) {
	round, params, err := s.reportQuery(r)
	if err != nil {
		return nil, nil, err
	}
	var wrong []survey.FieldError
	for name := range params {
		if name != "unit" {
			wrong = append(wrong, survey.FieldError{Field: strings.ToValidUTF8(name, "?"), Code: survey.CodeInvalid, Detail: "unknown parameter"})
		}
	}
	unit := params["unit"]
	if unit != "" && s.store.View().Units[unit] == nil {
		wrong = append(wrong, survey.FieldError{Field: "unit", Code: survey.CodeReference})
	}
	if wrong != nil {
		return nil, nil, &survey.Error{Fields: wrong}
	}
	p, err := s.reports.Picture(r.context, round.ID)
	if err == nil && unit != "" {
		p = p.OfUnit(unit)
	}
	return round, p, err
}

// pictureJSON gives the published figures.
func (s *Server) pictureJSON(r *request) error {
	_, p, err := s.picture(r)
	if err != nil {
		return err
	}
	return r.sendLarge(p)
}

// pictureCSV gives the published figures as a file.
func (s *Server) pictureCSV(r *request) error {
	_, p, err := s.picture(r)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := publish.PictureCSV(&b, p, r.language()); err != nil {
		return err
	}
	r.Attachment("sipas-" + p.Round.ID + "-" + string(p.Made) + ".csv")
	r.sendCompressed(fiber.StatusOK, "text/csv; charset=utf-8", b.Bytes())
	return nil
}

// pictureView is what page/picture.html shows.
type pictureView struct {
	Round   *survey.Round
	Picture *stats.Picture
	// Head is the whole, or the unit that was chosen; Unit is its id.
	Head stats.PictureCell
	Unit string
	// Sections are the tables of groups.
	Sections []pictureSection
	// Address is that of the whole picture, CSV that of the file.
	Address, CSV string
	// Live: the reader may see live figures too.
	Live bool
}

type pictureSection struct {
	By    string
	Title survey.Text
	Cells []stats.PictureCell
}

// picturePage shows the published figures to a person.
func (s *Server) picturePage(r *request) error {
	round, p, err := s.picture(r)
	if err != nil {
		return err
	}
	v := &pictureView{Round: round, Picture: p, Unit: r.Query("unit"), Live: r.token.Allows(store.RightFull)}
	for _, c := range p.Cells {
		switch {
		case c.By == "" && v.Unit == "", c.By == "unit" && c.ID == v.Unit:
			v.Head = c
			continue
		case c.By == "" || c.By == "desk" && v.Unit == "":
			continue
		}
		if n := len(v.Sections); n == 0 || v.Sections[n-1].By != c.By {
			v.Sections = append(v.Sections, pictureSection{By: c.By, Title: s.groupingTitle(round, c.By)})
		}
		last := &v.Sections[len(v.Sections)-1]
		last.Cells = append(last.Cells, c)
	}
	if v.Head.Label == nil { // nobody was ever in the unit that was chosen
		v.Head = stats.PictureCell{By: "unit", ID: v.Unit, Label: s.store.View().Units[v.Unit].Name}
	}
	page := s.newPage(r, s.texts.say(r.language(), "picture.title")+" – "+round.Title.In(r.language()), v)
	page.Wide = true
	q := url.Values{"lang": {page.Lang}}
	v.Address = s.href("/pictures/"+url.PathEscape(round.ID)) + "?" + q.Encode()
	if v.Unit != "" {
		q.Set("unit", v.Unit)
		page.query.Set("unit", v.Unit)
	}
	v.CSV = s.href("/pictures/"+url.PathEscape(round.ID)+"/csv") + "?" + q.Encode()
	return s.render(r, fiber.StatusOK, "picture", page)
}

// groupingTitle words what groups are: of the fixed list, or what a profile
// question asks.
func (s *Server) groupingTitle(round *survey.Round, by string) survey.Text {
	if in := s.store.View().Measured(round); in != nil {
		for _, q := range in.Profile {
			if q.ID == by {
				return q.Text
			}
		}
	}
	return s.both("grouping." + by)
}

// Tenth writes a percentage with one decimal, as pictures have them.
func (p *page) Tenth(v *float64) string {
	if v == nil {
		return noFigure
	}
	return p.decimal(*v, 1) + "%"
}

// Between writes the limits of a picture's figure.
func (p *page) Between(f *stats.PictureFigure) string {
	if f == nil || f.Low == nil || f.High == nil {
		return noFigure
	}
	return p.decimal(*f.Low, 1) + " – " + p.decimal(*f.High, 1)
}

// Hidden says why a group's numbers are withheld.
func (p *page) Hidden(hidden string) string { return publish.HiddenText(hidden, p.Lang) }

// CellBar prepares the drawing of a picture's index.
func (p *page) CellBar(c stats.PictureCell) bar {
	var g stats.Group
	if c.Verdict != nil {
		g.Verdict = *c.Verdict
	}
	if c.Index != nil {
		g.Weighted = stats.Figure{Value: c.Index.Value, Low: c.Index.Low, High: c.Index.High}
	}
	b := p.Bar("", g)
	if b.Has {
		b.Label = p.Tenth(c.Index.Value) + " (" + p.Between(c.Index) + "); " + p.T("report.target") + " " + p.Target(g.Verdict.Target)
	}
	return b
}

// measures are named figures for a template.
type measures struct {
	Page *page
	// Title is the name of the catalogue's text.
	Title string
	Rows  []measured
}

type measured struct {
	Text   survey.Text
	Figure *stats.PictureFigure
}

// Measures names the figures of a cell, under a title of the catalogue.
func (p *page) Measures(title string, names []stats.PictureMeasure, figures []stats.PictureFigure) measures {
	m := measures{Page: p, Title: title}
	for i := range figures {
		m.Rows = append(m.Rows, measured{names[i].Text, &figures[i]})
	}
	return m
}
