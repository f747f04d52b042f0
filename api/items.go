package main

import (
	"maps"

	"sipas/api/analysis"
	"sipas/api/publish"
	"sipas/stats"
	"sipas/survey"
)

type itemsCommand struct {
	storeFlags
	serviceFlags
	Round   string            `required:"" help:"Round to look into."`
	Outcome string            `help:"Item whose satisfaction is to be explained; default: the mean of a person's answers."`
	Unit    string            `help:"Only this unit."`
	Channel string            `help:"Look into this channel, or all; default: the round's primary one."`
	From    string            `help:"First day of answers, 2006-01-02."`
	To      string            `help:"Last day of answers."`
	Flagged string            `help:"Answers with a quality flag: with or without." default:"with"`
	Where   map[string]string `help:"More filters: desk=…;field=…;filing=…;door=…;helped=…;group=… or a profile question (age=60+)."`
	Format  string            `help:"table or json." enum:"table,json" default:"table"`
	Lang    string            `help:"Language of names: vi or en." enum:"vi,en" default:"vi"`
}

func (c *itemsCommand) params() map[string]string {
	params := map[string]string{"outcome": c.Outcome, "unit": c.Unit, "channel": c.Channel, "from": c.From, "to": c.To, "flagged": c.Flagged}
	maps.Copy(params, c.Where)
	return params
}

// Run prints what lies behind the index.
func (c *itemsCommand) Run(t *terminal) error {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return err
		}
		var u stats.Understanding
		if err := client.ofRound(t.ctx, c.Round, "items", c.params(), &u); err != nil {
			return err
		}
		return publish.WriteItems(t.stdout, &u, c.Format, c.Lang)
	}
	return c.analyse(t, "items", func(catalogue *survey.Catalogue, load func() (*analysis.Analysis, error)) error {
		if catalogue.Rounds[c.Round] == nil {
			return explainFields(&survey.Error{Fields: []survey.FieldError{{Field: "round", Code: survey.CodeRoundUnknown}}}, c.Lang)
		}
		x, err := analysis.ParseItems(catalogue, c.Round, c.params())
		if err != nil {
			return explainFields(err, c.Lang)
		}
		a, err := load()
		if err != nil {
			return err
		}
		u, err := a.Items(t.ctx, x)
		if err != nil {
			return explainFields(err, c.Lang)
		}
		return publish.WriteItems(t.stdout, u, c.Format, c.Lang)
	})
}
