package web

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/skip2/go-qrcode"

	"sipas/kiosk"
	"sipas/survey"
)

// Bounds of what the page of a tablet shows.
const (
	// rangesOnPage is how many ranges of missing numbers, placesOnPage how many of the
	// desks at which it stood.
	rangesOnPage, placesOnPage = 50, 10
	// desksOffered bounds the desks to choose from; the code of any other can be typed.
	desksOffered = 2000
)

// tabletView is what page/device.html shows.
type tabletView struct {
	// Tablet is empty for one that is yet to be made: New.
	Tablet tabletLine
	New    bool
	// Once tells a form that was sent twice from two of them.
	Once string
	// What the forms hold.
	Name, Message, Desk string
	Comments            bool
	// Errors of fields, by name.
	Errors map[string]string
	// Desks to choose from.
	Desks []deskChoice
	// Lost has more of the missing numbers than a line of the list.
	Lost   string
	Places []placeLine
	// Missing counts what is missing in all epochs.
	Missing int64
	// Ask whether the tablet shall be revoked, "revoke", or what is missing be written
	// off, "writeoff".
	Ask string
	// Done is what was done just now: fleet.done.<Done>.
	Done string
	// Pairing is there only in the answer to who asked for it.
	Pairing *pairingView
}

type deskChoice struct{ Code, Name string }

type placeLine struct{ Code, Name, From string }

// pairingView is a pairing code. Its picture holds the address with the code behind
// "#", which no browser sends to anybody.
type pairingView struct {
	Code, Until, Address string
	Path                 string
	Size                 int
}

// fleetDone are the things that can have been done to a tablet.
var fleetDone = []string{"change", "move", "revoke", "writeoff"}

// newTabletPage asks for name and desk of a tablet that is to be added.
func (s *Server) newTabletPage(r *request) error {
	var once [16]byte
	if _, err := io.ReadFull(s.cfg.Random, once[:]); err != nil {
		return fmt.Errorf("make a form: %w", err)
	}
	return s.showNewTablet(r, fiber.StatusOK, &tabletView{Once: hex.EncodeToString(once[:])})
}

func (s *Server) showNewTablet(r *request, status int, v *tabletView) error {
	v.New, v.Desks = true, s.deskChoices(r.language())
	p := s.newPage(r, s.texts.say(r.language(), "fleet.new"), v)
	p.Wide = true
	return s.render(r, status, "device", p)
}

// addTablet makes a tablet and sends the browser on to ask for its pairing code, with
// the same form: who loads that page again gets another code and no other tablet.
func (s *Server) addTablet(r *request) error {
	v := &tabletView{Name: r.field("name"), Desk: r.field("desk"), Once: r.field("once")}
	id, err := s.addOnce(r, v.Name, s.deskCode(v.Desk), v.Once)
	if v.Errors = s.fieldErrors(r, err); v.Errors != nil {
		return s.showNewTablet(r, statuses[codeInvalid], v)
	}
	if err != nil {
		return err
	}
	s.redirect(r, fiber.StatusTemporaryRedirect, tabletPath(id, r.language(), ""))
	return nil
}

// addOnce makes a tablet; for a form that comes again, the one that it made before.
func (s *Server) addOnce(r *request, name, desk, once string) (id string, err error) {
	now := s.cfg.Now()
	sum := sha256.Sum256([]byte("sipas tablet\n" + once))
	seed := sum[:4] // as much as an id takes, so that there is no second try
	d, err := s.store.AddDevice(r.context, name, desk, now, bytes.NewReader(seed))
	if err == nil || !errors.Is(err, io.EOF) {
		return d.ID, err
	}
	if err := s.store.Refresh(r.context); err != nil {
		return "", err
	}
	if first, err := kiosk.NewDevice(name, desk, now, bytes.NewReader(seed)); err == nil {
		if made := s.store.View().Device(first.ID); made != nil && made.Name == first.Name && made.Desk() == desk {
			return made.ID, nil
		}
	}
	d, err = s.store.AddDevice(r.context, name, desk, now, s.cfg.Random)
	return d.ID, err
}

// tabletPage shows one tablet, what is the matter with it, and what can be done.
func (s *Server) tabletPage(r *request) error {
	v := &tabletView{Ask: r.Query("ask")}
	if done := r.Query("done"); slices.Contains(fleetDone, done) {
		v.Done = done
	}
	d, err := s.pathTablet(r, v.Done != "")
	if err != nil {
		return err
	}
	v.Name, v.Message, v.Comments = d.Name, d.Message, d.Comments
	return s.showTablet(r, fiber.StatusOK, d, v)
}

// pathTablet finds the tablet that the path names. It may have been changed at another
// server just now.
func (s *Server) pathTablet(r *request, changed bool) (*kiosk.Device, error) {
	d := s.store.View().Device(r.Params("device"))
	if d == nil || changed {
		if err := s.store.Refresh(r.context); err != nil {
			return nil, err
		}
		d = s.store.View().Device(r.Params("device"))
	}
	if d == nil {
		return nil, fail(codeNotFound)
	}
	return d, nil
}

func (s *Server) showTablet(r *request, status int, d *kiosk.Device, v *tabletView) error {
	known, err := s.currentStatus(r, *d)
	if err != nil {
		return err
	}
	p := s.newPage(r, d.Name+" – "+s.texts.say(r.language(), "fleet.title"), v)
	p.Wide = true
	v.Tablet, v.Desks = s.tabletLine(p, known, s.cfg.Now()), s.deskChoices(p.Lang)
	v.Lost, v.Missing = p.ranges(known.Missing, rangesOnPage), known.Missing.Len()+known.Unaccounted
	for i := len(d.Places) - 1; i >= max(0, len(d.Places)-placesOnPage); i-- {
		place := placeLine{Code: d.Places[i].Desk, From: p.Hour(&d.Places[i].From)}
		if desk := s.store.View().Desks[place.Code]; desk != nil {
			place.Name = p.In(s.unitName(desk.Unit)) + " – " + p.In(desk.Name)
		}
		v.Places = append(v.Places, place)
	}
	return s.render(r, status, "device", p)
}

// changeTablet does what a form of the tablet's page asks for.
func (s *Server) changeTablet(r *request) error {
	do, now := r.field("do"), s.cfg.Now()
	v := &tabletView{}
	var change func(*kiosk.Device)
	switch do {
	case "pair":
		return s.showPairing(r)
	case "writeoff":
		return s.writeOffTablet(r)
	case "change":
		v.Name, v.Message, v.Comments = r.field("name"), strings.ReplaceAll(r.field("message"), "\r\n", "\n"), r.field("comments") != ""
		change = func(d *kiosk.Device) {
			d.Name, d.Message, d.Comments = strings.TrimSpace(v.Name), strings.TrimSpace(v.Message), v.Comments
		}
	case "move":
		v.Desk = r.field("desk")
		change = func(d *kiosk.Device) { d.Move(s.deskCode(v.Desk), now) }
	case "revoke":
		change = func(d *kiosk.Device) { d.Revoke(now) }
	default:
		return fail(codeBadRequest)
	}
	d, err := s.store.ChangeDevice(r.context, r.Params("device"), func(d *kiosk.Device) error { change(d); return nil })
	if v.Errors = s.fieldErrors(r, err); v.Errors != nil {
		known, err := s.pathTablet(r, false)
		if err != nil {
			return err
		}
		if do != "change" {
			v.Name, v.Message, v.Comments = known.Name, known.Message, known.Comments
		}
		return s.showTablet(r, statuses[codeInvalid], known, v)
	}
	if err != nil {
		return err
	}
	s.seeOther(r, tabletPath(d.ID, r.language(), do))
	return nil
}

// writeOffTablet writes off as much as the question told of; where it is more by now,
// it is asked again.
func (s *Server) writeOffTablet(r *request) error {
	lost, _ := strconv.ParseInt(r.field("lost"), 10, 64)
	clones, _ := strconv.ParseInt(r.field("clones"), 10, 64)
	told := false
	d, err := s.writeOff(r, func(c *kiosk.Contact) bool {
		told = c.Lost() <= lost && c.Clones() <= clones
		return told
	})
	if err != nil {
		return err
	}
	if told {
		s.seeOther(r, tabletPath(d.ID, r.language(), "writeoff"))
	} else {
		s.seeOther(r, tabletPath(d.ID, r.language(), "")+"&ask=writeoff")
	}
	return nil
}

// showPairing makes a pairing code and shows it, once.
func (s *Server) showPairing(r *request) error {
	paired, err := s.newPairing(r, r.Params("device"))
	if err != nil {
		return err
	}
	code, err := qrcode.New(paired.Address, qrcode.High)
	if err != nil {
		return err
	}
	bitmap := code.Bitmap()
	address, _, _ := strings.Cut(paired.Address, "#")
	v := &tabletView{Pairing: &pairingView{Code: paired.Code, Until: paired.Until.In(survey.VietnamTime()).Format("15:04"), Address: address, Path: qrPath(bitmap), Size: len(bitmap)}}
	p := s.newPage(r, s.texts.say(r.language(), "fleet.pairing"), v)
	p.Wide = true
	v.Tablet = s.tabletLine(p, paired.Device, s.cfg.Now())
	return s.render(r, fiber.StatusOK, "device", p)
}

// deskCode is the code of the desk that a person typed or chose; what is none stays.
func (s *Server) deskCode(typed string) string {
	if desk := s.store.View().FindDesk(typed); desk != nil {
		return desk.ID
	}
	return strings.TrimSpace(typed)
}

// deskChoices are the desks in service, by unit and name.
func (s *Server) deskChoices(lang string) (list []deskChoice) {
	now := s.cfg.Now()
	for id, desk := range s.store.View().Desks {
		if desk.ExistsAt(now) {
			list = append(list, deskChoice{id, s.unitName(desk.Unit).In(lang) + " – " + desk.Name.In(lang)})
		}
	}
	slices.SortFunc(list, func(a, b deskChoice) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Code, b.Code))
	})
	return list[:min(len(list), desksOffered)]
}

func tabletPath(id, lang, done string) string {
	q := url.Values{"lang": {lang}}
	if done != "" {
		q.Set("done", done)
	}
	return (&url.URL{Path: "/fleet/" + id, RawQuery: q.Encode()}).String()
}
