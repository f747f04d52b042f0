package store

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"sipas/kiosk"
	"sipas/survey"
)

// ErrNotEmpty says that a store to restore into holds something, and that
// merging was not asked for.
var ErrNotEmpty = errors.New("store: not empty")

// ErrFrames says that a call of [Store.RestoreFrames] had no header, nothing
// after it, or too much.
var ErrFrames = errors.New("store: not a header and some frames of a backup")

// MaxFrames is the most frames of entries that [Store.RestoreFrames] takes at
// once.
const MaxFrames = 16

// RestoreOptions say what a restore may do.
type RestoreOptions struct {
	// Merge adds to a store that is not empty: what is there stays.
	Merge bool
	// Tombstones are ids that were erased according to other sources.
	Tombstones []Tombstones
}

// RestoreSummary says what a restore did.
type RestoreSummary struct {
	// Logs counts what became of the backup's entries, by log.
	Logs map[string]RestoredLog `json:"logs"`
	// Added documents were missing. Of those that were there and stay, Differing
	// are others than in the backup.
	Added     int64 `json:"added"`
	Present   int64 `json:"present"`
	Differing int64 `json:"differing"`
	// Tokens are the names of access tokens that came back, Devices ids and names of
	// tablets with a key that did.
	Tokens  []string `json:"tokens"`
	Devices []string `json:"devices"`
	// Conflicts are ids whose entry says other than the backup's, the first few.
	Conflicts []survey.ID `json:"conflicts"`
}

// RestoredLog counts outcomes.
type RestoredLog struct {
	Stored    int64 `json:"stored"`
	Duplicate int64 `json:"duplicate"`
	Withdrawn int64 `json:"withdrawn"`
	Conflict  int64 `json:"conflict"`
}

// listedConflicts bounds RestoreSummary.Conflicts.
const listedConflicts = 100

// Responses counts what became of the answers.
func (s RestoreSummary) Responses() RestoredLog { return s.Logs[responseLog.Name] }

// Conflicting counts the conflicts of all logs.
func (s RestoreSummary) Conflicting() int64 {
	var n int64
	for _, l := range s.Logs {
		n += l.Conflict
	}
	return n
}

// Add adds what another part of the same restore did.
func (s *RestoreSummary) Add(other RestoreSummary) {
	for name, l := range other.Logs {
		s.count(name, l)
	}
	s.Added += other.Added
	s.Present += other.Present
	s.Differing += other.Differing
	s.Tokens = append(s.Tokens, other.Tokens...)
	s.Devices = append(s.Devices, other.Devices...)
	s.Conflicts = append(s.Conflicts, other.Conflicts[:min(len(other.Conflicts), listedConflicts-len(s.Conflicts))]...)
}

func newRestoreSummary() RestoreSummary {
	return RestoreSummary{Logs: map[string]RestoredLog{}, Tokens: []string{}, Devices: []string{}, Conflicts: []survey.ID{}}
}

func (s *RestoreSummary) count(log string, l RestoredLog) {
	if s.Logs == nil {
		s.Logs = map[string]RestoredLog{}
	}
	sum := s.Logs[log]
	sum.Stored += l.Stored
	sum.Duplicate += l.Duplicate
	sum.Withdrawn += l.Withdrawn
	sum.Conflict += l.Conflict
	s.Logs[log] = sum
}

// Restore reads a backup, twice, and writes it into a store on an engine, which
// stays open. Nothing is written before all of the backup is proven. Staff
// documents come first, then the ids erased, then the answers: what was
// withdrawn according to either side stays withdrawn. A store that was empty is
// refused by Open until the restore has ended; running it again, after whatever
// stopped it, goes on and gives the same result. Errors: those of ReadBackup,
// ErrSecret, ErrNotEmpty, ErrUnfinished when something else fills the store.
func Restore(ctx context.Context, engine Engine, secret Secret, open func() (io.ReadCloser, error), o RestoreOptions) (RestoreSummary, error) {
	r := &restorer{ctx: ctx, engine: engine, digestKey: secret.digestKey(), summary: newRestoreSummary()}
	var header backupHeader
	var footer backupFooter
	kept := newKept()
	err := readOpened(open, &secret, true, func(f BackupFrame) error {
		switch f.Kind {
		case BackupHeader:
			header = *f.Header
		case BackupFooter:
			footer = *f.Footer
		default:
			kept.take(&f)
		}
		return ctx.Err()
	})
	if err != nil {
		return r.summary, err
	}
	if err := checkSecret(ctx, engine, secret); err != nil {
		return r.summary, err
	}
	if err := r.begin(header.ID, o.Merge); err != nil {
		return r.summary, err
	}
	if err := r.documents(kept.sets); err != nil {
		return r.summary, err
	}
	for _, t := range append([]Tombstones{kept.tombstones}, o.Tombstones...) {
		if err := r.bury(t); err != nil {
			return r.summary, err
		}
	}
	err = readOpened(open, &secret, false, func(f BackupFrame) error {
		switch f.Kind {
		case BackupHeader:
			if f.Header.ID != header.ID {
				return fmt.Errorf("%w: the file was replaced meanwhile", ErrBackup)
			}
		case BackupEntries:
			return r.entries(&f)
		}
		return nil
	})
	if err != nil {
		return r.summary, err
	}
	return r.summary, r.finish(footer)
}

// readOpened opens a backup and reads it. The digests need proof once only.
func readOpened(open func() (io.ReadCloser, error), secret *Secret, digests bool, each func(BackupFrame) error) error {
	in, err := open()
	if err != nil {
		return err
	}
	_, err = readBackup(in, secret, digests, each)
	return errors.Join(err, in.Close())
}

// kept is what must be written before the first answer.
type kept struct {
	sets       documentSets
	tombstones Tombstones
}

func newKept() kept { return kept{documentSets{}, Tombstones{}} }

func (k kept) take(f *BackupFrame) {
	switch f.Kind {
	case BackupDocuments:
		k.sets[f.Set] = append(k.sets[f.Set], f.documents()...)
	case BackupErased:
		k.tombstones[f.Log] = append(k.tombstones[f.Log], f.erased()...)
	}
}

// RestoreFrames writes some frames of a backup: lines as they stand in it, its
// header first. It keeps no state between calls, and frames may come again; see
// [Restore] for what is done with them. The order is the caller's: all staff
// documents in one call, the ids erased, answers, the footer at last. A call
// with nothing but erased ids may be of another backup, of which only those are
// wanted. ErrFrames for lines that are no such call.
func (s *Store) RestoreFrames(ctx context.Context, lines io.Reader, merge bool) (RestoreSummary, error) {
	r := &restorer{ctx: ctx, engine: s.engine, digestKey: s.digestKey, summary: newRestoreSummary()}
	frames, err := s.parseFrames(lines)
	if err != nil {
		return r.summary, err
	}
	if err := r.beginFrames(frames, merge); err != nil {
		return r.summary, err
	}
	kept := newKept()
	for i := range frames {
		kept.take(&frames[i])
	}
	if err := r.documents(kept.sets); err != nil {
		return r.summary, err
	}
	if err := r.bury(kept.tombstones); err != nil {
		return r.summary, err
	}
	for i := range frames {
		switch f := &frames[i]; f.Kind {
		case BackupEntries:
			err = r.entries(f)
		case BackupFooter:
			err = r.finish(*f.Footer)
		}
		if err != nil {
			return r.summary, err
		}
	}
	return r.summary, s.Refresh(ctx)
}

// parseFrames reads and proves the frames of one call; the first is the header.
func (s *Store) parseFrames(r io.Reader) ([]BackupFrame, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, backupLine+1)
	lines.Split(wholeLines)
	var frames []BackupFrame
	var mac *frameMAC
	entries := 0
	for lines.Scan() {
		var f BackupFrame
		var err error
		if len(frames) == 0 {
			f, mac, err = parseHeader(lines.Bytes(), &s.secret)
		} else {
			f, err = parseFrame(lines.Bytes(), mac)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(frames)+1, err)
		}
		if f.Kind == BackupEntries {
			entries++
		}
		if entries > MaxFrames || f.Kind == BackupHeader && len(frames) > 0 {
			return nil, ErrFrames
		}
		f.Line = nil // the next line overwrites it
		frames = append(frames, f)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFrames, err)
	}
	if len(frames) < 2 {
		return nil, ErrFrames
	}
	return frames, nil
}

// restorer writes a backup into an engine.
type restorer struct {
	ctx       context.Context
	engine    Engine
	digestKey []byte
	summary   RestoreSummary
}

// begin decides whether a backup may go into the store, and marks one that is
// empty. The mark is also what lets a restore go on.
func (r *restorer) begin(id string, merge bool) error {
	what := "restore of backup " + id
	stands, err := unfinished(r.ctx, r.engine)
	switch {
	case err != nil || stands == what:
		return err
	case stands != "":
		return unfinishedError(stands)
	}
	empty, err := isEmpty(r.ctx, r.engine)
	switch {
	case err != nil:
		return err
	case empty:
		return markUnfinished(r.ctx, r.engine, what)
	case merge:
		return nil
	}
	return ErrNotEmpty
}

func (r *restorer) beginFrames(frames []BackupFrame, merge bool) error {
	if !slices.ContainsFunc(frames[1:], func(f BackupFrame) bool { return f.Kind != BackupErased }) {
		if stands, err := unfinished(r.ctx, r.engine); err != nil || stands != "" {
			return err // into a store that another backup fills
		}
	}
	return r.begin(frames[0].Header.ID, merge)
}

// isEmpty reports whether a store holds nothing but what a service makes to be
// reached: tokens, sessions that were ended, the installation.
func isEmpty(ctx context.Context, engine Engine) (bool, error) {
	for _, log := range knownLogs() {
		entries, err := engine.Scan(ctx, log, ID{}, 1)
		if err != nil || len(entries) > 0 {
			return false, err
		}
		erased, err := engine.Tombstones(ctx, log, ID{}, 1)
		if err != nil || len(erased) > 0 {
			return false, err
		}
	}
	revisions, err := engine.SetRevisions(ctx)
	if err != nil {
		return false, err
	}
	for set := range revisions {
		if isAccess(set) || set == setInstallation {
			continue
		}
		docs, _, err := engine.List(ctx, set)
		if err != nil || len(docs) > 0 {
			return false, err
		}
	}
	return true, nil
}

// documents adds the documents that are missing, unless those there and those
// missing do not hold together: the store could not be opened any more.
func (r *restorer) documents(sets documentSets) error {
	if len(sets) == 0 {
		return nil
	}
	names := slices.Collect(knownSets())
	for _, set := range slices.Sorted(maps.Keys(sets)) {
		if !slices.Contains(names, set) {
			names = append(names, set)
		}
	}
	merged, missing := documentSets{}, documentSets{}
	for _, set := range names {
		stored, _, err := r.engine.List(r.ctx, set)
		if err != nil {
			return err
		}
		merged[set] = slices.Clone(stored)
		for _, d := range sets[set] {
			at, there := slices.BinarySearchFunc(stored, d.ID, func(s Document, id string) int { return cmp.Compare(s.ID, id) })
			if !there {
				missing[set] = append(missing[set], d)
				merged[set] = append(merged[set], d)
				continue
			}
			r.summary.Present++
			if !sameJSON(stored[at].Body, d.Body) {
				r.summary.Differing++
			}
		}
	}
	if _, err := merged.view(); err != nil {
		return fmt.Errorf("the staff documents of the backup and those of the store do not hold together: %w", err)
	}
	for _, set := range names {
		for _, d := range missing[set] {
			switch _, err := r.engine.Put(r.ctx, set, d); {
			case errors.Is(err, ErrStale): // somebody was first
				r.summary.Present++
				r.summary.Differing++
				continue
			case err != nil:
				return fmt.Errorf("put %s/%s: %w", set, d.ID, err)
			}
			r.summary.Added++
			switch set {
			case setTokens:
				r.summary.Tokens = append(r.summary.Tokens, d.ID)
			case setDevices:
				var tablet kiosk.Device // it can be read: the view was made of it
				if err := json.Unmarshal(d.Body, &tablet); err == nil && tablet.Key != "" && tablet.Revoked == nil {
					r.summary.Devices = append(r.summary.Devices, tablet.ID+" "+tablet.Name)
				}
			}
		}
	}
	return nil
}

func (r *restorer) bury(t Tombstones) error {
	for _, log := range knownLogs() {
		for ids := range slices.Chunk(t[log.Name], PageSize) {
			if err := r.engine.Bury(r.ctx, log, ids); err != nil {
				return err
			}
		}
	}
	return nil
}

// entries appends entries as they were stored: they were accepted once. The
// engine never takes one that was erased. An answer that is there with another
// receipt is there: what is stored stays.
func (r *restorer) entries(f *BackupFrame) error {
	entries := f.entries()
	outcomes, err := r.engine.Append(r.ctx, f.log(), entries)
	var count RestoredLog
	for i, o := range outcomes {
		if o == Conflict && f.log() == responseLog {
			var failed error
			if o, failed = sameButReceipt(r.ctx, r.engine, r.digestKey, &entries[i]); failed != nil {
				err = cmp.Or(err, failed)
			}
		}
		switch o {
		case Stored:
			count.Stored++
		case Duplicate:
			count.Duplicate++
		case Withdrawn:
			count.Withdrawn++
		case Conflict:
			count.Conflict++
			if len(r.summary.Conflicts) < listedConflicts {
				r.summary.Conflicts = append(r.summary.Conflicts, survey.ID(entries[i].ID))
			}
		default:
			err = cmp.Or(err, ErrUnavailable)
		}
	}
	r.summary.count(f.Log, count)
	return err
}

// finish proves that every entry of the backup has a place in the store, and
// lets the store be opened.
func (r *restorer) finish(footer backupFooter) error {
	for _, log := range knownLogs() {
		live, erased, err := r.engine.Count(r.ctx, log)
		if err != nil {
			return err
		}
		if want := footer.Logs[log.Name]; live+erased < want.Entries || erased < want.Erased {
			return fmt.Errorf("%w: log %s has %d entries and %d erased ids, the backup %d and %d; restore again",
				ErrUnfinished, log.Name, live, erased, want.Entries, want.Erased)
		}
	}
	return clearUnfinished(r.ctx, r.engine)
}
