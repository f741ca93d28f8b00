package call

import (
	"image"
	"sync/atomic"
	"time"

	"sightline/vision"
)

// Frame is one picture of a camera as it was received. It is shared: who keeps it calls Keep, and who
// no longer needs it Release; its memory goes back to the decoder with the last Release.
type Frame struct {
	Camera   string // ID of the publisher
	Picture  *image.YCbCr
	Captured int64     // the frame's name: µs on the publisher's clock
	Arrived  time.Time // when its last packet had come
	Decoded  time.Time
	Damaged  bool

	refs    atomic.Int32
	release func()
}

// NewFrame makes a frame that one holder has. release may be nil.
func NewFrame(camera string, picture *image.YCbCr, captured int64, arrived time.Time, release func()) *Frame {
	f := &Frame{Camera: camera, Picture: picture, Captured: captured, Arrived: arrived, Decoded: arrived, release: release}
	f.refs.Store(1)
	return f
}

// Keep adds a holder and returns the frame.
func (f *Frame) Keep() *Frame {
	if f != nil {
		f.refs.Add(1)
	}
	return f
}

// Release takes a holder away. The nil frame has none.
func (f *Frame) Release() {
	if f != nil && f.refs.Add(-1) == 0 && f.release != nil {
		f.release()
	}
}

// Size is the picture's.
func (f *Frame) Size() image.Point { return f.Picture.Rect.Size() }

// Pose is what the tracker said of a frame.
type Pose struct {
	vision.PoseMessage
	Captured int64
	Exact    bool // of that very frame, not of one before it
}

// poses keeps the latest poses of one camera by the frame they are of.
type poses struct {
	by    map[int64]vision.PoseMessage
	order []int64 // sorted, the oldest first
}

// keptPoses is more than the frames that are under way: 20 s at 30 a second, so that a frame that was
// frozen keeps its own.
const keptPoses = 600

func (p *poses) put(captured int64, m vision.PoseMessage) {
	if p.by == nil {
		p.by = map[int64]vision.PoseMessage{}
	}
	if _, had := p.by[captured]; !had {
		i := len(p.order)
		for i > 0 && p.order[i-1] > captured {
			i--
		}
		p.order = append(p.order, 0)
		copy(p.order[i+1:], p.order[i:])
		p.order[i] = captured
	}
	p.by[captured] = m
	if len(p.order) > keptPoses {
		delete(p.by, p.order[0])
		p.order = p.order[1:]
	}
}

// stalest is how much older than the frame a pose may be that stands in for its own, in µs.
const stalest = 250_000

// get returns the pose of a frame, or the newest one before it that is not too old.
func (p *poses) get(captured int64) (Pose, bool) {
	if m, ok := p.by[captured]; ok {
		return Pose{m, captured, true}, true
	}
	for i := len(p.order) - 1; i >= 0; i-- {
		if at := p.order[i]; at < captured {
			return Pose{p.by[at], at, false}, captured-at <= stalest
		}
	}
	return Pose{}, false
}
