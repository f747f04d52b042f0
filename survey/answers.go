package survey

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Answer is what one item carries: a level, or one of four codes that say why
// there is none. The four leave the item's denominator and nothing else; they
// are never merged into one.
type Answer byte

// The codes of an item without a level. Levels are '1' … '5'.
const (
	NotAsked      Answer = '.' // the form in hand did not contain the item
	Blank         Answer = '-' // asked, left blank
	NotApplicable Answer = 'n' // không áp dụng
	BrokenOff     Answer = 'x' // the person had gone before it
)

// AnswerCodes lists every code in the order in which reports count them:
// levels 1 to 5, then not asked, blank, not applicable, broken off.
const AnswerCodes = "12345.-nx"

var answerWords = map[string]Answer{"not_asked": NotAsked, "blank": Blank, "na": NotApplicable, "broken_off": BrokenOff}

// Level returns 1 … 5, and 0 when the item carries no level.
func (a Answer) Level() int {
	if a >= '1' && a <= '5' {
		return int(a - '0')
	}
	return 0
}

// Word returns how JSON and CSV write the answer: "4", "na", …
func (a Answer) Word() string {
	for w, c := range answerWords {
		if c == a {
			return w
		}
	}
	return string(rune(a))
}

// ParseAnswer reads "1" … "5" or one of the words not_asked, blank, na,
// broken_off.
func ParseAnswer(s string) (Answer, error) {
	if len(s) == 1 && s[0] >= '1' && s[0] <= '5' {
		return Answer(s[0]), nil
	}
	if a, ok := answerWords[s]; ok {
		return a, nil
	}
	return 0, fmt.Errorf("%.20q is neither a level 1-5 nor not_asked, blank, na or broken_off", s)
}

// badAnswer is what a JSON value that is no answer decodes to: [Accept] names
// the item, which the decoder cannot.
const badAnswer Answer = '?'

// UnmarshalJSON reads a number 1 … 5 or a word. Anything else is kept as a
// wrong answer, so that every wrong item of a submission can be named.
func (a *Answer) UnmarshalJSON(b []byte) error {
	if v, err := ParseAnswer(strings.Trim(string(b), `"`)); err == nil {
		*a = v
	} else {
		*a = badAnswer
	}
	return nil
}

// MarshalJSON writes a number or a word.
func (a Answer) MarshalJSON() ([]byte, error) {
	if n := a.Level(); n > 0 {
		return json.Marshal(n)
	}
	return json.Marshal(a.Word())
}

// Answers holds one [Answer] an item, in the item order of the instrument
// version.
type Answers string

// Levels returns how many items carry a level.
func (a Answers) Levels() int {
	n := 0
	for i := 0; i < len(a); i++ {
		if Answer(a[i]).Level() > 0 {
			n++
		}
	}
	return n
}

// Asked returns how many items the form contained.
func (a Answers) Asked() int { return len(a) - strings.Count(string(a), string(rune(NotAsked))) }
