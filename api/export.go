package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

type exportCommand struct {
	storeFlags
	serviceFlags
	Round string `required:"" help:"Round whose answers to write."`
	Out   string `help:"File to write; default: the terminal."`
}

func (c *exportCommand) Run(t *terminal) (err error) {
	if c.Out == "" {
		_, err = c.write(t, t.stdout)
		return err
	}
	// An export that was cut must not look like a whole one.
	// A name that nobody has, readable by its owner alone.
	f, err := os.CreateTemp(filepath.Dir(c.Out), filepath.Base(c.Out)+".*.part")
	if err != nil {
		return err
	}
	part := f.Name()
	n, err := c.write(t, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, c.Out); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	_, err = fmt.Fprintf(t.stderr, "%d answers in %s\n", n, c.Out)
	return err
}

// write exports from the store, or from the one behind a service, and returns how
// many answers there were.
func (c *exportCommand) write(t *terminal, w io.Writer) (n int, err error) {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return 0, err
		}
		return exportThrough(t.ctx, client, c.Round, w)
	}
	st, err := c.openExisting(t.ctx, "export", quietLogger(t.stderr))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if st.View().Rounds[c.Round] == nil {
		return 0, fmt.Errorf("there is no round %q", c.Round)
	}
	return st.Export(t.ctx, w, c.Round)
}

// exportThrough exports from a running service, whose token must have the right
// export.
func exportThrough(ctx context.Context, client *client, round string, w io.Writer) (int, error) {
	body, err := client.export(ctx, round)
	if err != nil {
		return 0, err
	}
	lines := lineCounter{w: w}
	_, err = io.Copy(&lines, body)
	return max(lines.n-1, 0), errors.Join(err, body.Close())
}

// lineCounter counts the records of a CSV that is written through it.
type lineCounter struct {
	w      io.Writer
	n      int
	quoted bool
}

func (c *lineCounter) Write(p []byte) (int, error) {
	for _, b := range p {
		switch {
		case b == '"':
			c.quoted = !c.quoted
		case b == '\n' && !c.quoted:
			c.n++
		}
	}
	return c.w.Write(p)
}
