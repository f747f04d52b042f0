package survey

import "time"

// Grace is for how long after its end a round takes what was begun before: who was asked
// on the last day counts, though midnight passed meanwhile.
const Grace = 30 * time.Minute

// End is the moment at which the round ended or will end: midnight after its last day, or
// before it when staff closed it. It is the zero time for a closed one of which nobody
// kept when that was.
func (r *Round) End() time.Time {
	end := r.Last.AddDays(1).Start()
	if r.Status != StatusClosed {
		return end
	}
	switch {
	case r.ClosedAt == nil:
		return time.Time{}
	case r.ClosedAt.Before(end):
		return *r.ClosedAt
	}
	return end
}

// LastDay is the last day on which a desk takes answers to a round: that of the round, or
// before it that of the desk or its unit.
func (c *Catalogue) LastDay(r *Round, d *Desk) Date {
	last := r.Last
	if d.ValidTo != "" {
		last = min(last, d.ValidTo)
	}
	if u := c.Units[d.Unit]; u != nil && u.ValidTo != "" {
		last = min(last, u.ValidTo)
	}
	return last
}

// InGrace reports whether a round takes at a desk what was begun before its end there and
// given after it, by no more than [Grace]; such an answer is dated at its beginning. begun
// is the zero time where it is not known: then nothing is taken. dated: the answer brings
// a proven time of its own, as a tablet's does; whether staff closed the round meanwhile
// does not matter then.
func (c *Catalogue) InGrace(r *Round, d *Desk, begun, given time.Time, dated bool) bool {
	last := c.LastDay(r, d)
	if begun.IsZero() || r.Status == StatusDraft || r.Status == StatusOpen && DateOf(given) <= last || begun.Before(r.First.Start()) {
		return false
	}
	end := last.AddDays(1).Start()
	if closed := r.End(); !dated && closed.Before(end) {
		end = closed
	}
	return begun.Before(end) && !given.Before(end) && !given.After(end.Add(Grace))
}

// Takes reports whether a round takes at a desk what a person gives now who began at
// begun, the zero time where that is not known.
func (c *Catalogue) Takes(r *Round, d *Desk, begun, now time.Time) bool {
	return r.Includes(d.Unit) && !r.Drawn() && (c.InGrace(r, d, begun, now, false) || r.OpenAt(now) == "" && c.Serves(d, DateOf(now)))
}
