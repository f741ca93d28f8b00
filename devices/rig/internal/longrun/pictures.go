package longrun

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// circle is the colour of Eva's circles, which nothing else has.
const circle = "#ff00ff"

// drawn is where the field drew Eva's circle in a frame, pixels of the camera.
type drawn struct{ u, v float64 }

// trace reads what the field drew, by frame.
func (s *session) trace() (map[int64]drawn, error) {
	circles := map[string]bool{}
	err := lines(s.path("eva.jsonl"), func(data []byte) error {
		var e struct{ Event, ID, Shape string }
		if json.Unmarshal(data, &e) == nil && e.Event == "mark" && e.Shape == "circle" {
			circles[e.ID] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := map[int64]drawn{}
	err = lines(s.path("tom.jsonl"), func(data []byte) error {
		var f struct {
			Captured int64
			Marks    []struct {
				ID, State string
				U, V      float64
			}
		}
		if json.Unmarshal(data, &f) != nil {
			return nil // an event
		}
		for _, m := range f.Marks {
			if circles[m.ID] && m.State == "shown" {
				out[f.Captured] = drawn{m.U, m.V}
			}
		}
		return nil
	})
	return out, err
}

func lines(path string, do func([]byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 4<<20)
	for in.Scan() {
		if err := do(in.Bytes()); err != nil {
			return err
		}
	}
	return in.Err()
}

// decode has FFmpeg decode a film and calls do with each picture and its time, seconds; filter is FFmpeg's, and
// size the bytes of a picture then.
func decode(ctx context.Context, film, filter, format string, size int, do func(at float64, picture []byte)) error {
	out, err := command(ctx, "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0", film)
	if err != nil {
		return err
	}
	var times []float64
	for word := range strings.FieldsSeq(strings.ReplaceAll(out, ",", " ")) {
		at, err := strconv.ParseFloat(word, 64)
		if err != nil {
			return err
		}
		times = append(times, at)
	}
	cmd := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-i", film, "-vf", filter, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", format, "-")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	in := bufio.NewReaderSize(pipe, 1<<20)
	picture := make([]byte, size)
	n := 0
	for ; ; n++ {
		if _, err = io.ReadFull(in, picture); err != nil {
			break
		}
		if n < len(times) {
			do(times[n], picture)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, cmd.Wait()); err == nil && n != len(times) {
		err = fmt.Errorf("%s: %d pictures at %d times", film, n, len(times))
	}
	return err
}

// sizeOf returns the size of a film's picture.
func sizeOf(ctx context.Context, film string) (w, h int, err error) {
	out, err := command(ctx, "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height", "-of", "csv=p=0", film)
	if err == nil {
		_, err = fmt.Sscanf(strings.TrimSpace(out), "%d,%d", &w, &h)
	}
	return w, h, err
}

// marks compares the film with what the field drew: in each picture, the middle of the circle with where the field had
// it in that very frame; and, to show what that tells, with where it had it in the next one. On a surface that is seen
// at a slant the middle of the drawn ring is a little off the circle's, in the field's picture as in the film's.
func (s *session) marks(ctx context.Context, t *Table) error {
	where, err := s.trace()
	if err != nil {
		return err
	}
	w, h, err := sizeOf(ctx, s.film("Tom"))
	if err != nil {
		return err
	}
	rows, err := s.frames("Tom")
	if err != nil {
		return err
	}
	frame := map[int]int{} // by milliseconds of the film
	for i, r := range rows {
		frame[int(math.Round(1000*r.film))] = i
	}
	var off, later []float64
	missed := 0
	err = decode(ctx, s.film("Tom"), "null", "rgb24", 3*w*h, func(at float64, picture []byte) {
		i, ok := -1, false
		for d := -1; d <= 1 && !ok; d++ {
			i, ok = frame[int(math.Round(1000*at))+d]
		}
		if !ok {
			return // a card
		}
		d, ok := where[rows[i].captured]
		if !ok || d.u < 0.12*float64(w) || d.u > 0.6*float64(w) || d.v < 0.25*float64(h) || d.v > 0.85*float64(h) {
			return // at the edge, or under what else is drawn
		}
		u, v, found := middle(picture, w, h, d)
		if !found {
			missed++
			return
		}
		off = append(off, math.Hypot(u-d.u, v-d.v))
		if i+1 < len(rows) {
			if n, ok := where[rows[i+1].captured]; ok {
				later = append(later, math.Hypot(u-n.u, v-n.v))
			}
		}
	})
	a, b := spreadOf(off), spreadOf(later)
	t.add("the mark in the film against where the field drew it in that frame", "%d pictures: %.1f px p50, %.1f px p95, %.1f px p99", len(off), a.p50, a.p95, a.p99)
	t.add("the same against the frame after", "%.1f px p50, %.1f px p95", b.p50, b.p95)
	t.add("pictures without the mark that the field drew", "%d, in which it was drawn before the relay knew its place", missed)
	t.want(len(off) > 20 && a.p95 < 4, "marks of the film are %.1f px off at p95 in %d pictures", a.p95, len(off))
	t.want(float64(missed) < 0.05*float64(len(off)), "%d pictures miss a mark", missed)
	return err
}

// around is how far from its middle a circle's line may be, pixels for each of the picture's width.
const around = 0.16

// middle is the middle of the circle near a place: between its leftmost and its rightmost points.
func middle(rgb []byte, w, h int, d drawn) (u, v float64, ok bool) {
	ring := largest(rgb, w, h, d)
	if len(ring) < 20 {
		return 0, 0, false
	}
	x0, x1 := w, -1
	for _, p := range ring {
		x0, x1 = min(x0, p.X), max(x1, p.X)
	}
	height := func(from, to int) float64 {
		sum, n := 0.0, 0.0
		for _, p := range ring {
			if p.X >= from && p.X <= to {
				sum, n = sum+float64(p.Y), n+1
			}
		}
		return sum / n
	}
	return float64(x0+x1) / 2, (height(x0, x0+1) + height(x1-1, x1)) / 2, true
}

// largest returns the pixels near a place that have the circle's colour and hang together, the most there are: the
// dot beside the author's name has that colour too.
func largest(rgb []byte, w, h int, d drawn) (best []image.Point) {
	r := int(around * float64(w))
	box := image.Rect(int(d.u)-r, int(d.v)-r, int(d.u)+r, int(d.v)+r).Intersect(image.Rect(0, 0, w, h))
	seen := map[image.Point]bool{}
	is := func(p image.Point) bool {
		if !p.In(box) || seen[p] {
			return false
		}
		c := rgb[3*(p.Y*w+p.X):]
		return c[0] > 150 && c[1] < 110 && c[2] > 150
	}
	for y := box.Min.Y; y < box.Max.Y; y++ {
		for x := box.Min.X; x < box.Max.X; x++ {
			var all []image.Point
			for next := []image.Point{{X: x, Y: y}}; len(next) > 0; next = next[1:] {
				p := next[0]
				if !is(p) {
					continue
				}
				seen[p] = true
				all = append(all, p)
				for _, to := range []image.Point{{X: 1}, {X: -1}, {Y: 1}, {Y: -1}} {
					next = append(next, p.Add(to))
				}
			}
			if len(all) > len(best) {
				best = all
			}
		}
	}
	return best
}
