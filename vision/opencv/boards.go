package opencv

// #include "shim_board.h"
import "C"

import (
	"fmt"
	"image"
	"unsafe"

	"sightline/vision/geom"
	"sightline/vision/marker"
)

// TagSeen is a tag in a picture: its corners in pixels, clockwise from the tag's own top left.
type TagSeen struct {
	Family  marker.Family
	ID      int
	Corners [4]geom.Vec2
}

// dictionary is OpenCV's number of a family.
func dictionary(f marker.Family) (C.int, error) {
	switch f {
	case marker.ArUco4x4:
		return 0, nil // DICT_4X4_50
	case marker.AprilTag36h11:
		return 20, nil // DICT_APRILTAG_36h11
	}
	return 0, fmt.Errorf("tags of family %q: there are %s and %s", f, marker.AprilTag36h11, marker.ArUco4x4)
}

// Tags finds the tags of a family in a picture, their corners to a tenth of a pixel.
func (Solvers) Tags(g *image.Gray, f marker.Family) ([]TagSeen, error) {
	dict, err := dictionary(f)
	if err != nil {
		return nil, err
	}
	const most = 64
	var id [most]C.int
	var at [8 * most]C.float
	var e cError
	msg, n := e.args()
	b := g.Bounds()
	got := C.sl_tags((*C.uchar)(unsafe.Pointer(&g.Pix[g.PixOffset(b.Min.X, b.Min.Y)])), C.int(b.Dx()), C.int(b.Dy()),
		C.int(g.Stride), dict, &id[0], &at[0], most, msg, n)
	if got < 0 {
		return nil, e.wrap("detectMarkers")
	}
	seen := make([]TagSeen, got)
	for i := range seen {
		seen[i] = TagSeen{Family: f, ID: int(id[i]), Corners: [4]geom.Vec2(points(at[8*i : 8*i+8]))}
	}
	return seen, nil
}

// TagCells returns the cells of a tag by rows from its top left, true is white, its black border included.
func TagCells(f marker.Family, id int) ([][]bool, error) {
	dict, err := dictionary(f)
	if err != nil {
		return nil, err
	}
	var cells [256]C.uchar
	var e cError
	msg, n := e.args()
	inner := int(C.sl_tag_cells(dict, C.int(id), &cells[0], C.int(len(cells)), msg, n))
	switch {
	case inner < 0:
		return nil, e.wrap("getBitsFromByteList")
	case inner == 0:
		return nil, fmt.Errorf("tag %d: family %s has the tags 0 to %d", id, f, f.Tags()-1)
	}
	rows := make([][]bool, inner+2)
	for y := range rows {
		rows[y] = make([]bool, inner+2)
		for x := range rows[y] {
			if x > 0 && y > 0 && x <= inner && y <= inner {
				rows[y][x] = cells[(y-1)*inner+x-1] != 0
			}
		}
	}
	return rows, nil
}
