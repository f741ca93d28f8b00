// Package anchoring puts the tracker together as the field client runs it: OpenCV underneath, the
// mapper on its own goroutine.
package anchoring

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"maps"
	"sync"

	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/mapping"
	"sightline/vision/marker"
	"sightline/vision/opencv"
	"sightline/vision/track"
)

// Config says which camera is tracked and how.
type Config struct {
	Camera camera.Model
	// Guessed says that the camera is a guess, but for its size: its focal length is found while it moves. Its readout is
	// always, but where it is told.
	Guessed bool
	// Markers are the sides in metres of the ArUco markers that give scale, by ID.
	Markers map[int]float64
	// Boards are sheets of tags, each on a machine: they give scale too, and say which machine this is.
	Boards marker.Set
	// NoMarkers leaves markers unread.
	NoMarkers bool
	// Life stands before the names of the maps, so that a map of another run of the client is never
	// taken for one of this.
	Life string
	// Sync maps in step with the frames, so that a run repeats exactly.
	Sync   bool
	Logger *slog.Logger
}

// Anchoring is a running tracker and mapper. Its methods are called from one goroutine.
type Anchoring struct {
	cfg     Config
	tracker *track.Tracker
	mapper  *mapping.Mapper
	tags    boards
	sizes   map[int]float64 // of markers, that were set
	lens    lens
	stop    context.CancelFunc
	ended   sync.WaitGroup
}

// Start checks the camera and starts the mapper's goroutine and that which measures surfaces; Close ends them.
func Start(cfg Config) (*Anchoring, error) {
	if err := cfg.Camera.Valid(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if !cfg.Camera.Invertible() {
		cfg.Logger.Warn("the lens model has no inverse in the corners of the picture: marks there will be off; calibrate again, with the board in the corners too")
	}
	a := &Anchoring{cfg: cfg, tags: boards{opencv.Engine{}, cfg.Boards}, sizes: map[int]float64{}, lens: lens{then: make(chan func(), 1), known: cfg.Camera.Readout != 0 && !cfg.Guessed}}
	a.begin()
	return a, nil
}

// begin starts a tracker and a mapper.
func (a *Anchoring) begin() {
	engine := opencv.Engine{}
	sizes := a.tags.sizes(a.cfg.Markers)
	maps.Copy(sizes, a.sizes)
	mc := mapping.Config{Camera: a.cfg.Camera, Describer: engine, PoseFinder: engine, Sizes: sizes, Logger: a.cfg.Logger}
	if !a.cfg.NoMarkers {
		mc.Finder = a.tags
	}
	mapper := mapping.New(mc)
	tracker := track.New(track.Config{Camera: a.cfg.Camera, Imager: engine, Solver: engine, Mapper: mapper, Sync: a.cfg.Sync, Logger: a.cfg.Logger})
	ctx, stop := context.WithCancel(context.Background())
	a.mapper, a.tracker, a.stop = mapper, tracker, stop
	a.ended.Go(func() { mapper.Serve(ctx) })
	a.ended.Go(func() { tracker.Survey(ctx) })
}

// Track takes the next frame; see track.Tracker.Track.
func (a *Anchoring) Track(grey *image.Gray, captured int64) (vision.Estimate, error) {
	a.refine(captured)
	e, err := a.tracker.Track(grey, captured)
	e.Map = a.qualified(e.Map)
	return e, err
}

// qualified puts the run's name before a map's.
func (a *Anchoring) qualified(name string) string {
	life := a.lens.name(a.cfg.Life)
	if name == "" || life == "" {
		return name
	}
	return life + "/" + name
}

// Place asks for a mark to be placed as of the frame it was drawn on; see track.Tracker.Place.
func (a *Anchoring) Place(id string, captured int64, pixels []geom.Vec2) {
	a.tracker.Place(id, captured, pixels)
}

// Forget lets a mark go.
func (a *Anchoring) Forget(id string) { a.tracker.Forget(id) }

// Placements returns where all marks are.
func (a *Anchoring) Placements() []track.Placement {
	out := a.tracker.Placements()
	for i := range out {
		out[i].Map = a.qualified(out[i].Map)
	}
	return out
}

// SetMarker makes the side of an ArUco marker known, in metres. False where the mapper is too busy to hear
// of it now: ask again with a later frame.
func (a *Anchoring) SetMarker(id int, metres float64) bool {
	mapper := a.mapper
	set := func() { mapper.SetSize(id, metres) }
	if a.cfg.Sync {
		set()
	} else if !mapper.Post(set) {
		return false
	}
	a.sizes[id] = metres
	return true
}

// Markers returns the corners of the markers whose place is known, in the world of the newest map.
func (a *Anchoring) Markers() map[int][4]geom.Vec3 {
	corners, _, _ := a.MarkersIn()
	return corners
}

// MarkersIn returns the corners of the markers of known size whose place is known, clockwise from the top
// left, with the name of the map they are in, which may be newer than the last estimate's, and whether
// its unit is metres.
func (a *Anchoring) MarkersIn() (corners map[int][4]geom.Vec3, world string, metric bool) {
	if s := a.mapper.Snapshot(); s != nil {
		return s.Markers, a.qualified(s.Name), s.Metric
	}
	return nil, "", false
}

// Down returns the direction of gravity, of length one, in the world called by that name; false where no board
// that hangs upright was seen in it.
func (a *Anchoring) Down() (down geom.Vec3, world string, ok bool) {
	corners, world, _ := a.MarkersIn()
	down, ok = a.tags.down(corners)
	return down, world, ok
}

// Save writes the maps of a machine and the marks in them to a file, for the next visit. body says what a mark
// is, for whoever Recalls it, and whether it is to be kept.
func (a *Anchoring) Save(path, machine string, body func(mark string) (string, bool)) error {
	s := a.tracker.Save()
	s.Machine = machine
	kept := s.Marks[:0]
	for _, m := range s.Marks {
		var keep bool
		if m.Body, keep = body(m.ID); keep {
			kept = append(kept, m)
		}
	}
	s.Marks = kept
	return mapping.WriteFile(path, s)
}

// Recall reads what Save wrote: its maps are recognised when they are seen again, and its marks stay hidden
// until then. It returns the bodies of the marks by ID. The error says what is wrong with the file, or that it
// is of another machine; machine "" takes any.
func (a *Anchoring) Recall(path, machine string) (bodies map[string]string, err error) {
	s, err := mapping.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if machine != "" && s.Machine != machine {
		return nil, fmt.Errorf("map file %s is of machine %q, this is %q: give the file of this machine", path, s.Machine, machine)
	}
	a.tracker.Recall(s)
	bodies = map[string]string{}
	for _, m := range s.Marks {
		bodies[m.ID] = m.Body
	}
	return bodies, nil
}

// Machine is the machine on whose board a tag was seen, or "".
func (a *Anchoring) Machine() string { return a.tags.machine(a.Markers()) }

// Stages returns the times of the last frame's stages, and begins again.
func (a *Anchoring) Stages() track.Stages {
	s := a.tracker.Stages()
	s[track.StageBeside] += a.lens.looked
	a.lens.looked = 0
	return s
}

// Close ends the mapper and frees the pictures.
func (a *Anchoring) Close() {
	a.stop()
	a.ended.Wait()
	a.tracker.Close()
}
