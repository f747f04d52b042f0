package survey

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"io"
)

// The doors of a round: what lets a person answer without staff.
const (
	// DoorsOpen: the static code of a desk.
	DoorsOpen = "open"
	// DoorsSlip: a one-time slip, as it comes with an appointment.
	DoorsSlip = "slip"
	// DoorsBoth: either; each answer is marked with its door.
	DoorsBoth = "both"
)

// Takes reports whether a round lets answers in by a door. Files of staff always
// come in.
func (r *Round) Takes(d Door) bool {
	switch d {
	case DoorOpen:
		return r.Doors != DoorsSlip
	case DoorSlip:
		return r.Doors == DoorsSlip || r.Doors == DoorsBoth
	}
	return true
}

// The parts of a slip, in characters: random ones, a seal, a check.
const (
	slipRandom = 10
	slipSeal   = 9
	slipLength = slipRandom + slipSeal + 1
)

// NewSlip makes a slip for a desk in a round: 20 characters that can be read aloud,
// of which some are random, some a seal that no other installation, round or desk
// gives, and the last a check. key is derived from the root secret.
//
// A slip says that somebody got a result, never who: it is made of chance, and
// nobody keeps which was handed to whom but the office that does. Once spent it
// leaves a mark, HMAC(round key, slip), with no time beside it and nothing of the
// answer; the answer has nothing of the slip. What this hides, and from whom:
//
//   - Readers of the database, of backups and of logs cannot tell which answer a
//     slip allowed: mark and answer share no value, no time, no order.
//   - Readers of the list of slips learn nothing from those either, without the
//     round key. With it, as long as the round is open, they can tell which slips
//     were spent, and nothing about the answers. The key is random, is in no backup
//     and is destroyed some two hours after the round ends; then not even that can be told.
//   - For the seconds, or after a crash the day, in which a mark waits for its
//     answer, whoever has the round key and the database can join the two.
//   - It hides nothing from someone who changes the program on the server, or who
//     watches the traffic behind the TLS proxy.
//   - Offices hand slips out, so a slip does not prove that a citizen answered.
func NewSlip(key []byte, round, desk string, random io.Reader) (string, error) {
	var b [8]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return "", err
	}
	chance := encode(b[:], slipRandom)[:slipRandom]
	s := chance + sealSlip(key, round, desk, chance)
	return group(s + string(checkCharacter(s))), nil
}

// SlipIn reads the slip, of whatever round and desk, in a text that a person types or
// pastes, and returns its canonical form; false where there is none, or more than one.
func SlipIn(text string) (string, bool) { return readCode(text, slipLength) }

// ReadSlip reads a slip as a person types it and returns its canonical form;
// false for one that is not of this round and desk.
func ReadSlip(key []byte, round, desk, slip string) (string, bool) {
	s, ok := SlipIn(slip)
	if !ok {
		return "", false
	}
	seal := sealSlip(key, round, desk, s[:slipRandom])
	return s, subtle.ConstantTimeCompare([]byte(seal), []byte(s[slipRandom:slipLength-1])) == 1
}

func sealSlip(key []byte, round, desk, chance string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(round + "\x00" + desk + "\x00" + chance))
	return encode(mac.Sum(nil), slipSeal)[:slipSeal]
}
