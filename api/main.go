// Command sipas is the citizen satisfaction survey service: one binary that
// serves the forms, keeps the answers and computes the index.
//
// This package is the shell around everything: the command line, the
// configuration, files and the terminal. HTTP lives in api/web, persistence in
// api/store, the columns behind reports in api/analysis, rendering in
// api/publish. Rules about answers and statistics must not be written here;
// they are in the packages survey and stats.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // offices run Windows, which has no time zone files

	"github.com/alecthomas/kong"

	"sipas/api/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// cli is the command table; flags go before SIPAS_* variables, variables before
// defaults.
type cli struct {
	Demo    demoCommand    `cmd:"" help:"Show the main job: a service with a simulated province, in a temporary folder."`
	Serve   serveCommand   `cmd:"" help:"Run the service."`
	Report  reportCommand  `cmd:"" help:"Print the index of a round."`
	Compare compareCommand `cmd:"" help:"Print the difference between two units, periods, channels, rounds, …"`
	Trend   trendCommand   `cmd:"" help:"Print the index over rounds, with its slope and where figures cannot be compared."`
	Items   itemsCommand   `cmd:"" help:"Print what lies behind the index: criteria to improve first, reliability, key drivers."`
	Picture pictureCommand `cmd:"" help:"Print the published figures of a round, as those see them who may not see answers."`
	Plan    planCommand    `cmd:"" help:"Print how many answers each unit needs for a margin, and divide a total over the units."`
	Draw    drawCommand    `cmd:"" help:"Draw a random sample from a file that anybody with the seed can draw again."`
	Import  importCommand  `cmd:"" help:"Load answers from a file: paper forms, another system, an export."`
	Export  exportCommand  `cmd:"" help:"Write the answers of a round as CSV."`
	Copy    copyCommand    `cmd:"" help:"Move everything between a folder and a MongoDB, either way, and prove that both are equal."`
	Backup  backupCommand  `cmd:"" help:"Write everything into one file, while the service runs."`
	Restore restoreCommand `cmd:"" help:"Bring back what a backup holds."`
	Verify  verifyCommand  `cmd:"" help:"Prove that the store holds together and reports agree with it, or that a backup is whole."`
	Study   studyCommand   `cmd:"" help:"Simulate rounds whose truth is known and print how often the intervals hold it."`
	Seed    seedCommand    `cmd:"" help:"Load instruments, units, desks, rounds and populations."`
	Desks   desksCommand   `cmd:"" help:"List the desks with their codes and the sheets to print."`
	Slips   slipsCommand   `cmd:"" help:"Issue one-time slips for a desk, to print."`
	Device  deviceCommand  `cmd:"" help:"Manage tablets: pair them, see how they do, take in their files."`
	Token   tokenCommand   `cmd:"" help:"Create, list and revoke access tokens."`
	Secret  secretCommand  `cmd:"" help:"Print a new root secret for SIPAS_SECRET of a new installation."`
	Config  configCommand  `cmd:"" help:"Print the configuration in force, secrets hidden."`
	Health  healthCommand  `cmd:"" help:"Ask a running service whether it is ready; exit code 0 when it is."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

// terminal is what a command may write to, and the context that ends it.
type terminal struct {
	ctx            context.Context
	stdout, stderr io.Writer
}

// errSilent ends a command with exit code 1 when everything was said already.
var errSilent = errors.New("")

// run executes one command line and returns the exit code: 0 done, 1 failed, 2
// wrongly called.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil { // what it says may quote an address
			fmt.Fprintf(stderr, "sipas: panic: %s\n%s", store.Redact(fmt.Sprint(p)), debug.Stack())
			code = 1
		}
	}()
	var table cli
	exited := -1
	parser, err := kong.New(&table,
		kong.Name("sipas"),
		kong.Description("Citizen satisfaction surveys of public administrative services (SIPAS)."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { exited = code }),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(stderr, "sipas:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		fmt.Fprintln(stderr, "sipas:", store.Redact(err.Error()))
		fmt.Fprintln(stderr, "sipas: see sipas --help")
		return 2
	}
	warnOfSecrets(stderr, command)
	err = command.Run(&terminal{ctx: ctx, stdout: stdout, stderr: stderr})
	switch {
	case err == nil:
		return 0
	case !errors.Is(err, errSilent):
		fmt.Fprintln(stderr, "sipas:", store.Redact(err.Error()))
	}
	return 1
}

// warnOfSecrets says which secrets were written on the command line, where whoever
// lists the processes of this machine reads them.
func warnOfSecrets(w io.Writer, command *kong.Context) {
	for _, part := range command.Path {
		if part.Flag == nil || len(part.Flag.Envs) == 0 {
			continue
		}
		value := fmt.Sprint(part.Flag.Target.Interface())
		if redact(part.Flag.Name, value) == value || value == "" {
			continue
		}
		fmt.Fprintf(w, "sipas: warning: others on this machine can read --%s in the list of processes: set %s", part.Flag.Name, part.Flag.Envs[0])
		if part.Flag.Name == "token" {
			fmt.Fprint(w, ", or SIPAS_TOKEN_FILE to a file that you alone can read")
		}
		fmt.Fprintln(w)
	}
}

// version is the version of this build: the module's when it was installed as
// one, else the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "dev-" + s.Value[:12]
		}
	}
	return "dev"
}

type versionCommand struct{}

func (versionCommand) Run(t *terminal) error {
	_, err := fmt.Fprintln(t.stdout, "sipas", version())
	return err
}
