// Package stereo measures the depth under one pixel by how well the patch around it, moved by way of a
// surface, fits other pictures whose poses are known.
//
// The patch is weighted by likeness to its centre, so that what lies behind an edge of the picture counts
// for little (bilateral weights: Yoon and Kweon, 2006; as in Schönberger et al., Pixelwise View Selection,
// 2016). Depth is searched along the whole ray: what comes out is a probability over depths and not only
// the best one, so that a second surface that fits as well is not overlooked.
package stereo

import (
	"image"
	"math"

	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// View is another picture of the scene. PoseBA takes the reference camera's frame to this view's.
type View struct {
	Grey   *image.Gray
	PoseBA geom.Pose
}

// The patch and how it is judged. Grey levels are of 255.
const (
	// radius is half the side of the patch in pixels and step the distance of its samples: 17x17 samples.
	// A patch has to reach past a bland spot to the next texture, and adaptive weights let it.
	radius, step = 16, 2
	// alike is the difference in grey levels, and near the distance in pixels, at which a sample's weight
	// falls to 1/e.
	alike, near = 12.0, 14.0
	// noise is the standard deviation of the difference of two pictures of one spot: sensor noise twice,
	// and what interpolation and blur change.
	noise = 5.0
	// independent is the share of the samples that speak for themselves: what the model leaves out (gloss,
	// curvature, blur) is alike in neighbours.
	independent = 0.15
	// most is how much, in nats, one view may say against a depth: the spot may be hidden in it.
	most = 6.0
	// leastInside is the share of the patch, by weight, that a view must contain to have a say.
	leastInside = 0.6
	// leastGain and mostGain bound how exposure may differ between two pictures.
	leastGain, mostGain = 0.6, 1.6
)

// sample is one pixel of the patch.
type sample struct {
	ray  geom.Vec3 // (x/z, y/z, 1)
	d    geom.Vec2 // from the patch's centre, normalized coordinates
	w, g float64   // weight, brightness
}

// Patch is what surrounds a pixel in the reference picture.
type Patch struct {
	cam     camera.Model
	n       geom.Vec2
	samples []sample
	weight  float64
}

// NewPatch takes the patch around a pixel, in pixels of the picture g; false too near the picture's border.
func NewPatch(cam camera.Model, g *image.Gray, px geom.Vec2) (*Patch, bool) {
	if !cam.Contains(px, 3) {
		return nil, false
	}
	p := &Patch{cam: cam, n: cam.Normalize(px)}
	centre := smooth(g, px)
	for dy := -radius; dy <= radius; dy += step {
		for dx := -radius; dx <= radius; dx += step {
			off := geom.Vec2{float64(dx), float64(dy)}
			at := px.Add(off)
			if !cam.Contains(at, 2) {
				continue
			}
			m, v := cam.Normalize(at), bilinear(g, at)
			w := math.Exp(-math.Abs(smooth(g, at)-centre)/alike - off.Norm()/near)
			p.samples = append(p.samples, sample{ray: geom.Vec3{m[0], m[1], 1}, d: m.Sub(p.n), w: w, g: v})
			p.weight += w
		}
	}
	return p, true
}

// target is a view prepared for one patch: where its samples' rays point in it.
type target struct {
	g    *image.Gray
	cam  camera.Model
	turn []geom.Vec3 // of the samples' rays
	t    geom.Vec3
}

func (p *Patch) target(v View) target {
	t := target{g: v.Grey, cam: p.cam, t: v.PoseBA.T, turn: make([]geom.Vec3, len(p.samples))}
	for i, s := range p.samples {
		t.turn[i] = v.PoseBA.R.MulVec(s.ray)
	}
	return t
}

// against is how much, in nats, the view speaks against the surface: half the squared difference in units
// of the noise, after the best gain and offset; at most `most`. False where the patch is not in the view.
func (p *Patch) against(t *target, s mapping.Surface) (float64, bool) {
	var w, sa, saa, sb, sbb, sab float64
	for i := range p.samples {
		q := &p.samples[i]
		inv := s.Inv + s.Slope[0]*q.d[0] + s.Slope[1]*q.d[1]
		if inv < 0 {
			continue
		}
		// The point is ray/inv; a projection does not mind that all is multiplied by inv.
		px, front := t.cam.Project(t.turn[i].Add(t.t.Scale(inv)))
		if !front || !t.cam.Contains(px, 1) {
			continue
		}
		a, b := q.g, bilinear(t.g, px)
		w += q.w
		sa += q.w * a
		saa += q.w * a * a
		sb += q.w * b
		sbb += q.w * b * b
		sab += q.w * a * b
	}
	if w < leastInside*p.weight {
		return 0, false
	}
	sa, sb = sa/w, sb/w
	va, vb, cab := saa/w-sa*sa, sbb/w-sb*sb, sab/w-sa*sb
	gain := math.Sqrt((vb + noise*noise) / (va + noise*noise))
	gain = math.Max(leastGain, math.Min(mostGain, gain))
	rest := math.Max(0, vb-2*gain*cab+gain*gain*va) / (1 + gain*gain) // per picture
	return math.Min(most, independent*p.weight*rest/(noise*noise)), true
}

func bilinear(g *image.Gray, p geom.Vec2) float64 {
	x, y := int(p[0]), int(p[1])
	fx, fy := p[0]-float64(x), p[1]-float64(y)
	i := y*g.Stride + x
	top := float64(g.Pix[i])*(1-fx) + float64(g.Pix[i+1])*fx
	bottom := float64(g.Pix[i+g.Stride])*(1-fx) + float64(g.Pix[i+g.Stride+1])*fx
	return top*(1-fy) + bottom*fy
}

// smooth is the mean of the nine pixels around a point, which must be a pixel away from the border.
func smooth(g *image.Gray, p geom.Vec2) float64 {
	x, y := int(p[0]+0.5), int(p[1]+0.5)
	sum := 0
	for j := y - 1; j <= y+1; j++ {
		row := g.Pix[j*g.Stride+x-1 : j*g.Stride+x+2]
		sum += int(row[0]) + int(row[1]) + int(row[2])
	}
	return float64(sum) / 9
}
