package desk

import "image/color"

// The palette: a dark control room. Colour is kept for what matters.
var (
	ground   = color.NRGBA{9, 12, 17, 255}
	surface  = color.NRGBA{17, 22, 30, 255}
	raised   = color.NRGBA{28, 36, 47, 255}
	hovered  = color.NRGBA{40, 51, 66, 255}
	hairline = color.NRGBA{255, 255, 255, 24}
	bright   = color.NRGBA{240, 245, 250, 255}
	muted    = color.NRGBA{163, 176, 191, 255}
	dim      = color.NRGBA{116, 129, 145, 255}
	accent   = color.NRGBA{56, 166, 255, 255}
	onAccent = color.NRGBA{4, 18, 32, 255}
	green    = color.NRGBA{61, 220, 132, 255}
	amber    = color.NRGBA{255, 183, 43, 255}
	red      = color.NRGBA{255, 77, 77, 255}
	redBox   = color.NRGBA{150, 26, 32, 255}
	redBar   = color.NRGBA{160, 24, 30, 255}
	glass    = color.NRGBA{12, 16, 22, 224}
	trend    = color.NRGBA{92, 200, 255, 255}
)

// Palette is the colours that marks can have, the first by default.
var Palette = [6]string{"#ffb72b", "#3ddc84", "#5cc8ff", "#ff5db1", "#ff4d4d", "#f0f5fa"}

func faded(c color.NRGBA, a float64) color.NRGBA {
	c.A = uint8(float64(c.A)*max(0, min(1, a)) + 0.5)
	return c
}
