package sheet

import (
	"fmt"
	"io"
	"time"
)

// Chessboard is what a lens is calibrated with: Columns x Rows inner corners of squares of Square mm.
type Chessboard struct {
	Columns, Rows int
	Square        float64
}

// ParseChessboard reads 9x6.
func ParseChessboard(s string) (columns, rows int, err error) {
	var rest string
	if n, _ := fmt.Sscanf(s+" .", "%dx%d %s", &columns, &rows, &rest); n != 3 || rest != "." {
		return 0, 0, fmt.Errorf("chessboard %q: want the number of inner corners, as in 9x6", s)
	}
	if columns < 4 || rows < 3 || columns > 30 || rows > 30 || columns <= rows {
		return 0, 0, fmt.Errorf("chessboard %q: want 4x3 to 30x29 inner corners, more across than down", s)
	}
	if (columns+rows)%2 == 0 {
		return 0, 0, fmt.Errorf("chessboard %q: one number must be odd and the other even, or it looks the same upside down", s)
	}
	return columns, rows, nil
}

// top is where the chessboard begins on the paper, in mm: a white rim that a detector needs.
const top = 18

// WriteChessboard writes the sheet of a chessboard as PDF, on the paper across.
func WriteChessboard(w io.Writer, c Chessboard, page Page, now time.Time) error {
	page = page.turned()
	wide, high := c.Square*float64(c.Columns+1), c.Square*float64(c.Rows+1)
	const below = 38 // mm, for the ruler and the words
	if !(c.Square >= 3) || wide > page.Width-2*top || high > page.Height-top-below+0.01 {
		return fmt.Errorf("a chessboard of %.0f x %.0f mm does not fit on %s across, which has room for %.0f x %.0f: a smaller --square fits", wide, high, page.Name, page.Width-2*top, page.Height-top-below)
	}
	p, err := newPaper(page, fmt.Sprintf("Sightline chessboard %dx%d", c.Columns, c.Rows), now)
	if err != nil {
		return err
	}
	left := (page.Width - wide) / 2
	for row := range c.Rows + 1 {
		for col := range c.Columns + 1 {
			if (row+col)%2 == 0 {
				p.box(left+c.Square*float64(col), top+c.Square*float64(row), c.Square, c.Square, 0)
			}
		}
	}
	p.check(top, page.Height-24, c.Square, "the lens would come out bent.")
	p.text(page.Width-top-80, page.Height-26, 80, 9, false, fmt.Sprintf("field calibrate --chessboard %dx%d --square %g", c.Columns, c.Rows, c.Square))
	return p.write(w)
}
