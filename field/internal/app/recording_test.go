package app_test

import (
	"context"
	"encoding/json"
	"image"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"sightline/field/internal/app"
	"sightline/relay/wire"
)

// panes is a window that nobody sees, with keys that a test strikes.
type panes struct {
	keys chan rune

	mu    sync.Mutex
	shown *image.RGBA
}

func (p *panes) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (p *panes) SetTitle(string)               {}
func (p *panes) Keys() <-chan rune             { return p.keys }

func (p *panes) Show(m *image.RGBA) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shown = image.NewRGBA(m.Rect)
	copy(p.shown.Pix, m.Pix)
}

// red says whether the corner has the red sign.
func (p *panes) red() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown == nil {
		return false
	}
	w := p.shown.Rect.Dx()
	for x := w - 90; x < w; x++ {
		if c := p.shown.RGBAAt(x, 26); c.R > 240 && c.G < 80 && c.B < 80 {
			return true
		}
	}
	return false
}

// told says whether the last message of a kind and ID has a body with those words.
func (x *expert) told(kind, id, words string) bool {
	last := ""
	for _, e := range x.log {
		if e.Kind == kind && (id == "" || e.ID == id) {
			last = string(e.Body)
		}
	}
	return strings.Contains(last, words)
}

// TestConsentAndPrivacy is asked, says yes with a key, sees the sign, and pauses and goes on with another.
func TestConsentAndPrivacy(t *testing.T) {
	x := joinExpert(t, "asks-1")
	p := &panes{keys: make(chan rune, 4)}
	ctx, stop := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() {
		app.Run(ctx, []string{"--relay", theRelay.url, "--token", theRelay.token(t, "asks-1", "field", "Tom"), "--source", "sim:plant?seed=7&size=320x240",
			"--fps", "10", "--audio", "none"}, io.Discard, io.Discard, func(int, int, string) app.Window { return p })
	})
	defer run.Wait()
	defer stop()
	asked := func() bool {
		for _, e := range x.log {
			var c wire.Consent
			if e.Kind == wire.KindConsent && json.Unmarshal(e.Body, &c) == nil && c.State == wire.ConsentAsked && e.ID == x.camera() {
				return true
			}
		}
		return false
	}
	x.eventually(t, "the technician is asked", asked)
	time.Sleep(300 * time.Millisecond) // the question is on its way to him as well
	p.keys <- 'Y'
	x.eventually(t, "he says yes", func() bool { return x.told(wire.KindConsent, x.camera(), wire.ConsentGiven) })
	x.eventually(t, "the sign is red", p.red)
	p.keys <- 'P'
	x.eventually(t, "it is paused", func() bool { return x.told(wire.KindRecorded, "", `"paused":true`) })
	x.eventually(t, "the sign is not red", func() bool { return !p.red() })
	p.keys <- 'P'
	x.eventually(t, "it goes on", func() bool { return x.told(wire.KindRecorded, "", `"on":true`) && p.red() })
}

// TestConsentByTheCommandLine answers where nobody looks.
func TestConsentByTheCommandLine(t *testing.T) {
	for _, c := range []struct{ flag, want string }{{"yes", wire.ConsentGiven}, {"no", wire.ConsentRefused}} {
		room := "asks-" + c.flag
		x := joinExpert(t, room)
		ctx, stop := context.WithCancel(t.Context())
		var run sync.WaitGroup
		run.Go(func() {
			app.Run(ctx, []string{"--relay", theRelay.url, "--token", theRelay.token(t, room, "field", "Tom"), "--source", "sim:plant?seed=7&size=320x240",
				"--fps", "10", "--audio", "none", "--headless", "--consent", c.flag}, io.Discard, io.Discard, nil)
		})
		x.eventually(t, "the answer is "+c.want, func() bool { return x.told(wire.KindConsent, x.camera(), c.want) })
		stop()
		run.Wait()
	}
}
