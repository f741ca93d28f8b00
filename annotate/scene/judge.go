package scene

import (
	"fmt"
	"math"

	"sightline/annotate"
	"sightline/vision"
	"sightline/vision/geom"
)

// judge decides of every mark whether it is shown, and why not.
func (s *stage) judge() {
	general := s.noWorld()
	for i := range s.in.Marks {
		e := &s.in.Marks[i]
		m := MarkView{ID: e.ID, Shape: e.Mark.Shape, State: Hidden, Reason: general}
		if general == "" {
			m.Reason = unplaced(e, s.in.Estimate)
		}
		if m.Reason == "" {
			s.judgePlaced(e, &m)
		}
		s.builder.marks = append(s.builder.marks, m)
	}
}

// noWorld says why no mark at all can be shown, or nothing. A panorama is world enough: before there is a
// map, marks hold by the motion of the picture.
func (s *stage) noWorld() string {
	e := s.in.Estimate
	switch {
	case e.State == vision.Lost:
		return "tracking is lost"
	case !e.Posed():
		return "tracking has not begun"
	case s.in.Camera.Valid() != nil:
		return "the camera's lens is not known"
	}
	return ""
}

// unplaced says why a mark has no place in this world, or nothing.
func unplaced(e *annotate.Entry, est vision.Estimate) string {
	a := e.Anchor
	switch {
	case a == nil:
		return "not placed yet"
	case a.State == annotate.Waiting:
		return because("waiting", a.Reason)
	case a.State == annotate.Refused:
		return because("cannot be placed", a.Reason)
	case a.Map != est.Map:
		return "placed in another map"
	case len(a.Points) != len(e.Mark.Points) || len(a.Points) == 0:
		return "its place is incomplete"
	}
	for _, p := range a.Points {
		if !p.P.Finite() {
			return "its place is not a number"
		}
	}
	return ""
}

func because(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}

// judgePlaced looks where a placed mark falls, and how surely.
func (s *stage) judgePlaced(e *annotate.Entry, m *MarkView) {
	first := e.Anchor.Points[0]
	off := s.errorAt(first)
	c, px, ok := s.in.Estimate.Project(first.P, s.in.Camera)
	inside := ok && s.in.Camera.Contains(px, 0)
	if ok && s.inField(c) {
		m.U, m.V, m.Projected = px[0], px[1], true
	}
	if !inside && (e.Mark.Shape == annotate.Circle || e.Mark.Shape == annotate.Stroke || e.Mark.Shape == annotate.Measure) {
		inside = s.anyInside(e.Anchor.Points)
	}
	if e.Mark.Shape == annotate.Measure && m.Projected {
		if other := s.errorAt(e.Anchor.Points[1]); other.Radius95() > off.Radius95() {
			off = other // one end that may be elsewhere spoils the length
		}
	}
	m.Sigma = off.Sigma()
	switch {
	case !inside:
		m.State, m.Alpha = Outside, 1
	case facesAway(first, s.in.Estimate.PoseCW.Centre()):
		m.Reason = "on the far side of the machine"
	case !Sure(off):
		m.Reason = fmt.Sprintf("may be off by %.0f px", min(off.Radius95(), 9999))
	default:
		m.State = Shown
		m.Alpha = 1 - 0.7*off.Beyond(Astray)/AstrayMost
	}
}

// inField says whether a point of the camera's frame is near enough to the axis for the lens's formula,
// which far outside of the picture folds back on itself.
func (s *stage) inField(c geom.Vec3) bool {
	cam := s.in.Camera
	limit := 1.6 * math.Hypot(float64(cam.Width)/cam.Fx, float64(cam.Height)/cam.Fy) / 2
	return c[2] > 1e-6 && math.Hypot(c[0], c[1]) < limit*c[2]
}

// see returns the pixel of the frame that sees a point of the world; false where it is out of the lens's field.
func (s *stage) see(p geom.Vec3) (geom.Vec2, bool) {
	c, px, ok := s.in.Estimate.Project(p, s.in.Camera)
	return px, ok && s.inField(c)
}

func (s *stage) anyInside(points []annotate.AnchorPoint) bool {
	for _, p := range points {
		if px, ok := s.see(p.P); ok && s.in.Camera.Contains(px, 0) {
			return true
		}
	}
	return false
}

// facesAway says whether the camera looks at the back of the surface, by more than a normal can be wrong.
func facesAway(p annotate.AnchorPoint, centre geom.Vec3) bool {
	return p.Normal.Unit().Dot(centre.Sub(p.P).Unit()) < -0.3
}
