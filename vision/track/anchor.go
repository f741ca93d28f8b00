package track

import (
	"image"
	"math"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/mapping"
	"sightline/vision/stereo"
)

// PlacementState says how far a mark has come into the world.
type PlacementState int

// The states of a placement.
const (
	Waiting PlacementState = iota // for a map, or for the surface to be known
	Placed
	Refused // the frame is forgotten, or the mark is outside it
)

// Point is where one pixel of a mark is in the world.
type Point struct {
	geom.Spot
	Normal geom.Vec3 // of the surface, towards the camera that saw it
}

// Placement is where a mark is, in the map called Map.
type Placement struct {
	ID     string
	State  PlacementState
	Reason string // in words, unless Placed
	Map    string
	Metric bool
	Points []Point // one for one with the mark's pixels
	// Changed grows when the placement did.
	Changed int
}

// anchor is a mark to be kept in its place: the frame it was drawn on is kept with it.
type anchor struct {
	Placement
	pixels []geom.Vec2
	frame  *frame
	seen   int // version of the map it was last placed in
	// world and unit say what the points of a placed mark are in; no world before there is a map.
	world string
	unit  float64
	// wandered is the variance that the points have because the map may have wandered since; see wander.
	wandered float64
	// measured are the surfaces at the samples of the mark, as far as pictures have told.
	measured map[int]measurement
	// surveying is how many of them are being measured, and wanting that the mark is to be placed anew because some
	// now are, or could not be because other marks had their turn.
	surveying int
	wanting   bool
}

// lateralSigma is the error across the ray, in pixels. How exactly a person points is not part of it: the
// covariance speaks of what the tracker knows.
const lateralSigma = 0.4

// Place asks for a mark's pixels, drawn on the frame captured then, to be placed in the world. A mark
// placed before under the same ID is replaced. The answer is in Placements, at once or later.
func (t *Tracker) Place(id string, captured int64, pixels []geom.Vec2) {
	a := &anchor{Placement: Placement{ID: id}, pixels: slices.Clone(pixels), measured: map[int]measurement{}}
	t.put(a)
	if !t.intoPicture(a.pixels) {
		a.State, a.Reason = Refused, "it is outside of the picture: draw it again"
		return
	}
	f := t.find(captured)
	if f == nil {
		a.State, a.Reason = Refused, "the frame it was drawn on is no longer remembered: draw it again"
		return
	}
	a.frame = f
	a.Reason = "waiting for parallax: move sideways"
	if t.snapshot != nil {
		t.renew(a)
	} else {
		t.placeOnPanorama(a)
	}
}

// intoPicture moves pixels that are outside of the picture to its rim; false where all are, or one is no number.
func (t *Tracker) intoPicture(pixels []geom.Vec2) bool {
	in := 0
	for i, px := range pixels {
		if math.IsNaN(px[0]) || math.IsNaN(px[1]) {
			return false
		}
		if t.cam.Contains(px, -0.5) {
			in++
		}
		pixels[i] = geom.Vec2{math.Min(math.Max(px[0], 0), float64(t.cam.Width-1)), math.Min(math.Max(px[1], 0), float64(t.cam.Height-1))}
	}
	return in > 0
}

// put takes a mark among the others, in the place of one of the same ID.
func (t *Tracker) put(a *anchor) {
	if _, has := t.anchors[a.ID]; !has {
		t.order = append(t.order, a.ID)
	}
	t.anchors[a.ID] = a
}

// Forget lets a mark go.
func (t *Tracker) Forget(id string) {
	if _, has := t.anchors[id]; has {
		delete(t.anchors, id)
		t.order = slices.DeleteFunc(t.order, func(o string) bool { return o == id })
	}
}

// Placements returns where all marks are, in the order of their first Place. The points are shared and
// must not be written.
func (t *Tracker) Placements() []Placement {
	out := make([]Placement, 0, len(t.order))
	for _, id := range t.order {
		out = append(out, t.anchors[id].Placement)
	}
	return out
}

// refreshAnchors places marks again where the map has changed since.
func (t *Tracker) refreshAnchors(f *frame) {
	t.takeSurveys()
	if t.snapshot == nil {
		t.holdOnPlanes(f)
		return
	}
	t.budget = mostSurveys - t.surveying
	renewed := 0
	for _, first := range [...]bool{true, false} { // marks without a place come first
		if !first {
			t.budget = min(t.budget, againMost)
		}
		for _, id := range t.order {
			a := t.anchors[id]
			if (a.world == "") != first || a.State == Refused || !a.belongs(t.snapshot) || a.surveying > 0 || renewed == renewMost {
				continue
			}
			if a.seen != t.snapshot.Version || a.wanting && t.budget > 0 {
				t.renew(a)
				renewed++
			}
		}
	}
	t.wander(f)
}

// renewMost is how many marks are placed anew in one frame: it bounds the time.
const renewMost = 6

// againMost is how many surfaces are measured again in one frame that were measured before: new marks come first.
const againMost = 1

// belongs says whether a mark is to be looked for in a map: a mark that was placed in another one stays
// there until the two are joined.
func (a *anchor) belongs(s *mapping.Snapshot) bool { return a.world == "" || a.world == s.World }

// move takes a mark along into the world that its own became part of.
func (a *anchor) move(m mapping.Move, s *mapping.Snapshot) {
	if a.frame != nil {
		a.frame.move(m, s)
	}
	for i, q := range a.measured { // of a mark that still waits too
		if q.world == m.From {
			q = q.scaledTo(m.Unit)
			q.unit, q.world = s.Unit/m.By.S, s.World
			a.measured[i] = q.scaledTo(s.Unit)
		}
	}
	if a.world != m.From {
		return
	}
	by := m.By
	by.S *= m.Unit / a.unit
	a.transform(by)
	a.world, a.unit, a.Map, a.Metric = s.World, s.Unit, s.Name, s.Metric
}

func (a *anchor) transform(by geom.Similarity) {
	points := slices.Clone(a.Points)
	for i, p := range points {
		points[i] = Point{Spot: by.ApplySpot(p.Spot), Normal: by.R.MulVec(p.Normal)}
	}
	a.Points = points
	a.wandered *= by.S * by.S
	a.Changed++
}

// rescale brings a placed mark into the unit that its map has now.
func (a *anchor) rescale(s *mapping.Snapshot) {
	if a.unit != s.Unit {
		a.transform(geom.Similarity{S: s.Unit / a.unit, R: geom.Identity3})
	}
	a.unit, a.Map, a.Metric = s.Unit, s.Name, s.Metric
}

// renew places a mark in the map as it is now.
func (t *Tracker) renew(a *anchor) {
	a.seen, a.wanting = t.snapshot.Version, false
	placed := a.world != ""
	if placed {
		a.rescale(t.snapshot) // the place it keeps where it can't be found better
	}
	if a.frame == nil || !t.settle(a.frame) {
		if !placed {
			a.State, a.Reason, a.Points = Waiting, "waiting for parallax: move sideways", nil
		}
		return
	}
	points, ok := t.drape(a)
	if !ok {
		if !placed {
			a.State, a.Reason, a.Points = Waiting, "surface without texture: move sideways, or mark a spot beside it", nil
			if a.surveying > 0 || a.wanting {
				a.Reason = "measuring the surface"
			}
		}
		return
	}
	a.State, a.Reason, a.Points = Placed, "", points
	variance := a.wandered
	a.wandered = 0
	a.loosen(variance)
	a.Map, a.Metric, a.world, a.unit = t.snapshot.Name, t.snapshot.Metric, t.snapshot.World, t.snapshot.Unit
}

// drapeSamples is at how many pixels of a long stroke the surface is looked for; in between it is
// interpolated.
const drapeSamples = 16

// drape lays the pixels of a mark on the surface that its frame sees; false where a part of it is unknown.
func (t *Tracker) drape(a *anchor) ([]Point, bool) {
	support := t.depthsIn(a.frame)
	step := (len(a.pixels) + drapeSamples - 1) / drapeSamples
	var known []mapping.Surface
	for i := 0; i < len(a.pixels)+step-1; i += step {
		s, ok := t.surfaceAt(a, min(i, len(a.pixels)-1), support)
		if !ok {
			return nil, false
		}
		known = append(known, s)
	}
	points := make([]Point, len(a.pixels))
	for i, px := range a.pixels {
		k := i / step
		s := known[k]
		if k+1 < len(known) {
			s = between(s, known[k+1], float64(i%step)/float64(step))
		}
		points[i] = t.pointOn(a.frame, px, s)
	}
	return points, true
}

// between is the surface part of the way from one sample of a stroke to the next.
func between(a, b mapping.Surface, w float64) mapping.Surface {
	mix := func(x, y float64) float64 { return x + w*(y-x) }
	return mapping.Surface{Inv: mix(a.Inv, b.Inv), Var: mix(a.Var, b.Var), Doubt: mix(a.Doubt, b.Doubt), Else: mix(a.Else, b.Else),
		Slope: geom.Vec2{mix(a.Slope[0], b.Slope[0]), mix(a.Slope[1], b.Slope[1])}}
}

// depthsIn are the points of known depth in a frame.
func (t *Tracker) depthsIn(f *frame) []mapping.Support {
	var out []mapping.Support
	for i := range f.features {
		ft := &f.features[i]
		l, has := t.snapshot.Landmarks[ft.id]
		if !has || t.residual(f, l.P, ft.n) > 2.5 {
			continue
		}
		c := f.poseCW.Apply(l.P)
		if c[2] <= 0 {
			continue
		}
		axis := f.poseCW.R.MulVecT(geom.Vec3{0, 0, 1})
		varZ := axis.Dot(l.Cov.MulVec(axis)) * measureSigma * measureSigma
		inv := 1 / c[2]
		out = append(out, mapping.Support{N: t.raw(ft), Inv: inv, Var: varZ * inv * inv * inv * inv})
	}
	return out
}

// measureSigma is the standard deviation of one followed observation in pixels; landmarks' covariances
// are for one pixel.
const measureSigma = 0.5

// apart notes, for the supports within reach of a pixel, how much the picture changes on the way to
// them. A frame whose picture was let go leaves that open.
func (t *Tracker) apart(grey *image.Gray, px geom.Vec2, support []mapping.Support) []mapping.Support {
	if grey == nil {
		return support
	}
	cam := &t.cfg.Camera // which other goroutines may read
	n := cam.Normalize(px)
	var out []mapping.Support
	for _, s := range support {
		if !(s.N.Sub(n).Norm() <= mapping.Reach) {
			continue
		}
		if to, ok := cam.Project(geom.Vec3{s.N[0], s.N[1], 1}); ok {
			s.Apart = variation(grey, px, to)
			out = append(out, s)
		}
	}
	return out
}

// variation is the sum of the changes of brightness on the way between two pixels, in steps of two
// pixels, each a mean of nine; changes of less than the noise of a camera do not count, nor does the
// last step, for a corner stands on an edge itself.
func variation(g *image.Gray, from, to geom.Vec2) float64 {
	const step, noise, end = 2.0, 6.0, 4.0
	d := to.Sub(from)
	l := d.Norm() - end
	if l <= step {
		return 0
	}
	d = d.Scale(1 / d.Norm())
	sum, last := 0.0, stereo.Smooth(g, from)
	for s := step; s <= l; s += step {
		m := stereo.Smooth(g, from.Add(d.Scale(s)))
		if c := math.Abs(m - last); c > noise {
			sum += c
		}
		last = m
	}
	return sum
}

// pointOn is the world point where the ray of a pixel meets the surface found there.
func (t *Tracker) pointOn(f *frame, px geom.Vec2, s mapping.Surface) Point {
	n := t.cam.Normalize(px)
	z := 1 / s.Inv
	poseWC := t.rowPose(f, px).Inverse()
	c := geom.Vec3{n[0] * z, n[1] * z, z}
	ray := c.Unit()
	// Along the ray the depth's error, across it the pixel's.
	stretch := z * c.Norm() // of a small change of inverse depth, along the ray
	along, across := math.Sqrt(s.Var)*stretch, lateralSigma*z/t.focal
	cov := geom.Outer(ray, ray).Scale(along*along - across*across).Add(geom.Identity3.Scale(across * across))
	r := poseWC.R
	at := geom.Spot{P: poseWC.Apply(c), Cov: r.Mul(cov).Mul(r.Transpose()), Doubt: s.Doubt, Off: r.MulVec(ray).Scale(math.Sqrt(s.Else) * stretch)}
	return Point{Spot: at, Normal: r.MulVec(s.Normal(n))}
}
