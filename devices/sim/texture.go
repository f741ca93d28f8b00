package sim

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
)

// texture is a picture that repeats, with its halvings. Luma and chroma are kept apart, as the camera
// makes them.
type texture struct {
	levels []level
}

type level struct {
	w, h      int // powers of two
	y, cb, cr []uint8
}

// newTexture takes a picture whose sides are powers of two; row 0 is the top.
func newTexture(img *image.RGBA) *texture {
	b := img.Bounds()
	l := level{w: b.Dx(), h: b.Dy()}
	n := l.w * l.h
	l.y, l.cb, l.cr = make([]uint8, n), make([]uint8, n), make([]uint8, n)
	for y := range l.h {
		for x := range l.w {
			c := img.RGBAAt(b.Min.X+x, b.Min.Y+y)
			// v runs upward in the plant, rows run downward.
			i := (l.h-1-y)*l.w + x
			l.y[i], l.cb[i], l.cr[i] = color.RGBToYCbCr(c.R, c.G, c.B)
		}
	}
	return pyramid(l)
}

func pyramid(l level) *texture {
	t := &texture{levels: []level{l}}
	for l.w > 2 && l.h > 2 {
		l = l.half()
		t.levels = append(t.levels, l)
	}
	return t
}

// faded returns the texture with only a share of its contrast left about its mean colour.
func (t *texture) faded(left float64) *texture {
	top := t.levels[0]
	fade := func(p []uint8) []uint8 {
		sum := 0.0
		for _, v := range p {
			sum += float64(v)
		}
		mean := sum / float64(len(p))
		out := make([]uint8, len(p))
		for i, v := range p {
			out[i] = clamp8(mean + left*(float64(v)-mean) + 0.5)
		}
		return out
	}
	return pyramid(level{w: top.w, h: top.h, y: fade(top.y), cb: fade(top.cb), cr: fade(top.cr)})
}

func (l level) half() level {
	h := level{w: l.w / 2, h: l.h / 2}
	n := h.w * h.h
	h.y, h.cb, h.cr = make([]uint8, n), make([]uint8, n), make([]uint8, n)
	for y := range h.h {
		for x := range h.w {
			i := 2*y*l.w + 2*x
			mean := func(p []uint8) uint8 {
				return uint8((int(p[i]) + int(p[i+1]) + int(p[i+l.w]) + int(p[i+l.w+1]) + 2) / 4)
			}
			k := y*h.w + x
			h.y[k], h.cb[k], h.cr[k] = mean(l.y), mean(l.cb), mean(l.cr)
		}
	}
	return h
}

// noise is smooth value noise that repeats with the picture: several octaves, from 0 to 1.
type noise struct {
	size int
	grid []float64
}

func newNoise(rng *rand.Rand, size int) noise {
	n := noise{size: size, grid: make([]float64, size*size)}
	for i := range n.grid {
		n.grid[i] = rng.Float64()
	}
	return n
}

func (n noise) at(x, y float64) float64 {
	xi, yi := math.Floor(x), math.Floor(y)
	fx, fy := x-xi, y-yi
	fx, fy = fx*fx*(3-2*fx), fy*fy*(3-2*fy)
	g := func(i, j int) float64 { return n.grid[(j&(n.size-1))*n.size+i&(n.size-1)] }
	i, j := int(xi), int(yi)
	return (g(i, j)*(1-fx)+g(i+1, j)*fx)*(1-fy) + (g(i, j+1)*(1-fx)+g(i+1, j+1)*fx)*fy
}

// fractal sums octaves; scale is the coarsest cell count over the picture, a power of two.
func (n noise) fractal(u, v float64, scale, octaves int) float64 {
	sum, amp, total := 0.0, 1.0, 0.0
	for o := range octaves {
		f := float64(int(scale) << o)
		sum += amp * n.at(u*f+float64(17*o), v*f+float64(31*o))
		total += amp
		amp *= 0.55
	}
	return sum / total
}

// paint makes a texture by a function of the unit square.
func paint(size int, at func(u, v float64) (r, g, b float64)) *texture {
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			r, g, b := at(float64(x)/float64(size), float64(y)/float64(size))
			img.SetRGBA(x, y, color.RGBA{clamp8(r), clamp8(g), clamp8(b), 255})
		}
	}
	return newTexture(img)
}

func clamp8(v float64) uint8 { return uint8(math.Max(0, math.Min(255, v))) }

// coat is painted metal: a colour with orange peel, scratches and stains.
func coat(rng *rand.Rand, r, g, b, wear float64) *texture {
	n := newNoise(rng, 64)
	type scratch struct{ x, y, dx, dy, l, d float64 }
	var lines []scratch
	for range int(30 * wear) {
		a := rng.Float64() * math.Pi
		lines = append(lines, scratch{rng.Float64(), rng.Float64(), math.Cos(a), math.Sin(a), 0.03 + 0.12*rng.Float64(), 25 + 40*rng.Float64()})
	}
	return paint(256, func(u, v float64) (float64, float64, float64) {
		k := 0.86 + 0.22*n.fractal(u, v, 4, 5)
		if s := n.fractal(u+0.37, v+0.11, 8, 4); s > 0.62 {
			k *= 1 - wear*2.2*(s-0.62)
		}
		add := 0.0
		for _, l := range lines {
			x, y := u-l.x, v-l.y
			if t, c := x*l.dx+y*l.dy, x*l.dy-y*l.dx; t > 0 && t < l.l && math.Abs(c) < 0.004 {
				add += l.d * (1 - math.Abs(c)/0.004)
			}
		}
		if n.fractal(u+0.7, v+0.3, 16, 3) > 0.74 && wear > 0.5 {
			return 112*k + add, 74*k + add, 48*k + add // rust
		}
		return r*k + add, g*k + add, b*k + add
	})
}

// concrete is the floor: grey, speckled, with cracks and oil stains.
func concrete(rng *rand.Rand) *texture {
	n := newNoise(rng, 128)
	return paint(512, func(u, v float64) (float64, float64, float64) {
		k := 112 + 46*n.fractal(u, v, 4, 6)
		speck := n.at(u*128, v*128)
		k += 26 * (speck - 0.5)
		if s := n.fractal(u+0.2, v+0.6, 4, 4); s > 0.60 {
			k -= 190 * (s - 0.60)
		}
		if c := math.Abs(n.fractal(u+0.5, v+0.9, 4, 4) - 0.5); c < 0.006 {
			k -= 46 * (1 - c/0.006)
		}
		return k, k * 0.985, k * 0.95
	})
}

// bricks is the painted wall: courses with mortar, each brick of its own shade, and dirt.
func bricks(rng *rand.Rand) *texture {
	n := newNoise(rng, 128)
	shade := newNoise(rng, 64)
	return paint(512, func(u, v float64) (float64, float64, float64) {
		row := math.Floor(v * 16)
		x := u*8 + 0.5*math.Mod(row, 2)
		col := math.Floor(x)
		fx, fy := x-col, v*16-row
		k := 168 + 34*(shade.grid[(int(row)&63)*64+int(col)&7]-0.5) + 44*(n.fractal(u, v, 8, 5)-0.5)
		if fx < 0.035 || fy < 0.09 {
			k -= 34
		}
		if s := n.fractal(u+0.4, v+0.1, 4, 5); s > 0.58 {
			k -= 240 * (s - 0.58)
		}
		return k * 0.98, k, k * 0.93
	})
}

// stripes is the hazard tape: black and yellow at 45 degrees.
func stripes(rng *rand.Rand) *texture {
	n := newNoise(rng, 64)
	return paint(128, func(u, v float64) (float64, float64, float64) {
		k := 0.8 + 0.3*n.fractal(u, v, 8, 4)
		if math.Mod(2*(u+v), 1) < 0.5 {
			return 226 * k, 176 * k, 24 * k
		}
		return 34 * k, 33 * k, 32 * k
	})
}

// mesh guard: perforated sheet.
func perforated(rng *rand.Rand, r, g, b float64) *texture {
	n := newNoise(rng, 64)
	return paint(256, func(u, v float64) (float64, float64, float64) {
		k := 0.85 + 0.22*n.fractal(u, v, 8, 4)
		row := math.Floor(v * 12)
		x := math.Mod(u*12+0.5*math.Mod(row, 2), 1) - 0.5
		y := v*12 - row - 0.5
		if math.Hypot(x, y) < 0.31 {
			return 26, 26, 25
		}
		return r * k, g * k, b * k
	})
}

// fins is a motor's housing: ribs along v, with dust between.
func fins(rng *rand.Rand, r, g, b float64) *texture {
	n := newNoise(rng, 64)
	return paint(256, func(u, v float64) (float64, float64, float64) {
		k := 0.82 + 0.26*n.fractal(u, v, 8, 5)
		if f := math.Mod(u*6, 1); f < 0.45 {
			k *= 0.42 + 0.2*math.Abs(f-0.22)
		}
		return r * k, g * k, b * k
	})
}

// sheet is an empty picture to draw a sign, a dial or a plate on.
func sheet(w, h int, c color.Color) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.Draw(img, img.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	return img
}
