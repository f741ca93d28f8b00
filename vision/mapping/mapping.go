// Package mapping owns the map: key frames, landmarks, and the bundle adjustment that makes them agree.
//
// One goroutine at a time calls a Mapper (Serve, or the tracker itself where runs must repeat exactly);
// everybody else reads immutable Snapshots. The world's frame is the first key frame's camera. Its
// unit is the median depth of the last of the views it began with until a marker of known size makes it metres.
package mapping

import (
	"image"

	"sightline/vision/geom"
	"sightline/vision/reloc"
)

// FeatureID names a point of the scene across pictures. Marker corners have negative IDs, so that they
// are the same points in every session.
type FeatureID int64

// MarkerCorner is the ID of corner k (0 to 3, clockwise from the top left) of an ArUco marker.
func MarkerCorner(marker, k int) FeatureID { return FeatureID(-(4*marker + k) - 1) }

// Observation is one feature in one picture, in normalized camera coordinates.
type Observation struct {
	ID FeatureID
	N  geom.Vec2
	// Roll is by how much N is off for each second that it takes to read the picture, because its row was not read when the
	// middle one was. A picture is handed over as it was seen; in key frames N is corrected.
	Roll geom.Vec2
}

// Proposal is a picture that the tracker finds worth keeping.
type Proposal struct {
	Captured int64
	PoseCW   geom.Pose
	Seen     []Observation
	// Flow is how fast the picture moves, in normalized coordinates each second.
	Flow geom.Affine
	// Grey is searched for markers, and features are described by it; nil where there is no picture. The mapper
	// keeps it no longer than the call.
	Grey *image.Gray
	// Looks are the descriptors of what is Seen, one for one; the mapper finds them in Grey.
	Looks [][]reloc.Descriptor
}

// Keyframe is a picture the map rests on. It is immutable; a moved key frame is another value.
type Keyframe struct {
	// Captured names it. Key frames of an earlier session have names below zero.
	Captured int64
	PoseCW   geom.Pose
	Seen     []Observation
	// Doubted are observations that were taken from Seen because they did not fit.
	Doubted []Observation
}

// Landmark is a point of the map.
type Landmark struct {
	P geom.Vec3 // world
	// Cov is the covariance of P in the map's unit squared, for a measurement error of one pixel.
	Cov geom.Mat3
	// Views is the number of key frames that see it.
	Views int
}

// Snapshot is the map at one moment. Nobody writes it.
type Snapshot struct {
	// Version grows with every change.
	Version int
	// World names the world; another world means that older coordinates are worth nothing.
	World string
	// Name names the world together with its unit: what anchors and estimates are told to be in.
	Name string
	// Unit is how many of the first snapshot's units are one of this one's: coordinates of an older
	// snapshot of the same world are multiplied by Unit/older.Unit.
	Unit   float64
	Metric bool
	// Readout is how long reading a picture takes, in seconds, as the map is made for; see camera.Model.
	Readout float64
	// Keyframes are in the order of capture, those of each world that became part of it by themselves.
	Keyframes []*Keyframe
	Landmarks map[FeatureID]Landmark
	Links     Links // of Keyframes
	// Moves are the worlds that became part of this one, and how.
	Moves []Move
	// Markers are the corners of the markers seen, in the world, by marker ID.
	Markers map[int][4]geom.Vec3
}

// Move says that a world became part of this one: By takes its coordinates, in the unit Unit, here.
type Move struct {
	From string
	Unit float64
	By   geom.Similarity
}

// Keyframe returns the key frame captured then, or nil.
func (s *Snapshot) Keyframe(captured int64) *Keyframe {
	for _, k := range s.Keyframes {
		if k.Captured == captured {
			return k
		}
	}
	return nil
}
