// Rig is Sightline's bench. It starts the relay, the plant, the field client and a scripted expert as
// separate processes over real sockets, lets them work, and measures what they did against the truth; or
// it measures the tracker alone over sequences.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"sightline/devices/rig/internal/bench"
	"sightline/devices/rig/internal/longrun"
	"sightline/devices/rig/internal/seqbench"
)

type commands struct {
	Demo    demoCommand    `cmd:"" default:"withargs" help:"Run the whole of Sightline on one machine and measure it (the default)."`
	Vision  visionCommand  `cmd:"" help:"Measure the tracker over sequences with known truth: one table."`
	Session sessionCommand `cmd:"" help:"Record a long session of several people and fifty tags, and check the case in every way: one table."`
}

func main() {
	var c commands
	k := kong.Parse(&c, kong.Name("rig"), kong.Description("Put Sightline on the bench."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	k.FatalIfErrorf(k.Run(&running{ctx}))
}

// running is what the commands run under.
type running struct{ context.Context }

type demoCommand struct{ bench.Config }

// Run runs the demo and judges it.
func (c *demoCommand) Run(ctx *running) error {
	report, err := bench.Run(ctx, c.Config, os.Stdout)
	if err != nil {
		return err
	}
	report.Print(os.Stdout)
	err = report.Write(c.Out)
	if len(report.Failures) > 0 {
		err = errors.Join(err, fmt.Errorf("the job did not really happen: %d checks failed", len(report.Failures)))
	}
	return err
}

type visionCommand struct{ seqbench.Config }

// Run measures the tracker.
func (c *visionCommand) Run(ctx *running) error {
	return seqbench.Run(ctx, c.Config, os.Stdout, os.Stderr)
}

type sessionCommand struct{ longrun.Config }

// Run records the session and judges its case.
func (c *sessionCommand) Run(ctx *running) error {
	table, err := longrun.Run(ctx, c.Config, os.Stdout)
	if err != nil {
		return err
	}
	table.Print(os.Stdout)
	err = table.Write(c.Out)
	if len(table.Failures) > 0 {
		err = errors.Join(err, fmt.Errorf("%d checks failed", len(table.Failures)))
	}
	return err
}
