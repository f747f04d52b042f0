package web

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"sipas/kiosk"
)

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

func (s *Server) postKioskExport(r *request) error {
	out, err := s.takeExport(r, r.Request().Body())
	if err != nil {
		return err
	}
	return r.send(fiber.StatusOK, out)
}

// takeExport takes the file of a tablet that cannot send, a revoked one too. It may come
// any number of times. kiosk.ErrExport, kiosk.ErrBatch, or that the store is away; some
// of the answers may be stored even so.
func (s *Server) takeExport(r *request, file []byte) (*exported, error) {
	view, now := s.store.View(), s.cfg.Now()
	d, key, batch, err := kiosk.ReadExport(file, s.sealKey, func(id string) (kiosk.Device, bool) {
		if d := view.Device(id); d != nil {
			return *d, true
		}
		return kiosk.Device{}, false
	})
	if err != nil {
		return nil, err
	}
	out := &exported{Device: d.ID, Answers: len(batch.Items), Receipts: []syncReceipt{}}
	// What a file says of the tablet is old; only its numbers count.
	batch.Turn = -1
	counts := map[kiosk.Outcome]*int{kiosk.Stored: &out.Stored, kiosk.Withdrawn: &out.Withdrawn, kiosk.Quarantined: &out.Quarantined}
	for items := range slices.Chunk(batch.Items, kiosk.MaxItems) {
		part := *batch
		part.Items = items
		list, _, err := s.receive(r, &d, &part, now)
		if err != nil {
			return nil, err
		}
		for _, it := range list {
			*counts[it.outcome]++
			out.Receipts = append(out.Receipts, syncReceipt{it.n, it.outcome, kiosk.Receipt(key, it.digest, it.outcome)})
		}
	}
	out.Failed = out.Answers - len(out.Receipts)
	return out, nil
}

// maxName bounds the name of a file that is shown, in characters.
const maxName = 100

// uploadView is what page/upload.html shows.
type uploadView struct {
	// Wrong says why a file was not taken, fleet.upload.wrong.<Wrong>; "" where it was, or
	// none was sent yet.
	Wrong string
	// Taken says what became of a file, nil where none was taken; Name is that of its
	// tablet.
	Taken *exported
	Name  string
	// Receipts is a file for the tablet's menu, File the name to save it under, or that of
	// a file that was not taken. It is in the address itself, so that nothing is kept here
	// until somebody asks for it.
	Receipts template.URL
	File     string
	// Limit is the most MiB that a file may have.
	Limit int
}

// uploadPage asks for a file that a tablet exported.
func (s *Server) uploadPage(r *request) error {
	return s.showUpload(r, fiber.StatusOK, &uploadView{})
}

func (s *Server) showUpload(r *request, status int, v *uploadView) error {
	p := s.newPage(r, s.texts.say(r.language(), "fleet.upload"), v)
	p.Wide = true
	v.Limit = exportBody >> 20
	return s.render(r, status, "upload", p)
}

// uploadExport takes the file and says what became of it.
func (s *Server) uploadExport(r *request) error {
	file, name := r.part("file")
	name = plainName(name)
	out, err := s.takeExport(r, file)
	switch {
	case errors.Is(err, kiosk.ErrExport), errors.Is(err, kiosk.ErrBatch):
		return s.showUpload(r, statuses[codeExport], &uploadView{Wrong: s.wrongExport(file, err), File: name})
	case err != nil:
		return err
	}
	receipts, err := json.Marshal(map[string][]syncReceipt{"receipts": out.Receipts})
	if err != nil {
		return err
	}
	v := &uploadView{Taken: out, Name: out.Device, File: name + ".receipts.json"}
	if d := s.store.View().Device(out.Device); d != nil {
		v.Name = d.Name
	}
	v.Receipts = template.URL("data:application/json;base64," + base64.StdEncoding.EncodeToString(receipts))
	return s.showUpload(r, fiber.StatusOK, v)
}

// plainName is the name of a file as it can be shown and saved under.
func plainName(name string) string {
	plain := []rune(strings.Map(func(r rune) rune {
		if kiosk.Unprintable(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "")))
	return string(plain[:min(len(plain), maxName)])
}

// wrongExport tells apart what a person can do something about, in a file that was
// refused.
func (s *Server) wrongExport(file []byte, err error) string {
	var export kiosk.Export
	switch {
	case len(file) == 0:
		return "nothing"
	case errors.Is(err, kiosk.ErrBatch):
		return "batch"
	case json.Unmarshal(file, &export) != nil || export.Format != 1:
		return "other"
	case s.store.View().Device(export.Device) == nil:
		return "foreign"
	}
	return "altered"
}
