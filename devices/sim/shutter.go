package sim

import (
	"math"

	"sightline/vision/geom"
)

// poseAt is the true pose in the moment in which a pixel of a frame was read; see PoseCW.
func (w *World) poseAt(frame int, px geom.Vec2) geom.Pose {
	return w.head.poseCW(float64(frame)/w.o.FPS + w.cam.Late(px))
}

// Project returns the pixel of a frame that sees a world point, and its depth; ok is false behind the camera.
func (w *World) Project(frame int, p geom.Vec3) (px geom.Vec2, depth float64, ok bool) {
	return w.cam.ProjectRows(func(px geom.Vec2) geom.Pose { return w.poseAt(frame, px) }, p)
}

// roll makes of a picture that was taken at once, from mid, one that was read row by row: each of its pixels is looked for
// in that one by way of its depth. What only the rows' own views see is the picture's rim drawn out. The lens is a pinhole.
func (l *lens) roll(r *renderer, mid geom.Pose, at func(px geom.Vec2) geom.Pose) {
	w, h, c := l.cam.Width, l.cam.Height, l.cam
	luma, inv := append([]float32(nil), r.luma...), append([]float32(nil), r.inv...)
	cb, cr := append([]uint8(nil), r.cb...), append([]uint8(nil), r.cr...)
	lines, long := h, w
	if c.Upright() {
		lines, long = w, h
	}
	for line := range lines {
		there := mid.Mul(at(geom.Vec2{float64(line), float64(line)}).Inverse()) // of the two only one counts
		back := there.Inverse()
		// depth is the inverse depth, as the row's camera sees it, of the picture taken at once at a pixel; 0: nothing is there.
		depth := func(u, v float64) float64 {
			i := float64(inv[int(v+0.5)*w+int(u+0.5)])
			return i / (back.R[6]*(u-c.Cx)/c.Fx + back.R[7]*(v-c.Cy)/c.Fy + back.R[8] + back.T[2]*i)
		}
		for k := range long {
			x, y := k, line
			if c.Upright() {
				x, y = line, k
			}
			nx, ny, u, v := (float64(x)-c.Cx)/c.Fx, (float64(y)-c.Cy)/c.Fy, float64(x), float64(y)
			i := depth(u, v)
			for range 3 { // a projection does not mind that all is multiplied by i
				z := there.R[6]*nx + there.R[7]*ny + there.R[8] + there.T[2]*i
				u = c.Fx*(there.R[0]*nx+there.R[1]*ny+there.R[2]+there.T[0]*i)/z + c.Cx
				v = c.Fy*(there.R[3]*nx+there.R[4]*ny+there.R[5]+there.T[1]*i)/z + c.Cy
				u, v = math.Max(0, math.Min(float64(w-1), u)), math.Max(0, math.Min(float64(h-1), v))
				i = depth(u, v)
			}
			r.inv[y*w+x], r.luma[y*w+x] = float32(i), between(luma, w, h, u, v)
			if (x|y)&1 == 0 {
				k := int(v/2)*r.cw + int(u/2)
				r.cb[y/2*r.cw+x/2], r.cr[y/2*r.cw+x/2] = cb[k], cr[k]
			}
		}
	}
}

// between is the brightness between four pixels.
func between(p []float32, w, h int, u, v float64) float32 {
	x, y := min(int(u), w-2), min(int(v), h-2)
	fx, fy := float32(u)-float32(x), float32(v)-float32(y)
	a, b := p[y*w+x:], p[(y+1)*w+x:]
	return (a[0]*(1-fx)+a[1]*fx)*(1-fy) + (b[0]*(1-fx)+b[1]*fx)*fy
}
