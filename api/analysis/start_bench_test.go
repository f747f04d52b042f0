package analysis

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"sipas/api/store"
	"sipas/api/store/mongotest"
	"sipas/seeds"
	"sipas/survey"
)

// BenchmarkStart1M measures the time from opening a store of a million answers
// until reports are exact, then a full report by unit (200 units, 600 desks,
// 54,000 desk-days), and the proof that store and columns agree.
func BenchmarkStart1M(b *testing.B) {
	b.Run("file", func(b *testing.B) {
		folder := b.TempDir()
		benchmarkStart(b, func() (store.Engine, error) {
			return store.OpenFile(folder, store.FileOptions{Command: "benchmark"})
		})
	})
	b.Run("mongodb", func(b *testing.B) {
		uri := mongotest.URI(b)
		benchmarkStart(b, func() (store.Engine, error) {
			return store.OpenMongo(context.Background(), uri, store.MongoOptions{})
		})
	})
}

func benchmarkStart(b *testing.B, openEngine func() (store.Engine, error)) {
	today := survey.DateOf(clock())
	documents, err := seeds.Synthetic(200, 3, today)
	if err != nil {
		b.Fatal(err)
	}
	params := seeds.DefaultParams()
	params.Answers, params.Days = 1_000_000, 90
	simulation, err := seeds.Simulate(documents, seeds.SyntheticRound, params)
	if err != nil {
		b.Fatal(err)
	}
	documents.Populations = simulation.Populations()
	open := func() *store.Store {
		engine, err := openEngine()
		if err != nil {
			b.Fatal(err)
		}
		st, err := store.Open(context.Background(), engine, store.Secret{1}, slog.New(slog.DiscardHandler))
		if err != nil {
			b.Fatal(err)
		}
		return st
	}
	st := open()
	if _, err := st.PutDocuments(context.Background(), documents); err != nil {
		b.Fatal(err)
	}
	var batch []survey.Response
	flush := func() {
		if _, err := st.AddResponses(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		batch = batch[:0]
	}
	for visit := range simulation.Visits(today.AddDays(-1)) {
		if batch = append(batch, visit.Response()); len(batch) == 5000 {
			flush()
		}
	}
	flush()
	for b.Loop() {
		if err := st.Close(); err != nil {
			b.Fatal(err)
		}
		started := time.Now()
		st = open()
		a := New(st, slog.New(slog.DiscardHandler), clock, "benchmark")
		if err := a.Load(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(started).Seconds(), "s-to-exact")
		q, err := ParseQuery(st.View().Catalogue, seeds.SyntheticRound, map[string]string{"by": "unit"})
		if err != nil {
			b.Fatal(err)
		}
		for range 2 {
			// The first report sorts the answers; a second question is another one.
			asked := time.Now()
			r, err := a.Report(context.Background(), q)
			if err != nil {
				b.Fatal(err)
			}
			if r.Counts.Received != params.Answers {
				b.Fatalf("the report has %d answers", r.Counts.Received)
			}
			b.ReportMetric(float64(time.Since(asked).Milliseconds()), "ms-report")
			q.To = today
		}
		verified := time.Now()
		if v, err := a.Verify(context.Background()); err != nil || len(v.Faults) > 0 || v.Columns != int64(params.Answers) {
			b.Fatal(v, err)
		}
		b.ReportMetric(time.Since(verified).Seconds(), "s-verify")
		col := a.rounds[seeds.SyntheticRound]
		b.ReportMetric(float64(col.main.Bytes()+col.tail.Bytes())/float64(params.Answers), "bytes/answer")
	}
	if err := st.Close(); err != nil {
		b.Fatal(err)
	}
}
