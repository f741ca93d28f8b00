package evidence

import "io"

// PackedSize is how many bytes Pack writes of a case.
func PackedSize(path string) (int64, error) {
	var size counter
	err := Pack(path, &size)
	return int64(size), err
}

// Packed reads what Pack writes of a case, from a byte on. A fault of the case is an error of Read. Closing it ends the
// packing.
func Packed(path string, offset int64) io.ReadCloser {
	from, to := io.Pipe()
	p := &packing{PipeReader: from, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = to.CloseWithError(Pack(path, &skip{to, offset}))
	}()
	return p
}

type packing struct {
	*io.PipeReader
	done chan struct{}
}

func (p *packing) Close() error {
	err := p.PipeReader.Close()
	<-p.done
	return err
}

// counter counts what is written.
type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

// skip leaves out the first bytes.
type skip struct {
	to   io.Writer
	left int64
}

func (s *skip) Write(p []byte) (int, error) {
	n := min(s.left, int64(len(p)))
	s.left -= n
	if n == int64(len(p)) {
		return len(p), nil
	}
	written, err := s.to.Write(p[n:])
	return int(n) + written, err
}
