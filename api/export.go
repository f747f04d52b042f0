package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"sipas/api/store"
	"sipas/survey"
)

type exportCommand struct {
	storeFlags
	serviceFlags
	Round string `required:"" help:"Round whose answers to write."`
	Out   string `help:"File to write; default: the terminal."`
}

func (c *exportCommand) Run(t *terminal) (err error) {
	source, err := c.source(t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.close()) }()
	if c.Out == "" {
		_, err = export(t.ctx, t.stdout, source, c.Round)
		return err
	}
	// An export that was cut must not look like a whole one.
	// A name that nobody has, readable by its owner alone.
	f, err := os.CreateTemp(filepath.Dir(c.Out), filepath.Base(c.Out)+".*.part")
	if err != nil {
		return err
	}
	part := f.Name()
	n, err := export(t.ctx, f, source, c.Round)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	if err := os.Rename(part, c.Out); err != nil {
		return errors.Join(err, os.Remove(part))
	}
	_, err = fmt.Fprintf(t.stderr, "%d answers in %s\n", n, c.Out)
	return err
}

func (c *exportCommand) source(t *terminal) (exportSource, error) {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		return &serviceSource{client: client}, err
	}
	st, err := c.openExisting(t.ctx, "export", quietLogger(t.stderr))
	return &storeSource{st: st}, err
}

// export writes the answers of a round in the order of their ids, which within
// an hour is random, and returns how many there were. Answers to another
// version of the instrument stand under the columns of their own items.
func export(ctx context.Context, w io.Writer, source exportSource, round string) (int, error) {
	c, err := source.catalogue(ctx)
	if err != nil {
		return 0, err
	}
	r := c.Rounds[round]
	if r == nil {
		return 0, fmt.Errorf("there is no round %q", round)
	}
	exclusions, err := source.exclusions(ctx)
	if err != nil {
		return 0, err
	}
	table := newExportTable(c, r)
	out := csv.NewWriter(w)
	if err := out.Write(append(table.header, exclusionColumns[:]...)); err != nil {
		return 0, err
	}
	n := 0
	for after := (survey.ID{}); ; {
		page, next, err := source.page(ctx, round, after)
		if err != nil {
			return n, err
		}
		for i := range page {
			cells, err := table.cells(&page[i])
			if err != nil {
				return n, err
			}
			cells = append(cells, exclusionCells(exclusions, page[i].ID)...)
			if err := out.Write(cells); err != nil {
				return n, err
			}
			n++
		}
		if next == (survey.ID{}) {
			break
		}
		after = next
	}
	out.Flush()
	return n, out.Error()
}

// exclusionColumns end every line of an export. They are empty for an answer
// that counts; `import` of the export puts the others aside again.
var exclusionColumns = [...]string{"excluded_reason", "excluded_by", "excluded_at"}

func exclusionCells(exclusions map[survey.ID]store.Exclusion, id survey.ID) []string {
	e, ok := exclusions[id]
	if !ok || !e.Excluded {
		return make([]string, len(exclusionColumns))
	}
	return []string{e.Reason, e.Author, e.At.UTC().Format(time.RFC3339Nano)}
}

// exportTable places the cells of every instrument version under one header.
type exportTable struct {
	catalogue *survey.Catalogue
	header    []string
	at        map[string]int
	stages    map[[2]string]*survey.Stage
	record    []string
}

func newExportTable(c *survey.Catalogue, r *survey.Round) *exportTable {
	t := &exportTable{catalogue: c, at: map[string]int{}, stages: map[[2]string]*survey.Stage{}}
	add := func(version int) {
		in := c.Instruments[survey.InstrumentKey(r.Instrument, version)]
		if in == nil {
			return
		}
		for _, column := range survey.ExportColumns(in) {
			if _, ok := t.at[column]; !ok {
				t.at[column] = len(t.header)
				t.header = append(t.header, column)
			}
		}
	}
	add(r.Version)
	latest := r.Version
	for _, in := range c.Instruments {
		if in.ID == r.Instrument {
			latest = max(latest, in.Version)
		}
	}
	for version := 1; version <= latest; version++ {
		add(version)
	}
	for _, p := range c.Populations {
		if p.Round != r.ID {
			continue
		}
		for i := range p.Stages {
			t.stages[[2]string{p.Stages[i].Stratum, p.Stages[i].PSU}] = &p.Stages[i]
		}
	}
	return t
}

func (t *exportTable) cells(r *survey.Response) ([]string, error) {
	in := t.catalogue.Instruments[survey.InstrumentKey(r.Instrument, r.Version)]
	if in == nil || len(r.Answers) != len(in.Items()) {
		return nil, fmt.Errorf("response %s does not fit its instrument %s", r.ID, survey.InstrumentKey(r.Instrument, r.Version))
	}
	var stage *survey.Stage
	if r.Draw != nil {
		stage = t.stages[[2]string{r.Draw.Stratum, r.Draw.PSU}]
	}
	t.record = survey.ExportRecord(t.record[:0], in, r, stage)
	cells := make([]string, len(t.header))
	for i, column := range survey.ExportColumns(in) {
		cells[t.at[column]] = t.record[i]
	}
	return cells, nil
}
