package main

import (
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"sipas/api/web"
)

type slipsCommand struct {
	storeFlags
	serviceFlags
	PublicURL string `name:"public-url" env:"SIPAS_PUBLIC_URL" help:"Address that QR codes carry; a running service knows its own."`
	Round     string `required:"" help:"Round that takes slips (doors: slip or both)."`
	Desk      string `required:"" help:"Code of the desk that hands the slips out, or its address."`
	Count     int    `default:"24" help:"How many, at most 1,000."`
	Format    string `help:"csv: code and address, for the program that prints the slips; html: sheets with QR codes to print and cut." enum:"csv,html" default:"csv"`
}

// Run issues slips and prints them; they are kept nowhere else.
func (c *slipsCommand) Run(t *terminal) error {
	list, err := c.issue(t)
	if err != nil {
		return explainFields(err, "vi")
	}
	if c.Format == "html" {
		return web.WriteSlipSheet(t.stdout, list)
	}
	out := csv.NewWriter(t.stdout)
	if err := out.Write([]string{"code", "address"}); err != nil {
		return err
	}
	for _, s := range list.Slips {
		if err := out.Write([]string{s.Code, s.Address}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func (c *slipsCommand) issue(t *terminal) (list web.SlipList, err error) {
	if c.URL != "" {
		client, err := newClient(c.serviceFlags, t.stderr)
		if err != nil {
			return list, err
		}
		err = client.do(t.ctx, http.MethodPost, "/api/v1/rounds/"+url.PathEscape(c.Round)+"/slips", map[string]any{"desk": c.Desk, "count": c.Count}, &list, false)
		return list, err
	}
	if c.PublicURL == "" {
		return list, errors.New("the codes need the address that citizens reach: --public-url https://khaosat.example.gov.vn or SIPAS_PUBLIC_URL")
	}
	public, err := checkPublicURL(c.PublicURL)
	if err != nil {
		return list, err
	}
	st, err := c.openExisting(t.ctx, "slips", quietLogger(t.stderr))
	if err != nil {
		return list, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	desk := c.Desk
	if d := st.View().FindDesk(desk); d != nil {
		desk = d.ID
	}
	codes, err := st.IssueSlips(t.ctx, c.Round, desk, c.Count, now(), rand.Reader)
	if err != nil {
		return list, fmt.Errorf("issue slips: %w", err)
	}
	return web.ListSlips(public, desk, codes), nil
}
