package web

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	mongooptions "go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"sipas/api/store"
	"sipas/api/store/mongotest"
	"sipas/survey"
)

// oneByOne is an engine that inserts every answer by itself, as a service would
// that calls the driver from its handlers.
type oneByOne struct {
	store.Engine
	answers *mongo.Collection
}

// Append implements store.Engine.
func (o *oneByOne) Append(ctx context.Context, log *store.Log, entries []store.Entry) ([]store.Outcome, error) {
	outcomes := make([]store.Outcome, len(entries))
	for i, e := range entries {
		doc := bson.D{{Key: "_id", Value: bson.Binary{Subtype: bson.TypeBinaryUUID, Data: e.ID[:]}}}
		for k, v := range e.Values {
			if v != "" {
				doc = append(doc, bson.E{Key: log.Fields[k].Name, Value: v})
			}
		}
		doc = append(doc, bson.E{Key: "digest", Value: e.Digest}, bson.E{Key: "receipt", Value: e.Receipt})
		if _, err := o.answers.InsertOne(ctx, doc); err != nil {
			return outcomes, err
		}
		outcomes[i] = store.Stored
	}
	return outcomes, nil
}

// BenchmarkSubmit64MongoDB measures submissions over HTTP on 64 connections into
// a MongoDB that already holds a million answers, against the same service that
// inserts each answer by itself: five alternating pairs, the median of their
// ratios.
func BenchmarkSubmit64MongoDB(b *testing.B) {
	const pairs, connections = 5, 64
	const turn = 3 * time.Second
	uri := mongotest.URI(b)
	engine, err := store.OpenMongo(context.Background(), uri, store.MongoOptions{})
	if err != nil {
		b.Fatal(err)
	}
	open := func(e store.Engine) *store.Store {
		st, err := store.Open(context.Background(), e, store.Secret{1}, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		return st
	}
	st := open(engine)
	defer st.Close()
	fillForBenchmark(b, st, survey.DateOf(time.Now()))
	journal := true
	concern := writeconcern.Majority()
	concern.Journal = &journal
	other, err := store.OpenMongo(context.Background(), uri, store.MongoOptions{})
	if err != nil {
		b.Fatal(err)
	}
	// Into the same collection, so that both have the same indexes and a million answers.
	single := open(&oneByOne{other, mongotest.Database(b, uri).Collection("responses", mongooptions.Collection().SetWriteConcern(concern))})
	defer single.Close()
	desk := ""
	for id := range st.View().Desks {
		desk = max(desk, id)
	}
	bodies := &bodyMaker{template: benchmarkBody(b, desk)}
	var addresses [2]string
	for i, s := range []*store.Store{single, st} {
		service := New(Config{PublicURL: "http://127.0.0.1"}, s, nil)
		defer func() {
			if err := service.Shutdown(context.Background()); err != nil && !errors.Is(err, context.Canceled) {
				b.Error(err)
			}
		}()
		addresses[i] = listenForBenchmark(b, service.Serve)
	}
	for b.Loop() {
		var ratios, rates, singles []float64
		var slowest []time.Duration
		for range pairs {
			n, _ := load(b, addresses[0], connections, turn, bodies)
			m, latencies := load(b, addresses[1], connections, turn, bodies)
			ratios, rates, singles = append(ratios, float64(m)/float64(n)), append(rates, float64(m)/turn.Seconds()), append(singles, float64(n)/turn.Seconds())
			slowest = append(slowest, latencies[len(latencies)*99/100])
		}
		for _, list := range [][]float64{ratios, rates, singles} {
			slices.Sort(list)
		}
		slices.Sort(slowest)
		b.ReportMetric(ratios[pairs/2], "of-single")
		b.ReportMetric(rates[pairs/2], "stored/s")
		b.ReportMetric(singles[pairs/2], "single/s")
		b.ReportMetric(float64(slowest[pairs/2].Microseconds())/1000, "p99-ms")
		b.ReportMetric(0, "ns/op")
	}
}
