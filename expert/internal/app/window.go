package app

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"sightline/expert/internal/desk"
)

// Surface is what a window shows (expert/internal/shell).
type Surface interface {
	Wait(d time.Duration)
	Tick()
	Handle(desk.Event)
	Resize(width, height int, scale float64)
	Render() (canvas *image.RGBA, changed bool)
}

// Window shows a surface until it is closed or ctx ends. It is called on the main goroutine.
type Window func(ctx context.Context, title string, width, height int, s Surface) error

// windowProgram is the program that has a window, beside this one.
const windowProgram = "expert-window"

// becomeWindow replaces this program by the one that has a window. It returns only where that fails.
func becomeWindow(args []string) error {
	if os.Getenv("DISPLAY") == "" {
		return errors.New("there is no display for a window (DISPLAY is not set); --headless runs without one")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	path := filepath.Join(filepath.Dir(self), windowProgram)
	err = syscall.Exec(path, append([]string{path}, args...), os.Environ())
	return fmt.Errorf("the window is a program of its own, and %s cannot be started: %w; go build -o bin/%s ./expert/window makes it, --headless runs without one",
		path, err, windowProgram)
}
