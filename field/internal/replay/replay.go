// Package replay runs the tracker over a recorded sequence: the contract for measuring it.
package replay

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // sequences hold either
	_ "image/png"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sightline/field/internal/anchoring"
	"sightline/vision"
	"sightline/vision/camera"
	"sightline/vision/geom"
	"sightline/vision/track"
)

// Config is the command line.
type Config struct {
	Sequence    string  `required:"" type:"existingdir" help:"Sequence folder: rgb/NNNNN.png|jpg from 00000, camera.txt."`
	Anchors     string  `type:"existingfile" help:"Rows frame,u,v: marks to place."`
	Delay       int     `help:"Tell each anchor so many frames after its frame."`
	Marks       string  `help:"Write frame,anchor,u,v,state,sigma_px,reason here."`
	Trajectory  string  `help:"Write index tx ty tz qx qy qz qw (camera-to-world) here."`
	FOV         float64 `name:"fov" placeholder:"DEGREES" help:"Guess the lens by its horizontal field of view instead of reading it from camera.txt; it is found on the way."`
	FindReadout bool    `help:"Do not take from camera.txt how long reading a picture takes; it is found on the way."`
	MapIn       string  `type:"existingfile" help:"Begin with the maps and the marks of this file."`
	MapOut      string  `help:"Write the maps and the marks to this file at the end."`
	NoMarkers   bool    `help:"Do not read ArUco markers."`
	Sync        bool    `help:"Map in step with the frames, as fast as they can be read, so that a run repeats exactly; the time of that is shown as beside, and is not in that of a frame. Without it they come at --fps and are mapped beside, as in a call."`
	FPS         float64 `default:"30" help:"Frames per second of the sequence."`
	Verbose     bool    `short:"v" help:"Say what the tracker does."`
}

type anchorRow struct {
	frame int
	px    geom.Vec2
}

// run is one replay.
type run struct {
	cfg     Config
	eye     *anchoring.Anchoring
	anchors []anchorRow
	marks   io.Writer
	path    io.Writer
	stages  []track.Stages
	total   []time.Duration
	tracked int
	begun   int
	memory  memory
}

// Run replays the sequence and prints the times. The errors name the file that is missing or wrong.
func Run(cfg Config) (err error) {
	cam, err := camera.Load(filepath.Join(cfg.Sequence, "camera.txt"))
	if err != nil {
		return err
	}
	if cfg.FOV != 0 {
		cam = camera.FromFOV(cam.Width, cam.Height, cfg.FOV*math.Pi/180)
	}
	if cfg.FindReadout {
		cam.Readout = 0
	}
	r := &run{cfg: cfg, marks: io.Discard, path: io.Discard, begun: -1}
	if r.anchors, err = readAnchors(cfg.Anchors); err != nil {
		return err
	}
	level := slog.LevelWarn
	if cfg.Verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	r.eye, err = anchoring.Start(anchoring.Config{Camera: cam, Guessed: cfg.FOV != 0, NoMarkers: cfg.NoMarkers, Sync: cfg.Sync, Logger: log})
	if err != nil {
		return err
	}
	defer r.eye.Close()
	if cfg.MapIn != "" {
		if _, err := r.eye.Recall(cfg.MapIn, ""); err != nil {
			return err
		}
	}
	for _, out := range []struct {
		path string
		w    *io.Writer
	}{{cfg.Marks, &r.marks}, {cfg.Trajectory, &r.path}} {
		if out.path == "" {
			continue
		}
		f, ferr := os.Create(out.path)
		if ferr != nil {
			return ferr
		}
		b := bufio.NewWriter(f)
		defer func() { err = errors.Join(err, b.Flush(), f.Close()) }()
		*out.w = b
	}
	fmt.Fprintln(r.marks, "frame,anchor,u,v,state,sigma_px,reason")
	return r.frames()
}

func (r *run) frames() error {
	n, begin := 0, time.Now()
	for ; ; n++ {
		grey, err := r.load(n)
		if errors.Is(err, os.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		if !r.cfg.Sync {
			time.Sleep(time.Until(begin.Add(time.Duration(r.captured(n)) * time.Microsecond)))
		}
		if err := r.frame(n, grey); err != nil {
			return err
		}
		r.memory.frame(n)
	}
	if n == 0 {
		return fmt.Errorf("%s: no rgb/00000.png or .jpg in it", r.cfg.Sequence)
	}
	r.report(n)
	if r.cfg.MapOut != "" {
		return r.eye.Save(r.cfg.MapOut, filepath.Base(r.cfg.Sequence), func(string) (string, bool) { return "", true })
	}
	return nil
}

func (r *run) captured(n int) int64 { return int64(float64(n)*1e6/r.cfg.FPS) + 1 }

func (r *run) frame(n int, grey *image.Gray) error {
	begin := time.Now()
	e, err := r.eye.Track(grey, r.captured(n))
	if err != nil {
		return fmt.Errorf("frame %d: %w", n, err)
	}
	for i, a := range r.anchors {
		if a.frame+r.cfg.Delay == n {
			r.eye.Place(strconv.Itoa(i), r.captured(a.frame), []geom.Vec2{a.px})
		}
	}
	took, stages := time.Since(begin), r.eye.Stages()
	r.total = append(r.total, took-stages[track.StageBeside])
	r.stages = append(r.stages, stages)
	if e.State == vision.Tracking {
		r.tracked++
		if r.begun < 0 {
			r.begun = n
		}
		wc := e.PoseCW.Inverse()
		q := geom.QuatOf(wc.R)
		fmt.Fprintf(r.path, "%05d %.6f %.6f %.6f %.7f %.7f %.7f %.7f\n", n, wc.T[0], wc.T[1], wc.T[2], q[0], q[1], q[2], q[3])
	}
	for _, p := range r.eye.Placements() {
		m := anchoring.Project(p, 0, e, r.eye.Camera())
		fmt.Fprintf(r.marks, "%d,%s,%.3f,%.3f,%s,%.3f,%s\n", n, p.ID, m.Px[0], m.Px[1], m.State, m.SigmaPx, strings.ReplaceAll(m.Reason, ",", ";"))
	}
	return nil
}

func (r *run) load(n int) (*image.Gray, error) {
	for _, ext := range []string{".png", ".jpg", ".jpeg"} {
		path := filepath.Join(r.cfg.Sequence, "rgb", fmt.Sprintf("%05d%s", n, ext))
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer f.Close()
		img, _, err := image.Decode(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return toGrey(img), nil
	}
	return nil, os.ErrNotExist
}

func toGrey(img image.Image) *image.Gray {
	b := img.Bounds()
	if y, ok := img.(*image.YCbCr); ok {
		return &image.Gray{Pix: y.Y, Stride: y.YStride, Rect: image.Rect(0, 0, b.Dx(), b.Dy())}
	}
	g := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	if c, ok := img.(*image.RGBA); ok { // what a png of 24 bits is read as; the general way takes 20 times as long
		for y := range b.Dy() {
			row := c.Pix[y*c.Stride:]
			for x := range b.Dx() {
				g.Pix[y*g.Stride+x] = uint8((19595*int(row[4*x]) + 38470*int(row[4*x+1]) + 7471*int(row[4*x+2]) + 1<<15) >> 16)
			}
		}
		return g
	}
	if c, ok := img.(*image.Gray); ok {
		return c
	}
	for y := range b.Dy() {
		for x := range b.Dx() {
			g.Pix[y*g.Stride+x] = color.GrayModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.Gray).Y
		}
	}
	return g
}

func (r *run) report(n int) {
	fmt.Printf("frames %d, tracked %d (%.1f %%), first pose in frame %d\n", n, r.tracked, 100*float64(r.tracked)/float64(n), r.begun)
	row := func(name string, d []time.Duration) {
		slices.Sort(d)
		fmt.Printf("%-8s ms: p50 %6.2f  p95 %6.2f  max %6.2f\n", name, ms(d[len(d)/2]), ms(d[len(d)*95/100]), ms(d[len(d)-1]))
	}
	row("frame", r.total)
	for s := range r.stages[0] {
		d := make([]time.Duration, len(r.stages))
		for i := range d {
			d[i] = r.stages[i][s]
		}
		row(track.Stage(s).String(), d)
	}
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) == nil {
		fmt.Printf("CPU %.2f s, peak memory %d MB\n", time.Duration(u.Utime.Nano()+u.Stime.Nano()).Seconds(), u.Maxrss/1024)
	}
	r.memory.print(os.Stdout)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func readAnchors(path string) ([]anchorRow, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var rows []anchorRow
	for i, line := range strings.Split(strings.TrimSpace(string(data)), "\n") {
		f := strings.Split(strings.TrimSpace(line), ",")
		if i == 0 && f[0] == "frame" {
			continue
		}
		if len(f) < 3 {
			return nil, fmt.Errorf("%s:%d: want frame,u,v", path, i+1)
		}
		var v [3]float64
		for k := range v {
			if v[k], err = strconv.ParseFloat(strings.TrimSpace(f[k]), 64); err != nil {
				return nil, fmt.Errorf("%s:%d: %q is not a number", path, i+1, f[k])
			}
		}
		rows = append(rows, anchorRow{frame: int(v[0]), px: geom.Vec2{v[1], v[2]}})
	}
	return rows, nil
}
