package stats

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// drawRows draws rows with distinct ids.
func drawRows(t *rapid.T, items int, weighted bool) []Row {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "rows"), 3))
	var rows []Row
	for range rng.IntN(60) {
		r := Row{PSU: rng.Uint64N(4)<<32 | rng.Uint64N(3), Place: rng.Uint32N(9), Person: rng.Uint32N(5), Day: uint16(rng.Uint32N(1 << 16)), Hour: uint8(rng.Uint32N(24))}
		binary.LittleEndian.PutUint64(r.ID[:], rng.Uint64())
		binary.LittleEndian.PutUint64(r.ID[8:], rng.Uint64N(5)) // tails repeat
		if weighted {
			r.Weight = rng.Float64() + 0.1
		}
		b := make([]byte, items)
		for k := range b {
			b[k] = codeChars[rng.IntN(Codes)]
		}
		r.Answers = string(b)
		rows = append(rows, r)
	}
	return rows
}

// TestRowsRoundTrip: what goes in comes out, in order of PSU and id.
func TestRowsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		items, weighted := rapid.IntRange(1, MaxItems).Draw(t, "items"), rapid.Bool().Draw(t, "weighted")
		rows := drawRows(t, items, weighted)
		b := NewBuilder(items, weighted)
		b.Grow(len(rows) / 2)
		for _, r := range rows {
			if err := b.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		slices.SortFunc(rows, func(x, y Row) int {
			if c := cmp.Compare(x.PSU, y.PSU); c != 0 {
				return c
			}
			return slices.Compare(x.ID[:], y.ID[:])
		})
		block := b.Build()
		if got := slices.Collect(block.All()); !slices.Equal(got, rows) || block.Len() != len(rows) || b.Len() != len(rows) {
			t.Fatalf("got %v\nwant %v", got, rows)
		}
		if again := b.Build(); !reflect.DeepEqual(again, block) {
			t.Fatalf("a second Build differs")
		}
		flipped := slices.Clone(rows)
		for i := range flipped {
			flipped[i].Place = 20 - flipped[i].Place
		}
		if got := slices.Collect(block.MapPlaces(func(p uint32) uint32 { return 20 - p }).All()); !slices.Equal(got, flipped) {
			t.Fatalf("mapped places\n%v\nwant\n%v", got, flipped)
		}
		if got := slices.Collect(block.All()); !slices.Equal(got, rows) {
			t.Fatalf("the block changed")
		}
	})
}

func TestBuilderRefuses(t *testing.T) {
	b := NewBuilder(3, true)
	good := Row{Answers: "1-5", Weight: 2}
	for name, change := range map[string]func(*Row){
		"too short":   func(r *Row) { r.Answers = "1-" },
		"too long":    func(r *Row) { r.Answers = "1-5." },
		"level 0":     func(r *Row) { r.Answers = "1-0" },
		"level 6":     func(r *Row) { r.Answers = "6-5" },
		"zero byte":   func(r *Row) { r.Answers = "\x00-5" },
		"letter":      func(r *Row) { r.Answers = "1N5" },
		"hour 24":     func(r *Row) { r.Hour = 24 },
		"no weight":   func(r *Row) { r.Weight = 0 },
		"negative":    func(r *Row) { r.Weight = -1 },
		"NaN":         func(r *Row) { r.Weight = math.NaN() },
		"infinite":    func(r *Row) { r.Weight = math.Inf(1) },
		"not a level": func(r *Row) { r.Answers = "1-é" },
	} {
		r := good
		change(&r)
		if err := b.Add(r); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if err := b.Add(good); err != nil || b.Len() != 1 {
		t.Errorf("good row: %v, %d rows", err, b.Len())
	}
	if got := slices.Collect(b.Build().All()); len(got) != 1 || got[0] != good {
		t.Errorf("after refusals the block has %v", got)
	}
}

// TestRowsBytes: an answer of the default instrument costs at most 40 bytes,
// ids included, and 64 with weights and a PSU each.
func TestRowsBytes(t *testing.T) {
	_, rows := benchRound(100_000)
	for _, c := range []struct {
		name  string
		block *Rows
	}{{"built", rows}, {"merged", mergedHalves(rows)}, {"without one", rows.Without(map[[16]byte]struct{}{rows.id[0]: {}})}} {
		// 54,000 desk-days for 100,000 answers weigh ten times what they do
		// for a million.
		if per := float64(c.block.Bytes()-12*int64(c.block.PSUs())) / float64(c.block.Len()); per > 39 {
			t.Errorf("%s: %.1f bytes an answer beside PSUs", c.name, per)
		}
	}
	b := NewBuilder(22, true)
	for i := range 10_000 {
		if err := b.Add(Row{PSU: uint64(i), Weight: 1, Answers: strings.Repeat("5", 22)}); err != nil {
			t.Fatal(err)
		}
	}
	if per := float64(b.Build().Bytes()) / 10_000; per > 64 {
		t.Errorf("%.1f bytes an answer with weight and a PSU of its own", per)
	}
}

func mergedHalves(rows *Rows) *Rows {
	a, b := split(rows, rows.Len()/2)
	return Merge(a, b)
}

func TestRowsNil(t *testing.T) {
	var r *Rows
	if r.Len() != 0 || r.Items() != 0 || r.PSUs() != 0 || r.Bytes() != 0 || r.Without(map[[16]byte]struct{}{{}: {}}) != nil ||
		r.WithPlaces(map[[16]byte]uint32{{}: 1}) != nil || r.MapPlaces(func(p uint32) uint32 { return p }) != nil || Merge(nil, r) != nil {
		t.Error("a nil block is not an empty one")
	}
	if _, _, ok := r.Find([16]byte{}); ok || r.Keys() != nil || r.Lost(nil) != nil {
		t.Error("a nil block has an answer")
	}
	for range r.All() {
		t.Error("a nil block yields an answer")
	}
}
