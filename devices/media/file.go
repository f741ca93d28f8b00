package media

import (
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sightline/vision/camera"
)

// videoFile is a file that libav reads, the clip of file:PATH.
type videoFile struct {
	path    string
	decoder *videoHandle
	every   time.Duration // fixed time between pictures; 0 is the file's own
	usual   time.Duration
	count   int
	last    time.Duration
	pool    pool
}

func openFile(path string, opts Options) (Source, error) {
	if st, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("file:%s: no such file", path)
	} else if err == nil && st.IsDir() {
		return nil, fmt.Errorf("file:%s: is a folder; for a sequence of pictures use seq:%s", path, path)
	}
	lens, known, err := lensBeside(path)
	if err != nil {
		return nil, fmt.Errorf("file:%s: %w", path, err)
	}
	decoder, err := openVideoFile(path)
	if err != nil {
		return nil, fmt.Errorf("file:%s: %w; the file is cut short, damaged, or no video", path, err)
	}
	f := &videoFile{path: path, decoder: decoder, usual: decoder.interval()}
	if opts.FPS > 0 {
		f.every = time.Duration(float64(time.Second) / opts.FPS)
		f.usual = f.every
	}
	if f.usual <= 0 {
		f.usual = time.Second / defaultFPS
	}
	return play(f, lens, known, opts), nil
}

// lensBeside loads clip.camera.txt beside clip.mp4, where it is.
func lensBeside(path string) (camera.Model, bool, error) {
	name := strings.TrimSuffix(path, filepath.Ext(path)) + ".camera.txt"
	m, err := camera.Load(name)
	if errors.Is(err, fs.ErrNotExist) {
		return camera.Model{}, false, nil
	}
	return m, err == nil, err
}

func (f *videoFile) interval() time.Duration { return f.usual }
func (f *videoFile) close()                  { f.decoder.free() }

func (f *videoFile) rewind() error {
	f.count, f.last = 0, 0
	if err := f.decoder.rewind(); err != nil {
		return fmt.Errorf("file:%s: cannot go back to the start: %w", f.path, err)
	}
	return nil
}

func (f *videoFile) next() (*image.YCbCr, time.Duration, func(), error) {
	ok, err := f.decoder.read()
	if err != nil {
		return nil, 0, nil, fmt.Errorf("file:%s: at %s: %w", f.path, seconds(f.last), err)
	}
	if !ok {
		return nil, 0, nil, f.end()
	}
	picture, release := f.pool.get(f.decoder.size())
	if err := f.decoder.copyTo(picture); err != nil {
		release()
		return nil, 0, nil, fmt.Errorf("file:%s: at %s: %w", f.path, seconds(f.last), err)
	}
	at := max(f.last, time.Duration(f.decoder.pts())*time.Microsecond)
	if f.every > 0 {
		at = time.Duration(f.count) * f.every
	}
	f.last = at
	f.count++
	return picture, at, release, nil
}

// end says whether the file really was at its end when no more pictures came.
func (f *videoFile) end() error {
	length := f.decoder.length()
	n, first := f.decoder.faults()
	switch read := time.Duration(f.decoder.pts())*time.Microsecond + f.decoder.interval(); {
	case f.count == 0:
		return fmt.Errorf("file:%s: there is no picture in it that can be decoded; the file is cut short or damaged", f.path)
	case length > 0 && read+max(3*f.usual, 200*time.Millisecond) < length:
		return fmt.Errorf("file:%s: ends at %s of %s, after %d pictures; the file is cut short, copy it again",
			f.path, seconds(read), seconds(length), f.count)
	case n > 0:
		return fmt.Errorf("file:%s: damaged at %s; %d places could not be decoded, %d pictures were",
			f.path, seconds(first), n, f.count)
	}
	return io.EOF
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
