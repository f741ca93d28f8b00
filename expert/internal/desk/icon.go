package desk

import (
	"image/color"
	"math"

	"sightline/vision/geom"
)

// icon draws a symbol of about 20 x 20 units around a point.
type icon func(p *pad, at geom.Vec2, c color.NRGBA)

func (p *pad) off(at geom.Vec2, x, y float64) geom.Vec2 {
	return geom.Vec2{at[0] + x*p.s, at[1] + y*p.s}
}

func iconSelect(p *pad, at geom.Vec2, c color.NRGBA) {
	o := func(x, y float64) geom.Vec2 { return p.off(at, x, y) }
	p.fill(c, o(-5, -9), o(-5, 7), o(-1.2, 3.6), o(1.4, 9.2), o(4, 8), o(1.5, 2.6), o(6.6, 2.2))
}

func iconArrow(p *pad, at geom.Vec2, c color.NRGBA) {
	o := func(x, y float64) geom.Vec2 { return p.off(at, x, y) }
	p.line(c, 2.6, o(8, -8), o(-4, 4))
	p.fill(c, o(-9, 9), o(-6.5, -0.5), o(0.5, 6.5))
}

func iconCircle(p *pad, at geom.Vec2, c color.NRGBA) { p.ring(c, at, 8, 2.6) }

func iconStroke(p *pad, at geom.Vec2, c color.NRGBA) {
	pts := make([]geom.Vec2, 0, 17)
	for i := range 17 {
		x := -9 + 18*float64(i)/16
		pts = append(pts, p.off(at, x, 5.5*math.Sin(float64(i)/16*2*math.Pi)))
	}
	p.line(c, 2.6, pts...)
}

func iconText(p *pad, at geom.Vec2, c color.NRGBA) {
	o := func(x, y float64) geom.Vec2 { return p.off(at, x, y) }
	p.line(c, 2.6, o(-7, -7.5), o(7, -7.5))
	p.line(c, 2.6, o(0, -7.5), o(0, 8))
}

func iconMeasure(p *pad, at geom.Vec2, c color.NRGBA) {
	o := func(x, y float64) geom.Vec2 { return p.off(at, x, y) }
	p.line(c, 2.6, o(-9, 0), o(9, 0))
	p.line(c, 2.6, o(-9, -6), o(-9, 6))
	p.line(c, 2.6, o(9, -6), o(9, 6))
	p.line(c, 2, o(-3, -3.5), o(-3, 0))
	p.line(c, 2, o(3, -3.5), o(3, 0))
}

func iconPin(p *pad, at geom.Vec2, c color.NRGBA) {
	o := func(x, y float64) geom.Vec2 { return p.off(at, x, y) }
	p.frame(c, Rect{at[0] - 9*p.s, at[1] - 9*p.s, at[0] + 9*p.s, at[1] + 4*p.s}, 2.5, 2.2)
	p.line(c, 1.8, o(-5, -1), o(-2, -4), o(1, -1.5), o(5, -5))
	p.line(c, 2.2, o(0, 4), o(0, 8))
	p.disc(c, o(0, 8.5), 2.2)
}

func iconPoint(p *pad, at geom.Vec2, c color.NRGBA) {
	p.ring(c, at, 7.5, 2.2)
	p.disc(c, at, 3)
}

func iconPress(p *pad, at geom.Vec2, c color.NRGBA) {
	o := func(x, y float64) geom.Vec2 { return p.off(at, x, y) }
	p.line(c, 2.6, o(0, -9), o(0, 0))
	p.fill(c, o(0, 4.5), o(-5.5, -2), o(5.5, -2))
	p.line(c, 2.6, o(-8, 8), o(8, 8))
}

func iconPull(p *pad, at geom.Vec2, c color.NRGBA) {
	o := func(x, y float64) geom.Vec2 { return p.off(at, x, y) }
	p.line(c, 2.6, o(0, 4), o(0, -4))
	p.fill(c, o(0, -9.5), o(-5.5, -3), o(5.5, -3))
	p.line(c, 2.6, o(-8, 8), o(8, 8))
}

func iconTurn(p *pad, at geom.Vec2, c color.NRGBA, dir float64) {
	pts := make([]geom.Vec2, 0, 15)
	for i := range 15 {
		sin, cos := math.Sincos(math.Pi * (0.75 + 1.15*float64(i)/14))
		pts = append(pts, p.off(at, dir*8*cos, 8*sin+1))
	}
	p.line(c, 2.4, pts...)
	p.fill(c, p.off(at, dir*7, 6.5), p.off(at, dir*1.5, -1), p.off(at, dir*12, -1.5))
}

func iconTurnLeft(p *pad, at geom.Vec2, c color.NRGBA) { iconTurn(p, at, c, -1) }

func iconTurnRight(p *pad, at geom.Vec2, c color.NRGBA) { iconTurn(p, at, c, 1) }

func iconStop(p *pad, at geom.Vec2, c color.NRGBA) {
	pts := make([]geom.Vec2, 0, 9)
	for k := range 9 {
		sin, cos := math.Sincos(math.Pi / 4 * (float64(k) + 0.5))
		pts = append(pts, p.off(at, 9*cos, 9*sin))
	}
	p.line(c, 2.4, pts...)
	p.line(c, 2.8, p.off(at, -4, 0), p.off(at, 4, 0))
}

func iconUndo(p *pad, at geom.Vec2, c color.NRGBA) {
	pts := []geom.Vec2{p.off(at, -5, -4)}
	for i := range 11 {
		sin, cos := math.Sincos(-math.Pi/2 + math.Pi*float64(i)/10)
		pts = append(pts, p.off(at, 2.5+5.5*cos, 1.5+5.5*sin))
	}
	pts = append(pts, p.off(at, -4, 7))
	p.line(c, 2.4, pts...)
	p.fill(c, p.off(at, -10, -4), p.off(at, -4, -9), p.off(at, -4, 1))
}

func iconClear(p *pad, at geom.Vec2, c color.NRGBA) {
	o := func(x, y float64) geom.Vec2 { return p.off(at, x, y) }
	p.line(c, 2.2, o(-8, -5.5), o(8, -5.5))
	p.line(c, 2.2, o(-3, -5.5), o(-3, -8.5), o(3, -8.5), o(3, -5.5))
	p.line(c, 2.2, o(-6, -5.5), o(-5, 8.5), o(5, 8.5), o(6, -5.5))
	p.line(c, 1.8, o(-1.8, -1.5), o(-1.6, 5))
	p.line(c, 1.8, o(1.8, -1.5), o(1.6, 5))
}

func iconFreeze(p *pad, at geom.Vec2, c color.NRGBA) {
	for _, x := range []float64{-4, 4} {
		p.box(c, Rect{at[0] + (x-2.2)*p.s, at[1] - 8*p.s, at[0] + (x+2.2)*p.s, at[1] + 8*p.s}, 1)
	}
}

func iconPlay(p *pad, at geom.Vec2, c color.NRGBA) {
	p.fill(c, p.off(at, -5, -8), p.off(at, 8, 0), p.off(at, -5, 8))
}

func iconSnapshot(p *pad, at geom.Vec2, c color.NRGBA) {
	p.frame(c, Rect{at[0] - 10*p.s, at[1] - 6*p.s, at[0] + 10*p.s, at[1] + 8*p.s}, 3, 2.2)
	p.ring(c, p.off(at, 0, 1), 4, 2)
	p.line(c, 2.2, p.off(at, -4, -6), p.off(at, -2.5, -8.5), p.off(at, 2.5, -8.5), p.off(at, 4, -6))
}
