package eye

import (
	"slices"

	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/track"
)

// mark is what the eye knows of one mark.
type mark struct {
	entry annotate.Entry // the revision that it was placed for
	mine  bool           // drawn on this camera
	pin   bool           // hangs on its machine's marker, not on a pixel
	stale bool           // its frame is not remembered, and another run has placed it: leave it alone
	dead  bool           // deleted, and kept for an undo

	placement track.Placement
	built     int // placement.Changed that anchor was built from
	anchor    *annotate.Anchor

	sent   *annotate.Anchor // what the room was told last
	sentAt int64            // µs
}

// buriedMost is how many deleted marks keep their place.
const buriedMost = 32

// reconcile compares the marks of the room with those that are known.
func (y *Eye) reconcile(self string) {
	v := y.cfg.Marks.Version()
	if v == y.version {
		return
	}
	y.version = v
	y.entries = y.cfg.Marks.List()
	live := make(map[string]bool, len(y.entries))
	for i := range y.entries {
		e := &y.entries[i]
		live[e.ID] = true
		if m := y.known[e.ID]; m == nil || m.dead || m.entry.Time != e.Time {
			y.revise(e, m, self)
		}
	}
	for id, m := range y.known {
		if !live[id] && !m.dead {
			y.bury(id, m)
		}
	}
}

// revise takes note of a mark as it now stands. One that was only written anew keeps its place.
func (y *Eye) revise(e *annotate.Entry, old *mark, self string) {
	n := &mark{entry: *e, mine: e.Mark.Camera == self}
	y.known[e.ID] = n
	if old != nil && old.dead {
		y.buried = slices.DeleteFunc(y.buried, func(id string) bool { return id == e.ID })
	}
	switch {
	case !n.mine:
		y.tracker.Forget(e.ID)
	case e.ID == pinID(e.Mark.Machine) && e.Mark.Shape == annotate.Pin:
		n.pin = true
	case old != nil && old.mine && !old.pin && !old.stale && sameSpot(old.entry, *e):
	case old == nil && y.recalls(e.ID): // its place is of an earlier visit
	default:
		y.tracker.Place(e.ID, e.Captured, pixels(e.Mark, y.lens))
	}
}

func sameSpot(a, b annotate.Entry) bool {
	return a.Captured == b.Captured && a.Mark.Width == b.Mark.Width && a.Mark.Height == b.Mark.Height &&
		slices.Equal(a.Mark.Points, b.Mark.Points)
}

// bury keeps the place of a deleted mark for a while, in case the deletion is undone.
func (y *Eye) bury(id string, m *mark) {
	m.dead = true
	y.buried = append(y.buried, id)
	if len(y.buried) > buriedMost {
		y.tracker.Forget(y.buried[0])
		delete(y.known, y.buried[0])
		y.buried = slices.Delete(y.buried, 0, 1)
	}
}

// pixels are a mark's points in pixels of the camera's picture.
func pixels(m annotate.Mark, lens camera.Model) []geom.Vec2 {
	out := slices.Clone(m.Points)
	sx, sy := float64(lens.Width)/float64(m.Width), float64(lens.Height)/float64(m.Height)
	for i, p := range out {
		out[i] = geom.Vec2{(p[0]+0.5)*sx - 0.5, (p[1]+0.5)*sy - 0.5}
	}
	return out
}

// judged is how many of a mark's points decide whether it is shown: the first, and both of a measure. Only of these does
// the doubt travel.
const judged = 2

// toAnchor is a placement as it travels.
func toAnchor(p track.Placement, markTime int64) *annotate.Anchor {
	a := &annotate.Anchor{MarkTime: markTime, State: annotate.Waiting, Reason: p.Reason}
	switch p.State {
	case track.Refused:
		a.State = annotate.Refused
	case track.Placed:
		a.State, a.Map, a.Metric = annotate.Placed, p.Map, p.Metric
		a.Points = make([]annotate.AnchorPoint, len(p.Points))
		for i, q := range p.Points {
			if i >= judged {
				q.Doubt, q.Off = 0, geom.Vec3{}
			}
			a.Points[i] = point(q)
		}
	}
	return a
}

// view is what moved asks with.
type view struct {
	pose geom.Pose
	lens camera.Model
}

// moved is how far, in pixels, the points of a mark in view lie apart in two anchors of one map.
func (v view) moved(a, b *annotate.Anchor) float64 {
	far := 0.0
	for i := range min(len(a.Points), len(b.Points)) {
		p, okA := v.lens.Project(v.pose.Apply(a.Points[i].P))
		q, okB := v.lens.Project(v.pose.Apply(b.Points[i].P))
		if okA && okB && v.lens.Contains(p, 0) {
			far = max(far, p.Sub(q).Norm())
		}
		if okA && v.lens.Contains(p, 0) && v.sure(a, i) != v.sure(b, i) {
			far = max(far, movedPx+1) // it is hidden by the one and shown by the other
		}
	}
	return far
}

// sure says whether a point of an anchor is shown in the view, the pose's error apart.
func (v view) sure(a *annotate.Anchor, i int) bool {
	return scene.Sure(vision.Estimate{PoseCW: v.pose}.Error(a.Points[i].Spot(), v.lens))
}
