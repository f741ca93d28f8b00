package eye

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"sightline/annotate"
	"sightline/relay/wire"
	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/track"
)

// TestLongestStrokeFits wants the place of the longest stroke to fit into a message.
func TestLongestStrokeFits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := track.Placement{State: track.Placed, Map: "abcdef/w12-metres"}
	for range annotate.MaxPoints {
		v := func() geom.Vec3 { return geom.Vec3{-rng.Float64() * 10, -rng.Float64(), -rng.Float64() * 1e-3} }
		n := v()
		p.Points = append(p.Points, track.Point{Spot: geom.Spot{P: v(), Cov: geom.Outer(n, v()).Scale(-1e-5), Doubt: rng.Float64(), Off: v()}, Normal: n.Unit()})
	}
	body, err := json.Marshal(toAnchor(p, 1<<40))
	if err != nil || len(body) > wire.MaxMessage-1024 {
		t.Errorf("%d bytes, %v; at most %d go", len(body), err, wire.MaxMessage)
	}
}

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		v    float64
		n    int
		want float64
	}{{123456, 3, 123000}, {-0.00123456, 3, -0.00123}, {0, 3, 0}, {9.9999, 2, 10}, {1, 7, 1}} {
		if got := figures(c.v, c.n); math.Abs(got-c.want) > 1e-12*math.Abs(c.want) {
			t.Errorf("figures(%g, %d) = %g, want %g", c.v, c.n, got, c.want)
		}
	}
	if !math.IsNaN(figures(math.NaN(), 3)) || !math.IsInf(figures(math.Inf(1), 3), 1) {
		t.Error("what is no number became one")
	}
}

// TestPixels scales from a smaller picture: the corners of the pictures coincide, not the pixels' centres.
func TestPixels(t *testing.T) {
	m := annotate.Mark{Points: []geom.Vec2{{-0.5, -0.5}, {159.5, 119.5}, {319.5, 239.5}}, Width: 320, Height: 240}
	got := pixels(m, camera.FromFOV(640, 480, 1))
	for i, want := range []geom.Vec2{{-0.5, -0.5}, {319.5, 239.5}, {639.5, 479.5}} {
		if got[i].Sub(want).Norm() > 1e-9 {
			t.Errorf("point %d at %v, want %v", i, got[i], want)
		}
	}
}

// TestOnMarker wants a pin's normal to look at who reads the marker: corners run clockwise there.
func TestOnMarker(t *testing.T) {
	p := onMarker([4]geom.Vec3{{-1, -1, 5}, {1, -1, 5}, {1, 1, 5}, {-1, 1, 5}})
	if p.P != (geom.Vec3{0, 0, 5}) || p.Normal != (geom.Vec3{0, 0, -1}) {
		t.Errorf("at %v with normal %v, want 0 0 5 and towards the camera", p.P, p.Normal)
	}
}
