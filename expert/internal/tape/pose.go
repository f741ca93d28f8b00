package tape

import (
	"cmp"
	"math"
	"slices"

	"sightline/expert/internal/call"
	"sightline/vision"
	"sightline/vision/geom"
)

// poses are what a tracker said of its frames, by the frame's name.
type poses struct {
	all []named
}

type named struct {
	captured int64
	vision.PoseMessage
}

func (t *Tape) pose(participant string) *poses {
	p := t.poses[participant]
	if p == nil {
		p = &poses{}
		t.poses[participant] = p
	}
	return p
}

func (p *poses) put(captured int64, m vision.PoseMessage) { p.all = append(p.all, named{captured, m}) }

func (p *poses) sort() {
	slices.SortStableFunc(p.all, func(a, b named) int { return cmp.Compare(a.captured, b.captured) })
}

// Limits of what stands in for a pose that was lost on its way, µs.
const (
	between = 250_000 // two poses so near to each other say what was between them
	stalest = 250_000 // a pose so old is the last resort, as on the live desk
)

// Pose returns where a participant's camera was in a frame: the pose of that very frame, or one between those
// around it, whose Sigma grows by what cannot be known, or the last before it.
func (t *Tape) Pose(participant string, captured int64) (call.Pose, bool) {
	p := t.poses[participant]
	if p == nil {
		return call.Pose{}, false
	}
	i, exact := slices.BinarySearchFunc(p.all, captured, func(n named, c int64) int { return cmp.Compare(n.captured, c) })
	if exact {
		return call.Pose{PoseMessage: p.all[i].PoseMessage, Captured: captured, Exact: true}, true
	}
	if i == 0 {
		return call.Pose{}, false
	}
	a := p.all[i-1]
	if i < len(p.all) {
		if b := p.all[i]; b.captured-a.captured <= between && a.Map == b.Map && a.State == b.State && a.State == vision.Tracking {
			return call.Pose{PoseMessage: mix(a, b, captured), Captured: captured}, true
		}
	}
	return call.Pose{PoseMessage: a.PoseMessage, Captured: a.captured}, captured-a.captured <= stalest
}

// mix is the pose between two: the way of the camera's centre is straight and its turn even. A hand that
// shakes strays from that by an eighth of what it accelerates in the square of the time; as much as an eighth
// of the turn itself is taken for the error.
func mix(a, b named, captured int64) vision.PoseMessage {
	f := float64(captured-a.captured) / float64(b.captured-a.captured)
	from, to := geom.Pose{R: a.Q.Mat(), T: a.T}, geom.Pose{R: b.Q.Mat(), T: b.T}
	turn := geom.LogSO3(to.R.Mul(from.R.Transpose()))
	r := geom.ExpSO3(turn.Scale(f)).Mul(from.R)
	centre := from.Centre().Scale(1 - f).Add(to.Centre().Scale(f))
	m := a.PoseMessage
	m.Q, m.T = geom.QuatOf(r), r.MulVec(centre).Scale(-1)
	m.Sigma = math.Hypot(max(a.Sigma, b.Sigma), turn.Norm()*m.Camera.Fx/8)
	return m
}
