package calibrate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/opencv"
)

// Limits of what is accepted as a calibration.
const (
	// fewest views that may speak for a lens. Zhang's method needs three; eight leave it errors to average.
	fewest = 8
	// leastTilt is the angle, in degrees, that the board must have turned between some two views: boards that
	// all stand alike do not tell the focal length from the distance.
	leastTilt = 20
	// mostMissing of the nine parts of the picture may be without a corner: distortion is worst at the rim,
	// and outside of what was seen it is a guess.
	mostMissing = 2
	// focalSigma is the largest standard deviation of the focal length as a share of it: half a percent is
	// 1.6 px at the rim of a picture of 640 px, what a mark's error may be.
	focalSigma = 0.005
	// stray is how many times the median error of a view makes it one that was blurred or misread.
	stray = 2.5
	// sure is by how many standard deviations k3 must differ from 0 to be kept.
	sure = 3
)

// Lens is a calibrated lens and how well it is known.
type Lens struct {
	opencv.Calibration
	// Views are those that were used; the frames of those that were left out, because they were blurred or
	// misread, are in Strays.
	Views  []view
	Strays []int
	// Tilt is the largest angle, in degrees, between two of the boards.
	Tilt float64
}

// fit finds the lens. maxRMS is the error in pixels that is still accepted.
func fit(v *views, square, maxRMS float64) (Lens, error) {
	l := Lens{Views: slices.Clone(v.kept)}
	if len(l.Views) < fewest {
		return l, fmt.Errorf("%d views of the chessboard differ enough, at least %d are needed: hold it still for a moment in %d places, near and far, tilted each way", len(l.Views), fewest, 2*fewest)
	}
	if err := l.solve(v, square); err != nil {
		return l, err
	}
	if err := l.leaveStraysOut(v, square); err != nil {
		return l, err
	}
	return l, l.check(v, maxRMS)
}

// solve fits with k3, and without where it means nothing.
func (l *Lens) solve(v *views, square float64) error {
	seen := make([][]geom.Vec2, len(l.Views))
	for i, view := range l.Views {
		seen[i] = view.corners
	}
	var err error
	for _, k3 := range []bool{true, false} {
		l.Calibration, err = opencv.Solvers{}.Calibrate(object(v.columns, v.rows, square), seen, v.width, v.height, k3)
		if err != nil || math.Abs(l.Model.K3) > sure*l.Sigma.K3 {
			break
		}
	}
	l.Tilt = tilt(l.PoseCO)
	return err
}

// leaveStraysOut fits once more without the views that err far more than the others.
func (l *Lens) leaveStraysOut(v *views, square float64) error {
	sorted := slices.Sorted(slices.Values(l.PerView))
	limit := stray * sorted[len(sorted)/2]
	var good []view
	for i, view := range l.Views {
		if l.PerView[i] <= limit {
			good = append(good, view)
		} else {
			l.Strays = append(l.Strays, view.frame)
		}
	}
	// Where many stray it is not they that are wrong: the lens was another, or the board is bent.
	if len(l.Strays) == 0 || len(good) < fewest || len(l.Strays) > len(l.Views)/4 {
		l.Strays = nil
		return nil
	}
	l.Views = good
	return l.solve(v, square)
}

// tilt is the largest angle between the normals of two boards, in degrees.
func tilt(poses []geom.Pose) float64 {
	most := 0.0
	for i, a := range poses {
		for _, b := range poses[:i] {
			na, nb := a.R.MulVec(geom.Vec3{0, 0, 1}), b.R.MulVec(geom.Vec3{0, 0, 1})
			most = math.Max(most, math.Acos(math.Min(1, na.Dot(nb))))
		}
	}
	return most * 180 / math.Pi
}

// check refuses a lens that is not known well enough, in words that say what to do.
func (l *Lens) check(v *views, maxRMS float64) error {
	m := l.Model
	missing := v.missing()
	relative := math.Max(l.Sigma.Fx/m.Fx, l.Sigma.Fy/m.Fy)
	switch {
	case l.RMS > maxRMS:
		return fmt.Errorf("the corners are %.2f px off on average, at most %.2f is accepted: is the board flat, is it the one of --chessboard, and did the camera neither zoom nor refocus?", l.RMS, maxRMS)
	case l.Tilt < leastTilt:
		return fmt.Errorf("the views are too alike: the board turned by %.0f degrees at most, want %d: tilt it to the left, to the right, forward and back", l.Tilt, leastTilt)
	case len(missing) > mostMissing:
		return fmt.Errorf("the board was never in the %s of the picture, where the lens bends most: bring it there", strings.Join(missing, ", "))
	case !(relative < focalSigma):
		return fmt.Errorf("the focal length is known to %.1f %% only, want %.1f: more views, nearer and more tilted", 100*relative, 100*focalSigma)
	case m.Valid() != nil:
		return m.Valid()
	case !m.Invertible():
		return fmt.Errorf("the lens found folds the picture's rim (%s): bring the board into its corners, and the wide angles of a fisheye are not for this model", m.Row())
	}
	return nil
}

// fields of view in degrees: across, down, and from corner to corner.
func fields(m camera.Model) (across, down, diagonal float64) {
	w, h := float64(m.Width)-0.5, float64(m.Height)-0.5
	angle := func(a, b geom.Vec2) float64 { return math.Acos(m.Ray(a).Dot(m.Ray(b))) * 180 / math.Pi }
	return angle(geom.Vec2{-0.5, h / 2}, geom.Vec2{w, h / 2}), angle(geom.Vec2{w / 2, -0.5}, geom.Vec2{w / 2, h}), angle(geom.Vec2{-0.5, -0.5}, geom.Vec2{w, h})
}
