package marker

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"sightline/vision/geom"
)

func pump() Board {
	return Board{Name: "pump-7 front", Machine: "hall1/pump-7", Upright: true, Tags: []Tag{
		Square(AprilTag36h11, 3, -0.09, 0.09, 0.08), Square(ArUco4x4, 7, 0.01, 0.09, 0.08)}}
}

func TestFileComesBack(t *testing.T) {
	want := Set{Boards: []Board{pump(), {Name: "Behälter 12 \"hinten\"", Machine: "T-12", Tags: []Tag{Square(ArUco4x4, 0, 0, 0, 0.15)}}}}
	path := filepath.Join(t.TempDir(), "boards.json")
	if s, err := LoadOrNew(path); err != nil || len(s.Boards) != 0 {
		t.Fatalf("an absent file: %v, %v", s, err)
	}
	if err := want.Save(path); err != nil {
		t.Fatal(err)
	}
	got, err := Load(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v\nwant %v", got, err, want)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Errorf("%d files are left", len(left))
	}
	b, tag, ok := got.Find(ArUco4x4, 7)
	if !ok || b.Machine != "hall1/pump-7" || math.Abs(tag.Side()-0.08) > 1e-12 {
		t.Errorf("tag 7 is %v on %v", tag, b)
	}
	free, err := got.Free(ArUco4x4, 3)
	if err != nil || !reflect.DeepEqual(free, []int{1, 2, 3}) {
		t.Errorf("free are %v, %v", free, err)
	}
	if _, err := got.Free(ArUco4x4, 49); err == nil {
		t.Error("49 tags of 50 are free though two are taken")
	}
}

func TestWrongBoardsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Set){
		"want a name":         func(s *Set) { s.Boards[0].Name = "" },
		"want a machine":      func(s *Set) { s.Boards[0].Machine = "" },
		"0 tags":              func(s *Set) { s.Boards[0].Tags = nil },
		"families are":        func(s *Set) { s.Boards[0].Tags[0].Family = "25h9" },
		"tags 0 to 49":        func(s *Set) { s.Boards[0].Tags[1].ID = 50 },
		"not a square":        func(s *Set) { s.Boards[0].Tags[0].Corners[2][0] += 0.01 },
		"at most 10":          func(s *Set) { s.Boards[0].Tags[0].Corners[2][0] = math.Inf(1) },
		"does not lie on":     func(s *Set) { s.Boards[0].Tags[0].Corners[2][2] = 0.001 },
		"its side is":         func(s *Set) { s.Boards[0].Tags[0] = Square(AprilTag36h11, 3, 0, 0, 0.001) },
		"go clockwise":        func(s *Set) { c := &s.Boards[0].Tags[0].Corners; c[1], c[3] = c[3], c[1] },
		"have the name":       func(s *Set) { s.Boards = append(s.Boards, pump()) },
		"is on board":         func(s *Set) { b := pump(); b.Name = "other"; s.Boards = append(s.Boards, b) },
		"is on board \"pump-": func(s *Set) { s.Boards[0].Tags[1] = s.Boards[0].Tags[0] },
	} {
		s := Set{Boards: []Board{pump()}}
		change(&s)
		err := s.Write(&bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                "EOF",
		`{"version":2,"boards":[]}`:       "version 2",
		`{"version":1,"board":[]}`:        "unknown field",
		`{"version":1,"boards":[]} {}`:    "follows",
		`{"version":1,"boards":[{}]}`:     "want a name",
		strings.Repeat(" ", maxFile+1000): "no boards file",
	} {
		if _, err := Read(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: error %v, want one with %q", text, err, want)
		}
	}
}

// TestDown hangs a board upright in a world whose down is known, and turns the world.
func TestDown(t *testing.T) {
	world := geom.ExpSO3(geom.Vec3{0.4, -1.1, 2})
	down := geom.Vec3{0, 0, -1}
	// In the plain world: the board's x along the wall, its y up, its z into the room.
	board := geom.Pose{R: geom.Mat3{1, 0, 0, 0, 0, -1, 0, 1, 0}, T: geom.Vec3{3, 1, 1.2}}
	tag := Square(ArUco4x4, 0, 0, 0, 0.1)
	askew := tag // on a sheet that hangs upright all the same
	for k, p := range tag.Corners {
		askew.Corners[k] = geom.ExpSO3(geom.Vec3{0, 0, 0.7}).MulVec(p)
	}
	for _, tag := range []Tag{tag, askew} {
		got := tag.Down(place(tag, geom.Pose{R: world.Mul(board.R), T: world.MulVec(board.T)}))
		if d := got.Sub(world.MulVec(down)).Norm(); d > 1e-12 {
			t.Errorf("down is %v, off by %g", got, d)
		}
	}
	c := place(tag, board)
	if d := c[3].Sub(c[0]).Unit().Sub(down).Norm(); d > 1e-12 {
		t.Errorf("from the tag's top to its bottom is not down: %v", c)
	}
}

// place is where a tag's corners are in the world of a board's pose.
func place(t Tag, worldFromBoard geom.Pose) [4]geom.Vec3 {
	var c [4]geom.Vec3
	for k, p := range t.Corners {
		c[k] = worldFromBoard.Apply(p)
	}
	return c
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := (Set{Boards: []Board{pump()}}).Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"version":1,"boards":[{"name":"a","machine":"b","upright":false,"tags":[{"family":"36h11","id":0,"corners":[[0,1,0],[1,1,0],[1,0,0],[0,0,0]]}]}]}`))
	f.Add([]byte(`{"version":1,"boards":[{"name":"a","machine":"b","tags":[{"family":"4x4_50","id":-1,"corners":[[1e308,1,0]]}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := s.Write(&again); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		back, err := Read(&again)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(back.Boards) != len(s.Boards) {
			t.Errorf("%d boards came back of %d", len(back.Boards), len(s.Boards))
		}
	})
}
