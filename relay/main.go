// Command relay is Sightline's server.
package main

import (
	"os"

	"sightline/relay/internal/app"
)

func main() { os.Exit(app.Main(os.Args[1:], os.Stdout, os.Stderr)) }
