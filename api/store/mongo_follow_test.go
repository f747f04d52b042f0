package store

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"sipas/api/store/mongotest"
)

// gate is a connection to a server that can be held: what is sent then arrives when it is opened again, as from a
// process that was stopped in between.
type gate struct {
	ln   net.Listener
	to   string
	mu   sync.Mutex
	cond *sync.Cond
	shut bool
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{ln: ln, to: to}
	g.cond = sync.NewCond(&g.mu)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() { g.pass(in) })
		}
	})
	t.Cleanup(func() {
		g.hold(false)
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		running.Wait()
	})
	return g
}

func (g *gate) pass(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer out.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(in, out)
		in.Close()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := in.Read(buf)
		g.mu.Lock()
		for g.shut {
			g.cond.Wait()
		}
		g.mu.Unlock()
		if n > 0 {
			if _, err := out.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	out.Close()
	<-done
}

func (g *gate) hold(shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	g.cond.Broadcast()
}

// through is the address of the primary by way of the gate.
func (g *gate) through(t *testing.T, uri string) string {
	t.Helper()
	u := primaryURI(t, uri)
	return strings.Replace(u, g.to, g.ln.Addr().String(), 1)
}

// primaryURI is the address of the primary alone.
func primaryURI(t *testing.T, uri string) string {
	t.Helper()
	var hello struct {
		Primary string `bson:"primary"`
	}
	if err := mongotest.Database(t, uri).RunCommand(t.Context(), bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		t.Fatal(err)
	}
	scheme, rest, _ := strings.Cut(uri, "://")
	user, hosts, ok := cutUser(rest)
	if ok {
		user += "@"
	}
	_, path, _ := strings.Cut(hosts, "/")
	name, query, _ := strings.Cut(path, "?")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	parameters.Del("replicaSet")
	parameters.Set("directConnection", "true")
	return scheme + "://" + user + hello.Primary + "/" + name + "?" + parameters.Encode()
}

// rawLog is the collection of the test log behind the engine's back.
func rawLog(t *testing.T, uri string) *mongo.Collection {
	t.Helper()
	return mongotest.Database(t, uri).Collection(testLog.Name)
}

// TestMongoPausedWriter: a writer whose insert is under way for a long time, while others write, followers read on, and
// the positions of everything are looked through and removed twice, is still seen.
func TestMongoPausedWriter(t *testing.T) {
	uri := mongotest.URI(t)
	direct := primaryURI(t, uri)
	_, hosts, _ := strings.Cut(direct, "://")
	if _, after, ok := cutUser(hosts); ok {
		hosts = after
	}
	host, _, _ := strings.Cut(hosts, "/")
	g := newGate(t, host)
	a, b := openMongoAt(t, g.through(t, uri)), openMongoAt(t, uri)
	mustAppend(t, a, testEntries(0, 5)...)
	w := watch(t, b)
	w.read()

	g.hold(true)
	late := testEntries(100, 7)
	answered := make(chan error, 1)
	go func() {
		outcomes, err := a.Append(context.Background(), testLog, late)
		if err == nil && slices.ContainsFunc(outcomes, func(o Outcome) bool { return o != Stored }) {
			err = errors.New("not all were stored")
		}
		answered <- err
	}()
	l, err := b.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		mustAppend(t, b, testEntries(200+n*10, 10)...)
		look, err := l.look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.read()
		w.read()
		if err := l.strip(t.Context(), look); err != nil {
			t.Fatal(err)
		}
		w.read()
	}
	if len(w.live) != 25 {
		t.Fatalf("the follower has %d entries while the writer is held, want 25", len(w.live))
	}
	g.hold(false)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	w.read()
	w.want(b)
	if len(w.live) != 32 {
		t.Fatalf("the follower has %d entries, want 32", len(w.live))
	}
}

// TestMongoBatchInPieces: of a batch that arrives in pieces nothing is missed and nothing comes twice, also when a piece
// comes after the positions of the first were removed, and when the next batch has begun.
func TestMongoBatchInPieces(t *testing.T) {
	uri := mongotest.URI(t)
	m := openMongoAt(t, uri)
	l, err := m.log(testLog)
	if err == nil {
		err = l.ensure(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	insert := func(at mongoPosition, entries ...Entry) {
		t.Helper()
		for i := range entries {
			doc, err := appendMongoEntry(nil, testLog, &entries[i], at)
			if err == nil {
				_, err = l.coll.InsertOne(t.Context(), bson.Raw(doc))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	insert(mongoPosition{7, 1}, testEntries(0, 3)...)
	insert(mongoPosition{7, 2}, testEntries(10, 3)...)
	early := watch(t, m)
	early.read()
	insert(mongoPosition{7, 2}, testEntries(20, 3)...) // more of the newest batch
	early.read()
	look, err := l.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	early.read() // an hour of looking at the log, in short
	early.read()
	insert(mongoPosition{7, 2}, testEntries(30, 3)...) // and more after the look
	if err := l.strip(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	late := watch(t, m)
	for _, w := range []*watcher{early, late} {
		w.read()
		w.want(m)
	}
	insert(mongoPosition{7, 2}, testEntries(40, 3)...)
	insert(mongoPosition{7, 3}, testEntries(50, 3)...)
	insert(mongoPosition{3, 9}, testEntries(60, 3)...) // a writer whose earlier batches nobody knows
	for _, w := range []*watcher{early, late} {
		w.read()
		w.want(m)
		if len(w.live) != 21 {
			t.Errorf("a follower has %d entries, want 21", len(w.live))
		}
	}
}

// TestMongoLatePieceUnseen: as many late entries of a batch arrive as have just lost their position, so that the newest
// batch looks as before. They are read before another round can take their position too.
func TestMongoLatePieceUnseen(t *testing.T) {
	timing := defaultMongoTiming
	timing.watch = time.Hour
	m, err := openMongo(t.Context(), mongotest.URI(t), MongoOptions{}, timing)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	l, err := m.log(testLog)
	if err == nil {
		err = l.ensure(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	insert := func(entries []Entry) {
		t.Helper()
		for i := range entries {
			doc, err := appendMongoEntry(nil, testLog, &entries[i], mongoPosition{7, 2})
			if err == nil {
				_, err = l.coll.InsertOne(t.Context(), bson.Raw(doc))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	w := watch(t, m)
	look := func() *mongoLook {
		t.Helper()
		look, err := l.look(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.read()
		w.read()
		return look
	}
	insert(testEntries(0, 3))
	w.read()
	first := look()
	if err := l.strip(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	insert(testEntries(10, 3))
	w.read()
	for range 2 {
		if err := l.strip(t.Context(), look()); err != nil {
			t.Fatal(err)
		}
	}
	w.read()
	w.want(m)
}

// TestMongoStartWhileCleaned: positions are removed between the moment in which a new follower has delivered the newest
// batch and the one in which its scan comes past. Nothing comes twice.
func TestMongoStartWhileCleaned(t *testing.T) {
	m := openTestMongo(t)
	mustAppend(t, m, testEntries(0, 5)...)
	mustAppend(t, m, testEntries(10, 5)...)
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	look, err := l.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, m)
	events, err := w.f.Next(t.Context())
	if err != nil || len(events) != 5 {
		t.Fatalf("the newest batch: %d events, %v", len(events), err)
	}
	w.take(events)
	if err := l.strip(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	w.read()
	w.want(m)
}

// TestMongoResentBatch: a batch that landed though its answer was lost is new when it is sent again; what another batch
// brought is a duplicate.
func TestMongoResentBatch(t *testing.T) {
	m := openTestMongo(t)
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	a := newMongoAppender(l)
	entries := testEntries(0, 3)
	for try, want := range []Outcome{Stored, Stored, Duplicate} {
		if try == 2 {
			a.renew()
		}
		r := &mongoRequest{ctx: t.Context(), log: testLog, entries: entries}
		b := newMongoBatch([]*mongoRequest{r})
		err := m.try(t.Context(), time.Minute, func(ctx context.Context) error { return errors.Join(l.ensure(ctx), a.store(ctx, b)) })
		b.answer(err)
		if err != nil || !slices.Equal(r.outcomes, []Outcome{want, want, want}) {
			t.Errorf("try %d: %v, %v, want all %v", try, r.outcomes, err, want)
		}
	}
}

// TestMongoCopyUnderWay: where a batch was sent twice and its outcome leaves something unwritten, its copy may arrive at
// any time: nothing that followers may read past has its position.
func TestMongoCopyUnderWay(t *testing.T) {
	m := openTestMongo(t)
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	a := newMongoAppender(l)
	yes, no := func() bool { return true }, func() bool { return false }
	for _, test := range []struct {
		name    string
		lost    int // tries whose answer is lost
		undone  func() bool
		renewed bool
	}{
		{"once, all written", 0, no, false}, {"once, not all", 0, yes, false},
		{"twice, all written", 1, no, false}, {"twice, not all", 1, yes, true},
	} {
		before, tries := a.at.writer, 0
		err := a.settle(yes, test.undone, func(context.Context) error {
			if tries++; tries <= test.lost {
				return context.DeadlineExceeded
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if renewed := a.at.writer != before; renewed != test.renewed {
			t.Errorf("%s: the writer was given up: %v, want %v", test.name, renewed, test.renewed)
		}
	}
}

// TestMongoGivenUp: a batch that nobody waits for any more is given up, and the writer with it.
func TestMongoGivenUp(t *testing.T) {
	m := openTestMongo(t)
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	a := newMongoAppender(l)
	before := a.at.writer
	no := func() bool { return false }
	if err := a.settle(no, no, func(context.Context) error { return context.DeadlineExceeded }); err == nil {
		t.Fatal("a batch without an outcome has none")
	}
	if a.at.writer == before || a.at.batch != 0 {
		t.Errorf("the next batch is %+v, as if the outcome of the last were known", a.at)
	}
}

// TestMongoRoundBetween: a follower that looked at the rounds after a new one, but read before it, has not covered it.
func TestMongoRoundBetween(t *testing.T) {
	timing := defaultMongoTiming
	timing.watch = time.Hour
	m, err := openMongo(t.Context(), mongotest.URI(t), MongoOptions{}, timing)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	w := watch(t, m)
	w.read()
	mustAppend(t, m, testEntries(0, 3)...)
	look, err := l.look(t.Context())
	if err == nil {
		err = l.strip(t.Context(), look)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := w.f.(*mongoFollower)
	f.covered, f.next = look.round-1, look.round
	if _, err := f.Next(t.Context()); !errors.Is(err, ErrCursorGone) {
		t.Errorf("%v, want %v", err, ErrCursorGone)
	}
}

// TestMongoRoundsOfTwo: of two servers that clean, the one that comes late with an older round does not put the counter
// back.
func TestMongoRoundsOfTwo(t *testing.T) {
	m := openTestMongo(t)
	mustAppend(t, m, testEntries(0, 3)...)
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	var looks [2]*mongoLook
	for i := range looks {
		if looks[i], err = l.look(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, look := range []*mongoLook{looks[1], looks[0]} {
		if err := l.strip(t.Context(), look); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := l.rounds(t.Context()); err != nil || r.Cleaned != looks[1].round {
		t.Errorf("%+v, %v, want cleaned %d", r, err, looks[1].round)
	}
}

// TestMongoFirstAppendWhileClosing: an append that comes when nothing is started any more does not wait for ever.
func TestMongoFirstAppendWhileClosing(t *testing.T) {
	m := openTestMongo(t)
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for range 20 { // of two ways to the end the queue is taken by chance
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := l.hand(&mongoRequest{ctx: ctx, log: testLog, entries: testEntries(0, 1), done: make(chan struct{}, 1)}); !errors.Is(err, ErrClosed) {
			t.Errorf("%v, want %v", err, ErrClosed)
		}
		cancel()
	}
}

// TestMongoCursorGone: a follower that did not read while positions were removed says so; one that slept because there
// was nothing to read goes on.
func TestMongoCursorGone(t *testing.T) {
	uri := mongotest.URI(t)
	m := openMongoAt(t, uri)
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, m, testEntries(0, 5)...)
	clean := func() {
		t.Helper()
		look, err := l.look(t.Context())
		if err == nil {
			err = l.strip(t.Context(), look)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// The engine's own watch would read for a sleeper; this one stands for a process that was stopped.
	stopped, sleeper := watch(t, m), watch(t, m)
	stopped.read()
	sleeper.read()
	f := stopped.f.(*mongoFollower)
	f.mu.Lock()
	mustAppend(t, m, testEntries(10, 5)...)
	sleeper.read()
	look, err := l.look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The round alone wakes the sleeper, who reads and sleeps on.
	wait(t, "the sleeper has covered the new round", func() bool {
		select {
		case <-sleeper.f.Changed():
			sleeper.read()
		case <-time.After(10 * time.Millisecond):
		}
		s := sleeper.f.(*mongoFollower)
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.covered >= look.round
	})
	if err := l.strip(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	f.mu.Unlock()
	if _, err := stopped.f.Next(t.Context()); !errors.Is(err, ErrCursorGone) {
		t.Errorf("a follower that missed a round: %v, want %v", err, ErrCursorGone)
	}
	if _, err := stopped.f.Next(t.Context()); !errors.Is(err, ErrCursorGone) {
		t.Errorf("the same again: %v", err)
	}
	sleeper.read()
	sleeper.want(m)
	clean()
	clean()
	fresh := watch(t, m)
	fresh.read()
	fresh.want(m)
}

// TestMongoServers: several servers write, erase and follow together while positions are removed as fast as they can
// be. A follower either has everything exactly once or says that it fell behind.
func TestMongoServers(t *testing.T) {
	uri := mongotest.URI(t)
	timing := defaultMongoTiming
	timing.watch, timing.cleanEvery, timing.cleanAfter = 20*time.Millisecond, 30*time.Millisecond, 150*time.Millisecond
	var engines []*Mongo
	for range 3 {
		m, err := openMongo(t.Context(), uri, MongoOptions{}, timing)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		l, err := m.log(testLog)
		if err != nil {
			t.Fatal(err)
		}
		l.startCleaner()
		engines = append(engines, m)
	}
	const each = 60
	stop := make(chan struct{})
	var writing, watching sync.WaitGroup
	var rebuilt, complete int
	var mu sync.Mutex
	for i, m := range engines {
		watching.Go(func() {
			for {
				w := watch(t, m)
				err := w.follow(stop, time.Duration(i)*10*time.Millisecond)
				mu.Lock()
				if err == nil {
					complete++
					mu.Unlock()
					w.want(m)
					return
				}
				rebuilt++
				mu.Unlock()
				if !errors.Is(err, ErrCursorGone) {
					t.Error(err)
					return
				}
				w.f.Close()
			}
		})
		for n := range 4 {
			writing.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(i), uint64(n)))
				for k := range each {
					entries := testEntries(i*100_000+n*10_000+k*10, 1+rnd.IntN(4))
					if _, err := m.Append(t.Context(), testLog, entries); err != nil {
						t.Error(err)
					}
					if rnd.IntN(3) == 0 {
						if err := engines[rnd.IntN(3)].Erase(t.Context(), testLog, entries[0].ID); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
	writing.Wait()
	raw := rawLog(t, uri)
	wait(t, "all positions are removed", func() bool {
		n, err := raw.CountDocuments(t.Context(), bson.D{{Key: keyWriter, Value: bson.D{{Key: "$exists", Value: true}}}})
		return err == nil && n == 0
	})
	close(stop)
	watching.Wait()
	if complete != len(engines) {
		t.Errorf("%d of %d followers came to the end, %d times one began again", complete, len(engines), rebuilt)
	}
}

// follow reads until stop is closed and everything before it was read. pause makes a slow reader.
func (w *watcher) follow(stop <-chan struct{}, pause time.Duration) error {
	for {
		news := w.f.Changed()
		ending := false
		select {
		case <-stop:
			ending = true
		default:
		}
		for {
			events, err := w.f.Next(context.Background())
			if err != nil {
				return err
			}
			if len(events) == 0 {
				break
			}
			w.take(events)
		}
		if ending {
			return nil
		}
		select {
		case <-news:
		case <-stop:
		}
		time.Sleep(pause)
	}
}

// TestMongoNoOrder: when positions are gone, nothing in the database says in which order entries came.
func TestMongoNoOrder(t *testing.T) {
	uri := mongotest.URI(t)
	m := openMongoAt(t, uri)
	entries := testEntries(0, 200)
	for chunk := range slices.Chunk(entries, 20) {
		mustAppend(t, m, chunk...)
	}
	if err := m.Erase(t.Context(), testLog, entries[3].ID); err != nil {
		t.Fatal(err)
	}
	l, err := m.log(testLog)
	if err != nil {
		t.Fatal(err)
	}
	look, err := l.look(t.Context())
	if err == nil {
		err = l.strip(t.Context(), look)
	}
	if err != nil {
		t.Fatal(err)
	}
	raw := rawLog(t, uri)
	specs, err := raw.Database().ListCollectionSpecifications(t.Context(), bson.D{{Key: "name", Value: testLog.Name}})
	if err != nil || len(specs) != 1 {
		t.Fatal(specs, err)
	}
	if _, err := specs[0].Options.LookupErr("clusteredIndex"); err != nil {
		t.Errorf("the collection is not clustered: %s", specs[0].Options)
	}
	cursor, err := raw.Find(t.Context(), bson.D{}, options.Find().SetSort(bson.D{{Key: "$natural", Value: 1}}))
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{keyID: true, keyDigest: true, keyReceipt: true, keyErased: true}
	for _, f := range testLog.Fields {
		allowed[f.Name] = true
	}
	var last []byte
	n := 0
	for cursor.Next(t.Context()) {
		n++
		elements, err := cursor.Current.Elements()
		if err != nil {
			t.Fatal(err)
		}
		for _, el := range elements {
			if !allowed[el.Key()] {
				t.Fatalf("a document has %s", el.Key())
			}
		}
		_, id := cursor.Current.Lookup(keyID).Binary()
		if slices.Compare(last, id) >= 0 {
			t.Fatal("the natural order is not that of the ids")
		}
		last = slices.Clone(id)
	}
	if err := cursor.Err(); err != nil || n != 200 {
		t.Fatalf("%d documents, %v", n, err)
	}
}
