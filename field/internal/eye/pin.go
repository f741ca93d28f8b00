package eye

import (
	"strings"

	"sightline/annotate"
	"sightline/relay/wire"
	"sightline/vision"
	"sightline/vision/geom"
	"sightline/vision/track"
)

// pinColour is the colour of the pins that the field client makes.
const pinColour = "#4cc2ff"

// pinID is the ID of the pin that hangs on a machine's marker.
func pinID(machine string) string {
	if machine == "" {
		return ""
	}
	return "pin-" + strings.ReplaceAll(machine, "/", "-")
}

// pinMachines makes a pin for each machine whose marker is seen and that has none, or one of a camera that
// is no longer here. One that somebody took away does not come back.
func (y *Eye) pinMachines(self wire.Participant, e vision.Estimate) {
	corners, world, _ := y.tracker.MarkersIn()
	if len(corners) == 0 || !e.Posed() || e.Map != world {
		return
	}
	for _, m := range y.cfg.Machines.Births() {
		id := pinID(m.Name)
		c, seen := corners[m.Marker]
		if !seen || m.MarkerSize <= 0 || y.asked[id] || !y.mayPin(id, m.Name, self.ID) {
			continue
		}
		_, px, ok := e.Project(middle(c), y.lens)
		if !ok || !y.lens.Contains(px, 0) {
			continue
		}
		_, err := y.cfg.Room.Publish(wire.KindMark, id, e.Captured, annotate.Mark{Author: self.Name, Colour: pinColour,
			Shape: annotate.Pin, Machine: m.Name, Camera: self.ID, Points: []geom.Vec2{px},
			Width: y.lens.Width, Height: y.lens.Height})
		if err != nil {
			y.cfg.Logger.Warn("a machine's pin was not published", "machine", m.Name, "err", err)
		}
		y.asked[id] = true
	}
}

func (y *Eye) mayPin(id, machine, self string) bool {
	for i := range y.entries {
		if e := &y.entries[i]; e.Mark.Shape == annotate.Pin && e.Mark.Machine == machine {
			return e.ID == id && e.Mark.Camera != self && !y.cfg.Machines.Online(e.Mark.Camera)
		}
	}
	return !y.cfg.Machines.Known(id)
}

// hang gives a pin the place of its machine's marker.
func (y *Eye) hang(m *mark, corners map[int][4]geom.Vec3, world string, metric bool) {
	a := annotate.Anchor{MarkTime: m.entry.Time, State: annotate.Waiting, Reason: "look at the machine's marker"}
	for _, b := range y.cfg.Machines.Births() {
		c, seen := corners[b.Marker]
		if b.Name != m.entry.Mark.Machine || !seen || b.MarkerSize <= 0 {
			continue
		}
		a.State, a.Reason, a.Map, a.Metric = annotate.Placed, "", world, metric
		a.Points = []annotate.AnchorPoint{onMarker(c)}
	}
	if m.anchor == nil || m.anchor.State != a.State || m.anchor.Map != a.Map ||
		a.State == annotate.Placed && m.anchor.Points[0].P != a.Points[0].P {
		m.anchor = &a
	}
}

// onMarker is the middle of a marker's square with its normal. Its error is taken as a hundredth of the
// side: corners are found to a tenth of a pixel, and a marker that is read is at least 30 pixels wide.
func onMarker(c [4]geom.Vec3) annotate.AnchorPoint {
	right, down := c[1].Sub(c[0]), c[3].Sub(c[0])
	sigma := right.Norm() / 100
	return point(track.Point{Spot: geom.Spot{P: middle(c), Cov: geom.Identity3.Scale(sigma * sigma)}, Normal: down.Cross(right).Unit()})
}

func middle(c [4]geom.Vec3) geom.Vec3 { return c[0].Add(c[1]).Add(c[2]).Add(c[3]).Scale(0.25) }
