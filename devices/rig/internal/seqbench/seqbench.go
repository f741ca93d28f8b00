// Package seqbench measures the tracker over sequences with known truth, real and simulated, and makes one
// table of it. It knows the tracker only as the replay program: by its command line and the files it leaves.
package seqbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"sightline/vision/geom"
)

// Config is the command line of rig vision.
type Config struct {
	Replay    string        `default:"bin/replay" help:"The replay program."`
	Bridge    string        `default:"bin/bridge" help:"The bridge program, which renders sequences."`
	Data      string        `default:"../shared/data" help:"Folder with the real sequences desk and walk; what is absent is left out."`
	Sequences string        `default:".cache/sequences" help:"Where rendered sequences are kept and found again; make clean removes them."`
	Sequence  []string      `type:"existingdir" help:"Measure this sequence folder as well (rgb, depth, poses.txt, camera.txt). May be given again."`
	Only      string        `help:"Only rows whose name matches this regular expression; 'folder' is those of --sequence."`
	Hour      time.Duration `default:"6m" help:"How much of an hour the last row plays; 1h is 108,000 frames."`
	Sync      bool          `default:"true" negatable:"" help:"Map in step with the frames, so that a run repeats exactly; the time of a frame is without it either way."`
	JSON      string        `name:"json" help:"Write the table as JSON here."`
	Keep      string        `help:"Leave each row's anchors, marks and trajectory under this folder."`
}

// Result is one row of the table, measured. Error is set, and nothing else, where the row could not be run.
type Result struct {
	Name   string `json:"name"`
	Error  string `json:"error,omitempty"`
	Source string `json:"source"`
	Frames int    `json:"frames"`
	// Tracked is the share of frames with a pose; FirstPose is the first of them, -1 where there is none.
	Tracked   number `json:"tracked"`
	FirstPose int    `json:"first_pose"`
	Score
	// Trajectory is the root mean square error of the camera's place in mm after a similarity.
	Trajectory number  `json:"trajectory_rmse_mm"`
	Returns    Returns `json:"returns"`
	FrameP50   number  `json:"frame_ms_p50"`
	FrameP95   number  `json:"frame_ms_p95"`
	CPU        number  `json:"cpu_s"`
	PeakMB     number  `json:"peak_mb"`
}

type bench struct {
	cfg      Config
	progress io.Writer
}

// Run renders what is missing, runs the rows one after the other, because time is measured, and writes the
// table. The error says which rows could not be run.
func Run(ctx context.Context, cfg Config, out, progress io.Writer) error {
	b := &bench{cfg: cfg, progress: progress}
	all, err := b.choose()
	if err != nil {
		return err
	}
	if err := b.render(ctx, all); err != nil {
		return err
	}
	t := newTable(out)
	var results []Result
	var failed []error
	for _, r := range all {
		res, err := b.measure(ctx, r)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", r.Name, err))
			res = Result{Name: r.Name, Source: r.Source, Error: err.Error()}
		}
		t.row(res)
		results = append(results, res)
		if ctx.Err() != nil {
			break
		}
	}
	t.legend()
	if cfg.JSON != "" {
		data, err := json.MarshalIndent(results, "", "  ")
		failed = append(failed, err)
		failed = append(failed, os.WriteFile(cfg.JSON, append(data, '\n'), 0o644))
	}
	return errors.Join(failed...)
}

// choose returns the rows to run.
func (b *bench) choose() ([]Row, error) {
	only, err := regexp.Compile(b.cfg.Only)
	if err != nil {
		return nil, fmt.Errorf("--only: %w", err)
	}
	if b.cfg.Hour < 10*time.Second || b.cfg.Hour > time.Hour {
		return nil, fmt.Errorf("--hour %v: want 10s to 1h", b.cfg.Hour)
	}
	all := rows(b.cfg.Data, b.cfg.Hour)
	for _, dir := range b.cfg.Sequence {
		all = append(all, Row{Name: "folder " + filepath.Base(dir), Source: dir, FPS: 30, Per: 8, Seed: 1})
	}
	var chosen []Row
	for _, r := range all {
		if !only.MatchString(r.Name) {
			continue
		}
		if _, err := os.Stat(r.Source); !r.simulated() && err != nil {
			fmt.Fprintf(b.progress, "%s is left out: %s is absent\n", r.Name, r.Source)
			continue
		}
		chosen = append(chosen, r)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("--only %q matches no row", b.cfg.Only)
	}
	return chosen, nil
}

// measure runs one row.
func (b *bench) measure(ctx context.Context, r Row) (Result, error) {
	dir, err := b.workFolder(r)
	if err != nil {
		return Result{}, err
	}
	if b.cfg.Keep == "" {
		defer os.RemoveAll(dir)
	}
	s, err := openSequence(b.folder(r), r.FPS)
	if err != nil {
		return Result{}, err
	}
	if r.Loop > 0 {
		looped := filepath.Join(dir, "loop")
		if err := loop(s, r.Frames, r.Loop, looped); err != nil {
			return Result{}, err
		}
		defer os.RemoveAll(looped)
		if s, err = openSequence(looped, r.FPS); err != nil {
			return Result{}, err
		}
	}
	if r.Before != "" {
		return b.nextVisit(ctx, s, r, dir)
	}
	anchors, points, err := choosePoints(s, r)
	if err != nil {
		return Result{}, err
	}
	fmt.Fprintf(b.progress, "%s: %d frames, %d marks\n", r.Name, s.last+1, len(anchors))
	run, err := b.replay(ctx, s, r, anchors, dir)
	if err != nil {
		return Result{}, err
	}
	return summarize(s, r, anchors, points, run, run.firstPose())
}

// nextVisit runs the visit of the day before, which leaves its maps and marks in a file, and then this one
// with them. Both worlds are one: the points of yesterday's marks are judged in today's frames.
func (b *bench) nextVisit(ctx context.Context, s *sequence, r Row, dir string) (Result, error) {
	day := r.dayBefore()
	before, err := openSequence(b.folder(day), day.FPS)
	if err != nil {
		return Result{}, err
	}
	anchors, points, err := choosePoints(before, day)
	if err != nil {
		return Result{}, err
	}
	kept := filepath.Join(dir, "kept.map")
	fmt.Fprintf(b.progress, "%s: %d frames, %d marks\n", day.Name, before.last+1, len(anchors))
	if _, err := b.replay(ctx, before, day, anchors, dir, "--map-out", kept); err != nil {
		return Result{}, fmt.Errorf("the day before: %w", err)
	}
	fmt.Fprintf(b.progress, "%s: %d frames\n", r.Name, s.last+1)
	run, err := b.replay(ctx, s, r, nil, dir, "--map-in", kept)
	if err != nil {
		return Result{}, err
	}
	for i := range anchors {
		anchors[i].frame = -1
	}
	return summarize(s, r, anchors, points, run, 0)
}

// choosePoints picks a row's anchors and finds where they truly are.
func choosePoints(s *sequence, r Row) ([]anchor, []geom.Vec3, error) {
	anchors, err := s.pick(r.plan(s.last))
	if err != nil {
		return nil, nil, err
	}
	points, err := s.points(anchors)
	return anchors, points, err
}

func (b *bench) workFolder(r Row) (string, error) {
	if b.cfg.Keep == "" {
		return os.MkdirTemp("", "seqbench")
	}
	dir := filepath.Join(b.cfg.Keep, regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(r.Name, "-"))
	return dir, os.MkdirAll(dir, 0o755)
}

// summarize makes the row of a run. known is the frame from which on the tracker can know a place.
func summarize(s *sequence, r Row, anchors []anchor, points []geom.Vec3, run *replayed, known int) (Result, error) {
	all, err := s.judge(anchors, points, run.shown)
	if err != nil {
		return Result{}, err
	}
	res := Result{Name: r.Name, Source: r.Source, Frames: run.frames, Tracked: share(len(run.poses), run.frames), FirstPose: run.firstPose(),
		Score: score(all, anchors, r.FPS), Trajectory: 1000 * s.trajectoryError(run.poses),
		FrameP50: run.p50, FrameP95: run.p95, CPU: number(run.cpu), PeakMB: number(run.peak)}
	if known >= 0 {
		res.Returns = returns(moments(all, anchors, r.Delay, known, run.poses), r.FPS/float64(s.step()))
	}
	return res, nil
}
