package mapping

import (
	"context"
	"fmt"
	"image"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync/atomic"

	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/reloc"
)

// MarkerFinder finds the markers of known size in a picture.
type MarkerFinder interface {
	Markers(g *image.Gray) (ids []int, corners [][4]geom.Vec2, err error)
}

// Describer says what points of a picture (in pixels) look like.
type Describer interface {
	Describe(g *image.Gray, at []geom.Vec2) ([][]reloc.Descriptor, error)
}

// PoseFinder finds a pose among outliers. Coordinates are normalized, and so is the threshold.
type PoseFinder interface {
	PnP(world []geom.Vec3, seen []geom.Vec2, threshold float64) (poseCW geom.Pose, inlier []bool, ok bool, err error)
}

// Config is what a Mapper needs.
type Config struct {
	Camera camera.Model
	// Describer and PoseFinder know places again; without them none is.
	Describer  Describer
	PoseFinder PoseFinder
	// Finder is nil where markers are not to be read; Sizes are the sides of the markers that give
	// scale, in metres, by ID.
	Finder MarkerFinder
	Sizes  map[int]float64
	Logger *slog.Logger
}

// Thresholds, in pixels and degrees of the camera in use.
const (
	// minParallax is where a point becomes a landmark: at 0.4 degrees and 0.3 px of measurement error (600 px focal
	// length) its depth is known to 7 %. That is poor, and its covariance says so; but a head that turns into a
	// new view has nothing better to hold on to, and further views make it good.
	minParallax = 0.4 * math.Pi / 180
	// maxReprojection is where an observation is no longer of the same point; feature tracking is good
	// to half a pixel, so this is beyond five standard deviations.
	maxReprojection = 2.5
	// window is how many of the newest key frames a bundle adjustment moves; the older ones that see
	// the same landmarks hold still. The cost grows with its cube; 8 cover 1 to 3 s of motion.
	window = 8
	// maxKeyframes bounds the memory of a world: pictures of 0.3 MB, and descriptors.
	maxKeyframes = 100
	// mostLooks is how many descriptors, of some hundred bytes with their index, a world gathers before they are
	// thinned out, and looksOfOne how many of a landmark are left then: three views at four scales.
	mostLooks, looksOfOne = 100_000, 12
	// maxWorlds is how many maps are remembered that could not be joined; the smallest go first.
	maxWorlds = 8
)

// Mapper owns the maps: the active one, which grows, and those that wait to be seen again. All methods are
// called from one goroutine, but Snapshot, NewID, Knows, Serve, Post and Call from any.
type Mapper struct {
	cfg   Config
	focal float64
	state atomic.Pointer[Snapshot]
	ids   atomic.Int64
	known atomic.Int32 // maps that wait

	readout  float64 // seconds; see Snapshot
	active   *world
	dormant  []*world
	worlds   int   // ever begun
	recalled int64 // key frames of earlier visits
	serial   int   // of the snapshots
	looked   int64 // capture time of the last look for a return

	in      chan func()
	stopped chan struct{}
}

// New returns a mapper without a map.
func New(cfg Config) *Mapper {
	cfg.Sizes = maps.Clone(cfg.Sizes)
	if cfg.Sizes == nil {
		cfg.Sizes = map[int]float64{}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Mapper{cfg: cfg, focal: cfg.Camera.Focal(), readout: cfg.Camera.Readout, in: make(chan func(), 4), stopped: make(chan struct{})}
}

// Snapshot returns the active map as it stands, nil where there is none.
func (m *Mapper) Snapshot() *Snapshot { return m.state.Load() }

// NewID returns a name for a feature that no other has, in any map.
func (m *Mapper) NewID() FeatureID { return FeatureID(m.ids.Add(1)) }

// Serve carries out what Post and Call hand over until the context ends. It is the mapper's goroutine
// and is called once.
func (m *Mapper) Serve(ctx context.Context) {
	defer close(m.stopped)
	for {
		select {
		case <-ctx.Done():
			return
		case f := <-m.in:
			f()
		}
	}
}

// Post hands a call over to Serve's goroutine; false where it is too busy to take it, and then the
// caller goes on without.
func (m *Mapper) Post(f func()) bool {
	select {
	case m.in <- f:
		return true
	default:
		return false
	}
}

// Call hands a call over and returns when it is done; false where Serve has ended.
func (m *Mapper) Call(f func()) bool {
	done := make(chan struct{})
	select {
	case m.in <- func() { f(); close(done) }:
	case <-m.stopped:
		return false
	}
	select {
	case <-done:
		return true
	case <-m.stopped:
		return false
	}
}

// Begin starts a world from a few views, whose poses are known up to scale; the first is the world's frame.
// The one that was active waits. It returns an error, and has no active map, where too few points can be
// triangulated.
func (m *Mapper) Begin(views []Proposal) error {
	m.Park()
	m.worlds++
	w := newWorld(worldName(m.worlds), m.focal)
	for i := range views {
		m.keep(w, &views[i])
	}
	w.triangulate()
	w.adjust(window)
	if n := len(w.points); n < MinLandmarks {
		return fmt.Errorf("the first views give %d landmarks, at least %d are needed", n, MinLandmarks)
	}
	w.rescale(1 / w.medianDepth(views[len(views)-1].PoseCW))
	w.unit = 1
	m.active = w
	m.measureScale()
	m.publish()
	return nil
}

// Park puts the active map with those that wait to be seen again.
func (m *Mapper) Park() {
	if m.active == nil {
		return
	}
	m.active.thinLooks()
	m.dormant = append(m.dormant, m.active)
	m.active = nil
	m.state.Store(nil)
	if len(m.dormant) > maxWorlds {
		size := func(a, b *world) int { return len(a.frames) - len(b.frames) }
		smallest := slices.MinFunc(m.dormant, size)
		m.forget(smallest)
	}
	m.known.Store(int32(len(m.dormant)))
}

// forget takes a world from those that wait.
func (m *Mapper) forget(w *world) {
	m.dormant = slices.DeleteFunc(m.dormant, func(o *world) bool { return o == w })
	m.known.Store(int32(len(m.dormant)))
}

// MinLandmarks is the smallest map that is worth tracking by.
const MinLandmarks = 40

// Insert adds a key frame, triangulates what it makes visible from two sides, adjusts, and looks whether
// the place is one that is known.
func (m *Mapper) Insert(p Proposal) {
	w := m.active
	if w == nil {
		return
	}
	m.keep(w, &p)
	w.triangulate()
	w.adjust(window)
	m.revisit(&p)
	m.active.cull()
	m.measureScale()
	m.publish()
}

// with returns the key frame with more observations.
func (k *Keyframe) with(more ...Observation) *Keyframe {
	n := *k
	n.Seen = append(slices.Clip(n.Seen), more...)
	return &n
}

// keep puts a key frame into a world: what the tracker saw, and the markers.
func (m *Mapper) keep(w *world, p *Proposal) {
	m.describe(p)
	p.Seen = slices.Clone(p.Seen)
	m.level(p.Seen)
	k := &Keyframe{Captured: p.Captured, PoseCW: p.PoseCW, Seen: slices.Clip(p.Seen)}
	if m.cfg.Finder != nil && p.Grey != nil {
		ids, corners, err := m.cfg.Finder.Markers(p.Grey)
		if err != nil {
			m.cfg.Logger.Warn("marker search failed", "err", err)
		}
		for i, id := range ids {
			for c, px := range corners[i] {
				n := m.cfg.Camera.Normalize(px)
				k.Seen = append(k.Seen, Observation{ID: MarkerCorner(id, c), N: n, Roll: p.Flow.At(n).Scale(m.cfg.Camera.Down(px))})
			}
		}
		m.level(k.Seen[len(p.Seen):])
	}
	w.frames = append(w.frames, k)
	w.learn(*p)
}

// describe finds out what the features of a proposal look like.
func (m *Mapper) describe(p *Proposal) {
	if m.cfg.Describer == nil || p.Grey == nil || p.Looks != nil {
		return
	}
	at := make([]geom.Vec2, len(p.Seen))
	for i, o := range p.Seen {
		at[i], _ = m.cfg.Camera.Project(geom.Vec3{o.N[0], o.N[1], 1})
	}
	looks, err := m.cfg.Describer.Describe(p.Grey, at)
	if err != nil {
		m.cfg.Logger.Warn("describing a key frame failed", "err", err)
	}
	p.Looks = looks
}

func (m *Mapper) publish() {
	m.serial++
	s := m.active.snapshot(m.serial, m.markers())
	s.Readout = m.readout
	m.state.Store(s)
}

// Knows says whether a map waits to be seen again. Any goroutine may ask.
func (m *Mapper) Knows() bool { return m.known.Load() > 0 }
