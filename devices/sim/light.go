package sim

import (
	"fmt"
	"math"
	"math/rand/v2"

	"sightline/vision/geom"
)

// lamps are the fluorescent tubes under the ceiling: points along them, in the plant's world.
var lamps = []geom.Vec3{
	{-1.6, -1.2, 3.3}, {-0.9, -1.2, 3.3}, {1.0, -1.2, 3.3}, {1.7, -1.2, 3.3},
	{-1.6, 0.6, 3.3}, {-0.9, 0.6, 3.3}, {1.0, 0.6, 3.3}, {1.7, 0.6, 3.3},
}

// Light is how the hall is lit.
type Light string

// The lights.
const (
	Hall Light = "hall" // all tubes are on
	Dim  Light = "dim"  // half of the tubes are off: other shadows, a slower shutter, more noise
)

// lighting is what a Light means: which tubes are on, how bright it is where none is seen, and what the
// camera makes of it.
type lighting struct {
	lamps   []geom.Vec3
	ambient float64
	shutter float64 // how long it is open, in seconds
	gain    float64 // of the automatic exposure
	noise   float64 // times the noise in a lit hall
}

func (l Light) lighting() (lighting, error) {
	switch l {
	case "", Hall:
		return lighting{lamps: lamps, ambient: 0.22, shutter: 1.0 / 120, gain: 1, noise: 1}, nil
	case Dim:
		return lighting{lamps: []geom.Vec3{lamps[0], lamps[1], lamps[4], lamps[5]}, ambient: 0.13, shutter: 1.0 / 50, gain: 0.85, noise: 2}, nil
	}
	return lighting{}, fmt.Errorf("light %q is none of %v", l, []Light{Hall, Dim})
}

// bake computes the light at every vertex: the lamps that it sees, and how open its surroundings are
// (ambient occlusion). The plant is symmetric under the seed: only the sampling is random.
func (m *mesh) bake(rng *rand.Rand, by lighting) {
	const rays = 20
	dirs := make([]geom.Vec3, 4*rays)
	for i := range dirs {
		dirs[i] = geom.Vec3{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}.Unit()
	}
	for i := range m.verts {
		v := &m.verts[i]
		o := v.p.Add(v.normal.Scale(0.004))
		direct := 0.0
		for _, l := range by.lamps {
			d := l.Sub(o)
			r := d.Norm()
			d = d.Scale(1 / r)
			if cos := v.normal.Dot(d); cos > 0 && !m.blocked(o, d, r) {
				direct += cos * d[2] / (r * r)
			}
		}
		open := 0.0
		first := rng.IntN(3 * rays)
		for _, d := range dirs[first : first+rays] {
			d = d.Add(v.normal).Unit() // cosine weighted
			if !m.blocked(o, d, 0.7) {
				open++
			}
		}
		v.light = float32(math.Min(1.4, by.ambient+0.5*open/rays+0.8*direct))
	}
}

func (m *mesh) blocked(o, d geom.Vec3, limit float64) bool {
	for _, s := range m.solids {
		if s.hit(o, d, limit) {
			return true
		}
	}
	return false
}
