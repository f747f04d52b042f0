package stats

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
)

// Selected is one unit of a frame that was drawn.
type Selected struct {
	ID string
	// Number is what decided: SHA-256 of the seed, a zero byte and the id. The
	// smallest numbers of a stratum are drawn.
	Number [sha256.Size]byte
	// Weight is N/n, the inverse of the probability of selection.
	Weight float64
}

// Select draws n of the ids by chance, without replacement, each set of n as likely
// as any other. Every id gets a number from the seed (a permanent random number),
// and those with the smallest are drawn, in that order: whoever has frame and seed
// can draw again, whatever the order of the frame, and check a single id by
// computing one hash. A longer sample of the same seed begins with the shorter one.
// The seed must be fixed before anybody can know the frame's ids with it, by lot for
// instance; whoever can choose it can choose the sample. Errors wrap ErrPlanning.
// Source: Ohlsson 1995, "Coordination of samples using permanent random numbers".
func Select(seed string, ids []string, n int) ([]Selected, error) {
	switch {
	case seed == "":
		return nil, fmt.Errorf("%w: no seed", ErrPlanning)
	case n < 0 || n > len(ids):
		return nil, fmt.Errorf("%w: %d of %d", ErrPlanning, n, len(ids))
	}
	all := make([]Selected, len(ids))
	for i, id := range ids {
		all[i] = Selected{ID: id, Number: sha256.Sum256([]byte(seed + "\x00" + id)), Weight: float64(len(ids)) / float64(n)}
	}
	slices.SortFunc(all, func(a, b Selected) int { return bytes.Compare(a.Number[:], b.Number[:]) })
	for i := 1; i < len(all); i++ {
		if all[i].ID == all[i-1].ID {
			return nil, fmt.Errorf("%w: %q is in the frame twice", ErrPlanning, all[i].ID)
		}
	}
	return all[:n], nil
}
