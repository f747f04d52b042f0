package web

import (
	"sync"
	"time"

	"sipas/kiosk"
)

// kind says what an address is limited in. Each kind is counted by itself, so that
// whoever tries codes at one door never shuts another: a thousand wrong receipts leave
// the citizens behind the same address free to answer.
type kind uint8

const (
	// unlimited routes take what comes.
	unlimited kind = iota
	// answers come from forms and from programs without a token.
	answers
	// withdrawals are receipt codes, right and wrong ones.
	withdrawals
	// pairings are the codes by which tablets enrol.
	pairings
	// signIns are access tokens. Nobody guesses one, they have 160 random bits; the
	// limit is for the load, and as wide as the others, because it also stops whoever
	// shares an address with a flood.
	signIns

	kinds // how many there are
)

// How much of a kind one address may hand in before it is told to wait: far above what
// an office's network does, or the address that thousands of phones share at their
// carrier. Whoever stays below is marked, never refused.
const (
	limitBurst = 600
	limitRate  = 10 // a second
	// limitFriendly is how many more are answered with a page that has what was
	// typed; a flood beyond them must cost as little as can be.
	limitFriendly = 60
)

// How many requests one tablet's key may make before it is told to wait. A real tablet
// never does: 600 batches are 120,000 answers, all that it can have kept, and beside its
// queue it talks once a minute, or in 5 seconds where a contact failed. Whoever copied
// its key is slowed down until staff pair it anew.
const (
	tabletBurst = 600
	tabletRate  = 0.5 // a second
)

// verdict is what a limiter says of one request.
type verdict uint8

const (
	allowed verdict = iota
	friendly
	curt
)

// maxBuckets bounds the memory of a limiter, some 100 bytes a sender.
const maxBuckets = 50_000

// limiter counts what comes from each sender, an address or the key of a tablet: burst
// at once, rate a second in the long run. It lives in memory alone, for as long as a
// sender is busy.
type limiter[Sender comparable] struct {
	burst, rate float64

	mu      sync.Mutex
	buckets map[Sender]bucket
	swept   time.Time
}

// bucket is what a sender may still send.
type bucket struct {
	left float64
	at   time.Time
}

// take says whether a sender may send one more at a time, and how it is refused.
// Where more senders are busy than are counted, new ones may.
func (l *limiter[Sender]) take(from Sender, now time.Time) verdict {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[from]
	if !known {
		if l.buckets == nil {
			l.buckets = map[Sender]bucket{}
		}
		if len(l.buckets) >= maxBuckets && !l.sweep(now) {
			return allowed
		}
		b = bucket{l.burst, now}
	}
	if now.After(b.at) { // the clock may be set back
		b.left = min(l.burst, b.left+l.rate*now.Sub(b.at).Seconds())
		b.at = now
	}
	v := curt
	if b.left > -limitFriendly {
		v = friendly
		if b.left >= 1 {
			v = allowed
		}
		b.left--
	}
	l.buckets[from] = b
	return v
}

// spent says whether a sender could send nothing at a time. It counts nothing.
func (l *limiter[Sender]) spent(from Sender, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[from]
	return known && b.left+l.rate*max(now.Sub(b.at).Seconds(), 0) < 1
}

// sweep forgets senders that have been quiet for long enough, at most once a
// second, and reports whether there is room.
func (l *limiter[Sender]) sweep(now time.Time) bool {
	if now.Sub(l.swept) < time.Second {
		return false
	}
	l.swept = now
	for from, b := range l.buckets {
		if now.Sub(b.at).Seconds() >= (l.burst+limitFriendly)/l.rate {
			delete(l.buckets, from)
		}
	}
	return len(l.buckets) < maxBuckets
}

// limitTablet refuses a tablet whose key sends more than a tablet does.
func (s *Server) limitTablet(d *kiosk.Device) error {
	v := s.tablets.take(d.Key, s.cfg.Now())
	if v == allowed {
		return nil
	}
	if v == friendly { // a flood fills no log
		s.cfg.Log.Warn("a tablet sends more than tablets do: if others have its key, pair it anew", "tablet", d.ID)
	}
	return fail(codeTooManyRequests)
}
