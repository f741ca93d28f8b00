package seqbench

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"strings"

	"sightline/vision/geom"
)

// anchor is a pixel of a frame that the tracker is told, and must keep hitting in every later frame.
type anchor struct {
	frame int
	px    geom.Vec2
}

// plan says which pixels become anchors: per in every so many frames from first on.
type plan struct {
	first, every, per int
	seed              int64
}

const (
	// lastFrames is how many frames before the end no anchor is picked: it would be judged by too few.
	lastFrames = 30
	// rim is how far in pixels from the edge of the picture nothing is picked.
	rim = 20
	// tries is after how many pixels without a sure depth a frame is given up.
	tries = 4000
)

// pick chooses anchors evenly over the picture, where the depth is sure. The generator is math/rand's first,
// whose numbers are promised never to change: the same plan picks the same anchors for ever.
func (s *sequence) pick(p plan) ([]anchor, error) {
	rng := rand.New(rand.NewSource(p.seed))
	var all []anchor
	for f := p.first; f < s.last-lastFrames; f += p.every {
		for n, t := 0, 0; n < p.per && t < tries; t++ {
			u, v := rim+rng.Intn(s.cam.Width-2*rim), rim+rng.Intn(s.cam.Height-2*rim)
			z, err := s.depth(f, u, v)
			if err != nil {
				return nil, err
			}
			if _, posed := s.poseCW[f]; z > 0 && posed {
				all = append(all, anchor{f, geom.Vec2{float64(u), float64(v)}})
				n++
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no pixel with a sure depth from frame %d on", s.dir, p.first)
	}
	return all, nil
}

// writeAnchors writes what replay --anchors reads; row n from 0 is anchor n.
func writeAnchors(path string, all []anchor) error {
	var b strings.Builder
	b.WriteString("frame,u,v\n")
	for _, a := range all {
		fmt.Fprintf(&b, "%d,%g,%g\n", a.frame, a.px[0], a.px[1])
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// key names a mark in a frame.
type key struct{ frame, anchor int }

// drawn is a mark that the tracker showed.
type drawn struct {
	px    geom.Vec2
	sigma float64 // px, standard deviation along the worst direction; 0 where none was claimed
}

// readMarks reads the marks that are shown in every step-th frame, out of rows
// frame,anchor,u,v,state[,sigma_px[,reason]].
func readMarks(path string, step int) (map[key]drawn, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord, r.ReuseRecord, r.LazyQuotes = -1, true, true
	shown := map[key]drawn{}
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return shown, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if first && row[0] == "frame" || len(row) > 4 && strings.TrimSpace(row[4]) != "shown" {
			continue
		}
		k, d, err := parseMark(row)
		if err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("%s:%d: %w", path, line, err)
		}
		if k.frame%step == 0 {
			shown[k] = d
		}
	}
}

func parseMark(row []string) (key, drawn, error) {
	if len(row) < 5 {
		return key{}, drawn{}, errors.New("want frame,anchor,u,v,state")
	}
	var v [5]float64
	fields := row[:4:4]
	if len(row) > 5 {
		fields = append(fields, row[5])
	}
	for i, s := range fields {
		x, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return key{}, drawn{}, fmt.Errorf("%q is not a number", s)
		}
		v[i] = x
	}
	return key{int(v[0]), int(v[1])}, drawn{px: geom.Vec2{v[2], v[3]}, sigma: v[4]}, nil
}
