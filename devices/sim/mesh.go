package sim

import (
	"math"

	"sightline/vision/geom"
)

// vertex is a corner of a triangle. The light is baked once; see light.go.
type vertex struct {
	p      geom.Vec3 // world, metres: x along the skid, y into the hall, z up
	normal geom.Vec3
	u, v   float32 // texture coordinates, 1 is one repeat
	light  float32 // 1 is full exposure
}

// triangle is three vertices, counter-clockwise seen from outside, and what covers them.
type triangle struct {
	a, b, c int32
	tex     *texture
}

// solid is a shape that casts shadows: a ray from origin along a unit direction meets it before limit.
type solid interface {
	hit(origin, dir geom.Vec3, limit float64) bool
}

// mesh collects what the plant is built of.
type mesh struct {
	verts  []vertex
	tris   []triangle
	solids []solid
}

// frame is a place to build at: an origin and three axes.
type place struct {
	o       geom.Vec3
	x, y, z geom.Vec3
}

var upright = place{x: geom.Vec3{1, 0, 0}, y: geom.Vec3{0, 1, 0}, z: geom.Vec3{0, 0, 1}}

func at(x, y, z float64) place {
	p := upright
	p.o = geom.Vec3{x, y, z}
	return p
}

// along turns a place so that its z axis points along d.
func along(o, d geom.Vec3) place {
	z := d.Unit()
	ref := geom.Vec3{0, 0, 1}
	if math.Abs(z[2]) > 0.9 {
		ref = geom.Vec3{1, 0, 0}
	}
	x := ref.Cross(z).Unit()
	return place{o: o, x: x, y: z.Cross(x), z: z}
}

func (p place) at(x, y, z float64) geom.Vec3 {
	return p.o.Add(p.x.Scale(x)).Add(p.y.Scale(y)).Add(p.z.Scale(z))
}

func (p place) dir(x, y, z float64) geom.Vec3 {
	return p.x.Scale(x).Add(p.y.Scale(y)).Add(p.z.Scale(z))
}

// grid adds a parallelogram from o along du and dv, split so that light can be baked into its vertices.
// Its outside is du×dv. The texture repeats every scale metres, or is stretched once over it where
// scale is 0.
func (m *mesh) grid(o, du, dv geom.Vec3, tex *texture, scale, step float64) {
	lu, lv := du.Norm(), dv.Norm()
	nu, nv := max(1, int(lu/step+0.5)), max(1, int(lv/step+0.5))
	n := du.Cross(dv).Unit()
	base := int32(len(m.verts))
	for j := range nv + 1 {
		for i := range nu + 1 {
			a, b := float64(i)/float64(nu), float64(j)/float64(nv)
			u, v := a, b
			if scale > 0 {
				u, v = a*lu/scale, b*lv/scale
			}
			m.verts = append(m.verts, vertex{p: o.Add(du.Scale(a)).Add(dv.Scale(b)), normal: n, u: float32(u), v: float32(v)})
		}
	}
	m.quads(base, nu, nv, tex)
}

// quads joins a grid of (nu+1) x (nv+1) vertices.
func (m *mesh) quads(base int32, nu, nv int, tex *texture) {
	w := int32(nu + 1)
	for j := range int32(nv) {
		for i := range int32(nu) {
			k := base + j*w + i
			m.tris = append(m.tris, triangle{k, k + 1, k + w + 1, tex}, triangle{k, k + w + 1, k + w, tex})
		}
	}
}

// panel adds a rectangle that shows its texture upright once: right and up are its half sides.
func (m *mesh) panel(centre, right, up geom.Vec3, tex *texture, step float64) {
	m.grid(centre.Sub(right).Sub(up), right.Scale(2), up.Scale(2), tex, 0, step)
}

// box adds a box with its base centre at the place: sizes along its axes.
func (m *mesh) box(p place, sx, sy, sz float64, tex *texture, scale float64) {
	const step = 0.12
	hx, hy := sx/2, sy/2
	X, Y, Z := p.dir(sx, 0, 0), p.dir(0, sy, 0), p.dir(0, 0, sz)
	m.grid(p.at(-hx, -hy, 0), X, Z, tex, scale, step)          // front, outside -y
	m.grid(p.at(hx, hy, 0), X.Scale(-1), Z, tex, scale, step)  // back
	m.grid(p.at(hx, -hy, 0), Y, Z, tex, scale, step)           // right
	m.grid(p.at(-hx, hy, 0), Y.Scale(-1), Z, tex, scale, step) // left
	m.grid(p.at(-hx, -hy, sz), X, Y, tex, scale, step)         // top
	m.grid(p.at(-hx, hy, 0), X, Y.Scale(-1), tex, scale, step) // bottom
	m.solids = append(m.solids, boxSolid{p, geom.Vec3{hx, hy, sz}})
}

// tube adds a cylinder or cone from the place along its z axis, with caps.
func (m *mesh) tube(p place, r0, r1, length float64, tex *texture, scale float64) {
	m.lathe(p, [][2]float64{{0, 0}, {r0, 0}, {r0, 0}, {r1, length}, {r1, length}, {0, length}}, tex, scale)
	m.solids = append(m.solids, tubeSolid{p, math.Max(r0, r1), length})
}

// lathe turns a profile of (radius, height) about the z axis. A point given twice makes a sharp edge.
func (m *mesh) lathe(p place, profile [][2]float64, tex *texture, scale float64) {
	const around = 28
	for k := 0; k+1 < len(profile); k++ {
		a, b := profile[k], profile[k+1]
		dr, dz := b[0]-a[0], b[1]-a[1]
		l := math.Hypot(dr, dz)
		if l < 1e-9 {
			continue
		}
		rings := max(1, int(l/0.12+0.5))
		base := int32(len(m.verts))
		for j := range rings + 1 {
			t := float64(j) / float64(rings)
			r, z := a[0]+t*dr, a[1]+t*dz
			for i := range around + 1 {
				s, c := math.Sincos(2 * math.Pi * float64(i) / around)
				m.verts = append(m.verts, vertex{p: p.at(r*c, r*s, z), normal: p.dir(dz/l*c, dz/l*s, -dr/l),
					u: float32(float64(i) / around * math.Max(1, math.Round(2*math.Pi*math.Max(a[0], b[0])/scale))),
					v: float32((a[1] + a[0] + t*l) / scale)})
			}
		}
		m.quads(base, around, rings, tex)
	}
}

// ring adds a torus around the place's z axis, from one angle to another in radians.
func (m *mesh) ring(p place, radius, thick, from, to float64, tex *texture, scale float64) {
	const minor = 14
	n := max(4, int(math.Abs(to-from)/(2*math.Pi)*36))
	base := int32(len(m.verts))
	for j := range n + 1 {
		s, c := math.Sincos(from + (to-from)*float64(j)/float64(n))
		for i := range minor + 1 {
			ts, tc := math.Sincos(2 * math.Pi * float64(i) / minor)
			r := radius + thick*tc
			m.verts = append(m.verts, vertex{p: p.at(r*c, r*s, thick*ts), normal: p.dir(tc*c, tc*s, ts),
				u: float32(float64(i) / minor), v: float32(radius * (to - from) * float64(j) / float64(n) / scale)})
		}
	}
	m.quads(base, minor, n, tex)
}

// bolts sets hexagon heads on a circle in the place's xy plane.
func (m *mesh) bolts(p place, radius, size float64, count int, tex *texture) {
	for i := range count {
		s, c := math.Sincos(2 * math.Pi * (float64(i) + 0.5) / float64(count))
		q := p
		q.o = p.at(radius*c, radius*s, 0)
		m.lathe(q, [][2]float64{{size, 0}, {size, size}, {size, size}, {0, size}}, tex, 0.1)
	}
}

type boxSolid struct {
	p    place
	half geom.Vec3 // half, half, whole height
}

func (b boxSolid) hit(origin, dir geom.Vec3, limit float64) bool {
	d := origin.Sub(b.p.o)
	o := geom.Vec3{d.Dot(b.p.x), d.Dot(b.p.y), d.Dot(b.p.z)}
	v := geom.Vec3{dir.Dot(b.p.x), dir.Dot(b.p.y), dir.Dot(b.p.z)}
	lo, hi := 1e-4, limit
	for k := range 3 {
		near, far := -b.half[k], b.half[k]
		if k == 2 {
			near = 0
		}
		if math.Abs(v[k]) < 1e-12 {
			if o[k] < near || o[k] > far {
				return false
			}
			continue
		}
		t0, t1 := (near-o[k])/v[k], (far-o[k])/v[k]
		lo, hi = math.Max(lo, math.Min(t0, t1)), math.Min(hi, math.Max(t0, t1))
	}
	return hi > lo
}

type tubeSolid struct {
	p         place
	r, length float64
}

func (c tubeSolid) hit(origin, dir geom.Vec3, limit float64) bool {
	d := origin.Sub(c.p.o)
	ox, oy, oz := d.Dot(c.p.x), d.Dot(c.p.y), d.Dot(c.p.z)
	vx, vy, vz := dir.Dot(c.p.x), dir.Dot(c.p.y), dir.Dot(c.p.z)
	lo, hi := 1e-4, limit
	if math.Abs(vz) > 1e-12 {
		t0, t1 := -oz/vz, (c.length-oz)/vz
		lo, hi = math.Max(lo, math.Min(t0, t1)), math.Min(hi, math.Max(t0, t1))
	} else if oz < 0 || oz > c.length {
		return false
	}
	a, b, q := vx*vx+vy*vy, ox*vx+oy*vy, ox*ox+oy*oy-c.r*c.r
	if a < 1e-12 {
		return q < 0 && hi > lo
	}
	disc := b*b - a*q
	if disc < 0 {
		return false
	}
	s := math.Sqrt(disc)
	lo, hi = math.Max(lo, (-b-s)/a), math.Min(hi, (-b+s)/a)
	return hi > lo
}
