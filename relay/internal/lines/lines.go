// Package lines appends to files of lines that several processes write at once.
package lines

import (
	"io"
	"os"
	"syscall"
)

// Append appends a line, which has no newline; who appends at the same moment waits. Where somebody's write has ended in the
// middle of a line, as on a full disk, the new one is not glued to it. f is open for reading and, with O_APPEND, for writing.
func Append(f *os.File, line []byte) error {
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX) == nil { // else an empty line may come between two, no more
		defer syscall.Flock(int(f.Fd()), syscall.LOCK_UN)
	}
	whole, err := endsWhole(f)
	if err != nil {
		return err
	}
	text := append(append(make([]byte, 0, len(line)+2), '\n'), line...)
	if whole {
		text = text[1:]
	}
	_, err = f.Write(append(text, '\n'))
	return err
}

// endsWhole says whether a file ends with a line that is whole, or is empty.
func endsWhole(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return true, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil && err != io.EOF {
		return false, err
	}
	return last[0] == '\n', nil
}
