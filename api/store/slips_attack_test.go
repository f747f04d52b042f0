package store

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"sipas/api/store/mongotest"
	"sipas/survey"
)

// spending is 200 slips that were spent one after the other, as somebody knows who
// stood beside the desk and has the list.
type spending struct {
	answers, marks []ID // in that order
}

func spend(t *testing.T, s *Store) spending {
	t.Helper()
	var known spending
	key, err := s.slipKey(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	for n := range 200 {
		r := slipResponse(n)
		if r.ID, err = survey.NewID(slipDay(), rand.Reader); err != nil {
			t.Fatal(err)
		}
		slip, err := survey.NewSlip(s.Key("slip"), "a", "d", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		use(t, s, "a slip", r, slip, Stored)
		mark, err := s.slipMark(t.Context(), key, slip)
		if err != nil {
			t.Fatal(err)
		}
		known.answers, known.marks = append(known.answers, r.ID), append(known.marks, mark)
	}
	return known
}

// agreement is Spearman's rank correlation of the order in which things were done
// with where they stand: 1 tells everything, near 0 nothing.
func agreement(places []int) float64 {
	byPlace := make([]int, len(places))
	for i := range byPlace {
		byPlace[i] = i
	}
	slices.SortFunc(byPlace, func(a, b int) int { return cmp.Compare(places[a], places[b]) })
	sum, n := 0.0, float64(len(places))
	for rank, i := range byPlace {
		sum += math.Pow(float64(rank-i), 2)
	}
	return 1 - 6*sum/(n*(n*n-1))
}

// chance is what an order without meaning stays below: four standard errors.
const chance = 0.285

// tellsNothing fails when the places of ids in some bytes tell their order.
func tellsNothing(t *testing.T, where string, data []byte, known spending, text func(ID) []byte) {
	t.Helper()
	for name, ids := range map[string][]ID{"answers": known.answers, "marks": known.marks} {
		first, last := make([]int, len(ids)), make([]int, len(ids))
		for i, id := range ids {
			first[i], last[i] = bytes.Index(data, text(id)), bytes.LastIndex(data, text(id))
			if first[i] < 0 {
				t.Fatalf("%s: %s %x is not there", where, name, id)
			}
		}
		for _, places := range [][]int{first, last} {
			if r := agreement(places); math.Abs(r) > chance {
				t.Errorf("%s: where the %s stand tells in which order they came (%.2f)", where, name, r)
			}
		}
	}
}

// TestSlipsCannotBeTied: with every file, a backup and the list of slips, nobody tells
// which answer a slip let in better than by chance within the hour.
func TestSlipsCannotBeTied(t *testing.T) {
	waits(t)
	in := make([]int, 200)
	for i := range in {
		in[i] = i * 7
	}
	if agreement(in) != 1 {
		t.Fatal("the matcher matches nothing")
	}
	raw := func(id ID) []byte { return id[:] }
	backup := func(t *testing.T, s *Store, known spending) {
		t.Helper()
		zipped, err := gzip.NewReader(bytes.NewReader(backUp(t, s)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(zipped)
		if err != nil {
			t.Fatal(err)
		}
		tellsNothing(t, "the backup", text, known, func(id ID) []byte { return fmt.Appendf(nil, "%x", id) })
		key, _ := s.slipKey(t.Context(), "a")
		if bytes.Contains(text, key) || bytes.Contains(text, []byte(fmt.Sprintf("%x", key))) || bytes.Contains(text, []byte(roundKeyPrefix)) {
			t.Error("the backup has the key of the round")
		}
	}
	t.Run("file", func(t *testing.T) {
		folder := t.TempDir()
		f := openTest(t, folder)
		s := slipStore(t, f)
		known := spend(t, s)
		backup(t, s, known)
		if err := f.Scrub(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if filepath.Base(file) == databaseFile {
				tellsNothing(t, file, data, known, raw)
				continue
			}
			for i := range known.answers {
				if bytes.Contains(data, known.answers[i][:]) || bytes.Contains(data, known.marks[i][:]) {
					t.Fatalf("%s has an answer or a mark", file)
				}
			}
		}
	})
	t.Run("mongodb", func(t *testing.T) {
		timing := defaultMongoTiming
		timing.cleanEvery, timing.cleanAfter = 50*time.Millisecond, 2*time.Second // in place of minutes, and an hour
		m, err := openMongo(t.Context(), mongotest.URI(t), MongoOptions{}, timing)
		if err != nil {
			t.Fatal(err)
		}
		s := slipStore(t, m)
		known := spend(t, s)
		backup(t, s, known)
		stored := func(log *Log) (text []byte, positions int) {
			cursor, err := m.db.Collection(log.Name).Find(t.Context(), bson.D{}, options.Find().SetSort(bson.D{{Key: "$natural", Value: 1}}))
			if err != nil {
				t.Fatal(err)
			}
			for cursor.Next(context.Background()) {
				if cursor.Current.Lookup(keyWriter).Type != 0 {
					positions++
				}
				if log == slipLog {
					for _, name := range fieldNames(t, cursor.Current) {
						if name != keyID && name != keyErased && name != keyWriter && name != keyBatch {
							t.Errorf("a spent mark has %s", name)
						}
					}
				}
				text = append(text, cursor.Current...)
			}
			return text, positions
		}
		for _, log := range []*Log{responseLog, slipLog} {
			wait(t, "positions to go when the hour is over", func() bool { _, positions := stored(log); return positions == 0 })
		}
		answers, _ := stored(responseLog)
		spent, _ := stored(slipLog)
		tellsNothing(t, "the collections", slices.Concat(answers, spent), known, raw)
	})
}

func fieldNames(t *testing.T, doc bson.Raw) (names []string) {
	t.Helper()
	elements, err := doc.Elements()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range elements {
		names = append(names, strings.Clone(e.Key()))
	}
	return names
}
