package scene

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"sightline/devices"
	"sightline/vision"
	"sightline/vision/geom"
)

// statusSize is the text of the status line.
const statusSize = 18

// status draws the tracker's state in words: quietly while marks hold, in the middle when they do not.
func (s *stage) status() {
	if !s.in.Status {
		return
	}
	p, e := s.pen, s.in.Estimate
	words, c, background := "Tracking", green, glass
	quiet := e.State == vision.Tracking
	switch e.State {
	case vision.Tracking:
		if e.Reason != "" {
			words, c = "Tracking: "+e.Reason, amber
		}
	case vision.Lost:
		words, c, background = "Lost: "+first(e.Reason, "look back at what was in view"), white, redBar
	default:
		words, c = "Initializing: "+first(e.Reason, "move sideways slowly"), amber
		if holding := e.Posed() && s.anyPlaced(); holding {
			words, quiet = "Holding by picture motion; "+first(e.Reason, "move sideways to anchor"), true
		}
	}
	words = p.clip(words, statusSize, true, p.width-80*p.s)
	r := p.pillRect(0, 0, words, statusSize, true, true)
	x, y := 12*p.s, 10*p.s+(r.y1-r.y0)/2
	if !quiet {
		x = (p.width - r.x1) / 2
	}
	p.taken = append(p.taken, p.pill(x, y, words, statusSize, true, c, background))
}

// anyPlaced says whether a mark has its place in the world of the estimate.
func (s *stage) anyPlaced() bool {
	for i := range s.in.Marks {
		if unplaced(&s.in.Marks[i], s.in.Estimate) == "" {
			return true
		}
	}
	return false
}

// edges draws an arrow at the rim of the picture for each mark that is outside of it.
func (s *stage) edges() {
	var taken []geom.Vec2
	for i, m := range s.builder.marks {
		if m.State != Outside {
			continue
		}
		c := s.in.Estimate.PoseCW.Apply(s.in.Marks[i].Anchor.Points[0].P)
		d := geom.Vec2{c[0], c[1]}
		if n := d.Norm(); n < 1e-9 {
			d = geom.Vec2{0, 1} // straight behind: turn round
		} else {
			d = d.Scale(1 / n)
		}
		at := s.rim(d)
		for range 8 { // those that point the same way stand side by side
			clash := false
			for _, t := range taken {
				clash = clash || t.Sub(at).Norm() < 40*s.pen.s
			}
			if !clash {
				break
			}
			at = at.Add(geom.Vec2{-d[1], d[0]}.Scale(42 * s.pen.s))
		}
		taken = append(taken, at)
		s.keepOff(at, 22)
		s.chevron(at, d, Colour(s.in.Marks[i].Mark.Colour))
	}
}

// rim is where a ray from the middle of the picture meets a frame a little inside of its edge.
func (s *stage) rim(d geom.Vec2) geom.Vec2 {
	inset := 30 * s.pen.s
	hw, hh := max(1, s.view.Width/2-inset), max(1, s.view.Height/2-inset)
	t := min(hw/max(1e-9, math.Abs(d[0])), hh/max(1e-9, math.Abs(d[1])))
	middle := geom.Vec2{s.view.Left + s.view.Width/2, s.view.Top + s.view.Height/2}
	return middle.Add(d.Scale(t))
}

func (s *stage) chevron(at, d geom.Vec2, c color.NRGBA) {
	p := s.pen
	n := geom.Vec2{-d[1], d[0]}
	pt := func(along, across float64) geom.Vec2 {
		return at.Add(d.Scale(along * p.s)).Add(n.Scale(across * p.s))
	}
	p.disc(color.NRGBA{12, 16, 22, 190}, at, 21, 0)
	p.fill(c, 1.6, pt(16, 0), pt(-10, 13), pt(-4, 0), pt(-10, -13))
}

// pointers draws the laser pointers of the participants.
func (s *stage) pointers() {
	p := s.pen
	for i := range s.in.Pointers {
		q := &s.in.Pointers[i]
		if q.Off || q.Valid() != nil {
			continue
		}
		sx, sy := float64(s.in.Frame.X)/float64(q.Width), float64(s.in.Frame.Y)/float64(q.Height)
		at := s.view.ToViewport(geom.Vec2{(q.Pixel[0]+0.5)*sx - 0.5, (q.Pixel[1]+0.5)*sy - 0.5})
		if !s.view.Contains(at) {
			continue
		}
		c := Colour(q.Colour)
		p.disc(faded(c, 0.25), at, 15, 0)
		p.ring(c, at, 11, 2.5, 1.2)
		p.disc(white, at, 4, 1.2)
		s.author(at.Add(geom.Vec2{0, 17 * p.s}), geom.Vec2{0, 1}, q.Name, c)
	}
}

// alarms draws a bar for each alarm whose panel is not on screen: nobody misses one by looking away.
func (s *stage) alarms() {
	p := s.pen
	y := 10 * p.s
	if s.in.Status {
		y += 38 * p.s
	}
	shown := 0
	for i := range s.in.Machines {
		m := &s.in.Machines[i]
		if s.shownPanels[m.Machine.Name] {
			continue
		}
		for _, t := range m.Tags {
			if t.Reading.Alarm == "" || t.Reading.Quality == devices.Stale || shown == maxAlarms {
				continue
			}
			def := m.Machine.Tags[t.Reading.Tag]
			words := fmt.Sprintf("%s: %s %s %s, %s", first(m.Machine.Title, m.Machine.Name), first(def.Title, t.Reading.Tag),
				Value(t.Reading), first(t.Reading.Unit, def.Unit), strings.ToLower(alarmWord(t.Reading.Alarm)))
			words = p.clip(words, 16, true, p.width*0.6)
			h := 16 * 1.72 * p.s
			p.pill(12*p.s, y+h/2, words, 16, true, white, redBar)
			y += h + 6*p.s
			shown++
		}
	}
}

// maxAlarms is how many alarm bars there may be at once.
const maxAlarms = 4

// notices draws the lines at the foot, and over them which marks are hidden and why.
func (s *stage) notices() {
	p := s.pen
	y := p.height - 12*p.s
	for i := len(s.in.Notices) - 1; i >= 0; i-- {
		n := s.in.Notices[i]
		c, background := color.NRGBA{}, glass
		switch n.Level {
		case Warning:
			c = amber
		case Urgent:
			c, background = white, redBar
		}
		words := p.clip(n.Text, statusSize, n.Level != Info, p.width-60*p.s)
		r := p.pillRect(0, 0, words, statusSize, n.Level != Info, c.A > 0)
		h := r.y1 - r.y0
		p.taken = append(p.taken, p.pill((p.width-r.x1)/2, y-h/2, words, statusSize, n.Level != Info, c, background))
		y -= h + 6*p.s
	}
	if s.in.Status {
		s.hiddenNote(y)
	}
}

// hiddenNote says how many marks are hidden, and why where it is one reason.
func (s *stage) hiddenNote(y float64) {
	count, reason, same := 0, "", true
	for _, m := range s.builder.marks {
		if m.State == Hidden {
			same = same && (count == 0 || m.Reason == reason)
			reason = m.Reason
			count++
		}
	}
	if count == 0 {
		return
	}
	words := fmt.Sprintf("%d marks hidden", count)
	if count == 1 {
		words = "1 mark hidden"
	}
	if same {
		words += ": " + reason
	}
	p := s.pen
	words = p.clip(words, 15, false, p.width*0.7)
	h := 15 * 1.72 * p.s
	p.taken = append(p.taken, p.pill(12*p.s, y-h/2, words, 15, false, muted, glass))
}
