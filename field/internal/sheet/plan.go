// Package sheet makes what is printed: boards of tags for machines and chessboards for lenses, as PDF in
// their true size, with a ruler on the paper to check the print.
package sheet

import (
	"fmt"
	"math"
	"strings"

	"sightline/vision/geom"
	"sightline/vision/marker"
)

// Page is a sheet of paper upright, in mm.
type Page struct {
	Name          string
	Width, Height float64
}

// Pages are the papers that there are.
var pages = []Page{{"A4", 210, 297}, {"Letter", 215.9, 279.4}}

// PageOf returns a paper by its name.
func PageOf(name string) (Page, error) {
	for _, p := range pages {
		if strings.EqualFold(p.Name, name) {
			return p, nil
		}
	}
	return Page{}, fmt.Errorf("--size %s: want A4 or Letter", name)
}

// turned is the paper across.
func (p Page) turned() Page { return Page{p.Name, p.Height, p.Width} }

// All of the following are millimetres on the paper.
const (
	// margin is what stays white on every side: printers leave up to 6.4 mm (a quarter of an inch) blank.
	margin = 12
	// head and foot are the room above and below the tags, for the words and the ruler.
	head = 58
	foot = 46
	// gap is the white between two tags as a share of their side: more than one cell of either family, which
	// a detector needs to see the black border.
	gap = 0.15
)

// Layout is the tags that a new board is to have.
type Layout struct {
	Family        marker.Family
	Columns, Rows int
	Side          float64 // of a tag's black square, mm
}

// Plan lays out a new board: its tags are the first of the family that no other board has. The origin is the
// middle of the sheet.
func (l Layout) Plan(name, machine string, upright bool, page Page, others marker.Set) (marker.Board, error) {
	if l.Family.Tags() == 0 {
		return marker.Board{}, fmt.Errorf("--family %s: want %s or %s", l.Family, marker.AprilTag36h11, marker.ArUco4x4)
	}
	if l.Columns < 1 || l.Rows < 1 || l.Columns > 10 || l.Rows > 10 {
		return marker.Board{}, fmt.Errorf("--tags %dx%d: want 1x1 to 10x10", l.Columns, l.Rows)
	}
	if !(l.Side >= 1000*marker.MinSide) {
		return marker.Board{}, fmt.Errorf("--side %g: want at least %g mm", l.Side, 1000*marker.MinSide)
	}
	ids, err := others.Free(l.Family, l.Columns*l.Rows)
	if err != nil {
		return marker.Board{}, err
	}
	b := marker.Board{Name: name, Machine: machine, Upright: upright}
	side := l.Side / 1000
	step := side * (1 + gap)
	left, top := -(step*float64(l.Columns-1)+side)/2, (step*float64(l.Rows-1)+side)/2
	for i, id := range ids {
		x, y := left+step*float64(i%l.Columns), top-step*float64(i/l.Columns)
		b.Tags = append(b.Tags, marker.Square(l.Family, id, rounded(x), rounded(y), side))
	}
	for i := range b.Tags {
		for k := range b.Tags[i].Corners {
			for j, v := range b.Tags[i].Corners[k] {
				b.Tags[i].Corners[k][j] = rounded(v)
			}
		}
	}
	if err := b.Valid(); err != nil {
		return b, err
	}
	return b, fits(b, page)
}

// rounded is a length in metres to a micrometre, which is what the file shows.
func rounded(metres float64) float64 { return math.Round(metres*1e6) / 1e6 }

// extent is the box about a board's tags, in metres.
func extent(b marker.Board) (lo, hi geom.Vec3) {
	lo, hi = b.Tags[0].Corners[0], b.Tags[0].Corners[0]
	for _, t := range b.Tags {
		for _, c := range t.Corners {
			for k := range 2 {
				lo[k], hi[k] = math.Min(lo[k], c[k]), math.Max(hi[k], c[k])
			}
		}
	}
	return lo, hi
}

// fits says whether a board can be printed on a page in its true size.
func fits(b marker.Board, page Page) error {
	lo, hi := extent(b)
	w, h := 1000*(hi[0]-lo[0]), 1000*(hi[1]-lo[1])
	roomW, roomH := page.Width-2*margin, page.Height-head-foot
	const slack = 0.01
	if w > roomW+slack || h > roomH+slack {
		return fmt.Errorf("the tags of board %q are %.0f x %.0f mm, %s has room for %.0f x %.0f: a smaller --side, or fewer --tags, fits", b.Name, w, h, page.Name, roomW, roomH)
	}
	return nil
}
