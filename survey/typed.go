package survey

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxTyped bounds, in bytes, what is read as a code or as a text with one in it.
const maxTyped = 2000

// marked lists the vowels of Vietnamese, each with its tones: sắc, huyền, hỏi, ngã, nặng.
var marked = []string{"AÁÀẢÃẠ", "ĂẮẰẲẴẶ", "ÂẤẦẨẪẬ", "EÉÈẺẼẸ", "ÊẾỀỂỄỆ", "IÍÌỈĨỊ", "OÓÒỎÕỌ", "ÔỐỒỔỖỘ", "ƠỚỜỞỠỢ", "UÚÙỦŨỤ", "ƯỨỪỬỮỰ", "YÝỲỶỸỴ"}

// The keys that make a Vietnamese letter, in the two ways in which people type: Telex
// and VNI. A tone's key is pressed behind its vowel.
var (
	toneKeys = [6][]string{1: {"S", "1"}, 2: {"F", "2"}, 3: {"R", "3"}, 4: {"X", "4"}, 5: {"J", "5"}}
	// combining are the same marks as characters of their own.
	combining = map[rune]int{'\u0301': 1, '\u0300': 2, '\u0309': 3, '\u0303': 4, '\u0323': 5}
	shapes    = map[rune][]string{'Ă': {"AW", "A8"}, 'Â': {"AA", "A6"}, 'Ê': {"EE", "E6"}, 'Ô': {"OO", "O6"}, 'Ơ': {"OW", "O7"}, 'Ư': {"W", "UW", "U7"}, 'Đ': {"DD", "D9"}}
	composed  = map[string]rune{"A\u0306": 'Ă', "A\u0302": 'Â', "E\u0302": 'Ê', "O\u0302": 'Ô', "O\u031b": 'Ơ', "U\u031b": 'Ư'}
)

// Clean undoes what happens to text on its way through chat programs and keyboards:
// percent signs of addresses (%20), characters that nobody sees, letters and digits of
// full width, dashes that look like a hyphen. Letters become capitals; "" for what is
// too long to be looked at.
func Clean(s string) string {
	if len(s) > maxTyped {
		return ""
	}
	for range 3 { // some programs encode what is encoded
		s = unescape(s)
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～': // full width
			r -= '！' - '!'
		case unicode.IsSpace(r), r == '+': // a space in addresses
			return ' '
		case unicode.Is(unicode.Pd, r), r == '−', r == '⁃':
			return '-'
		case r == utf8.RuneError, unicode.Is(unicode.C, r), unicode.Is(unicode.Variation_Selector, r), r == '\u034f', r == '\u115f', r == '\u1160', r == '\u3164':
			return -1
		}
		return unicode.ToUpper(r)
	}, strings.ToValidUTF8(s, ""))
}

// unescape reads %20 and its like where they stand, and leaves every other percent sign.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// bare is a text without what stands around it: spaces, quotes, brackets, full stops.
func bare(s string) string {
	return strings.TrimFunc(s, notInCode)
}

// notInCode tells what no code is made of: neither letter, digit nor a mark on one.
func notInCode(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }

// fold is what a code has in common with everything that looks like it: its letters and
// digits, O read as 0, I and L as 1.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == 'O':
			return '0'
		case r == 'I', r == 'L':
			return '1'
		case unicode.IsLetter(r), unicode.IsDigit(r):
			return r
		}
		return -1
	}, s)
}

// letter is a letter of Vietnamese as a keyboard made it: its base with shape, and tone.
type letter struct {
	base rune
	tone int
}

// lettersOf takes the marks off a text in capitals, composed or not.
func lettersOf(s string) []letter {
	var letters []letter
	for _, r := range s {
		last := len(letters) - 1
		if tone, ok := combining[r]; ok && last >= 0 {
			letters[last].tone = tone
			continue
		}
		if unicode.IsMark(r) {
			if last >= 0 {
				if with, ok := composed[string([]rune{letters[last].base, r})]; ok {
					letters[last].base = with
				}
			}
			continue
		}
		l := letter{base: r}
		if r >= utf8.RuneSelf {
			for _, vowel := range marked {
				if at := strings.IndexRune(vowel, r); at >= 0 {
					l.base, _ = utf8.DecodeRuneInString(vowel)
					l.tone = utf8.RuneCountInString(vowel[:at])
				}
			}
		}
		letters = append(letters, l)
	}
	return letters
}

// A text with more letters, more marks or more readings than these is no code.
const (
	longestCode = 40
	manyMarks   = 3
	manyWays    = 300
)

// keystrokes lists what may have been typed where a Vietnamese keyboard made letters
// with marks of it: "Â" is AA (Telex), A6 (VNI), or an A that something put a mark on,
// and the key of a mark may come up to reach letters after its vowel (ATA is "ÂT", ATS
// is "ÁT"). A text without marks is its only reading; one that has too many has none.
func keystrokes(s string, reach int) []string {
	if plain(s) {
		return []string{s}
	}
	if utf8.RuneCountInString(s) > 3*longestCode { // a letter may have two marks of its own
		return nil
	}
	letters, marks := lettersOf(s), 0
	ends := make([]string, len(letters)+1) // the letters from each on, where none of them has a mark
	tail := len(letters)
	for i := len(letters) - 1; i >= 0; i-- {
		if shapes[letters[i].base] != nil || letters[i].tone > 0 {
			marks++
		} else if marks == 0 {
			ends[i], tail = string(letters[i].base)+ends[i+1], i
		}
	}
	if len(letters) > longestCode || marks > manyMarks {
		return nil
	}
	var typed []string
	// spell writes the letters from i on behind what was typed before; pending are keys of
	// marks that are still to come, late after how many letters.
	var spell func(i int, before, pending string, late int)
	spell = func(i int, before, pending string, late int) {
		for n := len(pending); n >= 0; n-- { // the first n keys are pressed here
			now, rest := before+pending[:n], pending[n:]
			switch {
			case len(typed) > manyWays:
				return
			case rest != "" && (late == reach || i == len(letters)):
			case rest == "" && i >= tail:
				typed = append(typed, now+ends[i])
			default:
				l := letters[i]
				ways := [][2]string{{string(l.base)}}
				if keys, ok := shapes[l.base]; ok {
					ways = [][2]string{{keys[len(keys)-1][:1]}}
					for _, k := range keys {
						ways = append(ways, [2]string{k[:1], k[1:]})
					}
				}
				for _, way := range ways {
					tones := []string{""}
					if l.tone > 0 {
						tones = append(tones, toneKeys[l.tone]...)
					}
					for _, tone := range tones {
						after := 0
						if rest != "" {
							after = late + 1
						}
						spell(i+1, now+way[0], rest+way[1]+tone, after)
					}
				}
			}
		}
	}
	spell(0, "", "", 0)
	if len(typed) > manyWays {
		return nil
	}
	return typed
}

// manyTries bounds how many parts of a text are looked at that have Vietnamese letters.
const manyTries = 20

// readCode reads a code of n characters, the last a check, as people type and paste it:
// in any case, in groups, with O for 0 and I or L for 1, with other text or a whole
// address around it. False where there is none, or more than one.
func readCode(typed string, n int) (string, bool) {
	if s := normalise(typed); len(s) == n && checkCharacter(s[:n-1]) == s[n-1] { // nothing around it
		return s, true
	}
	s := Clean(typed)
	found, tries := map[string]bool{}, 0
	try := func(text string) {
		if plain(text) {
			text = fold(text)
		} else if tries++; tries > manyTries {
			return
		}
		for _, keys := range keystrokes(text, 0) {
			if code := fold(keys); len(code) == n && checkCharacter(code[:n-1]) == code[n-1] {
				found[code] = true
			}
		}
	}
	runs := strings.FieldsFunc(s, notInCode)
	// The whole text is a code; one of its words is; groups of four are, which words around
	// them may seem to be too, those with Vietnamese letters last.
	for _, look := range []func(){
		func() { try(bare(s)) },
		func() {
			for _, part := range strings.Fields(s) {
				try(bare(part))
			}
		},
		func() {
			for _, run := range runs {
				try(run)
			}
		},
		func() { inGroups(runs, n, func(g string) bool { return plain(g) }, try) },
		func() { inGroups(runs, n, func(string) bool { return true }, try) },
	} {
		if look(); len(found) > 0 {
			break
		}
	}
	if len(found) != 1 {
		return "", false
	}
	for code := range found {
		return code, true
	}
	return "", false
}

// inGroups joins each n/4 groups of at most four characters that follow one another, where
// all may be part of a code.
func inGroups(runs []string, n int, may func(string) bool, try func(string)) {
	for i := 0; n%4 == 0 && i+n/4 <= len(runs); i++ {
		groups := runs[i : i+n/4]
		if !slices.ContainsFunc(groups, func(g string) bool { return utf8.RuneCountInString(g) > 4 || !may(g) }) {
			try(strings.Join(groups, ""))
		}
	}
}

// plain reports whether a text has no letters but those of ASCII.
func plain(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// manyAddresses is how many addresses of one text are looked at.
const manyAddresses = 4

// FindDesk finds the desk that is meant by what a person typed or pasted, or by an
// address as chat programs mangle it: its code in any case, with something around or
// between its characters, with O for 0 and I or L for 1, with the letters that a
// Vietnamese keyboard makes of it; a whole address; or a text with one of these in it.
// An exact code always wins. Nil where no desk is meant, and where it may be another
// one: codes that an office chose have no check character.
func (c *Catalogue) FindDesk(typed string) *Desk {
	if d := c.Desks[strings.ToUpper(strings.TrimSpace(typed))]; d != nil {
		return d
	}
	s := strings.TrimSpace(Clean(typed))
	if d := c.Desks[s]; d != nil {
		return d
	}
	// Where there are addresses, they say which desk is meant.
	var meant finding
	address := false
	for _, path := range []string{"/S/", "/QR/"} {
		for _, rest := range strings.SplitN(squeeze("/"+s), path, manyAddresses+1)[1:] {
			part := firstPart(rest)
			address = address || bare(part) != ""
			meant.add(c.deskOf(part))
			first, _, _ := strings.Cut(part, " ")
			meant.add(c.deskOf(first))
			for _, picture := range []string{".PNG", ".SVG"} {
				if code, ok := strings.CutSuffix(bare(first), picture); ok {
					meant.add(c.deskOf(code))
				}
			}
		}
	}
	if address {
		return meant.only()
	}
	meant.add(c.deskOf(s))
	meant.add(c.deskOf(firstPart(s)))
	// Of the words of a text, what is a code as it stands or has a check character.
	for _, w := range strings.Fields(s) {
		w = firstPart(w)
		c.exactly(w, &meant)
		if code := fold(w); len(code) == deskLength && checkCharacter(code[:deskLength-1]) == code[deskLength-1] {
			meant.add(c.Desks[code])
		}
	}
	return meant.only()
}

// FindUnit finds the unit whose id somebody typed, or whose address; nil where a desk has
// that very code.
func (c *Catalogue) FindUnit(typed string) *Unit {
	s := squeeze(strings.TrimSpace(Clean(typed)))
	for _, path := range []string{"/S/", "/QR/"} {
		if _, rest, ok := strings.Cut(s, path); ok {
			s = rest
		}
	}
	s = strings.TrimFunc(firstPart(s), notInCode)
	if s == "" || c.Desks[s] != nil {
		return nil
	}
	var found *Unit
	for id, u := range c.Units {
		if !strings.EqualFold(id, s) {
			continue
		}
		if found != nil {
			return nil // ids that differ in capitals alone
		}
		found = u
	}
	return found
}

// exactly finds codes that stand in s as they are, but for what a sentence puts behind
// them: "S01." is one of S01, and of S01. where an office chose that.
func (c *Catalogue) exactly(s string, meant *finding) {
	for end := len(s); end >= len(bare(s)) && end > 0; end-- {
		meant.add(c.Desks[s[:end]])
	}
}

// finding gathers desks that may be meant.
type finding map[*Desk]bool

func (f *finding) add(d *Desk) {
	if d == nil {
		return
	}
	if *f == nil {
		*f = finding{}
	}
	(*f)[d] = true
}

// only is the desk that was found, nil for none and for several.
func (f finding) only() *Desk {
	if len(f) == 1 {
		for d := range f {
			return d
		}
	}
	return nil
}

// firstPart is what stands before a parameter or another part of an address.
func firstPart(s string) string {
	s = strings.TrimLeftFunc(s, notInCode)
	if end := strings.IndexAny(s, `/\?&#;=<>"()[]{}|,*`); end >= 0 {
		s = s[:end]
	}
	return strings.TrimSpace(s)
}

// squeeze makes one slash of several.
func squeeze(s string) string {
	s = strings.ReplaceAll(s, `\`, "/")
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// deskOf finds the one desk whose code is s, cleaned, or else looks like it; nil when
// several do.
func (c *Catalogue) deskOf(s string) *Desk {
	var meant finding
	if s = strings.TrimLeftFunc(s, notInCode); s == "" {
		return nil
	}
	if c.exactly(s, &meant); len(meant) > 0 {
		return meant.only()
	}
	for _, keys := range keystrokes(bare(s), 3) {
		if d := c.Desks[keys]; d != nil {
			meant.add(d)
			continue
		}
		for _, d := range c.desksLike(fold(keys)) {
			meant.add(d)
		}
	}
	return meant.only()
}

// desksLike lists the desks whose folded code is this one.
func (c *Catalogue) desksLike(folded string) []*Desk {
	if folded == "" {
		return nil
	}
	if c.folded != nil {
		return c.folded[folded]
	}
	var out []*Desk
	for id, d := range c.Desks {
		if fold(id) == folded {
			out = append(out, d)
		}
	}
	return out
}

// foldDesks prepares desksLike.
func (c *Catalogue) foldDesks() {
	c.folded = make(map[string][]*Desk, len(c.Desks))
	for id, d := range c.Desks {
		key := fold(id)
		c.folded[key] = append(c.folded[key], d)
	}
}
