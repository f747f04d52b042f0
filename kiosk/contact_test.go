package kiosk

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// epochOf names an epoch.
func epochOf(i int) string { return fmt.Sprintf("%032x", i) }

// learning is a batch: what it says, the numbers of its answers that have a receipt,
// and what is known after it.
type learning struct {
	epoch, turn, highest int64
	unsent               Numbers
	received             Numbers
	clones               int64

	missing     string // in JSON
	unaccounted int64
}

// all lists the numbers of a set.
func all(s Numbers) []int64 {
	var list []int64
	for _, r := range s {
		for n := r[0]; n <= r[1]; n++ {
			list = append(list, n)
		}
	}
	return list
}

func TestLearn(t *testing.T) {
	for name, steps := range map[string][]learning{
		"nothing given": {{1, 1, 0, nil, nil, 0, "[]", 0}},
		"all received":  {{1, 1, 3, Numbers{{1, 3}}, Numbers{{1, 3}}, 0, "[]", 0}, {1, 2, 3, nil, nil, 0, "[]", 0}},
		"still waiting": {{1, 1, 9, Numbers{{1, 9}}, Numbers{{1, 3}}, 0, "[]", 0}},
		"a gap, closed by a batch that was held up": {
			{1, 2, 500, nil, Numbers{{1, 119}, {135, 500}}, 0, "[[120,134]]", 0},
			{1, 1, 134, Numbers{{120, 134}}, Numbers{{120, 130}}, 0, "[[131,134]]", 0},
			{1, 3, 500, nil, Numbers{{131, 134}}, 0, "[]", 0},
		},
		"a gap that the tablet still has": {
			{1, 1, 500, nil, Numbers{{1, 119}, {135, 500}}, 0, "[[120,134]]", 0},
			{1, 2, 500, Numbers{{120, 134}}, nil, 0, "[]", 0},
			{1, 3, 500, Numbers{{120, 130}}, nil, 0, "[[131,134]]", 0},
		},
		"a lost tail": {
			{1, 1, 9, Numbers{{1, 9}}, Numbers{{1, 5}}, 0, "[]", 0},
			{1, 2, 9, nil, nil, 0, "[[6,9]]", 0},
		},
		"the highest number never sinks": {
			{1, 1, 9, nil, Numbers{{1, 7}}, 0, "[[8,9]]", 0},
			{1, 2, 3, nil, nil, 0, "[[8,9]]", 0},
		},
		"the same batch again": {
			{1, 1, 3, Numbers{{1, 3}}, Numbers{{1, 2}}, 0, "[]", 0},
			{1, 1, 3, Numbers{{1, 3}}, Numbers{{1, 3}}, 0, "[]", 0},
			{1, 1, 3, Numbers{{1, 3}}, Numbers{{1, 3}}, 0, "[]", 0},
		},
		"an older batch says nothing of what waits": {
			{1, 5, 9, Numbers{{9, 9}}, Numbers{{1, 6}}, 0, "[[7,8]]", 0},
			{1, 4, 9, Numbers{{1, 9}}, nil, 0, "[[7,8]]", 0},
		},
		"a new epoch": {
			{1, 1, 9, Numbers{{1, 9}}, Numbers{{1, 5}}, 0, "[]", 0},
			{2, 1, 4, Numbers{{4, 4}}, Numbers{{1, 2}}, 0, "[[3,3]]", 4},
			{3, 0, 0, nil, nil, 0, "[]", 6},
		},
		"late answers of an old epoch": {
			{1, 1, 9, Numbers{{1, 9}}, Numbers{{1, 5}}, 0, "[]", 0},
			{2, 1, 4, nil, Numbers{{1, 4}}, 0, "[]", 4},
			{1, 2, 9, Numbers{{6, 9}}, Numbers{{6, 8}}, 0, "[]", 1},
			{1, 0, 9, nil, Numbers{{9, 9}}, 0, "[]", 0},
			{2, 2, 5, nil, nil, 0, "[[5,5]]", 0},
		},
		// A file says nothing of now: turn -1.
		"a file of the epoch of now": {
			{1, 1, 9, Numbers{{6, 9}}, Numbers{{1, 5}}, 0, "[]", 0},
			{1, -1, 12, Numbers{{6, 12}}, Numbers{{6, 11}}, 0, "[[12,12]]", 0},
		},
		"a file before any contact": {
			{1, -1, 9, Numbers{{1, 9}}, Numbers{{1, 9}}, 0, "[]", 0},
			{1, 1, 11, Numbers{{10, 11}}, nil, 0, "[]", 0},
			{1, 2, 11, nil, nil, 0, "[[10,11]]", 0},
		},
		"a file before the first contact of a new epoch": {
			{1, -1, 9, nil, Numbers{{1, 7}}, 0, "[[8,9]]", 0},
			{2, 1, 3, nil, Numbers{{1, 3}}, 0, "[]", 2},
		},
		"a file of an epoch that was never in contact": {
			{2, 1, 3, Numbers{{3, 3}}, Numbers{{1, 2}}, 0, "[]", 0},
			{1, -1, 9, Numbers{{1, 9}}, Numbers{{1, 7}}, 0, "[]", 2},
			{1, -1, 9, Numbers{{1, 9}}, Numbers{{8, 8}}, 0, "[]", 1},
			{2, 2, 3, nil, nil, 0, "[[3,3]]", 1},
		},
		"a file of an epoch that is in contact later": {
			{1, 1, 3, Numbers{{3, 3}}, Numbers{{1, 2}}, 0, "[]", 0},
			{2, -1, 5, Numbers{{1, 5}}, Numbers{{1, 5}}, 0, "[]", 0},
			{2, 4, 7, Numbers{{6, 7}}, Numbers{{6, 6}}, 0, "[]", 1},
			{2, 5, 7, nil, nil, 0, "[[7,7]]", 1},
		},
		"clones": {
			{1, 1, 3, nil, Numbers{{1, 3}}, 1, "[]", 0},
			{1, 2, 3, nil, Numbers{{1, 3}}, 2, "[]", 0},
			{2, 1, 3, nil, Numbers{{1, 3}}, 4, "[]", 0},
			{1, 3, 3, nil, Numbers{{1, 3}}, 8, "[]", 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var c Contact
			var clones int64
			for i, s := range steps {
				before, kept := c, clone(t, c)
				b := &Batch{Epoch: epochOf(int(s.epoch)), Turn: s.turn, Highest: s.highest, Unsent: s.unsent, Wall: noon.UnixMilli()}
				c.Learn(b, all(s.received), s.clones, noon.Add(time.Duration(i)*time.Minute))
				if !reflect.DeepEqual(clone(t, before), kept) {
					t.Fatalf("step %d changed what was read before", i)
				}
				missing, err := json.Marshal(c.Missing())
				if err != nil {
					t.Fatal(err)
				}
				if string(missing) != s.missing || c.Unaccounted() != s.unaccounted {
					t.Errorf("step %d: missing %s, unaccounted %d, want %s, %d", i, missing, c.Unaccounted(), s.missing, s.unaccounted)
				}
				if clones += s.clones; c.Clones() != clones {
					t.Errorf("step %d: %d clones, want %d", i, c.Clones(), clones)
				}
				if again := clone(t, c); !reflect.DeepEqual(again.Missing(), c.Missing()) || again.Unaccounted() != c.Unaccounted() {
					t.Errorf("step %d: stored and read, it is %+v", i, again)
				}
			}
		})
	}
}

// clone stores a contact and reads it.
func clone(t *testing.T, c Contact) Contact {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var out Contact
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Only the newest batch of the epoch of now says how the tablet does.
func TestLearnStatus(t *testing.T) {
	first := &Batch{Epoch: epochOf(1), Turn: 5, App: "5", Bundle: "b5", Wall: noon.UnixMilli() - 1500, Status: Status{Used: 5}, Unsent: Numbers{{1, 8}}, Highest: 8}
	for name, test := range map[string]struct {
		epoch int
		turn  int64
		newer bool
	}{
		"a newer turn":          {1, 6, true},
		"the same turn":         {1, 5, false},
		"an older turn":         {1, 4, false},
		"a file":                {1, -1, false},
		"an epoch before":       {0, 9, false},
		"a new epoch":           {2, 0, true},
		"a file of a new epoch": {2, -1, false},
	} {
		t.Run(name, func(t *testing.T) {
			var c Contact
			c.Learn(&Batch{Epoch: epochOf(0), Turn: 1, App: "4"}, nil, 0, noon)
			c.Learn(first, []int64{1, 2}, 0, noon)
			if !c.Last.Equal(noon.Truncate(time.Minute)) || c.Last.Location() != time.UTC || c.App != "5" || c.Bundle != "b5" || c.Offset != 1500 || c.Status.Used != 5 || c.Queue != 6 {
				t.Fatalf("after the first: %+v", c)
			}
			kept := c
			later := noon.Add(10 * time.Minute)
			b := &Batch{Epoch: epochOf(test.epoch), Turn: test.turn, App: "6", Bundle: "b6", Wall: later.UnixMilli() + 9, Status: Status{Used: 6}, Unsent: Numbers{{3, 3}, {9, 9}}, Highest: 9}
			c.Learn(b, []int64{3}, 0, later)
			if test.newer {
				kept.Last, kept.App, kept.Bundle, kept.Offset, kept.Status, kept.Queue = later.Truncate(time.Minute), "6", "b6", -9, b.Status, 1
			}
			kept.Epochs = c.Epochs
			if !reflect.DeepEqual(c, kept) {
				t.Errorf("got %+v, want %+v", c, kept)
			}
			e := c.Epoch(epochOf(test.epoch))
			if !e.Received.Has(3) || e.Unsent.Has(3) || e.Highest != 9 {
				t.Errorf("its answer does not count: %+v", e)
			}
			turn, began := max(5, test.turn), noon
			switch test.epoch {
			case 0:
				turn = 1
			case 2:
				turn, began = test.turn, later
			}
			if e.Turn != turn || !e.Began.Equal(began.Truncate(time.Minute)) {
				t.Errorf("turn %d, began %v, want %d, %v", e.Turn, e.Began, turn, began)
			}
		})
	}
	var none Contact
	if e := none.Epoch("x"); e.ID != "x" || e.Received != nil || none.Missing() != nil || none.Unaccounted() != 0 || none.Clones() != 0 {
		t.Errorf("before any contact: %+v, missing %v", e, none.Missing())
	}
}

// A queue is long for an hour before it is said to grow.
func TestLearnBefore(t *testing.T) {
	var c Contact
	queues := map[int]int64{} // by minute
	for minute := 0; minute <= 400; minute += 1 + minute%7 {
		queue := int64(minute*minute%97 + minute)
		queues[minute] = queue
		c.Learn(&Batch{Epoch: epochOf(1), Turn: int64(minute), Unsent: upTo(queue), Highest: queue}, nil, 0, noon.Add(time.Duration(minute)*time.Minute))
		if c.Queue != queue {
			t.Fatalf("minute %d: queue %d, want %d", minute, c.Queue, queue)
		}
		earlier := minute < 60 && c.Before == 0 // nothing is known of that
		for m, q := range queues {
			earlier = earlier || q == c.Before && minute-m >= 60 && minute-m < 130
		}
		if !earlier {
			t.Errorf("minute %d: %d is no queue of an hour earlier: %v", minute, c.Before, queues)
		}
	}
}

func TestMaxEpochs(t *testing.T) {
	var c Contact
	for i := range 25 { // the i-th loses i answers
		c.Learn(&Batch{Epoch: epochOf(i), Turn: 1, Highest: 50}, all(upTo(50-int64(i))), 1, noon)
		if want := int64(i * (i - 1) / 2); c.Unaccounted() != want || c.Missing().Len() != int64(i) {
			t.Fatalf("epoch %d: %d unaccounted, %d missing, want %d and %d", i, c.Unaccounted(), c.Missing().Len(), want, i)
		}
	}
	if len(c.Epochs) != maxEpochs || c.Epochs[0].ID != epochOf(5) || c.Forgotten != 0+1+2+3+4 {
		t.Errorf("%d epochs from %s, %d forgotten", len(c.Epochs), c.Epochs[0].ID, c.Forgotten)
	}
	// Late answers reduce what is not forgotten.
	c.Learn(&Batch{Epoch: epochOf(5), Turn: 2, Highest: 50}, all(upTo(50)), 0, noon)
	if want := int64(24*23/2 - 5); c.Unaccounted() != want {
		t.Errorf("%d unaccounted, want %d", c.Unaccounted(), want)
	}
	// The oldest makes room for what only a file tells of.
	c.Learn(&Batch{Epoch: epochOf(99), Turn: -1, Highest: 50}, all(upTo(50)), 0, noon)
	if len(c.Epochs) != maxEpochs || c.Epochs[0].ID != epochOf(6) || c.Epochs[maxEpochs-1].ID != epochOf(24) || c.Epoch(epochOf(99)).Highest != 50 {
		t.Errorf("%d epochs from %s", len(c.Epochs), c.Epochs[0].ID)
	}
}

// What staff wrote off is no matter until there is more of it; what turns up is not
// written off any more.
func TestWriteOff(t *testing.T) {
	type step struct {
		learning // of epoch 0: staff write off

		off, clonesOff, lost, clones int64 // after it
	}
	batch := func(epoch, turn, highest int64, unsent, received Numbers, clones int64) learning {
		return learning{epoch: epoch, turn: turn, highest: highest, unsent: unsent, received: received, clones: clones}
	}
	var writeOff learning
	for name, steps := range map[string][]step{
		"nothing": {
			{writeOff, 0, 0, 0, 0},
			{batch(1, 1, 3, nil, Numbers{{1, 3}}, 0), 0, 0, 0, 0},
			{writeOff, 0, 0, 0, 0},
		},
		"more is lost, and a file brings some": {
			{batch(1, 1, 9, nil, Numbers{{1, 5}}, 0), 0, 0, 4, 0},
			{writeOff, 4, 0, 0, 0},
			{batch(1, 2, 12, Numbers{{12, 12}}, Numbers{{11, 11}}, 0), 4, 0, 1, 0},
			{batch(1, -1, 9, nil, Numbers{{6, 8}}, 0), 1, 0, 1, 0},
			{writeOff, 2, 0, 0, 0},
			{batch(1, -1, 12, nil, Numbers{{9, 10}, {12, 12}}, 0), 0, 0, 0, 0},
		},
		"found on the tablet, and lost again": {
			{batch(1, 1, 9, nil, Numbers{{1, 5}}, 0), 0, 0, 4, 0},
			{writeOff, 4, 0, 0, 0},
			{batch(1, 2, 9, Numbers{{6, 7}}, nil, 0), 2, 0, 0, 0},
			{batch(1, 3, 9, nil, nil, 0), 2, 0, 2, 0},
		},
		"what waits is not written off": {
			{batch(1, 1, 9, Numbers{{6, 7}}, Numbers{{1, 5}}, 0), 0, 0, 2, 0},
			{writeOff, 2, 0, 0, 0},
			{batch(2, 1, 1, nil, Numbers{{1, 1}}, 0), 2, 0, 2, 0}, // wiped
			{writeOff, 4, 0, 0, 0},
			{batch(1, -1, 9, nil, Numbers{{5, 9}}, 0), 0, 0, 0, 0},
		},
		"a file's epoch becomes the one of now": {
			{batch(1, 1, 3, Numbers{{3, 3}}, Numbers{{1, 2}}, 0), 0, 0, 0, 0},
			{batch(2, -1, 5, nil, Numbers{{1, 1}}, 0), 0, 0, 4, 0},
			{writeOff, 4, 0, 0, 0},
			{batch(2, 4, 7, Numbers{{4, 5}}, Numbers{{3, 3}, {6, 7}}, 0), 1, 0, 1, 0}, // 2; 3 of the first
			{writeOff, 2, 0, 0, 0},
		},
		"clones": {
			{batch(1, 1, 3, nil, Numbers{{1, 3}}, 2), 0, 0, 0, 2},
			{writeOff, 0, 2, 0, 0},
			{batch(1, 2, 3, nil, nil, 1), 0, 2, 0, 1},
			{batch(2, 1, 3, nil, Numbers{{1, 3}}, 3), 0, 2, 0, 4},
			{writeOff, 0, 6, 0, 0},
			{batch(1, 3, 4, nil, nil, 0), 0, 6, 1, 0},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := paired(t)
			var c Contact
			wrote := time.Time{}
			for i, s := range steps {
				before, kept := c, clone(t, c)
				now := noon.Add(time.Duration(i)*time.Minute + 3*time.Second)
				if s.epoch > 0 {
					c.Learn(&Batch{Epoch: epochOf(int(s.epoch)), Turn: s.turn, Highest: s.highest, Unsent: s.unsent, Wall: now.UnixMilli()}, all(s.received), s.learning.clones, now)
				} else {
					if c.Lost() > 0 || c.Clones() > 0 {
						wrote = now.UTC().Truncate(time.Minute)
					}
					c.WriteOff(now)
				}
				if !reflect.DeepEqual(clone(t, before), kept) {
					t.Fatalf("step %d changed what was read before", i)
				}
				for what, c := range map[string]Contact{"": c, "stored and read, ": clone(t, c)} {
					off, clonesOff := c.WrittenOff()
					if off != s.off || clonesOff != s.clonesOff || c.Lost() != s.lost || c.Clones() != s.clones || !c.WroteOff.Equal(wrote) {
						t.Errorf("step %d: %swritten off %d and %d clones at %v, lost %d, %d clones, want %+v, %v", i, what, off, clonesOff, c.WroteOff, c.Lost(), c.Clones(), s, wrote)
					}
				}
				states := c.Standing(&d, now)
				if slices.Contains(states, StateMissing) != (s.lost > 0) || slices.Contains(states, StateCloned) != (s.clones > 0) {
					t.Errorf("step %d: %v", i, states)
				}
			}
		})
	}
}

func TestWriteOffForgotten(t *testing.T) {
	var c Contact
	begin := func(i int) {
		c.Learn(&Batch{Epoch: epochOf(i), Turn: 1, Highest: 5}, []int64{1, 2, 3}, 1, noon)
	}
	check := func(what string, off, clonesOff, lost, clones int64) {
		t.Helper()
		if o, co := c.WrittenOff(); o != off || co != clonesOff || c.Lost() != lost || c.Clones() != clones {
			t.Errorf("%s: written off %d and %d clones, lost %d, %d clones", what, o, co, c.Lost(), c.Clones())
		}
	}
	for i := range 23 { // 3 are forgotten
		begin(i)
	}
	check("before", 0, 0, 46, 20)
	c.WriteOff(noon)
	check("written off", 46, 20, 0, 0)
	begin(23) // forgets one that was written off
	check("one more", 46, 19, 2, 1)
	c.WriteOff(noon)
	check("again", 48, 20, 0, 0)
	for i := range maxEpochs + 1 { // the first of these is forgotten before it is written off
		begin(24 + i)
	}
	check("all new", 48, 0, 42, 20)
	c.WriteOff(noon)
	check("at last", 90, 20, 0, 0)
}

func TestCover(t *testing.T) {
	var c Contact
	c.Learn(&Batch{Epoch: epochOf(1), Turn: 1, Highest: 20}, all(Numbers{{1, 9}, {15, 20}}), 0, noon)
	c.Learn(&Batch{Epoch: epochOf(2), Turn: 1, Highest: 20}, all(Numbers{{1, 9}}), 0, noon)
	before, kept := c, clone(t, c)
	for i, test := range []struct {
		epoch string
		said  Numbers
		want  Numbers // of the first epoch
	}{
		{epochOf(3), upTo(20), nil},
		{epochOf(1), nil, nil},
		{epochOf(1), Numbers{{5, 16}}, Numbers{{5, 9}, {15, 16}}}, // no backup has what was never received
		{epochOf(1), Numbers{{1, 1}, {30, 40}}, Numbers{{1, 1}, {5, 9}, {15, 16}}},
		{epochOf(1), Numbers{{1, MaxNumber}}, Numbers{{1, 9}, {15, 20}}},
		{epochOf(1), Numbers{{2, 3}}, Numbers{{1, 9}, {15, 20}}}, // an older backup takes nothing back
	} {
		c.Cover(test.epoch, test.said)
		if got := c.Epoch(epochOf(1)).Covered; !slices.Equal(got, test.want) || c.Epoch(epochOf(2)).Covered != nil || len(c.Epochs) != 2 {
			t.Errorf("step %d: covered %v, want %v; the other %v", i, got, test.want, c.Epoch(epochOf(2)).Covered)
		}
	}
	if !reflect.DeepEqual(clone(t, before), kept) {
		t.Error("covering changed what was read before")
	}
}

// paired is a tablet in use that was in contact at noon.
func paired(t *testing.T) (Device, Contact) {
	d := testDevice(t)
	if _, err := d.NewPairing(noon, randomOf(1), hashCode); err != nil {
		t.Fatal(err)
	}
	d.Pair(d.Pairing.Code, keyOf(1), noon)
	var c Contact
	c.Learn(&Batch{Epoch: epochOf(1), Turn: 1, Highest: 3, Wall: noon.UnixMilli()}, []int64{1, 2, 3}, 0, noon)
	return d, c
}

func TestStanding(t *testing.T) {
	battery := func(charge float64, charging bool) func(*Device, *Contact) {
		return func(_ *Device, c *Contact) { c.Status.Battery, c.Status.Charging = &charge, charging }
	}
	room := func(bytes int64) func(*Device, *Contact) {
		return func(_ *Device, c *Contact) { c.Status.Room, c.Status.Quota = &bytes, 10<<30 }
	}
	used := func(used, quota int64) func(*Device, *Contact) {
		return func(_ *Device, c *Contact) { c.Status.Used, c.Status.Quota = used, quota }
	}
	limit := ClockLimit.Milliseconds()
	for name, test := range map[string]struct {
		change func(*Device, *Contact)
		want   string
	}{
		"fine":                      {func(*Device, *Contact) {}, "fine"},
		"never in contact":          {func(_ *Device, c *Contact) { *c = Contact{} }, "unpaired"},
		"never paired":              {func(d *Device, c *Contact) { d.Key, *c = "", Contact{} }, "unpaired"},
		"revoked":                   {func(d *Device, _ *Contact) { d.Revoke(noon) }, "revoked"},
		"revoked, silent for days":  {func(d *Device, c *Contact) { d.Revoke(noon); c.Last = noon.AddDate(0, 0, -9) }, "revoked"},
		"revoked before its use":    {func(d *Device, c *Contact) { d.Key, *c = "", Contact{}; d.Revoke(noon) }, "revoked"},
		"cloned":                    {func(_ *Device, c *Contact) { c.Epochs[0].Clones = 1 }, "cloned"},
		"missing":                   {func(_ *Device, c *Contact) { c.Epochs[0].Highest = 4 }, "missing"},
		"not missing, unsent":       {func(_ *Device, c *Contact) { c.Epochs[0].Highest, c.Epochs[0].Unsent = 4, Numbers{{4, 4}} }, "fine"},
		"lost in an old epoch":      {func(_ *Device, c *Contact) { c.Epochs = append([]Epoch{{Highest: 1}}, c.Epochs...) }, "missing"},
		"lost in a forgotten epoch": {func(_ *Device, c *Contact) { c.Forgotten = 1 }, "missing"},
		"full":                      {func(_ *Device, c *Contact) { c.Status.Problem = "full" }, "stopped"},
		"no round":                  {func(_ *Device, c *Contact) { c.Status.Problem = "closed" }, "fine"},
		"paired just now":           {func(_ *Device, c *Contact) { c.Status.Problem = "preparing" }, "fine"},
		"clock at the limit":        {func(_ *Device, c *Contact) { c.Offset = limit }, "fine"},
		"clock behind":              {func(_ *Device, c *Contact) { c.Offset = limit + 1 }, "clock"},
		"clock ahead at the limit":  {func(_ *Device, c *Contact) { c.Offset = -limit }, "fine"},
		"clock ahead":               {func(_ *Device, c *Contact) { c.Offset = -limit - 1 }, "clock"},
		"clock at 1970":             {func(_ *Device, c *Contact) { c.Offset = noon.UnixMilli() }, "clock"},
		"clock in 2611":             {func(_ *Device, c *Contact) { c.Offset = -18446744073709 }, "clock"}, // 2^64 ns
		"clock at the end":          {func(_ *Device, c *Contact) { c.Offset = math.MinInt64 }, "clock"},
		"99 wait":                   {func(_ *Device, c *Contact) { c.Queue = 99 }, "fine"},
		"100 wait":                  {func(_ *Device, c *Contact) { c.Queue = 100 }, "queue"},
		"fewer wait than before":    {func(_ *Device, c *Contact) { c.Queue, c.Before = 100, 101 }, "fine"},
		"as many as before":         {func(_ *Device, c *Contact) { c.Queue, c.Before = 100, 100 }, "fine"},
		"more than before":          {func(_ *Device, c *Contact) { c.Queue, c.Before = 101, 100 }, "queue"},
		"plugged out at 6%":         {battery(0.06, false), "battery"},
		"plugged out at 19.4%":      {battery(0.194, false), "battery"},
		"plugged out at 19.5%":      {battery(0.195, false), "fine"}, // it is shown as 20%
		"plugged out at 20%":        {battery(0.2, false), "fine"},
		"plugged in at 6%":          {battery(0.06, true), "fine"},
		"empty":                     {battery(0, false), "battery"},
		"room enough":               {room(EnoughRoom), "fine"},
		"room for a byte less":      {room(EnoughRoom - 1), "storage"},
		"room for the probe alone":  {room(64 << 10), "storage"},
		"90% used":                  {used(900, 1000), "fine"},
		"more than 90% used":        {used(901, 1000), "storage"},
		"used, quota not told":      {used(901, 0), "fine"},
		"the largest numbers":       {used(math.MaxInt64, math.MaxInt64), "storage"},
		"full by its probe":         {func(_ *Device, c *Contact) { room(0)(nil, c); c.Status.Problem = "full" }, "stopped"},
		"battery low, revoked":      {func(d *Device, c *Contact) { battery(0.06, false)(d, c); d.Revoke(noon) }, "revoked"},
		"battery low, then silent":  {func(d *Device, c *Contact) { battery(0.06, false)(d, c); c.Last = noon.Add(-2 * time.Hour) }, "battery silent"},
		"silent":                    {func(_ *Device, c *Contact) { c.Last = noon.Add(-2 * time.Hour) }, "silent"},
		"everything": {func(_ *Device, c *Contact) {
			c.Epochs[0].Clones, c.Epochs[0].Highest, c.Status.Problem, c.Offset, c.Queue, c.Last = 1, 9, "stopped", -limit-1, 500, noon.AddDate(0, 0, -1)
		}, "cloned missing stopped clock queue silent"},
		"revoked and cloned": {func(d *Device, c *Contact) { d.Revoke(noon); c.Epochs[0].Clones = 1 }, "cloned revoked"},
		"everything, and revoked": {func(d *Device, c *Contact) {
			d.Revoke(noon)
			c.Epochs[0].Clones, c.Epochs[0].Highest, c.Status.Problem, c.Offset, c.Queue, c.Last = 1, 9, "stopped", -limit-1, 500, noon.AddDate(0, 0, -1)
		}, "cloned missing revoked"},
		// Staff made it anew: what the old one said is not of this one.
		"key taken away": {func(d *Device, c *Contact) { d.Key, c.Status.Problem, c.Offset = "", "full", limit+1 }, "unpaired"},
	} {
		t.Run(name, func(t *testing.T) {
			d, c := paired(t)
			test.change(&d, &c)
			got := c.Standing(&d, noon)
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
			for _, state := range got {
				if !slices.Contains(States, state) {
					t.Errorf("%s is not listed", state)
				}
			}
		})
	}
}

// A tablet is silent after more than an hour of opening hours, Monday to Friday from
// 7:30 to 17:00. 2026-11-16 is a Monday.
func TestSilent(t *testing.T) {
	for _, test := range []struct {
		last, now string
		want      bool
	}{
		{"2026-11-16 10:00:00", "2026-11-16 10:00:00", false},
		{"2026-11-16 10:00:00", "2026-11-16 11:00:00", false},
		{"2026-11-16 10:00:00", "2026-11-16 11:00:01", true},
		{"2026-11-16 06:00:00", "2026-11-16 08:30:00", false}, // before it opens
		{"2026-11-16 06:00:00", "2026-11-16 08:30:01", true},
		{"2026-11-16 16:00:00", "2026-11-16 23:59:59", false}, // after it closes
		{"2026-11-16 15:59:00", "2026-11-16 23:59:59", true},
		{"2026-11-16 20:00:00", "2026-11-17 08:30:00", false},
		{"2026-11-16 20:00:00", "2026-11-17 08:30:01", true},
		{"2026-11-16 16:50:00", "2026-11-17 08:20:00", false}, // a night: 10 and 50 minutes
		{"2026-11-16 16:50:00", "2026-11-17 08:20:01", true},
		{"2026-11-20 17:00:00", "2026-11-23 08:30:00", false}, // a weekend
		{"2026-11-20 16:30:00", "2026-11-23 08:00:00", false},
		{"2026-11-20 16:30:00", "2026-11-23 08:00:01", true},
		{"2026-11-21 00:00:00", "2026-11-22 23:59:59", false}, // Saturday and Sunday
		{"2026-11-20 15:00:00", "2026-11-22 23:59:59", true},
		{"2025-01-01 00:00:00", "2026-11-22 12:00:00", true},  // long ago, found out on a Sunday
		{"2026-11-15 23:00:00", "2026-11-16 08:30:00", false}, // Sunday evening
		{"2026-11-17 10:00:00", "2026-11-16 10:00:00", false}, // a clock of a server that went back
		{"2030-01-01 10:00:00", "2026-11-16 10:00:00", false},
	} {
		d, c := paired(t)
		c.Last = at(test.last).UTC()
		if got := slices.Contains(c.Standing(&d, at(test.now).UTC()), StateSilent); got != test.want {
			t.Errorf("last %s, now %s: silent %v", test.last, test.now, got)
		}
	}
}

// TestLearnRestored: what a tablet sent to a server that was lost, and keeps, is not
// missing: it comes again.
func TestLearnRestored(t *testing.T) {
	var c Contact
	now := time.Date(2026, 11, 16, 5, 0, 0, 0, time.UTC)
	c.Learn(&Batch{Epoch: epochOf(1), Turn: 7, Highest: 9, Kept: Numbers{{1, 6}}, Unsent: Numbers{{8, 9}}}, nil, 0, now)
	if text, err := json.Marshal(c.Missing()); err != nil || string(text) != "[[7,7]]" || c.Queue != 8 {
		t.Errorf("missing %s, %d wait, %v", text, c.Queue, err)
	}
}

// TestRoom: what is known of a tablet does not grow without end, and a real one is never
// kept out.
func TestRoom(t *testing.T) {
	var scattered Numbers
	for n := int64(1); n <= maxRanges; n++ {
		scattered = append(scattered, [2]int64{3 * n, 3 * n})
	}
	full := Contact{Epochs: []Epoch{{ID: epochOf(1), Received: scattered}}}
	for name, test := range map[string]struct {
		c       Contact
		epoch   string
		numbers []int64
		ok      bool
	}{
		"the first":             {Contact{}, epochOf(1), []int64{1, 2, 3}, true},
		"one more range":        {full, epochOf(1), []int64{1}, false},
		"one of them":           {full, epochOf(1), []int64{3, 6}, true},
		"beside one":            {full, epochOf(1), []int64{4}, true},
		"between two":           {full, epochOf(1), []int64{4, 5}, true},
		"two joined, one more":  {full, epochOf(1), []int64{4, 5, 1}, true},
		"another epoch":         {full, epochOf(2), []int64{1}, true},
		"nothing":               {full, epochOf(1), nil, true},
		"too many since before": {Contact{Epochs: []Epoch{{ID: epochOf(1), Received: append(slices.Clone(scattered), [2]int64{9000, 9001})}}}, epochOf(1), []int64{8999}, true},
	} {
		b := &Batch{Epoch: test.epoch}
		for _, n := range test.numbers {
			b.Items = append(b.Items, Sealed{N: n})
		}
		if err := test.c.Room(b); (err == nil) != test.ok || err != nil && !errors.Is(err, ErrBatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCoverNews(t *testing.T) {
	c := Contact{Epochs: []Epoch{{ID: epochOf(1), Received: Numbers{{1, 5}}}}}
	before := c
	for _, test := range []struct {
		epoch string
		n     Numbers
		want  bool
	}{{epochOf(2), Numbers{{1, 5}}, false}, {epochOf(1), Numbers{{2, 3}}, true}, {epochOf(1), Numbers{{2, 3}}, false}, {epochOf(1), Numbers{{3, 9}}, true}, {epochOf(1), Numbers{{6, 9}}, false}} {
		if got := c.Cover(test.epoch, test.n); got != test.want {
			t.Errorf("%s %v: %v", test.epoch, test.n, got)
		}
	}
	if len(before.Epochs[0].Covered) > 0 || !slices.Equal(c.Epochs[0].Covered, Numbers{{2, 5}}) {
		t.Errorf("covered %v, before %v", c.Epochs[0].Covered, before.Epochs[0].Covered)
	}
}
