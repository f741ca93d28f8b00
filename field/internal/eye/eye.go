// Package eye is the field client's sight: it tracks every frame, places the marks that were drawn on
// them, and tells the room where the camera and the marks are.
package eye

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"sightline/annotate"
	"sightline/devices"
	"sightline/field/internal/anchoring"
	"sightline/field/internal/capture"
	"sightline/relay/wire"
	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/marker"
)

// Room is the session as the eye needs it (relay/client's Client).
type Room interface {
	Self() wire.Participant
	Publish(kind, id string, captured int64, body any) (wire.Envelope, error)
	SendPose(captured int64, body any) error
}

// Marks are the marks of the room (annotate/replica's Replica).
type Marks interface {
	List() []annotate.Entry
	Version() uint64
}

// Machines knows the machines that the room watches.
type Machines interface {
	// Births returns what the machines are; nobody writes it.
	Births() []devices.Machine
	// Known says whether a mark of that ID was ever in the log, a deleted one too.
	Known(id string) bool
	// Online says whether a participant is here.
	Online(participant string) bool
}

// Library has the maps of machines for all who come to them (field/internal/library).
type Library interface {
	// Changing notes that a map file is about to be changed here, and Sync brings it and the relay's together.
	Changing(file string) error
	Sync(ctx context.Context, machine, file string) error
}

// Config is what an eye needs.
type Config struct {
	Room     Room
	Marks    Marks
	Machines Machines
	// Boards are the sheets of tags on the machines.
	Boards marker.Set
	// Maps is the folder where the maps of machines are kept from one visit to the next, "" for nowhere. Machine
	// is whose maps these are; where it is "", a board that is seen says it.
	Maps, Machine string
	// Library is where the maps are for others; nil for nowhere.
	Library Library
	// Life makes a name that no other run has; it is part of the names of the maps.
	Life   func() string
	Logger *slog.Logger
	Now    func() time.Time
}

// Eye sees. Its methods are called from one goroutine.
type Eye struct {
	cfg     Config
	taken   camera.Model // as frames say
	lens    camera.Model // as the tracker knows it
	tracker *anchoring.Anchoring
	sizes   map[int]float64 // marker sizes that the tracker knows

	version uint64
	entries []annotate.Entry
	known   map[string]*mark
	buried  []string // deleted marks whose places are kept, for an undo
	asked   map[string]bool
	warned  map[int]bool         // of a marker that two machines carry
	machine string               // that is looked at, where known
	recall  map[string]*recalled // marks of earlier visits, by ID
	counts  Counts

	syncing sync.WaitGroup
	oneSync sync.Mutex      // at a time
	synced  <-chan struct{} // closed when the machine's map was looked for in the library; nil when it was recalled
}

// Counts says what the eye did.
type Counts struct {
	Tracked    int `json:"tracked"`     // frames looked at
	Posed      int `json:"posed"`       // frames whose pose is known, in a map or on a panorama
	InMap      int `json:"in_map"`      // frames whose pose is known in a map
	PosesSent  int `json:"poses_sent"`  // pose messages that left
	AnchorsPut int `json:"anchors_put"` // anchor messages
}

// Sight is what was seen in one frame.
type Sight struct {
	Estimate vision.Estimate
	// Lens is the frame's, or, where that was a guess, what was found to be it.
	Lens camera.Model
	// Marks are the room's, those of this camera with their places as of this very frame. It is valid
	// until the next Look; what it points to is not written.
	Marks []annotate.Entry
}

// New makes an eye that has seen nothing.
func New(cfg Config) *Eye {
	return &Eye{cfg: cfg, known: map[string]*mark{}, asked: map[string]bool{}, warned: map[int]bool{}}
}

// Look takes the next frame: where was the camera, and where are the marks? An error means that this
// frame could not be used.
func (y *Eye) Look(f capture.Frame) (Sight, error) {
	if err := y.prepare(f); err != nil {
		return Sight{Lens: f.Lens, Marks: y.cfg.Marks.List()}, err
	}
	e, err := y.tracker.Track(f.Grey(), f.Captured)
	if err != nil {
		return Sight{Lens: y.lens, Marks: y.cfg.Marks.List()}, err
	}
	y.lens = y.tracker.Camera()
	y.counts.Tracked++
	if e.Posed() {
		y.counts.Posed++
	}
	if e.State == vision.Tracking {
		y.counts.InMap++
	}
	if y.cfg.Room.SendPose(f.Captured, e.Message(y.lens)) == nil { // offline is normal, and loss too
		y.counts.PosesSent++
	}
	y.learnSizes()
	y.recallSynced()
	if y.machine == "" {
		if y.machine = y.tracker.Machine(); y.machine != "" {
			y.cfg.Logger.Info("a board says which machine this is", "machine", y.machine)
			y.remember()
		}
	}
	if self := y.cfg.Room.Self(); self.ID != "" {
		y.reconcile(self.ID)
		y.place(e)
		y.pinMachines(self, e)
		y.bringBack(self, e)
	}
	return Sight{Estimate: e, Lens: y.lens, Marks: y.entries}, nil
}

// prepare starts the tracker, anew where the lens is another one.
func (y *Eye) prepare(f capture.Frame) error {
	if y.tracker != nil && f.Lens == y.taken {
		return nil
	}
	y.end()
	t, err := anchoring.Start(anchoring.Config{Camera: f.Lens, Guessed: f.Guessed, Boards: y.cfg.Boards, Life: y.cfg.Life(), Logger: y.cfg.Logger})
	if err != nil {
		return err
	}
	y.tracker, y.taken, y.lens, y.sizes = t, f.Lens, f.Lens, map[int]float64{}
	y.version, y.entries, y.buried, y.recall = 0, nil, nil, nil
	clear(y.known)
	y.machine = y.cfg.Machine
	y.remember()
	return nil
}

// learnSizes tells the tracker of markers on machines, so that the map becomes metric.
func (y *Eye) learnSizes() {
	births := y.cfg.Machines.Births()
	for i, m := range births {
		if m.Marker < 0 || m.MarkerSize <= 0 || y.sizes[m.Marker] == m.MarkerSize {
			continue
		}
		first := slices.IndexFunc(births, func(o devices.Machine) bool { return o.Marker == m.Marker && o.MarkerSize > 0 })
		switch {
		case first == i:
			if y.tracker.SetMarker(m.Marker, m.MarkerSize) {
				y.sizes[m.Marker] = m.MarkerSize
			}
		case births[first].MarkerSize != m.MarkerSize && !y.warned[m.Marker]:
			y.warned[m.Marker] = true
			y.cfg.Logger.Warn("two machines say that they carry the same marker, in two sizes: give one of them another number",
				"marker", m.Marker, "taken", births[first].Name, "left", m.Name)
		}
	}
}

// Counts returns what was done so far.
func (y *Eye) Counts() Counts { return y.counts }

// Close ends the tracker, and keeps its maps for the next visit.
func (y *Eye) Close() {
	y.end()
	y.syncing.Wait()
}

func (y *Eye) end() {
	if y.tracker != nil {
		y.save()
		y.tracker.Close()
		y.tracker = nil
	}
}
