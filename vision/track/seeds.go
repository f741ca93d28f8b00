package track

import (
	"cmp"
	"image"
	"math"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// Seeds: where a mark is placed, points of its own are added to the map. They are looked for in the
// frame it was drawn on and followed into the key frames around it, so that the depth under the mark is
// measured and not interpolated from far away.
const (
	// seedRadius is the half side, in pixels, of the square around the mark that seeds come from.
	seedRadius = 56
	seedsMost  = 14
	// seedKeyframes is how many key frames a seed is followed into.
	seedKeyframes = 6
	// seedGate is how far, in pixels, a seed may land from where the surface's depth puts it. It has to
	// leave room for a wrong first guess of the depth.
	seedGate = 24.0
)

// sow adds seeds around an anchor's pixels and follows them into the nearest key frames.
func (t *Tracker) sow(a *anchor) {
	seeds := t.seedsOf(a)
	if len(seeds) == 0 {
		return
	}
	from, err := t.cfg.Imager.Prepare(a.frame.grey)
	if err != nil {
		return
	}
	defer from.Close()
	depths := t.seedDepths(a.frame, seeds)
	var sightings []mapping.Sighting
	for _, k := range t.keyframesAround(a.frame) {
		for _, ft := range t.followSeeds(from, a.frame, seeds, depths, t.keep[k.Captured], k.PoseCW) {
			sightings = append(sightings, mapping.Sighting{Captured: k.Captured, Observation: mapping.Observation{ID: ft.id, N: ft.n}})
		}
	}
	if t.last != nil && t.last.tracked && t.last.world == t.snapshot.World {
		// In the last frame too, so that they go on being followed.
		t.last.features = append(t.last.features, t.followSeeds(from, a.frame, seeds, depths, t.last, t.last.poseCW)...)
	}
	a.frame.features = append(a.frame.features, seeds...)
	mapper := t.cfg.Mapper
	t.onMapper(false, func() { mapper.Add(sightings) })
}

// seedsOf picks corners around a mark's pixels, away from the features of the frame. The pixels
// themselves are no seeds: followed by the patch around it, a pixel goes with the strongest edge in the
// patch, and that is often of another surface.
func (t *Tracker) seedsOf(a *anchor) []feature {
	box := bounds(a.pixels).Inset(-seedRadius).Intersect(a.frame.grey.Rect)
	if box.Dx() < 96 || box.Dy() < 96 {
		return nil
	}
	crop, err := t.cfg.Imager.Prepare(a.frame.grey.SubImage(box).(*image.Gray))
	if err != nil {
		return nil
	}
	defer crop.Close()
	var taken []geom.Vec2
	corner := geom.Vec2{float64(box.Min.X), float64(box.Min.Y)}
	for _, ft := range a.frame.features {
		taken = append(taken, ft.px.Sub(corner))
	}
	fresh, err := t.cfg.Imager.Corners(crop, taken, seedsMost, 7)
	if err != nil {
		return nil
	}
	out := make([]feature, len(fresh))
	for i, px := range fresh {
		px = px.Add(corner)
		out[i] = feature{id: t.newID(), px: px, n: t.cam.Normalize(px)}
	}
	return out
}

func bounds(px []geom.Vec2) image.Rectangle {
	r := image.Rectangle{Min: image.Pt(math.MaxInt32, math.MaxInt32), Max: image.Pt(math.MinInt32, math.MinInt32)}
	for _, p := range px {
		x, y := int(p[0]), int(p[1])
		r.Min.X, r.Min.Y = min(r.Min.X, x), min(r.Min.Y, y)
		r.Max.X, r.Max.Y = max(r.Max.X, x+1), max(r.Max.Y, y+1)
	}
	return r
}

// keyframesAround are the key frames nearest in time to a frame, whose pictures are at hand.
func (t *Tracker) keyframesAround(f *frame) []*mapping.Keyframe {
	var out []*mapping.Keyframe
	for _, k := range t.snapshot.Keyframes {
		if t.keep[k.Captured] != nil && k.Captured != f.captured {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b *mapping.Keyframe) int {
		return cmp.Compare(math.Abs(float64(a.Captured-f.captured)), math.Abs(float64(b.Captured-f.captured)))
	})
	return out[:min(len(out), seedKeyframes)]
}

// followSeeds looks for the seeds of a frame in another one, whose pose is given, and returns those found.
func (t *Tracker) followSeeds(from Picture, f *frame, seeds []feature, depths []float64, into *frame, poseCW geom.Pose) []feature {
	to, err := t.picture(into)
	if err != nil {
		return nil
	}
	at, guess := t.seedGuesses(poseCW.Mul(f.poseCW.Inverse()), seeds, depths)
	found, ok, err := t.flowBothWays(from, to, at, guess)
	if err != nil {
		return nil
	}
	var out []feature
	for i, s := range seeds {
		if ok[i] && found[i].Sub(guess[i]).Norm() < seedGate {
			out = append(out, feature{id: s.id, px: found[i], n: t.cam.Normalize(found[i])})
		}
	}
	return out
}

// seedDepths are the depths of the seeds in their frame: of the surface around each, or the scene's
// where there is none yet.
func (t *Tracker) seedDepths(f *frame, seeds []feature) []float64 {
	support, scene := t.depthsIn(f), t.medianDepth(f)
	out := make([]float64, len(seeds))
	for i, s := range seeds {
		out[i] = scene
		if fit, ok := mapping.FitSurface(s.n, support); ok {
			out[i] = 1 / fit.Inv
		}
	}
	return out
}

// seedGuesses says where the seeds should be in a view that poseBA leads to, in pixels.
func (t *Tracker) seedGuesses(poseBA geom.Pose, seeds []feature, depths []float64) (at, guess []geom.Vec2) {
	for i, s := range seeds {
		z := depths[i]
		at = append(at, s.px)
		px, ok := t.cam.Project(poseBA.Apply(geom.Vec3{s.n[0] * z, s.n[1] * z, z}))
		if !ok || !t.cam.Contains(px, 0) {
			px = s.px
		}
		guess = append(guess, px)
	}
	return at, guess
}
