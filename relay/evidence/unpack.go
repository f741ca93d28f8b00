package evidence

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Unpack makes the folder of a case, which must not be there, from its archive. It holds nothing in memory. Verify the
// archive first: Unpack takes no file whose name cannot be in a case, and believes the rest.
func Unpack(path, dir string) (err error) {
	s, err := openSource(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	names, err := s.names()
	if err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("unpack: %w", err)
	}
	for _, name := range names {
		if name != ChainFile && !plainName(name) {
			return fmt.Errorf("unpack: %q is no name of a case's file", name)
		}
		if err := unpackFile(s, name, filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("unpack %s: %w", name, err)
		}
	}
	return syncDir(dir)
}

func unpackFile(s source, name, to string) error {
	in, err := s.open(name)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	return errors.Join(err, f.Sync(), f.Close())
}
