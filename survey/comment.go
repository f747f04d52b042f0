package survey

import (
	"regexp"
	"strings"
	"unicode"
)

// What could say who wrote a comment: e-mail addresses, and runs of at least
// nine digits, as telephone and identity numbers are, however they are
// punctuated.
var (
	emailPattern  = regexp.MustCompile(`[\p{L}\p{N}._%+-]+@[\p{L}\p{N}.-]+\.\p{L}{2,}`)
	numberPattern = regexp.MustCompile(`\+?\d(?:[\s.\-()]{0,2}\d){8,}`)
)

// mask stands where something identifying stood.
const mask = "[…]"

// MaskComment removes what could identify the writer (telephone and identity
// numbers, e-mail addresses) and control characters from a free text.
func MaskComment(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return -1
		}
		return r
	}, s)
	s = emailPattern.ReplaceAllString(s, mask)
	return strings.TrimSpace(numberPattern.ReplaceAllString(s, mask))
}
