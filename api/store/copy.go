package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// copyPasses bounds how often a copy goes through a source that changes
// meanwhile.
const copyPasses = 5

// Errors of [Copy].
var (
	// ErrNothing: the source holds no store.
	ErrNothing = errors.New("store: there is nothing to copy")
	// ErrChanging: the source changed in every pass, or the target cannot be made
	// equal.
	ErrChanging = errors.New("store: source and target still differ after several passes; stop whatever writes to them and run the same command again")
)

// CopyResult tells what a copy did, and proves it.
type CopyResult struct {
	// Appended entries, Buried ids and Documents written or deleted by this call;
	// all zero when the target was equal before.
	Appended, Buried, Documents int64
	// Parts of the last comparison, every one of both sides; nil when nothing was
	// compared.
	Parts []CopyPart
}

// Equal reports whether everything was compared and is the same.
func (r *CopyResult) Equal() bool {
	for _, p := range r.Parts {
		if !p.Equal() {
			return false
		}
	}
	return len(r.Parts) > 0
}

// CopyPart is one log, the withdrawn ids of one log, or one set of documents.
type CopyPart struct {
	Name     string
	From, To CopySide
}

// CopySide is a part as one of the engines has it: how many there are, and a
// SHA-256 over all of it that was computed from what this engine returned alone.
type CopySide struct {
	Count  int64
	Digest [32]byte
}

// Equal reports whether both sides have the same.
func (p CopyPart) Equal() bool { return p.From == p.To }

// CopyConflictError says that the target has what the source has not, so that
// no copy can make them equal. Nothing of that was changed.
type CopyConflictError struct {
	// Surplus entries are in the target alone; Changed ones are otherwise in the
	// source; Withdrawn ones were withdrawn in the target alone.
	Surplus, Changed, Withdrawn int64
	// Documents of the target that the source lacks or has otherwise.
	Documents int64
}

// Error tells the counts.
func (e *CopyConflictError) Error() string {
	var what []string
	for _, c := range []struct {
		n    int64
		text string
	}{
		{e.Surplus, "holds %d answers or exclusions that the source does not"}, {e.Changed, "holds %d answers or exclusions otherwise than the source"},
		{e.Withdrawn, "has %d answers as withdrawn that the source has not"}, {e.Documents, "has %d staff documents that the source lacks or has otherwise"},
	} {
		if c.n > 0 {
			what = append(what, fmt.Sprintf(c.text, c.n))
		}
	}
	return "store: the target " + strings.Join(what, ", ") + ": it was used by itself, and is not overwritten; copy to an empty place"
}

// Copy brings everything in from over to to: every log with its tombstones,
// entries as they are, and every set of documents. It then compares all of both
// and returns nil only when they are the same.
//
// What is there already is only read, so that a copy that was interrupted goes on
// and a second one changes nothing. Until the end the target is marked, and
// [Open] refuses it with ErrUnfinished. Nothing but this copy may write to the
// target. The source may be in use: what changed is copied in another pass, and
// ErrChanging says that there was always more.
//
// source names from in the mark, so that the copy of another source does not go
// on with this one; people read it, and it must not hold a password. progress
// may be nil; total grows with every further pass.
//
// A source that is not whole gives ErrUnfinished, an empty one ErrNothing, a
// target of another root secret ErrSecret, one that was used by itself a
// [*CopyConflictError]; the target is then as it was.
func Copy(ctx context.Context, from, to Engine, source string, progress func(done, total int64)) (CopyResult, error) {
	c := &copier{from: from, to: to, progress: progress}
	err := c.run(ctx, "copy from "+source)
	c.result.Appended, c.result.Buried = c.appended.Load(), c.buried.Load()
	return c.result, err
}

func (c *copier) run(ctx context.Context, what string) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	stands, err := unfinished(ctx, c.to)
	if err != nil {
		return err
	}
	if stands == "" {
		// Nothing is written before it is known that the target can become equal.
		// From then on whatever documents it has beside the source's, the source had
		// when this copy began.
		if equal, err := c.compare(ctx, false); err != nil || equal {
			return err
		}
	}
	if err := markUnfinished(ctx, c.to, what); err != nil {
		return err
	}
	for range copyPasses {
		if err := c.bring(ctx); err != nil {
			return err
		}
		equal, err := c.compare(ctx, true)
		if err != nil {
			return err
		}
		if equal {
			return clearUnfinished(ctx, c.to)
		}
	}
	return ErrChanging
}

// CheckSource refuses what [Copy] refuses of a source, before a target is made
// for it: ErrNothing, ErrUnfinished, and ErrSecret where the store was made with
// another root secret.
func CheckSource(ctx context.Context, from Engine, secret Secret) error {
	if err := checkSource(ctx, from); err != nil {
		return err
	}
	return checkSecret(ctx, from, secret)
}

func checkSource(ctx context.Context, from Engine) error {
	revisions, err := from.SetRevisions(ctx)
	if err == nil && len(revisions) == 0 {
		return ErrNothing
	}
	if err == nil {
		err = checkUnfinished(ctx, from)
	}
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	return nil
}

// check refuses what cannot be copied.
func (c *copier) check(ctx context.Context) error {
	if c.from == c.to {
		return errors.New("store: source and target are the same")
	}
	if err := checkSource(ctx, c.from); err != nil {
		return err
	}
	source, err := storedFingerprint(ctx, c.from)
	if err != nil {
		return fmt.Errorf("the source: %w", err)
	}
	target, err := storedFingerprint(ctx, c.to)
	if err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	if target != "" && target != source {
		return fmt.Errorf("%w: the target was made with another one than the source", ErrSecret)
	}
	return nil
}

// storedFingerprint returns that of the root secret that a store was made with, "" in
// one that has none yet.
func storedFingerprint(ctx context.Context, engine Engine) (string, error) {
	doc, err := engine.Get(ctx, setInstallation, secretID)
	if errors.Is(err, ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var d secretDocument
	if err := json.Unmarshal(doc.Body, &d); err != nil {
		return "", fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, setInstallation, secretID, err)
	}
	return d.Fingerprint, nil
}

// bring writes what the target lacks: documents first, so that the round of
// every answer is there.
func (c *copier) bring(ctx context.Context) error {
	if _, _, err := c.walkSets(ctx, true); err != nil {
		return err
	}
	for _, log := range knownLogs() {
		if _, err := c.count(ctx, log); err != nil {
			return err
		}
		if _, _, err := c.walkLog(ctx, log, true); err != nil {
			return err
		}
	}
	return nil
}

// compare reads everything of both sides and reports whether it is the same.
// What no copy can make equal is a [*CopyConflictError]; ours says that the
// documents of the target are this copy's to change.
func (c *copier) compare(ctx context.Context, ours bool) (bool, error) {
	// An answer that is withdrawn in the middle of a pass may be seen neither as
	// an entry nor as a tombstone. It is seen in the next.
	for again := false; ; again = true {
		conflict, err := c.differ(ctx, ours)
		if err != nil {
			return false, err
		}
		if ours {
			conflict.Documents = 0
		}
		if conflict == (CopyConflictError{}) {
			return c.result.Equal(), nil
		}
		if again {
			return false, &conflict
		}
	}
}

// differ compares everything and puts the parts into the result. Before a copy
// began, a log that is empty in the target alone is not read: it differs.
func (c *copier) differ(ctx context.Context, ours bool) (CopyConflictError, error) {
	parts, d, err := c.walkSets(ctx, false)
	if err != nil {
		return d, err
	}
	for _, log := range knownLogs() {
		live, erased, err := c.to.Count(ctx, log)
		if err != nil {
			return d, err
		}
		expected, err := c.count(ctx, log)
		if err != nil {
			return d, err
		}
		if !ours && live+erased == 0 && expected > 0 {
			c.passed(expected)
			parts = append(parts, CopyPart{Name: log.Name, From: CopySide{Count: expected}})
			continue
		}
		more, of, err := c.walkLog(ctx, log, false)
		if err != nil {
			return d, err
		}
		parts = append(parts, more...)
		d.add(of)
	}
	c.result.Parts = parts
	return d, nil
}

// copier is one copy under way.
type copier struct {
	from, to    Engine
	progress    func(done, total int64)
	done, total int64
	result      CopyResult
	// appended and buried are counted by several writers.
	appended, buried atomic.Int64
}

// count returns how many ids a log of the source has, and adds them to the total
// that a walk will pass.
func (c *copier) count(ctx context.Context, log *Log) (int64, error) {
	live, erased, err := c.from.Count(ctx, log)
	c.total += live + erased
	return live + erased, err
}

// passed tells the progress.
func (c *copier) passed(n int64) {
	c.done += n
	if c.progress != nil {
		c.progress(c.done, max(c.done, c.total))
	}
}

// add sums two counts.
func (e *CopyConflictError) add(o CopyConflictError) {
	e.Surplus += o.Surplus
	e.Changed += o.Changed
	e.Withdrawn += o.Withdrawn
	e.Documents += o.Documents
}
