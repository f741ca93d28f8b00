package bench

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"sightline/devices/rig/internal/program"
)

// display returns the X display to show windows on: the one there is, or a virtual one of our own.
func display(ctx context.Context, out string) (name string, own *program.Program, err error) {
	if d := os.Getenv("DISPLAY"); d != "" {
		return d, nil, nil
	}
	path, err := exec.LookPath("Xvfb")
	if err != nil {
		return "", nil, errors.New("no display and no Xvfb: install xvfb (make deps), or run with --headless")
	}
	// -displayfd lets it choose a free number and say it on its standard output.
	p, err := program.Start(ctx, filepath.Join(out, "xvfb.log"), nil, path, "-displayfd", "1", "-screen", "0", "1920x1080x24", "-nolisten", "tcp")
	if err != nil {
		return "", nil, err
	}
	n, err := p.Line(20 * time.Second)
	if err != nil {
		return "", nil, err
	}
	return ":" + strings.TrimSpace(n), p, nil
}
