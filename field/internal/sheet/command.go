package sheet

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"sightline/vision/marker"
)

// Command is the command line of field sheet.
type Command struct {
	Board   string  `xor:"what" placeholder:"NAME" help:"Print this board of tags: a new one, or one that is in the boards file."`
	Machine string  `help:"Machine that a new board is for, as in hall1/pump-7; printed in large letters."`
	Boards  string  `default:"boards.json" type:"path" help:"File that a new board is added to, and that field --boards reads."`
	Tags    string  `placeholder:"2x2" help:"Tags of a new board, across x down."`
	Side    float64 `placeholder:"80" help:"Side of a tag's black square in mm."`
	Family  string  `placeholder:"36h11" help:"Tags of a new board: 36h11 (AprilTag) or 4x4_50 (ArUco, read from further away, but only 50 of them)."`
	Lying   bool    `help:"The new board will lie, not hang: it does not say where down is."`

	Chessboard string  `xor:"what" placeholder:"9x6" help:"Print a chessboard for field calibrate: inner corners across x down."`
	Square     float64 `default:"22" help:"Side of the chessboard's squares in mm."`

	Size string `default:"A4" help:"A4 or Letter."`
	Out  string `required:"" type:"path" placeholder:"sheet.pdf" help:"PDF to write."`
}

// Do makes the sheet and says on stdout what it made.
func (c *Command) Do(stdout io.Writer, cells Cells, now time.Time) error {
	page, err := PageOf(c.Size)
	if err != nil {
		return err
	}
	switch {
	case c.Chessboard != "":
		return c.chessboard(stdout, page, now)
	case c.Board != "":
		return c.board(stdout, page, cells, now)
	}
	return errors.New("--board NAME or --chessboard 9x6: one of them is needed")
}

func (c *Command) chessboard(stdout io.Writer, page Page, now time.Time) error {
	columns, rows, err := ParseChessboard(c.Chessboard)
	if err != nil {
		return err
	}
	var pdf bytes.Buffer
	if err := WriteChessboard(&pdf, Chessboard{columns, rows, c.Square}, page, now); err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, pdf.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: a chessboard of %dx%d inner corners, squares of %g mm. Print it at 100 %% and check its ruler.\n", c.Out, columns, rows, c.Square)
	return nil
}

func (c *Command) board(stdout io.Writer, page Page, cells Cells, now time.Time) error {
	set, err := marker.LoadOrNew(c.Boards)
	if err != nil {
		return err
	}
	b, known := set.Board(c.Board)
	if known {
		err = c.agrees(b)
	} else if b, err = c.plan(set, page); err == nil {
		set.Boards = append(set.Boards, b)
	}
	if err != nil {
		return err
	}
	var pdf bytes.Buffer
	if err := WriteBoard(&pdf, b, page, cells, now); err != nil {
		return err
	}
	if err := os.WriteFile(c.Out, pdf.Bytes(), 0o644); err != nil {
		return err
	}
	if !known {
		if err := set.Save(c.Boards); err != nil {
			return err
		}
	}
	fmt.Fprintf(stdout, "%s: board %q for %s, tags %s of %s. It is in %s. Print it at 100 %% and check its ruler.\n",
		c.Out, b.Name, b.Machine, tagNames(b), millimetres(1000*b.Tags[0].Side()), c.Boards)
	return nil
}

// plan lays out a new board.
func (c *Command) plan(set marker.Set, page Page) (marker.Board, error) {
	if c.Machine == "" {
		return marker.Board{}, fmt.Errorf("board %q is not in %s; for a new one say which --machine it is for", c.Board, c.Boards)
	}
	l := Layout{Family: marker.Family(cmp.Or(c.Family, string(marker.AprilTag36h11))), Side: cmp.Or(c.Side, 80)}
	var err error
	if l.Columns, l.Rows, err = parseTags(cmp.Or(c.Tags, "2x2")); err != nil {
		return marker.Board{}, err
	}
	return l.Plan(c.Board, c.Machine, !c.Lying, page, set)
}

func parseTags(s string) (columns, rows int, err error) {
	var rest string
	if n, _ := fmt.Sscanf(s+" .", "%dx%d %s", &columns, &rows, &rest); n != 3 || rest != "." {
		return 0, 0, fmt.Errorf("--tags %s: want how many across and down, as in 2x2", s)
	}
	return columns, rows, nil
}

// agrees refuses to print a board of the file under another description: two sheets of one name that
// differ would put marks in the wrong place.
func (c *Command) agrees(b marker.Board) error {
	columns, rows, err := parseTags(cmp.Or(c.Tags, "1x1"))
	if err != nil {
		return err
	}
	switch {
	case c.Machine != "" && c.Machine != b.Machine,
		c.Family != "" && marker.Family(c.Family) != b.Tags[0].Family,
		c.Side != 0 && math.Abs(c.Side-1000*b.Tags[0].Side()) > 0.01,
		c.Tags != "" && columns*rows != len(b.Tags),
		c.Lying && b.Upright:
		return fmt.Errorf("board %q is in %s already, for %s with %d tags of %s: leave the other options away to print it again, or choose another name",
			b.Name, c.Boards, b.Machine, len(b.Tags), millimetres(1000*b.Tags[0].Side()))
	}
	return nil
}
