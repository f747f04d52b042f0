package survey

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// doorKinds are the kinds of doors that show a round by themselves, named by the
// channel of what comes through them: ChannelQR is whatever a person opens on a screen
// (the code of a desk, a link, a slip), ChannelKiosk a tablet.
var doorKinds = [...]Channel{ChannelQR, ChannelKiosk}

// fits reports whether a round is for doors of a kind: its primary channel is theirs or
// none, people are not drawn, and the doors can let somebody in. A tablet reads no slips.
func (r *Round) fits(door Channel) bool {
	return !r.Drawn() && (r.PrimaryChannel == "" || r.PrimaryChannel == door) && (door != ChannelKiosk || r.Takes(DoorOpen))
}

// ShownBy reports whether doors of a kind, ChannelQR or ChannelKiosk, show the round at
// its units on its days. It is the one rule for what people are asked at a door; what
// that door still takes is up to [Accept].
func (r *Round) ShownBy(door Channel) bool { return r.Status == StatusOpen && r.fits(door) }

// hides reports whether r is shown on a day for which other fits too, as an old store may
// have it: the one that began last, of two that began on a day the smaller id.
func (r *Round) hides(other *Round) bool {
	return r.First > other.First || r.First == other.First && r.ID < other.ID
}

// RoundAt returns the round that doors of a kind show at a unit on a day. Without one it
// returns why: the code of the round that comes nearest, or [CodeRoundUnknown].
func (c *Catalogue) RoundAt(door Channel, unit string, day Date) (*Round, Code) {
	var best *Round
	code := CodeRoundUnknown
	for _, r := range c.Rounds {
		if !r.fits(door) || !r.Includes(unit) {
			continue
		}
		switch why := r.OpenAt(day.Start()); {
		case why == "" && (best == nil || r.hides(best)):
			best = r
		case why == CodeRoundNotOpen, why == CodeRoundClosed && code == CodeRoundUnknown:
			code = why
		}
	}
	if best == nil {
		return nil, code
	}
	return best, ""
}

// Serves reports whether a desk is in service on a day and its unit exists.
func (c *Catalogue) Serves(d *Desk, day Date) bool {
	u := c.Units[d.Unit]
	return u != nil && u.ExistsOn(day) && within(day, d.ValidFrom, d.ValidTo)
}

// Overlap is a pair of rounds that are both for doors of one kind, at one unit on one day.
type Overlap struct {
	Door Channel
	// Shown is the one that the doors show on the days of both, Hidden the other.
	Shown, Hidden *Round
	// days are the first and last of those days by unit; "" is every unit.
	days map[string][2]Date
}

// String names both rounds, and where and when they meet.
func (o Overlap) String() string {
	units := slices.Sorted(maps.Keys(o.days))
	at, days := "every unit", o.days[units[0]]
	if units[0] != "" {
		at = "unit " + units[0]
	}
	if len(units) > 1 {
		at = fmt.Sprintf("%s and %d more", at, len(units)-1)
	}
	return fmt.Sprintf("%s and %s are both for doors of %s at %s from %s to %s", o.Hidden.ID, o.Shown.ID, o.Door, at, days[0], days[1])
}

// Overlaps lists the pairs of rounds of which a door could show only one.
func (c *Catalogue) Overlaps() []Overlap {
	var found []Overlap
	units := make(map[*Round]map[string]bool, len(c.Rounds))
	for _, door := range doorKinds {
		var shown []*Round
		for _, r := range c.Rounds {
			if !r.ShownBy(door) {
				continue
			}
			shown = append(shown, r)
			if units[r] == nil {
				units[r] = make(map[string]bool, len(r.Units))
				for _, u := range r.Units {
					units[r][u] = true
				}
			}
		}
		slices.SortFunc(shown, func(a, b *Round) int { // the one that hides others after them
			return cmp.Or(strings.Compare(string(a.First), string(b.First)), strings.Compare(b.ID, a.ID))
		})
		for i, a := range shown {
			for _, b := range shown[i+1:] {
				if b.First > a.Last {
					break
				}
				if days := c.together(b.First, min(a.Last, b.Last), units[a], units[b]); len(days) > 0 {
					found = append(found, Overlap{door, b, a, days})
				}
			}
		}
	}
	return found
}

// together finds the units of two rounds, where no units are all of them, that exist on
// some of the days from … to.
func (c *Catalogue) together(from, to Date, a, b map[string]bool) map[string][2]Date {
	if len(a) == 0 || len(b) > 0 && len(b) < len(a) {
		a, b = b, a
	}
	if len(a) == 0 {
		return map[string][2]Date{"": {from, to}}
	}
	days := map[string][2]Date{}
	for id := range a {
		u := c.Units[id]
		if u == nil || len(b) > 0 && !b[id] {
			continue
		}
		first, last := max(from, u.ValidFrom), to
		if u.ValidTo != "" {
			last = min(last, u.ValidTo)
		}
		if first <= last {
			days[id] = [2]Date{first, last}
		}
	}
	return days
}

// mostOverlaps bounds what CheckDoors lists.
const mostOverlaps = 50

// CheckDoors refuses documents in which two rounds overlap that did not before, or at
// other units or on other days than before. What an old store has may stay, so that it can
// be mended one step after another.
func (c *Catalogue) CheckDoors(before *Catalogue) error {
	type pair struct {
		door Channel
		a, b string
	}
	of := func(o Overlap) pair { return pair{o.Door, min(o.Shown.ID, o.Hidden.ID), max(o.Shown.ID, o.Hidden.ID)} }
	known := map[pair]Overlap{}
	for _, o := range before.Overlaps() {
		known[of(o)] = o
	}
	var p problems
	for _, o := range c.Overlaps() {
		if !o.within(known[of(o)]) && len(p.list) < mostOverlaps {
			p.add("rounds/"+o.Shown.ID, CodeRoundsOverlap, o)
		}
	}
	return p.err()
}

// within reports whether rounds meet nowhere and never but where and when other says.
func (o Overlap) within(other Overlap) bool {
	for unit, days := range o.days {
		known, ok := other.days[unit]
		if !ok {
			known, ok = other.days[""]
		}
		if !ok || days[0] < known[0] || days[1] > known[1] {
			return false
		}
	}
	return true
}
