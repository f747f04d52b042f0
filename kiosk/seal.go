package kiosk

import (
	"crypto/ecdh"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// What HPKE calls info: an answer is never taken for an export, nor the other way.
const (
	sealAnswer = "sipas kiosk answer 1"
	sealExport = "sipas kiosk export 1"
)

// SealKey opens what tablets sealed. Sealing is HPKE (RFC 9180), base mode, with
// DHKEM(P-256, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM: what the web cryptography
// of every browser can do. A sealed text is the encapsulated key, 65 bytes, and the
// ciphertext.
type SealKey struct {
	private hpke.PrivateKey
	public  []byte
}

// NewSealKey derives the key pair from a secret of 32 bytes.
func NewSealKey(secret []byte) (*SealKey, error) {
	// Nearly every text of 32 bytes is a key of P-256.
	for n := byte(0); n < 8; n++ {
		sum := sha256.Sum256(append([]byte{n}, secret...))
		private, err := ecdh.P256().NewPrivateKey(sum[:])
		if err != nil {
			continue
		}
		key, err := hpke.NewDHKEMPrivateKey(private)
		if err != nil {
			return nil, fmt.Errorf("make the key that opens answers of tablets: %w", err)
		}
		return &SealKey{key, private.PublicKey().Bytes()}, nil
	}
	return nil, errors.New("make the key that opens answers of tablets: no key in the secret")
}

// Public is the key that tablets seal with: an uncompressed point, 65 bytes.
func (k *SealKey) Public() []byte { return k.public }

// errSealed says that a text was not sealed to this key for this purpose.
var errSealed = errors.New("it cannot be opened with the key of this installation")

func (k *SealKey) open(purpose string, sealed []byte) ([]byte, error) {
	text, err := hpke.Open(k.private, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(purpose), sealed)
	if err != nil {
		return nil, errSealed
	}
	return text, nil
}

// Seal seals as a tablet does, for programs that stand for one.
func Seal(public, text []byte) ([]byte, error) { return seal(public, sealAnswer, text) }

func seal(public []byte, purpose string, text []byte) ([]byte, error) {
	point, err := ecdh.P256().NewPublicKey(public)
	if err != nil {
		return nil, err
	}
	key, err := hpke.NewDHKEMPublicKey(point)
	if err != nil {
		return nil, err
	}
	return hpke.Seal(key, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(purpose), text)
}

// Outcome is what a receipt says of an answer: it leaves a tablet's queue on any of
// them, and on nothing else.
type Outcome string

// The outcomes.
const (
	// Stored: it is durable, now or since it came before.
	Stored Outcome = "stored"
	// Withdrawn: its giver withdrew it, or staff discarded it from the quarantine; it is
	// never stored again.
	Withdrawn Outcome = "withdrawn"
	// Quarantined: it is durable, but something is wrong with it, and staff look at it.
	Quarantined Outcome = "quarantined"
)

// Digest names a sealed answer: SHA-256 in hexadecimal digits.
func Digest(sealed []byte) string {
	sum := sha256.Sum256(sealed)
	return hex.EncodeToString(sum[:])
}

// Receipt proves to a tablet that the server has an answer: HMAC-SHA-256 under the
// SHA-256 of the tablet's key, which no sign-in page of a network knows.
func Receipt(keyHash []byte, digest string, outcome Outcome) string {
	return mac(keyHash, "sipas receipt 1\n", digest, "\n", string(outcome))
}

// SignAnswer proves that the server gave this answer to the request with this nonce.
func SignAnswer(keyHash []byte, nonce string, answer []byte) string {
	return mac(keyHash, "sipas answer 1\n", nonce, "\n", string(answer))
}

func signExport(keyHash []byte, text string) string {
	return mac(keyHash, "sipas export 1\n", text)
}

func mac(key []byte, parts ...string) string {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write([]byte(p))
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
