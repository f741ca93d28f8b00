package media

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/bluenviron/mediacommon/v2/pkg/codecs/h264"

	"sightline/devices/sim"
)

// movingPicture draws frame n of a textured picture that drifts, with a bright disc that crosses it and
// black and white corners that use the whole range.
func movingPicture(width, height, n int) *image.YCbCr {
	p := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	cx, cy := float64((n*5)%width), float64(height)/2+float64(height)/4*math.Sin(float64(n)/9)
	for y := range height {
		for x := range width {
			v := 128 + 60*math.Sin(float64(x+2*n)/13)*math.Cos(float64(y+n)/17) + 20*math.Sin(float64(x*y)/900)
			if math.Hypot(float64(x)-cx, float64(y)-cy) < 30 {
				v = 235
			}
			p.Y[y*p.YStride+x] = uint8(v)
		}
	}
	for y := range (height + 1) / 2 {
		for x := range (width + 1) / 2 {
			p.Cb[y*p.CStride+x] = uint8(128 + 50*math.Sin(float64(x+n)/40))
			p.Cr[y*p.CStride+x] = uint8(128 + 50*math.Cos(float64(y-n)/40))
		}
	}
	for y := range 32 {
		for x := range 32 {
			p.Y[y*p.YStride+x] = 0
			p.Y[(height-1-y)*p.YStride+width-1-x] = 255
		}
	}
	return p
}

// psnr compares luma, in dB.
func psnr(a, b *image.YCbCr) float64 {
	var sum float64
	for y := range a.Rect.Dy() {
		for x := range a.Rect.Dx() {
			d := float64(a.Y[y*a.YStride+x]) - float64(b.Y[y*b.YStride+x])
			sum += d * d
		}
	}
	return 10 * math.Log10(255*255*float64(a.Rect.Dx()*a.Rect.Dy())/max(sum, 1e-9))
}

func newEncoder(t testing.TB, c EncoderConfig) *H264Encoder {
	t.Helper()
	e, err := NewH264Encoder(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func newDecoder(t testing.TB) *Decoder {
	t.Helper()
	d, err := NewDecoder("video/H264", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestRoundTrip encodes a moving picture and gets each one back from its own access unit, under its own
// name, with the range of brightness it had.
func TestRoundTrip(t *testing.T) {
	const width, height = 320, 240
	e := newEncoder(t, EncoderConfig{Width: width, Height: height, FPS: 30, BitRate: 2_000_000})
	d := newDecoder(t)
	for n := range 60 {
		src := movingPicture(width, height, n)
		au, key, err := e.Encode(src)
		if err != nil {
			t.Fatal(err)
		}
		if key != (n == 0) {
			t.Errorf("frame %d: key frame %v", n, key)
		}
		captured := int64(1_700_000_000_000_000 + n*33_333)
		got, err := d.Decode(au, captured)
		if err != nil || len(got) != 1 {
			t.Fatalf("frame %d: %d pictures, error %v; want the unit's own", n, len(got), err)
		}
		if got[0].Tag != captured || got[0].Damaged {
			t.Errorf("frame %d: captured %d, want %d; damaged %v", n, got[0].Tag, captured, got[0].Damaged)
		}
		if q := psnr(src, got[0].Picture); q < 32 {
			t.Errorf("frame %d: %.1f dB, want at least 32", n, q)
		}
		if black := got[0].Picture.Y[10*got[0].Picture.YStride+10]; black > 6 {
			t.Errorf("frame %d: black came back as %d", n, black)
		}
		got[0].Release()
	}
}

// TestKeyFrameOnDemand also pins that the parameter sets tell of the full range and of no delay.
func TestKeyFrameOnDemand(t *testing.T) {
	e := newEncoder(t, EncoderConfig{Width: 160, Height: 128, FPS: 30})
	for n := range 12 {
		if n == 7 {
			e.ForceKeyFrame()
		}
		au, key, err := e.Encode(movingPicture(160, 128, n))
		if err != nil {
			t.Fatal(err)
		}
		if want := n == 0 || n == 7; key != want {
			t.Errorf("frame %d: key frame %v, want %v", n, key, want)
		}
		if !key {
			continue
		}
		var sps h264.SPS
		nals(au, func(nal []byte) bool {
			if nal[0]&0x1f != nalSPS {
				return true
			}
			if err := sps.Unmarshal(nal); err != nil {
				t.Errorf("frame %d: parameter set: %v", n, err)
			}
			return false
		})
		if sps.VUI == nil || !sps.VUI.VideoFullRangeFlag || sps.VUI.MatrixCoefficients != 6 || sps.Width() != 160 || sps.Height() != 128 {
			t.Errorf("frame %d: parameter set %+v, want full range BT.601 of 160x128", n, sps)
		}
		if r := sps.VUI; r != nil && (r.BitstreamRestriction == nil || r.BitstreamRestriction.MaxNumReorderFrames != 0) {
			t.Errorf("frame %d: pictures may be reordered: %+v", n, r.BitstreamRestriction)
		}
	}
}

// TestBitRateFollows changes the target and measures what comes out over the second that follows.
func TestBitRateFollows(t *testing.T) {
	const width, height = 320, 240
	e := newEncoder(t, EncoderConfig{Width: width, Height: height, FPS: 30, BitRate: 1_500_000})
	var pictures []*image.YCbCr
	for n := range 30 {
		pictures = append(pictures, movingPicture(width, height, n))
	}
	var spent []int
	for _, target := range []int{1_500_000, 300_000, 1_500_000} {
		e.SetBitRate(target)
		bytes := 0
		for n := range 90 {
			k := n % (2*len(pictures) - 2) // there and back, without a jump
			au, _, err := e.Encode(pictures[min(k, 2*len(pictures)-2-k)])
			if err != nil {
				t.Fatal(err)
			}
			if len(au) == 0 && target > 1_000_000 {
				t.Errorf("frame %d was left out at %d bit/s", n, target)
			}
			if n >= 45 {
				bytes += len(au)
			}
		}
		spent = append(spent, bytes*8*30/45)
	}
	t.Logf("bit/s at targets 1.5 M, 300 k, 1.5 M: %v", spent)
	if spent[1] > 600_000 || spent[1] >= spent[0] || spent[2] <= spent[1] {
		t.Errorf("bit/s do not follow the target: %v", spent)
	}
}

func TestSizeChange(t *testing.T) {
	d := newDecoder(t)
	for i, size := range [][2]int{{320, 240}, {640, 480}, {176, 144}} {
		e := newEncoder(t, EncoderConfig{Width: size[0], Height: size[1]})
		au, _, err := e.Encode(movingPicture(size[0], size[1], 0))
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Decode(au, int64(i))
		if err != nil || len(got) != 1 || got[0].Picture.Rect.Dx() != size[0] || got[0].Picture.Rect.Dy() != size[1] {
			t.Fatalf("size %v: %d pictures, %v", size, len(got), err)
		}
		got[0].Release()
	}
}

// TestDamage loses and garbles units; the decoder says so and shows the next key frame whole.
func TestDamage(t *testing.T) {
	const width, height = 320, 240
	e, d := newEncoder(t, EncoderConfig{Width: width, Height: height}), newDecoder(t)
	rng := rand.New(rand.NewPCG(1, 2))
	complaints := 0
	for n := range 40 {
		if n == 30 {
			e.ForceKeyFrame()
		}
		src := movingPicture(width, height, n)
		au, _, err := e.Encode(src)
		if err != nil {
			t.Fatal(err)
		}
		if n >= 10 && n < 30 {
			for range 20 {
				au[4+rng.IntN(len(au)-4)] ^= byte(1 + rng.IntN(255))
			}
		}
		got, err := d.Decode(au, int64(n))
		if err != nil || len(got) == 1 && got[0].Damaged {
			complaints++
		}
		if n >= 30 && (err != nil || len(got) != 1 || got[0].Damaged || psnr(src, got[0].Picture) < 30) {
			t.Errorf("frame %d after the damage: %d pictures, error %v", n, len(got), err)
		}
		for _, g := range got {
			g.Release()
		}
	}
	if complaints < 10 {
		t.Errorf("%d of 20 garbled units were noticed", complaints)
	}
	if _, err := d.Decode(nil, 0); err == nil {
		t.Error("an empty unit gives no error")
	}
}

func TestEncoderRefuses(t *testing.T) {
	for _, c := range []EncoderConfig{{Width: 321, Height: 240}, {Width: 0, Height: 0}, {Width: 100000, Height: 100000}} {
		if _, err := NewH264Encoder(c); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
	e := newEncoder(t, EncoderConfig{Width: 320, Height: 240})
	if _, _, err := e.Encode(movingPicture(160, 128, 0)); err == nil {
		t.Error("a picture of another size is taken")
	}
	e.Close()
	if _, _, err := e.Encode(movingPicture(320, 240, 0)); err == nil {
		t.Error("a closed encoder encodes")
	}
	e.ForceKeyFrame()
	e.SetBitRate(1)
}

func FuzzDecode(f *testing.F) {
	e, err := NewH264Encoder(EncoderConfig{Width: 64, Height: 64})
	if err != nil {
		f.Fatal(err)
	}
	defer e.Close()
	first, _, _ := e.Encode(movingPicture(64, 64, 0))
	second, _, _ := e.Encode(movingPicture(64, 64, 1))
	f.Add(first)
	f.Add(second)
	f.Add(first[:len(first)/2])
	f.Add([]byte{0, 0, 1, 0x67})
	f.Fuzz(func(t *testing.T, au []byte) {
		d := newDecoder(t)
		for _, unit := range [][]byte{au, first, au} {
			got, _ := d.Decode(unit, 1)
			for _, g := range got {
				g.Release()
			}
		}
		hasKeyFrame(au)
		withFullRange(au)
		fullRangeSPS(au)
	})
}

var benchSizes = [][2]int{{640, 480}, {1280, 720}}

// BenchmarkEncode is one picture of a moving scene, one thread.
func BenchmarkEncode(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			e := newEncoder(b, EncoderConfig{Width: size[0], Height: size[1]})
			var pictures []*image.YCbCr
			for n := range 16 {
				pictures = append(pictures, movingPicture(size[0], size[1], n))
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if _, _, err := e.Encode(pictures[n%len(pictures)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode is one access unit to a picture in Go's memory, one thread.
func BenchmarkDecode(b *testing.B) {
	for _, size := range benchSizes {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			e, d := newEncoder(b, EncoderConfig{Width: size[0], Height: size[1], KeyInterval: 16, Whole: true}), newDecoder(b)
			var units [][]byte
			for n := range 16 {
				au, _, err := e.Encode(movingPicture(size[0], size[1], n))
				if err != nil {
					b.Fatal(err)
				}
				units = append(units, au)
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				got, err := d.Decode(units[n%len(units)], int64(n))
				if err != nil {
					b.Fatal(err)
				}
				for _, g := range got {
					g.Release()
				}
			}
		})
	}
}

// BenchmarkKeyInterval is what key frames cost: bits of a walk through the simulated plant at one quality, by the
// seconds between two of them.
func BenchmarkKeyInterval(b *testing.B) {
	const fps, length = 15, 8
	w, err := sim.NewWorld(sim.Options{Width: 1280, Height: 720, FPS: fps})
	if err != nil {
		b.Fatal(err)
	}
	var pictures []*image.YCbCr
	for i := range fps * length {
		pictures = append(pictures, w.Picture(i))
	}
	for _, seconds := range []int{4, 2, 1} {
		b.Run(fmt.Sprintf("%ds", seconds), func(b *testing.B) {
			bits := 0
			for b.Loop() {
				e := newEncoder(b, EncoderConfig{Width: 1280, Height: 720, FPS: fps, KeyInterval: seconds * fps, Whole: true})
				for _, p := range pictures {
					au, _, err := e.Encode(p)
					if err != nil {
						b.Fatal(err)
					}
					bits += 8 * len(au)
				}
			}
			b.ReportMetric(float64(bits)/float64(b.N)/length/1000, "kbit/s")
		})
	}
}
