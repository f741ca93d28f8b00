// Package calibrate finds the lens of a camera from pictures of a printed chessboard, and refuses to where
// they do not tell enough.
package calibrate

import (
	"fmt"
	"math"
	"strings"

	"sightline/vision/geom"
)

// view is a chessboard as one picture shows it: its inner corners by rows, in pixels.
type view struct {
	frame   int
	corners []geom.Vec2
}

// views are the pictures that are kept: each shows the board elsewhere, or otherwise turned, than all others.
type views struct {
	columns, rows int
	width, height int
	most          int
	kept          []view
}

// novel is by how much of the picture's diagonal the corners of a view must, on average, be away from those
// of every other: 32 px of 640x480, which is a few centimetres at arm's length or a tilt of some 20 degrees.
const novel = 0.04

// offer keeps a view where it shows something new, and says whether it did.
func (v *views) offer(n view) bool {
	if v.full() {
		return false
	}
	limit := novel * math.Hypot(float64(v.width), float64(v.height))
	for _, k := range v.kept {
		if apart(k.corners, n.corners) < limit {
			return false
		}
	}
	v.kept = append(v.kept, n)
	return true
}

func (v *views) full() bool { return len(v.kept) >= v.most }

func apart(a, b []geom.Vec2) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i].Sub(b[i]).Norm()
	}
	return sum / float64(len(a))
}

// parts is into how many parts each side of the picture is cut to see where the board has been.
const parts = 3

// seen says in which parts of the picture corners were.
func (v *views) seen() (in [parts][parts]bool) {
	for _, k := range v.kept {
		for _, c := range k.corners {
			x, y := int(c[0]*parts/float64(v.width)), int(c[1]*parts/float64(v.height))
			in[min(parts-1, max(0, y))][min(parts-1, max(0, x))] = true
		}
	}
	return in
}

// missing names the parts of the picture where no corner was yet.
func (v *views) missing() []string {
	in := v.seen()
	var out []string
	for y, row := range in {
		for x, ok := range row {
			if !ok {
				out = append(out, partName(x, y))
			}
		}
	}
	return out
}

func partName(x, y int) string {
	name := strings.TrimSpace([parts]string{"top", "", "bottom"}[y] + " " + [parts]string{"left", "", "right"}[x])
	if name == "" {
		return "middle"
	}
	return name
}

// advice says in words what the next view should be.
func (v *views) advice() string {
	if m := v.missing(); len(m) > 0 {
		return fmt.Sprintf("now the %s of the picture", m[0])
	}
	return "now tilt it another way, or come nearer"
}

// object is the board's inner corners by rows in its own plane, in metres.
func object(columns, rows int, square float64) []geom.Vec3 {
	o := make([]geom.Vec3, 0, columns*rows)
	for i := range columns * rows {
		o = append(o, geom.Vec3{square * float64(i%columns), square * float64(i/columns), 0})
	}
	return o
}
