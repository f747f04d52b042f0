package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"
)

// walkLog goes through a log of both sides in the order of ids. With write it
// brings what the target lacks; without it, it counts and digests both sides.
func (c *copier) walkLog(ctx context.Context, log *Log, write bool) ([]CopyPart, CopyConflictError, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var w *copyWriter
	if write {
		w = newCopyWriter(ctx, c, log)
		ctx = w.ctx
	}
	conflict, parts, err := c.mergeLog(ctx, log, w)
	if w != nil {
		err = w.wait(err)
	}
	return parts, conflict, err
}

// passedEvery is after how many ids progress is told.
const passedEvery = 1000

func (c *copier) mergeLog(ctx context.Context, log *Log, w *copyWriter) (CopyConflictError, []CopyPart, error) {
	var conflict CopyConflictError
	from, to := newStandings(ctx, c.from, log), newStandings(ctx, c.to, log)
	live, gone := newPartDigest(log.Name), newPartDigest(log.Name+", withdrawn")
	for n := int64(1); ; n++ {
		a, err := from.peek()
		if err != nil {
			return conflict, nil, fmt.Errorf("the source: %w", err)
		}
		b, err := to.peek()
		if err != nil {
			return conflict, nil, fmt.Errorf("the target: %w", err)
		}
		if n%passedEvery == 0 {
			c.passed(passedEvery)
		}
		if a == nil && b == nil {
			c.passed(n % passedEvery)
			return conflict, []CopyPart{live.part(), gone.part()}, nil
		}
		switch {
		case b == nil || a != nil && bytes.Compare(a.ID[:], b.ID[:]) < 0:
			b = nil
		case a == nil || a.ID != b.ID:
			a = nil
		}
		if a != nil {
			from.skip()
		}
		if b != nil {
			to.skip()
		}
		if w != nil {
			w.bring(a, b)
			continue
		}
		conflict.note(a, b)
		live.add(a, b, false)
		gone.add(a, b, true)
	}
}

// note counts what no copy can make equal: a is an id in the source, b the same
// in the target, nil where it is unknown.
func (e *CopyConflictError) note(a, b *standing) {
	switch {
	case b == nil:
	case b.Erased && (a == nil || !a.Erased):
		e.Withdrawn++
	case b.Erased:
	case a == nil:
		e.Surplus++
	case !a.Erased && !a.same(b):
		e.Changed++
	}
}

// copyWriter writes to the target in large pieces while the walk reads on.
type copyWriter struct {
	*copier
	log    *Log
	ctx    context.Context
	group  *errgroup.Group
	append []Entry
	size   int
	bury   []ID
}

// copyWriters is how many pieces are written at once, and copyPiece the bytes of
// one, about.
const (
	copyWriters = 2
	copyPiece   = 4 << 20
)

func newCopyWriter(ctx context.Context, c *copier, log *Log) *copyWriter {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(copyWriters)
	return &copyWriter{copier: c, log: log, ctx: ctx, group: group}
}

// bring writes what the target lacks of an id.
func (w *copyWriter) bring(a, b *standing) {
	switch {
	case a == nil:
	case a.Erased && (b == nil || !b.Erased):
		if w.bury = append(w.bury, a.ID); len(w.bury) == PageSize {
			w.flush()
		}
	case !a.Erased && b == nil:
		w.append = append(w.append, a.Entry)
		for _, v := range a.Values {
			w.size += len(v)
		}
		if len(w.append) == PageSize || w.size > copyPiece {
			w.flush()
		}
	}
}

func (w *copyWriter) flush() {
	entries, ids := w.append, w.bury
	w.append, w.bury, w.size = nil, nil, 0
	w.group.Go(func() error {
		if len(ids) > 0 {
			if err := w.to.Bury(w.ctx, w.log, ids); err != nil {
				return fmt.Errorf("the target: %w", err)
			}
		}
		if len(entries) > 0 {
			// A conflict, or an answer that was withdrawn there, is found by comparing.
			if _, err := w.to.Append(w.ctx, w.log, entries); err != nil {
				return fmt.Errorf("the target: %w", err)
			}
		}
		w.appended.Add(int64(len(entries)))
		w.buried.Add(int64(len(ids)))
		return nil
	})
}

// wait writes the rest and returns the first error: a walk that a failed write
// ended has an error of its own.
func (w *copyWriter) wait(walked error) error {
	if walked == nil {
		w.flush()
	}
	if err := w.group.Wait(); err != nil {
		return err
	}
	return walked
}

// walkSets goes through all sets of documents of both sides. With write it makes
// the target's equal; without it, it counts and digests both sides. The set of
// the installation comes first: what is written under another root secret is of
// no use.
func (c *copier) walkSets(ctx context.Context, write bool) ([]CopyPart, CopyConflictError, error) {
	var conflict CopyConflictError
	names, err := c.sets(ctx)
	if err != nil {
		return nil, conflict, err
	}
	var parts []CopyPart
	for _, name := range names {
		from, err := listCopied(ctx, c.from, name)
		if err != nil {
			return nil, conflict, fmt.Errorf("the source: %w", err)
		}
		to, err := listCopied(ctx, c.to, name)
		if err != nil {
			return nil, conflict, fmt.Errorf("the target: %w", err)
		}
		if write {
			if err := c.writeSet(ctx, name, from, to); err != nil {
				return nil, conflict, fmt.Errorf("the target: %w", err)
			}
			continue
		}
		digest := newPartDigest("set " + name)
		bodies := map[string]string{}
		for _, d := range from {
			digest.from.document(d.ID, d.Body)
			bodies[d.ID] = string(d.Body)
		}
		for _, d := range to {
			digest.to.document(d.ID, d.Body)
			if body, ok := bodies[d.ID]; !ok || body != string(d.Body) {
				conflict.Documents++
			}
		}
		parts = append(parts, digest.part())
	}
	return parts, conflict, nil
}

// sets names the sets that either side ever had.
func (c *copier) sets(ctx context.Context) ([]string, error) {
	names := []string{setInstallation}
	for _, engine := range []Engine{c.from, c.to} {
		revisions, err := engine.SetRevisions(ctx)
		if err != nil {
			return nil, err
		}
		for name := range revisions {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names[1:])
	return names, nil
}

// listCopied returns the documents of a set with canonical bodies, but for the
// mark of a copy, which is the target's own.
func listCopied(ctx context.Context, engine Engine, set string) ([]Document, error) {
	docs, _, err := engine.List(ctx, set)
	if err != nil {
		return nil, err
	}
	docs = slices.DeleteFunc(docs, func(d Document) bool { return set == setInstallation && d.ID == unfinishedID })
	for i := range docs {
		if docs[i].Body, err = canonicalJSON(docs[i].Body); err != nil {
			return nil, fmt.Errorf("%w: %s/%s: %w", ErrCorrupt, set, docs[i].ID, err)
		}
	}
	return docs, nil
}

// writeSet makes the documents of the target those of the source.
func (c *copier) writeSet(ctx context.Context, set string, from, to []Document) error {
	there := make(map[string]Document, len(to))
	for _, d := range to {
		there[d.ID] = d
	}
	for _, d := range from {
		old, ok := there[d.ID]
		delete(there, d.ID)
		if ok && bytes.Equal(old.Body, d.Body) {
			continue
		}
		if _, err := c.to.Put(ctx, set, Document{ID: d.ID, Revision: old.Revision, Body: d.Body}); err != nil {
			return fmt.Errorf("put %s/%s: %w", set, d.ID, err)
		}
		c.result.Documents++
	}
	for id, d := range there {
		if err := c.to.Delete(ctx, set, id, d.Revision); err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("delete %s/%s: %w", set, id, err)
		}
		c.result.Documents++
	}
	return nil
}
