package web

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/skip2/go-qrcode"

	"sipas/survey"
)

// The sizes of a PNG code, in pixels a side.
const (
	qrDefault = 512
	qrLeast   = 128
	qrMost    = 2048
)

// FormURL is the address that a desk's QR code carries.
func (s *Server) FormURL(desk string) string { return s.cfg.PublicURL + "/s/" + url.PathEscape(desk) }

// qrCode finds the desk that the path names and draws its code: a quarter of it
// may be dirty or torn (level "Q", here called High), and four modules stay
// white around it.
func (s *Server) qrCode(r *request) (*survey.Desk, *qrcode.QRCode, error) {
	desk, err := s.pathDesk(r)
	if err != nil {
		return nil, nil, err
	}
	code, err := qrcode.New(s.FormURL(desk.ID), qrcode.High)
	return desk, code, err
}

func (s *Server) qrPNG(r *request) error {
	_, code, err := s.qrCode(r)
	if err != nil {
		return err
	}
	size := qrDefault
	if n, err := strconv.Atoi(r.Query("size")); err == nil {
		size = min(max(n, qrLeast), qrMost)
	}
	b, err := code.PNG(size)
	if err != nil {
		return err
	}
	cacheQR(r)
	r.Response().Header.SetContentType("image/png")
	r.Response().SetBodyRaw(b)
	return nil
}

func (s *Server) qrSVG(r *request) error {
	_, code, err := s.qrCode(r)
	if err != nil {
		return err
	}
	bitmap := code.Bitmap()
	svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="512" height="512" shape-rendering="crispEdges">`+
		`<path fill="#fff" d="M0 0h%[1]dv%[2]dH0z"/><path fill="#000" d="%s"/></svg>`, len(bitmap), len(bitmap), qrPath(bitmap))
	cacheQR(r)
	r.sendCompressed(fiber.StatusOK, "image/svg+xml", []byte(svg))
	return nil
}

// cacheQR lets a browser keep a picture that changes only with the address of
// the service.
func cacheQR(r *request) { r.Set(fiber.HeaderCacheControl, "public, max-age=3600") }

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
	Desk    *survey.Desk
	Unit    survey.Text
	Address string
	// Path and Size draw the code.
	Path string
	Size int
}

// qrSheet is a page to print and hang up at the desk.
func (s *Server) qrSheet(r *request) error {
	desk, code, err := s.qrCode(r)
	if err != nil {
		return err
	}
	bitmap := code.Bitmap()
	d := sheet{Desk: desk, Unit: s.unitName(desk.Unit), Address: s.FormURL(desk.ID), Path: qrPath(bitmap), Size: len(bitmap)}
	return s.render(r, fiber.StatusOK, "qr", s.newPage(r, s.texts.say(r.language(), "qr.title"), &d))
}

func (s *Server) unitName(id string) survey.Text {
	if u := s.store.View().Units[id]; u != nil {
		return u.Name
	}
	return survey.Text{survey.Vietnamese: id}
}
