package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"

	"sipas/api/store"
	"sipas/api/web"
)

// storeFlags say where the answers are. They are the same for every command
// that opens the store itself.
type storeFlags struct {
	Data       string `default:"./sipas-data" env:"SIPAS_DATA" help:"Folder of the embedded store and the root secret."`
	MongoDBURI string `name:"mongodb-uri" env:"SIPAS_MONGODB_URI" help:"Use this MongoDB in place of the embedded store (mongodb://…)."`
	Secret     string `env:"SIPAS_SECRET" help:"Root secret, 64 hexadecimal digits. Without it, one is made in the data folder."`
}

// serviceFlags reach a running service, for commands that work through it.
type serviceFlags struct {
	URL         string `name:"url" env:"SIPAS_URL" help:"Work through the service at this address instead of opening the store."`
	TokenFile   string `name:"token-file" env:"SIPAS_TOKEN_FILE" placeholder:"FILE" help:"File with the access token for --url, readable by its owner alone. Without a token a terminal is asked for one."`
	AccessToken string `name:"token" env:"SIPAS_TOKEN" help:"Access token for --url, in the variable; given as a flag, others see it in the list of processes."`
}

// open opens the store for a command, whose name is told to others who want the
// same file.
func (f *storeFlags) open(ctx context.Context, command string, log *slog.Logger) (*store.Store, error) {
	return f.openAt(ctx, command, "", log)
}

// openAt is open for a command that answers requests at an address.
func (f *storeFlags) openAt(ctx context.Context, command, url string, log *slog.Logger) (*store.Store, error) {
	_, kept, err := store.FindSecret(f.Data)
	if err != nil && f.Secret == "" {
		return nil, err
	}
	secret, err := f.secret() // before the store: it makes one only where there is no store yet
	if err != nil {
		return nil, err
	}
	if f.Secret == "" && !kept {
		log.Warn("made the root secret of this installation: keep a copy apart from the backups, which are worth nothing without it", "file", filepath.Join(f.Data, "secret.key"))
	}
	engine, err := openEngine(ctx, f.location(), command, url, log)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, engine, secret, log)
}

// location is where the store is: a folder, or the address of a MongoDB.
func (f *storeFlags) location() string {
	if f.MongoDBURI != "" {
		return f.MongoDBURI
	}
	return f.Data
}

// checkLocation refuses a misspelt address, which would else be taken for the
// name of a folder, and answers go where nobody looks for them.
func checkLocation(location string) error {
	if !isMongoDB(location) && (strings.Contains(location, "://") || misspelt.MatchString(location)) {
		return fmt.Errorf("%q is neither a folder nor the address of a MongoDB, which begins with mongodb:// or mongodb+srv://, without quotes or spaces around it",
			store.RedactURI(location))
	}
	return nil
}

// misspelt matches what somebody meant as an address: user and password, or the name of
// the scheme with some of what follows it.
var misspelt = regexp.MustCompile(`^[^/\\]+:[^/\\]+(?:@|%40)|^\W*mongodb(?:\+srv)?(?:[:;]|//)`)

// isMongoDB tells an address from a folder.
func isMongoDB(location string) bool {
	return strings.HasPrefix(location, "mongodb://") || strings.HasPrefix(location, "mongodb+srv://")
}

// openEngine opens what keeps the answers at a location, a folder or the
// address of a MongoDB. command and url are told to others who want the same
// folder.
func openEngine(ctx context.Context, location, command, url string, log *slog.Logger) (store.Engine, error) {
	if err := checkLocation(location); err != nil {
		return nil, err
	}
	if isMongoDB(location) {
		if command != "serve" {
			// Nobody waits before a terminal for as long as a service can.
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, time.Minute)
			defer cancel()
		}
		engine, err := store.OpenMongo(ctx, location, store.MongoOptions{Logger: log, Now: now})
		if err != nil {
			return nil, err
		}
		return engine, nil
	}
	engine, err := store.OpenFile(location, store.FileOptions{Command: command, URL: url, Logger: log})
	if err != nil {
		return nil, explainHeld(err)
	}
	return engine, nil
}

// openExisting is open for commands that only read: without a store there is
// nothing to read, and an empty one must not appear by a misspelt folder.
func (f *storeFlags) openExisting(ctx context.Context, command string, log *slog.Logger) (*store.Store, error) {
	if _, err := os.Stat(f.Data); err != nil && f.MongoDBURI == "" {
		return nil, fmt.Errorf("there is no store at %s: %w", f.Data, err)
	}
	return f.open(ctx, command, log)
}

func (f *storeFlags) secret() (store.Secret, error) {
	if f.MongoDBURI != "" && !isMongoDB(f.MongoDBURI) {
		return store.Secret{}, fmt.Errorf("SIPAS_MONGODB_URI %q is no address of a MongoDB: it begins with mongodb:// or mongodb+srv://, without quotes or spaces around it",
			store.RedactURI(f.MongoDBURI))
	}
	if f.Secret != "" {
		secret, err := store.ParseSecret(f.Secret)
		if err != nil {
			return secret, fmt.Errorf("SIPAS_SECRET: %w", err)
		}
		return secret, nil
	}
	if f.MongoDBURI != "" {
		secret, ok, err := store.FindSecret(f.Data)
		if err == nil && !ok {
			err = errors.New("SIPAS_SECRET is not set. Every server on one MongoDB needs the same root secret: for a new installation make one with `sipas secret`, " +
				"keep it apart from the backups, and set it wherever the service runs")
		}
		return secret, err
	}
	return store.LoadSecret(f.Data)
}

// explainHeld adds what to do when another process holds the store.
func explainHeld(err error) error {
	var held *store.HeldError
	if errors.As(err, &held) && held.URL != "" {
		return fmt.Errorf("%w\n(report, import, export, seed, desks, token, backup, restore and verify take --url %s and an access token)", err, held.URL)
	}
	return err
}

// newLogger logs text to a terminal, JSON elsewhere.
func newLogger(w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{ReplaceAttr: redactAttr}
	if isTerminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// quietLogger is for commands that print a result: problems only.
func quietLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: redactAttr}))
}

// redactAttr takes secrets out of texts and errors on their way into the log, whoever
// wrote them.
func redactAttr(_ []string, a slog.Attr) slog.Attr {
	text := ""
	switch a.Value.Kind() {
	case slog.KindString:
		text = a.Value.String()
	case slog.KindAny:
		err, ok := a.Value.Any().(error)
		if !ok {
			return a
		}
		text = err.Error()
	default:
		return a
	}
	a.Value = slog.StringValue(store.Redact(text))
	return a
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && (isatty.IsTerminal(f.Fd()) || isatty.IsCygwinTerminal(f.Fd()))
}

// checkPublicURL reads an address that QR codes can carry.
func checkPublicURL(s string) (string, error) {
	public, err := web.ReadPublicURL(s)
	if err != nil {
		return "", fmt.Errorf("the public address (--public-url, SIPAS_PUBLIC_URL) cannot work: %w", err)
	}
	return public, nil
}

type configCommand struct {
	serveFlags
	serviceFlags
}

// Run prints every setting that has a variable, with its value and where it
// comes from.
func (c *configCommand) Run(t *terminal, parsed *kong.Context) error {
	out := tabwriter.NewWriter(t.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "variable\tflag\tvalue\tfrom")
	for _, flag := range settings(parsed.Model) {
		value := fmt.Sprint(flag.Target.Interface())
		if flag.IsSlice() { // [a b] is written a,b
			value = strings.ReplaceAll(strings.Trim(value, "[]"), " ", ",")
		}
		from := "default"
		if _, set := os.LookupEnv(flag.Envs[0]); set {
			from = "environment"
		}
		if slices.ContainsFunc(parsed.Path, func(p *kong.Path) bool { return p.Flag == flag }) {
			from = "flag"
		}
		fmt.Fprintf(out, "%s\t--%s\t%s\t%s\n", flag.Envs[0], flag.Name, redact(flag.Name, value), from)
	}
	return out.Flush()
}

// settings lists the flags of the config command that have a variable: all of
// the program's.
func settings(app *kong.Application) []*kong.Flag {
	var list []*kong.Flag
	for _, node := range app.Children {
		if node.Name != "config" {
			continue
		}
		for _, flag := range node.Flags {
			if len(flag.Envs) > 0 {
				list = append(list, flag)
			}
		}
	}
	return list
}

// redact hides secrets, and those inside an address.
func redact(name, value string) string {
	switch {
	case value == "":
		return `""`
	case name == "secret" || name == "token":
		return "(hidden)"
	}
	return store.RedactURI(value)
}

// now is the clock of the program.
func now() time.Time { return time.Now() }
