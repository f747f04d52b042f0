package kiosk

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

// secret is 32 bytes of one kind.
func secret(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func testKey(t testing.TB, b byte) *SealKey {
	t.Helper()
	key, err := NewSealKey(secret(b))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestNewSealKey(t *testing.T) {
	a, again, b := testKey(t, 1), testKey(t, 1), testKey(t, 2)
	if !bytes.Equal(a.Public(), again.Public()) || bytes.Equal(a.Public(), b.Public()) {
		t.Error("a key is a function of its secret")
	}
	if len(a.Public()) != 65 || a.Public()[0] != 4 {
		t.Errorf("%x is not an uncompressed point", a.Public())
	}
	// Answers on tablets wait for years for this key: it must never be another one. From
	// `openssl ec` with the private key SHA-256(00 01…01).
	if got, want := hex.EncodeToString(a.Public()), "041970ca9f83673c190f38b69088a39c921761ce2a69a4fb18041cf1ee298263b2426aa294883214926611ff4f885429f66153f0eac42b0fde82b6a2d1e83f24fc"; got != want {
		t.Errorf("the key of a known secret is %s, want %s", got, want)
	}
	kept := bytes.Clone(secret(1))
	if _, err := NewSealKey(kept); err != nil || !bytes.Equal(kept, secret(1)) {
		t.Errorf("the secret became %x, %v", kept, err)
	}
}

func TestSealOpen(t *testing.T) {
	key, other := testKey(t, 1), testKey(t, 2)
	text := []byte("an answer")
	sealed, err := Seal(key.Public(), text)
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) != 65+len(text)+16 {
		t.Errorf("sealed are %d bytes: not a point, a ciphertext and a tag", len(sealed))
	}
	for name, test := range map[string]struct {
		key     *SealKey
		purpose string
		sealed  []byte
		ok      bool
	}{
		"by its key":           {key, sealAnswer, sealed, true},
		"by the key made anew": {testKey(t, 1), sealAnswer, sealed, true},
		"by another key":       {other, sealAnswer, sealed, false},
		"for another purpose":  {key, sealExport, sealed, false},
		"one bit of the point": {key, sealAnswer, flip(sealed, 40), false},
		"one bit of the text":  {key, sealAnswer, flip(sealed, 66), false},
		"one bit of the tag":   {key, sealAnswer, flip(sealed, len(sealed)-1), false},
		"cut":                  {key, sealAnswer, sealed[:len(sealed)-1], false},
		"only a point":         {key, sealAnswer, sealed[:65], false},
		"half a point":         {key, sealAnswer, sealed[:30], false},
		"nothing":              {key, sealAnswer, nil, false},
		"longer":               {key, sealAnswer, append(bytes.Clone(sealed), 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.key.open(test.purpose, test.sealed)
			if (err == nil) != test.ok || test.ok && !bytes.Equal(got, text) || !test.ok && (got != nil || err != errSealed) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
	twice, err := Seal(key.Public(), text)
	if err != nil || bytes.Equal(twice, sealed) {
		t.Errorf("sealed twice alike, %v: two tablets could be told to have given the same answer", err)
	}
	for name, public := range map[string][]byte{"none": nil, "short": key.Public()[:64], "off the curve": flip(key.Public(), 64)} {
		if _, err := Seal(public, text); err == nil {
			t.Errorf("sealed to a key that is %s", name)
		}
	}
}

// flip returns a copy with one bit changed in the byte at i.
func flip(b []byte, i int) []byte {
	out := bytes.Clone(b)
	out[i] ^= 1
	return out
}

// hmacOf computes what a tablet's own cryptography would.
func hmacOf(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func TestSignatures(t *testing.T) {
	hash := sha256.Sum256(secret(9))
	digest := Digest([]byte("sealed"))
	if sum := sha256.Sum256([]byte("sealed")); digest != hex.EncodeToString(sum[:]) {
		t.Errorf("digest %s", digest)
	}
	for name, test := range map[string]struct{ got, want string }{
		"stored":      {Receipt(hash[:], digest, Stored), hmacOf(hash[:], "sipas receipt 1\n"+digest+"\nstored")},
		"withdrawn":   {Receipt(hash[:], digest, Withdrawn), hmacOf(hash[:], "sipas receipt 1\n"+digest+"\nwithdrawn")},
		"quarantined": {Receipt(hash[:], digest, Quarantined), hmacOf(hash[:], "sipas receipt 1\n"+digest+"\nquarantined")},
		"answer":      {SignAnswer(hash[:], "0123456789abcdef", []byte(`{"time":1}`)), hmacOf(hash[:], "sipas answer 1\n0123456789abcdef\n{\"time\":1}")},
		"export":      {signExport(hash[:], `{"turn":1}`), hmacOf(hash[:], "sipas export 1\n{\"turn\":1}")},
	} {
		if test.got != test.want || len(test.got) != 43 {
			t.Errorf("%s: %s, want %s", name, test.got, test.want)
		}
	}
	// From printf 'sipas receipt 1\n%064d\nstored' 0 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0909…09
	if got, want := Receipt(secret(9), strings.Repeat("0", 64), Stored), "PSAPerZPoRPfai0tIAvQ9lQ-kkXO90KZbhxJXPYtNvQ"; got != want {
		t.Errorf("receipt %s, want %s", got, want)
	}
	seen := map[string]string{}
	for name, s := range map[string]string{
		"stored":         Receipt(hash[:], digest, Stored),
		"withdrawn":      Receipt(hash[:], digest, Withdrawn),
		"quarantined":    Receipt(hash[:], digest, Quarantined),
		"another digest": Receipt(hash[:], Digest([]byte("other")), Stored),
		"another key":    Receipt(secret(9), digest, Stored),
		"an answer":      SignAnswer(hash[:], digest, []byte(Stored)),
		"another nonce":  SignAnswer(hash[:], "0123456789abcdef", []byte(Stored)),
		"another answer": SignAnswer(hash[:], digest, []byte("{}")),
		"an export":      signExport(hash[:], digest+"\n"+string(Stored)),
	} {
		if seen[s] != "" {
			t.Errorf("%s is signed as %s is", name, seen[s])
		}
		seen[s] = name
	}
}
