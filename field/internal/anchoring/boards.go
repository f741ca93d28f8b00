package anchoring

import (
	"image"

	"sightline/vision/geom"
	"sightline/vision/marker"
	"sightline/vision/opencv"
)

// boards finds the tags of boards in a picture, beside the markers that stand alone.
type boards struct {
	engine opencv.Engine
	set    marker.Set
}

// aprilTag is what is added to the ID of an AprilTag, so that it is not taken for the ArUco marker of that ID.
const aprilTag = 1000

// number is the one name that a tag has among the markers of a map.
func number(t marker.Tag) int {
	if t.Family == marker.AprilTag36h11 {
		return aprilTag + t.ID
	}
	return t.ID
}

// sizes adds the sides of the boards' tags, in metres, to those of markers that stand alone.
func (b boards) sizes(alone map[int]float64) map[int]float64 {
	all := map[int]float64{}
	for id, side := range alone {
		all[id] = side
	}
	for _, board := range b.set.Boards {
		for _, t := range board.Tags {
			all[number(t)] = t.Side()
		}
	}
	return all
}

// Markers finds the markers that may stand alone, and tags of every other family that there is a board of.
func (b boards) Markers(g *image.Gray) (ids []int, corners [][4]geom.Vec2, err error) {
	for _, f := range []marker.Family{marker.ArUco4x4, marker.AprilTag36h11} {
		if f != marker.ArUco4x4 && !b.any(f) {
			continue
		}
		seen, err := b.engine.Tags(g, f)
		if err != nil {
			return ids, corners, err
		}
		for _, t := range seen {
			ids, corners = append(ids, number(marker.Tag{Family: f, ID: t.ID})), append(corners, t.Corners)
		}
	}
	return ids, corners, nil
}

func (b boards) any(f marker.Family) bool {
	for _, board := range b.set.Boards {
		for _, t := range board.Tags {
			if t.Family == f {
				return true
			}
		}
	}
	return false
}

// down is the direction of gravity in the world where tags of upright boards were seen; false where none was.
func (b boards) down(seen map[int][4]geom.Vec3) (geom.Vec3, bool) {
	var sum geom.Vec3
	for _, board := range b.set.Boards {
		for _, t := range board.Tags {
			if corners, has := seen[number(t)]; has && board.Upright {
				sum = sum.Add(t.Down(corners))
			}
		}
	}
	if sum.Norm() == 0 {
		return geom.Vec3{}, false
	}
	return sum.Unit(), true
}

// machine is the machine on whose board one of the tags stands, or "".
func (b boards) machine(seen map[int][4]geom.Vec3) string {
	for _, board := range b.set.Boards {
		for _, t := range board.Tags {
			if _, has := seen[number(t)]; has {
				return board.Machine
			}
		}
	}
	return ""
}
