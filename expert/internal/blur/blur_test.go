package blur

import (
	"image"
	"math/rand/v2"
	"testing"
)

// A face that is found now and then on its way is hidden all the way, and a while before and after.
func TestTracks(t *testing.T) {
	at := func(x int) image.Rectangle { return image.Rect(x, 100, x+80, 180) }
	var looks []look
	for i := range 20 {
		l := look{at: int64(i) * every}
		if i != 5 && i != 6 && i != 12 { // missed
			l.boxes = append(l.boxes, at(20*i))
		}
		if i == 3 {
			l.boxes = append(l.boxes, image.Rect(500, 20, 530, 50)) // somebody else, once
		}
		looks = append(looks, l)
	}
	x := &Index{tracks: link(looks)}
	if x.Faces() != 2 {
		t.Fatalf("%d faces, want 2", x.Faces())
	}
	for us := int64(-around); us <= 19*every+around; us += 10_000 {
		want := at(int(20 * max(0, min(us, 19*every)) / every))
		hidden := false
		for _, b := range x.Boxes(us) {
			hidden = hidden || want.In(b)
		}
		if !hidden {
			t.Fatalf("at %d µs the face at %v is not within %v", us, want, x.Boxes(us))
		}
	}
	if b := x.Boxes(19*every + around + 1); len(b) != 0 {
		t.Errorf("long after: %v", b)
	}
	if (*Index)(nil).Boxes(0) != nil {
		t.Error("of no index there are boxes")
	}
}

// What is hidden has no detail left, and nothing else changes; boxes may be anywhere.
func TestHide(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		w, h := 2+random.IntN(200), 2+random.IntN(200)
		p := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
		for i := range p.Y {
			p.Y[i] = uint8(random.IntN(256))
		}
		before := append([]uint8{}, p.Y...)
		box := image.Rect(random.IntN(300)-50, random.IntN(300)-50, random.IntN(300)-50, random.IntN(300)-50)
		Hide(p, []image.Rectangle{box})
		for y := range h {
			for x := range w {
				if !image.Pt(x, y).In(box) && p.Y[y*p.YStride+x] != before[y*p.YStride+x] {
					t.Fatalf("%v of %dx%d: %d, %d is outside and changed", box, w, h, x, y)
				}
			}
		}
		levels := map[uint8]bool{}
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				if x >= 0 && y >= 0 && x < w && y < h {
					levels[p.Y[y*p.YStride+x]] = true
				}
			}
		}
		if len(levels) > (cells+2)*(cells+2) {
			t.Fatalf("%v of %dx%d: %d levels are left", box, w, h, len(levels))
		}
	}
}
