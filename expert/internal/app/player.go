package app

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"strings"
	"time"

	"sightline/annotate"
	"sightline/expert/internal/call"
	"sightline/expert/internal/desk"
	"sightline/expert/internal/script"
)

// player carries out a script on a stage.
type player struct {
	stage *stage
	out   io.Writer
	drawn []string // IDs of the marks that the script made, in their order
}

// play goes through the commands; quit says that the script asked for the end. An error names the line.
func (p *player) play(ctx context.Context, commands []script.Command) (quit bool, err error) {
	for _, c := range commands {
		if c.Verb == "quit" {
			return true, nil
		}
		if err := p.step(ctx, c); err != nil {
			if ctx.Err() != nil {
				return false, fmt.Errorf("script ended early, at line %d: %s", c.Line, c.Verb)
			}
			return false, fmt.Errorf("script line %d: %s: %w", c.Line, c.Verb, err)
		}
	}
	return false, nil
}

func (p *player) step(ctx context.Context, c script.Command) error {
	switch c.Verb {
	case "wait":
		return p.wait(ctx, c)
	case "sleep":
		return pause(ctx, c.Sleep)
	case "mark":
		return p.mark(ctx, c)
	case "delete":
		return p.deleteLast()
	case "screenshot":
		return p.screenshot(ctx, c.Path)
	case "snapshot":
		return p.snapshot(ctx, c.Path)
	case "say":
		return p.stage.call.Say(c.Text)
	case "pause", "resume":
		return p.stage.call.Pause(c.Verb == "pause", c.Text)
	case "report":
		_, err := fmt.Fprintln(p.out, p.stage.tally.report(p.stage.call.Stats()))
		return err
	}
	return p.stage.do(ctx, func() {
		switch c.Verb {
		case "freeze", "unfreeze":
			p.stage.desk.Freeze(c.Verb == "freeze")
		case "undo":
			p.stage.desk.Do("undo")
		case "clear":
			p.stage.desk.Do("clear:all")
		}
	})
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait looks again and again until it is so.
func (p *player) wait(ctx context.Context, c script.Command) error {
	end := time.Now().Add(c.Timeout)
	for !p.is(c) {
		if time.Now().After(end) {
			return fmt.Errorf("%s: not within %v; %s", what(c), c.Timeout, p.situation())
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func what(c script.Command) string {
	switch c.What {
	case "tag":
		return "tag " + c.Machine + " " + c.Tag
	case "placed", "marks":
		return fmt.Sprintf("%s %d", c.What, c.Count)
	}
	return c.What
}

// is says whether what a command waits for is so.
func (p *player) is(c script.Command) bool {
	st := p.stage
	switch c.What {
	case "video":
		return st.tally.frames() > 0
	case "tracking":
		return st.tracking()
	case "placed":
		return p.placed() >= c.Count
	case "marks":
		return len(st.call.Marks()) == c.Count
	case "tag":
		m := st.call.Room().Machine(c.Machine)
		if m == nil {
			return false
		}
		for _, t := range m.Tags {
			if t.Reading.Tag == c.Tag {
				return true
			}
		}
	case "lost":
		for _, cam := range st.call.Room().Cameras {
			if !cam.Online || cam.Reason == call.Interrupted {
				return true
			}
		}
	}
	return false
}

func (p *player) placed() int {
	n := 0
	for _, e := range p.stage.call.Marks() {
		if e.Anchor != nil && e.Anchor.State == annotate.Placed {
			n++
		}
	}
	return n
}

// situation says in words how things stand, for a wait that was in vain.
func (p *player) situation() string {
	room := p.stage.call.Room()
	link := "connected"
	if !room.Link.Connected {
		link = strings.TrimSuffix("not connected: "+room.Link.Reason, ": ")
	}
	return fmt.Sprintf("%s, %d cameras, %d frames shown, %d marks of which %d placed", link, len(room.Cameras),
		p.stage.tally.frames(), len(p.stage.call.Marks()), p.placed())
}

// mark draws on the frame on screen now, and sends it after the delay.
func (p *player) mark(ctx context.Context, c script.Command) error {
	var send func() error
	var err error
	if e := p.stage.do(ctx, func() {
		send, err = p.stage.desk.Draw(desk.Tool(c.Tool), c.Points, c.Colour, c.Text, c.Machine)
	}); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	if err := pause(ctx, c.Delay); err != nil {
		return err
	}
	before := p.ids()
	if e := p.stage.do(ctx, func() { err = send() }); e != nil {
		return e
	}
	for _, id := range p.ids() {
		if e, ok := p.entry(id); ok && !slices.Contains(before, id) && e.From == p.stage.call.Room().Self.ID {
			p.drawn = append(p.drawn, id)
		}
	}
	return err
}

func (p *player) ids() []string {
	var out []string
	for _, e := range p.stage.call.Marks() {
		out = append(out, e.ID)
	}
	return out
}

func (p *player) entry(id string) (annotate.Entry, bool) {
	for _, e := range p.stage.call.Marks() {
		if e.ID == id {
			return e, true
		}
	}
	return annotate.Entry{}, false
}

// deleteLast takes away the newest mark that is still there: the script's own, or else anybody's.
func (p *player) deleteLast() error {
	ids := p.ids()
	for i := len(p.drawn) - 1; i >= 0; i-- {
		if slices.Contains(ids, p.drawn[i]) {
			return p.stage.call.Delete(p.drawn[i])
		}
	}
	if len(ids) == 0 {
		return fmt.Errorf("there is no mark to delete")
	}
	return p.stage.call.Delete(ids[len(ids)-1])
}

func (p *player) screenshot(ctx context.Context, path string) error {
	var shot *image.RGBA
	err := p.stage.do(ctx, func() {
		canvas, _ := p.stage.desk.Render()
		shot = image.NewRGBA(canvas.Rect)
		copy(shot.Pix, canvas.Pix)
	})
	if err != nil {
		return err
	}
	return writePNG(path, shot)
}

func (p *player) snapshot(ctx context.Context, path string) error {
	var s desk.Snapshot
	ok := false
	if err := p.stage.do(ctx, func() { s, ok = p.stage.desk.Picture() }); err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("there is no picture to save")
	}
	return errors.Join(writePNG(path, s.Composed), p.stage.call.Snapshot(s.Camera, s.Captured))
}
