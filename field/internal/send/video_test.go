package send

import (
	"fmt"
	"image"
	"log/slog"
	"slices"
	"testing"

	"sightline/devices"
	"sightline/devices/media"
	"sightline/devices/sim"
	"sightline/field/internal/capture"
)

// kept is a track that keeps what it was given.
type kept struct {
	units    [][]byte
	captured []int64
}

func (k *kept) WriteFrame(annexB []byte, captured int64) error {
	k.units, k.captured = append(k.units, annexB), append(k.captured, captured)
	return nil
}

// pictures are so many of a walk round the plant.
func pictures(t testing.TB, width, height, n int) (out []*image.YCbCr) {
	t.Helper()
	w, err := sim.NewWorld(sim.Options{Seed: 3, Motion: sim.Walk, Width: width, Height: height})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		out = append(out, w.Picture(i))
	}
	return out
}

// widths decodes what a track was given, and returns how wide each picture is.
func widths(t *testing.T, k *kept) (out []int) {
	t.Helper()
	d, err := media.NewDecoder("video/H264", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i, u := range k.units {
		pictures, err := d.Decode(u, k.captured[i])
		if err != nil {
			t.Fatalf("picture %d: %v", i, err)
		}
		for _, p := range pictures {
			if p.Tag != k.captured[i] || p.Damaged {
				t.Errorf("picture %d is named %d, damaged %v", i, p.Tag, p.Damaged)
			}
			out = append(out, p.Picture.Rect.Dx())
			p.Release()
		}
	}
	return out
}

// The sizes that are wanted are sent, each decodable from where it begins, and the largest of them is recorded.
func TestSizes(t *testing.T) {
	v := NewVideo(30, slog.New(slog.DiscardHandler), 800_000, 200_000, 60_000)
	var record kept
	v.Record = func(annexB []byte, captured int64) { _ = record.WriteFrame(annexB, captured) }
	sizes := map[int]image.Point{}
	v.OnSize = func(i int, size image.Point) { sizes[i] = size }
	tracks := []*kept{{}, {}, {}}
	all := pictures(t, 320, 240, 12)
	for i, p := range all {
		switch i {
		case 4: // nobody takes the smallest, and the whole is too much
			v.SetBitRate(0, 0)
			v.SetBitRate(2, 0)
		case 8:
			v.SetBitRate(0, 900_000)
		}
		f := capture.Frame{Frame: devices.Frame{Picture: p, Captured: int64(1000 + i)}}
		if err := v.frame(f, []VideoTrack{tracks[0], tracks[1], tracks[2]}); err != nil {
			t.Fatal(err)
		}
	}
	four := func(widths ...int) (out []int) {
		for _, w := range widths {
			out = append(out, w, w, w, w)
		}
		return out
	}
	for i, want := range [][]int{four(320, 320), four(160, 160, 160), four(80)} {
		if got := widths(t, tracks[i]); !slices.Equal(got, want) {
			t.Errorf("size %d: pictures of %v, want %v", i, got, want)
		}
	}
	if got, want := widths(t, &record), four(320, 160, 320); !slices.Equal(got, want) {
		t.Errorf("recorded: pictures of %v, want %v", got, want)
	}
	if want := map[int]image.Point{0: {320, 240}, 1: {160, 120}, 2: {80, 60}}; fmt.Sprint(sizes) != fmt.Sprint(want) {
		t.Errorf("sizes %v, want %v", sizes, want)
	}
	for _, s := range v.sizes {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkSizes measures one picture of 720p: the whole alone at 2.5 Mbit/s, and with the smaller sizes.
func BenchmarkSizes(b *testing.B) {
	all := pictures(b, 1280, 720, 30)
	for n := 1; n <= 3; n++ {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := NewVideo(30, slog.New(slog.DiscardHandler), []int{2_500_000, 690_000, 172_000}[:n]...)
			tracks := []VideoTrack{&kept{}, &kept{}, &kept{}}
			i := 0
			for b.Loop() {
				if err := v.frame(capture.Frame{Frame: devices.Frame{Picture: all[i%len(all)], Captured: int64(i)}}, tracks); err != nil {
					b.Fatal(err)
				}
				i++
			}
			for _, s := range v.sizes {
				_ = s.close()
			}
		})
	}
}
