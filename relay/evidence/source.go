package evidence

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// source is where the files of a case are: a folder, or an archive.
type source interface {
	// names lists the files, and whatever else is there.
	names() ([]string, error)
	// open returns a file's bytes; the section is good until close.
	open(name string) (*io.SectionReader, error)
	close() error
}

func openSource(path string) (source, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open a case: %w", err)
	}
	if info.IsDir() {
		root, err := os.OpenRoot(path)
		if err != nil {
			return nil, fmt.Errorf("open a case: %w", err)
		}
		return &folder{root: root, files: map[string]*os.File{}}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open a case: %w", err)
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s is neither the folder of a case nor its archive: %w", filepath.Base(path), err), f.Close())
	}
	return &archive{f, info.Size(), z}, nil
}

// folder is a case as it was recorded.
type folder struct {
	root  *os.Root
	files map[string]*os.File
}

func (f *folder) names() ([]string, error) {
	d, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	entries, err := d.ReadDir(-1)
	var names []string
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() {
			name += "/" // no file of a case is called so
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, errors.Join(err, d.Close())
}

func (f *folder) open(name string) (*io.SectionReader, error) {
	file := f.files[name]
	if file == nil {
		info, err := f.root.Lstat(name)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s is no file", name)
		}
		if file, err = f.root.Open(name); err != nil {
			return nil, err
		}
		f.files[name] = file
	}
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return io.NewSectionReader(file, 0, info.Size()), nil
}

func (f *folder) close() error {
	var err error
	for _, file := range f.files {
		err = errors.Join(err, file.Close())
	}
	return errors.Join(err, f.root.Close())
}

// archive is a case in one file: a zip without compression, so that it can be read at any place.
type archive struct {
	file *os.File
	size int64
	zip  *zip.Reader
}

func (a *archive) names() ([]string, error) {
	var names []string
	for _, f := range a.zip.File {
		names = append(names, f.Name)
	}
	return names, nil
}

func (a *archive) open(name string) (*io.SectionReader, error) {
	i := slices.IndexFunc(a.zip.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 {
		return nil, os.ErrNotExist
	}
	f := a.zip.File[i]
	if f.Method != zip.Store {
		return nil, fmt.Errorf("%s is compressed in the archive; cases are archived without", name)
	}
	at, err := f.DataOffset()
	if err != nil {
		return nil, err
	}
	if size := int64(f.UncompressedSize64); size < 0 || at+size > a.size {
		return nil, fmt.Errorf("%s goes beyond the end of the archive", name)
	}
	return io.NewSectionReader(a.file, at, int64(f.UncompressedSize64)), nil
}

func (a *archive) close() error { return a.file.Close() }

// archiveOrder puts the manifest and the chain first.
func archiveOrder(names []string) []string {
	rank := func(n string) string {
		switch n {
		case ManifestFile:
			return "0"
		case ChainFile:
			return "1"
		case LogFile:
			return "2"
		}
		return "3" + n
	}
	names = slices.Clone(names)
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(rank(a), rank(b)) })
	return names
}

// Pack writes the case in a folder, or an archive, as one archive. It holds nothing in memory, and the same
// case always makes the same bytes.
func Pack(path string, to io.Writer) (err error) {
	s, err := openSource(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return pack(s, to)
}

func pack(s source, to io.Writer) error {
	names, err := s.names()
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	z := zip.NewWriter(to)
	for _, name := range archiveOrder(names) {
		in, err := s.open(name)
		if err != nil {
			return fmt.Errorf("archive: %w", err)
		}
		out, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err == nil {
			_, err = io.Copy(out, in)
		}
		if err != nil {
			return fmt.Errorf("archive %s: %w", name, err)
		}
	}
	return z.Close()
}

// compare is a writer that compares what is written with a file.
type compare struct {
	with *io.SectionReader
	at   int64
	buf  []byte
}

// differs says where an archive is not what Pack writes.
type differs struct{ at int64 }

func (d differs) Error() string {
	return fmt.Sprintf("the archive is not as it was packed, at byte %d", d.at)
}

func (c *compare) Write(p []byte) (int, error) {
	if len(c.buf) < len(p) {
		c.buf = make([]byte, len(p))
	}
	n, _ := c.with.ReadAt(c.buf[:len(p)], c.at)
	for i := range p {
		if i >= n || c.buf[i] != p[i] {
			return i, differs{c.at + int64(i)}
		}
	}
	c.at += int64(len(p))
	return len(p), nil
}

// check compares the archive, byte for byte, with what Pack makes of its files.
func (a *archive) check() error {
	c := &compare{with: io.NewSectionReader(a.file, 0, a.size)}
	err := pack(a, c)
	if err == nil && c.at != a.size {
		err = differs{c.at}
	}
	return err
}
