package calibrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"sightline/devices/media"
	"sightline/field/internal/capture"
	"sightline/field/internal/sheet"
	"sightline/vision/opencv"
)

// Command is the command line of field calibrate.
type Command struct {
	Source     string        `required:"" help:"camera:0, file:clip.mp4 or seq:DIR, which needs no camera.txt yet."`
	Chessboard string        `default:"9x6" help:"Inner corners of the board, across x down; field sheet --chessboard prints it."`
	Square     float64       `default:"22" help:"Side of its squares in mm."`
	Out        string        `default:"camera.txt" type:"path" help:"File to write: field --lens reads it."`
	Views      int           `default:"24" help:"Views of the board to use at most."`
	MaxRMS     float64       `name:"max-rms" default:"0.5" help:"Error of the corners, in pixels, up to which the lens is accepted; a good one has 0.1 to 0.3."`
	For        time.Duration `default:"3m" help:"How long to look at a camera at most."`
}

// lookEvery is how often a picture is looked at, in µs of capture time: between two pictures a hand moves the
// board, and finding it takes a tenth of a second.
const lookEvery = 200_000

// Do looks at the source until there are enough views or it ends, and writes the lens. What it does is said
// on stdout.
func (c *Command) Do(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	columns, rows, err := sheet.ParseChessboard(c.Chessboard)
	if err != nil {
		return err
	}
	switch {
	case c.Views < fewest || c.Views > 200:
		return fmt.Errorf("--views %d: want %d to 200", c.Views, fewest)
	case !(c.Square > 0):
		return fmt.Errorf("--square %g: want millimetres", c.Square)
	case !(c.MaxRMS > 0):
		return fmt.Errorf("--max-rms %g: want pixels", c.MaxRMS)
	}
	v := &views{columns: columns, rows: rows, most: c.Views}
	l := &look{c: c, views: v, stdout: stdout}
	if err := l.run(ctx, log); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d pictures looked at, the board found in %d, %d views kept\n", l.looked, l.found, len(v.kept))
	if l.found == 0 && l.looked > 0 {
		return fmt.Errorf("no chessboard of %s inner corners was found: is it the board of --chessboard, wholly in the picture, with a white rim?", c.Chessboard)
	}
	lens, err := fit(v, c.Square/1000, c.MaxRMS)
	if len(lens.PerView) > 0 {
		lens.print(stdout)
	}
	if err != nil {
		return fmt.Errorf("no lens was written: %w", err)
	}
	if err := os.WriteFile(c.Out, []byte(lens.file(c.Source)), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s is written. Use it with field --lens %s; a sequence has it in its folder, a clip.mp4 beside it as clip.camera.txt.\n", c.Out, c.Out)
	return nil
}

// look is a walk through a source.
type look struct {
	c             *Command
	views         *views
	stdout        io.Writer
	stop          context.CancelFunc
	next          int64 // capture time from which the next picture is looked at, µs
	looked, found int
	err           error
}

func (l *look) run(ctx context.Context, log *slog.Logger) error {
	live := strings.HasPrefix(l.c.Source, "camera:")
	ctx, l.stop = context.WithCancel(ctx)
	defer l.stop()
	if live {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.c.For)
		defer cancel()
		fmt.Fprintf(l.stdout, "Hold the board before the camera, still for a moment each time; %d views are wanted, for %v at most.\n", l.c.Views, l.c.For)
	}
	options := media.Options{EveryFrame: !live, AnyLens: true}
	if strings.HasPrefix(l.c.Source, "seq:") {
		options.FPS = 1e6 / lookEvery // every picture of a sequence may be a photograph of its own
	}
	feed, err := capture.Open(capture.Config{Spec: l.c.Source, FOV: 65, Media: options,
		OnFrame: l.frame, OnState: func(error) {}, Logger: log})
	if err != nil {
		return err
	}
	return errors.Join(feed.Run(ctx), l.err)
}

// frame looks for the board in a picture.
func (l *look) frame(f capture.Frame) {
	if f.Captured < l.next || l.views.full() || l.err != nil {
		return
	}
	l.next = f.Captured + lookEvery
	l.looked++
	g := f.Grey()
	l.views.width, l.views.height = g.Rect.Dx(), g.Rect.Dy()
	corners, ok, err := opencv.Solvers{}.Chessboard(g, l.views.columns, l.views.rows)
	if err != nil {
		l.err = err
		l.stop()
		return
	}
	if !ok {
		return
	}
	l.found++
	if !l.views.offer(view{f.Index, corners}) {
		return
	}
	if l.views.full() {
		fmt.Fprintf(l.stdout, "view %d of %d, frame %d: enough\n", len(l.views.kept), l.views.most, f.Index)
		l.stop()
		return
	}
	fmt.Fprintf(l.stdout, "view %d of %d, frame %d: %s\n", len(l.views.kept), l.views.most, f.Index, l.views.advice())
}

// print says what was found, and how well.
func (l *Lens) print(w io.Writer) {
	m, s := l.Model, l.Sigma
	for i, v := range l.Views {
		fmt.Fprintf(w, "  frame %5d  error %.2f px\n", v.frame, l.PerView[i])
	}
	for _, f := range l.Strays {
		fmt.Fprintf(w, "  frame %5d  left out: blurred or misread\n", f)
	}
	fmt.Fprintf(w, "error %.3f px (root mean square) over %d views, tilted by up to %.0f degrees\n", l.RMS, len(l.Views), l.Tilt)
	fmt.Fprintf(w, "fx %.2f ± %.2f  fy %.2f ± %.2f  cx %.2f ± %.2f  cy %.2f ± %.2f px\n", m.Fx, s.Fx, m.Fy, s.Fy, m.Cx, s.Cx, m.Cy, s.Cy)
	fmt.Fprintf(w, "k1 %.4f ± %.4f  k2 %.4f ± %.4f  p1 %.5f ± %.5f  p2 %.5f ± %.5f  k3 %.4f ± %.4f\n", m.K1, s.K1, m.K2, s.K2, m.P1, s.P1, m.P2, s.P2, m.K3, s.K3)
	across, down, diagonal := fields(m)
	fmt.Fprintf(w, "sees %.1f degrees across, %.1f down, %.1f from corner to corner\n", across, down, diagonal)
}

// file is the camera.txt.
func (l *Lens) file(source string) string {
	s := l.Sigma
	return fmt.Sprintf("# field calibrate --source %s: %d views, error %.3f px\n# standard deviations: fx %.3f fy %.3f cx %.3f cy %.3f k1 %.5f k2 %.5f p1 %.6f p2 %.6f k3 %.5f\n# fx fy cx cy width height k1 k2 p1 p2 k3\n%s\n",
		strings.ReplaceAll(source, "\n", " "), len(l.Views), l.RMS, s.Fx, s.Fy, s.Cx, s.Cy, s.K1, s.K2, s.P1, s.P2, s.K3, l.Model.Row())
}
