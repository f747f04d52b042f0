package web

import (
	"fmt"

	"github.com/gofiber/fiber/v2"
	"github.com/skip2/go-qrcode"

	"sipas/survey"
)

// sharedReceipt is for how many seconds a shared screen shows a receipt.
const sharedReceipt = 30

// thanks is the data of page/thanks.html.
type thanks struct {
	// Receipt is "" for an answer that was stored before, from elsewhere.
	Receipt string
	// Address is where the receipt withdraws the answer; Path draws it as a QR code,
	// Size modules wide.
	Address, Path string
	Size          int
	Unit          survey.Text
	// Changes is what the office has changed because of what people said.
	Changes         survey.Text
	Hotline, Leader string
	// Replies are where people turn to who need an answer.
	Replies []survey.Reply
	// Seconds until the page goes away, 0 never.
	Seconds int
}

// thanks ends a visit: the receipt, and whom to turn to. Sending the same form
// again shows the same page.
func (s *Server) thanks(r *request, desk *survey.Desk, receipt string) error {
	d := thanks{Receipt: receipt, Unit: s.unitName(desk.Unit)}
	if u := s.store.View().Units[desk.Unit]; u != nil {
		d.Changes, d.Hotline, d.Leader = u.Changes, u.Hotline, u.Leader
	}
	if a := s.agency(); a != nil {
		d.Replies = a.Replies
	}
	if receipt != "" {
		if err := d.draw(s.cfg.PublicURL); err != nil {
			return err
		}
	}
	p := s.newPage(r, s.texts.say(r.language(), "thanks.title"), &d)
	p.Script = "form.js"
	p.path = "" // in another language it could not show the receipt again
	if shared(r) {
		p.Refresh, p.RefreshTo = sharedReceipt, s.href("/s/"+desk.ID)+"?lang="+p.Lang+"&shared=1"
		d.Seconds = sharedReceipt
	}
	return s.render(r, fiber.StatusOK, "thanks", p)
}

// draw makes the QR code of the address at which the receipt withdraws the answer. The
// receipt stands behind the #, so that no server's log has it. It is drawn for this page
// alone and kept nowhere.
func (d *thanks) draw(public string) error {
	d.Address = public + "/r#" + d.Receipt
	code, err := qrcode.New(d.Address, qrcode.Low)
	if err != nil {
		return fmt.Errorf("draw the QR code of a receipt: %w", err)
	}
	modules := code.Bitmap()
	d.Path, d.Size = qrPath(modules), len(modules)
	return nil
}
