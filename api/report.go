package main

import (
	"errors"
	"fmt"
	"strings"

	"sipas/api/analysis"
	"sipas/api/publish"
	"sipas/survey"
)

type reportCommand struct {
	storeFlags
	serviceFlags
	Round   string            `required:"" help:"Round to report on."`
	By      string            `help:"Group by unit, desk, field, filing, channel, door, helped, group, month, day or a profile question."`
	Unit    string            `help:"Only this unit."`
	Channel string            `help:"Report on this channel, or all; default: the round's primary one."`
	From    string            `help:"First day of answers, 2006-01-02."`
	To      string            `help:"Last day of answers."`
	Method  string            `help:"Headline method; default: the instrument's."`
	Flagged string            `help:"Answers with a quality flag: with or without." default:"with"`
	Where   map[string]string `help:"More filters: desk=…;field=…;filing=…;door=…;helped=…;group=… or a profile question (age=60+)."`
	Format  string            `help:"table, json or csv." enum:"table,json,csv" default:"table"`
	Lang    string            `help:"Language of names: vi or en." enum:"vi,en" default:"vi"`
}

func (c *reportCommand) params() map[string]string {
	params := map[string]string{"by": c.By, "unit": c.Unit, "channel": c.Channel, "from": c.From, "to": c.To, "method": c.Method, "flagged": c.Flagged}
	for name, value := range c.Where {
		params[name] = value
	}
	return params
}

func (c *reportCommand) Run(t *terminal) error {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return err
		}
		report, err := client.report(t.ctx, c.Round, c.params())
		if err != nil {
			return err
		}
		return publish.Write(t.stdout, report, c.Format, c.Lang)
	}
	return c.analyse(t, "report", func(catalogue *survey.Catalogue, load func() (*analysis.Analysis, error)) error {
		query, err := analysis.ParseQuery(catalogue, c.Round, c.params())
		if err != nil {
			return explainFields(err, c.Lang)
		}
		a, err := load()
		if err != nil {
			return err
		}
		report, err := a.Report(t.ctx, query)
		if err != nil {
			return explainFields(err, c.Lang)
		}
		return publish.Write(t.stdout, report, c.Format, c.Lang)
	})
}

// analyse opens the store for a command that computes something. The answers are
// read when load is called, so that a question that makes no sense is refused at
// once.
func (f storeFlags) analyse(t *terminal, command string, do func(c *survey.Catalogue, load func() (*analysis.Analysis, error)) error) error {
	log := quietLogger(t.stderr)
	st, err := f.openExisting(t.ctx, command, log)
	if err != nil {
		return err
	}
	defer st.Close()
	return do(st.View().Catalogue, func() (*analysis.Analysis, error) {
		a := analysis.New(st, log, now, version())
		return a, a.Load(t.ctx)
	})
}

// explainFields turns field codes into sentences.
func explainFields(err error, lang string) error {
	var e *survey.Error
	if !errors.As(err, &e) {
		return err
	}
	var text strings.Builder
	for _, f := range e.Fields {
		fmt.Fprintf(&text, "\n  %s: %s (%s)", f.Field, survey.Message(f.Code, lang), f.Code)
		if f.Detail != "" {
			text.WriteString(": " + f.Detail)
		}
	}
	return errors.New("refused:" + text.String())
}
