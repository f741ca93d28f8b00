package assets

import _ "embed"

//go:embed models/facefinder
var faceFinder []byte

// FaceFinder is the cascade of decision trees that finds faces: github.com/esimov/pigo's, under the MIT license; the
// method is N. Markuš et al., Object Detection with Pixel Intensity Comparisons Organized in Decision Trees (2014).
func FaceFinder() []byte { return faceFinder }
