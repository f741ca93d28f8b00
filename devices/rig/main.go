// Rig puts Sightline on the bench: it starts the relay, the plant, the field client and a scripted expert
// as separate processes over real sockets, lets them work, and measures what they did against the truth.
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
)

func main() {
	var cfg bench.Config
	k := kong.Parse(&cfg, kong.Name("rig"), kong.Description("Run the whole of Sightline on one machine and measure it."))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := bench.Run(ctx, cfg, os.Stdout)
	if err == nil {
		report.Print(os.Stdout)
		err = report.Write(cfg.Out)
		if len(report.Failures) > 0 {
			err = errors.Join(err, fmt.Errorf("the job did not really happen: %d checks failed", len(report.Failures)))
		}
	}
	k.FatalIfErrorf(err)
}
