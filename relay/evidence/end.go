package evidence

import (
	"errors"
	"fmt"
	"strings"
)

// End commits what waits, seals the manifest and the end of the case, and closes the files. stamp asks an
// authority for a timestamp of a head's text (RFC 3161) and returns its response; nil where there is none.
// Where stamp fails the case says why, and ends nevertheless; that error is returned as a StampError.
func (w *Writer) End(stamp func(text string) ([]byte, error)) error {
	err := w.end(stamp)
	return errors.Join(err, w.Close())
}

// StampError says why a case ended without a timestamp.
type StampError struct{ Err error }

func (e *StampError) Error() string { return "no timestamp: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *StampError) Unwrap() error { return e.Err }

func (w *Writer) end(stamp func(text string) ([]byte, error)) error {
	if err := w.Commit(); err != nil {
		return err
	}
	if err := w.sealManifest(); err != nil {
		return err
	}
	if err := w.writeNow(Record{Kind: KindEnd, Stamped: stamp != nil}); err != nil {
		return err
	}
	text := ""
	if stamp != nil {
		text = Head{Case: w.cfg.About.ID, N: w.n - 1, Hash: w.prev}.Text()
	}
	if err := w.Head(); err != nil || stamp == nil {
		return err
	}
	response, failed := stamp(text)
	r := Record{Kind: KindStamp, Stamp: response}
	if failed != nil {
		r = Record{Kind: KindUnstamped, Why: failed.Error()}
	}
	if err := w.write(r); err != nil {
		return err
	}
	if err := w.Head(); err != nil {
		return err
	}
	if failed != nil {
		return &StampError{failed}
	}
	return nil
}

func (w *Writer) sealManifest() error {
	at, wall, _ := w.clock()
	if w.manifest.ClosedBy == "" {
		w.manifest.ClosedBy = "relay"
	}
	w.manifest.EndedUTC = stampUTC(wall)
	data, err := w.manifest.encode()
	if err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	if err := w.Append(Chunk{File: ManifestFile, Data: data, From: at, To: at}); err != nil {
		return err
	}
	return w.Commit()
}

// Close closes the files and leaves the case open, to be recovered.
func (w *Writer) Close() error {
	err := w.chain.Close()
	for _, f := range w.files {
		err = errors.Join(err, f.Close())
	}
	w.files = nil
	return err
}

// noteText is the text of a note whose signature was checked, or is of this process's own.
func noteText(signed string) string {
	text, _, _ := strings.Cut(signed, "\n\n")
	return text + "\n"
}
