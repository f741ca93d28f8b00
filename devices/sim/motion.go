package sim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"sightline/vision/geom"
)

// Motion is how the simulated technician moves the head.
type Motion string

// The motions.
const (
	Calm  Motion = "calm"  // stands before the machine and sways
	Walk  Motion = "walk"  // walks up and down before it
	Turns Motion = "turns" // turns the head quickly now and then
	Away  Motion = "away"  // looks away for three seconds, and back
	Pan   Motion = "pan"   // stops after four seconds, and then turns the head on the spot
	Tour  Motion = "tour"  // strides from the cabinet past the machine to the tank, and back
	Still Motion = "still" // a camera on a tripod
)

var motions = []Motion{Calm, Walk, Turns, Away, Pan, Tour, Still}

func checkMotion(m Motion) error {
	if slices.Contains(motions, m) {
		return nil
	}
	return fmt.Errorf("motion %q is none of %v", m, motions)
}

// wave is a sum of sines: a smooth, unhurried wander that never repeats within an hour.
type wave [4]struct{ amp, omega, phase float64 }

func newWave(rng *rand.Rand, amp, period float64) wave {
	var w wave
	for i := range w {
		p := period * (0.5 + 0.9*rng.Float64()) / (1 + 0.7*float64(i))
		w[i].amp = amp * (0.8 + 0.4*rng.Float64()) / float64(1+i)
		w[i].omega = 2 * math.Pi / p
		w[i].phase = 2 * math.Pi * rng.Float64()
	}
	return w
}

func (w *wave) at(t float64) float64 {
	s := 0.0
	for _, k := range w {
		s += k.amp * math.Sin(k.omega*t+k.phase)
	}
	return s
}

// head is the path of the camera.
type head struct {
	motion                Motion
	x, y, z, tx, tz, roll wave
	turn                  wave
}

func newHead(m Motion, seed, path uint64) *head {
	rng := rand.New(rand.NewPCG(seed, 4242+path))
	return &head{motion: m,
		x: newWave(rng, 0.22, 7), y: newWave(rng, 0.12, 9), z: newWave(rng, 0.06, 6),
		tx: newWave(rng, 0.20, 8), tz: newWave(rng, 0.10, 7), roll: newWave(rng, 0.03, 5), turn: newWave(rng, 1, 11)}
}

// poseCW is where the camera is t seconds after the start: world (x along the skid, y into the hall, z
// up, metres) to camera.
func (h *head) poseCW(t float64) geom.Pose {
	if h.motion == Tour {
		return h.tour(t)
	}
	pan := 0.0
	if h.motion == Pan && t > panAfter {
		pan = 0.6 * math.Sin(2*math.Pi*(t-panAfter)/8)
		t = panAfter + 0.5*(1-math.Exp(-2*(t-panAfter))) // the sway dies down within half a second
	}
	eye := geom.Vec3{0.1, -1.75, 1.42}
	look := geom.Vec3{0.05, 0, 0.86}
	roll, yaw := 0.0, pan
	if h.motion != Still {
		eye = eye.Add(geom.Vec3{h.x.at(t), h.y.at(t), h.z.at(t)})
		look = look.Add(geom.Vec3{h.tx.at(t), 0, h.tz.at(t)})
		roll = h.roll.at(t)
	}
	switch h.motion {
	case Walk:
		eye[0] += 0.9 * math.Sin(2*math.Pi*t/14)
		eye[1] -= 0.25 * (1 - math.Cos(2*math.Pi*t/14))
		eye[2] += 0.022 * math.Abs(math.Sin(2*math.Pi*0.9*t))
		roll += 0.012 * math.Sin(2*math.Pi*0.9*t)
		look[0] += 0.35 * math.Sin(2*math.Pi*t/14)
	case Turns:
		yaw = 0.7 * math.Tanh(6*math.Max(0, math.Abs(h.turn.at(t))-1.1)) * math.Copysign(1, h.turn.at(t))
	case Away:
		if p := math.Mod(t, 14); p > 8 {
			yaw = 1.5 * math.Min(1, math.Min((p-8)/1.2, (14-p)/1.2))
			yaw = 1.5 * (0.5 - 0.5*math.Cos(math.Pi*yaw/1.5))
		}
	}
	return lookAt(eye, look, yaw, roll)
}

// panAfter is when, in seconds, the head of Pan stops moving and begins to turn.
const panAfter = 4

// tour walks a loop of 24 s through the room with the bob, the sway and the roll of a stride, and looks
// ahead to what comes next.
func (h *head) tour(t float64) geom.Pose {
	const lap, stride = 24, 0.55 // seconds
	a := 2 * math.Pi * t / lap
	step := 2 * math.Pi * t / (2 * stride) // left and right
	eye := geom.Vec3{-0.2 - 1.7*math.Cos(a), -2.2 + 0.55*math.Sin(a), 1.55}
	look := geom.Vec3{-0.1 - 1.9*math.Cos(a+0.5), 0.5, 0.95}
	eye = eye.Add(geom.Vec3{0.35 * h.x.at(t), 0.35*h.y.at(t) + 0.015*math.Sin(step), 0.02*math.Cos(2*step) + 0.3*h.z.at(t)})
	look = look.Add(geom.Vec3{h.tx.at(t), 0, h.tz.at(t) + 0.015*math.Cos(2*step)})
	return lookAt(eye, look, 0.01*math.Sin(step), h.roll.at(t)+0.025*math.Sin(step))
}

// lookAt is poseCW of a camera at eye that looks at a point, then turned by yaw (left) and roll.
func lookAt(eye, at geom.Vec3, yaw, roll float64) geom.Pose {
	z := at.Sub(eye).Unit()
	x := z.Cross(geom.Vec3{0, 0, 1}).Unit()
	y := z.Cross(x)
	r := geom.Mat3{x[0], x[1], x[2], y[0], y[1], y[2], z[0], z[1], z[2]}
	r = geom.ExpSO3(geom.Vec3{0, 0, roll}).Mul(geom.ExpSO3(geom.Vec3{0, yaw, 0})).Mul(r)
	return geom.Pose{R: r, T: r.MulVec(eye).Scale(-1)}
}

// The hand passes through the view every handEvery seconds, for handFor.
const (
	handEvery = 16.0
	handFor   = 2.6
	handFirst = 12.0
)

// handAt says where the hand is: wrist, the direction of the fingers and the side of the palm, in the
// world; ok is false where there is none.
func handAt(t float64, poseCW geom.Pose) (wrist, fingers, side geom.Vec3, ok bool) {
	p := math.Mod(t-handFirst, handEvery)
	if t < handFirst || p > handFor {
		return wrist, fingers, side, false
	}
	s := p / handFor
	c := geom.Vec3{0.34 - 0.56*s, 0.24 - 0.16*math.Sin(math.Pi*s), 0.52}
	wc := poseCW.Inverse()
	return wc.Apply(c), wc.R.MulVec(geom.Vec3{-0.55, -0.6, 0.6}.Unit()), wc.R.MulVec(geom.Vec3{0, 0, 1}), true
}

// gainAt is the exposure: it drifts, and where lights are switched it jumps and recovers.
func gainAt(t float64, lights bool) float64 {
	g := 1 + 0.10*math.Sin(2*math.Pi*t/11)
	if lights {
		if p := math.Mod(t, 20); p > 15 {
			g *= 1 - 0.55*math.Exp(-(p-15)*0.9)
		}
	}
	return g
}
