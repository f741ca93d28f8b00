package track

import (
	"image"
	"math"

	"sightline/vision/geom"
)

// Limits of aligning two small pictures.
const (
	// leastOverlap is the share of the picture that two pictures must share for a shift to be judged.
	leastOverlap = 0.35
	// leastAlike is the correlation from which a shift is believed.
	leastAlike = 0.5
	// followedShare is the share of features below which following is tried again from an alignment.
	followedShare = 0.5
)

// align finds by how many pixels the picture has moved, as a whole, from one frame to the next: the shift at
// which the two correlate best at a sixteenth of their size, then at an eighth. A head that turns by half a
// view in one frame is beyond what following from the old places can bridge. False where nothing fits.
func (t *Tracker) align(from, to Picture) (geom.Vec2, bool) {
	a, b := t.cfg.Imager.Small(from), t.cfg.Imager.Small(to)
	scale := float64(t.cam.Width) / float64(a.Rect.Dx())
	ha, hb := halve(a), halve(b)
	w, h := ha.Rect.Dx(), ha.Rect.Dy()
	x, y, _ := bestShift(ha, hb, 0, 0, int(float64(w)*(1-leastOverlap)), int(float64(h)*(1-leastOverlap)))
	x, y, alike := bestShift(a, b, 2*x, 2*y, 1, 1)
	return geom.Vec2{float64(x) * scale, float64(y) * scale}, alike > leastAlike
}

// bestShift searches the shifts around one for the best correlation.
func bestShift(a, b *image.Gray, x0, y0, reachX, reachY int) (x, y int, alike float64) {
	alike = -1
	for dy := y0 - reachY; dy <= y0+reachY; dy++ {
		for dx := x0 - reachX; dx <= x0+reachX; dx++ {
			if c := correlation(a, b, dx, dy); c > alike {
				x, y, alike = dx, dy, c
			}
		}
	}
	return x, y, alike
}

// correlation is that of a with b where a's pixel (x, y) is b's (x+dx, y+dy); -1 with too little overlap.
func correlation(a, b *image.Gray, dx, dy int) float64 {
	w, h := a.Rect.Dx(), a.Rect.Dy()
	x0, x1 := max(0, -dx), min(w, w-dx)
	y0, y1 := max(0, -dy), min(h, h-dy)
	if x1 <= x0 || y1 <= y0 || float64((x1-x0)*(y1-y0)) < leastOverlap*float64(w*h) {
		return -1
	}
	var n, sa, sb, saa, sbb, sab int
	for y := y0; y < y1; y++ {
		ra := a.Pix[y*a.Stride+x0 : y*a.Stride+x1]
		rb := b.Pix[(y+dy)*b.Stride+x0+dx:]
		for i, va := range ra {
			p, q := int(va), int(rb[i])
			sa += p
			sb += q
			saa += p * p
			sbb += q * q
			sab += p * q
		}
		n += len(ra)
	}
	va, vb := float64(n*saa-sa*sa), float64(n*sbb-sb*sb)
	if va <= 0 || vb <= 0 {
		return -1
	}
	return float64(n*sab-sa*sb) / math.Sqrt(va*vb)
}

// halve makes a picture half as large by means of four pixels.
func halve(g *image.Gray) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, g.Rect.Dx()/2, g.Rect.Dy()/2))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			i := 2*y*g.Stride + 2*x
			out.Pix[y*out.Stride+x] = uint8((int(g.Pix[i]) + int(g.Pix[i+1]) + int(g.Pix[i+g.Stride]) + int(g.Pix[i+g.Stride+1]) + 2) / 4)
		}
	}
	return out
}
