package mapping

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"sightline/vision/geom"
	"sightline/vision/reloc"
)

// A map file is, in little-endian order:
//
//	magic "SLMAP" and a byte 2, the version
//	machine: string
//	worlds: count, each
//	    metric: byte 0 or 1
//	    landmarks: count, each: id int64, views uint16, place 3 float64, covariance 6 float32 (upper triangle by
//	        rows, for one pixel), descriptors: count, each 32 bytes
//	    key frames: count, each: poseCW as 12 float64 (R by rows, T), observations: count, each: id int64,
//	        normalized x and y as float32
//	marks: count, each: id string, body string, world uint32, points: count, each: place 3 float64, normal 3 float32,
//	    covariance 6 float32, doubt 1 float32 (0 to 1), off 3 float32
//	SHA-256 of everything before it, 32 bytes
//
// A count is a uint32, a string a uint32 of its bytes and these. Lengths are metres where the world is metric.
// There are no pictures in it, and none can be made from it.
const (
	magic       = "SLMAP"
	fileVersion = 2
	// mostBytes bounds what is read: ten times the largest map that a session writes.
	mostBytes = 256 << 20
)

// WriteFile writes maps to a file at once or not at all.
func WriteFile(path string, s Saved) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".map-*")
	if err != nil {
		return fmt.Errorf("map file: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(Encode(s))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("map file %s: %w", path, err)
	}
	return nil
}

// ReadFile reads what WriteFile wrote. The error says in what the file is not one.
func ReadFile(path string) (Saved, error) {
	f, err := os.Open(path)
	if err != nil {
		return Saved{}, fmt.Errorf("map file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostBytes+1))
	if err != nil {
		return Saved{}, fmt.Errorf("map file %s: %w", path, err)
	}
	s, err := Decode(data)
	if err != nil {
		return Saved{}, fmt.Errorf("map file %s: %w; leave it out to map the machine anew", path, err)
	}
	return s, nil
}

// Encode returns the bytes of a map file.
func Encode(s Saved) []byte {
	var e encoder
	e.WriteString(magic)
	e.WriteByte(fileVersion)
	e.text(s.Machine)
	e.count(len(s.Worlds))
	for _, w := range s.Worlds {
		e.world(w)
	}
	e.count(len(s.Marks))
	for _, m := range s.Marks {
		e.text(m.ID)
		e.text(m.Body)
		e.count(m.World)
		e.count(len(m.Points))
		for _, p := range m.Points {
			e.put(p.P, single(p.Normal[:]), upper(p.Cov), float32(p.Doubt), single(p.Off[:]))
		}
	}
	return sealed(e.Bytes())
}

// sealed puts the checksum under the content of a file.
func sealed(content []byte) []byte {
	sum := sha256.Sum256(content)
	return append(content, sum[:]...)
}

type encoder struct{ bytes.Buffer }

// put writes values of fixed size; a buffer takes them all.
func (e *encoder) put(values ...any) {
	for _, v := range values {
		_ = binary.Write(e, binary.LittleEndian, v)
	}
}

func (e *encoder) count(n int) { e.put(uint32(n)) }

func (e *encoder) text(s string) {
	e.count(len(s))
	e.WriteString(s)
}

func (e *encoder) world(w SavedWorld) {
	e.put(w.Metric)
	e.count(len(w.Landmarks))
	for _, l := range w.Landmarks {
		e.put(int64(l.ID), uint16(l.Views), l.P, upper(l.Cov))
		e.count(len(l.Looks))
		e.put(l.Looks)
	}
	e.count(len(w.Keyframes))
	for _, k := range w.Keyframes {
		e.put(k.PoseCW.R, k.PoseCW.T)
		e.count(len(k.Seen))
		for _, o := range k.Seen {
			e.put(int64(o.ID), single(o.N[:]))
		}
	}
}

func single(v []float64) []float32 {
	out := make([]float32, len(v))
	for i, x := range v {
		out[i] = float32(x)
	}
	return out
}

// upper is the upper triangle of a symmetric matrix by rows.
func upper(m geom.Mat3) []float32 {
	return single([]float64{m[0], m[1], m[2], m[4], m[5], m[8]})
}

// Decode reads the bytes of a map file. Whatever they are, it returns an error and no panic.
func Decode(data []byte) (s Saved, err error) {
	body := len(data) - sha256.Size
	switch {
	case len(data) > mostBytes:
		return s, fmt.Errorf("larger than %d MB", mostBytes>>20)
	case len(data) < len(magic)+1 || string(data[:len(magic)]) != magic:
		return s, errors.New("not a map file")
	case data[len(magic)] != fileVersion:
		return s, fmt.Errorf("a map file of version %d, this program reads version %d", data[len(magic)], fileVersion)
	case body < len(magic)+1 || sha256.Sum256(data[:body]) != [sha256.Size]byte(data[body:]):
		return s, errors.New("cut short or altered: its checksum is not that of its content")
	}
	d := decoder{r: bytes.NewReader(data[len(magic)+1 : body])}
	s.Machine = d.text()
	for n := d.count(9); n > 0 && d.err == nil; n-- {
		s.Worlds = append(s.Worlds, d.world())
	}
	for n := d.count(16); n > 0 && d.err == nil; n-- {
		m := SavedMark{ID: d.text(), Body: d.text(), World: int(d.uint32())}
		for range d.count(76) {
			p := SavedPoint{Spot: geom.Spot{P: d.vec()}, Normal: d.vec32()}
			p.Cov, p.Doubt, p.Off = d.symmetric(), d.probability(), d.vec32()
			m.Points = append(m.Points, p)
		}
		switch {
		case d.err != nil:
		case m.World >= len(s.Worlds):
			d.err = fmt.Errorf("mark %q is in world %d of %d", m.ID, m.World, len(s.Worlds))
		case len(m.Points) == 0:
			d.err = fmt.Errorf("mark %q has no points", m.ID)
		}
		s.Marks = append(s.Marks, m)
	}
	if d.err == nil && d.r.Len() > 0 {
		d.err = fmt.Errorf("%d bytes too many", d.r.Len())
	}
	if d.err != nil {
		return Saved{}, fmt.Errorf("damaged: %w", d.err)
	}
	return s, nil
}

// decoder reads values until one fails; then all are zero.
type decoder struct {
	r   *bytes.Reader
	err error
}

func (d *decoder) get(v any) {
	if d.err == nil {
		d.err = binary.Read(d.r, binary.LittleEndian, v)
	}
}

func (d *decoder) uint32() (v uint32) {
	d.get(&v)
	return v
}

// count reads a count of things of at least so many bytes each; no more than there is room for.
func (d *decoder) count(size int) int {
	n := int(d.uint32())
	if d.err == nil && n > d.r.Len()/size {
		d.err = fmt.Errorf("%d things announced where %d bytes are left", n, d.r.Len())
	}
	if d.err != nil {
		return 0
	}
	return n
}

func (d *decoder) text() string {
	b := make([]byte, d.count(1))
	d.get(b)
	return string(b)
}

func (d *decoder) finite(v float64) float64 {
	if d.err == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
		d.err = errors.New("a number is not finite")
	}
	return v
}

func (d *decoder) vec() (v geom.Vec3) {
	d.get(&v)
	for _, x := range v {
		d.finite(x)
	}
	return v
}

func (d *decoder) vec32() geom.Vec3 {
	var v [3]float32
	d.get(&v)
	return geom.Vec3{d.finite(float64(v[0])), d.finite(float64(v[1])), d.finite(float64(v[2]))}
}

func (d *decoder) probability() float64 {
	var v float32
	d.get(&v)
	if d.err == nil && !(v >= 0 && v <= 1) {
		d.err = fmt.Errorf("a probability is %g", v)
	}
	return float64(v)
}

func (d *decoder) symmetric() geom.Mat3 {
	var v [6]float32
	d.get(&v)
	var c [6]float64
	for i, x := range v {
		c[i] = d.finite(float64(x))
	}
	return geom.Mat3{c[0], c[1], c[2], c[1], c[3], c[4], c[2], c[4], c[5]}
}

func (d *decoder) world() (w SavedWorld) {
	d.get(&w.Metric)
	for range d.count(62) {
		var id int64
		var views uint16
		d.get(&id)
		d.get(&views)
		l := SavedLandmark{ID: FeatureID(id), Landmark: Landmark{Views: int(views), P: d.vec(), Cov: d.symmetric()}}
		l.Looks = make([]reloc.Descriptor, d.count(32))
		d.get(l.Looks)
		w.Landmarks = append(w.Landmarks, l)
	}
	for range d.count(100) {
		w.Keyframes = append(w.Keyframes, d.keyframe())
	}
	if d.err == nil && len(w.Keyframes) < leastSaved {
		d.err = fmt.Errorf("a map of %d key frames, at least %d", len(w.Keyframes), leastSaved)
	}
	return w
}

func (d *decoder) keyframe() (k Keyframe) {
	d.get(&k.PoseCW.R)
	k.PoseCW.T = d.vec()
	rrt := k.PoseCW.R.Mul(k.PoseCW.R.Transpose())
	for i, one := range geom.Identity3 {
		if d.err == nil && !(math.Abs(rrt[i]-one) < 1e-6) {
			d.err = errors.New("a key frame's rotation is none")
		}
	}
	for range d.count(16) {
		var id int64
		var n [2]float32
		d.get(&id)
		d.get(&n)
		k.Seen = append(k.Seen, Observation{ID: FeatureID(id), N: geom.Vec2{d.finite(float64(n[0])), d.finite(float64(n[1]))}})
	}
	return k
}
