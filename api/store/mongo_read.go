package store

import (
	"bytes"
	"context"
	"errors"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// notErased and areErased select live entries and tombstones.
var (
	notErased = bson.E{Key: keyErased, Value: bson.D{{Key: "$exists", Value: false}}}
	areErased = bson.E{Key: keyErased, Value: true}
)

// ensure makes the collection and its indexes once. A collection that is made by its first insert would keep the order
// in which entries came.
func (l *mongoLog) ensure(ctx context.Context) error {
	l.ensuring.Lock()
	defer l.ensuring.Unlock()
	if l.ensured {
		return nil
	}
	clustered, err := l.create(ctx)
	if err != nil {
		return err
	}
	if !clustered {
		l.m.logger.Warn("a collection keeps the order in which entries came: it is not clustered on _id, which needs MongoDB 5.3 or newer and to be made by this program",
			"address", l.m.address, "collection", l.name)
	}
	_, err = l.coll.Indexes().CreateMany(ctx, []mongo.IndexModel{
		{Keys: bson.D{{Key: keyReceipt, Value: 1}}, Options: options.Index().SetSparse(true)},
		{Keys: bson.D{{Key: keyWriter, Value: 1}, {Key: keyBatch, Value: -1}}, Options: options.Index().SetSparse(true)},
		{Keys: bson.D{{Key: keyErased, Value: 1}, {Key: keyID, Value: 1}}, Options: options.Index().SetPartialFilterExpression(bson.D{areErased})},
	})
	l.ensured = err == nil
	return err
}

// create makes the collection unless it is there, and reports whether it is clustered.
func (l *mongoLog) create(ctx context.Context) (clustered bool, err error) {
	clustering := bson.D{{Key: "key", Value: bson.D{{Key: keyID, Value: 1}}}, {Key: "unique", Value: true}}
	err = l.m.db.CreateCollection(ctx, l.name, options.CreateCollection().SetClusteredIndex(clustering))
	var said mongo.ServerError
	switch {
	case err == nil:
		return true, nil
	case hasCode(err, mongoNamespaceExists):
		specs, err := l.m.db.ListCollectionSpecifications(ctx, bson.D{{Key: "name", Value: l.name}})
		if err != nil || len(specs) == 0 {
			return false, err
		}
		_, err = specs[0].Options.LookupErr("clusteredIndex")
		return err == nil, nil
	case !errors.As(err, &said) || transient(err) || refused(err):
		return false, err
	}
	// A service that does not know clustered collections.
	err = l.m.db.CreateCollection(ctx, l.name)
	if hasCode(err, mongoNamespaceExists) {
		err = nil
	}
	return false, err
}

// read returns every document that a query finds, decoded.
func (l *mongoLog) read(ctx context.Context, log *Log, filter bson.D, opts *options.FindOptionsBuilder) ([]mongoEntry, error) {
	cursor, err := l.coll.Find(ctx, filter, opts)
	if err != nil {
		return nil, err
	}
	var list []mongoEntry
	decoder := newMongoDecoder(log)
	for cursor.Next(ctx) {
		e, err := decoder.entry(cursor.Current)
		if err != nil {
			return nil, errors.Join(err, cursor.Close(ctx))
		}
		list = append(list, e)
	}
	return list, errors.Join(cursor.Err(), cursor.Close(ctx))
}

// find is read for the methods of Engine: it tries again, and translates errors.
func (m *Mongo) find(ctx context.Context, log *Log, filter bson.D, opts *options.FindOptionsBuilder) (list []mongoEntry, err error) {
	l, err := m.log(log)
	if err != nil {
		return nil, err
	}
	err = m.do(ctx, m.timing.attempt, func(ctx context.Context) error {
		list, err = l.read(ctx, log, filter, opts)
		return err
	})
	return list, err
}

// Find implements Engine.
func (m *Mongo) Find(ctx context.Context, log *Log, id ID) (Entry, error) {
	list, err := m.find(ctx, log, bson.D{{Key: keyID, Value: mongoID(id)}, notErased}, options.Find().SetLimit(1))
	if err == nil && len(list) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Entry{}, err
	}
	return list[0].Entry, nil
}

// FindReceipt implements Engine.
func (m *Mongo) FindReceipt(ctx context.Context, log *Log, receipt []byte) (Entry, error) {
	if len(receipt) == 0 {
		if err := m.check(ctx); err != nil {
			return Entry{}, err
		}
		return Entry{}, ErrNotFound
	}
	list, err := m.find(ctx, log, bson.D{{Key: keyReceipt, Value: bson.Binary{Data: receipt}}}, options.Find().SetLimit(1))
	if err == nil && (len(list) == 0 || !bytes.Equal(list[0].Receipt, receipt)) {
		err = ErrNotFound
	}
	if err != nil {
		return Entry{}, err
	}
	return list[0].Entry, nil
}

// pageQuery selects a page in the order of ids.
func pageQuery(after ID, limit int, state bson.E) (bson.D, *options.FindOptionsBuilder) {
	if limit <= 0 || limit > PageSize {
		limit = PageSize
	}
	return bson.D{{Key: keyID, Value: bson.D{{Key: "$gt", Value: mongoID(after)}}}, state},
		options.Find().SetSort(bson.D{{Key: keyID, Value: 1}}).SetLimit(int64(limit)).SetBatchSize(int32(limit))
}

// Scan implements Engine.
func (m *Mongo) Scan(ctx context.Context, log *Log, after ID, limit int) ([]Entry, error) {
	filter, opts := pageQuery(after, limit, notErased)
	list, err := m.find(ctx, log, filter, opts)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(list))
	for i := range list {
		entries[i] = list[i].Entry
	}
	return entries, nil
}

// Tombstones implements Engine.
func (m *Mongo) Tombstones(ctx context.Context, log *Log, after ID, limit int) ([]ID, error) {
	filter, opts := pageQuery(after, limit, areErased)
	list, err := m.find(ctx, log, filter, opts)
	if err != nil {
		return nil, err
	}
	ids := make([]ID, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids, nil
}

// Count implements Engine. It is exact, and reads the whole collection for it.
func (m *Mongo) Count(ctx context.Context, log *Log) (live, erased int64, err error) {
	l, err := m.log(log)
	if err != nil {
		return 0, 0, err
	}
	err = m.do(ctx, m.timing.count, func(ctx context.Context) error {
		all, err := l.coll.CountDocuments(ctx, bson.D{})
		if err != nil {
			return err
		}
		erased, err = l.coll.CountDocuments(ctx, bson.D{areErased})
		live = all - erased
		return err
	})
	return live, erased, err
}
