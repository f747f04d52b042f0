package main

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"sipas/api/analysis"
	"sipas/api/publish"
	"sipas/stats"
	"sipas/survey"
)

type planCommand struct {
	storeFlags
	serviceFlags
	Round    string  `required:"" help:"Round whose results returned are the population of every unit."`
	Margin   float64 `default:"0.05" help:"Wanted half-width of the interval of each unit, a proportion."`
	Share    float64 `default:"0.5" help:"Expected share satisfied; 0.5 is the worst case."`
	Level    float64 `default:"0.95" help:"Confidence level."`
	Deff     float64 `default:"1" help:"Expected design effect; above 1 where people of one desk and day are alike."`
	Response float64 `default:"1" help:"Expected response rate, above 0 to 1."`
	Total    int     `help:"Divide so many answers over the units, in proportion and by Neyman."`
	Like     string  `help:"Round whose unit indices say how much answers of a unit vary, for Neyman; default: the expected share everywhere."`
	Format   string  `help:"table, json or csv." enum:"table,json,csv" default:"table"`
	Lang     string  `help:"Language of names: vi or en." enum:"vi,en" default:"vi"`
}

// Run prints how many answers each unit needs.
func (c *planCommand) Run(t *terminal) error {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return err
		}
		catalogue, err := client.catalogue(t.ctx)
		if err != nil {
			return err
		}
		return c.plan(t, catalogue, func() (*stats.Report, error) {
			return client.report(t.ctx, c.Like, map[string]string{"by": "unit"})
		})
	}
	return c.analyse(t, "plan", func(catalogue *survey.Catalogue, load func() (*analysis.Analysis, error)) error {
		return c.plan(t, catalogue, func() (*stats.Report, error) {
			q, err := analysis.ParseQuery(catalogue, c.Like, map[string]string{"by": "unit"})
			if err != nil {
				return nil, explainFields(err, c.Lang)
			}
			a, err := load()
			if err != nil {
				return nil, err
			}
			return a.Report(t.ctx, q)
		})
	})
}

func (c *planCommand) plan(t *terminal, catalogue *survey.Catalogue, like func() (*stats.Report, error)) error {
	round := catalogue.Rounds[c.Round]
	if round == nil {
		return fmt.Errorf("there is no round %q", c.Round)
	}
	p := publish.Plan{Round: c.Round, Title: round.Title, Like: c.Like, Total: c.Total,
		SamplePlan: stats.SamplePlan{Margin: c.Margin, Share: c.Share, Level: c.Level, DesignEffect: c.Deff, ResponseRate: c.Response}}
	shares := map[string]float64{}
	if c.Like != "" {
		report, err := like()
		if err != nil {
			return err
		}
		for _, g := range report.Groups {
			for _, f := range []stats.Figure{g.Unweighted, g.Weighted} {
				if f.Value != nil {
					shares[g.ID] = *f.Value / 100
				}
			}
		}
	}
	p.Units = plannedUnits(catalogue, c.Round)
	if len(p.Units) == 0 {
		return errors.New("the round has no results returned to plan from: load its populations first")
	}
	var sizes, deviations []float64
	for _, u := range p.Units {
		share, known := shares[u.ID]
		if !known {
			share = c.Share
		}
		sizes, deviations = append(sizes, float64(u.Returned)), append(deviations, math.Sqrt(share*(1-share)))
	}
	strata, err := stats.PlanStrata(p.SamplePlan, sizes, deviations, c.Total)
	if err != nil {
		return err
	}
	for i := range p.Units {
		p.Units[i].StratumPlan = strata[i]
	}
	return publish.WritePlan(t.stdout, &p, c.Format, c.Lang)
}

// plannedUnits are the units with results returned in a round, by id.
func plannedUnits(c *survey.Catalogue, round string) []publish.PlannedUnit {
	var units []publish.PlannedUnit
	for _, key := range slices.Sorted(maps.Keys(c.Populations)) {
		pop := c.Populations[key]
		returned := 0
		for _, cell := range pop.Cells {
			returned += cell.Returned
		}
		if pop.Round == round && returned > 0 {
			units = append(units, publish.PlannedUnit{ID: pop.Unit, Name: c.Units[pop.Unit].Name, Returned: returned})
		}
	}
	return units
}
