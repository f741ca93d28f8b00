package sim

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"

	"sightline/vision/geom"
)

// WriteSequence renders frames of a world into a sequence folder: rgb/NNNNN.png, or .jpg of a quality of
// 1 to 100 where quality is not 0, depth/NNNNN.png (uint16 millimetres, 0 where there is nothing), poses.txt
// (index tx ty tz qx qy qz qw, camera-to-world) and camera.txt. progress is called after each frame.
func WriteSequence(w *World, dir string, frames, quality int, progress func(done int)) (err error) {
	for _, d := range []string{"rgb", "depth"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	lens := "# fx fy cx cy width height k1 k2 p1 p2 k3 [readout in seconds]\n" + w.cam.Row() + "\n"
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
		if err := writePicture(filepath.Join(dir, "rgb", fmt.Sprintf("%05d", i)), w.Picture(i), quality); err != nil {
			return err
		}
		if err := writePicture(filepath.Join(dir, "depth", fmt.Sprintf("%05d", i)), w.depthPicture(), 0); err != nil {
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

// depthPicture is the depth of the frame that was rendered last.
func (w *World) depthPicture() *image.Gray16 {
	img := image.NewGray16(image.Rect(0, 0, w.cam.Width, w.cam.Height))
	for i, inv := range w.render.inv {
		if inv > 1.0/65 {
			binary.BigEndian.PutUint16(img.Pix[2*i:], uint16(math.Round(1000/float64(inv))))
		}
	}
	return img
}

// writePicture writes a PNG, or a JPEG where a quality is given, and adds the ending to the path.
func writePicture(path string, img image.Image, quality int) (err error) {
	ending := ".png"
	if quality > 0 {
		ending = ".jpg"
	}
	f, err := os.Create(path + ending)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(f)
	defer func() { err = errors.Join(err, b.Flush(), f.Close()) }()
	if quality > 0 {
		return jpeg.Encode(b, img, &jpeg.Options{Quality: quality})
	}
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	return enc.Encode(b, img)
}
