package main

import (
	"sipas/api/analysis"
	"sipas/api/publish"
	"sipas/stats"
	"sipas/survey"
)

type pictureCommand struct {
	storeFlags
	serviceFlags
	Round  string `required:"" help:"Round whose published figures are printed."`
	Unit   string `help:"Only the whole, this unit and its desks."`
	Format string `help:"table, json or csv." enum:"table,json,csv" default:"table"`
	Lang   string `help:"Language of names: vi or en." enum:"vi,en" default:"vi"`
}

// Run prints the picture of the present period, which it makes where there is none
// yet.
func (c *pictureCommand) Run(t *terminal) error {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return err
		}
		var p stats.Picture
		if err := client.ofRound(t.ctx, c.Round, "picture", map[string]string{"unit": c.Unit}, &p); err != nil {
			return err
		}
		return publish.WritePicture(t.stdout, &p, c.Format, c.Lang)
	}
	return c.analyse(t, "picture", func(catalogue *survey.Catalogue, load func() (*analysis.Analysis, error)) error {
		if c.Unit != "" && catalogue.Units[c.Unit] == nil {
			return explainFields(&survey.Error{Fields: []survey.FieldError{{Field: "unit", Code: survey.CodeReference}}}, c.Lang)
		}
		a, err := load()
		if err != nil {
			return err
		}
		p, err := a.Picture(t.ctx, c.Round)
		if err != nil {
			return explainFields(err, c.Lang)
		}
		if c.Unit != "" {
			p = p.OfUnit(c.Unit)
		}
		return publish.WritePicture(t.stdout, p, c.Format, c.Lang)
	})
}
