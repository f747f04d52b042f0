package survey

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
)

// codeAlphabet is Crockford's base 32: no I, L, O or U, so that a code can be
// read aloud and typed back.
const codeAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// receiptLength is the number of characters of a receipt, the check included.
const receiptLength = 16

// Receipt returns the code by which a person can withdraw the answer id: 16
// characters in groups of four, the last of them a check. nonce stands in the
// person's form and nowhere else: without it nobody can compute the code, not even
// with the key and the stored answer; with it, a page that is shown twice shows
// the same code. Versions before forms had one gave the code of an empty nonce.
func Receipt(key []byte, id ID, nonce []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write(id[:])
	mac.Write(nonce)
	return group(encode(mac.Sum(nil), receiptLength-1))
}

// ReceiptHash returns what the store keeps of a receipt: the SHA-256 of its
// characters without the hyphens. It reads what people type and paste: small letters,
// spaces, O for 0, I or L for 1, a text or an address around it. A wrong check
// character is an error, and so are two receipts.
func ReceiptHash(receipt string) ([]byte, error) {
	s, ok := readCode(receipt, receiptLength)
	if !ok {
		return nil, fmt.Errorf("a receipt has %d characters and a matching check character", receiptLength)
	}
	sum := sha256.Sum256([]byte(s))
	return sum[:], nil
}

// deskLength is the number of characters of a desk code, the check included.
const deskLength = 6

// DeskCode returns a short desk code that people can type: five characters
// drawn from seed and a check character. Equal seeds give equal codes.
func DeskCode(seed string) string {
	sum := sha256.Sum256([]byte("desk " + seed))
	return encode(sum[:], deskLength-1)
}

// DeskCodeIn reads the code that [DeskCode] made in a text that a person types or pastes;
// false where there is none, or more than one.
func DeskCodeIn(text string) (string, bool) { return readCode(text, deskLength) }

// NewCode returns n random characters and a check character, for people to read
// and type once.
func NewCode(n int, random io.Reader) (string, error) {
	b := make([]byte, (5*n+7)/8)
	if _, err := io.ReadFull(random, b); err != nil {
		return "", fmt.Errorf("make a code: %w", err)
	}
	return encode(b, n), nil
}

// ReadCode reads what NewCode(n, …) made as a person types it; false for what
// cannot be one.
func ReadCode(typed string, n int) (string, bool) {
	return readCode(typed, n+1)
}

// NormaliseDeskCode reads the desk code in a file of answers: small letters, spaces
// and hyphens around or inside a generated code do not matter. A code that an office
// chose itself is only put in capitals. What people type is read by
// [Catalogue.FindDesk].
func NormaliseDeskCode(s string) string {
	if n := normalise(s); len(n) == deskLength && checkCharacter(n[:deskLength-1]) == n[deskLength-1] {
		return n
	}
	return strings.ToUpper(strings.TrimSpace(s))
}

// encode writes n characters from the bits of b, then a check character.
func encode(b []byte, n int) string {
	out := make([]byte, 0, n+1)
	var acc, bits uint
	for _, x := range b {
		acc, bits = acc<<8|uint(x), bits+8
		for bits >= 5 && len(out) < n {
			bits -= 5
			out = append(out, codeAlphabet[acc>>bits&31])
		}
	}
	return string(append(out, checkCharacter(string(out))))
}

// checkCharacter is Luhn's algorithm modulo 32: it catches every single wrong
// character and nearly every swap of two neighbours.
func checkCharacter(s string) byte {
	sum, factor := 0, 2
	for i := len(s) - 1; i >= 0; i-- {
		v := strings.IndexByte(codeAlphabet, s[i])
		if v < 0 {
			return 0
		}
		v *= factor
		sum += v/32 + v%32
		factor = 3 - factor
	}
	return codeAlphabet[(32-sum%32)%32]
}

func group(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i += 4 {
		if i > 0 {
			b.WriteByte('-')
		}
		b.WriteString(s[i:min(i+4, len(s))])
	}
	return b.String()
}

var lookAlikes = strings.NewReplacer("-", "", " ", "", "O", "0", "I", "1", "L", "1")

func normalise(s string) string {
	if len(s) > 64 {
		return ""
	}
	return lookAlikes.Replace(strings.ToUpper(s))
}
