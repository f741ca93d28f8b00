package stereo

import (
	"math"
	"slices"

	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/mapping"
)

// window tells the depths around a mark together. Each of its nodes prefers the depth at which other pictures look
// like this one, and its neighbours' depth unless an edge of the picture is between them. So a bland spot is
// told by the texture at its rim, and what stands before it does not draw it to itself. It is a Markov random
// field, solved by loopy belief propagation in its min-sum form (Felzenszwalb and Huttenlocher, Efficient Belief
// Propagation for Early Vision, 2006). Costs are in nats.
//
// Its memory is used again from mark to mark: 1.2 MB.
type window struct {
	lo, step float64 // inverse depth of the first label, and between labels
	depths   int     // labels in use
	origin   geom.Vec2
	in       [nodes * nodes]bool // node j*nodes+i is in the picture
	bright   [nodes * nodes]float64
	data     [nodes * nodes][mostDepths]float32
	// message[d] is what a node was told by its neighbour before it in direction d: right, left, down, up.
	message [4][nodes * nodes][mostDepths]float32
	costs   [mostViews][mostDepths]float32
}

// How the window is judged. Over six simulated plants the share of marks that are held moves by less than 2 % and
// that of wrong ones by less than 0.3 % while nodeNoise goes from 3 to 5, nodeMost from 2 to 5, landmarkMost from 4 to 8,
// bondSlope from 0.15 to 0.3, bondMost from 2 to 4, bondEdge from 6 to 10, bondLeast from 0 to 0.1, sweeps from 2 to 4, the
// window from 48 to 64 px; without the window 5 to 8 % fewer are held.
const (
	// nodes is how many there are on a side, and nodeStep their distance in pixels: 48 px to each side.
	nodes, nodeStep = 25, 4
	centre          = nodes / 2 * (nodes + 1)
	// mostDepths bounds the labels: twice the scene's depth to half of it, at a pixel or two each.
	mostDepths = 96
	mostViews  = 16
	// nodeNoise is the standard deviation in grey levels of the difference between a mean of nine pixels and a pixel
	// of another picture, nodeMost how much a view may say against a depth at a node: it may be hidden there.
	nodeNoise, nodeMost = 3.0, 3.0
	// landmarkMost is how much a landmark may say against a depth at its node.
	landmarkMost = 4.0
	// bondSlope is the cost of neighbours being one label apart, and bondMost its most where there is no edge
	// between them; it falls to 1/e for each bondEdge grey levels they differ in, down to bondLeast.
	bondSlope, bondMost, bondEdge, bondLeast = 0.2, 2.0, 10.0, 0.03
	// sweeps is how often belief goes through the window in each direction.
	sweeps = 2
	// heat is what costs are divided by to become the logarithm of a probability: neighbours, and views, are
	// no independent witnesses.
	heat = 0.5
)

// solve fills the window for a spot and returns how likely each depth is at its centre, as a density over inverse depth. gain is in
// pixels per unit of inverse depth, of the view that moves most.
func (w *window) solve(cam *camera.Model, s *Spot, p prior, gain float64) density {
	lo, hi := p.span()
	w.lo, w.step = lo, math.Max(coarse/gain, (hi-lo)/(mostDepths-1))
	w.depths = min(mostDepths, int((hi-lo)/w.step)+1)
	for d := range w.message {
		for n := range w.message[d] {
			clear(w.message[d][n][:w.depths])
		}
	}
	w.place(cam, s)
	w.look(cam, s)
	w.heed(cam, s.Support)
	for k := range w.depths {
		w.data[centre][k] -= float32(heat * math.Log(p.density(w.at(k))*(hi-lo)))
	}
	for range sweeps {
		w.sweep()
	}
	return w.belief()
}

// at is the inverse depth of a label.
func (w *window) at(k int) float64 { return w.lo + float64(k)*w.step }

// node is where a node is in the picture, in pixels.
func (w *window) node(n int) geom.Vec2 {
	return w.origin.Add(geom.Vec2{float64(n % nodes * nodeStep), float64(n / nodes * nodeStep)})
}

func (w *window) place(cam *camera.Model, s *Spot) {
	const half = nodes / 2 * nodeStep
	w.origin = s.Px.Sub(geom.Vec2{half, half})
	for n := range w.in {
		at := w.node(n)
		if w.in[n] = cam.Contains(at, 2); w.in[n] {
			w.bright[n] = Smooth(s.Grey, at)
		}
	}
}

// look asks the views what they say against each depth at each node.
func (w *window) look(cam *camera.Model, s *Spot) {
	views := s.Views[:min(len(s.Views), mostViews)]
	targets := make([]target, len(views))
	gains := make([]float64, len(views))
	for v := range views {
		targets[v] = newTarget(cam, views[v])
		gains[v] = targets[v].exposure(s)
	}
	for n := range w.in {
		if !w.in[n] {
			continue
		}
		m := cam.Normalize(w.node(n))
		for v := range views {
			ray := views[v].PoseBA.R.MulVec(geom.Vec3{m[0], m[1], 1})
			w.against(&targets[v], ray, gains[v]*w.bright[n], w.costs[v][:w.depths])
		}
		for k := range w.depths {
			w.data[n][k] = w.betterHalf(len(views), k)
		}
	}
}

// against is what one view says against each depth of a node whose ray, turned into the view, is given.
func (w *window) against(t *target, ray geom.Vec3, bright float64, costs []float32) {
	for k := range costs {
		inv := w.at(k)
		costs[k] = nodeMost / 2 // a view that does not see it neither speaks for nor against it
		if u, v, inside := t.project(ray[0]+inv*t.t[0], ray[1]+inv*t.t[1], ray[2]+inv*t.t[2]); inside {
			e := (bilinear(t.g, u, v) - bright) / nodeNoise
			costs[k] = float32(math.Min(nodeMost, e*e/2))
		}
	}
}

// betterHalf is the mean of the lower half of what the views say against a depth, for the reason that looks has.
func (w *window) betterHalf(views, k int) float32 {
	var c [mostViews]float32
	half := (views + 1) / 2
	for v := range views { // kept in order, the lowest first
		x, i := w.costs[v][k], min(v, half)
		for ; i > 0 && c[i-1] > x; i-- {
			c[i] = c[i-1]
		}
		c[i] = x
	}
	sum := float32(0)
	for _, x := range c[:half] {
		sum += x
	}
	return sum / float32(half)
}

// heed adds what the landmarks in the window say of the depths at their nodes.
func (w *window) heed(cam *camera.Model, support []mapping.Support) {
	for _, s := range support {
		px, _ := cam.Project(geom.Vec3{s.N[0], s.N[1], 1})
		d := px.Sub(w.origin).Scale(1.0 / nodeStep)
		i, j := int(math.Round(d[0])), int(math.Round(d[1]))
		if i < 0 || j < 0 || i >= nodes || j >= nodes {
			continue
		}
		data := &w.data[j*nodes+i]
		for k := range w.depths {
			z := w.at(k) - s.Inv
			data[k] += float32(math.Min(landmarkMost, z*z/(s.Var+w.step*w.step)/2))
		}
	}
}

// sweep sends belief through the window once in each direction.
func (w *window) sweep() {
	for b := 1; b < nodes; b++ {
		for a := range nodes {
			w.pass(0, a*nodes+b-1, a*nodes+b)
		}
	}
	for b := nodes - 1; b > 0; b-- {
		for a := range nodes {
			w.pass(1, a*nodes+b, a*nodes+b-1)
		}
	}
	for b := 1; b < nodes; b++ {
		for a := range nodes {
			w.pass(2, (b-1)*nodes+a, b*nodes+a)
		}
	}
	for b := nodes - 1; b > 0; b-- {
		for a := range nodes {
			w.pass(3, b*nodes+a, (b-1)*nodes+a)
		}
	}
}

// pass tells a node what its neighbour in one of the four directions believes, but for what that one has from it.
func (w *window) pass(dir, from, to int) {
	if !w.in[from] || !w.in[to] {
		return
	}
	out, data := w.message[dir][to][:w.depths], w.data[from][:w.depths]
	ahead := w.message[dir][from][:w.depths]
	left, right := w.message[dir^2][from][:w.depths], w.message[dir^3][from][:w.depths] // dir^1 is the way back
	least, best := float32(math.MaxFloat32), float32(math.MaxFloat32)
	for k := range out {
		x := data[k] + ahead[k] + left[k] + right[k]
		least = min(least, x)
		best = min(best+bondSlope, x)
		out[k] = best
	}
	most := least + float32(math.Max(bondLeast, bondMost*math.Exp(-math.Abs(w.bright[to]-w.bright[from])/bondEdge)))
	best = math.MaxFloat32
	for k := len(out) - 1; k >= 0; k-- {
		best = min(best+bondSlope, out[k])
		out[k] = min(best, most) - least
	}
}

// density is a probability density over inverse depth, by labels.
type density struct {
	lo, step float64
	p        []float64
}

// belief is that of the centre.
func (w *window) belief() density {
	b := density{lo: w.lo, step: w.step, p: make([]float64, w.depths)}
	for k := range b.p {
		b.p[k] = float64(w.data[centre][k])
		for d := range w.message {
			b.p[k] += float64(w.message[d][centre][k])
		}
	}
	least, sum := slices.Min(b.p), 0.0
	for k := range b.p {
		b.p[k] = math.Exp((least - b.p[k]) / heat)
		sum += b.p[k] * b.step
	}
	for k := range b.p {
		b.p[k] /= sum
	}
	return b
}

// at interpolates.
func (d density) at(inv float64) float64 {
	if len(d.p) < 2 {
		return d.p[0]
	}
	x := (inv - d.lo) / d.step
	k := max(0, min(len(d.p)-2, int(x)))
	f := math.Max(0, math.Min(1, x-float64(k)))
	return d.p[k]*(1-f) + d.p[k+1]*f
}

// exposure is how much brighter a view is than the spot's picture: the median ratio at the landmarks.
func (t *target) exposure(s *Spot) float64 {
	var r []float64
	for _, q := range s.Support {
		ray := geom.Vec3{q.N[0], q.N[1], 1}
		at, _ := t.cam.Project(ray)
		c := t.turn.MulVec(ray).Add(t.t.Scale(q.Inv))
		if u, v, inside := t.project(c[0], c[1], c[2]); inside && t.cam.Contains(at, 2) {
			r = append(r, (Smooth(t.g, geom.Vec2{u, v})+1)/(Smooth(s.Grey, at)+1))
		}
	}
	if len(r) < leastRatios {
		return 1
	}
	slices.Sort(r)
	return r[len(r)/2]
}

// leastRatios is the fewest landmarks that tell how exposure changed.
const leastRatios = 5
