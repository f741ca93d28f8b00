package longrun

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// command runs a program to its end and returns what it said.
func command(ctx context.Context, program string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(program), err, strings.TrimSpace(string(out)))
	}
	return string(out), err
}

func (s *session) key() string { return s.path("data/seal/key.pub") }

// verify proves the case with nothing but the key.
func (s *session) verify(ctx context.Context, t *Table) error {
	out, err := command(ctx, s.binary("relay"), "verify", s.caseDir, "--key", s.key())
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return err
	}
	t.want(err == nil, "the case is not proven: %s", out)
	files, err := filepath.Glob(filepath.Join(s.caseDir, "*"))
	size := int64(0)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			size += info.Size()
		}
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	t.add("`relay verify`", "%s", lines[len(lines)-1])
	t.add("the case", "%d files, %.0f MB", len(files), float64(size)/1e6)
	return err
}

// export makes everything of Tom's view, with the others in it, and the probe's film.
func (s *session) export(ctx context.Context, t *Table) error {
	for name, args := range map[string][]string{"Tom": {"--pip"}, "Probe": {"--only", "film.mp4", "--only", "frames.csv"}} {
		if err := os.RemoveAll(s.path("export-" + name)); err != nil {
			return err
		}
		out, err := command(ctx, s.binary("expert"), append([]string{"export", s.caseDir, "--key", s.key(), "--out", s.path("export-" + name), "--camera", name}, args...)...)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out) {
			if strings.Contains(line, "times real time") {
				t.add("export of the view of "+name, "%s", strings.TrimSpace(line))
			}
			t.want(!strings.Contains(line, "do not decode"), "%s", line)
		}
	}
	size, err := command(ctx, "ffprobe", "-v", "error", "-select_streams", "v", "-count_packets", "-show_entries", "stream=width,height,nb_read_packets", "-of", "csv=p=0:s=x", s.film("Tom"))
	t.add("the film, in pixels and pictures", "%s", strings.TrimSpace(size))
	return err
}

func (s *session) film(name string) string { return s.path("export-" + name + "/film.mp4") }

// row is a line of a table of frames.
type row struct {
	captured int64   // µs
	film     float64 // s
	cells    map[string]string
}

// frames reads the table of frames of an export.
func (s *session) frames(name string) (rows []row, err error) {
	f, err := os.Open(s.path("export-" + name + "/frames.csv"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	for _, line := range all[1:] {
		r := row{cells: map[string]string{}}
		for i, head := range all[0] {
			r.cells[head] = line[i]
		}
		if r.captured, err = strconv.ParseInt(r.cells["captured_us"], 10, 64); err != nil {
			return nil, err
		}
		if r.film, err = strconv.ParseFloat(r.cells["film_s"], 64); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// telemetry compares the values beside each frame with what had been sent when it was captured.
func (s *session) telemetry(_ context.Context, t *Table) error {
	rows, err := s.frames("Tom")
	if err != nil {
		return err
	}
	var late, early []float64
	cells, newest := 0, 0
	for _, r := range rows {
		for head, cell := range r.cells {
			if !strings.HasPrefix(head, "hall1/unit-") || strings.HasSuffix(head, "/level") || cell == "" {
				continue
			}
			v, err := strconv.Atoi(cell)
			if err != nil || v < 0 || v+1 >= len(s.plant.sent) {
				continue
			}
			cells++
			switch from, to := s.plant.sent[v], s.plant.sent[v+1]; {
			case r.captured < from:
				early = append(early, float64(from-r.captured)/1000)
			case r.captured >= to:
				late = append(late, float64(r.captured-to)/1000)
			default:
				newest++
			}
		}
	}
	a, b := spreadOf(early), spreadOf(late)
	t.add("values beside frames", "%d, of %d tags at %.0f a second", cells, s.cfg.Machines*tagsEach, s.cfg.Rate)
	t.add("the newest that had been sent when the frame was captured", "%.1f %%", 100*float64(newest)/math.Max(1, float64(cells)))
	t.add("one that came after it", "%.1f %%, by %.0f ms p50, %.0f ms p99", 100*float64(len(early))/math.Max(1, float64(cells)), a.p50, a.p99)
	t.add("an older one", "%.1f %%, by %.0f ms p50, %.0f ms p99", 100*float64(len(late))/math.Max(1, float64(cells)), b.p50, b.p99)
	t.want(cells > 0 && a.p99 < 250 && b.p99 < 250, "values are from after their frame by %.0f ms at p99, or late by %.0f ms", a.p99, b.p99)
	return nil
}

// words looks for all that was said, and for all alarms.
func (s *session) words(ctx context.Context, t *Table) error {
	captions, err := os.ReadFile(s.path("export-Tom/captions.vtt"))
	if err != nil {
		return err
	}
	chapters, err := os.ReadFile(s.path("export-Tom/chapters.vtt"))
	if err != nil {
		return err
	}
	said, found := 0, 0
	for _, name := range []string{"eva", "bob"} {
		script, err := os.ReadFile(s.path(name + ".script"))
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(script)) {
			if words, ok := strings.CutPrefix(strings.TrimSpace(line), "say "); ok {
				said++
				if strings.Contains(string(captions), strings.Trim(words, `"`)) {
					found++
				}
			}
		}
	}
	t.add("captions", "%d of %d lines that were said", found, said)
	t.want(found == said, "%d of %d lines that were said are in the captions", found, said)
	raised := 0
	for n := range s.plant.sent {
		if n%cycle == high+1 {
			raised++
		}
	}
	in := strings.Count(string(chapters), "Level is high")
	t.add("alarms in the chapters", "%d of %d", in, raised)
	t.want(in == raised, "%d of %d alarms are in the chapters", in, raised)
	pages, err := command(ctx, "pdfinfo", s.path("export-Tom/report.pdf"))
	for line := range strings.Lines(pages) {
		if n, ok := strings.CutPrefix(line, "Pages:"); ok {
			t.add("the report", "%s pages", strings.TrimSpace(n))
		}
	}
	return err
}
