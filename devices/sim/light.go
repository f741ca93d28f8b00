package sim

import (
	"math"
	"math/rand/v2"

	"sightline/vision/geom"
)

// lamps are the fluorescent tubes under the ceiling: points along them, in the plant's world.
var lamps = []geom.Vec3{
	{-1.6, -1.2, 3.3}, {-0.9, -1.2, 3.3}, {1.0, -1.2, 3.3}, {1.7, -1.2, 3.3},
	{-1.6, 0.6, 3.3}, {-0.9, 0.6, 3.3}, {1.0, 0.6, 3.3}, {1.7, 0.6, 3.3},
}

// bake computes the light at every vertex: the lamps that it sees, and how open its surroundings are
// (ambient occlusion). The plant is symmetric under the seed: only the sampling is random.
func (m *mesh) bake(rng *rand.Rand) {
	const rays = 20
	dirs := make([]geom.Vec3, 4*rays)
	for i := range dirs {
		dirs[i] = geom.Vec3{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}.Unit()
	}
	for i := range m.verts {
		v := &m.verts[i]
		o := v.p.Add(v.normal.Scale(0.004))
		direct := 0.0
		for _, l := range lamps {
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
		v.light = float32(math.Min(1.4, 0.22+0.5*open/rays+0.8*direct))
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
