// Command field is the technician's client: headset, edge box or laptop.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"sightline/field/internal/app"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr, nil)
	stop()
	os.Exit(code)
}
