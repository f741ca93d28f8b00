package track

import (
	"math"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/mapping"
	"sightline/vision/stereo"
)

// measurement is what the pictures told of the surface under a pixel of a mark.
type measurement struct {
	mapping.Surface
	known bool    // nothing could be told otherwise
	unit  float64 // of the map it was measured in
	world string  // that is
	// parallax is by how many pixels the spot moved between the views it was measured from.
	parallax float64
}

// Limits of measuring.
const (
	// leastParallax and mostParallax bound, in pixels, by how much a view may be moved against the mark's: below
	// there is nothing to measure, above the patch looks different. Over ten simulated plants 160 px hold 1 % more marks than 80.
	leastParallax, mostParallax = 3.0, 160.0
	// lookViews is how many views are compared: 16 hold 1 % more marks than 10, 24 0.2 % more than 16.
	lookViews = 16
	// betterParallax is how much wider the views must be for a surface to be measured again.
	betterParallax = 1.3
	// mostTurn is how far, in radians, a view may be turned against the mark's.
	mostTurn = 0.8
)

// surfaceAt is the surface under pixel i of a mark: as measured from pictures, or as the landmarks around
// suggest where there is nothing to measure with. False where it is not known, or not yet.
func (t *Tracker) surfaceAt(a *anchor, i int, support []mapping.Support) (mapping.Surface, bool) {
	f, px := a.frame, a.pixels[i]
	old, has := a.measuredIn(t.snapshot, i)
	if f.grey != nil {
		views, parallax := t.viewsOf(f, px, old.Inv)
		if len(views) > 0 && parallax >= betterParallax*old.parallax {
			if t.budget > 0 {
				t.survey(survey{anchor: a, sample: i, readout: t.cam.Readout, found: measurement{unit: t.snapshot.Unit, world: f.world, parallax: parallax},
					spot: stereo.Spot{Grey: f.grey, Px: px, Views: views, Before: old.Surface, Support: support, Around: 1 / t.medianDepth(f)}})
			} else {
				a.wanting = true
			}
			if old, has = a.measuredIn(t.snapshot, i); !has {
				return mapping.Surface{}, false // in a few frames
			}
		}
	}
	if old.known {
		return old.Surface, true
	}
	s, ok := mapping.Decide(mapping.FitSurfaces(t.cam.Normalize(px), t.apart(f.grey, px, support)))
	return s, ok && s.Inv > 0
}

// measuredIn is the surface at a sample of a mark in the unit of a map, where it was measured in that.
func (a *anchor) measuredIn(s *mapping.Snapshot, sample int) (measurement, bool) {
	m, has := a.measured[sample]
	if !has || m.world != s.World {
		return measurement{}, false
	}
	return m.scaledTo(s.Unit), true
}

// scaledTo returns the measurement in another unit of the same world.
func (m measurement) scaledTo(unit float64) measurement {
	k := m.unit / unit
	m.Inv, m.Var, m.unit = m.Inv*k, m.Var*k*k, unit
	m.Slope, m.Else = m.Slope.Scale(k), m.Else*k*k
	return m
}

// viewsOf picks, for a pixel of a frame, the views that see it from aside, from the least to the most
// parallax, and returns that of the widest. inv is its inverse depth, or 0 for the scene's.
func (t *Tracker) viewsOf(f *frame, px geom.Vec2, inv float64) ([]stereo.View, float64) {
	if inv == 0 {
		inv = 1 / t.medianDepth(f)
	}
	type moved struct {
		stereo.View
		parallax float64
	}
	var all []moved
	n := t.cam.Normalize(px)
	fromA := t.rowPose(f, px).Inverse()
	spot := fromA.Apply(geom.Vec3{n[0] / inv, n[1] / inv, 1 / inv})
	add := func(g *frame, poseCW geom.Pose) {
		poseBA := t.sees(g, poseCW, spot).Mul(fromA)
		c := poseBA.Apply(geom.Vec3{n[0] / inv, n[1] / inv, 1 / inv})
		turned := poseBA.R.MulVec(geom.Vec3{n[0], n[1], 1})
		p, ok := t.cam.Project(c)
		q, okFar := t.cam.Project(turned)
		if !ok || !okFar || !t.cam.Contains(p, 4) || geom.LogSO3(poseBA.R).Norm() > mostTurn {
			return
		}
		if d := p.Sub(q).Norm(); d > leastParallax && d < mostParallax {
			all = append(all, moved{stereo.View{Grey: g.grey, PoseBA: poseBA}, d})
		}
	}
	for _, k := range t.snapshot.Keyframes {
		if g := t.keep[k.Captured]; g != nil && g.grey != nil && g.captured != f.captured {
			add(g, k.PoseCW)
		}
	}
	for i := 0; i < len(t.history); i += 3 {
		if g := t.history[i]; g.tracked && g.world == t.snapshot.World && t.keep[g.captured] == nil && g.captured != f.captured {
			add(g, g.scaledTo(t.snapshot.Unit))
		}
	}
	if len(all) == 0 {
		return nil, 0
	}
	slices.SortFunc(all, func(a, b moved) int { return int(math.Copysign(1, a.parallax-b.parallax)) })
	out := make([]stereo.View, 0, lookViews)
	for k := range min(lookViews, len(all)) {
		out = append(out, all[len(all)-1-k*len(all)/min(lookViews, len(all))].View)
	}
	return out, all[len(all)-1].parallax
}
