package faces

import (
	"flag"
	"image"
	"image/draw"
	_ "image/jpeg"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
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
	t.Logf("%v of %v, %.1f", found[0].Box, p.Rect, found[0].Score)
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
