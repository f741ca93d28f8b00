package desk

import (
	"image"
	"time"

	"sightline/annotate/scene"
)

// sideEvery is how often the side panel is drawn anew at most, for telemetry that comes thick and fast.
const sideEvery = 60 * time.Millisecond

// Render takes in what the source has now and brings it on the canvas. changed is false where the canvas
// is as it was. The picture is the desk's own and valid until the next call.
func (d *Desk) Render() (canvas *image.RGBA, changed bool) {
	d.Refresh()
	if d.pictureDirty {
		d.paintPicture()
		d.pictureDirty, d.lastPicture = false, d.clock
		d.panelsDirty = true
		changed = true
	}
	if d.panelsDirty {
		changed = d.paintPanels() || changed
	}
	changed = d.paintThumbs(false) || changed
	d.tellSizes()
	return d.canvas, changed
}

// paintPanels draws what looks different of the bars and the side panel.
func (d *Desk) paintPanels() bool {
	top, foot := d.top, d.foot
	if d.cfg.Review != nil {
		top, foot = d.reviewTop, d.timeline
	}
	changed := d.paint(0, d.lay.top, top)
	changed = d.paint(1, d.lay.tools, d.toolbar) || changed
	changed = d.paint(2, d.lay.foot, foot) || changed
	if d.clock.Sub(d.lastSide) < sideEvery {
		return changed // stays due
	}
	d.lastSide, d.panelsDirty = d.clock, false
	painted := d.paint(3, d.lay.side, func(pn *panel) {
		if d.search.open {
			d.thumbs = d.thumbs[:0]
			d.found(pn)
			return
		}
		seen := d.sidePanel(pn)
		if d.cfg.OnReadings != nil && len(seen) > 0 {
			d.cfg.OnReadings(seen)
		}
	})
	if painted {
		d.paintThumbs(true)
	}
	return changed || painted
}

// Snapshot saves the frame on screen at its own size, with the marks and without.
func (d *Desk) Snapshot() {
	s, ok := d.Picture()
	if !ok {
		d.Toast("There is no picture to save", scene.Info)
		return
	}
	if d.cfg.OnSnapshot != nil {
		d.Toast(d.cfg.OnSnapshot(s), scene.Info)
	}
}

// Picture returns the frame on screen at its own size; false where there is none.
func (d *Desk) Picture() (Snapshot, bool) {
	f := d.shown()
	if f == nil {
		return Snapshot{}, false
	}
	size := f.Size()
	w, h := float64(size.X), float64(size.Y)
	raw := image.NewRGBA(image.Rect(0, 0, size.X, size.Y))
	d.small.Picture(raw, f.Picture, scene.Fit(size.X, size.Y, w, h))
	composed := image.NewRGBA(raw.Rect)
	copy(composed.Pix, raw.Pix)
	in := d.input(f, w, h, max(0.75, h/720))
	for _, e := range in.Marks {
		if d.ghostly(e) && e.Captured == f.Captured {
			in.Drafts = append(in.Drafts, e.Mark)
		}
	}
	d.small.Draw(composed, d.snapper.Build(in).Items)
	return Snapshot{Room: d.room.Name, At: d.clock, Camera: f.Camera, Captured: f.Captured, Composed: composed, Raw: raw}, true
}
