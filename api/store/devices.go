package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"sipas/kiosk"
	"sipas/survey"
)

// Devices lists all tablets by name.
func (v *View) Devices() []*kiosk.Device {
	return slices.SortedFunc(maps.Values(v.devices), func(a, b *kiosk.Device) int {
		return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID)
	})
}

// Device finds a tablet by its id, nil where there is none. It must not be changed.
func (v *View) Device(id string) *kiosk.Device { return v.devices[id] }

// Tablet finds the tablet whose key has this hash, revoked or not; nil where there is
// none. It must not be changed.
func (v *View) Tablet(keyHash []byte) *kiosk.Device { return v.tablets[hex.EncodeToString(keyHash)] }

// PairingHash is what is kept of a pairing code.
func (s *Store) PairingHash(code string) string {
	mac := hmac.New(sha256.New, s.Key("pairing"))
	mac.Write([]byte(code))
	return hex.EncodeToString(mac.Sum(nil))
}

// AddDevice makes a tablet at a desk. The error is a [*survey.Error] for a name or
// desk that cannot be.
func (s *Store) AddDevice(ctx context.Context, name, desk string, now time.Time, random io.Reader) (kiosk.Device, error) {
	for tries := 0; ; tries++ {
		d, err := kiosk.NewDevice(name, desk, now, random)
		if err == nil {
			err = s.checkDesk(desk)
		}
		if err != nil {
			return d, err
		}
		err = s.putDevice(ctx, d, 0)
		if !errors.Is(err, ErrStale) || tries == 10 { // an id that is taken
			return d, err
		}
	}
}

func (s *Store) checkDesk(desk string) error {
	if s.View().Desks[desk] == nil {
		return &survey.Error{Fields: []survey.FieldError{{Field: "desk", Code: survey.CodeDeskUnknown}}}
	}
	return nil
}

// ChangeDevice lets change make changes to the newest state of a tablet and stores
// them, on every server within two seconds. ErrNotFound for an unknown one, the error
// of change, or a [*survey.Error] for what cannot be.
func (s *Store) ChangeDevice(ctx context.Context, id string, change func(*kiosk.Device) error) (kiosk.Device, error) {
	for tries := 0; ; tries++ {
		doc, err := s.engine.Get(ctx, setDevices, id)
		if err != nil {
			return kiosk.Device{}, err
		}
		var d kiosk.Device
		if err := json.Unmarshal(doc.Body, &d); err != nil {
			return d, fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, setDevices, id, err)
		}
		desk := d.Desk()
		if err := change(&d); err != nil {
			return d, err
		}
		if err := d.Check(); err != nil {
			return d, err
		}
		if d.Desk() != desk {
			if err := s.checkDesk(d.Desk()); err != nil {
				return d, err
			}
		}
		err = s.putDevice(ctx, d, doc.Revision)
		if !errors.Is(err, ErrStale) || tries == 10 {
			return d, err
		}
	}
}

func (s *Store) putDevice(ctx context.Context, d kiosk.Device, revision int64) error {
	body, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if _, err := s.engine.Put(ctx, setDevices, Document{ID: d.ID, Revision: revision, Body: body}); err != nil {
		return fmt.Errorf("store tablet %s: %w", d.ID, err)
	}
	return s.Refresh(ctx)
}

// NewPairing lets a tablet be paired with a device, in place of one that was: the code is
// for people to type. See [kiosk.Device.NewPairing].
func (s *Store) NewPairing(ctx context.Context, id string, now time.Time, random io.Reader) (d kiosk.Device, code string, err error) {
	d, err = s.ChangeDevice(ctx, id, func(d *kiosk.Device) (err error) {
		code, err = d.NewPairing(now, random, s.PairingHash)
		return err
	})
	return d, code, err
}

// ErrPairing: no tablet waits for this code.
var ErrPairing = errors.New("store: pairing code unknown, used or over")

// setTabletKeys has one document a key that a tablet was ever paired with, by the hash
// of the key: which device has it. The first who stores it decides where two servers
// pair one key at once. No view needs it: View.Tablet finds a device by its own key.
const setTabletKeys = "tabletkeys"

// keyHolder is a document of setTabletKeys.
type keyHolder struct {
	Device string `json:"device"`
}

// claimKey notes that a key is that of a device, which is no news where it was before;
// ErrPairing where it is that of another.
func (s *Store) claimKey(ctx context.Context, keyHash, device string) error {
	body, err := json.Marshal(keyHolder{device})
	if err != nil {
		return err
	}
	if _, err := s.engine.Put(ctx, setTabletKeys, Document{ID: keyHash, Body: body}); !errors.Is(err, ErrStale) {
		return err
	}
	doc, err := s.engine.Get(ctx, setTabletKeys, keyHash)
	if errors.Is(err, ErrNotFound) { // a majority of the database's members is about to have it
		return fmt.Errorf("%w: a key is being paired at this moment", ErrUnavailable)
	}
	if err != nil {
		return err
	}
	var holder keyHolder
	if err := json.Unmarshal(doc.Body, &holder); err != nil {
		return fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, setTabletKeys, doc.ID, err)
	}
	if holder.Device != device {
		return ErrPairing
	}
	return nil
}

// PairDevice gives a tablet's key, by its hash in hexadecimal digits, to the device
// whose pairing code it has: [kiosk.Device.Pair]. ErrPairing where that cannot be.
func (s *Store) PairDevice(ctx context.Context, code, keyHash string, now time.Time) (kiosk.Device, error) {
	if err := s.Refresh(ctx); err != nil { // the code was perhaps made at another server just now
		return kiosk.Device{}, err
	}
	hash, view := s.PairingHash(code), s.View()
	if d := view.tablets[keyHash]; d != nil && (d.Pairing == nil || d.Pairing.Code != hash) {
		return kiosk.Device{}, ErrPairing // a key is that of one device; it may have been paired before keys were claimed
	}
	for id, d := range view.devices {
		if d.Pairing == nil || d.Pairing.Code != hash {
			continue
		}
		return s.ChangeDevice(ctx, id, func(d *kiosk.Device) error {
			if !d.Pair(hash, keyHash, now) {
				return ErrPairing
			}
			return s.claimKey(ctx, keyHash, d.ID)
		})
	}
	return kiosk.Device{}, ErrPairing
}
