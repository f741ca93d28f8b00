package seqbench

import (
	"bufio"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sightline/vision/camera"
	"sightline/vision/geom"
)

// sequence is a folder with ground truth: poses.txt, camera.txt and depth pictures. It is used by one goroutine.
type sequence struct {
	dir    string
	cam    camera.Model
	poseCW map[int]geom.Pose
	fps    float64
	last   int // the highest frame with a pose
	// keep holds the depth pictures that were read last, so that the marks of a frame share one.
	keep map[int]*image.Gray16
}

// keepDepth is how many depth pictures stay in memory: 20 MB at 640x480, so that what the tracker under
// test uses is not hidden behind the bench (a process starts with the peak of who started it).
const keepDepth = 32

func openSequence(dir string, fps float64) (*sequence, error) {
	cam, err := camera.Load(filepath.Join(dir, "camera.txt"))
	if err != nil {
		return nil, err
	}
	s := &sequence{dir: dir, fps: fps, cam: cam, poseCW: map[int]geom.Pose{}, keep: map[int]*image.Gray16{}}
	poses, err := readPoses(filepath.Join(dir, "poses.txt"))
	if err != nil {
		return nil, err
	}
	for i, wc := range poses {
		s.poseCW[i] = wc.Inverse()
		s.last = max(s.last, i)
	}
	if len(poses) == 0 {
		return nil, fmt.Errorf("%s: no row `index tx ty tz qx qy qz qw` in poses.txt", dir)
	}
	if _, err := os.Stat(filepath.Join(dir, "depth", "00000.png")); err != nil {
		return nil, fmt.Errorf("%s: marks are picked and judged by depth/NNNNN.png: %w", dir, err)
	}
	return s, nil
}

// judgedMost is about how many frames of a sequence are judged: reading the depth of an hour's frames takes
// longer than tracking them.
const judgedMost = 6000

// step is the distance between two judged frames: 1 in a sequence of up to three minutes.
func (s *sequence) step() int { return 1 + s.last/judgedMost }

// readPoses reads rows `index tx ty tz qx qy qz qw`, camera-to-world; # begins a comment.
func readPoses(path string) (map[int]geom.Pose, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	poses, err := parsePoses(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return poses, nil
}

func parsePoses(r io.Reader) (map[int]geom.Pose, error) {
	poses := map[int]geom.Pose{}
	sc := bufio.NewScanner(r)
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 8 {
			return nil, fmt.Errorf("line %d: want index tx ty tz qx qy qz qw", n)
		}
		index, err := strconv.Atoi(fields[0])
		if err != nil || index < 0 || index > maxFrames {
			return nil, fmt.Errorf("line %d: frame %q, want 0 to %d", n, fields[0], maxFrames)
		}
		var v [7]float64
		for i := range v {
			if v[i], err = strconv.ParseFloat(fields[i+1], 64); err != nil || math.IsNaN(v[i]) || math.IsInf(v[i], 0) {
				return nil, fmt.Errorf("line %d: %q is not a number", n, fields[i+1])
			}
		}
		poses[index] = geom.Pose{R: geom.Quat{v[3], v[4], v[5], v[6]}.Mat(), T: geom.Vec3{v[0], v[1], v[2]}}
	}
	return poses, sc.Err()
}

// maxFrames bounds what a damaged file can ask for: three hours at 100 frames per second.
const maxFrames = 1 << 20

// depth is the measured depth in metres about a pixel: the middle of a patch of 5x5, 0 where a pixel of the
// patch is unknown or the patch is an edge (deeper than 3 % of its distance).
func (s *sequence) depth(frame, u, v int) (float64, error) {
	d, ok := s.keep[frame]
	if !ok {
		var err error
		if d, err = readDepth(filepath.Join(s.dir, "depth", fmt.Sprintf("%05d.png", frame))); err != nil {
			return 0, err
		}
		if len(s.keep) >= keepDepth {
			clear(s.keep)
		}
		s.keep[frame] = d
	}
	lo, hi := math.Inf(1), 0.0
	for y := v - 2; y <= v+2; y++ {
		for x := u - 2; x <= u+2; x++ {
			mm := d.Gray16At(x, y).Y
			if mm == 0 || mm == 65535 {
				return 0, nil
			}
			lo, hi = math.Min(lo, float64(mm)/1000), math.Max(hi, float64(mm)/1000)
		}
	}
	if hi-lo > 0.03*hi {
		return 0, nil
	}
	return (lo + hi) / 2, nil
}

func readDepth(path string) (*image.Gray16, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := png.Decode(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	g, ok := img.(*image.Gray16)
	if !ok {
		return nil, fmt.Errorf("%s: want a grey PNG of 16 bits, millimetres", path)
	}
	return g, nil
}

// lift is the world point that a pixel of a frame sees at a depth in metres.
func (s *sequence) lift(frame int, px geom.Vec2, z float64) geom.Vec3 {
	n := s.cam.Normalize(px)
	return s.poseAt(frame, px).Inverse().Apply(geom.Vec3{n[0] * z, n[1] * z, z})
}

// poseAt is poseCW in the moment in which a pixel of the frame was read, as the frame before and the one after have it.
func (s *sequence) poseAt(frame int, px geom.Vec2) geom.Pose {
	p := s.poseCW[frame]
	before, has := s.poseCW[frame-1]
	after, too := s.poseCW[frame+1]
	if s.cam.Readout == 0 || !has || !too {
		return p
	}
	u := s.cam.Late(px) * s.fps
	in, out := geom.TwistBetween(before, p), geom.TwistBetween(p, after)
	return p.Moved(in.Scale((u - u*u) / 2).Add(out.Scale((u + u*u) / 2)))
}

// project is the true pixel of a world point in a frame; front is false behind the camera.
func (s *sequence) project(frame int, p geom.Vec3) (px geom.Vec2, z float64, front bool) {
	return s.cam.ProjectRows(func(px geom.Vec2) geom.Pose { return s.poseAt(frame, px) }, p)
}

const (
	// margin is how far in pixels a point must be from the edge of the picture to count as visible.
	margin = 8
	// occlusion is how far, in metres or as a share of the distance, a surface may stand before a point
	// that counts as visible: depth cameras err by that much.
	occlusion = 0.05
)

// visible says whether the true point is in the picture of a frame and not hidden behind something.
func (s *sequence) visible(frame int, p geom.Vec3) (px geom.Vec2, ok bool, err error) {
	px, z, front := s.project(frame, p)
	if !front || z < 0.1 || !s.cam.Contains(px, margin) {
		return px, false, nil
	}
	d, err := s.depth(frame, int(px[0]+0.5), int(px[1]+0.5))
	return px, d > 0 && math.Abs(d-z) < math.Max(occlusion, occlusion*z), err
}
