package seqbench

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sightline/vision/geom"
)

func near(t *testing.T, name string, got number, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tolerance) {
		t.Errorf("%s is %v, want %v", name, got, want)
	}
}

// TestScore counts by hand what a mark of 20 frames did.
func TestScore(t *testing.T) {
	anchors := []anchor{{frame: 0}}
	var all []judged
	for f := 1; f <= 20; f++ {
		j := judged{key: key{f, 0}, visible: f <= 16, drawn: f != 3, off: geom.Vec2{1, 0}, sigma: 1}
		switch f {
		case 5:
			j.off = geom.Vec2{0, 11} // wrong
		case 6:
			j.off = geom.Vec2{0, 3} // right, but outside of what it claims
		case 18:
			j.off = geom.Vec2{40, 0} // drawn elsewhere while the truth is hidden
		case 19:
			j.behind = true
		}
		all = append(all, j)
	}
	s := score(all, anchors, 1)
	if s.Visible != 16 {
		t.Errorf("%d visible, want 16", s.Visible)
	}
	near(t, "shown", s.Shown, 15.0/16, 0)
	near(t, "held", s.Held, 14.0/16, 0)
	near(t, "wrong", s.Wrong, 1.0/15, 0)
	near(t, "misplaced", s.Misplaced, 3.0/19, 0)
	near(t, "within", s.Within, 13.0/15, 0)
	near(t, "median", s.Median, 1, 0)
	near(t, "p95", s.P95, 3, 0)
	near(t, "young", s.Young, 1, 0)
	near(t, "old", s.Old, 1, 0)
}

// TestJitter draws marks with a constant error each, which is none, and normal noise, which is.
func TestJitter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var all []judged
	for f := range 400 {
		for id := range 5 {
			off := geom.Vec2{3 * float64(id), -2}.Add(geom.Vec2{rng.NormFloat64(), rng.NormFloat64()}.Scale(0.2))
			all = append(all, judged{key: key{f, id}, drawn: true, visible: true, off: off})
		}
	}
	near(t, "jitter", jitter(all), 0.2, 0.01)
}

// story makes moments out of letters: t tracked and right, w tracked and wrong, h tracked with no mark drawn,
// l lost, a away (tracked, nothing in view), b lost and away.
func story(text string) []moment {
	var ms []moment
	for f, c := range strings.ReplaceAll(text, " ", "") {
		m := moment{frame: f, posed: c != 'l' && c != 'b', seen: 4}
		switch c {
		case 't':
			m.right = 3
		case 'w':
			m.wrong, m.right = 3, 1
		case 'a', 'b':
			m.seen = 0
		}
		ms = append(ms, m)
	}
	return ms
}

func TestReturns(t *testing.T) {
	for text, want := range map[string][3]int{
		"tttttttttt":              {0, 0, 0},
		"ttt lll tttt":            {1, 0, 0}, // found within 5 frames
		"ttt llll hhh ttt":        {0, 1, 0}, // tracked again, but its marks came after 7 frames
		"ttt lll ww ttt":          {0, 0, 1},
		"ttt lll wwwwwwwww":       {0, 0, 1},
		"ttt lllllllll":           {0, 1, 0}, // never
		"ttt lll":                 {0, 0, 0}, // too short to judge
		"ttt aaaaaaaaaaa ttt":     {1, 0, 0},
		"ttt aaaaa ttt":           {0, 0, 0}, // out of view for half a second only
		"ttt bbbbbbbbbbb hh ttt":  {1, 0, 0}, // the time counts from when the place is in view
		"ttt lbbbbbl ttt ll tt":   {2, 0, 0},
		"t aaaaaaaaaaa hhhhhhh t": {0, 1, 0},
	} {
		r := returns(story(text), 10)
		if got := [3]int{r.Right, r.Late, r.Wrong}; got != want {
			t.Errorf("%s: right, late, wrong %v, want %v", text, got, want)
		}
	}
	near(t, "seconds", returns(story("ttt lll tttt"), 10).Median, 0.3, 1e-9)
}

// TestTrajectoryError moves a path by a similarity and adds noise, which alone must be left.
func TestTrajectoryError(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		r := geom.ExpSO3(geom.Vec3{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}.Scale(2))
		s := &sequence{poseCW: map[int]geom.Pose{}}
		poses := map[int]geom.Pose{}
		const noise = 0.004
		for i := range 500 {
			c := geom.Vec3{math.Sin(float64(i) / 50), float64(i) / 300, 0.2 * math.Cos(float64(i)/20)}
			s.poseCW[i] = geom.Pose{R: geom.Identity3, T: c}.Inverse()
			shake := geom.Vec3{rng.NormFloat64(), rng.NormFloat64(), rng.NormFloat64()}.Scale(noise)
			poses[i] = geom.Pose{R: geom.Identity3, T: r.MulVec(c.Add(shake)).Scale(7).Add(geom.Vec3{5, -2, 9})}
		}
		near(t, "error", s.trajectoryError(poses), noise*math.Sqrt(3), 0.0004)
	}
	still := &sequence{poseCW: map[int]geom.Pose{}}
	for i := range 50 {
		still.poseCW[i] = geom.Pose{R: geom.Identity3}
	}
	if e := still.trajectoryError(still.poseCW); !math.IsNaN(float64(e)) {
		t.Errorf("a camera that stands still has a trajectory error of %v", e)
	}
}

func TestMarksAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "marks.csv")
	text := "frame,anchor,u,v,state,sigma_px,reason\n3,1,10.5,20.25,shown,0.7,\n3,2,1,2,hidden,9,\"too, dark\"\n4,1,11,21,shown\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := readMarks(path, 1)
	if err != nil || len(got) != 2 || got[key{3, 1}] != (drawn{geom.Vec2{10.5, 20.25}, 0.7}) || got[key{4, 1}].sigma != 0 {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"1,2,3", "1,x,3,4,shown"} {
		if err := os.WriteFile(path, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readMarks(path, 1); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzPoses(f *testing.F) {
	f.Add("# index tx ty tz qx qy qz qw\n00000 0 0 0 0 0 0 1\n00001 1 2 3 0 0 0.7 0.7\n")
	f.Add("7 0 0 0 0 0 0\n")
	f.Add("-1 NaN 1e999 0 0 0 0 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		poses, err := parsePoses(strings.NewReader(text))
		if err != nil {
			return
		}
		for i, p := range poses {
			if i < 0 || !p.T.Finite() || !p.R.MulVec(geom.Vec3{1, 1, 1}).Finite() {
				t.Errorf("frame %d is at %v", i, p)
			}
		}
	})
}
