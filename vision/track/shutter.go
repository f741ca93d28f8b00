package track

import (
	"math"

	"sightline/vision/camera"
	"sightline/vision/geom"
)

// Most cameras read a picture row by row, and a head turns meanwhile: at one radian a second and 30 ms by 18 pixels of
// 640. So every row has a pose of its own, which is the frame's own, that of the middle row, moved on by the frame's twist;
// and what is followed is corrected to where it was when the middle row was read, by how fast it moves in the picture (Forssén and
// Ringaby, Rectifying rolling shutter video, 2010, have the same of turns alone). How long reading takes is found with the map.

// rowPose is the pose of a frame's camera in the moment in which it read the row of a pixel.
func (t *Tracker) rowPose(f *frame, px geom.Vec2) geom.Pose {
	if t.cam.Readout == 0 {
		return f.poseCW
	}
	return f.poseCW.Moved(f.twist.Scale(t.cam.Late(px)))
}

// project is the pixel of a frame that sees a point of the world.
func (t *Tracker) project(f *frame, p geom.Vec3) (geom.Vec2, bool) {
	return t.cam.ProjectRolling(f.poseCW.Apply(p), f.roll(t.cam))
}

// roll is how the camera moves while it reads a frame.
func (f *frame) roll(cam camera.Model) geom.Twist { return f.twist.Scale(cam.Readout) }

// inUnit is a motion of the frame in another unit of its world. A panorama has none, and nothing moves in it.
func (f *frame) inUnit(motion geom.Twist, unit float64) geom.Twist {
	if f.unit > 0 {
		motion.Move = motion.Move.Scale(unit / f.unit)
	}
	return motion
}

// sight is a pixel of a frame as a feature, where it moves by velocity in normalized coordinates each second.
func (t *Tracker) sight(px, velocity geom.Vec2) feature {
	roll := velocity.Scale(t.cam.Down(px))
	return feature{px: px, n: t.cam.Normalize(px).Sub(roll.Scale(t.cam.Readout)), roll: roll}
}

// raw is where a feature was seen, in normalized coordinates, without correction.
func (t *Tracker) raw(ft *feature) geom.Vec2 { return ft.n.Add(ft.roll.Scale(t.cam.Readout)) }

// glimpse is a pixel of a frame of which nothing is known as a feature: it moves as its surroundings do.
func (t *Tracker) glimpse(f *frame, px geom.Vec2) feature {
	return t.sight(px, f.flow.At(t.cam.Normalize(px)))
}

// level is such a pixel in normalized coordinates, where it is when the middle row is read.
func (t *Tracker) level(f *frame, px geom.Vec2) geom.Vec2 { return t.glimpse(f, px).n }

// velocityOf is how fast a point of the world moves in a frame's picture, in normalized coordinates each second.
func (f *frame) velocityOf(p geom.Vec3) geom.Vec2 {
	c := f.poseCW.Apply(p)
	v := f.twist.At(c)
	return geom.Vec2{v[0] - v[2]*c[0]/c[2], v[1] - v[2]*c[1]/c[2]}.Scale(1 / c[2])
}

// leastFlow is the fewest features that tell how the picture moves.
const leastFlow = 12

// takeFlow corrects features that were followed from the last frame, whose places there are in from, and finds how the picture
// moves. What is measured between two frames is the velocity in the middle between them; how it changes is taken from the
// flow as a whole, whose noise is less.
func (t *Tracker) takeFlow(f *frame, from []geom.Vec2) {
	dt := float64(f.captured-t.last.captured) * 1e-6
	at, v := make([]geom.Vec2, len(from)), make([]geom.Vec2, len(from))
	for i := range f.features {
		px := f.features[i].px
		at[i] = t.cam.Normalize(px)
		v[i] = at[i].Sub(t.cam.Normalize(from[i])).Scale(1 / math.Max(dt/2, dt+t.cam.Late(px)-t.cam.Late(from[i])))
	}
	var known bool
	if f.between, known = fitAffine(at, v); !known {
		f.between = t.last.between
	}
	var change geom.Affine
	if known && t.last.moving {
		change = f.between.Sub(t.last.between).Scale(0.5)
	}
	if known && !t.last.moving {
		t.beganMoving(t.last, f.between)
	}
	f.moving, f.flow = known, f.between.Add(change)
	for i, ft := range f.features {
		s := t.sight(ft.px, v[i].Add(change.At(at[i])))
		f.features[i].n, f.features[i].roll = s.n, s.roll
	}
}

// beganMoving gives a frame whose own motion is not known, the first one, that of the next.
func (t *Tracker) beganMoving(f *frame, flow geom.Affine) {
	f.flow = flow
	for i := range f.features {
		ft := &f.features[i]
		s := t.glimpse(f, ft.px)
		ft.n, ft.roll = s.n, s.roll
	}
	f.twist = turning(flow)
}

// turning is the turn of the camera that makes the picture move so.
func turning(flow geom.Affine) geom.Twist {
	return geom.Twist{Turn: geom.Vec3{-flow[1][0], flow[0][0], (flow[1][1] - flow[0][2]) / 2}}
}

// fitAffine fits a flow to velocities v at places at, twice: the second time without what is far off.
func fitAffine(at, v []geom.Vec2) (flow geom.Affine, ok bool) {
	gate := math.Inf(1)
	for range 2 {
		var h geom.Mat3
		var g geom.Affine
		sum, n := 0.0, 0
		for i := range at {
			if v[i].Sub(flow.At(at[i])).Norm() > gate {
				continue
			}
			row := geom.Vec3{1, at[i][0], at[i][1]}
			h = h.Add(geom.Outer(row, row))
			g[0], g[1] = g[0].Add(row.Scale(v[i][0])), g[1].Add(row.Scale(v[i][1]))
			n++
		}
		inv, regular := h.Inverse()
		if !regular || n < leastFlow {
			return geom.Affine{}, false
		}
		flow = geom.Affine{inv.MulVec(g[0]), inv.MulVec(g[1])}
		for i := range at {
			sum += math.Min(gate, v[i].Sub(flow.At(at[i])).Norm())
		}
		gate = 2 * sum / float64(len(at))
	}
	return flow, true
}

// takeTwist finds how the camera moves as it takes a frame whose pose is known: from the last two poses, or as a turn from
// how the picture moves.
func (t *Tracker) takeTwist(f *frame) {
	last := t.last
	if last == nil || !last.tracked || last.world != f.world {
		f.twist = turning(f.flow)
		return
	}
	f.step = geom.TwistBetween(last.scaledTo(f.unit), f.poseCW).Scale(1e6 / float64(f.captured-last.captured))
	f.stepped, f.twist = true, f.step
	if last.stepped {
		f.twist = f.step.Scale(1.5).Add(last.inUnit(last.step, f.unit).Scale(-0.5)) // the steps are of the middle between two frames
	}
}

// setReadout corrects all that is remembered for another time that reading a picture takes, in seconds.
func (t *Tracker) setReadout(seconds float64) {
	more := seconds - t.cam.Readout
	t.cam.Readout = seconds
	done := map[*frame]bool{nil: true}
	correct := func(f *frame) {
		if done[f] {
			return
		}
		done[f] = true
		for i := range f.features {
			ft := &f.features[i]
			ft.n = ft.n.Sub(ft.roll.Scale(more))
		}
	}
	for _, f := range t.history {
		correct(f)
	}
	for _, f := range t.keep {
		correct(f)
	}
	for _, f := range [...]*frame{t.last, t.starter.reference, t.panorama.reference} {
		correct(f)
	}
	t.faded = nil // how fast their features moved is not kept
	for _, a := range t.anchors {
		correct(a.frame)
		a.measured = map[int]measurement{} // by poses that were off
	}
}

// sees is the pose of a frame of pose poseCW, in the unit of the snapshot, in the moment in which it read the row that sees a
// point of the world.
func (t *Tracker) sees(f *frame, poseCW geom.Pose, p geom.Vec3) geom.Pose {
	if t.cam.Readout == 0 {
		return poseCW
	}
	roll := f.inUnit(f.roll(t.cam), t.snapshot.Unit)
	px, _ := t.cam.ProjectRolling(poseCW.Apply(p), roll)
	return poseCW.Moved(roll.Scale(t.cam.Down(px)))
}
