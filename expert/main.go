// Command expert is the remote expert's desktop client.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sightline/expert/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr, nil)
	stop()
	os.Exit(code)
}
