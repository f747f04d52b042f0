package store

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// mongoRounds are two counters of a log: how many times a server has looked which entries have positions, and the newest
// look whose entries were, or are being, freed of them.
type mongoRounds struct {
	Seen    int64 `bson:"seen"`
	Cleaned int64 `bson:"cleaned"`
}

// rounds reads the counters; they are 0 at first.
func (l *mongoLog) rounds(ctx context.Context) (mongoRounds, error) {
	var r mongoRounds
	err := l.m.meta.FindOne(ctx, l.roundsID()).Decode(&r)
	if errors.Is(err, mongo.ErrNoDocuments) {
		err = nil
	}
	return r, err
}

func (l *mongoLog) roundsID() bson.D { return bson.D{{Key: keyID, Value: "log:" + l.name}} }

// mongoLook is what was seen of the positions at one time.
type mongoLook struct {
	at     time.Time
	round  int64
	heads  []mongoHead
	newest map[int64][]ID // the ids of each writer's newest batch: more of it may come
}

// startCleaner has positions removed when the hour is over. Every server does it, for what it saw itself: one that is
// started again begins anew, and what others have cleaned costs nothing.
func (l *mongoLog) startCleaner() {
	l.cleaning.Do(func() { l.m.spawn(l.clean) })
}

func (l *mongoLog) clean() {
	tick := time.NewTicker(l.m.timing.cleanEvery)
	defer tick.Stop()
	var looks []*mongoLook
	for {
		select {
		case <-l.m.stop:
			return
		case <-tick.C:
		}
		for len(looks) > 0 && time.Since(looks[0].at) >= l.m.timing.cleanAfter {
			if err := l.strip(l.m.closing, looks[0]); err != nil {
				l.m.logger.Warn("positions of answers could not be removed; it is tried again", "log", l.name, "error", err)
				break
			}
			looks = looks[1:]
		}
		look, err := l.look(l.m.closing)
		if err != nil {
			l.m.logger.Warn("positions of answers could not be looked through", "log", l.name, "error", err)
			continue
		}
		if len(look.heads) > 0 {
			looks = append(looks, look)
		}
	}
}

// look notes which entries have positions, then raises the counter.
func (l *mongoLog) look(ctx context.Context) (*mongoLook, error) {
	look := &mongoLook{}
	err := l.m.do(ctx, l.m.timing.attempt, func(ctx context.Context) error {
		heads, err := l.heads(ctx)
		if err != nil {
			return err
		}
		look.heads, look.newest = heads, map[int64][]ID{}
		for _, h := range heads {
			list, err := l.read(ctx, &Log{Name: l.name}, bson.D{{Key: keyWriter, Value: h.writer}, {Key: keyBatch, Value: h.batch}},
				options.Find().SetProjection(bson.D{{Key: keyID, Value: 1}}))
			if err != nil {
				return err
			}
			for i := range list {
				look.newest[h.writer] = append(look.newest[h.writer], list[i].ID)
			}
		}
		if len(heads) == 0 {
			return nil
		}
		var r mongoRounds
		err = l.m.meta.FindOneAndUpdate(ctx, l.roundsID(), bson.D{{Key: "$inc", Value: bson.D{{Key: "seen", Value: int64(1)}}}},
			options.FindOneAndUpdate().SetUpsert(true).SetReturnDocument(options.After)).Decode(&r)
		look.at, look.round = time.Now(), r.Seen
		return err
	})
	return look, err
}

// strip raises the other counter, then removes the positions that were seen. Each writer's batches below its newest were
// complete then. Of the newest only the entries that were seen are touched.
func (l *mongoLog) strip(ctx context.Context, look *mongoLook) error {
	unset := bson.D{{Key: "$unset", Value: bson.D{{Key: keyWriter, Value: ""}, {Key: keyBatch, Value: ""}}}}
	return l.m.do(ctx, l.m.timing.count, func(ctx context.Context) error {
		_, err := l.m.meta.UpdateOne(ctx, l.roundsID(), bson.D{{Key: "$max", Value: bson.D{{Key: "cleaned", Value: look.round}}}})
		if err != nil {
			return err
		}
		for _, h := range look.heads {
			_, err := l.coll.UpdateMany(ctx, bson.D{{Key: keyWriter, Value: h.writer}, {Key: keyBatch, Value: bson.D{{Key: "$lt", Value: h.batch}}}}, unset)
			if err != nil {
				return err
			}
			ids := make(bson.A, len(look.newest[h.writer]))
			for i, id := range look.newest[h.writer] {
				ids[i] = mongoID(id)
			}
			_, err = l.coll.UpdateMany(ctx, bson.D{{Key: keyID, Value: bson.D{{Key: "$in", Value: ids}}}, {Key: keyWriter, Value: h.writer}, {Key: keyBatch, Value: h.batch}}, unset)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
