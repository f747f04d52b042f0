package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"sipas/survey"
)

// The parts of a stamp before it is text: a time, a nonce, and an HMAC. Forms of
// earlier versions have no nonce.
const (
	stampTime  = 8
	stampNonce = 16
	stampSize  = stampTime + stampNonce + sha256.Size
	stampOld   = stampTime + sha256.Size
)

// stampForm is what a form carries and nothing else has: it is never stored. By it
// the server knows, when the form comes back, how long that was open; and from it
// comes the code that withdraws the answer, see [survey.Receipt]. It is bound to the
// id of the answer, so that nobody makes one up or takes that of another form.
func (s *Server) stampForm(id string, made time.Time) (string, error) {
	b := make([]byte, stampTime+stampNonce, stampSize)
	binary.BigEndian.PutUint64(b, uint64(made.UnixMilli()))
	if _, err := io.ReadFull(s.cfg.Random, b[stampTime:]); err != nil {
		return "", fmt.Errorf("stamp a form: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, stampMAC(s.stampKey, b, id)...)), nil
}

// readStamp decodes a stamp; nil for one that is not there, not this service's, or
// another form's.
func (s *Server) readStamp(id, stamp string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(stamp)
	if err != nil || len(b) != stampSize && len(b) != stampOld {
		return nil
	}
	if sealed := len(b) - sha256.Size; !hmac.Equal(b[sealed:], stampMAC(s.stampKey, b[:sealed], id)) {
		return nil
	}
	return b
}

// formMade reads back when a form was made; false without a genuine stamp.
func (s *Server) formMade(id, stamp string) (time.Time, bool) {
	b := s.readStamp(id, stamp)
	if b == nil {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))), true
}

// formReceipt is the code that withdraws the answer of a form, and the one that
// earlier versions gave it. The whole stamp is the nonce, so that a form which was
// opened before stamps had one gives the same code each time too. That of a form
// without a genuine stamp is random, and before is "": anybody can send the same again.
func (s *Server) formReceipt(id survey.ID, stamp string) (code, before string, err error) {
	if nonce := s.readStamp(id.String(), stamp); nonce != nil {
		return s.store.Receipt(id, nonce), s.store.Receipt(id, nil), nil
	}
	nonce := make([]byte, stampNonce)
	if _, err := io.ReadFull(s.cfg.Random, nonce); err != nil {
		return "", "", fmt.Errorf("make a receipt: %w", err)
	}
	return s.store.Receipt(id, nonce), "", nil
}

// stampMAC seals what has one of two lengths with an id of one length after it.
func stampMAC(key, stamped []byte, id string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(stamped)
	mac.Write([]byte(id))
	return mac.Sum(nil)
}

// formLife is for how long a form may be open: as long as a phone keeps a draft.
const formLife = 24 * time.Hour

// speedLife is for how long a stamp says how fast somebody was: who took longer
// was not.
const speedLife = time.Hour

// formOpen reads the stamp of a posted form: how long it was open in seconds, 0
// when that is not known or of no interest, and whether this service made it
// lately. Clocks of servers differ: a form that comes back a little before it was
// made says nothing of speed.
func (s *Server) formOpen(t *typed) (seconds float64, lately bool) {
	made, ok := s.formMade(t.id, t.stamp)
	open := s.cfg.Now().Sub(made)
	if !ok || open > formLife || open < -time.Hour {
		return 0, false
	}
	if open > 0 && open < speedLife {
		seconds = open.Seconds()
	}
	return seconds, true
}
