// Command expert-window is the expert's client with its window. Command expert becomes it where a window is
// wanted: ebiten looks for a display when a program starts, and ends it where there is none.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sightline/expert/internal/app"
	"sightline/expert/internal/shell"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr, func(ctx context.Context, title string, width, height int, s app.Surface) error {
		return shell.Run(ctx, title, width, height, s)
	})
	stop()
	os.Exit(code)
}
