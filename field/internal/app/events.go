package app

import (
	"sightline/annotate"
	"sightline/annotate/scene"
	"sightline/field/internal/eye"
	"sightline/field/internal/room"
	"sightline/field/internal/trace"
)

// events tells the trace of what was drawn for the first time.
type events struct {
	room  *room.Room
	out   *trace.Writer
	marks map[string]*seenMark
	tags  map[string]int64 // machine/tag → Arrived of the reading that was drawn last
	since int64            // µs, wall clock: the second that told counts in
	told  int
}

// seenMark is a mark on its way to the screen.
type seenMark struct {
	time   int64 // which revision
	placed int64 // µs, wall clock
	shown  bool
}

// tagsPerSecond bounds the events of readings.
const tagsPerSecond = 20

func newEvents(r *room.Room, out *trace.Writer) events {
	return events{room: r, out: out, marks: map[string]*seenMark{}, tags: map[string]int64{}}
}

// frame goes through what a composed picture shows; marks are those it was made of. looked and now are
// µs of the wall clock, after the eye was done and after the picture was composed.
func (v *events) frame(r scene.Result, marks []annotate.Entry, captured, looked, now int64, y *eye.Eye) {
	for i := range min(len(r.Marks), len(marks)) {
		v.mark(&marks[i], r.Marks[i], captured, looked, now, y)
	}
	v.readings(r, now)
}

func (v *events) mark(e *annotate.Entry, m scene.MarkView, captured, looked, now int64, y *eye.Eye) {
	s := v.marks[e.ID]
	if s == nil || s.time != e.Time {
		s = &seenMark{time: e.Time}
		v.marks[e.ID] = s
	}
	if s.placed == 0 && e.Anchor != nil && e.Anchor.State == annotate.Placed {
		s.placed = looked
	}
	if s.shown || m.State != scene.Shown {
		return
	}
	s.shown = true
	v.out.Put(trace.Placed{Event: "mark", ID: e.ID, Shape: e.Mark.Shape, Captured: e.Captured, Arrived: v.room.Arrived(e.ID),
		PlacedAt: s.placed, Sent: y.Told(e.ID), ShownAt: now, Frame: captured})
}

func (v *events) readings(r scene.Result, now int64) {
	if now-v.since > 1_000_000 {
		v.since, v.told = now, 0
	}
	for _, t := range r.Readings {
		key := t.Machine + "/" + t.Tag
		if v.tags[key] == t.Arrived {
			continue
		}
		v.tags[key] = t.Arrived
		if v.told++; v.told <= tagsPerSecond {
			v.out.Put(trace.Tag{Event: "tag", Machine: t.Machine, Tag: t.Tag, Source: t.Source, Arrived: t.Arrived, Shown: now})
		}
	}
}
