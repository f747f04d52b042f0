package web

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/survey"
)

// The sizes of a PNG code, in pixels a side.
const (
	qrDefault = 512
	qrLeast   = 128
	qrMost    = 2048
)

// FormURL is the address that the QR code of a desk or unit carries.
func (s *Server) FormURL(desk string) string { return s.cfg.PublicURL + "/s/" + url.PathEscape(desk) }

// qrOf finds the desk or unit that the path names and gets its picture; size is that of a
// PNG, 0 for the drawing. It returns no picture to a browser that has it, which it has told
// so.
func (s *Server) qrOf(r *request, size int) (*sheet, *qrPicture, error) {
	of, err := s.sheetOf(r)
	if err != nil {
		return nil, nil, err
	}
	if err := s.codes.wait(r.context); err != nil {
		return nil, nil, err
	}
	key := qrKey{of.Address, size}
	var p *qrPicture
	if known := !r.route.page && strings.Contains(r.Get(fiber.HeaderIfNoneMatch), key.tag()); known {
		r.Status(fiber.StatusNotModified)
	} else if p, err = s.codes.get(r.context, key); err != nil {
		return nil, nil, err
	}
	if !r.route.page {
		r.Set(fiber.HeaderCacheControl, "public, max-age=3600")
		r.Set(fiber.HeaderETag, key.tag())
	}
	return of, p, nil
}

func (s *Server) qrPNG(r *request) error {
	size := qrDefault
	if n, err := strconv.Atoi(r.Query("size")); err == nil {
		size = min(max(n, qrLeast), qrMost)
	}
	_, p, err := s.qrOf(r, size)
	if err != nil || p == nil {
		return err
	}
	r.Response().Header.SetContentType("image/png")
	r.Response().SetBodyRaw(p.png)
	return nil
}

func (s *Server) qrSVG(r *request) error {
	_, p, err := s.qrOf(r, 0)
	if err != nil || p == nil {
		return err
	}
	r.sendCompressed(fiber.StatusOK, "image/svg+xml", p.svg())
	return nil
}

// svg is the drawing as a file.
func (p *qrPicture) svg() []byte {
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="512" height="512" shape-rendering="crispEdges">`+
		`<path fill="#fff" d="M0 0h%[1]dv%[2]dH0z"/><path fill="#000" d="%s"/></svg>`, len(p.modules), len(p.modules), p.path)
}

// qrPath draws the dark modules as one path: each run of a row is a rectangle.
func qrPath(bitmap [][]bool) string {
	var b strings.Builder
	for y, row := range bitmap {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			n := 1
			for x+n < len(row) && row[x+n] {
				n++
			}
			fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x, y, n, n)
			x += n
		}
	}
	return b.String()
}

// sheet is the data of page/qr.html.
type sheet struct {
	// Code is that of the desk, or the id of a unit, whose sheet is for all of its desks;
	// both can be typed.
	Code       string
	Unit, Name survey.Text
	Address    string
	// Path and Size draw the code.
	Path string
	Size int
}

// qrSheet is a page to print and hang up at the desk.
func (s *Server) qrSheet(r *request) error {
	d, p, err := s.qrOf(r, 0)
	if err != nil {
		return err
	}
	d.Path, d.Size = p.path, len(p.modules)
	return s.render(r, fiber.StatusOK, "qr", s.newPage(r, s.texts.say(r.language(), "qr.title"), d))
}

// sheetOf finds the desk or unit that the path names.
func (s *Server) sheetOf(r *request) (*sheet, error) {
	if u := s.pathUnit(r); u != nil {
		all := survey.Text{}
		for _, lang := range s.texts.languages {
			all[lang] = s.texts.say(lang, "qr.all_desks")
		}
		return &sheet{Code: u.ID, Unit: u.Name, Name: all, Address: s.FormURL(u.ID)}, nil
	}
	desk, err := s.pathDesk(r)
	if err != nil {
		return nil, err
	}
	return &sheet{Code: desk.ID, Unit: s.unitName(desk.Unit), Name: desk.Name, Address: s.FormURL(desk.ID)}, nil
}

func (s *Server) unitName(id string) survey.Text {
	if u := s.store.View().Units[id]; u != nil {
		return u.Name
	}
	return survey.Text{survey.Vietnamese: id}
}
