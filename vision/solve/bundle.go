package solve

import (
	"math"

	"sightline/vision/geom"
)

// Bundle is a bundle adjustment problem: cameras and points that are moved together until the points
// land where the cameras saw them. Run writes the answer into Poses and Points.
type Bundle struct {
	Poses []geom.Pose // poseCW
	// Fixed cameras do not move. Two of them, or one and a known scale, hold the world in its place.
	Fixed  []bool
	Points []geom.Vec3
	Obs    []BundleObs
	Focal  float64 // px
	// Zoom is by what the focal length is multiplied, where FreeZoom lets it be found with everything else; 0 is 1.
	Zoom     float64
	FreeZoom bool
	// Readout is how many seconds longer reading a picture takes than the observations were corrected for, where FreeReadout
	// lets it be found with everything else.
	Readout     float64
	FreeReadout bool
	// HuberPx is the residual in pixels past which influence stops growing.
	HuberPx float64
}

// BundleObs says that camera Pose saw point Point at the normalized coordinates N.
type BundleObs struct {
	Pose, Point int
	N           geom.Vec2
	// Roll is by how much N is off for each second of Readout.
	Roll geom.Vec2
}

// at is what is seen without what the readout makes of it.
func (o *BundleObs) at(readout float64) geom.Vec2 { return o.N.Sub(o.Roll.Scale(readout)) }

// block is what one observation adds: the derivatives by pose and by point, and the weighted residual.
type block struct {
	a  [2][6]float64
	b  [2]geom.Vec3
	f  [2]geom.Vec2 // by what is free: the logarithm of Zoom, Readout
	r  geom.Vec2
	w  float64
	ok bool
}

// Run iterates Levenberg-Marquardt at most so many times, with the points eliminated by the Schur
// complement (Triggs et al., Bundle Adjustment: A Modern Synthesis, 2000), and returns the robust cost
// before and after, in pixels squared.
func (p *Bundle) Run(iterations int) (before, after float64) {
	w := p.begin()
	lambda := 1e-4
	if p.Zoom == 0 {
		p.Zoom = 1
	}
	before = p.cost(p.state())
	after = before
	for range iterations {
		p.linearize(w)
		improved := false
		for range 4 {
			s, ok := p.step(w, lambda)
			if ok {
				if c := p.cost(s); c < after {
					improved = after-c > 1e-4*after
					p.Poses, p.Points, p.Zoom, p.Readout, after = s.poses, s.points, s.zoom, s.readout, c
					lambda = math.Max(lambda/10, 1e-9)
					break
				}
			}
			lambda *= 10
		}
		if !improved {
			break
		}
	}
	return before, after
}

// state is what an adjustment moves.
type state struct {
	poses         []geom.Pose
	points        []geom.Vec3
	zoom, readout float64
}

func (p *Bundle) state() state { return state{p.Poses, p.Points, p.Zoom, p.Readout} }

// free is how many numbers are to be found beside poses and points.
func (p *Bundle) free() (n int) {
	if p.FreeZoom {
		n++
	}
	if p.FreeReadout {
		n++
	}
	return n
}

// work is the memory of one Run.
type work struct {
	slot    []int // numbers of the free cameras; fixed ones have -1
	byPoint [][]int
	blocks  []block
	s, rhs  []float64 // the camera system, 6 rows a free camera, and one for each number that is free at the end
	elim    []pointPart
	room    []poseCross
}

func (p *Bundle) begin() *work {
	w := &work{slot: make([]int, len(p.Poses)), byPoint: p.byPoint(), blocks: make([]block, len(p.Obs)),
		elim: make([]pointPart, len(p.Points)), room: make([]poseCross, 0, len(p.Obs))}
	free := 0
	for i := range p.Poses {
		w.slot[i] = -1
		if !p.Fixed[i] {
			w.slot[i] = free
			free++
		}
	}
	n := 6*free + p.free()
	w.s, w.rhs = make([]float64, n*n), make([]float64, n)
	return w
}

func (p *Bundle) byPoint() [][]int {
	by := make([][]int, len(p.Points))
	for i, o := range p.Obs {
		by[o.Point] = append(by[o.Point], i)
	}
	return by
}

func (p *Bundle) cost(s state) float64 {
	sum := 0.0
	for i := range p.Obs {
		r := math.Min(p.residual(s, &p.Obs[i]), 1e6)
		if r <= p.HuberPx {
			sum += r * r
		} else {
			sum += p.HuberPx * (2*r - p.HuberPx)
		}
	}
	return sum
}

// ResidualPx is by how many pixels an observation disagrees.
func (p *Bundle) ResidualPx(o BundleObs) float64 { return p.residual(p.state(), &o) }

func (p *Bundle) residual(s state, o *BundleObs) float64 {
	return ReprojectionPx(s.poses[o.Pose], s.points[o.Point], o.at(s.readout).Scale(1/s.zoom), s.zoom*p.Focal)
}

func (p *Bundle) linearize(w *work) {
	for i, o := range p.Obs {
		bl := &w.blocks[i]
		pose := &p.Poses[o.Pose]
		c := pose.Apply(p.Points[o.Point])
		n, j, ok := project(c, p.Zoom*p.Focal)
		if bl.ok = ok; !ok {
			continue
		}
		z := n.Scale(p.Zoom * p.Focal)
		bl.r = z.Sub(o.at(p.Readout).Scale(p.Focal))
		if bl.f[0] = z; p.FreeReadout {
			bl.f[p.free()-1] = o.Roll.Scale(p.Focal)
		}
		bl.w = huber(bl.r.Norm(), p.HuberPx)
		if w.slot[o.Pose] >= 0 {
			bl.a = poseRows(j, c)
		}
		bl.b = [2]geom.Vec3{pose.R.MulVecT(j[0]), pose.R.MulVecT(j[1])}
	}
}

// step solves the damped normal equations and returns everything moved.
func (p *Bundle) step(w *work, lambda float64) (state, bool) {
	p.normal(w, lambda)
	s, rhs := w.s, w.rhs
	if len(rhs) > 0 && !geom.SolveSPD(s, rhs) {
		return state{}, false
	}
	poses := append([]geom.Pose(nil), p.Poses...)
	for i, k := range w.slot {
		if k >= 0 {
			d := rhs[6*k : 6*k+6]
			poses[i] = poses[i].Retract(geom.Vec3{-d[0], -d[1], -d[2]}, geom.Vec3{-d[3], -d[4], -d[5]})
		}
	}
	points := append([]geom.Vec3(nil), p.Points...)
	for k := range points {
		points[k] = points[k].Sub(w.elim[k].back(rhs, p.free()))
	}
	moved := state{poses, points, p.Zoom, p.Readout}
	d := rhs[len(rhs)-p.free():]
	if p.FreeZoom {
		moved.zoom *= math.Exp(-d[0])
	}
	if p.FreeReadout {
		moved.readout -= d[len(d)-1]
	}
	return moved, true
}

// normal makes the damped normal equations, with the points eliminated.
func (p *Bundle) normal(w *work, lambda float64) {
	s, rhs, n := w.s, w.rhs, len(w.rhs)
	clear(s)
	clear(rhs)
	for i, o := range p.Obs {
		bl := &w.blocks[i]
		if k := w.slot[o.Pose]; k >= 0 && bl.ok {
			addPose(s, rhs, n, k, bl)
		}
		if bl.ok {
			addFree(s, rhs, n-p.free(), w.slot[o.Pose], bl)
		}
	}
	for i := range n {
		s[i*n+i] *= 1 + lambda
		s[i*n+i] += 1e-9
	}
	w.room = w.room[:0]
	for k := range p.Points {
		w.eliminate(p, k, lambda)
		w.elim[k].reduce(s, rhs, n)
		w.elim[k].reduceFree(s, rhs, n-p.free())
	}
}

// Sigmas are the standard deviations after Run of what is free: of Zoom as a share of it, then of Readout. They are what the noise
// of the measurements makes of them, where these show them at all. False where they do not.
func (p *Bundle) Sigmas() (sigmas []float64, ok bool) {
	w := p.begin()
	p.linearize(w)
	p.normal(w, 1e-9) // a little, for the scale that nothing holds
	n := len(w.rhs)
	freedom := 2*len(p.Obs) - 3*len(p.Points) - n
	s := make([]float64, len(w.s))
	for i := n - p.free(); i < n; i++ {
		copy(s, w.s)
		clear(w.rhs)
		w.rhs[i] = 1
		if freedom <= 0 || !geom.SolveSPD(s, w.rhs) {
			return nil, false
		}
		sigmas = append(sigmas, math.Sqrt(w.rhs[i]*p.cost(p.state())/float64(freedom)))
	}
	return sigmas, true
}

// addPose adds what an observation says of its camera; only the lower triangle of s is written.
func addPose(s, rhs []float64, n, k int, bl *block) {
	for m := range 2 {
		row := &bl.a[m]
		for i := range 6 {
			wi := bl.w * row[i]
			rhs[6*k+i] += wi * bl.r[m]
			into := s[(6*k+i)*n+6*k:][:6]
			for j := 0; j <= i; j++ {
				into[j] += wi * row[j]
			}
		}
	}
}

// addFree adds what an observation says of what is free, to the rows from first on; slot is the camera's, or -1.
func addFree(s, rhs []float64, first, slot int, bl *block) {
	for z := first; z < len(rhs); z++ {
		row := s[z*len(rhs):]
		for m := range 2 {
			wf := bl.w * bl.f[z-first][m]
			rhs[z] += wf * bl.r[m]
			for y := first; y <= z; y++ {
				row[y] += wf * bl.f[y-first][m]
			}
			for i := range 6 {
				if slot >= 0 {
					row[6*slot+i] += wf * bl.a[m][i]
				}
			}
		}
	}
}

// pointPart is what is needed of one point to eliminate it and to find it again.
type pointPart struct {
	inv geom.Mat3
	g   geom.Vec3
	f   [2]geom.Vec3 // couples what is free with the point
	w   []poseCross
	ok  bool
}

// poseCross is the 6x3 block that couples a free camera with the point, by rows of the camera.
type poseCross struct {
	slot int
	m    [6]geom.Vec3
}

// eliminate gathers what all observations say of one point.
func (w *work) eliminate(p *Bundle, point int, lambda float64) {
	part := &w.elim[point]
	*part = pointPart{}
	var xx, xy, xz, yy, yz, zz float64
	first := len(w.room)
	for _, i := range w.byPoint[point] {
		bl := &w.blocks[i]
		if !bl.ok {
			continue
		}
		for m := range 2 {
			b := &bl.b[m]
			x, y, z := bl.w*b[0], bl.w*b[1], bl.w*b[2]
			xx, xy, xz = xx+x*b[0], xy+x*b[1], xz+x*b[2]
			yy, yz, zz = yy+y*b[1], yz+y*b[2], zz+z*b[2]
			part.g[0], part.g[1], part.g[2] = part.g[0]+x*bl.r[m], part.g[1]+y*bl.r[m], part.g[2]+z*bl.r[m]
			for i := range p.free() {
				part.f[i] = part.f[i].Add(b.Scale(bl.w * bl.f[i][m]))
			}
		}
		if k := w.slot[p.Obs[i].Pose]; k >= 0 {
			w.room = append(w.room, poseCross{slot: k})
			c := &w.room[len(w.room)-1]
			for r := range 6 {
				u, v := bl.w*bl.a[0][r], bl.w*bl.a[1][r]
				for d := range 3 {
					c.m[r][d] = u*bl.b[0][d] + v*bl.b[1][d]
				}
			}
		}
	}
	damp := 1 + lambda
	part.inv, part.ok = geom.Mat3{xx*damp + 1e-12, xy, xz, xy, yy*damp + 1e-12, yz, xz, yz, zz*damp + 1e-12}.Inverse()
	part.w = w.room[first:]
}

// reduce subtracts the point's share from the camera system: S -= W·V⁻¹·Wᵀ, rhs -= W·V⁻¹·g. Of S only the
// lower triangle is written. What the time goes to, so it is in plain numbers: arrays would go through memory.
func (part *pointPart) reduce(s, rhs []float64, n int) {
	if !part.ok {
		return
	}
	v, g := &part.inv, &part.g
	for ai := range part.w {
		a := &part.w[ai]
		for r := range 6 {
			m := &a.m[r]
			x := v[0]*m[0] + v[1]*m[1] + v[2]*m[2] // V⁻¹ is symmetric
			y := v[3]*m[0] + v[4]*m[1] + v[5]*m[2]
			z := v[6]*m[0] + v[7]*m[1] + v[8]*m[2]
			rhs[6*a.slot+r] -= x*g[0] + y*g[1] + z*g[2]
			row := s[(6*a.slot+r)*n:][:n]
			for bi := range part.w {
				b := &part.w[bi]
				if b.slot > a.slot {
					continue
				}
				into := row[6*b.slot:][:6]
				for c := range into {
					q := &b.m[c]
					into[c] -= x*q[0] + y*q[1] + z*q[2]
				}
			}
		}
	}
}

// reduceFree is reduce for the rows of what is free, from first on.
func (part *pointPart) reduceFree(s, rhs []float64, first int) {
	if !part.ok {
		return
	}
	for z := first; z < len(rhs); z++ {
		row, v := s[z*len(rhs):], part.inv.MulVec(part.f[z-first])
		rhs[z] -= v.Dot(part.g)
		for y := first; y <= z; y++ {
			row[y] -= v.Dot(part.f[y-first])
		}
		for i := range part.w {
			b := &part.w[i]
			for c := range 6 {
				row[6*b.slot+c] -= v.Dot(b.m[c])
			}
		}
	}
}

// back returns the point's own step, given the cameras' and, of the last so many, that of what is free: V⁻¹·(g - Wᵀ·d).
func (part *pointPart) back(d []float64, free int) geom.Vec3 {
	if !part.ok {
		return geom.Vec3{}
	}
	x, y, z := part.g[0], part.g[1], part.g[2]
	for i, k := range d[len(d)-free:] {
		f := &part.f[i]
		x, y, z = x-f[0]*k, y-f[1]*k, z-f[2]*k
	}
	for i := range part.w {
		a := &part.w[i]
		for r, k := range d[6*a.slot:][:6] {
			x, y, z = x-a.m[r][0]*k, y-a.m[r][1]*k, z-a.m[r][2]*k
		}
	}
	return part.inv.MulVec(geom.Vec3{x, y, z})
}
