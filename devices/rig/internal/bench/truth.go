package bench

import (
	"bufio"
	"fmt"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"

	"sightline/devices/sim"
	"sightline/vision/camera"
	"sightline/vision/geom"
)

// truth knows where a point of the scene really is in every frame of a source.
type truth interface {
	// surface returns the world point that a pixel of a frame sees; false where nobody knows.
	surface(frame int, px geom.Vec2) (geom.Vec3, bool)
	// see returns the pixel of a world point in a frame, and whether it is in view and not hidden.
	see(frame int, p geom.Vec3) (px geom.Vec2, visible bool)
}

// hidden is by how much of its depth, or metres, a surface may stand before a point that counts as seen.
const hidden = 0.05

// margin is how far, in pixels, a point must be from the picture's edge to count as in view.
const margin = 8

// newTruth returns the truth of a source: exact for the simulated plant, measured for a sequence with
// depth and poses, nil for everything else. exact tells the first from the second.
func newTruth(source string, fps float64) (t truth, exact bool, err error) {
	switch {
	case strings.HasPrefix(source, "sim:"):
		o, err := sim.ParseOptions(source, fps)
		if err != nil {
			return nil, false, err
		}
		w, err := sim.NewWorld(o)
		return &simTruth{world: w}, true, err
	case strings.HasPrefix(source, "seq:"):
		t, err := newSequenceTruth(strings.TrimPrefix(source, "seq:"))
		if os.IsNotExist(err) {
			return nil, false, nil
		}
		return t, false, err
	}
	return nil, false, nil
}

// simTruth asks the world that the field client's camera looks at.
type simTruth struct {
	world *sim.World
	frame int
	depth []float64
}

func (s *simTruth) depthOf(frame int) []float64 {
	if s.depth == nil || s.frame != frame {
		s.frame, s.depth = frame, s.world.Depth(frame)
	}
	return s.depth
}

func (s *simTruth) surface(frame int, px geom.Vec2) (geom.Vec3, bool) {
	return s.world.Surface(frame, px)
}

func (s *simTruth) see(frame int, p geom.Vec3) (geom.Vec2, bool) {
	cam := s.world.Camera()
	px, z, front := s.world.Project(frame, p)
	return px, front && visible(cam, px, z, func(x, y int) float64 { return s.depthOf(frame)[y*cam.Width+x] })
}

// visible says whether a point that a picture has at a pixel and a depth is well inside of it and not hidden.
func visible(cam camera.Model, px geom.Vec2, z float64, depth func(x, y int) float64) bool {
	if !cam.Contains(px, margin) {
		return false
	}
	d := depth(int(px[0]+0.5), int(px[1]+0.5))
	return d > 0 && math.Abs(d-z) < math.Max(hidden, hidden*z)
}

// sequenceTruth reads a sequence's poses.txt and depth pictures.
type sequenceTruth struct {
	dir    string
	cam    camera.Model
	poseCW map[int]geom.Pose
	length int // of the sequence; a source that plays it again counts on
	frame  int
	depth  *image.Gray16
}

func newSequenceTruth(dir string) (*sequenceTruth, error) {
	cam, err := camera.Load(filepath.Join(dir, "camera.txt"))
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, "poses.txt"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := &sequenceTruth{dir: dir, cam: cam, poseCW: map[int]geom.Pose{}}
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var i int
		var p geom.Vec3
		var q geom.Quat
		n, _ := fmt.Sscanf(sc.Text(), "%d %f %f %f %f %f %f %f", &i, &p[0], &p[1], &p[2], &q[0], &q[1], &q[2], &q[3])
		if n == 8 {
			t.poseCW[i] = geom.Pose{R: q.Mat(), T: p}.Inverse()
			t.length = max(t.length, i+1)
		}
	}
	return t, nil
}

// z is the measured depth in metres at a pixel, 0 where it is unknown.
func (t *sequenceTruth) z(frame, x, y int) float64 {
	if t.depth == nil || t.frame != frame {
		f, err := os.Open(filepath.Join(t.dir, "depth", fmt.Sprintf("%05d.png", frame)))
		if err != nil {
			return 0
		}
		defer f.Close()
		img, err := png.Decode(f)
		g, ok := img.(*image.Gray16)
		if err != nil || !ok {
			return 0
		}
		t.frame, t.depth = frame, g
	}
	if v := t.depth.Gray16At(x, y).Y; v != 65535 {
		return float64(v) / 1000
	}
	return 0
}

func (t *sequenceTruth) surface(frame int, px geom.Vec2) (geom.Vec3, bool) {
	frame %= max(1, t.length)
	pose, known := t.poseCW[frame]
	z := t.z(frame, int(px[0]+0.5), int(px[1]+0.5))
	if !known || z == 0 {
		return geom.Vec3{}, false
	}
	n := t.cam.Normalize(px)
	return pose.Inverse().Apply(geom.Vec3{n[0] * z, n[1] * z, z}), true
}

func (t *sequenceTruth) see(frame int, p geom.Vec3) (geom.Vec2, bool) {
	frame %= max(1, t.length)
	pose, known := t.poseCW[frame]
	if !known {
		return geom.Vec2{}, false
	}
	c := pose.Apply(p)
	px, front := t.cam.Project(c)
	return px, front && visible(t.cam, px, c[2], func(x, y int) float64 { return t.z(frame, x, y) })
}
