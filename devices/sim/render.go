package sim

import (
	"cmp"
	"math"
	"slices"

	"sightline/vision/camera"
	"sightline/vision/geom"
)

// renderer draws triangles into a picture with a depth buffer. It is used by one goroutine.
type renderer struct {
	cam camera.Model
	// luma is not clamped yet: 255 is white at gain 1. inv is the inverse depth, 0 where there is nothing.
	luma   []float32
	cb, cr []uint8 // at half resolution
	inv    []float32
	cw     int
	eye    []corner
}

// corner is a vertex in the camera's frame with what is interpolated over the triangle.
type corner struct {
	p       geom.Vec3
	u, v, l float64
}

// near is where triangles are cut, in metres before the camera.
const near = 0.06

func newRenderer(cam camera.Model) *renderer {
	n := cam.Width * cam.Height
	cw, ch := (cam.Width+1)/2, (cam.Height+1)/2
	return &renderer{cam: cam, luma: make([]float32, n), inv: make([]float32, n), cb: make([]uint8, cw*ch), cr: make([]uint8, cw*ch), cw: cw}
}

func (r *renderer) clear() {
	clear(r.luma)
	clear(r.inv)
	for i := range r.cb {
		r.cb[i], r.cr[i] = 128, 128
	}
}

// draw renders a mesh as poseCW's camera sees it. Nearer triangles come first, so that few pixels are
// shaded twice.
func (r *renderer) draw(m *mesh, poseCW geom.Pose) {
	r.eye = slices.Grow(r.eye[:0], len(m.verts))
	for _, v := range m.verts {
		r.eye = append(r.eye, corner{poseCW.Apply(v.p), float64(v.u), float64(v.v), float64(v.light)})
	}
	type item struct {
		z float64
		t int
	}
	order := make([]item, 0, len(m.tris)/2)
	for i, t := range m.tris {
		a, b, c := r.eye[t.a].p, r.eye[t.b].p, r.eye[t.c].p
		if a[2] < near && b[2] < near && c[2] < near {
			continue
		}
		if b.Sub(a).Cross(c.Sub(a)).Dot(a) >= 0 || r.outside(a, b, c) {
			continue // turned away, or beside the view
		}
		order = append(order, item{a[2] + b[2] + c[2], i})
	}
	slices.SortFunc(order, func(x, y item) int { return cmp.Compare(x.z, y.z) })
	for _, o := range order {
		t := m.tris[o.t]
		r.clip(r.eye[t.a], r.eye[t.b], r.eye[t.c], t.tex)
	}
}

// outside says whether a triangle lies wholly beyond one side of the view.
func (r *renderer) outside(a, b, c geom.Vec3) bool {
	tx := math.Max(r.cam.Cx, float64(r.cam.Width)-r.cam.Cx) / r.cam.Fx
	ty := math.Max(r.cam.Cy, float64(r.cam.Height)-r.cam.Cy) / r.cam.Fy
	beyond := func(f func(p geom.Vec3) bool) bool { return f(a) && f(b) && f(c) }
	return beyond(func(p geom.Vec3) bool { return p[0] > tx*p[2] }) || beyond(func(p geom.Vec3) bool { return -p[0] > tx*p[2] }) ||
		beyond(func(p geom.Vec3) bool { return p[1] > ty*p[2] }) || beyond(func(p geom.Vec3) bool { return -p[1] > ty*p[2] })
}

// clip cuts a triangle at the near plane and fills what is left.
func (r *renderer) clip(a, b, c corner, tex *texture) {
	if a.p[2] >= near && b.p[2] >= near && c.p[2] >= near {
		r.fill(a, b, c, tex)
		return
	}
	var poly []corner
	in := [3]corner{a, b, c}
	for i, p := range in {
		q := in[(i+1)%3]
		if p.p[2] >= near {
			poly = append(poly, p)
		}
		if (p.p[2] >= near) != (q.p[2] >= near) {
			t := (near - p.p[2]) / (q.p[2] - p.p[2])
			poly = append(poly, corner{p.p.Add(q.p.Sub(p.p).Scale(t)), p.u + t*(q.u-p.u), p.v + t*(q.v-p.v), p.l + t*(q.l-p.l)})
		}
	}
	for i := 2; i < len(poly); i++ {
		r.fill(poly[0], poly[i-1], poly[i], tex)
	}
}

// ramp is a quantity that is linear over the picture: value at (0,0) and steps by x and y.
type ramp struct{ o, x, y float64 }

func (r ramp) at(x, y float64) float64 { return r.o + r.x*x + r.y*y }

// setup finds the ramps of 1/z and of everything over z for a triangle on the screen.
func (r *renderer) setup(s [3]geom.Vec2, c [3]corner) (inv, u, v, l ramp, ok bool) {
	dx1, dy1 := s[1][0]-s[0][0], s[1][1]-s[0][1]
	dx2, dy2 := s[2][0]-s[0][0], s[2][1]-s[0][1]
	det := dx1*dy2 - dx2*dy1
	if math.Abs(det) < 1e-9 {
		return inv, u, v, l, false
	}
	solve := func(a, b, c float64) ramp {
		gx := ((b-a)*dy2 - (c-a)*dy1) / det
		gy := ((c-a)*dx1 - (b-a)*dx2) / det
		return ramp{a - gx*s[0][0] - gy*s[0][1], gx, gy}
	}
	i0, i1, i2 := 1/c[0].p[2], 1/c[1].p[2], 1/c[2].p[2]
	return solve(i0, i1, i2), solve(c[0].u*i0, c[1].u*i1, c[2].u*i2), solve(c[0].v*i0, c[1].v*i1, c[2].v*i2),
		solve(c[0].l*i0, c[1].l*i1, c[2].l*i2), true
}

// fill scans a triangle, pixel centres at whole numbers.
func (r *renderer) fill(a, b, c corner, tex *texture) {
	in := [3]corner{a, b, c}
	var s [3]geom.Vec2
	for i, k := range in {
		s[i] = geom.Vec2{r.cam.Fx*k.p[0]/k.p[2] + r.cam.Cx, r.cam.Fy*k.p[1]/k.p[2] + r.cam.Cy}
	}
	inv, u, v, l, ok := r.setup(s, in)
	if !ok {
		return
	}
	lv := tex.levels[r.mip(s, in, tex)]
	slices.SortFunc(s[:], func(p, q geom.Vec2) int { return cmp.Compare(p[1], q[1]) })
	y0, y1 := max(0, ceil(s[0][1])), min(r.cam.Height-1, ceil(s[2][1])-1)
	for y := y0; y <= y1; y++ {
		fy := float64(y)
		xa := edge(s[0], s[2], fy)
		var xb float64
		if fy < s[1][1] {
			xb = edge(s[0], s[1], fy)
		} else {
			xb = edge(s[1], s[2], fy)
		}
		x0, x1 := max(0, ceil(math.Min(xa, xb))), min(r.cam.Width-1, ceil(math.Max(xa, xb))-1)
		if x0 <= x1 {
			r.span(y, x0, x1, inv, u, v, l, &lv)
		}
	}
}

func ceil(v float64) int { return int(math.Ceil(v)) }

func edge(p, q geom.Vec2, y float64) float64 {
	if q[1] == p[1] {
		return p[0]
	}
	return p[0] + (y-p[1])/(q[1]-p[1])*(q[0]-p[0])
}

// chunk is how many pixels of a row share one perspective division; in between everything is linear,
// which is off by less than a texel on the plant's small triangles.
const chunk = 16

// span shades one row of a triangle.
func (r *renderer) span(y, x0, x1 int, inv, u, v, l ramp, lv *level) {
	fy := float64(y)
	at := func(x int) (tu, tv, light float32) {
		fx := float64(x)
		z := 1 / inv.at(fx, fy)
		return float32(u.at(fx, fy)*z*float64(lv.w)) - 0.5, float32(v.at(fx, fy)*z*float64(lv.h)) - 0.5, float32(l.at(fx, fy) * z)
	}
	tu, tv, light := at(x0)
	for x := x0; x <= x1; x += chunk {
		// The last step ends on the last pixel: beyond it the division may have no meaning.
		end := min(x+chunk, x1)
		nu, nv, nl := at(end)
		k := 1 / float32(max(1, end-x))
		next := end
		if x+chunk > x1 {
			next = x1 + 1
		}
		r.chunk(y, x, next, inv, texel{tu, tv, light}, texel{(nu - tu) * k, (nv - tv) * k, (nl - light) * k}, lv)
		tu, tv, light = nu, nv, nl
	}
}

// texel is a place on a texture, in texels, and the light there; or the step from one pixel to the next.
type texel struct{ u, v, light float32 }

// chunk shades the pixels from x0 to before x1, whose texels are linear.
func (r *renderer) chunk(y, x0, x1 int, inv ramp, t, step texel, lv *level) {
	// Texture coordinates are kept positive, so that cutting them off is rounding down; a few repeats do,
	// and leave a float32 a thousandth of a texel.
	const far = 8
	w, h := lv.w-1, lv.h-1
	i, di := float32(inv.at(float64(x0), float64(y))), float32(inv.x)
	t.u, t.v = t.u+float32(far*lv.w), t.v+float32(far*lv.h)
	row := y * r.cam.Width
	depth, luma := r.inv[row+x0:row+x1], r.luma[row+x0:row+x1]
	for n := range depth {
		if i > depth[n] {
			depth[n] = i
			ui, vi := int(t.u), int(t.v)
			du, dv := t.u-float32(ui), t.v-float32(vi)
			r0, r1 := (vi&h)*lv.w, ((vi+1)&h)*lv.w
			c0, c1 := ui&w, (ui+1)&w
			top := float32(lv.y[r0+c0]) + du*(float32(lv.y[r0+c1])-float32(lv.y[r0+c0]))
			bot := float32(lv.y[r1+c0]) + du*(float32(lv.y[r1+c1])-float32(lv.y[r1+c0]))
			luma[n] = t.light * (top + dv*(bot-top))
			if x := x0 + n; (x|y)&1 == 0 {
				m := y/2*r.cw + x/2
				g := min(t.light, 1)
				r.cb[m] = uint8(128.5 + g*(float32(lv.cb[r0+c0])-128))
				r.cr[m] = uint8(128.5 + g*(float32(lv.cr[r0+c0])-128))
			}
		}
		i += di
		t.u, t.v, t.light = t.u+step.u, t.v+step.v, t.light+step.light
	}
}

// mip picks the halving of the texture at which a texel is about a pixel.
func (r *renderer) mip(s [3]geom.Vec2, c [3]corner, tex *texture) int {
	t := tex.levels[0]
	texels := math.Abs((c[1].u-c[0].u)*(c[2].v-c[0].v)-(c[2].u-c[0].u)*(c[1].v-c[0].v)) * float64(t.w*t.h)
	pixels := math.Abs((s[1][0]-s[0][0])*(s[2][1]-s[0][1]) - (s[2][0]-s[0][0])*(s[1][1]-s[0][1]))
	if pixels < 1e-9 || texels <= pixels {
		return 0
	}
	return min(len(tex.levels)-1, int(0.5*math.Log2(texels/pixels)+0.35))
}

// depth returns the depth in metres at every pixel, infinite where there is nothing.
func (r *renderer) depth() []float64 {
	d := make([]float64, len(r.inv))
	for i, v := range r.inv {
		d[i] = math.Inf(1)
		if v > 0 {
			d[i] = 1 / float64(v)
		}
	}
	return d
}
