package evidence

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Delete deletes the contents of a closed case and leaves its chain as a tombstone, which says when, by whom and why,
// and is signed and in the transparency log as everything before. The tombstone is written first: a crash in the middle
// leaves a case that says it is deleted, and Delete again removes the rest.
func Delete(dir string, cfg WriterConfig, who, why string) error {
	path := filepath.Join(dir, ChainFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("delete a case: %w", err)
	}
	chain, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("delete a case: %w", err)
	}
	w := newWriter(dir, chain, cfg)
	err = w.bury(data, who, why)
	return errors.Join(err, w.Close())
}

// Receive lets the relay vouch for a second recorder's closed case that has reached it: it says so in the case's chain,
// and from there on the relay's seal, cfg.Seal, signs and logs. key verifies that; who brought the case.
func Receive(dir string, cfg WriterConfig, key, who string) error {
	path := filepath.Join(dir, ChainFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("receive a case: %w", err)
	}
	chain, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("receive a case: %w", err)
	}
	w := newWriter(dir, chain, cfg)
	ended, err := w.resume(data)
	if err == nil && !ended {
		err = errors.New("receive a case: it is not closed")
	}
	if err == nil {
		_, wall := w.cfg.Clock()
		err = w.write(Record{Kind: KindReceived, At: w.at, UTC: stampUTC(wall), Key: key, Keys: w.cfg.Seal.Successions(), Who: who})
	}
	if err == nil {
		w.tree = 0 // another log
		err = w.Head()
	}
	return errors.Join(err, w.Close())
}

func (w *Writer) bury(data []byte, who, why string) error {
	ended, err := w.resume(data)
	if err != nil {
		return err
	}
	if !ended {
		return errors.New("the case is not closed: it is still recorded, or the next start of the relay closes it")
	}
	if !w.manifest.Deleted {
		_, wall := w.cfg.Clock()
		if err := w.write(Record{Kind: KindDeleted, At: w.at, UTC: stampUTC(wall), Keys: w.cfg.Seal.Successions(), Who: who, Why: why}); err != nil {
			return err
		}
		if err := w.Head(); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(w.dir)
	for _, e := range entries {
		if e.Name() != ChainFile {
			err = errors.Join(err, os.Remove(filepath.Join(w.dir, e.Name())))
		}
	}
	return errors.Join(err, syncDir(w.dir))
}
