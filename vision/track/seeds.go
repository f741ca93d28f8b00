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
	support := t.depthsIn(a.frame)
	depth := t.medianDepth(a.frame)
	var sightings []mapping.Sighting
	for _, k := range t.keyframesAround(a.frame) {
		sightings = append(sightings, t.followInto(k, from, a.frame, seeds, support, depth)...)
	}
	a.frame.features = append(a.frame.features, seeds...)
	t.followSeedsHere(from, a.frame, seeds, support, depth)
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

// followInto looks for the seeds of a frame in a key frame.
func (t *Tracker) followInto(k *mapping.Keyframe, from Picture, f *frame, seeds []feature, support []mapping.Support, depth float64) []mapping.Sighting {
	to, err := t.picture(t.keep[k.Captured])
	if err != nil {
		return nil
	}
	at, guess := t.seedGuesses(k.PoseCW, f, seeds, support, depth)
	found, ok, err := t.flowBothWays(from, to, at, guess)
	if err != nil {
		return nil
	}
	var out []mapping.Sighting
	for i, s := range seeds {
		if ok[i] && found[i].Sub(guess[i]).Norm() < seedGate {
			out = append(out, mapping.Sighting{Captured: k.Captured, Observation: mapping.Observation{ID: s.id, N: t.cam.Normalize(found[i])}})
		}
	}
	return out
}

// followSeedsHere looks for the seeds in the last frame, so that they go on being followed.
func (t *Tracker) followSeedsHere(from Picture, f *frame, seeds []feature, support []mapping.Support, depth float64) {
	if t.last == nil || !t.last.tracked || t.last.world != t.snapshot.World {
		return
	}
	to, err := t.picture(t.last)
	if err != nil {
		return
	}
	at, guess := t.seedGuesses(t.last.poseCW, f, seeds, support, depth)
	found, ok, err := t.flowBothWays(from, to, at, guess)
	if err != nil {
		return
	}
	for i, s := range seeds {
		if ok[i] && found[i].Sub(guess[i]).Norm() < seedGate {
			t.last.features = append(t.last.features, feature{id: s.id, px: found[i], n: t.cam.Normalize(found[i])})
		}
	}
}

// seedGuesses says where the seeds of a frame should be in another view, with the depth of the surface
// around each, or the scene's where there is none yet.
func (t *Tracker) seedGuesses(poseCW geom.Pose, f *frame, seeds []feature, support []mapping.Support, depth float64) (at, guess []geom.Vec2) {
	poseBA := poseCW.Mul(f.poseCW.Inverse())
	for _, s := range seeds {
		z := depth
		if fit, ok := mapping.FitSurface(s.n, support); ok {
			z = 1 / fit.Inv
		}
		at = append(at, s.px)
		px, ok := t.cam.Project(poseBA.Apply(geom.Vec3{s.n[0] * z, s.n[1] * z, z}))
		if !ok || !t.cam.Contains(px, 0) {
			px = s.px
		}
		guess = append(guess, px)
	}
	return at, guess
}
