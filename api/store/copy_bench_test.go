package store

import (
	"context"
	"testing"
	"time"
)

// BenchmarkCopy1M copies a million answers between two files, and then once more:
//
//	s-copy    seconds until everything is in the target and proven equal
//	s-again   seconds of a second run, which finds nothing to do
func BenchmarkCopy1M(b *testing.B) {
	folder := benchFolder(b)
	if err := func() error {
		f := openTest(b, folder)
		if err := checkSecret(b.Context(), f, Secret{1}); err != nil {
			return err
		}
		return f.Close()
	}(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		from, to := openTest(b, folder), openTest(b, b.TempDir())
		for _, metric := range []string{"s-copy", "s-again"} {
			started := time.Now()
			result, err := Copy(context.Background(), from, to, folder, nil)
			if err != nil || result.Parts[len(result.Parts)-4].To.Count != benchStored {
				b.Fatal(result, err)
			}
			b.ReportMetric(time.Since(started).Seconds(), metric)
		}
		for _, f := range []*File{from, to} {
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
