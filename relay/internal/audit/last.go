package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// readBack is how much of the log is read at once, from its end, bytes.
const readBack = 256 << 10

// Last returns the last events of which it is to be so, at most n, the latest first. It reads from the log's end, and
// goes on in the parts that were put aside.
func Last(data string, n int, of func(Event) bool) ([]Event, error) {
	var out []Event
	for _, path := range slices.Backward(append(Parts(data), Path(data))) {
		err := backward(path, func(line []byte) bool {
			var e Event
			if json.Unmarshal(line, &e) == nil && of(e) {
				out = append(out, e)
			}
			return len(out) < n
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("audit log: %w", err)
		}
		if len(out) >= n {
			break
		}
	}
	return out, nil
}

// backward calls fn with the lines of a file, the last first, until it returns false.
func backward(path string, fn func(line []byte) bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	at, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	var rest []byte // the beginning of what was read: the end of a line that begins before it
	for at > 0 {
		size := min(at, readBack)
		at -= size
		block := make([]byte, size, size+int64(len(rest)))
		if _, err := f.ReadAt(block, at); err != nil && err != io.EOF {
			return err
		}
		lines := bytes.Split(append(block, rest...), []byte("\n"))
		for _, line := range slices.Backward(lines[1:]) {
			if len(line) > 0 && !fn(line) {
				return nil
			}
		}
		rest = lines[0]
	}
	if len(rest) > 0 {
		fn(rest)
	}
	return nil
}
