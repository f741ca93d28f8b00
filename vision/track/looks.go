package track

import (
	"image"
	"math"
	"slices"

	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// Limits of comparing what a mark's surroundings look like in other views.
const (
	// patchHalf is half the side of the patch around a mark: small, so that it lies on one surface.
	patchHalf = 4
	// looksViews is how many key frames are asked.
	looksViews = 5
	// looksNoise is the standard deviation, in grey levels, of the difference of two pixels of one spot:
	// the noise of two cameras' pictures and what interpolation blurs.
	looksNoise = 6.0
	// looksIndependent is how many of the 81 pixels of a patch speak for themselves; neighbours repeat
	// each other.
	looksIndependent = 12
	// looksMost is the most, in nats, that looks may say against a surface: gloss and shadow mislead them.
	looksMost = 3
)

// compareLooks weighs the surfaces that a mark may be on by how well the patch around it, moved there by
// way of each, fits the pictures of key frames. It decides near an edge, where depths alone leave two
// surfaces open, as far as there is texture to tell them apart.
func (t *Tracker) compareLooks(f *frame, n geom.Vec2, fits []mapping.Candidate) {
	if len(fits) < 2 || f.grey == nil {
		return
	}
	cost := make([][]float64, len(fits))
	around := t.keyframesAround(f)
	for _, k := range around[:min(looksViews, len(around))] {
		poseBA := k.PoseCW.Mul(f.poseCW.Inverse())
		grey := t.keep[k.Captured].grey
		for i, c := range fits {
			if d, ok := t.patchDifference(f.grey, grey, poseBA, n, c.Surface); ok {
				cost[i] = append(cost[i], d)
			}
		}
	}
	least := math.Inf(1)
	for i := range fits {
		if len(cost[i]) > 0 {
			slices.Sort(cost[i]) // the median view: in others the spot may be hidden
			least = math.Min(least, cost[i][len(cost[i])/2])
		}
	}
	for i := range fits {
		if len(cost[i]) > 0 {
			fits[i].Weight *= math.Exp(-math.Min(cost[i][len(cost[i])/2]-least, looksMost))
		}
	}
}

// patchDifference is half the squared difference, in units of the noise, between the patch around n in
// one picture and where the surface puts it in another, after taking off the difference of brightness.
func (t *Tracker) patchDifference(a, b *image.Gray, poseBA geom.Pose, n geom.Vec2, s mapping.Surface) (float64, bool) {
	centre, ok := t.cam.Project(geom.Vec3{n[0], n[1], 1})
	if !ok {
		return 0, false
	}
	var diff []float64
	mean := 0.0
	for dy := -patchHalf; dy <= patchHalf; dy++ {
		for dx := -patchHalf; dx <= patchHalf; dx++ {
			px := centre.Add(geom.Vec2{float64(dx), float64(dy)})
			m := t.cam.Normalize(px)
			inv := s.At(m.Sub(n))
			if inv <= 0 || !t.cam.Contains(px, 1) {
				continue
			}
			q, front := t.cam.Project(poseBA.Apply(geom.Vec3{m[0] / inv, m[1] / inv, 1 / inv}))
			if !front || !t.cam.Contains(q, 1) {
				return 0, false
			}
			d := bilinear(b, q) - bilinear(a, px)
			diff = append(diff, d)
			mean += d
		}
	}
	if len(diff) < 40 {
		return 0, false
	}
	mean /= float64(len(diff))
	sum := 0.0
	for _, d := range diff {
		sum += (d - mean) * (d - mean)
	}
	return looksIndependent * sum / float64(len(diff)) / (2 * looksNoise * looksNoise), true
}

func bilinear(g *image.Gray, p geom.Vec2) float64 {
	x, y := int(p[0]), int(p[1])
	fx, fy := p[0]-float64(x), p[1]-float64(y)
	i := y*g.Stride + x
	top := float64(g.Pix[i])*(1-fx) + float64(g.Pix[i+1])*fx
	bottom := float64(g.Pix[i+g.Stride])*(1-fx) + float64(g.Pix[i+g.Stride+1])*fx
	return top*(1-fy) + bottom*fy
}
