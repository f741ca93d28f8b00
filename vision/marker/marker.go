// Package marker describes boards: flat sheets of printed tags whose places on the sheet are known, and
// which belong to a machine. A board that is seen gives the map its metres, says where down is, and which
// machine this is. Standard library and vision/geom only.
package marker

import (
	"errors"
	"fmt"
	"math"

	"sightline/vision/geom"
)

// Family is a set of tags that are told apart by their cells.
type Family string

// The families.
const (
	AprilTag36h11 Family = "36h11"  // AprilTag: 587 tags of 8x8 cells, border included, hardly ever mistaken
	ArUco4x4      Family = "4x4_50" // ArUco DICT_4X4_50: 50 tags of 6x6 cells, read from further away
)

// Tags returns how many tags a family has; 0 for a family that is not one.
func (f Family) Tags() int {
	switch f {
	case AprilTag36h11:
		return 587
	case ArUco4x4:
		return 50
	}
	return 0
}

// Cells returns how many cells a side of a tag of the family has, its black border included.
func (f Family) Cells() int {
	switch f {
	case AprilTag36h11:
		return 8
	case ArUco4x4:
		return 6
	}
	return 0
}

// Tag is a tag on a board.
type Tag struct {
	Family Family `json:"family"`
	ID     int    `json:"id"`
	// Corners are those of the black square in metres, in the board's frame: x right, y up, z out of the
	// sheet towards who looks at it, and 0. They go clockwise from the tag's own top left.
	Corners [4]geom.Vec3 `json:"corners"`
}

// Square returns the tag of a side in metres whose top left corner is at x, y of the board.
func Square(f Family, id int, x, y, side float64) Tag {
	return Tag{Family: f, ID: id, Corners: [4]geom.Vec3{{x, y, 0}, {x + side, y, 0}, {x + side, y - side, 0}, {x, y - side, 0}}}
}

// Side returns the mean length of the tag's sides in metres.
func (t Tag) Side() float64 {
	sum := 0.0
	for k := range 4 {
		sum += t.Corners[k].Sub(t.Corners[(k+1)%4]).Norm()
	}
	return sum / 4
}

// Board is a sheet of tags.
type Board struct {
	// Name is the board's own: a machine may have several.
	Name string `json:"name"`
	// Machine is the machine that it is on, by its name on the broker (hall1/pump-7) where it has one.
	Machine string `json:"machine"`
	// Upright says that the sheet hangs with its arrow up, so that the world's down is the board's -y.
	Upright bool  `json:"upright"`
	Tags    []Tag `json:"tags"`
}

// Limits of what a board may be.
const (
	MinSide = 0.005 // m: less cannot be read at arm's length
	MaxSide = 2.0   // m
	maxAway = 10    // m, from the board's origin
	maxTags = 100
	maxName = 120 // bytes
)

// Valid returns an error that names what is wrong with a board, or nil.
func (b Board) Valid() error {
	switch {
	case b.Name == "" || len(b.Name) > maxName:
		return fmt.Errorf("board %q: want a name of 1 to %d bytes", b.Name, maxName)
	case b.Machine == "" || len(b.Machine) > maxName:
		return fmt.Errorf("board %q: want a machine of 1 to %d bytes, it is %q", b.Name, maxName, b.Machine)
	case len(b.Tags) == 0 || len(b.Tags) > maxTags:
		return fmt.Errorf("board %q: %d tags, want 1 to %d", b.Name, len(b.Tags), maxTags)
	}
	for _, t := range b.Tags {
		if err := t.valid(); err != nil {
			return fmt.Errorf("board %q: tag %s/%d: %w", b.Name, t.Family, t.ID, err)
		}
	}
	return nil
}

// squareness is by how much of its side a tag may differ from a square: a printer's or a ruler's error.
const squareness = 0.02

func (t Tag) valid() error {
	if n := t.Family.Tags(); n == 0 {
		return fmt.Errorf("the families are %s and %s", AprilTag36h11, ArUco4x4)
	} else if t.ID < 0 || t.ID >= n {
		return fmt.Errorf("the family has the tags 0 to %d", n-1)
	}
	for _, c := range t.Corners {
		switch {
		case !c.Finite() || c.Norm() > maxAway:
			return fmt.Errorf("corner %v: want metres, at most %d from the origin", c, maxAway)
		case c[2] != 0:
			return fmt.Errorf("corner %v does not lie on the sheet, where z is 0", c)
		}
	}
	side := t.Side()
	if side < MinSide || side > MaxSide {
		return fmt.Errorf("its side is %.4g m, want %g to %g", side, MinSide, MaxSide)
	}
	right, down := t.Corners[1].Sub(t.Corners[0]), t.Corners[3].Sub(t.Corners[0])
	if right.Cross(down)[2] >= 0 {
		return errors.New("its corners must go clockwise, from its own top left")
	}
	// The corner across follows from two sides; those are to be equally long and at right angles.
	across := t.Corners[0].Add(right).Add(down)
	if t.Corners[2].Sub(across).Norm() > squareness*side || math.Abs(right.Norm()-down.Norm()) > squareness*side ||
		math.Abs(right.Dot(down)) > squareness*side*side {
		return errors.New("its corners are not a square")
	}
	return nil
}

// Down returns the direction of gravity in a world, of length one, where a tag of an upright board has its corners at
// placed there: the board's -y.
func (t Tag) Down(placed [4]geom.Vec3) geom.Vec3 {
	right, down := t.Corners[1].Sub(t.Corners[0]), t.Corners[3].Sub(t.Corners[0]) // at right angles, and equally long
	rightInWorld := placed[1].Add(placed[2]).Sub(placed[0]).Sub(placed[3])
	downInWorld := placed[3].Add(placed[2]).Sub(placed[0]).Sub(placed[1])
	return rightInWorld.Scale(-right[1]).Add(downInWorld.Scale(-down[1])).Unit()
}
