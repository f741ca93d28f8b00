package sheet

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sightline/vision/geom"
	"sightline/vision/marker"
	"sightline/vision/opencv"
)

var now = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// dpi is what the sheets are rendered at, as a printer would; perMM is pixels per millimetre.
const (
	dpi   = 300
	perMM = dpi / 25.4
)

// render makes a picture of a PDF's only page by poppler, which is not what wrote it.
func render(t *testing.T, pdf []byte) *image.Gray {
	t.Helper()
	if _, err := exec.LookPath("pdftoppm"); err != nil {
		t.Skip("no pdftoppm to render the sheet with: make deps installs poppler-utils")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "sheet.pdf")
	if err := os.WriteFile(path, pdf, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("pdftoppm", "-r", "300", "-gray", "-png", "-singlefile", path, filepath.Join(dir, "page")).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm: %v\n%s", err, out)
	}
	f, err := os.Open(filepath.Join(dir, "page.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	g, ok := img.(*image.Gray)
	if !ok {
		g = image.NewGray(img.Bounds())
		for y := range g.Rect.Dy() {
			for x := range g.Rect.Dx() {
				g.Set(x, y, color.GrayModel.Convert(img.At(x, y)))
			}
		}
	}
	return g
}

// printed does what the command line does, in a folder of the test's own.
func printed(t *testing.T, dir string, c Command) ([]byte, error) {
	t.Helper()
	if c.Size == "" {
		c.Size = "A4"
	}
	c.Boards, c.Out = filepath.Join(dir, "boards.json"), filepath.Join(dir, "sheet.pdf")
	if err := c.Do(&bytes.Buffer{}, opencv.TagCells, now); err != nil {
		return nil, err
	}
	pdf, err := os.ReadFile(c.Out)
	if err != nil {
		t.Fatal(err)
	}
	return pdf, nil
}

// TestPrintedBoardIsTheBoard prints boards, reads the paper by OpenCV, and compares the millimetres on it
// with those of the boards file.
func TestPrintedBoardIsTheBoard(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []Command{
		{Board: "pump-7 front", Machine: "hall1/pump-7", Size: "A4"},
		{Board: "tank", Machine: "T-12 凝结水箱, mit einem sehr langen Namen, der auf keine Zeile passt", Size: "letter", Family: "4x4_50", Tags: "3x2", Side: 50, Lying: true},
		{Board: "valve", Machine: "V-31", Tags: "1x1", Side: 170},
	} {
		pdf, err := printed(t, dir, c)
		if err != nil {
			t.Fatal(err)
		}
		page, err := PageOf(c.Size + map[bool]string{true: "A4"}[c.Size == ""])
		if err != nil {
			t.Fatal(err)
		}
		g := render(t, pdf)
		if math.Abs(float64(g.Rect.Dx())-page.Width*perMM) > 2 || math.Abs(float64(g.Rect.Dy())-page.Height*perMM) > 2 {
			t.Errorf("%s: the page is %v pixels, want %s", c.Board, g.Rect.Size(), page.Name)
		}
		set, err := marker.Load(filepath.Join(dir, "boards.json"))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := set.Board(c.Board)
		compare(t, g, b)
		marginsAreWhite(t, g, c.Board)
	}
}

// compare wants every tag of a board on the paper, and its corners where the board has them: after the
// board's own rotation and place on the paper, which nobody needs, only the scale is left.
func compare(t *testing.T, g *image.Gray, b marker.Board) {
	t.Helper()
	seen, err := (opencv.Solvers{}).Tags(g, b.Tags[0].Family)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != len(b.Tags) {
		t.Fatalf("%s: %d tags are read, want %d", b.Name, len(seen), len(b.Tags))
	}
	first := seen[0]
	_, origin, ok := (marker.Set{Boards: []marker.Board{b}}).Find(first.Family, first.ID)
	if !ok {
		t.Fatalf("%s: tag %d is not on the board", b.Name, first.ID)
	}
	worst := 0.0
	for _, s := range seen {
		_, tag, ok := (marker.Set{Boards: []marker.Board{b}}).Find(s.Family, s.ID)
		if !ok {
			t.Errorf("%s: tag %d is not on the board", b.Name, s.ID)
			continue
		}
		for k, px := range s.Corners {
			mm := px.Sub(first.Corners[0]).Scale(1 / perMM)
			d := tag.Corners[k].Sub(origin.Corners[0])
			worst = math.Max(worst, mm.Sub(geom.Vec2{1000 * d[0], -1000 * d[1]}).Norm())
		}
	}
	t.Logf("%s: %d tags, corners within %.3f mm", b.Name, len(seen), worst)
	if worst > 0.15 {
		t.Errorf("%s: a corner is %.3f mm from where the boards file has it", b.Name, worst)
	}
}

// marginsAreWhite looks whether anything stands where a printer cannot print.
func marginsAreWhite(t *testing.T, g *image.Gray, name string) {
	t.Helper()
	const rim = (margin - 1) * dpi * 10 / 254
	for y := range g.Rect.Dy() {
		for x := range g.Rect.Dx() {
			inside := x >= rim && y >= rim && x < g.Rect.Dx()-rim && y < g.Rect.Dy()-rim
			if !inside && g.GrayAt(x, y).Y < 200 {
				t.Fatalf("%s: something is printed at %d, %d, within %d pixels of the edge", name, x, y, rim)
			}
		}
	}
}

// TestRulerIsTrue measures the ruler's line on the rendered paper: its ends are 100 mm apart.
func TestRulerIsTrue(t *testing.T) {
	pdf, err := printed(t, t.TempDir(), Command{Board: "b", Machine: "m"})
	if err != nil {
		t.Fatal(err)
	}
	g := render(t, pdf)
	row := int(math.Round((297 - 32) * perMM))
	longest := 0
	for y := row - 3; y <= row+3; y++ {
		n := 0
		for x := range g.Rect.Dx() {
			if g.GrayAt(x, y).Y > 128 {
				n = 0
				continue
			}
			n++
			longest = max(longest, n)
		}
	}
	if got := float64(longest) / perMM; math.Abs(got-rulerLength-0.2) > 0.2 { // the ticks at its ends are 0.2 mm wide
		t.Errorf("the ruler is %.2f mm long", got)
	}
}

func TestPrintedChessboard(t *testing.T) {
	pdf, err := printed(t, t.TempDir(), Command{Chessboard: "9x6", Square: 22, Size: "Letter"})
	if err != nil {
		t.Fatal(err)
	}
	at, ok, err := (opencv.Solvers{}).Chessboard(render(t, pdf), 9, 6)
	if err != nil || !ok {
		t.Fatalf("the chessboard is not found: %v", err)
	}
	for i := 1; i < len(at); i++ {
		if i%9 == 0 {
			continue
		}
		if mm := at[i].Sub(at[i-1]).Norm() / perMM; math.Abs(mm-22) > 0.1 {
			t.Errorf("corners %d and %d are %.2f mm apart, want 22", i-1, i, mm)
		}
	}
}

// TestBoardsFileGrows prints two boards and the first one again.
func TestBoardsFileGrows(t *testing.T) {
	dir := t.TempDir()
	once, err := printed(t, dir, Command{Board: "a", Machine: "m"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := printed(t, dir, Command{Board: "b", Machine: "m", Tags: "1x1"}); err != nil {
		t.Fatal(err)
	}
	set, err := marker.Load(filepath.Join(dir, "boards.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Boards) != 2 || set.Boards[1].Tags[0].ID != 4 {
		t.Errorf("boards %+v: want b to have the first tag that a has not, 4", set.Boards)
	}
	again, err := printed(t, dir, Command{Board: "a"})
	if err != nil || !bytes.Equal(once, again) {
		t.Errorf("printed again the sheet is another: %v", err)
	}
}

func TestSheetsThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	if _, err := printed(t, dir, Command{Board: "a", Machine: "m"}); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]Command{
		"one of them is needed":   {},
		"say which --machine":     {Board: "new"},
		"in boards.json already":  {Board: "a", Machine: "other"},
		"boards.json already, f":  {Board: "a", Side: 60},
		"has room for":            {Board: "big", Machine: "m", Side: 100},
		"--tags 2":                {Board: "new", Machine: "m", Tags: "2"},
		"want 1x1 to":             {Board: "new", Machine: "m", Tags: "0x2"},
		"--family":                {Board: "new", Machine: "m", Family: "25h9"},
		"want at least 5 mm":      {Board: "new", Machine: "m", Side: 3},
		"want A4 or Letter":       {Board: "a", Size: "A9"},
		"does not fit on A4":      {Chessboard: "9x6", Square: 40},
		"number of inner corners": {Chessboard: "nine", Square: 22},
		"upside down":             {Chessboard: "9x7", Square: 22},
		"more across than down":   {Chessboard: "6x9", Square: 22},
	} {
		_, err := printed(t, dir, c)
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""), want) {
			t.Errorf("%+v: error %v, want one with %q", c, err, want)
		}
	}
	set, err := marker.Load(filepath.Join(dir, "boards.json"))
	if err != nil || len(set.Boards) != 1 {
		t.Errorf("a refused sheet changed the boards file: %v, %v", set, err)
	}
}
