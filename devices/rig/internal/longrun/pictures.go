package longrun

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// marks compares the film with what the field drew: in each picture, the middle of what has the circle's colour
// with where the field had it in that very frame; and, to show what that tells, with where it had it a frame later.
func (s *session) marks(ctx context.Context, t *Table) error {
	where, err := s.trace()
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
	size, err := command(ctx, "ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height", "-of", "csv=p=0", s.film("Tom"))
	if err != nil {
		return err
	}
	var w, h int
	if _, err := fmt.Sscanf(strings.TrimSpace(size), "%d,%d", &w, &h); err != nil {
		return err
	}
	var off, later []float64
	missed, wandered := 0, 0.0
	err = decode(ctx, s.film("Tom"), "null", "rgb24", 3*w*h, func(at float64, picture []byte) {
		i, ok := -1, false
		for d := -1; d <= 1 && !ok; d++ {
			i, ok = frame[int(math.Round(1000*at))+d]
		}
		if !ok {
			return // a card
		}
		d, ok := where[rows[i].captured]
		if !ok || d.u < 0.1*float64(w) || d.u > 0.7*float64(w) || d.v < 0.15*float64(h) || d.v > 0.85*float64(h) {
			return
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
				wandered += math.Hypot(n.u-d.u, n.v-d.v)
			}
		}
	})
	a, b := spreadOf(off), spreadOf(later)
	t.add("marks in the film against what the field drew in that frame", "%d pictures: %.1f px p50, %.1f px p95, %.1f px p99", len(off), a.p50, a.p95, a.p99)
	t.add("the same against the frame after", "%.1f px p50, %.1f px p95; the mark moved %.1f px from frame to frame", b.p50, b.p95, wandered/math.Max(1, float64(len(later))))
	t.add("pictures without the mark that the field drew", "%d", missed)
	t.want(len(off) > 20 && a.p95 < 4, "marks of the film are %.1f px off at p95 in %d pictures", a.p95, len(off))
	t.want(float64(missed) < 0.02*float64(len(off)), "%d pictures miss a mark", missed)
	return err
}

// around is how far from its middle a circle's line may be, pixels for each of the picture's width.
const around = 0.09

// middle is the middle of the circle near a place: between its leftmost and its rightmost points, at their height. Its
// top is not looked at: the author's name stands there, with a dot of the same colour.
func middle(rgb []byte, w, h int, d drawn) (u, v float64, ok bool) {
	r := int(around * float64(w))
	x0, x1, n := w, -1, 0
	near := func(do func(x, y int)) {
		for y := max(0, int(d.v)-r); y < min(h, int(d.v)+r); y++ {
			for x := max(0, int(d.u)-r); x < min(w, int(d.u)+r); x++ {
				if p := rgb[3*(y*w+x):]; p[0] > 150 && p[1] < 110 && p[2] > 150 {
					do(x, y)
				}
			}
		}
	}
	near(func(x, _ int) { x0, x1, n = min(x0, x), max(x1, x), n+1 })
	if n < 20 {
		return 0, 0, false
	}
	height, ends := 0.0, 0.0
	near(func(x, y int) {
		if x <= x0+1 || x >= x1-1 {
			height, ends = height+float64(y), ends+1
		}
	})
	return float64(x0+x1) / 2, height / ends, true
}
