// Package shell is the field client's window, and its only importer of ebiten:
// programs that link it need a display when they start. It shows pictures that
// were composed elsewhere, draws nothing of its own, and sleeps until there is a new one.
package shell

import (
	"context"
	"image"
	"sync"

	"github.com/hajimehoshi/ebiten/v2"
	"github.com/hajimehoshi/ebiten/v2/inpututil"
)

// Shell is the window. Show and SetTitle may be called from any goroutine, before and after Run.
type Shell struct {
	width, height int

	mu      sync.Mutex
	pixels  []byte
	title   string
	fresh   bool
	retitle bool
	open    bool // Run has begun: the window can be woken
	stop    context.Context
}

// New makes a window for pictures of width x height pixels.
func New(width, height int, title string) *Shell {
	return &Shell{width: width, height: height, title: title, pixels: make([]byte, 4*width*height)}
}

// Show copies a picture and shows it soon.
func (s *Shell) Show(p *image.RGBA) {
	s.mu.Lock()
	copy(s.pixels, p.Pix)
	s.fresh = true
	s.mu.Unlock()
	s.wake()
}

// SetTitle changes the window's title.
func (s *Shell) SetTitle(title string) {
	s.mu.Lock()
	s.retitle = s.retitle || s.title != title
	s.title = title
	s.mu.Unlock()
}

// wake makes ebiten run a frame.
func (s *Shell) wake() {
	s.mu.Lock()
	open := s.open
	s.mu.Unlock()
	if open {
		ebiten.ScheduleFrame() //nolint:staticcheck // its replacement keeps polling
	}
}

// Run shows the window until it is closed or ctx ends. It must be called on the main goroutine.
func (s *Shell) Run(ctx context.Context) error {
	ebiten.SetWindowSize(s.width, s.height)
	ebiten.SetWindowTitle(s.title)
	ebiten.SetWindowResizingMode(ebiten.WindowResizingModeEnabled)
	ebiten.SetScreenClearedEveryFrame(false)
	ebiten.SetRunnableOnUnfocused(true)
	// Frames are drawn when ScheduleFrame says so: the loop of the other modes costs a third of a core
	// where OpenGL is software.
	ebiten.SetFPSMode(ebiten.FPSModeVsyncOffMinimum) //nolint:staticcheck // see above
	s.mu.Lock()
	s.stop, s.open = ctx, true
	s.mu.Unlock()
	unhook := context.AfterFunc(ctx, s.wake)
	defer unhook()
	return ebiten.RunGameWithOptions(s, &ebiten.RunGameOptions{InitUnfocused: true, SingleThread: false})
}

// Update is ebiten's: keys and the end.
func (s *Shell) Update() error {
	if s.stop.Err() != nil || inpututil.IsKeyJustPressed(ebiten.KeyQ) || inpututil.IsKeyJustPressed(ebiten.KeyEscape) {
		return ebiten.Termination
	}
	if inpututil.IsKeyJustPressed(ebiten.KeyF11) {
		ebiten.SetFullscreen(!ebiten.IsFullscreen())
	}
	s.mu.Lock()
	title, changed := s.title, s.retitle
	s.retitle = false
	s.mu.Unlock()
	if changed {
		ebiten.SetWindowTitle(title)
	}
	return nil
}

// Draw is ebiten's.
func (s *Shell) Draw(screen *ebiten.Image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fresh {
		screen.WritePixels(s.pixels)
		s.fresh = false
	}
}

// Layout is ebiten's: the picture keeps its size, and is scaled to the window.
func (s *Shell) Layout(int, int) (int, int) { return s.width, s.height }
