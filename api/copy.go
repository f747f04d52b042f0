package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sipas/api/analysis"
	"sipas/api/store"
)

type copyCommand struct {
	From   string `required:"" env:"SIPAS_COPY_FROM" help:"Where to copy from: a folder, or mongodb://…"`
	To     string `required:"" env:"SIPAS_COPY_TO" help:"Where to copy to: a folder, or mongodb://…"`
	Secret string `env:"SIPAS_SECRET" help:"Root secret, 64 hexadecimal digits. Without it, the one in the folder of the two that has one."`
}

// copyTries bounds how often a copy of a store in use is brought up to date,
// until the reports of both sides are the same.
const copyTries = 3

// Run copies everything, and ends with exit code 1 unless both sides are proven
// equal.
func (c *copyCommand) Run(t *terminal) (err error) {
	if err := c.checkLocations(); err != nil {
		return err
	}
	secret, err := c.secret()
	if err != nil {
		return err
	}
	log := quietLogger(t.stderr)
	from, err := openEngine(t.ctx, c.From, "copy", "", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := store.CheckSource(t.ctx, from, secret); err != nil {
		return err
	}
	to, err := openEngine(t.ctx, c.To, "copy", "", log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	started := now()
	result, err := c.copy(t, from, to, secret)
	return errors.Join(err, printCopy(t.stdout, result, now().Sub(started)))
}

// copy copies and proves, until the reports are equal too.
func (c *copyCommand) copy(t *terminal, from, to store.Engine, secret store.Secret) (store.CopyResult, error) {
	bar := newProgress(t.stderr, 1, "copied and compared", false)
	progress := func(done, total int64) {
		bar.ChangeMax64(total)
		// A bar that cannot be drawn must not stop a copy.
		_ = bar.Set64(done)
	}
	var all store.CopyResult
	for try := 1; ; try++ {
		result, err := store.Copy(t.ctx, from, to, locationName(c.From), progress)
		all.Appended += result.Appended
		all.Buried += result.Buried
		all.Documents += result.Documents
		all.Parts = result.Parts
		if err != nil {
			return all, err
		}
		if !isMongoDB(c.To) {
			// The folder is complete by itself.
			if err := store.KeepSecret(c.To, secret); err != nil {
				return all, err
			}
		}
		reports, err := compareReports(t, from, to, secret)
		if err != nil {
			return all, err
		}
		all.Parts = append(all.Parts, reports...)
		if all.Equal() {
			return all, nil
		}
		if try == copyTries {
			return all, errors.New("source and target give different reports; stop whatever uses them and run the same command again")
		}
	}
}

// checkLocations refuses what cannot be copied before anything is opened: a
// misspelt folder must not be made.
func (c *copyCommand) checkLocations() error {
	if err := errors.Join(checkLocation(c.From), checkLocation(c.To)); err != nil {
		return err
	}
	if !isMongoDB(c.From) {
		ok, err := store.HasFile(c.From)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("there is no store at %s", c.From)
		}
	}
	same := locationName(c.From) == locationName(c.To)
	if !same && !isMongoDB(c.From) && !isMongoDB(c.To) {
		a, errA := os.Stat(c.From)
		b, errB := os.Stat(c.To)
		same = errA == nil && errB == nil && os.SameFile(a, b)
	}
	if same {
		return errors.New("--from and --to are the same place")
	}
	return nil
}

// secret returns the root secret of both sides. None is made: under a new one
// no answer would be recognised.
func (c *copyCommand) secret() (store.Secret, error) {
	var secret store.Secret
	found := ""
	if c.Secret != "" {
		var err error
		if secret, err = store.ParseSecret(c.Secret); err != nil {
			return secret, fmt.Errorf("SIPAS_SECRET: %w", err)
		}
		found = "SIPAS_SECRET"
	}
	for _, location := range []string{c.From, c.To} {
		if isMongoDB(location) {
			continue
		}
		stands, ok, err := store.FindSecret(location)
		switch {
		case err != nil:
			return secret, err
		case ok && found == "":
			secret, found = stands, location
		case ok && location == c.To && stands != secret:
			return secret, fmt.Errorf("%w: the one in %s is not that of %s", store.ErrSecret, location, found)
		}
	}
	if found == "" {
		return secret, errors.New("no root secret: set SIPAS_SECRET to that of the source, or put its secret.key into the folder")
	}
	return secret, nil
}

// locationName names a location for people, and the same one by the same name:
// an absolute folder, or an address without user, password and options.
func locationName(location string) string {
	if !isMongoDB(location) {
		if absolute, err := filepath.Abs(location); err == nil {
			return absolute
		}
		return filepath.Clean(location)
	}
	scheme, rest, _ := strings.Cut(location, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		rest = rest[at+1:]
	}
	return scheme + "://" + strings.TrimSuffix(rest, "/")
}

// keptEngine is an engine that a Store does not close.
type keptEngine struct{ store.Engine }

func (keptEngine) Close() error { return nil }

// compareReports computes the reports of every round with answers from both
// sides, by the same clock. One side is in memory at a time.
func compareReports(t *terminal, from, to store.Engine, secret store.Secret) ([]store.CopyPart, error) {
	at := now()
	a, err := roundReports(t, from, secret, at)
	if err != nil {
		return nil, fmt.Errorf("reports of the source: %w", err)
	}
	b, err := roundReports(t, to, secret, at)
	if err != nil {
		return nil, fmt.Errorf("reports of the target: %w", err)
	}
	var parts []store.CopyPart
	rounds := maps.Clone(a)
	maps.Copy(rounds, b)
	for _, round := range slices.Sorted(maps.Keys(rounds)) {
		parts = append(parts, store.CopyPart{Name: "report " + round, From: a[round], To: b[round]})
	}
	return parts, nil
}

// roundReports digests the reports of every round that has answers: all methods,
// by unit with all channels together, and by channel. The count is that of
// answers received.
func roundReports(t *terminal, engine store.Engine, secret store.Secret, at time.Time) (_ map[string]store.CopySide, err error) {
	log := quietLogger(t.stderr)
	st, err := store.Open(t.ctx, keptEngine{engine}, secret, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	a := analysis.New(st, log, func() time.Time { return at }, version())
	if err := a.Load(t.ctx); err != nil {
		return nil, err
	}
	rounds := map[string]store.CopySide{}
	for round := range st.View().Rounds {
		sum := sha256.New()
		received := 0
		for _, params := range []map[string]string{{"by": "unit", "channel": "all"}, {"by": "channel"}} {
			body, n, err := reportBody(t.ctx, a, st, round, params)
			if err != nil {
				return nil, fmt.Errorf("round %s: %w", round, err)
			}
			sum.Write(body)
			received = max(received, n)
		}
		if received > 0 {
			side := store.CopySide{Count: int64(received)}
			sum.Sum(side.Digest[:0])
			rounds[round] = side
		}
	}
	return rounds, nil
}

func reportBody(ctx context.Context, a *analysis.Analysis, st *store.Store, round string, params map[string]string) (body []byte, received int, err error) {
	query, err := analysis.ParseQuery(st.View().Catalogue, round, params)
	if err != nil {
		return nil, 0, err
	}
	report, err := a.Report(ctx, query)
	if err != nil {
		return nil, 0, err
	}
	body, err = json.Marshal(report)
	return body, report.Counts.Received, err
}

// printCopy prints what was done, and the proof.
func printCopy(w io.Writer, result store.CopyResult, took time.Duration) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(result.Parts) > 0 {
		fmt.Fprintln(out, "part\tfrom\tto\tequal")
	}
	for _, p := range result.Parts {
		equal := "yes"
		if !p.Equal() {
			equal = "NO"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", p.Name, sideText(p.From), sideText(p.To), equal)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	end := ""
	if result.Equal() {
		end = "both sides hold the same\n"
	}
	_, err := fmt.Fprintf(w, "wrote %d answers and exclusions, %d withdrawals, %d documents in %s\n%s",
		result.Appended, result.Buried, result.Documents, took.Round(10*time.Millisecond), end)
	return err
}

// sideText is a count and the beginning of its digest, where there is one: what
// was not read has none.
func sideText(s store.CopySide) string {
	if s.Digest == ([32]byte{}) {
		return fmt.Sprint(s.Count)
	}
	return fmt.Sprintf("%d %x", s.Count, s.Digest[:6])
}
