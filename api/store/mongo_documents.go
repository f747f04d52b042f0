package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// A document of a set is
//
//	_id       string
//	revision  grows with every change of the set
//	body      what staff edit, as an object; or
//	json      the same as text, where BSON cannot hold it as it is (mongo_json.go)
//	deleted   true in the mark that a deleted document leaves, which has nothing else but its id and revision
//
// The revision of a set is the greatest in it, so that it changes in the same write as the document. Numbers are given
// out by a counter in meta, and a change that lands after one with a greater number is written again under a new one
// (settle): whoever polls for the greatest misses no change.
const (
	keyRevision = "revision"
	keyBody     = "body"
	keyJSON     = "json"
	keyDeleted  = "deleted"
)

// keptMarks is how many numbers back marks of deleted documents are kept: longer than any change takes to settle.
const keptMarks = 1000

var notDeleted = bson.E{Key: keyDeleted, Value: bson.D{{Key: "$exists", Value: false}}}

// mongoDocument is a stored document or mark.
type mongoDocument struct {
	ID       string        `bson:"_id"`
	Revision int64         `bson:"revision"`
	Body     bson.RawValue `bson:"body"`
	JSON     string        `bson:"json"`
	Deleted  bool          `bson:"deleted"`
}

func (d *mongoDocument) document(set string) (Document, error) {
	out := Document{ID: d.ID, Revision: d.Revision, Body: []byte(d.JSON)}
	if d.JSON != "" {
		return out, nil
	}
	var err error
	if out.Body, err = bsonToJSON(d.Body); err != nil {
		err = fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, set, d.ID, err)
	}
	return out, err
}

// newMongoDocument encodes a document with a revision.
func newMongoDocument(id string, revision int64, body []byte) bson.D {
	d := bson.D{{Key: keyID, Value: id}, {Key: keyRevision, Value: revision}}
	if value, ok := jsonToBSON(body); ok {
		return append(d, bson.E{Key: keyBody, Value: value})
	}
	return append(d, bson.E{Key: keyJSON, Value: string(body)})
}

func (m *Mongo) set(name string) (*mongo.Collection, error) {
	if name == "" || len(name) > 100 || name == mongoMeta {
		return nil, fmt.Errorf("store: bad name of a set: %q", name)
	}
	return m.db.Collection(name), nil
}

// Get implements Engine.
func (m *Mongo) Get(ctx context.Context, set, id string) (Document, error) {
	if err := m.check(ctx); err != nil {
		return Document{}, err
	}
	coll, err := m.set(set)
	if err != nil {
		return Document{}, err
	}
	var stored *mongoDocument
	err = m.do(ctx, m.timing.attempt, func(ctx context.Context) error {
		stored, err = getDocument(ctx, coll, id)
		return err
	})
	if err != nil {
		return Document{}, err
	}
	if stored == nil || stored.Deleted {
		return Document{}, ErrNotFound
	}
	return stored.document(set)
}

// getDocument returns nil where there is nothing, not even a mark.
func getDocument(ctx context.Context, coll *mongo.Collection, id string) (*mongoDocument, error) {
	var d mongoDocument
	err := coll.FindOne(ctx, bson.D{{Key: keyID, Value: id}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	return &d, err
}

// List implements Engine.
func (m *Mongo) List(ctx context.Context, set string) (docs []Document, setRevision int64, err error) {
	if err := m.check(ctx); err != nil {
		return nil, 0, err
	}
	coll, err := m.set(set)
	if err != nil {
		return nil, 0, err
	}
	err = m.do(ctx, m.timing.attempt, func(ctx context.Context) error {
		docs = nil
		// The revision first: a change that comes between the two reads is seen at the next poll.
		if setRevision, err = newestRevision(ctx, coll); err != nil {
			return err
		}
		cursor, err := coll.Find(ctx, bson.D{notDeleted}, options.Find().SetSort(bson.D{{Key: keyID, Value: 1}}))
		if err != nil {
			return err
		}
		var stored []mongoDocument
		if err := cursor.All(ctx, &stored); err != nil {
			return err
		}
		for i := range stored {
			d, err := stored[i].document(set)
			if err != nil {
				return err
			}
			docs = append(docs, d)
		}
		return nil
	})
	return docs, setRevision, err
}

// newestRevision returns the greatest revision in a set, 0 in an empty one.
func newestRevision(ctx context.Context, coll *mongo.Collection) (int64, error) {
	var d mongoDocument
	err := coll.FindOne(ctx, bson.D{{Key: keyRevision, Value: bson.D{{Key: "$gt", Value: int64(0)}}}}, options.FindOne().SetSort(bson.D{{Key: keyRevision, Value: -1}}).
		SetProjection(bson.D{{Key: keyID, Value: 0}, {Key: keyRevision, Value: 1}})).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return 0, nil
	}
	return d.Revision, err
}

const setCounter = "set:"

// SetRevisions implements Engine.
func (m *Mongo) SetRevisions(ctx context.Context) (map[string]int64, error) {
	if err := m.check(ctx); err != nil {
		return nil, err
	}
	var revisions map[string]int64
	err := m.do(ctx, m.timing.attempt, func(ctx context.Context) error {
		revisions = map[string]int64{}
		cursor, err := m.meta.Find(ctx, bson.D{{Key: keyID, Value: bson.D{{Key: "$gte", Value: setCounter}, {Key: "$lt", Value: "set;"}}}})
		if err != nil {
			return err
		}
		var counters []mongoDocument
		if err := cursor.All(ctx, &counters); err != nil {
			return err
		}
		for _, c := range counters {
			name := strings.TrimPrefix(c.ID, setCounter)
			revision, err := newestRevision(ctx, m.db.Collection(name))
			if err != nil {
				return err
			}
			if revision > 0 {
				revisions[name] = revision
			}
		}
		return nil
	})
	return revisions, err
}

// nextRevision gives out the next number of a set, and makes the set's index before its first.
func (m *Mongo) nextRevision(ctx context.Context, coll *mongo.Collection) (int64, error) {
	m.mu.Lock()
	indexed := m.sets[coll.Name()]
	m.mu.Unlock()
	if !indexed {
		if _, err := coll.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: bson.D{{Key: keyRevision, Value: -1}}}); err != nil {
			return 0, err
		}
		m.mu.Lock()
		m.sets[coll.Name()] = true
		m.mu.Unlock()
	}
	var counter mongoDocument
	for {
		err := m.meta.FindOneAndUpdate(ctx, bson.D{{Key: keyID, Value: setCounter + coll.Name()}}, bson.D{{Key: "$inc", Value: bson.D{{Key: keyRevision, Value: int64(1)}}}},
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&counter)
		if !mongo.IsDuplicateKeyError(err) { // else another server made the counter at the same time
			return counter.Revision, err
		}
	}
}

// mongoChange is a write of one document: it replaces what has the revision that was read, or is new.
type mongoChange struct {
	coll  *mongo.Collection
	id    string
	read  int64   // revision that was read; 0: there was none
	body  []byte  // nil: delete
	tried bool    // a write was sent whose outcome is not known
	mine  []int64 // the numbers under which the change was tried, the last one last
}

func (c *mongoChange) replacement(revision int64) bson.D {
	if c.body == nil {
		return bson.D{{Key: keyID, Value: c.id}, {Key: keyRevision, Value: revision}, {Key: keyDeleted, Value: true}}
	}
	return newMongoDocument(c.id, revision, c.body)
}

// Put implements Engine.
func (m *Mongo) Put(ctx context.Context, set string, docs ...Document) (revision int64, err error) {
	for _, d := range docs {
		if d.Body == nil {
			d.Body = []byte("null")
		}
		if revision, err = m.change(ctx, set, &mongoChange{id: d.ID, read: d.Revision, body: d.Body}); err != nil {
			return 0, err
		}
	}
	return revision, nil
}

// Delete implements Engine.
func (m *Mongo) Delete(ctx context.Context, set, id string, revision int64) error {
	_, err := m.change(ctx, set, &mongoChange{id: id, read: revision})
	return err
}

func (m *Mongo) change(ctx context.Context, set string, c *mongoChange) (revision int64, err error) {
	if err := m.check(ctx); err != nil {
		return 0, err
	}
	if c.coll, err = m.set(set); err != nil {
		return 0, err
	}
	err = m.do(ctx, m.timing.attempt, func(ctx context.Context) error {
		if len(c.mine) == 0 {
			first, err := m.nextRevision(ctx, c.coll)
			if err != nil {
				return err
			}
			c.mine = append(c.mine, first)
		}
		if err := c.write(ctx); err != nil {
			return err
		}
		revision, err = m.settle(ctx, c)
		return err
	})
	return revision, err
}

// write makes the change under its number. A second try recognises what the first one did.
func (c *mongoChange) write(ctx context.Context) error {
	mine := c.mine[len(c.mine)-1]
	filter := bson.D{{Key: keyID, Value: c.id}, {Key: keyRevision, Value: c.read}, notDeleted}
	if c.read == 0 {
		filter = bson.D{{Key: keyID, Value: c.id}, {Key: keyDeleted, Value: true}, {Key: keyRevision, Value: bson.D{{Key: "$nin", Value: c.mine}}}}
	}
	if c.read == 0 && c.body == nil {
		filter = bson.D{{Key: keyID, Value: c.id}, {Key: keyRevision, Value: int64(-1)}} // there is no such revision to delete
	}
	res, err := c.coll.ReplaceOne(ctx, filter, c.replacement(mine))
	if err == nil && res.MatchedCount == 0 && c.read == 0 && c.body != nil {
		_, err = c.coll.InsertOne(ctx, c.replacement(mine))
		if err == nil {
			return nil
		}
		if mongo.IsDuplicateKeyError(err) {
			err = nil
		}
	}
	if err != nil || res.MatchedCount > 0 {
		c.tried = c.tried || err != nil
		return err
	}
	stored, err := getDocument(ctx, c.coll, c.id)
	switch {
	case err != nil:
		return err
	case stored != nil && slices.Contains(c.mine, stored.Revision):
		c.mine = append(c.mine, stored.Revision) // an earlier try landed
		return nil
	case c.tried:
		// An earlier try may have landed, and have been changed by somebody since: not stale, but unknown.
		return fmt.Errorf("%w: it is not known whether the change of %s was made before somebody else's", ErrUnavailable, c.id)
	case c.body == nil && (stored == nil || stored.Deleted):
		return ErrNotFound
	}
	return ErrStale
}

// settle sees to it that the change has the greatest number of its set, writing it again if another one overtook it, and
// returns its number.
func (m *Mongo) settle(ctx context.Context, c *mongoChange) (int64, error) {
	for {
		revision := c.mine[len(c.mine)-1]
		newest, err := newestRevision(ctx, c.coll)
		if err != nil {
			return 0, err
		}
		if newest <= revision {
			if c.body == nil {
				_, err = c.coll.DeleteMany(ctx, bson.D{{Key: keyRevision, Value: bson.D{{Key: "$lt", Value: newest - keptMarks}}}, {Key: keyDeleted, Value: true}})
			}
			return revision, err
		}
		next, err := m.nextRevision(ctx, c.coll)
		if err != nil {
			return 0, err
		}
		c.mine = append(c.mine, next)
		res, err := c.coll.ReplaceOne(ctx, bson.D{{Key: keyID, Value: c.id}, {Key: keyRevision, Value: revision}}, c.replacement(next))
		if err != nil {
			return 0, err
		}
		if res.MatchedCount == 0 {
			return revision, nil // changed again by somebody else, whose change settles by itself
		}
	}
}
