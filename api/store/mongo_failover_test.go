package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sipas/api/store/mongotest"
)

// TestMongoFailover: ten times the primary is killed or frozen until another one is elected, and comes back, while many
// append, erase and edit through two engines and a third one follows. Whatever was acknowledged is there once with its
// content; what was not is there at most once.
func TestMongoFailover(t *testing.T) {
	set := mongotest.Start(t, mongotest.Options{})
	uri := set.URI()
	open := func() *Mongo {
		t.Helper()
		timing := defaultMongoTiming
		timing.attempt = 3 * time.Second // as short, against the usual, as elections are here
		m, err := openMongo(t.Context(), uri, MongoOptions{}, timing)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		return m
	}
	l := &failoverLoad{t: t, servers: []*Mongo{open(), open()}, stop: make(chan struct{}),
		tried: map[ID]Entry{}, acknowledged: map[ID]bool{}, erased: map[ID]bool{}}
	other := open()
	var working, following sync.WaitGroup
	for n := range 20 {
		working.Go(func() { l.append(n) })
	}
	edits := make([]int, 4)
	for n := range edits {
		working.Go(func() { edits[n] = l.edit(n) })
	}
	followed := make(chan struct{})
	finish := sync.OnceFunc(func() {
		close(l.stop)
		working.Wait()
		close(followed)
		following.Wait()
	})
	defer finish() // also when the test ends early, or its goroutines would fail after it and hide why
	watchers := []*watcher{watch(t, other)}
	follow := func(w *watcher) { following.Go(func() { followUntil(w, followed) }) }
	follow(watchers[0])

	const rounds = 10
	for round := range rounds {
		l.more(t, 200)
		set.Settle(t)
		old := set.Primary(t)
		harm, mend := set.Kill, set.Restart
		if round%2 == 1 {
			harm, mend = set.Freeze, set.Thaw
		}
		began := time.Now()
		harm(t, old)
		if now := set.Primary(t); now == old {
			t.Fatalf("node %d is still primary", old)
		}
		l.more(t, 200)
		t.Logf("round %d: others went on after %v", round, time.Since(began).Round(100*time.Millisecond))
		mend(t, old)
		if round == rounds/2 { // one that begins in the middle of it
			w := watch(t, l.servers[0])
			watchers = append(watchers, w)
			follow(w)
		}
	}
	l.more(t, 200)
	set.Settle(t)
	finish()
	t.Logf("%d entries acknowledged, %d calls were told to send again, %d gave up early", len(l.acknowledged), l.unavailable.Load(), l.late.Load())

	stored := map[ID]Entry{}
	for _, e := range scanAll(t, other, 0) {
		if _, twice := stored[e.ID]; twice {
			t.Errorf("%x is there twice", e.ID)
		}
		stored[e.ID] = e
		if want, ours := l.tried[e.ID]; !ours || !sameEntry(e, want) {
			t.Errorf("there is %v, sent was %v", e, want)
		}
	}
	lost := 0
	for id := range l.acknowledged {
		if _, there := stored[id]; there == l.erased[id] {
			lost++
		}
	}
	if lost > 0 {
		t.Errorf("of %d acknowledged entries %d are lost, or there after they were erased", len(l.acknowledged), lost)
	}
	gone := map[ID]bool{}
	for _, id := range tombstones(t, other, testLog) {
		gone[id] = true
	}
	if !maps.Equal(gone, l.erased) {
		t.Errorf("%d tombstones, %d entries were erased", len(gone), len(l.erased))
	}
	for _, w := range watchers {
		w.read()
		w.want(other)
	}
	d, err := other.Get(t.Context(), "counters", "shared")
	if err != nil {
		t.Fatal(err)
	}
	if counts := countsOf(t, d); !maps.Equal(counts, numbered(edits)) {
		t.Errorf("the counters are at %v, %v changes were confirmed", counts, edits)
	}
}

// failoverLoad is what many clients do to a store, and what they were told.
type failoverLoad struct {
	t       *testing.T
	servers []*Mongo
	stop    chan struct{}

	acks, unavailable, late atomic.Int64

	mu           sync.Mutex // guards what follows
	tried        map[ID]Entry
	acknowledged map[ID]bool
	erased       map[ID]bool
}

func (l *failoverLoad) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// more waits until n further entries are acknowledged.
func (l *failoverLoad) more(t *testing.T, n int64) {
	t.Helper()
	from := l.acks.Load()
	wait(t, "entries to be acknowledged", func() bool { return l.acks.Load() >= from+n })
}

// Of the entries of a client some come from somebody who does not wait for long, some of those are never sent again,
// and some are withdrawn.
const hurried = 30 * time.Millisecond

func (l *failoverLoad) append(client int) {
	for i := 0; !l.stopped(); i++ {
		e := testEntry(client*1_000_000 + i)
		l.mu.Lock()
		l.tried[e.ID] = e
		l.mu.Unlock()
		limit := 5 * time.Second
		if i%4 == 3 {
			limit = hurried
		}
		acknowledged := l.send(client, e, limit, i%8 != 7)
		if acknowledged && i%10 == 5 {
			l.erase(client, e.ID)
		}
		// Citizens are slower than this.
		time.Sleep(5 * time.Millisecond)
	}
}

// send appends an entry, again and through the next server until its outcome is known.
func (l *failoverLoad) send(client int, e Entry, limit time.Duration, again bool) bool {
	for try := client; !l.t.Failed(); try++ {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		outcomes, err := l.servers[try%len(l.servers)].Append(ctx, testLog, []Entry{e})
		cancel()
		switch outcomes[0] {
		case Stored, Duplicate:
			l.mu.Lock()
			l.acknowledged[e.ID] = true
			l.mu.Unlock()
			l.acks.Add(1)
			return true
		case Failed:
			if !l.passing(err) {
				l.t.Errorf("Append: %v", err)
				return false
			}
		default:
			l.t.Errorf("the outcome is %v", outcomes[0])
			return false
		}
		if !again {
			return false
		}
	}
	return false
}

func (l *failoverLoad) erase(client int, id ID) {
	for try := client; !l.t.Failed(); try++ {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := l.servers[try%len(l.servers)].Erase(ctx, testLog, id)
		cancel()
		if err == nil {
			l.mu.Lock()
			l.erased[id] = true
			l.mu.Unlock()
			return
		}
		if !l.passing(err) {
			l.t.Errorf("Erase of an acknowledged entry: %v", err)
			return
		}
	}
}

// passing counts errors after which a client tries again.
func (l *failoverLoad) passing(err error) bool {
	switch {
	case errors.Is(err, ErrUnavailable):
		l.unavailable.Add(1)
	case errors.Is(err, context.DeadlineExceeded):
		l.late.Add(1)
	default:
		return false
	}
	return true
}

// edit raises the client's own number in a document that all clients change, and returns how often it did. Where the
// outcome is not known, the document says it.
func (l *failoverLoad) edit(client int) int {
	m := l.servers[client%len(l.servers)]
	own, done := fmt.Sprint(client), 0
	for tried := false; (tried || !l.stopped()) && !l.t.Failed(); {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		d, err := m.Get(ctx, "counters", "shared")
		counts := map[string]int{}
		switch {
		case err == nil:
			counts = countsOf(l.t, d)
		case errors.Is(err, ErrNotFound):
			d = Document{ID: "shared"}
		default:
			if !l.passing(err) {
				l.t.Errorf("Get: %v", err)
			}
			cancel()
			continue
		}
		if tried && counts[own] == done+1 {
			done++
			tried = false
		}
		if counts[own] != done {
			l.t.Errorf("client %d finds its number at %d after %d changes", client, counts[own], done)
			cancel()
			return done
		}
		if !l.stopped() {
			counts[own]++
			if d.Body, err = json.Marshal(counts); err == nil {
				_, err = m.Put(ctx, "counters", d)
			}
			switch {
			case err == nil:
				done++
			case errors.Is(err, ErrStale) || l.passing(err):
			default:
				l.t.Errorf("Put: %v", err)
			}
		}
		tried = err != nil
		cancel()
		time.Sleep(10 * time.Millisecond) // staff are slower than this
	}
	return done
}

func countsOf(t *testing.T, d Document) map[string]int {
	counts := map[string]int{}
	if err := json.Unmarshal(d.Body, &counts); err != nil {
		t.Errorf("%s: %v", d.Body, err)
	}
	return counts
}

func numbered(counts []int) map[string]int {
	m := map[string]int{}
	for i, n := range counts {
		m[fmt.Sprint(i)] = n
	}
	return m
}

// followUntil takes events as they come.
func followUntil(w *watcher, end <-chan struct{}) {
	for {
		changed := w.f.Changed()
		for !w.t.Failed() {
			events, err := w.f.Next(context.Background())
			if err != nil && !errors.Is(err, ErrUnavailable) {
				w.t.Errorf("Next: %v", err)
				return
			}
			if err == nil && len(events) == 0 {
				break
			}
			w.take(events)
		}
		select {
		case <-end:
			return
		case <-changed:
		}
	}
}
