package survey

import "fmt"

// Flags are marks on the quality of an answer. A flagged answer is kept;
// reports can be had with and without. What each rule rests on, and what it
// misses, is in stats/METHOD.md.
type Flags uint32

// The flags, as bits.
const (
	// FlagStraightLine: at least PatternLevels items carry a level and all the
	// same one.
	FlagStraightLine Flags = 1 << iota
	// FlagOutsideHours: given before 6:00 or after 20:00 in Vietnam, when no
	// office is open; not by the door of staff, where the hour is that of nobody.
	FlagOutsideHours
	// FlagSpeeding: given in less than SecondsPerItem for each item that carries
	// a level, where the time is known: less than it takes to read them.
	FlagSpeeding
	// FlagBurst: one of more answers at one desk within one hour than people can
	// be served there; see package stats. Derived.
	FlagBurst
	// FlagDuplicatePattern: one of several answers at one desk on one day that
	// agree in every item and are too odd to agree by chance; see package stats.
	// Derived.
	FlagDuplicatePattern
	// FlagUnstamped: it did not come from a form that this service made in the day
	// before: an address that was kept, a program, a clock far off.
	FlagUnstamped
	// FlagTrap: a field was filled in that people do not see.
	FlagTrap
	// FlagClock: a tablet gave it while its clock was not known to be right; the day
	// is that of what is known before and after, see package kiosk.
	FlagClock
)

// DerivedFlags follow from other answers of the desk. They come and go with
// those, and are computed wherever answers are counted, never stored.
const DerivedFlags = FlagBurst | FlagDuplicatePattern

// foundInAnswers are the flags that [QualityFlags] finds again in an imported answer.
const foundInAnswers = FlagStraightLine

const (
	// PatternLevels is how many items must carry a level before they are looked
	// at as a pattern: in fewer, anybody may give one level or what others give.
	PatternLevels = 10
	// SecondsPerItem is the least time in which an item can be read and answered.
	// Studies of careless answers draw the line at one second (Wood et al. 2017) or
	// two (Huang et al. 2012), of reading at 0.3 seconds a word (Zhang & Conrad
	// 2014), which for the items of SIPAS is over three. The least of these accuses
	// the fewest.
	SecondsPerItem = 1.0
)

var flagNames = []struct {
	bit  Flags
	name string
}{
	{FlagStraightLine, "straight_line"}, {FlagOutsideHours, "outside_hours"}, {FlagSpeeding, "speeding"},
	{FlagBurst, "burst"}, {FlagDuplicatePattern, "duplicate_pattern"},
	{FlagUnstamped, "unstamped"}, {FlagTrap, "trap"}, {FlagClock, "clock_unsure"},
}

// Names lists the names of the set flags.
func (f Flags) Names() []string {
	var names []string
	for _, n := range flagNames {
		if f&n.bit != 0 {
			names = append(names, n.name)
		}
	}
	return names
}

// ParseFlags reads the names of flags that are stored with an answer; a derived
// one is an error.
func ParseFlags(names []string) (Flags, error) {
	var f Flags
next:
	for _, name := range names {
		for _, n := range flagNames {
			if n.name == name && n.bit&DerivedFlags == 0 {
				f |= n.bit
				continue next
			}
		}
		return 0, fmt.Errorf("unknown flag %.30q", name)
	}
	return f, nil
}

// QualityFlags applies the rules stated at the flags to an answer with its
// door and answer time: all that is stored with it but what only the door saw:
// FlagSpeeding, FlagUnstamped, FlagTrap and FlagClock.
func QualityFlags(r *Response) Flags {
	var f Flags
	if n := r.Answers.Levels(); n >= PatternLevels {
		for level := byte('1'); level <= '5'; level++ {
			same := 0
			for i := 0; i < len(r.Answers); i++ {
				if r.Answers[i] == level {
					same++
				}
			}
			if same == n {
				f |= FlagStraightLine
			}
		}
	}
	if hour := r.Answered.In(VietnamTime()).Hour(); r.Door != DoorStaff && (hour < 6 || hour >= 20) {
		f |= FlagOutsideHours
	}
	return f
}

// tooFast is the rule of FlagSpeeding; with 0 seconds the time is not known.
func tooFast(a Answers, seconds float64) bool {
	return seconds > 0 && seconds < SecondsPerItem*float64(a.Levels())
}
