// Package export makes of a case what people can use: a film with the marks in it, captions and chapters, the
// machines' values, a report. What is finished is not made again, and a film that was broken off goes on.
package export

import (
	"context"
	"encoding/json"
	"fmt"
	"image"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sightline/annotate/typeset"
	"sightline/devices/media"
	"sightline/expert/internal/blur"
	"sightline/expert/internal/report"
	"sightline/expert/internal/tape"
)

// The files of an export.
const (
	Film      = "film.mp4"
	Captions  = "captions.vtt"
	Chapters  = "chapters.vtt"
	Telemetry = "telemetry.csv"
	Frames    = "frames.csv"
	Report    = "report.pdf"
)

// order is the order in which they are made.
var order = []string{Captions, Chapters, Telemetry, Frames, Report, Film}

// Config is what an export needs.
type Config struct {
	Tape  *tape.Tape
	Faces *typeset.Faces
	Dir   string // where the files go; it is made
	// Seal is what Verify said of the case. Where it is not proven, everything says so.
	Seal report.Seal
	// Camera is a participant's name or ID; empty is the technician's.
	Camera string
	// Others puts the other cameras into the picture.
	Others bool
	// BlurFaces makes the faces that are found in the pictures of the film and of the report unrecognisable.
	BlurFaces bool
	// Only are the files to make; none is all.
	Only []string
	// Progress hears how far a file is, from 0 to 1; 1 comes once. Reused says that it was there already.
	Progress func(file string, done float64, reused bool)
	Now      func() time.Time
}

// Result is what came of an export.
type Result struct {
	Made    []string
	Reused  []string
	Speed   Speed // of the film, where it was made
	Damaged int   // frames of it that did not decode
	Blurred int   // frames of it in which a face was made unrecognisable
}

// Run makes the files that are not there yet. It may be broken off at any time by ctx, and called again.
func Run(ctx context.Context, cfg Config) (Result, error) {
	var res Result
	only := cfg.Only
	for _, name := range only {
		if !slices.Contains(order, name) {
			return res, fmt.Errorf("%q is none of the files of an export: %s", name, strings.Join(order, ", "))
		}
	}
	camera, err := pick(cfg.Tape, cfg.Camera)
	if err != nil {
		return res, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return res, err
	}
	e := &exporter{cfg: cfg, camera: camera, state: loadState(cfg.Dir, cfg.of(camera))}
	for _, name := range order {
		if len(only) > 0 && !slices.Contains(only, name) || name == Film && camera == nil {
			continue
		}
		if e.state.finished(name) {
			cfg.Progress(name, 1, true)
			res.Reused = append(res.Reused, name)
			continue
		}
		if err := e.find(ctx, name); err != nil {
			return res, err
		}
		cfg.Progress(name, 0, false)
		if err := e.make(ctx, name, &res); err != nil {
			return res, fmt.Errorf("%s: %w", filepath.Join(cfg.Dir, name), err)
		}
		if err := e.state.finish(name); err != nil {
			return res, err
		}
		cfg.Progress(name, 1, false)
		res.Made = append(res.Made, name)
	}
	return res, nil
}

// of names all that the files depend on.
func (cfg Config) of(c *tape.Camera) string {
	camera := ""
	if c != nil {
		camera = c.Participant + "/" + c.Track
	}
	data, _ := json.Marshal([]any{version, cfg.Tape.About.ID, cfg.Tape.Head, cfg.Tape.Manifest.To, camera, cfg.Others, cfg.BlurFaces, cfg.Seal.Proven, cfg.Seal.Words})
	return string(data)
}

// version changes with what the files look like.
const version = 3

// pick returns the camera that the film is of; nil where nobody sent a picture.
func pick(t *tape.Tape, name string) (*tape.Camera, error) {
	var names []string
	for _, c := range t.Cameras {
		if name == "" || strings.EqualFold(c.Name, name) || c.Participant == name || strings.EqualFold(c.Name+"/"+c.Track, name) {
			return c, nil
		}
		names = append(names, c.Name)
	}
	if name != "" {
		return nil, fmt.Errorf("--camera %s: nobody of that name sent a picture; these did: %s", name, strings.Join(names, ", "))
	}
	return nil, nil
}

// exporter is one run.
type exporter struct {
	cfg    Config
	camera *tape.Camera
	state  *state
	faces  map[*tape.Camera]*blur.Index // nil where none are to be blurred, or before they are found
}

// Faces is what progress is called that is made with finding them.
const Faces = "faces"

// find finds the faces, before the first file that has pictures.
func (e *exporter) find(ctx context.Context, name string) error {
	if !e.cfg.BlurFaces || e.faces != nil || name != Film && name != Report {
		return nil
	}
	e.faces = map[*tape.Camera]*blur.Index{}
	for _, c := range e.cfg.Tape.Cameras {
		if c != e.camera && !e.cfg.Others {
			continue
		}
		index, err := blur.New(ctx, e.cfg.Tape, c, func(done float64) { e.cfg.Progress(Faces, min(0.999, done), false) })
		if err != nil {
			return fmt.Errorf("look for faces in the pictures of %s: %w", c.Name, err)
		}
		e.faces[c] = index
	}
	e.cfg.Progress(Faces, 1, false)
	return nil
}

// blurred says how many pictures of the film have a face that was found, of how many.
func (e *exporter) blurred() (n, of int) {
	for _, s := range plan(e.cfg.Tape, e.camera) {
		if s.shot < 0 {
			continue
		}
		of++
		if len(e.faces[e.camera].Boxes(e.camera.Shots[s.shot].Session)) > 0 {
			n++
		}
	}
	return n, of
}

func (e *exporter) make(ctx context.Context, name string, res *Result) error {
	if name == Film {
		return e.film(ctx, res)
	}
	write := map[string]func(io.Writer) error{Captions: e.captions, Chapters: e.chapters, Telemetry: e.telemetry, Frames: e.frames, Report: func(w io.Writer) error { return e.report(ctx, w) }}[name]
	return writeFile(filepath.Join(e.cfg.Dir, name), write)
}

func (e *exporter) report(ctx context.Context, w io.Writer) error {
	cfg := report.Config{Tape: e.cfg.Tape, Camera: e.camera, Faces: e.cfg.Faces, Seal: e.cfg.Seal, Now: e.cfg.Now}
	if e.cfg.BlurFaces && e.camera != nil {
		n, of := e.blurred()
		cfg.Blurred = fmt.Sprintf("On request, faces were looked for and made unrecognisable: in %d of the %d pictures of the film. Some may have been missed. The recording itself is as it was.", n, of)
		cfg.Hide = func(c *tape.Camera, session int64, p *image.YCbCr) { blur.Hide(p, e.faces[c].Boxes(session)) }
	}
	return report.Write(ctx, w, cfg)
}

// checkEvery is how much of a film may be made again after it was broken off, µs of it.
const checkEvery = 2_000_000

// film makes the film, or goes on with it.
func (e *exporter) film(ctx context.Context, res *Result) error {
	sign := ""
	if !e.cfg.Seal.Proven {
		sign = "NOT PROVEN"
	}
	f := newFilm(e.cfg.Tape, e.camera, e.cfg.Others, sign, e.cfg.Faces)
	f.hide = e.faces
	path := filepath.Join(e.cfg.Dir, Film)
	out, resumed, err := openTail(path+".part", e.state.Film)
	if err != nil {
		return err
	}
	w := &reeler{e: e, f: f, out: out, sound: hasSound(e.cfg.Tape), begun: e.cfg.Now()}
	if resumed {
		w.step, w.movie = e.state.Film.Step, media.ResumeMovie(out, e.state.Film.Fragments)
		if w.step < len(f.steps) {
			w.flushed, w.checked = f.steps[w.step].at, f.steps[w.step].at
		}
	}
	first := w.step
	err = f.run(ctx, first, w.put)
	if err == nil && w.movie != nil {
		err = w.movie.Flush()
	}
	if cerr := out.file.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(path+".part", path)
	}
	if first < len(f.steps) {
		res.Speed = Speed{time.Duration(e.cfg.Tape.End-e.cfg.Tape.Start-f.steps[first].at) * time.Microsecond, e.cfg.Now().Sub(w.begun)}
	}
	res.Damaged = f.damage
	if e.cfg.BlurFaces {
		res.Blurred, _ = e.blurred()
	}
	if err == nil {
		e.state.Film = nil
	}
	return err
}

// reeler writes the film's steps down.
type reeler struct {
	e       *exporter
	f       *film
	out     *tail
	movie   *media.Movie
	sound   bool
	step    int // that comes next
	checked int64
	flushed int64
	begun   time.Time
	told    time.Time
}

// fragment is how much of a film is in one fragment, µs.
const fragment = 1_000_000

// put encodes a step and writes it, with its sound.
func (w *reeler) put(t take, enc *media.H264Encoder) error {
	if w.movie != nil && t.at-w.flushed >= fragment {
		if err := w.movie.Flush(); err != nil {
			return err
		}
		w.flushed = t.at
		if t.at-w.checked >= checkEvery {
			enc.ForceKeyFrame()
			w.checked = t.at
			if err := w.check(); err != nil {
				return err
			}
		}
	}
	unit, key, err := enc.Encode(t.out)
	if err != nil {
		return err
	}
	if w.movie == nil {
		if w.movie, err = media.NewMovie(w.out, unit, w.sound); err != nil {
			return err
		}
	}
	if err := w.movie.Video(unit, key, t.at, t.until); err != nil {
		return err
	}
	for _, p := range t.sounds {
		w.movie.Sound(p)
	}
	w.step++
	if now := w.e.cfg.Now(); now.Sub(w.told) > 100*time.Millisecond {
		w.told = now
		w.e.cfg.Progress(Film, min(0.999, float64(w.step)/float64(len(w.f.steps))), false)
	}
	return nil
}

// check notes that the film is whole up to here.
func (w *reeler) check() error {
	p, err := w.out.mark()
	if err != nil {
		return err
	}
	w.e.state.Film = &checkpoint{print: p, Step: w.step, Fragments: w.movie.Fragments()}
	return w.e.state.save()
}
