package record

import (
	"bufio"
	"errors"
	"os"
	"sync"

	"sightline/relay/wire"
)

// logFile is log.jsonl: one envelope a line.
type logFile struct {
	mu   sync.Mutex
	file *os.File
	buf  *bufio.Writer
}

func (l *logFile) open(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	l.file, l.buf = f, bufio.NewWriterSize(f, 64<<10)
	return err
}

func (l *logFile) write(e wire.Envelope) error {
	data, err := e.Encode()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return os.ErrClosed
	}
	_, err = l.buf.Write(append(data, '\n'))
	return err
}

func (l *logFile) flush() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Flush()
}

func (l *logFile) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := errors.Join(l.buf.Flush(), l.file.Sync(), l.file.Close())
	l.file = nil
	return err
}
