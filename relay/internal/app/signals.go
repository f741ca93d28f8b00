package app

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Main runs the command line of a process and returns its exit code. SIGTERM drains a relay, a second one ends
// it at once, as SIGINT does. One more ends the process as it is.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, end := context.WithCancel(context.Background())
	defer end()
	drain := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // lives as long as the process
		if <-signals == syscall.SIGTERM {
			close(drain)
			<-signals
		}
		signal.Stop(signals)
		end()
	}()
	return Run(ctx, drain, args, stdout, stderr)
}
