package seqbench

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sightline/vision/geom"
)

// replayed is what one run of the replay program left.
type replayed struct {
	frames   int
	shown    map[key]drawn
	poses    map[int]geom.Pose // camera-to-world, of the frames that were tracked
	p50, p95 number            // ms per frame
	cpu      float64           // s, of the whole process, reading pictures included
	peak     float64           // MB
}

// firstPose is the first frame with a pose, or -1.
func (r *replayed) firstPose() int {
	first := -1
	for i := range r.poses {
		if first < 0 || i < first {
			first = i
		}
	}
	return first
}

// replay runs the program over a sequence, with more arguments; its files are left in dir.
func (b *bench) replay(ctx context.Context, s *sequence, row Row, anchors []anchor, dir string, more ...string) (*replayed, error) {
	told, marks, path := filepath.Join(dir, "anchors.csv"), filepath.Join(dir, "marks.csv"), filepath.Join(dir, "trajectory.txt")
	if err := writeAnchors(told, anchors); err != nil {
		return nil, err
	}
	args := []string{"--sequence", s.dir, "--anchors", told, "--delay", strconv.Itoa(row.Delay), "--marks", marks,
		"--trajectory", path, "--no-markers", "--fps", fmt.Sprint(row.FPS)}
	if b.cfg.Sync {
		args = append(args, "--sync")
	}
	if row.FOV != 0 {
		args = append(args, "--fov", fmt.Sprint(row.FOV))
	}
	if row.Readout {
		args = append(args, "--find-readout")
	}
	args = append(args, more...)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, b.cfg.Replay, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", filepath.Base(b.cfg.Replay), err, lastLine(stderr.String()))
	}
	r := &replayed{}
	r.readReport(stdout.String())
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.cpu = time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
		r.peak = float64(u.Maxrss) / 1024
	}
	var err error
	if r.shown, err = readMarks(marks, s.step()); err != nil {
		return nil, err
	}
	r.poses, err = readPoses(path)
	return r, err
}

var (
	framesLine = regexp.MustCompile(`(?m)^frames (\d+)`)
	timesLine  = regexp.MustCompile(`(?m)^frame\s+ms: p50\s+([\d.]+)\s+p95\s+([\d.]+)`)
)

// readReport takes the frames and the times out of what the program says.
func (r *replayed) readReport(text string) {
	r.p50, r.p95 = number(math.NaN()), number(math.NaN())
	if m := framesLine.FindStringSubmatch(text); m != nil {
		r.frames, _ = strconv.Atoi(m[1])
	}
	if m := timesLine.FindStringSubmatch(text); m != nil {
		p50, _ := strconv.ParseFloat(m[1], 64)
		p95, _ := strconv.ParseFloat(m[2], 64)
		r.p50, r.p95 = number(p50), number(p95)
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
