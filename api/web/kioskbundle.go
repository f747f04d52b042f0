package web

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"sipas/kiosk"
	"sipas/survey"
)

// bundles remembers what bundleOf made.
type bundles struct {
	mu   sync.Mutex
	made map[string]rememberedBundle // by device
}

// rememberedBundle is made of the first four. A device is another pointer whenever
// somebody signs out; the catalogue is not.
type rememberedBundle struct {
	catalogue *survey.Catalogue
	device    kiosk.BundleDevice
	desk      string
	day       survey.Date
	name      string
	body      []byte
}

// bundleOf is the survey of a tablet and its name, the SHA-256 of it. It is made once a
// day and whenever the documents or the device changed.
func (s *Server) bundleOf(d *kiosk.Device, now time.Time) (name string, body []byte, err error) {
	s.bundles.mu.Lock()
	defer s.bundles.mu.Unlock()
	catalogue, day := s.store.View().Catalogue, survey.DateOf(now)
	device := kiosk.BundleDevice{ID: d.ID, Name: d.Name, Comments: d.Comments}
	if b := s.bundles.made[d.ID]; b.catalogue == catalogue && b.device == device && b.desk == d.Desk() && b.day == day {
		return b.name, b.body, nil
	}
	b := kiosk.NewBundle(catalogue, d, now)
	b.Seal, b.PublicURL = s.sealKey.Public(), s.cfg.PublicURL
	s.bundleNotice(b)
	b.SoundKeys(func(in *survey.Instrument, item, lang, key string) {
		if address := s.sounds.of(in, item, lang); address != "" {
			b.Sounds[key] = s.sounds.versioned(address)
		}
	})
	if body, err = json.Marshal(b); err != nil {
		return "", nil, fmt.Errorf("make the survey of tablet %s: %w", d.ID, err)
	}
	sum := sha256.Sum256(body)
	name = hex.EncodeToString(sum[:])
	if s.bundles.made == nil {
		s.bundles.made = map[string]rememberedBundle{}
	}
	s.bundles.made[d.ID] = rememberedBundle{catalogue, device, d.Desk(), day, name, body}
	return name, body, nil
}

// bundle sends a tablet its survey. The signed answer to a batch names it, so that the
// tablet can tell it from anything else that comes under this address.
func (s *Server) bundle(r *request) error {
	if r.tablet.Revoked != nil {
		return fail(codeRevoked)
	}
	_, body, err := s.bundleOf(r.tablet, s.cfg.Now())
	if err != nil {
		return err
	}
	r.sendCompressed(fiber.StatusOK, "application/json; charset=utf-8", body)
	return nil
}
