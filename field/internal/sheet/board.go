package sheet

import (
	"fmt"
	"io"
	"strings"
	"time"

	"sightline/vision/geom"
	"sightline/vision/marker"
)

// Cells returns the cells of a tag by rows from its top left, true is white, its black border included.
type Cells func(f marker.Family, id int) ([][]bool, error)

// WriteBoard writes the sheet of a board as PDF. The error says what cannot be printed.
func WriteBoard(w io.Writer, b marker.Board, page Page, cells Cells, now time.Time) error {
	if err := b.Valid(); err != nil {
		return err
	}
	if err := fits(b, page); err != nil {
		return err
	}
	p, err := newPaper(page, "Sightline board "+b.Name+" for "+b.Machine, now)
	if err != nil {
		return err
	}
	p.boardWords(b)
	for _, t := range b.Tags {
		white, err := cells(t.Family, t.ID)
		if err != nil {
			return err
		}
		at := p.onPage(b, t.Corners[0])
		across := p.onPage(b, t.Corners[2])
		if d := across.Sub(at); d[0] <= 0 || d[1] <= 0 || d[0]-d[1] > 1e-6 || d[1]-d[0] > 1e-6 {
			return fmt.Errorf("board %q: tag %s/%d stands askew and cannot be printed", b.Name, t.Family, t.ID)
		}
		p.cells(at[0], at[1], across[0]-at[0], white)
	}
	p.check(margin, page.Height-32, 1000*b.Tags[0].Side(), "lengths err by the same share.")
	return p.write(w)
}

// onPage is where a place on the board is on the paper: the middle of its tags is the middle of their room.
func (p *paper) onPage(b marker.Board, at geom.Vec3) geom.Vec2 {
	lo, hi := extent(b)
	middle := geom.Vec2{p.page.Width / 2, head + (p.page.Height-head-foot)/2}
	return middle.Add(geom.Vec2{1000 * (at[0] - (lo[0]+hi[0])/2), -1000 * (at[1] - (lo[1]+hi[1])/2)})
}

// boardWords writes what is above the tags: which machine, which board, which side is up.
func (p *paper) boardWords(b marker.Board) {
	wide := p.page.Width - 2*margin
	p.text(margin, 25, wide, 30, true, b.Machine)
	p.text(margin, 33, wide, 10, false, fmt.Sprintf("Sightline board %q, tags %s, black squares of %s", b.Name, tagNames(b), millimetres(1000*b.Tags[0].Side())))
	x, y := p.page.Width/2, 37.0
	if !b.Upright {
		p.text(margin, 44, wide, 12, true, "Lies flat: any side may be up")
		return
	}
	p.arrow(x, y, 15)
	words := "this side up"
	w := p.width(words, true, 16)
	p.text(x-10-w, y+10, w+1, 16, true, words)
	p.text(x+10, y+10, w+1, 16, true, words)
}

// tagNames lists a board's tags: 36h11/0, 1, 2.
func tagNames(b marker.Board) string {
	var s strings.Builder
	family := marker.Family("")
	for i, t := range b.Tags {
		if i > 0 {
			s.WriteString(", ")
		}
		if t.Family != family {
			family = t.Family
			s.WriteString(string(family) + "/")
		}
		fmt.Fprint(&s, t.ID)
	}
	return s.String()
}

// check draws the ruler at x, y and writes how to check the print; side is that of a square on the sheet, in
// mm, and then what to do where it is wrong.
func (p *paper) check(x, y, side float64, then string) {
	wide := p.page.Width - 2*x
	p.ruler(x, y)
	for i, words := range []string{
		"Print at 100 % (\"actual size\"), never \"fit to page\". Then lay a ruler along this line: it must be 100 mm long, and a black",
		fmt.Sprintf("square %s wide and high, each to half a millimetre. If it is not, print again: %s", millimetres(side), then),
		"Glue the sheet flat on something stiff, and leave the white about the black squares on it.",
	} {
		p.text(x, y+7+4.6*float64(i), wide, 9, false, words)
	}
}
