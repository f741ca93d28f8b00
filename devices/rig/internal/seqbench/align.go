package seqbench

import (
	"math"

	"sightline/vision/geom"
)

// trajectoryError is the root mean square distance, in metres, of the camera's centres of a trajectory from
// the true ones, after the similarity that fits them best (Umeyama; rotation by Horn's quaternion). It is
// NaN where there are too few frames, or where the camera hardly moved: there a similarity fits anything.
func (s *sequence) trajectoryError(poses map[int]geom.Pose) number {
	var got, want []geom.Vec3
	for i, wc := range poses {
		if cw, ok := s.poseCW[i]; ok {
			got, want = append(got, wc.T), append(want, cw.Centre())
		}
	}
	if len(got) < 10 || spread(want) < 0.01 || spread(got) == 0 {
		return number(math.NaN())
	}
	a, b := mean(got), mean(want)
	var h geom.Mat3 // the sum of got·wantᵀ about their means
	var norm float64
	for i := range got {
		p, q := got[i].Sub(a), want[i].Sub(b)
		h = h.Add(geom.Outer(p, q))
		norm += p.Dot(p)
	}
	r := horn(h)
	scale := 0.0
	for i := range got {
		scale += want[i].Sub(b).Dot(r.MulVec(got[i].Sub(a)))
	}
	scale /= norm
	sum := 0.0
	for i := range got {
		d := want[i].Sub(b).Sub(r.MulVec(got[i].Sub(a)).Scale(scale))
		sum += d.Dot(d)
	}
	return number(math.Sqrt(sum / float64(len(got))))
}

func mean(p []geom.Vec3) geom.Vec3 {
	var m geom.Vec3
	for _, v := range p {
		m = m.Add(v)
	}
	return m.Scale(1 / float64(len(p)))
}

// spread is the root mean square distance of points from their mean.
func spread(p []geom.Vec3) float64 {
	m, sum := mean(p), 0.0
	for _, v := range p {
		d := v.Sub(m)
		sum += d.Dot(d)
	}
	return math.Sqrt(sum / float64(len(p)))
}

// horn is the rotation r that brings points p nearest to points q, from h = Σ p·qᵀ: its quaternion is the
// eigenvector of the largest eigenvalue of a symmetric 4x4 matrix (Horn 1987), found by powers of the
// matrix, shifted so that no eigenvalue is negative.
func horn(h geom.Mat3) geom.Mat3 {
	xx, xy, xz, yx, yy, yz, zx, zy, zz := h[0], h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8]
	n := [4][4]float64{ // rows and columns w x y z
		{xx + yy + zz, yz - zy, zx - xz, xy - yx},
		{yz - zy, xx - yy - zz, xy + yx, zx + xz},
		{zx - xz, xy + yx, yy - xx - zz, yz + zy},
		{xy - yx, zx + xz, yz + zy, zz - xx - yy},
	}
	shift := 0.0
	for _, row := range n {
		for _, v := range row {
			shift += v * v
		}
	}
	shift = math.Sqrt(shift) // no eigenvalue is larger than the Frobenius norm
	for i := range n {
		n[i][i] += shift
	}
	// Squaring the matrix 40 times is its power of 2^40: what is left is the eigenvector in every column.
	for range 40 {
		n = squared(n)
	}
	best := 0
	for j := range n {
		if n[j][j] > n[best][best] {
			best = j
		}
	}
	return geom.Quat{n[1][best], n[2][best], n[3][best], n[0][best]}.Mat()
}

// squared is m·m, scaled so that its trace is 1.
func squared(m [4][4]float64) [4][4]float64 {
	var s [4][4]float64
	trace := 0.0
	for i := range 4 {
		for j := range 4 {
			for k := range 4 {
				s[i][j] += m[i][k] * m[k][j]
			}
		}
		trace += s[i][i]
	}
	for i := range 4 {
		for j := range 4 {
			s[i][j] /= trace
		}
	}
	return s
}
