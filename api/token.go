package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"sipas/api/store"
	"sipas/api/web"
)

type tokenCommand struct {
	Create tokenCreateCommand `cmd:"" help:"Create a token and print it, once."`
	List   tokenListCommand   `cmd:"" help:"List tokens, their rights and when they expire."`
	Revoke tokenRevokeCommand `cmd:"" help:"Revoke a token, and end the sessions of whoever signed in with it."`
}

// tokenFlags say where the tokens are: in a running service, or in a store that nobody
// has open.
type tokenFlags struct {
	storeFlags
	serviceFlags
}

// openStore is how a command opens the store: makes one, or wants one to be there.
type openStore func(context.Context, string, *slog.Logger) (*store.Store, error)

// through works with the running service where --url names one, else with the store.
func (f *tokenFlags) through(t *terminal, open openStore, command string, service func(*client) error, local func(*store.Store) error) (err error) {
	if f.URL != "" {
		client, err := newClient(f.serviceFlags, t.stderr)
		if err != nil {
			return err
		}
		return service(client)
	}
	st, err := open(t.ctx, command, quietLogger(t.stderr))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return local(st)
}

type tokenCreateCommand struct {
	tokenFlags
	Name    string   `required:"" help:"Whose token it is."`
	Rights  []string `required:"" help:"Rights, separated by commas: submit, import, export, report, full, staff, backup, restore, tokens. Through a service, of those that your own token has."`
	Expires string   `placeholder:"90d" help:"When it expires: days from now (90d), or the last day it is taken (2027-06-30). Default and longest: a year."`
}

func (c *tokenCreateCommand) Run(t *terminal) error {
	order := store.TokenOrder{Name: c.Name, Expires: c.Expires}
	for _, r := range c.Rights {
		order.Rights = append(order.Rights, store.Right(strings.TrimSpace(r)))
	}
	issued := web.IssuedToken{}
	err := c.through(t, c.open, "token create", func(client *client) error {
		return client.do(t.ctx, http.MethodPost, "/api/v1/tokens", order, &issued, false)
	}, func(st *store.Store) error {
		text, token, err := st.IssueToken(t.ctx, order, now())
		issued = web.IssuedToken{ListedToken: web.ListToken(token, now()), Token: text}
		return err
	})
	if errors.Is(err, store.ErrStale) || refusedWith(err, "token_exists") {
		return fmt.Errorf("there is a token named %q already; revoke it first or choose another name", c.Name)
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(t.stdout, issued.Token); err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.stderr, "shown only now; it expires on %s (UTC)\n", expiryText(issued.ListedToken))
	return err
}

// refusedWith reports whether the service refused with a code.
func refusedWith(err error, code string) bool {
	var refused *serviceError
	return errors.As(err, &refused) && refused.Code == code
}

type tokenListCommand struct{ tokenFlags }

func (c *tokenListCommand) Run(t *terminal) error {
	var list web.TokenList
	err := c.through(t, c.openExisting, "token list", func(client *client) error {
		return client.do(t.ctx, http.MethodGet, "/api/v1/tokens", nil, &list, false)
	}, func(st *store.Store) error {
		for _, token := range st.View().Tokens() {
			list.Tokens = append(list.Tokens, web.ListToken(token, now()))
		}
		return nil
	})
	if err != nil {
		return err
	}
	out := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "name\trights\tcreated (UTC)\texpires (UTC)\tmade by")
	unlimited := 0
	for _, token := range list.Tokens {
		if token.Expires == nil {
			unlimited++
		}
		rights := make([]string, len(token.Rights))
		for i, r := range token.Rights {
			rights[i] = string(r)
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", token.Name, strings.Join(rights, ","), minuteText(token.Created), expiryText(token), token.By)
	}
	if err := out.Flush(); err != nil || unlimited == 0 {
		return err
	}
	_, err = fmt.Fprintf(t.stderr, "warning: %s from before tokens expired, taken for ever: make new ones in their place and revoke these\n", counted(int64(unlimited), "token"))
	return err
}

func minuteText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") }

func expiryText(t web.ListedToken) string {
	switch {
	case t.Expires == nil:
		return "never"
	case t.Expired:
		return "expired " + minuteText(*t.Expires)
	}
	return minuteText(*t.Expires)
}

type tokenRevokeCommand struct {
	tokenFlags
	Name string `required:"" help:"Name of the token."`
}

func (c *tokenRevokeCommand) Run(t *terminal) error {
	err := c.through(t, c.openExisting, "token revoke", func(client *client) error {
		return client.do(t.ctx, http.MethodPost, "/api/v1/tokens/revoke", map[string]string{"name": c.Name}, &struct{}{}, false)
	}, func(st *store.Store) error {
		return st.RevokeToken(t.ctx, c.Name)
	})
	if errors.Is(err, store.ErrNotFound) || refusedWith(err, "not_found") {
		return fmt.Errorf("there is no token named %q", c.Name)
	}
	return err
}
