package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"sipas/api/store"
)

type tokenCommand struct {
	Create tokenCreateCommand `cmd:"" help:"Create a token and print it, once."`
	List   tokenListCommand   `cmd:"" help:"List tokens and their rights."`
	Revoke tokenRevokeCommand `cmd:"" help:"Revoke a token."`
}

type tokenCreateCommand struct {
	storeFlags
	Name   string   `required:"" help:"Whose token it is."`
	Rights []string `required:"" help:"Rights, separated by commas: submit, import, export, report, full, staff, backup, restore."`
}

func (c *tokenCreateCommand) Run(t *terminal) (err error) {
	st, err := c.open(t.ctx, "token create", quietLogger(t.stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	rights := make([]store.Right, len(c.Rights))
	for i, r := range c.Rights {
		rights[i] = store.Right(r)
	}
	token, err := st.CreateToken(t.ctx, c.Name, rights, now())
	if errors.Is(err, store.ErrStale) {
		return fmt.Errorf("there is a token named %q already; revoke it first or choose another name", c.Name)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(t.stdout, token)
	return err
}

type tokenListCommand struct{ storeFlags }

func (c *tokenListCommand) Run(t *terminal) (err error) {
	st, err := c.openExisting(t.ctx, "token list", quietLogger(t.stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	out := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "name\trights\tcreated (UTC)")
	for _, token := range st.View().Tokens() {
		rights := make([]string, len(token.Rights))
		for i, r := range token.Rights {
			rights[i] = string(r)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", token.Name, strings.Join(rights, ","), token.Created.Format("2006-01-02 15:04"))
	}
	return out.Flush()
}

type tokenRevokeCommand struct {
	storeFlags
	Name string `required:"" help:"Name of the token."`
}

func (c *tokenRevokeCommand) Run(t *terminal) (err error) {
	st, err := c.openExisting(t.ctx, "token revoke", quietLogger(t.stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	err = st.RevokeToken(t.ctx, c.Name)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no token named %q", c.Name)
	}
	return err
}
