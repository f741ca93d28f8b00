package app

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"time"

	"sightline/annotate"
	"sightline/devices"
	"sightline/expert/internal/call"
	"sightline/expert/internal/desk"
	"sightline/expert/internal/trace"
)

// tally counts what happens and writes it to the trace. It is safe for use by several goroutines.
type tally struct {
	out *trace.Writer
	now func() time.Time

	mu          sync.Mutex
	count       int64
	exact       int64
	first, last time.Time
	delays      []int32 // capture to screen, in tenths of a ms
	marks       int
	anchors     map[string]string // the last word on each mark
	tags        map[[2]string]int64
	field       string
	flushed     time.Time
}

func newTally(out *trace.Writer, now func() time.Time) *tally {
	return &tally{out: out, now: now, anchors: map[string]string{}, tags: map[[2]string]int64{}}
}

// keptDelays bounds the memory: half an hour at 30 frames a second, after which the oldest are forgotten.
const keptDelays = 54_000

func (t *tally) shown(s desk.Shown) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == 0 {
		t.first = s.At
	}
	t.count, t.last = t.count+1, s.At
	if s.PoseExact {
		t.exact++
	}
	if len(t.delays) >= keptDelays {
		t.delays = slices.Delete(t.delays, 0, keptDelays/10)
	}
	t.delays = append(t.delays, int32(max(-1e9, min(1e9, s.At.UnixMicro()-s.Frame.Captured))/100))
	t.out.Write(trace.Frame{Event: "frame", Captured: s.Frame.Captured, Arrived: s.Frame.Arrived.UnixMicro(), Decoded: s.Frame.Decoded.UnixMicro(),
		Shown: s.At.UnixMicro(), PoseExact: s.PoseExact, State: s.State})
}

func (t *tally) frames() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count
}

func (t *tally) mark(id string, m annotate.Mark, captured int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks++
	line := trace.Mark{Event: "mark", ID: id, Captured: captured, Sent: t.now().UnixMicro(), Shape: string(m.Shape), Width: m.Width, Height: m.Height}
	for _, p := range m.Points {
		line.Points = append(line.Points, [2]float64(p))
	}
	t.out.Write(line)
}

func (t *tally) anchor(id string, a annotate.Anchor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	word := fmt.Sprint(a.MarkTime, a.State, a.Reason)
	if t.anchors[id] == word {
		return // moved a little with its map
	}
	t.anchors[id] = word
	t.out.Write(trace.Placed{Event: "placed", ID: id, At: t.now().UnixMicro(), State: string(a.State), Reason: a.Reason})
}

// readings takes what is on screen; only what is new there is told.
func (t *tally) readings(seen []devices.Reading) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range seen {
		key := [2]string{r.Machine, r.Tag}
		if t.tags[key] == r.Arrived {
			continue
		}
		t.tags[key] = r.Arrived
		line := trace.Tag{Event: "tag", Machine: r.Machine, Tag: r.Tag, Source: r.Source, Arrived: r.Arrived, Shown: t.now().UnixMicro(),
			Alarm: r.Alarm, Quality: string(r.Quality)}
		switch {
		case r.Number != nil:
			line.Value = *r.Number
		case r.Text != nil:
			line.Value = *r.Text
		case r.Flag != nil:
			line.Value = *r.Flag
		}
		t.out.Write(line)
	}
}

func (t *tally) link(l call.Link) {
	state := "connecting"
	if l.Connected {
		state = "connected"
	} else if l.Closed {
		state = "closed"
	}
	t.out.Write(trace.State{Event: "state", At: t.now().UnixMicro(), What: "relay", State: state, Reason: l.Reason})
}

// room takes note of whether the participant whose picture is shown is there.
func (t *tally) room(r *call.Room, camera string) {
	state, reason := "", ""
	for _, c := range r.Cameras {
		if c.Participant == camera {
			state = "online"
			switch {
			case !c.Online:
				state, reason = "offline", c.Reason
			case c.Reason == call.Interrupted:
				state = c.Reason
			}
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now := t.now(); now.Sub(t.flushed) > time.Second {
		t.flushed = now
		t.out.Flush()
	}
	if state == "" || t.field == camera+state {
		return
	}
	t.field = camera + state
	t.out.Write(trace.State{Event: "state", At: t.now().UnixMicro(), What: "field", State: state, Reason: reason})
}

// sum is what came of it all.
func (t *tally) sum(s call.Stats) trace.End {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := trace.End{Event: "end", At: t.now().UnixMicro(), Frames: t.count, Decoded: s.Decoded, Received: s.Received, Lost: s.Lost, Errors: s.Errors,
		Dropped: s.Dropped + max(0, s.Decoded-t.count), Marks: t.marks, CPUSeconds: cpu().Seconds()}
	if d := t.last.Sub(t.first).Seconds(); d > 0 {
		e.FPS = float64(t.count-1) / d
	}
	if t.count > 0 {
		e.PoseExact = float64(t.exact) / float64(t.count)
		sorted := slices.Sorted(slices.Values(t.delays))
		e.DelayP50, e.DelayP95 = float64(sorted[len(sorted)/2])/10, float64(sorted[len(sorted)*95/100])/10
	}
	return e
}

// cpu is what this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (t *tally) report(s call.Stats) string {
	e := t.sum(s)
	return fmt.Sprintf("%d frames shown of %d decoded, %.1f fps, delay %.0f ms p50 %.0f ms p95, pose of the very frame %.0f %%, %d marks, %.1f s of CPU",
		e.Frames, e.Decoded, e.FPS, e.DelayP50, e.DelayP95, 100*e.PoseExact, e.Marks, e.CPUSeconds)
}

func (t *tally) end(s call.Stats) { t.out.Write(t.sum(s)) }

func (t *tally) close() error { return t.out.Close() }
