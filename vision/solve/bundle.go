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
	// HuberPx is the residual in pixels past which influence stops growing.
	HuberPx float64
}

// BundleObs says that camera Pose saw point Point at the normalized coordinates N.
type BundleObs struct {
	Pose, Point int
	N           geom.Vec2
}

// block is what one observation adds: the derivatives by pose and by point, and the weighted residual.
type block struct {
	a  [2][6]float64
	b  [2]geom.Vec3
	r  geom.Vec2
	w  float64
	ok bool
}

// Run iterates Levenberg-Marquardt at most so many times, with the points eliminated by the Schur
// complement (Triggs et al., Bundle Adjustment: A Modern Synthesis, 2000), and returns the robust cost
// before and after, in pixels squared.
func (p *Bundle) Run(iterations int) (before, after float64) {
	slot, free := p.slots()
	byPoint := p.byPoint()
	lambda := 1e-4
	before = p.cost(p.Poses, p.Points)
	after = before
	for range iterations {
		blocks := p.linearize()
		improved := false
		for range 4 {
			poses, points, ok := p.step(blocks, byPoint, slot, free, lambda)
			if ok {
				if c := p.cost(poses, points); c < after {
					improved = after-c > 1e-4*after
					p.Poses, p.Points, after = poses, points, c
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

// slots numbers the free cameras; fixed ones have -1.
func (p *Bundle) slots() (slot []int, free int) {
	slot = make([]int, len(p.Poses))
	for i := range p.Poses {
		slot[i] = -1
		if !p.Fixed[i] {
			slot[i] = free
			free++
		}
	}
	return slot, free
}

func (p *Bundle) byPoint() [][]int {
	by := make([][]int, len(p.Points))
	for i, o := range p.Obs {
		by[o.Point] = append(by[o.Point], i)
	}
	return by
}

func (p *Bundle) cost(poses []geom.Pose, points []geom.Vec3) float64 {
	sum := 0.0
	for _, o := range p.Obs {
		r := math.Min(ReprojectionPx(poses[o.Pose], points[o.Point], o.N, p.Focal), 1e6)
		if r <= p.HuberPx {
			sum += r * r
		} else {
			sum += p.HuberPx * (2*r - p.HuberPx)
		}
	}
	return sum
}

func (p *Bundle) linearize() []block {
	blocks := make([]block, len(p.Obs))
	for i, o := range p.Obs {
		pose := p.Poses[o.Pose]
		c := pose.Apply(p.Points[o.Point])
		n, j, ok := project(c, p.Focal)
		if !ok {
			continue
		}
		bl := &blocks[i]
		bl.ok = true
		bl.r = geom.Vec2{p.Focal * (n[0] - o.N[0]), p.Focal * (n[1] - o.N[1])}
		bl.w = huber(bl.r.Norm(), p.HuberPx)
		bl.a = poseRows(j, c)
		bl.b = [2]geom.Vec3{pose.R.MulVecT(j[0]), pose.R.MulVecT(j[1])}
	}
	return blocks
}

// step solves the damped normal equations and returns the moved cameras and points.
func (p *Bundle) step(blocks []block, byPoint [][]int, slot []int, free int, lambda float64) ([]geom.Pose, []geom.Vec3, bool) {
	n := 6 * free
	s, rhs := make([]float64, n*n), make([]float64, n)
	for i, o := range p.Obs {
		if k := slot[o.Pose]; k >= 0 && blocks[i].ok {
			addPose(s, rhs, n, k, &blocks[i])
		}
	}
	for i := range n {
		s[i*n+i] *= 1 + lambda
		s[i*n+i] += 1e-9
	}
	elim := make([]pointPart, len(p.Points))
	for k := range p.Points {
		elim[k] = p.eliminate(byPoint[k], blocks, slot, lambda)
		elim[k].reduce(s, rhs, n)
	}
	if n > 0 && !geom.SolveSPD(s, rhs) {
		return nil, nil, false
	}
	poses := append([]geom.Pose(nil), p.Poses...)
	for i, k := range slot {
		if k >= 0 {
			d := rhs[6*k : 6*k+6]
			poses[i] = poses[i].Retract(geom.Vec3{-d[0], -d[1], -d[2]}, geom.Vec3{-d[3], -d[4], -d[5]})
		}
	}
	points := append([]geom.Vec3(nil), p.Points...)
	for k := range points {
		points[k] = points[k].Sub(elim[k].back(rhs))
	}
	return poses, points, true
}

func addPose(s, rhs []float64, n, k int, bl *block) {
	for m := range 2 {
		row := &bl.a[m]
		for i := range 6 {
			wi := bl.w * row[i]
			rhs[6*k+i] += wi * bl.r[m]
			for j := range 6 {
				s[(6*k+i)*n+6*k+j] += wi * row[j]
			}
		}
	}
}

// pointPart is what is needed of one point to eliminate it and to find it again.
type pointPart struct {
	inv geom.Mat3
	g   geom.Vec3
	w   []poseCross
	ok  bool
}

// poseCross is the 6x3 block that couples a free camera with the point, by rows of the camera.
type poseCross struct {
	slot int
	m    [6]geom.Vec3
}

func (p *Bundle) eliminate(obs []int, blocks []block, slot []int, lambda float64) pointPart {
	var part pointPart
	var h geom.Mat3
	for _, i := range obs {
		bl := &blocks[i]
		if !bl.ok {
			continue
		}
		for m := range 2 {
			h = h.Add(geom.Outer(bl.b[m], bl.b[m]).Scale(bl.w))
			part.g = part.g.Add(bl.b[m].Scale(bl.w * bl.r[m]))
		}
		if k := slot[p.Obs[i].Pose]; k >= 0 {
			c := poseCross{slot: k}
			for r := range 6 {
				c.m[r] = bl.b[0].Scale(bl.w * bl.a[0][r]).Add(bl.b[1].Scale(bl.w * bl.a[1][r]))
			}
			part.w = append(part.w, c)
		}
	}
	for i := range 3 {
		h[4*i] = h[4*i]*(1+lambda) + 1e-12
	}
	part.inv, part.ok = h.Inverse()
	return part
}

// reduce subtracts the point's share from the camera system: S -= W·V⁻¹·Wᵀ, rhs -= W·V⁻¹·g.
func (part *pointPart) reduce(s, rhs []float64, n int) {
	if !part.ok {
		return
	}
	for _, a := range part.w {
		var wv [6]geom.Vec3
		for r := range 6 {
			wv[r] = part.inv.MulVec(a.m[r]) // V⁻¹ is symmetric
			rhs[6*a.slot+r] -= wv[r].Dot(part.g)
		}
		for _, b := range part.w {
			for r := range 6 {
				base := (6*a.slot + r) * n
				for c := range 6 {
					s[base+6*b.slot+c] -= wv[r].Dot(b.m[c])
				}
			}
		}
	}
}

// back returns the point's own step, given the cameras': V⁻¹·(g - Wᵀ·d).
func (part *pointPart) back(d []float64) geom.Vec3 {
	if !part.ok {
		return geom.Vec3{}
	}
	g := part.g
	for _, a := range part.w {
		for r := range 6 {
			g = g.Sub(a.m[r].Scale(d[6*a.slot+r]))
		}
	}
	return part.inv.MulVec(g)
}
