package media

import (
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // the formats a sequence may be in
	_ "image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sightline/vision/camera"
)

// sequence is a folder of pictures rgb/NNNNN.png or .jpg from 00000 on, the clip of seq:DIR.
type sequence struct {
	dir   string
	size  image.Point
	every time.Duration
	index int
	last  int // the highest number present
	pool  pool
}

func openSequence(dir string, opts Options) (Source, error) {
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("seq:%s: no such folder; want one with rgb/00000.png or .jpg and camera.txt", dir)
	}
	lens, err := camera.Load(filepath.Join(dir, "camera.txt"))
	known := err == nil
	if err != nil && !(opts.AnyLens && errors.Is(err, fs.ErrNotExist)) {
		return nil, fmt.Errorf("seq:%s: %w; want camera.txt with a row `fx fy cx cy width height`", dir, err)
	}
	last, err := lastPicture(filepath.Join(dir, "rgb"))
	if err != nil {
		return nil, fmt.Errorf("seq:%s: %w; want rgb/00000.png or .jpg and on", dir, err)
	}
	fps := opts.FPS
	if fps == 0 {
		fps = defaultFPS
	}
	s := &sequence{dir: dir, size: image.Pt(lens.Width, lens.Height), every: time.Duration(float64(time.Second) / fps), last: last}
	return play(s, lens, known, opts), nil
}

// lastPicture returns the highest number of a picture in a folder.
func lastPicture(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	last := -1
	for _, e := range entries {
		var n int
		ext := filepath.Ext(e.Name())
		if _, err := fmt.Sscanf(e.Name(), "%05d", &n); err == nil && (ext == ".png" || ext == ".jpg") {
			last = max(last, n)
		}
	}
	if last < 0 {
		return 0, fmt.Errorf("no picture in %s", dir)
	}
	return last, nil
}

func (s *sequence) interval() time.Duration { return s.every }
func (s *sequence) close()                  {}

func (s *sequence) rewind() error {
	s.index = 0
	return nil
}

func (s *sequence) next() (*image.YCbCr, time.Duration, func(), error) {
	if s.index > s.last {
		return nil, 0, nil, io.EOF
	}
	src, path, err := s.load()
	if err != nil {
		return nil, 0, nil, fmt.Errorf("seq:%s: picture %d of %d: %w", s.dir, s.index, s.last+1, err)
	}
	if s.size == (image.Point{}) {
		s.size = src.Bounds().Size() // no camera.txt: the first picture says it
	}
	if got := src.Bounds().Size(); got != s.size {
		return nil, 0, nil, fmt.Errorf("seq:%s: %s is %dx%d pixels, camera.txt or the first picture says %dx%d",
			s.dir, path, got.X, got.Y, s.size.X, s.size.Y)
	}
	picture, release := s.pool.get(s.size.X, s.size.Y)
	to420(picture, src)
	at := time.Duration(s.index) * s.every
	s.index++
	return picture, at, release, nil
}

func (s *sequence) load() (image.Image, string, error) {
	name := filepath.Join(s.dir, "rgb", fmt.Sprintf("%05d", s.index))
	f, err := os.Open(name + ".jpg")
	if errors.Is(err, fs.ErrNotExist) {
		f, err = os.Open(name + ".png")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("neither %s.jpg nor .png is there", name)
	}
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	src, _, err := image.Decode(f)
	if err != nil {
		return nil, "", fmt.Errorf("%s is damaged: %w", f.Name(), err)
	}
	return src, f.Name(), nil
}
