package media

import (
	"image"
	"testing"
)

func TestHalve(t *testing.T) {
	whole := image.NewYCbCr(image.Rect(0, 0, 96, 70), image.YCbCrSubsampleRatio420)
	src := whole.SubImage(image.Rect(4, 2, 96, 68)).(*image.YCbCr) // 92x66: halves to 46x32, an even number
	for y := range 70 {
		for x := range 96 {
			whole.Y[whole.YOffset(x, y)] = byte(2*x + y)
			whole.Cb[whole.COffset(x, y)], whole.Cr[whole.COffset(x, y)] = byte(x), byte(200-y)
		}
	}
	dst := Halve(nil, src)
	if dst.Rect != image.Rect(0, 0, 46, 32) {
		t.Fatalf("%v", dst.Rect)
	}
	if Halve(dst, src) != dst {
		t.Error("a picture of the size is not used again")
	}
	for y := range 32 {
		for x := range 46 {
			if got, want := int(dst.Y[dst.YOffset(x, y)]), 2*(2*x+4)+1+2*y+2+1; got-want < -1 || got-want > 1 {
				t.Fatalf("luma at %d, %d: %d, want %d", x, y, got, want)
			}
		}
	}
	if a, b := int(dst.Cb[dst.COffset(10, 10)]), int(dst.Cr[dst.COffset(10, 10)]); a < 20 || a > 28 || b < 174 || b > 182 {
		t.Errorf("colour at 10, 10: %d, %d", a, b)
	}
}

func BenchmarkHalve(b *testing.B) {
	src := image.NewYCbCr(image.Rect(0, 0, 1280, 720), image.YCbCrSubsampleRatio420)
	dst := Halve(nil, src)
	for b.Loop() {
		Halve(dst, src)
	}
}
