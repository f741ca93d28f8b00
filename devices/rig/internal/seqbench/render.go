package seqbench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"sightline/devices/sim"
	"sightline/vision/geom"
)

// jpegQuality is that of the rendered pictures: cameras deliver JPEG or worse, and a tenth of the bytes of PNG.
const jpegQuality = 95

// folder is where the sequence of a simulated row is kept.
func (b *bench) folder(r Row) string {
	if !r.simulated() {
		return r.Source
	}
	name := strings.NewReplacer("sim:plant?", "", "&", "-", "/", "-", "motion=", "", "=", "").Replace(r.Source)
	return filepath.Join(b.cfg.Sequences, fmt.Sprintf("v%d-%s-%d", sim.Version, name, r.Frames))
}

// render makes the sequences that are not there yet, as many at a time as there are cores.
func (b *bench) render(ctx context.Context, all []Row) error {
	todo := map[string]Row{}
	for _, r := range withBefore(all) {
		dir := b.folder(r)
		if _, err := os.Stat(dir); r.simulated() && errors.Is(err, os.ErrNotExist) {
			todo[dir] = r
		}
	}
	if len(todo) == 0 {
		return nil
	}
	if err := os.MkdirAll(b.cfg.Sequences, 0o755); err != nil {
		return err
	}
	dirs := make(chan string)
	errs := make(chan error, len(todo))
	var workers sync.WaitGroup
	for range min(len(todo), runtime.NumCPU()) {
		workers.Go(func() {
			for dir := range dirs {
				errs <- b.renderOne(ctx, todo[dir], dir)
			}
		})
	}
	for i, dir := range slices.Sorted(maps.Keys(todo)) {
		fmt.Fprintf(b.progress, "rendering %d of %d: %s\n", i+1, len(todo), filepath.Base(dir))
		dirs <- dir
	}
	close(dirs)
	workers.Wait()
	close(errs)
	var failed []error
	for err := range errs {
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// withBefore adds the visits of the day before to rows.
func withBefore(all []Row) []Row {
	out := slices.Clone(all)
	for _, r := range all {
		if r.Before != "" {
			out = append(out, r.dayBefore())
		}
	}
	return out
}

// renderOne renders into a folder of another name first, so that a folder that is there is whole.
func (b *bench) renderOne(ctx context.Context, r Row, dir string) error {
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, b.cfg.Bridge, "sequence", "--out", part, "--source", r.Source, "--frames", fmt.Sprint(r.Frames),
		"--fps", fmt.Sprint(r.FPS), "--jpeg", fmt.Sprint(jpegQuality)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("rendering %s: %w: %s", r.Source, err, lastLine(string(out)))
	}
	return os.Rename(part, dir)
}

// loop makes a folder that plays a sequence of frames forward and backward, again and again, until it has
// length frames: links to the pictures, and the poses written out.
func loop(s *sequence, frames, length int, dir string) error {
	for _, sub := range []string{"rgb", "depth"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	from, err := filepath.Abs(s.dir)
	if err != nil {
		return err
	}
	if err := os.Symlink(filepath.Join(from, "camera.txt"), filepath.Join(dir, "camera.txt")); err != nil {
		return err
	}
	var poses strings.Builder
	for i := range length {
		k := i % (2*frames - 2)
		if k >= frames {
			k = 2*frames - 2 - k
		}
		wc := s.poseCW[k].Inverse()
		q := geom.QuatOf(wc.R)
		fmt.Fprintf(&poses, "%05d %.6f %.6f %.6f %.7f %.7f %.7f %.7f\n", i, wc.T[0], wc.T[1], wc.T[2], q[0], q[1], q[2], q[3])
		for sub, ending := range map[string]string{"rgb": ".jpg", "depth": ".png"} {
			err := os.Symlink(filepath.Join(from, sub, fmt.Sprintf("%05d%s", k, ending)), filepath.Join(dir, sub, fmt.Sprintf("%05d%s", i, ending)))
			if err != nil {
				return err
			}
		}
	}
	return os.WriteFile(filepath.Join(dir, "poses.txt"), []byte(poses.String()), 0o644)
}
