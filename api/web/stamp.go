package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// stampSize is that of a stamp before it is text: a time, and an HMAC.
const stampSize = 8 + sha256.Size

// stampForm is what a form carries so that the server knows, when it comes
// back, how long it was open: the moment it was made, bound to the id of its
// answer, so that nobody makes one up or takes that of another form. It is
// never stored.
func (s *Server) stampForm(id string, made time.Time) string {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, stampSize), uint64(made.UnixMilli()))
	return base64.RawURLEncoding.EncodeToString(append(b, stampMAC(s.stampKey, b, id)...))
}

// formMade reads back when a form was made; false for a stamp that is not there,
// not this service's, or another form's.
func (s *Server) formMade(id, stamp string) (time.Time, bool) {
	b, err := base64.RawURLEncoding.DecodeString(stamp)
	if err != nil || len(b) != stampSize || !hmac.Equal(b[8:], stampMAC(s.stampKey, b[:8], id)) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(b))), true
}

// stampMAC seals a time of fixed length with the id after it.
func stampMAC(key, made []byte, id string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(made)
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
