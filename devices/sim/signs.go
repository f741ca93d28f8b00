package sim

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"sightline/assets"
)

// signwriter draws text and figures on sheets.
type signwriter struct{ regular, bold *opentype.Font }

func newSignwriter() (*signwriter, error) {
	r, err := opentype.Parse(assets.FontRegular())
	if err != nil {
		return nil, fmt.Errorf("font in assets: %w", err)
	}
	b, err := opentype.Parse(assets.FontBold())
	if err != nil {
		return nil, fmt.Errorf("font in assets: %w", err)
	}
	return &signwriter{r, b}, nil
}

// text writes a line with its left end, or its middle where centred, on the baseline at x, y.
func (s *signwriter) text(img *image.RGBA, x, y, size float64, c color.Color, f *opentype.Font, centred bool, words string) {
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return // a size that cannot be; nothing is written
	}
	defer face.Close()
	d := font.Drawer{Dst: img, Src: image.NewUniform(c), Face: face}
	if centred {
		x -= float64(d.MeasureString(words)) / 128
	}
	d.Dot = fixed.Point26_6{X: fixed.Int26_6(x * 64), Y: fixed.Int26_6(y * 64)}
	d.DrawString(words)
}

func rect(img *image.RGBA, x0, y0, x1, y1 int, c color.Color) {
	draw.Draw(img, image.Rect(x0, y0, x1, y1), image.NewUniform(c), image.Point{}, draw.Src)
}

func disc(img *image.RGBA, cx, cy, r float64, c color.RGBA) {
	for y := int(cy - r - 1); y <= int(cy+r+1); y++ {
		for x := int(cx - r - 1); x <= int(cx+r+1); x++ {
			if a := r + 0.5 - math.Hypot(float64(x)-cx, float64(y)-cy); a > 0 && image.Pt(x, y).In(img.Rect) {
				a = math.Min(1, a)
				o := img.RGBAAt(x, y)
				mix := func(p, q uint8) uint8 { return uint8(float64(p)*(1-a) + float64(q)*a) }
				img.SetRGBA(x, y, color.RGBA{mix(o.R, c.R), mix(o.G, c.G), mix(o.B, c.B), 255})
			}
		}
	}
}

func line(img *image.RGBA, x0, y0, x1, y1, width float64, c color.RGBA) {
	n := int(math.Hypot(x1-x0, y1-y0)) + 1
	for i := range n + 1 {
		t := float64(i) / float64(n)
		disc(img, x0+t*(x1-x0), y0+t*(y1-y0), width/2, c)
	}
}

var (
	white = color.RGBA{235, 235, 230, 255}
	black = color.RGBA{24, 24, 26, 255}
	red   = color.RGBA{200, 40, 34, 255}
	steel = color.RGBA{176, 178, 178, 255}
)

// Dial angles: 0 of the scale is at 225 degrees, the end at -45, counter-clockwise from the right.
const (
	dialFrom = 225 * math.Pi / 180
	dialSpan = 270 * math.Pi / 180
)

// dial is the face of a gauge, without its needle.
func (s *signwriter) dial(unit string, end, redFrom float64) *texture {
	img := sheet(256, 256, black)
	disc(img, 128, 128, 124, color.RGBA{120, 122, 124, 255})
	disc(img, 128, 128, 116, white)
	for i := range 51 {
		v := float64(i) / 50
		a := dialFrom - v*dialSpan
		sn, c := math.Sincos(a)
		long, col := 8.0, black
		if i%10 == 0 {
			long = 18
		}
		if v*end >= redFrom {
			line(img, 128+108*c, 128-108*sn, 128+111*c, 128-111*sn, 6, red)
		}
		line(img, 128+(106-long)*c, 128-(106-long)*sn, 128+106*c, 128-106*sn, 2.4, col)
		if i%10 == 0 {
			s.text(img, 128+72*c, 128-72*sn+9, 24, black, s.bold, true, fmt.Sprintf("%g", v*end))
		}
	}
	s.text(img, 128, 190, 26, black, s.regular, true, unit)
	return newTexture(img)
}

// nameplate is the riveted plate of a machine.
func (s *signwriter) nameplate(title string, rows [][2]string) *texture {
	img := sheet(512, 256, steel)
	rect(img, 8, 8, 504, 70, color.RGBA{28, 56, 104, 255})
	s.text(img, 256, 54, 42, white, s.bold, true, title)
	for i, r := range rows {
		y := 106 + 40*float64(i)
		s.text(img, 24, y, 28, black, s.regular, false, r[0])
		s.text(img, 210, y, 30, black, s.bold, false, r[1])
		rect(img, 200, int(y)+6, 496, int(y)+8, color.RGBA{110, 112, 112, 255})
	}
	for _, p := range [][2]float64{{16, 244}, {496, 244}, {16, 84}, {496, 84}} {
		disc(img, p[0], p[1], 6, color.RGBA{90, 92, 94, 255})
	}
	return newTexture(img)
}

// notice is a coloured sign with words.
func (s *signwriter) notice(back, front color.RGBA, head string, lines ...string) *texture {
	img := sheet(256, 256, front)
	rect(img, 6, 6, 250, 250, back)
	s.text(img, 128, 62, 44, front, s.bold, true, head)
	rect(img, 20, 78, 236, 82, front)
	for i, l := range lines {
		s.text(img, 128, 124+38*float64(i), 29, front, s.bold, true, l)
	}
	return newTexture(img)
}

// marker is an ArUco marker of DICT_4X4_50 with a quiet zone of one cell: the black square is 3/4 of the side.
func marker(id int) *texture {
	img := sheet(256, 256, color.RGBA{240, 240, 238, 255})
	rect(img, 32, 32, 224, 224, color.RGBA{16, 16, 17, 255})
	for k := range 16 {
		if assets.Marker4x4(id)>>(15-k)&1 == 1 {
			x, y := 64+32*(k%4), 64+32*(k/4)
			rect(img, x, y, x+32, y+32, color.RGBA{240, 240, 238, 255})
		}
	}
	return newTexture(img)
}
