package stats

import "encoding/binary"

// Positions of the nine codes in Domain.Counts: the levels 1 to 5 at 0 to 4,
// then the four codes that carry no level.
const (
	CodeNotAsked      = 5 // '.'
	CodeBlank         = 6 // '-'
	CodeNotApplicable = 7 // 'n'
	CodeBrokenOff     = 8 // 'x'
	Codes             = 9
)

// nibbles gives the nibble of each code, in the order of Domain.Counts. An
// answer's items are nibbles, two in a byte, the even item low. Bit 3 says that
// the item has a level, bit 2 that the level is 4 or 5, and the other two tell
// the codes apart, so that "answered" and "satisfied" of many items are read
// from one word with a mask.
var nibbles = [Codes]byte{0b1000, 0b1001, 0b1010, 0b1100, 0b1101, 0b0000, 0b0001, 0b0010, 0b0011}

const codeChars = "12345.-nx"

// codePad is the number of zero bytes after the last answer, so that a word
// can be read at any answer's place.
const codePad = 8

// nibbleOf gives the nibble of a character, or 0xff.
var nibbleOf = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xff
	}
	for i, c := range []byte(codeChars) {
		table[c] = nibbles[i]
	}
	return table
}()

// charOf gives the character of a nibble.
var charOf = func() (table [16]byte) {
	for i, b := range nibbles {
		table[b] = codeChars[i]
	}
	return table
}()

// packAnswers appends the codes of answers to dst; on a character that is no
// code it gives false.
func packAnswers(dst []byte, answers string) ([]byte, bool) {
	bad := byte(0)
	i := 0
	for ; i+1 < len(answers); i += 2 {
		lo, hi := nibbleOf[answers[i]], nibbleOf[answers[i+1]]
		bad |= lo | hi
		dst = append(dst, lo|hi<<4)
	}
	if i < len(answers) {
		lo := nibbleOf[answers[i]]
		bad |= lo
		dst = append(dst, lo) // the spare nibble is 0
	}
	return dst, bad < 0x10
}

// unpackAnswers is the string whose codes these are.
func unpackAnswers(codes []byte, items int) string {
	out := make([]byte, items)
	for k := range out {
		out[k] = charOf[codes[k/2]>>(4*(k%2))&15]
	}
	return string(out)
}

// word reads the codes of items 16j to 16j+15 of the answer that starts at
// byte at. The bits above the answer's own belong to the next one: mask them
// with wordMasks.
func word(codes []byte, at, j int) uint64 {
	return binary.LittleEndian.Uint64(codes[at+8*j:])
}

// wordMasks has the bits of an answer's own items in each of its words.
func wordMasks(items int) []uint64 {
	masks := make([]uint64, (items+15)/16)
	for j := range masks {
		masks[j] = ^uint64(0)
		if n := items - 16*j; n < 16 {
			masks[j] = 1<<(4*n) - 1
		}
	}
	return masks
}
