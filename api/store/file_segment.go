package store

import "time"

// segments are what is durable in the journals and not, or not yet known to be, in the database.
type segments struct {
	active *segment // takes appends: only appendLoop changes it, holding mu
	sealed *segment // being moved into the database by applyLoop; no longer changes; nil: none
}

// find returns the newest state of an entry, if a segment has it.
func (s segments) find(l *fileLog, id ID) (state, bool) {
	for _, seg := range [...]*segment{s.active, s.sealed} {
		if seg == nil {
			continue
		}
		if sl := seg.logs[l]; sl != nil {
			if st, ok := sl.states[id]; ok {
				return st, true
			}
		}
	}
	return state{}, false
}

// segment is the content of one journal file, in memory.
type segment struct {
	journal *journal
	logs    map[*fileLog]*segmentLog
	count   int   // operations
	bytes   int64 // of journal
	since   time.Time
	tried   bool // an attempt to apply it failed half-way
}

type segmentLog struct {
	start    int64 // position in the log's ring of this segment's first operation
	states   map[ID]state
	receipts map[uint64]ID   // erased ones too
	shared   map[uint64][]ID // others with the hash of one in receipts
}

// state is the newest known state of an entry that is not in the database yet.
type state struct {
	record []byte // nil: erased
	hash   uint64 // of its receipt, also when erased, since the index may know it already
}

func (s *segment) due(now time.Time) bool {
	return s.count >= sealCount || s.bytes >= sealBytes || s.count > 0 && now.Sub(s.since) >= sealAge
}

func (s *segment) full() bool { return s.count >= fullCount || s.bytes >= fullBytes }

func newSegment(j *journal) *segment {
	return &segment{journal: j, logs: map[*fileLog]*segmentLog{}}
}

// logSegment returns the part of a log in the segment, made when missing; mu must be held.
func (s *segment) logSegment(l *fileLog) *segmentLog {
	sl := s.logs[l]
	if sl == nil {
		sl = &segmentLog{start: l.ring.end(), states: map[ID]state{}, receipts: map[uint64]ID{}}
		s.logs[l] = sl
	}
	return sl
}

// set enters the newest state of an entry.
func (sl *segmentLog) set(id ID, st state) {
	if st.record != nil && st.hash != 0 {
		if other, taken := sl.receipts[st.hash]; taken && other != id {
			if sl.shared == nil {
				sl.shared = map[uint64][]ID{}
			}
			sl.shared[st.hash] = append(sl.shared[st.hash], other)
		}
		sl.receipts[st.hash] = id
	}
	sl.states[id] = st
}

// show enters a change into a segment; mu must be held.
func (f *File) show(s *segment, c change) {
	s.logSegment(c.log).set(c.id, c.st)
	s.count++
	switch {
	case c.st.record != nil:
		c.log.live++
	case c.new:
		c.log.erased++
	default:
		c.log.live--
		c.log.erased++
	}
	c.log.ring.add(c.id, c.st.record == nil)
}
