package seqbench

import (
	"math"
	"slices"
	"strconv"

	"sightline/vision/geom"
)

// wrongPx is the distance in pixels from the truth beyond which a mark points at something else.
const wrongPx = 10

// radius95 is how many standard deviations hold 95 of 100 of a two-dimensional normal distribution: the
// radius that the product claims for a mark (camera.Error.Radius95).
const radius95 = 2.45

// Score is how well the marks of a run hit. Shares are of 1; what could not be measured is NaN.
type Score struct {
	// Visible counts marks times frames in which the true point is in view and not hidden.
	Visible int `json:"visible"`
	// Shown and Held are the shares of Visible that were drawn, and drawn within 10 px.
	Shown number `json:"shown"`
	Held  number `json:"held"`
	// Median, P90 and P95 are the error of what was shown of the visible, in pixels.
	Median number `json:"error_median_px"`
	P90    number `json:"error_p90_px"`
	P95    number `json:"error_p95_px"`
	// Wrong is the share of what was shown of the visible that is off by more than 10 px; Misplaced is that
	// of everything drawn, also where the true point is hidden or out of view.
	Wrong     number `json:"wrong_while_shown"`
	Misplaced number `json:"misplaced_of_all_drawn"`
	// Within is the share of what was shown of the visible that lies within the claimed 95 % radius.
	Within number `json:"within_claimed_95"`
	// Young and Old are the median errors, in pixels, up to 1 s and from 15 s after the anchor's frame.
	Young number `json:"error_median_px_1s"`
	Old   number `json:"error_median_px_15s"`
	// Jitter is the standard deviation, in pixels, of where a mark is drawn about where it should be and
	// its own mean error, over all marks: what trembles and what swims.
	Jitter number `json:"jitter_px"`
}

// judged is one mark in one frame against the truth.
type judged struct {
	key
	drawn   bool
	visible bool
	off     geom.Vec2 // of what was drawn from the truth
	sigma   float64
	behind  bool // drawn though the true point is behind the camera
}

func (j judged) error() float64 { return j.off.Norm() }

// misplaced says whether what was drawn points at something else.
func (j judged) misplaced() bool { return j.drawn && (j.behind || !(j.error() <= wrongPx)) }

// points are where the anchors truly are in the world.
func (s *sequence) points(anchors []anchor) ([]geom.Vec3, error) {
	points := make([]geom.Vec3, len(anchors))
	for id, a := range anchors {
		z, err := s.depth(a.frame, int(a.px[0]), int(a.px[1]))
		if err != nil {
			return nil, err
		}
		points[id] = s.lift(a.frame, a.px, z)
	}
	return points, nil
}

// judge compares every mark with the truth in every judged frame after its own; points are the marks' places.
func (s *sequence) judge(anchors []anchor, points []geom.Vec3, shown map[key]drawn) ([]judged, error) {
	var all []judged
	for f := 0; f <= s.last; f += s.step() {
		if _, posed := s.poseCW[f]; !posed {
			continue
		}
		for id, a := range anchors {
			if f <= a.frame {
				continue
			}
			j, err := s.judgeOne(key{f, id}, points[id], shown)
			if err != nil {
				return nil, err
			}
			all = append(all, j)
		}
	}
	return all, nil
}

func (s *sequence) judgeOne(k key, p geom.Vec3, shown map[key]drawn) (judged, error) {
	px, ok, err := s.visible(k.frame, p)
	j := judged{key: k, visible: ok}
	if m, has := shown[k]; has {
		_, _, front := s.project(k.frame, p)
		j.drawn, j.off, j.sigma, j.behind = true, m.px.Sub(px), m.sigma, !front
	}
	return j, err
}

// score sums up what was judged; fps is the pace of the sequence.
func score(all []judged, anchors []anchor, fps float64) Score {
	var errs, young, old []float64
	held, within, ghosts, drew, visible := 0, 0, 0, 0, 0
	for _, j := range all {
		if j.drawn {
			drew++
		}
		if j.misplaced() {
			ghosts++
		}
		if !j.visible {
			continue
		}
		visible++
		if !j.drawn {
			continue
		}
		e := j.error()
		errs = append(errs, e)
		if e <= wrongPx {
			held++
		}
		if e <= radius95*j.sigma {
			within++
		}
		switch age := float64(j.frame-anchors[j.anchor].frame) / fps; {
		case age <= 1:
			young = append(young, e)
		case age >= 15:
			old = append(old, e)
		}
	}
	slices.Sort(errs)
	slices.Sort(young)
	slices.Sort(old)
	return Score{Visible: visible, Shown: share(len(errs), visible), Held: share(held, visible),
		Median: quantile(errs, 0.5), P90: quantile(errs, 0.9), P95: quantile(errs, 0.95),
		Wrong: share(len(errs)-held, len(errs)), Misplaced: share(ghosts, drew), Within: share(within, len(errs)),
		Young: quantile(young, 0.5), Old: quantile(old, 0.5), Jitter: jitter(all)}
}

// jitter is the root mean square, along one axis, of each visible mark's offset about its mean.
func jitter(all []judged) number {
	type sum struct {
		n      int
		mean   geom.Vec2
		square float64
	}
	per := map[int]*sum{}
	for _, j := range all {
		if !j.drawn || !j.visible {
			continue
		}
		s := per[j.anchor]
		if s == nil {
			s = &sum{}
			per[j.anchor] = s
		}
		// Welford's running mean and sum of squares.
		s.n++
		d := j.off.Sub(s.mean)
		s.mean = s.mean.Add(d.Scale(1 / float64(s.n)))
		e := j.off.Sub(s.mean)
		s.square += d[0]*e[0] + d[1]*e[1]
	}
	n, square := 0, 0.0
	for _, s := range per {
		n += s.n
		square += s.square
	}
	if n == 0 {
		return number(math.NaN())
	}
	return number(math.Sqrt(square / float64(2*n)))
}

func share(part, whole int) number {
	if whole == 0 {
		return number(math.NaN())
	}
	return number(float64(part) / float64(whole))
}

// quantile of sorted values, by the nearest one.
func quantile(sorted []float64, q float64) number {
	if len(sorted) == 0 {
		return number(math.NaN())
	}
	return number(sorted[int(q*float64(len(sorted)-1)+0.5)])
}

// number is a float64 that is null in JSON where it is not a number.
type number float64

// MarshalJSON writes a number with as many digits as mean something, or null.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(n), 'g', 6, 64), nil
}
