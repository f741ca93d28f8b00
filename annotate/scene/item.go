package scene

import (
	"image/color"
	"math"
	"strconv"

	"sightline/vision/geom"
)

// Kind is what an item of a display list is.
type Kind uint8

// The kinds. What Points mean stands beside each.
const (
	Fill Kind = iota // the corners of a polygon, filled by the non-zero rule
	Line             // the points of a stroke of Width px, with round caps and joints
	Disc             // the centre of a filled circle of Radius px
	Ring             // the centre of a circle of Radius px, stroked Width px wide
	Text             // the left end of the baseline of a line of text
)

// Item is one thing to draw, in pixels of the viewport: x right, y down, the top left corner at 0, 0 and
// the first pixel's centre at 0.5, 0.5. Items are drawn in order, each over those before it.
type Item struct {
	Kind   Kind
	Points []geom.Vec2
	Closed bool // a Line comes back to its first point
	Radius float64
	Width  float64
	// Halo is how far an outline of HaloColour stands out on every side, drawn first; 0 is none. Text
	// has none.
	Halo   float64
	Colour color.NRGBA
	Text   string
	Size   float64 // of text, in pixels
	Bold   bool
}

// HaloColour is the outline that keeps marks legible on any background; its alpha is the item's times
// its own.
var HaloColour = color.NRGBA{8, 11, 16, 215}

// HaloOf returns the colour of an item's halo.
func HaloOf(i Item) color.NRGBA { return faded(HaloColour, float64(i.Colour.A)/255) }

// cornerSteps is how many straight pieces make a rounded corner.
const cornerSteps = 6

// Rounded appends the outline of a rectangle with round corners to a list of points, clockwise on screen.
func Rounded(to []geom.Vec2, x0, y0, x1, y1, radius float64) []geom.Vec2 {
	radius = max(0, min(radius, (x1-x0)/2, (y1-y0)/2))
	if radius == 0 {
		return append(to, geom.Vec2{x0, y0}, geom.Vec2{x1, y0}, geom.Vec2{x1, y1}, geom.Vec2{x0, y1})
	}
	for q, c := range [4]geom.Vec2{{x1 - radius, y0 + radius}, {x1 - radius, y1 - radius}, {x0 + radius, y1 - radius}, {x0 + radius, y0 + radius}} {
		for i := range cornerSteps + 1 {
			sin, cos := math.Sincos(math.Pi / 2 * (float64(q) - 1 + float64(i)/cornerSteps))
			to = append(to, geom.Vec2{c[0] + radius*cos, c[1] + radius*sin})
		}
	}
	return to
}

// The palette: calm on dark glass, with colour kept for what matters.
var (
	glass  = color.NRGBA{12, 16, 22, 208}
	edge   = color.NRGBA{255, 255, 255, 38}
	white  = color.NRGBA{246, 249, 252, 255}
	muted  = color.NRGBA{176, 187, 199, 255}
	dim    = color.NRGBA{128, 138, 150, 255}
	green  = color.NRGBA{61, 220, 132, 255}
	amber  = color.NRGBA{255, 183, 43, 255}
	red    = color.NRGBA{255, 69, 69, 255}
	trend  = color.NRGBA{92, 200, 255, 255}
	redBar = color.NRGBA{196, 32, 38, 240}
)

// faded returns a colour with its alpha times a.
func faded(c color.NRGBA, a float64) color.NRGBA {
	c.A = uint8(float64(c.A)*max(0, min(1, a)) + 0.5)
	return c
}

// Colour reads #rrggbb; anything else is the amber that a mark has by default.
func Colour(s string) color.NRGBA {
	if len(s) == 7 && s[0] == '#' {
		if v, err := strconv.ParseUint(s[1:], 16, 32); err == nil {
			return color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}
		}
	}
	return amber
}
