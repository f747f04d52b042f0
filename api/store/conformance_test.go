package store

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// conformance is what any engine must pass. open returns a fresh, empty, real one; the suite closes it.
func conformance(t *testing.T, open func(t *testing.T) Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"documents", testDocuments},
		{"documents at once", testDocumentsAtOnce},
		{"documents raced", testDocumentRace},
		{"outcomes", testOutcomes},
		{"outcomes within one call", testOutcomesWithinCall},
		{"find", testFind},
		{"erase", testErase},
		{"receipt of several", testSharedReceipt},
		{"bury", testBury},
		{"scan", testScan},
		{"logs apart", testLogsApart},
		{"fields appended", testFieldsAppended},
		{"concurrent distinct", testConcurrentDistinct},
		{"concurrent same", testConcurrentSame},
		{"follow", testFollow},
		{"follow while written", testFollowWhileWritten},
		{"follow wakes", testFollowWakes},
		{"cancelled", testCancelled},
		{"closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := open(t)
			c.test(t, e)
			if err := e.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
	t.Run("model", func(t *testing.T) {
		t.Parallel()
		testModel(t, open)
	})
}

var testLog = &Log{Name: "responses", Fields: []Field{
	{"round", Text}, {"level", Int}, {"hour", Hour}, {"profile", Pairs}, {"weight", Real}, {"comment", Text}}}

// testEntry makes the n-th of a run of different entries; their ids share five hours and are in no order.
func testEntry(n int) Entry {
	rnd := rand.New(rand.NewPCG(uint64(n), 42))
	e := benchEntry(rnd, benchHour+n%5)
	e.Values = []string{"2026-1", strconv.Itoa(n % 5), "2026-11-24T0" + strconv.Itoa(n%5), "age=3;sex=F", "0.25", "ý kiến " + strconv.Itoa(n)}
	return e
}

func testEntries(from, n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		entries[i] = testEntry(from + i)
	}
	return entries
}

func mustAppend(t testing.TB, e Engine, entries ...Entry) {
	t.Helper()
	outcomes, err := e.Append(t.Context(), testLog, entries)
	if err != nil {
		t.Fatalf("Append: %v", err)
	}
	for i, o := range outcomes {
		if o != Stored {
			t.Fatalf("entry %d: %v, want stored", i, o)
		}
	}
}

func wantOutcomes(t *testing.T, e Engine, entries []Entry, want ...Outcome) {
	t.Helper()
	got, err := e.Append(t.Context(), testLog, entries)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("Append: %v, %v, want %v", got, err, want)
	}
}

func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: error %v, want %v", what, err, want)
	}
}

func sameEntry(a, b Entry) bool {
	return a.ID == b.ID && bytes.Equal(a.Digest, b.Digest) && bytes.Equal(a.Receipt, b.Receipt) && slices.Equal(a.Values, b.Values)
}

func wantFound(t *testing.T, e Engine, want Entry) {
	t.Helper()
	got, err := e.Find(t.Context(), testLog, want.ID)
	if err != nil || !sameEntry(got, want) {
		t.Fatalf("Find: %v, %v, want %v", got, err, want)
	}
}

func wantCount(t *testing.T, e Engine, live, erased int64) {
	t.Helper()
	l, x, err := e.Count(t.Context(), testLog)
	if err != nil || l != live || x != erased {
		t.Fatalf("Count: %d live, %d erased, %v, want %d and %d", l, x, err, live, erased)
	}
}

func testDocuments(t *testing.T, e Engine) {
	ctx := t.Context()
	_, err := e.Get(ctx, "units", "u1")
	wantErr(t, "Get from an unknown set", err, ErrNotFound)
	docs, rev, err := e.List(ctx, "units")
	if err != nil || len(docs) != 0 || rev != 0 {
		t.Fatalf("List of an unknown set: %v, %d, %v", docs, rev, err)
	}
	body := []byte(`{"name":"Sở Xây dựng"}`)
	r1, err := e.Put(ctx, "units", Document{ID: "u2", Body: body})
	if err != nil || r1 <= 0 {
		t.Fatalf("Put: %d, %v", r1, err)
	}
	_, err = e.Put(ctx, "units", Document{ID: "u2", Body: body})
	wantErr(t, "Put of a document that exists", err, ErrStale)
	_, err = e.Put(ctx, "units", Document{ID: "u3", Revision: 7, Body: body})
	wantErr(t, "Put over a document that does not exist", err, ErrStale)
	r2, err := e.Put(ctx, "units", Document{ID: "u2", Revision: r1, Body: []byte(`{"name":"b"}`)})
	if err != nil || r2 <= r1 {
		t.Fatalf("Put again: %d after %d, %v", r2, r1, err)
	}
	_, err = e.Put(ctx, "units", Document{ID: "u2", Revision: r1, Body: body})
	wantErr(t, "Put of an older revision", err, ErrStale)
	got, err := e.Get(ctx, "units", "u2")
	if err != nil || got.ID != "u2" || got.Revision != r2 || string(got.Body) != `{"name":"b"}` {
		t.Fatalf("Get: %+v, %v", got, err)
	}
	for _, id := range []string{"u10", "u1", "ư"} {
		if _, err := e.Put(ctx, "units", Document{ID: id, Body: body}); err != nil {
			t.Fatal(err)
		}
	}
	docs, rev, err = e.List(ctx, "units")
	var ids []string
	for _, d := range docs {
		ids = append(ids, d.ID)
	}
	if err != nil || !slices.Equal(ids, []string{"u1", "u10", "u2", "ư"}) || docs[2].Revision != r2 {
		t.Fatalf("List: %v, %v", docs, err)
	}
	revs, err := e.SetRevisions(ctx)
	if err != nil || len(revs) != 1 || revs["units"] != rev {
		t.Fatalf("SetRevisions: %v, %v, want units at %d", revs, err, rev)
	}
	wantErr(t, "Delete of an older revision", e.Delete(ctx, "units", "u2", r1), ErrStale)
	wantErr(t, "Delete of an unknown document", e.Delete(ctx, "units", "u9", 1), ErrNotFound)
	if after, _ := e.SetRevisions(ctx); after["units"] != rev {
		t.Fatalf("refused changes moved the set's revision from %d to %d", rev, after["units"])
	}
	if err := e.Delete(ctx, "units", "u2", r2); err != nil {
		t.Fatal(err)
	}
	if after, _ := e.SetRevisions(ctx); after["units"] == rev {
		t.Fatal("Delete did not change the set's revision")
	}
	_, err = e.Get(ctx, "units", "u2")
	wantErr(t, "Get after Delete", err, ErrNotFound)
	r3, err := e.Put(ctx, "units", Document{ID: "u2", Body: body})
	if err != nil || r3 <= r2 {
		t.Fatalf("a document made again has revision %d, the deleted one had %d (%v)", r3, r2, err)
	}
	if _, err := e.Put(ctx, "desks", Document{ID: "u2", Body: body}); err != nil {
		t.Fatalf("Put of the same id in another set: %v", err)
	}
}

// testDocumentsAtOnce: documents are put in their order, up to the first that is stale.
func testDocumentsAtOnce(t *testing.T, e Engine) {
	ctx := t.Context()
	bodies := func() string {
		docs, rev, err := e.List(ctx, "units")
		if revs, other := e.SetRevisions(ctx); err != nil || other != nil || revs["units"] != rev {
			t.Fatalf("List: %v, SetRevisions: %v, %v, the set is at %d", err, revs, other, rev)
		}
		text := ""
		for _, d := range docs {
			text += d.ID + string(d.Body)
		}
		return text
	}
	last, err := e.Put(ctx, "units", Document{ID: "b", Body: []byte("1")}, Document{ID: "a", Body: []byte("2")})
	if err != nil || bodies() != "a2b1" {
		t.Fatalf("%s, %v", bodies(), err)
	}
	if d, err := e.Get(ctx, "units", "a"); err != nil || d.Revision != last {
		t.Fatalf("the last is at %d, not %d: %v", d.Revision, last, err)
	}
	_, err = e.Put(ctx, "units", Document{ID: "a", Revision: last, Body: []byte("3")}, Document{ID: "b", Body: []byte("4")}, Document{ID: "c", Body: []byte("5")})
	wantErr(t, "Put of which one is stale", err, ErrStale)
	if bodies() != "a3b1" {
		t.Fatal(bodies())
	}
	_, err = e.Put(ctx, "units", Document{ID: "b", Body: []byte("6")}, Document{ID: "c", Body: []byte("7")})
	wantErr(t, "Put of which the first is stale", err, ErrStale)
	if bodies() != "a3b1" {
		t.Fatal(bodies())
	}
}

// testDocumentRace: of writers that read the same revision exactly one wins, and no increment is lost.
func testDocumentRace(t *testing.T, e Engine) {
	ctx := t.Context()
	if _, err := e.Put(ctx, "set", Document{ID: "n", Body: []byte(`0`)}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for done := 0; done < 10; {
				d, err := e.Get(ctx, "set", "n")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(string(d.Body))
				d.Body = strconv.AppendInt(nil, int64(n+1), 10)
				switch _, err = e.Put(ctx, "set", d); {
				case err == nil:
					done++
				case !errors.Is(err, ErrStale):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if d, err := e.Get(ctx, "set", "n"); err != nil || string(d.Body) != "80" {
		t.Fatalf("after 80 increments: %s, %v", d.Body, err)
	}
}

func testOutcomes(t *testing.T, e Engine) {
	a, b := testEntry(1), testEntry(2)
	other := b
	other.Digest = []byte("another digest")
	other.Values = a.Values
	wantOutcomes(t, e, []Entry{a, b}, Stored, Stored)
	wantOutcomes(t, e, []Entry{other, a}, Conflict, Duplicate)
	wantFound(t, e, b)
	if err := e.Erase(t.Context(), testLog, a.ID); err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, e, []Entry{a, b}, Withdrawn, Duplicate)
	wantOutcomes(t, e, nil)
	wantCount(t, e, 1, 1)
	bare := Entry{ID: testEntry(3).ID}
	wantOutcomes(t, e, []Entry{bare}, Stored)
	wantOutcomes(t, e, []Entry{bare}, Duplicate)
	if got, err := e.Append(t.Context(), testLog, []Entry{{ID: testEntry(4).ID, Values: make([]string, 7)}}); err == nil || got[0] != Failed {
		t.Fatalf("an entry with too many values: %v, %v", got, err)
	}
	if got, err := e.Append(t.Context(), testLog, []Entry{{}}); err == nil || got[0] != Failed {
		t.Fatalf("an entry without id: %v, %v", got, err)
	}
}

func testOutcomesWithinCall(t *testing.T, e Engine) {
	a, b := testEntry(1), testEntry(2)
	other := a
	other.Digest = []byte("x")
	wantOutcomes(t, e, []Entry{a, a, other, b, a}, Stored, Duplicate, Conflict, Stored, Duplicate)
	wantFound(t, e, a)
	wantCount(t, e, 2, 0)
}

func testFind(t *testing.T, e Engine) {
	ctx := t.Context()
	_, err := e.Find(ctx, testLog, testEntry(1).ID)
	wantErr(t, "Find in an unknown log", err, ErrNotFound)
	_, err = e.FindReceipt(ctx, testLog, testEntry(1).Receipt)
	wantErr(t, "FindReceipt in an unknown log", err, ErrNotFound)
	entries := testEntries(0, 300)
	entries[0].Values = []string{"", "không phải số", "", "a=1;b", "NaN", "đủ\x00 thứ\nký tự"} // text that does not fit its kind comes back as it was
	entries[1].Values = make([]string, 6)
	entries[2].Receipt, entries[2].Digest = nil, nil
	mustAppend(t, e, entries...)
	for _, want := range entries {
		wantFound(t, e, want)
		if want.Receipt == nil {
			continue
		}
		if got, err := e.FindReceipt(ctx, testLog, want.Receipt); err != nil || !sameEntry(got, want) {
			t.Fatalf("FindReceipt: %v, %v, want %v", got, err, want)
		}
	}
	for _, receipt := range [][]byte{nil, {}, []byte("unknown"), entries[3].Receipt[:31]} {
		_, err = e.FindReceipt(ctx, testLog, receipt)
		wantErr(t, "FindReceipt of an unknown receipt", err, ErrNotFound)
	}
	short := testEntry(1000)
	short.Values = short.Values[:2]
	mustAppend(t, e, short)
	short.Values = append(short.Values[:2:2], "", "", "", "")
	wantFound(t, e, short)
}

func testErase(t *testing.T, e Engine) {
	ctx := t.Context()
	entries := testEntries(0, 20)
	mustAppend(t, e, entries...)
	wantErr(t, "Erase of an unknown id", e.Erase(ctx, testLog, testEntry(99).ID), ErrNotFound)
	byReceipt, err := e.FindReceipt(ctx, testLog, entries[7].Receipt)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []ID{entries[3].ID, byReceipt.ID, entries[3].ID} {
		if err := e.Erase(ctx, testLog, id); err != nil {
			t.Fatalf("Erase: %v", err)
		}
	}
	for _, gone := range []Entry{entries[3], entries[7]} {
		_, err := e.Find(ctx, testLog, gone.ID)
		wantErr(t, "Find of an erased id", err, ErrNotFound)
		_, err = e.FindReceipt(ctx, testLog, gone.Receipt)
		wantErr(t, "FindReceipt of an erased entry", err, ErrNotFound)
	}
	wantCount(t, e, 18, 2)
	want := []ID{entries[3].ID, entries[7].ID}
	slices.SortFunc(want, compareIDs)
	if got, err := e.Tombstones(ctx, testLog, ID{}, 0); err != nil || !slices.Equal(got, want) {
		t.Fatalf("Tombstones: %x, %v, want %x", got, err, want)
	}
	if got, err := e.Tombstones(ctx, testLog, want[0], 1); err != nil || !slices.Equal(got, want[1:]) {
		t.Fatalf("Tombstones after the first: %x, %v", got, err)
	}
	for _, s := range scanAll(t, e, 7) {
		if s.ID == entries[3].ID || s.ID == entries[7].ID {
			t.Fatal("Scan returned an erased entry")
		}
	}
}

func testBury(t *testing.T, e Engine) {
	ctx := t.Context()
	a, b := testEntry(1), testEntry(2)
	mustAppend(t, e, a)
	for range 2 {
		if err := e.Bury(ctx, testLog, []ID{a.ID, b.ID}); err != nil {
			t.Fatal(err)
		}
	}
	wantOutcomes(t, e, []Entry{a, b}, Withdrawn, Withdrawn)
	wantCount(t, e, 0, 2)
	if err := e.Erase(ctx, testLog, b.ID); err != nil {
		t.Fatalf("Erase of a buried id: %v", err)
	}
	if err := e.Bury(ctx, testLog, nil); err != nil {
		t.Fatal(err)
	}
}

func compareIDs(a, b ID) int { return bytes.Compare(a[:], b[:]) }

func scanAll(t testing.TB, e Engine, limit int) []Entry {
	t.Helper()
	return scanLog(t, e, testLog, limit)
}

func scanLog(t testing.TB, e Engine, log *Log, limit int) []Entry {
	t.Helper()
	var all []Entry
	after := ID{}
	for {
		page, err := e.Scan(t.Context(), log, after, limit)
		if err != nil {
			t.Fatalf("Scan: %v", err)
		}
		if len(page) == 0 {
			return all
		}
		if limit > 0 && len(page) > limit || len(page) > PageSize {
			t.Fatalf("a page of %d, limit %d", len(page), limit)
		}
		all = append(all, page...)
		if compareIDs(page[0].ID, after) <= 0 {
			t.Fatalf("Scan after %x returned %x", after, page[0].ID)
		}
		after = page[len(page)-1].ID
	}
}

func testScan(t *testing.T, e Engine) {
	entries := testEntries(0, PageSize+700)
	for chunk := range slices.Chunk(entries, 1900) {
		mustAppend(t, e, chunk...)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return compareIDs(a.ID, b.ID) })
	for _, limit := range []int{0, 999, PageSize + 1} {
		if got := scanAll(t, e, limit); !slices.EqualFunc(got, entries, sameEntry) {
			t.Fatalf("Scan with limit %d differs from what was appended: %d entries", limit, len(got))
		}
	}
}

func testLogsApart(t *testing.T, e Engine) {
	other := &Log{Name: "audit", Fields: testLog.Fields}
	a := testEntry(1)
	mustAppend(t, e, a)
	_, err := e.Find(t.Context(), other, a.ID)
	wantErr(t, "Find in another log", err, ErrNotFound)
	_, err = e.FindReceipt(t.Context(), other, a.Receipt)
	wantErr(t, "FindReceipt in another log", err, ErrNotFound)
	if got, err := e.Append(t.Context(), other, []Entry{a}); err != nil || got[0] != Stored {
		t.Fatalf("the same id in another log: %v, %v", got, err)
	}
	if err := e.Erase(t.Context(), other, a.ID); err != nil {
		t.Fatal(err)
	}
	wantFound(t, e, a)
}

func testFieldsAppended(t *testing.T, e Engine) {
	a := testEntry(1)
	mustAppend(t, e, a)
	longer := &Log{Name: testLog.Name, Fields: append(slices.Clone(testLog.Fields), Field{"language", Text})}
	want := a
	want.Values = append(slices.Clone(a.Values), "")
	if got, err := e.Find(t.Context(), longer, a.ID); err != nil || !sameEntry(got, want) {
		t.Fatalf("an entry from before a field existed: %v, %v", got, err)
	}
	want = testEntry(2)
	want.Values = append(want.Values, "vi")
	if got, err := e.Append(t.Context(), longer, []Entry{want}); err != nil || got[0] != Stored {
		t.Fatal(got, err)
	}
	if got, err := e.Find(t.Context(), longer, want.ID); err != nil || !sameEntry(got, want) {
		t.Fatalf("an entry with the new field: %v, %v", got, err)
	}
}

func testConcurrentDistinct(t *testing.T, e Engine) {
	const writers, each = 64, 20
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				want := testEntry(w*each + i)
				if got, err := e.Append(t.Context(), testLog, []Entry{want}); err != nil || got[0] != Stored {
					t.Errorf("Append: %v, %v", got, err)
				}
				if got, err := e.Find(t.Context(), testLog, want.ID); err != nil || !sameEntry(got, want) {
					t.Errorf("what was acknowledged is not found: %v, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
	wantCount(t, e, writers*each, 0)
}

func testConcurrentSame(t *testing.T, e Engine) {
	const writers, each = 64, 10
	counts := make([]map[Outcome]int, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			counts[w] = map[Outcome]int{}
			for i := range each {
				entry := testEntry(i)
				if w%2 == 1 {
					entry.Digest = []byte("odd")
				}
				got, err := e.Append(t.Context(), testLog, []Entry{entry})
				if err != nil {
					t.Error(err)
					return
				}
				counts[w][got[0]]++
			}
		})
	}
	wg.Wait()
	sum := map[Outcome]int{}
	for _, c := range counts {
		for o, n := range c {
			sum[o] += n
		}
	}
	if sum[Stored] != each || sum[Conflict] != each*writers/2 || sum[Duplicate] != each*(writers/2-1) {
		t.Fatalf("64 writers of the same ten ids, half with another digest: %v", sum)
	}
	wantCount(t, e, each, 0)
}

// watcher checks the promises of a Follower as its events come.
type watcher struct {
	t      testing.TB
	f      Follower
	log    *Log
	live   map[ID]Entry
	erased map[ID]bool
	pages  int
}

func watch(t testing.TB, e Engine) *watcher {
	t.Helper()
	return watchLog(t, e, testLog)
}

func watchLog(t testing.TB, e Engine, log *Log) *watcher {
	t.Helper()
	f, err := e.Follow(context.Background(), log)
	if err != nil {
		t.Fatal(err)
	}
	return &watcher{t: t, f: f, log: log, live: map[ID]Entry{}, erased: map[ID]bool{}}
}

// read takes everything there is.
func (w *watcher) read() {
	for {
		events, err := w.f.Next(context.Background())
		if err != nil {
			w.t.Errorf("Next: %v", err)
			return
		}
		if len(events) == 0 {
			return
		}
		if len(events) > PageSize {
			w.t.Errorf("a page of %d events", len(events))
		}
		w.pages++
		w.take(events)
	}
}

// take checks and keeps a page.
func (w *watcher) take(events []Event) {
	for _, ev := range events {
		if ev.Erased {
			if w.erased[ev.ID] {
				w.t.Errorf("%x erased twice", ev.ID)
			}
			if ev.Values != nil || ev.Digest != nil || ev.Receipt != nil {
				w.t.Errorf("an erasure carries content: %v", ev)
			}
			w.erased[ev.ID] = true
			delete(w.live, ev.ID)
			continue
		}
		if _, twice := w.live[ev.ID]; twice || w.erased[ev.ID] {
			w.t.Errorf("%x delivered twice, or after its erasure", ev.ID)
		}
		w.live[ev.ID] = ev.Entry
	}
}

// want compares with what is in the store.
func (w *watcher) want(e Engine) {
	w.t.Helper()
	all := scanLog(w.t, e, w.log, 0)
	if len(all) != len(w.live) {
		w.t.Errorf("follower has %d entries, the store %d", len(w.live), len(all))
	}
	for _, s := range all {
		if !sameEntry(w.live[s.ID], s) {
			w.t.Errorf("follower has %v, the store %v", w.live[s.ID], s)
			return
		}
	}
}

func testFollow(t *testing.T, e Engine) {
	early := watch(t, e)
	early.read()
	if early.pages != 0 {
		t.Fatal("an empty log delivered events")
	}
	entries := testEntries(0, 2*PageSize+10)
	mustAppend(t, e, entries...)
	if err := e.Erase(t.Context(), testLog, entries[5].ID); err != nil {
		t.Fatal(err)
	}
	late := watch(t, e)
	for _, w := range []*watcher{early, late} {
		w.read()
		w.want(e)
		if done, total := w.f.Progress(); done != total {
			t.Errorf("Progress after the load: %d of %d", done, total)
		}
	}
	if err := e.Erase(t.Context(), testLog, entries[6].ID); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, e, testEntry(-1))
	for _, w := range []*watcher{early, late} {
		w.read()
		w.want(e)
		if !w.erased[entries[6].ID] {
			t.Error("the erasure of a delivered entry did not come")
		}
		w.f.Close()
		if _, err := w.f.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("Next of a closed follower: %v", err)
		}
	}
}

func testFollowWhileWritten(t *testing.T, e Engine) {
	const writers, each = 8, 150
	mustAppend(t, e, testEntries(1_000_000, 3000)...)
	var writing, watching sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		watching.Go(func() {
			// Followers that start in the middle, again and again, and one that stays.
			for {
				w := watch(t, e)
				for {
					news := w.f.Changed()
					w.read()
					select {
					case <-stop:
						w.read()
						w.want(e)
						return
					default:
					}
					select {
					case <-news:
					case <-stop:
					}
					if i > 0 {
						break
					}
				}
				w.f.Close()
			}
		})
	}
	for n := range writers {
		writing.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(n), 1))
			for i := 0; i < each; {
				k := 1 + rnd.IntN(3)
				entries := testEntries(n*each+i, k)
				i += k
				if _, err := e.Append(t.Context(), testLog, entries); err != nil {
					t.Error(err)
				}
				if rnd.IntN(3) == 0 {
					if err := e.Erase(t.Context(), testLog, entries[0].ID); err != nil {
						t.Error(err)
					}
				}
				if rnd.IntN(3) == 0 {
					if err := e.Erase(t.Context(), testLog, testEntry(1_000_000+rnd.IntN(3000)).ID); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writing.Wait()
	close(stop)
	watching.Wait()
}

func testFollowWakes(t *testing.T, e Engine) {
	w := watch(t, e)
	news := w.f.Changed()
	w.read()
	select {
	case <-news:
		t.Fatal("news before anything was written")
	default:
	}
	got := make(chan int)
	go func() {
		<-news
		w.read()
		got <- len(w.live)
	}()
	mustAppend(t, e, testEntry(1))
	if n := <-got; n != 1 {
		t.Fatalf("woken follower has %d entries", n)
	}
	news = w.f.Changed()
	w.read()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	<-news // else the test never ends: Close wakes followers too
}

func testCancelled(t *testing.T, e Engine) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := testEntry(1)
	outcomes, err := e.Append(ctx, testLog, []Entry{a, a})
	if !errors.Is(err, context.Canceled) || !slices.Equal(outcomes, []Outcome{Failed, Failed}) {
		t.Fatalf("Append with a cancelled context: %v, %v", outcomes, err)
	}
	_, err = e.Find(ctx, testLog, a.ID)
	wantErr(t, "Find", err, context.Canceled)
	_, err = e.Put(ctx, "set", Document{ID: "a", Body: []byte("{}")})
	wantErr(t, "Put", err, context.Canceled)
	_, err = e.Follow(ctx, testLog)
	wantErr(t, "Follow", err, context.Canceled)
	wantErr(t, "Erase", e.Erase(ctx, testLog, a.ID), context.Canceled)

	// Contexts that end while their entries are under way: whatever is said to be stored is, and the engine lives on.
	var wg sync.WaitGroup
	for n := range 32 {
		wg.Go(func() {
			for i := range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*20)*time.Microsecond)
				entry := testEntry(n*20 + i)
				outcomes, err := e.Append(ctx, testLog, []Entry{entry})
				cancel()
				if (err == nil) != (outcomes[0] == Stored) {
					t.Errorf("Append: %v, %v", outcomes, err)
				}
				if again, err := e.Append(t.Context(), testLog, []Entry{entry}); err != nil ||
					again[0] != Duplicate && (again[0] != Stored || outcomes[0] == Stored) {
					t.Errorf("resent after %v: %v, %v", outcomes, again, err)
				}
			}
		})
	}
	wg.Wait()
	wantCount(t, e, 640, 0)
}

func testClosed(t *testing.T, e Engine) {
	ctx := t.Context()
	a := testEntry(1)
	mustAppend(t, e, a)
	w := watch(t, e)
	if err := e.Ping(ctx); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	outcomes, err := e.Append(ctx, testLog, []Entry{testEntry(2)})
	if !errors.Is(err, ErrClosed) || !slices.Equal(outcomes, []Outcome{Failed}) {
		t.Fatalf("Append: %v, %v", outcomes, err)
	}
	for what, call := range map[string]func() error{
		"Get":          func() error { _, err := e.Get(ctx, "s", "d"); return err },
		"Put":          func() error { _, err := e.Put(ctx, "s", Document{ID: "d"}); return err },
		"Delete":       func() error { return e.Delete(ctx, "s", "d", 1) },
		"List":         func() error { _, _, err := e.List(ctx, "s"); return err },
		"SetRevisions": func() error { _, err := e.SetRevisions(ctx); return err },
		"Find":         func() error { _, err := e.Find(ctx, testLog, a.ID); return err },
		"FindReceipt":  func() error { _, err := e.FindReceipt(ctx, testLog, a.Receipt); return err },
		"Erase":        func() error { return e.Erase(ctx, testLog, a.ID) },
		"Bury":         func() error { return e.Bury(ctx, testLog, []ID{a.ID}) },
		"Follow":       func() error { _, err := e.Follow(ctx, testLog); return err },
		"Next":         func() error { _, err := w.f.Next(ctx); return err },
		"Scan":         func() error { _, err := e.Scan(ctx, testLog, ID{}, 0); return err },
		"Tombstones":   func() error { _, err := e.Tombstones(ctx, testLog, ID{}, 0); return err },
		"Count":        func() error { _, _, err := e.Count(ctx, testLog); return err },
		"Ping":         func() error { return e.Ping(ctx) },
	} {
		wantErr(t, what, call(), ErrClosed)
	}
	select {
	case <-w.f.Changed():
	default:
		t.Error("Changed of a closed engine blocks")
	}
}

// modelRuns is how many random runs of the model an engine can afford: on MongoDB each makes a collection on three nodes.
func modelRuns(e Engine) int {
	if _, slow := e.(*Mongo); slow {
		return 30
	}
	return 1000
}

// testModel compares an engine with the plainest model of a log under random operations.
func testModel(t *testing.T, open func(t *testing.T) Engine) {
	e := open(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs > modelRuns(e) {
			return
		}
		log := &Log{Name: "run" + strconv.Itoa(runs), Fields: testLog.Fields}
		live, gone := map[ID]Entry{}, map[ID]bool{}
		followers := []*watcher{watchLog(t, e, log)}
		ctx := t.Context()
		pick := func() Entry {
			entry := testEntry(rapid.IntRange(1, 12).Draw(rt, "entry"))
			if rapid.IntRange(0, 3).Draw(rt, "other") == 0 {
				entry.Digest = []byte("other")
			}
			return entry
		}
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) {
				entries := make([]Entry, rapid.IntRange(1, 5).Draw(rt, "n"))
				want := make([]Outcome, len(entries))
				for i := range entries {
					entries[i] = pick()
					old, stored := live[entries[i].ID]
					switch {
					case gone[entries[i].ID]:
						want[i] = Withdrawn
					case !stored:
						want[i] = Stored
						live[entries[i].ID] = entries[i]
					case bytes.Equal(old.Digest, entries[i].Digest):
						want[i] = Duplicate
					default:
						want[i] = Conflict
					}
				}
				if got, err := e.Append(ctx, log, entries); err != nil || !slices.Equal(got, want) {
					rt.Fatalf("Append: %v, %v, want %v", got, err, want)
				}
			},
			"erase": func(rt *rapid.T) {
				id := pick().ID
				var want error
				if _, ok := live[id]; ok {
					delete(live, id)
					gone[id] = true
				} else if !gone[id] {
					want = ErrNotFound
				}
				if err := e.Erase(ctx, log, id); !errors.Is(err, want) {
					rt.Fatalf("Erase: %v, want %v", err, want)
				}
			},
			"bury": func(rt *rapid.T) {
				id := pick().ID
				delete(live, id)
				gone[id] = true
				if err := e.Bury(ctx, log, []ID{id, id}); err != nil {
					rt.Fatal(err)
				}
			},
			"follow": func(*rapid.T) { followers = append(followers, watchLog(t, e, log)) },
			"read":   func(*rapid.T) { followers[len(followers)-1].read() },
			"settle": func(rt *rapid.T) {
				// An engine that moves entries later may be told to do it now.
				if s, ok := e.(interface{ flush(context.Context) error }); ok {
					if err := s.flush(ctx); err != nil {
						rt.Fatal(err)
					}
				}
			},
			"": func(rt *rapid.T) {
				var want []Entry
				for _, entry := range live {
					want = append(want, entry)
				}
				slices.SortFunc(want, func(a, b Entry) int { return compareIDs(a.ID, b.ID) })
				if got := scanLog(t, e, log, 3); !slices.EqualFunc(got, want, sameEntry) {
					rt.Fatalf("Scan: %d entries, want %d, or their content", len(got), len(want))
				}
				for _, entry := range want {
					if got, err := e.FindReceipt(ctx, log, entry.Receipt); err != nil || !sameEntry(got, entry) {
						rt.Fatalf("FindReceipt: %v, %v", got, err)
					}
				}
				stones, err := e.Tombstones(ctx, log, ID{}, 0)
				if err != nil || len(stones) != len(gone) || !slices.IsSortedFunc(stones, compareIDs) {
					rt.Fatalf("Tombstones: %x, %v, want %d", stones, err, len(gone))
				}
				if l, x, err := e.Count(ctx, log); err != nil || int(l) != len(live) || int(x) != len(gone) {
					rt.Fatalf("Count: %d, %d, %v, want %d, %d", l, x, err, len(live), len(gone))
				}
			},
		})
		for i, w := range followers {
			w.read()
			w.want(e)
			for id := range w.live {
				if gone[id] {
					rt.Fatalf("follower %d still has erased %x", i, id)
				}
			}
		}
		if t.Failed() {
			rt.Fatal("see above")
		}
		for _, w := range followers {
			w.f.Close()
		}
	})
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

// patience is how long wait goes on before it takes something for broken. A set of
// three databases that elects on a machine where everything else is tested too may
// take a minute.
const patience = 5 * time.Minute

// wait polls until cond holds; it is for conditions that nothing announces.
func wait(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !cond() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for: %s", patience, what)
		}
		time.Sleep(time.Millisecond)
	}
}
