package kiosk

import (
	"cmp"
	"slices"
	"time"
)

// Session is a stretch in which a tablet's two clocks went together: the monotonic
// one (Mono, milliseconds since some moment, which only runs) and the wall clock
// (Wall, Unix milliseconds, which may be wrong and may be set). When the program
// starts, wakes up, or somebody sets the clock, a new session begins. Sessions are
// numbered as they come.
type Session struct {
	N int64 `json:"n"`
	// From and To are the first and last monotonic time that is known of it, Wall the
	// wall clock at From.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	Wall int64 `json:"wall"`
	// Anchor is a moment at which the server said what time it is; nil without contact.
	Anchor *Anchor `json:"anchor,omitempty"`
}

// Anchor ties a monotonic time to the true time in Unix milliseconds.
type Anchor struct {
	Mono int64 `json:"mono"`
	Time int64 `json:"time"`
}

// maxClock bounds readings of clocks, in milliseconds, so that sums stay in 64 bits:
// the year 9999.
const maxClock = 253_402_300_800_000

// agree is by how much two offsets of a wall clock may differ and be the same, in
// milliseconds: clocks drift by a second a day, and a contact takes time.
const agree = 120_000

// Clock says when things happened on a tablet.
type Clock struct {
	sessions   map[int64]placed
	born, last int64
}

// placed is a session whose true time is decided: that of monotonic time 0.
type placed struct {
	base int64
	sure bool
}

// Repair finds out when each session was, from those that were in contact; nothing
// was before born or after now.
//
// A session with an anchor is exact. One without lies between its neighbours: by the
// offset that the wall clock has in the next session with an anchor, else in the one
// before, neither past a moment at which the clock was set back, else by the wall clock
// as it stands, whichever puts it after what came before and before what comes next;
// and where none does (a clock that starts from 1970 at each start), sessions are
// spread evenly over the gap. Those are unsure.
func Repair(sessions []Session, born, now time.Time) *Clock {
	c := &Clock{sessions: map[int64]placed{}, born: born.UnixMilli(), last: now.UnixMilli()}
	c.born = min(c.born, c.last)
	var list []Session
	for _, s := range sessions {
		if sane(s) {
			list = append(list, s)
		}
	}
	// The same session may come twice, told by the tablet and by the contact of now.
	slices.SortStableFunc(list, func(a, b Session) int { return cmp.Compare(a.N, b.N) })
	list = mergeSessions(list)
	// what is known of the session before the gap, and the gap so far
	var before *known
	var gap []Session
	for _, s := range list {
		if s.Anchor == nil {
			gap = append(gap, s)
			continue
		}
		base := s.Anchor.Time - s.Anchor.Mono
		here := &known{base + s.From, base + s.To, base + s.From - s.Wall}
		c.fill(gap, before, here)
		c.sessions[s.N] = placed{base, true}
		before, gap = here, nil
	}
	c.fill(gap, before, nil)
	return c
}

// known is a session with an anchor: its true times, and how far its wall clock was
// behind.
type known struct{ from, to, offset int64 }

// wallEnd is the wall clock at To, had nobody set it.
func (s *Session) wallEnd() int64 { return s.Wall + s.To - s.From }

func sane(s Session) bool {
	in := func(v int64) bool { return v >= -maxClock && v <= maxClock }
	return s.N >= 0 && in(s.From) && in(s.To) && in(s.Wall) && (s.Anchor == nil || in(s.Anchor.Mono) && in(s.Anchor.Time))
}

// mergeSessions joins what is said twice of a session; an anchor that comes later
// holds.
func mergeSessions(list []Session) []Session {
	var out []Session
	for _, s := range list {
		if s.To < s.From {
			s.To = s.From
		}
		n := len(out)
		if n == 0 || out[n-1].N != s.N {
			out = append(out, s)
			continue
		}
		last := &out[n-1]
		if s.From < last.From {
			last.From, last.Wall = s.From, s.Wall
		}
		last.To = max(last.To, s.To)
		if s.Anchor != nil {
			last.Anchor = s.Anchor
		}
	}
	return out
}

// fill places the sessions of a gap, one after another.
func (c *Clock) fill(gap []Session, before, after *known) {
	if len(gap) == 0 {
		return
	}
	from, to := c.born, c.last
	// The offset before holds for gap[:early], the one after for gap[late:].
	early, late := 0, len(gap)
	if after != nil {
		to = min(max(after.from, from), to)
		next := after.from - after.offset
		for late > 0 && gap[late-1].wallEnd() <= next+agree {
			late--
			next = gap[late].Wall
		}
	}
	if before != nil {
		from = min(max(before.to, from), to)
		end := before.to - before.offset
		for early < len(gap) && end <= gap[early].Wall+agree {
			end = gap[early].wallEnd()
			early++
		}
	}
	var lost []Session
	cursor := from
	for i, s := range gap {
		var offsets []int64
		if i >= late {
			offsets = append(offsets, after.offset)
		}
		if i < early {
			offsets = append(offsets, before.offset)
		}
		fits := false
		for _, offset := range append(offsets, 0) {
			start := s.Wall + offset
			// It may reach into its neighbours by what clocks drift.
			if over := start + s.To - s.From - to; over > 0 && over <= agree {
				start -= over
			}
			if start < cursor && cursor-start <= agree {
				start = cursor
			}
			end := start + s.To - s.From
			if start >= cursor && end <= to {
				c.spread(lost, cursor, start)
				lost, cursor, fits = nil, end, true
				c.sessions[s.N] = placed{base: start - s.From}
				break
			}
		}
		if !fits {
			lost = append(lost, s)
		}
	}
	c.spread(lost, cursor, to)
}

// spread puts sessions evenly between two moments.
func (c *Clock) spread(lost []Session, from, to int64) {
	room := max(to-from, 0)
	for _, s := range lost {
		room -= min(s.To-s.From, room)
	}
	pause := room / int64(len(lost)+1)
	at := from
	for _, s := range lost {
		at = min(at+pause, max(to, from))
		c.sessions[s.N] = placed{base: at - s.From}
		at += min(s.To-s.From, max(to-at, 0))
	}
}

// When is the true time of a moment in a session, in UTC. It is unsure where no
// contact of the session proves it; in a session that nobody told of it is the wall
// clock, as far as that can be.
func (c *Clock) When(session, mono, wall int64) (at time.Time, unsure bool) {
	ms := wall
	p, told := c.sessions[session]
	if told {
		ms = p.base + max(min(mono, maxClock), -maxClock)
	}
	bounded := min(max(ms, c.born), c.last)
	// A contact takes a moment, so now may come a little before.
	return time.UnixMilli(bounded).UTC(), !p.sure || ms-bounded > agree || bounded-ms > agree
}
