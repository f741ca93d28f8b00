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
	"sightline/vision/solve"
)

// MarkerFinder finds the markers of known size in a picture.
type MarkerFinder interface {
	Markers(g *image.Gray) (ids []int, corners [][4]geom.Vec2, err error)
}

// Config is what a Mapper needs.
type Config struct {
	Camera camera.Model
	// Finder is nil where markers are not to be read; Sizes are the sides of the markers that give
	// scale, in metres, by ID.
	Finder MarkerFinder
	Sizes  map[int]float64
	Logger *slog.Logger
}

// Thresholds, in pixels and degrees of the camera in use.
const (
	// minParallax is where the depth of a landmark becomes known well enough to track by: at 1.2
	// degrees and 0.3 px of measurement error (600 px focal length), depth is known to 2.4 %.
	minParallax = 1.2 * math.Pi / 180
	// maxReprojection is where an observation is no longer of the same point; feature tracking is good
	// to half a pixel, so this is beyond five standard deviations.
	maxReprojection = 2.5
	// window is how many of the newest key frames a bundle adjustment moves; the older ones that see
	// the same landmarks hold still. The cost grows with its cube; 8 cover 1 to 3 s of motion.
	window = 8
	// maxKeyframes bounds memory; with 300 observations each the map stays under 2 MB.
	maxKeyframes = 64
)

// Mapper owns the map. Begin, Insert and Add are called from one goroutine; Snapshot from any.
type Mapper struct {
	cfg   Config
	focal float64
	state atomic.Pointer[Snapshot]

	worlds int
	frames []*Keyframe
	points map[FeatureID]Landmark
	unit   float64
	metric bool
	serial int

	in      chan func()
	stopped chan struct{}
}

// New returns a mapper without a map.
func New(cfg Config) *Mapper {
	cfg.Sizes = maps.Clone(cfg.Sizes)
	if cfg.Sizes == nil {
		cfg.Sizes = map[int]float64{}
	}
	return &Mapper{cfg: cfg, focal: (cfg.Camera.Fx + cfg.Camera.Fy) / 2, in: make(chan func(), 4), stopped: make(chan struct{})}
}

// Snapshot returns the map as it stands, nil before Begin.
func (m *Mapper) Snapshot() *Snapshot { return m.state.Load() }

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

// Begin throws the old map away and starts a world from a few views, whose poses are known up to scale;
// the first is the world's frame. It returns an error, and keeps no map, where too few points can be
// triangulated.
func (m *Mapper) Begin(views []Proposal) error {
	m.worlds++
	m.frames, m.points, m.unit, m.metric = nil, map[FeatureID]Landmark{}, 1, false
	m.state.Store(nil)
	for _, v := range views {
		m.keep(v)
	}
	m.triangulate()
	m.adjust()
	if n := len(m.points); n < MinLandmarks {
		m.frames, m.points = nil, nil
		return fmt.Errorf("the first views give %d landmarks, at least %d are needed", n, MinLandmarks)
	}
	m.rescale(1 / m.medianDepth(views[len(views)-1].PoseCW))
	m.unit = 1
	m.measureScale()
	m.publish()
	return nil
}

// Reset throws the map away.
func (m *Mapper) Reset() {
	m.frames, m.points = nil, nil
	m.state.Store(nil)
}

// MinLandmarks is the smallest map that is worth tracking by.
const MinLandmarks = 40

// Insert adds a key frame, triangulates what it makes visible from two sides, and adjusts.
func (m *Mapper) Insert(p Proposal) {
	if len(m.frames) == 0 {
		return
	}
	m.keep(p)
	m.triangulate()
	m.adjust()
	m.cull()
	m.measureScale()
	m.publish()
}

// Add adds observations to key frames that are in the map, and triangulates what they make possible.
func (m *Mapper) Add(sightings []Sighting) {
	changed := false
	for _, s := range sightings {
		for i, k := range m.frames {
			if k.Captured == s.Captured {
				n := *k
				n.Seen = append(slices.Clip(n.Seen), s.Observation)
				m.frames[i], changed = &n, true
			}
		}
	}
	if changed {
		m.triangulate()
		m.publish()
	}
}

func (m *Mapper) keep(p Proposal) {
	k := &Keyframe{Captured: p.Captured, PoseCW: p.PoseCW, Seen: append([]Observation(nil), p.Seen...)}
	if m.cfg.Finder != nil && p.Grey != nil {
		ids, corners, err := m.cfg.Finder.Markers(p.Grey)
		if err != nil {
			m.cfg.Logger.Warn("marker search failed", "err", err)
		}
		for i, id := range ids {
			for c, px := range corners[i] {
				k.Seen = append(k.Seen, Observation{MarkerCorner(id, c), m.cfg.Camera.Normalize(px)})
			}
		}
	}
	m.frames = append(m.frames, k)
}

// views gathers, for every feature that wanted accepts, the key frames that see it.
func (m *Mapper) views(wanted func(FeatureID) bool) map[FeatureID][]solve.View {
	by := map[FeatureID][]solve.View{}
	for _, k := range m.frames {
		for _, o := range k.Seen {
			if wanted(o.ID) {
				by[o.ID] = append(by[o.ID], solve.View{PoseCW: k.PoseCW, N: o.N})
			}
		}
	}
	return by
}

// triangulate makes landmarks of the features that have parallax and whose views agree.
func (m *Mapper) triangulate() {
	missing := m.views(func(id FeatureID) bool { _, has := m.points[id]; return !has })
	for id, v := range missing {
		if len(v) < 2 || solve.Parallax(v) < minParallax {
			continue
		}
		p, cov, ok := solve.Triangulate(v, m.focal)
		if ok && m.agrees(v, p) {
			m.points[id] = Landmark{P: p, Cov: cov, Views: len(v)}
		}
	}
}

func (m *Mapper) agrees(views []solve.View, p geom.Vec3) bool {
	for _, v := range views {
		if solve.ReprojectionPx(v.PoseCW, p, v.N, m.focal) > maxReprojection {
			return false
		}
	}
	return true
}

// cull keeps memory bounded: past the limit the key frame goes whose landmarks the others see best.
func (m *Mapper) cull() {
	if len(m.frames) <= maxKeyframes {
		return
	}
	count := map[FeatureID]int{}
	for _, k := range m.frames {
		for _, o := range k.Seen {
			count[o.ID]++
		}
	}
	best, share := 1, -1.0
	for i, k := range m.frames[1 : len(m.frames)-window] {
		redundant := 0
		for _, o := range k.Seen {
			if count[o.ID] > 3 {
				redundant++
			}
		}
		if s := float64(redundant) / float64(len(k.Seen)+1); s > share {
			best, share = i+1, s
		}
	}
	m.frames = slices.Delete(slices.Clone(m.frames), best, best+1)
	m.dropUnseen()
}

// dropUnseen removes the landmarks that fewer than two key frames see.
func (m *Mapper) dropUnseen() {
	count := map[FeatureID]int{}
	for _, k := range m.frames {
		for _, o := range k.Seen {
			count[o.ID]++
		}
	}
	maps.DeleteFunc(m.points, func(id FeatureID, _ Landmark) bool { return count[id] < 2 })
}

func (m *Mapper) medianDepth(poseCW geom.Pose) float64 {
	var z []float64
	for _, l := range m.points {
		z = append(z, poseCW.Apply(l.P)[2])
	}
	slices.Sort(z)
	return z[len(z)/2]
}

// rescale multiplies all lengths of the world by s.
func (m *Mapper) rescale(s float64) {
	for i, k := range m.frames {
		n := *k
		n.PoseCW.T = n.PoseCW.T.Scale(s)
		m.frames[i] = &n
	}
	for id, l := range m.points {
		l.P, l.Cov = l.P.Scale(s), l.Cov.Scale(s*s)
		m.points[id] = l
	}
	m.unit *= s
}

func (m *Mapper) publish() {
	m.serial++
	m.state.Store(&Snapshot{
		Version: m.serial, World: m.world(), Name: m.name(), Unit: m.unit, Metric: m.metric,
		Keyframes: slices.Clone(m.frames), Landmarks: maps.Clone(m.points), Markers: m.markers(),
	})
}

func (m *Mapper) world() string { return fmt.Sprintf("w%d", m.worlds) }

// name changes with the unit, so that an anchor in the old unit is never drawn in the new one.
func (m *Mapper) name() string {
	if m.metric {
		return m.world() + "-metres"
	}
	return m.world()
}
