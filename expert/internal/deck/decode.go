package deck

import (
	"context"
	"time"

	"sightline/expert/internal/call"
)

// quiet is how long nobody must ask for anything before what lies around the picture is decoded too.
const quiet = 150 * time.Millisecond

// decode is the goroutine that decodes: of the frames that are asked for faster than they are decoded, the
// last; and what comes before it while nothing is asked for.
func (d *Deck) decode() {
	for range d.wake {
		for d.next() {
		}
		if d.over() {
			return
		}
		if !d.rests() {
			continue
		}
		if ctx, at, ok := d.begin(func() bool { return d.wanted == d.of && d.frame != nil }); ok {
			d.reels[at.camera].Fill(ctx, at.shot)
			d.end()
		}
	}
}

// next decodes what is wanted; false where that is there, or where the deck is closed.
func (d *Deck) next() bool {
	ctx, want, ok := d.begin(func() bool { return d.wanted != d.of || d.early })
	if !ok {
		return false
	}
	defer d.end()
	f, err := d.reels[want.camera].Frame(ctx, want.shot, func(index int, f *call.Frame) {
		d.show(f, target{want.camera, index}, true, "")
	})
	switch {
	case ctx.Err() != nil:
		f.Release()
	case err != nil:
		d.show(nil, want, false, err.Error())
	default:
		d.show(f, want, false, "")
	}
	return true
}

// begin notes that something is being decoded, where there is need of it.
func (d *Deck) begin(need func() bool) (ctx context.Context, want target, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.wanted.shot < 0 || !need() {
		return nil, target{}, false
	}
	ctx, d.stop = context.WithCancel(context.Background())
	d.doing = d.wanted
	return ctx, d.wanted, true
}

func (d *Deck) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stop()
	d.stop = nil
}

func (d *Deck) over() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// onTheWay says whether what is being decoded leads to a target: a later frame of the same group. It needs the
// lock.
func (d *Deck) onTheWay(to target) bool {
	if to.shot < 0 || to.camera != d.doing.camera || to.shot < d.doing.shot || d.wanted == d.of && !d.early {
		return false
	}
	return d.tape.Cameras[to.camera].Key(to.shot) <= d.doing.shot
}

// show puts a picture on screen.
func (d *Deck) show(f *call.Frame, of target, early bool, fault string) {
	d.mu.Lock()
	d.frame.Release()
	d.frame, d.of, d.early, d.fault = f, of, early, fault
	d.mu.Unlock()
	d.signal(d.changes)
}

// rests waits until nothing is asked for; false where something is.
func (d *Deck) rests() bool {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	select {
	case <-d.wake:
		d.signal(d.wake)
		return false
	case <-timer.C:
		return true
	}
}
