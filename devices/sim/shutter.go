package sim

import (
	"math"

	"sightline/vision/geom"
)

// readAt is when a row of a frame is read, in seconds after the start: the middle row at the frame's own time.
func (w *World) readAt(frame int, row float64) float64 {
	return float64(frame)/w.o.FPS + w.cam.Late(row)
}

// PoseAt returns the true pose in the moment in which a row of a frame was read; see PoseCW.
func (w *World) PoseAt(frame int, row float64) geom.Pose { return w.head.poseCW(w.readAt(frame, row)) }

// roll makes of a picture that was taken at once, from mid, one that was read row by row: each of its pixels is looked for
// in that one by way of its depth. What only the rows' own views see is the picture's rim drawn out.
func (l *lens) roll(r *renderer, mid geom.Pose, row func(y float64) geom.Pose) {
	w, h := l.cam.Width, l.cam.Height
	luma, inv := append([]float32(nil), r.luma...), append([]float32(nil), r.inv...)
	cb, cr := append([]uint8(nil), r.cb...), append([]uint8(nil), r.cr...)
	for y := range h {
		there := mid.Mul(row(float64(y)).Inverse())
		back := there.Inverse()
		for x := range w {
			n := l.cam.Normalize(geom.Vec2{float64(x), float64(y)})
			at, i := geom.Vec2{float64(x), float64(y)}, 0.0
			for range 3 {
				if i = l.inverseDepth(inv, back, at); i <= 0 {
					break
				}
				q, ok := l.cam.Project(there.Apply(geom.Vec3{n[0] / i, n[1] / i, 1 / i}))
				if !ok {
					break
				}
				at = geom.Vec2{math.Max(0, math.Min(float64(w-1), q[0])), math.Max(0, math.Min(float64(h-1), q[1]))}
			}
			r.inv[y*w+x] = float32(l.inverseDepth(inv, back, at))
			r.luma[y*w+x] = between(luma, w, h, at)
			if (x|y)&1 == 0 {
				k := int(at[1]/2)*r.cw + int(at[0]/2)
				r.cb[y/2*r.cw+x/2], r.cr[y/2*r.cw+x/2] = cb[k], cr[k]
			}
		}
	}
}

// inverseDepth is what a pixel of the picture taken at once has, as the row's camera sees it; 0 where there is nothing.
func (l *lens) inverseDepth(inv []float32, back geom.Pose, at geom.Vec2) float64 {
	i := float64(inv[int(at[1]+0.5)*l.cam.Width+int(at[0]+0.5)])
	if i <= 0 {
		return 0
	}
	n := l.cam.Normalize(at)
	return 1 / back.Apply(geom.Vec3{n[0] / i, n[1] / i, 1 / i})[2]
}

// between is the brightness between four pixels.
func between(p []float32, w, h int, at geom.Vec2) float32 {
	x, y := min(int(at[0]), w-2), min(int(at[1]), h-2)
	fx, fy := float32(at[0])-float32(x), float32(at[1])-float32(y)
	a, b := p[y*w+x:], p[(y+1)*w+x:]
	return (a[0]*(1-fx)+a[1]*fx)*(1-fy) + (b[0]*(1-fx)+b[1]*fx)*fy
}
