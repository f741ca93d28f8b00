package evidence

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

var (
	// ErrClosed says that a case needs no recovery.
	ErrClosed = errors.New("the case is closed")
	// ErrNoBeginning says that a crash came before the first record, and that nothing was recorded.
	ErrNoBeginning = errors.New("the chain has no beginning")
)

// Recover closes a case that was left open: it cuts off what was not sealed any more, at most the last
// commit, says so in the chain, and ends the case. cfg.About is taken from the case itself. A case that has not begun
// it takes away, with ErrNoBeginning, where there is nothing beside its chain.
func Recover(dir string, cfg WriterConfig, stamp func(text string) ([]byte, error)) error {
	data, err := os.ReadFile(filepath.Join(dir, ChainFile))
	if err != nil {
		return fmt.Errorf("recover a case: %w", err)
	}
	chain, err := os.OpenFile(filepath.Join(dir, ChainFile), os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("recover a case: %w", err)
	}
	w := newWriter(dir, chain, cfg)
	ended, err := w.resume(data)
	if err == nil && ended {
		err = ErrClosed
	}
	if err == nil {
		err = w.recover(int64(len(data)), stamp)
	}
	if entries, _ := os.ReadDir(dir); errors.Is(err, ErrNoBeginning) && w.n == 0 && len(entries) == 1 {
		err = errors.Join(err, os.Remove(filepath.Join(dir, ChainFile)), os.Remove(dir))
	}
	return errors.Join(err, w.Close())
}

// resume takes over the records that are whole. ended says that the case has been closed.
func (w *Writer) resume(data []byte) (ended bool, err error) {
	for len(data) > 0 {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			break // it was being written
		}
		r, err := ParseRecord(line)
		if err != nil || r.N != w.n || r.Prev != w.prev {
			return false, fmt.Errorf("line %d of the chain is damaged, and the case cannot be closed: verify it", w.n+1)
		}
		w.n, w.prev, w.size, data = w.n+1, hashOf(line), w.size+int64(len(line))+1, rest
		w.manifest.take(r)
		w.at = max(w.at, r.At)
		if at, ok := r.wall(); ok {
			w.wall = at
		}
		switch r.Kind {
		case KindEnd:
			ended = !r.Stamped
		case KindStamp, KindUnstamped, KindDeleted, KindReceived:
			ended = true
		case KindLogged:
			if t, err := ParseCheckpoint(noteText(r.Logged.Checkpoint)); err == nil {
				w.tree = t.N
			}
		}
		w.sealed = r.Kind == KindLogged
	}
	if w.n == 0 || w.manifest.Case.ID == "" {
		return false, ErrNoBeginning
	}
	w.cfg.About = w.manifest.Case
	return ended && w.sealed, nil
}

func (w *Writer) recover(chainSize int64, stamp func(text string) ([]byte, error)) error {
	var cut []Cut
	if chainSize > w.size {
		if err := w.chain.Truncate(w.size); err != nil {
			return err
		}
		cut = append(cut, Cut{ChainFile, chainSize - w.size})
	}
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		c, err := w.cut(e)
		if err != nil {
			return err
		}
		if c.Bytes > 0 {
			cut = append(cut, c)
		}
	}
	// Session time is not known any more: it stands still at what was sealed last.
	clock, at := w.cfg.Clock, w.at
	w.cfg.Clock = func() (int64, time.Time) { _, wall := clock(); return at, wall }
	_, wall := clock()
	w.wall = wall.UTC().Round(0)
	if err := os.Remove(filepath.Join(w.dir, ManifestFile)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := w.write(Record{Kind: KindRecovered, At: at, UTC: stampUTC(wall), Cut: cut, Keys: w.cfg.Seal.Successions(), Why: "the relay ended without closing the case"}); err != nil {
		return err
	}
	return w.end(stamp)
}

// cut takes off the end of a file what is not in the chain.
func (w *Writer) cut(e os.DirEntry) (Cut, error) {
	if e.Name() == ChainFile || e.Name() == ManifestFile || !e.Type().IsRegular() {
		return Cut{}, nil
	}
	info, err := e.Info()
	if err != nil {
		return Cut{}, err
	}
	path, keep := filepath.Join(w.dir, e.Name()), w.manifest.size(e.Name())
	c := Cut{e.Name(), info.Size() - keep}
	switch {
	case c.Bytes <= 0 && keep > 0:
		return Cut{}, nil
	case keep == 0:
		return c, os.Remove(path)
	}
	return c, os.Truncate(path, keep)
}

// tail is how much of a chain's end Ended reads: more than any end takes.
const tail = 64 << 10

// Ended says whether a case is closed, from the last lines of its chain alone.
func Ended(dir string) (bool, error) {
	ended, _, err := State(dir)
	return ended, err
}

// State is Ended, and says besides whether the contents of the case were deleted.
func State(dir string) (ended, deleted bool, err error) {
	f, err := os.Open(filepath.Join(dir, ChainFile))
	if err != nil {
		return false, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, false, err
	}
	data := make([]byte, min(info.Size(), tail))
	if _, err := f.ReadAt(data, info.Size()-int64(len(data))); err != nil {
		return false, false, err
	}
	closing, stamped, after := 0, false, false
	for line := range bytes.SplitAfterSeq(data, []byte("\n")) {
		if len(line) == 0 {
			continue // after the last
		}
		r, err := ParseRecord(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil || !bytes.HasSuffix(line, []byte("\n")) {
			closing = 0
			continue
		}
		if r.Kind == KindEnd {
			closing, stamped = 1, r.Stamped
		} else if closing > 0 {
			closing++
			after = after || r.Kind == KindReceived
			deleted = deleted || r.Kind == KindDeleted
		}
	}
	switch {
	case after, deleted:
		return true, deleted, nil
	case stamped:
		return closing == 6, false, nil
	}
	return closing == 3, false, nil
}
