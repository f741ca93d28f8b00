package app

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"strings"
	"time"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/expert/internal/deck"
	"sightline/expert/internal/desk"
)

// openCommand is the command line of open.
type openCommand struct {
	caseFlags
	Size       string        `default:"1440x900" help:"Width and height of the window in pixels."`
	At         time.Duration `help:"Where to begin, from the start of the recording."`
	Play       bool          `help:"Play at once."`
	Screenshot string        `type:"path" placeholder:"FILE" help:"Write the window's picture as PNG and end, without a window."`
	Search     string        `placeholder:"WORDS" help:"Search for words and begin where they were found first."`
}

func (c *openCommand) run(ctx context.Context, args []string, stdout io.Writer, open Window) (err error) {
	width, height, err := parseSize(c.Size)
	if err != nil {
		return err
	}
	if c.Screenshot == "" && open == nil {
		return becomeWindow(args)
	}
	o, err := c.open(ctx, "archive")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	t := o.tape
	k := deck.New(t, time.Now)
	p := &past{deck: k, desk: desk.New(desk.Config{Source: k, Editor: nobody{}, Faces: o.faces, Now: k.Now,
		Review: &desk.Review{Deck: k, Tape: t, Wall: time.Now, Proven: o.seal.Proven, Verdict: o.seal.Words}}, width, height, 1)}
	defer func() { p.desk.Close(); err = errors.Join(err, k.Close()) }()
	if c.At > 0 {
		k.GoTo(t.Start + c.At.Microseconds())
	}
	if c.Search != "" {
		p.desk.Search(c.Search)
	}
	if k.Play(c.Play); c.Screenshot == "" {
		return open(ctx, "Sightline · case of "+t.About.Room, width, height, p)
	}
	p.Render()
	for end := time.Now().Add(10 * time.Second); !k.Settled() && time.Now().Before(end); {
		p.Wait(20 * time.Millisecond)
	}
	p.desk.Resize(width, height, 1)
	p.Render()
	canvas, _ := p.Render()
	fmt.Fprintln(stdout, c.Screenshot)
	return writePNG(c.Screenshot, canvas)
}

// past is a desk on which a recorded session is, as a window shows it.
type past struct {
	deck *deck.Deck
	desk *desk.Desk
}

// Wait returns after d, or sooner where a picture was decoded.
func (p *past) Wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-p.deck.Changes():
	case <-timer.C:
	}
}

// Tick does nothing: the desk moves the deck on.
func (p *past) Tick() {}

// Handle, Resize and Render are the desk's.
func (p *past) Handle(e desk.Event)                     { p.desk.Handle(e) }
func (p *past) Resize(width, height int, scale float64) { p.desk.Resize(width, height, scale) }
func (p *past) Render() (*image.RGBA, bool)             { return p.desk.Render() }

// Sound is the deck's.
func (p *past) Sound(latency time.Duration) io.Reader { return p.deck.Sound(latency) }

// Deaf tells that nothing can be heard.
func (p *past) Deaf(reason string) {
	reason, _, _ = strings.Cut(strings.TrimPrefix(reason, "oto: "), ":") // the rest are names of devices
	p.desk.Toast("No sound: this machine has no output for it ("+reason+")", scene.Warning)
}

// nobody edits the past.
type nobody struct{}

var errPast = errors.New("a recorded session cannot be changed")

func (nobody) Create(annotate.Mark, int64) (string, error) { return "", errPast }
func (nobody) Move(string, annotate.Mark, int64) error     { return errPast }
func (nobody) Delete(...string) error                      { return errPast }
func (nobody) Undo() (bool, error)                         { return false, nil }
