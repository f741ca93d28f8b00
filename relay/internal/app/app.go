// Package app is the relay's command line.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// commands is the command line.
type commands struct {
	Serve  serve   `cmd:"" help:"Run the relay."`
	Config example `cmd:"" help:"Print a configuration file with every setting of serve, its default and what it does."`
	Doctor doctor  `cmd:"" help:"Examine ports, certificate, clock, disk, NATS and TURN with the settings of serve, and say how to mend what is wrong."`
	Invite invite  `cmd:"" help:"Invitations: make, list, revoke."`
	Keys   keys    `cmd:"" help:"The keys that sign invitations."`

	Verify  verify       `cmd:"" help:"Prove a case: that nothing in it was changed, left out, added or reordered. Exits with 0 only where all is proven."`
	Cases   caseCommands `cmd:"" help:"The cases that this relay has recorded: list, hold, release, delete, export."`
	Archive archive      `cmd:"" help:"Make one file of a case."`
	SealKey sealKey      `cmd:"" name:"seal-key" help:"The key that verifies this relay's cases: print it, list how it was changed, change it."`
}

// example is relay config.
type example struct{}

// Run runs the command line and returns the exit code. Serving ends with ctx, and, in time, when drain is closed.
func Run(ctx context.Context, drain <-chan struct{}, args []string, stdout, stderr io.Writer) int {
	var c commands
	code := -1
	c.Serve.place = func(err error) error { return err }
	parser, err := kong.New(&c, kong.Name("relay"), kong.Description("Sightline's relay: rooms, media, messages and recordings."),
		kong.DefaultEnvars(envPrefix), kong.Writers(stdout, stderr), kong.Exit(func(n int) { code = n }))
	if err != nil {
		fmt.Fprintln(stderr, "relay:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if code >= 0 { // help was asked for
		return code
	}
	if err != nil {
		fmt.Fprintln(stderr, "relay:", err)
		return 2
	}
	switch words := strings.Fields(parsed.Command()); words[0] {
	case "serve":
		err = c.Serve.run(ctx, drain, stdout, stderr)
	case "doctor":
		err = c.Doctor.run(ctx, stdout)
	case "config":
		err = printExample(parser, stdout)
	case "verify":
		err = c.Verify.run(stdout)
	case "cases":
		err = c.Cases.run(words[1], stdout)
	case "archive":
		err = c.Archive.run()
	case "seal-key":
		err = c.SealKey.run(words[1], stdout)
	case "keys":
		err = c.Keys.run(words[1], stdout)
	default:
		err = c.Invite.run(words[1], stdout)
	}
	if err != nil {
		if !errors.Is(err, errNotProven) {
			fmt.Fprintln(stderr, "relay:", err)
		}
		return 1
	}
	return 0
}
