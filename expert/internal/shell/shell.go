// Package shell is the window: it shows a picture that others draw and tells them of mouse and keys. It
// is the expert's only importer of ebiten, and of oto, which plays sound.
package shell

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"
	"time"

	"github.com/hajimehoshi/ebiten/v2"
	"github.com/hajimehoshi/ebiten/v2/inpututil"

	"sightline/expert/internal/desk"
	"sightline/vision/geom"
)

// Surface is what the window shows. All of its methods are called on the window's goroutine.
type Surface interface {
	// Wait returns after d, or sooner when there is something new to show.
	Wait(d time.Duration)
	// Tick is called before the events of a moment.
	Tick()
	Handle(desk.Event)
	Resize(width, height int, scale float64)
	Render() (canvas *image.RGBA, changed bool)
}

// Watched is a surface that does less while its window is minimised.
type Watched interface {
	Seen(seen bool)
}

// Run opens a window of width x height pixels and shows the surface until ctx ends or the window is
// closed. It must be called on the main goroutine. It fails where there is no display.
func Run(ctx context.Context, title string, width, height int, s Surface) error {
	ebiten.SetWindowTitle(title)
	ebiten.SetWindowSize(width, height)
	ebiten.SetWindowResizingMode(ebiten.WindowResizingModeEnabled)
	ebiten.SetWindowSizeLimits(720, 480, -1, -1)
	ebiten.SetScreenClearedEveryFrame(false)
	ebiten.SetRunnableOnUnfocused(true)
	ebiten.SetTPS(ebiten.SyncWithFPS)
	w := &window{ctx: ctx, surface: s}
	if v, ok := s.(Voice); ok {
		w.speaker = listen(v)
		defer w.speaker.close()
	}
	err := ebiten.RunGameWithOptions(w, &ebiten.RunGameOptions{InitUnfocused: false, X11ClassName: "Sightline", X11InstanceName: "expert"})
	if err != nil && !errors.Is(err, ebiten.Termination) {
		return fmt.Errorf("the window cannot be opened: %w; --headless works without a display", err)
	}
	return nil
}

// window is the ebiten game.
type window struct {
	ctx     context.Context
	surface Surface
	speaker *speaker
	image   *ebiten.Image
	width   int
	height  int
	scale   float64
	mouse   geom.Vec2
	runes   []rune
	keys    []ebiten.Key
	busy    time.Time // when the mouse or a key last did something
}

// The window's pace while there is nothing new: quick while somebody works with it, and otherwise slow,
// for without a graphics card every screen costs. News are shown at once.
const (
	quick = time.Second / 60
	slow  = time.Second / 30
	after = time.Second
)

// Layout follows the window's size in the display's own pixels.
func (w *window) Layout(outsideWidth, outsideHeight int) (int, int) {
	scale := ebiten.Monitor().DeviceScaleFactor()
	width, height := int(float64(outsideWidth)*scale), int(float64(outsideHeight)*scale)
	if width != w.width || height != w.height || scale != w.scale {
		w.width, w.height, w.scale = width, height, scale
		w.surface.Resize(width, height, scale)
	}
	return width, height
}

// Update brings the events of a moment.
func (w *window) Update() error {
	if w.ctx.Err() != nil {
		return ebiten.Termination
	}
	if time.Since(w.busy) > after {
		w.surface.Wait(slow)
	} else {
		w.surface.Wait(quick)
	}
	if e, ok := w.surface.(Watched); ok {
		e.Seen(!ebiten.IsWindowMinimized())
	}
	w.speaker.check()
	w.surface.Tick()
	x, y := ebiten.CursorPosition()
	if at := (geom.Vec2{float64(x) + 0.5, float64(y) + 0.5}); at != w.mouse {
		w.mouse, w.busy = at, time.Now()
		w.surface.Handle(desk.Event{Kind: desk.Moved, At: at})
	}
	if inpututil.IsMouseButtonJustPressed(ebiten.MouseButtonLeft) {
		w.busy = time.Now()
		w.surface.Handle(desk.Event{Kind: desk.Pressed, At: w.mouse})
	}
	if inpututil.IsMouseButtonJustReleased(ebiten.MouseButtonLeft) {
		w.surface.Handle(desk.Event{Kind: desk.Released, At: w.mouse})
	}
	w.typed()
	return nil
}

// typed brings characters and keys. Characters are never missed, however shortly a key was down; the state
// of keys is only looked at now and then. So letters and digits are keys only together with Ctrl.
func (w *window) typed() {
	w.keys = inpututil.AppendPressedKeys(w.keys[:0])
	w.runes = ebiten.AppendInputChars(w.runes[:0])
	if len(w.keys)+len(w.runes) > 0 {
		w.busy = time.Now()
	}
	for _, r := range w.runes {
		w.surface.Handle(desk.Event{Kind: desk.Typed, Rune: r, Again: w.held(r)})
	}
	ctrl := ebiten.IsKeyPressed(ebiten.KeyControl) || ebiten.IsKeyPressed(ebiten.KeyMeta)
	for _, k := range w.keys {
		ticks := inpututil.KeyPressDuration(k)
		again := (k == ebiten.KeyBackspace || k == ebiten.KeyArrowLeft || k == ebiten.KeyArrowRight) && ticks > 25 && ticks%3 == 0
		if ticks != 1 && !again {
			continue
		}
		if key, ok := named[k]; ok {
			w.surface.Handle(desk.Event{Kind: desk.Struck, Key: key, Ctrl: ctrl})
		} else if key, ok := letter(k); ok && ctrl {
			w.surface.Handle(desk.Event{Kind: desk.Struck, Key: key, Ctrl: true})
		}
	}
}

// held says whether a character comes from a key that has been down for some time.
func (w *window) held(r rune) bool {
	for _, k := range w.keys {
		key, ok := letter(k)
		if r == ' ' {
			ok, key = k == ebiten.KeySpace, " "
		}
		if ok && strings.EqualFold(string(key), string(r)) && inpututil.KeyPressDuration(k) > 5 {
			return true
		}
	}
	return false
}

var named = map[ebiten.Key]desk.Key{ebiten.KeyEnter: desk.KeyEnter, ebiten.KeyNumpadEnter: desk.KeyEnter,
	ebiten.KeyEscape: desk.KeyEscape, ebiten.KeyBackspace: desk.KeyBackspace, ebiten.KeyDelete: desk.KeyDelete, ebiten.KeyTab: desk.KeyTab,
	ebiten.KeyArrowLeft: desk.KeyLeft, ebiten.KeyArrowRight: desk.KeyRight, ebiten.KeyArrowUp: desk.KeyUp, ebiten.KeyArrowDown: desk.KeyDown,
	ebiten.KeyHome: desk.KeyHome, ebiten.KeyEnd: desk.KeyEnd}

// letter names a letter's or a digit's key by the keyboard's own layout.
func letter(k ebiten.Key) (desk.Key, bool) {
	name := ebiten.KeyName(k)
	if name == "" && k >= ebiten.KeyA && k <= ebiten.KeyZ {
		name = k.String()
	}
	if len(name) == 1 {
		c := name[0]
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' {
			return desk.Key([]byte{c}), true
		}
	}
	return "", false
}

// Draw brings the surface's picture to the graphics card. The screen that ebiten would have between is
// not used but for one pixel, which tells it that there is something new.
func (w *window) Draw(screen *ebiten.Image) {
	canvas, changed := w.surface.Render()
	size := canvas.Rect.Size()
	if w.image == nil || w.image.Bounds().Size() != size {
		if w.image != nil {
			w.image.Deallocate()
		}
		w.image = ebiten.NewImageWithOptions(image.Rect(0, 0, size.X, size.Y), &ebiten.NewImageOptions{Unmanaged: true})
		changed = true
	}
	if changed {
		w.image.WritePixels(canvas.Pix)
		screen.Set(0, 0, color.Black)
	}
}

// DrawFinalScreen shows the picture.
func (w *window) DrawFinalScreen(screen ebiten.FinalScreen, _ *ebiten.Image, geoM ebiten.GeoM) {
	screen.DrawImage(w.image, &ebiten.DrawImageOptions{Blend: ebiten.BlendCopy, GeoM: geoM})
}
