package web

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/api/store"
	"sipas/kiosk"
	"sipas/survey"
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
	d, err := s.store.AddDevice(r.context, order.Name, order.Desk, s.cfg.Now(), s.cfg.Random)
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
			d.Move(*order.Desk, s.cfg.Now())
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

// quarantinedAnswer is an answer in quarantine as staff see it: never what it says.
type quarantinedAnswer struct {
	ID     string `json:"id"`
	Device string `json:"device"`
	Reason string `json:"reason"`
	// Answered and Received are UTC hours as "2006-01-02T15".
	Answered string `json:"answered"`
	Unsure   bool   `json:"unsure,omitempty"`
	Received string `json:"received"`
}

type quarantineList struct {
	Answers []quarantinedAnswer `json:"answers"`
	// After continues the list, "" at its end.
	After string `json:"after,omitempty"`
}

// getQuarantine lists answers of tablets in which something is wrong.
func (s *Server) getQuarantine(r *request) error {
	var after store.ID
	if text := r.Query("after"); text != "" {
		var ok bool
		if after, ok = readQuarantineID(text); !ok {
			return &survey.Error{Fields: []survey.FieldError{{Field: "after", Code: survey.CodeInvalid}}}
		}
	}
	page, err := s.store.InQuarantine(r.context, after)
	if err != nil {
		return err
	}
	list := quarantineList{Answers: []quarantinedAnswer{}}
	for _, q := range page {
		list.After = hex.EncodeToString(q.ID[:])
		list.Answers = append(list.Answers, quarantinedAnswer{list.After, q.Device, q.Reason, hourText(q.Answered), q.Unsure, hourText(q.Received)})
	}
	return r.send(fiber.StatusOK, list)
}

func readQuarantineID(text string) (store.ID, bool) {
	id, err := hex.DecodeString(text)
	if err != nil || len(id) != len(store.ID{}) {
		return store.ID{}, false
	}
	return store.ID(id), true
}

func hourText(t time.Time) string { return t.UTC().Format("2006-01-02T15") }

// retried says what became of the quarantine.
type retried struct {
	// Taken answers are stored, or were withdrawn; Left ones still cannot be taken.
	Taken int `json:"taken"`
	Left  int `json:"left"`
}

func (s *Server) retryQuarantine(r *request) error {
	result, err := s.tryQuarantine(r.context)
	if err != nil {
		return err
	}
	return r.send(fiber.StatusOK, result)
}

// tryQuarantine tries every answer in quarantine again, after staff mended what kept
// them out.
func (s *Server) tryQuarantine(ctx context.Context) (result retried, err error) {
	now := s.cfg.Now()
	for after := (store.ID{}); ; {
		page, err := s.store.InQuarantine(ctx, after)
		if err != nil || len(page) == 0 {
			return result, err
		}
		view := s.store.View()
		for _, q := range page {
			after = q.ID
			switch taken, err := s.tryQuarantined(ctx, view, &q, now); {
			case err != nil:
				return result, err
			case !taken:
				result.Left++
				continue
			}
			if err := s.store.LeaveQuarantine(ctx, q.ID); err != nil {
				return result, err
			}
			result.Taken++
		}
	}
}

// tryQuarantined tries one answer; it reports whether that is stored or withdrawn, now
// or since before.
func (s *Server) tryQuarantined(ctx context.Context, view *store.View, q *store.Quarantined, now time.Time) (bool, error) {
	a := kiosk.Reopen(s.sealKey, q.Sealed)
	a.At, a.Unsure = q.Answered, q.Unsure
	if known, err := s.known(ctx, &a); err != nil || known != "" {
		return err == nil, err
	}
	d := view.Device(q.Device)
	if d == nil {
		return false, nil
	}
	response, err := a.Accept(view.Catalogue, d, now)
	if err != nil {
		return false, nil
	}
	outcomes, err := s.store.AddResponses(ctx, []survey.Response{response})
	return outcomes[0] != store.Conflict, err
}

// discardQuarantined erases an answer in quarantine for good.
func (s *Server) discardQuarantined(r *request) error {
	id, ok := readQuarantineID(r.Params("id"))
	if !ok {
		return fail(codeNotFound)
	}
	q, err := s.store.FindQuarantined(r.context, id)
	if err != nil {
		return err
	}
	if err := s.discard(r, []store.Quarantined{q}); err != nil {
		return err
	}
	return r.send(fiber.StatusOK, struct{}{})
}

// discard erases answers in quarantine, in all of which the same is wrong, and keeps in
// the log who did it.
func (s *Server) discard(r *request, list []store.Quarantined) error {
	if err := s.store.DiscardQuarantined(r.context, list); err != nil {
		return err
	}
	s.cfg.Log.Info("answers in quarantine were discarded", "token", r.token.Name, "answers", len(list), "device", list[0].Device, "reason", list[0].Reason, "request_id", r.id)
	return nil
}

// exported says what became of a file that a tablet exported.
type exported struct {
	Device string `json:"device"`
	// Answers are how many there were, Stored how many are now, Quarantined how many
	// wait for staff, Failed how many the store could not take: hand the file in again.
	Answers     int `json:"answers"`
	Stored      int `json:"stored"`
	Withdrawn   int `json:"withdrawn"`
	Quarantined int `json:"quarantined"`
	Failed      int `json:"failed"`
	// Receipts are for the tablet, as it would get them itself.
	Receipts []syncReceipt `json:"receipts"`
}

// postKioskExport takes the file of a tablet that cannot send, a revoked one too. It
// may come any number of times.
func (s *Server) postKioskExport(r *request) error {
	view, now := s.store.View(), s.cfg.Now()
	d, key, batch, err := kiosk.ReadExport(r.Request().Body(), s.sealKey, func(id string) (kiosk.Device, bool) {
		if d := view.Device(id); d != nil {
			return *d, true
		}
		return kiosk.Device{}, false
	})
	if err != nil {
		return err
	}
	out := exported{Device: d.ID, Answers: len(batch.Items), Receipts: []syncReceipt{}}
	// What a file says of the tablet is old; only its numbers count.
	batch.Turn = -1
	counts := map[kiosk.Outcome]*int{kiosk.Stored: &out.Stored, kiosk.Withdrawn: &out.Withdrawn, kiosk.Quarantined: &out.Quarantined}
	for items := range slices.Chunk(batch.Items, kiosk.MaxItems) {
		part := *batch
		part.Items = items
		list, _, err := s.receive(r, &d, &part, now)
		if err != nil {
			return err
		}
		for _, it := range list {
			*counts[it.outcome]++
			out.Receipts = append(out.Receipts, syncReceipt{it.n, it.outcome, kiosk.Receipt(key, it.digest, it.outcome)})
		}
	}
	out.Failed = out.Answers - len(out.Receipts)
	return r.send(fiber.StatusOK, out)
}

// coveredBackup says which answers of tablets a verified and kept backup has.
type coveredBackup struct {
	Covers []store.Cover `json:"covers"`
}

// postCovered lets tablets forget what a backup has.
func (s *Server) postCovered(r *request) error {
	var c coveredBackup
	if err := decode(r.Request().Body(), &c); err != nil {
		return err
	}
	if err := s.store.CoverTablets(r.context, c.Covers); err != nil {
		return err
	}
	return r.send(fiber.StatusOK, struct{}{})
}
