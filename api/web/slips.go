package web

import (
	"encoding/json"
	"fmt"
	"html/template"
	"io"

	"github.com/gofiber/fiber/v2"
	"github.com/skip2/go-qrcode"
)

// slipOrder asks for slips of a desk.
type slipOrder struct {
	Desk  string `json:"desk"`
	Count int    `json:"count"`
}

// SlipList is what a caller gets that may issue slips: each code with the address
// that opens its form, and the code of the desk as it is printed.
type SlipList struct {
	Desk  string       `json:"desk"`
	Slips []IssuedSlip `json:"slips"`
}

// IssuedSlip is a one-time code and the address of a form that has it filled in.
type IssuedSlip struct {
	Code    string `json:"code"`
	Address string `json:"address"`
}

// postSlips issues slips. They are in this answer and nowhere else.
func (s *Server) postSlips(r *request) error {
	var order slipOrder
	if err := decode(r.Request().Body(), &order); err != nil {
		return err
	}
	order.Desk = s.deskCode(order.Desk)
	codes, err := s.store.IssueSlips(r.context, r.Params("round"), order.Desk, order.Count, s.cfg.Now(), s.cfg.Random)
	if err != nil {
		return err
	}
	body, err := json.Marshal(ListSlips(s.cfg.PublicURL, order.Desk, codes))
	if err != nil {
		return err
	}
	r.sendJSON(fiber.StatusCreated, body)
	return nil
}

// ListSlips gives slips their addresses. The code stands behind the #, which browsers
// send to nobody: no proxy has it in its log. The form's script puts it into its field.
func ListSlips(public, desk string, codes []string) SlipList {
	list := SlipList{Desk: desk, Slips: make([]IssuedSlip, len(codes))}
	for i, code := range codes {
		list.Slips[i] = IssuedSlip{code, public + "/s/" + desk + "#" + code}
	}
	return list
}

// slipSheet is a page to print and cut. It loads nothing and runs nothing, so that
// it can be kept and printed anywhere.
var slipSheet = template.Must(template.New("slips").Parse(`<!DOCTYPE html>
<html lang="vi"><head><meta charset="utf-8"><title>Phiếu đánh giá – {{.Desk}}</title>
<style>body{margin:0;font:11pt/1.35 sans-serif;color:#000;background:#fff}
div{display:inline-block;box-sizing:border-box;width:62mm;height:68mm;padding:4mm;border:.2mm dashed #999;text-align:center;vertical-align:top;break-inside:avoid}
svg{width:34mm;height:34mm}b{display:block;font:700 9.5pt/1.5 monospace;white-space:nowrap}p{margin:0;font-size:8.5pt}</style></head><body>
{{range .Slips}}<div><p>Xin đánh giá sự phục vụ – quầy {{$.Desk}}</p><svg viewBox="0 0 {{.Size}} {{.Size}}" shape-rendering="crispEdges" role="img" aria-label="QR"><path d="{{.Path}}"/></svg><b>{{.Code}}</b><p>Dùng một lần, không cho biết ai trả lời.</p></div>
{{end}}</body></html>
`))

// WriteSlipSheet writes slips with their QR codes as one page of HTML.
func WriteSlipSheet(w io.Writer, list SlipList) error {
	type drawn struct {
		Code, Path string
		Size       int
	}
	var d struct {
		Desk  string
		Slips []drawn
	}
	d.Desk = list.Desk
	for _, s := range list.Slips {
		code, err := qrcode.New(s.Address, qrcode.Medium)
		if err != nil {
			return fmt.Errorf("draw the code of a slip: %w", err)
		}
		bitmap := code.Bitmap()
		d.Slips = append(d.Slips, drawn{s.Code, qrPath(bitmap), len(bitmap)})
	}
	return slipSheet.Execute(w, d)
}
