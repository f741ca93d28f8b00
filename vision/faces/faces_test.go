package faces

import (
	"cmp"
	"flag"
	"image"
	"image/draw"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// open reads a picture as grey values.
func open(t testing.TB, path string) *image.Gray {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	g := image.NewGray(image.Rect(0, 0, p.Bounds().Dx(), p.Bounds().Dy()))
	draw.Draw(g, g.Rect, p, p.Bounds().Min, draw.Src)
	return g
}

func finder(t testing.TB) *Finder {
	t.Helper()
	f, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// portrait is the photograph of a face that pigo's tests use.
func portrait(t testing.TB) *image.Gray {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/esimov/pigo").Output()
	if err != nil {
		t.Fatal(err)
	}
	return open(t, filepath.Join(strings.TrimSpace(string(dir)), "testdata", "sample.jpg"))
}

func TestPortrait(t *testing.T) {
	p := portrait(t)
	found := finder(t).Find(p, Upright, Left, Right)
	if len(found) != 1 {
		t.Fatalf("%d faces", len(found))
	}
	eyes, mouth := [2]image.Point{{115, 184}, {204, 183}}, image.Pt(160, 285)
	box := found[0].Box
	if !eyes[0].In(box) || !eyes[1].In(box) || !mouth.In(box) {
		t.Errorf("the face is said to be at %v, without an eye or the mouth", box)
	}
	if d := box.Min.Add(box.Max).Div(2).Sub(image.Pt(160, 215)); max(d.X, -d.X, d.Y, -d.Y) > 40 || max(box.Dx(), box.Dy()) > 300 {
		t.Errorf("the face is said to be at %v, far around it", box)
	}
}

// TestSurestFirst finds a face beside fainter ones, wherever they are.
func TestSurestFirst(t *testing.T) {
	face := portrait(t)
	w, h := face.Rect.Dx(), face.Rect.Dy()
	for _, contrast := range [][3]int{{100, 20, 10}, {10, 100, 20}, {20, 10, 100}} {
		p := image.NewGray(image.Rect(0, 0, 3*w, h))
		for i, c := range contrast {
			for y := range h {
				for x := range w {
					v := int(face.Pix[y*face.Stride+x]) + 60*((x*y)%7-3)*(100-c)/100/3 // the less contrast, the more noise
					p.Pix[y*p.Stride+i*w+x] = uint8(max(0, min(255, 128+(v-128)*c/100)))
				}
			}
		}
		found := finder(t).Find(p, Upright, Left, Right)
		if len(found) < 3 {
			t.Errorf("%d faces of 3", len(found))
		}
		if !slices.IsSortedFunc(found, func(a, b Face) int { return cmp.Compare(b.Score, a.Score) }) {
			t.Errorf("not the surest first: %v", found)
		}
	}
}

func TestNothing(t *testing.T) {
	for _, size := range []image.Point{{0, 0}, {1, 1}, {19, 500}, {640, 480}, {33, 27}} {
		if found := finder(t).Find(image.NewGray(image.Rectangle{Max: size}), Upright, Left, Right); len(found) != 0 {
			t.Errorf("%v: %v", size, found)
		}
	}
}

var people = flag.String("faces", "", "folder with the demo pictures of npm's @vladmandic/face-api 1.7.15")

// truth is where the faces are in those pictures, in thousandths of the width.
var truth = map[string][][2]int{
	"sample1.jpg": {{266, 250}, {496, 290}, {840, 160}},
	"sample2.jpg": {{214, 130}, {530, 190}, {794, 190}},
	"sample3.jpg": {{370, 224}, {620, 180}, {826, 220}},
	"sample4.jpg": {{180, 180}, {400, 110}, {560, 150}, {716, 130}},
	"sample5.jpg": {{370, 300}, {444, 150}, {620, 190}, {780, 260}, {240, 550}},
	"sample6.jpg": {{170, 350}, {400, 250}, {656, 220}, {820, 180}},
}

// TestRecall counts the faces of real people that are found, and what is taken for one.
func TestRecall(t *testing.T) {
	if *people == "" {
		t.Skip("no folder is named: -faces DIR")
	}
	for _, reduce := range []int{1, 2, 3} { // 1920 pixels wide, 960, 640
		found, all, wrong := 0, 0, 0
		took := time.Duration(0)
		for name, faces := range truth {
			p := smaller(open(t, filepath.Join(*people, name)), reduce)
			begun := time.Now()
			got := finder(t).Find(p, Upright, Left, Right)
			took += time.Since(begun)
			hit := map[int]bool{}
			for _, g := range got {
				was := false
				for i, at := range faces {
					c := image.Pt(at[0]*p.Rect.Dx()/1000, at[1]*p.Rect.Dx()/1000)
					if c.In(g.Box) {
						hit[i], was = true, true
					}
				}
				if !was {
					wrong++
				}
			}
			found, all = found+len(hit), all+len(faces)
			t.Logf("%s: %d of %d", name, len(hit), len(faces))
		}
		t.Logf("%d pixels wide: %d of %d faces, %d other things, %v a picture", 1920/reduce, found, all, wrong, (took / 6).Round(time.Millisecond))
		if found < 20 || wrong > 1 { // as the finder that is built in does
			t.Errorf("%d pixels wide: %d of %d faces are found, want 20; %d other things are taken for one, want at most 1", 1920/reduce, found, all, wrong)
		}
	}
}

// smaller takes every nth pixel.
func smaller(p *image.Gray, n int) *image.Gray {
	out := image.NewGray(image.Rect(0, 0, p.Rect.Dx()/n, p.Rect.Dy()/n))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Pix[y*out.Stride+x] = p.Pix[n*y*p.Stride+n*x]
		}
	}
	return out
}
