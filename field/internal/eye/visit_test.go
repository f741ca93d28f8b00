package eye

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"sightline/annotate"
	"sightline/devices"
	"sightline/devices/sim"
	"sightline/field/internal/capture"
	"sightline/relay/wire"
	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// hall is a room as an eye sees it: the marks that are in it, and those that were.
type hall struct {
	marks   []annotate.Entry
	version uint64
	ever    map[string]bool
}

func (h *hall) Self() wire.Participant      { return wire.Participant{ID: "p-field"} }
func (h *hall) SendPose(int64, any) error   { return nil }
func (h *hall) List() []annotate.Entry      { return append([]annotate.Entry(nil), h.marks...) }
func (h *hall) Version() uint64             { return h.version }
func (h *hall) Births() []devices.Machine   { return nil }
func (h *hall) Known(id string) bool        { return h.ever[id] }
func (h *hall) Online(string) bool          { return true }
func (h *hall) put(marks ...annotate.Entry) { h.marks, h.version = marks, h.version+1 }
func (h *hall) draw(id string, captured int64) annotate.Entry {
	h.ever[id] = true
	return annotate.Entry{ID: id, Captured: captured, Time: captured, Mark: annotate.Mark{Shape: annotate.Arrow, Camera: "p-field", Width: 640, Height: 480,
		Points: []geom.Vec2{{320, 240}, {360, 260}}}}
}

func (h *hall) Publish(kind, id string, _ int64, body any) (wire.Envelope, error) {
	if a, ok := body.(annotate.Anchor); ok && kind == wire.KindAnchor {
		for i := range h.marks {
			if h.marks[i].ID == id {
				h.marks[i].Anchor = &a
				h.version++
			}
		}
	}
	return wire.Envelope{}, nil
}

// visit is an eye before the simulated plant.
type visit struct {
	*Eye
	*hall
	t     *testing.T
	world *sim.World
	next  int
	began int64
}

func newVisit(t *testing.T, h *hall, maps, machine, life string) *visit {
	w, err := sim.NewWorld(sim.Options{Seed: 51, Motion: sim.Walk})
	if err != nil {
		t.Fatal(err)
	}
	y := New(Config{Room: h, Marks: h, Machines: h, Maps: maps, Machine: machine, Life: func() string { return life }, Logger: slog.New(slog.DiscardHandler), Now: time.Now})
	t.Cleanup(y.Close)
	return &visit{Eye: y, hall: h, t: t, world: w, began: time.Now().UnixMicro()}
}

// look shows the eye the next frame.
func (v *visit) look() Sight {
	v.t.Helper()
	captured := v.began + int64(v.next)*33_333
	s, err := v.Look(capture.Frame{Frame: devices.Frame{Picture: v.world.Picture(v.next), Captured: captured}, Lens: v.world.Camera()})
	if err != nil {
		v.t.Fatal(err)
	}
	v.next++
	return s
}

// until looks until something is so.
func (v *visit) until(what string, so func(Sight) bool) {
	v.t.Helper()
	for v.next < 400 {
		s := v.look()
		if so(s) {
			return
		}
		time.Sleep(20 * time.Millisecond) // the mapper works beside
	}
	v.t.Fatalf("in %d frames it never came to this: %s", v.next, what)
}

// shown says whether a mark has a place in the map that the camera is in.
func (v *visit) shown(id string) func(Sight) bool {
	return func(s Sight) bool {
		for _, e := range s.Marks {
			if e.ID == id && e.Anchor != nil && e.Anchor.State == annotate.Placed && s.Estimate.Landmarks > 0 && e.Anchor.Map == s.Estimate.Map {
				return true
			}
		}
		return false
	}
}

// TestVisits maps a machine with two marks, and comes back to the same room: a client that was started again, which
// learns of the machine from a board only when it has looked for a while. One mark was deleted meanwhile, one is
// deleted in the second visit.
func TestVisits(t *testing.T) {
	maps := t.TempDir()
	file := filepath.Join(maps, "hall1%2Fpump-7.slmap")
	kept := func() map[string]bool {
		s, err := mapping.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ids := map[string]bool{}
		for _, m := range s.Marks {
			ids[m.ID] = json.Valid([]byte(m.Body))
		}
		return ids
	}
	h := &hall{ever: map[string]bool{}}
	first := newVisit(t, h, maps, "hall1/pump-7", "a")
	first.until("a map", func(s Sight) bool { return s.Estimate.Landmarks > 0 && first.next > 60 })
	at := first.began + int64(first.next-1)*33_333
	h.put(h.draw("bearing", at), h.draw("valve", at), h.draw("gone", at))
	for _, id := range []string{"bearing", "valve", "gone"} {
		first.until(id+" is placed", first.shown(id))
	}
	h.put(h.marks[0], h.marks[1])
	first.look()
	first.Close()
	if got := kept(); len(got) != 2 || !got["bearing"] || !got["valve"] {
		t.Fatalf("kept %v, want the two that were not deleted", got)
	}

	h.put(h.marks[0]) // the expert deletes one while nobody is there
	second := newVisit(t, h, maps, "", "b")
	for range 5 {
		second.look() // the room's marks are of a frame that nobody remembers
	}
	second.machine = "hall1/pump-7" // a board is seen
	second.remember()
	second.until("the mark of before is back", second.shown("bearing"))
	second.Close()
	if got := kept(); len(got) != 1 || !got["bearing"] {
		t.Errorf("kept %v, want the one that is not deleted", got)
	}
}
