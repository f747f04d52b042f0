package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"sipas/api/store"
	"sipas/seeds"
	"sipas/survey"
)

type seedCommand struct {
	storeFlags
	serviceFlags
	File []string `type:"existingfile" help:"JSON documents to load (instruments, fields, procedures, units, desks, rounds, populations, agency)."`
	Set  string   `enum:",province,statsref-a" default:"" help:"Load an embedded set: province (instruments, units and desks of the province) or statsref-a (the reference survey)."`
}

func (c *seedCommand) Run(t *terminal) error {
	all, err := c.documents()
	if err != nil {
		return err
	}
	var result store.PutResult
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return err
		}
		if result, err = client.putDocuments(t.ctx, all, ""); err != nil {
			return err
		}
	} else {
		st, err := c.open(t.ctx, "seed", quietLogger(t.stderr))
		if err != nil {
			return err
		}
		result, err = st.PutDocumentsAt(t.ctx, all, "", now())
		if err = errors.Join(err, st.Close()); err != nil {
			return explainFields(err, survey.Vietnamese)
		}
	}
	_, err = fmt.Fprintf(t.stdout, "added %d, changed %d, unchanged %d\n", result.Added, result.Changed, result.Unchanged)
	return err
}

// documents gathers what the command names, in one set, so that files may refer
// to each other.
func (c *seedCommand) documents() (survey.Documents, error) {
	var all survey.Documents
	switch c.Set {
	case "province":
		d, err := seeds.Province()
		if err != nil {
			return all, err
		}
		all = d
	case "statsref-a":
		d, err := seeds.StatsrefA()
		if err != nil {
			return all, err
		}
		all = d
	default:
		if len(c.File) == 0 {
			return all, errors.New("nothing to load: name --file or --set")
		}
	}
	for _, name := range c.File {
		d, err := readDocuments(name)
		if err != nil {
			return all, err
		}
		all.Instruments = append(all.Instruments, d.Instruments...)
		all.Fields = append(all.Fields, d.Fields...)
		all.Procedures = append(all.Procedures, d.Procedures...)
		all.Units = append(all.Units, d.Units...)
		all.Desks = append(all.Desks, d.Desks...)
		all.Rounds = append(all.Rounds, d.Rounds...)
		all.Populations = append(all.Populations, d.Populations...)
		if all.Agency != nil && d.Agency != nil {
			return all, fmt.Errorf("%s: another file says who asks already (agency)", name)
		}
		all.Agency = cmp.Or(d.Agency, all.Agency)
	}
	return all, nil
}

func readDocuments(name string) (survey.Documents, error) {
	var d survey.Documents
	f, err := os.Open(name)
	if err != nil {
		return d, err
	}
	defer f.Close()
	dec := json.NewDecoder(f)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return d, fmt.Errorf("%s: %w", name, err)
	}
	return d, nil
}
