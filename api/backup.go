package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"sipas/api/store"
)

type backupCommand struct {
	storeFlags
	serviceFlags
	Out   string `required:"" help:"File to write, or - for the standard output."`
	Force bool   `help:"Replace the file when it is there."`
}

// Run writes a backup under another name first: one that was cut must not look
// like a whole one.
func (c *backupCommand) Run(t *terminal) (err error) {
	if c.Out == "-" {
		summary, err := c.write(t, t.stdout)
		if err == nil {
			_, err = fmt.Fprintln(t.stderr, describeBackup(summary))
		}
		return err
	}
	if _, err := os.Lstat(c.Out); err == nil && !c.Force {
		return fmt.Errorf("%s is there already; choose another name, or --force", c.Out)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A name that nobody has, readable by its owner alone.
	f, err := os.CreateTemp(filepath.Dir(c.Out), filepath.Base(c.Out)+".*.part")
	if err != nil {
		return err
	}
	part := f.Name()
	summary, err := c.write(t, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, c.Out); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	_, err = fmt.Fprintf(t.stdout, "%s: %s\n", c.Out, describeBackup(summary))
	return err
}

// write writes a backup of the store, or of the one behind a service.
func (c *backupCommand) write(t *terminal, w io.Writer) (summary store.BackupSummary, err error) {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return summary, err
		}
		return receiveBackup(t.ctx, client, w)
	}
	st, err := c.openExisting(t.ctx, "backup", quietLogger(t.stderr))
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return st.Backup(t.ctx, w, store.BackupOptions{Program: version(), Made: now(), Random: rand.Reader})
}

// receiveBackup writes what a service sends and proves on the way that all of it
// came.
func receiveBackup(ctx context.Context, c *client, w io.Writer) (store.BackupSummary, error) {
	body, err := c.backup(ctx)
	if err != nil {
		return store.BackupSummary{}, err
	}
	summary, err := store.ReadBackup(io.TeeReader(body, w), nil, nil)
	return summary, errors.Join(err, body.Close())
}

// backupTimeLayout is how the time is told at which a backup was made.
const backupTimeLayout = "2006-01-02 15:04:05 UTC"

func describeBackup(s store.BackupSummary) string {
	r := s.Responses()
	return fmt.Sprintf("backup %s of %s, %d answers, %d withdrawn, %d staff documents",
		s.ID, s.Made.Format(backupTimeLayout), r.Entries, r.Erased, s.Documents())
}

// verifyBackupFile proves that a file is a whole backup, and with the root
// secret that it is an unaltered one of this installation.
func verifyBackupFile(t *terminal, path string, secret *store.Secret) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	bar := newProgress(t.stderr, info.Size(), "verify", true)
	summary, err := store.ReadBackup(&contextReader{t.ctx, io.TeeReader(f, bar)}, secret, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	proven := "whole and unaltered"
	if secret == nil {
		proven = "whole; without the root secret nobody can tell whether it was altered"
	}
	_, err = fmt.Fprintf(t.stdout, "%s: %s\n%s: %s\n", path, describeBackup(summary), path, proven)
	return err
}

// contextReader ends with a context.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
