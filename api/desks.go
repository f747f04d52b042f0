package main

import (
	"fmt"
	"maps"
	"slices"
	"text/tabwriter"

	"sipas/survey"
)

type desksCommand struct {
	storeFlags
	serviceFlags
	PublicURL string `name:"public-url" env:"SIPAS_PUBLIC_URL" help:"Address that QR codes carry; the list then shows each desk's."`
	Unit      string `help:"Only the desks of this unit."`
	Lang      string `help:"Language of names: vi or en." enum:"vi,en" default:"vi"`
}

// Run lists desks in service today: code, unit, names and the address of the
// sheet to print.
func (c *desksCommand) Run(t *terminal) error {
	base, err := c.printed()
	if err != nil {
		return err
	}
	catalogue, err := c.catalogue(t)
	if err != nil {
		return err
	}
	if c.Unit != "" && catalogue.Units[c.Unit] == nil {
		return fmt.Errorf("there is no unit %q", c.Unit)
	}
	desks := slices.SortedFunc(maps.Values(catalogue.Desks), func(a, b *survey.Desk) int {
		return slices.Compare([]string{a.Unit, a.ID}, []string{b.Unit, b.ID})
	})
	out := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "desk\tunit\tname\tsheet")
	for _, d := range desks {
		unit := catalogue.Units[d.Unit]
		if c.Unit != "" && d.Unit != c.Unit || !d.ExistsAt(now()) || !unit.ExistsOn(survey.DateOf(now())) {
			continue
		}
		fmt.Fprintf(out, "%s\t%s\t%s – %s\t%s/qr/%s\n", d.ID, d.Unit, unit.Name.In(c.Lang), d.Name.In(c.Lang), base, d.ID)
	}
	return out.Flush()
}

// printed is the beginning of the addresses of sheets: the public address, else that of the
// service that was asked, "" without both.
func (c *desksCommand) printed() (string, error) {
	if c.PublicURL != "" {
		return checkPublicURL(c.PublicURL)
	}
	if c.URL == "" {
		return "", nil
	}
	return c.serviceFlags.base()
}

// catalogue reads the staff documents, through a service with a token that has the
// right staff.
func (c *desksCommand) catalogue(t *terminal) (*survey.Catalogue, error) {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return nil, err
		}
		return client.catalogue(t.ctx)
	}
	st, err := c.openExisting(t.ctx, "desks", quietLogger(t.stderr))
	if err != nil {
		return nil, err
	}
	return st.View().Catalogue, st.Close()
}
