package sim

import (
	"image/color"
	"math"
	"math/rand/v2"

	"sightline/vision/geom"
)

// Markers are the sides in metres of the ArUco markers in the plant, by ID.
var markerSizes = map[int]float64{MarkerPump: 0.15, MarkerTank: 0.15}

// The markers of the plant's machines.
const (
	MarkerPump = 7
	MarkerTank = 12
)

// gauge is a dial with a needle that shows a machine's tag.
type gauge struct {
	centre geom.Vec3
	radius float64
	end    float64 // the scale runs from 0 to this
	tag    string
}

// plant is the pump room: what stands still, and what moves.
type plant struct {
	static mesh
	gauges []gauge
	needle *texture
	skin   *texture
	sleeve *texture
}

// paints are the surfaces of the plant.
type paints struct {
	floor, wall, ceiling, blue, green, grey, steel, red, yellow, dark, white *texture
	fins, guard, tape                                                        *texture
	left, right                                                              *texture // walls: no two are stained alike
}

func newPaints(rng *rand.Rand) paints {
	return paints{
		floor: concrete(rng), wall: bricks(rng), ceiling: coat(rng, 120, 122, 124, 0.3),
		blue: coat(rng, 36, 84, 150, 1), green: coat(rng, 46, 112, 84, 0.8), grey: coat(rng, 138, 142, 146, 0.8),
		steel: coat(rng, 170, 172, 172, 0.6), red: coat(rng, 186, 38, 32, 0.7), yellow: coat(rng, 224, 172, 28, 0.7),
		dark: coat(rng, 52, 54, 58, 0.8), white: coat(rng, 214, 214, 208, 0.5),
		fins: fins(rng, 58, 128, 98), guard: perforated(rng, 226, 176, 30), tape: stripes(rng),
		left: bricks(rng), right: bricks(rng),
	}
}

// plain returns the paints freshly rolled on: a tenth of their grain, stains and joints is left.
func (p paints) plain() paints {
	const left = 0.1
	for _, t := range []**texture{&p.floor, &p.wall, &p.ceiling, &p.blue, &p.green, &p.grey, &p.steel, &p.red, &p.yellow, &p.dark, &p.white,
		&p.fins, &p.guard, &p.tape, &p.left, &p.right} {
		*t = (*t).faded(left)
	}
	return p
}

func newPlant(seed uint64, light lighting, plain bool) (*plant, error) {
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b9))
	signs, err := newSignwriter()
	if err != nil {
		return nil, err
	}
	p := &plant{needle: paint(8, func(_, _ float64) (float64, float64, float64) { return 30, 28, 28 }),
		skin: coat(rng, 206, 150, 122, 0.1), sleeve: coat(rng, 40, 62, 104, 0.4)}
	c := newPaints(rng)
	if plain {
		c = c.plain()
	}
	p.hall(c, signs)
	p.skid(c, signs)
	p.piping(c, signs)
	p.surroundings(c, signs)
	p.static.bake(rng, light)
	return p, nil
}

func (p *plant) hall(c paints, _ *signwriter) {
	m := &p.static
	v := func(x, y, z float64) geom.Vec3 { return geom.Vec3{x, y, z} }
	m.grid(v(-4, -4, 0), v(8, 0, 0), v(0, 5.6, 0), c.floor, 2.0, 0.14)
	m.grid(v(-4, 1.6, 0), v(8, 0, 0), v(0, 0, 3.5), c.wall, 2.0, 0.16)
	m.grid(v(-3.4, -4, 0), v(0, 5.6, 0), v(0, 0, 3.5), c.left, 2.0, 0.2)
	m.grid(v(3.4, 1.6, 0), v(0, -5.6, 0), v(0, 0, 3.5), c.right, 2.0, 0.2)
	m.grid(v(-4, 1.6, 3.5), v(8, 0, 0), v(0, -5.6, 0), c.ceiling, 1.5, 0.3)
	for _, y := range []float64{-0.72, 0.72} {
		m.grid(v(-1.5, y-0.04, 0.003), v(3, 0, 0), v(0, 0.08, 0), c.tape, 0.16, 0.14)
	}
	for _, x := range []float64{-1.54, 1.46} {
		m.grid(v(x, -0.72, 0.003), v(0.08, 0, 0), v(0, 1.44, 0), c.tape, 0.16, 0.14)
	}
}

// skid is the machine itself: motor, coupling and pump on a base frame.
func (p *plant) skid(c paints, s *signwriter) {
	m := &p.static
	m.box(at(0, 0, 0), 2.3, 1.0, 0.16, c.floor, 1.0)
	for _, y := range []float64{-0.34, 0.34} {
		m.box(at(0, y, 0.16), 2.1, 0.09, 0.14, c.blue, 0.6)
	}
	m.box(at(-0.5, 0, 0.30), 0.95, 0.6, 0.05, c.blue, 0.6)
	m.box(at(0.3, 0, 0.30), 0.45, 0.6, 0.05, c.blue, 0.6)
	x := geom.Vec3{1, 0, 0}
	// Motor: ribs, end shields, terminal box, feet.
	m.tube(along(geom.Vec3{-0.92, 0, 0.66}, x), 0.215, 0.215, 0.60, c.fins, 0.20)
	m.tube(along(geom.Vec3{-1.00, 0, 0.66}, x), 0.19, 0.225, 0.08, c.dark, 0.3)
	m.tube(along(geom.Vec3{-0.32, 0, 0.66}, x), 0.225, 0.15, 0.07, c.green, 0.3)
	m.box(at(-0.62, 0, 0.86), 0.22, 0.20, 0.12, c.grey, 0.4)
	for _, fx := range []float64{-0.82, -0.42} {
		m.box(at(fx, 0, 0.35), 0.10, 0.42, 0.14, c.green, 0.4)
	}
	// Coupling guard and bearing housing.
	m.tube(along(geom.Vec3{-0.24, 0, 0.66}, x), 0.13, 0.13, 0.26, c.guard, 0.25)
	m.box(at(-0.11, 0, 0.35), 0.22, 0.2, 0.2, c.guard, 0.25)
	m.tube(along(geom.Vec3{0.02, 0, 0.66}, x), 0.10, 0.12, 0.14, c.steel, 0.3)
	// Volute with its flange and bolts.
	m.lathe(along(geom.Vec3{0.14, 0, 0.66}, x), [][2]float64{{0, 0}, {0.20, 0}, {0.27, 0.05}, {0.30, 0.12}, {0.27, 0.19}, {0.2, 0.24}, {0, 0.24}}, c.blue, 0.4)
	m.solids = append(m.solids, tubeSolid{along(geom.Vec3{0.14, 0, 0.66}, x), 0.29, 0.24})
	m.bolts(along(geom.Vec3{0.375, 0, 0.66}, x), 0.17, 0.016, 10, c.steel)
	m.box(at(0.26, 0, 0.35), 0.16, 0.4, 0.12, c.blue, 0.4)
	p.plates(s)
}

func (p *plant) plates(s *signwriter) {
	m := &p.static
	r, u := geom.Vec3{1, 0, 0}, geom.Vec3{0, 0, 1}
	m.panel(geom.Vec3{-0.62, -0.226, 0.66}, r.Scale(0.13), u.Scale(0.065), s.nameplate("KESSLER MOTOREN", [][2]string{
		{"Type", "KM 200L-4"}, {"Power", "30 kW  50 Hz"}, {"Speed", "1475 1/min"}, {"No.", "8841-2207"}}), 0.1)
	m.panel(geom.Vec3{-0.86, -0.386, 0.23}, r.Scale(0.1), u.Scale(0.05), s.nameplate("PUMP P-7", [][2]string{
		{"Flow", "120 m3/h"}, {"Head", "38 m"}, {"Medium", "Water"}, {"Year", "2019"}}), 0.1)
	// The marker stands on a plate in front of the frame.
	side := 0.15 / 0.75
	m.panel(geom.Vec3{0.72, -0.40, 0.47}, r.Scale(side/2), u.Scale(side/2), marker(MarkerPump), 0.1)
	m.box(at(0.72, -0.385, 0.16), 0.22, 0.02, 0.42, paint(8, func(_, _ float64) (float64, float64, float64) { return 196, 196, 190 }), 1)
}

// piping is suction to the right, discharge upward with a valve, and the gauges.
func (p *plant) piping(c paints, s *signwriter) {
	m := &p.static
	x, z, back := geom.Vec3{1, 0, 0}, geom.Vec3{0, 0, 1}, geom.Vec3{0, 1, 0}
	flange := func(o, d geom.Vec3, r float64) {
		m.tube(along(o, d), r, r, 0.03, c.steel, 0.2)
		m.bolts(along(o.Add(d.Scale(0.03)), d), r*0.82, 0.012, 8, c.dark)
	}
	m.tube(along(geom.Vec3{0.38, 0, 0.66}, x), 0.09, 0.09, 2.4, c.green, 0.4)
	flange(geom.Vec3{0.48, 0, 0.66}, x, 0.155)
	flange(geom.Vec3{0.52, 0, 0.66}, x, 0.155)
	m.tube(along(geom.Vec3{0.26, 0, 0.93}, z), 0.075, 0.075, 0.95, c.green, 0.4)
	flange(geom.Vec3{0.26, 0, 0.97}, z, 0.13)
	flange(geom.Vec3{0.26, 0, 1.01}, z, 0.13)
	m.ring(place{o: geom.Vec3{0.26, 0.2, 1.88}, x: back.Scale(-1), y: z, z: geom.Vec3{-1, 0, 0}}, 0.2, 0.075, 0, math.Pi/2, c.green, 0.4)
	m.tube(along(geom.Vec3{0.26, 0.2, 2.08}, back), 0.075, 0.075, 1.4, c.green, 0.4)
	// Gate valve: body, bonnet, spindle and handwheel towards the technician.
	m.lathe(along(geom.Vec3{0.26, 0, 1.20}, z), [][2]float64{{0.075, 0}, {0.13, 0.03}, {0.14, 0.11}, {0.13, 0.19}, {0.075, 0.22}}, c.blue, 0.3)
	m.solids = append(m.solids, tubeSolid{along(geom.Vec3{0.26, 0, 1.20}, z), 0.13, 0.22})
	front := geom.Vec3{0, -1, 0}
	m.tube(along(geom.Vec3{0.26, -0.08, 1.31}, front), 0.06, 0.045, 0.10, c.blue, 0.3)
	m.tube(along(geom.Vec3{0.26, -0.18, 1.31}, front), 0.014, 0.014, 0.11, c.steel, 0.3)
	hub := along(geom.Vec3{0.26, -0.27, 1.31}, front)
	m.ring(hub, 0.13, 0.014, 0, 2*math.Pi, c.red, 0.3)
	for i := range 5 {
		sn, cs := math.Sincos(2 * math.Pi * float64(i) / 5)
		m.tube(along(hub.o, hub.dir(cs, sn, 0)), 0.009, 0.009, 0.13, c.red, 0.3)
	}
	p.addGauge(c, s, geom.Vec3{0.26, -0.13, 1.62}, 0.085, "bar", 10, 8, "pressure")
	p.addGauge(c, s, geom.Vec3{0.10, -0.16, 0.90}, 0.06, "°C", 120, 90, "temperature")
	p.addGauge(c, s, geom.Vec3{0.88, -0.14, 0.86}, 0.06, "bar", 4, 3, "suction")
}

func (p *plant) addGauge(c paints, s *signwriter, o geom.Vec3, r float64, unit string, end, redFrom float64, tag string) {
	m := &p.static
	front := geom.Vec3{0, -1, 0}
	m.tube(along(o.Add(geom.Vec3{0, 0.05, 0}), front), r*1.06, r*1.06, 0.048, c.dark, 0.2)
	m.panel(o, geom.Vec3{r, 0, 0}, geom.Vec3{0, 0, r}, s.dial(unit, end, redFrom), 0.1)
	m.tube(along(o.Add(geom.Vec3{0, 0.03, -r - 0.08}), geom.Vec3{0, 0, 1}), 0.012, 0.012, 0.09, c.steel, 0.2)
	p.gauges = append(p.gauges, gauge{centre: o.Add(geom.Vec3{0, -0.006, 0}), radius: r, end: end, tag: tag})
}

// surroundings are the cabinet, the tank, the wall's pipes and signs.
func (p *plant) surroundings(c paints, s *signwriter) {
	m := &p.static
	r, u := geom.Vec3{1, 0, 0}, geom.Vec3{0, 0, 1}
	m.box(at(-2.1, 1.25, 0), 0.9, 0.5, 2.0, c.grey, 0.8)
	m.panel(geom.Vec3{-2.1, 0.995, 1.0}, r.Scale(0.40), u.Scale(0.92), cabinetDoor(s), 0.12)
	m.tube(at(1.9, 0.85, 0.1), 0.52, 0.52, 2.1, c.white, 0.6)
	m.lathe(at(1.9, 0.85, 2.2), [][2]float64{{0.52, 0}, {0.42, 0.12}, {0.22, 0.19}, {0, 0.21}}, c.white, 0.6)
	m.panel(geom.Vec3{1.9, 0.325, 1.55}, r.Scale(0.2), u.Scale(0.2), s.notice(color.RGBA{20, 60, 120, 255}, white, "TANK 12", "Condensate", "max 4.5 bar"), 0.1)
	side := 0.15 / 0.75
	m.panel(geom.Vec3{1.9, 0.325, 1.1}, r.Scale(side/2), u.Scale(side/2), marker(MarkerTank), 0.1)
	for i, z := range []float64{2.35, 2.55, 2.78} {
		tex := []*texture{c.red, c.steel, c.yellow}[i]
		m.tube(along(geom.Vec3{-4, 1.48, z}, r), 0.05-0.008*float64(i), 0.05-0.008*float64(i), 8, tex, 0.5)
	}
	for x := -3.0; x < 3.2; x += 1.1 {
		m.box(at(x, 1.52, 2.25), 0.05, 0.14, 0.62, c.dark, 0.3)
	}
	m.box(at(0, 1.42, 2.95), 7.6, 0.24, 0.05, c.steel, 0.4)
	yellow := color.RGBA{244, 196, 24, 255}
	m.panel(geom.Vec3{-0.75, 1.595, 1.75}, r.Scale(0.2), u.Scale(0.2), s.notice(yellow, black, "WARNING", "Automatic", "start-up", "Hot surface"), 0.1)
	m.panel(geom.Vec3{-1.25, 1.595, 1.6}, r.Scale(0.15), u.Scale(0.15), s.notice(color.RGBA{24, 110, 62, 255}, white, "EXIT", "to the left"), 0.1)
	m.panel(geom.Vec3{0.95, 1.595, 1.55}, r.Scale(0.24), u.Scale(0.24), s.notice(color.RGBA{236, 236, 230, 255}, color.RGBA{30, 60, 130, 255}, "LINE 3", "P-7 feed pump", "T-12 tank", "V-31 valve"), 0.1)
	m.panel(geom.Vec3{0.45, 1.595, 1.1}, r.Scale(0.16), u.Scale(0.16), s.notice(color.RGBA{20, 84, 160, 255}, white, "EAR", "protection", "required"), 0.1)
	m.tube(at(2.9, 1.3, 0.35), 0.09, 0.09, 0.5, c.red, 0.3)
	m.box(at(-3.0, -0.6, 0), 0.5, 0.9, 0.75, c.yellow, 0.6)
	m.box(at(-2.95, 0.3, 0), 0.4, 0.4, 0.5, c.dark, 0.6)
}

// cabinetDoor is the front of the control cabinet: display, lamps, buttons, a main switch.
func cabinetDoor(s *signwriter) *texture {
	img := sheet(256, 512, color.RGBA{150, 154, 158, 255})
	rect(img, 6, 6, 250, 506, color.RGBA{166, 170, 173, 255})
	rect(img, 40, 40, 216, 138, black)
	rect(img, 48, 48, 208, 130, color.RGBA{18, 58, 66, 255})
	s.text(img, 58, 80, 24, color.RGBA{120, 236, 210, 255}, s.bold, false, "P-7  RUN")
	s.text(img, 58, 114, 24, color.RGBA{120, 236, 210, 255}, s.regular, false, "1474 1/min")
	for i, c := range []color.RGBA{{52, 186, 92, 255}, {226, 172, 36, 255}, {206, 50, 44, 255}} {
		x := 68 + 60*float64(i)
		disc(img, x, 178, 20, color.RGBA{70, 72, 74, 255})
		disc(img, x, 178, 15, c)
	}
	for i, name := range []string{"START", "STOP", "RESET"} {
		x := 68 + 60*float64(i)
		disc(img, x, 244, 20, color.RGBA{60, 62, 64, 255})
		disc(img, x, 244, 14, []color.RGBA{{40, 140, 70, 255}, {190, 40, 36, 255}, {50, 80, 150, 255}}[i])
		s.text(img, x, 284, 17, black, s.bold, true, name)
	}
	disc(img, 128, 366, 46, color.RGBA{236, 196, 30, 255})
	disc(img, 128, 366, 30, red)
	rect(img, 60, 440, 196, 482, white)
	s.text(img, 128, 470, 26, black, s.bold, true, "=07+MCC2")
	return newTexture(img)
}

// needles builds the needles of the gauges for the values of their tags.
func (p *plant) needles(value func(tag string) float64) *mesh {
	m := &mesh{}
	for _, g := range p.gauges {
		v := math.Max(0, math.Min(1.03, value(g.tag)/g.end))
		s, c := math.Sincos(dialFrom - v*dialSpan)
		d, n := geom.Vec3{c, 0, s}, geom.Vec3{-s, 0, c}
		o := g.centre.Sub(d.Scale(0.18 * g.radius)).Sub(n.Scale(0.022 * g.radius))
		m.grid(o, d.Scale(0.95*g.radius), n.Scale(0.044*g.radius), p.needle, 0, 1)
	}
	m.lit(1)
	return m
}

// hand builds a forearm and a hand that reaches into the view: o is the wrist and d where the fingers
// point, in the world; s turns the palm.
func (p *plant) hand(o, d, s geom.Vec3) *mesh {
	m := &mesh{}
	m.tube(along(o.Sub(d.Scale(0.36)), d), 0.055, 0.038, 0.30, p.sleeve, 0.2)
	m.tube(along(o.Sub(d.Scale(0.07)), d), 0.03, 0.034, 0.08, p.skin, 0.2)
	side := d.Cross(s).Unit()
	palm := place{o: o, x: side, y: d.Cross(side), z: d}
	m.box(palm, 0.085, 0.03, 0.09, p.skin, 0.2)
	for i := range 4 {
		f := palm
		f.o = palm.at(-0.032+0.021*float64(i), 0, 0.085)
		l := []float64{0.066, 0.078, 0.072, 0.055}[i]
		m.tube(along(f.o, d), 0.0105, 0.008, l, p.skin, 0.2)
	}
	m.tube(along(palm.at(0.045, 0, 0.02), d.Add(side.Scale(0.8))), 0.012, 0.009, 0.07, p.skin, 0.2)
	for i := range m.verts {
		v := &m.verts[i]
		v.light = float32(0.55 + 0.45*math.Max(0, v.normal[2]))
	}
	return m
}

func (m *mesh) lit(l float32) {
	for i := range m.verts {
		m.verts[i].light = l
	}
}
