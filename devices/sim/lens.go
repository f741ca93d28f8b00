package sim

import (
	"image"
	"math"
	"math/rand/v2"

	"sightline/vision/camera"
	"sightline/vision/geom"
)

// lens turns what was rendered into what a cheap head-worn camera delivers: softness, motion blur,
// vignetting, exposure and noise.
type lens struct {
	cam      camera.Model
	vignette []float32
	grain    []float32 // standard normal, walked through from a different place in every frame
	noise    float64   // standard deviation of a pixel at gain 1, in grey levels
	tmp      []float32
}

// usualNoise is the standard deviation of the noise of a small sensor in a lit hall, in grey levels of 255.
const usualNoise = 1.6

// newLens makes a lens before a sensor with so many times the usual noise.
func newLens(cam camera.Model, seed uint64, noise float64) *lens {
	l := &lens{cam: cam, noise: usualNoise * noise, vignette: make([]float32, cam.Width*cam.Height), grain: make([]float32, 1<<16), tmp: make([]float32, cam.Width*cam.Height)}
	r2 := math.Pow(math.Hypot(float64(cam.Width), float64(cam.Height))/2, 2)
	for y := range cam.Height {
		for x := range cam.Width {
			d := math.Pow(float64(x)-cam.Cx, 2) + math.Pow(float64(y)-cam.Cy, 2)
			l.vignette[y*cam.Width+x] = float32(1 - 0.28*d/r2)
		}
	}
	rng := rand.New(rand.NewPCG(seed, 77))
	for i := range l.grain {
		l.grain[i] = float32(rng.NormFloat64())
	}
	return l
}

// soften is the point spread of the optics: a binomial filter of a pixel's radius.
func (l *lens) soften(p []float32) {
	w, h := l.cam.Width, l.cam.Height
	for y := range h {
		row, out := p[y*w:(y+1)*w], l.tmp[y*w:(y+1)*w]
		out[0], out[w-1] = row[0], row[w-1]
		for x := 1; x < w-1; x++ {
			out[x] = 0.2*row[x-1] + 0.6*row[x] + 0.2*row[x+1]
		}
	}
	for y := 1; y < h-1; y++ {
		a, b, c, out := l.tmp[(y-1)*w:y*w], l.tmp[y*w:(y+1)*w], l.tmp[(y+1)*w:(y+2)*w], p[y*w:(y+1)*w]
		for x := range out {
			out[x] = 0.2*a[x] + 0.6*b[x] + 0.2*c[x]
		}
	}
}

// smear is motion blur: every block of pixels is averaged along the way it moved while the shutter was
// open, from the pose before to the pose after.
func (l *lens) smear(p, inv []float32, before, after geom.Pose) {
	const block = 8
	w, h := l.cam.Width, l.cam.Height
	step := after.Mul(before.Inverse())
	copy(l.tmp, p)
	for by := 0; by < h; by += block {
		for bx := 0; bx < w; bx += block {
			dx, dy := l.motion(step, inv, min(bx+block/2, w-1), min(by+block/2, h-1))
			n := int(math.Ceil(math.Hypot(dx, dy)))
			if n < 2 {
				continue
			}
			n = min(n, 24)
			for y := by; y < min(by+block, h); y++ {
				for x := bx; x < min(bx+block, w); x++ {
					p[y*w+x] = l.along(x, y, dx, dy, n)
				}
			}
		}
	}
}

// motion is how far the surface at a pixel moves, in pixels, under a step of the camera.
func (l *lens) motion(step geom.Pose, inv []float32, x, y int) (dx, dy float64) {
	i := float64(inv[y*l.cam.Width+x])
	if i <= 0 {
		i = 0.2
	}
	n := l.cam.Normalize(geom.Vec2{float64(x), float64(y)})
	q, ok := l.cam.Project(step.Apply(geom.Vec3{n[0] / i, n[1] / i, 1 / i}))
	if !ok {
		return 0, 0
	}
	return q[0] - float64(x), q[1] - float64(y)
}

func (l *lens) along(x, y int, dx, dy float64, n int) float32 {
	w, h := l.cam.Width, l.cam.Height
	var sum float32
	for k := range n {
		t := (float64(k)+0.5)/float64(n) - 0.5
		sx, sy := int(float64(x)+t*dx+0.5), int(float64(y)+t*dy+0.5)
		sum += l.tmp[max(0, min(h-1, sy))*w+max(0, min(w-1, sx))]
	}
	return sum / float32(n)
}

// expose applies gain, vignetting and noise, and writes the picture.
func (l *lens) expose(r *renderer, gain float64, frame int, out *image.YCbCr) {
	w, h := l.cam.Width, l.cam.Height
	at := (frame*7919 + 13) & (len(l.grain) - 1)
	noise := float32(l.noise * math.Sqrt(math.Max(1, gain)))
	g := float32(gain)
	for y := range h {
		src, vig, dst := r.luma[y*w:(y+1)*w], l.vignette[y*w:(y+1)*w], out.Y[y*out.YStride:y*out.YStride+w]
		at = (at + 5471) & (len(l.grain) - 1)
		for x := range dst {
			v := src[x]*vig[x]*g + noise*l.grain[(at+x)&(len(l.grain)-1)]
			// A soft shoulder instead of a hard clip.
			if v > 225 {
				v = 225 + 30*(1-30/(30+v-225))
			}
			dst[x] = uint8(max(0, min(255, v)))
		}
	}
	for y := range (h + 1) / 2 {
		copy(out.Cb[y*out.CStride:y*out.CStride+r.cw], r.cb[y*r.cw:])
		copy(out.Cr[y*out.CStride:y*out.CStride+r.cw], r.cr[y*r.cw:])
	}
}
