package analysis

import (
	"math"
	"slices"
	"strings"

	"sipas/stats"
	"sipas/survey"
)

// mark settles the answers and derives the flags that follow from other answers
// of a desk. Only desks whose answers changed are looked at.
func (col *columns) mark() {
	col.settle()
	if len(col.changed) == 0 {
		return
	}
	slices.Sort(col.changed)
	m := newMarker(col.round.Drawn(), col.places)
	m.Replace = func(number uint32, flags survey.Flags) uint32 {
		p := col.places[number]
		p.derived = flags
		return col.placeNumber(p.key(nil), func() place { return p })
	}
	blocks := m.Mark([]*stats.Rows{col.main, col.tail}, slices.Compact(col.changed))
	col.main, col.tail, col.changed = blocks[0], blocks[1], nil
}

// newMarker knows the places of a round, and lacks Replace.
func newMarker(drawn bool, places []place) *stats.Marker {
	m := &stats.Marker{Desks: !drawn, Places: make([]stats.MarkPlace, len(places))}
	for i := range places {
		p := &places[i]
		m.Places[i] = stats.MarkPlace{Stands: p.valid && !p.excluded, Timed: p.door != string(survey.DoorStaff), Flags: p.derived}
	}
	return m
}

// flagNames are the names of all flags of a place, stored and derived.
func (p *place) flagNames() []string {
	var names []string
	if p.flags != "" {
		names = strings.Split(p.flags, ",")
	}
	return append(names, p.derived.Names()...)
}

// mismarked are the answers whose derived flags are not those that all answers
// of the round give them, looked at from the beginning.
func (r *roundRows) mismarked() []survey.ID {
	m := newMarker(r.drawn, r.places)
	m.Replace = func(uint32, survey.Flags) uint32 { return math.MaxUint32 }
	var keys []uint64
	for _, block := range r.blocks {
		keys = append(keys, block.Keys()...)
	}
	slices.Sort(keys)
	var wrong []survey.ID
	for b, block := range m.Mark(r.blocks, slices.Compact(keys)) {
		if block == r.blocks[b] {
			continue
		}
		for row := range block.All() {
			if row.Place == math.MaxUint32 {
				wrong = append(wrong, row.ID)
			}
		}
	}
	return wrong
}
