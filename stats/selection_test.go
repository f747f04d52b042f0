package stats

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func frame(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("HS-%05d", i)
	}
	return ids
}

// The order of the frame decides nothing, a longer sample begins with the shorter,
// and what was drawn once is drawn by every later version.
func TestSelectIsRepeatable(t *testing.T) {
	ids := frame(1000)
	first, err := Select("lot 2026-11-25: 83920", ids, 40)
	if err != nil {
		t.Fatal(err)
	}
	mixed := slices.Clone(ids)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	longer, err := Select("lot 2026-11-25: 83920", mixed, 90)
	if err != nil || !slices.EqualFunc(longer[:40], first, func(a, b Selected) bool { return a.ID == b.ID && a.Number == b.Number }) {
		t.Errorf("drawn again: %v", err)
	}
	if first[0].Weight != 25 || longer[0].Weight != 1000./90 {
		t.Errorf("weights %v, %v", first[0].Weight, longer[0].Weight)
	}
	// As `printf 'lot 2026-11-25: 83920\0HS-…' | sha256sum` says.
	if got, want := first[0].ID+" "+hex.EncodeToString(first[0].Number[:4]), "HS-00811 0005ac3a"; got != want {
		t.Errorf("the first is %q, want %q", got, want)
	}
}

// Everybody is drawn equally often, and pairs as often as they should be.
func TestSelectIsFair(t *testing.T) {
	const size, n, draws = 12, 5, 4000
	ids := frame(size)
	single, pair := map[string]int{}, 0
	for i := range draws {
		list, err := Select(fmt.Sprint("seed ", i), ids, n)
		if err != nil {
			t.Fatal(err)
		}
		both := 0
		for _, s := range list {
			single[s.ID]++
			if s.ID == ids[3] || s.ID == ids[7] {
				both++
			}
		}
		if both == 2 {
			pair++
		}
	}
	chi := 0.0
	want := float64(draws) * n / size
	for _, id := range ids {
		chi += (float64(single[id]) - want) * (float64(single[id]) - want) / want
	}
	if p := ChiSquaredUpperTail(chi*(size-1)/(size-n), size-1); p < 1e-4 {
		t.Errorf("drawn %v times: p %v", single, p)
	}
	if share := float64(n) * (n - 1) / size / (size - 1); math.Abs(float64(pair)/draws-share) > 4*math.Sqrt(share/draws) {
		t.Errorf("a pair is drawn in %v, want %v", float64(pair)/draws, share)
	}
}

func TestSelectRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		seed string
		ids  []string
		n    int
	}{
		"no seed": {"", frame(5), 2}, "too many": {"s", frame(5), 6}, "fewer than none": {"s", frame(5), -1}, "twice": {"s", append(frame(5), "HS-00002"), 2},
	} {
		if _, err := Select(c.seed, c.ids, c.n); !errors.Is(err, ErrPlanning) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := Select("s", nil, 0); err != nil || len(list) != 0 {
		t.Errorf("nobody of nobody: %v, %v", list, err)
	}
}
