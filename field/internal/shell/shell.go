// Package shell is the field client's window, and its only importer of ebiten:
// programs that link it need a display when they start. It shows pictures that
// were composed elsewhere, draws nothing of its own, and sleeps until there is a new one.
package shell

import (
	"context"
	"image"
	"sync"
	"time"

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

	news chan struct{} // holds one: there is something new to show
	keys chan rune     // letters that were struck, upper case
	stop context.Context
}

// idle is how long the window waits for a new picture before it looks at the keys again. Without a
// graphics card every turn of the loop costs.
const idle = time.Second / 20

// New makes a window for pictures of width x height pixels.
func New(width, height int, title string) *Shell {
	return &Shell{width: width, height: height, title: title, pixels: make([]byte, 4*width*height), news: make(chan struct{}, 1), keys: make(chan rune, 8)}
}

// Show copies a picture and shows it soon.
func (s *Shell) Show(p *image.RGBA) {
	s.mu.Lock()
	copy(s.pixels, p.Pix)
	s.fresh = true
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default: // it knows already
	}
}

// SetTitle changes the window's title.
func (s *Shell) SetTitle(title string) {
	s.mu.Lock()
	s.retitle = s.retitle || s.title != title
	s.title = title
	s.mu.Unlock()
}

// Keys tells of the letters Y, N and P that are struck, in upper case.
func (s *Shell) Keys() <-chan rune { return s.keys }

// told are the keys that others hear of.
var told = map[ebiten.Key]rune{ebiten.KeyY: 'Y', ebiten.KeyN: 'N', ebiten.KeyP: 'P'}

// Run shows the window until it is closed or ctx ends. It must be called on the main goroutine.
func (s *Shell) Run(ctx context.Context) error {
	ebiten.SetWindowSize(s.width, s.height)
	ebiten.SetWindowTitle(s.title)
	ebiten.SetWindowResizingMode(ebiten.WindowResizingModeEnabled)
	ebiten.SetScreenClearedEveryFrame(false)
	ebiten.SetRunnableOnUnfocused(true)
	ebiten.SetTPS(ebiten.SyncWithFPS) // Update sets the pace
	s.stop = ctx
	return ebiten.RunGameWithOptions(s, &ebiten.RunGameOptions{InitUnfocused: true, SingleThread: false})
}

// Update is ebiten's: it waits for a new picture, and looks at keys and the end.
func (s *Shell) Update() error {
	select {
	case <-s.news:
	case <-s.stop.Done():
	case <-time.After(idle):
	}
	if s.stop.Err() != nil || inpututil.IsKeyJustPressed(ebiten.KeyQ) || inpututil.IsKeyJustPressed(ebiten.KeyEscape) {
		return ebiten.Termination
	}
	for k, letter := range told {
		if inpututil.IsKeyJustPressed(k) {
			select {
			case s.keys <- letter:
			default: // nobody listens
			}
		}
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
