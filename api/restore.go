package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"sipas/api/store"
)

type restoreCommand struct {
	storeFlags
	serviceFlags
	File       string   `required:"" help:"Backup to bring back."`
	Merge      bool     `help:"Add to a store that is not empty: what is there stays, what is missing comes."`
	Tombstones []string `sep:"none" help:"Another backup, or a store (a folder or mongodb://…), whose withdrawals hold too. May be repeated."`
}

// Run restores a backup and tells what became of it. A conflict ends it with
// exit code 1, when everything else is in place.
func (c *restoreCommand) Run(t *terminal) error {
	// First of all: without a backup nothing else is worth asking for.
	made, err := backupTime(t.ctx, c.File)
	if err != nil {
		return err
	}
	until, everything, err := c.withdrawnUntil(t.ctx, made)
	if err != nil {
		return err
	}
	restore := c.direct
	if c.URL != "" {
		restore = c.through
	}
	summary, err := restore(t)
	var refused *serviceError
	if errors.Is(err, store.ErrNotEmpty) || errors.As(err, &refused) && refused.Code == "store_not_empty" {
		return errors.New("the store holds something already; --merge adds what is missing and changes nothing that is there")
	}
	if err != nil {
		return err
	}
	r := summary.Responses()
	fmt.Fprintf(t.stdout, "answers: %d stored, %d there before, %d withdrawn, %d in conflict\n", r.Stored, r.Duplicate, r.Withdrawn, r.Conflict)
	fmt.Fprintf(t.stdout, "staff documents: %d added, %d there before, %d of them other than in the backup\n", summary.Added, summary.Present, summary.Differing)
	if len(summary.Tokens) > 0 {
		fmt.Fprintf(t.stdout, "access tokens that came back; revoke again those that were revoked since the backup (sipas token list, sipas token revoke --name …):\n  %s\n", strings.Join(summary.Tokens, "\n  "))
	}
	if len(summary.Devices) > 0 {
		fmt.Fprintf(t.stdout, "tablets that came back; revoke again those that were revoked since the backup (sipas device revoke ID):\n  %s\n", strings.Join(summary.Devices, "\n  "))
	}
	// Where some of them were before, those withdrawn there stay withdrawn.
	if r.Stored+r.Duplicate > 0 && !everything && (!c.Merge || r.Duplicate == 0) {
		fmt.Fprintf(t.stdout, "answers withdrawn after %s are back; if you have a newer backup or the lost store, run again with --merge --tombstones …\n", until.Format(backupTimeLayout))
	}
	if n := summary.Conflicting(); n > 0 {
		fmt.Fprintf(t.stderr, "sipas: %d entries of the backup say other than those under the same id, which stay:\n", n)
		for _, id := range summary.Conflicts {
			fmt.Fprintf(t.stderr, "  %s\n", id)
		}
		return errSilent
	}
	return nil
}

// withdrawnUntil returns until when the withdrawals are known, by a backup made
// then and those that --tombstones names; everything when a store is among them.
func (c *restoreCommand) withdrawnUntil(ctx context.Context, made time.Time) (until time.Time, everything bool, err error) {
	until = made
	for _, source := range c.Tombstones {
		if info, err := os.Stat(source); isMongoDB(source) || err == nil && info.IsDir() {
			everything = true
			continue
		}
		made, err := backupTime(ctx, source)
		if err != nil {
			return until, everything, err
		}
		if made.After(until) {
			until = made
		}
	}
	return until, everything, nil
}

// backupTime reads from the header of a backup when it was made. Nothing is
// proven by it.
func backupTime(ctx context.Context, path string) (time.Time, error) {
	var made time.Time
	err := readBackup(ctx, path, func(f store.BackupFrame) error {
		made = f.Header.Made
		return errRead
	})
	if errors.Is(err, errRead) {
		err = nil
	}
	return made, err
}

// errRead stops reading when enough was read.
var errRead = errors.New("read")

// direct restores into a store that this process opens.
func (c *restoreCommand) direct(t *terminal) (summary store.RestoreSummary, err error) {
	secret, err := c.existingSecret()
	if err != nil {
		return summary, err
	}
	o := store.RestoreOptions{Merge: c.Merge}
	for _, source := range c.Tombstones {
		stones, err := readTombstones(t, source, secret)
		if err != nil {
			return summary, fmt.Errorf("%s: %w", locationName(source), err)
		}
		o.Tombstones = append(o.Tombstones, stones)
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return summary, err
	}
	bar := newProgress(t.stderr, 2*info.Size(), "proven, then restored", true)
	open := func() (io.ReadCloser, error) {
		f, err := os.Open(c.File)
		if err != nil {
			return nil, err
		}
		return struct {
			io.Reader
			io.Closer
		}{io.TeeReader(f, bar), f}, nil
	}
	engine, err := openEngine(t.ctx, c.location(), "restore", "", quietLogger(t.stderr))
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	return store.Restore(t.ctx, engine, secret, open, o)
}

// existingSecret is the root secret, which the backup was made with: a new one
// would fit no backup, and is not made.
func (c *restoreCommand) existingSecret() (store.Secret, error) {
	if c.Secret != "" {
		return c.secret()
	}
	secret, ok, err := store.FindSecret(c.Data)
	if err == nil && !ok {
		err = fmt.Errorf("%s has no root secret: put the secret.key there that the backup was made with, or set SIPAS_SECRET to what is in it", c.Data)
	}
	return secret, err
}

// readTombstones reads what was withdrawn according to a backup or a store.
func readTombstones(t *terminal, source string, secret store.Secret) (stones store.Tombstones, err error) {
	if !isMongoDB(source) {
		info, err := os.Stat(source)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			f, err := os.Open(source)
			if err != nil {
				return nil, err
			}
			stones, err := store.BackupTombstones(&contextReader{t.ctx, f}, secret)
			return stones, errors.Join(err, f.Close())
		}
		if ok, err := store.HasFile(source); err != nil || !ok {
			return nil, errors.Join(err, errors.New("there is no store"))
		}
	}
	engine, err := openEngine(t.ctx, source, "restore", "", quietLogger(t.stderr))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, engine.Close()) }()
	return store.StoreTombstones(t.ctx, engine, secret)
}

// restoreBatch is about how many bytes of a backup are sent at once.
const restoreBatch = 4 << 20

// through restores into the store of a running service, whose token must have
// the right restore. The service proves every frame; this end proves first that
// the file is whole.
func (c *restoreCommand) through(t *terminal) (store.RestoreSummary, error) {
	client, err := newClient(c.serviceFlags, t.stderr)
	if err != nil {
		return store.RestoreSummary{}, err
	}
	file, err := readAhead(t.ctx, c.File, func(*store.BackupFrame) bool { return true })
	if err != nil {
		return store.RestoreSummary{}, err
	}
	var newer []*aheadFrames
	for _, source := range c.Tombstones {
		info, err := os.Stat(source)
		if isMongoDB(source) || err == nil && info.IsDir() {
			return store.RestoreSummary{}, fmt.Errorf("%s: a service takes the withdrawals of a backup only; make one of that store first", locationName(source))
		}
		ahead, err := readAhead(t.ctx, source, (*store.BackupFrame).HoldElsewhere)
		if err != nil {
			return store.RestoreSummary{}, err
		}
		newer = append(newer, ahead)
	}
	s := &sender{ctx: t.ctx, client: client, merge: c.Merge}
	s.begin(file.header)
	// The service checks that all documents hold together: they go at once.
	s.batch.Write(bytes.Join(file.documents, nil))
	s.flush()
	s.lines(file.erased)
	for _, ahead := range newer {
		s.begin(ahead.header)
		s.lines(ahead.erased)
	}
	s.begin(file.header)
	if err := s.entries(c.File); err != nil {
		return s.summary, err
	}
	s.lines([][]byte{file.footer})
	return s.summary, s.err
}

// aheadFrames are the lines of a whole backup that go before or after the
// answers.
type aheadFrames struct {
	header, footer    []byte
	documents, erased [][]byte
}

// readAhead reads those lines of a backup that are wanted, the header at any rate.
func readAhead(ctx context.Context, path string, wanted func(*store.BackupFrame) bool) (*aheadFrames, error) {
	a := &aheadFrames{}
	err := readBackup(ctx, path, func(f store.BackupFrame) error {
		if f.Kind != store.BackupHeader && !wanted(&f) {
			return nil
		}
		switch f.Kind {
		case store.BackupHeader:
			a.header = bytes.Clone(f.Line)
		case store.BackupLog, store.BackupDocuments:
			a.documents = append(a.documents, bytes.Clone(f.Line))
		case store.BackupErased:
			a.erased = append(a.erased, bytes.Clone(f.Line))
		case store.BackupFooter:
			a.footer = bytes.Clone(f.Line)
		}
		return nil
	})
	return a, err
}

// readBackup reads a backup without the root secret.
func readBackup(ctx context.Context, path string, each func(store.BackupFrame) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = store.ReadBackup(&contextReader{ctx, f}, nil, each)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// sender sends lines in batches. After an error it sends nothing more.
type sender struct {
	ctx     context.Context
	client  *client
	merge   bool
	header  []byte
	batch   bytes.Buffer // header and lines
	frames  int
	summary store.RestoreSummary
	err     error
}

// begin sends what waits, and lines of a backup with this header from now on.
func (s *sender) begin(header []byte) {
	s.flush()
	s.header = header
	s.batch.Reset()
	s.batch.Write(header)
}

func (s *sender) lines(lines [][]byte) {
	for _, line := range lines {
		if s.frames == store.MaxFrames || s.batch.Len()+len(line) > restoreBatch {
			s.flush()
		}
		s.batch.Write(line)
		s.frames++
	}
	s.flush()
}

// entries sends the answers, in a second pass over the file.
func (s *sender) entries(path string) error {
	err := readBackup(s.ctx, path, func(f store.BackupFrame) error {
		switch f.Kind {
		case store.BackupHeader:
			if !bytes.Equal(f.Line, s.header) {
				return fmt.Errorf("%w: it was replaced meanwhile", store.ErrBackup)
			}
		case store.BackupEntries:
			if s.frames == store.MaxFrames || s.batch.Len()+len(f.Line) > restoreBatch {
				s.flush()
			}
			s.batch.Write(f.Line)
			s.frames++
		}
		return s.err
	})
	if err != nil {
		return err
	}
	s.flush()
	return s.err
}

// flush sends what waits.
func (s *sender) flush() {
	if s.err != nil || s.batch.Len() <= len(s.header) {
		return
	}
	var part store.RestoreSummary
	part, s.err = s.client.restore(s.ctx, slices.Clone(s.batch.Bytes()), s.merge)
	s.summary.Add(part)
	s.batch.Reset()
	s.batch.Write(s.header)
	s.frames = 0
}
