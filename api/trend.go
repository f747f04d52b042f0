package main

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"sipas/api/analysis"
	"sipas/api/publish"
	"sipas/stats"
	"sipas/survey"
)

type trendCommand struct {
	storeFlags
	serviceFlags
	Rounds  []string          `help:"Rounds, separated by commas; all but drafts without it."`
	Unit    string            `help:"Only this unit."`
	Channel string            `help:"This channel, or all; default: each round's primary one."`
	Method  string            `help:"Method of the index; default: each instrument's own."`
	Flagged string            `help:"Answers with a quality flag: with or without." default:"with"`
	Where   map[string]string `help:"More filters: desk=…;field=…;filing=…;door=…;helped=…;group=… or a profile question (age=60+)."`
	Format  string            `help:"table or json." enum:"table,json" default:"table"`
	Lang    string            `help:"Language of names: vi or en." enum:"vi,en" default:"vi"`
}

func (c *trendCommand) params() map[string]string {
	params := map[string]string{"rounds": strings.Join(c.Rounds, ","), "unit": c.Unit, "channel": c.Channel, "method": c.Method, "flagged": c.Flagged}
	maps.Copy(params, c.Where)
	return params
}

// Run prints the index over rounds.
func (c *trendCommand) Run(t *terminal) error {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return err
		}
		query := url.Values{}
		for name, value := range c.params() {
			if value != "" {
				query.Set(name, value)
			}
		}
		var trend stats.Trend
		if err := client.do(t.ctx, http.MethodGet, "/api/v1/trend?"+query.Encode(), nil, &trend, false); err != nil {
			return err
		}
		return publish.WriteTrend(t.stdout, &trend, c.Format, c.Lang)
	}
	return c.analyse(t, "trend", func(catalogue *survey.Catalogue, load func() (*analysis.Analysis, error)) error {
		x, err := analysis.ParseTrend(catalogue, c.params())
		if err != nil {
			return explainFields(err, c.Lang)
		}
		a, err := load()
		if err != nil {
			return err
		}
		trend, err := a.Trend(t.ctx, x)
		if err != nil {
			return explainFields(err, c.Lang)
		}
		return publish.WriteTrend(t.stdout, trend, c.Format, c.Lang)
	})
}
