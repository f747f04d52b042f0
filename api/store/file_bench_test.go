package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"
)

// benchStored is how many entries a benchmark's store holds beforehand: half of them in the hour that the new ones are
// in, which is the worst case for a tree sorted by id, half in a hundred older hours.
const benchStored = 1_000_000

const benchHour = 480_000 // hours since 1970

func benchLog() *Log {
	l := &Log{Name: "responses"}
	for _, name := range []string{"round", "instrument", "desk", "unit", "field", "filing", "answers", "profile", "comment", "language", "channel", "answered", "received"} {
		l.Fields = append(l.Fields, Field{Name: name})
	}
	return l
}

func benchEntry(rnd *rand.Rand, hour int) Entry {
	var e Entry
	binary.BigEndian.PutUint64(e.ID[:], uint64(hour)*3_600_000<<16|0x7000|uint64(rnd.Uint32()&0xfff))
	binary.BigEndian.PutUint64(e.ID[8:], rnd.Uint64()|1<<63)
	keys := make([]byte, 64)
	for i := 0; i < len(keys); i += 8 {
		binary.BigEndian.PutUint64(keys[i:], rnd.Uint64())
	}
	e.Digest, e.Receipt = keys[:32], keys[32:]
	answers := make([]byte, 22)
	for i := range answers {
		answers[i] = "12345n-"[rnd.IntN(7)]
	}
	e.Values = []string{"2026-1", "sipas-2640/1", "K7QF2", "26734", "land", "online", string(answers), "age=3;sex=F", "", "vi", "web", "2024-10-04T00", "2024-10-04T00"}
	return e
}

// benchFolder makes a store with benchStored entries.
func benchFolder(b *testing.B) string {
	folder := b.TempDir()
	f := openTest(b, folder)
	rnd := rand.New(rand.NewPCG(1, 1))
	for done := 0; done < benchStored; done += PageSize {
		entries := make([]Entry, PageSize)
		for i := range entries {
			hour := benchHour
			if i%2 == 1 {
				hour -= 1 + rnd.IntN(100)
			}
			entries[i] = benchEntry(rnd, hour)
		}
		if _, err := f.Append(b.Context(), benchLog(), entries); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return folder
}

// BenchmarkFile runs on one store of a million entries:
//
//	open                seconds until a store can be used
//	append64/engine     64 callers append one entry at a time, through the engine
//	append64/batch      the same as one db.Batch a caller in the same layout, which is what the engine is to beat
//	follow              a new follower is delivered everything
func BenchmarkFile(b *testing.B) {
	folder := benchFolder(b)
	open := func(b *testing.B) *File {
		b.Helper()
		f := openTest(b, folder)
		b.Cleanup(func() {
			if err := f.Close(); err != nil {
				b.Error(err)
			}
		})
		return f
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if err := openTest(b, folder).Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("follow", func(b *testing.B) { benchFollow(b, open(b)) })
	b.Run("append64/engine", func(b *testing.B) { benchEngine(b, open(b)) })
	b.Run("append64/batch", func(b *testing.B) { benchBatch(b, open(b)) })
}

// run64 calls fn b.N times from 64 goroutines and reports calls per second and the 99th percentile.
func run64(b *testing.B, fn func(Entry) error) {
	const callers = 64
	next := make(chan struct{}, b.N)
	for range b.N {
		next <- struct{}{}
	}
	close(next)
	took := make([][]time.Duration, callers)
	var wg sync.WaitGroup
	b.ResetTimer()
	for c := range callers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), uint64(c)))
			for range next {
				start := time.Now()
				if err := fn(benchEntry(rnd, benchHour)); err != nil {
					b.Error(err)
					return
				}
				took[c] = append(took[c], time.Since(start))
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	report64(b, took)
}

func benchEngine(b *testing.B, f *File) {
	log := benchLog()
	run64(b, func(e Entry) error {
		outcomes, err := f.Append(context.Background(), log, []Entry{e})
		if err == nil && outcomes[0] != Stored {
			return fmt.Errorf("outcome %v", outcomes[0])
		}
		return err
	})
}

func benchBatch(b *testing.B, f *File) {
	run64(b, func(e Entry) error {
		rec := appendRecord(nil, &e)
		return f.db.Batch(func(tx *bbolt.Tx) error {
			lb, err := openLog(tx, []byte("responses"))
			if err != nil {
				return err
			}
			if lb.entries.Get(e.ID[:]) != nil {
				return nil
			}
			key := newIndexKey(e.ID, receiptHash(e.Receipt))
			if err := lb.receipts.Put(key[:], nil); err != nil {
				return err
			}
			return lb.entries.Put(e.ID[:], rec)
		})
	})
}

func benchFollow(b *testing.B, f *File) {
	var delivered int
	for b.Loop() {
		w, err := f.Follow(context.Background(), benchLog())
		if err != nil {
			b.Fatal(err)
		}
		delivered = 0
		for {
			events, err := w.Next(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			if len(events) == 0 {
				break
			}
			delivered += len(events)
		}
		w.Close()
		if delivered < benchStored {
			b.Fatalf("%d events", delivered)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(delivered)*1e9, "ms/1M")
}

func report64(b *testing.B, took [][]time.Duration) {
	all := slices.Concat(took...)
	slices.Sort(all)
	b.ReportMetric(float64(len(all))/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(all[len(all)-1].Microseconds())/1000, "max-ms")
}
