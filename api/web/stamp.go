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

// stampLife is for how long a stamp says anything: who took longer was not fast.
const stampLife = time.Hour

// secondsOpen is how long a form was open, 0 when that is not known or of no
// interest. Clocks of servers differ: a form that comes back before it was made
// says nothing either.
func (s *Server) secondsOpen(t *typed) float64 {
	made, ok := s.formMade(t.id, t.stamp)
	if open := s.cfg.Now().Sub(made); ok && open > 0 && open < stampLife {
		return open.Seconds()
	}
	return 0
}
