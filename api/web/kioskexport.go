package web

import (
	"slices"

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
