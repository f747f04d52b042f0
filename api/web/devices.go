package web

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/kiosk"
)

// DeviceStatus is a tablet as staff see it: what they said of it, and how it does.
type DeviceStatus struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Desk string `json:"desk"`
	// Places are all desks where it stood.
	Places   []kiosk.Place `json:"places"`
	Created  time.Time     `json:"created"`
	Revoked  *time.Time    `json:"revoked,omitempty"`
	Message  string        `json:"message,omitempty"`
	Comments bool          `json:"comments,omitempty"`
	// States are all that apply, worst first: see package kiosk.
	States []string `json:"states"`
	// LastContact is to the minute, UTC; nil before the first.
	LastContact *time.Time `json:"last_contact"`
	App         string     `json:"app,omitempty"`
	// Current: it shows the survey that it should.
	Current bool `json:"current"`
	// Given is the highest number given out in the present epoch, Queue how many answers
	// waited at the last contact.
	Given int64 `json:"given"`
	Queue int64 `json:"queue"`
	// Missing numbers were given out, are not on the tablet and never arrived.
	Missing kiosk.Numbers `json:"missing"`
	// Unaccounted answers were on the tablet when its storage was wiped.
	Unaccounted int64 `json:"unaccounted"`
	Clones      int64 `json:"clones"`
	// WrittenOff answers and clones are known to staff, in none of the three above, and
	// make no state. WrittenOffAt is the last time that staff said so, to the minute.
	WrittenOff       int64      `json:"written_off"`
	WrittenOffClones int64      `json:"written_off_clones"`
	WrittenOffAt     *time.Time `json:"written_off_at,omitempty"`
	// ClockOffset is the true time minus the tablet's, in seconds.
	ClockOffset float64      `json:"clock_offset"`
	Status      kiosk.Status `json:"status"`
}

// deviceList is every tablet, by name.
type deviceList struct {
	Devices []DeviceStatus `json:"devices"`
	// Quarantined answers wait for staff.
	Quarantined int64 `json:"quarantined"`
}

func (s *Server) listDevices(r *request) error {
	contacts, err := s.store.Contacts(r.context)
	if err != nil {
		return err
	}
	list := deviceList{Devices: []DeviceStatus{}}
	if list.Quarantined, err = s.store.QuarantineSize(r.context); err != nil {
		return err
	}
	for _, d := range s.store.View().Devices() {
		c := contacts[d.ID]
		status, err := s.deviceStatus(d, &c)
		if err != nil {
			return err
		}
		list.Devices = append(list.Devices, status)
	}
	return r.send(fiber.StatusOK, list)
}

func (s *Server) deviceStatus(d *kiosk.Device, c *kiosk.Contact) (DeviceStatus, error) {
	now := s.cfg.Now()
	out := DeviceStatus{
		ID: d.ID, Name: d.Name, Desk: d.Desk(), Places: d.Places, Created: d.Created, Revoked: d.Revoked, Message: d.Message, Comments: d.Comments,
		States: c.Standing(d, now), App: c.App, Queue: c.Queue, Missing: c.Missing(), Unaccounted: c.Unaccounted(), Clones: c.Clones(),
		ClockOffset: float64(c.Offset) / 1000, Status: c.Status,
	}
	if out.WrittenOff, out.WrittenOffClones = c.WrittenOff(); !c.WroteOff.IsZero() {
		out.WrittenOffAt = &c.WroteOff
	}
	if c.Last.IsZero() {
		return out, nil
	}
	out.LastContact, out.Given = &c.Last, c.Epochs[len(c.Epochs)-1].Highest
	bundle, _, err := s.bundleOf(d, now)
	out.Current = c.Bundle == bundle
	return out, err
}

// deviceOrder is what staff say of a tablet; what is left out stays.
type deviceOrder struct {
	Name     *string `json:"name"`
	Desk     *string `json:"desk"`
	Message  *string `json:"message"`
	Comments *bool   `json:"comments"`
}

// PairedDevice is a tablet with a code that pairs it once within ten minutes.
type PairedDevice struct {
	Device DeviceStatus `json:"device"`
	Code   string       `json:"code"`
	Until  time.Time    `json:"until"`
	// Address opens the tablet's program with the code filled in.
	Address string `json:"address"`
}

// postDevice makes a tablet and its first pairing code.
func (s *Server) postDevice(r *request) error {
	var order struct {
		Name string `json:"name"`
		Desk string `json:"desk"`
	}
	if err := decode(r.Request().Body(), &order); err != nil {
		return err
	}
	d, err := s.store.AddDevice(r.context, order.Name, s.deskCode(order.Desk), s.cfg.Now(), s.cfg.Random)
	if err != nil {
		return err
	}
	return s.pair(r, d.ID, fiber.StatusCreated)
}

// changeDevice changes name, desk, message or comments of a tablet.
func (s *Server) changeDevice(r *request) error {
	var order deviceOrder
	if err := decode(r.Request().Body(), &order); err != nil {
		return err
	}
	return s.sendChanged(r, func(d *kiosk.Device) error {
		if order.Name != nil {
			d.Name = strings.TrimSpace(*order.Name)
		}
		if order.Message != nil {
			d.Message = strings.TrimSpace(*order.Message)
		}
		if order.Comments != nil {
			d.Comments = *order.Comments
		}
		if order.Desk != nil {
			d.Move(s.deskCode(*order.Desk), s.cfg.Now())
		}
		return nil
	})
}

func (s *Server) revokeDevice(r *request) error {
	return s.sendChanged(r, func(d *kiosk.Device) error {
		d.Revoke(s.cfg.Now())
		return nil
	})
}

// writeOffDevice notes that staff know of what is missing on a tablet and of clones.
func (s *Server) writeOffDevice(r *request) error {
	d, err := s.writeOff(r, func(*kiosk.Contact) bool { return true })
	if err != nil {
		return err
	}
	status, err := s.currentStatus(r, *d)
	if err != nil {
		return err
	}
	return r.send(fiber.StatusOK, status)
}

// writeOff writes off what is missing on the tablet in the path where staff know of it.
func (s *Server) writeOff(r *request, known func(*kiosk.Contact) bool) (*kiosk.Device, error) {
	d, err := s.pathTablet(r, false)
	if err != nil {
		return nil, err
	}
	_, err = s.store.LearnContact(r.context, d.ID, func(c *kiosk.Contact) {
		if known(c) {
			c.WriteOff(s.cfg.Now())
		}
	})
	return d, err
}

// sendChanged changes the tablet in the path and answers with how it is then.
func (s *Server) sendChanged(r *request, change func(*kiosk.Device) error) error {
	d, err := s.store.ChangeDevice(r.context, r.Params("device"), change)
	if err != nil {
		return err
	}
	status, err := s.currentStatus(r, d)
	if err != nil {
		return err
	}
	return r.send(fiber.StatusOK, status)
}

func (s *Server) currentStatus(r *request, d kiosk.Device) (DeviceStatus, error) {
	c, err := s.store.Contact(r.context, d.ID)
	if err != nil {
		return DeviceStatus{}, err
	}
	known := s.store.View().Device(d.ID)
	if known == nil {
		known = &d
	}
	return s.deviceStatus(known, &c)
}

// pairDevice makes a new pairing code: for a tablet that was wiped, replaced, or
// revoked by mistake.
func (s *Server) pairDevice(r *request) error { return s.pair(r, r.Params("device"), fiber.StatusOK) }

func (s *Server) pair(r *request, device string, status int) error {
	out, err := s.newPairing(r, device)
	if err != nil {
		return err
	}
	return r.send(status, out)
}

func (s *Server) newPairing(r *request, device string) (PairedDevice, error) {
	d, code, err := s.store.NewPairing(r.context, device, s.cfg.Now(), s.cfg.Random)
	if err != nil {
		return PairedDevice{}, err
	}
	out := PairedDevice{Code: code, Until: d.Pairing.Until, Address: s.cfg.PublicURL + "/kiosk#" + code}
	out.Device, err = s.currentStatus(r, d)
	return out, err
}
