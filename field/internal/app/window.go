package app

import (
	"context"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"syscall"
)

// Window shows pictures and tells of keys (field/internal/shell). Run is called on the main goroutine and returns when the
// window is closed or ctx ends; the others may be called from any goroutine.
type Window interface {
	Run(ctx context.Context) error
	Show(p *image.RGBA)
	SetTitle(title string)
	Keys() <-chan rune // Y, N and P
}

// Opener makes a window for pictures of that size.
type Opener func(width, height int, title string) Window

// windowProgram is the program that has a window, beside this one.
const windowProgram = "field-window"

// becomeWindow replaces this program by the one that has a window. It returns only where that fails.
func becomeWindow(args []string) error {
	if os.Getenv("DISPLAY") == "" {
		return fmt.Errorf("there is no display for a window (DISPLAY is not set); --headless runs without one")
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	path := filepath.Join(filepath.Dir(self), windowProgram)
	err = syscall.Exec(path, append([]string{path}, args...), os.Environ())
	return fmt.Errorf("the window is a program of its own, and %s cannot be started: %w; go build -o bin/%s ./field/window makes it, --headless runs without one",
		path, err, windowProgram)
}
