package desk

import (
	"math"
	"slices"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/vision/geom"
)

// reach is how near to a mark a click must be, in units of the scale.
const reach = 13

// onFrame returns where the points of a mark lie on the frame on screen, in its pixels: by its place in
// the world, or as it was drawn where this is the frame it was drawn on. ok is false where it is not seen.
func (d *Desk) onFrame(e annotate.Entry) (pts []geom.Vec2, ok bool) {
	f := d.shown()
	if f == nil || e.Mark.Camera != f.Camera {
		return nil, false
	}
	if d.views[e.ID].State == scene.Shown && e.Anchor != nil && d.hasPose {
		est := d.pose.Estimate(d.pose.Captured)
		for _, a := range e.Anchor.Points {
			_, px, ok := est.Project(a.P, d.pose.Camera)
			if !ok {
				return nil, false
			}
			pts = append(pts, px)
		}
		return pts, len(pts) > 0
	}
	if d.ghostly(e) {
		return e.Mark.Points, true
	}
	return nil, false
}

// grab selects the mark under the mouse, and is ready to drag it.
func (d *Desk) grab(at, px geom.Vec2) {
	d.selected = ""
	best := reach * d.scale
	for _, e := range d.marks {
		pts, ok := d.onFrame(e)
		if !ok {
			continue
		}
		if dist := d.distance(e.Mark, pts, at); dist <= best {
			best, d.selected = dist, e.ID
			m := e.Mark
			size := d.shown().Size()
			m.Points, m.Width, m.Height = slices.Clone(pts), size.X, size.Y
			d.move = &moving{id: e.ID, from: px, mark: m}
		}
	}
	d.panelsDirty = true
}

// distance is how far a point of the window is from a mark, in pixels of the window.
func (d *Desk) distance(m annotate.Mark, pts []geom.Vec2, at geom.Vec2) float64 {
	v, _ := d.view()
	on := make([]geom.Vec2, len(pts))
	for i, p := range pts {
		on[i] = v.ToViewport(p)
	}
	switch m.Shape {
	case annotate.Arrow, annotate.Stroke, annotate.Measure:
		best := math.Inf(1)
		for i := 1; i < len(on); i++ {
			best = min(best, toSegment(at, on[i-1], on[i]))
		}
		return best
	case annotate.Circle:
		return min(math.Abs(at.Sub(on[0]).Norm()-on[1].Sub(on[0]).Norm()), at.Sub(on[0]).Norm())
	case annotate.Gesture: // its badge stands above the point, or below at the upper edge
		badge := geom.Vec2{0, -48 * d.scale}
		return min(at.Sub(on[0]).Norm(), max(0, min(at.Sub(on[0].Add(badge)).Norm(), at.Sub(on[0].Sub(badge)).Norm())-20*d.scale))
	}
	return at.Sub(on[0]).Norm()
}

// snap moves a pixel onto the place of a mark that is near on screen, so that a measure can go from mark to
// mark.
func (d *Desk) snap(px geom.Vec2) geom.Vec2 {
	v, ok := d.view()
	if !ok {
		return px
	}
	best, to := reach*d.scale, px
	for _, e := range d.marks {
		pts, ok := d.onFrame(e)
		if !ok {
			continue
		}
		ends := pts[:1]
		if e.Mark.Shape == annotate.Measure {
			ends = pts
		}
		for _, p := range ends {
			if dist := p.Sub(px).Norm() * v.Scale; dist <= best {
				best, to = dist, p
			}
		}
	}
	return to
}

// toSegment is the distance of a point from a straight piece of line.
func toSegment(p, a, b geom.Vec2) float64 {
	ab, ap := b.Sub(a), p.Sub(a)
	t := (ab[0]*ap[0] + ab[1]*ap[1]) / max(1e-9, ab[0]*ab[0]+ab[1]*ab[1])
	return ap.Sub(ab.Scale(max(0, min(1, t)))).Norm()
}

// drag moves the grabbed mark with the pen, on a frame that is held from the first real movement on.
func (d *Desk) drag(px geom.Vec2) {
	by := px.Sub(d.move.from)
	if !d.move.begun {
		if by.Norm() < 4 {
			return
		}
		e, ok := d.mark(d.move.id)
		pts, seen := d.onFrame(e)
		if !ok || !seen {
			d.move = nil
			return
		}
		d.hold()
		d.move.begun, d.move.from = true, px
		d.move.mark.Points = slices.Clone(pts)
		by = geom.Vec2{}
	}
	for i := range d.move.mark.Points {
		d.move.mark.Points[i] = d.move.mark.Points[i].Add(by)
	}
	d.move.from = px
	d.pictureDirty = true
}
