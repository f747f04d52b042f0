package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"sipas/api/store/mongotest"
)

// BenchmarkMongoAppend64 compares 64 callers that append one entry at a time through the engine with 64 that each insert
// the same document by itself, confirmed by a majority with journal, into a collection with the same indexes: five
// alternating pairs, the median of their ratios.
func BenchmarkMongoAppend64(b *testing.B) {
	const pairs = 5
	const turn = 3 * time.Second
	uri := mongotest.URI(b)
	m, err := OpenMongo(b.Context(), uri, MongoOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	log := benchLog()
	journal := true
	concern := writeconcern.Majority()
	concern.Journal = &journal
	single := mongotest.Database(b, uri).Collection("single", options.Collection().SetWriteConcern(concern))
	l, err := m.log(&Log{Name: "single"})
	if err == nil {
		err = l.ensure(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	engine := func(e Entry) error {
		outcomes, err := m.Append(context.Background(), log, []Entry{e})
		if err == nil && outcomes[0] != Stored {
			err = fmt.Errorf("outcome %v", outcomes[0])
		}
		return err
	}
	insert := func(e Entry) error {
		doc, err := appendMongoEntry(nil, log, &e, mongoPosition{1, 1})
		if err == nil {
			_, err = single.InsertOne(context.Background(), bson.Raw(doc))
		}
		return err
	}
	for b.Loop() {
		var ratios, rates, singles []float64
		for range pairs {
			n := turns64(b, turn, insert)
			k := turns64(b, turn, engine)
			ratios, rates, singles = append(ratios, k/n), append(rates, k/turn.Seconds()), append(singles, n/turn.Seconds())
		}
		for _, list := range [][]float64{ratios, rates, singles} {
			slices.Sort(list)
		}
		b.ReportMetric(ratios[pairs/2], "of-single")
		b.ReportMetric(rates[pairs/2], "entries/s")
		b.ReportMetric(singles[pairs/2], "single/s")
		b.ReportMetric(0, "ns/op")
	}
}

// turns64 calls fn from 64 goroutines for a while and returns how many calls were made.
func turns64(b *testing.B, turn time.Duration, fn func(Entry) error) float64 {
	b.Helper()
	var calls atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(turn)
	for c := range 64 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(c)))
			for time.Now().Before(end) {
				if err := fn(benchEntry(rnd, benchHour)); err != nil {
					b.Error(err)
					return
				}
				calls.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(calls.Load())
}
