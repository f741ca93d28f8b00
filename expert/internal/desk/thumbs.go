package desk

import (
	"image/color"
	"maps"
	"math"
	"time"

	"sightline/annotate/scene"
	"sightline/expert/internal/call"
	"sightline/vision/geom"
)

// thumb is another camera's picture, small in the side panel.
type thumb struct {
	camera string
	at     Rect
}

// Sizes of the small pictures, in units of the scale; how many there are at most, and how often they are drawn.
const (
	thumbGap   = 10
	thumbWords = 20
	maxThumbs  = 4
	thumbEvery = 100 * time.Millisecond
)

// cameras shows the other cameras small; a click turns to one.
func (v *side) cameras() {
	v.thumbs = v.thumbs[:0]
	if v.cfg.Review != nil || len(v.Desk.room.Cameras) < 2 {
		return
	}
	w := math.Floor((v.w - thumbGap*v.s) / 2)
	h := math.Floor(w * 9 / 16)
	rows := 0.0
	for _, c := range v.Desk.room.Cameras {
		n := len(v.thumbs)
		if c.Participant == v.camera || n == maxThumbs || !v.room(32+(rows+1)*(h/v.s+thumbWords)) {
			continue
		}
		if n == 0 {
			v.heading("OTHER CAMERAS", "")
		}
		rows = float64(n/2 + 1)
		x, y := math.Floor(v.x+float64(n%2)*(w+thumbGap*v.s)), math.Floor(v.y+float64(n/2)*(h+thumbWords*v.s))
		v.thumb(c, Rect{x, y, x + w, y + h})
	}
	if rows > 0 {
		v.y += rows*(h+thumbWords*v.s) + 4*v.s
	}
}

func (v *side) thumb(c call.Camera, at Rect) {
	v.thumbs = append(v.thumbs, thumb{camera: c.Participant, at: at})
	line, state := hairline, green
	if v.press(v.pn, Rect{at.X0, at.Y0, at.X1, at.Y1 + thumbWords*v.s}, "camera:"+c.Participant, "Camera of "+c.Name) {
		line = accent
	}
	if !c.Online {
		state = red
	}
	if p, ok := v.Desk.room.Person(c.Participant); ok && p.Speaking {
		line = green
	}
	v.p.box(color.NRGBA{0, 0, 0, 255}, at, 0)
	v.p.frame(line, at.inset(-1), 2, 1.4)
	y := at.Y1 + thumbWords/2*v.s
	v.p.disc(state, geom.Vec2{at.X0 + 5*v.s, y}, 4)
	v.p.text(muted, at.X0+15*v.s, y, c.Name, 12.5, true, at.W()-16*v.s)
}

// paintThumbs brings the newest small pictures on the canvas. fresh says that the panel was painted over them.
func (d *Desk) paintThumbs(fresh bool) (changed bool) {
	if !fresh && d.clock.Sub(d.lastThumbs) < thumbEvery {
		return false
	}
	d.lastThumbs = d.clock
	for _, t := range d.thumbs {
		f := d.cfg.Source.Frame(t.camera)
		if f != nil && (fresh || d.thumbOf[t.camera] != f.Captured) {
			size := f.Size()
			d.small.Picture(alias(d.canvas, t.at), f.Picture, scene.Fit(size.X, size.Y, t.at.W(), t.at.H()))
			d.thumbOf[t.camera], changed = f.Captured, true
		}
		f.Release()
	}
	return changed
}

// tellSizes says how wide each camera is shown, in pixels, whenever that has changed.
func (d *Desk) tellSizes() {
	if d.cfg.OnSizes == nil {
		return
	}
	widths := map[string]int{}
	for _, c := range d.room.Cameras {
		widths[c.Participant] = 0
	}
	for _, t := range d.thumbs {
		widths[t.camera] = int(t.at.W())
	}
	if d.camera != "" {
		widths[d.camera] = int(d.lay.picture.W())
		if v, ok := d.view(); ok {
			widths[d.camera] = int(v.Width)
		}
	}
	if !maps.Equal(widths, d.sizes) {
		d.sizes = widths
		d.cfg.OnSizes(widths)
	}
}
