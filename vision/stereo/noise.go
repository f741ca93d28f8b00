package stereo

import (
	"image"
	"math"
	"slices"

	"sightline/vision/geom"
)

// leastNoise is the standard deviation in grey levels that a picture's noise is taken to have at least: rounding, and
// what a camera's own smoothing hides.
const leastNoise = 1.0

// noiseAround is the standard deviation of a picture's noise around a pixel, in grey levels: from how much pixels differ from
// what their neighbours let expect, which neither a slope nor an edge along a row or a column changes (Immerkaer, Fast Noise
// Variance Estimation, 1996). The median is taken, for texture differs more.
func noiseAround(g *image.Gray, px geom.Vec2) float64 {
	const half, of, normal = 40, 6, 0.6745 // pixels; the mask's norm; the median size of a normal distribution
	r := image.Rect(int(px[0])-half, int(px[1])-half, int(px[0])+half, int(px[1])+half).Intersect(g.Rect.Inset(1))
	sizes := make([]int, 0, half*half)
	for y := r.Min.Y; y < r.Max.Y; y += 2 {
		for x := r.Min.X; x < r.Max.X; x += 2 {
			at := func(dx, dy int) int { return int(g.Pix[(y+dy)*g.Stride+x+dx]) }
			d := at(-1, -1) + at(1, -1) + at(-1, 1) + at(1, 1) - 2*(at(0, -1)+at(-1, 0)+at(1, 0)+at(0, 1)) + 4*at(0, 0)
			sizes = append(sizes, max(d, -d))
		}
	}
	slices.Sort(sizes)
	return max(leastNoise, float64(sizes[len(sizes)/2])/(of*normal))
}

// steepness is the squared gradient of the brightness around a point, in grey levels per pixel.
func steepness(g *image.Gray, at geom.Vec2) float64 {
	dx := Smooth(g, at.Add(geom.Vec2{1, 0})) - Smooth(g, at.Sub(geom.Vec2{1, 0}))
	dy := Smooth(g, at.Add(geom.Vec2{0, 1})) - Smooth(g, at.Sub(geom.Vec2{0, 1}))
	return (dx*dx + dy*dy) / 4
}

// expect sets by how much two pictures of the part may differ: by noise in both, and by slip.
func (q *part) expect(noise float64) {
	steep := 0.0
	for _, s := range q.samples {
		steep += s.w * s.steep
	}
	q.noise2 = 2*noise*noise + slip*slip*steep/math.Max(q.weight, 1e-9)
}
