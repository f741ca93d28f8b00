package sfu

import (
	"slices"
	"testing"

	"sightline/relay/wire"
)

// A receiver that says how large it shows a picture, in pixels, gets the size that is enough for it, and nothing of
// one that it does not show; its own wishes are never told as a want of its link.
func TestAReceiverGetsWhatItShows(t *testing.T) {
	s := newSized()
	s.ups[0].width.Store(1280)
	s.ups[1].width.Store(640)
	s.play(60, true)
	out := &written{}
	d := testDown(out)
	d.link.Now = s.layers.face.link.Now
	d.link.OnRung = func(_ *Up, rung string) { t.Errorf("told of rung %s", rung) }
	d.attach(s.layers.face)
	for _, step := range []struct {
		wish
		size  int // -1: nothing is sent
		takes []int
	}{
		{wish{}, 0, []int{1, 0}},
		{wish{width: 320}, 1, []int{0, 1}},
		{wish{width: 800}, 1, []int{0, 1}}, // a little larger than it is does not pay
		{wish{width: 801}, 0, []int{1, 0}},
		{wish{width: 320, most: wire.RungOff}, -1, []int{0, 0}},
		{wish{width: 3000}, 0, []int{1, 0}},
		{wish{most: wire.RungKeyFrames}, -1, nil},
		{wish{width: 100}, 1, []int{0, 1}},
	} {
		d.wants(step.wish)
		for range 3 {
			d.settle(10e6, s.now)
			d.follow()
			s.play(15, true)
		}
		from := len(out.headers)
		s.play(15, true)
		sizes := sizesOf(&written{headers: out.headers[from:], payloads: out.payloads[from:]})
		switch {
		case step.size < 0 && len(sizes) > 0:
			t.Errorf("%+v: %d packets", step.wish, len(sizes))
		case step.size >= 0 && (len(sizes) == 0 || slices.Contains(sizes, 1-step.size)):
			t.Errorf("%+v: sizes %v, want %d", step.wish, sizes, step.size)
		}
		if got := []int{len(s.ups[0].sinks), len(s.ups[1].sinks)}; step.takes != nil && !slices.Equal(got, step.takes) {
			t.Errorf("%+v: takes %v of the sizes, want %v", step.wish, got, step.takes)
		}
	}
	if takes, wants := func() (float64, float64) {
		d.wants(wish{most: wire.RungOff})
		d.settle(10e6, s.now)
		return d.settle(10e6, s.now)
	}(); takes+wants > 0 {
		t.Errorf("what is not seen takes %.0f bits per second and wants %.0f", takes, wants)
	}
}

func TestLower(t *testing.T) {
	for _, c := range [][3]string{{"full", "", "full"}, {"", "off", "off"}, {"small", "key-frames", "key-frames"}, {"off", "key-frames", "off"}, {"off", "off", "off"}} {
		if lower(c[0], c[1]) != c[2] || lower(c[1], c[0]) != c[2] {
			t.Errorf("the lower of %q and %q is %q and %q", c[0], c[1], lower(c[0], c[1]), lower(c[1], c[0]))
		}
	}
}
