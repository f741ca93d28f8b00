// Replay runs the field client's tracker over a recorded sequence and writes what it would have shown.
package main

import (
	"github.com/alecthomas/kong"

	"sightline/field/internal/replay"
)

func main() {
	var cfg replay.Config
	ctx := kong.Parse(&cfg, kong.Name("replay"), kong.Description("Run the field client's tracker over a sequence folder (rgb/, camera.txt)."))
	ctx.FatalIfErrorf(replay.Run(cfg))
}
