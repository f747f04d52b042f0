package main

import (
	"maps"

	"sipas/api/analysis"
	"sipas/api/publish"
	"sipas/survey"
)

type compareCommand struct {
	storeFlags
	serviceFlags
	Round   string            `required:"" help:"Round to compare in."`
	By      string            `required:"" help:"What the two sides differ in: unit, desk, field, filing, channel, door, helped, group, a profile question, period or round."`
	A       string            `help:"One side; a period is written 2026-10-01..2026-10-31. Default with --by round: the round."`
	B       string            `required:"" help:"The other side. The difference is this one less the first."`
	Unit    string            `help:"Only this unit, on both sides."`
	Channel string            `help:"Compare within this channel, or all; default: the round's primary one."`
	From    string            `help:"First day of answers, 2006-01-02."`
	To      string            `help:"Last day of answers."`
	Method  string            `help:"Method of the index; default: the instrument's."`
	Flagged string            `help:"Answers with a quality flag: with or without." default:"with"`
	Where   map[string]string `help:"More filters of both sides: desk=…;field=…;filing=…;door=…;helped=…;group=… or a profile question (age=60+)."`
	Format  string            `help:"table or json." enum:"table,json" default:"table"`
	Lang    string            `help:"Language of names: vi or en." enum:"vi,en" default:"vi"`
}

func (c *compareCommand) params() map[string]string {
	params := map[string]string{"by": c.By, "a": c.A, "b": c.B, "unit": c.Unit, "channel": c.Channel, "from": c.From, "to": c.To, "method": c.Method, "flagged": c.Flagged}
	maps.Copy(params, c.Where)
	return params
}

// Run prints the difference of the two sides, with its error.
func (c *compareCommand) Run(t *terminal) error {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return err
		}
		comparison, err := client.compare(t.ctx, c.Round, c.params())
		if err != nil {
			return err
		}
		return publish.WriteComparison(t.stdout, comparison, c.Format, c.Lang)
	}
	return c.analyse(t, "compare", func(catalogue *survey.Catalogue, load func() (*analysis.Analysis, error)) error {
		x, err := analysis.ParseComparison(catalogue, c.Round, c.params())
		if err != nil {
			return explainFields(err, c.Lang)
		}
		a, err := load()
		if err != nil {
			return err
		}
		comparison, err := a.Compare(t.ctx, x)
		if err != nil {
			return explainFields(err, c.Lang)
		}
		return publish.WriteComparison(t.stdout, comparison, c.Format, c.Lang)
	})
}
