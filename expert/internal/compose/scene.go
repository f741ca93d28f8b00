package compose

import (
	"image/color"
	"time"

	"sightline/annotate/scene"
	"sightline/annotate/typeset"
	"sightline/expert/internal/tape"
	"sightline/vision/geom"
)

// Scene is what was to be seen of one frame of a tape: the marks of its camera as they stood when it was
// captured, drawn by the pose of that very frame, with the machines' values of that instant and what was
// being said.
func (c *Composer) Scene(t *tape.Tape, cam *tape.Camera, s tape.Shot) scene.Input {
	in := c.Blank(t, s.Session)
	in.Status = true
	if pose, ok := t.Pose(cam.Participant, s.Captured); ok {
		in.Camera, in.Estimate = pose.Camera, pose.Estimate(s.Captured)
	}
	for _, e := range t.Marks(s.Session) {
		if e.Mark.Camera == cam.Participant {
			in.Marks = append(in.Marks, e)
		}
	}
	return in
}

// Blank is the scene of an instant without a picture: the machines' values and what was being said.
func (c *Composer) Blank(t *tape.Tape, session int64) scene.Input {
	size := c.Size()
	return scene.Input{Width: float64(size.X), Height: float64(size.Y), Frame: size, Machines: t.Machines(session), Now: t.UTC(session),
		Notices: c.said(t, session)}
}

// The time that words stand: a moment, and more for longer ones.
const (
	standing = 2500 * time.Millisecond
	perRune  = 60 * time.Millisecond
	longest  = 8 * time.Second
)

// Stands is how long words are to be read, µs.
func Stands(text string) int64 {
	return min(standing+time.Duration(len([]rune(text)))*perRune, longest).Microseconds()
}

// noticeSize is the text of a scene's notices, in units of its scale.
const noticeSize = 18

// said are the last words that still stand at an instant, two at most, in lines that fit.
func (c *Composer) said(t *tape.Tape, session int64) []scene.Notice {
	w, h := float64(c.Size().X), float64(c.Size().Y)
	scale := Scale(h)
	var out []scene.Notice
	for _, words := range t.Said(session) {
		if session >= words.At+Stands(words.Text) {
			continue
		}
		for _, line := range c.faces.Wrap(words.Name+": "+words.Text, noticeSize*scale, false, w-90*scale, 3) {
			out = append(out, scene.Notice{Text: line})
		}
	}
	return out
}

// Scale is the size of text and symbols on a picture of that height, as a scene has it.
func Scale(height float64) float64 { return max(0.75, min(3, height/480)) }

// Sign is a red plate with words in the top right corner.
func (c *Composer) Sign(words string) []scene.Item {
	s, w := Scale(float64(c.Size().Y)), float64(c.Size().X)
	const size = 15
	length, _ := c.faces.Measure(words, size*s, true)
	x, y, h := w-length-30*s, 10*s, 26*s
	return []scene.Item{
		{Kind: scene.Fill, Points: []geom.Vec2{{x, y}, {w - 10*s, y}, {w - 10*s, y + h}, {x, y + h}}, Colour: color.NRGBA{190, 24, 32, 255}},
		{Kind: scene.Text, Points: []geom.Vec2{{x + 10*s, y + h/2 + typeset.CapHeight(size*s)/2}}, Text: words, Size: size * s, Bold: true, Colour: white},
	}
}

// Card is a plate with a title and a reason, where there is no picture.
func (c *Composer) Card(title, reason string) []scene.Item {
	s, w, h := Scale(float64(c.Size().Y)), float64(c.Size().X), float64(c.Size().Y)
	var out []scene.Item
	line := func(text string, size, y float64, bold bool, c2 color.NRGBA) {
		length, _ := c.faces.Measure(text, size*s, bold)
		out = append(out, scene.Item{Kind: scene.Text, Points: []geom.Vec2{{(w - length) / 2, y}}, Text: text, Size: size * s, Bold: bold, Colour: c2})
	}
	line(title, 24, h/2-6*s, true, white)
	for i, text := range c.faces.Wrap(reason, 15*s, false, w-80*s, 3) {
		line(text, 15, h/2+(22+22*float64(i))*s, false, color.NRGBA{176, 187, 199, 255})
	}
	return out
}

var white = color.NRGBA{246, 249, 252, 255}
