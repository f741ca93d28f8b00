package mapping

import (
	"testing"

	"sightline/vision/geom"
)

// A place is believed to be one left before only where the map may have drifted so far since.
func TestOnlyAPlausibleDriftClosesALoop(t *testing.T) {
	w := &world{points: map[FeatureID]Landmark{1: {P: geom.Vec3{0, 0, 3}}, 2: {P: geom.Vec3{1, 0, 3}}}}
	for i := range 20 { // 4 m to the side and back, 3 m from what is seen
		x := 0.4 * float64(min(i, 20-i))
		w.frames = append(w.frames, &Keyframe{PoseCW: geom.Pose{R: geom.Identity3, T: geom.Vec3{-x, 0, 0}}})
	}
	for _, q := range []struct {
		what string
		by   geom.Similarity
		want bool
	}{
		{"a drift of 20 cm", geom.Similarity{S: 1.02, R: geom.ExpSO3(geom.Vec3{0, 0.02, 0}), T: geom.Vec3{0.2, 0, 0}}, true},
		{"a place 3 m further", geom.Similarity{S: 1, R: geom.Identity3, T: geom.Vec3{3, 0, 0}}, false},
		{"a place turned by 20 degrees", geom.Similarity{S: 1, R: geom.ExpSO3(geom.Vec3{0, 0.35, 0})}, false},
		{"a place of twice the size", geom.Similarity{S: 2, R: geom.Identity3}, false},
	} {
		if got := w.plausible(q.by, 0); got != q.want {
			t.Errorf("%s: plausible %v, want %v", q.what, got, q.want)
		}
	}
}
