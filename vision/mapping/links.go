package mapping

import "sightline/vision/geom"

// Links says how well the key frames of a map hold each other. Each landmark that two of them see is a thread between them, and
// so are all the ways round by way of others: as currents go through a net of conductors. It is used by those who read it only.
type Links struct {
	frames int
	slack  []float64 // frames x frames
}

// Slack is how loosely two key frames, by their indices, are held by each other: the variance of where the one puts what the
// other saw, in units of that which one landmark would leave. 0 for a key frame and itself.
func (l Links) Slack(i, j int) float64 {
	if i < 0 || j < 0 || i >= l.frames || j >= l.frames {
		return 0
	}
	return l.slack[i*l.frames+j]
}

// looseness is what holds key frames that share nothing: a part of a thread, so that the net is whole.
const looseness = 1e-3

// links is the effective resistance between all pairs of key frames (Klein and Randić, Resistance distance, 1993): from the
// inverse of the Laplacian of the net, each landmark that two key frames see being a conductance of one.
func (w *world) links() Links {
	n := len(w.frames)
	seen := make(map[FeatureID][]int32, len(w.points))
	for i, k := range w.frames {
		for _, o := range k.Seen {
			if _, has := w.points[o.ID]; has {
				seen[o.ID] = append(seen[o.ID], int32(i))
			}
		}
	}
	laplacian := make([]float64, n*n)
	tie := func(i, j int, by float64) {
		laplacian[i*n+j] -= by
		laplacian[j*n+i] -= by
		laplacian[i*n+i] += by
		laplacian[j*n+j] += by
	}
	for _, frames := range seen {
		for a, i := range frames {
			for _, j := range frames[:a] {
				if i != j { // a landmark that two became is seen twice
					tie(int(i), int(j), 1)
				}
			}
		}
	}
	for i := 1; i < n; i++ {
		tie(i-1, i, looseness)
	}
	for i := range laplacian { // what all have in common is free: any number there will do
		laplacian[i] += 1 / float64(n)
	}
	inv, ok := geom.InvertSPD(laplacian, n)
	if !ok {
		return Links{}
	}
	l := Links{frames: n, slack: make([]float64, n*n)}
	for i := range n {
		for j := range n {
			l.slack[i*n+j] = max(0, inv[i*n+i]+inv[j*n+j]-2*inv[i*n+j])
		}
	}
	return l
}
