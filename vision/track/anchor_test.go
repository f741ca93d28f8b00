package track

import (
	"math"
	"testing"

	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// A mark beside the picture is refused, and one that leaves it ends at its rim: nobody looks for surfaces out there.
func TestPlaceOutsideOfThePicture(t *testing.T) {
	tr := New(Config{Camera: camera.FromFOV(640, 480, 1)})
	tr.Place("far", 1, []geom.Vec2{{1e8, -1e8}, {700, 10}})
	tr.Place("none", 1, []geom.Vec2{{math.NaN(), 10}})
	for _, p := range tr.Placements() {
		if p.State != Refused || p.Reason != "it is outside of the picture: draw it again" {
			t.Errorf("%s is in state %d: %s", p.ID, p.State, p.Reason)
		}
	}
	tr.Place("over", 1, []geom.Vec2{{600, 100}, {1e8, -1e8}})
	if got := tr.anchors["over"].pixels; got[0] != (geom.Vec2{600, 100}) || got[1] != (geom.Vec2{639, 0}) {
		t.Errorf("a stroke that leaves the picture has the pixels %v", got)
	}
}

// What was measured for a mark that still waits goes along into the world that its own becomes part of.
func TestMeasuredMovesAlong(t *testing.T) {
	a := &anchor{measured: map[int]measurement{0: {Surface: mapping.Surface{Inv: 0.5, Var: 0.01}, unit: 1, world: "w2"},
		1: {Surface: mapping.Surface{Inv: 0.5}, unit: 1, world: "w3"}}}
	// What was two deep is four in the unit of the move, and three times that in the world it leads to.
	s := &mapping.Snapshot{World: "w1", Unit: 0.5}
	a.move(mapping.Move{From: "w2", Unit: 2, By: geom.Similarity{S: 3, R: geom.Identity3}}, s)
	m, ok := a.measuredIn(s, 0)
	if depth := 1 / m.Inv; !ok || math.Abs(depth-2*2*3) > 1e-9 {
		t.Errorf("a depth of 2 is %.3f, want 12", depth)
	}
	if _, ok := a.measuredIn(s, 1); ok {
		t.Error("a measurement of another world is taken for one of this")
	}
}
