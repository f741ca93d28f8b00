package sim

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"

	"sightline/vision/geom"
)

// WriteSequence renders frames of a world into a sequence folder: rgb/NNNNN.png, depth/NNNNN.png (uint16
// millimetres, 0 where there is nothing), poses.txt (index tx ty tz qx qy qz qw, camera-to-world) and
// camera.txt. progress is called after each frame.
func WriteSequence(w *World, dir string, frames int, progress func(done int)) (err error) {
	for _, d := range []string{"rgb", "depth"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	c := w.cam
	lens := fmt.Sprintf("# fx fy cx cy width height k1 k2 p1 p2 k3\n%.4f %.4f %.4f %.4f %d %d 0 0 0 0 0\n", c.Fx, c.Fy, c.Cx, c.Cy, c.Width, c.Height)
	if err := os.WriteFile(filepath.Join(dir, "camera.txt"), []byte(lens), 0o644); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, "poses.txt"))
	if err != nil {
		return err
	}
	poses := bufio.NewWriter(f)
	defer func() { err = errors.Join(err, poses.Flush(), f.Close()) }()
	fmt.Fprintln(poses, "# index tx ty tz qx qy qz qw: camera-to-world, metres")
	for i := range frames {
		if err := writePNG(filepath.Join(dir, "rgb", fmt.Sprintf("%05d.png", i)), w.Picture(i)); err != nil {
			return err
		}
		if err := writePNG(filepath.Join(dir, "depth", fmt.Sprintf("%05d.png", i)), w.depthPicture(i)); err != nil {
			return err
		}
		wc := w.PoseCW(i).Inverse()
		q := geom.QuatOf(wc.R)
		fmt.Fprintf(poses, "%05d %.6f %.6f %.6f %.7f %.7f %.7f %.7f\n", i, wc.T[0], wc.T[1], wc.T[2], q[0], q[1], q[2], q[3])
		if progress != nil {
			progress(i + 1)
		}
	}
	return nil
}

func (w *World) depthPicture(frame int) *image.Gray16 {
	d := w.Depth(frame)
	img := image.NewGray16(image.Rect(0, 0, w.cam.Width, w.cam.Height))
	for i, z := range d {
		if z < 65 {
			img.SetGray16(i%w.cam.Width, i/w.cam.Width, color.Gray16{Y: uint16(math.Round(z * 1000))})
		}
	}
	return img
}

func writePNG(path string, img image.Image) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	return enc.Encode(f, img)
}
