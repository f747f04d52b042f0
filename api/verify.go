package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"sipas/api/analysis"
	"sipas/api/store"
)

type verifyCommand struct {
	storeFlags
	serviceFlags
	Backup string `type:"existingfile" placeholder:"FILE" help:"Prove that this backup is whole, and with the root secret that it is unaltered, in place of the store."`
	Kept   bool   `help:"Promise that the file of --backup is stored safely elsewhere: tablets may then forget the answers that it has. Told to the service (--url, with a token of the right backup), or the store, when the backup is proven and not before."`
}

// Run ends with exit code 1 when something does not agree.
func (c *verifyCommand) Run(t *terminal) error {
	if c.Backup != "" {
		secret, err := c.backupSecret()
		if err != nil {
			return err
		}
		if err := verifyBackupFile(t, c.Backup, secret); err != nil || !c.Kept {
			return err
		}
		return c.keep(t)
	}
	if c.Kept {
		return errors.New("--kept is a promise about a backup: name it with --backup FILE")
	}
	v, err := c.verify(t)
	if err != nil {
		return err
	}
	if err := printVerification(t.stdout, &v); err != nil {
		return err
	}
	if len(v.Faults) > 0 {
		return errSilent
	}
	return nil
}

// keep lets tablets forget the answers that a verified backup has. Reading it once more
// proves again that it is whole, should it be another file by now.
func (c *verifyCommand) keep(t *terminal) error {
	var covers []store.Cover
	var answers int64
	err := readBackup(t.ctx, c.Backup, func(f store.BackupFrame) error {
		list, err := store.Covers(f)
		for _, cover := range list {
			answers += cover.Received.Len()
		}
		covers = append(covers, list...)
		return err
	})
	if err != nil {
		return err
	}
	if len(covers) > 0 {
		if err := c.cover(t, covers); err != nil {
			return fmt.Errorf("tell that the backup is kept: %w", err)
		}
	}
	_, err = fmt.Fprintf(t.stdout, "%s: covers %s of tablets, which may forget them\n", c.Backup, counted(answers, "answer"))
	return err
}

func (c *verifyCommand) cover(t *terminal, covers []store.Cover) error {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return err
		}
		return client.cover(t.ctx, covers)
	}
	st, err := c.openExisting(t.ctx, "verify", quietLogger(t.stderr))
	if err != nil {
		return err
	}
	return errors.Join(st.CoverTablets(t.ctx, covers), st.Close())
}

// backupSecret returns the root secret where there is one: a backup can be on a
// machine that must not know it.
func (c *verifyCommand) backupSecret() (*store.Secret, error) {
	if c.Secret == "" {
		secret, ok, err := store.FindSecret(c.Data)
		if !ok {
			return nil, err
		}
		return &secret, err
	}
	secret, err := c.secret()
	return &secret, err
}

func (c *verifyCommand) verify(t *terminal) (v analysis.Verification, err error) {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return v, err
		}
		return client.verify(t.ctx)
	}
	log := quietLogger(t.stderr)
	st, err := c.openExisting(t.ctx, "verify", log)
	if err != nil {
		return v, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	a := analysis.New(st, log, now, version())
	if err := a.Load(t.ctx); err != nil {
		return v, err
	}
	return a.Verify(t.ctx)
}

// faultTexts says what each kind of fault is. A service of a later version may
// know more.
var faultTexts = map[string]string{
	store.FaultUnreadable: "entries that cannot be read",
	store.FaultDigest:     "answers whose content does not fit their digest",
	store.FaultReceipt:    "answers that are not found by their receipt",
	store.FaultTwice:      "answers that are there and withdrawn at once",
	store.FaultExclusion:  "exclusions of answers that never were",
	store.FaultDocuments:  "staff documents that do not hold together",
	analysis.FaultMissing: "stored answers that no report counts",
	analysis.FaultSurplus: "answers that reports count and the store does not hold",
	analysis.FaultDiffers: "answers that reports have otherwise than the store",
}

// counted says how many of something there are; the word takes an s.
func counted(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func printVerification(w io.Writer, v *analysis.Verification) error {
	fmt.Fprintf(w, "store: %s, %d withdrawn, %s; %s looked up, as a sample\n",
		counted(v.Responses, "answer"), v.Withdrawn, counted(v.Exclusions, "exclusion"), counted(v.Receipts, "receipt"))
	fmt.Fprintf(w, "reports: %s, and %d left out whose round or instrument is missing or does not fit\n", counted(v.Columns, "answer"), v.LeftOut)
	for _, f := range v.Faults {
		text := faultTexts[f.Kind]
		if text == "" {
			text = f.Kind
		}
		fmt.Fprintf(w, "WRONG: %d %s: %s\n", f.Count, text, strings.Join(f.Examples, ", "))
	}
	end := "everything agrees"
	if len(v.Faults) > 0 {
		end = "store and reports do not agree"
	}
	_, err := fmt.Fprintln(w, end)
	return err
}
