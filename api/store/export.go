package store

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sipas/survey"
)

// exportKey proves the rows of exports: only this installation can have written them.
func (s *Store) exportKey() []byte { return s.secret.Key("export proof") }

// Export writes the answers of a round as CSV in the order of their ids, which
// within an hour is random, and returns how many there were. Answers to another
// version of the instrument stand under the columns of their own items.
// ErrNotFound when there is no such round. An error leaves a file that is cut.
func (s *Store) Export(ctx context.Context, w io.Writer, round string) (int, error) {
	catalogue := s.View().Catalogue
	r := catalogue.Rounds[round]
	if r == nil {
		return 0, fmt.Errorf("there is no round %q: %w", round, ErrNotFound)
	}
	exclusions, err := s.Exclusions(ctx)
	if err != nil {
		return 0, err
	}
	table := survey.NewExportTable(catalogue, r, s.exportKey())
	out := csv.NewWriter(w)
	if err := out.Write(table.Columns()); err != nil {
		return 0, err
	}
	n := 0
	for after := (survey.ID{}); ; {
		page, err := s.ScanResponses(ctx, after)
		if err != nil {
			return n, err
		}
		if len(page) == 0 {
			break
		}
		for _, record := range page {
			if record.Round() != round {
				continue
			}
			if err := exportRow(out, table, record, exclusions); err != nil {
				return n, err
			}
			n++
		}
		after = page[len(page)-1].ID()
	}
	out.Flush()
	return n, out.Error()
}

func exportRow(out *csv.Writer, table *survey.ExportTable, record Record, exclusions map[survey.ID]Exclusion) error {
	r, err := record.Response()
	if err != nil {
		return err
	}
	var excluded *survey.ExportedExclusion
	if e, ok := exclusions[r.ID]; ok && e.Excluded {
		excluded = &survey.ExportedExclusion{Reason: e.Reason, Author: e.Author, At: e.At}
	}
	cells, err := table.Row(&r, excluded)
	if err != nil {
		return err
	}
	return out.Write(cells)
}

// RowOutcome says what became of one row of an export: it was refused for these
// fields, named as their columns, or handed to the log with an outcome.
type RowOutcome struct {
	Outcome Outcome
	Refused []survey.FieldError
}

// RestoreRows stores rows of an export of this installation as they were: their
// ids, channels, doors, flags, receive times, receipts and exclusions. One outcome
// for each row; a row without its proof is refused, and does not keep the others
// out. What is stored, and what was withdrawn, stays as it is. Draws that the rows
// state and the populations lack are added to these.
//
// The error is a [*survey.Error] for columns or a round that cannot be read;
// with another one some outcomes are Failed, or rows of which nothing more was
// restored: calling again with the same rows is safe.
func (s *Store) RestoreRows(ctx context.Context, round string, columns []string, rows [][]string) ([]RowOutcome, error) {
	catalogue := s.View().Catalogue
	r := catalogue.Rounds[round]
	if r == nil {
		return nil, &survey.Error{Fields: []survey.FieldError{{Field: "round", Code: survey.CodeRoundUnknown}}}
	}
	mapping := survey.RestoreMapping(s.exportKey())
	binding, err := mapping.Bind(columns, catalogue, r)
	if err != nil {
		return nil, err
	}
	outcomes := make([]RowOutcome, len(rows))
	var lines []survey.Line
	var responses []survey.Response
	var at []int
	for i, cells := range rows {
		line, err := binding.Record(cells)
		var response survey.Response
		if err == nil {
			response, err = survey.Accept(catalogue, line.Submission, line.Origin, line.Received)
		}
		var wrong *survey.Error
		switch {
		case errors.As(err, &wrong):
			outcomes[i].Refused = slices.Clone(wrong.Fields)
			for j, f := range wrong.Fields {
				outcomes[i].Refused[j].Field = binding.Column(f.Field)
			}
			continue
		case err != nil:
			return nil, err
		}
		lines, responses, at = append(lines, line), append(responses, response), append(at, i)
	}
	stored, err := s.AddResponses(ctx, responses)
	var stages []unitStage
	for i, o := range stored {
		outcomes[at[i]].Outcome = o
		if o != Stored && o != Duplicate {
			continue
		}
		if err == nil && lines[i].Excluded != nil {
			err = s.restoreExcluded(ctx, responses[i].ID, *lines[i].Excluded)
		}
		if lines[i].Stage != nil {
			stages = append(stages, unitStage{responses[i].Unit, *lines[i].Stage})
		}
	}
	if err != nil {
		return outcomes, err
	}
	return outcomes, s.addStages(ctx, round, stages)
}

// restoreExcluded puts an answer aside again. The same exclusion has the same id
// each time.
func (s *Store) restoreExcluded(ctx context.Context, response survey.ID, x survey.ExportedExclusion) error {
	id := survey.DerivedID(s.Key("import"), x.At, "exclusion", response.String(), x.At.Format(time.RFC3339Nano))
	_, err := s.RestoreExclusion(ctx, Exclusion{ID: id, Response: response, Excluded: true, Reason: x.Reason, Author: x.Author, At: x.At})
	if errors.Is(err, ErrNotFound) { // withdrawn in this moment
		return nil
	}
	return err
}

// unitStage is the draw of a sampling unit, and the unit whose population it stands in.
type unitStage struct {
	unit  string
	stage survey.Stage
}

// stageTries bounds how often populations are put again that somebody else changed.
const stageTries = 10

// addStages adds to the populations of a round the draws that they lack; those
// that are there stay.
func (s *Store) addStages(ctx context.Context, round string, stages []unitStage) error {
	if len(lackingStages(s.View().Catalogue, round, stages)) == 0 {
		return nil
	}
	for try := 1; ; try++ {
		_, err := s.changeDocuments(ctx, s.now(), func(v *View) (survey.Documents, error) {
			return survey.Documents{Populations: lackingStages(v.Catalogue, round, stages)}, nil
		})
		if !errors.Is(err, ErrStale) || try == stageTries {
			return err
		}
	}
}

// lackingStages returns the populations that change when the draws are added. One
// that contradicts the count of its stratum, which staff changed since, is left out.
func lackingStages(c *survey.Catalogue, round string, stages []unitStage) []survey.Population {
	known, strata := map[[2]string]bool{}, map[string]int{}
	for _, p := range c.Populations {
		for _, stage := range p.Stages {
			if p.Round == round {
				known[[2]string{stage.Stratum, stage.PSU}] = true
				strata[stage.Stratum] = stage.StratumPSUs
			}
		}
	}
	changed := map[string]*survey.Population{}
	var populations []*survey.Population
	for _, u := range stages {
		key := [2]string{u.stage.Stratum, u.stage.PSU}
		if n, ok := strata[u.stage.Stratum]; known[key] || ok && n != u.stage.StratumPSUs {
			continue
		}
		known[key], strata[u.stage.Stratum] = true, u.stage.StratumPSUs
		p := changed[u.unit]
		if p == nil {
			p = &survey.Population{Round: round, Unit: u.unit}
			if stored := c.Populations[p.Key()]; stored != nil {
				*p = *stored
			}
			p.Stages = slices.Clone(p.Stages)
			changed[u.unit] = p
			populations = append(populations, p)
		}
		p.Stages = append(p.Stages, u.stage)
	}
	result := make([]survey.Population, len(populations))
	for i, p := range populations {
		slices.SortFunc(p.Stages, func(a, b survey.Stage) int {
			return strings.Compare(a.Stratum+"\x00"+a.PSU, b.Stratum+"\x00"+b.PSU)
		})
		result[i] = *p
	}
	return result
}
