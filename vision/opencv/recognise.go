package opencv

import (
	"image"

	"gocv.io/x/gocv"

	"sightline/vision/geom"
)

// Limits of recognition.
const (
	// orbFeatures is how many ORB features a picture is described by.
	orbFeatures = 700
	// ratio is Lowe's: the best match must be this much nearer than the second best (Lowe, 2004).
	ratio = 0.8
	// hammingMost is the number of bits of 256 in which two descriptors of one point may differ.
	hammingMost = 64
	// snap is how far, in pixels, a point may be from the ORB feature that speaks for it.
	snap = 4.0
)

// Match returns the points of two pictures that look alike: ORB features (Rublee et al., 2011), each
// standing for the nearest of the points given. The pairs are indices into ptsA and ptsB.
func (Solvers) Match(a, b *image.Gray, ptsA, ptsB []geom.Vec2) ([][2]int, error) {
	orb := gocv.NewORBWithParams(orbFeatures, 1.2, 8, 31, 0, 2, gocv.ORBScoreTypeHarris, 31, 12)
	defer orb.Close()
	ka, da, err := describe(orb, a)
	if err != nil {
		return nil, err
	}
	defer da.Close()
	kb, db, err := describe(orb, b)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if da.Empty() || db.Empty() {
		return nil, nil
	}
	matcher := gocv.NewBFMatcherWithParams(gocv.NormHamming, false)
	defer matcher.Close()
	var out [][2]int
	used := map[int]bool{}
	for _, m := range matcher.KnnMatch(da, db, 2) {
		if len(m) < 2 || m[0].Distance > hammingMost || m[0].Distance > ratio*m[1].Distance {
			continue
		}
		i, j := nearestPoint(ka[m[0].QueryIdx], ptsA), nearestPoint(kb[m[0].TrainIdx], ptsB)
		if i >= 0 && j >= 0 && !used[i] {
			used[i] = true
			out = append(out, [2]int{i, j})
		}
	}
	return out, nil
}

func describe(orb gocv.ORB, g *image.Gray) ([]gocv.KeyPoint, gocv.Mat, error) {
	img, err := gocv.ImageGrayToMatGray(g)
	if err != nil {
		return nil, gocv.Mat{}, err
	}
	defer img.Close()
	mask := gocv.NewMat()
	defer mask.Close()
	k, d := orb.DetectAndCompute(img, mask)
	return k, d, nil
}

func nearestPoint(k gocv.KeyPoint, pts []geom.Vec2) int {
	best, dist := -1, snap
	for i, p := range pts {
		if d := p.Sub(geom.Vec2{k.X, k.Y}).Norm(); d < dist {
			best, dist = i, d
		}
	}
	return best
}
