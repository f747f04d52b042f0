package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"sipas/kiosk"
	"sipas/survey"
)

// pollEvery is how often a server looks whether staff documents were changed
// by another one, so that a revocation holds everywhere within two seconds.
const pollEvery = time.Second

// accessEvery is how often tokens, sign-outs and devices are read also when their
// revision did not change. A server that dies in the middle of a change, just
// when another one overtakes it, leaves one that no revision shows.
const accessEvery = 30 * time.Second

// Store keeps responses and staff documents; it is what the rest of the service
// calls. All methods may be called from many goroutines.
type Store struct {
	engine Engine
	secret Secret
	log    *slog.Logger
	now    func() time.Time

	digestKey, receiptKey []byte

	decisions decisionClock

	refreshing chan struct{}   // held by the one who reads documents again
	accessRead time.Time       // when tokens and sign-outs were last read whatever their revision said; he guards it
	overlaps   map[string]bool // those of which the log was told; he guards it

	putting chan struct{} // held by the one who checks documents and puts them

	loading   sync.Mutex // guards what follows
	revisions map[string]int64
	documents documentSets
	view      atomic.Pointer[View]

	slipKeys sync.Map // by round, of those that were used here

	stop    func()
	running sync.WaitGroup
}

// View is an immutable picture of the staff documents at one moment.
type View struct {
	*survey.Catalogue
	// Revision is another text after each change of the documents, tokens and
	// sign-outs left aside.
	Revision string
	access
}

// access says who may come in.
type access struct {
	tokens    map[string]Token         // by hash
	signedOut map[string]bool          // sessions, by hash
	devices   map[string]*kiosk.Device // by id
	tablets   map[string]*kiosk.Device // those with a key, by its hash
}

// Open starts a Store on an engine: it loads the staff documents and from then
// on follows their changes. The Store owns the engine and closes it, also when
// Open fails: ErrSecret, or ErrUnfinished for one that was not filled to the end.
func Open(ctx context.Context, engine Engine, secret Secret, log *slog.Logger) (*Store, error) {
	return OpenAt(ctx, engine, secret, log, time.Now)
}

// OpenAt is Open with another clock, by which rounds open and end.
func OpenAt(ctx context.Context, engine Engine, secret Secret, log *slog.Logger, now func() time.Time) (*Store, error) {
	s := &Store{
		engine: engine, secret: secret, log: log, now: now,
		digestKey: secret.digestKey(), receiptKey: secret.Key("receipt"),
		documents: documentSets{}, refreshing: make(chan struct{}, 1), putting: make(chan struct{}, 1),
	}
	err := checkSecret(ctx, engine, secret)
	if err == nil {
		err = checkUnfinished(ctx, engine)
	}
	if err == nil {
		err = s.Refresh(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	polling, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { s.poll(polling) })
	s.running.Go(func() { s.sweep(polling) })
	return s, nil
}

// Close stops following changes and closes the engine.
func (s *Store) Close() error {
	s.stop()
	s.running.Wait()
	return s.engine.Close()
}

// Ping returns nil when the store can take answers now.
func (s *Store) Ping(ctx context.Context) error { return s.engine.Ping(ctx) }

// View returns the staff documents as they stand, never nil. Two calls return
// the same pointer as long as nothing changed.
func (s *Store) View() *View { return s.view.Load() }

// Key derives a key for a purpose from the root secret.
func (s *Store) Key(purpose string) []byte { return s.secret.Key(purpose) }

// SealKey opens what tablets sealed.
func (s *Store) SealKey() (*kiosk.SealKey, error) { return kiosk.NewSealKey(s.Key("kiosk seal")) }

// Receipt returns the code by which the response id can be withdrawn, if it was stored
// with its hash; see [survey.Receipt].
func (s *Store) Receipt(id survey.ID, nonce []byte) string {
	return survey.Receipt(s.receiptKey, id, nonce)
}

func (s *Store) poll(ctx context.Context) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.Refresh(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("staff documents could not be read again", "error", err)
			}
		}
	}
}

// Refresh reads what changed in the staff documents now, rather than at the
// next poll. When what is stored does not hold together, the catalogue stays as
// it was and the error says why; revocations and sign-outs hold all the same.
func (s *Store) Refresh(ctx context.Context) error {
	// A store that is away may hold the one who reads for longer than others can wait.
	select {
	case s.refreshing <- struct{}{}:
		defer func() { <-s.refreshing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	revisions, err := s.engine.SetRevisions(ctx)
	if err != nil {
		return fmt.Errorf("read set revisions: %w", err)
	}
	old := s.view.Load()
	read, described := documentSets{}, old == nil
	again := time.Since(s.accessRead) > accessEvery
	for set := range knownSets() {
		// Only the holder of refreshing changes these revisions.
		if revisions[set] == s.revisions[set] && !(again && isAccess(set)) {
			continue
		}
		docs, _, err := s.engine.List(ctx, set)
		if err != nil {
			return fmt.Errorf("read set %s: %w", set, err)
		}
		if revisions[set] == s.revisions[set] && slices.EqualFunc(docs, s.documents[set], sameRevision) {
			continue
		}
		read[set] = docs
		described = described || !isAccess(set)
	}
	if again {
		s.accessRead = time.Now()
	}
	if len(read) == 0 && old != nil {
		return nil
	}
	s.loading.Lock()
	defer s.loading.Unlock()
	maps.Copy(s.documents, read)
	access, err := s.documents.access()
	if err != nil {
		return err
	}
	view := &View{access: access, Revision: documentRevision(revisions)}
	if described {
		view.Catalogue, err = s.documents.catalogue()
	} else {
		view.Catalogue = old.Catalogue // which is dear to make, and people sign out at any time
	}
	if err != nil {
		if old != nil {
			s.view.Store(&View{Catalogue: old.Catalogue, Revision: old.Revision, access: access})
		}
		return err
	}
	s.revisions = revisions
	s.view.Store(view)
	if described {
		s.warnOverlaps(view.Catalogue)
	}
	return nil
}

// warnOverlaps says which rounds are not shown somewhere because others are: an older
// version let them in, or two servers did at once. Each pair is said once.
func (s *Store) warnOverlaps(c *survey.Catalogue) {
	said := map[string]bool{}
	for _, o := range c.Overlaps() {
		text := o.String()
		if said[text] = true; !s.overlaps[text] {
			s.log.Warn("two rounds are for the same door, which shows the one that began last; close one, or change its days or units",
				"shown", o.Shown.ID, "hidden", o.Hidden.ID, "overlap", text)
		}
	}
	s.overlaps = said
}

func sameRevision(a, b Document) bool { return a.ID == b.ID && a.Revision == b.Revision }
