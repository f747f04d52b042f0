package kiosk

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"sipas/survey"
)

// Bounds of what a device keeps of its past.
const (
	maxName     = 100
	maxMessage  = 300
	maxPlaces   = 100
	maxOldKeys  = 10
	pairingLife = 10 * time.Minute
	codeLength  = 8
	keyBytes    = 32
)

// Device is a tablet as staff know it. What it tells of itself is a [Contact].
type Device struct {
	// ID is short and stays the same for life, also when the tablet is paired again.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Places are the desks where it stood, oldest first; the last is where it stands.
	// An answer keeps the desk that its tablet showed when it was given, so only a
	// desk that is listed here can be in one.
	Places  []Place   `json:"places"`
	Created time.Time `json:"created"`
	// Key is the SHA-256 of the tablet's key in hexadecimal digits, "" before it was
	// paired. OldKeys are those of earlier pairings: they open nothing, but prove where
	// an exported file comes from.
	Key     string   `json:"key,omitempty"`
	OldKeys []string `json:"old_keys,omitempty"`
	// Revoked tablets take no answers and may hand in none over the network.
	Revoked *time.Time `json:"revoked,omitempty"`
	// Message is shown to staff on the attract screen and in the menu.
	Message string `json:"message,omitempty"`
	// Comments lets people write; off by default, since keyboards learn.
	Comments bool     `json:"comments,omitempty"`
	Pairing  *Pairing `json:"pairing,omitempty"`
}

// Place is a desk where a device stands from a moment on.
type Place struct {
	Desk string    `json:"desk"`
	From time.Time `json:"from"`
}

// Pairing is a code that pairs a tablet once.
type Pairing struct {
	// Code is a keyed hash of the code, which is kept nowhere.
	Code  string    `json:"code"`
	Until time.Time `json:"until"`
	// Used is the hash of the key of the tablet that used it: the same tablet may ask
	// again when the answer was lost.
	Used string `json:"used,omitempty"`
}

// NewDevice makes a device; the error is a [*survey.Error].
func NewDevice(name, desk string, now time.Time, random io.Reader) (Device, error) {
	id, err := survey.NewCode(5, random)
	if err != nil {
		return Device{}, err
	}
	d := Device{ID: id, Name: strings.TrimSpace(name), Created: now.UTC().Truncate(time.Second)}
	d.Move(desk, now)
	return d, d.Check()
}

// Check says what is wrong with what staff wrote; the error is a [*survey.Error].
func (d *Device) Check() error {
	var wrong []survey.FieldError
	for _, text := range [...]struct {
		field, value string
		most         int
		required     bool
	}{{"name", d.Name, maxName, true}, {"message", d.Message, maxMessage, false}} {
		switch n := utf8.RuneCountInString(text.value); {
		case !utf8.ValidString(text.value):
			wrong = append(wrong, survey.FieldError{Field: text.field, Code: survey.CodeUTF8})
		case n == 0 && text.required:
			wrong = append(wrong, survey.FieldError{Field: text.field, Code: survey.CodeRequired})
		case n > text.most:
			wrong = append(wrong, survey.FieldError{Field: text.field, Code: survey.CodeTooLong})
		case strings.ContainsFunc(text.value, func(r rune) bool { return Unprintable(r) && !(text.field == "message" && (r == '\n' || r == '\r')) }):
			wrong = append(wrong, survey.FieldError{Field: text.field, Code: survey.CodeInvalid})
		}
	}
	if len(d.Places) == 0 || d.Desk() == "" {
		wrong = append(wrong, survey.FieldError{Field: "desk", Code: survey.CodeRequired})
	}
	if wrong != nil {
		return &survey.Error{Fields: wrong}
	}
	return nil
}

// Unprintable characters would move things about in a terminal.
func Unprintable(r rune) bool { return !unicode.IsPrint(r) }

// Desk is where the tablet stands now.
func (d *Device) Desk() string { return d.Places[len(d.Places)-1].Desk }

// Move puts the tablet at a desk; moving it where it stands changes nothing. Of very
// many moves the oldest are forgotten.
func (d *Device) Move(desk string, now time.Time) {
	if len(d.Places) > 0 && d.Desk() == desk {
		return
	}
	d.Places = append(slices.Clone(d.Places), Place{desk, now.UTC().Truncate(time.Second)})
	if n := len(d.Places) - maxPlaces; n > 0 {
		d.Places = d.Places[n:]
	}
}

// StoodAt reports whether the tablet ever stood at a desk.
func (d *Device) StoodAt(desk string) bool {
	return slices.ContainsFunc(d.Places, func(p Place) bool { return p.Desk == desk })
}

// NewPairing starts a pairing that ends ten minutes later, in place of an older one.
// It returns the code for people to type; hash makes of it what is kept.
func (d *Device) NewPairing(now time.Time, random io.Reader, hash func(code string) string) (string, error) {
	code, err := survey.NewCode(codeLength, random)
	if err != nil {
		return "", err
	}
	d.Pairing = &Pairing{Code: hash(code), Until: now.Add(pairingLife).UTC().Truncate(time.Second)}
	return code[:4] + "-" + code[4:], nil
}

// ReadPairingCode reads a pairing code as a person types it.
func ReadPairingCode(typed string) (string, bool) { return survey.ReadCode(typed, codeLength) }

// Pair gives the device the key of the tablet that has the code, and takes it back
// into service. It reports false for a code that is over, or was used by another
// tablet. Asking again with the same key changes nothing.
func (d *Device) Pair(code, key string, now time.Time) bool {
	p := d.Pairing
	if p == nil || p.Code != code || !now.Before(p.Until) || p.Used != "" && p.Used != key {
		return false
	}
	if p.Used == key {
		return true
	}
	if d.Key != "" && d.Key != key {
		d.OldKeys = append(slices.Clone(d.OldKeys), d.Key)
		if n := len(d.OldKeys) - maxOldKeys; n > 0 {
			d.OldKeys = d.OldKeys[n:]
		}
	}
	d.Key, d.Revoked = key, nil
	d.Pairing = &Pairing{Code: p.Code, Until: p.Until, Used: key}
	return true
}

// Revoke ends the tablet's right to take and send answers, and any pairing.
func (d *Device) Revoke(now time.Time) {
	if d.Revoked == nil {
		at := now.UTC().Truncate(time.Second)
		d.Revoked = &at
	}
	d.Pairing = nil
}

// ReadKey reads a tablet's key from the text in which it is sent and returns its
// SHA-256: the secret of its receipts, and in hexadecimal digits [Device.Key].
func ReadKey(text string) (hash []byte, ok bool) {
	key, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(key) != keyBytes {
		return nil, false
	}
	sum := sha256.Sum256(key)
	return sum[:], true
}

// ReadKeyHash reads [Device.Key].
func ReadKeyHash(text string) (hash []byte, ok bool) {
	hash, err := hex.DecodeString(text)
	return hash, err == nil && len(hash) == sha256.Size
}
