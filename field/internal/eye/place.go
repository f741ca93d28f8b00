package eye

import (
	"errors"
	"math"

	"sightline/annotate"
	"sightline/relay/client"
	"sightline/relay/wire"
	"sightline/vision"
	"sightline/vision/geom"
	"sightline/vision/track"
)

// When the room is told of a place again.
const (
	movedPx   = 0.7     // the map has moved it by more than this in the picture
	moveEvery = 500_000 // µs between two such messages for one mark
)

// place brings the places of this camera's marks up to this frame and tells the room what is new.
func (y *Eye) place(e vision.Estimate) {
	placements := map[string]track.Placement{}
	for _, p := range y.tracker.Placements() {
		placements[p.ID] = p
	}
	corners, world, metric := y.tracker.MarkersIn()
	now := y.cfg.Now().UnixMicro()
	for i := range y.entries {
		entry := &y.entries[i]
		m := y.known[entry.ID]
		if m == nil || !m.mine || m.stale {
			continue
		}
		if m.pin {
			y.hang(m, corners, world, metric)
		} else if p := placements[entry.ID]; !y.renew(m, entry, p) {
			continue
		}
		entry.Anchor = m.anchor
		y.tell(m, e, now)
	}
}

// renew builds the anchor of a mark where its placement is another; false where it is left alone.
func (y *Eye) renew(m *mark, entry *annotate.Entry, p track.Placement) bool {
	if p.State == track.Refused && entry.Anchor != nil && m.anchor == nil {
		m.stale = true // an earlier run has placed it; its map will not come back, and it says so itself
		y.tracker.Forget(p.ID)
		return false
	}
	down := y.down(p)
	same := m.anchor != nil && m.built == p.Changed && m.placement.State == p.State && m.placement.Map == p.Map && m.placement.Reason == p.Reason &&
		(m.anchor.Down == nil) == (down == nil)
	m.placement = p
	if !same {
		m.anchor, m.built = toAnchor(p, m.entry.Time), p.Changed
		m.anchor.Down = down
	}
	return true
}

// down is the direction of gravity in the world of a placed mark, or nil where it is not known.
func (y *Eye) down(p track.Placement) *geom.Vec3 {
	if d, world, ok := y.tracker.Down(); ok && p.State == track.Placed && p.Map == world {
		return &d
	}
	return nil
}

// tell publishes an anchor that the room does not know yet, or knows too differently.
func (y *Eye) tell(m *mark, e vision.Estimate, now int64) {
	a, s := m.anchor, m.sent
	if a == s {
		return
	}
	if s != nil && s.State == a.State && s.Map == a.Map && (s.Down == nil) == (a.Down == nil) {
		if now-m.sentAt < moveEvery {
			return
		}
		if s.Reason == a.Reason && (a.State != annotate.Placed || !e.Posed() || e.Map != a.Map ||
			(view{e.PoseCW, y.lens}).moved(s, a) < movedPx) {
			return
		}
	} else if s == nil && m.sentAt != 0 && now-m.sentAt < moveEvery {
		return // it was refused a moment ago
	}
	m.sentAt = now
	_, err := y.cfg.Room.Publish(wire.KindAnchor, m.entry.ID, m.entry.Captured, *a)
	switch {
	case err == nil:
		y.counts.AnchorsPut++
	case errors.Is(err, client.ErrNotJoined) || errors.Is(err, client.ErrOutboxFull):
		return // later
	default:
		y.cfg.Logger.Warn("a mark's place was not published", "mark", m.entry.ID, "err", err)
	}
	m.sent = a
}

// Told says when, in µs of the wall clock, the room was told of a mark's place last; 0 where it was not.
func (y *Eye) Told(id string) int64 {
	if m := y.known[id]; m != nil && m.sent != nil {
		return m.sentAt
	}
	return 0
}

// point rounds a place to what it is worth, so that a stroke of the greatest length fits into a message:
// coordinates to a millionth of their size, normals to 1e-3, errors to two figures; a doubt of less than a thousandth is none.
func point(p track.Point) annotate.AnchorPoint {
	var a annotate.AnchorPoint
	a.SetCov(p.Cov)
	for i := range a.Cov {
		a.Cov[i] = figures(a.Cov[i], 2)
	}
	for i := range p.P {
		a.P[i] = figures(p.P[i], 6)
		a.Normal[i] = math.Round(p.Normal[i]*1e3) / 1e3
	}
	if p.Doubt >= 1e-3 {
		a.Doubt = figures(p.Doubt, 2)
		for i := range p.Off {
			a.Off[i] = figures(p.Off[i], 2)
		}
	}
	return a
}

// figures rounds to n significant figures.
func figures(v float64, n int) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	e := n - 1 - int(math.Floor(math.Log10(math.Abs(v))))
	if e > 0 {
		s := math.Pow10(e)
		return math.Round(v*s) / s
	}
	s := math.Pow10(-e)
	return math.Round(v/s) * s
}
