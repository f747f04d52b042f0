package store

import (
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"sipas/api/store/mongotest"
)

// A change that took its number before another one, and lands after it, is written again under a new number: whoever
// polls for the greatest number of a set would miss it else.
func TestMongoOvertakenChange(t *testing.T) {
	m := openTestMongo(t)
	ctx := t.Context()
	rev, err := m.Put(ctx, "tokens", Document{ID: "a", Body: []byte(`{"v":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	slow, err := m.nextRevision(ctx, m.db.Collection("tokens"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := m.Put(ctx, "tokens", Document{ID: "b", Body: []byte(`{"v":2}`)})
	if err != nil {
		t.Fatal(err)
	}
	if slow >= other {
		t.Fatalf("numbers %d and %d are not in order", slow, other)
	}
	for name, c := range map[string]*mongoChange{
		"put":    {id: "a", read: rev, body: []byte(`{"v":3}`), mine: []int64{slow}},
		"delete": {id: "b", read: other, mine: []int64{slow - 1}},
	} {
		before, err := m.SetRevisions(ctx)
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.change(ctx, "tokens", c)
		if err != nil {
			t.Fatal(name, err)
		}
		if after, err := m.SetRevisions(ctx); err != nil || after["tokens"] == before["tokens"] || after["tokens"] != got {
			t.Errorf("%s under %v: set revision %v, before %v, %v", name, c.mine, after, before, err)
		}
	}
	docs, _, err := m.List(ctx, "tokens")
	if err != nil || len(docs) != 1 || docs[0].ID != "a" || string(docs[0].Body) != `{"v":3}` {
		t.Fatalf("%v, %v", docs, err)
	}
}

// A second try of a change whose first landed, though nobody was told, is the same change.
func TestMongoRepeatedChange(t *testing.T) {
	m := openTestMongo(t)
	ctx := t.Context()
	for _, c := range []*mongoChange{
		{id: "a", body: []byte(`{}`)},
		{id: "a", read: 1, body: []byte(`[]`)},
		{id: "a", read: 2},
		{id: "a", body: []byte(`"again"`)},
	} {
		first, err := m.change(ctx, "set", c)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := m.change(ctx, "set", c); err != nil || second != first {
			t.Errorf("the same change again: %d, %v, the first time %d", second, err, first)
		}
	}
}

// A change that somebody else's has replaced, after a first try whose outcome nobody was told, is not called stale:
// whoever made it would make it twice.
func TestMongoUnknownChange(t *testing.T) {
	m := openTestMongo(t)
	ctx := t.Context()
	rev, err := m.Put(ctx, "set", Document{ID: "n", Body: []byte(`0`)})
	if err != nil {
		t.Fatal(err)
	}
	lost := &mongoChange{id: "n", read: rev, body: []byte(`1`)}
	landed, err := m.change(ctx, "set", lost)
	if err == nil {
		_, err = m.Put(ctx, "set", Document{ID: "n", Revision: landed, Body: []byte(`2`)})
	}
	if err != nil {
		t.Fatal(err)
	}
	lost.tried = true
	if _, err := m.change(ctx, "set", lost); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrStale) {
		t.Errorf("%v, want %v", err, ErrUnavailable)
	}
	lost.tried = false
	if _, err := m.change(ctx, "set", lost); !errors.Is(err, ErrStale) {
		t.Errorf("%v, want %v", err, ErrStale)
	}
}

// TestMongoPolls: whatever servers change at the same time, one that polls has all of it in the end, and never goes
// back.
func TestMongoPolls(t *testing.T) {
	uri := mongotest.URI(t)
	engines := []*Mongo{openMongoAt(t, uri), openMongoAt(t, uri)}
	poller := openMongoAt(t, uri)
	const writers, each = 4, 15
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			m := engines[w%2]
			for i := range each {
				id := fmt.Sprintf("%d-%d", w, i%3)
				d, err := m.Get(t.Context(), "set", id)
				if err != nil {
					d = Document{ID: id}
				}
				d.Body = strconv.AppendInt(nil, int64(i), 10)
				rev, err := m.Put(t.Context(), "set", d)
				if err == nil && i%5 == 4 {
					err = m.Delete(t.Context(), "set", id, rev)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	var seen int64
	var docs []Document
	poll := func() {
		revs, err := poller.SetRevisions(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if revs["set"] < seen {
			t.Fatalf("the set's revision went from %d to %d", seen, revs["set"])
		}
		if revs["set"] != seen {
			if docs, seen, err = poller.List(t.Context(), "set"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for ending := false; ; {
		poll()
		if ending {
			break
		}
		select {
		case <-done:
			ending = true
		default:
		}
	}
	want, _, err := engines[0].List(t.Context(), "set")
	if err != nil || fmt.Sprint(want) != fmt.Sprint(docs) {
		t.Errorf("the poller has\n%v, the store\n%v, %v", docs, want, err)
	}
}

// Documents are stored as objects that a person can read, or as text where that would lose something.
func TestMongoDocumentForm(t *testing.T) {
	uri := mongotest.URI(t)
	m := openMongoAt(t, uri)
	for id, body := range map[string]string{"plain": `{"name":{"vi":"Sở Nội vụ"},"n":3}`, "odd": `{"$set":1}`} {
		if _, err := m.Put(t.Context(), "units", Document{ID: id, Body: []byte(body)}); err != nil {
			t.Fatal(err)
		}
		if d, err := m.Get(t.Context(), "units", id); err != nil || string(d.Body) != body {
			t.Errorf("%s comes back as %s, %v", body, d.Body, err)
		}
	}
	raw := mongotest.Database(t, uri).Collection("units")
	if n, err := raw.CountDocuments(t.Context(), bson.D{{Key: "body.name.vi", Value: "Sở Nội vụ"}, {Key: "body.n", Value: 3}}); err != nil || n != 1 {
		t.Errorf("%d documents found by what is in them, %v", n, err)
	}
	if n, err := raw.CountDocuments(t.Context(), bson.D{{Key: keyJSON, Value: `{"$set":1}`}}); err != nil || n != 1 {
		t.Errorf("%d documents found as text, %v", n, err)
	}
}

// Deleted documents leave no growing heap of marks.
func TestMongoMarks(t *testing.T) {
	m := openTestMongo(t)
	coll := m.db.Collection("signouts")
	var marks []any
	for n := range 20 {
		marks = append(marks, (&mongoChange{id: strconv.Itoa(n)}).replacement(int64(n+1)))
	}
	if _, err := coll.InsertMany(t.Context(), marks); err != nil {
		t.Fatal(err)
	}
	if _, err := m.meta.InsertOne(t.Context(), bson.D{{Key: keyID, Value: setCounter + "signouts"}, {Key: keyRevision, Value: int64(keptMarks + 10)}}); err != nil {
		t.Fatal(err)
	}
	rev, err := m.Put(t.Context(), "signouts", Document{ID: "x", Body: []byte(`{}`)})
	if err == nil {
		err = m.Delete(t.Context(), "signouts", "x", rev)
	}
	if err != nil {
		t.Fatal(err)
	}
	n, err := coll.CountDocuments(t.Context(), bson.D{})
	if err != nil || n >= 20 || n < 9 {
		t.Errorf("%d marks are left, %v", n, err)
	}
}
